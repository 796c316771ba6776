//! A workload as its platform shows it now: how many parts run what, what is stuck and why, who else
//! changes it. Live telemetry, never audit.

use std::sync::Arc;

use super::ids::Artifact;

/// What a workload is made of now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Workload {
    /// What it is: `Deployment`, `StatefulSet`, `Rollout`.
    pub kind: Arc<str>,
    /// Where it is, for people: `shop/web in scratch`.
    pub place: Arc<str>,
    /// How many parts there should be.
    pub wanted: u32,
    /// The parts that run what is arriving; of a workload that is not divided, none.
    pub new: Parts,
    /// The parts that run what ran before; of a workload that is not divided, all.
    pub old: Parts,
    /// Parts that are on their way out, of either side.
    pub leaving: u32,
    /// The name that the platform gives to what is arriving: a template's hash.
    pub new_hash: Option<Arc<str>>,
    /// The name of what ran before.
    pub old_hash: Option<Arc<str>>,
    /// What is arriving, as the platform shows it.
    pub arriving: Option<Artifact>,
    /// The share of traffic that the new parts get, in percent, where the platform directs traffic.
    pub weight: Option<u8>,
    /// How many new parts there may be at most during the move that goes on.
    pub bound: Option<u32>,
    /// What the platform says of it, in its own words: `Paused: CanaryPauseStep`.
    pub says: Arc<str>,
    /// The platform's own steps, where it has any.
    pub stages: Vec<Stage>,
    /// What is stuck and why, the most frequent first.
    pub stuck: Vec<Stuck>,
    /// Who else changes it.
    pub owners: Vec<Owner>,
    /// How a share of it comes about.
    pub way: Way,
    /// The object into which the version is written, where it is another one: `deployments/web-green`.
    pub carrier: Option<Arc<str>>,
}

/// How a share of a workload comes about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Way {
    /// So many parts are replaced.
    #[default]
    Counted,
    /// The platform goes along its own steps, as far as the share allows: how many parts that takes is
    /// its own affair.
    Stepped,
    /// All new parts come up beside the old ones with the first share; the last one sends the traffic.
    Beside {
        /// What is written where to send it: `services/web selector=that of web-green`.
        shown: Arc<str>,
    },
}

/// Parts of a workload by how they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// How many there are.
    pub there: u32,
    /// How many of them answer.
    pub ready: u32,
    /// How many of them have answered long enough to be relied on.
    pub available: u32,
}

/// A step of a platform's own rollout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// What it does, in a few words: `20 %`, `pause`, `analysis error-rate`.
    pub name: Arc<str>,
    /// Whether it is behind, at hand or to come.
    pub at: StageAt,
}

/// Where a platform's rollout is with a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StageAt {
    /// Behind.
    Done,
    /// At hand.
    Here,
    /// To come.
    ToCome,
}

/// Parts that do not come up, by why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stuck {
    /// How many.
    pub count: u32,
    /// Why, as a stable word: `crash-loop`, `image`, `config`, `unschedulable`, `quota`, `admission`,
    /// `webhook`, `probe`, `volume`, `sandbox`, `node`, `deadline`, `blocked`.
    pub reason: &'static str,
    /// Why, in a sentence, printable.
    pub words: Arc<str>,
    /// What helps, where something is known to.
    pub way_out: Option<Arc<str>>,
}

/// Somebody else who changes the workload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Who: `Argo CD`, `HorizontalPodAutoscaler web`, a field manager.
    pub who: Arc<str>,
    /// What that means, in a sentence.
    pub words: Arc<str>,
    /// Whether holdpoint must not change it over their head.
    pub forbids: bool,
}

/// How many parts at once a workload should take on when it goes from `from` new parts to `until`,
/// of `all`: a tenth of all at most, and as even as can be; of many, as many as whole percents make,
/// rounded up, so that it can be written to go with the number of parts. During the move there are
/// never more parts than `all` and this.
pub fn surge(all: u32, from: u32, until: u32) -> u32 {
    let way = until.saturating_sub(from).max(1);
    let most = (all / 10).max(1);
    let even = way.div_ceil(way.div_ceil(most));
    let percents = u64::from(even) * 100 / u64::from(all.max(1));
    match (u64::from(all) * percents).div_ceil(100) {
        0 => even,
        whole => u32::try_from(whole).unwrap_or(even).min(even),
    }
}

#[cfg(test)]
mod tests {
    use super::surge;

    #[test]
    fn a_surge_divides_the_way_evenly() {
        assert_eq!(surge(20, 0, 5), 2, "2, 4, 5");
        assert_eq!(surge(20, 5, 10), 2);
        assert_eq!(surge(100, 0, 12), 6, "6, 12, rather than 10, 12");
        assert_eq!(surge(3, 0, 1), 1);
        assert_eq!(surge(3, 0, 3), 1, "a small one goes by ones");
        assert_eq!(surge(0, 0, 0), 1, "never none: nothing would move");
        assert_eq!(surge(50, 20, 10), 1, "there already");
        assert_eq!(surge(150, 0, 7), 6, "7 are 4.7 %: 4 % are 6");
        assert_eq!(surge(1000, 0, 5), 5, "less than a percent");
    }
}
