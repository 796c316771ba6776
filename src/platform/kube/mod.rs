//! Workloads in Kubernetes clusters: Deployments, StatefulSets, DaemonSets, and the rollouts of Argo
//! and Flagger.
//!
//! A target is one workload; a batch moves a share of it. What runs in the cluster goes on by itself,
//! so every call is a wish written into the workload together with the effect's id (an annotation,
//! in the same request): whoever comes later, after a crash or an answer that got lost, reads there
//! whether it was made, and goes on driving to what it wishes.

mod argo;
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
mod journal;
mod lead;
mod link;
mod observe;
mod owners;
mod pinned;
mod pods;
mod pulse;
mod record;
mod revised;
pub mod rights;
mod statefulset;
mod stuck;
mod switch;
mod view;
mod watch;
mod wish;

use std::sync::Arc;

use kube::api::Patch;

use super::helm::Helm;
use super::{Checked, ObserveError};
use crate::domain::{Effect, Health, InstanceName, Outcome, Sight, TargetName, Verb};
use cluster::{CallError, Cluster, resource, resource_of};
use config::{Kind, KubeConfig};
use deployments::Deployments;
use drive::{Craft, How, Trip};
use gates::Gates;
use journal::Journals;
use revised::Revised;
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
            journals,
            ..
        } = &*self.inner;
        let journal = journals.of(&effect.id);
        let wish = Wish::of(effect, config.clone());
        match config.kind {
            Kind::Rollout => argo::perform(cluster, config, effect, journal, helm).await,
            Kind::Canary => flagger::perform(cluster, config, gates, effect, journal, helm).await,
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
        let ns = &self.inner.config.namespace;
        let watches = self.inner.cluster.watches();
        let mut wakes = vec![
            watches.works(self.inner.config.kind, ns).changes(),
            watches.pods(ns).changes(),
        ];
        if self.inner.config.kind == Kind::Deployment {
            wakes.push(watches.sets(ns).changes());
        }
        // who else changes it is asked before anything is done
        watches.scalers(ns).first().await;
        let back = effect.verb == Verb::Rollback;
        let trip = Trip {
            helm: helm.clone(),
            journal: self.inner.journals.of(&effect.id),
            deadline: self.inner.config.deadline,
            wakes,
            asked,
            back,
        };
        let outcome = trip.drive(craft).await;
        if !back && matches!(outcome, Outcome::Done { .. }) {
            self.tidy_later(effect, helm);
        }
        outcome
    }

    /// Takes holdpoint's annotations away once the release is closed: until then they say what it
    /// would go back to. Where the engine ends before that, the next release writes over them.
    fn tidy_later(&self, effect: &Effect, mut helm: Helm) {
        let (target, release) = (self.clone(), effect.release.to_string());
        tokio::spawn(async move {
            helm.over().await;
            for _ in 0..TIDYINGS {
                if target.tidy(&release).await.is_ok() {
                    return;
                }
                tokio::time::sleep(TIDY_PAUSE).await;
            }
        });
    }

    async fn tidy(&self, release: &str) -> Result<(), CallError> {
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
            Some(how) => send(cluster, config.kind, ns, name, &how).await,
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
        let change = deployment::tidy(&work);
        send(cluster, config.kind, ns, name, &change.how).await
    }

    /// Whether the effect was begun: its id stands in the workload then.
    pub async fn check(&self, effect: &Effect) -> Checked {
        let Inner {
            config, cluster, ..
        } = &*self.inner;
        if matches!(config.kind, Kind::Rollout | Kind::Canary) {
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

/// How often taking the annotations away is tried.
const TIDYINGS: u32 = 5;

/// How long is waited in between.
const TIDY_PAUSE: std::time::Duration = std::time::Duration::from_secs(3);

/// Sends a change of a workload, or of what belongs to it, once.
async fn send(
    cluster: &Cluster,
    kind: Kind,
    ns: &str,
    name: &str,
    how: &How,
) -> Result<(), CallError> {
    let patch = match how {
        How::Strategic(body) => Patch::Strategic(body),
        How::Service(body) => {
            let service = resource_of("", "v1", "Service", "services");
            return cluster
                .merge(&service, ns, name, None, body)
                .await
                .map(|_| ());
        }
        How::Json(ops) => {
            let ops = serde_json::from_value(ops.clone()).map_err(deployments::odd)?;
            Patch::Json::<&serde_json::Value>(ops)
        }
        How::Delete(pods) => {
            let kind = resource_of("", "v1", "Pod", "pods");
            for pod in pods {
                let (uid, version) = (&pod.uid, &pod.version);
                match cluster.delete(&kind, ns, &pod.name, uid, version).await {
                    // it has gone by itself
                    Err(CallError::NotFound(_)) => {}
                    other => other?,
                }
            }
            return Ok(());
        }
    };
    let kind = resource(kind);
    cluster
        .patch(&kind, ns, name, None, &patch)
        .await
        .map(|_| ())
}
