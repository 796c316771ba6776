//! Rules for everything that is text, whatever wrote it: no trace of who made it where, no address
//! of a real machine, no link to a file that is not there.

use std::env;
use std::fs;

use regex::Regex;

use super::source::{files, root, shown};
use super::{Finding, none};

/// What belongs to the workshop and not into the work, cut in two so that this file does not hold it.
const WORKSHOP: [(&str, &str); 13] = [
    ("anthro", "pic"),
    ("assist", "ants?"),
    ("chat", "gpt"),
    ("clau", "de"),
    ("co-authored", "-by"),
    ("copi", "lot"),
    ("issues?", " #?[0-9]+"),
    ("language", " models?"),
    ("ll", "ms?"),
    ("open", "ai"),
    ("work", " sessions?"),
    ("sub", "-?agents?"),
    ("work", "trees?"),
];

/// Hosts that documents may name besides those that are kept for examples.
const HOSTS: [&str; 14] = [
    "github.com",
    "go.dev",
    "json-schema.org",
    "keepachangelog.com",
    "no-color.org",
    "opencontainers.org",
    "openmetrics.io",
    "prometheus.io",
    "rustup.rs",
    "semver.org",
    "toml.io",
    "www.apache.org",
    "www.sqlite.org",
    "yaml.org",
];

/// A file's text, from the repository's root.
pub fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The line of the first occurrence.
pub fn line_of(text: &str, word: &str) -> usize {
    let line = text.lines().position(|line| line.contains(word));
    line.map_or(1, |n| n + 1)
}

/// All files that are text, with their path.
fn papers() -> impl Iterator<Item = (String, String)> {
    let all = files(root()).into_iter();
    all.filter_map(|path| Some((shown(&path), fs::read_to_string(&path).ok()?)))
}

/// Every match in every text for which `says` has something to say.
fn search(
    pattern: &str,
    skip: &[&str],
    says: impl Fn(&str, &regex::Captures) -> Option<String>,
) -> Vec<Finding> {
    let pattern = Regex::new(pattern).unwrap();
    let mut found = Vec::new();
    for (path, text) in papers() {
        if skip.contains(&path.as_str()) {
            continue;
        }
        for (n, line) in text.lines().enumerate() {
            for hit in pattern.captures_iter(line) {
                if let Some(says) = says(&path, &hit) {
                    let (path, line) = (path.clone(), n + 1);
                    let word = hit[0].to_owned();
                    found.push(Finding {
                        path,
                        line,
                        word,
                        says,
                    });
                }
            }
        }
    }
    found
}

#[test]
fn nothing_tells_of_the_workshop() {
    let words: Vec<String> = WORKSHOP.iter().map(|(a, b)| format!("{a}{b}")).collect();
    let pattern = format!(r"(?i)\b({})\b", words.join("|"));
    let says = |_: &str, hit: &regex::Captures| Some(format!("`{}` belongs elsewhere", &hit[0]));
    none(
        "workshop",
        search(&pattern, &["Cargo.lock", "LICENSE"], says),
    );
}

/// Somebody's home, or this very folder.
#[test]
fn no_path_of_a_machine_is_left() {
    let mut places = vec![regex::escape(&root().to_string_lossy())];
    places.extend(
        env::var("HOME")
            .ok()
            .filter(|h| h.len() > 5)
            .map(|h| regex::escape(&h)),
    );
    let pattern = format!(
        r#"(?:^|[\s"'`(=:])((?:/(?:home|Users|root|work|mnt)/[\w.-]+|{})[\w./-]*)"#,
        places.join("|")
    );
    let says =
        |_: &str, hit: &regex::Captures| Some(format!("`{}` is on one machine only", &hit[1]));
    none("places", search(&pattern, &[], says));
}

