//! Folding an event into the state. Total: an event of the ledger never fails here.

use std::collections::BTreeSet;
use std::sync::Arc;

use imbl::OrdMap;

use super::approval;
use super::authority;
use super::calendar;
use super::charter::Charter;
use super::compile;
use super::effect::{Outcome, Verb};
use super::event::{Event, What};
use super::hold::{HoldKind, HoldState};
use super::ids::{Artifact, ReleaseId, TargetName, Timestamp};
use super::log;
use super::needs::Need;
use super::pir;
use super::plan::{Plan, TriggerAction};
use super::readiness::{self, Proof, Told};
use super::release::{
    Back, Batch, Ending, LOG_LINES, Move, Paused, Phase, Promoted, Release, Step, StepStatus,
    Summary, Vote,
};
use super::ruling;
use super::state::{Seen, State};
use super::waiver::Waived;

/// Folds one event into the state.
pub fn apply(state: &mut State, event: &Event) {
    state.seq += 1;
    state.now = state.now.max(event.at);
    match &event.what {
        What::CharterAdopted { charter, digest } => {
            state.charter = charter.clone();
            state.charter_digest = digest.clone();
            recompile(state);
        }
        What::InstanceSeen { target, sight } => {
            let seen = Seen {
                sight: sight.clone(),
                since: event.at,
            };
            let mut record = state.targets.get(target).cloned().unwrap_or_default();
            Arc::make_mut(&mut record).insert(sight.instance.clone(), seen);
            state.targets.insert(target.clone(), record);
            for id in state.on.get(target).cloned().unwrap_or_default() {
                rewake(state, id);
            }
        }
        What::Submitted {
            release,
            plan,
            digest,
        } => submitted(state, event, *release, plan, digest),
        What::Closed {
            release,
            ending,
            why,
        } => {
            let Some(old) = state.live.remove(release) else {
                return;
            };
            forget(state, &old);
            if *ending == Ending::Succeeded {
                let place = &old.plan.environment;
                for change in &old.plan.services {
                    let proof = (place.clone(), change.service.clone(), change.digest.clone());
                    state.proven.insert(proof);
                }
            }
            let summary = Summary {
                id: *release,
                name: old.plan.name.clone(),
                title: old.plan.title.clone(),
                environment: old.plan.environment.clone(),
                services: old
                    .plan
                    .services
                    .iter()
                    .map(|s| (s.service.clone(), s.version.clone()))
                    .collect(),
                ending: *ending,
                submitted: old.submitted,
                closed: event.at,
                why: why.clone(),
            };
            state.closed.insert(*release, Arc::new(summary));
        }
        What::Authority(told) => authority::apply(state, told, event.who.person(), event.at),
        What::Pir(told) => {
            pir::apply(state, told, event.who.person(), event.at);
            if let Some(release) = state.live.get_mut(&told.release()) {
                note(Arc::make_mut(release), event);
            }
        }
        What::Approval(approval::Told::PlanChanged { release, .. }) => {
            reshape(state, *release, |release, charter| {
                approval::replan(release, charter, event);
                note(release, event);
            });
        }
        What::Calendar(told) if event.what.release().is_none() => {
            Arc::make_mut(&mut state.calendar).apply(event, told);
        }
        what => {
            let Some(id) = what.release() else { return };
            let Some(slot) = state.live.get_mut(&id) else {
                return;
            };
            let release = Arc::make_mut(slot);
            change(release, event);
            note(release, event);
            rewake(state, id);
        }
    }
}

