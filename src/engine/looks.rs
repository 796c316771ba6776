//! Looks: read the metrics of every release that moves or is observed, judge them, report.

mod gathered;
mod past;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::EngineHandle;
use super::start::Targets;
use crate::domain::charter::{Metric, Reading};
use crate::domain::live::Chart;
use crate::domain::release::{Release, StepStatus};
use crate::domain::{
    Ask, Call, InstanceName, MetricName, Phase, ReleaseId, ServiceName, Span, State, TargetName,
    Timestamp,
};
use crate::platform::http::Http;
use crate::platform::scrape::{Endpoint, LookRequest, MetricQuery, QueryKind, Scraper};
use crate::platform::selector::Selector;
use gathered::{Gathered, WINDOW};
use past::{Kept, Past, Record};

/// How long one instance may take to show its metrics.
const SCRAPE_LIMIT: Duration = Duration::from_secs(3);

/// How many looks the pulse on the releases screen keeps.
const PULSE: usize = 24;

/// For how long an engine may be away without counts beginning anew. Numbers that are older than
/// this and a window say nothing about now.
const AWAY: Span = Span::mins(1);

/// Looks at all releases that move or are observed until it is dropped. What the looks bring is
/// kept in the file `telemetry`, if one is named.
pub(super) async fn look_on(
    engine: EngineHandle,
    targets: Targets,
    every: Span,
    telemetry: Option<PathBuf>,
) {
    let http = match Http::new() {
        Ok(http) => http,
        Err(why) => {
            tracing::error!(why, "metrics cannot be read");
            return;
        }
    };
    let mut past = Past::new(telemetry, engine.board().clone());
    let mut watched = bring_back(&engine, &mut past, &http, every).await;
    let mut beat = tokio::time::interval(every.std());
    beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        beat.tick().await;
        let state = engine.state.borrow().clone();
        let moving = |r: &Release| {
            matches!(r.phase, Phase::Rolling | Phase::Observing) && r.touched().next().is_some()
        };
        watched.retain(|id, _| state.live.get(id).is_some_and(|r| moving(r)));
        for (id, release) in state.live.iter().filter(|(_, r)| moving(r)) {
            watched
                .entry(*id)
                .or_insert_with(|| Watched::new(&state, release, &http));
        }
        let gone = |id: &ReleaseId| !state.live.contains_key(id);
        if engine.board().now().charts.keys().any(gone) {
            engine.board().change(|live| {
                live.charts.retain(|id, _| !gone(id));
                live.pulse.retain(|id, _| !gone(id));
            });
        }
        // all at the same time: one that hangs must not keep the others waiting
        let looks = watched
            .values_mut()
            .map(|w| w.look(&engine, &state, &targets));
        let brought = join_all(looks).await;
        let brought = brought.into_iter().flatten().collect();
        past.keep(brought, engine.clock().now()).await;
    }
}

/// Puts up again what was seen of the releases before the engine was started.
async fn bring_back(
    engine: &EngineHandle,
    past: &mut Past,
    http: &Http,
    every: Span,
) -> BTreeMap<ReleaseId, Watched> {
    let state = engine.state.borrow().clone();
    let now = engine.clock().now();
    let fresh = now.minus(AWAY).minus(Span(every.0 * WINDOW as u64));
    let mut watched = BTreeMap::new();
    for release in state.live.values() {
        let looks = past.of(release.id, now).await;
        if looks.is_empty() {
            continue;
        }
        let mut one = Watched::new(&state, release, http);
        for (at, record) in &looks {
            one.remember(*at, record, fresh);
        }
        let records: Vec<&Record> = looks.iter().map(|(_, record)| record).collect();
        one.put_up(engine, &records);
        watched.insert(release.id, one);
    }
    watched
}

