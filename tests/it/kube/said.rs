//! What a cluster's parts say of pods that do not come up, in events as kubelets and controllers write them.

use serde_json::{Value, json};

use super::LONG;
use super::cluster::{Cluster, Namespace, name_of};
use super::deployments::{START, held, shop};
use super::proxy::{Asked, Proxy};
use super::room::Room;
use super::workloads::image_of;

/// What is stuck in the only workload of a release: `2 probe: web runs and is not ready`.
pub fn stuck(release: &Value) -> Vec<String> {
    let found = release["workloads"][0]["stuck"].as_array();
    let told = |one: &Value| {
        let words = one["words"].as_str().unwrap();
        format!(
            "{} {}: {words}",
            one["count"],
            one["reason"].as_str().unwrap()
        )
    };
    found.into_iter().flatten().map(told).collect()
}

/// Waits until a release's workload is stuck for a reason that is told in these words.
#[track_caller]
pub fn told(ns: &Namespace, room: &Room, id: &str, words: &str) -> String {
    let tells = |seen: &Vec<String>| seen.iter().any(|one| one.contains(words));
    let see = |_: &Namespace| stuck(&room.show(id));
    let found = ns.until(&format!("`{words}`"), LONG, see, tells);
    found.into_iter().find(|one| one.contains(words)).unwrap()
}

