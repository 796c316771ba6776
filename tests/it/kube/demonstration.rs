//! The demonstration: a Deployment of twenty and a StatefulSet of nine in three batches, watched from outside,
//! while the engine is killed and the API server is away for ninety seconds and releases elsewhere go on; then
//! a version that crashes. What it does not show: two rooms that promote one Rollout (`argo`), a Flagger canary
//! (`flagger`), a change that is made and answered 504 (`deployments`, `argo`), the loss of `patch` (`doctor`).

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::ROUNDS;
use super::cluster::{Cluster, Namespace};
use super::deployments::{START, held, tidy};
use super::room::Room;
use super::waiting::ready_with;
use super::witness::Witness;

/// How long the API server is away.
const OUTAGE: Duration = Duration::from_secs(90);

#[track_caller]
fn wait_for_new(ns: &Namespace, app: &str, image: &str, pods: usize) {
    let there = |found: &Vec<Value>| ready_with(found, image) >= pods;
    ns.until(
        &format!("{pods} pods of {image}"),
        ROUNDS,
        |ns| ns.pods(app),
        there,
    );
}

fn workloads(cluster: &Cluster) -> Namespace {
    let ns = cluster.namespace("demonstration");
    ns.deployment("web", "shop/web:1", 20);
    ns.statefulset("store", "shop/store:1", 9);
    ns.ready("deployment", "web", 20);
    ns.ready("statefulset", "store", 9);
    let owner = json!({"metadata": {"annotations": {"team/owner": "shop"}}});
    ns.patch("deployment", "web", &owner);
    ns.patch("statefulset", "store", &owner);
    ns
}

/// The API server is killed and stays away, while a release of commands in the same room goes to its end.
fn without_api_server(cluster: &Cluster, ns: &Namespace, room: &Room, elsewhere: &str) {
    cluster.kube_up(&["kill", "api"]);
    let begun = Instant::now();
    room.promote(elsewhere);
    let over = |seen: &Value| seen["phase"] == "closed";
    let look = || room.show(elsewhere);
    let seen = crate::until::until("the end of the release elsewhere", look, over);
    assert_eq!(seen["ending"], "succeeded", "{seen:#}");
    // the length of the outage is what is shown, there is nothing to wait for
    std::thread::sleep(OUTAGE.saturating_sub(begun.elapsed()));
    let lost = room.cli(&["release", "show", elsewhere]);
    assert_eq!(lost.code, Some(0), "the room answers: {lost:?}");
    cluster.kube_up(&["restart", "api"]);
    assert!(!ns.pods("web").is_empty());
}

/// Stopped in its first batch, told in words, and taken back.
fn a_bad_one(ns: &Namespace, room: &Room, web: &Witness) {
    let before = ns.get("deployment", "web");
    let three = [&*held("25%"), &*held("50%"), "full"];
    let bad = room.submit(&room.plan("web", "3-bad", 3, &three, START));
    let why = room.fails(ns, &bad);
    assert!(why.contains("crashes again and again: exit 1"), "{why}");
    let told = room.cli(&["release", "show", &bad]);
    assert!(
        told.out.contains("crashes again and again: exit 1"),
        "{}",
        told.out
    );
    assert!(web.most("shop/web:3-bad") <= 5, "{:?}", web.moments());
    room.roll_back(&bad, "it crashes");
    room.ends(ns, &bad, "rolled-back");
    let after = tidy(ns, "deployment", "web");
    assert_eq!(after["spec"]["template"], before["spec"]["template"]);
    assert_eq!(after["spec"]["strategy"], before["spec"]["strategy"]);
    assert_eq!(ready_with(&ns.pods("web"), "shop/web:2"), 20);
}

#[test]
#[ignore = "needs a Kubernetes: tests/run kube"]
fn twenty_and_nine_in_three_batches_over_two_crashes_and_a_bad_one() {
    let Some(cluster) = Cluster::own(&[]) else {
        return;
    };
    let ns = workloads(&cluster);
    let mut room = Room::new(&cluster.file);
    room.target("web", &ns.name, "deployment/web", "");
    room.target("store", &ns.name, "statefulset/store", "");
    room.operated("pay");
    let engine = room.serve();
    let web = Witness::of(&ns, "deployment", "web");
    let store = Witness::of(&ns, "statefulset", "store");
    let three = [&*held("25%"), &*held("50%"), "full"];
    let one = room.submit(&room.plan("web", "2", 2, &three, START));
    wait_for_new(&ns, "web", "shop/web:2", 1);
    // in the middle of a batch
    engine.kill();
    let _engine = room.serve();
    room.stands(&ns, &one, 25);
    assert_eq!(web.most("shop/web:2"), 5, "{:?}", web.moments());
    let two = room.submit(&room.plan("store", "2", 2, &three, START));
    room.stands(&ns, &two, 25);
    assert_eq!(store.most("shop/store:2"), 3, "{:?}", store.moments());
    let pay = room.submit(&room.plan("pay", "2", 2, &[&held("50%"), "full"], START));
    room.stands(&ns, &pay, 50);
    room.promote(&one);
    wait_for_new(&ns, "web", "shop/web:2", 6);
    without_api_server(&cluster, &ns, &room, &pay);
    room.stands(&ns, &one, 50);
    assert_eq!(web.most("shop/web:2"), 10, "{:?}", web.moments());
    room.promote(&two);
    room.stands(&ns, &two, 50);
    assert_eq!(store.most("shop/store:2"), 5, "{:?}", store.moments());
    for id in [&one, &two] {
        room.promote(id);
        room.ends(&ns, id, "succeeded");
    }
    tidy(&ns, "deployment", "web");
    tidy(&ns, "statefulset", "store");
    assert_eq!(ready_with(&ns.pods("web"), "shop/web:2"), 20);
    assert_eq!(ready_with(&ns.pods("store"), "shop/store:2"), 9);
    a_bad_one(&ns, &room, &web);
    assert!(
        web.fewest_ready() >= 15,
        "the owner's own strategy takes a quarter: {:?}",
        web.moments()
    );
}
