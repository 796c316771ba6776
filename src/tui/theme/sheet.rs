//! A theme file: `inherits`, `[palette]`, `[roles]`.

use std::collections::BTreeMap;
use std::ops::Range;

use ratatui::style::{Color, Modifier, Style};

use crate::domain::Notice;
use crate::domain::text::printable;
use crate::domain::words::nearest;

use super::super::caps::Depth;
use super::super::color::{self, Paint};
use super::super::located::{Line, Parsed, SourceFile, hint};
use super::Role;

/// Words for how letters look besides their colour.
const MODIFIERS: [(&str, Modifier); 6] = [
    ("bold", Modifier::BOLD),
    ("dim", Modifier::DIM),
    ("italic", Modifier::ITALIC),
    ("underlined", Modifier::UNDERLINED),
    ("reversed", Modifier::REVERSED),
    ("plain", Modifier::empty()),
];

/// How a theme wants a role to look, where it says so.
#[derive(Clone, Debug, Default)]
struct Look {
    fg: Option<Ink>,
    bg: Option<Ink>,
    modifier: Option<Modifier>,
}

/// A colour as a role names it. A name stays a name until the end: a theme that inherits the role
/// may have another colour under it.
#[derive(Clone, Debug)]
enum Ink {
    Named(String),
    Paint(Paint),
}

/// A theme as its file has it, with what it inherits.
#[derive(Clone, Debug, Default)]
pub(super) struct Sheet {
    palette: BTreeMap<String, Paint>,
    looks: BTreeMap<Role, Look>,
}

impl Sheet {
    /// Reads a file; a line that makes no sense is told and skipped.
    pub(super) fn read(
        file: SourceFile<'_>,
        name: &str,
        others: &BTreeMap<String, Sheet>,
        notices: &mut Vec<Notice>,
    ) -> Sheet {
        let parsed = file.parse("theme-syntax");
        notices.extend_from_slice(&parsed.notices);
        let top = parsed.top();
        let mut sheet = others
            .get(name)
            .or_else(|| others.get("dark"))
            .cloned()
            .unwrap_or_default();
        for line in &top {
            match (line.key, line.value.as_str()) {
                ("inherits", Some("none")) => sheet = Sheet::default(),
                ("inherits", Some(base)) if others.contains_key(base) => {
                    sheet = others.get(base).cloned().unwrap_or_default();
                }
                ("inherits", base) => {
                    let near = base.and_then(|b| nearest(b, others.keys().map(String::as_str)));
                    notices.push(
                        Notice::error("theme-inherits", "`inherits` names no theme")
                            .next(hint(near, "write the name of a theme, or \"none\""))
                            .at(file.place(&line.value_span)),
                    );
                }
                ("palette" | "roles", None) if line.value.is_table() => {}
                (other, _) => notices.push(
                    Notice::error(
                        "theme-table",
                        format!("`{}` means nothing here", printable(other, 40)),
                    )
                    .detail("it is skipped")
                    .next(hint(
                        nearest(other, ["inherits", "palette", "roles"]),
                        "a theme has `inherits`, [palette] and [roles]",
                    ))
                    .at(file.place(&line.key_span)),
                ),
            }
        }
        // the palette first: roles use its names wherever they stand
        for wanted in ["palette", "roles"] {
            for line in top.iter().filter(|line| line.key == wanted) {
                sheet.table(wanted == "palette", line, &parsed, file, notices);
            }
        }
        sheet
    }

