//! Approved and started are two states: who has to press what next, by name.

use std::collections::BTreeMap;

use super::approval::{Terms, helps, tally};
use super::authority;
use super::calendar::{Evaluator, Rule};
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
        _ if waiting.word == "lockdown" => lift(state, release, now),
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
    let missing: u32 = tally.missing().map(|(_, n)| n).sum();
    if missing > 0 {
        parts.push(voters(state, release, terms, now, missing));
    }
    parts.join("; ")
}

/// Whose votes would count now, by the groups they would count for.
fn voters(state: &State, release: &Release, terms: &Terms, now: Timestamp, missing: u32) -> String {
    let mut able: BTreeMap<&GroupName, Vec<&PersonName>> = BTreeMap::new();
    for who in state.charter.people.keys() {
        let groups = authority::voting(state, who, release, terms, now);
        for group in groups {
            let one = std::slice::from_ref(group);
            if helps(release, terms, now, who, one) {
                able.entry(group).or_default().push(who);
            }
        }
    }
    let parts: Vec<String> = able
        .iter()
        .map(|(group, people)| format!("{} ({group})", names(people, "or")))
        .collect();
    match (parts.is_empty(), missing) {
        (true, _) => "nobody is left who may vote".to_owned(),
        (false, 1) => format!("{} votes", parts.join(" or ")),
        (false, n) => format!("{}: {n} votes are missing", parts.join("; ")),
    }
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

/// Who may lift the lockdown that holds it: not who ordered it.
fn lift(state: &State, release: &Release, now: Timestamp) -> String {
    let answer = Evaluator::of(state, release, now).answer(now);
    let Some(bar) = answer.bars.iter().find(|bar| bar.rule == Rule::Lockdown) else {
        return String::new();
    };
    let may = |who: &&PersonName| {
        let id = Some(release.id);
        who.as_str() != &*bar.owner
            && authority::may(state, who, Right::Lockdown, &release.plan, id, now)
    };
    let people: Vec<&PersonName> = state.charter.people.keys().filter(may).collect();
    format!(
        "{} lifts {} (calendar lift)",
        names(&people, "or"),
        bar.name
    )
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
