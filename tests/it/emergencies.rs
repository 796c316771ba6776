//! What ends by itself: time boxes, votes, authority; with time wound by hand.

use holdpoint::domain::approval::Told;
use holdpoint::domain::authority::{self, Ask as Authority, Gift, Scope};
use holdpoint::domain::charter::Right;
use holdpoint::domain::release::Ending;
use holdpoint::domain::{
    Ask, Choice, Control, Event, Phase, Plan, Refusal, ReleaseId, Span, State, What, apply, waiting,
};
use serde_json::json;

use crate::room::{Room, charter, plan};

fn emergency(lasts: &str, more: serde_json::Value) -> Plan {
    let mut value = serde_json::to_value(plan()).unwrap();
    let fields = value.as_object_mut().unwrap();
    fields.insert("kind".into(), json!("emergency"));
    let grounds = json!({"incident": "INC-90", "reason": "checkout fails", "lasts": lasts});
    fields.insert("emergency".into(), grounds);
    fields.insert("batches".into(), json!([{"exposure": "full"}]));
    fields.extend(more.as_object().cloned().unwrap_or_default());
    serde_json::from_value(value).unwrap()
}

/// An emergency whose calls are done.
fn moved(lasts: &str, more: serde_json::Value) -> (Room, ReleaseId) {
    let mut room = Room::new();
    let id = room.submit("pipeline", emergency(lasts, more)).unwrap();
    room.vote("kim", id, Choice::Approve).unwrap();
    room.vote("bo", id, Choice::Approve).unwrap();
    room.see();
    room.control("ada", id, Control::Start).unwrap();
    assert_eq!(room.state().pirs.get(&id).unwrap().owner.as_str(), "ada");
    room.work();
    (room, id)
}

fn ending(room: &Room, id: ReleaseId) -> Option<(Ending, String)> {
    let closed = room.state().closed.get(&id)?;
    Some((closed.ending, closed.why.to_string()))
}

fn warned(room: &Room) -> usize {
    let told = |e: &&Event| matches!(e.what, What::Approval(Told::BoxEndsSoon { .. }));
    room.draft.events.iter().filter(told).count()
}

#[test]
fn what_is_not_finished_in_its_box_goes_back_also_when_it_is_paused() {
    let half = json!([{"exposure": "50%"}, {"exposure": "full", "before": [{"manual": {}}]}]);
    for pause in [false, true] {
        let (mut room, id) = moved("2h", json!({"batches": half}));
        assert_eq!(room.running("4.12.0"), 3);
        if pause {
            room.control("ada", id, Control::Pause { why: "".into() })
                .unwrap();
        }
        room.pass(Span::mins(95));
        assert_eq!(warned(&room), 0);
        let release = room.state().live.get(&id).unwrap().clone();
        let ahead = waiting::ahead(room.state(), &release, room.now);
        assert!(
            ahead.iter().any(|(words, _)| words.contains("time box")),
            "{ahead:?}"
        );
        room.pass(Span::mins(1));
        assert_eq!(warned(&room), 1, "told 24 minutes before");
        room.pass(Span::mins(23));
        assert_eq!(room.state().live.get(&id).unwrap().phase, Phase::Rolling);
        room.pass(Span::mins(1));
        assert_eq!(
            room.state().live.get(&id).unwrap().phase,
            Phase::RollingBack
        );
        room.work();
        assert_eq!(room.running("4.12.0"), 0);
        let why = "its time box of 2 h is over".to_owned();
        assert_eq!(ending(&room, id), Some((Ending::RolledBack, why)));
        assert_eq!(warned(&room), 1);
    }
}

#[test]
fn what_has_proven_itself_in_its_box_stays_even_if_the_engine_slept() {
    let (mut room, id) = moved("31m", json!({}));
    assert_eq!(room.state().live.get(&id).unwrap().phase, Phase::Observing);
    // nobody wakes the engine until long after both ends
    room.now = room.now.plus(Span::mins(300));
    room.engine(Ask::Wake);
    assert_eq!(ending(&room, id).unwrap().0, Ending::Succeeded);
    assert_eq!(room.running("4.12.0"), 6);
    assert!(room.state().pirs.get(&id).unwrap().closed.is_none());
}

#[test]
fn what_was_not_proven_in_its_box_goes_back_whenever_the_engine_wakes() {
    let (mut room, id) = moved("31m", json!({"observe": {"for": "30m", "handover": true}}));
    room.now = room.now.plus(Span::mins(300));
    room.engine(Ask::Wake);
    assert_eq!(
        room.state().live.get(&id).unwrap().phase,
        Phase::RollingBack
    );
    room.work();
    assert_eq!(ending(&room, id).unwrap().0, Ending::RolledBack);
}

