//! What was gathered of one metric: the last looks for its hard limit and its chart, what an arm
//! brought while the other brought nothing, and what its evidence is fed with.

use std::collections::VecDeque;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::exact::Exact;
use crate::domain::canonical;
use crate::domain::charter::{Metric, Reading};
use crate::domain::live::{CHART_POINTS, Chart, Judged, Point, Unit};
use crate::domain::metric::MILLION;
use crate::domain::{Call, InstanceName, MetricName, MetricVerdict, ServiceName, Timestamp};
use crate::judge::counts::Counts;
use crate::judge::evidence::Settings;
use crate::judge::limit;
use crate::judge::peers::Peers;
use crate::judge::rollout::Read;
use crate::judge::{Sample, setup};
use crate::platform::scrape::MetricLook;

/// Over how many looks counts are added up for charts, and for hard limits where one look has too
/// few.
const WINDOW: usize = 6;

/// How many of the old version's requests have to be seen before boundaries are chosen by them.
const ENOUGH: f64 = 100.0;

/// How a look is to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// It is judged.
    Judged,
    /// The new version has only begun: nothing but hard limits counts.
    Warming,
    /// The old version runs nowhere any more: there is nothing to compare with.
    Alone,
}

/// What a look brought, as the evidence takes it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum Owned {
    Missing,
    #[default]
    Same,
    Passed,
    Counts(Counts),
    Buckets(Vec<f64>, Vec<f64>),
    Levels(Vec<f64>, Vec<f64>),
}

impl Owned {
    pub fn read(&self) -> Read<'_> {
        match self {
            Owned::Missing => Read::Missing,
            Owned::Same => Read::Same,
            Owned::Passed => Read::Passed,
            Owned::Counts(counts) => Read::Counts(std::slice::from_ref(counts)),
            Owned::Buckets(canary, baseline) => Read::Buckets(canary, baseline),
            Owned::Levels(canary, baseline) => Read::Levels(canary, baseline),
        }
    }
}

/// What was gathered of one metric.
pub(super) struct Gathered {
    pub metric: Metric,
    pub service: ServiceName,
    pub name: MetricName,
    /// What the last look brought; [`Owned::Same`] once it was fed.
    pub fresh: Owned,
    /// The hard limit that the last look broke, in words.
    pub broken: Option<String>,
    /// Why the last look brought nothing.
    pub why: Option<Arc<str>>,
    /// How the last look was taken.
    pub mode: Mode,
    pub memory: Memory,
    points: VecDeque<Point>,
}

/// What has to be known to go on after a restart as if there had been none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Memory {
    /// The last looks, newest last, canary and baseline.
    canary: VecDeque<Exact>,
    baseline: VecDeque<Exact>,
    /// What one side brought while the other brought nothing: their looks become one long one.
    carried: (Option<Exact>, Option<Exact>),
    /// Of a histogram: the bounds that are judged, as bits, and what the old version did before.
    bounds: Vec<u64>,
    before: Vec<f64>,
    chosen: bool,
    /// The instances of a gauge in the order of their values, canary and baseline.
    instances: (Vec<InstanceName>, Vec<InstanceName>),
    peers: Option<(Vec<InstanceName>, Peers)>,
    /// Digest over all looks so far.
    pub inputs: Arc<str>,
    /// The last answer in this batch, in how many looks in a row.
    pub last: Option<(Call, u32)>,
    /// On how many looks in a row it was proven bad.
    pub proven: u32,
}

impl Gathered {
    pub fn new(service: ServiceName, name: MetricName, metric: Metric) -> Gathered {
        Gathered {
            metric,
            service,
            name,
            fresh: Owned::Same,
            broken: None,
            why: None,
            mode: Mode::Judged,
            memory: Memory::default(),
            points: VecDeque::new(),
        }
    }

    /// Begins to count answers in a row anew: those of another exposure are none about this one.
    pub fn next_step(&mut self) {
        self.memory.last = None;
    }