fn submitted(state: &mut State, event: &Event, id: ReleaseId, plan: &Arc<Plan>, digest: &Arc<str>) {
    state.last_id = state.last_id.max(id.0);
    let Some(submitter) = event.who.person().cloned() else {
        return;
    };
    let mut release = Release {
        id,
        plan: plan.clone(),
        digest: digest.clone(),
        submitter,
        submitted: event.at,
        phase: Phase::Waiting,
        since: event.at,
        paused: None,
        promoted: None,
        con: None,
        ruling: None,
        votes: Default::default(),
        evidence: Default::default(),
        waived: Default::default(),
        box_warned: false,
        changed: Vec::new(),
        batches: compile::batches(plan, &state.charter),
        observe: compile::observe(plan),
        back: None,
        was: Vec::new(),
        verdicts: Default::default(),
        judgement: None,
        shadow: None,
        unproven: Vec::new(),
        fired: Vec::new(),
        finding: None,
        handover: None,
        log: Vec::new(),
        calendar: None,
        wake: None,
    };
    note(&mut release, event);
    remember(state, &release);
    state.live.insert(id, Arc::new(release));
    rewake(state, id);
}

/// Puts a release into the indexes of targets.
fn remember(state: &mut State, release: &Release) {
    for target in release.targets() {
        let ids = state.on.entry(target.clone()).or_default();
        ids.push(release.id);
    }
    for target in looked_at(release) {
        let ids = state.looked_at.entry(target.clone()).or_default();
        ids.push(release.id);
    }
}

/// The targets whose versions a release needs to know, each once.
fn looked_at(release: &Release) -> BTreeSet<&TargetName> {
    let needs = release.holds().flat_map(|hold| match &hold.kind {
        HoldKind::Dependency { needs } => needs.as_slice(),
        _ => &[],
    });
    let targets = needs.filter_map(|need| match need {
        Need::Version { targets, .. } => Some(targets),
        _ => None,
    });
    targets.flatten().collect()
}

/// Takes a release that is over out of the indexes.
fn forget(state: &mut State, old: &Release) {
    let moved = old.targets();
    for target in &moved {
        take_out(&mut state.on, target, old.id);
    }
    let looked_at = looked_at(old);
    for target in &looked_at {
        take_out(&mut state.looked_at, target, old.id);
    }
    for target in moved.into_iter().chain(looked_at) {
        if !state.watches(target) {
            state.targets.remove(target);
        }
    }
    state.onlookers.remove(&old.id);
    if let Some(at) = old.wake {
        state.wakes.remove(&(at, old.id));
    }
}

fn take_out(index: &mut OrdMap<TargetName, Vec<ReleaseId>>, target: &TargetName, id: ReleaseId) {
    if let Some(ids) = index.get_mut(target) {
        ids.retain(|other| *other != id);
        if ids.is_empty() {
            index.remove(target);
        }
    }
}

/// A changed charter changes the batches of releases that have not begun: their targets may have
/// other instances now. What they have passed stays passed.
fn recompile(state: &mut State) {
    // what runs on a target does not change with the rules
    let seen = state.targets.clone();
    let waiting: Vec<ReleaseId> = state
        .live
        .iter()
        .filter(|(_, r)| r.phase == Phase::Waiting)
        .map(|(id, _)| *id)
        .collect();
    for id in waiting {
        reshape(state, id, |release, charter| {
            let mut batches = compile::batches(&release.plan, charter);
            for hold in batches
                .iter_mut()
                .flat_map(|b| b.before.iter_mut().chain(&mut b.after))
            {
                if let Some(before) = release.holds().find(|h| h.id == hold.id) {
                    hold.state = before.state.clone();
                }
            }
            for (batch, old) in batches.iter_mut().zip(&release.batches) {
                let kept = old.before.iter();
                batch
                    .before
                    .extend(kept.filter(|h| h.kind == HoldKind::Calendar).cloned());
            }
            release.batches = batches;
            ruling::settle(release);
        });
    }
    for (target, record) in seen
        .iter()
        .filter(|(target, _)| state.watches(target))
        .collect::<Vec<_>>()
    {
        state.targets.insert(target.clone(), record.clone());
    }
}

/// Changes the batches of a release, with the indexes that follow from them.
fn reshape(state: &mut State, id: ReleaseId, change: impl FnOnce(&mut Release, &Charter)) {
    let charter = state.charter.clone();
    let Some(old) = state.live.get(&id).cloned() else {
        return;
    };
    forget(state, &old);
    let mut release = (*old).clone();
    change(&mut release, &charter);
    release.wake = None;
    remember(state, &release);
    state.live.insert(id, Arc::new(release));
    rewake(state, id);
}

