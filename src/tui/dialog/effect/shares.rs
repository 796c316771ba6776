//! What an action does to targets that are moved by shares, and who else changes them.

use std::sync::Arc;

use crate::domain::release::{Move, Release, StepStatus};
use crate::domain::share::{divided, from, pods, step};
use crate::domain::workload::Workload;
use crate::domain::{Artifact, TargetName};

use super::super::super::theme::Role;
use super::super::super::world::World;
use super::Facts;

fn workload<'a>(world: World<'a>, target: &TargetName) -> Option<&'a Workload> {
    world.live.targets.get(target)?.workload.as_deref()
}

/// What people call a workload: where it is, or its target while it was never read.
pub(super) fn place(world: World<'_>, target: &TargetName) -> String {
    match workload(world, target).map(|workload| &*workload.place) {
        None | Some("") => target.to_string(),
        Some(place) => place.to_owned(),
    }
}

/// `20 % → 50 % of shop/web in scratch (4 → 10 of 20 pods) goes to 4.12.0`, for each workload, and who
/// else changes it. Of moves that `go on`, only what is left.
pub(super) fn scope(
    facts: &mut Facts,
    world: World<'_>,
    release: &Release,
    moves: &[Move],
    go_on: bool,
) {
    let mut label = "scope";
    let shares = || moves.iter().filter(|m| divided(world.state, &m.target));
    for m in shares() {
        for part in &m.steps {
            let done = part.status == StepStatus::Done;
            let Some(to) = part.exposure.filter(|_| !(go_on && done)) else {
                continue;
            };
            let from = from(release, &m.target, part);
            let name = place(world, &m.target);
            let what = step(from, to, &name, workload(world, &m.target), go_on);
            facts.fact(label, &format!("{what} goes to {}", m.artifact.version));
            label = "";
        }
    }
    owners(facts, world, shares().map(|m| &m.target));
}

/// The very call: there is one for the whole workload, so that nothing in it stays open.
pub(super) fn call(argv: &[Arc<str>], artifact: &Artifact) -> Vec<Arc<str>> {
    let filled = argv.iter().map(|word| {
        let word = word.replace("{version}", &artifact.version);
        Arc::from(word.replace("{digest}", &artifact.digest))
    });
    filled.collect()
}

/// How a workload goes back.
pub(super) fn back(world: World<'_>, target: &TargetName, versions: &str) -> String {
    let name = place(world, target);
    let new = workload(world, target).filter(|workload| workload.is_divided());
    match new.map(|workload| (workload.new.there, workload.wanted)) {
        Some((new, wanted)) => {
            let wanted = pods(wanted);
            format!("all of {name} goes back to {versions}: {new} of {wanted} run the new version")
        }
        None => format!("all of {name} goes back to {versions}"),
    }
}

/// Who else changes the workloads: whoever forbids it stands out.
pub(super) fn owners<'a>(
    facts: &mut Facts,
    world: World<'_>,
    targets: impl Iterator<Item = &'a TargetName>,
) {
    for target in targets {
        let owners = workload(world, target).map(|workload| workload.owners.as_slice());
        for owner in owners.unwrap_or_default() {
            let words = format!("{}: {}", owner.who, owner.words);
            if owner.forbids {
                facts.shown("forbidden", Role::StatusBad, &words);
            } else {
                facts.shown("besides", Role::Dim, &words);
            }
        }
    }
}
