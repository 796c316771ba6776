//! Releases through Flagger's real controller, which asks at the room's gates. It works by rounds of ten
//! seconds, and without a mesh: the new version stands beside the old one until it is promoted.

use std::fs;
use std::net::TcpListener;

use serde_json::{Value, json};

use super::ROUNDS;
use super::cluster::{Cluster, Namespace};
use super::room::Room;
use super::workloads::image_of;
use crate::shop::digest;

const HOOKS: [&str; 3] = ["confirm-rollout", "confirm-promotion", "rollback"];

/// A namespace with the Canary `web` of two rounds, set up by Flagger, and a room whose gates it asks at.
fn shop(name: &str, hooks: &[&str]) -> (Namespace, Room, u16) {
    let ns = Cluster::given().namespace(name);
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    ns.deployment("web", "shop/web:1", 2);
    let hooks: Vec<Value> = hooks
        .iter()
        .map(|hook| {
            let url = format!("http://127.0.0.1:{port}/gates/web-prod/{hook}");
            json!({"name": hook, "type": hook, "url": url, "metadata": {"token": "sesame"}})
        })
        .collect();
    ns.canary(
        "web",
        &json!({"iterations": 2, "threshold": 3, "webhooks": hooks}),
    );
    let ready = |canary: &Value| canary["status"]["phase"] == "Initialized";
    ns.until(
        "Flagger's setting up",
        ROUNDS,
        |ns| ns.get("canary", "web"),
        ready,
    );
    let foreign = json!({"metadata": {"annotations": {"team/owner": "shop"}}});
    ns.patch("deployment", "web", &foreign);
    let mut room = Room::new(&ns.cluster.file);
    room.target("web", &ns.name, "canary/web", "");
    room.write("keys/gates.token", "sesame");
    let file = room.path().join("room.toml");
    let gates =
        format!("\n[gates]\nlisten = \"127.0.0.1:{port}\"\ntoken = \"file:keys/gates.token\"\n");
    let text = fs::read_to_string(&file).unwrap() + &gates;
    room.write("room.toml", &text);
    (ns, room, port)
}

const START: &str = "start: auto\nobserve: { for: 1s }\n";
const FIRST: &str = "10%, after: [{ manual: {} }]";
const SECOND: &str = "50%, after: [{ manual: {} }]";

#[track_caller]
fn stands(ns: &Namespace, room: &Room, id: &str, exposure: u64) {
    let there = |seen: &Value| seen["exposure"] == exposure && seen["waiting"]["word"] == "manual";
    ns.until(
        &format!("{id} at {exposure} %"),
        ROUNDS,
        |_| room.show(id),
        there,
    );
}

#[track_caller]
fn ends(ns: &Namespace, room: &Room, id: &str, ending: &str) {
    let over = |seen: &Value| seen["phase"] == "closed";
    let seen = ns.until("its end", ROUNDS, |_| room.show(id), over);
    assert_eq!(seen["ending"], ending, "{seen}");
}

#[track_caller]
fn tidy(target: &Value) {
    let notes = target["metadata"]["annotations"].as_object().unwrap();
    assert!(
        !notes.keys().any(|key| key.starts_with("holdpoint.dev/")),
        "{notes:?}"
    );
    assert_eq!(notes["team/owner"], "shop");
}

#[test]
#[ignore = "needs a Kubernetes: tests/run kube"]
fn a_canary_waits_on_the_holds_of_three_batches() {
    let (ns, room, _) = shop("flagger-three", &HOOKS);
    let keeper = room.serve();
    let id = room.submit(&room.plan("web", "2", 2, &[FIRST, SECOND, "full"], START));
    stands(&ns, &room, &id, 10);
    assert_eq!(
        ns.get("canary", "web")["status"]["phase"],
        "WaitingPromotion"
    );
    assert_eq!(image_of(&ns.get("deployment", "web-primary")), "shop/web:1");
    // without an engine the gates are closed, and with a new one too until a call opens them
    keeper.kill();
    let _keeper = room.serve();
    room.done(&["release", "promote", &id, "--as", "ada"]);
    stands(&ns, &room, &id, 50);
    assert_eq!(image_of(&ns.get("deployment", "web-primary")), "shop/web:1");
    room.done(&["release", "promote", &id, "--as", "ada"]);
    ends(&ns, &room, &id, "succeeded");
    let image = format!("shop/web:2@{}", digest(2));
    assert_eq!(image_of(&ns.get("deployment", "web-primary")), image);
    assert_eq!(ns.get("canary", "web")["status"]["phase"], "Succeeded");
    tidy(&ns.get("deployment", "web"));
}

