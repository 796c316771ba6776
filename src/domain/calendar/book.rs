//! What people add to the rules of the calendar while the room runs: exemptions and lockdowns.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::evaluate::Answer;
use super::rules::Scope;
use crate::domain::event::Event;
use crate::domain::ids::{EnvName, PersonName, ReleaseId, ServiceName, Span, Timestamp};

/// How many exemptions that are over the book keeps; the ledger has them all.
const KEPT: usize = 100;

/// How long an exemption may last at most.
pub const LONGEST: Span = Span::mins(90 * 24 * 60);

macro_rules! number {
    ($(#[$doc:meta])* $name:ident, $letter:literal) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&format!(concat!($letter, "-{}"), self.0))
            }
        }

        impl std::str::FromStr for $name {
            type Err = ();

            fn from_str(text: &str) -> Result<Self, ()> {
                let rest = text.strip_prefix($letter);
                let rest = rest.or_else(|| text.strip_prefix(&$letter.to_lowercase()));
                let digits = rest.and_then(|t| t.strip_prefix('-')).ok_or(())?;
                digits.parse().map($name).map_err(|_| ())
            }
        }
    };
}

number!(
    /// An exemption, printed as `X-3`.
    ExemptionId,
    "X"
);
number!(
    /// A lockdown, printed as `L-2`.
    LockdownId,
    "L"
);

/// What is asked of the calendar.
#[derive(Clone, Debug)]
pub enum Ask {
    /// Ask for an exemption. It holds for nothing before somebody else approves it.
    Request(Wish),
    /// Approve an exemption.
    Approve(ExemptionId),
    /// End an exemption, or drop a request.
    Revoke(ExemptionId, Arc<str>),
    /// Let nothing in a scope go forward.
    LockDown {
        /// What.
        scope: Scope,
        /// Why.
        reason: Arc<str>,
    },
    /// End a lockdown.
    Lift(LockdownId, Arc<str>),
}

/// An exemption as it is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wish {
    /// The window or freeze that shall not count.
    pub rule: Arc<str>,
    /// For what; a part of what the rule covers.
    pub scope: Scope,
    /// Only for this release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<ReleaseId>,
    /// Why.
    pub reason: Arc<str>,
    /// The record that asks for it.
    pub ticket: Arc<str>,
    /// When it is over.
    pub until: Timestamp,
}

/// What happened to the calendar.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Told {
    /// The rules were looked up for a release that stands before a batch or moves.
    Looked {
        /// The release.
        release: ReleaseId,
        /// What they say.
        answer: Answer,
    },
    /// An exemption was asked for.
    Requested {
        /// Its number.
        exemption: ExemptionId,
        /// What was asked.
        wish: Wish,
    },
    /// An exemption was approved.
    Approved {
        /// Which.
        exemption: ExemptionId,
    },
    /// An exemption was ended, or a request dropped.
    Revoked {
        /// Which.
        exemption: ExemptionId,
        /// Why; may be empty.
        why: Arc<str>,
    },
    /// Nothing in a scope goes forward any more.
    LockedDown {
        /// Its number.
        lockdown: LockdownId,
        /// What.
        scope: Scope,
        /// Why.
        reason: Arc<str>,
    },
    /// A lockdown is over.
    Lifted {
        /// Which.
        lockdown: LockdownId,
        /// Why.
        why: Arc<str>,
    },
}

/// An exemption.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exemption {
    /// What was asked.
    pub wish: Wish,
    /// By whom.
    pub by: PersonName,
    /// When.
    pub at: Timestamp,
    /// Who approved it, and when.
    pub approved: Option<(PersonName, Timestamp)>,
    /// Who ended it before its time, when and why.
    pub revoked: Option<(PersonName, Timestamp, Arc<str>)>,
}

impl Exemption {
    /// Whether it counts at a moment.
    pub fn holds(&self, at: Timestamp) -> bool {
        self.revoked.is_none()
            && at < self.wish.until
            && self
                .approved
                .as_ref()
                .is_some_and(|(_, since)| *since <= at)
    }

    /// Whether it can still be approved or revoked.
    pub fn open(&self, at: Timestamp) -> bool {
        self.revoked.is_none() && at < self.wish.until
    }

    /// Whether it frees a service of a release from a rule, at a time at which it holds.
    pub fn frees(
        &self,
        rule: &str,
        release: Option<ReleaseId>,
        environment: &EnvName,
        service: &ServiceName,
        team: &str,
    ) -> bool {
        *self.wish.rule == *rule
            && self.wish.release.is_none_or(|only| Some(only) == release)
            && self.wish.scope.covers(environment, service, team)
    }

    /// How it stands, in a few words.
    pub fn words(&self, at: Timestamp) -> String {
        match (&self.revoked, &self.approved) {
            (Some((who, ..)), _) => format!("revoked by {who}"),
            _ if at >= self.wish.until => "over".to_owned(),
            (None, Some((who, _))) => format!("approved by {who}"),
            (None, None) => "waits for somebody who may approve it".to_owned(),
        }
    }
}

/// A lockdown that is not lifted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lockdown {
    /// What it covers.
    pub scope: Scope,
    /// Why.
    pub reason: Arc<str>,
    /// Who said so.
    pub by: PersonName,
    /// Since when.
    pub since: Timestamp,
}

/// All exemptions and lockdowns of a room.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Book {
    /// The exemptions, those that are over too.
    pub exemptions: BTreeMap<ExemptionId, Exemption>,
    /// The lockdowns in force.
    pub lockdowns: BTreeMap<LockdownId, Lockdown>,
    /// The number of the newest exemption.
    pub last_exemption: u64,
    /// The number of the newest lockdown.
    pub last_lockdown: u64,
}

impl Book {
    /// Whether nobody has written anything into it.
    pub fn is_blank(&self) -> bool {
        *self == Book::default()
    }

    /// Folds an event in.
    pub fn apply(&mut self, event: &Event, told: &Told) {
        let Some(who) = event.who.person().cloned() else {
            return;
        };
        match told {
            Told::Looked { .. } => {}
            Told::Requested { exemption, wish } => {
                self.last_exemption = self.last_exemption.max(exemption.0);
                let asked = Exemption {
                    wish: wish.clone(),
                    by: who,
                    at: event.at,
                    approved: None,
                    revoked: None,
                };
                self.exemptions.insert(*exemption, asked);
                self.forget(event.at);
            }
            Told::Approved { exemption } => {
                if let Some(found) = self.exemptions.get_mut(exemption) {
                    found.approved = Some((who, event.at));
                }
            }
            Told::Revoked { exemption, why } => {
                if let Some(found) = self.exemptions.get_mut(exemption) {
                    found.revoked = Some((who, event.at, why.clone()));
                }
            }
            Told::LockedDown {
                lockdown,
                scope,
                reason,
            } => {
                self.last_lockdown = self.last_lockdown.max(lockdown.0);
                let down = Lockdown {
                    scope: scope.clone(),
                    reason: reason.clone(),
                    by: who,
                    since: event.at,
                };
                self.lockdowns.insert(*lockdown, down);
            }
            Told::Lifted { lockdown, .. } => {
                self.lockdowns.remove(lockdown);
            }
        }
    }

    /// Lets the oldest go that are over.
    fn forget(&mut self, now: Timestamp) {
        let over: Vec<ExemptionId> = self
            .exemptions
            .iter()
            .filter(|(_, e)| !e.open(now))
            .map(|(id, _)| *id)
            .collect();
        for id in over.iter().take(over.len().saturating_sub(KEPT)) {
            self.exemptions.remove(id);
        }
    }
}
