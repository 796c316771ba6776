//! Deployments released in shares, stopped, and brought back, by the real binary.

use serde_json::{Value, json};

use super::LONG;
use super::cluster::{Cluster, Namespace};
use super::proxy::{Fault, On, Proxy};
use super::room::Room;
use super::waiting::ready_with;
use super::witness::Witness;
use super::workloads::{image_of, pinned};
use crate::shop::Keeper;

/// A share that is held until somebody promotes.
pub fn held(share: &str) -> String {
    format!("{share}, after: [{{ manual: {{}} }}]")
}

pub const START: &str = "start: auto\nobserve: { for: 1s }\n";

/// A namespace with the Deployment `web`, so many pods of version 1, and something of somebody else's
/// on it.
pub fn shop(name: &str, pods: u32) -> Namespace {
    let ns = Cluster::given().namespace(name);
    ns.deployment("web", "shop/web:1", pods);
    ns.ready("deployment", "web", u64::from(pods));
    ns.patch(
        "deployment",
        "web",
        &json!({"metadata": {"annotations": {"team/owner": "shop"}}}),
    );
    ns
}

fn room(ns: &Namespace) -> Room {
    let mut room = Room::new(&ns.cluster.file);
    room.target("web", &ns.name, "deployment/web", "deadline = \"40s\"");
    room
}

/// Waits until so many new pods are ready.
#[track_caller]
pub fn some_new(ns: &Namespace, least: usize) {
    let come = |pods: &Vec<Value>| ready_with(pods, "shop/web:2") >= least;
    ns.until("new pods", LONG, |ns| ns.pods("web"), come);
}

#[track_caller]
fn standstill(ns: &Namespace) -> Value {
    let stopped = |web: &Value| web["spec"]["paused"] == true;
    let see = |ns: &Namespace| ns.get("deployment", "web");
    ns.until("its standstill", LONG, see, stopped)
}

/// Nothing of holdpoint's is left on a workload once its release is over, and nothing of anybody else's
/// is gone.
#[track_caller]
pub fn tidy(ns: &Namespace, kind: &str, app: &str) -> Value {
    let ours = |found: &Value| {
        let marks = found["metadata"]["annotations"].as_object();
        let mut keys = marks.into_iter().flatten().map(|(key, _)| key);
        keys.any(|key| key.starts_with("holdpoint.dev/"))
    };
    let found = ns.until(
        "a tidy workload",
        LONG,
        |ns| ns.get(kind, app),
        |found| !ours(found),
    );
    assert_eq!(found["metadata"]["annotations"]["team/owner"], "shop");
    found
}

#[test]
#[ignore = "needs a Kubernetes: tests/run kube"]
fn a_deployment_goes_share_by_share_and_its_strategy_comes_back() {
    let ns = shop("shares", 10);
    let strategy = ns.get("deployment", "web")["spec"]["strategy"].clone();
    let room = room(&ns);
    let _engine = room.serve();
    let witness = Witness::of(&ns, "deployment", "web");
    let plan = room.plan("web", "2", 2, &[&held("30%"), "full"], START);
    let id = room.submit(&plan);
    room.stands(&ns, &id, 30);
    let web = ns.get("deployment", "web");
    assert_eq!(web["spec"]["paused"], true);
    assert_eq!(image_of(&web), pinned("shop/web:2", 2));
    assert_eq!(ready_with(&ns.pods("web"), "shop/web:2"), 3);
    assert_eq!(witness.most("shop/web:2"), 3, "{:?}", witness.moments());
    assert!(witness.fewest_ready() >= 10, "{:?}", witness.moments());
    room.promote(&id);
    room.ends(&ns, &id, "succeeded");
    let web = tidy(&ns, "deployment", "web");
    assert_eq!(web["spec"]["strategy"], strategy);
    let rest = (&web["spec"]["paused"], &web["spec"]["minReadySeconds"]);
    assert_eq!(rest, (&Value::Null, &Value::Null));
    assert_eq!(ready_with(&ns.pods("web"), "shop/web:2"), 10);
}

