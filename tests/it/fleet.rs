//! The demo's fleet: real processes, driven as an operator would and as holdpoint does.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use holdpoint::cli::fleet::place::{Place, Served, touch};
use holdpoint::cli::fleet::profile::{self, Health, Profile, Profiles};
use holdpoint::cli::fleet::{Traffic, stop_all};
use holdpoint::domain::{Artifact, Effect, Health as Seen, Outcome, ReleaseId, Timestamp, Verb};
use holdpoint::judge::Sample;
use holdpoint::platform::command::{CommandConfig, CommandTarget};
use holdpoint::platform::http::{Http, Redirects};
use holdpoint::platform::runner::Runner;
use holdpoint::platform::scrape::{Endpoint, LookRequest, MetricQuery, QueryKind, Scraper};
use holdpoint::platform::selector::Selector;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::until::{until, until_async};

const BIN: &str = env!("CARGO_BIN_EXE_holdpoint");

pub struct Fleet(TempDir);

impl Fleet {
    /// A fleet whose versions start quickly.
    pub fn new() -> Fleet {
        let mut profiles = Profiles::new();
        let versions = [
            ("1.0", Health::Ok, 0.0),
            ("2.0", Health::Ok, 0.5),
            ("3.0", Health::Fails, 0.0),
            ("4.0", Health::Crashes, 0.0),
        ];
        for (version, health, error_rate) in versions {
            let profile = Profile {
                health,
                error_rate,
                latency_ms: 1.0,
                start_ms: 50,
                ..Profile::default()
            };
            profiles.insert(version.into(), profile);
        }
        Fleet::with(&profiles)
    }

    /// A fleet whose versions behave like this.
    pub fn with(profiles: &Profiles) -> Fleet {
        let fleet = Fleet(tempfile::tempdir().unwrap());
        profile::write(fleet.root(), profiles).unwrap();
        touch(fleet.root()).unwrap();
        fleet
    }

    pub fn root(&self) -> &Path {
        self.0.path()
    }

    fn place(&self, instance: &str) -> Place {
        self.place_of("payments", instance)
    }

    /// The files of an instance of any service.
    pub fn place_of(&self, service: &str, instance: &str) -> Place {
        Place::new(self.root(), service, instance).unwrap()
    }

    fn served(&self, instance: &str) -> Served {
        self.place(instance).served().unwrap()
    }

    pub fn url(&self, instance: &str, path: &str) -> String {
        format!(
            "http://127.0.0.1:{}{path}",
            self.place(instance).port().unwrap()
        )
    }

    fn command(&self, verb: &str, instance: &str, version: &str) -> Command {
        self.command_of("payments", verb, instance, version)
    }

    /// An operator's command for an instance of any service.
    pub fn command_of(&self, service: &str, verb: &str, instance: &str, version: &str) -> Command {
        let mut command = Command::new(BIN);
        command.args(["__fleet", verb, "--root"]).arg(self.root());
        command.args(["--service", service]);
        command.env("HOLDPOINT_INSTANCE", instance);
        command.env("HOLDPOINT_VERSION", version);
        command.env("HOLDPOINT_DIGEST", format!("sha256:{version}"));
        command
    }

    fn run(&self, verb: &str, instance: &str, version: &str) -> Output {
        self.command(verb, instance, version).output().unwrap()
    }

    #[track_caller]
    pub fn deploy(&self, instance: &str, version: &str) {
        let output = self.run("deploy", instance, version);
        assert!(output.status.success(), "{output:?}");
    }

    fn states(&self) -> Vec<(String, String, String)> {
        let output = self.run("status", "", "");
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        let read = |line: &str| {
            let value: serde_json::Value = serde_json::from_str(line).unwrap();
            let word = |key: &str| value[key].as_str().unwrap().to_string();
            (word("instance"), word("version"), word("state"))
        };
        text.lines().map(read).collect()
    }

    fn state(&self, instance: &str) -> String {
        let states = self.states();
        let found = states.into_iter().find(|(name, ..)| name == instance);
        found.map(|(_, _, state)| state).unwrap_or_default()
    }

    /// A process of the fleet that was not started by its commands.
    fn serve(&self, linger: u64) -> Child {
        let mut command = Command::new(BIN);
        command
            .args(["__fleet", "serve", "--root"])
            .arg(self.root());
        command.args([
            "--service",
            "payments",
            "--instance",
            "i-01",
            "--version",
            "1.0",
        ]);
        command.args(["--linger", &linger.to_string()]);
        command.stdin(Stdio::null()).spawn().unwrap()
    }

