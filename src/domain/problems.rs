//! What is wrong with a plan, each mistake at its place.

mod doubts;
mod needs;

pub use doubts::{doubts, length};

use std::collections::{BTreeMap, BTreeSet};

use super::charter::Charter;
use super::compile::{metrics, provable, span_of, targets};
use super::ids::{MetricName, Span, TargetName};
use super::plan::{AtDeadline, HoldPlan, Plan, ServiceChange};
use super::words::nearest;

/// Something wrong with a plan, at a place in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// `batches[2].exposure`.
    pub path: String,
    /// Stable, kebab-case.
    pub code: &'static str,
    /// What is wrong, in a sentence.
    pub headline: String,
    /// What to do, in a sentence.
    pub next_step: String,
}

/// Everything that is wrong with a plan, in the order of the file; empty when it can be submitted.
pub fn problems(plan: &Plan, charter: &Charter) -> Vec<Problem> {
    let mut found = Checker {
        plan,
        charter,
        problems: Vec::new(),
    };
    found.head();
    found.services();
    found.needs();
    found.window();
    found.batches();
    found.triggers();
    found.problems.extend(super::emergency::problems(plan));
    found.problems
}

struct Checker<'a> {
    plan: &'a Plan,
    charter: &'a Charter,
    problems: Vec<Problem>,
}

