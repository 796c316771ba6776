//! The calendar: what people ask of it, and what it says of releases on their way.

use std::sync::Arc;

use super::Draft;
use super::people::known;
use crate::domain::calendar::{
    Answer, Ask, Evaluator, ExemptionId, LONGEST, LockdownId, NotNow, Running, Scope, Told, Wish,
};
use crate::domain::charter::Right;
use crate::domain::command::Actor;
use crate::domain::event::What;
use crate::domain::hold::HoldKind;
use crate::domain::ids::{EnvName, PersonName, ReleaseId, Span};
use crate::domain::refusal::Refusal;
use crate::domain::release::{Phase, Release};
use crate::domain::words::nearest;

/// A change of the next turn that lies farther ahead than this is no news: there the calendar is
/// looked up again before it matters.
const FAR: Span = Span::mins(30 * 24 * 60);

impl Draft {
    /// Whether the calendar bars the next batch, or what moves now; what is new of it is written
    /// down.
    pub(super) fn calendar_bars(&mut self, release: &Release) -> bool {
        let now = self.now();
        let rules = Evaluator::of(&self.state, release, now);
        if rules.is_free() && release.calendar.is_none() {
            return false;
        }
        let mut answer = rules.answer(now);
        // where no rule has a turn in sight, one may come into sight
        answer.again.get_or_insert(now.plus(FAR).plus(FAR));
        let barred = !answer.bars.is_empty();
        let holds = release
            .hold()
            .is_some_and(|h| h.kind == HoldKind::Calendar && h.open().is_some());
        let before = release.batch().is_some_and(|(_, b)| b.began.is_none());
        let old = release.calendar.as_ref();
        let news = old.is_none_or(|old| {
            let far = |a: &Answer| a.again.is_some_and(|again| again > now.plus(FAR));
            old.bars != answer.bars || (old.again != answer.again && !(far(old) && far(&answer)))
        });
        if news || (barred && before && !holds) {
            self.push_own(What::Calendar(Told::Looked {
                release: release.id,
                answer,
            }));
        }
        barred
    }

    /// Looks the calendar up again for a release for which its answer may have changed by now.
    pub(super) fn calendar_turn(&mut self, id: ReleaseId) {
        let now = self.now();
        let due = self.state.live.get(&id).is_some_and(|release| {
            let again = release.calendar.as_ref().and_then(|a| a.again);
            again.is_some_and(|again| again <= now)
        });
        if due {
            self.calendar_again(id);
        }
    }

    /// Looks it up again for everything that moves or was barred, after a change of the rules.
    pub(super) fn calendar_changed(&mut self) {
        let ids: Vec<ReleaseId> = self.state.live.keys().copied().collect();
        for id in ids {
            self.calendar_again(id);
            self.advance(id);
        }
    }

    fn calendar_again(&mut self, id: ReleaseId) {
        let Some(release) = self.state.live.get(&id).cloned() else {
            return;
        };
        let stands = release
            .hold()
            .is_some_and(|h| h.kind == HoldKind::Calendar && h.open().is_some());
        if release.phase != Phase::Rolling && !stands {
            return;
        }
        self.calendar_bars(&release);
        let Some(release) = self.state.live.get(&id).cloned() else {
            return;
        };
        let back = release
            .calendar
            .iter()
            .flat_map(|a| &a.bars)
            .find(|bar| bar.then == Running::RollBack);
        if let Some(bar) = back
            && release.phase == Phase::Rolling
            && release.touched().next().is_some()
        {
            let why = bar.words().into();
            self.push_own(What::RollbackBegan { release: id, why });
        }
    }

    /// What people ask of the calendar.
    pub(super) fn calendar(&mut self, who: &Actor, ask: &Ask) -> Result<(), Refusal> {
        let person = known(who, &self.state.charter.people)?;
        match ask {
            Ask::Request(wish) => self.request(&person, wish)?,
            Ask::Approve(id) => self.approve_exemption(&person, *id)?,
            Ask::Revoke(id, why) => self.revoke(&person, *id, why)?,
            Ask::LockDown { scope, reason } => self.lock_down(&person, scope, reason)?,
            Ask::Lift(id, why) => self.lift(&person, *id, why)?,
        }
        self.calendar_changed();
        Ok(())
    }

    fn request(&mut self, who: &PersonName, wish: &Wish) -> Result<(), Refusal> {
        let calendar = &self.state.charter.calendar;
        let windows = calendar.windows.iter().map(|w| &w.name);
        let names: Vec<&Arc<str>> = windows
            .chain(calendar.freezes.iter().map(|f| &f.name))
            .collect();
        if !names.iter().any(|name| **name == wish.rule) {
            return Err(Refusal::Calendar(NotNow::UnknownRule {
                rule: wish.rule.clone(),
                near: nearest(&wish.rule, names.iter().map(|n| &***n)).map(Arc::from),
            }));
        }
        self.scope_is_known(&wish.scope)?;
        if let Some(id) = wish.release {
            self.release(id)?;
        }
        self.may_in(
            who,
            &wish.scope,
            &[Right::Submit, Right::Control, Right::Exempt],
            "ask for an exemption",
        )?;
        said("reason", &wish.reason)?;
        said("ticket", &wish.ticket)?;
        let now = self.now();
        if wish.until <= now || wish.until > now.plus(LONGEST) {
            return Err(Refusal::Calendar(NotNow::BadEnd(wish.until)));
        }
        let exemption = ExemptionId(self.state.calendar.last_exemption + 1);
        self.push(What::Calendar(Told::Requested {
            exemption,
            wish: wish.clone(),
        }));
        Ok(())
    }

