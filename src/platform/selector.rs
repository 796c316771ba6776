//! Which series of a scrape are meant: `http_requests_total{code=~"5..", method="GET"}`.
//!
//! The syntax and meaning are those of Prometheus instant vector selectors: `=`, `!=`, `=~`, `!~`;
//! expressions match whole values; a label that is not there is empty.

use std::fmt;

use regex::{Regex, RegexBuilder};

/// The largest compiled expression, in bytes.
const EXPRESSION_BYTES: usize = 1024 * 1024;

/// What is wrong with a selector, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at character {at}: {what}")]
pub struct SelectorError {
    /// The character it is about, counted from 1.
    pub at: usize,
    /// What is wrong and what is expected.
    pub what: String,
}

/// A name and conditions on labels.
#[derive(Clone, Debug)]
pub struct Selector {
    text: String,
    name: String,
    conditions: Vec<Condition>,
}

/// How the value of a label is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// `=`
    Is,
    /// `!=`
    IsNot,
    /// `=~`
    Matches,
    /// `!~`
    MatchesNot,
}

impl Op {
    /// Whether what it compares with is a regular expression.
    pub fn is_expression(self) -> bool {
        matches!(self, Op::Matches | Op::MatchesNot)
    }

    fn sign(self) -> &'static str {
        match self {
            Op::Is => "=",
            Op::IsNot => "!=",
            Op::Matches => "=~",
            Op::MatchesNot => "!~",
        }
    }
}

/// One condition as it is written: `code=~"5.."`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matcher {
    /// The label.
    pub label: String,
    /// How its value is compared.
    pub op: Op,
    /// With what; escapes are undone.
    pub value: String,
}

impl Matcher {
    /// Reads conditions with commas between them, in braces or not. What an expression is worth is
    /// not looked at: there may be placeholders in it.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn parse_all(text: &str) -> Result<Vec<Matcher>, SelectorError> {
        Reader { text, at: 0 }.matchers()
    }

    /// Whether the value of the label fits; a label that is not there is empty.
    ///
    /// # Errors
    /// When the expression is none, in a sentence.
    pub fn accepts(&self, value: &str) -> Result<bool, String> {
        Ok(match self.op {
            Op::Is => self.value == value,
            Op::IsNot => self.value != value,
            Op::Matches => expression(&self.value)?.is_match(value),
            Op::MatchesNot => !expression(&self.value)?.is_match(value),
        })
    }
}

/// As PromQL reads it.
impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}\"", self.label, self.op.sign())?;
        for c in self.value.chars() {
            match c {
                '"' => f.write_str("\\\"")?,
                '\\' => f.write_str("\\\\")?,
                '\n' => f.write_str("\\n")?,
                '\r' => f.write_str("\\r")?,
                c => write!(f, "{c}")?,
            }
        }
        f.write_str("\"")
    }
}

/// An expression that matches whole values.
fn expression(text: &str) -> Result<Regex, String> {
    let build = |text: &str| -> Result<Regex, regex::Error> {
        let mut builder = RegexBuilder::new(text);
        builder.size_limit(EXPRESSION_BYTES).build()
    };
    // alone first: `a)(b` would fit the brackets around it
    let built = build(text).and_then(|_| build(&format!("^(?s:{text})$")));
    built.map_err(|error| {
        let what = error.to_string();
        let last = what.lines().last().unwrap_or_default();
        format!("`{text}` is no regular expression: {last}")
    })
}

#[derive(Clone, Debug)]
struct Condition {
    matcher: Matcher,
    /// Of an expression.
    built: Option<Regex>,
}

impl Selector {
    /// Reads a selector.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn parse(text: &str) -> Result<Selector, SelectorError> {
        Reader { text, at: 0 }.selector()
    }

    /// The name of the series.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The same conditions on the series `name` + `suffix`.
    pub fn with_suffix(&self, suffix: &str) -> Selector {
        Selector {
            name: format!("{}{suffix}", self.name),
            ..self.clone()
        }
    }

    /// The selector as PromQL reads it, with more conditions.
    pub fn promql(&self, more: &[Matcher]) -> String {
        let own = self.conditions.iter().map(|c| &c.matcher);
        let all: Vec<String> = own.chain(more).map(ToString::to_string).collect();
        format!("{}{{{}}}", self.name, all.join(","))
    }

    /// The name alone, without conditions.
    pub fn bare(&self) -> Selector {
        Selector {
            text: self.name.clone(),
            name: self.name.clone(),
            conditions: Vec::new(),
        }
    }

    /// Whether a series of this name with these labels is meant.
    pub fn matches<L, V>(&self, name: &str, labels: &[(L, V)]) -> bool
    where
        L: AsRef<str>,
        V: AsRef<str>,
    {
        name == self.name && self.conditions.iter().all(|c| c.holds(labels))
    }
}