    /// The boundaries of a histogram and what the old version did before, as long as they are to be
    /// chosen.
    pub fn choice(&mut self) -> Option<(Vec<f64>, Vec<f64>)> {
        let before = &self.memory.before;
        let enough = before.last().is_some_and(|all| *all >= ENOUGH);
        if self.memory.chosen || !enough {
            return None;
        }
        self.memory.chosen = true;
        Some((self.bounds(), before.clone()))
    }

    /// Whether its boundaries are still to be chosen.
    pub fn is_unchosen(&self) -> bool {
        matches!(self.metric.reading, Reading::Quantile { .. }) && !self.memory.chosen
    }

    /// The bounds of a histogram that are judged, without the infinite one.
    pub fn bounds(&self) -> Vec<f64> {
        let bits = self.memory.bounds.iter();
        bits.map(|bits| f64::from_bits(*bits)).collect()
    }

    /// The largest evidence that one of the old instances ever reached.
    pub fn peers_most(&self) -> Option<f64> {
        self.memory
            .peers
            .as_ref()
            .and_then(|(_, peers)| peers.most())
    }

    /// Takes in what a look brought.
    pub fn take(&mut self, look: MetricLook, mode: Mode, with_peers: bool, at: Timestamp) {
        self.mode = mode;
        let MetricLook {
            canary, baseline, ..
        } = &look;
        let digest = canonical::digest(&(&self.memory.inputs, canary, baseline));
        self.memory.inputs = digest.into();
        push(&mut self.memory.canary, canary);
        push(&mut self.memory.baseline, baseline);
        self.why = match (canary, baseline) {
            (Sample::Missing { why }, _) => Some(why.clone()),
            (_, Sample::Missing { why }) if mode != Mode::Alone => {
                Some(format!("the old version: {why}").into())
            }
            _ => None,
        };
        let newest = self.memory.canary.iter().rev().map(|sample| &sample.0);
        let there = newest.take_while(|sample| !matches!(sample, Sample::Missing { .. }));
        self.broken = limit::broken(&self.metric, there);
        let value = |sample: Option<Sample>| Some(limit::value(&self.metric, &sample?)?.0);
        let point = (
            value(recent(&self.memory.canary)),
            value(recent(&self.memory.baseline)),
        );
        self.point(at, point.0, point.1);
        self.fresh = match mode {
            Mode::Alone if matches!(canary, Sample::Missing { .. }) => Owned::Missing,
            Mode::Alone => Owned::Passed,
            Mode::Judged | Mode::Warming => self.pair(look, mode, with_peers),
        };
    }

    /// What both sides brought together, over the same time.
    fn pair(&mut self, look: MetricLook, mode: Mode, with_peers: bool) -> Owned {
        let carried = std::mem::take(&mut self.memory.carried);
        let lost = look.canary.is_first_look() || look.baseline.is_first_look();
        let joined = |carried: Option<Exact>, now: &Sample| {
            // what cannot be added up is lost
            let sum = carried.and_then(|Exact(mut sum)| {
                limit::plus(&mut sum, now)?;
                Some(sum)
            });
            sum.unwrap_or_else(|| now.clone())
        };
        let gone = |sample: &Sample| matches!(sample, Sample::Missing { .. });
        match (gone(&look.canary), gone(&look.baseline)) {
            (true, true) => {
                self.memory.carried = carried;
                Owned::Missing
            }
            // what counters were before a first look nobody knows: the other side's part is lost
            (true, false) | (false, true) if lost => Owned::Missing,
            (true, false) => {
                let sum = joined(carried.1, &look.baseline);
                self.memory.carried = (carried.0, Some(Exact(sum)));
                Owned::Missing
            }
            (false, true) => {
                let sum = joined(carried.0, &look.canary);
                self.memory.carried = (Some(Exact(sum)), carried.1);
                Owned::Missing
            }
            (false, false) => {
                let canary = joined(carried.0, &look.canary);
                let baseline = joined(carried.1, &look.baseline);
                self.both(&canary, &baseline, &look, mode, with_peers)
            }
        }
    }

