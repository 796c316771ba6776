//! Lanes along time: each environment or service has rows in which what happens lies side by side.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::domain::Timestamp;
use crate::domain::calendar::{ItemKind, clock, opens_at};

use super::super::super::desk::Desk;
use super::super::super::glyph::Glyph;
use super::super::super::layout::WIDE;
use super::super::super::page::Entry;
use super::super::super::say;
use super::super::super::theme::Role;
use super::super::super::widgets::{Pen, width};
use super::super::super::world::World;
use super::look;

/// A bar in a row: its columns, counted from the first of the area of time.
struct Bar {
    from: u16,
    to: u16,
    /// Where what is written behind it ends.
    extent: u16,
    row: u16,
    /// Its place among the entries.
    entry: usize,
}

/// A lane laid out.
struct Laid {
    name: String,
    bars: Vec<Bar>,
    rows: u16,
}

/// Columns and time.
struct Scale {
    from: Timestamp,
    to: Timestamp,
    cols: u16,
    /// The columns of one day.
    day: u16,
}

impl Scale {
    /// The column of a moment; what lies before or behind is at an edge.
    fn at(&self, t: Timestamp) -> u16 {
        let whole = self.to.since(self.from).0.max(1);
        let part = t.since(self.from).0.min(whole);
        u16::try_from(u64::from(self.cols) * part / whole).unwrap_or(self.cols)
    }
}

pub(super) fn paint(desk: &Desk, world: World<'_>, area: Rect, buffer: &mut Buffer) {
    let label = if area.width >= WIDE { 14 } else { 10 };
    let times = Rect {
        x: area.x.saturating_add(label),
        width: area.width.saturating_sub(label + 1),
        ..area
    };
    if times.width < 8 || area.height < 2 {
        return;
    }
    let page = &desk.page;
    let scale = Scale {
        from: page.from,
        to: page.to,
        cols: times.width,
        day: times.width / u16::try_from(page.days()).unwrap_or(1),
    };
    now_line(desk, world, &scale, times, buffer);
    days(desk, &scale, times, buffer);
    let mut laid = lay(desk, world, &scale);
    let rows = laid
        .iter()
        .fold(0u16, |sum, lane| sum.saturating_add(lane.rows));
    let lanes = u16::try_from(laid.len()).unwrap_or(u16::MAX);
    if rows.saturating_add(lanes) < area.height {
        // a line of air below each
        for lane in &mut laid {
            lane.rows += 1;
        }
    }
    let here = page.at();
    // rows that lie above the view when the one under the cursor would not show
    let lines: u16 = area.height - 1;
    let mut top = 0u16;
    let mut below = 0u16;
    for lane in &laid {
        if let Some(bar) = lane.bars.iter().find(|b| b.entry == here) {
            top = (below + bar.row + 1).saturating_sub(lines);
        }
        below = below.saturating_add(lane.rows);
    }
    let mut y = 0u16;
    for lane in &laid {
        for row in 0..lane.rows {
            let line = y.saturating_add(row);
            if line < top || line - top >= lines {
                continue;
            }
            let at = area.y + 1 + (line - top);
            if row == 0 || line == top {
                let name = Rect {
                    y: at,
                    height: 1,
                    width: label.saturating_sub(1),
                    ..area
                };
                Pen::new(buffer, desk.theme(), name)
                    .skip(1)
                    .text(Role::Strong, &lane.name);
            }
            let line = Rect {
                y: at,
                height: 1,
                ..times
            };
            for bar in lane.bars.iter().filter(|b| b.row == row) {
                paint_bar(desk, world, bar, line, buffer);
            }
        }
        y = y.saturating_add(lane.rows);
    }
}

