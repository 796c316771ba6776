//! A room in which 200 rollouts change ten times a second, to be measured from outside: run it in a
//! terminal, or under a program that measures terminals.
//!
//! `cargo bench --bench room --no-run`, then run the printed executable. `quiet` as its argument
//! gives the same room with nothing changing; a number gives that many rollouts; `send` needs no
//! terminal and measures durable commands from 64 senders.

#![allow(clippy::unwrap_used, reason = "a benchmark stops where it fails")]

#[path = "../tests/it/room/mod.rs"]
#[allow(dead_code, reason = "shared with the tests, which use more of it")]
mod room;

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use holdpoint::domain::charter::Charter;
use holdpoint::domain::{
    Actor, Artifact, Ask, Choice, Control, Door, Health, Notice, Plan, ReleaseId, Sight, Span,
    TargetName,
};
use holdpoint::engine::clock::Clock;
use holdpoint::engine::{EngineHandle, Parts, Running, TargetPart, start};
use holdpoint::ledger::Ledger;
use holdpoint::platform::Platform;
use holdpoint::platform::command::{CommandConfig, CommandTarget, InstanceConfig, Timeouts};
use holdpoint::platform::runner::Runner;
use holdpoint::session::Identity;
use holdpoint::session::local::attach;
use holdpoint::session::room::Hall;
use holdpoint::session::socket::{Client, Console, ExecRequest, Host};

/// How often each rollout changes.
const BEAT: Duration = Duration::from_millis(100);

/// Senders of the throughput measurement, and what each sends.
const SENDERS: u64 = 64;
const EACH: u64 = 200;

struct House(Hall);

impl Host for House {
    type Room = Hall;

    fn room(&self) -> &Hall {
        &self.0
    }

    fn identify(&self, uid: u32, _: Option<&str>) -> Result<Identity, Notice> {
        Ok(Identity {
            who: Actor::Person("ada".into()),
            door: Door::Socket { uid },
        })
    }

    async fn exec(&self, _: Identity, _: ExecRequest, _: Console) -> i32 {
        2
    }
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let rollouts = args.iter().find_map(|a| a.parse().ok()).unwrap_or(200);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let dir = tempfile::tempdir().unwrap();
    runtime.block_on(async {
        if args.iter().any(|a| a == "send") {
            send(dir.path()).await;
        } else if std::io::stdout().is_terminal() {
            show(dir.path(), rollouts, args.iter().any(|a| a == "quiet")).await;
        } else {
            println!("this benchmark shows a room: run it in a terminal, or with `send`");
        }
    });
    runtime.shutdown_background();
}

async fn show(dir: &Path, rollouts: usize, quiet: bool) {
    let running = open(dir, rollouts).await;
    let engine = running.handle.clone();
    for n in 0..rollouts {
        roll(&engine, n).await;
    }
    if !quiet {
        tokio::spawn(stir(engine.clone(), rollouts));
    }
    let house = Arc::new(House(Hall::new(engine, None, None)));
    let you = house.identify(0, None).unwrap();
    let client = Client::near(house, you).env(|name| std::env::var(name).ok());
    let term = std::env::var("TERM").ok();
    let _ = attach(client, term.as_deref(), false).await;
}

/// An engine over that many targets with six instances each; deploying is `true`.
async fn open(dir: &Path, rollouts: usize) -> Running {
    let mut charter = room::charter();
    let base = charter.targets.values().next().unwrap().clone();
    charter.targets.clear();
    charter
        .services
        .values_mut()
        .for_each(|s| s.metrics.clear());
    let mut services = BTreeMap::new();
    let mut targets = BTreeMap::new();
    for n in 0..rollouts {
        let mut target = base.clone();
        target.service = format!("service-{n}").into();
        services.insert(
            target.service.clone(),
            charter.services[&base.service].clone(),
        );
        targets.insert(name(n), part(dir, n));
        charter.targets.insert(name(n), target);
    }
    charter.services = services;
    let ledger = Ledger::open(&dir.join("ledger.db")).await.unwrap();
    engine(ledger, charter, targets).await
}

async fn engine(
    ledger: Ledger,
    charter: Charter,
    targets: BTreeMap<TargetName, TargetPart>,
) -> Running {
    let parts = Parts {
        ledger,
        charter: Arc::new(charter),
        targets,
        sources: BTreeMap::new(),
        clock: Clock::System,
        look: Span::secs(60),
        hook: None,
        samples: false,
        telemetry: None,
    };
    start(parts)
        .await
        .map_err(|notice| notice.to_string())
        .unwrap()
}

fn name(n: usize) -> TargetName {
    format!("service-{n}-eu").into()
}

fn part(dir: &Path, n: usize) -> TargetPart {
    let instance = |n: usize| InstanceConfig {
        name: format!("i-{n}"),
        host: None,
        url: None,
        env: BTreeMap::new(),
    };
    let config = CommandConfig {
        instances: (1..=6).map(instance).collect(),
        deploy: vec!["true".to_owned()],
        rollback: vec!["true".to_owned()],
        status: vec!["true".to_owned()],
        drain: None,
        undrain: None,
        via: None,
        dir: None,
        env: BTreeMap::new(),
        timeouts: Timeouts::default(),
        parallel: 1,
    };
    // the runner of a benchmark has no subcommands: calls end as not started, and are made up below
    let runner = Runner::with_program(dir.join("effects"), "true");
    TargetPart {
        platform: Platform::Command(CommandTarget::new(name(n), config, runner).unwrap()),
        urls: BTreeMap::new(),
        metrics_path: "/metrics".to_owned(),
        // what is seen is made up, ten times a second
        namespace: None,
        every: Span::mins(60),
        stale: Span::mins(60),
    }
}

