//! What one look counted, and what the operator allows.

use serde::{Deserialize, Serialize};

use super::odds;

/// Requests and bad ones of both arms over the same time. Whole numbers, kept as floats because all
/// that follows is computed in floats; exact up to 2^53.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Counts {
    /// Requests of the canary.
    pub n1: f64,
    /// Bad ones among them, `<= n1`.
    pub k1: f64,
    /// Requests of the baseline.
    pub n0: f64,
    /// Bad ones among them, `<= n0`.
    pub k0: f64,
}

impl Counts {
    /// Counts in the order canary requests, canary bad, baseline requests, baseline bad.
    pub fn new(n1: u64, k1: u64, n0: u64, k0: u64) -> Counts {
        Counts {
            n1: n1 as f64,
            k1: k1 as f64,
            n0: n0 as f64,
            k0: k0 as f64,
        }
    }

    /// Both arms' counts together with those of another time or stratum.
    #[must_use]
    pub fn plus(self, other: Counts) -> Counts {
        Counts {
            n1: self.n1 + other.n1,
            k1: self.k1 + other.k1,
            n0: self.n0 + other.n0,
            k0: self.k0 + other.k0,
        }
    }

    /// The same seen from the other side, to ask whether the canary is lower.
    #[must_use]
    pub fn swapped(self) -> Counts {
        Counts {
            n1: self.n0,
            k1: self.k0,
            n0: self.n1,
            k0: self.k1,
        }
    }

    /// What is wrong with these numbers, if anything is.
    pub fn flaw(&self) -> Option<&'static str> {
        let all = [self.n1, self.k1, self.n0, self.k0];
        if all.iter().any(|count| !count.is_finite()) {
            Some("a count is not a number")
        } else if all.iter().any(|count| *count < 0.0) {
            Some("a count is negative")
        } else if self.k1 > self.n1 {
            Some("more bad requests than requests in the canary")
        } else if self.k0 > self.n0 {
            Some("more bad requests than requests in the baseline")
        } else {
            None
        }
    }
}

/// All strata of one look together.
pub fn total(strata: &[Counts]) -> Counts {
    strata
        .iter()
        .fold(Counts::default(), |sum, one| sum.plus(*one))
}

/// The straight null of one look: the canary's bad fraction is at most `rho * p0 + delta`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// The allowed odds ratio, near 0 the allowed ratio of rates; 0 for a limit without baseline.
    pub rho: f64,
    /// What is allowed on top, as a fraction of requests.
    pub delta: f64,
}

/// What a metric allows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tolerance {
    /// The same line at every look.
    Line(Line),
    /// An odds ratio at any fraction, as latency thresholds need it: every look has the tangent of it
    /// at its predictable centre.
    Odds(f64),
}

impl Default for Tolerance {
    /// 1.25 x and 0.02 percentage points.
    fn default() -> Tolerance {
        Tolerance::Line(Line {
            rho: 1.25,
            delta: 0.0002,
        })
    }
}

impl Tolerance {
    /// The line for a look whose centre is `c0`.
    pub fn at(self, c0: f64) -> Line {
        match self {
            Tolerance::Line(line) => line,
            Tolerance::Odds(odds) => odds::tangent(odds, c0),
        }
    }
}

/// A guess of the baseline's bad fraction from what came before a look, never from the look itself:
/// an estimate from the same data would void every guarantee.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Centre {
    bad: f64,
    all: f64,
}

/// Below this the centre is 0: it would not reduce the variance.
pub const LOWEST_CENTRE: f64 = 0.05;

impl Centre {
    /// Begins with what the baseline did before the rollout; zeros for nothing known.
    pub fn new(bad: f64, all: f64) -> Centre {
        Centre { bad, all }
    }

    /// `c0 = K/(N+1)`, or 0 where that is below `lowest`.
    pub fn fraction(&self, lowest: f64) -> f64 {
        let c0 = self.bad / (self.all + 1.0);
        if c0 >= lowest { c0 } else { 0.0 }
    }

    /// Takes a look in, after it was judged.
    pub fn take(&mut self, look: Counts) {
        self.bad += look.k0;
        self.all += look.n0;
    }
}
