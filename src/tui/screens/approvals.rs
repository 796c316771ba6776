//! What waits for votes: the queue, and the card of the release under its cursor.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::domain::hold::HoldKind;
use crate::domain::plan::Kind;
use crate::domain::release::{Phase, Release};
use crate::domain::waiting::Group;
use crate::domain::{Choice, PersonName, ReleaseId};

use super::super::desk::{Desk, Screen};
use super::super::dialog::palette::matches;
use super::super::glyph::Glyph;
use super::super::layout;
use super::super::rich::{self, Line};
use super::super::say;
use super::super::theme::Role;
use super::super::widgets::Pen;
use super::super::widgets::text::{fill, rule};
use super::super::world::World;
use super::{card, grounds};

/// Whether a release waits for votes.
pub(super) fn asks(release: &Release) -> bool {
    release.phase == Phase::Waiting
        && release
            .approval()
            .is_some_and(|h| matches!(h.kind, HoldKind::Approval(_)) && !h.cleared())
}

/// Whether a person's vote is missing.
fn wants(world: World<'_>, release: &Release, who: Option<&PersonName>) -> bool {
    let waiting = world.waiting(release);
    world.group(release, &waiting, who) == Group::NeedsYou
}

/// Brings the order of the queue up to date: those that want this person first, then those that
/// expire soonest. While somebody's fingers are on the keys, rows stay where they are, also those
/// that have all their votes by now.
pub(in crate::tui) fn settle(desk: &mut Desk, world: World<'_>, still: bool) {
    if still && desk.place.screen == Screen::Approvals && !desk.queued.is_empty() {
        return;
    }
    let who = desk.who().cloned();
    let mut all: Vec<(bool, crate::domain::Timestamp, ReleaseId)> = world
        .state
        .live
        .values()
        .filter(|r| asks(r))
        .map(|r| {
            let until = r.approval().and_then(|h| h.open()).map(|(_, until)| until);
            (
                !wants(world, r, who.as_ref()),
                until.unwrap_or(r.submitted),
                r.id,
            )
        })
        .collect();
    all.sort_unstable();
    desk.queued = all.into_iter().map(|(_, _, id)| id).collect();
}

/// The queue as it shows.
pub(in crate::tui) fn queue(desk: &Desk, world: World<'_>) -> Vec<ReleaseId> {
    let filter = desk.filters.get(&Screen::Approvals);
    let filter = filter.map_or("", |f| f.trim());
    desk.queued
        .iter()
        .copied()
        .filter(|id| {
            filter.is_empty()
                || world.release(*id).is_some_and(|r| {
                    let words = format!(
                        "{id} {} {} {} {}",
                        r.subject(),
                        r.plan.environment,
                        r.plan.title,
                        r.submitter
                    );
                    matches(&words, filter)
                })
        })
        .collect()
}

pub(super) fn paint(desk: &Desk, world: World<'_>, body: Rect, buffer: &mut Buffer) {
    let ids = queue(desk, world);
    let parts = layout::approvals(body, ids.len());
    let theme = desk.theme();
    heading(desk, world, &ids, parts.first, buffer);
    rows(desk, world, &ids, parts.first, buffer);
    if parts.beside {
        for y in parts.rule.top()..parts.rule.bottom() {
            let cell = Rect {
                y,
                height: 1,
                ..parts.rule
            };
            Pen::new(buffer, theme, cell).glyph(Role::Rule, Glyph::Bar);
        }
    } else {
        rule(buffer, parts.rule, theme);
    }
    let Some(release) = desk.voting.and_then(|id| world.release(id)) else {
        let words = match desk.voting.and_then(|id| world.closed(id)) {
            Some(summary) => format!("{} is closed: {}", summary.id, summary.why),
            None if ids.is_empty() && !desk.filter().trim().is_empty() => {
                format!("Nothing matches `{}`: esc shows all.", desk.filter().trim())
            }
            None => "No release waits for a vote.".to_owned(),
        };
        Line::new()
            .gap(1)
            .text(Role::Dim, words)
            .paint(buffer, parts.second, theme);
        return;
    };
    let mut lines = card::card(
        desk,
        world,
        release,
        parts.second.width.saturating_sub(1),
        usize::from(parts.second.height),
    );
    if lines.len() > usize::from(parts.second.height) {
        // first what a vote is about; the way is a key away
        lines.truncate(usize::from(parts.second.height.saturating_sub(1)));
        let key = desk
            .keymap
            .key(desk.screen_contexts(), super::super::action::Action::Open)
            .map_or_else(|| ":open".to_owned(), ToString::to_string);
        lines.push(
            Line::new()
                .gap(1)
                .text(Role::Key, key)
                .text(Role::Dim, " shows the rest"),
        );
    }
    rich::paint(&lines, buffer, parts.second, theme);
}

