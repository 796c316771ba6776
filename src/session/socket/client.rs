//! A client's side of the socket.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::Path;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, DuplexStream};
use tokio::net::UnixStream;

use crate::domain::Notice;
use crate::tui::Caps;

use super::super::Identity;
use super::frame::{Frame, FrameError, Frames, Hello, LARGEST, VERSION, Wants};
use super::host::{Host, Limits, host};
use super::{SocketError, address};

/// A connection to an engine.
#[derive(Debug)]
pub struct Client<S = UnixStream> {
    frames: Frames<tokio::io::ReadHalf<S>>,
    to: tokio::io::WriteHalf<S>,
    token: Option<String>,
    env: BTreeMap<String, String>,
}

/// A command for the engine to run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Command {
    /// Its words, without the program's name.
    pub argv: Vec<String>,
    /// The files that it names, as this side read them.
    pub files: Vec<(String, Vec<u8>)>,
    /// Whether what is printed goes to a terminal.
    pub tty: bool,
    /// The columns of that terminal.
    pub cols: u32,
}

impl Client<UnixStream> {
    /// Connects to a room's socket.
    ///
    /// # Errors
    /// Nobody answers there, or this user may not go there.
    pub async fn connect(path: &Path) -> Result<Client, SocketError> {
        let failed = |why| SocketError::Unreachable {
            path: path.to_owned(),
            why,
        };
        let (address, _folder) = address(path).map_err(failed)?;
        let stream = UnixStream::connect(address).await.map_err(failed)?;
        Ok(Client::over(stream))
    }
}

impl Client<DuplexStream> {
    /// Connects to an engine in this very process, as somebody who needs no proof: the person who
    /// runs it. The rest is as over the socket.
    pub fn near<H: Host>(house: Arc<H>, identity: Identity) -> Client<DuplexStream> {
        let (near, far) = tokio::io::duplex(64 * 1024);
        tokio::spawn(async move {
            let (from, to) = tokio::io::split(far);
            host(from, to, &*house, Limits::default(), |_| {
                Ok(identity.clone())
            })
            .await;
        });
        Client::over(near)
    }
}

impl<S: AsyncRead + AsyncWrite> Client<S> {
    /// A connection over any stream.
    pub fn over(stream: S) -> Client<S> {
        let (from, to) = tokio::io::split(stream);
        Client {
            frames: Frames::new(from, LARGEST),
            to,
            token: None,
            env: BTreeMap::new(),
        }
    }

    /// Shows a person's token, instead of being who the uid says.
    #[must_use]
    pub fn token(mut self, token: Option<String>) -> Self {
        self.token = token;
        self
    }

    /// Tells what the terminal can do: of this environment, the variables that say so are sent.
    #[must_use]
    pub fn env(mut self, get: impl Fn(&str) -> Option<String>) -> Self {
        self.env = Caps::VARIABLES
            .into_iter()
            .filter_map(|name| Some((name.to_owned(), get(name).filter(|v| v.len() <= 256)?)))
            .collect();
        self
    }

    /// What the terminal can do, as it will be told.
    pub(crate) fn caps(&self) -> Caps {
        Caps::from_env(|name| self.env.get(name).map(String::as_str))
    }

    /// Says what is wanted.
    async fn hello(&mut self, wants: Wants, files: Vec<u8>) -> Result<(), SocketError> {
        let hello = Hello {
            version: VERSION,
            token: self.token.take(),
            wants,
            env: self.env.clone(),
        };
        self.send(&Frame::Hello(Box::new(hello), files)).await
    }

    /// Asks for the room, and waits until it is open.
    pub(crate) async fn enter(
        &mut self,
        cols: u32,
        rows: u32,
        apart: bool,
    ) -> Result<(), SocketError> {
        self.hello(Wants::Room { cols, rows, apart }, Vec::new())
            .await?;
        match self.next().await? {
            Frame::Welcome => Ok(()),
            frame => Err(unexpected(&frame)),
        }
    }

    /// Sends a frame.
    pub(crate) async fn send(&mut self, frame: &Frame) -> Result<(), SocketError> {
        let bytes = frame.bytes();
        if let Err(error) = self.to.write_all(&bytes).await {
            // it may have said why before it went
            return match self.frames.next().await {
                Ok(Frame::Refused(notice)) => Err(SocketError::Refused(*notice)),
                _ => Err(SocketError::Lost(error.into())),
            };
        }
        Ok(())
    }

    /// The next frame; may be dropped and called again at any time.
    pub(crate) async fn next(&mut self) -> Result<Frame, SocketError> {
        match self.frames.next().await {
            Ok(Frame::Refused(notice)) => Err(SocketError::Refused(*notice)),
            Ok(frame) => Ok(frame),
            Err(error) => Err(SocketError::Lost(error)),
        }
    }

    /// Has a command run, writes what it prints, and returns its exit code. When `cancel` is done
    /// the command is ended; what it asked the engine for before that holds.
    ///
    /// # Errors
    /// The engine refused to listen, or went away.
    pub async fn exec(
        mut self,
        command: Command,
        stdout: &mut (impl AsyncWrite + Unpin),
        stderr: &mut (impl AsyncWrite + Unpin),
        cancel: impl Future<Output = ()>,
    ) -> Result<i32, SocketError> {
        let names: Vec<(String, usize)> = command
            .files
            .iter()
            .map(|(n, b)| (n.clone(), b.len()))
            .collect();
        let files: Vec<u8> = command
            .files
            .into_iter()
            .flat_map(|(_, bytes)| bytes)
            .collect();
        if files.len() > LARGEST - LARGEST / 4 {
            return Err(SocketError::Refused(too_large(files.len())));
        }
        let wants = Wants::Exec {
            argv: command.argv,
            files: names,
            tty: command.tty,
            cols: command.cols,
        };
        self.hello(wants, files).await?;
        let mut cancel = std::pin::pin!(cancel);
        let mut cancelled = false;
        loop {
            let frame = tokio::select! {
                frame = self.next() => frame?,
                () = &mut cancel, if !cancelled => {
                    cancelled = true;
                    self.send(&Frame::Cancel).await?;
                    continue;
                }
            };
            // whoever reads what we print may stop reading; the command runs to its end
            match frame {
                Frame::Stdout(bytes) => print(stdout, &bytes).await,
                Frame::Stderr(bytes) => print(stderr, &bytes).await,
                Frame::Exit(code) => return Ok(code),
                frame => return Err(unexpected(&frame)),
            }
        }
    }
}

async fn print(to: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) {
    let _ = to.write_all(bytes).await;
    let _ = to.flush().await;
}

fn unexpected(frame: &Frame) -> SocketError {
    SocketError::Lost(FrameError::Payload {
        kind: frame.bytes()[0],
        why: "it has no place here".to_owned(),
    })
}

fn too_large(size: usize) -> Notice {
    Notice::error(
        "files-too-large",
        format!("the files of the command have {size} bytes together"),
    )
    .detail(format!("at most {} are taken", LARGEST - LARGEST / 4))
    .next("name smaller files")
}
