//! A room's files: `room.toml`, `people.toml`, `catalog.toml`, `policy.toml`, `calendar.toml`.
//!
//! All mistakes of all files are found in one go, each with its place and the nearest valid word.

mod amount;
mod calendar;
mod catalog;
mod gates;
mod holds;
mod kube;
mod people;
mod policy;
mod risk;
mod sources;
mod targets;

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::de::DeserializeOwned;

pub use policy::policy_over;
pub use targets::{Operate, Settings, TargetConfig};

use self::calendar::CalendarFile;
use self::catalog::CatalogFile;
use self::people::PeopleFile;
use self::policy::PolicyFile;
use self::targets::RoomFile;
use super::located::{Doc, Format, segment};
use super::mistakes::{Mistakes, Source, short};
use super::tokens::Identities;
use crate::domain::charter::Charter;
use crate::domain::text::printable;
use crate::domain::words::nearest;
use crate::domain::{Notice, SourceName, TargetName, Timestamp};
use crate::platform::prometheus::client::Config;

/// A room as its files describe it.
#[derive(Clone, Debug)]
pub struct RoomFiles {
    /// The rules, as they enter the ledger.
    pub charter: Charter,
    /// How each target is operated.
    pub targets: BTreeMap<TargetName, TargetConfig>,
    /// The stores that metrics can be read from.
    pub sources: BTreeMap<SourceName, Arc<Config>>,
    /// Who is who at the doors.
    pub identities: Identities,
    /// What the room is set to.
    pub settings: Settings,
    /// What is no mistake and yet worth a look.
    pub doubts: Mistakes,
    /// The files that were read.
    pub files: Vec<PathBuf>,
}

/// The names of a room's files, and whether it can do without.
const FILES: [(&str, bool); 5] = [
    ("room.toml", true),
    ("people.toml", true),
    ("catalog.toml", true),
    ("policy.toml", false),
    ("calendar.toml", false),
];

/// The names of a room's files.
pub fn names() -> impl Iterator<Item = &'static str> {
    FILES.iter().map(|(name, _)| *name)
}

/// Whether a name can stand in ids, in file names and on command lines as it is.
pub fn is_plain(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    (1..=64).contains(&name.len()) && name.bytes().all(plain) && !name.starts_with(['.', '-'])
}

impl RoomFiles {
    /// Reads a room.
    ///
    /// # Errors
    /// Everything that is wrong with its files.
    pub fn load(dir: &Path) -> Result<RoomFiles, Mistakes> {
        let mut mistakes = Mistakes::default();
        if !dir.join("room.toml").is_file() {
            mistakes.notices.push(no_room(dir));
            return Err(mistakes);
        }
        // commands and paths of the files are meant from here, wherever the engine stands
        let dir = &std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
        let mut files = Vec::new();
        let sources = FILES.map(|(name, needed)| {
            let path = dir.join(name);
            let source = read(&path, needed, &mut mistakes);
            if source.is_some() {
                files.push(path);
            }
            source.unwrap_or_else(|| Source::new(name, ""))
        });
        let docs = sources
            .each_ref()
            .map(|source| parse(source, &mut mistakes));
        let [room, people, catalog, policy, calendar] = &docs;
        let room_file = of::<RoomFile>(room, &mut mistakes);
        let people_file = of::<PeopleFile>(people, &mut mistakes);
        let catalog_file = of::<CatalogFile>(catalog, &mut mistakes);
        let policy_file = of::<PolicyFile>(policy, &mut mistakes);
        let calendar_file = of::<CalendarFile>(calendar, &mut mistakes);
        let built = match (
            (room, room_file),
            (people, people_file),
            (catalog, catalog_file),
            (policy, policy_file),
            (calendar, calendar_file),
        ) {
            (
                (Some(room), Some(room_file)),
                (Some(people), Some(people_file)),
                (Some(catalog), Some(catalog_file)),
                (Some(policy), Some(policy_file)),
                (Some(calendar), Some(calendar_file)),
            ) => Some(build(
                dir,
                (room, &room_file),
                (people, &people_file),
                (catalog, &catalog_file),
                (policy, &policy_file),
                (calendar, &calendar_file),
                &mut mistakes,
            )),
            _ => None,
        };
        mistakes.sources = sources.into();
        let Some(mut built) = built else {
            return Err(mistakes);
        };
        let (doubts, errors) = mistakes.in_order().split();
        if !errors.notices.is_empty() {
            return Err(errors);
        }
        built.doubts = doubts;
        files.append(&mut built.files);
        built.files = files;
        Ok(built)
    }
}

