//! Lines and columns of a text, counted once.

use std::fmt;

/// A place in a file as editors count: both from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// The distance in bytes between two counted places.
const STRIDE: usize = 256;

/// Where lines begin. Positions are characters from the start of the text, because that is what
/// both people and the YAML parser count; [`Lines::position`] turns the bytes of the TOML parser
/// into them.
#[derive(Debug)]
pub(crate) struct Lines {
    /// The position at which each line begins.
    starts: Vec<usize>,
    /// The position of each line's break, or the end of the text.
    ends: Vec<usize>,
    /// How many characters stand before each multiple of [`STRIDE`] bytes.
    before: Vec<usize>,
    /// The position behind the last character that can be seen.
    end: usize,
}

impl Lines {
    /// Counts a text.
    pub(crate) fn of(text: &str) -> Lines {
        let mut starts = vec![0];
        let mut ends = Vec::new();
        let mut chars = 0;
        let mut before = Vec::with_capacity(text.len() / STRIDE + 1);
        let mut end = 0;
        let mut next = 0;
        for (position, (byte, c)) in text.char_indices().enumerate() {
            while next <= byte {
                before.push(position);
                next += STRIDE;
            }
            if !c.is_whitespace() {
                end = position + 1;
            }
            chars = position + 1;
            match c {
                '\r' if text.as_bytes().get(byte + 1) == Some(&b'\n') => ends.push(position),
                '\n' if ends.len() == starts.len() => starts.push(position + 1),
                '\n' | '\r' => {
                    ends.push(position);
                    starts.push(position + 1);
                }
                _ => {}
            }
        }
        ends.push(chars);
        Lines {
            starts,
            ends,
            before,
            end,
        }
    }

    /// The position of the character at or around a byte of the same text.
    pub(crate) fn position(&self, text: &str, byte: usize) -> usize {
        let Some(before) = self.before.get(byte / STRIDE) else {
            return text.chars().count();
        };
        // counts the characters that begin in the stride, at most 256 bytes
        let stride = text.as_bytes().get(byte / STRIDE * STRIDE..byte);
        let begun = |b: &&u8| **b & 0xc0 != 0x80;
        before + stride.map_or(0, |bytes| bytes.iter().filter(begun).count())
    }

    /// Line and column of a position. What lies behind everything that can be seen (a parser that
    /// met the end of the file) is shown right behind it.
    pub(crate) fn place(&self, position: usize) -> Place {
        let position = position.min(self.end);
        let line = self.starts.partition_point(|start| *start <= position);
        let of = |all: &[usize]| all.get(line.saturating_sub(1)).copied();
        let start = of(&self.starts).unwrap_or(0);
        let end = of(&self.ends).unwrap_or(position);
        Place {
            line: line.max(1),
            column: position.min(end) - start + 1,
        }
    }
}

/// The text of a line (counted from 1) without its break.
pub(crate) fn line(text: &str, number: usize) -> Option<&str> {
    let mut rest = text;
    for _ in 1..number {
        let at = rest.find(['\n', '\r'])?;
        rest = if rest[at..].starts_with("\r\n") {
            &rest[at + 2..]
        } else {
            &rest[at + 1..]
        };
    }
    let end = rest.find(['\n', '\r']).unwrap_or(rest.len());
    (number > 0).then_some(&rest[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str, position: usize) -> (usize, usize) {
        let place = Lines::of(text).place(position);
        (place.line, place.column)
    }

    #[test]
    fn every_kind_of_line_break_counts_once() {
        let text = "ä\r\nbc\rd\ne";
        assert_eq!(place(text, 0), (1, 1));
        assert_eq!(place(text, 2), (1, 2));
        assert_eq!(place(text, 3), (2, 1));
        assert_eq!(place(text, 4), (2, 2));
        assert_eq!(place(text, 6), (3, 1));
        assert_eq!(place(text, 8), (4, 1));
        let lines: Vec<_> = (0..6).map(|n| line(text, n)).collect();
        let expected = [None, Some("ä"), Some("bc"), Some("d"), Some("e"), None];
        assert_eq!(lines, expected);
    }

    #[test]
    fn the_end_of_a_file_is_behind_its_last_letter() {
        assert_eq!(place("a: [1\n\n\n", 99), (1, 6));
        assert_eq!(place("", 0), (1, 1));
        assert_eq!(place("\n\n", 2), (1, 1));
    }

    #[test]
    fn bytes_become_characters_over_strides() {
        let text = "äöü\n".repeat(400);
        let lines = Lines::of(&text);
        for (position, (byte, _)) in text.char_indices().enumerate() {
            assert_eq!(lines.position(&text, byte), position);
        }
        assert_eq!(lines.position(&text, text.len()), text.chars().count());
        assert_eq!(lines.position(&text, text.len() + 9999), 1600);
        assert_eq!(Lines::of("").position("", 7), 0);
    }
}
