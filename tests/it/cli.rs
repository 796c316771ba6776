//! The program as people and pipelines use it: real processes, a real room, real exit codes.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

use crate::until::until;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

/// The program in an environment that knows no other room.
fn holdpoint(home: &Path, line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_holdpoint"));
    command
        .args(shlex::split(line).unwrap())
        .env_remove("HOLDPOINT_ROOM")
        .env_remove("HOLDPOINT_TOKEN")
        .env("HOME", home)
        .env("XDG_DATA_HOME", home.join("data"))
        .env("XDG_CONFIG_HOME", home.join("config"))
        .env("NO_COLOR", "1")
        .stdin(Stdio::null());
    command
}

#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Said {
    fn of(output: Output) -> Said {
        Said {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    pub fn json(&self) -> Value {
        parse(&self.out)
    }

    /// The code of the first error on stderr.
    pub fn error(&self) -> String {
        let first = self.err.lines().next().unwrap_or_default();
        parse(first)["code"].as_str().unwrap_or_default().to_owned()
    }
}

fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

/// A home with the fixture's room in it, and everybody's token.
pub struct Place {
    pub home: tempfile::TempDir,
}

impl Place {
    pub fn new() -> Place {
        let home = tempfile::tempdir().unwrap();
        let place = Place { home };
        let room = place.room();
        std::fs::create_dir_all(room.join("keys")).unwrap();
        for entry in std::fs::read_dir(fixtures().join("room")).unwrap() {
            let from = entry.unwrap().path();
            if from.is_file() {
                std::fs::copy(&from, room.join(from.file_name().unwrap())).unwrap();
            }
        }
        for name in ["ada", "bo", "kim", "eva", "dev", "ci"] {
            let file = room.join(format!("keys/{name}.token"));
            std::fs::write(&file, format!("{name}-token\n")).unwrap();
            std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
        }
        place
    }

    pub fn room(&self) -> PathBuf {
        self.home.path().join("shop")
    }

    /// Runs a line in this room.
    pub fn run(&self, line: &str) -> Said {
        let mut command = holdpoint(self.home.path(), line);
        command.env("HOLDPOINT_ROOM", self.room());
        command.current_dir(fixtures());
        Said::of(command.output().unwrap())
    }

    pub fn serve(&self) -> Engine {
        let mut command = holdpoint(self.home.path(), "serve");
        command.env("HOLDPOINT_ROOM", self.room());
        let log = std::fs::File::create(self.home.path().join("serve.txt")).unwrap();
        command.stdout(log.try_clone().unwrap()).stderr(log);
        let engine = Engine {
            child: command.spawn().unwrap(),
        };
        let _ = until(
            "the engine answers",
            || {
                let told = std::fs::read_to_string(self.home.path().join("serve.txt"));
                (self.run("release list"), told)
            },
            |(said, _)| said.code == 0 && self.room().join("sock").exists(),
        );
        engine
    }
}

/// An engine that ends with the test.
pub struct Engine {
    child: Child,
}

impl Engine {
    fn end(mut self) -> i32 {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        self.child.wait().unwrap().code().unwrap_or(-1)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn mistakes_of_usage_exit_2_and_name_the_nearest() {
    let home = tempfile::tempdir().unwrap();
    let run = |line: &str| Said::of(holdpoint(home.path(), line).output().unwrap());
    let said = run("release promte R-1");
    assert_eq!(said.code, 2);
    assert!(said.err.contains("'promote'"), "{said:?}");
    let said = run("release promte R-1 --json");
    assert_eq!((said.code, said.error().as_str()), (2, "usage"), "{said:?}");
    let said = run("release promote R-1 --all --json");
    assert_eq!((said.code, said.error().as_str()), (2, "usage"), "{said:?}");
    let said = run("--help");
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    assert!(said.out.contains("Examples:"), "{said:?}");
    assert!(!said.out.contains("__runner"), "{said:?}");
    assert_eq!(run("schema relase").code, 2);
    assert!(run("schema release").out.contains("holdpoint.release/1"));
    for shell in ["bash", "zsh", "fish"] {
        let said = run(&format!("completions {shell}"));
        assert!(said.code == 0 && said.out.contains("holdpoint"), "{shell}");
    }
    assert!(run("keys").out.contains("promote"));
}

#[test]
fn a_new_room_is_checked_and_never_overwritten() {
    let home = tempfile::tempdir().unwrap();
    let run = |line: &str| Said::of(holdpoint(home.path(), line).output().unwrap());
    let said = run("init");
    assert_eq!(said.code, 0, "{said:?}");
    let room = home.path().join("data/holdpoint/room");
    assert!(room.join("room.toml").is_file(), "{said:?}");
    let said = run("check");
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.err.contains("there is no target"), "{said:?}");
    let said = run("init --json");
    assert_eq!((said.code, said.error().as_str()), (1, "room-exists"));
    let said = run("release list --json");
    assert_eq!(
        (said.code, said.error().as_str()),
        (3, "no-engine"),
        "{said:?}"
    );
    let said = run("--room elsewhere release list --json");
    assert_eq!(
        (said.code, said.error().as_str()),
        (3, "no-room"),
        "{said:?}"
    );
    let said = run("token ci --json");
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.json()["hash"].as_str().unwrap().starts_with("sha256:"));
    assert_eq!(run("token ci").code, 1);
    let token = room.join("keys/ci.token");
    std::fs::set_permissions(token, PermissionsExt::from_mode(0o644)).unwrap();
    let said = run("release list --as ci --json");
    assert_eq!((said.code, said.error().as_str()), (1, "token-not-private"));
}

#[test]
fn check_knows_rooms_plans_keymaps_and_themes() {
    let place = Place::new();
    assert_eq!(place.run("check").code, 0);
    assert_eq!(
        place
            .run("check plans/payments-prod-eu.yaml plans/checkout-prod-us.toml")
            .code,
        0
    );
    let said = place.run("check configs/plans/over-100.yaml");
    assert_eq!(said.code, 2);
    assert!(
        said.err.contains("--> configs/plans/over-100.yaml:8:15"),
        "{said:?}"
    );
    let said = place.run("check --json configs/plans/many.yaml");
    assert_eq!(said.code, 2);
    assert!(said.err.lines().count() > 4, "{said:?}");
    for line in said.err.lines() {
        let error = parse(line);
        for key in ["code", "headline", "detail", "next_step", "where"] {
            assert!(error.get(key).is_some(), "{key}: {line}");
        }
    }
    let keymap = place.home.path().join("keymap.toml");
    std::fs::write(&keymap, "[list]\n\"z\" = \"nxt-row\"\n").unwrap();
    let said = place.run(&format!("check {}", keymap.display()));
    assert!(said.err.contains("next-row"), "{said:?}");
    let theme = place.home.path().join("theme.toml");
    std::fs::write(&theme, "[roles]\n\"status.persn\" = \"red\"\n").unwrap();
    let said = place.run(&format!("check {}", theme.display()));
    assert!(said.err.contains("status.person"), "{said:?}");
    let bare = tempfile::tempdir().unwrap();
    let plan = fixtures().join("room/plans/search-staging.yaml");
    let line = format!("check {}", plan.display());
    let said = Said::of(holdpoint(bare.path(), &line).output().unwrap());
    assert_eq!(said.code, 0);
    assert!(said.err.contains("names were not checked"), "{said:?}");
}

/// Production, with everything by hand and no metrics.
const PLAN: &str = r#"
name: payments-5
title: Payments 5, by hand
environment: prod-eu
services:
  - { service: payments, version: 5.0.0, digest: "sha256:9f31c2aa7d54e01f6b8c1d2e3f405162738495a6b7c8d9eaf0b1c2d3e4f50617" }
batches:
  - exposure: 34%
  - exposure: full
    before:
      - manual: { ask: the rest }
observe: { for: 1s, handover: true }
"#;

impl Place {
    /// Runs a line that must be done.
    pub fn ok(&self, line: &str) -> Said {
        let said = self.run(line);
        assert_eq!(said.code, 0, "{line}: {said:?}");
        said
    }

    /// Runs a line that must be refused with this code.
    pub fn refused(&self, line: &str, code: &str) {
        let said = self.run(&format!("{line} --json"));
        assert_eq!(
            (said.code, said.error().as_str()),
            (1, code),
            "{line}: {said:?}"
        );
    }

    /// Submits [`PLAN`] as ada.
    fn submit(&self) -> String {
        let plan = self.home.path().join("plan.yaml");
        std::fs::write(&plan, PLAN).unwrap();
        format!("release submit {}", plan.display())
    }
}

#[test]
fn who_may_do_what_is_decided_by_the_engine() {
    let place = Place::new();
    let _engine = place.serve();
    let submit = place.submit();
    place.ok(&format!("{submit} --dry-run --as ada"));
    assert!(place.ok("release list").out.contains("no releases yet"));
    place.refused(&submit, "no-identity");
    assert_eq!(place.ok(&format!("{submit} --as ada")).out, "R-1\n");
    place.refused(&format!("{submit} --as ada"), "name-taken");
    place.refused("vote R-1 approve --as ada", "own-release");
    place.refused("vote R-1 approve --as dev", "not-asked");
    place.refused("release start R-1 --as ada", "not-approved");
    let said = place.run("release wait R-1 --until approved --timeout 0 --json");
    assert_eq!(said.code, 4, "{said:?}");
    let shown = place.ok("release show R-1 --json").json();
    let digest = shown["digest"].as_str().unwrap();
    place.refused("vote R-1 approve --digest 00000000 --as kim", "other-plan");
    place.ok(&format!("vote R-1 approve --digest {digest} --as kim"));
    place.ok("vote payments-5 approve --comment 'seen it' --as bo");
    place.ok("release wait R-1 --until approved --timeout 30");
    place.refused("release start R-1 --as kim", "no-right");
}

#[test]
fn tokens_come_from_files_or_the_environment_and_are_their_owners() {
    let place = Place::new();
    let _engine = place.serve();
    let with = |token: &str, line: &str| {
        let mut command = holdpoint(place.home.path(), line);
        command.env("HOLDPOINT_ROOM", place.room());
        command.env("HOLDPOINT_TOKEN", token);
        Said::of(command.output().unwrap())
    };
    assert_eq!(with("kim-token", "release list --as kim").code, 0);
    let said = with("kim-token", "release list --as bo --json");
    assert_eq!((said.code, said.error().as_str()), (1, "wrong-token"));
    let said = with("guessed", "release list --as kim --json");
    assert_eq!((said.code, said.error().as_str()), (1, "unknown-token"));
    assert!(!said.err.contains("guessed"), "{said:?}");
    // without --as the token is not shown to anybody
    assert_eq!(with("guessed", "release list").code, 0);
    let said = place.run("release list --as nobody-here --json");
    assert_eq!((said.code, said.error().as_str()), (1, "no-token"));
}

#[test]
fn a_release_goes_from_plan_to_closed_by_commands_alone() {
    let place = Place::new();
    let engine = place.serve();
    place.ok(&format!("{} --as ada", place.submit()));
    place.ok("vote R-1 approve --as kim");
    place.ok("vote R-1 approve --as bo");
    place.ok("release start R-1 --as ada");
    place.ok("release pause R-1 --why lunch --as ada");
    let shown = place.ok("release show R-1 --json").json();
    assert_eq!(shown["paused"]["why"], "lunch");
    place.ok("release wait R-1 --until paused --timeout 5");
    place.ok("release resume R-1 --as ada");
    place.ok("release wait R-1 --until started --timeout 30");
    until(
        "the hold before the second batch",
        || place.ok("release show R-1 --json").json()["waiting"]["word"].clone(),
        |word| word == "manual",
    );
    place.ok("release promote R-1 --as bo");
    place.ok("release wait R-1 --until observing --timeout 60");
    place.ok("release handover R-1 --note 'all quiet' --as ada");
    let said = place.ok("release wait R-1 --until succeeded --timeout 60 --json");
    assert_eq!(said.json()["ending"], "succeeded");
    place.refused("release pause R-1 --as ada", "release-closed");
    let effects = std::fs::read_to_string(place.room().join("run/effects")).unwrap();
    let mut once: Vec<&str> = effects.lines().collect();
    once.sort_unstable();
    once.dedup();
    assert_eq!((once.len(), effects.lines().count()), (3, 3), "{effects}");

    let copy = place.home.path().join("copy.db");
    let backup = format!("ledger backup {}", copy.display());
    place.ok(&backup);
    assert!(copy.is_file());
    assert_eq!(place.run(&backup).code, 1);
    let all = place.ok("ledger show --json").out;
    assert_eq!(engine.end(), 0);
    // what the ledger says without an engine
    assert_eq!(place.ok("ledger show --json").out, all);
    assert!(place.ok("release list --all").out.contains("succeeded"));
    let said = place.run("release submit room/plans/search-staging.yaml --as ada --json");
    assert_eq!((said.code, said.error().as_str()), (3, "no-engine"));
    let said = place.run("release wait R-1 --until closed");
    assert_eq!(said.code, 0, "{said:?}");
}

#[test]
fn all_that_is_left_goes_in_one_go() {
    let place = Place::new();
    let _engine = place.serve();
    place.ok(&format!("{} --as ada", place.submit()));
    place.ok("vote R-1 approve --as kim");
    place.ok("vote R-1 approve --as bo");
    place.refused(
        "release promote R-1 --all --why now --as ada",
        "nothing-to-promote",
    );
    place.ok("release start R-1 --as ada");
    place.ok("release wait R-1 --until started --timeout 30");
    place.ok("release promote R-1 --all --why 'the fix must be out' --as bo");
    place.refused(
        "release promote R-1 --all --why now --as ada",
        "already-promoted",
    );
    place.ok("release wait R-1 --until observing --timeout 60");
    let shown = place.ok("release show R-1 --json").json();
    assert_eq!(shown["promoted"]["by"], "bo");
    assert_eq!(shown["promoted"]["why"], "the fix must be out");
    let shown = place.ok("release show R-1").out;
    assert!(
        shown.contains("bo promoted all of it: the fix must be out"),
        "{shown}"
    );
    let told = place.ok("ledger show --release R-1").out;
    assert!(
        told.contains("promotes all of it: the fix must be out"),
        "{told}"
    );
}

#[test]
fn bad_plans_submit_nothing_and_stdin_is_read() {
    let place = Place::new();
    let _engine = place.serve();
    let said = place.run("release submit configs/plans/unknown-key.yaml --as ada");
    assert_eq!(said.code, 2);
    assert!(said.err.contains("did you mean `title`?"), "{said:?}");
    assert_eq!(place.run("release submit nowhere.yaml --as ada").code, 2);
    assert!(
        place
            .run("release list --all")
            .out
            .contains("no releases yet")
    );

    let mut command = holdpoint(place.home.path(), "release submit - --as dev --json");
    command.env("HOLDPOINT_ROOM", place.room());
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let plan = std::fs::read(fixtures().join("room/plans/search-staging.yaml")).unwrap();
    child.stdin.take().unwrap().write_all(&plan).unwrap();
    let said = Said::of(child.wait_with_output().unwrap());
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(said.json()["release"], "R-1");
    // staging starts by itself and needs nobody
    let said = place.run("release wait R-1 --until succeeded --timeout 60 --json");
    assert_eq!(said.code, 0, "{said:?}");
}

#[test]
fn a_second_engine_is_told_who_holds_the_room() {
    let place = Place::new();
    let _engine = place.serve();
    let said = place.run("serve --json");
    assert_eq!(
        (said.code, said.error().as_str()),
        (1, "ledger-held"),
        "{said:?}"
    );
    // nor may made-up colleagues play in it
    let line = format!("demo --headless --room {} --json", place.room().display());
    let said = place.run(&line);
    assert_eq!(
        (said.code, said.error().as_str()),
        (2, "not-a-demo"),
        "{said:?}"
    );
    // without a terminal there is no room to show
    assert_eq!(place.run("").code, 2);
}

/// A freeze of everything that holds now.
const FREEZE: &str = r#"
[[freeze]]
name = "stocktaking"
owner = "operations"
reason = "the warehouse counts"
zone = "UTC"
starts = "2020-01-01T00:00"
lasts = "24h"
repeats = "FREQ=DAILY;UNTIL=20991231T000000Z"
"#;

#[test]
fn the_calendar_is_followed_asked_and_freed_by_commands_alone() {
    let place = Place::new();
    let engine = place.serve();
    place.ok(&format!("{} --as ada", place.submit()));
    for (who, id) in [("kim", "R-1"), ("bo", "R-1")] {
        place.ok(&format!("vote {id} approve --as {who}"));
    }
    let file = place.room().join("calendar.toml");
    std::fs::write(&file, FREEZE).unwrap();
    let why = || place.ok("release why R-1 --json").json();
    let _ = until("the engine follows calendar.toml", &why, |why| {
        why["calendar"][0]["name"] == "stocktaking"
    });
    assert_eq!(why()["calendar"][0]["owner"], "operations");
    assert_eq!(why()["next"], Value::Null);
    let said = place.ok("release when R-1").out;
    assert!(said.contains("not allow it within 90 days"), "{said}");
    place.ok("release start R-1 --as ada");
    // once its targets were read, the calendar is what it stands at
    let _ = until(
        "the release stands at the calendar",
        || place.ok("release show R-1").out,
        |shown| shown.contains("stocktaking"),
    );

    // a bad file changes nothing, and the log says where it is bad
    std::fs::write(&file, FREEZE.replace("owner", "owenr")).unwrap();
    let log = || {
        let dir = std::fs::read_dir(place.room().join("log")).unwrap();
        let texts = dir.map(|e| std::fs::read_to_string(e.unwrap().path()).unwrap());
        texts.collect::<String>()
    };
    let _ = until("the log names the bad file", log, |log| {
        log.contains("bad-files")
    });
    assert_eq!(place.run("check").code, 2);
    assert_eq!(why()["calendar"][0]["name"], "stocktaking");
    std::fs::write(&file, FREEZE).unwrap();

    let ask = "calendar exempt stocktaking --release R-1 --reason fix --ticket INC-7 --until 2h";
    place.refused(ask, "no-identity");
    place.refused(&ask.replace("stocktaking", "stocktakin"), "no-identity");
    assert_eq!(place.ok(&format!("{ask} --as bo")).out, "X-1\n");
    place.refused("calendar approve X-1 --as bo", "own-exemption");
    place.refused("calendar approve X-1 --as ada", "own-exemption");
    place.refused("calendar approve X-1 --as kim", "no-right");
    place.ok("calendar approve X-1 --as eva");
    assert_eq!(why()["calendar"].as_array().unwrap().len(), 0);

    let order = "calendar lockdown --everything --reason 'break-in?'";
    place.refused(&format!("{order} --as kim"), "no-right");
    assert_eq!(place.ok(&format!("{order} --as ada")).out, "L-1\n");
    assert_eq!(why()["calendar"][0]["rule"], "lockdown");
    let said = place.ok("calendar show").out;
    assert!(said.starts_with("LOCKDOWN L-1"), "{said}");
    place.refused("calendar lift L-1 --reason ok --as ada", "own-lockdown");
    place.ok("calendar lift L-1 --reason ok --as bo");

    let ics = place.home.path().join("room.ics");
    std::fs::write(&ics, place.ok("calendar export").out).unwrap();
    let line = format!("calendar import {} --owner operations", ics.display());
    let toml = place.ok(&line).out;
    assert!(toml.contains("name = \"freeze-stocktaking\""), "{toml}");
    assert!(toml.contains("UNTIL=20991231T000000Z"), "{toml}");
    place.ok("calendar lint");
    place.ok("calendar conflicts");
    assert_eq!(engine.end(), 0);
    // what is there can be read without an engine
    assert!(place.ok("calendar show").out.contains("stocktaking"));
}
