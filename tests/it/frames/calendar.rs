//! The calendar screen: what stands in it, at which sizes, and what its keys do.

use std::sync::Arc;

use holdpoint::domain::calendar::Calendar;
use holdpoint::domain::{Ask, Span};
use holdpoint::tui::{Caps, Depth};
use serde_json::json;

use super::seat::Seat;
use super::shop;
use super::shots::{NARROW, WIDE, both, shot};
use crate::room::Room;

/// The busy shop with rules, a night later another release in the same window, and two releases of
/// one service that get into each other's way.
pub fn scene() -> Room {
    let mut room = shop::busy();
    let series = |starts: &str, lasts: &str, repeats: Option<&str>| json!({"zone": "Europe/Berlin", "starts": starts, "lasts": lasts, "repeats": repeats});
    let rules = json!({
        "windows": [{
            "name": "night-eu", "owner": "operations",
            "scope": {"environments": ["prod-eu"]},
            "when": series("2026-11-01T01:00", "4h", Some("FREQ=WEEKLY;BYDAY=TU,SA,SU")),
            "capacity": 2, "running": "finish-batch",
        }, {
            "name": "night-us", "owner": "operations",
            "scope": {"environments": ["prod-us"]},
            "when": series("2026-11-01T00:00", "6h", Some("FREQ=DAILY")),
            "running": "finish-batch",
        }],
        "freezes": [{
            "name": "month-end", "owner": "finance", "reason": "the books are closed",
            "scope": {"environments": ["prod-eu"]},
            "when": series("2026-11-25T18:00", "2d 6h", None),
            "running": "finish-batch",
        }],
    });
    let rules: Calendar = serde_json::from_value(rules).unwrap();
    let mut charter = (*room.state().charter).clone();
    charter.calendar = rules;
    room.engine(Ask::Adopt(Arc::new(charter)));
    for (service, opens, closes) in [
        ("search", "2026-11-22T02:00", "2026-11-22T03:00"),
        ("catalog", "2026-11-24T02:00", "2026-11-24T04:00"),
        ("ledger-api", "2026-11-22T02:00", "2026-11-22T04:00"),
    ] {
        let more = json!({"start": "auto", "window": {"opens": opens, "closes": closes}});
        shop::submit(&mut room, shop::plan(service, "9.9.0", more));
    }
    room.see();
    room
}

#[test]
fn the_week() {
    both("calendar-week", scene, "ada", "5");
    shot("calendar-week", &{
        let mut seat = Seat::new(scene(), "ada", (160, 48));
        seat.keys("5 j j j");
        seat
    });
}

#[test]
fn the_list() {
    both("calendar-agenda", scene, "ada", "5 ] j j");
}

#[test]
fn one_day_and_lanes_by_service() {
    both("calendar-day", scene, "ada", "5 + +");
    let mut seat = Seat::new(scene(), "ada", WIDE);
    seat.keys("5 v");
    shot("calendar-services", &seat);
}

#[test]
fn a_room_without_rules() {
    both("calendar-empty", shop::empty, "ada", "5");
}

#[test]
fn conflicts_are_gone_to_and_told() {
    let mut seat = Seat::new(scene(), "ada", WIDE);
    seat.keys("5 n");
    let first = seat.text();
    assert!(first.contains("conflicts"), "{first}");
    seat.keys("n");
    shot("calendar-conflict", &seat);
    let mut seat = Seat::new(shop::empty(), "ada", NARROW);
    seat.keys("5 n");
    assert!(
        seat.text().contains("no releases conflict"),
        "{}",
        seat.text()
    );
}

#[test]
fn days_are_turned_and_come_back() {
    let mut seat = Seat::new(scene(), "ada", WIDE);
    seat.keys("5");
    let week = seat.text();
    seat.keys("l");
    assert!(
        seat.text().contains("Sat 28 Nov – Fri 4 Dec"),
        "{}",
        seat.text()
    );
    seat.keys("h h");
    assert!(
        seat.text().contains("Sat 14 Nov – Fri 20 Nov"),
        "{}",
        seat.text()
    );
    seat.keys(".");
    assert_eq!(seat.text(), week);
    seat.keys("-");
    assert!(
        seat.text().contains("Sat 21 Nov – Fri 4 Dec"),
        "{}",
        seat.text()
    );
}

#[test]
fn enter_opens_the_release_under_the_cursor_and_comes_back_to_it() {
    let mut seat = Seat::new(scene(), "ada", WIDE);
    seat.keys("5 n");
    let before = seat.text();
    seat.keys("enter");
    assert!(seat.text().contains("Ladder"), "{}", seat.text());
    seat.keys("esc");
    seat.pass(Span::secs(1));
    assert_eq!(
        seat.text().lines().nth(5),
        before.lines().nth(5),
        "{}",
        seat.text()
    );
}

#[test]
fn without_unicode_and_without_colour() {
    let caps = Caps {
        unicode: false,
        depth: Depth::None,
        ..Caps::default()
    };
    for (keys, shown) in [
        ("5", "month-end"),
        ("5 ]", "night-eu"),
        ("5 v", "month-end"),
    ] {
        let mut seat = Seat::with(scene(), "ada", WIDE, "roles", caps);
        seat.keys(keys);
        let text = seat.text();
        assert!(text.is_ascii(), "{text}");
        assert!(text.contains(shown), "{text}");
    }
}
