//! The clock: the system's, or one that tests wind by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::domain::{Span, Timestamp};

/// Where the engine takes the time from.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    /// The system's clock.
    #[default]
    System,
    /// A clock that stands still until somebody moves it; milliseconds since 1970.
    Hand(Arc<AtomicI64>),
}

impl Clock {
    /// What time it is.
    pub fn now(&self) -> Timestamp {
        match self {
            Clock::System => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH);
                let ms = since.map_or(0, |d| d.as_millis());
                Timestamp(i64::try_from(ms).unwrap_or(i64::MAX))
            }
            Clock::Hand(ms) => Timestamp(ms.load(Ordering::SeqCst)),
        }
    }

    /// Waits until a moment has come, at most a second at a time: the system's clock may be set,
    /// and a hand-wound one moves without telling.
    pub async fn until(&self, at: Timestamp) {
        let step = match self {
            Clock::System => Span::secs(1),
            Clock::Hand(_) => Span(5),
        };
        loop {
            let left = at.since(self.now());
            if left.0 == 0 {
                return;
            }
            tokio::time::sleep(left.min(step).std()).await;
        }
    }
}
