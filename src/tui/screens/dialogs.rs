//! What lies over a screen: a box is for a dialog alone.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use super::super::action::Action;
use super::super::desk::Desk;
use super::super::dialog::palette::{Suggestion, suggestions};
use super::super::dialog::{Confirm, Overlay, Palette, Results, effect, text_label};
use super::super::glyph::Glyph;
use super::super::offer;
use super::super::rich::{self, Line};
use super::super::say;
use super::super::theme::Role;
use super::super::widgets::text::fill;
use super::super::widgets::{Draft, Frame, Pen, width};
use super::super::world::World;

/// The widest text of a dialog.
const WIDEST: u16 = 84;

/// Paints what lies over the screen, and says where the cursor stands.
pub(super) fn paint(
    desk: &Desk,
    world: World<'_>,
    area: Rect,
    buffer: &mut Buffer,
) -> Option<Position> {
    match desk.overlay.as_ref()? {
        Overlay::Filter(_) => None,
        Overlay::Palette(palette) => palette_box(desk, world, palette, area, buffer),
        Overlay::Confirm(confirm) => confirm_box(desk, world, confirm, area, buffer),
        Overlay::Comment(id, draft) => {
            let title = format!("Comment of your vote on {id}");
            let form = Form {
                title: &title,
                danger: false,
                lines: vec![Line::of(Role::Dim, "it goes with your next vote")],
                fields: vec![Field {
                    label: "comment".to_owned(),
                    draft,
                    empty: "what the others should know",
                    rows: 1,
                    active: true,
                }],
                accept: "keep it".to_owned(),
                dismiss: "leave it",
                top: 0,
            };
            form.paint(desk, area, buffer)
        }
        Overlay::Results(results) => {
            results_box(desk, results, area, buffer);
            None
        }
        Overlay::Leave => {
            let (effect, then) = if desk.ends {
                (
                    "The demo ends: its engine and its fleet stop.",
                    "A room given with --room keeps its ledger.",
                )
            } else {
                (
                    "Releases go on without you: the engine drives them.",
                    "Come back at any time.",
                )
            };
            let form = Form {
                title: "Leave the room?",
                danger: false,
                lines: vec![Line::of(Role::Text, effect), Line::of(Role::Dim, then)],
                fields: Vec::new(),
                accept: "leave".to_owned(),
                dismiss: "stay",
                top: 0,
            };
            form.paint(desk, area, buffer)
        }
    }
}

/// A field of a dialog.
struct Field<'a> {
    label: String,
    draft: &'a Draft,
    empty: &'a str,
    rows: u16,
    active: bool,
}

/// A dialog: lines, fields, and what enter and esc do.
struct Form<'a> {
    title: &'a str,
    danger: bool,
    lines: Vec<Line>,
    fields: Vec<Field<'a>>,
    /// What enter does; empty where it does nothing.
    accept: String,
    /// What esc does; empty where it does the same.
    dismiss: &'static str,
    top: usize,
}

/// The column where the fields of a dialog begin.
const FIELD: u16 = 10;

impl Form<'_> {
    fn paint(&self, desk: &Desk, area: Rect, buffer: &mut Buffer) -> Option<Position> {
        let theme = desk.theme();
        let wide = self.lines.iter().map(Line::width).max().unwrap_or(0);
        let wide = u16::try_from(wide).unwrap_or(WIDEST).clamp(46, WIDEST);
        let fields: u16 = self.fields.iter().map(|f| f.rows).sum();
        let lines = u16::try_from(self.lines.len()).unwrap_or(u16::MAX);
        let blank = u16::from(fields > 0);
        let wanted = lines.saturating_add(blank + fields + 2);
        let frame = Frame {
            title: self.title,
            danger: self.danger,
            cols: wide,
            rows: wanted,
        };
        let inside = frame.paint(buffer, area, theme);
        if inside.is_empty() {
            return None;
        }
        // the fields and the keys keep their place when there is no room for all lines
        let air = u16::from(inside.height >= wanted);
        let foot = (fields + 1 + air).min(inside.height);
        let text = Rect {
            height: inside.height - foot,
            ..inside
        };
        let hidden = self.lines.len().saturating_sub(usize::from(text.height));
        let top = self.top.min(hidden);
        rich::paint(self.lines.iter().skip(top), buffer, text, theme);
        if hidden > top && text.height > 0 {
            let more = Rect {
                x: text.right() - 1,
                y: text.bottom() - 1,
                width: 1,
                height: 1,
            };
            Pen::new(buffer, theme, more).glyph(Role::Dim, Glyph::Below);
        }
        let mut cursor = None;
        let mut y = text.bottom();
        for field in &self.fields {
            let rows = field.rows.min(inside.bottom().saturating_sub(y));
            let line = Rect {
                y,
                height: rows,
                ..inside
            };
            let role = if field.active {
                Role::Strong
            } else {
                Role::Dim
            };
            Pen::new(buffer, theme, line).text(role, &field.label);
            let cells = u16::try_from(width(&field.label) + 1).unwrap_or(FIELD);
            let label = cells.max(FIELD).min(line.width.saturating_sub(6));
            let entry = Rect {
                x: line.x + label,
                width: line.width - label,
                ..line
            };
            let at = field.draft.paint(buffer, entry, theme, field.empty);
            if field.active {
                cursor = at;
            }
            y += rows;
        }
        self.keys(desk, inside, buffer);
        cursor
    }

    /// What enter and esc do, at the right of the last line.
    fn keys(&self, desk: &Desk, inside: Rect, buffer: &mut Buffer) {
        let theme = desk.theme();
        let stack = desk.contexts();
        let key = |action: Action| {
            desk.keymap
                .key(stack, action)
                .map_or_else(|| format!(":{action}"), ToString::to_string)
        };
        let mut keys = Vec::new();
        if self.fields.len() > 1 {
            keys.push((key(Action::NextField), "other field".to_owned()));
        }
        if !self.accept.is_empty() {
            keys.push((key(Action::Accept), self.accept.clone()));
        }
        if !self.dismiss.is_empty() {
            keys.push((key(Action::Dismiss), self.dismiss.to_owned()));
        }
        let cells: usize = keys.iter().map(|(k, l)| width(k) + 1 + width(l) + 3).sum();
        let line = Rect {
            y: inside.bottom().saturating_sub(1),
            height: 1,
            ..inside
        };
        let mut pen = Pen::new(buffer, theme, line);
        pen.skip(usize::from(line.width).saturating_sub(cells.saturating_sub(3)));
        for (key, label) in keys {
            pen.text(Role::Key, &key)
                .skip(1)
                .text(Role::Hint, &label)
                .skip(3);
        }
    }
}

