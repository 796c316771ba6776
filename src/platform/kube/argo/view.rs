//! A Rollout as it was seen, with what belongs to it.

use std::sync::Arc;

use kube::api::DynamicObject;
use serde_json::{Value, json};

use super::super::decode::{self, Work};
use super::super::record::marks;
use super::super::template::{self, image_in};
use super::steps::{Step, Strategy};
use crate::domain::text::printable;
use crate::domain::workload::{Owner, Stuck};

/// The label by which Argo tells ReplicaSets and pods of one template from those of another.
pub const HASH: &str = "rollouts-pod-template-hash";

/// The annotation with the generation of the workload that a Rollout takes its template from.
const WORKLOAD_GENERATION: &str = "rollout.argoproj.io/workload-generation";

/// The label that gives a Rollout to one of several controllers.
const INSTANCE: &str = "argo-rollouts.argoproj.io/controller-instance-id";

/// The annotation with what Argo adds to the pods of a ReplicaSet for a while.
const EPHEMERAL: &str = "rollout.argoproj.io/ephemeral-metadata";

/// What one look at a Rollout brings.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    /// Its name.
    pub name: String,
    /// Its uid: another one is another object.
    pub uid: Arc<str>,
    /// Its version, for conditional changes.
    pub version: String,
    /// Its annotations.
    pub marks: Value,
    /// Where its template is.
    pub carrier: Carrier,
    /// The controller that it was given to by its label, if it was.
    pub instance: Option<Arc<str>>,
    /// How many pods there should be.
    pub wanted: u32,
    /// How it brings a new version.
    pub strategy: Strategy,
    /// Whether going back within some revisions skips all steps.
    pub window: bool,
    /// Whether something directs its traffic.
    pub routed: bool,
    /// Whether it stands still by its spec.
    pub paused: bool,
    /// Whether its controller has seen it, and its template, as they are now. Nothing of what
    /// follows counts otherwise.
    pub observed: bool,
    /// `Healthy`, `Progressing`, `Paused`, `Degraded`; empty where it says nothing.
    pub phase: Arc<str>,
    /// The controller's words on it.
    pub message: Arc<str>,
    /// The step that it is at.
    pub step: usize,
    /// Why it stands still: `CanaryPauseStep`.
    pub pauses: Vec<Arc<str>>,
    /// Whether the controller has paused it.
    pub controller_pause: bool,
    /// When it was aborted, if it is.
    pub aborted: Option<Arc<str>>,
    /// Whether it was told to promote everything.
    pub promote_full: bool,
    /// The hash of the template that all traffic can rely on; empty before there is any.
    pub stable: Arc<str>,
    /// The hash of its template.
    pub current: Arc<str>,
    /// The weight of the new pods in the traffic, where something directs it.
    pub weight: Option<u8>,
    /// Its analyses that count now.
    pub analyses: Vec<Analysis>,
    /// Its ReplicaSets.
    pub sets: Vec<Set>,
    /// What is stuck among its pods.
    pub stuck: Vec<Stuck>,
    /// Who else changes it.
    pub owners: Vec<Owner>,
}

/// The object that holds the pod template.
#[derive(Clone, Debug, PartialEq)]
pub enum Carrier {
    /// The Rollout itself.
    Rollout {
        /// The template.
        template: Value,
    },
    /// A Deployment that the Rollout refers to.
    Deployment {
        /// Its name.
        name: String,
        /// Its version, for conditional changes.
        version: String,
        /// Its annotations.
        marks: Value,
        /// The template.
        template: Value,
    },
    /// Something that holdpoint does not change: its kind and name.
    Foreign(Arc<str>),
}

/// The Deployment that a Rollout takes its template from.
#[derive(Clone, Debug)]
pub struct Referred {
    name: String,
    version: String,
    marks: Value,
    template: Value,
    generation: Option<i64>,
}

impl From<&DynamicObject> for Referred {
    fn from(object: &DynamicObject) -> Referred {
        Referred {
            name: object.metadata.name.clone().unwrap_or_default(),
            version: object.metadata.resource_version.clone().unwrap_or_default(),
            marks: marks(object),
            template: object.data["spec"]["template"].clone(),
            generation: object.metadata.generation,
        }
    }
}

impl From<&Work> for Referred {
    fn from(work: &Work) -> Referred {
        Referred {
            name: work.name.to_string(),
            version: work.version.to_string(),
            marks: json!(work.marks),
            template: template::of(&work.images),
            generation: Some(work.generation),
        }
    }
}

