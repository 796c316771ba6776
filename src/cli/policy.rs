//! `policy`: what it says, why it says so of a release, what another one would change, and trying
//! it on cases.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::args::PolicyVerb;
use super::exec::Errand;
use super::exit::{Exit, Stop, Went};
use super::keeper::Keeper;
use super::local;
use super::out::Look;
use super::release::{find, now};
use super::view::{
    CaseView, DifferenceView, PolicyDiffView, PolicyTestView, PolicyView, RulingView, clock, line,
};
use crate::config::cases::CaseFile;
use crate::config::home;
use crate::config::mistakes::Mistakes;
use crate::config::room::{RoomFiles, policy_over};
use crate::domain::charter::{ApprovalRule, Charter};
use crate::domain::refusal::short;
use crate::domain::risk::RiskPolicy;
use crate::domain::ruling::Ruling;
use crate::domain::text::printable;
use crate::domain::{Notice, Release};
use crate::policy::diff::diff;

/// Carries out one of them.
pub async fn run<R: Keeper>(verb: &PolicyVerb, errand: &Errand<'_, R>) -> Went {
    match verb {
        PolicyVerb::Show => show(errand).await,
        PolicyVerb::Explain { release } => explain(release, errand).await,
        PolicyVerb::Diff { file } => difference(&file.to_string_lossy(), errand).await,
        PolicyVerb::Test { .. } => Err(Stop::input(
            Notice::error("not-here", "cases are tried on your own machine")
                .next("`holdpoint policy test FILE` where the room's files are"),
        )),
    }
}

async fn show<R: Keeper>(errand: &Errand<'_, R>) -> Went {
    let state = errand.room.state().borrow().clone();
    let (charter, out) = (&state.charter, errand.out);
    if out.look.json {
        out.object(&PolicyView::of(charter, &state.charter_digest))
            .await?;
        return Ok(Exit::Done);
    }
    let mut text = String::from("Approval: the first rule that fits counts\n");
    for (n, rule) in charter.approvals.iter().enumerate() {
        // writing to a string cannot fail
        let _ = writeln!(text, "{:>3} \"{}\"   {}", n + 1, rule.name, about(rule));
        let _ = writeln!(text, "      {}", asks(rule));
    }
    if charter.approvals.is_empty() {
        text.push_str("    none: no release needs a vote\n");
    }
    text.push_str(&risk(&charter.risk));
    out.say(text).await?;
    Ok(Exit::Done)
}

/// What a rule is about.
fn about(rule: &ApprovalRule) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut part = |before: &str, words: Vec<String>| {
        if !words.is_empty() {
            parts.push(format!("{before}{}", words.join(", ")));
        }
    };
    let environments = rule.environments.iter().map(ToString::to_string);
    part("", environments.collect());
    part("", rule.kinds.iter().map(|k| k.word().to_owned()).collect());
    part("tier ", rule.tiers.iter().map(u8::to_string).collect());
    let levels = rule.levels.iter().map(|l| l.word().to_owned());
    part("risk ", levels.collect());
    match parts.is_empty() {
        true => "every release".to_owned(),
        false => parts.join(" · "),
    }
}

/// What a rule asks for.
fn asks(rule: &ApprovalRule) -> String {
    if rule.needs.is_empty() {
        return "approved by policy alone".to_owned();
    }
    let needs: Vec<String> = rule
        .needs
        .iter()
        .map(|(group, n)| format!("{n} of {group}"))
        .collect();
    let mut parts = vec![needs.join(", ")];
    if !rule.distinct_people {
        parts.push("one person may count for several groups".to_owned());
    }
    if !rule.excludes.is_empty() {
        let words: Vec<&str> = rule.excludes.iter().map(|e| e.word()).collect();
        parts.push(format!("not by {}", words.join(", ")));
    }
    if let Some(span) = rule.vote_lasts {
        parts.push(format!("a vote counts {span}"));
    }
    if rule.window_binds {
        parts.push("bound to the window".to_owned());
    }
    parts.push(format!("open for {}", rule.expires));
    parts.join(" · ")
}

fn risk(policy: &RiskPolicy) -> String {
    let mut text = format!(
        "\nRisk: 0 to 100 · medium from {} · high from {} · critical from {}\n",
        policy.medium, policy.high, policy.critical
    );
    for (name, weight) in &policy.weights {
        let _ = writeln!(text, "  {:<18} up to {weight:>3}", name.word());
    }
    let days = match policy.hours.weekends {
        true => "every day",
        false => "on working days",
    };
    let _ = writeln!(
        text,
        "  the last {} releases of a service count; a freeze is near {} before it; a change is\n  large from {} lines on; people are at work from {} to {} {days}",
        policy.history,
        policy.near_freeze,
        policy.large,
        clock(policy.hours.from),
        clock(policy.hours.until),
    );
    text
}

async fn explain<R: Keeper>(word: &str, errand: &Errand<'_, R>) -> Went {
    let state = errand.room.state().borrow().clone();
    let id = find(&state, word)?;
    let Some(release) = state.live.get(&id) else {
        return Err(Stop::from(
            Notice::error(
                "release-closed",
                format!("{id} is closed: nothing is asked any more"),
            )
            .next(format!(
                "`holdpoint ledger show --release {id}` has the ruling it was approved under"
            )),
        ));
    };
    let Some(ruling) = &release.ruling else {
        return Err(Stop::from(
            Notice::error("no-ruling", format!("policy has not ruled on {id} yet"))
                .next("the engine rules by itself when it runs"),
        ));
    };
    if errand.out.look.json {
        let view = RulingView::of(Some(id.to_string()), ruling);
        errand.out.object(&view).await?;
    } else {
        errand.out.say(page(release, ruling)).await?;
    }
    Ok(Exit::Done)
}

