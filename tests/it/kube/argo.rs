//! Releases through Argo's real controller.

use serde_json::{Value, json};

use super::LONG;
use super::cluster::{Cluster, Namespace};
use super::deployments::{START, tidy};
use super::proxy::{Fault, On, Proxy};
use super::room::Room;
use super::waiting::ready_with;
use super::witness::Witness;
use super::workloads::image_of;
use crate::shop::digest;

const HELD: &str = "20%, after: [{ manual: {} }]";
const HALF: &str = "50%, after: [{ manual: {} }]";

/// A namespace with the Rollout `web`, ten pods of version 1, held at 20 % and 50 %.
fn shop(name: &str) -> Namespace {
    let ns = Cluster::given().namespace(name);
    let steps = json!([{"setWeight": 20}, {"pause": {}}, {"setWeight": 50}, {"pause": {}}]);
    ns.rollout("web", "shop/web:1", 10, &steps);
    ns.ready("rollout", "web", 10);
    healthy(&ns, "shop/web:1");
    let foreign = json!({"metadata": {"annotations": {"team/owner": "shop"}}});
    ns.patch("rollout", "web", &foreign);
    ns
}

pub fn room(ns: &Namespace, more: &str) -> Room {
    let mut room = Room::new(&ns.cluster.file);
    room.target("web", &ns.name, "rollout/web", more);
    room
}

#[track_caller]
pub fn healthy(ns: &Namespace, image: &str) -> Value {
    let see = |ns: &Namespace| ns.get("rollout", "web");
    let what = format!("{image} everywhere");
    ns.until(&what, LONG, see, |web| {
        web["status"]["phase"] == "Healthy"
            && web["status"]["stableRS"] == web["status"]["currentPodHash"]
            && image_of(web).starts_with(image)
    })
}

#[test]
#[ignore = "needs a Kubernetes: tests/run kube"]
fn a_rollout_goes_through_three_batches() {
    let ns = shop("argo-three");
    let room = room(&ns, "");
    let _keeper = room.serve();
    let witness = Witness::of(&ns, "rollout", "web");
    let id = room.submit(&room.plan("web", "2", 2, &[HELD, HALF, "full"], START));
    room.stands(&ns, &id, 20);
    assert_eq!(ready_with(&ns.pods("web"), "shop/web:2"), 2);
    assert_eq!(witness.most("shop/web:2"), 2);
    let web = ns.get("rollout", "web");
    assert_eq!(image_of(&web), format!("shop/web:2@{}", digest(2)));
    room.promote(&id);
    room.stands(&ns, &id, 50);
    assert_eq!(ready_with(&ns.pods("web"), "shop/web:2"), 5);
    assert_eq!(witness.most("shop/web:2"), 5);
    room.promote(&id);
    room.ends(&ns, &id, "succeeded");
    healthy(&ns, "shop/web:2");
    tidy(&ns, "rollout", "web");
    let generations = witness.generations();
    assert_eq!(
        generations.len(),
        2,
        "one change of the spec: {generations:?}"
    );
    assert!(witness.fewest_ready() >= 10, "nobody was missed");
}

#[test]
#[ignore = "needs a Kubernetes: tests/run kube"]
fn a_bad_version_is_taken_back_in_its_first_batch() {
    let ns = shop("argo-bad");
    let room = room(&ns, "deadline = \"10s\"");
    let _keeper = room.serve();
    let witness = Witness::of(&ns, "rollout", "web");
    let id = room.submit(&room.plan("web", "2-bad", 2, &[HELD, HALF, "full"], START));
    let why = room.fails(&ns, &id);
    assert!(why.contains("crash"), "{why}");
    room.roll_back(&id, "it crashes");
    room.ends(&ns, &id, "rolled-back");
    let web = healthy(&ns, "shop/web:1");
    tidy(&ns, "rollout", "web");
    assert_eq!(web["status"]["abort"], Value::Null, "not aborted for ever");
    let most = witness.most("shop/web:2-bad");
    assert!((1..=2).contains(&most), "{most}");
}

