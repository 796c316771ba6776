//! Real sessions over real frames, read back as a terminal would show them.

use std::sync::atomic::Ordering;
use std::time::Duration;

use holdpoint::session::socket::{Frame, FrameError};

use crate::guests::{DEADLINE, TestHost, near, near_with};

#[tokio::test]
async fn a_person_sees_the_room_and_what_they_type() {
    let house = TestHost::new();
    let mut terminal = near(&house, 40, 6).await;
    terminal.shows("ada sees 0").await;
    terminal.shows("40x6").await;
    terminal.press(b"jj\x1b[A").await;
    terminal.shows("j j up").await;
    assert_eq!(terminal.screen.screen().cursor_position(), (2, 1));
    assert!(!terminal.screen.screen().hide_cursor());
    house.room.state.send_replace(7);
    terminal.shows("ada sees 7").await;
    assert!(
        !terminal.raw().contains("\x1b[31m"),
        "a cell spoke to the terminal"
    );
    assert!(terminal.raw().contains('\u{fffd}'));
}

#[tokio::test]
async fn a_lone_escape_is_a_key_soon_and_bytes_may_be_cut_anywhere() {
    let house = TestHost::new();
    let mut terminal = near(&house, 60, 6).await;
    terminal.press(b"\x1b").await;
    terminal.shows("esc").await;
    for byte in "\x1b[1;5Cü\x1b[200~hi\x1b[201~".bytes() {
        terminal.press(&[byte]).await;
    }
    terminal.shows("esc ctrl-right ü <hi>").await;
}

#[tokio::test]
async fn nothing_is_painted_and_nothing_sent_when_nothing_changes() {
    let house = TestHost::new();
    let mut terminal = near(&house, 40, 6).await;
    terminal.shows("ada sees 0").await;
    assert!(terminal.is_quiet().await);
    let painted = house.room.paints.load(Ordering::SeqCst);
    // a state that looks the same
    house.room.state.send_modify(|_| {});
    assert!(terminal.is_quiet().await);
    assert_eq!(house.room.paints.load(Ordering::SeqCst), painted);
}

