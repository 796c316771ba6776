//! Text from outside, made safe to show.

/// The text with every control and format character that could move a cursor, change a colour,
/// reorder a line or hide a letter replaced by `�`, line breaks and tabs by a blank, and cut to
/// `most` characters (an ellipsis stands for the rest).
///
/// Everything that enters the domain from a plan, a platform or a person passes through here, so
/// that no screen, log or export has to think of it again.
pub fn printable(text: &str, most: usize) -> String {
    let mut out = String::with_capacity(text.len().min(most.saturating_mul(4)));
    for (n, c) in text.chars().enumerate() {
        if n == most {
            out.pop();
            out.push('…');
            break;
        }
        out.push(match c {
            '\n' | '\r' | '\t' => ' ',
            c if c.is_control() => '\u{fffd}',
            // bidirectional controls, zero-width characters, line separators, tags, private ends
            '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}' => '\u{fffd}',
            c => c,
        });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn control_sequences_do_not_survive() {
        assert_eq!(
            printable("a\x1b[31mb\u{9b}2Jc\u{202e}d", 99),
            "a\u{fffd}[31mb\u{fffd}2Jc\u{fffd}d"
        );
        assert_eq!(printable("one\ntwo\tthree", 99), "one two three");
        assert_eq!(printable("abcdef", 4), "abc…");
        assert_eq!(printable("abcd", 4), "abcd");
    }
}