#[test]
#[ignore = "needs a Kubernetes: tests/run kube"]
fn an_engine_that_is_gone_leaves_it_on_this_side_of_its_share() {
    let ns = shop("gone", 12);
    ns.deployment("other", "shop/other:1", 12);
    ns.ready("deployment", "other", 12);
    let room = room(&ns);
    let engine = room.serve();
    let witness = Witness::of(&ns, "deployment", "web");
    let id = room.submit(&room.plan("web", "2", 2, &[&held("50%"), "full"], START));
    some_new(&ns, 2);
    engine.kill();
    // while the same controller exchanges all pods of somebody else's
    let image = json!([{"name": "other", "image": "shop/other:2"}]);
    let template = json!({"spec": {"template": {"spec": {"containers": image}}}});
    ns.patch("deployment", "other", &template);
    let over = |pods: &Vec<Value>| ready_with(pods, "shop/other:2") == 12 && pods.len() == 12;
    ns.until("the other one", LONG, |ns| ns.pods("other"), over);
    let new = witness.most("shop/web:2");
    assert!(new < 6, "{:?}", witness.moments());
    assert_eq!(ns.get("deployment", "web")["spec"]["paused"], Value::Null);
    let _engine = room.serve();
    room.stands(&ns, &id, 50);
    assert_eq!(witness.most("shop/web:2"), 6, "{:?}", witness.moments());
    assert_eq!(witness.most_in_all(), 13, "{:?}", witness.moments());
    assert!(witness.fewest_ready() >= 12, "{:?}", witness.moments());
}

#[test]
#[ignore = "needs a Kubernetes: tests/run kube"]
fn who_else_changes_how_a_deployment_goes_stops_it() {
    let ns = shop("meddled", 10);
    let room = room(&ns);
    let _engine = room.serve();
    let witness = Witness::of(&ns, "deployment", "web");
    let id = room.submit(&room.plan("web", "2", 2, &[&held("50%"), "full"], START));
    some_new(&ns, 2);
    let rolling =
        json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 3, "maxUnavailable": "10%"}});
    ns.patch("deployment", "web", &json!({"spec": {"strategy": rolling}}));
    let why = room.fails(&ns, &id);
    assert!(
        why.contains("somebody else has changed its strategy"),
        "{why}"
    );
    standstill(&ns);
    assert!(witness.most("shop/web:2") < 5, "{:?}", witness.moments());
    room.roll_back(&id, "test");
    room.ends(&ns, &id, "rolled-back");
    let web = tidy(&ns, "deployment", "web");
    assert_eq!(web["spec"]["strategy"], rolling, "theirs stays");
    let rest = (&web["spec"]["paused"], &web["spec"]["minReadySeconds"]);
    assert_eq!(rest, (&Value::Null, &Value::Null));
    assert_eq!(web["spec"]["progressDeadlineSeconds"], 600);
}

#[test]
#[ignore = "needs a Kubernetes: tests/run kube"]
fn a_release_that_is_held_in_the_middle_goes_on_from_there() {
    let ns = shop("held", 20);
    let room = room(&ns);
    let _engine = room.serve();
    let witness = Witness::of(&ns, "deployment", "web");
    let id = room.submit(&room.plan("web", "2", 2, &[&held("25%"), &held("50%"), "full"], START));
    for (share, least, most) in [(25, 1, 5), (50, 6, 10)] {
        some_new(&ns, least);
        room.done(&["release", "pause", &id, "--why", "lunch", "--as", "ada"]);
        let web = standstill(&ns);
        assert_eq!(web["spec"]["minReadySeconds"], Value::Null, "{web:#}");
        room.done(&["release", "resume", &id, "--as", "ada"]);
        room.stands(&ns, &id, share);
        assert_eq!(witness.most("shop/web:2"), most, "{:?}", witness.moments());
        assert_eq!(ready_with(&ns.pods("web"), ""), 20, "{share} %");
        room.promote(&id);
    }
    room.ends(&ns, &id, "succeeded");
    assert!(witness.most_in_all() <= 25, "{:?}", witness.moments());
    tidy(&ns, "deployment", "web");
}

