//! The files of one effect: what is to be run, that it was started, how it ended.
//!
//! | file | written by | says |
//! |---|---|---|
//! | `job.json` | engine, before it spawns a runner | what to run |
//! | `lock` | runner, held (`flock`) while it lives | somebody is at it |
//! | `started` | runner, durable before the command is spawned | from here on it may have happened |
//! | `command` | runner, after the spawn | the command's process, for people |
//! | `exit` | runner, durable, by rename | how it ended |
//! | `output` | runner, while it runs and at the end | the end of what it printed |

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::domain::text::printable;
use crate::domain::{Failure, Outcome, Span};

/// Room kept for the exit record before the command starts, so that a full disk cannot keep its
/// end from being written. Larger than any record: 2,000 characters, escaped, and some numbers.
const EXIT_BYTES: usize = 16 * 1024;

/// The longest file that is read back.
const MOST_BYTES: u64 = 4 * 1024 * 1024;

/// What a runner shall run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// What is added to the inherited environment.
    pub env: BTreeMap<String, String>,
    /// The working directory; that of the runner where there is none.
    pub dir: Option<PathBuf>,
    /// After this long the command is asked to end.
    pub limit: Span,
    /// This long after it was asked, it is killed.
    pub grace: Span,
    /// The first line that the far side prints when the command really begins there; set where a
    /// connection (ssh) stands between. It is not part of the output.
    pub marker: Option<String>,
}

/// Written before the command is spawned.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Started {
    /// Names this start of the machine; empty where the system does not tell.
    pub boot: String,
}

/// The command's process.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct CommandProcess {
    /// Its process id.
    pub pid: i32,
}

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// By itself, with this code.
    Exit(i32),
    /// By this signal.
    Signal(i32),
    /// By the runner, because it took longer than this.
    TimedOut(Span),
    /// It never began.
    NotStarted(String),
    /// It began, and the system did not tell how it ended.
    Untold(String),
}

/// What the runner leaves behind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// How the command ended.
    pub end: End,
    /// How long it ran.
    pub took: Span,
    /// The end of its output, printable, on one line.
    pub tail: String,
    /// Whether the job's marker was seen, so that the command began on the far side.
    pub marked: bool,
}

impl Exit {
    /// The record of a command that never began.
    pub(super) fn not_started(why: String) -> Exit {
        Exit {
            end: End::NotStarted(printable(&why, 500)),
            took: Span(0),
            tail: String::new(),
            marked: false,
        }
    }

    /// The outcome of a command that ran on this machine.
    pub fn outcome(&self) -> Outcome {
        let why = match &self.end {
            End::Exit(0) => return Outcome::Done { took: self.took },
            End::Exit(code) => Failure::Exit(*code),
            End::Signal(number) => Failure::Signal(*number),
            End::TimedOut(limit) => Failure::TimedOut(*limit),
            End::NotStarted(why) => Failure::NotStarted(why.as_str().into()),
            End::Untold(why) => {
                let why = format!("the command began, and its end was not told: {why}");
                return Outcome::Unknown { why: why.into() };
            }
        };
        Outcome::Failed {
            why,
            output: self.tail.as_str().into(),
        }
    }
}

/// The directory of one effect.
#[derive(Clone, Debug)]
pub(super) struct Folder(pub PathBuf);

