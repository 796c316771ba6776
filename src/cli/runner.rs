//! `holdpoint __runner DIR`: carries out one effect. Hidden; only the engine calls it.

use std::path::Path;
use std::process::ExitCode;

use crate::platform::runner::worker;

/// Carries out the effect in `folder`. Must be called before any thread is started.
pub fn run(folder: &Path) -> ExitCode {
    ExitCode::from(worker::run(folder) as u8)
}
