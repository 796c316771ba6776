//! A located notice on a terminal: what is wrong, the line, and a sign under the place.

use std::borrow::Cow;
use std::fmt::Write as _;

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use super::tree::fault::HIDDEN;
use super::tree::lines::line;
use crate::domain::notice::{Level, Notice};
use crate::domain::text::printable;

/// The narrowest screen that is written for.
const NARROWEST: usize = 20;

/// The longest line that is looked at, in characters.
const LONGEST_LINE: usize = 1 << 20;

/// A notice for a terminal of so many columns; with the text of its file, the line is shown. Ends
/// with a line break. With `colour`, the standard sixteen colours are used, never alone.
///
/// ```text
/// error: unknown key `expsure` in batches[2]
///   --> plan.yaml:7:5
///    |
///  7 |   - expsure: 20%
///    |     ^^^^^^^
///   next: did you mean `exposure`? known keys: …
/// ```
pub fn render(notice: &Notice, text: Option<&str>, colour: bool, width: usize) -> String {
    shown(notice, text, notice.code == HIDDEN, colour, width)
}

/// One notice of several: a line that may hold a secret for one of them is shown for none.
pub fn render_among(
    notice: &Notice,
    all: &[Notice],
    text: Option<&str>,
    colour: bool,
    width: usize,
) -> String {
    let line = |n: &Notice| Some(n.place.as_deref()?.rsplit_once(':')?.0.to_owned());
    let mut secrets = all.iter().chain([notice]).filter(|n| n.code == HIDDEN);
    let secret = secrets.any(|n| line(n) == line(notice));
    shown(notice, text, secret, colour, width)
}

/// Several notices, an empty line between them. A line that may hold a secret is shown for none.
pub fn render_all(notices: &[Notice], text: Option<&str>, colour: bool, width: usize) -> String {
    let each = notices
        .iter()
        .map(|n| render_among(n, notices, text, colour, width));
    each.collect::<Vec<_>>().join("\n")
}

fn shown(notice: &Notice, text: Option<&str>, secret: bool, colour: bool, width: usize) -> String {
    let width = width.max(NARROWEST);
    let paint = Paint { colour };
    let (word, tint) = match notice.level {
        Level::Error => ("error", "1;31"),
        Level::Warning => ("warning", "1;33"),
        Level::Info => ("note", "1;36"),
    };
    let mut out = String::new();
    let headline = format!("{word}: {}", clean(&notice.headline));
    for (n, row) in wrapped(&headline, width).into_iter().enumerate() {
        let indent = if n == 0 { "" } else { "  " };
        let row = match row.strip_prefix(word) {
            Some(rest) if n == 0 => format!("{}{}", paint.with(tint, word), paint.with("1", rest)),
            _ => paint.with("1", &row).into_owned(),
        };
        let _ = writeln!(out, "{indent}{row}");
    }
    if let Some(place) = &notice.place {
        let _ = writeln!(out, "  {} {}", paint.with("34", "-->"), clean(place));
        if secret {
            out.push_str("   the line is not shown: it may hold a secret\n");
        } else if let Some((number, column)) = numbers(place)
            && let Some(source) = text.and_then(|text| line(without_mark(text), number))
        {
            excerpt(&mut out, &paint, tint, width, (number, column), source);
        }
    }
    paragraph(&mut out, &clean(&notice.detail), width);
    if !notice.next_step.is_empty() {
        let next = format!("next: {}", clean(&notice.next_step));
        paragraph(&mut out, &next, width);
    }
    out
}

struct Paint {
    colour: bool,
}

impl Paint {
    fn with<'t>(&self, tint: &str, text: &'t str) -> Cow<'t, str> {
        if self.colour {
            Cow::Owned(format!("\x1b[{tint}m{text}\x1b[0m"))
        } else {
            Cow::Borrowed(text)
        }
    }
}

/// Notices are made of printable text; this holds also for one that came over the wire.
fn clean(text: &str) -> String {
    printable(text, 4000)
}

fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// Line and column of `plan.yaml:7:3`.
fn numbers(place: &str) -> Option<(usize, usize)> {
    let mut parts = place.rsplitn(3, ':');
    let column = parts.next()?.parse().ok()?;
    let line = parts.next()?.parse().ok()?;
    parts.next().map(|_| (line, column))
}

/// The line with a sign under the place.
fn excerpt(
    out: &mut String,
    paint: &Paint,
    tint: &str,
    width: usize,
    (number, column): (usize, usize),
    source: &str,
) {
    let chars: Vec<char> = printable(source, LONGEST_LINE).chars().collect();
    let from = column.saturating_sub(1).min(chars.len());
    let until = from + extent(&chars[from..]);
    let gutter = number.to_string().len();
    let room = width.saturating_sub(gutter + 4).max(8);
    let shown = cut(&chars, from, room);
    let before: usize = shown.lead.width();
    let under = (from..until)
        .take(room)
        .map(|n| chars.get(n).and_then(|c| c.width()).unwrap_or(1))
        .sum::<usize>();
    let under = under.clamp(1, room.saturating_sub(before).max(1));
    let bar = paint.with("34", "|");
    let blank = " ".repeat(gutter);
    let _ = writeln!(out, " {blank} {bar}");
    let _ = writeln!(
        out,
        " {} {bar} {}{}",
        paint.with("34", &number.to_string()),
        shown.lead,
        shown.rest.trim_end()
    );
    let _ = writeln!(
        out,
        " {blank} {bar} {}{}",
        " ".repeat(before),
        paint.with(tint, &"^".repeat(under))
    );
}

/// How many characters the word, text or number at the start of these takes.
fn extent(chars: &[char]) -> usize {
    match chars.first() {
        None => 1,
        Some(quote @ ('"' | '\'')) => {
            let rest = chars.iter().skip(1).position(|c| c == quote);
            rest.map_or(1, |end| end + 2)
        }
        Some(_) => {
            let ends = |c: &char| c.is_whitespace() || ":=,[]{}#".contains(*c);
            chars.iter().position(ends).unwrap_or(chars.len()).max(1)
        }
    }
}

struct Shown {
    /// What is shown before the place.
    lead: String,
    /// What is shown from there on.
    rest: String,
}

/// A line as far as there is room, the place always in sight.
fn cut(chars: &[char], from: usize, room: usize) -> Shown {
    let columns = |c: &char| c.width().unwrap_or(1);
    let (before, after) = chars.split_at(from);
    // indentation is left out last: two thirds of the room are for what leads to the place
    let mut left = room * 2 / 3;
    let mut start = before.len();
    for (n, c) in before.iter().enumerate().rev() {
        match left.checked_sub(columns(c)) {
            Some(rest) => (left, start) = (rest, n),
            None => break,
        }
    }
    let mut lead: String = before.iter().skip(start).collect();
    if start > 0 {
        lead = std::iter::once('…').chain(lead.chars().skip(1)).collect();
    }
    let mut left = room.saturating_sub(lead.width());
    let mut rest = String::new();
    for c in after {
        match left.checked_sub(columns(c)) {
            Some(less) => {
                left = less;
                rest.push(*c);
            }
            None => {
                rest.pop();
                rest.push('…');
                break;
            }
        }
    }
    Shown { lead, rest }
}

/// Words under the line, indented by two.
fn paragraph(out: &mut String, text: &str, width: usize) {
    if text.is_empty() {
        return;
    }
    for row in wrapped(text, width) {
        let _ = writeln!(out, "  {row}");
    }
}

/// A text in rows that leave two of so many columns for an indent; a word that is wider is broken.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let width = width.saturating_sub(2).max(8);
    let mut rows = Vec::new();
    let mut row = String::new();
    for word in text.split(' ') {
        if !row.is_empty() && row.width() + 1 + word.width() > width {
            rows.push(std::mem::take(&mut row));
        }
        if !row.is_empty() {
            row.push(' ');
        }
        for c in word.chars() {
            if row.width() + c.width().unwrap_or(1) > width {
                rows.push(std::mem::take(&mut row));
            }
            row.push(c);
        }
    }
    rows.push(row);
    rows
}
