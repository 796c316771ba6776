//! The box of a dialog, the only box there is.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::super::theme::{Role, Theme};
use super::text::{clip, fill, width};

/// The box of a dialog.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// What it is about.
    pub title: &'a str,
    /// Whether what it asks is hard to take back.
    pub danger: bool,
    /// The cells that its text wants.
    pub cols: u16,
    /// The lines that its text wants.
    pub rows: u16,
}

impl Frame<'_> {
    /// Where the box stands on a screen: in the middle, as large as wanted and possible.
    pub fn area(&self, screen: Rect) -> Rect {
        let title = u16::try_from(width(self.title)).unwrap_or(u16::MAX);
        let wanted = self.cols.max(title).saturating_add(4);
        let cols = wanted.min(screen.width);
        let rows = self.rows.saturating_add(2).min(screen.height);
        Rect {
            x: screen.x + (screen.width - cols) / 2,
            y: screen.y + (screen.height - rows) / 2,
            width: cols,
            height: rows,
        }
    }

    /// Where its text goes on a screen.
    pub fn inside(&self, screen: Rect) -> Rect {
        let area = self.area(screen);
        let side = if area.width > 4 { 2 } else { 0 };
        let edge = if area.height > 2 { 1 } else { 0 };
        Rect {
            x: area.x + side,
            y: area.y + edge,
            width: area.width - 2 * side,
            height: area.height - 2 * edge,
        }
    }

    /// Paints the box over whatever is there and says where its text goes.
    pub fn paint(&self, buffer: &mut Buffer, screen: Rect, theme: &Theme) -> Rect {
        let screen = screen.intersection(buffer.area);
        let area = self.area(screen);
        fill(buffer, area, theme, Role::Dialog);
        let inside = self.inside(screen);
        if inside.height == area.height || inside.width == area.width {
            return inside;
        }
        let [h, v, tl, tr, bl, br] = if theme.unicode() {
            ["─", "│", "┌", "┐", "└", "┘"]
        } else {
            ["-", "|", "+", "+", "+", "+"]
        };
        let style = theme.style(if self.danger {
            Role::DialogDanger
        } else {
            Role::DialogBorder
        });
        let (left, right, top, bottom) = (area.x, area.right() - 1, area.y, area.bottom() - 1);
        let mut put = |x, y, sign| {
            buffer[(x, y)].set_symbol(sign).set_style(style);
        };
        for x in left..=right {
            put(x, top, h);
            put(x, bottom, h);
        }
        for y in top..=bottom {
            put(left, y, v);
            put(right, y, v);
        }
        for (x, y, sign) in [
            (left, top, tl),
            (right, top, tr),
            (left, bottom, bl),
            (right, bottom, br),
        ] {
            put(x, y, sign);
        }
        let room = usize::from(area.width).saturating_sub(4);
        let more = theme.glyph(super::super::glyph::Glyph::More);
        let title = format!(" {} ", clip(self.title, room, more));
        buffer.set_stringn(
            left + 1,
            top,
            title,
            room + 2,
            theme.style(Role::DialogTitle),
        );
        inside
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::caps::Caps;
    use super::super::super::theme::Themes;
    use super::*;

    fn lines(buffer: &Buffer) -> Vec<String> {
        let area = buffer.area;
        (0..area.height)
            .map(|y| (0..area.width).map(|x| buffer[(x, y)].symbol()).collect())
            .collect()
    }

    #[test]
    fn a_box_covers_what_is_beneath() {
        let theme = Themes::auto(Caps::default());
        let screen = Rect::new(0, 0, 16, 5);
        let mut buffer = Buffer::with_lines(["xxxxxxxxxxxxxxxx"; 5]);
        let frame = Frame {
            title: "Promote R-214",
            danger: false,
            cols: 8,
            rows: 1,
        };
        let inside = frame.paint(&mut buffer, screen, &theme);
        assert_eq!(inside, Rect::new(2, 2, 12, 1));
        assert_eq!(
            lines(&buffer),
            [
                "xxxxxxxxxxxxxxxx",
                "┌ Promote R-2… ┐",
                "│              │",
                "└──────────────┘",
                "xxxxxxxxxxxxxxxx"
            ]
        );
    }

    #[test]
    fn any_size_of_screen_is_survived() {
        let theme = Themes::auto(Caps::default());
        for cols in 0..20 {
            for rows in 0..6 {
                let screen = Rect::new(0, 0, cols, rows);
                let mut buffer = Buffer::empty(screen);
                let frame = Frame {
                    title: "Roll back",
                    danger: true,
                    cols: 30,
                    rows: 9,
                };
                let inside = frame.paint(&mut buffer, screen, &theme);
                assert_eq!(inside.intersection(screen), inside);
            }
        }
    }
}
