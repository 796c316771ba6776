//! What an action will do, told before it is done: taken from `decide` run dry, so that the words
//! of a dialog and what happens cannot differ.

mod shares;

use std::collections::BTreeMap;

use crate::domain::effect::Verb;
use crate::domain::event::What;
use crate::domain::hold::HoldKind;
use crate::domain::ladder::{Mark, Station, next_batch, rungs};
use crate::domain::release::{Move, StepStatus};
use crate::domain::share::divided;
use crate::domain::{Actor, Command, Draft, Release, Span, TargetName, Timestamp, waiting};

use super::super::action::Action;
use super::super::judged;
use super::super::offer::{self, Asker};
use super::super::rich::Line;
use super::super::say;
use super::super::theme::Role;
use super::super::world::{FRESH, World};

/// The column where the facts of a dialog begin.
const FACTS: u16 = 10;
/// Most calls that a dialog spells out.
const CALLS: usize = 4;

/// The lines of a dialog about one release, at most `cols` wide.
pub fn lines(
    world: World<'_>,
    asker: &Asker,
    action: Action,
    seen: &Release,
    zone: chrono_tz::Tz,
    cols: u16,
) -> Vec<Line> {
    let release = world.release(seen.id).unwrap_or(seen);
    let mut out = Facts {
        lines: Vec::new(),
        cols,
    };
    if offer::choice(action).is_some() || action == Action::TakeBack {
        out.vote(world, action, release, zone);
        return out.lines;
    }
    match action {
        Action::RollBack => out.back(world, release),
        Action::PromoteAll => out.all(world, asker, release, zone),
        Action::Retry => out.retry(world, release),
        Action::Cancel => out.fact("effect", "it is closed as cancelled; nothing was moved"),
        Action::HandOver => out.fact("effect", "who watches next reads this note"),
        _ => out.forward(world, asker, action, release, zone),
    }
    if action != Action::Cancel && action != Action::HandOver {
        out.judge(world, release);
        out.window(world, release);
        out.fresh(world, release);
    }
    out.lines
}

struct Facts {
    lines: Vec<Line>,
    cols: u16,
}

impl Facts {
    fn fact(&mut self, label: &'static str, text: &str) {
        self.shown(label, Role::Text, text);
    }

    fn shown(&mut self, label: &'static str, role: Role, text: &str) {
        for (n, mut line) in Line::wrapped(role, text, 0, self.cols.saturating_sub(FACTS))
            .into_iter()
            .enumerate()
        {
            let label = if n == 0 { label } else { "" };
            let words = line.words();
            line = Line::new().left(Role::Dim, label, FACTS).text(role, words);
            self.lines.push(line);
        }
    }

    /// What starts, resumes or promotes: from the events that it leads to.
    fn forward(
        &mut self,
        world: World<'_>,
        asker: &Asker,
        action: Action,
        release: &Release,
        zone: chrono_tz::Tz,
    ) {
        let Some(draft) = self.dry_run(world, asker, action, release) else {
            return;
        };
        let Some(after) = draft.state.live.get(&release.id) else {
            return;
        };
        let began = draft.events.iter().find_map(|e| match e.what {
            What::BatchBegan { batch, .. } => after.batches.get(batch).map(|b| (batch, b)),
            _ => None,
        });
        match (began, release.moving().filter(|_| action == Action::Resume)) {
            (Some((n, batch)), _) => {
                let from = release.exposed().unwrap_or(0);
                self.shown(
                    "next",
                    Role::Strong,
                    &format!("batch {}: {from} → {}", n + 1, batch.exposure),
                );
                self.scope(world, release, &batch.moves);
                self.clears(world, action, release);
                self.then(after, world.now, zone);
                self.calls(world, release, &batch.moves);
            }
            (None, Some((_, moves))) => {
                let (left, text) = left(world, moves);
                self.shown("next", Role::Strong, &text);
                shares::scope(self, world, release, moves, true);
                self.clears(world, action, release);
                self.then(after, world.now, zone);
                if left > 0 {
                    self.calls(world, release, moves);
                }
            }
            (None, None) => {
                let waiting = waiting::of(&draft.state, after, world.now);
                let text = format!("{}: {}", waiting.word, waiting.what);
                self.shown("next", Role::Strong, &text);
                self.clears(world, action, release);
                self.then(after, world.now, zone);
                if let Some((_, batch)) = next_batch(after) {
                    self.calls(world, release, &batch.moves);
                }
            }
        }
    }

    /// What an action leads to; `None` where it is refused, which is told then.
    fn dry_run(
        &mut self,
        world: World<'_>,
        asker: &Asker,
        action: Action,
        release: &Release,
    ) -> Option<Draft> {
        let mut draft = Draft::new(world.state.clone());
        let command = Command {
            at: world.now,
            who: asker.who.clone(),
            door: asker.door.clone(),
            ask: offer::ask_now(action, release)?,
        };
        if let Err(refusal) = draft.run(&command) {
            self.shown("refused", Role::StatusBad, &refusal.notice().headline);
            return None;
        }
        Some(draft)
    }

