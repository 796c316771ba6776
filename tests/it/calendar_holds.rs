//! What the calendar holds, and that nothing holds the way back.

use std::sync::Arc;

use holdpoint::domain::calendar::{
    self, Calendar, ConflictKind, Evaluator, ExemptionId, Freeze, LanesBy, LockdownId, Repeat,
    Running, Scope, Series, Window, Wish, conflicts, lanes, lints, next_slot,
};
use holdpoint::domain::plan::LocalTime;
use holdpoint::domain::spelled::Spelled;
use holdpoint::domain::{
    Ask, Control, Event, Phase, Plan, Refusal, ReleaseId, Span, Timestamp, What,
};

use crate::room::{Room, charter, plan};

fn local(at: Timestamp) -> LocalTime {
    let time = chrono::DateTime::from_timestamp_millis(at.0).unwrap();
    LocalTime(time.naive_utc())
}

fn once(start: Timestamp, lasts: Span) -> Series {
    Series {
        zone: "UTC".into(),
        starts: local(start),
        lasts,
        repeats: None,
        except: Vec::new(),
        also: Vec::new(),
    }
}

fn freeze(name: &str, when: Series, running: Running) -> Freeze {
    Freeze {
        name: name.into(),
        owner: "operations".into(),
        reason: "the books are closed".into(),
        scope: Scope::default(),
        kinds: Default::default(),
        when,
        running,
    }
}

fn window(name: &str, when: Series) -> Window {
    Window {
        name: name.into(),
        owner: "operations".into(),
        scope: Scope::default(),
        kinds: Default::default(),
        when,
        capacity: None,
        running: Running::FinishBatch,
    }
}

/// A plan that moves four instances in two batches and asks nobody in between.
fn quick() -> Plan {
    let mut plan = plan();
    for batch in &mut plan.batches {
        batch.before.clear();
        batch.after.clear();
    }
    plan.triggers.clear();
    plan
}

/// A room with this calendar, where operations may do everything and nobody has to approve.
fn room(calendar: Calendar) -> Room {
    let mut room = Room::new();
    adopt(&mut room, calendar);
    room.see();
    room
}

fn adopt(room: &mut Room, calendar: Calendar) {
    let mut rules = charter();
    rules.approvals.clear();
    rules.calendar = calendar;
    let group = rules.groups.get_mut(&"operations".into()).unwrap();
    group.may.extend([
        holdpoint::domain::charter::Right::Exempt,
        holdpoint::domain::charter::Right::Lockdown,
    ]);
    room.engine(Ask::Adopt(Arc::new(rules)));
}

fn started(room: &mut Room, plan: Plan) -> ReleaseId {
    let id = room.submit("ada", plan).unwrap();
    room.control("ada", id, Control::Start).unwrap();
    // what runs there has to be known before anything moves
    room.see();
    id
}

fn calendar(room: &mut Room, who: &str, ask: calendar::Ask) -> Result<(), Refusal> {
    room.person(who, Ask::Calendar(ask))
}

fn code(refused: Result<(), Refusal>) -> &'static str {
    refused.unwrap_err().code()
}

fn hours(n: u64) -> Span {
    Span::mins(60 * n)
}

#[test]
fn a_freeze_holds_what_has_not_begun_and_lets_it_go_when_it_is_over() {
    let mut room = room(Calendar::default());
    let start = room.now;
    let rules = Calendar {
        freezes: vec![freeze(
            "year-end",
            once(start, hours(5)),
            Running::FinishBatch,
        )],
        ..Calendar::default()
    };
    adopt(&mut room, rules);
    let id = started(&mut room, quick());
    room.work();
    assert_eq!(room.running("4.12.0"), 0);
    let said = room.waiting(id);
    assert!(
        said.starts_with("calendar: freeze year-end of operations"),
        "{said}"
    );
    assert!(said.ends_with("for 5 h more"), "{said}");
    let rules = Evaluator::of(room.state(), &room.state().live[&id], room.now);
    assert_eq!(rules.next(room.now).unwrap().from, start.plus(hours(5)));
    room.pass(hours(5));
    room.work();
    assert!(room.running("4.12.0") > 0, "{}", room.waiting(id));
}

