//! Workloads as JSON: what the platform divides into pods, as last read.

use schemars::JsonSchema;
use serde::Serialize;

use super::time;
use crate::domain::TargetName;
use crate::domain::live::Live;
use crate::domain::workload::{Parts, StageAt, Workload};

/// A workload as last read.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct WorkloadView {
    /// The target that it is.
    pub target: String,
    /// What it is: `Deployment`, `StatefulSet` …
    pub kind: String,
    /// Where it is: `shop/web in scratch`.
    pub place: String,
    /// When it was read last with success.
    pub read: Option<String>,
    /// Why the newest attempt to read it failed.
    pub failing: Option<String>,
    /// How many pods there should be.
    pub wanted: u32,
    /// The pods that run what is arriving; none of a workload that is not divided.
    pub new: PartsView,
    /// The pods that run what ran before; all of a workload that is not divided.
    pub old: PartsView,
    /// Pods that are on their way out.
    pub leaving: u32,
    /// The version that is arriving, where it is divided.
    pub arriving: Option<String>,
    /// The share of the traffic that the new pods get, in percent, where the platform directs it.
    pub weight: Option<u8>,
    /// How many new pods there may be at most during the move that goes on.
    pub bound: Option<u32>,
    /// What the platform says of it.
    pub says: String,
    /// The platform's own steps.
    pub stages: Vec<StageView>,
    /// What is stuck and why.
    pub stuck: Vec<StuckView>,
    /// Who else changes it.
    pub owners: Vec<OwnerView>,
}

/// Pods by how they are.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct PartsView {
    /// How many there are.
    pub there: u32,
    /// How many of them answer.
    pub ready: u32,
    /// How many of them have answered long enough to be relied on.
    pub available: u32,
    /// The name that the platform gives to their template.
    pub hash: Option<String>,
}

/// A step of the platform's own rollout.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct StageView {
    /// What it does.
    pub name: String,
    /// `done`, `here` or `to-come`.
    pub at: String,
}

/// Pods that do not come up.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct StuckView {
    /// How many.
    pub count: u32,
    /// Why, as a stable word: `crash-loop`, `image`, `unschedulable`, `quota`, `probe` …
    pub reason: String,
    /// Why, in a sentence.
    pub words: String,
    /// What helps, where something is known to.
    pub way_out: Option<String>,
}

/// Somebody else who changes a workload.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct OwnerView {
    /// Who.
    pub who: String,
    /// What that means.
    pub words: String,
    /// Whether holdpoint must not change it over their head.
    pub forbids: bool,
}

impl WorkloadView {
    /// Those of some targets, as far as they are divided and were read.
    pub fn all<'a>(
        live: &Live,
        targets: impl IntoIterator<Item = &'a TargetName>,
    ) -> Vec<WorkloadView> {
        let known = targets.into_iter().filter_map(|target| {
            let read = live.targets.get(target)?;
            let mut view = WorkloadView::of(target, read.workload.as_deref()?);
            view.read = read.read_at.map(time);
            view.failing = read.failing.as_ref().map(ToString::to_string);
            Some(view)
        });
        known.collect()
    }

    fn of(target: &TargetName, workload: &Workload) -> WorkloadView {
        let parts = |parts: &Parts, hash: &Option<std::sync::Arc<str>>| PartsView {
            there: parts.there,
            ready: parts.ready,
            available: parts.available,
            hash: hash.as_ref().map(ToString::to_string),
        };
        let stages = workload.stages.iter().map(|stage| StageView {
            name: stage.name.to_string(),
            at: match stage.at {
                StageAt::Done => "done",
                StageAt::Here => "here",
                StageAt::ToCome => "to-come",
            }
            .to_owned(),
        });
        let stuck = workload.stuck.iter().map(|stuck| StuckView {
            count: stuck.count,
            reason: stuck.reason.to_owned(),
            words: stuck.words.to_string(),
            way_out: stuck.way_out.as_ref().map(ToString::to_string),
        });
        let owners = workload.owners.iter().map(|owner| OwnerView {
            who: owner.who.to_string(),
            words: owner.words.to_string(),
            forbids: owner.forbids,
        });
        WorkloadView {
            target: target.to_string(),
            kind: workload.kind.to_string(),
            place: workload.place.to_string(),
            read: None,
            failing: None,
            wanted: workload.wanted,
            new: parts(&workload.new, &workload.new_hash),
            old: parts(&workload.old, &workload.old_hash),
            leaving: workload.leaving,
            arriving: workload.arriving.as_ref().map(|it| it.version.to_string()),
            weight: workload.weight,
            bound: workload.bound,
            says: workload.says.to_string(),
            stages: stages.collect(),
            stuck: stuck.collect(),
            owners: owners.collect(),
        }
    }
}
