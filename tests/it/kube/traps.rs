//! What else happens in clusters while a release is on its way: deadlines that are too short, nodes that are lost,
//! somebody who pauses, somebody who scales.

use serde_json::{Value, json};

use super::LONG;
use super::cluster::{Cluster, Namespace};
use super::deployments::{START, held, some_new};
use super::proxy::Proxy;
use super::room::Room;
use super::waiting::ready_with;
use super::witness::Witness;
use super::workloads::template;

/// A workload whose pods take so long to become ready.
#[track_caller]
fn slow(ns: &Namespace, kind: &str, api: &str, app: &str, seconds: u32, more: &Value) {
    let mut template = template(app, &format!("shop/{app}:1"));
    template["metadata"]["annotations"] = json!({"kube-up/start": format!("{seconds}s")});
    let mut object = json!({
        "apiVersion": "apps/v1", "kind": api,
        "metadata": {"name": app, "labels": {"app": app}, "annotations": {"team/owner": "shop"}},
        "spec": {"selector": {"matchLabels": {"app": app}}, "template": template},
    });
    let more = more.as_object().unwrap().clone();
    object["spec"].as_object_mut().unwrap().extend(more);
    ns.create(kind, &object);
}

/// What the platform says of the only workload of a release.
fn says(release: &Value) -> String {
    let says = release["workloads"][0]["says"].as_str();
    says.unwrap_or_default().to_owned()
}

#[test]
#[ignore = "needs a Kubernetes: tests/run kube"]
fn a_progress_deadline_that_is_too_short_is_told_and_fails_nothing() {
    let ns = Cluster::given().namespace("late");
    let more = json!({"replicas": 4, "progressDeadlineSeconds": 5});
    slow(&ns, "deployment", "Deployment", "web", 9, &more);
    ns.ready("deployment", "web", 4);
    let mut room = Room::new(&ns.cluster.file);
    room.target("web", &ns.name, "deployment/web", "deadline = \"60s\"");
    let _engine = room.serve();
    let id = room.submit(&room.plan("web", "2", 2, &[&held("50%"), "full"], START));
    let late = |said: &String| said.contains("behind its progress deadline");
    // on the way to a share it is holdpoint that waits, by the target's own deadline
    room.stands(&ns, &id, 50);
    let web = ns.get("deployment", "web");
    let reasons = web["status"]["conditions"].to_string();
    assert!(!reasons.contains("ProgressDeadlineExceeded"), "{reasons}");
    room.promote(&id);
    ns.until("its lateness", LONG, |_| says(&room.show(&id)), late);
    room.ends(&ns, &id, "succeeded");
    let web = ns.ready("deployment", "web", 4);
    assert_eq!(web["spec"]["progressDeadlineSeconds"], 5);
    assert!(web["spec"]["minReadySeconds"].is_null(), "{web:#}");
}

/// All that a release shows, as text.
fn all_of(room: &Room, id: &str) -> String {
    room.show(id).to_string()
}

/// A DaemonSet on four nodes goes to its end while one is lost before it begins and another one on the way.
fn past_lost_nodes(cluster: &Cluster, app: &str, tolerant: bool) {
    let ns = cluster.namespace(app);
    ns.daemonset(app, &format!("shop/{app}:1"));
    if tolerant {
        let all = json!([{"operator": "Exists"}]);
        ns.patch(
            "daemonset",
            app,
            &json!({"spec": {"template": {"spec": {"tolerations": all}}}}),
        );
    }
    ns.ready("daemonset", app, 4);
    let mut room = Room::new(&cluster.file);
    let more = "deadline = \"60s\"";
    room.target(app, &ns.name, &format!("daemonset/{app}"), more);
    let _engine = room.serve();
    let new = format!("shop/{app}:2");
    cluster.node("node-2", false);
    let counted = |seen: &Value| seen["status"]["numberReady"] == 3;
    ns.until("its count", LONG, |ns| ns.get("daemonset", app), counted);
    let id = room.submit(&room.plan(app, "2", 2, &[&held("50%"), "full"], START));
    room.stands(&ns, &id, 50);
    let seen = all_of(&room, &id);
    assert!(seen.contains("nodes that do not answer: node-2"), "{seen}");
    assert_eq!(ready_with(&ns.pods(app), &new), 2);
    cluster.node("node-4", false);
    let counted = |seen: &Value| seen["status"]["numberReady"].as_u64() == Some(2);
    ns.until("its count", LONG, |ns| ns.get("daemonset", app), counted);
    room.promote(&id);
    room.ends(&ns, &id, "succeeded");
    // they come back, and with them their pods, old ones: the DaemonSet replaces these itself
    cluster.node("node-2", true);
    cluster.node("node-4", true);
    let all = |pods: &Vec<Value>| ready_with(pods, &new) == 4;
    ns.until("the last nodes", LONG, |ns| ns.pods(app), all);
}

