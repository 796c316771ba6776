//! Every kind of file is read the same way; every mistake is told with its place.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use holdpoint::config::located::{Doc, Format, LARGEST};
use holdpoint::config::render::{render, render_all};
use holdpoint::domain::spelled::{self, Spelled};
use holdpoint::domain::{Notice, Plan};
use proptest::prelude::*;
use serde::{Deserialize, Deserializer};

fn fixtures(kind: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures/configs")
        .join(kind);
    let entries = std::fs::read_dir(folder).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// What no plan has: choices with content, tuples, tables by name, secrets, own checks.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Room {
    doors: Vec<Door>,
    token: Option<Token>,
    share: Option<f64>,
    quiet: bool,
    limits: BTreeMap<Lower, u16>,
    people: BTreeMap<String, Person>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Door {
    Socket,
    Ssh { port: u16 },
    Http(String, u16),
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
struct Lower(String);

impl TryFrom<String> for Lower {
    type Error = String;

    fn try_from(name: String) -> Result<Lower, String> {
        match name.chars().next() {
            Some(c) if c.is_lowercase() => Ok(Lower(name)),
            _ => Err("a name begins with a small letter".to_owned()),
        }
    }
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(try_from = "RawPerson")]
struct Person {
    uid: u32,
}

#[derive(Deserialize)]
struct RawPerson {
    uid: u32,
}

impl TryFrom<RawPerson> for Person {
    type Error = &'static str;

    fn try_from(raw: RawPerson) -> Result<Person, &'static str> {
        match raw.uid {
            0 => Err("root is nobody's own account"),
            uid => Ok(Person { uid }),
        }
    }
}

#[derive(Debug, PartialEq)]
struct Token(String);

impl Spelled for Token {
    const EXPECTED: &'static str = "a reference like env:TOKEN or file:/path";
    const HIDDEN: bool = true;

    fn read(text: &str) -> Result<Token, String> {
        match text.split_once(':') {
            Some(("env" | "file", _)) => Ok(Token(text.to_owned())),
            _ => Err(format!("`{text}` is no reference")),
        }
    }
}

impl<'de> Deserialize<'de> for Token {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Token, D::Error> {
        spelled::deserialize(from)
    }
}

/// What is wrong with a file, whatever it is.
fn mistakes(file: &Path) -> Vec<Notice> {
    let doc = match Doc::open(file) {
        Ok(doc) => doc,
        Err(notices) => return notices,
    };
    let read = if doc.name().contains("room") {
        doc.read::<Room>().map(|_| ())
    } else {
        doc.read::<Plan>().map(|_| ())
    };
    read.err().unwrap_or_default()
}

/// Every bad file, as a terminal of 80 columns shows what is wrong with it.
fn gallery(extension: &str) -> String {
    let mut out = String::new();
    for file in fixtures("bad") {
        let name = file.file_name().unwrap().to_str().unwrap().to_owned();
        if file
            .extension()
            .and_then(|e| e.to_str())
            .unwrap_or_default()
            != extension
        {
            continue;
        }
        let text = String::from_utf8_lossy(&std::fs::read(&file).unwrap()).into_owned();
        let folder = format!("{}/", file.parent().unwrap().display());
        let mut notices = mistakes(&file);
        assert!(!notices.is_empty(), "{name} is accepted");
        for notice in &mut notices {
            for words in [&mut notice.headline, &mut notice.detail] {
                *words = words.replace(&folder, "");
            }
            let place = notice.place.as_mut().unwrap();
            *place = place.replace(&folder, "");
        }
        let codes: Vec<_> = notices.iter().map(|n| n.code.as_str()).collect();
        out.push_str(&format!("=== {name}: {}\n", codes.join(" ")));
        out.push_str(&render_all(&notices, Some(&text), false, 80));
        out.push('\n');
    }
    out
}

#[test]
fn mistakes_in_yaml() {
    insta::assert_snapshot!("bad-yaml", gallery("yaml"));
}

#[test]
fn mistakes_in_toml() {
    insta::assert_snapshot!("bad-toml", gallery("toml"));
}

#[test]
fn a_name_that_says_no_format() {
    insta::assert_snapshot!(gallery(""), @"
    === no-extension: unknown-format
    error: the name `no-extension` does not say how the file is written
      --> no-extension
      next: name it .yaml, .yml or .toml
    ");
}

#[test]
fn both_formats_say_the_same() {
    let read = |name: &str| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/configs/good");
        Doc::open(&folder.join(name)).unwrap()
    };
    let plan: Plan = read("plan.yaml").read().unwrap();
    assert_eq!(plan, read("plan.toml").read().unwrap());
    assert_eq!(&*plan.services[0].version, "4.10");
    assert_eq!(&*plan.services[1].version, "2026-11-20");
    let room: Room = read("room.yaml").read().unwrap();
    assert_eq!(room, read("room.toml").read().unwrap());
    assert_eq!(room.limits[&Lower("a.b".to_owned())], 16);
    let windows: Plan = read("windows.yaml").read().unwrap();
    assert_eq!(windows.name.as_deref(), Some("test"));
    assert_eq!(read("empty.yaml").read::<Room>(), Ok(Room::default()));
    assert_eq!(read("empty.toml").read::<Room>(), Ok(Room::default()));
}

#[test]
fn a_bad_secret_is_never_shown() {
    for name in [
        "room-secret.yaml",
        "room-secret-list.yaml",
        "room-secret-line.yaml",
    ] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/configs/bad");
        let text = std::fs::read_to_string(folder.join(name)).unwrap();
        let notices = mistakes(&folder.join(name));
        let shown = render_all(&notices, Some(&text), true, 80) + &format!("{notices:?}");
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}

#[test]
fn later_mistakes_find_their_places() {
    let text = "batches:\n  - exposure: 10%\n  - exposure: full\n    before: []\n";
    let doc = Doc::parse("plan.yaml", text, Format::Yaml).unwrap();
    let place = |path: &str| doc.place(path).map(|p| (p.line, p.column));
    assert_eq!(place("batches[1].exposure"), Some((3, 15)));
    assert_eq!(place("batches[1].after[0].bake"), Some((3, 5)));
    assert_eq!(place("batches[9]"), Some((2, 3)));
    assert_eq!(place(""), Some((1, 1)));
    assert_eq!(place("services[0].digest"), None);
    let notice = doc.notice("batches[1].exposure", "no-growth", "it must grow");
    assert_eq!(notice.place.as_deref(), Some("plan.yaml:3:15"));
    assert_eq!(notice.detail, "read the text `full`");
    let notice = doc.notice("batches[1].name", "no-name", "it needs a name");
    assert_eq!(notice.detail, "`batches[1]` has no `name`");
    let notice = doc.notice("window.opens", "no-window", "it needs a window");
    assert_eq!(notice.detail, "`window` is not given");
    assert_eq!(notice.place.as_deref(), Some("plan.yaml:1:1"));
}

#[test]
fn many_mistakes_are_told_at_once_and_have_an_end() {
    let batches: String = (0..60).map(|n| format!("  - exposure: {n}x\n")).collect();
    let text = format!("title: t\nenvironment: e\nservices: []\nbatches:\n{batches}");
    let doc = Doc::named("plan.yaml", &text).unwrap();
    let notices = doc.read::<Plan>().unwrap_err();
    assert_eq!(notices.len(), 20);
    assert_eq!(notices[0].place.as_deref(), Some("plan.yaml:5:15"));
    assert!(notices[19].next_step.contains("more mistakes"));
}

#[test]
fn files_that_are_none_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let code = |name: &str| {
        Doc::open(&folder.path().join(name)).unwrap_err()[0]
            .code
            .clone()
    };
    assert_eq!(code("missing.yaml"), "unreadable-file");
    std::fs::create_dir(folder.path().join("folder.toml")).unwrap();
    assert_eq!(code("folder.toml"), "unreadable-file");
    std::fs::write(folder.path().join("large.toml"), vec![b' '; LARGEST + 1]).unwrap();
    assert_eq!(code("large.toml"), "too-large");
    std::fs::write(folder.path().join("large.yaml"), vec![0xff; 2 * LARGEST]).unwrap();
    assert_eq!(code("large.yaml"), "too-large");
    std::fs::write(folder.path().join("fits.toml"), vec![b'\n'; LARGEST]).unwrap();
    assert!(Doc::open(&folder.path().join("fits.toml")).is_ok());
}

