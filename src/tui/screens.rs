//! The screens: a frame of three lines round each, and what lies over them.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use super::action::Action;
use super::desk::{Desk, Screen, Tab};
use super::dialog::{Overlay, palette};
use super::glyph::Glyph;
use super::layout;
use super::rich::{self, Line};
use super::theme::Role;
use super::widgets::Pen;
use super::widgets::text::{fill, rule};
use super::world::World;

pub mod approvals;
mod calendar;
mod card;
mod closed;
mod dialogs;
mod frame;
mod grounds;
mod help;
mod hints;
mod ladder;
pub mod metrics;
mod pages;
mod releases;
mod rollout;
mod row;
mod trails;

pub(super) use frame::tabs;

/// Paints a desk and says where the cursor stands.
pub fn paint(desk: &Desk, world: World<'_>, area: Rect, buffer: &mut Buffer) -> Option<Position> {
    let area = area.intersection(buffer.area);
    fill(buffer, area, desk.theme(), Role::Text);
    if area.is_empty() {
        return None;
    }
    let parts = layout::frame(area);
    frame::title(desk, world, parts.title, buffer);
    frame::facts(desk, world, parts.facts, buffer);
    rule(buffer, parts.rule, desk.theme());
    match desk.place.screen {
        Screen::Releases => releases::paint(desk, world, parts.body, buffer),
        Screen::Rollout => rollout::paint(desk, world, parts.body, buffer),
        Screen::Metrics => metrics::paint(desk, world, parts.body, buffer),
        Screen::Approvals => approvals::paint(desk, world, parts.body, buffer),
        Screen::Calendar => calendar::paint(desk, world, parts.body, buffer),
        Screen::Help | Screen::Notices => {
            if let Some(sheet) = sheet(desk, world, area) {
                sheet.paint(desk, parts.body, buffer);
            }
        }
    }
    frame::notice(desk, world, parts, buffer);
    let cursor = if let Some(Overlay::Filter(draft)) = &desk.overlay {
        hints::filter(desk, draft, parts.hints, buffer)
    } else {
        hints::paint(desk, world, parts.hints, buffer);
        None
    };
    hints::which_key(desk, parts, buffer);
    let cursor = dialogs::paint(desk, world, area, buffer).or(cursor);
    if !desk.theme().unicode() {
        ascii(buffer, area);
    }
    cursor
}

/// Leaves nothing that a terminal without Unicode cannot show: what the screens draw themselves is
/// ASCII there already, names and sentences of people may hold anything.
fn ascii(buffer: &mut Buffer, area: Rect) {
    for y in area.top()..area.bottom() {
        for x in area.left()..area.right() {
            let cell = &mut buffer[(x, y)];
            let plain = match cell.symbol() {
                symbol if symbol.is_ascii() => continue,
                "→" => ">",
                "–" | "—" | "·" => "-",
                "…" => "~",
                "“" | "”" | "„" | "«" | "»" => "\"",
                "‘" | "’" => "'",
                _ => "?",
            };
            // a sign that took two cells leaves a blank behind
            cell.set_symbol(plain);
        }
    }
}

/// Lines that scroll under some that do not.
pub(super) struct Sheet {
    /// The lines.
    pub lines: Vec<Line>,
    /// How many of them show at a time.
    pub height: usize,
    /// The line that should show when nobody has scrolled.
    pub here: usize,
    /// The cells that a line has.
    pub cols: u16,
}

impl Sheet {
    /// A sheet that begins at its first line.
    fn from_top(lines: Vec<Line>, height: u16) -> Sheet {
        Sheet {
            lines,
            height: usize::from(height),
            here: 0,
            cols: u16::MAX,
        }
    }

    /// A sheet that ends at its last line.
    fn from_end(lines: Vec<Line>, height: u16) -> Sheet {
        let here = lines.len().saturating_sub(1);
        Sheet {
            lines,
            height: usize::from(height),
            here,
            cols: u16::MAX,
        }
    }

    /// The first line that shows.
    pub fn top(&self, chosen: Option<usize>) -> usize {
        let most = self.lines.len().saturating_sub(self.height);
        let own = if self.here < self.height {
            0
        } else {
            // what is here, with a third of the view beneath it
            (self.here + self.height / 3 + 1).saturating_sub(self.height)
        };
        chosen.unwrap_or(own).min(most)
    }

    fn paint(&self, desk: &Desk, area: Rect, buffer: &mut Buffer) {
        let theme = desk.theme();
        let top = self.top(desk.place.top);
        let text = Rect {
            width: area.width.min(self.cols),
            ..area
        };
        rich::paint(self.lines.iter().skip(top), buffer, text, theme);
        let shown = usize::from(area.height);
        let more = self.lines.len().saturating_sub(top + shown);
        // behind the text, where nothing else stands
        let last = buffer.area.right().saturating_sub(1);
        let edge = |y: u16| Rect {
            x: text.right().min(last),
            y,
            width: 1,
            height: 1,
        };
        if area.height > 0 && top > 0 {
            Pen::new(buffer, theme, edge(area.y)).glyph(Role::Dim, Glyph::Above);
        }
        if area.height > 0 && more > 0 {
            Pen::new(buffer, theme, edge(area.bottom() - 1)).glyph(Role::Dim, Glyph::Below);
        }
    }
}

/// What scrolls on the present screen, if something does.
pub(super) fn sheet(desk: &Desk, world: World<'_>, area: Rect) -> Option<Sheet> {
    let body = layout::frame(area).body;
    Some(match desk.place.screen {
        Screen::Rollout => return rollout::sheet(desk, world, body),
        Screen::Help => Sheet::from_top(
            filtered(desk, help::lines(desk, world, body.width)),
            body.height,
        ),
        Screen::Notices => Sheet::from_end(
            filtered(desk, trails::notices(desk, world, body.width)),
            body.height,
        ),
        Screen::Releases | Screen::Metrics | Screen::Approvals | Screen::Calendar => return None,
    })
}

/// The lines that match what the person filters by.
fn filtered(desk: &Desk, lines: Vec<Line>) -> Vec<Line> {
    let filter = desk.filter();
    if filter.trim().is_empty() {
        return lines;
    }
    let left: Vec<Line> = lines
        .into_iter()
        .filter(|line| palette::matches(&line.words(), filter))
        .collect();
    if left.is_empty() {
        let words = format!(" nothing matches `{filter}`: esc shows all");
        return vec![Line::of(Role::Dim, words)];
    }
    left
}

/// The action that shows a side of a release.
const fn tab_action(tab: Tab) -> Action {
    match tab {
        Tab::Ladder => Action::ShowRollout,
        Tab::Why => Action::Why,
        Tab::Changes => Action::Changes,
        Tab::Evidence => Action::Evidence,
        Tab::Log => Action::Log,
        Tab::Timeline => Action::Timeline,
        Tab::Calls => Action::Calls,
    }
}
