//! A release walks from plan to closed: the domain alone, with time wound by hand.

use std::sync::Arc;

use holdpoint::domain::approval::{Barred, Denied};
use holdpoint::domain::release::Finding;
use holdpoint::domain::{
    Ask, Call, Choice, Control, Event, Health, HoldId, MetricVerdict, Phase, Refusal, ReleaseId,
    Span, State,
};

use crate::room::{Room, plan};

fn verdict(call: Call, streak: u32) -> MetricVerdict {
    MetricVerdict {
        metric: "errors".into(),
        call,
        streak,
        words: "new 0.1 %, old 0.1 %".into(),
        inputs: "".into(),
        shadow: false,
    }
}

fn look(room: &mut Room, release: ReleaseId, batch: usize, call: Call, streak: u32) {
    room.engine(Ask::Looked {
        release,
        batch,
        verdicts: vec![verdict(call, streak)],
        judgements: Vec::new(),
    });
}

fn found(room: &mut Room, release: ReleaseId, hold: &str, pass: bool, rounds: u32) {
    room.engine(Ask::Found {
        release,
        hold: HoldId::from(hold),
        finding: Finding {
            pass,
            rounds,
            words: "all checks".into(),
        },
    });
}

/// Approved, started and in its first batch, with one of six instances moved.
fn in_first_batch() -> (Room, ReleaseId) {
    let mut room = Room::new();
    let id = room.submit("pipeline", plan()).unwrap();
    room.vote("kim", id, Choice::Approve).unwrap();
    room.vote("bo", id, Choice::Approve).unwrap();
    room.control("ada", id, Control::Start).unwrap();
    room.work();
    assert_eq!(room.running("4.12.0"), 1, "{}", room.waiting(id));
    (room, id)
}

#[test]
fn from_plan_to_closed() {
    let mut room = Room::new();
    let id = room.submit("pipeline", plan()).unwrap();
    assert!(matches!(
        room.control("ada", id, Control::Start),
        Err(Refusal::NotApproved(_))
    ));
    room.vote("kim", id, Choice::Approve).unwrap();
    room.vote("bo", id, Choice::Approve).unwrap();
    assert_eq!(room.waiting(id), "start: start Payments 4.12.0");
    room.pass(Span::mins(1));
    room.control("ada", id, Control::Start).unwrap();
    room.work();
    assert_eq!(room.waiting(id), "bake: 5 m of 5 m left");
    room.pass(Span::mins(5));
    assert_eq!(room.waiting(id), "analysis: 3 looks in a row that pass");
    look(&mut room, id, 0, Call::Pass, 2);
    assert_eq!(room.running("4.12.0"), 1);
    look(&mut room, id, 0, Call::Pass, 3);
    assert_eq!(room.waiting(id), "manual: go on to 50 %");
    room.control("bo", id, Control::Promote { seen: None })
        .unwrap();
    room.work();
    assert_eq!(room.running("4.12.0"), 3);
    found(&mut room, id, "b2.after.1", true, 1);
    room.work();
    assert_eq!(room.running("4.12.0"), 3, "one round of two is not enough");
    found(&mut room, id, "b2.after.1", true, 2);
    room.work();
    assert_eq!(room.running("4.12.0"), 6);
    assert_eq!(room.state().live.get(&id).unwrap().phase, Phase::Observing);
    room.pass(Span::mins(30));
    assert_eq!(room.waiting(id), "closed: succeeded");
    // folding the bytes again gives the same state
    let mut again = State::default();
    for event in &room.draft.events {
        let bytes = event.to_bytes();
        holdpoint::domain::apply::apply(&mut again, &Event::from_bytes(&bytes).unwrap());
    }
    assert_eq!(again, *room.state());
    let snapshot = serde_json::to_vec(&again).unwrap();
    assert_eq!(serde_json::from_slice::<State>(&snapshot).unwrap(), again);
}

#[test]
fn votes_are_counted_by_people_and_groups() {
    let mut room = Room::new();
    let id = room.submit("ada", plan()).unwrap();
    assert!(matches!(
        room.vote("ada", id, Choice::Approve),
        Err(Refusal::Approval(Denied::OwnWork(_, Barred::Submitter)))
    ));
    assert!(matches!(
        room.vote("guest", id, Choice::Approve),
        Err(Refusal::NotAsked { .. })
    ));
    assert!(matches!(
        room.vote("mallory", id, Choice::Approve),
        Err(Refusal::NoIdentity)
    ));
    // eva is in both groups and counts once
    room.vote("eva", id, Choice::Approve).unwrap();
    assert!(
        room.waiting(id).starts_with("approval: 1 vote of"),
        "{}",
        room.waiting(id)
    );
    // with bo, who is only in operations, eva counts for security
    room.vote("bo", id, Choice::Approve).unwrap();
    assert!(
        room.waiting(id).starts_with("start:"),
        "{}",
        room.waiting(id)
    );
}

