//! The Mann-Whitney test as R's `wilcox.test` computes it: shifted ranks, a continuity correction, an
//! interval for the shift by root search.
//!
//! Numbers agree with Kayenta's to 1e-6 only where the arithmetic is the same, the tolerance of the
//! root search included: it is absolute, 1e-4 in the unit of the metric, so feed percent or
//! milliseconds. (The holdpoint judge, section 4.)

use crate::judge::numeric::{normal_cdf, normal_quantile};

/// The absolute tolerance of the root search, in the metric's unit.
const TOLERANCE: f64 = 1e-4;
/// The most steps of it.
const STEPS: usize = 1001;

/// An interval for how far the canary's values are shifted against the baseline's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shift {
    /// Its lower end.
    pub lower: f64,
    /// Its upper end.
    pub upper: f64,
    /// The shift itself.
    pub estimate: f64,
}

/// Two samples, sorted, ready to be ranked at any shift.
#[derive(Clone, Debug)]
pub struct Ranked {
    x: Vec<f64>,
    y: Vec<f64>,
    /// `Σ t^3 - t` over groups of equal values within `x` and within `y`.
    own_ties: f64,
}

/// Ranks at one shift.
#[derive(Clone, Copy, Debug)]
struct Ranks {
    /// The sum of the ranks of `x`.
    sum: f64,
    /// `Σ t^3 - t` over groups of equal values.
    ties: f64,
}

impl Ranked {
    /// The canary's values `x` and the baseline's `y`, none of them NaN.
    pub fn new(x: &[f64], y: &[f64]) -> Ranked {
        let sorted = |values: &[f64]| {
            let mut values = values.to_vec();
            values.sort_unstable_by(f64::total_cmp);
            values
        };
        let (x, y) = (sorted(x), sorted(y));
        let own_ties = tied(&x) + tied(&y);
        Ranked { x, y, own_ties }
    }

    fn sizes(&self) -> (f64, f64) {
        (self.x.len() as f64, self.y.len() as f64)
    }

    /// Where shifts are looked for: from `min x - max y` to `max x - min y`.
    pub fn range(&self) -> (f64, f64) {
        let ends = |values: &[f64]| {
            let first = values.first().copied().unwrap_or(f64::NAN);
            (first, values.last().copied().unwrap_or(f64::NAN))
        };
        let ((x_min, x_max), (y_min, y_max)) = (ends(&self.x), ends(&self.y));
        (x_min - y_max, x_max - y_min)
    }

    /// Midranks of `x - mu` among both, in one pass over the sorted values.
    fn ranks(&self, mu: f64) -> Ranks {
        let (x, y) = (&self.x, &self.y);
        let (mut i, mut j) = (0, 0);
        let (mut sum, mut ties) = (0.0, 0.0);
        while i < x.len() {
            let value = x[i] - mu;
            while j < y.len() && y[j] < value {
                let (from, group) = (j, y[j]);
                while j < y.len() && y[j] == group {
                    j += 1;
                }
                ties += cubed(j - from);
            }
            let (from_i, from_j) = (i, j);
            // one at least, also where the shift made it no number
            i += 1;
            while i < x.len() && x[i] - mu == value {
                i += 1;
            }
            while j < y.len() && y[j] == value {
                j += 1;
            }
            let own = (i - from_i) as f64;
            let before = (from_i + from_j) as f64;
            let group = (i - from_i) + (j - from_j);
            sum += own * (before + (group as f64 + 1.0) / 2.0);
            ties += cubed(group);
        }
        while j < y.len() {
            let (from, group) = (j, y[j]);
            while j < y.len() && y[j] == group {
                j += 1;
            }
            ties += cubed(j - from);
        }
        Ranks { sum, ties }
    }

    fn sigma(&self, ties: f64) -> f64 {
        let (m, n) = self.sizes();
        let all = m + n;
        ((m * n / 12.0) * ((all + 1.0) - ties / (all * (all - 1.0)))).sqrt()
    }

