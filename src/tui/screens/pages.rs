//! The sides of a release that are read: why it does not go on, what changes, what verdicts rest
//! on.

use crate::domain::hold::HoldState;
use crate::domain::ladder::{Mark, Station, rungs};
use crate::domain::press;
use crate::domain::release::{Phase, Release};
use crate::domain::wake::armed;
use crate::domain::{Health, TargetName, waiting};

use super::super::desk::Desk;
use super::super::dialog::effect::{window, window_words};
use super::super::glyph::Glyph;
use super::super::judged;
use super::super::offer;
use super::super::rich::Line;
use super::super::say;
use super::super::theme::Role;
use super::super::world::World;
use super::grounds::{self, When};
use super::releases::{sentence, sign};
use super::{card, trails};

fn heading(text: impl Into<std::borrow::Cow<'static, str>>) -> Line {
    Line::new().gap(1).text(Role::Heading, text)
}

/// Why it does not go on, and the next moment at which it may: every hold that is not behind it.
pub(super) fn why(desk: &Desk, world: World<'_>, release: &Release, cols: u16) -> Vec<Line> {
    let now = world.now;
    let zone = desk.zone;
    let waiting = world.waiting(release);
    let mut lines = vec![heading("It stands here")];
    lines.extend(sentence(desk, world, release, &waiting, cols));
    let press = press::next(world.state, release, &waiting, now);
    if !press.is_empty() {
        lines.extend(Line::wrapped(Role::StatusPerson, &press, 4, cols));
    }
    for line in grounds::queue(world, release) {
        lines.extend(Line::wrapped(Role::Text, &line, 4, cols));
    }
    let next = match waiting.due {
        Some(due) if due > now => format!(
            "the next moment at which it may go on by itself: {}, in {}",
            say::when(due, now, zone),
            due.since(now)
        ),
        _ => "no clock lets it go on: somebody or something else must".to_owned(),
    };
    lines.extend(Line::wrapped(Role::Text, &next, 4, cols));
    lines.extend(workloads(world, release, cols));
    lines.push(Line::new());
    if release.phase != Phase::RollingBack {
        lines.extend(calendar(desk, world, release, cols));
        lines.extend(asked(desk, world, release, cols));
    }
    lines.extend(judge(world, release, cols));
    lines.push(heading("Every hold on its way"));
    for rung in rungs(release) {
        let Station::Hold(hold) = rung.station else {
            continue;
        };
        let (role, glyph) = sign(rung.mark);
        let text = match rung.mark {
            Mark::ToCome | Mark::NotReached => Role::Dim,
            _ => Role::Text,
        };
        lines.push(
            Line::new()
                .gap(2)
                .sign(role, glyph)
                .gap(1)
                .left(text, say::hold_name(hold), 11)
                .text(text, say::asks(hold, now, zone)),
        );
        let told = match &hold.state {
            HoldState::Cleared { at, by } => {
                format!("cleared {}: {by}", say::when(*at, now, zone))
            }
            HoldState::Open { since, until, .. } => format!(
                "open since {}, waits on {}; at {} it {}",
                say::when(*since, now, zone),
                trails::on_words(world, &waiting.on),
                say::when(*until, now, zone),
                hold.deadline.then.words()
            ),
            HoldState::ToCome => format!(
                "once reached it may stay open for {}, then it {}",
                hold.deadline.after,
                hold.deadline.then.words()
            ),
        };
        lines.extend(Line::wrapped(Role::Dim, &told, 15, cols));
    }
    lines.push(Line::new());
    lines.extend(ruling(world, release, cols));
    lines.extend(triggers(release));
    lines.push(Line::new());
    lines.push(heading("What you may do"));
    for offer in offer::offers(world, desk.asker(), release) {
        let key = desk.keymap.key(desk.screen_contexts(), offer.action);
        let key = key.map_or_else(|| format!(":{}", offer.action), ToString::to_string);
        let mut line = Line::new().gap(2);
        line = match &offer.refused {
            None => line.left(Role::Key, key, 11).text(Role::Text, offer.label),
            Some(notice) => line.left(Role::HintOff, key, 11).text(
                Role::HintOff,
                format!("{}: {}", offer.label, notice.headline),
            ),
        };
        lines.push(line);
    }
    lines
}

