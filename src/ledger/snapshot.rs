//! The newest state, kept beside the ledger so that a start need not replay everything.
//!
//! It is a file of its own (`<ledger>.snapshot`) and not part of the ledger: it can be thrown away
//! at any time, it must not make appends wait, and a backup does not need it. Its layout:
//!
//! ```text
//!   magic      8 bytes   `hpstate` and the version, 0x01
//!   seq        8 bytes   the head that it stands for, big-endian
//!   hash      32 bytes
//!   checksum  32 bytes   SHA-256 over the three fields above and the state
//!   state
//! ```
//!
//! The checksum finds accidents. That the state is the right one for its head, nothing here can
//! tell: an auditor replays the events.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};
use tokio::sync::Mutex;

use super::blocking;
use super::chain::{Hash, Head};
use super::error::LedgerError;
use super::holder::beside;
use super::memory::Memory;

const MAGIC: [u8; 8] = *b"hpstate\x01";
const FRONT: usize = 80;

/// Snapshots are written one after the other; the holder of the ledger is the only one who writes
/// any.
pub(super) type Turn = Arc<Mutex<()>>;

/// Where one ledger's snapshot is kept.
pub(super) enum Place {
    Memory(Memory),
    File(PathBuf),
}

impl Place {
    pub(super) fn beside(ledger: &Path) -> Place {
        Place::File(beside(ledger, ".snapshot"))
    }

    pub(super) async fn put(
        self,
        turn: Turn,
        head: Head,
        state: Vec<u8>,
    ) -> Result<(), LedgerError> {
        let turn = turn.lock_owned().await;
        match self {
            Place::Memory(memory) => memory.put_snapshot(head, state),
            Place::File(path) => {
                let shown = path.clone();
                // the turn ends with the writing, also when nobody waits for it any more
                let write = move || {
                    let written = write(&path, head, &state);
                    drop(turn);
                    written
                };
                blocking(write).await.map_err(|error| match error.kind() {
                    io::ErrorKind::StorageFull => LedgerError::Full { path: shown },
                    _ => LedgerError::io("writing", &shown, error),
                })
            }
        }
    }

    pub(super) async fn get(self) -> Option<(Head, Vec<u8>)> {
        match self {
            Place::Memory(memory) => memory.snapshot(),
            Place::File(path) => {
                let shown = path.clone();
                match blocking(move || read(&path)).await {
                    Ok(found) => found,
                    Err(error) => {
                        let path = shown.display();
                        tracing::warn!(%error, %path, "a snapshot that cannot be read is ignored");
                        None
                    }
                }
            }
        }
    }
}

/// Puts the snapshot in place of the one before, as a whole or not at all.
fn write(path: &Path, head: Head, state: &[u8]) -> io::Result<()> {
    let part = beside(path, ".part");
    let done = File::create(&part).and_then(|mut file| {
        file.write_all(&front(head, state))?;
        file.write_all(state)?;
        file.sync_all()?;
        std::fs::rename(&part, path)
    });
    if done.is_err()
        && let Err(error) = std::fs::remove_file(&part)
    {
        tracing::debug!(%error, "an unfinished snapshot stays");
    }
    done
}

fn read(path: &Path) -> io::Result<Option<(Head, Vec<u8>)>> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut found = [0; FRONT];
    file.read_exact(&mut found)?;
    let mut state = Vec::new();
    file.read_to_end(&mut state)?;
    let mut seq = [0; 8];
    seq.copy_from_slice(&found[8..16]);
    let mut hash = [0; 32];
    hash.copy_from_slice(&found[16..48]);
    let head = Head {
        seq: u64::from_be_bytes(seq),
        hash: Hash(hash),
    };
    if found != front(head, &state) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "it is not what was written",
        ));
    }
    Ok(Some((head, state)))
}

fn front(head: Head, state: &[u8]) -> [u8; FRONT] {
    let mut front = [0; FRONT];
    front[..8].copy_from_slice(&MAGIC);
    front[8..16].copy_from_slice(&head.seq.to_be_bytes());
    front[16..48].copy_from_slice(&head.hash.0);
    let checksum = Sha256::new()
        .chain_update(&front[..48])
        .chain_update(state)
        .finalize();
    front[48..].copy_from_slice(&checksum);
    front
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_written_whole_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger.db.snapshot");
        assert!(read(&path).unwrap().is_none());
        let head = Head::default().follow(b"event");
        write(&path, head, b"the state").unwrap();
        assert_eq!(read(&path).unwrap(), Some((head, b"the state".to_vec())));
        let good = std::fs::read(&path).unwrap();
        for at in [0, 7, 9, 20, 50, good.len() - 1] {
            let mut bad = good.clone();
            bad[at] ^= 1;
            std::fs::write(&path, bad).unwrap();
            assert!(read(&path).is_err(), "a change at byte {at} was not found");
        }
        for length in [0, 40, FRONT, good.len() - 1] {
            std::fs::write(&path, &good[..length]).unwrap();
            assert!(read(&path).is_err(), "a cut at byte {length} was not found");
        }
    }
}
