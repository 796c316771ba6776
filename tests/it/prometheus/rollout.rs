//! A rollout as a source sees it, and what looks at it add up to.

use std::sync::Arc;
use std::time::Duration;

use holdpoint::cli::fleet::Traffic;
use holdpoint::domain::{Span, Timestamp};
use holdpoint::judge::Sample;
use holdpoint::platform::http::Http;
use holdpoint::platform::prometheus::Prometheus;
use holdpoint::platform::prometheus::answer::Limits;
use holdpoint::platform::prometheus::client::{Auth, Config};
use holdpoint::platform::prometheus::template::Template;
use holdpoint::platform::scrape::{
    Endpoint, LookRequest, MetricLook, MetricQuery, QueryKind, Scraper,
};
use holdpoint::platform::selector::Selector;
use holdpoint::platform::source::{Looked, Sides};

use super::store::Store;
use crate::fleet::Fleet;
use crate::until::until_async;

pub const LONG: Duration = Duration::from_secs(30);

pub fn select(text: &str) -> Selector {
    Selector::parse(text).unwrap()
}

pub fn errors() -> MetricQuery {
    MetricQuery {
        name: "errors".into(),
        kind: QueryKind::Ratio {
            bad: select("http_requests_total{code=~\"5..\"}"),
            total: select("http_requests_total"),
        },
    }
}

pub fn latency() -> MetricQuery {
    MetricQuery {
        name: "latency".into(),
        kind: QueryKind::Histogram {
            series: select("http_request_duration_seconds"),
        },
    }
}

pub fn memory() -> MetricQuery {
    MetricQuery {
        name: "memory".into(),
        kind: QueryKind::Gauge {
            series: select("process_resident_memory_bytes"),
        },
    }
}

pub fn config(url: &str, conditions: [&str; 2]) -> Config {
    let [canary, baseline] = conditions.map(|text| Template::parse(text).unwrap());
    Config {
        name: "prom".into(),
        url: url.parse().unwrap(),
        auth: Auth::Nobody,
        headers: Vec::new(),
        authorities: None,
        every: Span::secs(1),
        limit: Span::secs(20),
        limits: Limits {
            series: 2000,
            points: 100_000,
        },
        canary,
        baseline,
    }
}

pub const BY_INSTANCE: [&str; 2] = ["instance=~\"{instances}\"", "instance=~\"{instances}\""];
pub const BY_VERSION: [&str; 2] = ["version=\"{version}\"", "version=\"{version}\""];

/// A rollout: which addresses are on which side.
pub struct Rollout {
    pub canary: Vec<Endpoint>,
    pub baseline: Vec<Endpoint>,
    pub sides: Sides,
    pub since: Timestamp,
}

impl Rollout {
    pub fn new(canary: &[(&str, String)], baseline: &[(&str, String)]) -> Rollout {
        let endpoints = |all: &[(&str, String)]| -> Vec<Endpoint> {
            let one = |(name, url): &(&str, String)| Endpoint {
                instance: (*name).into(),
                url: format!("{url}/metrics"),
            };
            all.iter().map(one).collect()
        };
        let mut sides = Sides::default();
        for (side, all, version) in [
            (&mut sides.canary, canary, "2.0"),
            (&mut sides.baseline, baseline, "1.0"),
        ] {
            for (name, url) in all {
                side.add("names", *name);
                side.add("version", version);
                side.add_address(url);
            }
        }
        Rollout {
            canary: endpoints(canary),
            baseline: endpoints(baseline),
            sides,
            since: Timestamp(0),
        }
    }

    pub fn request<'a>(&'a self, metrics: &'a [MetricQuery]) -> LookRequest<'a> {
        LookRequest {
            metrics,
            canary: &self.canary,
            baseline: &self.baseline,
            since: Some(self.since),
        }
    }

    pub async fn look(&self, source: &mut Prometheus, metrics: &[MetricQuery]) -> Looked {
        source.look(self.request(metrics), &self.sides).await
    }