#[test]
fn hostile_text_stays_within_the_screen() {
    let text = format!("ti\u{9b}tle: {}", "価".repeat(300));
    let notice = Notice::error("x", format!("\u{1b}[2Jlong {}", "word ".repeat(60)))
        .detail("y".repeat(500))
        .at("a:b.yaml:1:150");
    for width in [1, 20, 33, 80, 200] {
        let shown = render(&notice, Some(&text), false, width);
        for row in shown.lines() {
            assert!(!row.chars().any(char::is_control), "{row:?}");
            let columns = unicode_width::UnicodeWidthStr::width(row);
            assert!(columns <= width.max(20), "{width}: {row:?}");
        }
        assert!(shown.contains('^'), "{shown}");
    }
}

/// Every notice has a place, and the place is in the text.
fn all_within(notices: &[Notice], text: &str) -> Result<(), TestCaseError> {
    prop_assert!(!notices.is_empty());
    let lines: Vec<&str> = text.split(['\n', '\r']).collect();
    let breaks = text.matches("\r\n").count();
    let longest = lines.iter().map(|l| l.chars().count()).max().unwrap_or(0);
    for notice in notices {
        let place = notice.place.clone().unwrap_or_default();
        let numbers: Vec<usize> = place
            .rsplit(':')
            .take(2)
            .filter_map(|n| n.parse().ok())
            .collect();
        prop_assert_eq!(numbers.len(), 2, "{:?}", notice);
        let within = (1..=lines.len() - breaks).contains(&numbers[1])
            && (1..=longest + 1).contains(&numbers[0]);
        prop_assert!(within, "{:?} in {:?}", notice, text);
        let shown = render(notice, Some(text), true, 60);
        prop_assert!(shown.contains("-->"));
    }
    Ok(())
}

