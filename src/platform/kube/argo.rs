//! Argo Rollouts: a batch goes along the Rollout's own steps.
//!
//! There is no API of Argo's own: everything is a Rollout object, its status (a resource of its own)
//! and what its controller makes of them. A batch writes the image, if the template does not have it
//! yet, and then takes the Rollout past its pauses, one at a time, up to the last one that shows no
//! more than the batch may. Analyses and timed pauses are left to Argo.

mod decide;
#[cfg(test)]
mod decide_tests;
mod picture;
mod steps;
mod view;
#[cfg(test)]
mod view_tests;

use std::sync::Arc;

use kube::api::DynamicObject;
use serde_json::Value;

use super::super::helm::Steer;
use super::super::{ObserveError, Picture};
use super::change::Next;
use super::cluster::{CallError, Cluster, resource, resource_of};
use super::config::{Kind, KubeConfig};
use super::deployments::{labels, owners, stuck};
use super::drive::Craft;
use crate::domain::{Effect, Failure};
use decide::Wish;
use view::View;

/// How a Rollout is now.
///
/// # Errors
/// When the cluster does not say.
pub async fn observe(cluster: &Cluster, config: &KubeConfig) -> Result<Picture, ObserveError> {
    let seen = look(cluster, config).await.map_err(|error| {
        ObserveError::Failed(Failure::Refused(error.to_string().into()), "".into())
    })?;
    Ok(picture::picture(&seen, config))
}

/// A Rollout on its way to what an effect wishes.
pub struct Rollouts<'a> {
    cluster: &'a Cluster,
    config: &'a KubeConfig,
    wish: Wish<'a>,
}

impl<'a> Rollouts<'a> {
    /// What the effect wishes of it.
    pub fn new(cluster: &'a Cluster, config: &'a KubeConfig, effect: &'a Effect) -> Rollouts<'a> {
        let artifact = &effect.artifact;
        Rollouts {
            cluster,
            config,
            wish: Wish {
                effect,
                image: config.image_of(&artifact.version, &artifact.digest),
                container: config.container.as_deref(),
                repository: &config.image,
            },
        }
    }
}

impl Craft for Rollouts<'_> {
    type Seen = View;

    async fn read(&self) -> Result<View, CallError> {
        look(self.cluster, self.config).await
    }

    fn uid(&self, seen: &View) -> Arc<str> {
        seen.uid.clone()
    }

    fn next(&self, seen: &View, steer: Steer) -> Next {
        self.wish.next(seen, steer)
    }

    fn mark(&self, seen: &View) -> String {
        let sets = seen.sets.iter();
        let sets: Vec<_> = sets
            .map(|s| (&s.hash, s.there, s.ready, s.available))
            .collect();
        let runs: Vec<_> = seen
            .analyses
            .iter()
            .map(|run| (&run.name, &run.phase))
            .collect();
        let way = (
            seen.observed,
            seen.step,
            &seen.phase,
            &seen.pauses,
            seen.weight,
        );
        format!("{way:?} {} {} {sets:?} {runs:?}", seen.stable, seen.current)
    }

    fn details(&self, seen: &View) -> String {
        picture::details(seen)
    }
}

/// Reads a Rollout and what belongs to it.
async fn look(cluster: &Cluster, config: &KubeConfig) -> Result<View, CallError> {
    let namespace = &config.namespace;
    let rollout = cluster
        .get(&resource(Kind::Rollout), namespace, &config.name)
        .await?;
    let reference = &rollout.data["spec"]["workloadRef"];
    let referred = match (reference["kind"].as_str(), reference["name"].as_str()) {
        (Some("Deployment"), Some(name)) => {
            let kind = resource(Kind::Deployment);
            Some(cluster.get(&kind, namespace, name).await?)
        }
        _ => None,
    };
    let labels = selector(&rollout, referred.as_ref());
    let sets = resource_of("apps", "v1", "ReplicaSet", "replicasets");
    let sets = cluster.list(&sets, namespace, &labels).await?;
    let runs = runs(cluster, namespace, &rollout).await?;
    let mut view = View::new(&rollout, referred.as_ref(), &sets, &runs);
    let uid = rollout.metadata.uid.as_deref().unwrap_or_default();
    view.stuck = stuck(cluster, namespace, uid).await;
    view.owners = owners(cluster, namespace, &rollout, Kind::Rollout).await;
    if let Some(deployment) = &referred {
        let more = owners(cluster, namespace, deployment, Kind::Deployment).await;
        view.owners.extend(more);
    }
    Ok(view)
}

/// The runs of analyses that a Rollout names in its status; one that is gone or may not be read is
/// left out: the Rollout itself says how it went.
async fn runs(
    cluster: &Cluster,
    namespace: &str,
    rollout: &DynamicObject,
) -> Result<Vec<DynamicObject>, CallError> {
    let kind = resource_of("argoproj.io", "v1alpha1", "AnalysisRun", "analysisruns");
    let status = &rollout.data["status"];
    let mut found = Vec::new();
    for (part, key) in [
        ("canary", "currentStepAnalysisRunStatus"),
        ("canary", "currentBackgroundAnalysisRunStatus"),
        ("blueGreen", "prePromotionAnalysisRunStatus"),
        ("blueGreen", "postPromotionAnalysisRunStatus"),
    ] {
        let Some(name) = status[part][key]["name"].as_str() else {
            continue;
        };
        match cluster.get(&kind, namespace, name).await {
            Ok(run) => found.push(run),
            Err(CallError::NotFound(_) | CallError::Forbidden(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

/// The labels by which its ReplicaSets are found.
fn selector(rollout: &DynamicObject, referred: Option<&DynamicObject>) -> String {
    match (&rollout.data["spec"]["selector"], referred) {
        (Value::Null, Some(deployment)) => labels(&deployment.data),
        _ => labels(&rollout.data),
    }
}
