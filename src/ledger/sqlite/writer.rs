//! The one connection that writes.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use sqlx::{ConnectOptions, Connection, Row, SqliteConnection};

use super::reader::{self, File};
use super::{CREATE, Identity, failed, identify, options, to_sql};
use crate::ledger::Urgency;
use crate::ledger::ballast::{Ballast, BallastFile, available};
use crate::ledger::chain::{Chunk, Head};
use crate::ledger::error::{Class, LedgerError, class};
use crate::ledger::holder::Lock;

/// Cuts a packed batch into rows, in one statement, which is one transaction. `?4` is a JSON array
/// with one number an event: its offset in `?3` times 2^32, plus its length. Nothing goes in unless
/// the ledger ends with the hash that the batch was chained to. Cut from no bytes at all, SQLite
/// makes of an empty event a null.
const APPEND: &str = "
INSERT INTO event (seq, hash, bytes)
SELECT ?1 + key,
       substr(?2, 32 * key + 1, 32),
       ifnull(substr(?3, (value >> 32) + 1, value & 0xffffffff), x'')
FROM json_each(?4)
WHERE (SELECT hash FROM event ORDER BY seq DESC LIMIT 1) IS ?5
";

/// Below this many free bytes a failed write is put down to a full disk, whatever SQLite calls it.
const NOTHING_LEFT: u64 = 64 << 10;

/// A ledger file, open for writing.
#[derive(Debug)]
pub(in crate::ledger) struct Writer {
    path: PathBuf,
    /// `None` only while it could not be opened again after a failure.
    conn: Option<SqliteConnection>,
    /// Whether commits may copy what the WAL holds into the file; see [`Writer::spare_space`].
    checkpoints: bool,
    ballast: BallastFile,
    /// Dropped after the connection was told to close.
    _lock: Lock,
}

impl Writer {
    pub(in crate::ledger) async fn open(path: &Path) -> Result<(Writer, Head), LedgerError> {
        let lock = Lock::take(path)?;
        let mut ballast = BallastFile::of(path);
        let conn = match set_up(path).await {
            // without the ledger not even stopping works, so that the ballast has no better use
            Err(LedgerError::Full { .. }) if ballast.give_up() => set_up(path).await?,
            other => other?,
        };
        ballast.restore();
        let mut writer = Writer {
            path: path.to_owned(),
            conn: Some(conn),
            checkpoints: true,
            ballast,
            _lock: lock,
        };
        let head = writer.head().await?;
        Ok((writer, head))
    }

    /// Where the file ends, read from it.
    pub(in crate::ledger) async fn head(&mut self) -> Result<Head, LedgerError> {
        let path = self.path.clone();
        reader::head(self.conn().await?, &path).await
    }

    pub(in crate::ledger) fn reader(&self) -> File {
        File::new(&self.path)
    }

    pub(in crate::ledger) fn ballast(&self) -> &Ballast {
        self.ballast.state()
    }

    pub(in crate::ledger) fn restore_ballast(&mut self) {
        self.ballast.restore();
    }

    pub(in crate::ledger) async fn append(
        &mut self,
        batch: &Chunk,
        urgency: Urgency,
    ) -> Result<(), LedgerError> {
        if urgency == Urgency::Normal && !self.ballast.spares_space() {
            return Err(LedgerError::Full {
                path: self.path.clone(),
            });
        }
        let first = self.insert(batch).await;
        let space_may_help = match &first {
            Err(LedgerError::Full { .. }) => true,
            // a quota, for one, is no full disk to SQLite
            Err(LedgerError::Sqlite { source, .. }) => class(source) == Class::Failed,
            _ => false,
        };
        if space_may_help && urgency == Urgency::Stopping && self.ballast.give_up() {
            return self.insert(batch).await;
        }
        first
    }

    /// Copies what the WAL holds into the file, and closes it.
    pub(in crate::ledger) async fn close(mut self) -> Result<(), LedgerError> {
        match self.conn.take() {
            Some(conn) => conn
                .close()
                .await
                .map_err(|source| failed("closing", &self.path, source)),
            None => Ok(()),
        }
    }

    async fn conn(&mut self) -> Result<&mut SqliteConnection, LedgerError> {
        let conn = match self.conn.take() {
            Some(conn) => conn,
            None => {
                self.checkpoints = true;
                set_up(&self.path).await?
            }
        };
        Ok(self.conn.insert(conn))
    }

