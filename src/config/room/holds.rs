//! The parts of `policy.toml` about what a release waits for: `[[readiness]]`, `[[limits]]` and
//! `[[promotion]]`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;

use super::Checker;
use crate::domain::charter::{Environment, Service};
use crate::domain::limits::{Limit, Per};
use crate::domain::needs::Promotion;
use crate::domain::plan::Kind;
use crate::domain::readiness::{Accepts, Clearing, FromPlan, Rule};
use crate::domain::text::printable;
use crate::domain::{CheckName, EnvName, GroupName, ServiceName, Span};
use crate::platform::evidence;

/// How long a check's command may run where nothing is said.
const TIMEOUT: Span = Span::mins(5);

/// How long after a failure a check's command is run again where nothing is said.
const EVERY: Span = Span::mins(1);

/// A check as written: exactly one of `from`, `command` and `evidence`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReadinessEntry {
    check: CheckName,
    #[serde(default)]
    environments: Vec<EnvName>,
    #[serde(default)]
    production: bool,
    #[serde(default)]
    kinds: Vec<Kind>,
    from: Option<FromPlan>,
    command: Option<Vec<String>>,
    timeout: Option<Span>,
    every: Option<Span>,
    evidence: Option<Vec<Accepts>>,
    #[serde(default)]
    groups: Vec<GroupName>,
    #[serde(default)]
    not_submitter: bool,
    expires: Option<Span>,
}

/// A limit as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitEntry {
    name: String,
    #[serde(default)]
    environments: Vec<EnvName>,
    #[serde(default)]
    production: bool,
    #[serde(default)]
    teams: Vec<String>,
    #[serde(default)]
    services: Vec<ServiceName>,
    per: Option<Per>,
    at_most: u32,
    #[serde(default)]
    observing: bool,
}

/// A promotion path as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PromotionEntry {
    #[serde(default)]
    environments: Vec<EnvName>,
    #[serde(default)]
    production: bool,
    #[serde(default)]
    kinds: Vec<Kind>,
    after: EnvName,
}

/// What the other files say, against which names are checked.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// The environments of `catalog.toml`.
    pub environments: &'a BTreeMap<EnvName, Environment>,
    /// The services of `catalog.toml`.
    pub services: &'a BTreeMap<ServiceName, Service>,
    /// The room's folder, from which programs are meant.
    pub dir: &'a Path,
    /// The groups of `people.toml`.
    pub groups: &'a BTreeMap<GroupName, crate::domain::charter::Group>,
}

impl Known<'_> {
    /// The environments of an entry; `None` where it can hold nowhere.
    fn scope(
        &self,
        check: &mut Checker<'_>,
        at: &str,
        named: &[EnvName],
        production: bool,
    ) -> Option<BTreeSet<EnvName>> {
        for (n, name) in named.iter().enumerate() {
            self.environment(check, &format!("{at}.environments[{n}]"), name);
        }
        let mut all: BTreeSet<EnvName> = named.iter().cloned().collect();
        if production {
            let of = self.environments.iter().filter(|(_, e)| e.production);
            all.extend(of.map(|(name, _)| name.clone()));
        }
        // an empty set of environments stands for all of them, which is not what was meant
        (!(production && all.is_empty())).then_some(all)
    }

    /// A command whose program is found wherever the engine stands: a path is meant from the room,
    /// a bare name is looked for where programs are.
    fn meant_here(&self, argv: &[String]) -> Vec<Arc<str>> {
        let mut words: Vec<Arc<str>> = argv.iter().map(|word| word.as_str().into()).collect();
        if let Some(program) = words.first_mut().filter(|word| word.contains('/')) {
            *program = self.dir.join(&**program).to_string_lossy().into();
        }
        words
    }

    fn environment(&self, check: &mut Checker<'_>, at: &str, name: &EnvName) {
        if !self.environments.contains_key(name) {
            check.unknown(
                at,
                "environment",
                name.as_str(),
                self.environments.keys().map(EnvName::as_str),
                "add it to catalog.toml, or write another",
            );
        }
    }
}

