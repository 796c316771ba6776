//! Two Deployments of which a Service shows one: blue and green.
//!
//! A share below everything brings the new version up on the one that is not shown, without traffic;
//! everything switches the Service's selector. The way back switches it back, and brings the other
//! Deployment back to what it ran.

use std::collections::BTreeMap;
use std::sync::Arc;

use kube::api::DynamicObject;
use kube::core::ApiResource;
use serde_json::{Value, json};

use super::change::{Change, Next, body};
use super::cluster::{CallError, Cluster, resource_of};
use super::config::Switch;
use super::deployment::{self, Seen as Side};
use super::deployments::Deployments;
use super::drive::Craft;
use super::pods;
use super::record::{self, Before, Kept};
use super::steady::Steady;
use super::wish::Wish;
use crate::domain::plan::Exposure;
use crate::platform::helm::Steer;

/// The Service and the two Deployments as they were read.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Which pods the Service shows.
    pub selector: BTreeMap<String, String>,
    /// The Service's version.
    pub version: String,
    /// Its uid.
    pub uid: String,
    /// What holdpoint wrote into it.
    pub effect: Option<String>,
    /// What holdpoint recorded in it.
    pub before: Option<Before>,
    /// The two Deployments.
    pub sides: [Side; 2],
}

/// Reads the Service of a switch.
///
/// # Errors
/// See [`CallError`].
pub async fn service(cluster: &Cluster, ns: &str, name: &str) -> Result<DynamicObject, CallError> {
    cluster.get(&services(), ns, name).await
}

/// The labels by which a Service finds its pods.
pub fn selector(service: &DynamicObject) -> BTreeMap<String, String> {
    let found = service.data["spec"]["selector"].clone();
    serde_json::from_value(found).unwrap_or_default()
}

/// Whether pods with these labels are shown.
pub fn shows(selector: &BTreeMap<String, String>, labels: &BTreeMap<String, String>) -> bool {
    let has = |(key, value): (&String, &String)| labels.get(key) == Some(value);
    !selector.is_empty() && selector.iter().all(has)
}

/// What takes holdpoint's annotations away from a Service that a release has switched.
pub fn tidy(service: &DynamicObject, release: &str) -> Option<Change> {
    let marks = record::marks(service);
    let before = record::read(marks[record::BEFORE].as_str())?;
    let name = service.metadata.name.as_deref().unwrap_or_default();
    let version = service.metadata.resource_version.as_deref();
    let gone = record::left(&marks).filter(|_| before.release == release)?;
    let body = body(version.unwrap_or_default(), &gone, &Value::Null);
    Some(Change::merge(services(), name, None, body))
}

/// Services as the library asks for them.
fn services() -> ApiResource {
    resource_of("", "v1", "Service", "services")
}

impl Seen {
    /// Which of the two is shown, and which is not; none where that cannot be told.
    fn live(&self) -> Option<(&Side, &Side)> {
        let [one, other] = &self.sides;
        let shown = |side: &Side| shows(&self.selector, &side.work.pod_labels);
        match (shown(one), shown(other)) {
            (true, false) => Some((one, other)),
            (false, true) => Some((other, one)),
            _ => None,
        }
    }

    /// The selector that shows a side.
    fn selector_for(&self, side: &Side) -> Option<BTreeMap<String, String>> {
        let labels = &side.work.pod_labels;
        let pair = |key: &String| Some((key.clone(), labels.get(key)?.clone()));
        self.selector.keys().map(pair).collect()
    }
}

/// What is to be done next to bring the new version.
fn forward(wish: &Wish, seen: &Seen, steer: Steer) -> Next {
    let Some((live, idle)) = seen.live() else {
        return Next::Never(no_side(wish).into());
    };
    let full = wish.share == Exposure::FULL;
    let mine = seen.effect.as_deref() == Some(&*wish.effect.0);
    if wish.is(live.image()) && (mine || full) {
        return Next::Done;
    }
    if idle.work.wanted == 0 {
        let words = format!("{} has no replicas: nothing would come up", idle.work.name);
        return Next::Never(words.into());
    }
    // the one that nobody sees is brought up fully, whatever the share
    let all = Wish {
        share: Exposure::FULL,
        ..wish.clone()
    };
    match deployment::forward(&all, idle, steer) {
        Next::Done => {}
        next => return next,
    }
    if !full {
        return Next::Done;
    }
    if steer == Steer::Hold {
        return Next::Wait("held before it is switched".into());
    }
    let Some(to) = seen.selector_for(idle) else {
        let words = format!(
            "no selector tells {} from {}",
            idle.work.name, live.work.name
        );
        return Next::Never(words.into());
    };
    let before = Before {
        release: wish.release.clone(),
        revision: live.work.name.to_string(),
        image: live.image().to_owned(),
        to: wish.image(),
        kept: Some(Kept {
            strategy: json!(seen.selector),
            min_ready: None,
            deadline: None,
            written: json!(to),
        }),
    };
    let words = format!("show {} instead of {}", idle.work.name, live.work.name);
    let marks = json!({record::EFFECT: wish.effect.0, record::BEFORE: before.write()});
    switch(wish, seen, words, &json!(to), &marks)
}

