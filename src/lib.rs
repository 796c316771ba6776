//! `holdpoint`: the control room for releases, in a terminal.
pub mod domain;
pub mod ledger;