#[test]
#[ignore = "needs a Kubernetes: tests/run kube"]
fn a_version_that_has_everything_goes_back_without_its_steps() {
    let ns = shop("argo-undo");
    let room = room(&ns, "");
    let _keeper = room.serve();
    let more = "start: auto\nobserve: { for: 1h }\n";
    let id = room.submit(&room.plan("web", "2", 2, &["full"], more));
    room.observed(&ns, &id);
    healthy(&ns, "shop/web:2");
    room.roll_back(&id, "errors");
    room.ends(&ns, &id, "rolled-back");
    healthy(&ns, "shop/web:1");
    tidy(&ns, "rollout", "web");
}

#[test]
#[ignore = "needs a Kubernetes: tests/run kube"]
fn a_share_that_no_step_can_hold_is_refused_before_anything_changes() {
    let ns = shop("argo-steps");
    let room = room(&ns, "");
    let _keeper = room.serve();
    let before = ns.get("rollout", "web")["metadata"]["generation"].clone();
    let id = room.submit(&room.plan("web", "2", 2, &["10%", "full"], START));
    let why = room.fails(&ns, &id);
    assert!(
        why.contains("10 % cannot be held by its steps (20 %, pause, 50 %, pause)"),
        "{why}"
    );
    assert_eq!(ns.get("rollout", "web")["metadata"]["generation"], before);
}

#[test]
#[ignore = "needs a Kubernetes: tests/run kube"]
fn two_rooms_that_promote_at_the_same_moment_move_one_batch() {
    let ns = shop("argo-two");
    let rooms = [room(&ns, ""), room(&ns, "")];
    let _keepers = rooms.each_ref().map(Room::serve);
    let witness = Witness::of(&ns, "rollout", "web");
    let ids = rooms.each_ref().map(|room| {
        let id = room.submit(&room.plan("web", "2", 2, &[HELD, HALF, "full"], START));
        room.stands(&ns, &id, 20);
        id
    });
    std::thread::scope(|scope| {
        for (room, id) in rooms.iter().zip(&ids) {
            scope.spawn(|| room.promote(id));
        }
    });
    for (room, id) in rooms.iter().zip(&ids) {
        room.stands(&ns, id, 50);
    }
    let web = ns.get("rollout", "web");
    assert_eq!(web["status"]["currentStepIndex"], 3);
    assert_eq!(
        web["status"]["pauseConditions"][0]["reason"],
        "CanaryPauseStep"
    );
    assert_eq!(witness.most("shop/web:2"), 5, "one batch, not two");
    assert_eq!(witness.generations().len(), 2);
}

#[test]
#[ignore = "needs a Kubernetes: tests/run kube"]
fn a_change_that_was_made_and_answered_504_is_made_once() {
    let ns = shop("argo-504");
    let proxy = Proxy::before(&ns.cluster);
    let mut room = Room::new(&proxy.kubeconfig(&ns.cluster.file));
    room.target("web", &ns.name, "rollout/web", "");
    let _keeper = room.serve();
    let witness = Witness::of(&ns, "rollout", "web");
    proxy.fault(On::Writes("/rollouts/web"), Fault::DoneAnswer(504), 1);
    let id = room.submit(&room.plan("web", "2", 2, &[HELD, HALF, "full"], START));
    room.stands(&ns, &id, 20);
    assert_eq!(proxy.faults_left(), 0, "it was met");
    assert_eq!(witness.generations().len(), 2, "the template changed once");
    proxy.fault(
        On::Writes("/rollouts/web/status"),
        Fault::DoneAnswer(504),
        1,
    );
    room.promote(&id);
    room.stands(&ns, &id, 50);
    assert_eq!(proxy.faults_left(), 0, "it was met");
    assert_eq!(ns.get("rollout", "web")["status"]["currentStepIndex"], 3);
    assert_eq!(witness.most("shop/web:2"), 5);
    let promotions = proxy
        .writes()
        .into_iter()
        .filter(|asked| asked.path.contains("/status"));
    assert_eq!(promotions.count(), 1);
}

