//! What a picture costs: every screen at 160x48 while 200 releases move, and the bringing up to date
//! of the rows before it. Needs no terminal: `cargo bench --bench screens`.

#![allow(clippy::unwrap_used, reason = "a benchmark stops where it fails")]

#[path = "../tests/it/room/mod.rs"]
#[allow(dead_code, reason = "shared with the tests, which use more of it")]
mod room;

use std::sync::Arc;
use std::time::{Duration, Instant};

use holdpoint::domain::live::{CHART_POINTS, Chart, Decides, Judged, Live, Point, Unit};
use holdpoint::domain::{
    Actor, Ask, Call, Choice, Control, Decision, Door, Health, Judgement, Span,
};
use holdpoint::tui::{
    Asker, Caps, Depth, Desk, Input, Key, Keymap, Scene, Setup, Themes, World, paint, update,
};
use ratatui::buffer::Buffer;
use ratatui::layout::{Rect, Size};

/// Releases that move.
const MOVING: usize = 200;
/// Metrics of each that are looked at.
const METRICS: u32 = 8;
/// Pictures of each kind.
const PICTURES: usize = 500;

fn main() {
    let mut room = moving();
    let area = Rect::new(0, 0, 160, 48);
    let live = looked(&room);
    let mut desk = Desk::new(
        Setup {
            asker: Asker {
                who: Actor::Person("ada".into()),
                door: Door::Engine,
            },
            keymap: Arc::new(Keymap::built_in()),
            themes: Arc::new(Themes::load(&[]).0),
            theme: None,
            caps: Caps {
                depth: Depth::True,
                ..Caps::default()
            },
            zone: chrono_tz::Europe::Berlin,
            size: Size::new(area.width, area.height),
            ends: false,
            notices: Vec::new(),
        },
        room.now,
    );
    println!(
        "{MOVING} releases move, {} columns, {} rows",
        area.width, area.height
    );
    for (name, key) in [
        ("releases", "1"),
        ("rollout", "2"),
        ("metrics", "3"),
        ("approvals", "4"),
        ("help", "?"),
        ("palette", ":"),
    ] {
        room.now = room.now.plus(Span::secs(5));
        let world = World {
            state: &room.draft.state,
            live: &live,
            now: room.now,
        };
        desk.settle(world);
        let key: Key = key.parse().unwrap();
        update(&mut desk, world, Input::Key(key));
        let mut buffer = Buffer::empty(area);
        let painted = median(|| {
            let scene = Scene { desk: &desk, world };
            paint(&scene, area, &mut buffer);
        });
        println!("{name:<10} paint {painted:?}");
    }
    let world = World {
        state: &room.draft.state,
        live: &live,
        now: room.now.plus(Span::secs(5)),
    };
    let settled = median(|| {
        desk.settle(world);
    });
    println!("{:<10} {settled:?}", "settle");
}

/// What is seen of it: full charts of several metrics of every release, with all that the judge says.
fn looked(room: &room::Room) -> Live {
    let mut live = Live::default();
    for release in room.state().live.values() {
        let chart = |n: u32| {
            Chart {
            service: release.plan.services[0].service.clone(),
            metric: format!("metric-{n}").as_str().into(),
            unit: Unit::Seconds,
            points: (0..CHART_POINTS as u64)
                .map(|look| Point {
                    at: room.now.minus(Span::secs((CHART_POINTS as u64 - look) * 5)),
                    canary: Some(0.4 + (look % 7) as f64 * 0.01),
                    baseline: Some(0.2 + (look % 5) as f64 * 0.01),
                })
                .collect(),
            call: Call::Hold,
            words: "metric: new 412 ms, old 196 ms; above 0.25: 11.2% of the new version's requests (9412 \
                    of 84120), 5.33% of the old version's (40318 of 756004) over the same time. Allowed: \
                    1.25x in odds. Strong evidence of a regression."
                .into(),
            allowed: "1.25x in odds".into(),
            limit: Some(0.5),
            judged: Judged {
                interval: Some((1.7, 2.6)),
                tolerated: Some(0.25),
                evidence: 45.0,
                most: 61.0,
                decides: Decides::In(Span::mins(12)),
                blamed: true,
                ..Judged::default()
            },
        }
        };
        let charts = (0..METRICS).map(chart).collect();
        live.charts.insert(release.id, Arc::new(charts));
        let judgement = Judgement {
            decision: Decision::Pause,
            reason: "evidence 45:1".into(),
            ..Judgement::default()
        };
        live.judgements.insert(release.id, Arc::new(judgement));
    }
    live
}

/// A room in which every release is in the middle of a batch.
fn moving() -> room::Room {
    let mut room = room::Room::new();
    let mut charter = (*room.state().charter).clone();
    let service = charter.services.values().next().unwrap().clone();
    let target = charter.targets.values().next().unwrap().clone();
    for n in 0..MOVING {
        let name = format!("service-{n:03}");
        let mut target = target.clone();
        target.service = name.as_str().into();
        for instance in &target.instances {
            let key = (format!("{name}-eu").as_str().into(), instance.clone());
            room.fleet.insert(key, (room::old(), Health::Running));
        }
        charter
            .targets
            .insert(format!("{name}-eu").as_str().into(), target);
        charter
            .services
            .insert(name.as_str().into(), service.clone());
    }
    room.engine(Ask::Adopt(Arc::new(charter)));
    for n in 0..MOVING {
        let mut plan = room::plan();
        let name = format!("service-{n:03}");
        plan.name = Some(name.as_str().into());
        plan.services[0].service = name.as_str().into();
        let id = room.submit("pipeline", plan).unwrap();
        room.see();
        room.vote("kim", id, Choice::Approve).unwrap();
        room.vote("bo", id, Choice::Approve).unwrap();
        room.control("ada", id, Control::Start).unwrap();
    }
    room.see();
    room.begin();
    room
}

fn median(mut work: impl FnMut()) -> Duration {
    let mut all: Vec<Duration> = (0..PICTURES)
        .map(|_| {
            let begun = Instant::now();
            work();
            begun.elapsed()
        })
        .collect();
    all.sort();
    all[all.len() / 2]
}
