//! Rulings from the submission on, and the commands that show, try and compare policies.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use holdpoint::domain::charter::{ApprovalRule, Charter};
use holdpoint::domain::risk::{FactorName, RiskLevel};
use holdpoint::domain::ruling::Ruling;
use holdpoint::domain::{
    Actor, Ask, Choice, Command, Control, Door, Draft, Event, Plan, Refusal, ReleaseId, Span, What,
};
use holdpoint::policy::{diff::diff, turn::catch_up};

use crate::room::{Room, charter, plan};
use crate::shop::holdpoint;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

fn ruling(room: &Room, id: ReleaseId) -> Arc<Ruling> {
    let release = &room.state().live[&id];
    let ruled = release.ruled(&room.state().charter_digest);
    ruled.expect("the engine rules at once").clone()
}

fn points(ruling: &Ruling, name: FactorName) -> u32 {
    let factor = ruling.risk.factors.iter().find(|f| f.name == name);
    factor.expect("every factor is named").points
}

/// A plan under a name of its own.
fn called(name: &str) -> Plan {
    Plan {
        name: Some(name.into()),
        ..plan()
    }
}

fn adopt(room: &mut Room, change: impl FnOnce(&mut Charter)) {
    let mut charter = charter();
    change(&mut charter);
    room.engine(Ask::Adopt(Arc::new(charter)));
}

fn clear(room: &Room, id: ReleaseId) -> bool {
    let hold = room.state().live[&id].approval();
    hold.expect("every release has an approval").cleared()
}

#[test]
fn a_submission_is_ruled_on_in_the_same_turn_and_recorded_with_its_grounds() {
    let mut room = Room::new();
    let id = room.submit("pipeline", plan()).unwrap();
    let ruling = ruling(&room, id);
    assert_eq!(ruling.rule.as_deref(), Some("security and operations"));
    assert_eq!(ruling.digests.plan, room.state().live[&id].digest);
    assert_eq!(ruling.digests.policy, room.state().charter_digest);
    assert!(ruling.digests.inputs.starts_with("sha256:"));
    let of = |e: &&Event| matches!(&e.what, What::Ruled { release, .. } if *release == id);
    let event = room.draft.events.iter().find(of).unwrap();
    assert_eq!(event.who, Actor::Engine);
    // its bytes read back as they are
    let bytes = event.to_bytes();
    assert_eq!(&Event::from_bytes(&bytes).unwrap(), event);
    let log = &room.state().live[&id].log;
    assert!(log.iter().any(|l| l.text.starts_with("risk ")), "{log:?}");
}

#[test]
fn without_a_ruling_nobody_can_vote_it_through() {
    let mut room = Room::new();
    let submit = Command {
        at: room.now,
        who: Actor::Person("pipeline".into()),
        door: Door::Socket { uid: 1000 },
        ask: Ask::Submit {
            plan: Arc::new(plan()),
        },
    };
    // the engine was cut off before it could rule, as an older ledger's was
    room.draft.run(&submit).unwrap();
    let id = ReleaseId(room.state().last_id);
    assert_eq!(
        room.waiting(id),
        "approval: the ruling: policy has not been asked about this plan yet"
    );
    let mut draft = room.draft.clone();
    for ask in [
        Ask::Vote {
            release: id,
            choice: Choice::Approve,
            comment: "".into(),
            digest: None,
        },
        Ask::Control {
            release: id,
            control: Control::Start,
        },
    ] {
        let who = Actor::Person("ada".into());
        let refused = draft.run(&Command {
            who,
            ask,
            ..submit.clone()
        });
        assert_eq!(refused, Err(Refusal::NoRuling(id)));
        assert_eq!(refused.unwrap_err().code(), "no-ruling");
    }
    catch_up(&mut room.draft, room.now);
    room.vote("kim", id, Choice::Approve).unwrap();
    room.vote("ada", id, Choice::Approve).unwrap();
    assert!(clear(&room, id));
}