fn confirm_box(
    desk: &Desk,
    world: World<'_>,
    confirm: &Confirm,
    area: Rect,
    buffer: &mut Buffer,
) -> Option<Position> {
    let cols = WIDEST.min(area.width.saturating_sub(4));
    let moved = confirm.moved_on(world);
    let (title, mut lines, refused) = match confirm.seen.as_slice() {
        [one] => {
            let release = world.release(one.id).unwrap_or(one);
            let label = match offer::choice(confirm.action) {
                Some(choice) => say::vote(choice),
                None => offer::label(confirm.action, release),
            };
            let title = format!(
                "{}: {} {} {} {}",
                say::capital(&label),
                one.id,
                release.subject(),
                desk.theme().glyph(Glyph::Arrow),
                release.plan.environment
            );
            let lines = effect::lines(world, desk.asker(), confirm.action, one, desk.zone, cols);
            (title, lines, None)
        }
        many => many_lines(desk, world, confirm, many),
    };
    if let Some(words) = &moved {
        lines = Line::wrapped(Role::StatusBad, words, 0, cols);
        lines.push(Line::new());
        lines.push(Line::of(
            Role::Text,
            "Nothing was done. Look again, then decide.",
        ));
    }
    let mut fields = Vec::new();
    if moved.is_none() {
        let focus_text = confirm.on_text || confirm.typed.is_none();
        if let (Some(draft), Some(label)) = (&confirm.text, text_label(confirm.action)) {
            fields.push(Field {
                label: label.to_owned(),
                draft,
                empty: match confirm.action {
                    Action::HandOver => "what the next shift must know",
                    Action::PromoteAll => "why it is right to skip them",
                    Action::RequestChanges => "what shall be changed",
                    _ => "optional",
                },
                rows: if confirm.action == Action::HandOver {
                    4
                } else {
                    1
                },
                active: focus_text,
            });
        }
        if let Some((word, draft)) = &confirm.typed {
            fields.push(Field {
                label: format!("type {word} to go on:"),
                draft,
                empty: "",
                rows: 1,
                active: !focus_text,
            });
        }
    }
    let ready = moved.is_none() && confirm.missing().is_none() && refused != Some(true);
    let accept = match (ready, confirm.missing()) {
        (true, _) => accept_words(confirm),
        _ => String::new(),
    };
    let danger = confirm.typed.is_some() || confirm.action == Action::Reject;
    Form {
        title: &title,
        danger,
        lines,
        fields,
        accept,
        dismiss: "leave it",
        top: confirm.top,
    }
    .paint(desk, area, buffer)
}

/// What enter does in a dialog.
fn accept_words(confirm: &Confirm) -> String {
    let verb = match confirm.action {
        Action::Resume => "go on",
        Action::HandOver => "leave the note",
        Action::Cancel => "cancel it",
        Action::RequestChanges => "ask for changes",
        Action::TakeBack => "take it back",
        other => other.info().label,
    };
    match confirm.seen.len() {
        1 => verb.to_owned(),
        n => format!("{verb} {n}"),
    }
}

