//! The palette: any action, release or theme by a few of its letters.

use crate::domain::{Notice, ReleaseId};

use super::super::action::{Action, Group};
use super::super::desk::Desk;
use super::super::offer;
use super::super::widgets::Draft;
use super::super::world::World;

/// The palette: what was written, and which suggestion is chosen.
#[derive(Clone, Debug)]
pub struct Palette {
    /// What was written.
    pub draft: Draft,
    /// The suggestion that enter takes, from 0.
    pub choice: usize,
}

impl Default for Palette {
    fn default() -> Palette {
        Palette {
            draft: Draft::line(80),
            choice: 0,
        }
    }
}

/// What a suggestion does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Run {
    /// An action.
    Action(Action),
    /// Shows a release.
    Release(ReleaseId),
    /// Changes the colours.
    Theme(String),
}

/// A suggestion.
#[derive(Clone, Debug)]
pub struct Suggestion {
    /// What it does.
    pub run: Run,
    /// Its name.
    pub name: String,
    /// What it does, in words.
    pub doc: String,
    /// The keys for it.
    pub keys: String,
    /// Why it may not be done now.
    pub refused: Option<Notice>,
    score: u32,
}

/// Most suggestions.
const MOST: usize = 100;

/// What fits to what was written, the best first.
pub fn suggestions(desk: &Desk, world: World<'_>, written: &str) -> Vec<Suggestion> {
    let written = written.trim();
    let (word, rest) = written.split_once(' ').unwrap_or((written, ""));
    let mut found = actions(desk, world, written);
    if Action::find(word) == Some(Action::Theme) {
        found.extend(themes(desk, rest.trim()));
    }
    if !written.is_empty() {
        found.extend(releases(world, written));
        found.extend(closed(world, written));
    }
    if written.is_empty() {
        // what may be done now before what may not, then as the table of actions has it
        found.sort_by_key(|s| s.refused.is_some());
    } else {
        found.sort_by_key(|s| s.score);
    }
    found.truncate(MOST);
    found
}

fn actions(desk: &Desk, world: World<'_>, written: &str) -> Vec<Suggestion> {
    let stack = desk.screen_contexts();
    desk.keymap
        .listing(stack)
        .into_iter()
        .filter(|(action, _)| {
            !matches!(action.info().group, Group::Move | Group::Write) && *action != Action::Palette
        })
        .filter_map(|(action, keys)| {
            let info = action.info();
            let names = std::iter::once(info.name).chain(info.aliases.iter().copied());
            let named = names.filter_map(|name| score(name, written)).min();
            // a word of its sentence counts for less than its name
            let told = score_words(info.doc, written).map(|s| s + 1000);
            let score = match (named, told) {
                (Some(a), Some(b)) => a.min(b),
                (a, b) => a.or(b)?,
            };
            let keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
            let refused = desk
                .subject()
                .filter(|_| offer::CONTROLS.contains(&action) || offer::VOTES.contains(&action))
                .and_then(|id| offer::refusal(world, desk.asker(), id, action));
            Some(Suggestion {
                run: Run::Action(action),
                name: info.name.to_owned(),
                doc: info.doc.to_owned(),
                keys: keys.join("  "),
                refused,
                score,
            })
        })
        .collect()
}

fn themes<'a>(desk: &'a Desk, rest: &'a str) -> impl Iterator<Item = Suggestion> + 'a {
    desk.themes.names().filter_map(move |name| {
        let score = score(name, rest)?;
        Some(Suggestion {
            run: Run::Theme(name.to_owned()),
            name: format!("theme {name}"),
            doc: if name == desk.theme_name {
                "The colours that you see.".to_owned()
            } else {
                "Changes the colours.".to_owned()
            },
            keys: String::new(),
            refused: None,
            score,
        })
    })
}

fn releases<'a>(world: World<'a>, written: &'a str) -> impl Iterator<Item = Suggestion> + 'a {
    world.state.live.values().filter_map(move |release| {
        let subject = release.subject();
        let id = release.id.to_string();
        let score = score(&id, written)
            .or_else(|| score(release.call_name(), written))
            .or_else(|| score_words(&subject, written))?;
        Some(Suggestion {
            run: Run::Release(release.id),
            name: id,
            doc: format!("Shows {subject} → {}.", release.plan.environment),
            keys: String::new(),
            refused: None,
            score: score + 500,
        })
    })
}

/// A closed release by its number: nothing else would tell it from others of its service.
fn closed(world: World<'_>, written: &str) -> Option<Suggestion> {
    let written = written.to_ascii_uppercase();
    let number = written.strip_prefix("R-").unwrap_or(&written);
    let id = ReleaseId(number.parse().ok()?);
    let summary = world.closed(id).filter(|_| world.release(id).is_none())?;
    Some(Suggestion {
        run: Run::Release(id),
        name: id.to_string(),
        doc: format!("Shows {}, {}.", summary.subject(), summary.ending.words()),
        keys: String::new(),
        refused: None,
        score: 0,
    })
}

/// How well the letters of `written` fit into `text`, in their order; lower is better, `None`
/// when they do not. Letters that begin words and follow each other fit best.
pub fn score(text: &str, written: &str) -> Option<u32> {
    let mut total = 0;
    let mut before = ' ';
    let mut gap = 0;
    let mut letters = text.chars().map(|c| c.to_ascii_lowercase());
    for wanted in written.chars().filter(|c| *c != ' ') {
        let wanted = wanted.to_ascii_lowercase();
        loop {
            let c = letters.next()?;
            if c == wanted {
                let begins = !before.is_alphanumeric();
                total += if gap == 0 || begins {
                    gap.min(1)
                } else {
                    2 + gap
                };
                gap = 0;
                before = c;
                break;
            }
            gap += 1;
            before = c;
        }
    }
    let rest = u32::try_from(letters.count()).unwrap_or(u32::MAX);
    Some(total * 8 + rest.min(40))
}

/// Whether each word of `written` stands in the text.
fn score_words(text: &str, written: &str) -> Option<u32> {
    let text = text.to_lowercase();
    let mut total = 0;
    for word in written.to_lowercase().split_whitespace() {
        if word.len() < 3 {
            return None;
        }
        total += u32::try_from(text.find(word)?).unwrap_or(u32::MAX).min(200);
    }
    Some(total)
}

/// Whether a row shows under a filter: all words stand in it, and none of those after a `!`.
pub fn matches(row: &str, filter: &str) -> bool {
    let row = row.to_lowercase();
    filter
        .to_lowercase()
        .split_whitespace()
        .all(|word| match word.strip_prefix('!') {
            Some("") => true,
            Some(not) => !row.contains(not),
            None => row.contains(word),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_in_order_fit_and_beginnings_fit_best() {
        let best = |written: &str| {
            Action::ALL
                .iter()
                .filter_map(|a| Some((score(a.name(), written)?, a.name())))
                .min()
                .map(|(_, name)| name)
        };
        assert_eq!(best("rb"), Some("roll-back"));
        assert_eq!(best("prom"), Some("promote"));
        assert_eq!(best("hold"), Some("hold"));
        assert_eq!(best("roll"), Some("rollout"));
        assert_eq!(best("rollb"), Some("roll-back"));
        assert_eq!(score("hold", "hx"), None);
        assert_eq!(score("", ""), Some(0));
    }

    #[test]
    fn filters_ask_for_all_words_and_against_some() {
        assert!(matches("R-214 payments prod-eu", "PAY prod"));
        assert!(!matches("R-214 payments prod-eu", "pay !prod"));
        assert!(matches("anything", ""));
        assert!(matches("anything", "!"));
    }
}
