//! Lines made of pieces, each with its role: what dialogs, ladders, cards and trails are made of.

use std::borrow::Cow;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::glyph::Glyph;
use super::theme::{Role, Theme};
use super::widgets::{Part, Pen, bar, width, wrap};

/// Cells that a line keeps for the rest when a text stands at its end.
const LEAST_BESIDE: u16 = 12;

/// A piece of a line.
#[derive(Clone, Debug)]
enum Piece {
    Text(Role, Cow<'static, str>),
    Sign(Role, Glyph),
    /// A text in exactly so many cells.
    Left(Role, Cow<'static, str>, u16),
    Right(Role, Cow<'static, str>, u16),
    Gap(u16),
    /// On to this column of the line.
    To(u16),
    /// A text that ends where the line ends.
    End(Role, Cow<'static, str>),
    Bar(u16, usize, Vec<Part>),
    /// A line of its own in so many cells.
    Within(u16, Line),
}

/// A line made of pieces.
#[derive(Clone, Debug, Default)]
pub struct Line {
    pieces: Vec<Piece>,
}

impl Line {
    /// An empty line.
    pub const fn new() -> Line {
        Line { pieces: Vec::new() }
    }

    /// A line of one text.
    pub fn of(role: Role, text: impl Into<Cow<'static, str>>) -> Line {
        Line::new().text(role, text)
    }

    fn with(mut self, piece: Piece) -> Line {
        self.pieces.push(piece);
        self
    }

    /// The line with a text behind.
    #[must_use]
    pub fn text(self, role: Role, text: impl Into<Cow<'static, str>>) -> Line {
        self.with(Piece::Text(role, text.into()))
    }

    /// The line with a sign behind.
    #[must_use]
    pub fn sign(self, role: Role, glyph: Glyph) -> Line {
        self.with(Piece::Sign(role, glyph))
    }

    /// The line with a text in exactly so many cells behind.
    #[must_use]
    pub fn left(self, role: Role, text: impl Into<Cow<'static, str>>, cells: u16) -> Line {
        self.with(Piece::Left(role, text.into(), cells))
    }

    /// The line with a text at the right of so many cells behind.
    #[must_use]
    pub fn right(self, role: Role, text: impl Into<Cow<'static, str>>, cells: u16) -> Line {
        self.with(Piece::Right(role, text.into(), cells))
    }

    /// The line with blanks behind.
    #[must_use]
    pub fn gap(self, cells: u16) -> Line {
        self.with(Piece::Gap(cells))
    }

    /// The line filled with blanks up to a column.
    #[must_use]
    pub fn to(self, column: u16) -> Line {
        self.with(Piece::To(column))
    }

    /// The line with a text at its very end, where there is room.
    #[must_use]
    pub fn end(self, role: Role, text: impl Into<Cow<'static, str>>) -> Line {
        self.with(Piece::End(role, text.into()))
    }

    /// The line with a bar behind.
    #[must_use]
    pub fn bar(self, cells: u16, total: usize, parts: Vec<Part>) -> Line {
        self.with(Piece::Bar(cells, total, parts))
    }

    /// The line in its first cells, and another from a column on.
    #[must_use]
    pub fn beside(self, other: Line, cells: u16, column: u16) -> Line {
        Line::new()
            .with(Piece::Within(cells, self))
            .to(column)
            .with(Piece::Within(u16::MAX, other))
    }

    /// A text broken into lines of at most `cells`, each after `indent` blanks.
    pub fn wrapped(role: Role, text: &str, indent: u16, cells: u16) -> Vec<Line> {
        let room = usize::from(cells.saturating_sub(indent)).max(1);
        wrap(text, room)
            .into_iter()
            .map(|line| Line::new().gap(indent).text(role, line.to_owned()))
            .collect()
    }

    /// The cells that the line would like to have.
    pub fn width(&self) -> usize {
        let mut x = 0;
        for piece in &self.pieces {
            x = match piece {
                Piece::Text(_, text) | Piece::End(_, text) => x + width(text),
                Piece::Sign(..) => x + 1,
                Piece::Left(_, _, n) | Piece::Right(_, _, n) | Piece::Gap(n) => x + usize::from(*n),
                Piece::To(column) => x.max(usize::from(*column)),
                Piece::Bar(n, ..) => x + usize::from(*n),
                Piece::Within(u16::MAX, line) => x + line.width(),
                Piece::Within(n, _) => x + usize::from(*n),
            };
        }
        x
    }

    /// The words of the line, without bars and signs: what is searched and copied.
    pub fn words(&self) -> String {
        let mut out = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(_, text)
                | Piece::End(_, text)
                | Piece::Left(_, text, _)
                | Piece::Right(_, text, _) => {
                    if matches!(piece, Piece::End(..)) && !out.is_empty() {
                        out.push(' ');
                    }
                    out.push_str(text);
                    if matches!(piece, Piece::Left(..) | Piece::Right(..)) {
                        out.push(' ');
                    }
                }
                Piece::Gap(_) | Piece::To(_) if !out.ends_with(' ') => out.push(' '),
                Piece::Within(_, line) => out.push_str(&line.words()),
                _ => {}
            }
        }
        out.trim().to_owned()
    }

    /// Paints the line along the first line of an area.
    pub fn paint(&self, buffer: &mut Buffer, area: Rect, theme: &Theme) {
        let area = area.intersection(buffer.area);
        if area.is_empty() {
            return;
        }
        let mut x = area.x;
        let mut end = area.right();
        // what stands at the end takes its room first, unless hardly any would be left
        for piece in &self.pieces {
            if let Piece::End(role, text) = piece {
                let cells = u16::try_from(width(text)).unwrap_or(u16::MAX);
                if cells.saturating_add(LEAST_BESIDE) <= end - area.x {
                    let rest = Rect::new(end - cells, area.y, cells, 1);
                    Pen::new(buffer, theme, rest).text(*role, text);
                    end -= cells + 1;
                }
            }
        }
        for piece in &self.pieces {
            if x >= end {
                return;
            }
            let rest = Rect::new(x, area.y, end - x, 1);
            if let Piece::Bar(cells, total, parts) = piece {
                let cells = (*cells).min(rest.width);
                bar(
                    buffer,
                    Rect {
                        width: cells,
                        ..rest
                    },
                    theme,
                    *total,
                    parts,
                );
                x += cells;
                continue;
            }
            if let Piece::Within(cells, line) = piece {
                let cells = (*cells).min(rest.width);
                line.paint(
                    buffer,
                    Rect {
                        width: cells,
                        ..rest
                    },
                    theme,
                );
                x += cells;
                continue;
            }
            let mut pen = Pen::new(buffer, theme, rest);
            match piece {
                Piece::Text(role, text) => pen.text(*role, text),
                Piece::Sign(role, glyph) => pen.glyph(*role, *glyph),
                Piece::Left(role, text, cells) => pen.left(*role, text, usize::from(*cells)),
                Piece::Right(role, text, cells) => pen.right(*role, text, usize::from(*cells)),
                Piece::Gap(cells) => pen.skip(usize::from(*cells)),
                Piece::To(column) => pen.to(area.x.saturating_add(*column)),
                Piece::End(..) | Piece::Bar(..) | Piece::Within(..) => &mut pen,
            };
            x = pen.x();
        }
    }
}

/// Paints lines from the top of an area.
pub fn paint<'a>(
    lines: impl IntoIterator<Item = &'a Line>,
    buffer: &mut Buffer,
    area: Rect,
    theme: &Theme,
) {
    for (y, line) in (area.y..area.bottom()).zip(lines) {
        line.paint(
            buffer,
            Rect {
                y,
                height: 1,
                ..area
            },
            theme,
        );
    }
}