#[test]
#[ignore = "needs a Kubernetes: tests/run kube"]
fn a_change_that_got_lost_is_made_again() {
    let ns = shop("argo-lost");
    let proxy = Proxy::before(&ns.cluster);
    let mut room = Room::new(&proxy.kubeconfig(&ns.cluster.file));
    room.target("web", &ns.name, "rollout/web", "");
    let _keeper = room.serve();
    let witness = Witness::of(&ns, "rollout", "web");
    proxy.fault(On::Writes("/rollouts/web"), Fault::Answer(504), 2);
    let id = room.submit(&room.plan("web", "2", 2, &[HELD, "full"], START));
    room.stands(&ns, &id, 20);
    assert_eq!(proxy.faults_left(), 0);
    assert_eq!(witness.generations().len(), 2);
}

#[test]
#[ignore = "needs a Kubernetes: tests/run kube"]
fn an_engine_that_is_killed_in_the_middle_goes_on_where_it_was() {
    let ns = shop("argo-kill");
    let room = room(&ns, "");
    let keeper = room.serve();
    let witness = Witness::of(&ns, "rollout", "web");
    let id = room.submit(&room.plan("web", "2", 2, &[HELD, HALF, "full"], START));
    let written = |web: &Value| image_of(web).starts_with("shop/web:2");
    ns.until("the change", LONG, |ns| ns.get("rollout", "web"), written);
    keeper.kill();
    let keeper = room.serve();
    room.stands(&ns, &id, 20);
    room.promote(&id);
    keeper.kill();
    let _keeper = room.serve();
    room.stands(&ns, &id, 50);
    assert_eq!(witness.most("shop/web:2"), 5);
    assert_eq!(witness.generations().len(), 2);
}

#[test]
#[ignore = "needs a Kubernetes: tests/run kube"]
fn a_pause_in_the_room_stops_the_rollout_at_once() {
    let ns = shop("argo-pause");
    let slow =
        json!({"spec": {"template": {"metadata": {"annotations": {"kube-up/start": "5s"}}}}});
    ns.patch("rollout", "web", &slow);
    let end = |web: &Value| web["status"]["currentStepIndex"] == 1;
    ns.until("its first pause", LONG, |ns| ns.get("rollout", "web"), end);
    let full = json!({"status": {"promoteFull": true}});
    ns.cluster
        .patch(&format!("{}/status", ns.path("rollout", "web")), &full);
    healthy(&ns, "shop/web:1");
    let room = room(&ns, "");
    let _keeper = room.serve();
    let id = room.submit(&room.plan("web", "2", 2, &["full"], START));
    let moves = |web: &Value| image_of(web).starts_with("shop/web:2");
    ns.until("its beginning", LONG, |ns| ns.get("rollout", "web"), moves);
    room.done(&["release", "pause", &id, "--why", "wait", "--as", "ada"]);
    let paused = |web: &Value| web["spec"]["paused"] == true;
    ns.until("the pause", LONG, |ns| ns.get("rollout", "web"), paused);
    room.done(&["release", "resume", &id, "--as", "ada"]);
    room.ends(&ns, &id, "succeeded");
    healthy(&ns, "shop/web:2");
    tidy(&ns, "rollout", "web");
}

#[test]
#[ignore = "needs a Kubernetes: tests/run kube"]
fn blue_stays_until_green_is_promoted() {
    let ns = Cluster::given().namespace("argo-green");
    ns.blue_green("web", "shop/web:1", 3);
    healthy(&ns, "shop/web:1");
    let room = room(&ns, "");
    let _keeper = room.serve();
    let id = room.submit(&room.plan("web", "2", 2, &[HELD, "full"], START));
    room.stands(&ns, &id, 20);
    let hash = |service: &str| {
        let selector = &ns.get("service", service)["spec"]["selector"];
        selector["rollouts-pod-template-hash"].clone()
    };
    let [active, preview] = ["web-active", "web-preview"].map(hash);
    let web = ns.get("rollout", "web");
    assert_eq!(active, web["status"]["stableRS"]);
    assert_eq!(preview, web["status"]["currentPodHash"]);
    assert_ne!(active, preview);
    room.promote(&id);
    room.ends(&ns, &id, "succeeded");
    assert_eq!(hash("web-active"), preview);
}

