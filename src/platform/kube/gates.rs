//! The gates that Flagger asks at: what holdpoint's calls let a canary do now.
//!
//! Flagger goes on by itself; before each large step it asks the webhooks of its Canary. holdpoint
//! answers no, unless a call that is under way has opened just that gate a moment ago. An opening
//! that is not renewed ends by itself: an engine that was killed, a call that ended, a cluster that
//! the call cannot read any more all leave the gates closed.
//!
//! The hook `rollback` is the other way round: yes means to go back at once. Nothing but a way back
//! opens it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::domain::{Effect, ReleaseId, TargetName, Verb};

/// How long a gate stays open that nobody renews: shorter than the pause between two rounds of
/// Flagger, which is ten seconds at least.
const LEASE: Duration = Duration::from_secs(5);

/// A question that Flagger asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hook {
    /// May the new version be started?
    ConfirmRollout,
    /// May it get more traffic?
    ConfirmTraffic,
    /// May it become the primary one?
    ConfirmPromotion,
    /// Shall it go back now?
    Rollback,
}

impl Hook {
    /// All of them.
    pub const ALL: [Hook; 4] = [
        Hook::ConfirmRollout,
        Hook::ConfirmTraffic,
        Hook::ConfirmPromotion,
        Hook::Rollback,
    ];

    /// As Flagger calls it, and as it ends the gate's address.
    pub const fn word(self) -> &'static str {
        match self {
            Hook::ConfirmRollout => "confirm-rollout",
            Hook::ConfirmTraffic => "confirm-traffic-increase",
            Hook::ConfirmPromotion => "confirm-promotion",
            Hook::Rollback => "rollback",
        }
    }

    /// The hook with that name.
    pub fn from_word(word: &str) -> Option<Hook> {
        Hook::ALL.into_iter().find(|hook| hook.word() == word)
    }
}

/// What Flagger says with a question.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The Canary's name.
    pub name: &'a str,
    /// Its namespace.
    pub namespace: &'a str,
    /// Flagger's hash of what it brings.
    pub checksum: &'a str,
}

/// The answer to a question: yes, or no and why, for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Yes.
    Yes,
    /// No.
    No(&'static str),
}

/// The gates of a room's Canaries; a clone is the same gates.
#[derive(Clone, Debug, Default)]
pub struct Gates {
    gates: Arc<Mutex<BTreeMap<TargetName, Gate>>>,
    address: Option<Arc<str>>,
}

/// The gates of one Canary.
#[derive(Debug)]
struct Gate {
    namespace: String,
    name: String,
    release: Option<ReleaseId>,
    open: BTreeMap<Hook, Instant>,
    /// What the release brings in Flagger's words, once it has said so.
    checksum: Option<String>,
}

impl Gates {
    /// Gates that are asked at this address; nobody asks without one.
    pub fn at(address: Option<&str>) -> Gates {
        Gates {
            gates: Arc::default(),
            address: address.map(Arc::from),
        }
    }

    /// Whether there is an address at which somebody could ask.
    pub fn kept(&self) -> bool {
        self.address.is_some()
    }

    /// Where the gate of a hook is asked; `None` where the room keeps none.
    pub fn url(&self, target: &TargetName, hook: Hook) -> Option<String> {
        let address = self.address.as_deref()?;
        Some(format!("http://{address}{}", path(target, hook)))
    }

    /// Makes a Canary known; its gates are closed.
    pub fn know(&self, target: &TargetName, namespace: &str, name: &str) {
        let gate = Gate {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            release: None,
            open: BTreeMap::new(),
            checksum: None,
        };
        self.lock().insert(target.clone(), gate);
    }

    /// Opens just these gates of a Canary for a call, for a moment; all others are closed. The gate
    /// that goes back opens for no call forward.
    pub fn set(&self, effect: &Effect, hooks: &[Hook]) {
        let mut gates = self.lock();
        let Some(gate) = gates.get_mut(&effect.target) else {
            return;
        };
        // a way back brings something else than the way forward
        if gate.release != Some(effect.release) || effect.verb == Verb::Rollback {
            gate.checksum = None;
        }
        gate.release = Some(effect.release);
        let until = Instant::now() + LEASE;
        let hooks = hooks.iter().copied().collect::<BTreeSet<_>>();
        let may = |hook: &Hook| *hook != Hook::Rollback || effect.verb == Verb::Rollback;
        gate.open = hooks
            .into_iter()
            .filter(may)
            .map(|hook| (hook, until))
            .collect();
    }