    fn both(
        &mut self,
        canary: &Sample,
        baseline: &Sample,
        look: &MetricLook,
        mode: Mode,
        with_peers: bool,
    ) -> Owned {
        let judged = mode == Mode::Judged;
        match (canary, baseline) {
            (
                Sample::Ratio { bad, total },
                Sample::Ratio {
                    bad: old_bad,
                    total: old_total,
                },
            ) if judged => {
                if with_peers {
                    self.feed_peers(&look.baseline_each);
                }
                Owned::Counts(Counts::new(*total, *bad, *old_total, *old_bad))
            }
            (Sample::Gauge { .. }, Sample::Gauge { .. }) if judged => {
                let (new, old) = &mut self.memory.instances;
                Owned::Levels(
                    levels(new, &look.canary_each),
                    levels(old, &look.baseline_each),
                )
            }
            (Sample::Histogram { .. }, Sample::Histogram { .. }) => {
                self.histogram(canary, baseline, judged)
            }
            _ => Owned::Passed,
        }
    }

    /// A histogram on the bounds that are judged. As long as none are chosen, what the old version
    /// does is gathered to choose them by.
    fn histogram(&mut self, canary: &Sample, baseline: &Sample, judged: bool) -> Owned {
        let (Some(new), Some(old)) = (limit::cumulated(canary), limit::cumulated(baseline)) else {
            return Owned::Missing;
        };
        if self.memory.bounds.is_empty() {
            let common = new
                .0
                .iter()
                .filter(|bound| bound.is_finite() && old.0.iter().any(|other| other == *bound));
            self.memory.bounds = common.map(|bound| bound.to_bits()).collect();
        }
        let bounds = self.bounds();
        let (Some(new), Some(old)) = (at(&bounds, &new), at(&bounds, &old)) else {
            self.why = Some("its buckets are not those of the looks before".into());
            return Owned::Missing;
        };
        if self.memory.chosen {
            return match judged {
                true => Owned::Buckets(new, old),
                false => Owned::Passed,
            };
        }
        let before = &mut self.memory.before;
        before.resize(old.len(), 0.0);
        for (sum, count) in before.iter_mut().zip(&old) {
            *sum += count;
        }
        Owned::Passed
    }

    /// Judges the old instances among themselves: those that there were at the first look.
    fn feed_peers(&mut self, each: &[(InstanceName, Sample)]) {
        let (names, peers) = self.memory.peers.get_or_insert_with(|| {
            let names: Vec<InstanceName> = each.iter().map(|(name, _)| name.clone()).collect();
            let settings = Settings {
                tolerance: setup::tolerance(&self.metric),
                ..Settings::default()
            };
            let peers = Peers::new(names.len(), settings);
            (names, peers)
        });
        let of = |name: &InstanceName| {
            let found = each.iter().find(|(other, _)| other == name);
            match found.map(|(_, sample)| sample) {
                Some(Sample::Ratio { bad, total }) => Some((*total as f64, *bad as f64)),
                _ => None,
            }
        };
        let known: Vec<Option<(f64, f64)>> = names.iter().map(of).collect();
        let strangers = each.iter().filter(|(name, _)| !names.contains(name));
        let all: Vec<_> = known
            .into_iter()
            .chain(strangers.map(|(name, _)| of(name)))
            .collect();
        peers.feed(&all);
    }

    /// Draws a look that an engine before this one has taken.
    pub fn point(&mut self, at: Timestamp, canary: Option<f64>, baseline: Option<f64>) {
        if self.points.len() == CHART_POINTS {
            self.points.pop_front();
        }
        self.points.push_back(Point {
            at,
            canary,
            baseline,
        });
    }

    /// The newest point: canary and baseline.
    pub fn newest(&self) -> (Option<f64>, Option<f64>) {
        let last = self.points.back();
        last.map_or((None, None), |point| (point.canary, point.baseline))
    }

    /// Whether anybody has ever looked.
    pub fn was_seen(&self) -> bool {
        !self.memory.canary.is_empty()
    }

    /// Whether the last looks at the new version hold enough for the hard limit to count.
    pub fn enough(&self) -> bool {
        let value = recent(&self.memory.canary).and_then(|s| limit::value(&self.metric, &s));
        value.is_some_and(|(_, count)| count >= self.metric.min_count)
    }

