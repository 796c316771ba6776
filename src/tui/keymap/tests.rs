use super::load::easy;
use super::*;
use crate::domain::Level;

fn load(text: &str) -> (Keymap, Vec<Notice>) {
    Keymap::load(Some(SourceFile {
        name: "keys.toml",
        text,
    }))
}

fn press(map: &Keymap, stack: &[Context], keys: &str) -> Resolved {
    let seq: KeySeq = keys.parse().unwrap();
    let (last, before) = seq.keys().split_last().unwrap();
    map.resolve(stack, before, *last)
}

const RELEASES: &[Context] = Context::STACKS[0];
const ENTRY: &[Context] = Context::STACKS[6];

#[test]
fn the_shipped_keymaps_are_clean_also_as_a_users_file() {
    for (name, text) in BUILT_IN {
        let text = text.replace("inherits = \"none\"", "inherits = \"default\"");
        let (_, notices) = Keymap::load(Some(SourceFile { name, text: &text }));
        assert_eq!(notices, [], "{name}");
        let mut map = Keymap::default();
        let mut notices = Vec::new();
        map.layer_built_in(name, &mut notices);
        assert_eq!(notices, [], "{name}");
        for stack in Context::STACKS {
            for action in Action::ALL {
                for key in map.keys(stack, *action) {
                    assert!(
                        key.keys().iter().all(|k| k.out_of_reach().is_none()),
                        "{key}"
                    );
                }
            }
        }
    }
}

#[test]
fn every_action_has_a_key_or_is_meant_for_the_palette() {
    let map = Keymap::built_in();
    let keyless: Vec<&str> = Action::ALL
        .iter()
        .filter(|a| Context::STACKS.iter().all(|s| map.keys(s, **a).is_empty()))
        .map(|a| a.name())
        .collect();
    assert_eq!(keyless, ["abstain", "promote-all", "cancel", "theme"]);
}

#[test]
fn no_plain_lower_case_key_changes_a_release() {
    for (name, _) in BUILT_IN {
        let mut map = Keymap::default();
        map.layer_built_in(name, &mut Vec::new());
        for context in Context::ALL {
            for (seq, action) in map.table(context) {
                if action.info().group == crate::tui::Group::Control {
                    assert!(
                        seq.keys().iter().any(|k| !easy(*k)),
                        "{name}: {seq} {action}"
                    );
                }
            }
        }
    }
}

#[test]
fn the_inner_table_wins_and_letters_are_letters_in_a_text() {
    let map = Keymap::built_in();
    assert_eq!(
        press(&map, RELEASES, "j"),
        Resolved::Action(Action::NextRow)
    );
    assert_eq!(press(&map, RELEASES, "H"), Resolved::Action(Action::Hold));
    assert_eq!(press(&map, Context::STACKS[3], "H"), Resolved::None);
    assert_eq!(press(&map, ENTRY, "j"), Resolved::None);
    assert_eq!(press(&map, ENTRY, "?"), Resolved::None);
    assert_eq!(
        press(&map, ENTRY, "ctrl-u"),
        Resolved::Action(Action::DeleteToStart)
    );
    assert_eq!(press(&map, ENTRY, "esc"), Resolved::Action(Action::Dismiss));
    assert_eq!(
        press(&map, Context::STACKS[7], "down"),
        Resolved::Action(Action::NextItem)
    );
}

#[test]
fn sequences_wait_and_say_what_can_follow() {
    let (map, notices) = load("inherits = \"vim\"");
    assert_eq!(notices, []);
    let Resolved::Pending(options) = press(&map, RELEASES, "g") else {
        panic!("g begins sequences");
    };
    let options: Vec<String> = options.iter().map(|(k, a)| format!("{k} {a}")).collect();
    assert_eq!(
        options,
        ["l log", "g first-row", "T previous-tab", "t next-tab"]
    );
    assert_eq!(
        press(&map, RELEASES, "g g"),
        Resolved::Action(Action::FirstRow)
    );
    assert_eq!(press(&map, RELEASES, "g x"), Resolved::None);
    assert_eq!(press(&map, RELEASES, "l"), Resolved::Action(Action::Open));
}

#[test]
fn a_users_file_changes_what_it_names_and_is_shown_first() {
    let (map, notices) = load(
        "[list]\n\"n\" = \"next-row\"\n\"ctrl-u\" = \"unbind\"\n[releases]\n\"F9\" = \"pause\"\n",
    );
    assert_eq!(notices, []);
    assert_eq!(map.key(RELEASES, Action::NextRow).unwrap().to_string(), "n");
    assert_eq!(press(&map, RELEASES, "ctrl-u"), Resolved::None);
    assert_eq!(
        press(&map, RELEASES, "j"),
        Resolved::Action(Action::NextRow)
    );
    assert_eq!(press(&map, RELEASES, "F9"), Resolved::Action(Action::Hold));
}

