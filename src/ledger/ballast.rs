//! Space kept back for stopping.
//!
//! Stopping a release has to work on a full disk. `<ledger>.ballast` takes up real blocks while
//! there is space; an append that stops something may give them up.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::holder::beside;

/// What the ballast file takes up, in bytes. A stopping command needs three pages of 4 KiB or so.
pub const BALLAST: u64 = 2 << 20;

/// What has to stay free beside the ballast for it to be laid down, in bytes.
const ROOM: u64 = 1 << 20;

/// How things stand with the space kept back for stopping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ballast {
    /// Laid down.
    Ready,
    /// Given up for an append that stopped something, or to open the ledger on a full disk.
    GivenUp,
    /// It could not be laid down; the sentence says why.
    Absent(String),
}

/// The ballast file of one ledger.
#[derive(Debug)]
pub(super) struct BallastFile {
    path: PathBuf,
    state: Ballast,
}

impl BallastFile {
    /// The ballast of the ledger at `ledger`; only [`BallastFile::restore`] lays it down.
    pub(super) fn of(ledger: &Path) -> BallastFile {
        BallastFile {
            path: beside(ledger, ".ballast"),
            state: Ballast::Absent("it was not laid down yet".to_owned()),
        }
    }

    pub(super) fn state(&self) -> &Ballast {
        &self.state
    }

    /// Frees the blocks. Whether there were any.
    pub(super) fn give_up(&mut self) -> bool {
        if std::fs::remove_file(&self.path).is_err() {
            return false;
        }
        self.state = Ballast::GivenUp;
        true
    }

    /// Lays the ballast down again if there is space for it and some more.
    pub(super) fn restore(&mut self) {
        if allocated(&self.path) {
            self.state = Ballast::Ready;
            return;
        }
        let why = match available(&self.path) {
            Ok(bytes) if bytes < BALLAST + ROOM => {
                format!("only {} KiB are free on its disk", bytes >> 10)
            }
            Err(error) => format!("its disk cannot be asked for free space: {error}"),
            Ok(_) => match lay_down(&self.path) {
                Ok(()) if allocated(&self.path) => {
                    self.state = Ballast::Ready;
                    return;
                }
                Ok(()) => "its file system keeps no blocks for it".to_owned(),
                Err(error) => error.to_string(),
            },
        };
        // what was begun must not take up space that nobody would give up
        if let Err(error) = std::fs::remove_file(&self.path)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, path = %self.path.display(), "an unfinished ballast file stays");
        }
        match self.state {
            Ballast::GivenUp => tracing::debug!(why, "the ballast is not laid down again yet"),
            Ballast::Ready | Ballast::Absent(_) => self.state = Ballast::Absent(why),
        }
    }
}

/// Bytes that this process may still write on the disk under `path`.
pub(super) fn available(path: &Path) -> io::Result<u64> {
    let dir = path.parent().unwrap_or(Path::new("."));
    let disk = rustix::fs::statvfs(dir)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

fn allocated(path: &Path) -> bool {
    path.metadata()
        .is_ok_and(|file| file.len() >= BALLAST && file.blocks() * 512 >= BALLAST)
}

/// Writes bytes that no file system can compress or leave out as a hole.
fn lay_down(path: &Path) -> io::Result<()> {
    let mut bytes = Vec::with_capacity(BALLAST as usize);
    let mut block = Sha256::digest(b"holdpoint ballast");
    while bytes.len() < BALLAST as usize {
        bytes.extend_from_slice(&block);
        block = Sha256::digest(block);
    }
    let mut file = File::create(path)?;
    file.write_all(&bytes)?;
    file.sync_all()
}
