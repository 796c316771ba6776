//! The integration tests, one binary.

#[macro_use]
mod room;
mod walk;
