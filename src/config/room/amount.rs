//! Amounts as people write them, in parts per million as the charter keeps them.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};

use crate::domain::Span;
use crate::domain::charter::Horizon;
use crate::domain::spelled::Spelled;

/// A limit in the metric's unit: `5%`, `400ms`, `1.5s`, or a bare number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit(pub u64);

/// How much worse than the old version the new one may be, as written: `1.25x`, `0.02 points`,
/// `1.25x + 0.02 points`, `10%`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tolerance {
    /// `1.25x`.
    pub times: Option<u64>,
    /// `0.02 points`, as a part of a whole.
    pub points: Option<u64>,
    /// `10%`.
    pub part: Option<u64>,
}

/// How much a metric counts beside others: a number above 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weight(pub u64);

/// What is promised: `99.9%`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slo(pub u64);

/// How long regressions may begin: a number of looks, or a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Until(pub Horizon);

/// A quantile: `p99`, `p99.9`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Quantile(pub u64);

/// A decimal number in parts per million, exactly; `None` when it is none, is negative, is finer
/// than a millionth, or too large.
fn millionths(text: &str) -> Option<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |t: &str| t.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || part.len() > 6 || !digits(whole) || !digits(part) {
        return None;
    }
    let part: u64 = format!("{part:0<6}").parse().ok()?;
    whole
        .parse::<u64>()
        .ok()?
        .checked_mul(1_000_000)?
        .checked_add(part)
}

/// Divides by a power of ten, if nothing is lost.
fn exact(amount: u64, by: u64) -> Option<u64> {
    amount.is_multiple_of(by).then_some(amount / by)
}

impl Limit {
    fn parse(text: &str) -> Result<Limit, String> {
        let amount = if let Some(percent) = text.strip_suffix('%') {
            millionths(percent.trim_end()).and_then(|n| exact(n, 100))
        } else if let Some(ms) = text.strip_suffix("ms") {
            millionths(ms.trim_end()).and_then(|n| exact(n, 1000))
        } else if let Some(s) = text.strip_suffix('s') {
            millionths(s.trim_end())
        } else {
            millionths(text)
        };
        amount
            .map(Limit)
            .ok_or_else(|| format!("`{text}` is no limit; write 5%, 400ms, 1.5s or a number"))
    }
}

impl Tolerance {
    fn parse(text: &str) -> Result<Tolerance, String> {
        let mut read = Tolerance::default();
        let wrong = || {
            format!(
                "`{text}` is no tolerance; write 1.25x, 0.02 points, 1.25x + 0.02 points or 10%"
            )
        };
        for term in text.split('+').map(str::trim) {
            let points = term.strip_suffix("points").or(term.strip_suffix("point"));
            let (place, amount) = if let Some(times) = term.strip_suffix('x') {
                (&mut read.times, millionths(times.trim_end()))
            } else if let Some(points) = points {
                let amount = millionths(points.trim_end()).and_then(|n| exact(n, 100));
                (&mut read.points, amount)
            } else if let Some(part) = term.strip_suffix('%') {
                let amount = millionths(part.trim_end()).and_then(|n| exact(n, 100));
                (&mut read.part, amount)
            } else {
                return Err(wrong());
            };
            if place.replace(amount.ok_or_else(wrong)?).is_some() {
                return Err(wrong());
            }
        }
        if read
            .times
            .is_some_and(|n| !(1_000_000..=1_000_000_000).contains(&n))
        {
            return Err(format!(
                "with {text} a version as good as the old one would fail; write 1x or more, such as 1.25x"
            ));
        }
        Ok(read)
    }
}

impl Weight {
    fn parse(text: &str) -> Result<Weight, String> {
        match millionths(text) {
            Some(n @ 1..=1_000_000_000) => Ok(Weight(n)),
            _ => Err(format!(
                "`{text}` is no weight; write a number above 0, at most 1000"
            )),
        }
    }
}

impl Slo {
    fn parse(text: &str) -> Result<Slo, String> {
        let part = text.strip_suffix('%').map(str::trim_end);
        match part.and_then(millionths).and_then(|n| exact(n, 100)) {
            Some(n @ 1..1_000_000) => Ok(Slo(n)),
            _ => Err(format!("`{text}` is no objective; write 99.9%")),
        }
    }
}

