//! The runner: a command runs once, its end is found whatever is killed when.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use holdpoint::domain::{EffectId, Span};
use holdpoint::platform::runner::{Carried, End, Exit, Found, Job, Runner};
use rustix::process::{Pid, Signal, kill_process, kill_process_group, test_kill_process};
use tempfile::TempDir;

use crate::machine::left_out;
use crate::until::{until, until_async};

const BIN: &str = env!("CARGO_BIN_EXE_holdpoint");

struct Room {
    dir: TempDir,
    runner: Runner,
}

impl Room {
    fn new() -> Room {
        let dir = tempfile::tempdir().unwrap();
        let runner = Runner::with_program(dir.path().join("effects"), BIN);
        Room { dir, runner }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn effect(&self, name: &str) -> PathBuf {
        self.path("effects").join(name)
    }

    /// A job that says in the file `ran` that it ran, then does the rest of the script.
    fn job(&self, rest: &str) -> Job {
        job(&format!(
            "echo ran >> '{}'; {rest}",
            self.path("ran").display()
        ))
    }

    fn runs(&self) -> usize {
        let text = fs::read_to_string(self.path("ran")).unwrap_or_default();
        text.lines().count()
    }

    /// What the engine does before it spawns a runner.
    fn write_job(&self, name: &str, job: &Job) -> PathBuf {
        let folder = self.effect(name);
        fs::create_dir_all(&folder).unwrap();
        let text = serde_json::to_vec(job).unwrap();
        fs::write(folder.join("job.json"), text).unwrap();
        folder
    }
}

fn job(script: &str) -> Job {
    Job {
        argv: ["sh", "-c", script].map(String::from).to_vec(),
        env: BTreeMap::new(),
        dir: None,
        limit: Span::secs(120),
        grace: Span::secs(5),
        marker: None,
    }
}

fn id(text: &str) -> EffectId {
    EffectId::from(text)
}

fn spawn_runner(folder: &Path) -> Child {
    let mut command = Command::new(BIN);
    command.arg("__runner").arg(folder).stdin(Stdio::null());
    command.spawn().unwrap()
}

fn ended(carried: Carried) -> Exit {
    match carried {
        Carried::Ended(exit) => exit,
        Carried::Unknown(why) => panic!("unknown: {why}"),
    }
}

fn number(path: &Path) -> Option<Pid> {
    let text = fs::read_to_string(path).ok()?;
    text.trim().parse().ok().and_then(Pid::from_raw)
}

fn alive(pid: Pid) -> bool {
    // a process that nobody waited for yet is dead all the same
    let stat = fs::read_to_string(format!("/proc/{pid}/stat", pid = pid.as_raw_pid()));
    test_kill_process(pid).is_ok() && !stat.is_ok_and(|text| text.contains(") Z "))
}

#[tokio::test]
async fn a_command_runs_and_its_end_is_found_again() {
    let room = Room::new();
    let job = room.job("echo to stdout; echo to stderr >&2; exit 3");
    let exit = ended(room.runner.carry(&id("R-1.a"), &job).await);
    assert_eq!(exit.end, End::Exit(3));
    assert_eq!(exit.tail, "to stdout | to stderr");
    // once more, by the same engine and by a new one
    assert_eq!(ended(room.runner.carry(&id("R-1.a"), &job).await), exit);
    let checked = room.runner.check(&id("R-1.a")).await;
    assert_eq!(checked, Found::Ended(exit));
    assert_eq!(room.runs(), 1);
    let output = room.runner.output(&id("R-1.a")).await;
    assert_eq!(output, ["to stdout", "to stderr"]);
}

#[tokio::test]
async fn the_environment_is_the_engines_without_its_own_variables() {
    let room = Room::new();
    let mut job = job("env");
    job.env.insert("HOLDPOINT_VERSION".into(), "4.12.0".into());
    job.env.insert("COLOUR".into(), "blue".into());
    let folder = room.write_job("R-1.a", &job);
    let mut runner = Command::new(BIN);
    runner.arg("__runner").arg(&folder).stdin(Stdio::null());
    runner.env("HOLDPOINT_TOKEN", "secret");
    assert!(runner.status().unwrap().success());
    let lines = room.runner.output(&id("R-1.a")).await;
    let has = |line: &str| lines.iter().any(|l| l == line);
    assert!(has("HOLDPOINT_VERSION=4.12.0"), "{lines:?}");
    assert!(has("COLOUR=blue"), "{lines:?}");
    assert!(lines.iter().any(|l| l.starts_with("PATH=")), "{lines:?}");
    assert!(!lines.iter().any(|l| l.contains("secret")), "{lines:?}");
}

#[test]
fn of_many_runners_one_runs_the_command() {
    let room = Room::new();
    let go = room.path("go");
    let job = room.job(&format!(
        "until test -e '{}'; do sleep 0.01; done",
        go.display()
    ));
    let folder = room.write_job("R-1.a", &job);
    let mut runners: Vec<Child> = (0..8).map(|_| spawn_runner(&folder)).collect();
    let codes = |runners: &mut [Child]| -> Vec<i32> {
        let ended = runners.iter_mut().filter_map(|r| r.try_wait().unwrap());
        ended.filter_map(|status| status.code()).collect()
    };
    let gave_way = until("seven give way", || codes(&mut runners), |c| c.len() == 7);
    assert!(gave_way.iter().all(|c| *c == 3), "{gave_way:?}");
    fs::write(go, "").unwrap();
    let all = until("the eighth ends", || codes(&mut runners), |c| c.len() == 8);
    assert_eq!(all.iter().filter(|c| **c == 0).count(), 1, "{all:?}");
    assert_eq!(spawn_runner(&folder).wait().unwrap().code(), Some(4));
    assert_eq!(room.runs(), 1);
}

#[tokio::test]
async fn carried_again_while_it_runs_it_waits() {
    let room = Room::new();
    let go = room.path("go");
    let job = room.job(&format!(
        "until test -e '{}'; do sleep 0.01; done",
        go.display()
    ));
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..5 {
        let (runner, job) = (room.runner.clone(), job.clone());
        calls.spawn(async move { runner.carry(&id("R-1.a"), &job).await });
    }
    until_async("it runs", async || room.runs(), |n| *n == 1).await;
    assert_eq!(room.runner.check(&id("R-1.a")).await, Found::Running);
    fs::write(go, "").unwrap();
    while let Some(carried) = calls.join_next().await {
        assert_eq!(ended(carried.unwrap()).end, End::Exit(0));
    }
    assert_eq!(room.runs(), 1);
}

#[tokio::test]
async fn dropping_the_call_leaves_the_command_running() {
    let room = Room::new();
    let go = room.path("go");
    let job = room.job(&format!(
        "until test -e '{}'; do sleep 0.01; done",
        go.display()
    ));
    let (runner, carried) = (room.runner.clone(), job.clone());
    let call = tokio::spawn(async move { runner.carry(&id("R-1.a"), &carried).await });
    until_async("it runs", async || room.runs(), |n| *n == 1).await;
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    assert_eq!(room.runner.check(&id("R-1.a")).await, Found::Running);
    fs::write(go, "").unwrap();
    let waited = room.runner.wait(&id("R-1.a")).await.unwrap();
    assert_eq!(ended(waited).end, End::Exit(0));
    assert_eq!(room.runs(), 1);
}

#[tokio::test]
async fn a_runner_killed_after_the_start_leaves_an_unknown() {
    let room = Room::new();
    let pid = room.path("pid");
    let job = room.job(&format!("echo $$ > '{}'; exec sleep 600", pid.display()));
    let folder = room.write_job("R-1.a", &job);
    let mut runner = spawn_runner(&folder);
    let command = until("it runs", || number(&pid), Option::is_some).unwrap();
    until(
        "its process is noted",
        || folder.join("command").exists(),
        |f| *f,
    );
    runner.kill().unwrap();
    runner.wait().unwrap();
    let checked = room.runner.check(&id("R-1.a")).await;
    let Found::Torn(why) = checked else {
        panic!("{checked:?}");
    };
    assert!(why.contains("may still run (group"), "{why}");
    assert!(
        alive(command),
        "killing the runner does not kill the command"
    );
    kill_process(command, Signal::KILL).unwrap();
    until("it is gone", || alive(command), |alive| !alive);
    let carried = room.runner.carry(&id("R-1.a"), &job).await;
    let Carried::Unknown(why) = carried else {
        panic!("{carried:?}");
    };
    assert!(why.contains("runner was killed"), "{why}");
    assert_eq!(spawn_runner(&folder).wait().unwrap().code(), Some(4));
    assert_eq!(room.runs(), 1, "never a second time");
}

#[tokio::test]
async fn killed_before_the_spawn_it_never_started_and_runs_once() {
    let room = Room::new();
    let job = room.job("exit 0");
    let nothing = room.runner.check(&id("R-1.a")).await;
    assert_eq!(nothing, Found::Nothing, "nothing was written yet");
    let folder = room.write_job("R-1.a", &job);
    let written = room.runner.check(&id("R-1.a")).await;
    assert_eq!(written, Found::Nothing, "only the job was written");
    // a runner that was spawned by the engine that died, and is late
    assert_eq!(spawn_runner(&folder).wait().unwrap().code(), Some(5));
    assert_eq!(
        room.runs(),
        0,
        "what never started does not start behind the engine's back"
    );
    let exit = ended(room.runner.carry(&id("R-1.a"), &job).await);
    assert_eq!(exit.end, End::Exit(0));
    assert_eq!(room.runs(), 1);
}

#[tokio::test]
async fn runners_killed_at_any_moment_never_run_it_twice() {
    let room = Room::new();
    for n in 0..60_u64 {
        let name = format!("R-1.{n}");
        let ran = room.path(&format!("ran-{n}"));
        let script = format!("echo ran >> '{}'", ran.display());
        let folder = room.write_job(&name, &job(&script));
        let mut runner = spawn_runner(&folder);
        std::thread::sleep(std::time::Duration::from_micros(n * 150));
        let _ = runner.kill();
        runner.wait().unwrap();
        let first = room.runner.check(&id(&name)).await;
        let second = room.runner.carry(&id(&name), &job(&script)).await;
        let runs = || fs::read_to_string(&ran).unwrap_or_default().lines().count();
        match (&first, &second) {
            // a process that is being started holds a copy of the lock until it is
            (Found::Nothing | Found::Ended(_) | Found::Running, Carried::Ended(exit)) => {
                assert_eq!(exit.end, End::Exit(0), "round {n}: {first:?}");
                assert_eq!(runs(), 1, "round {n}: {first:?}");
            }
            // the command may still be on its way, but it is the only one
            (Found::Torn(_) | Found::Running, Carried::Unknown(_)) => {
                assert!(runs() <= 1, "round {n}");
            }
            _ => panic!("round {n}: {first:?}, then {second:?}"),
        }
    }
}

#[tokio::test]
async fn a_command_that_takes_too_long_is_ended_with_its_children() {
    let room = Room::new();
    let (parent, child) = (room.path("parent"), room.path("child"));
    let script = format!(
        "trap '' TERM; echo $$ > '{}'; (trap '' TERM; while :; do sleep 1; done) & \
         echo $! > '{}'; echo waiting; while :; do sleep 1; done",
        parent.display(),
        child.display()
    );
    let mut job = room.job(&script);
    job.limit = Span(700);
    job.grace = Span(300);
    let exit = ended(room.runner.carry(&id("R-1.a"), &job).await);
    assert_eq!(exit.end, End::TimedOut(Span(700)));
    assert_eq!(exit.tail, "waiting");
    for file in [parent, child] {
        let pid = number(&file).unwrap();
        until("the whole group is gone", || alive(pid), |alive| !alive);
    }
}

#[tokio::test]
async fn a_command_that_ends_in_its_grace_says_goodbye() {
    let room = Room::new();
    let mut job = room.job("trap 'echo cleaned up; exit 0' TERM; while :; do sleep 0.05; done");
    job.limit = Span(500);
    job.grace = Span::secs(60);
    let exit = ended(room.runner.carry(&id("R-1.a"), &job).await);
    assert_eq!(exit.end, End::TimedOut(Span(500)), "late is late");
    assert!(exit.tail.ends_with("cleaned up"), "{}", exit.tail);
}

#[tokio::test]
async fn what_cannot_be_started_says_so() {
    let room = Room::new();
    let mut missing = job("");
    missing.argv = vec!["/nowhere/deploy.sh".into()];
    let mut nowhere = job("true");
    nowhere.dir = Some("/nowhere".into());
    let plain = room.path("deploy.sh");
    fs::write(&plain, "echo hi").unwrap();
    let mut not_executable = job("");
    not_executable.argv = vec![plain.display().to_string()];
    let mut empty = job("");
    empty.argv.clear();
    let cases = [
        ("a", missing, "there is no program `/nowhere/deploy.sh`"),
        ("b", nowhere, "there is no directory `/nowhere`"),
        ("c", not_executable, "may not be run"),
        ("d", empty, "the command is empty"),
    ];
    for (name, job, sentence) in cases {
        let exit = ended(room.runner.carry(&id(name), &job).await);
        let End::NotStarted(why) = &exit.end else {
            panic!("{exit:?}");
        };
        assert!(why.contains(sentence), "{why}");
    }
    let program = Runner::with_program(room.path("effects"), "/nowhere/holdpoint");
    let exit = ended(program.carry(&id("e"), &job("true")).await);
    let End::NotStarted(why) = &exit.end else {
        panic!("{exit:?}");
    };
    assert!(why.contains("no runner could be started"), "{why}");
    let bad = ended(room.runner.carry(&id("../escape"), &job("true")).await);
    assert!(matches!(bad.end, End::NotStarted(_)), "{bad:?}");
}

#[tokio::test]
async fn a_relative_program_is_looked_for_in_its_directory() {
    let room = Room::new();
    let script = room.path("deploy.sh");
    fs::write(&script, "#!/bin/sh\npwd\n").unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(&script, mode).unwrap();
    let mut job = job("");
    job.argv = vec!["./deploy.sh".into()];
    job.dir = Some(room.dir.path().to_path_buf());
    let exit = ended(room.runner.carry(&id("a"), &job).await);
    assert_eq!(exit.end, End::Exit(0), "{exit:?}");
    let here = room.dir.path().canonicalize().unwrap();
    assert_eq!(exit.tail, here.display().to_string());
}

#[tokio::test]
async fn much_and_binary_output_is_fine() {
    let room = Room::new();
    let script = "head -c 50000000 /dev/zero; head -c 300000 /dev/urandom; \
                  printf '\\033[31mred\\033[0m\\033]0;title\\007\\n'; echo the end";
    let exit = ended(room.runner.carry(&id("a"), &room.job(script)).await);
    assert_eq!(exit.end, End::Exit(0));
    assert!(exit.tail.ends_with("red | the end"), "{:?}", exit.tail);
    assert!(exit.tail.chars().count() <= 2_000);
    assert!(!exit.tail.chars().any(char::is_control), "{:?}", exit.tail);
    let kept = fs::metadata(room.effect("a").join("output")).unwrap().len();
    assert!(kept <= 3 * 64 * 1024, "{kept} bytes kept");
}

#[tokio::test]
async fn a_daemon_that_holds_the_pipe_does_not_hang_the_runner() {
    let room = Room::new();
    let pid = room.path("pid");
    let script = format!("sleep 600 & echo $! > '{}'; echo started", pid.display());
    let exit = ended(room.runner.carry(&id("a"), &room.job(&script)).await);
    assert_eq!(exit.end, End::Exit(0));
    assert_eq!(exit.tail, "started");
    let daemon = number(&pid).unwrap();
    assert!(alive(daemon), "what a command leaves running is left alone");
    kill_process(daemon, Signal::KILL).unwrap();
}

#[tokio::test]
async fn a_signal_that_ends_the_command_is_named() {
    let room = Room::new();
    let exit = ended(
        room.runner
            .carry(&id("a"), &room.job("kill -SEGV $$"))
            .await,
    );
    assert_eq!(exit.end, End::Signal(11));
}

#[tokio::test]
async fn output_is_seen_while_it_runs() {
    let room = Room::new();
    let go = room.path("go");
    let wait = format!(
        "echo step 1; until test -e '{}'; do sleep 0.01; done",
        go.display()
    );
    let (runner, job) = (room.runner.clone(), room.job(&wait));
    let call = tokio::spawn(async move { runner.carry(&id("a"), &job).await });
    let see = async || room.runner.output(&id("a")).await;
    until_async("its output", see, |lines| lines == &["step 1"]).await;
    fs::write(go, "").unwrap();
    assert_eq!(ended(call.await.unwrap()).end, End::Exit(0));
}

#[tokio::test]
async fn a_runner_asked_to_end_still_writes_the_end_down() {
    let room = Room::new();
    let (pid, go) = (room.path("pid"), room.path("go"));
    let script = format!(
        "echo $PPID > '{}'; until test -e '{}'; do sleep 0.01; done; exit 4",
        pid.display(),
        go.display()
    );
    let (runner, job) = (room.runner.clone(), room.job(&script));
    let call = tokio::spawn(async move { runner.carry(&id("a"), &job).await });
    let see = async || number(&pid);
    let runner = until_async("it runs", see, Option::is_some).await.unwrap();
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        // its whole group, as a terminal or a service manager would
        kill_process_group(runner, signal).unwrap();
    }
    fs::write(go, "").unwrap();
    assert_eq!(ended(call.await.unwrap()).end, End::Exit(4));
}

