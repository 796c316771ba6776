//! How Flagger counts checks, as hard limits here. (Read at Flagger `15bd6ad5`; the holdpoint judge,
//! section 5.)

use serde::{Deserialize, Serialize};

/// What a value may be; either end may be open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Range {
    /// The least.
    pub min: Option<f64>,
    /// The most.
    pub max: Option<f64>,
}

impl Range {
    /// Whether the value is there and within.
    pub fn holds(&self, value: Option<f64>) -> bool {
        let Some(value) = value.filter(|value| !value.is_nan()) else {
            return false;
        };
        self.min.is_none_or(|min| value >= min) && self.max.is_none_or(|max| value <= max)
    }
}

/// What a tick leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// The next weight.
    Advance,
    /// This weight for now.
    Halt,
    /// Back to what ran before.
    Rollback,
}

/// The checks that failed so far. They add up and are not forgiven.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checks {
    threshold: u64,
    failed: u64,
}

impl Checks {
    /// None yet; so many may fail, by default (0) one.
    pub fn new(threshold: u64) -> Checks {
        Checks {
            threshold: threshold.max(1),
            failed: 0,
        }
    }

    /// One tick: enough failed before rolls back, whatever is read now; else the first value outside
    /// its range counts, once.
    pub fn tick(&mut self, ranges: &[Range], values: &[Option<f64>]) -> Action {
        if self.failed >= self.threshold {
            return Action::Rollback;
        }
        let value = |index: usize| values.get(index).copied().flatten();
        let good = |(index, range): (usize, &Range)| range.holds(value(index));
        if ranges.iter().enumerate().all(good) {
            Action::Advance
        } else {
            self.failed += 1;
            Action::Halt
        }
    }
}
