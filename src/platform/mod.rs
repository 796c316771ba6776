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
pub mod doctor;
pub mod evidence;
pub mod health;
pub mod helm;
pub mod http;
pub mod kube;
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

use crate::domain::workload::Workload;
use crate::domain::{Effect, Failure, Outcome, ReleaseId, Sight, Span, TargetName};
use command::CommandTarget;
use helm::Helm;
use kube::KubeTarget;

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
    /// A workload in a Kubernetes cluster.
    Kubernetes(KubeTarget),
}

/// A target as its platform shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// How old it is: nothing that came later was seen.
    pub age: Span,
    /// How each instance is.
    pub sights: Vec<Sight>,
    /// What the workload is made of, where the platform divides it.
    pub workload: Option<Arc<Workload>>,
}

impl Platform {
    /// The target's name.
    pub fn name(&self) -> &TargetName {
        match self {
            Platform::Command(target) => target.name(),
            Platform::Kubernetes(target) => target.name(),
        }
    }

    /// Carries the effect out to its end, once however often this is called. Dropping the future
    /// stops the waiting only. What takes its time listens to the `helm`; a command does not: it runs
    /// to its end.
    pub async fn perform(&self, effect: &Effect, helm: Helm) -> Outcome {
        match self {
            Platform::Command(target) => target.perform(effect).await,
            Platform::Kubernetes(target) => target.perform(effect, helm).await,
        }
    }

    /// What became of an effect that was begun before the engine went down. Starts nothing; what is
    /// `NeverStarted` will not start any more until [`Platform::perform`] is called.
    pub async fn check(&self, effect: &Effect) -> Checked {
        match self {
            Platform::Command(target) => target.check(effect).await,
            Platform::Kubernetes(target) => target.check(effect).await,
        }
    }

    /// Waits for the end of an effect that was found running.
    pub async fn wait(&self, effect: &Effect, helm: Helm) -> Outcome {
        match self {
            Platform::Command(target) => target.wait(effect).await,
            // it looks first how far it is
            Platform::Kubernetes(target) => target.wait(effect, helm).await,
        }
    }

    /// Clears up after a release that has moved the target, once it is closed.
    pub async fn tidy(&self, release: ReleaseId, helm: Helm) {
        match self {
            // a program leaves nothing behind that holdpoint knows of
            Platform::Command(_) => {}
            Platform::Kubernetes(target) => target.tidy(release, helm).await,
        }
    }

    /// The end of what the effect said so far, in printable lines; empty when there is none.
    pub async fn output(&self, effect: &Effect) -> Vec<String> {
        match self {
            Platform::Command(target) => target.output(effect).await,
            Platform::Kubernetes(target) => target.output(effect).await,
        }
    }

    /// How the instances are now.
    ///
    /// # Errors
    /// When nothing can be said of any of them; [`Platform::unseen`] makes sights of it.
    pub async fn observe(&self) -> Result<Picture, ObserveError> {
        match self {
            Platform::Command(target) => Ok(Picture {
                age: Span(0),
                sights: target.observe().await?,
                workload: None,
            }),
            Platform::Kubernetes(target) => target.observe().await,
        }
    }

    /// Every instance as unknown, for the reason why nothing was seen.
    pub fn unseen(&self, why: &ObserveError) -> Vec<Sight> {
        match self {
            Platform::Command(target) => target.unseen(why),
            Platform::Kubernetes(target) => target.unseen(why),
        }
    }
}