#[test]
fn a_bad_line_costs_that_line_and_is_told_with_its_place() {
    let (map, notices) = load(
        r#"
[lst]
"n" = "next-row"
[list]
"n" = "nxt-row"
"entr" = "open"
"z" = 3
"v" = "last-row"
[global]
"X" = "promote"
"#,
    );
    let told: Vec<String> = notices
        .iter()
        .map(|n| {
            format!(
                "{} {} -> {}",
                n.place.as_deref().unwrap(),
                n.headline,
                n.next_step
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            "keys.toml:2:2 [lst] is no place where keys work -> write [list]",
            "keys.toml:5:7 `nxt-row` is no action -> write `next-row`",
            "keys.toml:6:1 `entr` is no key -> write `enter`",
            "keys.toml:7:7 an action is a text in quotes, not integer -> write the key as \"j\" = \"next-row\"",
            "keys.toml:10:7 `promote` means nothing in [global] -> put it into [releases], [rollout]",
        ]
    );
    assert_eq!(
        press(&map, RELEASES, "v"),
        Resolved::Action(Action::LastRow)
    );
}

#[test]
fn broken_syntax_costs_its_line_too() {
    let (map, notices) = load(
        "[list]\n\"n\" = = \"next-row\"\n\"v\" = \"last-row\"\n\"v\" = \"open\"\nb = \"unclosed\n\"z\" = \"page-up\"",
    );
    let places: Vec<&str> = notices
        .iter()
        .map(|n| n.place.as_deref().unwrap())
        .collect();
    assert_eq!(places, ["keys.toml:2:7", "keys.toml:4:1", "keys.toml:5:14"]);
    assert_eq!(
        press(&map, RELEASES, "v"),
        Resolved::Action(Action::LastRow)
    );
    assert_eq!(press(&map, RELEASES, "z"), Resolved::Action(Action::PageUp));
}

#[test]
fn danger_does_not_go_on_easy_keys() {
    let (map, notices) = load(
        "[releases]\n\"p\" = \"promote\"\n\"G\" = \"roll-back\"\n\"ctrl-d\" = \"hold\"\n\"ctrl-g\" = \"hold\"\n[approvals]\n\"j\" = \"approve\"\n\"v\" = \"approve\"\n",
    );
    assert_eq!(
        notices.iter().map(|n| n.code.as_str()).collect::<Vec<_>>(),
        ["keymap-too-easy"; 4]
    );
    assert_eq!(press(&map, RELEASES, "p"), Resolved::None);
    assert_eq!(
        press(&map, RELEASES, "ctrl-g"),
        Resolved::Action(Action::Hold)
    );
    assert_eq!(
        press(&map, Context::STACKS[3], "v"),
        Resolved::Action(Action::Approve)
    );
}

#[test]
fn keys_that_begin_alike_are_told() {
    let (map, notices) = load(
        "[list]\n\"g g\" = \"last-row\"\n\"z\" = \"open\"\n\"z z\" = \"redraw\"\n[releases]\n\"j j\" = \"hold\"\n",
    );
    let told: Vec<String> = notices
        .iter()
        .map(|n| format!("{} {:?} {}", n.code, n.level, n.headline))
        .collect();
    assert_eq!(
        told,
        [
            "keymap-key Warning `g g` begins like `g`, which no longer runs `first-row` in [list]",
            "keymap-prefix Error `z z` and `z` (open) begin alike, so one could never be reached",
            "keymap-too-easy Error `j j` is too easily pressed for `hold`",
        ]
    );
    assert_eq!(
        press(&map, RELEASES, "g g"),
        Resolved::Action(Action::LastRow)
    );
    let (_, notices) = load("[releases]\n\"y w\" = \"why\"\n");
    assert_eq!(
        notices[0].headline,
        "`y w` in [releases] hides `y` (copy) of [global]"
    );
    assert_eq!(notices[0].place.as_deref(), Some("keys.toml:2:1"));
}

#[test]
fn nobody_is_locked_in() {
    let (map, notices) = load("inherits = \"none\"\n[list]\n\"j\" = \"next-row\"\n");
    for stack in Context::STACKS {
        let wanted: &[Action] = if stack.contains(&Context::Global) {
            &[Action::Help, Action::Quit, Action::Back]
        } else {
            &[Action::Accept, Action::Dismiss]
        };
        for action in wanted {
            assert!(!map.keys(stack, *action).is_empty(), "{stack:?} {action}");
        }
    }
    assert!(
        notices
            .iter()
            .all(|n| n.code == "keymap-locked-in" && n.level == Level::Warning)
    );
    // an inner key that hides the only way out gives way as well
    let (map, notices) = load(
        "[global]\n\"q\" = \"unbind\"\n[releases]\n\"ctrl-c\" = \"copy\"\n\"ctrl-c\" = \"copy\"",
    );
    assert!(!map.keys(RELEASES, Action::Quit).is_empty());
    assert!(
        notices.iter().any(|n| n.code == "keymap-locked-in"),
        "{notices:?}"
    );
}

#[test]
fn keys_that_old_terminals_do_not_send_are_told_and_kept() {
    let (map, notices) = load("[global]\n\"ctrl-i\" = \"redraw\"\n[entry]\n\"x\" = \"undo\"\n");
    assert_eq!(
        notices[0].headline,
        "`ctrl-i` works in newer terminals only: a terminal sends tab for it"
    );
    assert_eq!(notices[1].headline, "in a text, `x` types itself");
    assert_eq!(
        press(&map, RELEASES, "ctrl-i"),
        Resolved::Action(Action::Redraw)
    );
}

proptest::proptest! {
    #[test]
    fn any_text_makes_a_usable_keymap(text in "(\\[(list|global|dialog|x)\\]|\"?[a-z\\- ]{1,6}\"?|=|\"(next-row|hold|help|unbind|g g)\"|\n| ){0,40}") {
        let (map, _) = load(&text);
        for stack in Context::STACKS {
            let out = if stack.contains(&Context::Global) { Action::Quit } else { Action::Dismiss };
            proptest::prop_assert!(!map.keys(stack, out).is_empty());
        }
    }
}
