//! `holdpoint`: the control room for releases, in a terminal.
pub mod config;
pub mod domain;
pub mod judge;
