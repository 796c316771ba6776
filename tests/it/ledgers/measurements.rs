//! Measurements come and go; nothing that happens to their file stops anybody.

use holdpoint::ledger::telemetry::{Limits, Sample, Telemetry};
use sqlx::Connection;

use super::raw;

const FEW: Limits = Limits {
    per_release: 10,
    overall: 25,
};

fn samples(release: u64, range: std::ops::Range<i64>) -> Vec<Sample> {
    range
        .map(|at_ms| Sample {
            release,
            at_ms,
            bytes: format!("{release} at {at_ms}\0").into_bytes(),
        })
        .collect()
}

fn expected(release: u64, range: std::ops::Range<i64>) -> Vec<(i64, Vec<u8>)> {
    samples(release, range)
        .into_iter()
        .map(|sample| (sample.at_ms, sample.bytes))
        .collect()
}

#[tokio::test]
async fn the_newest_samples_come_back_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("telemetry.db");
    let mut telemetry = Telemetry::open(&path, Limits::default()).await.unwrap();
    telemetry.put(&[]).await.unwrap();
    let mut mixed = samples(1, 0..50);
    mixed.extend(samples(2, 0..50));
    mixed.push(Sample {
        release: 3,
        at_ms: -1,
        bytes: Vec::new(),
    });
    telemetry.put(&mixed).await.unwrap();
    drop(telemetry);
    let mut telemetry = Telemetry::open(&path, Limits::default()).await.unwrap();
    telemetry.put(&samples(1, 50..60)).await.unwrap();
    assert_eq!(telemetry.load(1, 1000).await.unwrap(), expected(1, 0..60));
    assert_eq!(telemetry.load(1, 5).await.unwrap(), expected(1, 55..60));
    assert_eq!(telemetry.load(2, 1000).await.unwrap(), expected(2, 0..50));
    assert_eq!(telemetry.load(3, 9).await.unwrap(), [(-1, Vec::new())]);
    assert_eq!(telemetry.load(4, 9).await.unwrap(), []);
    assert_eq!(telemetry.take_moved_aside(), []);
}

#[tokio::test]
async fn the_oldest_samples_go_first() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("telemetry.db");
    let mut telemetry = Telemetry::open(&path, FEW).await.unwrap();
    telemetry.put(&samples(1, 0..100)).await.unwrap();
    assert_eq!(telemetry.load(1, 99).await.unwrap(), expected(1, 90..100));
    for at in 100..115 {
        telemetry.put(&samples(1, at..at + 1)).await.unwrap();
        assert_eq!(telemetry.load(1, 99).await.unwrap().len(), 10);
    }
    telemetry.put(&samples(2, 0..8)).await.unwrap();
    telemetry.put(&samples(3, 0..9)).await.unwrap();
    // 27 were there: the first two of all went
    assert_eq!(telemetry.load(1, 99).await.unwrap(), expected(1, 107..115));
    assert_eq!(telemetry.load(2, 99).await.unwrap(), expected(2, 0..8));
    // the limits hold over a restart too
    drop(telemetry);
    let mut telemetry = Telemetry::open(&path, FEW).await.unwrap();
    telemetry.put(&samples(2, 8..20)).await.unwrap();
    assert_eq!(telemetry.load(2, 99).await.unwrap(), expected(2, 10..20));
    let mut conn = raw(&path).await;
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM sample")
        .fetch_one(&mut conn)
        .await
        .unwrap();
    assert!(count <= 25, "{count} samples are kept");
}

#[tokio::test]
async fn a_file_that_is_no_database_is_moved_aside() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("telemetry.db");
    for n in 1..=11 {
        let garbage = format!("garbage {n} ").repeat(1000);
        std::fs::write(&path, &garbage).unwrap();
        let mut telemetry = Telemetry::open(&path, FEW).await.unwrap();
        let moved = telemetry.take_moved_aside();
        assert_eq!(moved.len(), 1);
        let to = dir.path().join(format!("telemetry.db.bad-{}", n.min(9)));
        assert_eq!(moved[0].to, to);
        assert!(moved[0].to_string().contains("begin anew"), "{}", moved[0]);
        assert_eq!(std::fs::read_to_string(&to).unwrap(), garbage);
        telemetry.put(&samples(1, 0..3)).await.unwrap();
        assert_eq!(telemetry.load(1, 9).await.unwrap(), expected(1, 0..3));
        assert_eq!(telemetry.take_moved_aside(), []);
        telemetry.close().await;
    }
}

#[tokio::test]
async fn another_programs_database_is_moved_aside_whole() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("telemetry.db");
    std::fs::File::create(&path).unwrap();
    let mut conn = raw(&path).await;
    sqlx::raw_sql("CREATE TABLE precious (it TEXT); INSERT INTO precious VALUES ('kept')")
        .execute(&mut conn)
        .await
        .unwrap();
    conn.close().await.unwrap();
    let mut telemetry = Telemetry::open(&path, FEW).await.unwrap();
    let moved = telemetry.take_moved_aside();
    let mut conn = raw(&moved[0].to).await;
    let kept: String = sqlx::query_scalar("SELECT it FROM precious")
        .fetch_one(&mut conn)
        .await
        .unwrap();
    assert_eq!(kept, "kept");
}

#[tokio::test]
async fn a_file_that_is_damaged_while_it_is_used_is_moved_aside() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("telemetry.db");
    let mut telemetry = Telemetry::open(&path, Limits::default()).await.unwrap();
    telemetry.put(&samples(1, 0..5000)).await.unwrap();
    telemetry.close().await;
    let mut telemetry = Telemetry::open(&path, Limits::default()).await.unwrap();
    // all but the first page
    let length = path.metadata().unwrap().len() as usize;
    let mut bytes = std::fs::read(&path).unwrap();
    assert_eq!(bytes.len(), length);
    bytes[4096..].fill(0xee);
    use std::os::unix::fs::FileExt;
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    file.write_all_at(&bytes[4096..], 4096).unwrap();
    let found = telemetry.load(1, 10_000).await.unwrap();
    assert!(found.is_empty() || found == expected(1, 0..5000));
    telemetry.put(&samples(1, 5000..5003)).await.unwrap();
    let moved = telemetry.take_moved_aside();
    assert_eq!(moved.len(), 1, "{moved:?}");
    assert_eq!(
        telemetry.load(1, 10_000).await.unwrap().last(),
        expected(1, 5002..5003).last()
    );
}

#[tokio::test]
async fn where_no_file_can_be_the_error_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("no/such/dir/telemetry.db");
    let error = Telemetry::open(&path, FEW).await.unwrap_err();
    assert!(error.to_string().contains("no/such/dir"), "{error}");
}
