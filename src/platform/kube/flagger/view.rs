//! A Canary of Flagger as it was seen, with the two workloads that belong to it.

use std::sync::Arc;
use std::time::Duration;

use kube::api::DynamicObject;
use serde_json::{Value, json};

use super::super::config::Kind;
use super::super::decode::{self, Work};
use super::super::gates::Hook;
use super::super::record::marks;
use crate::domain::text::printable;
use crate::domain::workload::{Owner, Stuck};

/// How many rounds Flagger makes where a Canary gives neither rounds nor weights.
const ROUNDS: u32 = 10;

/// What one look at a Canary brings.
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
    /// The workload that gets the image: while nothing is released it has no pods.
    pub target: Part,
    /// The kind of the target, where it is one that holdpoint changes.
    pub kind: Result<Kind, Arc<str>>,
    /// The workload that serves users, made by Flagger.
    pub primary: Option<Part>,
    /// Other Canaries with the same target.
    pub rivals: Vec<Arc<str>>,
    /// How it brings a new version.
    pub way: Way,
    /// The pause between two rounds.
    pub interval: Duration,
    /// How many failed checks end it.
    pub threshold: u32,
    /// Whether it stands still by its spec.
    pub suspended: bool,
    /// Whether it goes without analysis.
    pub skips: bool,
    /// The webhooks that ask somebody: their type and address.
    pub webhooks: Vec<(String, String)>,
    /// `Progressing`, `Succeeded`; empty before Flagger has seen it.
    pub phase: Arc<str>,
    /// The share of the traffic that the status shows, in percent.
    pub weight: u8,
    /// How many checks have failed.
    pub failed: u32,
    /// How many rounds have passed.
    pub rounds: u32,
    /// Flagger's hash of the template that it works on, or worked on last.
    pub applied: Arc<str>,
    /// Flagger's words on it.
    pub message: Arc<str>,
    /// Since when it says so: of one that has failed, when it failed.
    pub failed_at: Arc<str>,
    /// The newest warnings about it, where it has failed.
    pub warnings: Vec<Arc<str>>,
    /// What is stuck among the pods of the target.
    pub stuck: Vec<Stuck>,
    /// Who else changes the target.
    pub owners: Vec<Owner>,
}

/// How a Canary brings a new version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// By these shares of the traffic.
    Weights(Vec<u8>),
    /// By so many rounds of checks without any traffic of users, or with that of some.
    Rounds(u32),
}

impl Way {
    fn read(analysis: &Value) -> Way {
        let number = |key: &str| count(&analysis[key]);
        if number("iterations") > 0 {
            return Way::Rounds(number("iterations"));
        }
        let listed = analysis["stepWeights"].as_array().into_iter().flatten();
        let listed: Vec<u8> = listed.map(|one| share(count(one))).collect();
        let step = number("stepWeight");
        // a single step counts before the list, as Flagger reads it
        if step > 0 {
            let most = match (number("maxWeight"), listed.last()) {
                (_, Some(last)) => u32::from(*last),
                (0, None) => 100,
                (most, None) => most.min(100),
            };
            let steps = (1..)
                .map(|n| n * step)
                .take_while(|weight| *weight < most + step);
            return Way::Weights(steps.map(|weight| share(weight.min(100))).collect());
        }
        match listed.is_empty() {
            true => Way::Rounds(ROUNDS),
            false => Way::Weights(listed),
        }
    }

    /// The next larger share, in percent; `None` at the last.
    pub fn after(&self, weight: u8) -> Option<u8> {
        match self {
            Way::Weights(all) => all.iter().copied().find(|next| *next > weight),
            Way::Rounds(_) => None,
        }
    }

    /// The largest share before it becomes the primary one.
    pub fn most(&self) -> u8 {
        match self {
            Way::Weights(all) => all.last().copied().unwrap_or(0),
            Way::Rounds(_) => 0,
        }
    }

