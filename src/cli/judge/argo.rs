//! `judge --compat argo`: the metrics of an AnalysisTemplate on recorded measurements.

use schemars::JsonSchema;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::json::{File, Ordered};
use crate::cli::view::line;
use crate::config::located::{Doc, Format};
use crate::domain::Notice;
use crate::domain::text::printable;
use crate::judge::argo::{Limits, Metric, Phase, measurement, worst};
use crate::judge::condition::{Condition, Value};

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Template {
    #[serde(rename = "apiVersion")]
    _api_version: Option<IgnoredAny>,
    #[serde(rename = "kind")]
    _kind: Option<IgnoredAny>,
    #[serde(rename = "metadata")]
    _metadata: Option<IgnoredAny>,
    spec: Spec,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Spec {
    metrics: Vec<Given>,
    #[serde(rename = "args")]
    _args: Option<IgnoredAny>,
    #[serde(default)]
    dry_run: Vec<DryRun>,
    #[serde(rename = "measurementRetention")]
    _measurement_retention: Option<IgnoredAny>,
    #[serde(rename = "ttlStrategy")]
    _ttl_strategy: Option<IgnoredAny>,
    #[serde(rename = "templates")]
    _templates: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct DryRun {
    metric_name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Given {
    name: String,
    success_condition: Option<String>,
    failure_condition: Option<String>,
    failure_limit: Option<Whole>,
    inconclusive_limit: Option<Whole>,
    consecutive_error_limit: Option<Whole>,
    consecutive_success_limit: Option<Whole>,
    count: Option<Whole>,
    interval: Option<String>,
    #[serde(rename = "initialDelay")]
    _initial_delay: Option<IgnoredAny>,
    #[serde(rename = "provider")]
    _provider: Option<IgnoredAny>,
}

/// A number, or a text that is one, as Kubernetes writes them.
#[derive(Deserialize)]
#[serde(untagged)]
enum Whole {
    Number(i64),
    Text(String),
}

impl Whole {
    fn number(&self) -> Option<i64> {
        match self {
            Whole::Number(number) => Some(*number),
            Whole::Text(text) => text.trim().parse().ok(),
        }
    }
}

/// Measurements by metric.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Measured {
    metrics: Ordered<Vec<serde_json::Value>>,
}

/// What Argo Rollouts would say.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "holdpoint.judge-argo/1")]
pub struct ArgoView {
    /// `holdpoint.judge-argo/1`.
    pub schema: &'static str,
    /// The phase of the run.
    pub phase: &'static str,
    /// What follows: `go on`, `pause`, `abort`, or `wait` while it runs.
    pub leads_to: &'static str,
    /// The metrics.
    pub metrics: Vec<PhaseView>,
}

/// A metric of a run.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct PhaseView {
    /// Its name.
    pub name: String,
    /// Its phase at the end.
    pub phase: &'static str,
    /// Whether it counts for the run.
    pub dry_run: bool,
    /// What each measurement was.
    pub measurements: Vec<&'static str>,
    /// Its phase after each.
    pub phases: Vec<&'static str>,
    /// Why measurements could not be judged, the last of them; else empty.
    pub error: String,
}

/// A metric that runs.
struct Running {
    metric: Metric,
    success: Option<Condition>,
    failure: Option<Condition>,
    dry_run: bool,
    values: Vec<Value>,
    view: PhaseView,
}

/// Runs the template's metrics on recorded measurements.
///
/// # Errors
/// Everything that is wrong with the template, or the first mistake in the measurements.
pub fn judge(config: &File<'_>, measured: &File<'_>, json: bool) -> Result<String, Vec<Notice>> {
    let doc = Doc::parse(config.name, config.text, Format::Yaml)?;
    let template: Template = doc.read()?;
    let given: Measured = measured.read(measured.text, "").map_err(|one| vec![one])?;
    let mut running = Vec::new();
    let mut wrong = Vec::new();
    let mut dry = Vec::new();
    for (index, given) in template.spec.dry_run.iter().enumerate() {
        match regex::Regex::new(&format!("^(?:{})$", given.metric_name)) {
            Ok(pattern) => dry.push(pattern),
            Err(_) => wrong.push(doc.notice(
                &format!("spec.dryRun[{index}].metricName"),
                "bad-template",
                "this is neither a name nor a pattern",
            )),
        }
    }
    for (index, metric) in template.spec.metrics.iter().enumerate() {
        match ready(&doc, index, metric, &dry) {
            Ok(mut ready) => {
                let Some(values) = given.metrics.get(&metric.name) else {
                    let name = printable(&metric.name, 60);
                    wrong.push(measured.at(0, format!("metric `{name}` has no measurements")));
                    continue;
                };
                ready.values = values.iter().map(value).collect();
                running.push(ready);
            }
            Err(notice) => wrong.push(notice),
        }
    }
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let view = run(running);
    Ok(if json { line(&view) } else { words(&view) })
}

/// A metric with its conditions read.
fn ready(doc: &Doc, index: usize, given: &Given, dry: &[regex::Regex]) -> Result<Running, Notice> {
    let condition = |key: &str, text: &Option<String>| {
        let Some(text) = text.as_ref().filter(|text| !text.trim().is_empty()) else {
            return Ok(None);
        };
        Condition::parse(text).map(Some).map_err(|fault| {
            let path = format!("spec.metrics[{index}].{key}");
            doc.notice(
                &path,
                "bad-condition",
                &format!("this condition cannot be read: {fault}"),
            )
        })
    };
    let usual = Limits::default();
    let whole = |key: &str, given: &Option<Whole>| match given {
        None => Ok(None),
        Some(given) => given.number().map(Some).ok_or_else(|| {
            let path = format!("spec.metrics[{index}].{key}");
            doc.notice(&path, "bad-template", "this is no whole number")
        }),
    };
    let dry_run = dry.iter().any(|pattern| pattern.is_match(&given.name));
    let limits = Limits {
        failure: whole("failureLimit", &given.failure_limit)?.unwrap_or(usual.failure),
        inconclusive: whole("inconclusiveLimit", &given.inconclusive_limit)?
            .unwrap_or(usual.inconclusive),
        consecutive_error: whole("consecutiveErrorLimit", &given.consecutive_error_limit)?
            .unwrap_or(usual.consecutive_error),
        consecutive_success: whole("consecutiveSuccessLimit", &given.consecutive_success_limit)?
            .unwrap_or(usual.consecutive_success),
        count: whole("count", &given.count)?.filter(|count| *count > 0),
        interval: given.interval.is_some(),
    };
    let name = printable(&given.name, 200);
    Ok(Running {
        metric: Metric::new(limits),
        success: condition("successCondition", &given.success_condition)?,
        failure: condition("failureCondition", &given.failure_condition)?,
        dry_run,
        values: Vec::new(),
        view: PhaseView {
            name,
            phase: Phase::Running.word(),
            dry_run,
            measurements: Vec::new(),
            phases: Vec::new(),
            error: String::new(),
        },
    })
}

/// All metrics, a measurement of each at a time; the first that does not succeed ends the run.
fn run(mut running: Vec<Running>) -> ArgoView {
    let most = running
        .iter()
        .map(|one| one.values.len())
        .max()
        .unwrap_or(0);
    let mut ended = false;
    for at in 0..most {
        if ended {
            break;
        }
        for one in &mut running {
            if one.metric.phase().is_final() || at >= one.values.len() {
                continue;
            }
            let measured = match one.measure(at) {
                Ok(phase) => phase,
                Err(why) => {
                    one.view.error = printable(&why, 200);
                    Phase::Error
                }
            };
            one.view.measurements.push(measured.word());
            let phase = one.metric.take(measured);
            one.view.phases.push(phase.word());
            ended |= !one.dry_run && phase.is_final() && phase != Phase::Successful;
        }
    }
    let phase = |one: &Running| match one.metric.phase() {
        Phase::Running if ended => Phase::Successful,
        phase => phase,
    };
    let whole = worst(running.iter().filter(|one| !one.dry_run).map(phase));
    ArgoView {
        schema: "holdpoint.judge-argo/1",
        phase: whole.word(),
        leads_to: match whole {
            Phase::Successful => "go on",
            Phase::Running | Phase::Pending => "wait",
            Phase::Inconclusive => "pause",
            Phase::Error | Phase::Failed => "abort",
        },
        metrics: running
            .iter()
            .map(|one| PhaseView {
                phase: phase(one).word(),
                ..one.view.clone()
            })
            .collect(),
    }
}

impl Running {
    fn measure(&self, at: usize) -> Result<Phase, String> {
        let value = &self.values[at];
        if let Value::Object(fields) = value
            && let Some((_, Value::Text(why))) = fields.iter().find(|(name, _)| name == "error")
        {
            return Err(why.clone());
        }
        let holds = |condition: &Option<Condition>| {
            let holds = condition.as_ref().map(|condition| condition.holds(value));
            holds.transpose().map_err(|fault| fault.to_string())
        };
        Ok(measurement(holds(&self.success)?, holds(&self.failure)?))
    }
}

/// A measurement as conditions see it; NaN and infinities are written as text.
fn value(json: &serde_json::Value) -> Value {
    match json {
        serde_json::Value::Null => Value::Nil,
        serde_json::Value::Bool(value) => Value::Bool(*value),
        serde_json::Value::Number(number) => Value::Number(number.as_f64().unwrap_or(f64::NAN)),
        serde_json::Value::String(text) => match text.as_str() {
            "NaN" => Value::Number(f64::NAN),
            "inf" | "+Inf" => Value::Number(f64::INFINITY),
            "-inf" | "-Inf" => Value::Number(f64::NEG_INFINITY),
            _ => Value::Text(text.clone()),
        },
        serde_json::Value::Array(items) => Value::List(items.iter().map(value).collect()),
        serde_json::Value::Object(fields) => {
            let field = |(name, inner): (&String, &serde_json::Value)| (name.clone(), value(inner));
            Value::Object(fields.iter().map(field).collect())
        }
    }
}

fn words(view: &ArgoView) -> String {
    let mut text = String::new();
    for metric in &view.metrics {
        let dry = if metric.dry_run { " (dry run)" } else { "" };
        text.push_str(&format!(
            "{}: {}{dry}, measured ",
            metric.name, metric.phase
        ));
        text.push_str(&metric.measurements.join(" "));
        if !metric.error.is_empty() {
            text.push_str(&format!("; {}", metric.error));
        }
        text.push('\n');
    }
    text.push_str(&format!("run {}: {}\n", view.phase, view.leads_to));
    text
}
