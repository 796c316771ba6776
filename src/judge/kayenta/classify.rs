//! One metric: Pass, High, Low, Nodata. (The holdpoint judge, section 4.)

use serde::{Deserialize, Serialize};

use super::rank::{Ranked, Shift};
use super::stats::{Measure, Nan, effect, mean, mean_ratio};

/// Points per arm below which a class means nothing: the interval collapses to differences of extremes.
pub const FEW: usize = 10;

/// What a metric is found to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Class {
    /// Not different enough.
    Pass,
    /// Higher in the canary.
    High,
    /// Lower in the canary.
    Low,
    /// An arm gave nothing.
    Nodata,
    /// An arm gave nothing, and the metric must have data.
    NodataFailMetric,
    /// It could not be computed.
    Error,
}

impl Class {
    /// Kayenta's word.
    pub const fn word(self) -> &'static str {
        match self {
            Class::Pass => "Pass",
            Class::High => "High",
            Class::Low => "Low",
            Class::Nodata => "Nodata",
            Class::NodataFailMetric => "NodataFailMetric",
            Class::Error => "Error",
        }
    }
}

/// Which way is bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// Only more.
    Increase,
    /// Only less.
    Decrease,
    /// Both.
    Either,
}

impl Side {
    fn up(self) -> bool {
        self != Side::Decrease
    }

    fn down(self) -> bool {
        self != Side::Increase
    }
}

/// How a metric is judged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Config {
    /// Which way is bad.
    pub direction: Side,
    /// What is done with missing values.
    pub nan: Nan,
    /// Whether it fails the whole canary alone.
    pub critical: bool,
    /// Whether it fails without data.
    pub must_have_data: bool,
    /// The interval must be beyond so much of the estimate.
    pub tolerance: f64,
    /// The confidence of the interval.
    pub confidence: f64,
    /// How the effect is measured.
    pub measure: Measure,
    /// Effects that are no matter yet: a decrease and an increase.
    pub allowed: (f64, f64),
    /// Effects from which it is critical: a decrease and an increase.
    pub critical_at: (f64, f64),
}

impl Config {
    /// Kayenta's defaults for a measure.
    pub fn new(measure: Measure) -> Config {
        let neutral = match measure {
            Measure::Cles => 0.5,
            Measure::MeanRatio | Measure::CohenD => 1.0,
        };
        Config {
            direction: Side::Either,
            nan: Nan::Remove,
            critical: false,
            must_have_data: false,
            tolerance: 0.25,
            confidence: 0.98,
            measure,
            allowed: (neutral, neutral),
            critical_at: (neutral, neutral),
        }
    }
}

/// A metric judged.
#[derive(Clone, Debug, PartialEq)]
pub struct Classified {
    /// What it is.
    pub class: Class,
    /// Whether it fails the whole canary alone.
    pub critical: bool,
    /// The ratio of the means; 1 where nothing was compared.
    pub ratio: f64,
    /// The interval, where one was computed.
    pub shift: Option<Shift>,
    /// Why, in a sentence; empty for a pass.
    pub reason: String,
}

impl Classified {
    fn plain(class: Class, critical: bool, reason: &str) -> Classified {
        Classified {
            class,
            critical,
            ratio: 1.0,
            shift: None,
            reason: reason.to_owned(),
        }
    }
}

/// What an arm without values comes to.
fn without_data(config: &Config) -> Classified {
    match config.nan {
        Nan::Replace => Classified::plain(Class::Pass, false, ""),
        Nan::Remove if config.must_have_data && !config.critical => Classified::plain(
            Class::NodataFailMetric,
            false,
            "missing data for this metric",
        ),
        Nan::Remove => Classified::plain(
            Class::Nodata,
            config.critical,
            "missing data for this metric",
        ),
    }
}

/// Judges a metric by the Mann-Whitney test. Missing values and outliers are gone already.
pub fn mann_whitney(experiment: &[f64], control: &[f64], config: &Config) -> Classified {
    let (Some(new), Some(old)) = (experiment.first(), control.first()) else {
        return without_data(config);
    };
    let constant = |values: &[f64], value: f64| values.iter().all(|other| *other == value);
    let constants = constant(experiment, *new) && constant(control, *old);
    if (constants && new == old) || same(experiment, control) {
        return Classified::plain(Class::Pass, false, "");
    }
    let ranked = Ranked::new(experiment, control);
    let shift = if constants {
        // the limit of the jitter that keeps the test from dividing by 0
        let by = new - old;
        Some(Shift {
            lower: by,
            upper: by,
            estimate: by,
        })
    } else {
        ranked.shift(config.confidence)
    };
    let ratio = mean_ratio(experiment, control);
    let Some(shift) = shift else {
        return Classified {
            ratio,
            ..Classified::plain(Class::Error, false, "the test has no spread to measure by")
        };
    };
    let effect = match config.measure {
        Measure::MeanRatio => ratio,
        Measure::Cles => ranked.cles(),
        Measure::CohenD => effect(experiment, control, Measure::CohenD),
    };
    gate(shift, ratio, effect, config)
}

/// Whether two samples have the same values, in whatever order.
fn same(a: &[f64], b: &[f64]) -> bool {
    let sorted = |values: &[f64]| {
        let mut values = values.to_vec();
        values.sort_unstable_by(f64::total_cmp);
        values
    };
    a.len() == b.len() && sorted(a) == sorted(b)
}

fn gate(shift: Shift, ratio: f64, effect: f64, config: &Config) -> Classified {
    let bound = config.tolerance * shift.estimate.abs();
    // an effect that cannot be computed passes every gate
    let at_least = |limit: f64| effect.is_nan() || effect >= limit;
    let at_most = |limit: f64| effect.is_nan() || effect <= limit;
    let (class, critical) =
        if config.direction.up() && shift.lower > bound && at_least(config.allowed.1) {
            (
                Class::High,
                config.critical && at_least(config.critical_at.1),
            )
        } else if config.direction.down() && shift.upper < -bound && at_most(config.allowed.0) {
            (Class::Low, config.critical && at_most(config.critical_at.0))
        } else {
            (Class::Pass, false)
        };
    let reason = match class {
        Class::Pass => String::new(),
        _ => format!("the metric was classified as {}", class.word()),
    };
    Classified {
        class,
        critical,
        ratio,
        shift: Some(shift),
        reason,
    }
}

/// Judges a metric by its means alone, as a yardstick.
pub fn mean_inequality(experiment: &[f64], control: &[f64], config: &Config) -> Classified {
    if experiment.is_empty() || control.is_empty() {
        return without_data(config);
    }
    let (new, old) = (mean(experiment), mean(control));
    let (class, words) = if config.direction.up() && new > old {
        (Class::High, "the canary's mean is above the baseline's")
    } else if config.direction.down() && new < old {
        (Class::Low, "the canary's mean is below the baseline's")
    } else {
        return Classified::plain(Class::Pass, false, "");
    };
    Classified {
        ratio: new / old,
        ..Classified::plain(class, config.critical, words)
    }
}
