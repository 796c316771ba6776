//! The same over the command line: real processes, a real room.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

use crate::cli::Place;
use crate::until::until;

/// A room whose operations may waive, with this added to its policy.
fn place(policy: &str) -> Place {
    let place = Place::new();
    let change = |file: &str, change: &dyn Fn(String) -> String| {
        let path = place.room().join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, change(text)).unwrap();
    };
    change("people.toml", &|text| {
        let may = "[group.operations]\nmay = [\"submit\", ";
        assert!(text.contains(may), "{text}");
        text.replace(may, &format!("{may}\"waive\", "))
    });
    change("policy.toml", &|text| format!("{text}\n{policy}"));
    place
}

/// Writes a plan for staging that starts by itself; `more` is added to it.
fn plan(place: &Place, name: &str, service: &str, more: &str) -> String {
    let file = place.home.path().join(format!("{name}.yaml"));
    let digest = "ab54a98ceb1f0ad2".repeat(4);
    let text = format!(
        "name: {name}\ntitle: {service} as {name}\nkind: standard\nenvironment: staging\n\
         services: [{{ service: {service}, version: 9.0.4, digest: \"sha256:{digest}\" }}]\n\
         start: auto\nobserve: {{ for: 1s }}\n{more}\n"
    );
    let batches = match more.contains("batches:") {
        true => "",
        false => "batches: [{ exposure: full }]\n",
    };
    std::fs::write(&file, text + batches).unwrap();
    format!("release submit {} --as dev", file.display())
}

fn waits(place: &Place, release: &str) -> String {
    let shown = place.ok(&format!("release show {release} --json")).json();
    let waiting = &shown["waiting"];
    format!(
        "{}: {}",
        waiting["word"].as_str().unwrap_or_default(),
        waiting["what"].as_str().unwrap_or_default()
    )
}

#[test]
fn a_chain_of_three_in_a_shell() {
    let place = place("");
    let _engine = place.serve();
    let third = plan(&place, "third", "search", "needs: [{ release: second }]");
    let second = plan(&place, "second", "checkout", "needs: [{ release: first }]");
    place.ok(&third);
    place.ok(&second);
    assert_eq!(
        waits(&place, "second"),
        "dependency: no release is called first yet"
    );
    // a circle is refused, and shown
    let circle = plan(&place, "first", "payments", "needs: [{ release: third }]");
    place.refused(&circle, "circle-of-releases");
    let said = place.run(&circle);
    assert!(said.err.contains("R-3 -> R-1 -> R-2 -> R-3"), "{said:?}");
    let first = plan(
        &place,
        "first",
        "payments",
        "batches: [{ exposure: full, before: [{ manual: { ask: go } }] }]",
    );
    place.ok(&first);
    until(
        "the first one asks",
        || waits(&place, "first"),
        |said| said.starts_with("manual"),
    );
    assert_eq!(
        waits(&place, "third"),
        "dependency: R-2 (second) has not begun"
    );
    place.ok("release promote first --as dev");
    let said = place.ok("release wait third --until succeeded --timeout 60 --json");
    assert_eq!(said.json()["ending"], "succeeded");
    let ledger = place.ok("ledger show --json").out;
    let began: Vec<&str> = ledger
        .lines()
        .filter(|l| l.contains("\"started\""))
        .collect();
    let order: Vec<usize> = ["\"release\":3", "\"release\":2", "\"release\":1"]
        .iter()
        .map(|id| began.iter().position(|l| l.contains(id)).unwrap())
        .collect();
    assert_eq!(order, [0, 1, 2], "{began:#?}");
}

