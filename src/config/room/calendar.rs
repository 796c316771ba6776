//! `calendar.toml`: windows, freezes, exclusive groups, calendars of others.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;

use super::Checker;
use crate::config::ics;
use crate::domain::calendar::{
    Calendar, Except, Exclusive, Freeze, Repeat, Running, Scope, Series, Window, lints,
};
use crate::domain::charter::{Charter, Environment};
use crate::domain::plan::{Kind, LocalTime};
use crate::domain::text::printable;
use crate::domain::words::nearest;
use crate::domain::{EnvName, ServiceName, Span, Timestamp};

/// The largest calendar of others that is read, in bytes.
const LARGEST: u64 = 1024 * 1024;

/// The file as written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CalendarFile {
    window: Vec<WindowEntry>,
    freeze: Vec<FreezeEntry>,
    exclusive: Vec<ExclusiveEntry>,
    import: Vec<ImportEntry>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WindowEntry {
    name: String,
    owner: String,
    #[serde(default)]
    production: bool,
    #[serde(default)]
    environments: Vec<EnvName>,
    #[serde(default)]
    services: Vec<ServiceName>,
    #[serde(default)]
    teams: Vec<String>,
    #[serde(default)]
    kinds: Vec<Kind>,
    zone: Option<String>,
    starts: LocalTime,
    lasts: Option<Span>,
    ends: Option<LocalTime>,
    repeats: Option<Repeat>,
    #[serde(default)]
    except: Vec<Except>,
    #[serde(default)]
    also: Vec<LocalTime>,
    capacity: Option<u32>,
    #[serde(default)]
    running: Running,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FreezeEntry {
    name: String,
    owner: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    production: bool,
    #[serde(default)]
    environments: Vec<EnvName>,
    #[serde(default)]
    services: Vec<ServiceName>,
    #[serde(default)]
    teams: Vec<String>,
    #[serde(default)]
    kinds: Vec<Kind>,
    zone: Option<String>,
    starts: LocalTime,
    lasts: Option<Span>,
    ends: Option<LocalTime>,
    repeats: Option<Repeat>,
    #[serde(default)]
    except: Vec<Except>,
    #[serde(default)]
    also: Vec<LocalTime>,
    #[serde(default)]
    running: Running,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExclusiveEntry {
    name: String,
    #[serde(default)]
    production: bool,
    #[serde(default)]
    environments: Vec<EnvName>,
    #[serde(default)]
    services: Vec<ServiceName>,
    #[serde(default)]
    teams: Vec<String>,
}

/// A calendar of somebody else, in a file beside this one.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ImportEntry {
    file: String,
    #[serde(rename = "as")]
    kind: ImportAs,
    owner: String,
    #[serde(default)]
    production: bool,
    #[serde(default)]
    environments: Vec<EnvName>,
    #[serde(default)]
    services: Vec<ServiceName>,
    #[serde(default)]
    teams: Vec<String>,
    #[serde(default)]
    kinds: Vec<Kind>,
    zone: Option<String>,
    #[serde(default)]
    running: Running,
}

/// What the events of a calendar of others become.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum ImportAs {
    Freeze,
    Window,
}

/// What the scope of an entry says.
struct Scoped<'e> {
    production: bool,
    environments: &'e [EnvName],
    services: &'e [ServiceName],
    teams: &'e [String],
}

/// When an entry says it is.
struct Timed<'e> {
    zone: Option<&'e str>,
    starts: LocalTime,
    lasts: Option<Span>,
    ends: Option<LocalTime>,
    repeats: Option<&'e Repeat>,
    except: &'e [Except],
    also: &'e [LocalTime],
}

macro_rules! scoped {
    ($entry:expr) => {
        Scoped {
            production: $entry.production,
            environments: &$entry.environments,
            services: &$entry.services,
            teams: &$entry.teams,
        }
    };
}

macro_rules! timed {
    ($entry:expr) => {
        Timed {
            zone: $entry.zone.as_deref(),
            starts: $entry.starts,
            lasts: $entry.lasts,
            ends: $entry.ends,
            repeats: $entry.repeats.as_ref(),
            except: &$entry.except,
            also: &$entry.also,
        }
    };
}

