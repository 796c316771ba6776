//! What `--json` prints. Fields are only ever added; a change of meaning is a new schema number.

mod calendar;
mod doctor;
mod fold;
mod holds;
mod judged;
mod policy;
mod release;
mod rules;
mod workload;

pub use calendar::{
    BarView, CalendarDoneView, CalendarView, ConflictView, LintView, SlotView, WhenView, WhyView,
    kind as calendar_kind,
};
pub use doctor::{CheckedView, ClusterView, DoctorView, RoleView, StoreView, TargetView};
pub use fold::phase;
pub use holds::ChecksView;
pub use judged::JudgementView;
pub use policy::{
    CaseView, DifferenceView, PolicyDiffView, PolicyTestView, PolicyView, RulingView, clock,
};
pub use release::{ReleaseLine, ReleaseView};
pub use rules::{AuthorityView, ChangeView, PirView, PlanDiffView};
pub use workload::WorkloadView;

use chrono::{DateTime, SecondsFormat, Utc};
use schemars::{JsonSchema, Schema};
use serde::Serialize;

use super::judge::{ArgoView, JudgedView, KayentaView, LookView, PlanView};
use super::report::TriggersView;
use crate::domain::{Notice, Timestamp};

/// A moment in RFC 3339, UTC, with milliseconds.
pub fn time(at: Timestamp) -> String {
    DateTime::<Utc>::from_timestamp_millis(at.0)
        .unwrap_or_default()
        .to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// What was asked is durable.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "holdpoint.done/1")]
pub struct DoneView {
    /// `holdpoint.done/1`.
    pub schema: &'static str,
    /// What was done: `submitted`, `started`, `voted` …
    pub did: String,
    /// The release it was done to.
    pub release: String,
    /// The digest of its plan.
    pub digest: Option<String>,
    /// The number of the newest ledger entry that it led to.
    pub seq: u64,
    /// Where the release is now: `waiting`, `rolling`, `observing`, `rolling-back` or `closed`.
    pub phase: String,
    /// What it waits for now, in a sentence; empty when it is closed.
    pub waiting: String,
    /// Who has to do what next, by name, in a sentence; empty when nobody has to.
    pub next: String,
}

/// What a plan would lead to; nothing was submitted.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "holdpoint.dry-run/1")]
pub struct DryRunView {
    /// `holdpoint.dry-run/1`.
    pub schema: &'static str,
    /// The release as it would be now; its id is the next one that is free.
    pub release: ReleaseView,
}

/// How a wait ended.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "holdpoint.wait/1")]
pub struct WaitView {
    /// `holdpoint.wait/1`.
    pub schema: &'static str,
    /// The release.
    pub release: String,
    /// What was waited for.
    pub until: String,
    /// Whether it came there.
    pub reached: bool,
    /// Whether time was up before it was clear.
    pub timed_out: bool,
    /// Where the release is: `waiting`, `rolling`, `observing`, `rolling-back` or `closed`.
    pub phase: String,
    /// How it ended, once it is closed.
    pub ending: Option<String>,
    /// What is so, in a sentence.
    pub words: String,
    /// How long it was waited for, in seconds.
    pub seconds: f64,
}

/// An entry of the ledger.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "holdpoint.entry/1")]
pub struct EntryView<'a> {
    /// `holdpoint.entry/1`.
    pub schema: &'static str,
    /// Its number, from 1.
    pub seq: u64,
    /// Its hash, hexadecimal.
    pub hash: &'a str,
    /// The event, in exactly the bytes that were hashed.
    #[schemars(with = "serde_json::Value")]
    pub event: &'a serde_json::value::RawValue,
}

/// A backup that was written.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "holdpoint.backup/1")]
pub struct BackupView {
    /// `holdpoint.backup/1`.
    pub schema: &'static str,
    /// The file.
    pub file: String,
    /// The number of its newest entry.
    pub seq: u64,
    /// The hash of its newest entry, hexadecimal.
    pub head: String,
}

/// Files that hold no mistake.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "holdpoint.check/1")]
pub struct CheckView {
    /// `holdpoint.check/1`.
    pub schema: &'static str,
    /// The files that were read.
    pub files: Vec<String>,
    /// What is worth a look, though it is no mistake.
    pub warnings: Vec<ErrorView>,
}

