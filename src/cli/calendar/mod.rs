//! `calendar`: look, lint, exempt, lock down, import, export.

mod ask;
mod files;
mod page;
mod times;

pub use page::{when, why};

use super::args::CalendarVerb;
use super::exec::Errand;
use super::exit::{Exit, Went};
use super::keeper::Keeper;
use super::release::now;
use super::view::{CalendarView, ConflictView, LintView};
use crate::domain::calendar::{LanesBy, conflicts, lanes, lints};
use crate::domain::{Span, State};

/// Carries out one of them.
pub async fn run<R: Keeper>(verb: &CalendarVerb, errand: &Errand<'_, R>) -> Went {
    match verb {
        CalendarVerb::Show { days, environment } => {
            show(*days, environment.as_deref(), errand).await
        }
        CalendarVerb::Lint => lint(errand).await,
        CalendarVerb::Conflicts => conflicting(errand).await,
        CalendarVerb::Export => files::export(errand).await,
        CalendarVerb::Import {
            file,
            kind,
            owner,
            zone,
            scope,
        } => {
            let name = file.to_string_lossy();
            files::import(&name, *kind, owner, zone, scope, errand).await
        }
        other => ask::run(other, errand).await,
    }
}

async fn show<R: Keeper>(days: u16, only: Option<&str>, errand: &Errand<'_, R>) -> Went {
    let state = errand.room.state().borrow().clone();
    let (now, out) = (now(), errand.out);
    let to = now.plus(Span::mins(u64::from(days) * 24 * 60));
    let mut found = lanes(&state, LanesBy::Environment, now, to);
    if let Some(only) = only {
        times::environment(&state, only)?;
        found.retain(|lane| *lane.name == *only);
    }
    if !out.look.json {
        let text = page::agenda(&state, &found, only.is_none(), now, to);
        out.say(text).await?;
        return Ok(Exit::Done);
    }
    for lane in &found {
        for item in &lane.items {
            out.object(&CalendarView::of(lane, item)).await?;
        }
    }
    Ok(Exit::Done)
}

async fn lint<R: Keeper>(errand: &Errand<'_, R>) -> Went {
    let state = errand.room.state().borrow().clone();
    let out = errand.out;
    let found = lints(&state.charter, now());
    for lint in &found {
        match out.look.json {
            true => out.object(&LintView::of(lint)).await?,
            false => {
                let line = format!("{}: {}; {}\n", lint.code, lint.words, lint.next);
                out.say(line).await?;
            }
        }
    }
    if found.is_empty() && !out.look.json {
        out.say("nothing in the calendar needs a look\n").await?;
    }
    Ok(Exit::Done)
}

async fn conflicting<R: Keeper>(errand: &Errand<'_, R>) -> Went {
    let state = errand.room.state().borrow().clone();
    let (now, out) = (now(), errand.out);
    let found = conflicts(&state, now);
    for conflict in &found {
        match out.look.json {
            true => out.object(&ConflictView::of(conflict)).await?,
            false => {
                let when = conflict.when.map(|when| {
                    let zone = page::zone_of(&state, conflict.releases.first());
                    format!("   {}", times::span(Some(when.start), Some(when.end), zone))
                });
                let line = format!("{}{}\n", conflict.words, when.unwrap_or_default());
                out.say(line).await?;
            }
        }
    }
    if found.is_empty() && !out.look.json {
        out.say("no open releases get into each other's way\n")
            .await?;
    }
    Ok(Exit::Done)
}

/// What a new release should hear at once: when it may move, and what is in its way.
pub fn greeting(state: &State, id: crate::domain::ReleaseId) -> String {
    let Some(release) = state.live.get(&id) else {
        return String::new();
    };
    let now = now();
    let mut text = String::new();
    let rules = crate::domain::calendar::Evaluator::of(state, release, now);
    let answer = rules.answer(now);
    if !answer.bars.is_empty() {
        text.push_str(&format!("calendar: {}\n", answer.words(now)));
        text.push_str(&page::next_words(
            rules.next(now),
            now,
            page::zone_of(state, Some(&id)),
        ));
    }
    for conflict in conflicts(state, now) {
        if conflict.releases.contains(&id) {
            text.push_str(&format!("conflict: {}\n", conflict.words));
        }
    }
    text
}
