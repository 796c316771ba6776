//! Deployments as they are driven and shown.

use std::sync::Arc;
use std::time::{Duration, Instant};

use kube::core::ApiResource;

use super::change::{Change, Next};
use super::cluster::{CallError, Cluster, resource, resource_of};
use super::config::Kind;
use super::decode::{self, Pod, Set, Work};
use super::deployment::{self, Seen};
use super::drive::Craft;
use super::hearsay::Hearing;
use super::items::Items;
use super::steady::Steady;
use super::stuck::gather;
use super::wish::Wish;
use super::{owners, pods};
use crate::domain::workload::{Owner, Stuck};
use crate::platform::helm::Steer;

/// A Deployment on its way to what an effect wishes.
pub struct Deployments {
    /// Where it is.
    pub cluster: Cluster,
    /// What is wished of it.
    pub wish: Wish,
    /// Its name: of two that a Service shows in turn, the one that is changed.
    pub name: String,
    /// Which of its pods have answered for long enough.
    pub steady: Steady,
}

impl Deployments {
    fn ns(&self) -> &str {
        &self.wish.config.namespace
    }

    /// Reads the Deployment and its ReplicaSets.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn look(&self) -> Result<Seen, CallError> {
        let kind = resource(Kind::Deployment);
        let object = self.cluster.get(&kind, self.ns(), &self.name).await?;
        let labels = labels(&object.data);
        let sets = self.cluster.list(&sets(), self.ns(), &labels).await?;
        let owners = |work: &Work| owners_of(&self.cluster, self.ns(), work, Kind::Deployment);
        let container = self.wish.config.container.as_deref();
        Seen::of(&object, &sets, owners, container).map_err(odd)
    }

    /// How many new pods have answered for long enough. They are watched, not read: with a watch that
    /// is broken there are none, and it stands where it is.
    fn up(&self, seen: &Seen) -> u32 {
        let Some(new) = seen.new_set() else {
            return 0;
        };
        let long = Duration::from_secs(seen.steady(&self.wish).into());
        let feed = self.cluster.watches().pods(self.ns());
        let up = feed.read(|items| {
            let pods = items.of(&new.uid).map(|pod| &**pod);
            self.steady.count(pods, Instant::now(), long)
        });
        up.unwrap_or(0).min(new.ready)
    }

    /// What is stuck among the pods of the present template.
    pub fn stuck(&self, seen: &Seen) -> Vec<Stuck> {
        let Some(new) = seen.new_set() else {
            return no_set(&seen.work).into_iter().collect();
        };
        // watched, not read: with a watch that is broken only the deadline speaks
        let feed = self.cluster.watches().pods(self.ns());
        let pods = feed.read(|items| items.of(&new.uid).cloned().collect::<Vec<_>>());
        let hear = |uid: &str| self.cluster.hearsay().of(self.ns(), uid);
        stuck_of(std::iter::once(new), &pods.unwrap_or_default(), &hear)
    }
}

/// ReplicaSets as the library asks for them.
fn sets() -> ApiResource {
    resource_of("apps", "v1", "ReplicaSet", "replicasets")
}

/// What an object is that has not the shape of its kind.
pub fn odd(error: serde_json::Error) -> CallError {
    CallError::Refused(format!("the cluster shows it in a shape that is not known: {error}").into())
}

/// The labels by which a workload finds its pods, as a list is asked for. Where it finds them in
/// another way as well, the list is longer: what belongs to somebody else is left out afterwards.
pub fn labels(data: &serde_json::Value) -> String {
    let labels = data["spec"]["selector"]["matchLabels"].as_object();
    let labels = labels.into_iter().flatten();
    let pairs = labels.filter_map(|(key, value)| Some(format!("{key}={}", value.as_str()?)));
    pairs.collect::<Vec<_>>().join(",")
}

/// Who else changes a workload. That autoscalers may not be read hides no more than them.
pub fn owners_of(cluster: &Cluster, ns: &str, work: &Work, kind: Kind) -> Arc<[Owner]> {
    let scalers = cluster.watches().scalers(ns);
    let found = scalers.read(|items| items.of("").cloned().collect::<Vec<_>>());
    let found = found.unwrap_or_default();
    owners::of(work, kind.kind(), found.iter().map(|s| &**s))
}

/// Nodes that do not answer; none where they may not be read.
pub async fn lost_nodes(cluster: &Cluster) -> Vec<Arc<str>> {
    let nodes = cluster.watches().nodes();
    nodes.first().await;
    let lost = nodes.read(|items| {
        let lost = items.of("").filter(|n| !n.ready);
        lost.map(|n| n.name.clone()).collect()
    });
    lost.unwrap_or_default()
}

/// That a Deployment cannot even make the ReplicaSet of its template, and why.
pub fn no_set(work: &Work) -> Option<Stuck> {
    let refused = pods::refusal(&decode::failure(&work.conditions)?);
    Some(Stuck {
        count: 1,
        reason: refused.reason,
        words: refused.words,
        way_out: None,
    })
}

/// What is stuck among some ReplicaSets.
pub fn stuck_of<'a>(
    sets: impl Iterator<Item = &'a Set>,
    pods: &[Arc<Pod>],
    heard: &Hearing<'_>,
) -> Vec<Stuck> {
    let refused = sets.filter_map(|set| {
        let missing = set.wanted.saturating_sub(set.there);
        let failure = set.failure.as_deref().filter(|_| missing > 0)?;
        Some((missing, pods::refusal(failure)))
    });
    gather(pods.iter().map(|p| &**p), refused, heard, |_| None)
}

/// The pods of some ReplicaSets, and those that a workload controls itself.
pub fn pods_of(items: &Items<Pod>, uid: &str, sets: &[Arc<Set>]) -> Vec<Arc<Pod>> {
    let of_sets = sets.iter().flat_map(|set| items.of(&set.uid));
    of_sets.chain(items.of(uid)).cloned().collect()
}

/// What is stuck among the pods of a workload, as far as watches tell.
pub async fn stuck(cluster: &Cluster, namespace: &str, uid: &str) -> Vec<Stuck> {
    let watches = cluster.watches();
    let (sets, pods) = (watches.sets(namespace), watches.pods(namespace));
    tokio::join!(sets.first(), pods.first());
    let sets = sets.read(|items| items.of(uid).cloned().collect::<Vec<_>>());
    let sets = sets.unwrap_or_default();
    let found = pods.read(|items| pods_of(items, uid, &sets));
    let hear = |uid: &str| cluster.hearsay().of(namespace, uid);
    let found = found.unwrap_or_default();
    stuck_of(sets.iter().map(|set| &**set), &found, &hear)
}

impl Craft for Deployments {
    type Seen = Seen;

    async fn read(&self) -> Result<Seen, CallError> {
        let mut seen = self.look().await?;
        seen.up = self.up(&seen);
        Ok(seen)
    }

    fn uid(&self, seen: &Seen) -> Arc<str> {
        seen.work.uid.clone()
    }

    fn mark(&self, seen: &Seen) -> String {
        format!("{:?}", seen.mark())
    }

    fn next(&self, seen: &Seen, steer: Steer) -> Next {
        let next = if self.wish.back {
            deployment::back(&self.wish, seen, steer)
        } else {
            deployment::forward(&self.wish, seen, steer)
        };
        pods::judged(next, &self.stuck(seen))
    }

    fn brake(&self, seen: &Seen) -> Option<Change> {
        deployment::hold(&self.wish, seen)
    }
}
