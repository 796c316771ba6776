//! Everything a key or the palette can ask for, once.
//!
//! The table below is the only list of actions: the keymap reads names and contexts from it, the
//! help screen, the palette, the hints and the table in the README are folds over it and a keymap.

use std::fmt;

/// Where a key is pressed. Several hold at a time, the innermost first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Context {
    /// Everywhere but in dialogs and text entry.
    Global,
    /// Every screen that has a cursor or scrolls.
    List,
    /// The releases screen.
    Releases,
    /// The rollout screen.
    Rollout,
    /// The metrics screen.
    Metrics,
    /// The approvals screen.
    Approvals,
    /// The calendar screen.
    Calendar,
    /// The help screen.
    Help,
    /// Every dialog, the filter line and the palette.
    Dialog,
    /// A text being written.
    Entry,
    /// The palette.
    Palette,
}

impl Context {
    /// Every context, in the order in which help shows them.
    pub const ALL: [Context; 11] = [
        Context::Global,
        Context::List,
        Context::Releases,
        Context::Rollout,
        Context::Metrics,
        Context::Approvals,
        Context::Calendar,
        Context::Help,
        Context::Dialog,
        Context::Entry,
        Context::Palette,
    ];

    /// The name of its table in a keymap file.
    pub const fn name(self) -> &'static str {
        match self {
            Context::Global => "global",
            Context::List => "list",
            Context::Releases => "releases",
            Context::Rollout => "rollout",
            Context::Metrics => "metrics",
            Context::Approvals => "approvals",
            Context::Calendar => "calendar",
            Context::Help => "help",
            Context::Dialog => "dialog",
            Context::Entry => "entry",
            Context::Palette => "palette",
        }
    }

    /// The context of that name.
    pub fn find(name: &str) -> Option<Context> {
        Context::ALL.into_iter().find(|c| c.name() == name)
    }

    /// The combinations of contexts that can hold at a time, innermost first. Checks and tests
    /// walk them; a screen resolves its keys with one of them.
    pub const STACKS: [&'static [Context]; 9] = [
        &[Context::Releases, Context::List, Context::Global],
        &[Context::Rollout, Context::List, Context::Global],
        &[Context::Metrics, Context::List, Context::Global],
        &[Context::Approvals, Context::List, Context::Global],
        &[Context::Help, Context::List, Context::Global],
        // a dialog that asks yes or no
        &[Context::Dialog],
        // a dialog with a text, and the filter line
        &[Context::Entry, Context::Dialog],
        &[Context::Palette, Context::Entry, Context::Dialog],
        &[Context::Calendar, Context::List, Context::Global],
    ];
}

impl fmt::Display for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What belongs together in help and palette.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Group {
    /// Moving the cursor.
    Move,
    /// Going from screen to screen.
    Go,
    /// Reading more about the thing under the cursor.
    Read,
    /// Casting votes.
    Vote,
    /// Controlling a release.
    Control,
    /// The room itself.
    Room,
    /// Dialogs and text.
    Write,
}

impl Group {
    /// Every group, in the order in which help shows them.
    pub const ALL: [Group; 7] = [
        Group::Move,
        Group::Go,
        Group::Read,
        Group::Vote,
        Group::Control,
        Group::Room,
        Group::Write,
    ];

    /// The heading.
    pub const fn title(self) -> &'static str {
        match self {
            Group::Move => "Move",
            Group::Go => "Go",
            Group::Read => "Read",
            Group::Vote => "Vote",
            Group::Control => "Control",
            Group::Room => "Room",
            Group::Write => "Write",
        }
    }
}

/// How much stands between a key and its effect, unless policy says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Confirm {
    /// L0: changes nothing for anybody else.
    Read,
    /// L1: acts at once, as stopping is never slower than going on.
    AtOnce,
    /// L2: a dialog states effect, scope and the exact call.
    Ask,
    /// L3: besides, the release's name is typed.
    TypeName,
    /// L4: besides, a reason and a second person.
    SecondPerson,
}

