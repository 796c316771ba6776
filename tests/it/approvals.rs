//! Approvals as people meet them: the real program, its socket, and several identities.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use holdpoint::config::tokens::TokenHash;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::shop::{Keeper, Said, Shop, ledger};
use crate::until::until;

/// Who sits in the CAB, and in which groups.
const PEOPLE: [(&str, &[&str]); 10] = [
    ("ci", &["pipelines"]),
    ("ada", &["operations"]),
    ("bo", &["operations"]),
    ("kim", &["security"]),
    ("lee", &["security"]),
    ("eva", &["security", "operations"]),
    ("dev", &["developers"]),
    ("dana", &["duty"]),
    ("omar", &["operations", "duty"]),
    ("guest", &[]),
];

const GROUPS: &str = r#"
[group.operations]
may = ["submit", "control"]
[group.security]
may = []
[group.pipelines]
may = ["submit"]
[group.developers]
may = ["submit"]
[group.duty]
may = ["overrule", "grant"]
"#;

const POLICY: &str = r#"
[[approval]]
kinds = ["emergency"]
needs = { operations = 1 }
expires = "1h"

[[approval]]
kinds = ["standard"]
needs = {}

[[approval]]
needs = { security = 1, operations = 1 }
excludes = ["authors", "starter"]
expires = "2h"
"#;

/// A room with a CAB, and its engine.
struct Cab {
    shop: Shop,
    _keeper: Keeper,
    _home: TempDir,
}

impl Cab {
    #[track_caller]
    fn new(policy: &str) -> Cab {
        let home = tempfile::tempdir().unwrap();
        let shop = Shop::new(&home.path().join("room"));
        let mut people = GROUPS.to_owned();
        for (name, groups) in PEOPLE {
            let token = format!("{name}-token");
            let file = shop.room.join(format!("keys/{name}.token"));
            fs::write(&file, &token).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
            let hash = TokenHash::of(&token);
            people +=
                &format!("[[person]]\nname = {name:?}\ngroups = {groups:?}\ntoken = \"{hash}\"\n");
        }
        fs::write(shop.room.join("people.toml"), people).unwrap();
        fs::write(shop.room.join("policy.toml"), policy).unwrap();
        let keeper = shop.serve();
        Cab {
            shop,
            _keeper: keeper,
            _home: home,
        }
    }

    fn say(&self, who: &str, line: &str) -> Said {
        let mut words = shlex::split(line).unwrap();
        words.extend(["--as", who, "--json"].map(str::to_owned));
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        self.shop.cli(&words)
    }

    #[track_caller]
    fn ok(&self, who: &str, line: &str) -> Value {
        let said = self.say(who, line);
        assert_eq!(said.code, Some(0), "{who}: {line}: {said:?}");
        said.json()
    }

    /// Refused with a code, a sentence and a next step.
    #[track_caller]
    fn refused(&self, who: &str, line: &str, code: &str) -> Value {
        let said = self.say(who, line);
        assert_eq!(
            (said.code, &*said.refusal()),
            (Some(1), code),
            "{who}: {line}: {said:?}"
        );
        let error: Value = serde_json::from_str(&said.err).unwrap();
        for key in ["headline", "next_step"] {
            assert_ne!(error[key], "", "{who}: {line}: {error}");
        }
        error
    }

    #[track_caller]
    fn submit(&self, number: u32, more: &str) -> String {
        let file = self.shop.plan("web", number, more);
        let said = self.ok("ci", &format!("release submit {}", file.display()));
        said["release"].as_str().unwrap().to_owned()
    }

    #[track_caller]
    fn show(&self, id: &str) -> Value {
        self.shop.show(id)
    }

