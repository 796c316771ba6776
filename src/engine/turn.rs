//! The one writer. A turn decides all waiting commands on a draft, writes all their events at once,
//! and only then publishes, answers and acts.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot, watch};

use super::board::Board;
use super::clock::Clock;
use super::hands::Hands;
use super::hooks::Hooks;
use super::{Asked, Done, explain};
use crate::domain::Verb;
use crate::domain::wanted::wanted;
use crate::domain::{
    Actor, Ask, Command, Door, Draft, Effect, EffectId, Event, Notice, ReleaseId, State, Timestamp,
    What,
};
use crate::ledger::{Head, Ledger, LedgerError, Urgency};

/// How many commands one turn takes at most.
const BATCH: usize = 512;

/// After how many events a snapshot is written.
const SNAPSHOT_EVERY: u64 = 10_000;

/// The engine's task.
pub(super) struct Engine {
    pub state: Arc<State>,
    pub ledger: Ledger,
    pub clock: Clock,
    pub board: Board,
    pub publish: watch::Sender<Arc<State>>,
    pub inbox: mpsc::Receiver<Asked>,
    pub hands: Hands,
    pub hooks: Hooks,
    pub snapshot_at: u64,
    /// Since when writing fails.
    pub broken_since: Option<Timestamp>,
    /// Up to when everything that was due has been looked at, and led to nothing in the state with
    /// this sequence number: looking again before something else happens would be spinning.
    pub woken: Option<(u64, Timestamp)>,
}

type Answer = (oneshot::Sender<Result<Done, Notice>>, Option<ReleaseId>);

impl Engine {
    /// Works until it is told to stop or nobody is left to ask.
    pub async fn run(mut self, mut stop: oneshot::Receiver<()>) {
        let mut batch = Vec::with_capacity(BATCH);
        let mut first = true;
        loop {
            let wake = self.next_wake();
            let clock = self.clock.clone();
            tokio::select! {
                biased;
                _ = &mut stop => break,
                got = self.inbox.recv_many(&mut batch, BATCH) => if got == 0 { break },
                () = async { match wake { Some(at) => clock.until(at).await, None => std::future::pending().await } }, if self.broken_since.is_none() => {}
                () = tokio::time::sleep(std::time::Duration::from_secs(1)), if self.broken_since.is_some() => { self.ledger.restore_ballast(); }
            }
            let mut asked = std::mem::take(&mut batch);
            let now = self.clock.now();
            let seq = self.state.seq;
            let due = self.next_wake().is_some_and(|at| at <= now);
            if due {
                asked.push(Asked {
                    command: self.own(Ask::Wake),
                    reply: None,
                });
            }
            if self.broken_since.is_some() {
                self.careful(asked).await;
            } else if !asked.is_empty() {
                self.turn(asked).await;
            }
            if due && self.broken_since.is_none() && self.state.seq == seq {
                self.woken = Some((seq, now));
            }
            if std::mem::take(&mut first) {
                self.take_up().await;
            }
        }
        self.snapshot().await;
    }

    /// When something is due that has not been looked at in this state.
    fn next_wake(&self) -> Option<Timestamp> {
        match self.woken {
            Some((seq, at)) if seq == self.state.seq => self.state.next_wake_after(at),
            _ => self.state.next_wake(),
        }
    }

    fn own(&self, ask: Ask) -> Command {
        Command {
            at: self.clock.now(),
            who: Actor::Engine,
            door: Door::Engine,
            ask,
        }
    }

    /// A turn as it should be: everything in one write.
    async fn turn(&mut self, asked: Vec<Asked>) {
        let mut draft = Draft::new((*self.state).clone());
        let mut answers: Vec<Answer> = Vec::new();
        let mut kept = Vec::with_capacity(asked.len());
        for one in asked {
            let before = draft.events.len();
            match draft.run(&one.command) {
                Ok(()) => {
                    let release = about(&one.command, &draft.events[before..]);
                    kept.push((one, release));
                }
                Err(refusal) => {
                    if let Some(reply) = one.reply {
                        let _ = reply.send(Err(refusal.notice()));
                    }
                }
            }
        }
        self.begin(&mut draft, |_| true);
        match self.write(draft, Urgency::Normal).await {
            Ok(()) => {
                for (one, release) in kept {
                    answers.extend(one.reply.map(|reply| (reply, release)));
                }
                self.answer(answers);
            }
            Err(error) => {
                self.fail(&error);
                let again = kept.into_iter().map(|(one, _)| one).collect();
                self.careful(again).await;
            }
        }
    }

