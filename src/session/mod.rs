//! x
pub mod decoder;