macro_rules! actions {
    ($( $variant:ident $name:literal $label:literal $doc:literal
        $group:ident $confirm:ident [$($context:ident)*] [$($alias:literal)*]; )*) => {
        /// One thing that a key or the palette can ask for.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Action {
            $( #[doc = $doc] $variant, )*
        }

        impl Action {
            /// Every action, in the order of the table.
            pub const ALL: &'static [Action] = &[$( Action::$variant, )*];

            /// What the table says of this action.
            pub const fn info(self) -> &'static Info {
                match self {
                    $( Action::$variant => &Info {
                        name: $name,
                        label: $label,
                        doc: $doc,
                        group: Group::$group,
                        confirm: Confirm::$confirm,
                        contexts: &[$( Context::$context, )*],
                        aliases: &[$( $alias, )*],
                    }, )*
                }
            }
        }
    };
}

/// What the table says of an action.
#[derive(Debug, PartialEq, Eq)]
pub struct Info {
    /// Its name in keymap files and in the palette, kebab-case.
    pub name: &'static str,
    /// One or two words for a hint, where the screen has nothing better to say about the effect.
    pub label: &'static str,
    /// What it does, in a sentence.
    pub doc: &'static str,
    /// Where help lists it.
    pub group: Group,
    /// How much stands between its key and its effect, unless policy says otherwise.
    pub confirm: Confirm,
    /// Where it means something.
    pub contexts: &'static [Context],
    /// Other words for it that the palette and keymap files take, former names among them.
    pub aliases: &'static [&'static str],
}