    /// Turns while writing fails: every command by itself, those that stop something first and
    /// with the ballast's space, nothing forward until an ordinary write works again.
    async fn careful(&mut self, asked: Vec<Asked>) {
        let (mut stops, mut others) = (Vec::new(), Vec::new());
        for one in asked {
            let mut draft = Draft::new((*self.state).clone());
            match draft.run(&one.command) {
                Ok(()) if draft.events.iter().any(stops_something) => stops.push(one),
                _ => others.push(one),
            }
        }
        for (one, urgency) in stops
            .into_iter()
            .map(|one| (one, Urgency::Stopping))
            .chain(others.into_iter().map(|one| (one, Urgency::Normal)))
        {
            let mut draft = Draft::new((*self.state).clone());
            let result = draft.run(&one.command).map_err(|refusal| refusal.notice());
            let release = about(&one.command, &draft.events);
            let result = match result {
                Ok(()) => {
                    if urgency == Urgency::Stopping {
                        self.begin(&mut draft, |e| e.verb == Verb::Rollback);
                    }
                    self.write(draft, urgency).await.map_err(|error| {
                        self.fail(&error);
                        explain::ledger(&error)
                    })
                }
                Err(notice) => Err(notice),
            };
            if let Some(reply) = one.reply {
                let seq = self.state.seq;
                let _ = reply.send(result.map(|()| Done { seq, release }));
            }
        }
        self.mend().await;
    }

    /// Tries an ordinary write again: that writing works, and the beginning of whatever is wanted.
    async fn mend(&mut self) {
        let mut draft = Draft::new((*self.state).clone());
        let since = self.broken_since.unwrap_or(self.state.now);
        if draft.run(&self.own(Ask::Mended { since })).is_err() {
            return;
        }
        let active: Vec<ReleaseId> = draft.state.live.keys().copied().collect();
        self.begin_all(&mut draft, &active, |_| true);
        if self.write(draft, Urgency::Normal).await.is_ok() {
            self.broken_since = None;
            self.board.change(|live| live.ledger.broken = None);
            for code in explain::NOT_WRITTEN {
                self.board.calm(code, None);
            }
        }
    }

    /// Begins what the engine before could not: its ledger may have taken the end of a call and no
    /// beginning any more, and then nothing that is seen or reported now need be news.
    async fn take_up(&mut self) {
        let mut draft = Draft::new((*self.state).clone());
        let active: Vec<ReleaseId> = draft.state.live.keys().copied().collect();
        self.begin_all(&mut draft, &active, |_| true);
        if let Err(error) = self.write(draft, Urgency::Normal).await {
            self.fail(&error);
        }
    }

    fn fail(&mut self, error: &LedgerError) {
        self.broken_since.get_or_insert(self.clock.now());
        let notice = explain::ledger(error);
        let words: Arc<str> = notice.headline.clone().into();
        self.board.change(|live| live.ledger.broken = Some(words));
        self.board.alert(notice);
    }

    /// Adds the beginning of all calls that are wanted now for the releases the draft has touched.
    fn begin(&self, draft: &mut Draft, which: impl Fn(&Effect) -> bool) {
        let mut touched: Vec<ReleaseId> = Vec::new();
        for event in &draft.events {
            match &event.what {
                What::InstanceSeen { target, .. } => {
                    touched.extend(draft.state.on.get(target).into_iter().flatten());
                }
                what => touched.extend(what.release()),
            }
        }
        touched.sort();
        touched.dedup();
        self.begin_all(draft, &touched, which);
    }

    fn begin_all(
        &self,
        draft: &mut Draft,
        releases: &[ReleaseId],
        which: impl Fn(&Effect) -> bool,
    ) {
        let ids: Vec<EffectId> = releases
            .iter()
            .flat_map(|id| wanted(&draft.state, *id))
            .filter(|effect| which(effect))
            .map(|effect| effect.id)
            .collect();
        if ids.is_empty() {
            return;
        }
        let begun = draft.run(&self.own(Ask::Begin(ids)));
        debug_assert!(begun.is_ok(), "the engine may begin what is wanted");
    }

