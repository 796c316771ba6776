//! Health checks of one instance: a page that answers, or a program that says so.
//!
//! The same checks are used for smoke tests and synthetic transactions. What could not be asked is
//! `Unknown`, which never counts as healthy.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use serde::Deserialize;

use super::command::Problem;
use super::command::span;
use super::http::{Http, NoAnswer, Redirects};
use super::process::{self, Starts};
use super::words::{self, FOR_CHECKS, Values};
use crate::domain::text::printable;
use crate::domain::{Artifact, InstanceName, Span};

/// The most that is read of a page, in bytes.
const MOST_BYTES: usize = 1024 * 1024;

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probe {
    /// It is as it should be.
    Pass,
    /// It is not.
    Fail {
        /// What was found, in a sentence.
        why: Arc<str>,
    },
    /// It could not be asked.
    Unknown {
        /// Why, in a sentence.
        why: Arc<str>,
    },
}

impl Probe {
    fn fail(why: impl Into<Arc<str>>) -> Probe {
        Probe::Fail { why: why.into() }
    }

    fn unknown(why: impl Into<Arc<str>>) -> Probe {
        Probe::Unknown { why: why.into() }
    }
}

/// How to ask an instance whether it is well.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Check {
    /// Over HTTP.
    Http(HttpCheck),
    /// With a program.
    Command(CommandCheck),
}

/// A page that has to answer.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct HttpCheck {
    /// What to GET: `{url}/healthz`. Redirects are not followed.
    pub url: String,
    /// The status codes that are good; any from 200 to 299 where there are none.
    #[serde(default)]
    pub expect: Vec<u16>,
    /// Text that must stand in the first mebibyte of the page: `"version":"{version}"`.
    pub contains: Option<String>,
    /// How long it may take; five seconds unless given.
    #[serde(default = "five_seconds", deserialize_with = "span")]
    pub timeout: Span,
}

/// A program that has to end with 0.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct CommandCheck {
    /// The program and its arguments, no shell.
    pub argv: Vec<String>,
    /// Its working directory.
    pub dir: Option<PathBuf>,
    /// What is added to its environment.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// How long it may take; thirty seconds unless given.
    #[serde(default = "thirty_seconds", deserialize_with = "span")]
    pub timeout: Span,
}

fn five_seconds() -> Span {
    Span::secs(5)
}

fn thirty_seconds() -> Span {
    Span::secs(30)
}

/// Who is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The instance.
    pub instance: InstanceName,
    /// Where it answers, as configured.
    pub url: Option<String>,
    /// Where it lives, as configured.
    pub host: Option<String>,
    /// What should run there.
    pub artifact: Artifact,
}

impl Check {
    /// Everything that is wrong with it; empty when it can be used.
    pub fn problems(&self) -> Vec<Problem> {
        let mut found = Vec::new();
        let mut add = |key: &str, what: String| {
            let key = key.to_string();
            found.push(Problem { key, what });
        };
        let timeout = match self {
            Check::Http(check) => {
                let words = [
                    ("url", Some(&check.url)),
                    ("contains", check.contains.as_ref()),
                ];
                for (key, word) in words {
                    let problem = word.and_then(|word| words::problem(word, FOR_CHECKS));
                    problem.into_iter().for_each(|what| add(key, what));
                }
                for code in &check.expect {
                    if !(100..600).contains(code) {
                        add("expect", format!("{code} is no status code of HTTP"));
                    }
                }
                check.timeout
            }
            Check::Command(check) => {
                if check.argv.first().is_none_or(String::is_empty) {
                    let what = "there is no program; write [\"program\", \"argument\", ...]";
                    add("argv", what.to_string());
                }
                for (n, word) in check.argv.iter().enumerate() {
                    if let Some(what) = words::problem(word, FOR_CHECKS) {
                        add(&format!("argv[{n}]"), what);
                    }
                }
                check.timeout
            }
        };
        if timeout == Span(0) {
            let what = "0 would leave no time for an answer; write 500ms, 5s or 1m";
            add("timeout", what.to_string());
        }
        found
    }

    /// Asks once.
    pub async fn probe(&self, http: &Http, subject: &Subject) -> Probe {
        let values = Values {
            url: subject
                .url
                .as_deref()
                .unwrap_or_default()
                .trim_end_matches('/'),
            host: subject.host.as_deref().unwrap_or(subject.instance.as_str()),
            instance: subject.instance.as_str(),
            version: &subject.artifact.version,
            digest: &subject.artifact.digest,
        };
        match self {
            Check::Http(check) => check.probe(http, &values).await,
            Check::Command(check) => check.probe(&values).await,
        }
    }
}

