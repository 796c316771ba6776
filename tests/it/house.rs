//! The rules of the house that no compiler knows, each with the file and line that breaks it.
//!
//! What the compiler and clippy can hold stands in `Cargo.toml` and `clippy.toml` instead: no
//! `unwrap`, no `todo!`, no undocumented public item, no allowance without a reason, short functions.

mod papers;
mod source;

use std::collections::BTreeSet;
use std::sync::LazyLock;

use source::{Source, Word};

/// The folders of `src` in their order. Each uses only what stands before it.
const ORDER: [&str; 11] = [
    "domain", "judge", "policy", "ledger", "platform", "engine", "tui", "session", "web", "config",
    "cli",
];

/// The tighter rules.
const ONLY: [(&str, &[&str]); 1] = [("tui", &["domain", "judge"])];

/// No clock, no randomness, no input or output, no async.
const PURE: [&str; 4] = ["domain", "judge", "policy", "tui"];

/// The crates that a pure folder may use: they compute.
const PURE_CRATES: [&str; 17] = [
    "chrono",
    "chrono_tz",
    "rrule",
    "imbl",
    "libm",
    "ratatui",
    "schemars",
    "semver",
    "serde",
    "serde_json",
    "sha2",
    "strsim",
    "thiserror",
    "toml",
    "tui_textarea",
    "unicode_segmentation",
    "unicode_width",
];

/// What of `std` a pure folder may not use: the outside, and maps whose order is random.
const IMPURE_STD: [&str; 6] = ["env", "fs", "io", "net", "process", "thread"];
const IMPURE_NAMES: [&str; 8] = [
    "HashMap",
    "HashSet",
    "Instant",
    "Local",
    "RandomState",
    "SystemTime",
    "async",
    "await",
];
const IMPURE_MACROS: [&str; 4] = ["eprint", "eprintln", "print", "println"];

/// What of `std::env` looks at this user's surroundings. `current_exe` is not among it: the program
/// may start itself.
const SURROUNDINGS: [&str; 12] = [
    "args",
    "args_os",
    "current_dir",
    "home_dir",
    "remove_var",
    "set_current_dir",
    "set_var",
    "temp_dir",
    "var",
    "var_os",
    "vars",
    "vars_os",
];

/// What makes a `static` change.
const CHANGEABLE: [&str; 7] = [
    "Atomic", "Cell", "Mutex", "Once", "RefCell", "RwLock", "mut",
];

/// The most lines of a file.
const LINES: usize = 700;

/// Where a rule does not hold, and why. Each of them must still be needed.
const EXCEPTIONS: [Exception; 2] = [
    Exception {
        rule: "surroundings",
        path: "src/platform/process.rs",
        word: "vars_os",
        _why: "takes this program's own variables away from the programs it starts",
    },
    Exception {
        rule: "process-wide",
        path: "src/session/backend.rs",
        word: "COLOURS",
        _why: "crossterm keeps NO_COLOR for the process; it is switched off once, themes decide",
    },
];

struct Exception {
    rule: &'static str,
    path: &'static str,
    word: &'static str,
    _why: &'static str,
}

static HOUSE: LazyLock<Vec<Source>> = LazyLock::new(source::all);

/// Something that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    path: String,
    line: usize,
    word: String,
    says: String,
}

impl Finding {
    fn at(source: &Source, at: usize, says: &str) -> Finding {
        let Word { text, line, .. } = &source.words[at];
        Finding {
            path: source.path.clone(),
            line: *line,
            word: text.clone(),
            says: format!("`{text}` {says}"),
        }
    }
}

/// Fails with everything that was found, each on its line.
#[track_caller]
fn none(rule: &str, found: impl IntoIterator<Item = Finding>) {
    let mut found: BTreeSet<Finding> = found.into_iter().collect();
    let mut stale = Vec::new();
    for exception in EXCEPTIONS.iter().filter(|e| e.rule == rule) {
        let before = found.len();
        found.retain(|f| (f.path.as_str(), f.word.as_str()) != (exception.path, exception.word));
        if found.len() == before {
            stale.push(format!("\n{}: {}", exception.path, exception.word));
        }
    }
    let line = |f: &Finding| format!("\n{}:{}: {}", f.path, f.line, f.says);
    let lines: String = found.iter().map(line).collect();
    assert!(found.is_empty(), "{} times:{lines}\n", found.len());
    assert!(
        stale.is_empty(),
        "these exceptions are not needed any more:{}",
        stale.concat()
    );
}

