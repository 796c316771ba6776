//! What the command line offers, one file per group of commands.

pub mod args;
mod check;
pub mod exec;
pub mod exit;
pub mod fleet;
mod init;
pub mod keeper;
mod keys;
mod ladder;
mod ledger;
mod list;
mod local;
pub mod logs;
pub mod out;
mod release;
pub mod runner;
mod schema;
mod story;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod usage;
pub mod view;
mod vote;
mod wait;
