//! Looks: read the metrics of every release that moves or is observed, judge them, report.

mod exact;
mod gathered;
mod past;
mod sides;
mod watched;
mod weighing;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::EngineHandle;
use super::start::Targets;
use crate::domain::release::Release;
use crate::domain::{Phase, ReleaseId, SourceName, Span};
use crate::platform::http::Http;
use crate::platform::prometheus::Prometheus;
use crate::platform::prometheus::client::Config;
use crate::platform::scrape::Scraper;
use crate::platform::source::Source;
use past::{Past, Record};
use watched::Watched;

/// How long one instance may take to show its metrics.
const SCRAPE_LIMIT: Duration = Duration::from_secs(3);

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
    let wells = Wells {
        http,
        sources,
        every,
    };
    let mut past = Past::new(telemetry, engine.board().clone());
    let mut watched = bring_back(&engine, &mut past, &wells).await;
    let mut beat = tokio::time::interval(every.std());
    beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        beat.tick().await;
        let state = engine.state.borrow().clone();
        let moving = |r: &Release| {
            matches!(r.phase, Phase::Rolling | Phase::Observing) && r.touched().next().is_some()
        };
        let many = watched.len();
        watched.retain(|id, _| state.live.get(id).is_some_and(|r| moving(r)));
        if watched.len() < many {
            let left: Vec<u64> = watched.keys().map(|id| id.0).collect();
            past.forget_others(&left, engine.clock().now()).await;
        }
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
                live.judgements.retain(|id, _| !gone(id));
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
) -> BTreeMap<ReleaseId, Watched> {
    let state = engine.state.borrow().clone();
    let now = engine.clock().now();
    let mut watched = BTreeMap::new();
    for release in state.live.values() {
        let looks = past.of(release.id, now).await;
        if looks.is_empty() {
            continue;
        }
        let mut one = Watched::new(&state, release, wells);
        let last = looks.last().map(|(at, _)| *at);
        let latest = past.latest(release.id, now).await;
        one.remember(&looks, latest.filter(|latest| Some(latest.at) == last));
        let records: Vec<&Record> = looks.iter().map(|(_, record)| record).collect();
        one.put_up_again(engine, &records);
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
    /// How often is looked.
    every: Span,
}

impl Wells {
    /// How often a source has something new.
    fn pace(&self, name: Option<&SourceName>) -> Span {
        let stored = name.and_then(|name| self.sources.get(name));
        stored.map_or(self.every, |config| config.every.max(self.every))
    }

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