#[test]
#[ignore = "needs a Kubernetes: tests/run kube"]
fn a_canary_goes_back_by_the_inverted_gate() {
    let (ns, room, _) = shop("flagger-back", &HOOKS);
    let _keeper = room.serve();
    let id = room.submit(&room.plan("web", "2", 2, &[FIRST, "full"], START));
    stands(&ns, &room, &id, 10);
    // the hook that goes back has been asked in every round, and was told no
    assert_eq!(
        ns.get("canary", "web")["status"]["phase"],
        "WaitingPromotion"
    );
    room.done(&["release", "rollback", &id, "--why", "no", "--as", "ada"]);
    let failed = |canary: &Value| canary["status"]["phase"] == "Failed";
    ns.until(
        "Flagger's going back",
        ROUNDS,
        |ns| ns.get("canary", "web"),
        failed,
    );
    ends(&ns, &room, &id, "rolled-back");
    assert_eq!(image_of(&ns.get("deployment", "web-primary")), "shop/web:1");
    let target = ns.get("deployment", "web");
    assert_eq!(image_of(&target), "shop/web:1");
    tidy(&target);
    let events = ns.list("event");
    let asked = |event: &&Value| {
        let text = event["message"].as_str().unwrap_or_default();
        text.contains("manual webhook invoked")
    };
    assert!(
        events.iter().any(|event| asked(&event)),
        "{}",
        ns.describe()
    );
}

#[test]
#[ignore = "needs a Kubernetes: tests/run kube"]
fn a_canary_that_crashes_is_told_and_taken_back() {
    let (ns, room, _) = shop("flagger-bad", &HOOKS);
    let _keeper = room.serve();
    let id = room.submit(&room.plan("web", "2-bad", 2, &[FIRST, "full"], START));
    let call = |seen: &Value| seen["batches"][0]["moves"][0]["instances"][0].clone();
    let failed = |seen: &Value| call(seen)["status"] == "failed";
    let seen = ns.until("its failure", ROUNDS, |_| room.show(&id), failed);
    let why = call(&seen)["why"].as_str().unwrap().to_owned();
    assert!(why.contains("crash"), "{why}");
    room.done(&[
        "release",
        "rollback",
        &id,
        "--why",
        "it crashes",
        "--as",
        "ada",
    ]);
    ends(&ns, &room, &id, "rolled-back");
    assert_eq!(image_of(&ns.get("deployment", "web-primary")), "shop/web:1");
    let target = ns.get("deployment", "web");
    assert_eq!(image_of(&target), "shop/web:1");
    tidy(&target);
}

#[test]
#[ignore = "needs a Kubernetes: tests/run kube"]
fn a_canary_that_does_not_ask_is_refused_with_the_yaml_that_it_needs() {
    let (ns, room, port) = shop("flagger-deaf", &HOOKS[..2]);
    let _keeper = room.serve();
    let id = room.submit(&room.plan("web", "2", 2, &[FIRST, "full"], START));
    let call = |seen: &Value| seen["batches"][0]["moves"][0]["instances"][0].clone();
    let failed = |seen: &Value| call(seen)["status"] == "failed";
    let seen = ns.until("its refusal", ROUNDS, |_| room.show(&id), failed);
    let why = call(&seen)["why"].as_str().unwrap().to_owned();
    assert!(
        why.contains("spec.analysis.webhooks lacks rollback"),
        "{why}"
    );
    let url = format!("url: http://127.0.0.1:{port}/gates/web-prod/rollback");
    let ledger = crate::shop::ledger(room.path());
    assert!(
        ledger.iter().any(|entry| entry.to_string().contains(&url)),
        "{url}"
    );
    assert_eq!(image_of(&ns.get("deployment", "web")), "shop/web:1");
}
