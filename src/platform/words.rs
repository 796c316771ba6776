//! Words of a command line with placeholders, filled without a shell; quoted only where a remote
//! shell reads them.

/// What a placeholder may name in `deploy`, `rollback`, `drain` and `undrain`.
pub const FOR_EFFECTS: &[&str] = &["host", "instance", "version", "digest"];

/// What a placeholder may name in `status` and `via`, which have no release.
pub const FOR_INSTANCES: &[&str] = &["host", "instance"];

/// What a placeholder may name in health checks.
pub const FOR_CHECKS: &[&str] = &["url", "host", "instance", "version", "digest"];

/// What a placeholder may name in the command of a readiness check.
pub const FOR_READINESS: &[&str] = &["release", "environment", "service", "version", "digest"];

/// What a placeholder may name in the conditions that tell the sides apart in a metrics store.
pub const FOR_SIDES: &[&str] = &[
    "service",
    "environment",
    "namespace",
    "version",
    "digest",
    "template_hash",
    "instances",
    "names",
];

/// What placeholders stand for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Values<'a> {
    pub url: &'a str,
    pub host: &'a str,
    pub instance: &'a str,
    pub version: &'a str,
    pub digest: &'a str,
    pub release: &'a str,
    pub environment: &'a str,
    pub service: &'a str,
}

impl Values<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        match name {
            "url" => Some(self.url),
            "host" => Some(self.host),
            "instance" => Some(self.instance),
            "version" => Some(self.version),
            "digest" => Some(self.digest),
            "release" => Some(self.release),
            "environment" => Some(self.environment),
            "service" => Some(self.service),
            _ => None,
        }
    }
}

/// A piece of a word.
pub(super) enum Piece<'a> {
    Text(&'a str),
    Placeholder { name: &'a str, whole: &'a str },
}

/// Splits a word at its placeholders: `{name}` in lower-case letters. What a `{` or `$` stands
/// before is left alone, so that `${name}` and `{{name}}` of other tools pass.
pub(super) fn pieces(word: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let (mut rest, mut from) = (word, 0);
    while let Some(open) = rest[from..].find('{').map(|at| at + from) {
        let name = &rest[open + 1..];
        let letters = name
            .bytes()
            .take_while(|b| b.is_ascii_lowercase() || *b == b'_')
            .count();
        let foreign = rest[..open].ends_with(['{', '$']);
        if letters == 0 || foreign || name.as_bytes().get(letters) != Some(&b'}') {
            from = open + 1;
            continue;
        }
        let end = open + 1 + letters + 1;
        pieces.push(Piece::Text(&rest[..open]));
        pieces.push(Piece::Placeholder {
            name: &name[..letters],
            whole: &rest[open..end],
        });
        (rest, from) = (&rest[end..], 0);
    }
    pieces.push(Piece::Text(rest));
    pieces
}

/// The first placeholder that is not among `known`.
fn unknown<'a>(word: &'a str, known: &[&str]) -> Option<&'a str> {
    pieces(word).into_iter().find_map(|piece| match piece {
        Piece::Placeholder { name, .. } if !known.contains(&name) => Some(name),
        _ => None,
    })
}

/// Whether the word has a placeholder.
pub(super) fn has_placeholder(word: &str) -> bool {
    let is = |piece: &Piece<'_>| matches!(piece, Piece::Placeholder { .. });
    pieces(word).iter().any(is)
}

/// The words with every placeholder replaced. A value is never split or read again.
pub(super) fn fill(words: &[String], values: &Values<'_>) -> Vec<String> {
    words.iter().map(|word| fill_one(word, values)).collect()
}

/// One word with every placeholder replaced.
pub(super) fn fill_one(word: &str, values: &Values<'_>) -> String {
    let text = |piece| match piece {
        Piece::Text(text) => text,
        Piece::Placeholder { name, whole } => values.get(name).unwrap_or(whole),
    };
    pieces(word).into_iter().map(text).collect()
}

/// What is wrong with the placeholders of a word, in a sentence that names the nearest valid one.
pub(super) fn problem(word: &str, known: &[&str]) -> Option<String> {
    let name = unknown(word, known)?;
    let all: Vec<String> = known.iter().map(|k| format!("{{{k}}}")).collect();
    let nearest = known
        .iter()
        .min_by_key(|k| strsim::damerau_levenshtein(k, name))
        .filter(|k| strsim::damerau_levenshtein(k, name) <= 3);
    let hint = nearest.map_or(String::new(), |k| format!("; did you mean {{{k}}}?"));
    Some(format!(
        "unknown placeholder {{{name}}}{hint} (there are {})",
        all.join(" ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(word: &str) -> String {
        let values = Values {
            host: "h1",
            instance: "i-01",
            version: "{digest}; rm -rf /",
            digest: "sha256:ab",
            ..Values::default()
        };
        fill(&[word.to_string()], &values).concat()
    }

    #[test]
    fn values_are_put_in_whole_and_not_read_again() {
        assert_eq!(filled("{instance}@{host}:{digest}"), "i-01@h1:sha256:ab");
        assert_eq!(filled("v={version}"), "v={digest}; rm -rf /");
        assert_eq!(filled("plain"), "plain");
    }

    #[test]
    fn what_other_tools_write_in_braces_is_left_alone() {
        for word in [
            "{{host}}",
            "${host}",
            "{.State}",
            "{\"a\":1}",
            "{",
            "}",
            "{}",
            "{Host}",
            "{host",
        ] {
            assert_eq!(filled(word), word);
            assert_eq!(unknown(word, FOR_EFFECTS), None);
            assert!(!has_placeholder(word));
        }
        assert_eq!(filled("{{{host}"), "{{{host}");
        assert_eq!(filled("{.x}{host}"), "{.x}h1");
    }

    #[test]
    fn unknown_placeholders_are_found() {
        assert_eq!(unknown("{host}/{verison}", FOR_EFFECTS), Some("verison"));
        assert_eq!(unknown("{version}", FOR_INSTANCES), Some("version"));
    }
}
