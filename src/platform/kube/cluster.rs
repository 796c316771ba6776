//! A cluster: two clients of it, and calls that fail in the few ways that matter.
//!
//! The library's clients send a request again after 429, 503 and 504. For reading that is right; a
//! change whose answer got lost may have been made, so the client for changes never sends again.

use std::sync::Arc;
use std::time::Duration;

use kube::api::{Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, Preconditions};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Client, Config};
use serde_json::Value;
use tokio::sync::Mutex;

use super::config::{ClusterConfig, Kind};
use super::watch::Watches;
use crate::domain::text::printable;

/// How long one call may take. The library has no limit of its own.
const LIMIT: Duration = Duration::from_secs(20);

/// What changes are made in the name of: the field manager that others see.
pub const MANAGER: &str = "holdpoint";

/// Why a call failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The cluster was not reached, or it does not know who calls; nothing happened.
    #[error("the cluster is not reached: {0}")]
    NotReached(Arc<str>),
    /// The cluster does not know who calls: a token has expired. Nothing happened.
    #[error("the cluster does not know who calls: {0}")]
    Stranger(Arc<str>),
    /// There is no such object.
    #[error("{0}")]
    NotFound(Arc<str>),
    /// It may not be done.
    #[error("not permitted: {0}")]
    Forbidden(Arc<str>),
    /// Somebody else has changed the object in the meantime; nothing happened.
    #[error("changed by somebody else meanwhile: {0}")]
    Conflict(Arc<str>),
    /// The server or one of its webhooks says no; nothing happened.
    #[error("refused: {0}")]
    Refused(Arc<str>),
    /// What was asked for in pieces has changed meanwhile: it has to be asked for anew.
    #[error("expired: {0}")]
    Expired(Arc<str>),
    /// The server asks to wait so many seconds; nothing happened.
    #[error("the cluster asks to wait {0} s")]
    Busy(u32),
    /// Nobody can tell whether it was done.
    #[error("no certain answer: {0}")]
    Unknown(Arc<str>),
}

/// A cluster; cheap to clone. It is reached at the first call.
#[derive(Clone)]
pub struct Cluster {
    link: Arc<Link>,
    watches: Arc<Watches>,
}

/// The connection to a cluster.
pub struct Link {
    config: ClusterConfig,
    clients: Mutex<Option<Clients>>,
}

/// The two clients of a cluster.
#[derive(Clone)]
pub struct Clients {
    /// Tells the clients of one reading of the kubeconfig from those of another.
    made: Arc<()>,
    /// For reading and watching.
    pub reading: Client,
    /// For changes: sends everything once.
    pub writing: Client,
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = &self.link.config.name;
        f.debug_tuple("Cluster").field(name).finish()
    }
}

impl Link {
    /// Its clients, made at the first call.
    ///
    /// # Errors
    /// When the kubeconfig cannot be read or makes no client.
    pub async fn clients(&self) -> Result<Clients, CallError> {
        let mut slot = self.clients.lock().await;
        if let Some(clients) = &*slot {
            return Ok(clients.clone());
        }
        let config = self.settings().await?;
        let made = |config: Config| Client::try_from(config).map_err(|e| not_reached(&e));
        let mut once = config.clone();
        once.default_retry = false;
        let clients = Clients {
            made: Arc::default(),
            reading: made(config)?,
            writing: made(once)?,
        };
        *slot = Some(clients.clone());
        Ok(clients)
    }