/// The days along the first line, or the hours of one day.
fn days(desk: &Desk, scale: &Scale, times: Rect, buffer: &mut Buffer) {
    let days = desk.page.days();
    let zone = desk.zone;
    let first = clock(zone, scale.from).date();
    let steps: Vec<(Timestamp, String)> = match days {
        1 => (0..24)
            .step_by(if times.width >= 120 { 2 } else { 4 })
            .filter_map(|hour| {
                let local = first.and_hms_opt(hour, 0, 0)?;
                Some((opens_at(zone, local), format!("{hour:02}:00")))
            })
            .collect(),
        _ => (0..days)
            .filter_map(|n| {
                let day = first.checked_add_days(chrono::Days::new(n))?;
                let at = opens_at(zone, day.and_hms_opt(0, 0, 0)?);
                Some((at, say::day(at, zone)))
            })
            .collect(),
    };
    for (n, (at, name)) in steps.iter().enumerate() {
        let x = scale.at(*at);
        let end = steps
            .get(n + 1)
            .map_or(scale.cols, |(next, _)| scale.at(*next));
        let room = usize::from(end.saturating_sub(x));
        // `Mon 16 Nov`, `Mon 16`, `16`
        let words: Vec<&str> = name.split(' ').collect();
        let shorter = [
            name.clone(),
            words.iter().take(2).copied().collect::<Vec<_>>().join(" "),
            words.get(1).copied().unwrap_or(name).to_owned(),
        ];
        let Some(name) = shorter.iter().find(|name| width(name) < room) else {
            continue;
        };
        let cell = Rect {
            x: times.x + x,
            width: end.saturating_sub(x),
            height: 1,
            ..times
        };
        Pen::new(buffer, desk.theme(), cell).text(Role::Dim, name);
    }
}

/// The present moment across all lanes.
fn now_line(desk: &Desk, world: World<'_>, scale: &Scale, area: Rect, buffer: &mut Buffer) {
    let now = world.now;
    if now < scale.from || now >= scale.to {
        return;
    }
    let x = area.x + scale.at(now).min(scale.cols.saturating_sub(1));
    for y in area.top()..area.bottom() {
        let cell = Rect {
            x,
            y,
            width: 1,
            height: 1,
        };
        Pen::new(buffer, desk.theme(), cell).glyph(Role::StatusPerson, Glyph::Now);
    }
}

/// Puts the bars of every lane into rows so that none lies over another.
fn lay(desk: &Desk, world: World<'_>, scale: &Scale) -> Vec<Laid> {
    let page = &desk.page;
    let mut laid: Vec<Laid> = page
        .lanes
        .iter()
        .map(|lane| Laid {
            name: lane.name.to_string(),
            bars: Vec::new(),
            rows: 1,
        })
        .collect();
    for (n, lane) in laid.iter_mut().enumerate() {
        let name = &page.lanes[n].name;
        let mut here: Vec<(usize, &Entry)> = page
            .entries
            .iter()
            .enumerate()
            .filter(|(_, e)| e.lanes.first() == Some(name))
            .collect();
        // rules above, releases below, each in the order of time; what has no time comes last
        here.sort_by_key(|(_, e)| {
            let release = e.item.kind == ItemKind::Release;
            (release, e.item.start.is_none(), e.item.start)
        });
        let mut ends: Vec<u16> = Vec::new();
        let mut rules = 0;
        for (entry, found) in here {
            let release = found.item.kind == ItemKind::Release;
            let (from, to, extent) = place(world, scale, found);
            let first = if release { rules } else { 0 };
            let free = (first..ends.len()).find(|row| ends[*row] < from || ends[*row] == 0);
            let row = free.unwrap_or_else(|| {
                ends.push(0);
                ends.len() - 1
            });
            ends[row] = extent;
            if !release {
                rules = ends.len();
            }
            lane.bars.push(Bar {
                from,
                to,
                extent,
                row: u16::try_from(row).unwrap_or(u16::MAX),
                entry,
            });
        }
        lane.rows = u16::try_from(ends.len()).unwrap_or(u16::MAX).max(1);
    }
    laid
}