    /// `z(mu)`: how far the rank sum is from what it would be at this shift, in standard deviations;
    /// NaN or infinite where all values are equal.
    pub fn z(&self, mu: f64) -> f64 {
        self.z_of(self.ranks(mu))
    }

    fn z_of(&self, ranks: Ranks) -> f64 {
        let (m, n) = self.sizes();
        let w = ranks.sum - m * (m + 1.0) / 2.0 - m * n / 2.0;
        let correction = if w == 0.0 { 0.0 } else { w.signum() * 0.5 };
        (w - correction) / self.sigma(ranks.ties)
    }

    /// `U` of the canary: in how many pairs its value is the larger, ties half.
    pub fn u(&self) -> f64 {
        let m = self.x.len() as f64;
        self.ranks(0.0).sum - m * (m + 1.0) / 2.0
    }

    /// The chance of a difference as large as this in either direction, normal approximation with
    /// corrections for ties and continuity.
    pub fn p_two_sided(&self) -> f64 {
        let (m, n) = self.sizes();
        let ranks = self.ranks(0.0);
        let u = ranks.sum - m * (m + 1.0) / 2.0;
        let larger = u.max(m * n - u);
        let z = (larger - m * n / 2.0 - 0.5) / self.sigma(ranks.ties);
        (2.0 * normal_cdf(-z)).min(1.0)
    }

    /// The common language effect size: the chance that a canary's value is the larger.
    pub fn cles(&self) -> f64 {
        let (m, n) = self.sizes();
        (2.0 * self.ranks(0.0).sum - m * (m + 1.0)) / (2.0 * m * n)
    }

    /// The interval at this confidence; `None` where a standard deviation is 0.
    pub fn shift(&self, confidence: f64) -> Option<Shift> {
        let quantile = normal_quantile(1.0 - (1.0 - confidence) / 2.0);
        let (low, high) = self.range();
        let mut walk = Walk::new(self);
        let (z_low, z_high) = (walk.z(low), walk.z(high));
        if !z_low.is_finite() || !z_high.is_finite() {
            return None;
        }
        let mut end = |q: f64| {
            if z_low - q <= 0.0 {
                return low;
            }
            if z_high - q >= 0.0 {
                return high;
            }
            root(low, high, z_low - q, z_high - q, |mu| walk.z(mu) - q)
        };
        let (lower, upper) = (end(quantile), end(-quantile));
        let shift = Shift {
            lower,
            upper,
            estimate: root(low, high, z_low, z_high, |mu| walk.z(mu)),
        };
        let found = [shift.lower, shift.upper, shift.estimate];
        found.iter().all(|mu| mu.is_finite()).then_some(shift)
    }
}

/// `z` at one shift after the other, each found from the places of the one before: a root search
/// soon takes small steps, at which hardly a place changes.
struct Walk<'a> {
    of: &'a Ranked,
    /// How many values of `y` are below each of `x`, at the last shift; and the sum of it.
    below: Vec<usize>,
    pairs: usize,
    /// The values of `y` between which each of `x` lies.
    lower: Vec<f64>,
    upper: Vec<f64>,
    /// The last `z`, and of which sum.
    last: (usize, f64),
    at: f64,
    /// A step of more than this is walked from the beginning.
    small: f64,
    /// The smallest distance of two values of `x` that differ, and the largest size of one.
    gap: f64,
    largest: f64,
}

