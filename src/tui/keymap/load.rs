//! Reading keymap files, line by line.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use toml::de::DeTable;

use crate::domain::Notice;
use crate::domain::text::printable;
use crate::domain::words::nearest;

use super::super::action::{Action, Context};
use super::super::key::{Code, Key, KeyError, KeySeq};
use super::super::located::{Parsed, SourceFile, hint};
use super::{BUILT_IN, Binding, Keymap, check};

impl Keymap {
    pub(super) fn layer_built_in(&mut self, name: &str, notices: &mut Vec<Notice>) {
        if let Some((name, text)) = BUILT_IN.iter().find(|(n, _)| *n == name) {
            self.layer(SourceFile { name, text }, notices, None);
        }
    }

    /// Lays a file over what it inherits. A user's file inherits `default` when it does not say,
    /// and keeps its hands off the `harmless` keys; a built-in one was checked by the tests.
    pub(super) fn layer(
        &mut self,
        file: SourceFile<'_>,
        notices: &mut Vec<Notice>,
        harmless: Option<&BTreeSet<KeySeq>>,
    ) {
        let parsed = file.parse("keymap-syntax");
        notices.extend_from_slice(&parsed.notices);
        let mut tables = Vec::new();
        let mut inherits = if harmless.is_some() {
            "default"
        } else {
            "none"
        };
        for line in parsed.top() {
            match (line.key, line.value.as_str(), line.value.as_table()) {
                ("inherits", Some(name), _) if name == "none" || built_in(name) => inherits = name,
                ("inherits", ..) => {
                    notices.push(wrong_base(&file, &line.value_span, line.value.as_str()))
                }
                (name, _, Some(table)) => match Context::find(name) {
                    Some(context) => tables.push((context, table)),
                    None => notices.push(unknown_table(&file, &line.key_span, name)),
                },
                (name, ..) => notices.push(
                    Notice::error(
                        "keymap-no-table",
                        format!("`{}` stands outside any table", printable(name, 40)),
                    )
                    .next("put it below the table where the key works, such as [list]")
                    .at(file.place(&line.key_span)),
                ),
            }
        }
        self.layer_built_in(inherits, notices);
        let layer = Layer {
            number: self.layers(),
            harmless,
        };
        for (context, table) in tables {
            self.table_of(context, table, &parsed, &layer, notices);
        }
        if harmless.is_some() {
            check::crossing(self, layer.number, &file, notices);
        }
    }

    /// Takes the lines of one table in.
    fn table_of<'a>(
        &mut self,
        context: Context,
        table: &'a DeTable<'a>,
        parsed: &'a Parsed<'a>,
        layer: &Layer<'_>,
        notices: &mut Vec<Notice>,
    ) {
        for line in parsed.lines(table) {
            let result = match line.value.as_str() {
                Some(word) => self.line(context, line.key, word, layer, line.key_span.start),
                None => Err(LineError::NotText(line.value.type_str())),
            };
            match result {
                Ok(None) => {}
                Ok(Some(doubt)) => notices.push(
                    Notice::warning("keymap-key", doubt.headline(line.key, context))
                        .next(doubt.next())
                        .at(parsed.file.place(&line.key_span)),
                ),
                Err(error) => {
                    let span = if error.about_key() {
                        &line.key_span
                    } else {
                        &line.value_span
                    };
                    notices.push(error.notice(context).at(parsed.file.place(span)));
                }
            }
        }
    }

    /// The number of the layer that comes next.
    fn layers(&self) -> usize {
        let all = self.tables.values().flat_map(BTreeMap::values);
        all.map(|binding| binding.layer + 1).max().unwrap_or(0)
    }

    /// Takes one line in.
    fn line(
        &mut self,
        context: Context,
        keys: &str,
        word: &str,
        layer: &Layer<'_>,
        at: usize,
    ) -> Result<Option<check::Doubt>, LineError> {
        let seq: KeySeq = keys.parse().map_err(LineError::Key)?;
        let table = self.tables.entry(context).or_default();
        if word == "unbind" {
            return match table.remove(&seq) {
                Some(_) => Ok(None),
                None => Ok(Some(check::Doubt::NothingToUnbind)),
            };
        }
        let action = Action::find(word).ok_or_else(|| LineError::Action(word.to_owned()))?;
        if let Some(harmless) = layer.harmless {
            check::belongs(action, context, &seq, harmless)?;
        }
        let mut doubt = None;
        let starts = |a: &KeySeq, b: &KeySeq| a != b && b.keys().starts_with(a.keys());
        let rivals: Vec<(KeySeq, Binding)> = table
            .iter()
            .filter(|(other, _)| starts(other, &seq) || starts(&seq, other))
            .map(|(other, binding)| (other.clone(), *binding))
            .collect();
        for (other, binding) in rivals {
            if binding.layer == layer.number {
                return Err(LineError::Rival {
                    seq,
                    other,
                    action: binding.action,
                });
            }
            table.remove(&other);
            doubt = Some(check::Doubt::Replaces {
                other,
                action: binding.action,
            });
        }
        if doubt.is_none() {
            doubt = seq
                .keys()
                .iter()
                .find_map(|key| key.out_of_reach())
                .map(check::Doubt::OutOfReach);
        }
        table.insert(
            seq,
            Binding {
                action,
                layer: layer.number,
                at,
            },
        );
        Ok(doubt)
    }
}

