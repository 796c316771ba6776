//! The ledger: every event that ever happened, in order, as bytes that are written once and never
//! serialised again.
//!
//! What an event means is not known here. A [`Ledger`] appends batches, each whole or not at all
//! and durable when [`Ledger::append`] returns; a [`Reader`] gives back what was written and
//! verifies on the way that nothing of it was changed, dropped or reordered. How events are bound
//! together stands in [`chain`], how they lie in a file in `sqlite`.
//!
//! Beside a ledger file stand `.lock` (who writes), `.ballast` (space kept back for stopping) and
//! `.snapshot` (a state, so that starting need not read everything); none of them is part of the
//! record. Live measurements are no record either: [`telemetry`] keeps them in a file of their own.

pub mod ballast;
pub mod chain;
pub mod entries;
pub mod error;
pub mod holder;
pub mod memory;
pub mod telemetry;

mod backup;
mod snapshot;
mod sqlite;

use std::future::Future;
use std::io;
use std::path::Path;

pub use backup::Backup;
pub use ballast::Ballast;
pub use chain::{Chunk, Entry, Hash, Head};
pub use entries::Entries;
pub use error::{Damage, LedgerError};
pub use holder::Holder;
pub use memory::Memory;

use snapshot::{Place, Turn};

/// The largest event, in bytes.
pub const MAX_EVENT: usize = 16 << 20;

/// The largest batch, in bytes.
pub const MAX_BATCH: usize = 256 << 20;

/// What an append is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// Everything that can wait until there is space again.
    Normal,
    /// Pausing and rolling back: on a full disk the ballast is given up for it.
    Stopping,
}

/// A ledger, open for writing. There is one at a time, over all processes.
#[derive(Debug)]
pub struct Ledger {
    head: Head,
    /// Whether the head has to be read from the store again: the last append ended in doubt, or its
    /// future was dropped halfway.
    in_doubt: bool,
    snapshots: Turn,
    store: Store,
}

#[derive(Debug)]
enum Store {
    Memory(memory::Writer),
    Sqlite(Box<sqlite::Writer>),
}

impl Ledger {
    /// Opens the ledger file at `path` for writing, and creates it when there is none.
    ///
    /// # Errors
    /// [`LedgerError::Held`] when another process has it open so; see [`LedgerError`] for the
    /// others.
    pub async fn open(path: &Path) -> Result<Ledger, LedgerError> {
        let (writer, head) = sqlite::Writer::open(path).await?;
        Ok(Ledger {
            head,
            in_doubt: false,
            snapshots: Turn::default(),
            store: Store::Sqlite(Box::new(writer)),
        })
    }

    /// An empty ledger in memory, for tests and trials. [`Memory::open`] gives one that can be
    /// opened again, and whose disk can fail.
    pub fn memory() -> Ledger {
        Ledger::over(memory::Writer::default())
    }

    fn over(writer: memory::Writer) -> Ledger {
        Ledger {
            head: writer.head(),
            in_doubt: false,
            snapshots: Turn::default(),
            store: Store::Memory(writer),
        }
    }

    /// Where the ledger ends.
    pub fn head(&self) -> Head {
        self.head
    }

    /// Reads this ledger, at the same time and without being waited for.
    pub fn reader(&self) -> Reader {
        Reader(match &self.store {
            Store::Memory(writer) => Source::Memory(writer.disk()),
            Store::Sqlite(writer) => Source::Sqlite(writer.reader()),
        })
    }

    /// Appends `batch` after event `expected`: all of it or nothing, durable on return. Gives the
    /// new head; an empty batch changes nothing.
    ///
    /// When the future is dropped before it is done, the batch may or may not be stored; the next
    /// append finds out first, and says [`LedgerError::Conflict`] if it was.
    ///
    /// # Errors
    /// After [`LedgerError::Uncertain`] the caller has to take its state from the ledger anew.
    /// After every other error nothing was stored, and the ledger can be used as before.
    pub async fn append(
        &mut self,
        expected: u64,
        batch: Vec<Vec<u8>>,
        urgency: Urgency,
    ) -> Result<Head, LedgerError> {
        if self.in_doubt {
            self.head = match &mut self.store {
                Store::Memory(writer) => writer.head(),
                Store::Sqlite(writer) => writer.head().await?,
            };
            self.in_doubt = false;
        }
        if expected != self.head.seq {
            return Err(LedgerError::Conflict {
                expected,
                found: self.head.seq,
            });
        }
        if batch.is_empty() {
            return Ok(self.head);
        }
        fits(&batch)?;
        let chunk = Chunk::link(self.head, &batch);
        drop(batch);
        self.in_doubt = true;
        let done = match &mut self.store {
            Store::Memory(writer) => writer.append(&chunk, urgency),
            Store::Sqlite(writer) => writer.append(&chunk, urgency).await,
        };
        // a conflict here means that somebody wrote past the lock
        self.in_doubt = matches!(
            done,
            Err(LedgerError::Uncertain { .. } | LedgerError::Conflict { .. })
        );
        done?;
        self.head = chunk.after();
        Ok(self.head)
    }