#[test]
fn the_rule_of_a_freeze_says_what_becomes_of_a_rollout() {
    for running in [
        Running::Finish,
        Running::FinishBatch,
        Running::HoldOn,
        Running::RollBack,
    ] {
        let mut room = room(Calendar::default());
        let rules = Calendar {
            freezes: vec![freeze(
                "soon",
                once(room.now.plus(hours(1)), hours(3)),
                running,
            )],
            ..Calendar::default()
        };
        adopt(&mut room, rules);
        let mut plan = quick();
        plan.batches[0].exposure = Spelled::read("50%").unwrap();
        plan.batches.truncate(1);
        plan.batches.push(plan_full());
        let id = started(&mut room, plan);
        // the first calls run while the freeze begins
        assert!(room.begin());
        room.pass(hours(1));
        let first = room.begun.len();
        for effect in std::mem::take(&mut room.begun) {
            room.finish(effect);
        }
        room.work();
        let moved = room.running("4.12.0");
        let phase = room.state().live.get(&id).map(|r| r.phase);
        let said = room.waiting(id);
        match running {
            Running::Finish => assert_eq!(phase, Some(Phase::Observing), "{said}"),
            Running::FinishBatch => {
                assert!(moved >= first && phase == Some(Phase::Rolling), "{said}");
                assert!(said.starts_with("calendar: freeze soon"), "{said}");
            }
            Running::HoldOn => {
                assert_eq!((moved, phase), (first, Some(Phase::Rolling)), "{said}");
                assert!(said.starts_with("calendar: freeze soon"), "{said}");
            }
            Running::RollBack => {
                assert_eq!(moved, 0, "{said}");
                assert_eq!(said, "closed: rolled back");
            }
        }
        if phase == Some(Phase::Rolling) {
            room.pass(hours(3));
            room.work();
            let phase = room.state().live.get(&id).map(|r| r.phase);
            assert_eq!(phase, Some(Phase::Observing), "{}", room.waiting(id));
        }
    }
}

fn plan_full() -> holdpoint::domain::plan::BatchPlan {
    plan().batches.pop().unwrap()
}

#[test]
fn windows_let_in_and_the_plan_has_the_last_word_on_their_end() {
    let mut room = room(Calendar::default());
    let rules = Calendar {
        windows: vec![window("night", once(room.now.plus(hours(2)), hours(1)))],
        ..Calendar::default()
    };
    adopt(&mut room, rules);
    let mut plan = quick();
    plan.at_window_end = Some(Running::RollBack);
    let id = started(&mut room, plan);
    room.work();
    assert_eq!(room.running("4.12.0"), 0);
    let said = room.waiting(id);
    assert_eq!(
        said,
        "calendar: outside of window night of operations, opens in 2 h"
    );
    room.pass(hours(2));
    room.see();
    assert!(room.begin(), "{}", room.waiting(id));
    room.pass(hours(1));
    for effect in std::mem::take(&mut room.begun) {
        room.finish(effect);
    }
    room.work();
    assert_eq!(room.waiting(id), "closed: rolled back");
    assert_eq!(room.running("4.12.0"), 0);
}

