//! A line chart of a few series over time: braille where there is Unicode, signs where there is
//! not. What is not known is a gap, never a zero. Beneath the lines lie the band within which one of
//! them lies, and levels that mean something, each with its name beside the plot.

mod grid;
mod marks;

pub use marks::{Band, Level, times};

pub(super) use grid::nearest;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::super::glyph::Glyph;
use super::super::theme::{Role, Theme};
use super::text::width;
use grid::Grid;

/// One line of a chart.
#[derive(Clone, Copy, Debug)]
pub struct Series<'a> {
    /// Where along the axis, ascending, and how much; `None` or no number where it is not known.
    pub points: &'a [(f64, Option<f64>)],
    /// Its colour; a later series is painted over an earlier one.
    pub role: Role,
    /// Its sign where there is no braille.
    pub sign: &'a str,
    /// What stands beside its end, where there is room for names.
    pub name: &'a str,
}

/// A line chart.
pub struct Chart<'a> {
    /// The lines.
    pub series: &'a [Series<'a>],
    /// Where the axis begins and ends.
    pub span: (f64, f64),
    /// Points further apart than this are not joined: in between, nothing was measured.
    pub join: f64,
    /// The top of the scale; the next round number above what there is, where not given.
    pub top: Option<f64>,
    /// Horizontal lines that mean something, those first that are named before others.
    pub levels: &'a [Level<'a>],
    /// Between what the last series lies.
    pub band: Option<Band<'a>>,
    /// Vertical lines: when something happened.
    pub markers: &'a [f64],
    /// How a value is written on the scale.
    pub value: &'a dyn Fn(f64) -> String,
    /// How a moment is written on the axis.
    pub moment: &'a dyn Fn(f64) -> String,
}

/// Cells between two labels of the axis.
const LABEL_EVERY: u16 = 10;
/// Below so many lines a chart has no line to spare for moments.
const LOW: u16 = 7;
/// What is further above the measured values than this many times is not drawn to scale: the lines
/// would be flat.
const FAR: f64 = 4.0;