impl Until {
    fn parse(text: &str) -> Result<Until, String> {
        if let Ok(looks) = text.parse::<u32>() {
            return match looks {
                0 => Err("no regression could be found within 0 looks; write 240".to_owned()),
                looks => Ok(Until(Horizon::Looks(looks))),
            };
        }
        match Span::read(text) {
            Ok(span) if span.0 > 0 => Ok(Until(Horizon::Time(span))),
            _ => Err(format!(
                "`{text}` is no horizon; write a number of looks such as 240, or a time such as 1h"
            )),
        }
    }
}

impl TryFrom<String> for Quantile {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let percent = text.strip_prefix('p').and_then(millionths);
        match percent.and_then(|n| exact(n, 100)) {
            Some(n @ 1..1_000_000) => Ok(Quantile(n)),
            _ => Err(format!(
                "`{text}` is no quantile; write p50, p95, p99 or p99.9"
            )),
        }
    }
}

/// Reads numbers and text alike, as text.
struct NumberOrText;

impl Visitor<'_> for NumberOrText {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number or text with a unit")
    }

    fn visit_u64<E: Error>(self, n: u64) -> Result<String, E> {
        Ok(n.to_string())
    }

    fn visit_i64<E: Error>(self, n: i64) -> Result<String, E> {
        Ok(n.to_string())
    }

    fn visit_f64<E: Error>(self, n: f64) -> Result<String, E> {
        Ok(n.to_string())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<String, E> {
        Ok(text.to_owned())
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = deserializer.deserialize_any(NumberOrText)?;
        Limit::parse(&text).map_err(D::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Tolerance {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = deserializer.deserialize_any(NumberOrText)?;
        Tolerance::parse(&text).map_err(D::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Weight {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = deserializer.deserialize_any(NumberOrText)?;
        Weight::parse(&text).map_err(D::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Slo {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = deserializer.deserialize_any(NumberOrText)?;
        Slo::parse(&text).map_err(D::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Until {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = deserializer.deserialize_any(NumberOrText)?;
        Until::parse(&text).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tolerances() {
        let read = |text: &str| Tolerance::parse(text).map(|t| (t.times, t.points, t.part));
        assert_eq!(read("1.25x"), Ok((Some(1_250_000), None, None)));
        assert_eq!(read("0.02 points"), Ok((None, Some(200), None)));
        assert_eq!(
            read("1.25x + 0.02 points"),
            Ok((Some(1_250_000), Some(200), None))
        );
        assert_eq!(read("10%"), Ok((None, None, Some(100_000))));
        for bad in ["", "1.25", "0.9x", "2x + 3x", "x", "-1x", "1e3x", "2x +"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn amounts_are_exact() {
        assert_eq!(Limit::parse("5%"), Ok(Limit(50_000)));
        assert_eq!(Limit::parse("0.5 %"), Ok(Limit(5_000)));
        assert_eq!(Limit::parse("400ms"), Ok(Limit(400_000)));
        assert_eq!(Limit::parse("1.5s"), Ok(Limit(1_500_000)));
        assert_eq!(Limit::parse("0.05"), Ok(Limit(50_000)));
        assert_eq!(Limit::parse("12"), Ok(Limit(12_000_000)));
        for bad in [
            "",
            "%",
            "-1",
            "1e3",
            "5 %%",
            "0.0000001",
            "NaN",
            "99999999999999999999",
        ] {
            assert!(Limit::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(Weight::parse("2.5"), Ok(Weight(2_500_000)));
        assert!(Weight::parse("0").is_err());
        assert_eq!(Slo::parse("99.9%"), Ok(Slo(999_000)));
        assert!(Slo::parse("100%").is_err() && Slo::parse("0.999").is_err());
        assert_eq!(Until::parse("240"), Ok(Until(Horizon::Looks(240))));
        assert_eq!(Until::parse("1h"), Ok(Until(Horizon::Time(Span::mins(60)))));
        assert!(Until::parse("0").is_err() && Until::parse("soon").is_err());
        let quantile = |t: &str| Quantile::try_from(t.to_owned());
        assert_eq!(quantile("p99"), Ok(Quantile(990_000)));
        assert_eq!(quantile("p99.9"), Ok(Quantile(999_000)));
        assert!(quantile("p100").is_err());
        assert!(quantile("p0").is_err());
        assert!(quantile("99").is_err());
    }
}
