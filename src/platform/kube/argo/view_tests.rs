//! What of a Rollout is shown, seen from its JSON.

use serde_json::{Value, json};

use super::super::config::{Kind, KubeConfig};
use super::decide_tests::{OLD, rollout, set, view, view_of};
use super::picture::picture;
use super::view::View;
use crate::domain::workload::{StageAt, Workload};
use crate::domain::{Health, Sight, Span};

fn config() -> KubeConfig {
    KubeConfig {
        cluster: "scratch".into(),
        namespace: "shop".into(),
        kind: Kind::Rollout,
        name: "cart".into(),
        container: None,
        image: "shop/cart".into(),
        deadline: Span::mins(10),
        switch: None,
    }
}

fn shown(view: &View) -> (Sight, Workload) {
    let picture = picture(view, &config());
    let workload = picture.workload.unwrap();
    (picture.sights[0].clone(), (*workload).clone())
}

#[test]
fn a_pause_step_is_divided_and_runs() {
    let mut it = rollout();
    it["status"]["canary"] =
        json!({"weights": {"canary": {"weight": 10}, "stable": {"weight": 90}}});
    let (sight, workload) = shown(&view(&it));
    assert_eq!(sight.health, Health::Running);
    assert_eq!(&*sight.artifact.unwrap().version, "1");
    assert_eq!(&*sight.arriving.unwrap().version, "2");
    assert_eq!(workload.weight, Some(10));
    assert_eq!((workload.new.available, workload.old.available), (1, 9));
    assert_eq!(workload.bound, Some(1));
    assert_eq!(workload.old_hash.as_deref(), Some("6f4"));
    let stages: Vec<_> = workload.stages.iter().map(|s| (&*s.name, s.at)).collect();
    let (done, here, later) = (StageAt::Done, StageAt::Here, StageAt::ToCome);
    assert_eq!(
        stages,
        [
            ("10 %", done),
            ("pause", here),
            ("50 %", later),
            ("pause 10m", later)
        ]
    );
    assert_eq!(&*workload.says, "Paused: CanaryPauseStep");
}

#[test]
fn a_pause_with_pods_missing_is_still_changing() {
    let sets = [set("6f4", OLD, 9, 9), set("9ab", "shop/cart:2", 1, 0)];
    assert_eq!(
        shown(&view_of(&rollout(), &sets, &[], None)).0.health,
        Health::Changing
    );
}

#[test]
fn a_template_that_its_controller_has_not_seen_is_on_its_way() {
    let mut it = rollout();
    it["metadata"]["generation"] = 22.into();
    // the status is that of the version before: everything stable
    it["status"] = json!({"observedGeneration": "21", "phase": "Healthy", "stableRS": "6f4", "currentPodHash": "6f4"});
    let (sight, workload) = shown(&view(&it));
    assert_eq!(sight.health, Health::Changing);
    assert_eq!(&*sight.artifact.unwrap().version, "1");
    assert_eq!(&*sight.arriving.unwrap().version, "2");
    assert!(
        workload.says.starts_with("not seen by its controller yet"),
        "{}",
        workload.says
    );
}

#[test]
fn what_was_promoted_a_moment_ago_is_said_to_leave_its_pause() {
    let mut it = rollout();
    it["status"]["pauseConditions"] = Value::Null;
    assert_eq!(&*view(&it).words(), "promoted, on its way out of the pause");
}

#[test]
fn an_aborted_one_is_down_with_its_reason() {
    let mut it = rollout();
    it["status"]["phase"] = "Degraded".into();
    it["status"]["abort"] = true.into();
    it["status"]["message"] = "RolloutAborted: by\u{1b}[31m analysis".into();
    let (sight, workload) = shown(&view(&it));
    assert_eq!(sight.health, Health::Down);
    assert!(
        sight.detail.contains("RolloutAborted: by\u{fffd}[31m"),
        "{}",
        sight.detail
    );
    assert_eq!(workload.stuck[0].reason, "blocked");
}

#[test]
fn pods_of_another_rollout_with_the_same_labels_do_not_count() {
    let mut other = set("9ab", "shop/cart:2", 5, 5);
    other["metadata"]["ownerReferences"][0]["uid"] = "u2".into();
    let view = view_of(&rollout(), &[set("6f4", OLD, 9, 9), other], &[], None);
    assert_eq!(view.sets.len(), 1);
}

#[test]
fn what_argo_adds_to_pods_for_a_while_is_no_part_of_a_template() {
    let mut old = set("6f4", OLD, 9, 9);
    old["metadata"]["annotations"]["rollout.argoproj.io/ephemeral-metadata"] =
        json!({"labels": {"role": "stable"}}).to_string().into();
    old["spec"]["template"]["metadata"]["labels"]["role"] = "stable".into();
    let view = view_of(&rollout(), &[old], &[], None);
    assert_eq!(
        view.sets[0].template["metadata"]["labels"],
        json!({"app": "cart"})
    );
}
