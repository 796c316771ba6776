//! Recorded samples, in JSON or CSV, read and judged look by look.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::json::{File, Num, Ordered, plain};
use super::looks::{Instance, Reader};
use super::rules::RulesGiven;
use crate::domain::Notice;
use crate::domain::text::printable;
use crate::judge::counts::{Counts, Line, Tolerance};
use crate::judge::evidence::Settings;
use crate::judge::gauge::Allowed;
use crate::judge::mixture::Stakes;
use crate::judge::promote::MARGIN;
use crate::judge::rollout::{Asked, Kind};
use crate::judge::verdict::{Rank, Rules};

/// How many looks, and how many metrics, a file may have; and how much of both together.
pub const MOST_LOOKS: usize = 100_000;
/// See [`MOST_LOOKS`].
pub const MOST_METRICS: usize = 10_000;
/// See [`MOST_LOOKS`].
pub const MOST_READS: usize = 4_000_000;

/// What is said of more than that, at a part of the file.
pub fn too_much(file: &File<'_>, part: &str, looks: usize, metrics: usize) -> Notice {
    let headline =
        format!("{looks} looks of {metrics} metrics, which is too much to judge at once");
    let most = format!(
        "at most {MOST_LOOKS} looks, {MOST_METRICS} metrics, and {MOST_READS} readings of metrics in all"
    );
    file.about(part, headline)
        .detail(most)
        .next("judge it in parts")
}

/// A recorded rollout.
#[derive(Debug)]
pub struct Recorded {
    /// The thresholds.
    pub rules: Rules,
    /// The metrics.
    pub metrics: Vec<Asked>,
    /// How long a look is, in seconds.
    pub seconds: f64,
    /// The looks, oldest first.
    pub looks: Vec<Look>,
    /// Of metrics whose old instances are judged too: which, and their names.
    pub peers: Vec<(usize, Vec<String>)>,
}

/// A recorded look.
#[derive(Debug, Default)]
pub struct Look {
    /// When it ended, in seconds since 1970 or since the rollout began.
    pub at: Option<f64>,
    /// What it brought, one for each metric.
    pub reads: Vec<Owned>,
    /// A hard limit that failed.
    pub hard_limit: Option<String>,
    /// The canary's share of traffic.
    pub share: Option<f64>,
    /// Whether the step had had its least time.
    pub elapsed: bool,
    /// Whether the step's time was over.
    pub step_over: bool,
    /// Requests and bad ones of old instances, by metric and name; for metrics whose old instances
    /// are judged too.
    pub instances: Vec<(usize, Vec<Instance>)>,
}

/// What a look brought of a metric.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Owned {
    /// Nothing.
    #[default]
    Missing,
    /// Counts by stratum.
    Counts(Vec<Counts>),
    /// Cumulative counts of both arms.
    Buckets(Vec<f64>, Vec<f64>),
    /// Values of the instances of both arms.
    Levels(Vec<f64>, Vec<f64>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Top<'a> {
    #[serde(rename = "schema", default)]
    _schema: Option<String>,
    #[serde(rename = "about", default)]
    _about: Option<String>,
    seconds_per_look: Option<Num>,
    horizon: Option<u32>,
    share: Option<Num>,
    #[serde(default)]
    rules: RulesGiven,
    #[serde(borrow)]
    metrics: Ordered<&'a RawValue>,
    #[serde(borrow)]
    looks: Vec<&'a RawValue>,
}

/// What a metric is said to be.
#[derive(Clone, Copy, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum KindGiven {
    /// Bad ones among requests, of that look.
    Ratio,
    /// Raw counters of both.
    Counters,
    /// Cumulative counts.
    Histogram,
    /// A level of every instance.
    Gauge,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MetricGiven {
    kind: KindGiven,
    weight: Option<Num>,
    #[serde(default)]
    critical: bool,
    #[serde(default)]
    required: bool,
    rho: Option<Num>,
    delta: Option<Num>,
    odds: Option<Num>,
    fail_above: Option<Num>,
    min_count: Option<Num>,
    le: Option<Vec<Num>>,
    before: Option<Vec<Num>>,
    tau: Option<Num>,
    #[serde(default)]
    low_is_bad: bool,
    #[serde(default)]
    peers: bool,
}