#[test]
fn a_queue_in_a_shell() {
    let place =
        place("[[limits]]\nname = \"staging\"\nenvironments = [\"staging\"]\nat_most = 1\n");
    let _engine = place.serve();
    let stays =
        "batches: [{ exposure: 50% }, { exposure: full, before: [{ manual: { ask: go } }] }]";
    place.ok(&plan(&place, "first", "payments", stays));
    until(
        "it stays",
        || waits(&place, "first"),
        |said| said.starts_with("manual"),
    );
    place.ok(&plan(&place, "second", "checkout", ""));
    until(
        "queued",
        || waits(&place, "second"),
        |said| said.starts_with("queued"),
    );
    place.ok(&plan(&place, "third", "search", ""));
    let said = until(
        "queued",
        || waits(&place, "third"),
        |said| said.starts_with("queued"),
    );
    assert_eq!(
        said,
        "queued: 2nd behind R-2, at most 1 at once (limit staging)"
    );
    let list = place.ok("release list").out;
    assert!(list.contains("1st behind R-1"), "{list}");
    let shown = place.ok("release show third --json").json();
    assert_eq!(
        (&shown["queue"]["position"], &shown["queue"]["behind"]),
        (&2.into(), &"R-2".into())
    );
    let said = place.ok("release show third").out;
    assert!(said.contains("waits for  queued, 2nd behind R-2"), "{said}");
    place.ok("release promote first --as dev");
    place.ok("release wait third --until succeeded --timeout 60");
}

const POLICY: &str = r#"
[[readiness]]
check = "ticket-linked"
environments = ["staging"]
from = "ticket"

[[readiness]]
check = "digest-tested"
environments = ["staging"]
evidence = ["digest"]

[[readiness]]
check = "rollback-tested"
environments = ["staging"]
evidence = ["file"]
groups = ["operations"]

[[readiness]]
check = "runbook-reviewed"
environments = ["staging"]
evidence = ["url", "statement"]

[[readiness]]
check = "scan-clean"
environments = ["staging"]
command = ["./scan", "{service}", "{version}"]
every = "200ms"

[[readiness]]
check = "on-call-confirmed"
environments = ["staging"]
evidence = ["statement"]
expires = "24h"

[[readiness]]
check = "go-no-go"
environments = ["staging"]
evidence = ["statement"]
groups = ["operations", "staging-crew"]
not_submitter = true
"#;

/// Fails as long as there is a file `dirty`.
const SCAN: &str = "#!/bin/sh\ncd \"$(dirname \"$0\")\"\n\
    echo \"$1 $2 $HOLDPOINT_RELEASE\" >> scans\n\
    if [ -e dirty ]; then echo '3 findings' >&2; exit 3; fi\n";

/// Answers every request with the same page, on a port of its own.
fn page(body: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let _ = stream.read(&mut [0; 4096]);
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                body.len()
            );
            let _ = stream.write_all(head.as_bytes());
            let _ = stream.write_all(body.as_bytes());
        }
    });
    format!("http://{address}/runbook")
}

fn state_of(place: &Place, check: &str) -> String {
    let list = place.ok("release checks R-1 --json").json();
    let checks = list["checks"].as_array().unwrap();
    let of = checks.iter().find(|c| c["check"] == check).unwrap();
    format!(
        "{}: {}",
        of["state"].as_str().unwrap(),
        of["words"].as_str().unwrap()
    )
}

