//! Looking at a target: what the watches have brought, put together.

use std::sync::Arc;

use super::config::{Kind, Switch};
use super::decode::{Pod, Set, Work};
use super::view::{Gathered, side_by_side};
use super::{KubeTarget, argo, deployments, flagger, record, switch};
use crate::domain::workload::Way;
use crate::domain::{Health, Sight};
use crate::platform::{ObserveError, Picture};

impl KubeTarget {
    /// How the workload is now.
    ///
    /// # Errors
    /// When the cluster does not say.
    pub async fn observe(&self) -> Result<Picture, ObserveError> {
        let (config, cluster) = (&self.inner.config, &self.inner.cluster);
        match config.kind {
            Kind::Rollout => return argo::observe(cluster, config).await,
            Kind::Canary => return flagger::observe(cluster, config).await,
            Kind::Deployment | Kind::StatefulSet | Kind::DaemonSet => {}
        }
        let watches = cluster.watches();
        watches.asked().await;
        watches.answers().map_err(ObserveError::NotStarted)?;
        match &config.switch {
            Some(switch) => self.shown(switch).await,
            None => {
                let seen = self.picture_of(&config.name).await?;
                Ok(seen.map_or_else(|| self.missing(&config.name), |(_, picture)| picture))
            }
        }
    }

    /// Of two Deployments the one that the Service shows, and the other one beside it while the
    /// release brings it up.
    async fn shown(&self, switch: &Switch) -> Result<Picture, ObserveError> {
        let config = &self.inner.config;
        let ns = &config.namespace;
        let service = switch::service(&self.inner.cluster, ns, &switch.service).await;
        let service = service.map_err(|e| ObserveError::NotStarted(e.to_string().into()))?;
        let selector = switch::selector(&service);
        let mut live = None;
        let mut idle = None;
        for name in [&config.name, &switch.other] {
            let Some((work, picture)) = self.picture_of(name).await? else {
                return Ok(self.missing(name));
            };
            if switch::shows(&selector, &work.pod_labels) {
                live = Some((work, picture));
            } else {
                idle = Some((work, picture));
            }
        }
        let (Some((_, live)), Some((work, idle))) = (live, idle) else {
            let words = format!(
                "the Service {} shows neither of the two Deployments, or both",
                switch.service
            );
            return Err(ObserveError::NotStarted(words.into()));
        };
        let moved = work.marks.contains_key(record::BEFORE);
        let shown = format!("services/{} selector=that of {}", switch.service, work.name);
        let mut seen = if moved {
            side_by_side(live, idle)
        } else {
            live
        };
        if let Some(workload) = &mut seen.workload {
            let workload = Arc::make_mut(workload);
            workload.way = Way::Beside {
                shown: shown.into(),
            };
            workload.carrier = Some(format!("deployments/{}", work.name).into());
        }
        Ok(seen)
    }

    /// A workload of the target and how it is; none where there is no such workload.
    async fn picture_of(&self, name: &str) -> Result<Option<(Arc<Work>, Picture)>, ObserveError> {
        let (config, cluster) = (&self.inner.config, &self.inner.cluster);
        let watches = cluster.watches();
        let ns = &config.namespace;
        let works = watches.works(config.kind, ns);
        let pods = watches.pods(ns);
        let scalers = watches.scalers(ns);
        let sets = (config.kind == Kind::Deployment).then(|| watches.sets(ns));
        let of_sets = async {
            if let Some(sets) = &sets {
                sets.first().await;
            }
        };
        tokio::join!(works.first(), pods.first(), scalers.first(), of_sets);
        let not = ObserveError::NotStarted;
        let Some(work) = works.read(|items| items.get(name).cloned()).map_err(not)? else {
            return Ok(None);
        };
        let sets: Vec<Arc<Set>> = match &sets {
            Some(feed) => feed
                .read(|items| items.of(&work.uid).cloned().collect())
                .map_err(not)?,
            None => Vec::new(),
        };
        let found: Vec<Arc<Pod>> = pods
            .read(|items| match config.kind {
                Kind::Deployment => {
                    let of_sets = sets.iter().flat_map(|set| items.of(&set.uid));
                    of_sets.cloned().collect()
                }
                _ => items.of(&work.uid).cloned().collect(),
            })
            .map_err(not)?;
        let lost = if config.kind == Kind::DaemonSet {
            deployments::lost_nodes(cluster).await
        } else {
            Vec::new()
        };
        let gathered = Gathered {
            config,
            lost: &lost,
            owners: deployments::owners_of(cluster, ns, &work, config.kind),
            work: &work,
            sets: &sets,
            pods: &found,
        };
        let picture = gathered.picture();
        Ok(Some((work, picture)))
    }

    /// A workload does not exist.
    fn missing(&self, name: &str) -> Picture {
        let config = &self.inner.config;
        let (kind, ns) = (config.kind.kind(), &config.namespace);
        let words = format!("there is no {kind} {ns}/{name} in {}", config.cluster);
        Picture {
            sights: vec![Sight {
                instance: self.instance(),
                health: Health::Down,
                artifact: None,
                arriving: None,
                detail: crate::domain::text::printable(&words, 300).into(),
            }],
            workload: None,
        }
    }
}
