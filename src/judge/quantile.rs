//! Between which boundaries a quantile lies; for display, never for a verdict.
//!
//! One look, no baseline: the count engine with `rho = 0`, `delta = 1 - q`, `phi = 1` on fine grids.
//! `lo` is the last boundary which more than `1 - q` are proven to exceed, `hi` the first which fewer
//! are. Only two one-sided errors matter, so nothing has to be corrected. (The holdpoint judge, section 2.)

use super::count::{self, Direction};
use super::counts::{Counts, Line};
use super::numeric::log_sum_exp;

/// How many effect sizes the fine grids have.
pub const FINE: usize = 12;

/// A point of the fine grid: `1 + 0.0125 * 2^j`.
pub fn fine(j: usize) -> f64 {
    1.0 + 0.0125 * f64::from(1u32 << j)
}

/// A quantile of a histogram.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quantile {
    /// The index of the boundary above which it lies; `None` for 0.
    pub above: Option<usize>,
    /// The index of the boundary at or below which it lies.
    pub upto: usize,
    /// By linear interpolation within its bucket, in the unit of the boundaries; NaN without requests.
    pub point: f64,
}

/// The quantile `q` of a histogram at the level `1 - alpha`. `bounds` ends with infinity,
/// `cumulative` with all; of the same length, which is at least 1.
pub fn quantile(q: f64, alpha: f64, bounds: &[f64], cumulative: &[f64]) -> Quantile {
    let last = bounds.len().min(cumulative.len()).saturating_sub(1);
    let n = cumulative.last().copied().unwrap_or(0.0);
    let needed = (2.0 / alpha).ln();
    let ln_e = |index: usize, direction| {
        let k = n - cumulative[index];
        one_sample(n, k, 1.0 - q, direction)
    };
    let above = (0..last).rfind(|index| ln_e(*index, Direction::Up) >= needed);
    let upto = (0..last)
        .find(|index| ln_e(*index, Direction::Down) >= needed)
        .unwrap_or(last);
    Quantile {
        above,
        upto,
        point: point(q, bounds, cumulative),
    }
}

/// `ln E` of one sample against the fraction `p`.
fn one_sample(n: f64, k: f64, p: f64, direction: Direction) -> f64 {
    let look = [Counts {
        n1: n,
        k1: k,
        ..Counts::default()
    }];
    let line = Line { rho: 0.0, delta: p };
    let terms: [f64; FINE] = std::array::from_fn(|j| {
        let r = match direction {
            Direction::Up => fine(j),
            Direction::Down => 1.0 / fine(j),
        };
        count::ln_factor(&look, line, 0.0, direction, 1.0, r)
    });
    log_sum_exp(&terms) - (FINE as f64).ln()
}

/// The quantile by linear interpolation: the first bucket begins at 0, the last has no width.
pub fn point(q: f64, bounds: &[f64], cumulative: &[f64]) -> f64 {
    let n = cumulative.last().copied().unwrap_or(0.0);
    if n <= 0.0 {
        return f64::NAN;
    }
    let rank = q * n;
    let found = cumulative.iter().position(|below| *below >= rank);
    let index = found.unwrap_or(cumulative.len() - 1);
    let (from, before) = match index.checked_sub(1) {
        Some(lower) => (bounds[lower], cumulative[lower]),
        None => (0.0, 0.0),
    };
    let inside = cumulative[index] - before;
    if !bounds[index].is_finite() || inside <= 0.0 {
        return from;
    }
    from + (bounds[index] - from) * (rank - before) / inside
}
