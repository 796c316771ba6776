//! The ladder of one release, line by line: holds and batches in the order in which it walks,
//! with bars, instances and their age.

mod count;
mod share;

use count::Count;

use crate::domain::hold::{Hold, HoldKind, HoldState};
use crate::domain::ladder::{Mark, Station, rungs};
use crate::domain::release::{Batch, Move, Phase, Release, Step, StepStatus};
use crate::domain::share::divided;
use crate::domain::waiting::{Waiting, health_words};
use crate::domain::{Artifact, Call, Health, MetricName, TargetName, Timestamp};

use super::super::desk::Desk;
use super::super::glyph::Glyph;
use super::super::judged;
use super::super::rich::Line;
use super::super::say;
use super::super::theme::Role;
use super::super::widgets::{Part, width};
use super::super::world::{FRESH, World};
use super::grounds;
use super::releases::sign;
use super::row::status;

/// From this many columns on, holds stand further in than batches.
const ROOMY: u16 = 76;
/// Most instances of a batch that is done and calm that are still shown one by one.
const FEW: usize = 8;
/// Most instances that are shown one by one.
const MANY: usize = 24;

/// The lines of a ladder, and the one where the release stands.
pub(super) struct Ladder {
    /// The lines.
    pub lines: Vec<Line>,
    /// Where the release stands.
    pub here: usize,
}

/// How the ladder is drawn.
#[derive(Clone, Copy)]
struct Draw<'a> {
    desk: &'a Desk,
    world: World<'a>,
    release: &'a Release,
    cols: u16,
}

/// The ladder of a release, `cols` wide.
pub(super) fn ladder(desk: &Desk, world: World<'_>, release: &Release, cols: u16) -> Ladder {
    let draw = Draw {
        desk,
        world,
        release,
        cols,
    };
    let waiting = world.waiting(release);
    let mut lines = Vec::new();
    let mut here = 0;
    let mut marked = false;
    let rungs = rungs(release);
    let turned = rungs.iter().rposition(|r| r.mark == Mark::Back);
    for (n, rung) in rungs.into_iter().enumerate() {
        let stands = matches!(rung.mark, Mark::Here | Mark::Failed | Mark::Back);
        if stands && (!marked || rung.mark == Mark::Back) {
            here = lines.len();
            marked = true;
        }
        match rung.station {
            Station::Hold(hold) => lines.extend(draw.hold(hold, rung.mark, &waiting)),
            Station::Batch(n, batch) => lines.extend(draw.batch(n, batch, rung.mark, &waiting)),
        }
        if Some(n) == turned {
            lines.extend(draw.turned());
        }
    }
    if release.phase == Phase::Observing {
        here = lines.len().saturating_sub(1);
    }
    Ladder { lines, here }
}

