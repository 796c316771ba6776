//! One person at one terminal, near or far.
//!
//! A session sits between a terminal and a [`Desk`]. It decodes what the terminal sends, hands it
//! to the desk, and paints what the desk shows. It knows no release and no engine: who opens desks
//! is a [`Room`], which is given. Local terminals, the socket and later SSH all run this code.
//!
//! ```text
//! terminal --bytes--> decoder --Input--> desk --picture--> screen --bytes--> terminal
//!                                         ^ changed()
//! ```
//!
//! A key is painted at once. Changes of the world are painted a few times a second at most, and
//! nothing is painted when nothing changed. A frame is painted only when the one before has been
//! taken by the terminal, so that a slow reader costs one frame of memory and sees the newest
//! state when it is ready, and nobody else waits for it.

use std::future::Future;
use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect, Size};

use crate::domain::{Actor, Door};
use crate::tui::{Caps, Input};

pub mod backend;
pub mod decoder;
pub mod local;
pub mod room;
mod run;
pub mod socket;

pub use run::{Encode, Ended, FromTerminal, ToTerminal, run};

/// Who somebody is, as a door proved it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Who.
    pub who: Actor,
    /// Through which door.
    pub door: Door,
}

/// Somebody who comes to a room, with a terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guest {
    /// Who.
    pub identity: Identity,
    /// What the terminal can do.
    pub caps: Caps,
    /// How large it is.
    pub size: Size,
    /// Whether they sit in a process of their own: it may be suspended, and the engine goes on
    /// when they leave.
    pub apart: bool,
}

/// A place where people can be given a desk.
pub trait Room: Send + Sync + 'static {
    /// What a person sits at.
    type Desk: Desk;

    /// Gives somebody a desk.
    fn open(&self, guest: &Guest) -> Self::Desk;
}

/// What one person sits at: the state of their screens, and their ear to the engine.
pub trait Desk: Send + 'static {
    /// The terminal said something.
    fn input(&mut self, input: Input) -> Vec<Wish>;

    /// Waits until there is news: the world changed, or an answer came. Dropped and called again
    /// at any time, so it must lose nothing then.
    fn changed(&mut self) -> impl Future<Output = News> + Send;

    /// Paints what the person sees, and says where the cursor is. The area is at least
    /// [`backend::LEAST`] large.
    fn paint(&self, area: Rect, buffer: &mut Buffer) -> Option<Position>;

    /// A number that is another one whenever the picture is another one; the clock's part of it
    /// included. As long as it stays, nothing is painted.
    fn stamp(&self) -> u64;

    /// How long the picture stays as it is by itself: until a clock on it moves on.
    fn rest(&self) -> Duration;
}

/// What news there is at a desk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct News {
    /// It answers something this person did: it is painted at once.
    pub answer: bool,
    /// What the desk wants of the terminal.
    pub wishes: Vec<Wish>,
}

/// What a desk wants of its terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Put this text on the person's clipboard.
    Copy(String),
    /// Ring.
    Bell,
    /// Paint everything anew.
    Redraw,
    /// Take mouse reports, or leave the mouse to the terminal.
    Mouse(bool),
    /// Go to the person's shell for a while, where there is one.
    Suspend,
    /// Leave the room.
    Quit,
}