/// What an event changes in its release.
#[expect(clippy::too_many_lines, reason = "one short arm for each event")]
fn change(release: &mut Release, event: &Event) {
    let at = event.at;
    match &event.what {
        What::Voted {
            choice,
            groups,
            comment,
            ..
        } => {
            if let Some(who) = event.who.person() {
                let vote = Vote {
                    choice: *choice,
                    groups: groups.clone(),
                    at,
                    comment: comment.clone(),
                    overruled: None,
                };
                release.votes.insert(who.clone(), vote);
            }
        }
        What::Ruled { ruling, .. } => ruling::take(release, ruling),
        What::Approval(told) => approval::apply(release, told, event),
        What::HoldOpened { hold, until, .. } => {
            release.finding = None;
            set_hold(release, hold, |state| {
                *state = HoldState::Open {
                    since: at,
                    until: *until,
                    warned: false,
                    overdue: false,
                };
            });
        }
        What::HoldCleared { hold, by, .. } => {
            if hold.as_str() == "start" {
                release.con = event.who.person().cloned();
            }
            set_hold(release, hold, |state| {
                *state = HoldState::Cleared { at, by: by.clone() };
            });
        }
        What::HoldReopened { hold, until, .. } => set_hold(release, hold, |state| {
            *state = HoldState::Open {
                since: at,
                until: *until,
                warned: false,
                overdue: false,
            };
        }),
        What::Waived { hold, reason, .. } => {
            if let Some(by) = event.who.person().cloned() {
                let reason = reason.clone();
                release
                    .waived
                    .insert(hold.clone(), Waived { by, at, reason });
            }
        }
        What::Readiness(Told::Evidence {
            check, evidence, ..
        }) => {
            let proof = Proof {
                evidence: evidence.clone(),
                by: event.who.clone(),
                at,
                artifacts: readiness::artifacts(&release.plan),
            };
            release.evidence.insert(check.clone(), proof);
        }
        What::HoldWarned { hold, .. } => set_hold(release, hold, |state| {
            if let HoldState::Open { warned, .. } = state {
                *warned = true;
            }
        }),
        What::DeadlinePassed { hold, .. } => set_hold(release, hold, |state| {
            if let HoldState::Open {
                warned, overdue, ..
            } = state
            {
                *warned = true;
                *overdue = true;
            }
        }),
        What::Started { con, was, .. } => {
            release.con = con.clone().or(release.con.take());
            release.was = was.clone();
            enter(release, Phase::Rolling, at);
        }
        What::BatchBegan { batch, .. } => {
            release.verdicts.clear();
            release.judgement = None;
            release.shadow = None;
            if let Some(batch) = release.batches.get_mut(*batch) {
                batch.began = Some(at);
            }
        }
        What::BatchDone { batch, .. } => {
            if let Some(batch) = release.batches.get_mut(*batch) {
                batch.done = Some(at);
            }
        }
        What::Paused { why, .. } => {
            release.paused = Some(Paused {
                since: at,
                by: event.who.clone(),
                why: why.clone(),
            });
        }
        What::PromotedAll { why, .. } => {
            release.con = event.who.person().cloned().or(release.con.take());
            release.promoted = event.who.person().map(|by| Promoted {
                by: by.clone(),
                at,
                why: why.clone(),
            });
            release.skip_shares();
        }
        What::Resumed { .. } => {
            release.con = event.who.person().cloned().or(release.con.take());
            release.paused = None;
        }
        What::TriggerFired { trigger, words, .. } => {
            release.fired.push(*trigger);
            if release
                .plan
                .triggers
                .get(*trigger)
                .is_some_and(|t| t.action == TriggerAction::Pause)
            {
                release.paused = Some(Paused {
                    since: at,
                    by: event.who.clone(),
                    why: words.clone(),
                });
            }
        }
        What::Calendar(told) => looked(release, told, at),
        What::RollbackBegan { why, .. } => {
            release.paused = None;
            release.calendar = None;
            release.con = event.who.person().cloned().or(release.con.take());
            release.back = Some(Back {
                since: at,
                by: event.who.clone(),
                why: why.clone(),
                moves: way_back(release),
                hold: compile::back_hold(),
            });
            enter(release, Phase::RollingBack, at);
        }
        What::Judged { verdict, .. } => {
            release
                .verdicts
                .insert(verdict.metric.clone(), verdict.clone());
        }
        What::Weighed { judgement, .. } => {
            let place = match judgement.shadow {
                true => &mut release.shadow,
                false => &mut release.judgement,
            };
            *place = Some(judgement.clone());
        }
        What::StepUnproven { hold, .. } => {
            release.unproven.push(hold.clone());
            release.paused = Some(Paused {
                since: at,
                by: event.who.clone(),
                why: "the step is over without proof that the new version is good enough".into(),
            });
        }
        What::Found { finding, .. } => release.finding = Some(finding.clone()),
        What::ObservationBegan { .. } => {
            release.calendar = None;
            enter(release, Phase::Observing, at);
        }
        What::HandedOver { note, .. } => {
            release.handover = event.who.person().cloned().map(|who| (who, note.clone()));
        }
        What::EffectBegun { effect } => {
            if let Some((_, step)) = find_step(release, |m, s, place| {
                m.effect(effect.release, place, s)
                    .is_some_and(|e| e.id == effect.id)
            }) {
                step.status = StepStatus::Running;
                step.since = at;
            }
        }
        What::EffectEnded {
            effect,
            outcome,
            again,
            ..
        } => {
            let id = release.id;
            if let Some((calls, step)) = find_step(release, |m, s, place| {
                s.status == StepStatus::Running
                    && m.effect(id, place, s).is_some_and(|e| e.id == *effect)
            }) {
                ended(step, calls, outcome, *again, at);
            }
        }
        What::StepRetried {
            target, instance, ..
        } => {
            let going_back = release.back.is_some();
            if let Some((_, step)) = find_step(release, |m, s, place| {
                m.target == *target
                    && s.instance == *instance
                    && (place == "back") == going_back
                    && matches!(
                        s.status,
                        StepStatus::Failed { .. } | StepStatus::Unknown { .. }
                    )
            }) {
                step.attempt += 1;
                step.status = StepStatus::ToDo;
                step.since = at;
            }
        }
        What::CharterAdopted { .. }
        | What::Authority(_)
        | What::Pir(_)
        | What::WritingResumed { .. }
        | What::Submitted { .. }
        | What::InstanceSeen { .. }
        | What::Closed { .. } => {}
    }
}

