//! Releases that would wait for each other for ever.

use std::collections::BTreeMap;

use super::{Need, needs, providers, standing};
use crate::domain::ids::ReleaseId;
use crate::domain::release::{Phase, Release};
use crate::domain::state::State;

/// The circle in which a release waits for itself, the release that closes it first and last:
/// `R-1`, `R-4`, `R-1`. `None` when nobody would wait for ever.
///
/// A need that several open releases could meet waits for ever only if each of them does; one that
/// no open release could meet may still be met by one to come.
pub fn circle(state: &State, of: ReleaseId) -> Option<Vec<ReleaseId>> {
    let open = open_needs(state);
    let mut stuck: Vec<ReleaseId> = open.keys().copied().collect();
    loop {
        let before = stuck.len();
        let all = stuck.clone();
        stuck.retain(|id| blocked(&open, &all, *id).is_some());
        if stuck.len() == before {
            break;
        }
    }
    if !stuck.contains(&of) {
        return None;
    }
    let mut way = vec![of];
    let mut at = of;
    loop {
        at = blocked(&open, &stuck, at)?;
        if let Some(first) = way.iter().position(|id| *id == at) {
            let mut round = way.split_off(first);
            round.push(at);
            return Some(round);
        }
        way.push(at);
    }
}

/// `R-1 -> R-4 -> R-1`.
pub fn spelled(circle: &[ReleaseId]) -> String {
    let ids: Vec<String> = circle.iter().map(ToString::to_string).collect();
    ids.join(" -> ")
}

/// For each release that waits, the open releases that could meet each of its needs.
fn open_needs(state: &State) -> BTreeMap<ReleaseId, Vec<Vec<ReleaseId>>> {
    let unmet = |release: &Release| {
        let open = |need: &&Need| standing(state, release, need).is_some();
        let each = needs(release).iter().filter(open);
        each.map(|need| providers(state, release, need)).collect()
    };
    state
        .live
        .values()
        .filter(|r| r.phase == Phase::Waiting && !needs(r).is_empty())
        .map(|r| (r.id, unmet(r)))
        .collect()
}

/// The release on which another waits in vain, if all that could help it are among `stuck`.
fn blocked(
    open: &BTreeMap<ReleaseId, Vec<Vec<ReleaseId>>>,
    stuck: &[ReleaseId],
    id: ReleaseId,
) -> Option<ReleaseId> {
    let vain = |helpers: &&Vec<ReleaseId>| {
        !helpers.is_empty() && helpers.iter().all(|helper| stuck.contains(helper))
    };
    let helpers = open.get(&id)?.iter().find(vain)?;
    helpers.first().copied()
}
