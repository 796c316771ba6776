//! Waivers: somebody with a greater authority lets a release pass a hold, with a written reason.
//!
//! Votes, the way back, a busy target and what a person presses cannot be waived; a window or freeze
//! has its own exemption in the calendar.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::hold::{Hold, HoldKind};
use super::ids::{HoldId, PersonName, Timestamp};
use super::readiness;
use super::release::Release;
use super::words::nearest;

/// That a hold was waived.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waived {
    /// By whom.
    pub by: PersonName,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: Arc<str>,
}

impl Waived {
    /// `waived by ada: the scanner is down`.
    pub fn words(&self) -> String {
        format!("waived by {}: {}", self.by, self.reason)
    }
}

/// Whether a kind of hold can be waived; else what to do instead.
///
/// # Errors
/// The next step for somebody who wanted to.
pub const fn waivable(kind: &HoldKind) -> Result<(), &'static str> {
    match kind {
        HoldKind::Readiness { .. }
        | HoldKind::Dependency { .. }
        | HoldKind::Queue
        | HoldKind::Health { .. }
        | HoldKind::Bake { .. }
        | HoldKind::Analysis { .. } => Ok(()),
        HoldKind::Approval(_) => {
            Err("those who are asked have to vote; an emergency has its own path")
        }
        HoldKind::Manual { .. } => Err("somebody with control presses start or promote"),
        HoldKind::Window { .. } | HoldKind::Calendar => {
            Err("an exemption frees it: `holdpoint calendar exempt`")
        }
        HoldKind::Moved => Err("every instance has to run what it should; retry or roll back"),
        HoldKind::Observe { .. } => {
            Err("the observation period has to pass; roll back if it must end")
        }
    }
}

/// The hold that a word means: its name, a check of the checklist (`readiness.scan-clean`), or its
/// kind where only one of that kind is still ahead.
pub fn named<'a>(release: &'a Release, word: &str) -> Option<(HoldId, &'a Hold)> {
    if let Some(hold) = release.holds().find(|h| h.id.as_str() == word) {
        return Some((hold.id.clone(), hold));
    }
    let list = release
        .holds()
        .find(|h| matches!(h.kind, HoldKind::Readiness { .. }));
    if let Some(list) = list
        && let Some(rule) = readiness::checks(release)
            .iter()
            .find(|rule| readiness::hold_of(&rule.check).as_str() == word)
    {
        return Some((readiness::hold_of(&rule.check), list));
    }
    let mut ahead = release
        .holds()
        .filter(|h| !h.cleared() && h.kind.word() == word);
    match (ahead.next(), ahead.next()) {
        (Some(hold), None) => Some((hold.id.clone(), hold)),
        _ => None,
    }
}

/// Every name that could be waived, for those who mistyped one.
pub fn names(release: &Release) -> Vec<String> {
    let mut names: Vec<String> = release
        .holds()
        .filter(|h| !h.cleared() && waivable(&h.kind).is_ok())
        .map(|h| h.id.to_string())
        .collect();
    let checks = readiness::checks(release);
    names.extend(
        checks
            .iter()
            .map(|r| readiness::hold_of(&r.check).to_string()),
    );
    names
}

/// Why a hold may not be waived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such hold, or the word means several.
    UnknownHold {
        /// What was named.
        word: Arc<str>,
        /// What could be waived.
        known: Vec<String>,
    },
    /// Whoever brought a release waives nothing of it.
    OwnRelease(PersonName),
    /// This kind of hold cannot be waived.
    NotWaivable {
        /// Which.
        hold: HoldId,
        /// What to do instead.
        instead: &'static str,
    },
    /// A waiver without a reason.
    NoReason,
    /// It was waived already.
    Already(HoldId),
    /// The release has passed it.
    Passed(HoldId),
}

impl Refusal {
    /// The stable code of the refusal.
    pub const fn code(&self) -> &'static str {
        match self {
            Refusal::UnknownHold { .. } => "unknown-hold",
            Refusal::OwnRelease(_) => "own-waiver",
            Refusal::NotWaivable { .. } => "not-waivable",
            Refusal::NoReason => "no-reason",
            Refusal::Already(_) => "already-waived",
            Refusal::Passed(_) => "hold-passed",
        }
    }

    /// Headline and next step.
    pub fn words(&self) -> (String, String) {
        let pair = |a: String, b: &str| (a, b.to_owned());
        match self {
            Refusal::UnknownHold { word, known } => {
                let names = known.iter().map(String::as_str);
                let next = match nearest(word, names.clone()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None if known.is_empty() => "nothing of it can be waived now".to_owned(),
                    None => format!("these can be waived: {}", known.join(", ")),
                };
                (format!("`{word}` names no hold of this release"), next)
            }
            Refusal::OwnRelease(who) => pair(
                format!("{who} brought this release and may waive nothing of it"),
                "somebody else with that right has to decide",
            ),
            Refusal::NotWaivable { hold, instead } => {
                pair(format!("{hold} cannot be waived"), instead)
            }
            Refusal::NoReason => pair(
                "a waiver needs a reason".into(),
                "say with --reason why it is right to go on",
            ),
            Refusal::Already(hold) => pair(
                format!("{hold} was waived already"),
                "`release show` says what it waits for",
            ),
            Refusal::Passed(hold) => pair(
                format!("the release has passed {hold}"),
                "`release show` says what it waits for",
            ),
        }
    }
}
