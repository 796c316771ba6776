//! Handing rulings in: after whatever makes one wanted, in the same turn.

use std::sync::Arc;

use super::ruling;
use crate::domain::ruling::wanted;
use crate::domain::{Actor, Ask, Command, Door, Draft, Refusal, ReleaseId, Timestamp, What};

/// Decides a command, and then every ruling that it makes wanted: after a submission, after a
/// change of plan, after a change of the charter.
///
/// # Errors
/// The refusal of the command; the draft is then as it was before.
pub fn carry_out(draft: &mut Draft, command: &Command) -> Result<(), Refusal> {
    let before = draft.events.len();
    draft.run(command)?;
    let events = draft.events.get(before..).unwrap_or_default();
    let all = events
        .iter()
        .any(|event| matches!(event.what, What::CharterAdopted { .. }));
    let mut touched: Vec<ReleaseId> = match all {
        true => draft.state.live.keys().copied().collect(),
        false => events.iter().filter_map(|e| e.what.release()).collect(),
    };
    touched.sort();
    touched.dedup();
    rule_on(draft, &touched, command.at);
    Ok(())
}

/// Rules on every open release that has no ruling that counts, as those of an older ledger.
pub fn catch_up(draft: &mut Draft, at: Timestamp) {
    let all: Vec<ReleaseId> = draft.state.live.keys().copied().collect();
    rule_on(draft, &all, at);
}

fn rule_on(draft: &mut Draft, releases: &[ReleaseId], at: Timestamp) {
    let at = at.max(draft.state.now);
    for id in releases {
        let Some(release) = draft.state.live.get(id).cloned() else {
            continue;
        };
        if !wanted(&draft.state, &release) {
            continue;
        }
        let ruling = Arc::new(ruling::of(&draft.state, &release, at));
        let command = Command {
            at,
            who: Actor::Engine,
            door: Door::Engine,
            ask: Ask::Ruled {
                release: *id,
                ruling,
            },
        };
        let taken = draft.run(&command);
        debug_assert!(taken.is_ok(), "a ruling on what is there is taken");
    }
}
