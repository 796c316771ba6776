//! Walking a release on as far as its holds let it.

use std::collections::BTreeSet;

use super::Draft;
use crate::domain::approval::tally;
use crate::domain::event::What;
use crate::domain::hold::{Hold, HoldKind, HoldState};
use crate::domain::ids::{HoldId, InstanceName, ReleaseId, TargetName};
use crate::domain::limits;
use crate::domain::needs;
use crate::domain::plan::Kind;
use crate::domain::readiness;
use crate::domain::release::{Ending, Phase, Release, StepStatus, Was};
use crate::domain::ruling;
use crate::domain::share;
use crate::domain::waiver::Waived;

impl Draft {
    /// Walks a release on until a hold stops it.
    pub(super) fn advance(&mut self, id: ReleaseId) {
        // a vote may have lapsed since, whether or not the clock was heard
        self.reopen(id);
        // every round opens or clears a hold, begins or ends a batch: a plan has finitely many
        while let Some(release) = self.state.live.get(&id).cloned() {
            // without a ruling nobody knows what its approval asks for
            let waits = release.paused.is_some() || ruling::wanted(&self.state, &release);
            if waits || !self.step(&release) {
                break;
            }
        }
    }

    /// One step on the way; `false` when there is none to take.
    fn step(&mut self, release: &Release) -> bool {
        if self.open_again(release) {
            return true;
        }
        let Some(hold) = release.hold() else {
            return self.between(release);
        };
        match hold.state {
            HoldState::ToCome => {
                self.push_own(What::HoldOpened {
                    release: release.id,
                    hold: hold.id.clone(),
                    until: hold.until(self.now()),
                });
                true
            }
            HoldState::Open { .. } if hold.kind == HoldKind::Calendar => {
                let free = !self.calendar_bars(release);
                if free {
                    let id = hold.id.clone();
                    self.clear(release.id, &id, "the calendar allows it".to_owned());
                }
                free
            }
            HoldState::Open { .. } => match self.passes(release, hold) {
                Some(by) => {
                    let id = hold.id.clone();
                    self.clear(release.id, &id, by);
                    true
                }
                None => false,
            },
            // only the observation period and the way back are still named by `hold` when cleared
            HoldState::Cleared { .. } => {
                match release.phase {
                    Phase::RollingBack => {
                        let why = release.back.as_ref().map(|b| b.why.to_string());
                        self.close(release.id, Ending::RolledBack, why.unwrap_or_default());
                    }
                    _ => self.close(
                        release.id,
                        Ending::Succeeded,
                        "its observation period is over".to_owned(),
                    ),
                }
                false
            }
        }
    }

    /// Opens a hold again that the release has passed and that would bar its way now: what let it
    /// pass must still be so when it begins.
    fn open_again(&mut self, release: &Release) -> bool {
        if release.phase != Phase::Waiting {
            return false;
        }
        let passed = release.batches.first().map(|b| b.before.as_slice());
        let lapsed = passed.unwrap_or_default().iter().find(|hold| {
            hold.cleared()
                && matches!(
                    hold.kind,
                    HoldKind::Readiness { .. }
                        | HoldKind::Dependency { .. }
                        | HoldKind::Window { .. }
                )
                && self.passes(release, hold).is_none()
        });
        let Some(hold) = lapsed else { return false };
        let now = self.now();
        let why = crate::domain::waiting::at(&self.state, release, hold, now);
        self.push_own(What::HoldReopened {
            release: release.id,
            hold: hold.id.clone(),
            until: hold.until(now),
            why: why.what.into(),
        });
        true
    }

