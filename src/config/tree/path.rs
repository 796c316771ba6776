//! Paths into a document: `batches[2].exposure`, `services."a.b".version`.

use crate::domain::text::printable;

use super::{NodeId, Step, Tree, Value};

/// A key as it stands in a path: bare where that is clear, else quoted.
pub fn segment(key: &str) -> String {
    let bare = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    if !key.is_empty() && key.chars().all(bare) {
        printable(key, 60)
    } else {
        let quoted = key.replace('\\', "\\\\").replace('"', "\\\"");
        format!("\"{}\"", printable(&quoted, 60))
    }
}

/// The path of a node; empty for the root.
pub(crate) fn of(tree: &Tree, id: NodeId) -> String {
    let mut steps: Vec<&Step> = vec![&tree.node(id).step];
    steps.extend(tree.above(id).map(|above| &tree.node(above).step));
    let mut path = String::new();
    for step in steps.into_iter().rev() {
        match step {
            Step::Root => {}
            Step::Item(n) => path.push_str(&format!("[{n}]")),
            Step::Key(name, _) => {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(&segment(name));
            }
        }
    }
    path
}

/// What was found on the way along a path.
pub(crate) struct Found<'p> {
    /// The last node that exists.
    pub(crate) node: NodeId,
    /// The first step that does not, as written; `None` when the path leads to the node.
    pub(crate) missing: Option<&'p str>,
}

/// Follows a path as far as it goes.
pub(crate) fn follow<'p>(tree: &Tree, path: &'p str) -> Found<'p> {
    let mut node = NodeId::ROOT;
    let mut rest = path;
    while !rest.is_empty() {
        let (written, left) = split(rest);
        let next = match written.strip_prefix('[') {
            Some(number) => item(tree, node, number),
            None => tree.get(node, &unquoted(written)),
        };
        let Some(next) = next else {
            return Found {
                node,
                missing: Some(written),
            };
        };
        (node, rest) = (next, left);
    }
    Found {
        node,
        missing: None,
    }
}

fn item(tree: &Tree, list: NodeId, number: &str) -> Option<NodeId> {
    let Value::List(items) = &tree.node(list).value else {
        return None;
    };
    let number: usize = number.strip_suffix(']')?.parse().ok()?;
    items.get(number).copied()
}

/// The first step of a path as written (without its dot), and the rest.
fn split(path: &str) -> (&str, &str) {
    let path = path.strip_prefix('.').unwrap_or(path);
    let end = match path.as_bytes().first() {
        Some(b'[') => path.find(']').map(|at| at + 1),
        Some(b'"') => closing_quote(path).map(|at| at + 1),
        _ => path.find(['.', '[']),
    };
    path.split_at(end.unwrap_or(path.len()))
}

fn closing_quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return Some(at),
            _ => {}
        }
    }
    None
}

fn unquoted(written: &str) -> String {
    let Some(inner) = written
        .strip_prefix('"')
        .and_then(|inner| inner.strip_suffix('"'))
    else {
        return written.to_owned();
    };
    let mut out = String::with_capacity(inner.len());
    let mut escaped = false;
    for c in inner.chars() {
        if c == '\\' && !escaped {
            escaped = true;
        } else {
            escaped = false;
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::located::{Doc, Format};

    const TEXT: &str =
        "batches:\n  - exposure: 5%\n  - exposure: full\n\"a.b\":\n  \"q\\\"[0]\": x\n";

    #[test]
    fn every_node_is_found_by_its_own_path() {
        let doc = Doc::parse("plan.yaml", TEXT, Format::Yaml).unwrap();
        let tree = doc.tree();
        for n in 0..tree.len() {
            let id = NodeId(n);
            let path = of(tree, id);
            let found = follow(tree, &path);
            assert_eq!((found.node, found.missing), (id, None), "{path}");
        }
        assert_eq!(
            of(tree, NodeId(tree.len() - 1)),
            "\"a.b\".\"q\\\"[0]\"".to_owned()
        );
    }

    #[test]
    fn a_path_that_breaks_off_ends_at_what_exists() {
        let doc = Doc::parse("plan.yaml", TEXT, Format::Yaml).unwrap();
        let tree = doc.tree();
        let end = |path: &'static str| {
            let found = follow(tree, path);
            (of(tree, found.node), found.missing)
        };
        assert_eq!(
            end("batches[1].expsure"),
            ("batches[1]".to_owned(), Some("expsure"))
        );
        assert_eq!(
            end("batches[7].exposure"),
            ("batches".to_owned(), Some("[7]"))
        );
        assert_eq!(end("x.y"), (String::new(), Some("x")));
        for odd in ["[", "]", "\"", ".", "..", "batches[", "batches[x]", "a\\"] {
            follow(tree, odd);
        }
    }
}
