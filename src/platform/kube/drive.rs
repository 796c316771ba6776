//! Driving a workload to what an effect wishes: read, decide, write once, read again.
//!
//! One driver for all kinds; a [`Craft`] says what of a kind is read and what is to be done next.
//! Every turn begins with a fresh reading, and every change is conditional on what was read, so that a
//! lost answer is settled by the next reading: what was made is found there, what was not is decided
//! anew. Two changes that are made at the same moment are made once: the later one is a conflict.
//! Nothing is ever sent again blindly.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::change::{Change, Next, delete};
use super::cluster::{CallError, Cluster};
use super::journal::Journal;
use crate::domain::text::printable;
use crate::domain::{Failure, Outcome, Span};
use crate::platform::helm::{Helm, Steer};

/// How often is read where no watch tells of anything.
const TICK: Duration = Duration::from_secs(1);

/// The shortest time between two readings.
const BREATH: Duration = Duration::from_millis(150);

/// For how long something bad has to last until it is believed: one restart is no crash loop yet, and
/// a controller writes down what it made of a change in several steps.
const GRACE: Duration = Duration::from_secs(8);

/// For how long the cluster may be silent before a call that has not begun gives up.
const REACH: Duration = Duration::from_secs(30);

/// The longest pause between two attempts to send what was not made.
const FUTILE: Duration = Duration::from_secs(5);

/// For how long permission may be missing after it was there: a server that starts anew refuses
/// everything for a moment.
const UNRULY: Duration = Duration::from_secs(60);

/// How many characters of details stand in the record of a failure.
const DETAILS: usize = 2_000;

/// A kind of workload as it is driven.
pub trait Craft: Sync {
    /// What is read of it.
    type Seen: Send + Sync;

    /// Reads it from the cluster itself, not from a watch.
    fn read(&self) -> impl Future<Output = Result<Self::Seen, CallError>> + Send;

    /// The uid of what was read: another one is another object.
    fn uid(&self, seen: &Self::Seen) -> Arc<str>;

    /// What changes whenever there is progress.
    fn mark(&self, seen: &Self::Seen) -> String;

    /// What is to be done next.
    fn next(&self, seen: &Self::Seen, steer: Steer) -> Next;

    /// What holds it where it is, of a wish that failed.
    fn brake(&self, _: &Self::Seen) -> Option<Change> {
        None
    }

    /// What stands in the record of a failure, printable lines; where there is nothing, what the way
    /// has met.
    fn details(&self, _: &Self::Seen) -> String {
        String::new()
    }
}

/// One way of an effect.
pub struct Trip {
    /// Where it leads through.
    pub cluster: Cluster,
    /// The namespace.
    pub ns: String,
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
    marks: HashSet<String>,
    moved: Instant,
    bad: Option<Instant>,
    /// Since when nothing can be read.
    blind: Option<Instant>,
    /// Since when nothing may be written.
    barred: Option<Instant>,
    conflicts: u32,
    /// Since when nothing that is sent is made, and how often.
    futile: Option<(Instant, u32)>,
    failed: Option<Arc<str>>,
}

impl Log {
    fn begin() -> Log {
        Log {
            uid: None,
            marks: HashSet::new(),
            moved: Instant::now(),
            bad: None,
            blind: None,
            barred: None,
            conflicts: 0,
            futile: None,
            failed: None,
        }
    }

    /// It gets on, or nobody can expect it to.
    fn renew(&mut self) {
        self.moved = Instant::now();
        self.bad = None;
    }
}

/// How a turn ended.
enum Turn {
    Wait(Duration),
    Done,
    End(Outcome),
}

