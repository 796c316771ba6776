//! The plan: what a pipeline or a person submits, and what its words mean.
//!
//! A plan is written in YAML or TOML; `config` reads the text into a [`Plan`] with located errors.
//! Its digest is the SHA-256 of its canonical JSON (see `canonical`): whatever changes here changes
//! the digest and voids the votes.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use chrono::NaiveDateTime;
use serde::{Deserialize, Deserializer, Serialize};

use super::calendar::{self, Running};
use super::ids::{
    Artifact, EnvName, GroupName, MetricName, PersonName, ServiceName, Span, TargetName, Timestamp,
};
pub use super::judge_rule::JudgeRule;
use super::needs::NeedPlan;
use super::risk::SchemaChange;
use super::spelled::{self, Spelled};

/// One intended change, as submitted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// A unique name by which commands may call the release; the id serves without.
    pub name: Option<Arc<str>>,
    /// One line for the queue.
    pub title: Arc<str>,
    /// Which path of approval it takes.
    #[serde(default)]
    pub kind: Kind,
    /// Where it goes.
    pub environment: EnvName,
    /// What changes.
    pub services: Vec<ServiceChange>,
    /// What changes in words, a line each: commits, migrations, switches.
    #[serde(default)]
    pub changes: Vec<Arc<str>>,
    /// Whether stored data changes its form.
    #[serde(default, skip_serializing_if = "SchemaChange::is_none")]
    pub schema_change: SchemaChange,
    /// How many lines of code and settings change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lines_changed: Option<u32>,
    /// The infrastructure that is deleted: databases, queues, buckets, volumes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deletes: Vec<Arc<str>>,
    /// Links to the records that ask for it.
    #[serde(default)]
    pub tickets: Vec<Arc<str>>,
    /// Where its runbook is.
    pub runbook: Option<Arc<str>>,
    /// What makes it an emergency; nothing in a release of another kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub emergency: Option<Emergency>,
    /// The people who wrote the commits. Where policy excludes authors they have no vote; a name that
    /// the room does not know is kept for the record.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub authors: Vec<PersonName>,
    /// Who started the pipeline that submits this, where that is not the submitter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_by: Option<PersonName>,
    /// Votes needed besides those of the room's policy.
    #[serde(default)]
    pub approval: BTreeMap<GroupName, u32>,
    /// What must be so before it moves: other releases, versions of services.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<NeedPlan>,
    /// When it may move; without one, at any time.
    pub window: Option<Window>,
    /// What becomes of the rollout when a window, this one or the room's, closes on it; without it,
    /// what the window says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_window_end: Option<Running>,
    /// Who starts it once it is approved.
    #[serde(default)]
    pub start: Start,
    /// What becomes of the release when a call fails for good.
    #[serde(default)]
    pub on_failure: OnFailure,
    /// The batches in order.
    pub batches: Vec<BatchPlan>,
    /// What pauses it or rolls it back, armed from the first call until it is closed.
    #[serde(default)]
    pub triggers: Vec<Trigger>,
    /// What follows from the judge's verdicts on the release.
    #[serde(default, skip_serializing_if = "JudgeRule::is_usual")]
    pub judge: JudgeRule,
    /// The observation period after full exposure.
    #[serde(default)]
    pub observe: Observe,
    /// How to go back.
    #[serde(default)]
    pub rollback: Rollback,
}

/// Which path of approval a release takes.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Done often, approved beforehand.
    Standard,
    /// The usual path.
    #[default]
    Normal,
    /// A fix that cannot wait.
    Emergency,
}

impl Kind {
    /// The word used in plans and on screens.
    pub const fn word(self) -> &'static str {
        match self {
            Kind::Standard => "standard",
            Kind::Normal => "normal",
            Kind::Emergency => "emergency",
        }
    }
}

/// Why a release cannot wait, and for how long that is believed; see [`super::emergency`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Emergency {
    /// The incident's id.
    pub incident: Arc<str>,
    /// Why it cannot wait, in a sentence.
    pub reason: Arc<str>,
    /// The time box, from the first call: what is not finished then goes back by itself.
    pub lasts: Span,
}

/// A service and what shall run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceChange {
    /// The service.
    pub service: ServiceName,
    /// The version for people.
    pub version: Arc<str>,
    /// `sha256:` and 64 hexadecimal digits.
    pub digest: Arc<str>,
}

impl ServiceChange {
    /// What shall run.
    pub fn artifact(&self) -> Artifact {
        Artifact {
            version: self.version.clone(),
            digest: self.digest.clone(),
        }
    }
}

/// One agreed maintenance window, in local time.
///
/// A local time that the clocks skip stands for the end of the gap; one that occurs twice
/// stands for the first where a window opens and for the second where it closes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// `2026-11-21T02:00`.
    pub opens: LocalTime,
    /// `2026-11-21T04:00`.
    pub closes: LocalTime,
    /// IANA zone; the environment's without one.
    pub zone: Option<Arc<str>>,
    /// What happens when it closes on an unfinished rollout.
    #[serde(default)]
    pub at_end: AtEnd,
}

