//! What follows from the judge's verdicts is the plan's choice.

use holdpoint::domain::plan::JudgeRule;
use holdpoint::domain::{
    Ask, Call, Choice, Control, Decision, Judgement, MetricVerdict, Phase, ReleaseId, Span, What,
};
use serde_json::json;

use crate::room::{Room, plan};

/// In its first batch, under a rule.
fn judged_by(rule: serde_json::Value) -> (Room, ReleaseId) {
    let mut plan = plan();
    plan.judge = serde_json::from_value::<JudgeRule>(rule).unwrap();
    let mut room = Room::new();
    let id = room.submit("pipeline", plan).unwrap();
    room.vote("kim", id, Choice::Approve).unwrap();
    room.vote("bo", id, Choice::Approve).unwrap();
    room.control("ada", id, Control::Start).unwrap();
    room.work();
    let waits = room.waiting(id);
    assert!(waits.starts_with("bake: 5 m of 5 m left"), "{waits}");
    (room, id)
}

fn says(room: &mut Room, release: ReleaseId, decision: Decision) {
    tells(room, release, decision, false);
}

fn tells(room: &mut Room, release: ReleaseId, decision: Decision, shadow: bool) {
    room.engine(Ask::Looked {
        release,
        batch: 0,
        verdicts: Vec::new(),
        judgements: vec![Judgement {
            decision,
            reason: "evidence 340:1 on critical metrics".into(),
            blamed: vec!["errors".into()],
            inputs: "sha256:0".into(),
            shadow,
        }],
    });
    room.work();
}

fn phase(room: &Room, id: ReleaseId) -> Phase {
    room.state().live[&id].phase
}

fn paused(room: &Room, id: ReleaseId) -> Option<String> {
    let paused = room.state().live[&id].paused.as_ref();
    paused.map(|paused| paused.why.to_string())
}

fn weighed(room: &Room) -> usize {
    let events = room.draft.events.iter();
    events
        .filter(|e| matches!(e.what, What::Weighed { .. }))
        .count()
}

#[test]
fn proof_takes_it_back_unless_the_plan_says_otherwise() {
    let (mut room, id) = judged_by(json!({}));
    says(&mut room, id, Decision::RollBack);
    assert_eq!(room.waiting(id), "closed: rolled back");
    let why = room.state().closed[&id].why.to_string();
    assert_eq!(
        why,
        "the judge: evidence 340:1 on critical metrics (errors)"
    );

    let (mut room, id) = judged_by(json!({"rollback": "pause"}));
    says(&mut room, id, Decision::RollBack);
    assert_eq!(phase(&room, id), Phase::Rolling);
    assert!(paused(&room, id).unwrap().contains("340:1"));

    let (mut room, id) = judged_by(json!({"rollback": "inform"}));
    says(&mut room, id, Decision::RollBack);
    assert_eq!(
        (phase(&room, id), paused(&room, id)),
        (Phase::Rolling, None)
    );
    assert_eq!(weighed(&room), 1, "it is written down all the same");
}

#[test]
fn who_resumes_is_not_stopped_again_for_the_same() {
    let (mut room, id) = judged_by(json!({}));
    says(&mut room, id, Decision::Pause);
    assert!(paused(&room, id).is_some());
    room.control("ada", id, Control::Resume).unwrap();
    says(&mut room, id, Decision::Pause);
    assert_eq!(paused(&room, id), None);
    assert_eq!(weighed(&room), 1);
    says(&mut room, id, Decision::Continue);
    says(&mut room, id, Decision::Pause);
    assert!(paused(&room, id).is_some(), "it got worse again");
}

#[test]
fn what_is_in_shadow_is_written_down_and_acts_on_nothing() {
    let (mut room, id) = judged_by(json!({"promote": "go-on"}));
    for decision in [
        Decision::RollBack,
        Decision::Pause,
        Decision::Inconclusive,
        Decision::Promote,
    ] {
        tells(&mut room, id, decision, true);
        assert_eq!(
            (phase(&room, id), paused(&room, id)),
            (Phase::Rolling, None)
        );
        assert_eq!(room.waiting(id), "bake: 5 m of 5 m left");
    }
    assert_eq!(weighed(&room), 4);
    let verdict = |shadow| MetricVerdict {
        metric: "errors".into(),
        call: Call::Fail,
        streak: 9,
        words: "bad".into(),
        inputs: "".into(),
        shadow,
    };
    let look = |shadow| Ask::Looked {
        release: id,
        batch: 0,
        verdicts: vec![verdict(shadow)],
        judgements: Vec::new(),
    };
    room.engine(look(true));
    assert_eq!(phase(&room, id), Phase::Rolling);
    room.engine(look(false));
    assert_eq!(
        phase(&room, id),
        Phase::RollingBack,
        "the trigger on errors"
    );
}

#[test]
fn without_data_no_time_lets_it_pass() {
    let (mut room, id) = judged_by(json!({}));
    says(&mut room, id, Decision::Inconclusive);
    room.pass(Span::mins(6));
    let waits = room.waiting(id);
    assert!(waits.starts_with("bake: the judge cannot say"), "{waits}");
    says(&mut room, id, Decision::Continue);
    assert_eq!(room.waiting(id), "analysis: 3 looks in a row that pass");

    let (mut room, id) = judged_by(json!({"inconclusive": "pause"}));
    says(&mut room, id, Decision::Inconclusive);
    assert!(paused(&room, id).is_some());
    let (mut room, id) = judged_by(json!({"inconclusive": "inform"}));
    says(&mut room, id, Decision::Inconclusive);
    room.pass(Span::mins(6));
    assert_eq!(room.waiting(id), "analysis: 3 looks in a row that pass");
}

#[test]
fn proof_goes_on_early_only_where_the_plan_says_so() {
    let (mut room, id) = judged_by(json!({}));
    says(&mut room, id, Decision::Promote);
    assert_eq!(room.waiting(id), "bake: 5 m of 5 m left");

    let (mut room, id) = judged_by(json!({"promote": "go-on"}));
    says(&mut room, id, Decision::Promote);
    assert_eq!(
        room.waiting(id),
        "manual: go on to 50 %",
        "people are asked all the same"
    );
    assert_eq!(room.running("4.12.0"), 1);
}

#[test]
fn a_bake_without_proof_can_be_made_to_stand_still() {
    let (mut room, id) = judged_by(json!({"step_end": "pause"}));
    room.pass(Span::mins(6));
    assert!(paused(&room, id).unwrap().contains("without proof"));
    room.control("ada", id, Control::Resume).unwrap();
    room.work();
    assert_eq!(room.waiting(id), "analysis: 3 looks in a row that pass");

    let (mut room, id) = judged_by(json!({"step_end": "pause"}));
    says(&mut room, id, Decision::Promote);
    room.pass(Span::mins(6));
    assert_eq!(paused(&room, id), None);
    assert_eq!(room.waiting(id), "analysis: 3 looks in a row that pass");
}
