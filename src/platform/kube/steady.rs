//! Which pods have answered for long enough.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::decode::Pod;

/// Since when pods have been seen to answer. It is measured here: a cluster's clock may be another one.
#[derive(Default)]
pub struct Steady(Mutex<BTreeMap<Answer, Instant>>);

/// A pod, and since when it answers as its cluster says: one that has not always answered has another.
type Answer = (Arc<str>, Option<i64>);

impl Steady {
    /// How many of these have answered for so long without a break, as seen at this time; the others
    /// are forgotten.
    pub fn count<'a>(
        &self,
        pods: impl Iterator<Item = &'a Pod>,
        now: Instant,
        long: Duration,
    ) -> u32 {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let answering = pods.filter(|pod| pod.ready && !pod.leaving);
        let answers = answering.map(|pod| {
            let answer = (pod.uid.clone(), pod.since);
            let since = *seen.get(&answer).unwrap_or(&now);
            (answer, since)
        });
        let answers: BTreeMap<_, _> = answers.collect();
        let steady = answers.values().filter(|since| now - **since >= long);
        let steady = u32::try_from(steady.count()).unwrap_or(u32::MAX);
        *seen = answers;
        steady
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(5);

    fn pod(name: &str, ready: bool, since: i64) -> Pod {
        Pod {
            uid: name.into(),
            ready,
            since: Some(since),
            ..Pod::default()
        }
    }

    #[test]
    fn a_pod_counts_once_it_has_answered_for_long_without_a_break() {
        let steady = Steady::default();
        let mut now = Instant::now();
        let first = [pod("a", true, 100), pod("b", false, 100)];
        assert_eq!(steady.count(first.iter(), now, LONG), 0);
        now += LONG;
        let both = [pod("a", true, 100), pod("b", true, 105)];
        assert_eq!(steady.count(both.iter(), now, LONG), 1);
        now += LONG;
        // it was away between two looks
        let again = [pod("a", true, 108), pod("b", true, 105)];
        assert_eq!(steady.count(again.iter(), now, LONG), 1);
        let gone = [pod("a", true, 108)];
        assert_eq!(steady.count(gone.iter(), now, LONG), 0);
        assert_eq!(
            steady.count(both.iter(), now, LONG),
            0,
            "what has gone is forgotten"
        );
        let leaving = [Pod {
            leaving: true,
            ..pod("b", true, 105)
        }];
        now += LONG;
        assert_eq!(steady.count(leaving.iter(), now, LONG), 0);
    }
}
