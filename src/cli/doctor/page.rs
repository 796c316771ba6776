//! What the doctor found, for people.

use std::fmt::Write as _;

use crate::cli::out::Look;
use crate::cli::view::{CheckedView, DoctorView, TargetView};
use crate::tui::Glyph;

/// Everything that was found.
pub(super) fn text(view: &DoctorView, look: Look) -> String {
    let mut out = String::new();
    // writing to a string cannot fail
    let _ = page(&mut out, view, look);
    out
}

fn page(out: &mut String, view: &DoctorView, look: Look) -> std::fmt::Result {
    let sign = |state: &str| sign(state).text(!look.ascii);
    for cluster in &view.clusters {
        let name = &cluster.name;
        match &cluster.problem {
            Some(why) => writeln!(out, "{} cluster {name}   {why}", sign("missing"))?,
            None => {
                let version = cluster.version.as_deref().unwrap_or("of unknown version");
                let user = cluster.user.as_deref().unwrap_or("somebody");
                let good = sign("good");
                writeln!(
                    out,
                    "{good} cluster {name}   Kubernetes {version}, which takes you for {user}"
                )?;
            }
        }
    }
    for source in &view.sources {
        let mark = sign(&source.check.state);
        writeln!(
            out,
            "{mark} source {}   {}",
            source.name, source.check.words
        )?;
        next(out, "    ", &source.check)?;
    }
    for target in &view.targets {
        let worst = |state: &str| target.checks.iter().any(|check| check.state == state);
        let mark = ["missing", "doubt"].into_iter().find(|state| worst(state));
        let mark = sign(mark.unwrap_or("good"));
        writeln!(out, "\n{mark} {}   {}", target.target, target.place)?;
        for check in &target.checks {
            writeln!(out, "    {} {}", sign(&check.state), check.words)?;
            next(out, "      ", check)?;
        }
        verdict(out, target)?;
    }
    if !view.rbac.is_empty() {
        out.push_str(
            "\nExactly these rights are needed (`holdpoint doctor --rbac` prints them alone):\n\n",
        );
        out.push_str(&rbac(view));
    }
    let last = match view.well {
        true => "\nnothing is missing\n",
        false => "\nsomething is missing\n",
    };
    out.push_str(last);
    Ok(())
}

fn next(out: &mut String, indent: &str, check: &CheckedView) -> std::fmt::Result {
    match check.next_step.as_str() {
        "" => Ok(()),
        words => writeln!(out, "{indent}next: {words}"),
    }
}

/// What would be missing to go forward, and to go back.
fn verdict(out: &mut String, target: &TargetView) -> std::fmt::Result {
    let told = |lacks: &[String]| match lacks.len() {
        0 => "nothing is missing".to_owned(),
        1 => "1 thing is missing".to_owned(),
        n => format!("{n} things are missing"),
    };
    writeln!(out, "    to promote: {}", told(&target.promote))?;
    writeln!(out, "    to roll back: {}", told(&target.roll_back))
}

/// The rights alone, to be handed to `kubectl apply`.
pub(super) fn rbac(view: &DoctorView) -> String {
    let docs = view.rbac.iter().map(|role| {
        format!(
            "# cluster {}, namespace {}\n{}",
            role.cluster, role.namespace, role.yaml
        )
    });
    docs.collect::<Vec<String>>().join("---\n")
}

fn sign(state: &str) -> Glyph {
    match state {
        "good" => Glyph::Done,
        "doubt" => Glyph::Alert,
        _ => Glyph::Failed,
    }
}
