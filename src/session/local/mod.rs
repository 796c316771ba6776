//! The terminal of this process as a client of a room, near (an engine in this process) or far
//! (over the socket). Both speak the same frames; this side owns the terminal's modes and puts
//! them back however it ends.

use std::io;
use std::panic::PanicHookInfo;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Signal, getpid, kill_process};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::signal::unix::{SignalKind, signal};

use crate::domain::Notice;

use super::socket::{Client, Frame, SocketError};

mod tty;

use tty::{Keys, Paper, Tty};

/// How a room was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// The person left.
    Quit,
    /// This signal ended it.
    Signal(i32),
    /// Something in this process broke; what, was printed after the terminal was given back.
    Fault,
}

impl Left {
    /// The exit code: 0, or as shells have it for a signal.
    pub const fn code(self) -> i32 {
        match self {
            Left::Quit => 0,
            Left::Signal(number) => 128 + number,
            Left::Fault => 101,
        }
    }
}

/// Why a room could not be shown, or was lost.
#[derive(Debug, thiserror::Error)]
pub enum AttachError {
    /// There is no terminal to show it on.
    #[error("{0}")]
    Terminal(Notice),
    /// The terminal, or what is needed to use it, failed.
    #[error("the terminal failed: {0}")]
    Broken(#[from] io::Error),
    /// The engine cannot be reached, refused, or went away.
    #[error(transparent)]
    Engine(#[from] SocketError),
}

impl AttachError {
    /// What a person reads.
    pub fn notice(&self) -> Notice {
        match self {
            AttachError::Terminal(notice) => notice.clone(),
            AttachError::Broken(error) => Notice::error("terminal-failed", "the terminal failed")
                .detail(error.to_string())
                .next("open a new terminal and come back"),
            AttachError::Engine(error) => error.notice(),
        }
    }

    /// The exit code of the command line's contract: 1 refused, 2 usage, 3 unreachable.
    pub const fn code(&self) -> i32 {
        match self {
            AttachError::Terminal(_) => 2,
            AttachError::Broken(_) => 3,
            AttachError::Engine(error) => error.code(),
        }
    }
}

/// Shows a room on the terminal of this process until it is left. The client knows the
/// environment (see [`Client::env`]). `apart` tells that no engine runs in this process: ctrl-z may
/// stop it, and the engine goes on when it is left.
///
/// # Errors
/// There is no terminal, or the engine refuses or goes away. The terminal is as it was found.
pub async fn attach<S>(
    mut client: Client<S>,
    term: Option<&str>,
    apart: bool,
) -> Result<Left, AttachError>
where
    S: AsyncRead + AsyncWrite,
{
    let tty = Arc::new(Tty::find(client.caps(), term).map_err(AttachError::Terminal)?);
    let mut signals = Signals::listen()?;
    let (cols, rows) = tty.size();
    // whoever is refused has seen nothing of the room, and reads why on an untouched terminal
    client.enter(cols, rows, apart).await?;
    let faults = Faults::watch(&tty);
    let mut seat = Seat {
        client,
        keys: Keys::read()?,
        paper: Paper::new()?,
        tty: Arc::clone(&tty),
        unwritten: None,
    };
    tty.take()?;
    tty.set_ready(true);
    let left = seat.sit(&mut signals).await;
    tty.give_back();
    match left {
        // the engine that went away was in this process, and said why
        Err(_) if faults.tell() => Ok(Left::Fault),
        left => left,
    }
}

/// The signals that matter to a terminal.
struct Signals {
    term: tokio::signal::unix::Signal,
    int: tokio::signal::unix::Signal,
    hup: tokio::signal::unix::Signal,
    quit: tokio::signal::unix::Signal,
    winch: tokio::signal::unix::Signal,
    cont: tokio::signal::unix::Signal,
}

/// SIGCONT, for which tokio has no name of its own.
const CONT: SignalKind = SignalKind::from_raw(Signal::CONT.as_raw());

impl Signals {
    fn listen() -> io::Result<Signals> {
        Ok(Signals {
            term: signal(SignalKind::terminate())?,
            int: signal(SignalKind::interrupt())?,
            hup: signal(SignalKind::hangup())?,
            quit: signal(SignalKind::quit())?,
            winch: signal(SignalKind::window_change())?,
            cont: signal(CONT)?,
        })
    }
}

/// What happened at the terminal or the engine.
enum Event {
    Keys(Option<Vec<u8>>),
    Frame(Result<Frame, SocketError>),
    Written(bool),
    Resized,
    Continued,
    End(i32),
}

struct Seat<S> {
    client: Client<S>,
    keys: Keys,
    paper: Paper,
    tty: Arc<Tty>,
    /// Bytes that wait for the terminal; until they are taken nothing more is read from the engine.
    unwritten: Option<Vec<u8>>,
}

impl<S: AsyncRead + AsyncWrite> Seat<S> {
    async fn sit(&mut self, signals: &mut Signals) -> Result<Left, AttachError> {
        loop {
            match self.event(signals).await {
                Event::Keys(Some(bytes)) => self.client.send(&Frame::Bytes(bytes)).await?,
                Event::Keys(None) | Event::Written(false) => {
                    return Ok(Left::Signal(Signal::HUP.as_raw()));
                }
                Event::Written(true) => self.unwritten = None,
                Event::Resized => self.tell_size().await?,
                Event::Continued => self.resume().await?,
                Event::End(number) => return Ok(Left::Signal(number)),
                Event::Frame(frame) => match frame? {
                    Frame::Bytes(bytes) => {
                        self.tty.note(&bytes);
                        self.unwritten = Some(bytes);
                    }
                    Frame::Suspend => self.suspend(signals).await?,
                    Frame::Leave => {
                        self.paper.dry().await;
                        self.tty.set_ready(false);
                        return Ok(Left::Quit);
                    }
                    _ => {}
                },
            }
        }
    }

    async fn event(&mut self, signals: &mut Signals) -> Event {
        let waiting = self.unwritten.as_deref();
        let (winch, cont) = (signals.winch.recv(), signals.cont.recv());
        let ends = async {
            tokio::select! {
                _ = signals.term.recv() => Signal::TERM,
                _ = signals.int.recv() => Signal::INT,
                _ = signals.hup.recv() => Signal::HUP,
                _ = signals.quit.recv() => Signal::QUIT,
            }
        };
        tokio::select! {
            biased;
            signal = ends => Event::End(signal.as_raw()),
            bytes = self.keys.next() => Event::Keys(bytes),
            written = self.paper.write(waiting.unwrap_or_default()), if waiting.is_some() => Event::Written(written),
            _ = winch => Event::Resized,
            _ = cont => Event::Continued,
            frame = self.client.next(), if waiting.is_none() => Event::Frame(frame),
        }
    }

    async fn tell_size(&mut self) -> Result<(), SocketError> {
        let (cols, rows) = self.tty.size();
        self.client.send(&Frame::Size(cols, rows)).await
    }

    /// Goes to the shell, and comes back when the shell says so.
    async fn suspend(&mut self, signals: &mut Signals) -> Result<(), AttachError> {
        self.paper.dry().await;
        // the engine gave the screen back already; the modes are ours
        self.tty.set_ready(false);
        self.tty.give_back();
        // the terminal's own signal: where there is no shell to come back from, it does nothing
        let _ = kill_process(getpid(), Signal::TSTP);
        let _ = tokio::time::timeout(Duration::from_millis(300), signals.cont.recv()).await;
        self.resume().await
    }

    /// Back from a stop, whoever asked for it: everything may have changed.
    async fn resume(&mut self) -> Result<(), AttachError> {
        self.tty.take()?;
        self.tty.set_ready(true);
        self.tell_size().await?;
        self.client.send(&Frame::Resumed).await?;
        Ok(())
    }
}

/// Panics in this process while the room is on its terminal.
///
/// They are not printed over the room. One that broke only somebody else's session must not throw
/// this person out: it goes to the log. One that ends the room is printed when the terminal has
/// been given back.
struct Faults {
    tty: Arc<Tty>,
    said: Arc<Mutex<Vec<String>>>,
    before: Arc<dyn Fn(&PanicHookInfo<'_>) + Send + Sync>,
}

/// Most panics that are kept to be told.
const FAULTS: usize = 8;

impl Faults {
    fn watch(tty: &Arc<Tty>) -> Faults {
        let before: Arc<dyn Fn(&PanicHookInfo<'_>) + Send + Sync> = std::panic::take_hook().into();
        let faults = Faults {
            tty: Arc::clone(tty),
            said: Arc::default(),
            before: Arc::clone(&before),
        };
        let (tty, said) = (Arc::clone(tty), Arc::clone(&faults.said));
        std::panic::set_hook(Box::new(move |info| {
            if !tty.is_taken() {
                return before(info);
            }
            let thread = std::thread::current();
            let words = format!(
                "thread {} {info}",
                thread.name().unwrap_or("without a name")
            );
            tracing::error!("{words}");
            let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
            if said.len() < FAULTS {
                said.push(words);
            }
        }));
        faults
    }

    /// Prints what was said since the last time; `false` when that was nothing.
    fn tell(&self) -> bool {
        let said = std::mem::take(&mut *self.said.lock().unwrap_or_else(PoisonError::into_inner));
        for words in &said {
            eprintln!("{words}");
        }
        !said.is_empty()
    }
}

impl Drop for Faults {
    fn drop(&mut self) {
        self.tty.give_back();
        if std::thread::panicking() {
            // the hook cannot be touched while this thread unwinds; without the terminal it does
            // what the one before did
            self.tell();
        } else {
            let before = Arc::clone(&self.before);
            std::panic::set_hook(Box::new(move |info| before(info)));
        }
    }
}
