use super::super::color::{contrast, distance, distance_without_green, rgb};
use super::*;
use ratatui::style::{Color, Modifier};

fn caps(depth: Depth) -> Caps {
    Caps {
        depth,
        ..Caps::default()
    }
}

fn theme(name: &str, depth: Depth) -> Theme {
    let (themes, notices) = Themes::load(&[]);
    assert_eq!(notices, []);
    themes.find(name, caps(depth)).unwrap()
}

fn channels(color: Option<Color>) -> [u8; 3] {
    rgb(color.unwrap()).unwrap()
}

/// Roles that paint areas and lines, not letters that somebody has to read.
const NOT_TEXT: [Role; 5] = [
    Role::BarRest,
    Role::Band,
    Role::Rule,
    Role::DialogBorder,
    Role::RowCursor,
];

#[test]
fn every_role_looks_like_something_in_every_theme() {
    for (name, _) in BUILT_IN {
        for depth in [Depth::None, Depth::Ansi16, Depth::Ansi256, Depth::True] {
            let theme = theme(name, depth);
            for role in Role::ALL {
                let style = theme.style(*role);
                assert!(style.fg.is_some(), "{name} {role:?}");
                if depth == Depth::None || *name == "mono" {
                    assert_eq!(style.fg, Some(Color::Reset));
                    assert!(style.bg.is_none_or(|c| c == Color::Reset));
                } else {
                    assert_ne!(style.fg, Some(Color::Reset), "{name} {role:?}");
                }
                if depth == Depth::Ansi256 {
                    assert!(!matches!(style.fg, Some(Color::Rgb(..))), "{name} {role:?}");
                }
            }
        }
    }
}

