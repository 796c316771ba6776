//! Times, numbers and names as people read them.

use chrono::{DateTime, TimeZone};
use chrono_tz::Tz;

use crate::domain::hold::{Hold, HoldKind};
use crate::domain::live::Unit;
use crate::domain::plan::{CommandCheck, HttpCheck};
use crate::domain::{Call, Choice, Span, Timestamp};

use super::glyph::{Glyph, Status};

fn local(at: Timestamp, zone: Tz) -> Option<DateTime<Tz>> {
    zone.timestamp_millis_opt(at.0).single()
}

fn formatted(at: Timestamp, zone: Tz, format: &str) -> String {
    local(at, zone).map_or_else(|| "?".to_owned(), |t| t.format(format).to_string())
}

/// `02:41:07`.
pub fn clock(at: Timestamp, zone: Tz) -> String {
    formatted(at, zone, "%H:%M:%S")
}

/// `02:41`.
pub fn minute(at: Timestamp, zone: Tz) -> String {
    formatted(at, zone, "%H:%M")
}

/// `Sat 21 Nov`.
pub fn day(at: Timestamp, zone: Tz) -> String {
    formatted(at, zone, "%a %-d %b")
}

/// `Sat 21 Nov 2026 02:41:07`.
pub fn full(at: Timestamp, zone: Tz) -> String {
    formatted(at, zone, "%a %-d %b %Y %H:%M:%S")
}

/// A time near now: `02:41` today, `Sun 02:41` within six days, `28 Nov 02:41` else.
pub fn when(at: Timestamp, now: Timestamp, zone: Tz) -> String {
    let same = formatted(at, zone, "%F") == formatted(now, zone, "%F");
    let far = at.since(now).max(now.since(at)) > Span::mins(6 * 24 * 60);
    formatted(
        at,
        zone,
        match (same, far) {
            (true, _) => "%H:%M",
            (false, false) => "%a %H:%M",
            (false, true) => "%-d %b %H:%M",
        },
    )
}

/// A time that is shown under its day: `02:41`, and with its date where it lies before that day.
pub fn when_on(at: Timestamp, from: Timestamp, zone: Tz) -> String {
    formatted(at, zone, if at < from { "%-d %b %H:%M" } else { "%H:%M" })
}

/// The place in a zone's name: `Berlin` of `Europe/Berlin`.
pub fn zone(zone: Tz) -> String {
    let name = zone.name();
    name.rsplit('/').next().unwrap_or(name).replace('_', " ")
}

/// A length of time in one unit, for lists: `31 s`, `4 m`, `2 h`, `3 d`.
pub fn short(span: Span) -> String {
    let s = span.0 / 1000;
    match s {
        0..60 => format!("{s} s"),
        60..3600 => format!("{} m", s / 60),
        3600..86_400 => format!("{} h", s / 3600),
        _ => format!("{} d", s / 86_400),
    }
}

/// How long ago something was, in whole seconds: `0 s`, `4 m 10 s`.
pub fn age(span: Span) -> String {
    let whole = Span::secs(span.0 / 1000);
    if whole.0 == 0 {
        "0 s".to_owned()
    } else {
        whole.to_string()
    }
}

/// A length of time with tenths where it is short: `0.4 s`, `47 s`.
pub fn fine(span: Span) -> String {
    if span.0 < 10_000 {
        format!("{}.{} s", span.0 / 1000, span.0 % 1000 / 100)
    } else {
        span.to_string()
    }
}

/// A count in groups of three: `12 431`.
pub fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(c);
    }
    out
}

/// `1 instance`, `2 instances`.
pub fn count(n: usize, one: &str) -> String {
    if n == 1 {
        format!("1 {one}")
    } else {
        format!("{n} {one}s")
    }
}