    /// Lets those go on to whom the events since then have given a place, or what they need: in the
    /// order of the queue, until nobody moves any more.
    pub(super) fn settle(&mut self, since: usize) {
        let mut since = since;
        while self.events.len() > since && !self.state.onlookers.is_empty() {
            since = self.events.len();
            let mut ids: Vec<ReleaseId> = limits::queue(&self.state).iter().map(|r| r.id).collect();
            let others = self.state.onlookers.iter().filter(|id| !ids.contains(id));
            let others: Vec<ReleaseId> = others.copied().collect();
            // those who get what they need first, so that they take their turn in the queue
            ids.splice(0..0, others);
            for id in ids {
                self.advance(id);
            }
        }
    }

    /// What happens when no hold is left on this side of a batch.
    fn between(&mut self, release: &Release) -> bool {
        let id = release.id;
        let Some((n, batch)) = release.batch() else {
            if release.phase == Phase::Rolling {
                self.push_own(What::ObservationBegan { release: id });
                return true;
            }
            return false;
        };
        if batch.began.is_some() {
            self.push_own(What::BatchDone {
                release: id,
                batch: n,
            });
            return true;
        }
        if self.calendar_bars(release) {
            // a hold stands there now
            return true;
        }
        if release.phase == Phase::Waiting {
            self.supersede(release);
            let was = self.baseline(release);
            self.push_own(What::Started {
                release: id,
                con: release.con.clone(),
                was,
            });
            self.open_pir(release);
        }
        self.push_own(What::BatchBegan {
            release: id,
            batch: n,
        });
        true
    }

    /// Clears a hold in the name of whoever gave the command, or of the engine.
    pub(super) fn clear(&mut self, release: ReleaseId, hold: &HoldId, by: String) {
        let what = What::HoldCleared {
            release,
            hold: hold.clone(),
            by: by.into(),
        };
        let manual = self
            .state
            .live
            .get(&release)
            .filter(|r| r.promoted.is_none())
            .and_then(|r| r.holds().find(|h| h.id == *hold))
            .is_some_and(|h| matches!(h.kind, HoldKind::Manual { .. }));
        if manual {
            self.push(what);
        } else {
            self.push_own(what);
        }
    }

    /// Closes a release and lets those go on that waited for its targets.
    pub(super) fn close(&mut self, id: ReleaseId, ending: Ending, why: String) {
        let Some(release) = self.state.live.get(&id).cloned() else {
            return;
        };
        self.push_own(What::Closed {
            release: id,
            ending,
            why: why.into(),
        });
        self.freed(&release);
    }

    /// Lets those go on that waited for a closed release's targets.
    pub(super) fn freed(&mut self, closed: &Release) {
        let mut waiting: Vec<ReleaseId> = closed
            .targets()
            .into_iter()
            .filter_map(|t| self.state.on.get(t))
            .flatten()
            .copied()
            .collect();
        waiting.sort();
        waiting.dedup();
        for id in waiting {
            self.advance(id);
        }
    }

