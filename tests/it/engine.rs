//! The engine over real programs: a small shell script that keeps in files what is deployed where,
//! and a ledger whose disk can fail.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use holdpoint::domain::charter::Charter;
use holdpoint::domain::plan::OnFailure;
use holdpoint::domain::release::StepStatus;
use holdpoint::domain::wanted::wanted;
use holdpoint::domain::{
    Actor, Ask, Choice, Control, Door, InstanceName, Notice, Plan, ReleaseId, SourceName, Span,
    State, waiting,
};
use holdpoint::engine::clock::Clock;
use holdpoint::engine::{Hook, Parts, Running, TargetPart, start};
use holdpoint::ledger::memory::{Fault, Memory};
use holdpoint::platform::Platform;
use holdpoint::platform::command::{CommandConfig, CommandTarget, InstanceConfig, Timeouts};
use holdpoint::platform::prometheus::client::Config;
use holdpoint::platform::runner::Runner;
use tempfile::TempDir;

use crate::room::{charter, plan};
use crate::until::until_async;

/// What operates the instances: `deploy` waits while `gate` or the instance's own gate exists, fails while `broken` exists.
const SCRIPT: &str = r#"#!/bin/sh
cd "$(dirname "$0")"
case "$1" in
  deploy)
    echo "$HOLDPOINT_EFFECT" >> calls
    while [ -e gate ] || [ -e "gate-$HOLDPOINT_INSTANCE" ]; do sleep 0.02; done
    if [ -e broken ]; then echo "no space left on device"; exit 7; fi
    echo "$HOLDPOINT_VERSION $HOLDPOINT_DIGEST" > "on-$HOLDPOINT_INSTANCE.new"
    mv "on-$HOLDPOINT_INSTANCE.new" "on-$HOLDPOINT_INSTANCE" ;;
  status)
    if [ -e garbage ]; then printf 'kernel panic\033[2J'; exit 0; fi
    for f in on-*; do
      read -r version digest < "$f"
      state=running
      [ -e "down-${f#on-}" ] && state=down
      printf '{"instance":"%s","version":"%s","digest":"%s","state":"%s"}\n' "${f#on-}" "$version" "$digest" "$state"
    done ;;
esac
"#;

/// A target with six instances, and an engine over it that can be stopped and started again.
pub struct Stage {
    dir: TempDir,
    memory: Memory,
    engine: Option<Running>,
    /// Where the instances answer, from the next start on.
    pub urls: BTreeMap<InstanceName, String>,
    /// What is told of what people must know, from the next start on.
    pub hook: Option<Hook>,
    /// The stores that metrics can be read from, from the next start on.
    pub sources: BTreeMap<SourceName, Arc<Config>>,
    /// Who there is, from the next start on.
    pub charter: Charter,
    /// Whether made-up people may act, from the next start on.
    pub samples: bool,
    /// How often the metrics are looked at, from the next start on.
    pub look: Span,
}