fn build(
    dir: &Path,
    (room, room_file): (&Doc, &RoomFile),
    (people, people_file): (&Doc, &PeopleFile),
    (catalog, catalog_file): (&Doc, &CatalogFile),
    (policy, policy_file): (&Doc, &PolicyFile),
    (calendar, calendar_file): (&Doc, &CalendarFile),
    mistakes: &mut Mistakes,
) -> RoomFiles {
    let mut check = Checker::new(catalog);
    let services = catalog_file.services(&mut check, &room_file.source_names());
    let environments = catalog_file.environments(&mut check);
    mistakes.notices.append(&mut check.notices);

    let mut check = Checker::new(people);
    let groups = people_file.groups(&mut check, environments.keys());
    let (people, identities) = people_file.people(&mut check);
    mistakes.notices.append(&mut check.notices);

    let mut check = Checker::new(policy);
    let approvals = policy_file.rules(&mut check, &environments, groups.keys());
    let risk = policy_file.risk(&mut check);
    let judging = policy_file.judging(&mut check);
    let known = holds::Known {
        dir,
        environments: &environments,
        services: &services,
        groups: &groups,
    };
    let readiness = holds::readiness(&mut check, &policy_file.readiness, known);
    let limits = holds::limits(&mut check, &policy_file.limits, known);
    let promotions = holds::promotions(&mut check, &policy_file.promotion, known);
    let policy_notices = check.notices;

    let mut check = Checker::new(room);
    let name = room_file.name(&mut check);
    let settings = room_file.settings(&mut check, dir);
    let (targets, configs) = room_file.targets(&mut check, dir, &services, &environments);
    let sources = room_file.sources(&mut check, dir);
    room_file.doubts(&mut check, &services, &sources);
    mistakes.notices.append(&mut check.notices);

    let mut charter = Charter {
        room: name,
        people,
        groups,
        services,
        environments,
        targets,
        approvals,
        risk,
        calendar: Default::default(),
        readiness,
        limits,
        promotions,
        judging,
    };
    let mut files = Vec::new();
    let mut check = Checker::new(calendar);
    charter.calendar = calendar_file.calendar(&mut check, &charter, dir, &mut files);
    if check.notices.is_empty() {
        let now = Timestamp(chrono::Utc::now().timestamp_millis());
        calendar::doubts(&mut check, calendar_file, &charter, now);
    }
    mistakes.notices.append(&mut check.notices);
    let mut check = Checker::new(policy);
    check.notices = policy_notices;
    policy::doubts(&mut check, &charter);
    mistakes.notices.append(&mut check.notices);
    RoomFiles {
        charter,
        targets: configs,
        sources,
        identities,
        settings,
        doubts: Mistakes::default(),
        files,
    }
}

fn no_room(dir: &Path) -> Notice {
    let shown = dir.display();
    Notice::error("no-room", format!("there is no room in {shown}"))
        .detail("a room is a directory with a room.toml")
        .next(format!(
            "`holdpoint init {shown}` writes one; --room or HOLDPOINT_ROOM names another"
        ))
}

/// The most that a file may hold, in bytes.
const LARGEST: u64 = 1024 * 1024;

fn read(path: &Path, needed: bool, mistakes: &mut Mistakes) -> Option<Source> {
    let shown = path.display().to_string();
    let failed = |why: String| Notice::error("cannot-read", why).at(shown.clone());
    let meta = match std::fs::metadata(path) {
        Ok(meta) => meta,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            if needed {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                mistakes.notices.push(
                    Notice::error("missing-file", format!("this room has no {name}"))
                        .next("`holdpoint init` writes one with comments into an empty directory")
                        .at(shown),
                );
            }
            return None;
        }
        Err(error) => {
            mistakes
                .notices
                .push(failed(format!("it cannot be read: {error}")));
            return None;
        }
    };
    if meta.len() > LARGEST {
        mistakes
            .notices
            .push(failed("it is larger than 1 MiB".to_owned()));
        return None;
    }
    if meta.permissions().mode() & 0o002 != 0 {
        mistakes.notices.push(
            Notice::error(
                "anybody-can-write",
                "everybody on this host can change this file",
            )
            .detail("whoever can write it decides who may release what")
            .next(format!("chmod o-w {shown}"))
            .at(shown.clone()),
        );
    }
    match std::fs::read_to_string(path) {
        Ok(text) => Some(Source::new(shown, text)),
        Err(error) => {
            mistakes
                .notices
                .push(failed(format!("it cannot be read: {error}")));
            None
        }
    }
}

