//! Effects: calls that change something outside, and what is known of how they went.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::ids::{Artifact, EffectId, InstanceName, ReleaseId, Span, TargetName};
use super::plan::Exposure;

/// What an effect does to one instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verb {
    /// Take the instance out of traffic.
    Drain,
    /// Bring the new artifact.
    Deploy,
    /// Bring back what ran before.
    Rollback,
    /// Put the instance back into traffic.
    Undrain,
}

impl Verb {
    /// The word used in ids, configuration and on screens.
    pub const fn word(self) -> &'static str {
        match self {
            Verb::Drain => "drain",
            Verb::Deploy => "deploy",
            Verb::Rollback => "rollback",
            Verb::Undrain => "undrain",
        }
    }
}

/// One call that changes something outside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Effect {
    /// Stable over restarts; a retry is a new effect with a new id.
    pub id: EffectId,
    /// The release on whose behalf it happens.
    pub release: ReleaseId,
    /// Where.
    pub target: TargetName,
    /// The instance.
    pub instance: InstanceName,
    /// What is done.
    pub verb: Verb,
    /// What shall run there afterwards.
    pub artifact: Artifact,
    /// How much of the instance, of one that is moved by shares; see [`super::charter::Target::by_share`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exposure: Option<Exposure>,
}

/// How an effect ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It was carried out.
    Done {
        /// How long it took.
        took: Span,
    },
    /// It was carried out and failed, or certainly never began.
    Failed {
        /// How it failed.
        why: Failure,
        /// The end of its output, printable, at most 2,000 characters.
        output: Arc<str>,
    },
    /// Nobody can tell whether it happened: a person decides.
    Unknown {
        /// What was found, in a sentence.
        why: Arc<str>,
    },
}

/// The ways an effect fails.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Failure {
    /// The command ended with this code.
    Exit(i32),
    /// The command was ended by this signal.
    Signal(i32),
    /// The command ran longer than its limit and was ended.
    TimedOut(Span),
    /// The command could not be started (missing, not executable, no connection); nothing happened.
    NotStarted(Arc<str>),
    /// The platform says no, or it did not come there; in its own words, printable.
    Refused(Arc<str>),
    /// It was given up on the way, because the release goes back.
    GivenUp,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Failure::Exit(code) => write!(f, "exit {code}"),
            Failure::Signal(number) => write!(f, "ended by signal {number}"),
            Failure::TimedOut(limit) => write!(f, "no end after {limit}"),
            Failure::NotStarted(why) => write!(f, "not started: {why}"),
            Failure::Refused(why) => f.write_str(why),
            Failure::GivenUp => f.write_str("given up: the release goes back"),
        }
    }
}

/// What a platform says of one instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sight {
    /// The instance.
    pub instance: InstanceName,
    /// How it is.
    pub health: Health,
    /// What runs there; `None` where it is not known. Of an instance that is moved by shares, what
    /// all of it runs, or what ran before where it is divided.
    pub artifact: Option<Artifact>,
    /// What runs on a part of it, where it is divided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arriving: Option<Artifact>,
    /// The platform's own words on its state, printable; may be empty.
    pub detail: Arc<str>,
}

/// How an instance is, as the platform says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Health {
    /// It runs.
    Running,
    /// It is on its way up or down.
    Changing,
    /// It does not run, or fails.
    Down,
    /// The platform does not say, or has not said for too long.
    Unknown,
}
