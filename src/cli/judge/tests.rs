//! No text breaks the readers: what is cut, doubled, garbled or nested deep is judged, or refused at a
//! place and in words; never a panic.

use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::json::File;
use super::{argo, csv, judged, kayenta, recorded, vectors};
use crate::domain::Notice;

const VECTORS: &str = r#"{"single_look": {"tolerance_abs": 1e-9, "cases": [{"engine": "count", "n1": 5,
"k1": 1, "n0": 9, "k0": 2, "rho": 1.1, "delta": 0.0, "R": 1.3, "up": true, "c0": 0.2, "phi": 3, "log_e": 0}]},
"streams": {"cases": [{"engine": "regression", "config": {"odds": 1.25, "warm": [3, 9], "horizon": 3},
"looks": [[5, 1, 9, 2], null, [[5, 0, 9, 2], [1, 1, 3, 3]]], "log_e": [0, 0, 0], "first_look_e20": null,
"first_look_e100": 3}]}, "histograms": {"cases": [{"le": [0.1, 1, "inf"], "warm_baseline_cum": [5, 9, 9],
"config": {}, "thresholds": [0], "looks": [{"canary": [1, 2, 3], "baseline": [4, 5, 6]}], "log_e": [0],
"canary_total_cum": [1, 2, 3], "baseline_total_cum": [4, 5, 6], "quantiles": [{"q": 0.5, "alpha": 0.05,
"canary_bucket": [-1, 2], "baseline_bucket": [0, 1], "canary_point": 1, "baseline_point": 1}]}]},
"gauges": {"cases": [{"blocks": [1, 2], "v_inst": 0, "r2": 0.5, "long_run_var": 1, "log_e": 0, "alpha": 0.1,
"lower": "-inf", "upper": "inf"}], "instance_var": [{"means": [1, 2], "value": null}]},
"combination": {"cases": [{"e": [1, 2], "w": [1, 0], "average": 1, "closed": [1, 1], "e_bh_10pct": []}]},
"mann_whitney": [{"x": [1, 2, 3], "y": [2, null], "expected": [{"mu": 0, "quantile": 0, "value": 1}]}],
"argo": {"cases": [{"config": {"count": 2}, "measurements": ["Failed"], "phases": ["Failed"]}]},
"counter_deltas": [{"samples": {"a": 1}, "born": ["a"], "increment": 1, "resets_so_far": 0}],
"transforms": [{"name": "IQR", "values": [1, null], "result": [1]}],
"statistics": [{"values": [1, 2], "percentiles": [{"p": 50, "value": 1.5}]}]}"#;

const SAMPLES: &str = r#"{"seconds_per_look": 15, "share": 0.05, "metrics": {"e": {"kind": "ratio", "weight": 3,
"fail_above": 0.2}, "h": {"kind": "counters", "peers": true}, "p": {"kind": "ratio", "peers": true}, "l": {"kind": "histogram", "le": [0.1, "inf"], "before": [5, 9]},
"c": {"kind": "gauge", "tau": 0.1}}, "looks": [{"at": 1, "metrics": {"e": [150, 1, 2850, 12],
"h": {"canary": {"a": [9, 1]}, "baseline": {"b": [8, 2], "z": [4, 1]}, "born": ["a"]},
"p": {"canary": {"a": [9, 1]}, "baseline": {"b": [8, 2], "c": [7, 1], "d": null}}, "l": {"canary": [7, 15],
"baseline": [14, 28]}, "c": {"canary": [0.4, 0.5, null], "baseline": [0.4, 0.4, 0.5]}}},
{"at": 2, "metrics": {"e": [[5, 1, 9, 2], [1, 0, 3, 3]], "h": {"canary": {"a": [10, 1]}, "baseline": {"b": [9, 2], "z": [5, 1]}}},
"step_over": true}]}"#;

const TABLE: &str = "at,metric,n1,k1,n0,k0\n1,e,150,1,2850,12\n1,f,1,0,2,1\n2,e,,,,\n2,f,3,1,4,0\n";

