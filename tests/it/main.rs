//! Integration tests: one binary, real processes.
#![allow(
    clippy::unwrap_used,
    reason = "clippy takes only the test functions themselves for tests, not what they call"
)]
#![expect(
    unsafe_code,
    reason = "what happens in a child before it runs its program has no safe form"
)]

mod approvals;
mod authority_table;
mod calendar;
mod calendar_holds;
mod cli;
mod cli_configs;
mod cli_rooms;
mod demonstration;
mod emergencies;
mod engine;
mod faults;
mod fleet;
mod frames;
mod guests;
mod holds;
mod hooks;
mod house;
mod judge;
mod judged;
mod kube;
mod ledgers;
mod located;
mod machine;
mod platform_command;
mod platform_health;
mod platform_runner;
mod platform_scrape;
mod policy;
mod prometheus;
mod promoted;
mod proof;
mod quorum;
mod readme;
mod room;
mod rules;
mod server;
mod sessions;
mod shares;
mod shop;
mod sockets;
mod sshd;
mod telemetry;
mod terminals;
mod until;
mod walk;
