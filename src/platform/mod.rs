//! Outside systems, behind a few small types.
//!
//! A [`Platform`] carries out effects on the instances of one target and says how they are. A
//! scrape source reads metrics from instances, a health check asks one of them.
//!
//! What every platform promises: [`Platform::perform`] never carries out one effect twice, however
//! often it is called; dropping its future stops the waiting and not the effect; and what cannot
//! be told is `Unknown`, never a guess.

pub mod output;
mod process;
pub mod runner;

use std::sync::Arc;

use crate::domain::Outcome;

/// What a platform knows of an effect that was begun before the engine went down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Checked {
    /// It came to its end.
    Ended(Outcome),
    /// It is still being carried out: wait for it.
    Running,
    /// It certainly never began.
    NeverStarted,
    /// Nobody can tell whether it happened.
    Unknown {
        /// What was found, in a sentence.
        why: Arc<str>,
    },
}
