//! What is done about a Rollout, seen from its JSON.

use kube::api::DynamicObject;
use serde_json::{Value, json};

use super::super::super::helm::Steer;
use super::super::change::{Change, Next};
use super::super::record::{BEFORE, Before, EFFECT, HELD, RETRY};
use super::decide::Wish;
use super::view::{HASH, View};
use crate::domain::plan::Exposure;
use crate::domain::workload::{Owner, Stuck};
use crate::domain::{Artifact, Effect, ReleaseId, Verb};

pub const OLD: &str = "shop/cart:1@sha256:aa";
const NEW: &str = "shop/cart:2@sha256:bb";

/// The Rollout of the manual: 10 %, pause, 50 %, pause of ten minutes; at its first pause.
pub fn rollout() -> Value {
    json!({
        "metadata": {"name": "cart", "uid": "u1", "generation": 21, "resourceVersion": "90211",
            "annotations": {BEFORE: before()}},
        "spec": {"replicas": 10, "paused": false, "template": template(NEW),
            "selector": {"matchLabels": {"app": "cart"}},
            "strategy": {"canary": {"steps": [
                {"setWeight": 10}, {"pause": {}}, {"setWeight": 50}, {"pause": {"duration": "10m"}}]}}},
        "status": {"observedGeneration": "21", "phase": "Paused", "message": "CanaryPauseStep",
            "currentStepIndex": 1, "controllerPause": true,
            "pauseConditions": [{"reason": "CanaryPauseStep", "startTime": "2026-11-20T10:02:00Z"}],
            "stableRS": "6f4", "currentPodHash": "9ab"},
    })
}

/// The same before the release came: the old version has everything.
fn idle() -> Value {
    let mut it = rollout();
    it["metadata"]["annotations"] = json!({"team": "shop"});
    it["spec"]["template"] = template(OLD);
    it["status"] = json!({"observedGeneration": "21", "phase": "Healthy", "currentStepIndex": 4,
        "stableRS": "6f4", "currentPodHash": "6f4"});
    it
}

/// The same after the new version has got everything.
fn promoted() -> Value {
    let mut it = rollout();
    it["status"] = json!({"observedGeneration": "21", "phase": "Healthy", "currentStepIndex": 4,
        "stableRS": "9ab", "currentPodHash": "9ab"});
    it
}

fn before() -> String {
    let before = json!({"release": "R-7", "revision": "6f4", "image": OLD, "to": NEW});
    serde_json::from_value::<Before>(before).unwrap().write()
}

fn template(image: &str) -> Value {
    json!({"metadata": {"labels": {"app": "cart"}}, "spec": {"containers": [{"name": "cart", "image": image}]}})
}

