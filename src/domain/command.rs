//! Commands: all that people, platforms and the clock may ask.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::approval;
use super::authority;
use super::charter::Charter;
use super::effect::{Outcome, Sight};
use super::ids::{EffectId, HoldId, PersonName, ReleaseId, TargetName, Timestamp};
use super::pir;
use super::plan::Plan;
use super::readiness;
use super::release::Finding;
use super::ruling::Ruling;
use super::verdict::{Judgement, MetricVerdict};

/// Something asked for: by whom, through which door, when.
#[derive(Clone, Debug)]
pub struct Command {
    /// When it came in. Time never runs behind the last event's.
    pub at: Timestamp,
    /// Who asks, as the door proved it.
    pub who: Actor,
    /// The door.
    pub door: Door,
    /// What is asked.
    pub ask: Ask,
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Actor {
    /// A person.
    Person(PersonName),
    /// The engine itself: clock, checks, effects.
    Engine,
    /// Somebody whom no door could name; may read what the room lets anyone read.
    Nobody,
}

impl Actor {
    /// The person, if it is one.
    pub const fn person(&self) -> Option<&PersonName> {
        match self {
            Actor::Person(name) => Some(name),
            Actor::Engine | Actor::Nobody => None,
        }
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Actor::Person(name) => name.fmt(f),
            Actor::Engine => f.pad("engine"),
            Actor::Nobody => f.pad("nobody"),
        }
    }
}

/// How somebody came in, which is what proves who they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Door {
    /// Within the engine.
    Engine,
    /// The room's socket, by the peer's uid.
    Socket {
        /// The uid that the kernel named.
        uid: u32,
    },
    /// The room's socket, by a token.
    Token {
        /// The uid that the kernel named.
        uid: u32,
    },
    /// A made-up colleague of a demo room.
    Sample,
}

/// What is asked.
#[derive(Clone, Debug)]
pub enum Ask {
    /// Use this charter from now on.
    Adopt(Arc<Charter>),
    /// Take this plan in.
    Submit {
        /// The plan.
        plan: Arc<Plan>,
    },
    /// Cast or change a vote.
    Vote {
        /// On which release.
        release: ReleaseId,
        /// What is said.
        choice: Choice,
        /// A comment; may be empty.
        comment: Arc<str>,
        /// The digest that the voter saw; refused if it is not the plan's.
        digest: Option<Arc<str>>,
    },
    /// What policy says of a release.
    Ruled {
        /// Of which release.
        release: ReleaseId,
        /// What it says.
        ruling: Arc<Ruling>,
    },
    /// Of the readiness checklist.
    Readiness(readiness::Ask),
    /// Let a release pass a hold.
    Waive {
        /// Which release.
        release: ReleaseId,
        /// The hold, or a check: `readiness.scan-clean`.
        hold: Arc<str>,
        /// Why.
        reason: Arc<str>,
    },
    /// What is asked about an approval, besides a vote.
    Approval(approval::Ask),
    /// Give authority for a while, or take it back.
    Authority(authority::Ask),
    /// See to a review.
    Pir(pir::Ask),
    /// What somebody with control asks of a release.
    Control {
        /// Which release.
        release: ReleaseId,
        /// What.
        control: Control,
    },
    /// Something about the calendar: exemptions, lockdowns.
    Calendar(super::calendar::Ask),
    /// Do what is due by the clock.
    Wake,
    /// Write down that the ledger can be written again.
    Mended {
        /// Since when it could not.
        since: Timestamp,
    },
    /// Write down that these effects begin.
    Begin(Vec<EffectId>),
    /// An effect has ended.
    Ended {
        /// Which.
        effect: EffectId,
        /// On whose behalf.
        release: ReleaseId,
        /// How.
        outcome: Outcome,
    },
    /// A platform was read.
    Seen {
        /// Which target.
        target: TargetName,
        /// Its instances.
        sights: Vec<Sight>,
    },
    /// A round of health checks is over.
    Found {
        /// For which release.
        release: ReleaseId,
        /// For which hold.
        hold: HoldId,
        /// What was found.
        finding: Finding,
    },
    /// The metrics were looked at.
    Looked {
        /// For which release.
        release: ReleaseId,
        /// In which batch the numbers were gathered; numbers of an earlier one count for nothing.
        batch: usize,
        /// What the judge says of each metric.
        verdicts: Vec<MetricVerdict>,
        /// What it says of the release: at most one by the metrics that act, and one by those in
        /// shadow.
        judgements: Vec<Judgement>,
    },
}

/// A vote's choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Choice {
    /// Yes.
    Approve,
    /// No: the release is closed.
    Reject,
    /// Not like this: blocks until the vote is changed.
    Object,
    /// No opinion.
    Abstain,
    /// Not this plan: blocks until the plan is changed, or the vote is.
    RequestChanges,
}

impl Choice {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Choice::Approve => "approve",
            Choice::Reject => "reject",
            Choice::Object => "object",
            Choice::Abstain => "abstain",
            Choice::RequestChanges => "request-changes",
        }
    }
}

/// What somebody with control asks of a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Control {
    /// Begin.
    Start,
    /// Stand still: start nothing new.
    Pause {
        /// Why; may be empty.
        why: Arc<str>,
    },
    /// Go on after a pause.
    Resume,
    /// Clear the manual hold.
    Promote {
        /// The hold the person saw; refused if the release stands elsewhere by now.
        seen: Option<HoldId>,
    },
    /// Take the rest in one go: nothing that only waits between the batches stands in its way any
    /// more.
    PromoteAll {
        /// Why; may not be empty.
        why: Arc<str>,
    },
    /// Try failed calls again.
    Retry {
        /// Only on this instance.
        instance: Option<super::ids::InstanceName>,
    },
    /// Go back.
    RollBack {
        /// Why; may be empty.
        why: Arc<str>,
    },
    /// Take it back before anything moved.
    Cancel {
        /// Why; may be empty.
        why: Arc<str>,
    },
    /// Leave the handover note of the observation period.
    HandOver {
        /// The note.
        note: Arc<str>,
    },
}

impl Control {
    /// The word for it, as on the command line.
    pub const fn word(&self) -> &'static str {
        match self {
            Control::Start => "start",
            Control::Pause { .. } => "pause",
            Control::Resume => "resume",
            Control::Promote { .. } => "promote",
            Control::PromoteAll { .. } => "promote all",
            Control::Retry { .. } => "retry",
            Control::RollBack { .. } => "roll back",
            Control::Cancel { .. } => "cancel",
            Control::HandOver { .. } => "hand over",
        }
    }
}