#[test]
fn only_the_engine_rules_and_only_on_what_is_there() {
    let mut room = Room::new();
    let id = room.submit("pipeline", plan()).unwrap();
    let ruling = ruling(&room, id);
    let ask = |ruling: Arc<Ruling>| Ask::Ruled {
        release: id,
        ruling,
    };
    let forged = room.person("ada", ask(ruling.clone()));
    assert_eq!(forged, Err(Refusal::EngineOnly));
    let mut other = (*ruling).clone();
    other.digests.plan = "sha256:00".into();
    let engine = Actor::Engine;
    let refused = room.ask(engine, Door::Engine, ask(Arc::new(other)));
    assert_eq!(refused, Err(Refusal::OtherGrounds(id)));
}

#[test]
fn low_risk_is_approved_by_policy_alone_and_the_ledger_says_so() {
    let mut room = Room::new();
    adopt(&mut room, |charter| {
        let routine = ApprovalRule {
            name: "routine".into(),
            levels: [RiskLevel::Low, RiskLevel::Medium].into(),
            expires: Span::mins(60),
            ..ApprovalRule::default()
        };
        charter.approvals.insert(0, routine);
        charter.risk.weights.clear();
    });
    let id = room.submit("pipeline", plan()).unwrap();
    assert!(ruling(&room, id).by_policy);
    assert!(clear(&room, id));
    let cleared = room.draft.events.iter().find_map(|e| match &e.what {
        What::HoldCleared { hold, by, .. } if hold.as_str() == "approval" => Some(by.clone()),
        _ => None,
    });
    assert_eq!(
        cleared.as_deref(),
        Some("policy alone, rule \"routine\", risk low, 0 of 100")
    );
    let vote = room.vote("kim", id, Choice::Approve);
    assert_eq!(vote.unwrap_err().code(), "no-vote-now");
    room.control("ada", id, Control::Start).unwrap();
}

#[test]
fn a_stricter_charter_asks_again_until_the_release_is_started() {
    let mut room = Room::new();
    let first = room.submit("pipeline", called("first")).unwrap();
    let second = room.submit("pipeline", called("second")).unwrap();
    for id in [first, second] {
        room.vote("kim", id, Choice::Approve).unwrap();
        room.vote("ada", id, Choice::Approve).unwrap();
        assert!(clear(&room, id));
    }
    room.control("ada", first, Control::Start).unwrap();
    let old = ruling(&room, second);
    adopt(&mut room, |charter| {
        charter.approvals[0].needs = [("security".into(), 1), ("operations".into(), 2)].into();
    });
    assert!(clear(&room, first), "what was started goes on");
    assert!(!clear(&room, second));
    assert_ne!(ruling(&room, second).digests, old.digests);
    assert_eq!(
        room.waiting(second),
        "approval: 1 vote of operations missing"
    );
    room.vote("bo", second, Choice::Approve).unwrap();
    assert!(clear(&room, second));
}

#[test]
fn a_charter_that_asks_for_the_same_takes_no_vote_away() {
    let mut room = Room::new();
    let id = room.submit("pipeline", plan()).unwrap();
    room.vote("kim", id, Choice::Approve).unwrap();
    room.vote("ada", id, Choice::Approve).unwrap();
    adopt(&mut room, |charter| charter.room = "another name".into());
    assert!(clear(&room, id));
    assert!(
        room.waiting(id).starts_with("start:"),
        "{}",
        room.waiting(id)
    );
}

#[test]
fn a_changed_plan_is_ruled_on_anew() {
    let mut room = Room::new();
    let id = room.submit("pipeline", plan()).unwrap();
    let before = ruling(&room, id);
    assert_eq!(points(&before, FactorName::Deletions), 0);
    let changed = Plan {
        deletes: vec!["table/orders_old".into(), "queue/orders".into()],
        ..plan()
    };
    let ask = holdpoint::domain::approval::Ask::Update {
        release: id,
        plan: Arc::new(changed),
    };
    room.person("pipeline", Ask::Approval(ask)).unwrap();
    let after = ruling(&room, id);
    assert_eq!(points(&after, FactorName::Deletions), 15);
    assert!(after.risk.score > before.risk.score);
    assert_ne!(after.digests.inputs, before.digests.inputs);
}

