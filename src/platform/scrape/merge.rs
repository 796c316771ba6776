//! From what the instances of both arms showed to one sample for each arm, pure.

use std::collections::{BTreeMap, HashSet};

use super::{Endpoint, LookRequest, MetricLook, MetricQuery, QueryKind, Scraped, sides};
use crate::domain::InstanceName;
use crate::judge::Sample;
use crate::platform::counters::{Arm, Counters, Grown, Look, Reading};
use crate::platform::metrics_text::SeriesId;
use crate::platform::selector::Selector;

pub(super) type Seen = BTreeMap<InstanceName, Result<Scraped, String>>;

/// The sample of one side, and what each of its instances brought to it, but for histograms.
pub(in crate::platform) type SideLook = (Sample, Vec<(InstanceName, Sample)>);

/// What one instance brings for one metric.
pub(in crate::platform) enum Part {
    Brings(Sample),
    /// It has only now been seen for the first time.
    First,
    /// Nothing, for this reason.
    Dropped(String),
}

/// The look at one metric.
pub(super) fn look(
    counters: &mut Counters,
    query: &MetricQuery,
    request: &LookRequest<'_>,
    seen: &Seen,
) -> MetricLook {
    let mut dropped = Vec::new();
    let mut taken = HashSet::new();
    let [(canary, canary_each), (baseline, baseline_each)] =
        sides(request).map(|(arm, endpoints)| {
            let mut parts = Vec::new();
            for Endpoint { instance, .. } in endpoints {
                let part = if !taken.insert(instance.clone()) {
                    Part::Dropped("it is listed twice".to_string())
                } else {
                    match seen.get(instance) {
                        Some(Ok(scraped)) => {
                            let one = One {
                                query,
                                instance,
                                arm,
                                since: request.since.map(|at| at.0 as f64 / 1000.0),
                                scraped,
                            };
                            one.part(counters)
                        }
                        Some(Err(why)) => Part::Dropped(why.clone()),
                        None => Part::Dropped("it was not asked".to_string()),
                    }
                };
                parts.push((instance, part));
            }
            side(parts, &mut dropped)
        });
    MetricLook {
        metric: query.name.clone(),
        canary,
        baseline,
        canary_each,
        baseline_each,
        dropped,
    }
}

/// One instance at one look, for one metric.
pub(in crate::platform) struct One<'a> {
    pub query: &'a MetricQuery,
    pub instance: &'a InstanceName,
    pub arm: Arm,
    pub since: Option<f64>,
    pub scraped: &'a Scraped,
}

impl One<'_> {
    /// What it brings.
    pub fn part(&self, counters: &mut Counters) -> Part {
        let part = match &self.query.kind {
            QueryKind::Ratio { bad, total } => self.ratio(counters, bad, total),
            QueryKind::Histogram { series } => self.histogram(counters, series),
            QueryKind::Gauge { series } => self.gauge(series),
        };
        part.unwrap_or_else(Part::Dropped)
    }

    /// The values of all series that one of the selectors means.
    fn values(&self, selectors: &[&Selector]) -> Result<Vec<(SeriesId, f64)>, String> {
        let shown = self.scraped.shown.series.iter();
        let meant = shown.filter(|s| {
            let is = |selector: &&Selector| selector.matches(&s.id.name, &s.id.labels);
            selectors.iter().any(is)
        });
        let values: Vec<(SeriesId, f64)> = meant.map(|s| (s.id.clone(), s.value)).collect();
        let different: HashSet<&SeriesId> = values.iter().map(|(id, _)| id).collect();
        match values.first() {
            Some((id, _)) if different.len() < values.len() => {
                Err(format!("{} has a series twice", id.name))
            }
            _ => Ok(values),
        }
    }

    fn grown(&self, counters: &Counters, values: Vec<(SeriesId, f64)>) -> (Grown, Option<Look>) {
        counters.grown(Reading {
            instance: self.instance,
            metric: &self.query.name,
            arm: self.arm,
            born: self.scraped.born,
            now: self.scraped.now,
            since: self.since,
            values,
        })
    }

    fn ratio(
        &self,
        counters: &mut Counters,
        bad: &Selector,
        total: &Selector,
    ) -> Result<Part, String> {
        if !self.scraped.shown.names.contains(bad.name()) {
            return Err(format!("it has no {}", bad.name()));
        }
        let values = self.values(&[bad, total])?;
        let sum = |selector: &Selector, grown: &[(SeriesId, u64)]| -> u64 {
            let meant = grown
                .iter()
                .filter(|(id, _)| selector.matches(&id.name, &id.labels));
            meant.map(|(_, n)| n).sum()
        };
        if !values
            .iter()
            .any(|(id, _)| total.matches(&id.name, &id.labels))
        {
            return Err(format!("it has no series {total}"));
        }
        self.count(counters, values, |grown| {
            let (bad, total) = (sum(bad, grown), sum(total, grown));
            if bad > total {
                return Err(format!("{bad} are bad of only {total}"));
            }
            Ok(Sample::Ratio { bad, total })
        })
    }

    fn histogram(&self, counters: &mut Counters, series: &Selector) -> Result<Part, String> {
        let values = self.values(&[&series.with_suffix("_bucket")])?;
        if values.is_empty() {
            return Err(format!("it has no buckets of {series}"));
        }
        self.count(counters, values, distribution)
    }

    /// Makes a sample of what grew; a look of which none can be made is not kept.
    fn count(
        &self,
        counters: &mut Counters,
        values: Vec<(SeriesId, f64)>,
        sample: impl FnOnce(&[(SeriesId, u64)]) -> Result<Sample, String>,
    ) -> Result<Part, String> {
        let (grown, look) = self.grown(counters, values);
        let part = match grown {
            Grown::By(grown) => Ok(Part::Brings(sample(&grown)?)),
            Grown::First => Ok(Part::First),
            Grown::Not(why) => Err(why),
        };
        if let Some(look) = look {
            counters.keep(look);
        }
        part
    }

    fn gauge(&self, series: &Selector) -> Result<Part, String> {
        let values = self.values(&[series])?;
        if values.is_empty() {
            return Err(format!("it has no series {series}"));
        }
        if let Some((id, value)) = values.iter().find(|(_, value)| !value.is_finite()) {
            return Err(format!("{} is {value}", id.name));
        }
        let mean = values.iter().map(|(_, v)| v / values.len() as f64).sum();
        Ok(Part::Brings(Sample::Gauge { mean, n: 1 }))
    }
}

