//! What is done about a Canary and which gates open, seen from its JSON.

use kube::api::DynamicObject;
use serde_json::{Value, json};

use super::super::super::helm::Steer;
use super::super::change::{Change, Next};
use super::super::config::{Kind, KubeConfig};
use super::super::gates::{Gates, Hook};
use super::super::record::{BEFORE, EFFECT, HELD, RETRY};
use super::decide::{Course, Times, Wish};
use super::picture::{details, picture};
use super::view::{Part, View, rivals};
use crate::domain::plan::Exposure;
use crate::domain::{Artifact, Effect, Health, ReleaseId, Span, Verb};

const OLD: &str = "shop/web:1@sha256:aa";
const NEW: &str = "shop/web:2@sha256:bb";
const ROLLOUT: Hook = Hook::ConfirmRollout;
const TRAFFIC: Hook = Hook::ConfirmTraffic;
const PROMOTION: Hook = Hook::ConfirmPromotion;

/// A Canary by weights (20, 40, 50) that tries version 2 at `weight` percent.
fn canary(phase: &str, weight: u32) -> Value {
    let hooks = Hook::ALL.map(|hook| {
        let url = format!("http://127.0.0.1:7345/gates/web-prod/{}", hook.word());
        json!({"name": hook.word(), "type": hook.word(), "url": url})
    });
    json!({
        "metadata": {"name": "web", "resourceVersion": "70"},
        "spec": {"targetRef": {"kind": "Deployment", "name": "web"},
            "analysis": {"interval": "10s", "threshold": 5, "stepWeight": 20, "maxWeight": 50, "webhooks": hooks}},
        "status": {"phase": phase, "canaryWeight": weight, "failedChecks": 0, "iterations": 0, "lastAppliedSpec": "n2"},
    })
}

/// The same by rounds of checks.
fn rounds(phase: &str) -> Value {
    let mut it = canary(phase, 0);
    it["spec"]["analysis"]["stepWeight"] = Value::Null;
    it["spec"]["analysis"]["iterations"] = 3.into();
    it
}

fn workload(name: &str, image: &str, marks: Value, pods: u32) -> Value {
    json!({
        "metadata": {"name": name, "resourceVersion": "50", "generation": 3, "annotations": marks},
        "spec": {"replicas": pods, "template": {"spec": {"containers": [{"name": "web", "image": image}]}}},
        "status": {"observedGeneration": 3, "replicas": pods, "updatedReplicas": pods,
            "readyReplicas": pods, "availableReplicas": pods},
    })
}

fn begun() -> Value {
    json!({EFFECT: "x", BEFORE: json!({"release": "R-7", "hash": "n1", "image": OLD}).to_string()})
}

fn object(value: &Value) -> DynamicObject {
    let mut value = value.clone();
    value["apiVersion"] = "v1".into();
    value["kind"] = "Any".into();
    serde_json::from_value(value).unwrap()
}

fn view_of(canary: &Value, target: &Value, primary: &Value) -> View {
    let part = |value: &Value| Part::new(&object(value)).unwrap();
    View::new(&object(canary), part(target), Some(part(primary)))
}

/// While version 2 is tried.
fn tried(canary: &Value) -> View {
    let target = workload("web", NEW, begun(), 2);
    view_of(
        canary,
        &target,
        &workload("web-primary", OLD, Value::Null, 4),
    )
}

/// Before anything was released.
fn idle(canary: &Value) -> View {
    let target = workload("web", OLD, json!({"team": "shop"}), 0);
    view_of(
        canary,
        &target,
        &workload("web-primary", OLD, Value::Null, 4),
    )
}

fn effect(verb: Verb, attempt: u32, share: &str) -> Effect {
    let image = if verb == Verb::Rollback {
        ("1", "sha256:aa")
    } else {
        ("2", "sha256:bb")
    };
    let share: Exposure = serde_json::from_value(share.into()).unwrap();
    Effect {
        id: format!("R-7.b1.web-prod.web.{}.{attempt}", verb.word()).into(),
        release: ReleaseId(7),
        target: "web-prod".into(),
        instance: "web".into(),
        verb,
        artifact: Artifact {
            version: image.0.into(),
            digest: image.1.into(),
        },
        exposure: (verb == Verb::Deploy).then_some(share),
    }
}

fn ask(effect: &Effect, view: &View, steer: Steer, times: Times) -> Course {
    let artifact = &effect.artifact;
    let image = format!("shop/web:{}@{}", artifact.version, artifact.digest);
    Wish {
        effect,
        image,
        container: None,
        repository: "shop/web",
        gated: true,
    }
    .next(view, steer, times)
}

