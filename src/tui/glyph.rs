//! Signs, each in Unicode and in ASCII, and the words that stand beside them.

use super::theme::Role;

macro_rules! glyphs {
    ($( $(#[$doc:meta])* $variant:ident $unicode:literal $ascii:literal; )*) => {
        /// One cell that means something. Where ASCII needs the meaning too, a word stands beside.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Glyph { $( $(#[$doc])* $variant, )* }

        impl Glyph {
            /// Every sign.
            pub const ALL: &'static [Glyph] = &[$( Glyph::$variant, )*];

            /// The sign, one cell wide.
            pub const fn text(self, unicode: bool) -> &'static str {
                match self {
                    $( Glyph::$variant => if unicode { $unicode } else { $ascii }, )*
                }
            }
        }
    };
}

glyphs! {
    /// Done, or proven good.
    Done "✓" "v";
    /// Failed, or proven bad.
    Failed "✗" "x";
    /// The release stands here.
    Here "▸" ">";
    /// Will not be reached any more.
    NotReached "⊘" "/";
    /// To come.
    ToCome "·" ".";
    /// Waits on a person.
    Waits "◷" "!";
    /// On its way.
    Moving "◐" "~";
    /// Goes back to what ran before.
    Back "↩" "<";
    /// Stands still because somebody paused it.
    Paused "‖" "=";
    /// Nobody knows.
    Unknown "?" "?";
    /// An instance that runs.
    Up "●" "*";
    /// An instance that does not run, or that was not touched.
    Off "○" "o";
    /// A batch that is done, in the short form of a ladder.
    BatchDone "◼" "#";
    /// A batch to come, in the short form of a ladder.
    BatchToCome "◻" "-";
    /// The row under the cursor.
    Cursor "▌" ">";
    /// A marked row.
    Mark "◆" "+";
    /// From one to the other.
    Arrow "→" ">";
    /// Between facts on a line.
    Dot "·" "-";
    /// A horizontal rule.
    Rule "─" "-";
    /// A vertical rule.
    Bar "│" "|";
    /// Text goes on.
    More "…" "~";
    /// More lines above.
    Above "↑" "^";
    /// More lines below.
    Below "↓" "v";
    /// Something needs attention.
    Alert "●" "!";
    /// The present moment.
    Now "┃" "|";
    /// A horizontal line in a chart: what is allowed.
    Dotted "╌" "-";
    /// A horizontal line in a chart: what must never be.
    HardLine "━" "=";
    /// Between what something lies, in a chart.
    Shade "░" ".";
    /// The upper end of what lies between two values.
    BandTop "┐" "]";
    /// The lower end of it.
    BandFoot "┘" "]";
    /// The end of a line in a chart, beside its name.
    LineEnd "╴" "-";
    /// To blame for what is said.
    Blamed "!" "!";
    /// Acts on nothing.
    Shadow "◌" "~";
    /// A vertical line in a chart: when something happened.
    Limit "┊" ":";
    /// The filled part of a progress bar.
    Full "█" "#";
    /// The part of a progress bar that is changing.
    Half "▓" "=";
    /// The part of a progress bar to come.
    Empty "░" ".";
    /// The part of a bar that runs what ran before.
    Low "▂" "_";
}

/// What a colour means: each has its role, its sign and its word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// Waits on a person.
    Person,
    /// The engine is moving.
    Moving,
    /// Proven good.
    Good,
    /// Proven bad, or going back.
    Bad,
    /// Past, or not reached.
    History,
    /// Not known.
    Unknown,
}

impl Status {
    /// Every status.
    pub const ALL: [Status; 6] = [
        Status::Person,
        Status::Moving,
        Status::Good,
        Status::Bad,
        Status::History,
        Status::Unknown,
    ];

    /// How it is painted.
    pub const fn role(self) -> Role {
        match self {
            Status::Person => Role::StatusPerson,
            Status::Moving => Role::StatusMoving,
            Status::Good => Role::StatusGood,
            Status::Bad => Role::StatusBad,
            Status::History => Role::StatusHistory,
            Status::Unknown => Role::StatusUnknown,
        }
    }

    /// Its sign.
    pub const fn glyph(self) -> Glyph {
        match self {
            Status::Person => Glyph::Waits,
            Status::Moving => Glyph::Moving,
            Status::Good => Glyph::Done,
            Status::Bad => Glyph::Failed,
            Status::History => Glyph::NotReached,
            Status::Unknown => Glyph::Unknown,
        }
    }

    /// Its word, where a screen has no better one.
    pub const fn word(self) -> &'static str {
        match self {
            Status::Person => "waits",
            Status::Moving => "moving",
            Status::Good => "ok",
            Status::Bad => "bad",
            Status::History => "not reached",
            Status::Unknown => "unknown",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use unicode_width::UnicodeWidthStr;

    #[test]
    fn every_sign_is_one_cell_and_ascii_where_it_says_so() {
        for glyph in Glyph::ALL {
            assert_eq!(glyph.text(true).width(), 1, "{glyph:?}");
            assert_eq!(glyph.text(true).chars().count(), 1, "{glyph:?}");
            let ascii = glyph.text(false);
            assert!(
                ascii.len() == 1 && ascii.bytes().all(|b| b.is_ascii_graphic()),
                "{glyph:?}"
            );
        }
    }

    #[test]
    fn every_status_has_its_own_sign_and_word() {
        for unicode in [true, false] {
            let signs: BTreeSet<_> = Status::ALL
                .iter()
                .map(|s| s.glyph().text(unicode))
                .collect();
            assert_eq!(signs.len(), Status::ALL.len());
        }
        let words: BTreeSet<_> = Status::ALL.iter().map(|s| s.word()).collect();
        assert_eq!(words.len(), Status::ALL.len());
    }
}
