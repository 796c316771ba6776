//! From the samples of a store to one sample for each side: puts the scrapes of each instance
//! together again, and counts them as the scrape source does, pure.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde::{Deserialize, Serialize};

use super::answer::Line;
use super::ends::{All, Ends, fresh, none_fresh};
use super::span::Reach;
use crate::domain::{InstanceName, MetricName};
use crate::judge::Sample;
use crate::platform::counters::{Arm, Born, Counters, pairs};
use crate::platform::metrics_text::{Exposition, Series, SeriesId};
use crate::platform::scrape::merge::{One, Part, SideLook, join, side};
use crate::platform::scrape::{BORN, MetricLook, MetricQuery, QueryKind, Scraped};

/// What is remembered from look to look.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Memory {
    /// One for each side, or the first for both where instances go from one to the other.
    counters: [Counters; 2],
    /// The time of the newest scrape that was counted.
    #[serde(with = "pairs")]
    pub(super) counted: HashMap<(usize, InstanceName, MetricName), i64>,
    /// To where each metric was read.
    #[serde(with = "pairs")]
    read: HashMap<MetricName, i64>,
    /// On which side an instance is, and since when.
    #[serde(with = "pairs")]
    pub(super) on: HashMap<InstanceName, (Arm, i64)>,
    /// Since which look one waits for instances.
    #[serde(default, with = "pairs")]
    pub(super) waiting: HashMap<MetricName, i64>,
    /// Who took part, and does so no more.
    #[serde(default)]
    pub(super) away: HashSet<(Arm, InstanceName, MetricName)>,
    /// Whose counters of bad events have been seen.
    knows_bad: HashSet<(Arm, MetricName)>,
}

/// How series are given to sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attribution {
    /// By the instance: the same series is on one side before and on the other afterwards. What was
    /// scraped before this moment (now, by the server's clock) was not yet on the new side.
    ByInstance(i64),
    /// By labels that say it: one instance, such as a proxy, may show both sides.
    BySeries,
}

/// What one look is about, for one metric.
pub(super) struct Task<'a> {
    pub query: &'a MetricQuery,
    pub reach: Reach,
    /// From when new processes are counted from zero, in seconds of the server's clock.
    pub since: Option<f64>,
    pub attribution: Attribution,
    /// When processes began.
    pub born: &'a [Line],
    /// Whether every query was answered.
    pub whole: bool,
}

/// What was found of one metric on one side.
#[derive(Debug, Default)]
pub(super) struct Found<'a> {
    /// Its series.
    pub lines: Vec<&'a Line>,
    /// For gauges: when what they show was scraped, in seconds.
    pub ages: Vec<&'a Line>,
    /// What was asked for, in words.
    pub asked: String,
}

/// The scrapes of one instance: by time, with the series of each.
pub(super) type Scrapes = BTreeMap<i64, Vec<Series>>;

/// What one side has: the scrapes by instance, or why there are none.
type Shown = Result<BTreeMap<InstanceName, Scrapes>, String>;

pub(super) const ARMS: [Arm; 2] = [Arm::Canary, Arm::Baseline];

impl Memory {
    /// The span that a look at a metric has to cover.
    pub fn reach(&self, metric: &MetricName, to: i64, step: i64) -> Reach {
        Reach::new(self.read.get(metric).copied(), to, step)
    }

