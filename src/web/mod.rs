//! HTTP in: what other programs ask holdpoint.

pub mod gates;
