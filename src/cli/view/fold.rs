//! From the domain to the shapes of JSON.

use super::holds::{CheckLine, DependencyView, TurnView, WaivedView};
use super::judged::{JudgementView, MetricView};
use super::policy::RulingView;
use super::release::{
    BackView, BatchView, ChangedView, HoldView, InstanceView, LiveView, LogView, MoveView,
    NeedView, NoteView, PausedView, PromotedView, ReleaseLine, ReleaseView, ServiceView,
    TriggerView, VerdictView, VoteView, WaitingView,
};
use super::time;
use super::workload::WorkloadView;
use crate::domain::approval::{Changed, tally};
use crate::domain::hold::{Hold, HoldKind, HoldState};
use crate::domain::live::Live;
use crate::domain::plan::Exposure;
use crate::domain::release::{Move, Release, StepStatus, Summary};
use crate::domain::waiting::{self, Waiting, Whom};
use crate::domain::{PersonName, Phase, State, Timestamp};
use crate::domain::{emergency, press};

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
pub(super) fn kebab(words: &str) -> String {
    words.replace(' ', "-")
}

impl ReleaseView {
    /// A release that is not closed.
    pub fn live(state: &State, live: &Live, release: &Release, now: Timestamp) -> ReleaseView {
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
            live: Some(LiveView::of(state, live, release, now)),
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
            waiting: Some(WaitingView::of(state, release, &waits, now)),
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
    fn of(state: &State, live: &Live, release: &Release, now: Timestamp) -> LiveView {
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
            promoted: release.promoted.as_ref().map(|promoted| PromotedView {
                by: promoted.by.to_string(),
                at: time(promoted.at),
                why: promoted.why.to_string(),
            }),
            con: release.con.as_ref().map(ToString::to_string),
            exposure: release.exposed(),
            waiting: WaitingView::of(state, release, &waits, now),
            ruling: release
                .ruling
                .as_ref()
                .map(|ruling| RulingView::of(Some(release.id.to_string()), ruling)),
            approval: needs(release, now),
            votes: votes(release),
            readiness: CheckLine::all(release, now),
            needs: DependencyView::all(state, release),
            queue: TurnView::of(state, release),
            waived: WaivedView::all(release),
            approved: release.approval().and_then(cleared),
            started: started(release),
            changed: release.changed.iter().map(changed).collect(),
            box_ends: emergency::box_end(release).map(time),
            batches: batches.collect(),
            observe: HoldView::of(&release.observe),
            back: release.back.as_ref().map(|back| BackView {
                since: time(back.since),
                by: back.by.to_string(),
                why: back.why.to_string(),
                moves: moves(state, &back.moves),
                hold: HoldView::of(&back.hold),
            }),
            workloads: WorkloadView::all(live, release.targets()),
            verdicts: verdicts(release),
            triggers: triggers(release),
            judgement: JudgementView::of(live, release),
            metrics: MetricView::all(live, release),
            handover: release.handover.as_ref().map(|(by, note)| NoteView {
                by: by.to_string(),
                note: note.to_string(),
            }),
            log: log(release),
            plan: serde_json::to_value(&*release.plan).unwrap_or_default(),
        }
    }
}

impl WaitingView {
    fn of(state: &State, release: &Release, waits: &Waiting, now: Timestamp) -> WaitingView {
        let (on, names) = match &waits.on {
            Whom::Voters(groups) => ("voters", groups.iter().map(ToString::to_string).collect()),
            Whom::Groups(groups) => ("groups", groups.iter().map(ToString::to_string).collect()),
            Whom::People(people) => ("people", people.iter().map(ToString::to_string).collect()),
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
            next: press::next(state, release, waits, now),
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

fn needs(release: &Release, now: Timestamp) -> Vec<NeedView> {
    let Some(HoldKind::Approval(terms)) = release.approval().map(|hold| &hold.kind) else {
        return Vec::new();
    };
    let groups = tally(release, terms, now).groups;
    groups
        .into_iter()
        .map(|(group, needs, have)| NeedView {
            group: group.to_string(),
            needs,
            have: have.iter().map(ToString::to_string).collect(),
        })
        .collect()
}

/// When a hold was cleared.
fn cleared(hold: &Hold) -> Option<String> {
    match hold.state {
        HoldState::Cleared { at, .. } => Some(time(at)),
        HoldState::ToCome | HoldState::Open { .. } => None,
    }
}

fn started(release: &Release) -> Option<String> {
    let pressed = release.holds().find(|h| h.id.as_str() == "start");
    let began = || release.batches.first()?.began.map(time);
    pressed.and_then(cleared).or_else(began)
}

fn changed(change: &Changed) -> ChangedView {
    ChangedView {
        by: change.by.to_string(),
        at: time(change.at),
        was: change.was.to_string(),
        changes: change.changes.iter().map(Into::into).collect(),
        voided: change.voided.iter().map(ToString::to_string).collect(),
    }
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
            lapses: release.terms().and_then(|t| t.lapses(vote)).map(time),
            overruled_by: vote.overruled.as_ref().map(|o| o.by.to_string()),
            overruled_why: vote.overruled.as_ref().map(|o| o.why.to_string()),
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
                    exposure: step.exposure.map(Exposure::percent),
                    call: step.verb(&m.sequence).map(|verb| verb.word().to_owned()),
                    attempt: step.attempt,
                    status: status.to_owned(),
                    why,
                    seen: seen.map(|sight| health(sight.health).to_owned()),
                    runs: seen
                        .and_then(|sight| sight.artifact.as_ref())
                        .map(|artifact| artifact.version.to_string()),
                    arriving: seen
                        .and_then(|sight| sight.arriving.as_ref())
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
            shadow: verdict.shadow,
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
            who: line.who.to_string(),
            text: line.text.to_string(),
        })
        .collect()
}
