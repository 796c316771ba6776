//! The room's socket: the engine's side, and a client's.
//!
//! The socket's file may be written by anybody (mode 0666). Who can come at all is decided by the
//! mode of the room's directory, as a path through it is needed; who somebody is, by the uid that
//! the kernel names, which the room maps to a person, or by a person's token. So opening a room to
//! the users of a group is `chmod 750` and `chgrp` on its directory, and nothing else.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use crate::domain::Notice;

mod client;
pub mod frame;
mod host;

pub use client::{Client, Command};
pub use frame::{Frame, FrameError, Frames, Hello, VERSION, Wants};
pub use host::{Console, ExecRequest, Host, Limits, Listening, host};

/// Most bytes in the address of a socket (`sun_path`, less its end).
const ADDRESS: usize = 107;

/// What can go wrong with a socket.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// Another engine answers there.
    #[error("another engine answers at {0}")]
    InUse(PathBuf),
    /// Something else stands there.
    #[error("{0} is no socket")]
    NotSocket(PathBuf),
    /// It cannot be opened.
    #[error("the socket {path} cannot be opened: {why}")]
    Bind {
        /// Where.
        path: PathBuf,
        /// Why not.
        why: io::Error,
    },
    /// Nobody answers.
    #[error("no engine answers at {path}: {why}")]
    Unreachable {
        /// Where.
        path: PathBuf,
        /// Why not.
        why: io::Error,
    },
    /// The engine said no.
    #[error("{0}")]
    Refused(Notice),
    /// The engine went away in the middle.
    #[error("the connection to the engine is lost: {0}")]
    Lost(FrameError),
}

impl SocketError {
    /// What a person reads.
    pub fn notice(&self) -> Notice {
        match self {
            SocketError::Refused(notice) => notice.clone(),
            SocketError::InUse(path) => {
                Notice::error("engine-runs", format!("an engine runs in this room already: {}", path.display()))
                    .next("attach to it by running holdpoint without a verb, or stop it first")
            }
            SocketError::NotSocket(path) => {
                Notice::error("socket-in-the-way", format!("{} is in the way: it is no socket", path.display()))
                    .next("move it elsewhere and start again")
            }
            SocketError::Bind { path, why } => {
                Notice::error("socket-failed", format!("the socket {} cannot be opened: {why}", path.display()))
                    .next("look at the room's directory: does it exist, may you write there?")
            }
            SocketError::Unreachable { path, why } => match why.kind() {
                io::ErrorKind::PermissionDenied => {
                    Notice::error("room-closed", format!("you may not enter {}", path.display()))
                        .next("ask the room's owner to open its directory to you")
                }
                _ => Notice::error("engine-unreachable", "no engine runs in this room")
                    .detail(format!("{}: {why}", path.display()))
                    .next("start it with `holdpoint serve`"),
            },
            SocketError::Lost(error) => Notice::error("engine-lost", "the engine went away")
                .detail(error.to_string())
                .next("look at its log in the room's directory, start it with `holdpoint serve`, and come back"),
        }
    }

    /// The exit code of the command line's contract: 1 refused, 3 unreachable.
    pub const fn code(&self) -> i32 {
        match self {
            SocketError::Refused(_) => 1,
            _ => 3,
        }
    }
}

/// An address for a path, also for one that is longer than addresses can be: then it goes by way
/// of the open directory. The file must stay open while the address is used.
fn address(path: &Path) -> io::Result<(PathBuf, Option<File>)> {
    if path.as_os_str().len() <= ADDRESS {
        return Ok((path.to_owned(), None));
    }
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let folder = File::open(folder)?;
    let short = Path::new("/proc/self/fd")
        .join(folder.as_raw_fd().to_string())
        .join(name);
    Ok((short, Some(folder)))
}