/// A metric's value in its unit: `412 ms`, `0.34 %`, `1.02`.
pub fn value(unit: Unit, value: f64) -> String {
    if !value.is_finite() {
        return "?".to_owned();
    }
    match unit {
        // as the judge says them: a share always with its places, so that 0.00 is seen as measured
        Unit::Share => {
            format!("{:.2} %", value * 100.0)
        }
        Unit::Seconds if value.abs() < 1.0 => format!("{} ms", digits(value * 1000.0)),
        Unit::Seconds => format!("{} s", digits(value)),
        Unit::Plain if value.abs() >= 1e18 => format!("{value:.2e}"),
        Unit::Plain if value.abs() >= 1e15 => format!("{} P", digits(value / 1e15)),
        Unit::Plain if value.abs() >= 1e12 => format!("{} T", digits(value / 1e12)),
        Unit::Plain if value.abs() >= 1e9 => format!("{} G", digits(value / 1e9)),
        Unit::Plain if value.abs() >= 1e6 => format!("{} M", digits(value / 1e6)),
        Unit::Plain => digits(value),
    }
}

/// A value on the scale of a chart, as short as it can be.
pub fn scale(unit: Unit, value: f64) -> String {
    match unit {
        Unit::Share => format!("{} %", digits(value * 100.0)),
        _ => self::value(unit, value),
    }
}

/// Three digits that matter, and no zeros that say nothing.
fn digits(value: f64) -> String {
    let places = match value.abs() {
        v if v >= 100.0 => 0,
        v if v >= 10.0 => 1,
        _ => 2,
    };
    let text = format!("{value:.places$}");
    if text.contains('.') {
        let text = text.trim_end_matches('0').trim_end_matches('.');
        if text == "-0" { "0" } else { text }.to_owned()
    } else {
        text
    }
}

/// The first letter large.
pub fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(chars).collect()
    })
}

/// How a verdict is shown: its meaning, its sign, its word.
pub const fn verdict(call: Call) -> (Status, Glyph) {
    match call {
        Call::Pass => (Status::Good, Glyph::Done),
        Call::Fail => (Status::Bad, Glyph::Failed),
        Call::Hold => (Status::Person, Glyph::Alert),
        Call::Undecided | Call::NoData => (Status::Unknown, Glyph::Unknown),
    }
}

/// A vote as a verb: `approve`, `request changes`.
pub fn vote(choice: Choice) -> String {
    choice.word().replace('-', " ")
}

/// What screens call a hold: `start` is a manual hold of its own.
pub fn hold_name(hold: &Hold) -> &'static str {
    match hold.kind {
        HoldKind::Manual { .. } if hold.id.as_str() == "start" => "start",
        HoldKind::Dependency { ref needs } if needs.is_empty() => "targets",
        _ => hold.kind.word(),
    }
}

/// The same with the time that it takes: `bake 10m`.
pub fn hold_told(hold: &Hold) -> String {
    match hold.kind {
        HoldKind::Bake { span } => format!("bake {span}"),
        HoldKind::Observe { span, .. } => format!("observed for {span}"),
        _ => hold_name(hold).to_owned(),
    }
}

/// What a hold asks for, in a few words, however far it is.
pub fn asks(hold: &Hold, now: Timestamp, zone: Tz) -> String {
    match &hold.kind {
        HoldKind::Approval(terms) => terms.words(),
        HoldKind::Manual { ask } => ask.to_string(),
        HoldKind::Readiness { checks } => crate::domain::readiness::list(checks),
        HoldKind::Queue => "a place under the limits".to_owned(),
        HoldKind::Dependency { needs } if !needs.is_empty() => crate::domain::needs::list(needs),
        HoldKind::Dependency { .. } => "no other release moves its targets".to_owned(),
        HoldKind::Window { opens, closes } => window(*opens, *closes, now, zone),
        HoldKind::Calendar => "every rule of the calendar allows it".to_owned(),
        HoldKind::Moved => "every instance runs what it should".to_owned(),
        HoldKind::Health {
            http,
            command,
            passes,
            every,
        } => format!(
            "{}, {passes} rounds in a row, every {every}",
            checks(http, command)
        ),
        HoldKind::Bake { span } => format!("{span} with no trigger firing"),
        HoldKind::Analysis { metrics, passes } => {
            let names: Vec<&str> = metrics.iter().map(|m| m.as_str()).collect();
            format!("{}: {passes} looks in a row pass", names.join(", "))
        }
        HoldKind::Observe { span, handover } => {
            let note = if *handover {
                ", and a handover note"
            } else {
                ""
            };
            format!("{span} with no trigger firing{note}")
        }
    }
}

