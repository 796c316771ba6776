//! The demonstration: a Deployment of twenty and a StatefulSet of nine in three batches while the API
//! server and the engine go down on the way, watched from outside.

use serde_json::{Value, json};

use super::ROUNDS;
use super::cluster::{Cluster, Namespace};
use super::deployments::{START, ends, held, stands, tidy};
use super::room::Room;
use super::waiting::ready_with;
use super::witness::Witness;

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

#[test]
#[ignore = "needs a Kubernetes: tests/run kube"]
fn twenty_and_nine_in_three_batches_over_two_crashes() {
    let cluster = Cluster::own(&[]);
    let ns = cluster.namespace("demonstration");
    ns.deployment("web", "shop/web:1", 20);
    ns.statefulset("store", "shop/store:1", 9);
    ns.ready("deployment", "web", 20);
    ns.ready("statefulset", "store", 9);
    let owner = json!({"metadata": {"annotations": {"team/owner": "shop"}}});
    ns.patch("deployment", "web", &owner);
    ns.patch("statefulset", "store", &owner);
    let mut room = Room::new(&cluster.file);
    room.target("web", &ns.name, "deployment/web", "");
    room.target("store", &ns.name, "statefulset/store", "");
    let engine = room.serve();
    let web = Witness::of(&ns, "deployment", "web");
    let store = Witness::of(&ns, "statefulset", "store");
    let three = [&*held("25%"), &*held("50%"), "full"];
    let one = room.submit(&room.plan("web", "2", 2, &three, START));
    wait_for_new(&ns, "web", "shop/web:2", 1);
    // in the middle of a batch
    engine.kill();
    let _engine = room.serve();
    stands(&ns, &room, &one, 25);
    assert!(web.most("shop/web:2") <= 5 + 2, "{:?}", web.moments());
    let two = room.submit(&room.plan("store", "2", 2, &three, START));
    stands(&ns, &room, &two, 25);
    assert_eq!(store.most("shop/store:2"), 3, "{:?}", store.moments());
    room.done(&["release", "promote", &one, "--as", "ada"]);
    wait_for_new(&ns, "web", "shop/web:2", 6);
    cluster.kube_up(&["kill", "api"]);
    std::thread::sleep(std::time::Duration::from_secs(20));
    cluster.kube_up(&["restart", "api"]);
    stands(&ns, &room, &one, 50);
    assert!(web.most("shop/web:2") <= 10 + 2, "{:?}", web.moments());
    room.done(&["release", "promote", &two, "--as", "ada"]);
    stands(&ns, &room, &two, 50);
    assert_eq!(store.most("shop/store:2"), 5, "{:?}", store.moments());
    for id in [&one, &two] {
        room.done(&["release", "promote", id, "--as", "ada"]);
        ends(&ns, &room, id, "succeeded");
    }
    tidy(&ns, "deployment", "web");
    tidy(&ns, "statefulset", "store");
    assert_eq!(ready_with(&ns.pods("web"), "shop/web:2"), 20);
    assert_eq!(ready_with(&ns.pods("store"), "shop/store:2"), 9);
    assert!(
        web.fewest_ready() >= 15,
        "the owner's own strategy takes a quarter: {:?}",
        web.moments()
    );
}
