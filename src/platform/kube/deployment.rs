//! Deployments: what is decided from what is read.
//!
//! A share of its pods is reached on a way of its own ([`share`]), all of it as its owner has it.

use std::sync::Arc;

use kube::api::DynamicObject;
use serde_json::{Value, json};

use super::change::{Change, Form, Next};
use super::config::Kind;
use super::decode::{self, Kept as _, Set, Work, bare, fingerprint};
use super::image;
use super::owners::forbidden;
use super::record::{self, Before};
use super::template::chosen;
use super::wish::Wish;
use crate::domain::workload::Owner;
use crate::platform::helm::Steer;

pub mod brake;
mod pace;
mod share;

/// For how many seconds at least a new pod has to answer before the next ones come, while a share
/// is approached.
const STEADY: u32 = 5;

/// A Deployment and its ReplicaSets as they were read.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The Deployment.
    pub work: Work,
    /// Its ReplicaSets.
    pub sets: Vec<Set>,
    /// The templates of these, without what the controller added.
    pub templates: Vec<Value>,
    /// The Deployment's spec.
    pub spec: Value,
    /// Who else changes it.
    pub owners: Arc<[Owner]>,
    /// The name of the container that is changed; `Err` says why there is none.
    pub container: Result<Arc<str>, String>,
    /// How many pods of the present template have answered for long enough; see [`Seen::steady`].
    pub up: u32,
}

impl Seen {
    /// What was read, brought together; foreign ReplicaSets of the same labels left out.
    ///
    /// # Errors
    /// When it has not the shape of a Deployment.
    pub fn of(
        object: &DynamicObject,
        sets: &[DynamicObject],
        owners: impl FnOnce(&Work) -> Arc<[Owner]>,
        container: Option<&str>,
    ) -> Result<Seen, serde_json::Error> {
        let work: Work = decode::read(object)?;
        let mut kept = Vec::new();
        let mut templates = Vec::new();
        for object in sets {
            let set: Set = decode::read(object)?;
            if *set.owner() == *work.uid {
                templates.push(bare(&object.data["spec"]["template"]));
                kept.push(set);
            }
        }
        Ok(Seen {
            owners: owners(&work),
            container: container_of(&work, container),
            spec: object.data["spec"].clone(),
            sets: kept,
            templates,
            work,
            up: 0,
        })
    }

    /// The ReplicaSet of the present template, as the controller finds it: the oldest that equals.
    pub fn new_set(&self) -> Option<&Set> {
        new_set(&self.work, self.sets.iter())
    }

    /// All others.
    fn old_sets(&self) -> impl Iterator<Item = &Set> {
        let new = self.new_set().map(|s| &s.name);
        self.sets.iter().filter(move |s| Some(&s.name) != new)
    }

    /// The pods of all others.
    fn old_there(&self) -> u32 {
        self.old_sets().map(|s| s.there.max(s.wanted)).sum()
    }

    /// How many pods all others are asked for.
    fn old_wanted(&self) -> u32 {
        self.old_sets().map(|s| s.wanted).sum()
    }

    /// How many pods of the present template are asked for.
    fn asked(&self) -> u32 {
        self.new_set().map_or(0, |s| s.wanted)
    }

    /// For how many seconds a new pod has to answer before the next ones come: as its owner says, and
    /// [`STEADY`] at least.
    pub fn steady(&self, wish: &Wish) -> u32 {
        let kept = self.before(wish).and_then(|b| b.kept?.min_ready);
        kept.unwrap_or(self.work.min_ready).max(STEADY)
    }

    /// The image of the container.
    pub fn image(&self) -> &str {
        image_of(&self.work, &self.container)
    }

    /// What the release has recorded, if it is this one that did.
    pub fn before(&self, wish: &Wish) -> Option<Before> {
        before_of(&self.work).filter(|b| b.release == wish.release)
    }

    /// Whether the controller has seen the newest wish.
    fn observed(&self) -> bool {
        self.work.observed >= self.work.generation
    }

    /// Whether the present template runs, alone and fully.
    fn complete(&self) -> bool {
        let n = self.work.wanted;
        let new = self.new_set();
        self.observed()
            && !self.work.paused
            && self.old_there() == 0
            && new.map_or(n == 0, |s| {
                s.wanted == n && s.there == n && s.available >= n
            })
    }

    /// What changes whenever there is progress.
    pub fn mark(&self) -> Vec<i64> {
        let new = self.new_set();
        let count = |of: fn(&Set) -> u32| i64::from(new.map_or(0, of));
        vec![
            count(|s| s.wanted),
            count(|s| s.there),
            count(|s| s.ready),
            count(|s| s.available),
            i64::from(self.old_there()),
            self.work.observed,
            i64::from(self.work.wanted),
        ]
    }
}

