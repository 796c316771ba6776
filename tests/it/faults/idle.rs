//! An engine that waits for somebody does not spin meanwhile.

use std::time::{Duration, Instant};

use crate::shop::{Keeper, Shop};
use crate::until::until;

/// The time that the threads of an engine have spent on a processor.
fn spent(engine: &Keeper) -> Duration {
    let threads = std::fs::read_dir(format!("/proc/{}/task", engine.child.id())).unwrap();
    let nanos = threads.flatten().filter_map(|thread| {
        // nanoseconds on a processor, waiting for one, times it got one
        let text = std::fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(nanos.sum())
}

/// Watches the engine for a while, and answers on the way.
#[track_caller]
fn is_idle(shop: &Shop, engine: &Keeper, what: &str) {
    let (begun, before) = (Instant::now(), spent(engine));
    until(
        what,
        || begun.elapsed(),
        |time| *time > Duration::from_secs(2),
    );
    let (time, busy) = (begun.elapsed(), spent(engine).saturating_sub(before));
    // one that spins takes all of a processor, one that looks at its targets next to nothing
    assert!(busy < time / 3, "{what}: {busy:?} of {time:?}");
    assert_eq!(shop.cli(&["release", "list"]).code, Some(0), "{what}");
}

/// A bake in its first batch, an observation with a note in its second.
const SLOW: &str = "batches: [{ exposure: 50%, after: [{ bake: 1s }] }, { exposure: full }]\n";

#[test]
fn what_is_due_and_must_wait_for_somebody_does_not_keep_the_engine_busy() {
    let room = tempfile::tempdir().unwrap();
    let shop = Shop::new(room.path());
    let engine = shop.serve();
    let word = |id: &str| shop.show(id)["waiting"]["word"].clone();

    // paused while the time of its bake runs out
    let web = shop.approved("web", 1, SLOW);
    until("the bake", || word(&web), |word| word == "bake");
    shop.done(&["release", "pause", &web]);
    // an instance is down when the time of its bake runs out
    let api = shop.approved("api", 2, SLOW);
    until("the bake", || word(&api), |word| word == "bake");
    std::fs::write(shop.file("api/state-api-1"), "down").unwrap();
    let down = |seen: &serde_json::Value| seen["waiting"]["trouble"] == true;
    until("an instance is down", || shop.show(&api), down);
    // its observation is over, and the note for the next shift is missing
    let jobs = shop.plan("jobs", 3, "");
    let text = std::fs::read_to_string(&jobs).unwrap();
    std::fs::write(
        &jobs,
        text.replace("for: 200ms", "for: 200ms, handover: true"),
    )
    .unwrap();
    let words = ["release", "submit", jobs.to_str().unwrap(), "--as", "ci"];
    let jobs = shop.done(&words)["release"].as_str().unwrap().to_owned();
    shop.done(&["vote", &jobs, "approve", "--as", "kim"]);
    let asked = |seen: &serde_json::Value| seen["waiting"]["on"] == "control";
    until("the note is asked for", || shop.show(&jobs), asked);
    is_idle(&shop, &engine, "three releases that wait for somebody");

    // and what they waited for lets them go on
    shop.done(&["release", "resume", &web]);
    std::fs::remove_file(shop.file("api/state-api-1")).unwrap();
    shop.done(&["release", "handover", &jobs, "--note", "quiet"]);
    for id in [&web, &api, &jobs] {
        assert_eq!(shop.ending(id), "succeeded");
    }
    is_idle(&shop, &engine, "nothing to do");
}