/// A run of an analysis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Analysis {
    /// Its name.
    pub name: Arc<str>,
    /// `Running`, `Successful`, `Failed`, `Error`, `Inconclusive`, `Pending`.
    pub phase: Arc<str>,
    /// Why, and what was measured last.
    pub words: Arc<str>,
}

impl Analysis {
    /// Whether it is under way.
    pub fn runs(&self) -> bool {
        matches!(&*self.phase, "Running" | "Pending" | "")
    }

    /// `analysis web-2 Failed: error-rate 0.21`.
    pub fn line(&self) -> String {
        let sep = if self.words.is_empty() { "" } else { ": " };
        format!("analysis {} {}{sep}{}", self.name, self.phase, self.words)
    }
}

/// A ReplicaSet.
#[derive(Clone, Debug, PartialEq)]
pub struct Set {
    /// The hash of its template.
    pub hash: Arc<str>,
    /// The newest gets the highest.
    pub revision: u64,
    /// How many pods it should have.
    pub wanted: u32,
    /// How many it has.
    pub there: u32,
    /// How many of them are ready.
    pub ready: u32,
    /// How many of them are available.
    pub available: u32,
    /// Its template, as it stood in the Rollout.
    pub template: Value,
}

impl From<&decode::Set> for Set {
    fn from(set: &decode::Set) -> Set {
        Set {
            hash: set.hash.clone(),
            // who goes back reads it from the cluster
            revision: 0,
            wanted: set.wanted,
            there: set.there,
            ready: set.ready,
            available: set.available,
            template: template::of(&set.images),
        }
    }
}

impl Set {
    /// Whether all pods that it should have are available.
    pub fn whole(&self) -> bool {
        self.available >= self.wanted
    }
}

impl View {
    /// Puts together what was read: the Rollout, the Deployment that it refers to, if any, and its
    /// ReplicaSets and AnalysisRuns.
    pub fn new(
        rollout: &DynamicObject,
        referred: Option<&DynamicObject>,
        sets: &[DynamicObject],
        runs: &[DynamicObject],
    ) -> View {
        let uid = rollout.metadata.uid.as_deref().unwrap_or_default();
        let sets = sets.iter().filter(|set| owned(set, uid)).map(set);
        let runs: Vec<_> = runs.iter().collect();
        View::of(rollout, referred.map(Referred::from), sets.collect(), &runs)
    }

    /// The same of what is kept of it.
    pub fn of(
        rollout: &DynamicObject,
        referred: Option<Referred>,
        sets: Vec<Set>,
        runs: &[&DynamicObject],
    ) -> View {
        let (spec, status) = (&rollout.data["spec"], &rollout.data["status"]);
        let text = |value: &Value| -> Arc<str> { said(value, 80) };
        let pauses = status["pauseConditions"].as_array().into_iter().flatten();
        let observed = observed(rollout, referred.as_ref());
        let carrier = carrier(spec, referred);
        let labels = rollout.metadata.labels.as_ref();
        View {
            name: rollout.metadata.name.clone().unwrap_or_default(),
            uid: rollout.metadata.uid.as_deref().unwrap_or_default().into(),
            version: rollout
                .metadata
                .resource_version
                .clone()
                .unwrap_or_default(),
            marks: marks(rollout),
            observed,
            carrier,
            instance: labels
                .and_then(|labels| labels.get(INSTANCE))
                .map(|id| printable(id, 63).into()),
            wanted: count(&spec["replicas"]).unwrap_or(1),
            strategy: Strategy::read(&spec["strategy"]),
            window: spec["rollbackWindow"]["revisions"].as_u64() > Some(0),
            routed: spec["strategy"]["canary"]["trafficRouting"].is_object(),
            paused: spec["paused"] == true,
            phase: text(&status["phase"]),
            message: said(&status["message"], 600),
            step: count(&status["currentStepIndex"]).unwrap_or(0) as usize,
            pauses: pauses.map(|one| text(&one["reason"])).collect(),
            controller_pause: status["controllerPause"] == true,
            aborted: (status["abort"] == true).then(|| text(&status["abortedAt"])),
            promote_full: status["promoteFull"] == true,
            stable: text(&status["stableRS"]),
            current: text(&status["currentPodHash"]),
            weight: count(&status["canary"]["weights"]["canary"]["weight"])
                .map(|share| u8::try_from(share).unwrap_or(100)),
            analyses: analyses(status, runs),
            sets,
            stuck: Vec::new(),
            owners: Vec::new(),
        }
    }

    /// Its pod template, wherever it is.
    pub fn template(&self) -> &Value {
        match &self.carrier {
            Carrier::Rollout { template } | Carrier::Deployment { template, .. } => template,
            Carrier::Foreign(_) => &Value::Null,
        }
    }

