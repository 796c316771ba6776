//! What a command printed, kept small and made safe to show.
//!
//! Commands print gigabytes, progress bars, colours and binary. Only the end is kept, because that
//! is where a tool says why it failed.

use std::collections::VecDeque;

use crate::domain::text::printable;

/// How many bytes of a command's output are kept: the end of it.
pub const KEPT_BYTES: usize = 64 * 1024;

/// How many characters of a command's output go into an outcome.
pub const SHOWN_CHARS: usize = 2_000;

/// How many characters of one line are kept.
const LINE_CHARS: usize = 1_000;

/// The last bytes of a stream.
#[derive(Debug, Default)]
pub struct Tail {
    bytes: VecDeque<u8>,
    seen: u64,
}

impl Tail {
    /// Takes the next bytes; the oldest go when more than [`KEPT_BYTES`] are held.
    pub fn push(&mut self, chunk: &[u8]) {
        self.seen += chunk.len() as u64;
        let chunk = &chunk[chunk.len().saturating_sub(KEPT_BYTES)..];
        let over = (self.bytes.len() + chunk.len()).saturating_sub(KEPT_BYTES);
        self.bytes.drain(..over);
        self.bytes.extend(chunk);
    }

    /// How many bytes went through, kept or not.
    pub fn seen(&self) -> u64 {
        self.seen
    }

    /// What is kept, as printable lines without the blank ones.
    pub fn lines(&self) -> Vec<String> {
        let (front, back) = self.bytes.as_slices();
        let bytes = [front, back].concat();
        let cut = self.seen > bytes.len() as u64;
        lines(&bytes, cut)
    }
}

/// Bytes as printable lines: colours and cursor movements removed, of a line that was redrawn with
/// carriage returns only the last state, blank lines left out. `cut` says that the bytes begin in
/// the middle of a line, whose rest is left out.
pub fn lines(bytes: &[u8], cut: bool) -> Vec<String> {
    let bytes = match (cut, bytes.iter().position(|b| *b == b'\n')) {
        (true, Some(first)) => &bytes[first + 1..],
        _ => bytes,
    };
    String::from_utf8_lossy(bytes)
        .split('\n')
        .map(line)
        .filter(|text| !text.is_empty())
        .collect()
}

fn line(raw: &str) -> String {
    let raw = raw.trim_end_matches('\r');
    let last_state = raw.rsplit('\r').next().unwrap_or(raw);
    let safe = printable(&without_sequences(last_state), LINE_CHARS);
    let mut out = String::with_capacity(safe.len());
    for c in safe.trim_end().chars() {
        // one mark stands for a run of bytes that say nothing
        if c != '\u{fffd}' || !out.ends_with('\u{fffd}') {
            out.push(c);
        }
    }
    out
}

/// The text without terminal control sequences (ECMA-48 5.4: CSI; 8.3: OSC and other strings).
fn without_sequences(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '\u{1b}' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('[') => while chars.next().is_some_and(|c| !('@'..='~').contains(&c)) {},
            Some(']' | 'P' | 'X' | '^' | '_') => {
                while let Some(c) = chars.next() {
                    if c == '\u{7}' {
                        break;
                    }
                    if c == '\u{1b}' {
                        chars.next_if_eq(&'\\');
                        break;
                    }
                }
            }
            _ => {}
        }
    }
    out
}

/// Lines as one line of at most [`SHOWN_CHARS`] characters: the end of it, with ` | ` between lines.
pub fn one_line(lines: &[String]) -> String {
    let all = lines.join(" | ");
    let count = all.chars().count();
    if count <= SHOWN_CHARS {
        return all;
    }
    let mut out = String::from("…");
    out.extend(all.chars().skip(count - SHOWN_CHARS + 1));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_kept() {
        let mut tail = Tail::default();
        for n in 0..100_000 {
            tail.push(format!("line {n}\n").as_bytes());
        }
        let lines = tail.lines();
        assert_eq!(lines.last().map(String::as_str), Some("line 99999"));
        assert!(lines.len() < 7_000, "{} lines kept", lines.len());
        assert!(
            lines.iter().all(|l| l.starts_with("line ")),
            "the first line is a whole one: {:?}",
            lines.first()
        );
        tail.push(&vec![b'x'; 10 * KEPT_BYTES]);
        assert_eq!(tail.lines().len(), 1);
    }

    #[test]
    fn colours_progress_bars_and_binary_become_readable() {
        let raw =
            b"\x1b[1;32mok\x1b[0m\n 10%\r 50%\r100%\r\n\n\x1b]0;title\x07done\xff\xfe\x00\x01!\n";
        assert_eq!(lines(raw, false), ["ok", "100%", "done\u{fffd}!"]);
        assert_eq!(lines(b"\x1b[31", false), Vec::<String>::new());
        assert_eq!(lines(b"\x1b", false), Vec::<String>::new());
    }

    #[test]
    fn one_line_shows_the_end() {
        let many: Vec<String> = (0..2_000).map(|n| format!("step {n}")).collect();
        let shown = one_line(&many);
        assert_eq!(shown.chars().count(), SHOWN_CHARS);
        assert!(shown.starts_with('…') && shown.ends_with("step 1998 | step 1999"));
        assert_eq!(one_line(&["a".into(), "b".into()]), "a | b");
    }
}
