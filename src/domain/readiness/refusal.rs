//! Why evidence may not be handed in.

use super::Accepts;
use crate::domain::ids::{CheckName, GroupName, PersonName};
use crate::domain::words::nearest;

/// Why evidence may not be handed in now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The release has no checklist.
    NoChecks,
    /// It has no such check.
    UnknownCheck {
        /// What was named.
        check: CheckName,
        /// What there is.
        known: Vec<CheckName>,
    },
    /// The release has begun: nothing is decided by its checklist any more.
    Begun,
    /// Nobody hands this in: it is decided from the plan.
    FromPlan {
        /// The check.
        check: CheckName,
        /// What the plan needs.
        what: &'static str,
    },
    /// Nobody hands this in: the engine runs its command.
    ByEngine(CheckName),
    /// The check asks for other evidence.
    OtherKind {
        /// The check.
        check: CheckName,
        /// What it accepts.
        accepts: Vec<Accepts>,
    },
    /// The person is in none of the groups that may.
    NotInGroup {
        /// Who.
        who: PersonName,
        /// The check.
        check: CheckName,
        /// The groups.
        groups: Vec<GroupName>,
    },
    /// Whoever brought a release does not clear this check of it.
    OwnCheck {
        /// Who.
        who: PersonName,
        /// The check.
        check: CheckName,
    },
    /// What was tested is not what the plan brings.
    OtherArtifact {
        /// The service.
        service: String,
        /// The digest that the plan names.
        wanted: String,
    },
    /// Nothing was handed in that could be taken back.
    NothingToRevoke(CheckName),
    /// Nothing is said.
    NoWords,
    /// The digest of a file or page is none.
    BadDigest(String),
}

impl Refusal {
    /// The stable code of the refusal.
    pub const fn code(&self) -> &'static str {
        match self {
            Refusal::NoChecks => "no-checks",
            Refusal::UnknownCheck { .. } => "unknown-check",
            Refusal::Begun => "has-begun",
            Refusal::FromPlan { .. } => "decided-from-plan",
            Refusal::ByEngine(_) => "run-by-engine",
            Refusal::OtherKind { .. } => "other-evidence",
            Refusal::NotInGroup { .. } => "not-asked-for-evidence",
            Refusal::OwnCheck { .. } => "own-check",
            Refusal::OtherArtifact { .. } => "other-artifact",
            Refusal::NothingToRevoke(_) => "nothing-to-revoke",
            Refusal::NoWords => "no-words",
            Refusal::BadDigest(_) => "bad-sha256",
        }
    }

    /// Headline and next step.
    pub fn words(&self) -> (String, String) {
        let pair = |a: String, b: &str| (a, b.to_owned());
        match self {
            Refusal::NoChecks => pair(
                "this release has no checklist".into(),
                "`[[readiness]]` in policy.toml says which releases have one",
            ),
            Refusal::UnknownCheck { check, known } => {
                let names = known.iter().map(CheckName::as_str);
                let next = match nearest(check.as_str(), names.clone()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("its checks: {}", names.collect::<Vec<_>>().join(", ")),
                };
                (format!("this release has no check `{check}`"), next)
            }
            Refusal::Begun => pair(
                "the release has begun; its checklist is behind it".into(),
                "`release checks` shows on what grounds it began",
            ),
            Refusal::FromPlan { check, what } => (
                format!("{check} is decided from the plan, which has to name {what}"),
                "hand in the plan with it, or have the check waived".into(),
            ),
            Refusal::ByEngine(check) => pair(
                format!("the engine runs the command of {check} itself"),
                "it is run again until it ends with 0; the check can be waived",
            ),
            Refusal::OtherKind { check, accepts } => {
                let kinds: Vec<String> = accepts
                    .iter()
                    .map(|kind| format!("--{}", kind.word()))
                    .collect();
                (
                    format!("{check} asks for other evidence"),
                    format!("hand in {}", kinds.join(" or ")),
                )
            }
            Refusal::NotInGroup { who, check, groups } => {
                let names: Vec<&str> = groups.iter().map(GroupName::as_str).collect();
                (
                    format!("{who} is in none of the groups that may clear {check}"),
                    format!("ask somebody of {}", names.join(", ")),
                )
            }
            Refusal::OwnCheck { who, check } => pair(
                format!("{who} brought this release and may not be the one to clear {check}"),
                "somebody else has to say it",
            ),
            Refusal::OtherArtifact { service, wanted } => pair(
                format!("what was tested is not what this plan brings: {service} is {wanted}"),
                "name the digest of every artifact that was tested, or test these",
            ),
            Refusal::NothingToRevoke(check) => pair(
                format!("nothing was handed in for {check}"),
                "`release checks` shows what was",
            ),
            Refusal::NoWords => pair("nothing is said".into(), "say it in a sentence"),
            Refusal::BadDigest(text) => pair(
                format!("`{text}` is no SHA-256"),
                "write sha256: and 64 hexadecimal digits",
            ),
        }
    }
}
