//! What is wrong with a value, and how it is said.

use std::fmt::Display;

use serde::de::{Expected, Unexpected};

use crate::domain::notice::Notice;
use crate::domain::text::printable;
use crate::domain::words::{listing, nearest};

use super::path::{self, segment};
use super::{Kind, NodeId, Scalar, Step, Tree, Value};
use crate::config::located::Format;

/// The most words that a notice lists.
const MOST_LISTED: usize = 24;

/// The most characters of a type's own words.
const LONGEST_SAID: usize = 400;

/// What is wrong, and where.
#[derive(Debug)]
pub(crate) struct Fault {
    /// Where; set by the innermost reader that knows.
    pub(crate) spot: Option<Spot>,
    /// What.
    pub(crate) what: What,
}

/// A place that something can be wrong with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spot {
    /// A value.
    Value(NodeId),
    /// The key of a value.
    Key(NodeId),
}

impl Spot {
    /// The value, or the value of the key.
    pub(crate) const fn node(self) -> NodeId {
        match self {
            Spot::Value(id) | Spot::Key(id) => id,
        }
    }
}

/// What is wrong.
#[derive(Debug)]
pub(crate) enum What {
    /// Something further in, which has been told before.
    Told,
    /// A key that a table must have is not there.
    Missing {
        /// The key.
        key: &'static str,
        /// All keys that the table can have.
        known: &'static [&'static str],
    },
    /// A key that a table cannot have.
    UnknownKey(&'static [&'static str]),
    /// A word that is none of those that stand for a choice.
    UnknownWord(String, &'static [&'static str]),
    /// Something else was expected.
    Expected(String),
    /// Something else was expected, and what was read must not be shown.
    ExpectedHidden(String),
    /// The words of a type that checks its own values.
    Said(String),
}

impl Fault {
    /// A fault whose place is not known yet.
    pub(crate) const fn new(what: What) -> Fault {
        Fault { spot: None, what }
    }

    /// The same fault at this spot, unless somebody further in knew better.
    pub(crate) fn or_at(mut self, spot: Spot) -> Fault {
        self.spot.get_or_insert(spot);
        self
    }

    /// The same fault, without what was read.
    pub(crate) fn hidden(mut self, expected: &str) -> Fault {
        self.what = match self.what {
            What::Expected(expected) => What::ExpectedHidden(expected),
            // a careless type could repeat what it read
            What::Said(_) | What::UnknownWord(..) => What::ExpectedHidden(expected.to_owned()),
            other => other,
        };
        self
    }
}

impl std::error::Error for Fault {}

impl Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.what)
    }
}

impl serde::de::Error for Fault {
    fn custom<T: Display>(message: T) -> Fault {
        Fault::new(What::Said(message.to_string()))
    }

    fn invalid_type(_: Unexpected<'_>, expected: &dyn Expected) -> Fault {
        Fault::new(What::Expected(people(&expected.to_string())))
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Fault {
        let expected = expected.to_string();
        let words = range(&expected).unwrap_or_else(|| people(&expected));
        Fault::new(What::Expected(words))
    }

    fn invalid_length(_: usize, expected: &dyn Expected) -> Fault {
        Fault::new(What::Expected(people(&expected.to_string())))
    }

    fn unknown_variant(word: &str, known: &'static [&'static str]) -> Fault {
        Fault::new(What::UnknownWord(word.to_owned(), known))
    }

    fn unknown_field(key: &str, known: &'static [&'static str]) -> Fault {
        let known = listing(known.iter().copied(), MOST_LISTED);
        Fault::new(What::Said(format!(
            "unknown key `{key}`; known keys: {known}"
        )))
    }

    fn missing_field(key: &'static str) -> Fault {
        Fault::new(What::Missing { key, known: &[] })
    }

    fn duplicate_field(key: &'static str) -> Fault {
        Fault::new(What::Said(format!("the key `{key}` is given twice")))
    }
}

