//! The ledger of a room without an engine: it can be read, and nothing else.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::watch;

use super::keeper::{Keeper, Line, Settled, no_engine};
use crate::domain::{Actor, Ask, Door, Notice, State};
use crate::engine::{explain, replay};
use crate::ledger::Reader;

/// A room's ledger, read.
#[derive(Debug)]
pub struct Closed {
    room: String,
    reader: Reader,
    state: watch::Sender<Arc<State>>,
}

impl Closed {
    /// Reads the ledger of a room; `None` when nothing has been written yet: without an engine that
    /// has adopted the room's files once, nobody knows its services and people.
    ///
    /// # Errors
    /// When there is one that cannot be read.
    pub async fn open(room: &Path) -> Result<Option<Closed>, Notice> {
        let file = room.join("ledger.db");
        if !file.exists() {
            return Ok(None);
        }
        let reader = Reader::open(&file).await.map_err(|e| explain::ledger(&e))?;
        let (state, _) = replay(&reader).await?;
        if state.seq == 0 {
            return Ok(None);
        }
        Ok(Some(Closed {
            room: room.display().to_string(),
            reader,
            state: watch::channel(Arc::new(state)).0,
        }))
    }
}

impl Keeper for Closed {
    fn state(&self) -> watch::Receiver<Arc<State>> {
        self.state.subscribe()
    }

    fn runs(&self) -> bool {
        false
    }

    async fn ask(&self, _: &Actor, _: &Door, _: Ask) -> Result<Settled, Notice> {
        Err(no_engine(&self.room))
    }

    async fn entries(&self, from: u64, most: usize) -> Result<Vec<Line>, Notice> {
        lines(&self.reader, from, most).await
    }

    async fn backup(&self, file: PathBuf) -> Result<(u64, String), Notice> {
        let backup = self.reader.backup(&file).await;
        let backup = backup.map_err(|e| explain::ledger(&e))?;
        Ok((backup.head.seq, backup.head.hash.to_string()))
    }
}

/// Entries of a ledger from a number on, at most `most`.
///
/// # Errors
/// When the ledger cannot be read, or is damaged.
pub async fn lines(ledger: &Reader, from: u64, most: usize) -> Result<Vec<Line>, Notice> {
    let failed = |error| explain::ledger(&error);
    let mut lines = Vec::new();
    let mut entries = ledger.read(from).await.map_err(failed)?;
    while lines.len() < most {
        let Some(chunk) = entries.next().await.map_err(failed)? else {
            break;
        };
        let left = most - lines.len();
        lines.extend(chunk.iter().take(left).map(|entry| Line {
            seq: entry.seq,
            hash: entry.hash.to_string(),
            bytes: entry.bytes.to_vec(),
        }));
    }
    Ok(lines)
}
