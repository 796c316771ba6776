//! The last line: what your keys do to the thing under the cursor.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use super::super::action::{Action, Confirm};
use super::super::desk::{Desk, Screen, Tab};
use super::super::glyph::Glyph;
use super::super::keymap::Resolved;
use super::super::layout;
use super::super::offer;
use super::super::theme::Role;
use super::super::widgets::text::fill;
use super::super::widgets::{Draft, Pen, width};
use super::super::world::World;

/// A key and what it does.
struct Hint {
    action: Action,
    /// Whether it changes something for others.
    changes: bool,
    key: String,
    label: String,
    /// Whether it does nothing now.
    off: bool,
}

/// The hints of the present screen: what changes something first, then what reads.
fn hints(desk: &Desk, world: World<'_>) -> (Vec<Hint>, Option<String>) {
    let mut found = Vec::new();
    let mut why = None;
    let screen = desk.place.screen;
    let subject = desk.subject.and_then(|id| world.release(id));
    if let Some(release) = subject {
        if matches!(screen, Screen::Releases | Screen::Rollout | Screen::Metrics) {
            let offers = offer::offers(world, desk.asker(), release);
            // one reason for all keys is said once
            why = common_reason(&offers);
            for offer in offers {
                if !offer.action.fits(desk.screen_contexts()) || offer.action == Action::Cancel {
                    continue;
                }
                found.push(hint(
                    desk,
                    offer.action,
                    offer.label,
                    offer.refused.is_some(),
                ));
            }
        } else if screen == Screen::Approvals {
            let refused = offer::refusal(world, desk.asker(), release.id, Action::Approve);
            let voted = desk
                .who()
                .is_some_and(|who| release.votes.contains_key(who));
            let back = voted.then_some(Action::TakeBack);
            let votes = [
                Action::Approve,
                Action::Reject,
                Action::Object,
                Action::RequestChanges,
            ];
            for action in votes.into_iter().chain(back).chain([Action::Comment]) {
                let label = action.info().label.to_owned();
                let off = match action {
                    Action::TakeBack => {
                        offer::refusal(world, desk.asker(), release.id, action).is_some()
                    }
                    _ => refused.is_some(),
                };
                found.push(hint(desk, action, label, off));
            }
            why = refused.map(|notice| notice.headline);
        }
    }
    if desk.marks.len() > 1 && matches!(screen, Screen::Releases | Screen::Approvals) {
        let text = format!("{} marked: keys act on all of them", desk.marks.len());
        why = Some(text);
    }
    let of_one = matches!(screen, Screen::Rollout | Screen::Metrics);
    let reading: &[(Action, &str)] = if of_one && subject.is_none() {
        &[(Action::Back, "back")]
    } else {
        reading(desk)
    };
    for (action, label) in reading {
        found.push(hint(desk, *action, (*label).to_owned(), false));
    }
    (found, why)
}

fn common_reason(offers: &[offer::Offer]) -> Option<String> {
    let mut reasons = offers.iter().map(|o| o.refused.as_ref().map(|n| &n.code));
    let first = reasons.next()??;
    reasons
        .all(|code| code == Some(first))
        .then(|| offers[0].refused.as_ref().map(|n| n.headline.clone()))?
}

fn reading(desk: &Desk) -> &'static [(Action, &'static str)] {
    match desk.place.screen {
        Screen::Releases => &[
            (Action::Open, "open"),
            (Action::Why, "why"),
            (Action::Changes, "changes"),
            (Action::ShowMetrics, "metrics"),
            (Action::Mark, "mark"),
            (Action::Filter, "filter"),
        ],
        Screen::Rollout if desk.place.tab == Tab::Ladder => &[
            (Action::Why, "why"),
            (Action::ShowMetrics, "metrics"),
            (Action::Log, "log"),
            (Action::Calls, "calls"),
            (Action::Changes, "changes"),
            (Action::Evidence, "evidence"),
            (Action::Timeline, "timeline"),
            (Action::Back, "back"),
        ],
        Screen::Rollout => &[
            (Action::ShowRollout, "ladder"),
            (Action::NextTab, "next side"),
            (Action::Filter, "filter"),
            (Action::Back, "back"),
        ],
        Screen::Metrics => &[
            (Action::NextRow, "next metric"),
            (Action::LessTime, "less time"),
            (Action::MoreTime, "more time"),
            (Action::Evidence, "evidence"),
            (Action::Back, "back"),
        ],
        Screen::Approvals => &[
            (Action::Open, "read it whole"),
            (Action::Why, "why"),
            (Action::Mark, "mark"),
            (Action::Back, "back"),
        ],
        Screen::Calendar => &[
            (Action::Open, "open"),
            (Action::Why, "why"),
            (Action::Later, "later"),
            (Action::NextConflict, "next conflict"),
            (Action::NextSlot, "next free slot"),
            (Action::Lanes, "lanes"),
            (Action::NextTab, "agenda"),
            (Action::LessTime, "less time"),
            (Action::MoreTime, "more time"),
            (Action::Back, "back"),
        ],
        Screen::Help | Screen::Notices => &[
            (Action::NextRow, "down"),
            (Action::Filter, "filter"),
            (Action::Back, "back"),
        ],
    }
}

