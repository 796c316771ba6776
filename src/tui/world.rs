//! What a desk looks at: the room's state, what is seen right now, and the time.

use crate::domain::live::Live;
use crate::domain::release::{Release, Summary};
use crate::domain::waiting::{self, Group, Waiting};
use crate::domain::{PersonName, ReleaseId, Span, State, TargetName, Timestamp};

/// What a desk looks at. Time is a value like any other.
#[derive(Clone, Copy, Debug)]
pub struct World<'a> {
    /// What the ledger says.
    pub state: &'a State,
    /// What is seen right now.
    pub live: &'a Live,
    /// The time, which never runs behind the state's.
    pub now: Timestamp,
}

/// What a target's reading may be old before its age is told.
pub const FRESH: Span = Span::secs(10);

impl<'a> World<'a> {
    /// A release that is not closed.
    pub fn release(self, id: ReleaseId) -> Option<&'a Release> {
        self.state.live.get(&id).map(|r| &**r)
    }

    /// A closed release.
    pub fn closed(self, id: ReleaseId) -> Option<&'a Summary> {
        self.state.closed.get(&id).map(|s| &**s)
    }

    /// Whether there is such a release, closed or not.
    pub fn knows(self, id: ReleaseId) -> bool {
        self.release(id).is_some() || self.closed(id).is_some()
    }

    /// What a release waits for.
    pub fn waiting(self, release: &Release) -> Waiting {
        waiting::of(self.state, release, self.now)
    }

    /// Who has to act on a release, as a person sees it.
    pub fn group(self, release: &Release, waiting: &Waiting, who: Option<&PersonName>) -> Group {
        waiting::group(self.state, release, waiting, who)
    }

    /// How old the newest reading of a target is; `None` when it was never read.
    pub fn age(self, target: &TargetName) -> Option<Span> {
        let read = self.live.targets.get(target)?.read_at?;
        Some(self.now.since(read))
    }

    /// A person's name, with the mark of those who are made up.
    pub fn person(self, name: &PersonName) -> String {
        let sample = self
            .state
            .charter
            .people
            .get(name)
            .is_some_and(|p| p.sample);
        if sample {
            format!("{name} (sample)")
        } else {
            name.to_string()
        }
    }
}
