//! What a release needs of others before it moves: another release, a version of a service, a
//! promotion path.
//!
//! A need is met or not by what the ledger knows; nobody ticks it off. What it takes to be met is
//! told by [`standing`], who could bring it about by [`providers`], and that releases would wait
//! for each other for ever by [`circle()`].

mod circle;
mod version;

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use circle::{circle, spelled as circle_spelled};
pub use version::{Fit, fit, readable};

use super::charter::Charter;
use super::effect::Health;
use super::hold::HoldKind;
use super::ids::{EnvName, InstanceName, ReleaseId, ServiceName, TargetName};
use super::plan::{Kind, Plan};
use super::release::{Ending, Phase, Release};
use super::state::State;
use super::waiting::Whom;

/// A need as a plan writes it: of a release, or of a version of a service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NeedPlan {
    /// An id (`R-7`) or a unique name; it need not be submitted yet.
    pub release: Option<Arc<str>>,
    /// How far that release must be; `succeeded` without it.
    pub until: Option<Reached>,
    /// The service that must run in a version.
    pub service: Option<ServiceName>,
    /// The lowest version that will do, compared as semantic versions.
    pub at_least: Option<Arc<str>>,
    /// The only version that will do, letter by letter.
    pub exactly: Option<Arc<str>>,
    /// Where the service must run it; the plan's environment without it.
    pub environment: Option<EnvName>,
}

/// How far a needed release must be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reached {
    /// Fully exposed, and watched.
    Observing,
    /// Closed, and the new version runs.
    #[default]
    Succeeded,
}

/// Which environment a release must have succeeded in first, with the same artifacts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Promotion {
    /// The environments it guards; empty stands for all but `after`.
    pub environments: BTreeSet<EnvName>,
    /// The kinds of release it holds for; empty stands for all.
    pub kinds: BTreeSet<Kind>,
    /// Where the same artifacts must have succeeded.
    pub after: EnvName,
}

impl Promotion {
    /// Whether a plan has to come this way.
    pub fn fits(&self, plan: &Plan) -> bool {
        plan.environment != self.after
            && (self.environments.is_empty() || self.environments.contains(&plan.environment))
            && (self.kinds.is_empty() || self.kinds.contains(&plan.kind))
    }
}

/// One need of a release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Need {
    /// Another release must have come somewhere.
    Release {
        /// Its id or name. Of several with that name an open one counts, else the newest.
        name: Arc<str>,
        /// Where.
        until: Reached,
    },
    /// Every instance of a service in an environment must run a version.
    Version {
        /// The service.
        service: ServiceName,
        /// Where.
        environment: EnvName,
        /// Which version.
        wanted: Wanted,
        /// The targets where it runs there.
        targets: Vec<TargetName>,
    },
    /// The same artifact of a service must have succeeded elsewhere before.
    Promotion {
        /// Where.
        after: EnvName,
        /// The service.
        service: ServiceName,
        /// Its version, for people.
        version: Arc<str>,
        /// The digest that has to be the same.
        digest: Arc<str>,
    },
}

/// Which version will do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wanted {
    /// This one or a later one, as semantic versions go.
    AtLeast(Arc<str>),
    /// This one, letter by letter.
    Exactly(Arc<str>),
}

impl Wanted {
    /// Whether a version will do.
    pub fn fits(&self, version: &str) -> Fit {
        match self {
            Wanted::AtLeast(least) => fit(version, least),
            Wanted::Exactly(one) if **one == *version => Fit::Good,
            Wanted::Exactly(_) => Fit::Older,
        }
    }

    fn words(&self) -> String {
        match self {
            Wanted::AtLeast(version) => format!("{version} or later"),
            Wanted::Exactly(version) => version.to_string(),
        }
    }
}