impl Draw<'_> {
    /// The column where the words of a hold begin.
    fn words_at(self) -> u16 {
        if self.cols >= ROOMY { 16 } else { 13 }
    }

    fn bar_width(self) -> u16 {
        match self.cols {
            0..60 => 8,
            60..100 => 12,
            _ => 20,
        }
    }

    fn hold(self, hold: &Hold, mark: Mark, waiting: &Waiting) -> Vec<Line> {
        let (role, glyph) = sign(mark);
        let now = self.world.now;
        let zone = self.desk.zone;
        let (role, glyph) = match mark {
            // where it stands, the colour says on whom
            Mark::Here => (status(self.release, waiting), Glyph::Here),
            _ => (role, glyph),
        };
        let faint = matches!(mark, Mark::ToCome | Mark::NotReached);
        let name = if faint { Role::Dim } else { role };
        let lead = Line::new()
            .gap(if self.cols >= ROOMY { 4 } else { 2 })
            .sign(role, glyph)
            .gap(1)
            .text(
                if mark == Mark::Done { Role::Text } else { name },
                say::hold_name(hold),
            )
            .to(self.words_at());
        match &hold.state {
            HoldState::Cleared { at, by } => {
                let line = lead.text(Role::Text, cleared_words(hold, by, self));
                vec![line.end(Role::Dim, say::when(*at, now, zone))]
            }
            HoldState::Open { since, until, .. } => {
                if self.release.phase == Phase::RollingBack {
                    let words = format!("not passed; {}", say::asks(hold, now, zone));
                    return vec![lead.text(Role::Dim, words)];
                }
                let mut lines = self.open(hold, lead, waiting);
                let mut words = format!("since {}", say::when(*since, now, zone));
                if waiting.until.is_some() {
                    let at = say::when(*until, now, zone);
                    words.push_str(&format!(
                        "; at {at}, in {}, it {}",
                        until.since(now),
                        waiting.then
                    ));
                } else {
                    let at = say::when(*until, now, zone);
                    words.push_str(&format!("; its deadline was {at}: it {}", waiting.then));
                }
                lines.push(Line::new().gap(self.words_at()).text(Role::Dim, words));
                lines
            }
            HoldState::ToCome => {
                let words = if mark == Mark::NotReached {
                    "not reached".to_owned()
                } else {
                    say::asks(hold, now, zone)
                };
                vec![lead.text(Role::Dim, words)]
            }
        }
    }

    /// The lines of the hold where the release stands: what it waits for, and its evidence.
    fn open(self, hold: &Hold, lead: Line, waiting: &Waiting) -> Vec<Line> {
        let role = status(self.release, waiting);
        let mut lead = lead;
        if let (
            HoldKind::Bake { span } | HoldKind::Observe { span, .. },
            HoldState::Open { since, .. },
        ) = (&hold.kind, &hold.state)
        {
            let done = self.world.now.since(*since).0.min(span.0) / 100;
            let part = Part {
                count: usize::try_from(done).unwrap_or(0),
                role: if waiting.trouble {
                    Role::BarBad
                } else {
                    Role::BarMoving
                },
                glyph: Glyph::Full,
            };
            let all = usize::try_from(span.0 / 100).unwrap_or(1).max(1);
            lead = lead.bar(self.bar_width(), all, vec![part]).gap(1);
        }
        let room = self
            .cols
            .saturating_sub(u16::try_from(lead.width()).unwrap_or(0) + 1);
        let mut wrapped = Line::wrapped(role, &waiting.what, 0, room).into_iter();
        let first = wrapped.next().map(|l| l.words()).unwrap_or_default();
        let mut lines = vec![lead.text(role, first)];
        lines.extend(wrapped.map(|l| Line::new().gap(self.words_at()).text(role, l.words())));
        lines.extend(self.grounds(hold));
        if let HoldKind::Analysis { metrics, passes } = &hold.kind {
            for name in metrics {
                lines.extend(self.analysed(name, *passes));
            }
        }
        lines
    }

    /// How a metric of an analysis stands; of several services with one of that name, each.
    fn analysed(self, name: &MetricName, passes: u32) -> Vec<Line> {
        let at = self.words_at();
        let charts = judged::charts(self.world.live, self.release);
        let verdict = self.release.verdicts.get(name);
        let looks = |call| match (call, verdict) {
            (Call::Pass, Some(v)) => format!("   {} of {passes} looks", v.streak.min(passes)),
            _ => String::new(),
        };
        let mut told: Vec<(Call, String)> = charts
            .iter()
            .filter(|chart| chart.metric == *name)
            .map(|chart| {
                let called = judged::name(chart, charts);
                let stands = judged::standing_words(chart);
                let words = format!("{called}: {stands}{}", looks(chart.call));
                (chart.call, words)
            })
            .collect();
        if told.is_empty() {
            told.extend(verdict.map(|v| {
                let words = format!("{name}: {}{}", v.seen(), looks(v.call));
                (v.call, words)
            }));
        }
        if told.is_empty() {
            let words = format!("{name}: no look yet");
            return vec![Line::new().gap(at).text(Role::Dim, words)];
        }
        let mut lines = Vec::new();
        for (call, words) in told {
            let (status, glyph) = say::verdict(call);
            let lead = Line::new()
                .gap(at)
                .sign(status.role(), glyph)
                .gap(1)
                .text(status.role(), call.word())
                .gap(2);
            let indent = u16::try_from(lead.width()).unwrap_or(at);
            let room = self.cols.saturating_sub(indent + 1);
            let mut wrapped = Line::wrapped(Role::Text, &words, 0, room).into_iter();
            let first = wrapped.next().map(|l| l.words()).unwrap_or_default();
            lines.push(lead.text(Role::Text, first));
            lines.extend(wrapped.map(|l| Line::new().gap(indent).text(Role::Text, l.words())));
        }
        lines
    }

    /// What the hold where the release stands rests on, piece by piece.
    fn grounds(self, hold: &Hold) -> Vec<Line> {
        let (desk, world, release) = (self.desk, self.world, self.release);
        let at = self.words_at();
        let cols = self.cols.saturating_sub(at + 1);
        let lines = match (&hold.kind, &release.calendar) {
            (HoldKind::Readiness { .. }, _) => grounds::all_checks(desk, world, release, cols),
            (HoldKind::Dependency { .. }, _) => grounds::needs(world, release, cols),
            (HoldKind::Calendar | HoldKind::Moved, Some(answer)) => {
                match answer.bars.as_slice() {
                    // its name stands above already
                    [one] => grounds::times(desk, world, one, 0, cols),
                    many => grounds::bars(desk, world, &many.iter().collect::<Vec<_>>(), cols),
                }
            }
            (
                HoldKind::Manual { .. }
                | HoldKind::Bake { .. }
                | HoldKind::Analysis { .. }
                | HoldKind::Observe { .. },
                _,
            ) => grounds::judge(world, release, "the judge says ", cols),
            _ => Vec::new(),
        };
        let within = |line| Line::new().beside(line, at, at);
        lines.into_iter().map(within).collect()
    }

    fn batch(self, n: usize, batch: &Batch, mark: Mark, waiting: &Waiting) -> Vec<Line> {
        let (role, glyph) = match sign(mark) {
            (_, glyph) if mark == Mark::Here && waiting.trouble => (Role::StatusBad, glyph),
            (_, glyph) if mark == Mark::Here && self.release.paused.is_some() => {
                (Role::StatusPerson, glyph)
            }
            other => other,
        };
        let faint = matches!(mark, Mark::ToCome | Mark::NotReached);
        let name = if faint { Role::Dim } else { Role::Strong };
        let count = Count::of(self, batch);
        let mut line = Line::new()
            .right(if faint { Role::Dim } else { role }, (n + 1).to_string(), 2)
            .gap(1)
            .sign(role, glyph)
            .gap(1)
            .text(name, batch.name.to_string())
            .to(self.words_at());
        let by_share = self.by_share(batch);
        if mark == Mark::NotReached {
            let words = match by_share {
                true => "not reached".to_owned(),
                false => format!("{}, not reached", say::count(count.all, "instance")),
            };
            return vec![line.text(Role::Dim, words)];
        }
        if batch.began.is_none() {
            let mut lines = Vec::new();
            let room = self.cols.saturating_sub(self.words_at() + 1);
            let words = if by_share {
                self.shares(batch)
            } else {
                self.scope(batch)
            };
            for words in Line::wrapped(Role::Dim, &words, 0, room) {
                lines.push(
                    std::mem::take(&mut line)
                        .to(self.words_at())
                        .text(Role::Dim, words.words()),
                );
            }
            return lines;
        }
        // a share that was left behind says nothing any more of what runs
        let behind = by_share && self.overtaken(batch);
        if behind {
            line = line.text(Role::Text, format!("reached {}", batch.exposure));
        } else {
            let ((total, parts), words) = match by_share {
                true => self.pods(batch),
                false => ((count.all, count.parts()), count.words(self.release)),
            };
            line = line.bar(self.bar_width(), total, parts).gap(1);
            line = line.text(Role::Text, words);
        }
        let now = self.world.now;
        if let Some(began) = batch.began {
            let at = say::when(began, now, self.desk.zone);
            let moved = moved(batch).filter(|_| self.release.back.is_none());
            let took = moved.unwrap_or(now).since(began);
            let both = format!("{at}  {}", say::short(took));
            let fits = line.width() + 1 + width(&both) <= usize::from(self.cols);
            line = line.end(Role::Dim, if fits { both } else { at });
        }
        let mut lines = vec![line];
        let calm = mark == Mark::Done && count.bad == 0;
        let several = batch.moves.len() > 1;
        if by_share && (behind || calm && !self.uneasy(batch)) {
            return lines;
        }
        if !calm || count.all <= FEW || by_share {
            for m in &batch.moves {
                lines.extend(match divided(self.world.state, &m.target) {
                    true => self.of_workload(m, several),
                    false => self.instances(m, several),
                });
            }
        }
        lines
    }

    /// Why the release goes back, and who or what said so.
    fn turned(self) -> Vec<Line> {
        let Some(back) = &self.release.back else {
            return Vec::new();
        };
        let mut words = format!(
            "back since {}",
            say::when(back.since, self.world.now, self.desk.zone)
        );
        words.push_str(&format!(", by {}", back.by));
        if !back.why.is_empty() {
            words.push_str(&format!(": {}", back.why));
        }
        let at = self.words_at();
        let mut wrapped =
            Line::wrapped(Role::StatusBad, &words, 0, self.cols.saturating_sub(at + 2)).into_iter();
        let first = wrapped.next().map(|l| l.words()).unwrap_or_default();
        let mut lines = vec![
            Line::new()
                .gap(at)
                .sign(Role::StatusBad, Glyph::Back)
                .gap(1)
                .text(Role::StatusBad, first),
        ];
        lines.extend(wrapped.map(|l| Line::new().gap(at + 2).text(Role::StatusBad, l.words())));
        lines
    }

    /// What a batch that has not begun will move.
    fn scope(self, batch: &Batch) -> String {
        let parts: Vec<String> = batch
            .moves
            .iter()
            .map(|m| {
                let at_once = if m.parallel > 1 && m.steps.len() > 1 {
                    format!(", {} at a time", m.parallel)
                } else {
                    String::new()
                };
                let n = say::count(m.steps.len(), "instance");
                let arrow = self.desk.theme().glyph(Glyph::Arrow);
                if batch.moves.len() > 1 {
                    format!("{} {n} {arrow} {}{at_once}", m.target, m.artifact.version)
                } else {
                    format!("{n} {arrow} {}{at_once}", m.artifact.version)
                }
            })
            .collect();
        parts.join(", ")
    }

    /// The instances of a move, as many on a line as fit.
    fn instances(self, m: &Move, named: bool) -> Vec<Line> {
        let indent = self.words_at();
        let room = usize::from(self.cols.saturating_sub(indent + 1));
        let mut lines: Vec<Line> = Vec::new();
        let mut line = Line::new().gap(indent);
        let mut used = 0;
        if named || self.stale(&m.target).is_some() {
            let mut head = Line::new()
                .gap(indent)
                .text(Role::Dim, m.target.to_string());
            if let Some((role, words)) = self.stale(&m.target) {
                head = head.gap(2).text(role, words);
            }
            lines.push(head);
        }
        // of many instances those that are well are only counted
        let many = m.steps.len() > MANY;
        let (well, shown): (Vec<&Step>, Vec<&Step>) =
            m.steps.iter().partition(|s| many && self.well(m, s));
        let more = well.len() + shown.len().saturating_sub(MANY);
        for step in shown.into_iter().take(MANY) {
            let (pieces, cells) = self.instance(m, step);
            if used > 0 && used + cells + 3 > room {
                lines.push(std::mem::take(&mut line));
                line = Line::new().gap(indent);
                used = 0;
            }
            if used > 0 {
                line = line.gap(3);
                used += 3;
            }
            for piece in pieces {
                line = match piece {
                    Bit::Sign(role, glyph) => line.sign(role, glyph).gap(1),
                    Bit::Text(role, text) => line.text(role, text),
                };
            }
            used += cells;
        }
        if used > 0 {
            lines.push(line);
        }
        if more > 0 {
            let words = if well.len() == more {
                format!("and {more} more, as they should be")
            } else {
                format!("and {more} more")
            };
            lines.push(Line::new().gap(indent).text(Role::Dim, words));
        }
        lines
    }

    /// Whether an instance was not reached yet, or runs what it should.
    fn well(self, m: &Move, step: &Step) -> bool {
        step.status == StepStatus::ToDo && !step.touched()
            || step.status == StepStatus::Done
                && (self.release.overtaken(&m.target, step)
                    || self.world.state.runs(&m.target, step, &m.artifact))
    }

    /// One instance: its health, its version, and what is wrong with it.
    fn instance(self, m: &Move, step: &Step) -> (Vec<Bit>, usize) {
        let back = self.way_back(m, step);
        let seen = self.world.state.seen(&m.target, &step.instance);
        let live = self
            .world
            .live
            .targets
            .get(&m.target)
            .and_then(|t| t.instances.get(&step.instance));
        let sight = live.map(|(s, _)| s).or(seen.map(|s| &s.sight));
        let untouched = !step.touched();
        let health = sight.map_or(Health::Unknown, |s| s.health);
        let (role, glyph) = match health {
            Health::Running if untouched => (Role::Dim, Glyph::Up),
            Health::Running => (Role::StatusGood, Glyph::Up),
            Health::Changing => (Role::StatusMoving, Glyph::Moving),
            Health::Down => (Role::StatusBad, Glyph::Failed),
            Health::Unknown => (Role::StatusUnknown, Glyph::Unknown),
        };
        let mut bits = vec![
            Bit::Sign(role, glyph),
            Bit::Text(
                if untouched { Role::Dim } else { Role::Text },
                step.instance.to_string(),
            ),
        ];
        let version = sight.and_then(|s| s.artifact.as_ref());
        bits.push(version_bit(version, &m.artifact));
        if let Some((role, words)) = self.happening(m, step, back) {
            bits.push(Bit::Text(role, format!(" {words}")));
        }
        if matches!(health, Health::Down | Health::Unknown) {
            let detail = sight.map(|s| &*s.detail).filter(|d| !d.is_empty());
            let words = detail.unwrap_or(health_words(health));
            bits.push(Bit::Text(Role::StatusBad, format!(" {words}")));
        }
        if let Some((_, at)) = live {
            let age = self.world.now.since(*at);
            if age > FRESH {
                bits.push(Bit::Text(
                    Role::StatusUnknown,
                    format!(" {} old", say::short(age)),
                ));
            }
        }
        let cells = bits
            .iter()
            .map(|bit| match bit {
                Bit::Sign(..) => 2,
                Bit::Text(_, text) => width(text),
            })
            .sum();
        (bits, cells)
    }

    /// The step that brings an instance back, and to what.
    fn way_back(&self, m: &Move, step: &Step) -> Option<(&Step, &Artifact)> {
        let back = self.release.back.as_ref()?;
        let m = back.moves.iter().find(|other| other.target == m.target)?;
        let step = m.steps.iter().find(|s| s.instance == step.instance)?;
        Some((step, m.artifact_of(step)))
    }

    /// What goes on at an instance, or what failed there.
    fn happening(
        self,
        m: &Move,
        step: &Step,
        back: Option<(&Step, &Artifact)>,
    ) -> Option<(Role, String)> {
        let now = self.world.now;
        let (step, to, sequence) = match back {
            Some((s, artifact)) => (s, &artifact.version, None),
            None => (step, &m.artifact.version, Some(&m.sequence)),
        };
        let verb = sequence
            .and_then(|seq| step.verb(seq))
            .map_or("back", |v| v.word());
        match &step.status {
            StepStatus::ToDo | StepStatus::Done => None,
            StepStatus::Running => {
                let arrow = self.desk.theme().glyph(Glyph::Arrow);
                // what is moved by shares stands still in the middle of it
                let held = self
                    .release
                    .paused
                    .as_ref()
                    .filter(|_| divided(self.world.state, &m.target));
                if let Some(paused) = held {
                    let since = say::when(paused.since, now, self.desk.zone);
                    let words = format!("{verb} {arrow} {to}, held since {since}");
                    return Some((Role::StatusPerson, words));
                }
                let words = format!(
                    "{verb} {arrow} {to}, runs {}",
                    say::short(now.since(step.since))
                );
                Some((Role::StatusMoving, words))
            }
            StepStatus::Failed { why, again } => {
                let again = match again {
                    Some(at) => format!(", again in {}", at.since(now)),
                    None => String::new(),
                };
                Some((Role::StatusBad, format!("{verb} failed: {why}{again}")))
            }
            StepStatus::Unknown { why } => {
                Some((Role::StatusBad, format!("{verb}: nobody can tell, {why}")))
            }
        }
    }

    /// Whether a target's reading is old, or failed, in words.
    fn stale(self, target: &TargetName) -> Option<(Role, String)> {
        let live = self.world.live.targets.get(target)?;
        let age = live.read_at.map(|at| self.world.now.since(at));
        let old = match age {
            Some(age) if age <= FRESH && live.failing.is_none() => return None,
            Some(age) => format!("{} old", say::short(age)),
            None => "never read".to_owned(),
        };
        let why = live
            .failing
            .as_ref()
            .map(|w| format!(": {w}"))
            .unwrap_or_default();
        Some((Role::StatusUnknown, format!("{old}{why}")))
    }
}

