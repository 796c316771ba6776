//! The engine's side of the socket.

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::domain::Notice;
use crate::tui::Caps;

use super::super::backend::clamp;
use super::super::run::{FromTerminal, run};
use super::super::{Guest, Identity, Room};
use super::frame::{Frame, FrameError, Frames, Hello, LARGEST, PIECE, VERSION, Wants, encode};
use super::{SocketError, address};

/// Whom a socket leads to.
pub trait Host: Send + Sync + 'static {
    /// Where people with a terminal go.
    type Room: Room;

    /// The room.
    fn room(&self) -> &Self::Room;

    /// Who comes: with the uid that the kernel named and the token that was shown, if any.
    ///
    /// # Errors
    /// What to tell somebody who may not come in.
    fn identify(&self, uid: u32, token: Option<&str>) -> Result<Identity, Notice>;

    /// Runs a command and says its exit code. Dropped when the client cancels or goes away.
    fn exec(
        &self,
        who: Identity,
        request: ExecRequest,
        console: Console,
    ) -> impl Future<Output = i32> + Send;
}

/// A command to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecRequest {
    /// Its words, without the program's name.
    pub argv: Vec<String>,
    /// The files that it names, as the client read them.
    pub files: BTreeMap<String, Vec<u8>>,
    /// Whether what is printed goes to a terminal, and what that can do.
    pub tty: Option<Caps>,
    /// The columns to print in.
    pub cols: u16,
}

/// Where a command prints. Waits for a client that reads slowly; what is printed after it is gone
/// goes nowhere.
#[derive(Clone, Debug)]
pub struct Console(mpsc::Sender<Frame>);

impl Console {
    /// Prints.
    pub async fn stdout(&self, bytes: impl AsRef<[u8]>) {
        for piece in bytes.as_ref().chunks(PIECE) {
            let _ = self.0.send(Frame::Stdout(piece.to_vec())).await;
        }
    }

    /// Prints to the channel of errors.
    pub async fn stderr(&self, bytes: impl AsRef<[u8]>) {
        for piece in bytes.as_ref().chunks(PIECE) {
            let _ = self.0.send(Frame::Stderr(piece.to_vec())).await;
        }
    }
}

/// What a socket takes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at a time.
    pub all: usize,
    /// Connections at a time of one uid, so that nobody can shut the others out.
    pub each: usize,
    /// How long somebody may take to say what they want.
    pub hello: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            all: 512,
            each: 256,
            hello: Duration::from_secs(5),
        }
    }
}

/// A socket that is open. Its file goes when it is dropped.
#[derive(Debug)]
pub struct Listening {
    listener: UnixListener,
    path: PathBuf,
    /// Device and inode of the file, to remove no other one.
    file: (u64, u64),
}