    /// What the tolerance allows while the old version is as it was in the last looks.
    pub fn tolerated(&self) -> Option<f64> {
        limit::tolerated(&self.metric, &recent(&self.memory.baseline)?)
    }

    /// Values as people read them: `new 0.31 %, old 0.33 %`.
    pub fn values(&self) -> Option<String> {
        let (new, old) = self.newest();
        let new = limit::shown(&self.metric, new?);
        Some(match old {
            Some(old) => format!("new {new}, old {}", limit::shown(&self.metric, old)),
            None => format!("new {new}"),
        })
    }

    /// The quantile that is shown of a histogram.
    pub fn quantile(&self) -> f64 {
        match self.metric.reading {
            Reading::Quantile { at, .. } => at as f64 / MILLION as f64,
            _ => 0.0,
        }
    }

    /// The chart, with the newest answer.
    pub fn chart(&self, verdict: &MetricVerdict, judged: Judged) -> Chart {
        Chart {
            service: self.service.clone(),
            metric: verdict.metric.clone(),
            unit: match self.metric.reading {
                Reading::Ratio { .. } => Unit::Share,
                Reading::Quantile { .. } => Unit::Seconds,
                Reading::Gauge { .. } => Unit::Plain,
            },
            points: self.points.iter().copied().collect(),
            call: verdict.call,
            words: verdict.words.clone(),
            allowed: limit::allowed(&self.metric).into(),
            limit: self.metric.fail_above.map(setup::millionths),
            judged,
        }
    }
}

fn push(window: &mut VecDeque<Exact>, sample: &Sample) {
    if window.len() == WINDOW {
        window.pop_front();
    }
    window.push_back(Exact(sample.clone()));
}

/// The last looks together. What is missing now is missing: older looks do not speak for it.
fn recent(window: &VecDeque<Exact>) -> Option<Sample> {
    let mut newest = window.iter().rev().map(|sample| &sample.0);
    let mut sum = newest.next()?.clone();
    if matches!(sum, Sample::Missing { .. } | Sample::Gauge { .. }) {
        return Some(sum);
    }
    for older in newest {
        // a gap ends it, and so do other buckets: those cannot be added up
        if limit::plus(&mut sum, older).is_none() {
            break;
        }
    }
    Some(sum)
}