fn forward(share: &str, view: &View) -> Course {
    ask(
        &effect(Verb::Deploy, 1, share),
        view,
        Steer::GoOn,
        Times::default(),
    )
}

fn back(view: &View, times: Times) -> Course {
    ask(&effect(Verb::Rollback, 1, "full"), view, Steer::GoOn, times)
}

#[track_caller]
fn change(course: Course) -> Change {
    assert!(course.open.is_empty(), "{course:?}");
    match course.next {
        Next::Change(change) | Next::Last(change) => *change,
        other => panic!("no change: {other:?}"),
    }
}

#[track_caller]
fn refused(course: Course, part: &str) {
    let (Next::Failed(why) | Next::Never(why) | Next::Bad(why)) = &course.next else {
        panic!("not refused: {course:?}");
    };
    assert!(course.open.is_empty(), "{course:?}");
    assert!(why.contains(part), "{why}");
}

const SOON: Times = Times {
    asked: false,
    quiet: false,
};
const LATE: Times = Times {
    asked: true,
    quiet: true,
};

#[test]
fn the_first_batch_writes_the_image_into_the_target() {
    let made = change(forward("20%", &idle(&canary("Succeeded", 0))));
    assert_eq!(
        (made.kind.kind.as_str(), made.name.as_str()),
        ("Deployment", "web")
    );
    let meta = &made.body["metadata"];
    assert_eq!(meta["resourceVersion"], "50");
    assert_eq!(meta["annotations"][EFFECT], "R-7.b1.web-prod.web.deploy.1");
    let before: Value =
        serde_json::from_str(meta["annotations"][BEFORE].as_str().unwrap()).unwrap();
    assert_eq!(
        before,
        json!({"release": "R-7", "revision": "n2", "image": OLD, "to": NEW})
    );
    let spec = made.body["spec"].as_object().unwrap();
    assert_eq!(spec.keys().collect::<Vec<_>>(), ["template"]);
    assert_eq!(spec["template"]["spec"]["containers"][0]["image"], NEW);
}

#[test]
fn a_success_of_the_version_before_is_none_of_this_one() {
    // right after the template has changed, until Flagger's next round
    let mut it = canary("Succeeded", 0);
    it["status"]["lastAppliedSpec"] = "n1".into();
    let course = forward("full", &tried(&it));
    assert_eq!(course.open, [ROLLOUT]);
    assert!(matches!(course.next, Next::Wait(_)), "{course:?}");
    it["status"]["phase"] = "Failed".into();
    let course = forward("full", &tried(&it));
    assert_eq!(course.open, [ROLLOUT], "nor is a failure: {course:?}");
}

#[test]
fn traffic_grows_up_to_the_batch_and_no_further() {
    assert_eq!(
        forward("40%", &tried(&canary("Progressing", 0))).open,
        [TRAFFIC]
    );
    assert_eq!(
        forward("40%", &tried(&canary("Progressing", 20))).open,
        [TRAFFIC]
    );
    let there = forward("40%", &tried(&canary("Progressing", 40)));
    assert_eq!(
        there,
        Course {
            open: vec![],
            next: Next::Done
        }
    );
    let there = forward("39%", &tried(&canary("Progressing", 20)));
    assert_eq!(there.next, Next::Done, "the nearest that is not more");
    refused(
        forward("20%", &tried(&canary("Progressing", 40))),
        "past 20 %",
    );
}

#[test]
fn what_waits_for_its_promotion_keeps_its_traffic_though_the_status_says_0() {
    let view = tried(&canary("WaitingPromotion", 0));
    assert_eq!(
        view.shown(),
        60,
        "three steps of 20: the last one passes 50"
    );
    assert_eq!(forward("60%", &view).next, Next::Done);
    assert!(forward("full", &view).open.contains(&PROMOTION));
}

#[test]
fn rounds_stand_before_the_promotion() {
    let course = forward("30%", &tried(&rounds("Progressing")));
    assert!(matches!(course.next, Next::Patience(_)), "{course:?}");
    assert_eq!(course.open, []);
    assert_eq!(
        forward("30%", &tried(&rounds("WaitingPromotion"))).next,
        Next::Done
    );
    let full = forward("full", &tried(&rounds("WaitingPromotion")));
    assert!(full.open.contains(&PROMOTION) && !full.open.contains(&Hook::Rollback));
}

