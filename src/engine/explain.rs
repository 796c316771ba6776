//! Every failure of the engine and what it stands on, in words: what happened, what it means for
//! the releases, what to do next. (Refusals are no failures; their words stand beside them.)

use crate::domain::Notice;
use crate::ledger::LedgerError;
use crate::ledger::telemetry::{MovedAside, TelemetryError};

/// The engine has ended.
pub fn gone() -> Notice {
    Notice::error("engine-gone", "the engine has stopped")
        .detail("what was acknowledged is in the ledger; calls that run go on by themselves")
        .next("start it again with `holdpoint serve`")
}

/// The ledger failed.
pub fn ledger(error: &LedgerError) -> Notice {
    match error {
        LedgerError::Full { .. } => Notice::error(
            "disk-full",
            "the ledger's disk is full: nothing can be written",
        )
        .detail("nothing moves forward until it can; pausing and rolling back still work")
        .next("free some space on the disk of the room; writing goes on by itself"),
        LedgerError::Held { .. } => Notice::error("ledger-held", error.to_string())
            .next("attach to that engine with `holdpoint --room DIR`, or stop it first"),
        LedgerError::Conflict { .. } => Notice::error("ledger-conflict", error.to_string())
            .detail("somebody else has written to this ledger; this engine must not go on")
            .next("stop this engine and look who holds the room"),
        _ => Notice::error("ledger-failed", error.to_string())
            .detail("nothing was acknowledged that is not durable")
            .next("look at the log in the room's folder and at its disk"),
    }
}

/// The ledger holds an event that this program does not know.
pub fn unreadable(seq: u64, error: &serde_json::Error) -> Notice {
    Notice::error(
        "event-unreadable",
        format!("event {seq} of the ledger cannot be read: {error}"),
    )
    .detail("it may come from a newer version of holdpoint")
    .next("use the version that wrote it")
}

/// A target cannot be read.
pub fn target_blind(target: &str, why: &str) -> Notice {
    Notice::warning("target-blind", format!("{target} cannot be read: {why}"))
        .detail("nothing goes forward on it until it can; other targets are not concerned")
        .next("check its status command, its hosts and the network")
        .at(target)
}

/// The hook command failed.
pub fn hook_failed(why: &str) -> Notice {
    Notice::warning("hook-failed", format!("the hook command failed: {why}"))
        .detail("whoever it should have told does not know")
        .next("check `hook` in room.toml")
}

/// The code of [`telemetry_moved`].
pub const TELEMETRY_MOVED: &str = "telemetry-moved";

/// The code of [`telemetry_failed`].
pub const TELEMETRY_FAILED: &str = "telemetry-failed";

/// The file of measurements was damaged, or somebody else's.
pub fn telemetry_moved(moved: &MovedAside) -> Notice {
    let headline = format!(
        "the charts begin anew: their file could not be read ({})",
        moved.why
    );
    Notice::warning(TELEMETRY_MOVED, headline)
        .detail("releases go on; what was decided and on which grounds is in the ledger")
        .next(format!(
            "nothing needs to be done; the file was moved to {}",
            moved.to.display()
        ))
}

/// The file of measurements cannot be read or written.
pub fn telemetry_failed(error: &TelemetryError) -> Notice {
    Notice::warning(TELEMETRY_FAILED, error.to_string())
        .detail("the charts are complete until the engine is started again; releases go on")
        .next("look at the disk and the rights of telemetry.db in the room's folder")
}
