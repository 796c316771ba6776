//! StatefulSets by partition and DaemonSets by nodes, by the real binary.

use serde_json::{Value, json};

use super::LONG;
use super::cluster::{Cluster, Namespace};
use super::deployments::{START, held, tidy};
use super::room::Room;
use super::waiting::ready_with;
use super::witness::Witness;
use super::workloads::image_of;

fn marked(ns: &Namespace, kind: &str, app: &str) {
    ns.patch(
        kind,
        app,
        &json!({"metadata": {"annotations": {"team/owner": "shop"}}}),
    );
}

fn stores(name: &str, pods: u32) -> (Namespace, Room) {
    let ns = Cluster::given().namespace(name);
    ns.statefulset("store", "shop/store:1", pods);
    ns.ready("statefulset", "store", u64::from(pods));
    marked(&ns, "statefulset", "store");
    let mut room = Room::new(&ns.cluster.file);
    room.target("store", &ns.name, "statefulset/store", "deadline = \"60s\"");
    (ns, room)
}

#[test]
#[ignore = "needs a Kubernetes: tests/run kube"]
fn a_statefulset_goes_by_partition_exactly() {
    let (ns, room) = stores("partition", 6);
    let _engine = room.serve();
    let witness = Witness::of(&ns, "statefulset", "store");
    let id = room.submit(&room.plan("store", "2", 2, &[&held("34%"), "full"], START));
    room.stands(&ns, &id, 34);
    assert_eq!(witness.most("shop/store:2"), 3, "{:?}", witness.moments());
    let store = ns.get("statefulset", "store");
    assert_eq!(
        store["spec"]["updateStrategy"]["rollingUpdate"]["partition"],
        3
    );
    room.promote(&id);
    room.ends(&ns, &id, "succeeded");
    let store = tidy(&ns, "statefulset", "store");
    assert_eq!(
        store["spec"]["updateStrategy"]["rollingUpdate"]["partition"],
        0
    );
    assert_eq!(ready_with(&ns.pods("store"), "shop/store:2"), 6);
}

#[test]
#[ignore = "needs a Kubernetes: tests/run kube"]
fn a_stuck_statefulset_is_named_and_freed_by_the_way_back() {
    let (ns, room) = stores("stuck", 3);
    let _engine = room.serve();
    let before = ns.get("statefulset", "store");
    let id = room.submit(&room.plan("store", "2-bad", 2, &[&held("34%"), "full"], START));
    let why = room.fails(&ns, &id);
    assert!(why.contains("crashes again and again"), "{why}");
    room.roll_back(&id, "test");
    room.ends(&ns, &id, "rolled-back");
    let store = tidy(&ns, "statefulset", "store");
    assert_eq!(store["spec"]["template"], before["spec"]["template"]);
    assert_eq!(ready_with(&ns.pods("store"), "shop/store:1"), 3);
}

#[test]
#[ignore = "needs a Kubernetes: tests/run kube"]
fn a_daemonset_goes_by_nodes_whatever_its_strategy() {
    let ns = Cluster::given().namespace("nodes");
    ns.daemonset("agent", "shop/agent:1");
    let nodes = ns.cluster.list("/api/v1/nodes").len();
    ns.ready("daemonset", "agent", nodes as u64);
    let by_hand = json!({"spec": {"updateStrategy": {"type": "OnDelete", "rollingUpdate": null}}});
    ns.patch("daemonset", "agent", &by_hand);
    marked(&ns, "daemonset", "agent");
    let mut room = Room::new(&ns.cluster.file);
    room.target("agent", &ns.name, "daemonset/agent", "deadline = \"60s\"");
    let _engine = room.serve();
    let witness = Witness::of(&ns, "daemonset", "agent");
    let id = room.submit(&room.plan("agent", "2", 2, &[&held("50%"), "full"], START));
    room.stands(&ns, &id, 50);
    assert_eq!(witness.most("shop/agent:2"), nodes.div_ceil(2));
    room.roll_back(&id, "test");
    room.ends(&ns, &id, "rolled-back");
    let agent = tidy(&ns, "daemonset", "agent");
    assert_eq!(agent["spec"]["updateStrategy"]["type"], "OnDelete");
    assert_eq!(image_of(&agent), "shop/agent:1");
    let all = |pods: &Vec<Value>| ready_with(pods, "shop/agent:1") == nodes;
    ns.until("the old pods", LONG, |ns| ns.pods("agent"), all);
}