#[test]
#[ignore = "needs a Kubernetes: tests/run kube"]
fn who_brings_a_hotfix_on_the_way_gets_the_deployment_back() {
    let ns = shop("hotfix", 10);
    let strategy = ns.get("deployment", "web")["spec"]["strategy"].clone();
    let room = room(&ns);
    let _engine = room.serve();
    let id = room.submit(&room.plan("web", "2", 2, &[&held("50%"), "full"], START));
    some_new(&ns, 2);
    let image = json!([{"name": "web", "image": "shop/web:hotfix"}]);
    let template = json!({"spec": {"template": {"spec": {"containers": image}}}});
    ns.patch("deployment", "web", &template);
    let why = room.fails(&ns, &id);
    assert!(
        why.contains("somebody else has brought shop/web:hotfix"),
        "{why}"
    );
    let up = |pods: &Vec<Value>| ready_with(pods, "shop/web:hotfix") == 10 && pods.len() == 10;
    ns.until("the hotfix", LONG, |ns| ns.pods("web"), up);
    let spec = ns.get("deployment", "web")["spec"].clone();
    assert_eq!(spec["strategy"], strategy);
    let rest = (&spec["minReadySeconds"], &spec["progressDeadlineSeconds"]);
    assert_eq!(rest, (&Value::Null, &json!(600)));
}

#[test]
#[ignore = "needs a Kubernetes: tests/run kube"]
fn a_bad_version_stops_in_its_first_batch_and_goes_back() {
    let ns = shop("bad", 10);
    let before = ns.get("deployment", "web");
    let room = room(&ns);
    let _engine = room.serve();
    let witness = Witness::of(&ns, "deployment", "web");
    let id = room.submit(&room.plan("web", "2-bad", 2, &[&held("30%"), "full"], START));
    let why = room.fails(&ns, &id);
    assert!(why.contains("crashes again and again: exit 1"), "{why}");
    standstill(&ns);
    let bad = witness.most("shop/web:2-bad");
    assert_eq!(bad, 1, "its first pace: {:?}", witness.moments());
    room.roll_back(&id, "test");
    room.ends(&ns, &id, "rolled-back");
    let web = tidy(&ns, "deployment", "web");
    assert_eq!(web["spec"]["template"], before["spec"]["template"]);
    assert_eq!(web["spec"]["strategy"], before["spec"]["strategy"]);
    assert_eq!(witness.fewest_ready(), 10);
}

#[test]
#[ignore = "needs a Kubernetes: tests/run kube"]
fn a_way_back_from_everything_goes_by_the_recorded_template() {
    let ns = shop("observed", 4);
    let before = ns.get("deployment", "web");
    let room = room(&ns);
    let _engine = room.serve();
    let plan = room.plan(
        "web",
        "2",
        2,
        &["full"],
        "start: auto\nobserve: { for: 10m }\n",
    );
    let id = room.submit(&plan);
    room.observed(&ns, &id);
    // an autoscaler moves it meanwhile, and somebody writes an annotation
    let others = json!({"metadata": {"annotations": {"other": "y"}}, "spec": {"replicas": 6}});
    ns.patch("deployment", "web", &others);
    room.roll_back(&id, "test");
    room.ends(&ns, &id, "rolled-back");
    let web = tidy(&ns, "deployment", "web");
    assert_eq!(web["spec"]["template"], before["spec"]["template"]);
    assert_eq!(
        web["spec"]["replicas"], 6,
        "the number belongs to the autoscaler"
    );
    assert_eq!(web["metadata"]["annotations"]["other"], "y");
}

