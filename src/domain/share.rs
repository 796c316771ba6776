//! Targets that are moved by shares, in words. Their platform divides them into parts by itself, so
//! counting instances says nothing of them: the one instance of a workload at 25 % is not "1 of 1".

mod calls;

use super::effect::Sight;
use super::ids::{Artifact, TargetName};
use super::plan::Exposure;
use super::release::{Move, Release, Step};
use super::state::State;
use super::workload::{Parts, Stuck, Way, Workload};

pub use calls::{back, forward};

/// What is said of a share that its platform reaches by itself.
const OWN_STEPS: &str = ", along its own steps";

/// Whether a target is moved by shares.
pub fn divided(state: &State, target: &TargetName) -> bool {
    let known = state.charter.targets.get(target);
    known.is_some_and(|target| target.by_share)
}

/// The share in percent from which a step goes on: what the steps before it bring.
pub fn from(release: &Release, target: &TargetName, step: &Step) -> u8 {
    let moves = release.batches.iter().flat_map(|batch| &batch.moves);
    let same = moves.filter(|m| m.target == *target).flat_map(|m| &m.steps);
    let before = same
        .filter(|other| other.instance == step.instance && other.exposure < step.exposure)
        .filter_map(|other| other.exposure);
    before.max().map_or(0, Exposure::percent)
}

/// What a step does: `20 % → 50 % of shop/web in scratch (4 → 10 of 20 pods, at most 10)`. The pods are
/// told where it is known of what the workload is made, and holdpoint itself counts them; `bounded` where
/// the bound is this step's.
pub fn step(
    from: u8,
    to: Exposure,
    name: &str,
    workload: Option<&Workload>,
    bounded: bool,
) -> String {
    let mut words = format!("{from} % → {to} of {name}");
    match workload.map(|workload| (workload, &workload.way)) {
        Some((workload, Way::Beside { .. })) => {
            let all = pods(workload.wanted);
            return match to == Exposure::FULL {
                true => format!("all traffic of {name} goes to the new pods"),
                false => format!("{all} beside those of {name}, without traffic"),
            };
        }
        Some((workload, Way::Stepped)) if !workload.stages.is_empty() => {
            words.push_str(OWN_STEPS);
            return words;
        }
        _ => {}
    }
    if let Some(workload) = workload.filter(|w| w.wanted > 0) {
        words.push_str(&format!(
            " ({} → {} of {}",
            workload.share(from),
            workload.share(to.percent()),
            pods(workload.wanted)
        ));
        let bound = workload.bound.filter(|_| bounded);
        if let Some(bound) = bound.or_else(|| workload.most(to)) {
            words.push_str(&format!(", at most {bound}"));
        }
        words.push(')');
    }
    words
}

/// The same as a sentence: `20 % → 50 % of shop/web in scratch (4 → 10 of 20 pods) goes to 4.12.0`.
pub fn sentence(
    from: u8,
    to: Exposure,
    name: &str,
    workload: Option<&Workload>,
    bounded: bool,
    version: &str,
) -> String {
    let what = step(from, to, name, workload, bounded);
    match workload.map(|workload| &workload.way) {
        Some(Way::Beside { .. }) if to == Exposure::FULL => format!("{what}, which run {version}"),
        Some(Way::Beside { .. }) => format!("{what}, bring {version}"),
        Some(Way::Stepped) => {
            let share = step(from, to, name, None, false);
            format!("{share} goes to {version}{OWN_STEPS}")
        }
        _ => format!("{what} goes to {version}"),
    }
}

/// That everything that a batch moved is where it should be; `all` counts what it moved.
pub fn arrived(state: &State, moves: &[Move], all: usize) -> String {
    let share = match moves {
        [one] if divided(state, &one.target) => one.steps.first().and_then(|step| step.exposure),
        _ => None,
    };
    match (share, moves) {
        (Some(share), [one]) => format!("{share} of {} run it", one.target),
        _ if moves.iter().all(|m| divided(state, &m.target)) => {
            format!("{all} of {all} workloads run it")
        }
        _ => format!("{all} of {all} run it"),
    }
}

/// Whether all of a workload runs what a step brings: then no side of it is called new any more.
pub fn whole(workload: &Workload, sight: Option<&Sight>, artifact: &Artifact) -> bool {
    let runs = sight.and_then(|sight| sight.artifact.as_ref());
    !workload.is_divided() && runs.is_some_and(|it| it.is(artifact))
}

/// The pods of one workload, or of several, as a step sees them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pods {
    /// How many there should be in all.
    pub wanted: u32,
    /// How many should be new once the step is done; none where their platform decides about that.
    pub goal: Option<u32>,
    /// New and to be relied on.
    pub new: u32,
    /// New and on their way.
    pub coming: u32,
    /// New and stuck.
    pub stuck: u32,
    /// What ran before.
    pub old: u32,
    /// How many of those are to be relied on.
    pub up: u32,
    /// Of how many workloads nothing is known.
    pub unread: u32,
}

