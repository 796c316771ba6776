//! A release as JSON.

use schemars::JsonSchema;
use serde::Serialize;

use super::time;
use crate::domain::approval::tally;
use crate::domain::hold::{Hold, HoldKind, HoldState};
use crate::domain::release::{Move, Release, StepStatus, Summary};
use crate::domain::waiting::{self, Waiting, Whom};
use crate::domain::{Actor, PersonName, Phase, State, Timestamp};

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
    /// `cancelled` or `superseded`.
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
    /// Who controls it.
    pub con: Option<String>,
    /// How much runs the new version, in percent; nothing before it was touched.
    pub exposure: Option<u8>,
    /// What it waits for.
    pub waiting: WaitingView,
    /// The votes that are needed, and who gave them.
    pub approval: Vec<NeedView>,
    /// All votes, the newest of each person.
    pub votes: Vec<VoteView>,
    /// The batches.
    pub batches: Vec<BatchView>,
    /// The observation period.
    pub observe: HoldView,
    /// The way back, once it goes back.
    pub back: Option<BackView>,
    /// The newest verdict of each metric.
    pub verdicts: Vec<VerdictView>,
    /// The triggers.
    pub triggers: Vec<TriggerView>,
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

/// What a release waits for.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct WaitingView {
    /// The hold; nothing between two holds.
    pub hold: Option<String>,
    /// In a word: `approval`, `bake`, `manual`, `paused` …
    pub word: String,
    /// In a sentence without its subject.
    pub what: String,
    /// On whom: `voters`, `control`, `clock`, `engine`, `release` or `instance`.
    pub on: String,
    /// Their names: groups, a release, an instance.
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
    /// `approve`, `reject`, `object` or `abstain`.
    pub choice: String,
    /// For which groups it can count.
    pub groups: Vec<String>,
    /// When.
    pub at: String,
    /// The comment; may be empty.
    pub comment: String,
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
    /// `approval`, `manual`, `dependency`, `window`, `health`, `bake`, `analysis` or `observe`.
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
    /// The version that was last seen there.
    pub runs: Option<String>,
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

/// The word of a phase.
pub const fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Waiting => "waiting",
        Phase::Rolling => "rolling",
        Phase::Observing => "observing",
        Phase::RollingBack => "rolling-back",
    }
}

/// Words as a stable name: `rolled back` is `rolled-back`.
fn kebab(words: &str) -> String {
    words.replace(' ', "-")
}

impl ReleaseView {
    /// A release that is not closed.
    pub fn live(state: &State, release: &Release, now: Timestamp) -> ReleaseView {
        ReleaseView {
            schema: "holdpoint.release/1",
            id: release.id.to_string(),
            name: release.plan.name.as_deref().map(str::to_owned),
            title: release.plan.title.to_string(),
            environment: release.plan.environment.to_string(),
            services: services(release),
            phase: phase(release.phase).to_owned(),
            since: time(release.since),
            submitted: time(release.submitted),
            ending: None,
            why: None,
            live: Some(LiveView::of(state, release, now)),
        }
    }

    /// A closed release.
    pub fn closed(summary: &Summary) -> ReleaseView {
        ReleaseView {
            schema: "holdpoint.release/1",
            id: summary.id.to_string(),
            name: summary.name.as_deref().map(str::to_owned),
            title: summary.title.to_string(),
            environment: summary.environment.to_string(),
            services: brought(summary),
            phase: "closed".to_owned(),
            since: time(summary.closed),
            submitted: time(summary.submitted),
            ending: Some(kebab(summary.ending.words())),
            why: Some(summary.why.to_string()),
            live: None,
        }
    }
}

impl ReleaseLine {
    /// A release that is not closed, as `who` sees it.
    pub fn live(
        state: &State,
        release: &Release,
        who: Option<&PersonName>,
        now: Timestamp,
    ) -> ReleaseLine {
        let waits = waiting::of(state, release, now);
        let turn = match waiting::group(state, release, &waits, who) {
            waiting::Group::NeedsYou => "you",
            waiting::Group::Moving => "moving",
            waiting::Group::Observed => "observed",
            waiting::Group::Waiting => "waiting",
        };
        ReleaseLine {
            schema: "holdpoint.release-line/1",
            id: release.id.to_string(),
            name: release.plan.name.as_deref().map(str::to_owned),
            title: release.plan.title.to_string(),
            environment: release.plan.environment.to_string(),
            services: services(release),
            phase: phase(release.phase).to_owned(),
            ending: None,
            turn: turn.to_owned(),
            exposure: release.exposed(),
            submitted: time(release.submitted),
            waiting: Some(WaitingView::of(release, &waits)),
        }
    }