/// Runs futures at the same time, and says what they say, in no order.
async fn join_all<T>(futures: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut pinned: Vec<_> = futures.map(Box::pin).collect();
    let mut said = Vec::with_capacity(pinned.len());
    std::future::poll_fn(|context| {
        pinned.retain_mut(|f| match f.as_mut().poll(context) {
            std::task::Poll::Ready(it) => {
                said.push(it);
                false
            }
            std::task::Poll::Pending => true,
        });
        if pinned.is_empty() {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    said
}

/// One release that is looked at.
struct Watched {
    release: ReleaseId,
    /// In which batch the numbers below were gathered.
    batch: usize,
    services: Vec<Watch>,
}

/// One service of it.
struct Watch {
    service: ServiceName,
    /// From when processes that are seen for the first time are counted from zero.
    since: Timestamp,
    scraper: Scraper,
    queries: Vec<MetricQuery>,
    metrics: BTreeMap<MetricName, Gathered>,
}

impl Watched {
    fn new(state: &State, release: &Release, http: &Http) -> Watched {
        let began = release.batches.iter().filter_map(|b| b.began).min();
        let since = began.unwrap_or(release.since);
        let services = release
            .plan
            .services
            .iter()
            .filter_map(|change| {
                let metrics = &state.charter.services.get(&change.service)?.metrics;
                Some(Watch {
                    service: change.service.clone(),
                    since,
                    scraper: Scraper::new(http.clone(), SCRAPE_LIMIT),
                    queries: metrics
                        .iter()
                        .filter_map(|(name, m)| query(name, m))
                        .collect(),
                    metrics: metrics
                        .iter()
                        .map(|(name, m)| (name.clone(), Gathered::new(m.clone())))
                        .collect(),
                })
            })
            .collect();
        Watched {
            release: release.id,
            batch: usize::MAX,
            services,
        }
    }

    /// Numbers of another exposure prove nothing about this one.
    fn in_batch(&mut self, batch: usize) {
        if batch != self.batch {
            self.batch = batch;
            let services = self.services.iter_mut();
            for gathered in services.flat_map(|s| s.metrics.values_mut()) {
                gathered.forget();
            }
        }
    }

    /// Takes a look over that an engine before this one has taken; of one that is not `fresh`
    /// only the charts.
    fn remember(&mut self, at: Timestamp, record: &Record, fresh: Timestamp) {
        self.in_batch(record.batch);
        for kept in &record.metrics {
            let mut services = self.services.iter_mut();
            let Some(watch) = services.find(|w| w.service == kept.service) else {
                continue;
            };
            watch.since = watch.since.max(at);
            if let Some(gathered) = watch.metrics.get_mut(&kept.verdict.metric) {
                gathered.remember(at, kept, at >= fresh);
            }
        }
    }

    async fn look(
        &mut self,
        engine: &EngineHandle,
        state: &State,
        targets: &Targets,
    ) -> Option<(ReleaseId, Timestamp, Record)> {
        let release = state.live.get(&self.release)?;
        let batch = release.batch().map_or(release.batches.len(), |(n, _)| n);
        self.in_batch(batch);
        let mut metrics = Vec::new();
        let mut last = None;
        for watch in &mut self.services {
            let (canary, baseline) = arms(state, release, &watch.service, targets);
            if canary.is_empty() {
                // nothing to judge yet, which is not the same as nothing to be read
                continue;
            }
            let request = LookRequest {
                metrics: &watch.queries,
                canary: &canary,
                baseline: &baseline,
                since: Some(watch.since),
            };
            let looks = watch.scraper.look(request).await;
            let at = engine.clock().now();
            last = Some(at);
            for look in looks {
                if !look.dropped.is_empty() {
                    tracing::debug!(metric = %look.metric, dropped = ?look.dropped, "a look is not whole");
                }
                if let Some(gathered) = watch.metrics.get_mut(&look.metric) {
                    let brought = (look.canary, look.baseline);
                    metrics.push(gathered.take(&watch.service, look.metric, brought, at));
                }
            }
        }
        // without anything new, what was seen before stays to be seen
        let at = last.filter(|_| !metrics.is_empty())?;
        let record = Record { batch, metrics };
        self.put_up(engine, &[&record]);
        let verdicts = record.metrics.iter().map(|m| m.verdict.clone()).collect();
        let release = self.release;
        engine
            .tell(Ask::Looked {
                release,
                batch,
                verdicts,
            })
            .await;
        Some((release, at, record))
    }

    /// Puts up the charts as of the last of some looks, and the pulse of all of them.
    fn put_up(&self, engine: &EngineHandle, looks: &[&Record]) {
        let chart = |kept: &Kept| {
            let watch = self.services.iter().find(|w| w.service == kept.service)?;
            Some(
                watch
                    .metrics
                    .get(&kept.verdict.metric)?
                    .chart(&kept.verdict),
            )
        };
        let last = looks.last().map_or(&[][..], |record| &record.metrics);
        let charts: Vec<Chart> = last.iter().filter_map(chart).collect();
        let worst = |record: &&Record| {
            let calls = record.metrics.iter().map(|kept| kept.verdict.call);
            calls.max_by_key(|call| badness(*call))
        };
        engine.board().change(|live| {
            live.charts.insert(self.release, Arc::new(charts));
            let pulse = live.pulse.entry(self.release).or_default();
            pulse.extend(looks.iter().filter_map(worst));
            let old = pulse.len().saturating_sub(PULSE);
            pulse.drain(..old);
        });
    }
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

/// The instances that run the new version and those that run the old one.
fn arms(
    state: &State,
    release: &Release,
    service: &ServiceName,
    targets: &Targets,
) -> (Vec<Endpoint>, Vec<Endpoint>) {
    let (mut canary, mut baseline) = (Vec::new(), Vec::new());
    for (name, target) in state.charter.targets_of(service, &release.plan.environment) {
        let Some(part) = targets.get(name) else {
            continue;
        };
        for instance in &target.instances {
            let Some(url) = part.urls.get(instance) else {
                continue;
            };
            let endpoint = Endpoint {
                // instances of two targets may share a name
                instance: InstanceName::from(format!("{name}/{instance}")),
                url: format!("{url}{}", part.metrics_path),
            };
            match step_of(release, name, instance) {
                Some(StepStatus::Done) => canary.push(endpoint),
                Some(StepStatus::ToDo) | None => baseline.push(endpoint),
                // on its way: it belongs to neither
                Some(_) => {}
            }
        }
    }
    (canary, baseline)
}

fn step_of<'a>(
    release: &'a Release,
    target: &TargetName,
    instance: &InstanceName,
) -> Option<&'a StepStatus> {
    release
        .batches
        .iter()
        .flat_map(|b| &b.moves)
        .filter(|m| m.target == *target)
        .flat_map(|m| &m.steps)
        .find(|s| s.instance == *instance)
        .map(|s| &s.status)
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
