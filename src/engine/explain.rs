//! Every failure of the engine and what it stands on, in words: what happened, what it means for
//! the releases, what to do next. (Refusals are no failures; their words stand beside them.)

use crate::domain::calendar::{Lockdown, LockdownId};
use crate::domain::{Actor, Notice};
use crate::ledger::LedgerError;
use crate::ledger::telemetry::{MovedAside, TelemetryError};

/// The engine has ended.
pub fn gone() -> Notice {
    Notice::error("engine-gone", "the engine has stopped")
        .detail("what was acknowledged is in the ledger; calls that run go on by themselves")
        .next("start it again with `holdpoint serve`")
}

/// The codes under which people are told that the ledger cannot be written.
pub const NOT_WRITTEN: [&str; 5] = [
    "disk-full",
    "ledger-failed",
    "ledger-damaged",
    "ledger-uncertain",
    "too-large",
];

/// The ledger failed.
pub fn ledger(error: &LedgerError) -> Notice {
    let headline = error.to_string();
    match error {
        LedgerError::Full { .. } => Notice::error(
            "disk-full",
            "the ledger's disk is full: nothing can be written",
        )
        .detail("nothing moves forward until it can; pausing and rolling back still work")
        .next("free some space on the disk of the room; writing goes on by itself"),
        LedgerError::Held { .. } => Notice::error("ledger-held", headline)
            .detail("one engine at a time keeps a room; nothing was changed")
            .next("attach to that engine with `holdpoint --room DIR`, or stop it first"),
        LedgerError::Missing { .. } => Notice::error("ledger-missing", headline)
            .detail("a room has one from the first start of its engine on")
            .next("is it the right room? `holdpoint serve` begins a new ledger; an old one can be put back from a backup"),
        LedgerError::NotALedger { .. } => Notice::error("not-a-ledger", headline)
            .detail("it was left as it is; no engine can run in this room meanwhile")
            .next("move the file away, and put the room's ledger back from a backup if there was one"),
        LedgerError::Newer { .. } => Notice::error("ledger-newer", headline)
            .detail("it was left as it is; what this version cannot read it must not continue")
            .next("use the version that wrote it, or a later one"),
        LedgerError::Exists { .. } => Notice::error("file-exists", headline)
            .detail("nothing was written")
            .next("name a file that does not exist yet"),
        LedgerError::Conflict { .. } => Notice::error("ledger-conflict", headline)
            .detail("somebody else has written to this ledger; this engine must not go on")
            .next("stop this engine and look who holds the room"),
        LedgerError::TooLarge { .. } => Notice::error("too-large", headline)
            .detail("nothing was written; the release is as it was")
            .next("shorten what is long: the plan, a comment, a reason"),
        LedgerError::Damaged { .. } => damaged(headline),
        LedgerError::Uncertain { .. } => Notice::error("ledger-uncertain", headline)
            .detail("it is looked up in the ledger before anything else is done; nothing is done twice")
            .next("look at the disk of the room; if this stays, stop the engine and start it again"),
        LedgerError::Interrupted { .. } => Notice::error("ledger-interrupted", headline)
            .detail("the ledger itself is as it was; what was read so far is right")
            .next("read it again"),
        LedgerError::InMemory => Notice::error("no-file", headline)
            .detail("this room keeps its ledger in memory, and loses it when its engine ends")
            .next("`holdpoint init DIR` makes a room with a file"),
        LedgerError::Sqlite { .. } | LedgerError::Io { .. } => {
            Notice::error("ledger-failed", headline)
                .detail("nothing was acknowledged that is not durable")
                .next("look at the log in the room's folder and at its disk")
        }
    }
}

fn damaged(headline: String) -> Notice {
    Notice::error("ledger-damaged", headline)
        .detail("what stands before that event is what was written; from there on nothing is proven, and no engine goes on from it")
        .next("keep the file for whoever looks into it, and put the ledger back from a backup; instances run what they ran")
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
        .next("check its status command or its cluster, and the network to it")
        .at(target)
}

/// Somebody made up wants in where nobody may be made up.
pub fn sample_door(who: &Actor) -> Notice {
    Notice::error(
        "sample-door",
        format!("{who} may not come in by the door for sample people"),
    )
    .detail("it is open to the made-up people of a demo, and only while the demo runs")
    .next("come by the room's socket or with a token")
}

/// The code of [`source_remarks`].
pub const SOURCE_REMARKS: &str = "source-remarks";

/// A metrics store remarks something that takes nothing away from what it said.
pub fn source_remarks(source: &str, remarks: &[String]) -> Notice {
    Notice::info(SOURCE_REMARKS, format!("{source}: {}", remarks.join("; ")))
        .detail("its numbers are used as they are")
        .next("look whether the metrics in catalog.toml name what they mean")
        .at(source)
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::io;

    use super::*;
    use crate::ledger::{Damage, Holder};

    fn every() -> Vec<LedgerError> {
        let path = || "/room/ledger.db".into();
        let full = || LedgerError::Full { path: path() };
        vec![
            full(),
            LedgerError::Held {
                path: path(),
                by: Holder {
                    pid: 7,
                    host: "here".to_owned(),
                    since: String::new(),
                    program: "holdpoint".to_owned(),
                },
            },
            LedgerError::Missing { path: path() },
            LedgerError::NotALedger {
                path: path(),
                why: "no SQLite file".to_owned(),
            },
            LedgerError::Newer {
                path: path(),
                found: 9,
                known: 1,
            },
            LedgerError::Exists { path: path() },
            LedgerError::Conflict {
                expected: 1,
                found: 2,
            },
            LedgerError::TooLarge { bytes: 9, most: 8 },
            LedgerError::Damaged {
                path: path(),
                seq: 7,
                damage: Damage::Altered,
            },
            LedgerError::Uncertain {
                path: path(),
                expected: 7,
                source: Box::new(full()),
            },
            LedgerError::Interrupted { after: 7 },
            LedgerError::InMemory,
            LedgerError::Io {
                doing: "opening",
                path: path(),
                source: io::ErrorKind::PermissionDenied.into(),
            },
        ]
    }

    #[test]
    fn every_failure_of_the_ledger_says_what_it_means_and_what_to_do() {
        let mut codes = BTreeSet::new();
        for error in every() {
            let notice = ledger(&error);
            assert!(!notice.detail.is_empty(), "{notice:?}");
            assert!(!notice.next_step.is_empty(), "{notice:?}");
            assert!(codes.insert(notice.code.clone()), "twice: {notice:?}");
        }
    }
}