impl Stage {
    pub async fn new() -> Stage {
        let dir = tempfile::tempdir().unwrap();
        let script = dir.path().join("operate");
        fs::write(&script, SCRIPT).unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
        for n in 1..=6 {
            let old = crate::room::old();
            let line = format!("{} {}\n", old.version, old.digest);
            fs::write(dir.path().join(format!("on-i-{n}")), line).unwrap();
        }
        let mut stage = Stage {
            dir,
            memory: Memory::default(),
            engine: None,
            urls: BTreeMap::new(),
            hook: None,
            sources: BTreeMap::new(),
            samples: false,
            charter: charter(),
            look: Span::secs(1),
        };
        stage.start().await;
        stage
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub async fn start(&mut self) {
        let part = TargetPart {
            platform: Platform::Command(target(self.dir.path())),
            urls: self.urls.clone(),
            metrics_path: "/metrics".to_owned(),
            namespace: None,
            every: Span(50),
            stale: Span(400),
        };
        let parts = Parts {
            ledger: self.memory.open().unwrap(),
            charter: Arc::new(self.charter.clone()),
            targets: [("payments-eu".into(), part)].into(),
            sources: self.sources.clone(),
            clock: Clock::System,
            look: self.look,
            hook: self.hook.clone(),
            samples: self.samples,
            telemetry: Some(self.file("telemetry.db")),
        };
        self.engine = Some(start(parts).await.unwrap());
    }

    /// Stops the engine; what it began outside goes on, as after a crash.
    pub async fn stop(&mut self) {
        self.engine.take().unwrap().stop().await;
    }

    pub fn engine(&self) -> &holdpoint::engine::EngineHandle {
        &self.engine.as_ref().unwrap().handle
    }

    pub async fn ask(&self, who: &str, ask: Ask) -> Result<(), Notice> {
        let who = Actor::Person(who.into());
        let done = self.engine().ask(who, Door::Socket { uid: 1 }, ask).await;
        done.map(|_| ())
    }

    pub async fn control(&self, release: ReleaseId, control: Control) -> Result<(), Notice> {
        self.ask("ada", Ask::Control { release, control }).await
    }

    /// Submits a plan and has it approved.
    pub async fn approved(&self, plan: Plan) -> ReleaseId {
        let submit = Ask::Submit {
            plan: Arc::new(plan),
        };
        let who = Actor::Person("pipeline".into());
        let done = self.engine().ask(who, Door::Engine, submit).await.unwrap();
        let release = done.release.unwrap();
        for who in ["kim", "bo"] {
            self.ask(who, approve(release)).await.unwrap();
        }
        release
    }

    pub fn state(&self) -> Arc<State> {
        self.engine().state().borrow().clone()
    }

    fn waits_for(&self, release: ReleaseId) -> String {
        let state = self.state();
        match (state.live.get(&release), state.closed.get(&release)) {
            (Some(r), _) => {
                let w = waiting::of(&state, r, state.now);
                format!("{}: {}", w.word, w.what)
            }
            (None, Some(s)) => format!("closed: {}", s.ending.words()),
            (None, None) => "unknown".to_owned(),
        }
    }

    pub async fn until(&self, release: ReleaseId, what: &str) -> String {
        let see = async || self.waits_for(release);
        until_async(what, see, |seen| seen.starts_with(what)).await
    }

    fn calls(&self) -> Vec<String> {
        let text = fs::read_to_string(self.file("calls")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    async fn until_called(&self, times: usize) {
        let see = async || self.calls();
        until_async("calls", see, |calls| calls.len() >= times).await;
    }
}

fn target(dir: &Path) -> CommandTarget {
    let operate = |verb: &str| vec![dir.join("operate").display().to_string(), verb.to_owned()];
    let config = CommandConfig {
        instances: (1..=6)
            .map(|n| InstanceConfig {
                name: format!("i-{n}"),
                host: None,
                url: None,
                env: BTreeMap::new(),
            })
            .collect(),
        deploy: operate("deploy"),
        rollback: operate("deploy"),
        status: operate("status"),
        drain: None,
        undrain: None,
        via: None,
        dir: None,
        env: BTreeMap::new(),
        timeouts: Timeouts::default(),
        parallel: 8,
    };
    let runner = Runner::with_program(dir.join("effects"), env!("CARGO_BIN_EXE_holdpoint"));
    CommandTarget::new("payments-eu".into(), config, runner).unwrap()
}

fn approve(release: ReleaseId) -> Ask {
    Ask::Vote {
        release,
        choice: Choice::Approve,
        comment: "".into(),
        digest: None,
    }
}

/// Half, a person's word, then everything; a short observation.
pub fn short_plan() -> Plan {
    let mut short = plan();
    short.triggers.clear();
    short.batches.remove(0);
    short.batches[0].after.clear();
    short.observe.span = Span(100);
    short
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_release_goes_all_the_way_and_every_call_is_made_once() {
    let stage = Stage::new().await;
    let id = stage.approved(short_plan()).await;
    stage.control(id, Control::Start).await.unwrap();
    stage.until(id, "manual").await;
    assert!(stage.calls().is_empty(), "{:?}", stage.calls());
    stage
        .control(id, Control::Promote { seen: None })
        .await
        .unwrap();
    stage.until(id, "closed: succeeded").await;
    let mut calls = stage.calls();
    assert_eq!(calls.len(), 6);
    calls.sort();
    calls.dedup();
    assert_eq!(calls.len(), 6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_acknowledges_nothing_and_still_pauses() {
    let stage = Stage::new().await;
    let id = stage.approved(short_plan()).await;
    fs::write(stage.file("gate"), "").unwrap();
    stage.control(id, Control::Start).await.unwrap();
    stage.until(id, "manual").await;
    stage
        .control(id, Control::Promote { seen: None })
        .await
        .unwrap();
    stage.until_called(1).await;
    stage.memory.fill();
    let seq = stage.state().seq;
    let refused = stage
        .ask(
            "pipeline",
            Ask::Submit {
                plan: Arc::new(plan()),
            },
        )
        .await
        .unwrap_err();
    assert_eq!(refused.code, "name-taken", "{refused}");
    let mut other = plan();
    other.name = None;
    let other = Ask::Submit {
        plan: Arc::new(other),
    };
    let refused = stage.ask("pipeline", other.clone()).await.unwrap_err();
    assert_eq!(refused.code, "disk-full", "{refused}");
    assert_eq!(
        stage.state().seq,
        seq,
        "something was shown that is not durable"
    );
    let live = stage.engine().live().borrow().clone();
    assert!(live.ledger.broken.is_some(), "nobody is told");
    // stopping gives up the ballast
    stage
        .control(id, Control::Pause { why: "disk".into() })
        .await
        .unwrap();
    assert!(stage.waits_for(id).starts_with("paused"));
    // what has begun comes to its end, and nothing new begins
    let called = stage.state().live[&id].touched().count();
    stage.until_called(called).await;
    fs::remove_file(stage.file("gate")).unwrap();
    stage.memory.free();
    let see = async || stage.engine().live().borrow().ledger.broken.clone();
    until_async("writing works again", see, Option::is_none).await;
    stage.ask("pipeline", other).await.unwrap();
    assert_eq!(stage.calls().len(), called);
    stage.control(id, Control::Resume).await.unwrap();
    stage.until(id, "closed: succeeded").await;
    assert_eq!(stage.calls().len(), 6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_that_comes_back_finds_its_calls_and_makes_none_twice() {
    let mut stage = Stage::new().await;
    let id = stage.approved(short_plan()).await;
    fs::write(stage.file("gate"), "").unwrap();
    stage.control(id, Control::Start).await.unwrap();
    stage.until(id, "manual").await;
    stage
        .control(id, Control::Promote { seen: None })
        .await
        .unwrap();
    stage.until_called(2).await;
    stage.stop().await;
    stage.start().await;
    fs::remove_file(stage.file("gate")).unwrap();
    stage.until(id, "closed: succeeded").await;
    let mut calls = stage.calls();
    let all = calls.len();
    calls.sort();
    calls.dedup();
    assert_eq!((all, calls.len()), (6, 6));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_that_end_in_doubt_are_found_out() {
    let stage = Stage::new().await;
    let id = stage.approved(short_plan()).await;
    stage.memory.fail_next([Fault::StoredUnknown]);
    stage
        .control(id, Control::Pause { why: "".into() })
        .await
        .unwrap();
    stage.memory.fail_next([Fault::LostUnknown]);
    // lost, found out, and written again by itself
    stage.control(id, Control::Resume).await.unwrap();
    stage.control(id, Control::Start).await.unwrap();
    stage.until(id, "manual").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failing_deploy_stops_with_its_output_and_goes_back_where_the_plan_says_so() {
    let stage = Stage::new().await;
    fs::write(stage.file("broken"), "").unwrap();
    let mut goes_back = short_plan();
    goes_back.on_failure = OnFailure::RollBack;
    goes_back.batches[0].before.clear();
    let id = stage.approved(goes_back).await;
    stage.control(id, Control::Start).await.unwrap();
    // the way back fails as well, on both instances that were touched, and waits for a person
    let see = async || {
        let state = stage.state();
        (
            stage.waits_for(id),
            state.live[&id].in_flight().count(),
            stage.calls().len(),
        )
    };
    let failed =
        |seen: &(String, usize, usize)| seen.0.starts_with("failed") && seen.1 == 0 && seen.2 == 4;
    until_async("the way back fails", see, failed).await;
    let log: Vec<String> = stage.state().live[&id]
        .log
        .iter()
        .map(|l| l.text.to_string())
        .collect();
    assert!(
        log.iter()
            .any(|l| l.contains("exit 7") && l.contains("no space left")),
        "{log:#?}"
    );
    fs::remove_file(stage.file("broken")).unwrap();
    stage
        .control(id, Control::Retry { instance: None })
        .await
        .unwrap();
    stage.until(id, "closed: rolled back").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_platform_that_talks_nonsense_is_unknown_and_nothing_goes_on() {
    let stage = Stage::new().await;
    let id = stage.approved(short_plan()).await;
    stage.control(id, Control::Start).await.unwrap();
    stage.until(id, "manual").await;
    fs::write(stage.file("garbage"), "").unwrap();
    let see = async || {
        let state = stage.state();
        let seen = state.seen(&"payments-eu".into(), &"i-1".into());
        seen.map(|s| s.sight.health)
    };
    until_async("unknown", see, |h| {
        *h == Some(holdpoint::domain::Health::Unknown)
    })
    .await;
    stage
        .control(id, Control::Promote { seen: None })
        .await
        .unwrap();
    stage.until(id, "moving").await;
    assert!(
        stage.calls().is_empty(),
        "it acted on what it could not see"
    );
    let alerts = stage.engine().live().borrow().alerts.clone();
    let told = alerts.iter().find(|n| n.code == "target-blind").unwrap();
    assert!(!told.to_string().contains('\u{1b}'), "{told:?}");
    fs::remove_file(stage.file("garbage")).unwrap();
    stage.until(id, "closed: succeeded").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_instance_that_goes_down_stops_its_batch() {
    let stage = Stage::new().await;
    let id = stage.approved(short_plan()).await;
    stage.control(id, Control::Start).await.unwrap();
    stage.until(id, "manual").await;
    fs::write(stage.file("down-i-1"), "").unwrap();
    fs::write(stage.file("gate-i-2"), "").unwrap();
    stage
        .control(id, Control::Promote { seen: None })
        .await
        .unwrap();
    stage.until(id, "health: i-1 is down").await;
    // the other of two at a time may end; the third does not begin
    fs::remove_file(stage.file("gate-i-2")).unwrap();
    let step = |n: usize| stage.state().live[&id].batches[0].moves[0].steps[n].clone();
    let see = async || step(1).status;
    until_async("the end of i-2", see, |status| *status == StepStatus::Done).await;
    assert!(!step(2).touched(), "{:?}", stage.calls());
    assert_eq!(wanted(&stage.state(), id), []);
    assert_eq!(stage.calls().len(), 2, "{:?}", stage.calls());
    fs::remove_file(stage.file("down-i-1")).unwrap();
    stage.until(id, "closed: succeeded").await;
    assert_eq!(stage.calls().len(), 6, "{:?}", stage.calls());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn made_up_people_act_only_in_a_demo_and_only_as_themselves() {
    let mut stage = Stage::new().await;
    let id = stage.approved(short_plan()).await;
    let vote = async |stage: &Stage, who: &str| {
        let who = Actor::Person(who.into());
        let done = stage.engine().ask(who, Door::Sample, approve(id)).await;
        done.map(|_| ()).map_err(|notice| notice.code)
    };
    let refused = Err("sample-door".to_owned());
    // marked as a sample, but no demo
    for person in stage.charter.people.values_mut() {
        person.sample = true;
    }
    stage.stop().await;
    stage.start().await;
    let seq = stage.state().seq;
    assert_eq!(vote(&stage, "eva").await, refused);
    // a demo, in which ada is a real person
    stage.charter.people.get_mut(&"ada".into()).unwrap().sample = false;
    stage.samples = true;
    stage.stop().await;
    stage.start().await;
    assert_eq!(vote(&stage, "ada").await, refused);
    assert_eq!(vote(&stage, "nobody-at-all").await, refused);
    assert!(stage.state().live[&id].votes.len() == 2, "after {seq}");
    assert_eq!(vote(&stage, "eva").await, Ok(()));
}
