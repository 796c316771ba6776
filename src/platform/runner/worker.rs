//! The runner: a process of its own that carries out one effect and leaves its end in a file, so
//! that the command outlives the engine and never runs twice.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;

use rustix::process::{Signal, WaitId, WaitIdOptions, waitid};
use tokio::net::unix::pipe;
use tokio::process::Child;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, sleep, sleep_until};

use super::record::{CommandProcess, End, Exit, Folder, Job, Reserved, Started, boot};
use crate::domain::Span;
use crate::platform::output::{Tail, one_line};
use crate::platform::process::{self, DRAIN, Group};

/// How often the shown output is brought up to date.
const SHOW_EVERY: Duration = Duration::from_secs(1);

/// How long a runner goes on trying to write down how its command ended.
const KEEP_TRYING: Duration = Duration::from_secs(24 * 3600);

/// How a runner itself ended; its exit code, for logs. What counts is in the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Ran {
    /// The command was run, or could not be started, and its end is written down.
    Carried = 0,
    /// Another runner is at it; nothing was done.
    Elsewhere = 3,
    /// It was started or ended before; nothing was done.
    Before = 4,
    /// There is nothing to run; nothing was done.
    NoJob = 5,
    /// The directory cannot be written, so nothing was started.
    NoRoom = 6,
    /// The command was run, but its end could not be written down.
    Lost = 7,
}

/// Carries out the effect in `folder`, in this process: call it from `main` of a fresh process.
pub fn run(folder: &Path) -> Ran {
    // fails only for the leader of a process group, which a spawned runner is not
    let _ = rustix::process::setsid();
    let folder = Folder(folder.to_path_buf());
    let _lock = match folder.lock() {
        Ok(Some(lock)) => lock,
        Ok(None) => return Ran::Elsewhere,
        Err(_) => return Ran::NoRoom,
    };
    match before(&folder) {
        Ok(false) => {}
        Ok(true) => return Ran::Before,
        Err(_) => return Ran::NoRoom,
    }
    let job = match folder.read::<Job>("job.json") {
        Ok(Some(job)) => Ok(job),
        Ok(None) => return Ran::NoJob,
        Err(error) => Err(error.to_string()),
    };
    let Ok(mut reserved) = folder.reserve_exit() else {
        return Ran::NoRoom;
    };
    let exit = match job {
        Err(why) => Exit::not_started(why),
        Ok(job) => {
            if folder.write_started(&Started { boot: boot() }).is_err() {
                // nothing was spawned: it may be tried again once there is room
                let _ = std::fs::remove_file(folder.path("started"));
                return Ran::NoRoom;
            }
            carry(&folder, &job)
        }
    };
    write_down(&folder, &mut reserved, &exit)
}

fn before(folder: &Folder) -> io::Result<bool> {
    Ok(folder.has("started")? || folder.has("exit")?)
}

fn write_down(folder: &Folder, reserved: &mut Reserved, exit: &Exit) -> Ran {
    let begun = std::time::Instant::now();
    let mut pause = Duration::from_millis(100);
    while let Err(error) = folder.write_exit(reserved, exit) {
        // a directory that is gone will not come back
        if error.kind() == io::ErrorKind::NotFound || begun.elapsed() > KEEP_TRYING {
            return Ran::Lost;
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_secs(5));
    }
    Ran::Carried
}

fn carry(folder: &Folder, job: &Job) -> Exit {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    match runtime {
        Ok(runtime) => {
            let exit = runtime.block_on(carry_async(folder, job));
            // a read that never ends must not keep the runner
            runtime.shutdown_background();
            exit
        }
        Err(error) => Exit::not_started(format!("no runtime: {error}")),
    }
}

async fn carry_async(folder: &Folder, job: &Job) -> Exit {
    // Caught, not ignored: an ignored signal would be ignored by the command too. A service manager
    // that stops everything of the engine sends these; the end of the command is still written down.
    let mut caught = Vec::new();
    for kind in [
        SignalKind::terminate(),
        SignalKind::interrupt(),
        SignalKind::hangup(),
    ] {
        match signal(kind) {
            Ok(stream) => caught.push(stream),
            Err(error) => return Exit::not_started(format!("no signal handler: {error}")),
        }
    }
    let (mut child, pipe) = match spawn(job) {
        Ok(spawned) => spawned,
        Err(why) => return Exit::not_started(why),
    };
    let mut running = Running {
        group: Group::of(&child),
        pipe: Some(pipe),
        output: Output::new(job.marker.clone()),
        folder,
        begun: Instant::now(),
    };
    if let Some(pid) = running.group.pid() {
        let pid = pid.as_raw_pid();
        let _ = folder.write("command", &CommandProcess { pid });
    }
    let end = running.watch(&mut child, job).await;
    let took = Span(running.begun.elapsed().as_millis() as u64);
    running.drain().await;
    let lines = running.output.lines();
    folder.write_output(&lines);
    Exit {
        end,
        took,
        tail: one_line(&lines),
        marked: running.output.marked,
    }
}

