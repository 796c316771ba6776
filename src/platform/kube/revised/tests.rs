use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::domain::{Artifact, Effect, ReleaseId, Span, Verb};
use crate::platform::kube::config::KubeConfig;

fn wish(kind: Kind, share: &str, verb: Verb) -> Wish {
    let version = if verb == Verb::Rollback { "1" } else { "2" };
    let effect = Effect {
        id: "R-1.b1.x".into(),
        release: ReleaseId(1),
        target: "x".into(),
        instance: "x".into(),
        verb,
        artifact: Artifact {
            version: version.into(),
            digest: "".into(),
        },
        exposure: serde_json::from_value(json!(share)).ok(),
    };
    let config = KubeConfig {
        cluster: "scratch".into(),
        namespace: "shop".into(),
        kind,
        name: "x".into(),
        container: None,
        image: "shop/x".into(),
        deadline: Span::mins(1),
        switch: None,
    };
    Wish::of(&effect, Arc::new(config))
}

fn template(version: &str) -> Value {
    json!({"spec": {"containers": [{"name": "x", "image": format!("shop/x:{version}")}]}})
}

/// One of so many pods, of which the last `new` run version 2 and the rest version 1.
fn seen(all: u32, new: u32, strategy: Value, template_of: &str) -> Seen {
    let object = json!({"apiVersion": "apps/v1", "kind": "X", "metadata": {"name": "x", "uid": "u",
        "resourceVersion": "7", "generation": 3},
        "spec": {"replicas": all, "template": template(template_of), "updateStrategy": strategy},
        "status": {"observedGeneration": 3, "replicas": all, "readyReplicas": all, "availableReplicas": all,
            "currentRevision": "x-1", "updateRevision": format!("x-{template_of}")}});
    let object: DynamicObject = serde_json::from_value(object).expect("an object");
    let revision = |version: &str, number| Revision {
        name: format!("x-{version}").into(),
        hash: version.into(),
        number,
        template: template(version),
    };
    let pod = |n: u32| Pod {
        name: format!("x-{n}").into(),
        uid: format!("uid-{n}").into(),
        version: "9".into(),
        hash: if n >= all - new { "x-2" } else { "x-1" }.into(),
        node: format!("node-{n}").into(),
        ready: true,
        ..Pod::default()
    };
    let work: Work = decode::read(&object).expect("a workload");
    Seen {
        container: Some(container_of(&work, None)),
        spec: object.data["spec"].clone(),
        pods: (0..all).map(pod).collect(),
        revisions: vec![revision("1", 1), revision("2", 2)],
        work,
        ..Seen::default()
    }
}

fn rolling(partition: u32) -> Value {
    json!({"type": "RollingUpdate", "rollingUpdate": {"partition": partition}})
}

/// The workload follows the wish, with the record of the strategy.
fn begun(mut seen: Seen, strategy: Value) -> Seen {
    let before = Before {
        release: "R-1".into(),
        revision: "x-1".into(),
        image: "shop/x:1".into(),
        to: "shop/x:2".into(),
        kept: Some(Kept {
            strategy,
            min_ready: None,
            deadline: None,
            written: seen.spec["updateStrategy"].clone(),
        }),
    };
    let marks = [
        (record::EFFECT, "R-1.b1.x".to_owned()),
        (record::BEFORE, before.write()),
    ];
    for (key, value) in marks {
        seen.work.marks.insert(key.into(), value.into());
    }
    seen
}

fn change(next: Next) -> Change {
    match next {
        Next::Change(change) => *change,
        other => panic!("{other:?}"),
    }
}

