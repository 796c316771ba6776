//! What the calendar screen shows: a span of days, in lanes or as a list, and a cursor in it.

use std::sync::Arc;

use chrono::{Days, NaiveTime};
use chrono_tz::Tz;

use crate::domain::calendar::{
    Conflict, Item, ItemKind, Lane, LanesBy, Slot, clock, conflicts, lanes, next_slot, opens_at,
};
use crate::domain::{ReleaseId, Span, Timestamp};

use super::world::World;

/// How many days can be shown at a time.
const DAYS: [u64; 5] = [1, 3, 7, 14, 28];

/// How old what is shown may be: recurrences and conflicts are not reckoned for every event.
const FRESH: Span = Span::secs(1);

/// In which form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// Lanes along time.
    #[default]
    Lanes,
    /// A list in the order of time.
    Agenda,
}

/// Something that a cursor can stand on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The lanes in which it stands; in the form of lanes only one.
    pub lanes: Vec<Arc<str>>,
    /// The zone of the first of them, where it has one.
    pub zone: Option<Arc<str>>,
    /// What it is.
    pub item: Item,
}

/// What the calendar screen shows.
#[derive(Clone, Debug)]
pub struct Page {
    /// Its form.
    pub form: Form,
    /// What a lane is.
    pub by: LanesBy,
    /// How many days, as a place in [`DAYS`].
    days: usize,
    /// How many days the first one lies behind today; negative before it.
    ahead: i64,
    /// From when it shows.
    pub from: Timestamp,
    /// Until when.
    pub to: Timestamp,
    /// The lanes with all that stands in them.
    pub lanes: Vec<Lane>,
    /// The conflicts among all open releases.
    pub conflicts: Vec<Conflict>,
    /// Everything in the order in which the cursor walks.
    pub entries: Vec<Entry>,
    /// Where the cursor is.
    at: usize,
    /// When it was read last.
    read: Timestamp,
    /// The release to which the cursor goes once it stands on the page.
    wanted: Option<ReleaseId>,
    /// The next free slot of the release under the cursor.
    pub slot: Option<(ReleaseId, Option<Slot>)>,
}

impl Default for Page {
    fn default() -> Page {
        Page {
            form: Form::Lanes,
            by: LanesBy::Environment,
            days: 2,
            ahead: 0,
            from: Timestamp(0),
            to: Timestamp(0),
            lanes: Vec::new(),
            conflicts: Vec::new(),
            entries: Vec::new(),
            at: 0,
            read: Timestamp(0),
            wanted: None,
            slot: None,
        }
    }
}

impl Page {
    /// How many days it shows.
    pub const fn days(&self) -> u64 {
        DAYS[self.days]
    }

    /// What is under the cursor.
    pub fn entry(&self) -> Option<&Entry> {
        self.entries.get(self.at)
    }

    /// Where the cursor is among the entries.
    pub const fn at(&self) -> usize {
        self.at
    }

    /// The release under the cursor.
    pub fn release(&self) -> Option<ReleaseId> {
        self.entry()?.item.release
    }

    /// Puts the cursor on an entry.
    pub fn put(&mut self, at: usize) {
        self.at = at.min(self.entries.len().saturating_sub(1));
    }

    /// The other form.
    pub fn turn(&mut self) {
        self.form = match self.form {
            Form::Lanes => Form::Agenda,
            Form::Agenda => Form::Lanes,
        };
    }

    /// The other kind of lane.
    pub fn other_lanes(&mut self) {
        self.by = match self.by {
            LanesBy::Environment => LanesBy::Service,
            LanesBy::Service => LanesBy::Environment,
        };
    }

    /// More or fewer days.
    pub fn zoom(&mut self, more: bool) {
        self.days = match more {
            true => (self.days + 1).min(DAYS.len() - 1),
            false => self.days.saturating_sub(1),
        };
    }

    /// On by as much as is shown, or back; a week goes on by a week.
    pub fn go(&mut self, later: bool) {
        let step = i64::try_from(self.days()).unwrap_or(1);
        let step = if later { step } else { -step };
        self.ahead = (self.ahead + step).clamp(-3650, 3650);
    }

    /// Back to today.
    pub const fn today(&mut self) {
        self.ahead = 0;
    }

    /// To the conflict after the one that the cursor is in; from the last one to the first. Says
    /// whether there is one.
    pub fn next_conflict(&mut self, now: Timestamp, zone: Tz) -> bool {
        let here = self.release();
        let at = self
            .conflicts
            .iter()
            .position(|c| here.is_some_and(|id| c.releases.contains(&id)));
        let next = at.map_or(0, |at| (at + 1) % self.conflicts.len().max(1));
        let Some(conflict) = self.conflicts.get(next) else {
            return false;
        };
        self.wanted = conflict.releases.first().copied();
        if let Some(when) = conflict.when {
            self.ahead = days_to(when.start.max(now), now, zone);
        }
        true
    }

