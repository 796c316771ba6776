//! One release: how far it is, what was done and what comes next; and its other sides.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::domain::release::{Release, Tone};
use crate::domain::waiting;

use super::super::desk::{Desk, Tab};
use super::super::glyph::Glyph;
use super::super::layout::WIDE;
use super::super::rich::{self, Line};
use super::super::say;
use super::super::theme::Role;
use super::super::widgets::text::rule;
use super::super::widgets::{Pen, width};
use super::super::world::World;
use super::{Sheet, closed, filtered, ladder, pages, releases, tab_action, trails};

/// The widest lines of a ladder or a page.
const WIDEST: u16 = 124;

/// The parts of the screen.
struct Parts {
    head: Rect,
    sheet: Rect,
    /// Between the ladder and what was done.
    rule: Rect,
    /// What was done, and what comes next.
    trail: Rect,
}

fn parts(body: Rect, tab: Tab) -> Parts {
    let head = match body.height {
        0..8 => 1.min(body.height),
        8..24 => 2,
        _ => 3,
    };
    let rest = body.height - head;
    let foot = match (tab, rest) {
        (Tab::Ladder, 14..22) => 5,
        (Tab::Ladder, 22..34) => 8,
        (Tab::Ladder, 34..) => 12,
        _ => 0,
    };
    let line = u16::from(foot > 0);
    let at = |y: u16, height: u16| Rect {
        y: body.y + y,
        height,
        // a column of air at the right
        width: body.width.saturating_sub(1),
        ..body
    };
    Parts {
        head: at(0, head),
        sheet: at(head, rest - foot - line),
        rule: Rect {
            width: body.width,
            ..at(head + rest - foot - line, line)
        },
        trail: at(head + rest - foot, foot),
    }
}

/// What scrolls on this screen.
pub(super) fn sheet(desk: &Desk, world: World<'_>, body: Rect) -> Option<Sheet> {
    let id = desk.subject?;
    let tab = desk.place.tab;
    let area = parts(body, tab).sheet;
    let Some(release) = world.release(id) else {
        let summary = world.closed(id)?;
        let lines = closed::lines(desk, world, summary, body.width);
        return Some(Sheet::from_top(lines, body.height));
    };
    // what stands at the end of a line must not be far from its beginning
    let cols = area.width.min(WIDEST);
    let mut sheet = match tab {
        Tab::Ladder => {
            let ladder = ladder::ladder(desk, world, release, cols);
            Sheet {
                lines: ladder.lines,
                height: usize::from(area.height),
                here: ladder.here,
                cols,
            }
        }
        Tab::Why => Sheet::from_top(
            filtered(desk, pages::why(desk, world, release, cols)),
            area.height,
        ),
        Tab::Changes => Sheet::from_top(
            filtered(desk, pages::changes(desk, world, release, cols)),
            area.height,
        ),
        Tab::Evidence => Sheet::from_top(
            filtered(desk, pages::evidence(desk, world, release, cols)),
            area.height,
        ),
        Tab::Log => Sheet::from_end(
            filtered(desk, trails::log(desk, release, cols)),
            area.height,
        ),
        Tab::Timeline => Sheet::from_top(
            filtered(desk, trails::timeline(desk, world, release, cols)),
            area.height,
        ),
        Tab::Calls => Sheet::from_end(
            filtered(desk, trails::calls(desk, world, release, cols)),
            area.height,
        ),
    };
    sheet.cols = cols;
    Some(sheet)
}

pub(super) fn paint(desk: &Desk, world: World<'_>, body: Rect, buffer: &mut Buffer) {
    let theme = desk.theme();
    let Some(id) = desk.subject.filter(|id| world.knows(*id)) else {
        let line = Line::new().gap(1).text(
            Role::Dim,
            "No release is chosen: choose one on the releases screen.",
        );
        line.paint(buffer, body, theme);
        return;
    };
    let parts = parts(body, desk.place.tab);
    if let Some(sheet) = sheet(desk, world, body) {
        // of one that is closed there is nothing but a page
        let whole = world.release(id).is_none();
        sheet.paint(desk, if whole { body } else { parts.sheet }, buffer);
    }
    let Some(release) = world.release(id) else {
        return;
    };
    head(desk, world, release, parts.head, buffer);
    rule(buffer, parts.rule, theme);
    let rows = usize::from(parts.trail.height);
    let trail = if rows > 0 && parts.trail.width < WIDE {
        stacked(desk, world, release, parts.trail.width, rows)
    } else {
        trail(desk, world, release, parts.trail.width, rows)
    };
    rich::paint(&trail, buffer, parts.trail, theme);
}