    /// While the ballast is gone, nothing is copied from the WAL into the file: the file would grow
    /// by all that waits in the WAL, and so eat the space that was freed for appends that stop
    /// something.
    async fn spare_space(&mut self) -> Result<(), LedgerError> {
        let wanted = *self.ballast.state() != Ballast::Spent;
        if wanted != self.checkpoints {
            let path = self.path.clone();
            let pages = if wanted {
                "PRAGMA wal_autocheckpoint = 1000"
            } else {
                "PRAGMA wal_autocheckpoint = 0"
            };
            sqlx::raw_sql(pages)
                .execute(self.conn().await?)
                .await
                .map_err(|source| failed("writing", &path, source))?;
            self.checkpoints = wanted;
        }
        Ok(())
    }

    async fn insert(&mut self, batch: &Chunk) -> Result<(), LedgerError> {
        self.spare_space().await?;
        let mut spans = String::with_capacity(batch.len() * 16 + 2);
        for (offset, length) in batch.spans() {
            spans.push(if spans.is_empty() { '[' } else { ',' });
            // writing into a string does not fail
            let _ = write!(spans, "{}", (offset as u64) << 32 | length as u64);
        }
        spans.push(']');
        let before = batch.before();
        let query = sqlx::query(APPEND)
            .bind(to_sql(before.seq + 1))
            .bind(batch.hashes().to_vec())
            .bind(batch.bytes().to_vec())
            .bind(spans)
            .bind((before.seq > 0).then(|| before.hash.0.to_vec()));
        match query.execute(self.conn().await?).await {
            Ok(done) if done.rows_affected() == batch.len() as u64 => Ok(()),
            // another program wrote to the file
            Ok(_) => Err(LedgerError::Conflict {
                expected: before.seq,
                found: self.head().await?.seq,
            }),
            Err(error) => self.settle(batch, error).await,
        }
    }

    /// After a failed append: finds out whether it is in the ledger after all.
    async fn settle(&mut self, batch: &Chunk, error: sqlx::Error) -> Result<(), LedgerError> {
        let class = class(&error);
        let certain = class != Class::Unknown;
        let error = if class == Class::Failed && nothing_left(&self.path) {
            LedgerError::Full {
                path: self.path.clone(),
            }
        } else {
            failed("writing", &self.path, error)
        };
        match self.kept(batch, certain).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(error),
            Err(why) => {
                tracing::error!(error = %why, "the ledger cannot be read after a failed append");
                Err(LedgerError::Uncertain {
                    path: self.path.clone(),
                    expected: batch.before().seq,
                    source: Box::new(error),
                })
            }
        }
    }

    /// Whether the batch is in the file, durably. Unless SQLite is certain that it rolled back, the
    /// file is opened anew, because only then does it read what the next process would
    /// read: a commit whose flush failed is not seen by its own connection, but by every later one.
    async fn kept(&mut self, batch: &Chunk, certain: bool) -> Result<bool, LedgerError> {
        if !certain && let Some(conn) = self.conn.take() {
            // the connection is given up either way
            if let Err(error) = conn.close().await {
                tracing::debug!(%error, "closing after a failed append");
            }
        }
        let head = self.head().await?;
        if head == batch.before() {
            return Ok(false);
        }
        if head != batch.after() {
            return Err(LedgerError::Conflict {
                expected: batch.after().seq,
                found: head.seq,
            });
        }
        // it is there, though its flush failed; a checkpoint writes and flushes it once more
        let path = self.path.clone();
        let busy: i64 = sqlx::query("PRAGMA wal_checkpoint(FULL)")
            .fetch_one(self.conn().await?)
            .await
            .and_then(|row| row.try_get(0))
            .map_err(|source| failed("flushing", &path, source))?;
        if busy != 0 {
            let source = io::ErrorKind::ResourceBusy.into();
            return Err(LedgerError::io("flushing", &path, source));
        }
        Ok(true)
    }
}

