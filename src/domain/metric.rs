//! Metrics: what is read, what is allowed, what a verdict on it may lead to.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::ids::{SourceName, Span};

/// How many parts of a millionth make a whole: amounts in charters are exact.
pub const MILLION: u64 = 1_000_000;

/// A metric: what to read, and what is too much.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metric {
    /// What is read and how it becomes one number.
    pub reading: Reading,
    /// Where it is read; `None` stands for the instances themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceName>,
    /// The hard limit: a look fails at once when the new version is above this value (in parts per
    /// million of the metric's unit: a ratio of 0.05 is 50,000; 0.4 s is 400,000).
    #[serde(default)]
    pub fail_above: Option<u64>,
    /// Requests (ratio, quantile) or readings (gauge) that the new version needs before the hard
    /// limit counts.
    pub min_count: u64,
    /// How much worse than the old version the new one may be; [`Metric::allowed`] without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tolerance: Option<Tolerance>,
    /// How much worse it may at most be for going on: what has to be proven. 1.5x, and 0.1 points of a
    /// ratio, without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub margin: Option<Tolerance>,
    /// How much it counts beside others, in parts per million.
    #[serde(default = "million", skip_serializing_if = "is_million")]
    pub weight: u64,
    /// What a verdict may lead to; [`Metric::acts`] without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<Action>,
    /// Whether it can roll back; [`Metric::is_critical`] without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub critical: Option<bool>,
    /// Whether going on early needs proof of it, and going on at all its data;
    /// [`Metric::is_required`] without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub required: Option<bool>,
    /// For how long regressions may begin; the plan's length without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub horizon: Option<Horizon>,
    /// Whether its verdicts act on nothing and are only written down.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub shadow: bool,
}

fn million() -> u64 {
    MILLION
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
const fn is_million(weight: &u64) -> bool {
    *weight == MILLION
}

/// What is read and how it becomes one number. Selectors are series names with matchers, as in
/// Prometheus: `http_requests_total{code=~"5.."}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reading {
    /// Bad requests of all requests, from two counters.
    Ratio {
        /// The counters of bad requests.
        bad: Arc<str>,
        /// The counters of all requests.
        total: Arc<str>,
    },
    /// A quantile of a histogram, in the histogram's unit.
    Quantile {
        /// The histogram, without `_bucket`.
        histogram: Arc<str>,
        /// The quantile in parts per million: p99 is 990,000.
        at: u64,
    },
    /// The mean of a gauge over the instances.
    Gauge {
        /// The gauge.
        series: Arc<str>,
    },
}

/// How much worse than the old version the new one may be: `times` the old value (of a ratio its
/// odds, of a quantile the odds of being slower than any boundary) and `plus` on top.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tolerance {
    /// The multiple, in parts per million: 1.25x is 1,250,000.
    pub times: u64,
    /// What is allowed on top, in parts per million of the metric's unit: 0.02 percentage points are
    /// 200. Nothing for quantiles.
    #[serde(default, skip_serializing_if = "is_nothing")]
    pub plus: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
const fn is_nothing(plus: &u64) -> bool {
    *plus == 0
}

/// What a verdict on a metric may lead to.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// To nothing: people are told.
    Inform,
    /// The release may stand still for it.
    Hold,
    /// The release may go back for it.
    #[default]
    RollBack,
}

impl Action {
    /// The word in files and on screens.
    pub const fn word(self) -> &'static str {
        match self {
            Action::Inform => "inform",
            Action::Hold => "hold",
            Action::RollBack => "roll back",
        }
    }
}

/// How long a rollout may last at most, as the judge reckons with it: evidence is kept back for
/// regressions that begin until then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Horizon {
    /// So many looks.
    Looks(u32),
    /// So much time.
    Time(Span),
}

impl Metric {
    /// How much worse than the old version the new one may be.
    pub fn allowed(&self) -> Tolerance {
        let (times, plus) = match self.reading {
            Reading::Ratio { .. } => (1_250_000, 200),
            Reading::Quantile { .. } => (1_250_000, 0),
            Reading::Gauge { .. } => (1_100_000, 0),
        };
        self.tolerance.unwrap_or(Tolerance { times, plus })
    }

    /// Whether it is a gauge, whose evidence may let a release stand still but never go back.
    pub const fn is_gauge(&self) -> bool {
        matches!(self.reading, Reading::Gauge { .. })
    }

    /// What a verdict may lead to: of gauges at most that the release stands still.
    pub fn acts(&self) -> Action {
        let usual = match self.is_gauge() {
            true => Action::Hold,
            false => Action::RollBack,
        };
        self.action.map_or(usual, |action| action.min(usual))
    }

    /// Whether its evidence counts for going back.
    pub fn is_critical(&self) -> bool {
        self.acts() == Action::RollBack && self.critical.unwrap_or(true)
    }

    /// Whether going on early needs proof of it, and going on at all its data.
    pub fn is_required(&self) -> bool {
        let usual = self.acts() != Action::Inform && !self.is_gauge();
        self.required.unwrap_or(usual)
    }
}

/// How the judge works in a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Judging {
    /// Whether no verdict acts on anything in the whole room.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub shadow: bool,
    /// How long after the new version runs for the first time nothing but hard limits is judged.
    pub warm_up: Span,
    /// On how many looks in a row evidence must hold before a release goes back for it.
    pub confirm: u32,
    /// After how many looks without data a required metric is missing.
    pub missing: u32,
    /// Whether the old instances are judged among themselves, so that a release is not blamed for
    /// what instances do anyway.
    pub peers: bool,
}

impl Default for Judging {
    fn default() -> Judging {
        Judging {
            shadow: false,
            warm_up: Span::secs(120),
            confirm: 2,
            missing: 8,
            peers: true,
        }
    }
}

impl Judging {
    /// Whether it works as nobody says otherwise.
    pub fn is_usual(&self) -> bool {
        *self == Judging::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn charters_written_before_the_judge_are_read() {
        let old = r#"{"reading": {"gauge": {"series": "memory"}}, "fail_above": null,
                      "fail_ratio": 4000000, "min_count": 1}"#;
        let metric: Metric = serde_json::from_str(old).unwrap();
        assert_eq!(metric.acts(), Action::Hold);
        assert!(!metric.is_critical() && !metric.is_required());
        assert_eq!((metric.weight, metric.shadow), (MILLION, false));
        let again = serde_json::to_string(&metric).unwrap();
        assert_eq!(serde_json::from_str::<Metric>(&again).unwrap(), metric);
        assert!(!again.contains("weight"), "{again}");
    }

    #[test]
    fn what_counts_follows_from_the_action() {
        let text = r#"{"reading": {"ratio": {"bad": "b", "total": "t"}}, "min_count": 1}"#;
        let mut metric: Metric = serde_json::from_str(text).unwrap();
        assert!(metric.is_critical() && metric.is_required());
        metric.action = Some(Action::Hold);
        assert!(!metric.is_critical() && metric.is_required());
        metric.action = Some(Action::Inform);
        assert!(!metric.is_critical() && !metric.is_required());
    }
}
