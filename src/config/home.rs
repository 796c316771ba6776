//! Where rooms and a user's own files are.

use std::path::PathBuf;

use directories::ProjectDirs;

use super::mistakes::Source;
use crate::domain::Notice;

fn standard() -> Option<ProjectDirs> {
    ProjectDirs::from("", "", "holdpoint")
}

/// The room's directory: the one that was named (`--room`, `HOLDPOINT_ROOM`), else this user's
/// standard directory.
///
/// # Errors
/// When none was named and this user has no home.
pub fn room(named: Option<&PathBuf>) -> Result<PathBuf, Notice> {
    if let Some(dir) = named {
        return Ok(dir.clone());
    }
    standard()
        .map(|dirs| dirs.data_dir().join("room"))
        .ok_or_else(|| {
            Notice::error(
                "no-home",
                "no room was named, and this user has no home directory",
            )
            .next("name it with --room DIR or HOLDPOINT_ROOM")
        })
}

/// This user's own keymap, if there is one.
///
/// # Errors
/// When there is one that cannot be read.
pub fn keymap() -> Result<Option<Source>, Notice> {
    own("keymap.toml")
}

/// This user's own theme, if there is one.
///
/// # Errors
/// When there is one that cannot be read.
pub fn theme() -> Result<Option<Source>, Notice> {
    own("theme.toml")
}

fn own(name: &str) -> Result<Option<Source>, Notice> {
    let Some(dirs) = standard() else {
        return Ok(None);
    };
    let path = dirs.config_dir().join(name);
    let shown = path.display().to_string();
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(Some(Source::new(shown, text))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => {
            Err(Notice::error("cannot-read", format!("it cannot be read: {error}")).at(shown))
        }
    }
}
