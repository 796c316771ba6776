//! What a call wants of a Rollout next, from nothing but what is there.

use std::sync::Arc;

use serde_json::{Value, json};

use super::super::super::helm::Steer;
use super::super::change::{Change, Next, body};
use super::super::cluster::resource;
use super::super::config::Kind;
use super::super::image;
use super::super::owners::forbidden;
use super::super::pods::judged;
use super::super::record::{BEFORE, Before, EFFECT, HELD, RETRY, left};
use super::super::template::{image_in, merge_to, with_image};
use super::super::wish::asks_again;
use super::steps::{Goal, Step};
use super::view::{Carrier, Set, View};
use crate::domain::{Effect, Verb};

/// What a call wants.
#[derive(Clone, Debug)]
pub struct Wish<'a> {
    /// The call.
    pub effect: &'a Effect,
    /// The image that shall run afterwards.
    pub image: String,
    /// The container that is changed, if not the only one.
    pub container: Option<&'a str>,
    /// The repository of its images.
    pub repository: &'a str,
}

impl Wish<'_> {
    /// The share of it that shall be reached, in percent.
    fn share(&self) -> u8 {
        self.effect.exposure.map_or(100, |share| share.percent())
    }

    /// What to do, given what was seen and what the helm says.
    pub fn next(&self, view: &View, steer: Steer) -> Next {
        if let Carrier::Foreign(what) = &view.carrier {
            return Next::Never(
                format!("its template is in {what}; only that of a Deployment can be changed")
                    .into(),
            );
        }
        let image = match image_in(view.template(), self.container) {
            Ok(image) => image,
            Err(why) => return Next::Never(why.into()),
        };
        match self.effect.verb {
            Verb::Deploy => self.forward(view, steer, image),
            Verb::Rollback => self.back(view, steer, image),
            Verb::Drain | Verb::Undrain => Next::Never("a Rollout is not drained".into()),
        }
    }

    fn forward(&self, view: &View, steer: Steer, image: &str) -> Next {
        let ours = image == self.image;
        if steer == Steer::Hold {
            let stands = !ours || view.paused || (view.promoted() && view.observed);
            return if stands {
                Next::Patience("paused".into())
            } else {
                self.pause(view)
            };
        }
        if view.paused {
            return if view.marks[HELD].is_string() {
                resume(view)
            } else {
                Next::Patience("somebody else has paused it (spec.paused)".into())
            };
        }
        if !ours {
            return self.begin(view, image);
        }
        if !view.observed {
            return Next::Wait(unseen(view));
        }
        if let Some(at) = &view.aborted {
            return self.aborted(view, at);
        }
        let straight = steer == Steer::Straight;
        let all = straight && self.share() == 100 && !view.promoted();
        if view.inconclusive() && !all {
            return self.inconclusive(view, straight);
        }
        if &*view.phase == "Degraded" {
            return Next::Bad(view.words());
        }
        if all && !view.promote_full {
            return status(view, json!({"promoteFull": true}));
        }
        if all {
            return judged(Next::Wait(view.words()), &view.stuck);
        }
        let goal = match view.strategy.goal(self.share()) {
            Ok(goal) => goal,
            Err(why) => return Next::Failed(why.into()),
        };
        judged(self.towards(view, goal, straight), &view.stuck)
    }

    /// The first change of a release: the template gets the image. What was there before is noted in
    /// the same change.
    fn begin(&self, view: &View, image: &str) -> Next {
        let before = Before::of(view.carrier_marks(), self.effect);
        if before.is_some() && !asks_again(self.effect) {
            return Next::Failed(
                format!("somebody has changed its template meanwhile: it has {image} now").into(),
            );
        }
        if let Err(why) = view.strategy.goal(self.share()) {
            return Next::Never(why.into());
        }
        if let Some(why) = forbidden(&view.owners) {
            return Next::Never(why.into());
        }
        if view.message.starts_with("InvalidSpec") {
            return Next::Never(format!("Argo does not accept it: {}", view.message).into());
        }
        if !view.observed {
            return Next::Wait(unseen(view));
        }
        let moves = !view.promoted() && view.aborted.is_none() && &*view.phase != "Degraded";
        if self.share() < 100 {
            if view.stable.is_empty() {
                return Next::Never(
                    "nothing has run here yet: Argo brings a first version to all at once, without \
                     its steps; release it in one batch"
                        .into(),
                );
            }
            let known = view
                .sets
                .iter()
                .any(|set| image_in(&set.template, self.container) == Ok(self.image.as_str()));
            if view.window && known {
                return Next::Never(
                    "this version ran here before, and its rollbackWindow lets Argo skip all steps \
                     on the way to it; release it in one batch"
                        .into(),
                );
            }
        }
        if moves && !view.stable.is_empty() && before.is_none() {
            return Next::Never(
                format!(
                    "another rollout is under way here: {image} ({})",
                    view.words()
                )
                .into(),
            );
        }
        let before = before.unwrap_or_else(|| Before {
            release: self.effect.release.to_string(),
            revision: view.stable.to_string(),
            image: view
                .image_of(&view.stable, self.container)
                .unwrap_or(image)
                .into(),
            to: self.image.clone(),
            kept: None,
        });
        match with_image(view.template(), self.container, &self.image) {
            Ok(template) => {
                let marks = json!({EFFECT: self.effect.id.as_str(), BEFORE: before.write()});
                carry(view, Some(template), marks, json!({}))
            }
            Err(why) => Next::Never(why.into()),
        }
    }

    /// Argo, or somebody, has aborted it. Who asks again takes that abort back, and only that one.
    fn aborted(&self, view: &View, at: &str) -> Next {
        if !asks_again(self.effect) {
            return Next::Failed(format!("aborted: {}", view.words()).into());
        }
        let mark = format!("{} {at}", self.effect.id);
        match view.marks[RETRY].as_str() {
            Some(noted) if noted == mark => status(view, json!({"abort": false})),
            Some(noted) if noted.starts_with(&format!("{} ", self.effect.id)) => {
                Next::Failed(format!("aborted again: {}", view.words()).into())
            }
            _ => rollout(view, json!({RETRY: mark}), json!({})),
        }
    }

    /// An analysis or an experiment of Argo's could say neither yes nor no: a person decides. Who asks
    /// again goes past that one, and only that one: which it was is noted before the call ends.
    fn inconclusive(&self, view: &View, straight: bool) -> Next {
        if straight {
            return past(view);
        }
        let at = format!("inconclusive {}", view.doubted());
        match view.marks[RETRY]
            .as_str()
            .and_then(|noted| noted.split_once(' '))
        {
            Some((who, noted)) if noted == at && who == self.effect.id.as_str() => {
                Next::Undecided(format!("{}; a retry goes past it", view.words()).into())
            }
            Some((_, noted)) if noted == at && asks_again(self.effect) => past(view),
            _ => {
                let mark = format!("{} {at}", self.effect.id);
                rollout(view, json!({RETRY: mark}), json!({}))
            }
        }
    }

    fn towards(&self, view: &View, goal: Goal, straight: bool) -> Next {
        if view.promoted() {
            let begun = Before::of(view.carrier_marks(), self.effect).is_some();
            return match goal {
                Goal::End if &*view.phase == "Healthy" => tidy(view),
                Goal::End => Next::Wait(view.words()),
                // it ran here before the release came
                _ if !begun && &*view.phase == "Healthy" => Next::Done,
                _ => Next::Failed(self.beyond(100)),
            };
        }
        if view.unpausing() {
            return Next::Wait(view.words());
        }
        match goal {
            Goal::Preview if view.waits_for("BlueGreenPause") => there(view),
            Goal::Preview => Next::Wait(view.words()),
            Goal::Step(at) if view.step > at => {
                Next::Failed(self.beyond(view.strategy.shown(view.step)))
            }
            Goal::Step(at) if view.step == at && view.waits_for("CanaryPauseStep") => there(view),
            Goal::Step(_) if straight && view.lingers() => past(view),
            Goal::Step(_) | Goal::End => promote(view),
        }
    }

    fn beyond(&self, shown: u8) -> Arc<str> {
        format!(
            "somebody else has taken it past {} %: it shows {shown} % or is on its way there",
            self.share()
        )
        .into()
    }

    /// The way back: traffic first, then the template that ran before, whole.
    fn back(&self, view: &View, steer: Steer, image: &str) -> Next {
        if steer == Steer::Hold {
            return Next::Patience("paused".into());
        }
        let old = self.old(view);
        let marked = view.carrier_marks()[EFFECT] == self.effect.id.as_str();
        let same = |set: &Set| view.observed && view.current == set.hash;
        let is_back = match old {
            // what a template has besides its image cannot be compared, its hash can
            Some(set) => {
                same(set) || (marked && image_in(&set.template, self.container) == Ok(image))
            }
            None => image::is(image, &self.effect.artifact, self.repository),
        };
        if !is_back {
            let moving = view.observed && !view.promoted() && !view.stable.is_empty();
            if moving && view.aborted.is_none() {
                return status(view, json!({"abort": true}));
            }
            return self.restore(view, old);
        }
        if view.paused {
            return resume(view);
        }
        if !marked {
            // whatever of the way forward is still on the line comes too late from here on
            let marks = json!({EFFECT: self.effect.id.as_str()});
            return carry(view, None, marks, json!({}));
        }
        if !view.observed {
            return Next::Wait(unseen(view));
        }
        if view.promoted() {
            return match &*view.phase {
                "Healthy" => tidy(view),
                "Degraded" => Next::Bad(view.words()),
                _ => Next::Wait(view.words()),
            };
        }
        if !view.promote_full {
            // it ran for all before: its steps and analyses have nothing to find out
            return status(view, json!({"promoteFull": true}));
        }
        match &*view.phase {
            "Degraded" => Next::Bad(view.words()),
            _ => Next::Wait(view.words()),
        }
    }

    /// The ReplicaSet of what ran before.
    fn old<'a>(&self, view: &'a View) -> Option<&'a Set> {
        let noted = Before::of(view.carrier_marks(), self.effect);
        let noted = noted.and_then(|before| view.set(&before.revision));
        let runs = |set: &&Set| {
            image_in(&set.template, self.container)
                .is_ok_and(|image| image::is(image, &self.effect.artifact, self.repository))
        };
        let stable = || view.set(&view.stable).filter(runs);
        let newest = || view.sets.iter().filter(runs).max_by_key(|set| set.revision);
        noted.or_else(stable).or_else(newest)
    }

    fn old_image(&self, view: &View) -> String {
        let noted = Before::of(view.carrier_marks(), self.effect);
        noted.map_or_else(|| self.image.clone(), |before| before.image)
    }

    fn restore(&self, view: &View, old: Option<&Set>) -> Next {
        let marks = json!({EFFECT: self.effect.id.as_str()});
        let template = match old {
            Some(set) => Ok(merge_to(view.template(), &set.template)),
            // its ReplicaSet is gone (revisionHistoryLimit): the image is all that is known
            None => with_image(view.template(), self.container, &self.old_image(view)).map(Some),
        };
        match template {
            Ok(template) => {
                let own = matches!(view.carrier, Carrier::Rollout { .. });
                let spec = match own && view.paused {
                    true => json!({"paused": false}),
                    false => json!({}),
                };
                carry(view, template, marks, spec)
            }
            Err(why) => Next::Never(why.into()),
        }
    }

    fn pause(&self, view: &View) -> Next {
        let marks = json!({HELD: self.effect.release.to_string(), EFFECT: self.effect.id.as_str()});
        rollout(view, marks, json!({"paused": true}))
    }
}

