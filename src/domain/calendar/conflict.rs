//! Releases that get into each other's way, each with its sentence.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::agenda::planned;
use super::series::Occurrence;
use crate::domain::charter::{Charter, Right};
use crate::domain::ids::{PersonName, ReleaseId, ServiceName, Timestamp};
use crate::domain::plan::Plan;
use crate::domain::release::{Phase, Release};
use crate::domain::state::State;

/// Two or more releases that get into each other's way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// How.
    pub kind: ConflictKind,
    /// Which; in order.
    pub releases: Vec<ReleaseId>,
    /// When, where both are planned for a time.
    pub when: Option<Occurrence>,
    /// The sentence.
    pub words: String,
}

/// How releases get into each other's way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConflictKind {
    /// Both change one service in one environment.
    Service,
    /// One changes what the other's service depends on, at the same time.
    Dependency,
    /// Both belong to a group of which only one may be released at a time.
    Exclusive,
    /// More are planned into a window than it takes.
    Capacity,
    /// One person would have to run both at the same time.
    Person,
}

impl ConflictKind {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            ConflictKind::Service => "service",
            ConflictKind::Dependency => "dependency",
            ConflictKind::Exclusive => "exclusive",
            ConflictKind::Capacity => "capacity",
            ConflictKind::Person => "person",
        }
    }
}

/// One release, or a plan that may become one.
struct Party<'a> {
    id: ReleaseId,
    plan: &'a Plan,
    when: Option<Occurrence>,
    who: Option<&'a PersonName>,
}

/// All conflicts among the open releases, those that come first in front.
pub fn conflicts(state: &State, now: Timestamp) -> Vec<Conflict> {
    let parties: Vec<Party<'_>> = state
        .live
        .values()
        .filter(|r| r.back.is_none())
        .map(|r| party(&state.charter, r, now))
        .collect();
    let mut found = Vec::new();
    for (n, one) in parties.iter().enumerate() {
        for other in &parties[n + 1..] {
            found.extend(between(&state.charter, one, other));
        }
    }
    found.extend(crowded(&state.charter, &parties));
    found.sort_by_key(|c| {
        let when = c.when.map_or(Timestamp(i64::MAX), |w| w.start);
        (when, c.kind, c.releases.clone())
    });
    found
}

/// The conflicts that a plan would have with what is open.
pub fn conflicts_of_plan(state: &State, plan: &Plan, now: Timestamp) -> Vec<Conflict> {
    let own = Party {
        id: ReleaseId(state.last_id + 1),
        plan,
        when: plan.window.as_ref().map(|window| {
            let (start, end) = crate::domain::compile::span_of(window, plan, &state.charter);
            Occurrence { start, end }
        }),
        who: None,
    };
    let others = state.live.values().filter(|r| r.back.is_none());
    let others: Vec<Party<'_>> = others.map(|r| party(&state.charter, r, now)).collect();
    let mut found: Vec<Conflict> = others
        .iter()
        .flat_map(|other| between(&state.charter, other, &own))
        .collect();
    let id = own.id;
    let all: Vec<Party<'_>> = others.into_iter().chain([own]).collect();
    let crowds = crowded(&state.charter, &all);
    found.extend(crowds.into_iter().filter(|c| c.releases.contains(&id)));
    found
}

fn party<'a>(charter: &Charter, release: &'a Release, now: Timestamp) -> Party<'a> {
    let env = &release.plan.environment;
    // who watches an observation period can watch several; a pipeline is nobody who is needed
    let who = match release.phase {
        Phase::Observing => None,
        _ => release.con.as_ref().or_else(|| {
            let submitter = &release.submitter;
            charter
                .may(submitter, Right::Control, env)
                .then_some(submitter)
        }),
    };
    Party {
        id: release.id,
        plan: &release.plan,
        when: planned(release, now),
        who,
    }
}

fn services<'a>(party: &Party<'a>) -> BTreeSet<&'a ServiceName> {
    party.plan.services.iter().map(|s| &s.service).collect()
}

