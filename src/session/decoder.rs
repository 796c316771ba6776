//! Bytes from a terminal, made into what they mean.
//!
//! Sequences are framed here, byte by byte, so that it does not matter how the bytes are cut into
//! packets, and what nobody knows is swallowed whole instead of leaking letters into the room.
//! What a complete key sequence means is `terminput`'s knowledge. Answers of the terminal to our
//! own questions are taken out first: a cursor report looks like F3.
//!
//! Protocols: ECMA-48, xterm's `ctlseqs`, the keyboard protocol of kitty.

use std::time::Duration;

use terminput::{Event, KeyCode, KeyEventKind, KeyModifiers};

use crate::tui::{Background, Code, Input, Key, Mouse, MouseKind};

/// Most bytes of a sequence that are kept; what is longer is swallowed.
const SEQUENCE: usize = 128;
/// Most bytes of one paste; the rest of a longer one is dropped.
const PASTE: usize = 64 * 1024;

/// How long a lone ESC waits to see whether it begins a sequence.
const ESC: Duration = Duration::from_millis(30);
/// How long an unfinished sequence waits for its end: packets may be far apart.
const UNFINISHED: Duration = Duration::from_millis(500);
/// How long an unfinished paste waits for its end.
const STUCK: Duration = Duration::from_secs(5);

/// Something that a terminal said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Meant for the room.
    Input(Input),
    /// It speaks kitty's keyboard protocol.
    Kitty,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Between sequences.
    Ground,
    /// After ESC.
    Escape,
    /// After `ESC O`.
    Single,
    /// After `ESC [`.
    Control,
    /// After `ESC [ [`: one more byte (function keys of the Linux console).
    Console,
    /// Three more bytes of an old mouse report.
    OldMouse(u8),
    /// After `ESC ]`, until BEL or ST.
    Text,
    /// After an ESC in a text.
    TextEscape,
    /// Within a character of several bytes; so many are missing.
    Utf8(u8),
    /// Within a paste.
    Paste,
}

/// Decodes what one terminal sends. Its memory is bounded whatever comes.
#[derive(Debug)]
pub struct Decoder {
    state: State,
    /// The bytes of the sequence so far.
    bytes: Vec<u8>,
    /// The sequence is longer than is kept.
    too_long: bool,
    /// The end of a paste is looked for: so many of its bytes matched.
    matched: usize,
}

/// What ends a paste.
const PASTE_END: &[u8] = b"\x1b[201~";

impl Default for Decoder {
    fn default() -> Decoder {
        Decoder {
            state: State::Ground,
            bytes: Vec::new(),
            too_long: false,
            matched: 0,
        }
    }
}

impl Decoder {
    /// Takes bytes in and adds what they mean.
    pub fn feed(&mut self, bytes: &[u8], heard: &mut Vec<Heard>) {
        for byte in bytes {
            self.byte(*byte, heard);
        }
    }

    /// How long to wait for more before [`Decoder::lapse`]; `None` when nothing is unfinished.
    pub const fn patience(&self) -> Option<Duration> {
        match self.state {
            State::Ground => None,
            State::Escape => Some(ESC),
            State::Paste => Some(STUCK),
            _ => Some(UNFINISHED),
        }
    }

    /// Nothing more came: what waited is what it is.
    pub fn lapse(&mut self, heard: &mut Vec<Heard>) {
        let alone = self.bytes.len() == 2;
        match self.state {
            State::Escape => push_key(heard, Key::plain(Code::Esc)),
            State::Single if alone => push_key(heard, alt('O')),
            State::Control if alone => push_key(heard, alt('[')),
            State::Text if alone => push_key(heard, alt(']')),
            State::Paste => self.end_paste(heard),
            _ => {}
        }
        self.reset();
    }

    fn reset(&mut self) {
        self.state = State::Ground;
        self.bytes.clear();
        // a long paste must not hold its memory for as long as the session lasts
        self.bytes.shrink_to(SEQUENCE);
        self.too_long = false;
        self.matched = 0;
    }

    fn keep(&mut self, byte: u8) {
        if self.bytes.len() < SEQUENCE {
            self.bytes.push(byte);
        } else {
            self.too_long = true;
        }
    }

    fn byte(&mut self, byte: u8, heard: &mut Vec<Heard>) {
        match self.state {
            State::Ground => self.ground(byte, heard),
            State::Escape => self.escape(byte, heard),
            State::Single => {
                self.keep(byte);
                self.done(heard);
            }
            State::Control => self.control(byte, heard),
            State::Console => {
                self.keep(byte);
                self.done(heard);
            }
            State::OldMouse(1) => self.reset(),
            State::OldMouse(n) => self.state = State::OldMouse(n - 1),
            State::Text => match byte {
                0x07 => self.answer(heard),
                0x1b => self.state = State::TextEscape,
                0x18 | 0x1a => self.reset(),
                _ => self.keep(byte),
            },
            State::TextEscape => {
                self.answer(heard);
                if byte != b'\\' {
                    // the text was cut off and something else begins
                    self.state = State::Escape;
                    self.bytes.push(0x1b);
                    self.byte(byte, heard);
                }
            }
            State::Utf8(missing) => self.utf8(byte, missing, heard),
            State::Paste => self.paste(byte, heard),
        }
    }

