//! The judge's rule: what a plan makes of the judge's verdicts on the release.

use serde::{Deserialize, Serialize};

use super::hold::{Hold, HoldKind};
use super::ids::Span;
use super::release::Release;
use super::verdict::Decision;

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

impl Release {
    /// Whether no time and no proof of single metrics lets it pass, because the judge cannot say how
    /// it does.
    pub fn judge_bars(&self) -> bool {
        let blind = self
            .judgement
            .as_ref()
            .is_some_and(|judgement| judgement.decision == Decision::Inconclusive);
        blind && self.plan.judge.inconclusive == OnInconclusive::Hold
    }

    /// Whether a bake of its present batch wants proof that the new version is good enough, and there
    /// is none. Once it stood still for that and was resumed, none is wanted any more.
    pub fn lacks_proof(&self, hold: &Hold) -> bool {
        let bake = matches!(hold.kind, HoldKind::Bake { .. })
            && self
                .batch()
                .is_some_and(|(_, batch)| batch.after.iter().any(|other| other.id == hold.id));
        let proven = self
            .judgement
            .as_ref()
            .is_some_and(|judgement| judgement.decision == Decision::Promote);
        bake && self.plan.judge.step_end == OnStepEnd::Pause
            && !proven
            && !self.unproven.contains(&hold.id)
    }
}
