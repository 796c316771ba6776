//! What one look gathers of one metric of one version.

use std::sync::Arc;

/// The numbers of one metric and one version within one look. Missing is missing, never zero.
#[derive(Clone, Debug, PartialEq)]
pub enum Sample {
    /// Bad requests of all requests, counted exactly.
    Ratio {
        /// Bad requests.
        bad: u64,
        /// All requests.
        total: u64,
    },
    /// A distribution: `counts[i]` values at most `bounds[i]` and above the bound before it; the
    /// last bound is infinity.
    Histogram {
        /// Upper bounds, rising, in the metric's unit.
        bounds: Vec<f64>,
        /// Values per bound; as long as `bounds`.
        counts: Vec<u64>,
    },
    /// The mean of a gauge.
    Gauge {
        /// The mean, in the metric's unit.
        mean: f64,
        /// Over how many readings.
        n: u32,
    },
    /// Nothing could be read.
    Missing {
        /// Why, in a few words.
        why: Arc<str>,
    },
}
