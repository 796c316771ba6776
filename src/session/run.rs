//! The loop of a session.

use std::pin::pin;
use std::time::Duration;

use ratatui::layout::Size;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use crate::tui::{Caps, Input};

use super::backend::{self, LEAST, Screen};
use super::decoder::{Decoder, Heard};
use super::{Desk, Guest, News, Wish};

/// Between two frames that only the world asked for.
const WORLD: Duration = Duration::from_millis(150);
/// The shortest rest that a desk may ask for.
const SHORTEST: Duration = Duration::from_millis(50);
/// Frames for input that may follow each other at once; then one every [`REFILL`].
const BURST: u32 = 32;
/// How often a frame for input may be painted when there is no end of input.
const REFILL: Duration = Duration::from_millis(8);

/// Bytes that may wait for a terminal which sends but does not read.
const BACKLOG: usize = 8 * 1024 * 1024;

/// What comes from a terminal's side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FromTerminal {
    /// Bytes that it sent.
    Bytes(Vec<u8>),
    /// It has this many columns and rows now.
    Size(u32, u32),
    /// It is back after [`ToTerminal::Suspend`], ready to be made ready again.
    Resumed,
}

/// What goes to a terminal's side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToTerminal<'a> {
    /// Bytes to write to it.
    Bytes(&'a [u8]),
    /// The terminal has been given back: stop, and say so when it is ready again.
    Suspend,
    /// The terminal has been given back: the person left the room.
    Leave,
}

/// How what goes to a terminal is written on a connection.
pub type Encode = fn(ToTerminal<'_>, &mut Vec<u8>);

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The person left.
    Left,
    /// The terminal is gone.
    Gone,
}

/// Runs a session until the person leaves or the terminal is gone.
///
/// `terminal` brings what the terminal sends; what goes there is written to `out` as `encode`
/// says.
pub async fn run<D: Desk>(
    desk: D,
    guest: &Guest,
    terminal: mpsc::Receiver<FromTerminal>,
    out: &mut (impl AsyncWrite + Unpin),
    encode: Encode,
) -> Ended {
    let mut session = Session::new(desk, guest, encode);
    let ended = session.sit(terminal, out).await;
    // what still reads is given back as it was
    if session.phase == Phase::Here {
        session.leave();
    }
    let _ = tokio::time::timeout(FAREWELL, out.write_all(&session.out[session.sent..])).await;
    let _ = tokio::time::timeout(FAREWELL, out.flush()).await;
    ended
}

/// How long a terminal may take to accept the last bytes.
const FAREWELL: Duration = Duration::from_secs(2);

struct Session<D> {
    desk: D,
    caps: Caps,
    screen: Screen,
    decoder: Decoder,
    /// When the decoder waits no longer.
    lapse: Option<Instant>,
    encode: Encode,
    /// Bytes on their way, and how many of them have been taken.
    out: Vec<u8>,
    sent: usize,
    /// Whether a frame is among the bytes on their way.
    frame: bool,
    apart: bool,
    mouse: bool,
    kitty: bool,
    phase: Phase,
    due: Due,
    /// The stamp of the picture that was painted last.
    painted: Option<u64>,
    painted_at: Instant,
    tokens: Tokens,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Here,
    /// In the shell.
    Away,
    Leaving,
}

/// How urgent a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    /// Nothing happened.
    No,
    /// The world changed.
    World,
    /// The person did something.
    Person,
}

impl<D: Desk> Session<D> {
    fn new(desk: D, guest: &Guest, encode: Encode) -> Session<D> {
        let now = Instant::now();
        let mut session = Session {
            desk,
            caps: guest.caps,
            screen: Screen::new(guest.size, guest.caps),
            decoder: Decoder::default(),
            lapse: None,
            encode,
            out: Vec::new(),
            sent: 0,
            frame: false,
            apart: guest.apart,
            mouse: true,
            kitty: false,
            phase: Phase::Here,
            due: Due::Person,
            painted: None,
            painted_at: now,
            tokens: Tokens {
                left: BURST,
                since: now,
            },
        };
        session.enter();
        session
    }