#[test]
#[ignore = "needs a Kubernetes: tests/run kube"]
fn nodes_that_are_lost_are_named_and_not_waited_for() {
    let Some(cluster) = Cluster::own(&[]) else {
        return;
    };
    cluster.kube_up(&["nodes", "4"]);
    past_lost_nodes(&cluster, "agent", false);
    past_lost_nodes(&cluster, "tolerant", true);
}

/// The partition of a StatefulSet.
fn partition(ns: &Namespace) -> u64 {
    let store = ns.get("statefulset", "store");
    let partition = &store["spec"]["updateStrategy"]["rollingUpdate"]["partition"];
    partition.as_u64().unwrap_or(0)
}

#[test]
#[ignore = "needs a Kubernetes: tests/run kube"]
fn who_pauses_a_statefulset_holds_it_at_the_pod_that_it_is_at() {
    let ns = Cluster::given().namespace("paused");
    let more = json!({"replicas": 6, "serviceName": "store", "podManagementPolicy": "Parallel"});
    ns.service("store", "store");
    slow(&ns, "statefulset", "StatefulSet", "store", 4, &more);
    ns.ready("statefulset", "store", 6);
    let mut room = Room::new(&ns.cluster.file);
    room.target("store", &ns.name, "statefulset/store", "deadline = \"60s\"");
    let _engine = room.serve();
    let witness = Witness::of(&ns, "statefulset", "store");
    let id = room.submit(&room.plan("store", "2", 2, &["full"], START));
    let two = |pods: &Vec<Value>| ready_with(pods, "shop/store:2") >= 2;
    ns.until("two new pods", LONG, |ns| ns.pods("store"), two);
    room.done(&["release", "pause", &id, "--why", "lunch", "--as", "ada"]);
    let held = |partition: &u64| *partition > 0;
    let at = ns.until("its partition", LONG, partition, held);
    // the pod that was on its way comes up, no further one begins
    let new = usize::try_from(6 - at).unwrap();
    let up = |pods: &Vec<Value>| ready_with(pods, "shop/store:") == 6;
    ns.until("six ready pods", LONG, |ns| ns.pods("store"), up);
    let held = |said: &String| said.contains(&format!("partition {at}"));
    ns.until("its hold", LONG, |_| says(&room.show(&id)), held);
    assert!(new < 6, "{new}");
    assert_eq!(witness.most("shop/store:2"), new, "{:?}", witness.moments());
    assert_eq!(partition(&ns), at);
    room.done(&["release", "resume", &id, "--as", "ada"]);
    room.ends(&ns, &id, "succeeded");
    assert_eq!(partition(&ns), 0);
    assert_eq!(ready_with(&ns.pods("store"), "shop/store:2"), 6);
    assert!(witness.fewest_ready() >= 5, "{:?}", witness.moments());
}

/// As `kubectl scale` does it.
#[track_caller]
fn scale(ns: &Namespace, kind: &str, app: &str, pods: u32) {
    let path = format!("{}/scale", ns.path(kind, app));
    ns.cluster
        .patch(&path, &json!({"spec": {"replicas": pods}}));
}

/// Nobody but others has written how many pods there should be.
#[track_caller]
fn never_scaled(proxy: &Proxy, app: &str) {
    let writes = proxy.writes();
    let ours = writes
        .iter()
        .filter(|w| w.path.contains(&format!("/{app}")));
    assert!(ours.clone().count() > 0, "{writes:?}");
    for write in ours {
        assert!(write.body["spec"]["replicas"].is_null(), "{write:?}");
        assert!(
            !write.body.to_string().contains("/spec/replicas"),
            "{write:?}"
        );
        assert!(!write.path.contains("/scale"), "{write:?}");
    }
}

