//! Processes that die, and writes that fail.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use holdpoint::ledger::{Ballast, Ledger, LedgerError, Reader, Urgency};
use rand::RngExt;

use super::{add, all, event, events, read};

/// How often the writer is killed.
const KILLS: usize = 30;

/// Names the ledger to a child of this test binary. Without it the tests below that are only for
/// children do nothing.
const LEDGER: &str = "HOLDPOINT_TEST_LEDGER";

/// Runs one test of this binary in a process of its own.
fn child(test: &str, ledger: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("ledgers::faults::{test}")])
        .args(["--ignored", "--nocapture", "--test-threads=1"])
        .env(LEDGER, ledger)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

fn given() -> Option<PathBuf> {
    std::env::var_os(LEDGER).map(PathBuf::from)
}

/// Kills the process when the test fails, too.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

#[tokio::test]
#[ignore = "the child of the test below"]
async fn append_until_killed() {
    let Some(path) = given() else { return };
    let mut ledger = Ledger::open(&path).await.unwrap();
    let mut out = std::io::stdout();
    loop {
        let at = ledger.head().seq;
        // sizes that differ: within a page, over several, and over the WAL's checkpoint at times
        let count = if at.is_multiple_of(97) {
            900
        } else {
            at % 13 + 1
        };
        let head = add(&mut ledger, events(at..at + count)).await;
        if at.is_multiple_of(5) {
            ledger
                .put_snapshot(head, head.seq.to_string().into_bytes())
                .await
                .unwrap();
        }
        writeln!(out, "acknowledged {}", head.seq).unwrap();
        out.flush().unwrap();
    }
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_when_the_writer_is_killed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger.db");
    let mut random = rand::rng();
    let mut acknowledged = 0;
    for round in 0..KILLS {
        let mut writer = Killed(child("append_until_killed", &path));
        let lines = BufReader::new(writer.0.stdout.take().unwrap()).lines();
        let mut acks = lines.map_while(Result::ok).filter_map(|line| {
            let seq = line.rsplit_once("acknowledged ")?.1;
            seq.parse::<u64>().ok()
        });
        // a moment in the midst of some append
        for _ in 0..random.random_range(1..25) {
            acknowledged = acks.next().expect("the writer ended by itself");
        }
        std::thread::sleep(Duration::from_micros(random.random_range(0..3000)));
        writer.0.kill().unwrap();
        writer.0.wait().unwrap();
        // what it still said before it died
        acknowledged = acks.last().unwrap_or(acknowledged);

        // somebody reads before anybody repairs
        let seen = read(&Reader::open(&path).await.unwrap(), 0).await.unwrap();
        let ledger = Ledger::open(&path).await.unwrap();
        let head = ledger.head();
        assert!(
            head.seq >= acknowledged,
            "round {round}: {acknowledged} were acknowledged, {} are there",
            head.seq
        );
        let found = all(&ledger.reader()).await;
        assert_eq!(found.len() as u64, head.seq);
        assert!(
            found.iter().enumerate().all(|(n, e)| *e == event(n as u64)),
            "round {round}: an event is not the one that was written"
        );
        assert_eq!(seen.len(), found.len(), "round {round}");
        if let Some((at, state)) = ledger.reader().snapshot().await.unwrap() {
            assert_eq!(state, at.seq.to_string().into_bytes());
        }
        ledger.close().await.unwrap();
    }
    assert!(acknowledged > 100, "only {acknowledged}: nothing was tried");
}

#[tokio::test]
async fn another_process_is_told_who_holds_the_ledger() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger.db");
    let mut writer = Killed(child("append_until_killed", &path));
    let mut lines = BufReader::new(writer.0.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("acknowledged")));
    let error = Ledger::open(&path).await.unwrap_err();
    let LedgerError::Held { by, .. } = &error else {
        panic!("{error}")
    };
    assert_eq!(by.pid, writer.0.id());
    let program = std::env::current_exe().unwrap();
    assert_eq!(by.program, program.file_name().unwrap().to_str().unwrap());
    assert!(by.since.ends_with('Z'), "{by}");
    assert!(error.to_string().contains(&by.to_string()), "{error}");
    // it can be read meanwhile, over and over, while it grows
    let reader = Reader::open(&path).await.unwrap();
    let first = reader.head().await.unwrap();
    while reader.head().await.unwrap() == first {
        assert!(lines.next().is_some(), "the writer ended by itself");
    }
    read(&reader, 0).await.unwrap();
    // the lock dies with its holder
    drop(writer);
    Ledger::open(&path).await.unwrap().close().await.unwrap();
}

#[tokio::test]
#[ignore = "the child of the test below"]
async fn append_over_a_limit() {
    let Some(path) = given() else { return };
    let limit = |bytes: Option<u64>| {
        let limits = rustix::process::Rlimit {
            current: bytes,
            maximum: None,
        };
        rustix::process::setrlimit(rustix::process::Resource::Fsize, limits).unwrap();
    };
    // SAFETY: ignoring a signal runs no code; writes over the limit then fail with EFBIG
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
    let mut ledger = Ledger::open(&path).await.unwrap();
    let head = add(&mut ledger, events(0..3)).await;
    assert_eq!(ledger.ballast(), Ballast::Ready);
    limit(Some(4096));
    for round in 0..3 {
        let failed = ledger.append(3, events(3..90), Urgency::Normal).await;
        let error = failed.expect_err("it was over the limit");
        assert!(
            matches!(error, LedgerError::Sqlite { .. }),
            "round {round}: {error}"
        );
        assert_eq!(ledger.head(), head);
        assert_eq!(all(&ledger.reader()).await, events(0..3));
        assert_eq!(ledger.ballast(), Ballast::Ready);
    }
    // to give up the ballast is worth a try, though it does not help here
    let failed = ledger.append(3, events(3..90), Urgency::Stopping).await;
    let error = failed.expect_err("it was over the limit");
    assert!(matches!(error, LedgerError::Sqlite { .. }), "{error}");
    assert_eq!(ledger.ballast(), Ballast::Spent);
    limit(None);
    add(&mut ledger, events(3..6)).await;
    assert_eq!(ledger.ballast(), Ballast::Ready);
    ledger.close().await.unwrap();
    let ledger = Ledger::open(&path).await.unwrap();
    assert_eq!(all(&ledger.reader()).await, events(0..6));
}

/// A quota, a limit, a broken disk: whatever refuses writes without saying that it is full.
#[test]
fn a_write_that_fails_leaves_the_ledger_usable() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger.db");
    let done = child("append_over_a_limit", &path)
        .wait_with_output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success(), "{said}");
    assert!(said.contains("1 passed"), "{said}");
}
