//! The shop under rules: risk, a checklist, a freeze, limits, a lockdown, plans that change.

use std::sync::Arc;

use holdpoint::domain::calendar::{self, Freeze, Running, Scope, Series};
use holdpoint::domain::charter::Right;
use holdpoint::domain::limits::Limit;
use holdpoint::domain::plan::LocalTime;
use holdpoint::domain::readiness::{self, Accepts, Clearing, Evidence, FromPlan, Rule};
use holdpoint::domain::spelled::Spelled;
use holdpoint::domain::{Ask, Choice, Control, ReleaseId, Span, approval};
use holdpoint::tui::{Caps, Depth};
use serde_json::{Value, json};

use super::seat::Seat;
use super::shop;
use super::shots::{NARROW, WIDE, both, shot};
use crate::room::Room;

fn rule(check: &str, expires: Option<Span>, clearing: Clearing) -> Rule {
    Rule {
        check: check.into(),
        environments: Default::default(),
        kinds: Default::default(),
        clearing,
        expires,
    }
}

fn handed(accepts: Accepts, groups: &[&str]) -> Clearing {
    Clearing::Evidence {
        accepts: [accepts].into(),
        groups: groups.iter().map(|g| (*g).into()).collect(),
        not_submitter: true,
    }
}

/// The shop with a checklist, at most two releases of prod-eu at once, and a freeze of prod-eu from
/// `frozen` on for two days.
fn shop_with(frozen: &str) -> Room {
    let mut room = shop::empty();
    let mut rules = shop::charter();
    rules.readiness = vec![
        rule("ticket-linked", None, Clearing::Plan(FromPlan::Ticket)),
        rule("runbook", None, Clearing::Plan(FromPlan::Runbook)),
        rule(
            "scan-clean",
            Some(Span::mins(240)),
            handed(Accepts::File, &["security"]),
        ),
        rule("on-call", None, handed(Accepts::Statement, &["operations"])),
    ];
    rules.limits = vec![Limit {
        name: "production".into(),
        environments: ["prod-eu".into()].into(),
        teams: Default::default(),
        services: Default::default(),
        per: None,
        at_most: 1,
        observing: false,
    }];
    rules.calendar.freezes = vec![Freeze {
        name: "month-end".into(),
        owner: "operations".into(),
        reason: "the books are closed".into(),
        scope: Scope {
            environments: ["prod-eu".into()].into(),
            ..Scope::default()
        },
        kinds: Default::default(),
        when: Series {
            zone: "Europe/Berlin".into(),
            starts: LocalTime::read(frozen).unwrap(),
            lasts: Span::mins(2 * 24 * 60),
            repeats: None,
            except: Vec::new(),
            also: Vec::new(),
        },
        running: Running::FinishBatch,
    }];
    let group = rules.groups.get_mut(&"operations".into()).unwrap();
    group
        .may
        .extend([Right::Lockdown, Right::Overrule, Right::Waive]);
    room.engine(Ask::Adopt(Arc::new(rules)));
    room.see();
    room
}

/// A shop in which the freeze begins on the evening of the day.
fn calm() -> Room {
    shop_with("2026-11-21T18:00")
}

fn give(room: &mut Room, who: &str, id: ReleaseId, check: &str, evidence: Evidence) {
    let ask = readiness::Ask::Evidence {
        release: id,
        check: check.into(),
        evidence,
    };
    room.person(who, Ask::Readiness(ask)).unwrap();
}

fn scanned(room: &mut Room, id: ReleaseId) {
    let evidence = Evidence::File {
        name: "scan-2026-11-21.json".into(),
        sha256: format!("sha256:{}", "d".repeat(64)).into(),
    };
    give(room, "kim", id, "scan-clean", evidence);
}

fn vote(room: &mut Room, who: &str, id: ReleaseId, choice: Choice, comment: &str) {
    let ask = Ask::Vote {
        release: id,
        choice,
        comment: comment.into(),
        digest: None,
    };
    room.person(who, ask).unwrap();
}

