//! Targets that are moved by shares: their pods, new against old; what is stuck and the way out; the
//! platform's own steps; who else changes them.

use crate::domain::release::Phase;
use crate::domain::release::{Batch, Move, Step, StepStatus};
use crate::domain::share::Pods;
use crate::domain::workload::{Owner, Parts, StageAt, Stuck, Workload};
use crate::domain::{Health, Sight, share};

use super::super::super::glyph::Glyph;
use super::super::super::rich::Line;
use super::super::super::theme::Role;
use super::super::super::widgets::{Part, width};
use super::Draw;

/// Most reasons for which pods are stuck that are told.
const REASONS: usize = 4;

/// From this many columns on, the kind of a workload is told.
const KINDS: u16 = 100;

/// Cells of a pod side's version.
const VERSION: usize = 16;

/// A workload as a step sees it.
struct Side<'a> {
    workload: &'a Workload,
    /// Whether all of it runs what the step brings: then no side is called new any more.
    whole: bool,
}

/// What a sentence says before it says what is stuck; none where it does not end so. The counts in it do
/// not matter: they go on growing in what is seen.
fn before<'a>(said: &'a str, stuck: &Stuck) -> Option<&'a str> {
    let bare = |text: &str| -> String { text.chars().filter(|c| !c.is_ascii_digit()).collect() };
    let seen = bare(&stuck.words);
    let pods = |head: &'a str| match head.rfind(": ") {
        Some(at) => &head[..at],
        None => "",
    };
    let mut ends = said.match_indices(": ").map(|(at, _)| at);
    ends.find(|at| bare(&said[at + 2..]) == seen)
        .map(|at| pods(&said[..at]))
}

/// The bar of pods: each side has its own shape, so that it can be read without colours.
fn bar(pods: Pods) -> (usize, Vec<Part>) {
    let part = |count: u32, role, glyph| Part {
        count: count as usize,
        role,
        glyph,
    };
    let parts = vec![
        part(pods.new, Role::BarDone, Glyph::Full),
        part(pods.coming, Role::BarMoving, Glyph::Half),
        part(pods.stuck, Role::BarBad, Glyph::Failed),
        part(pods.old, Role::Old, Glyph::Low),
    ];
    (pods.wanted as usize, parts)
}

impl<'a> Draw<'a> {
    /// Whether all that a batch moves is moved by shares.
    pub(super) fn by_share(self, batch: &Batch) -> bool {
        let state = self.world.state;
        !batch.moves.is_empty()
            && batch
                .moves
                .iter()
                .all(|m| share::divided(state, &m.target) && !m.steps.is_empty())
    }

    /// What a batch that has not begun will bring: `20 % → 50 % of shop/web (4 → 10 of 20 pods)`.
    pub(super) fn shares(self, batch: &Batch) -> String {
        let parts = batch.moves.iter().flat_map(|m| {
            let told = m.steps.iter().filter_map(move |step| {
                let from = share::from(self.release, &m.target, step);
                let workload = self.workload(m);
                let name = self.place(m);
                Some(share::step(from, step.exposure?, &name, workload, false))
            });
            told.collect::<Vec<String>>()
        });
        parts.collect::<Vec<String>>().join(", ")
    }

    /// The bar and the sentence of a batch that moves shares.
    pub(super) fn pods(self, batch: &Batch) -> ((usize, Vec<Part>), String) {
        let mut sum = Pods::default();
        let mut whole = true;
        for (m, step) in batch
            .moves
            .iter()
            .flat_map(|m| m.steps.iter().map(move |s| (m, s)))
        {
            match self.side(m) {
                Some(side) => {
                    whole &= side.whole;
                    sum = sum.and(Pods::of(side.workload, side.whole, step.exposure));
                }
                None => sum.unread += 1,
            }
        }
        let version = batch.moves.first().map_or("", |m| &*m.artifact.version);
        let back = self.release.phase == Phase::RollingBack;
        (bar(sum), sum.words(back, whole, version))
    }

    /// Whether a later batch has taken all that a batch moved further.
    pub(super) fn overtaken(self, batch: &Batch) -> bool {
        let mut steps = batch
            .moves
            .iter()
            .flat_map(|m| m.steps.iter().map(move |s| (m, s)));
        steps.all(|(m, step)| self.release.overtaken(&m.target, step))
    }

    /// Whether the workloads of a batch are worth a look: divided, stuck, failed, or not read.
    pub(super) fn uneasy(self, batch: &Batch) -> bool {
        batch.moves.iter().any(|m| {
            let live = self.workload(m);
            let stuck = live.is_some_and(|workload| {
                workload.is_divided()
                    || !workload.stuck.is_empty()
                    || workload.forbidden().is_some()
            });
            let failed = m.steps.iter().any(|step| {
                matches!(
                    step.status,
                    StepStatus::Failed { .. } | StepStatus::Unknown { .. }
                )
            });
            stuck || failed || self.stale(&m.target).is_some()
        })
    }