/// Opens the file for writing, and creates what is missing. A file that is no ledger is left as it
/// is.
async fn set_up(path: &Path) -> Result<SqliteConnection, LedgerError> {
    match connect(path).await {
        // SQLite's helper files fail in ways of their own
        Err(LedgerError::Sqlite { .. }) if nothing_left(path) => Err(LedgerError::Full {
            path: path.to_owned(),
        }),
        other => other,
    }
}

async fn connect(path: &Path) -> Result<SqliteConnection, LedgerError> {
    let opening = |source| failed("opening", path, source);
    let mut conn = options(path)
        .map_err(|source| LedgerError::io("opening", path, source))?
        .create_if_missing(true)
        .connect()
        .await
        .map_err(opening)?;
    let identity = identify(&mut conn, path).await?;
    let mode: String = sqlx::query("PRAGMA journal_mode = WAL")
        .fetch_one(&mut conn)
        .await
        .and_then(|row| row.try_get(0))
        .map_err(opening)?;
    if mode != "wal" {
        let source = io::Error::new(
            io::ErrorKind::Unsupported,
            "this file system has no shared memory for SQLite's write-ahead log",
        );
        return Err(LedgerError::io("opening", path, source));
    }
    if let Identity::Blank = identity {
        sqlx::raw_sql(CREATE)
            .execute(&mut conn)
            .await
            .map_err(opening)?;
    }
    Ok(conn)
}

fn nothing_left(path: &Path) -> bool {
    available(path).is_ok_and(|bytes| bytes < NOTHING_LEFT)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The state after a commit that failed in its flush, told apart by reading the file anew.
    #[tokio::test]
    async fn a_doubtful_append_is_looked_up_in_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger.db");
        let (mut writer, head) = Writer::open(&path).await.unwrap();
        let batch = Chunk::link(head, &[b"one".to_vec(), b"two".to_vec()]);
        assert!(!writer.kept(&batch, false).await.unwrap());
        writer.insert(&batch).await.unwrap();
        assert!(writer.kept(&batch, false).await.unwrap());
        assert_eq!(writer.head().await.unwrap(), batch.after());

        let other = Chunk::link(batch.after(), &[b"three".to_vec()]);
        let foreign = Chunk::link(batch.after(), &[b"foreign".to_vec()]);
        writer.insert(&foreign).await.unwrap();
        let error = writer.kept(&other, false).await.unwrap_err();
        assert!(matches!(error, LedgerError::Conflict { .. }), "{error}");
    }

    /// The worst that can come out of an append: SQLite's thread is gone.
    #[tokio::test]
    async fn an_append_without_an_answer_is_settled() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger.db");
        let (mut writer, head) = Writer::open(&path).await.unwrap();
        let batch = Chunk::link(head, &[b"one".to_vec()]);
        let lost = writer.settle(&batch, sqlx::Error::WorkerCrashed).await;
        let error = lost.unwrap_err();
        assert!(matches!(error, LedgerError::Sqlite { .. }), "{error}");
        writer.insert(&batch).await.unwrap();
        let stored = writer.settle(&batch, sqlx::Error::WorkerCrashed).await;
        assert!(stored.is_ok(), "{stored:?}");

        // and where the file cannot be read any more, nobody claims to know
        std::fs::rename(&path, dir.path().join("elsewhere")).unwrap();
        std::fs::create_dir(&path).unwrap();
        let error = writer
            .settle(&batch, sqlx::Error::WorkerCrashed)
            .await
            .unwrap_err();
        assert!(
            matches!(error, LedgerError::Uncertain { expected: 0, .. }),
            "{error}"
        );
        std::fs::remove_dir(&path).unwrap();
        std::fs::rename(dir.path().join("elsewhere"), &path).unwrap();
        assert_eq!(writer.head().await.unwrap(), batch.after());
    }

    #[tokio::test]
    async fn the_file_is_written_with_a_flush_for_each_append() {
        let dir = tempfile::tempdir().unwrap();
        let (mut writer, _) = Writer::open(&dir.path().join("ledger.db")).await.unwrap();
        let row = sqlx::query(
            "SELECT synchronous, journal_mode FROM pragma_synchronous, pragma_journal_mode",
        )
        .fetch_one(writer.conn().await.unwrap())
        .await
        .unwrap();
        assert_eq!(row.get::<i64, _>(0), 2, "synchronous is not FULL");
        assert_eq!(row.get::<String, _>(1), "wal");
    }
}
