//! x
pub mod action;
pub mod input;
pub mod key;
pub mod keymap;
pub mod located;
pub mod caps {
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Background {
        Dark,
        Light,
    }
}
pub use action::{Action, Confirm, Context, Group};
pub use input::{Input, Mouse, MouseKind};
pub use key::{Code, Key, KeySeq};
pub use keymap::{Keymap, Resolved};
pub use located::SourceFile;
