//! What means what colour: a closed list of roles, and theme files that say how each looks.
//!
//! A theme is resolved once for a terminal's capabilities to one style for each role. Screens
//! name roles, never colours.

use std::collections::BTreeMap;

use ratatui::style::Style;

use crate::domain::Notice;

use super::caps::{Background, Caps, Depth};
use super::glyph::Glyph;
use super::located::SourceFile;

mod sheet;

use sheet::Sheet;

macro_rules! roles {
    ($( $(#[$doc:meta])* $variant:ident $name:literal $parent:ident; )*) => {
        /// What a piece of a screen means; how it looks is the theme's business.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Role { $( $(#[$doc])* $variant, )* }

        impl Role {
            /// Every role.
            pub const ALL: &'static [Role] = &[$( Role::$variant, )*];
            /// How many there are.
            pub const COUNT: usize = Role::ALL.len();

            /// Its name in theme files.
            pub const fn name(self) -> &'static str {
                match self { $( Role::$variant => $name, )* }
            }

            /// The role whose look it has where a theme does not say; its own for the root.
            pub const fn parent(self) -> Role {
                match self { $( Role::$variant => Role::$parent, )* }
            }
        }
    };
}

roles! {
    /// Plain text on the background; the screen is filled with it first.
    Text "text" Text;
    /// What the eye should find first: names, values.
    Strong "text.strong" Text;
    /// What is there when looked for: labels, times, what is old.
    Dim "text.dim" Text;
    /// Headings of groups and columns.
    Heading "text.heading" Strong;
    /// What matches the filter.
    Match "text.match" Strong;
    /// Rules between parts.
    Rule "rule" Dim;
    /// The product's name.
    Brand "frame.brand" Strong;
    /// The name of a screen in the first line.
    Tab "frame.tab" Text;
    /// The name of the screen that is shown.
    TabActive "frame.tab.active" Strong;
    /// The key in a hint.
    Key "hint.key" Strong;
    /// What a key does.
    Hint "hint" Text;
    /// A key that does nothing now.
    HintOff "hint.off" Dim;
    /// The row under the cursor.
    RowCursor "row.cursor" Text;
    /// A marked row.
    RowMarked "row.marked" Strong;
    /// Waits on a person.
    StatusPerson "status.person" Text;
    /// The engine is moving.
    StatusMoving "status.moving" Text;
    /// Proven good.
    StatusGood "status.good" Text;
    /// Proven bad, or going back.
    StatusBad "status.bad" Text;
    /// Past, or not reached.
    StatusHistory "status.history" Dim;
    /// Not known.
    StatusUnknown "status.unknown" Text;
    /// The new version.
    New "version.new" Text;
    /// The old version.
    Old "version.old" Text;
    /// The part of a bar that is done.
    BarDone "bar.done" StatusGood;
    /// The part of a bar that moves.
    BarMoving "bar.moving" StatusMoving;
    /// The part of a bar that goes back or failed.
    BarBad "bar.bad" StatusBad;
    /// The part of a bar to come.
    BarRest "bar.rest" Dim;
    /// Axes and labels of a chart.
    Axis "chart.axis" Dim;
    /// What is allowed, in a chart.
    Limit "chart.limit" StatusBad;
    /// A vertical line at a moment, in a chart.
    Marker "chart.marker" Dim;
    /// A dialog's text.
    Dialog "dialog" Text;
    /// A dialog's border.
    DialogBorder "dialog.border" Rule;
    /// A dialog's title.
    DialogTitle "dialog.title" Strong;
    /// The border of a dialog about something that is hard to take back.
    DialogDanger "dialog.danger" StatusBad;
    /// A field to write in.
    Entry "entry" Dialog;
    /// What stands in an empty field.
    EntryEmpty "entry.empty" Dim;
    /// What is selected in a list of suggestions.
    Choice "choice" RowCursor;
    /// Good to know.
    NoticeInfo "notice.info" Text;
    /// Something will need somebody soon.
    NoticeWarning "notice.warning" StatusPerson;
    /// Something was refused or failed.
    NoticeError "notice.error" StatusBad;
    /// What the old version's value allows, in a chart.
    Tolerated "chart.tolerated" Text;
    /// Between what the new version lies, in a chart.
    Band "chart.band" BarRest;
    /// The ends of it, in words.
    BandEnd "chart.band.end" New;
}

impl Role {
    /// The role of that name.
    pub fn find(name: &str) -> Option<Role> {
        Role::ALL.iter().copied().find(|role| role.name() == name)
    }
}

/// One style for each role, for one terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Theme {
    name: String,
    styles: [Style; Role::COUNT],
    unicode: bool,
}

