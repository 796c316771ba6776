//! A release on its way: its batches, its moves, its holds, its votes.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::approval::{Changed, Overruled, Terms};
use super::command::{Actor, Choice};
use super::effect::{Effect, Verb};
use super::hold::{Hold, HoldKind};
use super::ids::{
    Artifact, CheckName, EffectId, GroupName, HoldId, InstanceName, MetricName, PersonName,
    ReleaseId, TargetName, Timestamp,
};
use super::plan::{Exposure, Plan};
use super::readiness::Proof;
use super::ruling::Ruling;
use super::verdict::{Judgement, MetricVerdict};
use super::waiver::Waived;

/// A release that is not closed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// Its number.
    pub id: ReleaseId,
    /// What was submitted.
    pub plan: Arc<Plan>,
    /// The plan's digest.
    pub digest: Arc<str>,
    /// Who submitted it.
    pub submitter: PersonName,
    /// When.
    pub submitted: Timestamp,
    /// Where it is on its way.
    pub phase: Phase,
    /// When it came there.
    pub since: Timestamp,
    /// Whether it stands still because somebody or a trigger said so.
    pub paused: Option<Paused>,
    /// That somebody has promoted all that is left of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promoted: Option<Promoted>,
    /// Who controls it now.
    pub con: Option<PersonName>,
    /// What policy says of it; see [`Release::ruled`] for whether that still counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ruling: Option<Arc<Ruling>>,
    /// The votes, the newest of each person.
    pub votes: BTreeMap<PersonName, Vote>,
    /// The newest evidence of each readiness check.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub evidence: BTreeMap<CheckName, Proof>,
    /// The holds and checks that were waived.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub waived: BTreeMap<HoldId, Waived>,
    /// Whether people were told that its time box ends soon.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub box_warned: bool,
    /// How its plan was changed since it was submitted, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<Changed>,
    /// The batches.
    pub batches: Vec<Batch>,
    /// The observation period.
    pub observe: Hold,
    /// The way back, once it goes back.
    pub back: Option<Back>,
    /// What ran on each instance before its first move.
    pub was: Vec<Was>,
    /// The newest verdict of each metric.
    pub verdicts: BTreeMap<MetricName, MetricVerdict>,
    /// What the judge says of it, in the present batch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judgement: Option<Judgement>,
    /// What it would say by the metrics in shadow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shadow: Option<Judgement>,
    /// The bakes after which it stood still for want of proof: it passes them once somebody resumes it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unproven: Vec<HoldId>,
    /// Triggers that fired, by their place in the plan.
    pub fired: Vec<usize>,
    /// What the health check that is open found last.
    pub finding: Option<Finding>,
    /// The handover note.
    pub handover: Option<(PersonName, Arc<str>)>,
    /// What was done, newest last, at most [`LOG_LINES`].
    pub log: Vec<LogLine>,
    /// What the calendar said of it last, while it stands before a batch or moves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calendar: Option<super::calendar::Answer>,
    /// When the clock has something to say about it.
    pub wake: Option<Timestamp>,
}

/// How many lines of its log a release keeps; the ledger has them all.
pub const LOG_LINES: usize = 200;

/// Where a release is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Nothing has been started: it waits for votes, or for somebody who starts it.
    Waiting,
    /// Started: it walks through its batches.
    Rolling,
    /// Fully exposed, watched.
    Observing,
    /// On its way back.
    RollingBack,
}

/// How a release ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// The new version runs everywhere and its observation period is over.
    Succeeded,
    /// What ran before runs again.
    RolledBack,
    /// Somebody with a vote said no.
    Rejected,
    /// A deadline came before anything moved.
    Expired,
    /// Somebody who controls it dropped it before anything moved.
    Cancelled,
    /// An emergency release took its place while it was observed.
    Superseded,
    /// Whoever submitted it took it back before anything moved.
    Withdrawn,
}

impl Ending {
    /// The words for screens.
    pub const fn words(self) -> &'static str {
        match self {
            Ending::Succeeded => "succeeded",
            Ending::RolledBack => "rolled back",
            Ending::Rejected => "rejected",
            Ending::Expired => "expired",
            Ending::Cancelled => "cancelled",
            Ending::Superseded => "superseded",
            Ending::Withdrawn => "withdrawn",
        }
    }

    /// Whether this ending counts as a failed change, for change failure rates: only what moved
    /// and had to go back does. A release that was turned down, ran out of time, was dropped or was
    /// overtaken has failed nobody.
    pub const fn is_change_failure(self) -> bool {
        matches!(self, Ending::RolledBack)
    }
}

