//! Reviews after the fact: an emergency opens one the moment it begins, and it stays open until
//! somebody writes down what was found.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::ids::{PersonName, ReleaseId, Span, Timestamp};
use super::state::State;

/// How long there is for a review.
pub const DUE: Span = Span::mins(5 * 24 * 60);

/// A review; its number is that of its release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pir {
    /// Of which release.
    pub release: ReleaseId,
    /// The release's title.
    pub title: Arc<str>,
    /// The incident that the emergency was about.
    pub incident: Arc<str>,
    /// Who has to see to it: who started the release, or submitted it where it started by itself.
    pub owner: PersonName,
    /// Since when.
    pub opened: Timestamp,
    /// Until when.
    pub due: Timestamp,
    /// What was found; nothing while it is open.
    pub closed: Option<Findings>,
}

/// What a review found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Findings {
    /// Who wrote it down.
    pub by: PersonName,
    /// When.
    pub at: Timestamp,
    /// What was found.
    pub text: Arc<str>,
}

/// What is asked.
#[derive(Clone, Debug)]
pub enum Ask {
    /// Close a review.
    Close {
        /// Of which release.
        release: ReleaseId,
        /// What was found.
        findings: Arc<str>,
    },
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Told {
    /// A review is due.
    Opened(Pir),
    /// It was done.
    Closed {
        /// Of which release.
        release: ReleaseId,
        /// What was found.
        findings: Arc<str>,
    },
}

impl Told {
    /// The release that was reviewed.
    pub const fn release(&self) -> ReleaseId {
        match self {
            Told::Opened(pir) => pir.release,
            Told::Closed { release, .. } => *release,
        }
    }
}

/// Why a review may not be closed now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denied {
    /// There is none.
    NoPir(ReleaseId),
    /// It is closed.
    Done(ReleaseId, PersonName),
    /// It is somebody else's.
    NotYours {
        /// Who asked.
        who: PersonName,
        /// Whose it is.
        owner: PersonName,
    },
    /// Nothing was written down.
    NoFindings,
}

impl Denied {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Denied::NoPir(_) => "no-pir",
            Denied::Done(..) => "pir-closed",
            Denied::NotYours { .. } => "not-your-pir",
            Denied::NoFindings => "no-findings",
        }
    }

    /// The sentence and the next step.
    pub fn words(&self) -> (String, String) {
        let pair = |a: String, b: &str| (a, b.to_owned());
        match self {
            Denied::NoPir(id) => pair(
                format!("{id} has no review"),
                "emergencies have one from the moment they begin; `pir list` shows them",
            ),
            Denied::Done(id, by) => pair(
                format!("{by} has closed the review of {id}"),
                "`pir list --all` shows what was found",
            ),
            Denied::NotYours { who, owner } => pair(
                format!("the review is {owner}'s, not {who}'s"),
                "its owner closes it, or somebody who may control releases there",
            ),
            Denied::NoFindings => pair(
                "a review without findings is none".into(),
                "say in a sentence what was found and what follows, with --findings",
            ),
        }
    }
}

/// Folds what happened into the state.
pub fn apply(state: &mut State, told: &Told, who: Option<&PersonName>, at: Timestamp) {
    match told {
        Told::Opened(pir) => {
            state.pirs.insert(pir.release, Arc::new(pir.clone()));
        }
        Told::Closed { release, findings } => {
            if let (Some(slot), Some(who)) = (state.pirs.get_mut(release), who) {
                Arc::make_mut(slot).closed = Some(Findings {
                    by: who.clone(),
                    at,
                    text: findings.clone(),
                });
            }
        }
    }
}
