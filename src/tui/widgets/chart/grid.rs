//! The dots of a chart's lines: eight to a cell where there is braille, one where there is not.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::Series;
use crate::tui::theme::Theme;

/// The dots of a braille cell by column and row.
const DOTS: [[u8; 4]; 2] = [[0x01, 0x02, 0x04, 0x40], [0x08, 0x10, 0x20, 0x80]];

/// The dots of one series.
pub(super) struct Grid {
    cols: i32,
    rows: i32,
    dots: Vec<bool>,
    per_cell: (i32, i32),
}

impl Grid {
    pub fn new(plot: Rect, dx: i32, dy: i32) -> Grid {
        let (cols, rows) = (i32::from(plot.width) * dx, i32::from(plot.height) * dy);
        Grid {
            cols,
            rows,
            dots: vec![false; usize::try_from(cols * rows).unwrap_or(0)],
            per_cell: (dx, dy),
        }
    }

    pub fn clear(&mut self) {
        self.dots.fill(false);
    }

    /// The dot for shares of width and height; the height counts from below.
    pub fn dot(&self, across: f64, up: f64) -> (i32, i32) {
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

    pub fn set(&mut self, dot: (i32, i32)) {
        if let Some(at) = self.index(dot) {
            self.dots[at] = true;
        }
    }

    /// Sets the dots between two, both included (Bresenham).
    pub fn line(&mut self, (mut x, mut y): (i32, i32), to: (i32, i32)) {
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

    pub fn paint(&self, buffer: &mut Buffer, plot: Rect, theme: &Theme, series: &Series<'_>) {
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
pub(in super::super) fn nearest(share: f64, count: u16) -> u16 {
    let last = f64::from(count.saturating_sub(1));
    (share * last).round().clamp(0.0, last) as u16
}
