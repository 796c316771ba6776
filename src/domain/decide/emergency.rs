//! The time box of an emergency, and the review that follows it.

use std::sync::Arc;

use super::Draft;
use super::people::known;
use crate::domain::approval;
use crate::domain::charter::Right;
use crate::domain::command::Actor;
use crate::domain::emergency::{box_end, warns};
use crate::domain::event::What;
use crate::domain::hold::Hold;
use crate::domain::ids::ReleaseId;
use crate::domain::pir::{Ask, DUE, Denied, Pir, Told};
use crate::domain::plan::Kind;
use crate::domain::refusal::Refusal;
use crate::domain::release::{Ending, Phase, Release};

impl Draft {
    /// Sends an emergency back whose time box is over.
    pub(super) fn time_box(&mut self, id: ReleaseId) {
        let over = |draft: &Draft| {
            let release = draft.state.live.get(&id)?;
            box_end(release)
                .filter(|end| *end <= draft.now())
                .map(|end| (release.clone(), end))
        };
        let Some((release, end)) = over(self) else {
            self.warn_of_box(id);
            return;
        };
        // the engine may have slept: what was proven before the end is proven
        let proven = |hold: &Hold| hold.due().is_some_and(|due| due <= end);
        if release.phase == Phase::Observing && release.hold().is_some_and(proven) {
            self.advance(id);
        }
        let (Some((release, _)), Some(grounds)) = (over(self), &release.plan.emergency) else {
            return;
        };
        let why = format!("its time box of {} is over", grounds.lasts);
        if release.touched().next().is_some() {
            self.push_own(What::RollbackBegan {
                release: id,
                why: why.into(),
            });
        } else {
            self.close(id, Ending::Expired, format!("{why}, and nothing had moved"));
        }
    }

    fn warn_of_box(&mut self, id: ReleaseId) {
        let release = self.state.live.get(&id);
        let due = release.and_then(|r| warns(r).filter(|at| *at <= self.now()));
        if let (Some(_), Some(end)) = (due, release.and_then(|r| box_end(r))) {
            self.push_own(What::Approval(approval::Told::BoxEndsSoon {
                release: id,
                end,
            }));
        }
    }

    /// Opens the review of an emergency that begins.
    pub(super) fn open_pir(&mut self, release: &Release) {
        if release.plan.kind != Kind::Emergency {
            return;
        }
        let now = self.now();
        let grounds = release.plan.emergency.as_ref();
        self.push_own(What::Pir(Told::Opened(Pir {
            release: release.id,
            title: release.plan.title.clone(),
            incident: grounds.map(|g| g.incident.clone()).unwrap_or_default(),
            owner: release.con.clone().unwrap_or(release.submitter.clone()),
            opened: now,
            due: now.plus(DUE),
            closed: None,
        })));
    }

    pub(super) fn pir(&mut self, who: &Actor, ask: &Ask) -> Result<(), Refusal> {
        let person = known(who, &self.state.charter.people)?;
        let Ask::Close { release, findings } = ask;
        let Some(pir) = self.state.pirs.get(release).cloned() else {
            return Err(Denied::NoPir(*release).into());
        };
        let environment = match (self.state.live.get(release), self.state.closed.get(release)) {
            (Some(live), _) => Some(live.plan.environment.clone()),
            (None, closed) => closed.map(|summary| summary.environment.clone()),
        };
        let controls = |env| self.state.charter.may(&person, Right::Control, &env);
        if pir.owner != person && !environment.is_some_and(controls) {
            return Err(Denied::NotYours {
                who: person,
                owner: pir.owner.clone(),
            }
            .into());
        }
        if let Some(found) = &pir.closed {
            return Err(Denied::Done(*release, found.by.clone()).into());
        }
        if findings.trim().is_empty() {
            return Err(Denied::NoFindings.into());
        }
        self.push(What::Pir(Told::Closed {
            release: *release,
            findings: Arc::clone(findings),
        }));
        Ok(())
    }
}
