//! Files with mistakes, and exactly what is printed about them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use holdpoint::config::mistakes::Mistakes;
use holdpoint::config::plan::PlanFile;
use holdpoint::config::room::RoomFiles;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

fn room() -> RoomFiles {
    RoomFiles::load(&fixtures().join("room")).unwrap_or_else(|m| panic!("{}", shown(&m)))
}

fn shown(mistakes: &Mistakes) -> String {
    let each = mistakes.notices.iter();
    let each = each.map(|notice| mistakes.show(notice, false, 100));
    each.collect::<Vec<_>>().join("\n")
}

/// The files of a folder by their names.
fn files(folder: &Path) -> BTreeMap<String, PathBuf> {
    let entries = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap());
    entries
        .map(|e| (e.file_name().to_string_lossy().into_owned(), e.path()))
        .collect()
}

/// Compares what is printed with what is kept beside the file; `HOLDPOINT_UPDATE=1` keeps it anew.
fn golden(kept: &Path, printed: &str, differ: &mut Vec<String>) {
    if std::env::var_os("HOLDPOINT_UPDATE").is_some() {
        std::fs::write(kept, printed).unwrap();
    }
    let expected = std::fs::read_to_string(kept).unwrap_or_default();
    if expected != printed {
        differ.push(format!(
            "{}\n--- kept\n{expected}\n--- printed\n{printed}",
            kept.display()
        ));
    }
}

#[test]
fn bad_plans_print_what_is_kept() {
    let room = room();
    let folder = fixtures().join("configs/plans");
    let mut differ = Vec::new();
    for (name, path) in files(&folder) {
        if name.ends_with(".txt") {
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        let mistakes = PlanFile::read(&name, &bytes)
            .and_then(|file| file.check(&room.charter))
            .expect_err(&name);
        assert!(!mistakes.notices.is_empty(), "{name}");
        for notice in &mistakes.notices {
            let place = notice.place.as_deref().unwrap_or_default();
            assert!(place.starts_with(&format!("{name}:")), "{name}: {place}");
        }
        let printed = shown(&mistakes);
        let strange = |c: char| c.is_control() && c != '\n';
        assert!(!printed.contains(strange), "{name}: {printed:?}");
        golden(&folder.join(format!("{name}.txt")), &printed, &mut differ);
    }
    assert!(differ.is_empty(), "{}", differ.join("\n\n"));
}

#[test]
fn good_plans_have_no_mistakes() {
    let room = room();
    // those for the demo's room are submitted to it, see demonstration.rs
    let plans = files(&fixtures().join("plans")).into_iter();
    for (name, path) in plans.filter(|(name, _)| !name.starts_with("demo-")) {
        let bytes = std::fs::read(&path).unwrap();
        let checked = PlanFile::read(&name, &bytes).and_then(|file| file.check(&room.charter));
        checked.unwrap_or_else(|m| panic!("{name}:\n{}", shown(&m)));
    }
}

/// Each folder holds the files that differ from the good room.
#[test]
fn bad_rooms_print_what_is_kept() {
    let folder = fixtures().join("configs/rooms");
    let mut differ = Vec::new();
    for (name, changes) in files(&folder) {
        if name.ends_with(".txt") {
            continue;
        }
        let place = tempfile::tempdir().unwrap();
        for source in [fixtures().join("room"), changes] {
            for (file, path) in files(&source) {
                if path.is_file() {
                    std::fs::copy(path, place.path().join(file)).unwrap();
                }
            }
        }
        let here = format!("{}/", place.path().display());
        let printed = match RoomFiles::load(place.path()) {
            Ok(room) => shown(&room.doubts),
            Err(mistakes) => shown(&mistakes),
        };
        assert!(!printed.is_empty(), "{name}");
        // the folder's name is another one each time
        let printed = printed.replace(&here, "");
        golden(&folder.join(format!("{name}.txt")), &printed, &mut differ);
    }
    assert!(differ.is_empty(), "{}", differ.join("\n\n"));
}

/// The comment of the template, with its marks taken away, is what a room may say.
#[test]
fn the_source_in_a_new_room_can_be_used() {
    let place = tempfile::tempdir().unwrap();
    for (file, path) in files(&fixtures().join("room")) {
        if path.is_file() {
            std::fs::copy(path, place.path().join(file)).unwrap();
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let template = std::fs::read_to_string(root.join("src/config/template/room.toml")).unwrap();
    let from = template.find("# [sources.prom]").unwrap();
    let comment = template[from..].split("\n\n").next().unwrap();
    let plain = comment.lines().map(|line| line.strip_prefix("# ").unwrap());
    let source = plain.collect::<Vec<_>>().join("\n");
    let change = |file: &str, change: &dyn Fn(String) -> String| {
        let path = place.path().join(file);
        let text = change(std::fs::read_to_string(&path).unwrap());
        std::fs::write(path, text).unwrap();
    };
    change("room.toml", &|text| {
        text.replacen("[[target]]", &format!("{source}\n\n[[target]]"), 1)
    });
    change("catalog.toml", &|text| {
        text.replacen("fail_above", "source = \"prom\"\nfail_above", 1)
    });
    let room = RoomFiles::load(place.path()).unwrap_or_else(|m| panic!("{}", shown(&m)));
    let prom = &room.sources[&"prom".into()];
    assert_eq!(prom.url.as_str(), "https://prometheus.example.com/");
    assert_eq!(
        prom.authorities,
        Some(place.path().join("keys/prom-ca.pem"))
    );
    assert_eq!(prom.headers.len(), 1);
    let metrics = room
        .charter
        .services
        .values()
        .flat_map(|s| s.metrics.values());
    let named: Vec<_> = metrics
        .filter_map(|metric| metric.source.as_ref())
        .collect();
    assert_eq!(named, [&"prom".into()]);
}

#[test]
fn a_new_room_has_no_mistakes_and_is_private() {
    use std::os::unix::fs::PermissionsExt;

    use holdpoint::config::template::{Owner, write};
    let place = tempfile::tempdir().unwrap();
    let dir = place.path().join("night");
    let owner = Owner {
        name: "ada".to_owned(),
        full_name: "Ada \"the\" Okafor".to_owned(),
        uid: 1000,
        zone: "Europe/Berlin".to_owned(),
    };
    let written = write(&dir, &owner).unwrap();
    let room = RoomFiles::load(&dir).unwrap_or_else(|m| panic!("{}", shown(&m)));
    assert_eq!(&*room.charter.room, "night");
    assert_eq!(room.identities.by_uid(1000), Some(&"ada".into()));
    let plan = PlanFile::read("plan.yaml", &std::fs::read(dir.join("plan.yaml")).unwrap()).unwrap();
    let open = plan.check(&room.charter).unwrap_err();
    let codes: Vec<&str> = open.notices.iter().map(|n| n.code.as_str()).collect();
    assert_eq!(
        codes,
        ["no-target"],
        "only the target is left to be written"
    );
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&dir), 0o700);
    assert_eq!(mode(&dir.join("keys")), 0o700);
    for file in &written {
        assert_eq!(mode(file), 0o600, "{}", file.display());
    }
    std::fs::write(dir.join("room.toml"), "name = \"mine\"").unwrap();
    assert_eq!(write(&dir, &owner).unwrap_err().code, "room-exists");
    let kept = std::fs::read_to_string(dir.join("room.toml")).unwrap();
    assert_eq!(kept, "name = \"mine\"");
}