/// What holdpoint has recorded in a workload.
pub fn before_of(work: &Work) -> Option<Before> {
    record::read(work.marks.get(record::BEFORE).map(|text| &**text))
}

/// The container that is changed: the one that is named, or the only one.
pub fn container_of(work: &Work, named: Option<&str>) -> Result<Arc<str>, String> {
    let names: Vec<&str> = work.images.iter().map(|(name, _)| &**name).collect();
    chosen(&names, named).map(|n| work.images[n].0.clone())
}

/// The image of that container.
pub fn image_of<'a>(work: &'a Work, container: &Result<Arc<str>, String>) -> &'a str {
    let name = container.as_deref().ok();
    decode::image_in(&work.images, name).map_or("", |image| image)
}

/// The ReplicaSet of a Deployment's present template: the oldest that equals.
pub fn new_set<'a>(work: &Work, sets: impl Iterator<Item = &'a Set>) -> Option<&'a Set> {
    sets.filter(|s| s.template == work.template)
        .min_by(|a, b| a.created.cmp(&b.created).then_with(|| a.name.cmp(&b.name)))
}

/// What is to be done next to bring the new version to its share.
pub fn forward(wish: &Wish, seen: &Seen, steer: Steer) -> Next {
    let work = &seen.work;
    if !(mine(wish, work) && wish.is(seen.image())) {
        return begin(wish, seen, steer);
    }
    let until = wish.parts(work.wanted);
    if until == work.wanted {
        whole(wish, seen, steer)
    } else {
        share::forward(wish, seen, steer, until)
    }
}

/// The way to all of it: the controller's own, with the strategy as its owner wrote it.
fn whole(wish: &Wish, seen: &Seen, steer: Steer) -> Next {
    let hold = steer == Steer::Hold;
    let changed = seen.before(wish).filter(|b| b.kept.is_some());
    match changed {
        // it was a share until somebody changed the number of pods
        Some(mut before) if !hold => {
            let mut spec = json!({ "paused": false });
            brake::restore(&mut spec, seen, &mut before);
            return stepped(wish, seen, "its own strategy", &before, &spec).into();
        }
        _ if seen.work.paused != hold => return pause(wish, seen, hold).into(),
        _ => {}
    }
    if seen.complete() {
        return Next::Done;
    }
    let available = seen.new_set().map_or(0, |s| s.available);
    on_its_way(seen, steer, available, seen.work.wanted)
}

fn on_its_way(seen: &Seen, steer: Steer, up: u32, until: u32) -> Next {
    if !seen.observed() {
        return Next::Wait("the controller has not looked at it yet".into());
    }
    let held = if steer == Steer::Hold { "held: " } else { "" };
    Next::Wait(format!("{held}{up} of {until} new pods are up").into())
}

/// Whether a workload follows the wish of this effect.
pub fn mine(wish: &Wish, work: &Work) -> bool {
    let effect = work.marks.get(record::EFFECT);
    effect.is_some_and(|e| **e == *wish.effect.0)
}

/// The first change of an effect, or why it must not be made.
fn begin(wish: &Wish, seen: &Seen, steer: Steer) -> Next {
    let before = seen.before(wish);
    if wish.is(seen.image()) && before.is_none() && seen.complete() {
        // it runs there already, and nobody has to be asked
        return Next::Done;
    }
    if let Some(why) = bars_of_any(&seen.work, &seen.owners, &seen.container) {
        return Next::Never(why.into());
    }
    if let Some(before) = &before
        && !wish.is(seen.image())
        && seen.image() != before.image
    {
        return overtaken(wish, seen, before.clone(), "meanwhile");
    }
    if before.is_none()
        && let Some(why) = busy(wish, seen)
    {
        return Next::Never(why.into());
    }
    if steer == Steer::Hold {
        return Next::Wait("held before it began".into());
    }
    let Ok(container) = &seen.container else {
        return Next::Wait("".into());
    };
    let work = &seen.work;
    let until = wish.parts(work.wanted);
    let comes = wish.is(seen.image());
    let mut before = before.unwrap_or_else(|| first(wish, seen));
    let mut spec = if until == work.wanted {
        let mut spec = json!({ "paused": false });
        brake::restore(&mut spec, seen, &mut before);
        spec
    } else if !comes {
        share::first(seen, &mut before, until)
    } else if seen.asked() >= until {
        share::standing(seen, &mut before)
    } else {
        share::braked(seen, &mut before)
    };
    if !comes {
        let image = wish.image();
        spec["template"] = json!({"spec": {"containers": [{"name": container, "image": image}]}});
    }
    let (all, version) = (work.wanted, &wish.artifact.version);
    let words = format!("{until} of {all} pods to {version}");
    stepped(wish, seen, words, &before, &spec).into()
}