impl Theme {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How a role looks. Only [`Role::Text`] and roles that fill an area set a background, so
    /// that text can be painted over a row in any role.
    pub const fn style(&self, role: Role) -> Style {
        self.styles[role as usize]
    }

    /// How the letters of a role look over a ground that is painted already: the screen's own
    /// ground would punch holes into a row that is highlighted, or into a dialog.
    pub const fn ink(&self, role: Role) -> Style {
        let mut style = self.style(role);
        if matches!(role, Role::Text) {
            style.bg = None;
        }
        style
    }

    /// A sign in what this terminal can show.
    pub const fn glyph(&self, glyph: Glyph) -> &'static str {
        glyph.text(self.unicode)
    }

    /// Whether signs are Unicode.
    pub const fn unicode(&self) -> bool {
        self.unicode
    }
}

/// The themes that come with the program.
pub const BUILT_IN: &[(&str, &str)] = &[
    ("dark", include_str!("../../themes/dark.toml")),
    ("light", include_str!("../../themes/light.toml")),
    ("contrast", include_str!("../../themes/contrast.toml")),
    ("mono", include_str!("../../themes/mono.toml")),
];

/// The name that chooses a theme by the terminal.
pub const AUTO: &str = "auto";

/// All themes there are: the built-in ones and the user's own.
#[derive(Clone, Debug)]
pub struct Themes {
    sheets: BTreeMap<String, Sheet>,
    names: Vec<String>,
}

impl Themes {
    /// The built-in themes and the user's files, and what was wrong with the files. A file's theme
    /// has the file's name without folder and ending; one that has the name of a built-in theme
    /// takes its place, and inherits it when it does not say otherwise.
    pub fn load(user: &[SourceFile<'_>]) -> (Themes, Vec<Notice>) {
        let mut themes = Themes {
            sheets: BTreeMap::new(),
            names: Vec::new(),
        };
        let mut notices = Vec::new();
        for (name, text) in BUILT_IN {
            themes.add(name, SourceFile { name, text }, &mut notices);
        }
        for file in user {
            let base = file.name.rsplit(['/', '\\']).next().unwrap_or(file.name);
            let name = base.strip_suffix(".toml").unwrap_or(base);
            themes.add(name, *file, &mut notices);
        }
        (themes, notices)
    }

    fn add(&mut self, name: &str, file: SourceFile<'_>, notices: &mut Vec<Notice>) {
        let sheet = Sheet::read(file, name, &self.sheets, notices);
        self.sheets.insert(name.to_owned(), sheet);
        if !self.names.iter().any(|n| n == name) {
            self.names.push(name.to_owned());
        }
    }

    /// The names that can be chosen, `auto` first.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(AUTO).chain(self.names.iter().map(String::as_str))
    }

    /// The theme of that name for a terminal; `None` when there is none.
    pub fn find(&self, name: &str, caps: Caps) -> Option<Theme> {
        let chosen = if caps.depth == Depth::None {
            // without colours, only the theme that was made without them tells states apart
            "mono"
        } else if name == AUTO {
            match (caps.background, caps.depth) {
                // dark letters need more than sixteen colours to be told apart on white
                (Some(Background::Light), Depth::Ansi256 | Depth::True) => "light",
                _ => "dark",
            }
        } else {
            name
        };
        let sheet = self.sheets.get(chosen)?;
        (name == AUTO || self.sheets.contains_key(name)).then(|| Theme {
            name: name.to_owned(),
            styles: sheet.styles(caps.depth),
            unicode: caps.unicode,
        })
    }

    /// The theme of that name, or `auto` with a notice when there is none.
    pub fn choose(&self, name: &str, caps: Caps) -> (Theme, Option<Notice>) {
        if let Some(theme) = self.find(name, caps) {
            return (theme, None);
        }
        let near = crate::domain::words::nearest(name, self.names());
        let notice = Notice::warning(
            "theme-unknown",
            format!(
                "there is no theme `{}`",
                crate::domain::text::printable(name, 40)
            ),
        )
        .detail("the built-in one is used")
        .next(super::located::hint(
            near,
            &format!("themes are {}", self.names().collect::<Vec<_>>().join(", ")),
        ));
        let auto = self.find(AUTO, caps).unwrap_or_else(|| Theme {
            name: AUTO.to_owned(),
            styles: [Style::new(); Role::COUNT],
            unicode: caps.unicode,
        });
        (auto, Some(notice))
    }

    /// The built-in theme for a terminal.
    pub fn auto(caps: Caps) -> Theme {
        Themes::load(&[]).0.choose(AUTO, caps).0
    }
}

#[cfg(test)]
mod tests;
