//! Text by the cells it takes: measured, cut, aligned, wrapped.

use std::borrow::Cow;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use super::super::glyph::Glyph;
use super::super::theme::{Role, Theme};

/// The cells that a text takes on a line.
pub fn width(text: &str) -> usize {
    text.graphemes(true).map(cell_width).sum()
}

/// The cells of one grapheme; a control character takes none, as it is never painted.
fn cell_width(grapheme: &str) -> usize {
    if grapheme.contains(char::is_control) {
        0
    } else {
        grapheme.width()
    }
}

/// The text cut to `cells`, with `more` as its last sign where something was cut off.
pub fn clip<'a>(text: &'a str, cells: usize, more: &str) -> Cow<'a, str> {
    if width(text) <= cells {
        return Cow::Borrowed(text);
    }
    let room = cells.saturating_sub(width(more));
    let mut out = head(text, room).to_owned();
    if width(more) <= cells {
        out.push_str(more);
    }
    Cow::Owned(out)
}

/// As much of the text as fits into `cells`.
fn head(text: &str, cells: usize) -> &str {
    let mut taken = 0;
    for (at, grapheme) in text.grapheme_indices(true) {
        taken += cell_width(grapheme);
        if taken > cells {
            return &text[..at];
        }
    }
    text
}

/// The text broken into lines of at most `cells`, between words where that is possible. A line
/// break in the text stays one. At least one line.
pub fn wrap(text: &str, cells: usize) -> Vec<&str> {
    let mut lines = Vec::new();
    for mut rest in text.split('\n') {
        loop {
            if width(rest) <= cells || cells == 0 {
                lines.push(rest);
                break;
            }
            let fits = head(rest, cells);
            let blank_follows = rest[fits.len()..].starts_with(' ');
            let mut cut = if blank_follows {
                fits.len()
            } else {
                fits.rfind(' ').unwrap_or(0)
            };
            if fits[..cut].trim().is_empty() {
                // one word longer than the line; a sign wider than it is taken nevertheless
                let first = rest.graphemes(true).next().map_or(rest.len(), str::len);
                cut = fits.len().max(first);
            }
            lines.push(rest[..cut].trim_end());
            rest = rest[cut..].trim_start_matches(' ');
            if rest.is_empty() {
                break;
            }
        }
    }
    lines
}

/// Writes along one line of a buffer and never beyond its end.
pub struct Pen<'a> {
    buffer: &'a mut Buffer,
    theme: &'a Theme,
    x: u16,
    end: u16,
    y: u16,
}

impl<'a> Pen<'a> {
    /// A pen at the start of the first line of an area; it writes nothing where there is none.
    pub fn new(buffer: &'a mut Buffer, theme: &'a Theme, area: Rect) -> Pen<'a> {
        let area = area.intersection(buffer.area);
        let end = if area.height == 0 {
            area.x
        } else {
            area.right()
        };
        Pen {
            buffer,
            theme,
            x: area.x,
            end,
            y: area.y,
        }
    }

    /// The cells that are left.
    pub const fn room(&self) -> usize {
        self.end.saturating_sub(self.x) as usize
    }

    /// The column where it stands.
    pub const fn x(&self) -> u16 {
        self.x
    }

    /// Writes a text, cut where the line ends.
    pub fn text(&mut self, role: Role, text: &str) -> &mut Self {
        let room = self.room();
        self.field(role, text, room)
    }

    /// Writes a text into at most `cells`, cut with a sign where it is longer.
    pub fn field(&mut self, role: Role, text: &str, cells: usize) -> &mut Self {
        let cells = cells.min(self.room());
        if cells > 0 {
            let text = clip(text, cells, self.theme.glyph(Glyph::More));
            let style = self.theme.ink(role);
            (self.x, _) = self.buffer.set_stringn(self.x, self.y, &text, cells, style);
        }
        self
    }

    /// Writes a text into exactly `cells`, blank behind it.
    pub fn left(&mut self, role: Role, text: &str, cells: usize) -> &mut Self {
        let start = self.x;
        self.field(role, text, cells);
        self.skip(cells.saturating_sub(usize::from(self.x - start)))
    }

    /// Writes a text into exactly `cells`, blank before it.
    pub fn right(&mut self, role: Role, text: &str, cells: usize) -> &mut Self {
        self.skip(cells.saturating_sub(width(text)));
        self.field(role, text, cells)
    }

    /// Writes a sign.
    pub fn glyph(&mut self, role: Role, glyph: Glyph) -> &mut Self {
        self.text(role, self.theme.glyph(glyph))
    }

    /// Goes on so many cells.
    pub fn skip(&mut self, cells: usize) -> &mut Self {
        self.x = self.end.min(
            self.x
                .saturating_add(u16::try_from(cells).unwrap_or(u16::MAX)),
        );
        self
    }

    /// Goes to a column, if it lies ahead.
    pub fn to(&mut self, column: u16) -> &mut Self {
        self.x = self.x.max(column.min(self.end));
        self
    }

    /// Writes a text that ends where the line ends, if there is room for all of it, and ends the
    /// line before it.
    pub fn at_end(&mut self, role: Role, text: &str) -> &mut Self {
        let cells = width(text);
        if cells <= self.room() {
            let at = self.end - u16::try_from(cells).unwrap_or(0);
            self.buffer
                .set_stringn(at, self.y, text, cells, self.theme.ink(role));
            self.end = at;
        }
        self
    }
}

