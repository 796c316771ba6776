use std::sync::Arc;

use holdpoint::domain::needs::Promotion;
use holdpoint::domain::release::Ending;
use holdpoint::domain::{
    Choice, Control, Phase, Refusal, ReleaseId, ServiceName, Span, State, Timestamp,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{began, charter, folds_again, phase, plan, waive};
use crate::room::Room;

fn after(name: &str) -> Value {
    json!({"needs": [{"release": name}]})
}

#[test]
fn a_chain_of_three_walks_one_after_the_other_by_itself() {
    let mut room = Room::of(charter());
    let third = plan("web", "3.0.0", "prod", after("R-2"));
    let second = plan("ledger", "2.0.0", "prod", after("first"));
    let first = plan(
        "payments",
        "1.0.0",
        "prod",
        json!({"name": "first", "start": "manual"}),
    );
    // the last one is submitted before what it waits for exists
    let c = room.submit("ci", third).unwrap();
    let b = room.submit("ci", second).unwrap();
    assert_eq!(
        room.waiting(b),
        "dependency: no release is called first yet"
    );
    assert_eq!(room.waiting(c), format!("dependency: {b} has not begun"));
    let a = room.submit("ci", first).unwrap();
    room.work();
    assert_eq!(
        room.waiting(b),
        format!("dependency: {a} (first) has not begun")
    );
    room.control("ada", a, Control::Start).unwrap();
    room.work();
    assert_eq!(
        room.waiting(b),
        format!("dependency: {a} (first) is observed")
    );
    assert_eq!(phase(&room, b), Some(Phase::Waiting));
    room.pass(Span::mins(1));
    room.work();
    assert_eq!(
        phase(&room, b),
        Some(Phase::Observing),
        "{}",
        room.waiting(b)
    );
    assert_eq!(phase(&room, c), Some(Phase::Waiting));
    room.pass(Span::mins(1));
    room.work();
    room.pass(Span::mins(1));
    assert_eq!(room.waiting(c), "closed: succeeded");
    assert_eq!(began(&room), [a, b, c]);
    folds_again(&room);
}

#[test]
fn a_need_of_a_release_that_ended_otherwise_waits_on_somebody() {
    let mut room = Room::of(charter());
    let a = room
        .submit(
            "ci",
            plan("payments", "1.0.0", "prod", json!({"start": "manual"})),
        )
        .unwrap();
    let b = room
        .submit("ci", plan("ledger", "2.0.0", "prod", after("R-1")))
        .unwrap();
    room.work();
    room.control("ada", a, Control::Cancel { why: "".into() })
        .unwrap();
    assert_eq!(room.waiting(b), "dependency: R-1 is closed: cancelled");
    let release = room.state().live.get(&b).unwrap();
    let waits = holdpoint::domain::waiting::of(room.state(), release, room.now);
    assert!(waits.trouble, "{waits:?}");
    // waived by somebody who may, it goes; the busy target is not waived with it
    let refused = room.person("ada", waive(b, "dependency", "it will not come"));
    assert_eq!(refused.unwrap_err().code(), "no-right");
    let refused = room.person("chief", waive(b, "dependency", "  "));
    assert_eq!(refused.unwrap_err().code(), "no-reason");
    room.person("chief", waive(b, "dependency", "it will not come"))
        .unwrap();
    room.work();
    assert_eq!(
        phase(&room, b),
        Some(Phase::Observing),
        "{}",
        room.waiting(b)
    );
    let log = &room.state().live.get(&b).unwrap().log;
    let line = log
        .iter()
        .find(|l| l.text.contains("waives targets: it will not come"));
    assert_eq!(
        line.unwrap().who,
        holdpoint::domain::Actor::Person("chief".into())
    );
    folds_again(&room);
}

#[test]
fn until_observing_is_enough_where_the_plan_says_so() {
    let mut room = Room::of(charter());
    let a = room
        .submit("ci", plan("payments", "1.0.0", "prod", json!({})))
        .unwrap();
    let needs = json!({"needs": [{"release": "R-1", "until": "observing"}]});
    let b = room
        .submit("ci", plan("ledger", "2.0.0", "prod", needs))
        .unwrap();
    assert_eq!(room.waiting(b), "dependency: R-1 has not begun");
    room.work();
    assert_eq!(phase(&room, a), Some(Phase::Observing));
    assert_eq!(
        phase(&room, b),
        Some(Phase::Observing),
        "{}",
        room.waiting(b)
    );
}

#[test]
fn a_version_is_needed_on_every_instance_and_seen_there() {
    let mut room = Room::of(charter());
    let needs = |least: &str| json!({"needs": [{"service": "ledger", "at_least": least}]});
    let b = room
        .submit("ci", plan("web", "9.0.0", "prod", needs("4.12.0")))
        .unwrap();
    assert_eq!(
        room.waiting(b),
        "dependency: ledger-prod i-1 has not been read yet; ledger 4.12.0 or later is needed"
    );
    room.see();
    assert_eq!(
        room.waiting(b),
        "dependency: ledger-prod i-1 runs 4.11.3; ledger 4.12.0 or later is needed"
    );
    let set = |room: &mut Room, instance: &str, version: &str| {
        let key = ("ledger-prod".into(), instance.into());
        room.fleet.get_mut(&key).unwrap().0.version = version.into();
        room.see();
    };
    set(&mut room, "i-1", "4.12.0-rc.1");
    assert!(
        room.waiting(b).contains("i-1 runs 4.12.0-rc.1"),
        "{}",
        room.waiting(b)
    );
    set(&mut room, "i-1", "4.13.0");
    assert!(
        room.waiting(b).contains("i-2 runs 4.11.3"),
        "{}",
        room.waiting(b)
    );
    set(&mut room, "i-2", "build-77");
    assert_eq!(
        room.waiting(b),
        "dependency: ledger-prod i-2 runs `build-77`, which is no semantic version and cannot be \
         compared; ledger 4.12.0 or later is needed"
    );
    // who would bring it is named
    let a = room
        .submit(
            "ci",
            plan("ledger", "4.12.1", "prod", json!({"start": "manual"})),
        )
        .unwrap();
    assert!(
        room.waiting(b).ends_with(&format!("; {a} brings it")),
        "{}",
        room.waiting(b)
    );
    set(&mut room, "i-2", "v4.12.0");
    room.work();
    assert_eq!(
        phase(&room, b),
        Some(Phase::Observing),
        "{}",
        room.waiting(b)
    );
    folds_again(&room);
}

#[test]
fn what_was_there_when_it_passed_must_be_there_when_it_begins() {
    let mut room = Room::of(charter());
    let more = json!({
        "needs": [{"service": "ledger", "exactly": "4.11.3"}],
        "window": {"opens": "2026-11-22T00:00", "closes": "2026-11-22T01:00"},
    });
    let b = room
        .submit("ci", plan("web", "9.0.0", "prod", more))
        .unwrap();
    room.see();
    assert!(
        room.waiting(b).starts_with("window: opens"),
        "{}",
        room.waiting(b)
    );
    let key = ("ledger-prod".into(), "i-1".into());
    room.fleet.get_mut(&key).unwrap().0.version = "4.12.0".into();
    room.see();
    let opens = room.state().next_wake().unwrap();
    room.pass(opens.since(room.now).max(Span::mins(24 * 60)));
    room.work();
    assert_eq!(phase(&room, b), Some(Phase::Waiting));
    assert_eq!(
        room.waiting(b),
        "dependency: ledger-prod i-1 runs 4.12.0; ledger 4.11.3 is needed"
    );
}

#[test]
fn the_same_artifact_must_have_succeeded_on_the_path_before() {
    let mut charter = charter();
    charter.promotions = vec![Promotion {
        environments: ["prod".into()].into(),
        kinds: [holdpoint::domain::plan::Kind::Normal].into(),
        after: "staging".into(),
    }];
    let mut room = Room::of(charter);
    let prod = room
        .submit("ci", plan("web", "9.0.0", "prod", json!({})))
        .unwrap();
    room.work();
    assert_eq!(
        room.waiting(prod),
        "dependency: web 9.0.0 has not succeeded in staging, and no open release brings it there"
    );
    // another artifact of that version proves nothing
    let mut other = plan("web", "9.0.0", "staging", json!({}));
    other.services[0].digest = format!("sha256:{}", "c".repeat(64)).into();
    room.submit("ci", other).unwrap();
    room.work();
    room.pass(Span::mins(1));
    assert!(
        room.waiting(prod).contains("no open release"),
        "{}",
        room.waiting(prod)
    );
    let staging = room
        .submit("ci", plan("web", "9.0.0", "staging", json!({})))
        .unwrap();
    room.work();
    assert_eq!(
        room.waiting(prod),
        format!(
            "dependency: web 9.0.0 has not succeeded in staging yet; {staging} brings it there"
        )
    );
    room.pass(Span::mins(1));
    room.work();
    assert_eq!(
        phase(&room, prod),
        Some(Phase::Observing),
        "{}",
        room.waiting(prod)
    );
    // an emergency does not come this way
    let fix = room
        .submit(
            "ci",
            plan("ledger", "9.9.9", "prod", json!({"kind": "emergency"})),
        )
        .unwrap();
    room.control("ada", fix, Control::Start).unwrap();
    room.work();
    assert_eq!(
        phase(&room, fix),
        Some(Phase::Observing),
        "{}",
        room.waiting(fix)
    );
    folds_again(&room);
}

#[test]
fn circles_are_refused_and_shown() {
    let mut room = Room::of(charter());
    let named = |name: &str, needs: &str| json!({"name": name, "needs": [{"release": needs}]});
    let a = room
        .submit("ci", plan("payments", "1.0.0", "prod", named("a", "c")))
        .unwrap();
    let b = room
        .submit("ci", plan("ledger", "1.0.0", "prod", named("b", "a")))
        .unwrap();
    let before = room.state().clone();
    let refused = room
        .submit("ci", plan("web", "1.0.0", "prod", named("c", "b")))
        .unwrap_err();
    assert_eq!(refused.code(), "circle-of-releases");
    let c = ReleaseId(3);
    assert_eq!(refused, Refusal::Circle(vec![c, b, a, c]));
    assert_eq!(
        refused.notice().headline,
        "these releases would wait for each other for ever: R-3 -> R-2 -> R-1 -> R-3"
    );
    assert_eq!(*room.state(), before, "nothing of it is kept");
    // of itself
    let refused = room.submit("ci", plan("web", "1.0.0", "prod", named("d", "d")));
    assert_eq!(refused, Err(Refusal::Circle(vec![c, c])));
    // by versions: each needs what only the other brings
    let mut room = Room::of(charter());
    let least = |service: &str| json!({"needs": [{"service": service, "at_least": "5.0.0"}]});
    let a = room
        .submit("ci", plan("web", "5.0.0", "prod", least("ledger")))
        .unwrap();
    let refused = room.submit("ci", plan("ledger", "5.0.0", "prod", least("web")));
    let b = ReleaseId(2);
    assert_eq!(refused, Err(Refusal::Circle(vec![b, a, b])));
    // a second one could bring it: nobody waits for ever
    room.submit("ci", plan("ledger", "5.0.1", "prod", json!({})))
        .unwrap();
    room.submit("ci", plan("ledger", "5.0.0", "prod", least("web")))
        .unwrap();
}

#[test]
fn a_version_that_is_taken_away_again_leaves_a_circle_that_is_shown() {
    let mut room = Room::of(charter());
    let submit = |room: &mut Room, service: &str, version: &str, more: Value| {
        let id = room.submit("ci", plan(service, version, "prod", more));
        room.work();
        id.unwrap()
    };
    submit(&mut room, "ledger", "6.0.0", json!({}));
    let needs = json!([{"service": "ledger", "at_least": "6.0.0"}, {"release": "go"}]);
    let more = json!({"name": "pay", "needs": needs});
    let pay = submit(&mut room, "payments", "5.0.0", more);
    room.pass(Span::mins(10));
    room.work();
    // what it needs has come; a later release brings it back down, and the next that would bring
    // it again waits for the one that needs it
    let waits = "dependency: no release is called go yet";
    let after = submit(
        &mut room,
        "ledger",
        "6.0.1",
        json!({"needs": [{"release": "pay"}]}),
    );
    assert_eq!(room.waiting(pay), waits);
    submit(&mut room, "ledger", "5.0.0", json!({}));
    room.pass(Span::mins(10));
    room.work();
    let said = room.waiting(pay);
    let circle = format!("they wait for each other: {pay} -> {after} -> {pay}");
    assert!(said.contains(&circle), "{said}");
    // the way out: whoever may waive it, or another that brings it
    submit(&mut room, "ledger", "6.0.2", json!({}));
    room.pass(Span::mins(10));
    room.work();
    assert_eq!(room.waiting(pay), waits);
}

#[test]
fn what_is_written_wrong_is_told_at_its_place() {
    let room = Room::of(charter());
    let needs = json!({"needs": [
        {"release": "R-1", "service": "web"},
        {"service": "legder", "at_least": "1.0.0"},
        {"service": "web", "at_least": "4.12"},
        {"service": "web"},
        {"service": "web", "exactly": "x", "environment": "prodd"},
        {"release": "a b"},
        {"release": "R-1", "at_least": "1.0.0"},
        {"service": "web", "at_least": "1.0.0", "until": "observing"},
    ]});
    let plan = plan("payments", "1.0.0", "prod", needs);
    let problems = holdpoint::domain::problems::problems(&plan, &room.state().charter);
    let found: Vec<(&str, &str)> = problems.iter().map(|p| (p.path.as_str(), p.code)).collect();
    assert_eq!(
        found,
        [
            ("needs[0]", "one-kind-per-need"),
            ("needs[1].service", "unknown-name"),
            ("needs[2].at_least", "no-semantic-version"),
            ("needs[3]", "one-version-per-need"),
            ("needs[4].environment", "unknown-name"),
            ("needs[5].release", "bad-name"),
            ("needs[6].at_least", "says-nothing"),
            ("needs[7].until", "says-nothing"),
        ]
    );
    assert!(problems[1].next_step.contains("`ledger`"), "{problems:?}");
}

#[test]
fn a_plan_without_needs_keeps_its_digest() {
    let plan = plan("web", "1.0.0", "prod", json!({}));
    let text = serde_json::to_string(&plan).unwrap();
    assert!(!text.contains("needs"), "{text}");
}

/// What the random rooms do.
#[derive(Clone, Debug)]
enum Step {
    Submit {
        service: usize,
        version: u64,
        needs: Vec<(u8, u64)>,
        manual: bool,
    },
    Start(u64),
    Cancel(u64),
    RollBack(u64),
    Vote(u64),
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let needs = prop::collection::vec((0u8..3, 1u64..8), 0..3);
    prop_oneof![
        4 => (0usize..3, 1u64..4, needs, any::<bool>())
            .prop_map(|(service, version, needs, manual)| Step::Submit { service, version, needs, manual }),
        2 => (1u64..8).prop_map(Step::Start),
        1 => (1u64..8).prop_map(Step::Cancel),
        1 => (1u64..8).prop_map(Step::RollBack),
        1 => (1u64..8).prop_map(Step::Vote),
        2 => (1u64..90).prop_map(Step::Pass),
    ]
}

const SERVICES: [&str; 3] = ["payments", "ledger", "web"];

fn need((kind, n): (u8, u64)) -> Value {
    match kind {
        0 => json!({"release": format!("R-{n}")}),
        1 => json!({"release": format!("n-{n}")}),
        _ => json!({
            "service": SERVICES[n as usize % 3],
            "at_least": format!("{}.0.0", 5 + n / 3),
        }),
    }
}

/// Whether something that a release could count on when it was submitted was taken away since.
fn something_was_lost(state: &State) -> bool {
    let mut ends = state.closed.values().map(|s| s.ending);
    ends.any(|e| e != Ending::Succeeded)
        || state.live.values().any(|r| r.phase == Phase::RollingBack)
        || went_down(state)
}

/// Whether a release brings an older version than one that succeeded before it.
fn went_down(state: &State) -> bool {
    let brought: Vec<_> = state
        .closed
        .values()
        .flat_map(|s| {
            s.services
                .iter()
                .map(move |(service, v)| (service, v, s.closed))
        })
        .collect();
    let older = |service: &ServiceName, version: &Arc<str>, end: Option<Timestamp>| {
        brought.iter().any(|(other, v, closed)| {
            *other == service && *v > version && end.is_none_or(|end| *closed < end)
        })
    };
    let mut live = state.live.values().filter(|r| r.phase != Phase::Waiting);
    live.any(|r| {
        r.plan
            .services
            .iter()
            .any(|s| older(&s.service, &s.version, None))
    }) || brought
        .iter()
        .any(|(service, version, closed)| older(service, version, Some(*closed)))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is asked for in whatever order: no releases ever wait for each other in a circle,
    /// and one that waits while nobody moves waits on something that is named and is not there.
    #[test]
    fn no_releases_wait_for_each_other_for_ever(steps in prop::collection::vec(step(), 1..30)) {
        let mut charter = charter();
        charter.limits = vec![super::limit("all", 2), super::per("team", 1, holdpoint::domain::limits::Per::Team)];
        let mut room = Room::of(charter);
        for step in steps {
            // a refusal is an answer like any other
            let _ = match step {
                Step::Submit { service, version, needs, manual } => {
                    let next = room.state().last_id + 1;
                    let more = json!({
                        "name": format!("n-{next}"),
                        "needs": needs.into_iter().map(need).collect::<Vec<_>>(),
                        "start": if manual { "manual" } else { "auto" },
                    });
                    let plan = plan(SERVICES[service], &format!("{}.0.0", 4 + version), "prod", more);
                    room.submit("ci", plan).map(|_| ())
                }
                Step::Start(n) => room.control("ada", ReleaseId(n), Control::Start),
                Step::Cancel(n) => room.control("ada", ReleaseId(n), Control::Cancel { why: "".into() }),
                Step::RollBack(n) => room.control("ada", ReleaseId(n), Control::RollBack { why: "".into() }),
                Step::Vote(n) => room.vote("bo", ReleaseId(n), Choice::Object),
                Step::Pass(seconds) => { room.pass(Span::secs(seconds)); Ok(()) }
            };
            room.work();
            let state = room.state();
            for release in state.live.values() {
                let Some(circle) = holdpoint::domain::needs::circle(state, release.id) else { continue };
                // only what was cancelled, rolled back or replaced by something older can leave a
                // circle behind, and it is shown
                prop_assert!(something_was_lost(state), "{circle:?}");
                let shown = format!("dependency: they wait for each other: {}", holdpoint::domain::needs::circle_spelled(&circle));
                let said = room.waiting(release.id);
                prop_assert!(!said.starts_with("dependency") || said.starts_with(&shown), "{}", said);
            }
        }
        // everything that can be pressed is pressed, and time passes
        for _ in 0..20 {
            let ids: Vec<ReleaseId> = room.state().live.keys().copied().collect();
            for id in ids {
                let _ = room.control("ada", id, Control::Start);
            }
            room.work();
            room.pass(Span::mins(2));
        }
        let state = room.state();
        for release in state.live.values() {
            let unmet = holdpoint::domain::needs::needs(release)
                .iter()
                .filter_map(|need| holdpoint::domain::needs::standing(state, release, need));
            let waits_on_nobody = unmet.filter(|u| u.stuck || matches!(u.on, holdpoint::domain::waiting::Whom::Instance(_)));
            let on_others = room.waiting(release.id).contains("wait for each other")
                || room.waiting(release.id).contains("has not begun")
                || room.waiting(release.id).contains("brings it");
            prop_assert!(
                waits_on_nobody.count() > 0 || on_others,
                "{}: {}", release.id, room.waiting(release.id)
            );
        }
    }
}