/// What the calendar says; where it bars the next batch, a hold stands before it.
fn looked(release: &mut Release, told: &calendar::Told, at: Timestamp) {
    let calendar::Told::Looked { answer, .. } = told else {
        return;
    };
    let barred = !answer.bars.is_empty();
    release.calendar = Some(answer.clone());
    let Some((n, _)) = release.batch().filter(|(_, b)| b.began.is_none() && barred) else {
        return;
    };
    let mut hold = compile::calendar_hold(n);
    let Some(batch) = release.batches.get_mut(n) else {
        return;
    };
    if batch
        .before
        .iter()
        .any(|h| h.id == hold.id && h.open().is_some())
    {
        return;
    }
    hold.state = HoldState::Open {
        since: at,
        until: hold.until(at),
        warned: false,
        overdue: false,
    };
    batch.before.retain(|h| h.id != hold.id);
    batch.before.push(hold);
}

fn enter(release: &mut Release, phase: Phase, at: Timestamp) {
    release.phase = phase;
    release.since = at;
}

fn set_hold(release: &mut Release, id: &super::ids::HoldId, f: impl FnOnce(&mut HoldState)) {
    if let Some(hold) = release.hold_mut(id) {
        f(&mut hold.state);
    }
}

/// The first step that fits, with the length of its move's sequence.
fn find_step(
    release: &mut Release,
    fits: impl Fn(&Move, &Step, &str) -> bool,
) -> Option<(usize, &mut Step)> {
    let forward = release
        .batches
        .iter_mut()
        .enumerate()
        .flat_map(|(n, Batch { moves, .. })| moves.iter_mut().map(move |m| (n, m)));
    let found = forward
        .map(|(n, m)| (format!("b{}", n + 1), m))
        .chain(
            release
                .back
                .iter_mut()
                .flat_map(|b| &mut b.moves)
                .map(|m| ("back".to_owned(), m)),
        )
        .find_map(|(place, m)| {
            let n = m.steps.iter().position(|s| fits(m, s, &place))?;
            Some((m, n))
        });
    let (m, n) = found?;
    let calls = m.sequence.len();
    m.steps.get_mut(n).map(|step| (calls, step))
}