impl HttpCheck {
    async fn probe(&self, http: &Http, values: &Values<'_>) -> Probe {
        if values.url.is_empty() && self.url.contains("{url}") {
            return Probe::unknown("the instance has no url in its configuration");
        }
        let url = words::fill_one(&self.url, values);
        let asked = http.get(&url, self.timeout.std(), MOST_BYTES, Redirects::Stay);
        let got = match asked.await {
            Ok(got) => got,
            Err(why @ (NoAnswer::BadUrl(_) | NoAnswer::NoHost)) => {
                return Probe::unknown(why.to_string());
            }
            Err(why) => return Probe::fail(why.to_string()),
        };
        let good = match self.expect.as_slice() {
            [] => (200..300).contains(&got.status),
            expected => expected.contains(&got.status),
        };
        if !good {
            let to = got.location.map_or(String::new(), |to| format!(" to {to}"));
            let wanted = match self.expect.as_slice() {
                [] => "200 to 299".to_string(),
                codes => codes
                    .iter()
                    .map(u16::to_string)
                    .collect::<Vec<_>>()
                    .join(" or "),
            };
            let why = format!("answered {}{to}, not {wanted}", got.status);
            return Probe::fail(printable(&why, 300));
        }
        let Some(text) = &self.contains else {
            return Probe::Pass;
        };
        let text = words::fill_one(text, values);
        if String::from_utf8_lossy(&got.body).contains(&text) {
            return Probe::Pass;
        }
        let where_ = if got.cut {
            "the first MiB of its answer"
        } else {
            "its answer"
        };
        Probe::fail(printable(&format!("`{text}` is not in {where_}"), 300))
    }
}

impl CommandCheck {
    async fn probe(&self, values: &Values<'_>) -> Probe {
        use std::os::unix::process::ExitStatusExt;
        let mut env = self.env.clone();
        for (name, value) in [
            ("HOLDPOINT_INSTANCE", values.instance),
            ("HOLDPOINT_VERSION", values.version),
            ("HOLDPOINT_DIGEST", values.digest),
        ] {
            env.insert(name.to_string(), value.to_string());
        }
        let argv = words::fill(&self.argv, values);
        let limit = self.timeout.std();
        let starts = Starts::new();
        let asked = process::ask(&starts, &argv, &env, self.dir.as_deref(), limit, MOST_BYTES);
        let answer = match asked.await {
            Ok(answer) => answer,
            Err(process::NoAnswer::NotStarted(why)) => return Probe::unknown(why),
            Err(process::NoAnswer::TimedOut) => {
                return Probe::fail(format!("no end after {}", self.timeout));
            }
            Err(process::NoAnswer::TooLong) => {
                return Probe::unknown("it printed more than 1 MiB");
            }
        };
        if answer.status.success() {
            return Probe::Pass;
        }
        let how = match (answer.status.code(), answer.status.signal()) {
            (None, Some(number)) => format!("ended by signal {number}"),
            (code, _) => format!("exit {}", code.unwrap_or(-1)),
        };
        // a program that fails says why on either stream
        let said = match answer.stderr.as_str() {
            "" => super::output::one_line(&super::output::lines(&answer.stdout, false)),
            said => said.to_string(),
        };
        match said.as_str() {
            "" => Probe::fail(how),
            said => Probe::fail(format!("{how}: {said}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject() -> Subject {
        Subject {
            instance: "i-01".into(),
            url: Some("http://127.0.0.1:1/".into()),
            host: None,
            artifact: Artifact {
                version: "4.12.0".into(),
                digest: "sha256:ab".into(),
            },
        }
    }

    fn command(script: &str) -> Check {
        Check::Command(CommandCheck {
            argv: ["sh", "-c", script, "x", "{version}"]
                .map(String::from)
                .to_vec(),
            dir: None,
            env: BTreeMap::new(),
            timeout: Span::secs(60),
        })
    }

    async fn probe(check: &Check) -> Probe {
        check.probe(&Http::plain().unwrap(), &subject()).await
    }

    #[tokio::test]
    async fn programs_say_whether_all_is_well() {
        let same = "test $1 = 4.12.0 -a $HOLDPOINT_INSTANCE = i-01";
        assert_eq!(probe(&command(same)).await, Probe::Pass);
        let why = probe(&command("echo no database; exit 2")).await;
        assert_eq!(why, Probe::fail("exit 2: no database"));
        let why = probe(&command("kill -9 $$")).await;
        assert_eq!(why, Probe::fail("ended by signal 9"));
        let mut slow = command("sleep 1000");
        if let Check::Command(check) = &mut slow {
            check.timeout = Span(100);
        }
        assert_eq!(probe(&slow).await, Probe::fail("no end after 100 ms"));
        let mut missing = command("");
        if let Check::Command(check) = &mut missing {
            check.argv = vec!["/nowhere/smoke".into()];
        }
        let why = Probe::unknown("there is no program `/nowhere/smoke`");
        assert_eq!(probe(&missing).await, why);
    }

    #[test]
    fn checks_are_read_and_problems_named() {
        let check: Check =
            toml::from_str("kind = 'http'\nurl = '{url}/healthz'\ntimeout = '2s'").unwrap();
        assert_eq!(check.problems(), []);
        let bad = "kind = 'http'\nurl = '{urll}'\nexpect = [2]\ntimeout = '0s'";
        let bad: Check = toml::from_str(bad).unwrap();
        let keys: Vec<String> = bad.problems().into_iter().map(|p| p.key).collect();
        assert_eq!(keys, ["url", "expect", "timeout"]);
        assert!(toml::from_str::<Check>("kind = 'http'\nurl = 'x'\nurk = 1").is_err());
        let bad: Check = toml::from_str("kind = 'command'\nargv = []").unwrap();
        assert_eq!(bad.problems()[0].key, "argv");
    }
}