impl CalendarFile {
    /// The calendar, checked against everything else that the room knows. The files of others are
    /// read from the room's directory; their paths are added to `files`.
    pub fn calendar(
        &self,
        check: &mut Checker<'_>,
        charter: &Charter,
        dir: &Path,
        files: &mut Vec<std::path::PathBuf>,
    ) -> Calendar {
        let mut reader = Reader {
            check,
            charter,
            names: BTreeSet::new(),
        };
        let mut calendar = Calendar::default();
        for (n, entry) in self.window.iter().enumerate() {
            let at = format!("window[{n}]");
            reader.name(&at, &entry.name);
            let owner = reader.owner(&at, &entry.owner);
            let scope = reader.scope(&at, &scoped!(entry));
            if entry.capacity == Some(0) {
                let next = "leave `capacity` out, or take at least 1";
                let words = "a window for 0 releases is a freeze";
                reader
                    .check
                    .add(&format!("{at}.capacity"), "no-capacity", words, next);
            }
            calendar.windows.push(Window {
                name: entry.name.as_str().into(),
                owner,
                kinds: entry.kinds.iter().copied().collect(),
                when: reader.series(&at, &timed!(entry), &scope),
                scope,
                capacity: entry.capacity,
                running: entry.running,
            });
        }
        for (n, entry) in self.freeze.iter().enumerate() {
            let at = format!("freeze[{n}]");
            reader.name(&at, &entry.name);
            let owner = reader.owner(&at, &entry.owner);
            let scope = reader.scope(&at, &scoped!(entry));
            calendar.freezes.push(Freeze {
                name: entry.name.as_str().into(),
                owner,
                reason: printable(&entry.reason, 200).into(),
                kinds: entry.kinds.iter().copied().collect(),
                when: reader.series(&at, &timed!(entry), &scope),
                scope,
                running: entry.running,
            });
        }
        for (n, entry) in self.exclusive.iter().enumerate() {
            let at = format!("exclusive[{n}]");
            reader.name(&at, &entry.name);
            calendar.exclusive.push(Exclusive {
                name: entry.name.as_str().into(),
                scope: reader.scope(&at, &scoped!(entry)),
            });
        }
        for (n, entry) in self.import.iter().enumerate() {
            reader.import(&format!("import[{n}]"), entry, dir, files, &mut calendar);
        }
        calendar
    }
}

struct Reader<'c, 'd> {
    check: &'c mut Checker<'d>,
    charter: &'c Charter,
    names: BTreeSet<String>,
}

impl Reader<'_, '_> {
    fn name(&mut self, at: &str, name: &str) {
        let path = format!("{at}.name");
        self.check.plain_name(&path, "rule of the calendar", name);
        if !self.names.insert(name.to_owned()) {
            self.check.twice(&path, "rule", name);
        }
    }

    fn owner(&mut self, at: &str, owner: &str) -> Arc<str> {
        let groups = self.charter.groups.keys().map(|g| g.as_str());
        let people = self.charter.people.keys().map(|p| p.as_str());
        let known = groups.chain(people);
        if !known.clone().any(|name| name == owner) {
            let path = format!("{at}.owner");
            let otherwise = "name a group or a person of people.toml";
            self.check
                .unknown(&path, "group or person", owner, known, otherwise);
        }
        printable(owner, 64).into()
    }

    fn scope(&mut self, at: &str, written: &Scoped<'_>) -> Scope {
        let charter = self.charter;
        let mut scope = Scope::default();
        let known = charter.environments.keys().map(EnvName::as_str);
        for (n, name) in written.environments.iter().enumerate() {
            if !charter.environments.contains_key(name) {
                let path = format!("{at}.environments[{n}]");
                let otherwise = "add it to catalog.toml, or write another";
                let word = name.as_str();
                self.check
                    .unknown(&path, "environment", word, known.clone(), otherwise);
            }
            scope.environments.insert(name.clone());
        }
        if written.production {
            let production: Vec<&EnvName> = production(&charter.environments).collect();
            if production.is_empty() {
                self.check.add(
                    &format!("{at}.production"),
                    "no-production",
                    "no environment of this room is production",
                    "mark one with `production = true` in catalog.toml",
                );
            }
            scope.environments.extend(production.into_iter().cloned());
        }
        let known = charter.services.keys().map(ServiceName::as_str);
        for (n, name) in written.services.iter().enumerate() {
            if !charter.services.contains_key(name) {
                let path = format!("{at}.services[{n}]");
                let otherwise = "add it to catalog.toml, or write another";
                self.check
                    .unknown(&path, "service", name.as_str(), known.clone(), otherwise);
            }
            scope.services.insert(name.clone());
        }
        let owners: BTreeSet<&str> = charter.services.values().map(|s| &*s.owner).collect();
        for (n, name) in written.teams.iter().enumerate() {
            if !owners.contains(name.as_str()) {
                let path = format!("{at}.teams[{n}]");
                let otherwise = "a team is the `owner` of a service in catalog.toml";
                let known = owners.iter().copied();
                self.check.unknown(&path, "team", name, known, otherwise);
            }
            scope.teams.insert(name.as_str().into());
        }
        scope
    }

