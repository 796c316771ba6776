//! The hook: a configured command that is told of what people must know.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::Semaphore;

use super::board::Board;
use super::explain;
use crate::domain::{Event, ReleaseId, Span, State, What};
use crate::platform::notify::notify;

/// A command that is told of what people must know, with `HOLDPOINT_EVENT` (`hold-warned`,
/// `deadline-passed`, `trigger-fired` or `rollback-began`), `HOLDPOINT_RELEASE` (`R-17`) and
/// `HOLDPOINT_TEXT` (a sentence) in its environment. That it fails stops nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    /// Program and arguments, no shell.
    pub argv: Vec<String>,
    /// How long it may run before it is ended with its children.
    pub limit: Span,
}

/// How many hook commands run at the same time; the rest wait.
const AT_ONCE: usize = 4;

/// Runs the hook command for the events that people must know of.
pub(super) struct Hooks {
    hook: Option<Arc<Hook>>,
    board: Board,
    places: Arc<Semaphore>,
}

impl Hooks {
    pub fn new(hook: Option<Hook>, board: Board) -> Hooks {
        Hooks {
            hook: hook.map(Arc::new),
            board,
            places: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }

    /// Tells the hook of an event, if it is one to tell. Never waits.
    pub fn tell(&self, state: &State, event: &Event) {
        let Some(hook) = self.hook.clone() else {
            return;
        };
        let Some((kind, release)) = kind(event) else {
            return;
        };
        let line = state.live.get(&release).and_then(|r| {
            r.log
                .last()
                .map(|l| format!("{} {}: {}", r.id, r.subject(), l.text))
        });
        let text = line.unwrap_or_else(|| release.to_string());
        let env = BTreeMap::from([
            ("HOLDPOINT_EVENT".to_owned(), kind.to_owned()),
            ("HOLDPOINT_RELEASE".to_owned(), release.to_string()),
            ("HOLDPOINT_TEXT".to_owned(), text),
        ]);
        let (board, places) = (self.board.clone(), self.places.clone());
        tokio::spawn(async move {
            let _place = places.acquire().await;
            match notify(&hook.argv, &env, hook.limit).await {
                Ok(()) => board.calm("hook-failed", None),
                Err(why) => board.alert(explain::hook_failed(&why)),
            }
        });
    }
}

fn kind(event: &Event) -> Option<(&'static str, ReleaseId)> {
    let kind = match event.what {
        What::HoldWarned { .. } => "hold-warned",
        What::DeadlinePassed { .. } => "deadline-passed",
        What::TriggerFired { .. } => "trigger-fired",
        What::RollbackBegan { .. } => "rollback-began",
        _ => return None,
    };
    Some((kind, event.what.release()?))
}