/// A time so many seconds ago, as Kubernetes writes it.
fn ago(seconds: i64) -> String {
    let at = chrono::Utc::now() - chrono::TimeDelta::seconds(seconds);
    at.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// An event about an object, as its kubelet or controller makes it; `more` says when and how often.
#[track_caller]
fn event(ns: &Namespace, kind: &str, of: &Value, reason: &str, message: &str, more: &Value) {
    let meta = &of["metadata"];
    let mut object = json!({
        "metadata": {"generateName": format!("{}.", name_of(of)), "namespace": ns.name},
        "involvedObject": {"kind": kind, "namespace": ns.name, "name": meta["name"], "uid": meta["uid"],
            "fieldPath": "spec.containers{web}"},
        "type": "Warning", "reason": reason, "message": message,
        "source": {"component": "kubelet"},
    });
    let more = more.as_object().unwrap().clone();
    object.as_object_mut().unwrap().extend(more);
    ns.create("event", &object);
}

/// So often in the last four minutes, in the older way to count.
fn counted(count: u32) -> Value {
    json!({"count": count, "firstTimestamp": ago(240), "lastTimestamp": ago(0)})
}

/// The same in the newer way.
fn series(count: u32) -> Value {
    let micro = |seconds| ago(seconds).replace('Z', ".000123Z");
    json!({
        "eventTime": micro(240), "reportingComponent": "kubelet", "reportingInstance": "node-1", "action": "Probe",
        "series": {"count": count, "lastObservedTime": micro(0)},
    })
}

/// The pods of an app that run an image, named by a part of it.
#[track_caller]
fn running(ns: &Namespace, app: &str, image: &str, pods: usize) -> Vec<Value> {
    let of = |ns: &Namespace| {
        let mut found = ns.pods(app);
        found.retain(|pod| pod["spec"].to_string().contains(image));
        found
    };
    ns.until(&format!("{pods} pods of {image}"), LONG, of, |found| {
        found.len() == pods
    })
}

fn questions(proxy: &Proxy) -> Vec<Asked> {
    let mut asked = proxy.asked();
    asked.retain(|one| one.path.contains("/events"));
    asked
}

#[test]
#[ignore = "needs a Kubernetes: tests/run kube"]
fn failing_probes_are_told_in_the_kubelets_words() {
    let ns = shop("probes", 20);
    let proxy = Proxy::before(&ns.cluster);
    let mut room = Room::new(&proxy.kubeconfig(&ns.cluster.file));
    room.target("web", &ns.name, "deployment/web", "deadline = \"5m\"");
    let _engine = room.serve();
    let id = room.submit(&room.plan("web", "2", 2, &["10%", &held("15%"), "full"], START));
    room.stands(&ns, &id, 15);
    assert_eq!(questions(&proxy).len(), 0, "who is well is not asked about");
    room.roll_back(&id, "test");
    room.ends(&ns, &id, "rolled-back");

    let id = room.submit(&room.plan("web", "3-slow", 3, &[&held("50%"), "full"], START));
    let pods = running(&ns, "web", "shop/web:3-slow", 2);
    told(&ns, &room, &id, "statuscode: 503");
    let message = "Readiness probe failed: HTTP probe failed with statuscode: 418\u{1b}[31m";
    event(&ns, "Pod", &pods[0], "Unhealthy", message, &counted(8));
    event(&ns, "Pod", &pods[1], "Unhealthy", message, &series(4));
    let words = "readiness probe fails: HTTP probe failed with statuscode: 418\u{fffd}[31m (12 times in 4 m";
    let found = told(&ns, &room, &id, words);
    assert!(found.starts_with("2 probe: "), "{found}");
    let asked = questions(&proxy);
    assert!(!asked.is_empty());
    for one in &asked {
        let (path, sole) = (&one.path, "fieldSelector=involvedObject.uid%3D");
        assert!(path.contains(sole) && path.contains("limit=200"), "{path}");
        assert!(!path.contains("watch"), "{path}");
    }
    // a screen looks all the time, the cluster is asked once in a while
    assert!(asked.len() < 20, "{asked:?}");
    room.roll_back(&id, "test");
    room.ends(&ns, &id, "rolled-back");
    assert_eq!(image_of(&ns.get("deployment", "web")), "shop/web:1");
}

#[test]
#[ignore = "needs a Kubernetes: tests/run kube"]
fn volumes_and_sandboxes_are_told_once_somebody_says_what_is_wrong() {
    let ns = Cluster::given().namespace("volumes");
    ns.statefulset("store", "shop/store:1", 3);
    ns.ready("statefulset", "store", 3);
    let mut room = Room::new(&ns.cluster.file);
    room.target("store", &ns.name, "statefulset/store", "deadline = \"5m\"");
    let _engine = room.serve();
    let plan = room.plan("store", "2-creating", 2, &[&held("34%"), "full"], START);
    let id = room.submit(&plan);
    let pods = running(&ns, "store", "shop/store:2-creating", 1);
    // the newest counts
    let sandbox = "Failed to create pod sandbox: rpc error: no address is left";
    let old = json!({"count": 1, "firstTimestamp": ago(60), "lastTimestamp": ago(50)});
    event(
        &ns,
        "Pod",
        &pods[0],
        "FailedCreatePodSandBox",
        sandbox,
        &old,
    );
    let volume = "MountVolume.SetUp failed for volume \"conf\" : configmap \"store\" not found";
    event(&ns, "Pod", &pods[0], "FailedMount", volume, &counted(5));
    let found = told(&ns, &room, &id, "configmap \"store\" not found");
    let wanted = format!("1 volume: its volumes are not there: {volume} (5 times in 4 m");
    assert!(found.starts_with(&wanted), "{found}");
    room.roll_back(&id, "test");
    room.ends(&ns, &id, "rolled-back");
    ns.ready("statefulset", "store", 3);
}

#[test]
#[ignore = "needs a Kubernetes: tests/run kube"]
fn who_may_not_read_events_only_hears_less() {
    let ns = shop("deaf", 4);
    let file = ns.identity("worker", &json!([]));
    let proxy = Proxy::before(&ns.cluster);
    let mut room = Room::new(&proxy.kubeconfig(&file));
    room.target("web", &ns.name, "deployment/web", "deadline = \"5m\"");
    let said = room.cli(&["doctor", "--rbac"]);
    let mut rules = super::doctor::rules(&said.out);
    let about = |rule: &Value| rule["resources"] == json!(["events"]);
    let all = rules.as_array_mut().unwrap();
    assert_eq!(
        all.iter().find(|r| about(r)).unwrap()["verbs"],
        json!(["get", "list"])
    );
    all.retain(|rule| !about(rule));
    ns.now_may("worker", &rules);
    let only = |said: &String| {
        said.contains(&format!("may not get, list events in {}", ns.name))
            && said.matches("may not").count() == 1
    };
    let see = |_: &Namespace| room.cli(&["doctor", "--json"]).out;
    ns.until("what the doctor misses", LONG, see, only);

    let _engine = room.serve();
    let id = room.submit(&room.plan("web", "2-slow", 2, &[&held("25%"), "full"], START));
    told(&ns, &room, &id, "web runs and is not ready");
    assert_eq!(
        stuck(&room.show(&id)),
        ["1 probe: web runs and is not ready"]
    );
    let asked = questions(&proxy);
    assert_eq!(asked.len(), 1, "not again and again: {asked:?}");
    room.roll_back(&id, "test");
    room.ends(&ns, &id, "rolled-back");
}