    /// What promoting all that is left of a release skips, moves and calls.
    fn all(&mut self, world: World<'_>, asker: &Asker, release: &Release, zone: chrono_tz::Tz) {
        let Some(draft) = self.dry_run(world, asker, Action::PromoteAll, release) else {
            return;
        };
        let Some(after) = draft.state.live.get(&release.id) else {
            return;
        };
        let from = release.exposed().unwrap_or(0);
        if let Some(last) = release.batches.last() {
            let text = format!("all that is left: {from} → {}", last.exposure);
            self.shown("next", Role::Strong, &text);
        }
        let skipped: Vec<String> = release.skippable().map(say::hold_told).collect();
        let text = match skipped.as_slice() {
            [] => "no hold; what the platform waits for by itself".to_owned(),
            some => format!("{}: {}", say::count(some.len(), "hold"), some.join(", ")),
        };
        self.fact("skips", &text);
        self.fact(
            "stays",
            "calendar, health checks, triggers, and the judge that takes it back",
        );
        if release.paused.is_some() {
            self.fact("", "the pause: it moves once somebody resumes it");
        }
        let ahead = after.batches.iter().filter(|b| b.done.is_none());
        let mut moves: Vec<Move> = ahead.flat_map(|b| b.moves.iter().cloned()).collect();
        moves.retain(|m| m.steps.iter().any(|s| s.status != StepStatus::Done));
        self.scope(world, after, &moves);
        self.then(after, world.now, zone);
        self.calls(world, after, &moves);
    }

    /// `6 of 20 instances of payments-eu go to 4.12.0`, for each target.
    fn scope(&mut self, world: World<'_>, release: &Release, moves: &[Move]) {
        let counted = moves.iter().filter(|m| !divided(world.state, &m.target));
        for (n, m) in counted.enumerate() {
            let all = world
                .state
                .charter
                .targets
                .get(&m.target)
                .map_or(m.steps.len(), |t| t.instances.len());
            let text = format!(
                "{} of {} of {} go to {}",
                m.steps.len(),
                say::count(all, "instance"),
                m.target,
                m.artifact.version
            );
            self.fact(if n == 0 { "scope" } else { "" }, &text);
        }
        shares::scope(self, world, release, moves, false);
    }

    fn clears(&mut self, world: World<'_>, action: Action, release: &Release) {
        if action == Action::Resume {
            if let Some(paused) = &release.paused {
                let since = say::age(world.now.since(paused.since));
                let text = format!("the pause by {}, {since} ago", paused.by);
                self.fact("lifts", &text);
            }
        } else if let Some(hold) = release.hold()
            && let Some((since, _)) = hold.open()
        {
            let text = format!(
                "the {} hold, open for {}",
                say::hold_name(hold),
                say::age(world.now.since(since))
            );
            self.fact("clears", &text);
        }
    }

    /// The stations after the next one.
    fn then(&mut self, after: &Release, now: Timestamp, zone: chrono_tz::Tz) {
        let names: Vec<String> = rungs(after)
            .into_iter()
            .filter(|r| r.mark == Mark::ToCome)
            .take(4)
            .map(|r| match r.station {
                Station::Hold(hold) => match &hold.kind {
                    HoldKind::Window { opens, closes } => {
                        format!("window {}", say::window(*opens, *closes, now, zone))
                    }
                    _ => say::hold_told(hold),
                },
                Station::Batch(n, batch) => format!("batch {}: {}", n + 1, batch.exposure),
            })
            .collect();
        let text = if names.is_empty() {
            "it closes as succeeded".to_owned()
        } else {
            names.join(", ")
        };
        self.fact("then", &text);
    }

    /// The literal commands, each target's once.
    fn calls(&mut self, world: World<'_>, release: &Release, moves: &[Move]) {
        let mut calls: Vec<(String, String)> = Vec::new();
        for m in moves {
            let Some(target) = world.state.charter.targets.get(&m.target) else {
                continue;
            };
            let steps = m.steps.iter().filter(|s| s.status != StepStatus::Done);
            let names: Vec<&str> = steps.map(|s| s.instance.as_str()).collect();
            let on = match names.as_slice() {
                [] => continue,
                _ if target.by_share => shares::cluster(world, &m.target),
                [one] => format!("on {one}"),
                [first, .., last] => format!("on {first} … {last}"),
            };
            for verb in &m.sequence {
                let Some(argv) = target.calls.get(verb) else {
                    continue;
                };
                let very = match target.by_share {
                    true => shares::calls(world, release, m, argv),
                    false => vec![say::argv(argv)],
                };
                calls.extend(very.into_iter().map(|call| (call, on.clone())));
            }
        }
        self.call_lines(&calls);
    }

