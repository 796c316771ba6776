//! `keys`: the keymap that holds, as text or as a table in Markdown.

use std::fmt::Write as _;

use super::exit::Stop;
use crate::config::home;
use crate::config::mistakes::Mistakes;
use crate::tui::{Confirm, Context, Keymap, SourceFile};

/// The keys of every context with what they do; the user's own file is layered over the built-in.
///
/// # Errors
/// When the user's keymap cannot be read.
pub fn run(markdown: bool) -> Result<(String, Mistakes), Stop> {
    let own = home::keymap().map_err(Stop::input)?;
    let (keymap, notices) = Keymap::load(own.as_ref().map(|source| SourceFile {
        name: &source.name,
        text: &source.text,
    }));
    let mut text = String::new();
    if markdown {
        text.push_str("| where | key | action | |\n|---|---|---|---|\n");
    }
    for context in Context::ALL {
        let rows = rows(&keymap, context);
        if rows.is_empty() {
            continue;
        }
        if !markdown {
            if !text.is_empty() {
                text.push('\n');
            }
            let _ = writeln!(text, "[{context}]");
        }
        for (keys, name, doc) in rows {
            let _ = match markdown {
                true => writeln!(text, "| {context} | `{keys}` | `{name}` | {doc} |"),
                false => writeln!(text, "{keys:<22} {name:<20} {doc}"),
            };
        }
    }
    let mistakes = match own {
        Some(source) => Mistakes::of(source, notices),
        None => Mistakes::default(),
    };
    Ok((text, mistakes))
}

/// The actions of a context in the order of the keymap: all their keys, the name, what it does.
fn rows(keymap: &Keymap, context: Context) -> Vec<(String, &'static str, String)> {
    let mut rows: Vec<(String, &'static str, String)> = Vec::new();
    for (keys, action) in keymap.table(context) {
        let info = action.info();
        match rows.iter_mut().find(|(_, name, _)| *name == info.name) {
            Some((all, ..)) => {
                let _ = write!(all, ", {keys}");
            }
            None => {
                let asks = match info.confirm {
                    Confirm::Read | Confirm::AtOnce => "",
                    Confirm::Ask => " Asks first.",
                    Confirm::TypeName => " The name has to be typed.",
                    Confirm::SecondPerson => " Needs a second person.",
                };
                rows.push((keys.to_string(), info.name, format!("{}{asks}", info.doc)));
            }
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bound_action_is_listed_once_in_its_context() {
        let keymap = Keymap::built_in();
        for context in Context::ALL {
            let rows = rows(&keymap, context);
            for (keys, action) in keymap.table(context) {
                let row = rows.iter().find(|(_, name, _)| *name == action.info().name);
                let all = &row.unwrap().0;
                assert!(all.split(", ").any(|k| k == keys.to_string()), "{keys}");
            }
        }
    }
}