#[test]
fn it_is_done_when_the_primary_workload_runs_it() {
    let promoted = |pods: Value| {
        let mut primary = workload("web-primary", NEW, Value::Null, 4);
        primary["status"]["availableReplicas"] = pods;
        view_of(
            &rounds("Succeeded"),
            &workload("web", NEW, begun(), 0),
            &primary,
        )
    };
    let waits = forward("full", &promoted(3.into()));
    assert!(matches!(waits.next, Next::Wait(_)), "{waits:?}");
    let made = change(forward("full", &promoted(4.into())));
    assert_eq!(
        made.body["metadata"]["annotations"],
        json!({EFFECT: null, BEFORE: null})
    );
    refused(forward("30%", &promoted(4.into())), "past 30 %");
}

#[test]
fn a_canary_that_does_not_ask_is_refused_with_what_it_needs() {
    let mut it = canary("Succeeded", 0);
    let hooks = it["spec"]["analysis"]["webhooks"].as_array_mut().unwrap();
    hooks.retain(|hook| hook["type"] != "rollback");
    hooks[1]["url"] = "http://127.0.0.1:7345/gates/other/confirm-traffic-increase".into();
    let view = idle(&it);
    refused(
        forward("20%", &view),
        "lacks confirm-traffic-increase, rollback",
    );
    assert!(matches!(forward("20%", &view).next, Next::Never(_)));
    let gates = Gates::at(Some("127.0.0.1:7345"));
    let text = details(&view, &gates, &"web-prod".into(), &[Hook::Rollback]);
    assert!(
        text.contains("type: rollback\n  url: http://127.0.0.1:7345/gates/web-prod/rollback\n"),
        "{text}"
    );
    let this = effect(Verb::Deploy, 1, "20%");
    let wish = Wish {
        effect: &this,
        image: NEW.into(),
        container: None,
        repository: "shop/web",
        gated: false,
    };
    refused(
        wish.next(&view, Steer::GoOn, SOON),
        "room.toml needs `[gates]`",
    );
}

#[test]
fn what_cannot_be_held_is_refused_before_anything_is_written() {
    refused(
        forward("19%", &idle(&canary("Succeeded", 0))),
        "by its weights (20 %, 40 %, 60 %)",
    );
    let mut it = canary("Succeeded", 0);
    it["spec"]["skipAnalysis"] = true.into();
    refused(forward("20%", &idle(&it)), "skips its analysis");
    refused(
        forward("20%", &idle(&canary("Progressing", 20))),
        "at work here already",
    );
    let mut it = canary("Succeeded", 0);
    it["spec"]["targetRef"]["kind"] = "Service".into();
    refused(forward("20%", &idle(&it)), "its target is a Service");
}

#[test]
fn two_canaries_with_one_target_are_refused() {
    let mut other = canary("Succeeded", 0);
    other["metadata"]["name"] = "web-b".into();
    let one = canary("Succeeded", 0);
    let mut view = idle(&one);
    let all = [object(&one), object(&other)];
    view.rivals = rivals(&all[0], all.iter());
    refused(
        forward("full", &view),
        "another Canary has the same target: web-b",
    );
}

#[test]
fn a_pause_closes_the_gates_and_suspends() {
    let this = effect(Verb::Deploy, 1, "full");
    let made = change(ask(
        &this,
        &tried(&canary("Progressing", 20)),
        Steer::Hold,
        SOON,
    ));
    assert_eq!(
        (made.kind.kind.as_str(), &made.body["spec"]),
        ("Canary", &json!({"suspend": true}))
    );
    let mut it = canary("Progressing", 20);
    it["spec"]["suspend"] = true.into();
    let course = ask(&this, &tried(&it), Steer::GoOn, SOON);
    assert!(
        matches!(course.next, Next::Patience(_)),
        "somebody else's: {course:?}"
    );
    it["metadata"]["annotations"] = json!({HELD: "R-7"});
    let made = change(ask(&this, &tried(&it), Steer::GoOn, SOON));
    assert_eq!(made.body["spec"], json!({"suspend": false}));
}

#[test]
fn a_failure_is_told_and_a_retry_begins_anew() {
    let mut it = canary("Failed", 0);
    it["status"]["conditions"] = json!([{"type": "Promoted", "lastTransitionTime": "10:00",
        "message": "Canary analysis failed, Deployment scaled to zero."}]);
    refused(forward("full", &tried(&it)), "Canary analysis failed");
    let again = |it: &Value| {
        let again = effect(Verb::Deploy, 2, "full");
        ask(&again, &tried(it), Steer::GoOn, SOON)
    };
    // the failure that it is about is noted first, outside the template
    let noted = change(again(&it)).body["metadata"]["annotations"].clone();
    assert_eq!(noted, json!({RETRY: "R-7.b1.web-prod.web.deploy.2 10:00"}));
    it["metadata"]["annotations"] = noted;
    assert_eq!(again(&it).open, [ROLLOUT]);
    let made = change(again(&it));
    assert_eq!(
        (made.kind.kind.as_str(), made.part),
        ("Canary", Some("status"))
    );
    assert_eq!(made.body["status"], json!({"lastAppliedSpec": ""}));
    let mut forgotten = it.clone();
    forgotten["status"]["lastAppliedSpec"] = "".into();
    assert!(matches!(again(&forgotten).next, Next::Wait(_)));
    // another failure is not tried again by itself
    it["status"]["conditions"][0]["lastTransitionTime"] = "10:05".into();
    refused(again(&it), "Canary analysis failed");
}

