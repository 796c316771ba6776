//! What a call wants of a Canary next, from nothing but what is there: which gates are open, and
//! what is changed.

use std::sync::Arc;

use serde_json::{Value, json};

use super::super::super::helm::Steer;
use super::super::change::{Change, Next, body};
use super::super::cluster::resource;
use super::super::config::Kind;
use super::super::gates::{Hook, path};
use super::super::image;
use super::super::owners::forbidden;
use super::super::pods::hopeless;
use super::super::record::{BEFORE, Before, EFFECT, HELD, RETRY, left};
use super::super::template::{image_in, with_image};
use super::super::wish::asks_again;
use super::view::{View, Way};
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
    /// Whether the room keeps gates at all.
    pub gated: bool,
}

/// What a look leads to.
#[derive(Clone, Debug, PartialEq)]
pub struct Course {
    /// The gates that are open from now on.
    pub open: Vec<Hook>,
    /// What else is done.
    pub next: Next,
}

fn only(next: Next) -> Course {
    Course {
        open: Vec::new(),
        next,
    }
}

/// What time says besides what is seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// Whether Flagger has had two rounds to ask whether it shall go back.
    pub asked: bool,
    /// Whether nothing has gone on for longer than a round.
    pub quiet: bool,
}

/// The phases in which a new version is being tried.
const TRYING: [&str; 2] = ["Progressing", "WaitingPromotion"];

/// The phases in which it becomes the primary one; nothing stops it there.
const PROMOTING: [&str; 2] = ["Promoting", "Finalising"];

