//! The authority table: every role, every command, every state, compared with `decide`.
//!
//! It is kept in `tests/it/authority.txt` to be read by people who answer for who may do what. A
//! change of it is a change of who may do what: `HOLDPOINT_UPDATE_AUTHORITY=1` writes it anew, and
//! the difference belongs under somebody's eyes.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use holdpoint::domain::approval::{Ask as Approval, Exclusion};
use holdpoint::domain::authority::{Ask as Authority, Gift, GrantId, Scope};
use holdpoint::domain::calendar::{self, Calendar, ExemptionId, LockdownId, Wish};
use holdpoint::domain::charter::{ApprovalRule, Environment, Group, Person, Right};
use holdpoint::domain::pir::Ask as Pir;
use holdpoint::domain::readiness::{Ask as Readiness, Evidence};
use holdpoint::domain::{
    Actor, Ask, Choice, Command, Control, Door, Phase, Plan, ReleaseId, Span, decide,
};
use serde_json::json;

use crate::room::{Room, START, charter, plan};

/// A role, who plays it, and in which groups.
const ROLES: [(&str, &str, &[&str]); 10] = [
    ("submitter", "pipeline", &["pipelines", "security"]),
    ("author", "ann", &["security", "operations"]),
    ("starter", "stig", &["operations", "duty"]),
    ("security", "kim", &["security"]),
    ("operator", "bo", &["operations"]),
    ("developer", "dev", &["pipelines"]),
    ("duty", "dana", &["duty"]),
    ("borrower", "gert", &[]),
    ("guest", "guest", &[]),
    ("stranger", "mallory", &[]),
];

/// Everything that a person can ask, by the words of the command line.
fn asks(release: ReleaseId, changed: &Arc<Plan>, fresh: &Arc<Plan>) -> Vec<(&'static str, Ask)> {
    let vote = |choice| Ask::Vote {
        release,
        choice,
        comment: "because".into(),
        digest: None,
    };
    let control = |control| Ask::Control { release, control };
    vec![
        (
            "release submit",
            Ask::Submit {
                plan: fresh.clone(),
            },
        ),
        (
            "release update",
            Ask::Approval(Approval::Update {
                release,
                plan: changed.clone(),
            }),
        ),
        ("vote approve", vote(Choice::Approve)),
        ("vote reject", vote(Choice::Reject)),
        ("vote object", vote(Choice::Object)),
        ("vote request-changes", vote(Choice::RequestChanges)),
        ("vote abstain", vote(Choice::Abstain)),
        (
            "vote withdraw",
            Ask::Approval(Approval::Withdraw { release }),
        ),
        (
            "release overrule",
            Ask::Approval(Approval::Overrule {
                release,
                whose: "olga".into(),
                why: "tested".into(),
            }),
        ),
        (
            "release evidence",
            Ask::Readiness(Readiness::Evidence {
                release,
                check: "go-no-go".into(),
                evidence: Evidence::Statement("go".into()),
            }),
        ),
        (
            "release waive",
            Ask::Waive {
                release,
                hold: "dependency".into(),
                reason: "agreed".into(),
            },
        ),
        ("release start", control(Control::Start)),
        ("release pause", control(Control::Pause { why: "".into() })),
        ("release resume", control(Control::Resume)),
        ("release promote", control(Control::Promote { seen: None })),
        (
            "release promote --all",
            control(Control::PromoteAll { why: "fix".into() }),
        ),
        ("release retry", control(Control::Retry { instance: None })),
        (
            "release rollback",
            control(Control::RollBack { why: "".into() }),
        ),
        (
            "release cancel",
            control(Control::Cancel { why: "".into() }),
        ),
        (
            "release handover",
            control(Control::HandOver {
                note: "quiet".into(),
            }),
        ),
        (
            "authority grant",
            Ask::Authority(Authority::Grant {
                to: "olga".into(),
                gift: Gift::Right(Right::Control),
                scope: Scope::Environment("prod-eu".into()),
                lasts: Span::mins(60),
                why: "ill".into(),
            }),
        ),
        (
            "authority revoke",
            Ask::Authority(Authority::Revoke { grant: GrantId(1) }),
        ),
        (
            "pir close",
            Ask::Pir(Pir::Close {
                release,
                findings: "a lock was missing".into(),
            }),
        ),
    ]
}

