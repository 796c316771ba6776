//! The brake: as long as it is on, no new pod of a Deployment makes room for the next one.

use serde_json::Value;

use super::{Seen, before_of};
use crate::platform::kube::decode::{Set, Work};
use crate::platform::kube::record::{Before, Kept};

/// `minReadySeconds` under the brake: no pod lives so long. One less than the progress deadline, as the
/// API server demands.
pub const BRAKE: u32 = DEADLINE - 1;

/// The progress deadline under the brake. It is never over: it is holdpoint that waits. One more would
/// mean that there is none in Kubernetes, and its controller would not say any more what goes wrong.
pub const DEADLINE: u32 = i32::MAX.unsigned_abs() - 1;

/// What Kubernetes takes for a Deployment's progress deadline where nothing is written.
const PROGRESS: u32 = 600;

/// Whether it is on.
pub fn is_on(work: &Work) -> bool {
    work.min_ready == BRAKE
}

/// Whether a ReplicaSet is under it.
pub fn holds(set: &Set) -> bool {
    set.min_ready == BRAKE
}

/// Whether it has come to the ReplicaSet of the present template, and that counts no pod any more.
/// Until then the Deployment's controller takes its pods for available ones.
pub fn has_come(seen: &Seen) -> bool {
    seen.new_set()
        .is_none_or(|set| holds(set) && set.observed >= set.generation && set.available == 0)
}

/// Puts it on, in a spec.
pub fn on(spec: &mut Value) {
    spec["minReadySeconds"] = BRAKE.into();
    spec["progressDeadlineSeconds"] = DEADLINE.into();
}

/// Takes it off again: what it changed is as it was, unless somebody else has written it since.
pub fn off(spec: &mut Value, seen: &Seen, kept: Option<&Kept>) {
    if is_on(&seen.work) {
        let ready = kept.and_then(|k| k.min_ready).unwrap_or(0);
        spec["minReadySeconds"] = ready.into();
    }
    if deadline(seen) == DEADLINE {
        let limit = kept.and_then(|k| k.deadline).unwrap_or(PROGRESS);
        spec["progressDeadlineSeconds"] = limit.into();
    }
}

/// Brings back all that the way to a share changes: the strategy too, unless somebody else has written
/// another one since.
pub fn restore(spec: &mut Value, seen: &Seen, before: &mut Before) {
    let kept = before.kept.take();
    off(spec, seen, kept.as_ref());
    let now = &seen.spec["strategy"];
    let ours = |k: &Kept| k.written == *now || k.written.is_null();
    if let Some(kept) = kept.filter(|k| k.strategy != *now && ours(k)) {
        spec["strategy"] = kept.strategy;
    }
}

/// What the way to a share changes, as its owner has it: now, or before it was changed on the way.
pub fn kept(seen: &Seen) -> Kept {
    let left = before_of(&seen.work).and_then(|b| b.kept);
    let left = left.unwrap_or_default();
    let now = &seen.spec["strategy"];
    let (min_ready, deadline) = match is_on(&seen.work) {
        true => (
            left.min_ready.unwrap_or(0),
            left.deadline.unwrap_or(PROGRESS),
        ),
        false => (seen.work.min_ready, deadline(seen)),
    };
    Kept {
        strategy: match left.written == *now {
            true => left.strategy,
            false => now.clone(),
        },
        min_ready: Some(min_ready),
        deadline: Some(deadline),
        written: Value::Null,
    }
}

fn deadline(seen: &Seen) -> u32 {
    let written = seen.spec["progressDeadlineSeconds"].as_u64();
    written.map_or(PROGRESS, |s| u32::try_from(s).unwrap_or(u32::MAX))
}
