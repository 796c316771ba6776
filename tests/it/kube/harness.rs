//! The cluster does what the tests believe of it, and the witness sees it.

use reqwest::Method;
use serde_json::{Value, json};

use super::client::Client;
use super::cluster::{Cluster, name_of};
use super::room::Room;
use super::waiting::{asks_for, is_ready, observed, ready_with, waits_for};
use super::witness::{Witness, all_of};
use super::workloads::pinned;
use super::{LONG, ROUNDS};

#[test]
#[ignore = "needs a Kubernetes: tests/run kube"]
fn workloads_become_ready() {
    let ns = Cluster::given().namespace("ready");
    ns.deployment("web", "shop/web:1", 3);
    ns.statefulset("store", "shop/store:1", 2);
    ns.daemonset("agent", "shop/agent:1");
    ns.ready("deployment", "web", 3);
    ns.ready("statefulset", "store", 2);
    let nodes = ns.cluster.list("/api/v1/nodes").len();
    ns.ready("daemonset", "agent", nodes as u64);
    let pods = ns.pods("web");
    assert_eq!((pods.len(), ready_with(&pods, "shop/web:1")), (3, 3));
    ns.delete("deployment", "web");
    let gone = |web: &Option<Value>| web.is_none();
    ns.until("its end", LONG, |ns| ns.find("deployment", "web"), gone);
    let says = ns.describe();
    assert!(
        says.contains("pod store-1 \"shop/store:1\" \"Running\""),
        "{says}"
    );
}

#[test]
#[ignore = "needs a Kubernetes: tests/run kube"]
fn the_tag_of_an_image_decides() {
    let ns = Cluster::given().namespace("fates");
    let cases = [
        ("bad", "CrashLoopBackOff"),
        ("missing", "ImagePullBackOff"),
        ("slow", ""),
    ];
    for (app, _) in cases {
        ns.deployment(app, &pinned(&format!("shop/{app}:2-{app}"), 2), 1);
    }
    for (app, waits) in cases {
        let pods = ns.until(
            &format!("what becomes of {app}"),
            LONG,
            |ns| ns.pods(app),
            |pods| {
                pods.first().is_some_and(|pod| {
                    let running = pod["status"]["phase"] == "Running" || app == "missing";
                    running && waits_for(pod) == waits
                })
            },
        );
        assert!(!is_ready(&pods[0]), "{app}: {}", pods[0]["status"]);
    }
}

#[test]
#[ignore = "needs a Kubernetes: tests/run kube"]
fn the_witness_sees_the_most_and_the_fewest() {
    let ns = Cluster::given().namespace("witness");
    ns.deployment("web", "shop/web:1", 4);
    ns.ready("deployment", "web", 4);
    let witness = Witness::of(&ns, "deployment", "web");
    let new = pinned("shop/web:2", 2);
    let set = ns.set_image("deployment", "web", &new);
    assert!(asks_for(&set, &new) && !asks_for(&set, "shop/web:1"));
    let web = ns.ready("deployment", "web", 4);
    assert!(observed(&web));
    assert_eq!(witness.generations(), [1, 2]);
    // a quarter more, a quarter less: what Kubernetes allows by itself
    assert_eq!(witness.most_in_all(), 5, "{:?}", witness.moments());
    assert_eq!(
        (witness.most("@sha256:"), witness.most("shop/web:1")),
        (4, 4)
    );
    assert_eq!(witness.fewest_ready(), 3, "{:?}", witness.moments());
    let moments = witness.moments();
    let last = moments.last().unwrap();
    assert_eq!((all_of(last, "shop/web:1"), all_of(last, &new)), (0, 4));
}

#[test]
#[ignore = "needs a Kubernetes: tests/run kube"]
fn rights_are_given_and_taken() {
    let ns = Cluster::given().namespace("rights");
    ns.deployment("web", "shop/web:1", 1);
    let rules = |verbs: &[&str]| json!([{"apiGroups": ["apps"], "resources": ["deployments"], "verbs": verbs}]);
    let file = ns.identity("worker", &rules(&["get", "patch"]));
    let worker = Client::of(&file);
    let path = ns.path("deployment", "web");
    let may = |verb: &'static str| ns.may(&file, verb, "apps", "deployments");
    ns.until("the right to patch", LONG, |_| may("patch"), |may| *may);
    worker.patch(
        &path,
        &json!({"metadata": {"annotations": {"by": "worker"}}}),
    );
    ns.now_may("worker", &rules(&["get"]));
    ns.until("the loss of it", LONG, |_| may("patch"), |may| !*may);
    let refused = worker.ask(Method::DELETE, &path, None).unwrap();
    assert_eq!(
        (refused.code, &refused.body["reason"]),
        (403, &json!("Forbidden"))
    );
    assert_eq!(worker.get(&path)["metadata"]["annotations"]["by"], "worker");
}

