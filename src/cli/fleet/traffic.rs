//! Traffic: real requests to every instance of a fleet, as customers would send them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use super::place::{Place, touch};
use crate::platform::http::plain_client;

/// How often instances are looked for, and looked whether they get traffic.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How many requests may be open at one instance; what comes on top is turned away.
const OPEN: usize = 64;

/// A customer waits this long.
const PATIENCE: Duration = Duration::from_secs(10);

/// Sends requests to every instance below a root that is not drained.
#[derive(Clone, Debug)]
pub struct Traffic {
    /// Where the fleet keeps its files.
    pub root: PathBuf,
    /// How many requests each instance gets in a second, on average.
    pub per_second: f64,
    /// Fixes when they come.
    pub seed: u64,
}

impl Traffic {
    /// Sends requests, and says that somebody cares for the fleet, until it is dropped.
    ///
    /// # Errors
    /// A sentence, when no request can be made at all.
    pub async fn run(self) -> Result<(), String> {
        let client = plain_client()?;
        let mut running: BTreeMap<(String, String), ()> = BTreeMap::new();
        let mut tasks = JoinSet::new();
        loop {
            let root = self.root.clone();
            let seen = tokio::task::spawn_blocking(move || {
                // a fleet that cannot be touched cannot be cared for, and ends by itself
                let _ = touch(&root);
                instances(&root)
            });
            for (name, place) in seen.await.unwrap_or_default() {
                if running.insert(name.clone(), ()).is_none() {
                    let random = self.random(&name);
                    tasks.spawn(customers(client.clone(), place, random, self.per_second));
                }
            }
            sleep(LOOK_EVERY).await;
        }
    }

    fn random(&self, (service, instance): &(String, String)) -> StdRng {
        let names = format!("{}\0{service}\0{instance}", self.seed);
        StdRng::from_seed(Sha256::digest(names).into())
    }
}

fn instances(root: &Path) -> Vec<((String, String), Place)> {
    let mut found = Vec::new();
    for service in Place::services(root) {
        for place in Place::all(root, &service) {
            let name = (service.clone(), place.instance().to_string());
            found.push((name, place));
        }
    }
    found
}

/// The customers of one instance: independent of each other, so the gaps are exponential.
async fn customers(client: reqwest::Client, place: Place, mut random: StdRng, per_second: f64) {
    let open = Arc::new(Semaphore::new(OPEN));
    let mut requests = JoinSet::new();
    let mut url = None;
    let mut looked: Option<Instant> = None;
    let mut next = Instant::now();
    loop {
        let gap = -(1.0 - random.random::<f64>()).ln() / per_second.max(0.001);
        next += Duration::from_secs_f64(gap.min(60.0));
        // after a suspended machine wakes up nobody sends what they missed
        next = next.max(Instant::now() - LOOK_EVERY);
        sleep_until(next).await;
        while requests.try_join_next().is_some() {}
        if looked.is_none_or(|looked| looked.elapsed() >= LOOK_EVERY) {
            looked = Some(Instant::now());
            let looking = place.clone();
            let address = tokio::task::spawn_blocking(move || address(&looking));
            url = address.await.unwrap_or_default();
        }
        let (Some(url), Ok(place)) = (&url, open.clone().try_acquire_owned()) else {
            continue;
        };
        let request = client.get(url).timeout(PATIENCE).send();
        requests.spawn(async move {
            // how it went is counted where it is answered
            if let Ok(answer) = request.await {
                // read to its end, so that the connection can be used again
                let _ = answer.bytes().await;
            }
            drop(place);
        });
    }
}

/// Where the instance answers customers, if it does.
fn address(place: &Place) -> Option<String> {
    let served = place.served().filter(|_| !place.is_drained())?;
    Some(format!("http://127.0.0.1:{}/", served.port))
}
