//! What follows from the judge's verdicts: the plan's rule, its triggers, its analysis holds.

use super::Draft;
use crate::domain::event::What;
use crate::domain::hold::HoldKind;
use crate::domain::ids::ReleaseId;
use crate::domain::judge_rule::{OnInconclusive, OnPause, OnPromote, OnRollback};
use crate::domain::release::{Phase, Release};
use crate::domain::verdict::{Call, Decision, Judgement, MetricVerdict};
use crate::domain::wake::armed;

impl Draft {
    pub(super) fn looked(
        &mut self,
        id: ReleaseId,
        batch: usize,
        verdicts: &[MetricVerdict],
        judgements: &[Judgement],
    ) {
        let Some(release) = self.state.live.get(&id).cloned() else {
            return;
        };
        let present = release.batch().map_or(release.batches.len(), |(n, _)| n);
        if batch != present {
            return;
        }
        for verdict in verdicts {
            let known = release.verdicts.get(&verdict.metric);
            if known.is_none_or(|v| v.call != verdict.call || v.shadow != verdict.shadow) {
                self.push(What::Judged {
                    release: id,
                    verdict: verdict.clone(),
                });
            }
        }
        for (n, trigger) in armed(&release) {
            let tripped = verdicts.iter().find(|v| {
                Some(&v.metric) == trigger.metric.as_ref()
                    && v.call == Call::Fail
                    && v.streak >= trigger.looks
                    && !v.shadow
            });
            if let Some(verdict) = tripped {
                self.judged(id, &release, verdict);
                self.fire(id, n, format!("{}: {}", verdict.metric, verdict.seen()));
            }
        }
        for judgement in judgements {
            self.weighed(&release, judgement);
        }
        self.analysis(id, verdicts);
        self.advance(id);
    }

    /// Writes down a verdict that something follows from, where its call alone is no news.
    fn judged(&mut self, id: ReleaseId, before: &Release, verdict: &MetricVerdict) {
        if before
            .verdicts
            .get(&verdict.metric)
            .is_some_and(|v| v.call == verdict.call)
        {
            self.push(What::Judged {
                release: id,
                verdict: verdict.clone(),
            });
        }
    }

    /// Takes in what the judge says of the release. It is written down when it changes, and then
    /// what the plan says follows: so somebody who resumes is not stopped again for the same.
    fn weighed(&mut self, before: &Release, judgement: &Judgement) {
        let known = match judgement.shadow {
            true => &before.shadow,
            false => &before.judgement,
        };
        let decided = known
            .as_ref()
            .map(|known| known.decision)
            .unwrap_or_default();
        if decided == judgement.decision {
            self.promote_early(before, judgement);
            return;
        }
        self.push(What::Weighed {
            release: before.id,
            judgement: judgement.clone(),
        });
        if judgement.shadow {
            return;
        }
        // a trigger of the same look may have acted meanwhile
        let Some(release) = self.state.live.get(&before.id).cloned() else {
            return;
        };
        if !matches!(release.phase, Phase::Rolling | Phase::Observing) {
            return;
        }
        let rule = release.plan.judge;
        match judgement.decision {
            Decision::RollBack if rule.rollback == OnRollback::RollBack => {
                self.push_own(What::RollbackBegan {
                    release: release.id,
                    why: told(judgement).into(),
                });
            }
            Decision::RollBack if rule.rollback == OnRollback::Pause => {
                self.stand_still(&release, judgement);
            }
            Decision::Pause if rule.pause == OnPause::Pause => {
                self.stand_still(&release, judgement);
            }
            Decision::Inconclusive if rule.inconclusive == OnInconclusive::Pause => {
                self.stand_still(&release, judgement);
            }
            _ => self.promote_early(&release, judgement),
        }
    }

    fn stand_still(&mut self, release: &Release, judgement: &Judgement) {
        if release.paused.is_none() {
            self.push_own(What::Paused {
                release: release.id,
                why: told(judgement).into(),
            });
        }
    }

    /// Clears the bakes and analyses of the present batch before their time; whatever else holds
    /// the release holds it.
    fn promote_early(&mut self, before: &Release, judgement: &Judgement) {
        let wanted = judgement.decision == Decision::Promote
            && before.plan.judge.promote == OnPromote::GoOn
            && !judgement.shadow;
        let Some((batch, _)) = before.batch().filter(|_| wanted) else {
            return;
        };
        while let Some(release) = self.state.live.get(&before.id).cloned() {
            let Some(hold) = release.hold().filter(|hold| hold.open().is_some()) else {
                return;
            };
            let timed = matches!(hold.kind, HoldKind::Bake { .. } | HoldKind::Analysis { .. });
            let of_batch = release.batch().is_some_and(|(n, b)| {
                n == batch && b.after.iter().any(|after| after.id == hold.id)
            });
            let calm = self.state.troubled(&release).next().is_none();
            if !timed || !of_batch || !calm || release.paused.is_some() {
                return;
            }
            let hold = hold.id.clone();
            self.clear(release.id, &hold, judgement.reason.to_string());
            self.advance(release.id);
        }
    }

    /// Stands still where a bake is over, nothing is proven and the plan wants proof.
    pub(super) fn unproven(&mut self, id: ReleaseId) {
        let Some(release) = self.state.live.get(&id).cloned() else {
            return;
        };
        let Some(hold) = release.hold().filter(|hold| hold.open().is_some()) else {
            return;
        };
        let over = matches!(hold.kind, HoldKind::Bake { .. })
            && hold.due().is_some_and(|due| due <= self.now());
        let passed = release.waived.contains_key(&hold.id) || release.promoted.is_some();
        if over && !passed && release.paused.is_none() && release.lacks_proof(hold) {
            self.push_own(What::StepUnproven {
                release: id,
                hold: hold.id.clone(),
            });
        }
    }

    fn analysis(&mut self, id: ReleaseId, verdicts: &[MetricVerdict]) {
        let Some(release) = self.state.live.get(&id).cloned() else {
            return;
        };
        let Some(hold) = release.hold().filter(|h| h.open().is_some()) else {
            return;
        };
        let HoldKind::Analysis { metrics, passes } = &hold.kind else {
            return;
        };
        let proven = metrics.iter().all(|name| {
            let mut of = verdicts.iter().filter(|v| v.metric == *name).peekable();
            let proof =
                |v: &MetricVerdict| v.call == Call::Pass && v.streak >= *passes && !v.shadow;
            of.peek().is_some() && of.all(proof)
        });
        if proven
            && release.paused.is_none()
            && !release.judge_bars()
            && self.state.troubled(&release).next().is_none()
        {
            for verdict in verdicts.iter().filter(|v| metrics.contains(&v.metric)) {
                self.judged(id, &release, verdict);
            }
            let hold = hold.id.clone();
            self.clear(id, &hold, format!("{passes} looks in a row pass"));
        }
    }
}

/// Why something follows from a judgement, for the log and for people: what is to blame, and why.
fn told(judgement: &Judgement) -> String {
    let blamed: Vec<&str> = judgement.blamed.iter().map(|m| m.as_str()).collect();
    match blamed.as_slice() {
        [] => format!("the judge: {}", judgement.reason),
        blamed => format!("the judge: {} ({})", judgement.reason, blamed.join(", ")),
    }
}
