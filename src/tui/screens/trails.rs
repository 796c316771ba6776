//! What was done, when, and by which calls; and what this person was told.

use crate::domain::Timestamp;
use crate::domain::hold::HoldState;
use crate::domain::ladder::{Station, rungs};
use crate::domain::release::{Move, Release, StepStatus};
use crate::domain::waiting::Whom;

use super::super::desk::Desk;
use super::super::glyph::Glyph;
use super::super::rich::Line;
use super::super::say;
use super::super::theme::Role;
use super::super::world::World;
use super::frame::worded;
use super::rollout::tone;

/// On whom a release waits, in a sentence.
pub(super) fn on_words(world: World<'_>, on: &Whom) -> String {
    match on {
        Whom::People(people) => {
            let names: Vec<String> = people.iter().map(|name| world.person(name)).collect();
            names.join(", ")
        }
        Whom::Voters(groups) | Whom::Groups(groups) => {
            let parts: Vec<String> = groups
                .iter()
                .map(|group| {
                    let members: Vec<String> = world
                        .state
                        .charter
                        .people
                        .iter()
                        .filter(|(_, p)| p.groups.contains(group))
                        .map(|(name, _)| world.person(name))
                        .collect();
                    if members.is_empty() {
                        format!("{group} (nobody is in it)")
                    } else {
                        format!("{group}: {}", members.join(", "))
                    }
                })
                .collect();
            parts.join("; ")
        }
        Whom::Control => "somebody with control".to_owned(),
        Whom::Clock => "the clock".to_owned(),
        Whom::Engine => "the engine".to_owned(),
        Whom::Release(id) => match world.release(*id) {
            Some(other) => format!("{id} {}", other.subject()),
            None => id.to_string(),
        },
        Whom::Instance(name) => format!("instance {name}"),
    }
}

/// What was done, line by line.
pub(super) fn log(desk: &Desk, release: &Release, cols: u16) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut day = String::new();
    for entry in &release.log {
        let today = say::day(entry.at, desk.zone);
        if today != day {
            lines.push(Line::new().gap(1).text(Role::Heading, today.clone()));
            day = today;
        }
        let room = cols.saturating_sub(24);
        let mut wrapped = Line::wrapped(tone(entry.tone), &entry.text, 0, room).into_iter();
        let first = wrapped.next().map(|l| l.words()).unwrap_or_default();
        lines.push(
            Line::new()
                .gap(1)
                .text(Role::Dim, say::clock(entry.at, desk.zone))
                .gap(2)
                .left(Role::Dim, entry.who.to_string(), 10)
                .gap(1)
                .text(tone(entry.tone), first),
        );
        lines.extend(wrapped.map(|l| Line::new().gap(22).text(tone(entry.tone), l.words())));
    }
    if lines.is_empty() {
        lines.push(Line::new().gap(1).text(Role::Dim, "nothing was done yet"));
    }
    lines
}

/// The release along time: absolute times, and how long each part took.
pub(super) fn timeline(desk: &Desk, world: World<'_>, release: &Release, cols: u16) -> Vec<Line> {
    let mut at: Vec<(Timestamp, Role, Glyph, String)> = Vec::new();
    at.push((
        release.submitted,
        Role::Text,
        Glyph::Done,
        format!("submitted by {}", world.person(&release.submitter)),
    ));
    for rung in rungs(release) {
        match rung.station {
            Station::Hold(hold) => match &hold.state {
                HoldState::Cleared { at: when, by } => at.push((
                    *when,
                    Role::StatusGood,
                    Glyph::Done,
                    format!("{} cleared: {by}", say::hold_name(hold)),
                )),
                HoldState::Open { since, .. } => at.push((
                    *since,
                    Role::StatusMoving,
                    Glyph::Here,
                    format!("{} open", say::hold_name(hold)),
                )),
                HoldState::ToCome => {}
            },
            Station::Batch(n, batch) => {
                if let Some(began) = batch.began {
                    let words = format!("batch {} begins: {}", n + 1, batch.exposure);
                    at.push((began, Role::StatusMoving, Glyph::Moving, words));
                }
                if let Some(done) = batch.done {
                    let words = format!("batch {} is done", n + 1);
                    at.push((done, Role::StatusGood, Glyph::BatchDone, words));
                }
            }
        }
    }
    if let Some(paused) = &release.paused {
        let words = format!("paused by {}", paused.by);
        at.push((paused.since, Role::StatusPerson, Glyph::Paused, words));
    }
    if let Some(back) = &release.back {
        let words = format!("goes back, by {}: {}", back.by, back.why);
        at.push((back.since, Role::StatusBad, Glyph::Back, words));
    }
    at.sort_by_key(|(when, ..)| *when);
    let mut lines = Vec::new();
    let mut before: Option<Timestamp> = None;
    for (when, role, glyph, words) in at {
        let gone = before.map(|b| when.since(b)).filter(|s| s.0 >= 1000);
        let later = gone.map_or_else(String::new, |s| format!("+{}", say::age(s)));
        let line = Line::new()
            .gap(1)
            .text(Role::Dim, say::full(when, desk.zone))
            .gap(2)
            .right(Role::Dim, later, 9)
            .gap(2)
            .sign(role, glyph)
            .gap(1);
        let room = usize::from(cols).saturating_sub(line.width());
        lines.push(if room < 16 {
            // too narrow for the date: the clock will do
            Line::new()
                .gap(1)
                .text(Role::Dim, say::clock(when, desk.zone))
                .gap(1)
                .sign(role, glyph)
                .gap(1)
                .text(Role::Text, words)
        } else {
            line.text(Role::Text, words)
        });
        before = Some(when);
    }
    lines.push(
        Line::new()
            .gap(1)
            .text(Role::Dim, say::full(world.now, desk.zone))
            .gap(2)
            .text(Role::Strong, "now"),
    );
    lines
}