#[tokio::test]
async fn swept_effects_leave_nothing_and_running_ones_stay() {
    let room = Room::new();
    let go = room.path("go");
    let wait = room.job(&format!(
        "until test -e '{}'; do sleep 0.01; done",
        go.display()
    ));
    ended(room.runner.carry(&id("a"), &job("true")).await);
    let (runner, carried) = (room.runner.clone(), wait.clone());
    let call = tokio::spawn(async move { runner.carry(&id("b"), &carried).await });
    until_async("it runs", async || room.runs(), |n| *n == 1).await;
    let all = ["a", "b", "never"].map(id);
    room.runner.sweep(all).await.unwrap();
    let left: Vec<String> = fs::read_dir(room.path("effects"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(left, ["b"]);
    fs::write(go, "").unwrap();
    assert_eq!(ended(call.await.unwrap()).end, End::Exit(0));
}

/// A file system of a few kilobytes, full at the moment the command ends.
#[tokio::test]
async fn a_disk_that_fills_up_meanwhile_does_not_lose_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let Some(_mounted) = small_disk(dir.path()) else {
        return;
    };
    let runner = Runner::with_program(dir.path().join("effects"), BIN);
    let fill = format!(
        "cat /dev/zero > '{}' 2>/dev/null; echo full",
        dir.path().join("fill").display()
    );
    let exit = ended(runner.carry(&id("a"), &job(&fill)).await);
    assert_eq!(exit.end, End::Exit(0));
    assert_eq!(exit.tail, "full");
    // and what cannot record its end is not begun
    let ran = tempfile::tempdir().unwrap();
    let mark = format!("echo ran > '{}'", ran.path().join("ran").display());
    let exit = ended(runner.carry(&id("b"), &job(&mark)).await);
    let End::NotStarted(why) = &exit.end else {
        panic!("{exit:?}");
    };
    assert!(!ran.path().join("ran").exists(), "{why}");
    assert_eq!(runner.check(&id("b")).await, Found::Nothing);
}

struct Mounted(PathBuf);

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// `None` when it was left out by name.
fn small_disk(path: &Path) -> Option<Mounted> {
    if left_out("tmpfs") {
        return None;
    }
    let mut mount = Command::new("mount");
    mount
        .args(["-t", "tmpfs", "-o", "size=256k", "tmpfs"])
        .arg(path);
    let output = mount.output();
    assert!(
        output.as_ref().is_ok_and(|o| o.status.success()),
        "cannot mount a small tmpfs ({output:?}); HOLDPOINT_SKIP=tmpfs leaves this test out"
    );
    Some(Mounted(path.to_path_buf()))
}
