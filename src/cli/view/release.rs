//! A release as JSON: its shapes. [`super::fold`] fills them.

use schemars::JsonSchema;
use serde::Serialize;

use super::holds::{CheckLine, DependencyView, TurnView, WaivedView};
use super::judged::{JudgementView, MetricView};
use super::policy::RulingView;
use super::rules::ChangeView;
use super::workload::WorkloadView;

/// A release, in full. What the ledger alone remembers of a closed release is empty here.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "holdpoint.release/1")]
pub struct ReleaseView {
    /// `holdpoint.release/1`.
    pub schema: &'static str,
    /// `R-7`.
    pub id: String,
    /// The plan's unique name.
    pub name: Option<String>,
    /// The plan's title.
    pub title: String,
    /// Where it goes.
    pub environment: String,
    /// What it brings.
    pub services: Vec<ServiceView>,
    /// `waiting`, `rolling`, `observing`, `rolling-back` or `closed`.
    pub phase: String,
    /// Since when it is there.
    pub since: String,
    /// When it was submitted.
    pub submitted: String,
    /// How it ended, once it is closed: `succeeded`, `rolled-back`, `rejected`, `expired`,
    /// `cancelled`, `withdrawn` or `superseded`.
    pub ending: Option<String>,
    /// Why it ended, in a sentence.
    pub why: Option<String>,
    /// The rest, while it is not closed.
    #[serde(flatten)]
    pub live: Option<LiveView>,
}

/// What is known of a release that is not closed.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct LiveView {
    /// `standard`, `normal` or `emergency`.
    pub kind: String,
    /// The digest of the plan.
    pub digest: String,
    /// Who submitted it.
    pub submitter: String,
    /// Whether it stands still because somebody or a trigger said so.
    pub paused: Option<PausedView>,
    /// Whether somebody has promoted all that is left of it.
    pub promoted: Option<PromotedView>,
    /// Who controls it.
    pub con: Option<String>,
    /// How much runs the new version, in percent; nothing before it was touched.
    pub exposure: Option<u8>,
    /// What it waits for.
    pub waiting: WaitingView,
    /// What policy says of it.
    pub ruling: Option<RulingView>,
    /// The votes that are needed, and who gave them.
    pub approval: Vec<NeedView>,
    /// All votes, the newest of each person.
    pub votes: Vec<VoteView>,
    /// The checklist.
    pub readiness: Vec<CheckLine>,
    /// What it needs of other releases and services.
    pub needs: Vec<DependencyView>,
    /// Its place in the queue, while it stands there.
    pub queue: Option<TurnView>,
    /// What was waived.
    pub waived: Vec<WaivedView>,
    /// When its approval was complete; nothing while it is asked for, or where it needs none.
    pub approved: Option<String>,
    /// When somebody started it, or it began by itself: approved and started are two states.
    pub started: Option<String>,
    /// How its plan was changed since it was submitted, oldest first.
    pub changed: Vec<ChangedView>,
    /// When the time box of an emergency ends, once it runs.
    pub box_ends: Option<String>,
    /// The batches.
    pub batches: Vec<BatchView>,
    /// The observation period.
    pub observe: HoldView,
    /// The way back, once it goes back.
    pub back: Option<BackView>,
    /// What it moves by shares, as last read; empty where no engine looks.
    pub workloads: Vec<WorkloadView>,
    /// The newest verdict of each metric.
    pub verdicts: Vec<VerdictView>,
    /// The triggers.
    pub triggers: Vec<TriggerView>,
    /// What the judge says of it; nothing before it has said anything.
    pub judgement: Option<JudgementView>,
    /// How each metric stands, as last looked at; empty where no engine looks.
    pub metrics: Vec<MetricView>,
    /// The handover note.
    pub handover: Option<NoteView>,
    /// What was done, oldest first.
    pub log: Vec<LogView>,
    /// The plan.
    pub plan: serde_json::Value,
}

/// A release in a list.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "holdpoint.release-line/1")]
pub struct ReleaseLine {
    /// `holdpoint.release-line/1`.
    pub schema: &'static str,
    /// `R-7`.
    pub id: String,
    /// The plan's unique name.
    pub name: Option<String>,
    /// The plan's title.
    pub title: String,
    /// Where it goes.
    pub environment: String,
    /// What it brings.
    pub services: Vec<ServiceView>,
    /// `waiting`, `rolling`, `observing`, `rolling-back` or `closed`.
    pub phase: String,
    /// How it ended, once it is closed.
    pub ending: Option<String>,
    /// Whose turn it is: `you`, `moving`, `observed`, `waiting` or `closed`.
    pub turn: String,
    /// How much runs the new version, in percent.
    pub exposure: Option<u8>,
    /// When it was submitted.
    pub submitted: String,
    /// What it waits for; nothing when it is closed.
    pub waiting: Option<WaitingView>,
}

/// A service and what shall run.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ServiceView {
    /// The service.
    pub service: String,
    /// The version.
    pub version: String,
    /// The digest of the artifact; empty for a closed release.
    pub digest: String,
}

/// A pause.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct PausedView {
    /// Who paused it.
    pub by: String,
    /// Since when.
    pub since: String,
    /// Why; may be empty.
    pub why: String,
}

/// That all that is left goes in one go.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct PromotedView {
    /// Who said so.
    pub by: String,
    /// When.
    pub at: String,
    /// Why.
    pub why: String,
}

