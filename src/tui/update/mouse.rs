//! The mouse: it does nothing that keys cannot do, and never anything that changes a release.

use ratatui::layout::Position;

use super::super::desk::{Ask, Desk, Screen};
use super::super::input::{Mouse, MouseKind};
use super::super::layout;
use super::super::screens;
use super::super::world::World;
use super::going;

pub(super) fn mouse(desk: &mut Desk, world: World<'_>, event: Mouse) -> Vec<Ask> {
    if desk.overlay.is_some() {
        return Vec::new();
    }
    desk.touched = world.now;
    match event.kind {
        MouseKind::ScrollDown => going::wheel(desk, world, true),
        MouseKind::ScrollUp => going::wheel(desk, world, false),
        MouseKind::Press => return press(desk, world, Position::new(event.x, event.y)),
        MouseKind::Release | MouseKind::Drag => {}
    }
    Vec::new()
}

fn press(desk: &mut Desk, world: World<'_>, at: Position) -> Vec<Ask> {
    let frame = layout::frame(desk.area());
    if frame.title.contains(at) {
        let hit = screens::tabs(desk, world, frame.title)
            .into_iter()
            .find(|tab| tab.cells.contains(&at.x));
        return hit.map_or_else(Vec::new, |tab| going::go(desk, world, tab.action));
    }
    match desk.place.screen {
        Screen::Releases => {
            let rows = desk.rows(world, desk.size.width);
            let list = layout::releases(frame.body, rows.len()).list;
            if list.contains(at) {
                let view = desk.rows.view(rows.len(), usize::from(list.height));
                let mut line = view.start + usize::from(at.y - list.y);
                if matches!(rows.get(line), Some(super::super::order::Row::Second(_))) {
                    line -= 1;
                }
                if rows.get(line).is_some_and(|row| row.spot().is_some()) {
                    desk.put(&rows, line);
                }
            }
        }
        Screen::Approvals => {
            let ids = screens::approvals::queue(desk, world);
            let list = layout::approvals(frame.body, ids.len()).first;
            if list.contains(at) && at.y > list.y {
                let height = usize::from(list.height.saturating_sub(1));
                let view = desk.queue.view(ids.len(), height);
                let line = view.start + usize::from(at.y - list.y - 1);
                if let Some(id) = ids.get(line) {
                    desk.queue.to(line, ids.len(), height);
                    desk.voting = Some(*id);
                    desk.subject = Some(*id);
                }
            }
        }
        Screen::Metrics => {
            let names = screens::metrics::names(desk, world);
            let rows = screens::metrics::rows(desk, world, frame.body);
            if rows.contains(at) {
                let line = screens::metrics::first(desk, world, rows) + usize::from(at.y - rows.y);
                if let Some(name) = names.get(line) {
                    desk.metrics.to(line, names.len(), names.len());
                    desk.metric = Some(name.clone());
                }
            }
        }
        Screen::Rollout | Screen::Calendar | Screen::Help | Screen::Notices => {}
    }
    Vec::new()
}
