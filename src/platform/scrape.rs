//! The scrape source: metrics straight from the instances, without a server in between.
//!
//! One look asks every instance of both arms once, for all metrics together. An instance that
//! hangs, fails or talks nonsense costs only itself, and the sample says so.

pub(super) mod merge;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Deserialize;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::counters::{Arm, Born, Counters};
use super::http::{Got, Http, Redirects};
use super::metrics_text::{Exposition, Format, parse};
use super::selector::Selector;
use crate::domain::{InstanceName, MetricName, Timestamp};
use crate::judge::Sample;

/// The most that is read of one scrape, in bytes.
const MOST_BYTES: usize = 8 * 1024 * 1024;

/// The most series that are kept of one scrape.
const MOST_SERIES: usize = 20_000;

/// How many instances are asked at the same time.
const AT_ONCE: usize = 16;

/// When a process began, by a convention that the client libraries of Prometheus share.
pub(super) const BORN: &str = "process_start_time_seconds";

/// What is read for one metric.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricQuery {
    /// The metric.
    pub name: MetricName,
    /// Which series, and what they are.
    pub kind: QueryKind,
}

/// Which series a metric is made of.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum QueryKind {
    /// Counters of bad events and of all events.
    Ratio {
        /// The bad ones. Where none of them was counted yet, their series need not be there, as long
        /// as the instance knows their name.
        bad: Selector,
        /// All of them, the bad ones too.
        total: Selector,
    },
    /// A histogram with buckets.
    Histogram {
        /// The series, without `_bucket`.
        series: Selector,
    },
    /// Something that goes up and down.
    Gauge {
        /// The series; of several of one instance the mean is taken.
        series: Selector,
    },
}

impl QueryKind {
    /// What is wrong with it, in a sentence.
    pub fn problem(&self) -> Option<String> {
        match self {
            QueryKind::Histogram { series } if series.name().ends_with("_bucket") => {
                Some("name the histogram without `_bucket`".to_string())
            }
            QueryKind::Ratio { bad, total } if bad == total => {
                Some("`bad` and `total` are the same, so everything would be bad".to_string())
            }
            _ => None,
        }
    }

    fn selectors(&self) -> Vec<Selector> {
        match self {
            QueryKind::Ratio { bad, total } => vec![bad.clone(), total.clone()],
            QueryKind::Histogram { series } => vec![series.with_suffix("_bucket")],
            QueryKind::Gauge { series } => vec![series.clone()],
        }
    }
}

/// Where an instance shows its metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The instance.
    pub instance: InstanceName,
    /// The whole URL, `/metrics` and all.
    pub url: String,
}

/// What is to be looked at.
#[derive(Clone, Copy, Debug)]
pub struct LookRequest<'a> {
    /// The metrics.
    pub metrics: &'a [MetricQuery],
    /// The instances that run what is being released.
    pub canary: &'a [Endpoint],
    /// The instances that run what ran before.
    pub baseline: &'a [Endpoint],
    /// A process that is seen for the first time and was born after this moment is counted from
    /// zero: the start of the rollout, or, after a restart of the engine, the last look whose samples
    /// were recorded. Without it nothing that is seen for the first time is counted.
    pub since: Option<Timestamp>,
}

/// What a look brought for one metric.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricLook {
    /// The metric.
    pub metric: MetricName,
    /// The side that runs what is being released.
    pub canary: Sample,
    /// The side that runs what ran before.
    pub baseline: Sample,
    /// What each instance of the canary brought to its sample, but for histograms.
    pub canary_each: Vec<(InstanceName, Sample)>,
    /// The same of the baseline.
    pub baseline_each: Vec<(InstanceName, Sample)>,
    /// Instances that are not in the samples, and why: `i-03: no answer in 5 s`.
    pub dropped: Vec<String>,
}

/// Looks at instances, and remembers their counters from look to look. One for each target: what
/// it is asked for may change from look to look.
#[derive(Debug)]
pub struct Scraper {
    http: Http,
    limit: Duration,
    counters: Counters,
}

/// What one instance showed.
#[derive(Debug)]
pub(super) struct Scraped {
    pub shown: Exposition,
    pub born: Option<Born>,
    /// When, in seconds since 1970.
    pub now: f64,
}

impl Scraper {
    /// A scraper that waits at most `limit` for each instance.
    pub fn new(http: Http, limit: Duration) -> Scraper {
        Scraper {
            http,
            limit,
            counters: Counters::default(),
        }
    }

