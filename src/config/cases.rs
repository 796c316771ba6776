//! Dated cases on which a policy is tried: a file of `[[case]]`, each a plan or the facts of one,
//! a moment, and what is expected.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;

use super::located::{Doc, Format, segment};
use super::mistakes::{Mistakes, Source, short};
use super::plan::PlanFile;
use crate::domain::calendar::{Answer, Book, Evaluator, Subject};
use crate::domain::charter::Charter;
use crate::domain::plan::{Kind, LocalTime, Plan};
use crate::domain::risk::{RiskLevel, SchemaChange};
use crate::domain::ruling::Ruling;
use crate::domain::text::printable;
use crate::domain::words::nearest;
use crate::domain::{EnvName, GroupName, Notice, ServiceName, Span, Timestamp, canonical};
use crate::policy::cases::{Expected, Failure, judge};
use crate::policy::facts::{Change, Facts, History};
use crate::policy::ruling::rule;

/// A file of cases that can be tried.
#[derive(Debug)]
pub struct CaseFile {
    /// The cases in the order of the file.
    pub cases: Vec<Case>,
    source: Source,
    doc: Doc,
}

/// A case.
#[derive(Debug)]
pub struct Case {
    /// What it is called.
    pub name: String,
    /// The moment it is about.
    pub at: Timestamp,
    facts: Facts,
    /// What the room's calendar says at that moment, where nobody is exempt.
    calendar: Answer,
    plan: Arc<str>,
    expected: Expected,
    place: usize,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    case: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    at: LocalTime,
    plan: Option<PathBuf>,
    environment: Option<EnvName>,
    kind: Option<Kind>,
    services: Option<Vec<ServiceName>>,
    schema_change: Option<SchemaChange>,
    lines_changed: Option<u32>,
    deletes: Option<Vec<Arc<str>>>,
    rollback_tested: Option<bool>,
    approval: Option<BTreeMap<GroupName, u32>>,
    history: Option<HistoryEntry>,
    freeze_in: Option<Span>,
    expect: ExpectEntry,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct HistoryEntry {
    of: u32,
    rolled_back: u32,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectEntry {
    rule: Option<String>,
    groups: Option<BTreeMap<GroupName, u32>>,
    level: Option<RiskLevel>,
    score: Option<u32>,
    by_policy: Option<bool>,
    allowed: Option<bool>,
}

impl CaseFile {
    /// Reads a file of cases; plans that it names lie beside it.
    ///
    /// # Errors
    /// Everything that is wrong with it and with the plans, each with its place.
    pub fn read(path: &Path, charter: &Charter) -> Result<CaseFile, Mistakes> {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| {
            Mistakes::one(
                Notice::error("cannot-read", format!("the cases cannot be read: {error}"))
                    .next("name a file of [[case]] in TOML")
                    .at(name.clone()),
            )
        })?;
        let source = Source::new(&name, &text);
        let wrong = |notices| Mistakes::of(source.clone(), notices);
        let doc = Doc::parse(&name, &text, Format::Toml).map_err(wrong)?;
        let file: File = doc.read().map_err(wrong)?;
        let mut reader = Reader {
            doc: &doc,
            charter,
            beside: path.parent().unwrap_or(Path::new("")),
            found: Mistakes {
                sources: vec![source.clone()],
                notices: Vec::new(),
            },
        };
        if file.case.is_empty() {
            reader.add("", "no-cases", "no case stands here", "write [[case]]");
        }
        let cases = file.case.iter().enumerate();
        let cases = cases
            .filter_map(|(n, entry)| reader.case(n, entry))
            .collect();
        let found = reader.found;
        if !found.notices.is_empty() {
            return Err(found.in_order());
        }
        Ok(CaseFile { cases, source, doc })
    }

    /// What came out otherwise, each at the expectation in the file.
    pub fn located(&self, case: &Case, ruling: &Ruling, failures: &[Failure]) -> Mistakes {
        let risk = || {
            let factors = ruling.risk.counting();
            let words = factors.map(|f| format!("{} {}: {}", f.points, f.name.word(), f.words));
            words.collect::<Vec<_>>().join("; ")
        };
        let notices = failures.iter().map(|failure| {
            let path = format!("case[{}].expect.{}", case.place, failure.key);
            let headline = format!("{}: {}", case.name, failure.words);
            let notice = self.doc.notice(&path, "case-failed", &headline);
            let mut notice = short(notice).next("change the policy, or what is expected of it");
            notice.detail = match failure.key {
                "level" | "score" => risk(),
                "allowed" => String::new(),
                _ => {
                    let reasons: Vec<&str> = ruling.reasons.iter().map(|r| &**r).collect();
                    reasons.join("; ")
                }
            };
            notice
        });
        Mistakes::of(self.source.clone(), notices.collect())
    }
}

impl Case {
    /// What policy says of it, and what of that is not as expected.
    pub fn run(&self, charter: &Charter) -> (Ruling, Vec<Failure>) {
        let policy = canonical::digest(charter).into();
        let ruling = rule(charter, &self.facts, self.plan.clone(), policy);
        let failures = judge(&ruling, &self.calendar, &self.expected);
        (ruling, failures)
    }
}

struct Reader<'a> {
    doc: &'a Doc,
    charter: &'a Charter,
    beside: &'a Path,
    found: Mistakes,
}