/// The file that is being read.
struct Layer<'a> {
    number: usize,
    harmless: Option<&'a BTreeSet<KeySeq>>,
}

/// Why a line is skipped.
#[derive(Debug)]
pub(super) enum LineError {
    Key(KeyError),
    NotText(&'static str),
    Action(String),
    /// The action means nothing in this table.
    Elsewhere(Action),
    /// The key is too easily pressed for what it would do.
    TooEasy(Action, KeySeq),
    /// In a text, the key types itself.
    Typed(Key),
    /// In the same file, one is the beginning of the other.
    Rival {
        seq: KeySeq,
        other: KeySeq,
        action: Action,
    },
}

impl LineError {
    const fn about_key(&self) -> bool {
        !matches!(
            self,
            LineError::NotText(_) | LineError::Action(_) | LineError::Elsewhere(_)
        )
    }

    fn notice(&self, context: Context) -> Notice {
        let skipped = "the line is skipped";
        match self {
            LineError::Key(error) => {
                let near = match error {
                    KeyError::Unknown { near, .. } => *near,
                    _ => None,
                };
                Notice::error("keymap-key", printable(&error.to_string(), 120)).detail(skipped).next(
                    hint(near, "write keys as ctrl-d, G, space, F5, shift-tab, or several with blanks between"),
                )
            }
            LineError::NotText(kind) => Notice::error(
                "keymap-action",
                format!("an action is a text in quotes, not {kind}"),
            )
            .detail(skipped)
            .next("write the key as \"j\" = \"next-row\""),
            LineError::Action(word) => Notice::error(
                "keymap-action",
                format!("`{}` is no action", printable(word, 60)),
            )
            .detail(skipped)
            .next(hint(
                Action::nearest(word),
                "`holdpoint keys` lists the actions",
            )),
            LineError::Elsewhere(action) => {
                let tables: Vec<&str> = action.info().contexts.iter().map(|c| c.name()).collect();
                Notice::error(
                    "keymap-context",
                    format!("`{action}` means nothing in [{context}]"),
                )
                .detail(skipped)
                .next(format!("put it into {}", bracketed(&tables)))
            }
            LineError::TooEasy(action, seq) => Notice::error(
                "keymap-too-easy",
                format!("`{seq}` is too easily pressed for `{action}`"),
            )
            .detail("keys that move or read elsewhere never change a release")
            .next("choose an upper-case letter, a function key, or ctrl or alt with a letter"),
            LineError::Typed(key) => {
                Notice::error("keymap-typed", format!("in a text, `{key}` types itself"))
                    .detail(skipped)
                    .next("choose a key with ctrl or alt, or one that types nothing")
            }
            LineError::Rival { seq, other, action } => Notice::error(
                "keymap-prefix",
                format!(
                    "`{seq}` and `{other}` ({action}) begin alike, so one could never be reached"
                ),
            )
            .detail(skipped)
            .next("choose another key for one of them"),
        }
    }
}

fn built_in(name: &str) -> bool {
    BUILT_IN.iter().any(|(n, _)| *n == name)
}

fn bracketed(names: &[&str]) -> String {
    let all: Vec<String> = names.iter().map(|n| format!("[{n}]")).collect();
    all.join(", ")
}

fn wrong_base(file: &SourceFile<'_>, span: &Range<usize>, word: Option<&str>) -> Notice {
    let names = BUILT_IN.iter().map(|(n, _)| *n).chain(["none"]);
    let near = word.and_then(|word| nearest(word, names));
    Notice::error("keymap-inherits", "`inherits` names no built-in keymap")
        .detail("the default keymap is used")
        .next(hint(near, "write \"default\", \"vim\" or \"none\""))
        .at(file.place(span))
}

fn unknown_table(file: &SourceFile<'_>, span: &Range<usize>, name: &str) -> Notice {
    let names: Vec<&str> = Context::ALL.iter().map(|c| c.name()).collect();
    let near = nearest(name, names.iter().copied()).map(|n| format!("[{n}]"));
    Notice::error(
        "keymap-table",
        format!("[{}] is no place where keys work", printable(name, 40)),
    )
    .detail("its lines are skipped")
    .next(near.map_or_else(
        || format!("tables are {}", bracketed(&names)),
        |n| format!("write {n}"),
    ))
    .at(file.place(span))
}

/// Whether a key is one that people press without thinking: a plain character that is no upper
/// case, or a key that moves.
pub(super) const fn easy(key: Key) -> bool {
    match key.code {
        Code::F(_) => false,
        Code::Char(c) => !key.ctrl && !key.alt && !c.is_ascii_uppercase(),
        _ => !key.alt,
    }
}
