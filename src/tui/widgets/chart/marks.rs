//! What lies beneath the lines of a chart and beside it: a band, levels, and the names of both.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::super::text::{Pen, width};
use super::{Chart, row};
use crate::judge::words::significant;
use crate::tui::glyph::Glyph;
use crate::tui::theme::{Role, Theme};

/// A horizontal line that means something.
#[derive(Clone, Copy, Debug)]
pub struct Level<'a> {
    /// Where.
    pub at: f64,
    /// What it is called; its value stands behind.
    pub name: &'a str,
    /// How it is painted.
    pub role: Role,
    /// What it is made of.
    pub glyph: Glyph,
}

/// A band that follows a line: between two multiples of it lies another one.
#[derive(Clone, Copy, Debug)]
pub struct Band<'a> {
    /// The line that it follows, where there is a band.
    pub of: &'a [(f64, Option<f64>)],
    /// The multiples, lower and upper end; 0 and infinity where there is no end.
    pub times: (f64, f64),
}

impl Band<'_> {
    /// Where the line that it follows is known.
    fn known(&self, span: (f64, f64)) -> impl Iterator<Item = (f64, f64)> {
        self.of
            .iter()
            .filter(move |(x, _)| (span.0..=span.1).contains(x))
            .filter_map(|(x, y)| Some((*x, y.filter(|y| y.is_finite())?)))
    }

    /// Its highest point, where it has an upper end.
    pub(super) fn top(&self, span: (f64, f64)) -> Option<f64> {
        let most = self.known(span).map(|(_, y)| y * self.times.1);
        most.filter(|y| y.is_finite()).max_by(f64::total_cmp)
    }

    fn is_sane(&self) -> bool {
        let (lower, upper) = self.times;
        lower >= 0.0 && lower <= upper
    }
}

/// A name beside the plot.
#[derive(Clone, Debug)]
pub(super) struct Name {
    /// The line beside which it would stand, from above.
    row: u16,
    role: Role,
    glyph: Glyph,
    text: String,
    /// Whether it belongs to a level, so that it may stand on it.
    level: bool,
}

impl Name {
    /// The cells that it takes.
    pub fn cells(&self) -> u16 {
        u16::try_from(width(&self.text) + 3).unwrap_or(u16::MAX)
    }
}