    /// The annotations of the object that holds the template.
    pub fn carrier_marks(&self) -> &Value {
        match &self.carrier {
            Carrier::Deployment { marks, .. } => marks,
            Carrier::Rollout { .. } | Carrier::Foreign(_) => &self.marks,
        }
    }

    /// The ReplicaSet of a template.
    pub fn set(&self, hash: &str) -> Option<&Set> {
        self.sets.iter().find(|set| *set.hash == *hash)
    }

    /// The image that runs by the ReplicaSet of a template.
    pub fn image_of(&self, hash: &str, container: Option<&str>) -> Option<&str> {
        image_in(&self.set(hash)?.template, container).ok()
    }

    /// Whether one template has everything.
    pub fn promoted(&self) -> bool {
        !self.stable.is_empty() && self.stable == self.current
    }

    /// Whether it stands still for that reason.
    pub fn waits_for(&self, reason: &str) -> bool {
        self.pauses.iter().any(|one| **one == *reason)
    }

    /// Whether an analysis or an experiment could not say yes or no.
    pub fn inconclusive(&self) -> bool {
        self.pauses
            .iter()
            .any(|one| one.starts_with("Inconclusive"))
    }

    /// Which analyses could not, by their names; the step where none is known.
    pub fn doubted(&self) -> String {
        let runs = self
            .analyses
            .iter()
            .filter(|run| &*run.phase == "Inconclusive");
        let names: Vec<&str> = runs.map(|run| &*run.name).collect();
        match names.as_slice() {
            [] => format!("step {}", self.step),
            names => names.join(","),
        }
    }

    /// Whether its step is one at which Argo waits by itself: for a time that was set, or for what is
    /// to be found out.
    pub fn lingers(&self) -> bool {
        matches!(
            self.strategy.steps().get(self.step),
            Some(Step::Timed(_) | Step::Analysis(_) | Step::Other(_))
        )
    }

    /// Somebody has promoted it, and the controller has not come to it yet.
    pub fn unpausing(&self) -> bool {
        self.controller_pause && self.pauses.is_empty()
    }

    /// Its state in Argo's words: `Paused: CanaryPauseStep`.
    pub fn words(&self) -> Arc<str> {
        let mut words = match (&*self.phase, &*self.message) {
            ("", "") => "no word of its controller".to_owned(),
            (phase, "") => phase.to_owned(),
            (phase, message) => format!("{phase}: {message}"),
        };
        if !self.observed {
            words = format!("not seen by its controller yet ({words})");
        } else if self.unpausing() {
            words = "promoted, on its way out of the pause".to_owned();
        }
        for analysis in self
            .analyses
            .iter()
            .filter(|one| &*one.phase != "Successful")
        {
            words = format!("{words}; {}", analysis.line());
        }
        printable(&words, 600).into()
    }
}

/// Text of a status, printable.
fn said(value: &Value, most: usize) -> Arc<str> {
    printable(value.as_str().unwrap_or_default(), most).into()
}

fn count(value: &Value) -> Option<u32> {
    value.as_u64().and_then(|n| u32::try_from(n).ok())
}

fn owned(object: &DynamicObject, uid: &str) -> bool {
    let mut owners = object.metadata.owner_references.iter().flatten();
    owners.any(|owner| owner.uid == uid)
}

fn carrier(spec: &Value, referred: Option<Referred>) -> Carrier {
    let reference = &spec["workloadRef"];
    if !reference.is_object() {
        return Carrier::Rollout {
            template: spec["template"].clone(),
        };
    }
    match referred {
        Some(deployment) => Carrier::Deployment {
            name: deployment.name,
            version: deployment.version,
            marks: deployment.marks,
            template: deployment.template,
        },
        None => {
            let (kind, name) = (&reference["kind"], &reference["name"]);
            let words = [kind, name].map(|word| word.as_str().unwrap_or("?"));
            Carrier::Foreign(printable(&words.join(" "), 200).into())
        }
    }
}

/// The Deployment that a Rollout refers to for its template, by name; `None` without one.
pub fn reference(rollout: &DynamicObject) -> Option<&str> {
    let reference = &rollout.data["spec"]["workloadRef"];
    let name = reference["name"].as_str();
    name.filter(|_| reference["kind"] == "Deployment")
}

