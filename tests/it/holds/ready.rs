use std::sync::Arc;

use holdpoint::domain::readiness::{self, Accepts, Clearing, Evidence, FromPlan, Rule};
use holdpoint::domain::{Ask, Control, Phase, Refusal, ReleaseId, Span};
use serde_json::json;

use super::{charter, digest, folds_again, phase, plan, waive};
use crate::room::Room;

fn rule(check: &str, clearing: Clearing) -> Rule {
    Rule {
        check: check.into(),
        environments: ["prod".into()].into(),
        kinds: Default::default(),
        clearing,
        expires: None,
    }
}

fn evidence(accepts: Accepts, groups: &[&str], not_submitter: bool) -> Clearing {
    Clearing::Evidence {
        accepts: [accepts].into(),
        groups: groups.iter().map(|g| (*g).into()).collect(),
        not_submitter,
    }
}

fn room() -> Room {
    let mut charter = charter();
    let scan = Clearing::Command {
        argv: vec!["scan".into()],
        timeout: Span::mins(1),
        every: Span::mins(1),
    };
    charter.readiness = vec![
        rule("ticket-linked", Clearing::Plan(FromPlan::Ticket)),
        rule("digest-tested", evidence(Accepts::Digest, &[], false)),
        rule(
            "rollback-tested",
            evidence(Accepts::File, &["operations"], false),
        ),
        Rule {
            expires: Some(Span::mins(60)),
            ..rule("scan-clean", scan)
        },
        Rule {
            expires: Some(Span::mins(30)),
            ..rule(
                "go-no-go",
                evidence(Accepts::Statement, &["operations"], true),
            )
        },
    ];
    Room::of(charter)
}

fn give(
    room: &mut Room,
    who: &str,
    id: ReleaseId,
    check: &str,
    evidence: Evidence,
) -> Result<(), Refusal> {
    let ask = readiness::Ask::Evidence {
        release: id,
        check: check.into(),
        evidence,
    };
    room.person(who, Ask::Readiness(ask))
}

fn say(words: &str) -> Evidence {
    Evidence::Statement(words.into())
}

fn file() -> Evidence {
    Evidence::File {
        name: "report.html".into(),
        sha256: format!("sha256:{}", "d".repeat(64)).into(),
    }
}

fn tested() -> Evidence {
    Evidence::Digests(vec![digest("web", "5.0.0").into()])
}

fn ran(room: &mut Room, id: ReleaseId, pass: bool) {
    let digest = room.state().live.get(&id).unwrap().digest.clone();
    let words: Arc<str> = if pass { "exit 0" } else { "exit 3" }.into();
    let ask = readiness::Ask::Ran {
        release: id,
        check: "scan-clean".into(),
        digest,
        pass,
        words,
    };
    room.engine(Ask::Readiness(ask));
}

fn refused(said: Result<(), Refusal>) -> &'static str {
    said.unwrap_err().code()
}

fn submitted(room: &mut Room, who: &str) -> ReleaseId {
    let more = json!({"start": "manual", "tickets": ["https://tickets.example.com/1"]});
    let id = room
        .submit(who, plan("web", "5.0.0", "prod", more))
        .unwrap();
    room.see();
    id
}