    /// Drops these clients, so that the next call reads the kubeconfig again: the cluster does not
    /// know them any more. Where others have been made meanwhile, nothing happens.
    pub async fn forget(&self, known: &Clients) {
        let mut slot = self.clients.lock().await;
        if slot
            .as_ref()
            .is_some_and(|c| Arc::ptr_eq(&c.made, &known.made))
        {
            *slot = None;
        }
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

    /// An error, after the clients are dropped if it is that the cluster does not know them.
    async fn known(&self, clients: &Clients, error: CallError) -> CallError {
        if matches!(error, CallError::Stranger(_)) {
            self.forget(clients).await;
        }
        error
    }

    async fn call<T, F: Future<Output = Result<T, kube::Error>>>(
        &self,
        call: impl FnOnce(&Clients) -> F,
    ) -> Result<T, CallError> {
        let clients = self.clients().await?;
        match within(call(&clients)).await {
            Err(error) => Err(self.known(&clients, error).await),
            done => done,
        }
    }

    async fn settings(&self) -> Result<Config, CallError> {
        let options = KubeConfigOptions {
            context: self.config.context.clone(),
            ..KubeConfigOptions::default()
        };
        match &self.config.kubeconfig {
            Some(path) => {
                let file = Kubeconfig::read_from(path).map_err(|e| not_reached(&e))?;
                let config = Config::from_custom_kubeconfig(file, &options).await;
                config.map_err(|e| not_reached(&e))
            }
            None if self.config.context.is_some() => {
                let config = Config::from_kubeconfig(&options).await;
                config.map_err(|e| not_reached(&e))
            }
            None => Config::infer().await.map_err(|e| not_reached(&e)),
        }
    }
}

impl Cluster {
    /// A cluster that nobody has called yet.
    pub fn new(config: ClusterConfig) -> Cluster {
        let link = Arc::new(Link {
            config,
            clients: Mutex::default(),
        });
        Cluster {
            watches: Arc::new(Watches::new(link.clone())),
            link,
        }
    }

    /// How it is reached.
    pub fn config(&self) -> &ClusterConfig {
        &self.link.config
    }

    /// What is watched of it.
    pub fn watches(&self) -> &Watches {
        &self.watches
    }

    /// Its clients, made at the first call.
    ///
    /// # Errors
    /// When the kubeconfig cannot be read or makes no client.
    pub async fn clients(&self) -> Result<Clients, CallError> {
        self.link.clients().await
    }

    /// Reads one object.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn get(&self, kind: &ApiResource, ns: &str, name: &str) -> Called {
        let call = |c: &Clients| {
            let api = api(&c.reading, kind, ns);
            async move { api.get(name).await }
        };
        self.link.call(call).await
    }

    /// Reads the objects with these labels (`app=web`), all of them without any.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn list(
        &self,
        kind: &ApiResource,
        ns: &str,
        labels: &str,
    ) -> Result<Vec<DynamicObject>, CallError> {
        let asked = ListParams::default().labels(labels);
        let call = |c: &Clients| {
            let api = api(&c.reading, kind, ns);
            async move { api.list(&asked).await }
        };
        Ok(self.link.call(call).await?.items)
    }

    /// Changes one object by a merge patch, or its `part` (`status`, `scale`). A
    /// `metadata.resourceVersion` in the body makes it conditional.
    ///
    /// # Errors
    /// See [`CallError`]; [`CallError::Unknown`] means that it may have been made.
    pub async fn merge(
        &self,
        kind: &ApiResource,
        ns: &str,
        name: &str,
        part: Option<&str>,
        body: &Value,
    ) -> Called {
        self.patch(kind, ns, name, part, &Patch::Merge(body)).await
    }

    /// Changes one object by any patch, once.
    ///
    /// # Errors
    /// See [`CallError`]; [`CallError::Unknown`] means that it may have been made.
    pub async fn patch(
        &self,
        kind: &ApiResource,
        ns: &str,
        name: &str,
        part: Option<&str>,
        patch: &Patch<&Value>,
    ) -> Called {
        let params = PatchParams {
            field_manager: Some(MANAGER.to_owned()),
            ..PatchParams::default()
        };
        let call = |c: &Clients| {
            let api = api(&c.writing, kind, ns);
            async move {
                match part {
                    None => api.patch(name, &params, patch).await,
                    Some(part) => api.patch_subresource(part, name, &params, patch).await,
                }
            }
        };
        self.link.call(call).await
    }

    /// Deletes one object, once, if it is still exactly this one.
    ///
    /// # Errors
    /// See [`CallError`]; [`CallError::Conflict`] where it is another one or has changed.
    pub async fn delete(
        &self,
        kind: &ApiResource,
        ns: &str,
        name: &str,
        uid: &str,
        version: &str,
    ) -> Result<(), CallError> {
        let params = DeleteParams {
            preconditions: Some(Preconditions {
                resource_version: Some(version.to_owned()),
                uid: Some(uid.to_owned()),
            }),
            ..DeleteParams::default()
        };
        let call = |c: &Clients| {
            let api = api(&c.writing, kind, ns);
            async move { api.delete(name, &params).await }
        };
        self.link.call(call).await.map(|_| ())
    }
}

