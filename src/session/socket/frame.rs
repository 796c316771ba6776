//! What goes over a connection: frames of one byte for the kind, four for the length (big-endian)
//! and a payload. Both sides bound what they accept.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::domain::Notice;

use super::super::run::ToTerminal;

/// The version of what is spoken here. It changes whenever an older side would misunderstand.
pub const VERSION: u32 = 1;

/// Most bytes of a payload: a command with the files it names is the largest.
pub const LARGEST: usize = 4 * 1024 * 1024;
/// Most bytes of a payload that carries a piece of a stream.
pub const PIECE: usize = 64 * 1024;

/// The first thing that a client says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The client's [`VERSION`].
    pub version: u32,
    /// The token of a person, where the uid alone shall not decide who comes.
    pub token: Option<String>,
    /// What it wants.
    pub wants: Wants,
    /// Variables of its environment that tell what its terminal can do.
    pub env: BTreeMap<String, String>,
}

/// What a client wants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wants {
    /// To see the room on a terminal.
    Room {
        /// Its columns.
        cols: u32,
        /// Its rows.
        rows: u32,
        /// Whether it is another process than the engine.
        apart: bool,
    },
    /// To have a command run.
    Exec {
        /// The words of the command, without the program's name.
        argv: Vec<String>,
        /// The names of the files that come with it, and their sizes in bytes.
        files: Vec<(String, usize)>,
        /// Whether what is printed goes to a terminal.
        tty: bool,
        /// The columns of that terminal.
        cols: u32,
    },
}

/// A frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// From the client, first: who wants what, and the bytes of the files, one after the other.
    Hello(Box<Hello>, Vec<u8>),
    /// Both ways: bytes from or to the terminal.
    Bytes(Vec<u8>),
    /// From the client: the size of the terminal.
    Size(u32, u32),
    /// From the client: the terminal is ready again.
    Resumed,
    /// From the client: end the command.
    Cancel,
    /// From the engine: come in.
    Welcome,
    /// From the engine: go to the shell for a while.
    Suspend,
    /// From the engine: the person left.
    Leave,
    /// From the engine: the command printed this.
    Stdout(Vec<u8>),
    /// From the engine: the command complained.
    Stderr(Vec<u8>),
    /// From the engine: the command ended with this code.
    Exit(i32),
    /// From the engine: no, and why.
    Refused(Box<Notice>),
}

/// What is wrong with what came over a connection.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// Nothing more comes.
    #[error("the connection is closed")]
    Closed,
    /// It broke.
    #[error("the connection broke: {0}")]
    Broken(#[from] std::io::Error),
    /// A frame that is too long.
    #[error("a frame of {length} bytes, more than {most}")]
    TooLong {
        /// Its length.
        length: usize,
        /// What is accepted.
        most: usize,
    },
    /// A frame that nobody knows.
    #[error("a frame of kind {0}, which nobody knows")]
    Kind(u8),
    /// A frame that cannot be read.
    #[error("a frame of kind {kind} that cannot be read: {why}")]
    Payload {
        /// Its kind.
        kind: u8,
        /// What is wrong with it.
        why: String,
    },
}

