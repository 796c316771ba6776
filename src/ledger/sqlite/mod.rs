//! A ledger in one SQLite file.
//!
//! ```sql
//! CREATE TABLE event (seq INTEGER PRIMARY KEY, hash BLOB, bytes BLOB) STRICT;
//! ```
//!
//! One row an event, the hash chained as `chain.rs` says. Two triggers refuse UPDATE and DELETE:
//! they stop accidents, the chain shows intent. The file runs in WAL mode with `synchronous=FULL`:
//! an append is durable when its statement returns, and readers never wait for the writer.
//!
//! Every statement costs a hop to SQLite's thread and back, so the hot paths are one statement
//! each: a batch goes in as one packed blob that the statement cuts up, and thousands of events
//! come out as one packed row.

mod reader;
mod writer;

pub(super) use reader::{File, Walk};
pub(super) use writer::Writer;

use std::io;
use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Row, SqliteConnection};

use super::error::{Class, LedgerError, class};

/// Marks the file as ours: the letters `hold`.
const APPLICATION: i64 = 0x686f_6c64;

/// The layout that this program writes and reads.
const LAYOUT: i64 = 1;

const CREATE: &str = "
BEGIN IMMEDIATE;
CREATE TABLE event (
    seq   INTEGER PRIMARY KEY CHECK (seq > 0),
    hash  BLOB NOT NULL CHECK (length(hash) = 32),
    bytes BLOB NOT NULL
) STRICT;
CREATE TRIGGER event_stays BEFORE UPDATE ON event
    BEGIN SELECT RAISE(ABORT, 'events are never changed'); END;
CREATE TRIGGER event_remains BEFORE DELETE ON event
    BEGIN SELECT RAISE(ABORT, 'events are never deleted'); END;
PRAGMA application_id = 0x686f6c64;
PRAGMA user_version = 1;
COMMIT;
";

/// What a file turns out to be.
enum Identity {
    /// Nothing is in it yet.
    Blank,
    /// A ledger with this program's layout.
    Ledger,
}

fn options(path: &Path) -> io::Result<SqliteConnectOptions> {
    // absolute, because SQLite gives names such as `file:x` and `:memory:` a meaning of their own
    Ok(SqliteConnectOptions::new()
        .filename(std::path::absolute(path)?)
        .busy_timeout(Duration::from_secs(5))
        .synchronous(SqliteSynchronous::Full)
        // macOS flushes its disk's cache only when asked to
        .pragma("fullfsync", "ON")
        .pragma("checkpoint_fullfsync", "ON")
        // a WAL that a long read let grow shrinks again
        .pragma("journal_size_limit", "16777216")
        .disable_statement_logging())
}

async fn identify(conn: &mut SqliteConnection, path: &Path) -> Result<Identity, LedgerError> {
    let row = sqlx::query(
        "SELECT (SELECT application_id FROM pragma_application_id), \
         (SELECT user_version FROM pragma_user_version), \
         (SELECT count(*) FROM sqlite_schema)",
    )
    .fetch_one(conn)
    .await
    .map_err(|source| failed("opening", path, source))?;
    let column = |n: usize| {
        row.try_get::<i64, _>(n)
            .map_err(|source| failed("opening", path, source))
    };
    let not_a_ledger = |why: String| LedgerError::NotALedger {
        path: path.to_owned(),
        why,
    };
    match (column(0)?, column(1)?, column(2)?) {
        (0, 0, 0) => Ok(Identity::Blank),
        (APPLICATION, LAYOUT, _) => Ok(Identity::Ledger),
        (APPLICATION, found, _) if found > LAYOUT => Err(LedgerError::Newer {
            path: path.to_owned(),
            found,
            known: LAYOUT,
        }),
        (APPLICATION, found, _) => Err(not_a_ledger(format!("its layout has version {found}"))),
        (0, _, tables) => Err(not_a_ledger(format!(
            "it is some other program's SQLite database with {tables} tables and indexes"
        ))),
        (other, _, _) => Err(not_a_ledger(format!(
            "it is a SQLite database of the application {other:#010x}"
        ))),
    }
}

/// A ledger's error for what SQLite said.
fn failed(doing: &'static str, path: &Path, source: sqlx::Error) -> LedgerError {
    let path = path.to_owned();
    match class(&source) {
        Class::Full => LedgerError::Full { path },
        Class::Corrupt if doing == "opening" => LedgerError::NotALedger {
            path,
            why: source.to_string(),
        },
        _ => LedgerError::Sqlite {
            doing,
            path,
            source,
        },
    }
}

/// Sequence numbers are counted from 1 and far below 2^63.
fn to_sql(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}

fn from_sql(seq: i64) -> u64 {
    u64::try_from(seq).unwrap_or_default()
}
