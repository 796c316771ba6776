//! The same as a list in the order of time, a heading for each day.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::domain::calendar::ItemKind;

use super::super::super::desk::Desk;
use super::super::super::glyph::Glyph;
use super::super::super::layout::WIDE;
use super::super::super::page::{Entry, word};
use super::super::super::rich::Line;
use super::super::super::say;
use super::super::super::theme::Role;
use super::super::super::world::World;
use super::look;

/// A line of the list; the place of its entry, where it is one.
type Row = (Option<usize>, Line);

pub(super) fn paint(desk: &Desk, world: World<'_>, area: Rect, buffer: &mut Buffer) {
    let rows = rows(desk, world, area.width);
    let theme = desk.theme();
    if rows.is_empty() {
        let words = "Nothing stands in these days. calendar.toml holds windows and freezes.";
        let line = Line::new().gap(1).text(Role::Dim, words);
        line.paint(buffer, area, theme);
        return;
    }
    let lines = usize::from(area.height);
    let at = rows
        .iter()
        .position(|(entry, _)| *entry == Some(desk.page.at()));
    // the day's heading shows with its first entry
    let top = (at.unwrap_or(0) + 2).saturating_sub(lines);
    for (y, (entry, line)) in (area.y..area.bottom()).zip(rows.iter().skip(top)) {
        let place = Rect {
            y,
            height: 1,
            ..area
        };
        if entry.is_some() && *entry == Some(desk.page.at()) {
            buffer.set_style(
                place.intersection(buffer.area),
                theme.style(Role::RowCursor),
            );
            let first = Rect { width: 1, ..place };
            super::super::super::widgets::Pen::new(buffer, theme, first)
                .glyph(Role::Strong, Glyph::Cursor);
        }
        let text = Rect {
            x: place.x + 1,
            width: place.width.saturating_sub(2),
            ..place
        };
        line.paint(buffer, text, theme);
    }
}

fn rows(desk: &Desk, world: World<'_>, cols: u16) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    let mut day = String::new();
    for (n, entry) in desk.page.entries.iter().enumerate() {
        let start = entry.item.start.unwrap_or(world.now).max(desk.page.from);
        let today = say::day(start, desk.zone);
        if today != day {
            let role = if today == say::day(world.now, desk.zone) {
                Role::StatusPerson
            } else {
                Role::Heading
            };
            rows.push((None, Line::of(role, today.clone())));
            day = today;
        }
        rows.push((Some(n), row(desk, world, entry, cols)));
    }
    rows
}

fn row(desk: &Desk, world: World<'_>, entry: &Entry, cols: u16) -> Line {
    let (role, glyph) = look(desk, world, entry);
    let wide = cols >= WIDE;
    let mut line = Line::new()
        .gap(1)
        .left(Role::Text, times(desk, entry), if wide { 22 } else { 18 })
        .gap(1)
        .sign(role, glyph)
        .gap(1);
    if wide {
        line = line.left(role, word(entry.item.kind), 10).gap(1);
    }
    let label = match entry.item.kind {
        ItemKind::Release => format!("{} {}", entry.item.name, entry.item.label),
        _ => entry.item.label.clone(),
    };
    line.text(role, label)
        .end(Role::Dim, format!(" {}", entry.lanes.join(" ")))
}

/// `02:00–04:00`, `22:00–Sun 06:00`, `from 02:00`, `at any time`.
fn times(desk: &Desk, entry: &Entry) -> String {
    let zone = desk.zone;
    match (entry.item.start, entry.item.end) {
        (Some(start), Some(end)) => {
            let to = match say::day(start, zone) == say::day(end, zone) {
                true => say::minute(end, zone),
                false => say::when(end, start, zone),
            };
            format!("{}–{to}", say::when_on(start, desk.page.from, zone))
        }
        (Some(start), None) => format!("from {}", say::when_on(start, desk.page.from, zone)),
        (None, _) => "no time set".to_owned(),
    }
}