// variant, name, label, doc; group, confirm level; contexts; other words for it
actions! {
    NextRow "next-row" "down" "Moves to the next row."
        Move Read [List] ["down"];
    PreviousRow "previous-row" "up" "Moves to the row before."
        Move Read [List] ["up"];
    FirstRow "first-row" "top" "Moves to the first row."
        Move Read [List] ["top"];
    LastRow "last-row" "bottom" "Moves to the last row."
        Move Read [List] ["bottom"];
    HalfPageDown "half-page-down" "half page down" "Moves half a page down."
        Move Read [List] [];
    HalfPageUp "half-page-up" "half page up" "Moves half a page up."
        Move Read [List] [];
    PageDown "page-down" "page down" "Moves a page down."
        Move Read [List] [];
    PageUp "page-up" "page up" "Moves a page up."
        Move Read [List] [];

    ShowReleases "releases" "releases" "Shows all releases at a glance."
        Go Read [Global] ["show-releases"];
    ShowRollout "rollout" "rollout" "Shows the rollout of the release under the cursor."
        Go Read [Global] ["show-rollout"];
    ShowMetrics "metrics" "metrics" "Shows the metrics of the release under the cursor, new against old."
        Go Read [Global] ["show-metrics"];
    ShowApprovals "approvals" "approvals" "Shows what waits for votes."
        Go Read [Global] ["show-approvals" "cab"];
    ShowCalendar "calendar" "calendar" "Shows windows, freezes and releases along time."
        Go Read [Global] ["show-calendar"];
    Help "help" "keys" "Shows the keys that work here and what they do."
        Go Read [Global] ["keys"];
    Notices "notices" "notices" "Shows what you were told, the newest last."
        Go Read [Global] ["messages" "alerts"];
    NextTab "next-tab" "next tab" "Shows the next tab of this screen."
        Go Read [Global] [];
    PreviousTab "previous-tab" "tab before" "Shows the tab before."
        Go Read [Global] [];
    Open "open" "open" "Opens the thing under the cursor."
        Go Read [List] ["enter"];
    Back "back" "back" "Goes back to where you came from."
        Go Read [Global] [];
    Filter "filter" "filter" "Shows only the rows that match what you type."
        Go Read [List] ["search"];
    Palette "palette" "all" "Finds any action by its name."
        Go Read [Global] [];

    Why "why" "why" "Says why it does not go on, and the next moment at which it may."
        Read Read [Releases Rollout Metrics Approvals Calendar] [];
    Changes "changes" "changes" "Shows what changes."
        Read Read [Releases Rollout Metrics Approvals Calendar] ["diff"];
    Evidence "evidence" "evidence" "Shows what the verdicts and checks rest on."
        Read Read [Releases Rollout Metrics Approvals] [];
    Log "log" "log" "Shows what was done, line by line."
        Read Read [Releases Rollout Metrics Approvals] [];
    Timeline "timeline" "timeline" "Shows the release along time."
        Read Read [Releases Rollout Metrics Approvals] [];
    Calls "calls" "calls" "Shows the calls to platforms with their outcome."
        Read Read [Releases Rollout Metrics Approvals] [];
    Copy "copy" "copy" "Copies the line under the cursor to your clipboard."
        Read Read [Global] ["yank"];
    Mark "mark" "mark" "Marks the row, for an action on many."
        Read Read [Releases Approvals] [];
    LessTime "less-time" "less time" "Shows a shorter time, in more detail."
        Read Read [Metrics Calendar] ["zoom-in"];
    MoreTime "more-time" "more time" "Shows a longer time."
        Read Read [Metrics Calendar] ["zoom-out"];
    Earlier "earlier" "earlier" "Shows the days before."
        Read Read [Calendar] [];
    Later "later" "later" "Shows the days that follow."
        Read Read [Calendar] [];
    Today "today" "today" "Shows the days from today on."
        Read Read [Calendar] ["now"];
    Lanes "lanes" "lanes" "Gives each service a lane, or each environment."
        Read Read [Calendar] [];
    NextConflict "next-conflict" "next conflict" "Goes to the next conflict between releases."
        Read Read [Calendar] ["conflict"];
    NextSlot "next-slot" "next free slot" "Goes to the next time at which the release may move."
        Read Read [Calendar] ["slot"];

    Approve "approve" "approve" "Casts your vote: yes, on exactly this plan."
        Vote Ask [Approvals] [];
    Reject "reject" "reject" "Casts your vote: no. The release is closed."
        Vote Ask [Approvals] [];
    Object "object" "object" "Casts your vote: not like this. It blocks until you change it."
        Vote Ask [Approvals] [];
    Abstain "abstain" "abstain" "Casts your vote: no opinion."
        Vote Ask [Approvals] [];
    RequestChanges "request-changes" "ask changes" "Casts your vote: change the plan first. Release and evidence stay."
        Vote Ask [Approvals] ["send-back"];
    TakeBack "take-back" "take back" "Takes your own vote back, as if you had not voted."
        Vote Ask [Approvals] ["withdraw-vote"];
    Comment "comment" "comment" "Writes the comment of your vote."
        Vote Ask [Approvals] [];

    Hold "hold" "hold" "Pauses at once: starts nothing new."
        Control AtOnce [Releases Rollout Metrics] ["pause"];
    Resume "resume" "resume" "Goes on after a pause."
        Control Ask [Releases Rollout] ["unpause"];
    Promote "promote" "promote" "Clears the manual hold, so that the next batch begins."
        Control Ask [Releases Rollout] [];
    PromoteAll "promote-all" "promote all" "Takes the rest in one go: skips manual holds, bakes and analyses."
        Control TypeName [Releases Rollout] ["promote-full"];
    Retry "retry" "retry" "Tries the failed call again."
        Control Ask [Releases Rollout] [];
    RollBack "roll-back" "roll back" "Brings back what ran before, everywhere."
        Control TypeName [Releases Rollout Metrics] ["rollback"];
    Start "start" "start" "Begins the release."
        Control Ask [Releases Rollout] [];
    Cancel "cancel" "cancel" "Takes the release back before anything moved."
        Control TypeName [Releases Rollout] ["withdraw"];
    HandOver "hand-over" "hand over" "Leaves a note for who watches the observation period next."
        Control Ask [Releases Rollout] ["handover"];

    Theme "theme" "theme" "Changes the colours: the next theme, or the one you name."
        Room Read [Global] ["colours" "colors"];
    Mouse "mouse" "mouse" "Gives the mouse back to the terminal, to select text, or takes it again."
        Room Read [Global] [];
    Redraw "redraw" "redraw" "Paints the whole screen anew."
        Room Read [Global] [];
    Suspend "suspend" "suspend" "Goes to the shell; `fg` comes back."
        Room Read [Global] [];
    Leave "leave" "leave" "Goes back; from the first screen, asks and leaves the room."
        Room Read [Global] [];
    Quit "quit" "quit" "Leaves the room at once. Releases go on."
        Room Read [Global] ["q" "exit" "wq" "q!"];

    Accept "accept" "do it" "Does what the dialog says."
        Write Read [Dialog] ["confirm" "submit"];
    Dismiss "dismiss" "leave it" "Leaves it: nothing is done."
        Write Read [Dialog] [];
    NextField "next-field" "next field" "Goes to the next field, or completes the word."
        Write Read [Dialog] ["complete"];
    PreviousField "previous-field" "field before" "Goes to the field before."
        Write Read [Dialog] [];
    ScrollDown "scroll-down" "down" "Shows the lines below."
        Write Read [Dialog] [];
    ScrollUp "scroll-up" "up" "Shows the lines above."
        Write Read [Dialog] [];
    NextItem "next-item" "next" "Goes to the next suggestion."
        Write Read [Palette] [];
    PreviousItem "previous-item" "before" "Goes to the suggestion before."
        Write Read [Palette] [];
    CursorLeft "cursor-left" "left" "Moves a letter to the left."
        Write Read [Entry] [];
    CursorRight "cursor-right" "right" "Moves a letter to the right."
        Write Read [Entry] [];
    WordLeft "word-left" "word left" "Moves a word to the left."
        Write Read [Entry] [];
    WordRight "word-right" "word right" "Moves a word to the right."
        Write Read [Entry] [];
    CursorUp "cursor-up" "line up" "Moves a line up."
        Write Read [Entry] [];
    CursorDown "cursor-down" "line down" "Moves a line down."
        Write Read [Entry] [];
    LineStart "line-start" "start" "Moves to the start of the line."
        Write Read [Entry] [];
    LineEnd "line-end" "end" "Moves to the end of the line."
        Write Read [Entry] [];
    DeleteLeft "delete-left" "delete" "Deletes the letter to the left."
        Write Read [Entry] [];
    DeleteRight "delete-right" "delete right" "Deletes the letter to the right."
        Write Read [Entry] [];
    DeleteWord "delete-word" "delete word" "Deletes the word to the left."
        Write Read [Entry] [];
    DeleteToStart "delete-to-start" "delete to start" "Deletes to the start of the line."
        Write Read [Entry] [];
    DeleteToEnd "delete-to-end" "delete to end" "Deletes to the end of the line."
        Write Read [Entry] [];
    NewLine "new-line" "new line" "Begins a new line."
        Write Read [Entry] [];
    Undo "undo" "undo" "Takes the last change of the text back."
        Write Read [Entry] [];
}

