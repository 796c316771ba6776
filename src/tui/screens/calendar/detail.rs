//! What is under the cursor, in sentences: the rule or the release, its conflicts, its next slot.

use chrono_tz::Tz;

use crate::domain::calendar::{ItemKind, Scope};
use crate::domain::release::Release;
use crate::domain::{ReleaseId, Timestamp};

use super::super::super::desk::Desk;
use super::super::super::glyph::Glyph;
use super::super::super::page::{Entry, word};
use super::super::super::rich::Line;
use super::super::super::say;
use super::super::super::theme::Role;
use super::super::super::world::World;

pub(super) fn lines(desk: &Desk, world: World<'_>, cols: u16, rows: usize) -> Vec<Line> {
    let page = &desk.page;
    let mut lines = Vec::new();
    let Some(entry) = page.entry() else {
        let words = "Nothing stands in these days.";
        return vec![Line::new().gap(1).text(Role::Dim, words)];
    };
    lines.push(head(desk, world, entry));
    match entry.item.release.and_then(|id| world.release(id)) {
        Some(release) => lines.extend(of_release(desk, world, release, cols)),
        None => lines.extend(of_rule(world, entry, cols)),
    }
    let mine = page.release();
    // those of the release under the cursor first
    let mut conflicts: Vec<_> = page.conflicts.iter().collect();
    conflicts.sort_by_key(|c| !mine.is_some_and(|id| c.releases.contains(&id)));
    for conflict in conflicts {
        let about = mine.is_some_and(|id| conflict.releases.contains(&id));
        let role = if about { Role::StatusPerson } else { Role::Dim };
        let mut first = true;
        for line in Line::wrapped(role, &conflict.words, 0, cols.saturating_sub(4)) {
            let lead = match first {
                true => Line::new().gap(1).sign(role, Glyph::Alert).gap(1),
                false => Line::new().gap(3),
            };
            first = false;
            lines.push(lead.beside(line, 3, 3));
        }
    }
    lines.truncate(rows);
    lines
}

fn head(desk: &Desk, world: World<'_>, entry: &Entry) -> Line {
    let item = &entry.item;
    let name = match item.kind {
        ItemKind::Release => format!("{} {}", item.name, item.label),
        kind => format!("{} {}", word(kind), item.name),
    };
    let when = match (item.start, item.end) {
        (Some(start), Some(end)) => both(desk, world, entry, start, end),
        (Some(start), None) => format!("since {}", say::when(start, world.now, desk.zone)),
        (None, _) => "at any time once nothing bars it".to_owned(),
    };
    Line::new()
        .gap(1)
        .text(Role::Strong, name)
        .gap(2)
        .text(Role::Text, when)
        .end(Role::Dim, entry.lanes.join(" "))
}

/// A span on the clocks of who reads it, and on those of the lane where they differ.
fn both(desk: &Desk, world: World<'_>, entry: &Entry, start: Timestamp, end: Timestamp) -> String {
    let mine = say::window(start, end, world.now, desk.zone);
    let zone: Option<Tz> = entry.zone.as_ref().and_then(|z| z.parse().ok());
    match zone.filter(|z| say::minute(start, *z) != say::minute(start, desk.zone)) {
        Some(zone) => format!("{mine} ({})", say::window(start, end, world.now, zone)),
        None => mine,
    }
}

fn of_release(desk: &Desk, world: World<'_>, release: &Release, cols: u16) -> Vec<Line> {
    let waiting = world.waiting(release);
    let mut lines = vec![
        Line::new()
            .gap(1)
            .text(Role::Text, release.plan.title.to_string()),
        Line::new()
            .gap(1)
            .text(Role::Dim, "waits for ")
            .text(Role::Text, format!("{}: {}", waiting.word, waiting.what))
            .text(Role::Dim, format!(", on {}", waiting.on.words())),
    ];
    if let Some(answer) = release.calendar.as_ref().filter(|a| !a.bars.is_empty()) {
        let words = answer.words(world.now);
        lines.extend(Line::wrapped(Role::StatusPerson, &words, 1, cols));
    }
    if let Some(line) = slot(desk, world, release.id) {
        lines.push(line);
    }
    lines
}

fn slot(desk: &Desk, world: World<'_>, id: ReleaseId) -> Option<Line> {
    let (_, slot) = desk.page.slot.filter(|(of, _)| *of == id)?;
    let words = match slot {
        None => "none within 90 days".to_owned(),
        Some(slot) if slot.from <= world.now => match slot.until {
            Some(until) => format!("now, until {}", say::when(until, world.now, desk.zone)),
            None => "now".to_owned(),
        },
        Some(slot) => match slot.until {
            Some(until) => say::window(slot.from, until, world.now, desk.zone),
            None => format!("from {}", say::when(slot.from, world.now, desk.zone)),
        },
    };
    let line = Line::new().gap(1).text(Role::Dim, "next free slot ");
    Some(line.text(Role::Text, words))
}

fn of_rule(world: World<'_>, entry: &Entry, cols: u16) -> Vec<Line> {
    let calendar = &world.state.charter.calendar;
    let name = &entry.item.name;
    let (words, scope): (String, Option<&Scope>) = match entry.item.kind {
        ItemKind::Window => match calendar.windows.iter().find(|w| w.name == *name) {
            Some(window) => {
                let room = window.capacity.map_or(String::new(), |n| {
                    format!(", room for {}", say::count(n as usize, "release"))
                });
                let words = format!(
                    "of {}{room}; a rollout on which it closes {}",
                    window.owner,
                    window.running.words()
                );
                (words, Some(&window.scope))
            }
            None => (String::new(), None),
        },
        ItemKind::Freeze => match calendar.freezes.iter().find(|f| f.name == *name) {
            Some(freeze) => {
                let words = format!(
                    "of {}; a rollout under way {}",
                    freeze.owner,
                    freeze.running.words()
                );
                (words, Some(&freeze.scope))
            }
            None => (String::new(), None),
        },
        _ => (String::new(), None),
    };
    let mut lines = Line::wrapped(Role::Text, &entry.item.label, 1, cols);
    if let Some(scope) = scope {
        let text = format!("about {}; {words}", scope.words());
        lines.extend(Line::wrapped(Role::Dim, &text, 1, cols));
    }
    lines
}