/// Starts the command with both of its output streams on one pipe, so that their order is kept.
fn spawn(job: &Job) -> Result<(Child, pipe::Receiver), String> {
    let (reader, writer) = io::pipe().map_err(|e| format!("no pipe: {e}"))?;
    let mut command = process::command(&job.argv, &job.env, job.dir.as_deref())?;
    let second = writer.try_clone().map_err(|e| format!("no pipe: {e}"))?;
    command.stdout(second).stderr(writer);
    let reader = OwnedFd::from(reader);
    let receiver = pipe::Receiver::from_owned_fd(reader).map_err(|e| format!("no pipe: {e}"))?;
    let child = command
        .spawn()
        .map_err(|e| process::not_started(&job.argv, &e))?;
    // `command` goes out of scope here, and with it this side's ends for writing
    Ok((child, receiver))
}

struct Running<'a> {
    group: Group,
    pipe: Option<pipe::Receiver>,
    output: Output,
    folder: &'a Folder,
    begun: Instant,
}

impl Running<'_> {
    async fn watch(&mut self, child: &mut Child, job: &Job) -> End {
        let mut buffer = vec![0_u8; 64 * 1024];
        let limit = self.begun + job.limit.std();
        let mut show = self.begun + SHOW_EVERY;
        let mut shown = 0;
        loop {
            tokio::select! {
                ended = child.wait() => {
                    self.group.let_go();
                    return match ended {
                        Ok(status) => end_of(status),
                        Err(error) => End::Untold(error.to_string()),
                    };
                }
                () = sleep_until(limit) => {
                    self.end(child, job.grace.std(), &mut buffer).await;
                    return End::TimedOut(job.limit);
                }
                n = process::read(&mut self.pipe, &mut buffer) => self.output.push(&buffer[..n]),
                () = sleep_until(show) => {
                    if self.output.tail.seen() != shown {
                        shown = self.output.tail.seen();
                        self.folder.write_output(&self.output.lines());
                    }
                    show = Instant::now() + SHOW_EVERY;
                }
            }
        }
    }

    /// Asks the whole group to end, then ends it. The leader is waited for only after that: as long
    /// as it is not, its number cannot become anybody else's.
    async fn end(&mut self, child: &mut Child, grace: Duration, buffer: &mut [u8]) {
        self.group.signal(Signal::TERM);
        let until = Instant::now() + grace;
        while Instant::now() < until && !self.has_ended() {
            tokio::select! {
                n = process::read(&mut self.pipe, buffer) => self.output.push(&buffer[..n]),
                () = sleep(Duration::from_millis(20)) => {}
            }
        }
        self.group.signal(Signal::KILL);
        let _ = child.wait().await;
        self.group.let_go();
    }

    fn has_ended(&self) -> bool {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        match self.group.pid() {
            Some(pid) => !matches!(waitid(WaitId::Pid(pid), options), Ok(None)),
            None => true,
        }
    }

    /// Reads what is still in the pipe; what the command left running may hold it open for ever.
    async fn drain(&mut self) {
        let mut buffer = vec![0_u8; 64 * 1024];
        let until = Instant::now() + DRAIN;
        while self.pipe.is_some() {
            tokio::select! {
                n = process::read(&mut self.pipe, &mut buffer) => self.output.push(&buffer[..n]),
                () = sleep_until(until) => break,
            }
        }
    }
}

fn end_of(status: ExitStatus) -> End {
    match (status.code(), status.signal()) {
        (Some(code), _) => End::Exit(code),
        (None, Some(number)) => End::Signal(number),
        (None, None) => End::Exit(-1),
    }
}

/// The end of the output, and whether the far side's marker stood in it.
struct Output {
    tail: Tail,
    marker: Option<String>,
    marked: bool,
    /// The beginning of the output, until it is long enough to hold the marker.
    head: Vec<u8>,
}

impl Output {
    /// A login message may stand before the marker.
    const HEAD: usize = 64 * 1024;

    fn new(marker: Option<String>) -> Output {
        Output {
            tail: Tail::default(),
            marker,
            marked: false,
            head: Vec::new(),
        }
    }

    fn push(&mut self, chunk: &[u8]) {
        self.tail.push(chunk);
        let Some(marker) = &self.marker else {
            return;
        };
        if self.marked || self.head.len() >= Self::HEAD {
            return;
        }
        self.head.extend_from_slice(chunk);
        let whole = self.head.split(|b| *b == b'\n');
        self.marked = whole
            .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
            .any(|line| line == marker.as_bytes());
    }

    fn lines(&self) -> Vec<String> {
        let mut lines = self.tail.lines();
        if let Some(marker) = &self.marker {
            lines.retain(|line| line != marker);
        }
        lines
    }
}
