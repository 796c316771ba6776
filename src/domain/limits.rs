//! How many releases may move at once, and who is next.
//!
//! A release that has passed every other hold before its first batch asks for a place under each
//! limit that it falls under. It gets all of them at once or none, and those that wait form one
//! queue: emergencies first, then the one that was approved first, then the lower number. Nobody
//! overtakes anybody with whom they share a limit, so that nobody waits for ever; a release that is
//! paused, or that stands at another hold again, is not in the queue.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::charter::Charter;
use super::hold::{HoldKind, HoldState};
use super::ids::{EnvName, ReleaseId, ServiceName, Timestamp};
use super::plan::{Kind, Plan};
use super::release::{Phase, Release};
use super::state::State;

/// At most so many releases at once. Empty conditions fit everything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit {
    /// What people call it.
    pub name: Arc<str>,
    /// The environments it is about.
    pub environments: BTreeSet<EnvName>,
    /// The teams it is about: owners of services.
    pub teams: BTreeSet<Arc<str>>,
    /// The group of services it is about.
    pub services: BTreeSet<ServiceName>,
    /// What is counted by itself; all that it is about together without one.
    pub per: Option<Per>,
    /// How many releases may move at once; at least 1.
    pub at_most: u32,
    /// Whether a release keeps its place until its observation period is over.
    pub observing: bool,
}

/// What a limit counts by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Per {
    /// Each environment.
    Environment,
    /// Each team.
    Team,
}

/// A limit that a release falls under, and what is counted by itself there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    /// The limit.
    pub limit: &'a Limit,
    /// The environment or the team; empty where the limit counts all together.
    pub of: Arc<str>,
}

impl Place<'_> {
    /// `at most 2 at once (limit production)`.
    pub fn words(&self) -> String {
        let (n, name) = (self.limit.at_most, &self.limit.name);
        match self.of.is_empty() {
            true => format!("at most {n} at once (limit {name})"),
            false => format!("at most {n} at once of {} (limit {name})", self.of),
        }
    }
}

/// The limits that a plan falls under.
pub fn places<'a>(plan: &Plan, charter: &'a Charter) -> Vec<Place<'a>> {
    let mut found = Vec::new();
    for limit in &charter.limits {
        if !limit.environments.is_empty() && !limit.environments.contains(&plan.environment) {
            continue;
        }
        let changed = || plan.services.iter().map(|s| &s.service);
        if !limit.services.is_empty() && !changed().any(|s| limit.services.contains(s)) {
            continue;
        }
        let owners: BTreeSet<&Arc<str>> = changed()
            .filter_map(|s| charter.services.get(s))
            .map(|s| &s.owner)
            .filter(|owner| limit.teams.is_empty() || limit.teams.contains(*owner))
            .collect();
        if owners.is_empty() && !limit.teams.is_empty() {
            continue;
        }
        let place = |of: &str| Place {
            limit,
            of: of.into(),
        };
        match limit.per {
            None => found.push(place("")),
            Some(Per::Environment) => found.push(place(plan.environment.as_str())),
            Some(Per::Team) => found.extend(owners.into_iter().map(|owner| place(owner))),
        }
    }
    found
}

/// The releases that have a place, in the order of their numbers.
pub fn holders(state: &State, place: &Place<'_>) -> Vec<ReleaseId> {
    let counts = |release: &Release| match release.phase {
        Phase::Waiting => false,
        Phase::Rolling | Phase::RollingBack => true,
        Phase::Observing => place.limit.observing,
    };
    let live = state.live.values().filter(|r| counts(r));
    live.filter(|r| places(&r.plan, &state.charter).contains(place))
        .map(|r| r.id)
        .collect()
}

/// Whether a release stands in the queue.
pub fn queued(release: &Release) -> bool {
    release.phase == Phase::Waiting
        && release.paused.is_none()
        && release.hold().is_some_and(|h| h.kind == HoldKind::Queue)
}

/// The releases in the queue, the next one first.
pub fn queue(state: &State) -> Vec<&Release> {
    let ids = state.onlookers.iter();
    let waiting = ids.filter_map(|id| state.live.get(id));
    let mut queue: Vec<&Release> = waiting.map(|r| &**r).filter(|r| queued(r)).collect();
    queue.sort_by_key(|r| turn(r));
    queue
}

/// The order of the queue.
fn turn(release: &Release) -> (bool, Timestamp, ReleaseId) {
    let approved = release.approval().and_then(|hold| match hold.state {
        HoldState::Cleared { at, .. } => Some(at),
        _ => None,
    });
    (
        release.plan.kind != Kind::Emergency,
        approved.unwrap_or(release.submitted),
        release.id,
    )
}

/// Where a release stands in the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// Its position among those with whom it shares a limit; 1 is the next.
    pub position: usize,
    /// Who is right ahead: the one before it in the queue, else one that has the place.
    pub behind: ReleaseId,
    /// Which limit, in words.
    pub limit: String,
}

/// Where a release stands in the queue; `None` when every place it asks for is free and its own.
pub fn standing(state: &State, release: &Release) -> Option<Turn> {
    let places = places(&release.plan, &state.charter);
    let shared = |other: &Release| {
        let theirs = self::places(&other.plan, &state.charter);
        places.iter().find(|place| theirs.contains(place))
    };
    let queue = queue(state);
    let ahead: Vec<(ReleaseId, &Place<'_>)> = queue
        .iter()
        .filter(|other| other.id != release.id && turn(other) < turn(release))
        .filter_map(|other| Some((other.id, shared(other)?)))
        .collect();
    if let Some((behind, place)) = ahead.last() {
        return Some(Turn {
            position: ahead.len() + 1,
            behind: *behind,
            limit: place.words(),
        });
    }
    places.iter().find_map(|place| {
        let holders = holders(state, place);
        let full = holders.len() >= place.limit.at_most as usize;
        full.then(|| Turn {
            position: 1,
            behind: holders.first().copied().unwrap_or(release.id),
            limit: place.words(),
        })
    })
}

/// `1st`, `2nd`, `3rd`, `11th`.
pub fn ordinal(n: usize) -> String {
    let ending = match (n % 100, n % 10) {
        (11..=13, _) => "th",
        (_, 1) => "st",
        (_, 2) => "nd",
        (_, 3) => "rd",
        _ => "th",
    };
    format!("{n}{ending}")
}

#[cfg(test)]
mod tests {
    use super::ordinal;

    #[test]
    fn ordinals_read_as_people_say_them() {
        let said: Vec<String> = [1, 2, 3, 4, 11, 12, 13, 21, 22, 101, 111]
            .into_iter()
            .map(ordinal)
            .collect();
        assert_eq!(
            said.join(" "),
            "1st 2nd 3rd 4th 11th 12th 13th 21st 22nd 101st 111th"
        );
    }
}