fn parse(source: &Source, mistakes: &mut Mistakes) -> Option<Doc> {
    match Doc::parse(&source.name, &source.text, Format::Toml) {
        Ok(doc) => Some(doc),
        Err(notices) => {
            mistakes.notices.extend(notices);
            None
        }
    }
}

fn of<T: DeserializeOwned>(doc: &Option<Doc>, mistakes: &mut Mistakes) -> Option<T> {
    match doc.as_ref()?.read::<T>() {
        Ok(value) => Some(value),
        Err(notices) => {
            mistakes.notices.extend(notices);
            None
        }
    }
}

/// Collects what is wrong with one file.
#[derive(Debug)]
pub struct Checker<'a> {
    doc: &'a Doc,
    notices: Vec<Notice>,
}

impl<'a> Checker<'a> {
    const fn new(doc: &'a Doc) -> Checker<'a> {
        Checker {
            doc,
            notices: Vec::new(),
        }
    }

    fn add(
        &mut self,
        path: &str,
        code: &str,
        headline: impl Into<String>,
        next: impl Into<String>,
    ) {
        let mut notice = short(self.doc.notice(path, code, &headline.into())).next(next);
        if path.is_empty() {
            // about the whole file: no line says more than another
            notice.detail.clear();
            notice.place = Some(self.doc.name().to_owned());
        }
        self.notices.push(notice);
    }

    fn warn(
        &mut self,
        path: &str,
        code: &str,
        headline: impl Into<String>,
        next: impl Into<String>,
    ) {
        self.add(path, code, headline, next);
        if let Some(notice) = self.notices.last_mut() {
            notice.level = crate::domain::Level::Warning;
        }
    }

    fn unknown<'w>(
        &mut self,
        path: &str,
        what: &str,
        word: &str,
        known: impl Iterator<Item = &'w str> + Clone,
        otherwise: &str,
    ) {
        let next = match nearest(word, known.clone()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => {
                let known: Vec<&str> = known.collect();
                match known.is_empty() {
                    true => otherwise.to_owned(),
                    false => format!("{otherwise}: {}", known.join(", ")),
                }
            }
        };
        let word = printable(word, 60);
        self.add(
            path,
            "unknown-name",
            format!("there is no {what} `{word}` in this room"),
            next,
        );
    }

    fn twice(&mut self, path: &str, what: &str, word: &str) {
        let word = printable(word, 60);
        self.add(
            path,
            "duplicate-name",
            format!("the {what} `{word}` stands here a second time"),
            "keep one of the two",
        );
    }

    fn plain_name(&mut self, path: &str, what: &str, name: &str) {
        if !is_plain(name) {
            let shown = printable(name, 60);
            self.add(
                path,
                "bad-name",
                format!("`{shown}` cannot be the name of a {what}"),
                "use letters, digits, `.`, `-` and `_`, at most 64",
            );
        }
    }

    fn argv(&mut self, path: &str, argv: &[String]) {
        if argv.first().is_none_or(String::is_empty) {
            self.add(
                path,
                "empty-command",
                "the command is empty",
                "write [\"program\", \"argument\"]",
            );
        }
    }

    /// A series name with matchers.
    fn selector(&mut self, path: &str, text: &str) {
        let name = text.split('{').next().unwrap_or_default().trim();
        let letter = |c: char| c.is_ascii_alphabetic() || c == '_' || c == ':';
        let good = name.starts_with(letter)
            && name.chars().all(|c| letter(c) || c.is_ascii_digit())
            && (!text.contains('{') || text.trim_end().ends_with('}'));
        if !good {
            let shown = printable(text, 60);
            self.add(
                path,
                "bad-series",
                format!("`{shown}` names no series"),
                "write a name with matchers, such as http_requests_total{code=~\"5..\"}",
            );
        }
    }
}
