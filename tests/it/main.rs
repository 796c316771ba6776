//! Integration tests: one binary, real processes.
// clippy takes only the test functions themselves for tests, not what they call
#![allow(clippy::unwrap_used)]

mod cli_configs;
mod demonstration;
mod engine;
mod faults;
mod fleet;
mod guests;
mod ledgers;
mod located;
mod platform_command;
mod platform_health;
mod platform_runner;
mod platform_scrape;
mod room;
mod server;
mod sessions;
mod shop;
mod sockets;
mod sshd;
mod terminals;
mod until;
mod walk;
