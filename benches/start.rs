//! How long an engine takes to have its state: 10,000 releases and 1,000,000 events, replayed from
//! the first one and from a snapshot; and how much memory that state takes.
//!
//! `cargo bench --bench start` prints the figures; `-- EVENTS` takes another number of events.

#![allow(clippy::unwrap_used, reason = "a benchmark stops where it fails")]

#[path = "../tests/it/room/mod.rs"]
#[allow(dead_code, reason = "shared with the tests, which use more of it")]
mod room;

use std::time::Instant;

use holdpoint::domain::{Ask, Call, Choice, Control, Draft, MetricVerdict, ReleaseId, Span};
use holdpoint::engine::{replay, to_snapshot};
use holdpoint::ledger::{Ledger, Reader, Urgency};
use room::{Room, plan};

/// Releases that stay open at the end.
const OPEN: u64 = 200;

fn main() {
    let events: u64 = std::env::args()
        .filter_map(|a| a.parse().ok())
        .next()
        .unwrap_or(1_000_000);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(measure(events));
}

async fn measure(events: u64) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger.db");
    let (releases, state) = fill(&path, events).await;
    println!(
        "{} events, {releases} releases, {OPEN} of them open",
        state.seq
    );

    let base = resident();
    let began = Instant::now();
    let reader = Reader::open(&path).await.unwrap();
    let (replayed, from) = replay(&reader).await.unwrap();
    let all = began.elapsed();
    assert_eq!((from, &replayed), (0, &state));
    println!("replay from the first event   {:7.0} ms", ms(all));
    println!(
        "memory of the state           {:7.1} MB",
        (resident() - base) as f64 / 1e6
    );
    drop(replayed);

    let ledger = Ledger::open(&path).await.unwrap();
    ledger
        .put_snapshot(ledger.head(), to_snapshot(&state).unwrap())
        .await
        .unwrap();
    let head = ledger.head();
    ledger.close().await.unwrap();
    let mut times: Vec<f64> = Vec::new();
    for _ in 0..5 {
        let began = Instant::now();
        let ledger = Ledger::open(&path).await.unwrap();
        let (fresh, from) = replay(&ledger.reader()).await.unwrap();
        times.push(ms(began.elapsed()));
        assert_eq!((from, fresh.seq), (head.seq, state.seq));
        ledger.close().await.unwrap();
    }
    times.sort_by(f64::total_cmp);
    println!(
        "open and start from a snapshot{:7.0} ms (median of 5)",
        times[2]
    );
}

/// Writes a ledger of about that many events: real releases, walked by real commands.
async fn fill(path: &std::path::Path, events: u64) -> (u64, holdpoint::domain::State) {
    let mut ledger = Ledger::open(path).await.unwrap();
    let mut room = Room::new();
    let mut written = 0;
    let mut releases = 0;
    while written + (room.draft.events.len() as u64) < events {
        let id = walk(&mut room, releases, true);
        releases = id.0;
        if room.draft.events.len() > 2000 {
            written = flush(&mut ledger, &mut room, written).await;
        }
    }
    for _ in 0..OPEN {
        releases = walk(&mut room, releases, false).0;
    }
    flush(&mut ledger, &mut room, written).await;
    ledger.close().await.unwrap();
    (releases, room.draft.state)
}

async fn flush(ledger: &mut Ledger, room: &mut Room, written: u64) -> u64 {
    let events = std::mem::take(&mut room.draft.events);
    let bytes = events.iter().map(|e| e.to_bytes()).collect();
    ledger
        .append(written, bytes, Urgency::Normal)
        .await
        .unwrap();
    room.draft = Draft::new(room.draft.state.clone());
    written + events.len() as u64
}

/// A release from plan to closed, or only to its approval.
fn walk(room: &mut Room, n: u64, whole: bool) -> ReleaseId {
    let mut plan = plan();
    plan.name = Some(format!("payments-{n}").into());
    plan.services[0].version = format!("4.{n}.0").into();
    let id = room.submit("pipeline", plan).unwrap();
    room.vote("kim", id, Choice::Approve).unwrap();
    if !whole {
        return id;
    }
    room.vote("bo", id, Choice::Approve).unwrap();
    room.control("ada", id, Control::Start).unwrap();
    room.work();
    room.pass(Span::mins(5));
    for streak in 1..=20 {
        // verdicts that change are what fills ledgers
        let call = if streak % 2 == 0 {
            Call::Undecided
        } else {
            Call::Hold
        };
        look(room, id, call, 1);
        let why = "a look around".into();
        room.control("ada", id, Control::Pause { why }).unwrap();
        room.control("ada", id, Control::Resume).unwrap();
    }
    look(room, id, Call::Pass, 3);
    room.control(
        "ada",
        id,
        Control::RollBack {
            why: "enough".into(),
        },
    )
    .unwrap();
    room.work();
    room.pass(Span::mins(1));
    id
}

fn look(room: &mut Room, release: ReleaseId, call: Call, streak: u32) {
    let verdict = MetricVerdict {
        metric: "errors".into(),
        call,
        streak,
        words: "new 0.34 %, old 0.33 %, 1.0x of 2x allowed".into(),
        inputs: format!("sha256:{}", "c".repeat(64)).into(),
        shadow: false,
    };
    room.engine(Ask::Looked {
        release,
        batch: 0,
        verdicts: vec![verdict],
        judgements: Vec::new(),
    });
}

fn ms(d: std::time::Duration) -> f64 {
    d.as_secs_f64() * 1e3
}

/// Resident memory of this process, in bytes.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = text.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}