    /// In a few words: `10 %, 20 %, promotion`.
    pub fn words(&self) -> String {
        match self {
            Way::Weights(all) => {
                let all: Vec<_> = all.iter().map(|share| format!("{share} %")).collect();
                all.join(", ")
            }
            Way::Rounds(rounds) => format!("{rounds} rounds of checks"),
        }
    }
}

/// One of the two workloads.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// Its name.
    pub name: String,
    /// Its version, for conditional changes.
    pub version: String,
    /// Its annotations.
    pub marks: Value,
    /// Its template.
    pub template: Value,
    /// How many pods it should have.
    pub wanted: u32,
    /// How many it has.
    pub there: u32,
    /// How many of them are of its newest template.
    pub updated: u32,
    /// How many of them are ready.
    pub ready: u32,
    /// How many of them are available.
    pub available: u32,
    /// Whether its controller has seen it as it is.
    pub observed: bool,
}

impl Part {
    /// As it was read.
    ///
    /// # Errors
    /// When it has not the shape of its kind.
    pub fn new(object: &DynamicObject) -> Result<Part, serde_json::Error> {
        let work = decode::read(object)?;
        Ok(Part::of(&work, object.data["spec"]["template"].clone()))
    }

    /// As it is kept, with as much of its template as is known.
    pub fn of(work: &Work, template: Value) -> Part {
        Part {
            name: work.name.to_string(),
            version: work.version.to_string(),
            marks: json!(work.marks),
            template,
            wanted: work.wanted,
            there: work.there,
            updated: work.updated,
            ready: work.ready,
            available: work.available,
            observed: work.observed >= work.generation,
        }
    }

    /// Whether all of it runs its newest template and is available.
    pub fn whole(&self) -> bool {
        self.observed
            && self.updated >= self.wanted
            && self.there <= self.updated
            && self.available >= self.wanted
    }
}

impl View {
    /// Puts together what was read: the Canary and its two workloads.
    pub fn new(canary: &DynamicObject, target: Part, primary: Option<Part>) -> View {
        let (spec, status) = (&canary.data["spec"], &canary.data["status"]);
        // the old name of it is still read by Flagger
        let analysis = match spec.get("analysis") {
            Some(analysis) => analysis,
            None => &spec["canaryAnalysis"],
        };
        let hooks = analysis["webhooks"].as_array().into_iter().flatten();
        let text = |value: &Value| printable(value.as_str().unwrap_or_default(), 400);
        View {
            name: canary.metadata.name.clone().unwrap_or_default(),
            uid: canary.metadata.uid.as_deref().unwrap_or_default().into(),
            version: canary.metadata.resource_version.clone().unwrap_or_default(),
            marks: marks(canary),
            target,
            kind: kind_of(canary),
            primary,
            rivals: Vec::new(),
            way: Way::read(analysis),
            interval: span(&analysis["interval"]),
            threshold: count(&analysis["threshold"]),
            suspended: spec["suspend"] == true,
            skips: spec["skipAnalysis"] == true,
            webhooks: hooks
                .map(|hook| (text(&hook["type"]), text(&hook["url"])))
                .collect(),
            phase: text(&status["phase"]).into(),
            weight: share(count(&status["canaryWeight"])),
            failed: count(&status["failedChecks"]),
            rounds: count(&status["iterations"]),
            applied: text(&status["lastAppliedSpec"]).into(),
            message: text(&promoted(status)["message"]).into(),
            failed_at: text(&promoted(status)["lastTransitionTime"]).into(),
            warnings: Vec::new(),
            stuck: Vec::new(),
            owners: Vec::new(),
        }
    }

    /// Whether the phase is one of these.
    pub fn is(&self, phases: &[&str]) -> bool {
        phases.contains(&&*self.phase)
    }

    /// Whether it asks for a gate at this path.
    pub fn asks_at(&self, hook: Hook, path: &str) -> bool {
        let mut hooks = self.webhooks.iter();
        hooks.any(|(kind, url)| kind == hook.word() && url.trim_end_matches('/').ends_with(path))
    }