impl Checker<'_> {
    fn add(
        &mut self,
        path: impl Into<String>,
        code: &'static str,
        headline: impl Into<String>,
        next_step: impl Into<String>,
    ) {
        self.problems.push(Problem {
            path: path.into(),
            code,
            headline: headline.into(),
            next_step: next_step.into(),
        });
    }

    fn unknown<'b>(
        &mut self,
        path: String,
        what: &str,
        word: &str,
        known: impl Iterator<Item = &'b str> + Clone,
    ) {
        let next = match nearest(word, known.clone()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known: {}", known.collect::<Vec<_>>().join(", ")),
        };
        self.add(
            path,
            "unknown-name",
            format!("there is no {what} `{word}` in this room"),
            next,
        );
    }

    fn head(&mut self) {
        let plan = self.plan;
        if plan.title.trim().is_empty() {
            self.add(
                "title",
                "empty-title",
                "the title is empty",
                "say in one line what changes",
            );
        }
        if let Some(name) = &plan.name {
            let fits = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
            if name.is_empty()
                || !name.chars().all(fits)
                || name.parse::<super::ids::ReleaseId>().is_ok()
            {
                self.add(
                    "name",
                    "bad-name",
                    format!("`{name}` cannot be a release's name"),
                    "use letters, digits, `.`, `-` and `_`, and nothing like R-7",
                );
            }
        }
        if !self.charter.environments.contains_key(&plan.environment) {
            let known = self.charter.environments.keys().map(|e| e.as_str());
            self.unknown(
                "environment".into(),
                "environment",
                plan.environment.as_str(),
                known,
            );
        }
        for (group, count) in &plan.approval {
            let path = format!("approval.{group}");
            if !self.charter.groups.contains_key(group) {
                let known = self.charter.groups.keys().map(|g| g.as_str());
                self.unknown(path, "group", group.as_str(), known);
            } else if *count == 0 {
                self.add(
                    path,
                    "no-votes",
                    format!("0 votes of {group} are no approval"),
                    "leave the line out, or ask for at least 1",
                );
            }
        }
    }

    fn services(&mut self) {
        if self.plan.services.is_empty() {
            self.add(
                "services",
                "no-services",
                "the plan changes no service",
                "name at least one service with version and digest",
            );
        }
        let mut seen = BTreeSet::new();
        for (n, change) in self.plan.services.iter().enumerate() {
            let name = change.service.as_str();
            if !seen.insert(name) {
                self.add(
                    format!("services[{n}].service"),
                    "duplicate-name",
                    format!("the service `{name}` stands twice in this plan"),
                    "keep one of the two",
                );
            }
            if !self.charter.services.contains_key(&change.service) {
                let known = self.charter.services.keys().map(|s| s.as_str());
                self.unknown(format!("services[{n}].service"), "service", name, known);
            } else if self
                .charter
                .environments
                .contains_key(&self.plan.environment)
                && self
                    .charter
                    .targets_of(&change.service, &self.plan.environment)
                    .next()
                    .is_none()
            {
                self.add(
                    format!("services[{n}].service"),
                    "no-target",
                    format!("`{name}` runs nowhere in {}", self.plan.environment),
                    "add a target for it to room.toml, or name another environment",
                );
            }
            let hex = change.digest.strip_prefix("sha256:").unwrap_or("");
            if hex.len() != 64 || !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
                self.add(
                    format!("services[{n}].digest"),
                    "bad-digest",
                    format!("`{}` is no digest", change.digest),
                    "write sha256: and 64 hexadecimal digits",
                );
            }
            if change.version.trim().is_empty() {
                self.add(
                    format!("services[{n}].version"),
                    "empty-version",
                    "the version is empty",
                    "name the version",
                );
            }
        }
    }

    fn window(&mut self) {
        let Some(window) = &self.plan.window else {
            return;
        };
        if let Some(zone) = &window.zone
            && zone.parse::<chrono_tz::Tz>().is_err()
        {
            let known = chrono_tz::TZ_VARIANTS.iter().map(|z| z.name());
            let next = match nearest(zone, known) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "use an IANA name such as Europe/Berlin".to_owned(),
            };
            self.add(
                "window.zone",
                "unknown-zone",
                format!("there is no time zone `{zone}`"),
                next,
            );
            return;
        }
        let (opens, closes) = span_of(window, self.plan, self.charter);
        if closes <= opens {
            self.add(
                "window.closes",
                "window-never-opens",
                "the window closes before it opens",
                "let `closes` lie after `opens`",
            );
        }
    }

    fn batches(&mut self) {
        if self.plan.batches.is_empty() {
            self.add(
                "batches",
                "no-batches",
                "the plan has no batches",
                "add at least one batch, such as `- exposure: full`",
            );
            return;
        }
        let mut names = BTreeMap::new();
        let mut reached: BTreeMap<&TargetName, u8> = BTreeMap::new();
        for (n, batch) in self.plan.batches.iter().enumerate() {
            if let Some(name) = &batch.name
                && let Some(first) = names.insert(name.clone(), n)
            {
                self.add(
                    format!("batches[{n}].name"),
                    "duplicate-name",
                    format!(
                        "batches {} and {} are both called `{name}`",
                        first + 1,
                        n + 1
                    ),
                    "give each batch its own name",
                );
            }
            for (t, name) in batch.targets.iter().enumerate() {
                self.target(format!("batches[{n}].targets[{t}]"), name);
            }
            for name in targets(self.plan, self.charter, &batch.targets) {
                let percent = batch.exposure.percent();
                let before = reached.insert(name, percent).unwrap_or(0);
                if percent <= before {
                    self.add(
                        format!("batches[{n}].exposure"),
                        "exposure-does-not-rise",
                        format!("{name} already has {before} % here, and {percent} % is not more"),
                        "let the exposure of a target rise from batch to batch",
                    );
                }
            }
            for (side, holds) in [("before", &batch.before), ("after", &batch.after)] {
                for (h, hold) in holds.iter().enumerate() {
                    self.hold(&format!("batches[{n}].{side}[{h}]"), hold);
                }
            }
        }
        let last = self.plan.batches.len() - 1;
        for name in targets(self.plan, self.charter, &[]) {
            if reached.get(name).copied().unwrap_or(0) < 100 {
                self.add(
                    format!("batches[{last}].exposure"),
                    "never-full",
                    format!("{name} never gets the new version everywhere"),
                    "let the last batch that moves it have `exposure: full`",
                );
            }
        }
    }

    fn target(&mut self, path: String, name: &TargetName) {
        let Some(target) = self.charter.targets.get(name) else {
            let known = self.charter.targets.keys().map(|t| t.as_str());
            self.unknown(path, "target", name.as_str(), known);
            return;
        };
        if target.environment != self.plan.environment {
            self.add(
                path,
                "wrong-environment",
                format!(
                    "{name} belongs to {}, the plan to {}",
                    target.environment, self.plan.environment
                ),
                "name targets of one environment",
            );
        } else if !self
            .plan
            .services
            .iter()
            .any(|s| s.service == target.service)
        {
            self.add(
                path,
                "wrong-service",
                format!(
                    "{name} runs {}, which this plan does not change",
                    target.service
                ),
                "add the service to the plan, or leave the target out",
            );
        }
    }

    fn hold(&mut self, path: &str, hold: &HoldPlan) {
        let kinds = [
            hold.bake.is_some(),
            hold.health.is_some(),
            hold.analysis.is_some(),
            hold.manual.is_some(),
        ];
        if kinds.iter().filter(|k| **k).count() != 1 {
            self.add(
                path,
                "one-kind-per-hold",
                "a hold has exactly one kind",
                "write one of bake, health, analysis, manual; several holds are several list items",
            );
            return;
        }
        if hold.at_deadline == Some(AtDeadline::Expire) {
            self.add(
                format!("{path}.at_deadline"),
                "cannot-expire",
                "a release that has begun cannot expire",
                "write hold-on or roll-back",
            );
        }
        if let Some(analysis) = &hold.analysis {
            self.counts(&format!("{path}.analysis.passes"), analysis.passes);
            for (m, metric) in analysis.metrics.iter().enumerate() {
                self.metric(format!("{path}.analysis.metrics[{m}]"), metric);
                self.provable(format!("{path}.analysis.metrics[{m}]"), metric);
            }
            if analysis.metrics.is_empty() && provable(self.plan, self.charter).next().is_none() {
                self.add(
                    path,
                    "no-metrics",
                    "the services of this plan have no metrics that could be proven good enough",
                    "add metrics to catalog.toml, or leave the analysis out",
                );
            }
        }
        if let Some(health) = &hold.health {
            self.counts(&format!("{path}.health.passes"), health.passes);
            if health.http.is_empty() && health.command.is_empty() {
                self.add(
                    format!("{path}.health"),
                    "no-checks",
                    "a health hold without a check proves nothing",
                    "add `http` or `command` checks",
                );
            }
            if health.every == Span(0) {
                self.add(
                    format!("{path}.health.every"),
                    "no-pause",
                    "0s between two rounds never ends",
                    "leave some time, such as 5s",
                );
            }
            for (c, check) in health.command.iter().enumerate() {
                if check.argv.first().is_none_or(|program| program.is_empty()) {
                    self.add(
                        format!("{path}.health.command[{c}].argv"),
                        "empty-command",
                        "the command is empty",
                        "name a program and its arguments",
                    );
                }
            }
        }
    }

    fn counts(&mut self, path: &str, passes: u32) {
        if passes == 0 {
            self.add(
                path,
                "no-passes",
                "0 passes prove nothing",
                "ask for at least 1",
            );
        }
    }

    fn metric(&mut self, path: String, name: &MetricName) {
        let known: Vec<&MetricName> = metrics(self.plan, self.charter).collect();
        if !known.contains(&name) {
            self.unknown(
                path,
                "metric",
                name.as_str(),
                known.iter().map(|m| m.as_str()),
            );
        }
    }

    /// A metric that no verdict can ever clear a hold for.
    fn provable(&mut self, path: String, name: &MetricName) {
        let of = |service: &ServiceChange| self.charter.services.get(&service.service);
        let services = self.plan.services.iter().filter_map(of);
        let mut all = services
            .filter_map(|s| Some((s, s.metrics.get(name)?)))
            .peekable();
        let everywhere = self.charter.judging.shadow;
        let known = all.peek().is_some();
        if known && all.all(|(service, metric)| everywhere || service.in_shadow(metric)) {
            self.add(
                path,
                "metric-in-shadow",
                format!("`{name}` is in shadow: it clears no hold"),
                "take it out of the analysis, or out of the shadow in catalog.toml or policy.toml",
            );
        }
    }

    fn triggers(&mut self) {
        for (n, trigger) in self.plan.triggers.iter().enumerate() {
            let path = format!("triggers[{n}]");
            if trigger.metric.is_some() == trigger.instances_down.is_some() {
                self.add(
                    path.clone(),
                    "one-condition-per-trigger",
                    "a trigger watches exactly one thing",
                    "write either metric or instances_down",
                );
            }
            self.counts(&format!("{path}.looks"), trigger.looks);
            if let Some(metric) = &trigger.metric {
                self.metric(format!("{path}.metric"), metric);
            }
        }
    }
}