/// The lines of a dialog about many releases: what will become of each.
fn many_lines(
    desk: &Desk,
    world: World<'_>,
    confirm: &Confirm,
    many: &[std::sync::Arc<crate::domain::Release>],
) -> (String, Vec<Line>, Option<bool>) {
    let mut lines = Vec::new();
    let mut able = 0;
    for seen in many {
        let release = world.release(seen.id).unwrap_or(seen);
        let refused = offer::refusal(world, desk.asker(), seen.id, confirm.action);
        let (role, glyph, words) = match refused {
            None => {
                able += 1;
                let words = match offer::choice(confirm.action) {
                    Some(choice) => format!(
                        "{}, plan {}",
                        say::vote(choice),
                        crate::domain::refusal::short(&seen.digest)
                    ),
                    None => offer::label(confirm.action, release),
                };
                (Role::Text, Glyph::Here, words)
            }
            Some(notice) => (Role::Dim, Glyph::NotReached, notice.headline),
        };
        lines.push(
            Line::new()
                .sign(role, glyph)
                .gap(1)
                .left(Role::Strong, seen.id.to_string(), 6)
                .gap(1)
                .left(Role::Text, release.subject(), 22)
                .gap(1)
                .text(role, words),
        );
    }
    if able < many.len() {
        let text = format!("{} will be left as they are", many.len() - able);
        lines.push(Line::of(Role::Dim, text));
    }
    let title = format!(
        "{}: {}",
        say::capital(confirm.action.info().label),
        say::count(many.len(), "release")
    );
    (title, lines, Some(able == 0))
}

fn results_box(desk: &Desk, results: &Results, area: Rect, buffer: &mut Buffer) {
    let mut lines = Vec::new();
    for row in &results.rows {
        let (role, glyph, words) = match &row.answer {
            None => (Role::StatusMoving, Glyph::Moving, "asked".to_owned()),
            Some(Ok(())) => (Role::StatusGood, Glyph::Done, "done".to_owned()),
            Some(Err(notice)) => (Role::StatusBad, Glyph::Failed, notice.headline.clone()),
        };
        lines.push(
            Line::new()
                .sign(role, glyph)
                .gap(1)
                .left(Role::Strong, row.release.to_string(), 6)
                .gap(1)
                .left(Role::Text, row.subject.clone(), 22)
                .gap(1)
                .text(role, words),
        );
    }
    let title = format!(
        "{}: what became of {}",
        say::capital(results.action.info().label),
        say::count(results.rows.len(), "release")
    );
    Form {
        title: &title,
        danger: false,
        lines,
        fields: Vec::new(),
        accept: "close".to_owned(),
        dismiss: "",
        top: 0,
    }
    .paint(desk, area, buffer);
}

fn palette_box(
    desk: &Desk,
    world: World<'_>,
    palette: &Palette,
    area: Rect,
    buffer: &mut Buffer,
) -> Option<Position> {
    let theme = desk.theme();
    let found = suggestions(desk, world, &palette.draft.text());
    let cols = area.width.saturating_sub(8).clamp(1, 100);
    let rows = area.height.saturating_sub(6).clamp(1, 18);
    let frame = Frame {
        title: "Do",
        danger: false,
        cols,
        rows,
    };
    let inside = frame.paint(buffer, area, theme);
    if inside.is_empty() {
        return None;
    }
    let line = |y: u16| Rect {
        y,
        height: 1,
        ..inside
    };
    let mut pen = Pen::new(buffer, theme, line(inside.y));
    pen.text(Role::Key, ":").skip(1);
    let entry = Rect {
        x: pen.x(),
        width: u16::try_from(pen.room()).unwrap_or(0),
        ..line(inside.y)
    };
    let cursor = palette.draft.paint(
        buffer,
        entry,
        theme,
        "an action, a release, or `theme` and a name",
    );
    let height = usize::from(inside.height.saturating_sub(1));
    let choice = palette.choice.min(found.len().saturating_sub(1));
    let first = (choice + 1).saturating_sub(height);
    for (n, (y, suggestion)) in (inside.y + 1..inside.bottom())
        .zip(found.iter().skip(first))
        .enumerate()
    {
        suggested(desk, suggestion, first + n == choice, line(y), buffer);
    }
    if found.is_empty() {
        Pen::new(buffer, theme, line(inside.y + 1)).text(Role::Dim, "nothing is called so");
    }
    cursor
}

fn suggested(desk: &Desk, suggestion: &Suggestion, chosen: bool, line: Rect, buffer: &mut Buffer) {
    let theme = desk.theme();
    if chosen {
        fill(buffer, line, theme, Role::Choice);
    }
    let mut pen = Pen::new(buffer, theme, line);
    let role = match (&suggestion.refused, chosen) {
        (Some(_), _) => Role::HintOff,
        (None, true) => Role::Choice,
        (None, false) => Role::Strong,
    };
    if chosen {
        pen.glyph(Role::Choice, Glyph::Here).skip(1);
    } else {
        pen.skip(2);
    }
    if !suggestion.keys.is_empty() && line.width >= 50 {
        pen.at_end(Role::Key, &format!(" {}", suggestion.keys));
    }
    pen.left(role, &suggestion.name, 18).skip(1);
    match &suggestion.refused {
        Some(notice) => pen
            .glyph(Role::HintOff, Glyph::NotReached)
            .skip(1)
            .text(Role::HintOff, &notice.headline),
        None => pen.text(Role::Text, &suggestion.doc),
    };
}
