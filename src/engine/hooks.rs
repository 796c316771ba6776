//! The hook: a configured command that is told of what people must know.

use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use super::board::Board;
use super::explain;
use crate::domain::approval::Told;
use crate::domain::{Event, State, What, pir};

/// How long the hook command may run.
const LIMIT: Duration = Duration::from_secs(30);

/// How many hook commands run at the same time; the rest wait.
const AT_ONCE: usize = 4;

/// Runs the hook command for the events that people must know of.
pub(super) struct Hooks {
    argv: Option<Arc<Vec<String>>>,
    board: Board,
    places: Arc<Semaphore>,
}

impl Hooks {
    pub fn new(argv: Option<Vec<String>>, board: Board) -> Hooks {
        Hooks {
            argv: argv.filter(|a| !a.is_empty()).map(Arc::new),
            board,
            places: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }

    /// Tells the hook of an event, if it is one to tell. Never waits.
    pub fn tell(&self, state: &State, event: &Event) {
        let Some(argv) = self.argv.clone() else {
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
        let (board, places) = (self.board.clone(), self.places.clone());
        tokio::spawn(async move {
            let _place = places.acquire().await;
            match run(&argv, kind, &release.to_string(), &text).await {
                Ok(()) => board.calm("hook-failed", None),
                Err(why) => board.alert(explain::hook_failed(&why)),
            }
        });
    }
}

fn kind(event: &Event) -> Option<(&'static str, crate::domain::ReleaseId)> {
    let kind = match &event.what {
        What::Approval(Told::Reopened { .. }) => "approval-lost",
        What::Approval(Told::PlanChanged { .. }) => "plan-changed",
        What::Approval(Told::BoxEndsSoon { .. }) => "box-ends-soon",
        What::Pir(pir::Told::Opened(_)) => "pir-opened",
        What::HoldWarned { .. } => "hold-warned",
        What::DeadlinePassed { .. } => "deadline-passed",
        What::TriggerFired { .. } => "trigger-fired",
        What::RollbackBegan { .. } => "rollback-began",
        _ => return None,
    };
    Some((kind, event.what.release()?))
}

async fn run(argv: &[String], kind: &str, release: &str, text: &str) -> Result<(), String> {
    let Some((program, args)) = argv.split_first() else {
        return Ok(());
    };
    let mut child = tokio::process::Command::new(program)
        .args(args)
        .env("HOLDPOINT_EVENT", kind)
        .env("HOLDPOINT_RELEASE", release)
        .env("HOLDPOINT_TEXT", text)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("{program}: {error}"))?;
    match tokio::time::timeout(LIMIT, child.wait()).await {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(format!("{program}: {status}")),
        Ok(Err(error)) => Err(format!("{program}: {error}")),
        Err(_) => Err(format!("{program}: no end after {} s", LIMIT.as_secs())),
    }
}
