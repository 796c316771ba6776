//! What is shown of a workload: how it is, what runs on it, what is stuck.

use std::sync::Arc;

use super::config::{Kind, KubeConfig};
use super::daemonset::lost_of;
use super::decode::{Pod, Set, Work};
use super::deployment::{brake, container_of, image_of, new_set};
use super::deployments::{no_set, stuck_of};
use super::hearsay::Hearing;
use super::revised::refused;
use super::stuck::gather;
use super::{image, pods, record};
use crate::domain::text::printable;
use crate::domain::workload::{Owner, Parts, Stuck, Way, Workload};
use crate::domain::{Artifact, Health, InstanceName, Sight, Span};
use crate::platform::Picture;

/// What was gathered of a workload from the watches.
pub struct Gathered<'a> {
    /// Which workload it is.
    pub config: &'a KubeConfig,
    /// It.
    pub work: &'a Work,
    /// Its ReplicaSets, of a Deployment.
    pub sets: &'a [Arc<Set>],
    /// Its pods.
    pub pods: &'a [Arc<Pod>],
    /// Who else changes it.
    pub owners: Arc<[Owner]>,
    /// Nodes that do not answer, of a DaemonSet: nobody waits for their pods.
    pub lost: &'a [Arc<str>],
    /// What was said of it and of its pods.
    pub heard: &'a Hearing<'a>,
}

/// The two sides of a workload that is divided, and what they run.
struct Sides {
    new: Parts,
    old: Parts,
    new_hash: Option<Arc<str>>,
    old_hash: Option<Arc<str>>,
    /// What all of it runs, or what ran before.
    artifact: Option<Artifact>,
    /// What runs on a part of it.
    arriving: Option<Artifact>,
    /// Whether everything is there that there should be now.
    settled: bool,
    stuck: Vec<Stuck>,
}