/// What a release waits for.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct WaitingView {
    /// The hold; nothing between two holds.
    pub hold: Option<String>,
    /// In a word: `approval`, `bake`, `manual`, `paused` …
    pub word: String,
    /// In a sentence without its subject.
    pub what: String,
    /// On whom: `voters`, `people`, `groups`, `control`, `clock`, `engine`, `release` or `instance`.
    pub on: String,
    /// Their names: groups, people, a release, an instance.
    pub names: Vec<String>,
    /// Since when.
    pub since: String,
    /// When the clock alone lets it pass.
    pub due: Option<String>,
    /// Its deadline.
    pub until: Option<String>,
    /// What happens at the deadline.
    pub then: String,
    /// Whether something is wrong.
    pub trouble: bool,
    /// Who has to do what next, by name, in a sentence; empty when nobody has to.
    pub next: String,
}

/// Votes that a group owes.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct NeedView {
    /// The group.
    pub group: String,
    /// How many votes.
    pub needs: u32,
    /// Whose votes count for it.
    pub have: Vec<String>,
}

/// A vote.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct VoteView {
    /// Whose.
    pub who: String,
    /// `approve`, `reject`, `object`, `abstain` or `request-changes`.
    pub choice: String,
    /// For which groups it can count.
    pub groups: Vec<String>,
    /// When.
    pub at: String,
    /// The comment; may be empty.
    pub comment: String,
    /// When it counts no longer, where policy lets votes lapse.
    pub lapses: Option<String>,
    /// Who overruled it, if it was an objection and somebody did.
    pub overruled_by: Option<String>,
    /// Why it was overruled.
    pub overruled_why: Option<String>,
}

/// A change of the plan.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ChangedView {
    /// By whom.
    pub by: String,
    /// When.
    pub at: String,
    /// The digest of the plan before.
    pub was: String,
    /// The fields that are different.
    pub changes: Vec<ChangeView>,
    /// Whose votes count no more.
    pub voided: Vec<String>,
}

/// A batch.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct BatchView {
    /// Its name.
    pub name: String,
    /// How much of each target runs the new version afterwards, in percent.
    pub exposure: u8,
    /// When its first call was allowed.
    pub began: Option<String>,
    /// When its last hold was cleared.
    pub done: Option<String>,
    /// Holds before it.
    pub before: Vec<HoldView>,
    /// What moves.
    pub moves: Vec<MoveView>,
    /// Holds after it.
    pub after: Vec<HoldView>,
}

/// A hold.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct HoldView {
    /// Its name within the release.
    pub id: String,
    /// `approval`, `readiness`, `manual`, `dependency`, `window`, `calendar`, `queue`, `health`, `bake`,
    /// `analysis` or `observe`.
    pub kind: String,
    /// `to-come`, `open` or `cleared`.
    pub state: String,
    /// Since when it is open.
    pub since: Option<String>,
    /// Its deadline, while it is open.
    pub until: Option<String>,
    /// What happens at the deadline.
    pub then: String,
    /// Whether its deadline is over.
    pub overdue: bool,
    /// When it was cleared.
    pub cleared: Option<String>,
    /// By whom or what.
    pub by: Option<String>,
}

/// Instances of one target.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct MoveView {
    /// The target.
    pub target: String,
    /// The instances.
    pub instances: Vec<InstanceView>,
}

/// An instance in a move.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct InstanceView {
    /// Its name.
    pub instance: String,
    /// The version it is brought to.
    pub version: String,
    /// How much of it, in percent, of one that is moved by shares.
    pub exposure: Option<u8>,
    /// The call it is at: `drain`, `deploy`, `undrain`, `rollback`; nothing when all are done.
    pub call: Option<String>,
    /// Which attempt at that call.
    pub attempt: u32,
    /// `to-do`, `running`, `done`, `failed` or `unknown`.
    pub status: String,
    /// Why it failed or is unknown.
    pub why: Option<String>,
    /// What was last seen there: `running`, `changing`, `down` or `unknown`.
    pub seen: Option<String>,
    /// The version that was last seen there; of one that is moved by shares, on what is not new.
    pub runs: Option<String>,
    /// The version that was last seen on a part of it.
    pub arriving: Option<String>,
}

/// The way back.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct BackView {
    /// Since when.
    pub since: String,
    /// Who or what asked for it.
    pub by: String,
    /// Why.
    pub why: String,
    /// What moves back.
    pub moves: Vec<MoveView>,
    /// Everything is back and seen running.
    pub hold: HoldView,
}

/// What the judge says of a metric.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct VerdictView {
    /// The metric.
    pub metric: String,
    /// `pass`, `fail`, `hold`, `undecided` or `no-data`.
    pub call: String,
    /// Looks in a row.
    pub streak: u32,
    /// What was seen.
    pub words: String,
    /// Whether nothing may follow from it.
    pub shadow: bool,
}

/// A trigger.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct TriggerView {
    /// What it watches.
    pub name: String,
    /// `roll-back` or `pause`.
    pub action: String,
    /// Whether it has fired.
    pub fired: bool,
}

/// A note that somebody left.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct NoteView {
    /// Who.
    pub by: String,
    /// The note.
    pub note: String,
}

/// A line of what was done.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct LogView {
    /// When.
    pub at: String,
    /// Who.
    pub who: String,
    /// What.
    pub text: String,
}
