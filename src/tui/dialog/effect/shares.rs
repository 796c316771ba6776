//! What an action does to targets that are moved by shares, and who else changes them.

use std::sync::Arc;

use crate::domain::TargetName;
use crate::domain::plan::Exposure;
use crate::domain::release::{Move, Release, StepStatus};
use crate::domain::share::{self, divided, forward, from, pods, sentence};
use crate::domain::workload::{Way, Workload};

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

/// Where a call goes, after its words: `in scratch`, as they name object and namespace themselves.
pub(super) fn cluster(world: World<'_>, target: &TargetName) -> String {
    let place = place(world, target);
    match place.rsplit_once(" in ") {
        Some((_, cluster)) => format!("in {cluster}"),
        None => format!("on {place}"),
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
            let version = &m.artifact.version;
            let workload = workload(world, &m.target);
            facts.fact(label, &sentence(from, to, &name, workload, go_on, version));
            label = "";
        }
    }
    owners(facts, world, shares().map(|m| &m.target));
}

/// The very calls of a move, as far as it is not done: from the share where the workload stands.
pub(super) fn calls(
    world: World<'_>,
    release: &Release,
    m: &Move,
    argv: &[Arc<str>],
) -> Vec<String> {
    let workload = workload(world, &m.target);
    let open = m.steps.iter().filter(|s| s.status != StepStatus::Done);
    let calls = open.flat_map(|step| {
        let from = from(release, &m.target, step);
        let to = step.exposure.unwrap_or(Exposure::FULL);
        forward(argv, &m.artifact, workload, from, to)
    });
    calls.collect()
}

/// The very calls of the way back of a workload.
pub(super) fn calls_back(world: World<'_>, target: &TargetName, argv: &[Arc<str>]) -> Vec<String> {
    share::back(argv, workload(world, target))
}

/// How a workload goes back.
pub(super) fn back(world: World<'_>, target: &TargetName, versions: &str) -> String {
    let name = place(world, target);
    let new = workload(world, target).filter(|workload| workload.is_divided());
    let beside = new.is_some_and(|workload| matches!(workload.way, Way::Beside { .. }));
    match new.map(|workload| (workload.new.there, workload.wanted)) {
        Some(_) if beside => {
            format!("what stands beside {name} goes back; all traffic stays with {versions}")
        }
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
