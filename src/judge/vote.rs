//! The vote engine: one bounded vote per look, exact under any burst sizes inside a look.
//!
//! With `x = n1/n0`, `kap = rho x`, `y = k0 + n0 delta/rho`, `m = k1 + y`, `s = k1/m`:
//!
//! `f_R = (1 + kap) (1 + s (R - 1)) / (1 + kap R)`
//!
//! linear in `s` and 1 at `s = kap/(1+kap)`, the canary's allowed share of bad requests. So
//! `E[f_R] <= 1` whenever the expected share is at most that, whatever sizes bursts have, and no rate
//! has to be estimated. At most a factor `1 + 1/kap` is gained per look. (The holdpoint judge, section 1.)

use super::counts::{Counts, Line};

/// The vote of one look in one stratum.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Vote {
    kap: f64,
    share: f64,
}

impl Vote {
    /// The vote; `None` where the look says nothing (its factor is 1): no traffic in one arm, or
    /// nothing bad and nothing allowed. `rho` must be above 0.
    pub fn of(look: &Counts, line: Line) -> Option<Vote> {
        if look.n1 <= 0.0 || look.n0 <= 0.0 {
            return None;
        }
        let m = look.k1 + look.k0 + look.n0 * line.delta / line.rho;
        if m <= 0.0 {
            return None;
        }
        Some(Vote {
            kap: line.rho * look.n1 / look.n0,
            share: look.k1 / m,
        })
    }

    /// `ln f_R`, for `R > 1`.
    pub fn ln_factor(&self, r: f64) -> f64 {
        self.kap.ln_1p() + (self.share * (r - 1.0)).ln_1p() - (self.kap * r).ln_1p()
    }
}

/// `ln f_R` of a look in strata: the product of their votes.
pub fn ln_factor(strata: &[Counts], line: Line, r: f64) -> f64 {
    strata
        .iter()
        .filter_map(|look| Vote::of(look, line))
        .map(|vote| vote.ln_factor(r))
        .sum()
}
