//! What people ask: submit, vote, control.

use std::sync::Arc;

use super::Draft;
use crate::domain::approval::{Denied, Terms, tally};
use crate::domain::authority;
use crate::domain::canonical;
use crate::domain::charter::Right;
use crate::domain::command::{Actor, Choice, Control};
use crate::domain::event::What;
use crate::domain::hold::HoldKind;
use crate::domain::ids::{HoldId, InstanceName, PersonName, ReleaseId, TargetName};
use crate::domain::needs;
use crate::domain::plan::{Kind, Plan};
use crate::domain::problems;
use crate::domain::readiness;
use crate::domain::refusal::Refusal;
use crate::domain::release::{Ending, Phase, Release, StepStatus};
use crate::domain::ruling;
use crate::domain::waiting;

impl Draft {
    pub(super) fn submit(&mut self, who: &Actor, plan: &Arc<Plan>) -> Result<(), Refusal> {
        let person = known(who, &self.state.charter.people)?;
        let problems = problems::problems(plan, &self.state.charter);
        if !problems.is_empty() {
            return Err(Refusal::BadPlan(problems));
        }
        self.allowed(&person, Right::Submit, "submit", plan, None)?;
        self.name_is_free(plan, None)?;
        let release = ReleaseId(self.state.last_id + 1);
        self.push(What::Submitted {
            release,
            plan: plan.clone(),
            digest: canonical::digest(plan).into(),
        });
        if let Some(circle) = needs::circle(&self.state, release) {
            return Err(Refusal::Circle(circle));
        }
        self.advance(release);
        Ok(())
    }

    /// Refuses a plan's name that another open release has.
    pub(super) fn name_is_free(&self, plan: &Plan, own: Option<ReleaseId>) -> Result<(), Refusal> {
        let Some(name) = &plan.name else {
            return Ok(());
        };
        let mut live = self.state.live.iter();
        match live.find(|(id, r)| r.plan.name.as_ref() == Some(name) && own != Some(**id)) {
            Some((id, _)) => Err(Refusal::NameTaken(name.clone(), *id)),
            None => Ok(()),
        }
    }

    pub(super) fn control(
        &mut self,
        who: &Actor,
        id: ReleaseId,
        control: &Control,
    ) -> Result<(), Refusal> {
        let release = self.release(id)?;
        let person = known(who, &self.state.charter.people)?;
        // whoever submitted a release may take it back
        let own = matches!(control, Control::Cancel { .. }) && release.submitter == person;
        if !own {
            let word = control.word();
            self.allowed(&person, Right::Control, word, &release.plan, Some(id))?;
        }
        match control {
            Control::Start => self.start(&release, &person),
            Control::Pause { why } => self.pause(&release, why),
            Control::Resume => self.resume(&release),
            Control::Promote { seen } => self.promote(&release, &person, seen.as_ref()),
            Control::PromoteAll { why } => self.promote_all(&release, why),
            Control::Retry { instance } => self.retry(&release, instance.as_ref()),
            Control::RollBack { why } => self.roll_back(&release, why),
            Control::Cancel { why } => self.cancel(&release, &person, why),
            Control::HandOver { note } => self.hand_over(&release, note),
        }
    }

    pub(super) fn allowed(
        &self,
        who: &PersonName,
        right: Right,
        what: &'static str,
        plan: &Plan,
        release: Option<ReleaseId>,
    ) -> Result<(), Refusal> {
        let charter = &self.state.charter;
        if authority::may(&self.state, who, right, plan, release, self.now()) {
            return Ok(());
        }
        Err(Refusal::NoRight {
            who: who.clone(),
            what,
            environment: plan.environment.clone(),
            groups: charter.groups_with(right, &plan.environment),
        })
    }

    fn start(&mut self, release: &Release, who: &PersonName) -> Result<(), Refusal> {
        if ruling::wanted(&self.state, release) {
            return Err(Refusal::NoRuling(release.id));
        }
        let hold = release.hold();
        if let Some(terms) = release.terms().filter(|_| !release.started()) {
            let tally = tally(release, terms, self.now());
            if !tally.complete() {
                return Err(Refusal::NotApproved(tally.missing_words()));
            }
        }
        match hold.map(|h| &h.kind) {
            Some(_) if hold.is_some_and(|h| h.id.as_str() == "start") => {
                self.second_person(release, who)?;
                self.clear(release.id, &HoldId::from("start"), who.as_str().to_owned());
                self.advance(release.id);
                Ok(())
            }
            Some(HoldKind::Readiness { .. }) => Err(Refusal::NotReady(readiness::open_words(
                release,
                self.now(),
            ))),
            _ => Err(Refusal::AlreadyStarted),
        }
    }

    /// Behind an emergency stand two people at least: whose work it is, and another one.
    fn second_person(&self, release: &Release, who: &PersonName) -> Result<(), Refusal> {
        let own = |who: &PersonName| match release.terms() {
            Some(terms) => terms.bars(release, who).is_some(),
            None => Terms::default().bars(release, who).is_some(),
        };
        let votes = release.votes.iter();
        let mut yes = votes.filter(|(_, v)| v.choice == Choice::Approve);
        if release.plan.kind == Kind::Emergency && own(who) && !yes.any(|(who, _)| !own(who)) {
            return Err(Denied::SecondPerson(who.clone()).into());
        }
        Ok(())
    }