/// The same of the calendar.
fn calendar_asks() -> Vec<(&'static str, Ask)> {
    vec![
        (
            "calendar exempt",
            Ask::Calendar(calendar::Ask::Request(wish())),
        ),
        (
            "calendar approve",
            Ask::Calendar(calendar::Ask::Approve(ExemptionId(1))),
        ),
        (
            "calendar revoke",
            Ask::Calendar(calendar::Ask::Revoke(ExemptionId(1), "over".into())),
        ),
        ("calendar lockdown", Ask::Calendar(lockdown())),
        (
            "calendar lift",
            Ask::Calendar(calendar::Ask::Lift(LockdownId(1), "over".into())),
        ),
    ]
}

/// The calendar's commands are about staging, so that they change nothing for the release.
fn staging() -> calendar::Scope {
    calendar::Scope {
        environments: ["staging".into()].into(),
        ..calendar::Scope::default()
    }
}

fn wish() -> Wish {
    Wish {
        rule: "year-end".into(),
        scope: staging(),
        release: None,
        reason: "payroll".into(),
        ticket: "OPS-7".into(),
        until: START.plus(Span::mins(24 * 60)),
    }
}

fn lockdown() -> calendar::Ask {
    calendar::Ask::LockDown {
        scope: staging(),
        reason: "suspected break-in".into(),
    }
}

/// A room in which every role is played, and a plan with its author and its pipeline's starter.
fn staged(more: serde_json::Value) -> (Room, ReleaseId) {
    let mut charter = charter();
    let person = |groups: &[&str]| Person {
        full_name: "".into(),
        groups: groups.iter().map(|g| (*g).into()).collect(),
        sample: false,
    };
    charter.people = ROLES
        .iter()
        .filter(|(role, ..)| *role != "stranger")
        .map(|(_, name, groups)| ((*name).into(), person(groups)))
        .collect();
    charter
        .people
        .insert("olga".into(), person(&["operations"]));
    let duty = Group {
        may: [
            Right::Overrule,
            Right::Grant,
            Right::Waive,
            Right::Exempt,
            Right::Lockdown,
        ]
        .into(),
        environments: Default::default(),
    };
    charter.groups.insert("duty".into(), duty);
    charter.people.insert("otto".into(), person(&["duty"]));
    let production = charter.environments.values().next().unwrap();
    let elsewhere = Environment {
        production: false,
        ..production.clone()
    };
    charter.environments.insert("staging".into(), elsewhere);
    let freeze = json!({"freezes": [{
        "name": "year-end", "owner": "finance", "reason": "", "scope": {"environments": ["staging"]},
        "when": {"zone": "UTC", "starts": "2026-11-20T00:00", "lasts": "40d"},
        "running": "finish-batch",
    }]});
    charter.calendar = serde_json::from_value::<Calendar>(freeze).unwrap();
    let rule: &mut ApprovalRule = &mut charter.approvals[0];
    rule.excludes = [Exclusion::Authors, Exclusion::Starter].into();
    let mut room = Room::new();
    room.engine(Ask::Adopt(Arc::new(charter)));
    let id = room.submit("pipeline", written(more)).unwrap();
    let grant = Ask::Authority(Authority::Grant {
        to: "gert".into(),
        gift: Gift::Right(Right::Control),
        scope: Scope::Release(id),
        lasts: Span::mins(24 * 60),
        why: "bo is ill".into(),
    });
    room.person("dana", grant).unwrap();
    for ask in [calendar::Ask::Request(wish()), lockdown()] {
        room.person("otto", Ask::Calendar(ask)).unwrap();
    }
    (room, id)
}