/// It stands where it should; the new pods have to be there too.
fn there(view: &View) -> Next {
    match view.set(&view.current) {
        Some(set) if set.whole() && set.available > 0 => Next::Done,
        _ => Next::Wait(view.words()),
    }
}

/// One step on, where a pause without an end is in the way; timed pauses and analyses are Argo's.
fn promote(view: &View) -> Next {
    let waits = view.waits_for("CanaryPauseStep") || view.waits_for("BlueGreenPause");
    let forever = match view.strategy.steps().get(view.step) {
        Some(step) => *step == Step::Pause,
        None => view.waits_for("BlueGreenPause"),
    };
    if waits && forever {
        return status(view, json!({"pauseConditions": null}));
    }
    let timed = matches!(view.strategy.steps().get(view.step), Some(Step::Timed(_)));
    if waits && timed || view.analyses.iter().any(super::view::Analysis::runs) {
        return Next::Patience(view.words());
    }
    Next::Wait(view.words())
}

/// One step on, whatever Argo waits for there: a time that was set, an analysis, or the word of a
/// person on one that could not tell. Without a step of its own (an analysis in the background, blue
/// and green) only the pause is taken away.
fn past(view: &View) -> Next {
    let mut patch = json!({"pauseConditions": null});
    if view.lingers() {
        patch["controllerPause"] = false.into();
        patch["currentStepIndex"] = (view.step + 1).into();
    }
    status(view, patch)
}

