//! StatefulSets and DaemonSets as they were read: with their pods and their recorded revisions.

use std::sync::Arc;

use kube::api::DynamicObject;
use serde_json::{Value, json};

use super::change::{Change, Doomed, Form, Next};
use super::cluster::{CallError, Cluster, resource, resource_of};
use super::config::Kind;
use super::decode::{self, Pod, Work, bare, fingerprint};
use super::deployment::{bars_of_any, before_of, container_of, json_patch, mine, tidy};
use super::deployments::{labels, lost_nodes, odd, owners_of};
use super::drive::Craft;
use super::hearsay::{self, Hearing};
use super::pods::{self, Trouble, refusal};
use super::record::{self, Before, Kept};
use super::stuck::gather;
use super::wish::Wish;
use super::{daemonset, image, statefulset};
use crate::domain::workload::{Owner, Stuck};
use crate::platform::helm::Steer;

/// A StatefulSet or DaemonSet, its pods and its revisions.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// It.
    pub work: Work,
    /// Its spec.
    pub spec: Value,
    /// Its pods.
    pub pods: Vec<Pod>,
    /// Its revisions, oldest first.
    pub revisions: Vec<Revision>,
    /// Nodes that do not answer.
    pub lost: Vec<Arc<str>>,
    /// Who else changes it.
    pub owners: Arc<[Owner]>,
    /// The container that is changed; `Err` says why there is none.
    pub container: Option<Result<Arc<str>, String>>,
}

/// A recorded template.
#[derive(Clone, Debug, Default)]
pub struct Revision {
    /// Its name.
    pub name: Arc<str>,
    /// Its hash, by which pods are labelled.
    pub hash: Arc<str>,
    /// Its number: moves when something goes back.
    pub number: i64,
    /// The template.
    pub template: Value,
}

impl Seen {
    /// The container that is changed.
    pub fn container(&self) -> Result<Arc<str>, String> {
        self.container.clone().unwrap_or_else(|| Err(String::new()))
    }

    /// Its image.
    pub fn image(&self) -> &str {
        let name = self.container.as_ref().and_then(|c| c.as_deref().ok());
        decode::image_in(&self.work.images, name).map_or("", |image| image)
    }

    /// What the release has recorded, if it is this one that did.
    pub fn before(&self, wish: &Wish) -> Option<Before> {
        before_of(&self.work).filter(|b| b.release == wish.release)
    }

    /// Whether the controller has seen the newest wish.
    pub fn observed(&self) -> bool {
        self.work.observed >= self.work.generation
    }

    /// The revision of the present template: the newest that equals.
    pub fn present(&self) -> Option<&Revision> {
        let equal = |r: &&Revision| fingerprint(&r.template) == self.work.template;
        // what the API server has added since to the one or the other: the newest is the present one
        self.revisions
            .iter()
            .rev()
            .find(equal)
            .or_else(|| self.revisions.last().filter(|_| self.observed()))
    }

    /// Whether a pod runs the present template.
    pub fn is_new(&self, pod: &Pod) -> bool {
        self.present()
            .is_some_and(|r| pod.hash == r.hash || pod.hash == r.name)
    }

    /// The pods that run the present template.
    pub fn new_pods(&self) -> impl Iterator<Item = &Pod> {
        self.pods.iter().filter(|p| !p.leaving && self.is_new(p))
    }

    /// What changes whenever there is progress.
    pub fn mark(&self) -> Vec<i64> {
        let new = self.new_pods();
        let (there, ready) = new.fold((0, 0), |(n, r), pod| (n + 1, r + i64::from(pod.ready)));
        vec![
            there,
            ready,
            i64::from(self.work.available),
            i64::from(self.work.there),
            self.work.observed,
            i64::from(self.work.wanted),
        ]
    }
}

/// How the way to a new revision begins: with what must come back, or with what is to be done
/// instead. `there` says whether it runs what is wished already, `busy` who else is at work on it.
pub fn beginning(
    wish: &Wish,
    seen: &Seen,
    steer: Steer,
    there: bool,
    busy: impl FnOnce() -> Option<String>,
) -> Result<Before, Next> {
    let before = seen.before(wish);
    if wish.is(seen.image()) && before.is_none() && there {
        return Err(Next::Done);
    }
    let bar = bars_of_any(&seen.work, &seen.owners, &seen.container());
    let bar = bar.or_else(|| match &before {
        Some(before) => overtaken(wish, seen, before),
        None => busy().or_else(|| nothing_to_go_back_to(seen)),
    });
    if let Some(why) = bar {
        return Err(Next::Never(why.into()));
    }
    if steer == Steer::Hold {
        return Err(Next::Wait("held before it began".into()));
    }
    Ok(before.unwrap_or_else(|| first(wish, seen)))
}