/// A closed release, small: the ledger has the rest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Its number.
    pub id: ReleaseId,
    /// The plan's unique name, if it had one.
    pub name: Option<Arc<str>>,
    /// The plan's title.
    pub title: Arc<str>,
    /// Where it went.
    pub environment: super::ids::EnvName,
    /// What it brought.
    pub services: Vec<(super::ids::ServiceName, Arc<str>)>,
    /// How it ended.
    pub ending: Ending,
    /// When it was submitted.
    pub submitted: Timestamp,
    /// When it was closed.
    pub closed: Timestamp,
    /// Why, in a sentence.
    pub why: Arc<str>,
}

/// Why a release stands still.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paused {
    /// Since when.
    pub since: Timestamp,
    /// Who paused it.
    pub by: Actor,
    /// Why; may be empty.
    pub why: Arc<str>,
}

/// That all that is left of a release goes in one go.
///
/// What only waits between its batches stands in its way no more: see [`HoldKind::only_waits`]. Of
/// what is moved by shares only the last share is left. Everything else stays: votes, calendar,
/// needs, health checks, the triggers and the judge that take it back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Promoted {
    /// Who said so.
    pub by: PersonName,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub why: Arc<str>,
}

impl Promoted {
    /// `ada promoted all of it: the fix must be out`.
    pub fn words(&self) -> String {
        format!("{} promoted all of it: {}", self.by, self.why)
    }
}

/// A vote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vote {
    /// What was said.
    pub choice: Choice,
    /// The groups of the voter among those that were asked, at the time of the vote.
    pub groups: Vec<GroupName>,
    /// When.
    pub at: Timestamp,
    /// The comment; may be empty.
    pub comment: Arc<str>,
    /// That it blocks no longer, of an objection and a request for changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overruled: Option<Overruled>,
}

/// One batch of a release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    /// What the ladder calls it.
    pub name: Arc<str>,
    /// How much of each target runs the new version afterwards.
    pub exposure: Exposure,
    /// Holds before it.
    pub before: Vec<Hold>,
    /// What moves.
    pub moves: Vec<Move>,
    /// Holds after it; the first one is [`HoldKind::Moved`].
    pub after: Vec<Hold>,
    /// When its first call was allowed.
    pub began: Option<Timestamp>,
    /// When its last hold was cleared.
    pub done: Option<Timestamp>,
}

/// A move: instances of one target to one artifact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Move {
    /// Where.
    pub target: TargetName,
    /// What shall run; of a way back, where the instances differ, see [`Step::to`].
    pub artifact: Artifact,
    /// How many instances may change at once.
    pub parallel: u32,
    /// The calls for each instance, in order.
    pub sequence: Vec<Verb>,
    /// The instances.
    pub steps: Vec<Step>,
}

/// One instance in a move.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// The instance.
    pub instance: InstanceName,
    /// What it is brought to, where that differs from the move's artifact (on the way back).
    pub to: Option<Artifact>,
    /// How much of the instance, of one that is moved by shares.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exposure: Option<Exposure>,
    /// Which call of the sequence it is at.
    pub call: usize,
    /// Which attempt at that call: 1 is the first.
    pub attempt: u32,
    /// How that call is.
    pub status: StepStatus,
    /// Since when.
    pub since: Timestamp,
}

/// How the present call of a step is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepStatus {
    /// Not begun.
    #[default]
    ToDo,
    /// Begun, no outcome yet.
    Running,
    /// All calls are done.
    Done,
    /// It failed.
    Failed {
        /// How, in a few words.
        why: Arc<str>,
        /// When it is tried again by itself.
        again: Option<Timestamp>,
    },
    /// Nobody can tell whether it happened.
    Unknown {
        /// What was found.
        why: Arc<str>,
    },
}

/// What ran on an instance before the release moved it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Was {
    /// Where.
    pub target: TargetName,
    /// The instance.
    pub instance: InstanceName,
    /// What ran.
    pub artifact: Artifact,
}

/// The way back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Back {
    /// Since when.
    pub since: Timestamp,
    /// Who or what asked for it.
    pub by: Actor,
    /// Why.
    pub why: Arc<str>,
    /// What moves back.
    pub moves: Vec<Move>,
    /// Everything is back and seen running.
    pub hold: Hold,
}

/// What a round of health checks found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Whether all passed.
    pub pass: bool,
    /// Rounds in a row with that result.
    pub rounds: u32,
    /// What was found, in a sentence.
    pub words: Arc<str>,
}

/// One line of what was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub who: Actor,
    /// What.
    pub text: Arc<str>,
    /// How it should look.
    pub tone: Tone,
}

