//! Somebody else has a hand in the workload while its release is on the way: an autoscaler owns the number of
//! pods, or somebody deletes it and makes it anew.

use serde_json::{Value, json};

use super::LONG;
use super::cluster::Namespace;
use super::deployments::{START, held, shop, tidy};
use super::proxy::Proxy;
use super::room::Room;
use super::waiting::ready_with;
use super::witness::Witness;
use super::workloads::image_of;

/// An autoscaler for `web`. Simulated pods have no metrics; between its bounds it leaves the number alone, and
/// from outside them it brings it back.
#[track_caller]
fn autoscaler(ns: &Namespace, fewest: u32) {
    let spec = json!({
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
        "minReplicas": fewest,
        "maxReplicas": 40,
    });
    ns.create("hpa", &json!({"metadata": {"name": "web"}, "spec": spec}));
}

#[test]
#[ignore = "needs a Kubernetes: tests/run kube"]
fn shares_follow_an_autoscaler_and_its_number_is_never_written() {
    let ns = shop("scaled", 10);
    autoscaler(&ns, 10);
    let proxy = Proxy::before(&ns.cluster);
    let mut room = Room::new(&proxy.kubeconfig(&ns.cluster.file));
    room.target("web", &ns.name, "deployment/web", "");
    let _engine = room.serve();
    let witness = Witness::of(&ns, "deployment", "web");
    let batches = [&*held("50%"), &*held("75%"), "full"];
    let id = room.submit(&room.plan("web", "2", 2, &batches, START));
    room.stands(&ns, &id, 50);
    assert_eq!(ready_with(&ns.pods("web"), "shop/web:2"), 5);
    ns.patch("hpa", "web", &json!({"spec": {"minReplicas": 20}}));
    let scaled = |web: &Value| {
        let ready = web["status"]["readyReplicas"].as_u64();
        web["spec"]["replicas"] == 20 && ready == Some(20)
    };
    let see = |ns: &Namespace| ns.get("deployment", "web");
    ns.until("twenty pods", LONG, see, scaled);
    room.promote(&id);
    room.stands(&ns, &id, 75);
    // of twenty, not of the ten that there were at the beginning
    assert_eq!(ready_with(&ns.pods("web"), "shop/web:2"), 15);
    assert!(witness.most("shop/web:2") <= 15, "{:?}", witness.moments());
    room.promote(&id);
    room.ends(&ns, &id, "succeeded");
    let web = tidy(&ns, "deployment", "web");
    assert_eq!(web["spec"]["replicas"], 20);
    assert_eq!(ready_with(&ns.pods("web"), "shop/web:2"), 20);
    let writes = proxy.writes();
    let ours = writes.iter().filter(|w| w.path.contains("/web"));
    assert!(ours.clone().count() > 0, "{writes:?}");
    for write in ours {
        assert!(write.body.is_object(), "{write:?}");
        assert!(write.body["spec"]["replicas"].is_null(), "{write:?}");
        assert!(!write.path.contains("/web/scale"), "{write:?}");
    }
}

#[test]
#[ignore = "needs a Kubernetes: tests/run kube"]
fn a_workload_that_is_made_anew_on_the_way_is_not_gone_on_with() {
    let ns = shop("anew", 10);
    let mut room = Room::new(&ns.cluster.file);
    room.target("web", &ns.name, "deployment/web", "");
    let _engine = room.serve();
    let id = room.submit(&room.plan("web", "2-slow", 2, &[&held("50%"), "full"], START));
    // in the middle of its batch: a pod that never becomes ready is there
    let begun = |pods: &Vec<Value>| {
        pods.iter()
            .any(|p| p.to_string().contains("shop/web:2-slow"))
    };
    ns.until("its first pod", LONG, |ns| ns.pods("web"), begun);
    ns.delete("deployment", "web");
    ns.deployment("web", "shop/web:1", 10);
    let why = room.fails(&ns, &id);
    assert!(why.contains("deleted and made anew"), "{why}");
    let web = ns.ready("deployment", "web", 10);
    assert_eq!(image_of(&web), "shop/web:1");
    assert_eq!(
        web["metadata"]["generation"], 1,
        "nobody has changed the new one: {web:#}"
    );
    let marks = web["metadata"]["annotations"].to_string();
    assert!(!marks.contains("holdpoint.dev/"), "{marks}");
    room.roll_back(&id, "made anew");
    room.ends(&ns, &id, "rolled-back");
    let web = ns.get("deployment", "web");
    assert_eq!(image_of(&web), "shop/web:1");
}
