//! The engine is killed with `SIGKILL` again and again while people work with it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use serde_json::Value;

use crate::shop::{Dice, Keeper, SERVICES, Said, Shop, events, ledger};
use crate::until::until;

/// How often the engine is killed where `HOLDPOINT_KILLS` does not say.
const KILLS: u32 = 25;

/// How long an engine lives at most, from its start on, in milliseconds.
const LIFE: u64 = 900;

/// How many releases may be open at once.
const OPEN: usize = 6;

/// A command whose exit code was 0.
#[derive(Clone, Debug)]
struct Ack {
    did: &'static str,
    release: String,
    /// What names it in the ledger: a plan's name, a comment, a reason.
    mark: String,
    seq: u64,
}

/// Somebody who works with the room, whether or not there is an engine.
struct Client<'a> {
    shop: &'a Shop,
    dice: Dice,
    acks: Vec<Ack>,
    /// How often a command was refused, by the code.
    refused: BTreeMap<String, u32>,
}

impl Client<'_> {
    fn ask(&mut self, did: &'static str, mark: &str, words: &[&str]) -> bool {
        let said = self.shop.cli(&[words, &["--json"]].concat());
        if said.code != Some(0) {
            *self.refused.entry(refusal(&said)).or_default() += 1;
            return false;
        }
        let json = said.json();
        self.acks.push(Ack {
            did,
            release: json["release"].as_str().unwrap().to_owned(),
            mark: mark.to_owned(),
            seq: json["seq"].as_u64().unwrap(),
        });
        true
    }

    fn releases(&self) -> Vec<Value> {
        let said = self.shop.cli(&["release", "list", "--json"]);
        match said.code {
            Some(0) => said.lines(),
            _ => Vec::new(),
        }
    }

    /// Plans and votes.
    fn pipeline(&mut self, numbers: &AtomicU32) {
        let open = self.releases();
        let waits = |r: &&Value| r["waiting"]["word"] == "approval";
        if let Some(release) = open.iter().find(waits) {
            let comment = format!("looks good {}", numbers.fetch_add(1, Ordering::Relaxed));
            let id = release["id"].as_str().unwrap();
            let words = ["vote", id, "approve", "--as", "kim", "--comment", &comment];
            self.ask("voted", &comment, &words);
        }
        if open.len() < OPEN {
            let number = numbers.fetch_add(1, Ordering::Relaxed);
            let service = SERVICES[self.dice.roll(SERVICES.len() as u64) as usize];
            let plan = self.shop.plan(service, number, "");
            let words = ["release", "submit", plan.to_str().unwrap(), "--as", "ci"];
            self.ask("submitted", &format!("{service}-{number}"), &words);
        }
    }

    /// Pauses and resumes.
    fn operator(&mut self, numbers: &AtomicU32) {
        let open = self.releases();
        if open.is_empty() {
            return;
        }
        let release = &open[self.dice.roll(open.len() as u64) as usize];
        let id = release["id"].as_str().unwrap();
        if release["waiting"]["word"] == "paused" {
            self.ask("resumed", "", &["release", "resume", id]);
        } else {
            let why = format!("a look at it {}", numbers.fetch_add(1, Ordering::Relaxed));
            if self.ask("paused", &why, &["release", "pause", id, "--why", &why]) {
                self.ask("resumed", "", &["release", "resume", id]);
            }
        }
    }
}

fn refusal(said: &Said) -> String {
    match said.refusal() {
        code if code.is_empty() => format!("{said:?}"),
        code => code,
    }
}

