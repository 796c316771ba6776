//! The controllers of a Deployment as a model, against which its way to shares is tried in every order of
//! events. After the source of Kubernetes: `rolling.go` and `sync.go` of the Deployment controller, and
//! `replica_set_utils.go` of that of ReplicaSets.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::tests::{at_rest, body, changed, read, template, wish};
use super::*;
use crate::domain::Verb;

/// A ReplicaSet, with what its controller has made of it.
#[derive(Clone, Debug, Default)]
struct Copies {
    wanted: u32,
    min_ready: u32,
    generation: u32,
    observed: u32,
    ready: u32,
    available: u32,
}

impl Copies {
    fn scale(&mut self, to: u32) {
        self.generation += u32::from(self.wanted != to);
        self.wanted = to;
    }

    /// Its controller looks: so many pods more become ready.
    fn look(&mut self, more: u32) {
        self.ready = (self.ready + more).min(self.wanted);
        self.observed = self.generation;
        let counts = self.min_ready != brake::BRAKE;
        self.available = if counts { self.ready } else { 0 };
    }

    fn object(&self, hash: &str, image: &str) -> Value {
        let mut template = template(image);
        template["metadata"]["labels"]["pod-template-hash"] = hash.into();
        json!({"apiVersion": "apps/v1", "kind": "ReplicaSet",
            "metadata": {"name": hash, "uid": hash, "generation": self.generation,
                "labels": {"pod-template-hash": hash},
                "ownerReferences": [{"uid": "u", "controller": true}]},
            "spec": {"replicas": self.wanted, "minReadySeconds": self.min_ready, "template": template},
            "status": {"replicas": self.wanted, "readyReplicas": self.ready,
                "availableReplicas": self.available, "observedGeneration": self.observed}})
    }
}

/// A Deployment with its two ReplicaSets.
struct Model {
    object: Value,
    old: Copies,
    new: Option<Copies>,
    /// For how many pods the ReplicaSets were scaled last: wanted, and with the surge.
    scaled: (u32, u32),
}

const NEW: &str = "shop/web:2@sha256:02";

impl Model {
    fn of(all: u32) -> Model {
        let old = Copies {
            wanted: all,
            ready: all,
            available: all,
            ..Copies::default()
        };
        let mut object = at_rest();
        object["spec"]["replicas"] = all.into();
        Model {
            object,
            old,
            new: None,
            scaled: (all, all + 1),
        }
    }

    fn sets(&self) -> Vec<Value> {
        let new = self.new.iter().map(|new| new.object("bb", NEW));
        new.chain([self.old.object("a", "shop/web:1")]).collect()
    }

    /// holdpoint looks, and does what is to be done; whether it is there.
    fn step(&mut self, wish: &Wish, steer: Steer) -> bool {
        let seen = read(self.object.clone(), &self.sets());
        match forward(wish, &seen, steer) {
            Next::Done => return true,
            Next::Wait(_) => {}
            next => {
                let body = body(next);
                changed(&mut self.object, &body);
                if !body["spec"]["template"].is_null() {
                    self.object["spec"]["template"] = template(NEW);
                }
            }
        }
        false
    }

    fn wanted(&self) -> u32 {
        self.object["spec"]["replicas"].as_u64().unwrap_or(0) as u32
    }

    /// How many pods more and fewer its strategy allows.
    fn allowed(&self) -> (u32, u32) {
        let rolling = &self.object["spec"]["strategy"]["rollingUpdate"];
        let all = self.wanted();
        let read = |value: &Value, up: u32| match value.as_str() {
            Some(text) => {
                let percents: u32 = text.trim_end_matches('%').parse().unwrap();
                (all * percents + up) / 100
            }
            None => value.as_u64().unwrap() as u32,
        };
        let more = read(&rolling["maxSurge"], 99);
        let fewer = read(&rolling["maxUnavailable"], 0);
        // both 0 would never move
        (more, fewer.max(u32::from(more == 0)).min(all))
    }

    /// The Deployment's controller looks.
    fn look(&mut self) {
        let all = self.wanted();
        let (more, fewer) = self.allowed();
        let spec = &self.object["spec"];
        let (paused, template) = (spec["paused"] == true, &spec["template"]);
        let min_ready = spec["minReadySeconds"].as_u64().unwrap_or(0) as u32;
        let comes = *template == self::template(NEW);
        if comes && self.new.is_none() && !paused {
            self.new = Some(Copies {
                min_ready,
                generation: 1,
                ..Copies::default()
            });
        }
        let Some(new) = self.new.as_mut().filter(|_| comes) else {
            return;
        };
        // it goes on with the status that it has read, however old that is
        if new.min_ready != min_ready {
            new.min_ready = min_ready;
            new.generation += 1;
        }
        let changed = self.scaled.0 != all;
        if changed || paused {
            self.scale(all, more);
        }
        self.scaled = (all, all + more);
        if changed || paused {
            return;
        }
        let (old, new) = (&mut self.old, self.new.as_mut().unwrap());
        if new.wanted > all {
            return new.scale(all);
        }
        let room = (all + more).saturating_sub(old.wanted + new.wanted);
        let come = room.min(all - new.wanted);
        if come > 0 {
            return new.scale(new.wanted + come);
        }
        let least = all - fewer;
        let missing = new.wanted.saturating_sub(new.available);
        let go = (old.wanted + new.wanted).saturating_sub(least + missing);
        if go == 0 {
            return;
        }
        // those that are not available first
        let ill = old.wanted.saturating_sub(old.available).min(go);
        old.scale(old.wanted - ill);
        let spare = (old.available + new.available).saturating_sub(least);
        old.scale(old.wanted - spare.min(old.wanted));
        old.ready = old.ready.min(old.wanted);
    }