impl Action {
    /// Its name in keymap files and in the palette.
    pub const fn name(self) -> &'static str {
        self.info().name
    }

    /// The action of that name, or of that other word for it.
    pub fn find(word: &str) -> Option<Action> {
        Action::ALL
            .iter()
            .copied()
            .find(|a| a.name() == word || a.info().aliases.contains(&word))
    }

    /// The name or other word nearest to one that is no action.
    pub fn nearest(word: &str) -> Option<&'static str> {
        let words = Action::ALL.iter().flat_map(|a| {
            let info = a.info();
            std::iter::once(info.name).chain(info.aliases.iter().copied())
        });
        crate::domain::words::nearest(word, words)
    }

    /// Whether it means something in one of these contexts.
    pub fn fits(self, stack: &[Context]) -> bool {
        self.info().contexts.iter().any(|c| stack.contains(c))
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn names_and_other_words_are_unique_and_in_their_form() {
        let mut seen = BTreeMap::new();
        for action in Action::ALL {
            let info = action.info();
            for word in std::iter::once(&info.name).chain(info.aliases) {
                assert_eq!(seen.insert(*word, action), None, "{word} twice");
                assert_eq!(Action::find(word), Some(*action));
            }
            assert!(
                info.name
                    .chars()
                    .all(|c| c.is_ascii_lowercase() || c == '-'),
                "{}",
                info.name
            );
            assert!(
                info.doc.ends_with('.') && info.doc.len() < 80,
                "{}",
                info.doc
            );
            assert!(!info.contexts.is_empty() && !info.label.is_empty());
        }
    }

    #[test]
    fn votes_are_cast_on_the_approvals_screen_only() {
        for action in Action::ALL {
            if action.info().group == Group::Vote {
                assert_eq!(action.info().contexts, [Context::Approvals]);
            }
        }
    }

    #[test]
    fn contexts_are_found_by_name_and_every_one_can_hold() {
        for context in Context::ALL {
            assert_eq!(Context::find(context.name()), Some(context));
            assert!(Context::STACKS.iter().any(|s| s.contains(&context)));
        }
        assert_eq!(Action::nearest("nxt-row"), Some("next-row"));
        assert!(Action::Hold.fits(Context::STACKS[0]));
        assert!(!Action::Approve.fits(Context::STACKS[0]));
    }
}
