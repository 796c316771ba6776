//! Integration tests: one binary, real processes.

mod platform_runner;
mod until;
