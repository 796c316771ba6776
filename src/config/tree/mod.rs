//! A document as a tree in which every value and every key knows its place.
//!
//! The tree is an arena: children are indices, so that no document, however deep, can exhaust the
//! stack, and a set of nodes is a set of numbers.

pub(crate) mod access;
pub(crate) mod fault;
pub(crate) mod lines;
pub(crate) mod passes;
pub(crate) mod path;
pub(crate) mod read;
pub(crate) mod toml;
pub(crate) mod yaml;

use crate::domain::text::printable;
use crate::domain::words::listing;

/// The deepest nesting that is read.
pub(crate) const DEEPEST: usize = 64;

/// The most values that a document may hold.
pub(crate) const MOST_VALUES: usize = 100_000;

/// The most mistakes that are told at once.
pub(crate) const MOST_MISTAKES: usize = 20;

/// A node of its tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct NodeId(usize);

impl NodeId {
    /// The outermost value.
    pub(crate) const ROOT: NodeId = NodeId(0);

    /// For tables of facts about nodes.
    pub(crate) const fn index(self) -> usize {
        self.0
    }
}

/// A value, where it begins, and how one gets to it.
#[derive(Debug)]
pub(crate) struct Node {
    /// The list or table that holds it; the root holds itself.
    pub(crate) parent: NodeId,
    /// The step from the parent.
    pub(crate) step: Step,
    /// The position at which it begins.
    pub(crate) at: usize,
    /// What it is.
    pub(crate) value: Value,
}

/// One step into a tree.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// To the outermost value.
    Root,
    /// To the value of a key, which begins at a position.
    Key(Box<str>, usize),
    /// To the item with this number, from 0.
    Item(usize),
}

/// What a node is.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    /// One word, number, text.
    Scalar(Scalar),
    /// Values in order.
    List(Vec<NodeId>),
    /// Values by their keys, in the order of the file.
    Table(Vec<NodeId>),
}

/// A scalar: what it means, and how it is written. The writing is kept because `4.10` is a version
/// where text is expected and a number where a number is.
#[derive(Clone, Debug)]
pub(crate) struct Scalar {
    /// What it means.
    pub(crate) kind: Kind,
    /// The text itself, or a number or date as it is written.
    pub(crate) text: Box<str>,
}

/// What a scalar means.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    /// Nothing was written.
    Nothing,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number; `None` for one that no field could hold.
    Whole(Option<i128>),
    /// A number with a fraction or exponent.
    Fraction(f64),
    /// A date, a time, or both.
    Date,
    /// Text.
    Text,
}

/// A document as its values.
#[derive(Debug)]
pub(crate) struct Tree {
    nodes: Vec<Node>,
}

impl Tree {
    /// A tree of one node, nothing.
    pub(crate) fn new() -> Tree {
        Tree {
            nodes: vec![Node {
                parent: NodeId::ROOT,
                step: Step::Root,
                at: 0,
                value: Value::Scalar(Scalar {
                    kind: Kind::Nothing,
                    text: "".into(),
                }),
            }],
        }
    }