#[test]
fn every_check_is_cleared_by_its_own_evidence() {
    let mut room = room();
    let id = submitted(&mut room, "ci");
    assert_eq!(
        room.waiting(id),
        "readiness: 4 of 5 checks open: digest-tested, rollback-tested, scan-clean and 1 more"
    );
    let said = room.control("ada", id, Control::Start);
    assert!(matches!(said, Err(Refusal::NotReady(_))), "{said:?}");
    // the wrong people, checks, kinds and artifacts
    assert_eq!(
        refused(give(&mut room, "guest", id, "digest-tested", tested())),
        "no-right"
    );
    assert_eq!(
        refused(give(&mut room, "mallory", id, "digest-tested", tested())),
        "no-identity"
    );
    assert_eq!(
        refused(give(&mut room, "ci", id, "rollback-tested", file())),
        "not-asked-for-evidence"
    );
    assert_eq!(
        refused(give(&mut room, "ada", id, "digest-testd", tested())),
        "unknown-check"
    );
    assert_eq!(
        refused(give(&mut room, "ada", id, "ticket-linked", say("yes"))),
        "decided-from-plan"
    );
    assert_eq!(
        refused(give(&mut room, "ada", id, "scan-clean", say("yes"))),
        "run-by-engine"
    );
    assert_eq!(
        refused(give(&mut room, "ada", id, "digest-tested", say("yes"))),
        "other-evidence"
    );
    assert_eq!(
        refused(give(&mut room, "ada", id, "go-no-go", say(" "))),
        "no-words"
    );
    let other = Evidence::Digests(vec![digest("web", "5.0.1").into()]);
    assert_eq!(
        refused(give(&mut room, "ci", id, "digest-tested", other)),
        "other-artifact"
    );
    let bad = Evidence::File {
        name: "x".into(),
        sha256: "sha256:12".into(),
    };
    assert_eq!(
        refused(give(&mut room, "ada", id, "rollback-tested", bad)),
        "bad-sha256"
    );
    // only the engine says how a command ended
    let forged = readiness::Ask::Ran {
        release: id,
        check: "scan-clean".into(),
        digest: "".into(),
        pass: true,
        words: "".into(),
    };
    assert_eq!(
        refused(room.person("ada", Ask::Readiness(forged))),
        "engine-only"
    );
    // the right ones
    give(&mut room, "ci", id, "digest-tested", tested()).unwrap();
    give(&mut room, "ada", id, "rollback-tested", file()).unwrap();
    ran(&mut room, id, false);
    assert_eq!(
        room.waiting(id),
        "readiness: 2 of 5 checks open: scan-clean failed, go-no-go"
    );
    let events = room.draft.events.len();
    ran(&mut room, id, false);
    assert_eq!(
        room.draft.events.len(),
        events,
        "the same failure again is no news"
    );
    ran(&mut room, id, true);
    give(&mut room, "ada", id, "go-no-go", say("go")).unwrap();
    assert_eq!(room.waiting(id), "start: start web 5.0.0");
    room.control("ada", id, Control::Start).unwrap();
    room.work();
    assert_eq!(phase(&room, id), Some(Phase::Observing));
    assert_eq!(
        refused(give(&mut room, "ada", id, "go-no-go", say("go"))),
        "has-begun"
    );
    folds_again(&room);
}

#[test]
fn who_brought_it_does_not_say_go() {
    let mut room = room();
    let id = submitted(&mut room, "ada");
    assert_eq!(
        refused(give(&mut room, "ada", id, "go-no-go", say("go"))),
        "own-check"
    );
    give(&mut room, "bo", id, "go-no-go", say("go")).unwrap();
    // nor does whoever started the pipeline
    let more = json!({"started_by": "bo"});
    let id = room
        .submit("ci", plan("ledger", "5.0.0", "prod", more))
        .unwrap();
    assert_eq!(
        refused(give(&mut room, "bo", id, "go-no-go", say("go"))),
        "own-check"
    );
    give(&mut room, "ada", id, "go-no-go", say("go")).unwrap();
}

#[test]
fn evidence_that_expires_opens_the_check_again_while_nothing_has_moved() {
    let mut room = room();
    let id = submitted(&mut room, "ci");
    give(&mut room, "ci", id, "digest-tested", tested()).unwrap();
    give(&mut room, "ada", id, "rollback-tested", file()).unwrap();
    ran(&mut room, id, true);
    give(&mut room, "ada", id, "go-no-go", say("go")).unwrap();
    assert_eq!(room.waiting(id), "start: start web 5.0.0");
    room.pass(Span::mins(30));
    assert_eq!(
        room.waiting(id),
        "readiness: 1 of 5 checks open: go-no-go expired"
    );
    let said = room.control("ada", id, Control::Start);
    assert!(matches!(said, Err(Refusal::NotReady(_))), "{said:?}");
    give(&mut room, "bo", id, "go-no-go", say("still go")).unwrap();
    assert_eq!(room.waiting(id), "start: start web 5.0.0");
    room.control("ada", id, Control::Start).unwrap();
    room.see();
    room.begin();
    assert_eq!(phase(&room, id), Some(Phase::Rolling));
    // what has begun is not stopped by it
    room.pass(Span::mins(120));
    assert_eq!(phase(&room, id), Some(Phase::Rolling));
    folds_again(&room);
}