impl Reader<'_> {
    fn add(&mut self, path: &str, code: &str, headline: &str, next: &str) {
        let notice = self.doc.notice(path, code, headline);
        self.found.notices.push(short(notice).next(next));
    }

    fn known<'w>(
        &mut self,
        path: &str,
        what: &str,
        word: &str,
        known: impl Iterator<Item = &'w str> + Clone,
    ) {
        if known.clone().any(|name| name == word) {
            return;
        }
        let next = match nearest(word, known.clone()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known: {}", known.collect::<Vec<_>>().join(", ")),
        };
        let headline = format!("there is no {what} `{}` in this room", printable(word, 60));
        self.add(path, "unknown-name", &headline, &next);
    }

    fn case(&mut self, n: usize, entry: &Entry) -> Option<Case> {
        let before = self.found.notices.len();
        let at = |key: &str| format!("case[{n}].{key}");
        let plan = match &entry.plan {
            Some(path) => Some(self.plan(&at("plan"), path)?),
            None => None,
        };
        let change = self.change(n, entry, plan.as_ref());
        self.expected(n, &entry.expect);
        let change = change?;
        if let Some(history) = &entry.history
            && (history.of == 0 || history.rolled_back > history.of)
        {
            self.add(
                &at("history"),
                "bad-history",
                "this is no record of releases",
                "write how many there were and how many of them were rolled back",
            );
        }
        if self.found.notices.len() > before {
            return None;
        }
        let zone = self.charter.environments.get(&change.environment)?;
        let zone = zone.zone.parse().unwrap_or(chrono_tz::UTC);
        let moment = entry.at.in_zone(zone, false);
        let mut facts = Facts::new(&change, self.charter, moment);
        let book = Book::default();
        let own = entry.environment.is_none() && entry.services.is_none() && entry.kind.is_none();
        let subject = match plan.as_ref().filter(|_| own) {
            Some(plan) => Subject::plan(plan, self.charter),
            None => {
                let services = change.services.iter();
                Subject::services(&change.environment, change.kind, services, self.charter)
            }
        };
        let rules = Evaluator::new(&self.charter.calendar, &book, subject, moment);
        let calendar = rules.answer(moment);
        let freeze = rules.next_freeze(facts.moves_at);
        let freeze = freeze.map(|begins| begins.since(facts.moves_at));
        facts.freeze_in = entry.freeze_in.or(freeze);
        facts.history = entry.history.as_ref().map(|history| History {
            service: None,
            of: history.of,
            rolled_back: history.rolled_back,
        });
        Some(Case {
            name: printable(&entry.name, 80),
            at: moment,
            plan: plan.map_or_else(|| Arc::from(""), |plan| canonical::digest(&plan).into()),
            facts,
            calendar,
            expected: Expected {
                rule: entry.expect.rule.clone(),
                groups: entry.expect.groups.clone(),
                level: entry.expect.level,
                score: entry.expect.score,
                by_policy: entry.expect.by_policy,
                allowed: entry.expect.allowed,
            },
            place: n,
        })
    }

    /// The plan that a case names.
    fn plan(&mut self, path: &str, file: &Path) -> Option<Plan> {
        let full = self.beside.join(file);
        let shown = full.display().to_string();
        let bytes = match std::fs::read(&full) {
            Ok(bytes) => bytes,
            Err(error) => {
                let headline = format!("the plan {shown} cannot be read: {error}");
                self.add(
                    path,
                    "cannot-read",
                    &headline,
                    "name a file beside this one",
                );
                return None;
            }
        };
        let read = PlanFile::read(&shown, &bytes).and_then(|file| {
            file.check(self.charter)?;
            Ok(file.plan)
        });
        read.map_err(|mistakes| self.found.add(mistakes)).ok()
    }

    /// What a case says over its plan, if it names one.
    fn change(&mut self, n: usize, entry: &Entry, plan: Option<&Plan>) -> Option<Change> {
        let at = |key: &str| format!("case[{n}].{key}");
        let of_plan = plan.map(|plan| Change::of(plan, self.charter));
        let charter = self.charter;
        if let Some(environment) = &entry.environment {
            let known = charter.environments.keys().map(EnvName::as_str);
            self.known(
                &at("environment"),
                "environment",
                environment.as_str(),
                known,
            );
        }
        for (s, service) in entry.services.iter().flatten().enumerate() {
            let known = charter.services.keys().map(ServiceName::as_str);
            let path = at(&format!("services[{s}]"));
            self.known(&path, "service", service.as_str(), known);
        }
        for group in entry.approval.iter().flat_map(BTreeMap::keys) {
            let known = charter.groups.keys().map(GroupName::as_str);
            let path = at(&format!("approval.{}", segment(group.as_str())));
            self.known(&path, "group", group.as_str(), known);
        }
        let services = entry.services.as_ref();
        let services: Option<BTreeSet<ServiceName>> = services.map(|s| s.iter().cloned().collect());
        let services = services.or_else(|| of_plan.as_ref().map(|c| c.services.clone()));
        let environment = entry.environment.clone();
        let environment = environment.or_else(|| of_plan.as_ref().map(|c| c.environment.clone()));
        let (Some(services), Some(environment)) = (services, environment) else {
            self.add(
                &format!("case[{n}]"),
                "no-facts",
                "this case says neither which plan nor which services go where",
                "write `plan`, or `environment` and `services`",
            );
            return None;
        };
        let base = of_plan.as_ref();
        Some(Change {
            kind: entry.kind.or(base.map(|c| c.kind)).unwrap_or_default(),
            schema_change: entry
                .schema_change
                .or(base.map(|c| c.schema_change))
                .unwrap_or_default(),
            lines_changed: entry.lines_changed.or(base.and_then(|c| c.lines_changed)),
            deletes: entry
                .deletes
                .clone()
                .or(base.map(|c| c.deletes.clone()))
                .unwrap_or_default(),
            rollback_tested: entry
                .rollback_tested
                .unwrap_or(base.is_some_and(|c| c.rollback_tested)),
            asks: entry
                .approval
                .clone()
                .or(base.map(|c| c.asks.clone()))
                .unwrap_or_default(),
            opens: base.and_then(|c| c.opens),
            services,
            environment,
        })
    }

    fn expected(&mut self, n: usize, expect: &ExpectEntry) {
        let at = |key: &str| format!("case[{n}].expect{key}");
        let nothing = expect.rule.is_none()
            && expect.groups.is_none()
            && expect.level.is_none()
            && expect.score.is_none()
            && expect.by_policy.is_none()
            && expect.allowed.is_none();
        if nothing {
            self.add(
                &at(""),
                "nothing-expected",
                "a case that expects nothing proves nothing",
                "write rule, groups, level, score, by_policy or allowed",
            );
        }
        let charter = self.charter;
        if let Some(rule) = &expect.rule {
            let known = charter.approvals.iter().map(|rule| &*rule.name);
            self.known(&at(".rule"), "rule", rule, known);
        }
        for group in expect.groups.iter().flat_map(BTreeMap::keys) {
            let known = charter.groups.keys().map(GroupName::as_str);
            let path = at(&format!(".groups.{}", segment(group.as_str())));
            self.known(&path, "group", group.as_str(), known);
        }
    }
}
