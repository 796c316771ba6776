//! One release that is looked at.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::gathered::{Gathered, Mode, Owned};
use super::past::{Brought, Kept, Latest, Record};
use super::sides::Arms;
use super::weighing::{Circumstances, Said, Weighing};
use super::{Wells, join_all};
use crate::domain::charter::{Metric, Reading};
use crate::domain::hold::{HoldKind, HoldState};
use crate::domain::live::{Chart, Judged};
use crate::domain::release::{Batch, Release, StepStatus};
use crate::domain::{
    Ask, Call, Judgement, MetricName, MetricVerdict, Phase, ReleaseId, ServiceName, SourceName,
    Span, State, Timestamp,
};
use crate::engine::start::Targets;
use crate::engine::{EngineHandle, explain};
use crate::platform::scrape::{LookRequest, MetricQuery, QueryKind};
use crate::platform::selector::Selector;
use crate::platform::source::{Looked, Source};

/// How many looks the pulse on the releases screen keeps.
const PULSE: usize = 24;

/// One release that is looked at.
pub(super) struct Watched {
    release: ReleaseId,
    /// In which batch the last look was taken.
    batch: usize,
    services: Vec<Watch>,
    /// The metrics of all services, and how often there is something new of each.
    metrics: Vec<Gathered>,
    paces: Vec<Span>,
    weighing: Weighing,
    judgements: Vec<Judgement>,
}

/// One service of it.
struct Watch {
    service: ServiceName,
    /// From when processes that are seen for the first time are counted from zero.
    since: Timestamp,
    /// Where its metrics are read, and which are read there.
    sources: Vec<(Source, Vec<MetricQuery>)>,
}

/// What a round of looks at the services has found.
#[derive(Default)]
struct Round {
    /// When, if there was anything to look at.
    at: Option<Timestamp>,
    /// The services that were looked at.
    seen: Vec<ServiceName>,
    /// Whether a service has nothing old left.
    alone: bool,
    /// Of the service with the most instances: new ones, and all.
    share: (usize, usize),
}

impl Watch {
    /// Looks at all sources at the same time.
    async fn look(&mut self, arms: &Arms) -> Vec<(Looked, Option<SourceName>)> {
        let since = Some(self.since);
        let looks = self.sources.iter_mut().map(|(source, queries)| async move {
            let request = LookRequest {
                metrics: queries,
                canary: &arms.canary,
                baseline: &arms.baseline,
                since,
            };
            let looked = source.look(request, &arms.sides).await;
            (looked, source.name())
        });
        join_all(looks).await
    }

    /// Goes on from what its sources remembered; what they do not is counted from the last look on.
    fn remember(&mut self, latest: Option<&Latest>, last: Option<Timestamp>) {
        let mut whole = latest.is_some();
        for (source, _) in &mut self.sources {
            let name = source.name();
            let known = latest.into_iter().flat_map(|latest| &latest.sources);
            let mut known =
                known.filter(|(service, of, _)| *service == self.service && *of == name);
            let read = known
                .next()
                .is_some_and(|(_, _, memory)| source.remember(memory));
            whole &= read;
        }
        if let (false, Some(last)) = (whole, last) {
            self.since = self.since.max(last);
        }
    }
}

/// The metrics by where they are read.
fn by_source(
    metrics: &BTreeMap<MetricName, Metric>,
    wells: &Wells,
) -> Vec<(Source, Vec<MetricQuery>)> {
    let mut queries: BTreeMap<Option<&SourceName>, Vec<MetricQuery>> = BTreeMap::new();
    for (name, metric) in metrics {
        let of = queries.entry(metric.source.as_ref()).or_default();
        of.extend(query(name, metric));
    }
    let open = |(name, queries)| (wells.open(name), queries);
    queries.into_iter().map(open).collect()
}

