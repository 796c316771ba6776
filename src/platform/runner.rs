//! Commands that outlive the engine and never run twice: the engine's side.
//!
//! Every effect has a directory `<room>/effects/<effect id>/` and is carried out by a small process
//! of the same binary, the runner ([`worker`]). The protocol of the two (files in [`record`]):
//!
//! 1. The engine writes `job.json` and spawns a runner.
//! 2. The runner takes `lock` without waiting; a second one gives way. If `started` or `exit` is
//!    there it does nothing.
//! 3. The runner writes `started`, durable, *before* it spawns the command, and `exit` after.
//!
//! So after any crash the files tell: `exit` there: it ended so. `lock` held: it runs. Neither, and
//! `started` missing: it never began. `started` there, `lock` free and no `exit`: the runner was
//! killed or the machine went down in the middle, and nobody can tell: [`Found::Torn`].
//!
//! The engine looks whether `lock` is free by taking it for a moment. A runner that starts in that
//! very moment gives way, and the engine, which then finds that nothing began, spawns another.

pub(crate) mod record;
pub mod worker;

use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use record::{CommandProcess, Folder, Lock, Started, boot};
pub use record::{End, Exit, Job};

use super::process::{self, Starts};
use crate::domain::EffectId;

/// How often a runner is spawned for one call before it is given up.
const SPAWNS: u32 = 3;

/// The longest pause between two looks at a runner that is not this process's child.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Where effects are carried out, and by which program.
#[derive(Clone, Debug)]
pub struct Runner {
    effects: PathBuf,
    program: PathBuf,
    starts: Starts,
}

/// How the effect of a [`Runner::carry`] ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Carried {
    /// Its end was found.
    Ended(Exit),
    /// It may or may not have happened, or half; why that cannot be told.
    Unknown(Arc<str>),
}

/// What the files of one effect say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// How it ended.
    Ended(Exit),
    /// A runner is at it.
    Running,
    /// It never began.
    Nothing,
    /// It began, its runner is gone, and why that is all that can be told.
    Torn(Arc<str>),
}

impl Runner {
    /// Carries effects out below `effects` (made when it is missing), with this very program.
    pub fn new(effects: impl Into<PathBuf>) -> io::Result<Runner> {
        // the running program, even when its file was replaced by an upgrade meanwhile
        let itself = Path::new("/proc/self/exe");
        let program = if itself.exists() {
            itself.to_path_buf()
        } else {
            std::env::current_exe()?
        };
        Ok(Runner::with_program(effects, program))
    }

    /// Carries effects out with `program`, which must understand `__runner DIR`.
    pub fn with_program(effects: impl Into<PathBuf>, program: impl Into<PathBuf>) -> Runner {
        Runner {
            effects: effects.into(),
            program: program.into(),
            starts: Starts::new(),
        }
    }

    /// Where programs are started, for all whose effects are carried out here.
    pub(super) fn starts(&self) -> &Starts {
        &self.starts
    }

    /// Runs the job to its end, or finds that it ended, or waits for the runner that is at it.
    ///
    /// May be called any number of times for one effect, at the same time too: the command runs
    /// once. Dropping the future leaves the runner alone.
    pub async fn carry(&self, id: &EffectId, job: &Job) -> Carried {
        let folder = match self.folder(id) {
            Ok(folder) => folder,
            Err(why) => return not_started(why),
        };
        let mut failure = String::new();
        for attempt in 0..SPAWNS {
            match settled(&folder, false).await {
                Ok(Found::Nothing) => {}
                Ok(found) => return carried(found),
                Err(error) => return Carried::Unknown(unreadable(&error)),
            }
            if attempt > 0 {
                sleep(LOOK_EVERY * attempt).await;
            }
            if let Err(why) = self.spawn(&folder, job).await {
                failure = why;
            }
        }
        match settled(&folder, false).await {
            Ok(Found::Nothing) => not_started(failure),
            Ok(found) => carried(found),
            Err(error) => Carried::Unknown(unreadable(&error)),
        }
    }

