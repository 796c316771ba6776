//! Ledger files that were changed, copied, mistaken for one, or read beside an engine.

use std::path::{Path, PathBuf};

use holdpoint::ledger::{Damage, Ledger, LedgerError, Reader, Urgency};
use sqlx::Connection;
use tempfile::TempDir;

use super::{add, all, event, events, raw, read, tamper};

/// A closed ledger of `count` events.
async fn written(count: u64) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger.db");
    let mut ledger = Ledger::open(&path).await.unwrap();
    add(&mut ledger, events(0..count)).await;
    ledger.close().await.unwrap();
    (dir, path)
}

/// What an auditor is told of a ledger of 5,000 events after somebody did `sql` to it.
async fn found_after(sql: &'static str) -> (u64, Damage) {
    let (_dir, path) = written(5_000).await;
    tamper(&path, sql).await;
    let error = match Reader::open(&path).await {
        Ok(reader) => read(&reader, 0).await.expect_err(sql),
        Err(error) => error,
    };
    match error {
        LedgerError::Damaged { seq, damage, .. } => (seq, damage),
        other => panic!("after {sql}: {other}"),
    }
}

#[tokio::test]
async fn every_change_is_found_and_its_event_named() {
    use Damage::{Altered, Missing};
    for (sql, expected) in [
        (
            "UPDATE event SET bytes = CAST(replace(CAST(bytes AS TEXT), 'event', 'tneve') AS BLOB) WHERE seq = 4500",
            (4500, Altered),
        ),
        (
            "UPDATE event SET bytes = CAST(bytes || x'00' AS BLOB) WHERE seq = 1",
            (1, Altered),
        ),
        (
            "UPDATE event SET bytes = x'' WHERE seq = 5000",
            (5000, Altered),
        ),
        (
            "UPDATE event SET hash = zeroblob(32) WHERE seq = 4096",
            (4096, Altered),
        ),
        ("DELETE FROM event WHERE seq = 1", (1, Missing)),
        ("DELETE FROM event WHERE seq = 4097", (4097, Missing)),
        ("DELETE FROM event WHERE seq = 4999", (4999, Missing)),
        (
            "DELETE FROM event WHERE seq BETWEEN 3000 AND 4900",
            (3000, Missing),
        ),
        // two whole rows change places
        (
            "UPDATE event SET seq = 20000 WHERE seq = 700; \
             UPDATE event SET seq = 700 WHERE seq = 701; \
             UPDATE event SET seq = 701 WHERE seq = 20000",
            (700, Altered),
        ),
        // an event is replaced by the one after it, hash and all
        (
            "UPDATE event SET bytes = (SELECT bytes FROM event e WHERE e.seq = event.seq + 1), \
                              hash = (SELECT hash FROM event e WHERE e.seq = event.seq + 1) \
             WHERE seq = 2999",
            (2999, Altered),
        ),
        // an event is put in between that follows from nothing
        (
            "INSERT INTO event VALUES (5001, zeroblob(32), x'00')",
            (5001, Altered),
        ),
        (
            "INSERT INTO event VALUES (5003, zeroblob(32), x'00')",
            (5002, Missing),
        ),
    ] {
        assert_eq!(found_after(sql).await, expected, "{sql}");
    }
}

/// Changing an event together with its own hash moves the break to the next event.
#[tokio::test]
async fn a_forged_hash_does_not_help() {
    let (_dir, path) = written(300).await;
    let reader = Reader::open(&path).await.unwrap();
    let before = read(&reader, 0).await.unwrap()[98].clone();
    let forged = holdpoint::ledger::Head {
        seq: before.0,
        hash: before.1,
    }
    .follow(b"forged");
    let mut conn = raw(&path).await;
    sqlx::raw_sql("DROP TRIGGER event_stays")
        .execute(&mut conn)
        .await
        .unwrap();
    sqlx::query("UPDATE event SET bytes = ?1, hash = ?2 WHERE seq = 100")
        .bind(b"forged".to_vec())
        .bind(forged.hash.0.to_vec())
        .execute(&mut conn)
        .await
        .unwrap();
    conn.close().await.unwrap();
    let error = read(&reader, 0).await.unwrap_err();
    assert!(
        matches!(
            error,
            LedgerError::Damaged {
                seq: 101,
                damage: Damage::Altered,
                ..
            }
        ),
        "{error}"
    );
}

