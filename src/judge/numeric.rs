//! Numbers to full precision: the normal distribution, sums in log space, floats that survive being
//! written down.

/// `ln(e^a + e^b)` without overflow; `-inf` stands for 0.
pub fn log_add_exp(a: f64, b: f64) -> f64 {
    let (high, low) = if a >= b { (a, b) } else { (b, a) };
    if low == f64::NEG_INFINITY || high == f64::INFINITY {
        return high;
    }
    high + (low - high).exp().ln_1p()
}

/// `ln Σ e^x` over the terms, `-inf` for none.
pub fn log_sum_exp(terms: &[f64]) -> f64 {
    let high = terms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if high.is_infinite() {
        return high;
    }
    let sum: f64 = terms.iter().map(|term| (term - high).exp()).sum();
    high + sum.ln()
}

/// What a double leaves of `1/sqrt(2)`.
const REST_OF_1_SQRT_2: f64 = -4.833646656726457e-17;

/// The share of a standard normal below `x`.
pub fn normal_cdf(x: f64) -> f64 {
    let half = std::f64::consts::FRAC_1_SQRT_2;
    let y = -x * half;
    // in the tail erfc magnifies what the product lost in rounding
    let lost = (-x).mul_add(half, -y) - x * REST_OF_1_SQRT_2;
    let slope = std::f64::consts::FRAC_2_SQRT_PI * (-y * y).exp();
    let off = if y.abs() < 27.0 { lost * slope } else { 0.0 };
    0.5 * (libm::erfc(y) - off)
}

/// `ln` of [`normal_cdf`], also where that underflows (Mills' ratio, Abramowitz and Stegun 26.2.12).
pub fn ln_normal_cdf(x: f64) -> f64 {
    if x > 0.0 {
        return (-normal_cdf(-x)).ln_1p();
    }
    if x > -30.0 {
        return normal_cdf(x).ln();
    }
    let y = 1.0 / (x * x);
    let series = -y
        * (1.0 - 3.0 * y * (1.0 - 5.0 * y * (1.0 - 7.0 * y * (1.0 - 9.0 * y * (1.0 - 11.0 * y)))));
    -0.5 * x * x - (-x).ln() - 0.5 * std::f64::consts::TAU.ln() + series.ln_1p()
}

/// The `x` with [`normal_cdf`]`(x) = p`; `-inf` at 0, `inf` at 1, NaN outside.
///
/// A rational start (Abramowitz and Stegun 26.2.23) and three steps of Halley's method.
pub fn normal_quantile(p: f64) -> f64 {
    if !(0.0..=1.0).contains(&p) {
        return f64::NAN;
    }
    if p == 0.0 || p == 1.0 {
        return if p == 0.0 {
            f64::NEG_INFINITY
        } else {
            f64::INFINITY
        };
    }
    // in the lower half nothing cancels
    if p > 0.5 {
        return -normal_quantile(1.0 - p);
    }
    let t = (-2.0 * p.ln()).sqrt();
    let above = 2.515_517 + t * (0.802_853 + t * 0.010_328);
    let below = 1.0 + t * (1.432_788 + t * (0.189_269 + t * 0.001_308));
    let mut x = above / below - t;
    for _ in 0..3 {
        let miss = normal_cdf(x) - p;
        let step = miss * std::f64::consts::TAU.sqrt() * (0.5 * x * x).exp();
        x -= step / (1.0 + 0.5 * x * step);
    }
    x
}

/// Floats as their bits, so that what is read again is what was written, infinities too. For
/// `#[serde(with = "exact")]`.
pub mod exact {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    /// Writes a number.
    ///
    /// # Errors
    /// Those of the format.
    pub fn serialize<S: Serializer>(value: &f64, to: S) -> Result<S::Ok, S::Error> {
        value.to_bits().serialize(to)
    }

