//! Values that files and events write as one piece of text: `5m`, `40%`, `env:TOKEN`.
//!
//! `#[serde(try_from = "String")]` reads such values too, but says "expected text" when it meets a
//! list; a [`Spelled`] type says what text, and can keep what it read out of every message.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserializer, Error, Visitor};

/// A value that is written as one piece of text.
pub trait Spelled: Sized {
    /// What is expected, for people: `a length of time like 5m`.
    const EXPECTED: &'static str;

    /// The text may be a secret: neither it nor its line is ever shown. [`Spelled::read`] then
    /// must not repeat it either.
    const HIDDEN: bool = false;

    /// Reads the text.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    fn read(text: &str) -> Result<Self, String>;
}

/// The name under which values that may be secrets are asked for, so that a reader of files can
/// keep them out of what it says.
pub const HIDDEN_NEWTYPE: &str = "$holdpoint::hidden";

/// Reads a [`Spelled`] value: the body of its `Deserialize`, or a field's `deserialize_with`.
///
/// # Errors
/// What was expected, where no text was read; else what [`Spelled::read`] says.
pub fn deserialize<'de, D: Deserializer<'de>, T: Spelled>(from: D) -> Result<T, D::Error> {
    if T::HIDDEN {
        from.deserialize_newtype_struct(HIDDEN_NEWTYPE, Speller(PhantomData))
    } else {
        from.deserialize_str(Speller(PhantomData))
    }
}

struct Speller<T>(PhantomData<T>);

impl<'de, T: Spelled> Visitor<'de> for Speller<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        T::read(text).map_err(E::custom)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, from: D) -> Result<T, D::Error> {
        from.deserialize_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq)]
    struct Reference(String);

    impl Spelled for Reference {
        const EXPECTED: &'static str = "a reference like env:TOKEN";
        const HIDDEN: bool = true;

        fn read(text: &str) -> Result<Self, String> {
            let name = text.strip_prefix("env:").ok_or("that is no reference")?;
            Ok(Reference(name.to_owned()))
        }
    }

    #[test]
    fn other_formats_read_them_too() {
        let mut json = serde_json::Deserializer::from_str("\"env:TOKEN\"");
        let read: Reference = deserialize(&mut json).unwrap();
        assert_eq!(read, Reference("TOKEN".to_owned()));
        let mut json = serde_json::Deserializer::from_str("[1]");
        let error = deserialize::<_, Reference>(&mut json).unwrap_err();
        assert!(error.to_string().contains("a reference like env:TOKEN"));
    }
}
