//! The connection to a cluster: its clients, made when they are first needed and anew when the cluster
//! does not know them any more.
//!
//! Who logs in may be asked for by a command of the kubeconfig, which may take its time, hang, or open
//! a browser for somebody who is asleep. So one attempt is made at a time, not on a thread that others
//! need, and not again at once after one that failed.

use std::sync::Arc;
use std::time::Duration;

use kube::api::{DynamicObject, ListParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::ApiResource;
use kube::{Client, Config};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::cluster::{CallError, api, not_reached, silence, sorted, within};
use super::config::ClusterConfig;

/// For how long a login is waited for; it may go on longer.
const LOGIN: Duration = Duration::from_secs(10);

/// The shortest time between two logins after one that was in vain.
const AGAIN: Duration = Duration::from_secs(3);

/// The connection to a cluster.
pub struct Link {
    config: Arc<ClusterConfig>,
    slot: Mutex<Slot>,
}

#[derive(Default)]
struct Slot {
    clients: Option<Clients>,
    /// A login that goes on.
    making: Option<JoinHandle<Result<Clients, CallError>>>,
    /// The last login that was in vain.
    failed: Option<(Instant, CallError)>,
}

/// The two clients of a cluster.
#[derive(Clone)]
pub struct Clients {
    /// When they were made; tells those of one reading of the kubeconfig from those of another.
    made: Arc<Instant>,
    /// For reading and watching.
    pub reading: Client,
    /// For changes: sends everything once.
    pub writing: Client,
}

impl Link {
    /// Not connected yet.
    pub fn new(config: ClusterConfig) -> Link {
        Link {
            config: Arc::new(config),
            slot: Mutex::default(),
        }
    }

    /// How the cluster is reached.
    pub fn config(&self) -> &ClusterConfig {
        &self.config
    }

    /// Its clients, made at the first call.
    ///
    /// # Errors
    /// When the kubeconfig cannot be read or makes no client, or its login takes too long.
    pub async fn clients(&self) -> Result<Clients, CallError> {
        let mut slot = self.slot.lock().await;
        if let Some(clients) = &slot.clients {
            return Ok(clients.clone());
        }
        if let Some((at, error)) = &slot.failed
            && at.elapsed() < AGAIN
        {
            return Err(error.clone());
        }
        let begin = || tokio::spawn(make(self.config.clone()));
        let mut making = slot.making.take().unwrap_or_else(begin);
        let made = match tokio::time::timeout(LOGIN, &mut making).await {
            Ok(Ok(made)) => made,
            Ok(Err(error)) => Err(not_reached(&error)),
            Err(_) => {
                // it is waited for again, and no second one is begun beside it
                slot.making = Some(making);
                let words = "the login of its kubeconfig does not come to an end";
                Err(CallError::NotReached(words.into()))
            }
        };
        match made {
            Ok(clients) => {
                slot.failed = None;
                slot.clients = Some(clients.clone());
                Ok(clients)
            }
            Err(error) => {
                slot.failed = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }

    /// An error, after the clients are dropped if it is that the cluster does not know them, so that
    /// the next call reads the kubeconfig again. Where others have been made meanwhile, nothing
    /// happens.
    pub async fn known(&self, known: &Clients, error: CallError) -> CallError {
        if !matches!(error, CallError::Stranger(_)) {
            return error;
        }
        let mut slot = self.slot.lock().await;
        let same = |c: &Clients| Arc::ptr_eq(&c.made, &known.made);
        if slot.clients.as_ref().is_some_and(same) {
            slot.clients = None;
            if known.made.elapsed() < AGAIN {
                // it was made for this answer, and another one would be
                slot.failed = Some((Instant::now(), error.clone()));
            }
        }
        error
    }

    /// Asks the cluster for the least that there is: its version. That it may not be read is an
    /// answer too.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn beat(&self, limit: Duration) -> Result<(), CallError> {
        let clients = self.clients().await?;
        // not through the library's retries: they would hide what is asked for
        let asked = tokio::time::timeout(limit, clients.writing.apiserver_version()).await;
        let answer = match asked {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(sorted(&error)),
            Err(_) => Err(silence(limit)),
        };
        match answer {
            Err(CallError::Forbidden(_)) => Ok(()),
            Err(error) => Err(self.known(&clients, error).await),
            Ok(()) => Ok(()),
        }
    }

    /// Calls the cluster once, with a limit.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn call<T, F: Future<Output = Result<T, kube::Error>>>(
        &self,
        call: impl FnOnce(&Clients) -> F,
    ) -> Result<T, CallError> {
        let clients = self.clients().await?;
        match within(call(&clients)).await {
            Err(error) => Err(self.known(&clients, error).await),
            done => done,
        }
    }

    /// Reads the objects that are asked for.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn list(
        &self,
        kind: &ApiResource,
        ns: &str,
        asked: &ListParams,
    ) -> Result<Vec<DynamicObject>, CallError> {
        let call = |c: &Clients| {
            let api = api(&c.reading, kind, ns);
            async move { api.list(asked).await }
        };
        Ok(self.call(call).await?.items)
    }
}

async fn make(config: Arc<ClusterConfig>) -> Result<Clients, CallError> {
    let reading = settings(&config).await?;
    let mut writing = reading.clone();
    writing.default_retry = false;
    let made = |config: Config| Client::try_from(config).map_err(|e| not_reached(&e));
    // a login by a command blocks its thread until that ends
    let both = move || -> Result<Clients, CallError> {
        Ok(Clients {
            reading: made(reading)?,
            writing: made(writing)?,
            made: Arc::new(Instant::now()),
        })
    };
    let both = tokio::task::spawn_blocking(both).await;
    both.unwrap_or_else(|error| Err(not_reached(&error)))
}

async fn settings(config: &ClusterConfig) -> Result<Config, CallError> {
    let options = KubeConfigOptions {
        context: config.context.clone(),
        ..KubeConfigOptions::default()
    };
    match &config.kubeconfig {
        Some(path) => {
            let file = Kubeconfig::read_from(path).map_err(|e| not_reached(&e))?;
            let config = Config::from_custom_kubeconfig(file, &options).await;
            config.map_err(|e| not_reached(&e))
        }
        None if config.context.is_some() => {
            let config = Config::from_kubeconfig(&options).await;
            config.map_err(|e| not_reached(&e))
        }
        None => Config::infer().await.map_err(|e| not_reached(&e)),
    }
}