#[test]
fn an_objection_blocks_until_it_is_taken_back_and_a_rejection_closes() {
    let mut room = Room::new();
    let id = room.submit("pipeline", plan()).unwrap();
    room.vote("kim", id, Choice::Approve).unwrap();
    room.vote("bo", id, Choice::Object).unwrap();
    room.vote("ada", id, Choice::Approve).unwrap();
    assert_eq!(room.waiting(id), "approval: bo objects");
    room.vote("bo", id, Choice::Abstain).unwrap();
    assert!(room.waiting(id).starts_with("start:"));
    room.vote("kim", id, Choice::Reject).unwrap();
    assert_eq!(room.waiting(id), "closed: rejected");
    assert!(matches!(
        room.control("ada", id, Control::Start),
        Err(Refusal::Closed(..))
    ));
}

#[test]
fn a_vote_binds_to_the_plan_that_was_seen() {
    let mut room = Room::new();
    let id = room.submit("pipeline", plan()).unwrap();
    let vote = |digest: &str| Ask::Vote {
        release: id,
        choice: Choice::Approve,
        comment: "".into(),
        digest: Some(digest.into()),
    };
    assert!(matches!(
        room.person("kim", vote("sha256:00000000")),
        Err(Refusal::OtherPlan { .. })
    ));
    let digest = room.state().live.get(&id).unwrap().digest.clone();
    room.person("kim", vote(&digest)).unwrap();
    // too short to mean anything
    assert!(matches!(
        room.person("bo", vote("sha256:0")),
        Err(Refusal::OtherPlan { .. })
    ));
}

#[test]
fn a_trigger_rolls_back_without_a_keystroke_even_while_paused() {
    let (mut room, id) = in_first_batch();
    room.control("ada", id, Control::Pause { why: "wait".into() })
        .unwrap();
    look(&mut room, id, 0, Call::Fail, 1);
    assert_eq!(room.state().live.get(&id).unwrap().phase, Phase::Rolling);
    look(&mut room, id, 0, Call::Fail, 2);
    room.work();
    assert_eq!(room.running("4.12.0"), 0);
    assert_eq!(room.waiting(id), "closed: rolled back");
}

#[test]
fn nothing_passes_on_numbers_that_are_not_there() {
    let (mut room, id) = in_first_batch();
    room.pass(Span::mins(5));
    look(&mut room, id, 0, Call::NoData, 99);
    look(&mut room, id, 0, Call::Undecided, 99);
    // numbers of another batch count for nothing
    look(&mut room, id, 1, Call::Pass, 99);
    assert!(
        room.waiting(id).starts_with("analysis:"),
        "{}",
        room.waiting(id)
    );
    room.pass(Span::mins(60));
    assert!(
        room.waiting(id).starts_with("analysis:"),
        "{}",
        room.waiting(id)
    );
}

#[test]
fn an_instance_that_does_not_answer_stops_everything_forward() {
    let (mut room, id) = in_first_batch();
    let key = ("payments-eu".into(), "i-1".into());
    room.fleet.get_mut(&key).unwrap().1 = Health::Unknown;
    room.see();
    room.pass(Span::secs(29));
    assert_eq!(room.waiting(id), "bake: payments-eu i-1 does not answer");
    room.pass(Span::secs(1));
    room.work();
    assert_eq!(room.waiting(id), "closed: rolled back");
}

#[test]
fn a_failed_call_holds_until_somebody_retries() {
    let mut room = Room::new();
    let id = room.submit("pipeline", plan()).unwrap();
    room.vote("kim", id, Choice::Approve).unwrap();
    room.vote("bo", id, Choice::Approve).unwrap();
    room.fails.push("i-1".into());
    room.control("ada", id, Control::Start).unwrap();
    room.work();
    assert_eq!(room.waiting(id), "failed: i-1 deploy: exit 1");
    let first: Vec<String> = begun(&room);
    room.control("ada", id, Control::Retry { instance: None })
        .unwrap();
    room.work();
    assert!(room.waiting(id).starts_with("bake:"));
    let all = begun(&room);
    assert_eq!(all.len(), first.len() + 1);
    assert_ne!(all[0], all[1], "a retry is a new effect");
}

