//! What becomes of a release by what happens about its approval, and the line in its log.

use super::told::{Changed, Overruled, Told};
use crate::domain::charter::Charter;
use crate::domain::compile;
use crate::domain::event::{Event, What};
use crate::domain::hold::{HoldKind, HoldState};
use crate::domain::ids::Timestamp;
use crate::domain::refusal::short;
use crate::domain::release::{Release, Tone};
use crate::domain::ruling;

/// Folds one of them into its release; a changed plan comes by way of [`replan`].
pub fn apply(release: &mut Release, told: &Told, event: &Event) {
    match told {
        Told::VoteWithdrawn { .. } => {
            if let Some(who) = event.who.person() {
                release.votes.remove(who);
            }
        }
        Told::Overruled { whose, why, .. } => {
            if let (Some(by), Some(vote)) = (event.who.person(), release.votes.get_mut(whose)) {
                vote.overruled = Some(Overruled {
                    by: by.clone(),
                    at: event.at,
                    why: why.clone(),
                });
            }
        }
        Told::Reopened { .. } => reopen(release),
        Told::BoxEndsSoon { .. } => release.box_warned = true,
        Told::PlanChanged { .. } => {}
    }
}

/// The way begins anew at the approval: what came after it was said of an approved release.
pub fn reopen(release: &mut Release) {
    release.con = None;
    let Some(first) = release.batches.first_mut() else {
        return;
    };
    let from = first
        .before
        .iter()
        .position(|h| matches!(h.kind, HoldKind::Approval(_)));
    for hold in first.before.iter_mut().skip(from.unwrap_or(usize::MAX)) {
        hold.state = HoldState::ToCome;
    }
}

/// Puts the new plan in the place of the old one. What the release has gathered stays; what it has
/// passed stays passed only where the votes stand.
pub fn replan(release: &mut Release, charter: &Charter, event: &Event) {
    let What::Approval(Told::PlanChanged {
        plan,
        digest,
        changes,
        voids,
        ..
    }) = &event.what
    else {
        return;
    };
    let mut batches = compile::batches(plan, charter);
    if !*voids {
        let holds = batches
            .iter_mut()
            .flat_map(|b| b.before.iter_mut().chain(&mut b.after));
        for hold in holds.filter(|h| !matches!(h.kind, HoldKind::Window { .. })) {
            if let Some(before) = release.holds().find(|h| h.id == hold.id) {
                hold.state = before.state.clone();
            }
        }
    }
    let mut voided = Vec::new();
    if *voids {
        voided = release.votes.keys().cloned().collect();
        release.votes.clear();
        // what was waived was waived of the plan that was voted on
        release.waived.clear();
    }
    if let Some(by) = event.who.person() {
        release.changed.push(Changed {
            by: by.clone(),
            at: event.at,
            was: release.digest.clone(),
            changes: changes.clone(),
            voided,
        });
    }
    release.observe = compile::observe(plan);
    release.batches = batches;
    release.plan = plan.clone();
    release.digest = digest.clone();
    release.finding = None;
    ruling::settle(release);
}

/// The line in the log.
///
/// `at` is when it happened.
pub fn line(told: &Told, at: Timestamp) -> (Tone, String) {
    match told {
        Told::VoteWithdrawn { .. } => (Tone::Plain, "takes the vote back".to_owned()),
        Told::Overruled { whose, why, .. } => (
            Tone::Ask,
            format!("overrules the objection of {whose}: {why}"),
        ),
        Told::Reopened { why, .. } => (Tone::Bad, format!("approved no longer: {why}")),
        Told::BoxEndsSoon { end, .. } => (
            Tone::Ask,
            format!(
                "the time box ends in {}: what is not closed then goes back",
                end.since(at)
            ),
        ),
        Told::PlanChanged {
            digest,
            changes,
            voids,
            ..
        } => {
            let fields = match changes.as_slice() {
                [one] => one.words(),
                many => format!("{} fields", many.len()),
            };
            let votes = if *voids {
                "all votes are void"
            } else {
                "the votes stand"
            };
            (
                Tone::Ask,
                format!("changes the plan to {}: {fields}; {votes}", short(digest)),
            )
        }
    }
}
