//! The pace at which a Deployment goes to a share, so that it never goes past it, whoever is there to
//! stop it.
//!
//! A Deployment's controller makes room for new pods only as others become available. Under the brake
//! ([`super::brake`]) no new pod ever does: as many old ones stay as `gone` leaves, there are as many
//! pods more than wanted as `surge` says, and the rest is new. That rises only when holdpoint raises
//! `gone`: when all new pods that were asked for have answered for long enough. With an engine that is
//! gone, or an API server that is away, it stands where it is.
//!
//! Source of both limits: the Deployment controller of Kubernetes, `NewRSNewReplicas` (pods in all at
//! most `replicas + maxSurge`) and `reconcileOldReplicaSets` (available pods at least
//! `replicas - maxUnavailable`).

use serde_json::{Value, json};

use crate::domain::workload;

/// How far the number of pods may be off while a share is approached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// How many pods more than wanted there may be.
    surge: u32,
    /// How many of the old pods may be gone.
    gone: u32,
}

impl Pace {
    /// With which it begins, of `all` pods of which `old` are old ones: none of these goes yet.
    pub fn first(all: u32, old: u32, until: u32) -> Pace {
        let surge = workload::surge(all, all.saturating_sub(old), until);
        Pace { surge, gone: 0 }
    }

    /// While it stands with so many pods more than wanted: none of those that are there goes.
    pub fn standing(more: u32) -> Pace {
        Pace {
            surge: more,
            gone: u32::from(more == 0),
        }
    }

    /// The last one: as many old pods are gone as there are new ones, and none is too many.
    pub fn last(until: u32) -> Pace {
        Pace {
            surge: 0,
            gone: until,
        }
    }

    /// The next one on the way to `until` new pods of `all`, of which `asked` are asked for and `up`
    /// have answered for long enough.
    pub fn next(self, all: u32, asked: u32, up: u32, until: u32) -> Pace {
        if up >= until {
            return Pace::last(until);
        }
        let surge = self.surge.min(until);
        let room = until - surge;
        if up < asked {
            let gone = self.gone.min(room);
            return Pace { surge, gone };
        }
        let surge = surge.max(workload::surge(all, asked, until)).min(until);
        let gone = asked.min(until - surge);
        Pace { surge, gone }
    }

    /// What a Deployment's strategy says of it; `None` where it says something else.
    pub fn read(strategy: &Value, all: u32) -> Option<Pace> {
        let rolling = &strategy["rollingUpdate"];
        Some(Pace {
            surge: count(&rolling["maxSurge"], all, up)?,
            gone: count(&rolling["maxUnavailable"], all, down)?,
        })
    }

    /// The strategy that says it, for a Deployment of so many pods: in percent where that says exactly
    /// the same, so that it goes with the number of pods when an autoscaler changes that.
    pub fn strategy(self, all: u32) -> Value {
        let Pace { surge, gone } = self;
        let (whole, of) = (u64::from(all.max(1)), |pods| u64::from(pods) * 100);
        let said = |pods: u32, percents: u64, read: Read| match pods {
            0 => json!(0),
            _ if percents <= 100 && read(all, percents) == pods => json!(format!("{percents}%")),
            _ => json!(pods),
        };
        json!({"type": "RollingUpdate", "rollingUpdate": {
            "maxSurge": said(surge, of(surge) / whole, up),
            "maxUnavailable": said(gone, of(gone).div_ceil(whole), down),
        }})
    }

    /// As it is told.
    pub fn words(self) -> String {
        let Pace { surge, gone } = self;
        format!("up to {} new pods ({surge} more than wanted)", surge + gone)
    }
}

/// How the controller reads percents of all pods.
type Read = fn(u32, u64) -> u32;

/// Of `maxSurge`: rounded up.
fn up(all: u32, percents: u64) -> u32 {
    let pods = u64::from(all).saturating_mul(percents).div_ceil(100);
    u32::try_from(pods).unwrap_or(u32::MAX)
}

/// Of `maxUnavailable`: rounded down.
fn down(all: u32, percents: u64) -> u32 {
    let pods = u64::from(all).saturating_mul(percents) / 100;
    u32::try_from(pods).unwrap_or(u32::MAX)
}

