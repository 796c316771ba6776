//! Commands on a room in memory.

use super::exit::Exit;
use super::keeper::Keeper;
use super::testing::{Memory, typed};
use crate::domain::live::{Live, TargetLive};
use crate::domain::workload::{Owner, Parts, Stuck, Workload};
use crate::domain::{Artifact, Ask, TargetName};

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

/// A room with one release: submitted by dev, approved by kim and bo.
async fn approved() -> Memory {
    let room = Memory::new();
    let said = typed(&room, "dev", "release submit plans/payments-prod-eu.yaml").await;
    assert_eq!(said.exit, Exit::Done, "{said:?}");
    room.see("4.11.3");
    for who in ["kim", "bo"] {
        let said = typed(&room, who, "vote R-1 approve").await;
        assert_eq!(said.exit, Exit::Done, "{said:?}");
    }
    room
}

#[tokio::test]
async fn votes_count_or_are_refused_with_a_reason() {
    let room = Memory::new();
    let said = typed(&room, "dev", "release submit plans/payments-prod-eu.yaml").await;
    assert_eq!(
        (said.exit, said.out.as_str()),
        (Exit::Done, "R-1\n"),
        "{said:?}"
    );
    assert!(said.err.contains("approval"), "{said:?}");
    let said = typed(&room, "dev", "vote R-1 approve").await;
    assert_eq!(said.exit, Exit::Refused);
    assert!(said.err.contains("may not vote on it"), "{said:?}");
    let said = typed(&room, "ada", "release start payments-5.1.0").await;
    assert_eq!(said.exit, Exit::Refused);
    assert!(
        said.err.contains("1 vote of operations missing"),
        "{said:?}"
    );
    let line = "vote R-1 approve --json --comment 'read it'";
    let said = typed(&room, "kim", line).await;
    assert_eq!(said.exit, Exit::Done, "{said:?}");
    let done = json(&said.out);
    assert_eq!(done["schema"], "holdpoint.done/1");
    assert_eq!(done["did"], "approved");
    assert_eq!(done["phase"], "waiting");
    let said = typed(&room, "bo", "vote R-1 approve --digest 9999999999").await;
    assert_eq!(said.exit, Exit::Refused, "{said:?}");
    let digest = done["digest"].as_str().unwrap();
    let line = format!("vote R-1 approve --digest {}", &digest[..16]);
    assert_eq!(typed(&room, "bo", &line).await.exit, Exit::Done);
    let line = "release wait R-1 --until approved --timeout 5";
    assert_eq!(typed(&room, "", line).await.exit, Exit::Done);
}

#[tokio::test]
async fn a_release_is_started_paused_resumed_and_shown() {
    let room = approved().await;
    let ok = async |line: &str| {
        let said = typed(&room, "ada", line).await;
        assert_eq!(said.exit, Exit::Done, "{line}: {said:?}");
        said.out
    };
    ok("release start R-1").await;
    room.work();
    let said = ok("release pause R-1 --why lunch").await;
    assert_eq!(said, "R-1 paused; it waits for paused by ada: lunch\n");
    let said = ok("release list").await;
    assert!(
        said.starts_with("NEEDS YOU 1\n R-1  payments 5.1.0 → prod-eu"),
        "{said}"
    );
    ok("release resume R-1").await;
    let said = typed(&room, "ada", "release promote R-1 --hold b9.before.1").await;
    assert_eq!(said.exit, Exit::Refused);
    assert!(said.err.contains("has moved on"), "{said:?}");
    let release = json(&ok("release show R-1 --json").await);
    assert_eq!(release["schema"], "holdpoint.release/1");
    assert_eq!(release["phase"], "rolling");
    let step = &release["batches"][0]["moves"][0]["instances"][0];
    assert_eq!(step["status"], "done");
    assert_eq!(release["approval"][0]["have"][0], "bo");
    let said = ok("release show R-1").await;
    for words in [
        "✓ approval",
        "✓ 10 %",
        "▸ health",
        "waits for",
        "Done",
        "Next",
        "con: ada",
    ] {
        assert!(said.contains(words), "{words} is missing:\n{said}");
    }
}

