//! What is done to a workload next: one change, sent once, or a wait.

use std::sync::Arc;

use kube::api::Patch;
use kube::core::ApiResource;
use serde_json::{Value, json};

use super::cluster::{CallError, Cluster, resource, resource_of};
use super::config::Kind;
use super::decode::Work;

/// A change of one object, sent once.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// What it does, in a few words.
    pub words: String,
    /// What kind of object.
    pub kind: ApiResource,
    /// Its name.
    pub name: String,
    /// Its part: `status`.
    pub part: Option<&'static str>,
    /// How the body is meant.
    pub form: Form,
    /// The patch, with the version that it is made for.
    pub body: Value,
}

/// How the body of a patch is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As a merge patch (RFC 7396): lists are replaced.
    Merge,
    /// As a strategic merge patch: containers are merged by their names.
    Strategic,
    /// As a JSON patch (RFC 6902).
    Json,
}

impl Change {
    /// A change of a workload.
    pub fn of(
        kind: Kind,
        work: &Work,
        words: impl Into<String>,
        form: Form,
        body: Value,
    ) -> Change {
        Change {
            words: words.into(),
            kind: resource(kind),
            name: work.name.to_string(),
            part: None,
            form,
            body,
        }
    }

    /// A merge patch, told as it is sent: `PATCH rollouts/web/status {"pauseConditions":null}`; of
    /// annotations alone, which ones.
    pub fn merge(kind: ApiResource, name: &str, part: Option<&'static str>, body: Value) -> Change {
        let slash = part.map(|part| format!("/{part}")).unwrap_or_default();
        let what = ["status", "spec"].into_iter().map(|key| &body[key]);
        let what = what.into_iter().find(|value| !value.is_null());
        let what = what.unwrap_or(&body["metadata"]["annotations"]);
        Change {
            words: format!("PATCH {}/{name}{slash} {what}", kind.plural),
            name: name.to_owned(),
            kind,
            part,
            form: Form::Merge,
            body,
        }
    }

    /// Sends it, once.
    ///
    /// # Errors
    /// See [`CallError`]; [`CallError::Unknown`] means that it may have been made.
    pub async fn send(&self, cluster: &Cluster, ns: &str) -> Result<(), CallError> {
        let patch = match self.form {
            Form::Merge => Patch::Merge(&self.body),
            Form::Strategic => Patch::Strategic(&self.body),
            Form::Json => {
                let odd = |error: serde_json::Error| CallError::Refused(error.to_string().into());
                Patch::Json(serde_json::from_value(self.body.clone()).map_err(odd)?)
            }
        };
        let sent = cluster.patch(&self.kind, ns, &self.name, self.part, &patch);
        sent.await.map(|_| ())
    }
}

/// The body of a conditional merge patch, with annotations and, if there is any, a spec.
pub fn body(version: &str, marks: &Value, spec: &Value) -> Value {
    let mut body = json!({"metadata": {"resourceVersion": version, "annotations": marks}});
    if spec.as_object().is_some_and(|spec| !spec.is_empty()) {
        body["spec"] = spec.clone();
    }
    body
}

/// A pod that is deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doomed {
    /// Its name.
    pub name: Arc<str>,
    /// Its uid.
    pub uid: Arc<str>,
    /// Its version.
    pub version: Arc<str>,
}

/// What is to be done next.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    /// Write this, then read again.
    Change(Box<Change>),
    /// Write this, and then it is as wished.
    Last(Box<Change>),
    /// Delete these pods, each only if it is still this one, then read again; in words, what that is.
    Delete(String, Vec<Doomed>),
    /// Wait for others; in words, for what. Without any progress it has failed for this reason.
    Wait(Arc<str>),
    /// Wait, however long it takes: for a person, a time that was set, an analysis.
    Patience(Arc<str>),
    /// It is as wished.
    Done,
    /// Nobody but a person can say how it goes on from here.
    Undecided(Arc<str>),
    /// It has failed, if the next readings say so too.
    Bad(Arc<str>),
    /// It has failed.
    Failed(Arc<str>),
    /// It must not be begun.
    Never(Arc<str>),
}

impl From<Change> for Next {
    fn from(change: Change) -> Next {
        Next::Change(Box::new(change))
    }
}

/// Deletes pods, each only if it is still this one; one that has gone by itself is gone.
///
/// # Errors
/// See [`CallError`], of the first that fails.
pub async fn delete(pods: &[Doomed], cluster: &Cluster, ns: &str) -> Result<(), CallError> {
    let kind = resource_of("", "v1", "Pod", "pods");
    for pod in pods {
        let gone = cluster.delete(&kind, ns, &pod.name, &pod.uid, &pod.version);
        match gone.await {
            Err(CallError::NotFound(_)) => {}
            other => other?,
        }
    }
    Ok(())
}