#[test]
fn what_was_said_can_be_taken_back() {
    let mut room = room();
    let id = submitted(&mut room, "ci");
    let no = || Evidence::Revoked("the database is slow".into());
    assert_eq!(
        refused(give(&mut room, "bo", id, "go-no-go", no())),
        "nothing-to-revoke"
    );
    give(&mut room, "ada", id, "go-no-go", say("go")).unwrap();
    assert_eq!(
        refused(give(&mut room, "ci", id, "go-no-go", no())),
        "not-asked-for-evidence"
    );
    give(&mut room, "bo", id, "go-no-go", no()).unwrap();
    let release = room.state().live.get(&id).unwrap();
    let open = readiness::open(release, room.now);
    let go = open
        .iter()
        .find(|(rule, _)| rule.check.as_str() == "go-no-go")
        .unwrap();
    assert_eq!(go.1.words(), "bo: taken back: the database is slow");
    assert_eq!(go.1.word(), "failed");
}

#[test]
fn a_check_is_waived_by_somebody_else_with_that_right_and_a_reason() {
    let mut room = room();
    let id = room
        .submit("ci", plan("web", "5.0.0", "prod", json!({})))
        .unwrap();
    room.see();
    assert!(
        room.waiting(id)
            .contains("5 of 5 checks open: ticket-linked"),
        "{}",
        room.waiting(id)
    );
    let said = room.person("ada", waive(id, "readiness.scan-clean", "scanner is down"));
    assert_eq!(refused(said), "no-right");
    let said = room.person(
        "chief",
        waive(id, "readiness.scan-clena", "scanner is down"),
    );
    let said = said.unwrap_err().notice();
    assert!(
        said.next_step.contains("`readiness.scan-clean`"),
        "{said:?}"
    );
    for (hold, code) in [("b1.moved", "not-waivable"), ("observe", "not-waivable")] {
        assert_eq!(refused(room.person("chief", waive(id, hold, "hm"))), code);
    }
    room.person(
        "chief",
        waive(id, "readiness.scan-clean", "scanner is down"),
    )
    .unwrap();
    assert_eq!(
        refused(room.person("chief", waive(id, "readiness.scan-clean", "twice"))),
        "already-waived"
    );
    assert!(
        room.waiting(id).contains("4 of 5 checks open"),
        "{}",
        room.waiting(id)
    );
    room.person("chief", waive(id, "readiness", "the site is down"))
        .unwrap();
    room.work();
    assert_eq!(
        phase(&room, id),
        Some(Phase::Observing),
        "{}",
        room.waiting(id)
    );
    assert_eq!(
        refused(room.person("chief", waive(id, "targets", "x"))),
        "hold-passed"
    );
    // nobody waives what they brought themselves
    let own = room
        .submit("chief", plan("ledger", "5.0.0", "prod", json!({})))
        .unwrap();
    assert_eq!(
        refused(room.person("chief", waive(own, "readiness", "mine"))),
        "own-waiver"
    );
    folds_again(&room);
}

#[test]
fn a_new_rule_opens_the_checklist_of_what_has_not_begun() {
    let mut room = Room::of(charter());
    let id = submitted(&mut room, "ci");
    assert_eq!(room.waiting(id), "start: start web 5.0.0");
    let mut stricter = charter();
    stricter.readiness = vec![rule(
        "runbook-reviewed",
        evidence(Accepts::Statement, &[], false),
    )];
    room.engine(Ask::Adopt(Arc::new(stricter)));
    assert_eq!(
        room.waiting(id),
        "readiness: 1 of 1 check open: runbook-reviewed"
    );
    give(&mut room, "ada", id, "runbook-reviewed", say("read it")).unwrap();
    assert_eq!(room.waiting(id), "start: start web 5.0.0");
}
