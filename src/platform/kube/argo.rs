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
use kube::core::ApiResource;
use serde_json::Value;

use super::super::helm::Steer;
use super::super::{ObserveError, Picture};
use super::change::Next;
use super::cluster::{CallError, Cluster, resource, resource_of};
use super::config::{Kind, KubeConfig};
use super::deployments::{labels, owners_of, stuck, stuck_of};
use super::drive::Craft;
use super::items::Items;
use super::lean::{self, Lean};
use super::observe::Glance;
use crate::domain::Effect;
use decide::Wish;
use view::View;

/// How a Rollout is now, from what is watched; none where there is no such Rollout.
///
/// # Errors
/// When the cluster does not say.
pub async fn observe(
    glance: &mut Glance<'_>,
    cluster: &Cluster,
    config: &KubeConfig,
) -> Result<Option<Picture>, ObserveError> {
    let (watches, ns) = (glance.watches, glance.ns);
    let feed = watches.leans(resource(Kind::Rollout), ns);
    let found = glance.read(&feed, |items| items.get(&config.name).cloned());
    let Some(rollout) = found.await? else {
        return Ok(None);
    };
    let referred = match view::reference(&rollout.object) {
        Some(name) => {
            let feed = watches.works(Kind::Deployment, ns);
            let found = glance.read(&feed, |items| items.get(name).cloned()).await?;
            let gone = || ObserveError::NotStarted(format!("there is no Deployment {name}").into());
            Some(found.ok_or_else(gone)?)
        }
        None => None,
    };
    let (sets, pods) = glance.parts(&rollout.work.uid, true).await?;
    let telling = view::telling(&rollout.object);
    let runs: Vec<Arc<Lean>> = match telling.is_empty() {
        true => Vec::new(),
        false => {
            let feed = watches.leans(runs(), ns);
            feed.first().await;
            // who may not read them still sees the rest
            let named = |items: &Items<Lean>| {
                telling
                    .iter()
                    .filter_map(|name| items.get(name).cloned())
                    .collect()
            };
            feed.read(named).unwrap_or_default()
        }
    };
    let runs: Vec<&DynamicObject> = runs.iter().map(|run| &run.object).collect();
    let all = sets.iter().map(|set| view::Set::from(&**set)).collect();
    let mut view = View::of(
        &rollout.object,
        referred.as_deref().map(Into::into),
        all,
        &runs,
    );
    let hear = |uid: &str| cluster.hearsay().of(ns, uid);
    view.stuck = stuck_of(sets.iter().map(|set| &**set), &pods, &hear);
    view.owners = owners_of(cluster, ns, &rollout.work, Kind::Rollout).to_vec();
    if let Some(deployment) = &referred {
        let more = owners_of(cluster, ns, deployment, Kind::Deployment);
        view.owners.extend(more.iter().cloned());
    }
    Ok(Some(picture::picture(&view, config)))
}

/// Runs of analyses as the library asks for them.
fn runs() -> ApiResource {
    resource_of("argoproj.io", "v1alpha1", "AnalysisRun", "analysisruns")
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
    let referred = match view::reference(&rollout) {
        Some(name) => {
            let kind = resource(Kind::Deployment);
            Some(cluster.get(&kind, namespace, name).await?)
        }
        None => None,
    };
    let labels = selector(&rollout, referred.as_ref());
    let sets = resource_of("apps", "v1", "ReplicaSet", "replicasets");
    let sets = cluster.list(&sets, namespace, &labels).await?;
    let mut found = Vec::new();
    for name in view::telling(&rollout) {
        match cluster.get(&runs(), namespace, name).await {
            Ok(run) => found.push(run),
            // one that is gone or may not be read: the Rollout itself says how it went
            Err(CallError::NotFound(_) | CallError::Forbidden(_)) => {}
            Err(error) => return Err(error),
        }
    }
    let mut view = View::new(&rollout, referred.as_ref(), &sets, &found);
    view.stuck = stuck(cluster, namespace, &view.uid).await;
    let owners = |object: &DynamicObject, kind| {
        owners_of(cluster, namespace, &lean::outside(object), kind).to_vec()
    };
    view.owners = owners(&rollout, Kind::Rollout);
    if let Some(deployment) = &referred {
        view.owners.extend(owners(deployment, Kind::Deployment));
    }
    Ok(view)
}

/// The labels by which its ReplicaSets are found.
fn selector(rollout: &DynamicObject, referred: Option<&DynamicObject>) -> String {
    match (&rollout.data["spec"]["selector"], referred) {
        (Value::Null, Some(deployment)) => labels(&deployment.data),
        _ => labels(&rollout.data),
    }
}