    fn call_lines(&mut self, calls: &[(String, String)]) {
        let more = calls.len().saturating_sub(CALLS);
        // one cluster stands above already, in what is done to its workload
        let told = |on: &str| on.starts_with("in ") && calls.iter().all(|(_, other)| other == on);
        for (n, (argv, on)) in calls.iter().take(CALLS).enumerate() {
            let text = match told(on) {
                true => argv.clone(),
                false => format!("{argv}   {on}"),
            };
            self.fact(if n == 0 { "call" } else { "" }, &text);
        }
        if more > 0 {
            self.shown(
                "",
                Role::Dim,
                &format!("and {}", say::count(more, "more call")),
            );
        }
    }

    fn back(&mut self, world: World<'_>, release: &Release) {
        let mut by_target: BTreeMap<&TargetName, (Vec<&str>, Vec<&str>, u32)> = BTreeMap::new();
        for (target, step, _) in release.touched() {
            let parallel = world
                .state
                .charter
                .targets
                .get(target)
                .map_or(1, |t| t.parallel);
            let entry = by_target.entry(target).or_default();
            entry.0.push(step.instance.as_str());
            if let Some(was) = release.was(target, &step.instance) {
                entry.1.push(&was.version);
            }
            entry.2 = parallel;
        }
        let mut calls = Vec::new();
        for (n, (target, (instances, mut versions, parallel))) in by_target.into_iter().enumerate()
        {
            versions.sort_unstable();
            versions.dedup();
            let versions = versions.join(" and ");
            let text = match divided(world.state, target) {
                true => shares::back(world, target, &versions),
                false => format!(
                    "{} of {target} go back to {versions}, {parallel} at a time",
                    say::count(instances.len(), "instance"),
                ),
            };
            self.shown(if n == 0 { "effect" } else { "" }, Role::Strong, &text);
            if let Some(config) = world.state.charter.targets.get(target)
                && let Some(argv) = config.calls.get(&Verb::Rollback)
            {
                let on = match instances.as_slice() {
                    _ if config.by_share => shares::cluster(world, target),
                    [one] => format!("on {one}"),
                    [first, .., last] => format!("on {first} … {last}"),
                    [] => continue,
                };
                let very = match config.by_share {
                    true => shares::calls_back(world, target, argv),
                    false => vec![say::argv(argv)],
                };
                calls.extend(very.into_iter().map(|call| (call, on.clone())));
            }
        }
        shares::owners(self, world, release.targets().into_iter());
        self.fact("skips", "nothing: going back needs no hold to be cleared");
        let running = release.in_flight().count();
        if running > 0 {
            let text = format!("{} still running end first", say::count(running, "call"));
            self.fact("waits", &text);
        }
        self.fact("then", "it closes as rolled back");
        self.call_lines(&calls);
    }

    fn retry(&mut self, world: World<'_>, release: &Release) {
        let mut calls = Vec::new();
        let moves = release.moving().map(|(_, moves)| moves).unwrap_or_default();
        for m in moves {
            for s in &m.steps {
                let why = match &s.status {
                    StepStatus::Failed { why, .. } => format!("failed, {why}"),
                    StepStatus::Unknown { why } => format!("nobody can tell: {why}"),
                    _ => continue,
                };
                let verb = s.verb(&m.sequence);
                let what = match s.exposure {
                    Some(share) => format!("{share} of {}", shares::place(world, &m.target)),
                    None => s.instance.to_string(),
                };
                let text = format!(
                    "{} of {what} once more (attempt {}); it {why}",
                    verb.map_or("call", Verb::word),
                    s.attempt + 1
                );
                self.shown(
                    if calls.is_empty() { "effect" } else { "" },
                    Role::Strong,
                    &text,
                );
                let config = world.state.charter.targets.get(&m.target);
                let Some((config, argv)) =
                    verb.and_then(|v| Some((config?, config?.calls.get(&v)?)))
                else {
                    continue;
                };
                if config.by_share {
                    let on = shares::cluster(world, &m.target);
                    let very = shares::calls(world, release, m, argv);
                    calls.extend(very.into_iter().map(|call| (call, on.clone())));
                } else {
                    calls.push((say::argv(argv), format!("on {}", s.instance)));
                }
            }
        }
        self.call_lines(&calls);
    }

