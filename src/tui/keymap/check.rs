//! What a keymap must not do: hide keys unseen, make danger easy, or lock somebody in.

use std::collections::BTreeSet;

use crate::domain::Notice;

use super::super::action::{Action, Confirm, Context, Group};
use super::super::key::KeySeq;
use super::super::located::SourceFile;
use super::Keymap;
use super::load::{LineError, easy};

/// What is odd about a line that is taken nevertheless.
#[derive(Debug)]
pub(super) enum Doubt {
    /// There was nothing to unbind.
    NothingToUnbind,
    /// A key of the layer beneath had to go.
    Replaces {
        /// Its keys.
        other: KeySeq,
        /// What it ran.
        action: Action,
    },
    /// Older terminals cannot send the key; the reason.
    OutOfReach(&'static str),
}

impl Doubt {
    pub(super) fn headline(&self, keys: &str, context: Context) -> String {
        let keys = crate::domain::text::printable(keys, 40);
        match self {
            Doubt::NothingToUnbind => {
                format!("`{keys}` runs nothing in [{context}], so there is nothing to unbind")
            }
            Doubt::Replaces { other, action } => {
                format!(
                    "`{keys}` begins like `{other}`, which no longer runs `{action}` in [{context}]"
                )
            }
            Doubt::OutOfReach(why) => format!("`{keys}` works in newer terminals only: {why}"),
        }
    }

    pub(super) const fn next(&self) -> &'static str {
        match self {
            Doubt::NothingToUnbind => "look for the table that binds it",
            Doubt::Replaces { .. } => "bind the action to another key if you need it",
            Doubt::OutOfReach(_) => "choose another key if you use several terminals",
        }
    }
}

/// The keys that move or read in a keymap: nobody expects anything else of them.
pub(super) fn harmless(map: &Keymap) -> BTreeSet<KeySeq> {
    [Context::Global, Context::List]
        .iter()
        .filter_map(|context| map.tables.get(context))
        .flat_map(|table| table.keys().cloned())
        .collect()
}

/// Whether a key may run an action in a table.
pub(super) fn belongs(
    action: Action,
    context: Context,
    seq: &KeySeq,
    harmless: &BTreeSet<KeySeq>,
) -> Result<(), LineError> {
    let info = action.info();
    let everywhere = Context::STACKS
        .iter()
        .filter(|stack| stack.contains(&context))
        .all(|stack| action.fits(stack));
    if !everywhere {
        return Err(LineError::Elsewhere(action));
    }
    let first = seq.keys()[0];
    if matches!(context, Context::Entry | Context::Palette) && first.typed().is_some() {
        return Err(LineError::Typed(first));
    }
    if info.confirm >= Confirm::AtOnce {
        let careless = info.group == Group::Control && seq.keys().iter().all(|key| easy(*key));
        if careless || harmless.contains(seq) {
            return Err(LineError::TooEasy(action, seq.clone()));
        }
    }
    Ok(())
}

/// Tells where a key of the last layer hides one of an outer table, or is hidden by an inner one,
/// because one is the beginning of the other.
pub(super) fn crossing(
    map: &Keymap,
    layer: usize,
    file: &SourceFile<'_>,
    notices: &mut Vec<Notice>,
) {
    let mut told = BTreeSet::new();
    for stack in Context::STACKS {
        for (n, inner) in stack.iter().enumerate() {
            for outer in &stack[n + 1..] {
                for (seq, binding) in map.tables.get(inner).into_iter().flatten() {
                    for (other, beneath) in map.tables.get(outer).into_iter().flatten() {
                        let alike = seq != other
                            && (seq.keys().starts_with(other.keys())
                                || other.keys().starts_with(seq.keys()));
                        let newer = binding.layer.max(beneath.layer) == layer;
                        if !alike
                            || !newer
                            || !told.insert((*inner, seq.clone(), *outer, other.clone()))
                        {
                            continue;
                        }
                        let at = if binding.layer == layer {
                            binding.at
                        } else {
                            beneath.at
                        };
                        notices.push(
                            Notice::warning(
                                "keymap-hidden",
                                format!(
                                    "`{seq}` in [{inner}] hides `{other}` ({}) of [{outer}]",
                                    beneath.action
                                ),
                            )
                            .next("choose keys that do not begin alike, or unbind one")
                            .at(file.place(&(at..at))),
                        );
                    }
                }
            }
        }
    }
}

/// What must be within reach in these contexts.
fn vital(stack: &[Context]) -> &'static [Action] {
    if stack.contains(&Context::Global) {
        &[Action::Help, Action::Quit, Action::Back, Action::Palette]
    } else {
        &[Action::Accept, Action::Dismiss]
    }
}

/// Puts back what would lock somebody in.
pub(super) fn reachable(map: &mut Keymap, file: SourceFile<'_>, notices: &mut Vec<Notice>) {
    let built_in = Keymap::built_in();
    let mut told = BTreeSet::new();
    for stack in Context::STACKS {
        for action in vital(stack) {
            if !map.keys(stack, *action).is_empty() {
                continue;
            }
            let Some(key) = put_back(map, &built_in, stack, *action) else {
                continue;
            };
            if told.insert(*action) {
                notices.push(
                    Notice::warning(
                        "keymap-locked-in",
                        format!("no key was left for `{action}`"),
                    )
                    .detail(format!("`{key}` runs it again"))
                    .next("bind another key to it, then this one can go")
                    .at(file.name),
                );
            }
        }
    }
}

/// Gives an action back the first of its built-in keys, over whatever took it.
fn put_back(
    map: &mut Keymap,
    built_in: &Keymap,
    stack: &[Context],
    action: Action,
) -> Option<KeySeq> {
    let seq = built_in.key(stack, action)?.clone();
    for context in stack {
        if let Some(table) = map.tables.get_mut(context) {
            table.retain(|other, _| {
                !other.keys().starts_with(seq.keys()) && !seq.keys().starts_with(other.keys())
            });
        }
    }
    let home = stack
        .iter()
        .find_map(|context| Some((*context, built_in.tables.get(context)?.get(&seq)?)));
    let (context, binding) = home?;
    map.tables
        .entry(context)
        .or_default()
        .insert(seq.clone(), *binding);
    Some(seq)
}