/// What an engine would see of R-1: a regression of p99, and errors that are not decided.
fn looked() -> crate::domain::live::Live {
    use crate::domain::live::{Chart, Decides, Judged, Live, Point, Unit};
    use crate::domain::{Call, Decision, Judgement, ReleaseId, Span, Timestamp};
    let chart = |metric: &str, call, words: &str, judged| Chart {
        service: "payments".into(),
        metric: metric.into(),
        unit: Unit::Share,
        points: vec![Point {
            at: Timestamp(0),
            canary: Some(0.0034),
            baseline: None,
        }],
        call,
        words: words.into(),
        allowed: "1.25x + 0.02 points".into(),
        limit: Some(0.05),
        judged,
    };
    let errors = Judged {
        interval: Some((0.73, f64::INFINITY)),
        decides: Decides::In(Span::secs(700)),
        shadow: false,
        ..Judged::default()
    };
    let p99 = Judged {
        interval: Some((1.7, 2.6)),
        tolerated: Some(0.245),
        evidence: 340.7,
        most: f64::INFINITY,
        decides: Decides::Now,
        blamed: true,
        ..Judged::default()
    };
    let charts = vec![
        chart(
            "errors",
            Call::Undecided,
            "errors: too little. No evidence of a regression.",
            errors,
        ),
        chart(
            "p99",
            Call::Fail,
            "p99: slower. Very strong evidence of a regression.",
            p99,
        ),
    ];
    let judgement = Judgement {
        decision: Decision::RollBack,
        reason: "evidence 340:1 on critical metrics".into(),
        blamed: vec!["p99".into()],
        ..Judgement::default()
    };
    Live {
        charts: [(ReleaseId(1), charts.into())].into(),
        judgements: [(ReleaseId(1), judgement.into())].into(),
        ..Live::default()
    }
}

#[tokio::test]
async fn what_the_judge_says_is_shown() {
    let mut room = approved().await;
    typed(&room, "ada", "release start R-1").await;
    let said = typed(&room, "", "release show R-1").await;
    assert!(!said.out.contains("Judge"), "{}", said.out);
    room.live = looked().into();
    let said = typed(&room, "", "release show R-1").await;
    let judge = "
Judge      ✗ roll back: evidence 340:1 on critical metrics (p99); its plan: go back
  ? errors        undecided
      no evidence, 1 to 1 · decides in about 12 m at present traffic · may roll back · at least
      0.73x of the old
      too little. No evidence of a regression.
  ✗ p99           fail
      to blame · very strong evidence, 340 to 1; over a million to 1 at its height · decided ·
      may roll back · 1.7x to 2.6x of the old
      slower. Very strong evidence of a regression.
";
    assert!(said.out.contains(judge), "{}", said.out);
    let said = typed(&room, "", "release why R-1").await;
    let why = "  the judge: roll back: evidence 340:1 on critical metrics (p99); its plan: go back
    errors undecided: no evidence, 1 to 1; decides in about 12 m at present traffic
";
    assert!(said.out.ends_with(why), "{}", said.out);
}

#[tokio::test]
async fn what_the_judge_says_is_json() {
    let mut room = approved().await;
    typed(&room, "ada", "release start R-1").await;
    room.live = looked().into();
    let said = typed(&room, "", "release show R-1 --json").await;
    let release = json(&said.out);
    assert_eq!(release["judgement"]["decision"], "roll-back");
    assert_eq!(release["judgement"]["blamed"][0], "p99");
    let errors = &release["metrics"][0];
    assert_eq!(errors["service"], "payments");
    assert_eq!(
        (&errors["decides"], &errors["decides_in"]),
        (&json("\"in\""), &json("700"))
    );
    // ends and values that are not known are no numbers
    assert_eq!(errors["interval"]["upper"], json("null"));
    assert_eq!(errors["old"], json("null"));
    let p99 = &release["metrics"][1];
    assert_eq!(p99["interval"]["lower"], 1.7);
    assert_eq!(
        (&p99["evidence"], &p99["most"]),
        (&json("340.7"), &json("null"))
    );
    assert_eq!(
        (&p99["strength"], &p99["blamed"]),
        (&json("\"very strong\""), &json("true"))
    );
    let said = typed(&room, "", "release why R-1 --json").await;
    let why = json(&said.out);
    assert_eq!(why["judgement"]["follows"], "its plan: go back");
    assert!(
        why["undecided"][0]
            .as_str()
            .unwrap()
            .starts_with("errors undecided")
    );
}

