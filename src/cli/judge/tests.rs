//! No text breaks the readers: what is cut, doubled or garbled is refused or judged, never a panic.

use proptest::prelude::*;

use super::json::File;
use super::{argo, csv, judged, kayenta, recorded, vectors};

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
"fail_above": 0.2}, "h": {"kind": "counters"}, "l": {"kind": "histogram", "le": [0.1, "inf"], "before": [5, 9]},
"c": {"kind": "gauge", "tau": 0.1}}, "looks": [{"at": 1, "metrics": {"e": [150, 1, 2850, 12],
"h": {"canary": {"a": [9, 1]}, "baseline": {"b": [8, 2]}, "born": ["a"]}, "l": {"canary": [7, 15],
"baseline": [14, 28]}, "c": {"canary": [0.4, 0.5, null], "baseline": [0.4, 0.4, 0.5]}}},
{"at": 2, "metrics": {"e": [[5, 1, 9, 2], [1, 0, 3, 3]], "h": {"canary": {"a": [10, 1]}, "baseline": {"b": [9, 2]}}},
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

/// Reads and judges a text in every way.
fn all(text: &str) {
    let _ = vectors::check(&file("v.json", text));
    if let Ok(samples) = recorded::json(&file("s.json", text)) {
        let _ = judged::judge(&samples, false);
    }
    if let Ok(samples) = csv::csv(&file("s.csv", text)) {
        let _ = judged::judge(&samples, true);
    }
    for (config, series) in [(text, SERIES), (CANARY, text)] {
        let _ = kayenta::judge(&file("c.json", config), &file("s.json", series), false);
    }
    for (config, measured) in [(text, MEASURED), (TEMPLATE, text)] {
        let _ = argo::judge(&file("a.yaml", config), &file("m.json", measured), false);
    }
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
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
