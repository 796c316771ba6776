//! Amounts as people write them, in parts per million as the charter keeps them.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};

/// A limit in the metric's unit: `5%`, `400ms`, `1.5s`, or a bare number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit(pub u64);

/// A multiple above one: `2.0`, or `2x`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ratio(pub u64);

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

impl Ratio {
    fn parse(text: &str) -> Result<Ratio, String> {
        match millionths(text.strip_suffix('x').unwrap_or(text).trim_end()) {
            Some(n) if n > 1_000_000 => Ok(Ratio(n)),
            Some(_) => Err(format!(
                "with {text} a version as good as the old one would fail; write more than 1, such as 2.0"
            )),
            None => Err(format!("`{text}` is no multiple; write 2.0")),
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

impl<'de> Deserialize<'de> for Ratio {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = deserializer.deserialize_any(NumberOrText)?;
        Ratio::parse(&text).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(Ratio::parse("2"), Ok(Ratio(2_000_000)));
        assert_eq!(Ratio::parse("1.25x"), Ok(Ratio(1_250_000)));
        assert!(Ratio::parse("1").is_err());
        assert!(Ratio::parse("0.5").is_err());
        let quantile = |t: &str| Quantile::try_from(t.to_owned());
        assert_eq!(quantile("p99"), Ok(Quantile(990_000)));
        assert_eq!(quantile("p99.9"), Ok(Quantile(999_000)));
        assert!(quantile("p100").is_err());
        assert!(quantile("p0").is_err());
        assert!(quantile("99").is_err());
    }
}
