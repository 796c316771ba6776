//! The pace at which a Deployment goes to a share, so that it never goes past it, whoever is there to
//! stop it.
//!
//! A Deployment's controller makes room for new pods only as others become available. Under the brake
//! ([`BRAKE`]) no new pod ever does, so there are never more of them than `surge + gone`, and the
//! number rises only when holdpoint raises `gone`: when all that were asked for have answered for long
//! enough. With an engine that is gone, or an API server that is away, it stands where it is.
//!
//! Source of both limits: the Deployment controller of Kubernetes, `NewRSNewReplicas` (pods in all at
//! most `replicas + maxSurge`) and `reconcileOldReplicaSets` (available pods at least
//! `replicas - maxUnavailable`).

use serde_json::{Value, json};

use crate::domain::workload;

/// `minReadySeconds` while a share is approached: no pod lives so long. One less than the progress
/// deadline, as the API server demands.
pub const BRAKE: u32 = DEADLINE - 1;

/// The progress deadline while a share is approached. It is never over: it is holdpoint that waits. One
/// more would mean that there is none in Kubernetes, and its controller would not say any more what goes
/// wrong.
pub const DEADLINE: u32 = i32::MAX.unsigned_abs() - 1;

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
        Pace {
            surge: workload::surge(all, all.saturating_sub(old), until),
            gone: 0,
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
            surge: count(&rolling["maxSurge"], all)?,
            gone: count(&rolling["maxUnavailable"], all)?,
        })
    }

    /// The strategy that says it, for a Deployment of so many pods.
    pub fn strategy(self, all: u32) -> Value {
        json!({"type": "RollingUpdate", "rollingUpdate": {
            "maxSurge": self.surge,
            "maxUnavailable": part(self.gone, all),
        }})
    }

    /// As it is told.
    pub fn words(self) -> String {
        let Pace { surge, gone } = self;
        format!("up to {} new pods ({surge} more than wanted)", surge + gone)
    }
}

/// A number of pods as a percentage of all where one says exactly it, so that it goes with the number
/// of pods when an autoscaler changes that.
fn part(pods: u32, all: u32) -> Value {
    let (of, all) = (u64::from(pods), u64::from(all));
    let percent = (of * 100).checked_div(all).unwrap_or(0) + u64::from(of * 100 % all.max(1) > 0);
    if pods > 0 && percent <= 100 && all * percent / 100 == of {
        format!("{percent}%").into()
    } else {
        pods.into()
    }
}

/// The same read: of a percentage, as many as the controller makes of `maxUnavailable`.
fn count(value: &Value, all: u32) -> Option<u32> {
    if let Some(count) = value.as_u64() {
        return u32::try_from(count).ok();
    }
    let percent: u64 = value.as_str()?.strip_suffix('%')?.parse().ok()?;
    u32::try_from(u64::from(all).checked_mul(percent)? / 100).ok()
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
        assert_eq!(part(5, 20), json!("25%"));
        assert_eq!(part(1, 3), json!("34%"));
        assert_eq!(part(0, 20), json!(0));
        assert_eq!(part(7, 300), json!(7), "2% are 6, 3% are 9");
        for all in 1..=400 {
            for pods in 0..=all {
                assert_eq!(count(&part(pods, all), all), Some(pods), "{pods} of {all}");
            }
        }
        assert_eq!(Pace::read(&json!({"type": "Recreate"}), 4), None);
    }
}
