//! What the judge says, in a made-up room: proven regressions, undecided metrics, metrics in shadow,
//! gaps, numbers beyond any scale.

use std::sync::Arc;

use holdpoint::domain::live::{Chart, Decides, Judged, Live, Point, Unit};
use holdpoint::domain::metric::Action;
use holdpoint::domain::{Call, Decision, Judgement, ReleaseId, Span};
use holdpoint::tui::{Caps, Depth};
use serde_json::json;

use super::seat::Seat;
use super::shop;
use super::shots::{NARROW, WIDE, shot};
use crate::room::Room;

/// A look every 15 s; the new version is there since the 20th of 80.
const LOOKS: u32 = 80;
const SINCE: u32 = 20;

fn wave(n: u32) -> f64 {
    f64::from((n * 7919) % 13) / 13.0 - 0.5
}

/// A metric whose old version is at `old`, give or take a tenth, and whose new one is at `times` that.
fn chart(room: &Room, metric: &str, unit: Unit, old: f64, times: f64) -> Chart {
    let points = (0..LOOKS).map(|n| Point {
        at: room.now.minus(Span::secs(u64::from(LOOKS - n) * 15)),
        canary: (n >= SINCE).then(|| old * times * (1.0 + wave(n + 3) * 0.2)),
        baseline: Some(old * (1.0 + wave(n) * 0.2)),
    });
    Chart {
        service: "payments".into(),
        metric: metric.into(),
        unit,
        points: points.collect(),
        call: Call::Undecided,
        words: "".into(),
        allowed: "1.25x + 0.02 points".into(),
        limit: None,
        judged: Judged::default(),
    }
}

fn errors(room: &Room) -> Chart {
    Chart {
        call: Call::Pass,
        words: "errors: new version 0.34% bad (41 of 12000), old version 0.333% (760 of 228000) over the \
                same time; that is 1x (between 0.73x and 1.4x). Allowed: 1.25x + 0.02 points. No evidence \
                of a regression."
            .into(),
        limit: Some(0.05),
        judged: Judged {
            interval: Some((0.73, 1.4)),
            tolerated: Some(0.00436),
            evidence: 0.61,
            decides: Decides::Now,
            ..Judged::default()
        },
        ..chart(room, "errors", Unit::Share, 0.00333, 1.0)
    }
}

fn p99(room: &Room) -> Chart {
    Chart {
        call: Call::Fail,
        words: "p99: new 412 ms, old 196 ms; above 0.25: 11.2% of the new version's requests (9412 of \
                84120), 5.33% of the old version's (40318 of 756004) over the same time. Allowed: 1.25x in \
                odds. Very strong evidence of a regression: if the new version were within what you allow, \
                at most 1 rollout in 340 would ever look this bad."
            .into(),
        allowed: "1.25x in odds, never above 500 ms".into(),
        limit: Some(0.5),
        judged: Judged {
            interval: Some((1.7, 2.6)),
            tolerated: Some(0.245),
            evidence: 340.7,
            most: 340.7,
            decides: Decides::Now,
            blamed: true,
            ..Judged::default()
        },
        ..chart(room, "p99", Unit::Seconds, 0.196, 2.1)
    }
}

fn memory(room: &Room) -> Chart {
    Chart {
        words: "memory: new 28.4 M, old 27.3 M; the difference to what is allowed lies between -4.1 M and \
                1.2 M. Allowed: 10%. No evidence of a regression."
            .into(),
        allowed: "10%".into(),
        judged: Judged {
            interval: Some((0.92, 1.14)),
            tolerated: Some(30_030_000.0),
            decides: Decides::In(Span::secs(700)),
            action: Action::Hold,
            ..Judged::default()
        },
        ..chart(room, "memory", Unit::Plain, 27_300_000.0, 1.04)
    }
}

/// Looks bad, and nothing follows from it.
fn shadow(room: &Room) -> Chart {
    Chart {
        call: Call::Hold,
        words: "queue: new 61, old 40; Allowed: 10%. Strong evidence of a regression: if the new version \
                were within what you allow, at most 1 rollout in 45 would ever look this bad."
            .into(),
        judged: Judged {
            interval: Some((1.2, 1.9)),
            tolerated: Some(44.0),
            evidence: 12.4,
            most: 45.2,
            decides: Decides::In(Span::mins(190)),
            action: Action::Hold,
            shadow: true,
            ..Judged::default()
        },
        ..chart(room, "queue", Unit::Plain, 40.0, 1.5)
    }
}

