//! Every screen in every situation: text, and beneath it a letter for the role of every cell.

use std::sync::Arc;

use holdpoint::domain::live::{LedgerLive, TargetLive};
use holdpoint::domain::{Health, Notice, Span};
use holdpoint::tui::{Caps, Depth};

use super::seat::Seat;
use super::shop;
use crate::room::Room;

pub const WIDE: (u16, u16) = (120, 36);
pub const NARROW: (u16, u16) = (80, 24);

#[track_caller]
pub fn shot(name: &str, seat: &Seat) {
    let (cols, rows) = seat.size;
    insta::with_settings!({prepend_module_to_snapshot => false}, {
        insta::assert_snapshot!(format!("{name}-{cols}x{rows}"), seat.picture());
    });
}

/// The same person at both sizes, after the same keys.
#[track_caller]
pub fn both(name: &str, room: impl Fn() -> Room, who: &str, keys: &str) {
    for size in [WIDE, NARROW] {
        let mut seat = Seat::new(room(), who, size);
        seat.keys(keys);
        shot(name, &seat);
    }
}

#[test]
fn a_room_without_releases() {
    both("empty", shop::empty, "ada", "");
}

#[test]
fn everything_at_once() {
    for size in [(160, 48), WIDE, NARROW, (60, 20)] {
        shot("busy", &Seat::new(shop::busy(), "ada", size));
    }
}

#[test]
fn on_a_terminal_without_unicode() {
    let caps = Caps {
        unicode: false,
        depth: Depth::True,
        ..Caps::default()
    };
    for keys in ["", "2", "3", "4", "B", ":"] {
        for size in [(160, 48), NARROW, (60, 20)] {
            let mut seat = Seat::with(shop::busy(), "ada", size, "roles", caps);
            seat.keys(keys);
            let text = seat.text();
            assert!(text.is_ascii(), "{text}");
        }
    }
    let mut seat = Seat::with(shop::busy(), "ada", NARROW, "roles", caps);
    seat.keys("2");
    shot("ascii-rollout", &seat);
}

fn one(make: impl Fn(&mut Room) -> holdpoint::domain::ReleaseId) -> impl Fn() -> Room {
    move || {
        let mut room = shop::empty();
        make(&mut room);
        room
    }
}

#[test]
fn a_release_that_waits_for_votes() {
    both("voting", one(shop::voting), "ada", "4");
    // the submitter's own view, and that of somebody whom nobody asked
    both("voting-not-asked", one(shop::voting), "guest", "4");
}

#[test]
fn a_window_that_is_not_open() {
    let make = |room: &mut Room| {
        let window = serde_json::json!({
            "window": {"opens": "2026-11-22T02:00", "closes": "2026-11-22T04:00"},
            "start": "auto",
        });
        let id = shop::submit(room, shop::plan("billing", "5.0.0", window));
        shop::approve(room, id);
        id
    };
    both("window", one(make), "ada", "w");
}

#[test]
fn a_batch_that_moves() {
    let make = |room: &mut Room| {
        let more = serde_json::json!({"batches": [{"exposure": "50%"}, {"exposure": "full"}]});
        let id = shop::started(room, shop::plan("web", "88.1.0", more));
        shop::some(room, 1);
        room.begin();
        room.pass(Span::secs(7));
        id
    };
    both("moving", one(make), "ada", "2");
}

#[test]
fn a_hold_that_waits_for_a_person() {
    both("manual", one(shop::manual), "ada", "2");
    both("manual-dialog", one(shop::manual), "ada", "P");
    both("metrics", one(shop::manual), "ada", "3");
}

#[test]
fn a_call_that_failed() {
    both("failed", one(shop::failed), "ada", "2");
    both("failed-retry", one(shop::failed), "ada", "T");
}

#[test]
fn an_instance_that_is_down() {
    let make = |room: &mut Room| {
        let id = shop::baking(room);
        shop::seen(room, "search-eu", "se-02", Health::Down, Some("9.0.4"));
        room.pass(Span::secs(40));
        id
    };
    both("down", one(make), "ada", "2");
}

#[test]
fn a_platform_that_does_not_answer() {
    let mut seat = Seat::new(one(shop::baking)(), "ada", WIDE);
    let target = "search-eu".into();
    let old = seat.live.targets.get(&target).unwrap();
    let stale = TargetLive {
        read_at: Some(seat.now().minus(Span::secs(47))),
        failing: Some("no answer after 5 s".into()),
        workload: None,
        instances: old
            .instances
            .iter()
            .map(|(name, (sight, _))| {
                let at = seat.now().minus(Span::secs(47));
                (name.clone(), (sight.clone(), at))
            })
            .collect(),
    };
    seat.live.targets.insert(target, Arc::new(stale));
    seat.live.alerts.push(
        Notice::warning("target-unread", "search-eu does not answer")
            .next("look at its status command"),
    );
    seat.settle();
    seat.keys("2");
    shot("stale", &seat);
}

