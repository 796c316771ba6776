//! Workloads in Kubernetes clusters: Deployments, StatefulSets, DaemonSets, and the rollouts of Argo
//! and Flagger.
//!
//! A target is one workload; a batch moves a share of it. What runs in the cluster goes on by itself,
//! so every call is a wish written into the workload together with the effect's id (an annotation,
//! in the same request): whoever comes later, after a crash or an answer that got lost, reads there
//! whether it was made, and goes on driving to what it wishes.
//!
//! - `drive`: the one driver of all kinds: read, decide, one conditional change, read again. What is
//!   done next is a `change`; what must come back stands in a `record` on the object.
//! - How a kind is read and what is decided from it: `deployments` and `deployment`, `revised` with
//!   `statefulset` and `daemonset`, `switch` (blue and green by a Service), `argo`, `flagger` with the
//!   [`gates`] that it asks at.
//! - `observe`: how a workload is, from what is watched (`watch` and `items`; `decode` and `lean` for
//!   what is kept of an object; `pulse` for whether the cluster answers at all), as a picture (`view`,
//!   `pods`, `owners`).
//! - [`cluster`]: the two clients and the few ways in which calls fail. [`doctor`], [`rights`] and
//!   [`discover`]: what is missing, which Role gives it, what there is.

mod argo;
mod change;
pub mod cluster;
pub mod config;
mod daemonset;
mod decode;
mod deployment;
mod deployments;
pub mod discover;
pub mod doctor;
mod drive;
mod flagger;
pub mod gates;
mod hearsay;
mod image;
mod items;
mod journal;
mod lean;
mod link;
mod observe;
mod owners;
mod pods;
mod pulse;
mod record;
mod revised;
pub mod rights;
mod statefulset;
mod steady;
mod stuck;
mod switch;
mod template;
mod view;
mod watch;
mod wish;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::helm::Helm;
use super::{Checked, ObserveError};
use crate::domain::{Effect, Health, InstanceName, Outcome, ReleaseId, Sight, TargetName, Verb};
use argo::Rollouts;
use cluster::{CallError, Cluster, resource};
use config::{Kind, KubeConfig};
use deployments::Deployments;
use drive::{Craft, Trip};
use flagger::{Canaries, Warnings};
use gates::Gates;
use journal::Journals;
use revised::Revised;
use steady::Steady;
use switch::Switched;
use wish::Wish;

/// A target that is one workload in a cluster.
#[derive(Clone, Debug)]
pub struct KubeTarget {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    name: TargetName,
    config: Arc<KubeConfig>,
    cluster: Cluster,
    journals: Journals,
    gates: Gates,
    /// What Flagger has said of a Canary that failed.
    warnings: Warnings,
    /// When it was looked at last.
    looked: Mutex<Option<Instant>>,
}

impl Inner {
    /// Whether it was looked at a moment ago, before this look.
    fn looked_lately(&self, lately: Duration) -> bool {
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        let last = looked.replace(Instant::now());
        last.is_some_and(|at| at.elapsed() < lately)
    }
}

impl KubeTarget {
    /// A target on a cluster. Where it is a Canary, Flagger asks at the gates.
    pub fn new(
        name: TargetName,
        config: KubeConfig,
        cluster: Cluster,
        gates: &Gates,
    ) -> KubeTarget {
        if config.kind == Kind::Canary {
            gates.know(&name, &config.namespace, &config.name);
        }
        KubeTarget {
            inner: Arc::new(Inner {
                name,
                config: Arc::new(config),
                cluster,
                journals: Journals::default(),
                gates: gates.clone(),
                warnings: Warnings::default(),
                looked: Mutex::default(),
            }),
        }
    }

    /// The target's name.
    pub fn name(&self) -> &TargetName {
        &self.inner.name
    }

    /// Its only instance, called as the workload is.
    fn instance(&self) -> InstanceName {
        InstanceName::from(self.inner.config.name.as_str())
    }

    /// Brings the workload to what the effect wishes and waits until it is there; once however often
    /// this is called.
    pub async fn perform(&self, effect: &Effect, helm: Helm) -> Outcome {
        self.drive(effect, helm, false).await
    }

    /// The same, of an effect that was found begun.
    pub async fn wait(&self, effect: &Effect, helm: Helm) -> Outcome {
        self.drive(effect, helm, true).await
    }

    async fn drive(&self, effect: &Effect, helm: Helm, asked: bool) -> Outcome {
        let Inner {
            config,
            cluster,
            gates,
            ..
        } = &*self.inner;
        let wish = Wish::of(effect, config.clone());
        match config.kind {
            Kind::Rollout => {
                let craft = Rollouts::new(cluster, config, effect);
                self.travel(effect, helm, asked, &craft).await
            }
            Kind::Canary => {
                let craft = Canaries::new(cluster, config, gates, effect);
                let outcome = self.travel(effect, helm, asked, &craft).await;
                gates.set(effect, &[]);
                outcome
            }
            Kind::Deployment if let Some(switch) = &config.switch => {
                let craft = Switched {
                    cluster: cluster.clone(),
                    switch: switch.clone(),
                    wish,
                };
                self.travel(effect, helm, asked, &craft).await
            }
            Kind::Deployment => {
                let craft = Deployments {
                    cluster: cluster.clone(),
                    name: config.name.clone(),
                    wish,
                    steady: Steady::default(),
                };
                self.travel(effect, helm, asked, &craft).await
            }
            Kind::StatefulSet | Kind::DaemonSet => {
                let craft = Revised {
                    cluster: cluster.clone(),
                    wish,
                };
                self.travel(effect, helm, asked, &craft).await
            }
        }
    }

