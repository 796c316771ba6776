//! Keys as people write them: `ctrl-d`, `G`, `g g`, `space`, `shift-tab`, `alt-x`.

use std::fmt;
use std::str::FromStr;

/// Most keys in one sequence.
pub const LONGEST: usize = 4;

/// One key press in its normal form.
///
/// A letter typed with shift is its upper case and carries no `shift`; with `ctrl` held letters
/// are lower case, as a terminal cannot tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// Which key.
    pub code: Code,
    /// Control was held.
    pub ctrl: bool,
    /// Alt was held.
    pub alt: bool,
    /// Shift was held, where the character does not say so itself.
    pub shift: bool,
}

/// Which key, without modifiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Code {
    /// A character.
    Char(char),
    /// A function key, 1 to 24.
    F(u8),
    /// Return.
    Enter,
    /// Escape.
    Esc,
    /// The tabulator.
    Tab,
    /// Delete to the left.
    Backspace,
    /// Delete to the right.
    Delete,
    /// Insert.
    Insert,
    /// Home.
    Home,
    /// End.
    End,
    /// A page up.
    PageUp,
    /// A page down.
    PageDown,
    /// The arrow up.
    Up,
    /// The arrow down.
    Down,
    /// The arrow to the left.
    Left,
    /// The arrow to the right.
    Right,
}

/// Names of keys; the first of several for one key is the one that is printed.
const NAMES: &[(&str, Code)] = &[
    ("space", Code::Char(' ')),
    ("enter", Code::Enter),
    ("return", Code::Enter),
    ("esc", Code::Esc),
    ("escape", Code::Esc),
    ("tab", Code::Tab),
    ("backspace", Code::Backspace),
    ("delete", Code::Delete),
    ("del", Code::Delete),
    ("insert", Code::Insert),
    ("ins", Code::Insert),
    ("home", Code::Home),
    ("end", Code::End),
    ("pageup", Code::PageUp),
    ("pgup", Code::PageUp),
    ("pagedown", Code::PageDown),
    ("pgdn", Code::PageDown),
    ("up", Code::Up),
    ("down", Code::Down),
    ("left", Code::Left),
    ("right", Code::Right),
    ("minus", Code::Char('-')),
    ("plus", Code::Char('+')),
];

/// Why a text is no key, in a sentence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Nothing was written.
    #[error("an empty text is no key")]
    Empty,
    /// The word names no key.
    #[error("`{word}` is no key")]
    Unknown {
        /// What was read.
        word: String,
        /// The nearest name of a key.
        near: Option<&'static str>,
    },
    /// The modifier does not exist.
    #[error("`{word}-` is no modifier; there are ctrl-, alt- and shift-")]
    Modifier {
        /// What was read.
        word: String,
    },
    /// Too many keys in a row.
    #[error("a sequence has at most {LONGEST} keys")]
    Long,
}

impl Key {
    /// A key without modifiers, in its normal form.
    pub const fn plain(code: Code) -> Key {
        Key {
            code,
            ctrl: false,
            alt: false,
            shift: false,
        }
    }

    /// A key in its normal form.
    pub fn new(code: Code, ctrl: bool, alt: bool, shift: bool) -> Key {
        let mut key = Key {
            code,
            ctrl,
            alt,
            shift,
        };
        if let Code::Char(c) = code {
            if ctrl {
                key.code = Code::Char(c.to_ascii_lowercase());
                key.shift = shift || c.is_ascii_uppercase();
            } else if c.is_alphabetic() {
                // the letter says so itself
                key.shift = false;
                if shift {
                    key.code = Code::Char(upper(c));
                }
            } else if c != ' ' {
                // `!` is `!`, whatever was held on this keyboard to type it
                key.shift = false;
            }
        }
        key
    }

    /// The character that this key types into a text, if it does.
    pub const fn typed(self) -> Option<char> {
        match self.code {
            Code::Char(c) if !self.ctrl && !self.alt => Some(c),
            _ => None,
        }
    }

