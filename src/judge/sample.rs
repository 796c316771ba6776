//! What one look at one metric of one arm (baseline or canary) brought.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

const FIRST_LOOK: &str = "first look, nothing to compare with yet";

/// What happened on one side between the look before and this one, or stands there now.
///
/// Counts are exact: differences of counters, never extrapolated. A look that covers several
/// intervals, because some in between failed, is one longer look.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sample {
    /// Of `total` events since the last look, `bad` were bad; `bad <= total`, and both may be 0.
    Ratio {
        /// The bad ones.
        bad: u64,
        /// All of them.
        total: u64,
    },
    /// The events since the last look by size.
    Histogram {
        /// The upper bounds of all buckets but the last, which has none; strictly rising. The two
        /// arms can differ here when the release changed its buckets.
        bounds: Vec<f64>,
        /// How many events fell into each bucket, not cumulated; one more than `bounds`.
        counts: Vec<u64>,
    },
    /// A level now.
    Gauge {
        /// The mean over the instances, finite.
        mean: f64,
        /// Over how many instances.
        n: u32,
    },
    /// There is nothing to judge by. Never to be read as zero, or as fine.
    Missing {
        /// Why, in a sentence.
        why: Arc<str>,
    },
}

impl Sample {
    /// What the first look at counters brings: there is nothing yet to compare them with.
    pub fn first_look() -> Sample {
        Sample::missing(FIRST_LOOK)
    }

    /// Whether it is missing because it was the first look: what happened before it is lost.
    pub fn is_first_look(&self) -> bool {
        matches!(self, Sample::Missing { why } if **why == *FIRST_LOOK)
    }

    /// A missing sample.
    pub fn missing(why: impl Into<Arc<str>>) -> Sample {
        Sample::Missing { why: why.into() }
    }
}
