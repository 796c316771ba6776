//! What keys do at a desk: scripts of keys, and what is asked of the engine for them.

use holdpoint::domain::{self, Choice, Control, Level, Phase, Refusal, ReleaseId, Span};
use holdpoint::tui::{Ask, Caps, Input, Keymap, Screen, Tab, Themes};

use super::seat::Seat;
use super::shop;
use crate::room::Room;

const SIZE: (u16, u16) = (120, 36);

fn seat(make: impl Fn(&mut Room) -> ReleaseId, who: &str) -> Seat {
    let mut room = shop::empty();
    make(&mut room);
    Seat::new(room, who, SIZE)
}

fn only_release(seat: &Seat) -> &domain::Release {
    seat.room.state().live.values().next().unwrap()
}

#[track_caller]
fn shows(seat: &Seat, words: &str) {
    let text = seat.text();
    assert!(text.contains(words), "`{words}` does not show:\n{text}");
}

#[track_caller]
fn hides(seat: &Seat, words: &str) {
    let text = seat.text();
    assert!(!text.contains(words), "`{words}` shows:\n{text}");
}

#[test]
fn promote_asks_states_its_effect_and_carries_the_hold_that_was_seen() {
    let mut seat = seat(shop::manual, "ada");
    seat.keys("P");
    shows(&seat, "Promote 40 → 70 %");
    shows(&seat, "6 of 20 instances of payments-eu go to 4.12.0");
    shows(&seat, "deploy payments {version} --on {instance}");
    shows(&seat, "read 0.4 s ago");
    assert!(seat.commands.is_empty());
    seat.keys("enter");
    let [domain::Ask::Control { control, .. }] = &seat.commands[..] else {
        panic!("{:?}", seat.commands);
    };
    let seen = Some("b3.before.1".into());
    assert_eq!(*control, Control::Promote { seen });
    assert_eq!(seat.answers, [Ok(())]);
    shows(&seat, "promote R-1: done");
}

#[test]
fn leaving_a_question_does_nothing() {
    let mut seat = seat(shop::manual, "ada");
    seat.keys("P esc B esc 3 B esc");
    assert!(seat.commands.is_empty());
    hides(&seat, "leave it");
}

#[test]
fn a_question_is_void_when_the_release_has_moved_on() {
    let mut seat = seat(shop::manual, "ada");
    seat.keys("P");
    let id = only_release(&seat).id;
    seat.room
        .control("bo", id, Control::Promote { seen: None })
        .unwrap();
    seat.settle();
    shows(&seat, "R-1 has moved on");
    seat.keys("enter");
    assert!(seat.commands.is_empty());
    shows(&seat, "nothing was done");
}

#[test]
fn pausing_asks_nothing_and_works_on_every_screen_of_a_release() {
    for keys in ["H", "2 H", "3 H", "w H", "l H"] {
        let mut seat = seat(shop::baking, "ada");
        seat.keys(keys);
        assert_eq!(seat.answers, [Ok(())], "{keys}");
        assert!(only_release(&seat).paused.is_some());
    }
}

#[test]
fn going_back_wants_the_name_and_takes_a_reason() {
    let mut seat = seat(shop::manual, "ada");
    seat.keys("B enter");
    assert!(seat.commands.is_empty(), "nothing was typed");
    seat.types("payments-4.1").keys("enter");
    assert!(seat.commands.is_empty(), "half of the name");
    seat.types("2").keys("tab").types("p99 rises").keys("enter");
    let [domain::Ask::Control { control, .. }] = &seat.commands[..] else {
        panic!("{:?}", seat.commands);
    };
    let why = "p99 rises".into();
    assert_eq!(*control, Control::RollBack { why });
    assert_eq!(only_release(&seat).phase, Phase::RollingBack);
}

#[test]
fn a_way_back_is_not_void_because_the_release_went_on() {
    let mut seat = seat(shop::manual, "ada");
    seat.keys("B").types("payments-4.12");
    let id = only_release(&seat).id;
    seat.room
        .control("bo", id, Control::Promote { seen: None })
        .unwrap();
    seat.settle();
    seat.keys("enter");
    assert_eq!(seat.answers, [Ok(())]);
}

#[test]
fn a_key_that_is_refused_is_grey_and_says_why() {
    let mut seat = seat(shop::baking, "guest");
    shows(&seat, "⊘ H hold");
    seat.keys("H");
    assert!(seat.commands.is_empty());
    shows(
        &seat,
        "guest may not pause in prod-eu; ask somebody of operations",
    );
    seat.keys("esc");
    seat.keys("P");
    shows(&seat, "guest may not promote in prod-eu");
    // one that could not apply says so as well
    let mut seat = self::seat(shop::baking, "ada");
    seat.keys("P");
    shows(&seat, "no hold waits for a promotion");
}