    /// Makes a look of what was found, canary first; `None` when somebody has been scraped lately
    /// and not again since the look before: then nothing is counted yet on either side.
    pub fn take(
        &mut self,
        task: &Task<'_>,
        found: [Result<Found<'_>, String>; 2],
    ) -> Option<MetricLook> {
        let mut dropped = Vec::new();
        let samples: [Result<SideLook, String>; 2] = match twice(&found) {
            Some(why) => [Err(why.clone()), Err(why)],
            None if matches!(task.query.kind, QueryKind::Gauge { .. }) => {
                self.have_read(task);
                [0, 1].map(|n| {
                    let found = found[n].as_ref().map_err(Clone::clone)?;
                    Ok(self.gauge(task, ARMS[n], found, &mut dropped))
                })
            }
            None => self.counts(task, found, &mut dropped)?,
        };
        let [(canary, canary_each), (baseline, baseline_each)] =
            samples.map(|side| side.unwrap_or_else(|why| (Sample::missing(why), Vec::new())));
        Some(MetricLook {
            metric: task.query.name.clone(),
            canary,
            baseline,
            canary_each,
            baseline_each,
            dropped,
        })
    }

    /// What a query did not bring, and what could not be counted yet, is asked for again.
    fn have_read(&mut self, task: &Task<'_>) {
        if task.whole {
            self.read.insert(task.query.name.clone(), task.reach.to);
        }
    }

    /// Counts both sides over the same time, or neither.
    fn counts(
        &mut self,
        task: &Task<'_>,
        found: [Result<Found<'_>, String>; 2],
        dropped: &mut Vec<String>,
    ) -> Option<[Result<SideLook, String>; 2]> {
        if !task.whole {
            // what one side could not say is not counted on the other, but on both by a later look
            let [canary, baseline] = found.map(Result::err);
            let both = [canary.clone().or(baseline.clone()), baseline.or(canary)];
            return Some(both.map(|why| Err(why.unwrap_or_default())));
        }
        let all: [All; 2] = found
            .each_ref()
            .map(|found| found.as_ref().ok().map(|found| scrapes(task, found)));
        for (arm, side) in ARMS.into_iter().zip(&all) {
            for instance in side.iter().flat_map(|side| side.keys()) {
                self.joined(task, instance, arm);
            }
        }
        match self.ends(task, &all) {
            Ends::Met => {}
            Ends::Between => return None,
            Ends::Waiting(why) => return Some([Err(why.clone()), Err(why)]),
        }
        let [canary, baseline] = all;
        let [found_canary, found_baseline] = found;
        let sides = [(0, canary, found_canary), (1, baseline, found_baseline)];
        let shown = sides.map(|(n, all, found)| {
            let asked = found?.asked;
            self.shown(task, ARMS[n], &asked, all.unwrap_or_default(), dropped)
        });
        let mut sides = shown.iter().enumerate();
        if sides.any(|(n, shown)| self.nothing_new(task, n, shown)) {
            return None;
        }
        self.have_read(task);
        let [canary, baseline] = shown;
        let sides = [(0, canary), (1, baseline)];
        Some(sides.map(|(n, shown)| Ok(self.count(task, n, shown?, dropped))))
    }

    /// The scrapes of one side that belong to it, of those who were scraped at the end of the span.
    fn shown(
        &mut self,
        task: &Task<'_>,
        arm: Arm,
        asked: &str,
        mut shown: BTreeMap<InstanceName, Scrapes>,
        dropped: &mut Vec<String>,
    ) -> Shown {
        let Some(newest) = shown.values().filter_map(|s| s.keys().next_back()).max() else {
            return Err(format!("there is no series {asked}"));
        };
        if !task.reach.is_fresh(*newest) {
            return Err(none_fresh(task.reach.to - newest));
        }
        shown.retain(|instance, scrapes| {
            let fresh = fresh(task, scrapes);
            if let (false, Some(newest)) = (fresh, scrapes.keys().next_back()) {
                dropped.push(format!(
                    "{instance}: {}",
                    none_fresh(task.reach.to - newest)
                ));
            }
            fresh
        });
        for (instance, scrapes) in &mut shown {
            let joined = self.joined(task, instance, arm);
            scrapes.retain(|at, _| *at >= joined);
        }
        shown.retain(|_, scrapes| !scrapes.is_empty());
        match shown.is_empty() {
            true => Err("nothing of it was scraped since it changed sides".to_owned()),
            false => Ok(shown),
        }
    }

    /// Since when an instance is on a side.
    fn joined(&mut self, task: &Task<'_>, instance: &InstanceName, arm: Arm) -> i64 {
        let Attribution::ByInstance(now) = task.attribution else {
            return i64::MIN;
        };
        let begin = || match arm {
            // it ran the old version all the time
            Arm::Baseline => (arm, i64::MIN),
            Arm::Canary => (arm, now),
        };
        let on = self.on.entry(instance.clone()).or_insert_with(begin);
        if on.0 != arm {
            *on = (arm, now);
        }
        on.1
    }

    /// Where the counters of a side are kept.
    pub(super) fn place(task: &Task<'_>, side: usize) -> usize {
        match task.attribution {
            Attribution::ByInstance(_) => 0,
            Attribution::BySeries => side,
        }
    }

    pub(super) fn key(
        task: &Task<'_>,
        side: usize,
        it: &InstanceName,
    ) -> (usize, InstanceName, MetricName) {
        (
            Memory::place(task, side),
            it.clone(),
            task.query.name.clone(),
        )
    }

    fn nothing_new(&self, task: &Task<'_>, side: usize, shown: &Shown) -> bool {
        let Ok(shown) = shown else {
            return false;
        };
        !shown.iter().any(|(instance, scrapes)| {
            let counted = self.counted.get(&Memory::key(task, side, instance));
            let newest = scrapes.keys().next_back();
            newest.is_some_and(|at| counted.is_none_or(|counted| at > counted))
        })
    }

    fn count(
        &mut self,
        task: &Task<'_>,
        n: usize,
        shown: BTreeMap<InstanceName, Scrapes>,
        dropped: &mut Vec<String>,
    ) -> SideLook {
        if let QueryKind::Ratio { bad, .. } = &task.query.kind {
            let all = shown.values().flat_map(|s| s.values()).flatten();
            if all.into_iter().any(|series| series.id.name == bad.name()) {
                self.knows_bad.insert((ARMS[n], task.query.name.clone()));
            }
        }
        let mut parts = Vec::new();
        for (instance, scrapes) in shown {
            if let Some(part) = self.count_one(task, n, &instance, scrapes) {
                parts.push((instance, part));
            }
        }
        sum_up(parts, dropped)
    }

    /// What one instance brings: everything between the newest scrape that was counted and the end
    /// of the span. `None`: it is only between two scrapes.
    fn count_one(
        &mut self,
        task: &Task<'_>,
        n: usize,
        instance: &InstanceName,
        mut scrapes: Scrapes,
    ) -> Option<Part> {
        let newest = *scrapes.keys().next_back()?;
        let key = Memory::key(task, n, instance);
        match self.counted.insert(key, newest) {
            None => scrapes = at_once(task, instance, scrapes),
            Some(counted) => scrapes.retain(|at, _| *at > counted),
        }
        if scrapes.is_empty() {
            return None;
        }
        let metric = task.query.name.clone();
        let back = self.away.remove(&(ARMS[n], instance.clone(), metric));
        let names = self.names(task, n);
        let mut sum: Option<Sample> = None;
        let mut last = Part::First;
        for (at, series) in scrapes {
            let mut known = names.clone();
            known.extend(series.iter().map(|series| series.id.name.clone()));
            let scraped = Scraped {
                shown: Exposition {
                    series,
                    names: known,
                },
                born: born(task.born, instance, at),
                now: at as f64 / 1000.0,
            };
            let one = One {
                query: task.query,
                instance,
                arm: ARMS[n],
                since: task.since,
                scraped: &scraped,
            };
            last = match one.part(&mut self.counters[Memory::place(task, n)]) {
                Part::Brings(sample) => match &mut sum {
                    None => {
                        sum = Some(sample);
                        continue;
                    }
                    Some(all) => match join(all, sample) {
                        Ok(()) => continue,
                        Err(why) => return Some(Part::Dropped(why.to_owned())),
                    },
                },
                other => other,
            };
        }
        Some(match sum {
            // what it grew by while it took no part is of another time than what the others bring
            Some(_) if back => Part::First,
            Some(sum) => Part::Brings(sum),
            None => last,
        })
    }

    /// Names that a side knows though none of their series may be there yet: of labelled counters
    /// there is no series before the first event.
    fn names(&self, task: &Task<'_>, n: usize) -> BTreeSet<String> {
        let known = (ARMS[n], task.query.name.clone());
        match &task.query.kind {
            QueryKind::Ratio { bad, .. } if self.knows_bad.contains(&known) => {
                [bad.name().to_owned()].into()
            }
            _ => BTreeSet::new(),
        }
    }

    /// The level of a gauge over the span: the mean over the steps of each instance, then over
    /// the instances.
    fn gauge(
        &mut self,
        task: &Task<'_>,
        arm: Arm,
        found: &Found<'_>,
        dropped: &mut Vec<String>,
    ) -> SideLook {
        let mut by_instance: BTreeMap<InstanceName, Vec<Result<f64, String>>> = BTreeMap::new();
        for line in &found.lines {
            let instance = instance_of(&line.id);
            let joined = self.joined(task, &instance, arm);
            let age = found
                .ages
                .iter()
                .find(|age| age.id.labels == line.id.labels);
            let level = age.map_or_else(
                || Err("the age of its samples is not known".to_owned()),
                |age| level(task, line, age, joined),
            );
            by_instance.entry(instance).or_default().push(level);
        }
        if by_instance.is_empty() {
            let why = format!("there is no series {}", found.asked);
            return (Sample::missing(why), Vec::new());
        }
        let parts: Vec<(InstanceName, Part)> = by_instance
            .into_iter()
            .map(|(instance, levels)| {
                let n = levels.len() as f64;
                let mean: Result<f64, String> =
                    levels.into_iter().map(|level| Ok(level? / n)).sum();
                let part = mean.map(|mean| Part::Brings(Sample::Gauge { mean, n: 1 }));
                (instance, part.unwrap_or_else(Part::Dropped))
            })
            .collect();
        sum_up(parts, dropped)
    }
}

/// The sample of one side from what its instances bring.
fn sum_up(parts: Vec<(InstanceName, Part)>, dropped: &mut Vec<String>) -> SideLook {
    let (instances, parts): (Vec<InstanceName>, Vec<Part>) = parts.into_iter().unzip();
    side(instances.iter().zip(parts).collect(), dropped)
}

/// The mean of one gauge over the steps at which it was fresh, where it is fresh at the last.
fn level(task: &Task<'_>, line: &Line, age: &Line, joined: i64) -> Result<f64, String> {
    let reach = task.reach;
    let (mut sum, mut n, mut newest) = (0.0, 0.0, None);
    for (at, value) in &line.points {
        let scraped = age.points.iter().find(|(step, _)| step == at);
        let Some(scraped) = scraped.map(|(_, seconds)| (seconds * 1000.0) as i64) else {
            continue;
        };
        // a server shows the last sample for five minutes, whatever became of the instance
        if at - scraped >= 2 * reach.step || scraped < joined {
            continue;
        }
        if !value.is_finite() {
            return Err(format!("{} is {value}", line.id.name));
        }
        sum += value;
        n += 1.0;
        newest = Some(*at);
    }
    match newest {
        Some(newest) if newest == reach.to => Ok(sum / n),
        _ => Err("it has no sample of now".to_owned()),
    }
}

/// A series that both sides select.
fn twice(found: &[Result<Found<'_>, String>; 2]) -> Option<String> {
    let [Ok(canary), Ok(baseline)] = found else {
        return None;
    };
    let ids: HashSet<&SeriesId> = canary.lines.iter().map(|line| &line.id).collect();
    let both = baseline.lines.iter().find(|line| ids.contains(&line.id))?;
    let of = crate::domain::text::printable(instance_of(&both.id).as_str(), 60);
    let name = &both.id.name;
    Some(format!(
        "both sides select {name} of {of}: `canary` and `baseline` in room.toml must tell them apart"
    ))
}

/// What names the instance of a series: the labels that every server gives what it scrapes.
fn instance_of(id: &SeriesId) -> InstanceName {
    let label = |name| crate::domain::text::printable(id.label(name).unwrap_or_default(), 100);
    match (label("job").as_str(), label("instance").as_str()) {
        ("", instance) => instance.into(),
        (job, instance) => format!("{job}/{instance}").into(),
    }
}

fn scrapes(task: &Task<'_>, found: &Found<'_>) -> BTreeMap<InstanceName, Scrapes> {
    let mut all: BTreeMap<InstanceName, Scrapes> = BTreeMap::new();
    let classic = found.lines.iter().any(|line| !line.points.is_empty());
    for line in &found.lines {
        let scrapes = all.entry(instance_of(&line.id)).or_default();
        let until = task.reach.to;
        for (at, value) in line.points.iter().filter(|(at, _)| *at <= until) {
            let (id, value) = (line.id.clone(), *value);
            scrapes.entry(*at).or_default().push(Series { id, value });
        }
        if classic {
            // buckets with bounds of their own are more exact than those of the grid
            continue;
        }
        for (at, cumulated) in line.histograms.iter().filter(|(at, _)| *at <= until) {
            let buckets = cumulated.iter().map(|(bound, value)| Series {
                id: bucket(&line.id, *bound),
                value: *value,
            });
            scrapes.entry(*at).or_default().extend(buckets);
        }
    }
    all.retain(|_, scrapes| !scrapes.is_empty());
    all
}

/// The bucket of a classic histogram that a bucket of a native one is like.
fn bucket(id: &SeriesId, bound: f64) -> SeriesId {
    let mut labels = id.labels.clone();
    let le = if bound.is_infinite() {
        "+Inf".to_owned()
    } else {
        bound.to_string()
    };
    labels.push(("le".to_owned(), le));
    labels.sort_unstable();
    SeriesId {
        name: format!("{}_bucket", id.name),
        labels,
    }
}

/// The scrapes of an instance that is seen for the first time as one: what each series showed last.
/// What was there before its process began was another's.
fn at_once(task: &Task<'_>, instance: &InstanceName, scrapes: Scrapes) -> Scrapes {
    let Some(newest) = scrapes.keys().next_back().copied() else {
        return scrapes;
    };
    let began = born(task.born, instance, newest).map(|born| (born.raw * 1000.0) as i64);
    let mut last: BTreeMap<SeriesId, f64> = BTreeMap::new();
    for (at, series) in scrapes {
        if at == newest || began.is_none_or(|began| at >= began) {
            last.extend(series.into_iter().map(|s| (s.id, s.value)));
        }
    }
    let series = last.into_iter().map(|(id, value)| Series { id, value });
    [(newest, series.collect())].into()
}

/// When the process began that an instance showed at a moment.
fn born(lines: &[Line], instance: &InstanceName, at: i64) -> Option<Born> {
    let mut all = lines
        .iter()
        .filter(|line| line.id.name == BORN && instance_of(&line.id) == *instance);
    let line = all.next()?;
    if all.next().is_some() {
        // several processes behind one address: nobody knows whose this is
        return None;
    }
    let found = line.points.iter().find(|(time, _)| *time == at)?;
    let raw = found.1;
    raw.is_finite().then_some(Born { raw, at: raw })
}
