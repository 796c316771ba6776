//! What counters added between two looks: differences of raw values, never an extrapolated rate.
//!
//! Per series: a smaller value than before is a restart, and the value itself was added; one seen for
//! the first time adds nothing, unless its instance was born after the rollout began: then all of it; an
//! absent or unreadable one is passed over until it comes back. Without a single usable pair, the look
//! is missing, not zero. (The holdpoint judge, section 6.)

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::numeric::exact;

/// The counters of one arm.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Deltas {
    last: BTreeMap<String, Last>,
    resets: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Last(#[serde(with = "exact")] f64);

impl Deltas {
    /// What all series added since the look before; `None` where there is no pair to compare.
    /// `born` says whether a series' instance was born after the rollout began.
    pub fn step<'a>(
        &mut self,
        samples: impl IntoIterator<Item = (&'a str, f64)>,
        born: impl Fn(&str) -> bool,
    ) -> Option<f64> {
        let mut added = None;
        for (name, value) in samples {
            if !value.is_finite() || value < 0.0 {
                continue;
            }
            let increment = match self.last.get_mut(name) {
                Some(Last(last)) => {
                    let increment = if value < *last {
                        self.resets = self.resets.saturating_add(1);
                        value
                    } else {
                        value - *last
                    };
                    *last = value;
                    increment
                }
                None => {
                    self.last.insert(name.to_owned(), Last(value));
                    if !born(name) {
                        continue;
                    }
                    value
                }
            };
            *added.get_or_insert(0.0) += increment;
        }
        added
    }

    /// How often a counter began anew so far.
    pub fn resets(&self) -> u64 {
        self.resets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        /// However often somebody looks in between, the sum of what is added is the same.
        #[test]
        fn more_looks_add_up_to_the_same(
            steps in proptest::collection::vec((0u32..1000, proptest::bool::ANY), 2..40)
        ) {
            let mut value = 0.0;
            let (mut fine, mut coarse) = (Deltas::default(), Deltas::default());
            let first = [("a", value)];
            fine.step(first, |_| false);
            coarse.step(first, |_| false);
            let (mut of_fine, mut of_coarse) = (0.0, 0.0);
            let last = steps.len() - 1;
            for (n, (add, look)) in steps.into_iter().enumerate() {
                value += f64::from(add);
                of_fine += fine.step([("a", value)], |_| false).unwrap_or(0.0);
                if look || n == last {
                    of_coarse += coarse.step([("a", value)], |_| false).unwrap_or(0.0);
                }
            }
            proptest::prop_assert_eq!(of_fine, of_coarse);
            proptest::prop_assert_eq!(of_fine, value);
        }
    }

    #[test]
    fn nothing_to_compare_is_missing_not_zero() {
        let mut deltas = Deltas::default();
        assert_eq!(deltas.step([("a", 5.0)], |_| false), None);
        assert_eq!(deltas.step([("a", f64::NAN)], |_| false), None);
        assert_eq!(deltas.step([("a", 5.0)], |_| false), Some(0.0));
        assert_eq!(
            deltas.step([("b", 4.0), ("a", 3.0)], |name| name == "b"),
            Some(7.0)
        );
        assert_eq!(deltas.resets(), 1);
    }
}