impl Gathered<'_> {
    /// The picture of it.
    pub fn picture(self) -> Picture {
        let work = self.work;
        let mut sides = match self.config.kind {
            Kind::Deployment => self.by_sets(),
            _ => self.by_pods(),
        };
        let observed = work.observed >= work.generation;
        let stuck = std::mem::take(&mut sides.stuck);
        let health = if !stuck.is_empty() {
            Health::Down
        } else if observed && sides.settled && !work.leaving {
            Health::Running
        } else {
            Health::Changing
        };
        let says = self.says(observed, sides.new.there);
        let detail = pods::sentence(&stuck).unwrap_or_else(|| says.clone());
        let detail = printable(&detail, 300).into();
        let leaving = self.pods.iter().filter(|p| p.leaving).count();
        let bound = self.bound();
        let workload = Workload {
            kind: self.config.kind.kind().into(),
            place: self.config.place(),
            wanted: work.wanted,
            new: sides.new,
            old: sides.old,
            leaving: u32::try_from(leaving).unwrap_or(u32::MAX),
            new_hash: sides.new_hash,
            old_hash: sides.old_hash,
            bound: bound.filter(|_| sides.arriving.is_some()),
            arriving: sides.arriving,
            weight: None,
            says: says.into(),
            stages: Vec::new(),
            stuck,
            owners: self.owners.to_vec(),
            way: Way::Counted,
            carrier: None,
        };
        picture(self.config, health, sides.artifact, detail, workload)
    }

    /// How many new pods there may be at most, as it was written.
    fn bound(&self) -> Option<u32> {
        self.work.marks.get(record::BOUND)?.parse().ok()
    }

    /// What the cluster says of it, in few words.
    fn says(&self, observed: bool, new: u32) -> String {
        let work = self.work;
        let mut says = Vec::new();
        if work.leaving {
            says.push("is being deleted".to_owned());
        }
        if !observed {
            says.push("its controller has not looked at the newest change yet".to_owned());
        }
        if work.paused {
            let held = work.marks.contains_key(record::EFFECT);
            says.push(if held { "held at its share" } else { "paused" }.to_owned());
            // old and new ones grow alike, and every share is rounded up
            if let Some(share) = self.bound().filter(|share| held && new > *share) {
                says.push(format!("scaled up since: {new} new pods, not {share}"));
            }
        }
        if work.partition > 0 {
            says.push(format!("partition {}", work.partition));
            // a partition is no share: what is added lies above it, and comes as new
            let new = work.wanted.saturating_sub(work.partition);
            if let Some(share) = self.bound().filter(|share| new > *share) {
                says.push(format!(
                    "scaled up since: {new} new pods, not {share}, until the next batch"
                ));
            }
        }
        if *work.strategy == *"OnDelete" {
            says.push("OnDelete".to_owned());
        }
        if !self.lost.is_empty() {
            let names: Vec<&str> = self.lost.iter().take(5).map(|n| &**n).collect();
            says.push(format!("nodes that do not answer: {}", names.join(", ")));
        }
        // a label only: it goes on trying, and what is stuck says why
        let late = |c: &&super::decode::Condition| c.reason == "ProgressDeadlineExceeded";
        if work.conditions.iter().any(|c| late(&c)) {
            says.push("behind its progress deadline".to_owned());
        }
        says.join("; ")
    }

    fn image_of(&self, images: &super::decode::Images) -> Option<Artifact> {
        let container = container_of(self.work, self.config.container.as_deref()).ok();
        let found = super::decode::image_in(images, container.as_deref())?;
        Some(image::artifact(found, &self.config.image))
    }

    /// The image of the workload's template.
    fn wished(&self) -> Artifact {
        let container = container_of(self.work, self.config.container.as_deref());
        // of several containers of which none is named, the first that looks like the image
        let found = match &container {
            Ok(_) => image_of(self.work, &container),
            Err(_) => {
                let mut images = self.work.images.iter().map(|(_, image)| &**image);
                let known = images.clone().find(|i| i.starts_with(&self.config.image));
                known.or_else(|| images.next()).unwrap_or_default()
            }
        };
        image::artifact(found, &self.config.image)
    }

    /// A Deployment: its ReplicaSets count.
    fn by_sets(&self) -> Sides {
        let new = new_set(self.work, self.sets.iter().map(|s| &**s));
        let name = new.map(|s| &s.name);
        let others = || {
            let old = self.sets.iter().filter(|s| Some(&s.name) != name);
            old.filter(|s| s.there > 0 || s.wanted > 0)
        };
        // under the brake no pod counts as available to its controller: those that answer do here
        let available = |s: &Set| match brake::holds(s) {
            true => s.ready,
            false => s.available,
        };
        let parts = |sets: &mut dyn Iterator<Item = &Set>| {
            sets.fold(Parts::default(), |sum, s| Parts {
                there: sum.there + s.there,
                ready: sum.ready + s.ready,
                available: sum.available + available(s),
            })
        };
        let old = parts(&mut others().map(|s| &**s));
        let fresh = parts(&mut new.into_iter());
        // the largest of the others is what ran before
        let was = others().max_by_key(|s| s.there);
        let divided = was.is_some() && fresh.there > 0;
        let wished = self.wished();
        let before = was.and_then(|s| self.image_of(&s.images));
        let artifact = before.unwrap_or_else(|| wished.clone());
        let arriving = (divided && artifact != wished).then_some(wished);
        let full = |s: &Set| available(s) >= s.wanted && s.there <= s.wanted;
        let there = new.is_none_or(full) && others().all(|s| full(s));
        let all = fresh.available >= self.work.wanted && was.is_none();
        let settled = there && (self.work.paused || all);
        let living = others().map(|s| &**s).chain(new);
        let mut stuck = stuck_of(living, self.pods, self.heard);
        if new.is_none() {
            stuck.extend(no_set(self.work));
        }
        Sides {
            stuck,
            new_hash: new.filter(|_| divided).map(|s| s.hash.clone()),
            old_hash: was
                .or_else(|| self.sets.iter().find(|s| Some(&s.name) == name))
                .map(|s| s.hash.clone()),
            new: if divided { fresh } else { Parts::default() },
            old: if was.is_some() { old } else { fresh },
            artifact: Some(artifact),
            arriving,
            settled,
        }
    }

    /// A StatefulSet or DaemonSet: the revisions of its pods count.
    fn by_pods(&self) -> Sides {
        let work = self.work;
        let update = &work.update_revision;
        let wished = self.wished();
        let mut new = Parts::default();
        let mut old = Parts::default();
        let mut was: Option<&Arc<Pod>> = None;
        let daemons = self.config.kind == Kind::DaemonSet;
        let reachable = |p: &&Arc<Pod>| !self.lost.contains(&p.node);
        for pod in self.pods.iter().filter(|p| !p.leaving).filter(reachable) {
            // a DaemonSet does not say which revision is the newest: what the pods run does
            let fresh = if daemons {
                self.image_of(&pod.images).as_ref() == Some(&wished)
            } else {
                pod.hash == *update
            };
            let side = if fresh { &mut new } else { &mut old };
            side.there += 1;
            side.ready += u32::from(pod.ready);
            side.available += u32::from(pod.ready);
            if !fresh {
                was = Some(pod);
            }
        }
        let before = was.and_then(|p| self.image_of(&p.images));
        let artifact = before.unwrap_or_else(|| wished.clone());
        let divided = was.is_some() && new.there > 0;
        let arriving = (divided && artifact != wished).then_some(wished);
        let stays = if daemons {
            *work.strategy == *"OnDelete" && work.marks.contains_key(record::EFFECT)
        } else {
            // as many as lie above the partition, all of the others as they were
            new.there >= work.wanted.saturating_sub(work.partition)
        };
        let gone = self.pods.iter().filter(|p| !p.leaving && !reachable(p));
        let gone = u32::try_from(gone.count()).unwrap_or(u32::MAX);
        let up = if gone > 0 {
            new.available + old.available
        } else {
            work.available
        };
        let settled = up >= work.wanted - lost_of(work, gone) && (was.is_none() || stays);
        let way_out = |reason: &str| {
            let blocks = matches!(reason, "crash-loop" | "image" | "config") && !daemons;
            let words = "the StatefulSet waits for this pod and replaces none: rolling back deletes it, \
                         if it runs the new revision";
            blocks.then(|| words.into())
        };
        let all = self.pods.iter().map(|p| &**p);
        let refused = refused(work, all, self.heard);
        let living = self.pods.iter().filter(reachable).map(|p| &**p);
        Sides {
            stuck: gather(living, refused.into_iter(), self.heard, way_out),
            new_hash: divided
                .then(|| update.clone())
                .filter(|hash| !hash.is_empty()),
            old_hash: was.map(|p| p.hash.clone()),
            new: if divided { new } else { Parts::default() },
            old: if was.is_some() { old } else { new },
            artifact: Some(artifact),
            arriving,
            settled,
        }
    }
}

