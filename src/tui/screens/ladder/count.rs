//! How far the instances of a batch are: for a bar and a sentence.

use crate::domain::Health;
use crate::domain::release::{Batch, Phase, Release, StepStatus};

use super::super::super::glyph::Glyph;
use super::super::super::theme::Role;
use super::super::super::widgets::Part;
use super::Draw;

/// How far the instances of a batch are.
pub(super) struct Count {
    pub all: usize,
    /// Seen running what they should.
    there: usize,
    /// On their way.
    moving: usize,
    /// Failed, or not as they should be.
    pub bad: usize,
    /// On the way back: back already.
    returned: usize,
    /// On the way back: will go back.
    waits: usize,
}

impl Count {
    pub fn of(draw: Draw<'_>, batch: &Batch) -> Count {
        let state = draw.world.state;
        let mut count = Count {
            all: 0,
            there: 0,
            moving: 0,
            bad: 0,
            returned: 0,
            waits: 0,
        };
        let back = draw.release.back.as_ref();
        for (m, s) in batch
            .moves
            .iter()
            .flat_map(|m| m.steps.iter().map(move |s| (m, s)))
        {
            count.all += 1;
            let way_back = back.and_then(|b| {
                let m = b.moves.iter().find(|x| x.target == m.target)?;
                let s = m.steps.iter().find(|x| x.instance == s.instance)?;
                Some((m, s))
            });
            let (m, s, returning) = way_back.map_or((m, s, false), |(m, s)| (m, s, true));
            let overtaken = !returning && draw.release.overtaken(&m.target, s);
            let runs = overtaken || state.runs(&m.target, s, m.artifact_of(s));
            match s.status {
                StepStatus::Done if runs && returning => count.returned += 1,
                StepStatus::Done if runs => count.there += 1,
                StepStatus::Failed { .. } | StepStatus::Unknown { .. } => count.bad += 1,
                StepStatus::Done => {
                    let changing = state
                        .seen(&m.target, &s.instance)
                        .is_some_and(|seen| seen.sight.health == Health::Changing);
                    if changing {
                        count.moving += 1;
                    } else {
                        count.bad += 1;
                    }
                }
                StepStatus::Running => count.moving += 1,
                StepStatus::ToDo if s.touched() => count.moving += 1,
                StepStatus::ToDo if returning => count.waits += 1,
                StepStatus::ToDo => {}
            }
        }
        count
    }

    pub fn parts(&self) -> Vec<Part> {
        [
            (self.returned, Role::Old, Glyph::Full),
            (self.there, Role::BarDone, Glyph::Full),
            (self.bad, Role::BarBad, Glyph::Failed),
            (self.moving, Role::BarMoving, Glyph::Half),
        ]
        .into_iter()
        .map(|(count, role, glyph)| Part { count, role, glyph })
        .collect()
    }

    pub fn words(&self, release: &Release) -> String {
        let mut words = if release.phase == Phase::RollingBack {
            format!("{}/{} back", self.returned, self.all)
        } else {
            format!("{}/{} run it", self.there, self.all)
        };
        if self.moving > 0 {
            let how = if release.phase == Phase::RollingBack {
                "going back"
            } else {
                "changing"
            };
            words.push_str(&format!(", {} {how}", self.moving));
        }
        if self.bad > 0 {
            words.push_str(&format!(", {} not well", self.bad));
        }
        if self.waits > 0 {
            words.push_str(&format!(", {} to go", self.waits));
        }
        let touched = self.there + self.moving + self.bad + self.returned + self.waits;
        let never = self.all - touched;
        if never > 0 && release.phase == Phase::RollingBack {
            words.push_str(&format!(", {never} never moved"));
        }
        words
    }
}