impl Watched {
    pub fn new(state: &State, release: &Release, wells: &Wells) -> Watched {
        let began = release.batches.iter().filter_map(|b| b.began).min();
        let since = began.unwrap_or(release.since);
        let (mut services, mut metrics, mut paces) = (Vec::new(), Vec::new(), Vec::new());
        for change in &release.plan.services {
            let Some(service) = state.charter.services.get(&change.service) else {
                continue;
            };
            services.push(Watch {
                service: change.service.clone(),
                since,
                sources: by_source(&service.metrics, wells),
            });
            for (name, metric) in &service.metrics {
                let (of, name) = (change.service.clone(), name.clone());
                paces.push(wells.pace(metric.source.as_ref()));
                metrics.push(Gathered::new(of, name, metric.clone()));
            }
        }
        let all: Vec<&Gathered> = metrics.iter().collect();
        Watched {
            release: release.id,
            batch: usize::MAX,
            services,
            weighing: Weighing::new(&state.charter, &release.plan, &all, &paces),
            metrics,
            paces,
            judgements: Vec::new(),
        }
    }

    /// Another batch is another step: what is proven of one exposure is not proven of the next, while
    /// evidence of a regression goes on.
    fn in_batch(&mut self, batch: usize) {
        if batch != self.batch {
            self.batch = batch;
            self.weighing.next_step();
            self.metrics.iter_mut().for_each(Gathered::next_step);
        }
    }

    /// Takes the looks over that an engine before this one has taken, and goes on from what is known
    /// since the last of them.
    pub fn remember(&mut self, looks: &[(Timestamp, Record)], latest: Option<Latest>) {
        for (at, record) in looks {
            self.batch = record.batch;
            for kept in &record.metrics {
                let found = self.metric(&kept.service, &kept.verdict.metric);
                if let (Some(index), Some(point)) = (found, kept.point) {
                    self.metrics[index].point(*at, point.0, point.1);
                }
            }
        }
        let many = self.metrics.len();
        let mut latest = latest.filter(|latest| latest.metrics.len() == many);
        let known = latest.as_ref();
        let last = looks.last().map(|(at, _)| *at);
        let same = known.is_some_and(|latest| self.weighing.remember(latest.weighing.clone()));
        for watch in &mut self.services {
            watch.remember(known.filter(|_| same), last);
        }
        match latest.take() {
            Some(latest) if same => {
                self.batch = latest.batch;
                self.judgements = latest.judgements;
                for (gathered, memory) in self.metrics.iter_mut().zip(latest.metrics) {
                    gathered.memory = memory;
                }
            }
            _ => tracing::info!(release = %self.release, "evidence begins anew"),
        }
    }

    fn metric(&self, service: &ServiceName, name: &MetricName) -> Option<usize> {
        let mut all = self.metrics.iter();
        all.position(|one| one.service == *service && one.name == *name)
    }

    /// Looks once, tells the domain, and says what is to be kept; nothing where nothing was new.
    pub async fn look(
        &mut self,
        engine: &EngineHandle,
        state: &State,
        targets: &Targets,
    ) -> Option<Brought> {
        let release = state.live.get(&self.release)?;
        let batch = release.batch().map_or(release.batches.len(), |(n, _)| n);
        self.in_batch(batch);
        let round = self.look_at_all(engine, state, release, targets).await;
        // without anything new, what was seen before stays to be seen
        let at = round.at?;
        let around = circumstances(state, release, &round, at);
        let looked: Vec<bool> = self
            .metrics
            .iter()
            .map(|one| one.fresh != Owned::Same)
            .collect();
        let mut all: Vec<&mut Gathered> = self.metrics.iter_mut().collect();
        let said = self.weighing.look(&mut all, &self.paces, &around);
        let record = self.record(batch, &round, &said, &looked);
        let anything = looked.contains(&true);
        if anything {
            self.judgements.clone_from(&said.judgements);
        }
        self.put_up(engine, &record, &said.charts, if anything { 1 } else { 0 });
        let verdicts = worst_of_each(&record);
        let (release, judgements) = (self.release, said.judgements);
        engine
            .tell(Ask::Looked {
                release,
                batch,
                verdicts,
                judgements,
            })
            .await;
        anything.then(|| Brought {
            release,
            at,
            record,
            latest: self.latest(at),
        })
    }

