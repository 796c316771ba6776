//! Going from screen to screen and from row to row.

use ratatui::layout::Rect;

use crate::domain::{Notice, ReleaseId, Span};

use super::super::action::Action;
use super::super::desk::{Ask, Desk, Place, Screen, Tab};
use super::super::dialog::Overlay;
use super::super::layout;
use super::super::order::{Row, Spot};
use super::super::say;
use super::super::screens;
use super::super::widgets::{Draft, Scroll};
use super::super::world::World;

/// How much time charts can show.
const SPANS: [Span; 6] = [
    Span::mins(2),
    Span::mins(5),
    Span::mins(15),
    Span::mins(30),
    Span::mins(60),
    Span::mins(180),
];
/// How many places are remembered on the way back.
const WAY_BACK: usize = 30;

pub(super) fn go(desk: &mut Desk, world: World<'_>, action: Action) -> Vec<Ask> {
    match action {
        Action::ShowReleases => enter(desk, world, Place::of(Screen::Releases)),
        Action::ShowRollout => release_screen(desk, world, Screen::Rollout, Tab::Ladder),
        Action::ShowMetrics => release_screen(desk, world, Screen::Metrics, Tab::Ladder),
        Action::ShowApprovals => enter(desk, world, Place::of(Screen::Approvals)),
        Action::ShowCalendar => enter(desk, world, Place::of(Screen::Calendar)),
        Action::Help => enter(desk, world, Place::of(Screen::Help)),
        Action::Notices => enter(desk, world, Place::of(Screen::Notices)),
        Action::NextTab | Action::PreviousTab if desk.place.screen == Screen::Calendar => {
            desk.page.turn();
            desk.page.settle(world, desk.zone);
            desk.keep_cursor(world);
        }
        Action::NextTab => turn(desk, 1),
        Action::PreviousTab => turn(desk, Tab::ALL.len() - 1),
        Action::Open => open(desk, world),
        Action::Back => escape(desk, world),
        Action::Filter => {
            let mut draft = Draft::line(80);
            draft.paste(desk.filter());
            desk.overlay = Some(Overlay::Filter(Box::new(draft)));
        }
        Action::Palette => desk.overlay = Some(Overlay::Palette(Box::default())),
        Action::Why => side(desk, world, Tab::Why),
        Action::Changes => side(desk, world, Tab::Changes),
        Action::Evidence => side(desk, world, Tab::Evidence),
        Action::Log => side(desk, world, Tab::Log),
        Action::Timeline => side(desk, world, Tab::Timeline),
        Action::Calls => side(desk, world, Tab::Calls),
        Action::Copy => return copy(desk, world),
        Action::Mark => mark(desk, world),
        Action::Earlier
        | Action::Later
        | Action::Today
        | Action::Lanes
        | Action::NextConflict
        | Action::NextSlot => leaf(desk, world, action),
        Action::LessTime | Action::MoreTime if desk.place.screen == Screen::Calendar => {
            leaf(desk, world, action);
        }
        Action::LessTime => zoom(desk, false),
        Action::MoreTime => zoom(desk, true),
        _ => {}
    }
    Vec::new()
}

/// Goes to a place, and remembers the way back.
fn enter(desk: &mut Desk, world: World<'_>, place: Place) {
    if place.screen == desk.place.screen && place.tab == desk.place.tab {
        return;
    }
    if desk.back.len() == WAY_BACK {
        desk.back.remove(0);
    }
    // the first screen is where all ways begin
    if place.screen == Screen::Releases {
        desk.back.clear();
    } else {
        desk.back.push(desk.place);
    }
    desk.place = place;
    desk.keep_cursor(world);
}

/// Shows a release.
pub(super) fn show(desk: &mut Desk, world: World<'_>, id: ReleaseId) {
    desk.subject = Some(id);
    desk.spot = Some(Spot::Release(id));
    let place = Place::of(Screen::Rollout);
    if desk.place.screen == Screen::Rollout {
        desk.place = place;
    } else {
        enter(desk, world, place);
    }
}

fn release_screen(desk: &mut Desk, world: World<'_>, screen: Screen, tab: Tab) {
    if desk.subject.is_none() {
        desk.subject = desk.order.places().first().map(|(id, _)| *id);
    }
    if desk.subject.is_none() {
        let notice = Notice::info("no-release", "there is no release to show")
            .next("`holdpoint release submit PLAN` takes one in");
        desk.tell(notice, world.now);
        return;
    }
    enter(
        desk,
        world,
        Place {
            tab,
            ..Place::of(screen)
        },
    );
}