/// A risky change of the payments tier-0 service that security has approved and that another release
/// gets in the way of.
fn risky() -> Value {
    json!({
        "schema_change": "breaking",
        "lines_changed": 1840,
        "deletes": ["queue postings-old"],
        "window": {"opens": "2026-11-21T02:00", "closes": "2026-11-21T04:00", "zone": "Europe/Berlin"},
    })
}

fn weighed(room: &mut Room) -> ReleaseId {
    let id = shop::submit(room, shop::plan("payments", "4.12.0", risky()));
    let more = json!({"kind": "standard", "title": "payments 4.11.4: log less"});
    shop::submit(room, shop::plan("payments", "4.11.4", more));
    scanned(room, id);
    room.pass(Span::mins(3));
    vote(room, "kim", id, Choice::Approve, "pen-test ok");
    id
}

/// The same after its plan was changed: the vote is void, the difference shows.
fn changed(room: &mut Room) -> ReleaseId {
    let id = weighed(room);
    let mut more = risky();
    more["lines_changed"] = json!(1902);
    more["batches"] = json!([{"exposure": "25%"}, {"exposure": "full"}]);
    more["rollback"] = json!({"note": "restore the dump of 02:00, 25 m", "tested": true});
    let plan = Arc::new(shop::plan("payments", "4.12.1", more));
    room.pass(Span::mins(2));
    let ask = approval::Ask::Update { release: id, plan };
    room.person("ci", Ask::Approval(ask)).unwrap();
    room.pass(Span::mins(1));
    id
}

fn of(room: fn() -> Room, make: impl Fn(&mut Room) -> ReleaseId) -> impl Fn() -> Room {
    move || {
        let mut room = room();
        make(&mut room);
        room
    }
}

/// Approved; stands at its checklist.
fn unready(room: &mut Room) -> ReleaseId {
    let more = json!({
        "start": "auto",
        "batches": [{"exposure": "25%"}, {"exposure": "full"}],
    });
    let id = shop::submit(room, shop::plan("search", "9.0.4", more));
    shop::approve(room, id);
    room.pass(Span::mins(4));
    id
}

/// Everything it takes by people is there.
fn ready(room: &mut Room, service: &str, version: &str) -> ReleaseId {
    let more = json!({"batches": [{"exposure": "25%"}, {"exposure": "full"}]});
    let id = shop::submit(room, shop::plan(service, version, more));
    shop::approve(room, id);
    scanned(room, id);
    let said = Evidence::Statement("eva is on call until 08:00".into());
    give(room, "eva", id, "on-call", said);
    room.control("ada", id, Control::Start).unwrap();
    room.see();
    id
}

fn locked(room: &mut Room) -> ReleaseId {
    let id = ready(room, "search", "9.0.4");
    room.work();
    let ask = calendar::Ask::LockDown {
        scope: Scope {
            environments: ["prod-eu".into()].into(),
            ..Scope::default()
        },
        reason: "payment provider is down".into(),
    };
    room.pass(Span::secs(30));
    room.person("bo", Ask::Calendar(ask)).unwrap();
    let more = json!({"start": "auto"});
    let next = shop::submit(room, shop::plan("mailer", "1.9.0", more));
    shop::approve(room, next);
    scanned(room, next);
    let said = Evidence::Statement("eva is on call until 08:00".into());
    give(room, "eva", next, "on-call", said);
    room.pass(Span::mins(1));
    id
}

#[test]
fn the_card_of_a_risky_release() {
    both("weighed", of(calm, weighed), "ada", "4");
    both("weighed-whole", of(calm, weighed), "ada", "4 enter");
    // whose work it is, and who has voted
    both("weighed-voted", of(calm, weighed), "kim", "4 j");
}

#[test]
fn a_plan_that_was_changed_after_a_vote() {
    both("replanned", of(calm, changed), "ada", "4 j");
}

