//! Driving a workload to what an effect wishes: read, decide, write once, read again.
//!
//! Every turn begins with a fresh reading, and every change is conditional on what was read, so that a
//! lost answer is settled by the next reading: what was made is found there, what was not is decided
//! anew. Nothing is ever sent again blindly.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;
use tokio::time::Instant;

use super::cluster::CallError;
use super::journal::Journal;
use super::pods;
use crate::domain::text::printable;
use crate::domain::workload::Stuck;
use crate::domain::{Failure, Outcome, Span};
use crate::platform::helm::{Helm, Steer};

/// How often is read where no watch tells of anything.
const TICK: Duration = Duration::from_secs(1);

/// The shortest time between two readings.
const BREATH: Duration = Duration::from_millis(150);

/// For how long a hopeless reason may stand before it is believed: one restart is no crash loop yet.
const GRACE: Duration = Duration::from_secs(8);

/// For how long the cluster may be silent before a call that has not begun gives up.
const REACH: Duration = Duration::from_secs(30);

/// The longest pause between two attempts to send what was not made.
const FUTILE: Duration = Duration::from_secs(5);

/// For how long permission may be missing after it was there: a server that starts anew refuses
/// everything for a moment.
const UNRULY: Duration = Duration::from_secs(60);

/// A change of one object, sent once.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// What it does, in a few words.
    pub words: String,
    /// The name of the workload, where it is another than the target's.
    pub on: Option<Arc<str>>,
    /// How it is written.
    pub how: How,
}

/// How a change is written.
#[derive(Clone, Debug, PartialEq)]
pub enum How {
    /// A strategic merge patch of the workload.
    Strategic(Value),
    /// A JSON patch of the workload.
    Json(Value),
    /// A merge patch of the Service that shows one of two workloads.
    Service(Value),
    /// Pods are deleted, each only if it is still this one.
    Delete(Vec<Doomed>),
}

/// A pod that is deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doomed {
    /// Its name.
    pub name: Arc<str>,
    /// Its uid.
    pub uid: Arc<str>,
    /// Its version.
    pub version: Arc<str>,
}

/// What is to be done next.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    /// Write this, then read again.
    Change(Change),
    /// Wait; in words, for what.
    Wait(String),
    /// It is as wished.
    Done,
    /// It must not be begun; nothing was changed.
    Refuse(String),
}

/// A kind of workload as it is driven.
pub trait Craft: Sync {
    /// What is read of it.
    type Seen: Send + Sync;

    /// Reads it from the cluster itself, not from a watch.
    fn read(&self) -> impl Future<Output = Result<Self::Seen, CallError>> + Send;

    /// Sends a change, once.
    fn send(
        &self,
        seen: &Self::Seen,
        change: &Change,
    ) -> impl Future<Output = Result<(), CallError>> + Send;

    /// The uid of what was read: another one is another object.
    fn uid(&self, seen: &Self::Seen) -> Arc<str>;

    /// What changes whenever there is progress.
    fn mark(&self, seen: &Self::Seen) -> Vec<i64>;

    /// What is stuck among the parts that the wish is about.
    fn stuck(&self, seen: &Self::Seen) -> Vec<Stuck>;

    /// What is to be done next.
    fn next(&self, seen: &Self::Seen, steer: Steer) -> Next;

    /// What holds it where it is, of a wish that failed.
    fn brake(&self, seen: &Self::Seen) -> Option<Change>;
}

/// One way of an effect.
pub struct Trip {
    /// What the release says on the way.
    pub helm: Helm,
    /// What is written down of it.
    pub journal: Journal,
    /// For how long it may stand without progress.
    pub deadline: Span,
    /// Tell of changes in the cluster.
    pub wakes: Vec<watch::Receiver<u64>>,
    /// Whether something has been sent, or may have been by an engine before this one.
    pub asked: bool,
    /// Whether it is a way back: that is not given up for a cluster that is silent.
    pub back: bool,
}