impl Wish<'_> {
    fn share(&self) -> u8 {
        self.effect.exposure.map_or(100, |share| share.percent())
    }

    /// What to do, given what was seen and what the helm says.
    pub fn next(&self, view: &View, steer: Steer, times: Times) -> Course {
        if let Err(kind) = &view.kind {
            let words =
                format!("its target is a {kind}; holdpoint changes Deployments and DaemonSets");
            return only(Next::Never(words.into()));
        }
        let image = match image_in(&view.target.template, self.container) {
            Ok(image) => image,
            Err(why) => return only(Next::Never(why.into())),
        };
        match self.effect.verb {
            Verb::Deploy => self.forward(view, steer, image),
            Verb::Rollback => self.back(view, steer, image, times),
            Verb::Drain | Verb::Undrain => only(Next::Never("a Canary is not drained".into())),
        }
    }

    fn forward(&self, view: &View, steer: Steer, image: &str) -> Course {
        let ours = image == self.image;
        if steer == Steer::Hold {
            let moves = ours && (view.is(&TRYING) || view.is(&["Waiting"]));
            return only(if moves && !view.suspended {
                self.suspend(view)
            } else {
                Next::Patience("paused".into())
            });
        }
        if view.suspended {
            return only(if view.marks[HELD].is_string() {
                resume(view)
            } else {
                Next::Patience("somebody else has suspended it (spec.suspend)".into())
            });
        }
        if !ours {
            return only(self.begin(view, image));
        }
        if let Some(why) = self.unready(view) {
            return only(Next::Failed(why.into()));
        }
        self.towards(view)
    }

    /// Why it cannot be led at all, whatever stands there now.
    fn unready(&self, view: &View) -> Option<String> {
        if !self.gated {
            return Some(
                "this room keeps no gates that Flagger could ask at: room.toml needs `[gates]`"
                    .into(),
            );
        }
        let missing = self.missing(view);
        if !missing.is_empty() {
            let words: Vec<_> = missing.iter().map(|hook| hook.word()).collect();
            return Some(format!(
                "its Canary does not ask holdpoint: spec.analysis.webhooks lacks {}",
                words.join(", ")
            ));
        }
        if !view.rivals.is_empty() {
            return Some(format!(
                "another Canary has the same target: {}; Flagger would let both change it",
                view.rivals.join(", ")
            ));
        }
        None
    }

    /// The webhooks that it needs and does not have.
    pub fn missing(&self, view: &View) -> Vec<Hook> {
        let needed = Hook::ALL.into_iter().filter(|hook| match hook {
            Hook::ConfirmTraffic => matches!(view.way, Way::Weights(_)),
            _ => true,
        });
        needed
            .filter(|hook| !view.asks_at(*hook, &path(&self.effect.target, *hook)))
            .collect()
    }

    /// The first change of a release: the target's template gets the image.
    fn begin(&self, view: &View, image: &str) -> Next {
        let before = Before::of(&view.target.marks, self.effect);
        if before.is_some() && !asks_again(self.effect) {
            return Next::Failed(
                format!("somebody has changed its template meanwhile: it has {image} now").into(),
            );
        }
        if let Some(why) = forbidden(&view.owners)
            .or_else(|| self.unready(view))
            .or_else(|| self.unfit(view))
        {
            return Next::Never(why.into());
        }
        match &*view.phase {
            "" | "Initializing" => return Next::Wait("Flagger has not set it up yet".into()),
            "Initialized" | "Succeeded" | "Failed" => {}
            _ if before.is_some() => {}
            phase => {
                let words = format!("Flagger is at work here already: {image}, {phase}");
                return Next::Never(words.into());
            }
        }
        let before = Before {
            release: self.effect.release.to_string(),
            revision: view.applied.to_string(),
            image: before.map_or_else(|| image.to_owned(), |before| before.image),
            to: self.image.clone(),
            kept: None,
        };
        self.write(view, &self.image, json!(before.write()))
    }

    /// Why its way holds no such share.
    fn unfit(&self, view: &View) -> Option<String> {
        if self.share() >= 100 {
            return None;
        }
        if view.skips {
            return Some(
                "it skips its analysis (spec.skipAnalysis), and so all of its gates".into(),
            );
        }
        match &view.way {
            Way::Weights(all) if all.first().is_none_or(|first| *first > self.share()) => {
                Some(format!(
                    "{} % cannot be held by its weights ({}): the first one shows more",
                    self.share(),
                    view.way.words()
                ))
            }
            _ => None,
        }
    }

    fn towards(&self, view: &View) -> Course {
        let before = Before::of(&view.target.marks, self.effect);
        // the status has no generation: as long as Flagger works on the template of before, all it
        // says is about that
        let noticed = before
            .as_ref()
            .is_none_or(|before| *before.revision != *view.applied);
        let whole = self.share() >= 100;
        let wait = || Next::Wait(view.words());
        match &*view.phase {
            "Waiting" => gates(&[Hook::ConfirmRollout], wait()),
            phase if PROMOTING.contains(&phase) && !whole => only(Next::Failed(self.beyond())),
            phase if PROMOTING.contains(&phase) => only(wait()),
            phase if TRYING.contains(&phase) && noticed => self.trying(view),
            "Failed" if noticed => self.failed(view),
            "Succeeded" | "Initialized" if self.serves(view) => match whole || before.is_none() {
                true => only(tidy(view)),
                false => only(Next::Failed(self.beyond())),
            },
            "" | "Initializing" => only(Next::Wait("Flagger has not set it up yet".into())),
            _ => gates(&[Hook::ConfirmRollout], wait()),
        }
    }

    fn trying(&self, view: &View) -> Course {
        if self.share() >= 100 {
            let open = [
                Hook::ConfirmRollout,
                Hook::ConfirmTraffic,
                Hook::ConfirmPromotion,
            ];
            return gates(&open, patient(view));
        }
        let shown = view.shown();
        if shown > self.share() {
            return only(Next::Failed(self.beyond()));
        }
        let whole = view.target.whole() && view.target.available > 0;
        let there = match view.way.after(shown) {
            // one step more, and no further than the batch may
            Some(next) if next <= self.share() => {
                return gates(&[Hook::ConfirmTraffic], patient(view));
            }
            Some(_) => shown > 0,
            None => &*view.phase == "WaitingPromotion",
        };
        only(match there && whole {
            true => Next::Done,
            false => patient(view),
        })
    }

    /// Whether the primary workload runs what the call brings.
    fn serves(&self, view: &View) -> bool {
        view.primary.as_ref().is_some_and(|primary| {
            let image = image_in(&primary.template, self.container);
            image == Ok(self.image.as_str()) && primary.whole()
        })
    }

    fn beyond(&self) -> Arc<str> {
        let share = self.share();
        format!("somebody else has taken it past {share} %, or its gates do not lead here").into()
    }

    /// Flagger has taken it back. Who asks again has that failure forgotten, and only that one: Flagger
    /// begins anew with what it does not know to have applied. It writes that down again in every
    /// round, so a change that came between is made once more; the time of the failure stays.
    fn failed(&self, view: &View) -> Course {
        let at = &view.failed_at;
        if !asks_again(self.effect) || at.is_empty() {
            return only(Next::Bad(view.words()));
        }
        let mark = format!("{} {at}", self.effect.id);
        let next = match view.marks[RETRY].as_str() {
            Some(noted) if noted == mark && view.applied.is_empty() => Next::Wait(view.words()),
            Some(noted) if noted == mark => forget(view),
            Some(noted) if noted.starts_with(&format!("{} ", self.effect.id)) => {
                return only(Next::Bad(view.words()));
            }
            _ => return only(on_canary(view, &json!({RETRY: mark}), &json!({}))),
        };
        gates(&[Hook::ConfirmRollout], next)
    }

    /// The way back. What is being tried is stopped by the gate that asks for it, which takes its
    /// traffic away at once; where Flagger does not come to ask, because the new pods never get
    /// ready, the old template does the same.
    fn back(&self, view: &View, steer: Steer, image: &str, times: Times) -> Course {
        if steer == Steer::Hold {
            return only(Next::Patience("paused".into()));
        }
        if view.suspended {
            return only(resume(view));
        }
        if !self.is_old(image) {
            if view.is(&PROMOTING) {
                let words = "Flagger is promoting and cannot be stopped; it goes back after that";
                return only(Next::Wait(words.into()));
            }
            let asks = view.asks_at(Hook::Rollback, &path(&self.effect.target, Hook::Rollback));
            if view.is(&TRYING) && asks && self.gated && !times.asked && view.target.whole() {
                return gates(&[Hook::Rollback], Next::Patience(view.words()));
            }
            let before = Before::of(&view.target.marks, self.effect);
            let old = before.map_or_else(|| self.image.clone(), |before| before.image);
            return only(self.write(view, &old, Value::Null));
        }
        if view.target.marks[EFFECT] != self.effect.id.as_str() {
            // whatever of the way forward is still on the line comes too late from here on
            return only(self.mark(view));
        }
        let serves = view.primary.as_ref().is_some_and(|primary| {
            let image = image_in(&primary.template, self.container);
            image.is_ok_and(|image| self.is_old(image)) && primary.whole()
        });
        if view.is(&["Succeeded", "Initialized", "Failed"]) && serves && !view.failed_forward() {
            return only(match times.quiet {
                true => tidy(view),
                // the old template may be tried once more: some versions do, after a round
                false => Next::Patience("waiting whether Flagger tries the old version".into()),
            });
        }
        if &*view.phase == "Failed" && !serves && times.quiet {
            return only(Next::Bad(view.words()));
        }
        let open = [
            Hook::ConfirmRollout,
            Hook::ConfirmTraffic,
            Hook::ConfirmPromotion,
        ];
        gates(
            &open,
            match view.target.whole() {
                true => Next::Patience(view.words()),
                false => Next::Wait(view.words()),
            },
        )
    }

    fn is_old(&self, image: &str) -> bool {
        image::is(image, &self.effect.artifact, self.repository)
    }

    /// A change of the target's template.
    fn write(&self, view: &View, image: &str, before: Value) -> Next {
        let template = match with_image(&view.target.template, self.container, image) {
            Ok(template) => template,
            Err(why) => return Next::Never(why.into()),
        };
        let mut marks = json!({EFFECT: self.effect.id.as_str()});
        if before.is_string() {
            marks[BEFORE] = before;
        }
        on_target(view, &marks, &json!({"template": template}))
    }

    fn mark(&self, view: &View) -> Next {
        on_target(view, &json!({EFFECT: self.effect.id.as_str()}), &json!({}))
    }

    fn suspend(&self, view: &View) -> Next {
        let marks = json!({HELD: self.effect.release.to_string(), EFFECT: self.effect.id.as_str()});
        on_canary(view, &marks, &json!({"suspend": true}))
    }
}