impl Chart<'_> {
    /// Paints scale, axis and lines into an area; without room for them, the lines alone.
    pub fn paint(&self, buffer: &mut Buffer, area: Rect, theme: &Theme) {
        let area = area.intersection(buffer.area);
        if area.is_empty() {
            return;
        }
        let top = self.scale();
        // in a low chart the moments stand on the axis itself
        let foot = if area.height >= LOW { 2 } else { 1 };
        let gutter = [top, top / 2.0, 0.0]
            .map(|v| width(&(self.value)(v)))
            .into_iter()
            .max();
        let gutter = u16::try_from(gutter.unwrap_or(0) + 2).unwrap_or(u16::MAX);
        let plot = if area.height > foot + 1 && area.width >= gutter.saturating_add(LABEL_EVERY) {
            Rect {
                x: area.x + gutter,
                y: area.y,
                width: area.width - gutter,
                height: area.height - foot,
            }
        } else {
            area
        };
        let names = self.names(plot, theme, top);
        let cells = names.iter().map(marks::Name::cells).max().unwrap_or(0);
        // names take no more than they leave to the lines
        let beside = plot != area && plot.width >= cells.saturating_mul(2).max(30);
        let plot = Rect {
            width: plot.width - if beside { cells } else { 0 },
            ..plot
        };
        self.lines(buffer, plot, theme, top);
        if beside {
            marks::paint(&names, buffer, plot, theme);
        } else {
            marks::paint_within(&names, buffer, plot, theme);
        }
        if plot != area {
            self.axis(buffer, plot, theme, foot);
            self.values(buffer, plot, theme, top, gutter);
        }
    }

    /// The value at the top of the plot.
    fn scale(&self) -> f64 {
        if let Some(top) = self.top.filter(|top| top.is_finite() && *top > 0.0) {
            return top;
        }
        let measured = self
            .series
            .iter()
            .flat_map(|series| series.points)
            .filter(|(x, _)| (self.span.0..=self.span.1).contains(x))
            .filter_map(|(_, y)| *y)
            .filter(|y| y.is_finite())
            .fold(0.0, f64::max);
        let levels = || self.levels.iter().map(|level| level.at);
        let near = if measured > 0.0 {
            measured
        } else {
            levels().filter(|y| *y > 0.0).fold(f64::INFINITY, f64::min)
        };
        let band = self.band.and_then(|band| band.top(self.span));
        let most = levels()
            .filter(|y| *y <= near * FAR)
            .chain(band.map(|y| y.min(near * 2.0)))
            .filter(|y| y.is_finite())
            .fold(measured, f64::max);
        round_up(most)
    }

    /// Where a moment lies between 0 and 1; `None` outside.
    fn across(&self, x: f64) -> Option<f64> {
        let (from, to) = self.span;
        let share = (x - from) / (to - from);
        (0.0..=1.0).contains(&share).then_some(share)
    }

    fn lines(&self, buffer: &mut Buffer, plot: Rect, theme: &Theme, top: f64) {
        for marker in self.markers.iter().filter_map(|x| self.across(*x)) {
            let x = plot.x + nearest(marker, plot.width);
            for y in plot.top()..plot.bottom() {
                buffer[(x, y)]
                    .set_symbol(theme.glyph(Glyph::Limit))
                    .set_style(theme.style(Role::Marker));
            }
        }
        if let Some(band) = self.band {
            self.shade(band, buffer, plot, theme, top);
        }
        for level in self.levels.iter().filter(|l| (0.0..=top).contains(&l.at)) {
            let y = plot.y + row(level.at / top, plot.height, theme);
            for x in plot.left()..plot.right() {
                buffer[(x, y)]
                    .set_symbol(theme.glyph(level.glyph))
                    .set_style(theme.style(level.role));
            }
        }
        let (dx, dy) = if theme.unicode() { (2, 4) } else { (1, 1) };
        let mut grid = Grid::new(plot, dx, dy);
        for series in self.series {
            grid.clear();
            self.trace(series, top, &mut grid);
            grid.paint(buffer, plot, theme, series);
        }
    }

    /// Sets the dots of one series.
    fn trace(&self, series: &Series<'_>, top: f64, grid: &mut Grid) {
        let mut before: Option<(f64, (i32, i32))> = None;
        for (x, y) in series.points {
            let place = y.filter(|y| y.is_finite()).zip(self.across(*x));
            let Some((y, across)) = place else {
                before = None;
                continue;
            };
            // beyond the scale is at its edge: it must not vanish
            let dot = grid.dot(across, (y / top).clamp(0.0, 1.0));
            match before {
                Some((earlier, from)) if x - earlier <= self.join => grid.line(from, dot),
                _ => grid.set(dot),
            }
            before = Some((*x, dot));
        }
    }

    fn axis(&self, buffer: &mut Buffer, plot: Rect, theme: &Theme, foot: u16) {
        let style = theme.style(Role::Axis);
        let y = plot.bottom();
        let [line, tick] = if theme.unicode() {
            ["─", "┬"]
        } else {
            ["-", "+"]
        };
        let last = plot.width - 1;
        // ticks from the right: that is where now is
        let ticks: Vec<u16> = (0..=last).rev().step_by(usize::from(LABEL_EVERY)).collect();
        for x in 0..plot.width {
            let sign = if ticks.contains(&x) { tick } else { line };
            buffer[(plot.x + x, y)].set_symbol(sign).set_style(style);
        }
        let mut free_to = plot.right();
        for tick in ticks {
            let share = if last == 0 {
                1.0
            } else {
                f64::from(tick) / f64::from(last)
            };
            let label = (self.moment)(self.span.0 + share * (self.span.1 - self.span.0));
            let cells = u16::try_from(width(&label)).unwrap_or(u16::MAX);
            let x = (plot.x + tick)
                .saturating_sub(cells / 2)
                .min(plot.right().saturating_sub(cells));
            if x >= plot.x && x.saturating_add(cells) <= free_to {
                buffer.set_stringn(x, y + foot - 1, &label, usize::from(cells), style);
                free_to = x.saturating_sub(1);
            }
        }
    }

    fn values(&self, buffer: &mut Buffer, plot: Rect, theme: &Theme, top: f64, gutter: u16) {
        let style = theme.style(Role::Axis);
        let [tick, line, corner] = if theme.unicode() {
            ["┤", "│", "┼"]
        } else {
            ["+", "|", "+"]
        };
        let x = plot.x - 1;
        let middle = (plot.height >= 5).then_some(plot.y + plot.height / 2);
        for y in plot.top()..=plot.bottom() {
            let (sign, value) = if y == plot.bottom() {
                (corner, Some(0.0))
            } else if y == plot.y {
                (tick, Some(top))
            } else if Some(y) == middle {
                // half of the scale lies within this line, at its lower edge or in its middle
                (tick, Some(top / 2.0))
            } else {
                (line, None)
            };
            buffer[(x, y)].set_symbol(sign).set_style(style);
            if let Some(value) = value {
                let label = (self.value)(value);
                let cells = u16::try_from(width(&label)).unwrap_or(u16::MAX);
                let at = x
                    .saturating_sub(1)
                    .saturating_sub(cells)
                    .max(x + 1 - gutter);
                buffer.set_stringn(at, y, &label, usize::from(gutter - 2), style);
            }
        }
    }
}

/// The line of a plot, from above, in which a share of its height is painted.
fn row(share: f64, height: u16, theme: &Theme) -> u16 {
    let dots = if theme.unicode() { 4 } else { 1 };
    let up = nearest(share.clamp(0.0, 1.0), height.saturating_mul(dots)) / dots;
    height.saturating_sub(1).saturating_sub(up)
}

/// The next round number: one of a few times a power of ten. 1 for nothing.
fn round_up(most: f64) -> f64 {
    if !most.is_finite() || most <= 0.0 {
        return 1.0;
    }
    let power = 10f64.powf(most.log10().floor());
    [1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0]
        .into_iter()
        .map(|step| step * power)
        .find(|top| *top >= most * (1.0 - 1e-9))
        .unwrap_or(most)
}

#[cfg(test)]
mod tests;