/// What is remembered from turn to turn.
struct Log {
    uid: Option<Arc<str>>,
    /// How it was before: who comes back to what was does not get on.
    marks: HashSet<Vec<i64>>,
    moved: Instant,
    hopeless: Option<Instant>,
    blind: Option<Instant>,
    conflicts: u32,
    /// Since when nothing that is sent is made, and how often.
    futile: Option<(Instant, u32)>,
    failed: Option<String>,
}

impl Trip {
    /// Drives until it is there, fails, or is given up.
    pub async fn drive<C: Craft>(mut self, craft: &C) -> Outcome {
        let begun = Instant::now();
        let mut log = Log {
            uid: None,
            marks: HashSet::new(),
            moved: begun,
            hopeless: None,
            blind: None,
            conflicts: 0,
            futile: None,
            failed: None,
        };
        loop {
            let steer = self.helm.now();
            if steer == Steer::GiveUp {
                self.journal.say("given up: the release goes back");
                return failed(Failure::GivenUp, "");
            }
            let outcome = match craft.read().await {
                Ok(seen) => self.turn(craft, &seen, steer, &mut log).await,
                Err(error) => self.blind(&error, &mut log),
            };
            match outcome {
                Turn::Wait(pause) => self.rest(steer, pause).await,
                Turn::Done => {
                    let took = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
                    return Outcome::Done { took: Span(took) };
                }
                Turn::End(outcome) => return outcome,
            }
        }
    }

    async fn turn<C: Craft>(
        &mut self,
        craft: &C,
        seen: &C::Seen,
        steer: Steer,
        log: &mut Log,
    ) -> Turn {
        log.blind = None;
        let uid = craft.uid(seen);
        if log.uid.get_or_insert_with(|| uid.clone()) != &uid {
            let words = "it was deleted and made anew by somebody else on the way";
            return self.ended(words);
        }
        if let Some(words) = log.failed.clone() {
            return match craft.brake(seen) {
                Some(change) => self.send(craft, seen, &change, log).await,
                None => self.ended(&words),
            };
        }
        match craft.next(seen, steer) {
            Next::Done => Turn::Done,
            Next::Refuse(words) => self.ended(&words),
            Next::Change(change) => self.send(craft, seen, &change, log).await,
            Next::Wait(words) => {
                self.journal.say(&words);
                self.judge(craft, seen, steer, log);
                Turn::Wait(TICK)
            }
        }
    }

    /// Whether it still gets on.
    fn judge<C: Craft>(&self, craft: &C, seen: &C::Seen, steer: Steer, log: &mut Log) {
        if log.marks.insert(craft.mark(seen)) || steer == Steer::Hold {
            log.moved = Instant::now();
            log.hopeless = None;
        }
        if steer == Steer::Hold {
            return;
        }
        let stuck = craft.stuck(seen);
        let words = pods::sentence(&stuck);
        if !stuck.iter().any(|s| pods::hopeless(s.reason)) {
            log.hopeless = None;
        } else if log.hopeless.get_or_insert_with(Instant::now).elapsed() > GRACE {
            log.failed = words;
            return;
        }
        if log.moved.elapsed() > self.deadline.std() {
            let why = words.map(|w| format!(": {w}")).unwrap_or_default();
            log.failed = Some(format!("no progress in {}{why}", self.deadline));
        }
    }

    async fn send<C: Craft>(
        &mut self,
        craft: &C,
        seen: &C::Seen,
        change: &Change,
        log: &mut Log,
    ) -> Turn {
        self.journal.say(&change.words);
        match craft.send(seen, change).await {
            Ok(()) => {
                self.asked = true;
                log.conflicts = 0;
                log.futile = None;
                log.moved = Instant::now();
                Turn::Wait(Duration::ZERO)
            }
            Err(CallError::Conflict(_)) => {
                log.conflicts = log.conflicts.saturating_add(1);
                if log.moved.elapsed() > self.deadline.std() {
                    return self.ended("somebody else changes it all the time");
                }
                // two that write the same object must not meet again and again
                Turn::Wait(Duration::from_millis(u64::from(log.conflicts.min(20)) * 40))
            }
            Err(error @ CallError::Busy(seconds)) => {
                self.journal.say(&error.to_string());
                Turn::Wait(Duration::from_secs(u64::from(seconds.min(60))))
            }
            Err(CallError::NotReached(_) | CallError::Stranger(_)) => Turn::Wait(TICK),
            Err(error @ CallError::Unknown(_)) => {
                self.asked = true;
                let words = format!("{error}: whether it was made is read from the cluster");
                self.again(&words, log)
            }
            Err(error @ CallError::Hindered(_)) => {
                self.again(&format!("{}: {error}", change.words), log)
            }
            Err(error) => {
                // a refusal of what a server that starts anew does not know yet is no refusal
                let since = *log.blind.get_or_insert_with(Instant::now);
                let young = self.asked && matches!(error, CallError::Forbidden(_));
                if young && since.elapsed() < UNRULY {
                    return Turn::Wait(TICK);
                }
                self.ended(&format!("{}: {error}", change.words))
            }
        }
    }

