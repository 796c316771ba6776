//! Recorded samples, in JSON or CSV, read and judged look by look.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::json::{File, Num, Ordered, Point, plain, points, sign};
use super::rules::RulesGiven;
use crate::domain::Notice;
use crate::domain::text::printable;
use crate::judge::counts::{Counts, Line, Tolerance};
use crate::judge::deltas::Deltas;
use crate::judge::evidence::{MOST_STRATA, Settings};
use crate::judge::gauge::Allowed;
use crate::judge::mixture::Stakes;
use crate::judge::promote::MARGIN;
use crate::judge::rollout::{Asked, Kind};
use crate::judge::verdict::{Rank, Rules};

/// How many looks, and how many metrics, a file may have.
const MOST_LOOKS: usize = 100_000;
const MOST_METRICS: usize = 10_000;

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

#[derive(Clone, Copy, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum KindGiven {
    Ratio,
    Counters,
    Histogram,
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
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LookGiven<'a> {
    at: Option<Num>,
    #[serde(borrow)]
    metrics: Ordered<&'a RawValue>,
    hard_limit: Option<String>,
    share: Option<Num>,
    #[serde(default = "yes")]
    elapsed: bool,
    #[serde(default)]
    step_over: bool,
}

fn yes() -> bool {
    true
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Arms {
    canary: Option<Vec<Point>>,
    baseline: Option<Vec<Point>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    #[serde(default)]
    canary: Ordered<[Point; 2]>,
    #[serde(default)]
    baseline: Ordered<[Point; 2]>,
    #[serde(default)]
    born: BTreeSet<String>,
}

/// Raw counters of one metric, both arms: all requests and bad ones.
#[derive(Default)]
struct Counters {
    all: [Deltas; 2],
    bad: [Deltas; 2],
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
    if top.looks.len() > MOST_LOOKS || top.metrics.0.len() > MOST_METRICS {
        let most =
            format!("at most {MOST_LOOKS} looks of {MOST_METRICS} metrics are judged at once");
        return Err(file.at(0, most).next("judge it in parts"));
    }
    let seconds = top.seconds_per_look.map_or(15.0, |given| given.0);
    if !(seconds > 0.0 && seconds.is_finite()) {
        return Err(file.at(0, format!("a look of {seconds} seconds is none")));
    }
    let horizon = top
        .horizon
        .unwrap_or_else(|| u32::try_from(top.looks.len()).unwrap_or(240));
    let mut kinds = Vec::new();
    let mut metrics = Vec::new();
    for (name, raw) in &top.metrics.0 {
        let given: MetricGiven =
            file.read(raw.get(), &format!("metric {}", printable(name, 60)))?;
        metrics.push(asked(file, name, raw, &given, horizon)?);
        kinds.push(given.kind);
    }
    let names = top.metrics.0.iter().map(|(name, _)| name.as_str());
    let mut reader = Reader {
        file,
        counters: metrics.iter().map(|_| Counters::default()).collect(),
        metrics: &metrics,
        places: names.zip(0..).collect(),
        kinds: &kinds,
        last: None,
        share: top.share.map(|share| share.0),
    };
    let looks = top.looks.iter().enumerate();
    let looks = looks.map(|(index, raw)| reader.look(index, raw));
    let looks = looks.collect::<Result<Vec<Look>, Notice>>()?;
    for (index, asked) in metrics.iter().enumerate() {
        if looks.iter().all(|look| look.reads[index] == Owned::Missing) {
            let name = printable(&asked.rank.name, 60);
            let raw = top.metrics.0[index].1.get();
            return Err(file
                .about(raw, format!("metric {name}: no look has both arms of it"))
                .next("look at the selectors of canary and baseline"));
        }
    }
    Ok(Recorded {
        rules: top
            .rules
            .rules()
            .ok_or_else(|| file.at(0, "an alpha is a chance above 0 and up to 1"))?,
        metrics,
        seconds,
        looks,
    })
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

fn cumulative(counts: &[f64], bounds: &[f64]) -> bool {
    counts.len() == bounds.len()
        && counts.windows(2).all(|pair| pair[0] <= pair[1])
        && counts
            .iter()
            .all(|count| count.is_finite() && *count >= 0.0)
}

/// What looks are read with.
struct Reader<'f, 'm> {
    file: &'f File<'f>,
    metrics: &'m [Asked],
    places: BTreeMap<&'m str, usize>,
    kinds: &'m [KindGiven],
    counters: Vec<Counters>,
    last: Option<f64>,
    share: Option<f64>,
}

impl<'f> Reader<'f, '_> {
    fn look(&mut self, index: usize, raw: &'f RawValue) -> Result<Look, Notice> {
        let what = format!("look {}", index + 1);
        let given: LookGiven<'_> = self.file.read(raw.get(), &what)?;
        let at = given.at.map(|at| at.0);
        if let Some(at) = at {
            let back = self.last.is_some_and(|last| at <= last);
            if !at.is_finite() || back {
                let headline = format!("{what}: time does not go on");
                return Err(self
                    .file
                    .about(raw.get(), headline)
                    .next("sort looks by `at`"));
            }
            self.last = Some(at);
        }
        let mut reads = vec![Owned::Missing; self.metrics.len()];
        for (name, raw) in &given.metrics.0 {
            let shown = printable(name, 60);
            let Some(metric) = self.places.get(name.as_str()).copied() else {
                let headline = format!("{what}: unknown metric `{shown}`");
                return Err(self
                    .file
                    .about(raw.get(), headline)
                    .next("name it in `metrics`"));
            };
            reads[metric] = self.read(metric, raw, &format!("{what}, {shown}"))?;
        }
        Ok(Look {
            at,
            reads,
            hard_limit: given.hard_limit.map(|text| printable(&text, 200)),
            share: given.share.map(|share| share.0).or(self.share),
            elapsed: given.elapsed,
            step_over: given.step_over,
        })
    }

    /// What a look brought of a metric.
    fn read(&mut self, metric: usize, raw: &'f RawValue, what: &str) -> Result<Owned, Notice> {
        if raw.get() == "null" {
            return Ok(Owned::Missing);
        }
        let file = self.file;
        let bad = |why: &str| Err(file.about(raw.get(), format!("{what}: {why}")));
        match (&self.metrics[metric].kind, self.kinds[metric]) {
            (Kind::Ratio { .. }, KindGiven::Counters) => self.counters(metric, raw, what),
            (Kind::Ratio { .. }, _) => counts(file, raw, what),
            (Kind::Histogram { bounds, .. }, _) => {
                let arms: Arms = file.read(raw.get(), what)?;
                let (Some(canary), Some(baseline)) = (&arms.canary, &arms.baseline) else {
                    return Ok(Owned::Missing);
                };
                let (canary, baseline) = (points(canary), points(baseline));
                if !cumulative(&canary, bounds) || !cumulative(&baseline, bounds) {
                    return bad("counts must rise over `le`, be as many, and none below 0");
                }
                Ok(Owned::Buckets(canary, baseline))
            }
            (Kind::Gauge(_), _) => {
                let arms: Arms = file.read(raw.get(), what)?;
                let (Some(canary), Some(baseline)) = (&arms.canary, &arms.baseline) else {
                    return Ok(Owned::Missing);
                };
                let (canary, baseline) = (points(canary), points(baseline));
                if canary
                    .iter()
                    .chain(&baseline)
                    .any(|value| value.is_infinite())
                {
                    return bad("a value is infinite");
                }
                let known = |values: &[f64]| values.iter().any(|value| !value.is_nan());
                if !known(&canary) || !known(&baseline) {
                    return Ok(Owned::Missing);
                }
                Ok(Owned::Levels(canary, baseline))
            }
        }
    }

    /// Differences of raw counters since the look before.
    fn counters(&mut self, metric: usize, raw: &'f RawValue, what: &str) -> Result<Owned, Notice> {
        let given: Raw = self.file.read(raw.get(), what)?;
        let bad = |why: String| Err(self.file.about(raw.get(), format!("{what}: {why}")));
        for (name, values) in given.canary.0.iter().chain(&given.baseline.0) {
            if values
                .iter()
                .any(|value| value.0 < 0.0 || value.0.is_infinite())
            {
                let name = printable(name, 60);
                return bad(format!("the counters of `{name}` are below 0 or infinite"));
            }
        }
        let baseline: BTreeSet<&str> = given
            .baseline
            .0
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        let mut canary = given.canary.0.iter().map(|(name, _)| name.as_str());
        if let Some(name) = canary.find(|name| baseline.contains(name)) {
            return bad(format!("`{}` is in both arms", printable(name, 60)));
        }
        let counters = &mut self.counters[metric];
        let born = |name: &str| given.born.contains(name);
        let mut step = |arm: usize, samples: &Ordered<[Point; 2]>| {
            // a pair counts where both of its numbers are known
            let known = samples
                .0
                .iter()
                .filter(|(_, pair)| pair.iter().all(|one| !one.0.is_nan()));
            let known: Vec<_> = known.collect();
            let of = |which: usize| {
                known
                    .iter()
                    .map(move |(name, pair)| (name.as_str(), pair[which].0))
            };
            let all = counters.all[arm].step(of(0), born);
            (all, counters.bad[arm].step(of(1), born))
        };
        let ((n1, k1), (n0, k0)) = (step(0, &given.canary), step(1, &given.baseline));
        let (Some(n1), Some(k1), Some(n0), Some(k0)) = (n1, k1, n0, k0) else {
            return Ok(Owned::Missing);
        };
        let look = Counts { n1, k1, n0, k0 };
        match look.flaw() {
            Some(flaw) => bad(flaw.to_owned()),
            None => Ok(Owned::Counts(vec![look])),
        }
    }
}

/// Counts: `[n1, k1, n0, k0]`, or a list of those for strata; `null` in one arm is a missing look.
fn counts<'a>(file: &File<'a>, raw: &'a RawValue, what: &str) -> Result<Owned, Notice> {
    let inner = raw.get().trim_start();
    let inner = inner.strip_prefix('[').unwrap_or(inner).trim_start();
    let given: Vec<[Option<Num>; 4]> = if inner.starts_with('[') || sign(raw) != b'[' {
        file.read(raw.get(), what)?
    } else {
        vec![file.read(raw.get(), what)?]
    };
    let bad = |why: String| Err(file.about(raw.get(), format!("{what}: {why}")));
    if given.is_empty() || given.len() > MOST_STRATA {
        return bad(format!("{} strata; 1 to {MOST_STRATA} may be", given.len()));
    }
    let mut strata = Vec::with_capacity(given.len());
    for numbers in given {
        let [Some(n1), Some(k1), Some(n0), Some(k0)] = numbers.map(|one| one.map(|one| one.0))
        else {
            return Ok(Owned::Missing);
        };
        let look = Counts { n1, k1, n0, k0 };
        if let Some(flaw) = look.flaw() {
            return bad(flaw.to_owned());
        }
        strata.push(look);
    }
    Ok(Owned::Counts(strata))
}