    /// What is known of an effect, without starting anything. When it never began, a runner that
    /// was spawned for it and did not get to its start yet will not start it any more.
    pub async fn check(&self, id: &EffectId) -> Found {
        match self.folder(id) {
            Ok(folder) => look(&folder, true)
                .await
                .unwrap_or_else(|error| Found::Torn(unreadable(&error))),
            Err(_) => Found::Nothing,
        }
    }

    /// Waits for an effect that [`Runner::check`] found running; `None` when it turns out that it
    /// never began.
    pub async fn wait(&self, id: &EffectId) -> Option<Carried> {
        let folder = self.folder(id).ok()?;
        match settled(&folder, true).await {
            Ok(Found::Nothing) => None,
            Ok(found) => Some(carried(found)),
            Err(error) => Some(Carried::Unknown(unreadable(&error))),
        }
    }

    /// The end of what the command printed so far, in printable lines; empty when there is none.
    pub async fn output(&self, id: &EffectId) -> Vec<String> {
        let Ok(folder) = self.folder(id) else {
            return Vec::new();
        };
        match tokio::fs::read(folder.path("output")).await {
            Ok(bytes) => super::output::lines(&bytes, false),
            Err(_) => Vec::new(),
        }
    }

    /// Removes the files of effects whose outcome is recorded durably elsewhere. An effect that
    /// still runs is left alone.
    ///
    /// # Errors
    /// The first file that could not be removed; the rest was tried all the same.
    pub async fn sweep(&self, ended: impl IntoIterator<Item = EffectId>) -> io::Result<()> {
        let folders: Vec<(EffectId, Folder)> = ended
            .into_iter()
            .filter_map(|id| self.folder(&id).ok().map(|folder| (id, folder)))
            .collect();
        let effects = self.effects.clone();
        blocking(move || sweep(&effects, &folders)).await
    }

    fn folder(&self, id: &EffectId) -> Result<Folder, String> {
        let name = id.as_str();
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
        if name.is_empty() || name.len() > 200 || name.starts_with('.') || !name.bytes().all(plain)
        {
            return Err("its id cannot name a directory".to_string());
        }
        Ok(Folder(self.effects.join(name)))
    }

    /// Writes the job, spawns a runner and waits for it to end; the error says why it could not.
    async fn spawn(&self, folder: &Folder, job: &Job) -> Result<(), String> {
        let (writing, job) = (folder.clone(), job.clone());
        let mut command = tokio::process::Command::new(&self.program);
        command.arg0("holdpoint").arg("__runner").arg(&folder.0);
        // not to hold a file system that somebody may want to unmount
        command.current_dir("/");
        command.stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let started = self.starts.start(command, move || writing.write_job(&job));
        let mut runner = match started.await {
            Ok(process::Started::Runs(runner)) => runner,
            Ok(process::Started::NotPrepared(error)) => {
                return Err(format!("its job could not be written: {error}"));
            }
            Err(error) => return Err(format!("no runner could be started: {error}")),
        };
        match runner.wait().await {
            Ok(status) => Err(format!(
                "its runner did nothing ({})",
                reason(status.code())
            )),
            Err(error) => Err(format!("its runner could not be waited for: {error}")),
        }
    }
}

fn reason(code: Option<i32>) -> String {
    use worker::Ran;
    let is = |ran: Ran| code == Some(ran as i32);
    if is(Ran::NoRoom) {
        "the room cannot be written: is its disk full?".to_string()
    } else if is(Ran::Elsewhere) {
        "another runner held the lock".to_string()
    } else {
        code.map_or("it was killed".to_string(), |code| format!("exit {code}"))
    }
}

fn carried(found: Found) -> Carried {
    match found {
        Found::Ended(exit) => Carried::Ended(exit),
        Found::Torn(why) => Carried::Unknown(why),
        // `settled` waits for the end of what runs, and its callers look for `Nothing` themselves
        Found::Running | Found::Nothing => {
            Carried::Unknown("the files of this effect changed under the engine".into())
        }
    }
}

fn not_started(why: String) -> Carried {
    Carried::Ended(Exit::not_started(why))
}

fn unreadable(error: &io::Error) -> Arc<str> {
    format!("the files of this effect cannot be read: {error}").into()
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(io::Error::other(error)),
    }
}

