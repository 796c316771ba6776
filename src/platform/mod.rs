//! Outside systems, behind a few small types.
//!
//! A [`Platform`] carries out effects on the instances of one target and says how they are. A
//! [`source::Source`] reads metrics, from the instances or from a Prometheus; a health check asks
//! one instance.
//!
//! What every platform promises: [`Platform::perform`] never carries out one effect twice, however
//! often it is called; dropping its future stops the waiting and not the effect; and what cannot
//! be told is `Unknown`, never a guess.

pub mod command;
mod counters;
pub mod evidence;
pub mod health;
pub mod http;
pub mod metrics_text;
pub mod notify;
pub mod output;
mod process;
pub mod prometheus;
pub mod runner;
pub mod scrape;
pub mod secret;
pub mod selector;
pub mod source;
mod words;

use std::sync::Arc;

use crate::domain::{Effect, Failure, Outcome, Sight, Span, TargetName};
use command::CommandTarget;

/// What a platform knows of an effect that was begun before the engine went down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Checked {
    /// It came to its end.
    Ended(Outcome),
    /// It is still being carried out: wait for it.
    Running,
    /// It certainly never began.
    NeverStarted,
    /// Nobody can tell whether it happened.
    Unknown {
        /// What was found, in a sentence.
        why: Arc<str>,
    },
}

/// Why a platform gave no picture of its instances. Everything it would have shown is unknown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ObserveError {
    /// The question could not be asked.
    #[error("status was not asked: {0}")]
    NotStarted(Arc<str>),
    /// No answer came in time.
    #[error("status gave no answer in {0}")]
    TimedOut(Span),
    /// The question failed; with the end of what was said, printable.
    #[error("status failed: {0}{sep}{1}", sep = if .1.is_empty() { "" } else { ": " })]
    Failed(Failure, Arc<str>),
    /// The answer was longer than is read.
    #[error("status printed more than 1 MiB")]
    TooLong,
    /// The answer could not be understood.
    #[error("status was not understood: {0}")]
    Garbage(Arc<str>),
}

/// The outside system behind one target.
#[derive(Clone, Debug)]
pub enum Platform {
    /// Programs, here or over ssh.
    Command(CommandTarget),
}

impl Platform {
    /// The target's name.
    pub fn name(&self) -> &TargetName {
        match self {
            Platform::Command(target) => target.name(),
        }
    }

    /// Carries the effect out to its end, once however often this is called. Dropping the future
    /// stops the waiting only.
    pub async fn perform(&self, effect: &Effect) -> Outcome {
        match self {
            Platform::Command(target) => target.perform(effect).await,
        }
    }

    /// What became of an effect that was begun before the engine went down. Starts nothing; what is
    /// `NeverStarted` will not start any more until [`Platform::perform`] is called.
    pub async fn check(&self, effect: &Effect) -> Checked {
        match self {
            Platform::Command(target) => target.check(effect).await,
        }
    }

    /// Waits for the end of an effect that was found running.
    pub async fn wait(&self, effect: &Effect) -> Outcome {
        match self {
            Platform::Command(target) => target.wait(effect).await,
        }
    }

    /// The end of what the effect said so far, in printable lines; empty when there is none.
    pub async fn output(&self, effect: &Effect) -> Vec<String> {
        match self {
            Platform::Command(target) => target.output(effect).await,
        }
    }

    /// How the instances are now.
    ///
    /// # Errors
    /// When nothing can be said of any of them; [`Platform::unseen`] makes sights of it.
    pub async fn observe(&self) -> Result<Vec<Sight>, ObserveError> {
        match self {
            Platform::Command(target) => target.observe().await,
        }
    }

    /// Every instance as unknown, for the reason why nothing was seen.
    pub fn unseen(&self, why: &ObserveError) -> Vec<Sight> {
        match self {
            Platform::Command(target) => target.unseen(why),
        }
    }
}
