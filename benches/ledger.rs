//! What the ledger costs: durable appends beside plain SQLite, and reading a million events.
//!
//! `cargo bench --bench ledger`, or `-- 100000` for another number of events to read. Plain SQLite
//! is its C interface with nothing in between: the same file settings, table and rows, one prepared
//! INSERT stepped once a row inside a transaction. Both write in turns to the same disk.

#![allow(
    unsafe_code,
    reason = "plain SQLite is measured through its own interface"
)]

use std::ffi::{CStr, CString};
use std::hint::black_box;
use std::path::Path;
use std::ptr;
use std::time::{Duration, Instant};

use holdpoint::ledger::telemetry::{Limits, Sample, Telemetry};
use holdpoint::ledger::{Head, Ledger, Reader, Urgency};
use libsqlite3_sys as c;

/// Batch sizes, and how many batches of each are written.
const BATCHES: [(usize, usize); 6] = [
    (1, 2000),
    (4, 2000),
    (16, 1500),
    (64, 1000),
    (512, 300),
    (4096, 60),
];

/// Batches that one of the two writes before it is the other's turn.
const TURN: usize = 20;

fn main() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory to write in");
    // cargo passes `--bench`
    let count = std::env::args()
        .filter_map(|argument| argument.parse().ok())
        .next();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        appends(dir.path()).await;
        reads(dir.path(), count.unwrap_or(1_000_000)).await;
        telemetry(dir.path()).await;
    });
}

/// An event of 230 to 269 bytes.
fn event(n: u64) -> Vec<u8> {
    let mut event = format!("{{\"v\":1,\"n\":{n},\"text\":\"").into_bytes();
    let length = 230 + n as usize % 40;
    event.extend((b'a'..=b'z').cycle().take(length - event.len() - 2));
    event.extend(b"\"}");
    event
}

fn batch(from: u64, size: usize) -> Vec<Vec<u8>> {
    (from..from + size as u64).map(event).collect()
}

async fn appends(dir: &Path) {
    println!("durable appends of events of 250 bytes");
    println!(
        "  batch |   ledger events/s   p50 ms   p99 ms |   SQLite rows/s   p50 ms   p99 ms | share"
    );
    for (size, batches) in BATCHES {
        let mut ledger = Ledger::open(&dir.join(format!("ledger-{size}.db")))
            .await
            .expect("a ledger");
        let mut plain = Plain::open(&dir.join(format!("plain-{size}.db")));
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        let mut head = Head::default();
        while ours.len() < batches {
            for _ in 0..TURN {
                let events = batch(ledger.head().seq, size);
                let start = Instant::now();
                ledger
                    .append(ledger.head().seq, events, Urgency::Normal)
                    .await
                    .expect("an append");
                ours.push(start.elapsed());
            }
            for _ in 0..TURN {
                let mut rows = Vec::with_capacity(size);
                for event in batch(head.seq, size) {
                    head = head.follow(&event);
                    rows.push((head, event));
                }
                let start = Instant::now();
                plain.append(&rows);
                theirs.push(start.elapsed());
            }
        }
        let (ours, theirs) = (Figures::of(ours, size), Figures::of(theirs, size));
        println!(
            "  {size:5} | {ours} | {theirs} | {:4.0} %",
            100.0 * ours.rate / theirs.rate
        );
        ledger.close().await.expect("closing");
    }
}

async fn reads(dir: &Path, count: u64) {
    let path = dir.join("large.db");
    let mut ledger = Ledger::open(&path).await.expect("a ledger");
    let start = Instant::now();
    while ledger.head().seq < count {
        let at = ledger.head().seq;
        let events = batch(at, 10_000.min((count - at) as usize));
        ledger
            .append(at, events, Urgency::Normal)
            .await
            .expect("an append");
    }
    println!("{count} events");
    println!("  written in batches of 10,000   {}", ms(start.elapsed()));
    let head = ledger.head();
    timed("closed", ledger.close()).await.expect("closing");
    let ledger = timed("opened", Ledger::open(&path)).await.expect("opening");
    for _ in 0..3 {
        timed("read and verified", verify(ledger.reader())).await;
    }
    timed("read the last 1000", async {
        read(&ledger.reader(), head.seq.saturating_sub(999)).await
    })
    .await;
    let state = vec![7; 20 << 20];
    timed("snapshot of 20 MiB put", ledger.put_snapshot(head, state))
        .await
        .expect("a snapshot");
    timed("snapshot of 20 MiB read", ledger.reader().snapshot())
        .await
        .expect("a snapshot");
    let copy = dir.join("copy.db");
    timed("backed up and verified", ledger.reader().backup(&copy))
        .await
        .expect("a backup");
}