#[test]
fn readiness_with_every_kind_of_evidence_in_a_shell() {
    let place = place(POLICY);
    let room = place.room();
    std::fs::write(room.join("scan"), SCAN).unwrap();
    std::fs::set_permissions(room.join("scan"), PermissionsExt::from_mode(0o755)).unwrap();
    std::fs::write(room.join("dirty"), "").unwrap();
    let _engine = place.serve();
    place.ok(&plan(
        &place,
        "one",
        "search",
        "tickets: [https://tickets.example.com/1]",
    ));
    let list = place.ok("release checks one").out;
    assert!(list.contains("6 of 7 checks open"), "{list}");
    assert!(list.contains("the plan has a ticket"), "{list}");
    // the command runs by itself and says why it fails
    let said = until(
        "the scan has failed",
        || state_of(&place, "scan-clean"),
        |said| said.starts_with("failed"),
    );
    assert_eq!(said, "failed: engine: search: exit 3: 3 findings");
    std::fs::remove_file(room.join("dirty")).unwrap();
    until(
        "the scan passes",
        || state_of(&place, "scan-clean"),
        |said| said.starts_with("cleared"),
    );
    let scans = std::fs::read_to_string(room.join("scans")).unwrap();
    assert!(
        scans.lines().all(|line| line == "search 9.0.4 R-1"),
        "{scans}"
    );
    // a file: its digest is reckoned here, and compared where one is named
    let report = place.home.path().join("report.html");
    std::fs::write(&report, "all green\n").unwrap();
    let give = format!(
        "release evidence one rollback-tested --file {}",
        report.display()
    );
    place.refused(&format!("{give} --as dev"), "not-asked-for-evidence");
    let said = place.run(&format!("{give} --sha256 sha256:12 --as ada --json"));
    assert_eq!(
        (said.code, said.error().as_str()),
        (2, "other-sha256"),
        "{said:?}"
    );
    let said = place.run("release evidence one rollback-tested --file /nowhere --as ada --json");
    assert_eq!(
        (said.code, said.error().as_str()),
        (2, "cannot-read"),
        "{said:?}"
    );
    place.ok(&format!("{give} --as ada"));
    // printf 'all green\n' | sha256sum
    assert_eq!(
        state_of(&place, "rollback-tested"),
        "cleared: ada: report.html (1eef57a4)"
    );
    // what stands at an address
    let url = page("step 1: breathe\n");
    place.ok(&format!(
        "release evidence one runbook-reviewed --url {url} --as dev"
    ));
    let said = state_of(&place, "runbook-reviewed");
    assert!(
        said.starts_with(&format!("cleared: dev: {url} (")),
        "{said}"
    );
    let said = place
        .run("release evidence one runbook-reviewed --url http://127.0.0.1:1/ --as dev --json");
    assert_eq!(
        (said.code, said.error().as_str()),
        (2, "cannot-read"),
        "{said:?}"
    );
    // digests of what was tested
    let other = format!(
        "release evidence one digest-tested --digest sha256:{} --as dev",
        "0".repeat(64)
    );
    place.refused(&other, "other-artifact");
    let same = other.replace(&"0".repeat(64), &"ab54a98ceb1f0ad2".repeat(4));
    place.ok(&same);
    words_of_people(&place);
}

/// What people say, take back and waive, until the release goes.
fn words_of_people(place: &Place) {
    // people's word; the submitter's alone is not enough, and it can be taken back
    place.refused(
        "release evidence one go-no-go --statement go --as dev",
        "own-check",
    );
    place.refused(
        "release evidence one go-no-go --statement go",
        "no-identity",
    );
    place.ok("release evidence one go-no-go --statement go --as ada");
    place.ok("release evidence one go-no-go --revoke 'graphs look odd' --as bo");
    assert_eq!(
        state_of(place, "go-no-go"),
        "failed: bo: taken back: graphs look odd"
    );
    // one option, not two, and not none
    assert_eq!(place.run("release evidence one go-no-go --as ada").code, 2);
    place.refused(
        "release evidence one go-no-og --statement go --as ada",
        "unknown-check",
    );
    // one check is waived, the last one said
    place.refused(
        "release waive one readiness.on-call-confirmed --reason known --as dev",
        "no-right",
    );
    place.ok("release waive one readiness.on-call-confirmed --reason 'she sits here' --as ada");
    let list = place.ok("release checks one").out;
    assert!(list.contains("waived by ada: she sits here"), "{list}");
    assert!(list.contains("1 of 7 checks open"), "{list}");
    place.ok("release evidence one go-no-go --statement 'go after all' --as bo");
    place.ok("release wait one --until succeeded --timeout 60");
    let story = place.ok("ledger show --release R-1").out;
    for words in [
        "go-no-go of plan",
        "taken back: graphs look odd",
        "waives readiness.on-call-confirmed: she sits here",
        "report.html (",
    ] {
        assert!(story.contains(words), "{words}: {story}");
    }
    place.refused("release checks one", "release-closed");
}
