//! What a person sees and presses, pure: keys, actions, colours and the small pieces of a screen.
//!
//! Nothing here knows a terminal, a clock or a file: sizes, times, capabilities and the text of
//! configuration files come in as values, and what comes out is cells, actions and notices. So
//! many people can share one process, and every screen can be tested without a terminal.

pub mod action;
pub mod caps;
pub mod color;
pub mod desk;
pub mod dialog;
pub mod glyph;
pub mod input;
pub mod judged;
pub mod key;
pub mod keymap;
pub mod layout;
pub mod located;
pub mod offer;
pub mod order;
pub mod page;
pub mod rich;
pub mod say;
pub mod screens;
pub mod theme;
pub mod thing;
pub mod update;
pub mod widgets;
pub mod world;

pub use action::{Action, Confirm, Context, Group};
pub use caps::{Background, Caps, Depth};
pub use desk::{Ask, Desk, Screen, Setup, Tab};
pub use glyph::{Glyph, Status};
pub use input::{Input, Mouse, MouseKind};
pub use key::{Code, Key, KeySeq};
pub use keymap::{Keymap, Resolved};
pub use located::SourceFile;
pub use offer::Asker;
pub use theme::{Role, Theme, Themes};
pub use update::update;
pub use world::World;

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

/// What a picture is made of, and nothing else: time is a field of the world.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// Whose screen it is.
    pub desk: &'a Desk,
    /// What it shows.
    pub world: World<'a>,
}

/// What painting found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Painted {
    /// Where the cursor stands, if somebody writes.
    pub cursor: Option<Position>,
}

/// Paints a scene into an area. The same scene gives the same cells, and nothing else changes.
pub fn paint(scene: &Scene<'_>, area: Rect, buffer: &mut Buffer) -> Painted {
    Painted {
        cursor: screens::paint(scene.desk, scene.world, area, buffer),
    }
}
