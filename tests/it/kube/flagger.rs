//! Releases through Flagger's real controller, which asks at the room's gates. It works by rounds of ten
//! seconds, and without a mesh: the new version stands beside the old one until it is promoted.

use std::fs;
use std::net::TcpListener;

use serde_json::{Value, json};

use super::ROUNDS;
use super::cluster::{Cluster, Namespace};
use super::deployments::{START, tidy};
use super::room::Room;
use super::workloads::image_of;
use crate::shop::digest;

pub const HOOKS: [&str; 3] = ["confirm-rollout", "confirm-promotion", "rollback"];

/// The Canary `web` of two rounds, set up by Flagger, which asks at a port.
#[track_caller]
pub fn canary(ns: &Namespace, hooks: &[&str]) -> u16 {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    ns.deployment("web", "shop/web:1", 2);
    let hooks = hooks.iter().map(|hook| {
        let url = format!("http://127.0.0.1:{port}/gates/web-prod/{hook}");
        json!({"name": hook, "type": hook, "url": url, "metadata": {"token": "sesame"}})
    });
    let hooks: Vec<Value> = hooks.collect();
    let analysis = json!({"iterations": 2, "threshold": 3, "webhooks": hooks});
    ns.canary("web", &analysis);
    let ready = |canary: &Value| canary["status"]["phase"] == "Initialized";
    let see = |ns: &Namespace| ns.get("canary", "web");
    ns.until("Flagger's setting up", ROUNDS, see, ready);
    let foreign = json!({"metadata": {"annotations": {"team/owner": "shop"}}});
    ns.patch("deployment", "web", &foreign);
    port
}

/// Has a room over the Canary `web` keep its gates at a port.
pub fn gated(room: &mut Room, ns: &Namespace, port: u16) {
    room.target("web", &ns.name, "canary/web", "");
    room.write("keys/gates.token", "sesame");
    let gates =
        format!("\n[gates]\nlisten = \"127.0.0.1:{port}\"\ntoken = \"file:keys/gates.token\"\n");
    let text = fs::read_to_string(room.path().join("room.toml")).unwrap() + &gates;
    room.write("room.toml", &text);
}

/// A namespace with such a Canary, and a room over it.
#[track_caller]
fn shop(name: &str, hooks: &[&str]) -> (Namespace, Room, u16) {
    let ns = Cluster::given().namespace(name);
    let port = canary(&ns, hooks);
    let mut room = Room::new(&ns.cluster.file);
    gated(&mut room, &ns, port);
    (ns, room, port)
}

const FIRST: &str = "10%, after: [{ manual: {} }]";
const SECOND: &str = "50%, after: [{ manual: {} }]";

#[test]
#[ignore = "needs a Kubernetes: tests/run kube"]
fn a_canary_waits_on_the_holds_of_three_batches() {
    let (ns, room, _) = shop("flagger-three", &HOOKS);
    let keeper = room.serve();
    let id = room.submit(&room.plan("web", "2", 2, &[FIRST, SECOND, "full"], START));
    room.stands(&ns, &id, 10);
    assert_eq!(
        ns.get("canary", "web")["status"]["phase"],
        "WaitingPromotion"
    );
    assert_eq!(image_of(&ns.get("deployment", "web-primary")), "shop/web:1");
    // without an engine the gates are closed, and with a new one too until a call opens them
    keeper.kill();
    let _keeper = room.serve();
    room.promote(&id);
    room.stands(&ns, &id, 50);
    assert_eq!(image_of(&ns.get("deployment", "web-primary")), "shop/web:1");
    room.promote(&id);
    room.ends(&ns, &id, "succeeded");
    let image = format!("shop/web:2@{}", digest(2));
    assert_eq!(image_of(&ns.get("deployment", "web-primary")), image);
    assert_eq!(ns.get("canary", "web")["status"]["phase"], "Succeeded");
    tidy(&ns, "deployment", "web");
}

#[test]
#[ignore = "needs a Kubernetes: tests/run kube"]
fn a_canary_goes_back_by_the_inverted_gate() {
    let (ns, room, _) = shop("flagger-back", &HOOKS);
    let _keeper = room.serve();
    let id = room.submit(&room.plan("web", "2", 2, &[FIRST, "full"], START));
    room.stands(&ns, &id, 10);
    // the hook that goes back has been asked in every round, and was told no
    assert_eq!(
        ns.get("canary", "web")["status"]["phase"],
        "WaitingPromotion"
    );
    room.roll_back(&id, "no");
    let failed = |canary: &Value| canary["status"]["phase"] == "Failed";
    ns.until(
        "Flagger's going back",
        ROUNDS,
        |ns| ns.get("canary", "web"),
        failed,
    );
    room.ends(&ns, &id, "rolled-back");
    assert_eq!(image_of(&ns.get("deployment", "web-primary")), "shop/web:1");
    let target = ns.get("deployment", "web");
    assert_eq!(image_of(&target), "shop/web:1");
    tidy(&ns, "deployment", "web");
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
    let why = room.fails(&ns, &id);
    assert!(why.contains("crash"), "{why}");
    room.roll_back(&id, "it crashes");
    room.ends(&ns, &id, "rolled-back");
    assert_eq!(image_of(&ns.get("deployment", "web-primary")), "shop/web:1");
    let target = ns.get("deployment", "web");
    assert_eq!(image_of(&target), "shop/web:1");
    tidy(&ns, "deployment", "web");
}

#[test]
#[ignore = "needs a Kubernetes: tests/run kube"]
fn a_canary_that_does_not_ask_is_refused_with_the_yaml_that_it_needs() {
    let (ns, room, port) = shop("flagger-deaf", &HOOKS[..2]);
    let _keeper = room.serve();
    let id = room.submit(&room.plan("web", "2", 2, &[FIRST, "full"], START));
    let why = room.fails(&ns, &id);
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

#[test]
#[ignore = "needs a Kubernetes: tests/run kube"]
fn a_canary_that_failed_is_tried_again_with_the_same_template() {
    let (ns, room, _) = shop("flagger-again", &HOOKS);
    let _keeper = room.serve();
    let id = room.submit(&room.plan("web", "2-bad", 2, &[FIRST, "full"], START));
    room.fails(&ns, &id);
    let phase = |wanted: &'static str| {
        let there = move |canary: &Value| canary["status"]["phase"] == wanted;
        ns.until(wanted, ROUNDS, |ns| ns.get("canary", "web"), there)
    };
    phase("Failed");
    let template = ns.get("deployment", "web")["spec"]["template"].clone();
    room.done(&["release", "retry", &id, "--as", "ada"]);
    let canary = phase("Progressing");
    let mark = canary["metadata"]["annotations"]["holdpoint.dev/retry"].as_str();
    assert!(
        mark.is_some_and(|mark| mark.contains(".deploy.2 ")),
        "{mark:?}"
    );
    assert_eq!(ns.get("deployment", "web")["spec"]["template"], template);
    room.roll_back(&id, "it crashes");
    room.ends(&ns, &id, "rolled-back");
    tidy(&ns, "deployment", "web");
    let canary = ns.get("canary", "web")["metadata"]["annotations"].to_string();
    assert!(!canary.contains("holdpoint.dev/"), "{canary}");
}
