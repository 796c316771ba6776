//! Where a list stands: its cursor and the first row that shows.

use std::ops::Range;

use super::super::action::Action;

/// Rows between the cursor and the edge of the view, where there is room for them.
const MARGIN: usize = 2;

/// A cursor in a list and the part of the list that shows. It moves by [`Scroll::act`] and
/// [`Scroll::to`]; painting only asks for [`Scroll::view`], so that drawing changes nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scroll {
    cursor: usize,
    first: usize,
}

impl Scroll {
    /// The row under the cursor, in a list of so many rows; `None` when it is empty.
    pub fn cursor(&self, rows: usize) -> Option<usize> {
        rows.checked_sub(1).map(|last| self.cursor.min(last))
    }

    /// The rows that show in a view of this height. Where the list became shorter or the view
    /// smaller since the last move, it is clamped, and the cursor stays in sight.
    pub fn view(&self, rows: usize, height: usize) -> Range<usize> {
        let first = self.clamped(rows, height);
        first..rows.min(first + height)
    }

    /// Puts the cursor on a row.
    pub fn to(&mut self, row: usize, rows: usize, height: usize) {
        self.cursor = row.min(rows.saturating_sub(1));
        self.first = self.clamped(rows, height);
    }

    /// Moves as the action says; `false` when it is none that moves.
    pub fn act(&mut self, action: Action, rows: usize, height: usize) -> bool {
        let page = height.max(1);
        let cursor = self.cursor.min(rows.saturating_sub(1));
        let row = match action {
            Action::NextRow => cursor.saturating_add(1),
            Action::PreviousRow => cursor.saturating_sub(1),
            Action::FirstRow => 0,
            Action::LastRow => rows,
            Action::HalfPageDown => cursor.saturating_add(page.div_ceil(2)),
            Action::HalfPageUp => cursor.saturating_sub(page.div_ceil(2)),
            Action::PageDown => cursor.saturating_add(page),
            Action::PageUp => cursor.saturating_sub(page),
            _ => return false,
        };
        self.to(row, rows, height);
        true
    }

    /// Scrolls the view without the cursor, as a wheel does; the cursor stays in sight.
    pub fn wheel(&mut self, down: bool, rows: usize, height: usize) {
        const STEP: usize = 3;
        let last = rows.saturating_sub(height);
        self.first = if down {
            (self.first + STEP).min(last)
        } else {
            self.first.saturating_sub(STEP)
        };
        let margin = margin(height);
        let low = if self.first == 0 {
            0
        } else {
            self.first + margin
        };
        let high = (self.first + height).saturating_sub(1 + margin);
        let high = if self.first == last {
            rows.saturating_sub(1)
        } else {
            high
        };
        self.cursor = self.cursor.clamp(low.min(high), high);
    }

    /// The first row that shows, so that the cursor does.
    fn clamped(&self, rows: usize, height: usize) -> usize {
        let cursor = self.cursor.min(rows.saturating_sub(1));
        let margin = margin(height);
        let least = (cursor + margin + 1).saturating_sub(height);
        let most = cursor.saturating_sub(margin);
        self.first
            .clamp(least.min(most), most)
            .min(rows.saturating_sub(height))
    }
}

const fn margin(height: usize) -> usize {
    let room = height.saturating_sub(1) / 2;
    if room < MARGIN { room } else { MARGIN }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_view_follows_the_cursor_and_keeps_its_distance() {
        let mut scroll = Scroll::default();
        for _ in 0..5 {
            scroll.act(Action::NextRow, 20, 6);
        }
        assert_eq!((scroll.cursor(20), scroll.view(20, 6)), (Some(5), 2..8));
        scroll.act(Action::LastRow, 20, 6);
        assert_eq!((scroll.cursor(20), scroll.view(20, 6)), (Some(19), 14..20));
        scroll.act(Action::HalfPageUp, 20, 6);
        assert_eq!((scroll.cursor(20), scroll.view(20, 6)), (Some(16), 14..20));
        scroll.act(Action::FirstRow, 20, 6);
        assert_eq!(scroll.view(20, 6), 0..6);
        assert!(!scroll.act(Action::Why, 20, 6));
    }

    #[test]
    fn a_list_that_shrinks_keeps_the_cursor_inside() {
        let mut scroll = Scroll::default();
        scroll.to(19, 20, 6);
        assert_eq!(scroll.cursor(3), Some(2));
        assert_eq!(scroll.view(3, 6), 0..3);
        assert_eq!(scroll.cursor(0), None);
        assert_eq!(scroll.view(0, 6), 0..0);
    }

    proptest! {
        #[test]
        fn the_cursor_is_always_in_sight(steps in prop::collection::vec((0usize..10, 1usize..40, 1usize..12), 1..30)) {
            let mut scroll = Scroll::default();
            for (step, rows, height) in steps {
                match step {
                    8 => scroll.wheel(true, rows, height),
                    9 => scroll.wheel(false, rows, height),
                    n => { scroll.act(Action::ALL[n], rows, height); }
                }
                let view = scroll.view(rows, height);
                prop_assert!(view.contains(&scroll.cursor(rows).unwrap()), "{scroll:?} {view:?}");
                prop_assert!(view.len() == height.min(rows));
            }
        }
    }
}