fn survives(bytes: &[u8], name: &str) -> Result<(), TestCaseError> {
    let format = Format::of(name).unwrap();
    let text = String::from_utf8_lossy(bytes);
    match Doc::bytes(name, bytes, format) {
        Err(notices) => all_within(&notices, &text),
        Ok(doc) => {
            let tries = [
                doc.read::<Plan>().err(),
                doc.read::<Room>().err(),
                doc.read::<Vec<String>>().err(),
                doc.read::<(u8, Option<f32>)>().err(),
            ];
            for notices in tries.iter().flatten() {
                all_within(notices, doc.text())?;
            }
            if let Ok(value) = doc.read::<serde_json::Value>() {
                prop_assert!(value.is_object() || name.ends_with("yaml"));
            }
            Ok(())
        }
    }
}

/// A change to a text: at a place, so many bytes go, and these come.
type Edit = (prop::sample::Index, u8, Vec<u8>);

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let signs = prop::sample::select(b"[]{}:-=#&*!|>'\"%@`,.?\\ \t\n\r<0aA\0\xff".to_vec());
    let piece = prop::collection::vec(prop_oneof![3 => signs, 1 => any::<u8>()], 0..6);
    prop::collection::vec((any::<prop::sample::Index>(), 0..8u8, piece), 1..6)
}

fn edited(mut bytes: Vec<u8>, edits: &[Edit]) -> Vec<u8> {
    for (place, go, come) in edits {
        let from = if bytes.is_empty() {
            0
        } else {
            place.index(bytes.len())
        };
        let until = (from + usize::from(*go)).min(bytes.len());
        bytes.splice(from..until, come.iter().copied());
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn bytes_never_break_the_reader(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        survives(&bytes, "a.yaml")?;
        survives(&bytes, "a.toml")?;
    }

    #[test]
    fn text_never_breaks_the_reader(text in "([\\[\\]{}:\\-=#&*!|>'\"%@,?\\\\<. \\t\\n\\räa0-9]){0,60}") {
        survives(text.as_bytes(), "a.yaml")?;
        survives(text.as_bytes(), "a.toml")?;
    }

    #[test]
    fn changed_files_never_break_the_reader(edits in edits(), which in any::<prop::sample::Index>()) {
        let files = fixtures("good");
        let file = which.get(&files);
        let bytes = edited(std::fs::read(file).unwrap(), &edits);
        survives(&bytes, file.to_str().unwrap())?;
    }
}

/// Each of these would take a careless reader hours, its whole memory, or its stack.
#[test]
fn hostile_files_are_answered() {
    let keys = |from: &str, n: usize| {
        (0..n)
            .map(|k| format!("{from}{k} = 1\n"))
            .collect::<String>()
    };
    for (name, text) in [
        (
            "a.yaml",
            format!("batches:\n{}", "  - expsure: 5%\n".repeat(20_000)),
        ),
        ("a.yaml", format!("a: [{}]", "1,".repeat(90_000))),
        ("a.yaml", format!("a: {}", "[{a: ".repeat(100_000))),
        ("a.yaml", format!("{}: 1", "ä".repeat(500_000))),
        ("a.toml", keys("k", 50_000)),
        ("a.toml", "a = 1\n".repeat(20_000)),
        ("a.toml", "=".repeat(LARGEST)),
        (
            "a.toml",
            format!("a = {}", "{a.a.a.a.a.a.a.a = ".repeat(50_000)),
        ),
        ("a.toml", format!("{}a = 1", "a.".repeat(500_000))),
        ("a.toml", format!("[{}a]", "a.".repeat(500_000))),
        ("a.toml", keys(&"a".repeat(60_000), 16)),
    ] {
        survives(text.as_bytes(), name).unwrap();
    }
}