fn heading(desk: &Desk, world: World<'_>, ids: &[ReleaseId], area: Rect, buffer: &mut Buffer) {
    let yours = ids
        .iter()
        .filter_map(|id| world.release(*id))
        .filter(|r| wants(world, r, desk.who()))
        .count();
    let mut line = Line::new()
        .gap(1)
        .text(Role::Heading, "APPROVALS")
        .gap(1)
        .text(Role::Dim, format!("{} wait", ids.len()));
    if yours > 0 {
        line = line.text(Role::StatusPerson, format!(", {yours} for you"));
    }
    if !desk.marks.is_empty() {
        line = line.text(Role::RowMarked, format!("   {} marked", desk.marks.len()));
    }
    if !ids.is_empty() {
        line = line.end(Role::Dim, "expires ");
    }
    line.paint(buffer, area, desk.theme());
}

fn rows(desk: &Desk, world: World<'_>, ids: &[ReleaseId], area: Rect, buffer: &mut Buffer) {
    let theme = desk.theme();
    let height = usize::from(area.height.saturating_sub(1));
    let view = desk.queue.view(ids.len(), height);
    for (y, id) in (area.y + 1..area.bottom()).zip(&ids[view]) {
        let line = Rect {
            y,
            height: 1,
            ..area
        };
        let on_it = desk.voting == Some(*id);
        if on_it {
            fill(buffer, line, theme, Role::RowCursor);
        }
        // a column of air at the right, which the cursor's ground fills
        let text = Rect {
            width: line.width.saturating_sub(1),
            ..line
        };
        let mut pen = Pen::new(buffer, theme, text);
        if on_it {
            pen.glyph(Role::Strong, Glyph::Cursor);
        } else {
            pen.skip(1);
        }
        if desk.marks.contains(id) {
            pen.glyph(Role::RowMarked, Glyph::Mark);
        } else {
            pen.skip(1);
        }
        let Some(release) = world.release(*id) else {
            let how = world.closed(*id).map_or("gone", |s| s.ending.words());
            pen.text(Role::Dim, &format!("{id} {how}"));
            continue;
        };
        row(desk, world, release, &mut pen);
    }
}

/// `R-219 ledger-api 2.3.1 → prod-eu   high 61   you   6 d`.
fn row(desk: &Desk, world: World<'_>, release: &Release, pen: &mut Pen<'_>) {
    const RISK: usize = 8;
    const STATE: usize = 10;
    const LEFT: usize = 5;
    let (role, state) = stand(desk, world, release);
    let left = release
        .approval()
        .and_then(|h| h.open())
        .map_or_else(String::new, |(_, until)| say::short(until.since(world.now)));
    pen.left(Role::Strong, &release.id.to_string(), 5).skip(1);
    let room = pen.room().saturating_sub(RISK + STATE + LEFT + 2);
    let name = if release.plan.kind == Kind::Emergency {
        format!("{} emergency", release.subject())
    } else {
        release.subject()
    };
    let env = release.plan.environment.as_str();
    let both = format!("{name} {} {env}", desk.theme().glyph(Glyph::Arrow));
    let shown = if crate::tui::widgets::width(&both) <= room {
        both
    } else {
        name
    };
    pen.left(Role::Text, &shown, room).skip(1);
    match &release.ruling {
        Some(ruling) => pen.left(
            grounds::risk_role(ruling.risk.level),
            &grounds::risk_short(&ruling.risk),
            RISK,
        ),
        None => pen.skip(RISK),
    };
    pen.skip(1)
        .left(role, &state, STATE)
        .right(Role::Dim, &left, LEFT);
}

/// On whom the vote on a release waits.
fn stand(desk: &Desk, world: World<'_>, release: &Release) -> (Role, String) {
    if !asks(release) {
        return (Role::StatusGood, "approved".to_owned());
    }
    if wants(world, release, desk.who()) {
        return (Role::StatusPerson, "you".to_owned());
    }
    let counts = |choice: Choice| {
        let mut votes = release.votes.values();
        votes.any(|v| v.choice == choice && v.overruled.is_none())
    };
    if counts(Choice::RequestChanges) {
        (Role::StatusBad, "to change".to_owned())
    } else if counts(Choice::Object) {
        (Role::StatusBad, "objection".to_owned())
    } else {
        (Role::Dim, world.waiting(release).on.words())
    }
}