fn begun(room: &Room) -> Vec<String> {
    room.draft
        .events
        .iter()
        .filter_map(|e| match &e.what {
            holdpoint::domain::What::EffectBegun { effect } => Some(effect.id.to_string()),
            _ => None,
        })
        .collect()
}

#[test]
fn pause_starts_nothing_new_and_rollback_needs_no_hold() {
    let mut room = Room::new();
    let id = room.submit("pipeline", plan()).unwrap();
    room.vote("kim", id, Choice::Approve).unwrap();
    room.vote("bo", id, Choice::Approve).unwrap();
    room.control("ada", id, Control::Start).unwrap();
    room.see();
    assert!(room.begin());
    room.control("bo", id, Control::Pause { why: "".into() })
        .unwrap();
    let running = std::mem::take(&mut room.begun);
    room.control(
        "bo",
        id,
        Control::RollBack {
            why: "looks wrong".into(),
        },
    )
    .unwrap();
    assert!(
        !room.begin(),
        "the forward call on that instance has not ended"
    );
    for effect in running {
        room.finish(effect);
    }
    room.work();
    assert_eq!(room.waiting(id), "closed: rolled back");
    assert_eq!(room.running("4.11.3"), 6);
}

#[test]
fn two_promotions_move_one_batch() {
    let (mut room, id) = in_first_batch();
    room.pass(Span::mins(5));
    look(&mut room, id, 0, Call::Pass, 3);
    let seen = room
        .state()
        .live
        .get(&id)
        .unwrap()
        .hold()
        .unwrap()
        .id
        .clone();
    let promote = || Control::Promote {
        seen: Some(seen.clone()),
    };
    room.control("ada", id, promote()).unwrap();
    assert!(matches!(
        room.control("bo", id, promote()),
        Err(Refusal::MovedOn { .. })
    ));
}

#[test]
fn deadlines_warn_and_then_do_what_was_declared() {
    let mut room = Room::new();
    let id = room.submit("pipeline", plan()).unwrap();
    room.pass(Span::mins(119));
    let warned = room
        .draft
        .events
        .iter()
        .any(|e| matches!(e.what, holdpoint::domain::What::HoldWarned { .. }));
    assert!(warned, "nobody was warned");
    assert!(room.state().live.contains_key(&id));
    room.pass(Span::mins(1));
    assert_eq!(room.waiting(id), "closed: expired");
}

#[test]
fn two_releases_on_one_target_wait_for_each_other() {
    let (mut room, first) = in_first_batch();
    let mut other = plan();
    other.name = None;
    let second = room.submit("pipeline", other).unwrap();
    room.vote("kim", second, Choice::Approve).unwrap();
    room.vote("bo", second, Choice::Approve).unwrap();
    room.control("ada", second, Control::Start).unwrap();
    room.work();
    assert_eq!(
        room.waiting(second),
        format!("conflict: payments-eu is moving in {first}")
    );
    room.control("ada", first, Control::RollBack { why: "".into() })
        .unwrap();
    room.work();
    assert_eq!(room.waiting(first), "closed: rolled back");
    assert!(
        room.waiting(second).starts_with("bake:"),
        "{}",
        room.waiting(second)
    );
}

#[test]
fn a_name_is_taken_once_and_only_by_open_releases() {
    let mut room = Room::new();
    let id = room.submit("pipeline", plan()).unwrap();
    assert!(matches!(
        room.submit("ada", plan()),
        Err(Refusal::NameTaken(..))
    ));
    room.control("pipeline", id, Control::Cancel { why: "".into() })
        .unwrap();
    assert_eq!(room.waiting(id), "closed: withdrawn");
    room.submit("ada", plan()).unwrap();
}

#[test]
fn nobody_may_do_what_their_groups_do_not_give() {
    let (mut room, id) = in_first_batch();
    let pause = || Control::Pause { why: Arc::from("") };
    assert!(matches!(
        room.control("kim", id, pause()),
        Err(Refusal::NoRight { .. })
    ));
    assert!(matches!(
        room.control("guest", id, pause()),
        Err(Refusal::NoRight { .. })
    ));
    assert!(matches!(
        room.submit("kim", plan()),
        Err(Refusal::NoRight { .. })
    ));
    assert!(matches!(
        room.person("ada", Ask::Wake),
        Err(Refusal::EngineOnly)
    ));
    room.control("bo", id, pause()).unwrap();
}