#[tokio::test]
async fn a_page_of_garbage_is_found() {
    let (_dir, path) = written(10_000).await;
    let mut bytes = std::fs::read(&path).unwrap();
    let page = bytes.len() / 4096 / 2 * 4096;
    bytes[page..page + 4096].fill(0xee);
    std::fs::write(&path, bytes).unwrap();
    let reader = Reader::open(&path).await.unwrap();
    let error = read(&reader, 0).await.unwrap_err();
    let LedgerError::Damaged { seq, .. } = &error else {
        panic!("{error}")
    };
    assert!((2..10_000).contains(seq), "{error}");
}

#[tokio::test]
async fn other_programs_cannot_change_events_by_accident() {
    let (_dir, path) = written(3).await;
    let mut conn = raw(&path).await;
    for sql in ["UPDATE event SET bytes = x'00'", "DELETE FROM event"] {
        let error = sqlx::raw_sql(sql).execute(&mut conn).await.unwrap_err();
        assert!(error.to_string().contains("events are never"), "{error}");
    }
}

#[tokio::test]
async fn an_engine_does_not_go_on_after_a_damaged_end() {
    let (_dir, path) = written(20).await;
    tamper(&path, "UPDATE event SET bytes = x'00' WHERE seq = 20").await;
    let error = Ledger::open(&path).await.unwrap_err();
    assert!(
        matches!(error, LedgerError::Damaged { seq: 20, .. }),
        "{error}"
    );
}

#[tokio::test]
async fn a_row_written_past_the_lock_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger.db");
    let mut ledger = Ledger::open(&path).await.unwrap();
    let head = add(&mut ledger, events(0..2)).await;
    let foreign = head.follow(b"foreign");
    let mut conn = raw(&path).await;
    sqlx::query("INSERT INTO event VALUES (3, ?1, ?2)")
        .bind(foreign.hash.0.to_vec())
        .bind(b"foreign".to_vec())
        .execute(&mut conn)
        .await
        .unwrap();
    let error = ledger
        .append(2, events(2..4), Urgency::Normal)
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            LedgerError::Conflict {
                expected: 2,
                found: 3
            }
        ),
        "{error}"
    );
    ledger
        .append(3, events(2..4), Urgency::Normal)
        .await
        .unwrap();
    let found = all(&ledger.reader()).await;
    assert_eq!(found[2], b"foreign");
    assert_eq!(found[3..], events(2..4));
}

/// Another program keeps the file locked for longer than anybody waits.
#[tokio::test]
async fn a_file_locked_by_another_program_leaves_the_ledger_usable() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger.db");
    let mut ledger = Ledger::open(&path).await.unwrap();
    add(&mut ledger, events(0..2)).await;
    let mut conn = raw(&path).await;
    sqlx::raw_sql("BEGIN IMMEDIATE")
        .execute(&mut conn)
        .await
        .unwrap();
    let error = ledger
        .append(2, events(2..3), Urgency::Stopping)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("locked"), "{error}");
    assert_eq!(ledger.ballast(), holdpoint::ledger::Ballast::Ready);
    assert_eq!(all(&ledger.reader()).await, events(0..2));
    sqlx::raw_sql("ROLLBACK").execute(&mut conn).await.unwrap();
    add(&mut ledger, events(2..3)).await;
    assert_eq!(all(&ledger.reader()).await, events(0..3));
}

