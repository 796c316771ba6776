//! What can a rollout see? Before it begins.

use super::count::{self, Direction};
use super::counts::{Counts, LOWEST_CENTRE, Tolerance};
use super::mixture::{DOWN, UP};

/// What a rollout is expected to be like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Expected {
    /// Requests of the canary in one look.
    pub n1: f64,
    /// Requests of the baseline in one look.
    pub n0: f64,
    /// The baseline's bad fraction.
    pub p0: f64,
    /// What is allowed, or the margin.
    pub tolerance: Tolerance,
    /// The level that has to be reached.
    pub alpha: f64,
    /// The size of clusters.
    pub phi: f64,
}

impl Expected {
    fn centre(&self) -> f64 {
        if self.p0 >= LOWEST_CENTRE {
            self.p0
        } else {
            0.0
        }
    }

    /// `g = max_R ln f_R(n1, n1 p1, n0, n0 p0)` of the count engine: evidence per look, in nats.
    fn gain(&self, p1: f64, direction: Direction) -> f64 {
        let look = [Counts {
            n1: self.n1,
            k1: self.n1 * p1,
            n0: self.n0,
            k0: self.n0 * self.p0,
        }];
        let c0 = self.centre();
        let line = self.tolerance.at(c0);
        let grid = match direction {
            Direction::Up => UP,
            Direction::Down => DOWN,
        };
        let each = grid.map(|r| count::ln_factor(&look, line, c0, direction, self.phi, r));
        each.into_iter().fold(f64::NEG_INFINITY, f64::max)
    }

    /// Looks until the count engine has proof, when the canary's bad fraction is `p1`:
    /// `[ln(1/alpha) + ln 9 + ln 2] / g`; infinity where it never comes.
    pub fn looks(&self, p1: f64, direction: Direction) -> f64 {
        let gain = self.gain(p1, direction);
        if gain <= 0.0 {
            return f64::INFINITY;
        }
        ((1.0 / self.alpha).ln() + 9f64.ln() + std::f64::consts::LN_2) / gain
    }

    /// Looks until the default evidence shows a regression: 1.3 times that, and not below
    /// `7.6 / ln(1 + 1/kap)`, since a vote gains no more than that per look (7.6 nats for `E = 100`,
    /// in proportion for other levels).
    pub fn looks_by_vote(&self, p1: f64) -> f64 {
        let line = self.tolerance.at(self.centre());
        let kap = line.rho * self.n1 / self.n0;
        let nats = 7.6 + (1.0 / self.alpha).ln() - 100f64.ln();
        (1.3 * self.looks(p1, Direction::Up)).max(nats / (1.0 / kap).ln_1p())
    }

    /// The least ratio of bad fractions that the default evidence shows within so many looks;
    /// `None` if not even an outage is.
    pub fn least_ratio(&self, looks: f64) -> Option<f64> {
        if self.p0 <= 0.0 || self.p0 >= 1.0 {
            return None;
        }
        let most = 1.0 / self.p0;
        let seen = |ratio: f64| self.looks_by_vote((ratio * self.p0).min(1.0)) <= looks;
        if !seen(most) {
            return None;
        }
        let (mut blind, mut seeing) = (0f64, most.ln());
        for _ in 0..60 {
            let middle = f64::midpoint(blind, seeing);
            if seen(middle.exp()) {
                seeing = middle;
            } else {
                blind = middle;
            }
        }
        Some(seeing.exp())
    }
}