#[test]
fn a_lockdown_stops_forward_at_once_and_never_the_way_back() {
    let mut room = room(Calendar::default());
    let id = started(&mut room, quick());
    assert!(room.begin());
    let order = |reason: &str| calendar::Ask::LockDown {
        scope: Scope::default(),
        reason: reason.into(),
    };
    assert_eq!(code(calendar(&mut room, "kim", order("no"))), "no-right");
    assert_eq!(
        code(calendar(&mut room, "ada", order(" "))),
        "missing-words"
    );
    calendar(&mut room, "ada", order("failover")).unwrap();
    for effect in std::mem::take(&mut room.begun) {
        room.finish(effect);
    }
    let moved = room.running("4.12.0");
    room.work();
    assert_eq!(room.running("4.12.0"), moved);
    let said = room.waiting(id);
    assert!(
        said.starts_with("lockdown: LOCKDOWN L-1 by ada: failover"),
        "{said}"
    );

    let lift = || calendar::Ask::Lift(LockdownId(1), "over".into());
    assert_eq!(code(calendar(&mut room, "ada", lift())), "own-lockdown");
    assert_eq!(code(calendar(&mut room, "kim", lift())), "no-right");
    let why = Arc::from("it is bad");
    room.control("ada", id, Control::RollBack { why }).unwrap();
    room.work();
    assert_eq!(room.waiting(id), "closed: rolled back");
    assert_eq!(room.running("4.12.0"), 0);

    let other = started(&mut room, quick());
    room.work();
    assert_eq!(room.running("4.12.0"), 0);
    calendar(&mut room, "bo", lift()).unwrap();
    room.work();
    assert!(room.running("4.12.0") > 0, "{}", room.waiting(other));
    assert_eq!(code(calendar(&mut room, "bo", lift())), "unknown-lockdown");
}

#[test]
fn exemptions_need_two_people_and_end_by_themselves() {
    let mut room = room(Calendar::default());
    let rules = Calendar {
        freezes: vec![freeze(
            "year-end",
            once(room.now, hours(48)),
            Running::HoldOn,
        )],
        ..Calendar::default()
    };
    adopt(&mut room, rules);
    let id = started(&mut room, quick());
    let wish = Wish {
        rule: "year-end".into(),
        scope: Scope::default(),
        release: Some(id),
        reason: "double charges".into(),
        ticket: "INC-1".into(),
        until: room.now.plus(hours(2)),
    };
    let ask = |change: fn(&mut Wish)| {
        let mut wish = wish.clone();
        change(&mut wish);
        calendar::Ask::Request(wish)
    };
    let refused = |room: &mut Room, change| code(calendar(room, "bo", ask(change)));
    assert_eq!(
        refused(&mut room, |w| w.rule = "yearend".into()),
        "unknown-rule"
    );
    assert_eq!(
        refused(&mut room, |w| w.ticket = "".into()),
        "missing-words"
    );
    assert_eq!(refused(&mut room, |w| w.until = Timestamp(0)), "bad-end");
    assert_eq!(
        refused(&mut room, |w| {
            w.scope.services.insert("nothing".into());
        }),
        "unknown-scope"
    );
    assert_eq!(code(calendar(&mut room, "guest", ask(|_| ()))), "no-right");
    calendar(&mut room, "bo", ask(|_| ())).unwrap();
    let approve = || calendar::Ask::Approve(ExemptionId(1));
    room.work();
    assert_eq!(room.running("4.12.0"), 0, "a request alone frees nothing");
    // bo asked, ada submitted the release, kim has no right
    assert_eq!(code(calendar(&mut room, "bo", approve())), "own-exemption");
    assert_eq!(code(calendar(&mut room, "ada", approve())), "own-exemption");
    assert_eq!(code(calendar(&mut room, "kim", approve())), "no-right");
    calendar(&mut room, "eva", approve()).unwrap();
    assert_eq!(
        code(calendar(&mut room, "eva", approve())),
        "already-approved"
    );
    assert!(room.begin(), "{}", room.waiting(id));
    // it ends while the rollout runs: the freeze counts again
    room.pass(hours(2));
    for effect in std::mem::take(&mut room.begun) {
        room.finish(effect);
    }
    let moved = room.running("4.12.0");
    room.work();
    assert_eq!(room.running("4.12.0"), moved);
    assert!(
        room.waiting(id).starts_with("calendar: freeze"),
        "{}",
        room.waiting(id)
    );
    assert_eq!(
        code(calendar(&mut room, "eva", approve())),
        "already-approved"
    );
    let revoke = calendar::Ask::Revoke(ExemptionId(1), "".into());
    assert_eq!(code(calendar(&mut room, "bo", revoke)), "exemption-over");
}

