//! The calendar: windows, freezes, lockdowns and releases along time, and what is under the cursor.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::domain::calendar::{ItemKind, LanesBy};

use super::super::desk::Desk;
use super::super::glyph::Glyph;
use super::super::layout::{self, WIDE};
use super::super::page::{Form, Page};
use super::super::rich::{self, Line};
use super::super::say;
use super::super::theme::Role;
use super::super::widgets::text::rule;
use super::super::world::World;

mod agenda;
mod detail;
mod lanes;

pub(super) fn paint(desk: &Desk, world: World<'_>, body: Rect, buffer: &mut Buffer) {
    let parts = layout::calendar(body);
    let heading = Rect {
        height: parts.list.height.min(1),
        ..parts.list
    };
    head(desk, &desk.page, body.width).paint(buffer, air(heading), desk.theme());
    let list = Rect {
        y: parts.list.y + heading.height,
        height: parts.list.height - heading.height,
        ..parts.list
    };
    match desk.page.form {
        Form::Lanes => lanes::paint(desk, world, list, buffer),
        Form::Agenda => agenda::paint(desk, world, list, buffer),
    }
    rule(buffer, parts.rule, desk.theme());
    let area = air(parts.detail);
    let lines = detail::lines(desk, world, area.width, usize::from(area.height));
    rich::paint(&lines, buffer, area, desk.theme());
}

/// An area without its last column.
const fn air(area: Rect) -> Rect {
    Rect {
        width: area.width.saturating_sub(1),
        ..area
    }
}

/// What is shown: `CALENDAR  Mon 16 – Sun 22 Nov Berlin   lanes by environment   1 conflict`.
fn head(desk: &Desk, page: &Page, cols: u16) -> Line {
    let last = page.to.minus(crate::domain::Span(1));
    let first = say::day(page.from, desk.zone);
    let days = match page.days() {
        1 => first,
        _ => format!("{first} – {}", say::day(last, desk.zone)),
    };
    let mut line = Line::new()
        .gap(1)
        .text(Role::Heading, "CALENDAR")
        .gap(2)
        .text(Role::Strong, days)
        .gap(1)
        .text(Role::Dim, say::zone(desk.zone));
    let lanes = match (page.form, page.by) {
        (Form::Agenda, _) => "agenda",
        (Form::Lanes, LanesBy::Environment) => "lanes by environment",
        (Form::Lanes, LanesBy::Service) => "lanes by service",
    };
    line = line
        .gap(if cols >= WIDE { 3 } else { 2 })
        .text(Role::Dim, lanes);
    let conflicts = page.conflicts.len();
    if conflicts == 0 {
        return line.end(Role::Dim, "no conflict");
    }
    line.end(Role::StatusPerson, say::count(conflicts, "conflict"))
}

/// How an item is painted: its role and the sign that goes with it.
fn look(desk: &Desk, world: World<'_>, entry: &super::super::page::Entry) -> (Role, Glyph) {
    match entry.item.kind {
        ItemKind::Window => (Role::StatusGood, Glyph::ToCome),
        ItemKind::Freeze => (Role::StatusMoving, Glyph::Empty),
        ItemKind::Exemption => (Role::StatusPerson, Glyph::Dotted),
        ItemKind::Lockdown => (Role::StatusBad, Glyph::Half),
        ItemKind::Release => release_look(desk, world, entry),
    }
}

fn release_look(desk: &Desk, world: World<'_>, entry: &super::super::page::Entry) -> (Role, Glyph) {
    let Some(release) = entry.item.release.and_then(|id| world.release(id)) else {
        return (Role::Dim, Glyph::Unknown);
    };
    let conflicts = desk.page.conflicts.iter();
    let clashes = conflicts.filter(|c| c.releases.contains(&release.id));
    if clashes.count() > 0 {
        return (Role::StatusPerson, Glyph::Alert);
    }
    use crate::domain::release::Phase;
    match release.phase {
        Phase::RollingBack => (Role::StatusBad, Glyph::Back),
        Phase::Rolling => (Role::StatusMoving, Glyph::Moving),
        Phase::Observing => (Role::StatusMoving, Glyph::Done),
        Phase::Waiting => (Role::Text, Glyph::Here),
    }
}
