//! Starting other programs: whose environment they get, how they are ended, how much is read.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep_until};

use super::output::{Tail, one_line};

/// How long output is still read after the program itself has ended; something it left running may
/// hold the pipe open for ever. After that the pipe is closed, and who writes into it is told so.
pub(crate) const DRAIN: Duration = Duration::from_millis(300);

/// A program with its arguments, environment and directory, ready to be started: nothing on its
/// standard input, in a process group of its own so that it can be ended with all its children.
///
/// It inherits the engine's environment (for `PATH`, `HOME`, an ssh agent) without the
/// `HOLDPOINT_` variables, which may hold a person's token.
pub(crate) fn command(
    argv: &[String],
    env: &BTreeMap<String, String>,
    dir: Option<&Path>,
) -> Result<Command, String> {
    let [program, args @ ..] = argv else {
        return Err("the command is empty".to_string());
    };
    if let Some(dir) = dir
        && !dir.is_dir()
    {
        return Err(format!("there is no directory `{}`", dir.display()));
    }
    // whether a relative program is looked for here or in `dir` differs between systems
    let path = match dir {
        Some(dir) if program.contains('/') => dir.join(program),
        _ => PathBuf::from(program),
    };
    let mut command = Command::new(path);
    command.args(args).stdin(Stdio::null()).process_group(0);
    for name in own_variables() {
        command.env_remove(name);
    }
    command.envs(env);
    if let Some(dir) = dir {
        command.current_dir(dir);
    }
    Ok(command)
}

/// The names of this program's own variables in its environment.
fn own_variables() -> impl Iterator<Item = OsString> {
    std::env::vars_os()
        .map(|(name, _)| name)
        .filter(|name| name.as_encoded_bytes().starts_with(b"HOLDPOINT_"))
}

/// Why a program could not be started, in words.
pub(crate) fn not_started(argv: &[String], error: &std::io::Error) -> String {
    let program = argv.first().map_or("", String::as_str);
    match error.kind() {
        std::io::ErrorKind::NotFound => format!("there is no program `{program}`"),
        std::io::ErrorKind::PermissionDenied => format!("`{program}` may not be run"),
        _ => format!("`{program}` cannot be started: {error}"),
    }
}

/// Ends a process group when dropped, unless it was let go.
#[derive(Debug)]
pub(crate) struct Group(Option<Pid>);

impl Group {
    /// The group that `child` leads.
    pub(crate) fn of(child: &Child) -> Group {
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        Group(id.and_then(Pid::from_raw))
    }

    /// Sends a signal to all of it. The leader must not have been waited for: its number could
    /// belong to somebody else by then.
    pub(crate) fn signal(&self, signal: Signal) {
        if let Some(pid) = self.0 {
            // an error means that nobody is left
            let _ = kill_process_group(pid, signal);
        }
    }

    /// The leader's process id.
    pub(crate) fn pid(&self) -> Option<Pid> {
        self.0
    }

    /// Leaves it alone from now on: its leader ended by itself and was waited for.
    pub(crate) fn let_go(&mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

/// What a program that ended by itself said.
#[derive(Debug)]
pub(crate) struct Answer {
    /// How it ended.
    pub status: ExitStatus,
    /// All of its standard output.
    pub stdout: Vec<u8>,
    /// The end of its standard error, printable, on one line.
    pub stderr: String,
}

/// Why a program gave no answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NoAnswer {
    /// It could not be started.
    NotStarted(String),
    /// It was ended because it took too long.
    TimedOut,
    /// It was ended because it printed too much.
    TooLong,
}

/// How many programs are started at the same time.
const STARTS: usize = 2;

/// How long a start waits for others: one that hangs must not keep the rest.
const PATIENCE: Duration = Duration::from_secs(1);

/// Where programs are started: away from the threads that serve people, because a start holds its
/// thread up for a millisecond or for as long as the disk takes, and a few at a time, because
/// two hundred at once leave nothing for anybody else.
#[derive(Clone, Debug)]
pub(crate) struct Starts(Arc<Semaphore>);

impl Starts {
    /// A place where nothing is being started yet.
    pub(crate) fn new() -> Starts {
        Starts(Arc::new(Semaphore::new(STARTS)))
    }

