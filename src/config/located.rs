//! One way to read every file: TOML or YAML into the types of Rust, with mistakes that name their
//! line, what was read, and the nearest word that would have been right.
//!
//! ```
//! use holdpoint::config::located::Doc;
//!
//! #[derive(serde::Deserialize)]
//! struct Batch {
//!     exposure: String,
//! }
//!
//! let doc = Doc::named("plan.yaml", "expsure: 10%")?;
//! let mistakes = doc.read::<Batch>().err().unwrap_or_default();
//! assert_eq!(mistakes[0].headline, "unknown key `expsure`");
//! assert_eq!(mistakes[0].next_step, "did you mean `exposure`? known keys: `exposure`");
//! assert_eq!(mistakes[0].place.as_deref(), Some("plan.yaml:1:1"));
//! # Ok::<(), Vec<holdpoint::domain::Notice>>(())
//! ```

use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde::de::DeserializeOwned;

use super::tree::fault::{self, Spot};
use super::tree::lines::Lines;
use super::tree::{Flaw, Kind, MOST_MISTAKES, NodeId, Tree, Value, passes, path, toml, yaml};
use crate::domain::notice::Notice;
use crate::domain::text::printable;

pub use super::tree::lines::Place;
pub use super::tree::path::segment;

/// The largest file that is read, in bytes.
pub const LARGEST: usize = 1 << 20;

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// TOML 1.1.
    Toml,
    /// YAML 1.2, core schema: `yes` is text, `true` is not.
    Yaml,
}

impl Format {
    /// The format that the name of a file stands for.
    ///
    /// # Errors
    /// Which names there are.
    pub fn of(file_name: &str) -> Result<Format, Vec<Notice>> {
        let extension = Path::new(file_name).extension().and_then(|e| e.to_str());
        match extension.map(str::to_ascii_lowercase).as_deref() {
            Some("toml") => Ok(Format::Toml),
            Some("yaml" | "yml") => Ok(Format::Yaml),
            _ => {
                let name = printable(file_name, 200);
                Err(vec![
                    Notice::error(
                        "unknown-format",
                        format!("the name `{name}` does not say how the file is written"),
                    )
                    .next("name it .yaml, .yml or .toml")
                    .at(name),
                ])
            }
        }
    }
}

/// A document in which every value knows its place.
#[derive(Debug)]
pub struct Doc {
    name: String,
    text: String,
    format: Format,
    lines: Lines,
    tree: Tree,
}

impl Doc {
    /// Reads a file from the disk; its name says how it is written.
    ///
    /// # Errors
    /// What is wrong with the file or its text.
    pub fn open(file: &Path) -> Result<Doc, Vec<Notice>> {
        let name = file.to_string_lossy();
        let format = Format::of(&name)?;
        let unreadable = |error: std::io::Error| {
            let shown = printable(&name, 200);
            vec![
                Notice::error("unreadable-file", format!("cannot read `{shown}`: {error}"))
                    .next("look at its name and at who may read it")
                    .at(shown),
            ]
        };
        let mut bytes = Vec::new();
        // one byte more than may be, so that a file that is too large shows itself
        let most = LARGEST as u64 + 1;
        let opened = regular(file).map_err(unreadable)?;
        opened
            .take(most)
            .read_to_end(&mut bytes)
            .map_err(unreadable)?;
        Doc::bytes(&name, &bytes, format)
    }

    /// Reads a text; the name says how it is written.
    ///
    /// # Errors
    /// What is wrong with the name or the text.
    pub fn named(file_name: &str, text: &str) -> Result<Doc, Vec<Notice>> {
        let format = Format::of(file_name)?;
        Doc::parse(file_name, text, format)
    }

    /// Reads bytes that should be a text.
    ///
    /// # Errors
    /// What is wrong with the bytes or the text.
    pub fn bytes(file_name: &str, bytes: &[u8], format: Format) -> Result<Doc, Vec<Notice>> {
        match std::str::from_utf8(bytes) {
            Ok(text) => Doc::parse(file_name, text, format),
            Err(_) if bytes.len() > LARGEST => Err(vec![too_large(file_name)]),
            Err(error) => {
                let good = bytes.get(..error.valid_up_to()).unwrap_or_default();
                let good = String::from_utf8_lossy(good);
                let byte = bytes.get(error.valid_up_to()).copied().unwrap_or_default();
                let flaw = Flaw::new(
                    "not-text",
                    good.chars().count(),
                    format!("the file is no UTF-8 text: the byte {byte:#04x} stands here"),
                )
                .next("save it as UTF-8");
                // the bad byte counts as a character, so that there is something to point at
                let lines = Lines::of(&format!("{good}?"));
                Err(vec![told(file_name, &lines, flaw)])
            }
        }
    }