/// What a type of Rust expects, in words of people who write files.
pub(crate) fn people(expected: &str) -> String {
    let length = expected
        .strip_prefix("a tuple of size ")
        .or_else(|| expected.strip_prefix("an array of length "));
    if let Some(length) = length {
        return format!("a list of {length}");
    }
    if let Some((_, rest)) = expected
        .strip_prefix("tuple ")
        .and_then(|rest| rest.split_once(" with "))
    {
        return format!(
            "a list of {}",
            rest.replace(" elements", "").replace(" element", "")
        );
    }
    let word = match expected {
        "u8" | "u16" | "u32" | "u64" | "u128" | "usize" | "i8" | "i16" | "i32" | "i64" | "i128"
        | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        "a boolean" => "`true` or `false`",
        "a character" => "a single character",
        "a string" | "a borrowed string" | "string" | "a str" => "text",
        "a sequence" => "a list",
        "a map" => "a table",
        "unit" => "nothing",
        other => {
            let made = ["struct ", "struct variant "];
            let counted = ["tuple struct ", "tuple variant "];
            let nothing = ["unit struct ", "unit variant "];
            let begins = |words: &[&str]| words.iter().any(|word| other.starts_with(word));
            if begins(&made) {
                "a table"
            } else if begins(&counted) {
                "a list"
            } else if begins(&nothing) {
                "nothing"
            } else {
                other
            }
        }
    };
    word.to_owned()
}

/// The numbers that an integer of Rust can hold.
fn range(expected: &str) -> Option<String> {
    let (least, most) = match expected {
        "u8" => (0, i64::from(u8::MAX)),
        "u16" => (0, i64::from(u16::MAX)),
        "u32" => (0, i64::from(u32::MAX)),
        "u64" | "u128" | "usize" => return Some("a whole number from 0".to_owned()),
        "i8" => (i64::from(i8::MIN), i64::from(i8::MAX)),
        "i16" => (i64::from(i16::MIN), i64::from(i16::MAX)),
        "i32" => (i64::from(i32::MIN), i64::from(i32::MAX)),
        _ => return None,
    };
    Some(format!("a whole number from {least} to {most}"))
}

/// The value at which a path ends, as the subject of a sentence.
fn subject(path: &str) -> String {
    if path.is_empty() {
        "the file".to_owned()
    } else {
        format!("`{path}`")
    }
}

/// Says where in a table or file something is: ` in batches[2]`, or nothing for the whole file.
fn within(path: &str) -> String {
    if path.is_empty() {
        String::new()
    } else {
        format!(" in {path}")
    }
}

/// The position at which a spot begins.
pub(crate) fn position(tree: &Tree, spot: Spot) -> usize {
    let node = tree.node(spot.node());
    match (spot, &node.step) {
        (Spot::Key(_), Step::Key(_, at)) => *at,
        _ => node.at,
    }
}

/// A fault as people read it, but for its place.
pub(crate) fn tell(tree: &Tree, format: Format, spot: Spot, what: &What) -> Notice {
    let id = spot.node();
    match what {
        What::UnknownKey(known) => unknown_key(tree, id, known),
        What::Missing { key, known } => missing(tree, id, key, known, format),
        What::UnknownWord(word, known) => {
            let place = match spot {
                Spot::Value(_) => path::of(tree, id),
                Spot::Key(_) => path::of(tree, tree.node(id).parent),
            };
            let word = printable(word, 60);
            Notice::error(
                "unknown-word",
                format!("unknown word `{word}`{}", within(&place)),
            )
            .next(meant(&word, known, "known words"))
        }
        What::Expected(expected) => wrong_type(tree, id, expected, format),
        What::ExpectedHidden(expected) => Notice::error(
            HIDDEN,
            format!("{}: expected {expected}", subject(&path::of(tree, id))),
        )
        .detail("what was read may be a secret, and is not shown"),
        What::Said(words) => {
            let words = printable(words, LONGEST_SAID);
            let detail = match (spot, &tree.node(id).value) {
                (Spot::Value(_), Value::Scalar(scalar)) if !words.contains(&*scalar.text) => {
                    format!("read {}", tree.aloud(id))
                }
                _ => String::new(),
            };
            let subject = subject(&path::of(tree, id));
            Notice::error("bad-value", format!("{subject}: {words}")).detail(detail)
        }
        What::Told => Notice::error("bad-value", "what is told above also concerns this"),
    }
}