    fn approve_exemption(&mut self, who: &PersonName, id: ExemptionId) -> Result<(), Refusal> {
        let unknown = || Refusal::Calendar(NotNow::UnknownExemption(id));
        let found = self
            .state
            .calendar
            .exemptions
            .get(&id)
            .ok_or_else(unknown)?;
        let own = |how| Refusal::Calendar(NotNow::OwnExemption(who.clone(), how));
        if found.by == *who {
            return Err(own("asked for this exemption"));
        }
        let release = found.wish.release.and_then(|r| self.state.live.get(&r));
        if release.is_some_and(|r| r.submitter == *who) {
            return Err(own("submitted the release"));
        }
        if let Some((other, _)) = &found.approved {
            return Err(Refusal::Calendar(NotNow::AlreadyApproved(
                id,
                other.clone(),
            )));
        }
        if !found.open(self.now()) {
            return Err(Refusal::Calendar(NotNow::ExemptionOver(id)));
        }
        self.may_in(
            who,
            &found.wish.scope,
            &[Right::Exempt],
            "approve exemptions",
        )?;
        self.push(What::Calendar(Told::Approved { exemption: id }));
        Ok(())
    }

    fn revoke(&mut self, who: &PersonName, id: ExemptionId, why: &Arc<str>) -> Result<(), Refusal> {
        let unknown = || Refusal::Calendar(NotNow::UnknownExemption(id));
        let found = self
            .state
            .calendar
            .exemptions
            .get(&id)
            .ok_or_else(unknown)?;
        if !found.open(self.now()) {
            return Err(Refusal::Calendar(NotNow::ExemptionOver(id)));
        }
        // whoever asked may take it back; making the rules strict again needs no more
        if found.by != *who {
            self.may_in(
                who,
                &found.wish.scope,
                &[Right::Exempt],
                "revoke exemptions",
            )?;
        }
        self.push(What::Calendar(Told::Revoked {
            exemption: id,
            why: why.clone(),
        }));
        Ok(())
    }

    fn lock_down(
        &mut self,
        who: &PersonName,
        scope: &Scope,
        reason: &Arc<str>,
    ) -> Result<(), Refusal> {
        self.scope_is_known(scope)?;
        self.may_in(who, scope, &[Right::Lockdown], "order a lockdown")?;
        said("reason", reason)?;
        let lockdown = LockdownId(self.state.calendar.last_lockdown + 1);
        self.push(What::Calendar(Told::LockedDown {
            lockdown,
            scope: scope.clone(),
            reason: reason.clone(),
        }));
        Ok(())
    }

    fn lift(&mut self, who: &PersonName, id: LockdownId, why: &Arc<str>) -> Result<(), Refusal> {
        let unknown = || Refusal::Calendar(NotNow::UnknownLockdown(id));
        let down = self.state.calendar.lockdowns.get(&id).ok_or_else(unknown)?;
        if down.by == *who {
            return Err(Refusal::Calendar(NotNow::OwnLockdown(who.clone())));
        }
        self.may_in(who, &down.scope, &[Right::Lockdown], "lift a lockdown")?;
        said("reason", why)?;
        self.push(What::Calendar(Told::Lifted {
            lockdown: id,
            why: why.clone(),
        }));
        Ok(())
    }

    /// Whether somebody holds one of these rights in every environment of a scope.
    fn may_in(
        &self,
        who: &PersonName,
        scope: &Scope,
        rights: &[Right],
        what: &'static str,
    ) -> Result<(), Refusal> {
        let charter = &self.state.charter;
        let all: Vec<&EnvName> = match scope.environments.is_empty() {
            true => charter.environments.keys().collect(),
            false => scope.environments.iter().collect(),
        };
        let lacking = all
            .into_iter()
            .find(|env| !rights.iter().any(|right| charter.may(who, *right, env)));
        match (lacking, rights.last()) {
            (Some(environment), Some(right)) => Err(Refusal::NoRight {
                who: who.clone(),
                what,
                environment: environment.clone(),
                groups: charter.groups_with(*right, environment),
            }),
            _ => Ok(()),
        }
    }

    fn scope_is_known(&self, scope: &Scope) -> Result<(), Refusal> {
        let charter = &self.state.charter;
        let environments: Vec<&str> = charter.environments.keys().map(|e| e.as_str()).collect();
        let services: Vec<&str> = charter.services.keys().map(|s| s.as_str()).collect();
        let teams: Vec<&str> = charter.services.values().map(|s| &*s.owner).collect();
        let asked = scope
            .environments
            .iter()
            .map(|e| ("environment", e.as_str(), &environments));
        let asked = asked.chain(
            scope
                .services
                .iter()
                .map(|s| ("service", s.as_str(), &services)),
        );
        let mut asked = asked.chain(scope.teams.iter().map(|t| ("team", &**t, &teams)));
        let unknown = asked.find(|(_, word, known)| !known.contains(word));
        match unknown {
            Some((what, word, known)) => Err(Refusal::Calendar(NotNow::UnknownScope {
                what,
                word: word.into(),
                near: nearest(word, known.iter().copied()).map(Arc::from),
            })),
            None => Ok(()),
        }
    }
}

fn said(what: &'static str, words: &str) -> Result<(), Refusal> {
    match words.trim().is_empty() {
        true => Err(Refusal::Calendar(NotNow::Missing(what))),
        false => Ok(()),
    }
}