/// The plan, with its people and some fields more.
fn written(more: serde_json::Value) -> Plan {
    let mut value = serde_json::to_value(plan()).unwrap();
    let fields = value.as_object_mut().unwrap();
    fields.insert("authors".into(), json!(["ann"]));
    fields.insert("started_by".into(), json!("stig"));
    fields.extend(more.as_object().cloned().unwrap_or_default());
    serde_json::from_value(value).unwrap()
}

fn asked() -> (Room, ReleaseId) {
    staged(json!({}))
}

fn objected() -> (Room, ReleaseId) {
    let (mut room, id) = asked();
    room.vote("olga", id, Choice::Object).unwrap();
    room.vote("kim", id, Choice::Approve).unwrap();
    (room, id)
}

fn approved(more: serde_json::Value) -> (Room, ReleaseId) {
    let (mut room, id) = staged(more);
    room.vote("kim", id, Choice::Approve).unwrap();
    room.vote("olga", id, Choice::Approve).unwrap();
    assert!(
        room.waiting(id).starts_with("start:"),
        "{}",
        room.waiting(id)
    );
    (room, id)
}

fn started(more: serde_json::Value) -> (Room, ReleaseId) {
    let (mut room, id) = approved(more);
    room.see();
    room.control("olga", id, Control::Start).unwrap();
    (room, id)
}

fn moving() -> (Room, ReleaseId) {
    let (mut room, id) = started(json!({}));
    assert!(room.begin(), "{}", room.waiting(id));
    (room, id)
}

fn failed() -> (Room, ReleaseId) {
    let (mut room, id) = started(json!({}));
    room.fails = vec!["i-1".into()];
    room.work();
    assert!(
        room.waiting(id).starts_with("failed:"),
        "{}",
        room.waiting(id)
    );
    (room, id)
}

fn held() -> (Room, ReleaseId) {
    let batches = json!([{"exposure": "50%"}, {"exposure": "full", "before": [{"manual": {}}]}]);
    let (mut room, id) = started(json!({"batches": batches}));
    room.work();
    assert!(
        room.waiting(id).starts_with("manual:"),
        "{}",
        room.waiting(id)
    );
    (room, id)
}

fn paused() -> (Room, ReleaseId) {
    let (mut room, id) = held();
    room.control("olga", id, Control::Pause { why: "".into() })
        .unwrap();
    (room, id)
}

fn observed(more: serde_json::Value) -> (Room, ReleaseId) {
    let mut fields = json!({"batches": [{"exposure": "full"}]});
    fields
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().cloned().unwrap_or_default());
    let (mut room, id) = started(fields);
    room.work();
    assert_eq!(room.state().live.get(&id).unwrap().phase, Phase::Observing);
    (room, id)
}

fn going_back() -> (Room, ReleaseId) {
    let (mut room, id) = held();
    room.control("olga", id, Control::RollBack { why: "".into() })
        .unwrap();
    (room, id)
}

fn closed() -> (Room, ReleaseId) {
    let (mut room, id) = asked();
    room.vote("kim", id, Choice::Reject).unwrap();
    (room, id)
}

fn states() -> Vec<(&'static str, (Room, ReleaseId))> {
    let emergency = json!({
        "kind": "emergency",
        "emergency": {"incident": "INC-90", "reason": "down", "lasts": "2h"},
    });
    let night = json!({"window": {"opens": "2036-11-21T02:00", "closes": "2036-11-21T04:00"}});
    vec![
        ("asked: no vote yet", asked()),
        (
            "objected: kim has approved, olga (operations) objects",
            objected(),
        ),
        ("approved: nobody has pressed start", approved(json!({}))),
        ("started: waits for its window", started(night)),
        ("moving: calls run", moving()),
        ("failed: a call has failed", failed()),
        ("held: stands at a manual hold", held()),
        ("paused: at a manual hold", paused()),
        (
            "observed: everything runs the new version",
            observed(json!({})),
        ),
        (
            "observed, an emergency: its review is open",
            observed(emergency),
        ),
        ("going back", going_back()),
        ("closed: rejected", closed()),
    ]
}

