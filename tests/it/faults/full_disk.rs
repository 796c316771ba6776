//! A disk that is really full, below a room whose engine runs.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::shop::{Shop, events, ledger};
use crate::until::until;

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
        let size = format!("size={mebibytes}m");
        let done = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(dir.path())
            .output()
            .unwrap();
        assert!(
            done.status.success(),
            "a tmpfs could not be mounted ({}). This test needs root; where there is none, leave \
             it out with HOLDPOINT_SKIP=tmpfs",
            String::from_utf8_lossy(&done.stderr)
        );
        Some(Disk(dir))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Takes every byte that is left, now and while it is called again.
    fn fill(&self) {
        let mut options = File::options();
        let filler = self.path().join("filler");
        let mut file = options.create(true).append(true).open(filler).unwrap();
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
        std::fs::remove_file(self.path().join("filler")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // lazily, because a process may still be ending
        Command::new("umount")
            .arg("-l")
            .arg(self.path())
            .status()
            .ok();
    }
}

/// Fills the disk until a plan is refused because of it; what was acknowledged before is counted.
fn refused(disk: &Disk, shop: &Shop, number: &mut u32) -> u32 {
    let mut taken = 0;
    let see = || {
        disk.fill();
        *number += 1;
        let plan = shop.plan("jobs", *number, "");
        let said = shop.cli(&["release", "submit", plan.to_str().unwrap(), "--json"]);
        taken += u32::from(said.code == Some(0));
        (said.code, said.refusal())
    };
    let full = |seen: &(Option<i32>, String)| *seen == (Some(1), "disk-full".to_owned());
    until("a plan is refused because the disk is full", see, full);
    // what a failed write took up of the log may still hold smaller ones: until none fits, though
    // the engine tries once a second
    let mut last = (0, Instant::now());
    let see = || {
        disk.fill();
        let entries = ledger(&shop.room).len();
        if entries != last.0 {
            last = (entries, Instant::now());
        }
        last.1.elapsed()
    };
    let quiet = |span: &Duration| *span > Duration::from_millis(2500);
    until("nothing is written any more", see, quiet);
    taken
}

fn submitted(entries: &[Value]) -> usize {
    events(entries, "submitted").len()
}

#[test]
fn on_a_full_disk_nothing_goes_forward_pausing_works_and_all_goes_on_afterwards() {
    let Some(disk) = Disk::mount(16) else { return };
    let shop = Shop::new(&disk.path().join("room"));
    let engine = shop.serve();
    // one in the middle of its first batch, two calls under way
    std::fs::write(shop.file("gate"), "").unwrap();
    let web = shop.approved("web", 1, "");
    until("two calls", || shop.calls(), |calls| calls.len() == 2);
    let mut number = 10;
    let taken = refused(&disk, &shop, &mut number);

    let entries = ledger(&shop.room);
    assert_eq!(
        submitted(&entries),
        1 + taken as usize,
        "what was refused is in the ledger"
    );
    let said = shop.cli(&[
        "release",
        "submit",
        shop.plan("api", 900, "").to_str().unwrap(),
    ]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.err.contains("disk"), "{said:?}");
    assert!(
        shop.cli(&["release", "list"]).out.contains(&web),
        "the room is not readable"
    );

    // what runs comes to its end, and nothing new begins
    std::fs::remove_file(shop.file("gate")).unwrap();
    let both = |entries: &Vec<Value>| events(entries, "effect-ended").len() == 2;
    until("both calls end", || ledger(&shop.room), both);
    assert_eq!(shop.calls().len(), 2, "{:?}", shop.calls());
    shop.done(&["release", "pause", &web, "--why", "the disk is full"]);
    assert_eq!(shop.show(&web)["waiting"]["word"], "paused");
    assert_eq!(events(&ledger(&shop.room), "effect-begun").len(), 2);

    // an engine that is killed now comes back, on the full disk too
    engine.kill();
    disk.fill();
    let engine = shop.serve();
    assert_eq!(shop.show(&web)["waiting"]["word"], "paused");
    assert_eq!(shop.calls().len(), 2, "{:?}", shop.calls());

    disk.free();
    let again = || {
        number += 1;
        let plan = shop.plan("api", number, "");
        shop.cli(&[
            "release",
            "submit",
            plan.to_str().unwrap(),
            "--as",
            "ci",
            "--json",
        ])
    };
    let api = until("plans are taken again", again, |said| said.code == Some(0));
    let api = api.json()["release"].as_str().unwrap().to_owned();
    shop.done(&["vote", &api, "approve", "--as", "kim"]);
    shop.done(&["release", "resume", &web]);
    assert_eq!(shop.ending(&web), "succeeded");
    assert_eq!(shop.ending(&api), "succeeded");
    once(&shop.calls(), 8);
    engine.kill();
}

/// Without the pause: the rollout stands by itself and goes on by itself.
#[test]
fn a_rollout_stands_on_a_full_disk_and_goes_on_by_itself() {
    for killed in [false, true] {
        let Some(disk) = Disk::mount(16) else { return };
        let shop = Shop::new(&disk.path().join("room"));
        let mut engine = shop.serve();
        std::fs::write(shop.file("gate"), "").unwrap();
        let web = shop.approved("web", 1, "");
        until("two calls", || shop.calls(), |calls| calls.len() == 2);
        let mut number = 10;
        refused(&disk, &shop, &mut number);
        std::fs::remove_file(shop.file("gate")).unwrap();
        let both = |entries: &Vec<Value>| events(entries, "effect-ended").len() == 2;
        until("both calls end", || ledger(&shop.room), both);
        if killed {
            engine.kill();
            disk.free();
            engine = shop.serve();
        } else {
            disk.free();
        }
        assert_eq!(shop.ending(&web), "succeeded", "killed: {killed}");
        once(&shop.calls(), 4);
        engine.kill();
    }
}

/// What an engine could not begin before it was killed, the next one begins though nothing is news:
/// the new version was seen before the disk was full, and the call's end was written down on it.
#[test]
fn an_engine_that_comes_back_begins_what_the_full_disk_kept_from_beginning() {
    let Some(disk) = Disk::mount(16) else { return };
    let shop = Shop::new(&disk.path().join("room"));
    let engine = shop.serve();
    std::fs::write(shop.file("late"), "").unwrap();
    let web = shop.approved("web", 1, "batches: [{ exposure: full }]\n");
    let seen = |entries: &Vec<Value>| {
        let new = |e: &&&Value| e["sight"]["artifact"]["version"] == "1.0.1";
        events(entries, "instance-seen").iter().filter(new).count() == 2
    };
    until("the new version is seen", || ledger(&shop.room), seen);
    let mut number = 10;
    refused(&disk, &shop, &mut number);
    std::fs::remove_file(shop.file("late")).unwrap();
    let both = |entries: &Vec<Value>| events(entries, "effect-ended").len() == 2;
    until("both calls end", || ledger(&shop.room), both);
    engine.kill();
    disk.free();
    let engine = shop.serve();
    assert_eq!(shop.ending(&web), "succeeded");
    once(&shop.calls(), 4);
    engine.kill();
}

/// Every call was made, each once.
#[track_caller]
fn once(calls: &[String], times: usize) {
    let mut set = calls.to_vec();
    set.sort();
    set.dedup();
    assert_eq!((calls.len(), set.len()), (times, times), "{calls:?}");
}