/// How a line of the log should look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tone {
    /// As it is.
    Plain,
    /// Something went well.
    Good,
    /// Something went wrong.
    Bad,
    /// Somebody is asked.
    Ask,
}

impl Step {
    /// The call it is at.
    pub fn verb(&self, sequence: &[Verb]) -> Option<Verb> {
        sequence.get(self.call).copied()
    }

    /// Whether any call of it was ever begun.
    pub fn touched(&self) -> bool {
        self.call > 0 || self.attempt > 1 || self.status != StepStatus::ToDo
    }
}

impl Move {
    /// What a step is brought to.
    pub fn artifact_of<'a>(&'a self, step: &'a Step) -> &'a Artifact {
        step.to.as_ref().unwrap_or(&self.artifact)
    }

    /// The effect of a step's present call.
    pub fn effect(&self, release: ReleaseId, place: &str, step: &Step) -> Option<Effect> {
        let verb = step.verb(&self.sequence)?;
        Some(Effect {
            id: EffectId::from(format!(
                "{release}.{place}.{}.{}.{}.{}",
                self.target,
                step.instance,
                verb.word(),
                step.attempt
            )),
            release,
            target: self.target.clone(),
            instance: step.instance.clone(),
            verb,
            artifact: self.artifact_of(step).clone(),
            exposure: step.exposure,
        })
    }
}

impl Release {
    /// The batch it is in or before; `None` when all are done.
    pub fn batch(&self) -> Option<(usize, &Batch)> {
        self.batches
            .iter()
            .enumerate()
            .find(|(_, b)| b.done.is_none())
    }

    /// The hold it stands at.
    pub fn hold(&self) -> Option<&Hold> {
        match self.phase {
            Phase::RollingBack => self.back.as_ref().map(|b| &b.hold),
            Phase::Observing => Some(&self.observe),
            Phase::Waiting | Phase::Rolling => {
                let (_, batch) = self.batch()?;
                let side = if batch.began.is_none() {
                    &batch.before
                } else {
                    &batch.after
                };
                side.iter().find(|h| !h.cleared())
            }
        }
    }

    /// All holds in the order of the ladder, those of the way back last.
    pub fn holds(&self) -> impl Iterator<Item = &Hold> {
        self.batches
            .iter()
            .flat_map(|b| b.before.iter().chain(&b.after))
            .chain([&self.observe])
            .chain(self.back.as_ref().map(|b| &b.hold))
    }

    /// A hold by its name, to change it.
    pub fn hold_mut(&mut self, id: &super::ids::HoldId) -> Option<&mut Hold> {
        self.batches
            .iter_mut()
            .flat_map(|b| b.before.iter_mut().chain(&mut b.after))
            .chain([&mut self.observe])
            .chain(self.back.as_mut().map(|b| &mut b.hold))
            .find(|h| h.id == *id)
    }

    /// The holds still ahead that promoting all of it skips.
    pub fn skippable(&self) -> impl Iterator<Item = &Hold> {
        self.batches
            .iter()
            .flat_map(|b| b.before.iter().chain(&b.after))
            .filter(|h| !h.cleared() && h.kind.only_waits())
    }

    /// Leaves of the shares still to come only the last of each instance.
    pub(super) fn skip_shares(&mut self) {
        let last: Vec<(TargetName, Step)> = self
            .forward()
            .filter(|(_, s)| s.exposure.is_some())
            .map(|(m, s)| (m.target.clone(), s.clone()))
            .collect();
        let overtaken = |target: &TargetName, step: &Step| {
            last.iter().any(|(other, to)| {
                other == target && to.instance == step.instance && to.exposure > step.exposure
            })
        };
        for m in self.batches.iter_mut().flat_map(|b| &mut b.moves) {
            let target = &m.target;
            m.steps
                .retain(|s| s.exposure.is_none() || s.touched() || !overtaken(target, s));
        }
    }

    /// The moves that go on now, with their name in effect ids: those of the present batch, or of
    /// the way back.
    pub fn moving(&self) -> Option<(String, &[Move])> {
        if let Some(back) = &self.back {
            return Some(("back".to_owned(), &back.moves));
        }
        let (n, batch) = self.batch()?;
        batch.began?;
        Some((format!("b{}", n + 1), &batch.moves))
    }

    /// All instances that any call of this release touched, each once with its newest step, and what
    /// that brought or brings there.
    pub fn touched(&self) -> impl Iterator<Item = (&TargetName, &Step, &Artifact)> {
        self.forward()
            .filter(|(m, s)| s.touched() && !self.overtaken(&m.target, s))
            .map(|(m, s)| (&m.target, s, &m.artifact))
    }