/// What happens when the window of a plan closes on an unfinished rollout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AtEnd {
    /// The batch that has begun is finished; then it stays where it is.
    FinishBatch,
    /// It stays where it is: no further instance begins.
    #[default]
    HoldOn,
    /// It goes back.
    RollBack,
    /// It is closed as expired; only before anything moved.
    Expire,
}

impl AtEnd {
    /// What it means for a rollout under way.
    pub const fn running(self) -> Running {
        match self {
            AtEnd::FinishBatch => Running::FinishBatch,
            AtEnd::HoldOn | AtEnd::Expire => Running::HoldOn,
            AtEnd::RollBack => Running::RollBack,
        }
    }

    /// What it means for a release that stands before a batch.
    pub const fn deadline(self) -> AtDeadline {
        match self {
            AtEnd::FinishBatch | AtEnd::HoldOn => AtDeadline::HoldOn,
            AtEnd::RollBack => AtDeadline::RollBack,
            AtEnd::Expire => AtDeadline::Expire,
        }
    }
}

/// A date and time of day without a zone: `2026-11-21T02:00`, seconds allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(into = "String")]
pub struct LocalTime(pub NaiveDateTime);

impl<'de> Deserialize<'de> for LocalTime {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        spelled::deserialize(from)
    }
}

impl Spelled for LocalTime {
    const EXPECTED: &'static str = "a date and time like 2026-11-21T02:00";

    fn read(text: &str) -> Result<Self, String> {
        let t = text.replacen(' ', "T", 1);
        NaiveDateTime::parse_from_str(&t, "%Y-%m-%dT%H:%M")
            .or_else(|_| NaiveDateTime::parse_from_str(&t, "%Y-%m-%dT%H:%M:%S"))
            .map(LocalTime)
            .map_err(|_| format!("`{text}` is no date and time; write 2026-11-21T02:00"))
    }
}

impl From<LocalTime> for String {
    fn from(time: LocalTime) -> String {
        time.0.format("%Y-%m-%dT%H:%M:%S").to_string()
    }
}

impl LocalTime {
    /// The moment that this local time names in a zone; `last` picks the second of two.
    pub fn in_zone(self, zone: chrono_tz::Tz, last: bool) -> Timestamp {
        match last {
            true => calendar::closes_at(zone, self.0),
            false => calendar::opens_at(zone, self.0),
        }
    }
}

/// Who starts a release once it is approved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Start {
    /// Somebody presses start.
    #[default]
    Manual,
    /// It starts by itself as soon as its window is open.
    Auto,
}

/// What becomes of a release when a call fails for good.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnFailure {
    /// It stands still until somebody decides.
    #[default]
    HoldOn,
    /// It goes back.
    RollBack,
}

/// One batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BatchPlan {
    /// What the ladder calls it; its exposure without one.
    pub name: Option<Arc<str>>,
    /// How much of each target runs the new version when the batch is done.
    pub exposure: Exposure,
    /// The targets it moves; all of the plan's without any.
    #[serde(default)]
    pub targets: Vec<TargetName>,
    /// Holds before it.
    #[serde(default)]
    pub before: Vec<HoldPlan>,
    /// Holds after it.
    #[serde(default)]
    pub after: Vec<HoldPlan>,
}

/// A share of a target's instances, in whole percent from 1 to 100, written `40%` or `full`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(into = "String")]
pub struct Exposure(u8);

impl<'de> Deserialize<'de> for Exposure {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        spelled::deserialize(from)
    }
}

impl Exposure {
    /// Everything.
    pub const FULL: Exposure = Exposure(100);

    /// The percentage, 1 to 100.
    pub const fn percent(self) -> u8 {
        self.0
    }

    /// How many of `n` instances that is: rounded up, so that a share is never nothing.
    pub fn of(self, n: usize) -> usize {
        (n * usize::from(self.0)).div_ceil(100)
    }
}

impl Spelled for Exposure {
    const EXPECTED: &'static str = "an exposure like 10% or full";

    fn read(text: &str) -> Result<Self, String> {
        if text == "full" {
            return Ok(Exposure::FULL);
        }
        let number = text
            .strip_suffix('%')
            .and_then(|n| n.trim().parse::<u32>().ok())
            .ok_or_else(|| format!("`{text}` is no exposure; write 10% or full"))?;
        match u8::try_from(number) {
            Ok(n @ 1..=100) => Ok(Exposure(n)),
            _ => Err(format!(
                "an exposure lies between 1% and 100%, not at {text}"
            )),
        }
    }
}

impl From<Exposure> for String {
    fn from(exposure: Exposure) -> String {
        format!("{}%", exposure.0)
    }
}

impl fmt::Display for Exposure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{} %", self.0))
    }
}

/// A hold as written: exactly one of its kinds, and its deadline.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HoldPlan {
    /// Time that passes with no trigger firing.
    pub bake: Option<Span>,
    /// Checks that must pass.
    pub health: Option<HealthPlan>,
    /// Verdicts that must pass.
    pub analysis: Option<AnalysisPlan>,
    /// Somebody who presses promote.
    pub manual: Option<ManualPlan>,
    /// How long it may stay open.
    pub deadline: Option<Span>,
    /// What happens then.
    pub at_deadline: Option<AtDeadline>,
    /// How long before the deadline to warn.
    pub warn: Option<Span>,
}

