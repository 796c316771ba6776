//! Random counts.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// A source of random counts.
pub struct Chance(StdRng);

impl Chance {
    /// The chance of one run.
    pub fn new(seed: u64, run: u64) -> Chance {
        Chance(StdRng::seed_from_u64(
            seed.wrapping_mul(1_000_003).wrapping_add(run),
        ))
    }

    /// Evenly from 0 to 1.
    pub fn even(&mut self) -> f64 {
        self.0.random::<f64>()
    }

    /// A standard normal number (Box and Muller).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.even()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.even()).cos()
    }

    /// How many of `n` happen with chance `p` each: by the gaps between those that do, exact.
    pub fn binomial(&mut self, n: u64, p: f64) -> u64 {
        if p <= 0.0 || n == 0 {
            return 0;
        }
        if p > 0.5 {
            return n - self.binomial(n, 1.0 - p);
        }
        let step = (-p).ln_1p();
        let (mut at, mut count) = (0.0, 0);
        loop {
            at += ((1.0 - self.even()).ln() / step).floor() + 1.0;
            if at > n as f64 {
                return count;
            }
            count += 1;
        }
    }

    /// How many events in a time with `mean` of them: by their gaps, exact.
    pub fn poisson(&mut self, mean: f64) -> u64 {
        let (mut at, mut count) = (0.0, 0);
        loop {
            at -= (1.0 - self.even()).ln();
            if at > mean {
                return count;
            }
            count += 1;
        }
    }

    /// 1, 2, … with this mean.
    pub fn geometric(&mut self, mean: f64) -> u64 {
        let stop = 1.0 / mean;
        1 + ((1.0 - self.even()).ln() / (-stop).ln_1p()).floor() as u64
    }
}
