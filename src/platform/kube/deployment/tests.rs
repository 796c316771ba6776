use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::domain::{Artifact, Effect, Verb, plan::Exposure};
use crate::platform::kube::config::{Kind, KubeConfig};

const DIGEST: &str = "sha256:02";

pub fn wish(share: &str, verb: Verb) -> Wish {
    let (version, digest) = match verb {
        Verb::Rollback => ("1", ""),
        _ => ("2", DIGEST),
    };
    let effect = Effect {
        id: "R-1.b1.web-prod.web.deploy.1".into(),
        release: crate::domain::ReleaseId(1),
        target: "web-prod".into(),
        instance: "web".into(),
        verb,
        artifact: Artifact {
            version: version.into(),
            digest: digest.into(),
        },
        exposure: serde_json::from_value::<Exposure>(json!(share)).ok(),
    };
    let config = KubeConfig {
        cluster: "scratch".into(),
        namespace: "shop".into(),
        kind: Kind::Deployment,
        name: "web".into(),
        container: None,
        image: "shop/web".into(),
        deadline: crate::domain::Span::mins(1),
        switch: None,
    };
    Wish::of(&effect, Arc::new(config))
}

pub fn template(image: &str) -> Value {
    json!({"metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{"name": "web", "image": image}]}})
}

fn set(hash: &str, image: &str, wanted: u32, available: u32) -> Value {
    let mut template = template(image);
    template["metadata"]["labels"]["pod-template-hash"] = hash.into();
    json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": format!("web-{hash}"), "uid": hash,
        "labels": {"pod-template-hash": hash}, "creationTimestamp": format!("2026-01-01T00:00:0{}Z", hash.len()),
        "ownerReferences": [{"uid": "u", "controller": true}]},
        "spec": {"replicas": wanted, "template": template},
        "status": {"replicas": wanted, "readyReplicas": available, "availableReplicas": available}})
}

/// A Deployment of ten at rest with version 1.
pub fn at_rest() -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "web", "uid": "u", "resourceVersion": "7", "generation": 3,
            "annotations": {"foreign/key": "x"}},
        "spec": {"replicas": 10, "template": template("shop/web:1"),
            "strategy": {"type": "RollingUpdate",
                "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}}},
        "status": {"observedGeneration": 3, "replicas": 10, "updatedReplicas": 10, "availableReplicas": 10,
            "conditions": [{"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"}]}})
}

/// A Deployment and its ReplicaSets as they are read.
pub fn read(object: Value, sets: &[Value]) -> Seen {
    let object = serde_json::from_value(object).expect("an object");
    let sets: Vec<_> = sets
        .iter()
        .map(|s| serde_json::from_value(s.clone()).expect("a set"))
        .collect();
    let seen = Seen::of(&object, &sets, |_| Arc::from([]), None).expect("a Deployment");
    // whoever answers has answered for long enough
    let up = seen.new_set().map_or(0, |new| new.ready);
    Seen { up, ..seen }
}

/// That of ten, changed by `change`.
fn seen(sets: &[Value], change: impl FnOnce(&mut Value)) -> Seen {
    let mut object = at_rest();
    change(&mut object);
    read(object, sets)
}

fn old(wanted: u32) -> Value {
    set("a", "shop/web:1", wanted, wanted)
}

fn new(wanted: u32, available: u32) -> Value {
    set("bb", "shop/web:2@sha256:02", wanted, available)
}

/// The same under the brake: those that answer count as available to nobody but holdpoint.
fn coming(wanted: u32, ready: u32) -> Value {
    let mut set = new(wanted, ready);
    set["status"]["availableReplicas"] = 0.into();
    set["spec"]["minReadySeconds"] = brake::BRAKE.into();
    set
}

/// As it stands after this change as well.
pub fn changed(object: &mut Value, body: &Value) {
    for (key, value) in body["metadata"]["annotations"].as_object().expect("marks") {
        object["metadata"]["annotations"][key] = value.clone();
    }
    for (key, value) in body["spec"].as_object().expect("a spec") {
        object["spec"][key] = value.clone();
    }
}

