//! What a release waits for in others: what it needs, its turn, busy targets, checks.

use super::{Waiting, Whom, blockers, unread};
use crate::domain::ids::{GroupName, Timestamp};
use crate::domain::limits;
use crate::domain::needs;
use crate::domain::readiness::{self, Clearing, Standing};
use crate::domain::release::{Phase, Release};
use crate::domain::state::State;

/// The checks that are open, and on whom they wait.
pub(super) fn ready(release: &Release, now: Timestamp, waiting: &mut Waiting) {
    let open = readiness::open(release, now);
    waiting.what = readiness::open_words(release, now);
    let mut groups: Vec<GroupName> = open
        .iter()
        .filter_map(|(rule, _)| match &rule.clearing {
            Clearing::Evidence { groups, .. } => Some(groups.iter().cloned()),
            _ => None,
        })
        .flatten()
        .collect();
    groups.sort();
    groups.dedup();
    let by_engine = |rule: &readiness::Rule| matches!(rule.clearing, Clearing::Command { .. });
    waiting.on = if !groups.is_empty() {
        Whom::Groups(groups)
    } else if !open.is_empty() && open.iter().all(|(rule, _)| by_engine(rule)) {
        Whom::Engine
    } else {
        Whom::Control
    };
    let failed = |(_, standing): &(_, Standing)| matches!(standing, Standing::Failed(_));
    waiting.trouble |= open.iter().any(failed);
}

/// How far from its turn a release is.
pub(super) fn in_queue(state: &State, release: &Release, waiting: &mut Waiting) {
    waiting.word = "queued";
    match limits::standing(state, release) {
        Some(turn) => {
            let place = limits::ordinal(turn.position);
            waiting.what = format!("{place} behind {}, {}", turn.behind, turn.limit);
            waiting.on = Whom::Release(turn.behind);
        }
        None => waiting.what = "its turn has come".to_owned(),
    }
}

/// What it needs of others, then who moves its targets, then what is not known of them.
pub(super) fn dependency(state: &State, release: &Release, waiting: &mut Waiting) {
    let mut unmet = needs::needs(release)
        .iter()
        .filter_map(|need| needs::standing(state, release, need));
    if let Some(first) = unmet.next() {
        waiting.what = first.words;
        waiting.on = first.on;
        waiting.trouble |= first.stuck;
        if let Some(circle) = needs::circle(state, release.id) {
            let circle = needs::circle_spelled(&circle);
            waiting.what = format!("they wait for each other: {circle}");
            waiting.on = Whom::Control;
            waiting.trouble = true;
        }
        match unmet.count() {
            0 => {}
            n => waiting.what.push_str(&format!(", and {n} more")),
        }
    } else if let Some(other) = blockers(state, release).first() {
        let shared = release
            .targets()
            .into_iter()
            .find(|t| state.on.get(*t).is_some_and(|ids| ids.contains(other)));
        let target = shared.map_or("a target", |t| t.as_str());
        let doing = match state.live.get(other).map(|r| r.phase) {
            Some(Phase::Observing) => "is observed in",
            Some(Phase::RollingBack) => "goes back in",
            _ => "is moving in",
        };
        waiting.word = "conflict";
        waiting.what = format!("{target} {doing} {other}");
        waiting.on = Whom::Release(*other);
    } else if let Some((target, instance)) = unread(state, release) {
        waiting.what = format!("nobody knows yet what runs on {target} {instance}");
        waiting.on = Whom::Instance(instance.clone());
    }
}
