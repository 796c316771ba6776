//! Looks: read the metrics of every release that moves or is observed, judge them, report.

mod gathered;
mod past;
mod sides;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::start::Targets;
use super::{EngineHandle, explain};
use crate::domain::charter::{Metric, Reading};
use crate::domain::live::Chart;
use crate::domain::release::Release;
use crate::domain::{
    Ask, Call, MetricName, Phase, ReleaseId, ServiceName, SourceName, Span, State, Timestamp,
};
use crate::platform::http::Http;
use crate::platform::prometheus::Prometheus;
use crate::platform::prometheus::client::Config;
use crate::platform::scrape::{LookRequest, MetricQuery, QueryKind, Scraper};
use crate::platform::selector::Selector;
use crate::platform::source::{Looked, Source};
use gathered::{Gathered, WINDOW};
use past::{Kept, Past, Record};
use sides::Arms;

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
    sources: BTreeMap<SourceName, Arc<Config>>,
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
    let wells = Wells { http, sources };
    let mut past = Past::new(telemetry, engine.board().clone());
    let mut watched = bring_back(&engine, &mut past, &wells, every).await;
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
                .or_insert_with(|| Watched::new(&state, release, &wells));
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
    wells: &Wells,
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
        let mut one = Watched::new(&state, release, wells);
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

/// Where metrics can be read.
struct Wells {
    http: Http,
    sources: BTreeMap<SourceName, Arc<Config>>,
}

impl Wells {
    /// A source that has seen nothing yet; `None` stands for the instances themselves.
    fn open(&self, name: Option<&SourceName>) -> Source {
        match name.map(|name| (name, self.sources.get(name))) {
            None => Source::Scrape(Scraper::new(self.http.clone(), SCRAPE_LIMIT)),
            Some((_, Some(config))) => {
                Source::Prometheus(Box::new(Prometheus::new(config.clone(), &self.http)))
            }
            Some((name, None)) => Source::Unknown(name.clone()),
        }
    }
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
    /// Where its metrics are read, and which are read there.
    sources: Vec<(Source, Vec<MetricQuery>)>,
    metrics: BTreeMap<MetricName, Gathered>,
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
    fn new(state: &State, release: &Release, wells: &Wells) -> Watched {
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
                    sources: by_source(metrics, wells),
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
            let arms = Arms::of(state, release, &watch.service, targets);
            if arms.nothing_new_runs() {
                // nothing to judge yet, which is not the same as nothing to be read
                continue;
            }
            let looks = watch.look(&arms).await;
            let at = engine.clock().now();
            last = Some(at);
            let mut brought = Vec::new();
            for (looked, source) in looks {
                pass_on(engine, source, &looked.remarks);
                for look in looked.metrics {
                    if !look.dropped.is_empty() {
                        tracing::debug!(metric = %look.metric, dropped = ?look.dropped, "a look is not whole");
                    }
                    if let Some(gathered) = watch.metrics.get_mut(&look.metric) {
                        let both = (look.canary, look.baseline);
                        brought.push(gathered.take(&watch.service, look.metric, both, at));
                    }
                }
                let again = looked.unchanged.iter();
                brought.extend(again.filter_map(|name| watch.metrics.get(name)?.again()));
            }
            // sources answer in any order, screens show one
            brought.sort_by(|a, b| a.verdict.metric.cmp(&b.verdict.metric));
            metrics.append(&mut brought);
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
                judgements: Vec::new(),
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
