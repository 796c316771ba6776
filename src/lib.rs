//! `holdpoint`: the control room for releases, in a terminal.

pub mod cli;
pub mod config;
pub mod domain;
pub mod engine;
pub mod judge;
pub mod ledger;
pub mod platform;
pub mod session;
pub mod tui;