#[test]
fn a_vote_carries_the_digest_and_the_comment() {
    let mut seat = seat(shop::voting, "ada");
    let digest = only_release(&seat).digest.clone();
    seat.keys("4 a").types("pen-test ok, go").keys("enter");
    let [
        domain::Ask::Vote {
            choice,
            comment,
            digest: seen,
            ..
        },
    ] = &seat.commands[..]
    else {
        panic!("{:?}", seat.commands);
    };
    assert_eq!((*choice, &**comment), (Choice::Approve, "pen-test ok, go"));
    assert_eq!(*seen, Some(digest));
    assert_eq!(seat.answers, [Ok(())]);
}

#[test]
fn a_comment_can_be_written_first() {
    let mut seat = seat(shop::voting, "ada");
    seat.keys("4 c").types("not like this").keys("enter");
    shows(&seat, "your comment: not like this");
    seat.keys("o enter");
    let [
        domain::Ask::Vote {
            choice, comment, ..
        },
    ] = &seat.commands[..]
    else {
        panic!("{:?}", seat.commands);
    };
    assert_eq!((*choice, &**comment), (Choice::Object, "not like this"));
    shows(&seat, "ada votes to object: not like this");
}

#[test]
fn who_may_not_vote_is_told_why_and_no_question_comes_up() {
    let mut seat = seat(shop::voting, "guest");
    seat.keys("4 a");
    assert!(seat.commands.is_empty());
    shows(&seat, "guest is in none of the groups that are asked");
}

#[test]
fn many_marked_rows_are_voted_on_at_once_with_a_result_each() {
    let mut room = shop::empty();
    for (service, version) in [
        ("ledger-api", "2.3.1"),
        ("billing", "5.0.0"),
        ("search", "9.0.4"),
    ] {
        shop::submit(
            &mut room,
            shop::plan(service, version, serde_json::json!({})),
        );
    }
    let mut seat = Seat::new(room, "eva", SIZE);
    seat.keys("4 space space space a");
    shows(&seat, "Approve: 3 releases");
    // one of them is taken back while the question stands
    let control = Control::Cancel { why: "".into() };
    seat.room.control("ci", ReleaseId(2), control).unwrap();
    seat.types("all read").keys("enter");
    assert_eq!(seat.commands.len(), 2);
    shows(&seat, "what became of 3 releases");
    shows(&seat, "R-2 is closed by now: withdrawn");
    assert_eq!(seat.text().matches("✓ R-").count(), 2);
}

#[test]
fn retry_names_the_call_and_repeats_it() {
    let mut seat = seat(shop::failed, "ada");
    shows(&seat, "T retry deploy of ma-02");
    seat.keys("T");
    shows(
        &seat,
        "deploy of ma-02 once more (attempt 2); it failed, exit 1",
    );
    seat.keys("enter");
    assert_eq!(seat.answers, [Ok(())]);
}

#[test]
fn a_handover_note_is_written_in_the_dialog() {
    let mut seat = seat(shop::observed, "ada");
    seat.keys("N enter");
    assert!(seat.commands.is_empty(), "an empty note is no note");
    seat.types("quiet so far")
        .keys("alt-enter")
        .types("watch p99")
        .keys("enter");
    assert_eq!(seat.answers, [Ok(())]);
    let (_, note) = only_release(&seat).handover.clone().unwrap();
    assert_eq!(&*note, "quiet so far\nwatch p99");
}

#[test]
fn an_answer_that_does_not_come_is_told() {
    let mut seat = seat(shop::baking, "ada");
    seat.engine = false;
    seat.keys("H");
    seat.pass(Span::secs(3));
    shows(&seat, "pause R-1: asked 3 s ago, not written down yet");
}

#[test]
fn a_refusal_of_the_engine_is_told_with_its_next_step() {
    let mut seat = seat(shop::baking, "ada");
    seat.engine = false;
    seat.keys("H");
    let now = seat.now();
    let refusal = Refusal::NoIdentity.notice();
    seat.desk.answered(1, Err(refusal), now);
    shows(&seat, "pause R-1: nobody knows who you are here");
    shows(&seat, "or present a token with --as");
    seat.keys("esc");
    hides(&seat, "nobody knows who you are");
    // it is kept
    seat.keys("!");
    shows(&seat, "nobody knows who you are");
    shows(&seat, "no-identity");
}

#[test]
fn the_palette_finds_by_letters_and_runs() {
    let mut seat = seat(shop::manual, "ada");
    seat.keys(":").types("prmt");
    shows(&seat, "promote");
    seat.keys("enter");
    shows(&seat, "Promote 40 → 70 %");
    seat.keys("esc :").types("theme light").keys("enter");
    assert_eq!(seat.desk.theme().name(), "light");
    seat.keys(":").types("nonsense").keys("enter");
    shows(&seat, "nothing is called `nonsense`");
    // enter at once chooses nothing
    seat.keys("esc : enter");
    assert_eq!(seat.desk.place().screen, Screen::Releases);
    assert!(seat.asked.iter().all(|a| !matches!(a, Ask::Quit)));
}

