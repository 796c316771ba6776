//! What a calendar shows: for a span of time everything that stands in it, by lane.

use std::sync::Arc;

use super::conflict::{Conflict, conflicts};
use super::evaluate::{Evaluator, Slot};
use super::rules::Scope;
use super::series::Occurrence;
use crate::domain::ids::{ReleaseId, ServiceName, Span, Timestamp};
use crate::domain::release::{Phase, Release};
use crate::domain::state::State;

/// What a lane is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LanesBy {
    /// One lane for each environment.
    Environment,
    /// One lane for each service.
    Service,
}

/// A lane of the calendar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lane {
    /// The environment or service.
    pub name: Arc<str>,
    /// IANA zone of the environment; nothing for a service.
    pub zone: Option<Arc<str>>,
    /// What stands in it: by kind in the order of [`ItemKind`], then by time.
    pub items: Vec<Item>,
}

/// What stands in a lane.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Item {
    /// What it is.
    pub kind: ItemKind,
    /// When it begins; where that is not known, it may be any time from now on.
    pub start: Option<Timestamp>,
    /// When it is over, where that is known.
    pub end: Option<Timestamp>,
    /// Its name: of the rule, of the lockdown, of the exemption, or the release's id.
    pub name: Arc<str>,
    /// A few words for its label.
    pub label: String,
    /// The release, if it is one.
    pub release: Option<ReleaseId>,
}

/// The kinds of item, in the order in which they are painted, the last one on top.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ItemKind {
    /// A window is open.
    Window,
    /// A freeze holds.
    Freeze,
    /// An exemption counts.
    Exemption,
    /// A lockdown is in force.
    Lockdown,
    /// A release that waits, moves or is observed.
    Release,
}

/// All lanes over a span of time, `from <= t < to`.
pub fn lanes(state: &State, by: LanesBy, from: Timestamp, to: Timestamp) -> Vec<Lane> {
    let charter = &state.charter;
    match by {
        LanesBy::Environment => charter
            .environments
            .iter()
            .map(|(name, environment)| {
                let here = |scope: &Scope| {
                    scope.environments.is_empty() || scope.environments.contains(name)
                };
                Lane {
                    name: name.0.clone(),
                    zone: Some(environment.zone.clone()),
                    items: items(state, here, |r| r.plan.environment == *name, from, to),
                }
            })
            .collect(),
        LanesBy::Service => charter
            .services
            .iter()
            .map(|(name, service)| {
                let all = |scope: &Scope| scope.services.is_empty() && scope.teams.is_empty();
                // a rule of an environment where the service does not run says nothing about it
                let runs = |scope: &Scope| {
                    let mut targets = charter.targets.values().filter(|t| t.service == *name);
                    scope.environments.is_empty()
                        || targets.any(|t| scope.environments.contains(&t.environment))
                };
                let about = |scope: &Scope| {
                    runs(scope)
                        && (all(scope)
                            || scope.services.contains(name)
                            || scope.teams.contains(&service.owner))
                };
                Lane {
                    name: name.0.clone(),
                    zone: None,
                    items: items(state, about, |r| changes(r, name), from, to),
                }
            })
            .collect(),
    }
}

fn changes(release: &Release, service: &ServiceName) -> bool {
    release.plan.services.iter().any(|s| s.service == *service)
}

