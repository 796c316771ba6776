//! Deployments released in shares, stopped, and brought back, by the real binary.

use serde_json::{Value, json};

use super::LONG;
use super::cluster::{Cluster, Namespace};
use super::room::Room;
use super::witness::Witness;
use super::workloads::{image_of, pinned};

/// A namespace with a Deployment `web` of so many pods that runs version 1, and a room with it.
pub fn shop(name: &str, pods: u32) -> (Namespace, Room) {
    let ns = Cluster::given().namespace(name);
    ns.deployment("web", &pinned("shop/web:1", 1), pods);
    ns.ready("deployment", "web", u64::from(pods));
    let mut room = Room::new(&ns.cluster.file);
    room.target("web", &ns.name, "deployment/web", "deadline = \"40s\"");
    (ns, room)
}

/// Submits a plan that goes from batch to batch by hand.
pub fn submit(room: &Room, service: &str, version: &str, digest: u32, batches: &[&str]) -> String {
    let plan = room.plan(service, version, digest, batches, "start: auto\n");
    room.submit(&plan)
}

/// Waits for a phase or an ending of a release.
#[track_caller]
pub fn until(
    ns: &Namespace,
    room: &Room,
    release: &str,
    what: &str,
    done: impl Fn(&Value) -> bool,
) -> Value {
    ns.until(
        &format!("{release}: {what}"),
        LONG,
        |_| room.show(release),
        done,
    )
}

/// Whether so many of its batches are through.
pub fn through(shown: &Value, batches: usize) -> bool {
    let all = shown["batches"].as_array().unwrap();
    all.iter().filter(|b| !b["done"].is_null()).count() >= batches
}

/// Holdpoint's own annotations of an object.
pub fn own_marks(object: &Value) -> Vec<String> {
    let marks = object["metadata"]["annotations"].as_object();
    let keys = marks.into_iter().flatten().map(|(key, _)| key.clone());
    keys.filter(|key| key.starts_with("holdpoint.dev/"))
        .collect()
}

#[test]
#[ignore = "needs a Kubernetes: tests/run kube"]
fn a_deployment_goes_share_by_share_and_its_strategy_comes_back() {
    let (ns, room) = shop("shares", 10);
    let before = ns.get("deployment", "web");
    let _engine = room.serve();
    let witness = Witness::of(&ns, "deployment", "web");
    let batches =
        "batches:\n  - { exposure: 30%, after: [{ manual: {} }] }\n  - { exposure: full }\n";
    let plan = room.plan("web", "2", 2, &[], &format!("{batches}start: auto\n"));
    let text = std::fs::read_to_string(&plan)
        .unwrap()
        .replacen("batches:\n", "", 1);
    std::fs::write(&plan, text).unwrap();
    let release = room.submit(&plan);
    let manual = |shown: &Value| {
        shown["hold"]["kind"] == "manual" || shown.to_string().contains("\"manual\"")
    };
    let shown = until(&ns, &room, &release, "at its share", |s| {
        s["batches"][0]["moved"].as_u64() == Some(1) || s["exposed"] == 30
    });
    println!("{}", serde_json::to_string_pretty(&shown).unwrap());
    let _ = manual;
    let web = ns.get("deployment", "web");
    println!("{}", serde_json::to_string_pretty(&web).unwrap());
    assert_eq!(web["spec"]["paused"], true);
    assert_eq!(witness.most("shop/web:2"), 3, "{:?}", witness.moments());
    assert!(witness.fewest_ready() >= 10);
    assert_eq!(image_of(&web), pinned("shop/web:2", 2));
    let _ = json!(before);
}