/// `Sat 02:00–04:00 Berlin`.
pub fn window(opens: Timestamp, closes: Timestamp, now: Timestamp, z: Tz) -> String {
    let same = formatted(opens, z, "%F") == formatted(closes, z, "%F");
    let from = if opens.since(now).max(now.since(opens)) > Span::mins(6 * 24 * 60) {
        formatted(opens, z, "%a %-d %b %H:%M")
    } else {
        formatted(opens, z, "%a %H:%M")
    };
    let to = if same {
        minute(closes, z)
    } else {
        format!(" {}", when(closes, opens, z))
    };
    format!("{from}–{to} {}", zone(z))
}

fn checks(http: &[HttpCheck], command: &[CommandCheck]) -> String {
    let mut parts = Vec::new();
    if let Some(first) = http.first() {
        let more = if http.len() > 1 {
            format!(" and {} more", http.len() - 1)
        } else {
            String::new()
        };
        parts.push(format!("{}{more}", first.url));
    }
    if let Some(first) = command.first() {
        let more = if command.len() > 1 {
            format!(" and {} more", command.len() - 1)
        } else {
            String::new()
        };
        parts.push(format!("`{}`{more}", argv(&first.argv)));
    }
    parts.join(", ")
}

/// A command as somebody would type it.
pub fn argv(words: &[std::sync::Arc<str>]) -> String {
    let quoted: Vec<String> = words
        .iter()
        .map(|word| {
            let plain = |c: char| c.is_alphanumeric() || "-_./:=,@%+{}~".contains(c);
            if !word.is_empty() && word.chars().all(plain) {
                word.to_string()
            } else {
                format!("'{}'", word.replace('\'', "'\\''"))
            }
        })
        .collect();
    quoted.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_line_up_and_units_stand_apart() {
        assert_eq!(grouped(7), "7");
        assert_eq!(grouped(12_431), "12 431");
        assert_eq!(grouped(1_000_000), "1 000 000");
        assert_eq!(value(Unit::Seconds, 0.412), "412 ms");
        assert_eq!(value(Unit::Seconds, 1.5), "1.5 s");
        assert_eq!(value(Unit::Share, 0.0034), "0.34 %");
        assert_eq!(value(Unit::Share, 0.0), "0.00 %");
        assert_eq!(value(Unit::Plain, 28_401_664.0), "28.4 M");
        assert_eq!(value(Unit::Plain, 1.26e15), "1.26 P");
        assert_eq!(value(Unit::Plain, 3e21), "3.00e21");
        assert_eq!(value(Unit::Plain, f64::NAN), "?");
        assert_eq!(value(Unit::Plain, 1234.4), "1234");
        assert_eq!(short(Span::mins(125)), "2 h");
        assert_eq!(fine(Span(420)), "0.4 s");
    }

    #[test]
    fn times_are_told_in_the_viewers_zone() {
        let at = Timestamp(1_795_225_267_000); // 2026-11-21T01:41:07Z
        let berlin = chrono_tz::Europe::Berlin;
        assert_eq!(clock(at, berlin), "02:41:07");
        assert_eq!(day(at, berlin), "Sat 21 Nov");
        assert_eq!(zone(berlin), "Berlin");
        assert_eq!(zone(chrono_tz::America::New_York), "New York");
        assert_eq!(when(at.plus(Span::mins(60)), at, berlin), "03:41");
        assert_eq!(when(at.plus(Span::mins(24 * 60)), at, berlin), "Sun 02:41");
        assert_eq!(when(Timestamp(0), at, berlin), "1 Jan 01:00");
        assert_eq!(clock(Timestamp(i64::MAX), berlin), "?");
    }

    #[test]
    fn commands_are_quoted_where_they_must_be() {
        let words: Vec<std::sync::Arc<str>> =
            vec!["deploy".into(), "{version}".into(), "a b'c".into()];
        assert_eq!(argv(&words), r"deploy {version} 'a b'\''c'");
    }
}
