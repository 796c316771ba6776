//! Whether both sides can be counted over the same span of time, pure.
//!
//! A side is the sum of its instances, and an instance brings what it grew by between two of its
//! scrapes. Both sides are of the same time only where every instance that took part in the look
//! before was scraped at the end of this one as well. After a gap instances come back one after
//! another; to count those that are back would set a long time on one side against a short one on
//! the other. So a look waits for all, and what it waits for is made up for in one long look. Who
//! does not come back for long is left out, until it has been scraped at the beginning of a look
//! again.

use std::collections::BTreeMap;

use super::assemble::{ARMS, Attribution, Memory, Scrapes, Task};
use crate::domain::{InstanceName, Span};
use crate::platform::counters::Arm;

/// For how many scrapes a look waits for instances, once others are there. Half of the looks that
/// may be missing before a judge says that it has no data, so that one dead instance is not enough.
const PATIENCE: i64 = 4;

/// What one side shows, by instance; `None` where there is no such side.
pub(super) type All = Option<BTreeMap<InstanceName, Scrapes>>;

/// What can be counted.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ends {
    /// Both sides, over the same time.
    Met,
    /// Nothing yet: somebody is between two scrapes.
    Between,
    /// Nothing yet, for this reason.
    Waiting(String),
}

/// How one that took part before stands at the end of the span.
enum Standing {
    Scraped,
    Between,
    /// It may come back.
    Away,
    /// It is not of this side any more.
    Left,
}

impl Memory {
    /// Whether all who took part before can be counted to the end of the span; who left, and who was
    /// waited for in vain, takes no part from now on.
    pub(super) fn ends(&mut self, task: &Task<'_>, all: &[All; 2]) -> Ends {
        let (mut away, mut left, mut between) = (Vec::new(), Vec::new(), false);
        for (n, arm) in ARMS.into_iter().enumerate() {
            for (instance, counted) in self.members(task, n) {
                match standing(task, all, n, &instance, counted) {
                    Standing::Scraped => {}
                    Standing::Between => between = true,
                    Standing::Away => away.push((arm, instance, counted)),
                    Standing::Left => left.push((arm, instance, counted)),
                }
            }
        }
        let metric = &task.query.name;
        if let Some((_, instance, counted)) = away.first() {
            let mut newest = all.iter().flatten().flat_map(|side| side.values());
            if !newest.any(|scrapes| fresh(task, scrapes)) {
                // the store has nothing new of anybody: nobody is late yet
                self.waiting.remove(metric);
                return Ends::Waiting(none_fresh(task.reach.to - counted));
            }
            let since = *self.waiting.entry(metric.clone()).or_insert(task.reach.to);
            if task.reach.to - since < PATIENCE * task.reach.step {
                let others = match away.len() - 1 {
                    0 => String::new(),
                    n => format!(" and {n} more"),
                };
                return Ends::Waiting(format!(
                    "waiting for {instance}{others} to be scraped again"
                ));
            }
        }
        if between {
            return Ends::Between;
        }
        self.waiting.remove(metric);
        for (arm, instance, _) in away.into_iter().chain(left) {
            let side = usize::from(arm == Arm::Baseline);
            self.counted.remove(&Memory::key(task, side, &instance));
            self.away.insert((arm, instance, metric.clone()));
        }
        Ends::Met
    }

    /// Who took part in the last look at a metric on a side, and by which scrape, in order of name.
    fn members(&self, task: &Task<'_>, n: usize) -> BTreeMap<InstanceName, i64> {
        let place = Memory::place(task, n);
        let counted = self.counted.iter();
        let here = counted.filter(|((side, instance, metric), at)| {
            let of_side = match task.attribution {
                Attribution::BySeries => true,
                Attribution::ByInstance(_) => self
                    .on
                    .get(instance)
                    .is_some_and(|(arm, joined)| *arm == ARMS[n] && *at >= joined),
            };
            *side == place && *metric == task.query.name && of_side
        });
        here.map(|((_, instance, _), at)| (instance.clone(), *at))
            .collect()
    }
}

fn standing(
    task: &Task<'_>,
    all: &[All; 2],
    n: usize,
    instance: &InstanceName,
    counted: i64,
) -> Standing {
    let Some(side) = &all[n] else {
        return Standing::Left;
    };
    let newest = |side: &BTreeMap<InstanceName, Scrapes>| {
        let scrapes = side.get(instance)?;
        scrapes.keys().next_back().copied()
    };
    match newest(side) {
        Some(at) if task.reach.is_fresh(at) && at > counted => Standing::Scraped,
        Some(at) if task.reach.is_fresh(at) => Standing::Between,
        // what was counted is in the span, but is not selected any more
        None if counted >= task.reach.from => Standing::Left,
        at => {
            let other = all[1 - n].as_ref().and_then(newest);
            let moved = |other| task.reach.is_fresh(other) && at.is_none_or(|at| other > at);
            match other.is_some_and(moved) {
                true => Standing::Left,
                false => Standing::Away,
            }
        }
    }
}

/// Whether the newest of the scrapes speaks for the end of the span.
pub(super) fn fresh(task: &Task<'_>, scrapes: &Scrapes) -> bool {
    let newest = scrapes.keys().next_back();
    newest.is_some_and(|at| task.reach.is_fresh(*at))
}

/// Why there is nothing where the newest sample is too old.
pub(super) fn none_fresh(age: i64) -> String {
    let age = Span((age.max(0) as u64).div_ceil(1000) * 1000);
    format!("its newest sample was {age} old when it was read")
}
