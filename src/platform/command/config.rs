//! What a command target says of itself in `room.toml`, and what can be wrong with it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::{Deserialize, Deserializer};

use super::super::words::{FOR_EFFECTS, FOR_INSTANCES, problem};
use crate::domain::text::printable;
use crate::domain::{Span, Verb};

/// A target that is operated by programs.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct CommandConfig {
    /// What is operated, in the order in which screens show it.
    pub instances: Vec<InstanceConfig>,
    /// Brings an artifact: a program and its arguments, no shell.
    pub deploy: Vec<String>,
    /// Brings back an earlier artifact.
    pub rollback: Vec<String>,
    /// Says how the instances are.
    pub status: Vec<String>,
    /// Takes an instance out of traffic.
    pub drain: Option<Vec<String>>,
    /// Puts it back.
    pub undrain: Option<Vec<String>>,
    /// The beginning of a command that runs another one on a far host, which it hands to a shell
    /// there as one word: `["ssh", "-oBatchMode=yes", "{host}"]`.
    pub via: Option<Vec<String>>,
    /// The working directory: here, or with `via` on the far host.
    pub dir: Option<PathBuf>,
    /// What is added to the environment of every command.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// How long each command may take.
    #[serde(default)]
    pub timeouts: Timeouts,
    /// How many commands run at the same time, at most.
    #[serde(default = "parallel")]
    pub parallel: usize,
}

/// One instance of a command target.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct InstanceConfig {
    /// Its name; letters, digits, `.`, `-` and `_`.
    pub name: String,
    /// Where it lives; its name where there is none.
    pub host: Option<String>,
    /// Where it answers, for health checks and metrics.
    pub url: Option<String>,
    /// What is added to the environment of its commands.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
}

/// How long commands may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Timeouts {
    /// For `deploy`; ten minutes unless given.
    #[serde(deserialize_with = "span")]
    pub deploy: Span,
    /// For `rollback`; ten minutes unless given.
    #[serde(deserialize_with = "span")]
    pub rollback: Span,
    /// For `drain`; five minutes unless given.
    #[serde(deserialize_with = "span")]
    pub drain: Span,
    /// For `undrain`; five minutes unless given.
    #[serde(deserialize_with = "span")]
    pub undrain: Span,
    /// For `status`; fifteen seconds unless given.
    #[serde(deserialize_with = "span")]
    pub status: Span,
    /// How long a command that is asked to end may take before it is killed; ten seconds unless given.
    #[serde(deserialize_with = "span")]
    pub grace: Span,
}

impl Default for Timeouts {
    fn default() -> Self {
        Timeouts {
            deploy: Span::mins(10),
            rollback: Span::mins(10),
            drain: Span::mins(5),
            undrain: Span::mins(5),
            status: Span::secs(15),
            grace: Span::secs(10),
        }
    }
}

impl Timeouts {
    /// The limit of an effect.
    pub fn of(&self, verb: Verb) -> Span {
        match verb {
            Verb::Deploy => self.deploy,
            Verb::Rollback => self.rollback,
            Verb::Drain => self.drain,
            Verb::Undrain => self.undrain,
        }
    }
}

fn parallel() -> usize {
    8
}

pub(in crate::platform) fn span<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Span, D::Error> {
    let text = String::deserialize(deserializer)?;
    Span::parse(&text).map_err(serde::de::Error::custom)
}