impl Frame {
    /// Adds the frame to `out`.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Frame::Hello(hello, files) => {
                let head = serde_json::to_vec(hello).unwrap_or_default();
                put(out, 1, &[&length(head.len()), &head, files]);
            }
            Frame::Bytes(bytes) => put(out, 2, &[bytes]),
            Frame::Size(cols, rows) => put(out, 3, &[&cols.to_be_bytes(), &rows.to_be_bytes()]),
            Frame::Resumed => put(out, 4, &[]),
            Frame::Cancel => put(out, 5, &[]),
            Frame::Welcome => put(out, 16, &[]),
            Frame::Suspend => put(out, 17, &[]),
            Frame::Leave => put(out, 18, &[]),
            Frame::Stdout(bytes) => put(out, 19, &[bytes]),
            Frame::Stderr(bytes) => put(out, 20, &[bytes]),
            Frame::Exit(code) => put(out, 21, &[&code.to_be_bytes()]),
            Frame::Refused(notice) => {
                put(out, 22, &[&serde_json::to_vec(notice).unwrap_or_default()])
            }
        }
    }

    /// The bytes of the frame.
    pub fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut out);
        out
    }

    fn read(kind: u8, payload: &[u8]) -> Result<Frame, FrameError> {
        let wrong = |why: String| FrameError::Payload { kind, why };
        let json = |e: serde_json::Error| FrameError::Payload {
            kind,
            why: e.to_string(),
        };
        Ok(match kind {
            1 => {
                let (head, rest) = payload
                    .split_first_chunk()
                    .ok_or_else(|| wrong("no length".into()))?;
                let head = usize::try_from(u32::from_be_bytes(*head)).unwrap_or(usize::MAX);
                let (head, files) = rest
                    .split_at_checked(head)
                    .ok_or_else(|| wrong("cut off".into()))?;
                Frame::Hello(
                    Box::new(serde_json::from_slice(head).map_err(json)?),
                    files.to_vec(),
                )
            }
            2 => Frame::Bytes(payload.to_vec()),
            3 => match payload {
                [a, b, c, d, e, f, g, h] => Frame::Size(
                    u32::from_be_bytes([*a, *b, *c, *d]),
                    u32::from_be_bytes([*e, *f, *g, *h]),
                ),
                _ => return Err(wrong("no size".into())),
            },
            4 => Frame::Resumed,
            5 => Frame::Cancel,
            16 => Frame::Welcome,
            17 => Frame::Suspend,
            18 => Frame::Leave,
            19 => Frame::Stdout(payload.to_vec()),
            20 => Frame::Stderr(payload.to_vec()),
            21 => match payload.try_into() {
                Ok(code) => Frame::Exit(i32::from_be_bytes(code)),
                Err(_) => return Err(wrong("no code".into())),
            },
            22 => Frame::Refused(serde_json::from_slice(payload).map_err(json)?),
            kind => return Err(FrameError::Kind(kind)),
        })
    }
}

fn length(n: usize) -> [u8; 4] {
    u32::try_from(n).unwrap_or(u32::MAX).to_be_bytes()
}

fn put(out: &mut Vec<u8>, kind: u8, parts: &[&[u8]]) {
    out.push(kind);
    out.extend_from_slice(&length(parts.iter().map(|p| p.len()).sum()));
    parts.iter().for_each(|part| out.extend_from_slice(part));
}

/// Writes what goes to a terminal as frames.
pub fn encode(what: ToTerminal<'_>, out: &mut Vec<u8>) {
    match what {
        ToTerminal::Bytes(bytes) => {
            for piece in bytes.chunks(PIECE) {
                put(out, 2, &[piece]);
            }
        }
        ToTerminal::Suspend => Frame::Suspend.write(out),
        ToTerminal::Leave => Frame::Leave.write(out),
    }
}

/// Reads frames; may be dropped and called again at any time and loses nothing.
#[derive(Debug)]
pub struct Frames<R> {
    from: R,
    bytes: Vec<u8>,
    most: usize,
}

impl<R: AsyncRead + Unpin> Frames<R> {
    /// Reads frames whose payload has at most `most` bytes.
    pub fn new(from: R, most: usize) -> Frames<R> {
        Frames {
            from,
            bytes: Vec::new(),
            most,
        }
    }

    /// Accepts at most `most` bytes from now on.
    pub fn limit(&mut self, most: usize) {
        self.most = most;
    }

