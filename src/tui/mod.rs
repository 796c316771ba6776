//! What a person sees and presses, pure: keys, actions, colours and the small pieces of a screen.
//!
//! Nothing here knows a terminal, a clock or a file: sizes, times, capabilities and the text of
//! configuration files come in as values, and what comes out is cells, actions and notices. So
//! many people can share one process, and every screen can be tested without a terminal.

pub mod action;
pub mod caps;
pub mod color;
pub mod glyph;
pub mod input;
pub mod key;
pub mod keymap;
pub mod located;
pub mod theme;
pub mod widgets;

pub use action::{Action, Confirm, Context, Group};
pub use caps::{Background, Caps, Depth};
pub use glyph::{Glyph, Status};
pub use input::{Input, Mouse, MouseKind};
pub use key::{Code, Key, KeySeq};
pub use keymap::{Keymap, Resolved};
pub use located::SourceFile;
pub use theme::{Role, Theme, Themes};
