//! What a terminal can do, as far as its environment and its answers say.

/// How many colours there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Depth {
    /// None: bold, dim and reversed at most.
    None,
    /// The sixteen.
    Ansi16,
    /// The sixteen, a cube and greys.
    Ansi256,
    /// Any.
    True,
}

/// How bright a terminal's background is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Background {
    /// Light text on dark.
    Dark,
    /// Dark text on light.
    Light,
}

/// What a terminal can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Caps {
    /// How many colours there are.
    pub depth: Depth,
    /// Whether it shows more than ASCII.
    pub unicode: bool,
    /// Whether it may be asked for mouse events and bracketed paste, and about itself.
    pub modern: bool,
    /// Its background, where known.
    pub background: Option<Background>,
}

impl Default for Caps {
    /// What nearly every terminal can do.
    fn default() -> Caps {
        Caps {
            depth: Depth::Ansi256,
            unicode: true,
            modern: true,
            background: None,
        }
    }
}

impl Caps {
    /// The names of the variables that [`Caps::from_env`] asks for. A client far away sends these.
    pub const VARIABLES: [&'static str; 8] = [
        "TERM",
        "COLORTERM",
        "TERM_PROGRAM",
        "NO_COLOR",
        "COLORFGBG",
        "LC_ALL",
        "LC_CTYPE",
        "LANG",
    ];

    /// Reads the person's environment (never the server's); a variable that is not set is `None`.
    pub fn from_env<'a>(get: impl Fn(&str) -> Option<&'a str>) -> Caps {
        let set = |name: &str| get(name).filter(|value| !value.is_empty());
        let term = set("TERM").unwrap_or("dumb");
        let modern = !["dumb", "cons25", "emacs", "linux"].contains(&term) && !glass(term);
        Caps {
            depth: depth(term, &set),
            unicode: unicode(term, &set),
            modern,
            background: set("COLORFGBG").and_then(background),
        }
    }

    /// The same with what the terminal answered about its background.
    #[must_use]
    pub const fn on(mut self, background: Background) -> Caps {
        self.background = Some(background);
        self
    }
}

fn depth<'a>(term: &str, set: &impl Fn(&str) -> Option<&'a str>) -> Depth {
    // https://no-color.org: set and not empty
    if set("NO_COLOR").is_some() || term == "dumb" || glass(term) || term.ends_with("-m") {
        return Depth::None;
    }
    let truecolor = set("COLORTERM").is_some_and(|v| ["truecolor", "24bit"].contains(&v));
    let known = [
        "kitty",
        "alacritty",
        "foot",
        "wezterm",
        "ghostty",
        "direct",
        "truecolor",
    ];
    if truecolor || known.iter().any(|name| term.contains(name)) {
        return Depth::True;
    }
    // `screen` alone may run in anything; Apple's terminal had no true colour for long
    if term.contains("256color") || set("TERM_PROGRAM").is_some() {
        return Depth::Ansi256;
    }
    Depth::Ansi16
}

/// A terminal of the seventies and its kin: `vt100`, `vt220`.
fn glass(term: &str) -> bool {
    term.strip_prefix("vt")
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

fn unicode<'a>(term: &str, set: &impl Fn(&str) -> Option<&'a str>) -> bool {
    // the font of a bare console has neither braille nor most signs
    if term == "linux" || term == "dumb" || term == "cons25" || glass(term) {
        return false;
    }
    // the first of these that is set holds (POSIX); where none is, as in many containers and over
    // ssh, a terminal of today shows UTF-8 all the same
    let locale = set("LC_ALL")
        .or_else(|| set("LC_CTYPE"))
        .or_else(|| set("LANG"));
    locale.is_none_or(|locale| {
        let locale = locale.to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    })
}

/// Reads `fg;bg` or `fg;default;bg`.
fn background(value: &str) -> Option<Background> {
    let number: u8 = value.rsplit(';').next()?.parse().ok()?;
    match number {
        0..=6 | 8 => Some(Background::Dark),
        7 | 9..=15 => Some(Background::Light),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caps(env: &[(&str, &'static str)]) -> Caps {
        Caps::from_env(|name| env.iter().find(|(n, _)| *n == name).map(|(_, v)| *v))
    }

    #[test]
    fn depth_follows_the_environment() {
        for (env, depth) in [
            (&[][..], Depth::None),
            (&[("TERM", "xterm")], Depth::Ansi16),
            (&[("TERM", "linux")], Depth::Ansi16),
            (&[("TERM", "xterm-256color")], Depth::Ansi256),
            (
                &[("TERM", "xterm-256color"), ("COLORTERM", "truecolor")],
                Depth::True,
            ),
            (&[("TERM", "xterm-kitty")], Depth::True),
            (&[("TERM", "xterm-kitty"), ("NO_COLOR", "1")], Depth::None),
            (
                &[("TERM", "xterm-256color"), ("NO_COLOR", "")],
                Depth::Ansi256,
            ),
            (&[("TERM", "vt220")], Depth::None),
            (&[("TERM", "dumb")], Depth::None),
        ] {
            assert_eq!(caps(env).depth, depth, "{env:?}");
        }
    }

    #[test]
    fn unicode_follows_the_locale_and_the_console() {
        let term = ("TERM", "xterm");
        assert!(caps(&[term]).unicode);
        assert!(caps(&[term, ("LANG", "de_DE.UTF-8")]).unicode);
        assert!(!caps(&[term, ("LANG", "de_DE.UTF-8"), ("LC_ALL", "C")]).unicode);
        assert!(caps(&[term, ("LANG", "C"), ("LC_CTYPE", "C.utf8")]).unicode);
        assert!(!caps(&[("TERM", "linux"), ("LANG", "de_DE.UTF-8")]).unicode);
        assert!(!caps(&[("TERM", "dumb")]).modern);
    }

    #[test]
    fn a_background_may_be_told() {
        for (value, background) in [
            ("15;0", Some(Background::Dark)),
            ("0;15", Some(Background::Light)),
            ("0;default;15", Some(Background::Light)),
            ("nonsense", None),
        ] {
            assert_eq!(super::background(value), background);
        }
    }
}