/// Health checks, smoke tests, synthetic transactions. All must pass.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HealthPlan {
    /// HTTP checks, each against every instance moved so far.
    #[serde(default)]
    pub http: Vec<HttpCheck>,
    /// Commands that must end with 0, run on the engine's host.
    #[serde(default)]
    pub command: Vec<CommandCheck>,
    /// How many rounds in a row must pass.
    #[serde(default = "two")]
    pub passes: u32,
    /// The pause between two rounds.
    #[serde(default = "five_seconds")]
    pub every: Span,
}

fn two() -> u32 {
    2
}

fn five_seconds() -> Span {
    Span::secs(5)
}

/// An HTTP check.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpCheck {
    /// The address; `{url}` is the instance's, `{instance}` its name.
    pub url: Arc<str>,
    /// The status that is expected; any of 200 to 299 without one.
    pub status: Option<u16>,
    /// Text that the body must hold.
    pub contains: Option<Arc<str>>,
}

/// A command check: argv, no shell.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommandCheck {
    /// The program and its arguments.
    pub argv: Vec<Arc<str>>,
    /// How long it may run.
    pub timeout: Option<Span>,
}

/// Metrics of the canary against the baseline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnalysisPlan {
    /// The metrics, as the catalog names them; all of the services' without any.
    #[serde(default)]
    pub metrics: Vec<MetricName>,
    /// How many looks in a row must pass.
    #[serde(default = "four")]
    pub passes: u32,
}

fn four() -> u32 {
    4
}

/// A person who presses promote.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManualPlan {
    /// The question in a few words.
    pub ask: Option<Arc<str>>,
}

/// What happens when a hold's deadline comes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AtDeadline {
    /// It stays where it is, loudly.
    #[default]
    HoldOn,
    /// It goes back.
    RollBack,
    /// It is closed as expired; only before anything moved.
    Expire,
}

impl AtDeadline {
    /// What the release does, as a verb: `holds on`.
    pub const fn words(self) -> &'static str {
        match self {
            AtDeadline::HoldOn => "holds on",
            AtDeadline::RollBack => "rolls back",
            AtDeadline::Expire => "expires",
        }
    }
}

/// A condition that pauses or rolls back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trigger {
    /// The metric that must not fail; or
    pub metric: Option<MetricName>,
    /// how long an instance that runs the new version may be down or unknown.
    pub instances_down: Option<Span>,
    /// How many looks in a row must fail.
    #[serde(default = "two")]
    pub looks: u32,
    /// What follows.
    pub action: TriggerAction,
}

impl Trigger {
    /// What screens call it.
    pub fn name(&self) -> &str {
        self.metric
            .as_ref()
            .map_or("instances down", MetricName::as_str)
    }
}

/// What a trigger does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TriggerAction {
    /// The release goes back.
    RollBack,
    /// The release stands still.
    Pause,
}

impl TriggerAction {
    /// The word for screens.
    pub const fn words(self) -> &'static str {
        match self {
            TriggerAction::RollBack => "roll back",
            TriggerAction::Pause => "pause",
        }
    }
}

/// The observation period.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Observe {
    /// How long.
    #[serde(rename = "for")]
    pub span: Span,
    /// Whether somebody must leave a handover note before it is closed.
    #[serde(default)]
    pub handover: bool,
}

impl Default for Observe {
    fn default() -> Self {
        Observe {
            span: Span::mins(30),
            handover: false,
        }
    }
}

/// How to go back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rollback {
    /// A sentence for the people who approve: what going back means.
    pub note: Option<Arc<str>>,
    /// Whether the way back was tried with exactly these versions.
    #[serde(default, skip_serializing_if = "is_false")]
    pub tested: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
const fn is_false(value: &bool) -> bool {
    !*value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exposures_stay_between_one_and_a_hundred() {
        let read = Exposure::read;
        assert_eq!(read("full"), Ok(Exposure::FULL));
        assert_eq!(read("40%").map(Exposure::percent), Ok(40));
        assert!(read("140%").is_err());
        assert!(read("0%").is_err());
        assert!(read("40").is_err());
        assert_eq!(read("10%").map(|e| e.of(3)), Ok(1));
        assert_eq!(read("34%").map(|e| e.of(3)), Ok(2));
        assert_eq!(Exposure::FULL.of(7), 7);
    }

    #[test]
    fn local_times_in_gaps_and_overlaps() {
        let berlin = chrono_tz::Europe::Berlin;
        let gap = LocalTime::read("2026-03-29T02:30").unwrap();
        // 03:00 CEST is 01:00 UTC
        assert_eq!(gap.in_zone(berlin, false).0, 1_774_746_000_000);
        let twice = LocalTime::read("2026-10-25T02:30").unwrap();
        let (first, second) = (twice.in_zone(berlin, false), twice.in_zone(berlin, true));
        assert_eq!(second.since(first), Span::mins(60));
    }
}