/// The calls to platforms: every step's present call, and the trail of all.
pub(super) fn calls(desk: &Desk, world: World<'_>, release: &Release, cols: u16) -> Vec<Line> {
    let mut lines = Vec::new();
    let forward = release
        .batches
        .iter()
        .enumerate()
        .map(|(n, b)| (format!("batch {}", n + 1), &b.moves));
    let back = release
        .back
        .iter()
        .map(|b| ("way back".to_owned(), &b.moves));
    for (place, moves) in forward.chain(back) {
        for m in moves {
            for step in m.steps.iter().filter(|s| s.touched()) {
                lines.push(call(desk, world, &place, m, step));
            }
        }
    }
    if lines.is_empty() {
        return vec![Line::new().gap(1).text(Role::Dim, "no call was made yet")];
    }
    let targets = release.targets();
    let by_share = targets
        .iter()
        .any(|target| crate::domain::share::divided(world.state, target));
    lines.insert(
        0,
        Line::new().gap(1).text(
            Role::Heading,
            match by_share {
                true => format!("{} made", say::count(lines.len(), "call")),
                false => format!("{} called", say::count(lines.len(), "instance")),
            },
        ),
    );
    lines.push(Line::new());
    lines.push(
        Line::new()
            .gap(1)
            .text(Role::Heading, "The literal commands"),
    );
    for name in release.targets() {
        let Some(target) = world.state.charter.targets.get(name) else {
            continue;
        };
        for (verb, argv) in &target.calls {
            let text = format!("{name} {}: {}", verb.word(), say::argv(argv));
            lines.extend(Line::wrapped(Role::Dim, &text, 2, cols));
        }
    }
    lines
}

fn call(
    desk: &Desk,
    world: World<'_>,
    place: &str,
    m: &Move,
    step: &crate::domain::release::Step,
) -> Line {
    let now = world.now;
    let verb = step.verb(&m.sequence).or(m.sequence.last().copied());
    let (role, glyph, how) = match &step.status {
        StepStatus::ToDo => (Role::Dim, Glyph::ToCome, "to come".to_owned()),
        StepStatus::Running => {
            let words = format!("runs {}", say::age(now.since(step.since)));
            (Role::StatusMoving, Glyph::Moving, words)
        }
        StepStatus::Done => (Role::StatusGood, Glyph::Done, "ok".to_owned()),
        StepStatus::Failed { why, again } => {
            let again =
                again.map_or_else(String::new, |at| format!(", again in {}", at.since(now)));
            (
                Role::StatusBad,
                Glyph::Failed,
                format!("failed: {why}{again}"),
            )
        }
        StepStatus::Unknown { why } => (
            Role::StatusBad,
            Glyph::Unknown,
            format!("nobody can tell: {why}"),
        ),
    };
    let at = if step.since.0 == 0 {
        String::new()
    } else {
        say::clock(step.since, desk.zone)
    };
    Line::new()
        .gap(1)
        .left(Role::Dim, at, 8)
        .gap(2)
        .left(Role::Dim, place.to_owned(), 9)
        .gap(1)
        .sign(role, glyph)
        .gap(1)
        .text(
            Role::Text,
            format!(
                "{} {}{} {} {}, attempt {}",
                m.target,
                step.exposure
                    .map_or_else(String::new, |share| format!("{share} of ")),
                step.instance,
                verb.map_or("call", |v| v.word()),
                m.artifact_of(step).version,
                step.attempt
            ),
        )
        .gap(2)
        .text(role, how)
}

/// What this person was told, and what everybody should know now.
pub(super) fn notices(desk: &Desk, world: World<'_>, cols: u16) -> Vec<Line> {
    let mut lines = Vec::new();
    for told in &desk.told {
        let (role, glyph, _) = worded(&told.notice);
        let notice = &told.notice;
        lines.push(
            Line::new()
                .gap(1)
                .text(Role::Dim, say::clock(told.at, desk.zone))
                .gap(2)
                .sign(role, glyph)
                .gap(1)
                .text(role, notice.headline.clone())
                .end(Role::Dim, notice.code.clone()),
        );
        for more in [&notice.detail, &notice.next_step] {
            if !more.is_empty() {
                lines.extend(Line::wrapped(Role::Text, more, 13, cols));
            }
        }
    }
    if !world.live.alerts.is_empty() {
        lines.push(
            Line::new()
                .gap(1)
                .text(Role::Heading, "What everybody should know now"),
        );
        for alert in &world.live.alerts {
            let (role, glyph, words) = worded(alert);
            let mut wrapped = Line::wrapped(role, &words, 0, cols.saturating_sub(4)).into_iter();
            let first = wrapped.next().map(|l| l.words()).unwrap_or_default();
            lines.push(
                Line::new()
                    .gap(1)
                    .sign(role, glyph)
                    .gap(1)
                    .text(role, first),
            );
            lines.extend(wrapped.map(|l| Line::new().gap(3).text(role, l.words())));
        }
    }
    if lines.is_empty() {
        lines.push(Line::new().gap(1).text(Role::Dim, "nothing was told yet"));
    }
    lines
}
