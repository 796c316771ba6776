//! The screens, to be looked at: `HOLDPOINT_PICTURES=DIR` has them written there with colours, one
//! file each, to be shown with `cat`.

use holdpoint::tui::{Caps, Depth};

use super::seat::{Seat, ansi};
use super::{ruled, shop, workloads};

/// How each look is called, its theme, and what the terminal can do.
pub fn looks() -> [(&'static str, &'static str, Caps); 4] {
    let caps = |unicode, depth| Caps {
        unicode,
        depth,
        ..Caps::default()
    };
    [
        ("dark", "dark", caps(true, Depth::True)),
        ("light", "light", caps(true, Depth::True)),
        ("mono", "mono", caps(true, Depth::None)),
        ("ascii", "dark", caps(false, Depth::True)),
    ]
}

#[test]
#[ignore = "no test: writes pictures to HOLDPOINT_PICTURES"]
fn pictures() {
    let dir = std::env::var("HOLDPOINT_PICTURES").expect("HOLDPOINT_PICTURES names a directory");
    super::judged::pictures(&dir);
    let scripts: &[(&str, &str)] = &[
        ("releases", ""),
        ("rollout-manual", "2"),
        ("metrics", "3"),
        ("approvals", "4"),
        ("help", "?"),
        ("promote", "P"),
        ("rollback", "B"),
        ("vote", "4 a"),
        ("palette", ":"),
        ("why", "w"),
        ("changes", "d"),
        ("evidence", "e"),
        ("log", "l"),
        ("timeline", "t"),
        ("calls", "@"),
        ("calendar", "5 n"),
        ("calendar-agenda", "5 ]"),
        ("calendar-day", "5 + +"),
        ("calendar-services", "5 v"),
    ];
    for (cols, rows) in [(120, 36), (80, 24)] {
        for (name, room, keys) in ruled::rooms() {
            let caps = Caps {
                depth: Depth::True,
                ..Caps::default()
            };
            let mut seat = Seat::with(room, "ada", (cols, rows), "dark", caps);
            seat.keys(keys);
            let path = format!("{dir}/{name}-{cols}x{rows}-dark.ansi");
            std::fs::write(path, ansi(&seat.buffer().0)).unwrap();
        }
    }
    for (cols, rows) in [(160, 48), (120, 36), (80, 24), (60, 20)] {
        for (look, theme, caps) in looks() {
            for (name, seat) in workloads::painted((cols, rows), theme, caps) {
                let path = format!("{dir}/{name}-{cols}x{rows}-{look}.ansi");
                std::fs::write(path, ansi(&seat.buffer().0)).unwrap();
            }
            for (name, keys) in scripts {
                let mut seat = Seat::with(
                    if name.starts_with("calendar") {
                        super::calendar::scene()
                    } else {
                        shop::busy()
                    },
                    "ada",
                    (cols, rows),
                    theme,
                    caps,
                );
                seat.room.now = seat.room.now.plus(holdpoint::domain::Span::secs(4));
                seat.settle();
                seat.keys(keys);
                let path = format!("{dir}/{name}-{cols}x{rows}-{look}.ansi");
                std::fs::write(path, ansi(&seat.buffer().0)).unwrap();
            }
        }
    }
}