/// One value for each instance that was ever seen, always in the same order; NaN for one that gave
/// none.
fn levels(names: &mut Vec<InstanceName>, each: &[(InstanceName, Sample)]) -> Vec<f64> {
    for (name, _) in each {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    let of = |name: &InstanceName| {
        let found = each.iter().find(|(other, _)| other == name);
        match found.map(|(_, sample)| sample) {
            Some(Sample::Gauge { mean, .. }) => *mean,
            _ => f64::NAN,
        }
    };
    names.iter().map(of).collect()
}

/// Cumulative counts at these bounds, and of all; `None` where one of the bounds is not there.
fn at(bounds: &[f64], (there, cumulated): &(Vec<f64>, Vec<f64>)) -> Option<Vec<f64>> {
    let mut counts = Vec::with_capacity(bounds.len() + 1);
    for bound in bounds {
        let index = there.iter().position(|other| other == bound)?;
        counts.push(*cumulated.get(index)?);
    }
    counts.push(*cumulated.last()?);
    Some(counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gathered(reading: &str) -> Gathered {
        let text = format!(r#"{{"reading": {reading}, "fail_above": 50000, "min_count": 10}}"#);
        let metric = serde_json::from_str(&text).unwrap();
        Gathered::new("web".into(), "m".into(), metric)
    }

    fn ratio() -> Gathered {
        gathered(r#"{"ratio": {"bad": "b", "total": "t"}}"#)
    }

    fn of(bad: u64, total: u64) -> Sample {
        Sample::Ratio { bad, total }
    }

    fn look(canary: Sample, baseline: Sample) -> MetricLook {
        MetricLook {
            metric: "m".into(),
            canary,
            baseline,
            canary_each: Vec::new(),
            baseline_each: Vec::new(),
            dropped: Vec::new(),
        }
    }

    fn take(it: &mut Gathered, canary: Sample, baseline: Sample) -> Owned {
        it.take(look(canary, baseline), Mode::Judged, false, Timestamp(0));
        it.fresh.clone()
    }

    #[test]
    fn looks_of_which_one_side_is_missing_become_one_long_look() {
        let mut it = ratio();
        let gone = || Sample::missing("hangs");
        assert_eq!(take(&mut it, gone(), of(2, 200)), Owned::Missing);
        assert_eq!(take(&mut it, gone(), gone()), Owned::Missing);
        assert_eq!(take(&mut it, gone(), of(1, 100)), Owned::Missing);
        let whole = take(&mut it, of(3, 30), of(4, 400));
        assert_eq!(whole, Owned::Counts(Counts::new(30, 3, 700, 7)));
        let next = take(&mut it, of(1, 10), of(1, 100));
        assert_eq!(next, Owned::Counts(Counts::new(10, 1, 100, 1)));
    }

    #[test]
    fn what_was_before_a_first_look_is_nobodys() {
        let mut it = ratio();
        let first = Sample::first_look();
        assert_eq!(take(&mut it, first, of(2, 200)), Owned::Missing);
        let whole = take(&mut it, of(3, 30), of(4, 400));
        assert_eq!(whole, Owned::Counts(Counts::new(30, 3, 400, 4)));
    }

    #[test]
    fn limits_are_watched_while_warming_and_alone() {
        let mut it = ratio();
        it.take(
            look(of(9, 10), of(0, 10)),
            Mode::Warming,
            false,
            Timestamp(0),
        );
        assert_eq!(it.fresh, Owned::Passed);
        assert!(it.broken.is_some());
        let gone = Sample::missing("no instance on this side");
        it.take(
            look(of(0, 10), gone.clone()),
            Mode::Alone,
            false,
            Timestamp(1),
        );
        assert_eq!(
            (&it.fresh, &it.broken, &it.why),
            (&Owned::Passed, &None, &None)
        );
        it.take(look(gone.clone(), gone), Mode::Alone, false, Timestamp(2));
        assert_eq!(it.fresh, Owned::Missing);
        assert_eq!(
            it.newest(),
            (None, None),
            "missing is missing, whatever was before"
        );
    }

    #[test]
    fn boundaries_are_chosen_by_what_was_before() {
        let mut it = gathered(r#"{"quantile": {"histogram": "h", "at": 990000}}"#);
        let buckets = |counts: [u64; 3]| Sample::Histogram {
            bounds: vec![0.1, 0.3],
            counts: counts.to_vec(),
        };
        let old = buckets([50, 20, 1]);
        assert_eq!(
            take(&mut it, buckets([5, 2, 0]), old.clone()),
            Owned::Passed
        );
        assert_eq!(it.choice(), None, "71 requests");
        assert_eq!(
            take(&mut it, buckets([5, 2, 0]), old.clone()),
            Owned::Passed
        );
        let chosen = (vec![0.1, 0.3], vec![100.0, 140.0, 142.0]);
        assert_eq!(it.choice(), Some(chosen));
        let judged = take(&mut it, buckets([5, 2, 0]), old);
        let counts = (vec![5.0, 7.0, 7.0], vec![50.0, 70.0, 71.0]);
        assert_eq!(judged, Owned::Buckets(counts.0, counts.1));
        let other = Sample::Histogram {
            bounds: vec![0.2],
            counts: vec![1, 1],
        };
        assert_eq!(take(&mut it, other.clone(), other), Owned::Missing);
    }

    #[test]
    fn what_is_written_down_is_what_is_read() {
        let mut it = ratio();
        take(&mut it, of(3, 30), of(4, 400));
        take(&mut it, Sample::missing("hangs"), of(4, 400));
        let text = serde_json::to_string(&it.memory).unwrap();
        assert_eq!(serde_json::from_str::<Memory>(&text).unwrap(), it.memory);
        let mut other = ratio();
        other.memory = serde_json::from_str(&text).unwrap();
        let next = take(&mut it, of(1, 10), of(1, 100));
        assert_eq!(take(&mut other, of(1, 10), of(1, 100)), next);
        assert_eq!(other.memory, it.memory);
    }
}
