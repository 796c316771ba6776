//! Events: what happened. Written once as bytes, hashed, kept for ever: variants and fields are
//! only ever added, never renamed.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::approval;
use super::authority;
use super::charter::Charter;
use super::command::{Actor, Choice, Door};
use super::effect::{Effect, Outcome, Sight};
use super::ids::{
    EffectId, GroupName, HoldId, InstanceName, PersonName, ReleaseId, TargetName, Timestamp,
};
use super::pir;
use super::plan::{AtDeadline, Plan};
use super::readiness;
use super::release::{Ending, Finding, Was};
use super::ruling::Ruling;
use super::verdict::{Judgement, MetricVerdict};

/// The version of the events that this code writes.
pub const VERSION: u16 = 1;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// [`VERSION`] of the code that wrote it.
    pub v: u16,
    /// When.
    pub at: Timestamp,
    /// Who asked for it.
    pub who: Actor,
    /// Through which door.
    pub door: Door,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// The room's people, catalog and policy are these from now on.
    CharterAdopted {
        /// The charter.
        charter: Arc<Charter>,
        /// SHA-256 of its canonical JSON.
        digest: Arc<str>,
    },
    /// A plan was taken in.
    Submitted {
        /// Its number.
        release: ReleaseId,
        /// The plan.
        plan: Arc<Plan>,
        /// Its digest.
        digest: Arc<str>,
    },
    /// Somebody voted.
    Voted {
        /// On which release.
        release: ReleaseId,
        /// On which plan.
        digest: Arc<str>,
        /// What was said.
        choice: Choice,
        /// For which of the groups that were asked.
        groups: Vec<GroupName>,
        /// The comment.
        comment: Arc<str>,
    },
    /// Policy was asked what it says of the plan.
    Ruled {
        /// The release.
        release: ReleaseId,
        /// What it says.
        ruling: Arc<Ruling>,
    },
    /// Something about an approval, besides a vote.
    Approval(approval::Told),
    /// Authority was given for a while, or taken back.
    Authority(authority::Told),
    /// A review was opened or closed.
    Pir(pir::Told),
    /// The release came to a hold.
    HoldOpened {
        /// The release.
        release: ReleaseId,
        /// The hold.
        hold: HoldId,
        /// Its deadline.
        until: Timestamp,
    },
    /// The hold lets the release pass.
    HoldCleared {
        /// The release.
        release: ReleaseId,
        /// The hold.
        hold: HoldId,
        /// By what, in a few words.
        by: Arc<str>,
    },
    /// What let the release pass a hold is so no more, and nothing has moved: the hold is open again.
    HoldReopened {
        /// The release.
        release: ReleaseId,
        /// The hold.
        hold: HoldId,
        /// Its deadline.
        until: Timestamp,
        /// What is so no more, in a few words.
        why: Arc<str>,
    },
    /// Somebody with the authority lets the release pass a hold.
    Waived {
        /// The release.
        release: ReleaseId,
        /// The hold, or a check of the checklist.
        hold: HoldId,
        /// Why.
        reason: Arc<str>,
    },
    /// Of the readiness checklist.
    Readiness(readiness::Told),
    /// Those a hold waits on were warned of its deadline.
    HoldWarned {
        /// The release.
        release: ReleaseId,
        /// The hold.
        hold: HoldId,
    },
    /// A hold's deadline has come.
    DeadlinePassed {
        /// The release.
        release: ReleaseId,
        /// The hold.
        hold: HoldId,
        /// What follows.
        then: AtDeadline,
    },
    /// Somebody, or the plan, started the release.
    Started {
        /// The release.
        release: ReleaseId,
        /// Who has the con.
        con: Option<PersonName>,
        /// What ran before.
        was: Vec<Was>,
    },
    /// A batch may move.
    BatchBegan {
        /// The release.
        release: ReleaseId,
        /// The batch, from 0.
        batch: usize,
    },
    /// A batch is done.
    BatchDone {
        /// The release.
        release: ReleaseId,
        /// The batch, from 0.
        batch: usize,
    },
    /// A call begins; written before it is made.
    EffectBegun {
        /// The call.
        effect: Effect,
    },
    /// A call has ended.
    EffectEnded {
        /// The release.
        release: ReleaseId,
        /// The call.
        effect: EffectId,
        /// How.
        outcome: Outcome,
        /// When it is tried again by itself.
        again: Option<Timestamp>,
    },
    /// A failed call is to be made once more, as a new effect.
    StepRetried {
        /// The release.
        release: ReleaseId,
        /// The target.
        target: TargetName,
        /// The instance.
        instance: InstanceName,
    },
    /// The release stands still.
    Paused {
        /// The release.
        release: ReleaseId,
        /// Why.
        why: Arc<str>,
    },
    /// The rest of the release goes in one go; see [`super::release::Promoted`].
    PromotedAll {
        /// The release.
        release: ReleaseId,
        /// Why.
        why: Arc<str>,
    },
    /// The release goes on.
    Resumed {
        /// The release.
        release: ReleaseId,
    },
    /// A trigger fired.
    TriggerFired {
        /// The release.
        release: ReleaseId,
        /// Its place in the plan, from 0.
        trigger: usize,
        /// What was seen.
        words: Arc<str>,
    },
    /// The release goes back.
    RollbackBegan {
        /// The release.
        release: ReleaseId,
        /// Why.
        why: Arc<str>,
    },
    /// The judge's answer on a metric has changed, or it counted.
    Judged {
        /// The release.
        release: ReleaseId,
        /// The answer.
        verdict: MetricVerdict,
    },
    /// What the judge says of the release has changed.
    Weighed {
        /// The release.
        release: ReleaseId,
        /// What it says.
        judgement: Judgement,
    },
    /// A step's time was over without proof that the new version is good enough, and the plan says
    /// that the release stands still then.
    StepUnproven {
        /// The release.
        release: ReleaseId,
        /// The hold whose time was over.
        hold: HoldId,
    },
    /// Health checks found something else than before, or it counted.
    Found {
        /// The release.
        release: ReleaseId,
        /// The hold.
        hold: HoldId,
        /// What was found.
        finding: Finding,
    },
    /// The ledger can be written again.
    WritingResumed {
        /// Since when it could not.
        since: Timestamp,
    },
    /// An instance is another way than before.
    InstanceSeen {
        /// The target.
        target: TargetName,
        /// How it is.
        sight: Sight,
    },
    /// All batches are done; the release is watched.
    ObservationBegan {
        /// The release.
        release: ReleaseId,
    },
    /// The handover note was left.
    HandedOver {
        /// The release.
        release: ReleaseId,
        /// The note.
        note: Arc<str>,
    },
    /// Something about the calendar: exemptions, lockdowns, what it says of a release.
    Calendar(super::calendar::Told),
    /// The release is over.
    Closed {
        /// The release.
        release: ReleaseId,
        /// How it ended.
        ending: Ending,
        /// Why, in a sentence.
        why: Arc<str>,
    },
}