    /// A closed release.
    pub fn closed(summary: &Summary) -> ReleaseLine {
        ReleaseLine {
            schema: "holdpoint.release-line/1",
            id: summary.id.to_string(),
            name: summary.name.as_deref().map(str::to_owned),
            title: summary.title.to_string(),
            environment: summary.environment.to_string(),
            services: brought(summary),
            phase: "closed".to_owned(),
            ending: Some(kebab(summary.ending.words())),
            turn: "closed".to_owned(),
            exposure: None,
            submitted: time(summary.submitted),
            waiting: None,
        }
    }
}

fn services(release: &Release) -> Vec<ServiceView> {
    let changes = release.plan.services.iter();
    changes
        .map(|change| ServiceView {
            service: change.service.to_string(),
            version: change.version.to_string(),
            digest: change.digest.to_string(),
        })
        .collect()
}

fn brought(summary: &Summary) -> Vec<ServiceView> {
    let services = summary.services.iter();
    services
        .map(|(service, version)| ServiceView {
            service: service.to_string(),
            version: version.to_string(),
            digest: String::new(),
        })
        .collect()
}

impl LiveView {
    fn of(state: &State, release: &Release, now: Timestamp) -> LiveView {
        let waits = waiting::of(state, release, now);
        let batches = release.batches.iter().map(|batch| BatchView {
            name: batch.name.to_string(),
            exposure: batch.exposure.percent(),
            began: batch.began.map(time),
            done: batch.done.map(time),
            before: batch.before.iter().map(HoldView::of).collect(),
            moves: moves(state, &batch.moves),
            after: batch.after.iter().map(HoldView::of).collect(),
        });
        LiveView {
            kind: release.plan.kind.word().to_owned(),
            digest: release.digest.to_string(),
            submitter: release.submitter.to_string(),
            paused: release.paused.as_ref().map(|paused| PausedView {
                by: paused.by.to_string(),
                since: time(paused.since),
                why: paused.why.to_string(),
            }),
            con: release.con.as_ref().map(ToString::to_string),
            exposure: release.exposed(),
            waiting: WaitingView::of(release, &waits),
            approval: needs(release),
            votes: votes(release),
            batches: batches.collect(),
            observe: HoldView::of(&release.observe),
            back: release.back.as_ref().map(|back| BackView {
                since: time(back.since),
                by: actor(&back.by),
                why: back.why.to_string(),
                moves: moves(state, &back.moves),
                hold: HoldView::of(&back.hold),
            }),
            verdicts: verdicts(release),
            triggers: triggers(release),
            handover: release.handover.as_ref().map(|(by, note)| NoteView {
                by: by.to_string(),
                note: note.to_string(),
            }),
            log: log(release),
            plan: serde_json::to_value(&*release.plan).unwrap_or_default(),
        }
    }
}

fn actor(who: &Actor) -> String {
    who.to_string()
}

impl WaitingView {
    fn of(release: &Release, waits: &Waiting) -> WaitingView {
        let (on, names) = match &waits.on {
            Whom::Voters(groups) => ("voters", groups.iter().map(ToString::to_string).collect()),
            Whom::Control => ("control", Vec::new()),
            Whom::Clock => ("clock", Vec::new()),
            Whom::Engine => ("engine", Vec::new()),
            Whom::Release(id) => ("release", vec![id.to_string()]),
            Whom::Instance(name) => ("instance", vec![name.to_string()]),
        };
        WaitingView {
            hold: release.hold().map(|hold| hold.id.to_string()),
            word: waits.word.to_owned(),
            what: waits.what.clone(),
            on: on.to_owned(),
            names,
            since: time(waits.since),
            due: waits.due.map(time),
            until: waits.until.map(time),
            then: waits.then.to_owned(),
            trouble: waits.trouble,
        }
    }
}