impl Chart<'_> {
    /// Shades what lies within the band.
    pub(super) fn shade(
        &self,
        band: Band<'_>,
        buffer: &mut Buffer,
        plot: Rect,
        theme: &Theme,
        top: f64,
    ) {
        if !band.is_sane() || plot.is_empty() {
            return;
        }
        let column = |across: f64| plot.x + super::nearest(across, plot.width);
        let mut before: Option<(f64, u16, (u16, u16))> = None;
        for (x, y) in band.known(self.span) {
            let Some(across) = self.across(x).filter(|_| y * band.times.0 <= top) else {
                // what lies above the scale altogether is only told beside it
                before = None;
                continue;
            };
            let ends = (
                row(y * band.times.1 / top, plot.height, theme),
                row(y * band.times.0 / top, plot.height, theme),
            );
            let to = column(across);
            let from = match before {
                Some((earlier, at, _)) if x - earlier <= self.join => at,
                _ => to,
            };
            for x in from..=to {
                // halfway between two points the band is that of the nearer one
                let near = before.filter(|_| x - from < to - x).map_or(ends, |b| b.2);
                for y in near.0..=near.1 {
                    buffer[(x, plot.y + y)]
                        .set_symbol(theme.glyph(Glyph::Shade))
                        .set_style(theme.style(Role::Band));
                }
            }
            before = Some((x, to, ends));
        }
    }

    /// The names of levels, of the band's ends and of the lines, the most important first.
    pub(super) fn names(&self, plot: Rect, theme: &Theme, top: f64) -> Vec<Name> {
        let mut names = Vec::new();
        let mut add = |share: f64, role, glyph, text: String, level| {
            let glyph = if share > 1.0 { Glyph::Above } else { glyph };
            names.push(Name {
                row: row(share, plot.height, theme),
                role,
                glyph,
                text,
                level: level && share <= 1.0,
            });
        };
        for level in self.levels {
            let text = format!("{} {}", level.name, (self.value)(level.at));
            add(level.at / top, level.role, level.glyph, text, true);
        }
        let band = self.band.filter(Band::is_sane);
        if let Some((band, (_, y))) = band.and_then(|b| Some((b, b.known(self.span).last()?))) {
            let (lower, upper) = band.times;
            let ends = (
                row(y * upper / top, plot.height, theme),
                row(y * lower / top, plot.height, theme),
            );
            if ends.0 == ends.1 && upper.is_finite() && lower > 0.0 {
                let text = format!("{} to {}", times(lower), times(upper));
                add(y * upper / top, Role::BandEnd, Glyph::BandTop, text, false);
            } else {
                let text = if upper.is_finite() {
                    times(upper)
                } else {
                    "no upper end".to_owned()
                };
                add(y * upper / top, Role::BandEnd, Glyph::BandTop, text, false);
                let text = if lower > 0.0 {
                    times(lower)
                } else {
                    "no lower end".to_owned()
                };
                add(y * lower / top, Role::BandEnd, Glyph::BandFoot, text, false);
            }
        }
        for series in self.series.iter().rev().filter(|s| !s.name.is_empty()) {
            let known = series.points.iter().rev().find_map(|(_, y)| *y);
            if let Some(y) = known.filter(|y| y.is_finite()) {
                let name = series.name.to_owned();
                add(y / top, series.role, Glyph::LineEnd, name, false);
            }
        }
        names
    }
}

/// `2.1x`; a multiple that nobody takes in is cut.
pub fn times(ratio: f64) -> String {
    match ratio {
        r if r >= 1000.0 => "over 999x".to_owned(),
        r if r > 0.0 && r < 0.01 => "under 0.01x".to_owned(),
        // near to the old one every hundredth counts
        r if r < 2.0 => format!("{}x", significant(r, 3)),
        r => format!("{}x", significant(r, 2)),
    }
}

/// Paints the names right of the plot, each as near to its line as others let it. What is less
/// important is left out where there are too few lines.
pub(super) fn paint(names: &[Name], buffer: &mut Buffer, plot: Rect, theme: &Theme) {
    let count = names.len().min(usize::from(plot.height));
    let mut shown: Vec<&Name> = names[..count].iter().collect();
    shown.sort_by_key(|name| name.row);
    let mut rows: Vec<u16> = Vec::with_capacity(count);
    for name in &shown {
        let least = rows.last().map_or(0, |row| row + 1);
        rows.push(name.row.max(least));
    }
    // what was pushed out at the foot pushes the others back up
    let mut most = plot.height;
    for row in rows.iter_mut().rev() {
        *row = (*row).min(most.saturating_sub(1));
        most = *row;
    }
    for (name, row) in shown.iter().zip(rows) {
        let line = Rect {
            x: plot.right(),
            y: plot.y + row,
            width: name.cells(),
            height: 1,
        };
        Pen::new(buffer, theme, line)
            .glyph(name.role, name.glyph)
            .skip(1)
            .text(name.role, &name.text);
    }
}

/// Paints the names of levels onto them, where there is no room beside the plot.
pub(super) fn paint_within(names: &[Name], buffer: &mut Buffer, plot: Rect, theme: &Theme) {
    let mut taken = None;
    for name in names.iter().filter(|name| name.level) {
        if taken == Some(name.row) || name.cells() + 2 > plot.width {
            continue;
        }
        taken = Some(name.row);
        let line = Rect {
            x: plot.x + 1,
            y: plot.y + name.row,
            width: plot.width - 1,
            height: 1,
        };
        Pen::new(buffer, theme, line)
            .text(name.role, " ")
            .text(name.role, &name.text)
            .text(name.role, " ");
    }
}
