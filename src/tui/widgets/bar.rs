//! A bar of parts.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::super::glyph::Glyph;
use super::super::theme::{Role, Theme};

/// One part of a bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// How many of the whole.
    pub count: usize,
    /// What it means.
    pub role: Role,
    /// Its sign, as no meaning rests on colour alone.
    pub glyph: Glyph,
}

/// Paints parts of a whole of `total` along the first line of an area; what they leave is to come.
/// A part that is not empty shows at least one cell, where there are cells enough.
pub fn bar(buffer: &mut Buffer, area: Rect, theme: &Theme, total: usize, parts: &[Part]) {
    let area = area.intersection(buffer.area);
    if area.height == 0 {
        return;
    }
    let done: usize = parts.iter().map(|part| part.count).sum();
    let rest = Part {
        count: total.saturating_sub(done),
        role: Role::BarRest,
        glyph: Glyph::Empty,
    };
    let all: Vec<Part> = parts.iter().copied().chain([rest]).collect();
    let counts: Vec<usize> = all.iter().map(|part| part.count).collect();
    let mut x = area.x;
    for (part, cells) in all.iter().zip(cells(&counts, usize::from(area.width))) {
        for _ in 0..cells {
            buffer[(x, area.y)]
                .set_symbol(theme.glyph(part.glyph))
                .set_style(theme.style(part.role));
            x += 1;
        }
    }
}

/// Shares out `width` cells: exactly all of them, to each its share, at least one to each that is
/// not empty, where there are cells enough.
fn cells(counts: &[usize], width: usize) -> Vec<usize> {
    let total: usize = counts.iter().sum();
    if total == 0 {
        let mut none = vec![0; counts.len()];
        if let Some(last) = none.last_mut() {
            *last = width;
        }
        return none;
    }
    let mut cells: Vec<usize> = counts
        .iter()
        .map(|count| (count * width / total).max(usize::from(*count > 0)))
        .collect();
    // what rounding took or gave is settled where it shows least: at the largest share
    loop {
        let sum: usize = cells.iter().sum();
        let largest = (0..cells.len()).max_by_key(|n| (cells[*n], counts[*n]));
        let Some(largest) = largest.filter(|_| sum != width) else {
            return cells;
        };
        if sum > width {
            cells[largest] -= 1;
        } else {
            // to the one that is furthest below its share
            let short = (0..cells.len())
                .rev()
                .filter(|n| counts[*n] > 0)
                .max_by_key(|n| (counts[*n] * width).saturating_sub(cells[*n] * total))
                .unwrap_or(largest);
            cells[short] += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::caps::Caps;
    use super::super::super::theme::Themes;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn parts_stand_side_by_side() {
        let theme = Themes::auto(Caps::default());
        let mut buffer = Buffer::empty(Rect::new(0, 0, 10, 1));
        let parts = [
            Part {
                count: 6,
                role: Role::BarDone,
                glyph: Glyph::Full,
            },
            Part {
                count: 2,
                role: Role::BarMoving,
                glyph: Glyph::Half,
            },
        ];
        bar(&mut buffer, Rect::new(0, 0, 10, 1), &theme, 20, &parts);
        let line: String = (0..10).map(|x| buffer[(x, 0)].symbol()).collect();
        assert_eq!(line, "███▓░░░░░░");
        assert_eq!(buffer[(0, 0)].style().fg, theme.style(Role::BarDone).fg);
    }

    #[test]
    fn one_of_many_still_shows() {
        assert_eq!(cells(&[1, 0, 999], 10), [1, 0, 9]);
        assert_eq!(cells(&[999, 1], 10), [9, 1]);
        assert_eq!(cells(&[0, 0], 10), [0, 10]);
        assert_eq!(cells(&[3, 3, 3], 10), [4, 3, 3]);
    }

    proptest! {
        #[test]
        fn every_cell_is_given_away(counts in prop::collection::vec(0usize..50, 1..6), width in 0usize..60) {
            let cells = cells(&counts, width);
            prop_assert_eq!(cells.iter().sum::<usize>(), width);
            let shown = counts.iter().filter(|c| **c > 0).count();
            if shown <= width {
                prop_assert!(counts.iter().zip(&cells).all(|(count, cells)| *count == 0 || *cells > 0));
            }
        }
    }
}
