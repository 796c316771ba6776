//! A text being written.
//!
//! The editing is that of `ratatui-textarea`. Painting is our own: that crate keeps where it
//! scrolled to in a cell that painting writes, and a painted frame here must change nothing.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use tui_textarea::{CursorMove, TextArea};
use unicode_segmentation::UnicodeSegmentation;

use crate::domain::text::printable;

use super::super::action::Action;
use super::super::theme::{Role, Theme};
use super::text::{fill, width};

/// A text being written, with its cursor.
#[derive(Clone, Debug)]
pub struct Draft {
    text: TextArea<'static>,
    /// Whether it may have several lines.
    multi: bool,
    /// Most characters.
    most: usize,
}

impl Draft {
    /// An empty line of at most `most` characters.
    pub fn line(most: usize) -> Draft {
        Draft {
            text: TextArea::default(),
            multi: false,
            most,
        }
    }

    /// An empty text of several lines and at most `most` characters.
    pub fn lines(most: usize) -> Draft {
        Draft {
            multi: true,
            ..Draft::line(most)
        }
    }

    /// What is written.
    pub fn text(&self) -> String {
        self.text.lines().join("\n")
    }

    /// Whether nothing is written.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Replaces the text; the cursor goes behind it.
    pub fn set(&mut self, text: &str) {
        self.text.select_all();
        self.text.delete_char();
        self.paste(text);
    }

    /// Types a character.
    pub fn insert(&mut self, c: char) {
        self.paste(c.encode_utf8(&mut [0; 4]));
    }

    /// Inserts a text, made safe to show, as far as there is room.
    pub fn paste(&mut self, text: &str) {
        let have = self
            .text
            .lines()
            .iter()
            .map(|l| l.chars().count() + 1)
            .sum::<usize>()
            - 1;
        let room = self.most.saturating_sub(have);
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        let safe: Vec<String> = if self.multi {
            text.split('\n')
                .map(|line| printable(line, self.most))
                .collect()
        } else {
            vec![printable(text.trim_end_matches('\n'), self.most)]
        };
        let safe: String = safe.join("\n").chars().take(room).collect();
        if !safe.is_empty() {
            self.text.insert_str(safe);
        }
    }

    /// Edits as the action says; `false` when it is none that edits.
    pub fn act(&mut self, action: Action) -> bool {
        let to = match action {
            Action::CursorLeft => CursorMove::Back,
            Action::CursorRight => CursorMove::Forward,
            Action::WordLeft => CursorMove::WordBack,
            Action::WordRight => CursorMove::WordForward,
            Action::CursorUp if self.multi => CursorMove::Up,
            Action::CursorDown if self.multi => CursorMove::Down,
            Action::LineStart => CursorMove::Head,
            Action::LineEnd => CursorMove::End,
            _ => return self.change(action),
        };
        self.text.move_cursor(to);
        true
    }

    fn change(&mut self, action: Action) -> bool {
        match action {
            Action::DeleteLeft => self.text.delete_char(),
            Action::DeleteRight => self.text.delete_next_char(),
            Action::DeleteWord => self.text.delete_word(),
            Action::DeleteToStart => self.text.delete_line_by_head(),
            Action::DeleteToEnd => self.text.delete_line_by_end(),
            Action::Undo => self.text.undo(),
            Action::NewLine if self.multi => {
                self.paste("\n");
                true
            }
            _ => return false,
        };
        true
    }

    /// Paints the text and says where the cursor stands, if there is room for it. What does not
    /// fit is scrolled so that the cursor shows.
    pub fn paint(
        &self,
        buffer: &mut Buffer,
        area: Rect,
        theme: &Theme,
        empty: &str,
    ) -> Option<Position> {
        let area = area.intersection(buffer.area);
        fill(buffer, area, theme, Role::Entry);
        if area.is_empty() {
            return None;
        }
        let cols = usize::from(area.width);
        if self.is_empty() {
            buffer.set_stringn(area.x, area.y, empty, cols, theme.style(Role::EntryEmpty));
            return Some(area.as_position());
        }
        let cursor = self.text.cursor();
        let (rows, at) = self.broken(cols, cursor.0, cursor.1);
        let (row, col) = at;
        let height = usize::from(area.height);
        let first = (row + 1).saturating_sub(height);
        let style = theme.style(Role::Entry);
        let visible = rows.iter().skip(first).take(height);
        for (y, line) in (area.y..).zip(visible) {
            buffer.set_stringn(area.x, y, line, cols, style);
        }
        Some(Position {
            x: area.x + u16::try_from(col.min(cols - 1)).unwrap_or(0),
            y: area.y + u16::try_from(row - first).unwrap_or(0),
        })
    }