/// What a call on one object brings.
pub type Called = Result<DynamicObject, CallError>;

/// A kind of workload as the library asks for it.
pub fn resource(kind: Kind) -> ApiResource {
    let (group, version) = kind.group();
    let gvk = GroupVersionKind::gvk(group, version, kind.kind());
    ApiResource::from_gvk_with_plural(&gvk, kind.plural())
}

/// A kind of object as the library asks for it.
pub fn resource_of(group: &str, version: &str, kind: &str, plural: &str) -> ApiResource {
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural)
}

fn api(client: &Client, kind: &ApiResource, ns: &str) -> Api<DynamicObject> {
    Api::namespaced_with(client.clone(), ns, kind)
}

fn not_reached(error: &dyn std::error::Error) -> CallError {
    CallError::NotReached(words(error))
}

/// An error with its causes, printable.
pub(super) fn words(error: &dyn std::error::Error) -> Arc<str> {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(deeper) = cause {
        let more = deeper.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = deeper.source();
    }
    printable(&text, 300).into()
}

/// Waits for a call, but not for ever.
async fn within<T>(call: impl Future<Output = Result<T, kube::Error>>) -> Result<T, CallError> {
    match tokio::time::timeout(LIMIT, call).await {
        Ok(Ok(it)) => Ok(it),
        Ok(Err(error)) => Err(sorted(&error)),
        Err(_) => Err(silence(LIMIT)),
    }
}

fn silence(limit: Duration) -> CallError {
    CallError::Unknown(format!("no answer in {} s", limit.as_secs()).into())
}

/// Which of the few ways to fail an error is. Kubernetes API conventions, "HTTP Status codes".
pub(super) fn sorted(error: &kube::Error) -> CallError {
    let kube::Error::Api(status) = error else {
        return match error {
            kube::Error::HyperError(_) | kube::Error::Service(_) => unsent(error),
            kube::Error::Auth(_) => not_reached(error),
            _ => CallError::Unknown(words(error)),
        };
    };
    let said: Arc<str> = printable(&status.message, 300).into();
    match status.code {
        401 => CallError::Stranger(said),
        403 => CallError::Forbidden(said),
        404 => CallError::NotFound(said),
        409 => CallError::Conflict(said),
        410 => CallError::Expired(said),
        429 => CallError::Busy(
            status
                .details
                .as_ref()
                .map_or(1, |d| d.retry_after_seconds.max(1)),
        ),
        // a server that is not ready has refused before anything was done; every other failure of its
        // own leaves it open
        500..=599 => CallError::Unknown(format!("{} {said}", status.code).into()),
        _ => CallError::Refused(said),
    }
}

/// An error of the connection: whether the request can have gone out.
fn unsent(error: &kube::Error) -> CallError {
    let text = words(error);
    let never = ["Connection refused", "dns error", "client error (Connect)"];
    if never.iter().any(|word| text.contains(word)) {
        // the names of the library's layers say nothing to people
        let said = text.trim_start_matches("ServiceError: ");
        let said = said.trim_start_matches("client error (Connect): ");
        CallError::NotReached(said.into())
    } else {
        CallError::Unknown(text)
    }
}
