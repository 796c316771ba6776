//! Measurements: replica counts, samples, what charts are drawn from.
//!
//! They are no record. They lie in a file of their own, without a flush per write, and only so many
//! of them; losing them costs a chart its past and nothing else. A file that is damaged is moved
//! aside and begun anew, because no measurement is worth a stopped engine.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, Row, SqliteConnection};

use super::error::{Class, class};
use super::holder::beside;

/// Marks the file as ours: the letters `hptm`.
const APPLICATION: i64 = 0x6870_746d;

// Who opens a new file at the same time finds it made.
const CREATE: &str = "
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS sample (
    id      INTEGER PRIMARY KEY,
    release INTEGER NOT NULL,
    at      INTEGER NOT NULL,
    bytes   BLOB NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS sample_by_release ON sample (release);
PRAGMA application_id = 0x6870746d;
COMMIT;
";

/// Of each release what has to be known to go on measuring: only the newest.
const CREATE_LATEST: &str = "
CREATE TABLE IF NOT EXISTS latest (
    release INTEGER PRIMARY KEY,
    bytes   BLOB NOT NULL
) STRICT;
";

const PUT_LATEST: &str = "
INSERT INTO latest (release, bytes) VALUES (?1, ?2)
ON CONFLICT (release) DO UPDATE SET bytes = excluded.bytes
";

const LOAD_LATEST: &str = "SELECT bytes FROM latest WHERE release = ?1";

/// `?1` is a JSON array of releases.
const KEEP_LATEST: &str = "
DELETE FROM latest WHERE release NOT IN (SELECT value FROM json_each(?1))
";

/// `?2` is a JSON array with `[release, at, offset, length]` for each sample; `?1` holds their
/// bytes.
const PUT: &str = "
INSERT INTO sample (release, at, bytes)
SELECT value ->> 0, value ->> 1, ifnull(substr(?1, (value ->> 2) + 1, value ->> 3), x'')
FROM json_each(?2) ORDER BY key
";

const LOAD: &str = "
SELECT at, bytes FROM
    (SELECT id, at, bytes FROM sample WHERE release = ?1 ORDER BY id DESC LIMIT ?2)
ORDER BY id
";

const PRUNE: &str = "
DELETE FROM sample WHERE id IN (SELECT id FROM sample WHERE release = ?1 ORDER BY id LIMIT ?2)
";

const PRUNE_ALL: &str = "
DELETE FROM sample WHERE id IN (SELECT id FROM sample ORDER BY id LIMIT ?1) RETURNING release
";

/// How many damaged files are kept; after that the last one is replaced.
const KEPT_ASIDE: u32 = 9;

/// How many samples are kept. The oldest go first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Of one release.
    pub per_release: u64,
    /// Of all of them.
    pub overall: u64,
}

impl Default for Limits {
    /// Two hours of one release at one sample a second; some two hundred megabytes of samples of
    /// 200 bytes.
    fn default() -> Limits {
        Limits {
            per_release: 7_200,
            overall: 1_000_000,
        }
    }
}

/// One measurement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The release that it belongs to.
    pub release: u64,
    /// When it was taken, in milliseconds since 1970.
    pub at_ms: i64,
    /// What was measured.
    pub bytes: Vec<u8>,
}

/// A damaged file was moved out of the way. The engine goes on with an empty one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MovedAside {
    /// Where it is now.
    pub to: PathBuf,
    /// What was wrong with it.
    pub why: String,
}

impl fmt::Display for MovedAside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the measurements could not be read ({}); they were moved to {} and begin anew",
            self.why,
            self.to.display()
        )
    }
}

