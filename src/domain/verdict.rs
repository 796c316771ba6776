//! What the judge says of a metric, as far as the domain needs it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::ids::MetricName;

/// The answer of one look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Call {
    /// Proven good enough.
    Pass,
    /// Proven bad.
    Fail,
    /// Worrying, not proven.
    Hold,
    /// Too little seen to say.
    Undecided,
    /// Nothing could be read: never a pass.
    NoData,
}

impl Call {
    /// The word for screens.
    pub const fn word(self) -> &'static str {
        match self {
            Call::Pass => "pass",
            Call::Fail => "fail",
            Call::Hold => "hold",
            Call::Undecided => "undecided",
            Call::NoData => "no data",
        }
    }
}

/// What a look says of one metric.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetricVerdict {
    /// The metric.
    pub metric: MetricName,
    /// The answer.
    pub call: Call,
    /// How many looks in a row gave this answer, this one included.
    pub streak: u32,
    /// What was seen, in a sentence.
    pub words: Arc<str>,
    /// SHA-256 over the numbers it rests on, hexadecimal.
    pub inputs: Arc<str>,
}