    async fn look_at_all(
        &mut self,
        engine: &EngineHandle,
        state: &State,
        release: &Release,
        targets: &Targets,
    ) -> Round {
        let mut round = Round::default();
        for n in 0..self.services.len() {
            let service = self.services[n].service.clone();
            let arms = Arms::of(state, release, &service, targets);
            if arms.nothing_new_runs() {
                // nothing to judge yet, which is not the same as nothing to be read
                continue;
            }
            let looks = self.services[n].look(&arms).await;
            let at = engine.clock().now();
            let (new, all) = (arms.counts.0, arms.counts.0 + arms.counts.1);
            if all > round.share.1 {
                round.share = (new, all);
            }
            let alone = arms.counts.1 == 0;
            round.alone |= alone;
            let mode = match warms_in(state, release, at) {
                _ if alone => Mode::Alone,
                Some(_) => Mode::Warming,
                None => Mode::Judged,
            };
            for (looked, source) in looks {
                pass_on(engine, source, &looked.remarks);
                if !looked.metrics.is_empty() || !looked.unchanged.is_empty() {
                    round.at = Some(at);
                }
                for look in looked.metrics {
                    if !look.dropped.is_empty() {
                        tracing::debug!(metric = %look.metric, dropped = ?look.dropped, "a look is not whole");
                    }
                    let Some(index) = self.metric(&service, &look.metric) else {
                        continue;
                    };
                    let one = &mut self.metrics[index];
                    let peers = self.weighing.wants_peers(index, &one.metric);
                    one.take(look, mode, peers, at);
                }
            }
            round.seen.push(service);
        }
        round
    }

    /// What was seen of the services that were looked at, in the order of the charts.
    fn record(&self, batch: usize, round: &Round, said: &Said, looked: &[bool]) -> Record {
        let all = self.metrics.iter().zip(&said.verdicts).zip(looked);
        let seen = all.filter(|((one, _), _)| round.seen.contains(&one.service) && one.was_seen());
        let kept = seen.map(|((one, verdict), looked)| Kept {
            service: one.service.clone(),
            verdict: verdict.clone(),
            point: looked.then(|| one.newest()),
        });
        Record {
            batch,
            metrics: kept.collect(),
        }
    }

    /// What has to be known to go on after a restart.
    fn latest(&self, at: Timestamp) -> Vec<u8> {
        let sources = self.services.iter().flat_map(|watch| {
            let each = watch.sources.iter();
            each.filter_map(|(source, _)| {
                Some((watch.service.clone(), source.name(), source.memory()?))
            })
        });
        let latest = Latest {
            at,
            batch: self.batch,
            weighing: self.weighing.clone(),
            metrics: self.metrics.iter().map(|one| one.memory.clone()).collect(),
            sources: sources.collect(),
            judgements: self.judgements.clone(),
        };
        serde_json::to_vec(&latest).unwrap_or_default()
    }

    /// Puts up what an engine before this one has seen.
    pub fn put_up_again(&self, engine: &EngineHandle, looks: &[&Record]) {
        let Some(last) = looks.last() else { return };
        let all: Vec<&Gathered> = self.metrics.iter().collect();
        let charts = self.weighing.standing(&all, &self.paces);
        self.put_up(engine, last, &charts, 0);
        engine.board().change(|live| {
            let pulse = live.pulse.entry(self.release).or_default();
            pulse.extend(looks.iter().filter_map(|record| self.beat(record)));
            shorten(pulse);
        });
    }

    /// A look in one word: the worst that it says of the metrics that are not in shadow. Those of which
    /// no proof is asked count only where they say something bad: most never prove anything.
    fn beat(&self, record: &Record) -> Option<Call> {
        let open = |call: Call| matches!(call, Call::Undecided | Call::NoData);
        let asked = |kept: &Kept| {
            let index = self.metric(&kept.service, &kept.verdict.metric);
            index.is_some_and(|index| self.metrics[index].metric.is_required())
        };
        let heard = record.metrics.iter().filter(|kept| !kept.verdict.shadow);
        let any = heard.clone().any(asked);
        let calls = heard.filter(|kept| !any || asked(kept) || !open(kept.verdict.call));
        calls
            .map(|kept| kept.verdict.call)
            .max_by_key(|call| badness(*call))
    }

    /// Puts up the charts as of a look, and so many beats of the pulse.
    fn put_up(&self, engine: &EngineHandle, last: &Record, judged: &[Judged], beats: usize) {
        let chart = |kept: &Kept| {
            let index = self.metric(&kept.service, &kept.verdict.metric)?;
            let judged = judged.get(index)?.clone();
            Some(self.metrics[index].chart(&kept.verdict, judged))
        };
        let charts: Vec<Chart> = last.metrics.iter().filter_map(chart).collect();
        let acting = self
            .judgements
            .iter()
            .min_by_key(|judgement| judgement.shadow);
        engine.board().change(|live| {
            live.charts.insert(self.release, Arc::new(charts));
            if let Some(judgement) = acting {
                let judgement = Arc::new(judgement.clone());
                live.judgements.insert(self.release, judgement);
            }
            let pulse = live.pulse.entry(self.release).or_default();
            pulse.extend(self.beat(last).into_iter().take(beats));
            shorten(pulse);
        });
    }
}