#[test]
fn a_rollback_weighs_on_the_next_release_of_the_service() {
    let mut room = Room::new();
    let id = room.submit("pipeline", plan()).unwrap();
    let unknown = points(&ruling(&room, id), FactorName::History);
    assert_eq!(unknown, 8, "half of it, while nothing is on record");
    room.vote("kim", id, Choice::Approve).unwrap();
    room.vote("ada", id, Choice::Approve).unwrap();
    room.work();
    room.control("ada", id, Control::Start).unwrap();
    room.work();
    let why = "".into();
    room.control("ada", id, Control::RollBack { why }).unwrap();
    room.work();
    assert_eq!(room.waiting(id), "closed: rolled back");
    let next = room.submit("pipeline", called("next")).unwrap();
    let ruling = ruling(&room, next);
    assert_eq!(points(&ruling, FactorName::History), 15);
    let words = "the last release of payments to prod-eu was rolled back";
    assert!(ruling.risk.factors.iter().any(|f| &*f.words == words));
}

#[test]
fn an_emergency_that_nobody_votes_on_is_started_by_a_person() {
    let mut room = Room::new();
    adopt(&mut room, |charter| charter.approvals.clear());
    let mut hotfix: Plan = plan();
    hotfix.kind = holdpoint::domain::plan::Kind::Emergency;
    hotfix.start = holdpoint::domain::plan::Start::Auto;
    hotfix.emergency = serde_json::from_value(serde_json::json!({
        "incident": "INC-1", "reason": "customers are charged twice", "lasts": "1h"
    }))
    .unwrap();
    let id = room.submit("pipeline", hotfix).unwrap();
    assert!(
        room.waiting(id).starts_with("start:"),
        "{}",
        room.waiting(id)
    );
}

#[test]
fn another_policy_is_compared_with_the_open_releases() {
    let mut room = Room::new();
    let id = room.submit("pipeline", plan()).unwrap();
    room.vote("kim", id, Choice::Approve).unwrap();
    room.vote("ada", id, Choice::Approve).unwrap();
    let same = diff(room.state(), &charter(), room.now);
    assert!(same.is_empty(), "{same:?}");
    let mut other = charter();
    other.approvals[0].needs.insert("operations".into(), 2);
    let found = diff(room.state(), &other, room.now);
    let [one] = found.as_slice() else {
        panic!("{found:?}");
    };
    assert_eq!(one.release, id);
    assert_eq!(
        one.words,
        [
            "asks: 1 of operations, 1 of security, would be 2 of operations, 1 of security",
            "its approval would be asked for again: 1 vote of operations missing",
        ]
    );
}

fn cases(file: &str, more: &[&str]) -> crate::shop::Said {
    let file = fixtures().join("policy").join(file).display().to_string();
    let words = [&["policy", "test", &file], more].concat();
    holdpoint(&fixtures().join("room"), &words)
}

#[test]
fn cases_that_are_as_expected_end_with_0() {
    let said = cases("cases.toml", &[]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.out.ends_with("5 as expected, 0 not\n"), "{}", said.out);
    let said = cases("cases.toml", &["--json"]).json();
    assert_eq!(said["schema"], "holdpoint.policy-test/1");
    assert_eq!(said["cases"][0]["ruling"]["rule"], "production");
    assert_eq!(said["cases"][0]["at"], "2026-11-21T01:00:00.000Z");
}

