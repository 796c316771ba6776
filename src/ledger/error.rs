//! What can go wrong with a ledger, as facts.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::holder::Holder;

/// Why a ledger could not be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// Another process has it open for writing.
    #[error("the ledger {} is held by {by}", path.display())]
    Held {
        /// The ledger.
        path: PathBuf,
        /// Who holds it.
        by: Holder,
    },
    /// There is none to read.
    #[error("there is no ledger at {}", path.display())]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// A file of some other program, or none of SQLite at all. It was left as it was.
    #[error("{} is no holdpoint ledger: {why}", path.display())]
    NotALedger {
        /// The file.
        path: PathBuf,
        /// What gives it away.
        why: String,
    },
    /// Written by a later version of holdpoint. It was left as it was.
    #[error(
        "the ledger {} was written by a newer holdpoint: its layout is version {found}, this one \
         knows version {known}",
        path.display()
    )]
    Newer {
        /// The ledger.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The newest version that this program knows.
        known: i64,
    },
    /// A backup never overwrites.
    #[error("{} exists already; a backup does not overwrite", path.display())]
    Exists {
        /// The file in the way.
        path: PathBuf,
    },
    /// The ledger does not end where the caller believes. Nothing was stored.
    #[error("the ledger ends at event {found}, not at event {expected}")]
    Conflict {
        /// Where the caller took it to end.
        expected: u64,
        /// Where it ends.
        found: u64,
    },
    /// An event, or a batch of them, is larger than a ledger takes. Nothing was stored.
    #[error("{bytes} bytes are too many at once; a ledger takes at most {most}")]
    TooLarge {
        /// Its size in bytes.
        bytes: usize,
        /// The limit in bytes.
        most: usize,
    },
    /// No space left. Nothing was stored; what was there before can still be read.
    #[error("the disk under {} is full", path.display())]
    Full {
        /// The ledger.
        path: PathBuf,
    },
    /// The history is not what was written.
    #[error("the ledger {} is damaged: event {seq} {damage}", path.display())]
    Damaged {
        /// The ledger.
        path: PathBuf,
        /// The first event that is not as it should be.
        seq: u64,
        /// In what way.
        damage: Damage,
    },
    /// An append failed in a way that leaves open whether its events are in the ledger. Whoever
    /// holds state made from the ledger has to make it anew from there.
    #[error(
        "it is not certain whether what was written after event {expected} of {} was kept: {source}",
        path.display()
    )]
    Uncertain {
        /// The ledger.
        path: PathBuf,
        /// Where it ended before.
        expected: u64,
        /// What went wrong.
        source: Box<LedgerError>,
    },
    /// Reading stopped early: the task that read was ended.
    #[error("reading the ledger was broken off after event {after}")]
    Interrupted {
        /// The last event that was handed over.
        after: u64,
    },
    /// A ledger in memory has no file to back up.
    #[error("a ledger in memory cannot be backed up")]
    InMemory,
    /// SQLite said no. After an append: nothing was stored.
    #[error("{doing} {} failed: {source}", path.display())]
    Sqlite {
        /// The step, such as `opening`.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        source: sqlx::Error,
    },
    /// The operating system said no. After an append: nothing was stored.
    #[error("{doing} {} failed: {source}", path.display())]
    Io {
        /// The step, such as `opening`.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// In what way an event is not what was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Damage {
    /// Its hash does not follow from its bytes and the event before it.
    Altered,
    /// It is not there, although later ones are.
    Missing,
    /// The file cannot be read at this place.
    Unreadable(String),
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Damage::Altered => f.write_str("does not follow from the event before it"),
            Damage::Missing => f.write_str("is missing"),
            Damage::Unreadable(why) => write!(f, "cannot be read ({why})"),
        }
    }
}

impl LedgerError {
    pub(super) fn io(doing: &'static str, path: &Path, source: io::Error) -> LedgerError {
        LedgerError::Io {
            doing,
            path: path.to_owned(),
            source,
        }
    }

    pub(super) fn damaged(path: &Path, seq: u64, damage: Damage) -> LedgerError {
        LedgerError::Damaged {
            path: path.to_owned(),
            seq,
            damage,
        }
    }
}

/// What SQLite's result codes mean here (<https://www.sqlite.org/rescode.html>).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// No space left.
    Full,
    /// Refused before anything was written: locked, a constraint, a statement at fault.
    Refused,
    /// The bytes in the file make no sense, or are no database.
    Corrupt,
    /// The file cannot be opened.
    CannotOpen,
    /// Reading or writing failed, before the last byte of a commit was written.
    Failed,
    /// A commit was written and not flushed, or nobody knows.
    Unknown,
}

/// Sorts an error by its result code.
pub(super) fn class(error: &sqlx::Error) -> Class {
    const FLUSH: i32 = 10 | (4 << 8);
    const FLUSH_DIRECTORY: i32 = 10 | (5 << 8);
    let code = match error {
        sqlx::Error::Database(e) => e.code().and_then(|code| code.parse::<i32>().ok()),
        _ => None,
    };
    let Some(code) = code else {
        return Class::Unknown;
    };
    // the low byte is the primary code, the rest says where
    match code & 0xff {
        13 => Class::Full,
        11 | 26 => Class::Corrupt,
        14 => Class::CannotOpen,
        10 if code == FLUSH || code == FLUSH_DIRECTORY => Class::Unknown,
        // reading, writing, memory
        7 | 10 => Class::Failed,
        _ => Class::Refused,
    }
}
