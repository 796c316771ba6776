//! The looks of a recorded rollout in JSON.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::json::{File, Num, Ordered, Point, points, sign};
use super::recorded::{KindGiven, Look, Owned, cumulative};
use crate::domain::Notice;
use crate::domain::text::printable;
use crate::judge::counts::Counts;
use crate::judge::deltas::Deltas;
use crate::judge::evidence::MOST_STRATA;
use crate::judge::rollout::{Asked, Kind};

/// Requests and bad ones of an old instance in a look, with its name.
pub type Instance = (String, (f64, f64));

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

/// Requests and bad ones of one look, by instance; `null` for one that gave none.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ByInstance {
    #[serde(default)]
    canary: Ordered<Option<[Num; 2]>>,
    #[serde(default)]
    baseline: Ordered<Option<[Num; 2]>>,
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
    /// The same of every old instance, where they are judged too.
    each: BTreeMap<String, [Deltas; 2]>,
}

/// What looks are read with.
pub struct Reader<'f, 'm> {
    file: &'f File<'f>,
    metrics: &'m [Asked],
    places: BTreeMap<&'m str, usize>,
    kinds: &'m [KindGiven],
    /// Whose old instances are judged too.
    checked: &'m [bool],
    counters: Vec<Counters>,
    last: Option<f64>,
    share: Option<f64>,
}

impl<'f, 'm> Reader<'f, 'm> {
    /// For metrics of these names and kinds, `checked` where old instances are judged too; `share` is
    /// the canary's share of traffic where a look does not say it.
    pub fn new(
        file: &'f File<'f>,
        metrics: &'m [Asked],
        names: impl Iterator<Item = &'m str>,
        kinds: &'m [KindGiven],
        checked: &'m [bool],
        share: Option<f64>,
    ) -> Reader<'f, 'm> {
        Reader {
            file,
            metrics,
            places: names.zip(0..).collect(),
            kinds,
            checked,
            counters: metrics.iter().map(|_| Counters::default()).collect(),
            last: None,
            share,
        }
    }

    /// Reads a look; `index` counts from 0.
    ///
    /// # Errors
    /// The first mistake, with its place.
    pub fn look(&mut self, index: usize, raw: &'f RawValue) -> Result<Look, Notice> {
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
        let mut instances = Vec::new();
        for (name, raw) in &given.metrics.0 {
            let shown = printable(name, 60);
            let Some(metric) = self.places.get(name.as_str()).copied() else {
                let headline = format!("{what}: unknown metric `{shown}`");
                return Err(self
                    .file
                    .about(raw.get(), headline)
                    .next("name it in `metrics`"));
            };
            let mut each = Vec::new();
            reads[metric] = self.read(metric, raw, &format!("{what}, {shown}"), &mut each)?;
            if self.checked[metric] && reads[metric] != Owned::Missing {
                instances.push((metric, each));
            }
        }
        Ok(Look {
            at,
            reads,
            hard_limit: given.hard_limit.map(|text| printable(&text, 200)),
            share: given.share.map(|share| share.0).or(self.share),
            elapsed: given.elapsed,
            step_over: given.step_over,
            instances,
        })
    }

    /// What a look brought of a metric, and of each of its old instances where it says.
    fn read(
        &mut self,
        metric: usize,
        raw: &'f RawValue,
        what: &str,
        each: &mut Vec<Instance>,
    ) -> Result<Owned, Notice> {
        if raw.get() == "null" {
            return Ok(Owned::Missing);
        }
        let file = self.file;
        let bad = |why: &str| Err(file.about(raw.get(), format!("{what}: {why}")));
        match (&self.metrics[metric].kind, self.kinds[metric]) {
            (Kind::Ratio { .. }, KindGiven::Counters) => self.counters(metric, raw, what, each),
            (Kind::Ratio { .. }, _) if sign(raw) == b'{' => by_instance(file, raw, what, each),
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
    fn counters(
        &mut self,
        metric: usize,
        raw: &'f RawValue,
        what: &str,
        each: &mut Vec<Instance>,
    ) -> Result<Owned, Notice> {
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
        if let Some(name) = in_both(&given.canary, &given.baseline) {
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
        if self.checked[metric] {
            for (name, pair) in &given.baseline.0 {
                if pair.iter().any(|one| one.0.is_nan()) {
                    continue;
                }
                let [all, bad] = counters.each.entry(name.clone()).or_default();
                let one =
                    |deltas: &mut Deltas, value: f64| deltas.step([("", value)], |_| born(name));
                if let (Some(n), Some(k)) = (one(all, pair[0].0), one(bad, pair[1].0)) {
                    each.push((name.clone(), (n, k)));
                }
            }
        }
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

/// What is named in both arms.
fn in_both<'a, T>(canary: &'a Ordered<T>, baseline: &Ordered<T>) -> Option<&'a str> {
    let old: BTreeSet<&str> = baseline.0.iter().map(|(name, _)| name.as_str()).collect();
    let mut new = canary.0.iter().map(|(name, _)| name.as_str());
    new.find(|name| old.contains(name))
}

/// Counts by instance: each arm is the sum of what its instances gave.
fn by_instance<'a>(
    file: &File<'a>,
    raw: &'a RawValue,
    what: &str,
    each: &mut Vec<Instance>,
) -> Result<Owned, Notice> {
    let given: ByInstance = file.read(raw.get(), what)?;
    let bad = |why: String| Err(file.about(raw.get(), format!("{what}: {why}")));
    if let Some(name) = in_both(&given.canary, &given.baseline) {
        return bad(format!("`{}` is in both arms", printable(name, 60)));
    }
    for (name, counts) in given.canary.0.iter().chain(&given.baseline.0) {
        let alone = counts.map(|[n, k]| Counts {
            n1: n.0,
            k1: k.0,
            ..Counts::default()
        });
        if let Some(flaw) = alone.and_then(|alone| alone.flaw()) {
            return bad(format!("`{}`: {flaw}", printable(name, 60)));
        }
    }
    let gave = |arm: &Ordered<Option<[Num; 2]>>| -> Vec<Instance> {
        let gave = arm
            .0
            .iter()
            .filter_map(|(name, counts)| Some((name, (*counts)?)));
        gave.map(|(name, [n, k])| (name.clone(), (n.0, k.0)))
            .collect()
    };
    let (new, old) = (gave(&given.canary), gave(&given.baseline));
    if new.is_empty() || old.is_empty() {
        return Ok(Owned::Missing);
    }
    let sum = |arm: &[Instance]| {
        let counts = arm.iter().map(|(_, counts)| counts);
        counts.fold((0.0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
    };
    let ((n1, k1), (n0, k0)) = (sum(&new), sum(&old));
    *each = old;
    Ok(Owned::Counts(vec![Counts { n1, k1, n0, k0 }]))
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
