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

use super::super::helm::Steer;
use super::super::{ObserveError, Picture};
use super::change::Next;
use super::cluster::{CallError, Cluster, resource, resource_of};
use super::config::{Kind, KubeConfig};
use super::decode::Work;
use super::deployments::{odd, owners_of, stuck, stuck_of};
use super::drive::Craft;
use super::gates::Gates;
use super::items::Items;
use super::lean::{self, Lean};
use super::observe::Glance;
use super::template;
use crate::domain::Effect;
use crate::domain::text::printable;
use decide::{Times, Wish};
use view::{Part, View};

/// What Flagger may take longer for than a round.
const SLACK: Duration = Duration::from_secs(5);

/// How many warnings are kept of a failure.
const WARNINGS: usize = 3;

/// How a Canary is now, from what is watched; none where there is no such Canary.
///
/// # Errors
/// When the cluster does not say.
pub async fn observe(
    glance: &mut Glance<'_>,
    cluster: &Cluster,
    config: &KubeConfig,
    warned: &Warnings,
) -> Result<Option<Picture>, ObserveError> {
    let (watches, ns) = (glance.watches, glance.ns);
    let feed = watches.leans(resource(Kind::Canary), ns);
    let read = |items: &Items<Lean>| {
        let canary = items.get(&config.name)?.clone();
        let all = items.of("").map(|other| &other.object);
        let rivals = view::rivals(&canary.object, all);
        Some((canary, rivals))
    };
    let Some((canary, rivals)) = glance.read(&feed, read).await? else {
        return Ok(None);
    };
    let canary = &canary.object;
    let kind = view::kind_of(canary).unwrap_or(Kind::Deployment);
    let name = view::target_of(canary);
    let feed = watches.works(kind, ns);
    let both = |items: &Items<Work>| {
        let primary = items.get(&format!("{name}-primary")).cloned();
        (items.get(name).cloned(), primary)
    };
    let (Some(target), primary) = glance.read(&feed, both).await? else {
        let words = format!("there is no {} {name}", kind.kind());
        return Err(ObserveError::NotStarted(words.into()));
    };
    let (sets, pods) = glance.parts(&target.uid, kind == Kind::Deployment).await?;
    let part = |work: &Work| Part::of(work, template::of(&work.images));
    let mut view = View::new(canary, part(&target), primary.as_deref().map(part));
    view.rivals = rivals;
    let hear = |uid: &str| cluster.hearsay().of(ns, uid);
    view.stuck = stuck_of(sets.iter().map(|set| &**set), &pods, &hear);
    view.owners = owners_of(cluster, ns, &target, kind).to_vec();
    if view.is(&["Failed"]) {
        let told = warned.of(&view.failed_at, cluster, config).await;
        view.warnings = told.map_err(|e| ObserveError::NotStarted(e.to_string().into()))?;
    }
    Ok(Some(picture::picture(&view, config)))
}

/// What Flagger warned of before a Canary failed, read once for each failure.
#[derive(Debug, Default)]
pub struct Warnings(tokio::sync::Mutex<Option<Told>>);

/// When it failed, and what was said of that.
type Told = (Arc<str>, Vec<Arc<str>>);

impl Warnings {
    async fn of(
        &self,
        failed_at: &Arc<str>,
        cluster: &Cluster,
        config: &KubeConfig,
    ) -> Result<Vec<Arc<str>>, CallError> {
        let mut known = self.0.lock().await;
        if let Some((of, words)) = &*known
            && of == failed_at
        {
            return Ok(words.clone());
        }
        let words = warnings(cluster, config).await?;
        *known = Some((failed_at.clone(), words.clone()));
        Ok(words)
    }
}

/// A Canary on its way to what an effect wishes.
pub struct Canaries<'a> {
    cluster: &'a Cluster,
    config: &'a KubeConfig,
    gates: &'a Gates,
    wish: Wish<'a>,
    begun: Instant,
    /// What Flagger is at, and since when.
    still: Mutex<(String, Instant)>,
}

impl<'a> Canaries<'a> {
    /// What the effect wishes of it.
    pub fn new(
        cluster: &'a Cluster,
        config: &'a KubeConfig,
        gates: &'a Gates,
        effect: &'a Effect,
    ) -> Canaries<'a> {
        let artifact = &effect.artifact;
        Canaries {
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
        }
    }

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

impl Craft for Canaries<'_> {
    type Seen = View;

    async fn read(&self) -> Result<View, CallError> {
        look(self.cluster, self.config).await
    }

    fn uid(&self, seen: &View) -> Arc<str> {
        seen.uid.clone()
    }

    fn next(&self, seen: &View, steer: Steer) -> Next {
        let course = self.wish.next(seen, steer, self.times(seen));
        self.gates.set(self.wish.effect, &course.open);
        course.next
    }

    fn mark(&self, seen: &View) -> String {
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

/// Reads a Canary, its two workloads, and what was said of it if it has failed. The others of its
/// namespace are watched: two with one target are a mistake that Flagger lets happen.
async fn look(cluster: &Cluster, config: &KubeConfig) -> Result<View, CallError> {
    let namespace = &config.namespace;
    let canary = resource(Kind::Canary);
    let canary = cluster.get(&canary, namespace, &config.name).await?;
    let kind = view::kind_of(&canary).unwrap_or(Kind::Deployment);
    let name = view::target_of(&canary);
    let target = cluster.get(&resource(kind), namespace, name).await?;
    let primary = format!("{name}-primary");
    let primary = match cluster.get(&resource(kind), namespace, &primary).await {
        Ok(primary) => Some(Part::new(&primary).map_err(odd)?),
        // Flagger has not made it yet
        Err(CallError::NotFound(_)) => None,
        Err(error) => return Err(error),
    };
    let mut view = View::new(&canary, Part::new(&target).map_err(odd)?, primary);
    let others = cluster.watches().leans(resource(Kind::Canary), namespace);
    others.first().await;
    let rivals = others.read(|items| {
        let all = items.of("").map(|other| &other.object);
        view::rivals(&canary, all)
    });
    view.rivals = rivals.map_err(CallError::Unknown)?;
    if view.is(&["Failed"]) {
        view.warnings = warnings(cluster, config).await?;
    }
    let uid = target.metadata.uid.as_deref().unwrap_or_default();
    view.stuck = stuck(cluster, namespace, uid).await;
    let target = lean::outside(&target);
    view.owners = owners_of(cluster, namespace, &target, kind).to_vec();
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
