//! iCalendar out and in.

use std::fmt::Write as _;

use crate::cli::args::{ImportAs, ScopeArgs};
use crate::cli::exec::Errand;
use crate::cli::exit::{Exit, Stop, Went};
use crate::cli::keeper::Keeper;
use crate::cli::release::now;
use crate::config::ics::{self, Written, WrittenWhen};
use crate::config::mistakes::Mistakes;
use crate::domain::calendar::planned;
use crate::domain::text::printable;
use crate::domain::{Notice, State, Timestamp};

/// Prints the calendar for others.
pub async fn export<R: Keeper>(errand: &Errand<'_, R>) -> Went {
    let state = errand.room.state().borrow().clone();
    let text = text(&state, now());
    errand.out.say(text).await?;
    Ok(Exit::Done)
}

fn text(state: &State, now: Timestamp) -> String {
    let room = &state.charter.room;
    let mut events = Vec::new();
    for window in &state.charter.calendar.windows {
        events.push(Written {
            uid: format!("window-{}@{room}.holdpoint", window.name),
            summary: format!("Window {}", window.name),
            description: format!("{}; owner {}", window.scope.words(), window.owner),
            when: WrittenWhen::Series(window.when.clone()),
        });
    }
    for freeze in &state.charter.calendar.freezes {
        let scope = freeze.scope.words();
        events.push(Written {
            uid: format!("freeze-{}@{room}.holdpoint", freeze.name),
            summary: format!("Freeze {}", freeze.name),
            description: format!("{}; {scope}; owner {}", freeze.reason, freeze.owner),
            when: WrittenWhen::Series(freeze.when.clone()),
        });
    }
    for release in state.live.values() {
        if let Some(when) = planned(release, now) {
            events.push(Written {
                uid: format!("{}@{room}.holdpoint", release.id),
                summary: format!(
                    "{} {} to {}",
                    release.id,
                    release.subject(),
                    release.plan.environment
                ),
                description: release.plan.title.to_string(),
                when: WrittenWhen::Once(when),
            });
        }
    }
    ics::write(room, &events, now)
}

/// Prints an iCalendar file as lines of calendar.toml.
pub async fn import<R: Keeper>(
    name: &str,
    kind: ImportAs,
    owner: &str,
    zone: &str,
    scope: &ScopeArgs,
    errand: &Errand<'_, R>,
) -> Went {
    let shown = printable(name, 200);
    let wrong = |why: String| {
        let notice = Notice::error("bad-calendar", why);
        Stop::bad(Mistakes::one(notice.at(shown.clone())))
    };
    let Some(bytes) = errand.files.get(name) else {
        return Err(wrong(
            "the file did not come along with the command".to_owned(),
        ));
    };
    if zone.parse::<chrono_tz::Tz>().is_err() {
        return Err(wrong(format!(
            "there is no time zone `{}`",
            printable(zone, 60)
        )));
    }
    let text = String::from_utf8_lossy(bytes);
    let entries = ics::read(&text, zone).map_err(|problems| wrong(problems.join("; ")))?;
    let mut toml = String::new();
    for entry in &entries {
        // writing to a string cannot fail
        let _ = write_entry(&mut toml, kind, owner, scope, entry);
    }
    errand.out.say(toml).await?;
    let count = entries.len();
    let told = format!("{count} entries for calendar.toml; nothing was changed\n");
    errand.out.tell(told).await?;
    Ok(Exit::Done)
}

fn write_entry(
    toml: &mut String,
    kind: ImportAs,
    owner: &str,
    scope: &ScopeArgs,
    entry: &ics::Entry,
) -> std::fmt::Result {
    let when = &entry.when;
    writeln!(toml, "[[{}]]", kind.word())?;
    writeln!(toml, "name = {}", quoted(&entry.name))?;
    writeln!(toml, "owner = {}", quoted(owner))?;
    if kind == ImportAs::Freeze {
        writeln!(toml, "reason = {}", quoted(&entry.summary))?;
    }
    let lists = [
        ("environments", &scope.environment),
        ("services", &scope.service),
        ("teams", &scope.team),
    ];
    for (key, names) in lists {
        if !names.is_empty() {
            writeln!(toml, "{key} = {}", list(names.iter().cloned()))?;
        }
    }
    writeln!(toml, "zone = {}", quoted(&when.zone))?;
    writeln!(toml, "starts = {}", quoted(&String::from(when.starts)))?;
    writeln!(toml, "lasts = {}", quoted(&String::from(when.lasts)))?;
    if let Some(repeats) = &when.repeats {
        writeln!(toml, "repeats = {}", quoted(repeats.as_str()))?;
    }
    if !when.except.is_empty() {
        let except = when.except.iter().map(|e| String::from(*e));
        writeln!(toml, "except = {}", list(except))?;
    }
    if !when.also.is_empty() {
        let also = when.also.iter().map(|t| String::from(*t));
        writeln!(toml, "also = {}", list(also))?;
    }
    writeln!(toml)
}

fn list(names: impl Iterator<Item = String>) -> String {
    let names: Vec<String> = names.map(|name| quoted(&name)).collect();
    format!("[{}]", names.join(", "))
}

/// Text in the quotes of TOML.
fn quoted(text: &str) -> String {
    let text = printable(text, 500)
        .replace('\\', "\\\\")
        .replace('"', "\\\"");
    format!("\"{text}\"")
}
