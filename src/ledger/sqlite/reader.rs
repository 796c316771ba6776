//! Reading a ledger file, beside the one that writes or without it.

use std::ops::Range;
use std::path::{Path, PathBuf};

use sqlx::{ConnectOptions, Row, SqliteConnection};

use super::{Identity, failed, from_sql, identify, options, to_sql};
use crate::ledger::chain::{Chunk, Hash, Head};
use crate::ledger::error::{Class, Damage, LedgerError, class};
use crate::ledger::holder::beside;

/// Events that one statement reads at most.
const EVENTS: u64 = 4096;

/// Bytes that one statement reads at most, if it is more than one event.
const BYTES: i64 = 4 << 20;

const SIZE: &str = "SELECT sum(length(bytes)) FROM event WHERE seq > ?1 AND seq <= ?2";

/// Packs events into one row, because a row costs far more than the event in it. `group_concat`
/// keeps every byte, zeros included: SQLite casts a blob to text by taking its bytes as they are.
const PACKED: &str = "
SELECT group_concat(length(bytes)),
       CAST(group_concat(hash, '') AS BLOB),
       CAST(group_concat(bytes, '') AS BLOB)
FROM (SELECT hash, bytes FROM event WHERE seq > ?1 AND seq <= ?2 ORDER BY seq)
";

/// A ledger file to read from. Every use opens its own connection.
#[derive(Clone, Debug)]
pub(in crate::ledger) struct File {
    path: PathBuf,
}

impl File {
    pub(in crate::ledger) fn new(path: &Path) -> File {
        File {
            path: path.to_owned(),
        }
    }

    pub(in crate::ledger) fn path(&self) -> &Path {
        &self.path
    }

    pub(in crate::ledger) async fn head(&self) -> Result<Head, LedgerError> {
        let mut conn = connect(&self.path).await?;
        head(&mut conn, &self.path).await
    }

    /// The hash of one event.
    pub(in crate::ledger) async fn hash_at(&self, seq: u64) -> Result<Option<Hash>, LedgerError> {
        let mut conn = connect(&self.path).await?;
        hash_at(&mut conn, &self.path, seq).await
    }

    /// Begins to read after event `after`, up to where the ledger ends now.
    pub(in crate::ledger) async fn walk(&self, after: u64) -> Result<Walk, LedgerError> {
        let mut conn = connect(&self.path).await?;
        let end = head(&mut conn, &self.path).await?.seq;
        let before = match hash_at(&mut conn, &self.path, after).await? {
            Some(hash) => hash,
            None if after >= end => Hash::default(),
            None => return Err(LedgerError::damaged(&self.path, after, Damage::Missing)),
        };
        Ok(Walk {
            path: self.path.clone(),
            conn,
            at: Head {
                seq: after.min(end),
                hash: before,
            },
            end,
            events: EVENTS,
        })
    }

    /// Writes a consistent copy to `part`, which must not be there.
    pub(in crate::ledger) async fn copy_to(&self, part: &Path) -> Result<(), LedgerError> {
        let target = std::path::absolute(part)
            .map_err(|source| LedgerError::io("backing up to", part, source))?;
        let Some(target) = target.to_str() else {
            let source = std::io::Error::other("SQLite takes only names in UTF-8");
            return Err(LedgerError::io("backing up to", part, source));
        };
        let mut conn = connect(&self.path).await?;
        sqlx::query("VACUUM INTO ?1")
            .bind(target.to_owned())
            .execute(&mut conn)
            .await
            .map_err(|source| failed("backing up to", part, source))?;
        Ok(())
    }
}

/// A walk over a range of a ledger file. Each step is a statement of its own, so that a slow reader
/// never keeps SQLite from recycling its log.
#[derive(Debug)]
pub(in crate::ledger) struct Walk {
    path: PathBuf,
    conn: SqliteConnection,
    at: Head,
    end: u64,
    events: u64,
}

impl Walk {
    /// The event after which the next chunk begins.
    pub(in crate::ledger) fn at(&self) -> u64 {
        self.at.seq
    }

    /// The last event that will be read.
    pub(in crate::ledger) fn end(&self) -> u64 {
        self.end
    }

    /// The next events, unverified; `None` after the last.
    pub(in crate::ledger) async fn next(&mut self) -> Result<Option<Chunk>, LedgerError> {
        if self.at.seq >= self.end {
            return Ok(None);
        }
        let chunk = match self.read().await {
            Ok(Some(chunk)) => chunk,
            Ok(None) => return Err(self.locate(None).await),
            Err(error) => return Err(self.locate(Some(error)).await),
        };
        self.at = chunk.after();
        Ok(Some(chunk))
    }

    /// `None` when there are fewer events than there should be.
    async fn read(&mut self) -> Result<Option<Chunk>, sqlx::Error> {
        let range = self.fit().await?;
        let row = sqlx::query(PACKED)
            .bind(to_sql(range.start))
            .bind(to_sql(range.end))
            .fetch_one(&mut self.conn)
            .await?;
        let lengths: Option<String> = row.try_get(0)?;
        let chunk = Chunk::assemble(
            self.at,
            lengths
                .unwrap_or_default()
                .split(',')
                .map(|n| n.parse().ok()),
            row.try_get(1)?,
            row.try_get(2)?,
        );
        Ok(chunk.filter(|chunk| chunk.len() as u64 == range.end - range.start))
    }