/// Takes back holdpoint's own pause, or on the way back whoever's.
fn resume(view: &View) -> Next {
    rollout(view, json!({HELD: null}), json!({"paused": false}))
}

/// Takes away what holdpoint has written onto the objects, and then it is done. The mark of the call
/// goes last: until then it says that the call was begun.
fn tidy(view: &View) -> Next {
    let own = matches!(view.carrier, Carrier::Rollout { .. });
    if let Some(marks) = left(&view.marks).filter(|_| !own) {
        return rollout(view, marks, json!({}));
    }
    match left(view.carrier_marks()).map(|marks| carry(view, None, marks, json!({}))) {
        Some(Next::Change(last)) => Next::Last(last),
        _ => Next::Done,
    }
}

/// Why nothing happens yet.
fn unseen(view: &View) -> Arc<str> {
    match &view.instance {
        Some(id) => format!(
            "its controller has not looked at it: it is labelled for the controller instance {id}; is that one there?"
        ),
        None => "its controller has not looked at it; does one run that is responsible for it?".to_owned(),
    }
    .into()
}

/// A change of the object with the template.
fn carry(view: &View, template: Option<Value>, marks: Value, spec: Value) -> Next {
    let mut spec = spec;
    if let Some(template) = template {
        spec["template"] = template;
    }
    match &view.carrier {
        Carrier::Deployment { name, version, .. } => {
            let body = body(version, &marks, &spec);
            Change::merge(resource(Kind::Deployment), name, None, body).into()
        }
        Carrier::Rollout { .. } | Carrier::Foreign(_) => rollout(view, marks, spec),
    }
}

/// A change of the Rollout.
fn rollout(view: &View, marks: Value, spec: Value) -> Next {
    let body = body(&view.version, &marks, &spec);
    Change::merge(resource(Kind::Rollout), &view.name, None, body).into()
}

/// A change of the Rollout's status, which is a resource of its own: what is sent to the main one of
/// it gets lost without a word. It carries no annotation (the server drops them there); that it was
/// made shows in the status itself.
fn status(view: &View, status: Value) -> Next {
    let body = json!({"metadata": {"resourceVersion": view.version}, "status": status});
    Change::merge(resource(Kind::Rollout), &view.name, Some("status"), body).into()
}
