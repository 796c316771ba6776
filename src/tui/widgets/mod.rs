//! The small pieces that screens are made of. Each paints into a buffer and keeps nothing.

pub mod bar;
pub mod chart;
pub mod dialog;
pub mod draft;
pub mod list;
pub mod multiples;
pub mod spark;
pub mod text;

pub use bar::{Part, bar};
pub use chart::{Band, Chart, Level, Series};
pub use dialog::Frame;
pub use draft::Draft;
pub use list::Scroll;
pub use multiples::multiples;
pub use spark::spark;
pub use text::{Pen, clip, width, wrap};
