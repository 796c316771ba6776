//! Workloads that are moved by shares: pods, what is stuck, the platform's own steps, who else changes
//! them.

use std::fmt::Write as _;

use super::Page;
use crate::domain::release::{Batch, Move, Phase};
use crate::domain::share::{self, Pods};
use crate::domain::workload::{StageAt, Workload};
use crate::domain::{Health, Sight, TargetName};
use crate::tui::Glyph;

/// What runs on an instance, and what is arriving there.
pub(super) fn runs(sight: &Sight) -> String {
    let version = sight.artifact.as_ref().map_or("?", |it| &*it.version);
    match &sight.arriving {
        Some(new) => format!("{version}, {} arrives", new.version),
        None => version.to_owned(),
    }
}

impl Page<'_> {
    fn workload_of(&self, target: &TargetName) -> Option<&Workload> {
        self.live.targets.get(target)?.workload.as_deref()
    }

    fn sight(&self, m: &Move) -> Option<&Sight> {
        let step = m.steps.first()?;
        let live = self.live.targets.get(&m.target);
        let live = live.and_then(|live| live.instances.get(&step.instance));
        let seen = || self.state.seen(&m.target, &step.instance);
        match live {
            Some((sight, _)) => Some(sight),
            None => seen().map(|seen| &seen.sight),
        }
    }

    /// Whether a later batch has taken all that a batch moved further.
    pub(super) fn overtaken(&self, batch: &Batch) -> bool {
        let mut steps = batch.moves.iter().flat_map(|m| {
            let target = &m.target;
            m.steps.iter().map(move |step| (target, step))
        });
        !batch.moves.is_empty() && steps.all(|(target, step)| self.release.overtaken(target, step))
    }

    /// How far a batch is whose every move is one of shares; `None` of another one.
    pub(super) fn shares(&self, batch: &Batch) -> Option<String> {
        let all = |m: &Move| share::divided(self.state, &m.target) && !m.steps.is_empty();
        if batch.moves.is_empty() || !batch.moves.iter().all(all) {
            return None;
        }
        let steps = || {
            let each = |m| {
                let m: &Move = m;
                m.steps.iter().map(move |step| (m, step))
            };
            batch.moves.iter().flat_map(each)
        };
        if batch.began.is_none() {
            let words = steps().filter_map(|(m, step)| {
                let workload = self.workload_of(&m.target);
                let name = workload.map_or(m.target.as_str(), |it| &*it.place);
                let from = share::from(self.release, &m.target, step);
                Some(share::step(from, step.exposure?, name, workload, false))
            });
            return Some(words.collect::<Vec<_>>().join(", "));
        }
        if self.overtaken(batch) {
            return Some(format!("reached {}", batch.exposure));
        }
        let mut sum = Pods::default();
        let mut all_new = true;
        for (m, step) in steps() {
            match self.workload_of(&m.target) {
                Some(workload) => {
                    let whole = share::whole(workload, self.sight(m), &m.artifact);
                    all_new &= whole;
                    sum = sum.and(Pods::of(workload, whole, step.exposure));
                }
                None => sum.unread += 1,
            }
        }
        let version = batch.moves.first().map_or("", |m| &*m.artifact.version);
        let back = self.release.phase == Phase::RollingBack;
        Some(sum.words(back, all_new, version))
    }

    /// What a workload is made of, line by line; nothing of a target without one.
    pub(super) fn workload(&self, f: &mut String, m: &Move) -> std::fmt::Result {
        let Some(workload) = self.workload_of(&m.target) else {
            return Ok(());
        };
        let lead = "           ";
        let mut place = format!("{} {}", workload.kind, workload.place);
        if let Some(weight) = workload.weight {
            let _ = write!(place, ", {weight} % of the traffic");
        }
        let read = self.live.targets.get(&m.target).and_then(|it| it.read_at);
        if let Some(read) = read {
            let _ = write!(place, ", read {} ago", self.now.since(read));
        }
        writeln!(f, "{lead}{place}")?;
        if workload.is_divided() {
            let new = workload.arriving.as_ref().unwrap_or(&m.artifact);
            let bound = workload.bound.map(|most| format!(", at most {most}"));
            let bound = bound.unwrap_or_default();
            let words = workload.new.words();
            writeln!(f, "{lead}new {}: {words}{bound}", new.version)?;
            let old = self.sight(m).and_then(|sight| sight.artifact.as_ref());
            let old = old.map_or("?", |old| &*old.version);
            let leaving = match workload.leaving {
                0 => String::new(),
                n => format!(", {n} leaving"),
            };
            let words = workload.old.words();
            writeln!(f, "{lead}old {old}: {words}{leaving}")?;
        }
        for stuck in &workload.stuck {
            let sign = Glyph::Failed.text(true);
            writeln!(f, "{lead}{sign} {}", stuck.told())?;
            if let Some(way) = &stuck.way_out {
                writeln!(f, "{lead}  what helps: {way}")?;
            }
        }
        let down = self.sight(m).filter(|sight| sight.health == Health::Down);
        if let Some(sight) = down.filter(|it| workload.stuck.is_empty() && !it.detail.is_empty()) {
            writeln!(f, "{lead}{} {}", Glyph::Failed.text(true), sight.detail)?;
        }
        if !workload.says.is_empty() {
            writeln!(f, "{lead}it says: {}", workload.says)?;
        }
        if !workload.stages.is_empty() {
            let stages = workload.stages.iter().map(|stage| {
                let sign = match stage.at {
                    StageAt::Done => Glyph::Done,
                    StageAt::Here => Glyph::Here,
                    StageAt::ToCome => Glyph::ToCome,
                };
                format!("{} {}", sign.text(true), stage.name)
            });
            let stages: Vec<String> = stages.collect();
            writeln!(f, "{lead}{}", stages.join("   "))?;
        }
        for owner in &workload.owners {
            let forbids = match owner.forbids {
                true => "; nothing is changed over its head",
                false => "",
            };
            writeln!(f, "{lead}{}: {}{forbids}", owner.who, owner.words)?;
        }
        Ok(())
    }
}
