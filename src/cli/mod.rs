//! What the command line offers, one file per group of commands.

pub mod args;
mod authority;
mod calendar;
mod check;
mod client;
mod closed;
mod demo;
mod doctor;
mod evidence;
pub mod exec;
pub mod exit;
pub mod fleet;
mod house;
mod init;
mod judge;
pub mod judge_args;
mod judged;
pub mod keeper;
mod keys;
mod ladder;
mod ledger;
mod list;
mod local;
pub mod logs;
pub mod out;
mod pir;
mod policy;
mod release;
mod reload;
mod report;
mod run;
pub mod runner;
mod schema;
mod serve;
mod story;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod update;
mod usage;
pub mod view;
mod vote;
mod wait;

pub use run::run;
