//! A small room, somebody who keeps its door, and terminals to look into it.

use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use holdpoint::domain::{Actor, Door, Notice};
use holdpoint::session::socket::{
    Console, ExecRequest, Frame, Frames, Hello, Host, Limits, VERSION, Wants,
};
use holdpoint::session::{Desk, Guest, Identity, News, Room, Wish};
use holdpoint::tui::{Input, Key};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, DuplexStream};
use tokio::sync::watch;

fn nz(n: u16) -> NonZero<u16> {
    NonZero::new(n).unwrap_or(NonZero::<u16>::MIN)
}

/// A room whose state is one number, for which people sit at desks that show it.
#[derive(Clone)]
pub struct TestRoom {
    pub state: watch::Sender<u64>,
    pub paints: Arc<AtomicUsize>,
    pub desks: Arc<AtomicUsize>,
}

pub struct TestDesk {
    name: String,
    state: watch::Receiver<u64>,
    typed: Vec<String>,
    version: u64,
    pub paints: Arc<AtomicUsize>,
    pub desks: Arc<AtomicUsize>,
}

impl TestRoom {
    pub fn new() -> TestRoom {
        TestRoom {
            state: watch::Sender::new(0),
            paints: Arc::default(),
            desks: Arc::default(),
        }
    }
}

impl Room for TestRoom {
    type Desk = TestDesk;

    fn open(&self, guest: &Guest) -> TestDesk {
        self.desks.fetch_add(1, Ordering::SeqCst);
        TestDesk {
            name: guest.identity.who.to_string(),
            state: self.state.subscribe(),
            typed: Vec::new(),
            version: 0,
            paints: Arc::clone(&self.paints),
            desks: Arc::clone(&self.desks),
        }
    }
}

