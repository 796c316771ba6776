//! Reading answers of the Prometheus HTTP API, version 1, pure.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::native::{self, RawHistogram};
use crate::domain::text::printable;
use crate::platform::metrics_text::SeriesId;

/// The most letters of what a server says that are shown.
const SAID: usize = 200;

/// The most of its warnings and notes that are kept.
const MOST_NOTES: usize = 5;

/// One series over time.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Line {
    /// What it is; its name is empty where a function took it away.
    pub id: SeriesId,
    /// Milliseconds since 1970 by the server's clock, and values; rising in time.
    pub points: Vec<(i64, f64)>,
    /// The same of native histograms.
    pub histograms: Vec<(i64, native::Cumulated)>,
}

/// What a query brought.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Answer {
    pub lines: Vec<Line>,
    /// Remarks of the server that take nothing away from the answer.
    pub infos: Vec<String>,
}

/// The most that is taken from one answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Series.
    pub series: usize,
    /// Samples of all of them together.
    pub points: usize,
}

#[derive(Deserialize)]
struct Envelope {
    status: String,
    data: Option<Data>,
    #[serde(default)]
    error: String,
    #[serde(default)]
    warnings: Vec<String>,
    #[serde(default)]
    infos: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    result_type: String,
    #[serde(default)]
    result: Vec<RawLine>,
}

#[derive(Deserialize)]
struct RawLine {
    metric: BTreeMap<String, String>,
    #[serde(default)]
    values: Vec<(f64, String)>,
    #[serde(default)]
    histograms: Vec<(f64, RawHistogram)>,
}

/// Reads the body of an answer.
///
/// # Errors
/// Why it brings nothing, in words: it is no JSON of this API, the server refused, it warns that
/// the answer is not whole, or there is more of it than may be.
pub(super) fn read(body: &[u8], limits: Limits) -> Result<Answer, String> {
    let envelope: Envelope = match serde_json::from_slice(body) {
        Ok(envelope) => envelope,
        Err(error) if error.is_eof() => return Err("its answer broke off".to_owned()),
        Err(error) => return Err(format!("its answer is no answer of Prometheus: {error}")),
    };
    if envelope.status != "success" {
        let said = printable(&envelope.error, SAID);
        return Err(format!("it refused the query: {said}"));
    }
    if let Some(first) = envelope.warnings.first() {
        // part of a store that did not answer, a result cut to a limit: counts would be too small
        let others = match envelope.warnings.len() - 1 {
            0 => String::new(),
            n => format!(" (and {n} more)"),
        };
        let said = printable(first, SAID);
        return Err(format!(
            "it warns that its answer is not whole: {said}{others}"
        ));
    }
    let data = envelope.data.ok_or("its answer holds no data")?;
    if data.result_type != "matrix" {
        let kind = printable(&data.result_type, 40);
        return Err(format!("it answered with a {kind} instead of a matrix"));
    }
    if data.result.len() > limits.series {
        return Err(format!("more than {} series are selected", limits.series));
    }
    let all = data.result.iter();
    let points: usize = all.map(|l| l.values.len() + l.histograms.len()).sum();
    if points > limits.points {
        return Err(format!("{points} samples are more than {}", limits.points));
    }
    let lines: Result<Vec<Line>, String> = data.result.into_iter().map(RawLine::read).collect();
    let infos = envelope.infos.iter().take(MOST_NOTES);
    Ok(Answer {
        lines: lines?,
        infos: infos.map(|info| printable(info, SAID)).collect(),
    })
}

/// What the server says of an answer with another status than 200, in its own words; empty where it
/// says nothing of this API.
pub(super) fn refusal(body: &[u8]) -> String {
    let read: Result<Envelope, _> = serde_json::from_slice(body);
    read.map_or(String::new(), |it| printable(&it.error, SAID))
}