#[tokio::test]
async fn what_goes_back_cannot_succeed_any_more() {
    let room = approved().await;
    assert_eq!(
        typed(&room, "ada", "release start R-1").await.exit,
        Exit::Done
    );
    room.work();
    let line = "release rollback R-1 --why 'too slow'";
    assert_eq!(typed(&room, "ada", line).await.exit, Exit::Done);
    let said = typed(&room, "", "release wait R-1 --until succeeded --json").await;
    assert_eq!(said.exit, Exit::Refused, "{said:?}");
    assert_eq!(json(&said.out)["reached"], false);
    room.work();
    let said = typed(&room, "", "release wait R-1 --until rolled-back").await;
    assert_eq!(said.exit, Exit::Done, "{said:?}");
    let said = typed(&room, "", "release show R-1 --json").await;
    assert_eq!(json(&said.out)["ending"], "rolled-back");
    let said = typed(&room, "ada", "release pause R-1").await;
    assert_eq!(said.exit, Exit::Refused, "{said:?}");
}

#[tokio::test]
async fn waiting_in_vain_and_without_an_engine() {
    let room = Memory::new();
    typed(&room, "dev", "release submit plans/payments-prod-eu.yaml").await;
    let line = "release wait R-1 --until started --timeout 50ms --json";
    let said = typed(&room, "", line).await;
    assert_eq!(said.exit, Exit::InVain, "{said:?}");
    assert_eq!(json(&said.out)["timed_out"], true);
    let said = typed(&room, "ada", "release cancel R-1 --why 'next week'").await;
    assert_eq!(said.out, "R-1 cancelled\n");
    let said = typed(&room, "", "release wait R-1 --until started").await;
    assert_eq!(said.exit, Exit::Refused);
    assert!(said.out.contains("next week"), "{said:?}");

    typed(&room, "dev", "release submit plans/checkout-prod-us.toml").await;
    let room = room.without_engine();
    assert_eq!(typed(&room, "", "release list").await.exit, Exit::Done);
    for line in [
        "release start R-2",
        "vote R-2 approve",
        "release submit room/plans/search-staging.yaml",
        "release wait R-2 --until started",
    ] {
        let said = typed(&room, "ada", line).await;
        assert_eq!(said.exit, Exit::Unreachable, "{line}: {said:?}");
    }
}

#[tokio::test]
async fn a_rehearsal_submits_nothing() {
    let room = Memory::new();
    let line = "release submit plans/mailer-emergency.yaml --dry-run --json";
    let said = typed(&room, "ada", line).await;
    assert_eq!(said.exit, Exit::Done, "{said:?}");
    let view = json(&said.out);
    assert_eq!(view["release"]["approval"][0]["group"], "operations");
    assert!(
        typed(&room, "ada", "release list")
            .await
            .out
            .contains("no releases yet")
    );
    let said = typed(&room, "kim", line).await;
    assert_eq!(said.exit, Exit::Refused);
    assert_eq!(json(&said.err)["code"], "no-right");
    let said = typed(&room, "", line).await;
    assert_eq!(json(&said.err)["code"], "no-identity");
}

#[tokio::test]
async fn a_bad_plan_is_bad_input_and_says_everything() {
    let room = Memory::new();
    let said = typed(
        &room,
        "ada",
        "release submit configs/plans/no-such-names.yaml --json",
    )
    .await;
    assert_eq!(said.exit, Exit::BadInput);
    let codes: Vec<String> = said
        .err
        .lines()
        .map(|l| json(l)["code"].to_string())
        .collect();
    assert!(codes.len() >= 2, "{said:?}");
    assert!(said.err.contains("did you mean `payments`?"), "{said:?}");
    let said = typed(&room, "ada", "release submit nowhere.yaml").await;
    assert_eq!(said.exit, Exit::BadInput);
}

