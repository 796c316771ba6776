//! Live telemetry: what is seen right now. It is not audit: bounded, and never in the ledger.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::effect::Sight;
use super::ids::{
    InstanceName, MetricName, PersonName, ReleaseId, ServiceName, Span, TargetName, Timestamp,
};
use super::metric::Action;
use super::notice::Notice;
use super::verdict::{Call, Judgement};
use super::workload::Workload;

/// What the engine sees right now, for screens.
#[derive(Clone, Debug, Default)]
pub struct Live {
    /// Each target as last read.
    pub targets: BTreeMap<TargetName, Arc<TargetLive>>,
    /// The metrics of each release that is looked at.
    pub charts: BTreeMap<ReleaseId, Arc<Vec<Chart>>>,
    /// The last looks of each release in short, oldest first, at most 24: is it going well?
    pub pulse: BTreeMap<ReleaseId, Vec<Call>>,
    /// What the judge said last of each release that is looked at.
    pub judgements: BTreeMap<ReleaseId, Arc<Judgement>>,
    /// The ledger.
    pub ledger: LedgerLive,
    /// Who is in the room, once each.
    pub here: Vec<PersonName>,
    /// What everybody should know now: a full disk, a dead platform; newest last.
    pub alerts: Vec<Notice>,
}

/// A target as last read.
#[derive(Clone, Debug, Default)]
pub struct TargetLive {
    /// When it was read last with success.
    pub read_at: Option<Timestamp>,
    /// Why the newest attempt failed.
    pub failing: Option<Arc<str>>,
    /// Its instances and when each was seen last.
    pub instances: BTreeMap<InstanceName, (Sight, Timestamp)>,
    /// What its workload is made of, where its platform divides it into parts.
    pub workload: Option<Arc<Workload>>,
}

/// How the ledger is.
#[derive(Clone, Debug, Default)]
pub struct LedgerLive {
    /// The sequence number of the newest event.
    pub seq: u64,
    /// The newest hash, hexadecimal.
    pub head: Arc<str>,
    /// Why nothing can be written, if nothing can.
    pub broken: Option<Arc<str>>,
}

/// A metric of a release over time.
#[derive(Clone, Debug)]
pub struct Chart {
    /// The service that it is read of: two services of a release may have a metric of the same name.
    pub service: ServiceName,
    /// The metric.
    pub metric: MetricName,
    /// What its numbers are.
    pub unit: Unit,
    /// The looks, oldest first, at most [`CHART_POINTS`].
    pub points: Vec<Point>,
    /// The newest answer.
    pub call: Call,
    /// What was seen, in a sentence.
    pub words: Arc<str>,
    /// What is allowed, in a few words: `1.25x + 0.02 points, up to 5 %`.
    pub allowed: Arc<str>,
    /// The hard limit, in the chart's unit.
    pub limit: Option<f64>,
    /// How it is judged.
    pub judged: Judged,
}

/// How a metric is judged at present.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// Between what the new version's value lies as a multiple of the old one's, lower and upper end;
    /// 0 and infinity where an end is not known. `None`: nothing can be said yet.
    pub interval: Option<(f64, f64)>,
    /// The value that the tolerance allows while the old version is as it is, in the chart's unit.
    pub tolerated: Option<f64>,
    /// The evidence of a regression now: 1 is none, 100 to 1 is proof.
    pub evidence: f64,
    /// The largest evidence so far.
    pub most: f64,
    /// When it will be decided at present traffic.
    pub decides: Decides,
    /// Whether it is to blame for what the judge says of the release.
    pub blamed: bool,
    /// What a verdict on it may lead to.
    pub action: Action,
    /// Whether it acts on nothing.
    pub shadow: bool,
}

impl Default for Judged {
    /// Nothing seen yet.
    fn default() -> Judged {
        Judged {
            interval: None,
            tolerated: None,
            evidence: 1.0,
            most: 1.0,
            decides: Decides::Unknown,
            blamed: false,
            action: Action::RollBack,
            shadow: false,
        }
    }
}

/// When a metric will be decided at present traffic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Decides {
    /// Nothing can be said yet, or it is of a kind for which nothing can be said.
    #[default]
    Unknown,
    /// It is.
    Now,
    /// About so much later.
    In(Span),
    /// Not in any time: there is too little traffic to see what is allowed.
    Never,
}

/// How many looks a chart keeps.
pub const CHART_POINTS: usize = 240;

/// What a metric's numbers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A part of a whole, 0 to 1, shown in percent.
    Share,
    /// Seconds.
    Seconds,
    /// Just numbers.
    Plain,
}

/// One look.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// When.
    pub at: Timestamp,
    /// The new version; `None` where nothing could be read.
    pub canary: Option<f64>,
    /// The old version.
    pub baseline: Option<f64>,
}