    fn ground(&mut self, byte: u8, heard: &mut Vec<Heard>) {
        match byte {
            0x1b => {
                self.bytes.push(byte);
                self.state = State::Escape;
            }
            // what the backspace key of many terminals sends, though its number is that of ctrl-h
            0x08 => push_key(heard, Key::plain(Code::Backspace)),
            0xc2..=0xf4 => {
                self.bytes.push(byte);
                self.state = State::Utf8(match byte {
                    0..0xe0 => 1,
                    0xe0..0xf0 => 2,
                    0xf0.. => 3,
                });
            }
            // no byte of UTF-8
            0x80.. => {}
            _ => {
                self.bytes.push(byte);
                self.done(heard);
            }
        }
    }

    fn escape(&mut self, byte: u8, heard: &mut Vec<Heard>) {
        match byte {
            // esc twice
            0x1b => push_key(heard, Key::plain(Code::Esc)),
            b'[' => {
                self.keep(byte);
                self.state = State::Control;
            }
            b'O' => {
                self.keep(byte);
                self.state = State::Single;
            }
            b']' => {
                self.keep(byte);
                self.state = State::Text;
            }
            _ => {
                // alt with a key
                self.bytes.clear();
                self.state = State::Ground;
                let from = heard.len();
                self.byte(byte, heard);
                if self.state == State::Ground {
                    hold_alt(&mut heard[from..]);
                }
                // alt with a letter of several bytes: rare, and taken without alt
            }
        }
    }

    fn control(&mut self, byte: u8, heard: &mut Vec<Heard>) {
        match byte {
            // another sequence begins: this one was cut off
            0x1b => {
                self.reset();
                self.ground(byte, heard);
            }
            0x18 | 0x1a => self.reset(),
            b'[' if self.bytes.len() == 2 => {
                self.keep(byte);
                self.state = State::Console;
            }
            b'M' if self.bytes.len() == 2 => self.state = State::OldMouse(3),
            0x20..=0x3f => self.keep(byte),
            0x40..=0x7e => {
                self.keep(byte);
                if self.bytes == b"\x1b[200~" {
                    self.bytes.clear();
                    self.state = State::Paste;
                } else {
                    self.done(heard);
                }
            }
            // other control characters within a sequence mean nothing here
            _ => {}
        }
    }

    fn utf8(&mut self, byte: u8, missing: u8, heard: &mut Vec<Heard>) {
        if !(0x80..0xc0).contains(&byte) {
            self.reset();
            self.byte(byte, heard);
            return;
        }
        self.bytes.push(byte);
        if missing > 1 {
            self.state = State::Utf8(missing - 1);
        } else {
            self.done(heard);
        }
    }

    fn paste(&mut self, byte: u8, heard: &mut Vec<Heard>) {
        if byte == PASTE_END[self.matched] {
            self.matched += 1;
            if self.matched == PASTE_END.len() {
                self.matched = 0;
                self.end_paste(heard);
                self.reset();
            }
            return;
        }
        // what looked like the end was text; it has only one ESC, at its start
        let text = &PASTE_END[..std::mem::take(&mut self.matched)];
        let room = PASTE.saturating_sub(self.bytes.len());
        self.bytes.extend_from_slice(&text[..text.len().min(room)]);
        if byte == PASTE_END[0] {
            self.matched = 1;
        } else if self.bytes.len() < PASTE {
            self.bytes.push(byte);
        }
    }

    fn end_paste(&mut self, heard: &mut Vec<Heard>) {
        let text = String::from_utf8_lossy(&self.bytes).into_owned();
        heard.push(Heard::Input(Input::Paste(text)));
    }

    /// A sequence is complete.
    fn done(&mut self, heard: &mut Vec<Heard>) {
        if !self.too_long {
            meaning(&self.bytes, heard);
        }
        self.reset();
    }

    /// A text from the terminal is complete.
    fn answer(&mut self, heard: &mut Vec<Heard>) {
        if let Some(background) = self.bytes.strip_prefix(b"\x1b]11;").and_then(brightness) {
            heard.push(Heard::Input(Input::Background(background)));
        }
        self.reset();
    }
}

fn push_key(heard: &mut Vec<Heard>, key: Key) {
    heard.push(Heard::Input(Input::Key(key)));
}

