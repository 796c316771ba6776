//! Looks: read the metrics of every release that moves or is observed, judge them, report.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::EngineHandle;
use super::start::Targets;
use crate::domain::canonical;
use crate::domain::charter::{Metric, Reading};
use crate::domain::live::{CHART_POINTS, Chart, Point, Unit};
use crate::domain::release::{Release, StepStatus};
use crate::domain::{
    Ask, Call, InstanceName, MetricName, MetricVerdict, Phase, ReleaseId, ServiceName, Span, State,
    TargetName, Timestamp,
};
use crate::judge::threshold::{allowed, millionths};
use crate::judge::{Judged, Sample, judge};
use crate::platform::http::Http;
use crate::platform::scrape::{Endpoint, LookRequest, MetricQuery, QueryKind, Scraper};
use crate::platform::selector::Selector;

/// How long one instance may take to show its metrics.
const SCRAPE_LIMIT: Duration = Duration::from_secs(3);

/// Over how many looks counts are added up before they are compared.
const WINDOW: usize = 6;

/// How many looks the pulse on the releases screen keeps.
const PULSE: usize = 24;

/// Looks at all releases that move or are observed until it is dropped.
pub(super) async fn look_on(engine: EngineHandle, targets: Targets, every: Span) {
    let http = match Http::new() {
        Ok(http) => http,
        Err(why) => {
            tracing::error!(why, "metrics cannot be read");
            return;
        }
    };
    let mut watched: BTreeMap<ReleaseId, Watched> = BTreeMap::new();
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
        engine.board().change(|live| {
            live.charts.retain(|id, _| !gone(id));
            live.pulse.retain(|id, _| !gone(id));
        });
        // all at the same time: one that hangs must not keep the others waiting
        let looks = watched
            .values_mut()
            .map(|w| w.look(&engine, &state, &targets));
        join_all(looks).await;
    }
}

