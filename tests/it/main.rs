//! Integration tests: one binary, real processes.
// clippy takes only the test functions themselves for tests, not what they call
#![allow(clippy::unwrap_used)]

mod guests;
mod sessions;
mod sockets;
mod terminals;