fn head(desk: &Desk, world: World<'_>, release: &Release, area: Rect, buffer: &mut Buffer) {
    releases::head(desk, world, release, area.width).paint(buffer, area, desk.theme());
    if area.height < 2 {
        return;
    }
    let line = Rect {
        y: area.y + 1,
        height: 1,
        ..area
    };
    let mut pen = Pen::new(buffer, desk.theme(), line);
    pen.skip(1);
    let stack = desk.screen_contexts();
    for tab in Tab::ALL {
        let key = desk.keymap.key(stack, tab_action(tab));
        let key = key.map_or_else(String::new, ToString::to_string);
        let active = tab == desk.place.tab;
        let named = area.width >= 70 || active;
        let cells = width(&key) + 1 + if named { tab.title().len() + 1 } else { 0 };
        if pen.room() < cells {
            return;
        }
        if tab != Tab::Ladder {
            pen.text(Role::Key, &key).skip(1);
        }
        if named {
            let role = if active { Role::TabActive } else { Role::Dim };
            pen.text(role, tab.title())
                .skip(if area.width >= WIDE { 3 } else { 2 });
        }
    }
}

/// How a line of the log is painted.
pub(super) const fn tone(tone: Tone) -> Role {
    match tone {
        Tone::Plain => Role::Text,
        Tone::Good => Role::StatusGood,
        Tone::Bad => Role::StatusBad,
        Tone::Ask => Role::StatusPerson,
    }
}

fn heading(text: &'static str) -> Line {
    Line::new().gap(1).text(Role::Heading, text)
}

/// What was done, the newest last, in so many lines with the heading.
fn done(desk: &Desk, release: &Release, rows: usize) -> Vec<Line> {
    let skip = release.log.len().saturating_sub(rows.saturating_sub(1));
    let mut lines = vec![heading("Done")];
    for entry in &release.log[skip..] {
        lines.push(
            Line::new()
                .gap(1)
                .text(Role::Dim, say::clock(entry.at, desk.zone))
                .gap(2)
                .text(tone(entry.tone), entry.text.to_string())
                .end(Role::Dim, entry.who.to_string()),
        );
    }
    lines
}

/// What the engine will do by itself, and when, in lines of so many cells.
fn next(desk: &Desk, world: World<'_>, release: &Release, cols: u16) -> Vec<Line> {
    let mut lines = vec![heading("Next")];
    let now = world.now;
    if release.paused.is_some() {
        let words = "nothing goes on by itself until somebody resumes it";
        lines.extend(Line::wrapped(Role::StatusPerson, words, 1, cols));
    }
    for (words, at) in waiting::ahead(world.state, release, now) {
        let told = 3 + width(&words);
        let mut line = Line::new()
            .gap(1)
            .sign(Role::Dim, Glyph::ToCome)
            .gap(1)
            .text(Role::Text, words);
        if let Some(at) = at {
            let in_words = if at > now {
                format!("in {}", at.since(now))
            } else {
                "now".to_owned()
            };
            let when = say::when(at, now, desk.zone);
            let both = format!("{when}  {in_words}");
            // what happens is worth more than the hour at which it does
            let fits = told + 1 + width(&both) <= usize::from(cols);
            line = line.end(Role::Dim, if fits { both } else { in_words });
        }
        lines.push(line);
    }
    lines
}

/// Done and Next side by side, in so many lines; where that is too narrow, Next alone.
pub(super) fn trail(
    desk: &Desk,
    world: World<'_>,
    release: &Release,
    cols: u16,
    rows: usize,
) -> Vec<Line> {
    let (left, right) = columns(cols);
    let room = if cols < WIDE { cols } else { cols - right };
    let next = next(desk, world, release, room);
    if cols < WIDE {
        return next.into_iter().take(rows).collect();
    }
    let mut done = done(desk, release, rows).into_iter();
    let mut next = next.into_iter();
    (0..rows)
        .map_while(|_| match (done.next(), next.next()) {
            (None, None) => None,
            (a, b) => Some(
                a.unwrap_or_default()
                    .beside(b.unwrap_or_default(), left, right),
            ),
        })
        .collect()
}

/// Next above Done, where there is no room side by side: what comes matters more than what was.
fn stacked(desk: &Desk, world: World<'_>, release: &Release, cols: u16, rows: usize) -> Vec<Line> {
    let mut lines: Vec<Line> = next(desk, world, release, cols)
        .into_iter()
        .take(rows.div_ceil(2))
        .collect();
    let left = rows.saturating_sub(lines.len());
    lines.extend(done(desk, release, left));
    lines
}

/// Where Done ends and Next begins.
const fn columns(cols: u16) -> (u16, u16) {
    let left = cols * 3 / 5;
    (left.saturating_sub(2), left)
}