/// A ruling for people.
fn page(release: &Release, ruling: &Ruling) -> String {
    let mut text = format!(
        "{} {} → {}\n\nRisk {}\n",
        release.id,
        release.subject(),
        release.plan.environment,
        ruling.risk.words()
    );
    for factor in &ruling.risk.factors {
        let _ = writeln!(
            text,
            "  {:>3} of {:>3}  {:<18} {}",
            factor.points,
            factor.weight,
            factor.name.word(),
            factor.words
        );
    }
    let _ = writeln!(
        text,
        "\n{}: {}",
        capital(&ruling.rule_words()),
        ruling.asks()
    );
    for reason in &ruling.reasons {
        let _ = writeln!(text, "  {reason}");
    }
    let digests = &ruling.digests;
    let _ = writeln!(
        text,
        "\nMade on plan {}, policy {}, facts {}",
        short(&digests.plan),
        short(&digests.policy),
        short(&digests.inputs)
    );
    text
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => String::new(),
    }
}

async fn difference<R: Keeper>(name: &str, errand: &Errand<'_, R>) -> Went {
    let Some(bytes) = errand.files.get(name) else {
        return Err(Stop::input(
            Notice::error(
                "cannot-read",
                "the policy did not come along with the command",
            )
            .next("name a file that can be read, or `-` for stdin")
            .at(printable(name, 200)),
        ));
    };
    let state = errand.room.state().borrow().clone();
    let shown = if name == "-" { "stdin" } else { name };
    let text = String::from_utf8_lossy(bytes);
    let (other, doubts) = policy_over(shown, &text, &state.charter).map_err(Stop::bad)?;
    let out = errand.out;
    if !doubts.notices.is_empty() {
        out.wrong(&doubts).await?;
    }
    let open = state.live.values().filter(|r| !r.started()).count();
    let found = diff(&state, &other, now());
    if out.look.json {
        let view =
            |id: crate::domain::ReleaseId, ruling| RulingView::of(Some(id.to_string()), ruling);
        let releases = found.iter().map(|one| DifferenceView {
            release: one.release.to_string(),
            words: one.words.clone(),
            before: view(one.release, &one.before),
            after: view(one.release, &one.after),
        });
        let releases = releases.collect();
        out.object(&PolicyDiffView {
            schema: "holdpoint.policy-diff/1",
            open,
            releases,
        })
        .await?;
        return Ok(Exit::Done);
    }
    let mut text = String::new();
    for one in &found {
        let Some(release) = state.live.get(&one.release) else {
            continue;
        };
        let environment = &release.plan.environment;
        let _ = writeln!(
            text,
            "{} {} → {environment}",
            one.release,
            release.subject()
        );
        for words in &one.words {
            let _ = writeln!(text, "  {words}");
        }
    }
    let _ = match (open, found.len()) {
        (0, _) => writeln!(
            text,
            "no release is open before its start: nothing to compare"
        ),
        (open, 0) => writeln!(text, "{open} open, none would be treated differently"),
        (open, n) => writeln!(text, "{n} of {open} open would be treated differently"),
    };
    out.say(text).await?;
    Ok(Exit::Done)
}

/// `policy test`: needs no engine, only the room's files and the cases.
///
/// # Errors
/// What is wrong with the files, or the cases that came out otherwise.
pub fn test(
    file: &Path,
    policy: Option<&PathBuf>,
    room: Option<&PathBuf>,
    look: Look,
) -> Result<String, Stop> {
    let dir = home::room(room).map_err(Stop::input)?;
    let mut charter = RoomFiles::load(&dir).map_err(Stop::bad)?.charter;
    if let Some(policy) = policy {
        charter = with(policy, &charter, look)?;
    }
    let cases = CaseFile::read(file, &charter).map_err(Stop::bad)?;
    let mut views = Vec::new();
    let mut wrong = Mistakes::default();
    let mut text = String::new();
    for case in &cases.cases {
        let (ruling, failures) = case.run(&charter);
        let sign = if failures.is_empty() { "ok  " } else { "FAIL" };
        let _ = writeln!(
            text,
            "{sign} {} — risk {}; {}: {}",
            case.name,
            ruling.risk.words(),
            ruling.rule_words(),
            ruling.asks()
        );
        let words = failures.iter().map(|f| f.words.clone()).collect();
        views.push(CaseView::of(&case.name, case.at, words, &ruling));
        wrong.add(cases.located(case, &ruling, &failures));
    }
    let failed = views.iter().filter(|view| !view.passed).count();
    let passed = views.len() - failed;
    let said = if look.json {
        line(&PolicyTestView {
            schema: "holdpoint.policy-test/1",
            passed,
            failed,
            cases: views,
        })
    } else {
        let _ = writeln!(text, "{passed} as expected, {failed} not");
        text
    };
    if failed == 0 {
        return Ok(said);
    }
    local::say(&said);
    Err(Stop::Failed(Exit::Refused, wrong))
}

/// A policy from a file over the rest of a room.
fn with(file: &Path, charter: &Charter, look: Look) -> Result<Charter, Stop> {
    let name = file.display().to_string();
    let text = std::fs::read_to_string(file).map_err(|error| {
        Stop::input(
            Notice::error("cannot-read", format!("the policy cannot be read: {error}"))
                .at(name.clone()),
        )
    })?;
    let (charter, doubts) = policy_over(&name, &text, charter).map_err(Stop::bad)?;
    local::complain(&doubts, look);
    Ok(charter)
}