#[test]
#[ignore = "needs a Kubernetes: tests/run kube"]
fn what_somebody_else_holds_is_not_begun() {
    let ns = shop("foreign", 2);
    ns.patch("deployment", "web", &json!({"spec": {"paused": true}}));
    let room = room(&ns);
    let _engine = room.serve();
    let id = room.submit(&room.plan("web", "2", 2, &["50%", "full"], START));
    let why = room.fails(&ns, &id);
    assert!(
        why.contains("not started: it is paused by somebody else"),
        "{why}"
    );
    let web = ns.get("deployment", "web");
    assert_eq!(image_of(&web), "shop/web:1");
    tidy(&ns, "deployment", "web");
}

#[test]
#[ignore = "needs a Kubernetes: tests/run kube"]
fn a_change_whose_answer_is_lost_is_made_once() {
    let ns = shop("lost", 4);
    let proxy = Proxy::before(&ns.cluster);
    let mut room = Room::new(&proxy.kubeconfig(&ns.cluster.file));
    room.target("web", &ns.name, "deployment/web", "");
    let _engine = room.serve();
    let witness = Witness::of(&ns, "deployment", "web");
    proxy.fault(On::Writes("deployments/web"), Fault::DoneAnswer(504), 1);
    let id = room.submit(&room.plan(
        "web",
        "2",
        2,
        &["full"],
        "start: auto\nobserve: { for: 10m }\n",
    ));
    room.observed(&ns, &id);
    assert_eq!(proxy.faults_left(), 0);
    let patches: Vec<_> = proxy
        .writes()
        .into_iter()
        .filter(|w| w.path.contains("/web"))
        .collect();
    assert_eq!(patches.len(), 1, "{patches:?}");
    let generations = witness.generations();
    assert_eq!(generations.len(), 2, "it rises once: {generations:?}");
}

/// One of two pods on version 2, held there, in a room that reaches its cluster through a proxy.
pub fn halfway(name: &str) -> (Namespace, Proxy, Room, Keeper, String) {
    let ns = shop(name, 2);
    let proxy = Proxy::before(&ns.cluster);
    let mut room = Room::new(&proxy.kubeconfig(&ns.cluster.file));
    room.target("web", &ns.name, "deployment/web", "");
    let engine = room.serve();
    let id = room.submit(&room.plan("web", "2", 2, &[&held("50%"), "full"], START));
    room.stands(&ns, &id, 50);
    (ns, proxy, room, engine, id)
}

#[test]
#[ignore = "needs a Kubernetes: tests/run kube"]
fn conflicts_broken_watches_and_expired_versions_only_take_time() {
    let ns = shop("storm", 6);
    let proxy = Proxy::before(&ns.cluster);
    let mut room = Room::new(&proxy.kubeconfig(&ns.cluster.file));
    room.target("web", &ns.name, "deployment/web", "");
    let _engine = room.serve();
    let witness = Witness::of(&ns, "deployment", "web");
    proxy.fault(On::Writes("deployments/web"), Fault::Answer(409), 15);
    let id = room.submit(&room.plan("web", "2", 2, &[&held("50%"), "full"], START));
    let moving = |pods: &Vec<Value>| pods.iter().any(|p| p.to_string().contains("shop/web:2"));
    ns.until("its first pod", LONG, |ns| ns.pods("web"), moving);
    proxy.error_in_watches(410);
    proxy.cut_watches();
    room.stands(&ns, &id, 50);
    assert_eq!(witness.most("shop/web:2"), 3, "{:?}", witness.moments());
    room.promote(&id);
    room.ends(&ns, &id, "succeeded");
    tidy(&ns, "deployment", "web");
}

#[test]
#[ignore = "needs a Kubernetes: tests/run kube"]
fn a_cluster_that_is_silent_is_not_shown_as_it_was() {
    let (ns, proxy, room, _engine, id) = halfway("silent");
    proxy.freeze();
    let blind = |seen: &Value| {
        seen.to_string().contains("does not answer") || seen.to_string().contains("unknown")
    };
    ns.until("blindness", LONG, |_| room.show(&id), blind);
    proxy.heal();
    room.stands(&ns, &id, 50);
    room.promote(&id);
    room.ends(&ns, &id, "succeeded");
}

