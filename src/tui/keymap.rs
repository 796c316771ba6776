//! Which key runs which action where.
//!
//! A keymap is layers: a built-in file, and a user's file over it. A line that makes no sense
//! costs that line alone and is told with its place; what would lock somebody in (no way to help,
//! out of a dialog, or out of the room) is put back.

use std::collections::BTreeMap;

use crate::domain::Notice;

use super::action::{Action, Context};
use super::key::{Key, KeySeq};
use super::located::SourceFile;

mod check;
mod load;

/// The keymaps that come with the program.
pub const BUILT_IN: &[(&str, &str)] = &[
    ("default", include_str!("../../keymaps/default.toml")),
    ("vim", include_str!("../../keymaps/vim.toml")),
];

/// Which key runs which action where.
#[derive(Clone, Debug, Default)]
pub struct Keymap {
    tables: BTreeMap<Context, BTreeMap<KeySeq, Binding>>,
}

#[derive(Clone, Copy, Debug)]
struct Binding {
    action: Action,
    /// Which layer it came from; the user's is the last.
    layer: usize,
    /// Where it stood in its file: the first key of an action is the one that hints show.
    at: usize,
}

/// What a key means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolved {
    /// It runs this.
    Action(Action),
    /// More keys must follow: what can, with the keys that are still missing.
    Pending(Vec<(KeySeq, Action)>),
    /// Nothing; in a text it is typed. Keys that waited for it are forgotten.
    None,
}

impl Keymap {
    /// The built-in keymap.
    pub fn built_in() -> Keymap {
        Keymap::load(None).0
    }

    /// The built-in keymap with the user's file over it, and what was wrong with the file.
    pub fn load(user: Option<SourceFile<'_>>) -> (Keymap, Vec<Notice>) {
        let mut notices = Vec::new();
        let mut map = Keymap::default();
        match user {
            None => map.layer_built_in("default", &mut notices),
            Some(file) => {
                let harmless = check::harmless(&Keymap::built_in());
                map.layer(file, &mut notices, Some(&harmless));
                check::reachable(&mut map, file, &mut notices);
            }
        }
        (map, notices)
    }

    /// What `key` means after the keys that wait already, in these contexts, innermost first.
    pub fn resolve(&self, stack: &[Context], pending: &[Key], key: Key) -> Resolved {
        if pending.is_empty() && key.typed().is_some() && stack.contains(&Context::Entry) {
            // in a text, letters are letters
            return Resolved::None;
        }
        let mut keys = pending.to_vec();
        keys.push(key);
        let mut options: Vec<(KeySeq, Action)> = Vec::new();
        for context in stack {
            for (rest, action) in self.following(*context, &keys) {
                match rest {
                    None if options.is_empty() => return Resolved::Action(action),
                    // an inner table begins a sequence with it
                    None => {}
                    Some(rest) if options.iter().any(|(seq, _)| *seq == rest) => {}
                    Some(rest) => options.push((rest, action)),
                }
            }
        }
        if options.is_empty() {
            Resolved::None
        } else {
            Resolved::Pending(options)
        }
    }

    /// The bindings of one table that begin with `keys`, each with the keys that still miss.
    fn following<'a>(
        &'a self,
        context: Context,
        keys: &'a [Key],
    ) -> impl Iterator<Item = (Option<KeySeq>, Action)> + 'a {
        self.tables
            .get(&context)
            .into_iter()
            .flatten()
            .filter_map(move |(seq, binding)| {
                let rest = seq.keys().strip_prefix(keys)?;
                Some((KeySeq::new(rest.to_vec()), binding.action))
            })
    }

    /// The keys that run `action` in these contexts, the one to show first.
    pub fn keys(&self, stack: &[Context], action: Action) -> Vec<&KeySeq> {
        let mut found: Vec<(&KeySeq, &Binding)> = stack
            .iter()
            .filter_map(|context| self.tables.get(context))
            .flatten()
            .filter(|(seq, binding)| binding.action == action && self.runs(stack, seq, action))
            .collect();
        // the user's own choice before the built-in, then as the file has it
        found.sort_by_key(|(_, binding)| (std::cmp::Reverse(binding.layer), binding.at));
        let mut keys: Vec<&KeySeq> = found.into_iter().map(|(seq, _)| seq).collect();
        keys.dedup();
        keys
    }

    /// The key to show for `action` in these contexts.
    pub fn key(&self, stack: &[Context], action: Action) -> Option<&KeySeq> {
        self.keys(stack, action).into_iter().next()
    }

    /// Whether these keys, pressed here, run this action.
    fn runs(&self, stack: &[Context], seq: &KeySeq, action: Action) -> bool {
        let Some((last, before)) = seq.keys().split_last() else {
            return false;
        };
        (0..before.len()).all(|n| {
            matches!(
                self.resolve(stack, &before[..n], before[n]),
                Resolved::Pending(_)
            )
        }) && self.resolve(stack, before, *last) == Resolved::Action(action)
    }

    /// Everything bound in one table, as the files have it; the table for help and documents.
    pub fn table(&self, context: Context) -> Vec<(&KeySeq, Action)> {
        let mut all: Vec<(&KeySeq, &Binding)> =
            self.tables.get(&context).into_iter().flatten().collect();
        all.sort_by_key(|(_, binding)| (binding.layer, binding.at));
        all.into_iter().map(|(seq, b)| (seq, b.action)).collect()
    }

    /// Every action that means something in these contexts, with its keys (none: palette only), in
    /// the order of the table of actions. Help, palette and documents are made of it.
    pub fn listing(&self, stack: &[Context]) -> Vec<(Action, Vec<&KeySeq>)> {
        Action::ALL
            .iter()
            .filter(|action| action.fits(stack))
            .map(|action| (*action, self.keys(stack, *action)))
            .collect()
    }
}

#[cfg(test)]
mod tests;