/// Shows a side of a release; the side that is shown already gives way to the ladder.
fn side(desk: &mut Desk, world: World<'_>, tab: Tab) {
    if desk.place.screen == Screen::Rollout {
        desk.place.tab = if desk.place.tab == tab {
            Tab::Ladder
        } else {
            tab
        };
        desk.place.top = None;
        desk.filters.remove(&Screen::Rollout);
    } else {
        release_screen(desk, world, Screen::Rollout, tab);
    }
}

fn turn(desk: &mut Desk, by: usize) {
    if desk.place.screen == Screen::Rollout {
        let at = Tab::ALL.iter().position(|t| *t == desk.place.tab);
        let next = (at.unwrap_or(0) + by) % Tab::ALL.len();
        desk.place.tab = Tab::ALL[next];
        desk.place.top = None;
    }
}

fn open(desk: &mut Desk, world: World<'_>) {
    match desk.place.screen {
        Screen::Releases => match desk.spot {
            Some(Spot::ClosedHead) => {
                desk.closed_shown = !desk.closed_shown;
                desk.keep_cursor(world);
            }
            Some(Spot::Release(id)) => show(desk, world, id),
            None => {}
        },
        Screen::Calendar => {
            if let Some(id) = desk.page.release() {
                show(desk, world, id);
            }
        }
        Screen::Approvals => {
            if desk.subject.is_some() {
                release_screen(desk, world, Screen::Rollout, Tab::Changes);
            }
        }
        Screen::Rollout | Screen::Metrics | Screen::Help | Screen::Notices => {}
    }
}

/// `esc`: puts away one thing at a time, the nearest first, then goes back.
fn escape(desk: &mut Desk, world: World<'_>) {
    if desk.dismiss(world.now) {
        return;
    }
    if desk.filters.remove(&desk.place.screen).is_some() {
        desk.keep_cursor(world);
        return;
    }
    let marking = matches!(desk.place.screen, Screen::Releases | Screen::Approvals);
    if marking && !desk.marks.is_empty() {
        desk.marks.clear();
        return;
    }
    back(desk, world);
}

pub(super) fn back(desk: &mut Desk, world: World<'_>) {
    if let Some(place) = desk.back.pop() {
        desk.place = place;
        desk.keep_cursor(world);
    } else if desk.place.screen != Screen::Releases {
        desk.place = Place::of(Screen::Releases);
        desk.keep_cursor(world);
    }
}

fn mark(desk: &mut Desk, world: World<'_>) {
    let Some(id) = desk.subject.filter(|id| world.release(*id).is_some()) else {
        return;
    };
    if !desk.marks.remove(&id) {
        desk.marks.insert(id);
    }
    step(desk, world, Action::NextRow);
}

fn zoom(desk: &mut Desk, more: bool) {
    let at = SPANS.iter().position(|s| *s >= desk.span).unwrap_or(0);
    let next = if more {
        (at + 1).min(SPANS.len() - 1)
    } else {
        at.saturating_sub(1)
    };
    desk.span = SPANS[next];
}

/// Turns the leaves of the calendar.
fn leaf(desk: &mut Desk, world: World<'_>, action: Action) {
    let (now, zone) = (world.now, desk.zone);
    let mut nothing = None;
    match action {
        Action::Earlier => desk.page.go(false),
        Action::Later => desk.page.go(true),
        Action::Today => desk.page.today(),
        Action::Lanes => desk.page.other_lanes(),
        Action::LessTime => desk.page.zoom(false),
        Action::MoreTime => desk.page.zoom(true),
        Action::NextConflict => {
            let found = desk.page.next_conflict(now, zone);
            nothing = (!found).then(|| Notice::info("no-conflict", "no releases conflict"));
        }
        Action::NextSlot => {
            let found = desk.page.to_slot(now, zone).is_some();
            nothing = (!found).then(|| {
                Notice::info("no-slot", "no free slot to go to")
                    .next("put the cursor on a release that waits")
            });
        }
        _ => {}
    }
    if let Some(notice) = nothing {
        desk.tell(notice, now);
    }
    desk.page.settle(world, zone);
    desk.keep_cursor(world);
}