    /// Writes a draft's events; when they are durable, takes its state, publishes and acts.
    async fn write(&mut self, draft: Draft, urgency: Urgency) -> Result<(), LedgerError> {
        if draft.events.is_empty() {
            return Ok(());
        }
        let bytes: Vec<Vec<u8>> = draft.events.iter().map(Event::to_bytes).collect();
        let head = match self.ledger.append(self.state.seq, bytes, urgency).await {
            Err(LedgerError::Uncertain { source, .. }) => {
                self.certain(draft.state.seq, *source).await
            }
            other => other,
        }?;
        self.state = Arc::new(draft.state);
        self.publish.send_replace(self.state.clone());
        self.board.change(|live| {
            live.ledger.seq = head.seq;
            live.ledger.head = head.hash.to_string().into();
        });
        for event in &draft.events {
            if let What::EffectBegun { effect } = &event.what {
                self.hands.carry(effect.clone());
            }
            self.hooks.tell(&self.state, event);
        }
        if self.state.seq >= self.snapshot_at + SNAPSHOT_EVERY {
            self.snapshot().await;
        }
        Ok(())
    }

    /// Finds out whether a write that ended in doubt was kept: it is all there or not at all.
    async fn certain(&self, after: u64, source: LedgerError) -> Result<Head, LedgerError> {
        loop {
            match self.ledger.reader().head().await {
                Ok(head) if head.seq == after => return Ok(head),
                Ok(head) if head.seq == self.state.seq => return Err(source),
                Ok(head) => {
                    return Err(LedgerError::Conflict {
                        expected: self.state.seq,
                        found: head.seq,
                    });
                }
                Err(error) => tracing::warn!(%error, "the ledger cannot be read back yet"),
            }
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        }
    }

    fn answer(&self, answers: Vec<Answer>) {
        let seq = self.state.seq;
        for (reply, release) in answers {
            let _ = reply.send(Ok(Done { seq, release }));
        }
    }

    /// Writes down the state, so that the next start need not replay what lies before.
    async fn snapshot(&mut self) {
        if self.snapshot_at == self.state.seq || self.broken_since.is_some() {
            return;
        }
        self.snapshot_at = self.state.seq;
        let bytes = match super::start::to_snapshot(&self.state) {
            Ok(bytes) => bytes,
            Err(error) => {
                tracing::error!(%error, "the state cannot be written down");
                return;
            }
        };
        let head = self.ledger.head();
        let put = self.ledger.put_snapshot(head, bytes);
        tokio::spawn(async move {
            if let Err(error) = put.await {
                tracing::warn!(%error, "no snapshot was written");
            }
        });
    }
}

/// The release a carried-out command was about.
fn about(command: &Command, events: &[Event]) -> Option<ReleaseId> {
    match &command.ask {
        Ask::Vote { release, .. } | Ask::Control { release, .. } => Some(*release),
        _ => events.iter().find_map(|e| e.what.release()),
    }
}

/// Whether an event stops something or reports what cannot be asked again: it gets through on a
/// full disk as long as the ballast lasts.
fn stops_something(event: &Event) -> bool {
    matches!(
        event.what,
        What::Paused { .. }
            | What::TriggerFired { .. }
            | What::RollbackBegan { .. }
            | What::EffectEnded { .. }
    )
}

/// Effects that were begun and have no outcome.
pub(super) fn unfinished(state: &State) -> Vec<Effect> {
    let mut found = Vec::new();
    for release in state.live.values() {
        let forward = release
            .batches
            .iter()
            .enumerate()
            .flat_map(|(n, b)| b.moves.iter().map(move |m| (format!("b{}", n + 1), m)));
        let back = release
            .back
            .iter()
            .flat_map(|b| b.moves.iter().map(|m| ("back".to_owned(), m)));
        for (place, m) in forward.chain(back) {
            let running = m
                .steps
                .iter()
                .filter(|s| s.status == crate::domain::release::StepStatus::Running);
            found.extend(running.filter_map(|s| m.effect(release.id, &place, s)));
        }
    }
    found
}
