//! A running engine follows its room's files: who changes one need not ask anybody.
//!
//! A change is taken in once a file has been left alone for a moment, all files together and only
//! if none of them has a mistake; else the rules of before stay in force, and an alert says so until
//! the files are good again. What an engine can only begin with (targets and settings of room.toml)
//! waits for its next start, and that too is said.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::watch;

use crate::config::mistakes::Mistakes;
use crate::config::room::{self, RoomFiles};
use crate::config::tokens::Identities;
use crate::domain::charter::Charter;
use crate::domain::live::Live;
use crate::domain::{Actor, Ask, Door, Notice};
use crate::engine::EngineHandle;

/// How often the files are looked at.
const EVERY: Duration = Duration::from_secs(1);

/// The code of the alert: the files have mistakes.
pub const BAD_FILES: &str = "bad-files";
/// The code of the alert: a change waits for the next start.
pub const NEXT_START: &str = "next-start";

/// What tells that a file is another than before: when it was written, its size, its inode.
type Stamp = Vec<Option<(SystemTime, u64, u64)>>;

/// Follows the files of a room.
pub struct Follower {
    dir: PathBuf,
    engine: EngineHandle,
    identities: watch::Sender<Arc<Identities>>,
    files: Vec<PathBuf>,
    /// The text of room.toml with which the engine began.
    room: Option<String>,
    taken: Stamp,
    seen: Option<Stamp>,
    /// The first mistake in the files, while they have any.
    bad: Option<String>,
}

impl Follower {
    /// A follower of the files that `loaded` came from, which were stamped before they were read.
    pub fn new(
        dir: &Path,
        engine: EngineHandle,
        identities: watch::Sender<Arc<Identities>>,
        imports: &[PathBuf],
        room: Option<String>,
    ) -> Follower {
        let files = all_files(dir, imports);
        Follower {
            dir: dir.to_owned(),
            engine,
            identities,
            taken: stamp(&files),
            files,
            room,
            seen: None,
            bad: None,
        }
    }

    /// Follows them for ever.
    pub async fn run(mut self) {
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.look().await;
        }
    }

    async fn look(&mut self) {
        let now = stamp(&self.files);
        if now == self.taken {
            self.seen = None;
            return;
        }
        if self.seen.as_ref() != Some(&now) {
            // somebody may still be writing
            self.seen = Some(now);
            return;
        }
        let dir = self.dir.clone();
        let loaded = tokio::task::spawn_blocking(move || RoomFiles::load(&dir)).await;
        let taken = match loaded {
            Ok(Ok(files)) => self.take(files).await,
            Ok(Err(mistakes)) => {
                let notice = bad(&self.dir, &mistakes);
                if self.bad != notice.place {
                    self.mended();
                }
                self.bad.clone_from(&notice.place);
                self.engine.board().alert(notice);
                true
            }
            Err(error) => {
                tracing::error!(%error, "the room's files could not be read");
                false
            }
        };
        if taken {
            self.taken = now;
            self.seen = None;
        }
    }

    /// Nothing is said any more of mistakes in the files.
    fn mended(&mut self) {
        let place = self.bad.take();
        self.engine.board().calm(BAD_FILES, place.as_deref());
    }

    /// Takes good files into force; whether that is done.
    async fn take(&mut self, files: RoomFiles) -> bool {
        let board = self.engine.board().clone();
        let running = self.engine.state().borrow().charter.clone();
        let mut charter = files.charter;
        let other_room = room_text(&self.dir) != self.room;
        if other_room {
            charter.targets = running.targets.clone();
            if !stands(&charter) {
                board.alert(next_start(
                    "what the targets of before need is gone, so all of it waits",
                ));
                self.mended();
                return true;
            }
        }
        let ask = Ask::Adopt(Arc::new(charter));
        let asked = self.engine.ask(Actor::Engine, Door::Engine, ask).await;
        if let Err(notice) = asked {
            tracing::warn!(code = notice.code, "the room's files are not in force yet");
            return false;
        }
        self.identities.send_replace(Arc::new(files.identities));
        self.files = all_files(&self.dir, &files.files);
        self.taken = stamp(&self.files);
        self.mended();
        match other_room {
            true => board.alert(next_start("everything else is in force")),
            false => board.calm(NEXT_START, None),
        }
        tracing::info!("the room's files have changed and are in force");
        true
    }
}

/// The text of room.toml.
pub fn room_text(dir: &Path) -> Option<String> {
    std::fs::read_to_string(dir.join("room.toml")).ok()
}

/// Whether the services and environments of all targets are there.
fn stands(charter: &Charter) -> bool {
    charter.targets.values().all(|target| {
        charter.services.contains_key(&target.service)
            && charter.environments.contains_key(&target.environment)
    })
}

fn all_files(dir: &Path, read: &[PathBuf]) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = room::names().map(|name| dir.join(name)).collect();
    let more: Vec<PathBuf> = read
        .iter()
        .filter(|f| !files.contains(f))
        .cloned()
        .collect();
    files.extend(more);
    files
}

fn stamp(files: &[PathBuf]) -> Stamp {
    use std::os::unix::fs::MetadataExt;
    let each = files.iter().map(|file| {
        let meta = std::fs::metadata(file).ok()?;
        Some((meta.modified().ok()?, meta.len(), meta.ino()))
    });
    each.collect()
}

fn bad(dir: &Path, mistakes: &Mistakes) -> Notice {
    let first = mistakes.notices.first();
    let what = first.map(|n| n.headline.clone()).unwrap_or_default();
    let more = match mistakes.notices.len() {
        0 | 1 => String::new(),
        n => format!(", and {} more", n - 1),
    };
    let notice = Notice::error(
        BAD_FILES,
        "the room's files have mistakes: the rules of before stay in force",
    )
    .detail(format!("{what}{more}"))
    .next(format!(
        "`holdpoint check {}` shows them all",
        dir.display()
    ));
    match first.and_then(|n| n.place.clone()) {
        Some(place) => notice.at(place),
        None => notice,
    }
}

/// That an engine goes by older rules than its room's files have, in one line; none where it does not.
pub fn old_rules(live: &Live) -> Option<String> {
    let alert = live.alerts.iter().find(|alert| alert.code == BAD_FILES)?;
    let place = alert.place.as_deref().unwrap_or("the room's files");
    Some(format!(
        "the engine goes by the rules of before: {place}: {}; {}",
        alert.detail, alert.next_step
    ))
}

fn next_start(what: &str) -> Notice {
    Notice::warning(
        NEXT_START,
        "room.toml has changed: its targets and settings come into force at the next start",
    )
    .detail(what)
    .next("start the engine again when it suits")
}
