//! Voting and controlling: asked first as much as the environment wants, then sent.

use std::sync::Arc;

use crate::domain::{Notice, Release, ReleaseId};

use super::super::action::{Action, Confirm as Level, Group};
use super::super::desk::{Ask, Desk, Screen};
use super::super::dialog::{Confirm, Outcome, Overlay, Results, moved_on, text_label};
use super::super::offer;
use super::super::screens;
use super::super::widgets::Draft;
use super::super::world::World;

/// What a key that votes or controls does.
pub(super) fn begin(desk: &mut Desk, world: World<'_>, action: Action) -> Vec<Ask> {
    if action == Action::Comment {
        comment(desk, world);
        return Vec::new();
    }
    let targets = targets(desk, world, action);
    let seen: Vec<Arc<Release>> = targets
        .iter()
        .filter_map(|id| world.state.live.get(id).cloned())
        .collect();
    match (targets.as_slice(), seen.as_slice()) {
        ([], _) => {
            let words = "there is no release under the cursor";
            desk.tell(Notice::info("no-release", words), world.now);
            return Vec::new();
        }
        ([one], _) => {
            if let Some(refused) = offer::refusal(world, desk.asker(), *one, action) {
                desk.tell(refused, world.now);
                return Vec::new();
            }
        }
        _ => {}
    }
    let level = seen.iter().map(|r| offer::level(world, r, action)).max();
    match level {
        Some(Level::Read | Level::AtOnce) => perform(desk, world, action, &seen, ""),
        Some(level) => {
            let comment = match seen.as_slice() {
                [one] => desk.comments.get(&one.id).cloned().unwrap_or_default(),
                _ => String::new(),
            };
            desk.overlay = Some(Overlay::Confirm(Box::new(Confirm::new(
                action, seen, level, &comment,
            ))));
            Vec::new()
        }
        None => Vec::new(),
    }
}

/// On which releases an action acts: the marked ones that show on this screen, else the one under
/// the cursor.
fn targets(desk: &Desk, world: World<'_>, action: Action) -> Vec<ReleaseId> {
    // a note is about one release
    let many = action != Action::HandOver;
    let shown: Vec<ReleaseId> = match desk.place.screen {
        Screen::Releases => desk.order.places().iter().map(|(id, _)| *id).collect(),
        Screen::Approvals => screens::approvals::queue(desk, world),
        _ => Vec::new(),
    };
    let marked: Vec<ReleaseId> = shown
        .into_iter()
        .filter(|id| many && desk.marks.contains(id))
        .collect();
    if marked.is_empty() {
        desk.subject.into_iter().collect()
    } else {
        marked
    }
}

fn comment(desk: &mut Desk, world: World<'_>) {
    let Some(id) = desk.subject.filter(|id| world.release(*id).is_some()) else {
        return;
    };
    let mut draft = Draft::line(500);
    draft.paste(desk.comments.get(&id).map_or("", String::as_str));
    desk.overlay = Some(Overlay::Comment(id, Box::new(draft)));
}

/// The person said yes in the dialog.
pub(super) fn confirmed(desk: &mut Desk, world: World<'_>, mut confirm: Box<Confirm>) -> Vec<Ask> {
    if confirm.missing().is_some() {
        // nothing is lost: the dialog stays and says what is missing
        confirm.on_text = false;
        desk.overlay = Some(Overlay::Confirm(confirm));
        return Vec::new();
    }
    if let Some(words) = confirm.moved_on(world) {
        let notice = Notice::warning("moved-on", words)
            .detail("nothing was done")
            .next("look again, then decide");
        desk.tell(notice, world.now);
        return Vec::new();
    }
    let words = confirm.words();
    if offer::text_wanted(confirm.action) && words.trim().is_empty() {
        desk.overlay = Some(Overlay::Confirm(confirm));
        return Vec::new();
    }
    perform(desk, world, confirm.action, &confirm.seen, &words)
}

/// Sends an action on these releases, each as the person saw it. What the engine would refuse is
/// told at once and not sent.
fn perform(
    desk: &mut Desk,
    world: World<'_>,
    action: Action,
    seen: &[Arc<Release>],
    words: &str,
) -> Vec<Ask> {
    let mut asks = Vec::new();
    let mut rows = Vec::new();
    for release in seen {
        let id = release.id;
        let answer = match moved_on(world, action, release) {
            Some(words) => Err(Notice::warning("moved-on", words).next("look again, then decide")),
            None => offer::ask(action, release, words)
                .ok_or_else(|| Notice::error("no-command", "this asks nothing of a release"))
                .and_then(|ask| {
                    offer::dry_run(world, desk.asker(), ask.clone())
                        .map(|_| ask)
                        .map_err(|refusal| refusal.notice())
                }),
        };
        let mut row = Outcome {
            release: id,
            subject: release.subject(),
            ask: 0,
            answer: None,
        };
        match answer {
            Ok(ask) => {
                row.ask = desk.next;
                let what = format!("{} {id}", said(action));
                asks.push(desk.send(ask, what, Some(id), world.now));
                if text_label(action) == Some("comment") {
                    desk.comments.remove(&id);
                }
            }
            Err(notice) => row.answer = Some(Err(notice)),
        }
        rows.push(row);
    }
    if let [row] = rows.as_slice() {
        if let Some(Err(notice)) = &row.answer {
            desk.tell(notice.clone(), world.now);
        }
    } else {
        desk.overlay = Some(Overlay::Results(Results { action, rows }));
        desk.marks.clear();
    }
    asks
}

/// What was asked for, as a verb.
fn said(action: Action) -> &'static str {
    match action {
        Action::Hold => "pause",
        Action::RollBack => "roll back",
        Action::PromoteAll => "promote all of",
        Action::HandOver => "hand over",
        other if other.info().group == Group::Vote => match other {
            Action::Approve => "approve",
            Action::Reject => "reject",
            Action::Object => "object to",
            Action::RequestChanges => "ask for changes of",
            Action::TakeBack => "take back the vote on",
            _ => "abstain on",
        },
        other => other.name(),
    }
}