/// A plan that bakes for an hour after its first batch.
fn plan(n: usize) -> Plan {
    let mut plan = room::plan();
    plan.name = None;
    plan.triggers.clear();
    plan.services[0].service = format!("service-{n}").into();
    plan.batches[0].after.truncate(1);
    plan.batches[0].after[0].bake = Some(Span::mins(60));
    plan.batches[1].after.clear();
    plan
}

/// Submits, approves and starts one rollout.
async fn roll(engine: &EngineHandle, n: usize) {
    let person = |who: &str| Actor::Person(who.into());
    let door = Door::Socket { uid: 0 };
    let submit = Ask::Submit {
        plan: Arc::new(plan(n)),
    };
    let done = engine.ask(person("pipeline"), door.clone(), submit).await;
    let release = done
        .map_err(|notice| notice.to_string())
        .unwrap()
        .release
        .unwrap();
    see(engine, n, Health::Running).await;
    for who in ["kim", "bo"] {
        vote(engine, who, release, Choice::Approve).await;
    }
    let control = Control::Start;
    let start = Ask::Control { release, control };
    engine.ask(person("ada"), door, start).await.unwrap();
}

async fn vote(engine: &EngineHandle, who: &str, release: ReleaseId, choice: Choice) {
    let vote = Ask::Vote {
        release,
        choice,
        comment: "".into(),
        digest: None,
    };
    let who = Actor::Person(who.into());
    let done = engine.ask(who, Door::Socket { uid: 0 }, vote).await;
    done.map_err(|notice| notice.to_string()).unwrap();
}

/// Says what is seen of one target's last instance.
async fn see(engine: &EngineHandle, n: usize, health: Health) {
    let old: Artifact = room::old();
    let sight = |i: usize| Sight {
        instance: format!("i-{i}").into(),
        health: if i == 6 { health } else { Health::Running },
        artifact: Some(old.clone()),
        arriving: None,
        detail: "".into(),
    };
    let seen = Ask::Seen {
        target: name(n),
        sights: (1..=6).map(sight).collect(),
    };
    let _ = engine.ask(Actor::Engine, Door::Engine, seen).await;
}

/// Every rollout changes at every beat.
async fn stir(engine: EngineHandle, rollouts: usize) {
    let mut beat = tokio::time::interval(BEAT);
    let mut up = true;
    loop {
        beat.tick().await;
        up = !up;
        let health = if up {
            Health::Running
        } else {
            Health::Changing
        };
        let mut asked = tokio::task::JoinSet::new();
        for n in 0..rollouts {
            let engine = engine.clone();
            asked.spawn(async move { see(&engine, n, health).await });
        }
        while asked.join_next().await.is_some() {}
    }
}

/// Durable commands from 64 senders, each waiting for its answer before the next.
async fn send(dir: &Path) {
    let running = open(dir, 1).await;
    let engine = running.handle.clone();
    let person = Actor::Person("pipeline".into());
    let mut releases = Vec::new();
    for _ in 0..SENDERS {
        let submit = Ask::Submit {
            plan: Arc::new(plan(0)),
        };
        let done = engine
            .ask(person.clone(), Door::Socket { uid: 0 }, submit)
            .await
            .unwrap();
        releases.push(done.release.unwrap());
    }
    let before = engine.state().borrow().seq;
    let began = Instant::now();
    let mut senders = tokio::task::JoinSet::new();
    for release in releases {
        let engine = engine.clone();
        senders.spawn(async move {
            for n in 0..EACH {
                let choice = if n % 2 == 0 {
                    Choice::Object
                } else {
                    Choice::Abstain
                };
                vote(&engine, "kim", release, choice).await;
            }
        });
    }
    while senders.join_next().await.is_some() {}
    let took = began.elapsed().as_secs_f64();
    let events = engine.state().borrow().seq - before;
    let commands = SENDERS * EACH;
    println!(
        "{commands} durable commands from {SENDERS} senders: {:.0} a second",
        commands as f64 / took
    );
    running.stop().await;
    plain(dir, events, commands).await;
}

/// The same number of rows of the same size in batches of the same size into plain SQLite.
async fn plain(dir: &Path, events: u64, commands: u64) {
    use sqlx::{Connection, Executor};
    let reader = holdpoint::ledger::Reader::open(&dir.join("ledger.db"))
        .await
        .unwrap();
    let mut entries = reader.read(1).await.unwrap();
    let mut rows: Vec<Vec<u8>> = Vec::new();
    while let Some(chunk) = entries.next().await.unwrap() {
        rows.extend(chunk.iter().map(|e| e.bytes.to_vec()));
    }
    let rows = rows.split_off(rows.len() - usize::try_from(events).unwrap());
    let url = format!("sqlite://{}?mode=rwc", dir.join("plain.db").display());
    let mut db = sqlx::SqliteConnection::connect(&url).await.unwrap();
    for pragma in [
        "PRAGMA journal_mode=WAL",
        "PRAGMA synchronous=FULL",
        "CREATE TABLE rows (seq INTEGER PRIMARY KEY, bytes BLOB NOT NULL)",
    ] {
        db.execute(pragma).await.unwrap();
    }
    let batch = usize::try_from(SENDERS).unwrap();
    let began = Instant::now();
    for rows in rows.chunks(batch) {
        let places = vec!["(?)"; rows.len()].join(",");
        let insert = sqlx::AssertSqlSafe(format!("INSERT INTO rows (bytes) VALUES {places}"));
        let mut query = sqlx::query(insert);
        for row in rows {
            query = query.bind(row.clone());
        }
        query.execute(&mut db).await.unwrap();
    }
    let took = began.elapsed().as_secs_f64();
    println!(
        "plain SQLite, {events} rows in batches of {batch}: {:.0} commands' worth a second",
        commands as f64 / took
    );
}
