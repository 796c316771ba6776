//! The calendar as JSON.

use schemars::JsonSchema;
use serde::Serialize;

use super::judged::JudgementView;
use super::time;
use super::workload::WorkloadView;
use crate::domain::calendar::{Bar, Conflict, Item, ItemKind, Lane, Lint, Slot};

/// A line of the calendar: what stands in one lane at one time.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "holdpoint.calendar/1")]
pub struct CalendarView {
    /// `holdpoint.calendar/1`.
    pub schema: &'static str,
    /// The environment.
    pub environment: String,
    /// `window`, `freeze`, `exemption`, `lockdown` or `release`.
    pub kind: &'static str,
    /// The rule's name, or the number of what it is.
    pub name: String,
    /// A few words.
    pub label: String,
    /// When it begins, where that is known.
    pub start: Option<String>,
    /// When it is over, where that is known.
    pub end: Option<String>,
}

impl CalendarView {
    /// An item of a lane.
    pub fn of(lane: &Lane, item: &Item) -> CalendarView {
        CalendarView {
            schema: "holdpoint.calendar/1",
            environment: lane.name.to_string(),
            kind: kind(item.kind),
            name: item.name.to_string(),
            label: item.label.clone(),
            start: item.start.map(time),
            end: item.end.map(time),
        }
    }
}

/// The word for a kind of item.
pub const fn kind(kind: ItemKind) -> &'static str {
    match kind {
        ItemKind::Window => "window",
        ItemKind::Freeze => "freeze",
        ItemKind::Exemption => "exemption",
        ItemKind::Lockdown => "lockdown",
        ItemKind::Release => "release",
    }
}

/// Why a release waits.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "holdpoint.why/1")]
pub struct WhyView {
    /// `holdpoint.why/1`.
    pub schema: &'static str,
    /// The release.
    pub release: String,
    /// What it waits for, in a sentence without its subject.
    pub waiting: String,
    /// On whom.
    pub on: String,
    /// Since when.
    pub since: String,
    /// What the judge says of it; nothing before it has said anything.
    pub judgement: Option<JudgementView>,
    /// What the judge waits for, a sentence for each metric that is not decided.
    pub undecided: Vec<String>,
    /// What the calendar holds against it now.
    pub calendar: Vec<BarView>,
    /// When the calendar allows it next; nothing where it does not within 90 days.
    pub next: Option<SlotView>,
    /// What it moves by shares, with what is stuck there, as last read.
    pub workloads: Vec<WorkloadView>,
}

/// A rule of the calendar that bars a release.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct BarView {
    /// `lockdown`, `freeze`, `window` or `plan's window`.
    pub rule: String,
    /// Its name.
    pub name: String,
    /// Who answers for it.
    pub owner: String,
    /// Why it is there; may be empty.
    pub reason: String,
    /// Since when it bars.
    pub since: Option<String>,
    /// Until when.
    pub until: Option<String>,
    /// What becomes of a rollout under way: `finish-batch`, `hold-on` or `roll-back`.
    pub running: String,
}

impl BarView {
    /// A bar.
    pub fn of(bar: &Bar) -> BarView {
        BarView {
            rule: bar.rule.word().to_owned(),
            name: bar.name.to_string(),
            owner: bar.owner.to_string(),
            reason: bar.reason.to_string(),
            since: bar.since.map(time),
            until: bar.until.map(time),
            running: bar.then.word().to_owned(),
        }
    }
}

/// A span in which the calendar allows something.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct SlotView {
    /// From when.
    pub from: String,
    /// Until when; nothing where no rule ends it within 90 days.
    pub until: Option<String>,
}

impl SlotView {
    /// A slot.
    pub fn of(slot: Slot) -> SlotView {
        SlotView {
            from: time(slot.from),
            until: slot.until.map(time),
        }
    }
}

/// When the calendar allows a release next.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "holdpoint.when/1")]
pub struct WhenView {
    /// `holdpoint.when/1`.
    pub schema: &'static str,
    /// The release.
    pub release: String,
    /// The span; nothing where there is none within 90 days.
    pub next: Option<SlotView>,
}

/// Releases that get into each other's way.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "holdpoint.conflict/1")]
pub struct ConflictView {
    /// `holdpoint.conflict/1`.
    pub schema: &'static str,
    /// `service`, `dependency`, `exclusive`, `capacity` or `person`.
    pub kind: &'static str,
    /// Which.
    pub releases: Vec<String>,
    /// From when, where that is known.
    pub start: Option<String>,
    /// Until when.
    pub end: Option<String>,
    /// The sentence.
    pub words: String,
}

impl ConflictView {
    /// A conflict.
    pub fn of(conflict: &Conflict) -> ConflictView {
        ConflictView {
            schema: "holdpoint.conflict/1",
            kind: conflict.kind.word(),
            releases: conflict.releases.iter().map(ToString::to_string).collect(),
            start: conflict.when.map(|when| time(when.start)),
            end: conflict.when.map(|when| time(when.end)),
            words: conflict.words.clone(),
        }
    }
}

/// Something about a calendar that is worth a look.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "holdpoint.lint/1")]
pub struct LintView {
    /// `holdpoint.lint/1`.
    pub schema: &'static str,
    /// Stable, kebab-case.
    pub code: String,
    /// The rule.
    pub name: String,
    /// What is so, in a sentence.
    pub words: String,
    /// What to do.
    pub next_step: String,
}

impl LintView {
    /// A lint.
    pub fn of(lint: &Lint) -> LintView {
        LintView {
            schema: "holdpoint.lint/1",
            code: lint.code.to_owned(),
            name: lint.name.to_string(),
            words: lint.words.clone(),
            next_step: lint.next.to_owned(),
        }
    }
}

/// Something was done to the calendar.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "holdpoint.calendar-done/1")]
pub struct CalendarDoneView {
    /// `holdpoint.calendar-done/1`.
    pub schema: &'static str,
    /// `requested`, `approved`, `revoked`, `locked-down` or `lifted`.
    pub did: &'static str,
    /// The exemption or lockdown.
    pub id: String,
    /// The number of the newest ledger entry that it led to.
    pub seq: u64,
}
