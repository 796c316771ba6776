//! The busy room on every screen, and what its keys do.

use holdpoint::domain::{Ask, Control, Span};

use super::seat::Seat;
use super::shop;

#[test]
fn every_screen_at_every_size() {
    let screens = [
        ("releases", ""),
        ("rollout", "2"),
        ("metrics", "3"),
        ("approvals", "4"),
        ("help", "?"),
        ("promote", "P"),
        ("roll-back", "B"),
        ("why", "w"),
        ("changes", "d"),
    ];
    for (cols, rows) in [(120, 36), (80, 24)] {
        for (name, keys) in screens {
            let mut seat = Seat::new(shop::busy(), "ada", (cols, rows));
            seat.keys(keys);
            insta::assert_snapshot!(format!("{name}-{cols}x{rows}"), seat.picture());
        }
    }
}

#[test]
fn promoting_asks_first_and_leaving_the_dialog_does_nothing() {
    let mut room = shop::empty();
    shop::manual(&mut room);
    let mut seat = Seat::new(room, "ada", (120, 36));
    seat.keys("P esc");
    assert!(seat.commands.is_empty(), "{}", seat.text());
    seat.keys("P enter");
    let promoted = seat.commands.iter().any(|ask| {
        matches!(
            ask,
            Ask::Control {
                control: Control::Promote { seen: Some(_) },
                ..
            }
        )
    });
    assert!(promoted, "{:?}\n{}", seat.commands, seat.text());
    assert_eq!(seat.answers.iter().filter(|a| a.is_err()).count(), 0);
}

#[test]
fn rolling_back_has_to_be_typed() {
    let mut seat = Seat::new(shop::busy(), "ada", (120, 36));
    seat.keys("B").types("nonsense").keys("enter");
    assert!(seat.commands.is_empty(), "{}", seat.text());
}

#[test]
fn holding_asks_nothing() {
    let mut seat = Seat::new(shop::busy(), "ada", (80, 24));
    seat.keys("H");
    let paused = |ask: &Ask| {
        matches!(
            ask,
            Ask::Control {
                control: Control::Pause { .. },
                ..
            }
        )
    };
    assert!(seat.commands.iter().any(paused), "{}", seat.text());
}

#[test]
fn any_size_is_survived() {
    let mut seat = Seat::new(shop::busy(), "kim", (120, 36));
    for screen in ["1", "2", "3", "4", "?"] {
        seat.keys(screen);
        for (cols, rows) in [(20, 5), (21, 9), (40, 12), (61, 20), (200, 60)] {
            seat.size = (cols, rows);
            seat.pass(Span::secs(1));
            assert!(!seat.text().trim().is_empty());
        }
    }
}
