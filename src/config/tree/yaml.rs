//! YAML into a [`Tree`]: one document, the core schema of YAML 1.2, no tags but `!!str`.

use std::collections::BTreeMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, StrInput, Tag};

use super::{DEEPEST, Flaw, Kind, MOST_MISTAKES, MOST_VALUES, NodeId, Scalar, Step, Tree, Value};

/// The most values that aliases may stand for: enough for shared defaults, too few for a bomb.
const MOST_ALIASED: usize = 10_000;

/// Reads a document.
pub(crate) fn load(text: &str) -> Result<Tree, Vec<Flaw>> {
    let mut loader = Loader {
        tree: Tree::new(),
        open: Vec::new(),
        anchors: BTreeMap::new(),
        aliased: 0,
        documents: 0,
        flaws: Vec::new(),
    };
    let mut parser: Parser<'_, StrInput<'_>> = Parser::new_from_str(text);
    while let Some(next) = parser.next_event() {
        let done = match next {
            Ok((event, span)) => loader.event(event, span),
            Err(error) => Err(syntax(error.marker().index(), error.info())),
        };
        if let Err(flaw) = done {
            loader.flaws.push(flaw);
            break;
        }
    }
    if loader.flaws.is_empty() {
        Ok(loader.tree)
    } else {
        Err(loader.flaws)
    }
}

/// The parser's own complaint, with a way out where its words alone do not show one.
fn syntax(at: usize, words: &str) -> Flaw {
    let next = if words.contains("tab") {
        "indent with blanks, never with tabs"
    } else if words.contains("mapping values are not allowed") {
        "text that holds `: ` must stand in quotes; a key is indented like its neighbours"
    } else if words.contains("unexpected character") {
        "text that begins with a sign must stand in quotes"
    } else if words.contains("unknown anchor") {
        "an alias `*name` needs its anchor `&name` further up; a text that begins with * must stand in quotes"
    } else if words.contains("quoted scalar") {
        "close the quote that is opened here"
    } else if words.contains("simple key") || words.contains("expected ':'") {
        "write `key: value`, with a blank behind the colon"
    } else if words.contains("flow") {
        "part values by commas, and close what [ or { opens"
    } else if words.contains("block collection") || words.contains("block mapping") {
        "indent this line like the lines it belongs to"
    } else {
        ""
    };
    Flaw::new("syntax", at, words).next(next)
}

/// A list or table that is being read.
struct Frame {
    id: NodeId,
    anchor: usize,
    kind: FrameKind,
}

enum FrameKind {
    List,
    Table {
        /// The key whose value comes next, and where it stands.
        key: Option<(Box<str>, usize)>,
        /// All keys so far.
        keys: BTreeMap<Box<str>, usize>,
    },
}

struct Loader {
    tree: Tree,
    open: Vec<Frame>,
    /// What each finished anchor stands for.
    anchors: BTreeMap<usize, NodeId>,
    /// How many values aliases have brought.
    aliased: usize,
    documents: usize,
    /// What is wrong, and does not hinder reading on.
    flaws: Vec<Flaw>,
}

