//! What was seen, in plain words. (The holdpoint judge, section 6.)

use super::counts::{Counts, Tolerance};
use super::interval::Interval;

/// How strong evidence is, as a word.
pub fn strength(e: f64) -> &'static str {
    match e {
        e if e < 3.0 => "no",
        e if e < 10.0 => "weak",
        e if e < 20.0 => "moderate",
        e if e < 100.0 => "strong",
        e if e < 1000.0 => "very strong",
        _ => "overwhelming",
    }
}

/// The power of ten of a number's first digit; of a finite one that is not 0.
pub fn magnitude(value: f64) -> i32 {
    value.abs().log10().floor() as i32
}

/// A number with so many significant digits, without zeros at its end: `0.333`, `12`, `1.25`.
pub fn significant(value: f64, digits: i32) -> String {
    if value == 0.0 || !value.is_finite() {
        return format!("{value}");
    }
    let whole = magnitude(value);
    let places = usize::try_from(digits - 1 - whole).unwrap_or(0);
    let text = format!("{value:.places$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

/// Evidence as a number to one: `0.83`, `12`, `1.4e7`.
pub fn to_one(e: f64) -> String {
    if e < 1e6 {
        significant(e, 3)
    } else {
        format!("{e:.1e}")
    }
}

/// A fraction as percent with three significant digits.
pub fn percent(fraction: f64) -> String {
    format!("{}%", significant(fraction * 100.0, 3))
}

/// What is allowed: `1.25x + 0.02 points`.
pub fn allowed(tolerance: Tolerance) -> String {
    match tolerance {
        Tolerance::Odds(odds) => format!("{}x in odds", significant(odds, 4)),
        Tolerance::Line(line) if line.rho == 0.0 => format!("{} in all", percent(line.delta)),
        Tolerance::Line(line) if line.delta == 0.0 => format!("{}x", significant(line.rho, 4)),
        Tolerance::Line(line) => format!(
            "{}x + {} points",
            significant(line.rho, 4),
            significant(line.delta * 100.0, 4)
        ),
    }
}

/// A sentence about an error ratio: what was seen, what is allowed, how strong the evidence is and
/// what that means. `most` is the largest evidence so far.
pub fn ratio_sentence(
    name: &str,
    seen: Counts,
    interval: Option<Interval>,
    tolerance: Tolerance,
    most: f64,
) -> String {
    format!("{name}: {}", ratio(seen, interval, tolerance, most))
}

fn ratio(seen: Counts, interval: Option<Interval>, tolerance: Tolerance, most: f64) -> String {
    if seen.n1 <= 0.0 || (seen.n0 <= 0.0 && !absolute(tolerance)) {
        return "not enough traffic to say anything.".to_owned();
    }
    let mut text = format!(
        "new version {} bad ({} of {})",
        percent(seen.k1 / seen.n1),
        seen.k1,
        seen.n1
    );
    if seen.n0 > 0.0 {
        text.push_str(&format!(
            ", old version {} ({} of {}) over the same time",
            percent(seen.k0 / seen.n0),
            seen.k0,
            seen.n0
        ));
    }
    if seen.k1 > 0.0 && seen.k0 > 0.0 {
        let times = (seen.k1 / seen.n1) / (seen.k0 / seen.n0);
        text.push_str(&format!("; that is {}x", significant(times, 2)));
        if let Some(between) = interval {
            text.push_str(&format!(" ({})", range(between)));
        }
    }
    text.push_str(&format!(". Allowed: {}. ", allowed(tolerance)));
    if seen.k1 == 0.0 && seen.k0 == 0.0 {
        text.push_str("Not enough traffic to tell the two apart: nothing bad was seen.");
    } else {
        text.push_str(&evidence(most));
    }
    text
}

/// A sentence about latencies: how many requests were slower than the boundary that shows most, what
/// is allowed, how strong the evidence is. Without a boundary nothing was counted yet.
pub fn latency_sentence(
    name: &str,
    worst: Option<(f64, Counts)>,
    tolerance: Tolerance,
    most: f64,
) -> String {
    let Some((bound, seen)) = worst.filter(|(_, seen)| seen.n1 > 0.0 && seen.n0 > 0.0) else {
        return format!("{name}: not enough traffic to say anything.");
    };
    format!(
        "{name}: above {}: {} of the new version's requests ({} of {}), {} of the old version's ({} of \
         {}) over the same time. Allowed: {}. {}",
        significant(bound, 3),
        percent(seen.k1 / seen.n1),
        seen.k1,
        seen.n1,
        percent(seen.k0 / seen.n0),
        seen.k0,
        seen.n0,
        allowed(tolerance),
        evidence(most)
    )
}

fn absolute(tolerance: Tolerance) -> bool {
    matches!(tolerance, Tolerance::Line(line) if line.rho == 0.0)
}

/// An interval in words.
pub fn range(between: Interval) -> String {
    let ratio = |value: f64| format!("{}x", significant(value, 2));
    match (between.lower > 0.0, between.upper.is_finite()) {
        (true, true) => format!(
            "between {} and {}",
            ratio(between.lower),
            ratio(between.upper)
        ),
        (true, false) => format!("at least {}", ratio(between.lower)),
        (false, true) => format!("at most {}", ratio(between.upper)),
        (false, false) => "nothing is ruled out yet".to_owned(),
    }
}

/// How strong evidence of a regression is and what that means.
pub fn evidence(most: f64) -> String {
    let word = strength(most);
    let mut letters = word.chars();
    let first = letters.next().map(|c| c.to_ascii_uppercase());
    let word: String = first.into_iter().chain(letters).collect();
    if most < 3.0 {
        return format!("{word} evidence of a regression.");
    }
    format!(
        "{word} evidence of a regression: if the new version were within what you allow, at most 1 \
         rollout in {} would ever look this bad.",
        odds(most)
    )
}

/// A large number as people take it in; never more than it is.
fn odds(e: f64) -> String {
    match e {
        e if e < 1000.0 => format!("{}", e.floor()),
        e if e < 1e6 => {
            let unit = 10f64.powi(e.log10().floor() as i32 - 1);
            format!("{}", (e / unit).floor() * unit)
        }
        _ => "a million".to_owned(),
    }
}

/// A stretch of looks as time: `about 12 minutes`.
pub fn stretch(looks: f64, seconds_per_look: f64) -> String {
    let seconds = looks * seconds_per_look;
    match seconds {
        s if !s.is_finite() => "never".to_owned(),
        s if s < 90.0 => format!("about {s:.0} seconds"),
        s if s < 90.0 * 60.0 => format!("about {:.0} minutes", s / 60.0),
        s if s < 36.0 * 3600.0 => format!("about {} hours", significant(s / 3600.0, 2)),
        s => format!("about {:.0} days", s / 86_400.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentence() {
        let interval = Some(Interval {
            lower: 1.41,
            upper: 3.28,
        });
        let said = ratio_sentence(
            "errors",
            Counts::new(12_000, 84, 228_000, 760),
            interval,
            Tolerance::default(),
            340.7,
        );
        assert_eq!(
            said,
            "errors: new version 0.7% bad (84 of 12000), old version 0.333% (760 of 228000) over the \
             same time; that is 2.1x (between 1.4x and 3.3x). Allowed: 1.25x + 0.02 points. Very strong \
             evidence of a regression: if the new version were within what you allow, at most 1 rollout \
             in 340 would ever look this bad."
        );
    }

    #[test]
    fn too_little_is_never_called_good() {
        let none = ratio_sentence("e", Counts::default(), None, Tolerance::default(), 1.0);
        assert!(none.contains("not enough traffic"), "{none}");
        let quiet = Counts::new(50, 0, 50, 0);
        let quiet = ratio_sentence("e", quiet, None, Tolerance::default(), 0.7);
        assert!(quiet.contains("Not enough traffic"), "{quiet}");
    }

    #[test]
    fn numbers_as_people_read_them() {
        assert_eq!(significant(0.333_333, 3), "0.333");
        assert_eq!(significant(1200.4, 2), "1200");
        assert_eq!(significant(1.25, 4), "1.25");
        assert_eq!(significant(0.0, 2), "0");
        assert_eq!(odds(54_321.0), "54000");
        assert_eq!(odds(f64::INFINITY), "a million");
    }
}
