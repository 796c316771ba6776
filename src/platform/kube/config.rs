//! How a cluster is reached and which workload of it a target is.

use std::path::PathBuf;
use std::sync::Arc;

use crate::domain::Span;
use crate::domain::text::printable;

/// How a cluster is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClusterConfig {
    /// What the room calls it.
    pub name: String,
    /// The kubeconfig; without one, that of the environment, or the service account of the pod that
    /// the engine runs in.
    pub kubeconfig: Option<PathBuf>,
    /// The context in it; without one, its current one.
    pub context: Option<String>,
}

/// The kind of a workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// `apps/v1` Deployment.
    Deployment,
    /// `apps/v1` StatefulSet.
    StatefulSet,
    /// `apps/v1` DaemonSet.
    DaemonSet,
    /// Argo's Rollout.
    Rollout,
    /// Flagger's Canary.
    Canary,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 5] = [
        Kind::Deployment,
        Kind::StatefulSet,
        Kind::DaemonSet,
        Kind::Rollout,
        Kind::Canary,
    ];

    /// The word in room.toml: `deployment`.
    pub const fn word(self) -> &'static str {
        match self {
            Kind::Deployment => "deployment",
            Kind::StatefulSet => "statefulset",
            Kind::DaemonSet => "daemonset",
            Kind::Rollout => "rollout",
            Kind::Canary => "canary",
        }
    }

    /// The kind as Kubernetes spells it.
    pub const fn kind(self) -> &'static str {
        match self {
            Kind::Deployment => "Deployment",
            Kind::StatefulSet => "StatefulSet",
            Kind::DaemonSet => "DaemonSet",
            Kind::Rollout => "Rollout",
            Kind::Canary => "Canary",
        }
    }

    /// Its API group and version.
    pub const fn group(self) -> (&'static str, &'static str) {
        match self {
            Kind::Deployment | Kind::StatefulSet | Kind::DaemonSet => ("apps", "v1"),
            Kind::Rollout => ("argoproj.io", "v1alpha1"),
            Kind::Canary => ("flagger.app", "v1beta1"),
        }
    }

    /// Its name in paths: `deployments`.
    pub const fn plural(self) -> &'static str {
        match self {
            Kind::Deployment => "deployments",
            Kind::StatefulSet => "statefulsets",
            Kind::DaemonSet => "daemonsets",
            Kind::Rollout => "rollouts",
            Kind::Canary => "canaries",
        }
    }
}

/// Which workload a target is, and how it is changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KubeConfig {
    /// The name of its cluster in the room.
    pub cluster: String,
    /// Its namespace.
    pub namespace: String,
    /// What it is.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// The container that is changed; without one, the only one that the pod has.
    pub container: Option<String>,
    /// The repository of the image: `registry.example/shop/web`.
    pub image: String,
    /// For how long a move may stand without progress before it has failed.
    pub deadline: Span,
    /// The service whose selector is switched, of a workload that is exchanged blue for green.
    pub switch: Option<Switch>,
}

/// Two Deployments of which a Service shows one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Switch {
    /// The Service whose selector is switched.
    pub service: String,
    /// The other Deployment.
    pub other: String,
}

impl KubeConfig {
    /// `shop/web in scratch`.
    pub fn place(&self) -> Arc<str> {
        let words = format!("{}/{} in {}", self.namespace, self.name, self.cluster);
        printable(&words, 200).into()
    }

    /// The image of an artifact, pinned by its digest where it has one.
    pub fn image_of(&self, version: &str, digest: &str) -> String {
        let pin = if digest.is_empty() {
            String::new()
        } else {
            format!("@{digest}")
        };
        // what ran by its digest alone has no version
        let tag = if version.is_empty() { "" } else { ":" };
        format!("{}{tag}{version}{pin}", self.image)
    }
}