/// The checks, in the order of the file.
pub fn readiness(
    check: &mut Checker<'_>,
    entries: &[ReadinessEntry],
    known: Known<'_>,
) -> Vec<Rule> {
    let mut rules = Vec::new();
    for (n, entry) in entries.iter().enumerate() {
        let at = format!("readiness[{n}]");
        check.plain_name(&format!("{at}.check"), "check", entry.check.as_str());
        let scope = known.scope(check, &at, &entry.environments, entry.production);
        entry.spans(check, &at);
        let clearing = entry.clearing(check, &at, known);
        if let (Some(environments), Some(clearing)) = (scope, clearing) {
            rules.push(Rule {
                check: entry.check.clone(),
                environments,
                kinds: entry.kinds.iter().copied().collect(),
                clearing,
                expires: entry.expires,
            });
        }
    }
    rules
}

impl ReadinessEntry {
    fn clearing(&self, check: &mut Checker<'_>, at: &str, known: Known<'_>) -> Option<Clearing> {
        self.strays(check, at);
        match (&self.from, &self.command, &self.evidence) {
            (Some(from), None, None) => Some(Clearing::Plan(*from)),
            (None, Some(argv), None) => {
                check.argv(&format!("{at}.command"), argv);
                for (n, what) in evidence::problems(argv) {
                    check.add(
                        &format!("{at}.command[{n}]"),
                        "unknown-placeholder",
                        printable(&what, 300),
                        "write one of these, or leave the braces out",
                    );
                }
                Some(Clearing::Command {
                    argv: known.meant_here(argv),
                    timeout: self.timeout.unwrap_or(TIMEOUT),
                    every: self.every.unwrap_or(EVERY),
                })
            }
            (None, None, Some(accepts)) => {
                if accepts.is_empty() {
                    check.add(
                        &format!("{at}.evidence"),
                        "no-evidence",
                        "nothing could ever clear this check",
                        "name some of file, url, digest, statement",
                    );
                }
                self.groups_of(check, at, known);
                Some(Clearing::Evidence {
                    accepts: accepts.iter().copied().collect(),
                    groups: self.groups.iter().cloned().collect(),
                    not_submitter: self.not_submitter,
                })
            }
            _ => {
                check.add(
                    &format!("{at}.check"),
                    "one-way-per-check",
                    format!("`{}` has to be cleared in exactly one way", self.check),
                    "write one of from, command, evidence",
                );
                None
            }
        }
    }

    fn groups_of(&self, check: &mut Checker<'_>, at: &str, known: Known<'_>) {
        for (g, group) in self.groups.iter().enumerate() {
            if !known.groups.contains_key(group) {
                check.unknown(
                    &format!("{at}.groups[{g}]"),
                    "group",
                    group.as_str(),
                    known.groups.keys().map(GroupName::as_str),
                    &format!("add `[group.{group}]` to people.toml, or write another"),
                );
            }
        }
    }

    /// Keys that say nothing in the way the check is cleared: whoever wrote them meant something.
    fn strays(&self, check: &mut Checker<'_>, at: &str) {
        let written = [
            (
                "timeout",
                self.timeout.is_some(),
                self.command.is_some(),
                "command",
            ),
            (
                "every",
                self.every.is_some(),
                self.command.is_some(),
                "command",
            ),
            (
                "groups",
                !self.groups.is_empty(),
                self.evidence.is_some(),
                "evidence",
            ),
            (
                "not_submitter",
                self.not_submitter,
                self.evidence.is_some(),
                "evidence",
            ),
            (
                "expires",
                self.expires.is_some(),
                self.from.is_none(),
                "command or evidence",
            ),
        ];
        for (key, there, fits, with) in written {
            if there && !fits {
                check.add(
                    &format!("{at}.{key}"),
                    "says-nothing",
                    format!("`{key}` says nothing here"),
                    format!("leave it out; it belongs to {with}"),
                );
            }
        }
    }

