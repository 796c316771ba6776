//! When windows and freezes hold, against python-dateutil.

use std::fmt::Write as _;
use std::process::Command;

use holdpoint::domain::calendar::{Except, Repeat, Series};
use holdpoint::domain::plan::LocalTime;
use holdpoint::domain::spelled::Spelled;
use holdpoint::domain::{Span, Timestamp};
use serde::Deserialize;

use crate::machine::left_out;

/// How many random rules are compared; `HOLDPOINT_ORACLE_CASES` asks for more.
const CASES: u32 = 2000;

/// A rule and what dateutil says of it.
#[derive(Debug, Deserialize)]
struct Case {
    zone: String,
    starts: String,
    lasts: String,
    repeats: Option<String>,
    except: Vec<String>,
    from: i64,
    to: i64,
    times: Vec<(i64, i64)>,
}

impl Case {
    fn series(&self) -> Result<Series, String> {
        let repeats = self.repeats.as_deref().map(Repeat::read).transpose()?;
        let except = self.except.iter().map(|day| Except::read(day));
        Ok(Series {
            zone: self.zone.as_str().into(),
            starts: LocalTime::read(&self.starts)?,
            lasts: Span::parse(&self.lasts)?,
            repeats,
            except: except.collect::<Result<_, _>>()?,
            also: Vec::new(),
        })
    }

    /// What differs, in words.
    fn difference(&self) -> Option<String> {
        let series = match self.series() {
            Ok(series) => series,
            Err(why) => return Some(format!("refused: {why}")),
        };
        let found = series.between(Timestamp(self.from), Timestamp(self.to));
        let found: Vec<(i64, i64)> = found.iter().map(|o| (o.start.0, o.end.0)).collect();
        if found == self.times {
            return None;
        }
        let mut words = String::new();
        let shown = |(start, end): &(i64, i64)| {
            let time = |t: &i64| chrono::DateTime::from_timestamp_millis(*t).unwrap_or_default();
            format!("{} .. {}", time(start), time(end))
        };
        for time in self.times.iter().filter(|t| !found.contains(t)).take(3) {
            let _ = write!(words, "\n    dateutil alone: {}", shown(time));
        }
        for time in found.iter().filter(|t| !self.times.contains(t)).take(3) {
            let _ = write!(words, "\n    holdpoint alone: {}", shown(time));
        }
        Some(words)
    }
}

#[test]
fn occurrences_are_those_of_dateutil() {
    if left_out("dateutil") {
        return;
    }
    let cases = std::env::var("HOLDPOINT_ORACLE_CASES").ok();
    let cases = cases.map_or(CASES, |n| {
        n.parse().expect("HOLDPOINT_ORACLE_CASES is a number")
    });
    let seed: u32 = std::env::var("HOLDPOINT_ORACLE_SEED")
        .ok()
        .map_or(20_261_121, |n| {
            n.parse().expect("HOLDPOINT_ORACLE_SEED is a number")
        });
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/oracle/recurrence.py");
    // a python of one's own in the path need not have what the system's has
    let knows = |python: &&&str| {
        let asked = Command::new(python)
            .args(["-c", "import dateutil.rrule"])
            .output();
        asked.is_ok_and(|answer| answer.status.success())
    };
    let python = ["python3", "/usr/bin/python3"];
    let python = python.iter().find(knows).expect(
        "python3 with dateutil (package python3-dateutil) is needed; HOLDPOINT_SKIP=dateutil leaves \
         this test out",
    );
    let output = Command::new(python)
        .arg(script)
        .args([seed.to_string(), cases.to_string()])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let text = String::from_utf8(output.stdout).unwrap();
    let (mut wrong, mut occurrences, mut read) = (Vec::new(), 0, 0);
    for line in text.lines() {
        let case: Case = serde_json::from_str(line).unwrap();
        occurrences += case.times.len();
        read += 1;
        if let Some(difference) = case.difference() {
            let when = format!(
                "{} {} {} {:?} except {:?}",
                case.zone, case.starts, case.lasts, case.repeats, case.except
            );
            wrong.push(format!("{when}: {difference}"));
        }
    }
    assert_eq!(read, cases);
    assert!(
        occurrences > 10 * read as usize,
        "only {occurrences} occurrences"
    );
    assert!(
        wrong.is_empty(),
        "{} of {read} rules differ (seed {seed}):\n{}",
        wrong.len(),
        wrong[..wrong.len().min(12)].join("\n")
    );
}