/// The needs of a plan: those it writes, and those of the promotion paths.
pub fn of(plan: &Plan, charter: &Charter) -> Vec<Need> {
    let mut needs: Vec<Need> = plan
        .needs
        .iter()
        .filter_map(|written| written_need(written, plan, charter))
        .collect();
    for path in charter.promotions.iter().filter(|path| path.fits(plan)) {
        needs.extend(plan.services.iter().map(|change| Need::Promotion {
            after: path.after.clone(),
            service: change.service.clone(),
            version: change.version.clone(),
            digest: change.digest.clone(),
        }));
    }
    needs
}

fn written_need(written: &NeedPlan, plan: &Plan, charter: &Charter) -> Option<Need> {
    if let Some(name) = &written.release {
        return Some(Need::Release {
            name: name.clone(),
            until: written.until.unwrap_or_default(),
        });
    }
    let service = written.service.clone()?;
    let environment = written
        .environment
        .clone()
        .unwrap_or_else(|| plan.environment.clone());
    let wanted = match (&written.at_least, &written.exactly) {
        (Some(least), _) => Wanted::AtLeast(least.clone()),
        (None, one) => Wanted::Exactly(one.clone()?),
    };
    let targets = charter.targets_of(&service, &environment);
    let targets = targets.map(|(name, _)| name.clone()).collect();
    Some(Need::Version {
        service,
        environment,
        wanted,
        targets,
    })
}

/// A need that is not met: what is missing, on whom it waits, and whether nothing that goes on by
/// itself will bring it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmet {
    /// In a sentence without its subject.
    pub words: String,
    /// On whom.
    pub on: Whom,
    /// Whether it takes somebody to do something about it.
    pub stuck: bool,
}

impl Need {
    /// What it asks for, in a few words.
    pub fn words(&self) -> String {
        match self {
            Need::Release { name, until } => match until {
                Reached::Succeeded => format!("{name} has succeeded"),
                Reached::Observing => format!("{name} is fully exposed"),
            },
            Need::Version {
                service,
                environment,
                wanted,
                ..
            } => format!("{service} runs {} in {environment}", wanted.words()),
            Need::Promotion {
                after,
                service,
                version,
                ..
            } => format!("{service} {version} has succeeded in {after}"),
        }
    }
}

/// What several needs ask for, for a line.
pub fn list(needs: &[Need]) -> String {
    let each: Vec<String> = needs.iter().map(Need::words).collect();
    each.join(", ")
}

/// The needs of a release; none once they were waived.
pub fn needs(release: &Release) -> &[Need] {
    let hold = release
        .holds()
        .find(|h| matches!(h.kind, HoldKind::Dependency { .. }));
    match hold.map(|h| (&h.id, &h.kind)) {
        Some((id, HoldKind::Dependency { needs })) if !release.waived.contains_key(id) => needs,
        _ => &[],
    }
}

/// What is missing for a need; `None` when it is met.
pub fn standing(state: &State, release: &Release, need: &Need) -> Option<Unmet> {
    match need {
        Need::Release { name, until } => of_release(state, name, *until),
        Need::Version {
            service,
            environment,
            wanted,
            targets,
        } => {
            let mut unmet = of_version(state, (service, environment), wanted, targets)?;
            if let Some(other) = providers(state, release, need).first() {
                unmet.words.push_str(&format!("; {other} brings it"));
                unmet.on = Whom::Release(*other);
                unmet.stuck = false;
            }
            Some(unmet)
        }
        Need::Promotion {
            after,
            service,
            digest,
            ..
        } => {
            let proof = (after.clone(), service.clone(), digest.clone());
            if state.proven.contains(&proof) {
                return None;
            }
            let words = need.words().replace(" has succeeded", " has not succeeded");
            Some(match providers(state, release, need).first() {
                Some(other) => Unmet {
                    words: format!("{words} yet; {other} brings it there"),
                    on: Whom::Release(*other),
                    stuck: false,
                },
                None => Unmet {
                    words: format!("{words}, and no open release brings it there"),
                    on: Whom::Control,
                    stuck: true,
                },
            })
        }
    }
}

