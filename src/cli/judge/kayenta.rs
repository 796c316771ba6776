//! `judge --compat kayenta`: a Kayenta canary config on recorded series.

use schemars::JsonSchema;
use serde::Deserialize;
use serde::Serialize;
use serde_json::value::RawValue;

use super::json::{File, Num, Ordered, Point, points, sign};
use crate::cli::view::line;
use crate::domain::Notice;
use crate::domain::text::printable;
use crate::judge::kayenta::classify::{Classified, Config, FEW, Side, mann_whitney};
use crate::judge::kayenta::score::{Scored, score};
use crate::judge::kayenta::stats::{Detector, Measure, Nan, without_nan, without_outliers};
use crate::judge::words::significant;

/// What of a canary config says how to judge; the rest says where to read and is passed over.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Canary {
    metrics: Vec<MetricConfig>,
    #[serde(default)]
    classifier: Classifier,
    judge: Option<JudgeConfig>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MetricConfig {
    name: String,
    #[serde(default)]
    groups: Vec<String>,
    #[serde(default)]
    analysis_configurations: Analysis,
}

#[derive(Default, Deserialize)]
struct Analysis {
    #[serde(default)]
    canary: Rules,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Rules {
    direction: Option<Side>,
    nan_strategy: Option<Nan>,
    critical: bool,
    must_have_data: bool,
    muted: bool,
    outliers: Outliers,
    effect_size: Effect,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Outliers {
    strategy: Option<Strategy>,
    outlier_factor: Option<Amount>,
}

#[derive(Clone, Copy, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Strategy {
    Keep,
    Remove,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Effect {
    measure: Option<Measure>,
    allowed_increase: Option<Finite>,
    allowed_decrease: Option<Finite>,
    critical_increase: Option<Finite>,
    critical_decrease: Option<Finite>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Classifier {
    group_weights: Ordered<Amount>,
    score_thresholds: Thresholds,
}

#[derive(Deserialize)]
struct Thresholds {
    pass: Finite,
    marginal: Finite,
}

impl Default for Thresholds {
    fn default() -> Thresholds {
        Thresholds {
            pass: Finite(95.0),
            marginal: Finite(75.0),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JudgeConfig {
    #[serde(default)]
    judge_configurations: JudgeRules,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct JudgeRules {
    tolerance: Option<Amount>,
    conf_level: Option<Confidence>,
}

/// A number, neither NaN nor infinite.
#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "Num")]
struct Finite(f64);

/// The same, from 0 to 1e12, so that sums of them are numbers too.
#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "Num")]
struct Amount(f64);

/// The same, between 0 and 1.
#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "Num")]
struct Confidence(f64);

impl TryFrom<Num> for Finite {
    type Error = String;

    fn try_from(number: Num) -> Result<Finite, String> {
        let finite = number.0.is_finite().then_some(Finite(number.0));
        finite.ok_or_else(|| format!("{} where a number is needed", number.0))
    }
}

impl TryFrom<Num> for Amount {
    type Error = String;

    fn try_from(number: Num) -> Result<Amount, String> {
        let amount = (0.0..=1e12).contains(&number.0).then_some(Amount(number.0));
        amount.ok_or_else(|| format!("{} where a number from 0 to 1e12 is needed", number.0))
    }
}

impl TryFrom<Num> for Confidence {
    type Error = String;

    fn try_from(number: Num) -> Result<Confidence, String> {
        let sound = number.0 > 0.0 && number.0 < 1.0;
        let confidence = sound.then_some(Confidence(number.0));
        confidence
            .ok_or_else(|| format!("{} is no confidence: one is above 0 and below 1", number.0))
    }
}

/// Recorded series by metric.
#[derive(Deserialize)]
struct Series<'a> {
    #[serde(borrow)]
    metrics: Ordered<Pair<'a>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pair<'a> {
    #[serde(borrow)]
    control: &'a RawValue,
    #[serde(borrow)]
    experiment: &'a RawValue,
}

/// Kayenta's own shape of recorded series; the rest of it is passed over.
#[derive(Deserialize)]
struct PairOf<'a> {
    name: String,
    #[serde(borrow)]
    values: Pair<'a>,
}

/// What Kayenta's judge says.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "holdpoint.judge-kayenta/1")]
pub struct KayentaView {
    /// `holdpoint.judge-kayenta/1`.
    pub schema: &'static str,
    /// 0 to 100.
    pub score: f64,
    /// `Pass`, `Marginal` or `Fail`.
    pub classification: &'static str,
    /// Why the score is 0 whatever the groups say.
    pub reason: &'static str,
    /// The groups.
    pub groups: Vec<GroupView>,
    /// The metrics.
    pub metrics: Vec<ClassView>,
}

/// A group's score.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct GroupView {
    /// Its name.
    pub name: String,
    /// 0 to 100.
    pub score: f64,
}

/// A metric's class.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ClassView {
    /// Its name.
    pub name: String,
    /// Kayenta's word.
    pub classification: &'static str,
    /// Whether it fails the whole canary alone.
    pub critical: bool,
    /// The ratio of the means, canary by baseline; `null` where it cannot be computed.
    pub ratio: Option<f64>,
    /// The interval of the shift, where one was computed.
    pub lower: Option<f64>,
    /// Its upper end.
    pub upper: Option<f64>,
    /// The shift, in the metric's unit.
    pub estimate: Option<f64>,
    /// What makes the class doubtful; else empty.
    pub doubt: String,
}

/// Judges recorded series by a canary config.
///
/// # Errors
/// The first mistake, with its place.
pub fn judge(config: &File<'_>, series: &File<'_>, json: bool) -> Result<String, Notice> {
    let canary: Canary = config.read(config.text, "")?;
    let given = pairs(series)?;
    let mut views = Vec::new();
    let mut scored = Vec::new();
    for metric in &canary.metrics {
        let shown = printable(&metric.name, 200);
        let found = given.iter().find(|(name, _)| *name == metric.name);
        let Some((_, pair)) = found else {
            let file = printable(series.name, 200);
            return Err(config
                .at(0, format!("metric `{shown}` has no series in {file}"))
                .next("record it, with an empty list where nothing was read"));
        };
        let arm = |raw: &RawValue, arm: &str| -> Result<Vec<f64>, Notice> {
            let values: Vec<Point> = serde_json::from_str(raw.get())
                .map_err(|error| series.mistake(raw.get(), &error, &format!("{shown}, {arm}")))?;
            let values = points(&values);
            if values.iter().any(|value| value.is_infinite()) {
                let headline = format!("{shown}, {arm}: a value is infinite");
                return Err(series.about(raw.get(), headline));
            }
            Ok(values)
        };
        let (experiment, control) = (
            arm(pair.experiment, "experiment")?,
            arm(pair.control, "control")?,
        );
        let rules = &metric.analysis_configurations.canary;
        let (class, few) = classify(&experiment, &control, rules, canary.judge.as_ref());
        scored.push(Scored {
            class: class.class,
            groups: metric.groups.clone(),
            critical: class.critical,
            muted: rules.muted,
        });
        views.push(view(shown, &class, few));
    }
    let weights = canary.classifier.group_weights.0.iter();
    let weights: Vec<(String, f64)> = weights
        .map(|(name, weight)| (name.clone(), weight.0))
        .collect();
    let score = score(&scored, &weights);
    let thresholds = &canary.classifier.score_thresholds;
    let whole = KayentaView {
        schema: "holdpoint.judge-kayenta/1",
        score: score.score,
        classification: score.grade(thresholds.pass.0, thresholds.marginal.0).word(),
        reason: score.reason,
        groups: score
            .groups
            .iter()
            .map(|(name, score)| GroupView {
                name: printable(name, 200),
                score: *score,
            })
            .collect(),
        metrics: views,
    };
    Ok(if json { line(&whole) } else { words(&whole) })
}

/// Recorded series: an object of metrics, or Kayenta's list of pairs.
fn pairs<'a>(file: &File<'a>) -> Result<Vec<(String, Pair<'a>)>, Notice> {
    let raw: &RawValue = file.read(file.text, "")?;
    if sign(raw) == b'[' {
        let list: Vec<PairOf<'a>> = file.read(raw.get(), "")?;
        return Ok(list.into_iter().map(|one| (one.name, one.values)).collect());
    }
    let series: Series<'a> = file.read(raw.get(), "")?;
    Ok(series.metrics.0)
}

fn classify(
    experiment: &[f64],
    control: &[f64],
    rules: &Rules,
    judge: Option<&JudgeConfig>,
) -> (Classified, bool) {
    let effect = &rules.effect_size;
    let mut config = Config::new(effect.measure.unwrap_or(Measure::MeanRatio));
    config.direction = rules.direction.unwrap_or(config.direction);
    config.nan = rules.nan_strategy.unwrap_or(config.nan);
    config.critical = rules.critical;
    config.must_have_data = rules.must_have_data;
    let number = |given: Option<Finite>, usual: f64| given.map_or(usual, |given| given.0);
    config.allowed = (
        number(effect.allowed_decrease, config.allowed.0),
        number(effect.allowed_increase, config.allowed.1),
    );
    config.critical_at = (
        number(effect.critical_decrease, config.critical_at.0),
        number(effect.critical_increase, config.critical_at.1),
    );
    if let Some(judge) = judge {
        let given = &judge.judge_configurations;
        config.tolerance = given.tolerance.map_or(config.tolerance, |given| given.0);
        config.confidence = given.conf_level.map_or(config.confidence, |given| given.0);
    }
    let used = |values: &[f64]| {
        let values = without_nan(values, config.nan);
        if rules.outliers.strategy != Some(Strategy::Remove) {
            return values;
        }
        let factor = rules.outliers.outlier_factor.map_or(3.0, |given| given.0);
        let detector = Detector::Iqr {
            factor,
            reduce_sensitivity: true,
        };
        without_outliers(&values, detector)
    };
    let (experiment, control) = (used(experiment), used(control));
    let few = experiment.len().min(control.len()) < FEW;
    (mann_whitney(&experiment, &control, &config), few)
}

fn view(name: String, class: &Classified, few: bool) -> ClassView {
    let doubt = if few && class.shift.is_some() {
        format!("fewer than {FEW} points in an arm: the class means little")
    } else {
        String::new()
    };
    ClassView {
        name,
        classification: class.class.word(),
        critical: class.critical,
        ratio: class.ratio.is_finite().then_some(class.ratio),
        lower: class.shift.map(|shift| shift.lower),
        upper: class.shift.map(|shift| shift.upper),
        estimate: class.shift.map(|shift| shift.estimate),
        doubt,
    }
}

fn words(view: &KayentaView) -> String {
    let mut text = String::new();
    for metric in &view.metrics {
        let critical = if metric.critical { " (critical)" } else { "" };
        text.push_str(&format!(
            "{}: {}{critical}",
            metric.name, metric.classification
        ));
        if let (Some(lower), Some(upper), Some(estimate)) =
            (metric.lower, metric.upper, metric.estimate)
        {
            text.push_str(&format!(
                ", shifted by {} (between {} and {})",
                significant(estimate, 3),
                significant(lower, 3),
                significant(upper, 3)
            ));
        }
        if let Some(ratio) = metric.ratio {
            text.push_str(&format!(", {}x", significant(ratio, 3)));
        }
        if !metric.doubt.is_empty() {
            text.push_str(&format!("; {}", metric.doubt));
        }
        text.push('\n');
    }
    for group in &view.groups {
        text.push_str(&format!(
            "group {}: {}\n",
            group.name,
            significant(group.score, 4)
        ));
    }
    let reason = match view.reason {
        "" => String::new(),
        reason => format!(" ({reason})"),
    };
    text.push_str(&format!(
        "score {}: {}{reason}\n",
        view.score, view.classification
    ));
    text
}