/// Works until told to stop; gives back what was acknowledged.
fn work(
    shop: &Shop,
    seed: u64,
    stop: &AtomicBool,
    step: impl Fn(&mut Client<'_>),
) -> (Vec<Ack>, BTreeMap<String, u32>) {
    let mut client = Client {
        shop,
        dice: Dice(seed),
        acks: Vec::new(),
        refused: BTreeMap::new(),
    };
    while !stop.load(Ordering::Relaxed) {
        step(&mut client);
    }
    (client.acks, client.refused)
}

/// Kills one engine after another, each at a moment of its own: while it starts, replays, works.
fn kill(shop: &Shop, kills: u32, seed: u64) {
    let mut dice = Dice(seed);
    for _ in 0..kills {
        let mut engine = Keeper::spawn(&shop.room, &["serve"]);
        // no condition to wait for: that the moment is any moment is the point
        std::thread::sleep(Duration::from_millis(dice.roll(LIFE)));
        let early = engine.try_wait().unwrap();
        assert_eq!(early, None, "an engine ended by itself, seed {seed}");
        engine.kill().unwrap();
        engine.wait().unwrap();
    }
}

#[test]
fn an_engine_that_is_killed_at_any_moment_loses_nothing_and_does_nothing_twice() {
    let number = |name: &str| std::env::var(name).ok().and_then(|n| n.parse::<u64>().ok());
    let kills = number("HOLDPOINT_KILLS").map_or(KILLS, |n| n as u32);
    let clock = std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64;
    let seed = number("HOLDPOINT_SEED").unwrap_or(clock);
    println!("HOLDPOINT_KILLS={kills} HOLDPOINT_SEED={seed}");
    let room = tempfile::tempdir().unwrap();
    let shop = Shop::new(room.path());
    let (stop, numbers) = (AtomicBool::new(false), AtomicU32::new(1));
    let (mut acks, mut refused) = (Vec::new(), BTreeMap::<String, u32>::new());
    std::thread::scope(|scope| {
        let (shop, stop, numbers) = (&shop, &stop, &numbers);
        let pipeline = scope.spawn(move || work(shop, seed + 1, stop, |c| c.pipeline(numbers)));
        let operator = scope.spawn(move || work(shop, seed + 2, stop, |c| c.operator(numbers)));
        kill(shop, kills, seed);
        stop.store(true, Ordering::Relaxed);
        for client in [pipeline, operator] {
            let (theirs, not) = client.join().unwrap();
            acks.extend(theirs);
            for (code, times) in not {
                *refused.entry(code).or_default() += times;
            }
        }
    });
    let engine = shop.serve();
    close_all(&shop);
    let entries = ledger(&shop.room);
    nothing_is_lost(&entries, &acks);
    nothing_is_done_twice(&entries, &shop.calls());
    all_succeeded(&entries);
    engine.kill();
    assert_eq!(ledger(&shop.room), entries, "read without an engine");
    println!(
        "{kills} kills: {} entries, {} acknowledged commands, {} deploys, {} releases; refused: {refused:?}",
        entries.len(),
        acks.len(),
        shop.calls().len(),
        events(&entries, "closed").len(),
    );
}

/// Lets everything go on, and waits until all releases are closed.
fn close_all(shop: &Shop) {
    let open = || shop.cli(&["release", "list", "--json"]).lines();
    let see = || {
        for release in open() {
            let id = release["id"].as_str().unwrap().to_owned();
            match release["waiting"]["word"].as_str() {
                Some("paused") => drop(shop.cli(&["release", "resume", &id])),
                Some("approval") => drop(shop.cli(&["vote", &id, "approve", "--as", "kim"])),
                _ => {}
            }
        }
        open()
            .iter()
            .map(|r| format!("{} {}", r["id"], r["waiting"]))
            .collect::<Vec<_>>()
    };
    until("all releases are closed", see, Vec::is_empty);
}

fn nothing_is_lost(entries: &[Value], acks: &[Ack]) {
    for (n, entry) in entries.iter().enumerate() {
        assert_eq!(entry["seq"], n as u64 + 1, "a gap");
    }
    let has = |kind: &str, ack: &Ack, mark: &dyn Fn(&Value) -> bool| {
        events(entries, kind)
            .iter()
            .any(|event| event["release"] == release(&ack.release) && mark(event))
    };
    for ack in acks {
        let there = match ack.did {
            "submitted" => has("submitted", ack, &|e| e["plan"]["name"] == *ack.mark),
            "voted" => has("voted", ack, &|e| e["comment"] == *ack.mark),
            "paused" => has("paused", ack, &|e| e["why"] == *ack.mark),
            _ => has("resumed", ack, &|_| true),
        };
        assert!(there, "acknowledged and lost: {ack:?}");
        assert!(ack.seq <= entries.len() as u64, "{ack:?}");
    }
    let resumed = acks.iter().filter(|ack| ack.did == "resumed").count();
    assert!(events(entries, "resumed").len() >= resumed, "{resumed}");
}

/// A release's number, as events hold it.
fn release(id: &str) -> Value {
    id.strip_prefix("R-")
        .unwrap()
        .parse::<u64>()
        .unwrap()
        .into()
}

fn nothing_is_done_twice(entries: &[Value], calls: &[String]) {
    let once = |what: &str, ids: &[String]| {
        let set: BTreeSet<String> = ids.iter().cloned().collect();
        let twice: Vec<&String> = set
            .iter()
            .filter(|id| ids.iter().filter(|other| other == id).count() > 1)
            .collect();
        assert!(twice.is_empty(), "{what} twice: {twice:?}");
        set
    };
    let ids = |events: Vec<&Value>, at: &str| -> Vec<String> {
        let id = |event: &Value| event.pointer(at).unwrap().as_str().unwrap().to_owned();
        events.into_iter().map(id).collect()
    };
    let begun = once("begun", &ids(events(entries, "effect-begun"), "/effect/id"));
    let ended = once("ended", &ids(events(entries, "effect-ended"), "/effect"));
    let called = once("called", calls);
    assert_eq!(begun, ended, "begun and ended differ");
    let done: Vec<&Value> = events(entries, "effect-ended")
        .into_iter()
        .filter(|event| event["outcome"].get("done").is_some())
        .collect();
    let done: BTreeSet<String> = ids(done, "/effect").into_iter().collect();
    assert_eq!(called, done, "what was called and what is said to be done");
}

fn all_succeeded(entries: &[Value]) {
    let closed = events(entries, "closed");
    assert_eq!(closed.len(), events(entries, "submitted").len());
    let badly: Vec<&&Value> = closed
        .iter()
        .filter(|e| e["ending"] != "succeeded")
        .collect();
    assert!(badly.is_empty(), "{badly:?}");
    assert!(!closed.is_empty(), "no release was submitted at all");
}

#[test]
fn a_second_engine_is_refused_and_told_who_is_there() {
    let room = tempfile::tempdir().unwrap();
    let shop = Shop::new(room.path());
    let engine = shop.serve();
    let pid = engine.child.id().to_string();
    let names = |said: &Said| {
        let text = format!("{}{}", said.out, said.err);
        text.split(|c: char| !c.is_ascii_digit())
            .any(|word| word == pid)
    };
    for words in [&["serve"][..], &["serve", "--json"]] {
        let said = shop.cli(words);
        assert_eq!(said.code, Some(1), "{said:?}");
        assert!(names(&said), "pid {pid} is not named: {said:?}");
    }
    // and it has not harmed the first one
    assert!(Path::new(&room.path().join("sock")).exists());
    let id = shop.approved("web", 1, "");
    assert_eq!(shop.ending(&id), "succeeded");
}