    /// Reads a number.
    ///
    /// # Errors
    /// Those of the format.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
        u64::deserialize(from).map(f64::from_bits)
    }

    /// The same for any number of numbers.
    pub mod list {
        use serde::{Deserialize, Deserializer, Serialize, Serializer};

        /// A number as it may be written: formerly as itself, and an infinite one as nothing.
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Bits(u64),
            Number(f64),
            Infinite(()),
        }

        fn read(written: Vec<Written>) -> Vec<f64> {
            let number = |one| match one {
                Written::Bits(bits) => f64::from_bits(bits),
                Written::Number(number) => number,
                Written::Infinite(()) => f64::INFINITY,
            };
            written.into_iter().map(number).collect()
        }

        /// Writes the numbers.
        ///
        /// # Errors
        /// Those of the format.
        pub fn serialize<S: Serializer>(values: &[f64], to: S) -> Result<S::Ok, S::Error> {
            to.collect_seq(values.iter().map(|value| value.to_bits()))
        }

        /// Reads the numbers.
        ///
        /// # Errors
        /// Those of the format.
        pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<f64>, D::Error> {
            Vec::deserialize(from).map(read)
        }

        /// The same where there may be no list.
        pub mod maybe {
            use super::{Deserialize, Deserializer, Serialize, Serializer, read};

            /// Writes the numbers.
            ///
            /// # Errors
            /// Those of the format.
            pub fn serialize<S: Serializer>(
                values: &Option<Vec<f64>>,
                to: S,
            ) -> Result<S::Ok, S::Error> {
                let bits = |values: &Vec<f64>| -> Vec<u64> {
                    values.iter().map(|value| value.to_bits()).collect()
                };
                values.as_ref().map(bits).serialize(to)
            }

            /// Reads the numbers.
            ///
            /// # Errors
            /// Those of the format.
            pub fn deserialize<'de, D: Deserializer<'de>>(
                from: D,
            ) -> Result<Option<Vec<f64>>, D::Error> {
                Ok(Option::deserialize(from)?.map(read))
            }
        }
    }

    /// The same for the nine points of a grid.
    pub mod grid {
        use serde::{Deserialize, Deserializer, Serialize, Serializer};

        use crate::judge::mixture::POINTS;

        /// Writes the numbers.
        ///
        /// # Errors
        /// Those of the format.
        pub fn serialize<S: Serializer>(values: &[f64; POINTS], to: S) -> Result<S::Ok, S::Error> {
            values.map(f64::to_bits).serialize(to)
        }

        /// Reads the numbers.
        ///
        /// # Errors
        /// Those of the format.
        pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<[f64; POINTS], D::Error> {
            <[u64; POINTS]>::deserialize(from).map(|bits| bits.map(f64::from_bits))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn close(is: f64, should: f64) {
        let off = ((is - should) / should).abs();
        assert!(off < 4e-15, "{is} is not {should}: off by {off:e}");
    }

    #[test]
    fn the_normal_distribution_to_full_precision() {
        // 50 digits by series and continued fraction, cut to what a double holds
        close(normal_cdf(1.0), 0.841_344_746_068_542_9);
        close(normal_cdf(-3.0), 1.349_898_031_630_094_5e-3);
        close(normal_cdf(-10.0), 7.619_853_024_160_526e-24);
        close(normal_quantile(0.01), -2.326_347_874_040_841);
        close(normal_quantile(0.975), 1.959_963_984_540_054);
        close(normal_quantile(1e-20), -9.262_340_089_798_408);
        assert!(normal_quantile(0.5).abs() < 1e-17);
        assert!(normal_quantile(1.5).is_nan());
    }

    #[test]
    fn the_logarithm_of_the_tail_has_no_edge() {
        close(ln_normal_cdf(-10.0), -53.231_285_150_512_47);
        let (inside, outside) = (
            ln_normal_cdf(-29.999_999_999),
            ln_normal_cdf(-30.000_000_001),
        );
        assert!((inside - outside - 6e-8).abs() < 1e-9, "{inside} {outside}");
        assert!(ln_normal_cdf(-1e4).is_finite());
        assert!(ln_normal_cdf(40.0) <= 0.0);
    }

    #[test]
    fn sums_in_log_space() {
        assert_eq!(
            log_add_exp(f64::NEG_INFINITY, f64::NEG_INFINITY),
            f64::NEG_INFINITY
        );
        assert_eq!(log_add_exp(3.0, f64::NEG_INFINITY), 3.0);
        close(log_add_exp(1000.0, 1000.0), 1000.0 + std::f64::consts::LN_2);
        close(log_sum_exp(&[0.0, 0.0, 0.0]), 3f64.ln());
        assert_eq!(log_sum_exp(&[]), f64::NEG_INFINITY);
    }
}
