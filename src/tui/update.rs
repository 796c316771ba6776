//! From what a terminal says to what a desk becomes and asks for. Pure: the same input at the same
//! desk in the same world gives the same answer.

use crate::domain::{Notice, Timestamp};

use super::action::{Action, Group};
use super::desk::{Ask, Desk, Screen};
use super::dialog::{Overlay, Palette, palette};
use super::input::Input;
use super::key::Key;
use super::keymap::Resolved;
use super::theme::AUTO;
use super::world::World;

mod doing;
mod going;
mod mouse;

/// What an input does at a desk.
pub fn update(desk: &mut Desk, world: World<'_>, input: Input) -> Vec<Ask> {
    desk.changed();
    match input {
        Input::Key(key) => {
            desk.touched = world.now;
            press(desk, world, key)
        }
        Input::Paste(text) => {
            desk.touched = world.now;
            if let Some(draft) = desk.overlay.as_mut().and_then(Overlay::draft_mut) {
                draft.paste(&text);
                written(desk, world);
            }
            Vec::new()
        }
        Input::Mouse(event) => mouse::mouse(desk, world, event),
        Input::Resize { cols, rows } => {
            desk.size.width = cols;
            desk.size.height = rows;
            desk.keep_cursor(world);
            Vec::new()
        }
        Input::Background(background) => {
            desk.caps = desk.caps.on(background);
            let name = desk.theme_name.clone();
            desk.choose_theme(&name, world.now);
            Vec::new()
        }
    }
}

fn press(desk: &mut Desk, world: World<'_>, key: Key) -> Vec<Ask> {
    let stack = desk.contexts();
    match desk.keymap.resolve(stack, &desk.pending, key) {
        Resolved::Action(action) => {
            desk.pending.clear();
            act(desk, world, action)
        }
        Resolved::Pending(_) => {
            desk.pending.push(key);
            Vec::new()
        }
        Resolved::None => {
            let alone = desk.pending.is_empty();
            desk.pending.clear();
            if let Some(c) = key.typed().filter(|_| alone)
                && let Some(draft) = desk.overlay.as_mut().and_then(Overlay::draft_mut)
            {
                draft.insert(c);
                written(desk, world);
            }
            Vec::new()
        }
    }
}

/// What an action does at a desk, however it was called.
pub fn act(desk: &mut Desk, world: World<'_>, action: Action) -> Vec<Ask> {
    if desk.overlay.is_some() && action.info().group == Group::Write {
        return write(desk, world, action);
    }
    match action.info().group {
        Group::Move => going::step(desk, world, action),
        Group::Go | Group::Read => return going::go(desk, world, action),
        Group::Vote | Group::Control => return doing::begin(desk, world, action),
        Group::Room => return room(desk, world, action),
        Group::Write => {}
    }
    Vec::new()
}

fn room(desk: &mut Desk, world: World<'_>, action: Action) -> Vec<Ask> {
    match action {
        Action::Theme => {
            let names: Vec<String> = desk.themes.names().map(str::to_owned).collect();
            let at = names.iter().position(|n| *n == desk.theme_name);
            let next = at.map_or(0, |at| (at + 1) % names.len());
            if let Some(name) = names.get(next) {
                desk.choose_theme(name, world.now);
                let words = format!("the colours are `{name}`");
                desk.tell(Notice::info("theme", words), world.now);
            }
        }
        Action::Mouse => {
            desk.mouse = !desk.mouse;
            let words = if desk.mouse {
                "the mouse moves the cursor"
            } else {
                "the mouse selects text, as your terminal has it"
            };
            desk.tell(Notice::info("mouse", words), world.now);
            return vec![Ask::Mouse(desk.mouse)];
        }
        Action::Redraw => return vec![Ask::Redraw],
        Action::Suspend => return vec![Ask::Suspend],
        Action::Quit => return vec![Ask::Quit],
        Action::Leave if desk.back.is_empty() && desk.place.screen == Screen::Releases => {
            desk.overlay = Some(Overlay::Leave);
        }
        Action::Leave => going::back(desk, world),
        _ => {}
    }
    Vec::new()
}