    /// Looks until something is new.
    pub async fn next(&self, source: &mut Prometheus, metrics: &[MetricQuery]) -> Vec<MetricLook> {
        loop {
            let looked = self.look(source, metrics).await;
            if !looked.metrics.is_empty() {
                return looked.metrics;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// A source whose looks are added up.
    pub fn counting<'a>(&'a self, source: Prometheus, metrics: &'a [MetricQuery]) -> Counting<'a> {
        Counting {
            rollout: self,
            source,
            metrics,
            sums: Sums::default(),
        }
    }
}

/// A source that is looked at, and what its looks have brought together.
pub struct Counting<'a> {
    rollout: &'a Rollout,
    pub source: Prometheus,
    metrics: &'a [MetricQuery],
    pub sums: Sums,
}

impl Counting<'_> {
    /// Looks until a look says what is expected.
    pub async fn until(
        &mut self,
        what: &str,
        done: impl Fn(&[MetricLook], &Sums) -> bool,
    ) -> Vec<MetricLook> {
        let begun = std::time::Instant::now();
        loop {
            let looks = self.rollout.next(&mut self.source, self.metrics).await;
            self.sums.add(&looks);
            if done(&looks, &self.sums) {
                return looks;
            }
            assert!(
                begun.elapsed() < crate::until::DEADLINE,
                "{what}: did not come; seen last: {looks:?}, {:?}",
                self.sums
            );
        }
    }
}

/// Bad and all requests of both sides over looks, and how many looks were missing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sums {
    pub canary: [u64; 2],
    pub baseline: [u64; 2],
    /// Events of the histograms, canary and baseline.
    pub sizes: [u64; 2],
    pub missing: u64,
}

impl Sums {
    pub fn add(&mut self, looks: &[MetricLook]) {
        for look in looks {
            let sides = [(&look.canary, 0), (&look.baseline, 1)];
            for (sample, side) in sides {
                match sample {
                    Sample::Ratio { bad, total } => {
                        let sum = [&mut self.canary, &mut self.baseline];
                        let [b, t] = sum.into_iter().nth(side).unwrap();
                        *b += bad;
                        *t += total;
                    }
                    Sample::Histogram { counts, .. } => {
                        self.sizes[side] += counts.iter().sum::<u64>();
                    }
                    Sample::Missing { .. } => self.missing += 1,
                    Sample::Gauge { .. } => {}
                }
            }
        }
    }

    /// What was counted, without what was missing on the way.
    pub fn counts(&self) -> ([u64; 2], [u64; 2], [u64; 2]) {
        (self.canary, self.baseline, self.sizes)
    }
}

pub fn source(config: Config) -> Prometheus {
    Prometheus::new(Arc::new(config), &Http::new().unwrap())
}

pub fn address(url: &str) -> &str {
    url.strip_prefix("http://").unwrap()
}

pub fn why(sample: &Sample) -> String {
    match sample {
        Sample::Missing { why } => why.to_string(),
        other => panic!("not missing: {other:?}"),
    }
}

/// Two instances of either version, and who scrapes them.
pub struct Scene {
    pub fleet: Fleet,
    pub rollout: Rollout,
    pub urls: Vec<String>,
}

impl Scene {
    pub fn new() -> Scene {
        let fleet = Fleet::new();
        let names = ["i-01", "i-02", "i-03", "i-04"];
        for (name, version) in names.iter().zip(["2.0", "2.0", "1.0", "1.0"]) {
            fleet.deploy(name, version);
        }
        let urls: Vec<String> = names.iter().map(|name| fleet.url(name, "")).collect();
        let of = |n: usize| (names[n], urls[n].clone());
        Scene {
            rollout: Rollout::new(&[of(0), of(1)], &[of(2), of(3)]),
            fleet,
            urls,
        }
    }

    pub fn store(&self) -> Option<Store> {
        let labels = ["2.0", "2.0", "1.0", "1.0"].map(|v| format!("version: \"{v}\""));
        let targets = self.urls.iter().map(|url| address(url)).zip(labels.iter());
        let targets: Vec<(&str, &str)> = targets.map(|(url, l)| (url, l.as_str())).collect();
        Store::start(&targets)
    }

    pub fn traffic(&self) -> tokio::task::JoinHandle<Result<(), String>> {
        let traffic = Traffic {
            root: self.fleet.root().to_path_buf(),
            per_second: 60.0,
            seed: 7,
        };
        tokio::spawn(traffic.run())
    }

    /// What the instances themselves say, since they began.
    pub async fn truth(&self) -> Sums {
        let see = async || {
            let rollout = &self.rollout;
            let once = truth_of(&rollout.canary, &rollout.baseline).await;
            (once, truth_of(&rollout.canary, &rollout.baseline).await)
        };
        // a request that was under way may still end
        until_async("rest", see, |(a, b)| a == b).await.0
    }
}

pub async fn truth_of(canary: &[Endpoint], baseline: &[Endpoint]) -> Sums {
    let mut scraper = Scraper::new(Http::new().unwrap(), LONG);
    let metrics = [errors(), latency()];
    let request = LookRequest {
        metrics: &metrics,
        canary,
        baseline,
        since: Some(Timestamp(0)),
    };
    let mut sums = Sums::default();
    sums.add(&scraper.look(request).await);
    sums
}