impl Loader {
    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), Flaw> {
        let at = span.start.index();
        match event {
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    return Err(Flaw::new(
                        "second-document",
                        at,
                        "a second document begins here; a file holds one",
                    )
                    .next("take the `---` out, or write a file for each"));
                }
                Ok(())
            }
            Event::Scalar(text, style, anchor, tag) => {
                if self.key_comes() {
                    return self.key(&text, at);
                }
                let scalar = scalar(&text, style, tag.as_deref(), at)?;
                self.value(Value::Scalar(scalar), anchor, at)?;
                Ok(())
            }
            Event::SequenceStart(anchor, tag) => self.start(
                Value::List(Vec::new()),
                FrameKind::List,
                anchor,
                tag.as_deref(),
                at,
            ),
            Event::MappingStart(anchor, tag) => {
                let kind = FrameKind::Table {
                    key: None,
                    keys: BTreeMap::new(),
                };
                self.start(Value::Table(Vec::new()), kind, anchor, tag.as_deref(), at)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(frame) = self.open.pop()
                    && frame.anchor > 0
                {
                    self.anchors.insert(frame.anchor, frame.id);
                }
                Ok(())
            }
            Event::Alias(anchor) => self.alias(anchor, at),
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
        }
    }

    /// Whether what comes next is a key.
    fn key_comes(&self) -> bool {
        matches!(
            self.open.last(),
            Some(Frame {
                kind: FrameKind::Table { key: None, .. },
                ..
            })
        )
    }

    fn key(&mut self, name: &str, at: usize) -> Result<(), Flaw> {
        if name == "<<" {
            return Err(Flaw::new(
                "merge-key",
                at,
                "merge keys are no part of YAML 1.2, and are not read",
            )
            .next("write the keys out, or give the whole value an anchor and use its alias"));
        }
        if let Some(Frame {
            kind: FrameKind::Table { key, keys },
            ..
        }) = self.open.last_mut()
        {
            if let Some(first) = keys.get(name) {
                if self.flaws.len() < MOST_MISTAKES {
                    self.flaws.push(Flaw::duplicate(name, at, Some(*first)));
                }
            } else {
                keys.insert(name.into(), at);
            }
            *key = Some((name.into(), at));
        }
        Ok(())
    }

    fn start(
        &mut self,
        value: Value,
        kind: FrameKind,
        anchor: usize,
        tag: Option<&Tag>,
        at: usize,
    ) -> Result<(), Flaw> {
        if let Some(tag) = tag {
            return Err(tagged(tag, at));
        }
        if self.key_comes() {
            return Err(
                Flaw::new("bad-key", at, "a key must be one word, not a list or table")
                    .next("if this is meant as text, put it in quotes"),
            );
        }
        if self.open.len() >= DEEPEST {
            return Err(Flaw::too_deep(at));
        }
        let id = self.value(value, 0, at)?;
        self.open.push(Frame { id, anchor, kind });
        Ok(())
    }

    /// Puts a value where the document stands.
    fn value(&mut self, value: Value, anchor: usize, at: usize) -> Result<NodeId, Flaw> {
        if self.tree.len() > MOST_VALUES {
            return Err(Flaw::too_many(at));
        }
        let (parent, step) = match self.open.last_mut() {
            None => {
                self.tree.set_root(value, at);
                return Ok(NodeId::ROOT);
            }
            Some(frame) => (frame.id, frame.step(&self.tree)),
        };
        let id = self.tree.add(parent, step, value, at);
        if anchor > 0 {
            self.anchors.insert(anchor, id);
        }
        Ok(id)
    }

    /// Puts what an anchor stands for where the document stands; its places stay where it was
    /// written, because that is where one would change it.
    fn alias(&mut self, anchor: usize, at: usize) -> Result<(), Flaw> {
        if self.key_comes() {
            return Err(Flaw::new("bad-key", at, "an alias cannot be a key").next("write the key"));
        }
        let Some(source) = self.anchors.get(&anchor).copied() else {
            return Err(Flaw::new(
                "bad-alias",
                at,
                "an alias can stand only for a whole value further up, not for one it is part of",
            )
            .next("write the value out"));
        };
        let Some(frame) = self.open.last_mut() else {
            return Ok(());
        };
        let (parent, step) = (frame.id, frame.step(&self.tree));
        let depth = self.open.len();
        self.copy(source, parent, step, depth, at)
    }

    /// Copies a value; the depth of the recursion is bounded by [`DEEPEST`].
    fn copy(
        &mut self,
        source: NodeId,
        parent: NodeId,
        step: Step,
        depth: usize,
        at: usize,
    ) -> Result<(), Flaw> {
        self.aliased += 1;
        if self.aliased > MOST_ALIASED {
            return Err(Flaw::new(
                "too-large",
                at,
                format!("aliases stand for more than {MOST_ALIASED} values"),
            )
            .next("write the values out"));
        }
        if depth > DEEPEST {
            return Err(Flaw::too_deep(at));
        }
        let node = self.tree.node(source);
        let empty = match &node.value {
            Value::Scalar(scalar) => Value::Scalar(scalar.clone()),
            Value::List(_) => Value::List(Vec::new()),
            Value::Table(_) => Value::Table(Vec::new()),
        };
        let place = node.at;
        let id = self.tree.add(parent, step, empty, place);
        for child in self.tree.children(source).to_vec() {
            let step = self.tree.node(child).step.clone();
            self.copy(child, id, step, depth + 1, at)?;
        }
        Ok(())
    }
}

impl Frame {
    /// The step to the value that comes next.
    fn step(&mut self, tree: &Tree) -> Step {
        match &mut self.kind {
            FrameKind::List => Step::Item(tree.children(self.id).len()),
            FrameKind::Table { key, .. } => {
                let (name, at) = key.take().unwrap_or_default();
                Step::Key(name, at)
            }
        }
    }
}

fn tagged(tag: &Tag, at: usize) -> Flaw {
    let headline = if tag.is_yaml_core_schema() {
        format!("the tag `!!{}` is not read here", tag.suffix)
    } else {
        format!("the tag `{tag}` is not read here")
    };
    Flaw::new("tag", at, headline).next("take the tag out; quotes make a text of anything")
}

/// What a scalar means.
fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>, at: usize) -> Result<Scalar, Flaw> {
    let as_text = match tag {
        Some(tag) if tag.is_yaml_core_schema() && tag.suffix == "str" => true,
        Some(tag) => return Err(tagged(tag, at)),
        None => style != ScalarStyle::Plain,
    };
    Ok(Scalar {
        kind: if as_text { Kind::Text } else { resolve(text) },
        text: text.into(),
    })
}

