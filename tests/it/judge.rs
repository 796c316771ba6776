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

/// It is refused at this place, in these words, with nothing on stdout.
#[track_caller]
fn refused(text: &str, name: &str, place: &str, says: &str) {
    let output = on(text, name, &[]);
    let said = err(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert_eq!(out(&output), "");
    let placed = said.contains(&format!("{name}{place}"));
    assert!(placed && said.contains(says), "{said}");
}

const RATIO: &str = "\"e\": {\"kind\": \"ratio\"}";
const RAW: &str = "\"e\": {\"kind\": \"counters\"}";
const HEAD: &str = "at,metric,n1,k1,n0,k0\n";

#[test]
fn nan_is_refused_where_it_stands() {
    let text = rollout(RATIO, "{\"metrics\": {\"e\": [100, \"NaN\", 900, 9]}}");
    refused(
        &text,
        "s.json",
        ":3:19",
        "look 1, e: a count is not a number",
    );
    let text = format!("{HEAD}1,e,100,NaN,900,9\n");
    refused(&text, "s.csv", ":2:9", "`NaN` is no count");
}

#[test]
fn infinity_is_refused_where_it_stands() {
    let text = rollout(RATIO, "{\"metrics\": {\"e\": [100, 1, \"+Inf\", 9]}}");
    refused(
        &text,
        "s.json",
        ":3:19",
        "look 1, e: a count is not a number",
    );
    let gauge = "\"e\": {\"kind\": \"gauge\"}";
    let text = rollout(
        gauge,
        "{\"metrics\": {\"e\": {\"canary\": [1, \"inf\"], \"baseline\": [1]}}}",
    );
    refused(&text, "s.json", ":3:19", "look 1, e: a value is infinite");
    refused(
        &format!("{HEAD}1,e,100,1,1e999,9\n"),
        "s.csv",
        ":2:11",
        "`1e999` is no count",
    );
}

#[test]
fn negative_counters_are_refused_where_they_stand() {
    let text = rollout(
        RAW,
        "{\"metrics\": {\"e\": {\"canary\": {\"p\": [9, 1]}, \"baseline\": {\"q\": [-9, 1]}}}}",
    );
    refused(&text, "s.json", ":3:19", "the counters of `q` are below 0");
    refused(
        &format!("{HEAD}1,e,100,-1,900,9\n"),
        "s.csv",
        ":2:9",
        "`-1` is no count",
    );
}

#[test]
fn a_counter_that_falls_began_anew() {
    let look = |at: u32, all: u32, bad: u32| {
        format!(
            "{{\"at\": {at}, \"metrics\": {{\"e\": {{\"canary\": {{\"p\": [{all}, {bad}]}}, \
             \"baseline\": {{\"q\": [{}, {bad}]}}}}}}}}",
            at * 1000
        )
    };
    let looks = [look(1, 500, 5), look(2, 600, 6), look(3, 40, 2)].join(",\n");
    let text = out(&on(&rollout(RAW, &looks), "s.json", &[]));
    // 100 and 1, then the 40 and 2 since the restart
    assert!(text.contains("(3 of 140)"), "{text}");
}

#[test]
fn time_that_goes_back_is_refused_where_it_does() {
    let looks = "{\"at\": 30, \"metrics\": {}},\n{\"at\": 15, \"metrics\": {}}";
    refused(
        &rollout(RATIO, looks),
        "s.json",
        ":4:1",
        "look 2: time does not go on",
    );
    let text = format!("{HEAD}30,e,100,1,900,9\n15,e,100,1,900,9\n");
    refused(&text, "s.csv", ":3:1", "time goes back");
}

#[test]
fn one_arm_alone_is_refused() {
    let says = "no look has both arms";
    let text = rollout(RATIO, "{\"metrics\": {\"e\": [100, 1, null, null]}}");
    refused(&text, "s.json", ":1:19", says);
    let one = "{\"metrics\": {\"e\": {\"canary\": {\"p\": [9, 1]}}}}";
    refused(&rollout(RATIO, one), "s.json", ":1:19", says);
    refused(&rollout(RAW, one), "s.json", ":1:19", says);
    refused(&format!("{HEAD}1,e,100,1,,\n"), "s.csv", ":1:1", says);
}

#[test]
fn an_instance_on_both_sides_is_refused() {
    let both =
        "{\"metrics\": {\"e\": {\"canary\": {\"p\": [9, 1]}, \"baseline\": {\"p\": [9, 1]}}}}";
    for kind in [RATIO, RAW] {
        refused(
            &rollout(kind, both),
            "s.json",
            ":3:19",
            "`p` is in both arms",
        );
    }
}

#[test]
fn a_million_series_are_counted_or_refused_in_words() {
    // as metrics they are too many
    let metrics: Vec<String> = (0..1_000_000)
        .map(|n| format!("\"m{n}\":{{\"kind\":\"ratio\"}}"))
        .collect();
    let text = rollout(&metrics.join(","), "{\"metrics\": {}}");
    refused(
        &text,
        "s.json",
        ":1:1",
        "1 looks of 1000000 metrics, which is too much",
    );
    let rows: String = (0..1_000_000)
        .map(|n| format!("1,m{n},9,1,9,1\n"))
        .collect();
    refused(
        &format!("{HEAD}{rows}"),
        "s.csv",
        ":10002:1",
        "at most 100000 looks, 10000 metrics",
    );
    // as series of one metric they are counted
    let arm = |side: &str, all: u32| -> String {
        let series: Vec<String> = (0..500_000)
            .map(|n| format!("\"{side}{n}\":[{all},1]"))
            .collect();
        format!("{{{}}}", series.join(","))
    };
    let look = |all| {
        let (canary, baseline) = (arm("a", all), arm("b", all));
        format!("{{\"metrics\":{{\"e\":{{\"canary\":{canary},\"baseline\":{baseline}}}}}}}")
    };
    let text = out(&on(
        &rollout(RAW, &format!("{},\n{}", look(10), look(13))),
        "s.json",
        &[],
    ));
    assert!(text.contains("of 1500000"), "{text}");
}

#[test]
fn what_csv_cannot_hold_is_said() {
    for text in [
        "at,metric,canary,baseline\n1,e,0.4,0.5\n".to_owned(),
        format!("{HEAD}1,e,100,1,900,9,pod-a\n"),
    ] {
        let said = err(&on(&text, "s.csv", &[]));
        let words = said.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            words.contains("histograms, gauges, raw counters, strata, instances"),
            "{said}"
        );
    }
}