    fn processes(&self) -> Vec<PathBuf> {
        let root = self.root().display().to_string();
        let entries = std::fs::read_dir("/proc").unwrap().flatten();
        let of_the_fleet = |path: &PathBuf| {
            let line = std::fs::read(path.join("cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            line.contains("__fleet") && line.contains(&root)
        };
        entries.map(|e| e.path()).filter(of_the_fleet).collect()
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        let root = self.root().to_path_buf();
        // a runtime of its own: the test may be in one, and may be failing
        let stop = std::thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            runtime.block_on(stop_all(&root))
        });
        let _ = stop.join();
    }
}

fn pid(served: &Served) -> Pid {
    Pid::from_raw(served.pid).unwrap()
}

async fn get(url: &str) -> (u16, String) {
    let http = Http::plain().unwrap();
    let limit = Duration::from_secs(30);
    let got = http.get(url, limit, 1 << 20, Redirects::Stay).await;
    let got = got.unwrap_or_else(|why| panic!("{url}: {why}"));
    (got.status, String::from_utf8(got.body).unwrap())
}

fn text(output: &Output) -> String {
    let streams = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8(streams).unwrap()
}

#[tokio::test]
async fn a_deploy_replaces_the_process_and_keeps_the_port() {
    let fleet = Fleet::new();
    fleet.deploy("i-01", "1.0");
    let (first, url) = (fleet.served("i-01"), fleet.url("i-01", "/version"));
    assert!(get(&url).await.1.contains(r#""version":"1.0""#));
    let output = fleet.run("deploy", "i-01", "2.0");
    assert!(output.status.success());
    assert!(
        text(&output).contains("i-01: stopping 1.0 (pid "),
        "{output:?}"
    );
    assert!(!first.lives());
    let second = fleet.served("i-01");
    assert_eq!(second.port, first.port);
    let (_, version) = get(&url).await;
    assert!(version.contains(r#""version":"2.0""#), "{version}");
    assert!(version.contains(r#""digest":"sha256:2.0""#), "{version}");
    assert_eq!(get(&fleet.url("i-01", "/healthz")).await.0, 200);
    assert_eq!(fleet.state("i-01"), "running");
    // it stands alone: nothing of the command that started it is left
    let session = rustix::process::getsid(Some(pid(&second))).unwrap();
    assert_eq!(session, pid(&second));
}

#[tokio::test]
async fn versions_behave_as_their_profiles_say() {
    let fleet = Fleet::new();
    fleet.deploy("i-01", "3.0");
    assert_eq!(get(&fleet.url("i-01", "/healthz")).await.0, 503);
    let crash = fleet.run("deploy", "i-01", "4.0");
    assert_eq!(crash.status.code(), Some(1));
    assert!(
        text(&crash).contains("4.0 ended while it started"),
        "{crash:?}"
    );
    assert_eq!(fleet.state("i-01"), "down");
    let back = fleet.run("rollback", "i-01", "2.0");
    assert!(text(&back).contains("going back to 2.0"), "{back:?}");
    let mut codes = BTreeMap::<u16, u32>::new();
    for _ in 0..60 {
        *codes
            .entry(get(&fleet.url("i-01", "/")).await.0)
            .or_default() += 1;
    }
    assert_eq!(codes.keys().copied().collect::<Vec<_>>(), [200, 500]);
    assert!(codes[&500] > 10, "half of them fail: {codes:?}");
    let (_, page) = get(&fleet.url("i-01", "/metrics")).await;
    let line = format!(
        "http_requests_total{{code=\"500\",method=\"GET\"}} {}\n",
        codes[&500]
    );
    assert!(page.contains(&line), "{page}");
    assert!(
        page.contains("http_request_duration_seconds_count 60\n"),
        "{page}"
    );
}

#[test]
fn status_believes_only_what_answers() {
    let fleet = Fleet::new();
    assert_eq!(fleet.states(), []);
    for name in ["i-01", "i-02", "i-03"] {
        fleet.deploy(name, "1.0");
    }
    fleet.place("i-04").port().unwrap();
    kill_process(pid(&fleet.served("i-02")), Signal::STOP).unwrap();
    kill_process(pid(&fleet.served("i-03")), Signal::KILL).unwrap();
    let served = fleet.served("i-03");
    until("it is gone", || served.lives(), |lives| !lives);
    let is = |name: &str, version: &str, state: &str| (name.into(), version.into(), state.into());
    let expected = [
        is("i-01", "1.0", "running"),
        is("i-02", "1.0", "unknown"),
        is("i-03", "1.0", "down"),
        is("i-04", "", "down"),
    ];
    assert_eq!(fleet.states(), expected);
    // a stopped process cannot say goodbye, but it is replaced all the same
    let output = fleet.run("deploy", "i-02", "2.0");
    assert!(text(&output).contains("i-02: killed after"), "{output:?}");
    assert_eq!(fleet.state("i-02"), "running");
}

#[test]
fn while_a_command_is_at_it_the_instance_is_changing() {
    let fleet = Fleet::new();
    let mut slow = Profiles::new();
    let start_ms = 60_000;
    slow.insert(
        "9.0".into(),
        Profile {
            start_ms,
            ..Profile::default()
        },
    );
    profile::write(fleet.root(), &slow).unwrap();
    let mut command = fleet.command("deploy", "i-01", "9.0");
    let mut deploy = command.stdout(Stdio::null()).spawn().unwrap();
    until(
        "it is at it",
        || fleet.state("i-01"),
        |state| state == "changing",
    );
    // and ending everything ends what is only just being started
    let mut stop = Command::new(BIN);
    stop.args(["__fleet", "stop-all", "--root"])
        .arg(fleet.root());
    let output = stop.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(!deploy.wait().unwrap().success());
    assert_eq!(fleet.processes(), Vec::<PathBuf>::new());
}

#[test]
fn a_stranger_with_the_same_number_is_left_alone() {
    let fleet = Fleet::new();
    fleet.deploy("i-01", "1.0");
    let mut stranger = Command::new("sleep").arg("600").spawn().unwrap();
    let served = fleet.served("i-01");
    kill_process(pid(&served), Signal::KILL).unwrap();
    until("it is gone", || served.lives(), |lives| !lives);
    let pid = stranger.id() as i32;
    let text = serde_json::to_vec(&Served { pid, ..served }).unwrap();
    std::fs::write(fleet.root().join("payments/i-01.json"), text).unwrap();
    assert_eq!(fleet.state("i-01"), "down");
    fleet.deploy("i-01", "2.0");
    assert_eq!(stranger.try_wait().unwrap(), None, "it still lives");
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}

#[test]
fn a_fleet_that_is_left_alone_ends_by_itself() {
    let fleet = Fleet::new();
    let mut instance = fleet.serve(2);
    until(
        "it serves",
        || fleet.place("i-01").served(),
        Option::is_some,
    );
    let ended = until("it ends", || instance.try_wait().unwrap(), Option::is_some);
    assert!(ended.unwrap().success());
    let mut instance = fleet.serve(40_000);
    let served = || fleet.place("i-01").served().filter(Served::lives);
    until("it serves again", served, Option::is_some);
    std::fs::rename(fleet.root(), fleet.root().with_extension("gone")).unwrap();
    let ended = until("it ends", || instance.try_wait().unwrap(), Option::is_some);
    std::fs::rename(fleet.root().with_extension("gone"), fleet.root()).unwrap();
    assert!(ended.unwrap().success());
}

fn errors() -> MetricQuery {
    let select = |text| Selector::parse(text).unwrap();
    MetricQuery {
        name: "errors".into(),
        kind: QueryKind::Ratio {
            bad: select("http_requests_total{code=~\"5..\"}"),
            total: select("http_requests_total"),
        },
    }
}

fn latency() -> MetricQuery {
    MetricQuery {
        name: "latency".into(),
        kind: QueryKind::Histogram {
            series: Selector::parse("http_request_duration_seconds").unwrap(),
        },
    }
}

fn total(sample: &Sample) -> u64 {
    match sample {
        Sample::Ratio { total, .. } => *total,
        Sample::Histogram { counts, .. } => counts.iter().sum(),
        _ => 0,
    }
}

#[tokio::test]
async fn traffic_reaches_everyone_who_is_not_drained() {
    let fleet = Fleet::new();
    for name in ["i-01", "i-02"] {
        fleet.deploy(name, "1.0");
    }
    let drained = fleet.run("drain", "i-02", "");
    assert!(
        text(&drained).contains("i-02: no open requests"),
        "{drained:?}"
    );
    let traffic = Traffic {
        root: fleet.root().to_path_buf(),
        per_second: 100.0,
        seed: 1,
    };
    let traffic = tokio::spawn(traffic.run());
    let counted = async |name: &str| {
        let (_, page) = get(&fleet.url(name, "/metrics")).await;
        let count = "http_request_duration_seconds_count ";
        let mut lines = page.lines();
        let n: u64 = lines
            .find_map(|l| l.strip_prefix(count)?.parse().ok())
            .unwrap();
        n
    };
    until_async("requests come", async || counted("i-01").await, |n| *n > 50).await;
    assert_eq!(counted("i-02").await, 0);
    assert!(fleet.run("undrain", "i-02", "").status.success());
    until_async("requests come", async || counted("i-02").await, |n| *n > 50).await;
    traffic.abort();
}

/// The way holdpoint does it: deploys through the runner, status, and looks before and after.
#[tokio::test]
async fn a_release_on_a_fleet_is_seen_and_counted_exactly() {
    let fleet = Fleet::new();
    let names = ["i-01", "i-02", "i-03"];
    for name in names {
        fleet.deploy(name, "1.0");
    }
    let target = target(&fleet);
    let sights = target.observe().await.unwrap();
    assert!(
        sights.iter().all(|s| s.health == Seen::Running),
        "{sights:?}"
    );
    let http = Http::plain().unwrap();
    let mut scraper = Scraper::new(http.clone(), Duration::from_secs(30));
    let began = Timestamp(chrono::Utc::now().timestamp_millis());
    let mut truth = BTreeMap::from([("canary", (0, 0)), ("baseline", (0, 0))]);
    let mut counted = truth.clone();
    for round in 0..6 {
        // the first instance gets the new version before the second round, and once more later
        if round == 1 || round == 4 {
            let effect = effect(&format!("R-1.b1.i-01.deploy.{round}"), "i-01", "2.0");
            let outcome = target.perform(&effect).await;
            let output = target.output(&effect).await;
            assert!(
                matches!(outcome, Outcome::Done { .. }),
                "{outcome:?}: {output:?}"
            );
            let sights = target.observe().await.unwrap();
            assert_eq!(sights[0].artifact, Some(effect.artifact));
        }
        let arm = |name: &str| {
            if name == "i-01" && round > 0 {
                "canary"
            } else {
                "baseline"
            }
        };
        for (n, name) in names.iter().enumerate() {
            for _ in 0..5 * (n + 1) + round {
                let (code, _) = get(&fleet.url(name, "/")).await;
                let (bad, all) = truth.get_mut(arm(name)).unwrap();
                *all += 1;
                *bad += u64::from(code == 500);
            }
        }
        let endpoints = |side: &str| -> Vec<Endpoint> {
            let of_side = names.iter().filter(|name| arm(name) == side);
            let one = |name: &&str| Endpoint {
                instance: (*name).into(),
                url: fleet.url(name, "/metrics"),
            };
            of_side.map(one).collect()
        };
        let request = LookRequest {
            metrics: &[errors(), latency()],
            canary: &endpoints("canary"),
            baseline: &endpoints("baseline"),
            since: Some(began),
        };
        let looks = scraper.look(request).await;
        assert!(
            looks.iter().all(|look| look.dropped.is_empty()),
            "{looks:?}"
        );
        if round == 0 {
            // the processes are older than the release, so the first look only takes note
            truth.insert("baseline", (0, 0));
            continue;
        }
        for (side, index) in [("canary", 0), ("baseline", 1)] {
            let [errors, latency] = [0, 1].map(|n| [&looks[n].canary, &looks[n].baseline][index]);
            let Sample::Ratio { bad, total: all } = errors else {
                panic!("{errors:?}");
            };
            assert_eq!(total(latency), *all, "both metrics count the same requests");
            let sum = counted.get_mut(side).unwrap();
            *sum = (sum.0 + bad, sum.1 + all);
        }
    }
    assert_eq!(counted, truth);
    assert!(
        truth["canary"].0 > 0,
        "some of the new version's requests failed: {truth:?}"
    );
}

fn target(fleet: &Fleet) -> CommandTarget {
    let root = fleet.root().display().to_string();
    let words = |verb: &str| {
        let words = [
            BIN,
            "__fleet",
            verb,
            "--root",
            &root,
            "--service",
            "payments",
        ];
        toml::Value::from(words.map(str::to_string).to_vec())
    };
    let instance = |name: &str| toml::toml! { name = name };
    let mut config = toml::Table::new();
    for verb in ["deploy", "rollback", "status", "drain", "undrain"] {
        config.insert(verb.to_string(), words(verb));
    }
    let instances: Vec<toml::Table> = ["i-01", "i-02", "i-03"].map(instance).to_vec();
    config.insert("instances".to_string(), instances.into());
    let config: CommandConfig = config.try_into().unwrap();
    let runner = Runner::with_program(fleet.root().join("effects"), BIN);
    CommandTarget::new("payments".into(), config, runner).unwrap()
}

fn effect(id: &str, instance: &str, version: &str) -> Effect {
    Effect {
        id: id.into(),
        release: ReleaseId(1),
        target: "payments".into(),
        instance: instance.into(),
        verb: Verb::Deploy,
        exposure: None,
        artifact: Artifact {
            version: version.into(),
            digest: format!("sha256:{version}").into(),
        },
    }
}