    /// What lets an open hold pass by itself, in a few words.
    fn passes(&self, release: &Release, hold: &Hold) -> Option<String> {
        let now = self.now();
        let waived = release.waived.get(&hold.id).map(Waived::words);
        let calm = || self.state.troubled(release).next().is_none();
        if let Some(promoted) = release.promoted.as_ref().filter(|_| hold.kind.only_waits()) {
            return calm().then(|| promoted.words());
        }
        match &hold.kind {
            HoldKind::Approval(terms) => {
                let tally = tally(release, terms, now);
                let by = || ruling::by_policy(release).unwrap_or_else(|| tally.given_words());
                tally.complete().then(by)
            }
            // evidence comes with a command of its own, and the calendar is asked elsewhere
            HoldKind::Calendar | HoldKind::Manual { .. } => None,
            HoldKind::Health { .. } | HoldKind::Analysis { .. } => waived.filter(|_| calm()),
            HoldKind::Readiness { checks } => waived.or_else(|| {
                let open = readiness::open(release, now);
                let all = if checks.len() == 1 {
                    "check is"
                } else {
                    "checks are"
                };
                open.is_empty()
                    .then(|| format!("{} {all} cleared", checks.len()))
            }),
            HoldKind::Dependency { needs } => {
                let met = |need| needs::standing(&self.state, release, need).is_none();
                let free = needs::needs(release).iter().all(met)
                    && self.blockers(release).is_empty()
                    && self.all_read(release);
                free.then(|| match (waived, needs.as_slice()) {
                    (Some(waived), _) => waived,
                    (None, []) => "no other release moves its targets".to_owned(),
                    (None, needs) => needs::list(needs),
                })
            }
            HoldKind::Queue => waived.or_else(|| {
                let free = limits::standing(&self.state, release).is_none();
                free.then(|| "its turn".to_owned())
            }),
            HoldKind::Window { opens, closes } => {
                (*opens <= now && now < *closes).then(|| "open".to_owned())
            }
            HoldKind::Moved if release.back.is_some() => {
                back_is_done(self, release).then(|| "what ran before runs again".to_owned())
            }
            HoldKind::Moved => {
                let (_, batch) = release.batch()?;
                let steps = || batch.moves.iter().flat_map(|m| &m.steps);
                (steps().all(|s| s.status == StepStatus::Done) && calm())
                    .then(|| share::arrived(&self.state, &batch.moves, steps().count()))
            }
            HoldKind::Bake { .. } if waived.is_some() => waived.filter(|_| calm()),
            HoldKind::Bake { span } => {
                let free = hold.due()? <= now && calm() && !release.judge_bars();
                (free && !release.lacks_proof(hold)).then(|| format!("{span} without a trigger"))
            }
            HoldKind::Observe { span, handover } => {
                let noted = !handover || release.handover.is_some();
                (hold.due()? <= now && calm() && noted && !release.judge_bars())
                    .then(|| format!("{span} without a trigger"))
            }
        }
    }

    /// The releases that must be done before this one may move.
    fn blockers(&self, release: &Release) -> Vec<ReleaseId> {
        crate::domain::waiting::blockers(&self.state, release)
    }

    /// Whether it is known what runs on every instance that will move: without that nobody could
    /// go back.
    fn all_read(&self, release: &Release) -> bool {
        crate::domain::waiting::unread(&self.state, release).is_none()
    }

    fn baseline(&self, release: &Release) -> Vec<Was> {
        let moves = release.batches.iter().flat_map(|b| &b.moves);
        let steps = moves.flat_map(|m| m.steps.iter().map(move |s| (&m.target, &s.instance)));
        // one that is moved share by share has a step in several batches
        let mut told: BTreeSet<(&TargetName, &InstanceName)> = BTreeSet::new();
        steps
            .filter(|step| told.insert(*step))
            .filter_map(|(target, instance)| {
                let artifact = self.state.seen(target, instance)?.sight.artifact.clone()?;
                Some(Was {
                    target: target.clone(),
                    instance: instance.clone(),
                    artifact,
                })
            })
            .collect()
    }

    /// An emergency release does not wait for an observation period on its targets: the observed
    /// release is closed in its favour.
    fn supersede(&mut self, release: &Release) {
        if release.plan.kind != Kind::Emergency {
            return;
        }
        let mut observed: Vec<ReleaseId> = release
            .targets()
            .into_iter()
            .filter_map(|t| self.state.on.get(t))
            .flatten()
            .copied()
            .filter(|id| {
                let other = self.state.live.get(id);
                *id != release.id && other.is_some_and(|r| r.phase == Phase::Observing)
            })
            .collect();
        observed.sort();
        observed.dedup();
        for id in observed {
            self.push_own(What::Closed {
                release: id,
                ending: Ending::Superseded,
                why: format!("{} took its place while it was observed", release.id).into(),
            });
        }
    }
}

fn back_is_done(draft: &Draft, release: &Release) -> bool {
    release.back.as_ref().is_some_and(|back| {
        back.moves.iter().all(|m| {
            m.steps.iter().all(|s| {
                s.status == StepStatus::Done && draft.state.runs(&m.target, s, m.artifact_of(s))
            })
        })
    })
}
