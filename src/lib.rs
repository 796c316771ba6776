//! `holdpoint`: the control room for releases, in a terminal.
pub mod cli;
pub mod domain;
pub mod judge;
pub mod platform;
pub mod session;
pub mod tui;
