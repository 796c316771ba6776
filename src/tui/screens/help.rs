//! The keys, made from the keymap that holds: what each does here, and why some do nothing now.

use super::super::action::{Action, Context, Group};
use super::super::desk::{Desk, Screen};
use super::super::glyph::Glyph;
use super::super::offer;
use super::super::rich::Line;
use super::super::theme::Role;
use super::super::world::World;

/// The screens that help tells of, the one that was left first.
const SCREENS: [(Screen, &str, &[Context]); 5] = [
    (Screen::Releases, "releases", Context::STACKS[0]),
    (Screen::Rollout, "rollout", Context::STACKS[1]),
    (Screen::Metrics, "metrics", Context::STACKS[2]),
    (Screen::Approvals, "approvals", Context::STACKS[3]),
    (Screen::Calendar, "calendar", Context::STACKS[8]),
];

/// The keys of every screen, grouped; those of the screen that the person came from first.
pub(super) fn lines(desk: &Desk, world: World<'_>, cols: u16) -> Vec<Line> {
    let from = desk
        .back
        .last()
        .map_or(Screen::Releases, |place| place.screen);
    let mut lines = Vec::new();
    let mut told: Vec<Action> = Vec::new();
    let mut screens = SCREENS;
    screens.sort_by_key(|(screen, ..)| *screen != from);
    for (screen, name, stack) in screens {
        let here = screen == from;
        for group in Group::ALL {
            let mut rows: Vec<Line> = Vec::new();
            for (action, keys) in desk.keymap.listing(stack) {
                if action.info().group != group || told.contains(&action) {
                    continue;
                }
                told.push(action);
                let keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
                rows.push(row(desk, world, action, &keys, cols));
            }
            if rows.is_empty() {
                continue;
            }
            if !lines.is_empty() {
                lines.push(Line::new());
            }
            let title = if here {
                group.title().to_owned()
            } else {
                format!("{} (on the {name} screen)", group.title())
            };
            lines.push(Line::new().gap(1).text(Role::Heading, title));
            lines.extend(rows);
        }
    }
    lines.push(Line::new());
    lines.push(
        Line::new()
            .gap(1)
            .text(Role::Heading, "In dialogs and texts"),
    );
    for stack in [Context::STACKS[5], Context::STACKS[6], Context::STACKS[7]] {
        for (action, keys) in desk.keymap.listing(stack) {
            if keys.is_empty() || told.contains(&action) {
                continue;
            }
            told.push(action);
            let keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
            lines.push(row(desk, world, action, &keys, cols));
        }
    }
    lines
}

fn row(desk: &Desk, world: World<'_>, action: Action, keys: &[String], cols: u16) -> Line {
    let info = action.info();
    // what the key would do to the release that was under the cursor
    let refused = desk
        .subject
        .filter(|_| offer::CONTROLS.contains(&action) || offer::VOTES.contains(&action))
        .and_then(|id| offer::refusal(world, desk.asker(), id, action));
    let keys = if keys.is_empty() {
        format!(":{}", info.name)
    } else {
        keys.join("  ")
    };
    let wide = if cols >= 100 { 24 } else { 16 };
    let (key, text) = if refused.is_some() {
        (Role::HintOff, Role::HintOff)
    } else {
        (Role::Key, Role::Text)
    };
    let mut line = Line::new().gap(2).left(key, keys, wide).gap(1);
    line = if refused.is_some() {
        line.sign(Role::HintOff, Glyph::NotReached).gap(1)
    } else {
        line.gap(2)
    };
    if cols >= 100 {
        line = line.left(Role::Dim, info.name, 17).gap(1);
    }
    match refused {
        Some(notice) if cols >= 100 => line.text(text, format!("Not now: {}.", notice.headline)),
        Some(notice) => line.text(text, format!("{}: {}", info.name, notice.headline)),
        None => line.text(text, info.doc),
    }
}