    /// The text in rows of `cols` cells, and the row and cell of the cursor. A single line is one
    /// row that begins where it must for the cursor to show; several lines are broken anywhere.
    fn broken(&self, cols: usize, line: usize, column: usize) -> (Vec<String>, (usize, usize)) {
        let mut rows = Vec::new();
        let mut at = (0, 0);
        for (n, text) in self.text.lines().iter().enumerate() {
            let cursor_byte = (n == line).then(|| {
                text.char_indices()
                    .nth(column)
                    .map_or(text.len(), |(b, _)| b)
            });
            if let (false, Some(byte)) = (self.multi, cursor_byte) {
                let (shown, cell) = window(text, byte, cols);
                return (vec![shown.to_owned()], (0, cell));
            }
            let mut row = String::new();
            let mut taken = 0;
            for (byte, grapheme) in text.grapheme_indices(true) {
                let cells = width(grapheme);
                if taken + cells > cols {
                    rows.push(std::mem::take(&mut row));
                    taken = 0;
                }
                if cursor_byte.is_some_and(|c| byte <= c) {
                    at = (rows.len(), taken);
                }
                row.push_str(grapheme);
                taken += cells;
            }
            if cursor_byte == Some(text.len()) {
                if taken >= cols {
                    rows.push(std::mem::take(&mut row));
                    taken = 0;
                }
                at = (rows.len(), taken);
            }
            rows.push(row);
        }
        (rows, at)
    }
}

/// The part of a line that shows in `cols` cells with the cursor at a byte, and the cursor's cell.
fn window(text: &str, byte: usize, cols: usize) -> (&str, usize) {
    let before = &text[..byte];
    let mut start = 0;
    let mut cell = width(before);
    for (at, grapheme) in before.grapheme_indices(true) {
        if cell < cols {
            break;
        }
        start = at + grapheme.len();
        cell -= width(grapheme);
    }
    (&text[start..], cell)
}

#[cfg(test)]
mod tests {
    use super::super::super::caps::Caps;
    use super::super::super::theme::Themes;
    use super::*;

    fn painted(draft: &Draft, cols: u16, rows: u16) -> (Vec<String>, Option<Position>) {
        let theme = Themes::auto(Caps::default());
        let area = Rect::new(0, 0, cols, rows);
        let mut buffer = Buffer::empty(area);
        let cursor = draft.paint(&mut buffer, area, &theme, "why?");
        let lines = (0..rows)
            .map(|y| (0..cols).map(|x| buffer[(x, y)].symbol()).collect())
            .collect();
        (lines, cursor)
    }

    fn typed(mut draft: Draft, text: &str) -> Draft {
        text.chars().for_each(|c| draft.insert(c));
        draft
    }

    #[test]
    fn a_line_is_written_and_edited() {
        let mut draft = typed(Draft::line(40), "pen-test ok");
        assert!(draft.act(Action::DeleteWord));
        assert_eq!(draft.text(), "pen-test ");
        draft.act(Action::LineStart);
        draft.insert('!');
        assert_eq!(draft.text(), "!pen-test ");
        assert!(draft.act(Action::Undo));
        assert_eq!(draft.text(), "pen-test ");
        assert!(
            !draft.act(Action::NewLine) && !draft.act(Action::CursorUp) && !draft.act(Action::Hold)
        );
        draft.set("other");
        assert_eq!(draft.text(), "other");
        draft.act(Action::DeleteToStart);
        assert!(draft.is_empty());
    }

    #[test]
    fn what_is_pasted_is_made_safe_and_has_an_end() {
        let mut draft = Draft::line(8);
        draft.paste("a\x1b[2J\nb\r\n");
        assert_eq!(draft.text(), "a\u{fffd}[2J b");
        draft.paste("0123456789");
        assert_eq!(draft.text().chars().count(), 8);
        let mut draft = Draft::lines(20);
        draft.paste("one\r\ntwo\rthree");
        assert_eq!(draft.text(), "one\ntwo\nthree");
        draft.act(Action::NewLine);
        draft.insert('x');
        assert_eq!(draft.text(), "one\ntwo\nthree\nx");
    }

    #[test]
    fn the_cursor_always_shows() {
        let draft = typed(Draft::line(40), "abcdefgh");
        let (lines, cursor) = painted(&draft, 5, 1);
        assert_eq!((lines[0].as_str(), cursor.unwrap().x), ("efgh ", 4));
        let mut draft = typed(Draft::lines(90), "abcdefg");
        draft.act(Action::NewLine);
        draft.paste("xyz");
        let (lines, cursor) = painted(&draft, 4, 2);
        assert_eq!(lines, ["efg ", "xyz "]);
        assert_eq!(cursor, Some(Position { x: 3, y: 1 }));
        draft.act(Action::CursorUp);
        draft.act(Action::LineStart);
        let (lines, cursor) = painted(&draft, 4, 2);
        assert_eq!(
            (lines[0].as_str(), cursor.unwrap()),
            ("abcd", Position { x: 0, y: 0 })
        );
    }

    #[test]
    fn an_empty_field_says_what_for_and_any_size_is_survived() {
        let draft = Draft::line(9);
        assert_eq!(
            painted(&draft, 6, 1),
            (vec!["why?  ".into()], Some(Position { x: 0, y: 0 }))
        );
        let draft = typed(Draft::lines(99), "日本 wide\ntext");
        for cols in 0..9 {
            for rows in 0..4 {
                let (_, cursor) = painted(&draft, cols, rows);
                assert_eq!(cursor.is_some(), cols > 0 && rows > 0);
            }
        }
    }

    #[test]
    fn painting_changes_nothing() {
        let draft = typed(Draft::lines(99), "a text of some length");
        assert_eq!(painted(&draft, 7, 3), painted(&draft, 7, 3));
    }
}