/// When it is next allowed: every rule of the calendar that bars it now, and conflicts.
fn calendar(desk: &Desk, world: World<'_>, release: &Release, cols: u16) -> Vec<Line> {
    let now = world.now;
    let when = When::of(world, release);
    let room = cols.saturating_sub(3);
    let mut lines = vec![heading("When it is allowed")];
    if let Some((opens, closes)) = window(release) {
        let (role, words) = window_words(opens, closes, now);
        let span = say::window(opens, closes, now, desk.zone);
        let line = Line::new().text(Role::Dim, format!("window {span}: "));
        lines.push(within(line.text(role, words)));
    }
    lines.extend(
        grounds::bars(desk, world, &when.others(), room)
            .into_iter()
            .map(within),
    );
    let (role, words) = if when.free && when.slot.is_some() {
        (Role::Text, "no rule of the calendar is about it".to_owned())
    } else {
        grounds::slot_words(desk, world, &when)
    };
    lines.extend(Line::wrapped(role, &words, 2, cols));
    lines.extend(
        grounds::clashes(desk, world, release, room)
            .into_iter()
            .map(within),
    );
    lines.push(Line::new());
    lines
}

/// What has to be so before it begins: its checks, and what it needs of others.
fn asked(desk: &Desk, world: World<'_>, release: &Release, cols: u16) -> Vec<Line> {
    let room = cols.saturating_sub(3);
    let mut lines = Vec::new();
    for (title, all) in [
        ("Checks", grounds::checks_short(desk, world, release, room)),
        (
            "What it needs of others",
            grounds::needs(world, release, room),
        ),
    ] {
        if !all.is_empty() {
            lines.push(heading(title));
            lines.extend(all.into_iter().map(within));
            lines.push(Line::new());
        }
    }
    lines
}

/// What the judge says of it, and of each metric that is not decided what it waits for.
fn judge(world: World<'_>, release: &Release, cols: u16) -> Vec<Line> {
    let room = cols.saturating_sub(3);
    let mut said = grounds::judge(world, release, "", room);
    for (call, words) in judged::waits(judged::charts(world.live, release)) {
        let (status, glyph) = say::verdict(call);
        said.extend(grounds::signed(status.role(), glyph, &words, room));
    }
    if said.is_empty() {
        return said;
    }
    let mut lines = vec![heading("What the judge says")];
    lines.extend(said.into_iter().map(within));
    lines.push(Line::new());
    lines
}

/// What policy says of it, and why.
fn ruling(world: World<'_>, release: &Release, cols: u16) -> Vec<Line> {
    let Some(ruling) = &release.ruling else {
        return Vec::new();
    };
    let counts = match release.ruled(&world.state.charter_digest) {
        Some(_) => "",
        None => "; it was made for another plan or policy",
    };
    let head = format!("{}, risk {}{counts}", ruling.asks(), ruling.risk.words());
    let mut lines = vec![heading("The ruling")];
    lines.extend(Line::wrapped(Role::Text, &head, 2, cols));
    for reason in &ruling.reasons {
        lines.extend(Line::wrapped(Role::Dim, reason, 4, cols));
    }
    lines.push(Line::new());
    lines
}

/// A line among the facts of a page.
fn within(line: Line) -> Line {
    Line::new().beside(line, 2, 2)
}