#[tokio::test]
async fn usage_errors_and_foreign_commands() {
    let room = Memory::new();
    let said = typed(&room, "ada", "release promte R-1 --json").await;
    assert_eq!(said.exit, Exit::BadInput);
    let error = json(&said.err);
    assert_eq!(error["code"], "usage");
    assert_eq!(error["next_step"], "did you mean `promote`?");
    let said = typed(&room, "ada", "release --help").await;
    assert_eq!((said.exit, said.err.as_str()), (Exit::Done, ""));
    let said = typed(&room, "ada", "init /tmp/x --json").await;
    assert_eq!(json(&said.err)["code"], "not-here");
    let said = typed(&room, "ada", "release list --as bo --json").await;
    assert_eq!(said.exit, Exit::Refused);
    assert_eq!(json(&said.err)["code"], "wrong-token");
    let said = typed(&room, "ada", "release show paymants --json").await;
    assert_eq!(json(&said.err)["code"], "unknown-release");
}

#[tokio::test]
async fn the_ledger_reads_as_words_and_as_json() {
    let room = Memory::new();
    typed(&room, "dev", "release submit plans/payments-prod-eu.yaml").await;
    let said = typed(&room, "", "ledger show --release R-1").await;
    assert!(said.out.contains("submits \"Payments 5.1.0"), "{said:?}");
    assert!(!said.out.contains("files are in force"), "{said:?}");
    let said = typed(&room, "", "ledger show --json").await;
    for line in said.out.lines() {
        let entry = json(line);
        assert_eq!(entry["schema"], "holdpoint.entry/1");
        assert!(entry["event"]["what"].is_object(), "{entry}");
    }
    let said = typed(&room, "", "ledger show --from 999").await;
    assert_eq!(said.exit, Exit::BadInput, "{said:?}");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("copy.db");
    let line = format!("ledger backup {}", file.display());
    assert_eq!(typed(&room, "", &line).await.exit, Exit::Done);
    assert!(file.is_file());
    assert_eq!(
        typed(&room, "", "ledger backup copy.db").await.exit,
        Exit::BadInput
    );
}

/// The target payments-prod-eu is one workload, seen divided and stuck.
fn workload(room: &mut Memory) {
    let mut charter = (*room.state().borrow().charter).clone();
    let name: TargetName = "payments-prod-eu".into();
    let target = charter.targets.get_mut(&name).unwrap();
    (target.by_share, target.instances) = (true, vec!["payments".into()]);
    room.engine(Ask::Adopt(charter.into()));
    let parts = |there, available| Parts {
        there,
        ready: available,
        available,
    };
    let artifact = Artifact {
        version: "5.1.0".into(),
        digest: "".into(),
    };
    let workload = Workload {
        kind: "Deployment".into(),
        place: "shop/payments in main".into(),
        wanted: 20,
        new: parts(2, 1),
        old: parts(18, 18),
        bound: Some(2),
        arriving: Some(artifact),
        stuck: vec![Stuck {
            count: 1,
            reason: "crash-loop",
            words: "exit 137".into(),
            way_out: Some("roll back".into()),
        }],
        owners: vec![Owner {
            who: "Argo CD".into(),
            words: "keeps it as Git says".into(),
            forbids: true,
        }],
        ..Workload::default()
    };
    let read = TargetLive {
        workload: Some(workload.into()),
        ..TargetLive::default()
    };
    let live = Live {
        targets: [(name, read.into())].into(),
        ..Live::default()
    };
    room.live = live.into();
}

#[tokio::test]
async fn a_workload_is_told_in_pods() {
    let mut room = Memory::new();
    workload(&mut room);
    let ok = async |room: &Memory, who: &str, line: &str| {
        let said = typed(room, who, line).await;
        assert_eq!(said.exit, Exit::Done, "{line}: {said:?}");
        said.out
    };
    let plan = "plans/payments-prod-eu.yaml";
    let said = ok(&room, "dev", &format!("release submit {plan} --dry-run")).await;
    let step = "0 % → 10 % of shop/payments in main (0 → 2 of 20 pods, at most 2)";
    assert!(said.contains(step), "{said}");
    ok(&room, "dev", &format!("release submit {plan}")).await;
    room.see("4.11.3");
    for who in ["kim", "bo"] {
        ok(&room, who, "vote R-1 approve").await;
    }
    ok(&room, "ada", "release start R-1").await;
    let said = ok(&room, "", "release show R-1").await;
    for words in [
        "1 of 2 new available, 1 stuck, 20 in all",
        "new 5.1.0: 2 there, 1 ready, 1 available, at most 2",
        "old 4.11.3: 18, all available",
        "1 pod, crash loop: exit 137",
        "what helps: roll back",
        "Argo CD: keeps it as Git says; nothing is changed over its head",
        "waits for  10 % of payments-prod-eu is going to 5.1.0",
    ] {
        assert!(said.contains(words), "{words} is missing:\n{said}");
    }
    assert!(!said.contains("instance"), "{said}");
    let said = ok(&room, "", "release why R-1").await;
    assert!(
        said.contains("shop/payments in main: 1 pod, crash loop"),
        "{said}"
    );
    let said = json(&ok(&room, "", "release show R-1 --json").await);
    let step = &said["batches"][0]["moves"][0]["instances"][0];
    assert_eq!(step["exposure"], 10, "{step}");
    let seen = &said["workloads"][0];
    assert_eq!(
        (&seen["new"]["there"], &seen["bound"]),
        (&2.into(), &2.into()),
        "{seen}"
    );
    assert_eq!(seen["stuck"][0]["reason"], "crash-loop", "{seen}");
    let said = json(&ok(&room, "", "release why R-1 --json").await);
    assert_eq!(said["workloads"][0]["owners"][0]["forbids"], true, "{said}");
}

