use holdpoint::domain::limits::{Limit, Per};
use holdpoint::domain::{Control, Phase, ReleaseId, Span};
use proptest::prelude::*;
use serde_json::json;

use super::{began, charter, folds_again, limit, per, phase, plan, waive};
use crate::room::Room;

#[test]
fn a_freed_place_goes_to_the_first_in_the_queue_by_itself() {
    let mut charter = charter();
    charter.limits = vec![limit("one-by-one", 1)];
    let mut room = Room::of(charter);
    let a = room
        .submit("ci", plan("payments", "5.0.0", "prod", json!({})))
        .unwrap();
    room.see();
    room.begin();
    assert_eq!(phase(&room, a), Some(Phase::Rolling));
    room.pass(Span::secs(1));
    let b = room
        .submit("ci", plan("ledger", "5.0.0", "prod", json!({})))
        .unwrap();
    let c = room
        .submit("ci", plan("web", "5.0.0", "prod", json!({})))
        .unwrap();
    let fix = json!({"kind": "emergency"});
    let d = room
        .submit("ci", plan("ledger", "5.0.1", "staging", fix))
        .unwrap();
    room.control("ada", d, Control::Start).unwrap();
    room.see();
    let said = |room: &Room, id| room.waiting(id);
    assert_eq!(
        said(&room, d),
        "queued: 1st behind R-1, at most 1 at once (limit one-by-one)"
    );
    assert_eq!(
        said(&room, b),
        "queued: 2nd behind R-4, at most 1 at once (limit one-by-one)"
    );
    assert_eq!(
        said(&room, c),
        "queued: 3rd behind R-2, at most 1 at once (limit one-by-one)"
    );
    // who is paused is passed over, and keeps its order
    room.control("ada", b, Control::Pause { why: "".into() })
        .unwrap();
    assert_eq!(
        said(&room, c),
        "queued: 2nd behind R-4, at most 1 at once (limit one-by-one)"
    );
    room.control("ada", b, Control::Resume).unwrap();
    assert_eq!(
        said(&room, c),
        "queued: 3rd behind R-2, at most 1 at once (limit one-by-one)"
    );
    for effect in std::mem::take(&mut room.begun) {
        room.finish(effect);
    }
    // R-1 is observed and its place is free
    room.work();
    assert_eq!(began(&room), [a, d, b, c]);
    folds_again(&room);
}

#[test]
fn a_place_is_kept_while_observed_where_the_limit_says_so() {
    let mut charter = charter();
    charter.limits = vec![Limit {
        observing: true,
        ..limit("careful", 1)
    }];
    let mut room = Room::of(charter);
    let a = room
        .submit("ci", plan("payments", "5.0.0", "prod", json!({})))
        .unwrap();
    room.see();
    let b = room
        .submit("ci", plan("ledger", "5.0.0", "prod", json!({})))
        .unwrap();
    room.work();
    assert_eq!(phase(&room, a), Some(Phase::Observing));
    assert!(
        room.waiting(b).starts_with("queued: 1st behind R-1"),
        "{}",
        room.waiting(b)
    );
    room.pass(Span::mins(1));
    room.work();
    assert_eq!(
        phase(&room, b),
        Some(Phase::Observing),
        "{}",
        room.waiting(b)
    );
}

#[test]
fn limits_count_by_team_environment_and_group_of_services() {
    let mut charter = charter();
    charter.limits = vec![
        per("team", 1, Per::Team),
        Limit {
            services: ["web".into(), "ledger".into()].into(),
            ..limit("pair", 1)
        },
    ];
    let mut room = Room::of(charter);
    let pay = room
        .submit("ci", plan("payments", "5.0.0", "prod", json!({})))
        .unwrap();
    room.see();
    let ledger = room
        .submit("ci", plan("ledger", "5.0.0", "prod", json!({})))
        .unwrap();
    room.see();
    let web = room
        .submit("ci", plan("web", "5.0.0", "prod", json!({})))
        .unwrap();
    room.see();
    room.begin();
    assert_eq!(phase(&room, pay), Some(Phase::Rolling));
    assert_eq!(
        room.waiting(ledger),
        "queued: 1st behind R-1, at most 1 at once of pay (limit team)"
    );
    // it would have its place, but nobody overtakes somebody who waits for the same limit
    assert_eq!(
        room.waiting(web),
        "queued: 2nd behind R-2, at most 1 at once (limit pair)"
    );
    room.person("chief", waive(ledger, "queue", "agreed with pay"))
        .unwrap();
    assert_eq!(
        phase(&room, ledger),
        Some(Phase::Rolling),
        "{}",
        room.waiting(ledger)
    );
    assert!(
        room.waiting(web).starts_with("queued: 1st behind R-2"),
        "{}",
        room.waiting(web)
    );
}

