//! Votes, what takes them away, and plans that change under them.

use std::sync::Arc;

use super::Draft;
use super::people::known;
use crate::domain::approval::{Ask, Denied, Terms, Told, tally};
use crate::domain::authority;
use crate::domain::canonical;
use crate::domain::charter::Right;
use crate::domain::command::{Actor, Choice};
use crate::domain::diff;
use crate::domain::event::What;
use crate::domain::hold::HoldKind;
use crate::domain::ids::{GroupName, PersonName, ReleaseId};
use crate::domain::needs;
use crate::domain::plan::Plan;
use crate::domain::problems;
use crate::domain::refusal::Refusal;
use crate::domain::release::{Ending, Phase, Release};
use crate::domain::ruling;

impl Draft {
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
        if ruling::wanted(&self.state, &release) {
            return Err(Refusal::NoRuling(id));
        }
        if terms.needs.is_empty() {
            return Err(Refusal::NoVoteNow(choice, "policy alone approves it"));
        }
        let groups = self.asked(&release, terms, &person)?;
        if release.started() {
            return Err(Refusal::NoVoteNow(choice, "the release has been started"));
        }
        if choice == Choice::RequestChanges && comment.trim().is_empty() {
            return Err(Denied::NoWords("what shall be changed").into());
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

    /// The groups for which a person may vote, or why there are none.
    fn asked(
        &self,
        release: &Release,
        terms: &Terms,
        person: &PersonName,
    ) -> Result<Vec<GroupName>, Refusal> {
        if let Some(barred) = terms.bars(release, person) {
            return Err(Denied::OwnWork(person.clone(), barred).into());
        }
        let now = self.now();
        let (mut groups, mut tainted) = (Vec::new(), None);
        for (name, by) in authority::groups(&self.state, person, release, now) {
            if !terms.needs.contains_key(name) || groups.contains(name) {
                continue;
            }
            // nobody makes the voters for their own work
            match by.filter(|by| terms.bars(release, by).is_some()) {
                Some(by) => tainted = Some(by.clone()),
                None => groups.push(name.clone()),
            }
        }
        match tainted {
            _ if !groups.is_empty() => Ok(groups),
            Some(by) => Err(Denied::OwnGrant {
                who: person.clone(),
                by,
            }
            .into()),
            None => Err(Refusal::NotAsked {
                who: person.clone(),
                groups: terms.needs.keys().cloned().collect(),
            }),
        }
    }

    pub(super) fn approval(&mut self, who: &Actor, ask: &Ask) -> Result<(), Refusal> {
        let person = known(who, &self.state.charter.people)?;
        match ask {
            Ask::Withdraw { release } => self.withdraw(&person, *release),
            Ask::Overrule {
                release,
                whose,
                why,
            } => self.overrule(&person, *release, whose, why),
            Ask::Update { release, plan } => self.update(&person, *release, plan),
        }
    }

    fn withdraw(&mut self, person: &PersonName, id: ReleaseId) -> Result<(), Refusal> {
        let release = self.release(id)?;
        if !release.votes.contains_key(person) {
            return Err(Denied::NoVote(person.clone()).into());
        }
        if release.started() {
            return Err(Refusal::AlreadyStarted);
        }
        self.push(What::Approval(Told::VoteWithdrawn { release: id }));
        self.advance(id);
        Ok(())
    }

    fn overrule(
        &mut self,
        person: &PersonName,
        id: ReleaseId,
        whose: &PersonName,
        why: &Arc<str>,
    ) -> Result<(), Refusal> {
        let release = self.release(id)?;
        self.allowed(person, Right::Overrule, "overrule", &release.plan, Some(id))?;
        let Some(terms) = release.terms() else {
            return Err(Refusal::NoVoteNow(
                Choice::Approve,
                "this release needs no approval",
            ));
        };
        if let Some(barred) = terms.bars(&release, person) {
            return Err(Denied::OwnWork(person.clone(), barred).into());
        }
        let tally = tally(&release, terms, self.now());
        let objectors = [tally.objections, tally.wants_changes].concat();
        if !objectors.contains(whose) {
            return Err(Denied::NoObjection {
                whose: whose.clone(),
                objectors,
            }
            .into());
        }
        if whose == person {
            return Err(Denied::OwnObjection(person.clone()).into());
        }
        if why.trim().is_empty() {
            return Err(Denied::NoWords("why the objection does not count").into());
        }
        self.push(What::Approval(Told::Overruled {
            release: id,
            whose: whose.clone(),
            why: why.clone(),
        }));
        self.advance(id);
        Ok(())
    }

    fn update(
        &mut self,
        person: &PersonName,
        id: ReleaseId,
        plan: &Arc<Plan>,
    ) -> Result<(), Refusal> {
        let release = self.release(id)?;
        let problems = problems::problems(plan, &self.state.charter);
        if !problems.is_empty() {
            return Err(Refusal::BadPlan(problems));
        }
        for plan in [&release.plan, plan] {
            self.allowed(person, Right::Submit, "submit", plan, Some(id))?;
        }
        if release.started() {
            return Err(Denied::PlanFixed.into());
        }
        self.name_is_free(plan, Some(id))?;
        let changes = diff::plans(&release.plan, plan);
        if changes.is_empty() {
            return Err(Denied::SamePlan.into());
        }
        let binds = release.terms().is_none_or(|terms| terms.window_binds);
        self.push(What::Approval(Told::PlanChanged {
            release: id,
            plan: plan.clone(),
            digest: canonical::digest(plan).into(),
            voids: binds || !diff::window_alone(&changes),
            changes,
        }));
        if let Some(circle) = needs::circle(&self.state, id) {
            return Err(Refusal::Circle(circle));
        }
        self.advance(id);
        Ok(())
    }

    /// Takes an approval back that is not covered any more, before anything moved: a vote was
    /// changed, or has lapsed.
    pub(super) fn reopen(&mut self, id: ReleaseId) {
        let Some(release) = self.state.live.get(&id).cloned() else {
            return;
        };
        let Some(hold) = release.approval().filter(|h| h.cleared()) else {
            return;
        };
        let HoldKind::Approval(terms) = &hold.kind else {
            return;
        };
        let tally = tally(&release, terms, self.now());
        if release.phase == Phase::Waiting && !tally.complete() {
            self.push_own(What::Approval(Told::Reopened {
                release: id,
                why: tally.missing_words().into(),
            }));
        }
    }
}

/// Whether what a voter names is this digest: whole, or its first eight digits or more.
fn same_digest(seen: &str, digest: &str) -> bool {
    let hex = |t: &str| t.strip_prefix("sha256:").unwrap_or(t).to_ascii_lowercase();
    let seen = hex(seen);
    seen.len() >= 8 && hex(digest).starts_with(&seen)
}
