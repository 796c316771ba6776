//! Releases forward and back by somebody who may do nothing but what `holdpoint doctor --rbac` prints.

use serde_json::{Value, json};

use super::cluster::{Cluster, Namespace};
use super::doctor::{doctor, granted, rules};
use super::flagger;
use super::room::Room;
use super::workloads::{image_of, pinned};
use super::{LONG, ROUNDS};
use crate::shop::{Keeper, holdpoint};

/// A room as `fill` makes it, run by the service account `worker`, who is given the printed Role.
#[track_caller]
fn worker(ns: &Namespace, fill: impl Fn(&mut Room)) -> (Room, Value) {
    let file = ns.identity("worker", &json!([]));
    // whoever gives the Role can see what there is
    let mut admin = Room::new(&ns.cluster.file);
    fill(&mut admin);
    let subject = format!("serviceaccount:{}/worker", ns.name);
    let said = holdpoint(admin.path(), &["doctor", "--rbac", "--subject", &subject]);
    let given = rules(&said.out);
    ns.now_may("worker", &given);
    let mut room = Room::new(&file);
    fill(&mut room);
    granted(ns, &room);
    (room, given)
}

/// Version 2 everywhere, then version 3 everywhere and back. `runs` is what users are served by.
#[track_caller]
fn forward_and_back(ns: &Namespace, room: &Room, runs: impl Fn(&Namespace) -> Value) -> Keeper {
    let engine = room.serve();
    let batches = ["50%, after: [{ manual: {} }]", "full"];
    let more = "start: auto\nobserve: { for: 1s }\n";
    let forward = room.submit(&room.plan("web", "2", 2, &batches, more));
    room.stands(ns, &forward, 50);
    room.promote(&forward);
    room.ends(ns, &forward, "succeeded");
    assert_eq!(image_of(&runs(ns)), pinned("shop/web:2", 2));
    let stays = "start: auto\nobserve: { for: 1h }\n";
    let back = room.submit(&room.plan("web", "3", 3, &["full"], stays));
    room.observed(ns, &back);
    assert_eq!(image_of(&runs(ns)), pinned("shop/web:3", 3));
    room.roll_back(&back, "test");
    room.ends(ns, &back, "rolled-back");
    assert_eq!(image_of(&runs(ns)), pinned("shop/web:2", 2));
    engine
}

/// Without the right to patch, the doctor says so while the engine runs.
#[track_caller]
fn loses_patch(ns: &Namespace, room: &Room, given: &Value, words: &str) {
    let rules = given.as_array().unwrap().iter();
    let read: Vec<&Value> = rules
        .filter(|rule| rule["verbs"] != json!(["patch"]))
        .collect();
    ns.now_may("worker", &json!(read));
    let lost = |(code, found): &(i32, Value)| *code == 1 && found.to_string().contains(words);
    let see = |_: &_| doctor(room.path());
    ns.until("the loss of patch", LONG, see, lost);
}

fn over(workload: &'static str, ns: &Namespace) -> impl Fn(&mut Room) {
    let space = ns.name.clone();
    move |room| room.target("web", &space, workload, "")
}

#[test]
#[ignore = "needs a Kubernetes: tests/run kube"]
fn a_deployment() {
    let ns = Cluster::given().namespace("role");
    ns.deployment("web", &pinned("shop/web:1", 1), 4);
    ns.ready("deployment", "web", 4);
    let (room, given) = worker(&ns, over("deployment/web", &ns));
    let _engine = forward_and_back(&ns, &room, |ns| ns.get("deployment", "web"));
    loses_patch(&ns, &room, &given, "may not patch deployments.apps web");
}

#[test]
#[ignore = "needs a Kubernetes: tests/run kube"]
fn a_rollout() {
    let ns = Cluster::given().namespace("role-argo");
    let steps = json!([{"setWeight": 50}, {"pause": {}}]);
    ns.rollout("web", &pinned("shop/web:1", 1), 4, &steps);
    ns.ready("rollout", "web", 4);
    let (room, given) = worker(&ns, over("rollout/web", &ns));
    let _engine = forward_and_back(&ns, &room, |ns| ns.get("rollout", "web"));
    let words = "may not patch rollouts.argoproj.io/status web";
    loses_patch(&ns, &room, &given, words);
}

#[test]
#[ignore = "needs a Kubernetes: tests/run kube"]
fn a_rollout_whose_template_is_in_a_deployment() {
    let ns = Cluster::given().namespace("role-ref");
    ns.deployment("base", &pinned("shop/web:1", 1), 0);
    ns.rollout_of("web", "base", 4);
    let (room, given) = worker(&ns, over("rollout/web", &ns));
    let _engine = forward_and_back(&ns, &room, |ns| ns.get("deployment", "base"));
    loses_patch(&ns, &room, &given, "may not patch deployments.apps base");
}

#[test]
#[ignore = "needs a Kubernetes: tests/run kube"]
fn a_canary() {
    let ns = Cluster::given().namespace("role-flagger");
    let port = flagger::canary(&ns, &flagger::HOOKS);
    let fill = |room: &mut Room| flagger::gated(room, &ns, port);
    let (room, given) = worker(&ns, fill);
    let _engine = forward_and_back(&ns, &room, |ns| ns.get("deployment", "web-primary"));
    let settled = |canary: &Value| canary["status"]["phase"] != "Progressing";
    ns.until(
        "Flagger's rest",
        ROUNDS,
        |ns| ns.get("canary", "web"),
        settled,
    );
    let words = "may not patch canaries.flagger.app/status web";
    loses_patch(&ns, &room, &given, words);
}