fn shorten(pulse: &mut Vec<Call>) {
    let old = pulse.len().saturating_sub(PULSE);
    pulse.drain(..old);
}

fn badness(call: Call) -> u8 {
    match call {
        Call::Pass => 0,
        Call::Undecided => 1,
        Call::NoData => 2,
        Call::Hold => 3,
        Call::Fail => 4,
    }
}

/// Of several services that have a metric of the same name the worst answer: plans name metrics
/// without their service.
fn worst_of_each(record: &Record) -> Vec<MetricVerdict> {
    let mut worst: BTreeMap<&MetricName, &MetricVerdict> = BTreeMap::new();
    for kept in &record.metrics {
        let rank = |verdict: &MetricVerdict| (!verdict.shadow, badness(verdict.call));
        let known = worst.entry(&kept.verdict.metric).or_insert(&kept.verdict);
        if rank(&kept.verdict) > rank(known) {
            *known = &kept.verdict;
        }
    }
    worst.into_values().cloned().collect()
}

/// How long from now on nothing but hard limits is judged, if that is so.
fn warms_in(state: &State, release: &Release, now: Timestamp) -> Option<Span> {
    let steps = release
        .batches
        .iter()
        .flat_map(|b| &b.moves)
        .flat_map(|m| &m.steps);
    let done = steps.filter(|step| step.status == StepStatus::Done);
    let first = done.map(|step| step.since).min()?;
    let until = first.plus(state.charter.judging.warm_up);
    (now < until).then(|| until.since(now))
}

fn circumstances(state: &State, release: &Release, round: &Round, now: Timestamp) -> Circumstances {
    let (new, all) = round.share;
    Circumstances {
        share: (all > 0).then(|| new as f64 / all as f64),
        elapsed: release.phase == Phase::Rolling && elapsed(release, now),
        warm_in: warms_in(state, release, now),
        alone: round.alone,
    }
}

/// Whether the present batch has had its least time.
fn elapsed(release: &Release, now: Timestamp) -> bool {
    let Some((_, batch)) = release.batch() else {
        return false;
    };
    let moved = batch.after.iter().find(|hold| hold.kind == HoldKind::Moved);
    let Some(HoldState::Cleared { at, .. }) = moved.map(|hold| &hold.state) else {
        return false;
    };
    let least = release.plan.judge.least.unwrap_or_else(|| half(batch));
    now.since(*at) >= least
}

/// Half of the bakes of a batch.
fn half(batch: &Batch) -> Span {
    let bakes = batch.after.iter().filter_map(|hold| match hold.kind {
        HoldKind::Bake { span } => Some(span.0),
        _ => None,
    });
    Span(bakes.sum::<u64>() / 2)
}

/// Puts up what a source remarks, and takes it down when it remarks nothing more.
fn pass_on(engine: &EngineHandle, source: Option<SourceName>, remarks: &[String]) {
    match source {
        Some(source) if remarks.is_empty() => {
            let place = Some(source.as_str());
            engine.board().calm(explain::SOURCE_REMARKS, place);
        }
        Some(source) => {
            let notice = explain::source_remarks(source.as_str(), remarks);
            if !engine.board().now().alerts.contains(&notice) {
                engine.board().alert(notice);
            }
        }
        None => {}
    }
}

fn query(name: &MetricName, metric: &Metric) -> Option<MetricQuery> {
    // selectors were checked when the room's files were read
    let parse = |text: &str| Selector::parse(text).ok();
    let kind = match &metric.reading {
        Reading::Ratio { bad, total } => QueryKind::Ratio {
            bad: parse(bad)?,
            total: parse(total)?,
        },
        Reading::Quantile { histogram, .. } => QueryKind::Histogram {
            series: parse(histogram)?,
        },
        Reading::Gauge { series } => QueryKind::Gauge {
            series: parse(series)?,
        },
    };
    Some(MetricQuery {
        name: name.clone(),
        kind,
    })
}
