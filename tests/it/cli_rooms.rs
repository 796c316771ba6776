//! What a room's keeper and its readers are told of its files.

use std::fs;
use std::path::Path;

use serde_json::Value;
use sqlx::{Connection, SqliteConnection};

use crate::shop::{Said, Shop, command};
use crate::until::until;

/// A refusal: code, next step and exit code; all of it must be said.
#[track_caller]
fn refusal(said: &Said) -> (String, Option<i32>) {
    let error: Value = serde_json::from_str(&said.err).unwrap_or_default();
    let word = |key: &str| error[key].as_str().unwrap_or_default().to_owned();
    for key in ["headline", "detail", "next_step"] {
        assert!(!word(key).is_empty(), "no {key}: {said:?}");
    }
    (word("code"), said.code)
}

/// Changes a ledger behind everybody's back.
fn tamper(room: &Path, sql: &'static str) {
    let url = format!("sqlite://{}", room.join("ledger.db").display());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let mut db = SqliteConnection::connect(&url).await.unwrap();
        sqlx::raw_sql(sql).execute(&mut db).await.unwrap();
        db.close().await.unwrap();
    });
}

const SHOW: [&str; 3] = ["ledger", "show", "--json"];
const SERVE: [&str; 2] = ["serve", "--json"];

#[test]
fn a_backup_says_what_is_in_its_way() {
    let room = tempfile::tempdir().unwrap();
    let shop = Shop::new(room.path());
    let copy = shop.file("copy.db");
    let backup = ["ledger", "backup", copy.to_str().unwrap(), "--json"];
    let engine = shop.serve();
    assert_eq!(shop.cli(&backup).code, Some(0));
    let exists = ("file-exists".to_owned(), Some(1));
    assert_eq!(refusal(&shop.cli(&backup)), exists);
    engine.kill();
    assert_eq!(refusal(&shop.cli(&backup)), exists);
}

#[test]
fn what_is_no_ledger_is_left_alone() {
    let room = tempfile::tempdir().unwrap();
    let shop = Shop::new(room.path());
    let file = room.path().join("ledger.db");
    let text = "somebody's diary\n".repeat(300);
    fs::write(&file, &text).unwrap();
    assert_eq!(
        refusal(&shop.cli(&SERVE)),
        ("not-a-ledger".to_owned(), Some(2))
    );
    assert_eq!(refusal(&shop.cli(&SHOW)).0, "not-a-ledger");
    assert_eq!(fs::read_to_string(&file).unwrap(), text);
}

#[test]
fn a_ledger_of_a_newer_version_is_left_alone() {
    let room = tempfile::tempdir().unwrap();
    let shop = Shop::new(room.path());
    shop.serve().kill();
    tamper(room.path(), "PRAGMA user_version = 99");
    assert_eq!(
        refusal(&shop.cli(&SERVE)),
        ("ledger-newer".to_owned(), Some(2))
    );
    assert_eq!(refusal(&shop.cli(&SHOW)).0, "ledger-newer");
}

#[test]
fn no_engine_goes_on_from_a_ledger_that_was_changed() {
    let room = tempfile::tempdir().unwrap();
    let shop = Shop::new(room.path());
    let engine = shop.serve();
    shop.submit("web", 1, "");
    engine.kill();
    tamper(
        room.path(),
        "DROP TRIGGER event_stays; UPDATE event SET bytes = x'7b7d' WHERE seq = 2",
    );
    assert_eq!(
        refusal(&shop.cli(&SERVE)),
        ("ledger-damaged".to_owned(), Some(2))
    );
    assert_eq!(refusal(&shop.cli(&SHOW)).0, "ledger-damaged");
}

/// A rule that asks for more people than there are.
const DOUBTFUL: &str = "[[approval]]\nneeds = { security = 5 }\nexpires = \"2h\"\n";

#[test]
fn serving_says_what_checking_says() {
    let room = tempfile::tempdir().unwrap();
    let shop = Shop::new(room.path());
    fs::write(room.path().join("policy.toml"), DOUBTFUL).unwrap();
    let checked = shop.cli(&["check"]);
    assert_eq!(checked.code, Some(0), "{checked:?}");
    assert!(!checked.err.is_empty(), "nothing is doubtful: {checked:?}");
    let log = shop.file("serve.txt");
    let mut serve = command(room.path());
    let err = fs::File::create(&log).unwrap();
    let mut child = serve
        .arg("serve")
        .stdout(std::process::Stdio::null())
        .stderr(err)
        .spawn()
        .unwrap();
    let see = || fs::read_to_string(&log).unwrap_or_default();
    let said = until("what it says", see, |said| said.len() >= checked.err.len());
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(said, checked.err);
}

/// An engine that is only just starting has not said yet which services there are.
#[test]
fn a_ledger_without_an_entry_knows_no_plan_to_be_wrong() {
    let room = tempfile::tempdir().unwrap();
    let shop = Shop::new(room.path());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let file = room.path().join("ledger.db");
    drop(runtime.block_on(holdpoint::ledger::Ledger::open(&file)));
    let plan = shop.plan("web", 1, "");
    let rehearsal = ["release", "submit", plan.to_str().unwrap(), "--dry-run"];
    let said = shop.cli(&rehearsal);
    assert_eq!(said.code, Some(3), "{said:?}");
}
