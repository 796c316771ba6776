//! A release that is over.

use std::collections::BTreeMap;

use crate::domain::live::TargetLive;
use crate::domain::release::{Ending, Summary};
use crate::domain::share::pods;
use crate::domain::{Artifact, Health};

use super::super::desk::Desk;
use super::super::glyph::Glyph;
use super::super::rich::Line;
use super::super::say;
use super::super::theme::Role;
use super::super::world::{FRESH, World};

/// Most targets of which it is told what runs there now.
const TARGETS: usize = 8;

/// The sign of an ending, and how it is painted.
pub(super) const fn look(ending: Ending) -> (Role, Glyph) {
    match ending {
        Ending::Succeeded => (Role::StatusGood, Glyph::Done),
        Ending::RolledBack => (Role::StatusBad, Glyph::Back),
        Ending::Rejected => (Role::StatusBad, Glyph::Failed),
        Ending::Expired | Ending::Cancelled | Ending::Superseded | Ending::Withdrawn => {
            (Role::StatusHistory, Glyph::NotReached)
        }
    }
}

/// What is left of a closed release to read.
pub(super) fn lines(desk: &Desk, world: World<'_>, summary: &Summary, cols: u16) -> Vec<Line> {
    let (role, glyph) = look(summary.ending);
    let arrow = desk.theme().glyph(Glyph::Arrow);
    let took = summary.closed.since(summary.submitted);
    let mut lines = vec![
        Line::new()
            .gap(1)
            .text(
                Role::Strong,
                format!(
                    "{} {} {arrow} {}",
                    summary.id,
                    summary.subject(),
                    summary.environment
                ),
            )
            .gap(3)
            .sign(role, glyph)
            .gap(1)
            .text(role, summary.ending.words()),
    ];
    if !summary.why.is_empty() {
        lines.extend(Line::wrapped(Role::Text, &summary.why, 2, cols));
    }
    let times = format!(
        "submitted {}, closed {}, after {took}",
        say::full(summary.submitted, desk.zone),
        say::full(summary.closed, desk.zone)
    );
    lines.extend(Line::wrapped(Role::Dim, &times, 2, cols));
    lines.push(
        Line::new()
            .gap(2)
            .text(Role::Dim, format!("title: {}", summary.title)),
    );
    if summary.services.len() > 1 {
        let all: Vec<String> = summary
            .services
            .iter()
            .map(|(service, version)| format!("{service} {version}"))
            .collect();
        lines.extend(Line::wrapped(Role::Dim, &all.join(", "), 2, cols));
    }
    lines.push(Line::new().gap(2).text(
        Role::Dim,
        format!(
            "the ledger has the rest: holdpoint ledger show --release {}",
            summary.id
        ),
    ));
    lines.extend(now(world, summary, cols));
    lines
}

/// What runs now where the release was, as last read.
fn now(world: World<'_>, summary: &Summary, cols: u16) -> Vec<Line> {
    let targets = world.state.charter.targets.iter().filter(|(_, target)| {
        let services = &summary.services;
        target.environment == summary.environment
            && services
                .iter()
                .any(|(service, _)| *service == target.service)
    });
    let mut lines = Vec::new();
    for (name, _) in targets.take(TARGETS) {
        let Some(live) = world.live.targets.get(name) else {
            continue;
        };
        let sights = || live.instances.values().map(|(sight, _)| sight);
        let worst = sights().map(|sight| sight.health).max();
        let (role, glyph) = match worst.unwrap_or(Health::Unknown) {
            Health::Running => (Role::StatusGood, Glyph::Up),
            Health::Changing => (Role::StatusMoving, Glyph::Moving),
            Health::Down => (Role::StatusBad, Glyph::Failed),
            Health::Unknown => (Role::StatusUnknown, Glyph::Unknown),
        };
        let age = world.age(name).filter(|age| *age > FRESH);
        let old = age.map_or_else(String::new, |age| format!(", {} old", say::short(age)));
        let place = live.workload.as_ref().map(|workload| &*workload.place);
        let place = place.filter(|place| !place.is_empty());
        let words = format!(
            "now {}: {}{old}",
            place.unwrap_or(name.as_str()),
            runs(live)
        );
        for (n, line) in Line::wrapped(Role::Text, &words, 0, cols.saturating_sub(5))
            .into_iter()
            .enumerate()
        {
            let lead = match n {
                0 => Line::new().gap(2).sign(role, glyph).gap(1),
                _ => Line::new().gap(4),
            };
            lines.push(lead.text(Role::Text, line.words()));
        }
    }
    lines
}

/// `20, all available of 4.11.3`; of instances `3 run 4.11.3`.
fn runs(live: &TargetLive) -> String {
    let version = |it: &Option<Artifact>| match it {
        Some(artifact) => artifact.version.to_string(),
        None => "something unknown".to_owned(),
    };
    let sights = live.instances.values().map(|(sight, _)| sight);
    if let Some(workload) = &live.workload {
        let sides = sights.map(|sight| match &sight.arriving {
            Some(new) => format!(
                "{} of {}, {} of {}",
                pods(workload.old.there),
                version(&sight.artifact),
                pods(workload.new.there),
                new.version
            ),
            None => format!(
                "{} of {} run {}",
                workload.old.available,
                pods(workload.wanted),
                version(&sight.artifact)
            ),
        });
        return sides.collect::<Vec<_>>().join("; ");
    }
    let mut versions: BTreeMap<String, usize> = BTreeMap::new();
    for sight in sights {
        *versions.entry(version(&sight.artifact)).or_default() += 1;
    }
    let parts = versions.iter().map(|(version, n)| {
        let instances = say::count(*n, "instance");
        let verb = if *n == 1 { "runs" } else { "run" };
        format!("{instances} {verb} {version}")
    });
    parts.collect::<Vec<_>>().join(", ")
}
