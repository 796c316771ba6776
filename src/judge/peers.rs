//! Do the old instances agree among themselves? If one of them looks as bad as the canary, a
//! rollback would blame the release for what instances do anyway.
//!
//! Up to 19 baseline instances are judged, each as if it were the canary, against the rest. A
//! rollback needs evidence of at least the largest value that any of them ever reached. (The holdpoint
//! judge, section 6.)

use serde::{Deserialize, Serialize};

use super::counts::Counts;
use super::evidence::{Regression, Settings};
use super::numeric::exact;

/// How many instances are judged.
pub const MOST: usize = 19;
/// A peer above this shows that instances disagree.
const DISAGREE: f64 = 100.0;

/// The evidence against the old instances.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Peers {
    each: Vec<Regression>,
    #[serde(with = "exact")]
    ln_most: f64,
}

impl Peers {
    /// No look yet; `count` instances, always in the same order. Fewer than two cannot be compared.
    pub fn new(count: usize, settings: Settings) -> Peers {
        let judged = if count < 2 { 0 } else { count.min(MOST) };
        Peers {
            each: vec![Regression::new(settings); judged],
            ln_most: f64::NEG_INFINITY,
        }
    }

    /// Takes in a look: requests and bad ones of every baseline instance, `None` for one that gave none.
    pub fn feed(&mut self, instances: &[Option<(f64, f64)>]) {
        let seen = instances.iter().flatten();
        let all = seen.fold((0.0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        for (process, own) in self.each.iter_mut().zip(instances) {
            let Some((n, k)) = *own else {
                continue;
            };
            process.feed(&[Counts {
                n1: n,
                k1: k,
                n0: all.0 - n,
                k0: all.1 - k,
            }]);
            self.ln_most = self.ln_most.max(process.ln_e());
        }
    }

    /// The largest evidence that any of them ever reached; `None` where none was judged.
    pub fn most(&self) -> Option<f64> {
        (self.ln_most > f64::NEG_INFINITY).then(|| self.ln_most.exp())
    }

    /// Whether one of them was above 100: the service's instances disagree.
    pub fn disagree(&self) -> bool {
        self.most().is_some_and(|most| most >= DISAGREE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_old_instance_raises_the_bar() {
        let mut peers = Peers::new(4, Settings::default());
        assert_eq!(peers.most(), None);
        for _ in 0..30 {
            let good = Some((1000.0, 5.0));
            peers.feed(&[good, Some((1000.0, 40.0)), good, None]);
        }
        assert!(peers.disagree(), "{:?}", peers.most());
        assert_eq!(Peers::new(1, Settings::default()).most(), None);
    }
}
