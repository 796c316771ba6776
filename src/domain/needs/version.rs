//! Which version is later: semantic versions (semver.org), and what is none.

use semver::Version;

/// How a version stands to the lowest that will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// It will do.
    Good,
    /// It is older, or another one.
    Older,
    /// It cannot be compared: that never counts as good.
    NoVersion,
}

/// Whether a version is `least` or later. Build metadata (`+…`) counts for nothing, and a
/// pre-release (`2.1.0-rc.1`) comes before its release, as the standard says.
pub fn fit(version: &str, least: &str) -> Fit {
    match (readable(version), readable(least)) {
        (Some(version), Some(least)) if version.cmp_precedence(&least).is_ge() => Fit::Good,
        (Some(_), Some(_)) => Fit::Older,
        _ => Fit::NoVersion,
    }
}

/// A text as a semantic version; a `v` before it counts for nothing.
pub fn readable(text: &str) -> Option<Version> {
    let bare = text.strip_prefix(['v', 'V']).unwrap_or(text);
    Version::parse(bare).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_as_semver_says() {
        for (version, least, fits) in [
            ("2.1.0", "2.1.0", Fit::Good),
            ("2.10.0", "2.9.0", Fit::Good),
            ("v2.1.1", "2.1.0", Fit::Good),
            ("2.1.0+build.7", "2.1.0+build.9", Fit::Good),
            ("2.1.0-rc.1", "2.1.0", Fit::Older),
            ("2.1.0", "2.1.0-rc.1", Fit::Good),
            ("2.0.9", "v2.1.0", Fit::Older),
            ("build-77", "2.1.0", Fit::NoVersion),
            ("2.1", "2.1.0", Fit::NoVersion),
            ("99999999999999999999.0.0", "2.1.0", Fit::NoVersion),
            ("", "2.1.0", Fit::NoVersion),
        ] {
            assert_eq!(fit(version, least), fits, "{version} {least}");
        }
    }
}