    /// What it remembers, to be written down.
    pub fn memory(&self) -> &Counters {
        &self.counters
    }

    /// Goes on from what a scraper before this one remembered.
    pub fn remember(&mut self, counters: Counters) {
        self.counters = counters;
    }

    /// Looks once. What is dropped in the middle changes nothing.
    pub async fn look(&mut self, request: LookRequest<'_>) -> Vec<MetricLook> {
        let seen = self.ask_all(&request).await;
        let look = |query| merge::look(&mut self.counters, query, &request, &seen);
        request.metrics.iter().map(look).collect()
    }

    async fn ask_all(
        &self,
        request: &LookRequest<'_>,
    ) -> BTreeMap<InstanceName, Result<Scraped, String>> {
        let mut wanted: Vec<Selector> = request
            .metrics
            .iter()
            .flat_map(|query| query.kind.selectors())
            .collect();
        wanted.extend(Selector::parse(BORN));
        let wanted = Arc::new(wanted);
        let places = Arc::new(Semaphore::new(AT_ONCE));
        let mut asked = JoinSet::new();
        for endpoint in request.canary.iter().chain(request.baseline) {
            let (http, limit, endpoint) = (self.http.clone(), self.limit, endpoint.clone());
            let (wanted, places) = (wanted.clone(), places.clone());
            asked.spawn(async move {
                let _place = places.acquire().await;
                let scraped = scrape(&http, &endpoint.url, limit, wanted).await;
                (endpoint.instance, scraped)
            });
        }
        let mut seen = BTreeMap::new();
        while let Some(one) = asked.join_next().await {
            if let Ok((instance, scraped)) = one {
                seen.insert(instance, scraped);
            }
        }
        seen
    }
}

async fn scrape(
    http: &Http,
    url: &str,
    limit: Duration,
    wanted: Arc<Vec<Selector>>,
) -> Result<Scraped, String> {
    let got = http.get(url, limit, MOST_BYTES, Redirects::SameHost).await;
    let got = got.map_err(|why| why.to_string())?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.map_or(0.0, |since| since.as_secs_f64());
    // eight megabytes of text take a while, and others wait for this thread
    let read = tokio::task::spawn_blocking(move || read(got, now, &wanted));
    read.await.map_err(|error| error.to_string())?
}

fn read(got: Got, now: f64, wanted: &[Selector]) -> Result<Scraped, String> {
    if got.status != 200 {
        return Err(match got.location {
            Some(to) => format!(
                "answered {}, to {}",
                got.status,
                crate::domain::text::printable(&to, 100)
            ),
            None => format!("answered {}", got.status),
        });
    }
    if got.cut {
        return Err("its metrics are longer than 8 MiB".to_string());
    }
    if got.content_type.contains("protobuf") {
        return Err("its metrics are in protobuf, not text".to_string());
    }
    let format = if got.content_type.contains("openmetrics") {
        Format::OpenMetrics
    } else {
        Format::Prometheus
    };
    let text = String::from_utf8(got.body).map_err(|_| "its metrics are not text".to_string())?;
    let wanted: Vec<&Selector> = wanted.iter().collect();
    let shown = parse(&text, format, &wanted, MOST_SERIES)
        .map_err(|error| format!("its metrics cannot be read, {error}"))?;
    Ok(Scraped {
        born: born(&shown, got.date, now),
        shown,
        now,
    })
}

/// When the process began, by its own clock and by this one's. The `Date` of its answer tells how
/// far the clocks are apart, to a second.
fn born(shown: &Exposition, date: Option<f64>, now: f64) -> Option<Born> {
    let mut all = shown.series.iter().filter(|s| s.id.name == BORN);
    let raw = all.next()?.value;
    if !raw.is_finite() || all.any(|other| other.value != raw) {
        return None;
    }
    let ahead = date.map_or(0.0, |date| date - now);
    let at = if ahead.abs() < 1.5 {
        raw
    } else {
        raw - ahead - 1.0
    };
    Some(Born { raw, at })
}

/// Both sides of a look with their instances.
fn sides<'a>(request: &LookRequest<'a>) -> [(Arm, &'a [Endpoint]); 2] {
    [
        (Arm::Canary, request.canary),
        (Arm::Baseline, request.baseline),
    ]
}
