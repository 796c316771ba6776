//! Promoting all that is left of a release: what it skips, and what it never does.

use holdpoint::domain::event::What;
use holdpoint::domain::hold::HoldKind;
use holdpoint::domain::release::{Finding, Phase};
use holdpoint::domain::{Ask, Choice, Control, Refusal, ReleaseId, Span};

use crate::room::{Room, charter, plan};

fn all(why: &str) -> Control {
    Control::PromoteAll { why: why.into() }
}

/// Approved, started and at its first bake.
fn baking(mut room: Room) -> (Room, ReleaseId) {
    let id = room.submit("pipeline", plan()).unwrap();
    for who in ["kim", "bo"] {
        room.vote(who, id, Choice::Approve).unwrap();
    }
    room.control("ada", id, Control::Start).unwrap();
    room.work();
    let hold = room.state().live[&id].hold().unwrap();
    assert!(matches!(hold.kind, HoldKind::Bake { .. }), "{hold:?}");
    (room, id)
}

#[test]
fn it_skips_what_only_waits_and_nothing_else() {
    let (mut room, id) = baking(Room::new());
    assert_eq!(room.state().live[&id].skippable().count(), 3);
    room.control("ada", id, all("the fix must be out")).unwrap();
    room.work();
    // the bake, the analysis and the manual hold are behind it; the health check bars its way still
    let release = &room.state().live[&id];
    let hold = release.hold().unwrap();
    assert!(matches!(hold.kind, HoldKind::Health { .. }), "{hold:?}");
    assert_eq!(room.running("4.12.0"), 3);
    let by = "ada promoted all of it: the fix must be out";
    let cleared = room.draft.events.iter().filter_map(|e| match &e.what {
        What::HoldCleared { by, hold, .. } => Some((hold.to_string(), by.to_string(), &e.who)),
        _ => None,
    });
    let told: Vec<_> = cleared.filter(|(_, words, _)| words == by).collect();
    let names: Vec<&str> = told.iter().map(|(hold, ..)| hold.as_str()).collect();
    assert_eq!(names, ["b1.after.1", "b1.after.2", "b2.before.1"]);
    // nobody but ada pressed anything, and she pressed once
    assert!(
        told.iter().all(|(_, _, who)| who.person().is_none()),
        "{told:?}"
    );
    let pass = Finding {
        pass: true,
        rounds: 3,
        words: "200".into(),
    };
    let hold = hold.id.clone();
    for _ in 0..3 {
        room.engine(Ask::Found {
            release: id,
            hold: hold.clone(),
            finding: pass.clone(),
        });
    }
    room.work();
    let release = &room.state().live[&id];
    assert_eq!(release.phase, Phase::Observing, "{:?}", release.hold());
    assert_eq!(room.running("4.12.0"), 6);
    // and the observation period is not cut short
    room.pass(Span::mins(29));
    assert!(room.state().live.contains_key(&id));
}

#[test]
fn what_is_in_trouble_goes_nowhere() {
    let (mut room, id) = baking(Room::new());
    let (name, seen) = room
        .fleet
        .iter_mut()
        .find(|(_, (a, _))| &*a.version == "4.12.0")
        .unwrap();
    let name = name.clone();
    seen.1 = holdpoint::domain::Health::Down;
    room.see();
    room.control("ada", id, all("hurry")).unwrap();
    room.work();
    let hold = room.state().live[&id].hold().unwrap().clone();
    assert!(matches!(hold.kind, HoldKind::Bake { .. }), "{hold:?}");
    room.fleet.get_mut(&name).unwrap().1 = holdpoint::domain::Health::Running;
    room.work();
    let hold = room.state().live[&id].hold().unwrap().clone();
    assert!(matches!(hold.kind, HoldKind::Health { .. }), "{hold:?}");
}

#[test]
fn a_pause_stays_a_pause_and_the_way_back_stays_open() {
    let (mut room, id) = baking(Room::new());
    let why = "look".into();
    room.control("bo", id, Control::Pause { why }).unwrap();
    room.control("ada", id, all("the fix must be out")).unwrap();
    room.work();
    assert_eq!(room.running("4.12.0"), 1, "{}", room.waiting(id));
    room.control("ada", id, Control::Resume).unwrap();
    room.work();
    assert_eq!(room.running("4.12.0"), 3);
    let why = "worse".into();
    room.control("ada", id, Control::RollBack { why }).unwrap();
    room.work();
    assert_eq!(room.running("4.12.0"), 0);
    assert!(room.state().closed.contains_key(&id));
}

#[test]
fn it_wants_a_reason_a_right_and_something_to_promote() {
    let mut room = Room::new();
    let id = room.submit("pipeline", plan()).unwrap();
    let refused = room.control("ada", id, all("now")).unwrap_err();
    assert!(
        matches!(refused, Refusal::NothingToPromote(_)),
        "{refused:?}"
    );
    // nothing that only waits is left: what is skipped would be nothing
    let mut room = Room::new();
    let mut bare = plan();
    for batch in &mut bare.batches {
        batch.before.clear();
        batch.after.clear();
    }
    let id = room.submit("pipeline", bare).unwrap();
    for who in ["kim", "bo"] {
        room.vote(who, id, Choice::Approve).unwrap();
    }
    room.control("ada", id, Control::Start).unwrap();
    room.see();
    assert!(room.begin());
    let refused = room.control("ada", id, all("now")).unwrap_err();
    assert!(
        matches!(refused, Refusal::NothingToPromote(_)),
        "{refused:?}"
    );
    let (mut room, id) = baking(Room::new());
    assert_eq!(
        room.control("ada", id, all(" ")),
        Err(Refusal::PromotedForNothing)
    );
    let refused = room.control("kim", id, all("now")).unwrap_err();
    assert_eq!(refused.code(), "no-right");
    assert!(
        refused
            .notice()
            .headline
            .contains("kim may not promote all in"),
        "{refused:?}"
    );
    room.control("ada", id, all("now")).unwrap();
    let again = room.control("bo", id, all("now")).unwrap_err();
    assert_eq!(again, Refusal::PromotedAlready("ada".into()));
}

#[test]
fn of_shares_only_the_last_is_left() {
    let mut charter = charter();
    let target = charter.targets.get_mut(&"payments-eu".into()).unwrap();
    target.instances = vec!["payments".into()];
    target.by_share = true;
    let (mut room, id) = baking(Room::of(charter));
    room.control("ada", id, all("the fix must be out")).unwrap();
    // the second batch has nothing left to move; its health check is asked all the same
    assert!(!room.begin(), "{:?}", room.begun);
    room.see();
    let hold = room.state().live[&id].hold().unwrap().clone();
    assert!(matches!(hold.kind, HoldKind::Health { .. }), "{hold:?}");
    assert_eq!(room.state().live[&id].exposed(), Some(10));
    let finding = Finding {
        pass: true,
        rounds: 3,
        words: "200".into(),
    };
    room.engine(Ask::Found {
        release: id,
        hold: hold.id,
        finding,
    });
    assert!(room.begin());
    let shares: Vec<_> = room
        .begun
        .iter()
        .map(|e| e.exposure.map(|s| s.percent()))
        .collect();
    assert_eq!(shares, [Some(100)]);
    room.work();
    let replayed =
        room.draft
            .events
            .iter()
            .fold(holdpoint::domain::State::default(), |mut state, event| {
                holdpoint::domain::apply::apply(&mut state, event);
                state
            });
    assert_eq!(replayed, *room.state());
}
