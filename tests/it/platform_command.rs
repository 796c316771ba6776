//! The command platform with real programs, here and over a real sshd.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use holdpoint::domain::{
    Artifact, Effect, EffectId, Failure, Health, Outcome, ReleaseId, Sight, Span, Verb,
};
use holdpoint::platform::command::{CommandConfig, CommandTarget, InstanceConfig, Timeouts};
use holdpoint::platform::runner::Runner;
use holdpoint::platform::{Checked, ObserveError};
use tempfile::TempDir;

use crate::sshd::{Sshd, free_port};
use crate::until::until_async;

const BIN: &str = env!("CARGO_BIN_EXE_holdpoint");

struct Room(TempDir);

impl Room {
    fn new() -> Room {
        Room(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    fn target(&self, config: CommandConfig) -> CommandTarget {
        let runner = Runner::with_program(self.path("effects"), BIN);
        let target = CommandTarget::new("payments".into(), config, runner);
        target.unwrap_or_else(|problems| panic!("{problems:?}"))
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(ToString::to_string).collect()
}

fn sh(script: &str) -> Vec<String> {
    words(&["sh", "-c", script])
}

fn config(names: &[&str]) -> CommandConfig {
    let instance = |name: &&str| InstanceConfig {
        name: name.to_string(),
        host: None,
        url: None,
        env: BTreeMap::new(),
    };
    CommandConfig {
        instances: names.iter().map(instance).collect(),
        deploy: sh("exit 0"),
        rollback: sh("exit 0"),
        status: sh("exit 0"),
        drain: None,
        undrain: None,
        via: None,
        dir: None,
        env: BTreeMap::new(),
        timeouts: Timeouts::default(),
        parallel: 8,
    }
}

fn effect(name: &str, verb: Verb) -> Effect {
    Effect {
        id: EffectId::from(name),
        release: ReleaseId(7),
        target: "payments".into(),
        instance: "i-01".into(),
        verb,
        exposure: None,
        artifact: Artifact {
            version: "4.12.0".into(),
            digest: "sha256:abcd".into(),
        },
    }
}

async fn deploy(room: &Room, config: CommandConfig, name: &str) -> Outcome {
    let target = room.target(config);
    target.perform(&effect(name, Verb::Deploy)).await
}

fn failure(outcome: &Outcome) -> (&Failure, &str) {
    match outcome {
        Outcome::Failed { why, output } => (why, output),
        other => panic!("{other:?}"),
    }
}

fn unknown(outcome: &Outcome) -> &str {
    match outcome {
        Outcome::Unknown { why } => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_deploy_gets_its_environment_and_its_words() {
    let room = Room::new();
    let mut config = config(&["i-01"]);
    config.dir = Some(room.0.path().to_path_buf());
    config.env.insert("REGION".into(), "eu".into());
    config.env.insert("COLOUR".into(), "blue".into());
    config.instances[0]
        .env
        .insert("COLOUR".into(), "red".into());
    let script = "env | grep -E '^(HOLDPOINT_|REGION|COLOUR)' | sort; printf '%s|' \"$@\"";
    config.deploy = words(&["sh", "-c", script, "x", "{instance}@{host}", "{version}"]);
    let target = room.target(config.clone());
    let mut effect = effect("R-7.b1.i-01.deploy.1", Verb::Deploy);
    effect.artifact.version = "4.12; touch pwned $(touch pwned) {host}".into();
    assert!(matches!(
        target.perform(&effect).await,
        Outcome::Done { .. }
    ));
    let expected = [
        "COLOUR=red",
        "HOLDPOINT_DIGEST=sha256:abcd",
        "HOLDPOINT_EFFECT=R-7.b1.i-01.deploy.1",
        "HOLDPOINT_INSTANCE=i-01",
        "HOLDPOINT_RELEASE=R-7",
        "HOLDPOINT_VERSION=4.12; touch pwned $(touch pwned) {host}",
        "REGION=eu",
        "i-01@i-01|4.12; touch pwned $(touch pwned) {host}|",
    ];
    assert_eq!(target.output(&effect).await, expected);
    assert!(!room.path("pwned").exists());
}

#[tokio::test]
async fn deploys_that_fail_say_how() {
    let room = Room::new();
    let mut one = config(&["i-01"]);
    one.deploy = sh("echo stopping; echo 'no space left' >&2; exit 1");
    let outcome = deploy(&room, one, "one").await;
    assert_eq!(
        failure(&outcome),
        (&Failure::Exit(1), "stopping | no space left")
    );

    let mut binary = config(&["i-01"]);
    binary.deploy = sh("head -c 100000 /dev/urandom; echo; echo; echo oops; exit 2");
    let outcome = deploy(&room, binary, "binary").await;
    let (why, output) = failure(&outcome);
    assert_eq!(why, &Failure::Exit(2));
    assert!(output.ends_with("| oops") && !output.chars().any(char::is_control));

    let mut missing = config(&["i-01"]);
    missing.deploy = words(&["/nowhere/deploy.sh"]);
    let outcome = deploy(&room, missing, "missing").await;
    let why = Failure::NotStarted("there is no program `/nowhere/deploy.sh`".into());
    assert_eq!(failure(&outcome), (&why, ""));

    let mut hangs = config(&["i-01"]);
    hangs.deploy = sh("echo waiting for a lock; sleep 1000");
    hangs.timeouts.deploy = Span(300);
    let outcome = deploy(&room, hangs, "hangs").await;
    let (why, output) = failure(&outcome);
    assert_eq!(why, &Failure::TimedOut(Span(300)));
    assert!(output.starts_with("waiting for a lock"), "{output}");

    let target = room.target(config(&["i-02"]));
    let outcome = target.perform(&effect("stranger", Verb::Deploy)).await;
    let why = Failure::NotStarted("target payments has no instance i-01".into());
    assert_eq!(failure(&outcome).0, &why);
    let target = room.target(config(&["i-01"]));
    let outcome = target.perform(&effect("drain", Verb::Drain)).await;
    let why = Failure::NotStarted("target payments has no `drain` command".into());
    assert_eq!(failure(&outcome).0, &why);
}

#[tokio::test]
async fn a_new_engine_waits_for_what_runs() {
    let room = Room::new();
    let mut config = config(&["i-01"]);
    let go = room.path("go");
    config.deploy = sh(&format!(
        "echo $HOLDPOINT_EFFECT >> '{}'; until test -e '{}'; do sleep 0.01; done; exit 5",
        room.path("ran").display(),
        go.display()
    ));
    let target = room.target(config.clone());
    let effect = effect("R-7.x", Verb::Deploy);
    assert_eq!(target.check(&effect).await, Checked::NeverStarted);
    let (first, performed) = (target.clone(), effect.clone());
    let call = tokio::spawn(async move { first.perform(&performed).await });
    until_async("it runs", async || room.read("ran"), |s| !s.is_empty()).await;
    call.abort();
    let again = room.target(config);
    assert_eq!(again.check(&effect).await, Checked::Running);
    fs::write(go, "").unwrap();
    let outcome = again.wait(&effect).await;
    assert_eq!(failure(&outcome).0, &Failure::Exit(5));
    assert_eq!(again.check(&effect).await, Checked::Ended(outcome));
    assert_eq!(room.read("ran"), "R-7.x\n");
}

fn row(instance: &str, state: &str) -> String {
    format!(
        r#"{{"instance":"{instance}","version":"4.11.0","digest":"sha256:11","state":"{state}"}}"#
    )
}

fn healths(sights: &[Sight]) -> Vec<(&str, Health, &str)> {
    let all = sights.iter();
    all.map(|s| (s.instance.as_str(), s.health, &*s.detail))
        .collect()
}

#[tokio::test]
async fn one_status_tells_of_all() {
    let room = Room::new();
    let mut config = config(&["i-01", "i-02", "i-03"]);
    let asked = room.path("asked");
    config.status = sh(&format!(
        "echo once >> '{}'; echo '{}'; echo noise >&2; echo '{}'",
        asked.display(),
        row("i-03", "starting"),
        row("i-01", "running")
    ));
    let sights = room.target(config).observe().await.unwrap();
    let expected = [
        ("i-01", Health::Running, "running"),
        ("i-02", Health::Unknown, "status did not mention it"),
        ("i-03", Health::Changing, "starting"),
    ];
    assert_eq!(healths(&sights), expected);
    assert_eq!(&*sights[0].artifact.as_ref().unwrap().version, "4.11.0");
    assert_eq!(room.read("asked"), "once\n");
}

#[tokio::test]
async fn a_status_that_lies_or_fails_shows_nothing() {
    let room = Room::new();
    let ask = async |script: &str, limit: Span| {
        let mut config = config(&["i-01", "i-02"]);
        config.status = sh(script);
        config.timeouts.status = limit;
        let target = room.target(config);
        let error = target.observe().await.unwrap_err();
        let unseen = target.unseen(&error);
        assert_eq!(unseen.len(), 2);
        assert!(unseen.iter().all(|s| s.health == Health::Unknown));
        error
    };
    let long = Span::secs(60);
    let fine = row("i-01", "running");
    let garbage = ask("echo everything is fine", long).await;
    assert!(matches!(garbage, ObserveError::Garbage(_)), "{garbage}");
    let half = ask(&format!("echo '{fine}'; echo '{{\"inst'"), long).await;
    assert!(matches!(half, ObserveError::Garbage(_)), "{half}");
    let exit = ask(
        &format!("echo '{fine}'; echo no database >&2; exit 3"),
        long,
    )
    .await;
    assert_eq!(exit.to_string(), "status failed: exit 3: no database");
    let killed = ask("kill -9 $$", long).await;
    assert_eq!(killed.to_string(), "status failed: ended by signal 9");
    let loud = ask("yes '{}'", long).await;
    assert_eq!(loud, ObserveError::TooLong);
    let slow = ask(&format!("echo '{fine}'; sleep 1000"), Span(300)).await;
    assert_eq!(slow.to_string(), "status gave no answer in 300 ms");
}

#[tokio::test]
async fn a_status_per_instance_fails_per_instance() {
    let room = Room::new();
    let mut config = config(&["i-01", "i-02", "i-03", "i-04"]);
    let script = "test $1 = $HOLDPOINT_INSTANCE || exit 9
                  case $1 in
                  i-01) echo '{\"instance\":\"i-01\",\"state\":\"running\"}';;
                  i-02) sleep 1000;;
                  i-03) echo 'ssh: no route' >&2; exit 255;;
                  i-04) echo '{\"instance\":\"i-01\",\"state\":\"down\"}';;
                  esac";
    config.status = words(&["sh", "-c", script, "x", "{instance}"]);
    config.timeouts.status = Span(2_000);
    let sights = room.target(config).observe().await.unwrap();
    let expected = [
        ("i-01", Health::Running, "running"),
        ("i-02", Health::Unknown, "status gave no answer in 2 s"),
        (
            "i-03",
            Health::Unknown,
            "status failed: exit 255: ssh: no route",
        ),
        ("i-04", Health::Unknown, "status did not mention it"),
    ];
    assert_eq!(healths(&sights), expected);
}

#[tokio::test]
async fn no_more_status_commands_run_at_once_than_allowed() {
    let room = Room::new();
    let names: Vec<String> = (0..12).map(|n| format!("i-{n:02}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut config = config(&names);
    config.parallel = 3;
    config.dir = Some(room.0.path().to_path_buf());
    // each counts how many are there while it is
    let script = "touch at.$1; ls at.* | wc -l >> counts; sleep 0.05; rm at.$1
                  echo \"{\\\"instance\\\":\\\"$1\\\",\\\"state\\\":\\\"running\\\"}\"";
    config.status = words(&["sh", "-c", script, "x", "{instance}"]);
    let sights = room.target(config).observe().await.unwrap();
    assert!(
        sights.iter().all(|s| s.health == Health::Running),
        "{sights:?}"
    );
    let counts = room.read("counts");
    let most = counts
        .lines()
        .map(|l| l.trim().parse::<u32>().unwrap())
        .max();
    assert!(most.is_some_and(|most| most <= 3), "{counts}");
    assert_eq!(counts.lines().count(), 12);
}

/// A target with one instance on the sshd and `deploy` as its command.
fn far(sshd: &Sshd, deploy: &[&str]) -> CommandConfig {
    let mut config = config(&["i-01"]);
    config.instances[0].host = Some("127.0.0.1".into());
    config.via = Some(sshd.via());
    config.deploy = words(deploy);
    config
}

#[tokio::test]
async fn over_ssh_words_and_environment_arrive_as_they_are() {
    let Some(sshd) = Sshd::start() else { return };
    let room = Room::new();
    let script = "pwd; env | grep -E '^(HOLDPOINT_|REGION)' | sort; printf '%s|' \"$@\"; exit $1";
    let hostile = "it's \"$(touch pwned)\"; `x` \\ *\u{e9}";
    let mut config = far(
        &sshd,
        &["sh", "-c", script, "x", "0", hostile, "{version}", ""],
    );
    config.env.insert("REGION".into(), "eu west's".into());
    config.dir = Some(room.0.path().canonicalize().unwrap());
    let target = room.target(config.clone());
    let effect = effect("R-7.far", Verb::Deploy);
    let outcome = target.perform(&effect).await;
    let output = target.output(&effect).await;
    assert!(matches!(outcome, Outcome::Done { .. }), "{outcome:?}");
    let here = config.dir.unwrap().display().to_string();
    let expected = [
        here.as_str(),
        "HOLDPOINT_DIGEST=sha256:abcd",
        "HOLDPOINT_EFFECT=R-7.far",
        "HOLDPOINT_INSTANCE=i-01",
        "HOLDPOINT_RELEASE=R-7",
        "HOLDPOINT_VERSION=4.12.0",
        "REGION=eu west's",
        &format!("0|{hostile}|4.12.0||"),
    ];
    assert_eq!(output, expected);
    assert!(!room.path("pwned").exists());
}

#[tokio::test]
async fn over_ssh_failures_are_told_apart() {
    let Some(sshd) = Sshd::start() else { return };
    let room = Room::new();
    let outcome = deploy(&room, far(&sshd, &["sh", "-c", "echo no; exit 3"]), "three").await;
    assert_eq!(failure(&outcome), (&Failure::Exit(3), "no"));

    // what certainly never began: nobody listens, an unknown host key, a key that is not let in
    let mut config = far(&sshd, &["true"]);
    config.via = Some(sshd.via_with("known", "user_key", free_port()));
    let refused = deploy(&room, config.clone(), "refused").await;
    config.via = Some(sshd.via_with("nobody", "user_key", sshd.port));
    let stranger = deploy(&room, config.clone(), "stranger").await;
    config.via = Some(sshd.via_with("known", "stranger_key", sshd.port));
    let denied = deploy(&room, config.clone(), "denied").await;
    config.instances[0].host = Some("no-such-host.invalid".into());
    let lost = deploy(&room, config, "lost").await;
    for (outcome, sentence) in [
        (refused, "Connection refused"),
        (stranger, "Host key verification failed"),
        (denied, "Permission denied"),
        (lost, "Could not resolve hostname"),
    ] {
        let (why, output) = failure(&outcome);
        assert_eq!(
            why,
            &Failure::NotStarted("no connection".into()),
            "{output}"
        );
        assert!(output.contains(sentence), "{output}");
    }

    // what may have happened there: 255 of its own, with words like those of ssh
    let inner = "echo 'ssh: connect to host db port 22: Connection refused'; exit 255";
    let outcome = deploy(&room, far(&sshd, &["sh", "-c", inner]), "inner").await;
    assert!(unknown(&outcome).contains("may still run there"));
}

#[tokio::test]
async fn over_ssh_a_broken_or_slow_connection_proves_nothing() {
    let Some(sshd) = Sshd::start() else { return };
    let room = Room::new();
    let began = room.path("began");
    let script = format!("echo step 1; echo $PPID > '{}'; sleep 30", began.display());
    let mut slow = far(&sshd, &["sh", "-c", &script]);
    slow.timeouts.deploy = Span(3_000);
    slow.timeouts.grace = Span(500);
    let outcome = deploy(&room, slow.clone(), "slow").await;
    let why = unknown(&outcome);
    assert!(
        why.starts_with("no end after 3 s") && why.ends_with("it said: step 1"),
        "{why}"
    );

    fs::remove_file(&began).unwrap();
    slow.timeouts = Timeouts::default();
    let target = room.target(slow);
    let call = tokio::spawn(async move { target.perform(&effect("cut", Verb::Deploy)).await });
    let read = || fs::read_to_string(&began).ok()?.trim().parse::<i32>().ok();
    let seen = until_async("it runs there", async || read(), Option::is_some).await;
    // the far side's end of the connection, which is the parent of the shell that sshd started
    let stat = fs::read_to_string(format!("/proc/{}/status", seen.unwrap())).unwrap();
    let session = if stat.starts_with("Name:\tsshd") {
        seen
    } else {
        let parent = stat.lines().find_map(|line| line.strip_prefix("PPid:"));
        parent.and_then(|text| text.trim().parse().ok())
    };
    let session = rustix::process::Pid::from_raw(session.unwrap()).unwrap();
    rustix::process::kill_process(session, rustix::process::Signal::KILL).unwrap();
    let outcome = call.await.unwrap();
    assert!(
        unknown(&outcome).contains("the connection broke"),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn over_ssh_one_dead_host_does_not_hide_the_others() {
    let Some(sshd) = Sshd::start() else { return };
    let room = Room::new();
    let mut config = far(&sshd, &["true"]);
    config.instances.push(InstanceConfig {
        name: "i-02".into(),
        host: Some("no-such-host.invalid".into()),
        url: None,
        env: BTreeMap::new(),
    });
    let script =
        "echo \"{\\\"instance\\\":\\\"$HOLDPOINT_INSTANCE\\\",\\\"state\\\":\\\"running\\\"}\"";
    config.status = sh(script);
    let sights = room.target(config).observe().await.unwrap();
    assert_eq!(sights[0].health, Health::Running, "{sights:?}");
    assert_eq!(sights[1].health, Health::Unknown);
    let detail = &sights[1].detail;
    assert!(
        detail.starts_with("status failed: exit 255: ssh: Could not resolve"),
        "{detail}"
    );
}
