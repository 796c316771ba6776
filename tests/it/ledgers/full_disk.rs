//! A disk that is really full: a small tmpfs of its own for each test.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use holdpoint::ledger::{Ballast, Ledger, LedgerError, Reader, Urgency};
use tempfile::TempDir;

use super::{add, all, event, events};

/// A tmpfs, gone with the value.
struct Disk(TempDir);

impl Disk {
    /// `None` when the environment says that no tmpfs can be had here.
    fn mount(mebibytes: u32) -> Option<Disk> {
        let skip = std::env::var("HOLDPOINT_SKIP").unwrap_or_default();
        if skip.split([',', ' ']).any(|name| name == "tmpfs") {
            println!("left out: HOLDPOINT_SKIP names tmpfs, so that no full disk was tried");
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        let done = mount(
            &["-t", "tmpfs", "-o", &format!("size={mebibytes}m"), "tmpfs"],
            dir.path(),
        );
        assert!(
            done.is_ok(),
            "a tmpfs could not be mounted ({}). This test needs root; where there is none, \
             leave it out with HOLDPOINT_SKIP=tmpfs",
            done.unwrap_err()
        );
        Some(Disk(dir))
    }

    fn ledger(&self) -> PathBuf {
        self.0.path().join("ledger.db")
    }

    /// Takes every byte that is left.
    fn fill(&self) {
        let mut file = File::create(self.0.path().join("filler")).unwrap();
        for block in [1 << 16, 4096, 1] {
            loop {
                match file.write(&vec![1; block]) {
                    Ok(_) => {}
                    Err(error) if error.kind() == ErrorKind::StorageFull => break,
                    Err(error) => panic!("{error}"),
                }
            }
        }
    }

    fn free(&self) {
        std::fs::remove_file(self.0.path().join("filler")).unwrap();
    }

    fn has_ballast(&self) -> bool {
        self.0.path().join("ledger.db.ballast").exists()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // lazily, because SQLite's thread may still be closing
        Command::new("umount")
            .arg("-l")
            .arg(self.0.path())
            .status()
            .ok();
    }
}

fn mount(arguments: &[&str], at: &Path) -> Result<(), String> {
    let done = Command::new("mount")
        .args(arguments)
        .arg(at)
        .output()
        .map_err(|error| error.to_string())?;
    match done.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&done.stderr).trim().to_owned()),
    }
}

/// Appends what stops nothing until the disk is full. How many events there are then.
async fn append_until_full(ledger: &mut Ledger) -> u64 {
    loop {
        let at = ledger.head().seq;
        match ledger.append(at, events(at..at + 7), Urgency::Normal).await {
            Ok(head) => assert_eq!(head.seq, at + 7),
            Err(error) => {
                assert!(matches!(error, LedgerError::Full { .. }), "{error}");
                assert_eq!(ledger.head().seq, at);
                return at;
            }
        }
    }
}

async fn append(ledger: &mut Ledger, urgency: Urgency) -> Result<(), LedgerError> {
    let at = ledger.head().seq;
    ledger
        .append(at, events(at..at + 1), urgency)
        .await
        .map(drop)
}

#[tokio::test]
async fn stopping_works_on_a_full_disk_and_nothing_is_half_written() {
    let Some(disk) = Disk::mount(10) else { return };
    let mut ledger = Ledger::open(&disk.ledger()).await.unwrap();
    assert_eq!(ledger.ballast(), Ballast::Ready);
    let mut at = append_until_full(&mut ledger).await;
    disk.fill();
    for _ in 0..3 {
        let error = append(&mut ledger, Urgency::Normal).await.unwrap_err();
        assert!(matches!(error, LedgerError::Full { .. }), "{error}");
    }
    assert!(disk.has_ballast(), "it was given up for what stops nothing");
    assert_eq!(ledger.ballast(), Ballast::Ready);
    assert_eq!(all(&ledger.reader()).await, events(0..at));
    let error = ledger.put_snapshot(ledger.head(), vec![1; 1 << 20]).await;
    assert!(matches!(error, Err(LedgerError::Full { .. })), "{error:?}");

    // pausing works, again and again, and what stops nothing waits however often it tries
    for _ in 0..50 {
        append(&mut ledger, Urgency::Stopping).await.unwrap();
        at += 1;
        let error = append(&mut ledger, Urgency::Normal).await.unwrap_err();
        assert!(matches!(error, LedgerError::Full { .. }), "{error}");
    }
    assert_eq!(ledger.ballast(), Ballast::Spent);
    assert_eq!(ledger.head().seq, at);
    assert_eq!(all(&ledger.reader()).await, events(0..at));
    assert_eq!(ledger.restore_ballast(), Ballast::Spent);

    // an engine that is started again meanwhile can stop things too
    ledger.close().await.unwrap();
    let mut ledger = Ledger::open(&disk.ledger()).await.unwrap();
    for _ in 0..50 {
        append(&mut ledger, Urgency::Stopping).await.unwrap();
        at += 1;
    }
    assert_eq!(all(&ledger.reader()).await, events(0..at));

    disk.free();
    append(&mut ledger, Urgency::Normal).await.unwrap();
    assert_eq!(ledger.ballast(), Ballast::Ready, "it comes back by itself");
    at = append_until_full(&mut ledger).await;
    assert_eq!(all(&ledger.reader()).await, events(0..at));
    ledger.close().await.unwrap();
    let ledger = Ledger::open(&disk.ledger()).await.unwrap();
    assert_eq!(all(&ledger.reader()).await, events(0..at));
}