/// The labels of a histogram other than `le`.
type Group<'a> = Vec<&'a (String, String)>;

/// Events by size, from what the cumulated buckets of one instance grew by.
fn distribution(grown: &[(SeriesId, u64)]) -> Result<Sample, String> {
    // by the labels other than `le`, since each such group has to be whole
    let mut groups: BTreeMap<Group<'_>, Vec<(f64, u64)>> = BTreeMap::new();
    for (id, n) in grown {
        let bound = id.label("le").and_then(|le| le.parse::<f64>().ok());
        let Some(bound) = bound.filter(|bound| !bound.is_nan()) else {
            return Err(format!("{} has a bucket without a bound", id.name));
        };
        let others = id.labels.iter().filter(|(name, _)| name != "le");
        groups
            .entry(others.collect())
            .or_default()
            .push((bound, *n));
    }
    let mut sum: Option<(Vec<f64>, Vec<u64>)> = None;
    for (_, mut group) in groups {
        group.sort_by(|a, b| a.0.total_cmp(&b.0));
        if group.last().is_none_or(|last| last.0 != f64::INFINITY) {
            return Err("a histogram has no bucket le=\"+Inf\"".to_string());
        }
        let bounds: Vec<f64> = group.iter().map(|(bound, _)| *bound).collect();
        if bounds.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err("a histogram has a bucket twice".to_string());
        }
        let mut counts = Vec::with_capacity(group.len());
        let mut below = 0;
        for (_, cumulated) in &group {
            let here = cumulated.checked_sub(below);
            counts.push(here.ok_or("its buckets were read while they changed")?);
            below = *cumulated;
        }
        match &mut sum {
            None => sum = Some((bounds, counts)),
            Some((all, sums)) if *all == bounds => add(sums, &counts),
            Some(_) => return Err("its histograms have different buckets".to_string()),
        }
    }
    let (mut bounds, counts) = sum.ok_or("it has no buckets")?;
    bounds.pop();
    Ok(Sample::Histogram { bounds, counts })
}

fn add(sums: &mut [u64], counts: &[u64]) {
    for (sum, count) in sums.iter_mut().zip(counts) {
        *sum += count;
    }
}

/// The sample of one side.
pub(in crate::platform) fn side(
    parts: Vec<(&InstanceName, Part)>,
    dropped: &mut Vec<String>,
) -> SideLook {
    if parts.is_empty() {
        return (Sample::missing("no instance on this side"), Vec::new());
    }
    let mut each = Vec::new();
    let mut sample: Option<Sample> = None;
    let mut first = false;
    let mut reasons = Vec::new();
    for (instance, part) in parts {
        if let Part::Brings(one @ (Sample::Ratio { .. } | Sample::Gauge { .. })) = &part {
            each.push((instance.clone(), one.clone()));
        }
        let why = match (part, &mut sample) {
            (Part::Brings(one), None) => {
                sample = Some(one);
                continue;
            }
            (Part::Brings(one), Some(all)) => match join(all, one) {
                Ok(()) => continue,
                Err(why) => why.to_string(),
            },
            (Part::First, _) => {
                first = true;
                continue;
            }
            (Part::Dropped(why), _) => why,
        };
        reasons.push(format!("{instance}: {why}"));
    }
    let sample = sample.unwrap_or_else(|| match reasons.as_slice() {
        _ if first => Sample::first_look(),
        [] => Sample::missing("no instance on this side"),
        [only] => Sample::missing(only.as_str()),
        [one, others @ ..] => Sample::missing(format!("{one} (and {} more)", others.len())),
    });
    dropped.append(&mut reasons);
    (sample, each)
}

/// Adds what one instance brings to what others brought.
pub(in crate::platform) fn join(all: &mut Sample, one: Sample) -> Result<(), &'static str> {
    match (all, one) {
        (Sample::Ratio { bad, total }, Sample::Ratio { bad: b, total: t }) => {
            *bad += b;
            *total += t;
            Ok(())
        }
        (
            Sample::Histogram { bounds, counts },
            Sample::Histogram {
                bounds: others,
                counts: more,
            },
        ) => {
            if *bounds != others {
                return Err("its buckets are not those of the other instances");
            }
            add(counts, &more);
            Ok(())
        }
        (Sample::Gauge { mean, n }, Sample::Gauge { mean: m, n: more }) => {
            let (before, after) = (f64::from(*n), f64::from(*n + more));
            *mean = *mean * (before / after) + m * (f64::from(more) / after);
            *n += more;
            Ok(())
        }
        _ => Err("it brings another kind of sample"),
    }
}