/// What must come back, as it stands before the release changes anything. An earlier release that
/// never came to its end may have left its strategy behind.
fn first(wish: &Wish, seen: &Seen) -> Before {
    let now = &seen.spec["updateStrategy"];
    let stale = before_of(&seen.work).and_then(|b| b.kept);
    let stale = stale.filter(|k| k.written == *now);
    Before {
        release: wish.release.clone(),
        revision: seen.present().map_or(String::new(), |r| r.name.to_string()),
        image: seen.image().to_owned(),
        to: wish.image(),
        kept: Some(stale.unwrap_or_else(|| Kept {
            strategy: now.clone(),
            min_ready: None,
            deadline: None,
            written: Value::Null,
        })),
    }
}

/// The strategy as it was; nothing where somebody else has written another one since.
pub fn strategy_back(seen: &Seen, before: &mut Before) -> Option<Value> {
    let kept = before.kept.take()?;
    let now = &seen.spec["updateStrategy"];
    let ours = kept.written == *now || kept.written.is_null();
    (ours && kept.strategy != *now).then_some(kept.strategy)
}

/// All of it that answers runs the new revision: the strategy comes back.
pub fn finish(wish: &Wish, seen: &Seen) -> Next {
    let Some(mut before) = seen.before(wish).filter(|b| b.kept.is_some()) else {
        return Next::Done;
    };
    match strategy_back(seen, &mut before) {
        Some(strategy) => {
            let words = "the strategy as it was".to_owned();
            strategy_change(wish, seen, words, &strategy, Some(&before)).into()
        }
        None => Next::Done,
    }
}

/// A change of the template's image and the strategy, with the record, in one.
pub fn wish_change(
    wish: &Wish,
    seen: &Seen,
    words: String,
    before: &Before,
    strategy: &Value,
    bound: u32,
) -> Change {
    let mut strategy = strategy.clone();
    // the server merges: what the one kind of strategy has and the other has not must go
    if strategy["rollingUpdate"].is_null() {
        strategy["rollingUpdate"] = Value::Null;
    }
    let mut spec = json!({ "updateStrategy": strategy });
    if !wish.is(seen.image())
        && let Ok(container) = seen.container()
    {
        let image = wish.image();
        spec["template"] = json!({"spec": {"containers": [{"name": container, "image": image}]}});
    }
    let body = json!({
        "metadata": {"resourceVersion": seen.work.version, "annotations": {
            record::EFFECT: wish.effect.0, record::BEFORE: before.write(), record::BOUND: bound.to_string(),
        }},
        "spec": spec,
    });
    Change::of(wish.config.kind, &seen.work, words, Form::Strategic, body)
}

/// A change of the strategy alone.
pub fn strategy_change(
    wish: &Wish,
    seen: &Seen,
    words: String,
    strategy: &Value,
    before: Option<&Before>,
) -> Change {
    let bound = wish.parts(seen.work.wanted).to_string();
    let mut annotations = json!({ record::EFFECT: wish.effect.0, record::BOUND: bound });
    if let Some(before) = before {
        annotations[record::BEFORE] = before.write().into();
    }
    let spec = json!({ "updateStrategy": strategy });
    let body = json_patch(&seen.work, &spec, &annotations);
    Change::of(wish.config.kind, &seen.work, words, Form::Json, body)
}

/// Brings the recorded template back, with the strategy; where the revision is gone, the image alone.
pub fn send_back(wish: &Wish, seen: &Seen, before: Option<Before>, goal: Option<&Value>) -> Change {
    let mut annotations = json!({ record::EFFECT: wish.effect.0 });
    let mut spec = json!({});
    let mut image = wish.image();
    if let Some(mut before) = before {
        image = before.image.clone();
        if let Some(strategy) = strategy_back(seen, &mut before) {
            spec["updateStrategy"] = strategy;
        }
        annotations[record::BEFORE] = before.write().into();
    }
    let mut words = format!("back to {} (template as recorded)", wish.artifact.version);
    spec["template"] = goal.cloned().unwrap_or_else(|| {
        words = format!(
            "back to the image {}: the revision that ran it is gone, so other changes of the template stay",
            image::short(&image)
        );
        let mut template = seen.spec["template"].clone();
        let name = seen.container().unwrap_or_default();
        let containers = template.pointer_mut("/spec/containers");
        let containers = containers.and_then(Value::as_array_mut).into_iter().flatten();
        for container in containers.filter(|c| c["name"].as_str() == Some(&*name)) {
            container["image"] = image.clone().into();
        }
        template
    });
    let body = json_patch(&seen.work, &spec, &annotations);
    Change::of(wish.config.kind, &seen.work, words, Form::Json, body)
}