const HEAD: &str = "\
Who may do what, in which state: `decide` says so, and this file is compared with it by a test.

  submitter   submitted the release; in security besides
  author      wrote commits in it; in security and operations. Policy excludes authors
  starter     started its pipeline; in operations (submit, control) and duty. Policy excludes starters
  security    in the group security, which has no rights and one vote
  operator    in operations, which may submit and control, and has one vote
  developer   may submit
  duty        may overrule, grant, waive, exempt and lock down
  borrower    in no group; has the right control on this release for a while (G-1)
  guest       in no group
  stranger    somebody the room does not know

The calendar's commands are about staging: exemption X-1 and lockdown L-1 are those of otto (duty).

A line has who may, then who may not under the code of the refusal.
";

fn table() -> String {
    let mut text = HEAD.to_owned();
    for (state, (room, id)) in states() {
        let _ = writeln!(text, "\n{state}\n");
        let changed = Arc::new(written(
            json!({"tickets": ["OPS-1"], "name": "payments-4.12"}),
        ));
        let fresh = Arc::new(written(json!({"name": "another"})));
        for (word, ask) in asks(id, &changed, &fresh)
            .into_iter()
            .chain(calendar_asks())
        {
            let mut by_answer: BTreeMap<(bool, &str), Vec<&str>> = BTreeMap::new();
            for (role, name, _) in ROLES {
                let command = Command {
                    at: room.now,
                    who: Actor::Person(name.into()),
                    door: Door::Socket { uid: 1000 },
                    ask: ask.clone(),
                };
                let key = match decide(room.state(), &command) {
                    Ok(events) => {
                        assert!(!events.is_empty(), "{state}: {word}: {role}");
                        (false, "may")
                    }
                    Err(refusal) => (true, refusal.code()),
                };
                by_answer.entry(key).or_default().push(role);
            }
            let _ = write!(text, "  {word:<22}");
            let mut parts = Vec::new();
            for ((_, answer), roles) in &by_answer {
                let who = match roles.len() {
                    n if n == ROLES.len() => "everybody".to_owned(),
                    _ => roles.join(" "),
                };
                parts.push(format!("{answer}: {who}"));
            }
            let _ = writeln!(text, "{}", parts.join(" | "));
        }
    }
    text
}

#[test]
fn the_authority_table_is_what_decide_says() {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/authority.txt");
    let now = table();
    if std::env::var_os("HOLDPOINT_UPDATE_AUTHORITY").is_some() {
        std::fs::write(&file, &now).unwrap();
    }
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    let pairs = now.lines().zip(kept.lines()).enumerate();
    let different: Vec<String> = pairs
        .filter(|(_, (now, kept))| now != kept)
        .map(|(n, (now, kept))| format!("line {}:\n  kept   {kept}\n  decide {now}", n + 1))
        .collect();
    assert!(
        now == kept,
        "who may do what has changed; HOLDPOINT_UPDATE_AUTHORITY=1 writes {} anew\n{}",
        file.display(),
        different.join("\n")
    );
}

/// Stopping needs the right to control and nothing else, whoever votes or objects.
#[test]
fn pause_and_rollback_are_refused_only_for_lack_of_the_right() {
    let mut answered = 0;
    for (state, (room, id)) in states() {
        let Some(release) = room.state().live.get(&id) else {
            continue;
        };
        let back = release.touched().next().is_some() && release.phase != Phase::RollingBack;
        let mut stops = vec![];
        if release.paused.is_none() {
            stops.push(Control::Pause { why: "".into() });
        }
        if back {
            stops.push(Control::RollBack { why: "".into() });
        }
        for control in stops {
            for who in ["bo", "ann", "stig", "gert"] {
                let command = Command {
                    at: room.now,
                    who: Actor::Person(who.into()),
                    door: Door::Socket { uid: 1000 },
                    ask: Ask::Control {
                        release: id,
                        control: control.clone(),
                    },
                };
                let answer = decide(room.state(), &command);
                assert!(answer.is_ok(), "{state}: {who}: {control:?}: {answer:?}");
                answered += 1;
            }
        }
    }
    assert!(answered > 40, "{answered}");
}
