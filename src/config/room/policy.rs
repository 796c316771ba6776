//! `policy.toml`: who must approve what.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::holds::{LimitEntry, PromotionEntry, ReadinessEntry};
use super::risk::RiskEntry;
use super::{Checker, Doc, Format, segment};
use crate::config::mistakes::{Mistakes, Source};
use crate::domain::approval::Exclusion;
use crate::domain::charter::{ApprovalRule, Charter, Environment, Judging};
use crate::domain::plan::Kind;
use crate::domain::risk::{RiskLevel, RiskPolicy};
use crate::domain::text::printable;
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
    risk: Option<RiskEntry>,
    /// The checklist.
    pub readiness: Vec<ReadinessEntry>,
    /// How many releases may move at once.
    pub limits: Vec<LimitEntry>,
    /// Where artifacts must have succeeded first.
    pub promotion: Vec<PromotionEntry>,
    judge: JudgeEntry,
}

/// How the judge works, as written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct JudgeEntry {
    shadow: Option<bool>,
    warm_up: Option<Span>,
    confirm: Option<u32>,
    missing: Option<u32>,
    peers: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleEntry {
    name: Option<String>,
    #[serde(default)]
    environments: Vec<EnvName>,
    #[serde(default)]
    production: bool,
    #[serde(default)]
    kinds: Vec<Kind>,
    #[serde(default)]
    tiers: Vec<u8>,
    #[serde(default)]
    levels: Vec<RiskLevel>,
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
    /// How risk is reckoned: as shipped, where nothing else is said.
    pub fn risk(&self, check: &mut Checker<'_>) -> RiskPolicy {
        self.risk
            .as_ref()
            .map_or_else(RiskPolicy::default, |entry| entry.policy(check))
    }

    /// How the judge works.
    pub fn judging(&self, check: &mut Checker<'_>) -> Judging {
        let (entry, usual) = (&self.judge, Judging::default());
        for (key, count) in [("confirm", entry.confirm), ("missing", entry.missing)] {
            if count.is_some_and(|n| !(1..=1000).contains(&n)) {
                check.add(
                    &format!("judge.{key}"),
                    "bad-count",
                    "this is a number of looks from 1 to 1000",
                    "leave it out for the usual",
                );
            }
        }
        Judging {
            shadow: entry.shadow.unwrap_or(usual.shadow),
            warm_up: entry.warm_up.unwrap_or(usual.warm_up),
            confirm: entry.confirm.unwrap_or(usual.confirm),
            missing: entry.missing.unwrap_or(usual.missing),
            peers: entry.peers.unwrap_or(usual.peers),
        }
    }

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
        let mut rules: Vec<ApprovalRule> = Vec::new();
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
            let rule_name = entry.rule_name(n);
            if rules.iter().any(|rule| *rule.name == *rule_name) {
                check.twice(&at("name".to_owned()), "rule", &rule_name);
            }
            if entry.production && production.is_empty() && entry.environments.is_empty() {
                // an empty set of environments stands for all of them, which is not what was meant
                continue;
            }
            rules.push(entry.rule(&rule_name, &production));
        }
        rules
    }
}

impl RuleEntry {
    /// Its name, or its place in the file.
    fn rule_name(&self, n: usize) -> String {
        match self.name.as_deref().map(|name| printable(name.trim(), 60)) {
            Some(name) if !name.is_empty() => name,
            _ => format!("approval {}", n + 1),
        }
    }

    fn rule(&self, name: &str, production: &BTreeSet<EnvName>) -> ApprovalRule {
        let mut environments: BTreeSet<EnvName> = self.environments.iter().cloned().collect();
        if self.production {
            environments.extend(production.iter().cloned());
        }
        ApprovalRule {
            name: name.into(),
            environments,
            kinds: self.kinds.iter().copied().collect(),
            tiers: self.tiers.iter().copied().collect(),
            levels: self.levels.iter().copied().collect(),
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
        name: "production, as shipped".into(),
        environments: production,
        needs: SHIPPED
            .iter()
            .map(|name| (GroupName::from(*name), 1))
            .collect(),
        distinct_people: true,
        expires: EXPIRES,
        ..ApprovalRule::default()
    }]
}

/// What is no mistake and yet worth a look: production without approval, and approvals that nobody
/// can give.
pub fn doubts(check: &mut Checker<'_>, charter: &Charter) {
    for (name, _) in charter.environments.iter().filter(|(_, e)| e.production) {
        let open: Vec<&str> = [Kind::Standard, Kind::Normal, Kind::Emergency]
            .into_iter()
            .filter(|kind| unasked(charter, name, *kind))
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
    unreachable(check, charter);
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

/// Whether releases of a kind that are not of low risk may go there without anybody's vote. What
/// policy alone approves at low risk is meant so.
fn unasked(charter: &Charter, environment: &EnvName, kind: Kind) -> bool {
    let tiers: BTreeSet<u8> = charter.services.values().map(|s| s.tier).collect();
    let none = [0].into();
    let tiers = if tiers.is_empty() { &none } else { &tiers };
    let risky = RiskLevel::ALL
        .into_iter()
        .filter(|level| *level > RiskLevel::Low);
    risky
        .flat_map(|level| tiers.iter().map(move |tier| (*tier, level)))
        .any(|(tier, level)| {
            charter
                .approval_rule(environment, kind, tier, level)
                .is_none_or(|rule| rule.needs.is_empty())
        })
}

/// Rules that never count, because an earlier one always fits first.
fn unreachable(check: &mut Checker<'_>, charter: &Charter) {
    for (n, rule) in charter.approvals.iter().enumerate() {
        let earlier = charter.approvals.iter().take(n);
        let wider = earlier.clone().find(|other| other.covers(rule));
        if let Some(other) = wider {
            check.warn(
                &format!("approval[{n}]"),
                "never-counts",
                format!(
                    "rule \"{}\" never counts: rule \"{}\" before it fits all that it is about",
                    rule.name, other.name
                ),
                "put the narrower rule first",
            );
        }
    }
}

/// A policy from its text, in the place of a room's: what a charter would be with its approvals and
/// its risk, which are all that rulings rest on, and what is worth a look.
///
/// # Errors
/// Everything that is wrong with it, each with its place.
pub fn policy_over(
    name: &str,
    text: &str,
    charter: &Charter,
) -> Result<(Charter, Mistakes), Mistakes> {
    let source = Source::new(name, text);
    let wrong = |notices| Mistakes::of(source.clone(), notices);
    let doc = Doc::parse(name, text, Format::Toml).map_err(wrong)?;
    let file: PolicyFile = doc.read().map_err(wrong)?;
    let mut check = Checker::new(&doc);
    let mut other = charter.clone();
    other.approvals = file.rules(&mut check, &charter.environments, charter.groups.keys());
    other.risk = file.risk(&mut check);
    doubts(&mut check, &other);
    let found = Mistakes::of(source.clone(), check.notices).in_order();
    let (doubts, errors) = found.split();
    match errors.notices.is_empty() {
        true => Ok((other, doubts)),
        false => Err(errors),
    }
}