#[test]
#[ignore = "needs a Kubernetes: tests/run kube"]
fn a_deployment_that_is_scaled_within_a_batch_keeps_its_share() {
    let ns = Cluster::given().namespace("scaling");
    slow(
        &ns,
        "deployment",
        "Deployment",
        "web",
        2,
        &json!({"replicas": 12}),
    );
    ns.ready("deployment", "web", 12);
    let proxy = Proxy::before(&ns.cluster);
    let mut room = Room::new(&proxy.kubeconfig(&ns.cluster.file));
    room.target("web", &ns.name, "deployment/web", "deadline = \"90s\"");
    let _engine = room.serve();
    let witness = Witness::of(&ns, "deployment", "web");
    let batches = [&*held("50%"), &*held("75%"), "full"];
    let id = room.submit(&room.plan("web", "2", 2, &batches, START));
    some_new(&ns, 1);
    scale(&ns, "deployment", "web", 20);
    room.stands(&ns, &id, 50);
    let up = |pods: &Vec<Value>| {
        let old = ready_with(pods, "shop/web:1");
        (ready_with(pods, "shop/web:2"), old) == (10, 10)
    };
    ns.until("half of twenty", LONG, |ns| ns.pods("web"), up);
    assert!(witness.most("shop/web:2") <= 10, "{:?}", witness.moments());
    room.promote(&id);
    some_new(&ns, 11);
    scale(&ns, "deployment", "web", 8);
    room.stands(&ns, &id, 75);
    room.promote(&id);
    room.ends(&ns, &id, "succeeded");
    let web = ns.ready("deployment", "web", 8);
    assert_eq!(web["spec"]["replicas"], 8);
    assert_eq!(ready_with(&ns.pods("web"), "shop/web:2"), 8);
    never_scaled(&proxy, "web");
}

#[test]
#[ignore = "needs a Kubernetes: tests/run kube"]
fn a_statefulset_that_is_scaled_within_a_batch_follows_its_number() {
    let ns = Cluster::given().namespace("growing");
    let more = json!({"replicas": 4, "serviceName": "store"});
    ns.service("store", "store");
    slow(&ns, "statefulset", "StatefulSet", "store", 5, &more);
    ns.ready("statefulset", "store", 4);
    let proxy = Proxy::before(&ns.cluster);
    let mut room = Room::new(&proxy.kubeconfig(&ns.cluster.file));
    room.target("store", &ns.name, "statefulset/store", "deadline = \"90s\"");
    let _engine = room.serve();
    let id = room.submit(&room.plan("store", "2", 2, &[&held("50%"), "full"], START));
    let begun = |pods: &Vec<Value>| pods.iter().any(|p| p.to_string().contains("shop/store:2"));
    ns.until("its first pod", LONG, |ns| ns.pods("store"), begun);
    scale(&ns, "statefulset", "store", 8);
    room.stands(&ns, &id, 50);
    let up = |count: usize| {
        let up = move |pods: &Vec<Value>| {
            ready_with(pods, "shop/store:") == count && pods.len() == count
        };
        ns.until(&format!("{count} pods"), LONG, |ns| ns.pods("store"), up)
    };
    // the one that was new before stays: no pod that runs is deleted for the sake of a number
    assert_eq!(ready_with(&up(8), "shop/store:1"), 3, "{}", ns.describe());
    assert_eq!(partition(&ns), 4);
    // while it stands, what is added comes as new: Kubernetes has no other way, and it is told
    scale(&ns, "statefulset", "store", 10);
    up(10);
    let more = |said: &String| said.contains("scaled up since: 6 new pods, not 4");
    ns.until("that it is told", LONG, |_| says(&room.show(&id)), more);
    scale(&ns, "statefulset", "store", 4);
    assert_eq!(ready_with(&up(4), "shop/store:1"), 3, "{}", ns.describe());
    room.promote(&id);
    room.ends(&ns, &id, "succeeded");
    let store = ns.ready("statefulset", "store", 4);
    assert_eq!(store["spec"]["replicas"], 4);
    assert_eq!(ready_with(&ns.pods("store"), "shop/store:2"), 4);
    never_scaled(&proxy, "store");
}