    /// Does what prepares a start, and starts.
    pub(crate) async fn start(
        &self,
        mut command: Command,
        prepare: impl FnOnce() -> io::Result<()> + Send + 'static,
    ) -> io::Result<Started> {
        let _place = tokio::time::timeout(PATIENCE, self.0.acquire()).await;
        let start = move || match prepare() {
            Ok(()) => command.spawn().map(Started::Runs),
            Err(error) => Ok(Started::NotPrepared(error)),
        };
        match tokio::task::spawn_blocking(start).await {
            Ok(started) => started,
            Err(error) => Err(io::Error::other(error)),
        }
    }
}

/// What became of a start.
#[derive(Debug)]
pub(crate) enum Started {
    /// It runs.
    Runs(Child),
    /// What should have been done before could not be done.
    NotPrepared(io::Error),
}

/// Runs a program that only asks something: reads at most `most` bytes of what it prints, ends it
/// and its children when it takes longer than `limit` or when the returned future is dropped.
pub(crate) async fn ask(
    starts: &Starts,
    argv: &[String],
    env: &BTreeMap<String, String>,
    dir: Option<&Path>,
    limit: Duration,
    most: usize,
) -> Result<Answer, NoAnswer> {
    let mut command = command(argv, env, dir).map_err(NoAnswer::NotStarted)?;
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    // for the moment in which it runs and nobody holds it yet
    command.kill_on_drop(true);
    let failed = |e: io::Error| NoAnswer::NotStarted(not_started(argv, &e));
    let started = starts.start(command, || Ok(())).await.map_err(failed)?;
    let mut child = match started {
        Started::Runs(child) => child,
        Started::NotPrepared(error) => return Err(failed(error)),
    };
    // dropped before `child`, so the leader's number is still its own when the group is ended
    let mut group = Group::of(&child);
    let read = read_to_end(&mut child, &mut group, most);
    match tokio::time::timeout(limit, read).await {
        Ok(answer) => answer,
        Err(_) => Err(NoAnswer::TimedOut),
    }
}

async fn read_to_end(
    child: &mut Child,
    group: &mut Group,
    most: usize,
) -> Result<Answer, NoAnswer> {
    let mut streams = (child.stdout.take(), child.stderr.take());
    let (mut stdout, mut tail) = (Vec::new(), Tail::default());
    let (mut out_buffer, mut err_buffer) = ([0_u8; 8192], [0_u8; 8192]);
    let mut status = None;
    let mut until = Instant::now();
    while status.is_none() || streams.0.is_some() || streams.1.is_some() {
        tokio::select! {
            n = read(&mut streams.0, &mut out_buffer) => {
                stdout.extend_from_slice(&out_buffer[..n]);
                if stdout.len() > most {
                    return Err(NoAnswer::TooLong);
                }
            }
            n = read(&mut streams.1, &mut err_buffer) => tail.push(&err_buffer[..n]),
            ended = child.wait(), if status.is_none() => {
                group.let_go();
                status = Some(ended.map_err(|e| NoAnswer::NotStarted(e.to_string()))?);
                until = Instant::now() + DRAIN;
            }
            () = sleep_until(until), if status.is_some() => break,
        }
    }
    let status = status.ok_or(NoAnswer::TimedOut)?;
    let stderr = one_line(&tail.lines());
    Ok(Answer {
        status,
        stdout,
        stderr,
    })
}

/// Reads some bytes; at the end of the stream closes it, and of a closed stream waits for ever.
pub(crate) async fn read<R: AsyncRead + Unpin>(stream: &mut Option<R>, buffer: &mut [u8]) -> usize {
    let Some(open) = stream else {
        return std::future::pending().await;
    };
    match open.read(buffer).await {
        Ok(n) if n > 0 => n,
        _ => {
            *stream = None;
            0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str) -> Vec<String> {
        ["sh", "-c", script].map(String::from).to_vec()
    }

    async fn run(script: &str, limit: Duration) -> Result<Answer, NoAnswer> {
        ask(
            &Starts::new(),
            &sh(script),
            &BTreeMap::new(),
            None,
            limit,
            1 << 20,
        )
        .await
    }

    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn both_streams_and_the_code_are_read() {
        let answer = run("echo out; echo err >&2; exit 7", LONG).await.unwrap();
        assert_eq!(answer.stdout, b"out\n");
        assert_eq!(answer.stderr, "err");
        assert_eq!(answer.status.code(), Some(7));
    }

    #[tokio::test]
    async fn what_takes_too_long_or_says_too_much_is_ended() {
        let slow = run("sleep 1000 & sleep 1000", Duration::from_millis(200)).await;
        assert!(matches!(slow, Err(NoAnswer::TimedOut)), "{slow:?}");
        let loud = run("yes", LONG).await;
        assert!(matches!(loud, Err(NoAnswer::TooLong)), "{loud:?}");
    }

    #[tokio::test]
    async fn a_daemon_that_holds_the_pipe_does_not_hang_the_caller() {
        let answer = run("sleep 30 & echo started", LONG).await.unwrap();
        assert_eq!(answer.stdout, b"started\n");
    }

    #[tokio::test]
    async fn a_missing_program_is_named() {
        let argv = vec!["/nowhere/deploy".to_string()];
        let none = BTreeMap::new();
        let answer = ask(&Starts::new(), &argv, &none, None, LONG, 10).await;
        let why = "there is no program `/nowhere/deploy`".to_string();
        assert_eq!(answer.unwrap_err(), NoAnswer::NotStarted(why));
        let lost = ask(
            &Starts::new(),
            &argv,
            &none,
            Some(Path::new("/nowhere")),
            LONG,
            10,
        )
        .await;
        let why = "there is no directory `/nowhere`".to_string();
        assert_eq!(lost.unwrap_err(), NoAnswer::NotStarted(why));
    }
}