impl HoldView {
    fn of(hold: &Hold) -> HoldView {
        let mut view = HoldView {
            id: hold.id.to_string(),
            kind: hold.kind.word().to_owned(),
            state: "to-come".to_owned(),
            since: None,
            until: None,
            then: hold.deadline.then.words().to_owned(),
            overdue: false,
            cleared: None,
            by: None,
        };
        match &hold.state {
            HoldState::ToCome => {}
            HoldState::Open {
                since,
                until,
                overdue,
                ..
            } => {
                view.state = "open".to_owned();
                view.since = Some(time(*since));
                view.until = Some(time(*until));
                view.overdue = *overdue;
            }
            HoldState::Cleared { at, by } => {
                view.state = "cleared".to_owned();
                view.cleared = Some(time(*at));
                view.by = Some(by.to_string());
            }
        }
        view
    }
}

fn needs(release: &Release) -> Vec<NeedView> {
    let Some(HoldKind::Approval {
        needs,
        distinct_people,
    }) = release.approval().map(|hold| &hold.kind)
    else {
        return Vec::new();
    };
    let groups = tally(release, needs, *distinct_people).groups;
    groups
        .into_iter()
        .map(|(group, needs, have)| NeedView {
            group: group.to_string(),
            needs,
            have: have.iter().map(ToString::to_string).collect(),
        })
        .collect()
}

fn votes(release: &Release) -> Vec<VoteView> {
    let votes = release.votes.iter();
    votes
        .map(|(who, vote)| VoteView {
            who: who.to_string(),
            choice: vote.choice.word().to_owned(),
            groups: vote.groups.iter().map(ToString::to_string).collect(),
            at: time(vote.at),
            comment: vote.comment.to_string(),
        })
        .collect()
}

fn moves(state: &State, moves: &[Move]) -> Vec<MoveView> {
    let view = |m: &Move| MoveView {
        target: m.target.to_string(),
        instances: m
            .steps
            .iter()
            .map(|step| {
                let (status, why) = match &step.status {
                    StepStatus::ToDo => ("to-do", None),
                    StepStatus::Running => ("running", None),
                    StepStatus::Done => ("done", None),
                    StepStatus::Failed { why, .. } => ("failed", Some(why.to_string())),
                    StepStatus::Unknown { why } => ("unknown", Some(why.to_string())),
                };
                let seen = state.seen(&m.target, &step.instance).map(|s| &s.sight);
                InstanceView {
                    instance: step.instance.to_string(),
                    version: m.artifact_of(step).version.to_string(),
                    call: step.verb(&m.sequence).map(|verb| verb.word().to_owned()),
                    attempt: step.attempt,
                    status: status.to_owned(),
                    why,
                    seen: seen.map(|sight| health(sight.health).to_owned()),
                    runs: seen
                        .and_then(|sight| sight.artifact.as_ref())
                        .map(|artifact| artifact.version.to_string()),
                }
            })
            .collect(),
    };
    moves.iter().map(view).collect()
}

const fn health(health: crate::domain::Health) -> &'static str {
    use crate::domain::Health;
    match health {
        Health::Running => "running",
        Health::Changing => "changing",
        Health::Down => "down",
        Health::Unknown => "unknown",
    }
}

fn verdicts(release: &Release) -> Vec<VerdictView> {
    let verdicts = release.verdicts.values();
    verdicts
        .map(|verdict| VerdictView {
            metric: verdict.metric.to_string(),
            call: kebab(verdict.call.word()),
            streak: verdict.streak,
            words: verdict.words.to_string(),
        })
        .collect()
}

fn triggers(release: &Release) -> Vec<TriggerView> {
    let triggers = release.plan.triggers.iter().enumerate();
    triggers
        .map(|(n, trigger)| TriggerView {
            name: trigger.name().to_owned(),
            action: kebab(trigger.action.words()),
            fired: release.fired.contains(&n),
        })
        .collect()
}

fn log(release: &Release) -> Vec<LogView> {
    let lines = release.log.iter();
    lines
        .map(|line| LogView {
            at: time(line.at),
            who: actor(&line.who),
            text: line.text.to_string(),
        })
        .collect()
}
