//! What the engine hands in: the charter, the clock, effects, sights, findings, verdicts.

use super::Draft;
use crate::domain::canonical;
use crate::domain::command::{Actor, Ask};
use crate::domain::effect::{Failure, Outcome, Sight};
use crate::domain::event::What;
use crate::domain::hold::{HoldKind, HoldState};
use crate::domain::ids::{EffectId, HoldId, ReleaseId, Span, TargetName, Timestamp};
use crate::domain::plan::{AtDeadline, OnFailure, TriggerAction};
use crate::domain::refusal::Refusal;
use crate::domain::release::{Ending, Finding, Phase, Release, StepStatus};
use crate::domain::wake::{armed, trips_at};
use crate::domain::wanted::wanted;

/// How often a call that certainly never began is made again where the target says nothing.
const RETRIES_NOT_STARTED: u32 = 2;

impl Draft {
    pub(super) fn machine(&mut self, who: &Actor, ask: &Ask) -> Result<(), Refusal> {
        if *who != Actor::Engine {
            return Err(Refusal::EngineOnly);
        }
        match ask {
            Ask::Adopt(charter) => {
                let digest = canonical::digest(charter);
                if *digest != *self.state.charter_digest {
                    self.push(What::CharterAdopted {
                        charter: charter.clone(),
                        digest: digest.into(),
                    });
                    self.advance_waiting();
                    self.calendar_changed();
                }
            }
            Ask::Wake => self.wake(),
            Ask::Mended { since } => self.push(What::WritingResumed { since: *since }),
            Ask::Begin(ids) => self.begin(ids),
            Ask::Ended {
                effect,
                release,
                outcome,
            } => self.ended(*release, effect, outcome),
            Ask::Seen { target, sights } => self.seen(target, sights),
            Ask::Found {
                release,
                hold,
                finding,
            } => self.found(*release, hold, finding),
            Ask::Looked {
                release,
                batch,
                verdicts,
                judgements,
            } => self.looked(*release, *batch, verdicts, judgements),
            Ask::Submit { .. }
            | Ask::Vote { .. }
            | Ask::Ruled { .. }
            | Ask::Readiness(_)
            | Ask::Waive { .. }
            | Ask::Approval(_)
            | Ask::Authority(_)
            | Ask::Pir(_)
            | Ask::Calendar(_)
            | Ask::Control { .. } => {}
        }
        Ok(())
    }

    fn advance_waiting(&mut self) {
        let waiting: Vec<ReleaseId> = self
            .state
            .live
            .iter()
            .filter(|(_, r)| r.phase == Phase::Waiting)
            .map(|(id, _)| *id)
            .collect();
        for id in waiting {
            self.advance(id);
        }
    }

    fn wake(&mut self) {
        let now = self.now();
        let due: Vec<ReleaseId> = self
            .state
            .wakes
            .iter()
            .take_while(|(at, _)| *at <= now)
            .map(|(_, id)| *id)
            .collect();
        for id in due {
            self.time_box(id);
            self.reopen(id);
            self.calendar_turn(id);
            self.deadlines(id);
            self.retries(id);
            self.instance_triggers(id);
            self.unproven(id);
            self.advance(id);
        }
    }

    fn deadlines(&mut self, id: ReleaseId) {
        let Some(release) = self.state.live.get(&id).cloned() else {
            return;
        };
        let Some(hold) = release.hold() else { return };
        let HoldState::Open {
            until,
            warned,
            overdue,
            ..
        } = hold.state
        else {
            return;
        };
        let now = self.now();
        if !overdue && now >= until {
            self.push_own(What::DeadlinePassed {
                release: id,
                hold: hold.id.clone(),
                then: hold.deadline.then,
            });
            self.at_deadline(&release, hold.deadline.then, hold.kind.word());
        } else if !warned && now >= until.minus(hold.deadline.warn) {
            self.push_own(What::HoldWarned {
                release: id,
                hold: hold.id.clone(),
            });
        }
    }

    fn at_deadline(&mut self, release: &Release, then: AtDeadline, hold: &str) {
        let moved = release.touched().next().is_some();
        match then {
            AtDeadline::HoldOn => {}
            AtDeadline::RollBack if moved && release.phase != Phase::RollingBack => {
                self.push_own(What::RollbackBegan {
                    release: release.id,
                    why: format!("the deadline of its {hold} hold is over").into(),
                });
            }
            AtDeadline::Expire | AtDeadline::RollBack if !moved => self.close(
                release.id,
                Ending::Expired,
                format!("the deadline of its {hold} hold came before anything moved"),
            ),
            AtDeadline::Expire | AtDeadline::RollBack => {}
        }
    }

    fn retries(&mut self, id: ReleaseId) {
        let Some(release) = self.state.live.get(&id).cloned() else {
            return;
        };
        let now = self.now();
        for m in release.moving().into_iter().flat_map(|(_, moves)| moves) {
            for step in &m.steps {
                if matches!(step.status, StepStatus::Failed { again: Some(at), .. } if at <= now) {
                    self.push_own(What::StepRetried {
                        release: id,
                        target: m.target.clone(),
                        instance: step.instance.clone(),
                    });
                }
            }
        }
    }

    fn instance_triggers(&mut self, id: ReleaseId) {
        let Some(release) = self.state.live.get(&id).cloned() else {
            return;
        };
        let now = self.now();
        for (n, trigger) in armed(&release) {
            let Some(span) = trigger.instances_down else {
                continue;
            };
            if trips_at(&self.state, &release, trigger).is_some_and(|at| at <= now) {
                let names: Vec<String> = self
                    .state
                    .troubled(&release)
                    .map(|(target, instance, _)| format!("{target} {instance}"))
                    .collect();
                let words = format!("{} not running for {span}", names.join(", "));
                self.fire(id, n, words);
            }
        }
    }

