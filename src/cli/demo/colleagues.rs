//! The made-up colleagues: they submit, vote, promote and hand over, a while after they are asked,
//! so that the demo goes on whether or not anybody presses a key.
//!
//! What they do next follows from the state alone, and how long they take from the seed.

use std::sync::Arc;
use std::time::Duration;

use super::story::{self, SLOTS, Slot, Story, chance};
use crate::domain::release::Release;
use crate::domain::waiting::{self, Waiting};
use crate::domain::{
    Actor, Ask, Choice, Control, Door, GroupName, HoldKind, PersonName, Phase, Span, State,
    Timestamp,
};
use crate::engine::EngineHandle;

/// Who submits what the stories bring.
const SUBMITTER: &str = "ci";

/// How often they look.
const LOOK: Duration = Duration::from_millis(500);

/// How long they leave to the person at the terminal what only operations can do, and everything
/// about a release that they have not submitted themselves.
const YOURS: Span = Span::mins(4);

/// After how long a release in trouble is taken back by a colleague.
const PATIENCE: Span = Span::mins(3);

/// Plays the colleagues until it is dropped.
pub async fn play(engine: EngineHandle, seed: u64, began: Timestamp) {
    let mut beat = tokio::time::interval(LOOK);
    loop {
        beat.tick().await;
        let state = engine.state().borrow().clone();
        let now = engine.clock().now();
        for slot in &SLOTS {
            if let Some(ask) = next_plan(slot, &state, now, seed, began) {
                say(&engine, SUBMITTER, ask).await;
            }
        }
        for release in state.live.values() {
            if let Some((who, ask)) = answer(&state, release, now, seed) {
                say(&engine, who, ask).await;
            }
        }
    }
}

async fn say(engine: &EngineHandle, who: &str, ask: Ask) {
    let who = Actor::Person(PersonName::from(who));
    if let Err(notice) = engine.ask(who, Door::Sample, ask).await {
        // somebody was faster, or the disk is full: they look again
        tracing::debug!(code = notice.code, "{}", notice.headline);
    }
}

/// The next release of a slot, when it is time for one.
fn next_plan(
    slot: &Slot,
    state: &State,
    now: Timestamp,
    seed: u64,
    began: Timestamp,
) -> Option<Ask> {
    let ours = |service: &str, environment: &str| {
        service == slot.service && environment == slot.environment
    };
    let live = state.live.values().any(|r| {
        let first = r.plan.services.first();
        first.is_some_and(|s| ours(s.service.as_str(), r.plan.environment.as_str()))
    });
    if live {
        return None;
    }
    let closed = state.closed.values().rev().filter(|s| {
        let first = s.services.first();
        first.is_some_and(|(name, _)| ours(name.as_str(), s.environment.as_str()))
    });
    let mut newest: Option<Timestamp> = None;
    let mut number = 0;
    for summary in closed {
        newest = newest.max(Some(summary.closed));
        let version = summary.services.first().and_then(|(_, v)| slot.number(v));
        number = number.max(version.unwrap_or(0));
    }
    let wait = match newest {
        Some(_) => 5 + slot.pause + chance(seed, &format!("{} {number}", slot.target()), 20),
        None => slot.pause,
    };
    if now < newest.unwrap_or(began).plus(Span::secs(wait)) {
        return None;
    }
    let at = chrono::DateTime::from_timestamp_millis(now.0)?;
    let story = slot.story(number + 1)?;
    match story::plan(slot, story, number + 1, seed, at) {
        Ok(plan) => Some(Ask::Submit {
            plan: Arc::new(plan),
        }),
        Err(error) => {
            tracing::error!(%error, "a plan of the demo cannot be read");
            None
        }
    }
}

/// What a colleague does about a release now, if anything.
fn answer(
    state: &State,
    release: &Release,
    now: Timestamp,
    seed: u64,
) -> Option<(&'static str, Ask)> {
    let waiting = waiting::of(state, release, now);
    let waited = now.since(waiting.since);
    if release.submitter.as_str() != SUBMITTER && waited < YOURS {
        return None;
    }
    let patient = |what: &str, least: u64, spread: u64| {
        let key = format!("{} {what}", release.id);
        waited >= Span::secs(least + chance(seed, &key, spread))
    };
    let control = |control| Ask::Control {
        release: release.id,
        control,
    };
    let hold = release.hold()?;
    match &hold.kind {
        _ if in_trouble(release, &waiting, now) => {
            let why = Arc::from("it does not get better by itself");
            Some(("bo", control(Control::RollBack { why })))
        }
        _ if release.paused.is_some() => {
            (waited >= YOURS).then(|| ("ada", control(Control::Resume)))
        }
        HoldKind::Approval(_) => vote(release, waited, seed),
        HoldKind::Manual { .. } if hold.id.as_str() == "start" => {
            patient("start", 60, 30).then(|| ("ada", control(Control::Start)))
        }
        HoldKind::Manual { .. } => {
            let seen = Some(hold.id.clone());
            (waited >= YOURS).then(|| ("ada", control(Control::Promote { seen })))
        }
        HoldKind::Observe { handover: true, .. } if release.handover.is_none() => {
            let note = Arc::from("quiet so far; the runbook's second page is the one to read");
            patient("handover", 120, 60).then(|| ("bo", control(Control::HandOver { note })))
        }
        _ => None,
    }
}

/// Whether a release has been in trouble for so long that a colleague takes it back.
fn in_trouble(release: &Release, waiting: &Waiting, now: Timestamp) -> bool {
    waiting.trouble
        && release.paused.is_none()
        && matches!(release.phase, Phase::Rolling | Phase::Observing)
        && release.touched().next().is_some()
        && now.since(waiting.since.max(release.since)) >= PATIENCE
        && release
            .log
            .last()
            .is_none_or(|line| now.since(line.at) >= PATIENCE)
}

fn vote(release: &Release, waited: Span, seed: u64) -> Option<(&'static str, Ask)> {
    let HoldKind::Approval(terms) = &release.approval()?.kind else {
        return None;
    };
    let needs_you = story_of(release) == Some(Story::NeedsVote);
    for (group, who, comment) in [
        ("security", "kim", "scan is clean"),
        ("operations", "ada", "rollback was tested last week"),
    ] {
        if !terms.needs.contains_key(&GroupName::from(group))
            || release.votes.contains_key(&PersonName::from(who))
        {
            continue;
        }
        let delay = if group == "operations" && needs_you {
            YOURS
        } else {
            Span::secs(2 + chance(seed, &format!("{} {who}", release.id), 8))
        };
        if waited >= delay {
            let ask = Ask::Vote {
                release: release.id,
                choice: Choice::Approve,
                comment: comment.into(),
                digest: Some(release.digest.clone()),
            };
            return Some((who, ask));
        }
    }
    None
}

fn story_of(release: &Release) -> Option<Story> {
    let change = release.plan.services.first()?;
    let slot = SLOTS.iter().find(|s| {
        s.service == change.service.as_str() && s.environment == release.plan.environment.as_str()
    })?;
    slot.story(slot.number(&change.version)?)
}
