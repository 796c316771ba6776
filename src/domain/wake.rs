//! When the clock has something to say about a release.

use super::hold::{HoldKind, HoldState};
use super::ids::Timestamp;
use super::plan::Trigger;
use super::readiness;
use super::release::{Phase, Release, StepStatus};
use super::state::State;

/// The next moment at which a release has to be looked at, if no event comes before.
///
/// Times that lie behind are left out where an event must come first (a bake that is over but
/// whose instances are down), so that waking up never spins.
pub fn of(state: &State, release: &Release) -> Option<Timestamp> {
    let mut next: Option<Timestamp> = None;
    let mut at = |time: Timestamp| next = Some(next.map_or(time, |n| n.min(time)));
    if let Some(hold) = release.hold()
        && let HoldState::Open {
            until,
            warned,
            overdue,
            ..
        } = hold.state
    {
        if let Some(due) = hold.due().filter(|due| *due > state.now) {
            at(due);
        }
        if !warned {
            at(until.minus(hold.deadline.warn));
        }
        if !overdue {
            at(until);
        }
    }
    if let Some(again) = release.calendar.as_ref().and_then(|a| a.again)
        && again > state.now
    {
        at(again);
    }
    if let Some(time) = lapses(state, release) {
        at(time);
    }
    for step in release
        .moving()
        .into_iter()
        .flat_map(|(_, moves)| moves)
        .flat_map(|m| &m.steps)
    {
        if let StepStatus::Failed {
            again: Some(time), ..
        } = step.status
        {
            at(time);
        }
    }
    if let Some(end) = super::emergency::box_end(release) {
        at(end);
    }
    if let Some(time) = super::emergency::warns(release) {
        at(time);
    }
    if let Some(time) = super::approval::lapses(state, release) {
        at(time);
    }
    for (_, trigger) in armed(release) {
        if let Some(time) = trips_at(state, release, trigger) {
            at(time);
        }
    }
    next
}

/// When the evidence that let a release pass its checklist stops to count, as long as nothing has
/// moved.
fn lapses(state: &State, release: &Release) -> Option<Timestamp> {
    let passed = release
        .holds()
        .any(|h| matches!(h.kind, HoldKind::Readiness { .. }) && h.cleared());
    let waits = release.phase == Phase::Waiting && release.paused.is_none();
    (passed && waits)
        .then(|| readiness::expires(release, state.now))
        .flatten()
}

/// The triggers that may still fire, with their place in the plan.
pub fn armed(release: &Release) -> impl Iterator<Item = (usize, &Trigger)> {
    let live = matches!(release.phase, Phase::Rolling | Phase::Observing)
        && release.touched().next().is_some();
    release
        .plan
        .triggers
        .iter()
        .enumerate()
        .filter(move |(n, _)| live && !release.fired.contains(n))
}

/// When a trigger on instances fires if nothing changes.
pub fn trips_at(state: &State, release: &Release, trigger: &Trigger) -> Option<Timestamp> {
    let span = trigger.instances_down?;
    state
        .troubled(release)
        .filter_map(|(target, instance, seen)| {
            // a record older than the deploy does not speak of it
            let settled = release
                .touched()
                .find(|(t, s, _)| *t == target && s.instance == *instance)
                .map(|(_, s, _)| s.since)?;
            Some(seen.map_or(settled, |s| s.since.max(settled)).plus(span))
        })
        .min()
}