    /// Why a terminal without the newer keyboard protocols cannot send this key; `None` when it can.
    pub fn out_of_reach(self) -> Option<&'static str> {
        match self.code {
            Code::Char(c) if self.ctrl => match c {
                'i' => Some("a terminal sends tab for it"),
                'm' => Some("a terminal sends enter for it"),
                'h' => Some("many terminals send backspace for it"),
                '[' => Some("a terminal sends esc for it"),
                _ if self.shift => Some("a terminal sends the same as without shift"),
                // terminals send four control characters as `ctrl-4` to `ctrl-7`
                'a'..='z' | '4'..='7' | ' ' => None,
                _ => Some("a terminal sends the character alone"),
            },
            Code::Char(' ') if self.shift => Some("a terminal sends the same as without shift"),
            Code::Char('[' | 'O') if self.alt => Some("other keys begin with the same bytes"),
            Code::Enter | Code::Backspace | Code::Esc if self.ctrl || self.shift => {
                Some("a terminal sends the same as without it")
            }
            Code::Tab if self.ctrl => Some("a terminal sends the same as without ctrl"),
            Code::Esc if self.alt => Some("a terminal cannot tell it from esc twice"),
            _ => None,
        }
    }
}

/// The upper case of a letter where it is a single letter.
fn upper(c: char) -> char {
    let mut all = c.to_uppercase();
    match (all.next(), all.next()) {
        (Some(one), None) => one,
        _ => c,
    }
}

impl FromStr for Key {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Key, KeyError> {
        if text.is_empty() {
            return Err(KeyError::Empty);
        }
        let (mut ctrl, mut alt, mut shift) = (false, false, false);
        let mut rest = text;
        // a lone `-`, also as the last letter, is the key itself
        while let Some((word, after)) = rest.split_once('-') {
            if after.is_empty() || word.is_empty() {
                break;
            }
            match word.to_ascii_lowercase().as_str() {
                "ctrl" | "control" | "c" => ctrl = true,
                "alt" | "meta" | "a" | "m" => alt = true,
                "shift" | "s" => shift = true,
                other => {
                    return Err(KeyError::Modifier {
                        word: other.to_owned(),
                    });
                }
            }
            rest = after;
        }
        Ok(Key::new(code(rest)?, ctrl, alt, shift))
    }
}

fn code(word: &str) -> Result<Code, KeyError> {
    let mut chars = word.chars();
    if let (Some(c), None) = (chars.next(), chars.next())
        && !c.is_control()
    {
        return Ok(Code::Char(c));
    }
    let lower = word.to_ascii_lowercase();
    if let Some((_, code)) = NAMES.iter().find(|(name, _)| *name == lower) {
        return Ok(*code);
    }
    if let Some(n) = lower.strip_prefix('f').and_then(|n| n.parse::<u8>().ok())
        && (1..=24).contains(&n)
    {
        return Ok(Code::F(n));
    }
    Err(KeyError::Unknown {
        word: word.to_owned(),
        near: crate::domain::words::nearest(&lower, NAMES.iter().map(|(name, _)| *name)),
    })
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (held, word) in [
            (self.ctrl, "ctrl-"),
            (self.alt, "alt-"),
            (self.shift, "shift-"),
        ] {
            if held {
                f.write_str(word)?;
            }
        }
        match self.code {
            Code::F(n) => write!(f, "F{n}"),
            // alone they are clearer as themselves
            Code::Char(c) if c != ' ' => write!(f, "{c}"),
            code => {
                let name = NAMES.iter().find(|(_, c)| *c == code);
                f.write_str(name.map_or("?", |(name, _)| name))
            }
        }
    }
}

/// Keys pressed one after the other, at least one and at most [`LONGEST`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeySeq(Vec<Key>);

impl KeySeq {
    /// A sequence of these keys; `None` when there are none or too many.
    pub fn new(keys: Vec<Key>) -> Option<KeySeq> {
        (1..=LONGEST).contains(&keys.len()).then_some(KeySeq(keys))
    }

    /// The keys.
    pub fn keys(&self) -> &[Key] {
        &self.0
    }
}

impl From<Key> for KeySeq {
    fn from(key: Key) -> KeySeq {
        KeySeq(vec![key])
    }
}

