//! What is wrong with files, together with their text, so that the lines can be shown.

use super::render::render_among;
use crate::domain::{Level, Notice};

/// A file that was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// Its name as notices say it.
    pub name: String,
    /// What it holds.
    pub text: String,
}

/// A notice about what stands at a place, without repeating what its headline says already.
pub(super) fn short(mut notice: Notice) -> Notice {
    let said = notice
        .detail
        .strip_prefix("read the text `")
        .and_then(|rest| rest.strip_suffix('`'))
        .is_some_and(|text| {
            let begun = text.strip_suffix('…').unwrap_or(text);
            notice.headline.contains(&format!("`{begun}"))
        });
    let empty = [
        "read an empty list",
        "read an empty table",
        "read an empty text",
    ];
    if said || empty.contains(&notice.detail.as_str()) {
        notice.detail.clear();
    }
    notice
}

/// Notices about files, and the files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mistakes {
    /// The files that the notices speak of.
    pub sources: Vec<Source>,
    /// The notices.
    pub notices: Vec<Notice>,
}

impl Source {
    /// A file of this name.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Source {
        Source {
            name: name.into(),
            text: text.into(),
        }
    }
}

impl Mistakes {
    /// One notice that needs no file to be shown.
    pub fn one(notice: Notice) -> Mistakes {
        Mistakes {
            sources: Vec::new(),
            notices: vec![notice],
        }
    }

    /// All notices of one file.
    pub fn of(source: Source, notices: Vec<Notice>) -> Mistakes {
        Mistakes {
            sources: vec![source],
            notices,
        }
    }

    /// The same in the order of the files, and within a file in the order of its lines.
    #[must_use]
    pub fn in_order(mut self) -> Mistakes {
        let sources = &self.sources;
        self.notices.sort_by_key(|notice| {
            let found = sources.iter().enumerate().find_map(|(n, source)| {
                let rest = notice
                    .place
                    .as_deref()?
                    .strip_prefix(source.name.as_str())?;
                let mut numbers = rest.split(':').skip(1).map(|n| n.parse::<u32>().ok());
                Some((n, numbers.next().flatten(), numbers.next().flatten()))
            });
            found.unwrap_or((usize::MAX, None, None))
        });
        self
    }

    /// The warnings and the errors apart.
    pub fn split(self) -> (Mistakes, Mistakes) {
        let (errors, doubts) = self
            .notices
            .into_iter()
            .partition(|notice| notice.level == Level::Error);
        let with = |notices| Mistakes {
            sources: self.sources.clone(),
            notices,
        };
        (with(doubts), with(errors))
    }

    /// These, and the others behind them.
    #[must_use]
    pub fn with(mut self, others: Mistakes) -> Mistakes {
        self.add(others);
        self
    }

    /// Adds the others behind these.
    pub fn add(&mut self, others: Mistakes) {
        for source in others.sources {
            if !self.sources.contains(&source) {
                self.sources.push(source);
            }
        }
        self.notices.extend(others.notices);
    }

    /// A notice as a person reads it, with the line that it is about.
    pub fn show(&self, notice: &Notice, colour: bool, width: usize) -> String {
        let about = |source: &&Source| {
            notice
                .place
                .as_deref()
                .and_then(|place| place.strip_prefix(source.name.as_str()))
                .is_some_and(|rest| rest.starts_with(':'))
        };
        let text = self
            .sources
            .iter()
            .find(about)
            .map(|source| source.text.as_str());
        render_among(notice, &self.notices, text, colour, width)
    }
}