    fn zone(&mut self, at: &str, zone: Option<&str>, scope: &Scope) -> Arc<str> {
        if let Some(zone) = zone {
            if zone.parse::<chrono_tz::Tz>().is_err() {
                let known = chrono_tz::TZ_VARIANTS.iter().map(|z| z.name());
                let next = match nearest(zone, known) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "use an IANA name such as Europe/Berlin".to_owned(),
                };
                let shown = printable(zone, 60);
                let words = format!("there is no time zone `{shown}`");
                self.check
                    .add(&format!("{at}.zone"), "unknown-zone", words, next);
            }
            return zone.into();
        }
        let zones: BTreeSet<&Arc<str>> = self
            .charter
            .environments
            .iter()
            .filter(|(name, _)| scope.environments.is_empty() || scope.environments.contains(*name))
            .map(|(_, environment)| &environment.zone)
            .collect();
        match zones.iter().collect::<Vec<_>>().as_slice() {
            [one] => (**one).clone(),
            _ => {
                self.check.add(
                    at,
                    "no-zone",
                    "it covers environments in several zones, so its times need one",
                    "add `zone = \"Europe/Berlin\"`, or split it by environment",
                );
                "UTC".into()
            }
        }
    }

    fn series(&mut self, at: &str, when: &Timed<'_>, scope: &Scope) -> Series {
        let lasts = match (when.lasts, when.ends) {
            (Some(lasts), None) => lasts,
            (None, Some(ends)) => {
                let length = ends.0 - when.starts.0;
                Span(u64::try_from(length.num_milliseconds()).unwrap_or(0))
            }
            _ => {
                self.check.add(
                    at,
                    "one-end",
                    "it has to say either how long it lasts or when it ends",
                    "write `lasts = \"6h\"` or `ends = \"2027-01-04T06:00\"`",
                );
                Span::mins(1)
            }
        };
        if lasts == Span(0) {
            let key = if when.ends.is_some() { "ends" } else { "lasts" };
            self.check.add(
                &format!("{at}.{key}"),
                "no-length",
                "it is over before it begins",
                "let it last a while",
            );
        }
        let series = Series {
            zone: self.zone(at, when.zone, scope),
            starts: when.starts,
            lasts,
            repeats: when.repeats.cloned(),
            except: when.except.to_vec(),
            also: when.also.to_vec(),
        };
        if let Err(why) = series.check() {
            self.check.add(
                &format!("{at}.repeats"),
                "bad-rule",
                why,
                "write a rule as in RFC 5545, such as FREQ=WEEKLY;BYDAY=SA",
            );
        }
        series
    }

    fn import(
        &mut self,
        at: &str,
        entry: &ImportEntry,
        dir: &Path,
        files: &mut Vec<std::path::PathBuf>,
        calendar: &mut Calendar,
    ) {
        let path = dir.join(&entry.file);
        let owner = self.owner(at, &entry.owner);
        let scope = self.scope(at, &scoped!(entry));
        let zone = self.zone(at, entry.zone.as_deref(), &scope);
        files.push(path.clone());
        let key = format!("{at}.file");
        let text = match std::fs::metadata(&path) {
            Ok(meta) if meta.len() > LARGEST => Err("it is larger than 1 MiB".to_owned()),
            _ => std::fs::read_to_string(&path).map_err(|e| format!("it cannot be read: {e}")),
        };
        let events = text.and_then(|text| ics::read(&text, &zone).map_err(|e| e.join("; ")));
        let events = match events {
            Ok(events) => events,
            Err(why) => {
                let next = "name an iCalendar file beside calendar.toml";
                return self.check.add(&key, "bad-calendar", why, next);
            }
        };
        for event in events {
            let mut name = event.name.clone();
            let mut twin = 1;
            while !self.names.insert(name.clone()) {
                twin += 1;
                name = format!("{}-{twin}", event.name);
            }
            let kinds = entry.kinds.iter().copied().collect();
            let (scope, owner) = (scope.clone(), owner.clone());
            match entry.kind {
                ImportAs::Freeze => calendar.freezes.push(Freeze {
                    name: name.into(),
                    owner,
                    reason: event.summary.into(),
                    scope,
                    kinds,
                    when: event.when,
                    running: entry.running,
                }),
                ImportAs::Window => calendar.windows.push(Window {
                    name: name.into(),
                    owner,
                    scope,
                    kinds,
                    when: event.when,
                    capacity: None,
                    running: entry.running,
                }),
            }
        }
    }
}

fn production(environments: &BTreeMap<EnvName, Environment>) -> impl Iterator<Item = &EnvName> {
    environments
        .iter()
        .filter(|(_, environment)| environment.production)
        .map(|(name, _)| name)
}

/// What is no mistake and yet worth a look.
pub fn doubts(check: &mut Checker<'_>, file: &CalendarFile, charter: &Charter, now: Timestamp) {
    for lint in lints(charter, now) {
        let written = match lint.list {
            "window" => file.window.len(),
            _ => file.freeze.len(),
        };
        // what came out of a file of others has no line here
        let path = match lint.place < written {
            true => format!("{}[{}].name", lint.list, lint.place),
            false => String::new(),
        };
        check.warn(&path, lint.code, lint.words, lint.next);
    }
}
