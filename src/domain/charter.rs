//! The charter: who and what the room knows, as last adopted from its files.
//!
//! The files are read by `config`; what they say becomes one [`Charter`], which enters the ledger
//! as an event, so that an auditor sees under which rules each decision fell.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::approval::Exclusion;
use super::calendar::Calendar;
use super::effect::Verb;
use super::ids::{
    EnvName, GroupName, InstanceName, MetricName, PersonName, ServiceName, Span, TargetName,
};
use super::limits::Limit;
pub use super::metric::{Action, Horizon, Judging, Metric, Reading, Tolerance};
use super::needs::Promotion;
use super::plan::Kind;
use super::readiness;
use super::risk::{RiskLevel, RiskPolicy};

/// People, groups, catalog, targets and approval rules of a room.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Charter {
    /// The room's name.
    pub room: Arc<str>,
    /// Who there is.
    pub people: BTreeMap<PersonName, Person>,
    /// The groups they belong to, and what each may do.
    pub groups: BTreeMap<GroupName, Group>,
    /// What can be released.
    pub services: BTreeMap<ServiceName, Service>,
    /// Where to.
    pub environments: BTreeMap<EnvName, Environment>,
    /// Which service runs where on which platform.
    pub targets: BTreeMap<TargetName, Target>,
    /// Who must approve what; the first rule that fits counts.
    pub approvals: Vec<ApprovalRule>,
    /// How risk is reckoned.
    #[serde(default, skip_serializing_if = "RiskPolicy::is_shipped")]
    pub risk: RiskPolicy,
    /// When it may move.
    #[serde(default, skip_serializing_if = "Calendar::is_empty")]
    pub calendar: Calendar,
    /// The checks that must be cleared before a release begins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub readiness: Vec<readiness::Rule>,
    /// How many releases may move at once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<Limit>,
    /// Where artifacts must have succeeded before they go elsewhere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub promotions: Vec<Promotion>,
    /// How the judge works.
    #[serde(default, skip_serializing_if = "Judging::is_usual")]
    pub judging: Judging,
}

/// Somebody who may use the room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The name as people write it.
    pub full_name: Arc<str>,
    /// The groups the person belongs to.
    pub groups: BTreeSet<GroupName>,
    /// A made-up colleague of a demo room; every screen says so.
    pub sample: bool,
}

/// What members of a group may do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// The rights of its members.
    pub may: BTreeSet<Right>,
    /// The environments in which they hold; empty stands for all.
    pub environments: BTreeSet<EnvName>,
}

/// A right that a group gives. Voting needs none: it follows from the groups an approval names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Right {
    /// Submit plans, and withdraw one's own.
    Submit,
    /// Start, pause, resume, promote, retry, roll back, cancel, hand over.
    Control,
    /// Let a release pass a hold with a written reason: waive it.
    Waive,
    /// Overrule an objection, with a reason.
    Overrule,
    /// Give others authority for a while.
    Grant,
    /// Approve exemptions from windows and freezes.
    Exempt,
    /// Order and lift lockdowns.
    Lockdown,
}

impl Right {
    /// The word in files and events.
    pub const fn word(self) -> &'static str {
        match self {
            Right::Submit => "submit",
            Right::Control => "control",
            Right::Waive => "waive",
            Right::Overrule => "overrule",
            Right::Grant => "grant",
            Right::Exempt => "exempt",
            Right::Lockdown => "lockdown",
        }
    }
}

/// A service, a configuration item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// The team that owns it.
    pub owner: Arc<str>,
    /// 0 is the most critical.
    pub tier: u8,
    /// The services it needs.
    pub depends_on: BTreeSet<ServiceName>,
    /// The metrics by which a new version is compared with the old one.
    pub metrics: BTreeMap<MetricName, Metric>,
    /// Whether verdicts on any of its metrics act on nothing and are only written down.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub shadow: bool,
}

impl Service {
    /// Whether verdicts on one of its metrics act on nothing.
    pub fn in_shadow(&self, metric: &Metric) -> bool {
        self.shadow || metric.shadow
    }
}

/// An environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environment {
    /// Whether customers depend on it.
    pub production: bool,
    /// IANA zone in which its windows are spoken of.
    pub zone: Arc<str>,
    /// The highest question a key asks here before it acts.
    pub confirm: Confirm,
}

/// How much a key asks before it acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Confirm {
    /// Nothing is asked.
    None,
    /// A dialog states effect, scope and call.
    Dialog,
    /// The release's name has to be typed for what is hard to undo.
    Typed,
}

/// One service in one environment on one platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// The service.
    pub service: ServiceName,
    /// The environment.
    pub environment: EnvName,
    /// The kind of platform: `command` or `kubernetes`.
    pub platform: Arc<str>,
    /// The instances in the order in which a rollout takes them.
    pub instances: Vec<InstanceName>,
    /// Whether a batch moves a share of each instance rather than a share of the instances: the
    /// platform divides them itself, as Kubernetes does a workload.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_share: bool,
    /// How many instances may change at once; at least 1.
    pub parallel: u32,
    /// How often a failed deploy is tried again by itself; 0 unless its command may safely run again.
    pub retries: u32,
    /// The wait before the first such retry; it doubles each time.
    pub backoff: Span,
    /// The literal commands, for the dialogs and for the audit trail.
    pub calls: BTreeMap<Verb, Vec<Arc<str>>>,
}

