//! What the command line offers, one file per group of commands.

pub mod fleet;
pub mod runner;