#[test]
fn a_failed_promotion_is_read_by_its_weight() {
    let view = tried(&canary("Failed", 100));
    assert!(view.failed_forward());
    assert!(
        view.words().contains("all traffic is on the new version"),
        "{}",
        view.words()
    );
    let old = workload(
        "web",
        OLD,
        json!({EFFECT: "R-7.b1.web-prod.web.rollback.1"}),
        0,
    );
    let view = view_of(
        &canary("Failed", 100),
        &old,
        &workload("web-primary", OLD, Value::Null, 4),
    );
    assert_ne!(back(&view, LATE).next, Next::Done, "that is not back");
}

#[test]
fn the_way_back_asks_flagger_first_and_then_takes_the_template_back() {
    let view = tried(&canary("Progressing", 40));
    assert_eq!(back(&view, SOON).open, [Hook::Rollback]);
    let made = change(back(&view, LATE));
    assert_eq!(
        made.body["spec"]["template"]["spec"]["containers"][0]["image"],
        OLD
    );
    // pods that never get ready: Flagger does not come to its question
    let mut target = workload("web", NEW, begun(), 2);
    target["status"]["availableReplicas"] = 0.into();
    let primary = workload("web-primary", OLD, Value::Null, 4);
    let made = change(back(
        &view_of(&canary("Progressing", 0), &target, &primary),
        SOON,
    ));
    assert_eq!(made.name, "web");
    let made = change(back(&tried(&canary("Failed", 0)), SOON));
    assert_eq!(
        made.body["spec"]["template"]["spec"]["containers"][0]["image"],
        OLD
    );
    let waits = back(&tried(&canary("Promoting", 0)), LATE);
    assert!(
        matches!(waits.next, Next::Wait(_)),
        "nothing stops it there: {waits:?}"
    );
}

#[test]
fn the_analysis_of_the_old_version_is_let_through() {
    let old = workload(
        "web",
        OLD,
        json!({EFFECT: "R-7.b1.web-prod.web.rollback.1"}),
        2,
    );
    let at = |phase: &str, primary: &str| {
        view_of(
            &rounds(phase),
            &old,
            &workload("web-primary", primary, Value::Null, 4),
        )
    };
    for phase in ["Waiting", "Progressing", "WaitingPromotion"] {
        let open = back(&at(phase, OLD), LATE).open;
        assert_eq!(
            open,
            [ROLLOUT, TRAFFIC, PROMOTION],
            "and never the way back, in {phase}"
        );
    }
    let open = back(&at("Succeeded", NEW), LATE).open;
    assert_eq!(
        open,
        [ROLLOUT, TRAFFIC, PROMOTION],
        "the new one serves still"
    );
    assert!(matches!(
        back(&at("Failed", OLD), SOON).next,
        Next::Patience(_)
    ));
    let made = change(back(&at("Failed", OLD), LATE));
    assert_eq!(made.body["metadata"]["annotations"], json!({EFFECT: null}));
}

#[test]
fn production_is_the_primary_workload() {
    let config = KubeConfig {
        cluster: "scratch".into(),
        namespace: "shop".into(),
        kind: Kind::Canary,
        name: "web".into(),
        container: None,
        image: "shop/web".into(),
        deadline: Span::mins(10),
        switch: None,
    };
    let shown = picture(&idle(&canary("Succeeded", 0)), &config);
    let workload = shown.workload.unwrap();
    assert_eq!(
        (workload.wanted, workload.old.available),
        (4, 4),
        "not the target's 0 pods"
    );
    assert_eq!(shown.sights[0].health, Health::Running);
    let shown = picture(&tried(&canary("Progressing", 20)), &config);
    let workload = shown.workload.unwrap();
    assert_eq!((workload.weight, workload.new.available), (Some(20), 2));
    assert_eq!(&*shown.sights[0].arriving.clone().unwrap().version, "2");
    let shown = picture(&tried(&canary("Failed", 0)), &config);
    assert_eq!(shown.sights[0].health, Health::Down);
}