fn triggers(release: &Release) -> Vec<Line> {
    let mut lines = vec![heading("Triggers")];
    if release.plan.triggers.is_empty() {
        lines.push(Line::new().gap(2).text(Role::Dim, "the plan has none"));
    }
    let armed: Vec<usize> = armed(release).map(|(n, _)| n).collect();
    for (n, trigger) in release.plan.triggers.iter().enumerate() {
        let condition = match (&trigger.metric, trigger.instances_down) {
            (Some(metric), _) => format!("{metric} fails {} looks in a row", trigger.looks),
            (None, Some(span)) => format!("an instance is down for {span}"),
            (None, None) => "nothing".to_owned(),
        };
        let (role, glyph, state) = if release.fired.contains(&n) {
            (Role::StatusBad, Glyph::Failed, "it has fired")
        } else if armed.contains(&n) {
            (Role::StatusGood, Glyph::Done, "armed")
        } else {
            (Role::Dim, Glyph::ToCome, "armed from the first call on")
        };
        lines.push(
            Line::new()
                .gap(2)
                .sign(role, glyph)
                .gap(1)
                .text(
                    Role::Text,
                    format!("{condition}: {}", trigger.action.words()),
                )
                .gap(2)
                .text(role, state),
        );
    }
    lines
}

/// What is stuck in the workloads that a release moves and what helps, and who forbids to change
/// them.
fn workloads(world: World<'_>, release: &Release, cols: u16) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut told = |role, words: &str, indent| {
        lines.extend(Line::wrapped(role, words, indent, cols));
    };
    for target in release.targets() {
        let live = world.live.targets.get(target);
        let Some(workload) = live.and_then(|live| live.workload.as_deref()) else {
            continue;
        };
        for stuck in &workload.stuck {
            let words = format!("{}: {}", workload.place, stuck.told());
            told(Role::StatusBad, &words, 4);
            if let Some(way) = &stuck.way_out {
                told(Role::Text, &format!("what helps: {way}"), 6);
            }
        }
        if let Some(owner) = workload.forbidden() {
            let words = format!("{}: {}, {}", workload.place, owner.who, owner.words);
            told(Role::StatusBad, &words, 4);
        }
    }
    lines
}

/// What changes: the whole plan in words.
pub(super) fn changes(desk: &Desk, world: World<'_>, release: &Release, cols: u16) -> Vec<Line> {
    let mut lines = card::what(desk, world, release, cols);
    lines.extend(card::changed(desk, world, release, cols, usize::MAX));
    lines.extend(card::commits(release, cols));
    lines.extend(card::risk(world, release, cols, true));
    lines.extend(card::weighed(desk, world, release, cols));
    lines.extend(card::votes(desk, world, release, cols));
    lines.extend(card::about(world, release, cols));
    lines.push(Line::new());
    lines.extend(card::way(desk, world, release, cols, usize::MAX));
    lines.push(Line::new());
    lines.extend(triggers(release));
    lines.push(Line::new());
    lines.push(heading("Digests"));
    lines.push(fact("plan", &release.digest));
    for change in &release.plan.services {
        lines.push(fact(change.service.as_str(), &change.digest));
    }
    lines
}

fn fact(label: &str, text: &str) -> Line {
    Line::new()
        .gap(2)
        .left(Role::Dim, label.to_owned(), 14)
        .gap(1)
        .text(Role::Text, text.to_owned())
}