fn live(room: &Room, id: ReleaseId, charts: Vec<Chart>, judgement: Option<Judgement>) -> Live {
    let mut live = shop::live(room);
    live.charts.insert(id, Arc::new(charts));
    if let Some(judgement) = judgement {
        live.judgements.insert(id, Arc::new(judgement));
    }
    live
}

fn judgement(decision: Decision, reason: &str, blamed: &[&str]) -> Judgement {
    Judgement {
        decision,
        reason: reason.into(),
        blamed: blamed.iter().map(|name| (*name).into()).collect(),
        ..Judgement::default()
    }
}

/// Payments at 40 %, in the hands of somebody who promotes.
fn room() -> (Room, ReleaseId) {
    let mut room = shop::empty();
    let id = shop::manual(&mut room);
    (room, id)
}

type Made = (&'static str, fn(&Room) -> (Vec<Chart>, Option<Judgement>));

/// Every situation, by name.
const MADE: &[Made] = &[
    ("regression", |room| {
        let said = judgement(
            Decision::RollBack,
            "evidence 340:1 on critical metrics",
            &["p99"],
        );
        let charts = vec![errors(room), memory(room), p99(room), shadow(room)];
        (charts, Some(said))
    }),
    ("undecided", |room| {
        let mut errors = errors(room);
        errors.call = Call::Undecided;
        errors.judged.decides = Decides::In(Span::secs(700));
        let mut p99 = chart(room, "p99", Unit::Seconds, 0.196, 1.1);
        p99.words = "p99: new 214 ms, old 198 ms; above 0.25: 6.1% of the new version's requests (12 of 197), \
                     5.33% of the old version's (40318 of 756004) over the same time. Allowed: 1.25x in \
                     odds. No evidence of a regression."
            .into();
        p99.judged.interval = Some((0.4, f64::INFINITY));
        p99.judged.tolerated = Some(0.245);
        p99.judged.decides = Decides::Never;
        (
            vec![errors, p99],
            Some(judgement(Decision::Continue, "", &[])),
        )
    }),
    ("no-data", |room| {
        let mut errors = errors(room);
        let last = errors.points.len() - 30;
        for point in &mut errors.points[last..] {
            point.canary = None;
        }
        errors.call = Call::NoData;
        errors.words = "errors: no data: connection refused by pa-01".into();
        errors.judged.decides = Decides::Unknown;
        let reason = "no data for 30 looks";
        let said = judgement(Decision::Inconclusive, reason, &["errors"]);
        (vec![errors], Some(said))
    }),
    ("warming", |room| {
        let mut errors = chart(room, "errors", Unit::Share, 0.00333, 1.0);
        for point in &mut errors.points[..75] {
            point.canary = None;
        }
        errors.words = "errors: new 0.31 %, old 0.33 %; warming up, judged in 1 m 20 s".into();
        (vec![errors], None)
    }),
    ("huge", |room| {
        let mut bytes = chart(room, "bytes", Unit::Plain, 4.2e12, 300.0);
        bytes.call = Call::Hold;
        bytes.words = "bytes: new 1260 G, old 4.2 G".into();
        bytes.limit = Some(9e15);
        bytes.judged = Judged {
            interval: Some((2.4, 40_000.0)),
            tolerated: Some(4.62e12),
            evidence: 3e41,
            most: f64::INFINITY,
            decides: Decides::Now,
            blamed: true,
            action: Action::Hold,
            shadow: false,
        };
        let mut still = chart(room, "timeouts", Unit::Share, 0.0, 1.0);
        still.words = "timeouts: new version 0% bad (0 of 12000), old version 0% (0 of 228000) over the same \
                       time. Allowed: 1.25x + 0.02 points. Not enough traffic to tell the two apart: nothing \
                       bad was seen."
            .into();
        still.limit = Some(0.05);
        still.judged.tolerated = Some(0.0002);
        still.judged.interval = Some((0.0, f64::INFINITY));
        let said = judgement(Decision::Pause, "evidence 1e41:1", &["bytes"]);
        (vec![bytes, still], Some(said))
    }),
    ("twins", |room| {
        let mut other = p99(room);
        other.metric = "errors".into();
        other.service = "ledger-api".into();
        other.judged.interval = Some((1.7, f64::INFINITY));
        (vec![errors(room), other], None)
    }),
];

fn seat(made: &Made, size: (u16, u16), theme: &str, caps: Caps) -> Seat {
    let (room, id) = room();
    let (charts, said) = (made.1)(&room);
    let mut seat = Seat::with(room, "ada", size, theme, caps);
    seat.live = live(&seat.room, id, charts, said);
    seat.settle();
    seat
}

fn roles() -> Caps {
    Caps {
        depth: Depth::True,
        ..Caps::default()
    }
}

#[test]
fn every_situation_on_the_metrics_screen() {
    for made in MADE {
        for size in [(160, 48), WIDE, NARROW] {
            let mut seat = seat(made, size, "roles", roles());
            seat.keys("3");
            shot(&format!("judged-{}", made.0), &seat);
        }
    }
}

#[test]
fn without_unicode_the_band_and_the_levels_are_still_told() {
    let ascii = Caps {
        unicode: false,
        ..roles()
    };
    for size in [(160, 48), NARROW] {
        for made in MADE {
            let mut seat = seat(made, size, "roles", ascii);
            seat.keys("3");
            let text = seat.text();
            assert!(text.is_ascii(), "{text}");
        }
        let mut seat = seat(&MADE[0], size, "roles", ascii);
        seat.keys("3");
        shot("judged-ascii", &seat);
    }
}

#[test]
fn where_a_person_decides_the_judge_is_heard() {
    for (name, keys) in [
        ("ladder", "2"),
        ("why", "w"),
        ("evidence", "e"),
        ("promote", "P"),
    ] {
        for size in [WIDE, NARROW] {
            let mut seat = seat(&MADE[0], size, "roles", roles());
            seat.keys(keys);
            shot(&format!("judged-{name}"), &seat);
        }
    }
    // what it waits for, where nothing is decided
    let mut seat = seat(&MADE[1], WIDE, "roles", roles());
    seat.keys("w");
    shot("judged-why-undecided", &seat);
}

#[test]
fn an_analysis_says_how_each_metric_stands() {
    let mut room = shop::empty();
    let more = json!({"batches": [
        {"exposure": "25%", "after": [{"analysis": {"metrics": ["errors", "p99"], "passes": 3}}]},
        {"exposure": "full"},
    ]});
    let id = shop::started(&mut room, shop::plan("payments", "4.12.0", more));
    room.work();
    let (charts, said) = (MADE[1].1)(&room);
    for size in [WIDE, NARROW] {
        let (charts, said) = (charts.clone(), said.clone());
        let from = Room {
            draft: room.draft.clone(),
            now: room.now,
            fleet: room.fleet.clone(),
            divided: Default::default(),
            begun: Vec::new(),
            fails: Vec::new(),
        };
        let mut seat = Seat::with(from, "ada", size, "roles", roles());
        seat.live = live(&seat.room, id, charts, said);
        seat.settle();
        seat.keys("2");
        shot("judged-analysis", &seat);
    }
}

#[test]
fn the_cursor_tells_metrics_of_the_same_name_apart() {
    let mut seat = seat(&MADE[5], WIDE, "roles", roles());
    seat.keys("3");
    // the one to blame comes first
    assert!(
        seat.text().contains(" ledger-api/errors   ✗ fail"),
        "{}",
        seat.text()
    );
    seat.keys("k");
    assert!(
        seat.text().contains(" payments/errors   ✓ pass"),
        "{}",
        seat.text()
    );
    seat.keys("j");
    assert!(
        seat.text().contains(" ledger-api/errors   ✗ fail"),
        "{}",
        seat.text()
    );
}

/// Written for [`super::pictures`].
pub fn pictures(dir: &str) {
    for made in MADE {
        for size in [(160, 48), (80, 24)] {
            for (look, theme, caps) in super::pictures::looks() {
                let mut seat = seat(made, size, theme, caps);
                for (name, keys) in [("metrics", "3"), ("ladder", "2"), ("why", "w")] {
                    if name != "metrics" && made.0 != "regression" {
                        continue;
                    }
                    seat.keys(keys);
                    let (cols, rows) = size;
                    let path = format!("{dir}/judged-{}-{name}-{cols}x{rows}-{look}.ansi", made.0);
                    std::fs::write(path, super::seat::ansi(&seat.buffer().0)).unwrap();
                }
            }
        }
    }
}