#[test]
fn the_palette_goes_to_a_release_by_its_number() {
    let mut seat = Seat::new(shop::busy(), "ada", SIZE);
    seat.keys(":").types("r-5").keys("enter");
    assert_eq!(seat.desk.place().screen, Screen::Rollout);
    assert_eq!(seat.desk.subject(), Some(ReleaseId(5)));
}

#[test]
fn the_filter_narrows_as_it_is_typed_and_esc_shows_all() {
    let mut seat = Seat::new(shop::busy(), "ada", SIZE);
    seat.keys("/").types("payments");
    hides(&seat, "catalog");
    shows(&seat, "R-5");
    seat.keys("enter");
    hides(&seat, "catalog");
    seat.keys("j");
    assert_eq!(seat.desk.subject(), Some(ReleaseId(6)));
    seat.keys("esc");
    shows(&seat, "catalog");
    assert_eq!(seat.desk.subject(), Some(ReleaseId(6)), "the cursor stays");
    seat.keys("/").types("zzz");
    shows(&seat, "Nothing matches `zzz`");
    seat.keys("esc");
    shows(&seat, "catalog");
}

#[test]
fn help_is_made_of_the_keymap_and_can_be_searched() {
    let mut seat = seat(shop::baking, "guest");
    seat.keys("?");
    shows(&seat, "ctrl-d");
    seat.keys("/").types("roll-back");
    shows(&seat, "Not now: guest may not roll back");
    hides(&seat, "ctrl-d");
}

#[test]
fn the_sides_of_a_release_are_a_key_away_and_esc_goes_back() {
    let mut seat = seat(shop::manual, "ada");
    for (key, tab) in [
        ("w", Tab::Why),
        ("d", Tab::Changes),
        ("e", Tab::Evidence),
        ("l", Tab::Log),
        ("t", Tab::Timeline),
        ("@", Tab::Calls),
    ] {
        seat.keys(key);
        assert_eq!(seat.desk.place().tab, tab);
    }
    seat.keys("]");
    assert_eq!(seat.desk.place().tab, Tab::Ladder);
    seat.keys("esc");
    assert_eq!(seat.desk.place().screen, Screen::Releases);
    seat.keys("3 2 1");
    assert_eq!(seat.desk.place().screen, Screen::Releases);
}

#[test]
fn copying_gives_the_number_and_the_sentence() {
    let mut seat = seat(shop::manual, "ada");
    seat.keys("y");
    let Some(Ask::Copy(text)) = seat.asked.last() else {
        panic!("{:?}", seat.asked);
    };
    assert!(
        text.starts_with("R-1 payments 4.12.0 → prod-eu: manual, promote 40 → 70 % (on control"),
        "{text}"
    );
}

#[test]
fn rows_stay_where_they_are_while_keys_are_pressed_and_move_at_the_pause() {
    let mut seat = Seat::new(shop::busy(), "ada", SIZE);
    let line = |seat: &Seat, id: &str| {
        let text = seat.text();
        text.lines().position(|l| l.contains(id)).unwrap()
    };
    seat.keys("j");
    let cursor = seat.desk.subject();
    let before = line(&seat, "R-8 ");
    // search asks for somebody now: it would jump to the top
    let pause = Control::Pause { why: "".into() };
    seat.room.control("bo", ReleaseId(8), pause).unwrap();
    seat.settle();
    assert_eq!(line(&seat, "R-8 "), before);
    seat.pass(Span::secs(3));
    assert!(line(&seat, "R-8 ") < before, "{}", seat.text());
    assert!(seat.text().contains("↑R-8"), "it carries a mark");
    assert_eq!(
        seat.desk.subject(),
        cursor,
        "the cursor stays on its release"
    );
    assert!(seat.asked.iter().any(|a| matches!(a, Ask::Bell)));
    shows(&seat, "R-8 search 9.0.4 asks you");
}

#[test]
fn closed_releases_are_folded_and_can_be_read() {
    let mut seat = Seat::new(shop::busy(), "ada", SIZE);
    seat.keys("G");
    shows(&seat, "enter shows them");
    seat.keys("enter j");
    assert_eq!(seat.desk.subject(), Some(ReleaseId(1)));
    seat.keys("enter");
    shows(&seat, "succeeded");
    seat.keys("B");
    shows(&seat, "R-1 is closed: succeeded");
}

