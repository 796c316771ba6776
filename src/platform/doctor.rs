//! What is looked at before anything is released: whether everything is there that it takes.

use std::path::{Path, PathBuf};

use super::command::{CommandConfig, CommandTarget};
use crate::domain::Health;
use crate::domain::text::printable;
use crate::domain::words::listing;

/// Something that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What was looked at, as a stable word: `permission`, `workload`, `container` …
    pub code: &'static str,
    /// How it is.
    pub state: State,
    /// What was found, in a sentence.
    pub words: String,
    /// What to do; empty where nothing has to be done.
    pub next: String,
    /// Whether without it nothing goes forward.
    pub promote: bool,
    /// Whether without it nothing goes back.
    pub back: bool,
}

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// As it should be.
    Good,
    /// Worth a look.
    Doubt,
    /// Missing.
    Missing,
}

impl Check {
    /// Something that is as it should be.
    pub fn good(code: &'static str, words: impl Into<String>) -> Check {
        Check {
            code,
            state: State::Good,
            words: words.into(),
            next: String::new(),
            promote: false,
            back: false,
        }
    }

    /// Something that is worth a look.
    pub fn doubt(code: &'static str, words: impl Into<String>, next: impl Into<String>) -> Check {
        Check {
            state: State::Doubt,
            next: next.into(),
            ..Check::good(code, words)
        }
    }

    /// Something without which nothing goes, forward or back.
    pub fn missing(code: &'static str, words: impl Into<String>, next: impl Into<String>) -> Check {
        Check {
            state: State::Missing,
            promote: true,
            back: true,
            ..Check::doubt(code, words, next)
        }
    }
}

/// What a target of programs needs: the programs, and a `status` that answers.
pub async fn programs(target: &CommandTarget, path: Option<&std::ffi::OsStr>) -> Vec<Check> {
    let config = target.config();
    let mut checks = found(config, path);
    match target.observe().await {
        Ok(sights) => {
            let silent = sights.iter().filter(|s| s.health == Health::Unknown);
            let silent: Vec<_> = silent.collect();
            match silent.first() {
                None => checks.push(Check::good(
                    "status",
                    format!("status tells of {} instances", sights.len()),
                )),
                Some(first) => {
                    let names = listing(silent.iter().map(|s| s.instance.as_str()), 4);
                    let what = format!("status does not tell how {names} is: {}", first.detail);
                    let next =
                        "run the `status` command by hand; it prints one object per instance";
                    checks.push(Check::missing("status", what, next));
                }
            }
        }
        Err(error) => {
            let next = "run the `status` command by hand; it prints one object per instance";
            checks.push(Check::missing("status", error.to_string(), next));
        }
    }
    checks
}

/// Whether the programs are there that run on this machine.
fn found(config: &CommandConfig, path: Option<&std::ffi::OsStr>) -> Vec<Check> {
    let verbs = [
        ("deploy", Some(&config.deploy)),
        ("rollback", Some(&config.rollback)),
        ("drain", config.drain.as_ref()),
        ("undrain", config.undrain.as_ref()),
        ("status", Some(&config.status)),
    ];
    // what goes over a connection is looked for at its other end
    let all: Vec<(&str, &String)> = match &config.via {
        Some(via) => via
            .first()
            .map(|program| ("via", program))
            .into_iter()
            .collect(),
        None => verbs
            .into_iter()
            .filter_map(|(verb, argv)| Some((verb, argv?.first()?)))
            .collect(),
    };
    let mut checks = Vec::new();
    let mut good: Vec<&str> = Vec::new();
    for (verb, program) in all {
        // what is filled in is another one on each instance
        if program.contains('{') || good.contains(&program.as_str()) {
            continue;
        }
        match on_path(program, config.dir.as_deref(), path) {
            Some(_) => good.push(program),
            None => {
                let what = format!("there is no program `{}`", printable(program, 120));
                let next = format!("install it, or name another one in `{verb}`");
                checks.push(Check {
                    promote: verb != "rollback",
                    back: verb != "deploy",
                    ..Check::missing("program", what, next)
                });
            }
        }
    }
    if !good.is_empty() {
        let what = format!("found {}", listing(good.iter().copied(), 4));
        checks.insert(0, Check::good("program", what));
    }
    checks
}

/// Where a program is: as it is written, or on the path.
fn on_path(program: &str, dir: Option<&Path>, path: Option<&std::ffi::OsStr>) -> Option<PathBuf> {
    use std::os::unix::fs::PermissionsExt;
    let runs = |file: &PathBuf| {
        let meta = std::fs::metadata(file);
        meta.is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0)
    };
    if program.contains('/') {
        let file = dir.map_or_else(|| PathBuf::from(program), |dir| dir.join(program));
        return Some(file).filter(runs);
    }
    let folders = path.map(std::env::split_paths).into_iter().flatten();
    folders.map(|folder| folder.join(program)).find(runs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_where_they_would_be_started() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tool");
        std::fs::write(&file, "#!/bin/sh\n").unwrap();
        let path = Some(folder.path().as_os_str());
        assert_eq!(on_path("tool", None, path), None, "it may not be executed");
        let run = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        std::fs::set_permissions(&file, run).unwrap();
        assert_eq!(on_path("tool", None, path), Some(file.clone()));
        assert_eq!(on_path("other", None, path), None);
        assert_eq!(
            on_path("./tool", Some(folder.path()), None),
            Some(folder.path().join("./tool"))
        );
        assert_eq!(on_path(&file.to_string_lossy(), None, None), Some(file));
    }
}
