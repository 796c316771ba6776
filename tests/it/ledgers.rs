//! The ledger as the engine and an auditor meet it: one contract over every kind of store, then
//! what only a file can suffer.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod contract;
mod faults;
mod files;
mod full_disk;
mod measurements;

use std::path::Path;

use holdpoint::ledger::{Hash, Head, Ledger, LedgerError, Reader, Urgency};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, SqliteConnection};

/// An event as a test keeps it.
type Kept = (u64, Hash, Vec<u8>);

/// Everything from `from` on, verified, or why not.
async fn read(reader: &Reader, from: u64) -> Result<Vec<Kept>, LedgerError> {
    let mut entries = reader.read(from).await?;
    let mut kept = Vec::new();
    while let Some(chunk) = entries.next().await? {
        kept.extend(chunk.iter().map(|e| (e.seq, e.hash, e.bytes.to_vec())));
    }
    Ok(kept)
}

/// The bytes of everything.
async fn all(reader: &Reader) -> Vec<Vec<u8>> {
    let kept = read(reader, 0).await.unwrap();
    assert!(
        kept.iter().map(|event| event.0).eq(1..=kept.len() as u64),
        "the numbers have a gap"
    );
    kept.into_iter().map(|event| event.2).collect()
}

/// Appends where the ledger ends.
async fn add(ledger: &mut Ledger, batch: Vec<Vec<u8>>) -> Head {
    let expected = ledger.head().seq;
    ledger
        .append(expected, batch, Urgency::Normal)
        .await
        .unwrap()
}

/// Events that differ, of some 250 bytes.
fn events(range: std::ops::Range<u64>) -> Vec<Vec<u8>> {
    range.map(event).collect()
}

fn event(n: u64) -> Vec<u8> {
    let length = 230 + n as usize % 40;
    format!("event {n} ")
        .into_bytes()
        .into_iter()
        .chain((0..=255).cycle())
        .take(length)
        .collect()
}

/// Opens a ledger file as any other program would.
async fn raw(path: &Path) -> SqliteConnection {
    SqliteConnectOptions::new()
        .filename(path)
        .connect()
        .await
        .unwrap()
}

/// Does to a ledger file what nobody should.
async fn tamper(path: &Path, sql: &'static str) {
    let mut conn = raw(path).await;
    sqlx::raw_sql("DROP TRIGGER event_stays; DROP TRIGGER event_remains;")
        .execute(&mut conn)
        .await
        .unwrap();
    sqlx::raw_sql(sql).execute(&mut conn).await.unwrap();
    conn.close().await.unwrap();
}
