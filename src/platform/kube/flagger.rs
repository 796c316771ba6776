//! Flagger's Canaries: a batch goes as far as the gates let it.
//!
//! Flagger is not led by patching its status: the image goes into the target's template, and what
//! follows depends on the webhooks that Flagger asks on its way, once in every round. holdpoint
//! answers them ([`super::gates`]): a gate is open while a call wants just that step, and closed at
//! all other times, so that a Canary waits on holdpoint's holds.

mod decide;
#[cfg(test)]
mod decide_tests;
mod picture;
mod view;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kube::api::{DynamicObject, ListParams};
use serde_json::Value;
use tokio::time::Instant;

use super::super::helm::{Helm, Steer};
use super::super::{ObserveError, Picture};
use super::cluster::{CallError, Cluster, resource, resource_of};
use super::config::{Kind, KubeConfig};
use super::gates::Gates;
use super::journal::Journal;
use super::lead::{Driven, Next, lead, owners, stuck};
use crate::domain::text::printable;
use crate::domain::{Effect, Failure, Outcome};
use decide::{Times, Wish};
use view::View;

/// What Flagger may take longer for than a round.
const SLACK: Duration = Duration::from_secs(5);

/// How many warnings are kept of a failure.
const WARNINGS: usize = 3;

/// Carries out one call on a Canary, to its end.
pub async fn perform(
    cluster: &Cluster,
    config: &KubeConfig,
    gates: &Gates,
    effect: &Effect,
    journal: Journal,
    helm: Helm,
) -> Outcome {
    let artifact = &effect.artifact;
    let call = Call {
        cluster,
        config,
        gates,
        wish: Wish {
            effect,
            image: config.image_of(&artifact.version, &artifact.digest),
            container: config.container.as_deref(),
            repository: &config.image,
            gated: gates.kept(),
        },
        begun: Instant::now(),
        still: Mutex::new((String::new(), Instant::now())),
    };
    let outcome = lead(
        &call,
        cluster,
        &config.namespace,
        config.deadline,
        journal,
        helm,
    )
    .await;
    gates.set(effect, &[]);
    outcome
}

/// How a Canary is now.
///
/// # Errors
/// When the cluster does not say.
pub async fn observe(cluster: &Cluster, config: &KubeConfig) -> Result<Picture, ObserveError> {
    let seen = look(cluster, config).await.map_err(|error| {
        ObserveError::Failed(Failure::Refused(error.to_string().into()), "".into())
    })?;
    Ok(picture::picture(&seen, config))
}

struct Call<'a> {
    cluster: &'a Cluster,
    config: &'a KubeConfig,
    gates: &'a Gates,
    wish: Wish<'a>,
    begun: Instant,
    /// What Flagger is at, and since when.
    still: Mutex<(String, Instant)>,
}

impl Call<'_> {
    fn times(&self, seen: &View) -> Times {
        let at = format!("{} {} {}", seen.phase, seen.applied, seen.target.version);
        let mut still = self.still.lock().unwrap_or_else(PoisonError::into_inner);
        if still.0 != at {
            *still = (at, Instant::now());
        }
        Times {
            asked: self.begun.elapsed() > seen.interval * 2 + SLACK,
            quiet: still.1.elapsed() > seen.interval + SLACK,
        }
    }
}

impl Driven for Call<'_> {
    type Seen = View;

    async fn look(&self) -> Result<View, CallError> {
        look(self.cluster, self.config).await
    }

    fn next(&self, seen: &View, steer: Steer) -> Next {
        let course = self.wish.next(seen, steer, self.times(seen));
        self.gates.set(self.wish.effect, &course.open);
        course.next
    }

    fn sign(&self, seen: &View) -> String {
        let target = &seen.target;
        let pods = (target.there, target.updated, target.ready, target.available);
        let way = (&seen.phase, seen.weight, seen.rounds, seen.failed);
        format!("{way:?} {pods:?} {}", seen.applied)
    }

    fn details(&self, seen: &View) -> String {
        let missing = self.wish.missing(seen);
        picture::details(seen, self.gates, &self.wish.effect.target, &missing)
    }
}

/// Reads a Canary, the others of its namespace (two with one target are a mistake that Flagger
/// lets happen), its two workloads, and what was said of it if it has failed.
async fn look(cluster: &Cluster, config: &KubeConfig) -> Result<View, CallError> {
    let namespace = &config.namespace;
    let canaries = cluster.list(&resource(Kind::Canary), namespace, "").await?;
    let called = |one: &&DynamicObject| one.metadata.name.as_deref() == Some(&config.name);
    let none = || CallError::NotFound(format!("Canary {}", printable(&config.name, 63)).into());
    let canary = canaries.iter().find(called).ok_or_else(none)?;
    let reference = &canary.data["spec"]["targetRef"];
    let kind = match reference["kind"].as_str() {
        Some("DaemonSet") => resource(Kind::DaemonSet),
        _ => resource(Kind::Deployment),
    };
    let name = reference["name"].as_str().unwrap_or(&config.name);
    let target = cluster.get(&kind, namespace, name).await?;
    let primary = match cluster
        .get(&kind, namespace, &format!("{name}-primary"))
        .await
    {
        Ok(primary) => Some(primary),
        // Flagger has not made it yet
        Err(CallError::NotFound(_)) => None,
        Err(error) => return Err(error),
    };
    let warnings = match canary.data["status"]["phase"].as_str() {
        Some("Failed") => warnings(cluster, config).await?,
        _ => Vec::new(),
    };
    let view = View::new(&config.name, &canaries, &target, primary.as_ref(), warnings);
    let mut view = view.ok_or_else(none)?;
    let uid = target.metadata.uid.as_deref().unwrap_or_default();
    view.stuck = stuck(cluster, namespace, uid).await;
    let kind = view.kind.clone().unwrap_or(Kind::Deployment);
    view.owners = owners(cluster, namespace, &target, kind).await;
    Ok(view)
}

/// What Flagger warned of lately, the newest first; nothing where events may not be read.
async fn warnings(cluster: &Cluster, config: &KubeConfig) -> Result<Vec<Arc<str>>, CallError> {
    let kind = resource_of("", "v1", "Event", "events");
    let about = format!(
        "involvedObject.kind=Canary,involvedObject.name={},type=Warning",
        config.name
    );
    let asked = ListParams::default().fields(&about).limit(200);
    let events = match cluster.select(&kind, &config.namespace, &asked).await {
        Ok(events) => events,
        Err(CallError::Forbidden(_)) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found: Vec<_> = events.iter().collect();
    let at = |event: &&DynamicObject| match &event.data["lastTimestamp"] {
        Value::String(at) => at.clone(),
        _ => String::new(),
    };
    found.sort_by_key(|event| std::cmp::Reverse(at(event)));
    let words = |event: &DynamicObject| {
        event.data["message"]
            .as_str()
            .map(|text| printable(text, 300))
    };
    let words = found.into_iter().filter_map(words);
    // that it goes down is known; why is what came before
    let words = words.filter(|words| !words.starts_with("Canary failed!"));
    Ok(words.take(WARNINGS).map(Arc::from).collect())
}
