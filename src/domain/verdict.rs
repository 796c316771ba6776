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
    /// Whether nothing may follow from it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub shadow: bool,
}

impl MetricVerdict {
    /// What was seen, without the metric's name in front: for lines that name it already.
    pub fn seen(&self) -> &str {
        unnamed(&self.metric, &self.words)
    }
}

/// A sentence about a metric without the metric's name in front.
pub fn unnamed<'a>(metric: &MetricName, words: &'a str) -> &'a str {
    words
        .strip_prefix(metric.as_str())
        .and_then(|rest| rest.strip_prefix(": "))
        .unwrap_or(words)
}

/// What the judge says of a whole release.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    /// Nothing follows yet.
    #[default]
    Continue,
    /// Worrying, not proven: stand still.
    Pause,
    /// Proven bad: go back.
    RollBack,
    /// It cannot be said: never a pass.
    Inconclusive,
    /// Proven good enough: go on before the time.
    Promote,
}

impl Decision {
    /// The words for screens.
    pub const fn words(self) -> &'static str {
        match self {
            Decision::Continue => "continue",
            Decision::Pause => "pause",
            Decision::RollBack => "roll back",
            Decision::Inconclusive => "inconclusive",
            Decision::Promote => "promote",
        }
    }
}

/// What the judge says of a whole release, on what grounds. What follows is the plan's choice.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judgement {
    /// What it says.
    pub decision: Decision,
    /// Why, in a few words; may be empty.
    pub reason: Arc<str>,
    /// The metrics to blame.
    pub blamed: Vec<MetricName>,
    /// SHA-256 over the numbers it rests on, hexadecimal.
    pub inputs: Arc<str>,
    /// Whether it is about metrics in shadow, so that nothing may follow from it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub shadow: bool,
}

impl Judgement {
    /// Decision and reason: `roll back: evidence 340:1 on critical metrics`.
    pub fn words(&self) -> String {
        match &*self.reason {
            "" => self.decision.words().to_owned(),
            reason => format!("{}: {reason}", self.decision.words()),
        }
    }
}
