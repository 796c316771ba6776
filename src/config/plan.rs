//! A plan from its text.

use super::located::{Doc, Format};
use super::mistakes::{Mistakes, Source, short};
use crate::domain::charter::Charter;
use crate::domain::plan::HoldPlan;
use crate::domain::problems;
use crate::domain::text::printable;
use crate::domain::{Level, Notice, PersonName, Plan, Span};

/// A plan that could be read, with its text, so that what is wrong with it can be shown in place.
#[derive(Debug)]
pub struct PlanFile {
    /// The plan; its words are safe to show.
    pub plan: Plan,
    source: Source,
    doc: Doc,
}

impl PlanFile {
    /// Reads a plan. YAML or TOML, as the name says (`.yaml`, `.yml`, `.toml`); of a name
    /// that does not say, the text decides.
    ///
    /// # Errors
    /// What cannot be read, with its place.
    pub fn read(name: &str, bytes: &[u8]) -> Result<PlanFile, Mistakes> {
        let text = String::from_utf8_lossy(bytes);
        let source = Source::new(name, &*text);
        let wrong = |notices| Mistakes::of(source.clone(), notices);
        let doc = Doc::bytes(name, bytes, format_of(name, &text)).map_err(wrong)?;
        let mut plan: Plan = doc.read().map_err(wrong)?;
        let notices = unprintable(&plan, &doc);
        if !notices.is_empty() {
            return Err(wrong(notices));
        }
        clean(&mut plan);
        Ok(PlanFile { plan, source, doc })
    }

    /// What is no mistake and yet worth a look, in a room that looks so often.
    pub fn doubts(&self, charter: &Charter, look: Span) -> Mistakes {
        let doubt = |problem: problems::Problem| {
            let headline = printable(&problem.headline, 300);
            let mut notice = short(self.doc.notice(&problem.path, problem.code, &headline));
            notice.level = Level::Warning;
            notice.next(problem.next_step)
        };
        let found = problems::doubts(&self.plan, charter, look);
        let notices = found.into_iter().map(doubt).collect();
        Mistakes::of(self.source.clone(), notices).in_order()
    }

    /// What is wrong with it in a room.
    ///
    /// # Errors
    /// Everything, with its places.
    pub fn check(&self, charter: &Charter) -> Result<(), Mistakes> {
        let notices: Vec<Notice> = problems::problems(&self.plan, charter)
            .into_iter()
            .map(|problem| {
                let headline = printable(&problem.headline, 300);
                // what nothing is known of has no list
                let next = problem.next_step.trim_end();
                let next = if next.ends_with("known:") { "" } else { next };
                let notice = self.doc.notice(&problem.path, problem.code, &headline);
                short(notice).next(printable(next, 300))
            })
            .collect();
        if notices.is_empty() {
            Ok(())
        } else {
            Err(Mistakes::of(self.source.clone(), notices).in_order())
        }
    }
}

/// YAML or TOML.
fn format_of(name: &str, text: &str) -> Format {
    if let Ok(format) = Format::of(name) {
        return format;
    }
    let mut lines = text.lines().map(str::trim);
    let first = lines.find(|line| !line.is_empty() && !line.starts_with('#'));
    match first {
        Some(line) if line.starts_with('[') => Format::Toml,
        Some(line) => {
            let sign = line.find(['=', ':']);
            let toml = sign.is_some_and(|at| line[at..].starts_with('='));
            if toml { Format::Toml } else { Format::Yaml }
        }
        None => Format::Yaml,
    }
}

/// What must stay exactly as it was written and yet cannot be shown as it is.
fn unprintable(plan: &Plan, doc: &Doc) -> Vec<Notice> {
    let mut found = Vec::new();
    let mut look = |path: String, text: &str, lines: bool| {
        let kept = |c: &char| !(lines && matches!(c, '\n' | '\t'));
        let bare: String = text.chars().filter(kept).collect();
        if printable(&bare, bare.len() + 1) != bare {
            found.push(
                doc.notice(
                    &path,
                    "control-characters",
                    "this holds characters that cannot be shown",
                )
                .next("leave control and invisible characters out"),
            );
        }
    };
    for (n, change) in plan.services.iter().enumerate() {
        look(format!("services[{n}].version"), &change.version, false);
    }
    for (n, need) in plan.needs.iter().enumerate() {
        let exactly = need.exactly.as_deref().unwrap_or_default();
        look(format!("needs[{n}].exactly"), exactly, false);
    }
    for (n, batch) in plan.batches.iter().enumerate() {
        for (side, holds) in [("before", &batch.before), ("after", &batch.after)] {
            for (h, hold) in holds.iter().enumerate() {
                let Some(health) = &hold.health else { continue };
                let at = format!("batches[{n}].{side}[{h}].health");
                for (c, check) in health.http.iter().enumerate() {
                    look(format!("{at}.http[{c}].url"), &check.url, false);
                    let contains = check.contains.as_deref().unwrap_or_default();
                    look(format!("{at}.http[{c}].contains"), contains, true);
                }
                for (c, check) in health.command.iter().enumerate() {
                    for (w, word) in check.argv.iter().enumerate() {
                        look(format!("{at}.command[{c}].argv[{w}]"), word, true);
                    }
                }
            }
        }
    }
    found
}

/// Makes what people wrote for people safe to show, and digests comparable.
fn clean(plan: &mut Plan) {
    let fix = |text: &mut std::sync::Arc<str>, most: usize| {
        let safe = printable(text, most);
        if *safe != **text {
            *text = safe.into();
        }
    };
    fix(&mut plan.title, 120);
    for change in &mut plan.services {
        change.digest = change.digest.to_ascii_lowercase().into();
    }
    plan.changes.iter_mut().for_each(|line| fix(line, 300));
    plan.tickets.iter_mut().for_each(|line| fix(line, 300));
    if let Some(runbook) = &mut plan.runbook {
        fix(runbook, 300);
    }
    if let Some(note) = &mut plan.rollback.note {
        fix(note, 300);
    }
    for PersonName(name) in plan.authors.iter_mut().chain(&mut plan.started_by) {
        fix(name, 80);
    }
    if let Some(grounds) = &mut plan.emergency {
        fix(&mut grounds.incident, 120);
        fix(&mut grounds.reason, 300);
    }
    for batch in &mut plan.batches {
        if let Some(name) = &mut batch.name {
            fix(name, 40);
        }
        let holds = batch.before.iter_mut().chain(&mut batch.after);
        for HoldPlan { manual, .. } in holds {
            if let Some(ask) = manual.as_mut().and_then(|manual| manual.ask.as_mut()) {
                fix(ask, 120);
            }
        }
    }
}
