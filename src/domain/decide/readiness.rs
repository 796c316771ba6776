//! What is said of checks, and what is waived.

use std::sync::Arc;

use super::Draft;
use super::people::known;
use crate::domain::authority;
use crate::domain::charter::Right;
use crate::domain::command::Actor;
use crate::domain::event::What;
use crate::domain::ids::{CheckName, PersonName, ReleaseId};
use crate::domain::readiness::{
    self, Accepts, Clearing, Evidence, Refusal as No, Rule, Told, brought,
};
use crate::domain::refusal::Refusal;
use crate::domain::release::{Phase, Release};
use crate::domain::waiver;

impl Draft {
    /// Somebody hands in evidence, or the engine reports how a command ended.
    pub(super) fn readiness(&mut self, who: &Actor, ask: &readiness::Ask) -> Result<(), Refusal> {
        match ask {
            readiness::Ask::Evidence {
                release,
                check,
                evidence,
            } => self.evidence(who, *release, check, evidence),
            readiness::Ask::Ran {
                release,
                check,
                digest,
                pass,
                words,
            } => {
                if *who != Actor::Engine {
                    return Err(Refusal::EngineOnly);
                }
                self.ran(*release, check, digest, *pass, words);
                Ok(())
            }
        }
    }

    fn evidence(
        &mut self,
        who: &Actor,
        id: ReleaseId,
        check: &CheckName,
        evidence: &Evidence,
    ) -> Result<(), Refusal> {
        let release = self.release(id)?;
        let person = known(who, &self.state.charter.people)?;
        let rule = may_come(&release, check).map_err(Refusal::Readiness)?;
        self.may_give(&release, rule, &person)?;
        fits(&release, rule, evidence).map_err(Refusal::Readiness)?;
        let told = Told::Evidence {
            release: id,
            digest: release.digest.clone(),
            check: check.clone(),
            evidence: evidence.clone(),
        };
        self.push(What::Readiness(told));
        self.advance(id);
        Ok(())
    }

    /// Whether a person's word counts for a check.
    fn may_give(&self, release: &Release, rule: &Rule, who: &PersonName) -> Result<(), Refusal> {
        let Clearing::Evidence {
            groups,
            not_submitter,
            ..
        } = &rule.clearing
        else {
            return Ok(());
        };
        let charter = &self.state.charter;
        let environment = &release.plan.environment;
        if groups.is_empty() {
            let (plan, id, now) = (&release.plan, Some(release.id), self.now());
            let may = [Right::Submit, Right::Control]
                .into_iter()
                .any(|right| authority::may(&self.state, who, right, plan, id, now));
            if !may {
                return Err(Refusal::NoRight {
                    who: who.clone(),
                    what: "hand in evidence",
                    environment: environment.clone(),
                    groups: charter.groups_with(Right::Control, environment),
                });
            }
        } else if !readiness::asked_of(&self.state, release, groups, who, self.now()) {
            return Err(Refusal::Readiness(No::NotInGroup {
                who: who.clone(),
                check: rule.check.clone(),
                groups: groups.iter().cloned().collect(),
            }));
        }
        if *not_submitter && brought(release, who) {
            return Err(Refusal::Readiness(No::OwnCheck {
                who: who.clone(),
                check: rule.check.clone(),
            }));
        }
        Ok(())
    }

    fn ran(
        &mut self,
        id: ReleaseId,
        check: &CheckName,
        digest: &str,
        pass: bool,
        words: &Arc<str>,
    ) {
        let Some(release) = self.state.live.get(&id).cloned() else {
            return;
        };
        let runs = |rule: &&Rule| {
            rule.check == *check && matches!(rule.clearing, Clearing::Command { .. })
        };
        let asked = readiness::checks(&release).iter().any(|rule| runs(&rule));
        if !asked || *release.digest != *digest || release.phase != Phase::Waiting {
            return;
        }
        let found = Evidence::Ran {
            pass,
            words: words.clone(),
        };
        let before = release.evidence.get(check);
        let same = before.is_some_and(|proof| {
            proof.evidence == found && proof.artifacts == readiness::artifacts(&release.plan)
        });
        // that it failed in the same way again is no news; that it passed again counts anew
        if pass || !same {
            self.push(What::Readiness(Told::Evidence {
                release: id,
                digest: release.digest.clone(),
                check: check.clone(),
                evidence: found,
            }));
        }
        self.advance(id);
    }

