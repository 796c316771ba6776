//! The only async shell, and the one door to state.
//!
//! One task owns state and ledger ([`turn`]). Everybody else sends it commands through an
//! [`EngineHandle`] and watches what it publishes: [`State`] after every durable turn, and the
//! [`board`] of live telemetry. Around it work the [`hands`] (calls), the [`eyes`] (targets), the
//! [`looks`] (metrics) and the [`checks`] (health): they read the published state, do what it says
//! is wanted, and report with commands.

pub mod board;
mod checks;
pub mod clock;
pub mod explain;
mod eyes;
mod hands;
mod hooks;
mod looks;
mod readiness;
mod start;
mod turn;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot, watch};

use crate::domain::charter::Charter;
use crate::domain::live::Live;
use crate::domain::{
    Actor, Ask, Command, Door, InstanceName, Notice, PersonName, ReleaseId, SourceName, Span,
    State, TargetName,
};
use crate::ledger::{Backup, Ledger, Reader};
use crate::platform::Platform;
use crate::platform::prometheus::client::Config;

use board::{Board, Presence};
use clock::Clock;

pub use hooks::Hook;
pub use start::{Running, replay, start, to_snapshot};

/// What an engine is made of.
pub struct Parts {
    /// Where events are kept; already open, and nobody else's.
    pub ledger: Ledger,
    /// People, catalog and policy as the room's files say now.
    pub charter: Arc<Charter>,
    /// The targets.
    pub targets: BTreeMap<TargetName, TargetPart>,
    /// The stores that metrics can be read from.
    pub sources: BTreeMap<SourceName, Arc<Config>>,
    /// Where the time comes from.
    pub clock: Clock,
    /// The pause between two looks at the metrics.
    pub look: Span,
    /// The command that is told of warnings, passed deadlines and triggers.
    pub hook: Option<Hook>,
    /// Whether made-up people may act: only in a demo, and only those whom the charter marks as
    /// samples.
    pub samples: bool,
    /// The file in which what was measured outlives the engine; without one it does not.
    pub telemetry: Option<PathBuf>,
}

/// One target as the engine needs it.
#[derive(Clone, Debug)]
pub struct TargetPart {
    /// What operates it.
    pub platform: Platform,
    /// Where its instances answer.
    pub urls: BTreeMap<InstanceName, String>,
    /// Where under that address their metrics are: `/metrics`.
    pub metrics_path: String,
    /// The namespace that metrics stores know it by.
    pub namespace: Option<String>,
    /// The pause between two readings while a release is on it.
    pub every: Span,
    /// The age from which the last reading of an instance says nothing any more.
    pub stale: Span,
}

/// A command that was carried out: its events are durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Done {
    /// The sequence number of the newest event.
    pub seq: u64,
    /// The release it was about.
    pub release: Option<ReleaseId>,
}

/// A way to the engine; cheap to clone.
#[derive(Clone, Debug)]
pub struct EngineHandle {
    inbox: mpsc::Sender<Asked>,
    reader: Reader,
    state: watch::Receiver<Arc<State>>,
    board: Board,
    clock: Clock,
    samples: bool,
}

/// A command on its way to the engine's task, and who wants to know how it went.
#[derive(Debug)]
struct Asked {
    command: Command,
    reply: Option<oneshot::Sender<Result<Done, Notice>>>,
}

impl EngineHandle {
    /// The state after every durable turn.
    pub fn state(&self) -> watch::Receiver<Arc<State>> {
        self.state.clone()
    }

    /// Live telemetry.
    pub fn live(&self) -> watch::Receiver<Arc<Live>> {
        self.board.read()
    }

    /// The board itself, for those who put something up.
    pub fn board(&self) -> &Board {
        &self.board
    }

    /// The engine's clock.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Somebody comes into the room, until the guard is dropped.
    pub fn enter(&self, who: PersonName) -> Presence {
        self.board.enter(who)
    }

    /// Asks for something; the answer comes when it is durable.
    ///
    /// # Errors
    /// The refusal or the failure in words.
    pub async fn ask(&self, who: Actor, door: Door, ask: Ask) -> Result<Done, Notice> {
        if door == Door::Sample && !self.may_be_made_up(&who) {
            return Err(explain::sample_door(&who));
        }
        let (reply, answer) = oneshot::channel();
        let command = Command {
            at: self.clock.now(),
            who,
            door,
            ask,
        };
        let asked = Asked {
            command,
            reply: Some(reply),
        };
        self.send(asked).await?;
        answer.await.map_err(|_| explain::gone())?
    }

    /// Whether this is a demo, and somebody one of its made-up people.
    fn may_be_made_up(&self, who: &Actor) -> bool {
        let state = self.state.borrow();
        let person = who.person().and_then(|name| state.charter.people.get(name));
        self.samples && person.is_some_and(|person| person.sample)
    }

    /// The ledger, to read from.
    pub fn ledger(&self) -> &Reader {
        &self.reader
    }

    /// Writes a consistent copy of the ledger to a new file.
    ///
    /// # Errors
    /// When the file exists or cannot be written.
    pub async fn backup(&self, file: &Path) -> Result<Backup, Notice> {
        self.reader
            .backup(file)
            .await
            .map_err(|e| explain::ledger(&e))
    }

    /// Tells the engine something in its own name, without waiting.
    async fn tell(&self, ask: Ask) {
        let command = Command {
            at: self.clock.now(),
            who: Actor::Engine,
            door: Door::Engine,
            ask,
        };
        let asked = Asked {
            command,
            reply: None,
        };
        // an engine that is gone needs to be told nothing
        let _ = self.inbox.send(asked).await;
    }

    async fn send(&self, asked: Asked) -> Result<(), Notice> {
        self.inbox.send(asked).await.map_err(|_| explain::gone())
    }
}
