//! `init`: a new room.

mod kube;

use std::path::{Path, PathBuf};

pub use kube::from_kube;

use super::exit::Stop;
use super::view::{InitView, line};
use crate::config::room::is_plain;
use crate::config::template::{self, Owner};

/// Writes a room and says what to edit.
///
/// # Errors
/// When there is one already, or it cannot be written.
pub fn run(dir: &Path, json: bool) -> Result<String, Stop> {
    let files = template::write(dir, &owner()).map_err(Stop::from)?;
    let shown = dir.display().to_string();
    if json {
        return Ok(written(dir, &files, Vec::new(), Vec::new()));
    }
    let word = typed(dir);
    Ok(format!(
        "wrote a room to {shown}, for you alone to read

edit     {shown}/room.toml      what is operated, and how: the target in it is a comment
         {shown}/catalog.toml   services, their metrics, environments
         {shown}/people.toml    your colleagues, at least two who may vote
         {shown}/policy.toml    who must approve what
then     holdpoint --room {word} check
         holdpoint --room {word} serve
         holdpoint --room {word} release submit --dry-run {word}/plan.yaml
"
    ))
}

/// What was written, as JSON.
fn written(dir: &Path, files: &[PathBuf], targets: Vec<String>, notes: Vec<String>) -> String {
    let names = files.iter().map(|file| file.display().to_string());
    line(&InitView {
        schema: "holdpoint.init/1",
        room: dir.display().to_string(),
        files: names.collect(),
        targets,
        notes,
    })
}

/// A directory as it is typed in a shell.
fn typed(dir: &Path) -> String {
    let shown = dir.display().to_string();
    shlex::try_quote(&shown).map_or(shown.clone(), |word| word.into_owned())
}

/// The user who runs this.
fn owner() -> Owner {
    let uid = rustix::process::getuid().as_raw();
    let (login, full_name) = passwd(uid);
    let login = login
        .or_else(|| std::env::var("USER").ok())
        .filter(|name| is_plain(name))
        .unwrap_or_else(|| "owner".to_owned());
    Owner {
        name: login,
        full_name: full_name.unwrap_or_default(),
        uid,
        zone: zone(),
    }
}

/// The login name and the full name of a uid, as `/etc/passwd` has them.
fn passwd(uid: u32) -> (Option<String>, Option<String>) {
    let text = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let uid = uid.to_string();
    let found = text.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _, id, _, gecos, ..] = fields.as_slice() else {
            return None;
        };
        let full = gecos.split(',').next().unwrap_or_default().trim();
        (*id == uid).then(|| (name.to_string(), full.to_owned()))
    });
    found.map_or((None, None), |(name, full)| (Some(name), Some(full)))
}

/// The zone that this machine lives in.
fn zone() -> String {
    let named = std::env::var("TZ").ok();
    let linked = std::fs::read_link("/etc/localtime").ok().and_then(|to| {
        let path: PathBuf = to;
        let text = path.to_string_lossy().into_owned();
        text.split_once("zoneinfo/")
            .map(|(_, zone)| zone.to_owned())
    });
    let written = std::fs::read_to_string("/etc/timezone").ok();
    let candidates = [named, linked, written];
    candidates
        .into_iter()
        .flatten()
        .map(|zone| zone.trim().trim_start_matches(':').to_owned())
        .find(|zone| zone.parse::<chrono_tz::Tz>().is_ok())
        .unwrap_or_else(|| "UTC".to_owned())
}