impl Folder {
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Makes the directory, readable for its owner only, and its name durable: were it lost with
    /// the power, the effect would seem never to have begun.
    pub fn make(&self) -> io::Result<()> {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true).mode(0o700).create(&self.0)?;
        // the directory of all effects, and the room above it
        for above in self.0.ancestors().skip(1).take(2) {
            sync_directory(above)?;
        }
        Ok(())
    }

    /// Makes durable which names the directory holds.
    pub fn sync(&self) -> io::Result<()> {
        sync_directory(&self.0)
    }

    /// Opens the lock file and takes the lock; `None` when somebody holds it.
    pub fn lock(&self) -> io::Result<Option<File>> {
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(self.path("lock"))?;
        try_lock(file)
    }

    /// The same without making the file, which a full disk would not allow; no file, no holder.
    pub fn lock_if_there(&self) -> io::Result<Lock> {
        match File::options().write(true).open(self.path("lock")) {
            Ok(file) => Ok(match try_lock(file)? {
                Some(file) => Lock::Taken(file),
                None => Lock::Held,
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Lock::NoFile),
            Err(error) => Err(error),
        }
    }

    /// Writes the job, unless somebody holds the lock: then it is being carried out already.
    pub fn write_job(&self, job: &Job) -> io::Result<()> {
        self.make()?;
        match self.lock()? {
            Some(lock) => {
                self.write("job.json", job)?;
                // not only closed: a process being started at this moment may hold a copy
                lock.unlock()
            }
            None => Ok(()),
        }
    }

    /// Reads a file; `None` when it is not there.
    pub fn read<T: DeserializeOwned>(&self, name: &str) -> io::Result<Option<T>> {
        let file = match File::open(self.path(name)) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(e),
        };
        let mut text = String::new();
        file.take(MOST_BYTES).read_to_string(&mut text)?;
        serde_json::from_str(&text).map(Some).map_err(|e| {
            let what = format!("`{name}` is damaged: {e}");
            io::Error::new(io::ErrorKind::InvalidData, what)
        })
    }

    /// Whether a file is there.
    pub fn has(&self, name: &str) -> io::Result<bool> {
        self.path(name).try_exists()
    }

    /// Writes a file so that it is either wholly there, after power loss too, or not at all.
    pub fn write<T: Serialize>(&self, name: &str, value: &T) -> io::Result<()> {
        let temporary = self.path(&format!("{name}.new"));
        let mut file = create(&temporary)?;
        file.write_all(&serde_json::to_vec(value)?)?;
        file.sync_all()?;
        fs::rename(&temporary, self.path(name))?;
        self.sync()
    }

    /// Writes `started`, durable; fails when it is there already.
    pub fn write_started(&self, started: &Started) -> io::Result<()> {
        let mut file = OpenOptions::new()
            .create_new(true)
            .write(true)
            .mode(0o600)
            .open(self.path("started"))?;
        file.write_all(&serde_json::to_vec(started)?)?;
        file.sync_all()?;
        self.sync()
    }

    /// Keeps room on the disk for the exit record.
    pub fn reserve_exit(&self) -> io::Result<Reserved> {
        let mut file = create(&self.path("exit.new"))?;
        file.write_all(&[b' '; EXIT_BYTES])?;
        file.sync_all()?;
        Ok(Reserved(file))
    }

    /// Writes `exit` over the room that was kept for it, durable.
    pub fn write_exit(&self, reserved: &mut Reserved, exit: &Exit) -> io::Result<()> {
        let file = &mut reserved.0;
        file.rewind()?;
        let bytes = serde_json::to_vec(exit)?;
        file.write_all(&bytes)?;
        // blanks after it would be no harm, so a failure to cut them off is none either
        let _ = file.set_len(bytes.len() as u64);
        file.sync_all()?;
        fs::rename(self.path("exit.new"), self.path("exit"))?;
        self.sync()
    }

    /// Replaces `output`; only for people, so neither durable nor ever a reason to fail.
    pub fn write_output(&self, lines: &[String]) {
        let temporary = self.path("output.new");
        let mut text = lines.join("\n");
        text.push('\n');
        let written = create(&temporary).and_then(|mut file| file.write_all(text.as_bytes()));
        if written.is_ok() {
            let _ = fs::rename(&temporary, self.path("output"));
        }
    }
}

/// What became of trying to take the lock.
#[derive(Debug)]
pub(super) enum Lock {
    /// It is held by this process now.
    Taken(File),
    /// A runner holds it.
    Held,
    /// No runner ever came as far as to it.
    NoFile,
}

fn try_lock(file: File) -> io::Result<Option<File>> {
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(fs::TryLockError::WouldBlock) => Ok(None),
        Err(fs::TryLockError::Error(error)) => Err(error),
    }
}

/// The file that the exit record is written over.
#[derive(Debug)]
pub(super) struct Reserved(File);

fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).truncate(true).write(true).mode(0o600);
    options.open(path)
}

fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// What names this start of the machine (Linux); empty elsewhere.
pub(super) fn boot() -> String {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    text.trim().to_string()
}