#[test]
fn nothing_else_than_pausing_acts_at_once_in_production() {
    let keymap = Keymap::built_in();
    for screen in ["1", "2", "3", "4"] {
        for (seq, _) in holdpoint::tui::Context::ALL
            .iter()
            .flat_map(|c| keymap.table(*c))
        {
            if seq.to_string() == "H" {
                continue;
            }
            let mut seat = Seat::new(shop::busy(), "ada", SIZE);
            seat.keys(screen).keys(&seq.to_string());
            assert!(seat.commands.is_empty(), "{seq} on screen {screen}");
        }
    }
}

#[test]
fn an_environment_may_ask_less() {
    let mut room = shop::empty();
    let mut charter = (*room.state().charter).clone();
    for environment in charter.environments.values_mut() {
        environment.confirm = domain::charter::Confirm::None;
    }
    room.engine(domain::Ask::Adopt(std::sync::Arc::new(charter.clone())));
    shop::manual(&mut room);
    let mut seat = Seat::new(room, "ada", SIZE);
    seat.keys("P");
    assert_eq!(seat.answers, [Ok(())]);
    // with a dialog, and without the name
    for environment in charter.environments.values_mut() {
        environment.confirm = domain::charter::Confirm::Dialog;
    }
    let charter = std::sync::Arc::new(charter);
    seat.room.engine(domain::Ask::Adopt(charter));
    seat.settle();
    seat.keys("B");
    hides(&seat, "type payments-4.12");
    seat.keys("enter");
    assert_eq!(seat.answers, [Ok(()), Ok(())]);
}

#[test]
fn keys_that_begin_a_sequence_show_what_can_follow() {
    let (keymap, notices) = Keymap::load(Some(holdpoint::tui::SourceFile {
        name: "keys.toml",
        text: "[list]\n\"z z\" = \"last-row\"\n\"z t\" = \"first-row\"\n",
    }));
    assert_eq!(notices, []);
    let mut seat = Seat::with_keys(shop::busy(), "ada", SIZE, keymap);
    seat.keys("z");
    shows(&seat, "z z        bottom");
    shows(&seat, "z t        top");
    seat.keys("z");
    hides(&seat, "z t ");
    shows(&seat, "▌CLOSED TODAY");
}

#[test]
fn the_theme_follows_the_terminals_background() {
    let (themes, _) = Themes::load(&[]);
    let caps = Caps::default();
    let mut seat = Seat::with(shop::busy(), "ada", SIZE, "auto", caps);
    seat.input(Input::Background(holdpoint::tui::Background::Light));
    let light = themes.find("light", caps).unwrap();
    let role = holdpoint::tui::Role::Text;
    assert_eq!(seat.desk.theme().style(role), light.style(role));
}

#[test]
fn leaving_asks_from_the_first_screen_only() {
    let mut seat = Seat::new(shop::busy(), "ada", SIZE);
    seat.keys("2 q");
    assert_eq!(seat.desk.place().screen, Screen::Releases);
    seat.keys("q");
    shows(&seat, "Leave the room?");
    seat.keys("esc q enter");
    assert!(matches!(seat.asked.last(), Some(Ask::Quit)));
}

#[test]
fn a_deadline_that_comes_near_rings_for_whom_it_waits_on() {
    let mut seat = Seat::new(shop::busy(), "ada", SIZE);
    let mut seen = None;
    for _ in 0..26 * 60 {
        seat.asked.clear();
        seat.pass(Span::mins(1));
        let told = seat.desk.news(seat.room.now);
        let told = told.filter(|t| t.notice.code == "deadline-near");
        if let Some(told) = told.filter(|t| t.notice.level == Level::Warning) {
            seen = Some(told.notice.headline.clone());
            break;
        }
    }
    let words = seen.unwrap();
    assert!(
        words.contains(" holds on in ") || words.contains(" expires in "),
        "{words}"
    );
    assert!(seat.asked.iter().any(|a| matches!(a, Ask::Bell)), "{words}");
}

#[test]
fn promoting_all_is_in_the_palette_alone_and_says_what_it_skips() {
    let mut seat = seat(shop::baking, "ada");
    seat.keys("2 :").types("promote-all").keys("enter");
    shows(&seat, "Promote all 50 → 100 %, skips 2 holds");
    shows(&seat, "all that is left: 50 → 100 %");
    shows(&seat, "2 holds: bake 10 m, analysis");
    shows(&seat, "calendar, health checks, triggers");
    seat.keys("enter");
    assert!(seat.commands.is_empty(), "nothing was typed");
    let name = only_release(&seat).call_name().to_owned();
    seat.types(&name)
        .keys("tab")
        .types("the fix must be out")
        .keys("enter");
    let [domain::Ask::Control { control, .. }] = &seat.commands[..] else {
        panic!("{:?}", seat.commands);
    };
    let why = "the fix must be out".into();
    assert_eq!(*control, Control::PromoteAll { why });
    assert_eq!(seat.answers, [Ok(())]);
    assert!(only_release(&seat).promoted.is_some());
}
