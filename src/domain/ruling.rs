//! The ruling: what policy says of a plan, with its reasons.
//!
//! The engine evaluates it and hands it in; it counts while the plan and the charter are those it
//! was made for. Without one that counts nobody can approve anything.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::approval::{self, Terms};
use super::compile;
use super::hold::{Hold, HoldKind, HoldState};
use super::plan::{Kind, Plan, Start};
use super::release::{Batch, Release};
use super::risk::Risk;
use super::state::State;

/// What policy says of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ruling {
    /// The rule that counts; `None` where none fits, and then nobody is asked.
    pub rule: Option<Arc<str>>,
    /// Under which terms the release is approved.
    pub terms: Terms,
    /// Whether policy alone approves it: no vote is needed.
    pub by_policy: bool,
    /// How risky it is.
    pub risk: Risk,
    /// Why this rule and these terms, a sentence each.
    pub reasons: Vec<Arc<str>>,
    /// On what grounds.
    pub digests: Digests,
}

/// On what grounds a ruling was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digests {
    /// The digest of the plan.
    pub plan: Arc<str>,
    /// The digest of the charter, which holds the policy.
    pub policy: Arc<str>,
    /// The digest of the facts.
    pub inputs: Arc<str>,
}

impl Ruling {
    /// The rule's name as a sentence says it.
    pub fn rule_words(&self) -> String {
        match &self.rule {
            Some(name) => format!("rule \"{name}\""),
            None => "no rule".to_owned(),
        }
    }

    /// What is asked: `1 of operations, 1 of security`, or that policy alone approves.
    pub fn asks(&self) -> String {
        match self.by_policy {
            true => "approved by policy alone".to_owned(),
            false => self.terms.words(),
        }
    }
}

impl Release {
    /// The ruling that counts: on this plan, under this charter.
    pub fn ruled(&self, charter_digest: &str) -> Option<&Arc<Ruling>> {
        self.ruling.as_ref().filter(|ruling| {
            ruling.digests.plan == self.digest && *ruling.digests.policy == *charter_digest
        })
    }
}

/// Whether a release waits for the engine's ruling.
pub fn wanted(state: &State, release: &Release) -> bool {
    !release.started() && release.ruled(&state.charter_digest).is_none()
}

/// Whether an open approval waits for a ruling, not for votes.
pub fn missing(state: &State, release: &Release, hold: &Hold) -> bool {
    matches!(hold.kind, HoldKind::Approval(_)) && wanted(state, release)
}

/// What lets a release pass for which policy asks for no vote.
pub fn by_policy(release: &Release) -> Option<String> {
    let ruling = release.ruling.as_ref().filter(|ruling| ruling.by_policy)?;
    Some(format!(
        "policy alone, {}, risk {}",
        ruling.rule_words(),
        ruling.risk.words()
    ))
}

/// Gives a release its ruling: from here on the approval asks for what it says.
pub(super) fn take(release: &mut Release, ruling: &Arc<Ruling>) {
    release.ruling = Some(ruling.clone());
    settle(release);
}

/// Lets the approval hold ask for what the ruling says, if there is one. An approval that was
/// given under other terms is asked for again.
pub(super) fn settle(release: &mut Release) {
    let Some(ruling) = release.ruling.clone() else {
        return;
    };
    let open = !release.started();
    let Some(first) = release.batches.first_mut() else {
        return;
    };
    let mut again = false;
    for hold in &mut first.before {
        let HoldKind::Approval(terms) = &mut hold.kind else {
            continue;
        };
        again = open && hold.state != HoldState::ToCome && *terms != ruling.terms;
        terms.clone_from(&ruling.terms);
        hold.deadline = compile::deadline(ruling.terms.expires, hold.deadline.then);
        if let HoldState::Open { since, until, .. } = &mut hold.state {
            again = false;
            *until = since.plus(ruling.terms.expires);
        }
    }
    if open {
        second_person(first, &release.plan, ruling.by_policy);
    }
    if again {
        approval::reopen(release);
    }
}

/// Behind an emergency stand two people: where nobody votes, a second one starts it, even if the
/// plan would start by itself.
fn second_person(first: &mut Batch, plan: &Plan, by_policy: bool) {
    let wanted = plan.start == Start::Manual || (plan.kind == Kind::Emergency && by_policy);
    let place = first.before.iter().position(|h| h.id.as_str() == "start");
    match place {
        Some(n) if !wanted => {
            first.before.remove(n);
        }
        None if wanted => {
            let approval = |h: &Hold| matches!(h.kind, HoldKind::Approval(_));
            let n = first.before.iter().position(approval).map_or(0, |n| n + 1);
            first.before.insert(n, compile::start_hold(plan));
        }
        _ => {}
    }
}