    async fn sit(
        &mut self,
        mut terminal: mpsc::Receiver<FromTerminal>,
        out: &mut (impl AsyncWrite + Unpin),
    ) -> Ended {
        loop {
            self.paint_if_due();
            if self.phase == Phase::Leaving {
                return Ended::Left;
            }
            if self.out.len() - self.sent > BACKLOG {
                return Ended::Gone;
            }
            let mut wake = pin!(sleep_until(self.wake()));
            let writing = self.sent < self.out.len();
            tokio::select! {
                // the person first, then the terminal, then the world
                biased;
                first = terminal.recv() => match first {
                    None => return Ended::Gone,
                    Some(first) => self.hear(first, &mut terminal),
                },
                taken = out.write(&self.out[self.sent..]), if writing => match taken {
                    Ok(taken) if taken > 0 => self.taken(taken),
                    _ => return Ended::Gone,
                },
                news = self.desk.changed(), if self.phase == Phase::Here => self.news(news),
                () = &mut wake => self.rested(),
            }
        }
    }

    /// Takes everything that waits from the terminal; of several sizes only the last counts.
    fn hear(&mut self, first: FromTerminal, more: &mut mpsc::Receiver<FromTerminal>) {
        let mut heard = Vec::new();
        let mut size = None;
        let mut next = Some(first);
        while let Some(one) = next {
            match one {
                FromTerminal::Bytes(bytes) if self.phase == Phase::Here => {
                    self.decoder.feed(&bytes, &mut heard);
                }
                FromTerminal::Bytes(_) => {}
                FromTerminal::Size(cols, rows) => size = Some(backend::clamp(cols, rows)),
                FromTerminal::Resumed => self.resume(),
            }
            next = more.try_recv().ok();
        }
        self.lapse = self.decoder.patience().map(|wait| Instant::now() + wait);
        if let Some(size) = size {
            self.resize(size);
        }
        self.act(heard);
    }

    fn act(&mut self, heard: Vec<Heard>) {
        for one in heard {
            match one {
                Heard::Input(input) => {
                    self.due = Due::Person;
                    let wishes = self.desk.input(input);
                    self.grant(wishes);
                }
                Heard::Kitty if !self.kitty && self.phase == Phase::Here => {
                    self.kitty = true;
                    self.send(backend::KITTY_ON);
                }
                Heard::Kitty => {}
            }
        }
    }

    fn resize(&mut self, size: Size) {
        if size != self.screen.size() {
            self.screen.resize(size);
            self.painted = None;
            self.due = Due::Person;
            let wishes = self.desk.input(Input::Resize {
                cols: size.width,
                rows: size.height,
            });
            self.grant(wishes);
        }
    }

    fn news(&mut self, news: News) {
        self.due = self
            .due
            .max(if news.answer { Due::Person } else { Due::World });
        self.grant(news.wishes);
    }

    fn grant(&mut self, wishes: Vec<Wish>) {
        for wish in wishes {
            match wish {
                Wish::Copy(text) => self.send(&backend::copy(&text)),
                Wish::Bell => self.send(b"\x07"),
                Wish::Redraw => {
                    self.screen.forget();
                    self.painted = None;
                    self.due = Due::Person;
                }
                Wish::Mouse(on) => {
                    self.mouse = on;
                    if self.caps.modern {
                        self.send(backend::mouse_mode(on));
                    }
                }
                Wish::Suspend if self.apart && self.phase == Phase::Here => {
                    self.leave();
                    (self.encode)(ToTerminal::Suspend, &mut self.out);
                    self.phase = Phase::Away;
                }
                Wish::Suspend => {}
                Wish::Quit => {
                    if self.phase == Phase::Here {
                        self.leave();
                    }
                    (self.encode)(ToTerminal::Leave, &mut self.out);
                    self.phase = Phase::Leaving;
                    return;
                }
            }
        }
    }