fn of_src() -> impl Iterator<Item = &'static Source> {
    HOUSE.iter().filter(|s| s.path.starts_with("src/"))
}

#[test]
fn a_folder_uses_only_what_stands_before_it() {
    none("order", of_src().flat_map(order));
}

fn order(source: &Source) -> Vec<Finding> {
    let place = |name: &str| ORDER.iter().position(|folder| *folder == name);
    // lib.rs and main.rs stand behind all
    let Some(own) = source.module.first() else {
        return Vec::new();
    };
    let Some(here) = place(own) else {
        let says = format!("no folder of the house; there are {}", ORDER.join(" < "));
        return vec![Finding::at(source, 0, &says)];
    };
    let only = ONLY.iter().find(|(folder, _)| folder == own);
    let mut found = Vec::new();
    for at in source.root_names() {
        let name = source.words[at].text.as_str();
        let Some(there) = place(name) else { continue };
        if let Some((_, allowed)) = only
            && there != here
            && !allowed.contains(&name)
        {
            let says = format!("is none of what {own} may see: {}", allowed.join(", "));
            found.push(Finding::at(source, at, &says));
        } else if there > here {
            let says = format!("stands behind {own}: {}", ORDER.join(" < "));
            found.push(Finding::at(source, at, &says));
        }
    }
    found
}

#[test]
fn pure_folders_stay_pure() {
    let in_code = |name: String| name.replace('-', "_");
    let crates: Vec<String> = dependencies().into_iter().map(in_code).collect();
    none("pure", of_src().flat_map(|s| purity(s, &crates)));
}