impl Default for Pods {
    /// None, to which others can be added.
    fn default() -> Pods {
        Pods {
            wanted: 0,
            goal: Some(0),
            new: 0,
            coming: 0,
            stuck: 0,
            old: 0,
            up: 0,
            unread: 0,
        }
    }
}

impl Pods {
    /// The pods of a workload; `whole` where all of it runs what the step brings.
    pub fn of(workload: &Workload, whole: bool, exposure: Option<Exposure>) -> Pods {
        let (new, old) = if whole {
            (workload.old, Parts::default())
        } else {
            (workload.new, workload.old)
        };
        let late = new.there.saturating_sub(new.available);
        let stuck: u32 = workload.stuck.iter().map(|stuck| stuck.count).sum();
        let stuck = stuck.min(late);
        let exposure = exposure.unwrap_or(Exposure::FULL);
        let goal = match workload.way {
            Way::Beside { .. } => Some(workload.wanted),
            Way::Stepped if exposure != Exposure::FULL => None,
            _ => Some(workload.share(exposure.percent())),
        };
        Pods {
            wanted: workload.wanted,
            goal,
            new: new.available,
            coming: late - stuck,
            stuck,
            old: old.there,
            up: old.available,
            unread: 0,
        }
    }

    /// Those of two workloads together.
    #[must_use]
    pub fn and(self, other: Pods) -> Pods {
        Pods {
            wanted: self.wanted + other.wanted,
            goal: self.goal.zip(other.goal).map(|(a, b)| a + b),
            new: self.new + other.new,
            coming: self.coming + other.coming,
            stuck: self.stuck + other.stuck,
            old: self.old + other.old,
            up: self.up + other.up,
            unread: self.unread + other.unread,
        }
    }

    /// How far they are: `7 of 10 new available, 20 in all`. On the way `back`, how many of the
    /// version that goes are left.
    pub fn words(self, back: bool, whole: bool, version: &str) -> String {
        let Pods { wanted, goal, .. } = self;
        let mut words = if wanted == 0 {
            String::new()
        } else if back {
            match self.new + self.coming + self.stuck {
                0 if self.up < wanted => format!("{} of {} back", self.up, pods(wanted)),
                0 => format!("all {} back", pods(self.old.max(wanted))),
                left => format!("{} of {version} left, {} old", pods(left), self.old),
            }
        } else if whole && self.new >= wanted {
            format!("all {} run it", pods(wanted))
        } else if let Some(goal) = goal {
            format!("{} of {goal} new available", self.new)
        } else {
            format!("{} new available", self.new)
        };
        if self.stuck > 0 && !back {
            words.push_str(&format!(", {} stuck", self.stuck));
        }
        if goal.is_none_or(|goal| goal < wanted) && wanted > 0 && !back {
            words.push_str(&format!(", {wanted} in all"));
        }
        match (words.is_empty(), self.unread) {
            (_, 0) => {}
            (true, _) => words.push_str("not read yet"),
            (false, n) => words.push_str(&format!(", {n} not read yet")),
        }
        words
    }
}

/// `1 pod`, `20 pods`.
pub fn pods(count: u32) -> String {
    if count == 1 {
        "1 pod".to_owned()
    } else {
        format!("{count} pods")
    }
}

impl Workload {
    /// How many parts a share in percent is: rounded up, so that a share is never nothing.
    pub fn share(&self, percent: u8) -> u32 {
        let parts = u64::from(self.wanted) * u64::from(percent);
        u32::try_from(parts.div_ceil(100)).unwrap_or(u32::MAX)
    }

    /// How many new parts there will be at most on the way to a share, where holdpoint itself decides
    /// about it.
    fn most(&self, to: Exposure) -> Option<u32> {
        let counted = matches!(&*self.kind, "Deployment" | "StatefulSet" | "DaemonSet");
        (counted && to != Exposure::FULL).then(|| self.share(to.percent()))
    }

    /// Whether parts run different things.
    pub fn is_divided(&self) -> bool {
        self.arriving.is_some() || self.new.there > 0
    }

    /// Who forbids that it is changed, if anybody does.
    pub fn forbidden(&self) -> Option<&super::workload::Owner> {
        self.owners.iter().find(|owner| owner.forbids)
    }
}

impl Parts {
    /// `10 there, 9 ready, 8 available`, or in short where all are well: `10, all available`.
    pub fn words(&self) -> String {
        let Parts {
            there,
            ready,
            available,
        } = *self;
        if there == 0 {
            "none".to_owned()
        } else if there == available {
            format!("{there}, all available")
        } else {
            format!("{there} there, {ready} ready, {available} available")
        }
    }
}

