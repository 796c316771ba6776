//! DaemonSets: what is decided from what is read.
//!
//! A share is a batch of nodes: the strategy becomes `OnDelete`, and holdpoint deletes the pods of as
//! many nodes as the share has, a few at a time, each only if it is still the one that was read. A
//! node that does not answer is named and not waited for.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::json;

use super::change::Next;
use super::decode::{Pod, Work};
use super::deployment::{before_of, mine};
use super::revised::{self, Seen};
use super::wish::Wish;
use crate::platform::helm::Steer;

/// How the nodes of a DaemonSet are.
struct Nodes<'a> {
    /// Pods of the old revision on nodes that answer, by node.
    old: Vec<&'a Pod>,
    /// How many run the new revision.
    new: u32,
    /// How many of these answer.
    up: u32,
    /// How many nodes that answer should have a pod.
    reachable: u32,
    /// How many of them have no pod at all now, or one on its way out.
    empty: u32,
}

fn nodes(seen: &Seen) -> Nodes<'_> {
    let lost = |p: &&Pod| seen.lost.contains(&p.node);
    let staying = || seen.pods.iter().filter(|p| !p.leaving && !lost(p));
    let mut old: Vec<&Pod> = staying().filter(|p| !seen.is_new(p)).collect();
    old.sort_by(|a, b| a.node.cmp(&b.node));
    let new = || staying().filter(|p| seen.is_new(p));
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    // on their way out as well: nobody there ends them
    let gone: BTreeSet<&str> = seen.pods.iter().filter(lost).map(|p| &*p.node).collect();
    let reachable = seen.work.wanted - lost_of(&seen.work, count(gone.len()));
    Nodes {
        old,
        new: count(new().count()),
        up: count(new().filter(|p| p.ready).count()),
        reachable,
        empty: reachable.saturating_sub(count(staying().count())),
    }
}

/// How many of the pods that a DaemonSet wants are on nodes that do not answer: the most such nodes are
/// not wanted any more, if it does not tolerate what they are marked with.
pub fn lost_of(work: &Work, gone: u32) -> u32 {
    gone.saturating_sub(work.misplaced).min(work.wanted)
}

/// What is to be done next to bring the new version to its share of the nodes.
pub fn forward(wish: &Wish, seen: &Seen, steer: Steer) -> Next {
    if !(mine(wish, &seen.work) && wish.is(seen.image())) {
        return begin(wish, seen, steer);
    }
    if !seen.observed() {
        return Next::Wait("the controller has not looked at it yet".into());
    }
    let all = seen.work.wanted;
    let until = wish.parts(all);
    let nodes = nodes(seen);
    let aim = until.min(nodes.reachable);
    if steer == Steer::Hold {
        return Next::Wait(format!("held: {} of {until} new pods are up", nodes.up).into());
    }
    let missing = nodes.new - nodes.up + nodes.empty;
    // pods that do not run anyway go first, and need no place
    let slots = pace(seen).saturating_sub(missing);
    let left = if until == all {
        // those too on nodes that should have none any more
        u32::try_from(nodes.old.len()).unwrap_or(u32::MAX)
    } else {
        aim.saturating_sub(nodes.new + nodes.empty)
    };
    let next: Vec<&Pod> = next_nodes(&nodes.old, left.min(slots));
    if !next.is_empty() {
        let names: Vec<&str> = next.iter().map(|p| &*p.node).collect();
        let words = format!("replace the pods on {}", names.join(", "));
        return Next::Delete(words, revised::doomed(next.into_iter()));
    }
    if nodes.up < aim || (until == all && !nodes.old.is_empty()) {
        let (up, silent) = (nodes.up, silent(seen));
        return Next::Wait(format!("{up} of {until} new pods are up{silent}").into());
    }
    if until == all {
        revised::finish(wish, seen)
    } else {
        Next::Done
    }
}

/// The pods of the next nodes: those that do not run first.
fn next_nodes<'a>(old: &[&'a Pod], many: u32) -> Vec<&'a Pod> {
    let (up, down): (Vec<&Pod>, Vec<&Pod>) = old.iter().partition(|p| p.ready);
    let many = usize::try_from(many).unwrap_or(usize::MAX);
    down.into_iter().chain(up).take(many).collect()
}

/// How many pods may be missing at once: what the DaemonSet's own strategy allows.
fn pace(seen: &Seen) -> u32 {
    let kept = before_of(&seen.work).and_then(|b| b.kept);
    let strategy = kept.map_or_else(|| seen.spec["updateStrategy"].clone(), |k| k.strategy);
    let most = &strategy["rollingUpdate"]["maxUnavailable"];
    let all = u64::from(seen.work.wanted);
    let number = most.as_u64().or_else(|| {
        let percent: u64 = most.as_str()?.trim_end_matches('%').parse().ok()?;
        Some((all * percent).div_ceil(100))
    });
    u32::try_from(number.unwrap_or(1))
        .unwrap_or(u32::MAX)
        .max(1)
}

/// `; node-3 does not answer`.
fn silent(seen: &Seen) -> String {
    let on = |node: &&Arc<str>| seen.pods.iter().any(|p| p.node == **node);
    let names: Vec<&str> = seen.lost.iter().filter(on).map(|n| &**n).take(5).collect();
    match names.as_slice() {
        [] => String::new(),
        names => format!(
            "; not waited for, because they do not answer: {}",
            names.join(", ")
        ),
    }
}

fn begin(wish: &Wish, seen: &Seen, steer: Steer) -> Next {
    let settled = seen.observed() && nodes(seen).old.is_empty();
    let begun = revised::beginning(wish, seen, steer, settled, || {
        (!settled).then(|| match before_of(&seen.work) {
            Some(other) => format!("another release is under way on it ({})", other.release),
            None => "another rollout of it is under way".to_owned(),
        })
    });
    let mut before = match begun {
        Ok(before) => before,
        Err(next) => return next,
    };
    let all = seen.work.wanted;
    let until = wish.parts(all);
    let strategy = json!({"type": "OnDelete", "rollingUpdate": null});
    if let Some(kept) = &mut before.kept {
        kept.written = json!({"type": "OnDelete"});
    }
    let words = format!("{until} of {all} nodes to {}", wish.artifact.version);
    revised::wish_change(wish, seen, words, &before, &strategy, until).into()
}

/// What is to be done next to bring back what ran before.
pub fn back(wish: &Wish, seen: &Seen, steer: Steer) -> Next {
    if let Some(next) = revised::returning(wish, seen, steer) {
        return next;
    }
    let nodes = nodes(seen);
    // with a strategy of its own the controller replaces them, those that do not run first
    if seen.spec["updateStrategy"]["type"] == "OnDelete" {
        let missing = nodes.new - nodes.up + nodes.empty;
        let next = next_nodes(&nodes.old, pace(seen).saturating_sub(missing));
        if !next.is_empty() {
            let words = format!("replace {} pods", next.len());
            return Next::Delete(words, revised::doomed(next.into_iter()));
        }
    }
    let all = nodes.reachable;
    if nodes.old.is_empty() && nodes.up >= all {
        return revised::end(wish, seen);
    }
    let (up, version, silent) = (nodes.up, &wish.artifact.version, silent(seen));
    Next::Wait(format!("{up} of {all} pods run {version} again{silent}").into())
}