/// Looks until no runner is at it any more. `fence`: what never began shall not begin behind the
/// engine's back, so the job of a runner that may be late is taken away.
async fn settled(folder: &Folder, fence: bool) -> io::Result<Found> {
    let mut pause = Duration::from_millis(5);
    loop {
        match look(folder, fence).await? {
            Found::Running => sleep(pause).await,
            found => return Ok(found),
        }
        pause = (pause * 2).min(LOOK_EVERY);
    }
}

/// Looks once; an error that may pass (too many open files) is given three chances.
async fn look(folder: &Folder, fence: bool) -> io::Result<Found> {
    let mut attempt = 0;
    loop {
        let looking = folder.clone();
        match blocking(move || look_now(&looking, fence)).await {
            Err(_) if attempt < 3 => sleep(LOOK_EVERY).await,
            result => return result,
        }
        attempt += 1;
    }
}

fn look_now(folder: &Folder, fence: bool) -> io::Result<Found> {
    if !folder.0.try_exists()? {
        return Ok(Found::Nothing);
    }
    if let Some(exit) = read_exit(folder)? {
        return Ok(exit);
    }
    let lock = match folder.lock_if_there()? {
        Lock::Taken(lock) => Some(lock),
        Lock::Held => return Ok(Found::Running),
        Lock::NoFile => None,
    };
    // under the lock: a runner may have ended between the two looks
    let found = match read_exit(folder)? {
        Some(exit) => exit,
        None if folder.has("started")? => Found::Torn(torn(folder).into()),
        None => Found::Nothing,
    };
    if fence && matches!(found, Found::Nothing) && folder.has("job.json")? {
        std::fs::remove_file(folder.path("job.json"))?;
    }
    match lock {
        // not only closed: a process being started at this moment may hold a copy
        Some(lock) => lock.unlock()?,
        // a runner that came meanwhile may have read the job before it was taken away
        None if folder.has("lock")? => return look_now(folder, fence),
        None => {}
    }
    Ok(found)
}

fn read_exit(folder: &Folder) -> io::Result<Option<Found>> {
    match folder.read::<Exit>("exit") {
        Ok(exit) => Ok(exit.map(Found::Ended)),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            Ok(Some(Found::Torn(error.to_string().into())))
        }
        Err(error) => Err(error),
    }
}

/// What can be said of an effect whose runner is gone without a word.
fn torn(folder: &Folder) -> String {
    let rebooted = match folder.read::<Started>("started") {
        Ok(Some(started)) => started.boot != boot(),
        _ => false,
    };
    if rebooted {
        return "the machine went down while it ran".to_string();
    }
    let running = match folder.read::<CommandProcess>("command") {
        Ok(Some(command)) => rustix::process::Pid::from_raw(command.pid)
            .filter(|pid| rustix::process::test_kill_process_group(*pid).is_ok()),
        _ => None,
    };
    match running {
        Some(pid) => format!(
            "its runner was killed; processes of its command may still run (group {})",
            pid.as_raw_pid()
        ),
        None => "its runner was killed after the command was started, before it ended".to_string(),
    }
}

fn sweep(effects: &Path, folders: &[(EffectId, Folder)]) -> io::Result<()> {
    let mut result = Ok(());
    let mut note = |done: io::Result<()>| {
        if let Err(error) = done
            && error.kind() != io::ErrorKind::NotFound
            && result.is_ok()
        {
            result = Err(error);
        }
    };
    for (id, folder) in folders {
        if !folder.0.exists() {
            continue;
        }
        match folder.lock() {
            // moved away whole first: half a directory would read as an effect that never began
            Ok(Some(_lock)) => {
                let aside = effects.join(format!(".swept-{id}"));
                note(std::fs::rename(&folder.0, &aside));
            }
            Ok(None) => {}
            Err(error) => note(Err(error)),
        }
    }
    // what an earlier sweep did not get to as well
    let Ok(entries) = std::fs::read_dir(effects) else {
        return result;
    };
    for entry in entries.flatten() {
        if entry.file_name().as_encoded_bytes().starts_with(b".swept-") {
            note(std::fs::remove_dir_all(entry.path()));
        }
    }
    result
}
