//! Why something about an approval may not be done now.

use super::terms::Barred;
use crate::domain::ids::PersonName;

/// Why not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denied {
    /// It is the voter's own work.
    OwnWork(PersonName, Barred),
    /// The voter is asked only through a membership that the release's own people gave.
    OwnGrant {
        /// The voter.
        who: PersonName,
        /// Who gave the membership.
        by: PersonName,
    },
    /// A word to the others is needed, and there is none.
    NoWords(&'static str),
    /// There is no vote to take back.
    NoVote(PersonName),
    /// Nobody of that name objects.
    NoObjection {
        /// The name.
        whose: PersonName,
        /// Who does.
        objectors: Vec<PersonName>,
    },
    /// One's own objection is withdrawn, not overruled.
    OwnObjection(PersonName),
    /// The release has been started on this plan.
    PlanFixed,
    /// Nothing is different.
    SamePlan,
    /// An emergency without a vote of somebody else is started by somebody else.
    SecondPerson(PersonName),
}

impl Denied {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Denied::OwnWork(_, Barred::Submitter) => "own-release",
            Denied::OwnWork(_, Barred::Changer) => "own-change",
            Denied::OwnWork(_, Barred::Author) => "own-commits",
            Denied::OwnWork(_, Barred::Starter) => "own-pipeline",
            Denied::OwnGrant { .. } => "own-grant",
            Denied::NoWords(_) => "no-words",
            Denied::NoVote(_) => "no-vote",
            Denied::NoObjection { .. } => "no-objection",
            Denied::OwnObjection(_) => "own-objection",
            Denied::PlanFixed => "plan-fixed",
            Denied::SamePlan => "same-plan",
            Denied::SecondPerson(_) => "second-person",
        }
    }

    /// The sentence and the next step.
    pub fn words(&self) -> (String, String) {
        let pair = |a: String, b: &str| (a, b.to_owned());
        match self {
            Denied::OwnWork(who, barred) => pair(
                format!("{who} {} and may not vote on it", barred.words()),
                "somebody else has to vote",
            ),
            Denied::OwnGrant { who, by } => pair(
                format!("{who} is asked only because {by} said so, whose own work this release is"),
                "somebody else has to vote, or to give the membership",
            ),
            Denied::NoWords(what) => pair(
                format!("without words nobody knows {what}"),
                "say it in a sentence",
            ),
            Denied::NoVote(who) => pair(
                format!("{who} has cast no vote that could be taken back"),
                "`release show` says who has voted",
            ),
            Denied::NoObjection { whose, objectors } => (
                format!("{whose} does not object"),
                match objectors.as_slice() {
                    [] => "nobody objects; `release show` says what is missing".to_owned(),
                    names => {
                        let names: Vec<&str> = names.iter().map(PersonName::as_str).collect();
                        format!("who objects: {}", names.join(", "))
                    }
                },
            ),
            Denied::OwnObjection(who) => pair(
                format!("the objection is {who}'s own"),
                "`vote ID withdraw` takes it back",
            ),
            Denied::PlanFixed => pair(
                "the release has been started on this plan".into(),
                "cancel it or roll it back, and submit the new plan",
            ),
            Denied::SamePlan => pair(
                "the plan is the same as before".into(),
                "change the file first; the votes stand as they are",
            ),
            Denied::SecondPerson(who) => pair(
                format!("nobody but {who} stands behind this emergency"),
                "a second person has to start it, or to vote for it",
            ),
        }
    }
}