fn alt(c: char) -> Key {
    Key::new(Code::Char(c), false, true, false)
}

fn hold_alt(heard: &mut [Heard]) {
    for one in heard {
        if let Heard::Input(Input::Key(key)) = one {
            *key = Key::new(key.code, key.ctrl, true, key.shift);
        }
    }
}

/// What a complete sequence means; nothing for an answer that nobody waits for.
fn meaning(bytes: &[u8], heard: &mut Vec<Heard>) {
    if let Some(body) = bytes.strip_prefix(b"\x1b[") {
        let Some((last, body)) = body.split_last() else {
            return;
        };
        match (body.first(), last) {
            (Some(b'?'), b'u') => {
                heard.push(Heard::Kitty);
                return;
            }
            (Some(b'<'), b'M' | b'm') => {
                heard.extend(
                    mouse(&body[1..], *last == b'm').map(|m| Heard::Input(Input::Mouse(m))),
                );
                return;
            }
            // device attributes, modes, status; cursor reports; focus; mouse reports of rxvt
            (Some(b'?' | b'<' | b'=' | b'>'), _) | (Some(_), b'R' | b'M') | (None, b'I' | b'O') => {
                return;
            }
            _ => {}
        }
    }
    if let Ok(Some(Event::Key(event))) = Event::parse_from(bytes)
        && event.kind != KeyEventKind::Release
        && let Some(key) = key(event.code, event.modifiers)
    {
        push_key(heard, key);
    }
}

/// A key as the room knows it; `None` for one that means nothing here.
fn key(code: KeyCode, held: KeyModifiers) -> Option<Key> {
    if held.intersects(KeyModifiers::SUPER | KeyModifiers::HYPER | KeyModifiers::META) {
        return None;
    }
    let code = match code {
        KeyCode::Char(c) if !c.is_control() => Code::Char(c),
        KeyCode::F(n @ 1..=24) => Code::F(n),
        KeyCode::Enter => Code::Enter,
        KeyCode::Esc => Code::Esc,
        KeyCode::Tab => Code::Tab,
        KeyCode::Backspace => Code::Backspace,
        KeyCode::Delete => Code::Delete,
        KeyCode::Insert => Code::Insert,
        KeyCode::Home => Code::Home,
        KeyCode::End => Code::End,
        KeyCode::PageUp => Code::PageUp,
        KeyCode::PageDown => Code::PageDown,
        KeyCode::Up => Code::Up,
        KeyCode::Down => Code::Down,
        KeyCode::Left => Code::Left,
        KeyCode::Right => Code::Right,
        _ => return None,
    };
    let has = |one| held.contains(one);
    Some(Key::new(
        code,
        has(KeyModifiers::CTRL),
        has(KeyModifiers::ALT),
        has(KeyModifiers::SHIFT),
    ))
}

/// Reads the `b;x;y` of an SGR mouse report (xterm's mode 1006).
fn mouse(body: &[u8], up: bool) -> Option<Mouse> {
    let mut numbers = std::str::from_utf8(body)
        .ok()?
        .split(';')
        .map(str::parse::<u16>);
    let (Some(Ok(what)), Some(Ok(x)), Some(Ok(y)), None) = (
        numbers.next(),
        numbers.next(),
        numbers.next(),
        numbers.next(),
    ) else {
        return None;
    };
    // 4, 8 and 16 are shift, alt and ctrl
    let kind = match (what & !0b1_1100, up) {
        (0, false) => MouseKind::Press,
        (0, true) => MouseKind::Release,
        (32, false) => MouseKind::Drag,
        (64, false) => MouseKind::ScrollUp,
        (65, false) => MouseKind::ScrollDown,
        _ => return None,
    };
    Some(Mouse {
        kind,
        x: x.checked_sub(1)?,
        y: y.checked_sub(1)?,
    })
}

/// Reads `rgb:RRRR/GGGG/BBBB` (XParseColor; one to four digits each).
fn brightness(answer: &[u8]) -> Option<Background> {
    let text = std::str::from_utf8(answer).ok()?;
    let body = text
        .strip_prefix("rgb:")
        .or_else(|| text.strip_prefix("rgba:"))?;
    let mut shares = body.split('/').map(|digits| {
        let value = u16::from_str_radix(digits, 16)
            .ok()
            .filter(|_| (1..=4).contains(&digits.len()))?;
        let whole = (1u32 << (4 * digits.len())) - 1;
        Some(f64::from(value) / f64::from(whole))
    });
    let (r, g, b) = (shares.next()??, shares.next()??, shares.next()??);
    // perceived brightness (ITU-R BT.601), in the terminal's own encoding
    let light = 0.299 * r + 0.587 * g + 0.114 * b;
    Some(if light > 0.5 {
        Background::Light
    } else {
        Background::Dark
    })
}

#[cfg(test)]
mod tests;
