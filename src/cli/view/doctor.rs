//! What the doctor found, as JSON.

use schemars::JsonSchema;
use serde::Serialize;

use crate::platform::doctor::{Check, State};

/// What a room's targets need, and what is missing.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "holdpoint.doctor/1")]
pub struct DoctorView {
    /// `holdpoint.doctor/1`.
    pub schema: &'static str,
    /// The room's directory.
    pub room: String,
    /// Whether nothing is missing.
    pub well: bool,
    /// The clusters.
    pub clusters: Vec<ClusterView>,
    /// The targets.
    pub targets: Vec<TargetView>,
    /// The stores that metrics are read from.
    pub sources: Vec<StoreView>,
    /// The Role that each namespace needs, with its binding.
    pub rbac: Vec<RoleView>,
}

/// A cluster.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ClusterView {
    /// What the room calls it.
    pub name: String,
    /// Its version; nothing where it does not say, or was not reached.
    pub version: Option<String>,
    /// Who it takes the caller for.
    pub user: Option<String>,
    /// Why it was not reached.
    pub problem: Option<String>,
}

/// A target.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct TargetView {
    /// Its name.
    pub target: String,
    /// `command` or `kubernetes`.
    pub platform: String,
    /// What it is, for people: `deployment shop/web in main`.
    pub place: String,
    /// What was looked at.
    pub checks: Vec<CheckedView>,
    /// What is missing to go forward; empty where nothing is.
    pub promote: Vec<String>,
    /// What is missing to go back; empty where nothing is.
    pub roll_back: Vec<String>,
}

/// Something that was looked at.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct CheckedView {
    /// What: `connection`, `permission`, `workload`, `container`, `crd`, `program`, `status` …
    pub code: String,
    /// `good`, `doubt` or `missing`.
    pub state: String,
    /// What was found, in a sentence.
    pub words: String,
    /// What to do; may be empty.
    pub next_step: String,
}

/// A store that metrics are read from.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct StoreView {
    /// What the room calls it.
    pub name: String,
    /// Whether it answers.
    pub check: CheckedView,
}

/// The rights that holdpoint needs in a namespace.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct RoleView {
    /// The cluster.
    pub cluster: String,
    /// The namespace.
    pub namespace: String,
    /// A Role and a RoleBinding, in YAML.
    pub yaml: String,
}

impl From<&Check> for CheckedView {
    fn from(check: &Check) -> CheckedView {
        CheckedView {
            code: check.code.to_owned(),
            state: match check.state {
                State::Good => "good",
                State::Doubt => "doubt",
                State::Missing => "missing",
            }
            .to_owned(),
            words: check.words.clone(),
            next_step: check.next.clone(),
        }
    }
}