    /// A trigger fires: once, and what it says happens at once.
    pub(super) fn fire(&mut self, id: ReleaseId, trigger: usize, words: String) {
        let Some(release) = self.state.live.get(&id).cloned() else {
            return;
        };
        let Some(rule) = release.plan.triggers.get(trigger) else {
            return;
        };
        if release.phase == Phase::RollingBack {
            return;
        }
        self.push_own(What::TriggerFired {
            release: id,
            trigger,
            words: words.clone().into(),
        });
        if rule.action == TriggerAction::RollBack {
            self.push_own(What::RollbackBegan {
                release: id,
                why: words.into(),
            });
        }
    }

    fn begin(&mut self, ids: &[EffectId]) {
        let mut releases: Vec<ReleaseId> = ids
            .iter()
            .filter_map(|id| id.as_str().split('.').next()?.parse().ok())
            .collect();
        releases.sort();
        releases.dedup();
        for release in releases {
            for effect in wanted(&self.state, release) {
                if ids.contains(&effect.id) {
                    self.push_own(What::EffectBegun { effect });
                }
            }
        }
    }

    fn ended(&mut self, id: ReleaseId, effect: &EffectId, outcome: &Outcome) {
        let Some(release) = self.state.live.get(&id).cloned() else {
            return;
        };
        let Some((forward, attempt, target)) = running(&release, effect) else {
            // reported twice, or long settled
            return;
        };
        let limits = self.state.charter.targets.get(&target);
        let again = match outcome {
            Outcome::Failed { why, .. } if !forward || release.back.is_none() => {
                let allowed = limits.map_or(0, |t| t.retries);
                let allowed = match why {
                    Failure::NotStarted(_) => allowed.max(RETRIES_NOT_STARTED),
                    _ => allowed,
                };
                let backoff = limits.map_or(Span::secs(5), |t| t.backoff);
                (attempt <= allowed).then(|| backed_off(self.now(), backoff, attempt))
            }
            _ => None,
        };
        self.push_own(What::EffectEnded {
            release: id,
            effect: effect.clone(),
            outcome: outcome.clone(),
            again,
        });
        if let Outcome::Failed { why, .. } = outcome
            && again.is_none()
            && forward
            && release.back.is_none()
            && release.plan.on_failure == OnFailure::RollBack
        {
            self.push_own(What::RollbackBegan {
                release: id,
                why: format!(
                    "{} failed: {why}",
                    super::super::log::instance_of(effect.as_str())
                )
                .into(),
            });
        }
        self.advance(id);
    }

    fn seen(&mut self, target: &TargetName, sights: &[Sight]) {
        if !self.state.watches(target) {
            return;
        }
        // those that only look at it are seen to when the command is settled
        let ids = self.state.on.get(target).cloned().unwrap_or_default();
        let before = self.events.len();
        for sight in sights {
            let same = self.state.seen(target, &sight.instance).is_some_and(|s| {
                s.sight.health == sight.health
                    && s.sight.artifact == sight.artifact
                    && s.sight.arriving == sight.arriving
            });
            if !same {
                self.push(What::InstanceSeen {
                    target: target.clone(),
                    sight: sight.clone(),
                });
            }
        }
        if self.events.len() > before {
            for id in ids {
                self.advance(id);
            }
        }
    }

    fn found(&mut self, id: ReleaseId, hold: &HoldId, finding: &Finding) {
        let Some(release) = self.state.live.get(&id).cloned() else {
            return;
        };
        let Some(open) = release
            .hold()
            .filter(|h| h.id == *hold && h.open().is_some())
        else {
            return;
        };
        let HoldKind::Health { passes, .. } = open.kind else {
            return;
        };
        let passed = finding.pass
            && finding.rounds >= passes
            && self.state.troubled(&release).next().is_none();
        let news = release
            .finding
            .as_ref()
            .is_none_or(|f| f.pass != finding.pass || f.words != finding.words);
        if news || passed {
            self.push(What::Found {
                release: id,
                hold: hold.clone(),
                finding: finding.clone(),
            });
        }
        if passed && release.paused.is_none() {
            self.clear(id, hold, finding.words.to_string());
            self.advance(id);
        }
    }
}

/// Which step an effect in flight belongs to: whether it goes forward, its attempt and its target.
fn running(release: &Release, effect: &EffectId) -> Option<(bool, u32, TargetName)> {
    let forward = release.batches.iter().enumerate().flat_map(|(n, b)| {
        b.moves
            .iter()
            .map(move |m| (format!("b{}", n + 1), true, m))
    });
    let back = release
        .back
        .iter()
        .flat_map(|b| b.moves.iter().map(|m| ("back".to_owned(), false, m)));
    forward.chain(back).find_map(|(place, forward, m)| {
        let step = m.steps.iter().find(|s| {
            s.status == StepStatus::Running
                && m.effect(release.id, &place, s)
                    .is_some_and(|e| e.id == *effect)
        })?;
        Some((forward, step.attempt, m.target.clone()))
    })
}

fn backed_off(now: Timestamp, first: Span, attempt: u32) -> Timestamp {
    let factor = 1u64 << attempt.saturating_sub(1).min(10);
    now.plus(Span(first.0.saturating_mul(factor)))
}
