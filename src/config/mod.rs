//! The files of a room, and plans: the only code that looks for files. Every value knows its file,
//! line and column.
//!
//! [`located`] is how every file is read, whatever it says and in whichever format it is written;
//! [`render`] shows what is wrong with one. [`room`] and [`plan`] know what the files mean.

pub mod cases;
pub mod home;
pub mod ics;
pub mod located;
pub mod mistakes;
pub mod plan;
pub mod render;
pub mod room;
pub mod template;
pub mod tokens;
mod tree;