    /// Answers Flagger at a moment.
    pub fn answer(&self, target: &str, hook: Hook, question: Question<'_>, now: Instant) -> Answer {
        let mut gates = self.lock();
        let Some(gate) = gates.get_mut(&TargetName::from(target)) else {
            return Answer::No("there is no such target");
        };
        if gate.name != question.name || gate.namespace != question.namespace {
            return Answer::No("another Canary asks than the target's");
        }
        match gate.open.get(&hook) {
            None => return Answer::No("closed"),
            Some(until) if *until < now => return Answer::No("closed again by itself"),
            Some(_) => {}
        }
        // before it begins, Flagger speaks of what it brought last
        if matches!(hook, Hook::ConfirmTraffic | Hook::ConfirmPromotion) {
            let known = gate
                .checksum
                .get_or_insert_with(|| question.checksum.to_owned());
            if *known != question.checksum {
                return Answer::No("it brings something else than the release");
            }
        }
        Answer::Yes
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<TargetName, Gate>> {
        // a map of short entries is whole whoever died while holding it
        self.gates.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The path under which a gate is asked.
pub fn path(target: &TargetName, hook: Hook) -> String {
    format!("/gates/{target}/{}", hook.word())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Artifact;

    fn effect(verb: Verb, release: u64) -> Effect {
        Effect {
            id: format!("R-{release}.b1.web.web.{}.1", verb.word()).into(),
            release: ReleaseId(release),
            target: "web".into(),
            instance: "web".into(),
            verb,
            artifact: Artifact {
                version: "2".into(),
                digest: "".into(),
            },
            exposure: None,
        }
    }

    fn gates() -> Gates {
        let gates = Gates::at(Some("127.0.0.1:7345"));
        gates.know(&"web".into(), "shop", "web");
        gates
    }

    fn ask(gates: &Gates, hook: Hook, checksum: &str) -> Answer {
        ask_at(gates, hook, checksum, Instant::now())
    }

    fn ask_at(gates: &Gates, hook: Hook, checksum: &str, now: Instant) -> Answer {
        let question = Question {
            name: "web",
            namespace: "shop",
            checksum,
        };
        gates.answer("web", hook, question, now)
    }

    #[tokio::test]
    async fn gates_are_closed_until_a_call_opens_them_and_close_by_themselves() {
        let gates = gates();
        for hook in Hook::ALL {
            assert_eq!(ask(&gates, hook, "a"), Answer::No("closed"));
        }
        gates.set(&effect(Verb::Deploy, 1), &[Hook::ConfirmRollout]);
        assert_eq!(ask(&gates, Hook::ConfirmRollout, "a"), Answer::Yes);
        assert_eq!(
            ask(&gates, Hook::ConfirmPromotion, "a"),
            Answer::No("closed")
        );
        let later = Instant::now() + LEASE + Duration::from_millis(1);
        assert_eq!(
            ask_at(&gates, Hook::ConfirmRollout, "a", later),
            Answer::No("closed again by itself")
        );
        gates.set(&effect(Verb::Deploy, 1), &[Hook::ConfirmRollout]);
        gates.set(&effect(Verb::Deploy, 1), &[]);
        assert_eq!(ask(&gates, Hook::ConfirmRollout, "a"), Answer::No("closed"));
    }

    #[tokio::test]
    async fn only_a_way_back_says_yes_to_going_back() {
        let gates = gates();
        gates.set(&effect(Verb::Deploy, 1), &Hook::ALL);
        assert_eq!(ask(&gates, Hook::Rollback, "a"), Answer::No("closed"));
        gates.set(&effect(Verb::Rollback, 1), &[Hook::Rollback]);
        assert_eq!(ask(&gates, Hook::Rollback, "a"), Answer::Yes);
    }

    #[tokio::test]
    async fn a_gate_is_open_for_what_the_release_brings_and_nothing_else() {
        let gates = gates();
        let forward = effect(Verb::Deploy, 1);
        gates.set(&forward, &[Hook::ConfirmRollout, Hook::ConfirmTraffic]);
        assert_eq!(ask(&gates, Hook::ConfirmRollout, "before"), Answer::Yes);
        assert_eq!(ask(&gates, Hook::ConfirmTraffic, "a"), Answer::Yes);
        gates.set(&forward, &[Hook::ConfirmTraffic]);
        let other = Answer::No("it brings something else than the release");
        assert_eq!(ask(&gates, Hook::ConfirmTraffic, "b"), other);
        gates.set(&effect(Verb::Deploy, 2), &[Hook::ConfirmTraffic]);
        assert_eq!(ask(&gates, Hook::ConfirmTraffic, "b"), Answer::Yes);
    }

    #[tokio::test]
    async fn nobody_else_is_answered() {
        let gates = gates();
        gates.set(&effect(Verb::Deploy, 1), &Hook::ALL);
        let question = Question {
            name: "web",
            namespace: "other",
            checksum: "a",
        };
        let no = gates.answer("web", Hook::ConfirmRollout, question, Instant::now());
        assert_eq!(no, Answer::No("another Canary asks than the target's"));
        let no = gates.answer("api", Hook::ConfirmRollout, question, Instant::now());
        assert_eq!(no, Answer::No("there is no such target"));
    }

    #[test]
    fn gates_have_addresses() {
        let url = gates().url(&"web".into(), Hook::ConfirmTraffic);
        let wanted = "http://127.0.0.1:7345/gates/web/confirm-traffic-increase";
        assert_eq!(url.as_deref(), Some(wanted));
        assert_eq!(Gates::default().url(&"web".into(), Hook::Rollback), None);
        assert_eq!(
            Hook::from_word("confirm-promotion"),
            Some(Hook::ConfirmPromotion)
        );
        assert_eq!(Hook::from_word("event"), None);
    }
}