/// The template that a way back leads to; none where its revision is gone.
pub fn goal(wish: &Wish, seen: &Seen, before: Option<&Before>) -> Option<Value> {
    let found = match before {
        Some(before) => seen.revisions.iter().find(|r| *r.name == *before.revision),
        None => {
            let name = seen.container().ok();
            let runs = |r: &&Revision| {
                let images = decode::images_in(&r.template);
                decode::image_in(&images, name.as_deref()).is_some_and(|i| wish.is(i))
            };
            seen.revisions.iter().rev().find(runs)
        }
    };
    found.map(|r| r.template.clone())
}

/// Why what is there must not be overwritten on the way back.
pub fn foreign(wish: &Wish, seen: &Seen, before: &Before) -> Option<String> {
    let now = seen.image();
    let to = image::artifact(&before.to, &wish.config.image);
    let known = now == before.image || wish.is(now) || image::is(now, &to, &wish.config.image);
    (!known).then(|| {
        let now = image::short(now);
        format!("somebody else has brought {now} since: it is not overwritten")
    })
}

/// What is to be done first on a way back: the template and the strategy are brought back. `None`
/// once that is so and the controller has seen it.
pub fn returning(wish: &Wish, seen: &Seen, steer: Steer) -> Option<Next> {
    let before = seen.before(wish);
    if let Some(why) = before.as_ref().and_then(|b| foreign(wish, seen, b)) {
        return Some(Next::Never(why.into()));
    }
    let goal = goal(wish, seen, before.as_ref());
    let there = match (&goal, &before) {
        (Some(template), Some(_)) => seen.work.template == fingerprint(template),
        _ => wish.is(seen.image()),
    };
    let kept = before.as_ref().is_some_and(|b| b.kept.is_some());
    if steer == Steer::Hold {
        return Some(Next::Wait("held on its way back".into()));
    }
    if !there || kept {
        return Some(send_back(wish, seen, before, goal.as_ref()).into());
    }
    if !seen.observed() {
        let words = "the controller has not looked at it yet";
        return Some(Next::Wait(words.into()));
    }
    None
}

/// That somebody else has brought something since the release began.
fn overtaken(wish: &Wish, seen: &Seen, before: &Before) -> Option<String> {
    let other = !wish.is(seen.image()) && seen.image() != before.image;
    let now = image::short(seen.image());
    other.then(|| format!("somebody else has brought {now} meanwhile"))
}

/// That there will be nothing to go back to.
fn nothing_to_go_back_to(seen: &Seen) -> Option<String> {
    let none = seen.spec["revisionHistoryLimit"].as_u64() == Some(0);
    none.then(|| "its revisionHistoryLimit is 0: there would be nothing to go back to".to_owned())
}

/// Takes holdpoint's annotations away where any are left, else it is done.
pub fn end(wish: &Wish, seen: &Seen) -> Next {
    if seen.before(wish).is_some() || mine(wish, &seen.work) {
        tidy(wish.config.kind, &seen.work).into()
    } else {
        Next::Done
    }
}

/// Pods that are deleted, each only if it is still this one.
pub fn doomed<'a>(pods: impl Iterator<Item = &'a Pod>) -> Vec<Doomed> {
    pods.map(|pod| Doomed {
        name: pod.name.clone(),
        uid: pod.uid.clone(),
        version: pod.version.clone(),
    })
    .collect()
}

/// Pods of a StatefulSet or DaemonSet that cannot be made, and why: their controllers say that in
/// events only.
pub fn refused<'a>(
    work: &Work,
    pods: impl Iterator<Item = &'a Pod>,
    heard: &Hearing<'_>,
) -> Option<(u32, Trouble)> {
    let missing = work.wanted.saturating_sub(work.there);
    if missing == 0 {
        return None;
    }
    let said = heard(&work.uid)?;
    let now = chrono::Utc::now().timestamp();
    let made = pods.filter_map(|pod| pod.made).max();
    let failure = hearsay::not_made(&said, made, now)?;
    Some((missing, refusal(&failure.words)))
}