#[test]
fn schemas_are_as_kept() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/schema");
    let update = std::env::var_os("HOLDPOINT_UPDATE").is_some();
    for (name, schema) in super::view::schemas() {
        let file = folder.join(format!("{name}.json"));
        let now = super::schema::pretty(&schema);
        if update {
            std::fs::write(&file, &now).unwrap();
        }
        let kept = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(
            kept == now,
            "{} is not what --json prints now; fields are only ever added. \
             HOLDPOINT_UPDATE=1 writes it anew",
            file.display()
        );
    }
}

#[tokio::test]
async fn policy_is_shown_explained_and_compared() {
    let room = Memory::new();
    let said = typed(&room, "dev", "release submit plans/payments-prod-eu.yaml").await;
    assert_eq!(said.exit, Exit::Done, "{said:?}");
    let ok = async |line: &str| {
        let said = typed(&room, "", line).await;
        assert_eq!(said.exit, Exit::Done, "{line}: {said:?}");
        said.out
    };
    let said = ok("policy show").await;
    assert!(said.contains("\"production\"   prod-eu, prod-us"), "{said}");
    assert!(said.contains("service-tier       up to  20"), "{said}");
    let said = json(&ok("policy show --json").await);
    assert_eq!(said["schema"], "holdpoint.policy/1");
    assert_eq!(said["rules"][1]["terms"]["needs"]["security"], 1);
    let said = ok("policy explain R-1").await;
    assert!(said.contains("payments is a service of tier 0"), "{said}");
    assert!(
        said.contains("rule \"emergency\" is passed over: it is about emergency releases"),
        "{said}"
    );
    let said = json(&ok("policy explain R-1 --json").await);
    assert_eq!(said["schema"], "holdpoint.ruling/1");
    assert_eq!(said["rule"], "production");
    let shown = ok("release show R-1").await;
    assert!(
        shown.contains("rule \"production\": 1 of operations"),
        "{shown}"
    );
    let shown = json(&ok("release show R-1 --json").await);
    assert_eq!(shown["ruling"]["rule"], "production");
    let said = ok("policy diff policy/stricter.toml").await;
    assert!(said.contains("R-1 payments 5.1.0 → prod-eu"), "{said}");
    assert!(
        said.contains("rule: rule \"production\", would be rule \"critical\""),
        "{said}"
    );
    assert!(
        said.ends_with("1 of 1 open would be treated differently\n"),
        "{said}"
    );
    let said = json(&ok("policy diff policy/stricter.toml --json").await);
    assert_eq!(said["releases"][0]["after"]["rule"], "critical");
    let said = ok("policy diff room/policy.toml").await;
    assert_eq!(said, "1 open, none would be treated differently\n");
    let said = typed(&room, "", "policy diff policy/cases.toml").await;
    assert_eq!(said.exit, Exit::BadInput, "{said:?}");
    let line = "release submit plans/checkout-prod-us.toml --dry-run --json";
    let said = typed(&room, "dev", line).await;
    let ruling = &json(&said.out)["release"]["ruling"];
    assert_eq!(ruling["schema"], "holdpoint.ruling/1", "{said:?}");
}
