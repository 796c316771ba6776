//! The one shape in which bad news reaches a person.

use serde::{Deserialize, Serialize};

/// Bad news, or news worth a line: what happened, what it means, what to do next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Notice {
    /// How much it matters.
    pub level: Level,
    /// Stable, kebab-case; scripts may compare it.
    pub code: String,
    /// One sentence: what happened.
    pub headline: String,
    /// What it means here; may be empty.
    pub detail: String,
    /// What the reader can do about it; may be empty.
    pub next_step: String,
    /// The place (`plan.yaml:7:3`), where there is one.
    #[serde(rename = "where")]
    pub place: Option<String>,
}

/// How much a notice matters.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Good to know.
    Info,
    /// Something will need somebody soon.
    Warning,
    /// Something was refused or failed.
    Error,
}

impl Notice {
    /// An error with its code and headline.
    pub fn error(code: impl Into<String>, headline: impl Into<String>) -> Notice {
        Notice::new(Level::Error, code, headline)
    }

    /// A warning with its code and headline.
    pub fn warning(code: impl Into<String>, headline: impl Into<String>) -> Notice {
        Notice::new(Level::Warning, code, headline)
    }

    /// Information with its code and headline.
    pub fn info(code: impl Into<String>, headline: impl Into<String>) -> Notice {
        Notice::new(Level::Info, code, headline)
    }

    fn new(level: Level, code: impl Into<String>, headline: impl Into<String>) -> Notice {
        Notice {
            level,
            code: code.into(),
            headline: headline.into(),
            detail: String::new(),
            next_step: String::new(),
            place: None,
        }
    }

    /// The same notice with what it means here.
    #[must_use]
    pub fn detail(mut self, text: impl Into<String>) -> Notice {
        self.detail = text.into();
        self
    }

    /// The same notice with what to do next.
    #[must_use]
    pub fn next(mut self, text: impl Into<String>) -> Notice {
        self.next_step = text.into();
        self
    }

    /// The same notice with its place.
    #[must_use]
    pub fn at(mut self, place: impl Into<String>) -> Notice {
        self.place = Some(place.into());
        self
    }
}

/// The words as a person reads them on a terminal or in a log, several lines.
impl std::fmt::Display for Notice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        write!(f, "{}", self.headline)?;
        if !self.detail.is_empty() {
            write!(f, "\n  {}", self.detail)?;
        }
        if !self.next_step.is_empty() {
            write!(f, "\n  next: {}", self.next_step)?;
        }
        Ok(())
    }
}