    /// All steps forward, in order.
    fn forward(&self) -> impl Iterator<Item = (&Move, &Step)> {
        let moves = self.batches.iter().flat_map(|b| &b.moves);
        moves.flat_map(|m| m.steps.iter().map(move |s| (m, s)))
    }

    /// Whether a later batch has taken an instance further: what this step brought says nothing any
    /// more of how the instance should be.
    pub fn overtaken(&self, target: &TargetName, step: &Step) -> bool {
        step.exposure.is_some()
            && self.forward().any(|(m, other)| {
                m.target == *target
                    && other.instance == step.instance
                    && other.exposure > step.exposure
                    && other.touched()
            })
    }

    /// All targets it moves, each once.
    pub fn targets(&self) -> Vec<&TargetName> {
        let mut names: Vec<&TargetName> = self
            .batches
            .iter()
            .flat_map(|b| &b.moves)
            .map(|m| &m.target)
            .collect();
        names.sort();
        names.dedup();
        names
    }

    /// The share that runs the new version, in percent of all instances it will move, and `None`
    /// before anything was touched. On the way back it falls.
    pub fn exposed(&self) -> Option<u8> {
        // of each instance in percent: what will run there, what does, what did before it went back
        let mut shares: BTreeMap<(&TargetName, &InstanceName), [usize; 2]> = BTreeMap::new();
        for (m, step) in self.forward() {
            let share = step
                .exposure
                .map_or(100, |share| usize::from(share.percent()));
            let of = shares.entry((&m.target, &step.instance)).or_default();
            of[0] = of[0].max(share);
            if step.status == StepStatus::Done {
                of[1] = of[1].max(share);
            }
        }
        let back = self.back.iter().flat_map(|b| &b.moves);
        let back = back.flat_map(|m| m.steps.iter().map(move |s| (&m.target, s)));
        for (target, step) in back.filter(|(_, s)| s.status == StepStatus::Done) {
            if let Some(of) = shares.get_mut(&(target, &step.instance)) {
                of[1] = 0;
            }
        }
        let all: usize = shares.values().map(|of| of[0]).sum();
        let done: usize = shares.values().map(|of| of[1]).sum();
        (self.touched().next().is_some() && all > 0)
            .then(|| u8::try_from(done * 100 / all).unwrap_or(100))
    }

    /// The approval hold.
    pub fn approval(&self) -> Option<&Hold> {
        self.holds()
            .find(|h| matches!(h.kind, HoldKind::Approval(_)))
    }

    /// The terms under which it is approved; `None` where it needs no approval.
    pub fn terms(&self) -> Option<&Terms> {
        self.holds().find_map(|h| match &h.kind {
            HoldKind::Approval(terms) => Some(terms),
            _ => None,
        })
    }

    /// Whether it waits on the engine and the clock alone: somebody has pressed start, or nobody has
    /// to and it has begun.
    pub fn started(&self) -> bool {
        self.phase != Phase::Waiting
            || self
                .holds()
                .any(|h| h.id.as_str() == "start" && h.cleared())
    }

    /// Whether a call has been begun that has no outcome yet.
    pub fn in_flight(&self) -> impl Iterator<Item = (&TargetName, &Step)> {
        self.batches
            .iter()
            .flat_map(|b| &b.moves)
            .chain(self.back.iter().flat_map(|b| &b.moves))
            .flat_map(|m| m.steps.iter().map(move |s| (&m.target, s)))
            .filter(|(_, s)| s.status == StepStatus::Running)
    }

    /// What ran on an instance before.
    pub fn was(&self, target: &TargetName, instance: &InstanceName) -> Option<&Artifact> {
        self.was
            .iter()
            .find(|w| w.target == *target && w.instance == *instance)
            .map(|w| &w.artifact)
    }

    /// `payments 4.12.0`, or the first of several with `+2`.
    pub fn subject(&self) -> String {
        subject(
            self.plan
                .services
                .iter()
                .map(|s| (s.service.as_str(), &*s.version)),
        )
    }

    /// What people type to call it: the plan's name, or the first service.
    pub fn call_name(&self) -> &str {
        match (&self.plan.name, self.plan.services.first()) {
            (Some(name), _) => name,
            (None, Some(first)) => first.service.as_str(),
            (None, None) => "",
        }
    }
}

impl Summary {
    /// `payments 4.12.0`, or the first of several with `+2`.
    pub fn subject(&self) -> String {
        subject(self.services.iter().map(|(s, v)| (s.as_str(), &**v)))
    }
}

fn subject<'a>(mut services: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let Some((service, version)) = services.next() else {
        return String::new();
    };
    match services.count() {
        0 => format!("{service} {version}"),
        more => format!("{service} {version} +{more}"),
    }
}
