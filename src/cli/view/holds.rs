//! What a release waits for in others, and its checklist, as JSON.

use schemars::JsonSchema;
use serde::Serialize;

use super::time;
use crate::domain::hold::HoldKind;
use crate::domain::limits;
use crate::domain::needs::{self, Need};
use crate::domain::readiness::{Rule, Standing, asked, checks, open, standing};
use crate::domain::release::Release;
use crate::domain::{State, Timestamp};

/// The checklist of a release.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "holdpoint.checks/1")]
pub struct ChecksView {
    /// `holdpoint.checks/1`.
    pub schema: &'static str,
    /// The release.
    pub release: String,
    /// How many checks bar its way.
    pub open: usize,
    /// The checks, in the order of the policy.
    pub checks: Vec<CheckLine>,
}

/// A check of the checklist.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct CheckLine {
    /// Its name.
    pub check: String,
    /// `cleared`, `waived`, `missing`, `failed` or `expired`.
    pub state: String,
    /// What was handed in, found or said.
    pub words: String,
    /// What it asks for.
    pub asks: String,
    /// Until when the evidence counts, or counted.
    pub until: Option<String>,
}

/// Something that a release needs of others.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct DependencyView {
    /// What it needs.
    pub needs: String,
    /// Whether it is so.
    pub met: bool,
    /// What is missing.
    pub missing: Option<String>,
}

/// A place in the queue.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct TurnView {
    /// Its position; 1 is the next.
    pub position: usize,
    /// The release right ahead: in the queue, or with the place.
    pub behind: String,
    /// The limit.
    pub limit: String,
}

/// A waiver.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct WaivedView {
    /// The hold, or a check of the checklist: `readiness.scan-clean`.
    pub hold: String,
    /// Who waived it.
    pub by: String,
    /// When.
    pub at: String,
    /// Why.
    pub reason: String,
}

impl ChecksView {
    /// The checklist of a release.
    pub fn of(release: &Release, now: Timestamp) -> ChecksView {
        ChecksView {
            schema: "holdpoint.checks/1",
            release: release.id.to_string(),
            open: open(release, now).len(),
            checks: CheckLine::all(release, now),
        }
    }
}

impl CheckLine {
    /// The checks of a release.
    pub fn all(release: &Release, now: Timestamp) -> Vec<CheckLine> {
        let rules = checks(release).iter();
        rules
            .map(|rule| CheckLine::of(release, rule, now))
            .collect()
    }

    fn of(release: &Release, rule: &Rule, now: Timestamp) -> CheckLine {
        let how = standing(release, rule, now);
        let until = match &how {
            Standing::Cleared(_, until) => *until,
            Standing::Expired(_, until) => Some(*until),
            _ => None,
        };
        CheckLine {
            check: rule.check.to_string(),
            state: how.word().to_owned(),
            words: how.words().to_owned(),
            asks: asked(rule),
            until: until.map(time),
        }
    }
}

impl DependencyView {
    /// What a release needs of others, waived or not.
    pub fn all(state: &State, release: &Release) -> Vec<DependencyView> {
        let of = |need: &Need| {
            let missing = needs::standing(state, release, need).map(|unmet| unmet.words);
            DependencyView {
                needs: need.words(),
                met: missing.is_none(),
                missing,
            }
        };
        let each = release.holds().filter_map(|hold| match &hold.kind {
            HoldKind::Dependency { needs } => Some(needs),
            _ => None,
        });
        each.flatten().map(of).collect()
    }
}

impl TurnView {
    /// The place of a release that stands in the queue.
    pub fn of(state: &State, release: &Release) -> Option<TurnView> {
        if !limits::queued(release) {
            return None;
        }
        limits::standing(state, release).map(|turn| TurnView {
            position: turn.position,
            behind: turn.behind.to_string(),
            limit: turn.limit,
        })
    }
}

impl WaivedView {
    /// What was waived of a release.
    pub fn all(release: &Release) -> Vec<WaivedView> {
        let waived = release.waived.iter();
        waived
            .map(|(hold, waived)| WaivedView {
                hold: hold.to_string(),
                by: waived.by.to_string(),
                at: time(waived.at),
                reason: waived.reason.to_string(),
            })
            .collect()
    }
}