    fn spans(&self, check: &mut Checker<'_>, at: &str) {
        let spans = [
            (
                "timeout",
                self.timeout,
                "leave the command some time, such as 5m",
            ),
            (
                "every",
                self.every,
                "leave some time between two runs, such as 1m",
            ),
            (
                "expires",
                self.expires,
                "let evidence count for a while, such as 24h",
            ),
        ];
        for (key, span, next) in spans {
            if span == Some(Span(0)) {
                check.add(&format!("{at}.{key}"), "no-time", "0 is no time", next);
            }
        }
    }
}

/// The limits, in the order of the file.
pub fn limits(check: &mut Checker<'_>, entries: &[LimitEntry], known: Known<'_>) -> Vec<Limit> {
    let mut limits: Vec<Limit> = Vec::new();
    for (n, entry) in entries.iter().enumerate() {
        let at = format!("limits[{n}]");
        check.plain_name(&format!("{at}.name"), "limit", &entry.name);
        if limits.iter().any(|limit| *limit.name == *entry.name) {
            check.twice(&format!("{at}.name"), "limit", &entry.name);
        }
        if entry.at_most == 0 {
            check.add(
                &format!("{at}.at_most"),
                "nothing-could-move",
                "with at most 0 nothing could ever move",
                "write at least 1; a freeze in the calendar stops everything",
            );
        }
        let teams: BTreeSet<&str> = known.services.values().map(|s| &*s.owner).collect();
        for (t, team) in entry.teams.iter().enumerate() {
            if !teams.contains(team.as_str()) {
                check.unknown(
                    &format!("{at}.teams[{t}]"),
                    "team",
                    team,
                    teams.iter().copied(),
                    "teams are the owners of services in catalog.toml",
                );
            }
        }
        for (s, service) in entry.services.iter().enumerate() {
            if !known.services.contains_key(service) {
                check.unknown(
                    &format!("{at}.services[{s}]"),
                    "service",
                    service.as_str(),
                    known.services.keys().map(ServiceName::as_str),
                    "add it to catalog.toml, or write another",
                );
            }
        }
        let scope = known.scope(check, &at, &entry.environments, entry.production);
        let Some(environments) = scope else { continue };
        limits.push(Limit {
            name: printable(&entry.name, 60).into(),
            environments,
            teams: entry
                .teams
                .iter()
                .map(|t| printable(t, 80).into())
                .collect(),
            services: entry.services.iter().cloned().collect(),
            per: entry.per,
            at_most: entry.at_most,
            observing: entry.observing,
        });
    }
    limits
}

/// The promotion paths, in the order of the file.
pub fn promotions(
    check: &mut Checker<'_>,
    entries: &[PromotionEntry],
    known: Known<'_>,
) -> Vec<Promotion> {
    let mut paths: Vec<Promotion> = Vec::new();
    for (n, entry) in entries.iter().enumerate() {
        let at = format!("promotion[{n}]");
        known.environment(check, &format!("{at}.after"), &entry.after);
        let scope = known.scope(check, &at, &entry.environments, entry.production);
        let Some(environments) = scope else { continue };
        if entry.environments.contains(&entry.after) {
            check.add(
                &format!("{at}.after"),
                "after-itself",
                format!(
                    "nothing could reach {} if it had to be there before",
                    entry.after
                ),
                "name the environment that comes before",
            );
        }
        paths.push(Promotion {
            environments,
            kinds: entry.kinds.iter().copied().collect(),
            after: entry.after.clone(),
        });
    }
    circle_of_paths(check, &paths);
    paths
}

/// Environments that could be reached only one after the other, in a circle.
fn circle_of_paths(check: &mut Checker<'_>, paths: &[Promotion]) {
    for (n, path) in paths.iter().enumerate() {
        let back = paths[..n].iter().find(|other| {
            other.environments.contains(&path.after) && path.environments.contains(&other.after)
        });
        if let Some(other) = back {
            check.add(
                &format!("promotion[{n}].after"),
                "circle-of-environments",
                format!(
                    "{0} comes after {1} here, and {1} after {0} above",
                    other.after, path.after
                ),
                "keep one of the two",
            );
        }
    }
}
