//! The judge's rule: what a plan makes of the judge's verdicts on the release.

use serde::{Deserialize, Serialize};

use super::ids::Span;

/// What follows from the judge's verdicts on the release. Verdicts in shadow are not meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct JudgeRule {
    /// When it is proven bad.
    pub rollback: OnRollback,
    /// When it looks bad and is not proven.
    pub pause: OnPause,
    /// When it is proven good enough before its time.
    pub promote: OnPromote,
    /// When it cannot be said: no data, too little traffic.
    pub inconclusive: OnInconclusive,
    /// When the time of a bake is over without proof.
    pub step_end: OnStepEnd,
    /// The least time of a batch before it is promoted; half of its bakes without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub least: Option<Span>,
}

impl JudgeRule {
    /// Whether it is the one that holds where a plan says nothing.
    pub fn is_usual(&self) -> bool {
        *self == JudgeRule::default()
    }
}

/// What follows when the new version is proven bad.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnRollback {
    /// The release goes back.
    #[default]
    RollBack,
    /// It stands still until somebody decides.
    Pause,
    /// People are told.
    Inform,
}

/// What follows when the new version looks bad and is not proven to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnPause {
    /// The release stands still until somebody decides.
    #[default]
    Pause,
    /// People are told.
    Inform,
}

/// What follows when the new version is proven good enough before its time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnPromote {
    /// The bakes and analyses of the present batch are cleared before their time.
    GoOn,
    /// People are told.
    #[default]
    Inform,
}

/// What follows when nothing can be said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnInconclusive {
    /// No time lets the release pass as long as that is so; it goes on by itself afterwards.
    #[default]
    Hold,
    /// The release stands still until somebody decides.
    Pause,
    /// People are told.
    Inform,
}

/// What follows when a bake is over without proof that the new version is good enough.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnStepEnd {
    /// The release goes on in time; who wants proof writes an analysis hold.
    #[default]
    GoOn,
    /// It stands still until somebody decides.
    Pause,
}