/// Reads recorded samples in JSON.
///
/// # Errors
/// The first mistake, with its place.
pub fn json(file: &File<'_>) -> Result<Recorded, Notice> {
    let top: Top<'_> = file.read(file.text, "")?;
    if top.metrics.0.is_empty() || top.looks.is_empty() {
        return Err(file
            .at(0, "there is nothing to judge")
            .next("give `metrics` and `looks`"));
    }
    let (many_looks, many_metrics) = (top.looks.len(), top.metrics.0.len());
    let reads = many_looks.saturating_mul(many_metrics);
    if many_looks > MOST_LOOKS || many_metrics > MOST_METRICS || reads > MOST_READS {
        return Err(too_much(file, file.text, many_looks, many_metrics));
    }
    let seconds = top.seconds_per_look.map_or(15.0, |given| given.0);
    if !(seconds > 0.0 && seconds.is_finite()) {
        return Err(file.at(0, format!("a look of {seconds} seconds is none")));
    }
    let horizon = top
        .horizon
        .unwrap_or_else(|| u32::try_from(top.looks.len()).unwrap_or(240));
    let (mut kinds, mut checked) = (Vec::new(), Vec::new());
    let mut metrics = Vec::new();
    for (name, raw) in &top.metrics.0 {
        let given: MetricGiven =
            file.read(raw.get(), &format!("metric {}", printable(name, 60)))?;
        metrics.push(asked(file, name, raw, &given, horizon)?);
        kinds.push(given.kind);
        checked.push(given.peers);
    }
    let names = top.metrics.0.iter().map(|(name, _)| name.as_str());
    let share = top.share.map(|share| share.0);
    let mut reader = Reader::new(file, &metrics, names, &kinds, &checked, share);
    let looks = top.looks.iter().enumerate();
    let looks = looks.map(|(index, raw)| reader.look(index, raw));
    let looks = looks.collect::<Result<Vec<Look>, Notice>>()?;
    let mut peers = Vec::new();
    for (index, (name, raw)) in top.metrics.0.iter().enumerate() {
        let name = printable(name, 60);
        if looks.iter().all(|look| look.reads[index] == Owned::Missing) {
            return Err(file
                .about(
                    raw.get(),
                    format!("metric {name}: no look has both arms of it"),
                )
                .next("look at the selectors of canary and baseline"));
        }
        if checked[index] {
            let names = instances(&looks, index);
            if let 0 | 1 = names.len() {
                let few = names.len();
                let headline = format!(
                    "metric {name}: `peers` compares old instances, of which there are {few}"
                );
                return Err(file.about(raw.get(), headline).next(
                    "give requests and bad ones by instance: {\"baseline\": {\"pod-x\": [1425, 7], ...}}",
                ));
            }
            peers.push((index, names));
        }
    }
    Ok(Recorded {
        peers,
        rules: top
            .rules
            .rules()
            .ok_or_else(|| file.at(0, "an alpha is a chance above 0 and up to 1"))?,
        metrics,
        seconds,
        looks,
    })
}

/// The old instances of a metric, in the order in which they are seen first.
fn instances(looks: &[Look], metric: usize) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let mut names = Vec::new();
    let all = looks.iter().flat_map(|look| &look.instances);
    for (name, _) in all
        .filter(|(of, _)| *of == metric)
        .flat_map(|(_, each)| each)
    {
        if seen.insert(name) {
            names.push(name.clone());
        }
    }
    names
}

/// A metric as it is asked for.
fn asked(
    file: &File<'_>,
    name: &str,
    raw: &RawValue,
    given: &MetricGiven,
    horizon: u32,
) -> Result<Asked, Notice> {
    let shown = printable(name, 60);
    let bad = |what: &str| Err(file.about(raw.get(), format!("metric {shown}: {what}")));
    let number = |given: Option<Num>, usual: f64| given.map_or(usual, |given| given.0);
    let weight = number(given.weight, 1.0);
    if !weight.is_finite() || weight < 0.0 {
        return bad("a weight is a number from 0 up");
    }
    let (rho, delta) = (number(given.rho, 1.25), number(given.delta, 0.0002));
    if !(rho > 0.0 && rho.is_finite() && (0.0..1.0).contains(&delta)) {
        return bad("`rho` is a ratio above 0, `delta` a share below 1");
    }
    let odds = number(given.odds, 1.25);
    if !(odds > 0.0 && odds.is_finite()) {
        return bad("`odds` is a ratio above 0");
    }
    if given.kind == KindGiven::Gauge && given.critical {
        return bad("a gauge may pause and never roll back: it cannot be critical");
    }
    if given.peers && !matches!(given.kind, KindGiven::Ratio | KindGiven::Counters) {
        return bad("`peers` compares counts: it is for `ratio` and `counters`");
    }
    let (kind, tolerance, margin) = match given.kind {
        KindGiven::Ratio | KindGiven::Counters => {
            let limit = given.fail_above.map(|limit| limit.0);
            let kind = Kind::Ratio {
                fail_above: limit.map(|limit| (limit, number(given.min_count, 1.0))),
            };
            let line = Tolerance::Line(Line { rho, delta });
            (kind, line, Tolerance::Line(MARGIN))
        }
        KindGiven::Histogram => {
            let bounds = plain(given.le.as_deref().unwrap_or(&[]));
            let rising = bounds.windows(2).all(|pair| pair[0] < pair[1]);
            if !rising || bounds.last() != Some(&f64::INFINITY) {
                return bad("`le` must rise and end with \"inf\"");
            }
            let warm = given.before.as_deref().map(plain);
            if warm.as_ref().is_some_and(|warm| !cumulative(warm, &bounds)) {
                return bad("`before` must rise and be as long as `le`");
            }
            let kind = Kind::Histogram { bounds, warm };
            (kind, Tolerance::Odds(odds), Tolerance::Odds(MARGIN.rho))
        }
        KindGiven::Gauge => {
            let allowed = Allowed {
                tau: number(given.tau, 0.1),
                delta: number(given.delta, 0.0),
                low_is_bad: given.low_is_bad,
            };
            (
                Kind::Gauge(allowed),
                Tolerance::default(),
                Tolerance::Line(MARGIN),
            )
        }
    };
    Ok(Asked {
        rank: Rank {
            name: printable(name, 200),
            weight,
            critical: given.critical,
            required: given.required,
        },
        kind,
        settings: Settings {
            tolerance,
            stakes: Stakes::new(horizon, 0.5),
            ..Settings::default()
        },
        margin,
    })
}

/// Whether counts are cumulative over these bounds.
pub fn cumulative(counts: &[f64], bounds: &[f64]) -> bool {
    counts.len() == bounds.len()
        && counts.windows(2).all(|pair| pair[0] <= pair[1])
        && counts
            .iter()
            .all(|count| count.is_finite() && *count >= 0.0)
}
