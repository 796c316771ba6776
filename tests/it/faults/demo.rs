//! The demo's fleet of real processes, when something goes wrong with it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use holdpoint::cli::fleet::place::{Place, Served};
use holdpoint::cli::fleet::profile::{self, Profile};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::shop::{Keeper, done, events, holdpoint, ledger};
use crate::until::until;

/// A demo without a terminal.
pub struct Demo {
    pub room: TempDir,
    pub keeper: Keeper,
}

impl Demo {
    pub fn start() -> Demo {
        let room = tempfile::tempdir().unwrap();
        let keeper = start(room.path());
        assert_eq!(keeper.hello["schema"], "holdpoint.demo/1");
        assert_eq!(keeper.hello["room"], room.path().to_str().unwrap());
        Demo { room, keeper }
    }

    /// Where the room is.
    pub fn path(&self) -> &Path {
        self.room.path()
    }

    /// Submits a plan for `web`, which no story touches, and has it approved.
    fn approved(&self, plan: &str) -> String {
        let file = self.path().join("web.yaml");
        std::fs::write(&file, plan).unwrap();
        let words = ["release", "submit", file.to_str().unwrap()];
        let id = done(self.path(), &words)["release"].clone();
        let id = id.as_str().unwrap().to_owned();
        for who in ["kim", "ada"] {
            done(self.path(), &["vote", &id, "approve", "--as", who]);
        }
        id
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // first who would start more
        let _ = self.keeper.child.kill();
        let _ = self.keeper.child.wait();
        for (pid, _) in processes(self.path()) {
            let _ = kill_process(pid, Signal::CONT);
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

fn start(room: &Path) -> Keeper {
    Keeper::start(room, &["demo", "--headless", "--seed", "7"])
}

/// The processes whose command line names the room, with it.
fn processes(room: &Path) -> Vec<(Pid, String)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(pid) = name.parse().ok().and_then(Pid::from_raw) else {
            continue;
        };
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        if line.contains(room.to_str().unwrap()) {
            found.push((pid, line));
        }
    }
    found
}

/// Which process every instance is, by its name.
fn fleet(room: &Path) -> BTreeMap<String, Served> {
    let root = room.join("fleet");
    let places = Place::services(&root).into_iter();
    let places = places.flat_map(|service| Place::all(&root, &service));
    let served = places.filter_map(|p| Some((p.instance().to_owned(), p.served()?)));
    served.collect()
}

fn web(room: &Path, instance: &str) -> Served {
    fleet(room).remove(instance).unwrap()
}

fn signal(served: &Served, signal: Signal) {
    kill_process(Pid::from_raw(served.pid).unwrap(), signal).unwrap();
}

#[test]
fn leaving_the_demo_leaves_no_process_behind() {
    for (signal, code) in [(Signal::INT, 0), (Signal::TERM, 0)] {
        let mut demo = Demo::start();
        let fleet = fleet(demo.path());
        assert!(fleet.len() >= 20, "{fleet:#?}");
        assert!(fleet.values().all(Served::lives), "{fleet:#?}");
        let ended = demo.keeper.signal(signal);
        assert_eq!(ended.code(), Some(code), "{signal:?}");
        let left = processes(demo.path());
        assert!(left.is_empty(), "{signal:?}: {left:#?}");
    }
}

#[test]
fn a_killed_demo_is_taken_up_again_with_the_same_processes() {
    let mut demo = Demo::start();
    let room = demo.path().to_owned();
    // in the middle of something: a call has begun
    let begun = |entries: &Vec<Value>| !events(entries, "effect-begun").is_empty();
    until("a first call", || ledger(&room), begun);
    demo.keeper.child.kill().unwrap();
    demo.keeper.child.wait().unwrap();
    let before = fleet(&room);
    demo.keeper = start(&room);
    let after = fleet(&room);
    let entries = ledger(&room);
    // what releases were at when the engine was killed goes on, and is no matter of the demo's
    let touched: BTreeSet<&str> = events(&entries, "effect-begun")
        .iter()
        .map(|event| event["effect"]["instance"].as_str().unwrap())
        .collect();
    let mut same = 0;
    for (name, served) in &before {
        if !touched.contains(name.as_str()) {
            assert_eq!(after.get(name), Some(served), "{name} was started again");
            assert!(served.lives(), "{name} is gone");
            same += 1;
        }
    }
    assert!(same >= 15, "{touched:?}");
    // and its releases go on: none was lost, the calls that were begun come to their end
    let ended = |entries: &Vec<Value>| {
        let ended = events(entries, "effect-ended").len();
        ended >= events(entries, "effect-begun").len().min(6)
    };
    let entries = until("calls end", || ledger(&room), ended);
    let unknown = events(&entries, "effect-ended");
    let unknown = unknown
        .iter()
        .filter(|e| e["outcome"].get("unknown").is_some());
    assert_eq!(unknown.count(), 0, "{entries:#?}");
    assert_eq!(demo.keeper.signal(Signal::TERM).code(), Some(0));
    // a call that had just begun is not cut off: its runner ends with it
    let left = || processes(&room);
    until("every process ends", left, |left| left.is_empty());
}

/// One instance, a person's word, the other two one after the other.
fn steps(number: u32, patience: &str) -> String {
    format!(
        "name: web-2.{number}.0\ntitle: Web 2.{number}.0\nenvironment: prod-eu\nservices:\n  \
         - {{ service: web, version: 2.{number}.0, digest: \"sha256:{number:064x}\" }}\n\
         start: auto\nbatches:\n  - exposure: 30%\n  - exposure: full\n    before: [{{ manual: {{}} }}]\n\
         triggers:\n  - {{ instances_down: {patience}, action: roll-back }}\nobserve: {{ for: 1s }}\n"
    )
}

/// Rolls to the second batch, and stops the instance of the first one while that batch moves.
/// Returns the release and the instance.
fn stopped(demo: &Demo, number: u32, patience: &str) -> (String, Served) {
    let room = demo.path();
    // slow to start, so that there is time to notice before the batch is over
    let slow = Profile {
        start_ms: 4000,
        ..Profile::default()
    };
    let profiles = [(format!("2.{number}.0"), slow)].into();
    profile::write(&room.join("fleet"), &profiles).unwrap();
    let id = demo.approved(&steps(number, patience));
    let show = || done(room, &["release", "show", &id]);
    until("the manual hold", show, |r| {
        r["waiting"]["word"] == "manual"
    });
    done(room, &["release", "promote", &id]);
    until(
        "the second batch",
        || touched(room, &id),
        |t| t.contains("web-02"),
    );
    let first = web(room, "web-01");
    assert_eq!(first.version, format!("2.{number}.0"));
    signal(&first, Signal::STOP);
    (id, first)
}

/// The instances for which a call of a release has begun.
fn touched(room: &Path, id: &str) -> BTreeSet<String> {
    let entries = ledger(room);
    let number: u64 = id.strip_prefix("R-").unwrap().parse().unwrap();
    events(&entries, "effect-begun")
        .into_iter()
        .filter(|event| event["effect"]["release"] == number)
        .map(|event| event["effect"]["instance"].as_str().unwrap().to_owned())
        .collect()
}

/// Waits until the release waits on `web-01`, and `web-02` has come to its end.
fn waits_on_the_stopped_one(room: &Path, id: &str) -> Value {
    let show = || done(room, &["release", "show", id]);
    let waits = |r: &Value| {
        let second = &r["batches"][1]["moves"][0]["instances"];
        let second = second.as_array().unwrap().iter();
        let ended = second
            .filter(|i| i["instance"] == "web-02")
            .all(|i| i["status"] == "done");
        r["waiting"]["names"] == serde_json::json!(["web-01"]) && ended
    };
    until("it waits on web-01", show, waits)
}

#[test]
fn nothing_goes_on_over_a_stopped_instance_until_it_goes_on_itself() {
    let demo = Demo::start();
    let room = demo.path();
    let (id, first) = stopped(&demo, 3, "10m");
    let seen = waits_on_the_stopped_one(room, &id);
    assert_eq!(seen["waiting"]["trouble"], true, "{seen:#}");
    assert_eq!(seen["waiting"]["on"], "instance", "{seen:#}");
    let what = seen["waiting"]["what"].as_str().unwrap();
    assert!(what.contains("web-01"), "{what}");
    let list = holdpoint(room, &["release", "list"]).out;
    assert!(list.contains("web-01"), "{list}");
    // the engine goes on with everything else meanwhile, and looks at web again and again
    let until_seq = ledger(room).len() + 20;
    until(
        "other releases go on",
        || ledger(room).len(),
        |n| *n >= until_seq,
    );
    assert!(
        !touched(room, &id).contains("web-03"),
        "it went on over it:\n{}",
        holdpoint(room, &["ledger", "show"]).out
    );
    signal(&first, Signal::CONT);
    let wait = [
        "release",
        "wait",
        &id,
        "--until",
        "succeeded",
        "--timeout",
        "60",
    ];
    assert_eq!(done(room, &wait)["ending"], "succeeded");
    assert_eq!(web(room, "web-03").version, "2.3.0");
    assert_eq!(web(room, "web-01"), first, "it was started again");
}

#[test]
fn a_stopped_instance_is_taken_back_by_the_trigger() {
    let demo = Demo::start();
    let room = demo.path();
    let (id, first) = stopped(&demo, 4, "4s");
    let wait = [
        "release",
        "wait",
        &id,
        "--until",
        "rolled-back",
        "--timeout",
        "120",
    ];
    assert_eq!(done(room, &wait)["ending"], "rolled-back");
    assert!(!first.lives(), "the stopped process is still there");
    for name in ["web-01", "web-02", "web-03"] {
        let served = web(room, name);
        assert_eq!(served.version, "2.0.0", "{name}");
        assert!(served.lives(), "{name}");
    }
    assert!(!touched(room, &id).contains("web-03"), "it went on over it");
}
