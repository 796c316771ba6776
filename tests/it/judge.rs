//! `holdpoint judge`: the numbers of others, recorded rollouts, and files that make no sense.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures")
        .join(name)
}

fn judge(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_holdpoint"))
        .arg("judge")
        .args(arguments)
        .env_remove("HOLDPOINT_ROOM")
        .env("NO_COLOR", "1")
        .output()
        .unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A file of this text, judged with these options before its name.
fn on(text: &str, name: &str, options: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(name);
    std::fs::write(&file, text).unwrap();
    let file = file.to_str().unwrap();
    judge(&[options, &[file]].concat())
}

#[test]
fn every_vector_agrees() {
    let output = judge(&["--vectors", fixture("judge_vectors.json").to_str().unwrap()]);
    let text = out(&output);
    let odd: Vec<&str> = text.lines().filter(|line| !line.ends_with(" ok")).collect();
    assert_eq!(odd, ["211 passed, 0 failed"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(text.starts_with("single_look 0 ok\n"), "{text}");
}

#[test]
fn a_wrong_number_is_found_and_named() {
    let text = r#"{"seed": 1, "odds_tangent": {"tolerance_abs": 1e-12, "cases": [
        {"odds": 2.0, "c0": 0, "slope": 2.0, "intercept": 0.0},
        {"odds": 2.0, "c0": 0, "slope": 2.5, "intercept": 0.0}]},
        "argo_worst": [{"phases": ["Running", "Error"], "worst": "Error"}]}"#;
    let output = on(text, "v.json", &["--vectors"]);
    assert_eq!(
        out(&output),
        "odds_tangent 0 ok\n\
         odds_tangent 1 differs: slope is 2, should be 2.5\n\
         argo_worst 0 ok\n\
         2 passed, 1 failed\n"
    );
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn vectors_that_make_no_sense_have_a_place() {
    for (text, place, says) in [
        ("", "v.json:1:", "EOF"),
        (
            "{\"streems\": []}",
            "v.json:1:13",
            "did you mean `streams`?",
        ),
        (
            "{\n\"argo\": {\"cases\": 7}}",
            "v.json:2:",
            "argo: invalid type",
        ),
        (
            "{\"argo\": 7}",
            "v.json:1:10",
            "neither a list nor an object",
        ),
        ("{\"argo\": {}}", "v.json:1:10", "`cases` is missing"),
        (
            "{\"argo_worst\": [{\"phases\": [],\n \"wurst\": \"Error\"}]}",
            "v.json:2:",
            "did you mean `worst`?",
        ),
        (
            "{\"argo_worst\": [{\"phases\": [\"Faild\"], \"worst\": \"Failed\"}]}",
            "v.json:1:",
            "did you mean `Failed`?",
        ),
        (
            "{\"single_look\": {\"cases\": [{\"engine\": \"vote\", \"n1\": 5, \"k1\": 6, \"n0\": 1, \
             \"k0\": 0, \"rho\": 1, \"delta\": 0, \"R\": 2, \"log_e\": 0}]}}",
            "v.json:1:28",
            "more bad requests than requests in the canary",
        ),
        (
            "{\"counter_deltas\": [{\"samples\": {\"a\": -1}, \"increment\": null, \"resets_so_far\": 0}]}",
            "v.json:1:21",
            "a counter is negative",
        ),
        (
            "{\"argo\": [], \"argo\": []}",
            "v.json:1:",
            "`argo` stands here twice",
        ),
        (
            "{\"gauges\": {\"cases\": [{\"blocks\": [1e999]}]}}",
            "v.json:1:",
            "out of range",
        ),
    ] {
        let output = on(text, "v.json", &["--vectors"]);
        let said = err(&output);
        assert_eq!(output.status.code(), Some(2), "{text}: {said}");
        assert!(
            said.contains(place) && said.contains(says),
            "{text}:\n{said}"
        );
        assert_eq!(out(&output), "", "{text}");
    }
    let deep = "[".repeat(100_000);
    assert_eq!(on(&deep, "v.json", &["--vectors"]).status.code(), Some(2));
}

#[test]
fn a_recorded_rollout_is_judged_look_by_look() {
    let file = fixture("judge/samples.json");
    let output = judge(&[file.to_str().unwrap(), "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    let text = out(&output);
    let lines: Vec<Value> = text
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    let (last, looks) = lines.split_last().unwrap();
    assert_eq!(looks.len(), 40);
    assert!(
        looks
            .iter()
            .all(|look| look["schema"] == "holdpoint.judged-look/1")
    );
    // it fails from the seventeenth look on
    assert!(looks[..16].iter().all(|look| look["verdict"] == "continue"));
    assert_eq!(looks[10]["metrics"][0]["missing"], 2);
    assert_eq!(last["schema"], "holdpoint.judged/1");
    assert_eq!(last["verdict"], "rollback");
    let sentence = last["sentences"][0].as_str().unwrap();
    assert!(
        sentence.contains("Overwhelming evidence of a regression"),
        "{sentence}"
    );

    // the same error ratios in CSV give the same evidence
    let csv = judge(&[fixture("judge/samples.csv").to_str().unwrap(), "--json"]);
    let csv = out(&csv);
    for (line, look) in csv.lines().zip(looks) {
        let of_csv: Value = serde_json::from_str(line).unwrap();
        assert_eq!(of_csv["metrics"][0]["ln_e"], look["metrics"][0]["ln_e"]);
    }
}

#[test]
fn other_judges_say_what_they_say() {
    let series = fixture("judge/series.json");
    let canary = fixture("judge/canary.json");
    let kayenta = judge(&[
        series.to_str().unwrap(),
        "--compat",
        "kayenta",
        "--config",
        canary.to_str().unwrap(),
    ]);
    let text = out(&kayenta);
    assert!(
        text.starts_with("latency-p99-ms: High, "),
        "{text}{}",
        err(&kayenta)
    );
    assert!(text.ends_with("score 70: Marginal\n"), "{text}");

    let measured = fixture("judge/measured.json");
    let analysis = fixture("judge/analysis.yaml");
    let argo = judge(&[
        measured.to_str().unwrap(),
        "--compat",
        "argo",
        "--config",
        analysis.to_str().unwrap(),
    ]);
    let text = out(&argo);
    assert!(
        text.ends_with("run Failed: abort\n"),
        "{text}{}",
        err(&argo)
    );
}

#[test]
fn a_plan_says_what_it_can_see() {
    let output = judge(&[
        "--plan",
        "--rps",
        "200",
        "--share",
        "5",
        "--minutes",
        "30",
        "--json",
    ]);
    let plan: Value = serde_json::from_str(&out(&output)).unwrap();
    assert_eq!(plan["looks"], 120.0);
    let ratio = plan["least_ratio"].as_f64().unwrap();
    assert!((1.25..3.0).contains(&ratio), "{ratio}");
    let nothing = judge(&["--plan", "--bad", "0"]);
    assert_eq!(nothing.status.code(), Some(2), "{}", err(&nothing));
}

/// A rollout with these metrics and looks.
fn rollout(metrics: &str, looks: &str) -> String {
    format!("{{\"metrics\": {{{metrics}}},\n\"looks\": [\n{looks}]}}")
}

#[test]
fn samples_that_make_no_sense_have_a_place() {
    let ratio = "\"e\": {\"kind\": \"ratio\"}";
    let raw = "\"e\": {\"kind\": \"counters\"}";
    let one = "{\"metrics\": {\"e\": [100, 1, 900, 9]}}";
    for (text, place, says) in [
        (
            rollout(ratio, "{\"metrics\": {\"e\": [100, NaN, 900, 9]}}"),
            ":3:",
            "expected",
        ),
        (
            rollout(ratio, "{\"metrics\": {\"e\": [100, \"NaN\", 900, 9]}}"),
            ":3:19",
            "look 1, e: a count is not a number",
        ),
        (
            rollout(
                ratio,
                &format!("{one},\n{{\"metrics\": {{\"e\": [\"inf\", 1, 900, 9]}}}}"),
            ),
            ":4:19",
            "look 2, e: a count is not a number",
        ),
        (
            rollout(ratio, "{\"metrics\": {\"e\": [100, -1, 900, 9]}}"),
            ":3:19",
            "a count is negative",
        ),
        (
            rollout(ratio, "{\"metrics\": {\"e\": [100, null, 900, 9]}}"),
            ":1:19",
            "metric e: no look has both arms of it",
        ),
        (
            rollout(
                ratio,
                "{\"at\": 30, \"metrics\": {}},\n{\"at\": 15, \"metrics\": {}}",
            ),
            ":4:1",
            "look 2: time does not go on",
        ),
        (
            rollout(
                raw,
                "{\"metrics\": {\"e\": {\"canary\": {\"p\": [9, -1]}, \"baseline\": {}}}}",
            ),
            ":3:19",
            "the counters of `p` are below 0",
        ),
        (
            rollout(
                raw,
                "{\"metrics\": {\"e\": {\"canary\": {\"p\": [9, 1]}, \"baseline\": {\"p\": [9, 1]}}}}",
            ),
            ":3:19",
            "`p` is in both arms",
        ),
        (
            rollout(ratio, "{\"metrics\": {\"f\": [1, 1, 1, 1]}}"),
            ":3:",
            "unknown metric `f`",
        ),
        (
            rollout("\"e\": {\"kind\": \"ratoi\"}", one),
            ":1:",
            "did you mean `ratio`?",
        ),
        (
            rollout("\"e\": {\"kind\": \"gauge\", \"critical\": true}", one),
            ":1:",
            "cannot be critical",
        ),
        (rollout("", ""), ":1:1", "nothing to judge"),
    ] {
        let output = on(&text, "s.json", &[]);
        let said = err(&output);
        assert_eq!(output.status.code(), Some(2), "{text}: {said}");
        let placed = said.contains(&format!("s.json{place}"));
        assert!(placed && said.contains(says), "{text}:\n{said}");
    }
    for (text, says) in [
        ("", "begin with `at,metric,n1,k1,n0,k0`"),
        ("at,metric,n1,k1,n0,k0\n", "no look"),
        (
            "at,metric,n1,k1,n0,k0\n2,e,1,0,1,0\n1,e,1,0,1,0\n",
            "s.csv:3:1",
        ),
        ("at,metric,n1,k1,n0,k0\n1,e,1,x,1,0\n", "s.csv:2:7"),
        ("at,metric,n1,k1,n0,k0\n1,e,1\n", "3 cells, 6 are needed"),
        (
            "at,metric,n1,k1,n0,k0\n1,e,5,1,,\n",
            "no look has both arms of `e`",
        ),
    ] {
        let output = on(text, "s.csv", &[]);
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(err(&output).contains(says), "{text}:\n{}", err(&output));
    }
}

#[test]
fn no_traffic_is_said_and_is_no_pass() {
    let ratio = "\"e\": {\"kind\": \"ratio\", \"required\": true}";
    let looks = ["{\"metrics\": {\"e\": [0, 0, 0, 0]}}"; 30].join(",\n");
    let output = on(&rollout(ratio, &looks), "s.json", &[]);
    let text = out(&output);
    assert!(
        text.contains("e: not enough traffic to say anything."),
        "{text}"
    );
    assert!(!text.contains("promote"), "{text}");
}