/// What must come back, as it stands before the release changes anything.
fn first(wish: &Wish, seen: &Seen) -> Before {
    Before {
        release: wish.release.clone(),
        revision: seen.new_set().map_or(String::new(), |s| s.hash.to_string()),
        image: seen.image().to_owned(),
        to: wish.image(),
        kept: Some(brake::kept(seen)),
    }
}

/// A change on the way, with the record.
fn stepped(
    wish: &Wish,
    seen: &Seen,
    words: impl Into<String>,
    before: &Before,
    spec: &Value,
) -> Change {
    let bound = wish.parts(seen.work.wanted).to_string();
    let body = json!({
        "metadata": {"resourceVersion": seen.work.version, "annotations": {
            record::EFFECT: wish.effect.0, record::BEFORE: before.write(), record::BOUND: bound,
        }},
        "spec": spec,
    });
    change(seen, words, Form::Strategic, body)
}

/// Stands still, or goes on as its owner has it.
fn pause(wish: &Wish, seen: &Seen, still: bool) -> Change {
    let changed = seen.before(wish).filter(|b| b.kept.is_some());
    if let Some(before) = changed.filter(|_| still) {
        return share::stand(wish, seen, before);
    }
    let words = if still { "pause" } else { "go on" };
    let body = json!({
        "metadata": {"resourceVersion": seen.work.version, "annotations": {record::EFFECT: wish.effect.0}},
        "spec": {"paused": still},
    });
    change(seen, words, Form::Strategic, body)
}

/// What holds a Deployment where it is, of a wish that failed.
pub fn hold(wish: &Wish, seen: &Seen) -> Option<Change> {
    let mine = wish.is(seen.image()) && !wish.back;
    let moves = seen.old_there() > 0 || brake::is_on(&seen.work);
    (mine && !seen.work.paused && moves).then(|| pause(wish, seen, true))
}

/// Somebody else has brought something: theirs stays, and what the way to a share has changed is given
/// back to them.
fn overtaken(wish: &Wish, seen: &Seen, mut before: Before, since: &str) -> Next {
    if before.kept.is_some() {
        let mut spec = json!({});
        brake::restore(&mut spec, seen, &mut before);
        let words = "its own strategy, for what somebody else has brought";
        return stepped(wish, seen, words, &before, &spec).into();
    }
    let now = image::short(seen.image());
    Next::Never(format!("somebody else has brought {now} {since}").into())
}

/// Why a release must not begin with it now.
fn busy(wish: &Wish, seen: &Seen) -> Option<String> {
    let work = &seen.work;
    if work.paused {
        return Some(match before_of(work) {
            Some(other) => format!("it is held by another release ({})", other.release),
            None => "it is paused by somebody else (spec.paused)".to_owned(),
        });
    }
    if !seen.observed() || seen.old_there() > 0 {
        return Some("another rollout of it is under way".to_owned());
    }
    if seen.spec["revisionHistoryLimit"].as_u64() == Some(0) {
        return Some(
            "its revisionHistoryLimit is 0: there would be nothing to go back to".to_owned(),
        );
    }
    if *work.strategy == *"Recreate" && wish.parts(work.wanted) < work.wanted {
        return Some(
            "its strategy is Recreate: it can only be exchanged as a whole (exposure full)"
                .to_owned(),
        );
    }
    None
}

/// Why no workload may be changed, whatever its kind.
pub fn bars_of_any(
    work: &Work,
    owners: &[Owner],
    container: &Result<Arc<str>, String>,
) -> Option<String> {
    if work.leaving {
        return Some("it is being deleted".to_owned());
    }
    forbidden(owners).or_else(|| container.as_ref().err().cloned())
}

/// What is to be done next to bring back what ran before.
pub fn back(wish: &Wish, seen: &Seen, steer: Steer) -> Next {
    let before = seen.before(wish);
    if let Some(before) = &before
        && foreign(wish, seen, before)
    {
        return overtaken(wish, seen, before.clone(), "since: it is not overwritten");
    }
    let goal = goal(wish, seen, before.as_ref());
    let there = match &goal {
        Goal::Template(template) => seen.work.template == fingerprint(template),
        Goal::Image(_) | Goal::Nothing => wish.is(seen.image()),
    };
    let changed = before.as_ref().is_some_and(|b| b.kept.is_some()) || brake::is_on(&seen.work);
    let hold = steer == Steer::Hold;
    if !there || (changed && !hold) {
        if hold {
            return Next::Wait("held before it goes back".into());
        }
        return send_back(wish, seen, before, &goal).into();
    }
    // only what holdpoint holds is let go again
    if before.is_some() && seen.work.paused != hold {
        return pause(wish, seen, hold).into();
    }
    if !seen.complete() {
        let new = seen.new_set();
        let available = new.map_or(0, |s| s.available);
        let (all, version) = (seen.work.wanted, &wish.artifact.version);
        return Next::Wait(format!("{available} of {all} pods run {version} again").into());
    }
    if before.is_some() || mine(wish, &seen.work) {
        tidy(Kind::Deployment, &seen.work).into()
    } else {
        Next::Done
    }
}