/// A room that was written.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "holdpoint.init/1")]
pub struct InitView {
    /// `holdpoint.init/1`.
    pub schema: &'static str,
    /// The room's directory.
    pub room: String,
    /// The files that were written.
    pub files: Vec<String>,
    /// The targets in it, where it was written for what runs in a cluster.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<String>,
    /// What somebody should know of how they were found.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// A room whose engine runs now.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "holdpoint.serve/1")]
pub struct ServeView {
    /// `holdpoint.serve/1`.
    pub schema: &'static str,
    /// The room's directory.
    pub room: String,
}

/// A demo that runs now.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "holdpoint.demo/1")]
pub struct DemoView {
    /// `holdpoint.demo/1`.
    pub schema: &'static str,
    /// The room's directory.
    pub room: String,
    /// What fixes plans, traffic and votes.
    pub seed: u64,
}

/// A token that was made.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "holdpoint.token/1")]
pub struct TokenView {
    /// `holdpoint.token/1`.
    pub schema: &'static str,
    /// The file that holds the token.
    pub file: String,
    /// What `people.toml` has to say of it: `sha256:…`.
    pub hash: String,
}

/// A refusal or an error, on stderr.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "holdpoint.error/1")]
pub struct ErrorView {
    /// `holdpoint.error/1`.
    pub schema: &'static str,
    /// Stable, kebab-case.
    pub code: String,
    /// What happened, in a sentence.
    pub headline: String,
    /// What it means here; may be empty.
    pub detail: String,
    /// What to do; may be empty.
    pub next_step: String,
    /// The place: `plan.yaml:7:3`.
    #[serde(rename = "where")]
    pub place: Option<String>,
}

impl From<&Notice> for ErrorView {
    fn from(notice: &Notice) -> ErrorView {
        ErrorView {
            schema: "holdpoint.error/1",
            code: notice.code.clone(),
            headline: notice.headline.clone(),
            detail: notice.detail.clone(),
            next_step: notice.next_step.clone(),
            place: notice.place.clone(),
        }
    }
}

/// One line of JSON.
pub fn line(value: &impl Serialize) -> String {
    let mut text = serde_json::to_string(value).unwrap_or_else(|error| {
        // only for maps whose keys are no text, which no view has
        format!(r#"{{"schema":"holdpoint.error/1","code":"internal","headline":"{error}"}}"#)
    });
    text.push('\n');
    text
}

/// All schemas by name.
pub fn schemas() -> Vec<(&'static str, Schema)> {
    vec![
        ("authority", schemars::schema_for!(AuthorityView)),
        ("backup", schemars::schema_for!(BackupView)),
        ("calendar", schemars::schema_for!(CalendarView)),
        ("calendar-done", schemars::schema_for!(CalendarDoneView)),
        ("check", schemars::schema_for!(CheckView)),
        ("checks", schemars::schema_for!(ChecksView)),
        ("conflict", schemars::schema_for!(ConflictView)),
        ("demo", schemars::schema_for!(DemoView)),
        ("doctor", schemars::schema_for!(DoctorView)),
        ("done", schemars::schema_for!(DoneView)),
        ("dry-run", schemars::schema_for!(DryRunView)),
        ("entry", schemars::schema_for!(EntryView<'_>)),
        ("error", schemars::schema_for!(ErrorView)),
        ("init", schemars::schema_for!(InitView)),
        ("judge-argo", schemars::schema_for!(ArgoView)),
        ("judge-kayenta", schemars::schema_for!(KayentaView)),
        ("judge-plan", schemars::schema_for!(PlanView)),
        ("judged", schemars::schema_for!(JudgedView)),
        ("judged-look", schemars::schema_for!(LookView)),
        ("lint", schemars::schema_for!(LintView)),
        ("pir", schemars::schema_for!(PirView)),
        ("plan-diff", schemars::schema_for!(PlanDiffView)),
        ("policy", schemars::schema_for!(PolicyView)),
        ("policy-diff", schemars::schema_for!(PolicyDiffView)),
        ("policy-test", schemars::schema_for!(PolicyTestView)),
        ("report-triggers", schemars::schema_for!(TriggersView)),
        ("release", schemars::schema_for!(ReleaseView)),
        ("release-line", schemars::schema_for!(ReleaseLine)),
        ("ruling", schemars::schema_for!(RulingView)),
        ("serve", schemars::schema_for!(ServeView)),
        ("token", schemars::schema_for!(TokenView)),
        ("wait", schemars::schema_for!(WaitView)),
        ("when", schemars::schema_for!(WhenView)),
        ("why", schemars::schema_for!(WhyView)),
    ]
}
