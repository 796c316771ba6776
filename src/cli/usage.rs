//! What clap has to say of a command line, in the words and with the codes of the contract.

use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::exit::Exit;
use super::view::{ErrorView, line};
use crate::domain::Notice;
use crate::domain::text::printable;

/// Help that was asked for, or what is wrong with a command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage {
    /// [`Exit::Done`] belongs to stdout, everything else to stderr.
    pub exit: Exit,
    /// The text, line end included.
    pub text: String,
}

/// The words for an error of clap, which help and version are as well.
pub fn of(error: &clap::Error, json: bool, colour: bool) -> Usage {
    let rendered = error.render();
    let exit = match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Exit::Done,
        _ => Exit::BadInput,
    };
    let text = match exit {
        Exit::Done if colour => rendered.ansi().to_string(),
        // an error repeats what was typed, which may hold what moves a cursor
        _ => rendered
            .to_string()
            .replace(|c: char| c.is_control() && c != '\n', "\u{fffd}"),
    };
    match json && exit != Exit::Done {
        true => Usage {
            exit,
            text: line(&ErrorView::from(&notice(error))),
        },
        false => Usage { exit, text },
    }
}

fn notice(error: &clap::Error) -> Notice {
    let plain = error.render().to_string();
    let first = plain.lines().find(|line| !line.trim().is_empty());
    let headline = first.unwrap_or_default().trim_start_matches("error: ");
    let suggested = [
        ContextKind::SuggestedSubcommand,
        ContextKind::SuggestedValue,
        ContextKind::SuggestedArg,
    ];
    let near = suggested
        .into_iter()
        .find_map(|kind| match error.get(kind)? {
            ContextValue::String(word) => Some(word.clone()),
            ContextValue::Strings(words) => words.first().cloned(),
            _ => None,
        });
    let next = match near {
        Some(word) => format!("did you mean `{}`?", printable(&word, 60)),
        None => "`holdpoint --help` shows what there is".to_owned(),
    };
    Notice::error("usage", printable(headline, 300)).next(next)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::args::Cli;

    #[test]
    fn what_was_typed_never_reaches_the_terminal_raw() {
        let words = ["holdpoint", "vote", "R-1", "\u{1b}[2J\u{9b}2J\u{7}"];
        let error = Cli::try_parse_from(words).unwrap_err();
        for (json, colour) in [(false, false), (false, true), (true, false)] {
            let usage = of(&error, json, colour);
            assert_eq!(usage.exit, Exit::BadInput);
            let raw = |c: char| c.is_control() && c != '\n';
            assert!(!usage.text.contains(raw), "{:?}", usage.text);
        }
    }
}