/// Addresses in code, tests and documents lead to examples or to public pages that are named here.
#[test]
fn no_address_leads_to_a_real_machine() {
    let says = |path: &str, hit: &regex::Captures| {
        let host = hit[1].to_ascii_lowercase();
        let own = path == "Cargo.lock" || HOSTS.contains(&host.as_str()) || is_example(&host);
        (!own).then(|| format!("`{host}` is neither an example nor in HOSTS"))
    };
    let pattern = r"\b[a-z][a-z0-9+]*://(?:[\w.%-]+@)?([A-Za-z0-9._-]+|\[[0-9a-f:]+\])";
    none("addresses", search(pattern, &[], says));
    let lock: toml::Table = read("Cargo.lock").parse().unwrap();
    for package in lock["package"].as_array().unwrap() {
        let source = package.get("source").and_then(toml::Value::as_str);
        let public = "registry+https://github.com/rust-lang/crates.io-index";
        assert!(
            source.is_none_or(|source| source == public),
            "Cargo.lock: {package:?} comes from elsewhere"
        );
    }
}

/// The names and numbers that are kept for examples (RFC 2606, 5737, 6761) or lead nowhere else.
fn is_example(host: &str) -> bool {
    let of = |domain: &str| host == domain || host.ends_with(&format!(".{domain}"));
    let names = [
        "example",
        "example.com",
        "example.net",
        "example.org",
        "invalid",
        "localhost",
        "test",
    ];
    let numbers = [
        "10.",
        "127.",
        "192.0.2.",
        "198.51.100.",
        "203.0.113.",
        "[::1]",
    ];
    names.into_iter().any(of)
        || numbers.iter().any(|start| host.starts_with(start))
        // one label leads nowhere by itself, and stands for a host in tests
        || !host.contains('.')
}

/// A document that anything names is a file, and so is what a document links to: from the root or
/// from where it is named.
#[test]
fn documents_that_are_named_exist() {
    let missing = |path: &str, name: &str| {
        let beside = root().join(path).with_file_name(name);
        let there = root().join(name).exists() || beside.exists();
        (!there).then(|| format!("there is no {name}"))
    };
    let named = search(r"(?:^|[^\w./-])([\w][\w./-]*\.md)\b", &[], |path, hit| {
        missing(path, &hit[1])
    });
    let linked = search(r"\]\(([\w./-]+)\)", &[], |path, hit| {
        path.ends_with(".md").then(|| missing(path, &hit[1]))?
    });
    none("documents", named.into_iter().chain(linked));
}

/// What was left for later is either done or no longer wanted.
#[test]
fn nothing_is_left_for_later() {
    let words = [("TO", "DO"), ("FIX", "ME"), ("XX", "X"), ("HA", "CK")];
    let words = words.map(|(a, b)| format!("{a}{b}"));
    let pattern = format!(r"\b({})\b", words.join("|"));
    let says = |_: &str, hit: &regex::Captures| Some(format!("`{}` is left to do", &hit[0]));
    none("later", search(&pattern, &[], says));
}

/// What an editor set to `.editorconfig` would do.
#[test]
fn lines_end_where_they_end() {
    let by_hand = ["fixtures/configs/", "LICENSE"];
    let mut found = Vec::new();
    for (path, text) in papers() {
        if by_hand.iter().any(|p| path.starts_with(p)) || path.ends_with(".snap") || text.is_empty()
        {
            continue;
        }
        let ends = |line: &str| line.ends_with([' ', '\t', '\r']);
        let lines = text.split('\n').enumerate().filter(|(_, line)| ends(line));
        let mut lines: Vec<usize> = lines.map(|(n, _)| n + 1).collect();
        if !text.ends_with('\n') {
            lines.push(text.lines().count());
        }
        found.extend(lines.into_iter().map(|line| Finding {
            path: path.clone(),
            line,
            word: String::new(),
            says: "ends with blanks, or the file without a line end".to_owned(),
        }));
    }
    none("ends", found);
}

#[test]
fn the_patterns_know_an_example_from_a_machine() {
    for host in [
        "shop.example",
        "web-1.example.com",
        "127.0.0.1",
        "localhost",
        "nowhere.invalid",
    ] {
        assert!(is_example(host), "{host}");
    }
    for host in [
        "example.com.evil.io",
        "registry.internal.io",
        "8.8.8.8",
        "notexample.com",
    ] {
        assert!(!is_example(host), "{host}");
    }
}