impl Stuck {
    /// `3 pods, crash-loop: exit 137 again and again`.
    pub fn told(&self) -> String {
        let reason = self.reason.replace('-', " ");
        match self.count {
            0 => format!("{reason}: {}", self.words),
            n => format!("{}, {reason}: {}", pods(n), self.words),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workload() -> Workload {
        Workload {
            wanted: 20,
            bound: Some(10),
            ..Workload::default()
        }
    }

    #[test]
    fn a_step_is_told_in_pods() {
        let to: Exposure = serde_json::from_str("\"50%\"").unwrap();
        let place = "shop/web in scratch";
        assert_eq!(
            step(20, to, place, Some(&workload()), true),
            "20 % → 50 % of shop/web in scratch (4 → 10 of 20 pods, at most 10)"
        );
        assert_eq!(
            step(20, to, place, Some(&workload()), false),
            "20 % → 50 % of shop/web in scratch (4 → 10 of 20 pods)"
        );
        assert_eq!(step(0, to, "web-eu", None, true), "0 % → 50 % of web-eu");
        let known = |kind: &str| {
            let workload = Workload {
                kind: kind.into(),
                ..workload()
            };
            step(20, to, "web", Some(&workload), false)
        };
        assert!(known("Deployment").ends_with("(4 → 10 of 20 pods, at most 10)"));
        assert!(known("StatefulSet").ends_with("(4 → 10 of 20 pods, at most 10)"));
        let none = Workload::default();
        assert_eq!(
            step(0, to, "web-eu", Some(&none), true),
            "0 % → 50 % of web-eu"
        );
    }

    #[test]
    fn where_holdpoint_does_not_count_it_promises_no_pods() {
        let to: Exposure = serde_json::from_str("\"50%\"").unwrap();
        let stage = crate::domain::workload::Stage {
            name: "20 %".into(),
            at: crate::domain::workload::StageAt::Here,
        };
        let mut stepped = Workload {
            way: Way::Stepped,
            stages: vec![stage],
            ..workload()
        };
        stepped.new.available = 4;
        let words = |workload: &Workload, to| step(25, to, "shop/web", Some(workload), false);
        assert_eq!(
            words(&stepped, to),
            "25 % → 50 % of shop/web, along its own steps"
        );
        let seen = Pods::of(&stepped, false, Some(to)).words(false, false, "2");
        assert_eq!(seen, "4 new available, 20 in all");
        stepped.way = Way::Beside {
            shown: "services/front selector=that of green".into(),
        };
        assert_eq!(
            words(&stepped, to),
            "20 pods beside those of shop/web, without traffic"
        );
        assert_eq!(
            words(&stepped, Exposure::FULL),
            "all traffic of shop/web goes to the new pods"
        );
        let seen = Pods::of(&stepped, false, Some(to)).words(false, false, "2");
        assert_eq!(seen, "4 of 20 new available");
    }

    #[test]
    fn a_share_is_rounded_up_as_the_platform_does_it() {
        let mut workload = workload();
        assert_eq!(workload.share(0), 0);
        assert_eq!(workload.share(1), 1);
        assert_eq!(workload.share(25), 5);
        workload.wanted = 3;
        assert_eq!(workload.share(34), 2);
        assert_eq!(workload.share(100), 3);
    }

    #[test]
    fn parts_say_only_what_differs() {
        let parts = |there, ready, available| Parts {
            there,
            ready,
            available,
        };
        assert_eq!(parts(0, 0, 0).words(), "none");
        assert_eq!(parts(4, 4, 4).words(), "4, all available");
        assert_eq!(parts(4, 3, 2).words(), "4 there, 3 ready, 2 available");
    }
    #[test]
    fn pods_say_how_far_they_are() {
        let parts = |there, available| Parts {
            there,
            ready: available,
            available,
        };
        let stuck = Stuck {
            count: 1,
            reason: "crash-loop",
            words: "exit 137".into(),
            way_out: None,
        };
        let mut moving = Workload {
            new: parts(10, 7),
            old: parts(11, 11),
            stuck: vec![stuck],
            ..workload()
        };
        let half: Exposure = serde_json::from_str("\"50%\"").unwrap();
        let pods = Pods::of(&moving, false, Some(half));
        assert_eq!((pods.new, pods.coming, pods.stuck, pods.old), (7, 2, 1, 11));
        assert_eq!(
            pods.words(false, false, "2.0"),
            "7 of 10 new available, 1 stuck, 20 in all"
        );
        assert_eq!(
            pods.words(true, false, "2.0"),
            "10 pods of 2.0 left, 11 old"
        );
        moving.new = Parts::default();
        moving.old = parts(20, 20);
        moving.stuck.clear();
        let pods = Pods::of(&moving, true, Some(Exposure::FULL));
        assert_eq!(pods.words(false, true, "2.0"), "all 20 pods run it");
        let back = Pods::of(&moving, false, None);
        assert_eq!(back.words(true, false, "2.0"), "all 20 pods back");
        let twice = pods.and(Pods {
            unread: 1,
            ..Pods::default()
        });
        assert_eq!(
            twice.words(false, false, ""),
            "20 of 20 new available, 1 not read yet"
        );
    }
}