#[test]
fn a_release_that_is_paused() {
    let make = |room: &mut Room| {
        let id = shop::baking(room);
        let pause = holdpoint::domain::Control::Pause {
            why: "customers call".into(),
        };
        room.control("bo", id, pause).unwrap();
        room.pass(Span::secs(12));
        id
    };
    both("paused", one(make), "ada", "2");
}

#[test]
fn a_release_that_goes_back() {
    both("back", one(shop::rolling_back), "ada", "2");
    both("back-metrics", one(shop::rolling_back), "ada", "3");
}

#[test]
fn a_release_that_is_observed_and_one_that_is_closed() {
    both("observed", one(shop::observed), "ada", "2");
    both("hand-over", one(shop::observed), "ada", "N");
    both("closed", one(shop::closed), "ada", "enter j enter");
}

#[test]
fn the_sides_of_a_release() {
    for (name, key) in [
        ("why", "w"),
        ("changes", "d"),
        ("evidence", "e"),
        ("log", "l"),
        ("timeline", "t"),
        ("calls", "@"),
    ] {
        let mut seat = Seat::new(one(shop::manual)(), "ada", WIDE);
        seat.keys(key);
        shot(name, &seat);
    }
}

#[test]
fn questions() {
    both("roll-back-dialog", one(shop::manual), "ada", "B");
    both("vote-dialog", one(shop::voting), "ada", "4 a");
    let mut seat = Seat::new(shop::busy(), "ada", WIDE);
    seat.keys("j j space space H");
    shot("results", &seat);
    seat.keys("esc q");
    shot("leave", &seat);
}

#[test]
fn help_and_palette() {
    both("help", one(shop::manual), "ada", "?");
    both("palette", one(shop::manual), "ada", ":");
    let mut seat = Seat::new(one(shop::manual)(), "guest", WIDE);
    seat.keys(":").types("ro");
    shot("palette-refused", &seat);
}

#[test]
fn a_disk_that_is_full() {
    let mut seat = Seat::new(shop::busy(), "ada", WIDE);
    seat.live.ledger = LedgerLive {
        broken: Some("no space left on the disk".into()),
        ..seat.live.ledger.clone()
    };
    seat.live.alerts.push(
        Notice::error("ledger-full", "nothing can be written down")
            .detail("nothing goes forward; pausing still works")
            .next("free some space"),
    );
    seat.settle();
    shot("disk-full", &seat);
    let mut seat = Seat::new(shop::busy(), "ada", NARROW);
    seat.live.ledger.broken = Some("no space left on the disk".into());
    seat.settle();
    shot("disk-full", &seat);
}

#[test]
fn an_engine_that_goes_by_older_rules() {
    for size in [WIDE, NARROW] {
        let mut seat = Seat::new(one(shop::manual)(), "ada", size);
        seat.live.alerts.push(
            Notice::error(
                "bad-files",
                "the room's files have mistakes: the rules of before stay in force",
            )
            .detail("unknown key `aproval`")
            .next("`holdpoint check /etc/holdpoint` shows them all")
            .at("/etc/holdpoint/policy.toml:12:3"),
        );
        seat.settle();
        let text = seat.text();
        assert!(text.contains("old rules: policy.toml:12 "), "{text}");
        assert!(text.contains("`aproval`"), "{text}");
    }
}

#[test]
fn one_cluster_that_is_away_is_told_once() {
    let mut seat = Seat::new(one(shop::manual)(), "ada", NARROW);
    for target in ["search-eu", "payments-eu"] {
        let why = "status was not asked: the cluster is not reached: tcp connect error";
        seat.live.alerts.push(
            Notice::warning("target-blind", format!("{target} cannot be read: {why}"))
                .detail("nothing goes forward on it until it can; other targets are not concerned")
                .next("check its status command or its cluster, and the network to it")
                .at(target),
        );
    }
    seat.settle();
    let text = seat.text();
    assert!(
        text.contains("search-eu and 1 more cannot be read"),
        "{text}"
    );
    // two lines, and that there is more to read
    assert!(text.contains(" …"), "{text}");
}

#[test]
fn somebody_who_may_only_look() {
    let mut seat = Seat::new(shop::busy(), "", WIDE);
    shot("nobody", &seat);
    seat.keys("j j H");
    shot("nobody-refused", &seat);
}
