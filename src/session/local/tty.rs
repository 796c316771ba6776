//! The terminal of this process: its modes, its bytes, its size.
//!
//! It is read and written by threads of its own. A read that waits for a key must be given up when
//! the room is left, and a write to a terminal that somebody stopped (ctrl-s) may wait for ever;
//! neither may hold up a signal, or the end of the process.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::stdio::{stdin, stdout};
use rustix::termios::{OptionalActions, Termios, isatty, tcgetattr, tcgetwinsize, tcsetattr};
use tokio::sync::{mpsc, oneshot};

use crate::domain::Notice;
use crate::tui::Caps;

use super::super::backend;

/// How long the last bytes may wait for a terminal that takes none.
const LAST: Duration = Duration::from_millis(300);

/// The terminal, and what must be put back.
#[derive(Debug)]
pub struct Tty {
    /// As it was found.
    found: Termios,
    caps: Caps,
    /// It is in raw mode.
    raw: AtomicBool,
    /// It was made ready for the room: the other screen, no cursor, mouse reports.
    ready: AtomicBool,
    /// It speaks kitty's protocol now.
    kitty: AtomicBool,
}

impl Tty {
    /// The terminal of this process.
    ///
    /// # Errors
    /// There is none, or one that can show nothing.
    pub fn find(caps: Caps, term: Option<&str>) -> Result<Tty, Notice> {
        let no_tty = |which| {
            Notice::error(
                "no-terminal",
                format!("{which} is no terminal, so the room cannot be shown"),
            )
            .next("run it in a terminal, or use the commands, such as `holdpoint release list`")
        };
        if !isatty(stdin()) {
            return Err(no_tty("the input"));
        }
        if !isatty(stdout()) {
            return Err(no_tty("the output"));
        }
        if term.is_none_or(|term| term.is_empty() || term == "dumb") {
            return Err(Notice::error(
                "dumb-terminal",
                "this terminal (TERM is not set or dumb) cannot show the room",
            )
            .next("use another terminal, or the commands, such as `holdpoint release list`"));
        }
        let found =
            tcgetattr(stdin()).map_err(|error| no_tty("the input").detail(error.to_string()))?;
        Ok(Tty {
            found,
            caps,
            raw: AtomicBool::new(false),
            ready: AtomicBool::new(false),
            kitty: AtomicBool::new(false),
        })
    }

    /// Columns and rows; zeros where the terminal does not say.
    pub fn size(&self) -> (u32, u32) {
        tcgetwinsize(stdout()).map_or((0, 0), |size| (size.ws_col.into(), size.ws_row.into()))
    }

    /// Takes keys as they come, and everything is a key.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn take(&self) -> io::Result<()> {
        let mut raw = self.found.clone();
        raw.make_raw();
        tcsetattr(stdin(), OptionalActions::Now, &raw)?;
        self.raw.store(true, Ordering::SeqCst);
        Ok(())
    }

    /// Whether it is ours now.
    pub fn is_taken(&self) -> bool {
        self.raw.load(Ordering::SeqCst)
    }

    /// The engine makes it ready, or has given it back.
    pub fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Ordering::SeqCst);
        if !ready {
            self.kitty.store(false, Ordering::SeqCst);
        }
    }

    /// Bytes go to it; notes what will have to be taken back.
    pub fn note(&self, bytes: &[u8]) {
        if bytes == backend::KITTY_ON {
            self.kitty.store(true, Ordering::SeqCst);
        }
    }

    /// Gives the terminal back as it was found. Does nothing where that is done already, waits for
    /// nobody, and may be called from anywhere, in a panic too.
    pub fn give_back(&self) {
        if self.ready.swap(false, Ordering::SeqCst) {
            let kitty = self.kitty.swap(false, Ordering::SeqCst);
            let _ = write_all(&backend::leave(self.caps, kitty), Some(LAST));
        }
        if self.raw.swap(false, Ordering::SeqCst) {
            let _ = tcsetattr(stdin(), OptionalActions::Now, &self.found);
        }
    }
}

impl Drop for Tty {
    fn drop(&mut self) {
        self.give_back();
    }
}

