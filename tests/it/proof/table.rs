//! What a rollout saw beside what `holdpoint judge --plan` promises for it.

use std::fmt::Write as _;
use std::path::Path;

use holdpoint::ledger::telemetry::Telemetry;
use regex::Regex;
use serde_json::Value;

use super::followed::ALL;
use super::scene::{Scene, Service, WARM_UP};
use crate::shop::done;

/// What is wrong with the second version of a service, as the plan asks for it.
#[derive(Clone, Copy, Debug)]
pub struct Wrong {
    /// In a few words.
    pub words: &'static str,
    /// The part of the old version's requests that is bad.
    pub bad: f64,
    /// That of the new one's by that.
    pub ratio: f64,
    /// What is allowed on top of 1.25x, as a fraction.
    pub delta: f64,
}

/// What was seen of a rollout's first step.
#[derive(Debug)]
pub struct Seen {
    /// How many looks were judged.
    pub looks: f64,
    /// How many there are, or would have been, in its whole time.
    pub all: f64,
    /// How long a look was, in seconds: on a busy machine longer than it should be.
    pub length: f64,
    /// Requests of the canary and of the others in a look.
    pub traffic: [f64; 2],
    /// The last sentence about each metric.
    pub words: Vec<String>,
}

/// A line of the table.
#[derive(Debug)]
pub struct Line {
    pub service: String,
    pub wrong: Wrong,
    pub seen: Seen,
    /// At which look it is promised to be found, if it is promised within the rollout.
    pub promised: Option<f64>,
    /// Whether it was found.
    pub found: bool,
    /// What became of it.
    pub became: String,
}

impl Seen {
    /// Of a release whose first step has so many seconds.
    pub async fn of(scene: &Scene, id: &str, step: f64) -> Seen {
        let file = scene.path().join("telemetry.db");
        let mut telemetry = Telemetry::open(&file, ALL).await.unwrap();
        let release = id.strip_prefix("R-").unwrap().parse().unwrap();
        let rows = telemetry.load(release, 1_000_000).await.unwrap();
        telemetry.close().await;
        let counted = Regex::new(
            r"^errors: new version \S+ bad \((\d+) of (\d+)\), old version \S+ \((\d+) of (\d+)\)",
        );
        let counted = counted.unwrap();
        // a look was judged where the sentence about all looks so far has more requests than before
        let mut judged: Vec<(i64, [f64; 2])> = Vec::new();
        let mut words = Vec::new();
        for (at, bytes) in &rows {
            let row: Value = serde_json::from_slice(bytes).unwrap();
            if row["batch"] != 0 {
                break;
            }
            let of = |m: &Value| m["verdict"]["words"].as_str().unwrap().to_owned();
            words = row["metrics"].as_array().unwrap().iter().map(of).collect();
            let found = words.first().and_then(|words| counted.captures(words));
            let Some(found) = found else { continue };
            let traffic = [2, 4].map(|n| found[n].parse::<f64>().unwrap());
            if judged.last().is_none_or(|(_, before)| *before != traffic) {
                judged.push((*at, traffic));
            }
        }
        let (Some((first, _)), Some((last, sums))) = (judged.first(), judged.last()) else {
            panic!("{id}: no look was judged: {words:?}");
        };
        let looks = judged.len() as f64;
        let length = ((last - first) as f64 / 1000.0 / (looks - 1.0).max(1.0)).max(1.0);
        Seen {
            looks,
            all: looks.max(((step - WARM_UP) / length).floor()),
            length,
            traffic: sums.map(|sum| sum / looks),
            words,
        }
    }

    /// At which look `judge --plan` promises this traffic to show what is wrong, if it promises that
    /// within the rollout: for the largest of the ratios that it names and this one reaches.
    pub fn promised(&self, room: &Path, wrong: Wrong) -> Option<f64> {
        let [new, old] = self.traffic;
        let said = done(
            room,
            &[
                "judge",
                "--plan",
                "--look=1",
                &format!("--rps={}", new + old),
                &format!("--share={}", 100.0 * new / (new + old)),
                &format!("--minutes={}", (self.all + 0.5) / 60.0),
                &format!("--bad={}", 100.0 * wrong.bad),
                &format!("--delta={}", wrong.delta),
            ],
        );
        assert_eq!(said["looks"], self.all, "{said}");
        let mut named = said["regressions"].as_array().unwrap().iter();
        let reached = |one: &&Value| one["ratio"].as_f64().unwrap() <= wrong.ratio * 1.0001;
        let looks = named.rfind(reached)?["looks"].as_f64()?.ceil();
        (looks <= self.all).then_some(looks)
    }
}

/// The table as text; requests are those of both sides in a look.
pub fn table(lines: &[Line]) -> String {
    let mut text = format!(
        "{:<8} {:<28} {:>6} {:>8} {:>6} {:>6} {:>8} {:>8}  {}\n",
        "service",
        "what is wrong",
        "share",
        "requests",
        "a look",
        "looks",
        "promised",
        "found",
        "what became of it"
    );
    for line in lines {
        let [new, old] = line.seen.traffic;
        let or = |is: bool, looks: f64| match is {
            true => format!("look {looks}"),
            false => "-".to_owned(),
        };
        let _ = writeln!(
            text,
            "{:<8} {:<28} {:>4.0} % {:>8.0} {:>4.1} s {:>6} {:>8} {:>8}  {}",
            line.service,
            line.wrong.words,
            100.0 * new / (new + old),
            new + old,
            line.seen.length,
            line.seen.all,
            or(line.promised.is_some(), line.promised.unwrap_or_default()),
            or(line.found, line.seen.looks),
            line.became
        );
    }
    text
}

/// What is wrong where so much of the requests fails.
pub fn failing(words: &'static str, old: f64, new: f64) -> Wrong {
    Wrong {
        words,
        bad: old,
        ratio: new / old,
        delta: 0.0002,
    }
}

/// What is wrong where requests take so many times longer, seen at a boundary in seconds.
pub fn slower(words: &'static str, service: &Service, boundary: f64) -> Wrong {
    let above = |median_ms: f64, spread: f64| {
        let deviations = (boundary * 1000.0 / median_ms).ln() / spread;
        libm::erfc(deviations / std::f64::consts::SQRT_2) / 2.0
    };
    let old = above(service.old.latency_ms, service.old.spread);
    Wrong {
        words,
        bad: old,
        ratio: above(service.new.latency_ms, service.new.spread) / old,
        delta: 0.0,
    }
}