impl RawLine {
    fn read(mut self) -> Result<Line, String> {
        let name = self.metric.remove("__name__").unwrap_or_default();
        let id = SeriesId {
            name,
            // in the order of their names, and an empty label is the same as none
            labels: self
                .metric
                .into_iter()
                .filter(|(_, v)| !v.is_empty())
                .collect(),
        };
        let points = self.values.iter().map(|(at, value)| {
            let number = value.parse::<f64>();
            let number = number.map_err(|_| format!("{} has a value that is no number", id.name));
            Ok((millis(*at)?, number?))
        });
        let points = rising(points.collect::<Result<Vec<_>, String>>()?)?;
        let histograms = self.histograms.into_iter().map(|(at, histogram)| {
            let read = histogram
                .cumulated()
                .map_err(|why| format!("{}: {why}", id.name));
            Ok((millis(at)?, read?))
        });
        let histograms = rising(histograms.collect::<Result<Vec<_>, String>>()?)?;
        Ok(Line {
            id,
            points,
            histograms,
        })
    }
}

/// A time of an answer, to the millisecond.
fn millis(seconds: f64) -> Result<i64, String> {
    let millis = (seconds * 1000.0).round();
    match millis.is_finite() && (0.0..1e15).contains(&millis) {
        true => Ok(millis as i64),
        false => Err("a sample has no time".to_owned()),
    }
}