#[test]
fn text_can_be_read_on_every_ground() {
    for name in ["dark", "light", "contrast"] {
        for depth in [Depth::Ansi256, Depth::True, Depth::Ansi16] {
            if depth == Depth::Ansi16 && name == "light" {
                continue; // never chosen by itself there; every terminal has its own sixteen
            }
            let theme = theme(name, depth);
            let base = theme.style(Role::Text).bg;
            let grounds = [
                base,
                theme.style(Role::RowCursor).bg,
                theme.style(Role::Dialog).bg,
            ];
            for role in Role::ALL.iter().filter(|role| !NOT_TEXT.contains(role)) {
                let style = theme.style(*role);
                for ground in style.bg.map_or(grounds.to_vec(), |own| vec![Some(own)]) {
                    let ratio = contrast(channels(style.fg), channels(ground));
                    // a reserve against rounding to 256 colours is not asked for
                    let least = if depth == Depth::True { 4.5 } else { 4.3 };
                    assert!(
                        ratio >= least,
                        "{name} {depth:?} {role:?} {ratio:.2} on {ground:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn colours_that_mean_something_stay_apart_also_without_green_cones() {
    let apart = [
        Role::StatusPerson,
        Role::StatusMoving,
        Role::StatusGood,
        Role::StatusBad,
        Role::StatusHistory,
    ];
    let mut near = Vec::new();
    let all = ["dark", "light", "contrast"];
    // 256 colours are coarse: apart, but less so
    let depths = [(Depth::True, 0.07), (Depth::Ansi256, 0.05)];
    for (name, (depth, wanted)) in all.into_iter().flat_map(|n| depths.map(|d| (n, d))) {
        let theme = theme(name, depth);
        let mut pairs = vec![(Role::New, Role::Old)];
        for (n, a) in apart.iter().enumerate() {
            pairs.extend(apart[n + 1..].iter().map(|b| (*a, *b)));
        }
        for (a, b) in pairs {
            let (x, y) = (channels(theme.style(a).fg), channels(theme.style(b).fg));
            let least = distance_without_green(x, y).min(distance(x, y));
            if least < wanted {
                near.push(format!("{name} {depth:?} {a:?} {b:?} {least:.3}"));
            }
        }
    }
    assert!(near.is_empty(), "{near:#?}");
}

#[test]
fn without_colour_states_differ_by_letters_or_sign() {
    use super::super::glyph::Status;
    let theme = theme("mono", Depth::None);
    for (n, a) in Status::ALL.iter().enumerate() {
        for b in &Status::ALL[n + 1..] {
            assert_ne!(theme.glyph(a.glyph()), theme.glyph(b.glyph()));
        }
    }
    let looks = |role| theme.style(role).add_modifier;
    assert_ne!(looks(Role::StatusBad), looks(Role::StatusGood));
    assert_ne!(looks(Role::StatusPerson), looks(Role::StatusMoving));
    assert_ne!(looks(Role::RowCursor), looks(Role::Text));
    assert_ne!(looks(Role::New), looks(Role::Old));
}

#[test]
fn text_leaves_the_ground_of_a_row_alone() {
    let theme = theme("dark", Depth::True);
    assert!(theme.style(Role::Text).bg.is_some());
    assert!(theme.style(Role::RowCursor).bg.is_some());
    for role in [
        Role::StatusBad,
        Role::Dim,
        Role::Strong,
        Role::New,
        Role::Key,
        Role::RowMarked,
    ] {
        assert_eq!(theme.style(role).bg, None, "{role:?}");
    }
    assert_eq!(theme.style(Role::Entry).bg, theme.style(Role::Dialog).bg);
}

#[test]
fn the_terminal_chooses_where_nobody_does() {
    let (themes, _) = Themes::load(&[]);
    let pick = |caps: Caps| themes.find(AUTO, caps).unwrap().style(Role::Text);
    let dark = theme("dark", Depth::True).style(Role::Text);
    let light = theme("light", Depth::True).style(Role::Text);
    assert_eq!(pick(caps(Depth::True)), dark);
    assert_eq!(pick(caps(Depth::True).on(Background::Light)), light);
    assert_eq!(pick(caps(Depth::True).on(Background::Dark)), dark);
    assert_eq!(
        pick(caps(Depth::None).on(Background::Light)).fg,
        Some(Color::Reset)
    );
    let (theme, notice) = themes.choose("drak", caps(Depth::True));
    assert_eq!(theme.style(Role::Text), dark);
    assert_eq!(notice.unwrap().next_step, "write `dark`");
}

#[test]
fn a_users_theme_names_only_what_differs_and_bad_lines_are_told() {
    let text = r##"
inherits = "light"
[palette]
blush = "#ff0088"
hole = "#ff"
[roles]
"status.bad" = "blush bold"
"status.god" = "green"
"text.dim" = "blsh"
"hint" = 3
"status.good" = "green on raised underlined"
[rolls]
"##;
    let (themes, notices) = Themes::load(&[SourceFile {
        name: "my/pink.toml",
        text,
    }]);
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
            "my/pink.toml:12:2 `rolls` means nothing here -> write `roles`",
            "my/pink.toml:5:8 `#ff` is no colour -> write #rrggbb, a name such as bright-red, or one of your palette",
            "my/pink.toml:8:1 `status.god` is no role -> write `status.good`",
            "my/pink.toml:9:14 `blsh` is no colour -> write `blush`",
            "my/pink.toml:10:10 a text in quotes is expected, not integer -> write \"#ffaf00\", \"bright-red\" or \"amber bold\"",
        ]
    );
    assert_eq!(
        themes.names().collect::<Vec<_>>(),
        ["auto", "dark", "light", "contrast", "mono", "pink"]
    );
    let pink = themes.find("pink", caps(Depth::True)).unwrap();
    assert_eq!(
        pink.style(Role::StatusBad).fg,
        Some(Color::Rgb(255, 0, 136))
    );
    assert_eq!(pink.style(Role::BarBad).fg, Some(Color::Rgb(255, 0, 136)));
    assert_eq!(
        pink.style(Role::StatusGood).add_modifier,
        Modifier::UNDERLINED
    );
    assert_eq!(
        pink.style(Role::Dim),
        theme("light", Depth::True).style(Role::Dim)
    );
}
