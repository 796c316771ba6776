//! What can be asked and what can happen about an approval, besides a vote.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::domain::diff::Change;
use crate::domain::ids::{PersonName, ReleaseId, Timestamp};
use crate::domain::plan::Plan;

/// What is asked.
#[derive(Clone, Debug)]
pub enum Ask {
    /// Take one's own vote back.
    Withdraw {
        /// On which release.
        release: ReleaseId,
    },
    /// Let an objection, or a request for changes, no longer block.
    Overrule {
        /// On which release.
        release: ReleaseId,
        /// Whose.
        whose: PersonName,
        /// Why.
        why: Arc<str>,
    },
    /// Put another plan in the place of a release's plan.
    Update {
        /// Of which release.
        release: ReleaseId,
        /// The new plan.
        plan: Arc<Plan>,
    },
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Told {
    /// Somebody took their vote back.
    VoteWithdrawn {
        /// On which release.
        release: ReleaseId,
    },
    /// An objection, or a request for changes, blocks no longer.
    Overruled {
        /// On which release.
        release: ReleaseId,
        /// Whose.
        whose: PersonName,
        /// Why.
        why: Arc<str>,
    },
    /// A release that was approved is not any more, before it began to move: its votes have
    /// lapsed, or somebody thought better of it.
    Reopened {
        /// Which release.
        release: ReleaseId,
        /// What is missing now.
        why: Arc<str>,
    },
    /// Another plan took the place of a release's plan.
    PlanChanged {
        /// Of which release.
        release: ReleaseId,
        /// The new plan.
        plan: Arc<Plan>,
        /// Its digest.
        digest: Arc<str>,
        /// In what it differs from the plan before.
        changes: Vec<Change>,
        /// Whether the votes were on another plan, and count no more.
        voids: bool,
    },
    /// The time box of an emergency ends soon: what is not closed then goes back.
    BoxEndsSoon {
        /// Of which release.
        release: ReleaseId,
        /// When it ends.
        end: Timestamp,
    },
}

impl Told {
    /// The release it is about.
    pub const fn release(&self) -> ReleaseId {
        match self {
            Told::VoteWithdrawn { release }
            | Told::Overruled { release, .. }
            | Told::Reopened { release, .. }
            | Told::PlanChanged { release, .. }
            | Told::BoxEndsSoon { release, .. } => *release,
        }
    }
}

/// That an objection was overruled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overruled {
    /// By whom.
    pub by: PersonName,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub why: Arc<str>,
}

/// That a release's plan was changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// By whom.
    pub by: PersonName,
    /// When.
    pub at: Timestamp,
    /// The digest of the plan before.
    pub was: Arc<str>,
    /// In what the plans differ.
    pub changes: Vec<Change>,
    /// Whose votes count no more.
    pub voided: Vec<PersonName>,
}