    /// Something was not made, or nobody knows: reading tells whether it is to be sent again, less and
    /// less often, until there has been no progress for too long.
    fn again(&mut self, words: &str, log: &mut Log) -> Turn {
        self.journal.say(words);
        let (since, times) = log.futile.unwrap_or((Instant::now(), 0));
        log.futile = Some((since, times.saturating_add(1)));
        let patience = if self.asked || self.back {
            self.deadline.std()
        } else {
            REACH
        };
        if since.elapsed() >= patience {
            return self.ended(words);
        }
        Turn::Wait((BREATH * 2_u32.pow(times.min(10))).min(FUTILE))
    }

    /// What it means that nothing can be read.
    fn blind(&mut self, error: &CallError, log: &mut Log) -> Turn {
        let since = *log.blind.get_or_insert_with(Instant::now);
        // time in which nobody can see is no time without progress
        log.moved = Instant::now();
        log.hopeless = None;
        self.journal.say(&format!("waits for the cluster: {error}"));
        let patience = match error {
            CallError::NotFound(_) if log.uid.is_none() => Duration::ZERO,
            CallError::NotFound(_) => TICK * 3,
            CallError::Forbidden(_) if !self.asked => Duration::ZERO,
            CallError::Forbidden(_) => UNRULY,
            _ if !self.asked => REACH,
            _ if self.back => Duration::MAX,
            _ => self.deadline.std(),
        };
        if since.elapsed() < patience {
            return Turn::Wait(TICK);
        }
        match error {
            CallError::NotFound(_) | CallError::Forbidden(_) => self.ended(&error.to_string()),
            _ if !self.asked => self.ended(&error.to_string()),
            _ => Turn::End(Outcome::Unknown {
                why: format!(
                    "the cluster has not answered for {}: {error}",
                    self.deadline
                )
                .into(),
            }),
        }
    }

    /// It ends here: refused before anything was sent, or failed on the way.
    fn ended(&self, words: &str) -> Turn {
        self.journal.say(words);
        let words: Arc<str> = printable(words, 400).into();
        let why = if self.asked {
            Failure::Refused(words)
        } else {
            Failure::NotStarted(words)
        };
        Turn::End(failed(why, &self.journal.text()))
    }

    /// Waits until something may have changed, at most so long.
    async fn rest(&mut self, steer: Steer, pause: Duration) {
        if pause.is_zero() {
            return;
        }
        tokio::time::sleep(pause.min(BREATH)).await;
        let wakes = self.wakes.iter_mut().map(|wake| Box::pin(wake.changed()));
        let wakes: Vec<_> = wakes.collect();
        let any = async {
            if wakes.is_empty() {
                std::future::pending::<()>().await;
            }
            // a watch that has ended tells nothing more: the tick does
            let _ = futures_util::future::select_all(wakes).await;
        };
        tokio::select! {
            () = tokio::time::sleep(pause.saturating_sub(BREATH)) => {}
            () = any => {}
            _ = self.helm.changed(steer) => {}
        }
    }
}

/// How a turn ended.
enum Turn {
    Wait(Duration),
    Done,
    End(Outcome),
}

fn failed(why: Failure, output: &str) -> Outcome {
    Outcome::Failed {
        why,
        output: output.into(),
    }
}