fn purity(source: &Source, crates: &[String]) -> Vec<Finding> {
    let pure = |folder: &String| PURE.contains(&folder.as_str());
    if !source.module.first().is_some_and(pure) {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (at, word) in source.words.iter().enumerate() {
        if word.test {
            continue;
        }
        let name = word.text.as_str();
        let next = source.words.get(at + 1).map_or("", |w| w.text.as_str());
        let begins = at == 0 || source.words[at - 1].text != "::";
        if name == "std" && begins {
            let outside = source.second_names(at).into_iter();
            let outside = outside.filter(|n| IMPURE_STD.contains(&&*source.words[*n].text));
            found.extend(outside.map(|n| Finding::at(source, n, "of std is not pure")));
        }
        let says = if IMPURE_NAMES.contains(&name) {
            "is not pure: time, order and chance come from outside"
        } else if IMPURE_MACROS.contains(&name) && next == "!" {
            "writes, and a pure folder does not"
        } else if name == "now" && !begins {
            "reads a clock; time comes with a command or a scene"
        } else if begins
            && next == "::"
            && crates.iter().any(|c| c == name)
            && !PURE_CRATES.contains(&name)
        {
            "is no crate for a pure folder"
        } else {
            continue;
        };
        found.push(Finding::at(source, at, says));
    }
    found
}

#[test]
fn only_config_and_cli_look_at_the_surroundings() {
    none("surroundings", of_src().flat_map(surroundings));
}

fn surroundings(source: &Source) -> Vec<Finding> {
    let folder = source.module.first().map(String::as_str);
    let mut found = Vec::new();
    for (at, word) in source.words.iter().enumerate().filter(|(_, w)| !w.test) {
        match word.text.as_str() {
            "env" if !matches!(folder, None | Some("config" | "cli")) => {
                let names = source.second_names(at).into_iter();
                let names = names.filter(|n| SURROUNDINGS.contains(&&*source.words[*n].text));
                let says = "looks at the surroundings, which only config and cli do";
                found.extend(names.map(|n| Finding::at(source, n, says)));
            }
            "directories" | "ProjectDirs" | "BaseDirs" | "UserDirs"
                if folder != Some("config") && !source.second_names(at).is_empty() =>
            {
                let says = "says where files are, which only config knows";
                found.push(Finding::at(source, at, says));
            }
            _ => {}
        }
    }
    found
}

#[test]
fn nothing_is_process_wide() {
    none("process-wide", of_src().flat_map(process_wide));
}

fn process_wide(source: &Source) -> Vec<Finding> {
    let says = "is state of the whole process; many people share one";
    let code = |at: &usize| !source.words[*at].test;
    let mut found: Vec<Finding> = source
        .find(&["thread_local", "!"])
        .filter(code)
        .map(|at| Finding::at(source, at, says))
        .collect();
    for at in source.find(&["static"]).filter(code) {
        // a lifetime is a sign and a name
        if source
            .words
            .get(at.wrapping_sub(1))
            .is_some_and(|w| w.text == "'")
        {
            continue;
        }
        let item = &source.words[at..];
        let end = item.iter().position(|w| w.text == ";" || w.text == "=");
        let item = &item[..end.unwrap_or(item.len())];
        let changes = |w: &Word| CHANGEABLE.iter().any(|c| w.text.starts_with(c));
        if item.iter().any(changes) {
            let name = item.iter().skip(1).position(|w| w.text != "mut");
            found.push(Finding::at(source, at + 1 + name.unwrap_or(0), says));
        }
    }
    found
}

#[test]
fn nothing_breaks_off_without_a_reason() {
    none("panic", of_src().flat_map(broken_off));
}

/// `expect` says in words why it cannot fail, `unreachable!` why it is; `panic!` is for tests.
fn broken_off(source: &Source) -> Vec<Finding> {
    let mut found = Vec::new();
    for (at, word) in source.words.iter().enumerate().filter(|(_, w)| !w.test) {
        let text = |n: usize| source.words.get(n).map_or("", |w| w.text.as_str());
        let (reason, says) = match word.text.as_str() {
            "expect" if text(at.wrapping_sub(1)) == "." && text(at + 1) == "(" => {
                (at + 2, "needs a reason in words why it cannot fail")
            }
            "unreachable" if text(at + 1) == "!" => {
                (at + 3, "needs a reason in words why nobody comes here")
            }
            "panic" | "todo" | "unimplemented" | "dbg" if text(at + 1) == "!" => {
                (at, "has no place outside tests")
            }
            _ => continue,
        };
        let words = text(reason).split_whitespace().count();
        if !text(reason).starts_with('"') || words < 3 {
            found.push(Finding::at(source, at, says));
        }
    }
    found
}

#[test]
fn files_are_short() {
    let long = HOUSE.iter().filter(|s| s.lines > LINES);
    let long = long.map(|s| Finding {
        path: s.path.clone(),
        line: LINES + 1,
        word: String::new(),
        says: format!("{} lines, {LINES} at most: split it by concept", s.lines),
    });
    none("long", long);
}

#[test]
fn no_file_is_forgotten() {
    none("forgotten", forgotten(&HOUSE));
}

/// Files that no other file declares as its module: the compiler never sees them.
fn forgotten(sources: &[Source]) -> Vec<Finding> {
    let crate_of = |s: &Source| {
        let (folder, _) = s.path.split_once('/').unwrap_or_default();
        folder.to_owned()
    };
    let mut declared: BTreeSet<(String, Vec<String>)> = BTreeSet::new();
    for source in sources {
        // the root of the integration tests is a module path of its own
        for (name, _) in &source.declares {
            let module = [&source.module[..], std::slice::from_ref(name)].concat();
            declared.insert((crate_of(source), module));
        }
    }
    let roots = ["src/lib.rs", "src/main.rs", "tests/it/main.rs"];
    let missing = sources.iter().filter(|s| {
        !roots.contains(&s.path.as_str())
            && !s.path.starts_with("benches/")
            && !declared.contains(&(crate_of(s), s.module.clone()))
    });
    missing
        .map(|s| Finding {
            path: s.path.clone(),
            line: 1,
            word: String::new(),
            says: format!("no file says `mod {};`", s.module.last().map_or("", |m| m)),
        })
        .collect()
}

#[test]
fn every_benchmark_and_dependency_is_used() {
    let manifest = manifest();
    let mut found = Vec::new();
    let mut miss = |word: &str, says: String| {
        found.push(Finding {
            path: "Cargo.toml".to_owned(),
            line: papers::line_of(&papers::read("Cargo.toml"), word),
            word: word.to_owned(),
            says,
        });
    };
    for source in HOUSE.iter().filter(|s| s.path.starts_with("benches/")) {
        let known = manifest.get("bench").and_then(toml::Value::as_array);
        let of = |b: &toml::Value| {
            let text = |key: &str| b.get(key).and_then(toml::Value::as_str);
            let stands = format!("benches/{}.rs", text("name").unwrap_or_default());
            text("path").unwrap_or(&stands) == source.path
        };
        // modules of a benchmark lie in a folder
        if source.path.matches('/').count() == 1 && !known.is_some_and(|list| list.iter().any(of)) {
            miss(
                "bench",
                format!("no [[bench]] has the path {}", source.path),
            );
        }
    }
    // kube asks every program to say which Kubernetes it speaks to by a feature of this one
    let for_its_features = ["k8s-openapi"];
    for name in dependencies() {
        if for_its_features.contains(&name.as_str()) {
            continue;
        }
        let in_code = name.replace('-', "_");
        if !HOUSE
            .iter()
            .any(|s| s.words.iter().any(|w| w.text == in_code))
        {
            miss(&name, format!("nothing uses `{name}`"));
        }
    }
    none("unused", found);
}

/// The crates of `[dependencies]` and `[dev-dependencies]`.
fn dependencies() -> Vec<String> {
    let manifest = manifest();
    let tables = ["dependencies", "dev-dependencies"].into_iter();
    let tables = tables.filter_map(|name| manifest.get(name)?.as_table());
    tables.flat_map(|table| table.keys().cloned()).collect()
}

fn manifest() -> toml::Table {
    papers::read("Cargo.toml").parse().unwrap()
}

#[test]
fn the_map_in_lib_names_every_folder_in_order() {
    let text = papers::read("src/lib.rs");
    let map: Vec<&str> = ORDER
        .into_iter()
        .filter(|folder| {
            HOUSE
                .iter()
                .any(|s| s.module.first().is_some_and(|m| m == folder))
        })
        .collect();
    let places: Vec<Option<usize>> = map
        .iter()
        .map(|folder| text.find(&format!("//! - [`{folder}`]")))
        .collect();
    assert!(
        places.iter().all(Option::is_some) && places.is_sorted(),
        "the doc comment of src/lib.rs should list, in this order, {map:?}; found at {places:?}"
    );
}

/// The rules catch what they are for, and let pass what looks like it.
mod themselves {
    use super::*;

    #[track_caller]
    fn caught(rule: fn(&Source) -> Vec<Finding>, path: &str, text: &str, words: &[&str]) {
        let found = rule(&Source::parse(path, text));
        let seen: Vec<&str> = found.iter().map(|f| f.word.as_str()).collect();
        assert_eq!(seen, words, "{text}");
    }

    #[test]
    fn the_order_is_read_from_every_kind_of_path() {
        let tui = "src/tui/screens/list.rs";
        caught(order, tui, "use crate::domain::Plan;", &[]);
        caught(order, tui, "use crate::tui::desk::Desk;", &[]);
        caught(order, tui, "use crate::session::Wire;", &["session"]);
        caught(order, tui, "use crate::engine::Engine;", &["engine"]);
        caught(
            order,
            tui,
            "use crate::{domain::{Plan, State}, ledger, judge::x};",
            &["ledger"],
        );
        caught(order, tui, "fn f() { crate::config::room() }", &["config"]);
        caught(order, tui, "use super::super::super::cli::x;", &["cli"]);
        caught(order, tui, "use super::super::engine::x;", &[]);
        caught(
            order,
            tui,
            "mod tests { use super::super::super::super::engine::x; }",
            &["engine"],
        );
        caught(
            order,
            tui,
            "macro_rules! m { () => { $crate::cli::x() } }",
            &["cli"],
        );
        caught(
            order,
            tui,
            "// use crate::cli::x;\nconst X: &str = \"crate::cli\";",
            &[],
        );
        caught(order, "src/cli/x.rs", "use crate::config::x;", &[]);
        caught(order, "src/helpers.rs", "fn f() {}", &["fn"]);
        caught(order, "src/main.rs", "use holdpoint::cli;", &[]);
    }

    #[test]
    fn what_is_not_pure_is_caught() {
        let crates = ["tokio".to_owned(), "serde".to_owned()];
        let seen = |path: &str, text: &str| -> Vec<String> {
            let found = purity(&Source::parse(path, text), &crates);
            found.into_iter().map(|f| f.word).collect()
        };
        let here = "src/judge/x.rs";
        assert_eq!(
            seen(here, "use std::{fs, sync::Arc, io::Read};"),
            ["fs", "io"]
        );
        assert_eq!(
            seen(here, "use std::time::{Duration, Instant};"),
            ["Instant"]
        );
        assert_eq!(seen(here, "fn f() { chrono::Utc::now() }"), ["now"]);
        assert_eq!(seen(here, "async fn f() {}"), ["async"]);
        assert_eq!(seen(here, "fn f() { println!(\"x\") }"), ["println"]);
        assert_eq!(
            seen(here, "use tokio::sync::watch; use serde::Serialize;"),
            ["tokio"]
        );
        assert_eq!(seen(here, "fn f(now: u64, fs: u8) -> u64 { now }"), [""; 0]);
        assert_eq!(
            seen(
                here,
                "#[cfg(test)] mod tests { use std::fs; } use std::env;"
            ),
            ["env"]
        );
        assert_eq!(seen("src/engine/x.rs", "use std::fs;"), [""; 0]);
    }

    #[test]
    fn looking_around_and_keeping_for_all_is_caught() {
        let here = "src/engine/x.rs";
        caught(
            surroundings,
            here,
            "fn f() { std::env::var(\"X\") }",
            &["var"],
        );
        caught(
            surroundings,
            here,
            "use std::env::{self, home_dir};",
            &["home_dir"],
        );
        caught(
            surroundings,
            here,
            "fn f() { std::env::current_exe(); env!(\"X\") }",
            &[],
        );
        caught(
            surroundings,
            here,
            "use directories::ProjectDirs;",
            &["directories"],
        );
        caught(
            surroundings,
            "src/cli/x.rs",
            "fn f() { std::env::var(\"X\") }",
            &[],
        );
        caught(
            process_wide,
            here,
            "static X: Mutex<u8> = Mutex::new(0);",
            &["X"],
        );
        caught(process_wide, here, "static mut X: u8 = 0;", &["X"]);
        caught(
            process_wide,
            here,
            "thread_local! { static X: u8 = 0 }",
            &["thread_local"],
        );
        caught(process_wide, here, "static X: LazyLock<Regex> = f();", &[]);
        caught(
            process_wide,
            here,
            "const X: &'static Mutex<u8> = f();",
            &[],
        );
    }

    #[test]
    fn breaking_off_needs_words() {
        let here = "src/engine/x.rs";
        caught(broken_off, here, "fn f() { x.expect(\"\") }", &["expect"]);
        caught(
            broken_off,
            here,
            "fn f() { x.expect(\"a list of one has a first\") }",
            &[],
        );
        caught(
            broken_off,
            here,
            "#[expect(dead_code)] fn f() { unreachable!() }",
            &["unreachable"],
        );
        caught(
            broken_off,
            here,
            "fn f() { panic!(\"for a very good reason\") }",
            &["panic"],
        );
        caught(broken_off, here, "#[cfg(test)] fn f() { panic!() }", &[]);
    }

    #[test]
    fn a_forgotten_file_is_caught() {
        let sources = [
            Source::parse("src/lib.rs", "pub mod a;"),
            Source::parse("src/a/mod.rs", "mod b;"),
            Source::parse("src/a/b.rs", ""),
            Source::parse("src/a/c.rs", ""),
            Source::parse("tests/it/main.rs", "mod a;"),
            Source::parse("tests/it/b.rs", ""),
        ];
        let found: Vec<String> = forgotten(&sources).into_iter().map(|f| f.path).collect();
        assert_eq!(found, ["src/a/c.rs", "tests/it/b.rs"]);
    }
}
