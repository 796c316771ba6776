//! Releases that would wait for each other for ever.

use std::collections::BTreeMap;

use super::{needs, providers, standing};
use crate::domain::ids::ReleaseId;
use crate::domain::release::Phase;
use crate::domain::state::State;

/// The circle in which a release waits for itself, the release that closes it first and last:
/// `R-1`, `R-4`, `R-1`. `None` when nobody would wait for ever.
///
/// A need that several open releases could meet waits for ever only if each of them does; one that
/// no open release could meet may still be met by one to come.
pub fn circle(state: &State, of: ReleaseId) -> Option<Vec<ReleaseId>> {
    let open = open_needs(state, of);
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

/// The open releases that could meet each need that a release waits for; the same for each of
/// these, and so on.
fn open_needs(state: &State, of: ReleaseId) -> BTreeMap<ReleaseId, Vec<Vec<ReleaseId>>> {
    let mut found = BTreeMap::new();
    let mut ahead = vec![of];
    while let Some(id) = ahead.pop() {
        let release = state.live.get(&id).filter(|r| r.phase == Phase::Waiting);
        let Some(release) = release.filter(|_| !found.contains_key(&id)) else {
            continue;
        };
        let unmet = needs(release)
            .iter()
            .filter(|need| standing(state, release, need).is_some());
        let helpers: Vec<Vec<ReleaseId>> =
            unmet.map(|need| providers(state, release, need)).collect();
        ahead.extend(helpers.iter().flatten());
        found.insert(id, helpers);
    }
    found
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