/// The code of a notice about a value that may be a secret; its line is not shown.
pub(crate) const HIDDEN: &str = "bad-secret";

fn unknown_key(tree: &Tree, id: NodeId, known: &[&'static str]) -> Notice {
    let key = tree.key(id).unwrap_or_default();
    let place = within(&path::of(tree, tree.node(id).parent));
    let headline = format!("unknown key {}{place}", ticked(key));
    Notice::error("unknown-key", headline).next(meant(key, known, "known keys"))
}

fn ticked(key: &str) -> String {
    format!("`{}`", printable(key, 60))
}

/// Which word was probably meant, and which there are.
fn meant(word: &str, known: &[&'static str], which: &str) -> String {
    let all = match known {
        [] => "none is known here".to_owned(),
        known => format!("{which}: {}", listing(known.iter().copied(), MOST_LISTED)),
    };
    match nearest(word, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`? {all}"),
        None => all,
    }
}

fn missing(
    tree: &Tree,
    id: NodeId,
    key: &'static str,
    known: &[&'static str],
    format: Format,
) -> Notice {
    let path = path::of(tree, id);
    let headline = match path.as_str() {
        "" => format!("the key `{key}` is missing"),
        path => format!("`{path}` lacks the key `{key}`"),
    };
    let given = match tree.children(id) {
        [] => "nothing is given".to_owned(),
        entries => {
            let keys = entries.iter().filter_map(|e| tree.key(*e));
            let keys: Vec<String> = keys.take(MOST_LISTED).map(segment).collect();
            let keys = keys.iter().map(String::as_str);
            format!("given: {}", listing(keys, MOST_LISTED))
        }
    };
    let open = known.iter().copied();
    let open = open.filter(|k| *k != key && tree.get(id, k).is_none());
    let open = match listing(open, MOST_LISTED).as_str() {
        "" => String::new(),
        keys => format!("; other keys it can have: {keys}"),
    };
    let how = match format {
        Format::Yaml => format!("add `{key}: …`{open}"),
        Format::Toml => format!("add `{key} = …`{open}"),
    };
    Notice::error("missing-key", headline)
        .detail(given)
        .next(how)
}

fn wrong_type(tree: &Tree, id: NodeId, expected: &str, format: Format) -> Notice {
    let headline = format!(
        "{}: expected {expected}, read {}",
        subject(&path::of(tree, id)),
        tree.aloud(id)
    );
    let next = match (&tree.node(id).value, expected) {
        (
            Value::Scalar(Scalar {
                kind: Kind::Text,
                text,
            }),
            "`true` or `false`",
        ) => match text.to_ascii_lowercase().as_str() {
            "yes" | "on" | "y" | "true" => "write true, without quotes",
            "no" | "off" | "n" | "false" => "write false, without quotes",
            _ => "",
        },
        (
            Value::Scalar(Scalar {
                kind: Kind::Text,
                text,
            }),
            e,
        ) if e.contains("number") && text.parse::<f64>().is_ok_and(f64::is_finite) => {
            "take the quotes away"
        }
        (
            Value::Scalar(Scalar {
                kind: Kind::Bool(_),
                ..
            }),
            "text",
        ) => "put it in quotes if the word itself is meant",
        (
            Value::Scalar(Scalar {
                kind: Kind::Nothing,
                ..
            }),
            "a list",
        ) => "write [] for an empty list, or take the key out",
        (
            Value::Scalar(Scalar {
                kind: Kind::Nothing,
                ..
            }),
            _,
        ) => "write a value, or take the key out",
        (Value::Scalar(_), "a list") if format == Format::Toml => "put it in [ ]",
        (Value::Scalar(_), "a list") => "put it in [ ], or on a line of its own behind a `-`",
        (Value::Table(_), "a list") if format == Format::Toml => {
            "head it with [[ ]] instead of [ ], or put it in [ ]"
        }
        (Value::Table(_), "a list") => "begin each item with `- `",
        _ => "",
    };
    Notice::error("wrong-type", headline).next(next)
}