    /// What is known of a workload, line by line. Of several each has a bar of its own.
    pub(super) fn of_workload(self, m: &Move, several: bool) -> Vec<Line> {
        let Some(side) = self.side(m) else {
            return self.instances(m, several);
        };
        let mut lines = self.whereabouts(m, &side);
        if several && let Some(step) = m.steps.first() {
            let pods = Pods::of(side.workload, side.whole, step.exposure);
            let (total, parts) = bar(pods);
            let back = self.release.phase == Phase::RollingBack;
            lines.push(
                self.indented()
                    .bar(self.bar_width(), total, parts)
                    .gap(1)
                    .text(
                        Role::Text,
                        pods.words(back, side.whole, &m.artifact.version),
                    ),
            );
        }
        if !side.whole {
            lines.extend(self.sides(m, side.workload));
        }
        lines.extend(self.stuck(side.workload));
        lines.extend(self.says(side.workload));
        lines.extend(self.stages(side.workload));
        let owners = &side.workload.owners;
        lines.extend(owners.iter().flat_map(|owner| self.owner(owner)));
        lines
    }

    fn indented(self) -> Line {
        Line::new().gap(self.words_at() + 2)
    }

    fn room(self) -> u16 {
        self.cols.saturating_sub(self.words_at() + 3)
    }