/// The picture of a target that is one workload: `whole` is what all of it runs, or what ran before.
pub fn picture(
    config: &KubeConfig,
    health: Health,
    whole: Option<Artifact>,
    detail: Arc<str>,
    workload: Workload,
) -> Picture {
    let sight = Sight {
        instance: InstanceName::from(config.name.as_str()),
        health,
        artifact: whole,
        arriving: workload.arriving.clone(),
        detail,
    };
    Picture {
        age: Span(0),
        sights: vec![sight],
        workload: Some(Arc::new(workload)),
    }
}

/// Two Deployments of which the first is shown: the second is what arrives.
pub fn side_by_side(live: Picture, idle: Picture) -> Picture {
    let (Some(shown), Some(hidden)) = (live.workload, idle.workload) else {
        return Picture {
            age: Span(0),
            sights: live.sights,
            workload: None,
        };
    };
    let mut sights = live.sights;
    if let (Some(sight), Some(other)) = (sights.first_mut(), idle.sights.into_iter().next()) {
        // what it ran before is on its way out there, and nobody sees it
        let comes = other.arriving.or(other.artifact);
        sight.arriving = comes.filter(|a| Some(a) != sight.artifact.as_ref());
        // in the order in which they are worse: running, changing, down, unknown
        if other.health > sight.health {
            sight.health = other.health;
            sight.detail = other.detail;
        }
    }
    let mut stuck = shown.stuck.clone();
    stuck.extend(hidden.stuck.iter().cloned());
    stuck.sort_by_key(|s| std::cmp::Reverse(s.count));
    let (new, new_hash, gone) = match hidden.is_divided() {
        true => (hidden.new, &hidden.new_hash, hidden.old.there),
        false => (hidden.old, &hidden.old_hash, 0),
    };
    let workload = Workload {
        old: shown.old,
        new,
        old_hash: shown.old_hash.clone(),
        new_hash: new_hash.clone(),
        leaving: shown.leaving + hidden.leaving + gone,
        arriving: sights.first().and_then(|s| s.arriving.clone()),
        bound: Some(hidden.wanted),
        stuck,
        says: "the new one stands beside, without traffic".into(),
        ..(*shown).clone()
    };
    Picture {
        age: Span(0),
        sights,
        workload: Some(Arc::new(workload)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn artifact(version: &str) -> Artifact {
        Artifact {
            version: version.into(),
            digest: format!("sha256:{version}").into(),
        }
    }

    fn side(version: &str, arriving: Option<&str>, old: u32, new: u32) -> Picture {
        let parts = |there| Parts {
            there,
            ready: there,
            available: there,
        };
        let workload = Workload {
            wanted: 4,
            old: parts(old),
            new: parts(new),
            arriving: arriving.map(artifact),
            ..Workload::default()
        };
        let sight = Sight {
            instance: "web".into(),
            health: Health::Running,
            artifact: Some(artifact(version)),
            arriving: arriving.map(artifact),
            detail: "".into(),
        };
        Picture {
            age: Span(0),
            sights: vec![sight],
            workload: Some(Arc::new(workload)),
        }
    }

    #[test]
    fn what_the_hidden_side_ran_before_is_not_what_arrives() {
        let picture = side_by_side(side("2", None, 4, 0), side("1", Some("3"), 3, 2));
        let workload = picture.workload.unwrap();
        assert_eq!(workload.arriving, Some(artifact("3")));
        assert_eq!((workload.old.there, workload.new.there), (4, 2));
        assert_eq!(workload.leaving, 3, "what it ran before goes");
        assert_eq!(picture.sights[0].arriving, Some(artifact("3")));
        // up completely, it is the new one as a whole
        let picture = side_by_side(side("2", None, 4, 0), side("3", None, 4, 0));
        let workload = picture.workload.unwrap();
        assert_eq!((workload.old.there, workload.new.there), (4, 4));
        assert_eq!(workload.arriving, Some(artifact("3")));
    }
}