    /// Keeps `state`, which stands for everything up to `head`, in place of the snapshot before.
    /// The future does not hold on to the ledger: it may run beside appends.
    pub fn put_snapshot(
        &self,
        head: Head,
        state: Vec<u8>,
    ) -> impl Future<Output = Result<(), LedgerError>> + Send + 'static {
        let turn = Turn::clone(&self.snapshots);
        self.reader().snapshot_place().put(turn, head, state)
    }

    /// How things stand with the space kept back for stopping.
    pub fn ballast(&self) -> Ballast {
        match &self.store {
            Store::Memory(writer) => writer.ballast(),
            Store::Sqlite(writer) => writer.ballast().clone(),
        }
    }

    /// Lays the ballast down again if it is gone and there is space for it; cheap enough to be
    /// called every now and then.
    pub fn restore_ballast(&mut self) -> Ballast {
        match &mut self.store {
            Store::Memory(writer) => writer.restore_ballast(),
            Store::Sqlite(writer) => writer.restore_ballast(),
        }
        self.ballast()
    }

    /// Closes the ledger and lets others hold it. Dropping it does the same, later, without telling
    /// what failed; nothing is lost by either.
    ///
    /// # Errors
    /// What SQLite says when it tidies up.
    pub async fn close(self) -> Result<(), LedgerError> {
        match self.store {
            Store::Memory(_) => Ok(()),
            Store::Sqlite(writer) => writer.close().await,
        }
    }
}

fn fits(batch: &[Vec<u8>]) -> Result<(), LedgerError> {
    if let Some(event) = batch.iter().find(|event| event.len() > MAX_EVENT) {
        return Err(LedgerError::TooLarge {
            bytes: event.len(),
            most: MAX_EVENT,
        });
    }
    match batch.iter().map(Vec::len).sum() {
        bytes if bytes > MAX_BATCH => Err(LedgerError::TooLarge {
            bytes,
            most: MAX_BATCH,
        }),
        _ => Ok(()),
    }
}

/// Runs file work where it does not hold up others.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(io::Error::other)?
}

/// Reads a ledger, whether or not an engine writes to it meanwhile. It writes nothing, save the two
/// helper files that SQLite keeps beside an open database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Reader(Source);

#[derive(Clone, Debug)]
enum Source {
    Memory(Memory),
    Sqlite(sqlite::File),
}

impl Reader {
    /// The ledger file at `path`.
    ///
    /// # Errors
    /// When there is none, or it is no ledger, or one of a newer holdpoint.
    pub async fn open(path: &Path) -> Result<Reader, LedgerError> {
        let file = sqlite::File::new(path);
        file.head().await?;
        Ok(Reader(Source::Sqlite(file)))
    }

    /// Where the ledger ends now.
    ///
    /// # Errors
    /// When the file cannot be read, or its last event does not follow from the one before.
    pub async fn head(&self) -> Result<Head, LedgerError> {
        match &self.0 {
            Source::Memory(memory) => Ok(memory.head()),
            Source::Sqlite(file) => file.head().await,
        }
    }

    /// Reads events from `from` (0 and 1 both mean the first) up to where the ledger ends now, in
    /// chunks, each verified before it is handed over: it follows from event `from - 1` as that
    /// stands in the ledger, so a read from the beginning verifies everything.
    ///
    /// # Errors
    /// When reading cannot begin; what is found on the way, [`Entries::next`] tells.
    pub async fn read(&self, from: u64) -> Result<Entries, LedgerError> {
        let after = from.saturating_sub(1);
        match &self.0 {
            Source::Memory(memory) => Ok(Entries::of_memory(memory.walk(after))),
            Source::Sqlite(file) => Ok(Entries::of_file(file.path(), file.walk(after).await?)),
        }
    }

    /// The newest snapshot and the head that it stands for. `None` when there is none, or it is
    /// damaged, or its head is not in this ledger: then the state has to be made from the events.
    ///
    /// # Errors
    /// When the ledger cannot be read. A snapshot that cannot be read is none.
    pub async fn snapshot(&self) -> Result<Option<(Head, Vec<u8>)>, LedgerError> {
        let Some((head, state)) = self.snapshot_place().get().await else {
            return Ok(None);
        };
        let hash = match &self.0 {
            Source::Memory(memory) => memory.hash_at(head.seq),
            Source::Sqlite(file) => file.hash_at(head.seq).await?,
        };
        if hash != Some(head.hash) {
            tracing::info!(seq = head.seq, "a snapshot of another history is ignored");
            return Ok(None);
        }
        Ok(Some((head, state)))
    }

    /// Copies the ledger, as it stands at one moment, to a new file, and verifies the copy before
    /// it appears under its name. Appends go on meanwhile. To restore it, put it in the ledger's
    /// place.
    ///
    /// # Errors
    /// [`LedgerError::Exists`] when there is a file of that name; it is left as it is.
    pub async fn backup(&self, file: &Path) -> Result<Backup, LedgerError> {
        match &self.0 {
            Source::Memory(_) => Err(LedgerError::InMemory),
            Source::Sqlite(source) => backup::write(source, file).await,
        }
    }

    fn snapshot_place(&self) -> Place {
        match &self.0 {
            Source::Memory(memory) => Place::Memory(memory.clone()),
            Source::Sqlite(file) => Place::beside(file.path()),
        }
    }
}
