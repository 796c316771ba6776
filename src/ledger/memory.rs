//! A ledger in memory whose disk can fail, for tests, trials and simulation.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::ballast::Ballast;
use super::chain::{Chunk, Hash, Head};
use super::error::LedgerError;
use super::holder::Holder;
use super::{Ledger, Urgency};

/// Events in one chunk of a walk.
const EVENTS: usize = 4096;

/// What happens to the next append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It fails and nothing is stored, as when a write was torn.
    NotStored,
    /// It is stored and nobody learns of it: [`LedgerError::Uncertain`].
    StoredUnknown,
    /// Nothing is stored and nobody knows that: [`LedgerError::Uncertain`].
    LostUnknown,
}

/// The disk under a ledger in memory. Clones are the same disk, so that a test can keep one, let
/// the ledger be dropped as in a crash, and open it again.
#[derive(Clone, Debug, Default)]
pub struct Memory(Arc<Mutex<Disk>>);

#[derive(Debug, Default)]
struct Disk {
    head: Head,
    events: Vec<(Vec<u8>, Hash)>,
    snapshot: Option<(Head, Vec<u8>)>,
    held: bool,
    full: bool,
    ballast_gone: bool,
    faults: VecDeque<Fault>,
}

impl Memory {
    /// Opens the ledger on this disk for writing.
    ///
    /// # Errors
    /// [`LedgerError::Held`] while it is open already.
    pub fn open(&self) -> Result<Ledger, LedgerError> {
        let mut disk = self.disk();
        if disk.held {
            return Err(LedgerError::Held {
                path: path(),
                by: Holder::this_process(),
            });
        }
        disk.held = true;
        drop(disk);
        Ok(Ledger::over(Writer(self.clone())))
    }

    /// Lets the next appends fail, one by one, in this order.
    pub fn fail_next(&self, faults: impl IntoIterator<Item = Fault>) {
        self.disk().faults.extend(faults);
    }

    /// From now on the disk is full, until [`Memory::free`].
    pub fn fill(&self) {
        self.disk().full = true;
    }

    /// There is space again.
    pub fn free(&self) {
        self.disk().full = false;
    }

    pub(super) fn head(&self) -> Head {
        self.disk().head
    }

    pub(super) fn hash_at(&self, seq: u64) -> Option<Hash> {
        let Some(index) = seq.checked_sub(1) else {
            return Some(Hash::default());
        };
        let index = usize::try_from(index).ok()?;
        self.disk().events.get(index).map(|event| event.1)
    }

    pub(super) fn walk(&self, after: u64) -> Walk {
        let end = self.head().seq;
        let at = after.min(end);
        Walk {
            at: Head {
                seq: at,
                hash: self.hash_at(at).unwrap_or_default(),
            },
            end,
            disk: self.clone(),
        }
    }

    pub(super) fn snapshot(&self) -> Option<(Head, Vec<u8>)> {
        self.disk().snapshot.clone()
    }

    pub(super) fn put_snapshot(&self, head: Head, state: Vec<u8>) -> Result<(), LedgerError> {
        let mut disk = self.disk();
        if disk.full {
            return Err(LedgerError::Full { path: path() });
        }
        disk.snapshot = Some((head, state));
        Ok(())
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        // every change is a single step, so that a panic elsewhere leaves nothing half done
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The one writer on a [`Memory`].
#[derive(Debug, Default)]
pub(super) struct Writer(Memory);

impl Writer {
    pub(super) fn disk(&self) -> Memory {
        self.0.clone()
    }

    pub(super) fn head(&self) -> Head {
        self.0.head()
    }

    pub(super) fn append(&mut self, batch: &Chunk, urgency: Urgency) -> Result<(), LedgerError> {
        let mut disk = self.0.disk();
        if disk.full && urgency == Urgency::Normal {
            return Err(LedgerError::Full { path: path() });
        }
        disk.ballast_gone |= disk.full;
        let fault = disk.faults.pop_front();
        if matches!(fault, None | Some(Fault::StoredUnknown)) {
            disk.events
                .extend(batch.iter().map(|event| (event.bytes.to_vec(), event.hash)));
            disk.head = batch.after();
        }
        let broken = || {
            let source = std::io::Error::other("the disk failed, as it was told to");
            LedgerError::io("writing", &path(), source)
        };
        match fault {
            None => Ok(()),
            Some(Fault::NotStored) => Err(broken()),
            Some(Fault::StoredUnknown | Fault::LostUnknown) => Err(LedgerError::Uncertain {
                path: path(),
                expected: batch.before().seq,
                source: Box::new(broken()),
            }),
        }
    }

    pub(super) fn ballast(&self) -> Ballast {
        if self.0.disk().ballast_gone {
            Ballast::Spent
        } else {
            Ballast::Ready
        }
    }

    pub(super) fn restore_ballast(&mut self) {
        let mut disk = self.0.disk();
        disk.ballast_gone &= disk.full;
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.0.disk().held = false;
    }
}

/// A walk over the events in memory, up to where they ended when it began.
#[derive(Debug)]
pub(super) struct Walk {
    disk: Memory,
    at: Head,
    end: u64,
}

impl Walk {
    pub(super) fn at(&self) -> u64 {
        self.at.seq
    }

    pub(super) fn end(&self) -> u64 {
        self.end
    }
}

impl Iterator for Walk {
    type Item = Chunk;

    fn next(&mut self) -> Option<Chunk> {
        let left = usize::try_from(self.end - self.at.seq).ok()?;
        let skip = usize::try_from(self.at.seq).ok()?;
        let disk = self.disk.disk();
        let events = disk.events.iter().skip(skip).take(left.min(EVENTS));
        let (mut hashes, mut bytes) = (Vec::new(), Vec::new());
        let mut lengths = Vec::new();
        for event in events {
            lengths.push(Some(event.0.len()));
            bytes.extend_from_slice(&event.0);
            hashes.extend_from_slice(&event.1.0);
        }
        let chunk = Chunk::assemble(self.at, lengths.into_iter(), hashes, bytes)?;
        self.at = chunk.after();
        (!chunk.is_empty()).then_some(chunk)
    }
}

fn path() -> PathBuf {
    PathBuf::from("in memory")
}
