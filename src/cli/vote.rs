//! `vote`.

use super::exec::{Errand, words};
use super::exit::Went;
use super::keeper::Keeper;
use super::release::{ask_for, done, find};
use crate::domain::{Ask, Choice, approval};

/// A vote as typed.
#[derive(Clone, Copy, Debug)]
pub struct Ballot<'a> {
    /// On which release.
    pub release: &'a str,
    /// What is said; nothing takes the vote back.
    pub choice: Option<Choice>,
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
    let ask = match ballot.choice {
        Some(choice) => Ask::Vote {
            release,
            choice,
            comment: words(ballot.comment),
            digest,
        },
        None => Ask::Approval(approval::Ask::Withdraw { release }),
    };
    let settled = ask_for(ask, errand).await?;
    let did = match ballot.choice {
        Some(Choice::Approve) => "approved",
        Some(Choice::Reject) => "rejected",
        Some(Choice::Object) => "objected to",
        Some(Choice::Abstain) => "abstained from",
        Some(Choice::RequestChanges) => "sent back for changes",
        None => "freed of the vote",
    };
    done(release, settled, did, errand).await
}