    /// Somebody with the authority lets a release pass a hold.
    pub(super) fn waive(
        &mut self,
        who: &Actor,
        id: ReleaseId,
        word: &str,
        reason: &Arc<str>,
    ) -> Result<(), Refusal> {
        let release = self.release(id)?;
        let person = known(who, &self.state.charter.people)?;
        self.allowed(
            &person,
            Right::Waive,
            "waive holds",
            &release.plan,
            Some(id),
        )?;
        let no = |why| Err(Refusal::Waiver(why));
        let Some((name, hold)) = waiver::named(&release, word) else {
            return no(waiver::Refusal::UnknownHold {
                word: word.into(),
                known: waiver::names(&release),
            });
        };
        if brought(&release, &person) {
            return no(waiver::Refusal::OwnRelease(person));
        }
        if let Err(instead) = waiver::waivable(&hold.kind) {
            return no(waiver::Refusal::NotWaivable {
                hold: name,
                instead,
            });
        }
        if reason.trim().is_empty() {
            return no(waiver::Refusal::NoReason);
        }
        if release.waived.contains_key(&name) {
            return no(waiver::Refusal::Already(name));
        }
        if hold.cleared() {
            return no(waiver::Refusal::Passed(name));
        }
        self.push(What::Waived {
            release: id,
            hold: name,
            reason: reason.clone(),
        });
        self.advance(id);
        Ok(())
    }
}

/// The check that evidence is meant for, if any is asked for.
fn may_come<'a>(release: &'a Release, check: &CheckName) -> Result<&'a Rule, No> {
    let rules = readiness::checks(release);
    if rules.is_empty() {
        return Err(No::NoChecks);
    }
    let Some(rule) = rules.iter().find(|rule| rule.check == *check) else {
        return Err(No::UnknownCheck {
            check: check.clone(),
            known: rules.iter().map(|rule| rule.check.clone()).collect(),
        });
    };
    if release.phase != Phase::Waiting {
        return Err(No::Begun);
    }
    match &rule.clearing {
        Clearing::Plan(what) => Err(No::FromPlan {
            check: check.clone(),
            what: what.words(),
        }),
        Clearing::Command { .. } => Err(No::ByEngine(check.clone())),
        Clearing::Evidence { .. } => Ok(rule),
    }
}

/// Whether this is the evidence that a check asks for.
fn fits(release: &Release, rule: &Rule, evidence: &Evidence) -> Result<(), No> {
    let Clearing::Evidence { accepts, .. } = &rule.clearing else {
        return Ok(());
    };
    let Some(kind) = evidence.kind() else {
        return match evidence {
            Evidence::Revoked(why) if why.trim().is_empty() => Err(No::NoWords),
            Evidence::Revoked(_) if release.evidence.contains_key(&rule.check) => Ok(()),
            _ => Err(No::NothingToRevoke(rule.check.clone())),
        };
    };
    if !accepts.contains(&kind) {
        return Err(No::OtherKind {
            check: rule.check.clone(),
            accepts: accepts.iter().copied().collect(),
        });
    }
    match evidence {
        Evidence::Statement(words) if words.trim().is_empty() => Err(No::NoWords),
        Evidence::File { sha256, .. } | Evidence::Url { sha256, .. } => digest(sha256),
        Evidence::Digests(tested) => {
            tested.iter().try_for_each(|one| digest(one))?;
            tested_all(release, tested)
        }
        _ => {
            debug_assert_eq!(kind, Accepts::Statement, "all others are named above");
            Ok(())
        }
    }
}

fn digest(text: &str) -> Result<(), No> {
    let hex = text.strip_prefix("sha256:").unwrap_or_default();
    match hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit()) {
        true => Ok(()),
        false => Err(No::BadDigest(text.to_owned())),
    }
}

/// Whether every artifact of the plan is among what was tested.
fn tested_all(release: &Release, tested: &[Arc<str>]) -> Result<(), No> {
    let untested = release.plan.services.iter().find(|change| {
        !tested
            .iter()
            .any(|t| t.eq_ignore_ascii_case(&change.digest))
    });
    match untested {
        None => Ok(()),
        Some(change) => Err(No::OtherArtifact {
            service: change.service.to_string(),
            wanted: crate::domain::refusal::short(&change.digest).to_owned(),
        }),
    }
}
