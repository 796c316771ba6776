//! The board of live telemetry: many write to it, screens read it.

use std::sync::Arc;

use tokio::sync::watch;

use crate::domain::live::Live;
use crate::domain::{Notice, PersonName};

/// How many alerts stand on the board at most.
const ALERTS: usize = 20;

/// Where everything that is seen right now is put up.
#[derive(Clone, Debug)]
pub struct Board {
    sender: Arc<watch::Sender<Arc<Live>>>,
}

impl Board {
    /// An empty board.
    pub fn new() -> Board {
        let (sender, _) = watch::channel(Arc::new(Live::default()));
        Board {
            sender: Arc::new(sender),
        }
    }

    /// A reader that is woken by changes.
    pub fn read(&self) -> watch::Receiver<Arc<Live>> {
        self.sender.subscribe()
    }

    /// What stands on it now.
    pub fn now(&self) -> Arc<Live> {
        self.sender.borrow().clone()
    }

    /// Changes something on it.
    pub fn change(&self, f: impl FnOnce(&mut Live)) {
        self.sender.send_modify(|live| f(Arc::make_mut(live)));
    }

    /// Puts an alert up; one with the same code and place is replaced.
    pub fn alert(&self, notice: Notice) {
        tracing::warn!(
            code = notice.code,
            place = notice.place,
            detail = notice.detail,
            "{}",
            notice.headline
        );
        self.change(|live| {
            live.alerts
                .retain(|n| n.code != notice.code || n.place != notice.place);
            if live.alerts.len() == ALERTS {
                live.alerts.remove(0);
            }
            live.alerts.push(notice);
        });
    }

    /// Takes an alert down.
    pub fn calm(&self, code: &str, place: Option<&str>) {
        let stands = |n: &Notice| n.code == code && n.place.as_deref() == place;
        if self.sender.borrow().alerts.iter().any(stands) {
            self.change(|live| live.alerts.retain(|n| !stands(n)));
        }
    }

    /// Somebody comes in; they leave when the guard is dropped.
    pub fn enter(&self, who: PersonName) -> Presence {
        self.change(|live| live.here.push(who.clone()));
        Presence {
            board: self.clone(),
            who,
        }
    }
}

impl Default for Board {
    fn default() -> Self {
        Board::new()
    }
}

/// Somebody who is in the room as long as this lives.
#[derive(Debug)]
pub struct Presence {
    board: Board,
    who: PersonName,
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.board.change(|live| {
            if let Some(n) = live.here.iter().position(|p| *p == self.who) {
                live.here.remove(n);
            }
        });
    }
}