#[test]
fn old_instances_that_fail_as_much_speak_for_the_release() {
    let file = fixture("judge/instances.json");
    let verdict = |text: &str| {
        let output = on(text, "s.json", &["--json"]);
        let text = out(&output);
        let last: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
        last
    };
    let text = std::fs::read_to_string(file).unwrap();
    // one of the old ones is as bad as the new version
    let disagree = verdict(&text);
    assert_eq!(disagree["verdict"], "pause");
    assert_eq!(
        disagree["instances_disagree"],
        serde_json::json!(["errors"])
    );
    let unchecked = verdict(&text.replace(", \"peers\": true", ""));
    assert_eq!(unchecked["verdict"], "rollback");
    assert_eq!(unchecked["instances_disagree"], serde_json::json!([]));
    // as good as the others
    let bad = regex::Regex::new(r#""pod-z": \[950, \d+\]"#).unwrap();
    let agree = verdict(&bad.replace_all(&text, r#""pod-z": [950, 5]"#));
    assert_eq!(agree["verdict"], "rollback");
    assert_eq!(agree["instances_disagree"], serde_json::json!([]));
    // what is no comparison is refused
    let alone = rollout(
        "\"e\": {\"kind\": \"ratio\", \"peers\": true}",
        "{\"metrics\": {\"e\": [100, 1, 900, 9]}}",
    );
    refused(
        &alone,
        "s.json",
        ":1:19",
        "compares old instances, of which there are 0",
    );
    let gauge = rollout(
        "\"e\": {\"kind\": \"gauge\", \"peers\": true}",
        "{\"metrics\": {}}",
    );
    refused(&gauge, "s.json", ":1:19", "`peers` compares counts");
}