#[tokio::test]
async fn an_append_that_nobody_waits_for_is_settled_by_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger.db");
    let mut ledger = Ledger::open(&path).await.unwrap();
    let mut stored = 0;
    for round in 0..20 {
        let expected = ledger.head().seq;
        let mut append = Box::pin(ledger.append(expected, events(0..50), Urgency::Normal));
        // polled a few times and dropped
        for _ in 0..round % 4 {
            let waker = std::task::Waker::noop();
            let mut context = std::task::Context::from_waker(waker);
            if append.as_mut().poll(&mut context).is_ready() {
                break;
            }
        }
        drop(append);
        match ledger.append(expected, events(0..1), Urgency::Normal).await {
            Ok(_) => {}
            Err(LedgerError::Conflict { found, .. }) => {
                assert_eq!(found, expected + 50);
                stored += 1;
            }
            Err(other) => panic!("{other}"),
        }
    }
    assert!(
        stored > 0,
        "no dropped append was stored: nothing was tried"
    );
    let head = ledger.head();
    assert_eq!(
        read(&ledger.reader(), 0).await.unwrap().len() as u64,
        head.seq
    );
}

async fn refused(path: &Path) -> LedgerError {
    let before = std::fs::read(path).ok();
    let reading = Reader::open(path).await.unwrap_err();
    let writing = Ledger::open(path).await.unwrap_err();
    assert_eq!(reading.to_string(), writing.to_string());
    assert_eq!(
        std::fs::read(path).ok(),
        before,
        "a foreign file was changed"
    );
    writing
}

#[tokio::test]
async fn foreign_files_are_refused_and_left_as_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let text = dir.path().join("notes.txt");
    std::fs::write(&text, "not a database, only text ".repeat(100)).unwrap();
    let error = refused(&text).await;
    assert!(matches!(error, LedgerError::NotALedger { .. }), "{error}");

    let other = dir.path().join("other.db");
    std::fs::File::create(&other).unwrap();
    let mut conn = raw(&other).await;
    sqlx::raw_sql("CREATE TABLE event (seq INTEGER PRIMARY KEY)")
        .execute(&mut conn)
        .await
        .unwrap();
    conn.close().await.unwrap();
    let error = refused(&other).await;
    assert!(
        error.to_string().contains("some other program's"),
        "{error}"
    );

    let mut conn = raw(&other).await;
    sqlx::raw_sql("PRAGMA application_id = 7")
        .execute(&mut conn)
        .await
        .unwrap();
    conn.close().await.unwrap();
    let error = refused(&other).await;
    assert!(error.to_string().contains("0x00000007"), "{error}");
}

#[tokio::test]
async fn a_newer_layout_is_refused_and_left_as_it_is() {
    let (_dir, path) = written(3).await;
    let mut conn = raw(&path).await;
    sqlx::raw_sql("PRAGMA user_version = 2; PRAGMA journal_mode = DELETE")
        .execute(&mut conn)
        .await
        .unwrap();
    conn.close().await.unwrap();
    let error = refused(&path).await;
    assert!(
        matches!(
            error,
            LedgerError::Newer {
                found: 2,
                known: 1,
                ..
            }
        ),
        "{error}"
    );
    let said = error.to_string();
    assert!(said.contains(path.to_str().unwrap()), "{said}");
}

#[tokio::test]
async fn there_is_nothing_to_read_where_there_is_no_ledger() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger.db");
    let error = Reader::open(&path).await.unwrap_err();
    assert!(matches!(error, LedgerError::Missing { .. }), "{error}");
    let left: Vec<_> = std::fs::read_dir(dir.path()).unwrap().collect();
    assert!(left.is_empty(), "reading created {left:?}");
    let error = Ledger::open(&dir.path().join("no/such/dir/ledger.db"))
        .await
        .unwrap_err();
    assert!(matches!(error, LedgerError::Io { .. }), "{error}");
}