const CANARY: &str = r#"{"metrics": [{"name": "m", "groups": ["g"], "analysisConfigurations": {"canary":
{"direction": "either", "outliers": {"strategy": "remove"}, "effectSize": {"measure": "cles"}}}}],
"classifier": {"groupWeights": {"g": 50}, "scoreThresholds": {"pass": 95, "marginal": 75}}}"#;
const SERIES: &str =
    r#"{"metrics": {"m": {"control": [1, 2, null, 3], "experiment": [4, 5, 6, 6]}}}"#;

const TEMPLATE: &str = "spec:\n  metrics:\n  - name: m\n    interval: 1m\n    failureLimit: 1\n    \
                        successCondition: len(result) > 0 && result[0] >= 0.95\n";
const MEASURED: &str = r#"{"metrics": {"m": [[0.97], [], {"error": "x"}, "NaN", null, 3]}}"#;

fn file<'a>(name: &'a str, text: &'a str) -> File<'a> {
    File {
        name,
        text,
        code: "bad",
    }
}

/// What was refused, at its place, in words that a terminal can show.
fn located(notice: &Notice) {
    let place = notice.place.as_deref().unwrap_or_default();
    let mut parts = place.split(':');
    let name = parts.next().unwrap_or_default();
    let numbers: Vec<Option<usize>> = parts.map(|part| part.parse().ok()).collect();
    let numbered = numbers.len() == 2 && numbers.iter().flatten().all(|n| *n > 0);
    assert!(!name.is_empty() && numbered, "no place: {notice:?}");
    let words = format!("{}{}{}", notice.headline, notice.detail, notice.next_step);
    assert!(!notice.headline.is_empty(), "no words: {notice:?}");
    assert!(
        !words.chars().any(char::is_control),
        "not printable: {notice:?}"
    );
    assert!(
        !words.contains(" at line "),
        "a place within a part: {notice:?}"
    );
}

/// Reads and judges a text in every way.
fn all(text: &str) {
    let mut refused: Vec<Notice> = Vec::new();
    refused.extend(
        vectors::check(&file("v.json", text))
            .err()
            .into_iter()
            .flatten(),
    );
    for read in [
        recorded::json(&file("s.json", text)),
        csv::csv(&file("s.csv", text)),
    ] {
        match read {
            Ok(samples) => {
                judged::judge(&samples, false);
                judged::judge(&samples, true);
            }
            Err(notice) => refused.push(notice),
        }
    }
    for (config, series) in [(text, SERIES), (CANARY, text)] {
        let said = kayenta::judge(&file("c.json", config), &file("s.json", series), false);
        refused.extend(said.err());
    }
    for (config, measured) in [(text, MEASURED), (TEMPLATE, text)] {
        let said = argo::judge(&file("a.yaml", config), &file("m.json", measured), false);
        refused.extend(said.err().into_iter().flatten());
    }
    refused.iter().for_each(located);
}

#[test]
fn the_texts_that_are_garbled_below_can_be_read() {
    let report = vectors::check(&file("v.json", VECTORS)).unwrap();
    assert!(report.text.contains("argo 0 ok"), "{}", report.text);
    let samples = recorded::json(&file("s.json", SAMPLES)).unwrap();
    assert_eq!(samples.looks.len(), 2);
    assert_eq!(csv::csv(&file("s.csv", TABLE)).unwrap().looks.len(), 2);
    kayenta::judge(&file("c", CANARY), &file("s", SERIES), true).unwrap();
    argo::judge(&file("a.yaml", TEMPLATE), &file("m.json", MEASURED), true).unwrap();
}

