//! Starting an engine: replay, adopt the charter, find out what became of unfinished calls.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use super::board::Board;
use super::hands::Hands;
use super::hooks::Hooks;
use super::turn::{Engine, unfinished};
use super::{EngineHandle, Parts, checks, explain, eyes, looks, readiness};
use crate::domain::apply::apply;
use crate::domain::release::{Step, StepStatus};
use crate::domain::{Ask, Event, Notice, ReleaseId, Span, State, TargetName};
use crate::ledger::Reader;

/// The first bytes of a snapshot; another layout of [`State`] gets another number, and a snapshot
/// with another number is left aside.
const SNAPSHOT: &[u8] = b"holdpoint-state-2\n";

/// How many commands may wait for the engine; who has more waits to be heard.
const WAITING: usize = 1024;

/// An engine at work.
pub struct Running {
    /// The way to it.
    pub handle: EngineHandle,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
    helpers: Vec<JoinHandle<()>>,
}

impl Running {
    /// Stops it: nothing new begins, calls that run go on by themselves, the ledger is closed.
    pub async fn stop(self) {
        for helper in &self.helpers {
            helper.abort();
        }
        let _ = self.stop.send(());
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the engine's task did not end well");
        }
    }
}

/// Starts an engine.
///
/// # Errors
/// When the ledger cannot be read back, or the charter cannot be written into it.
pub async fn start(parts: Parts) -> Result<Running, Notice> {
    let (state, snapshot_at) = replay(&parts.ledger.reader()).await?;
    let state = Arc::new(state);
    let board = Board::new();
    let head = parts.ledger.head();
    board.change(|live| {
        live.ledger.seq = head.seq;
        live.ledger.head = head.hash.to_string().into();
    });
    let (sender, inbox) = mpsc::channel(WAITING);
    let (publish, published) = watch::channel(state.clone());
    let engine = EngineHandle {
        inbox: sender,
        reader: parts.ledger.reader(),
        state: published,
        board: board.clone(),
        clock: parts.clock.clone(),
        samples: parts.samples,
    };
    let targets = Arc::new(parts.targets);
    let hands = Hands::new(engine.clone(), targets.clone());
    for effect in unfinished(&state) {
        hands.recover(effect);
    }
    for (target, release) in untidied(&state, targets.keys()) {
        hands.tidy(target, release);
    }
    let (stop, stopped) = oneshot::channel();
    let task = Engine {
        state,
        ledger: parts.ledger,
        clock: parts.clock,
        board: board.clone(),
        publish,
        inbox,
        hands: hands.clone(),
        hooks: Hooks::new(parts.hook, board),
        snapshot_at,
        broken_since: None,
        woken: None,
    };
    let task = tokio::spawn(task.run(stopped));
    let adopted = engine
        .ask(
            crate::domain::Actor::Engine,
            crate::domain::Door::Engine,
            Ask::Adopt(parts.charter),
        )
        .await;
    let helpers = vec![
        tokio::spawn(eyes::watch_all(
            engine.clone(),
            targets.clone(),
            hands.ended(),
        )),
        tokio::spawn(looks::look_on(
            engine.clone(),
            targets.clone(),
            parts.sources,
            parts.look,
            parts.telemetry,
        )),
        tokio::spawn(checks::check_on(engine.clone(), targets)),
        tokio::spawn(readiness::check_on(engine.clone())),
    ];
    let running = Running {
        handle: engine,
        stop,
        task,
        helpers,
    };
    match adopted {
        Ok(_) => Ok(running),
        Err(notice) => {
            running.stop().await;
            Err(notice)
        }
    }
}

/// How long before the last event a release may have been closed without being cleared up after.
const LATELY: Span = Span::mins(2);

/// What is still to be cleared up after a release: targets that it has moved, and all of them where
/// it was closed just before the engine went down.
fn untidied<'a>(
    state: &State,
    targets: impl Iterator<Item = &'a TargetName> + Clone,
) -> BTreeSet<(TargetName, ReleaseId)> {
    let moved = state.live.values().flat_map(|release| {
        let moves = release.batches.iter().flat_map(|batch| &batch.moves);
        let done = |step: &Step| step.status == StepStatus::Done;
        let moved = moves.filter(move |m| m.steps.iter().any(done));
        moved.map(|m| (m.target.clone(), release.id))
    });
    let closed = state.closed.values();
    let closed = closed.filter(|summary| state.now.since(summary.closed) < LATELY);
    let closed = closed.flat_map(|it| targets.clone().map(|target| (target.clone(), it.id)));
    moved.chain(closed).collect()
}

/// The state that a ledger's events fold into, and the sequence number of the snapshot it began
/// from. The chain is verified on the way.
///
/// # Errors
/// When the chain is broken or an event cannot be read.
pub async fn replay(ledger: &Reader) -> Result<(State, u64), Notice> {
    let failed = |e| explain::ledger(&e);
    let snapshot = ledger.snapshot().await.map_err(failed)?;
    let known =
        snapshot.and_then(|(head, bytes)| from_snapshot(&bytes).filter(|s| s.seq == head.seq));
    let mut state = known.unwrap_or_default();
    let from = state.seq;
    let mut entries = ledger.read(from + 1).await.map_err(failed)?;
    while let Some(chunk) = entries.next().await.map_err(failed)? {
        for entry in chunk.iter() {
            let event =
                Event::from_bytes(entry.bytes).map_err(|e| explain::unreadable(entry.seq, &e))?;
            apply(&mut state, &event);
        }
    }
    Ok((state, from))
}

/// A state as the bytes of a snapshot.
///
/// # Errors
/// Never for a state; the error is passed on rather than hidden.
pub fn to_snapshot(state: &State) -> Result<Vec<u8>, serde_json::Error> {
    let mut bytes = SNAPSHOT.to_vec();
    serde_json::to_writer(&mut bytes, state)?;
    Ok(bytes)
}

fn from_snapshot(bytes: &[u8]) -> Option<State> {
    let json = bytes.strip_prefix(SNAPSHOT)?;
    match serde_json::from_slice(json) {
        Ok(state) => Some(state),
        Err(error) => {
            tracing::warn!(%error, "the snapshot cannot be read; every event is replayed");
            None
        }
    }
}

/// What every helper of the engine is given of the targets.
pub(super) type Targets = Arc<BTreeMap<crate::domain::TargetName, super::TargetPart>>;