/// A StatefulSet or DaemonSet on its way to what an effect wishes.
pub struct Revised {
    /// Where it is.
    pub cluster: Cluster,
    /// What is wished of it.
    pub wish: Wish,
}

impl Revised {
    fn kind(&self) -> Kind {
        self.wish.config.kind
    }

    fn daemons(&self) -> bool {
        self.kind() == Kind::DaemonSet
    }

    /// What is stuck among the new pods.
    fn stuck(&self, seen: &Seen) -> Vec<Stuck> {
        let hear = |uid: &str| {
            let config = &self.wish.config;
            self.cluster.hearsay().of(&config.namespace, uid)
        };
        let refused = refused(&seen.work, seen.pods.iter(), &hear);
        // pods on nodes that do not answer are named elsewhere
        let new = seen.new_pods().filter(|p| !seen.lost.contains(&p.node));
        gather(new, refused.into_iter(), &hear, |_| None)
    }
}

fn revision(object: &DynamicObject) -> Revision {
    let labels = object.metadata.labels.as_ref();
    let hash = labels.and_then(|l| l.get("controller-revision-hash"));
    Revision {
        name: object.metadata.name.as_deref().unwrap_or_default().into(),
        hash: hash.map_or("", String::as_str).into(),
        number: object.data["revision"].as_i64().unwrap_or(0),
        template: bare(&object.data["data"]["spec"]["template"]),
    }
}

/// Whether something is controlled by the object with a uid.
fn is_of(object: &DynamicObject, uid: &str) -> bool {
    let owners = object.metadata.owner_references.iter().flatten();
    let mut owners = owners.filter(|o| o.controller == Some(true));
    owners.any(|o| o.uid == uid)
}

impl Craft for Revised {
    type Seen = Seen;

    async fn read(&self) -> Result<Seen, CallError> {
        let config = &self.wish.config;
        let ns = &config.namespace;
        let object = self
            .cluster
            .get(&resource(self.kind()), ns, &config.name)
            .await?;
        let work: Work = decode::read(&object).map_err(odd)?;
        let labels = labels(&object.data);
        let kind = resource_of("apps", "v1", "ControllerRevision", "controllerrevisions");
        let revisions = self.cluster.list(&kind, ns, &labels).await?;
        let revisions = revisions.iter().filter(|o| is_of(o, &work.uid));
        let mut revisions: Vec<Revision> = revisions.map(revision).collect();
        revisions.sort_by_key(|r| r.number);
        let kind = resource_of("", "v1", "Pod", "pods");
        let found = self.cluster.list(&kind, ns, &labels).await?;
        let found = found.iter().filter(|o| is_of(o, &work.uid));
        let pods: Result<Vec<Pod>, _> = found.map(decode::read).collect();
        let container = container_of(&work, config.container.as_deref());
        Ok(Seen {
            owners: owners_of(&self.cluster, ns, &work, self.kind()),
            spec: object.data["spec"].clone(),
            pods: pods.map_err(odd)?,
            revisions,
            lost: if self.daemons() {
                lost_nodes(&self.cluster).await
            } else {
                Vec::new()
            },
            container: Some(container),
            work,
        })
    }

    fn uid(&self, seen: &Seen) -> Arc<str> {
        seen.work.uid.clone()
    }

    fn mark(&self, seen: &Seen) -> String {
        format!("{:?}", seen.mark())
    }

    fn next(&self, seen: &Seen, steer: Steer) -> Next {
        let next = match (self.daemons(), self.wish.back) {
            (false, false) => statefulset::forward(&self.wish, seen, steer),
            (false, true) => statefulset::back(&self.wish, seen, steer),
            (true, false) => daemonset::forward(&self.wish, seen, steer),
            (true, true) => daemonset::back(&self.wish, seen, steer),
        };
        pods::judged(next, &self.stuck(seen))
    }

    fn brake(&self, seen: &Seen) -> Option<Change> {
        if self.daemons() {
            // no pod is replaced but by holdpoint
            return None;
        }
        statefulset::hold(&self.wish, seen)
    }
}

#[cfg(test)]
mod tests;