    /// To the next free slot of the release under the cursor.
    pub fn to_slot(&mut self, now: Timestamp, zone: Tz) -> Option<Slot> {
        let (_, slot) = self.slot?;
        self.ahead = days_to(slot?.from, now, zone);
        slot
    }

    /// Reads the calendar anew where what it shows is older than [`FRESH`].
    pub fn refresh(&mut self, world: World<'_>, zone: Tz) {
        if world.now.since(self.read) >= FRESH {
            self.settle(world, zone);
        }
    }

    /// Reads the calendar anew, and keeps the cursor on what it was on.
    pub fn settle(&mut self, world: World<'_>, zone: Tz) {
        self.read = world.now;
        let today = clock(zone, world.now).date();
        let first = match u64::try_from(self.ahead) {
            Ok(days) => today.checked_add_days(Days::new(days)),
            Err(_) => today.checked_sub_days(Days::new(self.ahead.unsigned_abs())),
        }
        .unwrap_or(today);
        let last = first
            .checked_add_days(Days::new(self.days()))
            .unwrap_or(first);
        self.from = opens_at(zone, first.and_time(NaiveTime::MIN));
        self.to = opens_at(zone, last.and_time(NaiveTime::MIN));
        let was = self.entry().cloned();
        self.lanes = lanes(world.state, self.by, self.from, self.to);
        self.conflicts = conflicts(world.state, world.now);
        self.entries = match self.form {
            Form::Lanes => along_lanes(&self.lanes),
            Form::Agenda => along_time(&self.lanes, world.now),
        };
        let same = |e: &Entry, was: &Entry| {
            let name = e.item.kind == was.item.kind && e.item.name == was.item.name;
            name && (e.item.release.is_some() || e.item.start == was.item.start)
        };
        let wanted = self.wanted.take();
        let wanted = wanted.and_then(|id| {
            let on = |e: &Entry| e.item.release == Some(id);
            self.entries.iter().position(on)
        });
        let kept = was.and_then(|was| {
            let exact = |e: &Entry| same(e, &was) && e.lanes == was.lanes;
            let entries = &self.entries;
            let found = entries.iter().position(exact);
            found.or_else(|| entries.iter().position(|e| same(e, &was)))
        });
        match wanted.or(kept) {
            Some(at) => self.at = at,
            None => self.put(self.at),
        }
        self.slot = self.release().and_then(|id| {
            let release = world.release(id)?;
            let waits = release.touched().next().is_none();
            waits.then(|| (id, next_slot(world.state, release, world.now)))
        });
    }
}

/// How many days a moment lies behind today on the clocks of a zone.
fn days_to(at: Timestamp, now: Timestamp, zone: Tz) -> i64 {
    (clock(zone, at).date() - clock(zone, now).date()).num_days()
}

fn entry(lane: &Lane, item: &Item) -> Entry {
    Entry {
        lanes: vec![lane.name.clone()],
        zone: lane.zone.clone(),
        item: item.clone(),
    }
}

fn along_lanes(lanes: &[Lane]) -> Vec<Entry> {
    let mut found = Vec::new();
    for lane in lanes {
        let mut here: Vec<Entry> = lane.items.iter().map(|item| entry(lane, item)).collect();
        here.sort_by_key(|e| (e.item.start, e.item.kind));
        found.extend(here);
    }
    found
}

/// Everything once, in the order of time; what has no time yet comes now.
fn along_time(lanes: &[Lane], now: Timestamp) -> Vec<Entry> {
    let mut found: Vec<Entry> = Vec::new();
    for lane in lanes {
        for item in &lane.items {
            let same = |e: &&mut Entry| e.item == *item;
            match found.iter_mut().find(same) {
                Some(known) => known.lanes.push(lane.name.clone()),
                None => found.push(entry(lane, item)),
            }
        }
    }
    found.sort_by_key(|e| {
        (
            e.item.start.unwrap_or(now),
            e.item.kind,
            e.item.name.clone(),
        )
    });
    found
}

/// The word for a kind of item.
pub const fn word(kind: ItemKind) -> &'static str {
    match kind {
        ItemKind::Window => "window",
        ItemKind::Freeze => "freeze",
        ItemKind::Exemption => "exemption",
        ItemKind::Lockdown => "LOCKDOWN",
        ItemKind::Release => "release",
    }
}