    /// Both ReplicaSets in proportion, the larger one first.
    fn scale(&mut self, all: u32, more: u32) {
        let (old, new) = (&mut self.old, self.new.as_mut().unwrap());
        if old.wanted == 0 || new.wanted == 0 {
            let only = if old.wanted == 0 { new } else { old };
            return only.scale(all);
        }
        let allowed = all + more;
        let add = i64::from(allowed) - i64::from(old.wanted + new.wanted);
        if add == 0 {
            return;
        }
        let before = f64::from(self.scaled.1);
        let part = |wanted: u32, left: i64| {
            let size = (f64::from(wanted) * f64::from(allowed) / before).round();
            let part = size as i64 - i64::from(wanted);
            if add > 0 {
                part.min(left)
            } else {
                part.max(left)
            }
        };
        let (first, second) = match old.wanted > new.wanted {
            true => (old, new),
            false => (new, old),
        };
        let one = part(first.wanted, add);
        let other = if one == add {
            0
        } else {
            part(second.wanted, add - one)
        };
        let rest = add - one - other;
        let size = |wanted: u32, add: i64| u32::try_from(i64::from(wanted) + add).unwrap_or(0);
        first.scale(size(first.wanted, one + rest));
        second.scale(size(second.wanted, other));
        for set in [first, second] {
            set.ready = set.ready.min(set.wanted);
        }
    }
}

/// What may happen.
#[derive(Clone, Copy, Debug)]
enum Event {
    /// holdpoint looks.
    Step,
    /// The Deployment's controller looks.
    Look,
    /// That of the ReplicaSets does, and so many new pods more are ready.
    Pods(u32),
    /// Somebody holds the release, or lets it go on.
    Hold(bool),
    /// An autoscaler changes the number of pods.
    Scale(u32),
}

fn event(scales: bool) -> impl Strategy<Value = Event> {
    let scale = if scales { 1 } else { 0 };
    prop_oneof![
        6 => Just(Event::Step),
        6 => Just(Event::Look),
        6 => (0..4_u32).prop_map(Event::Pods),
        1 => any::<bool>().prop_map(Event::Hold),
        scale => (1..40_u32).prop_map(Event::Scale),
    ]
}

fn happen(model: &mut Model, wish: &Wish, steer: &mut Steer, event: Event) {
    match event {
        Event::Step => {
            model.step(wish, *steer);
        }
        Event::Look => model.look(),
        Event::Pods(more) => {
            model.old.look(0);
            if let Some(new) = &mut model.new {
                new.look(more);
            }
        }
        Event::Hold(hold) => *steer = if hold { Steer::Hold } else { Steer::GoOn },
        Event::Scale(all) => model.object["spec"]["replicas"] = all.into(),
    }
}

/// Once nothing happens any more, it comes to its share.
fn comes_there(model: &mut Model, wish: &Wish) -> Result<(), TestCaseError> {
    for _ in 0..400 {
        if model.step(wish, Steer::GoOn) {
            return Ok(());
        }
        model.look();
        model.old.look(40);
        if let Some(new) = &mut model.new {
            new.look(40);
        }
    }
    let told = format!("{:?} {:?} {}", model.old, model.new, model.object["spec"]);
    Err(TestCaseError::fail(format!(
        "it does not get there: {told}"
    )))
}

/// The wish of a batch that brings a share.
fn batch(number: u32, share: u32) -> Wish {
    Wish {
        effect: format!("R-1.b{number}").as_str().into(),
        ..wish(&format!("{share}%"), Verb::Deploy)
    }
}

type Events = Vec<Event>;

fn events(scales: bool) -> impl Strategy<Value = Events> {
    proptest::collection::vec(event(scales), 0..80)
}

proptest! {
    #[test]
    fn whoever_looks_when_there_are_never_more_new_pods_than_the_share(
        all in 2_u32..60,
        mut batches in [(1_u32..100, events(false)), (1_u32..100, events(false))],
    ) {
        batches.sort_by_key(|(share, _)| *share);
        let mut model = Model::of(all);
        let most = all + (all / 10).max(1);
        for (number, (share, events)) in (1..).zip(batches) {
            let until = (all * share).div_ceil(100);
            let wish = batch(number, share);
            if until == all {
                break;
            }
            let mut steer = Steer::GoOn;
            for event in events {
                happen(&mut model, &wish, &mut steer, event);
                let (old, new) = (&model.old, model.new.clone().unwrap_or_default());
                prop_assert!(new.wanted <= until, "{new:?} of {until} after {event:?}");
                prop_assert!(old.wanted + new.wanted <= most, "{old:?} {new:?} after {event:?}");
                prop_assert!(old.wanted + new.ready >= all, "{old:?} {new:?} after {event:?}");
            }
            comes_there(&mut model, &wish)?;
            let new = model.new.clone().unwrap_or_default();
            prop_assert_eq!((new.wanted, model.old.wanted), (until, all - until));
            prop_assert_eq!(&model.object["spec"]["minReadySeconds"], &json!(0));
        }
    }

    #[test]
    fn however_many_pods_an_autoscaler_wants_it_gets_there(
        all in 1_u32..40,
        mut batches in [(1_u32..=100, events(true)), (1_u32..=100, events(true))],
    ) {
        batches.sort_by_key(|(share, _)| *share);
        let mut model = Model::of(all);
        for (number, (share, events)) in (1..).zip(batches) {
            let wish = batch(number, share);
            let mut steer = Steer::GoOn;
            for event in events {
                happen(&mut model, &wish, &mut steer, event);
            }
            comes_there(&mut model, &wish)?;
        }
    }
}
