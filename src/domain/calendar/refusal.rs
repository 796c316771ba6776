//! What the calendar refuses.

use std::sync::Arc;

use super::book::{ExemptionId, LockdownId};
use crate::domain::ids::{PersonName, Timestamp};

/// Why something may not be asked of the calendar now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotNow {
    /// There is no such exemption.
    UnknownExemption(ExemptionId),
    /// There is no such lockdown in force.
    UnknownLockdown(LockdownId),
    /// No window or freeze has this name.
    UnknownRule {
        /// What was named.
        rule: Arc<str>,
        /// The nearest name that there is.
        near: Option<Arc<str>>,
    },
    /// The scope names what the room does not have.
    UnknownScope {
        /// `environment`, `service` or `team`.
        what: &'static str,
        /// What was named.
        word: Arc<str>,
        /// The nearest name that there is.
        near: Option<Arc<str>>,
    },
    /// Whoever asked for an exemption, or submitted its release, approves it.
    OwnExemption(PersonName, &'static str),
    /// It was approved already.
    AlreadyApproved(ExemptionId, PersonName),
    /// It was revoked, or its time is over.
    ExemptionOver(ExemptionId),
    /// Something has to be said: the reason, the ticket.
    Missing(&'static str),
    /// It would be over at once, or last too long.
    BadEnd(Timestamp),
    /// Whoever ordered a lockdown lifts it.
    OwnLockdown(PersonName),
}

impl NotNow {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            NotNow::UnknownExemption(_) => "unknown-exemption",
            NotNow::UnknownLockdown(_) => "unknown-lockdown",
            NotNow::UnknownRule { .. } => "unknown-rule",
            NotNow::UnknownScope { .. } => "unknown-scope",
            NotNow::OwnExemption(..) => "own-exemption",
            NotNow::AlreadyApproved(..) => "already-approved",
            NotNow::ExemptionOver(_) => "exemption-over",
            NotNow::Missing(_) => "missing-words",
            NotNow::BadEnd(_) => "bad-end",
            NotNow::OwnLockdown(_) => "own-lockdown",
        }
    }

    /// Headline and next step.
    pub fn words(&self) -> (String, String) {
        let meant = |near: &Option<Arc<str>>| match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => "`holdpoint calendar show` lists what there is".to_owned(),
        };
        match self {
            NotNow::UnknownExemption(id) => (
                format!("there is no exemption {id}"),
                "`holdpoint calendar show` lists them".to_owned(),
            ),
            NotNow::UnknownLockdown(id) => (
                format!("no lockdown {id} is in force"),
                "`holdpoint calendar show` lists them".to_owned(),
            ),
            NotNow::UnknownRule { rule, near } => (
                format!("no window and no freeze is called `{rule}`"),
                meant(near),
            ),
            NotNow::UnknownScope { what, word, near } => {
                (format!("there is no {what} `{word}`"), meant(near))
            }
            NotNow::OwnExemption(who, how) => (
                format!("{who} {how} and may not approve it"),
                "somebody else with the right `exempt` has to approve it".to_owned(),
            ),
            NotNow::AlreadyApproved(id, who) => (
                format!("{who} has approved {id} already"),
                "`calendar revoke` ends it".to_owned(),
            ),
            NotNow::ExemptionOver(id) => (
                format!("{id} is over or revoked"),
                "ask for a new one with `calendar exempt`".to_owned(),
            ),
            NotNow::Missing(what) => (
                format!("the {what} is missing"),
                format!("say it with --{what} TEXT: it is what an auditor reads"),
            ),
            NotNow::BadEnd(_) => (
                "an exemption ends in the future, and within 90 days".to_owned(),
                "name another end with --until".to_owned(),
            ),
            NotNow::OwnLockdown(who) => (
                format!("{who} ordered this lockdown and may not lift it alone"),
                "somebody else with the right `lockdown` has to lift it".to_owned(),
            ),
        }
    }
}