async fn telemetry(dir: &Path) {
    let mut telemetry = Telemetry::open(&dir.join("telemetry.db"), Limits::default())
        .await
        .expect("telemetry");
    println!("samples of 200 bytes, one of each of 200 releases at a time");
    let mut times = Vec::new();
    for at_ms in 0..1000 {
        let samples: Vec<Sample> = (0..200)
            .map(|release| Sample {
                release,
                at_ms,
                bytes: vec![7; 200],
            })
            .collect();
        let start = Instant::now();
        telemetry.put(&samples).await.expect("a put");
        times.push(start.elapsed());
    }
    println!(
        "  put: samples/s, p50 ms, p99 ms {}",
        Figures::of(times, 200)
    );
    timed("1000 of one release loaded", telemetry.load(7, 1000))
        .await
        .expect("samples");
}

async fn verify(reader: Reader) {
    let count = read(&reader, 0).await;
    assert_eq!(count, reader.head().await.expect("a head").seq);
}

async fn read(reader: &Reader, from: u64) -> u64 {
    let mut entries = reader.read(from).await.expect("reading");
    let mut count = 0;
    while let Some(chunk) = entries.next().await.expect("a good chunk") {
        for entry in chunk.iter() {
            black_box(entry);
            count += 1;
        }
    }
    count
}

async fn timed<T>(what: &str, work: impl Future<Output = T>) -> T {
    let start = Instant::now();
    let done = work.await;
    println!("  {what:30} {}", ms(start.elapsed()));
    done
}

fn ms(time: Duration) -> String {
    format!("{:8.1} ms", time.as_secs_f64() * 1e3)
}

struct Figures {
    rate: f64,
    median: Duration,
    p99: Duration,
}

impl Figures {
    fn of(mut times: Vec<Duration>, size: usize) -> Figures {
        let total: Duration = times.iter().sum();
        times.sort_unstable();
        Figures {
            rate: (times.len() * size) as f64 / total.as_secs_f64(),
            median: times[times.len() / 2],
            p99: times[times.len() * 99 / 100],
        }
    }
}

impl std::fmt::Display for Figures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{:15.0} {:8.2} {:8.2}",
            self.rate,
            self.median.as_secs_f64() * 1e3,
            self.p99.as_secs_f64() * 1e3
        )
    }
}

/// SQLite and nothing else.
struct Plain {
    db: *mut c::sqlite3,
    insert: *mut c::sqlite3_stmt,
}

impl Plain {
    fn open(path: &Path) -> Plain {
        let name = CString::new(path.to_str().expect("a path in UTF-8")).expect("a path");
        let mut plain = Plain {
            db: ptr::null_mut(),
            insert: ptr::null_mut(),
        };
        // SAFETY: the name ends with a zero; `db` is written before it is read
        let opened = unsafe { c::sqlite3_open(name.as_ptr(), &raw mut plain.db) };
        assert_eq!(opened, c::SQLITE_OK);
        plain.run(c"PRAGMA journal_mode = WAL");
        plain.run(c"PRAGMA synchronous = FULL");
        plain.run(
            c"CREATE TABLE event (seq INTEGER PRIMARY KEY CHECK (seq > 0),
              hash BLOB NOT NULL CHECK (length(hash) = 32), bytes BLOB NOT NULL) STRICT",
        );
        // SAFETY: `db` is open; the statement ends with a zero
        let prepared = unsafe {
            c::sqlite3_prepare_v2(
                plain.db,
                c"INSERT INTO event VALUES (?1, ?2, ?3)".as_ptr(),
                -1,
                &raw mut plain.insert,
                ptr::null_mut(),
            )
        };
        assert_eq!(prepared, c::SQLITE_OK);
        plain
    }

    fn run(&mut self, sql: &CStr) {
        // SAFETY: `db` is open; the statement ends with a zero; no callback, no message
        let done = unsafe {
            c::sqlite3_exec(
                self.db,
                sql.as_ptr(),
                None,
                ptr::null_mut(),
                ptr::null_mut(),
            )
        };
        assert_eq!(done, c::SQLITE_OK, "{sql:?}");
    }

    fn append(&mut self, rows: &[(Head, Vec<u8>)]) {
        self.run(c"BEGIN");
        for (head, event) in rows {
            // SAFETY: the statement is prepared; what is bound outlives the step that uses it
            unsafe {
                c::sqlite3_bind_int64(self.insert, 1, head.seq as i64);
                self.bind(2, &head.hash.0);
                self.bind(3, event);
                assert_eq!(c::sqlite3_step(self.insert), c::SQLITE_DONE);
                c::sqlite3_reset(self.insert);
            }
        }
        self.run(c"COMMIT");
    }

    /// # Safety
    /// `bytes` must outlive the next step of the statement.
    unsafe fn bind(&mut self, index: i32, bytes: &[u8]) {
        let length = i32::try_from(bytes.len()).expect("a small blob");
        // SAFETY: the pointer and the length belong together; the caller keeps the bytes
        unsafe {
            c::sqlite3_bind_blob(
                self.insert,
                index,
                bytes.as_ptr().cast(),
                length,
                c::SQLITE_STATIC(),
            );
        }
    }
}

impl Drop for Plain {
    fn drop(&mut self) {
        // SAFETY: both were made by `open`, and are not used again
        unsafe {
            c::sqlite3_finalize(self.insert);
            c::sqlite3_close(self.db);
        }
    }
}
