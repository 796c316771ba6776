//! Exact differences of counters, pure.
//!
//! A counter only grows while its process lives, and begins anew with the next one. What happened
//! between two looks is therefore:
//!
//! - the difference, where the process is the same;
//! - the whole value, where the process began since the last look (its start time says so) or where
//!   the value fell;
//! - the whole value of a series that was not there at the last look: it was zero then;
//! - at the first look at an instance the whole value where its process was born after the moment
//!   from which it is to be counted, else nothing can be said.
//!
//! Nothing is extrapolated, so sums over looks are the true number of events, but for those between
//! the last look at a process and its end, which nobody saw.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::metrics_text::SeriesId;
use crate::domain::{InstanceName, MetricName};
use crate::judge::numeric::exact;

/// The side on which an instance stands at a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Arm {
    /// What ran before.
    Baseline,
    /// What is being released.
    Canary,
}

/// The largest whole number that a 64-bit float counts up to without gaps.
const MOST: f64 = 9_007_199_254_740_992.0;

/// How far a start time may seem to lie before the last look although it lies after it, in seconds:
/// what is left of the difference between two clocks.
const CLOCK_ERROR: f64 = 2.0;

/// The counters of one metric as one instance shows them now.
#[derive(Clone, Debug)]
pub struct Reading<'a> {
    /// The instance.
    pub instance: &'a InstanceName,
    /// The metric that they are read for.
    pub metric: &'a MetricName,
    /// Where the instance stands.
    pub arm: Arm,
    /// When its process began, where it tells.
    pub born: Option<Born>,
    /// Now, in seconds of the engine's clock.
    pub now: f64,
    /// From when a process that is seen for the first time is to be counted from zero, in seconds of
    /// the engine's clock.
    pub since: Option<f64>,
    /// The counters; each series once.
    pub values: Vec<(SeriesId, f64)>,
}

/// When a process began.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Born {
    /// As the instance says it, in seconds of its own clock; names the process.
    pub raw: f64,
    /// In seconds of the engine's clock; rather too early than too late.
    pub at: f64,
}

/// What grew by how much, or why it cannot be said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Grown {
    /// By this much, each series.
    By(Vec<(SeriesId, u64)>),
    /// This was the first look.
    First,
    /// It cannot be said, for this reason.
    Not(String),
}

/// The last values that were seen. Written down and read back they are the same to the last bit.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Counters {
    #[serde(with = "pairs")]
    known: HashMap<(InstanceName, MetricName), Known>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Known {
    arm: Arm,
    born: Option<Moment>,
    #[serde(with = "exact")]
    seen: f64,
    #[serde(with = "pairs")]
    values: HashMap<SeriesId, u64>,
}

/// A moment in seconds, to the last bit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Moment(#[serde(with = "exact")] f64);

/// Maps as lists of pairs, since their keys are no text.
pub(super) mod pairs {
    use std::collections::HashMap;
    use std::hash::Hash;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<K: Serialize, V: Serialize, S: Serializer>(
        map: &HashMap<K, V>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.collect_seq(map)
    }

    pub fn deserialize<'de, K, V, D>(from: D) -> Result<HashMap<K, V>, D::Error>
    where
        K: Deserialize<'de> + Eq + Hash,
        V: Deserialize<'de>,
        D: Deserializer<'de>,
    {
        let pairs = Vec::<(K, V)>::deserialize(from)?;
        Ok(pairs.into_iter().collect())
    }
}

impl Counters {
    /// What grew since the last look at this metric of this instance, and the look itself, to be
    /// [kept](Counters::keep) when it can be used. When it is not kept, or there is none, the next
    /// look covers its time as well.
    pub fn grown(&self, reading: Reading<'_>) -> (Grown, Option<Look>) {
        let values = match whole(&reading.values) {
            Ok(values) => values,
            Err(why) => return (Grown::Not(why), None),
        };
        let key = (reading.instance.clone(), reading.metric.clone());
        let (grown, same_process) = match self.known.get(&key) {
            None if born_since(&reading) => (Grown::By(values.clone()), false),
            None => (Grown::First, false),
            Some(known) => known.grown(&reading, &values),
        };
        let look = Look {
            key,
            same_process,
            known: Known {
                arm: reading.arm,
                born: reading.born.map(|born| Moment(born.raw)),
                seen: reading.now,
                values: values.into_iter().collect(),
            },
        };
        (grown, Some(look))
    }

    /// Makes a look the one that the next is compared with.
    pub fn keep(&mut self, look: Look) {
        let mut known = look.known;
        if look.same_process
            && let Some(before) = self.known.remove(&look.key)
        {
            // a series that is not shown for a while has not gone back to zero
            for (id, value) in before.values {
                known.values.entry(id).or_insert(value);
            }
        }
        self.known.insert(look.key, known);
    }
}

/// One look at one metric of one instance, not yet kept.
#[derive(Debug)]
pub struct Look {
    key: (InstanceName, MetricName),
    same_process: bool,
    known: Known,
}