/// Whether what stands in the template is neither what the release brought nor what ran before.
fn foreign(wish: &Wish, seen: &Seen, before: &Before) -> bool {
    let now = seen.image();
    now != before.to && now != before.image && !wish.is(now) && {
        // a webhook may write images otherwise than they were asked for
        let repository = &wish.config.image;
        let to = image::artifact(&before.to, repository);
        !image::is(now, &to, repository)
    }
}

/// What a way back leads to.
enum Goal {
    /// This template.
    Template(Value),
    /// This image, in the present template: why.
    Image(String),
    /// What is there: nothing else is known.
    Nothing,
}

fn goal(wish: &Wish, seen: &Seen, before: Option<&Before>) -> Goal {
    let by_hash = before.and_then(|b| {
        let mut sets = seen.sets.iter();
        sets.position(|s| !b.revision.is_empty() && *s.hash == *b.revision)
    });
    // without a record: the newest ReplicaSet of what ran before
    let of_image = |set: &Set| {
        let name = seen.container.as_deref().ok();
        decode::image_in(&set.images, name).is_some_and(|image| wish.is(image))
    };
    let by_image = || {
        let sets = seen.sets.iter().enumerate().filter(|(_, s)| of_image(s));
        sets.max_by(|(_, a), (_, b)| a.created.cmp(&b.created))
            .map(|(n, _)| n)
    };
    let place = match before {
        Some(_) => by_hash,
        None if wish.is(seen.image()) => return Goal::Nothing,
        None => by_image(),
    };
    match (place.and_then(|n| seen.templates.get(n)), before) {
        (Some(template), _) => Goal::Template(template.clone()),
        (None, Some(before)) => Goal::Image(before.image.clone()),
        (None, None) => Goal::Image(wish.image()),
    }
}

fn send_back(wish: &Wish, seen: &Seen, before: Option<Before>, goal: &Goal) -> Change {
    let mut spec = json!({ "paused": false });
    let mut annotations = json!({ record::EFFECT: wish.effect.0 });
    if let Some(mut before) = before {
        brake::restore(&mut spec, seen, &mut before);
        annotations[record::BEFORE] = before.write().into();
    } else {
        brake::off(&mut spec, seen, None);
    }
    let Goal::Template(template) = goal else {
        let image = match goal {
            Goal::Image(image) => image.clone(),
            _ => seen.image().to_owned(),
        };
        let words = format!(
            "back to the image {}: the ReplicaSet that ran it is gone, so other changes of the template stay",
            image::short(&image)
        );
        if let Ok(container) = &seen.container {
            spec["template"] =
                json!({"spec": {"containers": [{"name": container, "image": image}]}});
        }
        let body = json!({
            "metadata": {"resourceVersion": seen.work.version, "annotations": annotations},
            "spec": spec,
        });
        return change(seen, words, Form::Strategic, body);
    };
    spec["template"] = template.clone();
    let words = format!("back to {} (template as recorded)", wish.artifact.version);
    let body = json_patch(&seen.work, &spec, &annotations);
    change(seen, words, Form::Json, body)
}

fn change(seen: &Seen, words: impl Into<String>, form: Form, body: Value) -> Change {
    Change::of(Kind::Deployment, &seen.work, words, form, body)
}

/// A JSON patch that replaces whole fields of the spec and single annotations, and only if the
/// object is still the version that was read.
pub fn json_patch(work: &Work, spec: &Value, annotations: &Value) -> Value {
    let op = |path: String, value: &Value| json!({"op": "add", "path": path, "value": value});
    let mut patch =
        vec![json!({"op": "replace", "path": "/metadata/resourceVersion", "value": work.version})];
    if !work.annotated {
        patch.push(op("/metadata/annotations".to_owned(), &json!({})));
    }
    for (key, value) in annotations.as_object().into_iter().flatten() {
        let key = key.replace('~', "~0").replace('/', "~1");
        patch.push(op(format!("/metadata/annotations/{key}"), value));
    }
    for (key, value) in spec.as_object().into_iter().flatten() {
        patch.push(op(format!("/spec/{key}"), value));
    }
    Value::Array(patch)
}

/// Takes holdpoint's own annotations away.
pub fn tidy(kind: Kind, work: &Work) -> Change {
    let gone = json!({record::EFFECT: null, record::BEFORE: null, record::BOUND: null});
    let body = json!({"metadata": {"resourceVersion": work.version, "annotations": gone}});
    let words = "take holdpoint's annotations away";
    Change::of(kind, work, words, Form::Strategic, body)
}

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