fn items(
    state: &State,
    about: impl Fn(&Scope) -> bool,
    mine: impl Fn(&Release) -> bool,
    from: Timestamp,
    to: Timestamp,
) -> Vec<Item> {
    let span = Occurrence {
        start: from,
        end: to,
    };
    let item = |kind, name: &Arc<str>, when: Occurrence, label: String| Item {
        kind,
        start: Some(when.start),
        end: Some(when.end),
        name: name.clone(),
        label,
        release: None,
    };
    let calendar = &state.charter.calendar;
    let mut found = Vec::new();
    for window in calendar.windows.iter().filter(|w| about(&w.scope)) {
        let times = window.when.between(from, to).into_iter();
        found.extend(times.map(|when| {
            let label = window.name.to_string();
            item(ItemKind::Window, &window.name, when, label)
        }));
    }
    for freeze in calendar.freezes.iter().filter(|f| about(&f.scope)) {
        let label = match freeze.reason.is_empty() {
            true => freeze.name.to_string(),
            false => format!("{}: {}", freeze.name, freeze.reason),
        };
        let times = freeze.when.between(from, to).into_iter();
        found.extend(times.map(|when| item(ItemKind::Freeze, &freeze.name, when, label.clone())));
    }
    for (id, exemption) in &state.calendar.exemptions {
        let when = Occurrence {
            start: exemption
                .approved
                .as_ref()
                .map_or(exemption.at, |(_, at)| *at),
            end: exemption.wish.until,
        };
        let counts = exemption.approved.is_some() && exemption.revoked.is_none();
        if counts && about(&exemption.wish.scope) && when.meets(&span) {
            let label = format!("{id} from {}", exemption.wish.rule);
            found.push(item(
                ItemKind::Exemption,
                &id.to_string().into(),
                when,
                label,
            ));
        }
    }
    for (id, down) in &state.calendar.lockdowns {
        if about(&down.scope) && down.since < to {
            found.push(Item {
                kind: ItemKind::Lockdown,
                start: Some(down.since),
                end: None,
                name: id.to_string().into(),
                label: format!("LOCKDOWN: {}", down.reason),
                release: None,
            });
        }
    }
    for release in state.live.values().filter(|r| mine(r)) {
        let when = planned(release, state.now);
        if when.is_none_or(|when| when.meets(&span)) {
            found.push(Item {
                kind: ItemKind::Release,
                start: when.map(|w| w.start),
                end: when.map(|w| w.end),
                name: release.id.to_string().into(),
                label: release.subject(),
                release: Some(release.id),
            });
        }
    }
    found.sort();
    found
}

/// When a release moves and is observed, as far as its plan and its calendar tell: what runs from
/// its first batch on, what waits from the opening of its window or the next moment that the
/// calendar allows.
pub fn planned(release: &Release, now: Timestamp) -> Option<Occurrence> {
    let length = length(release);
    let began = release.batches.first().and_then(|b| b.began);
    if let Some(start) = began {
        let end = match release.phase {
            Phase::Observing => release.since.plus(release.plan.observe.span),
            _ => start.plus(length),
        };
        return Some(Occurrence {
            start,
            end: end.max(now),
        });
    }
    let own = release
        .batches
        .first()
        .into_iter()
        .flat_map(|b| &b.before)
        .find_map(|hold| match hold.kind {
            crate::domain::hold::HoldKind::Window { opens, closes } => Some((opens, closes)),
            _ => None,
        });
    if let Some((start, end)) = own {
        return Some(Occurrence { start, end });
    }
    let answer = release.calendar.as_ref().filter(|a| !a.bars.is_empty())?;
    let start = answer.bars.iter().filter_map(|bar| bar.until).max()?;
    Some(Occurrence {
        start,
        end: start.plus(length),
    })
}

/// How long a release takes by its plan: its bakes, and some minutes for each batch.
fn length(release: &Release) -> Span {
    let batches = &release.plan.batches;
    let bakes = batches.iter().flat_map(|b| b.before.iter().chain(&b.after));
    let bakes: u64 = bakes.filter_map(|h| h.bake).map(|bake| bake.0).sum();
    let each = Span::mins(5).0 * batches.len() as u64;
    Span(bakes.saturating_add(each))
}

/// The first conflict that begins after a moment; where none does, the first of all.
pub fn next_conflict(state: &State, now: Timestamp, after: Timestamp) -> Option<Conflict> {
    let all = conflicts(state, now);
    let later = all
        .iter()
        .find(|c| c.when.is_some_and(|when| when.start > after));
    later.or(all.first()).cloned()
}

/// The next span from a moment on in which the calendar lets a release move, and no conflict that
/// is known lies.
pub fn next_slot(state: &State, release: &Release, after: Timestamp) -> Option<Slot> {
    let rules = Evaluator::of(state, release, after);
    let length = length(release);
    let taken: Vec<Occurrence> = state
        .live
        .values()
        .filter(|other| other.id != release.id && clash(other, release))
        .filter_map(|other| planned(other, after))
        .collect();
    let mut from = after;
    loop {
        let slot = rules.next(from)?;
        let wanted = Occurrence {
            start: slot.from,
            end: slot.from.plus(length),
        };
        match taken
            .iter()
            .filter(|t| t.meets(&wanted))
            .map(|t| t.end)
            .max()
        {
            Some(end) if end > from => from = end,
            _ => return Some(slot),
        }
    }
}

fn clash(one: &Release, other: &Release) -> bool {
    one.plan.environment == other.plan.environment
        && one.plan.services.iter().any(|s| changes(other, &s.service))
}
