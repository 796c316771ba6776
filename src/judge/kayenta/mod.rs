//! The fixed-window judge of Kayenta: Mann-Whitney per metric, weighted scores. (Semantics read at
//! Kayenta `a69573be`; the holdpoint judge, section 4.)
//!
//! What to know before trusting it: it is made for one look, repeated looks void it; the root search
//! ends within 1e-4 of the metric's unit, so feed percent or milliseconds, not ratios or seconds; for
//! ratios at unequal traffic its null is false even when both arms run the same; and with fewer than
//! [`classify::FEW`] points per arm a class means nothing.

pub mod classify;
pub mod rank;
pub mod score;
pub mod stats;