/// As it stands when so many pods more than wanted and so many old ones fewer are allowed.
fn at_pace(object: &mut Value, surge: u32, gone: &str) {
    let strategy = json!({"type": "RollingUpdate",
        "rollingUpdate": {"maxSurge": surge, "maxUnavailable": gone}});
    let marks = &mut object["metadata"]["annotations"];
    let before = marks["holdpoint.dev/before"].as_str();
    let mut before = record::read(before).expect("a record");
    before.kept.as_mut().expect("a strategy").written = strategy.clone();
    marks["holdpoint.dev/before"] = before.write().into();
    object["spec"]["strategy"] = strategy;
}

/// As it stands after the first change of a share.
fn begun(object: &mut Value) {
    let Next::Change(change) = forward(
        &wish("30%", Verb::Deploy),
        &seen(&[old(10)], |_| {}),
        Steer::GoOn,
    ) else {
        panic!("it does not begin")
    };
    assert_eq!(change.form, Form::Strategic);
    changed(object, &change.body);
    object["spec"]["template"] = template("shop/web:2@sha256:02");
}

pub fn body(next: Next) -> Value {
    match next {
        Next::Change(change) => change.body,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_first_change_is_one_conditional_patch_and_leaves_replicas_alone() {
    let body = body(forward(
        &wish("30%", Verb::Deploy),
        &seen(&[old(10)], |_| {}),
        Steer::GoOn,
    ));
    assert_eq!(body["metadata"]["resourceVersion"], "7");
    let spec = &body["spec"];
    assert!(spec["replicas"].is_null(), "an autoscaler may own them");
    assert_eq!(spec["paused"], false);
    assert_eq!(
        spec["strategy"]["rollingUpdate"],
        json!({"maxSurge": "10%", "maxUnavailable": 0})
    );
    assert_eq!(spec["minReadySeconds"], brake::BRAKE);
    assert_eq!(spec["progressDeadlineSeconds"], brake::DEADLINE);
    assert_eq!(
        spec["template"]["spec"]["containers"],
        json!([{"name": "web", "image": "shop/web:2@sha256:02"}])
    );
    let marks = &body["metadata"]["annotations"];
    assert_eq!(
        marks["holdpoint.dev/effect"],
        "R-1.b1.web-prod.web.deploy.1"
    );
    assert_eq!(
        marks["holdpoint.dev/bound"], "3",
        "never more than the share"
    );
    let before = record::read(marks["holdpoint.dev/before"].as_str()).expect("a record");
    assert_eq!((&*before.revision, &*before.image), ("a", "shop/web:1"));
    let kept = before.kept.expect("the strategy");
    assert_eq!(kept.strategy["rollingUpdate"]["maxSurge"], "25%");
}

#[test]
fn it_goes_on_when_all_new_pods_are_up_and_pauses_at_the_share() {
    let go = |sets: &[Value], steer, change: &dyn Fn(&mut Value)| {
        let seen = seen(sets, |object| {
            begun(object);
            change(object);
        });
        forward(&wish("30%", Verb::Deploy), &seen, steer)
    };
    let waits = |next: Next| assert!(matches!(next, Next::Wait(_)), "{next:?}");
    waits(go(&[old(10), coming(1, 0)], Steer::GoOn, &|_| {}));
    let gone = |next: Next| body(next)["spec"]["strategy"]["rollingUpdate"].clone();
    let next = go(&[old(10), coming(1, 1)], Steer::GoOn, &|_| {});
    assert_eq!(
        gone(next),
        json!({"maxSurge": "10%", "maxUnavailable": "10%"})
    );
    // the brake has not come to the ReplicaSet: new pods count, and old ones would go for them
    waits(go(&[old(10), new(1, 1)], Steer::GoOn, &|_| {}));
    let next = go(&[old(8), coming(3, 3)], Steer::GoOn, &|o| {
        at_pace(o, 1, "20%")
    });
    assert_eq!(gone(next), json!({"maxSurge": 0, "maxUnavailable": "30%"}));
    waits(go(&[old(8), coming(3, 3)], Steer::GoOn, &|o| {
        at_pace(o, 0, "30%")
    }));
    let stop = body(go(&[old(7), coming(3, 3)], Steer::GoOn, &|o| {
        at_pace(o, 0, "30%")
    }));
    assert_eq!(
        stop["spec"],
        json!({"paused": true, "minReadySeconds": 0, "progressDeadlineSeconds": 600,
            "strategy": {"type": "RollingUpdate",
                "rollingUpdate": {"maxSurge": 0, "maxUnavailable": "10%"}}})
    );
    let stands = |object: &mut Value| changed(object, &stop);
    waits(go(&[old(7), new(3, 2)], Steer::GoOn, &stands));
    assert_eq!(go(&[old(7), new(3, 3)], Steer::GoOn, &stands), Next::Done);
}

#[test]
fn who_pauses_it_stops_it_at_once_and_it_goes_on_from_there() {
    let go = |sets: &[Value], bodies: &[&Value], steer| {
        let seen = seen(sets, |object| {
            begun(object);
            at_pace(object, 1, "10%");
            for body in bodies {
                changed(object, body);
            }
        });
        forward(&wish("30%", Verb::Deploy), &seen, steer)
    };
    let waits = |next: Next| assert!(matches!(next, Next::Wait(_)), "{next:?}");
    let stop = body(go(&[old(9), coming(2, 1)], &[], Steer::Hold));
    assert_eq!(
        stop["spec"],
        json!({"paused": true, "minReadySeconds": 0, "progressDeadlineSeconds": 600,
            "strategy": {"type": "RollingUpdate",
                "rollingUpdate": {"maxSurge": "10%", "maxUnavailable": 0}}})
    );
    let held = go(&[old(9), new(2, 2)], &[&stop], Steer::Hold);
    assert!(
        matches!(&held, Next::Wait(why) if why.starts_with("held")),
        "{held:?}"
    );
    // first the brake, and only when it has come to the ReplicaSet the way goes on
    let brake = body(go(&[old(9), new(2, 2)], &[&stop], Steer::GoOn));
    assert_eq!(
        brake["spec"],
        json!({"paused": true, "minReadySeconds": brake::BRAKE,
            "progressDeadlineSeconds": brake::DEADLINE})
    );
    waits(go(&[old(9), new(2, 2)], &[&stop, &brake], Steer::GoOn));
    let on = body(go(&[old(9), coming(2, 2)], &[&stop, &brake], Steer::GoOn));
    assert_eq!(
        on["spec"],
        json!({"paused": false, "strategy": {"type": "RollingUpdate",
            "rollingUpdate": {"maxSurge": "10%", "maxUnavailable": 0}}})
    );
    // paused once more while the brake is on, it comes off again
    let again = body(go(&[old(9), coming(2, 2)], &[&stop, &brake], Steer::Hold));
    assert_eq!(again["spec"]["minReadySeconds"], 0);
}

#[test]
fn a_number_of_pods_of_which_the_share_is_all_is_no_dead_end() {
    let go = |all: u32, sets: &[Value], bodies: &[&Value]| {
        let seen = seen(sets, |object| {
            begun(object);
            object["spec"]["replicas"] = all.into();
            for body in bodies {
                changed(object, body);
            }
        });
        forward(&wish("30%", Verb::Deploy), &seen, Steer::GoOn)
    };
    // three of ten, then one of one: nothing of the brake may be left, or it would never be there
    let whole = body(go(1, &[old(0), coming(1, 1)], &[]));
    let spec = &whole["spec"];
    assert_eq!(
        (&spec["paused"], &spec["minReadySeconds"]),
        (&json!(false), &json!(0))
    );
    assert_eq!(spec["strategy"]["rollingUpdate"]["maxSurge"], "25%");
    assert_eq!(go(1, &[old(0), new(1, 1)], &[&whole]), Next::Done);
    // and ten again: it is stopped, and goes on under the brake if it is not there
    let stop = body(go(10, &[old(8), new(2, 2)], &[&whole]));
    assert_eq!(stop["spec"]["paused"], true);
    let brake = body(go(10, &[old(8), new(2, 2)], &[&whole, &stop]));
    assert_eq!(brake["spec"]["minReadySeconds"], brake::BRAKE);
    assert_eq!(go(10, &[old(7), new(3, 3)], &[&whole, &stop]), Next::Done);
}

#[test]
fn what_its_owner_changes_while_it_stands_comes_back_as_they_wrote_it() {
    let mut wish = wish("60%", Verb::Deploy);
    wish.effect = "b2".into();
    let theirs = json!({"type": "RollingUpdate",
        "rollingUpdate": {"maxSurge": 3, "maxUnavailable": 0}});
    let seen = seen(&[old(7), new(3, 3)], |object| {
        begun(object);
        at_pace(object, 0, "10%");
        object["spec"]["paused"] = true.into();
        object["spec"]["minReadySeconds"] = 20.into();
        object["spec"]["progressDeadlineSeconds"] = 900.into();
        object["spec"]["strategy"] = theirs.clone();
    });
    let body = body(forward(&wish, &seen, Steer::GoOn));
    assert_eq!(body["spec"]["paused"], true, "first the brake");
    let before = &body["metadata"]["annotations"]["holdpoint.dev/before"];
    let kept = record::read(before.as_str()).and_then(|b| b.kept);
    let kept = kept.expect("what comes back");
    assert_eq!((kept.min_ready, kept.deadline), (Some(20), Some(900)));
    assert_eq!(kept.strategy, theirs);
}

#[test]
fn who_brings_something_else_on_the_way_gets_back_what_the_way_has_changed() {
    let fixed = |object: &mut Value| {
        begun(object);
        object["spec"]["template"] = template("shop/web:hotfix");
    };
    let sets = [old(9), coming(2, 2)];
    for verb in [Verb::Deploy, Verb::Rollback] {
        let share = wish("30%", verb);
        let go = match verb {
            Verb::Rollback => back,
            _ => forward,
        };
        let change = body(go(&share, &seen(&sets, fixed), Steer::GoOn));
        let spec = &change["spec"];
        assert_eq!(spec["minReadySeconds"], 0);
        assert_eq!(spec["strategy"]["rollingUpdate"]["maxSurge"], "25%");
        assert!(
            spec["template"].is_null() && spec["paused"].is_null(),
            "{spec}"
        );
        let free = |object: &mut Value| {
            fixed(object);
            changed(object, &change);
        };
        let next = go(&share, &seen(&sets, free), Steer::GoOn);
        assert!(
            matches!(&next, Next::Never(why) if why.contains("hotfix")),
            "{next:?}"
        );
    }
}

#[test]
fn who_undoes_it_with_all_annotations_does_not_keep_the_brake() {
    let undone = |object: &mut Value| {
        begun(object);
        object["spec"]["template"] = template("shop/web:1");
        object["metadata"]["annotations"] = json!({});
    };
    let seen = seen(&[old(10), new(0, 0)], undone);
    let spec = body(back(&wish("full", Verb::Rollback), &seen, Steer::GoOn))["spec"].clone();
    assert_eq!(spec["minReadySeconds"], 0);
    assert_eq!(spec["progressDeadlineSeconds"], 600);
}

#[test]
fn who_else_changes_how_it_goes_stops_it() {
    let stopped = |change: fn(&mut Value)| {
        let seen = seen(&[old(9), coming(2, 2)], |object| {
            begun(object);
            change(object);
        });
        let next = forward(&wish("30%", Verb::Deploy), &seen, Steer::GoOn);
        assert!(
            matches!(&next, Next::Failed(why) if why.contains("somebody else")),
            "{next:?}"
        );
        let brake = hold(&wish("30%", Verb::Deploy), &seen).expect("a brake");
        assert_eq!(brake.body["spec"]["paused"], true);
    };
    stopped(|o| o["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] = "25%".into());
    stopped(|o| o["spec"]["minReadySeconds"] = 0.into());
}

#[test]
fn what_a_dead_release_has_left_braked_is_not_taken_for_the_owners() {
    let seen = seen(&[old(10)], |object| {
        begun(object);
        object["spec"]["template"] = template("shop/web:1");
        let marks = &mut object["metadata"]["annotations"];
        let left = marks["holdpoint.dev/before"].as_str().expect("a record");
        marks["holdpoint.dev/before"] = left.replace("R-1", "R-0").into();
    });
    let body = body(forward(&wish("30%", Verb::Deploy), &seen, Steer::GoOn));
    let before = &body["metadata"]["annotations"]["holdpoint.dev/before"];
    let kept = record::read(before.as_str())
        .and_then(|b| b.kept)
        .expect("a strategy");
    assert_eq!(kept.strategy["rollingUpdate"]["maxSurge"], "25%");
    assert_eq!((kept.min_ready, kept.deadline), (Some(0), Some(600)));
}

#[test]
fn an_autoscaler_that_changes_the_number_changes_the_share() {
    let seen = seen(&[old(17), coming(3, 3)], |object| {
        begun(object);
        object["spec"]["paused"] = true.into();
        object["spec"]["replicas"] = 20.into();
    });
    let next = forward(&wish("30%", Verb::Deploy), &seen, Steer::GoOn);
    let on = body(next)["spec"]["paused"].clone();
    assert_eq!(on, false, "6 of 20 are wished now");
}

#[test]
fn everything_brings_the_strategy_back_and_is_done_when_nothing_else_runs() {
    let mut wish = wish("full", Verb::Deploy);
    let at_share = |object: &mut Value| {
        begun(object);
        at_pace(object, 0, "30%");
        object["spec"]["paused"] = true.into();
    };
    wish.effect = "b2".into();
    let stands = seen(&[old(8), new(3, 3)], at_share);
    let body = body(forward(&wish, &stands, Steer::GoOn));
    assert_eq!(body["spec"]["paused"], false);
    assert_eq!(body["spec"]["strategy"]["rollingUpdate"]["maxSurge"], "25%");
    assert_eq!(body["spec"]["minReadySeconds"], 0);
    assert_eq!(body["spec"]["progressDeadlineSeconds"], 600);
    let goes = |sets: &[Value], generation: u32| {
        let seen = seen(sets, |object| {
            at_share(object);
            changed(object, &body);
            object["metadata"]["generation"] = generation.into();
        });
        forward(&wish, &seen, Steer::GoOn)
    };
    let next = goes(&[old(1), new(10, 10)], 3);
    assert!(
        matches!(next, Next::Wait(_)),
        "an old pod is left: {next:?}"
    );
    let next = goes(&[old(0), new(10, 10)], 4);
    assert!(
        matches!(next, Next::Wait(_)),
        "apparent success of the generation before: {next:?}"
    );
    assert_eq!(goes(&[old(0), new(10, 10)], 3), Next::Done);
}

#[test]
fn what_must_not_be_begun_is_refused_with_why() {
    let refused = |share: &str, sets: &[Value], change: &dyn Fn(&mut Value)| match forward(
        &wish(share, Verb::Deploy),
        &seen(sets, |o| change(o)),
        Steer::GoOn,
    ) {
        Next::Never(why) => why.to_string(),
        other => panic!("{other:?}"),
    };
    let at_rest = [old(10)];
    let why = refused("30%", &at_rest, &|o| o["spec"]["paused"] = true.into());
    assert_eq!(why, "it is paused by somebody else (spec.paused)");
    let why = refused("30%", &[old(9), set("cc", "shop/web:0", 1, 1)], &|_| {});
    assert_eq!(why, "another rollout of it is under way");
    let why = refused("30%", &at_rest, &|o| {
        o["spec"]["revisionHistoryLimit"] = 0.into()
    });
    assert!(why.contains("nothing to go back to"), "{why}");
    let why = refused("30%", &at_rest, &|o| {
        o["spec"]["strategy"] = json!({"type": "Recreate"})
    });
    assert!(why.contains("Recreate"), "{why}");
    let why = refused("30%", &at_rest, &|o| {
        o["spec"]["template"]["spec"]["containers"] =
            json!([{"name": "web", "image": "shop/web:1"}, {"name": "log", "image": "x"}]);
    });
    assert!(why.contains("several containers (web, log)"), "{why}");
    let why = refused("30%", &at_rest, &|o| {
        o["metadata"]["annotations"]["argocd.argoproj.io/tracking-id"] = "shop:x".into();
        o["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
    });
    assert_eq!(why, "it is being deleted");
}

#[test]
fn a_recreate_may_be_exchanged_as_a_whole() {
    let seen = seen(&[old(10)], |o| {
        o["spec"]["strategy"] = json!({"type": "Recreate"})
    });
    let body = body(forward(&wish("full", Verb::Deploy), &seen, Steer::GoOn));
    assert!(body["spec"]["strategy"].is_null() && body["spec"]["minReadySeconds"].is_null());
}

#[test]
fn the_way_back_brings_the_recorded_template_and_leaves_foreign_annotations() {
    let wish = wish("full", Verb::Rollback);
    let seen = seen(&[old(8), new(3, 0)], |o| {
        begun(o);
        o["spec"]["paused"] = true.into();
    });
    let ops = body(back(&wish, &seen, Steer::GoOn));
    let ops: Vec<(&str, &Value)> = ops
        .as_array()
        .expect("a patch")
        .iter()
        .map(|op| (op["path"].as_str().expect("a path"), &op["value"]))
        .collect();
    let of = |path: &str| {
        ops.iter()
            .find(|(p, _)| *p == path)
            .map(|(_, value)| *value)
    };
    assert_eq!(ops[0], ("/metadata/resourceVersion", &json!("7")));
    assert_eq!(of("/spec/template"), Some(&template("shop/web:1")));
    assert_eq!(of("/spec/paused"), Some(&json!(false)));
    assert_eq!(
        of("/spec/strategy").and_then(|s| s.pointer("/rollingUpdate/maxSurge")),
        Some(&json!("25%"))
    );
    assert_eq!(of("/spec/minReadySeconds"), Some(&json!(0)));
    assert_eq!(of("/spec/progressDeadlineSeconds"), Some(&json!(600)));
    assert!(of("/spec/replicas").is_none() && of("/metadata/annotations").is_none());
}

#[test]
fn without_the_recorded_replica_set_only_the_image_goes_back_and_it_is_said() {
    let wish = wish("full", Verb::Rollback);
    let seen = seen(&[new(3, 0)], begun);
    let Next::Change(change) = back(&wish, &seen, Steer::GoOn) else {
        panic!("nothing goes back")
    };
    assert!(change.words.contains("is gone"), "{}", change.words);
    let body = body(Next::Change(change));
    assert_eq!(
        body["spec"]["template"]["spec"]["containers"][0]["image"],
        "shop/web:1"
    );
}

#[test]
fn a_way_back_ends_with_the_annotations_taken_away() {
    let wish = wish("full", Verb::Rollback);
    let at = |change: fn(&mut Value)| seen(&[old(10), new(0, 0)], change);
    let there = at(|o| {
        let mut before = Before {
            release: "R-1".into(),
            revision: "a".into(),
            image: "shop/web:1".into(),
            to: "shop/web:2@sha256:02".into(),
            kept: None,
        };
        before.kept = None;
        o["metadata"]["annotations"]["holdpoint.dev/before"] = before.write().into();
    });
    let body = body(back(&wish, &there, Steer::GoOn));
    assert_eq!(
        body["metadata"]["annotations"],
        json!({"holdpoint.dev/effect": null, "holdpoint.dev/before": null, "holdpoint.dev/bound": null})
    );
    assert_eq!(back(&wish, &at(|_| {}), Steer::GoOn), Next::Done);
}
