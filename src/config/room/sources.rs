//! `[sources.NAME]` of `room.toml`: metrics stores, how they are reached, how they tell versions apart.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use reqwest::Url;
use reqwest::header::{HeaderName, HeaderValue};
use serde::{Deserialize, Deserializer};

use super::{Checker, segment};
use crate::domain::spelled::{self, Spelled};
use crate::domain::text::printable;
use crate::domain::{SourceName, Span};
use crate::platform::prometheus::answer::Limits;
use crate::platform::prometheus::client::{Auth, Config, Header};
use crate::platform::prometheus::template::Template;
use crate::platform::secret::SecretRef;

/// The source that every metric has of itself: the instances.
pub const SCRAPE: &str = "scrape";

/// A store as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceEntry {
    url: Address,
    canary: String,
    baseline: String,
    #[serde(default = "every")]
    every: Span,
    #[serde(default = "timeout")]
    timeout: Span,
    bearer: Option<SecretRef>,
    basic: Option<BasicEntry>,
    ca: Option<PathBuf>,
    #[serde(default)]
    headers: BTreeMap<String, HeaderEntry>,
    #[serde(default)]
    limits: LimitsEntry,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct BasicEntry {
    user: String,
    password: SecretRef,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct LimitsEntry {
    series: usize,
    points: usize,
}

impl Default for LimitsEntry {
    fn default() -> Self {
        LimitsEntry {
            series: 2000,
            points: 100_000,
        }
    }
}

fn every() -> Span {
    Span::secs(15)
}

fn timeout() -> Span {
    Span::secs(5)
}

/// An address; somebody may have written a password into it, so it is not shown where it is wrong.
#[derive(Debug)]
struct Address(Url);

impl Spelled for Address {
    const EXPECTED: &'static str = "an address like http://prometheus.example.com:9090";
    const HIDDEN: bool = true;

    fn read(text: &str) -> Result<Self, String> {
        let url = Url::parse(text.trim())
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        let url = url.ok_or("write an address like http://prometheus.example.com:9090")?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(
                "leave name and password out of the address; `basic` is for them".to_owned(),
            );
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err("write only what stands before /api/v1".to_owned());
        }
        Ok(Address(url))
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        spelled::deserialize(deserializer)
    }
}

/// What a header says: `env:` and `file:` refer to a secret, everything else is meant as it is.
#[derive(Debug)]
struct HeaderEntry(Header);

impl Spelled for HeaderEntry {
    const EXPECTED: &'static str = "text, env:NAME or file:PATH";
    const HIDDEN: bool = true;

    fn read(text: &str) -> Result<Self, String> {
        if text.starts_with("env:") || text.starts_with("file:") {
            return Ok(HeaderEntry(Header::Secret(SecretRef::read(text)?)));
        }
        match HeaderValue::from_str(text) {
            Ok(_) => Ok(HeaderEntry(Header::Text(text.to_owned()))),
            Err(_) => Err("this cannot stand in a header".to_owned()),
        }
    }
}

impl<'de> Deserialize<'de> for HeaderEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        spelled::deserialize(deserializer)
    }
}

/// The stores, checked.
pub fn sources(
    written: &BTreeMap<SourceName, SourceEntry>,
    check: &mut Checker<'_>,
    room: &Path,
) -> BTreeMap<SourceName, Arc<Config>> {
    let mut sources = BTreeMap::new();
    for (name, entry) in written {
        let path = format!("sources.{}", segment(name.as_str()));
        check.plain_name(&path, "source", name.as_str());
        if name.as_str() == SCRAPE {
            check.add(
                &path,
                "bad-source",
                "`scrape` stands for the instances themselves",
                "give the store another name, such as prom",
            );
        }
        if let Some(config) = entry.config(check, name, &path, room) {
            sources.insert(name.clone(), Arc::new(config));
        }
    }
    sources
}

impl SourceEntry {
    fn config(
        &self,
        check: &mut Checker<'_>,
        name: &SourceName,
        path: &str,
        room: &Path,
    ) -> Option<Config> {
        self.check_amounts(check, path);
        let canary = template(check, &format!("{path}.canary"), &self.canary);
        let baseline = template(check, &format!("{path}.baseline"), &self.baseline);
        let auth = self.auth(check, path, room);
        let headers = self.headers(check, path, room);
        let (canary, baseline) = (canary?, baseline?);
        if canary.overlaps(&baseline) {
            check.add(
                &format!("{path}.baseline"),
                "same-series",
                "the same series can be on both sides: no label tells canary and baseline apart",
                "give both a label that differs, such as version=\"{version}\" or instance=~\"{instances}\"",
            );
        }
        Some(Config {
            name: name.0.clone(),
            url: self.url.0.clone(),
            auth,
            headers,
            authorities: self.ca.as_ref().map(|path| room.join(path)),
            every: self.every,
            limit: self.timeout,
            limits: Limits {
                series: self.limits.series,
                points: self.limits.points,
            },
            canary,
            baseline,
        })
    }

