//! What people ask: submit, vote, control.

use std::sync::Arc;

use super::Draft;
use crate::domain::approval::tally;
use crate::domain::canonical;
use crate::domain::charter::Right;
use crate::domain::command::{Actor, Choice, Control};
use crate::domain::event::What;
use crate::domain::hold::HoldKind;
use crate::domain::ids::{GroupName, HoldId, InstanceName, PersonName, ReleaseId, TargetName};
use crate::domain::needs;
use crate::domain::plan::Plan;
use crate::domain::problems;
use crate::domain::readiness;
use crate::domain::refusal::Refusal;
use crate::domain::release::{Ending, Phase, Release, StepStatus};
use crate::domain::waiting;

impl Draft {
    pub(super) fn submit(&mut self, who: &Actor, plan: &Arc<Plan>) -> Result<(), Refusal> {
        let person = known(who, &self.state.charter.people)?;
        let problems = problems::problems(plan, &self.state.charter);
        if !problems.is_empty() {
            return Err(Refusal::BadPlan(problems));
        }
        self.allowed(&person, Right::Submit, "submit", plan)?;
        if let Some(name) = &plan.name
            && let Some((id, _)) = self
                .state
                .live
                .iter()
                .find(|(_, r)| r.plan.name.as_ref() == Some(name))
        {
            return Err(Refusal::NameTaken(name.clone(), *id));
        }
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

    pub(super) fn vote(
        &mut self,
        who: &Actor,
        id: ReleaseId,
        choice: Choice,
        comment: &Arc<str>,
        seen: Option<&str>,
    ) -> Result<(), Refusal> {
        let release = self.release(id)?;
        let person = known(who, &self.state.charter.people)?;
        let Some(terms) = release.terms() else {
            return Err(Refusal::NoVoteNow(choice, "this release needs no approval"));
        };
        if let Some(seen) = seen
            && !same_digest(seen, &release.digest)
        {
            return Err(Refusal::OtherPlan {
                seen: seen.into(),
                is: release.digest.clone(),
            });
        }
        if release.submitter == person {
            return Err(Refusal::OwnRelease(person));
        }
        let charter = &self.state.charter;
        let groups: Vec<GroupName> = charter
            .groups_of(&person)
            .map(|(name, _)| name.clone())
            .filter(|name| terms.needs.contains_key(name))
            .collect();
        if groups.is_empty() {
            return Err(Refusal::NotAsked {
                who: person,
                groups: terms.needs.keys().cloned().collect(),
            });
        }
        let started = release
            .holds()
            .any(|h| h.id.as_str() == "start" && h.cleared());
        if release.phase != Phase::Waiting || started {
            return Err(Refusal::NoVoteNow(choice, "the release has been started"));
        }
        self.push(What::Voted {
            release: id,
            digest: release.digest.clone(),
            choice,
            groups,
            comment: comment.clone(),
        });
        if choice == Choice::Reject {
            let why = if comment.is_empty() {
                format!("rejected by {person}")
            } else {
                format!("rejected by {person}: {comment}")
            };
            self.close(id, Ending::Rejected, why);
        } else {
            self.advance(id);
        }
        Ok(())
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
            self.allowed(&person, Right::Control, control.word(), &release.plan)?;
        }
        match control {
            Control::Start => self.start(&release, &person),
            Control::Pause { why } => self.pause(&release, why),
            Control::Resume => self.resume(&release),
            Control::Promote { seen } => self.promote(&release, &person, seen.as_ref()),
            Control::Retry { instance } => self.retry(&release, instance.as_ref()),
            Control::RollBack { why } => self.roll_back(&release, why),
            Control::Cancel { why } => self.cancel(&release, why),
            Control::HandOver { note } => self.hand_over(&release, note),
        }
    }

    pub(super) fn allowed(
        &self,
        who: &PersonName,
        right: Right,
        what: &'static str,
        plan: &Plan,
    ) -> Result<(), Refusal> {
        let charter = &self.state.charter;
        if charter.may(who, right, &plan.environment) {
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
        let hold = release.hold();
        match hold.map(|h| &h.kind) {
            Some(HoldKind::Approval(terms)) => Err(Refusal::NotApproved(
                tally(release, terms, self.now()).missing_words(),
            )),
            Some(_) if hold.is_some_and(|h| h.id.as_str() == "start") => {
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

    fn cancel(&mut self, release: &Release, why: &Arc<str>) -> Result<(), Refusal> {
        if release.touched().next().is_some() {
            return Err(Refusal::SomethingMoved);
        }
        let why = if why.is_empty() {
            "cancelled before anything moved".to_owned()
        } else {
            why.to_string()
        };
        let id = release.id;
        self.push(What::Closed {
            release: id,
            ending: Ending::Cancelled,
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

/// Whether what a voter names is this digest: whole, or its first eight digits or more.
fn same_digest(seen: &str, digest: &str) -> bool {
    let hex = |t: &str| t.strip_prefix("sha256:").unwrap_or(t).to_ascii_lowercase();
    let seen = hex(seen);
    seen.len() >= 8 && hex(digest).starts_with(&seen)
}