#[test]
fn changes_are_asked_for() {
    both("request-changes", of(calm, weighed), "ada", "4 r");
    let mut seat = Seat::new(of(calm, weighed)(), "ada", (120, 36));
    seat.keys("4 r").keys("enter");
    assert!(seat.commands.is_empty(), "without words nothing is asked");
    seat.types("split the migration").keys("enter");
    assert_eq!(seat.answers, [Ok(())]);
    seat.settle();
    shot("to-change", &seat);
    seat.keys("u").keys("enter");
    assert_eq!(seat.answers, [Ok(()), Ok(())]);
    let release = seat.room.state().live.values().next().unwrap();
    assert!(!release.votes.contains_key(&"ada".into()));
}

#[test]
fn a_checklist_that_is_open() {
    both("unready", of(calm, unready), "eva", "2");
    both("unready-why", of(calm, unready), "eva", "w");
}

/// What the palette runs by its name.
fn palette(seat: &mut Seat, name: &str) {
    seat.keys(":").types(name).keys("enter");
}

#[test]
fn a_check_is_waived_with_a_reason_and_the_name_typed() {
    for size in [WIDE, NARROW] {
        let mut seat = Seat::new(of(calm, unready)(), "ada", size);
        seat.keys("2");
        palette(&mut seat, "waive");
        shot("waive-dialog", &seat);
    }
    let mut seat = Seat::new(of(calm, unready)(), "ada", WIDE);
    palette(&mut seat, "waive");
    seat.keys("down up")
        .types("the scanner is down")
        .keys("enter");
    assert!(seat.commands.is_empty(), "the name was not typed");
    seat.types("search").keys("enter");
    let [Ask::Waive { hold, reason, .. }] = &seat.commands[..] else {
        panic!("{:?}", seat.commands);
    };
    assert_eq!(&**hold, "readiness.scan-clean");
    assert_eq!(&**reason, "the scanner is down");
    assert_eq!(seat.answers, [Ok(())]);
    // what is waived is no longer offered; without a reason nothing is asked
    palette(&mut seat, "waive");
    seat.keys("tab").types("search").keys("enter");
    let text = seat.text();
    assert!(text.contains("▸ readiness.on-call"), "{text}");
    assert!(text.contains("1 of 4, up down another"), "{text}");
    assert_eq!(seat.commands.len(), 1);
}

#[test]
fn who_may_not_waive_is_told_before_a_question_comes_up() {
    let mut seat = Seat::new(of(calm, unready)(), "kim", WIDE);
    palette(&mut seat, "waive");
    assert!(
        seat.text().contains("kim may not waive holds"),
        "{}",
        seat.text()
    );
    // and what nobody objects to cannot be overruled
    let mut seat = Seat::new(of(calm, unready)(), "ada", WIDE);
    palette(&mut seat, "overrule");
    assert!(
        seat.text().contains("nobody objects to R-1"),
        "{}",
        seat.text()
    );
    assert!(seat.commands.is_empty());
}

#[test]
fn evidence_is_handed_in_for_the_check_that_is_chosen() {
    for size in [WIDE, NARROW] {
        let mut seat = Seat::new(of(calm, unready)(), "eva", size);
        seat.keys("2");
        palette(&mut seat, "hand-in");
        seat.keys("down");
        shot("hand-in-dialog", &seat);
    }
    let mut seat = Seat::new(of(calm, unready)(), "eva", WIDE);
    palette(&mut seat, "hand-in");
    // the first one asks for a file, of security
    seat.types("eva is on call until 08:00").keys("enter");
    assert!(seat.commands.is_empty());
    let text = seat.text();
    assert!(
        text.contains("eva is on call until 08:00"),
        "what was written stays:\n{text}"
    );
    seat.keys("down enter");
    let [
        Ask::Readiness(readiness::Ask::Evidence {
            check, evidence, ..
        }),
    ] = &seat.commands[..]
    else {
        panic!("{:?}", seat.commands);
    };
    assert_eq!(check.as_str(), "on-call");
    let said = Evidence::Statement("eva is on call until 08:00".into());
    assert_eq!(*evidence, said);
    assert_eq!(seat.answers, [Ok(())]);
}