#[test]
fn changed_rules_count_at_once_and_every_event_reads_back() {
    let mut room = room(Calendar::default());
    let id = started(&mut room, quick());
    assert!(room.begin());
    let rules = Calendar {
        freezes: vec![freeze("now", once(room.now, hours(1)), Running::HoldOn)],
        ..Calendar::default()
    };
    adopt(&mut room, rules);
    for effect in std::mem::take(&mut room.begun) {
        room.finish(effect);
    }
    room.work();
    assert!(
        room.waiting(id).starts_with("calendar: freeze now"),
        "{}",
        room.waiting(id)
    );
    adopt(&mut room, Calendar::default());
    room.work();
    let phase = room.state().live.get(&id).map(|r| r.phase);
    assert_eq!(phase, Some(Phase::Observing), "{}", room.waiting(id));
    let mut replayed = holdpoint::domain::State::default();
    for event in &room.draft.events {
        let read = Event::from_bytes(&event.to_bytes()).unwrap();
        assert_eq!(read, *event);
        holdpoint::domain::apply::apply(&mut replayed, &read);
    }
    assert_eq!(replayed, room.draft.state);
    let told = |e: &&Event| matches!(e.what, What::Calendar(_));
    assert!(room.draft.events.iter().filter(told).count() >= 2);
}

#[test]
fn a_room_without_a_calendar_writes_nothing_about_it() {
    let mut room = room(Calendar::default());
    started(&mut room, quick());
    room.work();
    let told = room
        .draft
        .events
        .iter()
        .any(|e| matches!(e.what, What::Calendar(_)));
    assert!(!told);
}

#[test]
fn lints_name_windows_that_never_open_always_do_or_lie_in_a_freeze() {
    let now = Room::new().now;
    let mut rules = charter();
    let daily = |start: Timestamp, lasts: Span| Series {
        repeats: Some(Repeat::read("FREQ=DAILY").unwrap()),
        ..once(start, lasts)
    };
    rules.calendar.windows = vec![
        window("past", once(now.minus(hours(99)), hours(1))),
        window("always", daily(now.minus(hours(99)), hours(24))),
        window("frozen", once(now.plus(hours(5)), hours(1))),
        window("good", daily(now, hours(3))),
    ];
    rules.calendar.freezes = vec![freeze("big", once(now, hours(10)), Running::HoldOn)];
    let found = lints(&rules, now);
    let found: Vec<(&str, &str)> = found.iter().map(|l| (&*l.name, l.code)).collect();
    assert_eq!(
        found,
        [
            ("past", "never-opens"),
            ("always", "always-open"),
            ("frozen", "blocked-window")
        ]
    );
}

#[test]
fn conflicts_and_lanes_name_what_is_planned() {
    let mut room = room(Calendar::default());
    let mut night = window("night", once(room.now.plus(hours(2)), hours(4)));
    night.capacity = Some(1);
    let rules = Calendar {
        windows: vec![night],
        ..Calendar::default()
    };
    adopt(&mut room, rules);
    let one = started(&mut room, quick());
    let mut other = quick();
    other.name = None;
    let other = started(&mut room, other);
    room.work();
    let found = conflicts(room.state(), room.now);
    let kinds: Vec<ConflictKind> = found.iter().map(|c| c.kind).collect();
    assert!(kinds.contains(&ConflictKind::Service), "{found:?}");
    assert!(kinds.contains(&ConflictKind::Capacity), "{found:?}");
    assert!(kinds.contains(&ConflictKind::Person), "{found:?}");
    let words = &found
        .iter()
        .find(|c| c.kind == ConflictKind::Service)
        .unwrap()
        .words;
    assert_eq!(*words, "R-1 and R-2 both change payments in prod-eu");
    let shown = lanes(
        room.state(),
        LanesBy::Environment,
        room.now,
        room.now.plus(hours(24)),
    );
    let lane = shown.iter().find(|l| &*l.name == "prod-eu").unwrap();
    let names: Vec<&str> = lane.items.iter().map(|i| &*i.name).collect();
    assert_eq!(names, ["night", "R-1", "R-2"]);
    let release = &room.state().live[&other];
    let slot = next_slot(room.state(), release, room.now).unwrap();
    assert!(
        slot.from > room.now.plus(hours(2)),
        "{one} is planned before it"
    );
}