    /// Makes the terminal ready.
    fn enter(&mut self) {
        let bytes = backend::enter(self.caps, self.mouse);
        self.send(&bytes);
        self.screen.forget();
        self.painted = None;
        self.due = Due::Person;
    }

    /// Gives the terminal back.
    fn leave(&mut self) {
        let bytes = backend::leave(self.caps, std::mem::take(&mut self.kitty));
        self.send(&bytes);
    }

    /// The terminal is there again, after we sent it away or after somebody else stopped it.
    fn resume(&mut self) {
        if self.phase != Phase::Leaving {
            self.phase = Phase::Here;
            self.enter();
        }
    }

    fn send(&mut self, bytes: &[u8]) {
        (self.encode)(ToTerminal::Bytes(bytes), &mut self.out);
    }

    fn taken(&mut self, count: usize) {
        self.sent += count;
        if self.sent == self.out.len() {
            self.out.clear();
            // one large frame must not hold its memory for as long as the session lasts
            self.out.shrink_to(64 * 1024);
            self.sent = 0;
            self.frame = false;
        }
    }

    /// Time went by: the decoder's patience may be over, the clock on the screen may have moved.
    fn rested(&mut self) {
        let now = Instant::now();
        if self.lapse.is_some_and(|at| at <= now) {
            self.lapse = None;
            let mut heard = Vec::new();
            self.decoder.lapse(&mut heard);
            self.act(heard);
        }
        self.due = self.due.max(Due::World);
    }

    /// When to look again though nothing comes.
    fn wake(&self) -> Instant {
        let now = Instant::now();
        let idle = now + self.desk.rest().max(SHORTEST);
        let frame = match self.due {
            _ if self.phase != Phase::Here || self.frame => idle,
            Due::No => idle,
            Due::World => self.painted_at + WORLD,
            Due::Person => self.tokens.next(),
        };
        let soonest = frame.min(idle);
        self.lapse.map_or(soonest, |lapse| lapse.min(soonest))
    }

    /// Paints when something is due, it is not too soon, and the terminal took what came before.
    fn paint_if_due(&mut self) {
        if self.phase != Phase::Here || self.frame {
            return;
        }
        let now = Instant::now();
        let ready = match self.due {
            Due::No => false,
            Due::World => now >= self.painted_at + WORLD,
            Due::Person => self.tokens.take(now),
        };
        if !ready {
            return;
        }
        self.due = Due::No;
        let stamp = self.desk.stamp();
        if self.painted == Some(stamp) {
            return;
        }
        self.painted = Some(stamp);
        self.painted_at = now;
        let mut frame = Vec::new();
        let desk = &self.desk;
        self.screen.frame(&mut frame, |area, buffer| {
            if area.width < LEAST.width || area.height < LEAST.height {
                let text = format!("{}x{} needed", LEAST.width, LEAST.height);
                buffer.set_stringn(
                    0,
                    0,
                    text,
                    usize::from(area.width),
                    ratatui::style::Style::new(),
                );
                return None;
            }
            desk.paint(area, buffer)
        });
        if !frame.is_empty() {
            self.frame = true;
            self.send(&frame);
        }
    }
}

/// How many frames for input may still be painted at once.
struct Tokens {
    left: u32,
    since: Instant,
}

impl Tokens {
    fn take(&mut self, now: Instant) -> bool {
        let refills = now.duration_since(self.since).as_millis() / REFILL.as_millis();
        let refills = u32::try_from(refills).unwrap_or(u32::MAX).min(BURST);
        if refills > 0 {
            self.left = (self.left + refills).min(BURST);
            self.since = now;
        }
        let any = self.left > 0;
        self.left = self.left.saturating_sub(1);
        any
    }

    /// When there is one again.
    fn next(&self) -> Instant {
        if self.left > 0 {
            self.since
        } else {
            self.since + REFILL
        }
    }
}
