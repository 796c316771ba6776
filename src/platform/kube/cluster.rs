//! A cluster: two clients of it, and calls that fail in the few ways that matter.
//!
//! The library's clients send a request again after 429, 503 and 504. For reading that is right; a
//! change whose answer got lost may have been made, so the client for changes never sends again.

use std::sync::Arc;
use std::time::Duration;

use kube::Client;
use kube::api::{Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, Preconditions};
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::Value;

use super::config::{ClusterConfig, Kind};
use super::hearsay::Hearsay;
use super::link::{Clients, Link};
use super::pods;
use super::watch::Watches;
use crate::domain::text::printable;

/// How long one call may take. The library has no limit of its own.
pub(super) const LIMIT: Duration = Duration::from_secs(20);

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
    /// A webhook that has to agree does not answer; nothing happened.
    #[error("not possible now: {0}")]
    Hindered(Arc<str>),
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
    hearsay: Arc<Hearsay>,
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = &self.link.config().name;
        f.debug_tuple("Cluster").field(name).finish()
    }
}

impl Cluster {
    /// A cluster that nobody has called yet.
    pub fn new(config: ClusterConfig) -> Cluster {
        let link = Arc::new(Link::new(config));
        Cluster {
            watches: Arc::new(Watches::new(link.clone())),
            hearsay: Arc::new(Hearsay::new(link.clone())),
            link,
        }
    }

    /// How it is reached.
    pub fn config(&self) -> &ClusterConfig {
        self.link.config()
    }

    /// What is watched of it.
    pub fn watches(&self) -> &Watches {
        &self.watches
    }

    /// What was said in it of objects that are stuck.
    pub fn hearsay(&self) -> &Hearsay {
        &self.hearsay
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
        self.link.list(kind, ns, &asked).await
    }

    /// Reads the objects that are asked for.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn select(
        &self,
        kind: &ApiResource,
        ns: &str,
        asked: &ListParams,
    ) -> Result<Vec<DynamicObject>, CallError> {
        self.link.list(kind, ns, asked).await
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

pub(super) fn api(client: &Client, kind: &ApiResource, ns: &str) -> Api<DynamicObject> {
    Api::namespaced_with(client.clone(), ns, kind)
}

pub(super) fn not_reached(error: &dyn std::error::Error) -> CallError {
    CallError::NotReached(words(error))
}

/// An error with its causes, printable.
fn words(error: &dyn std::error::Error) -> Arc<str> {
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
///
/// # Errors
/// See [`CallError`].
pub(super) async fn within<T>(
    call: impl Future<Output = Result<T, kube::Error>>,
) -> Result<T, CallError> {
    match tokio::time::timeout(LIMIT, call).await {
        Ok(Ok(it)) => Ok(it),
        Ok(Err(error)) => Err(sorted(&error)),
        Err(_) => Err(silence(LIMIT)),
    }
}

pub(super) fn silence(limit: Duration) -> CallError {
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
        // a policy's answer, not a missing right
        403 if pods::denied(&said) => CallError::Refused(said),
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
        // webhooks are asked before anything is done
        500..=599 if pods::unasked(&said) => CallError::Hindered(said),
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