#[tokio::test]
async fn names_that_mean_something_to_sqlite_are_only_names() {
    let dir = tempfile::tempdir().unwrap();
    for name in [":memory:", "file:x?mode=memory", "a b'%41.db"] {
        let path = dir.path().join(name);
        let mut ledger = Ledger::open(&path).await.unwrap();
        add(&mut ledger, events(0..2)).await;
        ledger
            .reader()
            .backup(&path.with_extension("copy"))
            .await
            .unwrap();
        ledger.close().await.unwrap();
        assert!(path.is_file(), "{name}");
        assert_eq!(all(&Reader::open(&path).await.unwrap()).await, events(0..2));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_made_while_writing_restores_identical() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger.db");
    let copy = dir.path().join("copy.db");
    let mut ledger = Ledger::open(&path).await.unwrap();
    add(&mut ledger, events(0..30_000)).await;
    let reader = ledger.reader();
    let target = copy.clone();
    let mut backup = tokio::spawn(async move { reader.backup(&target).await });
    let mut n = 30_000;
    let backup = loop {
        add(&mut ledger, vec![event(n)]).await;
        n += 1;
        if backup.is_finished() {
            break (&mut backup).await.unwrap().unwrap();
        }
    };
    assert!((30_000..=n).contains(&backup.head.seq), "{backup:?}");
    assert_eq!(backup.bytes, copy.metadata().unwrap().len());

    let original = read(&ledger.reader(), 0).await.unwrap();
    let restored = read(&Reader::open(&copy).await.unwrap(), 0).await.unwrap();
    assert!(restored == original[..backup.head.seq as usize]);
    // restoring is putting the file in place: it is a ledger that goes on
    let mut ledger = Ledger::open(&copy).await.unwrap();
    assert_eq!(ledger.head(), backup.head);
    add(&mut ledger, events(0..3)).await;
    ledger.close().await.unwrap();
}

#[tokio::test]
async fn a_backup_never_overwrites_and_leaves_nothing_behind() {
    let (dir, path) = written(100).await;
    let reader = Reader::open(&path).await.unwrap();
    let target = dir.path().join("precious");
    std::fs::write(&target, "precious").unwrap();
    let error = reader.backup(&target).await.unwrap_err();
    assert!(matches!(error, LedgerError::Exists { .. }), "{error}");
    assert_eq!(std::fs::read(&target).unwrap(), b"precious");
    let error = reader.backup(&path).await.unwrap_err();
    assert!(matches!(error, LedgerError::Exists { .. }), "{error}");
    let link = dir.path().join("dangling");
    std::os::unix::fs::symlink("nowhere", &link).unwrap();
    let error = reader.backup(&link).await.unwrap_err();
    assert!(matches!(error, LedgerError::Exists { .. }), "{error}");
    let error = reader
        .backup(&dir.path().join("no/such/dir/copy.db"))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("no/such/dir"), "{error}");

    // a copy of a damaged ledger is no backup
    tamper(&path, "UPDATE event SET bytes = x'00' WHERE seq = 50").await;
    let error = reader
        .backup(&dir.path().join("copy.db"))
        .await
        .unwrap_err();
    assert!(
        matches!(error, LedgerError::Damaged { seq: 50, .. }),
        "{error}"
    );
    let names: Vec<String> = std::fs::read_dir(dir.path())
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains("copy") || name.contains("part"))
        .collect();
    assert!(names.is_empty(), "left behind: {names:?}");
}

#[tokio::test]
async fn a_damaged_snapshot_is_none() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger.db");
    let mut ledger = Ledger::open(&path).await.unwrap();
    let head = add(&mut ledger, events(0..2)).await;
    ledger.put_snapshot(head, b"state".to_vec()).await.unwrap();
    let file = dir.path().join("ledger.db.snapshot");
    let mut bytes = std::fs::read(&file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&file, bytes).unwrap();
    assert_eq!(ledger.reader().snapshot().await.unwrap(), None);
    ledger.put_snapshot(head, b"state".to_vec()).await.unwrap();
    assert!(ledger.reader().snapshot().await.unwrap().is_some());
}
