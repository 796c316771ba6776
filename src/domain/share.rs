//! Targets that are moved by shares, in words. Their platform divides them into parts by itself, so
//! counting instances says nothing of them: the one instance of a workload at 25 % is not "1 of 1".

use super::ids::TargetName;
use super::plan::Exposure;
use super::release::{Release, Step};
use super::state::State;
use super::workload::{Parts, Stuck, Workload};

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

/// What a step does: `20 % → 50 % of shop/web in scratch (4 → 10 of 20 pods, at most 11)`. The pods are
/// told where it is known of what the workload is made; `bounded` where the bound is this step's.
pub fn step(
    from: u8,
    to: Exposure,
    name: &str,
    workload: Option<&Workload>,
    bounded: bool,
) -> String {
    let mut words = format!("{from} % → {to} of {name}");
    if let Some(workload) = workload.filter(|w| w.wanted > 0) {
        words.push_str(&format!(
            " ({} → {} of {}",
            workload.share(from),
            workload.share(to.percent()),
            pods(workload.wanted)
        ));
        if let Some(bound) = workload.bound.filter(|_| bounded) {
            words.push_str(&format!(", at most {bound}"));
        }
        words.push(')');
    }
    words
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
            bound: Some(11),
            ..Workload::default()
        }
    }

    #[test]
    fn a_step_is_told_in_pods() {
        let to: Exposure = serde_json::from_str("\"50%\"").unwrap();
        let place = "shop/web in scratch";
        assert_eq!(
            step(20, to, place, Some(&workload()), true),
            "20 % → 50 % of shop/web in scratch (4 → 10 of 20 pods, at most 11)"
        );
        assert_eq!(
            step(20, to, place, Some(&workload()), false),
            "20 % → 50 % of shop/web in scratch (4 → 10 of 20 pods)"
        );
        assert_eq!(step(0, to, "web-eu", None, true), "0 % → 50 % of web-eu");
        let none = Workload::default();
        assert_eq!(
            step(0, to, "web-eu", Some(&none), true),
            "0 % → 50 % of web-eu"
        );
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
}
