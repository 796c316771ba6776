//! A Canary as people see it, and what it needs to be led.

use std::fmt::Write as _;
use std::sync::Arc;

use super::super::super::Picture;
use super::super::config::{Kind, KubeConfig};
use super::super::gates::{Gates, Hook};
use super::super::image;
use super::super::template::image_in;
use super::super::view;
use super::view::{Part, View, Way};
use crate::domain::workload::{self, Owner, Parts, Stage, StageAt, Stuck, Workload};
use crate::domain::{Artifact, Health, TargetName};

/// What a look at a Canary shows. Production is the primary workload; the target has pods only
/// while something is tried.
pub fn picture(view: &View, config: &KubeConfig) -> Picture {
    let container = config.container.as_deref();
    let artifact = |found: &str| image::artifact(found, &config.image);
    let of = |part: &Part| image_in(&part.template, container).ok().map(artifact);
    let wanted = of(&view.target);
    let serving = view.primary.as_ref().and_then(of);
    let divided = serving.is_some() && serving != wanted;
    let (whole, arriving) = match divided {
        true => (serving, wanted),
        false => (wanted, None),
    };
    let health = health(view, divided);
    let workload = workload(view, config, divided, arriving);
    view::picture(config, health, whole, view.words(), workload)
}

fn health(view: &View, divided: bool) -> Health {
    let Some(primary) = &view.primary else {
        return match &*view.phase {
            "" | "Initializing" => Health::Changing,
            _ => Health::Unknown,
        };
    };
    match &*view.phase {
        "Failed" if divided || view.failed_forward() => Health::Down,
        "Progressing" | "WaitingPromotion" if primary.whole() && view.target.whole() => {
            Health::Running
        }
        "Succeeded" | "Initialized" | "Failed" if !divided && primary.whole() => Health::Running,
        "" => Health::Unknown,
        _ => Health::Changing,
    }
}

fn parts(part: &Part) -> Parts {
    Parts {
        there: part.there,
        ready: part.ready,
        available: part.available,
    }
}

fn workload(
    view: &View,
    config: &KubeConfig,
    divided: bool,
    arriving: Option<Artifact>,
) -> Workload {
    let primary = view.primary.as_ref();
    Workload {
        kind: "Canary".into(),
        place: config.place(),
        wanted: primary.map_or(0, |part| part.wanted),
        new: match divided {
            true => parts(&view.target),
            false => Parts::default(),
        },
        old: primary.map_or(Parts::default(), parts),
        leaving: 0,
        new_hash: (!view.applied.is_empty() && divided).then(|| view.applied.clone()),
        old_hash: None,
        arriving,
        weight: match view.way {
            Way::Weights(_) => Some(view.shown()),
            Way::Rounds(_) => None,
        }
        .filter(|_| divided),
        bound: None,
        says: view.words(),
        stages: stages(view),
        stuck: stuck(view, divided),
        owners: view
            .owners
            .iter()
            .cloned()
            .chain(view.rivals.iter().map(rival))
            .collect(),
        way: workload::Way::Stepped,
        carrier: Some(carrier(view).into()),
    }
}

/// What Flagger watches: there the image is written.
fn carrier(view: &View) -> String {
    let kind = match view.kind {
        Ok(Kind::DaemonSet) => "daemonsets",
        _ => "deployments",
    };
    format!("{kind}/{}", view.target.name)
}

fn rival(name: &Arc<str>) -> Owner {
    Owner {
        who: format!("Canary {name}").into(),
        words: "it has the same target, and Flagger lets both change it".into(),
        forbids: true,
    }
}

fn stages(view: &View) -> Vec<Stage> {
    let promoting = view.is(&["Promoting", "Finalising"]);
    let over = view.is(&["Succeeded", "Initialized", "Failed", ""]);
    let waits = &*view.phase == "WaitingPromotion";
    let mut stages = Vec::new();
    match &view.way {
        Way::Weights(all) => {
            for share in all {
                let at = match share.cmp(&view.shown()) {
                    _ if promoting || waits => StageAt::Done,
                    _ if over => StageAt::ToCome,
                    std::cmp::Ordering::Less => StageAt::Done,
                    std::cmp::Ordering::Equal => StageAt::Here,
                    std::cmp::Ordering::Greater => StageAt::ToCome,
                };
                stages.push((format!("{share} %"), at));
            }
        }
        Way::Rounds(rounds) => {
            let at = match () {
                () if promoting || waits => StageAt::Done,
                () if &*view.phase == "Progressing" => StageAt::Here,
                () => StageAt::ToCome,
            };
            stages.push((format!("{rounds} rounds of checks"), at));
        }
    }
    let last = if promoting || waits {
        StageAt::Here
    } else {
        StageAt::ToCome
    };
    stages.push(("promotion".to_owned(), last));
    let all = stages.into_iter();
    all.map(|(name, at)| Stage {
        name: name.into(),
        at,
    })
    .collect()
}

fn stuck(view: &View, divided: bool) -> Vec<Stuck> {
    let mut all = view.stuck.clone();
    if &*view.phase != "Failed" || !(divided || view.failed_forward()) {
        return all;
    }
    all.push(Stuck {
        count: view.target.wanted.max(1),
        reason: "blocked",
        words: view.words(),
        way_out: view.failed_forward().then(|| {
            "all traffic is on the new version: look at the primary workload before anything else"
                .into()
        }),
    });
    all
}

/// What stands in the record of a failure: where it is, and the webhooks that it lacks, as YAML.
pub fn details(view: &View, gates: &Gates, target: &TargetName, missing: &[Hook]) -> String {
    let mut text = view.words().to_string();
    for warning in &view.warnings {
        let _ = write!(text, "\n{warning}");
    }
    if !missing.is_empty() && gates.kept() {
        text += "\nits Canary needs, under spec.analysis:\nwebhooks:";
        for hook in missing {
            let word = hook.word();
            let url = gates.url(target, *hook).unwrap_or_default();
            let _ = write!(
                text,
                "\n- name: holdpoint-{word}\n  type: {word}\n  url: {url}\n  metadata: {{token: TOKEN}}"
            );
        }
        text += "\nTOKEN is the secret that [gates] refers to in room.toml";
    }
    text
}