#[test]
fn going_back_is_never_queued() {
    let mut charter = charter();
    charter.limits = vec![limit("one", 1)];
    let mut room = Room::of(charter);
    let a = room
        .submit("ci", plan("payments", "5.0.0", "prod", json!({})))
        .unwrap();
    room.work();
    let b = room
        .submit("ci", plan("ledger", "5.0.0", "prod", json!({})))
        .unwrap();
    room.see();
    room.begin();
    assert_eq!(phase(&room, b), Some(Phase::Rolling));
    room.control("ada", a, Control::RollBack { why: "".into() })
        .unwrap();
    assert_eq!(phase(&room, a), Some(Phase::RollingBack));
    let c = room
        .submit("ci", plan("web", "5.0.0", "prod", json!({})))
        .unwrap();
    room.see();
    assert!(
        room.waiting(c).starts_with("queued: 1st behind R-1"),
        "{}",
        room.waiting(c)
    );
}

#[test]
fn a_limit_that_comes_while_releases_wait_holds_for_them() {
    let mut room = Room::of(charter());
    let more = || json!({"start": "manual"});
    let a = room
        .submit("ci", plan("payments", "5.0.0", "prod", more()))
        .unwrap();
    let b = room
        .submit("ci", plan("web", "5.0.0", "prod", more()))
        .unwrap();
    let mut stricter = charter();
    stricter.limits = vec![limit("one", 1)];
    room.engine(holdpoint::domain::Ask::Adopt(std::sync::Arc::new(stricter)));
    room.see();
    room.control("ada", a, Control::Start).unwrap();
    room.control("ada", b, Control::Start).unwrap();
    room.begin();
    assert_eq!(phase(&room, a), Some(Phase::Rolling));
    assert!(
        room.waiting(b).starts_with("queued:"),
        "{}",
        room.waiting(b)
    );
    // and is gone when it is taken out again
    room.engine(holdpoint::domain::Ask::Adopt(
        std::sync::Arc::new(charter()),
    ));
    assert_eq!(phase(&room, b), Some(Phase::Rolling), "{}", room.waiting(b));
    folds_again(&room);
}

const SERVICES: [&str; 3] = ["payments", "ledger", "web"];

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    /// Never more than `n` move forward at once, whatever is submitted, paused, promoted, cancelled or
    /// rolled back, and in the end everybody has had their turn.
    #[test]
    fn never_more_than_n_at_once(
        n in 1u32..4,
        steps in prop::collection::vec((0u8..7, 0usize..3, 1u64..10, any::<bool>()), 1..40),
    ) {
        let mut charter = charter();
        charter.limits = vec![limit("all", n), per("team", 1, Per::Team)];
        let mut room = Room::of(charter);
        for (what, service, id, emergency) in steps {
            let id = ReleaseId(id);
            let why = || "".into();
            let _ = match what {
                0..=2 => {
                    let place = if emergency { "staging" } else { "prod" };
                    let kind = if emergency && what == 0 { "emergency" } else { "normal" };
                    let version = format!("5.0.{}", room.state().last_id);
                    let plan = plan(SERVICES[service], &version, place, json!({"kind": kind}));
                    let next = ReleaseId(room.state().last_id + 1);
                    room.submit("ci", plan).and_then(|_| room.control("ada", next, Control::Start))
                }
                3 => room.control("ada", id, Control::Pause { why: why() }),
                4 => room.control("ada", id, Control::Resume),
                5 => room.control("ada", id, Control::Cancel { why: why() }),
                _ => room.control("ada", id, Control::RollBack { why: why() }),
            };
            room.see();
            if emergency {
                room.begin();
                for effect in std::mem::take(&mut room.begun) {
                    room.finish(effect);
                }
                room.pass(Span::secs(20));
            }
            let rolling: Vec<_> = room.state().live.values().filter(|r| r.phase == Phase::Rolling).collect();
            prop_assert!(rolling.len() <= n as usize, "{rolling:#?}");
            for team in ["pay", "front"] {
                let of = |r: &&&std::sync::Arc<holdpoint::domain::Release>| {
                    let owner = &room.state().charter.services[&r.plan.services[0].service].owner;
                    **owner == *team
                };
                prop_assert!(rolling.iter().filter(of).count() <= 1, "{team}");
            }
        }
        for _ in 0..60 {
            let ids: Vec<ReleaseId> = room.state().live.keys().copied().collect();
            for id in ids {
                let _ = room.control("ada", id, Control::Resume);
                let _ = room.control("ada", id, Control::Start);
            }
            room.work();
            room.pass(Span::mins(2));
        }
        let left: Vec<String> = room.state().live.keys().map(|id| room.waiting(*id)).collect();
        prop_assert!(left.is_empty(), "{left:?}");
    }
}