/// What verdicts and checks rest on.
pub(super) fn evidence(desk: &Desk, world: World<'_>, release: &Release, cols: u16) -> Vec<Line> {
    let mut lines = verdicts(world, release, cols);
    lines.push(Line::new());
    let checklist = grounds::all_checks(desk, world, release, cols.saturating_sub(3));
    if !checklist.is_empty() {
        lines.push(heading("Checklist before it begins"));
        lines.extend(checklist.into_iter().map(within));
        lines.push(Line::new());
    }
    lines.push(heading("Checks"));
    match &release.finding {
        Some(finding) => {
            let (role, glyph) = if finding.pass {
                (Role::StatusGood, Glyph::Done)
            } else {
                (Role::StatusBad, Glyph::Failed)
            };
            let rounds = say::count(finding.rounds as usize, "round");
            let words = format!("{}, {rounds} in a row", finding.words);
            lines.push(
                Line::new()
                    .gap(2)
                    .sign(role, glyph)
                    .gap(1)
                    .text(role, words),
            );
        }
        None => {
            let words = "no round of checks is open";
            lines.push(Line::new().gap(2).text(Role::Dim, words));
        }
    }
    lines.push(Line::new());
    lines.push(heading("What was read of its targets"));
    for name in release.targets() {
        lines.extend(reading(desk, world, name));
    }
    if let Some((who, note)) = &release.handover {
        lines.push(Line::new());
        lines.push(heading(format!("Handover note by {}", world.person(who))));
        lines.extend(Line::wrapped(Role::Text, note, 2, cols));
    }
    lines
}

fn verdicts(world: World<'_>, release: &Release, cols: u16) -> Vec<Line> {
    let charts = judged::charts(world.live, release);
    let mut lines = vec![heading("Verdicts")];
    if release.verdicts.is_empty() {
        lines.push(Line::new().gap(2).text(Role::Dim, "no look was taken yet"));
    }
    for verdict in release.verdicts.values() {
        let (status, glyph) = say::verdict(verdict.call);
        lines.push(
            Line::new()
                .gap(2)
                .sign(status.role(), glyph)
                .gap(1)
                .left(status.role(), verdict.call.word(), 9)
                .gap(1)
                .text(Role::Strong, verdict.metric.to_string())
                .end(Role::Dim, say::count(verdict.streak as usize, "look")),
        );
        lines.extend(Line::wrapped(Role::Text, verdict.seen(), 14, cols));
        for chart in charts.iter().filter(|c| c.metric == verdict.metric) {
            let name = judged::name(chart, charts);
            let words = format!("now, {name}: {}", judged::standing_words(chart));
            lines.extend(Line::wrapped(Role::Text, &words, 14, cols));
        }
        let inputs = format!("rests on numbers with the digest {}", verdict.inputs);
        lines.extend(Line::wrapped(Role::Dim, &inputs, 14, cols));
    }
    lines
}

/// What was read of a target, and when; and what the ledger says of its instances.
fn reading(desk: &Desk, world: World<'_>, name: &TargetName) -> Vec<Line> {
    let live = world.live.targets.get(name);
    let (role, words) = match (world.age(name), live.and_then(|l| l.failing.as_ref())) {
        (Some(age), None) => (Role::Text, format!("read {} ago", say::fine(age))),
        (Some(age), Some(why)) => (Role::StatusBad, format!("read {age} ago, now {why}")),
        (None, Some(why)) => (Role::StatusBad, format!("never read: {why}")),
        (None, None) => (Role::StatusUnknown, "never read".to_owned()),
    };
    let mut lines = vec![
        Line::new()
            .gap(2)
            .text(Role::Strong, name.to_string())
            .gap(2)
            .text(role, words),
    ];
    let recorded = world.state.targets.get(name);
    for (instance, seen) in recorded.iter().flat_map(|all| all.iter()) {
        let version = seen.sight.artifact.as_ref().map_or("?", |a| &*a.version);
        let version = match &seen.sight.arriving {
            Some(new) => format!("{version} and {}", new.version),
            None => version.to_owned(),
        };
        let (role, health) = match seen.sight.health {
            Health::Running => (Role::Text, "runs"),
            other => (Role::StatusBad, waiting::health_words(other)),
        };
        let mut words = format!(
            " {version} {health} since {}",
            say::when(seen.since, world.now, desk.zone)
        );
        if !seen.sight.detail.is_empty() {
            words.push_str(&format!(": {}", seen.sight.detail));
        }
        lines.push(
            Line::new()
                .gap(4)
                .text(Role::Text, instance.to_string())
                .text(role, words),
        );
    }
    lines
}
