//! Summaries, effect sizes, outliers and missing values as Kayenta takes them.

use serde::{Deserialize, Serialize};

use super::rank::Ranked;

/// The mean; NaN of nothing.
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn squares(values: &[f64]) -> f64 {
    let mean = mean(values);
    values.iter().map(|value| (value - mean).powi(2)).sum()
}

/// A sample in a few numbers; all 0 of nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Summary {
    /// How many values.
    pub count: usize,
    /// Their mean.
    pub mean: f64,
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
    /// Their standard deviation over `count - 1`; 0 of a single one.
    pub std: f64,
}

/// A sample in a few numbers.
pub fn summary(values: &[f64]) -> Summary {
    if values.is_empty() {
        return Summary::default();
    }
    let std = if values.len() == 1 {
        0.0
    } else {
        (squares(values) / (values.len() - 1) as f64).sqrt()
    };
    Summary {
        count: values.len(),
        mean: mean(values),
        min: values.iter().copied().fold(f64::INFINITY, f64::min),
        max: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        std,
    }
}

/// The percentile (0 to 100) by linear interpolation between order statistics (R's type 7); 0 of nothing.
pub fn percentile(values: &[f64], p: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    of_sorted(&sorted, p)
}

fn of_sorted(sorted: &[f64], p: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else {
        return 0.0;
    };
    let place = last as f64 * (p / 100.0).clamp(0.0, 1.0);
    let below = (place.floor() as usize).min(last);
    let above = (below + 1).min(last);
    sorted[below] + (place - below as f64) * (sorted[above] - sorted[below])
}

/// How an effect is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Measure {
    /// The ratio of the means.
    #[serde(rename = "meanRatio")]
    MeanRatio,
    /// The chance that a canary's value is the larger.
    #[serde(rename = "cles")]
    Cles,
    /// The difference of the means by the pooled standard deviation; no gate, for display.
    #[serde(rename = "cohenD")]
    CohenD,
}

/// The ratio of the means, canary by baseline; NaN where either is 0.
pub fn mean_ratio(experiment: &[f64], control: &[f64]) -> f64 {
    let (new, old) = (mean(experiment), mean(control));
    if new == 0.0 || old == 0.0 {
        f64::NAN
    } else {
        new / old
    }
}

/// The effect of the canary against the baseline.
pub fn effect(experiment: &[f64], control: &[f64], measure: Measure) -> f64 {
    match measure {
        Measure::MeanRatio => mean_ratio(experiment, control),
        Measure::Cles => Ranked::new(experiment, control).cles(),
        Measure::CohenD => {
            let free = (experiment.len() + control.len()).saturating_sub(2) as f64;
            let pooled = ((squares(experiment) + squares(control)) / free).sqrt();
            (mean(experiment) - mean(control)).abs() / pooled
        }
    }
}

/// How outliers are found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Detector {
    /// Further from the mean than so many standard deviations of the population.
    KSigma(f64),
    /// Beyond the quartiles by so many interquartile ranges; less sensitive, also beyond the 1st and
    /// 99th percentile.
    Iqr {
        /// How many ranges.
        factor: f64,
        /// Whether to spare what is within the percentiles.
        reduce_sensitivity: bool,
    },
}

/// For every value whether it is an outlier.
pub fn outliers(values: &[f64], detector: Detector) -> Vec<bool> {
    if values.is_empty() {
        return Vec::new();
    }
    let (low, high) = match detector {
        Detector::KSigma(k) => {
            let mean = mean(values);
            let far = (squares(values) / values.len() as f64).sqrt() * k;
            return values
                .iter()
                .map(|value| (value - mean).abs() > far)
                .collect();
        }
        Detector::Iqr {
            factor,
            reduce_sensitivity,
        } => {
            let mut sorted = values.to_vec();
            sorted.sort_unstable_by(f64::total_cmp);
            let at = |p: f64| of_sorted(&sorted, p);
            let range = at(75.0) - at(25.0);
            let (low, high) = (at(25.0) - factor * range, at(75.0) + factor * range);
            if reduce_sensitivity {
                (low.min(at(1.0)), high.max(at(99.0)))
            } else {
                (low, high)
            }
        }
    };
    let beyond = |value: &f64| *value < low || *value > high;
    values.iter().map(beyond).collect()
}

/// The values that are no outliers.
pub fn without_outliers(values: &[f64], detector: Detector) -> Vec<f64> {
    let flags = outliers(values, detector);
    let kept = values.iter().zip(flags).filter(|(_, out)| !out);
    kept.map(|(value, _)| *value).collect()
}

/// What to do with missing values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Nan {
    /// Leave them out.
    Remove,
    /// Take them for 0.
    Replace,
}

/// The values with missing ones left out or taken for 0.
pub fn without_nan(values: &[f64], nan: Nan) -> Vec<f64> {
    match nan {
        Nan::Remove => values.iter().copied().filter(|v| !v.is_nan()).collect(),
        Nan::Replace => {
            let zeroed = |v: &f64| if v.is_nan() { 0.0 } else { *v };
            values.iter().map(zeroed).collect()
        }
    }
}