#[test]
#[ignore = "needs a Kubernetes: tests/run kube"]
fn argo_takes_a_rollout_through_its_steps() {
    let ns = Cluster::given().namespace("argo");
    ns.rollout(
        "web",
        "shop/web:1",
        4,
        &json!([{"setWeight": 25}, {"pause": {}}]),
    );
    ns.blue_green("api", "shop/api:1", 2);
    ns.ready("rollout", "web", 4);
    ns.ready("rollout", "api", 2);
    let witness = Witness::of(&ns, "rollout", "web");
    ns.set_image("rollout", "web", "shop/web:2");
    ns.set_image("rollout", "api", "shop/api:2");
    for (app, reason) in [("web", "CanaryPauseStep"), ("api", "BlueGreenPause")] {
        let paused = |seen: &Value| {
            observed(seen) && seen["status"]["pauseConditions"][0]["reason"] == reason
        };
        ns.until(reason, LONG, |ns| ns.get("rollout", app), paused);
    }
    assert_eq!((witness.most("shop/web:2"), witness.most_in_all()), (1, 5));
    let status = format!("{}/status", ns.path("rollout", "web"));
    ns.cluster
        .patch(&status, &json!({"status": {"pauseConditions": null}}));
    let web = ns.ready("rollout", "web", 4);
    let healthy = |web: &Value| web["status"]["phase"] == "Healthy";
    ns.until("health", LONG, |ns| ns.get("rollout", "web"), healthy);
    assert!(web["status"]["abort"].is_null(), "{}", web["status"]);
}

#[test]
#[ignore = "needs a Kubernetes: tests/run kube"]
fn flagger_takes_a_canary_through() {
    let ns = Cluster::given().namespace("flagger");
    ns.deployment("web", "shop/web:1", 2);
    ns.canary("web", &json!({"iterations": 1, "threshold": 1}));
    let phase = |wanted: &'static str| {
        let done = move |web: &Value| web["status"]["phase"] == wanted;
        ns.until(wanted, ROUNDS, |ns| ns.get("canary", "web"), done)
    };
    phase("Initialized");
    ns.set_image("deployment", "web", "shop/web:2");
    phase("Succeeded");
    let primary = ns.get("deployment", "web-primary");
    assert!(asks_for(&primary, "shop/web:2"), "{primary}");
}

#[test]
#[ignore = "needs a Kubernetes: tests/run kube"]
fn a_cluster_of_ones_own_can_be_broken() {
    let Some(cluster) = Cluster::own(&[]) else {
        return;
    };
    let ns = cluster.namespace("broken");
    ns.deployment("web", "shop/web:1", 2);
    ns.ready("deployment", "web", 2);
    let witness = Witness::of(&ns, "deployment", "web");

    // a controller that is slow to see
    cluster.kube_up(&["pause", "controllers"]);
    assert!(!observed(&ns.set_image("deployment", "web", "shop/web:2")));
    assert_eq!(witness.most("shop/web:2"), 0);
    cluster.kube_up(&["resume", "controllers"]);
    ns.ready("deployment", "web", 2);

    // a server that is away; the witness goes on where it was
    cluster.kube_up(&["kill", "api"]);
    let path = ns.path("deployment", "web");
    assert!(cluster.ask(Method::GET, &path, None).is_err());
    cluster.kube_up(&["restart", "api"]);
    ns.set_image("deployment", "web", "shop/web:3");
    ns.ready("deployment", "web", 2);
    assert_eq!(witness.generations(), [1, 2, 3]);
    assert_eq!(witness.most("shop/web:3"), 2);

    // a node that is down, and its pods with it
    cluster.kube_up(&["nodes", "4"]);
    ns.daemonset("agent", "shop/agent:1");
    ns.ready("daemonset", "agent", 4);
    cluster.node("node-2", false);
    // its pod stays, and is no longer wanted
    let down = |agents: &Value| {
        let status = &agents["status"];
        (
            &status["desiredNumberScheduled"],
            &status["numberMisscheduled"],
        ) == (&json!(3), &json!(1))
    };
    ns.until(
        "what a node takes along",
        LONG,
        |ns| ns.get("daemonset", "agent"),
        down,
    );
    let ready = ns.pods("agent").iter().filter(|pod| is_ready(pod)).count();
    assert_eq!(ready, 3);
    cluster.node("node-2", true);
    ns.ready("daemonset", "agent", 4);
    let node = |_: &_| cluster.get("/api/v1/nodes/node-2");
    let up = |node: &Value| node["status"]["conditions"][0]["status"] == "True";
    ns.until("the node's return", LONG, node, up);
    assert_eq!(name_of(&cluster.get("/api/v1/nodes/node-4")), "node-4");
}

#[test]
#[ignore = "needs a Kubernetes: tests/run kube"]
fn a_room_over_workloads_is_understood() {
    let ns = Cluster::given().namespace("room");
    let mut room = Room::new(&ns.cluster.file);
    room.cluster("other", &ns.cluster.file);
    room.target("web", &ns.name, "deployment/web", "container = \"web\"");
    room.target_in("other", "api", &ns.name, "statefulset/api", "");
    let checked = room.cli(&["check"]);
    // that nobody must approve is the only thing to be said of it, and is what the tests want
    assert_eq!(checked.code, Some(0), "{checked:?}");
    let warnings = checked.err.matches("warning:").count();
    assert!(
        warnings == 1 && checked.err.contains("need no approval"),
        "{checked:?}"
    );
    let _engine = room.serve();
    let plan = room.plan("web", "2", 2, &["25%", "full"], "");
    let release = room.submit(&plan);
    assert!(room.show(&release)["phase"].is_string());
}
