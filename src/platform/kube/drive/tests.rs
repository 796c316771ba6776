//! The driver with a script instead of a cluster; what is sent goes nowhere.

use std::sync::Mutex;

use serde_json::json;

use super::super::cluster::resource;
use super::super::config::{ClusterConfig, Kind};
use super::super::journal::Journals;
use super::*;
use crate::domain::{ReleaseId, State};

/// What one reading after the other brings; the last one stays.
struct Script(Mutex<Vec<Result<Scene, CallError>>>);

#[derive(Clone)]
struct Scene {
    uid: &'static str,
    next: Next,
}

fn scene(next: Next) -> Result<Scene, CallError> {
    Ok(Scene { uid: "u", next })
}

impl Craft for Script {
    type Seen = Scene;

    async fn read(&self) -> Result<Scene, CallError> {
        let mut left = self.0.lock().expect("nobody has died");
        if left.len() > 1 {
            left.remove(0)
        } else {
            left[0].clone()
        }
    }

    fn uid(&self, seen: &Scene) -> Arc<str> {
        seen.uid.into()
    }

    fn mark(&self, _: &Scene) -> String {
        String::new()
    }

    fn next(&self, seen: &Scene, _: Steer) -> Next {
        seen.next.clone()
    }

    fn details(&self, seen: &Scene) -> String {
        format!("seen as {}", seen.uid)
    }
}

async fn drive(asked: bool, script: Vec<Result<Scene, CallError>>) -> Outcome {
    let nowhere = ClusterConfig {
        kubeconfig: Some("/nowhere/config".into()),
        ..ClusterConfig::default()
    };
    let (_state, known) = watch::channel(Arc::new(State::default()));
    let trip = Trip {
        cluster: Cluster::new(nowhere),
        ns: "shop".into(),
        helm: Helm::new(known, ReleaseId(1), false),
        journal: Journals::default().of(&"R-1.b1".into()),
        deadline: Span(1),
        wakes: Vec::new(),
        asked,
        back: false,
    };
    trip.drive(&Script(Mutex::new(script))).await
}

fn ended(why: Failure, output: &str) -> Outcome {
    failed(why, output.to_owned())
}

#[tokio::test]
async fn what_must_not_be_begun_has_changed_nothing_only_where_nothing_was_sent() {
    let never = || vec![scene(Next::Never("no".into()))];
    let fresh = drive(false, never()).await;
    assert_eq!(fresh, ended(Failure::NotStarted("no".into()), "seen as u"));
    let begun = drive(true, never()).await;
    assert_eq!(begun, ended(Failure::Refused("no".into()), "seen as u"));
    let failed = drive(false, vec![scene(Next::Failed("bad".into()))]).await;
    assert_eq!(failed, ended(Failure::Refused("bad".into()), "seen as u"));
}

#[tokio::test]
async fn who_waits_in_vain_is_told_for_what() {
    let outcome = drive(true, vec![scene(Next::Wait("1 of 2 pods".into()))]).await;
    let why = Failure::Refused("no progress in 1 ms: 1 of 2 pods".into());
    assert_eq!(outcome, ended(why, "seen as u"));
}

#[tokio::test]
async fn patience_has_no_end_and_is_no_progress() {
    let wait = || scene(Next::Patience("a person".into()));
    let outcome = drive(true, vec![wait(), wait(), scene(Next::Done)]).await;
    assert!(matches!(outcome, Outcome::Done { .. }), "{outcome:?}");
}

#[tokio::test]
async fn what_is_bad_for_a_moment_is_not_believed() {
    let bad = || scene(Next::Bad("a crash".into()));
    let outcome = drive(true, vec![bad(), bad(), scene(Next::Done)]).await;
    assert!(matches!(outcome, Outcome::Done { .. }), "{outcome:?}");
}

#[tokio::test]
async fn another_object_of_the_same_name_is_not_gone_on_with() {
    let anew = Ok(Scene {
        uid: "other",
        next: Next::Done,
    });
    let outcome = drive(true, vec![scene(Next::Patience("a person".into())), anew]).await;
    let words = "it was deleted and made anew by somebody else on the way";
    let why = Failure::Refused(words.into());
    assert_eq!(outcome, ended(why, "seen as other"));
}

#[tokio::test]
async fn a_change_that_did_not_get_out_is_decided_anew() {
    let body = json!({"spec": {"paused": true}});
    let change = Change::merge(resource(Kind::Rollout), "web", None, body);
    assert_eq!(change.words, r#"PATCH rollouts/web {"paused":true}"#);
    let outcome = drive(false, vec![scene(change.into()), scene(Next::Done)]).await;
    assert!(matches!(outcome, Outcome::Done { .. }), "{outcome:?}");
}

#[tokio::test]
async fn a_workload_that_is_not_there_is_said_at_once() {
    let gone = || Err(CallError::NotFound("there is no web".into()));
    let outcome = drive(false, vec![gone()]).await;
    let why = Failure::NotStarted("there is no web".into());
    let output = "waits for the cluster: there is no web\nthere is no web";
    assert_eq!(outcome, ended(why, output));
}