    /// How many nodes there are.
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// A node. Ids never leave their tree, so there always is one.
    pub(crate) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0]
    }

    /// Sets what the root is.
    pub(crate) fn set_root(&mut self, value: Value, at: usize) {
        self.nodes[0].value = value;
        self.nodes[0].at = at;
    }

    /// Adds a value to a list or table.
    pub(crate) fn add(&mut self, parent: NodeId, step: Step, value: Value, at: usize) -> NodeId {
        let id = NodeId(self.nodes.len());
        self.nodes.push(Node {
            parent,
            step,
            at,
            value,
        });
        if let Value::List(children) | Value::Table(children) = &mut self.nodes[parent.0].value {
            children.push(id);
        }
        id
    }

    /// The children of a list or table; a scalar has none.
    pub(crate) fn children(&self, id: NodeId) -> &[NodeId] {
        match &self.node(id).value {
            Value::List(children) | Value::Table(children) => children,
            Value::Scalar(_) => &[],
        }
    }

    /// The name of the key to which a node belongs, if it belongs to one.
    pub(crate) fn key(&self, id: NodeId) -> Option<&str> {
        match &self.node(id).step {
            Step::Key(name, _) => Some(name),
            Step::Root | Step::Item(_) => None,
        }
    }

    /// The value of a key of a table.
    pub(crate) fn get(&self, table: NodeId, key: &str) -> Option<NodeId> {
        let children = self.children(table).iter().copied();
        children.into_iter().find(|c| self.key(*c) == Some(key))
    }

    /// The nodes above one, from its parent to the root.
    pub(crate) fn above(&self, id: NodeId) -> impl Iterator<Item = NodeId> {
        let parent = |id: NodeId| (id != NodeId::ROOT).then(|| self.node(id).parent);
        std::iter::successors(parent(id), move |id| parent(*id))
    }

    /// A node in the words of a person who reads a file aloud: `a list of 2`, `the text "soon"`.
    pub(crate) fn aloud(&self, id: NodeId) -> String {
        match &self.node(id).value {
            Value::List(items) if items.is_empty() => "an empty list".to_owned(),
            Value::List(items) => format!("a list of {}", items.len()),
            Value::Table(entries) if entries.is_empty() => "an empty table".to_owned(),
            Value::Table(entries) => {
                let keys = entries.iter().filter_map(|e| self.key(*e)).take(4);
                let keys: Vec<String> = keys.map(|k| printable(k, 30)).collect();
                let named = listing(keys.iter().map(String::as_str), 3);
                match entries.len() {
                    1 => format!("a table with the key {named}"),
                    n if n <= 3 => format!("a table with the keys {named}"),
                    n => format!("a table of {n} keys"),
                }
            }
            Value::Scalar(scalar) => {
                let text = printable(&scalar.text, 60);
                match scalar.kind {
                    Kind::Nothing => "nothing".to_owned(),
                    Kind::Bool(yes) => format!("`{yes}`"),
                    Kind::Whole(_) | Kind::Fraction(_) => format!("the number {text}"),
                    Kind::Date => format!("the date {text}"),
                    Kind::Text if text.is_empty() => "an empty text".to_owned(),
                    Kind::Text => format!("the text `{text}`"),
                }
            }
        }
    }
}

/// Something wrong with the text of a document, found before it has a tree.
#[derive(Debug)]
pub(crate) struct Flaw {
    /// Stable, kebab-case.
    pub(crate) code: &'static str,
    /// The position.
    pub(crate) at: usize,
    /// A sentence.
    pub(crate) headline: String,
    /// Another position that belongs to it, and what is there.
    pub(crate) other: Option<(usize, &'static str)>,
    /// What to do; may be empty.
    pub(crate) next_step: String,
}

impl Flaw {
    /// A flaw at a position.
    pub(crate) fn new(code: &'static str, at: usize, headline: impl Into<String>) -> Flaw {
        Flaw {
            code,
            at,
            headline: headline.into(),
            other: None,
            next_step: String::new(),
        }
    }

    /// The same flaw with what to do.
    pub(crate) fn next(mut self, text: impl Into<String>) -> Flaw {
        self.next_step = text.into();
        self
    }

    /// A key that stands twice in a table.
    pub(crate) fn duplicate(key: &str, at: usize, first: Option<usize>) -> Flaw {
        Flaw {
            other: first.map(|at| (at, "it stands first at")),
            ..Flaw::new(
                "duplicate-key",
                at,
                format!("the key `{}` stands twice in one table", printable(key, 60)),
            )
        }
        .next("keep one of the two")
    }

    /// Nesting that no honest file has.
    pub(crate) fn too_deep(at: usize) -> Flaw {
        Flaw::new(
            "too-deep",
            at,
            format!("values are nested more than {DEEPEST} deep here"),
        )
        .next("no file of holdpoint needs more than ten levels")
    }

    /// More values than any honest file has.
    pub(crate) fn too_many(at: usize) -> Flaw {
        Flaw::new(
            "too-large",
            at,
            format!("the file holds more than {MOST_VALUES} values"),
        )
        .next("split it")
    }
}
