//! Reading a tree again and again, until all its mistakes are known.
//!
//! `serde` stops at the first mistake. To tell more than one, [`read`] leaves the value that was
//! wrong out and reads again, until nothing new is found. What then goes wrong only because
//! something was left out is not told.

use std::cell::RefCell;
use std::collections::BTreeMap;

use serde::de::DeserializeOwned;

use super::fault::{Spot, What};
use super::read::At;
use super::{MOST_MISTAKES, NodeId, Tree};
use crate::domain::words::nearest;

/// How often a document is read before the rest of its mistakes has to wait.
const MOST_PASSES: usize = 100;

/// A mistake, located.
#[derive(Debug)]
pub(crate) struct Mistake {
    /// Where.
    pub(crate) spot: Spot,
    /// What.
    pub(crate) what: What,
}

/// Reads a tree as a `T`, or says what is wrong, in no particular order. The flag says that there
/// may be more.
pub(crate) fn read<T: DeserializeOwned>(tree: &Tree) -> Result<T, (Vec<Mistake>, bool)> {
    let mut reading = Reading {
        tree,
        left_out: vec![false; tree.len()],
        marred: vec![false; tree.len()],
        unknown: RefCell::default(),
    };
    let mut mistakes: Vec<Mistake> = Vec::new();
    let mut more = true;
    for _ in 0..MOST_PASSES {
        match T::deserialize(At::root(&reading)) {
            Ok(value) if mistakes.is_empty() && reading.unknown.borrow().is_empty() => {
                return Ok(value);
            }
            Ok(_) => {
                more = false;
                break;
            }
            Err(fault) => {
                let spot = fault.spot.unwrap_or(Spot::Value(NodeId::ROOT));
                if !reading.follows(spot, &fault.what) {
                    mistakes.push(Mistake {
                        spot,
                        what: fault.what,
                    });
                }
                if spot.node() == NodeId::ROOT || !reading.leave_out(spot.node()) {
                    more = false;
                    break;
                }
                if mistakes.len() > MOST_MISTAKES {
                    break;
                }
            }
        }
    }
    let unknown = reading.unknown.into_inner();
    more |= unknown.len() > MOST_MISTAKES;
    let unknown = unknown.into_iter().map(|(id, known)| Mistake {
        spot: Spot::Key(id),
        what: What::UnknownKey(known),
    });
    mistakes.extend(unknown);
    Err((mistakes, more))
}

/// One document, and what is known to be wrong with it.
pub(crate) struct Reading<'t> {
    pub(crate) tree: &'t Tree,
    /// By node: it is wrong, and read over.
    left_out: Vec<bool>,
    /// By node: something in it is left out or unknown.
    marred: Vec<bool>,
    /// Keys that their tables cannot have, and which those can.
    unknown: RefCell<BTreeMap<NodeId, &'static [&'static str]>>,
}

impl Reading<'_> {
    /// Whether a value is read over.
    pub(crate) fn is_left_out(&self, id: NodeId) -> bool {
        self.left_out[id.index()]
    }

    /// Leaves a value out from now on; `false` when it is out already.
    fn leave_out(&mut self, id: NodeId) -> bool {
        let fresh = !std::mem::replace(&mut self.left_out[id.index()], true);
        for above in self.tree.above(id) {
            self.marred[above.index()] = true;
        }
        fresh
    }

    /// Whether something goes wrong only because something within was left out or unknown.
    fn follows(&self, spot: Spot, what: &What) -> bool {
        let id = spot.node();
        match what {
            What::Told => true,
            What::Missing { key, .. } => match self.tree.get(id, key) {
                Some(child) => self.is_left_out(child),
                None => self.misspelt(id, key),
            },
            _ => self.marred[id.index()] || self.has_unknown(id),
        }
    }

    /// Whether an unknown key of a table is probably this one.
    fn misspelt(&self, table: NodeId, key: &str) -> bool {
        let unknown = self.unknown.borrow();
        unknown.iter().any(|(id, known)| {
            self.tree.node(*id).parent == table
                && self
                    .tree
                    .key(*id)
                    .and_then(|word| nearest(word, known.iter().copied()))
                    == Some(key)
        })
    }

    fn has_unknown(&self, id: NodeId) -> bool {
        let unknown = self.unknown.borrow();
        let mut within = unknown.keys().flat_map(|key| self.tree.above(*key));
        within.any(|above| above == id)
    }

    /// Notes the keys that a table cannot have.
    pub(crate) fn note_unknown(&self, table: NodeId, known: &'static [&'static str]) {
        let mut unknown = self.unknown.borrow_mut();
        for child in self.tree.children(table) {
            let name = self.tree.key(*child).unwrap_or_default();
            if !known.contains(&name) && unknown.len() <= MOST_MISTAKES {
                unknown.insert(*child, known);
            }
        }
    }
}