    fn vote(&mut self, world: World<'_>, action: Action, release: &Release, zone: chrono_tz::Tz) {
        let plan = &release.plan;
        let digest = crate::domain::refusal::short(&release.digest);
        let environment = &plan.environment;
        self.shown(
            "on",
            Role::Strong,
            &format!("{} → {environment}, plan {digest}", release.subject()),
        );
        self.fact("title", &plan.title);
        if let Some(ruling) = &release.ruling {
            self.fact("risk", &ruling.risk.words());
        }
        let hold = release.approval();
        if let Some(HoldKind::Approval(terms)) = hold.map(|h| &h.kind) {
            let tally = crate::domain::approval::tally(release, terms, world.now);
            let missing = tally.missing_words();
            let text = if missing.is_empty() {
                "no vote is missing"
            } else {
                &missing
            };
            self.fact("now", text);
        }
        let effect = match action {
            Action::Approve => "your vote counts as yes on exactly this plan",
            Action::Reject => "the release is closed as rejected, for good",
            Action::Object => "it blocks until you change your vote",
            Action::RequestChanges => {
                "it blocks until the plan is changed, which voids all votes, or you vote anew"
            }
            Action::TakeBack => "your vote counts no more, as if you had not voted",
            _ => "you have no opinion; nothing else changes",
        };
        self.fact("effect", effect);
        if let Some((_, until)) = hold.and_then(|h| h.open()) {
            let text = format!(
                "{}, in {}",
                say::when(until, world.now, zone),
                until.since(world.now)
            );
            self.fact("expires", &text);
        }
    }

    /// What the judge says, where somebody decides on going on or back.
    fn judge(&mut self, world: World<'_>, release: &Release) {
        if let Some(judgement) = judged::judgement(world.live, release) {
            let role = match judgement.shadow {
                true => Role::Dim,
                false => judged::decision(judgement.decision).0.role(),
            };
            let words = judged::judgement_words(&release.plan.judge, judgement);
            self.shown("judge", role, &words);
        }
    }

    fn window(&mut self, world: World<'_>, release: &Release) {
        if let Some((opens, closes)) = window(release) {
            let (role, text) = window_words(opens, closes, world.now);
            self.shown("window", role, &text);
        }
    }

    /// How old what is known of its targets is.
    fn fresh(&mut self, world: World<'_>, release: &Release) {
        let targets = release.targets();
        let oldest: Option<(Option<Span>, &TargetName)> = targets
            .into_iter()
            .map(|t| (world.age(t), t))
            .max_by_key(|(age, _)| age.map_or(u64::MAX, |a| a.0));
        match oldest {
            Some((Some(age), _)) if age <= FRESH => {
                self.fact("fresh", &format!("read {} ago", say::fine(age)));
            }
            Some((Some(age), target)) => {
                let text = format!("{target} was read {age} ago: it does not answer");
                self.shown("stale", Role::StatusBad, &text);
            }
            Some((None, target)) => {
                self.shown(
                    "stale",
                    Role::StatusBad,
                    &format!("{target} was never read"),
                );
            }
            None => {}
        }
    }
}

/// What is left of the moves that go on: how many steps, and a sentence.
fn left(world: World<'_>, moves: &[Move]) -> (usize, String) {
    let steps = moves.iter().flat_map(|m| {
        let all = divided(world.state, &m.target);
        m.steps.iter().map(move |step| (all, step))
    });
    let open: Vec<bool> = steps
        .filter(|(_, step)| step.status != StepStatus::Done)
        .map(|(divided, _)| divided)
        .collect();
    let shares = open.iter().filter(|divided| **divided).count();
    let text = match (open.len(), shares) {
        (0, _) => "it goes on where it stood".to_owned(),
        (n, shares) if n == shares => {
            format!("{} to move in this batch", say::count(n, "workload"))
        }
        (n, _) => format!("{} to move in this batch", say::count(n, "instance")),
    };
    (open.len(), text)
}

/// The window of the batch that a release is in or before, or of its last one.
pub fn window(release: &Release) -> Option<(Timestamp, Timestamp)> {
    let batch = release
        .batch()
        .map(|(_, b)| b)
        .or_else(|| release.batches.last())?;
    batch.before.iter().find_map(|h| match h.kind {
        HoldKind::Window { opens, closes } => Some((opens, closes)),
        _ => None,
    })
}

/// How a window stands: `closes in 1 h 18 m`.
pub fn window_words(opens: Timestamp, closes: Timestamp, now: Timestamp) -> (Role, String) {
    if now < opens {
        (Role::Text, format!("opens in {}", opens.since(now)))
    } else if now < closes {
        let left = closes.since(now);
        let role = if left < Span::mins(15) {
            Role::StatusPerson
        } else {
            Role::Text
        };
        (role, format!("closes in {left}"))
    } else {
        (Role::StatusBad, format!("closed {} ago", now.since(closes)))
    }
}

/// Whether somebody without a name asks: no key may do anything then.
pub const fn nobody(asker: &Asker) -> bool {
    matches!(asker.who, Actor::Nobody)
}