impl Listening {
    /// Opens the socket. A file that a dead engine left is replaced; where an engine answers,
    /// nothing is touched.
    ///
    /// # Errors
    /// Somebody answers there already, something else stands there, or it cannot be opened.
    pub async fn open(path: &Path) -> Result<Listening, SocketError> {
        let failed = |why| SocketError::Bind {
            path: path.to_owned(),
            why,
        };
        match std::fs::symlink_metadata(path) {
            Ok(meta) if !meta.file_type().is_socket() => {
                return Err(SocketError::NotSocket(path.to_owned()));
            }
            Ok(_) => {
                let (address, _folder) = address(path).map_err(failed)?;
                if UnixStream::connect(address).await.is_ok() {
                    return Err(SocketError::InUse(path.to_owned()));
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
        // opened under another name and moved into place, so that nobody finds half a socket
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}", std::process::id()));
        let fresh = path.with_file_name(name);
        let _ = std::fs::remove_file(&fresh);
        let listener = bind(&fresh).map_err(failed)?;
        let placed = std::fs::set_permissions(&fresh, std::fs::Permissions::from_mode(0o666))
            .and_then(|()| std::fs::rename(&fresh, path))
            .and_then(|()| std::fs::symlink_metadata(path));
        match placed {
            Ok(meta) => Ok(Listening {
                listener,
                path: path.to_owned(),
                file: (meta.dev(), meta.ino()),
            }),
            Err(error) => {
                let _ = std::fs::remove_file(&fresh);
                Err(failed(error))
            }
        }
    }

    /// Lets people in until `stop` is done, then shows everybody out.
    pub async fn serve<H: Host>(
        self,
        house: Arc<H>,
        limits: Limits,
        stop: impl Future<Output = ()>,
    ) {
        let present = Arc::new(Mutex::new(BTreeMap::new()));
        let mut guests = JoinSet::new();
        let mut stop = std::pin::pin!(stop);
        loop {
            tokio::select! {
                () = &mut stop => break,
                came = self.listener.accept() => match came {
                    Ok((stream, _)) => {
                        let (house, present) = (Arc::clone(&house), Arc::clone(&present));
                        guests.spawn(receive(stream, house, limits, present));
                    }
                    Err(error) => {
                        // out of file descriptors, mostly: it passes, and must not spin
                        tracing::warn!(%error, "a connection was not accepted");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                },
                Some(ended) = guests.join_next() => {
                    if let Err(error) = ended {
                        tracing::error!(%error, "a session broke");
                    }
                }
            }
        }
        guests.shutdown().await;
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let ours = std::fs::symlink_metadata(&self.path)
            .is_ok_and(|meta| (meta.dev(), meta.ino()) == self.file);
        if ours {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn bind(path: &Path) -> io::Result<UnixListener> {
    let (address, _folder) = address(path)?;
    UnixListener::bind(address)
}

/// How many connections each uid has.
type Present = Arc<Mutex<BTreeMap<u32, usize>>>;

/// One connection among those counted.
struct Place {
    present: Present,
    uid: u32,
}

impl Place {
    fn take(present: &Present, uid: u32, limits: Limits) -> Option<Place> {
        let mut counts = present
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let all: usize = counts.values().sum();
        let each = counts.entry(uid).or_default();
        if all >= limits.all || *each >= limits.each {
            return None;
        }
        *each += 1;
        Some(Place {
            present: Arc::clone(present),
            uid,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self
            .present
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.uid) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.uid);
            }
        }
    }
}

async fn receive<H: Host>(stream: UnixStream, house: Arc<H>, limits: Limits, present: Present) {
    let uid = match stream.peer_cred() {
        Ok(peer) => peer.uid(),
        Err(error) => {
            tracing::warn!(%error, "the kernel does not say who connected");
            return;
        }
    };
    let (from, mut to) = stream.into_split();
    let Some(_place) = Place::take(&present, uid, limits) else {
        let notice = Notice::error("too-many-connections", "too many connections to this room")
            .next("close some of your sessions, or wait a moment");
        refuse(&mut to, notice).await;
        return;
    };
    host(from, to, &*house, limits, |token| {
        house.identify(uid, token)
    })
    .await;
}

/// Serves one connection, wherever it comes from: `identify` says who is there, given the token
/// that was shown.
pub async fn host<H: Host>(
    from: impl AsyncRead + Send + Unpin + 'static,
    mut to: impl AsyncWrite + Send + Unpin,
    house: &H,
    limits: Limits,
    identify: impl Fn(Option<&str>) -> Result<Identity, Notice> + Send,
) {
    let mut frames = Frames::new(from, LARGEST);
    let (hello, files) = match timeout(limits.hello, frames.next()).await {
        Err(_) => {
            let notice =
                Notice::error("hello-late", "nothing was asked for in time").next("connect again");
            return refuse(&mut to, notice).await;
        }
        Ok(Ok(Frame::Hello(hello, files))) => (hello, files),
        Ok(Ok(_)) => {
            return refuse(&mut to, nonsense("something else came before the greeting")).await;
        }
        Ok(Err(FrameError::Closed | FrameError::Broken(_))) => return,
        Ok(Err(error)) => return refuse(&mut to, nonsense(&error.to_string())).await,
    };
    frames.limit(PIECE);
    if hello.version != VERSION {
        return refuse(&mut to, other_version(hello.version)).await;
    }
    let identity = match identify(hello.token.as_deref()) {
        Ok(identity) => identity,
        Err(notice) => return refuse(&mut to, notice).await,
    };
    let caps = Caps::from_env(|name| hello.env.get(name).map(String::as_str));
    let Hello { wants, .. } = *hello;
    match wants {
        Wants::Room { cols, rows, apart } => {
            let guest = Guest {
                identity,
                caps,
                size: clamp(cols, rows),
                apart,
            };
            room(frames, &mut to, house, &guest).await;
        }
        Wants::Exec {
            argv,
            files: names,
            tty,
            cols,
        } => {
            let Some(files) = unpack(names, &files) else {
                return refuse(&mut to, nonsense("the files of the command are cut off")).await;
            };
            let request = ExecRequest {
                argv,
                files,
                tty: tty.then_some(caps),
                cols: clamp(cols, 24).width,
            };
            exec(frames, &mut to, house, identity, request).await;
        }
    }
}

fn unpack(names: Vec<(String, usize)>, mut bytes: &[u8]) -> Option<BTreeMap<String, Vec<u8>>> {
    let mut files = BTreeMap::new();
    for (name, size) in names {
        let (file, rest) = bytes.split_at_checked(size)?;
        files.insert(name, file.to_vec());
        bytes = rest;
    }
    bytes.is_empty().then_some(files)
}

async fn refuse(to: &mut (impl AsyncWrite + Unpin), notice: Notice) {
    let bytes = Frame::Refused(Box::new(notice)).bytes();
    let _ = timeout(Duration::from_secs(1), to.write_all(&bytes)).await;
    let _ = timeout(Duration::from_secs(1), to.shutdown()).await;
}

fn nonsense(why: &str) -> Notice {
    Notice::error(
        "protocol-error",
        "what came over the connection makes no sense",
    )
    .detail(crate::domain::text::printable(why, 200))
    .next("use the same version of holdpoint on both sides")
}

fn other_version(theirs: u32) -> Notice {
    let older = if theirs < VERSION {
        "you run an older"
    } else {
        "you run a newer"
    };
    Notice::error(
        "protocol-version",
        format!("{older} holdpoint than the engine"),
    )
    .detail(format!(
        "the engine speaks version {VERSION}, you speak {theirs}"
    ))
    .next("use the same version of holdpoint on both sides")
}

/// Brings somebody with a terminal to a desk.
async fn room<H: Host>(
    mut frames: Frames<impl AsyncRead + Send + Unpin + 'static>,
    to: &mut (impl AsyncWrite + Send + Unpin),
    house: &H,
    guest: &Guest,
) {
    if to.write_all(&Frame::Welcome.bytes()).await.is_err() {
        return;
    }
    // bounded: somebody who sends faster than the desk takes waits
    let (sender, terminal) = mpsc::channel(64);
    let reader = tokio::spawn(async move {
        loop {
            let what = match frames.next().await {
                Ok(Frame::Bytes(bytes)) => FromTerminal::Bytes(bytes),
                Ok(Frame::Size(cols, rows)) => FromTerminal::Size(cols, rows),
                Ok(Frame::Resumed) => FromTerminal::Resumed,
                Ok(_) => return Some(nonsense("a frame that has no place in a room")),
                Err(FrameError::Closed | FrameError::Broken(_)) => return None,
                Err(error) => return Some(nonsense(&error.to_string())),
            };
            if sender.send(what).await.is_err() {
                return None;
            }
        }
    });
    let abort = AbortOnDrop(reader.abort_handle());
    let desk = house.room().open(guest);
    run(desk, guest, terminal, to, encode).await;
    // a reader that ended by itself keeps what it has to say
    drop(abort);
    if let Ok(Some(notice)) = reader.await {
        refuse(to, notice).await;
    }
    let _ = to.shutdown().await;
}

/// Ends a task that has no use any more.
struct AbortOnDrop(tokio::task::AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The exit code of a command that was cancelled, as shells have it for ctrl-c.
const CANCELLED: i32 = 130;

/// Runs a command for somebody.
async fn exec<H: Host>(
    mut frames: Frames<impl AsyncRead + Send + Unpin + 'static>,
    to: &mut (impl AsyncWrite + Send + Unpin),
    house: &H,
    who: Identity,
    request: ExecRequest,
) {
    let (sender, mut printed) = mpsc::channel(16);
    let console = Console(sender);
    let mut command = std::pin::pin!(house.exec(who, request, console));
    let mut code = None;
    // what was printed goes out also after the command ended
    loop {
        tokio::select! {
            biased;
            frame = printed.recv() => match frame {
                Some(frame) => {
                    if to.write_all(&frame.bytes()).await.is_err() {
                        return;
                    }
                }
                None if code.is_some() => break,
                // it prints nothing any more, but runs
                None => code = Some(tokio::select! {
                    code = &mut command => code,
                    ended = over(&mut frames) => match ended {
                        true => CANCELLED,
                        false => return,
                    },
                }),
            },
            ended = &mut command, if code.is_none() => code = Some(ended),
            cancelled = over(&mut frames), if code.is_none() => {
                if !cancelled {
                    return;
                }
                code = Some(CANCELLED);
                break;
            }
        }
    }
    let _ = to
        .write_all(&Frame::Exit(code.unwrap_or(CANCELLED)).bytes())
        .await;
    let _ = to.shutdown().await;
}

/// Waits until the client cancels (`true`) or goes away.
async fn over(frames: &mut Frames<impl AsyncRead + Unpin>) -> bool {
    loop {
        match frames.next().await {
            Ok(Frame::Cancel) => return true,
            Ok(_) => {}
            Err(_) => return false,
        }
    }
}
