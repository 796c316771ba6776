//! Integration tests: one binary, real processes.
// clippy takes only the test functions themselves for tests, not what they call
#![allow(clippy::unwrap_used)]

mod platform_command;
mod platform_runner;
mod sshd;
mod until;
