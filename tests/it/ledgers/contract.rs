//! What every ledger does, whatever it lies in.

use std::path::PathBuf;

use holdpoint::ledger::{
    Head, Ledger, LedgerError, MAX_EVENT, Memory, Reader, Urgency, memory::Fault,
};
use tempfile::TempDir;

use super::{add, all, event, events, read};

/// A place for one ledger, which can be opened again and again.
enum Place {
    Memory(Memory),
    File(TempDir),
}

impl Place {
    fn memory() -> Place {
        Place::Memory(Memory::default())
    }

    fn file() -> Place {
        Place::File(tempfile::tempdir().unwrap())
    }

    async fn open(&self) -> Result<Ledger, LedgerError> {
        match self {
            Place::Memory(memory) => memory.open(),
            Place::File(_) => Ledger::open(&self.path()).await,
        }
    }

    fn path(&self) -> PathBuf {
        match self {
            Place::Memory(_) => PathBuf::new(),
            Place::File(dir) => dir.path().join("ledger.db"),
        }
    }
}

macro_rules! contract {
    ($($name:ident)*) => {
        mod in_memory {
            $(#[tokio::test] async fn $name() { super::$name(super::Place::memory()).await; })*
        }
        mod in_a_file {
            $(#[tokio::test] async fn $name() { super::$name(super::Place::file()).await; })*
        }
    };
}

contract! {
    an_empty_ledger_has_nothing_before_its_first_event
    bytes_come_back_as_they_went_in
    a_wrong_expectation_stores_nothing
    a_batch_of_ten_thousand_is_one_append
    large_events_are_read_in_bounded_chunks
    what_is_too_large_is_refused_whole
    reading_begins_anywhere
    a_read_ends_where_the_ledger_ended_when_it_began
    a_walk_can_be_dropped_halfway
    the_newest_snapshot_is_given_back
    a_snapshot_of_another_history_is_none
    the_head_survives
    one_holder_at_a_time
}

async fn an_empty_ledger_has_nothing_before_its_first_event(place: Place) {
    let mut ledger = place.open().await.unwrap();
    assert_eq!(ledger.head(), Head::default());
    assert_eq!(ledger.head().seq, 0);
    assert_eq!(ledger.head().hash.to_string(), "0".repeat(64));
    let reader = ledger.reader();
    assert_eq!(reader.head().await.unwrap(), Head::default());
    for from in [0, 1, 2, 99] {
        assert_eq!(read(&reader, from).await.unwrap(), []);
    }
    assert_eq!(reader.snapshot().await.unwrap(), None);
    let same = ledger.append(0, Vec::new(), Urgency::Normal).await.unwrap();
    assert_eq!(same, Head::default());
    let head = ledger
        .append(0, vec![b"first".to_vec()], Urgency::Normal)
        .await
        .unwrap();
    assert_eq!(head, Head::default().follow(b"first"));
    assert_eq!(ledger.head(), head);
}

async fn bytes_come_back_as_they_went_in(place: Place) {
    let mut ledger = place.open().await.unwrap();
    let odd: Vec<Vec<u8>> = vec![
        b"plain".to_vec(),
        Vec::new(),
        vec![0],
        vec![0, 0, 0],
        (0..=255).collect(),
        vec![0xff, 0xfe, 0x00, 0xc3, 0x28],
        "ключ – 鍵 – \u{1b}[31m".into(),
        b"',\"[]\\".to_vec(),
        Vec::new(),
    ];
    add(&mut ledger, odd.clone()).await;
    add(&mut ledger, vec![Vec::new()]).await;
    add(&mut ledger, vec![Vec::new(), Vec::new()]).await;
    let mut expected = odd;
    expected.extend([Vec::new(), Vec::new(), Vec::new()]);
    assert_eq!(all(&ledger.reader()).await, expected);
    // the chain is the documented one, computed here once more
    let head = expected
        .iter()
        .fold(Head::default(), |head, event| head.follow(event));
    assert_eq!(ledger.head(), head);
}

async fn a_wrong_expectation_stores_nothing(place: Place) {
    let mut ledger = place.open().await.unwrap();
    let head = add(&mut ledger, events(0..3)).await;
    for wrong in [0, 2, 4, u64::MAX] {
        let error = ledger
            .append(wrong, vec![event(9)], Urgency::Normal)
            .await
            .unwrap_err();
        assert!(
            matches!(error, LedgerError::Conflict { expected, found: 3 } if expected == wrong),
            "{error}"
        );
        assert_eq!(ledger.head(), head);
    }
    assert_eq!(all(&ledger.reader()).await, events(0..3));
    add(&mut ledger, events(3..4)).await;
    assert_eq!(all(&ledger.reader()).await, events(0..4));
}

async fn a_batch_of_ten_thousand_is_one_append(place: Place) {
    let mut ledger = place.open().await.unwrap();
    add(&mut ledger, events(0..1)).await;
    let head = add(&mut ledger, events(1..10_001)).await;
    assert_eq!(head.seq, 10_001);
    add(&mut ledger, events(10_001..10_002)).await;
    assert_eq!(all(&ledger.reader()).await, events(0..10_002));
}

async fn large_events_are_read_in_bounded_chunks(place: Place) {
    let mut ledger = place.open().await.unwrap();
    let mega = |n: u8| vec![n; 1 << 20];
    let mut expected = events(0..100);
    expected.extend((0..10).map(mega));
    expected.push(vec![7; 9 << 20]);
    expected.extend(events(100..5000));
    expected.push(vec![8; MAX_EVENT]);
    for batch in expected.chunks(2000) {
        add(&mut ledger, batch.to_vec()).await;
    }
    let mut entries = ledger.reader().read(0).await.unwrap();
    let mut found = Vec::new();
    while let Some(chunk) = entries.next().await.unwrap() {
        let bytes: usize = chunk.iter().map(|e| e.bytes.len()).sum();
        if let Place::File(_) = place {
            assert!(
                bytes <= 4 << 20 || chunk.len() == 1,
                "{bytes} bytes of {} events in one chunk",
                chunk.len()
            );
        }
        found.extend(chunk.iter().map(|e| e.bytes.to_vec()));
    }
    assert!(found == expected, "the events differ");
}

async fn what_is_too_large_is_refused_whole(place: Place) {
    let mut ledger = place.open().await.unwrap();
    let batch = vec![event(0), vec![0; MAX_EVENT + 1], event(1)];
    let error = ledger.append(0, batch, Urgency::Normal).await.unwrap_err();
    assert!(
        matches!(error, LedgerError::TooLarge { bytes, most } if bytes == most + 1),
        "{error}"
    );
    let batch = vec![vec![0; MAX_EVENT]; 17];
    let error = ledger.append(0, batch, Urgency::Normal).await.unwrap_err();
    assert!(matches!(error, LedgerError::TooLarge { .. }), "{error}");
    assert_eq!(ledger.head(), Head::default());
    assert_eq!(all(&ledger.reader()).await, events(0..0));
    add(&mut ledger, events(0..1)).await;
}

async fn reading_begins_anywhere(place: Place) {
    let mut ledger = place.open().await.unwrap();
    add(&mut ledger, events(0..9000)).await;
    let reader = ledger.reader();
    let everything = read(&reader, 1).await.unwrap();
    for from in [2, 4096, 4097, 8999, 9000] {
        let part = read(&reader, from).await.unwrap();
        assert_eq!(part, everything[from as usize - 1..]);
    }
    for beyond in [9001, 9002, u64::MAX] {
        assert_eq!(read(&reader, beyond).await.unwrap(), []);
    }
}

async fn a_read_ends_where_the_ledger_ended_when_it_began(place: Place) {
    let mut ledger = place.open().await.unwrap();
    add(&mut ledger, events(0..20_000)).await;
    let mut entries = ledger.reader().read(0).await.unwrap();
    assert_eq!(entries.end(), 20_000);
    let mut last = 0;
    while let Some(chunk) = entries.next().await.unwrap() {
        last = chunk.after().seq;
        // appending is not held up by a walk that is not done
        add(&mut ledger, events(0..10)).await;
    }
    assert_eq!(last, 20_000);
    assert!(ledger.head().seq > 20_000);
    assert!(entries.next().await.unwrap().is_none());
}

async fn a_walk_can_be_dropped_halfway(place: Place) {
    let mut ledger = place.open().await.unwrap();
    add(&mut ledger, events(0..50_000)).await;
    for _ in 0..5 {
        let mut entries = ledger.reader().read(0).await.unwrap();
        assert!(entries.next().await.unwrap().is_some());
    }
    add(&mut ledger, events(0..1)).await;
    assert_eq!(all(&ledger.reader()).await.len(), 50_001);
}

async fn the_newest_snapshot_is_given_back(place: Place) {
    let mut ledger = place.open().await.unwrap();
    let first = add(&mut ledger, events(0..5)).await;
    ledger.put_snapshot(first, vec![1; 100]).await.unwrap();
    let reader = ledger.reader();
    assert_eq!(
        reader.snapshot().await.unwrap(),
        Some((first, vec![1; 100]))
    );
    let second = add(&mut ledger, events(5..9)).await;
    // writing a snapshot does not keep the ledger from being written
    let put = ledger.put_snapshot(second, vec![2; 3 << 20]);
    add(&mut ledger, events(9..12)).await;
    put.await.unwrap();
    drop(ledger);
    let ledger = place.open().await.unwrap();
    assert_eq!(
        ledger.reader().snapshot().await.unwrap(),
        Some((second, vec![2; 3 << 20]))
    );
    let rest = read(&ledger.reader(), second.seq + 1).await.unwrap();
    assert_eq!(rest.len(), 3);
}

async fn a_snapshot_of_another_history_is_none(place: Place) {
    let mut ledger = place.open().await.unwrap();
    let head = add(&mut ledger, events(0..5)).await;
    let foreign = Head::default().follow(b"another past");
    let beyond = Head {
        seq: 6,
        hash: head.hash,
    };
    for head in [foreign, beyond] {
        ledger.put_snapshot(head, vec![1]).await.unwrap();
        assert_eq!(ledger.reader().snapshot().await.unwrap(), None);
    }
    let empty = Head::default();
    ledger.put_snapshot(empty, Vec::new()).await.unwrap();
    assert_eq!(
        ledger.reader().snapshot().await.unwrap(),
        Some((empty, Vec::new()))
    );
}

async fn the_head_survives(place: Place) {
    let mut expected = Vec::new();
    for round in 0..4 {
        let mut ledger = place.open().await.unwrap();
        let before = ledger.head();
        assert_eq!(before.seq, expected.len() as u64);
        let more = events(round * 7..round * 7 + 7);
        expected.extend(more.clone());
        let head = add(&mut ledger, more).await;
        assert_eq!(ledger.reader().head().await.unwrap(), head);
        if round % 2 == 0 {
            ledger.close().await.unwrap();
        } else {
            drop(ledger);
        }
        let ledger = place.open().await.unwrap();
        assert_eq!(ledger.head(), head);
        assert_eq!(all(&ledger.reader()).await, expected);
    }
}

async fn one_holder_at_a_time(place: Place) {
    let mut ledger = place.open().await.unwrap();
    add(&mut ledger, events(0..1)).await;
    let error = place.open().await.unwrap_err();
    let said = error.to_string();
    assert!(matches!(error, LedgerError::Held { .. }), "{said}");
    assert!(
        said.contains(&format!("pid {}", std::process::id())),
        "{said}"
    );
    // whoever only reads is not kept out
    if let Place::File(_) = place {
        let reader = Reader::open(&place.path()).await.unwrap();
        assert_eq!(all(&reader).await, events(0..1));
    }
    add(&mut ledger, events(1..2)).await;
    drop(ledger);
    let ledger = place.open().await.unwrap();
    assert_eq!(all(&ledger.reader()).await, events(0..2));
}

#[tokio::test]
async fn a_disk_in_memory_fails_as_it_is_told() {
    let memory = Memory::default();
    let mut ledger = memory.open().unwrap();
    add(&mut ledger, events(0..1)).await;

    memory.fail_next([Fault::NotStored]);
    let error = ledger
        .append(1, events(1..2), Urgency::Normal)
        .await
        .unwrap_err();
    assert!(matches!(error, LedgerError::Io { .. }), "{error}");
    assert_eq!(all(&ledger.reader()).await, events(0..1));
    add(&mut ledger, events(1..2)).await;

    memory.fail_next([Fault::LostUnknown, Fault::StoredUnknown]);
    let unsure = |error| matches!(error, LedgerError::Uncertain { expected: 2, .. });
    let lost = ledger.append(2, events(2..3), Urgency::Normal).await;
    assert!(unsure(lost.unwrap_err()));
    let stored = ledger.append(2, events(2..3), Urgency::Normal).await;
    assert!(unsure(stored.unwrap_err()));
    let error = ledger
        .append(2, events(2..3), Urgency::Normal)
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
    assert_eq!(ledger.head(), ledger.reader().head().await.unwrap());
    add(&mut ledger, events(3..4)).await;
    assert_eq!(all(&ledger.reader()).await, events(0..4));
}

#[tokio::test]
async fn a_full_disk_in_memory_still_stops_things() {
    use holdpoint::ledger::Ballast;
    let memory = Memory::default();
    let mut ledger = memory.open().unwrap();
    memory.fill();
    let error = ledger
        .append(0, events(0..1), Urgency::Normal)
        .await
        .unwrap_err();
    assert!(matches!(error, LedgerError::Full { .. }), "{error}");
    assert_eq!(ledger.ballast(), Ballast::Ready);
    ledger
        .append(0, events(0..1), Urgency::Stopping)
        .await
        .unwrap();
    assert_eq!(ledger.restore_ballast(), Ballast::Spent);
    memory.free();
    add(&mut ledger, events(1..2)).await;
    assert_eq!(ledger.restore_ballast(), Ballast::Ready);
    assert_eq!(all(&ledger.reader()).await, events(0..2));
}