impl Target {
    /// The calls that bring an instance forward or back, in order.
    pub fn sequence(&self, main: Verb) -> Vec<Verb> {
        [Verb::Drain, main, Verb::Undrain]
            .into_iter()
            .filter(|verb| *verb == main || self.calls.contains_key(verb))
            .collect()
    }
}

/// Who must approve a release. Empty conditions fit everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalRule {
    /// What people call it.
    #[serde(default)]
    pub name: Arc<str>,
    /// The environments it is about.
    pub environments: BTreeSet<EnvName>,
    /// The kinds of release it is about.
    pub kinds: BTreeSet<Kind>,
    /// The tiers it is about; of several services the most critical one counts.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub tiers: BTreeSet<u8>,
    /// The levels of risk it is about.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub levels: BTreeSet<RiskLevel>,
    /// How many votes of which groups.
    pub needs: BTreeMap<GroupName, u32>,
    /// Whether each vote must come from another person, even where one belongs to several groups.
    pub distinct_people: bool,
    /// Who may not vote, besides the submitter.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub excludes: BTreeSet<Exclusion>,
    /// How long a vote counts; without one, as long as the release waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vote_lasts: Option<Span>,
    /// Whether a change of the window alone voids the votes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub window_binds: bool,
    /// How long the question stays open before the release expires.
    pub expires: Span,
}

impl Charter {
    /// Whether a person holds a right in an environment.
    pub fn may(&self, who: &PersonName, right: Right, environment: &EnvName) -> bool {
        self.groups_of(who).any(|(_, group)| {
            group.may.contains(&right)
                && (group.environments.is_empty() || group.environments.contains(environment))
        })
    }

    /// The groups a person belongs to.
    pub fn groups_of<'a>(
        &'a self,
        who: &PersonName,
    ) -> impl Iterator<Item = (&'a GroupName, &'a Group)> + use<'a> {
        self.people
            .get(who)
            .into_iter()
            .flat_map(|person| &person.groups)
            .filter_map(|name| self.groups.get_key_value(name))
    }

    /// The groups that give a right in an environment, for the words of a refusal.
    pub fn groups_with(&self, right: Right, environment: &EnvName) -> Vec<GroupName> {
        self.groups
            .iter()
            .filter(|(_, g)| {
                g.may.contains(&right)
                    && (g.environments.is_empty() || g.environments.contains(environment))
            })
            .map(|(name, _)| name.clone())
            .collect()
    }

    /// The targets of a service in an environment.
    pub fn targets_of<'a>(
        &'a self,
        service: &'a ServiceName,
        environment: &'a EnvName,
    ) -> impl Iterator<Item = (&'a TargetName, &'a Target)> {
        self.targets
            .iter()
            .filter(move |(_, t)| t.service == *service && t.environment == *environment)
    }

    /// The first approval rule that fits.
    pub fn approval_rule(
        &self,
        environment: &EnvName,
        kind: Kind,
        tier: u8,
        level: RiskLevel,
    ) -> Option<&ApprovalRule> {
        let fits = |rule: &&ApprovalRule| rule.fits(environment, kind, tier, level);
        self.approvals.iter().find(fits)
    }

    /// The services that need one of these, directly or through others, each once.
    pub fn dependents(&self, services: &BTreeSet<ServiceName>) -> BTreeSet<ServiceName> {
        let mut reached = services.clone();
        loop {
            let next: Vec<ServiceName> = self
                .services
                .iter()
                .filter(|(name, service)| {
                    !reached.contains(*name) && !service.depends_on.is_disjoint(&reached)
                })
                .map(|(name, _)| name.clone())
                .collect();
            if next.is_empty() {
                break;
            }
            reached.extend(next);
        }
        reached.difference(services).cloned().collect()
    }
}

impl ApprovalRule {
    /// Whether it fits everything that another rule fits.
    pub fn covers(&self, other: &ApprovalRule) -> bool {
        fn wider<T: Ord>(one: &BTreeSet<T>, other: &BTreeSet<T>) -> bool {
            one.is_empty() || (!other.is_empty() && other.is_subset(one))
        }
        wider(&self.environments, &other.environments)
            && wider(&self.kinds, &other.kinds)
            && wider(&self.tiers, &other.tiers)
            && wider(&self.levels, &other.levels)
    }

    /// Whether it is about such a release.
    pub fn fits(&self, environment: &EnvName, kind: Kind, tier: u8, level: RiskLevel) -> bool {
        (self.environments.is_empty() || self.environments.contains(environment))
            && (self.kinds.is_empty() || self.kinds.contains(&kind))
            && (self.tiers.is_empty() || self.tiers.contains(&tier))
            && (self.levels.is_empty() || self.levels.contains(&level))
    }
}
