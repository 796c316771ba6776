//! What effects have met on their way, for who asks; bounded, and only of this engine.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use crate::domain::EffectId;
use crate::domain::text::printable;

/// How many effects of a target are remembered.
const EFFECTS: usize = 16;

/// How many lines of each.
const LINES: usize = 60;

/// The journals of a target's effects.
#[derive(Clone, Debug, Default)]
pub struct Journals(Arc<Mutex<VecDeque<Lines>>>);

/// The lines of one effect.
type Lines = (EffectId, VecDeque<String>);

/// The journal of one effect.
#[derive(Clone, Debug)]
pub struct Journal {
    effect: EffectId,
    all: Journals,
}

impl Journals {
    /// The journal of an effect.
    pub fn of(&self, effect: &EffectId) -> Journal {
        Journal {
            effect: effect.clone(),
            all: self.clone(),
        }
    }
}

impl Journal {
    /// Writes a line down, once while it stays the same.
    pub fn say(&self, line: &str) {
        let line = printable(line, 300);
        let mut all = self.all.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = all.iter().position(|(effect, _)| *effect == self.effect);
        let at = at.unwrap_or_else(|| {
            if all.len() == EFFECTS {
                all.pop_front();
            }
            all.push_back((self.effect.clone(), VecDeque::new()));
            all.len() - 1
        });
        let lines = &mut all[at].1;
        if lines.back() == Some(&line) {
            return;
        }
        if lines.len() == LINES {
            lines.pop_front();
        }
        lines.push_back(line);
    }

    /// Its lines.
    pub fn lines(&self) -> Vec<String> {
        let all = self.all.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = all.iter().find(|(effect, _)| *effect == self.effect);
        found.map_or_else(Vec::new, |(_, lines)| lines.iter().cloned().collect())
    }

    /// Its end, at most 2,000 characters.
    pub fn text(&self) -> String {
        let text = self.lines().join("\n");
        let from = text.chars().count().saturating_sub(2_000);
        text.chars().skip(from).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_is_bounded_and_does_not_repeat_itself() {
        let all = Journals::default();
        let one = all.of(&"R-1.b1".into());
        one.say("waits");
        one.say("waits");
        one.say("moves\u{1b}[2J");
        assert_eq!(one.lines(), ["waits", "moves\u{fffd}[2J"]);
        for n in 0..200 {
            one.say(&format!("line {n}"));
        }
        assert_eq!(one.lines().len(), LINES);
        for n in 0..40 {
            all.of(&format!("R-{n}").into()).say("x");
        }
        assert!(one.lines().is_empty(), "the oldest make room");
    }
}