fn gates(open: &[Hook], next: Next) -> Course {
    Course {
        open: open.to_vec(),
        next,
    }
}

/// Rounds and checks take the time that they take; pods that do not come up do not.
fn patient(view: &View) -> Next {
    match hopeless(&view.stuck) {
        Some(why) => Next::Bad(why),
        None if view.target.whole() => Next::Patience(view.words()),
        None => Next::Wait(view.words()),
    }
}

fn resume(view: &View) -> Next {
    on_canary(view, &json!({HELD: null}), &json!({"suspend": false}))
}

/// Takes away what holdpoint has written onto the objects, and then it is done. The mark of the call
/// goes last: until then it says that the call was begun.
fn tidy(view: &View) -> Next {
    if let Some(marks) = left(&view.marks) {
        return on_canary(view, &marks, &json!({}));
    }
    match left(&view.target.marks).map(|marks| on_target(view, &marks, &json!({}))) {
        Some(Next::Change(last)) => Next::Last(last),
        _ => Next::Done,
    }
}

fn on_target(view: &View, marks: &Value, spec: &Value) -> Next {
    let kind = resource(view.kind.clone().unwrap_or(Kind::Deployment));
    let body = body(&view.target.version, marks, spec);
    Change::merge(kind, &view.target.name, None, body).into()
}

fn on_canary(view: &View, marks: &Value, spec: &Value) -> Next {
    let body = body(&view.version, marks, spec);
    Change::merge(resource(Kind::Canary), &view.name, None, body).into()
}

/// Has Flagger begin anew. The status is a resource of its own.
fn forget(view: &View) -> Next {
    let status = json!({"lastAppliedSpec": ""});
    let body = json!({"metadata": {"resourceVersion": view.version}, "status": status});
    Change::merge(resource(Kind::Canary), &view.name, Some("status"), body).into()
}