impl Condition {
    fn holds<L: AsRef<str>, V: AsRef<str>>(&self, labels: &[(L, V)]) -> bool {
        let Matcher { label, op, value } = &self.matcher;
        let found = labels.iter().find(|(name, _)| name.as_ref() == label);
        let shown = found.map_or("", |(_, value)| value.as_ref());
        let is = match &self.built {
            None => value == shown,
            Some(expression) => expression.is_match(shown),
        };
        is == matches!(op, Op::Is | Op::Matches)
    }
}

/// As it was written.
impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl PartialEq for Selector {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text && self.name == other.name
    }
}

impl Eq for Selector {}

impl std::str::FromStr for Selector {
    type Err = SelectorError;

    fn from_str(text: &str) -> Result<Self, SelectorError> {
        Selector::parse(text)
    }
}

impl<'de> serde::Deserialize<'de> for Selector {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Selector::parse(&text).map_err(serde::de::Error::custom)
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn selector(mut self) -> Result<Selector, SelectorError> {
        self.blanks();
        let name = self.word(true);
        if name.is_empty() {
            let what = "the name of a series is expected, like http_requests_total";
            return Err(self.error(what));
        }
        let mut conditions = Vec::new();
        self.blanks();
        if self.take("{") {
            loop {
                self.blanks();
                if self.take("}") {
                    break;
                }
                conditions.push(self.condition()?);
                self.blanks();
                if !self.take(",") && !self.rest().starts_with('}') {
                    return Err(self.error("`,` or `}` is expected"));
                }
            }
        }
        self.blanks();
        if !self.rest().is_empty() {
            let what = "nothing more is expected; this is a selector, not an expression";
            return Err(self.error(what));
        }
        Ok(Selector {
            text: self.text.trim().to_string(),
            name,
            conditions,
        })
    }

    fn matchers(mut self) -> Result<Vec<Matcher>, SelectorError> {
        let mut matchers = Vec::new();
        self.blanks();
        let braces = self.take("{");
        self.blanks();
        while !self.rest().is_empty() && !self.rest().starts_with('}') {
            matchers.push(self.matcher()?.0);
            self.blanks();
            if !self.take(",") && !self.rest().is_empty() && !self.rest().starts_with('}') {
                return Err(self.error("`,` is expected before the next condition"));
            }
            self.blanks();
        }
        if braces && !self.take("}") {
            return Err(self.error("`}` is expected"));
        }
        self.blanks();
        if !self.rest().is_empty() {
            return Err(self.error("nothing more is expected"));
        }
        Ok(matchers)
    }

    fn condition(&mut self) -> Result<Condition, SelectorError> {
        let (matcher, from) = self.matcher()?;
        let built = matcher
            .op
            .is_expression()
            .then(|| expression(&matcher.value));
        let built = built.transpose().map_err(|what| {
            self.at = from;
            self.error(&what)
        })?;
        Ok(Condition { matcher, built })
    }

    /// One condition, and where its value begins.
    fn matcher(&mut self) -> Result<(Matcher, usize), SelectorError> {
        let label = self.word(false);
        if label.is_empty() {
            return Err(self.error("the name of a label is expected, like code"));
        }
        self.blanks();
        let op = if self.take("=~") {
            Op::Matches
        } else if self.take("!~") {
            Op::MatchesNot
        } else if self.take("!=") {
            Op::IsNot
        } else if self.take("=") {
            Op::Is
        } else {
            return Err(self.error("`=`, `!=`, `=~` or `!~` is expected"));
        };
        self.blanks();
        let from = self.at;
        let value = self.quoted()?;
        Ok((Matcher { label, op, value }, from))
    }

