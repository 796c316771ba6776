//! A new room: commented files that `check` accepts.

pub mod kube;

use std::collections::BTreeMap;
use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::domain::Notice;
use crate::domain::text::printable;

/// The files of a new room. Only the owner may read and write them.
const FILES: [(&str, &str); 6] = [
    ("room.toml", include_str!("template/room.toml")),
    ("people.toml", include_str!("template/people.toml")),
    ("catalog.toml", include_str!("template/catalog.toml")),
    ("policy.toml", include_str!("template/policy.toml")),
    ("calendar.toml", include_str!("template/calendar.toml")),
    ("plan.yaml", include_str!("template/plan.yaml")),
];

/// Whose room it becomes.
#[derive(Clone, Debug)]
pub struct Owner {
    /// The login name.
    pub name: String,
    /// The name as people write it; may be empty.
    pub full_name: String,
    /// The uid.
    pub uid: u32,
    /// The IANA zone that this machine lives in.
    pub zone: String,
}

/// Writes a new room, and overwrites nothing. Returns the files that were written.
///
/// # Errors
/// When one of the files is there already (nothing is written then), or one cannot be written.
pub fn write(dir: &Path, owner: &Owner) -> Result<Vec<PathBuf>, Notice> {
    write_with(dir, owner, &BTreeMap::new())
}

/// The same with some of the files as they were `made`, and not as templates.
///
/// # Errors
/// As [`write()`].
pub fn write_with(
    dir: &Path,
    owner: &Owner,
    made: &BTreeMap<&str, String>,
) -> Result<Vec<PathBuf>, Notice> {
    let failed = |what: &str, error: io::Error| {
        Notice::error("cannot-write", format!("{what} cannot be written: {error}"))
    };
    vacant(dir)?;
    let mut private = DirBuilder::new();
    private.recursive(true).mode(0o700);
    let keys = dir.join("keys");
    // a directory that held something before belongs to more than this room
    let fresh = std::fs::read_dir(dir).map_or(true, |mut entries| entries.next().is_none());
    private
        .create(&keys)
        .and_then(|()| if fresh { narrow(dir) } else { Ok(()) })
        .and_then(|()| narrow(&keys))
        .map_err(|error| failed(&keys.display().to_string(), error))?;
    let mut written = Vec::new();
    for (name, template) in FILES {
        let path = dir.join(name);
        let template = made.get(name).map_or(template, String::as_str);
        let text = fill(template, dir, owner);
        let mut open = OpenOptions::new();
        open.write(true).create_new(true).mode(0o600);
        open.open(&path)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .map_err(|error| failed(&path.display().to_string(), error))?;
        written.push(path);
    }
    Ok(written)
}

/// Whether a new room can be written to a directory.
///
/// # Errors
/// When there is one already.
pub fn vacant(dir: &Path) -> Result<(), Notice> {
    let shown = dir.display();
    match FILES.iter().find(|(name, _)| dir.join(name).exists()) {
        None => Ok(()),
        Some((name, _)) => Err(Notice::error(
            "room-exists",
            format!("{shown} has a {name} already"),
        )
        .detail("nothing was written: a room is never overwritten")
        .next(format!(
            "`holdpoint check {shown}` says what is wrong with it"
        ))),
    }
}

/// Takes the rights of all others away from a directory.
fn narrow(dir: &Path) -> io::Result<()> {
    std::fs::set_permissions(dir, PermissionsExt::from_mode(0o700))
}

fn fill(template: &str, dir: &Path, owner: &Owner) -> String {
    let absolute = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
    let room = match absolute.file_name() {
        // the standard directory is called `room`, which says nothing
        Some(name) if name != "room" => quotable(&name.to_string_lossy(), 40),
        _ => quotable(&owner.name, 40),
    };
    let full_name = match owner.full_name.is_empty() {
        true => quotable(&owner.name, 80),
        false => quotable(&owner.full_name, 80),
    };
    template
        .replace("@ROOM@", &room)
        .replace("@USER@", &owner.name)
        .replace("@FULL_NAME@", &full_name)
        .replace("@UID@", &owner.uid.to_string())
        .replace("@ZONE@", &owner.zone)
}

/// Text that can stand between double quotes in TOML.
fn quotable(text: &str, most: usize) -> String {
    printable(text, most).replace(['"', '\\'], "'")
}