/// Why measurements could not be kept or read. Nothing depends on them.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// SQLite said no.
    #[error("{doing} the measurements in {} failed: {source}", path.display())]
    Sqlite {
        /// The step, such as `writing`.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        source: sqlx::Error,
    },
    /// The operating system said no.
    #[error("{doing} the measurements in {} failed: {source}", path.display())]
    Io {
        /// The step, such as `opening`.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Where the fault lies.
enum Trouble {
    /// The file is damaged, or none of ours.
    File(String),
    /// Anything else; trying again may help, another file would not.
    Other(sqlx::Error),
}

impl From<sqlx::Error> for Trouble {
    fn from(error: sqlx::Error) -> Trouble {
        match class(&error) {
            Class::Corrupt => Trouble::File(error.to_string()),
            _ => Trouble::Other(error),
        }
    }
}

/// The measurements of one room.
#[derive(Debug)]
pub struct Telemetry {
    path: PathBuf,
    limits: Limits,
    /// `None` only while the file could not be opened again.
    open: Option<Open>,
    moved: Vec<MovedAside>,
}

#[derive(Debug)]
struct Open {
    conn: SqliteConnection,
    /// How many samples of each release are in the file.
    counts: BTreeMap<u64, u64>,
}

impl Telemetry {
    /// Opens the file at `path`, or begins one. What is no file of measurements is moved aside.
    ///
    /// # Errors
    /// When no file can be opened or made there.
    pub async fn open(path: &Path, limits: Limits) -> Result<Telemetry, TelemetryError> {
        let mut telemetry = Telemetry {
            path: path.to_owned(),
            limits,
            open: None,
            moved: Vec::new(),
        };
        if let Err(trouble) = telemetry.ready().await {
            telemetry.heal("opening", trouble).await?;
        }
        Ok(telemetry)
    }

    /// Keeps `samples`, which are in the order of time, and drops what is over the limits.
    ///
    /// # Errors
    /// When they could not be kept; a damaged file is moved aside first and tried anew.
    pub async fn put(&mut self, samples: &[Sample]) -> Result<(), TelemetryError> {
        self.put_with(samples, &[]).await
    }

    /// The same, and in one piece with it what has to be known of releases to go on from there.
    ///
    /// # Errors
    /// As [`Telemetry::put`].
    pub async fn put_with(
        &mut self,
        samples: &[Sample],
        latest: &[(u64, Vec<u8>)],
    ) -> Result<(), TelemetryError> {
        if samples.is_empty() && latest.is_empty() {
            return Ok(());
        }
        match self.store(samples, latest).await {
            Ok(()) => Ok(()),
            Err(trouble) => {
                self.heal("writing", trouble).await?;
                let again = self.store(samples, latest).await;
                again.map_err(|trouble| self.failed("writing", trouble))
            }
        }
    }

    /// The newest `limit` samples of `release`, oldest first: when, in milliseconds since 1970, and
    /// what.
    ///
    /// # Errors
    /// When they cannot be read. From a damaged file, which is moved aside, there are none.
    pub async fn load(
        &mut self,
        release: u64,
        limit: u64,
    ) -> Result<Vec<(i64, Vec<u8>)>, TelemetryError> {
        match self.fetch(release, limit).await {
            Ok(samples) => Ok(samples),
            Err(trouble) => {
                self.heal("reading", trouble).await?;
                Ok(Vec::new())
            }
        }
    }

    /// What has to be known of a release to go on measuring, as it was put last.
    ///
    /// # Errors
    /// As [`Telemetry::load`].
    pub async fn latest(&mut self, release: u64) -> Result<Option<Vec<u8>>, TelemetryError> {
        match self.fetch_latest(release).await {
            Ok(bytes) => Ok(bytes),
            Err(trouble) => {
                self.heal("reading", trouble).await?;
                Ok(None)
            }
        }
    }

    /// Drops what is known of all releases but these.
    ///
    /// # Errors
    /// When it cannot be dropped.
    pub async fn keep_latest(&mut self, releases: &[u64]) -> Result<(), TelemetryError> {
        match self.drop_latest(releases).await {
            Ok(()) => Ok(()),
            Err(trouble) => self.heal("writing", trouble).await,
        }
    }

    /// Closes the file; dropping does the same, later.
    pub async fn close(self) {
        if let Some(open) = self.open
            && let Err(error) = open.conn.close().await
        {
            tracing::debug!(%error, "closing the measurements");
        }
    }

    /// The files that were moved aside since this was last asked, for whoever tells people.
    pub fn take_moved_aside(&mut self) -> Vec<MovedAside> {
        std::mem::take(&mut self.moved)
    }

    async fn fetch_latest(&mut self, release: u64) -> Result<Option<Vec<u8>>, Trouble> {
        let open = self.ready().await?;
        let row = sqlx::query(LOAD_LATEST)
            .bind(to_sql(release))
            .fetch_optional(&mut open.conn)
            .await?;
        row.map(|row| row.try_get(0))
            .transpose()
            .map_err(Trouble::from)
    }

    async fn drop_latest(&mut self, releases: &[u64]) -> Result<(), Trouble> {
        let open = self.ready().await?;
        let releases: Vec<i64> = releases.iter().map(|release| to_sql(*release)).collect();
        let releases = serde_json::to_string(&releases).unwrap_or_default();
        sqlx::query(KEEP_LATEST)
            .bind(releases)
            .execute(&mut open.conn)
            .await?;
        Ok(())
    }

    async fn store(
        &mut self,
        samples: &[Sample],
        latest: &[(u64, Vec<u8>)],
    ) -> Result<(), Trouble> {
        // taken out meanwhile: should this fail or be dropped, the counts are read from the file
        // again
        let mut open = match self.open.take() {
            Some(open) => open,
            None => Open::at(&self.path).await?,
        };
        open.store(samples, latest, self.limits).await?;
        self.open = Some(open);
        Ok(())
    }

    async fn fetch(&mut self, release: u64, limit: u64) -> Result<Vec<(i64, Vec<u8>)>, Trouble> {
        let open = self.ready().await?;
        sqlx::query(LOAD)
            .bind(to_sql(release))
            .bind(to_sql(limit))
            .fetch_all(&mut open.conn)
            .await?
            .iter()
            .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
            .collect::<Result<_, sqlx::Error>>()
            .map_err(Trouble::from)
    }

    async fn ready(&mut self) -> Result<&mut Open, Trouble> {
        let open = match self.open.take() {
            Some(open) => open,
            None => Open::at(&self.path).await?,
        };
        Ok(self.open.insert(open))
    }

    /// After a failure: when the file is at fault, begins a new one; else hands the failure on.
    async fn heal(&mut self, doing: &'static str, trouble: Trouble) -> Result<(), TelemetryError> {
        let why = match trouble {
            Trouble::File(why) => why,
            other => return Err(self.failed(doing, other)),
        };
        if let Some(open) = self.open.take()
            && let Err(error) = open.conn.close().await
        {
            tracing::debug!(%error, "closing damaged measurements");
        }
        let to = move_aside(&self.path).map_err(|source| TelemetryError::Io {
            doing: "moving aside",
            path: self.path.clone(),
            source,
        })?;
        let moved = MovedAside { to, why };
        tracing::warn!("{moved}");
        self.moved.push(moved);
        match self.ready().await {
            Ok(_) => Ok(()),
            Err(trouble) => Err(self.failed("opening", trouble)),
        }
    }

    fn failed(&self, doing: &'static str, trouble: Trouble) -> TelemetryError {
        TelemetryError::Sqlite {
            doing,
            path: self.path.clone(),
            source: match trouble {
                Trouble::Other(source) => source,
                Trouble::File(why) => sqlx::Error::Protocol(why),
            },
        }
    }
}

impl Open {
    async fn at(path: &Path) -> Result<Open, Trouble> {
        let mut conn = SqliteConnectOptions::new()
            .filename(std::path::absolute(path).map_err(sqlx::Error::from)?)
            .create_if_missing(true)
            .busy_timeout(Duration::from_secs(5))
            .pragma("journal_size_limit", "4194304")
            .disable_statement_logging()
            .connect()
            .await?;
        let found = sqlx::query(
            "SELECT (SELECT application_id FROM pragma_application_id), \
             (SELECT count(*) FROM sqlite_schema)",
        )
        .fetch_one(&mut conn)
        .await?;
        let blank = match (found.try_get::<i64, _>(0)?, found.try_get::<i64, _>(1)?) {
            (APPLICATION, _) => false,
            (0, 0) => true,
            _ => return Err(Trouble::File("it is some other program's file".to_owned())),
        };
        // no flush for each write: kill -9 loses nothing, a power cut the last seconds
        sqlx::raw_sql("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL")
            .execute(&mut conn)
            .await?;
        if blank {
            sqlx::raw_sql(CREATE).execute(&mut conn).await?;
        }
        // files of before there was a judge have none
        sqlx::raw_sql(CREATE_LATEST).execute(&mut conn).await?;
        let counts = sqlx::query("SELECT release, count(*) FROM sample GROUP BY release")
            .fetch_all(&mut conn)
            .await
            .map_err(|error| match class(&error) {
                // no such table, no such column
                Class::Refused => Trouble::File(error.to_string()),
                _ => Trouble::from(error),
            })?
            .iter()
            .map(|row| Ok((from_sql(row.try_get(0)?), from_sql(row.try_get(1)?))))
            .collect::<Result<_, sqlx::Error>>()?;
        Ok(Open { conn, counts })
    }

    async fn store(
        &mut self,
        samples: &[Sample],
        latest: &[(u64, Vec<u8>)],
        limits: Limits,
    ) -> Result<(), sqlx::Error> {
        let mut bytes = Vec::with_capacity(samples.iter().map(|s| s.bytes.len()).sum());
        let mut spans = Vec::with_capacity(samples.len());
        for sample in samples {
            let (at, length) = (sample.at_ms, sample.bytes.len());
            spans.push((to_sql(sample.release), at, bytes.len(), length));
            bytes.extend_from_slice(&sample.bytes);
        }
        let spans = serde_json::to_string(&spans).map_err(|e| sqlx::Error::Encode(e.into()))?;
        let mut transaction = self.conn.begin().await?;
        sqlx::query(PUT)
            .bind(bytes)
            .bind(spans)
            .execute(&mut *transaction)
            .await?;
        for sample in samples {
            *self.counts.entry(sample.release).or_default() += 1;
        }
        for sample in samples {
            let count = self.counts.entry(sample.release).or_default();
            let over = count.saturating_sub(limits.per_release);
            if over > 0 {
                sqlx::query(PRUNE)
                    .bind(to_sql(sample.release))
                    .bind(to_sql(over))
                    .execute(&mut *transaction)
                    .await?;
                *count -= over;
            }
        }
        for (release, bytes) in latest {
            sqlx::query(PUT_LATEST)
                .bind(to_sql(*release))
                .bind(bytes.as_slice())
                .execute(&mut *transaction)
                .await?;
        }
        let over = self
            .counts
            .values()
            .sum::<u64>()
            .saturating_sub(limits.overall);
        if over > 0 {
            let gone = sqlx::query(PRUNE_ALL)
                .bind(to_sql(over))
                .fetch_all(&mut *transaction)
                .await?;
            for row in gone {
                let release = from_sql(row.try_get(0)?);
                if let Some(count) = self.counts.get_mut(&release) {
                    *count = count.saturating_sub(1);
                }
            }
            self.counts.retain(|_, count| *count > 0);
        }
        transaction.commit().await
    }
}

/// Renames the file, and what SQLite keeps beside it, to the first free name.
fn move_aside(path: &Path) -> io::Result<PathBuf> {
    let name = |n: u32| beside(path, &format!(".bad-{n}"));
    let to = (1..KEPT_ASIDE)
        .map(name)
        .find(|name| !name.exists())
        .unwrap_or_else(|| name(KEPT_ASIDE));
    for ending in ["", "-wal", "-shm"] {
        match std::fs::rename(beside(path, ending), beside(&to, ending)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(to)
}

/// SQLite's integers are signed; no release number and no limit comes near the end of them.
fn to_sql(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

fn from_sql(n: i64) -> u64 {
    u64::try_from(n).unwrap_or_default()
}
