//! Names and numbers that identify things, and the one notion of time.
//!
//! Nothing here reads a clock: a [`Timestamp`] always comes from a command.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize};

use super::spelled::{self, Spelled};

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

/// A length of time in milliseconds; never negative. In files and events it is text: `90s`, `250ms`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(into = "String")]
pub struct Span(pub u64);

impl Spelled for Span {
    const EXPECTED: &'static str = "a length of time like 90s, 5m or 1h30m";

    fn read(text: &str) -> Result<Self, String> {
        Span::parse(text)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        spelled::deserialize(from)
    }
}

impl From<Span> for String {
    fn from(span: Span) -> String {
        if span.0.is_multiple_of(1000) {
            format!("{}s", span.0 / 1000)
        } else {
            format!("{}ms", span.0)
        }
    }
}

impl Span {
    /// A span of whole seconds.
    pub const fn secs(n: u64) -> Span {
        Span(n * 1000)
    }

    /// A span of whole minutes.
    pub const fn mins(n: u64) -> Span {
        Span(n * 60_000)
    }

    /// The same span for the clock of the standard library.
    pub const fn std(self) -> std::time::Duration {
        std::time::Duration::from_millis(self.0)
    }

    /// Reads `250ms`, `90s`, `5m`, `2h`, `1d`, or several of them in a row (`1h30m`).
    ///
    /// # Errors
    /// A sentence that says what is expected.
    pub fn parse(text: &str) -> Result<Span, String> {
        let expected = || format!("`{text}` is no length of time; write 90s, 5m, 2h, 1d or 1h30m");
        let mut rest = text.trim();
        if rest.is_empty() {
            return Err(expected());
        }
        let mut total: u64 = 0;
        while !rest.is_empty() {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let number: u64 = rest[..digits].parse().map_err(|_| expected())?;
            rest = &rest[digits..];
            let letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
            let unit = match &rest[..letters] {
                "ms" => 1,
                "s" => 1000,
                "m" | "min" => 60_000,
                "h" => 3_600_000,
                "d" => 86_400_000,
                _ => return Err(expected()),
            };
            rest = rest[letters..].trim_start();
            let part = number.checked_mul(unit).ok_or_else(expected)?;
            total = total.checked_add(part).ok_or_else(expected)?;
        }
        Ok(Span(total))
    }
}

/// Two units at most, as people say it: `47 s`, `7 m 12 s`, `1 h 18 m`, `3 d 2 h`.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = self.0 / 1000;
        match s {
            _ if self.0 < 1000 => write!(f, "{} ms", self.0),
            0..60 => write!(f, "{s} s"),
            60..3600 if s.is_multiple_of(60) => write!(f, "{} m", s / 60),
            60..3600 => write!(f, "{} m {} s", s / 60, s % 60),
            3600..86_400 if s % 3600 < 60 => write!(f, "{} h", s / 3600),
            3600..86_400 => write!(f, "{} h {} m", s / 3600, s % 3600 / 60),
            _ if s % 86_400 < 3600 => write!(f, "{} d", s / 86_400),
            _ => write!(f, "{} d {} h", s / 86_400, s % 86_400 / 3600),
        }
    }
}

impl Timestamp {
    /// The time that lies `span` later.
    pub const fn plus(self, span: Span) -> Timestamp {
        Timestamp(self.0.saturating_add_unsigned(span.0))
    }

    /// The time that lies `span` earlier.
    pub const fn minus(self, span: Span) -> Timestamp {
        Timestamp(self.0.saturating_sub_unsigned(span.0))
    }

    /// How long ago `earlier` was; zero when it lies ahead.
    pub const fn since(self, earlier: Timestamp) -> Span {
        let d = self.0.saturating_sub(earlier.0);
        Span(if d > 0 { d.unsigned_abs() } else { 0 })
    }
}

/// A release, printed as `R-17`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ReleaseId(pub u64);

impl fmt::Display for ReleaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // `pad` so that screens can align it
        f.pad(&format!("R-{}", self.0))
    }
}

impl std::str::FromStr for ReleaseId {
    type Err = ();

    /// Reads `R-17` or `r-17`.
    fn from_str(text: &str) -> Result<Self, ()> {
        let digits = text
            .strip_prefix("R-")
            .or_else(|| text.strip_prefix("r-"))
            .ok_or(())?;
        digits.parse().map(ReleaseId).map_err(|_| ())
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Arc<str>);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(Arc::from(text))
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(Arc::from(text))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

name!(
    /// A person's short name as in `people.toml`.
    PersonName
);
name!(
    /// A group of people that may be asked to vote, as in `people.toml`.
    GroupName
);
name!(
    /// A service (configuration item) as in `catalog.toml`.
    ServiceName
);
name!(
    /// An environment as in `catalog.toml`.
    EnvName
);
name!(
    /// One service in one environment on one platform, as in `room.toml`.
    TargetName
);
name!(
    /// One instance of a target: a host, a process, a unit.
    InstanceName
);
name!(
    /// A store that metrics are read from, as in `room.toml`.
    SourceName
);
name!(
    /// A metric of a service, as in `catalog.toml`.
    MetricName
);
name!(
    /// A hold within its release: `approval`, `b1.before.0`, `b2.after.1`, `observe`.
    HoldId
);
name!(
    /// A check of the readiness checklist, as in `policy.toml`: `scan-clean`.
    CheckName
);
name!(
    /// An effect; stable over restarts: `R-3.b1.payments-eu.i-03.deploy.1`. Only letters, digits,
    /// `.`, `-` and `_`, so that it can name a file.
    EffectId
);

/// What runs somewhere: a version for people and, where known, a digest that pins it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Artifact {
    /// The version as people call it.
    pub version: Arc<str>,
    /// `sha256:…` of the artifact; empty where the platform does not tell.
    pub digest: Arc<str>,
}

impl Artifact {
    /// Whether what was seen is what was asked for: the digests where both are known, else the versions.
    pub fn is(&self, other: &Artifact) -> bool {
        if self.digest.is_empty() || other.digest.is_empty() {
            self.version == other.version
        } else {
            self.version == other.version && self.digest == other.digest
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_and_print() {
        assert_eq!(Span::parse("1h30m"), Ok(Span::mins(90)));
        assert_eq!(Span::parse("250ms"), Ok(Span(250)));
        assert!(Span::parse("5 parsecs").is_err());
        assert!(Span::parse("").is_err());
        assert!(Span::parse("99999999999999999999d").is_err());
        assert_eq!(Span::secs(432).to_string(), "7 m 12 s");
        assert_eq!(Span::mins(78).to_string(), "1 h 18 m");
        assert_eq!(Span(80).to_string(), "80 ms");
    }

    #[test]
    fn release_ids_read_both_cases() {
        assert_eq!("r-12".parse(), Ok(ReleaseId(12)));
        assert_eq!(ReleaseId(12).to_string(), "R-12");
        assert!("12".parse::<ReleaseId>().is_err());
    }
}