impl Trip {
    /// Drives until it is there, fails, or is given up.
    pub async fn drive<C: Craft>(mut self, craft: &C) -> Outcome {
        let begun = Instant::now();
        let mut log = Log::begin();
        loop {
            let steer = self.helm.now();
            if steer == Steer::GiveUp {
                self.journal.say("given up: the release goes back");
                return failed(Failure::GivenUp, String::new());
            }
            let turn = match craft.read().await {
                Ok(seen) => self.turn(craft, &seen, steer, &mut log).await,
                Err(error) => self.blind(&error, &mut log),
            };
            match turn {
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
        let turn = if log.uid.get_or_insert_with(|| uid.clone()) != &uid {
            self.refused("it was deleted and made anew by somebody else on the way")
        } else if log.failed.is_some() {
            self.stop(craft, seen, log).await
        } else {
            let next = craft.next(seen, steer);
            if log.marks.insert(craft.mark(seen)) || steer == Steer::Hold {
                log.renew();
            }
            let turn = self.step(next, log).await;
            match &log.failed {
                Some(_) => self.stop(craft, seen, log).await,
                None => turn,
            }
        };
        match turn {
            Turn::End(Outcome::Failed { why, output }) => {
                let details = craft.details(seen);
                let more: String = details.chars().take(DETAILS).collect();
                let output = if more.is_empty() { output } else { more.into() };
                Turn::End(Outcome::Failed { why, output })
            }
            other => other,
        }
    }

    /// Does what is to be done next; whether it has failed is written down.
    async fn step(&mut self, next: Next, log: &mut Log) -> Turn {
        match next {
            Next::Done => Turn::Done,
            Next::Never(why) => self.refused(&why),
            Next::Change(change) => {
                let sent = change.send(&self.cluster, &self.ns).await;
                self.sent(sent, &change.words, log)
            }
            Next::Last(change) => {
                let sent = change.send(&self.cluster, &self.ns).await;
                let made = sent.is_ok();
                let turn = self.sent(sent, &change.words, log);
                if made { Turn::Done } else { turn }
            }
            Next::Delete(words, pods) => {
                let sent = delete(&pods, &self.cluster, &self.ns).await;
                self.sent(sent, &words, log)
            }
            Next::Patience(words) => {
                self.journal.say(&words);
                log.renew();
                Turn::Wait(TICK)
            }
            Next::Wait(words) => {
                self.journal.say(&words);
                log.bad = None;
                if log.moved.elapsed() > self.deadline.std() {
                    let words = format!("no progress in {}: {words}", self.deadline);
                    log.failed = Some(words.into());
                }
                Turn::Wait(TICK)
            }
            Next::Bad(why) => {
                self.journal.say(&why);
                if log.bad.get_or_insert_with(Instant::now).elapsed() > GRACE {
                    log.failed = Some(why);
                }
                Turn::Wait(TICK)
            }
            Next::Undecided(why) => {
                self.journal.say(&why);
                let why = printable(&why, 400).into();
                Turn::End(Outcome::Unknown { why })
            }
            Next::Failed(why) => {
                log.failed = Some(why);
                Turn::Wait(Duration::ZERO)
            }
        }
    }

    /// Holds what has failed where it is, and then it ends.
    async fn stop<C: Craft>(&mut self, craft: &C, seen: &C::Seen, log: &mut Log) -> Turn {
        if let Some(brake) = craft.brake(seen) {
            let sent = brake.send(&self.cluster, &self.ns).await;
            return self.sent(sent, &brake.words, log);
        }
        let why = log.failed.clone().unwrap_or_default();
        self.ended(&why, Failure::Refused)
    }

    /// What it means how a change went.
    fn sent(&mut self, sent: Result<(), CallError>, words: &str, log: &mut Log) -> Turn {
        self.journal.say(words);
        match sent {
            Ok(()) => {
                self.asked = true;
                log.barred = None;
                log.conflicts = 0;
                log.futile = None;
                log.renew();
                Turn::Wait(Duration::ZERO)
            }
            Err(CallError::Conflict(_)) => {
                log.conflicts = log.conflicts.saturating_add(1);
                if log.moved.elapsed() > self.deadline.std() {
                    return self.refused("somebody else changes it all the time");
                }
                // two that write the same object must not meet again and again
                Turn::Wait(Duration::from_millis(u64::from(log.conflicts.min(20)) * 40))
            }
            Err(CallError::Busy(seconds)) => {
                Turn::Wait(Duration::from_secs(u64::from(seconds.min(60))))
            }
            Err(CallError::NotReached(_) | CallError::Stranger(_)) => Turn::Wait(TICK),
            Err(error @ CallError::Unknown(_)) => {
                self.asked = true;
                let words = format!("{error}: whether it was made is read from the cluster");
                self.again(&words, log)
            }
            Err(error @ CallError::Hindered(_)) => self.again(&format!("{words}: {error}"), log),
            Err(error) => {
                // a refusal of what a server that starts anew does not know yet is no refusal
                let since = *log.barred.get_or_insert_with(Instant::now);
                let young = self.asked && matches!(error, CallError::Forbidden(_));
                if young && since.elapsed() < UNRULY {
                    return Turn::Wait(TICK);
                }
                self.refused(&format!("{words}: {error}"))
            }
        }
    }

    /// Something was not made, or nobody knows: reading tells whether it is to be sent again, less and
    /// less often, until there has been no progress for too long.
    fn again(&mut self, words: &str, log: &mut Log) -> Turn {
        self.journal.say(words);
        let (since, times) = log.futile.unwrap_or((Instant::now(), 0));
        log.futile = Some((since, times.saturating_add(1)));
        let patience = if self.asked {
            self.deadline.std()
        } else {
            REACH
        };
        if since.elapsed() >= patience {
            return self.refused(words);
        }
        Turn::Wait((BREATH * 2_u32.pow(times.min(10))).min(FUTILE))
    }

    /// What it means that nothing can be read.
    fn blind(&mut self, error: &CallError, log: &mut Log) -> Turn {
        let since = *log.blind.get_or_insert_with(Instant::now);
        // time in which nobody can see is no time without progress
        log.renew();
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
            CallError::NotFound(_) | CallError::Forbidden(_) => self.refused(&error.to_string()),
            _ if !self.asked => self.refused(&error.to_string()),
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
    fn refused(&self, words: &str) -> Turn {
        let asked = self.asked;
        let why = |words| match asked {
            true => Failure::Refused(words),
            false => Failure::NotStarted(words),
        };
        self.ended(words, why)
    }

    fn ended(&self, words: &str, why: impl FnOnce(Arc<str>) -> Failure) -> Turn {
        self.journal.say(words);
        let why = why(printable(words, 400).into());
        Turn::End(failed(why, self.journal.text()))
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

fn failed(why: Failure, output: String) -> Outcome {
    Outcome::Failed {
        why,
        output: output.into(),
    }
}

#[cfg(test)]
mod tests;
