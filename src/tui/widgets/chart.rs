//! A line chart of a few series over time: braille where there is Unicode, signs where there is
//! not. What is not known is a gap, never a zero.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::super::glyph::Glyph;
use super::super::theme::{Role, Theme};
use super::text::width;

/// The dots of a braille cell by column and row.
const DOTS: [[u8; 4]; 2] = [[0x01, 0x02, 0x04, 0x40], [0x08, 0x10, 0x20, 0x80]];

/// One line of a chart.
#[derive(Clone, Copy, Debug)]
pub struct Series<'a> {
    /// Where along the axis, ascending, and how much; `None` or no number where it is not known.
    pub points: &'a [(f64, Option<f64>)],
    /// Its colour; a later series is painted over an earlier one.
    pub role: Role,
    /// Its sign where there is no braille.
    pub sign: &'a str,
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
    /// A horizontal line: what is allowed.
    pub limit: Option<f64>,
    /// Vertical lines: when something happened.
    pub markers: &'a [f64],
    /// How a value is written on the scale.
    pub value: &'a dyn Fn(f64) -> String,
    /// How a moment is written on the axis.
    pub moment: &'a dyn Fn(f64) -> String,
}

/// Cells between two labels of the axis.
const LABEL_EVERY: u16 = 10;

impl Chart<'_> {
    /// Paints scale, axis and lines into an area; without room for them, the lines alone.
    pub fn paint(&self, buffer: &mut Buffer, area: Rect, theme: &Theme) {
        let area = area.intersection(buffer.area);
        if area.is_empty() {
            return;
        }
        let top = self.scale();
        // the middle of an odd height is not half of the scale
        let rows = f64::from(area.height.saturating_sub(2).max(1));
        let middle = top * (rows - (rows / 2.0).floor()) / rows;
        let gutter = [top, middle, 0.0]
            .map(|v| width(&(self.value)(v)))
            .into_iter()
            .max();
        let gutter = u16::try_from(gutter.unwrap_or(0) + 2).unwrap_or(u16::MAX);
        let plot = if area.height >= 4 && area.width >= gutter.saturating_add(LABEL_EVERY) {
            Rect {
                x: area.x + gutter,
                y: area.y,
                width: area.width - gutter,
                height: area.height - 2,
            }
        } else {
            area
        };
        self.lines(buffer, plot, theme, top);
        if plot != area {
            self.axis(buffer, plot, theme);
            self.values(buffer, plot, theme, top, gutter);
        }
    }

    /// The value at the top of the plot.
    fn scale(&self) -> f64 {
        if let Some(top) = self.top.filter(|top| top.is_finite() && *top > 0.0) {
            return top;
        }
        let most = self
            .series
            .iter()
            .flat_map(|series| series.points)
            .filter(|(x, _)| (self.span.0..=self.span.1).contains(x))
            .filter_map(|(_, y)| *y)
            .chain(self.limit)
            .filter(|y| y.is_finite())
            .fold(0.0, f64::max);
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
        if let Some(limit) = self.limit.filter(|limit| (0.0..=top).contains(limit)) {
            let y = plot.bottom() - 1 - nearest(limit / top, plot.height);
            for x in plot.left()..plot.right() {
                buffer[(x, y)]
                    .set_symbol(theme.glyph(Glyph::Dotted))
                    .set_style(theme.style(Role::Limit));
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

    fn axis(&self, buffer: &mut Buffer, plot: Rect, theme: &Theme) {
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
                buffer.set_stringn(x, y + 1, &label, usize::from(cells), style);
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
                let share = f64::from(plot.bottom() - y) / f64::from(plot.height);
                (tick, Some(top * share))
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

/// The dots of one series.
struct Grid {
    cols: i32,
    rows: i32,
    dots: Vec<bool>,
    per_cell: (i32, i32),
}

impl Grid {
    fn new(plot: Rect, dx: i32, dy: i32) -> Grid {
        let (cols, rows) = (i32::from(plot.width) * dx, i32::from(plot.height) * dy);
        Grid {
            cols,
            rows,
            dots: vec![false; usize::try_from(cols * rows).unwrap_or(0)],
            per_cell: (dx, dy),
        }
    }

    fn clear(&mut self) {
        self.dots.fill(false);
    }

    /// The dot for shares of width and height; the height counts from below.
    fn dot(&self, across: f64, up: f64) -> (i32, i32) {
        let at = |share: f64, count: i32| {
            i32::from(nearest(share, u16::try_from(count).unwrap_or(u16::MAX)))
        };
        (at(across, self.cols), self.rows - 1 - at(up, self.rows))
    }

    fn index(&self, (x, y): (i32, i32)) -> Option<usize> {
        let inside = (0..self.cols).contains(&x) && (0..self.rows).contains(&y);
        inside
            .then(|| usize::try_from(y * self.cols + x).ok())
            .flatten()
    }

    fn set(&mut self, dot: (i32, i32)) {
        if let Some(at) = self.index(dot) {
            self.dots[at] = true;
        }
    }

    /// Sets the dots between two, both included (Bresenham).
    fn line(&mut self, (mut x, mut y): (i32, i32), to: (i32, i32)) {
        let (dx, dy) = ((to.0 - x).abs(), -(to.1 - y).abs());
        let (sx, sy) = ((to.0 - x).signum(), (to.1 - y).signum());
        let mut error = dx + dy;
        loop {
            self.set((x, y));
            if (x, y) == to {
                return;
            }
            let twice = 2 * error;
            if twice >= dy {
                error += dy;
                x += sx;
            }
            if twice <= dx {
                error += dx;
                y += sy;
            }
        }
    }

    fn paint(&self, buffer: &mut Buffer, plot: Rect, theme: &Theme, series: &Series<'_>) {
        let style = theme.style(series.role);
        let (dx, dy) = self.per_cell;
        for row in 0..plot.height {
            for col in 0..plot.width {
                let mut bits = 0;
                for (x, column) in (0..dx).zip(DOTS) {
                    for (y, bit) in (0..dy).zip(column) {
                        let dot = (i32::from(col) * dx + x, i32::from(row) * dy + y);
                        if self.index(dot).is_some_and(|at| self.dots[at]) {
                            bits |= bit;
                        }
                    }
                }
                if bits == 0 {
                    continue;
                }
                let cell = &mut buffer[(plot.x + col, plot.y + row)];
                if theme.unicode() {
                    // the dots of the series beneath stay, in the colour of this one
                    let beneath = braille(cell.symbol());
                    let sign = char::from_u32(0x2800 + u32::from(bits | beneath)).unwrap_or(' ');
                    cell.set_char(sign).set_style(style);
                } else {
                    cell.set_symbol(series.sign).set_style(style);
                }
            }
        }
    }
}

/// The dots that a cell shows already.
fn braille(symbol: &str) -> u8 {
    let sign = symbol.chars().next().map_or(0, u32::from);
    sign.checked_sub(0x2800)
        .and_then(|bits| u8::try_from(bits).ok())
        .unwrap_or(0)
}

/// The place for a share of `count` places.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to 0..count"
)]
fn nearest(share: f64, count: u16) -> u16 {
    let last = f64::from(count.saturating_sub(1));
    (share * last).round().clamp(0.0, last) as u16
}

/// The next round number: 1, 2, 2.5 or 5 times a power of ten. 1 for nothing.
fn round_up(most: f64) -> f64 {
    if !most.is_finite() || most <= 0.0 {
        return 1.0;
    }
    let power = 10f64.powf(most.log10().floor());
    [1.0, 2.0, 2.5, 5.0, 10.0]
        .into_iter()
        .map(|step| step * power)
        .find(|top| *top >= most * (1.0 - 1e-9))
        .unwrap_or(most)
}

#[cfg(test)]
mod tests {
    use super::super::super::caps::Caps;
    use super::super::super::theme::Themes;
    use super::*;

    fn painted(chart: &Chart<'_>, cols: u16, rows: u16, unicode: bool) -> Vec<String> {
        let theme = Themes::auto(Caps {
            unicode,
            ..Caps::default()
        });
        let area = Rect::new(0, 0, cols, rows);
        let mut buffer = Buffer::empty(area);
        chart.paint(&mut buffer, area, &theme);
        (0..rows)
            .map(|y| {
                let line: String = (0..cols).map(|x| buffer[(x, y)].symbol()).collect();
                line.trim_end().to_owned()
            })
            .collect()
    }

    fn chart<'a>(series: &'a [Series<'a>]) -> Chart<'a> {
        Chart {
            series,
            span: (0.0, 30.0),
            join: 2.0,
            top: None,
            limit: None,
            markers: &[],
            value: &|v| format!("{v:.0}"),
            moment: &|x| {
                if x >= 30.0 {
                    "now".into()
                } else {
                    format!("{x:.0}")
                }
            },
        }
    }

    fn line<'a>(points: &'a [(f64, Option<f64>)], role: Role, sign: &'a str) -> Series<'a> {
        Series { points, role, sign }
    }

    #[test]
    fn two_lines_with_scale_and_axis() {
        let new: Vec<_> = (15..=30)
            .map(|x| (f64::from(x), Some(f64::from(x) * 13.0)))
            .collect();
        let old: Vec<_> = (0..=30).map(|x| (f64::from(x), Some(190.0))).collect();
        let series = [line(&old, Role::Old, "."), line(&new, Role::New, "*")];
        assert_eq!(
            painted(&chart(&series), 36, 7, true),
            [
                "500 ┤",
                "    │                        ⣀⣀⠤⠤⠒⠒⠉",
                "300 ┤                ⣀⣀⠤⠤⠒⠒⠉⠉",
                "    │⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉",
                "    │",
                "  0 ┼┬─────────┬─────────┬─────────┬",
                "     0        10        20       now",
            ]
            .map(str::to_owned)
        );
    }

    #[test]
    fn what_is_not_known_is_a_gap() {
        let points: Vec<_> = (0..=30)
            .map(|x| {
                (
                    f64::from(x),
                    match x {
                        10..15 => None,
                        20..25 => Some(f64::NAN),
                        _ => Some(5.0),
                    },
                )
            })
            .collect();
        let series = [line(&points, Role::New, "*")];
        let rows = painted(&chart(&series), 40, 4, false);
        let plot = &rows[0][3..];
        assert_eq!(plot, "************      ******      *******");
        // points far apart are not joined either
        let points = [(0.0, Some(5.0)), (30.0, Some(5.0))];
        let series = [line(&points, Role::New, "*")];
        let rows = painted(&chart(&series), 40, 4, false);
        assert_eq!(
            rows.iter().map(|r| r.matches('*').count()).sum::<usize>(),
            2
        );
    }

    #[test]
    fn limit_markers_and_what_is_beyond_the_scale() {
        let points: Vec<_> = (0..=30)
            .map(|x| (f64::from(x), Some(if x < 20 { 1.0 } else { 99.0 })))
            .collect();
        let series = [line(&points, Role::New, "*")];
        let chart = Chart {
            top: Some(10.0),
            limit: Some(5.0),
            markers: &[15.0, 99.0],
            ..chart(&series)
        };
        let rows = painted(&chart, 34, 7, false);
        assert!(rows[0].ends_with("***********"), "{rows:#?}");
        assert!(rows[2].contains("............"), "{rows:#?}");
        assert_eq!(rows[3].matches(':').count(), 1, "{rows:#?}");
        assert!(rows.iter().all(|row| row.is_ascii()));
    }

    #[test]
    fn nothing_known_is_an_empty_chart_and_any_size_is_survived() {
        let none = [
            (3.0, None),
            (f64::NAN, Some(1.0)),
            (f64::INFINITY, Some(f64::INFINITY)),
        ];
        let series = [line(&none, Role::New, "*")];
        for unicode in [true, false] {
            for cols in 0..30 {
                for rows in 0..9 {
                    let rows = painted(&chart(&series), cols, rows, unicode);
                    assert!(rows.iter().all(|row| !row.contains('*')));
                }
            }
        }
        let flat = Chart {
            span: (5.0, 5.0),
            ..chart(&series)
        };
        painted(&flat, 30, 9, true);
    }

    #[test]
    fn scales_end_at_round_numbers() {
        for (most, top) in [
            (0.0, 1.0),
            (0.34, 0.5),
            (412.0, 500.0),
            (1000.0, 1000.0),
            (1001.0, 2000.0),
            (f64::NAN, 1.0),
        ] {
            assert!((round_up(most) - top).abs() < 1e-9 * top, "{most}");
        }
    }
}