/// Something wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The key it is about: `deploy[2]`, `instances[0].name`.
    pub key: String,
    /// What is wrong and what is expected, in a sentence.
    pub what: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}`: {}", self.key, self.what)
    }
}

impl CommandConfig {
    /// The words of a verb's command; `None` when the target has none.
    pub fn argv(&self, verb: Verb) -> Option<&[String]> {
        match verb {
            Verb::Deploy => Some(&self.deploy),
            Verb::Rollback => Some(&self.rollback),
            Verb::Drain => self.drain.as_deref(),
            Verb::Undrain => self.undrain.as_deref(),
        }
    }

    /// Everything that is wrong, in the order of the keys above; empty when it can be used.
    pub fn problems(&self) -> Vec<Problem> {
        let mut found = Problems::default();
        self.check_instances(&mut found);
        for (key, argv) in [
            ("deploy", Some(&self.deploy)),
            ("rollback", Some(&self.rollback)),
            ("drain", self.drain.as_ref()),
            ("undrain", self.undrain.as_ref()),
        ] {
            found.argv(key, argv, FOR_EFFECTS);
        }
        found.argv("status", Some(&self.status), FOR_INSTANCES);
        found.argv("via", self.via.as_ref(), FOR_INSTANCES);
        for (given, missing) in [("drain", &self.undrain), ("undrain", &self.drain)] {
            let other = if given == "drain" { "undrain" } else { "drain" };
            if self.has(given) && missing.is_none() {
                found.add(given, format!("there is no `{other}` to go with it"));
            }
        }
        if self.via.is_some()
            && let Some(dir) = &self.dir
            && !dir.is_absolute()
        {
            found.add("dir", "on a far host it must begin with `/`".to_string());
        }
        found.env("env", &self.env);
        self.check_numbers(&mut found);
        found.0
    }

    fn has(&self, key: &str) -> bool {
        match key {
            "drain" => self.drain.is_some(),
            _ => self.undrain.is_some(),
        }
    }

    fn check_instances(&self, found: &mut Problems) {
        if self.instances.is_empty() {
            let what = "there is none; a target needs at least one".to_string();
            found.add("instances", what);
        }
        let mut names = BTreeSet::new();
        for (n, instance) in self.instances.iter().enumerate() {
            let key = |field: &str| format!("instances[{n}].{field}");
            let name = &instance.name;
            if !is_plain(name) {
                let shown = printable(name, 60);
                let what = format!(
                    "`{shown}` cannot be a name; use letters, digits, `.`, `-` and `_`, at most 64"
                );
                found.add(key("name"), what);
            } else if !names.insert(name.as_str()) {
                found.add(key("name"), format!("there are two instances `{name}`"));
            }
            if let Some(host) = &instance.host
                && (host.is_empty() || host.starts_with('-') || !host.bytes().all(is_host_byte))
            {
                let shown = printable(host, 60);
                let what = format!("`{shown}` is no host; write `name`, `user@name` or an address");
                found.add(key("host"), what);
            }
            if let Some(url) = &instance.url
                && !url.starts_with("http://")
                && !url.starts_with("https://")
            {
                let what = format!("`{}` is no http or https URL", printable(url, 60));
                found.add(key("url"), what);
            }
            found.env(&key("env"), &instance.env);
        }
    }

    fn check_numbers(&self, found: &mut Problems) {
        let t = &self.timeouts;
        for (key, limit) in [
            ("deploy", t.deploy),
            ("rollback", t.rollback),
            ("drain", t.drain),
            ("undrain", t.undrain),
            ("status", t.status),
        ] {
            if limit == Span(0) {
                let what = "0 would end the command at once; write 90s, 5m or 1h30m".to_string();
                found.add(format!("timeouts.{key}"), what);
            } else if limit > Span::mins(7 * 24 * 60) {
                let what = "more than a week; write 90s, 5m or 1h30m".to_string();
                found.add(format!("timeouts.{key}"), what);
            }
        }
        if self.parallel == 0 || self.parallel > 1000 {
            let what = format!("{} is not between 1 and 1000", self.parallel);
            found.add("parallel", what);
        }
    }
}

#[derive(Default)]
struct Problems(Vec<Problem>);

impl Problems {
    fn add(&mut self, key: impl Into<String>, what: String) {
        self.0.push(Problem {
            key: key.into(),
            what,
        });
    }

    fn argv(&mut self, key: &str, argv: Option<&Vec<String>>, known: &[&str]) {
        let Some(argv) = argv else { return };
        if argv.first().is_none_or(String::is_empty) {
            let what = "there is no program; write [\"program\", \"argument\", ...]".to_string();
            return self.add(key, what);
        }
        for (n, word) in argv.iter().enumerate() {
            let key = format!("{key}[{n}]");
            if word.contains('\0') {
                self.add(&key, "it contains a NUL character".to_string());
            }
            if let Some(what) = problem(word, known) {
                self.add(key, what);
            }
        }
    }

    fn env(&mut self, key: &str, env: &BTreeMap<String, String>) {
        for (name, value) in env {
            let first = name.bytes().next().is_some_and(|b| !b.is_ascii_digit());
            let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
            let shown = printable(name, 60);
            let what = if !first || !name.bytes().all(plain) {
                format!("`{shown}` cannot name a variable")
            } else if name.starts_with("HOLDPOINT_") {
                format!("`{shown}` is set by holdpoint itself")
            } else if value.contains('\0') {
                format!("the value of `{shown}` contains a NUL character")
            } else {
                continue;
            };
            self.add(key, what);
        }
    }
}

/// Whether a name can stand in ids, file names and on command lines as it is.
fn is_plain(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    (1..=64).contains(&name.len()) && name.bytes().all(plain) && !name.starts_with(['.', '-'])
}

fn is_host_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':' | b'@' | b'[' | b']' | b'%')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<CommandConfig, toml::de::Error> {
        toml::from_str(text)
    }

    const GOOD: &str = r#"
        deploy = ["/opt/deploy.sh", "{instance}", "{version}"]
        rollback = ["/opt/deploy.sh", "{instance}", "{version}"]
        status = ["/opt/status.sh"]
        [[instances]]
        name = "i-01"
        host = "root@10.0.0.1"
        url = "http://10.0.0.1:8080"
        [[instances]]
        name = "i-02"
    "#;

    #[test]
    fn a_small_one_is_enough() {
        let config = read(GOOD).unwrap();
        assert_eq!(config.problems(), []);
        assert_eq!(config.timeouts.status, Span::secs(15));
        assert_eq!(config.parallel, 8);
    }

    #[test]
    fn unknown_keys_and_bad_spans_are_refused() {
        let typo = read(&format!("deplyo = [\"x\"]\n{GOOD}")).unwrap_err();
        assert!(typo.message().contains("deplyo"), "{typo}");
        let span = read(&format!("timeouts.deploy = \"soon\"\n{GOOD}")).unwrap_err();
        assert!(span.message().contains("write 90s"), "{span}");
    }

    #[test]
    fn every_problem_is_named() {
        let config = read(
            r#"
            deploy = []
            rollback = ["x", "{verison}"]
            status = ["x", "{digest}"]
            drain = ["x"]
            via = ["ssh", "{host}"]
            dir = "relative"
            parallel = 0
            env = { HOLDPOINT_ROOM = "x", "A=B" = "y" }
            timeouts.status = "0s"
            [[instances]]
            name = "a b"
            [[instances]]
            name = "i-01"
            host = "-oProxyCommand=evil"
            url = "ftp://x"
            [[instances]]
            name = "i-01"
            "#,
        );
        let found: Vec<String> = config
            .unwrap()
            .problems()
            .iter()
            .map(ToString::to_string)
            .collect();
        let expected = [
            "`instances[0].name`: `a b` cannot be a name",
            "`instances[1].host`: `-oProxyCommand=evil` is no host",
            "`instances[1].url`: `ftp://x` is no http or https URL",
            "`instances[2].name`: there are two instances `i-01`",
            "`deploy`: there is no program",
            "`rollback[1]`: unknown placeholder {verison}; did you mean {version}?",
            "`status[1]`: unknown placeholder {digest}",
            "`drain`: there is no `undrain` to go with it",
            "`dir`: on a far host it must begin with `/`",
            "`env`: `A=B` cannot name a variable",
            "`env`: `HOLDPOINT_ROOM` is set by holdpoint itself",
            "`timeouts.status`: 0 would end the command at once",
            "`parallel`: 0 is not between 1 and 1000",
        ];
        assert_eq!(found.len(), expected.len(), "{found:#?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.starts_with(expected), "{found} is not {expected}");
        }
        let none = read("instances = []\ndeploy=['x']\nrollback=['x']\nstatus=['x']").unwrap();
        assert_eq!(none.problems()[0].key, "instances");
    }
}