pub fn set(hash: &str, image: &str, wanted: u32, available: u32) -> Value {
    let mut template = template(image);
    template["metadata"]["labels"][HASH] = hash.into();
    let revision = if image == OLD { "1" } else { "2" };
    json!({
        "metadata": {"name": format!("cart-{hash}"), "labels": {"app": "cart", HASH: hash},
            "annotations": {"rollout.argoproj.io/revision": revision},
            "ownerReferences": [{"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "cart", "uid": "u1"}]},
        "spec": {"replicas": wanted, "template": template},
        "status": {"replicas": wanted, "readyReplicas": available, "availableReplicas": available},
    })
}

fn object(value: &Value) -> DynamicObject {
    let mut value = value.clone();
    value["apiVersion"] = "v1".into();
    value["kind"] = "Any".into();
    serde_json::from_value(value).unwrap()
}

pub fn view_of(rollout: &Value, sets: &[Value], runs: &[Value], referred: Option<&Value>) -> View {
    let all = |values: &[Value]| values.iter().map(object).collect::<Vec<_>>();
    let referred = referred.map(object);
    View::new(&object(rollout), referred.as_ref(), &all(sets), &all(runs))
}

pub fn view(rollout: &Value) -> View {
    let sets = [set("6f4", OLD, 9, 9), set("9ab", NEW, 1, 1)];
    view_of(rollout, &sets, &[], None)
}

fn effect(verb: Verb, attempt: u32, share: &str) -> Effect {
    let image = if verb == Verb::Rollback {
        ("1", "sha256:aa")
    } else {
        ("2", "sha256:bb")
    };
    Effect {
        id: format!("R-7.b1.cart-prod.cart.{}.{attempt}", verb.word()).into(),
        release: ReleaseId(7),
        target: "cart-prod".into(),
        instance: "cart".into(),
        verb,
        artifact: Artifact {
            version: image.0.into(),
            digest: image.1.into(),
        },
        exposure: (verb == Verb::Deploy).then(|| share_of(share)),
    }
}

fn ask(effect: &Effect, view: &View, steer: Steer) -> Next {
    let artifact = &effect.artifact;
    let image = format!("shop/cart:{}@{}", artifact.version, artifact.digest);
    Wish {
        effect,
        image,
        container: None,
        repository: "shop/cart",
    }
    .next(view, steer)
}

fn forward(share: &str, view: &View) -> Next {
    ask(&effect(Verb::Deploy, 1, share), view, Steer::GoOn)
}

fn back(view: &View) -> Next {
    ask(&effect(Verb::Rollback, 1, ""), view, Steer::GoOn)
}

fn share_of(words: &str) -> Exposure {
    serde_json::from_value(words.into()).unwrap()
}

#[track_caller]
fn change(next: Next) -> Change {
    match next {
        Next::Change(change) | Next::Last(change) => *change,
        other => panic!("no change: {other:?}"),
    }
}

#[track_caller]
fn refused(next: Next, part: &str) {
    let (Next::Failed(why) | Next::Never(why) | Next::Bad(why)) = &next else {
        panic!("not refused: {next:?}");
    };
    assert!(why.contains(part), "{why}");
}

#[test]
fn the_first_batch_writes_the_image_by_digest_and_notes_what_ran() {
    let made = change(forward("10%", &view(&idle())));
    assert_eq!((made.name.as_str(), made.part), ("cart", None));
    let meta = &made.body["metadata"];
    assert_eq!(meta["resourceVersion"], "90211");
    assert_eq!(
        meta["annotations"][EFFECT],
        "R-7.b1.cart-prod.cart.deploy.1"
    );
    assert_eq!(meta["annotations"][BEFORE], before());
    let spec = made.body["spec"].as_object().unwrap();
    assert_eq!(
        spec.keys().collect::<Vec<_>>(),
        ["template"],
        "nothing but the template"
    );
    assert_eq!(spec["template"]["spec"]["containers"][0]["image"], NEW);
}

#[test]
fn a_batch_that_no_step_can_hold_is_refused_before_anything_is_written() {
    let next = forward("9%", &view(&idle()));
    assert!(matches!(next, Next::Never(_)), "{next:?}");
    refused(next, "(10 %, pause, 50 %, pause 10m): it can stand at 10 %");
}

#[test]
fn a_batch_ends_at_the_pause_that_shows_no_more() {
    assert_eq!(forward("10%", &view(&rollout())), Next::Done);
    assert_eq!(forward("49%", &view(&rollout())), Next::Done);
    // not while its pods are missing
    let missing = [set("6f4", OLD, 9, 9), set("9ab", NEW, 1, 0)];
    let next = forward("10%", &view_of(&rollout(), &missing, &[], None));
    assert!(matches!(next, Next::Wait(_)), "{next:?}");
}

#[test]
fn a_promotion_is_one_step_of_the_status_for_exactly_this_version() {
    let made = change(forward("full", &view(&rollout())));
    assert_eq!(
        made.part,
        Some("status"),
        "sent to the main resource it would be dropped"
    );
    let body =
        json!({"metadata": {"resourceVersion": "90211"}, "status": {"pauseConditions": null}});
    assert_eq!(made.body, body, "no currentStepIndex: it would skip a step");
}

#[test]
fn nobody_promotes_twice_while_the_controller_is_on_its_way_out_of_the_pause() {
    let mut it = rollout();
    it["status"]["pauseConditions"] = Value::Null;
    assert!(matches!(forward("full", &view(&it)), Next::Wait(_)));
    it["status"]["controllerPause"] = false.into();
    it["status"]["phase"] = "Progressing".into();
    let next = forward("full", &view(&it));
    assert!(
        matches!(next, Next::Wait(_)),
        "no pause, no promotion: {next:?}"
    );
}

#[test]
fn a_timed_pause_is_left_to_argo_however_long() {
    let mut it = rollout();
    it["status"]["currentStepIndex"] = 3.into();
    assert!(matches!(forward("full", &view(&it)), Next::Patience(_)));
}

#[test]
fn nothing_is_believed_of_a_status_that_is_older_than_the_spec() {
    let mut it = promoted();
    it["metadata"]["generation"] = 22.into();
    let next = forward("full", &view(&it));
    assert!(
        matches!(next, Next::Wait(_)),
        "Healthy is about the generation before: {next:?}"
    );
    it["status"]["observedGeneration"] = "22".into();
    assert!(
        matches!(forward("full", &view(&it)), Next::Last(_)),
        "tidies up"
    );
    it["metadata"]["annotations"] = json!({"team": "shop"});
    assert_eq!(forward("full", &view(&it)), Next::Done);
    // a number instead of a text counts as well, a hash of old versions does not
    it["status"]["observedGeneration"] = 22.into();
    assert_eq!(forward("full", &view(&it)), Next::Done);
    it["status"]["observedGeneration"] = "7f9c".into();
    assert!(matches!(forward("full", &view(&it)), Next::Wait(_)));
}

#[test]
fn a_controller_that_never_looks_is_explained() {
    let mut it = idle();
    it["metadata"]["generation"] = 22.into();
    it["metadata"]["labels"] = json!({"argo-rollouts.argoproj.io/controller-instance-id": "blue"});
    let Next::Wait(why) = forward("10%", &view(&it)) else {
        panic!()
    };
    assert!(why.contains("controller instance blue"), "{why}");
}

#[test]
fn what_is_done_is_tidied_up_and_nothing_else_is_touched() {
    let mut it = promoted();
    it["metadata"]["annotations"][EFFECT] = "R-7.b2.x".into();
    it["metadata"]["annotations"]["team"] = "shop".into();
    let made = change(forward("full", &view(&it)));
    assert_eq!(
        made.body["metadata"]["annotations"],
        json!({EFFECT: null, BEFORE: null})
    );
    assert!(made.body["spec"].is_null());
}

#[test]
fn a_first_version_goes_out_whole_or_not_at_all() {
    let mut it = idle();
    it["status"]["stableRS"] = Value::Null;
    it["status"]["currentPodHash"] = "6f4".into();
    let view = view_of(&it, &[], &[], None);
    refused(forward("10%", &view), "without its steps");
    assert!(matches!(forward("full", &view), Next::Change(_)));
}

#[test]
fn a_version_within_the_rollback_window_would_skip_its_steps() {
    let mut it = idle();
    it["spec"]["rollbackWindow"] = json!({"revisions": 3});
    refused(forward("10%", &view(&it)), "rollbackWindow");
    assert!(matches!(forward("full", &view(&it)), Next::Change(_)));
}

#[test]
fn a_rollout_of_somebody_else_is_not_run_over() {
    let mut it = rollout();
    it["metadata"]["annotations"] = Value::Null;
    it["spec"]["template"] = template("shop/cart:3");
    refused(
        forward("10%", &view(&it)),
        "another rollout is under way here: shop/cart:3",
    );
    // one that stands aborted or degraded is no rollout under way
    it["status"]["phase"] = "Degraded".into();
    assert!(matches!(forward("10%", &view(&it)), Next::Change(_)));
}

#[test]
fn a_template_that_somebody_changed_meanwhile_is_not_overwritten() {
    let mut it = rollout();
    it["spec"]["template"] = template("shop/cart:3");
    refused(
        forward("50%", &view(&it)),
        "somebody has changed its template meanwhile",
    );
    let again = effect(Verb::Deploy, 2, "50%");
    let made = change(ask(&again, &view(&it), Steer::GoOn));
    assert_eq!(
        made.body["metadata"]["annotations"][BEFORE],
        before(),
        "what ran before stays noted"
    );
}

#[test]
fn who_has_been_promoted_past_the_batch_by_others_is_told_so() {
    let mut it = rollout();
    it["status"]["currentStepIndex"] = 3.into();
    refused(
        forward("10%", &view(&it)),
        "somebody else has taken it past 10 %",
    );
    refused(forward("10%", &view(&promoted())), "it shows 100 %");
    // it was there before the release came
    let mut same = promoted();
    same["metadata"]["annotations"] = Value::Null;
    assert_eq!(forward("10%", &view(&same)), Next::Done);
}

#[test]
fn an_abort_by_argo_fails_with_the_words_of_the_analysis() {
    let mut it = rollout();
    it["status"]["abort"] = true.into();
    it["status"]["abortedAt"] = "2026-11-20T10:07:00Z".into();
    it["status"]["phase"] = "Degraded".into();
    it["status"]["message"] = "RolloutAborted: Rollout aborted update to revision 2".into();
    it["status"]["canary"] =
        json!({"currentStepAnalysisRunStatus": {"name": "cart-9ab-2", "status": "Failed"}});
    let run = json!({"metadata": {"name": "cart-9ab-2"}, "status": {"phase": "Failed", "metricResults": [
        {"name": "lag", "phase": "Failed", "dryRun": true, "measurements": [{"value": "[9]"}]},
        {"name": "errors", "phase": "Failed", "measurements": [{"value": "[0.21]"}]}]}});
    let sets = [set("6f4", OLD, 10, 10), set("9ab", NEW, 0, 0)];
    let view = view_of(&it, &sets, &[run], None);
    let next = forward("full", &view);
    refused(
        next.clone(),
        "analysis cart-9ab-2 Failed: errors Failed [0.21]",
    );
    refused(next.clone(), "RolloutAborted");
    let Next::Failed(why) = next else { panic!() };
    assert!(!why.contains("lag"), "a dry run gates nothing: {why}");
}

#[test]
fn a_retry_takes_back_the_abort_that_it_saw_and_no_other() {
    let mut it = rollout();
    it["status"]["abort"] = true.into();
    it["status"]["abortedAt"] = "10:07".into();
    let again = effect(Verb::Deploy, 2, "full");
    let made = change(ask(&again, &view(&it), Steer::GoOn));
    let mark = made.body["metadata"]["annotations"][RETRY].clone();
    assert_eq!(made.part, None);
    it["metadata"]["annotations"][RETRY] = mark;
    let made = change(ask(&again, &view(&it), Steer::GoOn));
    assert_eq!(
        (made.part, &made.body["status"]),
        (Some("status"), &json!({"abort": false}))
    );
    it["status"]["abortedAt"] = "10:31".into();
    refused(ask(&again, &view(&it), Steer::GoOn), "aborted again");
}

#[test]
fn an_inconclusive_analysis_asks_a_person_and_a_retry_goes_past_it() {
    let mut it = rollout();
    it["status"]["pauseConditions"] = json!([{"reason": "InconclusiveAnalysisRun"}]);
    it["status"]["message"] = "InconclusiveAnalysisRun".into();
    it["status"]["canary"] =
        json!({"currentStepAnalysisRunStatus": {"name": "run", "status": "Inconclusive"}});
    let run = json!({"metadata": {"name": "run"}, "status": {"phase": "Inconclusive", "message": "", "metricResults":
        [{"name": "err-ratio", "phase": "Inconclusive", "measurements": [{"phase": "Inconclusive", "value": "[0.021]"}]}]}});
    it["spec"]["strategy"]["canary"]["steps"][1] =
        json!({"analysis": {"templates": [{"templateName": "errors"}]}});
    let this = effect(Verb::Deploy, 1, "full");
    let view = |it: &Value| view_of(it, &[], std::slice::from_ref(&run), None);
    // which one it was is noted first, so that whoever asks again asks for this one
    let made = change(ask(&this, &view(&it), Steer::GoOn));
    let noted = made.body["metadata"]["annotations"][RETRY].clone();
    assert_eq!(noted, format!("{} inconclusive run", this.id.as_str()));
    it["metadata"]["annotations"][RETRY] = noted;
    let Next::Undecided(why) = ask(&this, &view(&it), Steer::GoOn) else {
        panic!()
    };
    assert!(
        why.contains("err-ratio Inconclusive [0.021]; a retry goes past it"),
        "{why}"
    );
    let again = effect(Verb::Deploy, 2, "full");
    let made = change(ask(&again, &view(&it), Steer::GoOn));
    let past = json!({"pauseConditions": null, "controllerPause": false, "currentStepIndex": 2});
    assert_eq!((made.part, &made.body["status"]), (Some("status"), &past));
    assert_eq!(made.body["metadata"]["resourceVersion"], "90211");
    // another one that cannot tell is another question
    it["metadata"]["annotations"][RETRY] =
        format!("{} inconclusive other", this.id.as_str()).into();
    let made = change(ask(&again, &view(&it), Steer::GoOn));
    assert!(made.body["metadata"]["annotations"][RETRY].is_string());
}

#[test]
fn who_promotes_all_passes_what_argo_waits_for() {
    let mut it = rollout();
    let all = effect(Verb::Deploy, 1, "full");
    let full = json!({"promoteFull": true});
    let made = change(ask(&all, &view(&it), Steer::Straight));
    assert_eq!((made.part, &made.body["status"]), (Some("status"), &full));
    // once is enough
    it["status"]["promoteFull"] = true.into();
    assert!(matches!(
        ask(&all, &view(&it), Steer::Straight),
        Next::Wait(_)
    ));
    // an analysis that could not tell bars it no more
    it["status"]["promoteFull"] = false.into();
    it["status"]["pauseConditions"] = json!([{"reason": "InconclusiveAnalysisRun"}]);
    assert_eq!(
        change(ask(&all, &view(&it), Steer::Straight)).body["status"],
        full
    );
    // one that was aborted is not taken up again by it
    let mut aborted = it.clone();
    aborted["status"]["abort"] = true.into();
    aborted["status"]["abortedAt"] = "10:30".into();
    refused(ask(&all, &view(&aborted), Steer::Straight), "aborted");
    // a share on its way passes the time that was set before it, and stands at its own pause
    let mut timed = rollout();
    timed["spec"]["strategy"]["canary"]["steps"] =
        json!([{"setWeight": 10}, {"pause": {"duration": "1h"}}, {"setWeight": 50}, {"pause": {}}]);
    let half = effect(Verb::Deploy, 1, "50%");
    let made = change(ask(&half, &view(&timed), Steer::Straight));
    let past = json!({"pauseConditions": null, "controllerPause": false, "currentStepIndex": 2});
    assert_eq!((made.part, &made.body["status"]), (Some("status"), &past));
    assert!(matches!(
        ask(&half, &view(&timed), Steer::GoOn),
        Next::Patience(_)
    ));
    timed["status"]["currentStepIndex"] = 3.into();
    assert_eq!(ask(&half, &view(&timed), Steer::Straight), Next::Done);
}

#[test]
fn a_pause_in_the_room_pauses_the_rollout_at_once_and_resumes_only_that() {
    let this = effect(Verb::Deploy, 1, "full");
    let made = change(ask(&this, &view(&rollout()), Steer::Hold));
    assert_eq!(made.body["spec"], json!({"paused": true}));
    assert_eq!(made.body["metadata"]["annotations"][HELD], "R-7");
    let mut it = rollout();
    it["spec"]["paused"] = true.into();
    assert!(matches!(
        ask(&this, &view(&it), Steer::Hold),
        Next::Patience(_)
    ));
    let Next::Patience(why) = ask(&this, &view(&it), Steer::GoOn) else {
        panic!("a pause of somebody else is theirs")
    };
    assert!(why.contains("somebody else"), "{why}");
    it["metadata"]["annotations"][HELD] = "R-7".into();
    let made = change(ask(&this, &view(&it), Steer::GoOn));
    assert_eq!(made.body["spec"], json!({"paused": false}));
    assert_eq!(made.body["metadata"]["annotations"], json!({HELD: null}));
    assert!(
        matches!(ask(&this, &view(&idle()), Steer::Hold), Next::Patience(_)),
        "nothing of ours moves"
    );
}

#[test]
fn an_invalid_spec_is_said_in_argos_words() {
    let mut it = idle();
    it["status"]["phase"] = "Degraded".into();
    it["status"]["message"] = "InvalidSpec: The Rollout \"cart\" is invalid: spec.strategy".into();
    refused(forward("10%", &view(&it)), "InvalidSpec: The Rollout");
    it["spec"]["template"] = template(NEW);
    assert!(matches!(forward("10%", &view(&it)), Next::Bad(_)));
}

#[test]
fn the_way_back_aborts_first_and_then_puts_the_old_template_back() {
    let made = change(back(&view(&rollout())));
    assert_eq!(
        (made.part, &made.body["status"]),
        (Some("status"), &json!({"abort": true}))
    );
    let mut it = rollout();
    it["status"]["abort"] = true.into();
    it["status"]["phase"] = "Degraded".into();
    it["spec"]["paused"] = true.into();
    let made = change(back(&view(&it)));
    let spec = &made.body["spec"];
    assert_eq!(
        spec["template"],
        json!({"spec": {"containers": [{"name": "cart", "image": OLD}]}}),
        "no hash in it"
    );
    assert_eq!(spec["paused"], false);
    assert_eq!(
        made.body["metadata"]["annotations"][EFFECT],
        "R-7.b1.cart-prod.cart.rollback.1"
    );
}

#[test]
fn nothing_is_aborted_that_has_everything_already() {
    let made = change(back(&view(&promoted())));
    assert_eq!(made.part, None, "an abort would mark it and revert nothing");
    assert_eq!(
        made.body["spec"]["template"]["spec"]["containers"][0]["image"],
        OLD
    );
}

#[test]
fn the_old_version_comes_back_without_its_steps() {
    let mut it = rollout();
    it["spec"]["template"] = template(OLD);
    it["metadata"]["annotations"][EFFECT] = "R-7.b1.cart-prod.cart.rollback.1".into();
    it["status"]["stableRS"] = "9ab".into();
    it["status"]["currentPodHash"] = "6f4".into();
    it["status"]["phase"] = "Progressing".into();
    let made = change(back(&view(&it)));
    assert_eq!(
        (made.part, &made.body["status"]),
        (Some("status"), &json!({"promoteFull": true}))
    );
    it["status"]["promoteFull"] = true.into();
    assert!(matches!(back(&view(&it)), Next::Wait(_)), "once");
    it["status"] = idle()["status"].clone();
    let made = change(back(&view(&it)));
    assert_eq!(
        made.body["metadata"]["annotations"],
        json!({EFFECT: null, BEFORE: null})
    );
}

#[test]
fn what_was_never_begun_is_marked_before_it_counts_as_back() {
    let made = change(back(&view(&idle())));
    assert_eq!(
        made.body["metadata"]["annotations"],
        json!({EFFECT: "R-7.b1.cart-prod.cart.rollback.1"})
    );
    assert!(made.body["spec"].is_null());
}

#[test]
fn two_hotfixes_in_a_row_go_back_to_what_was_stable() {
    // the attempt before left its ReplicaSet and its template; what has to come back is the stable one
    let mut it = rollout();
    it["metadata"]["annotations"] = json!({});
    it["status"]["abort"] = true.into();
    let sets = [
        set("6f4", OLD, 10, 10),
        set("8cc", OLD, 0, 0),
        set("9ab", NEW, 0, 0),
    ];
    let made = change(back(&view_of(&it, &sets, &[], None)));
    assert_eq!(
        made.body["spec"]["template"]["spec"]["containers"][0]["image"],
        OLD
    );
}

#[test]
fn a_replicaset_that_is_gone_leaves_the_image() {
    let sets = [set("9ab", NEW, 1, 1)];
    let mut it = rollout();
    it["status"]["abort"] = true.into();
    let made = change(back(&view_of(&it, &sets, &[], None)));
    assert_eq!(
        made.body["spec"]["template"]["spec"]["containers"][0]["image"],
        OLD
    );
}

#[test]
fn a_template_that_is_referred_to_is_changed_where_it_is() {
    let mut it = idle();
    it["spec"].as_object_mut().unwrap().remove("template");
    it["spec"]["workloadRef"] =
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "cart-base"});
    it["metadata"]["annotations"] = json!({"rollout.argoproj.io/workload-generation": "4"});
    it["status"]["workloadObservedGeneration"] = "4".into();
    let base = |generation: u32| {
        json!({"metadata": {"name": "cart-base", "generation": generation, "resourceVersion": "17"},
            "spec": {"template": template(OLD)}})
    };
    let sets = [set("6f4", OLD, 10, 10)];
    let made = change(forward("10%", &view_of(&it, &sets, &[], Some(&base(4)))));
    assert_eq!(
        (made.kind.kind.as_str(), made.name.as_str()),
        ("Deployment", "cart-base")
    );
    assert_eq!(made.body["metadata"]["resourceVersion"], "17");
    assert!(
        !view_of(&it, &sets, &[], Some(&base(5))).observed,
        "its generation has not arrived"
    );
    it["status"]["workloadObservedGeneration"] = "3".into();
    assert!(!view_of(&it, &sets, &[], Some(&base(4))).observed);
    it["spec"]["workloadRef"]["kind"] = "PodTemplate".into();
    refused(
        forward("10%", &view_of(&it, &sets, &[], None)),
        "PodTemplate cart-base",
    );
}

#[test]
fn blue_and_green_stand_at_the_preview_and_then_switch() {
    let mut it = rollout();
    it["spec"]["strategy"] =
        json!({"blueGreen": {"autoPromotionEnabled": false, "activeService": "a"}});
    it["status"]["pauseConditions"] = json!([{"reason": "BlueGreenPause"}]);
    it["status"]["currentStepIndex"] = Value::Null;
    let sets = [set("6f4", OLD, 10, 10), set("9ab", NEW, 10, 10)];
    let view = view_of(&it, &sets, &[], None);
    assert_eq!(forward("10%", &view), Next::Done);
    let made = change(forward("full", &view));
    assert_eq!(
        (made.part, &made.body["status"]),
        (Some("status"), &json!({"pauseConditions": null}))
    );
}

#[test]
fn pods_that_will_never_come_up_end_the_wait() {
    let mut it = rollout();
    it["status"]["phase"] = "Progressing".into();
    it["status"]["pauseConditions"] = Value::Null;
    it["status"]["controllerPause"] = false.into();
    it["status"]["currentStepIndex"] = 0.into();
    let mut view = view(&it);
    assert!(matches!(forward("10%", &view), Next::Wait(_)));
    view.stuck = vec![Stuck {
        count: 1,
        reason: "crash-loop",
        words: "cart crashes again and again: exit 1".into(),
        way_out: None,
    }];
    refused(forward("10%", &view), "cart crashes again and again");
}

#[test]
fn what_git_keeps_is_not_changed_over_its_head() {
    let mut view = view(&idle());
    view.owners = vec![Owner {
        who: "Argo CD".into(),
        words: "keeps it as Git says".into(),
        forbids: true,
    }];
    refused(forward("10%", &view), "Argo CD keeps it as Git says");
    assert!(matches!(forward("10%", &view), Next::Never(_)));
}
