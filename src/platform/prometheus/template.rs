//! The conditions by which a metrics store tells the two sides of a rollout apart, pure.
//!
//! `service="{service}", version="{version}"`, once for each side. Placeholders stand for what the
//! side is at a look; where a side has several values for one, the condition has to be `=~`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use crate::platform::selector::{Matcher, Op, SelectorError};
use crate::platform::words::{FOR_SIDES, Piece, pieces, problem};

/// The placeholders that stand for something else on either side.
const OF_A_SIDE: [&str; 5] = ["version", "digest", "template_hash", "instances", "names"];

/// What the placeholders of one side stand for at a look, each for any number of values.
///
/// `service`, `environment` and `namespace` are the same on both sides. `instances` are hosts with
/// ports, as Prometheus writes them into the label `instance`; `names` are holdpoint's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Side(BTreeMap<&'static str, BTreeSet<Arc<str>>>);

impl Side {
    /// Adds a value of a placeholder; one that no placeholder names is left out.
    pub fn add(&mut self, name: &str, value: impl Into<Arc<str>>) {
        if let Some(known) = FOR_SIDES.iter().find(|known| **known == name) {
            self.0.entry(known).or_default().insert(value.into());
        }
    }

    /// Adds where an instance answers, as Prometheus names it: host and port. Where the url has no
    /// port, the usual one may be there or not.
    pub fn add_address(&mut self, url: &str) {
        let Ok(url) = reqwest::Url::parse(url) else {
            return;
        };
        let Some(host) = url.host_str() else { return };
        match (url.port(), url.port_or_known_default()) {
            (Some(port), _) => self.add("instances", format!("{host}:{port}")),
            (None, usual) => {
                self.add("instances", host);
                let usual = usual.map(|port| format!("{host}:{port}"));
                usual.into_iter().for_each(|it| self.add("instances", it));
            }
        }
    }

    /// Whether there is nothing on this side.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn values(&self, name: &str) -> impl ExactSizeIterator<Item = &Arc<str>> + Clone {
        static NONE: BTreeSet<Arc<str>> = BTreeSet::new();
        self.0.get(name).unwrap_or(&NONE).iter()
    }
}

/// Conditions with placeholders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    text: String,
    matchers: Vec<Matcher>,
}

impl Template {
    /// Reads conditions.
    ///
    /// # Errors
    /// The first thing that is wrong, and where.
    pub fn parse(text: &str) -> Result<Template, SelectorError> {
        Ok(Template {
            text: text.trim().to_owned(),
            matchers: Matcher::parse_all(text)?,
        })
    }

    /// What is wrong with it, in a sentence.
    pub fn problem(&self) -> Option<String> {
        let unknown = self
            .matchers
            .iter()
            .find_map(|m| problem(&m.value, FOR_SIDES));
        unknown.or_else(|| {
            let filled = self.fill(&sample(0)).err();
            let bad = |m: &Matcher| m.accepts("").err();
            filled.or_else(|| self.fill(&sample(0)).ok()?.iter().find_map(bad))
        })
    }

    /// Whether instances are named in it, so that what is on which side depends on where they
    /// stand and not on what they show.
    pub fn is_by_instance(&self) -> bool {
        self.has("instances") || self.has("names")
    }

    /// Whether a placeholder stands in it.
    pub fn has(&self, placeholder: &str) -> bool {
        let is = |piece: Piece<'_>| matches!(piece, Piece::Placeholder { name, .. } if name == placeholder);
        let mut values = self.matchers.iter().map(|m| &m.value);
        values.any(|value| pieces(value).into_iter().any(is))
    }

    /// The conditions of one side at a look.
    ///
    /// # Errors
    /// A placeholder that stands for nothing, or for several values where only one can stand.
    pub fn fill(&self, side: &Side) -> Result<Vec<Matcher>, String> {
        let fill = |m: &Matcher| {
            Ok(Matcher {
                value: fill_one(m, side)?,
                ..m.clone()
            })
        };
        self.matchers.iter().map(fill).collect()
    }

    /// Whether series can be on both sides, whatever runs there: then no condition of these two
    /// keeps one side's series from the other.
    pub fn overlaps(&self, other: &Template) -> bool {
        let (Ok(one), Ok(two)) = (self.fill(&sample(0)), other.fill(&sample(1))) else {
            return false;
        };
        let apart = |a: &Matcher| {
            let mut same = two.iter().filter(|b| b.label == a.label);
            same.any(|b| can_be_apart(a, b))
        };
        !one.iter().any(apart)
    }
}

/// As it was written.
impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

/// Whether two conditions on one label are never, or perhaps never, true of the same value.
fn can_be_apart(a: &Matcher, b: &Matcher) -> bool {
    let (literal_a, literal_b) = (literal(a), literal(b));
    if literal_a.is_none() && literal_b.is_none() {
        // of two exclusions something is always left; of two expressions nobody can tell
        return a.op == Op::Matches || b.op == Op::Matches;
    }
    let refuses = |m: &Matcher, value: Option<&str>| {
        value.is_some_and(|value| !m.accepts(value).unwrap_or(true))
    };
    refuses(b, literal_a.as_deref()) || refuses(a, literal_b.as_deref())
}

