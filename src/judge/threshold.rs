//! Simple thresholds: the new version against a fixed limit and against a multiple of the old one.
//!
//! A threshold has no error control: on small counts it cries wolf. `min_count` keeps it silent
//! until there is something to count.

use crate::domain::charter::{Metric, Reading};
use crate::domain::verdict::Call;

use super::sample::Sample;

/// What a look says of one metric.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// The answer.
    pub call: Call,
    /// The new version's value, in the metric's unit; `None` where nothing was read.
    pub canary: Option<f64>,
    /// The old version's value.
    pub baseline: Option<f64>,
    /// What was seen, in a sentence.
    pub words: String,
}

/// Judges one metric on the samples of both versions, gathered over the same time.
pub fn judge(metric: &Metric, canary: &Sample, baseline: &Sample) -> Judged {
    let new = value(metric, canary);
    let old = value(metric, baseline).ok();
    let canary_value = match &new {
        Ok((value, _)) => *value,
        Err(why) => {
            return Judged {
                call: Call::NoData,
                canary: None,
                baseline: old.map(|(v, _)| v),
                words: format!("the new version gave nothing: {why}"),
            };
        }
    };
    let count = new.map_or(0, |(_, n)| n);
    let enough_old = old.filter(|(_, n)| *n >= metric.min_count);
    let mut words = format!("new {}", shown(metric, canary_value));
    if let Some((value, _)) = old {
        words.push_str(&format!(", old {}", shown(metric, value)));
    }
    let call = if count < metric.min_count {
        words.push_str(&format!(", {count} of {} needed to say", metric.min_count));
        Call::Undecided
    } else {
        limits(metric, canary_value, enough_old.map(|(v, _)| v), &mut words)
    };
    Judged {
        call,
        canary: Some(canary_value),
        baseline: old.map(|(v, _)| v),
        words,
    }
}

/// Compares a value with what is allowed and says which limit was passed.
fn limits(metric: &Metric, new: f64, old: Option<f64>, words: &mut String) -> Call {
    let above = metric.fail_above.map(millionths);
    if let Some(limit) = above.filter(|limit| new > *limit) {
        words.push_str(&format!(", allowed {}", shown(metric, limit)));
        return Call::Fail;
    }
    let _ = old;
    if above.is_some() {
        Call::Pass
    } else {
        Call::Undecided
    }
}

/// What a metric allows, in a few words.
pub fn allowed(metric: &Metric) -> String {
    let above = metric
        .fail_above
        .map(|v| format!("up to {}", shown(metric, millionths(v))));
    above.unwrap_or_default()
}

/// Parts per million as a plain number.
pub fn millionths(value: u64) -> f64 {
    value as f64 / 1e6
}

/// A value as people read it.
pub fn shown(metric: &Metric, value: f64) -> String {
    match metric.reading {
        Reading::Ratio { .. } => format!("{:.2} %", value * 100.0),
        Reading::Quantile { .. } if value < 1.0 => format!("{:.0} ms", value * 1000.0),
        Reading::Quantile { .. } => format!("{value:.2} s"),
        Reading::Gauge { .. } if value.abs() >= 1e6 => format!("{:.1} M", value / 1e6),
        Reading::Gauge { .. } => format!("{value:.2}"),
    }
}

/// A sample as one number and how much it rests on.
fn value(metric: &Metric, sample: &Sample) -> Result<(f64, u64), String> {
    match (&metric.reading, sample) {
        (_, Sample::Missing { why }) => Err(why.to_string()),
        (Reading::Ratio { .. }, Sample::Ratio { total: 0, .. }) => Err("no requests".to_owned()),
        (Reading::Ratio { .. }, Sample::Ratio { bad, total }) => {
            Ok((*bad as f64 / *total as f64, *total))
        }
        (Reading::Quantile { at, .. }, Sample::Histogram { bounds, counts }) => {
            quantile(millionths(*at), bounds, counts).ok_or_else(|| "no requests".to_owned())
        }
        (Reading::Gauge { .. }, Sample::Gauge { mean, n }) if mean.is_finite() && *n > 0 => {
            Ok((*mean, u64::from(*n)))
        }
        _ => Err("not what the metric reads".to_owned()),
    }
}

/// A quantile of a histogram by linear interpolation within its bucket, as Prometheus'
/// `histogram_quantile` does it: the lowest bucket begins at 0, and a quantile in the last,
/// unbounded bucket is the bound below it. Returns it with the number of values.
fn quantile(q: f64, bounds: &[f64], counts: &[u64]) -> Option<(f64, u64)> {
    let total: u64 = counts.iter().sum();
    if total == 0 || bounds.len() + 1 != counts.len() {
        return None;
    }
    let rank = q * total as f64;
    let mut below = 0u64;
    for (n, count) in counts.iter().enumerate() {
        let upto = below + count;
        if upto as f64 >= rank && *count > 0 {
            let from = if n == 0 { 0.0 } else { bounds[n - 1] };
            let Some(bound) = bounds.get(n) else {
                return Some((from, total));
            };
            let part = (rank - below as f64) / *count as f64;
            return Some((from + (bound - from) * part.clamp(0.0, 1.0), total));
        }
        below = upto;
    }
    None
}
