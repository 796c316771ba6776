//! One terminal's screen: what it shows, and the bytes that bring it to show something else.
//!
//! Nothing here asks a terminal anything: the size is told, the cursor is known. A frame is one
//! run of bytes, wrapped so that terminals that can show it at once; a frame that changes nothing
//! is no bytes at all. Ratatui's own terminal is not used, as it asks the process's tty for its
//! size and cursor, which over a socket is somebody else's.

use std::io::{self, Write};
use std::sync::Once;

use ratatui::backend::{Backend, CrosstermBackend};
use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::{Position, Rect, Size};

use crate::domain::text::printable;
use crate::tui::Caps;

/// The smallest size in which the room is shown.
pub const LEAST: Size = Size::new(20, 5);
/// The largest size that is painted; a larger terminal keeps the rest blank.
pub const MOST: Size = Size::new(500, 200);

/// What a terminal has when nobody knows: over some connections the size is 0x0.
const USUAL: Size = Size::new(80, 24);

/// A size as a terminal told it, made one that can be painted.
pub fn clamp(cols: u32, rows: u32) -> Size {
    if cols == 0 || rows == 0 {
        return USUAL;
    }
    let within = |n: u32, most: u16| u16::try_from(n).unwrap_or(u16::MAX).min(most);
    Size::new(within(cols, MOST.width), within(rows, MOST.height))
}

/// What a terminal shows.
#[derive(Debug)]
pub struct Screen {
    /// What it shows, as far as known.
    shown: Buffer,
    /// What it shall show; kept to spare the memory's trip.
    next: Buffer,
    /// Where its cursor shows; `None` when it is hidden.
    cursor: Option<Position>,
    /// Whether `shown` is true.
    known: bool,
    /// Whether it may be told that a frame begins and ends.
    modern: bool,
}

impl Screen {
    /// A terminal of this size, of which nothing is known.
    pub fn new(size: Size, caps: Caps) -> Screen {
        static COLOURS: Once = Once::new();
        // crossterm reads NO_COLOR once for the process, and then writes a code that takes bold
        // away; here every person has an environment, and the theme says what has colour
        COLOURS.call_once(|| ratatui::crossterm::style::force_color_output(true));
        let area = Rect::from((Position::ORIGIN, size));
        Screen {
            shown: Buffer::empty(area),
            next: Buffer::empty(area),
            cursor: None,
            known: false,
            modern: caps.modern,
        }
    }

    /// Its size.
    pub const fn size(&self) -> Size {
        self.shown.area.as_size()
    }

    /// The terminal has another size now.
    pub fn resize(&mut self, size: Size) {
        let area = Rect::from((Position::ORIGIN, size));
        if area != self.shown.area {
            self.shown.resize(area);
            self.next.resize(area);
            self.forget();
        }
    }

    /// Nothing is known any more of what the terminal shows: the next frame paints everything.
    pub const fn forget(&mut self) {
        self.known = false;
    }

    /// Paints a frame and adds the bytes that show it; none when nothing changed.
    pub fn frame(
        &mut self,
        out: &mut Vec<u8>,
        paint: impl FnOnce(Rect, &mut Buffer) -> Option<Position>,
    ) {
        self.next.reset();
        let area = self.next.area;
        let cursor = paint(area, &mut self.next).filter(|at| area.contains(*at));
        self.next.content.iter_mut().for_each(make_safe);
        let start = out.len();
        if self.modern {
            out.extend_from_slice(b"\x1b[?2026h");
        }
        let empty = out.len();
        // writing into memory cannot fail
        let _ = self.cells(out);
        let _ = self.place_cursor(out, cursor, empty);
        if out.len() == empty {
            out.truncate(start);
        } else if self.modern {
            out.extend_from_slice(b"\x1b[?2026l");
        }
        std::mem::swap(&mut self.shown, &mut self.next);
        self.cursor = cursor;
        self.known = true;
    }

    /// Adds the bytes for the cells that differ.
    fn cells(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        if !self.known {
            out.write_all(b"\x1b[?25l\x1b[0m\x1b[2J")?;
            self.shown.reset();
            self.cursor = None;
        }
        let mut changed = self.shown.diff_iter(&self.next).peekable();
        if changed.peek().is_none() {
            return Ok(());
        }
        CrosstermBackend::new(out).draw(changed)
    }

