//! The order of the releases: by who has to act, the worst first, and still while somebody's
//! fingers are on the keys.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{NaiveTime, TimeZone};
use chrono_tz::Tz;

use crate::domain::plan::Kind;
use crate::domain::waiting::{Group, Waiting};
use crate::domain::{PersonName, Phase, Release, ReleaseId, Span, Timestamp};

use super::world::World;

/// How long after the last key rows stay where they are.
pub const PAUSE: Span = Span::secs(2);
/// How long a row that moved carries a mark.
const MARKED: Span = Span::secs(6);

/// A line of the releases screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Row {
    /// The heading of a group, with how many there are.
    Head(Group, usize),
    /// A release. Where one takes two lines, the second follows.
    Release(ReleaseId),
    /// The second line of the release above.
    Second(ReleaseId),
    /// The heading of what was closed today.
    ClosedHead(usize),
    /// A release that was closed today.
    Closed(ReleaseId),
}

/// Where a cursor can stand on the releases screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spot {
    /// On a release, wherever it goes.
    Release(ReleaseId),
    /// On the heading of what was closed today.
    ClosedHead,
}

impl Row {
    /// The spot of a row that a cursor can stand on.
    pub const fn spot(self) -> Option<Spot> {
        match self {
            Row::Release(id) | Row::Closed(id) => Some(Spot::Release(id)),
            Row::ClosedHead(_) => Some(Spot::ClosedHead),
            Row::Head(..) | Row::Second(_) => None,
        }
    }
}

/// Whether a row went up or down when it moved last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moved {
    /// Towards those that need somebody.
    Up,
    /// Away from them.
    Down,
}

/// The order of the releases for one person.
#[derive(Clone, Debug, Default)]
pub struct Order {
    places: Vec<(ReleaseId, Group)>,
    moved: BTreeMap<ReleaseId, (Moved, Timestamp)>,
    ranks: BTreeMap<ReleaseId, (Arc<Release>, Rank)>,
    closed: Vec<ReleaseId>,
    /// Of what `closed` was made: how many are closed, and when today began.
    closed_of: (usize, Timestamp),
}

/// What decides over a place: group, worst first, soonest first, then the number.
type Rank = (Group, u8, Timestamp);

impl Order {
    /// The releases in their places.
    pub fn places(&self) -> &[(ReleaseId, Group)] {
        &self.places
    }

    /// What was closed today, newest first.
    pub fn closed(&self) -> &[ReleaseId] {
        &self.closed
    }

    /// Those that need the person.
    pub fn needing(&self) -> BTreeSet<ReleaseId> {
        let needs =
            |(_, (_, rank)): &(&ReleaseId, &(Arc<Release>, Rank))| rank.0 == Group::NeedsYou;
        self.ranks.iter().filter(needs).map(|(id, _)| *id).collect()
    }

    /// Whether a row has just moved, and which way.
    pub fn moved(&self, id: ReleaseId, now: Timestamp) -> Option<Moved> {
        let (way, at) = self.moved.get(&id)?;
        (now.since(*at) < MARKED).then_some(*way)
    }

    /// Brings the order up to date. While `still`, rows stay where they are, also those of
    /// releases that have been closed meanwhile; new ones wait for the pause.
    pub fn settle(&mut self, world: World<'_>, who: Option<&PersonName>, zone: Tz, still: bool) {
        self.rank(world, who);
        self.close(world, zone);
        if still && !self.places.is_empty() {
            return;
        }
        let mut sorted: Vec<(Rank, ReleaseId)> = self
            .ranks
            .iter()
            .map(|(id, (_, rank))| (*rank, *id))
            .collect();
        sorted.sort_unstable();
        let before: BTreeMap<ReleaseId, Group> = self.places.iter().copied().collect();
        if !before.is_empty() {
            for ((group, ..), id) in &sorted {
                let way = match before.get(id) {
                    Some(old) if old == group => continue,
                    Some(old) if old < group => Moved::Down,
                    _ => Moved::Up,
                };
                self.moved.insert(*id, (way, world.now));
            }
        }
        self.moved
            .retain(|_, (_, at)| world.now.since(*at) < MARKED);
        self.places = sorted.into_iter().map(|((g, ..), id)| (id, g)).collect();
    }

    /// Ranks what changed. What does not move by itself is ranked again only when it changed.
    fn rank(&mut self, world: World<'_>, who: Option<&PersonName>) {
        let live = &world.state.live;
        self.ranks.retain(|id, _| live.contains_key(id));
        for (id, release) in live {
            let same = self
                .ranks
                .get(id)
                .is_some_and(|(old, _)| Arc::ptr_eq(old, release));
            if same && release.phase == Phase::Waiting {
                continue;
            }
            let waiting = world.waiting(release);
            let group = world.group(release, &waiting, who);
            let rank = (group, worse(release, &waiting), soonest(&waiting));
            self.ranks.insert(*id, (release.clone(), rank));
        }
    }

    fn close(&mut self, world: World<'_>, zone: Tz) {
        let of = (world.state.closed.len(), midnight(world.now, zone));
        if of == self.closed_of {
            return;
        }
        let mut today: Vec<(Timestamp, ReleaseId)> = world
            .state
            .closed
            .iter()
            .filter(|(_, s)| s.closed >= of.1)
            .map(|(id, s)| (s.closed, *id))
            .collect();
        today.sort_unstable();
        self.closed = today.into_iter().rev().map(|(_, id)| id).collect();
        self.closed_of = of;
    }
}

/// When the day began, where somebody sits.
fn midnight(now: Timestamp, zone: Tz) -> Timestamp {
    let begin = zone.timestamp_millis_opt(now.0).single().and_then(|t| {
        let start = t.date_naive().and_time(NaiveTime::MIN);
        zone.from_local_datetime(&start).earliest()
    });
    begin.map_or(now, |t| Timestamp(t.timestamp_millis()))
}

fn worse(release: &Release, waiting: &Waiting) -> u8 {
    match (release.phase, waiting.trouble) {
        (Phase::RollingBack, _) => 0,
        (_, true) => 1,
        _ if release.plan.kind == Kind::Emergency => 1,
        _ => 2,
    }
}

fn soonest(waiting: &Waiting) -> Timestamp {
    match (waiting.due, waiting.until) {
        (Some(due), Some(until)) => due.min(until),
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => Timestamp(i64::MAX),
    }
}