/// What an action does to what lies over the screen.
fn write(desk: &mut Desk, world: World<'_>, action: Action) -> Vec<Ask> {
    match action {
        Action::Accept => return accept(desk, world),
        Action::Dismiss => {
            if matches!(desk.overlay, Some(Overlay::Filter(_))) {
                desk.filters.remove(&desk.place.screen);
                desk.keep_cursor(world);
            }
            desk.overlay = None;
            return Vec::new();
        }
        _ => {}
    }
    match &mut desk.overlay {
        Some(Overlay::Confirm(confirm)) => match action {
            Action::NextField | Action::PreviousField => confirm.other_field(),
            Action::CursorDown | Action::CursorUp if !confirm.things.is_empty() => {
                confirm.choose(action == Action::CursorDown);
            }
            Action::ScrollDown => confirm.top += 4,
            Action::ScrollUp => confirm.top = confirm.top.saturating_sub(4),
            _ => edit(desk, world, action),
        },
        Some(Overlay::Palette(_)) => in_palette(desk, world, action),
        Some(_) => edit(desk, world, action),
        None => {}
    }
    Vec::new()
}

fn edit(desk: &mut Desk, world: World<'_>, action: Action) {
    if let Some(draft) = desk.overlay.as_mut().and_then(Overlay::draft_mut)
        && draft.act(action)
    {
        written(desk, world);
    }
}

fn in_palette(desk: &mut Desk, world: World<'_>, action: Action) {
    let Some(Overlay::Palette(palette)) = &desk.overlay else {
        return;
    };
    let found = palette::suggestions(desk, world, &palette.draft.text());
    let Some(Overlay::Palette(palette)) = &mut desk.overlay else {
        return;
    };
    let last = found.len().saturating_sub(1);
    match action {
        Action::NextItem => palette.choice = (palette.choice + 1).min(last),
        Action::PreviousItem => palette.choice = palette.choice.saturating_sub(1),
        Action::NextField => {
            if let Some(chosen) = found.get(palette.choice.min(last)) {
                palette.draft.set(&chosen.name);
                palette.choice = 0;
            }
        }
        _ => edit(desk, world, action),
    }
}

/// A text has changed.
fn written(desk: &mut Desk, world: World<'_>) {
    match &mut desk.overlay {
        Some(Overlay::Filter(draft)) => {
            let text = draft.text();
            desk.filters.insert(desk.place.screen, text);
            desk.place.top = None;
            desk.keep_cursor(world);
        }
        Some(Overlay::Palette(palette)) => palette.choice = 0,
        _ => {}
    }
}

fn accept(desk: &mut Desk, world: World<'_>) -> Vec<Ask> {
    match desk.overlay.take() {
        Some(Overlay::Filter(_)) => {
            if desk.filter().trim().is_empty() {
                desk.filters.remove(&desk.place.screen);
            }
        }
        Some(Overlay::Palette(palette)) => return run(desk, world, &palette),
        Some(Overlay::Confirm(confirm)) => return doing::confirmed(desk, world, confirm),
        Some(Overlay::Comment(id, draft)) => {
            let text = draft.text();
            if text.trim().is_empty() {
                desk.comments.remove(&id);
            } else {
                desk.comments.insert(id, text);
                let words = format!("the comment goes with your vote on {id}");
                desk.tell(Notice::info("comment", words), world.now);
            }
        }
        Some(Overlay::Leave) => return vec![Ask::Quit],
        Some(Overlay::Results(_)) | None => {}
    }
    Vec::new()
}

/// Runs what is chosen in the palette.
fn run(desk: &mut Desk, world: World<'_>, chosen: &Palette) -> Vec<Ask> {
    let text = chosen.draft.text();
    if text.trim().is_empty() && chosen.choice == 0 {
        // nothing was chosen
        return Vec::new();
    }
    let found = palette::suggestions(desk, world, &text);
    let Some(suggestion) = found.get(chosen.choice.min(found.len().saturating_sub(1))) else {
        let word = text.split_whitespace().next().unwrap_or("").to_owned();
        let mut notice = Notice::warning("no-such-action", format!("nothing is called `{word}`"));
        if let Some(near) = Action::nearest(&word) {
            notice = notice.next(format!("did you mean `{near}`?"));
        }
        desk.tell(notice, world.now);
        return Vec::new();
    };
    match suggestion.run.clone() {
        palette::Run::Action(action) => act(desk, world, action),
        palette::Run::Release(id) => {
            going::show(desk, world, id);
            Vec::new()
        }
        palette::Run::Theme(name) => {
            desk.choose_theme(&name, world.now);
            Vec::new()
        }
    }
}

impl Desk {
    /// Changes the colours, also when the terminal turned out to be another than it seemed.
    pub(super) fn choose_theme(&mut self, name: &str, now: Timestamp) {
        let (theme, unknown) = self.themes.choose(name, self.caps);
        self.theme_name = if unknown.is_some() { AUTO } else { name }.to_owned();
        self.theme = theme;
        if let Some(notice) = unknown {
            self.tell(notice, now);
        }
    }
}
