//! Which instances are on which side of a rollout, and what sources have to know of them.

use crate::domain::release::{Release, StepStatus};
use crate::domain::{Artifact, InstanceName, ServiceName, State, TargetName};
use crate::engine::TargetPart;
use crate::engine::start::Targets;
use crate::platform::prometheus::template::Side;
use crate::platform::scrape::Endpoint;
use crate::platform::source::Sides;

/// The two sides of a rollout.
#[derive(Debug, Default)]
pub(super) struct Arms {
    /// Where the instances that run the new version show their metrics.
    pub canary: Vec<Endpoint>,
    /// Where those that run the old one do.
    pub baseline: Vec<Endpoint>,
    /// How many instances are on either side, canary first.
    pub counts: (usize, usize),
    /// What both are, in words that metrics stores know.
    pub sides: Sides,
}

impl Arms {
    /// The sides of one service.
    pub fn of(state: &State, release: &Release, service: &ServiceName, targets: &Targets) -> Arms {
        let mut arms = Arms::default();
        let plan = &release.plan;
        let change = plan.services.iter().find(|c| c.service == *service);
        let new = change.map(|change| change.artifact());
        for (name, target) in state.charter.targets_of(service, &plan.environment) {
            let Some(part) = targets.get(name) else {
                continue;
            };
            for instance in &target.instances {
                let seen = state.seen(name, instance);
                let runs = seen.and_then(|seen| seen.sight.artifact.clone());
                let (endpoints, side, count, artifact) = match step_of(release, name, instance) {
                    Some(StepStatus::Done) => {
                        let count = &mut arms.counts.0;
                        (&mut arms.canary, &mut arms.sides.canary, count, new.clone())
                    }
                    Some(StepStatus::ToDo) | None => {
                        let count = &mut arms.counts.1;
                        (&mut arms.baseline, &mut arms.sides.baseline, count, runs)
                    }
                    // on its way: it belongs to neither
                    Some(_) => continue,
                };
                *count += 1;
                side.add("service", service.0.clone());
                side.add("environment", plan.environment.0.clone());
                describe(side, part, instance, artifact);
                if let Some(url) = part.urls.get(instance) {
                    endpoints.push(Endpoint {
                        // instances of two targets may share a name
                        instance: InstanceName::from(format!("{name}/{instance}")),
                        url: format!("{url}{}", part.metrics_path),
                    });
                }
            }
        }
        arms
    }

    /// Whether the new version runs nowhere.
    pub fn nothing_new_runs(&self) -> bool {
        self.sides.canary.is_empty()
    }
}

fn describe(side: &mut Side, part: &TargetPart, instance: &InstanceName, runs: Option<Artifact>) {
    side.add("names", instance.0.clone());
    if let Some(namespace) = &part.namespace {
        side.add("namespace", namespace.as_str());
    }
    if let Some(artifact) = runs {
        side.add("version", artifact.version);
        if !artifact.digest.is_empty() {
            side.add("digest", artifact.digest);
        }
    }
    if let Some(url) = part.urls.get(instance) {
        side.add_address(url);
    }
}

fn step_of<'a>(
    release: &'a Release,
    target: &TargetName,
    instance: &InstanceName,
) -> Option<&'a StepStatus> {
    release
        .batches
        .iter()
        .flat_map(|b| &b.moves)
        .filter(|m| m.target == *target)
        .flat_map(|m| &m.steps)
        .find(|s| s.instance == *instance)
        .map(|s| &s.status)
}
