//! `check`: what is wrong with a room, a plan, a keymap or a theme.

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use super::args::FileKind;
use super::exit::{Exit, Stop};
use super::out::{Look, all_shown};
use super::view::{CheckView, ErrorView, line};
use crate::config::home;
use crate::config::mistakes::{Mistakes, Source};
use crate::config::plan::PlanFile;
use crate::config::room::RoomFiles;
use crate::domain::{Level, Notice};
use crate::tui::{Keymap, SourceFile, Themes};

/// What was found in the files that were named.
#[derive(Debug, Default)]
struct Found {
    files: Vec<String>,
    mistakes: Mistakes,
}

/// What a good check has to say, for stdout and for stderr.
#[derive(Debug)]
pub struct Good {
    /// For stdout.
    pub out: String,
    /// For stderr: what is worth a look, though it is no mistake.
    pub err: String,
}

/// Checks what was named; without anything named, the room.
///
/// # Errors
/// Everything that is wrong.
pub fn run(
    paths: &[PathBuf],
    kind: Option<FileKind>,
    room: Option<&PathBuf>,
    look: Look,
) -> Result<Good, Stop> {
    let mut found = Found::default();
    if paths.is_empty() {
        found.room(&home::room(room).map_err(Stop::input)?);
    }
    for path in paths {
        if path.is_dir() {
            found.room(path);
        } else if kind.is_none() && is_of_room(path) {
            found.room(path.parent().unwrap_or(Path::new(".")));
        } else {
            found.file(path, kind, room);
        }
    }
    found.finish(look)
}

/// What the mistakes of a room mean to its engine, while one runs: it took in what it could read last.
fn old_rules(dir: &Path, mistakes: &Mistakes) -> Option<Notice> {
    UnixStream::connect(dir.join("sock")).ok()?;
    let first = mistakes.notices.iter().find(|n| n.level == Level::Error)?;
    let place = first.place.as_deref().unwrap_or("its files");
    let words = format!("its engine runs and goes by the rules of before, because of {place}");
    let notice = Notice::warning("old-rules", words);
    Some(notice.next("mend the files: it takes them in by itself"))
}

/// Whether a file is one of a room's, so that the room is what has to be checked.
fn is_of_room(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    let named = matches!(
        name,
        Some("room.toml" | "people.toml" | "catalog.toml" | "policy.toml" | "calendar.toml")
    );
    named && path.with_file_name("room.toml").is_file()
}

impl Found {
    fn room(&mut self, dir: &Path) {
        match RoomFiles::load(dir) {
            Ok(room) => {
                let names = room.files.iter().map(|file| file.display().to_string());
                self.files.extend(names);
                self.mistakes.add(room.doubts);
            }
            Err(mistakes) => {
                self.mistakes.add(mistakes);
                self.mistakes.notices.extend(old_rules(dir, &self.mistakes));
            }
        }
    }

    fn file(&mut self, path: &Path, kind: Option<FileKind>, room: Option<&PathBuf>) {
        let name = path.display().to_string();
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) => {
                let notice = Notice::error("cannot-read", format!("it cannot be read: {error}"));
                self.mistakes.notices.push(notice.at(name));
                return;
            }
        };
        let text = String::from_utf8_lossy(&bytes).into_owned();
        self.files.push(name.clone());
        match kind.unwrap_or_else(|| guess(path, &text)) {
            FileKind::Plan => self.plan(&name, &bytes, room),
            FileKind::Keymap => {
                let file = SourceFile {
                    name: &name,
                    text: &text,
                };
                let (_, notices) = Keymap::load(Some(file));
                let source = Source::new(&*name, &*text);
                self.mistakes.add(Mistakes::of(source, notices));
            }
            FileKind::Theme => {
                let file = SourceFile {
                    name: &name,
                    text: &text,
                };
                let (_, notices) = Themes::load(&[file]);
                let source = Source::new(&*name, &*text);
                self.mistakes.add(Mistakes::of(source, notices));
            }
        }
    }

    fn plan(&mut self, name: &str, bytes: &[u8], room: Option<&PathBuf>) {
        let file = match PlanFile::read(name, bytes) {
            Ok(file) => file,
            Err(mistakes) => return self.mistakes.add(mistakes),
        };
        match room_of(room) {
            Ok(room) => match file.check(&room.charter) {
                Ok(()) => {
                    let doubts = file.doubts(&room.charter, room.settings.look);
                    self.mistakes.add(doubts);
                }
                Err(mistakes) => self.mistakes.add(mistakes),
            },
            Err(notice) => self.mistakes.notices.push(notice.at(name)),
        }
    }

    fn finish(self, look: Look) -> Result<Good, Stop> {
        let errors = self.mistakes.notices.iter();
        if errors.clone().any(|notice| notice.level == Level::Error) {
            return Err(Stop::Failed(Exit::BadInput, self.mistakes));
        }
        if look.json {
            let out = line(&CheckView {
                schema: "holdpoint.check/1",
                files: self.files,
                warnings: errors.map(ErrorView::from).collect(),
            });
            return Ok(Good {
                out,
                err: String::new(),
            });
        }
        let err = all_shown(&self.mistakes, look);
        let files = match self.files.as_slice() {
            [one] => one.clone(),
            many => format!("{} files", many.len()),
        };
        let worth = match self.mistakes.notices.len() {
            0 => String::new(),
            1 => ", 1 thing is worth a look".to_owned(),
            n => format!(", {n} things are worth a look"),
        };
        Ok(Good {
            out: format!("{files}: no mistakes{worth}\n"),
            err,
        })
    }
}

/// The room, with people and catalog, that a plan is checked against; a warning where there are none.
fn room_of(room: Option<&PathBuf>) -> Result<RoomFiles, Notice> {
    let dir = home::room(room)?;
    let unknown = |why: String| {
        Notice::warning(
            "no-room",
            "its names were not checked: services, targets, groups, metrics",
        )
        .detail(why)
        .next("name a room with --room DIR")
    };
    if !dir.join("room.toml").is_file() {
        return Err(unknown(format!("there is no room in {}", dir.display())));
    }
    match RoomFiles::load(&dir) {
        Ok(files) => Ok(files),
        Err(mistakes) => Err(unknown(format!(
            "the room in {} has mistakes of its own: {}",
            dir.display(),
            mistakes.notices.len()
        ))),
    }
}

/// What a file is, by its folder, then by what it holds.
fn guess(path: &Path, text: &str) -> FileKind {
    let is_toml = path.extension().is_some_and(|ext| ext == "toml");
    let folder = path.parent().and_then(Path::file_name);
    let named = |word: &str| {
        folder.is_some_and(|name| *name == *format!("{word}s"))
            || path.file_stem().is_some_and(|stem| *stem == *word)
    };
    let Ok(table) = text.parse::<toml::Table>() else {
        return match (named("keymap"), named("theme")) {
            (true, _) => FileKind::Keymap,
            (_, true) => FileKind::Theme,
            _ => FileKind::Plan,
        };
    };
    let has = |key: &str| table.contains_key(key);
    if !is_toml || has("services") || has("batches") || has("title") {
        FileKind::Plan
    } else if named("theme") || has("roles") || has("palette") {
        FileKind::Theme
    } else {
        FileKind::Keymap
    }
}