#[tokio::test]
async fn the_ballast_lasts_for_hundreds_of_stops() {
    let Some(disk) = Disk::mount(10) else { return };
    let mut ledger = Ledger::open(&disk.ledger()).await.unwrap();
    let at = append_until_full(&mut ledger).await;
    disk.fill();
    let error = loop {
        if let Err(error) = append(&mut ledger, Urgency::Stopping).await {
            break error;
        }
    };
    assert!(matches!(error, LedgerError::Full { .. }), "{error}");
    let end = ledger.head().seq;
    assert!(end - at >= 200, "it lasted for {} only", end - at);
    // with not one byte left, all of it can be read: beside the engine, and after it
    assert_eq!(all(&ledger.reader()).await, events(0..end));
    ledger.close().await.unwrap();
    let reader = Reader::open(&disk.ledger()).await.unwrap();
    assert_eq!(all(&reader).await, events(0..end));
}

#[tokio::test]
async fn a_batch_larger_than_the_space_left_leaves_no_trace() {
    let Some(disk) = Disk::mount(10) else { return };
    let mut ledger = Ledger::open(&disk.ledger()).await.unwrap();
    let head = add(&mut ledger, events(0..10)).await;
    for urgency in [Urgency::Normal, Urgency::Stopping, Urgency::Normal] {
        let error = ledger
            .append(10, vec![vec![5; 1 << 20]; 16], urgency)
            .await
            .unwrap_err();
        assert!(matches!(error, LedgerError::Full { .. }), "{error}");
        assert_eq!(ledger.head(), head);
        assert_eq!(all(&ledger.reader()).await, events(0..10));
    }
    append(&mut ledger, Urgency::Stopping).await.unwrap();
    assert_eq!(all(&ledger.reader()).await, events(0..11));
}

#[tokio::test]
async fn an_engine_starts_on_a_full_disk_and_can_stop_things() {
    let Some(disk) = Disk::mount(10) else { return };
    let mut ledger = Ledger::open(&disk.ledger()).await.unwrap();
    add(&mut ledger, events(0..2000)).await;
    ledger.close().await.unwrap();
    disk.fill();
    // without an engine it can be read though SQLite cannot make its helper files
    assert_eq!(
        all(&Reader::open(&disk.ledger()).await.unwrap()).await,
        events(0..2000)
    );

    let mut ledger = Ledger::open(&disk.ledger()).await.unwrap();
    assert!(!disk.has_ballast(), "opening needs a little space");
    assert_eq!(ledger.ballast(), Ballast::Spent);
    let error = append(&mut ledger, Urgency::Normal).await.unwrap_err();
    assert!(matches!(error, LedgerError::Full { .. }), "{error}");
    append(&mut ledger, Urgency::Stopping).await.unwrap();
    assert_eq!(all(&ledger.reader()).await, events(0..2001));
    ledger.close().await.unwrap();

    // and once more, now that nothing can be given up
    disk.fill();
    let again = Ledger::open(&disk.ledger()).await;
    if let Err(error) = again {
        assert!(matches!(error, LedgerError::Full { .. }), "{error}");
    }
    disk.free();
    let mut ledger = Ledger::open(&disk.ledger()).await.unwrap();
    add(&mut ledger, vec![event(2001)]).await;
    assert_eq!(all(&ledger.reader()).await, events(0..2002));
}

#[tokio::test]
async fn a_backup_onto_a_full_disk_says_which_and_leaves_nothing() {
    let Some(disk) = Disk::mount(1) else { return };
    let dir = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::open(&dir.path().join("ledger.db")).await.unwrap();
    add(&mut ledger, events(0..10_000)).await;
    let target = disk.0.path().join("copy.db");
    let error = ledger.reader().backup(&target).await.unwrap_err();
    assert!(matches!(error, LedgerError::Full { .. }), "{error}");
    assert!(error.to_string().contains("copy.db"), "{error}");
    let left: Vec<_> = std::fs::read_dir(disk.0.path()).unwrap().collect();
    assert!(left.is_empty(), "left behind: {left:?}");
    add(&mut ledger, events(10_000..10_001)).await;
}

#[tokio::test]
async fn a_ledger_on_a_read_only_medium_can_be_read() {
    let Some(disk) = Disk::mount(10) else { return };
    let mut ledger = Ledger::open(&disk.ledger()).await.unwrap();
    add(&mut ledger, events(0..500)).await;
    ledger.close().await.unwrap();
    mount(&["-o", "remount,ro"], disk.0.path()).unwrap();
    let reader = Reader::open(&disk.ledger()).await.unwrap();
    assert_eq!(all(&reader).await, events(0..500));
    let error = Ledger::open(&disk.ledger()).await.unwrap_err();
    assert!(matches!(error, LedgerError::Io { .. }), "{error}");
}

#[tokio::test]
async fn a_disk_too_small_for_ballast_is_reported() {
    let Some(disk) = Disk::mount(2) else { return };
    let mut ledger = Ledger::open(&disk.ledger()).await.unwrap();
    assert_eq!(ledger.ballast(), Ballast::Spent);
    append(&mut ledger, Urgency::Stopping).await.unwrap();
    let error = append(&mut ledger, Urgency::Normal).await.unwrap_err();
    assert!(matches!(error, LedgerError::Full { .. }), "{error}");
}