    fn workload(self, m: &Move) -> Option<&'a Workload> {
        let live = self.world.live.targets.get(&m.target)?;
        live.workload.as_deref()
    }

    /// What people call the workload: where it is, or the target while it was never read.
    fn place(self, m: &Move) -> String {
        let place = self.workload(m).map(|workload| &*workload.place);
        match place.filter(|place| !place.is_empty()) {
            Some(place) => place.to_owned(),
            None => m.target.to_string(),
        }
    }

    fn sight(self, m: &Move) -> Option<&'a Sight> {
        let step = m.steps.first()?;
        let live = self.world.live.targets.get(&m.target);
        let live = live.and_then(|t| t.instances.get(&step.instance));
        match live {
            Some((sight, _)) => Some(sight),
            None => {
                let seen = self.world.state.seen(&m.target, &step.instance)?;
                Some(&seen.sight)
            }
        }
    }

    fn side(self, m: &Move) -> Option<Side<'a>> {
        let workload = self.workload(m)?;
        let whole = share::whole(workload, self.sight(m), &m.artifact);
        Some(Side { workload, whole })
    }

    /// How it is, where it is, and what goes on there.
    fn whereabouts(self, m: &Move, side: &Side<'_>) -> Vec<Line> {
        let sight = self.sight(m);
        let health = sight.map_or(Health::Unknown, |sight| sight.health);
        let (role, glyph) = match health {
            // a platform may go on hoping where something is stuck
            Health::Running | Health::Changing if !side.workload.stuck.is_empty() => {
                (Role::StatusBad, Glyph::Failed)
            }
            Health::Running => (Role::StatusGood, Glyph::Up),
            Health::Changing => (Role::StatusMoving, Glyph::Moving),
            Health::Down => (Role::StatusBad, Glyph::Failed),
            Health::Unknown => (Role::StatusUnknown, Glyph::Unknown),
        };
        let mut line = Line::new()
            .gap(self.words_at())
            .sign(role, glyph)
            .gap(1)
            .text(Role::Text, self.place(m));
        if self.cols >= KINDS {
            let kind = side.workload.kind.to_string();
            line = line.gap(2).text(Role::Dim, kind);
        }
        if let Some(weight) = side.workload.weight {
            let words = format!("{weight} % of the traffic");
            line = line.gap(2).text(Role::Text, words);
        }
        let step = m.steps.first();
        let happens = step.and_then(|step| self.happens(m, step, side.workload));
        let unwell = matches!(health, Health::Down | Health::Unknown);
        let detail = match self.stale(&m.target) {
            Some(stale) => Some(stale),
            None if unwell && side.workload.stuck.is_empty() => {
                let detail = sight.map_or("", |sight| &*sight.detail);
                Some((role, detail.to_owned())).filter(|(_, words)| !words.is_empty())
            }
            None => None,
        };
        // behind it as long as there is room, else beneath it and in full
        let mut beneath = Vec::new();
        for (role, words) in happens.into_iter().chain(detail) {
            let fits = line.width() + 2 + width(&words) <= usize::from(self.cols);
            if fits && beneath.is_empty() {
                line = line.gap(2).text(role, words);
            } else {
                let indent = self.words_at() + 2;
                beneath.extend(Line::wrapped(role, &words, indent, self.cols));
            }
        }
        let mut lines = vec![line];
        lines.append(&mut beneath);
        lines
    }

    /// What goes on at a workload. Why a call failed is left out where what is stuck says the same.
    fn happens(self, m: &Move, step: &Step, workload: &Workload) -> Option<(Role, String)> {
        let mut step = step.clone();
        if let StepStatus::Failed { why, .. } = &mut step.status {
            let rest = workload.stuck.iter().find_map(|stuck| before(why, stuck));
            match rest {
                Some("") => *why = "see below".into(),
                Some(rest) => *why = rest.into(),
                None => {}
            }
        }
        self.happening(m, &step, self.way_back(m, &step))
    }

    /// The new pods and the old ones, each side on a line.
    fn sides(self, m: &Move, workload: &Workload) -> Vec<Line> {
        let new = workload.arriving.as_ref().unwrap_or(&m.artifact);
        let old = self
            .sight(m)
            .and_then(|sight| sight.artifact.as_ref())
            .filter(|old| !old.is(new));
        let was = m
            .steps
            .first()
            .and_then(|step| self.release.was(&m.target, &step.instance));
        let old = old.or(was).map_or("?", |old| &*old.version);
        let cells = width(&new.version).max(width(old)).min(VERSION);
        let line = |role, word, version: &str, parts: &Parts| {
            self.indented()
                .text(role, word)
                .gap(1)
                .left(
                    role,
                    version.to_owned(),
                    u16::try_from(cells).unwrap_or(u16::MAX),
                )
                .gap(2)
                .text(Role::Text, parts.words())
        };
        // a name that nobody says aloud goes where there is room
        let hashed = |line: Line, hash: Option<&str>| match hash {
            Some(hash) if line.width() + 1 + width(hash) <= usize::from(self.cols) => {
                line.end(Role::Dim, hash.to_owned())
            }
            _ => line,
        };
        let mut first = line(Role::New, "new", &new.version, &workload.new);
        // the bound is that of the move that goes on
        let moves = m.steps.iter().any(|step| step.status != StepStatus::Done)
            || self.release.phase == Phase::RollingBack;
        if let Some(bound) = workload.bound.filter(|_| moves) {
            first = first.text(Role::Dim, format!(", at most {bound}"));
        }
        let mut second = line(Role::Old, "old", old, &workload.old);
        if workload.leaving > 0 {
            second = second.text(Role::Dim, format!(", {} leaving", workload.leaving));
        }
        vec![
            hashed(first, workload.new_hash.as_deref()),
            hashed(second, workload.old_hash.as_deref()),
        ]
    }

    /// What is stuck, why, and what helps.
    fn stuck(self, workload: &Workload) -> Vec<Line> {
        let mut lines = Vec::new();
        for stuck in workload.stuck.iter().take(REASONS) {
            lines.extend(self.reason(stuck));
        }
        let more = workload.stuck.len().saturating_sub(REASONS);
        if more > 0 {
            let words = format!("and {more} more reasons");
            lines.push(self.indented().text(Role::StatusBad, words));
        }
        lines
    }

    fn reason(self, stuck: &Stuck) -> Vec<Line> {
        let mut lines = self.signed(Role::StatusBad, Glyph::Failed, &stuck.told());
        if let Some(way) = &stuck.way_out {
            lines.extend(self.signed(Role::Text, Glyph::Arrow, way));
        }
        lines
    }

    /// What its platform says of it.
    fn says(self, workload: &Workload) -> Vec<Line> {
        let words = &workload.says;
        if words.is_empty() {
            return Vec::new();
        }
        Line::wrapped(Role::Dim, words, self.words_at() + 2, self.cols)
    }

    /// The platform's own steps, as many on a line as fit.
    fn stages(self, workload: &Workload) -> Vec<Line> {
        let mut lines = Vec::new();
        let mut line = self.indented();
        let mut used = 0;
        for stage in &workload.stages {
            let (role, glyph) = match stage.at {
                StageAt::Done => (Role::StatusGood, Glyph::Done),
                StageAt::Here => (Role::StatusMoving, Glyph::Here),
                StageAt::ToCome => (Role::Dim, Glyph::ToCome),
            };
            let cells = 2 + width(&stage.name);
            if used > 0 && used + 3 + cells > usize::from(self.room()) {
                lines.push(std::mem::replace(&mut line, self.indented()));
                used = 0;
            }
            if used > 0 {
                line = line.gap(3);
                used += 3;
            }
            let text = if stage.at == StageAt::Done {
                Role::Text
            } else {
                role
            };
            line = line
                .sign(role, glyph)
                .gap(1)
                .text(text, stage.name.to_string());
            used += cells;
        }
        if used > 0 {
            lines.push(line);
        }
        lines
    }

    /// Who else changes it, and whether that forbids to.
    fn owner(self, owner: &Owner) -> Vec<Line> {
        let words = format!("{}: {}", owner.who, owner.words);
        if owner.forbids {
            let words = format!("{words}; nothing is changed over its head");
            self.signed(Role::StatusBad, Glyph::NotReached, &words)
        } else {
            self.signed(Role::Dim, Glyph::Dot, &words)
        }
    }

    /// A text after a sign, in as many lines as it takes.
    fn signed(self, role: Role, glyph: Glyph, text: &str) -> Vec<Line> {
        let room = self.room().saturating_sub(2);
        let wrapped = Line::wrapped(role, text, 0, room).into_iter().enumerate();
        let lines = wrapped.map(|(n, line)| {
            let lead = match n {
                0 => self.indented().sign(role, glyph).gap(1),
                _ => self.indented().gap(2),
            };
            lead.text(role, line.words())
        });
        lines.collect()
    }
}