#[test]
fn what_is_nested_deep_is_refused() {
    for (open, close) in [
        ("[", "]"),
        ("{\"a\":", "}"),
        ("{\"streams\":[", "]}"),
        ("{\"metrics\":{\"e\":", "}}"),
        ("- ", ""),
        ("{a: ", "}"),
        ("spec:\n  metrics: [", "]"),
    ] {
        for depth in [100, 1000, 50_000] {
            all(&open.repeat(depth));
            all(&format!("{}1{}", open.repeat(depth), close.repeat(depth)));
        }
    }
    let deep = format!("{}1{}", "[".repeat(120), "]".repeat(120));
    all(&MEASURED.replace("[0.97]", &deep));
    all(&TEMPLATE.replace("result[0]", &format!("{}result", "(".repeat(5000))));
    // each name stands for ten of the one before
    let mut doubled = String::from("spec: {args: &x0 [1,1,1,1,1,1,1,1,1,1]}\n");
    for n in 1..12 {
        let of = format!("*x{},", n - 1).repeat(10);
        doubled.push_str(&format!("y{n}: &x{n} [{of}]\n"));
    }
    all(&doubled);
}

#[test]
fn huge_numbers_end() {
    for number in [
        "1.7e308",
        "-1.7e308",
        "9007199254740993",
        "1e-320",
        "-0.0",
        "4e18",
    ] {
        let series = format!(
            "{{\"metrics\": {{\"m\": {{\"control\": [{number}, 1, 2], \"experiment\": [-1.7e308, {number}, 3]}}}}}}"
        );
        all(&series);
        for text in [VECTORS, SAMPLES, TABLE, CANARY, SERIES, MEASURED] {
            for digit in ["1", "2", "3", "5", "9"] {
                all(&text.replacen(digit, number, 3));
                all(&text.replace(digit, number));
            }
        }
    }
}

fn fixed(cases: u32, seed: u64) -> ProptestConfig {
    ProptestConfig {
        rng_seed: RngSeed::Fixed(seed),
        failure_persistence: None,
        ..ProptestConfig::with_cases(cases)
    }
}

/// A part of a sound text, put in place of something else: pieces that fit make odder texts than
/// signs that do not.
fn moved(text: &str, (from, length, to): (f64, usize, f64)) -> String {
    let signs: Vec<char> = text.chars().collect();
    let at = |share: f64| (share * signs.len() as f64) as usize;
    let part = &signs[at(from)..(at(from) + length).min(signs.len())];
    let mut moved = signs.clone();
    let end = (at(to) + length).min(moved.len());
    moved.splice(at(to)..end, part.iter().copied());
    moved.into_iter().collect()
}

proptest! {
    #![proptest_config(fixed(400, 1))]
    #[test]
    fn no_bytes_break_the_readers(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        all(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn no_moved_parts_break_the_readers(
        which in 0usize..7,
        moves in proptest::collection::vec((0.0f64..1.0, 1usize..60, 0.0f64..1.0), 1..4),
    ) {
        let texts = [VECTORS, SAMPLES, TABLE, CANARY, SERIES, TEMPLATE, MEASURED];
        let text = moves.into_iter().fold(texts[which].to_owned(), |text, one| moved(&text, one));
        all(&text);
    }
}

proptest! {
    #![proptest_config(fixed(600, 2))]
    #[test]
    fn no_text_breaks_the_readers(
        which in 0usize..7,
        cuts in proptest::collection::vec((0.0f64..1.0, 0usize..12, 0usize..19), 1..4),
    ) {
        let texts = [VECTORS, SAMPLES, TABLE, CANARY, SERIES, TEMPLATE, MEASURED];
        let signs = [
            "", "-", "0", "9e307", "1e999", "null", "\"NaN\"", "\"inf\"", "[", "]", "{", "}", ",", ":",
            "\"", "-1", "1e-320", "true", "ä",
        ];
        let mut text: Vec<char> = texts[which].chars().collect();
        for (at, length, sign) in cuts {
            let from = (at * text.len() as f64) as usize;
            let to = (from + length).min(text.len());
            text.splice(from..to, signs[sign].chars());
        }
        let text: String = text.into_iter().collect();
        all(&text);
    }
}