    /// Adds the bytes that show or hide the cursor, if it is not where it belongs. Painting moves
    /// it, so a visible one is placed again after cells were painted.
    fn place_cursor(
        &self,
        out: &mut Vec<u8>,
        cursor: Option<Position>,
        empty: usize,
    ) -> io::Result<()> {
        let painted = out.len() > empty;
        match (self.cursor, cursor) {
            (Some(_), None) => out.write_all(b"\x1b[?25l"),
            (before, Some(at)) if painted || before != cursor => {
                write!(out, "\x1b[{};{}H", at.y + 1, at.x + 1)?;
                if before.is_none() {
                    out.write_all(b"\x1b[?25h")?;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// Makes a cell one that is no danger to a terminal. Text from outside was made printable when it
/// came in; this is the last door, and it trusts nobody.
fn make_safe(cell: &mut Cell) {
    let harmless =
        |c: char| matches!(c, ' '..='~' | '\u{2010}'..='\u{2027}' | '\u{2190}'..='\u{28ff}');
    let symbol = cell.symbol();
    if !symbol.chars().all(harmless) && printable(symbol, symbol.len()) != symbol {
        cell.set_symbol("\u{fffd}");
    }
}

/// The bytes that make a terminal ready for the room.
pub fn enter(caps: Caps, mouse: bool) -> Vec<u8> {
    // the other screen, no cursor
    let mut out = b"\x1b[?1049h\x1b[?25l".to_vec();
    if caps.modern {
        // pastes in brackets
        out.extend_from_slice(b"\x1b[?2004h");
        out.extend_from_slice(mouse_mode(mouse));
        // what is your background, which keyboard protocol, and an answer that everybody gives
        out.extend_from_slice(b"\x1b]11;?\x1b\\\x1b[?u\x1b[c");
    }
    out
}

/// The bytes that give the terminal back as it was.
pub fn leave(caps: Caps, kitty: bool) -> Vec<u8> {
    let mut out = Vec::new();
    if kitty {
        out.extend_from_slice(KITTY_OFF);
    }
    if caps.modern {
        out.extend_from_slice(mouse_mode(false));
        out.extend_from_slice(b"\x1b[?2004l");
    }
    out.extend_from_slice(b"\x1b[0m\x1b[?25h\x1b[?1049l");
    out
}

/// Presses, wheel and drags in SGR form, or nothing. Never every motion: over ssh that is a flood.
pub const fn mouse_mode(on: bool) -> &'static [u8] {
    if on {
        b"\x1b[?1000h\x1b[?1002h\x1b[?1006h"
    } else {
        b"\x1b[?1006l\x1b[?1002l\x1b[?1000l"
    }
}

/// Keys that cannot be mistaken for one another, for a terminal that said it speaks the protocol.
pub const KITTY_ON: &[u8] = b"\x1b[>1u";
/// Back to the keys of before.
pub const KITTY_OFF: &[u8] = b"\x1b[<u";

/// Most bytes of a text that is copied; terminals take no more.
const COPY: usize = 48 * 1024;

/// The bytes that put a text on the person's clipboard (OSC 52), also through ssh.
pub fn copy(text: &str) -> Vec<u8> {
    let end = (0..=text.len().min(COPY))
        .rev()
        .find(|n| text.is_char_boundary(*n));
    let mut out = b"\x1b]52;c;".to_vec();
    out.extend_from_slice(base64(&text.as_bytes()[..end.unwrap_or(0)]).as_bytes());
    out.push(0x07);
    out
}

/// RFC 4648 with padding.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let mut group = [0; 3];
        group[..chunk.len()].copy_from_slice(chunk);
        let value = u32::from_be_bytes([0, group[0], group[1], group[2]]);
        for n in 0..4usize {
            if n <= chunk.len() {
                let digit = value >> (18 - 6 * n) & 63;
                out.push(char::from(DIGITS[digit as usize]));
            } else {
                out.push('=');
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::style::{Color, Style};

    fn caps() -> Caps {
        Caps::default()
    }

    fn say(screen: &mut Screen, text: &str) -> String {
        let mut out = Vec::new();
        screen.frame(&mut out, |area, buffer| {
            buffer.set_stringn(0, 0, text, usize::from(area.width), Style::new());
            None
        });
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_frame_is_what_changed_and_nothing_when_nothing_did() {
        let mut screen = Screen::new(Size::new(20, 5), caps());
        let first = say(&mut screen, "hello");
        assert!(
            first.starts_with("\x1b[?2026h") && first.ends_with("\x1b[?2026l"),
            "{first:?}"
        );
        assert!(first.contains("\x1b[2J") && first.contains("hello"));
        assert_eq!(say(&mut screen, "hello"), "");
        let second = say(&mut screen, "help!");
        assert!(second.contains("p!") && !second.contains("hel") && !second.contains("\x1b[2J"));
        screen.forget();
        assert!(say(&mut screen, "help!").contains("help!"));
        screen.resize(Size::new(20, 5));
        assert_eq!(say(&mut screen, "help!"), "");
        screen.resize(Size::new(2, 1));
        assert!(say(&mut screen, "help!").contains("he"));
    }

    #[test]
    fn the_cursor_is_shown_hidden_and_put_back_after_painting() {
        let mut screen = Screen::new(Size::new(20, 5), caps());
        let mut at = |at: Option<Position>, text: &str| {
            let mut out = Vec::new();
            screen.frame(&mut out, |_, buffer| {
                buffer.set_string(0, 0, text, Style::new());
                at
            });
            String::from_utf8(out).unwrap()
        };
        let place = Some(Position { x: 3, y: 1 });
        assert!(at(place, "a").contains("\x1b[2;4H\x1b[?25h"));
        assert_eq!(at(place, "a"), "");
        let moved = at(place, "b");
        assert!(
            moved.contains("\x1b[2;4H") && !moved.contains("?25h"),
            "{moved:?}"
        );
        assert!(at(None, "b").contains("\x1b[?25l"));
        assert_eq!(at(Some(Position { x: 99, y: 9 }), "b"), "");
    }

    #[test]
    fn no_cell_can_speak_to_the_terminal() {
        let mut screen = Screen::new(Size::new(20, 5), caps());
        let mut out = Vec::new();
        screen.frame(&mut out, |_, buffer| {
            for (x, evil) in ["\x1b[2J", "\x07", "\u{9b}31m", "a\u{202e}", "\x7f", "\n"]
                .iter()
                .enumerate()
            {
                buffer[(u16::try_from(x).unwrap(), 0)].set_symbol(evil);
            }
            buffer[(7, 0)].set_symbol("é");
            None
        });
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.matches('\u{fffd}').count(), 6, "{text:?}");
        assert_eq!(text.matches("\x1b[2J").count(), 1, "only our own");
        assert!(!text.contains(['\x07', '\u{9b}', '\u{202e}', '\x7f', '\n']) && text.contains('é'));
    }

    #[test]
    fn bold_and_colour_do_not_depend_on_the_servers_environment() {
        let mut screen = Screen::new(Size::new(20, 5), caps());
        let mut out = Vec::new();
        screen.frame(&mut out, |_, buffer| {
            buffer.set_string(0, 0, "A", Style::new().fg(Color::Indexed(203)).bold());
            None
        });
        let text = String::from_utf8(out).unwrap();
        assert!(
            text.contains("\x1b[1m") && text.contains("38;5;203"),
            "{text:?}"
        );
    }

    #[test]
    fn sizes_are_made_paintable() {
        assert_eq!(clamp(0, 0), USUAL);
        assert_eq!(clamp(1, 1), Size::new(1, 1));
        assert_eq!(clamp(u32::MAX, 70_000), MOST);
    }

    #[test]
    fn a_copied_text_is_base64() {
        for (text, encoded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("ü1", "w7wx"),
        ] {
            assert_eq!(base64(text.as_bytes()), encoded);
        }
        assert_eq!(copy("foo"), b"\x1b]52;c;Zm9v\x07");
        assert!(copy(&"ü".repeat(COPY)).len() < 2 * COPY);
    }

    #[test]
    fn an_old_terminal_is_asked_nothing() {
        let old = Caps {
            modern: false,
            ..caps()
        };
        let text = String::from_utf8([enter(old, true), leave(old, false)].concat()).unwrap();
        assert!(!text.contains(']') && !text.contains("1000") && !text.contains("[c"));
    }
}