fn ended(
    step: &mut Step,
    calls: usize,
    outcome: &Outcome,
    again: Option<Timestamp>,
    at: Timestamp,
) {
    step.since = at;
    step.status = match outcome {
        Outcome::Done { .. } => {
            step.call += 1;
            step.attempt = 1;
            if step.call == calls {
                StepStatus::Done
            } else {
                StepStatus::ToDo
            }
        }
        Outcome::Failed { why, .. } => StepStatus::Failed {
            why: why.to_string().into(),
            again,
        },
        Outcome::Unknown { why } => StepStatus::Unknown { why: why.clone() },
    };
}

/// The moves that undo what the release has touched: every touched instance goes back to what ran
/// on it before.
fn way_back(release: &Release) -> Vec<Move> {
    let mut moves: Vec<Move> = Vec::new();
    for batch in &release.batches {
        for forward in &batch.moves {
            for step in forward.steps.iter().filter(|s| s.touched()) {
                let Some(was) = release.was(&forward.target, &step.instance) else {
                    continue;
                };
                let n = moves.iter().position(|m| m.target == forward.target);
                let n = n.unwrap_or_else(|| {
                    moves.push(back_move(forward, was));
                    moves.len() - 1
                });
                // of an instance moved share by share the first step is enough: it goes back whole
                if moves[n].steps.iter().any(|s| s.instance == step.instance) {
                    continue;
                }
                let mut back = Step::new(step.instance.clone());
                back.to = (moves[n].artifact != *was).then(|| was.clone());
                moves[n].steps.push(back);
            }
        }
    }
    moves
}

fn back_move(forward: &Move, was: &Artifact) -> Move {
    let sequence = forward
        .sequence
        .iter()
        .map(|verb| match verb {
            Verb::Deploy => Verb::Rollback,
            other => *other,
        })
        .collect();
    Move {
        target: forward.target.clone(),
        artifact: was.clone(),
        parallel: forward.parallel,
        sequence,
        steps: Vec::new(),
    }
}

fn note(release: &mut Release, event: &Event) {
    if let Some(line) = log::line(release, event) {
        if release.log.len() == LOG_LINES {
            release.log.remove(0);
        }
        release.log.push(line);
    }
}

/// Whether a release stands where another release's step, or what runs elsewhere, may let it go on.
fn onlooker(release: &Release) -> bool {
    let waits = |kind: &HoldKind| match kind {
        HoldKind::Queue => true,
        HoldKind::Dependency { needs } => !needs.is_empty(),
        _ => false,
    };
    release.phase == Phase::Waiting
        && release.paused.is_none()
        && release.hold().is_some_and(|hold| waits(&hold.kind))
}

/// Brings the indexes of onlookers and of wake times up to date for one release.
fn rewake(state: &mut State, id: ReleaseId) {
    let Some(release) = state.live.get(&id).cloned() else {
        return;
    };
    if onlooker(&release) {
        state.onlookers.insert(id);
    } else {
        state.onlookers.remove(&id);
    }
    let wake = super::wake::of(state, &release);
    if wake == release.wake {
        return;
    }
    if let Some(old) = release.wake {
        state.wakes.remove(&(old, id));
    }
    if let Some(new) = wake {
        state.wakes.insert((new, id));
    }
    drop(release);
    if let Some(slot) = state.live.get_mut(&id) {
        Arc::make_mut(slot).wake = wake;
    }
}