/// What a plain scalar means by the core schema (YAML 1.2.2, section 10.3.2): `yes` is text.
fn resolve(text: &str) -> Kind {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Kind::Nothing,
        "true" | "True" | "TRUE" => return Kind::Bool(true),
        "false" | "False" | "FALSE" => return Kind::Bool(false),
        ".nan" | ".NaN" | ".NAN" => return Kind::Fraction(f64::NAN),
        _ => {}
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") {
        return Kind::Fraction(f64::INFINITY);
    }
    let digits =
        |text: &str, digit: fn(&u8) -> bool| !text.is_empty() && text.as_bytes().iter().all(digit);
    if digits(unsigned, u8::is_ascii_digit) {
        return Kind::Whole(text.parse().ok());
    }
    if let Some(hex) = text.strip_prefix("0x")
        && digits(hex, u8::is_ascii_hexdigit)
    {
        return Kind::Whole(i128::from_str_radix(hex, 16).ok());
    }
    if let Some(octal) = text.strip_prefix("0o")
        && digits(octal, |b| (b'0'..=b'7').contains(b))
    {
        return Kind::Whole(i128::from_str_radix(octal, 8).ok());
    }
    // words like `inf` and `nan` read as numbers elsewhere, but begin with no digit
    let number = unsigned.strip_prefix('.').unwrap_or(unsigned);
    if number.starts_with(|c: char| c.is_ascii_digit())
        && let Ok(fraction) = text.parse()
    {
        return Kind::Fraction(fraction);
    }
    Kind::Text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_core_schema_and_nothing_else() {
        assert_eq!(resolve("yes"), Kind::Text);
        assert_eq!(resolve("no"), Kind::Text);
        assert_eq!(resolve("on"), Kind::Text);
        assert_eq!(resolve("True"), Kind::Bool(true));
        assert_eq!(resolve("~"), Kind::Nothing);
        assert_eq!(resolve("010"), Kind::Whole(Some(10)));
        assert_eq!(resolve("-7"), Kind::Whole(Some(-7)));
        assert_eq!(resolve("0x1F"), Kind::Whole(Some(31)));
        assert_eq!(resolve("0o17"), Kind::Whole(Some(15)));
        assert_eq!(resolve("4.10"), Kind::Fraction(4.1));
        assert_eq!(resolve("1e3"), Kind::Fraction(1000.0));
        assert_eq!(resolve(".5"), Kind::Fraction(0.5));
        assert_eq!(resolve("5."), Kind::Fraction(5.0));
        assert_eq!(resolve(&"9".repeat(50)), Kind::Whole(None));
        for text in [
            "1_000",
            "1.2.3",
            "2026-11-21",
            "0b1",
            "inf",
            "nan",
            "5m",
            "-",
            "+",
            ".",
            "e5",
        ] {
            assert_eq!(resolve(text), Kind::Text, "{text}");
        }
    }

    fn codes(text: &str) -> Vec<&'static str> {
        let flaws = load(text).err().unwrap_or_default();
        flaws.into_iter().map(|flaw| flaw.code).collect()
    }

    #[test]
    fn bombs_and_loops_are_refused() {
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for n in 1..9 {
            let aliases = vec![format!("*a{}", n - 1); 10].join(", ");
            bomb.push_str(&format!("a{n}: &a{n} [{aliases}]\n"));
        }
        assert_eq!(codes(&bomb), ["too-large"]);
        assert_eq!(codes("a: &a [*a]"), ["bad-alias"]);
        assert_eq!(codes(&"- ".repeat(200)), ["too-deep"]);
        let mut deep = "a0: &a0 [x]\n".to_owned();
        for n in 1..80 {
            deep.push_str(&format!("a{n}: &a{n} [*a{}]\n", n - 1));
        }
        assert_eq!(codes(&deep), ["too-deep"]);
        assert_eq!(codes(&format!("[{}]", "1,".repeat(200_000))), ["too-large"]);
    }

    #[test]
    fn an_alias_brings_what_its_anchor_says() {
        let tree = load("a: &a {b: [1, 2]}\nc: *a\n").unwrap();
        let c = tree.get(NodeId::ROOT, "c").unwrap();
        let b = tree.get(c, "b").unwrap();
        assert_eq!(tree.aloud(b), "a list of 2");
    }

    #[test]
    fn what_is_not_read_is_named() {
        assert_eq!(codes("a: 1\n---\nb: 2"), ["second-document"]);
        assert_eq!(codes("a: !secret 1"), ["tag"]);
        assert_eq!(codes("a: !!int 1"), ["tag"]);
        assert_eq!(codes("a: !!str 1"), Vec::<&str>::new());
        assert_eq!(codes("<<: {a: 1}"), ["merge-key"]);
        assert_eq!(codes("? [a]\n: 1"), ["bad-key"]);
        assert_eq!(
            codes("a: 1\nb: 2\na: 3\nb: 4"),
            ["duplicate-key", "duplicate-key"]
        );
    }
}
