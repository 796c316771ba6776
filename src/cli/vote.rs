//! `vote`.

use super::exec::{Errand, words};
use super::exit::Went;
use super::keeper::Keeper;
use super::release::{ask_for, done, find};
use crate::domain::{Ask, Choice};

/// A vote as typed.
#[derive(Clone, Copy, Debug)]
pub struct Ballot<'a> {
    /// On which release.
    pub release: &'a str,
    /// What is said.
    pub choice: Choice,
    /// Why.
    pub comment: Option<&'a str>,
    /// The digest that the voter has read.
    pub digest: Option<&'a str>,
}

/// Casts it.
pub async fn run<R: Keeper>(ballot: &Ballot<'_>, errand: &Errand<'_, R>) -> Went {
    let state = errand.room.state().borrow().clone();
    let release = find(&state, ballot.release)?;
    let digest = ballot.digest.map(|digest| words(Some(digest)));
    let ask = Ask::Vote {
        release,
        choice: ballot.choice,
        comment: words(ballot.comment),
        digest,
    };
    let settled = ask_for(ask, errand).await?;
    let did = match ballot.choice {
        Choice::Approve => "approved",
        Choice::Reject => "rejected",
        Choice::Object => "objected to",
        Choice::Abstain => "abstained from",
    };
    done(release, settled, did, errand).await
}