fn copy(desk: &mut Desk, world: World<'_>) -> Vec<Ask> {
    let text = if desk.place.screen == Screen::Notices {
        desk.told.last().map(|told| told.notice.to_string())
    } else {
        desk.subject.and_then(|id| sentence(world, id))
    };
    let Some(text) = text else {
        return Vec::new();
    };
    let notice = Notice::info("copied", format!("copied: {text}"));
    desk.tell(notice, world.now);
    vec![Ask::Copy(text)]
}

/// A release in a sentence, as somebody would paste it into a chat.
fn sentence(world: World<'_>, id: ReleaseId) -> Option<String> {
    if let Some(release) = world.release(id) {
        let waiting = world.waiting(release);
        return Some(format!(
            "{id} {} → {}: {}, {} (on {}, for {})",
            release.subject(),
            release.plan.environment,
            waiting.word,
            waiting.what,
            waiting.on.words(),
            say::age(world.now.since(waiting.since))
        ));
    }
    let closed = world.closed(id)?;
    Some(format!(
        "{id} {} → {}: {}, {}",
        closed.subject(),
        closed.environment,
        closed.ending.words(),
        closed.why
    ))
}

/// Moves the cursor, or scrolls where there is none.
pub(super) fn step(desk: &mut Desk, world: World<'_>, action: Action) {
    match desk.place.screen {
        Screen::Releases => step_rows(desk, world, action),
        Screen::Approvals => {
            let ids = screens::approvals::queue(desk, world);
            let height = queue_height(desk, ids.len());
            desk.queue.act(action, ids.len(), height);
            desk.subject = desk.queue.cursor(ids.len()).map(|n| ids[n]);
            desk.voting = desk.subject;
        }
        Screen::Metrics => {
            let names = screens::metrics::names(desk, world);
            let rows = names.len();
            desk.metrics.act(action, rows, rows.max(1));
            desk.metric = desk.metrics.cursor(rows).map(|n| names[n].clone());
        }
        Screen::Calendar => {
            let rows = desk.page.entries.len();
            let mut scroll = Scroll::default();
            scroll.to(desk.page.at(), rows, rows.max(1));
            scroll.act(action, rows, 10);
            desk.page.put(scroll.cursor(rows).unwrap_or(0));
            desk.keep_cursor(world);
        }
        Screen::Rollout | Screen::Help | Screen::Notices => scroll(desk, world, action),
    }
}

fn queue_height(desk: &Desk, rows: usize) -> usize {
    let body = layout::frame(desk.area()).body;
    usize::from(layout::approvals(body, rows).first.height.saturating_sub(1))
}

fn step_rows(desk: &mut Desk, world: World<'_>, action: Action) {
    let rows = desk.rows(world, desk.size.width);
    let spots: Vec<usize> = (0..rows.len())
        .filter(|n| rows[*n].spot().is_some())
        .collect();
    let Some(at) = desk.spot_row(&rows) else {
        return;
    };
    let height = desk.rows_height(rows.len());
    // steps count rows that a cursor can stand on, pages count lines
    let target = match action {
        Action::NextRow | Action::PreviousRow => {
            let here = spots.iter().position(|n| *n == at).unwrap_or(0);
            let next = if action == Action::NextRow {
                (here + 1).min(spots.len().saturating_sub(1))
            } else {
                here.saturating_sub(1)
            };
            spots[next]
        }
        _ => {
            let mut scroll = Scroll::default();
            scroll.to(at, rows.len(), height);
            scroll.act(action, rows.len(), height);
            let wanted = scroll.cursor(rows.len()).unwrap_or(0);
            *spots
                .iter()
                .min_by_key(|n| n.abs_diff(wanted))
                .unwrap_or(&at)
        }
    };
    desk.put(&rows, target);
}

fn scroll(desk: &mut Desk, world: World<'_>, action: Action) {
    let Some(sheet) = screens::sheet(desk, world, desk.area()) else {
        return;
    };
    let height = sheet.height.max(1);
    let most = sheet.lines.len().saturating_sub(height);
    let top = sheet.top(desk.place.top);
    let next = match action {
        Action::NextRow => top + 1,
        Action::PreviousRow => top.saturating_sub(1),
        Action::FirstRow => 0,
        Action::LastRow => most,
        Action::HalfPageDown => top + height.div_ceil(2),
        Action::HalfPageUp => top.saturating_sub(height.div_ceil(2)),
        Action::PageDown => top + height,
        Action::PageUp => top.saturating_sub(height),
        _ => return,
    };
    desk.place.top = Some(next.min(most));
}