#[test]
fn an_objection_is_overruled_with_a_reason() {
    let make = |room: &mut Room| {
        let id = weighed(room);
        vote(
            room,
            "kim",
            id,
            Choice::Object,
            "the way back is not tested",
        );
        id
    };
    for size in [WIDE, NARROW] {
        let mut seat = Seat::new(of(calm, make)(), "ada", size);
        seat.keys("4 j");
        palette(&mut seat, "overrule");
        shot("overrule-dialog", &seat);
    }
    let mut seat = Seat::new(of(calm, make)(), "ada", WIDE);
    seat.keys("4 j");
    palette(&mut seat, "overrule");
    seat.types("it was tested on Tuesday, OPS-9").keys("tab");
    seat.types("payments").keys("enter");
    let [Ask::Approval(approval::Ask::Overrule { whose, why, .. })] = &seat.commands[..] else {
        panic!("{:?}", seat.commands);
    };
    assert_eq!(whose.as_str(), "kim");
    assert_eq!(&**why, "it was tested on Tuesday, OPS-9");
    assert_eq!(seat.answers, [Ok(())]);
}

#[test]
fn a_freeze_that_holds() {
    let frozen = || shop_with("2026-11-20T18:00");
    let make = |room: &mut Room| ready(room, "search", "9.0.4");
    both("frozen", of(frozen, make), "ada", "2");
    both("frozen-why", of(frozen, make), "ada", "w");
    both("frozen-card", of(frozen, weighed), "ada", "4");
}

#[test]
fn a_queue_with_its_order() {
    let make = |room: &mut Room| {
        ready(room, "search", "9.0.4");
        room.work();
        ready(room, "mailer", "1.9.0");
        ready(room, "catalog", "3.3.0")
    };
    both("queued", of(calm, make), "ada", "");
    both("queued-why", of(calm, make), "ada", "j j w");
}

#[test]
fn a_lockdown_is_loud_on_every_screen() {
    for key in ["", "2", "3", "4", "?", "!", "w"] {
        for size in [(120, 36), (80, 24), (60, 20)] {
            let mut seat = Seat::new(of(calm, locked)(), "ada", size);
            seat.keys(key);
            let text = seat.text();
            assert!(text.contains("LOCKDOWN"), "{key} {size:?}\n{text}");
        }
    }
    both("locked", of(calm, locked), "ada", "");
    both("locked-ladder", of(calm, locked), "ada", "2");
}

#[test]
fn the_card_without_colour_and_without_unicode() {
    let caps = Caps {
        unicode: false,
        depth: Depth::None,
        ..Caps::default()
    };
    for (name, make) in [
        ("weighed", weighed as fn(&mut Room) -> ReleaseId),
        ("replanned", changed),
    ] {
        let mut seat = Seat::with(of(calm, make)(), "ada", (80, 24), "roles", caps);
        seat.keys("4 g");
        if name == "replanned" {
            seat.keys("j");
        }
        let text = seat.text();
        assert!(text.is_ascii(), "{text}");
        shot(&format!("ascii-{name}"), &seat);
    }
}

/// Rooms under rules for pictures.
pub fn rooms() -> Vec<(&'static str, Room, &'static str)> {
    let frozen = || shop_with("2026-11-20T18:00");
    let late = |room: &mut Room| ready(room, "search", "9.0.4");
    vec![
        ("weighed", of(calm, weighed)(), "4"),
        ("replanned", of(calm, changed)(), "4 j"),
        ("unready", of(calm, unready)(), "2"),
        ("frozen", of(frozen, late)(), "2"),
        ("frozen-why", of(frozen, late)(), "w"),
        ("locked", of(calm, locked)(), ""),
    ]
}