fn no_side(wish: &Wish) -> String {
    let service = wish.config.switch.as_ref().map_or("", |s| &s.service);
    format!("the Service {service} shows neither of the two Deployments, or both")
}

fn switch(wish: &Wish, seen: &Seen, words: String, to: &Value, marks: &Value) -> Next {
    let service = wish.config.switch.as_ref().map_or("", |s| &s.service);
    let body = body(&seen.version, marks, &json!({ "selector": to }));
    let change = Change::merge(services(), service, None, body);
    Change { words, ..change }.into()
}

/// What is to be done next to bring back what was shown before.
fn back(wish: &Wish, seen: &Seen, steer: Steer) -> Next {
    let before = seen.before.as_ref().filter(|b| b.release == wish.release);
    let kept = before.and_then(|b| b.kept.as_ref());
    if let Some(kept) = kept {
        let now = json!(seen.selector);
        if now != kept.strategy && now != kept.written {
            let words = "somebody else has switched the Service since: it is not overwritten";
            return Next::Never(words.into());
        }
        if steer == Steer::Hold {
            return Next::Wait("held before it goes back".into());
        }
        // its own marks go in the same change: it is back then
        let gone = json!({ record::EFFECT: null, record::BEFORE: null });
        let words = "show again what was shown before".to_owned();
        return switch(wish, seen, words, &kept.strategy, &gone);
    }
    for side in &seen.sides {
        if side.before(wish).is_some() || deployment::mine(wish, &side.work) {
            return deployment::back(wish, side, steer);
        }
    }
    Next::Done
}

/// Two Deployments on their way to what an effect wishes.
pub struct Switched {
    /// Where they are.
    pub cluster: Cluster,
    /// What is wished.
    pub wish: Wish,
    /// The Service and the other Deployment.
    pub switch: Switch,
}

impl Switched {
    fn ns(&self) -> &str {
        &self.wish.config.namespace
    }

    fn side(&self, name: &str) -> Deployments {
        Deployments {
            cluster: self.cluster.clone(),
            wish: self.wish.clone(),
            name: name.to_owned(),
            steady: Steady::default(),
        }
    }

    /// The side that is brought up or back.
    fn moved<'a>(&self, seen: &'a Seen) -> Option<&'a Side> {
        let mut marked = seen.sides.iter().filter(|s| s.before(&self.wish).is_some());
        marked.next()
    }
}

impl Craft for Switched {
    type Seen = Seen;

    async fn read(&self) -> Result<Seen, CallError> {
        let service = service(&self.cluster, self.ns(), &self.switch.service).await?;
        let one = self.side(&self.wish.config.name).look().await?;
        let other = self.side(&self.switch.other).look().await?;
        let marks = service.metadata.annotations.as_ref();
        let mark = |key: &str| marks.and_then(|m| m.get(key)).cloned();
        Ok(Seen {
            selector: selector(&service),
            version: service
                .metadata
                .resource_version
                .clone()
                .unwrap_or_default(),
            uid: service.metadata.uid.clone().unwrap_or_default(),
            effect: mark(record::EFFECT),
            before: record::read(mark(record::BEFORE).as_deref()),
            sides: [one, other],
        })
    }

    fn uid(&self, seen: &Seen) -> Arc<str> {
        let [one, other] = &seen.sides;
        format!("{} {} {}", seen.uid, one.work.uid, other.work.uid).into()
    }

    fn mark(&self, seen: &Seen) -> String {
        format!("{:?}", seen.sides.each_ref().map(Side::mark))
    }

    fn next(&self, seen: &Seen, steer: Steer) -> Next {
        let next = if self.wish.back {
            back(&self.wish, seen, steer)
        } else {
            forward(&self.wish, seen, steer)
        };
        match self.moved(seen) {
            Some(side) => pods::judged(next, &self.side(&side.work.name).stuck(side)),
            None => next,
        }
    }

    fn brake(&self, seen: &Seen) -> Option<Change> {
        deployment::hold(&self.wish, self.moved(seen)?)
    }
}
