//! Numbers in, verdict out; pure.
//!
//! [`sample`] is what one look gathers of one version, [`threshold`] compares a new version with
//! fixed limits and with the old one.

pub mod sample;
pub mod threshold;

pub use sample::Sample;
pub use threshold::{Judged, judge};
