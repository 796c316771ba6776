//! Events on their way out of a ledger.
//!
//! Three threads share the work, so that a start that replays a million events waits for the
//! slowest of them only: SQLite's thread packs the next chunk, a second one recomputes the hashes
//! of the last, and the caller uses the one before.

use std::path::{Path, PathBuf};

use tokio::sync::mpsc;

use super::chain::Chunk;
use super::error::{Damage, LedgerError};
use super::memory;
use super::sqlite::Walk;

/// Chunks that may wait between two threads.
const WAITING: usize = 2;

/// A walk over a ledger, chunk by chunk. Dropping it ends the walk.
#[derive(Debug)]
pub struct Entries {
    chunks: mpsc::Receiver<Result<Chunk, LedgerError>>,
    /// The last event that was handed over.
    at: u64,
    end: u64,
}

impl Entries {
    pub(super) fn of_file(path: &Path, mut walk: Walk) -> Entries {
        let (at, end) = (walk.at(), walk.end());
        let (send, unverified) = mpsc::channel(WAITING);
        tokio::spawn(async move {
            while let Some(next) = walk.next().await.transpose() {
                let last = next.is_err();
                if send.send(next).await.is_err() || last {
                    break;
                }
            }
        });
        Entries::verified(path.to_owned(), unverified, at, end)
    }

    pub(super) fn of_memory(walk: memory::Walk) -> Entries {
        let (at, end) = (walk.at(), walk.end());
        let (send, unverified) = mpsc::channel(WAITING);
        tokio::spawn(async move {
            for chunk in walk {
                if send.send(Ok(chunk)).await.is_err() {
                    break;
                }
            }
        });
        Entries::verified(PathBuf::from("in memory"), unverified, at, end)
    }

    fn verified(
        path: PathBuf,
        mut unverified: mpsc::Receiver<Result<Chunk, LedgerError>>,
        at: u64,
        end: u64,
    ) -> Entries {
        let (send, chunks) = mpsc::channel(WAITING);
        tokio::task::spawn_blocking(move || {
            while let Some(next) = unverified.blocking_recv() {
                let checked = next.and_then(|chunk| match chunk.verify() {
                    Ok(_) => Ok(chunk),
                    Err(seq) => Err(LedgerError::damaged(&path, seq, Damage::Altered)),
                });
                let last = checked.is_err();
                if send.blocking_send(checked).is_err() || last {
                    break;
                }
            }
        });
        Entries { chunks, at, end }
    }

    /// The next events; `None` after the last.
    ///
    /// # Errors
    /// [`LedgerError::Damaged`] names the first event that is not what was written. Nothing comes
    /// after an error.
    pub async fn next(&mut self) -> Result<Option<Chunk>, LedgerError> {
        match self.chunks.recv().await {
            Some(Ok(chunk)) => {
                self.at = chunk.after().seq;
                Ok(Some(chunk))
            }
            Some(Err(error)) => Err(error),
            None if self.at == self.end => Ok(None),
            // a silence is no end: the thread that read or verified is gone
            None => Err(LedgerError::Interrupted { after: self.at }),
        }
    }

    /// The last event that this walk will hand over.
    pub fn end(&self) -> u64 {
        self.end
    }
}