    /// Reads a text.
    ///
    /// # Errors
    /// What is wrong with the text, each with its place.
    pub fn parse(file_name: &str, text: &str, format: Format) -> Result<Doc, Vec<Notice>> {
        if text.len() > LARGEST {
            return Err(vec![too_large(file_name)]);
        }
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let lines = Lines::of(text);
        let loaded = match format {
            Format::Toml => toml::load(text, &lines),
            Format::Yaml => yaml::load(text),
        };
        match loaded {
            Ok(tree) => Ok(Doc {
                name: printable(file_name, 200),
                text: text.to_owned(),
                format,
                lines,
                tree,
            }),
            Err(mut flaws) => {
                flaws.sort_by_key(|flaw| flaw.at);
                let flaws = flaws.into_iter();
                Err(flaws.map(|flaw| told(file_name, &lines, flaw)).collect())
            }
        }
    }

    /// Reads the document as a `T`.
    ///
    /// # Errors
    /// All mistakes that can be found, in the order of the file, at most about twenty.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Vec<Notice>> {
        passes::read(&self.tree).map_err(|(mistakes, more)| {
            let mut found: Vec<(usize, Notice)> = mistakes
                .iter()
                .map(|mistake| {
                    let at = fault::position(&self.tree, mistake.spot);
                    let notice = fault::tell(&self.tree, self.format, mistake.spot, &mistake.what);
                    (at, notice.at(self.at(self.lines.place(at))))
                })
                .collect();
            found.sort_by_key(|(at, _)| *at);
            let all = found.len();
            let mut notices: Vec<Notice> = found.into_iter().map(|(_, notice)| notice).collect();
            notices.truncate(MOST_MISTAKES);
            if (more || all > MOST_MISTAKES)
                && let Some(last) = notices.last_mut()
            {
                last.next_step = [
                    last.next_step.as_str(),
                    "there are more mistakes behind these",
                ]
                .into_iter()
                .filter(|words| !words.is_empty())
                .collect::<Vec<_>>()
                .join("; ");
            }
            notices
        })
    }

    /// The name of the file, printable.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The text, without a byte order mark.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// How the file is written.
    pub const fn format(&self) -> Format {
        self.format
    }

    #[cfg(test)]
    pub(crate) const fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Where the value at a path begins (`batches[2].exposure`, `services."a.b".version`): if there
    /// is none, where the innermost value that holds its place begins; `None` when not even the
    /// first step of the path exists.
    pub fn place(&self, path: &str) -> Option<Place> {
        let found = path::follow(&self.tree, path);
        if found.missing.is_some() && found.node == NodeId::ROOT {
            return None;
        }
        Some(self.lines.place(self.tree.node(found.node).at))
    }

    /// A mistake found later at a path, with the place and what was read there. A path that does
    /// not exist is placed at what does, in the end at the start of the file. Not for values that
    /// may be secrets: give those a [`Spelled`](crate::domain::spelled::Spelled) type that hides them.
    pub fn notice(&self, path: &str, code: &str, headline: &str) -> Notice {
        let found = path::follow(&self.tree, path);
        let detail = match found.missing {
            None => self.aloud(found.node),
            Some(step) => {
                let step = printable(step, 60);
                match path::of(&self.tree, found.node).as_str() {
                    "" => format!("`{step}` is not given"),
                    above => format!("`{above}` has no `{step}`"),
                }
            }
        };
        let at = fault::position(&self.tree, Spot::Value(found.node));
        Notice::error(code, printable(headline, 400))
            .detail(detail)
            .at(self.at(self.lines.place(at)))
    }

    /// What stands at a node; nothing where that says nothing new.
    fn aloud(&self, id: NodeId) -> String {
        match &self.tree.node(id).value {
            Value::Scalar(scalar) if scalar.kind == Kind::Nothing => "nothing is given".to_owned(),
            _ => format!("read {}", self.tree.aloud(id)),
        }
    }

    fn at(&self, place: Place) -> String {
        format!("{}:{place}", self.name)
    }
}

/// Opens a file that is one: a pipe or a device could keep its reader waiting for ever.
fn regular(file: &Path) -> std::io::Result<File> {
    if std::fs::metadata(file)?.is_file() {
        File::open(file)
    } else {
        Err(std::io::Error::other("it is no regular file"))
    }
}

fn too_large(file_name: &str) -> Notice {
    Notice::error(
        "too-large",
        format!("the file is larger than {} KiB", LARGEST / 1024),
    )
    .next("no file of holdpoint needs a tenth of that: look whether it is the right one")
    .at(format!("{}:1:1", printable(file_name, 200)))
}

/// A flaw of a text as people read it.
fn told(file_name: &str, lines: &Lines, flaw: Flaw) -> Notice {
    let name = printable(file_name, 200);
    let other = flaw.other.map(|(at, words)| {
        let place = lines.place(at);
        format!("{words} {name}:{place}")
    });
    Notice::error(flaw.code, printable(&flaw.headline, 400))
        .detail(other.unwrap_or_default())
        .next(printable(&flaw.next_step, 400))
        .at(format!("{name}:{}", lines.place(flaw.at)))
}