#[tokio::test]
async fn a_world_in_uproar_is_painted_a_few_times_a_second_and_keys_at_once() {
    let house = TestHost::new();
    let mut terminal = near(&house, 40, 6).await;
    terminal.shows("ada sees 0").await;
    let before = house.room.paints.load(Ordering::SeqCst);
    let state = house.room.state.clone();
    let uproar = tokio::spawn(async move {
        for n in 1..=1000u64 {
            state.send_replace(n);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    terminal.press(b"k").await;
    terminal.shows("k").await;
    uproar.await.unwrap();
    terminal.shows("ada sees 1000").await;
    let painted = house.room.paints.load(Ordering::SeqCst) - before;
    assert!(painted < 40, "{painted} frames for a thousand changes");
}

#[tokio::test]
async fn a_slow_reader_sees_the_newest_state_and_hurts_nobody() {
    let house = TestHost::new();
    // a pipe that takes less than a frame
    let mut slow = near_with(&house, 200, 50, 64).await;
    let mut other = near(&house, 40, 6).await;
    other.shows("ada sees 0").await;
    for n in 1..=50 {
        house.room.state.send_replace(n);
        other.press(b"j").await;
    }
    other.shows("ada sees 50").await;
    let before = house.room.paints.load(Ordering::SeqCst);
    house.room.state.send_replace(51);
    other.shows("ada sees 51").await;
    assert_eq!(
        house.room.paints.load(Ordering::SeqCst),
        before + 1,
        "the slow one is not painted for"
    );
    slow.shows("ada sees 51").await;
    assert!(
        !slow.raw().contains("sees 30"),
        "frames in between were never made"
    );
}

#[tokio::test]
async fn sizes_may_change_wildly() {
    let house = TestHost::new();
    let mut terminal = near(&house, 80, 24).await;
    for (cols, rows) in [
        (1, 1),
        (500, 200),
        (19, 5),
        (20, 4),
        (3, 60),
        (1, 1),
        (60, 9),
        (61, 10),
    ] {
        terminal.resize(cols, rows).await;
    }
    terminal.shows("61x10").await;
    terminal.resize(1, 1).await;
    terminal
        .until("first sign of the sentence", |t| {
            t.screen.screen().contents() == "2"
        })
        .await;
    terminal.resize(19, 5).await;
    terminal.shows("20x5 needed").await;
    // larger than is painted, and nonsense
    terminal.send(Frame::Size(u32::MAX, 70_000)).await;
    terminal.grow(500, 200);
    terminal.shows("500x200").await;
    terminal.send(Frame::Size(0, 0)).await;
    terminal.grow(80, 24);
    terminal.shows("80x24").await;
}

#[tokio::test]
async fn leaving_takes_back_every_mode_that_was_set() {
    let house = TestHost::new();
    let mut terminal = near(&house, 40, 6).await;
    terminal.shows("ada sees 0").await;
    assert!(
        terminal.screen.screen().alternate_screen() && terminal.screen.screen().bracketed_paste()
    );
    // this one speaks kitty's protocol, and its background is light
    terminal.press(b"\x1b[?0u\x1b]11;rgb:ff/ff/ff\x07").await;
    terminal
        .until("kitty", |t| t.raw().contains("\x1b[>1u"))
        .await;
    terminal.shows("Background(Light)").await;
    terminal.press(b"\x03").await;
    terminal.until("leaving", |t| t.left).await;
    assert_modes_closed(&terminal.raw());
    let screen = terminal.screen.screen();
    assert!(!screen.alternate_screen() && !screen.bracketed_paste() && !screen.hide_cursor());
    assert_eq!(screen.mouse_protocol_mode(), vt100::MouseProtocolMode::None);
    assert!(matches!(
        terminal.frames.next().await,
        Err(FrameError::Closed)
    ));
}

/// Every mode that was set was reset, and what was pushed was popped.
fn assert_modes_closed(raw: &str) {
    for part in raw.split("\x1b[?").skip(1) {
        let end = part.find(|c: char| !c.is_ascii_digit()).unwrap();
        let (mode, how) = (&part[..end], &part[end..=end]);
        let after = |end: &str| raw.rfind(&format!("\x1b[?{mode}{end}"));
        if mode == "25" {
            assert!(after("h") > after("l"), "the cursor stays hidden: {raw:?}");
        } else if how == "h" {
            assert!(after("l") > after("h"), "mode {mode} stays: {raw:?}");
        }
    }
    assert_eq!(
        raw.matches("\x1b[>1u").count(),
        raw.matches("\x1b[<u").count()
    );
}

#[tokio::test]
async fn suspending_gives_the_terminal_back_and_resuming_paints_everything() {
    let house = TestHost::new();
    let mut terminal = near(&house, 40, 6).await;
    terminal.shows("ada sees 0").await;
    terminal.press(b"\x1a").await;
    terminal.until("suspension", |t| t.suspended).await;
    assert_modes_closed(&terminal.raw());
    assert!(!terminal.screen.screen().alternate_screen());
    // meanwhile the world goes on, and nothing is painted over the shell
    house.room.state.send_replace(9);
    terminal.press(b"x").await;
    assert!(terminal.is_quiet().await);
    terminal.raw.clear();
    terminal.grow(50, 8);
    terminal.send(Frame::Size(50, 8)).await;
    terminal.send(Frame::Resumed).await;
    terminal.shows("ada sees 9").await;
    terminal.shows("50x8").await;
    assert!(terminal.screen.screen().alternate_screen() && terminal.raw().contains("\x1b[2J"));
    let typed = terminal.screen.screen().contents();
    assert_eq!(
        typed.lines().nth(2),
        Some("Resize { cols: 50, rows: 8 }"),
        "keys meant for the shell: {typed}"
    );
}

#[tokio::test]
async fn what_a_desk_wishes_reaches_the_terminal() {
    let house = TestHost::new();
    let mut terminal = near(&house, 40, 6).await;
    terminal.press(b"y").await;
    terminal
        .until("copy and bell", |t| {
            t.raw().contains("\x1b]52;c;Ui0yMTQ=\x07\x07")
        })
        .await;
    assert_eq!(
        terminal.screen.screen().mouse_protocol_mode(),
        vt100::MouseProtocolMode::ButtonMotion
    );
    terminal.press(b"\x1bOQ").await;
    terminal
        .until("mouse given back", |t| t.raw().contains("\x1b[?1006l"))
        .await;
    terminal.raw.clear();
    terminal.press(b"\x0c").await;
    terminal
        .until("everything anew", |t| {
            t.raw().contains("\x1b[2J") && t.raw().contains("sees")
        })
        .await;
}

#[tokio::test]
async fn a_desk_that_breaks_takes_nobody_along() {
    let house = TestHost::new();
    let mut broken = near(&house, 40, 6).await;
    let mut other = near(&house, 40, 6).await;
    broken.shows("ada sees 0").await;
    broken.press(b"!").await;
    let ended = async { while broken.frames.next().await.is_ok() {} };
    tokio::time::timeout(DEADLINE, ended)
        .await
        .expect("the connection ends");
    house.room.state.send_replace(3);
    other.shows("ada sees 3").await;
}
