//! Approved and started are two states: who has to press what next, by name.

use super::approval::{Terms, tally};
use super::authority;
use super::charter::Right;
use super::hold::{Hold, HoldKind};
use super::ids::{GroupName, PersonName, Timestamp};
use super::plan::Kind;
use super::release::{Phase, Release};
use super::state::State;
use super::waiting::{Waiting, Whom};

/// How many people are named before the rest is counted.
const NAMED: usize = 4;

/// Who has to do what next for a release to go on, in a sentence; empty when nobody has to.
///
/// `waiting` is what it waits for at `now`.
pub fn next(state: &State, release: &Release, waiting: &Waiting, now: Timestamp) -> String {
    if release.paused.is_some() {
        return format!("{} resumes it", control(state, release, now));
    }
    let Some(hold) = release.hold() else {
        return String::new();
    };
    match &hold.kind {
        HoldKind::Approval(terms) => votes(state, release, terms, now),
        HoldKind::Manual { .. } => manual(state, release, hold, now),
        _ if waiting.on != Whom::Control => String::new(),
        _ if release.phase == Phase::Observing => {
            let who = control(state, release, now);
            format!("{who} leaves the handover note")
        }
        _ => format!("{} retries or rolls back", control(state, release, now)),
    }
}

fn votes(state: &State, release: &Release, terms: &Terms, now: Timestamp) -> String {
    let tally = tally(release, terms, now);
    let mut parts = Vec::new();
    if !tally.wants_changes.is_empty() {
        parts.push(format!(
            "{} changes the plan (release update), or {} votes anew",
            release.submitter, tally.wants_changes[0]
        ));
    }
    if let Some(first) = tally.objections.first() {
        parts.push(format!(
            "{first} withdraws the objection, or it is overruled"
        ));
    }
    let missing: Vec<(GroupName, u32)> = tally.missing().map(|(g, n)| (g.clone(), n)).collect();
    for (group, n) in missing {
        let able = |who: &&PersonName| {
            terms.bars(release, who).is_none()
                && !tally.groups.iter().any(|(g, _, have)| {
                    have.contains(who) && (terms.distinct_people || *g == group)
                })
                && authority::groups(state, who, release, now).any(|(name, by)| {
                    *name == group && by.is_none_or(|by| terms.bars(release, by).is_none())
                })
        };
        let people: Vec<&PersonName> = state.charter.people.keys().filter(able).collect();
        parts.push(match (people.len(), n) {
            (0, _) => format!("nobody is left in {group} who may vote"),
            (_, 1) => format!("{} ({group}) votes", names(&people, "or")),
            (_, n) => format!("{n} of {} ({group}) vote", names(&people, "and")),
        });
    }
    parts.join("; ")
}

fn manual(state: &State, release: &Release, hold: &Hold, now: Timestamp) -> String {
    if hold.id.as_str() != "start" {
        return format!("{} promotes it", control(state, release, now));
    }
    let approved = match release.approval() {
        Some(_) => "approved, not started: ",
        None => "no vote needed, not started: ",
    };
    let who = control(state, release, now);
    let second = match release.plan.kind {
        Kind::Emergency if release.votes.is_empty() => ", who did not submit it,",
        _ => "",
    };
    format!("{approved}{who}{second} starts it")
}

/// Whoever may control it.
fn control(state: &State, release: &Release, now: Timestamp) -> String {
    let may = |who: &&PersonName| {
        let id = Some(release.id);
        authority::may(state, who, Right::Control, &release.plan, id, now)
    };
    let people: Vec<&PersonName> = state.charter.people.keys().filter(may).collect();
    names(&people, "or")
}

/// `ada, bo or kim`.
fn names(people: &[&PersonName], last: &str) -> String {
    let shown: Vec<&str> = people.iter().take(NAMED).map(|p| p.as_str()).collect();
    match shown.as_slice() {
        [] => "nobody that people.toml names".to_owned(),
        [one] => (*one).to_owned(),
        [..] if people.len() > NAMED => {
            let more = people.len() - NAMED;
            format!("{} {last} {more} more", shown.join(", "))
        }
        [first @ .., end] => format!("{} {last} {end}", first.join(", ")),
    }
}
