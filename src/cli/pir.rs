//! `pir`: reviews after emergencies.

use super::args::PirVerb;
use super::exec::{Errand, words};
use super::exit::{Exit, Went};
use super::keeper::Keeper;
use super::release::{ask_for, done, find, now};
use super::view::PirView;
use crate::domain::pir::{Ask, Pir};
use crate::domain::{State, Timestamp};

/// Carries out one of them.
pub async fn run<R: Keeper>(verb: &PirVerb, errand: &Errand<'_, R>) -> Went {
    let state = errand.room.state().borrow().clone();
    match verb {
        PirVerb::List { all } => list(&state, *all, errand).await,
        PirVerb::Close { release, findings } => {
            let release = find(&state, release)?;
            let ask = Ask::Close {
                release,
                findings: words(Some(findings)),
            };
            let settled = ask_for(crate::domain::Ask::Pir(ask), errand).await?;
            done(release, settled, "reviewed", errand).await
        }
    }
}

async fn list<R: Keeper>(state: &State, all: bool, errand: &Errand<'_, R>) -> Went {
    let (out, now) = (errand.out, now());
    let mut none = true;
    for pir in state.pirs.values().filter(|p| all || p.closed.is_none()) {
        none = false;
        if out.look.json {
            out.object(&PirView::of(pir, now)).await?;
        } else {
            out.say(line(pir, now)).await?;
        }
    }
    if none && !out.look.json {
        out.say("no review is open\n").await?;
    }
    Ok(Exit::Done)
}

/// A review in a line or two.
fn line(pir: &Pir, now: Timestamp) -> String {
    let how = match &pir.closed {
        Some(found) => format!("closed by {}: {}", found.by, found.text),
        None if pir.due <= now => format!("OVERDUE for {}", now.since(pir.due)),
        None => format!("due in {}", pir.due.since(now)),
    };
    format!(
        "{}  {} ({}), {}: {how}\n",
        pir.release, pir.title, pir.incident, pir.owner
    )
}