/// Whether the status is about the spec as it is. Argo writes the number as a text; where a template
/// is referred to, its generation goes through an annotation and has to have arrived too.
fn observed(rollout: &DynamicObject, referred: Option<&Referred>) -> bool {
    let status = &rollout.data["status"];
    let number = |value: &Value| match value {
        Value::String(text) => text.parse::<i64>().ok(),
        other => other.as_i64(),
    };
    let seen = number(&status["observedGeneration"]);
    if seen.is_none() || seen != rollout.metadata.generation {
        return false;
    }
    let Some(there) = referred.map(|deployment| deployment.generation) else {
        return true;
    };
    let annotated = marks(rollout)[WORKLOAD_GENERATION].clone();
    number(&annotated) == there && number(&status["workloadObservedGeneration"]) == there
}

fn set(object: &DynamicObject) -> Set {
    let (spec, status) = (&object.data["spec"], &object.data["status"]);
    let labels = object.metadata.labels.as_ref();
    let notes = object.metadata.annotations.as_ref();
    let revision = notes.and_then(|notes| notes.get("rollout.argoproj.io/revision"));
    Set {
        hash: labels
            .and_then(|labels| labels.get(HASH))
            .map_or_else(|| "".into(), |hash| printable(hash, 63).into()),
        revision: revision.and_then(|text| text.parse().ok()).unwrap_or(0),
        wanted: count(&spec["replicas"]).unwrap_or(0),
        there: count(&status["replicas"]).unwrap_or(0),
        ready: count(&status["readyReplicas"]).unwrap_or(0),
        available: count(&status["availableReplicas"]).unwrap_or(0),
        template: plain(&spec["template"], &marks(object)),
    }
}

/// A ReplicaSet's template as it stood in the Rollout: without the hash, and without what Argo adds
/// to the pods of canaries and stable versions for a while.
fn plain(template: &Value, marks: &Value) -> Value {
    let mut template = template.clone();
    let added: Value = marks[EPHEMERAL]
        .as_str()
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    for part in ["labels", "annotations"] {
        let names = added[part]
            .as_object()
            .into_iter()
            .flat_map(|all| all.keys());
        let all = template.pointer_mut(&format!("/metadata/{part}"));
        if let Some(all) = all.and_then(Value::as_object_mut) {
            names.for_each(|name| drop(all.remove(name)));
            all.remove(HASH);
        }
    }
    template
}

/// What the status says of each run that counts.
fn named(status: &Value) -> impl Iterator<Item = &Value> {
    let places = [
        &status["canary"]["currentStepAnalysisRunStatus"],
        &status["canary"]["currentBackgroundAnalysisRunStatus"],
        &status["blueGreen"]["prePromotionAnalysisRunStatus"],
        &status["blueGreen"]["postPromotionAnalysisRunStatus"],
    ];
    places.into_iter().filter(|one| one["name"].is_string())
}

/// The names of the runs that there is something to tell of.
pub fn telling(rollout: &DynamicObject) -> Vec<&str> {
    let named = named(&rollout.data["status"]);
    let telling = named.filter(|one| one["status"] != "Successful");
    telling.filter_map(|one| one["name"].as_str()).collect()
}

/// The runs that the status names, with the words of the objects where they were read.
fn analyses(status: &Value, runs: &[&DynamicObject]) -> Vec<Analysis> {
    named(status)
        .map(|one| {
            let run = runs
                .iter()
                .find(|run| run.metadata.name.as_deref() == one["name"].as_str());
            let status = run.map_or(&Value::Null, |run| &run.data["status"]);
            Analysis {
                name: said(&one["name"], 120),
                // the run's own word is newer than the Rollout's
                phase: match &status["phase"] {
                    Value::String(phase) => printable(phase, 40).into(),
                    _ => said(&one["status"], 40),
                },
                words: measured(status, &one["message"]),
            }
        })
        .collect()
}

/// Why a run is as it is: its message, and of the metrics that are not well and count, what was
/// measured last.
fn measured(status: &Value, message: &Value) -> Arc<str> {
    let own = status["message"].as_str().filter(|text| !text.is_empty());
    let own = own.or(message.as_str()).unwrap_or_default();
    let mut words: Vec<String> = Vec::new();
    if !own.is_empty() {
        words.push(own.to_owned());
    }
    for metric in status["metricResults"].as_array().into_iter().flatten() {
        let phase = metric["phase"].as_str().unwrap_or_default();
        if matches!(phase, "Successful" | "Running" | "Pending") || metric["dryRun"] == true {
            continue;
        }
        let last = metric["measurements"].as_array().and_then(|all| all.last());
        let last = last.unwrap_or(&Value::Null);
        let what = ["value", "message"].map(|key| last[key].as_str().unwrap_or_default());
        let what = what.join(" ");
        let name = metric["name"].as_str().unwrap_or_default();
        words.push(
            format!("{name} {phase} {}", what.trim())
                .trim_end()
                .to_owned(),
        );
    }
    printable(&words.join("; "), 400).into()
}
