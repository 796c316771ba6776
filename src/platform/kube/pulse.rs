//! The pulse of a cluster: whether it answers at all.
//!
//! A watch over which nothing comes may be one of a quiet cluster or of a dead connection. A small
//! question every few seconds tells the two apart.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::cluster::CallError;
use super::link::Link;

/// How often the cluster is asked.
const EVERY: Duration = Duration::from_secs(2);

/// For how long no answer is overlooked.
const PATIENCE: Duration = Duration::from_secs(6);

/// For how long a first answer is waited for.
const FIRST: Duration = Duration::from_secs(8);

/// What is known of a cluster's pulse.
#[derive(Clone, Debug, Default)]
struct Beat {
    heard: Option<Instant>,
    failing: Option<Arc<str>>,
}

/// The pulse of a cluster; begins to be felt when it is first asked for.
pub struct Pulse {
    link: Arc<Link>,
    task: std::sync::OnceLock<(watch::Receiver<Beat>, JoinHandle<()>)>,
}

impl Drop for Pulse {
    fn drop(&mut self) {
        if let Some((_, task)) = self.task.get() {
            task.abort();
        }
    }
}

impl Pulse {
    /// Not felt yet.
    pub fn new(link: Arc<Link>) -> Pulse {
        Pulse {
            link,
            task: std::sync::OnceLock::new(),
        }
    }

    fn beat(&self) -> watch::Receiver<Beat> {
        let begin = || {
            let (tell, beat) = watch::channel(Beat::default());
            (beat, tokio::spawn(feel(self.link.clone(), tell)))
        };
        self.task.get_or_init(begin).0.clone()
    }

    /// When the cluster answered last.
    ///
    /// # Errors
    /// When that is too long ago, with why.
    pub fn answers(&self) -> Result<Instant, Arc<str>> {
        let beat = self.beat().borrow().clone();
        match (beat.heard, beat.failing) {
            (Some(at), _) if at.elapsed() < PATIENCE => Ok(at),
            (_, Some(why)) => Err(why),
            (Some(_), None) => Err("the cluster does not answer".into()),
            (None, None) => Err("the cluster has not answered yet".into()),
        }
    }

    /// Waits until it has been asked at least once.
    pub async fn asked(&self) {
        let mut beat = self.beat();
        let told = beat.wait_for(|b| b.heard.is_some() || b.failing.is_some());
        // who reads afterwards is told that there was none
        let _ = tokio::time::timeout(FIRST, told).await;
    }
}

async fn feel(link: Arc<Link>, tell: watch::Sender<Beat>) {
    loop {
        let answer = link.beat(PATIENCE / 2).await;
        tell.send_modify(|beat| match answer {
            Ok(()) => {
                *beat = Beat {
                    heard: Some(Instant::now()),
                    failing: None,
                };
            }
            Err(error) => beat.failing = Some(failing(&error)),
        });
        tokio::time::sleep(EVERY).await;
    }
}

fn failing(error: &CallError) -> Arc<str> {
    error.to_string().into()
}
