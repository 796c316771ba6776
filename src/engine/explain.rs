//! Every failure of the engine and what it stands on, in words: what happened, what it means for
//! the releases, what to do next. (Refusals are no failures; their words stand beside them.)

use crate::domain::Notice;
use crate::domain::calendar::{Lockdown, LockdownId};
use crate::ledger::LedgerError;

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

/// The code of the alert: a lockdown is in force.
pub const LOCKDOWN: &str = "lockdown";

/// A lockdown in force.
pub fn lockdown(id: LockdownId, down: &Lockdown) -> Notice {
    let headline = format!(
        "LOCKDOWN: nothing moves forward in {}: {}",
        down.scope.words(),
        down.reason
    );
    Notice::warning(LOCKDOWN, headline)
        .detail(format!("ordered by {}; rolling back still works", down.by))
        .next(format!(
            "somebody else lifts it: `holdpoint calendar lift {id} --reason TEXT`"
        ))
        .at(id.to_string())
}
