//! The state that every event folds into.

use std::collections::BTreeMap;
use std::sync::Arc;

use imbl::{OrdMap, OrdSet};
use serde::{Deserialize, Serialize};

use super::authority::{Grant, GrantId};
use super::calendar::Book;
use super::charter::Charter;
use super::effect::{Health, Sight};
use super::ids::{
    Artifact, EnvName, InstanceName, ReleaseId, ServiceName, Span, TargetName, Timestamp,
};
use super::pir::Pir;
use super::plan::Exposure;
use super::release::{Release, Step, StepStatus, Summary};

/// Everything the room knows that is in the ledger. Cloning it is cheap: all maps are persistent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// How many events are in it.
    pub seq: u64,
    /// The time of the newest event.
    pub now: Timestamp,
    /// The rules in force.
    pub charter: Arc<Charter>,
    /// The charter's digest; empty before the first one.
    pub charter_digest: Arc<str>,
    /// Exemptions and lockdowns.
    #[serde(default, skip_serializing_if = "Book::is_blank")]
    pub calendar: Arc<Book>,
    /// The number of the newest release.
    pub last_id: u64,
    /// Releases that are not closed.
    pub live: OrdMap<ReleaseId, Arc<Release>>,
    /// Releases that are closed.
    pub closed: OrdMap<ReleaseId, Arc<Summary>>,
    /// What was last recorded of the targets of live releases.
    pub targets: OrdMap<TargetName, Arc<BTreeMap<InstanceName, Seen>>>,
    /// The live releases on each target.
    pub on: OrdMap<TargetName, Vec<ReleaseId>>,
    /// The live releases that look at a target though they do not move it: they need a version there.
    #[serde(default)]
    pub looked_at: OrdMap<TargetName, Vec<ReleaseId>>,
    /// The releases that stand where another release's step may let them go on.
    #[serde(default)]
    pub onlookers: OrdSet<ReleaseId>,
    /// Which artifact of which service has succeeded where, by its digest.
    #[serde(default)]
    pub proven: OrdSet<(EnvName, ServiceName, Arc<str>)>,
    /// Authority that was given for a while, ended or not.
    #[serde(default)]
    pub grants: OrdMap<GrantId, Arc<Grant>>,
    /// Reviews, open or closed, by their releases.
    #[serde(default)]
    pub pirs: OrdMap<ReleaseId, Arc<Pir>>,
    /// When which release has to be looked at again.
    pub wakes: OrdSet<(Timestamp, ReleaseId)>,
}

/// What was last recorded of an instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// How it is and what runs.
    pub sight: Sight,
    /// Since when it is so.
    pub since: Timestamp,
}

impl State {
    /// A release by its id or its plan's unique name; live ones first, then the newest closed one.
    pub fn find(&self, word: &str) -> Option<ReleaseId> {
        if let Ok(id) = word.parse::<ReleaseId>() {
            return (self.live.contains_key(&id) || self.closed.contains_key(&id)).then_some(id);
        }
        let called = |name: &Option<Arc<str>>| name.as_deref() == Some(word);
        self.live
            .iter()
            .find(|(_, r)| called(&r.plan.name))
            .map(|(id, _)| *id)
            .or_else(|| {
                let mut newest = self.closed.iter().rev();
                newest.find(|(_, s)| called(&s.name)).map(|(id, _)| *id)
            })
    }

    /// Whether a live release moves a target or looks at it.
    pub fn watches(&self, target: &TargetName) -> bool {
        self.on.contains_key(target) || self.looked_at.contains_key(target)
    }

    /// What was last recorded of an instance.
    pub fn seen(&self, target: &TargetName, instance: &InstanceName) -> Option<&Seen> {
        self.targets.get(target)?.get(instance)
    }

    /// Whether an instance was last seen running exactly what a step brought or brings there: all
    /// of it, or the share that the step is about.
    pub fn runs(&self, target: &TargetName, step: &Step, artifact: &Artifact) -> bool {
        let share = step.exposure.is_some_and(|share| share < Exposure::FULL);
        self.seen(target, &step.instance).is_some_and(|seen| {
            let is = |found: &Option<Artifact>| found.as_ref().is_some_and(|a| a.is(artifact));
            seen.sight.health == Health::Running
                && match seen.sight.arriving {
                    Some(_) if share => is(&seen.sight.arriving),
                    Some(_) => false,
                    None => is(&seen.sight.artifact),
                }
        })
    }

    /// Instances that a release has brought to the new version and that are not seen running it,
    /// with the record of each.
    pub fn troubled<'a>(
        &'a self,
        release: &'a Release,
    ) -> impl Iterator<Item = (&'a TargetName, &'a InstanceName, Option<&'a Seen>)> {
        release
            .touched()
            .filter(|(target, step, artifact)| {
                step.status == StepStatus::Done && !self.runs(target, step, artifact)
            })
            .map(|(target, step, _)| (target, &step.instance, self.seen(target, &step.instance)))
    }

    /// When something is due by the clock: never before an event has said so.
    pub fn next_wake(&self) -> Option<Timestamp> {
        self.wakes.get_min().map(|(at, _)| *at)
    }

    /// The same, of what is due later than a moment: what was due by then and led to nothing waits
    /// for an event, as a bake that is over does while an instance is down.
    pub fn next_wake_after(&self, after: Timestamp) -> Option<Timestamp> {
        let mut later = self.wakes.range((after.plus(Span(1)), ReleaseId(0))..);
        later.next().map(|(at, _)| *at)
    }
}