impl Drop for TestDesk {
    fn drop(&mut self) {
        self.desks.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Desk for TestDesk {
    fn input(&mut self, input: Input) -> Vec<Wish> {
        self.version += 1;
        let key = |text: &str| Input::Key(text.parse::<Key>().unwrap());
        match input {
            i if i == key("ctrl-c") => return vec![Wish::Quit],
            i if i == key("ctrl-z") => return vec![Wish::Suspend],
            i if i == key("ctrl-l") => return vec![Wish::Redraw],
            i if i == key("y") => return vec![Wish::Copy("R-214".into()), Wish::Bell],
            i if i == key("F2") => return vec![Wish::Mouse(false)],
            i if i == key("!") => panic!("a desk that breaks"),
            i if i == key("~") => {
                let broken = std::thread::spawn(|| panic!("a task that breaks"));
                assert!(broken.join().is_err());
                self.typed.push("~".into());
            }
            Input::Key(key) => self.typed.push(key.to_string()),
            Input::Paste(text) => self.typed.push(format!("<{text}>")),
            other => self.typed.push(format!("{other:?}")),
        }
        Vec::new()
    }

    async fn changed(&mut self) -> News {
        if self.state.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
        News::default()
    }

    fn paint(&self, area: Rect, buffer: &mut Buffer) -> Option<Position> {
        self.paints.fetch_add(1, Ordering::SeqCst);
        let line = format!("{} sees {}", self.name, *self.state.borrow());
        buffer.set_stringn(0, 0, line, usize::from(area.width), Style::new());
        let size = format!("{}x{}", area.width, area.height);
        buffer.set_stringn(0, 1, size, usize::from(area.width), Style::new().bold());
        let typed = self.typed.join(" ");
        buffer.set_stringn(0, 2, typed, usize::from(area.width), Style::new());
        buffer[(0, 3)].set_symbol("\x1b[31mevil");
        Some(Position { x: 1, y: 2 })
    }

    fn stamp(&self) -> u64 {
        self.version << 32 | *self.state.borrow()
    }

    fn rest(&self) -> Duration {
        Duration::from_secs(3600)
    }
}

/// Somebody who lets in who is known, and runs three commands.
pub struct TestHost {
    pub room: TestRoom,
    pub running: Arc<AtomicUsize>,
}

impl TestHost {
    pub fn new() -> Arc<TestHost> {
        Arc::new(TestHost {
            room: TestRoom::new(),
            running: Arc::default(),
        })
    }
}

struct Count(Arc<AtomicUsize>);

impl Drop for Count {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Host for TestHost {
    type Room = TestRoom;

    fn room(&self) -> &TestRoom {
        &self.room
    }

    fn identify(&self, uid: u32, token: Option<&str>) -> Result<Identity, Notice> {
        match token {
            None => Ok(Identity {
                who: Actor::Person("ada".into()),
                door: Door::Socket { uid },
            }),
            Some("bos-token") => Ok(Identity {
                who: Actor::Person("bo".into()),
                door: Door::Token { uid },
            }),
            Some(_) => Err(Notice::error("token-unknown", "nobody has this token")),
        }
    }

    async fn exec(&self, who: Identity, request: ExecRequest, console: Console) -> i32 {
        match request.argv.first().map(String::as_str) {
            Some("cat") => {
                for (name, bytes) in &request.files {
                    console.stderr(format!("{name} for {}\n", who.who)).await;
                    console.stdout(bytes).await;
                }
                7
            }
            Some("hang") => {
                self.running.fetch_add(1, Ordering::SeqCst);
                let _count = Count(Arc::clone(&self.running));
                console.stdout("hanging\n").await;
                std::future::pending().await
            }
            _ => 2,
        }
    }
}

pub const DEADLINE: Duration = Duration::from_secs(20);

/// A terminal of our own at the other end of a session.
pub struct Terminal<S> {
    pub frames: Frames<tokio::io::ReadHalf<S>>,
    pub to: tokio::io::WriteHalf<S>,
    pub screen: vt100::Parser,
    /// Everything that came, as bytes.
    pub raw: Vec<u8>,
    pub suspended: bool,
    pub left: bool,
}

pub fn hello(cols: u32, rows: u32, token: Option<&str>) -> Frame {
    let env = [("TERM", "xterm-256color"), ("LANG", "C.UTF-8")];
    Frame::Hello(
        Box::new(Hello {
            version: VERSION,
            token: token.map(str::to_owned),
            wants: Wants::Room {
                cols,
                rows,
                apart: true,
            },
            env: env
                .into_iter()
                .map(|(n, v)| (n.to_owned(), v.to_owned()))
                .collect(),
        }),
        Vec::new(),
    )
}

impl<S: AsyncRead + AsyncWrite> Terminal<S> {
    pub async fn over(stream: S, cols: u16, rows: u16) -> Terminal<S> {
        Terminal::of(stream, cols, rows, None).await
    }

    /// A terminal of whoever has this token.
    pub async fn of(stream: S, cols: u16, rows: u16, token: Option<&str>) -> Terminal<S> {
        let (from, to) = tokio::io::split(stream);
        let mut terminal = Terminal {
            frames: Frames::new(from, 1 << 20),
            to,
            screen: vt100::Parser::new(nz(rows), nz(cols), 0),
            raw: Vec::new(),
            suspended: false,
            left: false,
        };
        terminal.send(hello(cols.into(), rows.into(), token)).await;
        assert_eq!(terminal.frames.next().await.unwrap(), Frame::Welcome);
        terminal
    }

    /// The window has another size; nobody is told.
    pub fn grow(&mut self, cols: u16, rows: u16) {
        self.screen.screen_mut().set_size(nz(rows), nz(cols));
    }

    pub async fn send(&mut self, frame: Frame) {
        self.to.write_all(&frame.bytes()).await.unwrap();
    }

    pub async fn press(&mut self, bytes: &[u8]) {
        self.send(Frame::Bytes(bytes.to_vec())).await;
    }

    pub async fn resize(&mut self, cols: u16, rows: u16) {
        self.grow(cols, rows);
        self.send(Frame::Size(cols.into(), rows.into())).await;
    }

    /// Reads frames until something is so, and shows the screen when it never is.
    pub async fn until(&mut self, what: &str, so: impl Fn(&Terminal<S>) -> bool) {
        let waited = async {
            while !so(self) {
                match self.frames.next().await.unwrap() {
                    Frame::Bytes(bytes) => {
                        self.screen.process(&bytes);
                        self.raw.extend_from_slice(&bytes);
                    }
                    Frame::Suspend => self.suspended = true,
                    Frame::Leave => self.left = true,
                    other => panic!("{other:?}"),
                }
            }
        };
        let waited = tokio::time::timeout(DEADLINE, waited).await;
        assert!(
            waited.is_ok(),
            "no {what}:\n{}\n{}",
            self.screen.screen().contents(),
            self.raw.escape_ascii()
        );
    }

    pub async fn shows(&mut self, text: &str) {
        self.until(text, |t| t.screen.screen().contents().contains(text))
            .await;
    }

    /// Whether nothing at all comes for a while.
    pub async fn is_quiet(&mut self) -> bool {
        tokio::time::timeout(Duration::from_millis(400), self.frames.next())
            .await
            .is_err()
    }

    pub fn raw(&self) -> String {
        String::from_utf8_lossy(&self.raw).into_owned()
    }
}

pub async fn near(house: &Arc<TestHost>, cols: u16, rows: u16) -> Terminal<DuplexStream> {
    near_with(house, cols, rows, 64 * 1024).await
}

pub async fn near_with(
    house: &Arc<TestHost>,
    cols: u16,
    rows: u16,
    buffer: usize,
) -> Terminal<DuplexStream> {
    let (near, far) = tokio::io::duplex(buffer);
    let house = Arc::clone(house);
    tokio::spawn(async move {
        let (from, to) = tokio::io::split(far);
        let who = Identity {
            who: Actor::Person("ada".into()),
            door: Door::Engine,
        };
        holdpoint::session::socket::host(from, to, &*house, Limits::default(), |_| Ok(who.clone()))
            .await;
    });
    Terminal::over(near, cols, rows).await
}
