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
    /// There is no space for it: given up for an append that stopped something, or never laid down.
    /// Until there is, the ledger takes only appends that stop something; else the next batch of
    /// anything would eat the space that was freed for them.
    Spent,
    /// This disk keeps no such file; the sentence says why.
    Absent(String),
}

/// What has to stay free beside a ballast that is laid down, in bytes, for appends that stop nothing.
/// SQLite's log may still have space when the disk has none: calls begun in it could not be carried
/// out, as their own files need some.
const MARGIN: u64 = 256 << 10;

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
            state: Ballast::Spent,
        }
    }

    pub(super) fn state(&self) -> &Ballast {
        &self.state
    }

    /// Frees the blocks. Whether there were any.
    pub(super) fn give_up(&mut self) -> bool {
        let was_there = std::fs::remove_file(&self.path).is_ok();
        if was_there {
            self.state = Ballast::Spent;
        }
        was_there
    }

    /// Lays the ballast down again if there is space for it and some more.
    pub(super) fn restore(&mut self) {
        if allocated(&self.path) {
            self.state = Ballast::Ready;
            return;
        }
        self.state = match available(&self.path) {
            Ok(bytes) if bytes < BALLAST + ROOM => Ballast::Spent,
            Ok(_) => lay_down(&self.path),
            Err(error) => {
                Ballast::Absent(format!("the disk cannot be asked for free space: {error}"))
            }
        };
        // what was begun must not take up space that nobody would give up
        if self.state != Ballast::Ready
            && let Err(error) = std::fs::remove_file(&self.path)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, path = %self.path.display(), "an unfinished ballast file stays");
        }
    }

    /// Whether there is space for what stops nothing.
    pub(super) fn spares_space(&mut self) -> bool {
        match self.state {
            Ballast::Spent => {
                self.restore();
                self.state != Ballast::Spent
            }
            Ballast::Ready => available(&self.path).is_ok_and(|bytes| bytes >= MARGIN),
            Ballast::Absent(_) => true,
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

/// Writes the ballast and says what came of it.
fn lay_down(path: &Path) -> Ballast {
    match write(path) {
        Ok(()) if allocated(path) => Ballast::Ready,
        Ok(()) => Ballast::Absent("the file system keeps no blocks for it".to_owned()),
        Err(error) if error.kind() == io::ErrorKind::StorageFull => Ballast::Spent,
        Err(error) => Ballast::Absent(error.to_string()),
    }
}

/// Writes bytes that no file system can compress or leave out as a hole.
fn write(path: &Path) -> io::Result<()> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ballast_takes_real_blocks_and_can_be_given_up_once() {
        let dir = tempfile::tempdir().unwrap();
        let ledger = dir.path().join("ledger.db");
        let mut ballast = BallastFile::of(&ledger);
        assert_eq!(ballast.state(), &Ballast::Spent);
        ballast.restore();
        assert_eq!(ballast.state(), &Ballast::Ready);
        assert!(allocated(&beside(&ledger, ".ballast")));
        assert!(ballast.give_up());
        assert_eq!(ballast.state(), &Ballast::Spent);
        assert!(!ballast.give_up(), "there was nothing left to give up");
        assert!(ballast.spares_space(), "there is space again");
        assert_eq!(ballast.state(), &Ballast::Ready);
    }

    #[test]
    fn a_file_without_blocks_is_no_ballast() {
        let dir = tempfile::tempdir().unwrap();
        let ledger = dir.path().join("ledger.db");
        let hollow = File::create(beside(&ledger, ".ballast")).unwrap();
        hollow.set_len(BALLAST).unwrap();
        let mut ballast = BallastFile::of(&ledger);
        ballast.restore();
        assert_eq!(ballast.state(), &Ballast::Ready);
        assert!(allocated(&beside(&ledger, ".ballast")));
    }

    #[test]
    fn where_it_cannot_be_made_the_reason_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let mut ballast = BallastFile::of(&dir.path().join("ledger.db"));
        std::fs::create_dir(dir.path().join("ledger.db.ballast")).unwrap();
        ballast.restore();
        assert!(
            matches!(ballast.state(), Ballast::Absent(why) if why.contains("directory")),
            "{:?}",
            ballast.state()
        );
        assert!(
            ballast.spares_space(),
            "without ballast nothing is kept back"
        );
    }
}