#[test]
#[ignore = "needs a Kubernetes: tests/run kube"]
fn a_service_is_switched_from_blue_to_green_and_back() {
    let ns = Cluster::given().namespace("green");
    for (app, image) in [("web", "shop/web:1"), ("green", "shop/web:0")] {
        ns.deployment(app, image, 2);
        ns.ready("deployment", app, 2);
    }
    ns.service("front", "web");
    let mut room = Room::new(&ns.cluster.file);
    let switch = "switch = { service = \"front\", to = \"deployment/green\" }";
    room.target("web", &ns.name, "deployment/web", switch);
    let _engine = room.serve();
    let shown = |ns: &Namespace| ns.get("service", "front")["spec"]["selector"]["app"].clone();
    let plan = room.plan(
        "web",
        "2",
        2,
        &[&held("10%"), "full"],
        "start: auto\nobserve: { for: 10m }\n",
    );
    let id = room.submit(&plan);
    room.stands(&ns, &id, 10);
    assert_eq!(shown(&ns), "web", "it is there, and nobody sees it");
    assert_eq!(ready_with(&ns.pods("green"), "shop/web:2"), 2);
    room.promote(&id);
    ns.until("the switch", LONG, shown, |app| app == "green");
    assert_eq!(image_of(&ns.get("deployment", "web")), "shop/web:1");
    room.observed(&ns, &id);
    room.roll_back(&id, "test");
    room.ends(&ns, &id, "rolled-back");
    assert_eq!(shown(&ns), "web");
    assert_eq!(image_of(&ns.get("deployment", "green")), "shop/web:0");
}

#[test]
#[ignore = "needs a Kubernetes: tests/run kube"]
fn waves_over_namespaces_stop_at_the_first_bad_one() {
    let (one, two) = (shop("wave-one", 2), shop("wave-two", 2));
    let mut room = Room::new(&one.cluster.file);
    room.target("web", &one.name, "deployment/web", "");
    let file = room.path().join("room.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let begin = text.find("[[target]]").unwrap();
    let second = text[begin..]
        .replace("web-prod", "web-next")
        .replace(&one.name, &two.name);
    room.write("room.toml", &format!("{text}\n{second}"));
    let _engine = room.serve();
    let batches = ["full, targets: [web-prod]", "full, targets: [web-next]"];
    let id = room.submit(&room.plan("web", "2-bad", 2, &batches, START));
    let why = room.fails(&one, &id);
    assert!(why.contains("crashes"), "{why}");
    assert_eq!(image_of(&two.get("deployment", "web")), "shop/web:1");
    room.roll_back(&id, "test");
    room.ends(&one, &id, "rolled-back");
    assert_eq!(image_of(&one.get("deployment", "web")), "shop/web:1");
}

#[test]
#[ignore = "needs a Kubernetes: tests/run kube"]
fn an_engine_that_is_started_anew_while_it_is_observed_clears_up_as_well() {
    let ns = shop("cleared", 4);
    let before = ns.get("deployment", "web")["spec"].clone();
    let room = room(&ns);
    let engine = room.serve();
    let more = "start: auto\nobserve: { for: 5s }\n";
    let id = room.submit(&room.plan("web", "2", 2, &[&held("50%"), "full"], more));
    room.stands(&ns, &id, 50);
    room.promote(&id);
    room.observed(&ns, &id);
    engine.kill();
    let marks = ns.get("deployment", "web")["metadata"]["annotations"].to_string();
    assert!(marks.contains("holdpoint.dev/before"), "{marks}");
    let _engine = room.serve();
    room.ends(&ns, &id, "succeeded");
    let web = tidy(&ns, "deployment", "web");
    for field in ["strategy", "minReadySeconds", "paused"] {
        assert_eq!(web["spec"][field], before[field], "{field}");
    }
}