fn count(value: &Value, all: u32, read: Read) -> Option<u32> {
    if let Some(count) = value.as_u64() {
        return u32::try_from(count).ok();
    }
    let percents = value.as_str()?.strip_suffix('%')?.parse().ok()?;
    Some(read(all, percents))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A Deployment's controller under the brake, one look after the other, as its source has it.
    struct Controller {
        old: u32,
        new: u32,
    }

    impl Controller {
        fn look(&mut self, all: u32, pace: Pace) {
            let Pace { surge, gone } = Pace::read(&pace.strategy(all), all).unwrap();
            let room = (all + surge).saturating_sub(self.old + self.new);
            self.new += room.min(all.saturating_sub(self.new));
            let least = all - gone.min(all);
            // no new pod counts as available
            self.old -= self.old.saturating_sub(least);
        }
    }

    proptest! {
        #[test]
        fn there_are_never_more_new_pods_than_the_share_nor_fewer_that_answer_than_wanted(
            all in 1_u32..600,
            shares in (1_u32..=100, 1_u32..=100),
        ) {
            let mut shares = [shares.0, shares.1].map(|percent| (all * percent).div_ceil(100));
            shares.sort_unstable();
            let mut pods = Controller { old: all, new: 0 };
            for until in shares.into_iter().filter(|until| *until < all) {
                if pods.new >= until {
                    continue;
                }
                let mut pace = Pace::first(all, pods.old, until);
                let mut turns = 0;
                while (pods.old, pods.new) != (all - until, until) {
                    // however often the controller looks while nobody says anything
                    for _ in 0..3 {
                        pods.look(all, pace);
                    }
                    prop_assert!(pods.new <= until, "{} of {until} with {pace:?}", pods.new);
                    prop_assert!(pods.old + pods.new >= all);
                    prop_assert!(pods.old + pods.new <= all + (all / 10).max(1));
                    pace = pace.next(all, pods.new, pods.new, until);
                    turns += 1;
                    prop_assert!(turns < 40, "{pace:?}");
                }
            }
        }
    }

    #[test]
    fn it_goes_on_only_when_all_that_were_asked_for_are_up() {
        let pace = Pace::first(20, 20, 5);
        assert_eq!(pace, Pace { surge: 2, gone: 0 });
        assert_eq!(pace.next(20, 2, 1, 5), pace);
        let pace = pace.next(20, 2, 2, 5);
        assert_eq!(pace, Pace { surge: 2, gone: 2 });
        // asked for by the pace before: nothing changes until the controller has looked
        assert_eq!(pace.next(20, 2, 2, 5), pace);
        let pace = pace.next(20, 4, 4, 5);
        assert_eq!(pace, Pace { surge: 2, gone: 3 });
        assert_eq!(pace.next(20, 5, 4, 5), pace);
        assert_eq!(pace.next(20, 5, 5, 5), Pace::last(5));
        // one of them dies
        assert_eq!(Pace::last(5).next(20, 5, 4, 5), Pace::last(5));
    }

    #[test]
    fn a_share_that_becomes_smaller_takes_the_room_back() {
        let pace = Pace { surge: 2, gone: 8 };
        assert_eq!(pace.next(8, 9, 3, 6), Pace { surge: 2, gone: 4 });
        assert_eq!(pace.next(8, 9, 9, 6), Pace::last(6));
    }

    #[test]
    fn it_is_written_in_percent_where_that_says_exactly_the_same() {
        let written = |surge, gone, all| {
            let strategy = Pace { surge, gone }.strategy(all);
            let rolling = &strategy["rollingUpdate"];
            (
                rolling["maxSurge"].clone(),
                rolling["maxUnavailable"].clone(),
            )
        };
        assert_eq!(written(2, 5, 20), (json!("10%"), json!("25%")));
        assert_eq!(written(1, 1, 3), (json!("33%"), json!("34%")));
        assert_eq!(written(1, 0, 20), (json!("5%"), json!(0)));
        assert_eq!(
            written(7, 7, 300),
            (json!(7), json!(7)),
            "2% are 6, 3% are 9"
        );
        for all in 1..=250 {
            for pods in 0..=all {
                for pace in [
                    Pace {
                        surge: pods,
                        gone: 1,
                    },
                    Pace {
                        surge: 1,
                        gone: pods,
                    },
                ] {
                    let strategy = pace.strategy(all);
                    assert_eq!(
                        Pace::read(&strategy, all),
                        Some(pace),
                        "of {all}: {strategy}"
                    );
                }
            }
        }
        assert_eq!(Pace::read(&json!({"type": "Recreate"}), 4), None);
    }

    #[test]
    fn what_is_more_than_wanted_goes_with_the_number_of_pods() {
        let pace = Pace::first(300, 300, 30);
        let strategy = pace.strategy(300);
        assert_eq!(strategy["rollingUpdate"]["maxSurge"], "10%");
        assert_eq!(Pace::read(&strategy, 30), Some(Pace { surge: 3, gone: 0 }));
        // 23 of 250 are 9.2 %: 9 % of them are as many
        assert_eq!(Pace::first(250, 250, 46), Pace { surge: 23, gone: 0 });
        assert_eq!(Pace::first(1000, 1000, 5), Pace { surge: 5, gone: 0 });
    }
}