fn between(charter: &Charter, one: &Party<'_>, other: &Party<'_>) -> Vec<Conflict> {
    let shared = match (one.when, other.when) {
        (Some(a), Some(b)) if a.meets(&b) => Some(Occurrence {
            start: a.start.max(b.start),
            end: a.end.min(b.end),
        }),
        _ => None,
    };
    // two whose times are known and apart can only disturb each other's service
    let apart = one.when.is_some() && other.when.is_some() && shared.is_none();
    let (id, other_id) = (one.id, other.id);
    let mut found = Vec::new();
    let mut add = |kind, words| {
        found.push(Conflict {
            kind,
            releases: vec![id, other_id],
            when: shared,
            words,
        });
    };
    let (mine, theirs) = (services(one), services(other));
    let same_place = one.plan.environment == other.plan.environment;
    let environment = &one.plan.environment;
    if same_place && !apart {
        let common: Vec<&str> = mine.intersection(&theirs).map(|s| s.as_str()).collect();
        if !common.is_empty() {
            let names = common.join(" and ");
            add(
                ConflictKind::Service,
                format!("{id} and {other_id} both change {names} in {environment}"),
            );
        } else if shared.is_some()
            && let Some((needs, needed)) = depends(charter, &mine, &theirs)
        {
            let (who, what) = match mine.contains(needs) {
                true => (id, other_id),
                false => (other_id, id),
            };
            add(
                ConflictKind::Dependency,
                format!(
                    "{who} changes {needs} while {what} changes {needed}, on which it depends, \
                     in {environment}"
                ),
            );
        }
    }
    if !apart {
        for group in &charter.calendar.exclusive {
            if in_scope(charter, one, &group.scope)
                && in_scope(charter, other, &group.scope)
                && (shared.is_some() || same_place)
            {
                let name = &group.name;
                add(
                    ConflictKind::Exclusive,
                    format!("{id} and {other_id} belong to {name}, of which one may go at a time"),
                );
            }
        }
    }
    if shared.is_some()
        && let (Some(who), Some(too)) = (one.who, other.who)
        && who == too
    {
        add(
            ConflictKind::Person,
            format!("{who} is needed for {id} and {other_id} at the same time"),
        );
    }
    found
}

/// A service of one side that needs one of the other, with that one.
fn depends<'a>(
    charter: &'a Charter,
    mine: &BTreeSet<&'a ServiceName>,
    theirs: &BTreeSet<&'a ServiceName>,
) -> Option<(&'a ServiceName, &'a ServiceName)> {
    let needs = |from: &BTreeSet<&'a ServiceName>, to: &BTreeSet<&'a ServiceName>| {
        from.iter().find_map(|service| {
            let depends_on = &charter.services.get(*service)?.depends_on;
            let needed = to.iter().find(|s| depends_on.contains(**s))?;
            Some((*service, *needed))
        })
    };
    needs(mine, theirs).or_else(|| needs(theirs, mine))
}

fn in_scope(charter: &Charter, party: &Party<'_>, scope: &super::rules::Scope) -> bool {
    party.plan.services.iter().any(|change| {
        let team = charter.services.get(&change.service);
        let team = team.map_or("", |s| &*s.owner);
        scope.covers(&party.plan.environment, &change.service, team)
    })
}

/// Windows into which more is planned than they take.
fn crowded(charter: &Charter, parties: &[Party<'_>]) -> Vec<Conflict> {
    let mut found = Vec::new();
    for window in &charter.calendar.windows {
        let Some(capacity) = window.capacity else {
            continue;
        };
        let mut into: BTreeMap<Occurrence, Vec<ReleaseId>> = BTreeMap::new();
        for party in parties
            .iter()
            .filter(|p| in_scope(charter, p, &window.scope))
        {
            let Some(when) = party.when else { continue };
            let after = Timestamp(when.start.0 + 1);
            for occurrence in window.when.between(when.start, after) {
                into.entry(occurrence).or_default().push(party.id);
            }
        }
        for (occurrence, releases) in into {
            if releases.len() <= capacity as usize {
                continue;
            }
            let names: Vec<String> = releases.iter().map(ToString::to_string).collect();
            let name: &Arc<str> = &window.name;
            found.push(Conflict {
                kind: ConflictKind::Capacity,
                words: format!(
                    "{} are planned into the window {name}, which takes {capacity}",
                    names.join(", ")
                ),
                releases,
                when: Some(occurrence),
            });
        }
    }
    found
}
