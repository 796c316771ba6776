//! Integration tests: one binary, real processes.
#![allow(
    clippy::unwrap_used,
    reason = "clippy takes only the test functions themselves for tests, not what they call"
)]

mod engine;
mod fleet;
mod house;
mod located;
mod platform_command;
mod platform_health;
mod platform_runner;
mod platform_scrape;
mod room;
mod server;
mod sshd;
mod until;
mod walk;