    fn pause(&mut self, release: &Release, why: &Arc<str>) -> Result<(), Refusal> {
        if let Some(paused) = &release.paused {
            return Err(Refusal::AlreadyPaused(paused.by.clone()));
        }
        self.push(What::Paused {
            release: release.id,
            why: why.clone(),
        });
        Ok(())
    }

    fn resume(&mut self, release: &Release) -> Result<(), Refusal> {
        if release.paused.is_none() {
            return Err(Refusal::NotPaused);
        }
        self.push(What::Resumed {
            release: release.id,
        });
        self.advance(release.id);
        Ok(())
    }

    fn promote(
        &mut self,
        release: &Release,
        who: &PersonName,
        seen: Option<&HoldId>,
    ) -> Result<(), Refusal> {
        let waits = || waiting::of(&self.state, release, self.now()).what;
        let hold = release.hold();
        if let Some(seen) = seen
            && hold.is_none_or(|h| h.id != *seen)
        {
            return Err(Refusal::MovedOn { now: waits() });
        }
        match hold {
            Some(h) if matches!(h.kind, HoldKind::Manual { .. }) && h.id.as_str() != "start" => {
                let id = h.id.clone();
                self.clear(release.id, &id, who.as_str().to_owned());
                self.advance(release.id);
                Ok(())
            }
            _ => Err(Refusal::NothingToPromote(waits())),
        }
    }

    fn promote_all(&mut self, release: &Release, why: &Arc<str>) -> Result<(), Refusal> {
        if let Some(promoted) = &release.promoted {
            return Err(Refusal::PromotedAlready(promoted.by.clone()));
        }
        // what goes by shares may wait for steps of its platform's own
        let moves = release.batches.iter().flat_map(|b| &b.moves);
        let mut shares = moves
            .flat_map(|m| &m.steps)
            .filter(|s| s.exposure.is_some());
        let ahead =
            release.skippable().next().is_some() || shares.any(|s| s.status != StepStatus::Done);
        if release.phase != Phase::Rolling || !ahead {
            let waits = waiting::of(&self.state, release, self.now()).what;
            return Err(Refusal::NothingToPromote(waits));
        }
        if why.trim().is_empty() {
            return Err(Refusal::PromotedForNothing);
        }
        self.push(What::PromotedAll {
            release: release.id,
            why: why.clone(),
        });
        self.advance(release.id);
        Ok(())
    }

    fn retry(&mut self, release: &Release, only: Option<&InstanceName>) -> Result<(), Refusal> {
        let failed: Vec<(TargetName, InstanceName)> = release
            .moving()
            .into_iter()
            .flat_map(|(_, moves)| moves)
            .flat_map(|m| m.steps.iter().map(move |s| (m, s)))
            .filter(|(_, s)| {
                matches!(
                    s.status,
                    StepStatus::Failed { .. } | StepStatus::Unknown { .. }
                )
            })
            .filter(|(_, s)| only.is_none_or(|name| s.instance == *name))
            .map(|(m, s)| (m.target.clone(), s.instance.clone()))
            .collect();
        if failed.is_empty() {
            return Err(Refusal::NothingToRetry);
        }
        for (target, instance) in failed {
            self.push(What::StepRetried {
                release: release.id,
                target,
                instance,
            });
        }
        Ok(())
    }

    fn roll_back(&mut self, release: &Release, why: &Arc<str>) -> Result<(), Refusal> {
        if release.phase == Phase::RollingBack {
            return Err(Refusal::AlreadyGoingBack);
        }
        if release.touched().next().is_none() {
            return Err(Refusal::NothingMoved);
        }
        self.push(What::RollbackBegan {
            release: release.id,
            why: why.clone(),
        });
        self.advance(release.id);
        Ok(())
    }

    fn cancel(
        &mut self,
        release: &Release,
        who: &PersonName,
        why: &Arc<str>,
    ) -> Result<(), Refusal> {
        if release.touched().next().is_some() {
            return Err(Refusal::SomethingMoved);
        }
        let ending = if release.submitter == *who {
            Ending::Withdrawn
        } else {
            Ending::Cancelled
        };
        let why = if why.is_empty() {
            format!("{} before anything moved", ending.words())
        } else {
            why.to_string()
        };
        let id = release.id;
        self.push(What::Closed {
            release: id,
            ending,
            why: why.into(),
        });
        self.freed(release);
        Ok(())
    }

    fn hand_over(&mut self, release: &Release, note: &Arc<str>) -> Result<(), Refusal> {
        if release.phase != Phase::Observing {
            return Err(Refusal::NotObserved);
        }
        if note.trim().is_empty() {
            return Err(Refusal::EmptyNote);
        }
        self.push(What::HandedOver {
            release: release.id,
            note: note.clone(),
        });
        self.advance(release.id);
        Ok(())
    }
}

/// The person, if the door proved one and the room knows them.
pub(super) fn known(
    who: &Actor,
    people: &std::collections::BTreeMap<PersonName, crate::domain::charter::Person>,
) -> Result<PersonName, Refusal> {
    who.person()
        .filter(|name| people.contains_key(*name))
        .cloned()
        .ok_or(Refusal::NoIdentity)
}