impl Known {
    /// What grew, and whether the process may be the same, so that series that are not shown now
    /// are to be remembered.
    fn grown(&self, reading: &Reading<'_>, values: &[(SeriesId, u64)]) -> (Grown, bool) {
        let fell = |(id, value): &(SeriesId, u64)| self.values.get(id).is_some_and(|v| value < v);
        let fallen = values.iter().any(fell);
        let changed_sides = reading.arm != self.arm;
        if self.process_is_new(reading) || (changed_sides && fallen) {
            return (Grown::By(values.to_vec()), false);
        }
        if changed_sides && !self.process_is_the_same(reading) {
            let why = "it changed sides, and nothing shows whether its process is a new one";
            return (Grown::Not(why.to_string()), false);
        }
        if changed_sides {
            let why = "it changed sides without a new process; is its version what status says?";
            return (Grown::Not(why.to_string()), true);
        }
        let grow = |(id, value): &(SeriesId, u64)| {
            let before = self.values.get(id).copied().unwrap_or(0);
            // a value that fell began anew
            (id.clone(), value.checked_sub(before).unwrap_or(*value))
        };
        (Grown::By(values.iter().map(grow).collect()), true)
    }

    fn process_is_new(&self, reading: &Reading<'_>) -> bool {
        match (self.born, reading.born) {
            // some compute it from the clock, so it may creep; only what lies after the last look is new
            (Some(Moment(before)), Some(now)) => {
                now.raw != before && now.at > self.seen - CLOCK_ERROR
            }
            _ => false,
        }
    }

    fn process_is_the_same(&self, reading: &Reading<'_>) -> bool {
        matches!((self.born, reading.born), (Some(_), Some(_))) && !self.process_is_new(reading)
    }
}

fn born_since(reading: &Reading<'_>) -> bool {
    match (reading.born, reading.since) {
        (Some(born), Some(since)) => born.at >= since,
        _ => false,
    }
}

