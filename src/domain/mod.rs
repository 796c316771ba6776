//! The world of releases, pure: what can be asked, what happened, what is wanted.
//!
//! No clock, no randomness, no input or output, no async: time comes with a command.

pub mod effect;
pub mod ids;
pub mod notice;
pub mod text;
pub mod words;

pub use effect::{Effect, Failure, Health, Outcome, Sight, Verb};
pub use ids::*;
pub use notice::{Level, Notice};