    fn check_amounts(&self, check: &mut Checker<'_>, path: &str) {
        let mut between = |key: &str, span: Span, least: Span, most: Span, write: &str| {
            if span < least || span > most {
                let what = format!("{span} is not between {least} and {most}");
                check.add(&format!("{path}.{key}"), "bad-source", what, write);
            }
        };
        let tenth = Span(100);
        between(
            "every",
            self.every,
            tenth,
            Span::mins(10),
            "write how often the store scrapes, such as 15s",
        );
        between("timeout", self.timeout, tenth, Span::mins(1), "write 5s");
        let limits = [
            ("series", self.limits.series, 100_000),
            ("points", self.limits.points, 1_000_000),
        ];
        for (key, limit, most) in limits {
            if !(1..=most).contains(&limit) {
                check.add(
                    &format!("{path}.limits.{key}"),
                    "bad-source",
                    format!("{limit} is not between 1 and {most}"),
                    "leave it out for the usual",
                );
            }
        }
        if let Some(ca) = &self.ca
            && ca.as_os_str().is_empty()
        {
            let next = "name a file of certificates in PEM";
            check.add(
                &format!("{path}.ca"),
                "bad-source",
                "no file is named",
                next,
            );
        }
    }

    fn auth(&self, check: &mut Checker<'_>, path: &str, room: &Path) -> Auth {
        match (&self.bearer, &self.basic) {
            (Some(_), Some(_)) => {
                check.add(
                    path,
                    "bad-source",
                    "it has both `bearer` and `basic`",
                    "keep one of the two",
                );
                Auth::Nobody
            }
            (Some(token), None) => Auth::Bearer(settled(token, room)),
            (None, Some(basic)) => {
                if basic.user.contains(':') || basic.user.is_empty() {
                    check.add(
                        &format!("{path}.basic.user"),
                        "bad-source",
                        "this cannot be a name for basic authentication",
                        "write a name without `:`",
                    );
                }
                Auth::Basic {
                    user: basic.user.clone(),
                    password: settled(&basic.password, room),
                }
            }
            (None, None) => Auth::Nobody,
        }
    }

    fn headers(
        &self,
        check: &mut Checker<'_>,
        path: &str,
        room: &Path,
    ) -> Vec<(HeaderName, Header)> {
        let mut headers = Vec::new();
        for (written, HeaderEntry(header)) in &self.headers {
            let shown = printable(written, 60);
            // placed at the table: the header's own line may hold a secret
            let Ok(name) = HeaderName::from_bytes(written.as_bytes()) else {
                let what = format!("`{shown}` cannot be the name of a header");
                check.add(path, "bad-source", what, "write a name like X-Scope-OrgID");
                continue;
            };
            let secret = ["auth", "cookie", "token", "secret", "key", "password"];
            let header = match header {
                Header::Text(_) if secret.iter().any(|word| name.as_str().contains(word)) => {
                    check.add(
                        path,
                        "plain-secret",
                        format!("what the header {shown} says is a secret"),
                        "write env:NAME or file:PATH: a secret itself never stands here",
                    );
                    continue;
                }
                Header::Text(text) => Header::Text(text.clone()),
                Header::Secret(reference) => Header::Secret(settled(reference, room)),
            };
            headers.push((name, header));
        }
        headers
    }
}

fn settled(reference: &SecretRef, room: &Path) -> SecretRef {
    reference
        .clone()
        .settled(room, |name| std::env::var(name).ok())
}

fn template(check: &mut Checker<'_>, path: &str, text: &str) -> Option<Template> {
    let next = "write conditions such as service=\"{service}\", version=\"{version}\"";
    let parsed = Template::parse(text).map_err(|error| error.to_string());
    let sound = parsed.and_then(|template| match template.problem() {
        Some(what) => Err(what),
        None => Ok(template),
    });
    let template = match sound {
        Ok(template) => template,
        Err(what) => {
            check.add(path, "bad-conditions", printable(&what, 200), next);
            return None;
        }
    };
    if template.has("template_hash") {
        check.add(
            path,
            "bad-conditions",
            "targets on the platform `command` have no template hash",
            "tell the versions apart by {version}, {digest}, {instances} or {names}",
        );
    }
    Some(template)
}
