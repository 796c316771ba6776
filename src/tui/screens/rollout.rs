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

/// The parts of the screen.
struct Parts {
    head: Rect,
    sheet: Rect,
    /// Between the ladder and what was done.
    rule: Rect,
    done: Rect,
    next: Rect,
}

fn parts(body: Rect, tab: Tab) -> Parts {
    let head = match body.height {
        0..8 => 1.min(body.height),
        8..24 => 2,
        _ => 3,
    };
    let rest = body.height - head;
    // side by side, or one above the other
    let beside = body.width >= WIDE;
    let foot = match (tab, rest) {
        (Tab::Ladder, 14..22) if beside => 5,
        (Tab::Ladder, 14..22) => 6,
        (Tab::Ladder, 22..34) => 8,
        (Tab::Ladder, 34..) => 12,
        _ => 0,
    };
    let line = u16::from(foot > 0);
    let at = |y: u16, height: u16| Rect {
        y: body.y + y,
        height,
        ..body
    };
    let foot_area = at(head + rest - foot, foot);
    let (done, next) = if beside {
        let half = foot_area.width * 3 / 5;
        (
            Rect {
                width: half.saturating_sub(1),
                ..foot_area
            },
            Rect {
                x: foot_area.x + half,
                width: foot_area.width - half,
                ..foot_area
            },
        )
    } else {
        let next = foot / 2;
        (
            Rect {
                y: foot_area.y + next,
                height: foot - next,
                ..foot_area
            },
            Rect {
                height: next,
                ..foot_area
            },
        )
    };
    Parts {
        head: at(0, head),
        sheet: at(head, rest - foot - line),
        rule: at(head + rest - foot - line, line),
        done,
        next,
    }
}

/// What scrolls on this screen.
pub(super) fn sheet(desk: &Desk, world: World<'_>, body: Rect) -> Option<Sheet> {
    let id = desk.subject?;
    let tab = desk.place.tab;
    let area = parts(body, tab).sheet;
    let Some(release) = world.release(id) else {
        let summary = world.closed(id)?;
        let lines = closed::lines(desk, summary, body.width);
        return Some(Sheet::from_top(lines, area.height));
    };
    let cols = area.width;
    Some(match tab {
        Tab::Ladder => {
            let ladder = ladder::ladder(desk, world, release, cols);
            Sheet {
                lines: ladder.lines,
                height: usize::from(area.height),
                here: ladder.here,
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
    })
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
        sheet.paint(desk, parts.sheet, buffer);
    }
    let Some(release) = world.release(id) else {
        return;
    };
    head(desk, world, release, parts.head, buffer);
    rule(buffer, parts.rule, theme);
    done(desk, release, parts.done, buffer);
    next(desk, world, release, parts.next, buffer);
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

/// What was done, the newest last.
fn done(desk: &Desk, release: &Release, area: Rect, buffer: &mut Buffer) {
    let rows = usize::from(area.height.saturating_sub(1));
    let skip = release.log.len().saturating_sub(rows);
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
    rich::paint(&lines, buffer, area, desk.theme());
}

/// What the engine will do by itself, and when.
fn next(desk: &Desk, world: World<'_>, release: &Release, area: Rect, buffer: &mut Buffer) {
    let mut lines = vec![heading("Next")];
    let now = world.now;
    if release.paused.is_some() {
        let words = "nothing goes on by itself until somebody resumes it";
        lines.push(Line::new().gap(1).text(Role::StatusPerson, words));
    }
    for (words, at) in waiting::ahead(world.state, release, now) {
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
            line = line.end(
                Role::Dim,
                format!("{}  {in_words} ", say::when(at, now, desk.zone)),
            );
        }
        lines.push(line);
    }
    rich::paint(&lines, buffer, area, desk.theme());
}