/// When the last call of a batch was done, where all are: how long people took after it does not count.
fn moved(batch: &Batch) -> Option<Timestamp> {
    let steps = || batch.moves.iter().flat_map(|m| &m.steps);
    let all = steps().all(|step| step.status == StepStatus::Done);
    let last = steps().map(|step| step.since).max();
    last.filter(|_| all).or(batch.done)
}

enum Bit {
    Sign(Role, Glyph),
    Text(Role, String),
}

fn version_bit(seen: Option<&Artifact>, new: &Artifact) -> Bit {
    match seen {
        Some(artifact) if artifact.is(new) => {
            Bit::Text(Role::New, format!(" {}", artifact.version))
        }
        Some(artifact) => Bit::Text(Role::Old, format!(" {}", artifact.version)),
        None => Bit::Text(Role::StatusUnknown, " ?".to_owned()),
    }
}

/// By whom or what a hold was cleared, with what it asked where that says more.
fn cleared_words(hold: &Hold, by: &str, draw: Draw<'_>) -> String {
    match &hold.kind {
        HoldKind::Window { opens, closes } => {
            say::window(*opens, *closes, draw.world.now, draw.desk.zone)
        }
        HoldKind::Manual { ask } => format!("{by}: {ask}"),
        HoldKind::Approval(_) => {
            let digest = crate::domain::refusal::short(&draw.release.digest);
            format!("{by}, plan {digest}")
        }
        _ => by.to_owned(),
    }
}