fn rising<T>(points: Vec<(i64, T)>) -> Result<Vec<(i64, T)>, String> {
    match points.is_sorted_by(|a, b| a.0 < b.0) {
        true => Ok(points),
        false => Err("its samples go back in time".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMITS: Limits = Limits {
        series: 2,
        points: 4,
    };

    fn matrix(lines: &str) -> String {
        format!(r#"{{"status":"success","data":{{"resultType":"matrix","result":[{lines}]}}}}"#)
    }

    fn one(values: &str) -> Result<Answer, String> {
        let line = format!(r#"{{"metric":{{"__name__":"m","a":"1","b":""}},"values":[{values}]}}"#);
        read(matrix(&line).as_bytes(), LIMITS)
    }

    #[test]
    fn samples_of_all_kinds() {
        let answer = one(r#"[1.5,"7"],[2,"NaN"],[3.0004,"+Inf"],[4,"-Inf"]"#).unwrap();
        let line = &answer.lines[0];
        assert_eq!(line.id.name, "m");
        assert_eq!(line.id.labels, [("a".into(), "1".into())]);
        let times: Vec<i64> = line.points.iter().map(|p| p.0).collect();
        assert_eq!(times, [1500, 2000, 3000, 4000]);
        assert_eq!(line.points[0].1, 7.0);
        assert!(line.points[1].1.is_nan());
        assert_eq!(line.points[2].1, f64::INFINITY);
        assert_eq!(line.points[3].1, f64::NEG_INFINITY);
        assert_eq!(read(matrix("").as_bytes(), LIMITS), Ok(Answer::default()));
    }

    #[test]
    fn a_native_histogram_is_read_beside_values() {
        let histogram =
            r#"{"count":"5","sum":"2","buckets":[[3,"-0.001","0.001","2"],[0,"0.5","1","3"]]}"#;
        let line = format!(r#"{{"metric":{{"__name__":"h"}},"histograms":[[1,{histogram}]]}}"#);
        let answer = read(matrix(&line).as_bytes(), LIMITS).unwrap();
        let (at, cumulated) = &answer.lines[0].histograms[0];
        assert_eq!((*at, cumulated.last().map(|b| b.1)), (1000, Some(5.0)));
    }

    #[test]
    fn what_is_not_whole_brings_nothing() {
        let fails = |body: &str, words: &str| {
            let error = read(body.as_bytes(), LIMITS).unwrap_err();
            assert!(error.contains(words), "{body}: {error}");
        };
        fails(
            "<html><body>Log in</body></html>",
            "no answer of Prometheus",
        );
        fails("", "broke off");
        let whole = matrix(r#"{"metric":{},"values":[[1,"2"]]}"#);
        for cut in 1..whole.len() {
            fails(&whole[..cut], "broke off");
        }
        fails(
            r#"{"status":"error","errorType":"bad_data","error":"parse \u001b[2J"}"#,
            "refused the query: parse ",
        );
        let warned = whole.replacen('{', r#"{"warnings":["store b is away","x"],"#, 1);
        fails(&warned, "not whole: store b is away (and 1 more)");
        fails(r#"{"status":"success"}"#, "no data");
        let scalar = r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#;
        fails(scalar, "a vector instead of a matrix");
        fails(
            &matrix(&[r#"{"metric":{}}"#; 3].join(",")),
            "more than 2 series",
        );
        let values: Vec<String> = (1..6).map(|at| format!(r#"[{at},"1"]"#)).collect();
        assert!(one(&values.join(",")).unwrap_err().contains("5 samples"));
        assert!(
            one(r#"[2,"1"],[1,"1"]"#)
                .unwrap_err()
                .contains("back in time")
        );
        assert!(one(r#"[1e300,"1"]"#).unwrap_err().contains("no time"));
        assert!(one(r#"[1,"many"]"#).unwrap_err().contains("no number"));
    }

    #[test]
    fn notes_are_kept_and_cannot_control_a_terminal() {
        let noted = matrix("").replacen('{', r#"{"infos":["might be a gauge\u001b[2J"],"#, 1);
        let answer = read(noted.as_bytes(), LIMITS).unwrap();
        assert!(answer.infos[0].starts_with("might be a gauge"));
        assert!(!answer.infos[0].contains('\u{1b}'));
        assert_eq!(
            refusal(br#"{"status":"error","error":"too many"}"#),
            "too many"
        );
        assert_eq!(refusal(b"<html>"), "");
    }

    /// A sound answer of three series, one of them a native histogram.
    const WHOLE: &str = r#"{"status":"success","infos":["a note"],"data":{"resultType":"matrix","result":[
{"metric":{"__name__":"m","instance":"a:1","code":"500"},"values":[[1.5,"7"],[2.5,"1e3"],[3.5,"NaN"]]},
{"metric":{"__name__":"m","instance":"b:1"},"values":[[1,"+Inf"]]},
{"metric":{"__name__":"h"},"histograms":[[1,{"count":"5","sum":"2","buckets":[[3,"-0.001","0.001","2"],[0,"0.5","1","3"]]}]]}]}}"#;

    const ROOM: Limits = Limits {
        series: 10,
        points: 100,
    };

    /// It is read, or refused in words.
    fn words(body: &[u8]) {
        if let Err(why) = read(body, ROOM) {
            assert!(
                !why.is_empty() && !why.chars().any(char::is_control),
                "{why:?}"
            );
        }
        let _ = refusal(body);
    }

    #[test]
    fn a_million_series_are_too_many() {
        let line = r#"{"metric":{"__name__":"m"},"values":[[1,"2"]]},"#;
        let many = line.repeat(1_000_000);
        let error = read(matrix(many.trim_end_matches(',')).as_bytes(), ROOM).unwrap_err();
        assert_eq!(error, "more than 10 series are selected");
    }

    #[test]
    fn deep_and_huge_answers_are_refused() {
        for open in ["[", "{\"data\":", "{\"data\":{\"result\":[", "{\"metric\":"] {
            for depth in [100, 100_000] {
                words(open.repeat(depth).as_bytes());
            }
        }
        for number in [
            "1e999",
            "-1",
            "1e308",
            "\"NaN\"",
            "null",
            "9223372036854775808",
            "1e15",
            "-0.0",
        ] {
            for digit in ["1", "2", "3", "5", "7"] {
                words(WHOLE.replace(digit, number).as_bytes());
                words(WHOLE.replacen(digit, number, 2).as_bytes());
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            rng_seed: proptest::test_runner::RngSeed::Fixed(3),
            failure_persistence: None,
            ..ProptestConfig::with_cases(1000)
        })]
        #[test]
        fn a_garbled_answer_is_read_or_refused(
            cuts in proptest::collection::vec((0.0f64..1.0, 0usize..12, 0usize..17), 1..4),
        ) {
            let signs = [
                "", "-", "0", "1e308", "null", "\"NaN\"", "\"-Inf\"", "[", "]", "{", "}", ",", ":", "\"",
                "\u{1b}[2J", "\\u0007", "ä",
            ];
            let mut text: Vec<char> = WHOLE.chars().collect();
            for (at, length, sign) in cuts {
                let from = (at * text.len() as f64) as usize;
                let to = (from + length).min(text.len());
                text.splice(from..to, signs[sign].chars());
            }
            words(text.into_iter().collect::<String>().as_bytes());
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            words(&bytes);
        }

        #[test]
        fn nothing_makes_it_panic(body in "\\PC*", lines in "[\\[\\]{}\",:0-9a-z+-]{0,80}") {
            let _ = read(body.as_bytes(), LIMITS);
            let _ = read(matrix(&lines).as_bytes(), LIMITS);
            let _ = one(&lines);
        }
    }
}
