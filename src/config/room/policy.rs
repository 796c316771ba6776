//! `policy.toml`: who must approve what.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::holds::{LimitEntry, PromotionEntry, ReadinessEntry};
use super::{Checker, segment};
use crate::domain::approval::Exclusion;
use crate::domain::charter::{ApprovalRule, Charter, Environment};
use crate::domain::plan::Kind;
use crate::domain::{EnvName, GroupName, Span};

/// How long an approval stays open where nothing is said: a week.
const EXPIRES: Span = Span::mins(7 * 24 * 60);

/// The groups that approve releases to production where `policy.toml` has no rules at all.
const SHIPPED: &[&str] = &["security", "operations"];

/// The file as written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PolicyFile {
    approval: Option<Vec<RuleEntry>>,
    /// The checklist.
    pub readiness: Vec<ReadinessEntry>,
    /// How many releases may move at once.
    pub limits: Vec<LimitEntry>,
    /// Where artifacts must have succeeded first.
    pub promotion: Vec<PromotionEntry>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleEntry {
    #[serde(default)]
    environments: Vec<EnvName>,
    #[serde(default)]
    production: bool,
    #[serde(default)]
    kinds: Vec<Kind>,
    needs: BTreeMap<GroupName, u32>,
    #[serde(default = "yes")]
    distinct_people: bool,
    #[serde(default)]
    excludes: Vec<Exclusion>,
    vote_lasts: Option<Span>,
    #[serde(default)]
    window_binds: bool,
    #[serde(default = "week")]
    expires: Span,
}

fn yes() -> bool {
    true
}

fn week() -> Span {
    EXPIRES
}

impl PolicyFile {
    /// The rules in order. Without any, releases to production need a vote of security and one of
    /// operations, by two people.
    pub fn rules<'g>(
        &self,
        check: &mut Checker<'_>,
        environments: &BTreeMap<EnvName, Environment>,
        groups: impl Iterator<Item = &'g GroupName> + Clone,
    ) -> Vec<ApprovalRule> {
        let production: BTreeSet<EnvName> = environments
            .iter()
            .filter(|(_, environment)| environment.production)
            .map(|(name, _)| name.clone())
            .collect();
        let Some(written) = &self.approval else {
            return shipped(check, production, groups);
        };
        let mut rules = Vec::new();
        for (n, entry) in written.iter().enumerate() {
            let at = |key: String| format!("approval[{n}].{key}");
            for (e, name) in entry.environments.iter().enumerate() {
                if !environments.contains_key(name) {
                    check.unknown(
                        &at(format!("environments[{e}]")),
                        "environment",
                        name.as_str(),
                        environments.keys().map(EnvName::as_str),
                        "add it to catalog.toml, or write another",
                    );
                }
            }
            for (group, count) in &entry.needs {
                if !groups.clone().any(|known| known == group) {
                    check.unknown(
                        &at(format!("needs.{}", segment(group.as_str()))),
                        "group",
                        group.as_str(),
                        groups.clone().map(GroupName::as_str),
                        &format!("add `[group.{group}]` to people.toml, or write another"),
                    );
                } else if *count == 0 {
                    check.add(
                        &at(format!("needs.{}", segment(group.as_str()))),
                        "no-votes",
                        format!("0 votes of {group} are no approval"),
                        "leave the group out, or ask for at least 1",
                    );
                }
            }
            for (key, span) in [
                ("expires", Some(entry.expires)),
                ("vote_lasts", entry.vote_lasts),
            ] {
                if span == Some(Span(0)) {
                    check.add(
                        &at(key.to_owned()),
                        "expires-at-once",
                        "the question would be over before anybody has read it".to_owned(),
                        "give people time, such as 7d",
                    );
                }
            }
            if entry.production && production.is_empty() && entry.environments.is_empty() {
                // an empty set of environments stands for all of them, which is not what was meant
                continue;
            }
            rules.push(entry.rule(&production));
        }
        rules
    }
}

impl RuleEntry {
    fn rule(&self, production: &BTreeSet<EnvName>) -> ApprovalRule {
        let mut environments: BTreeSet<EnvName> = self.environments.iter().cloned().collect();
        if self.production {
            environments.extend(production.iter().cloned());
        }
        ApprovalRule {
            environments,
            kinds: self.kinds.iter().copied().collect(),
            needs: self.needs.clone(),
            distinct_people: self.distinct_people,
            excludes: self.excludes.iter().copied().collect(),
            vote_lasts: self.vote_lasts,
            window_binds: self.window_binds,
            expires: self.expires,
        }
    }
}

fn shipped<'g>(
    check: &mut Checker<'_>,
    production: BTreeSet<EnvName>,
    groups: impl Iterator<Item = &'g GroupName> + Clone,
) -> Vec<ApprovalRule> {
    if production.is_empty() {
        return Vec::new();
    }
    for wanted in SHIPPED {
        if !groups.clone().any(|known| known.as_str() == *wanted) {
            check.add(
                "",
                "no-such-group",
                format!("without rules, production needs a vote of `{wanted}`, and there is no such group"),
                format!("add `[group.{wanted}]` to people.toml, or write rules of your own"),
            );
        }
    }
    vec![ApprovalRule {
        environments: production,
        kinds: BTreeSet::new(),
        needs: SHIPPED
            .iter()
            .map(|name| (GroupName::from(*name), 1))
            .collect(),
        distinct_people: true,
        excludes: BTreeSet::new(),
        vote_lasts: None,
        window_binds: false,
        expires: EXPIRES,
    }]
}

/// What is no mistake and yet worth a look: production without approval, and approvals that nobody
/// can give.
pub fn doubts(check: &mut Checker<'_>, charter: &Charter) {
    for (name, _) in charter.environments.iter().filter(|(_, e)| e.production) {
        let open: Vec<&str> = [Kind::Standard, Kind::Normal, Kind::Emergency]
            .into_iter()
            .filter(|kind| {
                charter
                    .approval_rule(name, *kind)
                    .is_none_or(|rule| rule.needs.is_empty())
            })
            .map(Kind::word)
            .collect();
        if !open.is_empty() {
            check.warn(
                "",
                "no-approval",
                format!(
                    "{} releases to {name}, which is production, need no approval",
                    open.join(", ")
                ),
                "add a rule if that is not what you want",
            );
        }
    }
    let mut short: BTreeMap<&GroupName, u32> = BTreeMap::new();
    for (group, count) in charter.approvals.iter().flat_map(|rule| &rule.needs) {
        let wanted = short.entry(group).or_default();
        *wanted = (*wanted).max(*count);
    }
    for (group, wanted) in short {
        let members = charter
            .people
            .values()
            .filter(|person| person.groups.contains(group))
            .count();
        if members < wanted as usize {
            check.warn(
                "",
                "too-few-voters",
                format!("{wanted} of `{group}` must vote, and it has {members}"),
                "put people into the group in people.toml",
            );
        }
    }
}
