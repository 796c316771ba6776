//! The helm: what a call that takes its time is told on the way.

use std::sync::Arc;

use tokio::sync::watch;

use crate::domain::calendar::stops_calls;
use crate::domain::{ReleaseId, State};

/// What a call that takes its time should do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Steer {
    /// Go on.
    GoOn,
    /// Go on, past the steps, pauses and analyses that the platform has of its own: somebody has
    /// promoted all of the release.
    Straight,
    /// Stand still where it is: somebody has paused the release.
    Hold,
    /// End: the release goes back, and the way back waits for it.
    GiveUp,
}

/// What one call is told on the way.
#[derive(Clone, Debug)]
pub struct Helm {
    state: watch::Receiver<Arc<State>>,
    release: ReleaseId,
    forward: bool,
}

impl Helm {
    /// The helm of a call of a release; a call `forward` ends when the release goes back.
    pub fn new(state: watch::Receiver<Arc<State>>, release: ReleaseId, forward: bool) -> Helm {
        Helm {
            state,
            release,
            forward,
        }
    }

    /// What to do now.
    pub fn now(&self) -> Steer {
        let state = self.state.borrow();
        let Some(release) = state.live.get(&self.release) else {
            // closed over its head: there is nothing left to do forward
            return if self.forward {
                Steer::GiveUp
            } else {
                Steer::GoOn
            };
        };
        let back = release.back.is_some();
        let barred = release.calendar.as_ref().is_some_and(stops_calls);
        if self.forward && back {
            Steer::GiveUp
        } else if release.paused.is_some() || (self.forward && barred) {
            Steer::Hold
        } else if self.forward && release.promoted.is_some() {
            Steer::Straight
        } else {
            Steer::GoOn
        }
    }

    /// Waits until the release is closed. Never ends once the engine is gone.
    pub async fn over(&mut self) {
        loop {
            if !self.state.borrow().live.contains_key(&self.release) {
                return;
            }
            if self.state.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Waits until it is something else than `known`. Never ends once the engine is gone.
    pub async fn changed(&mut self, known: Steer) -> Steer {
        loop {
            let now = self.now();
            if now != known {
                return now;
            }
            if self.state.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}