    /// The next frame.
    ///
    /// # Errors
    /// The connection ended, or what came makes no sense; then nothing more can be read.
    pub async fn next(&mut self) -> Result<Frame, FrameError> {
        loop {
            if let Some(frame) = self.take()? {
                return Ok(frame);
            }
            let mut piece = [0; 16 * 1024];
            let count = self.from.read(&mut piece).await?;
            if count == 0 {
                return Err(FrameError::Closed);
            }
            self.bytes.extend_from_slice(&piece[..count]);
        }
    }

    fn take(&mut self) -> Result<Option<Frame>, FrameError> {
        let Some((head, rest)) = self.bytes.split_first_chunk::<5>() else {
            return Ok(None);
        };
        let [kind, a, b, c, d] = *head;
        let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
        if length > self.most {
            return Err(FrameError::TooLong {
                length,
                most: self.most,
            });
        }
        let Some(payload) = rest.get(..length) else {
            return Ok(None);
        };
        let frame = Frame::read(kind, payload)?;
        self.bytes.drain(..5 + length);
        // one large frame must not hold its memory for as long as the connection lasts
        if self.bytes.is_empty() && self.bytes.capacity() > 4 * PIECE {
            self.bytes = Vec::new();
        }
        Ok(Some(frame))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hello() -> Frame {
        Frame::Hello(
            Box::new(Hello {
                version: VERSION,
                token: None,
                wants: Wants::Room {
                    cols: 80,
                    rows: 24,
                    apart: true,
                },
                env: BTreeMap::from([("TERM".into(), "xterm".into())]),
            }),
            b"plan".to_vec(),
        )
    }

    fn all() -> Vec<Frame> {
        vec![
            hello(),
            Frame::Bytes(b"\x1b[A".to_vec()),
            Frame::Size(80, 24),
            Frame::Resumed,
            Frame::Cancel,
            Frame::Welcome,
            Frame::Suspend,
            Frame::Leave,
            Frame::Stdout(vec![]),
            Frame::Stderr(vec![0, 255]),
            Frame::Exit(-1),
            Frame::Refused(Box::new(Notice::error("no", "No."))),
        ]
    }

    #[tokio::test]
    async fn frames_come_back_however_they_are_cut() {
        let bytes: Vec<u8> = all().iter().flat_map(Frame::bytes).collect();
        for size in [1, 3, 7, bytes.len()] {
            let (mut near, far) = tokio::io::duplex(size);
            let bytes = bytes.clone();
            tokio::spawn(async move {
                tokio::io::AsyncWriteExt::write_all(&mut near, &bytes)
                    .await
                    .unwrap();
            });
            let mut frames = Frames::new(far, LARGEST);
            for frame in all() {
                assert_eq!(frames.next().await.unwrap(), frame);
            }
            assert!(matches!(frames.next().await, Err(FrameError::Closed)));
        }
    }

    #[tokio::test]
    async fn what_makes_no_sense_is_told() {
        for (bytes, told) in [
            (
                &[2u8, 0, 1, 0, 1][..],
                "a frame of 65537 bytes, more than 65536",
            ),
            (
                &[2, 255, 255, 255, 255],
                "a frame of 4294967295 bytes, more than 65536",
            ),
            (&[99, 0, 0, 0, 0], "a frame of kind 99, which nobody knows"),
            (
                &[3, 0, 0, 0, 1, 7],
                "a frame of kind 3 that cannot be read: no size",
            ),
            (
                &[1, 0, 0, 0, 4, 0, 0, 0, 9],
                "a frame of kind 1 that cannot be read: cut off",
            ),
            (
                b"GET / HTTP/1.1\r\n",
                "a frame of 1163141167 bytes, more than 65536",
            ),
        ] {
            let error = Frames::new(bytes, PIECE).next().await.unwrap_err();
            assert_eq!(error.to_string(), told);
        }
    }

    proptest! {
        #[test]
        fn garbage_never_brings_it_down(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let mut frames = Frames { from: tokio::io::empty(), bytes, most: PIECE };
            while let Ok(Some(_)) = frames.take() {}
        }
    }
}
