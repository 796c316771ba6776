//! JSON whose mistakes know their place.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::config::mistakes::{Mistakes, Source};
use crate::domain::Notice;
use crate::domain::text::printable;
use crate::domain::words::nearest;

/// A text that was read from somewhere.
#[derive(Clone, Copy, Debug)]
pub struct File<'a> {
    /// Its name as notices say it.
    pub name: &'a str,
    /// What it holds.
    pub text: &'a str,
    /// The code of notices about it.
    pub code: &'a str,
}

impl<'a> File<'a> {
    /// A notice about a part of this text.
    pub fn about(&self, part: &str, headline: impl Into<String>) -> Notice {
        let from = (part.as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize);
        self.at(from, headline)
    }

    /// A notice about what stands at a byte of this text.
    pub fn at(&self, byte: usize, headline: impl Into<String>) -> Notice {
        let mut end = byte.min(self.text.len());
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        let before = &self.text[..end];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        let name = printable(self.name, 200);
        Notice::error(self.code, headline).at(format!("{name}:{line}:{column}"))
    }

    /// Reads a part of this text; `what` says what it is (`streams, case 3`).
    ///
    /// # Errors
    /// The first mistake, with its place.
    pub fn read<T: Deserialize<'a>>(&self, part: &'a str, what: &str) -> Result<T, Notice> {
        serde_json::from_str(part).map_err(|error| self.mistake(part, &error, what))
    }

    /// What is wrong with a part of this text, where it is wrong.
    pub fn mistake(&self, part: &str, error: &serde_json::Error, what: &str) -> Notice {
        let start = (part.as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize);
        let lines = part
            .split_inclusive('\n')
            .take(error.line().saturating_sub(1));
        let within = lines.map(str::len).sum::<usize>() + error.column().saturating_sub(1);
        let (said, next) = words(error);
        let said = if what.is_empty() {
            said
        } else {
            format!("{what}: {said}")
        };
        let notice = self.at(start + within, said);
        match next {
            Some(next) => notice.next(next),
            None => notice,
        }
    }

    /// Mistakes in this text, shown with their lines where those are short enough to be read.
    pub fn mistakes(&self, notices: Vec<Notice>) -> Mistakes {
        let text = match self.text.lines().any(|line| line.len() > 2000) {
            true => "",
            false => self.text,
        };
        Mistakes::of(Source::new(printable(self.name, 200), text), notices)
    }
}

/// What serde says, without the place, and the nearest word that would have been right.
pub fn words(error: &serde_json::Error) -> (String, Option<String>) {
    let text = error.to_string();
    let said = match text.rsplit_once(" at line ") {
        Some((said, _)) => said,
        None => &text,
    };
    let quoted: Vec<&str> = said.split('`').skip(1).step_by(2).collect();
    let unknown = said.starts_with("unknown ");
    let near = match quoted.split_first() {
        Some((read, known)) if unknown => nearest(read, known.iter().copied()),
        _ => None,
    };
    let next = near.map(|near| format!("did you mean `{near}`?"));
    (printable(said, 300), next)
}

/// A JSON object in the order in which it is written.
#[derive(Clone, Debug)]
pub struct Ordered<T>(pub Vec<(String, T)>);

impl<T> Default for Ordered<T> {
    fn default() -> Self {
        Ordered(Vec::new())
    }
}

impl<T> Ordered<T> {
    /// What stands under a key.
    pub fn get(&self, key: &str) -> Option<&T> {
        let found = self.0.iter().find(|(name, _)| name == key);
        found.map(|(_, value)| value)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Ordered<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Pairs<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Pairs<T> {
            type Value = Ordered<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut pairs: Vec<(String, T)> = Vec::new();
                let mut seen = std::collections::BTreeSet::new();
                while let Some(key) = map.next_key::<String>()? {
                    if !seen.insert(key.clone()) {
                        let shown = printable(&key, 60);
                        return Err(de::Error::custom(format!("`{shown}` stands here twice")));
                    }
                    pairs.push((key, map.next_value()?));
                }
                Ok(Ordered(pairs))
            }
        }
        from.deserialize_map(Pairs(PhantomData))
    }
}

/// A number; NaN and infinities are written as text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Num(pub f64);

/// The same where `null` stands for NaN, as in recorded series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point(pub f64);

struct Number {
    null: bool,
}

impl<'de> Visitor<'de> for Number {
    type Value = f64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, \"NaN\", \"inf\" or \"-inf\"")
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<f64, E> {
        Ok(value)
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<f64, E> {
        Ok(value as f64)
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<f64, E> {
        Ok(value as f64)
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<f64, E> {
        match value {
            "NaN" | "nan" => Ok(f64::NAN),
            "inf" | "+inf" | "Inf" | "+Inf" | "Infinity" => Ok(f64::INFINITY),
            "-inf" | "-Inf" | "-Infinity" => Ok(f64::NEG_INFINITY),
            _ => Err(E::invalid_value(de::Unexpected::Str(value), &self)),
        }
    }

    fn visit_unit<E: de::Error>(self) -> Result<f64, E> {
        if self.null {
            Ok(f64::NAN)
        } else {
            Err(E::invalid_type(de::Unexpected::Unit, &self))
        }
    }
}

impl<'de> Deserialize<'de> for Num {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Number { null: false }).map(Num)
    }
}

impl<'de> Deserialize<'de> for Point {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Number { null: true }).map(Point)
    }
}

/// The numbers themselves.
pub fn plain(numbers: &[Num]) -> Vec<f64> {
    numbers.iter().map(|number| number.0).collect()
}

/// The points themselves.
pub fn points(numbers: &[Point]) -> Vec<f64> {
    numbers.iter().map(|number| number.0).collect()
}

/// The first sign of a value: what kind of value it is.
pub fn sign(raw: &RawValue) -> u8 {
    raw.get().trim_start().bytes().next().unwrap_or(b' ')
}