/// Scrolls by some lines, as a wheel does.
pub(super) fn wheel(desk: &mut Desk, world: World<'_>, down: bool) {
    match desk.place.screen {
        Screen::Releases => {
            let rows = desk.rows(world, desk.size.width);
            let height = desk.rows_height(rows.len());
            desk.rows.wheel(down, rows.len(), height);
            // the cursor stays in sight, on a row where it can stand
            let at = desk.rows.cursor(rows.len()).unwrap_or(0);
            let spots = (0..rows.len()).filter(|n| rows[*n].spot().is_some());
            if let Some(near) = spots.min_by_key(|n| n.abs_diff(at)) {
                desk.put(&rows, near);
            }
        }
        _ => {
            let action = if down {
                Action::NextRow
            } else {
                Action::PreviousRow
            };
            let steps = match desk.place.screen {
                Screen::Approvals | Screen::Metrics | Screen::Calendar => 1,
                _ => 3,
            };
            for _ in 0..steps {
                step(desk, world, action);
            }
        }
    }
}

impl Desk {
    /// The whole screen.
    pub(in crate::tui) fn area(&self) -> Rect {
        Rect::new(0, 0, self.size.width, self.size.height)
    }

    /// The lines that the list of the releases screen has.
    pub(in crate::tui) fn rows_height(&self, rows: usize) -> usize {
        let body = layout::frame(self.area()).body;
        usize::from(layout::releases(body, rows).list.height)
    }

    /// The line on which the cursor of the releases screen stands.
    pub(in crate::tui) fn spot_row(&self, rows: &[Row]) -> Option<usize> {
        rows.iter()
            .position(|row| row.spot().is_some() && row.spot() == self.spot)
    }

    /// Puts the cursor of the releases screen on a line.
    pub(in crate::tui) fn put(&mut self, rows: &[Row], line: usize) {
        let height = self.rows_height(rows.len());
        self.rows.to(line, rows.len(), height);
        if let Some(spot) = rows.get(line).and_then(|row| row.spot()) {
            self.spot = Some(spot);
            self.subject = match spot {
                Spot::Release(id) => Some(id),
                Spot::ClosedHead => None,
            };
        }
    }

    /// Brings the cursors to where their releases are now; where one is gone, to what took its
    /// place.
    pub(in crate::tui) fn keep_cursor(&mut self, world: World<'_>) {
        match self.place.screen {
            Screen::Approvals => {
                let ids = screens::approvals::queue(self, world);
                let at = ids.iter().position(|id| Some(*id) == self.voting);
                let at = at.or_else(|| self.queue.cursor(ids.len()));
                if let Some(at) = at {
                    let height = queue_height(self, ids.len());
                    self.queue.to(at, ids.len(), height);
                }
                self.voting = at.map(|at| ids[at]);
                self.subject = self.voting;
            }
            Screen::Metrics => {
                let names = screens::metrics::names(self, world);
                let at = names.iter().position(|n| Some(n) == self.metric.as_ref());
                let at = at.or_else(|| {
                    // the worst first, until the person chooses
                    self.metric
                        .is_none()
                        .then(|| screens::metrics::worst(self, world))?
                });
                let at = at.or_else(|| self.metrics.cursor(names.len()));
                if let Some(at) = at {
                    self.metrics.to(at, names.len(), names.len());
                    self.metric = Some(names[at].clone());
                }
            }
            Screen::Releases => {
                let rows = self.rows(world, self.size.width);
                let before = self.rows.cursor(rows.len()).unwrap_or(0);
                let spots = (0..rows.len()).filter(|n| rows[*n].spot().is_some());
                let at = self
                    .spot_row(&rows)
                    .or_else(|| spots.min_by_key(|n| n.abs_diff(before)));
                match at {
                    Some(at) => self.put(&rows, at),
                    None => self.subject = None,
                }
            }
            Screen::Calendar => {
                self.page.refresh(world, self.zone);
                self.subject = self.page.release().or(self.subject);
            }
            Screen::Rollout | Screen::Help | Screen::Notices => {}
        }
    }
}