    #[track_caller]
    fn next(&self, id: &str) -> String {
        self.show(id)["waiting"]["next"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    #[track_caller]
    fn approve(&self, id: &str) {
        self.ok("kim", &format!("vote {id} approve"));
        self.ok("bo", &format!("vote {id} approve"));
    }
}

#[test]
fn nobody_judges_their_own_work() {
    let cab = Cab::new(POLICY);
    let id = cab.submit(
        1,
        "start: manual\nauthors: [kim, stranger]\nstarted_by: bo\n",
    );
    let approve = format!("vote {id} approve");
    cab.refused("ci", &approve, "own-release");
    cab.refused("kim", &approve, "own-commits");
    cab.refused("bo", &approve, "own-pipeline");
    cab.refused("guest", &approve, "not-asked");
    cab.refused("dana", &approve, "not-asked");
    let said = cab.shop.cli(&["vote", &id, "approve", "--json"]);
    assert_eq!(said.refusal(), "no-identity", "{said:?}");
    // one person counts for one group only, whichever helps
    cab.ok("eva", &approve);
    cab.refused("ada", &format!("release start {id}"), "not-approved");
    assert_eq!(
        cab.next(&id),
        "ada or omar (operations) or lee (security) votes"
    );
    cab.ok("lee", &approve);
    let seen = cab.show(&id);
    assert!(
        seen["approved"].is_string() && seen["started"].is_null(),
        "{seen:#}"
    );
    assert_eq!(
        seen["waiting"]["next"],
        "approved, not started: ada, bo, eva or omar starts it"
    );
    cab.refused("kim", &format!("release start {id}"), "no-right");
    cab.ok("ada", &format!("release start {id}"));
    cab.refused("ada", &approve, "no-vote-now");
    cab.refused("lee", &format!("vote {id} withdraw"), "already-started");
}

#[test]
fn votes_can_be_taken_back_and_objections_overruled_until_the_start() {
    let cab = Cab::new(POLICY);
    let id = cab.submit(1, "start: manual\n");
    let vote = |what: &str| format!("vote {id} {what}");
    let start = format!("release start {id}");
    cab.refused("kim", &vote("withdraw"), "no-vote");
    cab.refused("kim", &vote("request-changes"), "no-words");
    cab.refused(
        "kim",
        &vote("approve --digest sha256:00000000"),
        "other-plan",
    );
    cab.approve(&id);
    assert!(cab.show(&id)["approved"].is_string());

    // an approval that is not covered any more is none
    cab.ok("lee", &vote("object --comment 'no way back'"));
    let seen = cab.show(&id);
    assert_eq!(seen["approved"], Value::Null, "{seen:#}");
    assert_eq!(seen["waiting"]["what"], "lee objects");
    assert_eq!(seen["waiting"]["names"], json!(["lee"]));
    cab.refused("ada", &start, "not-approved");

    let overrule =
        |whose: &str, why: &str| format!("release overrule {id} --objector {whose} --why '{why}'");
    cab.refused("ada", &overrule("lee", "tested"), "no-right");
    cab.refused("dana", &overrule("kim", "tested"), "no-objection");
    cab.refused("dana", &overrule("lee", " "), "no-words");
    cab.ok("omar", &vote("object"));
    cab.refused("omar", &overrule("omar", "tested"), "own-objection");
    cab.ok("omar", &vote("withdraw"));
    cab.ok("dana", &overrule("lee", "the way back was tested"));
    let seen = cab.show(&id);
    assert!(seen["approved"].is_string(), "{seen:#}");
    let votes = seen["votes"].as_array().unwrap();
    assert!(
        votes.iter().any(|v| v["overruled_by"] == "dana"),
        "{votes:#?}"
    );

    // who objects anew blocks anew; withdrawn, nothing stands in the way
    cab.ok("lee", &vote("object --comment 'it was not'"));
    cab.refused("ada", &start, "not-approved");
    cab.ok("lee", &vote("withdraw"));
    cab.ok("bo", &vote("withdraw"));
    cab.refused("ada", &start, "not-approved");
    cab.ok("bo", &vote("approve"));
    cab.ok("ada", &start);

    // without votes nothing is overruled, nor on one's own work
    let free = cab.submit(2, "start: manual\nkind: standard\n");
    cab.refused("kim", &format!("vote {free} approve"), "no-vote-now");
    let own = cab.shop.plan("api", 1, "start: manual\n");
    let own = cab.ok("omar", &format!("release submit {}", own.display()));
    let own = own["release"].as_str().unwrap();
    cab.ok("kim", &format!("vote {own} object"));
    let line = format!("release overrule {own} --objector kim --why because");
    cab.refused("omar", &line, "own-release");
    let said = cab.ok("omar", &format!("release cancel {own}"));
    assert_eq!(said["phase"], "closed");
    assert_eq!(cab.show(own)["ending"], "withdrawn");
    cab.ok("ada", &format!("release cancel {free}"));
    assert_eq!(cab.show(&free)["ending"], "cancelled");
}

#[test]
fn changes_are_asked_for_and_made_and_the_release_keeps_its_place() {
    let cab = Cab::new(POLICY);
    let id = cab.submit(1, "start: manual\n");
    let update = |file: &std::path::Path| format!("release update {id} {}", file.display());
    cab.approve(&id);
    cab.ok(
        "lee",
        &format!("vote {id} request-changes --comment 'name the ticket'"),
    );
    let seen = cab.show(&id);
    assert_eq!(seen["waiting"]["names"], json!(["ci"]), "{seen:#}");
    let next = "ci changes the plan (release update), or lee votes anew";
    assert_eq!(seen["waiting"]["next"], next);
    let before = seen["digest"].clone();

    let same = cab.shop.plan("web", 1, "start: manual\n");
    cab.refused("ci", &update(&same), "same-plan");
    let file = cab.shop.plan("web", 1, "start: manual\ntickets: [OPS-1]\n");
    cab.refused("kim", &update(&file), "no-right");
    let other = cab.submit(9, "start: manual\n");
    let taken = cab.shop.plan("web", 9, "start: manual\n");
    cab.refused("ci", &update(&taken), "name-taken");
    cab.ok("ci", &format!("release cancel {other}"));
    cab.refused("ci", &update(&taken).replace(&id, &other), "release-closed");
    let wrong = cab.shop.plan("web", 8, "tickts: [OPS-1]\n");
    let said = cab.say("ci", &update(&wrong));
    assert_eq!(
        (said.code, &*said.refusal()),
        (Some(2), "unknown-key"),
        "{said:?}"
    );
    let file = cab.shop.plan("web", 1, "start: manual\ntickets: [OPS-1]\n");

    let rehearsal = cab.ok("ci", &format!("{} --dry-run", update(&file)));
    assert_eq!(
        rehearsal["changes"],
        json!([{"path": "tickets", "from": null, "to": "OPS-1"}])
    );
    assert_eq!(rehearsal["voids"], true);
    assert_eq!(rehearsal["voided"], json!(["bo", "kim", "lee"]));
    assert_eq!(cab.show(&id)["digest"], before);

    // somebody else changes it: they are as little a judge of it as who submitted it
    let said = cab.ok("ada", &update(&file));
    assert_eq!(
        (said["did"].as_str(), said["release"].as_str()),
        (Some("updated"), Some(&*id))
    );
    let seen = cab.show(&id);
    assert_ne!(seen["digest"], before);
    assert_eq!(
        (&seen["votes"], &seen["approved"]),
        (&json!([]), &Value::Null),
        "{seen:#}"
    );
    assert_eq!(seen["changed"][0]["by"], "ada");
    assert_eq!(seen["changed"][0]["was"], before);
    let log = seen["log"].to_string();
    assert!(
        log.contains("name the ticket") && log.contains("all votes are void"),
        "{log}"
    );
    cab.refused("ada", &format!("vote {id} approve"), "own-change");
    let digest = before.as_str().unwrap();
    cab.refused(
        "kim",
        &format!("vote {id} approve --digest {digest}"),
        "other-plan",
    );
    let page = cab.shop.cli(&["release", "show", &id]).out;
    assert!(page.contains("tickets: added OPS-1"), "{page}");

    cab.approve(&id);
    cab.ok("ada", &format!("release start {id}"));
    let late = cab.shop.plan("web", 1, "start: manual\ntickets: [OPS-2]\n");
    cab.refused("ci", &update(&late), "plan-fixed");
    let entries = ledger(&cab.shop.room);
    let changed = entries.iter().filter(|e| {
        let told = &e["event"]["what"]["approval"]["plan-changed"];
        told["voids"] == true && told["changes"][0]["path"] == "tickets"
    });
    assert_eq!(changed.count(), 1);
}

const WINDOW: &str = "start: manual\nwindow: { opens: 2036-11-21T02:00, closes: ";

#[test]
fn a_window_alone_leaves_the_votes_where_policy_lets_it() {
    for binds in [false, true] {
        let cab = Cab::new(&format!("{POLICY}window_binds = {binds}\n"));
        let id = cab.submit(1, &format!("{WINDOW}2036-11-21T04:00 }}\n"));
        cab.approve(&id);
        let longer = cab
            .shop
            .plan("web", 1, &format!("{WINDOW}2036-11-21T05:00 }}\n"));
        cab.ok("ci", &format!("release update {id} {}", longer.display()));
        let seen = cab.show(&id);
        assert_eq!(
            seen["votes"].as_array().unwrap().is_empty(),
            binds,
            "{seen:#}"
        );
        assert_eq!(seen["approved"].is_null(), binds, "{seen:#}");
        // going without a window is more than another window
        let never = cab.shop.plan("web", 1, "start: manual\n");
        cab.ok("ci", &format!("release update {id} {}", never.display()));
        assert_eq!(cab.show(&id)["votes"], json!([]));
    }
}

#[test]
fn a_vote_that_lapses_takes_the_approval_with_it() {
    let cab = Cab::new(&format!("{POLICY}vote_lasts = \"3s\"\n"));
    let id = cab.submit(1, "start: manual\n");
    cab.approve(&id);
    let seen = cab.show(&id);
    assert!(seen["votes"][0]["lapses"].is_string(), "{seen:#}");
    let seen = until(
        "the end of the votes",
        || cab.show(&id),
        |seen| seen["approved"].is_null() && seen["waiting"]["word"] == "approval",
    );
    assert!(
        seen["log"].to_string().contains("approved no longer"),
        "{seen:#}"
    );
    // a started release that waits for its window needs them as well: somebody presses start anew
    let night = format!("{WINDOW}2036-11-21T04:00 }}\n");
    let night = cab.shop.plan("api", 1, &night);
    let night = cab.ok("ci", &format!("release submit {}", night.display()));
    let night = night["release"].as_str().unwrap();
    cab.approve(night);
    cab.ok("ada", &format!("release start {night}"));
    let open = |seen: &Value| seen["waiting"]["word"] == "approval" && seen["started"].is_null();
    until("the question anew", || cab.show(night), open);
    let said = cab.say("kim", &format!("vote {night} approve"));
    assert_eq!(said.code, Some(0), "{said:?}");
}

const GROUNDS: &str =
    "kind: emergency\nemergency: { incident: INC-90, reason: checkout fails, lasts: ";

#[test]
fn an_emergency_has_grounds_two_people_a_box_and_a_review() {
    let cab = Cab::new(POLICY);
    for (more, code) in [
        ("kind: emergency\n", "emergency-without-grounds"),
        (&*format!("{GROUNDS}100ms }}\n"), "box-too-short"),
        (&*format!("{GROUNDS}30d }}\n"), "box-too-long"),
        (
            "kind: emergency\nemergency: { incident: ' ', reason: so, lasts: 1h }\n",
            "empty-grounds",
        ),
        (
            "emergency: { incident: INC-1, reason: so, lasts: 1h }\n",
            "no-emergency",
        ),
    ] {
        let file = cab.shop.plan("web", 7, more);
        let said = cab.say("ci", &format!("release submit {}", file.display()));
        assert_eq!((said.code, &*said.refusal()), (Some(2), code), "{said:?}");
    }
    // one vote of operations is enough, and it begins by itself; it stands at a manual hold until
    // its box ends
    let hold = "batches:\n  - { exposure: 50%, after: [{ manual: {} }] }\n  - exposure: full\n";
    let id = cab.submit(1, &format!("{GROUNDS}4s }}\n{hold}"));
    cab.refused("kim", &format!("vote {id} approve"), "not-asked");
    cab.refused("ada", &format!("pir close {id} --findings x"), "no-pir");
    cab.ok("bo", &format!("vote {id} approve"));
    until(
        "its start",
        || cab.show(&id),
        |seen| !seen["started"].is_null(),
    );
    let open = cab.ok("guest", "pir list");
    assert_eq!(
        (&open["release"], &open["incident"], &open["owner"]),
        (&json!(id), &json!("INC-90"), &json!("ci")),
        "{open}"
    );
    assert_eq!(cab.shop.ending(&id), "rolled-back");
    let why = cab.show(&id)["why"].clone();
    assert_eq!(why, "its time box of 4 s is over");

    let close = |text: &str| format!("pir close {id} --findings '{text}'");
    cab.refused("kim", &close("a lock was missing"), "not-your-pir");
    cab.refused("ci", &close(""), "no-findings");
    cab.ok("ada", &close("a lock was missing"));
    cab.refused("ci", &close("a lock was missing"), "pir-closed");
    assert_eq!(cab.say("guest", "pir list").out, "");
    let all = cab.ok("guest", "pir list --all");
    assert_eq!(
        (&all["closed_by"], &all["findings"]),
        (&json!("ada"), &json!("a lock was missing"))
    );
    let said = cab
        .shop
        .cli(&["pir", "close", &id, "--findings", "x", "--json"]);
    assert_eq!(said.refusal(), "no-identity", "{said:?}");
}

#[test]
fn behind_an_emergency_without_votes_stands_a_second_person() {
    let cab = Cab::new("[[approval]]\nneeds = {}\n");
    // `auto` would be nobody's decision but the submitter's
    let file = cab
        .shop
        .plan("web", 1, &format!("{GROUNDS}1h }}\nstart: auto\n"));
    let said = cab.ok("ada", &format!("release submit {}", file.display()));
    let id = said["release"].as_str().unwrap();
    cab.refused("ada", &format!("release start {id}"), "second-person");
    cab.ok("bo", &format!("release start {id}"));
    assert_eq!(cab.shop.ending(id), "succeeded");
    let open = cab.ok("guest", "pir list");
    assert_eq!(
        (&open["owner"], &open["overdue"]),
        (&json!("bo"), &json!(false))
    );
}

#[test]
fn authority_is_given_for_a_while_by_who_may_and_never_to_oneself() {
    let cab = Cab::new(POLICY);
    let id = cab.submit(1, "start: manual\n");
    let grant = |to: &str, rest: &str| format!("authority grant {to} {rest} --why 'ada is ill'");
    let control = "--right control --environment prod --for 1h";
    cab.refused("ada", &grant("bo", control), "no-right");
    cab.refused("dana", &grant("dana", control), "to-oneself");
    cab.refused("dana", &grant("bob", control), "unknown-name");
    cab.refused(
        "dana",
        &grant("dev", "--right grant --environment prod --for 1h"),
        "not-grantable",
    );
    cab.refused(
        "dana",
        &grant("dev", "--right control --environment prod --for 0"),
        "bad-time",
    );
    cab.refused(
        "dana",
        &grant("dev", "--right control --environment prod --for 8d"),
        "bad-time",
    );
    cab.refused(
        "dana",
        &grant("dev", "--right control --environment pord --for 1h"),
        "unknown-name",
    );
    cab.refused(
        "dana",
        &grant("dev", "--right control --service wbe --for 1h"),
        "unknown-name",
    );
    cab.refused(
        "dana",
        &grant("dev", "--group securty --service web --for 1h"),
        "unknown-name",
    );
    let line = "authority grant dev --right control --service web --for 1h --why ''";
    cab.refused("dana", line, "no-reason");
    cab.refused("dana", "authority revoke G-1", "no-grant");
    assert_eq!(cab.say("dana", "authority revoke 1").code, Some(2));
    let said = cab.say(
        "dana",
        "authority grant dev --right control --for 1h --why x",
    );
    assert_eq!(said.code, Some(2), "{said:?}");
    let said = cab.shop.cli(&["authority", "revoke", "G-1", "--json"]);
    assert_eq!(said.refusal(), "no-identity", "{said:?}");

    // a vote of security for this release, and control over the service
    cab.refused("guest", &format!("vote {id} approve"), "not-asked");
    let vote = format!("--group security --release {id} --for 1h");
    let given = cab.ok("dana", &grant("guest", &vote));
    assert_eq!(
        (&given["id"], &given["state"]),
        (&json!("G-1"), &json!("holds")),
        "{given}"
    );
    assert!(
        cab.next(&id).contains("eva, guest, kim or lee (security)"),
        "{}",
        cab.next(&id)
    );
    cab.ok("guest", &format!("vote {id} approve"));
    cab.ok("bo", &format!("vote {id} approve"));
    cab.refused("dev", &format!("release start {id}"), "no-right");
    cab.ok(
        "dana",
        &grant("dev", "--right control --service web --for 3s"),
    );
    // what is given for a while is not handed on
    cab.refused("dev", &grant("guest", control), "no-right");
    cab.ok("dev", &format!("release start {id}"));
    until(
        "the end of the authority",
        || cab.say("dev", &format!("release pause {id}")),
        |said| said.refusal() == "no-right" || said.refusal() == "release-closed",
    );
    let open = cab.say("guest", "authority list").lines();
    assert_eq!(open.len(), 1, "{open:?}");
    cab.refused("kim", "authority revoke G-1", "no-right");
    assert_eq!(
        cab.ok("guest", "authority revoke G-1")["revoked_by"],
        "guest"
    );
    cab.refused("dana", "authority revoke G-1", "no-grant");
    let all = cab.say("guest", "authority list --all").lines();
    let states: Vec<&Value> = all.iter().map(|g| &g["state"]).collect();
    assert_eq!(states, ["revoked", "ended"]);
}

#[test]
fn nobody_makes_the_voters_for_their_own_release() {
    let cab = Cab::new(POLICY);
    let file = cab.shop.plan("web", 1, "start: manual\n");
    let said = cab.ok("omar", &format!("release submit {}", file.display()));
    let id = said["release"].as_str().unwrap();
    let line = "authority grant guest --group security --environment prod --for 1h --why quick";
    cab.ok("omar", line);
    cab.refused("guest", &format!("vote {id} approve"), "own-grant");
    cab.ok("dana", line);
    cab.ok("guest", &format!("vote {id} approve"));
}

#[test]
fn over_restarts_everything_stands_as_it_was() {
    let mut cab = Cab::new(POLICY);
    let id = cab.submit(1, "start: manual\n");
    cab.ok("lee", &format!("vote {id} object --comment no"));
    cab.ok(
        "dana",
        &format!("release overrule {id} --objector lee --why tested"),
    );
    cab.ok(
        "dana",
        &format!("authority grant guest --group security --release {id} --for 1h --why x"),
    );
    let file = cab.shop.plan("web", 1, "start: manual\ntickets: [OPS-1]\n");
    cab.ok("ci", &format!("release update {id} {}", file.display()));
    cab.ok("guest", &format!("vote {id} approve"));
    let before = cab.show(&id);
    let fresh = {
        let old = std::mem::replace(
            &mut cab._keeper,
            Keeper {
                child: std::process::Command::new("true").spawn().unwrap(),
                hello: Value::Null,
            },
        );
        old.kill();
        cab.shop.serve()
    };
    cab._keeper = fresh;
    let after = cab.show(&id);
    for key in ["digest", "votes", "changed", "approval"] {
        assert_eq!(before[key], after[key], "{key}");
    }
    assert_eq!(cab.say("guest", "authority list").lines().len(), 1);
}