async fn join_all(futures: impl Iterator<Item = impl Future<Output = ()>>) {
    let mut pinned: Vec<_> = futures.map(Box::pin).collect();
    std::future::poll_fn(|context| {
        pinned.retain_mut(|f| f.as_mut().poll(context).is_pending());
        if pinned.is_empty() {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
}

/// One release that is looked at.
struct Watched {
    release: ReleaseId,
    /// In which batch the numbers below were gathered.
    batch: usize,
    since: Timestamp,
    services: Vec<Watch>,
}

/// One service of it.
struct Watch {
    service: ServiceName,
    scraper: Scraper,
    queries: Vec<MetricQuery>,
    metrics: BTreeMap<MetricName, Gathered>,
}

/// What was gathered of one metric.
struct Gathered {
    metric: Metric,
    canary: VecDeque<Sample>,
    baseline: VecDeque<Sample>,
    last: Option<Call>,
    streak: u32,
    points: VecDeque<Point>,
}

impl Watched {
    fn new(state: &State, release: &Release, http: &Http) -> Watched {
        let services = release
            .plan
            .services
            .iter()
            .filter_map(|change| {
                let metrics = &state.charter.services.get(&change.service)?.metrics;
                Some(Watch {
                    service: change.service.clone(),
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
        let began = release.batches.iter().filter_map(|b| b.began).min();
        Watched {
            release: release.id,
            batch: usize::MAX,
            since: began.unwrap_or(release.since),
            services,
        }
    }

    async fn look(&mut self, engine: &EngineHandle, state: &State, targets: &Targets) {
        let Some(release) = state.live.get(&self.release) else {
            return;
        };
        let batch = release.batch().map_or(release.batches.len(), |(n, _)| n);
        if batch != self.batch {
            // numbers of another exposure prove nothing about this one
            self.batch = batch;
            for gathered in self
                .services
                .iter_mut()
                .flat_map(|s| s.metrics.values_mut())
            {
                gathered.forget();
            }
        }
        let mut verdicts = Vec::new();
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
                since: Some(self.since),
            };
            let looks = watch.scraper.look(request).await;
            let at = engine.clock().now();
            for look in looks {
                if !look.dropped.is_empty() {
                    tracing::debug!(metric = %look.metric, dropped = ?look.dropped, "a look is not whole");
                }
                if let Some(gathered) = watch.metrics.get_mut(&look.metric) {
                    verdicts.push(gathered.take(look.metric, look.canary, look.baseline, at));
                }
            }
        }
        self.put_up(engine, &verdicts);
        if !verdicts.is_empty() {
            let (release, batch) = (self.release, self.batch);
            engine
                .tell(Ask::Looked {
                    release,
                    batch,
                    verdicts,
                })
                .await;
        }
    }

    fn put_up(&self, engine: &EngineHandle, verdicts: &[MetricVerdict]) {
        let charts: Vec<Chart> = verdicts
            .iter()
            .filter_map(|v| {
                let gathered = self
                    .services
                    .iter()
                    .find_map(|s| s.metrics.get(&v.metric))?;
                Some(gathered.chart(v))
            })
            .collect();
        let worst = verdicts
            .iter()
            .map(|v| v.call)
            .max_by_key(|call| badness(*call));
        engine.board().change(|live| {
            live.charts.insert(self.release, Arc::new(charts));
            let pulse = live.pulse.entry(self.release).or_default();
            pulse.extend(worst);
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

impl Gathered {
    fn new(metric: Metric) -> Gathered {
        Gathered {
            metric,
            canary: VecDeque::new(),
            baseline: VecDeque::new(),
            last: None,
            streak: 0,
            points: VecDeque::new(),
        }
    }

    fn forget(&mut self) {
        self.canary.clear();
        self.baseline.clear();
        self.last = None;
        self.streak = 0;
    }

    fn take(
        &mut self,
        name: MetricName,
        canary: Sample,
        baseline: Sample,
        at: Timestamp,
    ) -> MetricVerdict {
        let (new, old) = (
            add(&mut self.canary, canary),
            add(&mut self.baseline, baseline),
        );
        let Judged {
            call,
            canary,
            baseline,
            words,
        } = judge(&self.metric, &new, &old);
        self.streak = if self.last == Some(call) {
            self.streak.saturating_add(1)
        } else {
            1
        };
        self.last = Some(call);
        if self.points.len() == CHART_POINTS {
            self.points.pop_front();
        }
        self.points.push_back(Point {
            at,
            canary,
            baseline,
        });
        MetricVerdict {
            metric: name,
            call,
            streak: self.streak,
            words: words.into(),
            inputs: canonical::digest(&(&new, &old)).into(),
        }
    }

    fn chart(&self, verdict: &MetricVerdict) -> Chart {
        Chart {
            metric: verdict.metric.clone(),
            unit: match self.metric.reading {
                Reading::Ratio { .. } => Unit::Share,
                Reading::Quantile { .. } => Unit::Seconds,
                Reading::Gauge { .. } => Unit::Plain,
            },
            points: self.points.iter().copied().collect(),
            call: verdict.call,
            words: verdict.words.clone(),
            allowed: allowed(&self.metric).into(),
            limit: self.metric.fail_above.map(millionths),
        }
    }
}

/// Adds a sample to the window and sums the window up. What is missing now is missing: older looks
/// do not speak for it.
fn add(window: &mut VecDeque<Sample>, sample: Sample) -> Sample {
    if matches!(sample, Sample::Missing { .. } | Sample::Gauge { .. }) {
        return sample;
    }
    if window.len() == WINDOW {
        window.pop_front();
    }
    window.push_back(sample.clone());
    let mut sum = sample;
    for older in window.iter().rev().skip(1) {
        match (&mut sum, older) {
            (Sample::Ratio { bad, total }, Sample::Ratio { bad: b, total: t }) => {
                *bad += b;
                *total += t;
            }
            (
                Sample::Histogram { bounds, counts },
                Sample::Histogram {
                    bounds: others,
                    counts: more,
                },
            ) if bounds == others => {
                for (count, n) in counts.iter_mut().zip(more) {
                    *count += n;
                }
            }
            // a histogram with other buckets cannot be added up
            _ => break,
        }
    }
    sum
}
