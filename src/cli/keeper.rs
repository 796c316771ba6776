//! What commands read from and ask: a running engine, or the ledger of a room without one.

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::watch;

use super::exit::NO_ENGINE;
use crate::domain::live::Live;
use crate::domain::{Actor, Ask, Door, Notice, ReleaseId, State};

/// What was asked is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settled {
    /// The number of the newest entry that it led to.
    pub seq: u64,
    /// The release it was about.
    pub release: Option<ReleaseId>,
}

/// An entry of the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its number, from 1.
    pub seq: u64,
    /// Its hash, hexadecimal.
    pub hash: String,
    /// The event, in the bytes that were hashed.
    pub bytes: Vec<u8>,
}

/// Who keeps a room: a running engine, or its ledger alone.
pub trait Keeper: Sync {
    /// The state as last published.
    fn state(&self) -> watch::Receiver<Arc<State>>;

    /// What is seen right now; nothing where no engine looks.
    fn live_now(&self) -> Arc<Live> {
        Arc::default()
    }

    /// Whether an engine runs: only then anything ever changes.
    fn runs(&self) -> bool;

    /// Asks for something; `Ok` means that it is durable.
    fn ask(
        &self,
        who: &Actor,
        door: &Door,
        ask: Ask,
    ) -> impl Future<Output = Result<Settled, Notice>> + Send;

    /// Entries of the ledger from a number on, at most `most`; none when there are no newer ones.
    fn entries(
        &self,
        from: u64,
        most: usize,
    ) -> impl Future<Output = Result<Vec<Line>, Notice>> + Send;

    /// Writes a copy of the ledger; its newest entry.
    fn backup(&self, file: PathBuf) -> impl Future<Output = Result<(u64, String), Notice>> + Send;
}

/// Why nothing can be changed in a room without an engine.
pub fn no_engine(room: &str) -> Notice {
    Notice::error(NO_ENGINE, format!("no engine runs in {room}"))
        .detail("releases can be read, but nothing can be changed")
        .next(format!("start it with `holdpoint --room {room} serve`"))
}