#[test]
fn an_emergency_that_nobody_starts_expires_with_its_box() {
    let mut room = Room::new();
    let id = room
        .submit("pipeline", emergency("90m", json!({})))
        .unwrap();
    room.vote("kim", id, Choice::Approve).unwrap();
    room.vote("bo", id, Choice::Approve).unwrap();
    room.pass(Span::mins(91));
    assert_eq!(ending(&room, id).unwrap().0, Ending::Expired);
    assert!(
        room.state().pirs.is_empty(),
        "nothing was done that could be reviewed"
    );
}

#[test]
fn only_a_failed_rollout_counts_as_a_change_failure() {
    let all = [
        Ending::Succeeded,
        Ending::RolledBack,
        Ending::Rejected,
        Ending::Expired,
        Ending::Cancelled,
        Ending::Superseded,
        Ending::Withdrawn,
    ];
    let failures: Vec<Ending> = all.into_iter().filter(|e| e.is_change_failure()).collect();
    assert_eq!(failures, [Ending::RolledBack]);
}

/// A room whose duty officer may give authority and overrule.
fn with_duty() -> Room {
    let mut charter = charter();
    let mut duty = charter.people[&"guest".into()].clone();
    duty.groups = ["duty".into()].into();
    charter.people.insert("dana".into(), duty);
    let mut group = charter.groups[&"security".into()].clone();
    group.may = [Right::Grant, Right::Overrule].into();
    charter.groups.insert("duty".into(), group);
    let mut room = Room::new();
    room.engine(Ask::Adopt(charter.into()));
    room
}

#[test]
fn authority_holds_until_its_end_and_not_a_millisecond_longer() {
    let mut room = with_duty();
    let id = room.submit("pipeline", plan()).unwrap();
    let lasts = Span::mins(60);
    let grant = |scope| {
        Ask::Authority(Authority::Grant {
            to: "guest".into(),
            gift: Gift::Right(Right::Control),
            scope,
            lasts,
            why: "ill".into(),
        })
    };
    room.person("dana", grant(Scope::Service("payments".into())))
        .unwrap();
    let pause = |room: &mut Room| room.control("guest", id, Control::Pause { why: "".into() });
    let end = room.now.plus(lasts);
    room.now = end.minus(Span(1));
    pause(&mut room).unwrap();
    room.control("guest", id, Control::Resume).unwrap();
    room.now = end;
    assert!(matches!(pause(&mut room), Err(Refusal::NoRight { .. })));
    // the release alone is a scope as well, and no other release is in it
    room.person("dana", grant(Scope::Release(ReleaseId(id.0 + 1))))
        .unwrap_err();
    room.person("dana", grant(Scope::Release(id))).unwrap();
    pause(&mut room).unwrap();
    let mut other = plan();
    other.name = Some("other".into());
    let other = room.submit("pipeline", other).unwrap();
    let refused = room.control("guest", other, Control::Pause { why: "".into() });
    assert!(matches!(refused, Err(Refusal::NoRight { .. })));
    let numbers: Vec<u64> = room.state().grants.keys().map(|id| id.0).collect();
    assert_eq!(numbers, [1, 2]);
    assert_eq!(authority::LONGEST, Span::mins(7 * 24 * 60));
}

#[test]
fn what_happened_folds_to_the_same_state_from_its_bytes() {
    let mut room = with_duty();
    let id = room.submit("pipeline", emergency("2h", json!({}))).unwrap();
    let withdraw = Ask::Approval(holdpoint::domain::approval::Ask::Withdraw { release: id });
    room.vote("eva", id, Choice::Object).unwrap();
    let overrule = holdpoint::domain::approval::Ask::Overrule {
        release: id,
        whose: "eva".into(),
        why: "tested".into(),
    };
    room.person("dana", Ask::Approval(overrule)).unwrap();
    room.vote("kim", id, Choice::Approve).unwrap();
    room.vote("bo", id, Choice::Approve).unwrap();
    room.person("bo", withdraw).unwrap();
    let changed = holdpoint::domain::approval::Ask::Update {
        release: id,
        plan: emergency("3h", json!({})).into(),
    };
    room.person("ada", Ask::Approval(changed)).unwrap();
    room.vote("kim", id, Choice::Approve).unwrap();
    room.vote("bo", id, Choice::Approve).unwrap();
    room.see();
    room.control("ada", id, Control::Start).unwrap();
    room.work();
    room.pass(Span::mins(31));
    assert_eq!(ending(&room, id).unwrap().0, Ending::Succeeded);
    let close = holdpoint::domain::pir::Ask::Close {
        release: id,
        findings: "a lock was missing".into(),
    };
    room.person("ada", Ask::Pir(close)).unwrap();
    let mut again = State::default();
    for event in &room.draft.events {
        apply::apply(&mut again, &Event::from_bytes(&event.to_bytes()).unwrap());
    }
    assert_eq!(again, *room.state());
    let snapshot = serde_json::to_vec(&again).unwrap();
    assert_eq!(serde_json::from_slice::<State>(&snapshot).unwrap(), again);
}
