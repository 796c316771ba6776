//! The count engine: exact for independent requests, or for clusters of a bounded size.
//!
//! With `c0` the predictable centre, `c1 = rho c0 + delta`, `kap = rho n1/n0`, `b = kap a`:
//!
//! - up (a regression, `R > 1`): `1/a = c1 + kap (1 - c0) + (1 + kap)/(R - 1)`
//! - down (non-inferiority, `R < 1`): `1/a = -[(1 - c1) + kap c0 + (1 + kap) R/(1 - R)]`
//!
//! `ln f_R = [k1 ln(1 + a(1-c1)) + (n1-k1) ln(1 - a c1) + k0 ln(1 - b(1-c0)) + (n0-k0) ln(1 + b c0)] / phi`
//!
//! By `1 + z <= e^z`, `E[f] <= exp(a n1 [(p1 - delta) - rho p0]) <= 1` on the null. `phi >= 1` is the size
//! of the largest cluster of requests that depend on each other (AM-GM). With `rho = 0` there is no
//! baseline and the null is `p1 <= delta`. (The holdpoint judge, section 1.)

use serde::{Deserialize, Serialize};

use super::counts::{Counts, Line};

/// What the evidence is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// That the canary is worse than allowed.
    Up,
    /// That the canary is within the margin.
    Down,
}

/// The centre as it may be used with a line: `c0 <= (1 - delta)/rho`, so that `c1 <= 1`.
pub fn capped(c0: f64, line: Line) -> f64 {
    if line.rho > 0.0 {
        c0.min((1.0 - line.delta) / line.rho).max(0.0)
    } else {
        c0
    }
}

/// The odds of one look in one stratum, before a point of the grid is chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Odds {
    look: Counts,
    c0: f64,
    c1: f64,
    kap: f64,
}

impl Odds {
    /// The odds; `None` where the look says nothing: no traffic in the canary, or none in the
    /// baseline though one is needed.
    pub fn of(look: &Counts, line: Line, c0: f64) -> Option<Odds> {
        if look.n1 <= 0.0 || (look.n0 <= 0.0 && line.rho > 0.0) {
            return None;
        }
        let c0 = capped(c0, line);
        Some(Odds {
            look: *look,
            c0,
            c1: line.rho * c0 + line.delta,
            kap: if line.rho > 0.0 {
                line.rho * look.n1 / look.n0
            } else {
                0.0
            },
        })
    }

    /// `ln f_R` with `phi = 1`.
    pub fn ln_factor(&self, direction: Direction, r: f64) -> f64 {
        let Odds { look, c0, c1, kap } = *self;
        let a = match direction {
            Direction::Up => 1.0 / (c1 + kap * (1.0 - c0) + (1.0 + kap) / (r - 1.0)),
            Direction::Down => -1.0 / ((1.0 - c1) + kap * c0 + (1.0 + kap) * r / (1.0 - r)),
        };
        let b = kap * a;
        weighed(look.k1, a * (1.0 - c1))
            + weighed(look.n1 - look.k1, -a * c1)
            + weighed(look.k0, -b * (1.0 - c0))
            + weighed(look.n0 - look.k0, b * c0)
    }
}

/// `count * ln(1 + z)`; nothing where nothing was counted, or nothing is at stake.
fn weighed(count: f64, z: f64) -> f64 {
    if count == 0.0 || z == 0.0 {
        0.0
    } else {
        count * z.ln_1p()
    }
}

/// `ln f_R` of a look in strata with clusters of `phi`.
pub fn ln_factor(
    strata: &[Counts],
    line: Line,
    c0: f64,
    direction: Direction,
    phi: f64,
    r: f64,
) -> f64 {
    let sum: f64 = strata
        .iter()
        .filter_map(|look| Odds::of(look, line, c0))
        .map(|odds| odds.ln_factor(direction, r))
        .sum();
    sum / phi
}