/// The values as whole numbers.
fn whole(values: &[(SeriesId, f64)]) -> Result<Vec<(SeriesId, u64)>, String> {
    let one = |(id, value): &(SeriesId, f64)| {
        let name = &id.name;
        if !value.is_finite() {
            Err(format!("{name} is {value}"))
        } else if *value < 0.0 || *value > MOST || value.fract() != 0.0 {
            Err(format!("{name} is {value}, which is no count"))
        } else {
            Ok((id.clone(), *value as u64))
        }
    };
    values.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(code: &str) -> SeriesId {
        SeriesId {
            name: "requests".into(),
            labels: vec![("code".into(), code.into())],
        }
    }

    /// One instance with a clock of its own.
    struct Story {
        counters: Counters,
        instance: InstanceName,
        metric: MetricName,
        now: f64,
    }

    impl Story {
        fn new() -> Story {
            Story {
                counters: Counters::default(),
                instance: "i-01".into(),
                metric: "errors".into(),
                now: 1000.0,
            }
        }

        fn reading(&self, arm: Arm, born: Option<f64>, values: &[(&str, f64)]) -> Reading<'_> {
            Reading {
                instance: &self.instance,
                metric: &self.metric,
                arm,
                born: born.map(|raw| Born { raw, at: raw }),
                now: self.now,
                since: Some(1000.0),
                values: values.iter().map(|(c, v)| (series(c), *v)).collect(),
            }
        }

        fn look(&mut self, arm: Arm, born: Option<f64>, values: &[(&str, f64)]) -> Grown {
            self.now += 10.0;
            let (grown, look) = self.counters.grown(self.reading(arm, born, values));
            if let Some(look) = look {
                self.counters.keep(look);
            }
            grown
        }

        fn base(&mut self, born: Option<f64>, values: &[(&str, f64)]) -> Grown {
            self.look(Arm::Baseline, born, values)
        }
    }

    fn by(values: &[(&str, u64)]) -> Grown {
        Grown::By(values.iter().map(|(c, v)| (series(c), *v)).collect())
    }

    #[test]
    fn differences_resets_and_late_series() {
        let mut it = Story::new();
        assert_eq!(it.base(None, &[("200", 100.0)]), Grown::First);
        assert_eq!(it.base(None, &[("200", 130.0)]), by(&[("200", 30)]));
        // the first error makes its series
        let grown = it.base(None, &[("200", 150.0), ("500", 3.0)]);
        assert_eq!(grown, by(&[("200", 20), ("500", 3)]));
        // a new process
        assert_eq!(it.base(None, &[("200", 7.0)]), by(&[("200", 7)]));
        // a series that was forgotten for a while is no new one
        let grown = it.base(None, &[("200", 8.0), ("500", 4.0)]);
        assert_eq!(grown, by(&[("200", 1), ("500", 1)]));
    }

    #[test]
    fn a_start_time_shows_a_restart_that_the_values_hide() {
        let mut it = Story::new();
        assert_eq!(it.base(Some(500.0), &[("200", 10.0)]), Grown::First);
        let later = it.now + 5.0;
        assert_eq!(it.base(Some(later), &[("200", 40.0)]), by(&[("200", 40)]));
        assert_eq!(it.base(Some(later), &[("200", 41.0)]), by(&[("200", 1)]));
    }

    #[test]
    fn a_start_time_that_creeps_is_no_restart() {
        let mut it = Story::new();
        assert_eq!(it.base(Some(500.0), &[("200", 10.0)]), Grown::First);
        assert_eq!(it.base(Some(501.0), &[("200", 40.0)]), by(&[("200", 30)]));
        assert_eq!(it.base(Some(499.5), &[("200", 50.0)]), by(&[("200", 10)]));
    }

    #[test]
    fn born_since_the_beginning_counts_whole() {
        let mut it = Story::new();
        let born = Some(1001.0);
        assert_eq!(it.base(born, &[("200", 40.0)]), by(&[("200", 40)]));
        assert_eq!(it.base(born, &[("200", 41.0)]), by(&[("200", 1)]));
    }

    #[test]
    fn what_is_no_count_is_skipped_and_made_up_for() {
        let mut it = Story::new();
        it.base(None, &[("200", 10.0)]);
        for bad in [f64::NAN, f64::INFINITY, -1.0, 0.5, 1e17] {
            let grown = it.base(None, &[("200", bad)]);
            assert!(matches!(grown, Grown::Not(_)), "{bad}: {grown:?}");
        }
        assert_eq!(it.base(None, &[("200", 25.0)]), by(&[("200", 15)]));
    }

    #[test]
    fn a_restart_during_a_skipped_look_is_still_seen() {
        let mut it = Story::new();
        it.base(Some(500.0), &[("200", 10.0)]);
        let later = it.now + 5.0;
        assert!(matches!(
            it.base(Some(later), &[("200", f64::NAN)]),
            Grown::Not(_)
        ));
        assert_eq!(it.base(Some(later), &[("200", 30.0)]), by(&[("200", 30)]));
    }

    #[test]
    fn who_changes_sides_takes_nothing_along() {
        let mut it = Story::new();
        it.base(Some(500.0), &[("200", 10.0)]);
        let grown = it.look(Arm::Canary, Some(500.0), &[("200", 20.0)]);
        assert!(
            matches!(grown, Grown::Not(_)),
            "the process is the old one: {grown:?}"
        );
        let later = it.now + 5.0;
        let grown = it.look(Arm::Canary, Some(later), &[("200", 30.0)]);
        assert_eq!(grown, by(&[("200", 30)]));

        let mut it = Story::new();
        it.base(None, &[("200", 10.0)]);
        let grown = it.look(Arm::Canary, None, &[("200", 20.0)]);
        assert!(matches!(grown, Grown::Not(_)), "nobody knows: {grown:?}");
        let grown = it.look(Arm::Canary, None, &[("200", 21.0)]);
        assert_eq!(grown, by(&[("200", 1)]));
        let grown = it.base(None, &[("200", 2.0)]);
        assert_eq!(grown, by(&[("200", 2)]), "it fell, so the process is new");
    }

    #[test]
    fn a_look_that_is_not_kept_is_made_up_for() {
        let mut it = Story::new();
        it.base(None, &[("200", 10.0)]);
        let reading = it.reading(Arm::Baseline, None, &[("200", 20.0)]);
        assert_eq!(it.counters.grown(reading).0, by(&[("200", 10)]));
        assert_eq!(it.base(None, &[("200", 30.0)]), by(&[("200", 20)]));
    }

    #[test]
    fn what_is_written_down_goes_on_where_it_was() {
        let mut it = Story::new();
        it.base(Some(1000.1 + 0.2), &[("200", 10.0), ("500", 1.0)]);
        it.base(Some(1000.1 + 0.2), &[("200", 15.0)]);
        let text = serde_json::to_string(&it.counters).unwrap();
        let read: Counters = serde_json::from_str(&text).unwrap();
        assert_eq!(read, it.counters);
        it.counters = read;
        let grown = it.base(Some(1000.1 + 0.2), &[("200", 19.0), ("500", 3.0)]);
        assert_eq!(grown, by(&[("200", 4), ("500", 2)]));
    }

    #[test]
    fn sums_over_any_looks_are_the_true_number() {
        use proptest::prelude::*;
        // events, restarts (each right after a look, so that nothing is lost), looks
        let steps = prop::collection::vec((0_u8..3, 1_u64..50), 1..60);
        proptest!(|(steps in steps)| {
            let mut it = Story::new();
            let (mut value, mut born) = (0_u64, 900.0);
            it.base(Some(born), &[("200", 0.0)]);
            let (mut truth, mut sum) = (0, 0);
            for (kind, n) in steps {
                if kind == 0 {
                    value = 0;
                    born = it.now + 1.0;
                } else {
                    value += n;
                    truth += n;
                }
                match it.base(Some(born), &[("200", value as f64)]) {
                    Grown::By(grown) => sum += grown[0].1,
                    other => prop_assert!(false, "{other:?}"),
                }
            }
            prop_assert_eq!(sum, truth);
        });
    }
}
