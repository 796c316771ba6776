//! StatefulSets: what is decided from what is read.
//!
//! A share is exact: the partition goes down to it in the same change that brings the template. A pod
//! that does not come up blocks its StatefulSet, for the controller replaces none while any is
//! missing; so a way back deletes those that run the new revision and do not answer.

use serde_json::{Value, json};

use super::change::{Change, Next};
use super::decode;
use super::deployment::{before_of, mine};
use super::revised::{self, Seen};
use super::wish::Wish;
use crate::platform::helm::Steer;

/// What is to be done next to bring the new version to its share.
pub fn forward(wish: &Wish, seen: &Seen, steer: Steer) -> Next {
    if !(mine(wish, &seen.work) && wish.is(seen.image())) {
        return begin(wish, seen, steer);
    }
    let all = seen.work.wanted;
    let until = wish.parts(all);
    let new = count(seen);
    let hold = steer == Steer::Hold;
    // what has begun stays, nothing more begins
    let most = if hold { until.min(new) } else { until };
    let partition = all - most;
    if seen.work.partition != partition && seen.observed() {
        let words = if hold { "hold" } else { "go on" };
        return part(wish, seen, partition, words).into();
    }
    if !seen.observed() {
        return Next::Wait("the controller has not looked at it yet".into());
    }
    let up = seen.new_pods().filter(|p| p.ready).count();
    let done = new >= until && seen.work.available >= all && seen.work.ready >= all && !hold;
    if !done {
        let held = if hold { "held: " } else { "" };
        return Next::Wait(format!("{held}{up} of {until} new pods are up").into());
    }
    if until == all {
        return revised::finish(wish, seen);
    }
    Next::Done
}

/// How many pods run the present template, ready or not.
fn count(seen: &Seen) -> u32 {
    u32::try_from(seen.new_pods().count()).unwrap_or(u32::MAX)
}

fn rolling(partition: u32) -> Value {
    json!({"type": "RollingUpdate", "rollingUpdate": {"partition": partition}})
}

/// Whether the present template runs, alone and fully.
fn complete(seen: &Seen) -> bool {
    let work = &seen.work;
    let all = work.wanted;
    let alone = work.current_revision == work.update_revision || count(seen) >= all;
    seen.observed() && alone && work.ready >= all && work.available >= all && count(seen) >= all
}

fn begin(wish: &Wish, seen: &Seen, steer: Steer) -> Next {
    let begun = revised::beginning(wish, seen, steer, complete(seen), || busy(seen));
    let mut before = match begun {
        Ok(before) => before,
        Err(next) => return next,
    };
    let all = seen.work.wanted;
    let until = wish.parts(all);
    let strategy = with_partition(seen, all - until);
    if let Some(kept) = &mut before.kept {
        kept.written = strategy.clone();
    }
    let words = format!("{until} of {all} pods to {}", wish.artifact.version);
    revised::wish_change(wish, seen, words, &before, &strategy, until).into()
}

/// The strategy with another partition; what else stands in it stays.
fn with_partition(seen: &Seen, partition: u32) -> Value {
    let mut strategy = seen.spec["updateStrategy"].clone();
    if strategy["type"] == "RollingUpdate" && strategy["rollingUpdate"].is_object() {
        strategy["rollingUpdate"]["partition"] = partition.into();
        strategy
    } else {
        rolling(partition)
    }
}

fn part(wish: &Wish, seen: &Seen, partition: u32, words: &str) -> Change {
    let strategy = with_partition(seen, partition);
    let before = seen.before(wish).map(|mut before| {
        if let Some(kept) = &mut before.kept {
            kept.written = strategy.clone();
        }
        before
    });
    let words = format!("{words} (partition {partition})");
    revised::strategy_change(wish, seen, words, &strategy, before.as_ref())
}

/// What holds a StatefulSet where it is, of a wish that failed.
pub fn hold(wish: &Wish, seen: &Seen) -> Option<Change> {
    if wish.back || !mine(wish, &seen.work) || !wish.is(seen.image()) {
        return None;
    }
    let partition = seen.work.wanted.saturating_sub(count(seen));
    (seen.work.partition < partition).then(|| part(wish, seen, partition, "hold"))
}

/// Who else is at work on it.
fn busy(seen: &Seen) -> Option<String> {
    let work = &seen.work;
    if work.partition > 0 {
        return Some(match before_of(work) {
            Some(other) => format!("it is held by another release ({})", other.release),
            None => format!(
                "its partition is {}: somebody else holds it",
                work.partition
            ),
        });
    }
    let moves = !seen.observed() || work.current_revision != work.update_revision;
    moves.then(|| "another rollout of it is under way".to_owned())
}

/// What is to be done next to bring back what ran before.
pub fn back(wish: &Wish, seen: &Seen, steer: Steer) -> Next {
    if let Some(next) = revised::returning(wish, seen, steer) {
        return next;
    }
    // it waits for these for ever, and would not replace them
    let blocks = |p: &&decode::Pod| !p.leaving && !p.ready && !seen.is_new(p);
    let stuck = revised::doomed(seen.pods.iter().filter(blocks));
    if !stuck.is_empty() {
        let names: Vec<&str> = stuck.iter().map(|p| &*p.name).collect();
        let words = format!("delete what does not answer: {}", names.join(", "));
        return Next::Delete(words, stuck);
    }
    if complete(seen) {
        return revised::end(wish, seen);
    }
    let (up, all) = (
        seen.new_pods().filter(|p| p.ready).count(),
        seen.work.wanted,
    );
    Next::Wait(format!("{up} of {all} pods run {} again", wish.artifact.version).into())
}