    /// As many of the next events as one statement may read.
    async fn fit(&mut self) -> Result<Range<u64>, sqlx::Error> {
        loop {
            let end = self.end.min(self.at.seq.saturating_add(self.events));
            let size: Option<i64> = sqlx::query(SIZE)
                .bind(to_sql(self.at.seq))
                .bind(to_sql(end))
                .fetch_one(&mut self.conn)
                .await?
                .try_get(0)?;
            if self.events > 1 && size.unwrap_or_default() > BYTES {
                self.events /= 2;
                continue;
            }
            if size.unwrap_or_default() < BYTES / 2 {
                self.events = EVENTS.min(self.events * 2);
            }
            return Ok(self.at.seq..end);
        }
    }

    /// Goes event by event to find the first one that is not there or cannot be read.
    async fn locate(&mut self, error: Option<sqlx::Error>) -> LedgerError {
        let mut at = self.at;
        while at.seq < self.end {
            let row = sqlx::query("SELECT hash, bytes FROM event WHERE seq = ?1")
                .bind(to_sql(at.seq + 1))
                .fetch_optional(&mut self.conn)
                .await;
            let damage = match row {
                Ok(Some(row)) => match (row.try_get::<&[u8], _>(0), row.try_get::<&[u8], _>(1)) {
                    (Ok(hash), Ok(bytes)) => {
                        let next = at.follow(bytes);
                        if next.hash.0 == hash {
                            at = next;
                            continue;
                        }
                        Damage::Altered
                    }
                    (Err(why), _) | (_, Err(why)) => Damage::Unreadable(why.to_string()),
                },
                Ok(None) => Damage::Missing,
                Err(why) if class(&why) == Class::Corrupt => Damage::Unreadable(why.to_string()),
                Err(why) => return failed("reading", &self.path, why),
            };
            return LedgerError::damaged(&self.path, at.seq + 1, damage);
        }
        match error {
            // each event by itself is well, so the failure has passed, or lies in the index above
            Some(source) => failed("reading", &self.path, source),
            None => LedgerError::Interrupted { after: self.at.seq },
        }
    }
}

/// The last event and its hash, checked against the event before it.
pub(super) async fn head(conn: &mut SqliteConnection, path: &Path) -> Result<Head, LedgerError> {
    let reading = |source| match class(&source) {
        Class::Corrupt => LedgerError::damaged(path, 0, Damage::Unreadable(source.to_string())),
        _ => failed("reading", path, source),
    };
    let rows = sqlx::query("SELECT seq, hash, bytes FROM event ORDER BY seq DESC LIMIT 2")
        .fetch_all(conn)
        .await
        .map_err(reading)?;
    let mut found = Vec::with_capacity(2);
    for row in &rows {
        let seq = from_sql(row.try_get(0).map_err(reading)?);
        let hash = row.try_get::<&[u8], _>(1).map_err(reading)?;
        let hash =
            Hash::try_from(hash).map_err(|_| LedgerError::damaged(path, seq, Damage::Altered))?;
        found.push(Head { seq, hash });
    }
    let Some(&last) = found.first() else {
        return Ok(Head::default());
    };
    let before = found.get(1).copied().unwrap_or_default();
    if before.seq + 1 != last.seq {
        return Err(LedgerError::damaged(path, last.seq - 1, Damage::Missing));
    }
    let bytes = rows[0].try_get::<&[u8], _>(2).map_err(reading)?;
    if before.follow(bytes) != last {
        return Err(LedgerError::damaged(path, last.seq, Damage::Altered));
    }
    Ok(last)
}

async fn hash_at(
    conn: &mut SqliteConnection,
    path: &Path,
    seq: u64,
) -> Result<Option<Hash>, LedgerError> {
    if seq == 0 {
        return Ok(Some(Hash::default()));
    }
    let row = sqlx::query("SELECT hash FROM event WHERE seq = ?1")
        .bind(to_sql(seq))
        .fetch_optional(conn)
        .await
        .map_err(|source| failed("reading", path, source))?;
    row.map(|row| {
        row.try_get::<&[u8], _>(0)
            .map_err(|source| failed("reading", path, source))
            .and_then(|hash| {
                Hash::try_from(hash).map_err(|_| LedgerError::damaged(path, seq, Damage::Altered))
            })
    })
    .transpose()
}

/// Opens the file to read. Where SQLite's helper files cannot be made beside it (a read-only
/// medium, a full disk) and there is no log to read with it, the file is taken as it stands.
async fn connect(path: &Path) -> Result<SqliteConnection, LedgerError> {
    match path.try_exists() {
        Ok(true) => {}
        Ok(false) => {
            return Err(LedgerError::Missing {
                path: path.to_owned(),
            });
        }
        Err(source) => return Err(LedgerError::io("opening", path, source)),
    }
    match connect_as(path, false).await {
        Err(LedgerError::Sqlite { .. } | LedgerError::Full { .. }) if !has_log(path) => {
            connect_as(path, true).await
        }
        other => other,
    }
}

async fn connect_as(path: &Path, as_it_stands: bool) -> Result<SqliteConnection, LedgerError> {
    let mut conn = options(path)
        .map_err(|source| LedgerError::io("opening", path, source))?
        .read_only(true)
        .immutable(as_it_stands)
        .connect()
        .await
        .map_err(|source| failed("opening", path, source))?;
    match identify(&mut conn, path).await? {
        Identity::Ledger => Ok(conn),
        Identity::Blank => Err(LedgerError::NotALedger {
            path: path.to_owned(),
            why: "nothing is in it".to_owned(),
        }),
    }
}

fn has_log(path: &Path) -> bool {
    beside(path, "-wal")
        .metadata()
        .is_ok_and(|log| log.len() > 0)
}
