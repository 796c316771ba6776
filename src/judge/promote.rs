//! Proof that the canary is good enough: non-inferiority, for promotion before its time.
//!
//! The count engine downwards with the margin `1.5 x + 0.001`, no restarts, one fresh process per
//! traffic step, and clusters of `phi = max(3, measured)`; with `phi = 1` bursts would give a third of
//! false promotions. No method can rule out rare giant bursts it has not seen: keep a minimum time.
//! (The holdpoint judge, section 6.)

use serde::{Deserialize, Serialize};

use super::count::Direction;
use super::counts::{Counts, Line, Tolerance, total};
use super::dispersion::Dispersion;
use super::evidence::{CountEvidence, Settings};
use super::mixture::Stakes;

/// The default margin: 1.5 x + 0.1 percentage points.
pub const MARGIN: Line = Line {
    rho: 1.5,
    delta: 0.001,
};
/// The least cluster size that is reckoned with.
const LEAST_PHI: f64 = 3.0;

/// The evidence that the canary is within the margin, over one rollout.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Promotion {
    margin: Tolerance,
    evidence: CountEvidence,
    clusters: Dispersion,
}

impl Promotion {
    /// No look yet.
    pub fn new(margin: Tolerance) -> Promotion {
        Promotion {
            margin,
            evidence: fresh(margin),
            clusters: Dispersion::default(),
        }
    }

    /// Begins anew at another share of traffic. What is known of clusters stays.
    pub fn next_step(&mut self) {
        self.evidence = fresh(self.margin);
    }

    /// Takes in a look.
    pub fn feed(&mut self, strata: &[Counts]) {
        self.evidence.feed(strata, self.phi(), f64::INFINITY);
        self.clusters.take(total(strata));
    }

    /// The cluster size that the next look is judged with.
    pub fn phi(&self) -> f64 {
        self.clusters.phi().max(LEAST_PHI)
    }

    /// `ln E`.
    pub fn ln_e(&self) -> f64 {
        self.evidence.ln_e()
    }
}

fn fresh(margin: Tolerance) -> CountEvidence {
    let settings = Settings {
        tolerance: margin,
        stakes: Stakes::at_once(),
        ..Settings::default()
    };
    CountEvidence::new(settings, Direction::Down)
}