#[test]
#[ignore = "needs a Kubernetes: tests/run kube"]
fn a_template_in_a_deployment_is_changed_there() {
    let ns = Cluster::given().namespace("argo-ref");
    ns.deployment("base", "shop/web:1", 0);
    ns.rollout_of("web", "base", 4);
    let room = room(&ns, "");
    let _keeper = room.serve();
    let id = room.submit(&room.plan("web", "2", 2, &[HALF, "full"], START));
    room.stands(&ns, &id, 50);
    assert!(image_of(&ns.get("deployment", "base")).starts_with("shop/web:2@"));
    room.roll_back(&id, "no");
    room.ends(&ns, &id, "rolled-back");
    let base = ns.get("deployment", "base");
    assert_eq!(image_of(&base), "shop/web:1");
    assert_eq!(
        base["metadata"]["annotations"]["holdpoint.dev/before"],
        Value::Null
    );
}

#[test]
#[ignore = "needs a Kubernetes: tests/run kube"]
fn an_analysis_that_fails_is_told_and_can_be_retried() {
    let ns = Cluster::given().namespace("argo-analysis");
    let template = json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisTemplate", "metadata": {"name": "errors"}, "spec": {"metrics": [{
        "name": "errors", "consecutiveErrorLimit": 0,
        "provider": {"web": {"url": "http://127.0.0.1:1/none", "jsonPath": "{$.value}", "timeoutSeconds": 2}},
        "successCondition": "result < 1",
    }]}});
    ns.create("analysistemplate", &template);
    let steps = json!([{"setWeight": 25}, {"analysis": {"templates": [{"templateName": "errors"}]}}, {"pause": {}}]);
    ns.rollout("web", "shop/web:1", 4, &steps);
    healthy(&ns, "shop/web:1");
    let room = room(&ns, "");
    let _keeper = room.serve();
    let id = room.submit(&room.plan("web", "2", 2, &["25%", "full"], START));
    let why = room.fails(&ns, &id);
    assert!(why.contains("aborted") && why.contains("errors"), "{why}");
    let aborted = ns.get("rollout", "web")["status"]["abortedAt"].clone();
    room.done(&["release", "retry", &id, "--as", "ada"]);
    let again =
        |web: &Value| web["status"]["abort"] == true && web["status"]["abortedAt"] != aborted;
    ns.until(
        "the second abort",
        LONG,
        |ns| ns.get("rollout", "web"),
        again,
    );
    let again = |_: &_| room.fails(&ns, &id).contains("aborted again");
    ns.until("the second failure", LONG, again, |again| *again);
    room.roll_back(&id, "no");
    room.ends(&ns, &id, "rolled-back");
    healthy(&ns, "shop/web:1");
}

#[test]
#[ignore = "needs a Kubernetes: tests/run kube"]
fn what_argo_cd_keeps_is_not_changed_over_its_head() {
    let ns = shop("argo-git");
    let id = "shop:argoproj.io/Rollout:shop/web";
    let tracked = json!({"metadata": {"annotations": {"argocd.argoproj.io/tracking-id": id}}});
    ns.patch("rollout", "web", &tracked);
    let room = room(&ns, "");
    let _keeper = room.serve();
    let id = room.submit(&room.plan("web", "2", 2, &["full"], START));
    let why = room.fails(&ns, &id);
    assert!(why.contains("Argo CD keeps it as Git says"), "{why}");
    assert_eq!(image_of(&ns.get("rollout", "web")), "shop/web:1");
}
