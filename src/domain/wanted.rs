//! What should be done outside now: level-triggered, computed from the state.

use super::calendar::stops_calls;
use super::effect::{Effect, Health};
use super::ids::ReleaseId;
use super::release::{Move, Phase, Release, Step, StepStatus};
use super::state::State;

/// The calls that should be made now for one release, besides those that are under way.
///
/// Forward calls come only out of a batch that has begun, which it does when every hold before it
/// is cleared; nothing goes forward over an instance in trouble. The way back waits on nothing but
/// calls still running on the same instance. Where the calendar stops a rollout within its batch, no
/// further instance begins.
pub fn wanted(state: &State, id: ReleaseId) -> Vec<Effect> {
    let Some(release) = state.live.get(&id) else {
        return Vec::new();
    };
    if release.paused.is_some() {
        return Vec::new();
    }
    let Some((place, moves)) = release.moving() else {
        return Vec::new();
    };
    let back = release.phase == Phase::RollingBack;
    let barred = release.calendar.as_ref().is_some_and(stops_calls);
    let blocked = !back && (barred || stopped(state, release));
    let mut effects = Vec::new();
    for m in moves {
        let mut slots = m.parallel as usize;
        slots = slots.saturating_sub(
            m.steps
                .iter()
                .filter(|s| occupies(state, m, s, back))
                .count(),
        );
        for step in m.steps.iter().filter(|s| s.status == StepStatus::ToDo) {
            let begun = step.touched();
            if begun || (!blocked && slots > 0 && ready(state, release, m, step, back)) {
                effects.extend(m.effect(id, &place, step));
                if !begun {
                    slots -= 1;
                }
            }
        }
    }
    effects
}

/// Whether a step takes one of the places of instances that change at once.
fn occupies(state: &State, m: &Move, step: &Step, back: bool) -> bool {
    match step.status {
        StepStatus::ToDo => step.touched(),
        StepStatus::Running => true,
        // on the way back a failed instance must not keep the others from going back
        StepStatus::Failed { .. } | StepStatus::Unknown { .. } => !back,
        StepStatus::Done => !back && !state.runs(&m.target, step, m.artifact_of(step)),
    }
}

/// Whether a step of which nothing has begun may begin.
fn ready(state: &State, release: &Release, m: &Move, step: &Step, back: bool) -> bool {
    if back {
        // the forward call on this instance must have ended first
        return !release
            .in_flight()
            .any(|(target, s)| *target == m.target && s.instance == step.instance);
    }
    state
        .seen(&m.target, &step.instance)
        .is_some_and(|seen| seen.sight.health != Health::Unknown)
}

/// Whether nothing more may go forward: a call has failed, or an instance with the new version is
/// down or does not answer.
fn stopped(state: &State, release: &Release) -> bool {
    let failed = release.touched().any(|(_, s, _)| {
        matches!(
            s.status,
            StepStatus::Failed { .. } | StepStatus::Unknown { .. }
        )
    });
    failed
        || state.troubled(release).any(|(_, _, seen)| {
            seen.is_none_or(|s| matches!(s.sight.health, Health::Down | Health::Unknown))
        })
}
