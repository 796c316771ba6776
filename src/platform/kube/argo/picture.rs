//! A Rollout as people see it.

use super::super::super::Picture;
use super::super::config::KubeConfig;
use super::super::image;
use super::super::template::image_in;
use super::super::view;
use super::steps::Strategy;
use super::view::{Carrier, Set, View};
use crate::domain::workload::{Parts, Stage, StageAt, Stuck, Way, Workload};
use crate::domain::{Artifact, Health};

/// What a look at a Rollout shows.
pub fn picture(view: &View, config: &KubeConfig) -> Picture {
    let container = config.container.as_deref();
    let artifact = |found: &str| image::artifact(found, &config.image);
    let wanted = image_in(view.template(), container).ok().map(artifact);
    let stable = view.image_of(&view.stable, container).map(artifact);
    // a template that the controller has not seen yet has no ReplicaSet and no hash
    let divided = if view.observed {
        !view.promoted() && !view.stable.is_empty()
    } else {
        stable.is_some() && wanted != stable
    };
    let (whole, arriving) = match divided {
        true => (stable.or_else(|| wanted.clone()), wanted),
        false => (wanted, None),
    };
    let health = health(view, divided);
    let workload = workload(view, config, divided, arriving);
    view::picture(config, health, whole, view.words(), workload)
}

/// Running is what stands where it is meant to stand, with all its pods.
fn health(view: &View, divided: bool) -> Health {
    let sets = || view.sets.iter().filter(|set| set.wanted > 0);
    if !view.observed {
        return Health::Changing;
    }
    match &*view.phase {
        "Degraded" => Health::Down,
        "Healthy" => Health::Running,
        "Paused" if view.inconclusive() => Health::Changing,
        "Paused" if sets().all(Set::whole) => Health::Running,
        "Paused" | "Progressing" => Health::Changing,
        _ if divided => Health::Changing,
        _ => Health::Unknown,
    }
}

fn workload(
    view: &View,
    config: &KubeConfig,
    divided: bool,
    arriving: Option<Artifact>,
) -> Workload {
    let new = view.set(&view.current).filter(|_| divided && view.observed);
    let (mut old, mut leaving) = (Parts::default(), 0);
    for set in &view.sets {
        if new.is_some_and(|new| new.hash == set.hash) {
            continue;
        }
        old.there += set.there;
        old.ready += set.ready;
        old.available += set.available;
        if *set.hash != *view.stable {
            leaving += set.there;
        }
    }
    let new_hash = new.map(|set| set.hash.clone());
    let place = if new.is_some() {
        &view.stable
    } else {
        &view.current
    };
    Workload {
        kind: "Rollout".into(),
        place: config.place(),
        wanted: view.wanted,
        new: new.map_or(Parts::default(), parts),
        old,
        leaving,
        new_hash,
        old_hash: (!place.is_empty()).then(|| place.clone()),
        arriving,
        weight: view.weight.filter(|_| divided),
        bound: bound(view).filter(|_| divided),
        says: view.words(),
        stages: stages(view),
        stuck: stuck(view),
        owners: view.owners.clone(),
        way: match view.strategy {
            Strategy::Canary(_) => Way::Stepped,
            Strategy::BlueGreen { .. } => Way::Beside {
                shown: format!("rollouts/{}/status pauseConditions=null", config.name).into(),
            },
        },
        carrier: match &view.carrier {
            Carrier::Deployment { name, .. } => Some(format!("deployments/{name}").into()),
            Carrier::Rollout { .. } | Carrier::Foreign(_) => None,
        },
    }
}

fn parts(set: &Set) -> Parts {
    Parts {
        there: set.there,
        ready: set.ready,
        available: set.available,
    }
}

/// How many new pods a step makes: Argo rounds a share to pods, at most up.
fn bound(view: &View) -> Option<u32> {
    match view.strategy {
        Strategy::Canary(ref steps) if !view.routed && !steps.is_empty() => {
            let share = u32::from(view.strategy.shown(view.step));
            Some((view.wanted * share).div_ceil(100).min(view.wanted))
        }
        _ => None,
    }
}

fn stages(view: &View) -> Vec<Stage> {
    let at = |n: usize| match n.cmp(&view.step) {
        _ if view.promoted() => StageAt::Done,
        std::cmp::Ordering::Less => StageAt::Done,
        std::cmp::Ordering::Equal => StageAt::Here,
        std::cmp::Ordering::Greater => StageAt::ToCome,
    };
    if let Strategy::BlueGreen { waits } = view.strategy {
        let stage = |name: &str, at| Stage {
            name: name.into(),
            at,
        };
        let promoted = view.promoted();
        let held = view.waits_for("BlueGreenPause");
        let (first, second) = match (promoted, held) {
            (true, _) => (StageAt::Done, StageAt::Done),
            (false, true) => (StageAt::Done, StageAt::Here),
            (false, false) => (StageAt::Here, StageAt::ToCome),
        };
        let switch = if waits {
            "switch, when promoted"
        } else {
            "switch"
        };
        return vec![stage("preview", first), stage(switch, second)];
    }
    let steps = view.strategy.steps().iter().enumerate();
    let stages = steps.map(|(n, step)| Stage {
        name: step.words(),
        at: at(n),
    });
    stages.collect()
}

/// What of it is stuck: its pods, and it itself.
fn stuck(view: &View) -> Vec<Stuck> {
    let mut all = view.stuck.clone();
    if view.inconclusive() {
        all.push(Stuck {
            count: 1,
            reason: "blocked",
            words: view.words(),
            way_out: Some("look at what was measured; roll back, or promote it with Argo".into()),
        });
    } else if view.observed && &*view.phase == "Degraded" {
        all.push(Stuck {
            count: view
                .set(&view.current)
                .map_or(1, |set| set.wanted.saturating_sub(set.available).max(1)),
            reason: if view.message.contains("ProgressDeadlineExceeded") {
                "deadline"
            } else {
                "blocked"
            },
            words: view.words(),
            way_out: None,
        });
    }
    all
}

/// What stands in the record of a failure.
pub fn details(view: &View) -> String {
    let mut lines = vec![view.words().to_string()];
    for set in view
        .sets
        .iter()
        .filter(|set| set.wanted > 0 || set.there > 0)
    {
        let (hash, there, available) = (&set.hash, set.there, set.available);
        let wanted = set.wanted;
        lines.push(format!(
            "{hash}: {available} of {wanted} pods available, {there} there"
        ));
    }
    lines.extend(view.stuck.iter().map(|one| one.words.to_string()));
    lines.extend(view.analyses.iter().map(super::view::Analysis::line));
    lines.join("\n")
}
