//! Where metrics come from: the instances themselves, or a metrics store that scrapes them.

use std::sync::Arc;

use serde_json::value::{RawValue, to_raw_value};

use super::prometheus::{Prometheus, template::Side};
use super::scrape::{LookRequest, MetricLook, MetricQuery, Scraper};
use crate::domain::{MetricName, SourceName};
use crate::judge::Sample;

/// A source with what it remembers from look to look; one for each service of a release.
#[derive(Debug)]
pub enum Source {
    /// The instances.
    Scrape(Scraper),
    /// A server of the Prometheus API.
    Prometheus(Box<Prometheus>),
    /// One that the room does not know (any more).
    Unknown(SourceName),
}

/// What the two sides of a rollout are at a look, for sources that have to find their series.
#[derive(Clone, Debug, Default)]
pub struct Sides {
    /// What is being released.
    pub canary: Side,
    /// What ran before.
    pub baseline: Side,
}

/// What a look brought.
#[derive(Debug, Default)]
pub struct Looked {
    /// What there is to judge, where there is anything new.
    pub metrics: Vec<MetricLook>,
    /// Metrics of which the source has nothing newer than at the look before: no look was taken.
    pub unchanged: Vec<MetricName>,
    /// Remarks of the source that take nothing away from what it said, printable.
    pub remarks: Vec<String>,
}

impl Source {
    /// Looks once. What is dropped in the middle changes nothing.
    pub async fn look(&mut self, request: LookRequest<'_>, sides: &Sides) -> Looked {
        match self {
            Source::Scrape(scraper) => Looked {
                metrics: scraper.look(request).await,
                ..Looked::default()
            },
            Source::Prometheus(prometheus) => prometheus.look(request, sides).await,
            Source::Unknown(name) => {
                let why = format!("there is no source `{name}` in room.toml");
                Looked::missing(request.metrics, &why)
            }
        }
    }

    /// What it remembers from look to look, to be written down; nothing where that cannot be done.
    pub fn memory(&self) -> Option<Box<RawValue>> {
        match self {
            Source::Scrape(scraper) => to_raw_value(scraper.memory()).ok(),
            Source::Prometheus(prometheus) => to_raw_value(&prometheus.memory()).ok(),
            Source::Unknown(_) => None,
        }
    }

    /// Goes on from what a source of the same kind remembered; whether that could be read.
    pub fn remember(&mut self, memory: &RawValue) -> bool {
        match self {
            Source::Scrape(scraper) => {
                let read = serde_json::from_str(memory.get());
                read.map(|counters| scraper.remember(counters)).is_ok()
            }
            Source::Prometheus(prometheus) => prometheus.remember(memory.get()),
            Source::Unknown(_) => false,
        }
    }

    /// Its name; the instances have none.
    pub fn name(&self) -> Option<SourceName> {
        match self {
            Source::Scrape(_) => None,
            Source::Prometheus(prometheus) => Some(prometheus.name()),
            Source::Unknown(name) => Some(name.clone()),
        }
    }
}

impl Looked {
    /// Nothing of any metric, for this reason.
    pub fn missing(metrics: &[MetricQuery], why: &str) -> Looked {
        let why: Arc<str> = why.into();
        let missing = |metric: &MetricQuery| MetricLook {
            metric: metric.name.clone(),
            canary: Sample::missing(why.clone()),
            baseline: Sample::missing(why.clone()),
            canary_each: Vec::new(),
            baseline_each: Vec::new(),
            dropped: Vec::new(),
        };
        Looked {
            metrics: metrics.iter().map(missing).collect(),
            ..Looked::default()
        }
    }
}