    fn table<'a>(
        &mut self,
        palette: bool,
        table: &Line<'a>,
        parsed: &'a Parsed<'a>,
        file: SourceFile<'_>,
        notices: &mut Vec<Notice>,
    ) {
        let Some(table) = table.value.as_table() else {
            return;
        };
        for line in parsed.lines(table) {
            let result = match line.value.as_str() {
                None => Err(Wrong {
                    headline: format!(
                        "a text in quotes is expected, not {}",
                        line.value.type_str()
                    ),
                    next: "write \"#ffaf00\", \"bright-red\" or \"amber bold\"".to_owned(),
                    span: line.value_span.clone(),
                }),
                Some(text) if palette => self.colour(line.key, text, &line.value_span),
                Some(text) => self.role(&line, text),
            };
            if let Err(wrong) = result {
                notices.push(
                    Notice::error("theme-line", wrong.headline)
                        .detail("the line is skipped")
                        .next(wrong.next)
                        .at(file.place(&wrong.span)),
                );
            }
        }
    }

    /// `amber = "#fdb500"`, or with the choice for sixteen colours, `"#fdb500 / bright-yellow"`.
    fn colour(&mut self, name: &str, text: &str, span: &Range<usize>) -> Result<(), Wrong> {
        let one = |word: &str| {
            color::parse(word.trim()).ok_or_else(|| Wrong::colour(word.trim(), &[], span))
        };
        let (full, few) = match text.split_once('/') {
            None => (one(text)?, None),
            Some((full, few)) => (one(full)?, Some(one(few)?)),
        };
        self.palette.insert(name.to_owned(), Paint { full, few });
        Ok(())
    }

    /// `"status.bad" = "red bold"`, `"row.cursor" = "on raised"`.
    fn role(&mut self, line: &Line<'_>, text: &str) -> Result<(), Wrong> {
        let Some(role) = Role::find(line.key) else {
            let near = nearest(line.key, Role::ALL.iter().map(|r| r.name()));
            return Err(Wrong {
                headline: format!("`{}` is no role", printable(line.key, 40)),
                next: hint(near, "the built-in themes list the roles"),
                span: line.key_span.clone(),
            });
        };
        let mut look = Look::default();
        let mut words = text.split_whitespace();
        while let Some(word) = words.next() {
            if let Some((_, modifier)) = MODIFIERS.iter().find(|(name, _)| *name == word) {
                look.modifier = Some(look.modifier.unwrap_or_default() | *modifier);
            } else if word == "on" {
                look.bg = Some(self.ink(words.next().unwrap_or(""), &line.value_span)?);
            } else {
                look.fg = Some(self.ink(word, &line.value_span)?);
            }
        }
        self.looks.insert(role, look);
        Ok(())
    }

    fn ink(&self, word: &str, span: &Range<usize>) -> Result<Ink, Wrong> {
        if self.palette.contains_key(word) {
            return Ok(Ink::Named(word.to_owned()));
        }
        let names: Vec<&str> = self.palette.keys().map(String::as_str).collect();
        color::parse(word)
            .map(|full| Ink::Paint(Paint { full, few: None }))
            .ok_or_else(|| Wrong::colour(word, &names, span))
    }

    /// One style for each role, in the colours that there are.
    pub(super) fn styles(&self, depth: Depth) -> [Style; Role::COUNT] {
        let mut styles = [Style::new(); Role::COUNT];
        for (at, role) in Role::ALL.iter().enumerate() {
            let look = self.look(*role);
            let mut style = Style::new().add_modifier(look.modifier.unwrap_or_default());
            style.fg = Some(look.fg.map_or(Color::Reset, |ink| self.color(&ink, depth)));
            style.bg = look.bg.map(|ink| self.color(&ink, depth));
            styles[at] = style;
        }
        styles
    }

    fn color(&self, ink: &Ink, depth: Depth) -> Color {
        match ink {
            Ink::Paint(paint) => paint.at(depth),
            Ink::Named(name) => self
                .palette
                .get(name)
                .map_or(Color::Reset, |paint| paint.at(depth)),
        }
    }

    /// What a role looks like, with what it has of its parents. The screen's own background is
    /// not handed down, or text would punch holes into a row that is highlighted.
    fn look(&self, role: Role) -> Look {
        let own = self.looks.get(&role).cloned().unwrap_or_default();
        if role == role.parent() {
            return own;
        }
        let parent = self.look(role.parent());
        Look {
            fg: own.fg.or(parent.fg),
            bg: own.bg.or(if role.parent() == Role::Text {
                None
            } else {
                parent.bg
            }),
            modifier: own.modifier.or(parent.modifier),
        }
    }
}

/// What is wrong with a line, where, and what would be right.
struct Wrong {
    headline: String,
    next: String,
    span: Range<usize>,
}

impl Wrong {
    fn colour(word: &str, palette: &[&str], span: &Range<usize>) -> Wrong {
        let names = palette
            .iter()
            .copied()
            .chain(color::NAMES.iter().map(|(name, _)| *name))
            .chain(MODIFIERS.iter().map(|(name, _)| *name));
        Wrong {
            headline: format!("`{}` is no colour", printable(word, 40)),
            next: hint(
                nearest(word, names),
                "write #rrggbb, a name such as bright-red, or one of your palette",
            ),
            span: span.clone(),
        }
    }
}