/// Where a bar begins and ends, and where what is written behind it ends.
fn place(world: World<'_>, scale: &Scale, entry: &Entry) -> (u16, u16, u16) {
    let item = &entry.item;
    let release = item.kind == ItemKind::Release;
    let from = scale.at(item.start.unwrap_or(world.now).max(scale.from));
    let from = from.min(scale.cols.saturating_sub(1));
    let to = match (item.start, item.end) {
        (Some(_), Some(end)) => scale.at(end),
        (Some(_), None) => scale.cols,
        // at some time that nobody knows: as long as its name
        (None, _) => from,
    };
    let needs = if release { least(entry) } else { 1 };
    let to = to.max(from + needs).min(scale.cols);
    // near the right edge a name begins further left
    let from = from.min(to.saturating_sub(needs));
    let label = u16::try_from(width(label(entry))).unwrap_or(u16::MAX);
    let wants = to.saturating_add(label).saturating_add(1);
    // a name stands behind its bar only where a day has room for it
    let extent = if label < scale.day && label.saturating_add(2) > to - from && wants <= scale.cols
    {
        wants
    } else {
        to
    };
    (from, to, extent)
}

/// What stands in a bar besides its id, or behind it.
fn label(entry: &Entry) -> &str {
    match entry.item.kind {
        ItemKind::Release => &entry.item.label,
        _ => &entry.item.name,
    }
}

/// The cells that a release needs to be known: its sign and its id.
fn least(entry: &Entry) -> u16 {
    u16::try_from(width(&id(entry)) + 2).unwrap_or(8)
}

fn paint_bar(desk: &Desk, world: World<'_>, bar: &Bar, line: Rect, buffer: &mut Buffer) {
    let Some(entry) = desk.page.entries.get(bar.entry) else {
        return;
    };
    let (role, glyph) = look(desk, world, entry);
    let area = Rect {
        x: line.x + bar.from,
        width: bar.to.saturating_sub(bar.from),
        ..line
    };
    let behind = Rect {
        x: area.right() + 1,
        width: bar.extent.saturating_sub(bar.to + 1),
        ..line
    };
    if entry.item.kind == ItemKind::Release {
        release(desk, entry, (role, glyph), area, buffer);
    } else {
        rule(desk, entry, (role, glyph), area, buffer);
    }
    Pen::new(buffer, desk.theme(), behind).text(Role::Dim, label(entry));
    if bar.entry == desk.page.at() {
        buffer.set_style(
            area.intersection(buffer.area),
            desk.theme().style(Role::Choice),
        );
    }
}

fn release(desk: &Desk, entry: &Entry, look: (Role, Glyph), area: Rect, buffer: &mut Buffer) {
    let (role, glyph) = look;
    let id = id(entry);
    let whole = format!("{id} {}", entry.item.label);
    let text = match width(&whole) + 2 <= usize::from(area.width) {
        true => whole,
        false => id,
    };
    let theme = desk.theme();
    let mut pen = Pen::new(buffer, theme, area);
    pen.glyph(role, glyph).text(role, &text);
    let rest = pen.room();
    pen.text(role, &theme.glyph(Glyph::Rule).repeat(rest));
}

/// `R-7`, or `R-7?` where nobody knows when it begins.
fn id(entry: &Entry) -> String {
    let unsure = if entry.item.start.is_none() { "?" } else { "" };
    format!("{}{unsure}", entry.item.name)
}

fn rule(desk: &Desk, entry: &Entry, look: (Role, Glyph), area: Rect, buffer: &mut Buffer) {
    let (role, glyph) = look;
    let theme = desk.theme();
    let room = usize::from(area.width);
    let window = entry.item.kind == ItemKind::Window;
    let sign = theme.glyph(if window { Glyph::Rule } else { glyph });
    Pen::new(buffer, theme, area).text(role, &sign.repeat(room));
    let fits = [&*entry.item.label, &*entry.item.name]
        .into_iter()
        .find(|label| width(label) + 2 <= room);
    if let Some(label) = fits {
        let inner = Rect {
            x: area.x + 1,
            width: area.width - 1,
            ..area
        };
        Pen::new(buffer, theme, inner).text(role, label);
    }
    if window && room >= 2 {
        for x in [area.x, area.right() - 1] {
            let edge = Rect {
                x,
                width: 1,
                ..area
            };
            Pen::new(buffer, theme, edge).glyph(role, Glyph::Bar);
        }
    }
}
