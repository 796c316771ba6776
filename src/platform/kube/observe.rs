//! Looking at a target: what the watches have brought, put together.

use std::sync::Arc;

use tokio::time::Instant;

use super::config::{Kind, Switch};
use super::decode::{Kept, Pod, Set, Work};
use super::items::Items;
use super::view::{Gathered, side_by_side};
use super::watch::{Feed, Watches};
use super::{KubeTarget, argo, deployments, flagger, record, switch};
use crate::domain::workload::Way;
use crate::domain::{Health, Sight, Span};
use crate::platform::{ObserveError, Picture};

/// How soon after another one a look is a close one: a release is on its way.
const CLOSE: std::time::Duration = std::time::Duration::from_secs(12);

/// One look through the watches: as old as what is oldest of what it has seen.
pub struct Glance<'a> {
    /// What is watched.
    pub watches: &'a Watches,
    /// The namespace.
    pub ns: &'a str,
    close: bool,
    oldest: Instant,
}

impl Glance<'_> {
    /// Reads what a watch has brought.
    ///
    /// # Errors
    /// When it is not whole, or too old; with why.
    pub async fn read<T: Kept, R>(
        &mut self,
        feed: &Feed<T>,
        look: impl FnOnce(&Items<T>) -> R,
    ) -> Result<R, ObserveError> {
        if self.close {
            feed.look_closely();
        }
        feed.first().await;
        let found = feed.read(look).map_err(ObserveError::NotStarted)?;
        self.oldest = feed.heard().map_or(self.oldest, |at| at.min(self.oldest));
        Ok(found)
    }

    /// The ReplicaSets of a workload, and the pods of these and of itself.
    ///
    /// # Errors
    /// As [`Glance::read`].
    pub async fn parts(
        &mut self,
        uid: &str,
        sets: bool,
    ) -> Result<(Vec<Arc<Set>>, Vec<Arc<Pod>>), ObserveError> {
        let sets = match sets {
            true => {
                let feed = self.watches.sets(self.ns);
                self.read(&feed, |items| items.of(uid).cloned().collect())
                    .await?
            }
            false => Vec::new(),
        };
        let feed = self.watches.pods(self.ns);
        let pods = self
            .read(&feed, |items| deployments::pods_of(items, uid, &sets))
            .await?;
        Ok((sets, pods))
    }
}

impl KubeTarget {
    /// How the workload is now.
    ///
    /// # Errors
    /// When the cluster does not say.
    pub async fn observe(&self) -> Result<Picture, ObserveError> {
        let (config, cluster) = (&self.inner.config, &self.inner.cluster);
        let watches = cluster.watches();
        watches.asked().await;
        watches.answers().map_err(ObserveError::NotStarted)?;
        // who else changes it is no news, and may be forbidden to read
        watches.scalers(&config.namespace).first().await;
        let mut glance = Glance {
            watches,
            ns: &config.namespace,
            close: self.inner.looked_lately(CLOSE),
            oldest: Instant::now(),
        };
        let seen = match (config.kind, &config.switch) {
            (Kind::Rollout, _) => argo::observe(&mut glance, cluster, config).await?,
            (Kind::Canary, _) => {
                flagger::observe(&mut glance, cluster, config, &self.inner.warnings).await?
            }
            (_, Some(switch)) => Some(self.shown(&mut glance, switch).await?),
            (_, None) => {
                let seen = self.picture_of(&mut glance, &config.name).await?;
                seen.map(|(_, picture)| picture)
            }
        };
        let age = glance.oldest.elapsed().as_millis();
        Ok(Picture {
            age: Span(u64::try_from(age).unwrap_or(u64::MAX)),
            ..seen.unwrap_or_else(|| self.missing(&config.name))
        })
    }

    /// Of two Deployments the one that the Service shows, and the other one beside it while the
    /// release brings it up.
    async fn shown(
        &self,
        glance: &mut Glance<'_>,
        switch: &Switch,
    ) -> Result<Picture, ObserveError> {
        let config = &self.inner.config;
        let ns = &config.namespace;
        let service = switch::service(&self.inner.cluster, ns, &switch.service).await;
        let service = service.map_err(|e| ObserveError::NotStarted(e.to_string().into()))?;
        let selector = switch::selector(&service);
        let mut live = None;
        let mut idle = None;
        for name in [&config.name, &switch.other] {
            let Some((work, picture)) = self.picture_of(glance, name).await? else {
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
    async fn picture_of(
        &self,
        glance: &mut Glance<'_>,
        name: &str,
    ) -> Result<Option<(Arc<Work>, Picture)>, ObserveError> {
        let (config, cluster) = (&self.inner.config, &self.inner.cluster);
        let (kind, ns) = (config.kind, &config.namespace);
        let works = glance.watches.works(kind, ns);
        let work = glance
            .read(&works, |items| items.get(name).cloned())
            .await?;
        let Some(work) = work else {
            return Ok(None);
        };
        let (sets, pods) = glance.parts(&work.uid, kind == Kind::Deployment).await?;
        let lost = if kind == Kind::DaemonSet {
            deployments::lost_nodes(cluster).await
        } else {
            Vec::new()
        };
        let hear = |uid: &str| cluster.hearsay().of(ns, uid);
        let gathered = Gathered {
            config,
            heard: &hear,
            lost: &lost,
            owners: deployments::owners_of(cluster, ns, &work, kind),
            work: &work,
            sets: &sets,
            pods: &pods,
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
            age: Span(0),
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