impl<'a> Walk<'a> {
    fn new(of: &'a Ranked) -> Walk<'a> {
        let (low, high) = of.range();
        let gaps = of.x.windows(2).map(|pair| pair[1] - pair[0]);
        Walk {
            of,
            below: vec![0; of.x.len()],
            pairs: 0,
            lower: vec![f64::NAN; of.x.len()],
            upper: vec![f64::NAN; of.x.len()],
            last: (usize::MAX, f64::NAN),
            at: f64::NEG_INFINITY,
            small: (high - low) / 32.0,
            gap: gaps.filter(|gap| *gap > 0.0).fold(f64::INFINITY, f64::min),
            largest: of.x.iter().fold(0.0, |most, value| value.abs().max(most)),
        }
    }

    fn z(&mut self, mu: f64) -> f64 {
        if !self.apart(mu) {
            return self.of.z(mu);
        }
        if self.last.0 != self.pairs {
            let m = self.below.len() as f64;
            let ranks = Ranks {
                sum: self.pairs as f64 + m * (m + 1.0) / 2.0,
                ties: self.of.own_ties,
            };
            self.last = (self.pairs, self.of.z_of(ranks));
        }
        self.last.1
    }

    /// Finds all places. Whether no value of one sample equals one of the other, and rounding makes no
    /// two of `x` equal, as at nearly every shift: then ranks are sums of whole numbers and halves that
    /// follow from the places, and this way to them gives the same digits.
    fn apart(&mut self, mu: f64) -> bool {
        /// So many values are looked at together.
        const TOGETHER: usize = 8;
        if self.gap <= 4.0 * f64::EPSILON * (self.largest + mu.abs()) {
            return false;
        }
        let near = (mu - self.at).abs() <= self.small;
        self.at = mu;
        let mut met = false;
        for (index, values) in self.of.x.chunks(TOGETHER).enumerate() {
            let first = index * TOGETHER;
            let which = first..first + values.len();
            let (lower, upper) = (&self.lower[which.clone()], &self.upper[which.clone()]);
            let mut stay = true;
            for ((value, lower), upper) in values.iter().zip(lower).zip(upper) {
                let shifted = value - mu;
                stay &= (*lower < shifted) & (shifted < *upper);
            }
            if stay && near {
                continue;
            }
            for which in which {
                met |= self.place(which, mu, near);
            }
        }
        !met
    }

    /// Finds the place of a value of `x` from where it was, or from that of the value before; whether
    /// it meets one of `y`.
    fn place(&mut self, which: usize, mu: f64, near: bool) -> bool {
        let y = &self.of.y;
        let shifted = self.of.x[which] - mu;
        let was = self.below[which];
        let mut place = match which.checked_sub(1) {
            _ if near => was,
            Some(before) => self.below[before],
            None => 0,
        };
        while place > 0 && y[place - 1] >= shifted {
            place -= 1;
        }
        while place < y.len() && y[place] < shifted {
            place += 1;
        }
        self.below[which] = place;
        self.pairs = self.pairs + place - was;
        let upper = y.get(place).copied().unwrap_or(f64::INFINITY);
        self.lower[which] = place.checked_sub(1).map_or(f64::NEG_INFINITY, |at| y[at]);
        self.upper[which] = upper;
        upper == shifted
    }
}

/// `Σ t^3 - t` over groups of equal values.
fn tied(sorted: &[f64]) -> f64 {
    let groups = sorted.chunk_by(|a, b| a == b);
    groups.map(|group| cubed(group.len())).sum()
}

fn cubed(t: usize) -> f64 {
    let t = t as f64;
    t * t * t - t
}

/// A root between `low` and `high` by Brent's method: inverse quadratic or linear interpolation where
/// it is trusted, bisection where not; ends within `2 eps |b| + tolerance/2`. (R. P. Brent, Algorithms
/// for Minimization without Derivatives, 1973, chapter 4.)
fn root(low: f64, high: f64, f_low: f64, f_high: f64, mut f: impl FnMut(f64) -> f64) -> f64 {
    if f_low == 0.0 {
        return low;
    }
    if f_high == 0.0 {
        return high;
    }
    // `best` is the estimate, `last` the one before, `other` lies on the far side of the root
    let (mut last, mut f_last) = (low, f_low);
    let (mut best, mut f_best) = (high, f_high);
    let (mut other, mut f_other) = (low, f_low);
    for _ in 0..STEPS {
        let before = best - last;
        if f_other.abs() < f_best.abs() {
            (last, f_last) = (best, f_best);
            (best, f_best) = (other, f_other);
            (other, f_other) = (last, f_last);
        }
        let near = 2.0 * f64::EPSILON * best.abs() + TOLERANCE / 2.0;
        let half = (other - best) / 2.0;
        if half.abs() <= near || f_best == 0.0 {
            return best;
        }
        let mut step = half;
        if before.abs() >= near && f_last.abs() > f_best.abs() {
            let (p, q) = interpolate((last, f_last), (best, f_best), (other, f_other));
            let inside = 0.75 * (other - best) * q - (near * q).abs() / 2.0;
            if p < inside && p < (before * q / 2.0).abs() {
                step = p / q;
            }
        }
        if step.abs() < near {
            step = if step > 0.0 { near } else { -near };
        }
        (last, f_last) = (best, f_best);
        best += step;
        f_best = f(best);
        if (f_best > 0.0 && f_other > 0.0) || (f_best < 0.0 && f_other < 0.0) {
            (other, f_other) = (last, f_last);
        }
    }
    best
}

/// The step to the interpolated root as a fraction `p/q` with `p >= 0`.
fn interpolate(last: (f64, f64), best: (f64, f64), other: (f64, f64)) -> (f64, f64) {
    let across = other.0 - best.0;
    let s = best.1 / last.1;
    let (p, q) = if last.0 == other.0 {
        (across * s, 1.0 - s)
    } else {
        let (r, t) = (last.1 / other.1, best.1 / other.1);
        let p = s * (across * r * (r - t) - (best.0 - last.0) * (t - 1.0));
        (p, (r - 1.0) * (t - 1.0) * (s - 1.0))
    };
    if p > 0.0 { (p, -q) } else { (-p, q) }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        /// The pass over sorted values gives the ranks that counting gives.
        #[test]
        fn ranks_are_midranks(
            x in proptest::collection::vec(0i32..6, 1..9),
            y in proptest::collection::vec(0i32..6, 1..9),
            half_mu in -4i32..6,
        ) {
            let float = |values: &[i32]| values.iter().map(|v| f64::from(*v)).collect::<Vec<_>>();
            let (x, y, mu) = (float(&x), float(&y), f64::from(half_mu) / 2.0);
            let all: Vec<f64> = x.iter().map(|v| v - mu).chain(y.iter().copied()).collect();
            let rank = |v: f64| {
                let below = all.iter().filter(|o| **o < v).count() as f64;
                let equal = all.iter().filter(|o| **o == v).count() as f64;
                below + (equal + 1.0) / 2.0
            };
            let sum: f64 = x.iter().map(|v| rank(v - mu)).sum();
            let ties: f64 = all
                .iter()
                .map(|v| all.iter().filter(|o| **o == *v).count() as f64)
                .map(|t| t * t - 1.0)
                .sum();
            let found = Ranked::new(&x, &y).ranks(mu);
            proptest::prop_assert_eq!(found.sum, sum);
            proptest::prop_assert_eq!(found.ties, ties);
        }

        /// Walking from shift to shift gives what each of them gives alone, also where values meet
        /// and where rounding makes them equal.
        #[test]
        fn a_walk_gives_the_same(
            x in proptest::collection::vec(-1e3f64..1e3, 1..40),
            y in proptest::collection::vec(-1e3f64..1e3, 1..40),
            coarse in proptest::bool::ANY,
            steps in proptest::collection::vec(
                proptest::prop_oneof![-2e3f64..2e3, -20f64..20.0, -1e19f64..1e19], 1..20),
        ) {
            let grain = |value: f64| if coarse { (value / 50.0).round() * 50.0 } else { value };
            let all = |values: Vec<f64>| values.into_iter().map(grain).collect::<Vec<_>>();
            let ranked = Ranked::new(&all(x), &all(y));
            let mut walk = Walk::new(&ranked);
            for mu in steps.into_iter().map(grain) {
                proptest::prop_assert_eq!(walk.z(mu).to_bits(), ranked.z(mu).to_bits());
            }
        }
    }
}
