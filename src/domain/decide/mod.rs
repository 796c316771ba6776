//! `decide`: what a command leads to, or why not.
//!
//! `people` answers what people ask, `machine` what the engine hands in, `advance` walks a release
//! on as far as it may go.

mod advance;
mod approval;
mod authority;
mod calendar;
mod emergency;
mod judged;
mod machine;
mod people;
mod readiness;
mod ruling;

use std::sync::Arc;

use super::apply::apply;
use super::command::{Ask, Command};
use super::event::{Event, VERSION, What};
use super::ids::{ReleaseId, Timestamp};
use super::refusal::Refusal;
use super::release::Release;
use super::state::State;

/// What a command leads to in a state: its events, none of them applied to the caller's state.
///
/// # Errors
/// The refusal, when the command may not be carried out now.
pub fn decide(state: &State, command: &Command) -> Result<Vec<Event>, Refusal> {
    let mut draft = Draft::new(state.clone());
    draft.run(command)?;
    Ok(draft.events)
}

/// A working copy of the state on which commands are decided one after another.
///
/// The engine decides every waiting command on one draft, writes all its events at once, and only
/// then takes the draft's state for its own.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The state with all events applied.
    pub state: State,
    /// The events since the draft was made.
    pub events: Vec<Event>,
    stamp: Option<Event>,
}

impl Draft {
    /// A draft with no events.
    pub const fn new(state: State) -> Draft {
        Draft {
            state,
            events: Vec::new(),
            stamp: None,
        }
    }

    /// Decides a command on top of what was decided before.
    ///
    /// # Errors
    /// The refusal; the draft is then as it was before.
    pub fn run(&mut self, command: &Command) -> Result<(), Refusal> {
        let before = self.state.clone();
        let events = self.events.len();
        self.stamp = Some(Event {
            v: VERSION,
            at: command.at.max(self.state.now),
            who: command.who.clone(),
            door: command.door.clone(),
            // replaced by each event that is pushed
            what: What::Resumed {
                release: ReleaseId(0),
            },
        });
        let done = self.answer(command);
        if done.is_ok() {
            self.settle(events);
        } else {
            self.state = before;
            self.events.truncate(events);
        }
        done
    }

    fn answer(&mut self, command: &Command) -> Result<(), Refusal> {
        match &command.ask {
            Ask::Submit { plan } => self.submit(&command.who, plan),
            Ask::Vote {
                release,
                choice,
                comment,
                digest,
            } => self.vote(&command.who, *release, *choice, comment, digest.as_deref()),
            Ask::Ruled { release, ruling } => self.ruled(&command.who, *release, ruling),
            Ask::Readiness(ask) => self.readiness(&command.who, ask),
            Ask::Waive {
                release,
                hold,
                reason,
            } => self.waive(&command.who, *release, hold, reason),
            Ask::Approval(ask) => self.approval(&command.who, ask),
            Ask::Authority(ask) => self.authority(&command.who, ask),
            Ask::Pir(ask) => self.pir(&command.who, ask),
            Ask::Control { release, control } => self.control(&command.who, *release, control),
            Ask::Calendar(ask) => self.calendar(&command.who, ask),
            machine => self.machine(&command.who, machine),
        }
    }

    fn now(&self) -> Timestamp {
        self.stamp.as_ref().map_or(self.state.now, |s| s.at)
    }

    fn push(&mut self, what: What) {
        let Some(stamp) = &self.stamp else { return };
        let event = Event {
            what,
            ..stamp.clone()
        };
        apply(&mut self.state, &event);
        self.events.push(event);
    }

    /// Pushes an event in the engine's own name: what follows from a command is not said by the
    /// person who gave it.
    fn push_own(&mut self, what: What) {
        let Some(stamp) = &mut self.stamp else { return };
        let who = std::mem::replace(&mut stamp.who, super::command::Actor::Engine);
        let door = std::mem::replace(&mut stamp.door, super::command::Door::Engine);
        self.push(what);
        if let Some(stamp) = &mut self.stamp {
            stamp.who = who;
            stamp.door = door;
        }
    }

    fn release(&self, id: ReleaseId) -> Result<Arc<Release>, Refusal> {
        match (self.state.live.get(&id), self.state.closed.get(&id)) {
            (Some(release), _) => Ok(release.clone()),
            (None, Some(summary)) => Err(Refusal::Closed(id, summary.ending.words())),
            (None, None) => Err(Refusal::UnknownRelease(id)),
        }
    }
}