/// Fills an area with a role's ground and blanks.
pub fn fill(buffer: &mut Buffer, area: Rect, theme: &Theme, role: Role) {
    let area = area.intersection(buffer.area);
    for y in area.top()..area.bottom() {
        for x in area.left()..area.right() {
            buffer[(x, y)].reset();
        }
    }
    buffer.set_style(area, theme.style(role));
}

/// Draws a horizontal rule over the first line of an area.
pub fn rule(buffer: &mut Buffer, area: Rect, theme: &Theme) {
    let area = area.intersection(buffer.area);
    if area.height > 0 {
        let line = theme.glyph(Glyph::Rule).repeat(usize::from(area.width));
        buffer.set_stringn(
            area.x,
            area.y,
            line,
            usize::from(area.width),
            theme.style(Role::Rule),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::caps::Caps;
    use super::super::super::theme::Themes;
    use super::*;
    use proptest::prelude::*;

    fn line(buffer: &Buffer) -> String {
        (0..buffer.area.width)
            .map(|x| buffer[(x, 0)].symbol())
            .collect()
    }

    #[test]
    fn width_counts_cells() {
        assert_eq!(width("abc"), 3);
        assert_eq!(width("日本"), 4);
        assert_eq!(width("é"), 1);
        assert_eq!(width("👩‍🚀"), 2);
        assert_eq!(width("a\x1bb"), 2);
    }

    #[test]
    fn long_text_is_cut_with_a_sign() {
        assert_eq!(clip("payments", 8, "…"), "payments");
        assert_eq!(clip("payments", 5, "…"), "paym…");
        assert_eq!(clip("日本語", 5, "…"), "日本…");
        assert_eq!(clip("日本語", 4, "…"), "日…");
        assert_eq!(clip("ab", 1, "…"), "…");
        assert_eq!(clip("ab", 0, "…"), "");
    }

    #[test]
    fn lines_break_between_words() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("one two three", 5), ["one", "two", "three"]);
        assert_eq!(wrap("abcdefgh ij", 4), ["abcd", "efgh", "ij"]);
        assert_eq!(wrap("a\n\nb", 4), ["a", "", "b"]);
        assert_eq!(wrap("", 4), [""]);
        assert_eq!(wrap("日本", 1), ["日", "本"]);
        assert_eq!(wrap("anything", 0), ["anything"]);
    }

    #[test]
    fn a_pen_never_leaves_its_line() {
        let theme = Themes::auto(Caps::default());
        let mut buffer = Buffer::empty(Rect::new(0, 0, 12, 1));
        let mut pen = Pen::new(&mut buffer, &theme, Rect::new(1, 0, 10, 1));
        pen.left(Role::Strong, "R-1", 4)
            .right(Role::Text, "40 %", 5)
            .text(Role::Dim, "more than fits");
        assert_eq!(line(&buffer), " R-1  40 %… ");
        let mut buffer = Buffer::empty(Rect::new(0, 0, 12, 1));
        let mut pen = Pen::new(&mut buffer, &theme, Rect::new(0, 0, 12, 1));
        pen.at_end(Role::Dim, "31 s")
            .text(Role::Text, "rolling back");
        assert_eq!(line(&buffer), "rolling…31 s");
        // outside the buffer nothing happens
        Pen::new(&mut buffer, &theme, Rect::new(5, 9, 3, 1))
            .text(Role::Text, "x")
            .at_end(Role::Text, "y");
        Pen::new(&mut buffer, &theme, Rect::new(0, 0, 0, 0)).text(Role::Text, "x");
    }

    proptest! {
        #[test]
        fn nothing_is_ever_wider_than_asked(text in "\\PC{0,40}", cells in 0usize..30) {
            prop_assert!(width(&clip(&text, cells, "…")) <= cells);
            if cells >= 2 {
                for line in wrap(&text, cells) {
                    // a letter with many marks can be wider than any line, and is not cut
                    let alone = line.trim().graphemes(true).count() <= 1;
                    prop_assert!(width(line) <= cells || alone, "{line:?}");
                }
            }
        }

        #[test]
        fn wrapping_loses_no_letter(text in "[a-z日 \n]{0,60}", cells in 2usize..12) {
            let all: String = wrap(&text, cells).concat();
            prop_assert_eq!(all.replace(' ', ""), text.replace([' ', '\n'], ""));
        }
    }
}