    async fn travel<C: Craft>(
        &self,
        effect: &Effect,
        helm: Helm,
        asked: bool,
        craft: &C,
    ) -> Outcome {
        let Inner {
            config,
            cluster,
            journals,
            ..
        } = &*self.inner;
        let (kind, ns) = (config.kind, &config.namespace);
        let watches = cluster.watches();
        let mut wakes = vec![watches.pods(ns).changes()];
        wakes.push(match foreign(kind) {
            true => watches.leans(resource(kind), ns).changes(),
            false => watches.works(kind, ns).changes(),
        });
        if !matches!(kind, Kind::StatefulSet | Kind::DaemonSet) {
            wakes.push(watches.sets(ns).changes());
        }
        // who else changes it is asked before anything is done
        watches.scalers(ns).first().await;
        let back = effect.verb == Verb::Rollback;
        let trip = Trip {
            cluster: cluster.clone(),
            ns: ns.clone(),
            helm,
            journal: journals.of(&effect.id),
            deadline: config.deadline,
            wakes,
            asked,
            back,
        };
        trip.drive(craft).await
    }

    /// Takes holdpoint's annotations away once a release is closed: until then they say what it would
    /// go back to. Where the engine ends before that, the next one does it.
    pub async fn tidy(&self, release: ReleaseId, mut helm: Helm) {
        // what others drive is tidy at its last step
        if foreign(self.inner.config.kind) {
            return;
        }
        helm.over().await;
        for pause in TIDYINGS {
            if self.tidied(&release.to_string()).await.is_ok() {
                return;
            }
            tokio::time::sleep(Duration::from_secs(pause)).await;
        }
    }

    async fn tidied(&self, release: &str) -> Result<(), CallError> {
        let Inner {
            config, cluster, ..
        } = &*self.inner;
        self.tidy_one(release, &config.name).await?;
        let Some(switch) = &config.switch else {
            return Ok(());
        };
        self.tidy_one(release, &switch.other).await?;
        let (ns, name) = (&config.namespace, &switch.service);
        let service = switch::service(cluster, ns, name).await?;
        match switch::tidy(&service, release) {
            Some(change) => change.send(cluster, ns).await,
            None => Ok(()),
        }
    }

    async fn tidy_one(&self, release: &str, name: &str) -> Result<(), CallError> {
        let Inner {
            config, cluster, ..
        } = &*self.inner;
        let (kind, ns) = (resource(config.kind), &config.namespace);
        let object = cluster.get(&kind, ns, name).await?;
        let work: decode::Work = decode::read(&object).map_err(deployments::odd)?;
        let ours = deployment::before_of(&work).is_some_and(|b| b.release == release);
        // what still holds it is needed
        if !ours || work.paused || work.partition > 0 {
            return Ok(());
        }
        let change = deployment::tidy(config.kind, &work);
        change.send(cluster, ns).await
    }

    /// Whether the effect was begun: its id stands in the workload then.
    pub async fn check(&self, effect: &Effect) -> Checked {
        let Inner {
            config, cluster, ..
        } = &*self.inner;
        if foreign(config.kind) {
            // what was made of it stands in the objects: leading on begins with a look
            return Checked::Running;
        }
        let kind = resource(config.kind);
        let read = cluster.get(&kind, &config.namespace, &config.name).await;
        let marks = match read {
            Ok(object) => object.metadata.annotations.unwrap_or_default(),
            // nobody knows: it goes on by looking again
            Err(_) => return Checked::Running,
        };
        let found = marks.get(record::EFFECT);
        if found.is_some_and(|id| *id == *effect.id.0) {
            Checked::Running
        } else {
            Checked::NeverStarted
        }
    }

    /// What the effect has met so far, in printable lines.
    pub async fn output(&self, effect: &Effect) -> Vec<String> {
        self.inner.journals.of(&effect.id).lines()
    }

    /// The workload as unknown, for the reason why nothing was seen.
    pub fn unseen(&self, why: &ObserveError) -> Vec<Sight> {
        vec![Sight {
            instance: self.instance(),
            health: Health::Unknown,
            artifact: None,
            arriving: None,
            detail: why.to_string().into(),
        }]
    }
}

/// How long is waited after each try to take the annotations away, in seconds: the cluster may be
/// away for a while.
const TIDYINGS: [u64; 9] = [1, 3, 3, 3, 10, 30, 60, 120, 300];

/// Whether a controller that is not part of Kubernetes goes its own steps with it.
fn foreign(kind: Kind) -> bool {
    matches!(kind, Kind::Rollout | Kind::Canary)
}
