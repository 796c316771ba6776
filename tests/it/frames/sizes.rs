//! Any size of terminal, any situation, any keys: painting never fails and never leaves the screen.

use std::sync::LazyLock;

use holdpoint::tui::{Action, Caps, Input, Key, Mouse, MouseKind, World, update};
use proptest::prelude::*;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr;

use super::seat::Seat;
use super::shop;
use crate::room::Room;

static ROOMS: LazyLock<Vec<Room>> = LazyLock::new(|| {
    let hostile = {
        let mut room = shop::empty();
        let more = serde_json::json!({
            "title": "日本語のタイトル 👩‍🚀 ﷽ z̷̢̛a̶l̴g̵o̷ ".repeat(9),
            "changes": ["⚠️ ".repeat(80), "x".repeat(900)],
            "batches": (1..=20).map(|n| serde_json::json!({"name": format!("波 {n}"), "exposure": if n == 20 { "full".to_owned() } else { format!("{}%", n * 5) }})).collect::<Vec<_>>(),
        });
        let id = shop::submit(
            &mut room,
            shop::plan("payments", "4.12.0-日本語-long", more),
        );
        shop::approve(&mut room, id);
        room
    };
    vec![shop::busy(), shop::empty(), hostile]
});

fn room(n: usize) -> Room {
    let from = &ROOMS[n % ROOMS.len()];
    Room {
        draft: from.draft.clone(),
        now: from.now,
        fleet: from.fleet.clone(),
        divided: Default::default(),
        begun: Vec::new(),
        fails: Vec::new(),
    }
}

#[derive(Clone, Debug)]
enum Step {
    Key(Key),
    Act(Action),
    Click(u16, u16),
    Wheel(bool),
    Size(u16, u16),
}

fn step() -> impl Strategy<Value = Step> {
    let size = (1u16..=200, 1u16..=60);
    prop_oneof![
        4 => prop::sample::select(KEYS.to_vec()).prop_map(|k| Step::Key(k.parse().unwrap())),
        3 => prop::sample::select(Action::ALL.to_vec()).prop_map(Step::Act),
        1 => size.clone().prop_map(|(x, y)| Step::Click(x, y)),
        1 => any::<bool>().prop_map(Step::Wheel),
        1 => size.prop_map(|(x, y)| Step::Size(x, y)),
    ]
}

const KEYS: &[&str] = &[
    "j",
    "k",
    "g",
    "G",
    "ctrl-d",
    "ctrl-u",
    "enter",
    "esc",
    "space",
    "1",
    "2",
    "3",
    "4",
    "?",
    ":",
    "/",
    "a",
    "x",
    "o",
    "c",
    "w",
    "d",
    "e",
    "m",
    "l",
    "t",
    "@",
    "H",
    "U",
    "P",
    "T",
    "B",
    "S",
    "N",
    "tab",
    "backspace",
    "]",
    "[",
    "+",
    "-",
    "!",
    "y",
    "日",
    "q",
];

fn check(seat: &Seat, size: (u16, u16)) {
    let area = Rect::new(0, 0, size.0, size.1);
    let mut buffer = Buffer::empty(area);
    let scene = holdpoint::tui::Scene {
        desk: &seat.desk,
        world: World {
            state: seat.room.state(),
            live: &seat.live,
            now: seat.now(),
        },
    };
    let painted = holdpoint::tui::paint(&scene, area, &mut buffer);
    if let Some(at) = painted.cursor {
        assert!(area.contains(at), "{at:?} {area:?}");
    }
    // no sign stands in fewer cells than it takes, none reaches over the edge
    for y in 0..area.height {
        for x in 0..area.width {
            let wide = buffer[(x, y)].symbol().width();
            assert!(usize::from(x) + wide <= usize::from(area.width), "{x},{y}");
        }
    }
    // painting again gives the same
    let mut again = Buffer::empty(area);
    let _ = holdpoint::tui::paint(&scene, area, &mut again);
    assert_eq!(buffer, again);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn nothing_that_is_pressed_makes_painting_fail(
        which in 0usize..3,
        unicode: bool,
        steps in prop::collection::vec(step(), 1..40),
    ) {
        let caps = Caps { unicode, ..Caps::default() };
        let mut seat = Seat::with(room(which), "ada", (80, 24), "auto", caps);
        let mut size = (80, 24);
        for step in steps {
            match step {
                Step::Key(key) => seat.input(Input::Key(key)),
                Step::Act(action) => seat.act(action),
                Step::Click(x, y) => seat.input(Input::Mouse(Mouse { kind: MouseKind::Press, x, y })),
                Step::Wheel(down) => seat.input(Input::Mouse(Mouse {
                    kind: if down { MouseKind::ScrollDown } else { MouseKind::ScrollUp },
                    x: 3,
                    y: 5,
                })),
                Step::Size(cols, rows) => {
                    size = (cols, rows);
                    seat.input(Input::Resize { cols, rows });
                }
            }
            seat.settle();
            check(&seat, size);
        }
    }
}

#[test]
fn every_size_from_one_cell_on() {
    for keys in ["", "2", "3", "4", "?", ":", "B", "w", "d"] {
        let mut seat = Seat::with(room(0), "ada", (80, 24), "auto", Caps::default());
        seat.keys(keys);
        for (cols, rows) in [
            (1, 1),
            (2, 1),
            (1, 9),
            (9, 2),
            (20, 5),
            (33, 7),
            (59, 13),
            (200, 60),
        ] {
            let world = World {
                state: &seat.room.state().clone(),
                live: &seat.live,
                now: seat.now(),
            };
            let _ = update(&mut seat.desk, world, Input::Resize { cols, rows });
            check(&seat, (cols, rows));
        }
    }
}