/// Writes to the terminal. With a limit, gives up when it takes nothing for so long.
fn write_all(mut bytes: &[u8], limit: Option<Duration>) -> io::Result<()> {
    let limit = limit.and_then(|limit| Timespec::try_from(limit).ok());
    while !bytes.is_empty() {
        let out = stdout();
        let mut fds = [PollFd::new(&out, PollFlags::OUT)];
        match poll(&mut fds, limit.as_ref()) {
            Ok(0) => return Err(io::ErrorKind::TimedOut.into()),
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        match rustix::io::write(out, bytes) {
            Ok(count) => bytes = &bytes[count..],
            // the terminal may be shared with somebody who made it non-blocking
            Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// What the terminal sends, read by a thread that ends when this is dropped.
#[derive(Debug)]
pub struct Keys {
    bytes: mpsc::Receiver<Vec<u8>>,
    _alive: UnixStream,
}

impl Keys {
    /// Begins to read.
    ///
    /// # Errors
    /// There are no file descriptors left, or no threads.
    pub fn read() -> io::Result<Keys> {
        let (alive, watched) = UnixStream::pair()?;
        let (sender, bytes) = mpsc::channel(16);
        std::thread::Builder::new()
            .name("keys".into())
            .spawn(move || {
                while let Ok(Some(piece)) = next(&watched) {
                    if sender.blocking_send(piece).is_err() {
                        return;
                    }
                }
            })?;
        Ok(Keys {
            bytes,
            _alive: alive,
        })
    }

    /// The next bytes; `None` when the terminal is gone.
    pub async fn next(&mut self) -> Option<Vec<u8>> {
        self.bytes.recv().await
    }
}

/// Waits for keys, or for the end.
fn next(watched: &UnixStream) -> io::Result<Option<Vec<u8>>> {
    loop {
        let input = stdin();
        let mut fds = [
            PollFd::new(&input, PollFlags::IN),
            PollFd::from_borrowed_fd(watched.as_fd(), PollFlags::IN),
        ];
        match poll(&mut fds, None) {
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
        }
        if !fds[1].revents().is_empty() {
            return Ok(None);
        }
        if fds[0].revents().is_empty() {
            continue;
        }
        let mut piece = vec![0; 4096];
        match rustix::io::read(input, &mut piece) {
            Ok(0) => return Ok(None),
            Ok(count) => {
                piece.truncate(count);
                return Ok(Some(piece));
            }
            Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

enum Job {
    Write(Vec<u8>),
    Tell(oneshot::Sender<()>),
}

/// What goes to the terminal, written by a thread. It is not waited for at the end: it may stand
/// before a terminal that takes nothing.
#[derive(Debug)]
pub struct Paper {
    jobs: mpsc::Sender<Job>,
}

impl Paper {
    /// Begins to write.
    ///
    /// # Errors
    /// There are no threads left.
    pub fn new() -> io::Result<Paper> {
        let (jobs, mut todo) = mpsc::channel(1);
        std::thread::Builder::new()
            .name("paper".into())
            .spawn(move || {
                while let Some(job) = todo.blocking_recv() {
                    match job {
                        Job::Write(bytes) => {
                            if write_all(&bytes, None).is_err() {
                                return;
                            }
                        }
                        Job::Tell(done) => {
                            let _ = done.send(());
                        }
                    }
                }
            })?;
        Ok(Paper { jobs })
    }

    /// Writes bytes, waiting while those before are on their way; `false` when the terminal is
    /// gone. Dropped while it waits, it has written nothing.
    pub async fn write(&self, bytes: &[u8]) -> bool {
        match self.jobs.reserve().await {
            Ok(place) => {
                place.send(Job::Write(bytes.to_vec()));
                true
            }
            Err(_) => false,
        }
    }

    /// Waits until everything is written, but not for long.
    pub async fn dry(&self) {
        let (done, told) = oneshot::channel();
        let waited = async {
            if self.jobs.send(Job::Tell(done)).await.is_ok() {
                let _ = told.await;
            }
        };
        let _ = tokio::time::timeout(LAST, waited).await;
    }
}
