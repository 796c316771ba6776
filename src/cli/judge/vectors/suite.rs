//! The sections of Kayenta's own cases.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::compare::{Checked, Fault, all_near, malformed, near, same};
use super::kayenta::{Judged, score_of};
use super::{Outcome, Section};
use crate::cli::judge::json::{Num, Ordered, Point, points, sign, words};
use crate::domain::Notice;
use crate::judge::kayenta::classify::{
    Class, Config, Side, mann_whitney as by_ranks, mean_inequality,
};
use crate::judge::kayenta::rank::Ranked;
use crate::judge::kayenta::stats::{
    Detector, Measure, Nan, effect, outliers, percentile, summary, without_nan, without_outliers,
};
use crate::judge::numeric::normal_quantile;

/// Where a case names no tolerance.
const TOLERANCE: f64 = 1e-9;

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Judge {
    MannWhitney,
    MeanInequality,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Classifier {
    #[serde(rename = "note", default)]
    _note: Option<String>,
    #[serde(rename = "name", default)]
    _name: Option<String>,
    judge: Judge,
    experiment: Vec<Point>,
    control: Vec<Point>,
    config: ClassifierConfig,
    expected: Expectation,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct ClassifierConfig {
    tolerance: Option<Num>,
    conf_level: Option<Num>,
    effect_size_thresholds: Option<[Num; 2]>,
    critical_thresholds: Option<[Num; 2]>,
    effect_size_measure: Option<Measure>,
    direction: Option<Side>,
    nan_strategy: Option<Nan>,
    is_critical_metric: Option<bool>,
    is_data_required: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expectation {
    classification: Option<Class>,
    critical: Option<bool>,
    ratio: Option<Num>,
    #[serde(default)]
    reason_non_empty: bool,
}

impl ClassifierConfig {
    fn config(&self) -> Config {
        let usual = Config::new(self.effect_size_measure.unwrap_or(Measure::MeanRatio));
        let number = |given: Option<Num>, usual: f64| given.map_or(usual, |given| given.0);
        let pair = |given: Option<[Num; 2]>, usual| given.map_or(usual, |[a, b]| (a.0, b.0));
        Config {
            direction: self.direction.unwrap_or(usual.direction),
            nan: self.nan_strategy.unwrap_or(usual.nan),
            critical: self.is_critical_metric.unwrap_or(false),
            must_have_data: self.is_data_required.unwrap_or(false),
            tolerance: number(self.tolerance, usual.tolerance),
            confidence: number(self.conf_level, usual.confidence),
            measure: usual.measure,
            allowed: pair(self.effect_size_thresholds, usual.allowed),
            critical_at: pair(self.critical_thresholds, usual.critical_at),
        }
    }
}

pub fn classifier(section: &Section<'_>) -> Result<Vec<Outcome>, Notice> {
    section.each(|case: &Classifier| {
        let config = case.config.config();
        let series = |given: &[Point]| without_nan(&points(given), config.nan);
        let (experiment, control) = (series(&case.experiment), series(&case.control));
        let found = match case.judge {
            Judge::MannWhitney => by_ranks(&experiment, &control, &config),
            Judge::MeanInequality => mean_inequality(&experiment, &control, &config),
        };
        let expected = &case.expected;
        if let Some(class) = &expected.classification {
            same("classification", &found.class, class)?;
        }
        if let Some(critical) = &expected.critical {
            same("critical", &found.critical, critical)?;
        }
        if let Some(ratio) = expected.ratio {
            near("ratio", found.ratio, ratio.0, TOLERANCE)?;
        }
        if expected.reason_non_empty {
            same(
                "whether there is a reason",
                &!found.reason.is_empty(),
                &true,
            )?;
        }
        Ok(())
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ranks<'a> {
    #[serde(rename = "name", default)]
    _name: Option<String>,
    x: Option<Vec<Point>>,
    y: Option<Vec<Point>>,
    experiment: Option<Vec<Point>>,
    control: Option<Vec<Point>>,
    confidence: Option<Num>,
    inverse_normal_at: Option<Num>,
    #[serde(borrow)]
    expected: &'a RawValue,
    tolerance: Option<Num>,
    tolerance_estimate: Option<Num>,
    #[serde(rename = "note", default)]
    _note: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AtShift {
    mu: Num,
    quantile: Num,
    value: Num,
}

/// What the interval's root search is said to see on its way.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Interval {
    lower: Option<Num>,
    upper: Option<Num>,
    estimate: Option<Num>,
    mu_min: Option<Num>,
    mu_max: Option<Num>,
    z_lower: Option<Num>,
    z_upper: Option<Num>,
    f_lower_at_z_lower: Option<Num>,
    f_upper_at_z_lower: Option<Num>,
    f_lower_at_z_upper: Option<Num>,
    f_upper_at_z_upper: Option<Num>,
}

/// Reads what is expected in one of its shapes.
fn expected<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Result<T, Fault> {
    let wrong =
        |error: serde_json::Error| Fault::Malformed(format!("`expected`: {}", words(&error).0));
    serde_json::from_str(raw.get()).map_err(wrong)
}

pub fn mann_whitney(section: &Section<'_>) -> Result<Vec<Outcome>, Notice> {
    section.each(|case: &Ranks<'_>| ranks(case))
}

fn ranks(case: &Ranks<'_>) -> Checked {
    let tolerance = case.tolerance.map_or(TOLERANCE, |given| given.0);
    if let Some(p) = case.inverse_normal_at {
        let should: Num = expected(case.expected)?;
        return near("the quantile", normal_quantile(p.0), should.0, tolerance);
    }
    let x = case.experiment.as_ref().or(case.x.as_ref());
    let y = case.control.as_ref().or(case.y.as_ref());
    let (Some(x), Some(y)) = (x, y) else {
        return malformed("two samples are needed: `experiment` and `control`, or `x` and `y`");
    };
    let sample = |series: &[Point]| without_nan(&points(series), Nan::Remove);
    let (x, y) = (sample(x), sample(y));
    if x.is_empty() || y.is_empty() {
        return malformed("a sample is empty");
    }
    let ranked = Ranked::new(&x, &y);
    if sign(case.expected) == b'[' {
        let each: Vec<AtShift> = expected(case.expected)?;
        for (index, at) in each.iter().enumerate() {
            let is = ranked.z(at.mu.0) - at.quantile.0;
            near(&format!("value[{index}]"), is, at.value.0, tolerance)?;
        }
        return Ok(());
    }
    interval(case, &ranked, tolerance)
}

fn interval(case: &Ranks<'_>, ranked: &Ranked, tolerance: f64) -> Checked {
    let should: Interval = expected(case.expected)?;
    let confidence = case.confidence.map_or(0.98, |given| given.0);
    if !(0.0..1.0).contains(&confidence) {
        return malformed(format!("{confidence} is no confidence"));
    }
    let Some(shift) = ranked.shift(confidence) else {
        return Err(Fault::Differs(
            "there is no spread to measure by".to_owned(),
        ));
    };
    let q = normal_quantile(1.0 - (1.0 - confidence) / 2.0);
    let (low, high) = ranked.range();
    let of_estimate = case.tolerance_estimate.map_or(tolerance, |given| given.0);
    for (what, is, should, tolerance) in [
        ("lower", shift.lower, should.lower, tolerance),
        ("upper", shift.upper, should.upper, tolerance),
        ("estimate", shift.estimate, should.estimate, of_estimate),
        ("mu_min", low, should.mu_min, tolerance),
        ("mu_max", high, should.mu_max, tolerance),
        ("z_lower", q, should.z_lower, tolerance),
        ("z_upper", -q, should.z_upper, tolerance),
        (
            "f_lower_at_z_lower",
            ranked.z(low) - q,
            should.f_lower_at_z_lower,
            tolerance,
        ),
        (
            "f_upper_at_z_lower",
            ranked.z(high) - q,
            should.f_upper_at_z_lower,
            tolerance,
        ),
        (
            "f_lower_at_z_upper",
            ranked.z(low) + q,
            should.f_lower_at_z_upper,
            tolerance,
        ),
        (
            "f_upper_at_z_upper",
            ranked.z(high) + q,
            should.f_upper_at_z_upper,
            tolerance,
        ),
    ] {
        if let Some(should) = should {
            near(what, is, should.0, tolerance)?;
        }
    }
    Ok(())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Statistics<'a> {
    #[serde(rename = "note", default)]
    _note: Option<String>,
    #[serde(rename = "name", default)]
    _name: Option<String>,
    values: Option<Vec<Point>>,
    percentiles: Option<Vec<Percentile>>,
    experiment: Option<Vec<Point>>,
    control: Option<Vec<Point>>,
    measure: Option<Measure>,
    #[serde(borrow)]
    expected: Option<&'a RawValue>,
    tolerance: Option<Num>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Percentile {
    p: Num,
    value: Num,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Summed {
    min: Option<Num>,
    max: Option<Num>,
    mean: Option<Num>,
    std: Option<Num>,
    count: Option<usize>,
}

pub fn statistics(section: &Section<'_>) -> Result<Vec<Outcome>, Notice> {
    section.each(|case: &Statistics<'_>| {
        let tolerance = case.tolerance.map_or(TOLERANCE, |given| given.0);
        if let (Some(experiment), Some(control)) = (&case.experiment, &case.control) {
            let Some(raw) = case.expected else {
                return malformed("`expected` is missing");
            };
            let should: Num = expected(raw)?;
            let measure = case.measure.unwrap_or(Measure::MeanRatio);
            let is = effect(&points(experiment), &points(control), measure);
            return near("the effect", is, should.0, tolerance);
        }
        let Some(values) = &case.values else {
            return malformed("neither `values` nor `experiment` and `control` are given");
        };
        let values = points(values);
        for (index, wanted) in case.percentiles.iter().flatten().enumerate() {
            let is = percentile(&values, wanted.p.0);
            near(
                &format!("percentiles[{index}]"),
                is,
                wanted.value.0,
                tolerance,
            )?;
        }
        match case.expected {
            Some(raw) => summed(&values, &expected(raw)?, tolerance),
            None => Ok(()),
        }
    })
}

fn summed(values: &[f64], should: &Summed, tolerance: f64) -> Checked {
    let is = summary(values);
    for (what, is, should) in [
        ("min", is.min, should.min),
        ("max", is.max, should.max),
        ("mean", is.mean, should.mean),
        ("std", is.std, should.std),
    ] {
        if let Some(should) = should {
            near(what, is, should.0, tolerance)?;
        }
    }
    match should.count {
        Some(count) => same("count", &is.count, &count),
        None => Ok(()),
    }
}

#[derive(Clone, Copy, Deserialize)]
enum DetectorName {
    KSigma,
    #[serde(rename = "IQR", alias = "Iqr")]
    Iqr,
}

impl DetectorName {
    fn with(self, parameter: Option<Num>, reduce_sensitivity: bool) -> Detector {
        match self {
            DetectorName::KSigma => Detector::KSigma(parameter.map_or(3.0, |given| given.0)),
            DetectorName::Iqr => Detector::Iqr {
                factor: parameter.map_or(1.5, |given| given.0),
                reduce_sensitivity,
            },
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Outliers {
    #[serde(rename = "note", default)]
    _note: Option<String>,
    #[serde(rename = "name", default)]
    _name: Option<String>,
    detector: DetectorName,
    parameter: Option<Num>,
    #[serde(rename = "reduceSensitivity", default)]
    reduce_sensitivity: bool,
    values: Vec<Point>,
    outlier: Vec<bool>,
}

pub fn detectors(section: &Section<'_>) -> Result<Vec<Outcome>, Notice> {
    section.each(|case: &Outliers| {
        let detector = case.detector.with(case.parameter, case.reduce_sensitivity);
        same(
            "outlier",
            &outliers(&points(&case.values), detector),
            &case.outlier,
        )
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Transform {
    #[serde(default)]
    name: String,
    detector: Option<DetectorName>,
    parameter: Option<Num>,
    #[serde(rename = "reduceSensitivity", default)]
    reduce_sensitivity: bool,
    nan: Option<Nan>,
    values: Vec<Point>,
    result: Vec<Point>,
}

/// What is done stands in the name where no field says it, as in Kayenta's suite.
pub fn transforms(section: &Section<'_>) -> Result<Vec<Outcome>, Notice> {
    section.each(|case: &Transform| {
        let name = case.name.to_lowercase();
        let detector = match case.detector {
            None if name.contains("iqr") => Some(DetectorName::Iqr),
            None if name.contains("ksigma") => Some(DetectorName::KSigma),
            given => given,
        };
        let nan = case.nan.unwrap_or(if name.contains("replace") {
            Nan::Replace
        } else {
            Nan::Remove
        });
        let mut is = without_nan(&points(&case.values), nan);
        if let Some(detector) = detector {
            is = without_outliers(&is, detector.with(case.parameter, case.reduce_sensitivity));
        }
        all_near("result", &is, &points(&case.result), 0.0)
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scorer {
    #[serde(rename = "note", default)]
    _note: Option<String>,
    #[serde(rename = "name", default)]
    _name: Option<String>,
    #[serde(default)]
    group_weights: Ordered<Num>,
    results: Vec<Judged>,
    expected_score: Num,
    expected_group_scores_sorted: Option<Vec<Num>>,
}

pub fn scorer(section: &Section<'_>) -> Result<Vec<Outcome>, Notice> {
    section.each(|case: &Scorer| {
        let found = score_of(&case.results, &case.group_weights);
        near("score", found.score, case.expected_score.0, TOLERANCE)?;
        let Some(should) = &case.expected_group_scores_sorted else {
            return Ok(());
        };
        let mut groups: Vec<f64> = found.groups.iter().map(|(_, score)| *score).collect();
        groups.sort_unstable_by(f64::total_cmp);
        let should: Vec<f64> = should.iter().map(|score| score.0).collect();
        all_near("the group scores", &groups, &should, TOLERANCE)
    })
}
