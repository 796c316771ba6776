//! The rules of a room's calendar, as `calendar.toml` says them.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::series::Series;
use crate::domain::ids::{EnvName, ServiceName};
use crate::domain::plan::Kind;

/// The windows, freezes and exclusive groups of a room.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Calendar {
    /// Where windows cover a service in an environment, it moves only inside one of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub windows: Vec<Window>,
    /// While a freeze holds, nothing in its scope begins to move.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub freezes: Vec<Freeze>,
    /// Services of which only one may be released at a time.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exclusive: Vec<Exclusive>,
}

impl Calendar {
    /// Whether it says nothing at all.
    pub fn is_empty(&self) -> bool {
        self.windows.is_empty() && self.freezes.is_empty() && self.exclusive.is_empty()
    }
}

/// A maintenance window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Its name; windows and freezes share one set of names.
    pub name: Arc<str>,
    /// The group or person who answers for it.
    pub owner: Arc<str>,
    /// What it is about.
    pub scope: Scope,
    /// The kinds of release it is about; empty stands for all.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub kinds: BTreeSet<Kind>,
    /// When it is open.
    pub when: Series,
    /// How many releases may be planned into one occurrence; any number without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<u32>,
    /// What becomes of a rollout on which it closes, where the plan says nothing.
    pub running: Running,
}

/// A time in which nothing begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Freeze {
    /// Its name; windows and freezes share one set of names.
    pub name: Arc<str>,
    /// The group or person who answers for it.
    pub owner: Arc<str>,
    /// Why; may be empty.
    pub reason: Arc<str>,
    /// What it is about.
    pub scope: Scope,
    /// The kinds of release it is about; empty stands for all.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub kinds: BTreeSet<Kind>,
    /// When it holds.
    pub when: Series,
    /// What becomes of a rollout during which it begins.
    pub running: Running,
}

/// Services that exclude each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exclusive {
    /// Its name.
    pub name: Arc<str>,
    /// What it is about; releases to different environments exclude each other too.
    pub scope: Scope,
}

/// What becomes of a rollout that is under way when a window closes on it or a freeze begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Running {
    /// It goes on to its end: the rule binds only what has not begun.
    Finish,
    /// The batch that has begun is finished, the next one does not begin.
    #[default]
    FinishBatch,
    /// No further instance begins, also in the batch that has begun. An instance whose calls have
    /// begun is brought to their end: half a deploy serves nobody.
    HoldOn,
    /// It goes back.
    RollBack,
}

impl Running {
    /// The word in files.
    pub const fn word(self) -> &'static str {
        match self {
            Running::Finish => "finish",
            Running::FinishBatch => "finish-batch",
            Running::HoldOn => "hold-on",
            Running::RollBack => "roll-back",
        }
    }

    /// What a rollout under way does, as a verb.
    pub const fn words(self) -> &'static str {
        match self {
            Running::Finish => "goes on to its end",
            Running::FinishBatch => "finishes its batch",
            Running::HoldOn => "holds where it is",
            Running::RollBack => "rolls back",
        }
    }
}

/// What a rule is about. Empty stands for everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scope {
    /// These environments.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub environments: BTreeSet<EnvName>,
    /// These services, and those of `teams`.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub services: BTreeSet<ServiceName>,
    /// The services of these teams, and `services`.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub teams: BTreeSet<Arc<str>>,
}

impl Scope {
    /// Whether a service of a team in an environment belongs to it.
    pub fn covers(&self, environment: &EnvName, service: &ServiceName, team: &str) -> bool {
        let here = self.environments.is_empty() || self.environments.contains(environment);
        let all = self.services.is_empty() && self.teams.is_empty();
        here && (all || self.services.contains(service) || self.teams.contains(team))
    }

    /// In words: `prod-eu, payments, team shop`; `everything`.
    pub fn words(&self) -> String {
        let names = self.environments.iter().map(EnvName::as_str);
        let names = names.chain(self.services.iter().map(ServiceName::as_str));
        let names: Vec<&str> = names.chain(self.teams.iter().map(|t| &**t)).collect();
        match names.is_empty() {
            true => "everything".to_owned(),
            false => names.join(", "),
        }
    }
}
