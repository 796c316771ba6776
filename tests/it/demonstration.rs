//! What a person does from a shell beside the demo: a release from its plan to its end.

use std::path::Path;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::faults::demo::Demo;
use crate::shop::{BIN, done, events, holdpoint, ledger};
use crate::terminals::Pty;
use crate::until::until;

/// Waits with the command that waits.
#[track_caller]
fn wait(room: &Path, id: &str, phase: &str) -> Value {
    let words = ["release", "wait", id, "--until", phase, "--timeout", "180"];
    let said = done(room, &words);
    assert_eq!(said["reached"], true, "{said}");
    said
}

#[test]
fn a_release_goes_its_whole_way_from_a_shell_beside_the_demo() {
    let mut demo = Demo::start();
    let room = demo.path().to_owned();
    let room = room.as_path();
    let plan = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/plans/demo-web.yaml");
    let plan = plan.to_str().unwrap();

    let dry = done(room, &["release", "submit", plan, "--dry-run"]);
    assert_eq!(dry["release"]["name"], "web-2.1.0");
    let submitted = done(room, &["release", "submit", plan]);
    assert_eq!(submitted["did"], "submitted");
    let id = submitted["release"].as_str().unwrap();
    let show = || done(room, &["release", "show", id]);

    // one's own release is for others to judge
    let said = holdpoint(room, &["vote", id, "approve", "--json"]);
    assert_eq!(
        (said.code, said.refusal()),
        (Some(1), "own-release".into()),
        "{said:?}"
    );
    let said = holdpoint(room, &["release", "start", id, "--json"]);
    assert_eq!(
        (said.code, said.refusal()),
        (Some(1), "not-approved".into()),
        "{said:?}"
    );
    let short = [
        "release",
        "wait",
        id,
        "--until",
        "approved",
        "--timeout",
        "1",
        "--json",
    ];
    let said = holdpoint(room, &short);
    assert_eq!(
        (said.code, &said.json()["timed_out"]),
        (Some(4), &json!(true)),
        "{said:?}"
    );
    let digest = submitted["digest"].as_str().unwrap();
    for who in ["kim", "ada"] {
        let words = ["vote", id, "approve", "--as", who, "--digest", digest];
        assert_eq!(done(room, &words)["did"], "approved");
    }
    wait(room, id, "approved");

    done(room, &["release", "start", id]);
    wait(room, id, "started");
    done(room, &["release", "pause", id, "--why", "a look at it"]);
    wait(room, id, "paused");
    let seen = show();
    assert_eq!(seen["paused"]["why"], "a look at it", "{seen:#}");
    assert_eq!(seen["waiting"]["word"], "paused", "{seen:#}");
    done(room, &["release", "resume", id]);
    let seen = until("the manual hold", show, |r| {
        r["waiting"]["word"] == "manual"
    });
    let pass = |name: &str| {
        let mut all = seen["verdicts"].as_array().unwrap().iter();
        all.any(|v| v["metric"] == name && v["call"] == "pass")
    };
    assert!(pass("errors") && pass("p99"), "{seen:#}");
    let hold = seen["waiting"]["hold"].as_str().unwrap();
    done(room, &["release", "promote", id, "--hold", hold]);
    wait(room, id, "observing");
    assert_eq!(wait(room, id, "succeeded")["ending"], "succeeded");
    let said = holdpoint(
        room,
        &["release", "wait", id, "--until", "rolled-back", "--json"],
    );
    assert_eq!(said.code, Some(1), "{said:?}");
    assert_eq!(
        done(room, &["release", "show", "web-2.1.0"])["phase"],
        "closed"
    );

    // every step has its entry, with who did it
    let entries = ledger(room);
    let number: u64 = id.strip_prefix("R-").unwrap().parse().unwrap();
    for kind in [
        "submitted",
        "voted",
        "started",
        "paused",
        "resumed",
        "closed",
    ] {
        let all = events(&entries, kind);
        assert!(
            all.iter().any(|event| event["release"] == number),
            "no {kind}"
        );
    }
    assert_eq!(demo.keeper.signal(Signal::INT).code(), Some(0));
}

/// A second `holdpoint --room DIR` shows what is submitted elsewhere, live.
#[test]
fn an_attached_room_shows_what_is_submitted_beside_it() {
    let demo = Demo::start();
    let room = demo.path();
    let argv = [BIN, "--room", room.to_str().unwrap()].map(str::to_owned);
    let mut pty = Pty::sized(&argv, "", 48, 160).watch();
    pty.until("the room", |screen| screen.alternate_screen());
    let plan = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/plans/demo-web.yaml");
    let submitted = done(room, &["release", "submit", plan.to_str().unwrap()]);
    pty.shows(submitted["release"].as_str().unwrap());
    pty.signal(Signal::TERM);
    assert_eq!(pty.ended().code(), Some(143));
    pty.is_restored();
}
