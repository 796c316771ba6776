//! The ladder: a release top to bottom in the order in which it walks, holds and batches in one
//! column. Every screen, list and report that shows how far a release is folds this.

use super::hold::{Hold, HoldKind, HoldState};
use super::release::{Batch, Phase, Release, StepStatus};

/// How a station of the ladder stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Behind the release.
    Done,
    /// The release is here.
    Here,
    /// Here, and something is wrong with it.
    Failed,
    /// It was reached and goes back, or went back.
    Back,
    /// It will not be reached any more.
    NotReached,
    /// It comes later.
    ToCome,
}

/// A station of the ladder.
#[derive(Clone, Copy, Debug)]
pub enum Station<'a> {
    /// A hold. That a batch has arrived ([`HoldKind::Moved`]) is told by its batch.
    Hold(&'a Hold),
    /// A batch, with its place from 0.
    Batch(usize, &'a Batch),
}

/// A station and how it stands.
#[derive(Clone, Copy, Debug)]
pub struct Rung<'a> {
    /// What it is.
    pub station: Station<'a>,
    /// How it stands.
    pub mark: Mark,
}

/// The ladder of a release.
pub fn rungs(release: &Release) -> Vec<Rung<'_>> {
    let back = release.phase == Phase::RollingBack;
    let mut rungs = Vec::new();
    let hold = |hold| Rung {
        station: Station::Hold(hold),
        mark: hold_mark(hold, back),
    };
    let shown = |h: &&Hold| h.kind != HoldKind::Moved;
    for (n, batch) in release.batches.iter().enumerate() {
        rungs.extend(batch.before.iter().filter(shown).map(hold));
        rungs.push(Rung {
            station: Station::Batch(n, batch),
            mark: batch_mark(batch, back),
        });
        rungs.extend(batch.after.iter().filter(shown).map(hold));
    }
    rungs.push(hold(&release.observe));
    rungs
}

fn hold_mark(hold: &Hold, back: bool) -> Mark {
    match hold.state {
        HoldState::Cleared { .. } => Mark::Done,
        // it was never passed: this is where the release turned back
        HoldState::Open { .. } if back => Mark::Failed,
        HoldState::Open { overdue: true, .. } => Mark::Failed,
        HoldState::Open { .. } => Mark::Here,
        HoldState::ToCome if back => Mark::NotReached,
        HoldState::ToCome => Mark::ToCome,
    }
}

fn batch_mark(batch: &Batch, back: bool) -> Mark {
    let steps = || batch.moves.iter().flat_map(|m| &m.steps);
    if back {
        return if steps().any(|s| s.touched()) {
            Mark::Back
        } else {
            Mark::NotReached
        };
    }
    if batch.began.is_none() {
        return Mark::ToCome;
    }
    if steps().any(|s| {
        matches!(
            s.status,
            StepStatus::Failed { .. } | StepStatus::Unknown { .. }
        )
    }) {
        return Mark::Failed;
    }
    let arrived = batch
        .after
        .iter()
        .filter(|h| h.kind == HoldKind::Moved)
        .all(Hold::cleared);
    if batch.done.is_some() || arrived {
        Mark::Done
    } else {
        Mark::Here
    }
}

/// The next batch that has not begun; `None` when all have, or when the release goes back.
pub fn next_batch(release: &Release) -> Option<(usize, &Batch)> {
    if release.phase == Phase::RollingBack {
        return None;
    }
    release
        .batches
        .iter()
        .enumerate()
        .find(|(_, b)| b.began.is_none())
}

/// The versions that come back when the release is rolled back, each once.
pub fn back_to(release: &Release) -> Vec<&str> {
    let mut versions: Vec<&str> = release
        .touched()
        .filter_map(|(target, step, _)| release.was(target, &step.instance))
        .map(|artifact| &*artifact.version)
        .collect();
    versions.sort_unstable();
    versions.dedup();
    versions
}