    fn quoted(&mut self) -> Result<String, SelectorError> {
        let quote = match self.rest().chars().next() {
            Some(quote @ ('"' | '\'')) => quote,
            _ => return Err(self.error("a value in quotes is expected, like \"5..\"")),
        };
        let from = self.at;
        self.at += 1;
        let mut value = String::new();
        loop {
            let Some(c) = self.rest().chars().next() else {
                self.at = from;
                return Err(self.error("the value has no closing quote"));
            };
            self.at += c.len_utf8();
            match c {
                c if c == quote => return Ok(value),
                '\\' => {
                    let escaped = self.rest().chars().next();
                    value.push(match escaped {
                        Some(c @ ('\\' | '"' | '\'')) => c,
                        Some('n') => '\n',
                        Some('t') => '\t',
                        _ => {
                            let what = "after `\\` one of `\\ \" ' n t` is expected; \
                                        in an expression write `\\\\.`";
                            return Err(self.error(what));
                        }
                    });
                    self.at += 1;
                }
                c => value.push(c),
            }
        }
    }

    fn word(&mut self, colons: bool) -> String {
        let rest = self.rest();
        let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || (colons && b == b':');
        let length = rest.bytes().take_while(|b| fits(*b)).count();
        if rest.as_bytes().first().is_none_or(u8::is_ascii_digit) {
            return String::new();
        }
        let word = rest[..length].to_string();
        self.at += length;
        word
    }

    fn blanks(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    fn take(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn error(&self, what: &str) -> SelectorError {
        SelectorError {
            at: self.text[..self.at].chars().count() + 1,
            what: what.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(selector: &str, labels: &[(&str, &str)]) -> bool {
        Selector::parse(selector).unwrap().matches("m", labels)
    }

    #[test]
    fn conditions_mean_what_they_mean_in_prometheus() {
        let labels = [("code", "503"), ("method", "GET")];
        assert!(matches("m", &labels));
        assert!(matches("m{}", &labels));
        assert!(matches(r#"m{code="503"}"#, &labels));
        assert!(matches(
            r#" m { code =~ "5.." , method = 'GET', } "#,
            &labels
        ));
        assert!(!matches(r#"m{code=~"50"}"#, &labels), "whole values");
        assert!(
            !matches(r#"m{code=~"4..|50"}"#, &labels),
            "whole alternatives"
        );
        assert!(matches(r#"m{code!~"4.."}"#, &labels));
        assert!(!matches(r#"m{code!="503"}"#, &labels));
        assert!(
            matches(r#"m{path=""}"#, &labels),
            "a missing label is empty"
        );
        assert!(matches(r#"m{path!="/"}"#, &labels));
        assert!(matches(r#"m{path=~".*"}"#, &labels));
        assert!(!matches(r#"m{path=~".+"}"#, &labels));
        assert!(matches(r#"m{v="a\\b\"\n"}"#, &[("v", "a\\b\"\n")]));
        assert!(!Selector::parse("other").unwrap().matches("m", &labels));
    }

    #[test]
    fn what_is_asked_of_prometheus_means_the_same() {
        let selector = Selector::parse(r#"m { code =~ '5\\d"', } "#).unwrap();
        let more = Matcher::parse_all(r#"{v="a\\b\n", w!~"{x}",}"#).unwrap();
        assert_eq!(
            selector.promql(&more),
            r#"m{code=~"5\\d\"",v="a\\b\n",w!~"{x}"}"#
        );
        assert_eq!(selector.bare().promql(&[]), "m{}");
        assert_eq!(Matcher::parse_all(" ").unwrap(), []);
        for (text, at) in [("{a=\"1\"", 7), ("a=\"1\"}", 6), ("a=\"1\" b=\"2\"", 7)] {
            assert_eq!(Matcher::parse_all(text).unwrap_err().at, at, "{text}");
        }
    }

    #[test]
    fn errors_say_where() {
        let fails = |text: &str, at: usize, what: &str| {
            let error = Selector::parse(text).unwrap_err();
            assert_eq!(error.at, at, "{text}: {error}");
            assert!(error.what.contains(what), "{text}: {error}");
        };
        fails("", 1, "name of a series");
        fails("5xx", 1, "name of a series");
        fails("rate(m[5m])", 5, "not an expression");
        fails("m{code}", 7, "`=`, `!=`, `=~` or `!~`");
        fails("m{code=503}", 8, "in quotes");
        fails("m{code=\"5", 8, "no closing quote");
        fails("m{code=\"5\" method=\"GET\"}", 12, "`,` or `}`");
        fails("m{code=~\"(\"}", 9, "no regular expression");
        fails("m{code=~\"5\\d\"}", 12, "write `\\\\.`");
        fails(
            "m{code=~\"((a{900}){900}){900}\"}",
            9,
            "no regular expression",
        );
        fails("m{code=~\"a)(b\"}", 9, "no regular expression");
        fails("m{é=\"x\"}", 3, "name of a label");
        fails("m{", 3, "name of a label");
    }
}