impl FromStr for KeySeq {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<KeySeq, KeyError> {
        let keys: Vec<Key> = text
            .split_whitespace()
            .map(str::parse)
            .collect::<Result<_, _>>()?;
        match keys.len() {
            0 => Err(KeyError::Empty),
            1..=LONGEST => Ok(KeySeq(keys)),
            _ => Err(KeyError::Long),
        }
    }
}

impl fmt::Display for KeySeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, key) in self.0.iter().enumerate() {
            if n > 0 {
                f.write_str(" ")?;
            }
            key.fmt(f)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(text: &str) -> Key {
        text.parse().unwrap()
    }

    #[test]
    fn the_usual_forms_are_read_and_printed_back() {
        for text in [
            "ctrl-d",
            "G",
            "space",
            "enter",
            "esc",
            "?",
            ":",
            "F5",
            "shift-tab",
            "alt-x",
            "-",
            "+",
            "[",
            "ctrl-alt-a",
            "pageup",
            "ctrl-left",
            "shift-F5",
            "ü",
            "alt-space",
            "@",
        ] {
            assert_eq!(key(text).to_string(), text);
        }
        assert_eq!("g g".parse::<KeySeq>().unwrap().to_string(), "g g");
        assert_eq!(
            "  ctrl-x   S ".parse::<KeySeq>().unwrap().to_string(),
            "ctrl-x S"
        );
    }

    #[test]
    fn other_spellings_mean_the_same() {
        assert_eq!(key("shift-g"), key("G"));
        assert_eq!(key("Ctrl-D"), key("ctrl-shift-d"));
        assert_eq!(key("C-d"), key("ctrl-d"));
        assert_eq!(key("Return"), key("enter"));
        assert_eq!(key("minus"), key("-"));
        assert_eq!(key("ctrl--"), key("ctrl-minus"));
        assert_eq!(key("f12"), Key::plain(Code::F(12)));
        assert_eq!(key("shift-!"), key("!"));
        assert_eq!(key("shift-ü"), key("Ü"));
        // upper case of these is two letters: left alone
        assert_eq!(key("shift-ß"), key("ß"));
    }

    #[test]
    fn nonsense_is_refused_with_the_nearest_name() {
        assert_eq!(
            "entr".parse::<Key>(),
            Err(KeyError::Unknown {
                word: "entr".into(),
                near: Some("enter")
            })
        );
        assert!(matches!(
            "hyper-x".parse::<Key>(),
            Err(KeyError::Modifier { .. })
        ));
        assert!(matches!(
            "F99".parse::<Key>(),
            Err(KeyError::Unknown { .. })
        ));
        assert!(matches!(
            "\x1b".parse::<Key>(),
            Err(KeyError::Unknown { .. })
        ));
        assert_eq!("".parse::<KeySeq>(), Err(KeyError::Empty));
        assert_eq!("a b c d e".parse::<KeySeq>(), Err(KeyError::Long));
    }

    #[test]
    fn keys_that_old_terminals_cannot_send_are_known() {
        for text in [
            "ctrl-i",
            "ctrl-m",
            "ctrl-[",
            "ctrl-shift-d",
            "ctrl-1",
            "shift-enter",
            "ctrl-enter",
            "ctrl-tab",
            "alt-[",
        ] {
            assert!(key(text).out_of_reach().is_some(), "{text}");
        }
        for text in [
            "ctrl-d",
            "ctrl-space",
            "alt-enter",
            "shift-tab",
            "alt-x",
            "ctrl-left",
            "shift-F5",
            "G",
            "!",
        ] {
            assert!(key(text).out_of_reach().is_none(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_back(c in proptest::char::any(), ctrl: bool, alt: bool, shift: bool) {
            prop_assume!(!c.is_control() && !c.is_whitespace());
            let key = Key::new(Code::Char(c), ctrl, alt, shift);
            prop_assert_eq!(key.to_string().parse::<Key>(), Ok(key));
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".{0,40}") {
            if let Ok(seq) = text.parse::<KeySeq>() {
                prop_assert_eq!(seq.to_string().parse::<KeySeq>(), Ok(seq));
            }
        }
    }
}