/// The only value that a condition accepts, where it is plain to see.
fn literal(m: &Matcher) -> Option<String> {
    match m.op {
        Op::Is => Some(m.value.clone()),
        Op::Matches => {
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_:/@".contains(c);
            m.value.chars().all(plain).then(|| m.value.clone())
        }
        Op::IsNot | Op::MatchesNot => None,
    }
}

/// Values as no side really has them, to try a template with.
fn sample(side: u8) -> Side {
    let mut sample = Side::default();
    for name in FOR_SIDES {
        match OF_A_SIDE.contains(name) {
            true => sample.add(name, format!("{name}{side}")),
            false => sample.add(name, *name),
        }
    }
    sample
}

fn fill_one(m: &Matcher, side: &Side) -> Result<String, String> {
    let mut filled = String::new();
    for piece in pieces(&m.value) {
        let (name, whole) = match piece {
            Piece::Text(text) => {
                filled += text;
                continue;
            }
            Piece::Placeholder { name, whole } => (name, whole),
        };
        let values = side.values(name);
        match (values.len(), values.clone().next()) {
            (_, None) => return Err(format!("nothing is known that {whole} could stand for")),
            (1, Some(one)) if m.op.is_expression() => filled += &regex::escape(one),
            (1, Some(one)) => filled += one,
            _ if m.op.is_expression() => {
                let all: Vec<String> = values.map(|value| regex::escape(value)).collect();
                filled += &format!("(?:{})", all.join("|"));
            }
            (_, Some(one)) => {
                let others = values.len() - 1;
                return Err(format!(
                    "{whole} stands for {one} and {others} more here; write {}=~\"{whole}\"",
                    m.label
                ));
            }
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(text: &str) -> Template {
        Template::parse(text).unwrap()
    }

    fn filled(text: &str, side: &Side) -> Result<String, String> {
        let matchers = template(text).fill(side)?;
        let all: Vec<String> = matchers.iter().map(ToString::to_string).collect();
        Ok(all.join(","))
    }

    #[test]
    fn values_are_put_in_whole() {
        let mut side = Side::default();
        side.add("service", "web");
        side.add("version", "1.0+b\"{service}");
        side.add("instances", "10.0.0.1:80");
        let all = filled(r#"a="{service}",b="{version}",c=~"{version}-.*""#, &side);
        let wanted = r#"a="web",b="1.0+b\"{service}",c=~"1\\.0\\+b\"\\{service\\}-.*""#;
        assert_eq!(all.as_deref(), Ok(wanted));
        side.add("instances", "10.0.0.2:80");
        let all = filled(r#"i=~"{instances}""#, &side);
        assert_eq!(
            all.as_deref(),
            Ok(r#"i=~"(?:10\\.0\\.0\\.1:80|10\\.0\\.0\\.2:80)""#)
        );
        let error = filled(r#"i="{instances}""#, &side).unwrap_err();
        assert_eq!(
            error,
            "{instances} stands for 10.0.0.1:80 and 1 more here; write i=~\"{instances}\""
        );
        let error = filled(r#"h="{template_hash}""#, &side).unwrap_err();
        assert!(error.contains("{template_hash}"), "{error}");
    }

    #[test]
    fn mistakes_are_named() {
        let unknown = template(r#"v="{verison}""#).problem().unwrap();
        assert!(unknown.contains("did you mean {version}?"), "{unknown}");
        let bad = template(r#"v=~"({version}""#).problem().unwrap();
        assert!(bad.contains("no regular expression"), "{bad}");
        assert_eq!(
            template(r#"v=~"{version}.{2}",s="{service}""#).problem(),
            None
        );
        assert_eq!(Template::parse("v=1").unwrap_err().at, 3);
        assert!(template(r#"i=~"{instances}""#).has("instances"));
        assert!(!template(r#"i=~"{instance}""#).has("instances"));
    }

    #[test]
    fn sides_that_nothing_keeps_apart_are_found() {
        for (canary, baseline, overlap) in [
            (r#"v="{version}""#, r#"v="{version}""#, false),
            (r#"v=~"{version}""#, r#"v=~"{version}""#, false),
            (r#"i=~"{instances}""#, r#"i=~"{instances}""#, false),
            (r#"t="canary""#, r#"t="stable""#, false),
            (r#"t="canary""#, r#"t!="canary""#, false),
            (r#"t=~"can.*""#, r#"t=~"st.*""#, false),
            (r#"t="canary""#, r#"t=~"sta.*""#, false),
            ("", "", true),
            (r#"s="{service}""#, r#"s="{service}""#, true),
            (r#"v="{version}""#, r#"s="{service}""#, true),
            (r#"t="canary""#, r#"t=~"c.*""#, true),
            (r#"s="{service}""#, r#"s="{service}",v!="{version}""#, true),
            (r#"v!="{version}""#, r#"v!="{version}""#, true),
            (r#"v="{version}""#, r#"w="{version}""#, true),
        ] {
            let (one, two) = (template(canary), template(baseline));
            assert_eq!(one.overlaps(&two), overlap, "{canary} and {baseline}");
            assert_eq!(two.overlaps(&one), overlap, "{baseline} and {canary}");
        }
    }
}
