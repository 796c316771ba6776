//! Authority that was given for a while, reviews, and differences of plans as JSON.

use schemars::JsonSchema;
use serde::Serialize;

use super::time;
use crate::domain::Timestamp;
use crate::domain::authority::{Gift, Grant, Scope};
use crate::domain::diff::Change;
use crate::domain::pir::Pir;

/// Authority that was given for a while.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "holdpoint.authority/1")]
pub struct AuthorityView {
    /// `holdpoint.authority/1`.
    pub schema: &'static str,
    /// `G-3`.
    pub id: String,
    /// To whom.
    pub to: String,
    /// The right that was given, if one was.
    pub right: Option<String>,
    /// The group whose votes were given, if any were.
    pub group: Option<String>,
    /// The kind of its scope: `environment`, `service` or `release`.
    pub scope: String,
    /// The environment, the service or the release.
    pub name: String,
    /// Since when.
    pub from: String,
    /// Until when.
    pub until: String,
    /// By whom.
    pub by: String,
    /// Why.
    pub why: String,
    /// `holds`, `ended` or `revoked`.
    pub state: String,
    /// Who took it back, if somebody did.
    pub revoked_by: Option<String>,
}

impl AuthorityView {
    /// A grant at a moment.
    pub fn of(grant: &Grant, now: Timestamp) -> AuthorityView {
        let (right, group) = match &grant.gift {
            Gift::Right(right) => (Some(right.word().to_owned()), None),
            Gift::Group(group) => (None, Some(group.to_string())),
        };
        let (scope, name) = match &grant.scope {
            Scope::Environment(name) => ("environment", name.to_string()),
            Scope::Service(name) => ("service", name.to_string()),
            Scope::Release(id) => ("release", id.to_string()),
        };
        let state = match &grant.revoked {
            Some(_) => "revoked",
            None if grant.holds(now) => "holds",
            None => "ended",
        };
        AuthorityView {
            schema: "holdpoint.authority/1",
            id: grant.id.to_string(),
            to: grant.to.to_string(),
            right,
            group,
            scope: scope.to_owned(),
            name,
            from: time(grant.from),
            until: time(grant.until),
            by: grant.by.to_string(),
            why: grant.why.to_string(),
            state: state.to_owned(),
            revoked_by: grant.revoked.as_ref().map(|(who, _)| who.to_string()),
        }
    }
}

/// A review after an emergency.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "holdpoint.pir/1")]
pub struct PirView {
    /// `holdpoint.pir/1`.
    pub schema: &'static str,
    /// The release.
    pub release: String,
    /// Its title.
    pub title: String,
    /// The incident.
    pub incident: String,
    /// Who has to see to it.
    pub owner: String,
    /// Since when.
    pub opened: String,
    /// Until when.
    pub due: String,
    /// Whether it is open beyond that.
    pub overdue: bool,
    /// Who closed it.
    pub closed_by: Option<String>,
    /// When.
    pub closed: Option<String>,
    /// What was found.
    pub findings: Option<String>,
}

impl PirView {
    /// A review at a moment.
    pub fn of(pir: &Pir, now: Timestamp) -> PirView {
        let closed = pir.closed.as_ref();
        PirView {
            schema: "holdpoint.pir/1",
            release: pir.release.to_string(),
            title: pir.title.to_string(),
            incident: pir.incident.to_string(),
            owner: pir.owner.to_string(),
            opened: time(pir.opened),
            due: time(pir.due),
            overdue: closed.is_none() && pir.due <= now,
            closed_by: closed.map(|found| found.by.to_string()),
            closed: closed.map(|found| time(found.at)),
            findings: closed.map(|found| found.text.to_string()),
        }
    }
}

/// In what a changed plan differs from a release's plan; nothing was changed.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "holdpoint.plan-diff/1")]
pub struct PlanDiffView {
    /// `holdpoint.plan-diff/1`.
    pub schema: &'static str,
    /// The release.
    pub release: String,
    /// The digest of its plan.
    pub from: String,
    /// The digest of the changed plan.
    pub to: String,
    /// The fields.
    pub changes: Vec<ChangeView>,
    /// Whether the votes would be void.
    pub voids: bool,
    /// Whose votes those are.
    pub voided: Vec<String>,
}

/// A field that is different.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ChangeView {
    /// The field, as in the file.
    pub path: String,
    /// What stood there; nothing where it is new.
    pub from: Option<String>,
    /// What stands there now; nothing where it is gone.
    pub to: Option<String>,
}

impl From<&Change> for ChangeView {
    fn from(change: &Change) -> ChangeView {
        ChangeView {
            path: change.path.to_string(),
            from: change.from.as_deref().map(str::to_owned),
            to: change.to.as_deref().map(str::to_owned),
        }
    }
}
