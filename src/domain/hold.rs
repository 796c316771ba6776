//! Holds: the places where a release stands still, and nothing else can stop it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::approval::Terms;
use super::ids::{HoldId, MetricName, Span, Timestamp};
use super::needs::Need;
use super::plan::{AtDeadline, CommandCheck, HttpCheck};
use super::readiness;

/// A hold of a release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Its name within the release.
    pub id: HoldId,
    /// What it asks for.
    pub kind: HoldKind,
    /// How long it may stay open, and what happens then.
    pub deadline: Deadline,
    /// How far it is.
    pub state: HoldState,
}

/// What a hold asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HoldKind {
    /// Votes on exactly this plan.
    Approval(Terms),
    /// A person who presses start or promote.
    Manual {
        /// What is asked.
        ask: Arc<str>,
    },
    /// Every check of the checklist must be cleared.
    Readiness {
        /// The checks.
        checks: Vec<readiness::Rule>,
    },
    /// What the release needs of others must be so, and no other release may move its targets.
    Dependency {
        /// What it needs.
        needs: Vec<Need>,
    },
    /// A place under every limit on how many releases move at once.
    Queue,
    /// The clock inside an agreed span, `opens <= t < closes`.
    Window {
        /// When it opens.
        opens: Timestamp,
        /// When it closes.
        closes: Timestamp,
    },
    /// Every rule of the calendar allows it. It stands in the ladder only where one did not.
    Calendar,
    /// The batch's calls have succeeded and every instance moved so far is seen running the new version.
    Moved,
    /// Checks that pass several rounds in a row.
    Health {
        /// HTTP checks.
        http: Vec<HttpCheck>,
        /// Command checks.
        command: Vec<CommandCheck>,
        /// Rounds in a row.
        passes: u32,
        /// The pause between rounds.
        every: Span,
    },
    /// Time.
    Bake {
        /// How long.
        span: Span,
    },
    /// Verdicts.
    Analysis {
        /// The metrics.
        metrics: Vec<MetricName>,
        /// Looks in a row.
        passes: u32,
    },
    /// The observation period.
    Observe {
        /// How long.
        span: Span,
        /// Whether it also waits for a handover note.
        handover: bool,
    },
}

impl HoldKind {
    /// Whether it is there to let people or time look before the next batch, and nothing else:
    /// promoting all of a release skips it.
    pub const fn only_waits(&self) -> bool {
        matches!(
            self,
            HoldKind::Manual { .. } | HoldKind::Bake { .. } | HoldKind::Analysis { .. }
        )
    }

    /// The word for it in files, events and on screens.
    pub const fn word(&self) -> &'static str {
        match self {
            HoldKind::Approval(_) => "approval",
            HoldKind::Manual { .. } => "manual",
            HoldKind::Readiness { .. } => "readiness",
            HoldKind::Dependency { .. } => "dependency",
            HoldKind::Queue => "queue",
            HoldKind::Window { .. } => "window",
            HoldKind::Calendar => "calendar",
            HoldKind::Moved | HoldKind::Health { .. } => "health",
            HoldKind::Bake { .. } => "bake",
            HoldKind::Analysis { .. } => "analysis",
            HoldKind::Observe { .. } => "observe",
        }
    }
}

/// How long a hold may stay open, and what happens then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deadline {
    /// Counted from when the hold opens; a window's from when it closes.
    pub after: Span,
    /// What happens.
    pub then: AtDeadline,
    /// How long before to warn.
    pub warn: Span,
}

/// How far a hold is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HoldState {
    /// Not reached yet.
    #[default]
    ToCome,
    /// The release stands here.
    Open {
        /// Since when.
        since: Timestamp,
        /// When its deadline comes.
        until: Timestamp,
        /// Whether those it waits on were warned.
        warned: bool,
        /// Whether the deadline has come and the release holds on.
        overdue: bool,
    },
    /// Passed.
    Cleared {
        /// When.
        at: Timestamp,
        /// By whom or what, in a few words.
        by: Arc<str>,
    },
}

impl Hold {
    /// Since when and until when it is open.
    pub fn open(&self) -> Option<(Timestamp, Timestamp)> {
        match self.state {
            HoldState::Open { since, until, .. } => Some((since, until)),
            _ => None,
        }
    }

    /// Whether it is behind the release.
    pub fn cleared(&self) -> bool {
        matches!(self.state, HoldState::Cleared { .. })
    }

    /// When its deadline comes if it opens at `at`.
    pub fn until(&self, at: Timestamp) -> Timestamp {
        match self.kind {
            HoldKind::Window { closes, .. } => closes.max(at),
            HoldKind::Bake { span } | HoldKind::Observe { span, .. } => {
                at.plus(span).plus(self.deadline.after)
            }
            _ => at.plus(self.deadline.after),
        }
    }

    /// When the clock alone clears it, for an open hold.
    pub fn due(&self) -> Option<Timestamp> {
        let (since, _) = self.open()?;
        match self.kind {
            HoldKind::Bake { span } | HoldKind::Observe { span, .. } => Some(since.plus(span)),
            HoldKind::Window { opens, .. } => Some(opens),
            _ => None,
        }
    }
}