fn hint(desk: &Desk, action: Action, label: String, off: bool) -> Hint {
    let key = desk.keymap.key(desk.screen_contexts(), action);
    Hint {
        action,
        changes: action.info().confirm > Confirm::Read,
        // what has no key is still within reach
        key: key.map_or_else(|| format!(":{action}"), ToString::to_string),
        label,
        off,
    }
}

/// Paints the hints; what does not fit is behind `:` and `?`, which always stand at the end.
pub(super) fn paint(desk: &Desk, world: World<'_>, area: Rect, buffer: &mut Buffer) {
    let theme = desk.theme();
    let stack = desk.screen_contexts();
    let mut tail: Vec<(String, &str)> = Vec::new();
    for (action, label) in [(Action::Palette, "all"), (Action::Help, "keys")] {
        if let Some(key) = desk.keymap.key(stack, action) {
            tail.push((key.to_string(), label));
        }
    }
    let gap = if area.width >= layout::WIDE { 3 } else { 2 };
    let tail_width: usize = tail
        .iter()
        .map(|(k, l)| width(k) + 1 + width(l) + gap)
        .sum();
    let mut room = usize::from(area.width.saturating_sub(1));
    let mut pen = Pen::new(buffer, theme, area);
    pen.skip(1);
    if room < tail_width {
        for (key, label) in tail {
            pen.text(Role::Key, &key)
                .skip(1)
                .text(Role::Hint, label)
                .skip(gap);
        }
        return;
    }
    room -= tail_width;
    let (hints, why) = hints(desk, world);
    let cells = |hint: &Hint, label: &str| {
        width(&hint.key) + 1 + width(label) + gap + 2 * usize::from(hint.off)
    };
    // what changes something is told by its effect where all of it fits, else by its name
    let changing = hints.iter().filter(|hint| hint.changes);
    let brief = changing.map(|h| cells(h, &h.label)).sum::<usize>() > room;
    let mut why = why;
    for hint in hints {
        if !hint.changes {
            // why they do nothing stands right behind those that do nothing
            if let Some(why) = why.take().filter(|why| width(why) + gap <= room) {
                pen.text(Role::Dim, &why).skip(gap);
                room -= width(&why) + gap;
            }
        }
        let long = if brief {
            hint.action.info().label
        } else {
            &hint.label
        };
        let shown = [long, hint.action.info().label]
            .into_iter()
            .find(|label| cells(&hint, label) <= room);
        let Some(shown) = shown else {
            continue;
        };
        room -= cells(&hint, shown);
        let (key, label) = if hint.off {
            (Role::HintOff, Role::HintOff)
        } else {
            (Role::Key, Role::Hint)
        };
        if hint.off {
            // that it does nothing now must not rest on colour alone
            pen.glyph(Role::HintOff, Glyph::NotReached).skip(1);
        }
        pen.text(key, &hint.key).skip(1);
        pen.text(label, shown).skip(gap);
    }
    for (key, label) in tail {
        pen.text(Role::Key, &key)
            .skip(1)
            .text(Role::Hint, label)
            .skip(gap);
    }
}

/// The filter being written, in place of the hints.
pub(super) fn filter(
    desk: &Desk,
    draft: &Draft,
    area: Rect,
    buffer: &mut Buffer,
) -> Option<Position> {
    let theme = desk.theme();
    fill(buffer, area, theme, Role::Text);
    let mut pen = Pen::new(buffer, theme, area);
    pen.skip(1).text(Role::Key, "/").skip(1);
    let tail = "enter keeps it, esc shows all ";
    if usize::from(area.width) > width(tail) + 24 {
        pen.at_end(Role::Dim, tail);
    }
    let field = Rect {
        x: pen.x(),
        width: u16::try_from(pen.room()).unwrap_or(0),
        ..area
    };
    draft.paint(
        buffer,
        field,
        theme,
        "words that must stand in a row, !word for those that must not",
    )
}

/// What can follow the keys that wait.
pub(super) fn which_key(desk: &Desk, parts: layout::Frame, buffer: &mut Buffer) {
    let Some((last, before)) = desk.pending.split_last() else {
        return;
    };
    let Resolved::Pending(options) = desk.keymap.resolve(desk.contexts(), before, *last) else {
        return;
    };
    let theme = desk.theme();
    let rows = u16::try_from(options.len())
        .unwrap_or(u16::MAX)
        .min(parts.body.height);
    let cols = 44.min(parts.body.width);
    let area = Rect {
        x: parts.body.right() - cols,
        y: parts.body.bottom() - rows,
        width: cols,
        height: rows,
    };
    fill(buffer, area, theme, Role::Dialog);
    for (y, (seq, action)) in (area.y..area.bottom()).zip(options) {
        let line = Rect {
            y,
            height: 1,
            ..area
        };
        let mut pen = Pen::new(buffer, theme, line);
        pen.skip(1);
        let typed: Vec<String> = desk.pending.iter().map(ToString::to_string).collect();
        pen.text(Role::Dim, &typed.join(" ")).skip(1);
        pen.left(Role::Key, &seq.to_string(), 8).skip(1);
        pen.text(Role::Hint, action.info().label);
    }
}
