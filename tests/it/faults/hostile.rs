//! Words from outside that would take over a terminal.

use std::fs;

use crate::shop::Shop;
use crate::until::until;

/// Clears the screen, sets the title, moves the cursor, in seven and in eight bits; then what
/// reorders a line, and what would begin a line of its own.
const ATTACK: &str = "\u{1b}[2J\u{1b}]0;owned\u{7}\u{9b}1;1H\u{7f}\u{202e}\r\nR-9 approved by kim";

/// Nothing that a terminal would act upon, and no line that begins as an attacker wants it to.
#[track_caller]
fn harmless(what: &str, text: &str) {
    let strange = |c: char| (c.is_control() && c != '\n') || ('\u{202a}'..='\u{202e}').contains(&c);
    assert!(!text.contains(strange), "{what}: {text:?}");
    let forged = text.lines().any(|line| line.starts_with("R-9 approved"));
    assert!(!forged, "{what}: {text}");
    assert!(!text.is_empty(), "{what} says nothing");
}

/// Every command that prints what a release or the ledger says.
#[track_caller]
fn all_harmless(shop: &Shop, id: &str) {
    for words in [
        &["release", "show", id][..],
        &["release", "list"],
        &["release", "list", "--all"],
        &["ledger", "show"],
        &["ledger", "show", "--release", id],
    ] {
        let said = shop.cli(words);
        assert_eq!(said.code, Some(0), "{said:?}");
        harmless(&words.join(" "), &format!("{}{}", said.out, said.err));
    }
}

#[test]
fn escape_sequences_never_reach_what_is_printed() {
    let room = tempfile::tempdir().unwrap();
    let shop = Shop::new(room.path());
    let engine = shop.serve();
    let quoted = serde_json::to_string(ATTACK).unwrap();

    // a plan whose names and versions are hostile is refused, and the refusal is harmless
    let plan = shop.file("version.yaml");
    let text = crate::shop::plan("web", 1, "").replace("1.0.1", &quoted);
    fs::write(&plan, text).unwrap();
    let said = shop.cli(&["release", "submit", plan.to_str().unwrap()]);
    assert_eq!(said.code, Some(2), "{said:?}");
    harmless("a refused plan", &said.err);

    // what is free text gets in, made printable
    let plan = shop.file("title.yaml");
    let text = crate::shop::plan("web", 2, "start: manual\n")
        .replace("title: web number 2", &format!("title: {quoted}"))
        + &format!(
            "changes: [{quoted}]\nrunbook: {quoted}\ntickets: [{quoted}]\nrollback: {{ note: {quoted} }}\n"
        );
    fs::write(&plan, text).unwrap();
    let plan = plan.to_str().unwrap();
    let dry = shop.cli(&["release", "submit", plan, "--dry-run"]);
    assert_eq!(dry.code, Some(0), "{dry:?}");
    harmless("a dry run", &format!("{}{}", dry.out, dry.err));
    let id = shop.done(&["release", "submit", plan, "--as", "ci"])["release"]
        .as_str()
        .unwrap()
        .to_owned();
    shop.done(&["vote", &id, "approve", "--as", "kim", "--comment", ATTACK]);
    shop.done(&["release", "pause", &id, "--why", ATTACK]);
    all_harmless(&shop, &id);
    shop.done(&["release", "resume", &id]);

    // what deploys print, and what status says of an instance
    fs::write(shop.file("broken"), ATTACK).unwrap();
    shop.done(&["release", "start", &id]);
    let failed = |seen: &serde_json::Value| seen["waiting"]["word"] == "failed";
    let seen = until("the failure", || shop.show(&id), failed);
    assert!(seen["waiting"].to_string().contains("exit 7"), "{seen}");
    all_harmless(&shop, &id);
    let state = quoted.trim_matches('"');
    fs::write(shop.file("web/state-web-1"), state).unwrap();
    let unknown = |seen: &serde_json::Value| {
        seen.pointer("/batches/0/moves/0/instances/0/seen")
            .is_some_and(|seen| seen == "unknown")
    };
    until("the unknown instance", || shop.show(&id), unknown);
    all_harmless(&shop, &id);
    shop.done(&["release", "rollback", &id, "--why", ATTACK]);
    all_harmless(&shop, &id);

    // and the same from the ledger alone
    engine.kill();
    all_harmless(&shop, &id);
}
