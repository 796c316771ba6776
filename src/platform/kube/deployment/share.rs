//! The way of a Deployment to a share of its pods, which ends with a pause.
//!
//! It moves under the [`brake`], at a [`Pace`] that holdpoint decides. While it stands the brake is off,
//! so that its status counts every pod that answers. Before it moves again, the brake is put on and has
//! to come to the ReplicaSet: else the controller would take pods for available ones, and old ones would
//! go for them at once.

use serde_json::{Value, json};

use super::pace::Pace;
use super::{Seen, brake, on_its_way, stepped};
use crate::platform::helm::Steer;
use crate::platform::kube::change::{Change, Next};
use crate::platform::kube::record::Before;
use crate::platform::kube::wish::Wish;

/// What is to be done next on the way to `until` new pods.
pub fn forward(wish: &Wish, seen: &Seen, steer: Steer, until: u32) -> Next {
    let Some(before) = seen.before(wish) else {
        let words = "somebody else has taken holdpoint's record of it away: roll back, or finish it by hand";
        return Next::Failed(words.into());
    };
    let (work, up) = (&seen.work, seen.up);
    let (asked, all) = (seen.asked(), work.wanted);
    let on = brake::is_on(work);
    let reached = asked >= until && seen.old_wanted() <= all.saturating_sub(until);
    let waits = || on_its_way(seen, steer, up, until);
    if work.paused {
        return match steer {
            Steer::Hold if !on => waits(),
            Steer::Hold => stand(wish, seen, before).into(),
            _ if reached && on => stand(wish, seen, before).into(),
            _ if reached && seen.observed() && up >= until => Next::Done,
            _ if reached => waits(),
            _ if !on => put_on(wish, seen, before).into(),
            _ if !(seen.observed() && brake::has_come(seen)) => waits(),
            _ => go_on(wish, seen, before, until).into(),
        };
    }
    // it went all the way as its owner has it, until somebody changed the number of pods
    if steer == Steer::Hold || before.kept.is_none() {
        return stand(wish, seen, before).into();
    }
    let strategy = &seen.spec["strategy"];
    let ours = on && before.kept.as_ref().is_some_and(|k| k.written == *strategy);
    let Some(pace) = Pace::read(strategy, all).filter(|_| ours) else {
        let words = "somebody else has changed its strategy or minReadySeconds on the way to a share: \
                     retry to go on, theirs comes back at the end";
        return Next::Failed(words.into());
    };
    if !(seen.observed() && brake::has_come(seen)) {
        return waits();
    }
    if reached && up >= until {
        return stand(wish, seen, before).into();
    }
    let next = pace.next(all, asked, up, until);
    if next == pace {
        return waits();
    }
    at_pace(wish, seen, next.words(), before, next, json!({})).into()
}

/// What of the spec begins the way of a template that is not there yet: its pods come into being under
/// the brake.
pub fn first(seen: &Seen, before: &mut Before, until: u32) -> Value {
    let all = seen.work.wanted;
    let mut spec = json!({"paused": false, "strategy": Pace::first(all, all, until).strategy(all)});
    brake::on(&mut spec);
    let mut kept = brake::kept(seen);
    kept.written = spec["strategy"].clone();
    before.kept = Some(kept);
    spec
}

/// What of the spec puts the brake on where it stands.
pub fn braked(seen: &Seen, before: &mut Before) -> Value {
    let mut spec = json!({ "paused": true });
    brake::on(&mut spec);
    // whatever its owner has written since it stands there
    let mut kept = brake::kept(seen);
    let ours = before.kept.take().map(|k| k.written);
    kept.written = ours
        .filter(|w| *w == seen.spec["strategy"])
        .unwrap_or_default();
    before.kept = Some(kept);
    spec
}

/// What of the spec lets it stand where it is: with the pods that there are, and without the brake.
pub fn standing(seen: &Seen, before: &mut Before) -> Value {
    let mut spec = json!({ "paused": true });
    let all = seen.work.wanted;
    let kept = before.kept.get_or_insert_with(|| brake::kept(seen));
    brake::off(&mut spec, seen, Some(kept));
    if kept.written == seen.spec["strategy"] || kept.written.is_null() {
        let more = (seen.asked() + seen.old_wanted()).saturating_sub(all);
        kept.written = Pace::standing(more).strategy(all);
        spec["strategy"] = kept.written.clone();
    }
    spec
}

/// Stops it where it is.
pub fn stand(wish: &Wish, seen: &Seen, mut before: Before) -> Change {
    let spec = standing(seen, &mut before);
    stepped(wish, seen, "pause", &before, &spec)
}

fn put_on(wish: &Wish, seen: &Seen, mut before: Before) -> Change {
    let spec = braked(seen, &mut before);
    let words = "the brake is put on before it goes on";
    stepped(wish, seen, words, &before, &spec)
}

fn go_on(wish: &Wish, seen: &Seen, before: Before, until: u32) -> Change {
    let pace = Pace::first(seen.work.wanted, seen.old_wanted(), until);
    at_pace(
        wish,
        seen,
        "go on".to_owned(),
        before,
        pace,
        json!({ "paused": false }),
    )
}

/// Changes the pace. The record in the annotations changes with it, and they are copied to the
/// ReplicaSet: a controller that has not seen that one's newest status gets a conflict there and looks
/// again before it does anything.
fn at_pace(
    wish: &Wish,
    seen: &Seen,
    words: String,
    mut before: Before,
    pace: Pace,
    mut spec: Value,
) -> Change {
    let strategy = pace.strategy(seen.work.wanted);
    if let Some(kept) = &mut before.kept {
        kept.written = strategy.clone();
    }
    spec["strategy"] = strategy;
    stepped(wish, seen, words, &before, &spec)
}
