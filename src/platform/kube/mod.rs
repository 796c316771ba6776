//! Workloads in Kubernetes clusters: Deployments, StatefulSets, DaemonSets, and the rollouts of Argo
//! and Flagger.
//!
//! A target is one workload; a batch moves a share of it. What runs in the cluster goes on by itself,
//! so every call is a wish written into the workload together with the effect's id (an annotation,
//! in the same request): whoever comes later, after a crash or an answer that got lost, reads there
//! whether it was made, and goes on driving to what it wishes.

pub mod cluster;
pub mod config;

use std::sync::Arc;

use super::helm::Helm;
use super::{Checked, ObserveError, Picture};
use crate::domain::{Effect, Failure, Health, InstanceName, Outcome, Sight, TargetName};
use cluster::Cluster;
use config::KubeConfig;

/// A target that is one workload in a cluster.
#[derive(Clone, Debug)]
pub struct KubeTarget {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    name: TargetName,
    config: KubeConfig,
    cluster: Cluster,
}

impl KubeTarget {
    /// A target on a cluster.
    pub fn new(name: TargetName, config: KubeConfig, cluster: Cluster) -> KubeTarget {
        KubeTarget {
            inner: Arc::new(Inner {
                name,
                config,
                cluster,
            }),
        }
    }

    /// The target's name.
    pub fn name(&self) -> &TargetName {
        &self.inner.name
    }

    /// Its only instance, called as the workload is.
    fn instance(&self) -> InstanceName {
        InstanceName::from(self.inner.config.name.as_str())
    }

    /// Brings the workload to what the effect wishes and waits until it is there; once however often
    /// this is called.
    pub async fn perform(&self, _effect: &Effect, _helm: Helm) -> Outcome {
        Outcome::Failed {
            why: Failure::NotStarted("".into()),
            output: "".into(),
        }
    }

    /// Whether the effect was begun: its id stands in the workload then.
    pub async fn check(&self, _effect: &Effect) -> Checked {
        Checked::NeverStarted
    }

    /// What the effect has met so far, in printable lines.
    pub async fn output(&self, _effect: &Effect) -> Vec<String> {
        Vec::new()
    }

    /// How the workload is now.
    ///
    /// # Errors
    /// When the cluster does not say.
    pub async fn observe(&self) -> Result<Picture, ObserveError> {
        let _ = &self.inner.cluster;
        Err(ObserveError::NotStarted("".into()))
    }

    /// The workload as unknown, for the reason why nothing was seen.
    pub fn unseen(&self, why: &ObserveError) -> Vec<Sight> {
        vec![Sight {
            instance: self.instance(),
            health: Health::Unknown,
            artifact: None,
            arriving: None,
            detail: why.to_string().into(),
        }]
    }
}