fn deleted(next: Next) -> Vec<String> {
    match next {
        Next::Delete(_, pods) => pods.iter().map(|p| p.name.to_string()).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_partition_comes_with_the_template_in_one_change() {
    let wish = wish(Kind::StatefulSet, "30%", Verb::Deploy);
    let next = statefulset::forward(&wish, &seen(9, 0, rolling(0), "1"), Steer::GoOn);
    let Change { form, body, .. } = change(next);
    assert_eq!(form, Form::Strategic);
    assert_eq!(
        body["spec"]["updateStrategy"]["rollingUpdate"]["partition"],
        6
    );
    assert_eq!(
        body["spec"]["template"]["spec"]["containers"][0]["image"],
        "shop/x:2"
    );
    assert_eq!(body["metadata"]["resourceVersion"], "7");
    assert_eq!(
        body["metadata"]["annotations"]["holdpoint.dev/bound"], "3",
        "exact"
    );
}

#[test]
fn a_statefulset_that_is_held_updates_no_further_pod() {
    let wish = wish(Kind::StatefulSet, "30%", Verb::Deploy);
    let at = |new, partition| begun(seen(9, new, rolling(partition), "2"), rolling(0));
    let next = statefulset::forward(&wish, &at(1, 6), Steer::Hold);
    assert!(change(next).words.contains("partition 8"));
    let next = statefulset::forward(&wish, &at(1, 8), Steer::GoOn);
    assert!(change(next).words.contains("partition 6"));
    assert_eq!(
        statefulset::forward(&wish, &at(3, 6), Steer::GoOn),
        Next::Done
    );
    let next = statefulset::forward(&wish, &at(2, 6), Steer::GoOn);
    assert!(matches!(next, Next::Wait(_)), "{next:?}");
}

#[test]
fn a_partition_of_somebody_else_is_respected() {
    let wish = wish(Kind::StatefulSet, "30%", Verb::Deploy);
    let next = statefulset::forward(&wish, &seen(9, 0, rolling(4), "1"), Steer::GoOn);
    assert!(
        matches!(&next, Next::Never(why) if why.contains("partition is 4")),
        "{next:?}"
    );
}

#[test]
fn the_way_back_deletes_the_pods_that_block_and_no_others() {
    let wish = wish(Kind::StatefulSet, "full", Verb::Rollback);
    let mut stuck = begun(seen(3, 2, rolling(0), "1"), rolling(0));
    // the template is back, and two pods still run what was to come: one of them answers
    let mut before = stuck.before(&wish).expect("a record");
    before.kept = None;
    stuck
        .work
        .marks
        .insert(record::BEFORE.into(), before.write().into());
    stuck.pods[2].ready = false;
    assert_eq!(
        deleted(statefulset::back(&wish, &stuck, Steer::GoOn)),
        ["x-2"]
    );
    stuck.pods[2].leaving = true;
    let next = statefulset::back(&wish, &stuck, Steer::GoOn);
    assert!(matches!(next, Next::Wait(_)), "{next:?}");
}

#[test]
fn a_daemonset_is_replaced_node_by_node_at_its_own_pace() {
    let wish = wish(Kind::DaemonSet, "50%", Verb::Deploy);
    let on_delete = json!({"type": "OnDelete"});
    let own = json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%"}});
    let at = |new| begun(seen(8, new, on_delete.clone(), "2"), own.clone());
    assert_eq!(
        deleted(daemonset::forward(&wish, &at(0), Steer::GoOn)),
        ["x-0", "x-1"]
    );
    let mut coming = at(2);
    coming.pods[7].ready = false;
    assert_eq!(
        deleted(daemonset::forward(&wish, &coming, Steer::GoOn)),
        ["x-0"]
    );
    assert_eq!(daemonset::forward(&wish, &at(4), Steer::GoOn), Next::Done);
    let next = daemonset::forward(&wish, &at(2), Steer::Hold);
    assert!(matches!(next, Next::Wait(_)), "{next:?}");
}

#[test]
fn nodes_that_do_not_answer_are_named_and_not_waited_for() {
    let wish = wish(Kind::DaemonSet, "full", Verb::Deploy);
    let own = json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}});
    let mut all = begun(seen(4, 3, json!({"type": "OnDelete"}), "2"), own.clone());
    all.lost = vec!["node-0".into()];
    let back = change(daemonset::forward(&wish, &all, Steer::GoOn));
    assert_eq!(back.words, "the strategy as it was");
    all.pods[3].ready = false;
    let next = daemonset::forward(&wish, &all, Steer::GoOn);
    assert!(
        matches!(&next, Next::Wait(words) if words.contains("node-0")),
        "{next:?}"
    );
}

#[test]
fn a_lost_node_that_is_not_wanted_any_more_is_not_subtracted_twice() {
    let by_hand = json!({"type": "OnDelete"});
    let on = wish(Kind::DaemonSet, "full", Verb::Deploy);
    let mut some = begun(seen(4, 2, by_hand, "2"), json!({"type": "RollingUpdate"}));
    some.lost = vec!["node-0".into()];
    // the cluster wants three now, and has four
    some.work.wanted = 3;
    some.work.misplaced = 1;
    assert_eq!(
        deleted(daemonset::forward(&on, &some, Steer::GoOn)),
        ["x-1"],
        "the last old one on a node that answers"
    );
    // while it is replaced, no other one goes
    let mut going = some.clone();
    going.pods[1].leaving = true;
    let next = daemonset::forward(&on, &going, Steer::GoOn);
    assert!(matches!(next, Next::Wait(_)), "{next:?}");
    // the lost node's pod is on its way out, and nobody is there to end it
    let mut last = begun(
        seen(4, 3, json!({"type": "OnDelete"}), "2"),
        json!({"type": "RollingUpdate"}),
    );
    last.lost = vec!["node-0".into()];
    last.pods[0].leaving = true;
    let next = daemonset::forward(&on, &last, Steer::GoOn);
    assert!(!matches!(next, Next::Wait(_)), "{next:?}");
}