impl What {
    /// The release it is about, if it is about one.
    pub const fn release(&self) -> Option<ReleaseId> {
        match self {
            What::Authority(told) => told.release(),
            What::CharterAdopted { .. }
            | What::WritingResumed { .. }
            | What::InstanceSeen { .. } => None,
            What::Approval(told) => Some(told.release()),
            What::Pir(told) => Some(told.release()),
            What::Calendar(super::calendar::Told::Looked { release, .. }) => Some(*release),
            What::Calendar(_) => None,
            What::EffectBegun { effect } => Some(effect.release),
            What::Readiness(told) => Some(told.release()),
            What::Submitted { release, .. }
            | What::Voted { release, .. }
            | What::Ruled { release, .. }
            | What::HoldOpened { release, .. }
            | What::HoldCleared { release, .. }
            | What::HoldReopened { release, .. }
            | What::Waived { release, .. }
            | What::HoldWarned { release, .. }
            | What::DeadlinePassed { release, .. }
            | What::Started { release, .. }
            | What::BatchBegan { release, .. }
            | What::BatchDone { release, .. }
            | What::EffectEnded { release, .. }
            | What::StepRetried { release, .. }
            | What::Paused { release, .. }
            | What::PromotedAll { release, .. }
            | What::Resumed { release }
            | What::TriggerFired { release, .. }
            | What::RollbackBegan { release, .. }
            | What::Judged { release, .. }
            | What::Weighed { release, .. }
            | What::StepUnproven { release, .. }
            | What::Found { release, .. }
            | What::ObservationBegan { release }
            | What::HandedOver { release, .. }
            | What::Closed { release, .. } => Some(*release),
        }
    }
}

impl Event {
    /// The bytes that are hashed, kept, exported and verified.
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("strings, numbers and maps with names for keys are JSON")
    }

    /// Reads an event back.
    ///
    /// # Errors
    /// Where the bytes are no event that this version knows.
    pub fn from_bytes(bytes: &[u8]) -> Result<Event, serde_json::Error> {
        serde_json::from_slice(bytes)
    }
}
