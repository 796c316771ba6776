//! What lies over a screen: questions before something is done, the palette, a text being written.

use std::sync::Arc;

use crate::domain::{Notice, Release, ReleaseId};

use super::action::{Action, Confirm as Level, Context};
use super::offer::failed;
use super::widgets::Draft;
use super::world::World;

pub mod effect;
pub mod palette;

pub use palette::Palette;

/// What lies over a screen.
#[derive(Clone, Debug)]
pub enum Overlay {
    /// The filter is being written.
    Filter(Box<Draft>),
    /// Any action by its name.
    Palette(Box<Palette>),
    /// A question before something is done.
    Confirm(Box<Confirm>),
    /// The comment of a vote is being written.
    Comment(ReleaseId, Box<Draft>),
    /// What became of an action on many releases.
    Results(Results),
    /// Whether to leave the room.
    Leave,
}

impl Overlay {
    /// Which tables of the keymap hold, innermost first.
    pub fn contexts(&self) -> &'static [Context] {
        let writing = match self {
            Overlay::Palette(_) => return Context::STACKS[7],
            Overlay::Filter(_) | Overlay::Comment(..) => true,
            Overlay::Confirm(confirm) => confirm.draft().is_some(),
            Overlay::Results(_) | Overlay::Leave => false,
        };
        Context::STACKS[if writing { 6 } else { 5 }]
    }

    /// The text that is being written.
    pub fn draft_mut(&mut self) -> Option<&mut Draft> {
        match self {
            Overlay::Filter(draft) | Overlay::Comment(_, draft) => Some(draft),
            Overlay::Palette(palette) => Some(&mut palette.draft),
            Overlay::Confirm(confirm) => confirm.draft_mut(),
            Overlay::Results(_) | Overlay::Leave => None,
        }
    }
}

/// A question before something is done.
#[derive(Clone, Debug)]
pub struct Confirm {
    /// What is to be done.
    pub action: Action,
    /// To which releases, each as the person saw it when the question came up.
    pub seen: Vec<Arc<Release>>,
    /// The word that has to be typed, and what was typed.
    pub typed: Option<(String, Draft)>,
    /// The words that go with it: a reason, a comment, a note.
    pub text: Option<Draft>,
    /// Whether keys go to the words rather than to the word to be typed.
    pub on_text: bool,
    /// Lines scrolled away.
    pub top: usize,
}

/// Most characters of a reason, a comment or a note.
const WORDS: usize = 500;

impl Confirm {
    /// The question before an action on these releases; `comment` is what was written before.
    pub fn new(action: Action, seen: Vec<Arc<Release>>, level: Level, comment: &str) -> Confirm {
        let word = match seen.as_slice() {
            [one] => one.call_name().to_owned(),
            many => format!("{} releases", many.len()),
        };
        let typed = (level >= Level::TypeName).then(|| (word, Draft::line(80)));
        let text = text_label(action).map(|_| {
            let mut draft = if action == Action::HandOver {
                Draft::lines(WORDS)
            } else {
                Draft::line(WORDS)
            };
            draft.paste(comment);
            draft
        });
        Confirm {
            action,
            seen,
            on_text: typed.is_none(),
            typed,
            text,
            top: 0,
        }
    }

    /// The text that keys go to.
    pub fn draft(&self) -> Option<&Draft> {
        match (&self.typed, &self.text) {
            (Some((_, draft)), None) => Some(draft),
            (Some((_, draft)), Some(_)) if !self.on_text => Some(draft),
            (_, text) => text.as_ref(),
        }
    }

    const fn draft_mut(&mut self) -> Option<&mut Draft> {
        match (&mut self.typed, &mut self.text) {
            (Some((_, draft)), None) => Some(draft),
            (Some((_, draft)), Some(_)) if !self.on_text => Some(draft),
            (_, text) => text.as_mut(),
        }
    }

    /// Goes to the other field, where there are two.
    pub const fn other_field(&mut self) {
        if self.typed.is_some() && self.text.is_some() {
            self.on_text = !self.on_text;
        }
    }

    /// The words that were written.
    pub fn words(&self) -> String {
        self.text.as_ref().map(Draft::text).unwrap_or_default()
    }

    /// The word that still has to be typed; `None` when it stands there, or none is asked.
    pub fn missing(&self) -> Option<&str> {
        let (word, draft) = self.typed.as_ref()?;
        (draft.text().trim() != word).then_some(word)
    }

    /// Whether its release is elsewhere by now than the person saw, in a sentence. Such a question
    /// is void: nothing is done, and the person looks again. A way back is never void because the
    /// release went on.
    pub fn moved_on(&self, world: World<'_>) -> Option<String> {
        let [seen] = self.seen.as_slice() else {
            return None;
        };
        moved_on(world, self.action, seen)
    }
}

/// Whether a release is elsewhere by now than somebody saw, for an action that depends on it.
pub fn moved_on(world: World<'_>, action: Action, seen: &Release) -> Option<String> {
    let id = seen.id;
    let Some(now) = world.release(id) else {
        let how = world.closed(id).map_or("gone", |s| s.ending.words());
        return Some(format!("{id} is closed by now: {how}"));
    };
    if now.digest != seen.digest {
        return Some(format!("the plan of {id} has changed"));
    }
    let stand = |r: &Release| (r.phase, r.hold().map(|h| h.id.clone()), r.paused.clone());
    let moved = match action {
        Action::Start | Action::Promote | Action::PromoteAll | Action::Resume => {
            stand(now) != stand(seen)
        }
        Action::Retry => !failed(now).eq(failed(seen)),
        _ => false,
    };
    moved.then(|| {
        let waiting = world.waiting(now);
        format!("{id} has moved on: {}, {}", waiting.word, waiting.what)
    })
}

/// What the words that go with an action are called, where it takes any.
pub const fn text_label(action: Action) -> Option<&'static str> {
    match action {
        Action::RollBack | Action::Cancel | Action::PromoteAll => Some("reason"),
        Action::Approve
        | Action::Reject
        | Action::Object
        | Action::RequestChanges
        | Action::Abstain => Some("comment"),
        Action::HandOver => Some("note"),
        _ => None,
    }
}

/// What became of an action on many releases.
#[derive(Clone, Debug)]
pub struct Results {
    /// What was done.
    pub action: Action,
    /// Each release: its number and subject, the question's number, the answer.
    pub rows: Vec<Outcome>,
}

/// What became of an action on one of many releases.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The release.
    pub release: ReleaseId,
    /// What it is called.
    pub subject: String,
    /// The number of the question; 0 where none was sent.
    pub ask: u64,
    /// The answer, once there is one.
    pub answer: Option<Result<(), Notice>>,
}

impl Results {
    /// Takes an answer; `false` when it is about something else.
    pub fn answered(&mut self, ask: u64, answer: &Result<(), Notice>) -> bool {
        let row = self.rows.iter_mut().find(|row| row.ask == ask);
        if let Some(row) = row {
            row.answer = Some(answer.clone());
            return true;
        }
        false
    }
}
