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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::Sample;
    use crate::platform::metrics_text::SeriesId;
    use crate::platform::prometheus::answer::Line;
    use crate::platform::prometheus::assemble::Found;
    use crate::platform::scrape::{MetricLook, MetricQuery, QueryKind};
    use crate::platform::selector::Selector;

    const STEP: i64 = 1000;

    /// A store; instance `a` is the canary, all others are what ran before. Everybody counts ten
    /// requests a second, the canary twenty, from zero on.
    #[derive(Default)]
    struct Story {
        memory: Memory,
        /// Who was scraped when.
        scraped: BTreeMap<&'static str, Vec<i64>>,
        to: i64,
        /// Whether instances are selected by name.
        by_instance: bool,
        unread: [bool; 2],
        sums: [u64; 2],
    }

    impl Story {
        fn query() -> MetricQuery {
            MetricQuery {
                name: "errors".into(),
                kind: QueryKind::Ratio {
                    bad: Selector::parse("requests").unwrap(),
                    total: Selector::parse("requests").unwrap(),
                },
            }
        }

        fn lines(&self, from: i64) -> [Vec<Line>; 2] {
            let mut sides = [Vec::new(), Vec::new()];
            for (instance, scraped) in &self.scraped {
                let rate = if *instance == "a" { 20 } else { 10 };
                let in_reach = scraped.iter().filter(|at| (from..=self.to).contains(at));
                let points: Vec<_> = in_reach
                    .map(|at| (*at, (at / 1000 * rate) as f64))
                    .collect();
                let id = SeriesId {
                    name: "requests".into(),
                    labels: vec![("instance".into(), (*instance).into())],
                };
                if !points.is_empty() {
                    sides[usize::from(*instance != "a")].push(Line {
                        id,
                        points,
                        histograms: Vec::new(),
                    });
                }
            }
            sides
        }

        /// A scrape of these, and a look at once.
        fn next(&mut self, scraped: &[&'static str]) -> Option<[Sample; 2]> {
            self.to += STEP;
            for instance in scraped {
                self.scraped.entry(instance).or_default().push(self.to);
            }
            let look = self.look()?;
            let samples = [look.canary, look.baseline];
            for (sum, sample) in self.sums.iter_mut().zip(&samples) {
                if let Sample::Ratio { total, .. } = sample {
                    *sum += total;
                }
            }
            Some(samples)
        }

        fn look(&mut self) -> Option<MetricLook> {
            let query = Story::query();
            let reach = self.memory.reach(&query.name, self.to, STEP);
            let task = Task {
                query: &query,
                reach,
                since: None,
                attribution: match self.by_instance {
                    true => Attribution::ByInstance(0),
                    false => Attribution::BySeries,
                },
                born: &[],
                whole: self.unread == [false, false],
            };
            let lines = self.lines(reach.from);
            let found = [0, 1].map(|n| match self.unread[n] {
                true => Err("it timed out".to_owned()),
                false => Ok(Found {
                    lines: lines[n].iter().collect(),
                    ages: Vec::new(),
                    asked: "requests".into(),
                }),
            });
            self.memory.take(&task, found)
        }

        fn restart(&mut self) {
            let text = serde_json::to_string(&self.memory).unwrap();
            self.memory = serde_json::from_str(&text).unwrap();
        }

        /// A few looks at everybody.
        fn begun(by_instance: bool) -> Story {
            let mut it = Story {
                to: 100 * STEP,
                by_instance,
                ..Story::default()
            };
            let first = it.next(&["a", "b", "c"]).unwrap();
            assert!(first.iter().all(|s| matches!(s, Sample::Missing { .. })));
            assert_eq!(it.next(&["a", "b", "c"]), Some(counted(20, 20)));
            it
        }
    }

    fn counted(canary: u64, baseline: u64) -> [Sample; 2] {
        [canary, baseline].map(|total| Sample::Ratio { bad: total, total })
    }

    #[track_caller]
    fn missing(look: Option<[Sample; 2]>, words: &str) {
        let look = look.unwrap();
        for sample in &look {
            let said = matches!(sample, Sample::Missing { why } if why.contains(words));
            assert!(said, "{words}: {look:?}");
        }
    }

    #[test]
    fn after_a_gap_both_sides_wait_until_all_are_back() {
        for by_instance in [false, true] {
            for restart in [false, true] {
                let mut it = Story::begun(by_instance);
                // a sample is fresh for one more scrape
                assert_eq!(it.next(&[]), None);
                for _ in 0..30 {
                    missing(it.next(&[]), "its newest sample was");
                }
                for back in [&["a"][..], &["a", "b"], &["a", "b"]] {
                    if restart {
                        it.restart();
                    }
                    missing(it.next(back), "to be scraped again");
                }
                // 35 seconds of both
                assert_eq!(it.next(&["a", "b", "c"]), Some(counted(700, 700)));
                assert_eq!(it.next(&["a", "b", "c"]), Some(counted(20, 20)));
            }
        }
    }

    #[test]
    fn who_never_returns_is_left_out_at_both_ends() {
        let mut it = Story::begun(false);
        assert_eq!(it.next(&["a", "b", "c"]), Some(counted(20, 20)));
        assert_eq!(it.next(&["a", "b"]), None, "c is between two scrapes");
        for _ in 0..PATIENCE {
            missing(it.next(&["a", "b"]), "waiting for c");
            it.restart();
        }
        assert_eq!(it.next(&["a", "b"]), Some(counted(120, 60)));
        for _ in 0..80 {
            assert_eq!(it.next(&["a", "b"]), Some(counted(20, 10)));
        }
        // it is back after all: what it grew by meanwhile is of another time
        assert_eq!(it.next(&["a", "b", "c"]), Some(counted(20, 10)));
        assert_eq!(it.next(&["a", "b", "c"]), Some(counted(20, 20)));
    }

    #[test]
    fn one_side_that_dies_does_not_stop_the_other_for_ever() {
        let mut it = Story::begun(false);
        assert_eq!(it.next(&["b", "c"]), None);
        for _ in 0..PATIENCE {
            missing(it.next(&["b", "c"]), "waiting for a");
        }
        let [canary, baseline] = it.next(&["b", "c"]).unwrap();
        assert!(matches!(canary, Sample::Missing { .. }), "{canary:?}");
        assert_eq!(baseline, counted(0, 120)[1]);
        let [canary, _] = it.next(&["a", "b", "c"]).unwrap();
        assert!(matches!(canary, Sample::Missing { .. }), "{canary:?}");
        assert_eq!(it.next(&["a", "b", "c"]), Some(counted(20, 20)));
    }

    #[test]
    fn what_one_side_could_not_say_is_made_up_for_on_both() {
        let mut it = Story::begun(false);
        it.unread = [true, false];
        for _ in 0..100 {
            missing(it.next(&["a", "b", "c"]), "timed out");
        }
        it.unread = [false, false];
        assert_eq!(it.next(&["a", "b", "c"]), Some(counted(2020, 2020)));
    }

    #[test]
    fn who_is_not_selected_any_more_is_not_waited_for() {
        let mut it = Story::begun(true);
        it.scraped.remove("c");
        assert_eq!(it.next(&["a", "b"]), Some(counted(20, 10)));
    }

    #[test]
    fn memory_of_before_is_read() {
        let old = r#"{"counters":[{"known":[]},{"known":[]}],"counted":[],"read":[],"on":[],"knows_bad":[]}"#;
        assert!(serde_json::from_str::<Memory>(old).is_ok());
    }

    #[test]
    fn any_gaps_leave_both_sides_of_the_same_time() {
        use proptest::prelude::*;
        // for how many scrapes somebody is away, and who
        let gaps = prop::collection::vec((0_usize..7, 1_usize..10), 1..20);
        proptest!(ProptestConfig::with_cases(200), |(gaps in gaps)| {
            let mut it = Story::begun(false);
            for (who, long) in gaps {
                let here: Vec<&'static str> = ["a", "b", "c"]
                    .into_iter()
                    .enumerate()
                    .filter(|(n, _)| (who + 1) & (1 << n) == 0)
                    .map(|(_, name)| name)
                    .collect();
                for long in (0..=long).rev() {
                    let scraped: &[_] = if long == 0 { &["a", "b", "c"] } else { &here };
                    let look = it.next(scraped);
                    if let Some([Sample::Ratio { total: a, .. }, Sample::Ratio { total: b, .. }]) = look {
                        // all three, or one of those that ran before
                        prop_assert!(a == b || a == 2 * b, "{a} and {b}");
                    }
                }
            }
        });
    }
}
