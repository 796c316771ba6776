//! What the judge says of a release and of its metrics, as JSON.

use schemars::JsonSchema;
use serde::Serialize;

use super::fold::kebab;
use crate::domain::live::{Chart, Decides, Live, Unit};
use crate::domain::release::Release;
use crate::tui::judged;

/// What the judge says of a release.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct JudgementView {
    /// `continue`, `pause`, `roll-back`, `inconclusive` or `promote`.
    pub decision: String,
    /// Why, in a few words; may be empty.
    pub reason: String,
    /// The metrics to blame.
    pub blamed: Vec<String>,
    /// What the plan makes of it, in a sentence.
    pub follows: String,
    /// SHA-256 over the numbers it rests on, hexadecimal.
    pub inputs: String,
    /// Whether it is about metrics in shadow, so that nothing may follow from it.
    pub shadow: bool,
}

impl JudgementView {
    /// What it says: as last seen, else as last written down.
    pub fn of(live: &Live, release: &Release) -> Option<JudgementView> {
        let judgement = judged::judgement(live, release)?;
        Some(JudgementView {
            decision: kebab(judgement.decision.words()),
            reason: judgement.reason.to_string(),
            blamed: judgement.blamed.iter().map(ToString::to_string).collect(),
            follows: judged::follows(&release.plan.judge, judgement).to_owned(),
            inputs: judgement.inputs.to_string(),
            shadow: judgement.shadow,
        })
    }
}

/// How a metric stands.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct MetricView {
    /// The service that it is read of.
    pub service: String,
    /// The metric.
    pub metric: String,
    /// What its numbers are: `share` (0 to 1), `seconds` or `plain`.
    pub unit: &'static str,
    /// `pass`, `fail`, `hold`, `undecided` or `no-data`.
    pub call: String,
    /// What was seen, in a sentence.
    pub words: String,
    /// The new version's newest value; nothing where nothing was read.
    pub new: Option<f64>,
    /// The old version's newest value.
    pub old: Option<f64>,
    /// Between what the new version lies, as multiples of the old one; nothing as long as nothing can be
    /// said.
    pub interval: Option<IntervalView>,
    /// What is allowed, in a few words.
    pub allowed: String,
    /// The value that is tolerated while the old version is as it is.
    pub tolerated: Option<f64>,
    /// The hard limit.
    pub limit: Option<f64>,
    /// The evidence of a regression now, to one: 1 is none, 100 is proof. Nothing where it is beyond
    /// any number.
    pub evidence: Option<f64>,
    /// The largest evidence so far.
    pub most: Option<f64>,
    /// How strong the evidence is now: `none`, `weak`, `moderate`, `strong`, `very strong` or
    /// `overwhelming`.
    pub strength: &'static str,
    /// When it will be decided at present traffic: `now`, `in` a time, `never`, or `unknown`.
    pub decides: &'static str,
    /// In how many seconds, where that is known.
    pub decides_in: Option<u64>,
    /// Whether it is to blame for what the judge says of the release.
    pub blamed: bool,
    /// What a verdict on it may lead to: `inform`, `hold` or `roll-back`.
    pub action: String,
    /// Whether it acts on nothing.
    pub shadow: bool,
}

/// Between what something lies; an end that is not there is not known.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct IntervalView {
    /// The lower end.
    pub lower: Option<f64>,
    /// The upper end.
    pub upper: Option<f64>,
}

impl MetricView {
    /// The metrics of a release, as last looked at.
    pub fn all(live: &Live, release: &Release) -> Vec<MetricView> {
        let charts = judged::charts(live, release).iter();
        charts.map(MetricView::of).collect()
    }

    fn of(chart: &Chart) -> MetricView {
        let finite = |value: f64| Some(value).filter(|value| value.is_finite());
        let judged = &chart.judged;
        let last = chart.points.last();
        let (decides, decides_in) = match judged.decides {
            Decides::Unknown => ("unknown", None),
            Decides::Now => ("now", None),
            Decides::In(span) => ("in", Some(span.0 / 1000)),
            Decides::Never => ("never", None),
        };
        MetricView {
            service: chart.service.to_string(),
            metric: chart.metric.to_string(),
            unit: match chart.unit {
                Unit::Share => "share",
                Unit::Seconds => "seconds",
                Unit::Plain => "plain",
            },
            call: kebab(chart.call.word()),
            words: chart.words.to_string(),
            new: last.and_then(|point| point.canary).and_then(finite),
            old: last.and_then(|point| point.baseline).and_then(finite),
            interval: judged.interval.map(|(lower, upper)| IntervalView {
                lower: finite(lower).filter(|lower| *lower > 0.0),
                upper: finite(upper),
            }),
            allowed: chart.allowed.to_string(),
            tolerated: judged.tolerated.and_then(finite),
            limit: chart.limit.and_then(finite),
            evidence: finite(judged.evidence),
            most: finite(judged.most),
            strength: judged::strength_word(judged.evidence),
            decides,
            decides_in,
            blamed: judged.blamed,
            action: kebab(judged.action.word()),
            shadow: judged.shadow,
        }
    }
}