#[test]
fn cases_that_come_out_otherwise_end_with_1_and_say_where_and_why() {
    let said = cases("cases-wrong.toml", &[]);
    assert_eq!(said.code, Some(1), "{said:?}");
    for words in [
        "cases-wrong.toml:6:19",
        "expected rule \"emergency\", policy says rule \"production\"",
        "rule \"emergency\" is passed over: it is about emergency",
        "expected low risk, policy says",
        "expected 1 of operations, policy says 1 of operations, 1 of security",
        "expected approval by policy alone, policy says approval by people",
        "expected a score of 3",
    ] {
        let said = said.err.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains(words), "{words}\n{said}");
    }
    // the same cases under another policy of the same room
    let stricter = fixtures().join("policy/stricter.toml");
    let stricter = stricter.display().to_string();
    let said = cases("cases-wrong.toml", &["--policy", &stricter]);
    assert_eq!(said.code, Some(2), "it has no rule `emergency`: {said:?}");
}

#[test]
fn cases_with_mistakes_end_with_2_and_name_the_nearest_word() {
    let said = cases("cases-bad.toml", &[]);
    assert_eq!(said.code, Some(2), "{said:?}");
    for words in [
        "cases-bad.toml:4:15",
        "did you mean `prod-eu`?",
        "did you mean `payments`?",
        "did you mean `production`?",
        "did you mean `security`?",
        "neither which plan nor which services",
        "not-there.toml",
        "this is no record of releases",
        "a case that expects nothing proves nothing",
    ] {
        let said = said.err.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains(words), "{words}\n{said}");
    }
}

#[test]
fn a_draft_of_the_same_state_rules_the_same() {
    let mut room = Room::new();
    let id = room.submit("pipeline", plan()).unwrap();
    let ruled = ruling(&room, id);
    let mut replayed = Draft::new(Default::default());
    for event in &room.draft.events {
        let event = Event::from_bytes(&event.to_bytes()).unwrap();
        holdpoint::domain::apply::apply(&mut replayed.state, &event);
    }
    assert_eq!(replayed.state, *room.state());
    assert_eq!(replayed.state.live[&id].ruling, Some(ruled));
}

#[test]
fn a_freeze_is_tried_before_the_night_it_matters() {
    let dir = tempfile::tempdir().unwrap();
    for file in ["room.toml", "people.toml", "catalog.toml", "policy.toml"] {
        std::fs::copy(fixtures().join("room").join(file), dir.path().join(file)).unwrap();
    }
    let freeze = "[[freeze]]\nname = \"year-end\"\nowner = \"operations\"\nproduction = true\n\
                  zone = \"Europe/Berlin\"\nstarts = \"2026-12-18T00:00\"\nends = \"2027-01-05T06:00\"\n";
    std::fs::write(dir.path().join("calendar.toml"), freeze).unwrap();
    let case = |name: &str, at: &str, kind: &str, allowed: bool| {
        format!(
            "[[case]]\nname = \"{name}\"\nat = \"{at}\"\nenvironment = \"prod-eu\"\nkind = \"{kind}\"\n\
             services = [\"payments\"]\nexpect = {{ allowed = {allowed} }}\n"
        )
    };
    let run = |cases: &[String]| {
        let file = dir.path().join("cases.toml");
        std::fs::write(&file, cases.concat()).unwrap();
        let file = file.display().to_string();
        holdpoint(dir.path(), &["policy", "test", &file])
    };
    let before = case("the evening before", "2026-12-17T23:59", "normal", true);
    let during = case("Christmas", "2026-12-24T20:00", "normal", false);
    let after = case("the first morning", "2027-01-05T06:00", "normal", true);
    let said = run(&[before.clone(), during, after]);
    assert_eq!(said.code, Some(0), "{said:?}");
    let said = run(&[
        before,
        case("hoped for", "2026-12-24T20:00", "normal", true),
    ]);
    assert_eq!(said.code, Some(1), "{said:?}");
    let words = said.err.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        words.contains("expected to be allowed, the calendar says: freeze year-end of operations"),
        "{words}"
    );
}