    /// The share of traffic that the new version has. While it waits for its promotion the status
    /// shows 0, and the traffic stays where it was.
    pub fn shown(&self) -> u8 {
        match &*self.phase {
            "WaitingPromotion" => self.way.most(),
            _ => self.weight,
        }
    }

    /// A promotion that failed since version 1.44 leaves all traffic on the new version and says
    /// `Failed` like any other; the weight tells.
    pub fn failed_forward(&self) -> bool {
        &*self.phase == "Failed" && self.weight >= 100
    }

    /// Its state in Flagger's words.
    pub fn words(&self) -> Arc<str> {
        let phase = match &*self.phase {
            "" => "not seen by Flagger yet",
            phase => phase,
        };
        let mut words = phase.to_owned();
        match &self.way {
            Way::Weights(_) => words += &format!(", {} % of the traffic", self.shown()),
            Way::Rounds(all) if self.is(&["Progressing", "WaitingPromotion"]) => {
                words += &format!(", round {} of {all}", self.rounds);
            }
            Way::Rounds(_) => {}
        }
        if self.failed > 0 {
            words += &format!(", {} of {} checks failed", self.failed, self.threshold);
        }
        if self.suspended {
            words += ", suspended";
        }
        if self.failed_forward() {
            words += "; its promotion failed and all traffic is on the new version";
        } else if &*self.phase == "Failed" && !self.message.is_empty() {
            words += &format!(": {}", self.message);
        }
        if let Some(warning) = self.warnings.first() {
            words += &format!("; {warning}");
        }
        printable(&words, 600).into()
    }
}

fn promoted(status: &Value) -> &Value {
    let conditions = status["conditions"].as_array().into_iter().flatten();
    let mut promoted = conditions.filter(|one| one["type"] == "Promoted");
    promoted.next().unwrap_or(&Value::Null)
}

/// The kind of the workload that a Canary is over, where it is one that holdpoint changes.
///
/// # Errors
/// Its kind.
pub fn kind_of(canary: &DynamicObject) -> Result<Kind, Arc<str>> {
    match canary.data["spec"]["targetRef"]["kind"].as_str() {
        Some("Deployment") => Ok(Kind::Deployment),
        Some("DaemonSet") => Ok(Kind::DaemonSet),
        other => Err(printable(other.unwrap_or("nothing"), 63).into()),
    }
}

/// The name of the workload that a Canary is over.
pub fn target_of(canary: &DynamicObject) -> &str {
    let name = canary.data["spec"]["targetRef"]["name"].as_str();
    name.or(canary.metadata.name.as_deref()).unwrap_or_default()
}

/// The other Canaries that are over the same workload.
pub fn rivals<'a>(
    canary: &DynamicObject,
    all: impl Iterator<Item = &'a DynamicObject>,
) -> Vec<Arc<str>> {
    let same = |other: &&DynamicObject| {
        let (ours, theirs) = (&canary.data, &other.data);
        other.metadata.name != canary.metadata.name
            && ours["spec"]["targetRef"]["kind"] == theirs["spec"]["targetRef"]["kind"]
            && target_of(canary) == target_of(other)
    };
    all.filter(same)
        .filter_map(|one| Some(printable(one.metadata.name.as_deref()?, 63).into()))
        .collect()
}

fn count(value: &Value) -> u32 {
    let number = value.as_u64().and_then(|n| u32::try_from(n).ok());
    number.unwrap_or(0)
}

fn share(weight: u32) -> u8 {
    u8::try_from(weight.min(100)).unwrap_or(100)
}

/// A span as Go writes it: `1m30s`. Flagger takes less than ten seconds for ten.
fn span(value: &Value) -> Duration {
    const LEAST: Duration = Duration::from_secs(10);
    let read = value
        .as_str()
        .and_then(|text| crate::domain::Span::parse(text).ok());
    match read {
        Some(span) => span.std().max(LEAST),
        // what Flagger takes where nothing is written
        None => Duration::from_secs(60),
    }
}