fn of_release(state: &State, name: &str, until: Reached) -> Option<Unmet> {
    let Some(id) = state.find(name) else {
        return Some(Unmet {
            words: format!("no release is called {name} yet"),
            on: Whom::Control,
            stuck: true,
        });
    };
    if let Some(other) = state.live.get(&id) {
        let doing = match other.phase {
            Phase::Waiting => "has not begun",
            Phase::Rolling => "is moving",
            Phase::Observing if until == Reached::Observing => return None,
            Phase::Observing => "is observed",
            Phase::RollingBack => "goes back",
        };
        let called = called(id, name);
        return Some(Unmet {
            words: format!("{called} {doing}"),
            on: Whom::Release(id),
            stuck: false,
        });
    }
    let ending = state.closed.get(&id)?.ending;
    (ending != Ending::Succeeded).then(|| Unmet {
        words: format!("{} is closed: {}", called(id, name), ending.words()),
        on: Whom::Control,
        stuck: true,
    })
}

/// `R-4`, or `R-4 (payments-9)` where it was named.
fn called(id: ReleaseId, name: &str) -> String {
    match name.parse() == Ok(id) {
        true => id.to_string(),
        false => format!("{id} ({name})"),
    }
}

fn of_version(
    state: &State,
    (service, environment): (&ServiceName, &EnvName),
    wanted: &Wanted,
    targets: &[TargetName],
) -> Option<Unmet> {
    if targets.is_empty() {
        return Some(Unmet {
            words: format!("{service} runs nowhere in {environment}"),
            on: Whom::Control,
            stuck: true,
        });
    }
    for target in targets {
        let known = state.charter.targets.get(target);
        for instance in known.into_iter().flat_map(|t| &t.instances) {
            if let Some(words) = runs_other(state, target, instance, wanted) {
                return Some(Unmet {
                    words: format!("{words}; {service} {} is needed", wanted.words()),
                    on: Whom::Instance(instance.clone()),
                    stuck: false,
                });
            }
        }
    }
    None
}

/// What an instance does instead of running a version that will do.
fn runs_other(
    state: &State,
    target: &TargetName,
    instance: &InstanceName,
    wanted: &Wanted,
) -> Option<String> {
    let Some(seen) = state.seen(target, instance) else {
        return Some(format!("{target} {instance} has not been read yet"));
    };
    let Some(artifact) = &seen.sight.artifact else {
        return Some(format!("nobody knows what runs on {target} {instance}"));
    };
    let version = &artifact.version;
    match (wanted.fits(version), seen.sight.health) {
        (Fit::Good, Health::Running) => None,
        (Fit::Good, _) => Some(format!("{target} {instance} does not run")),
        (Fit::Older, _) => Some(format!("{target} {instance} runs {version}")),
        (Fit::NoVersion, _) => Some(format!(
            "{target} {instance} runs `{version}`, which is no semantic version and cannot be compared"
        )),
    }
}

/// The open releases that would meet a need by going their way.
pub fn providers(state: &State, release: &Release, need: &Need) -> Vec<ReleaseId> {
    let brings = |other: &Release, service: &ServiceName, good: &dyn Fn(&str, &str) -> bool| {
        other.phase != Phase::RollingBack
            && other
                .plan
                .services
                .iter()
                .any(|s| s.service == *service && good(&s.version, &s.digest))
    };
    let live = state.live.values();
    match need {
        Need::Release { name, .. } => state
            .find(name)
            .filter(|id| state.live.contains_key(id))
            .into_iter()
            .collect(),
        Need::Version {
            service,
            environment,
            wanted,
            ..
        } => live
            .filter(|r| r.plan.environment == *environment)
            .filter(|r| brings(r, service, &|version, _| wanted.fits(version) == Fit::Good))
            .map(|r| r.id)
            .collect(),
        Need::Promotion {
            after,
            service,
            digest,
            ..
        } => live
            .filter(|r| r.id != release.id && r.plan.environment == *after)
            .filter(|r| brings(r, service, &|_, d| *d == **digest))
            .map(|r| r.id)
            .collect(),
    }
}
