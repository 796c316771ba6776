//! TOML into a [`Tree`].

use toml::de::{DeTable, DeValue};
use toml_parser::lexer::TokenKind;

use super::lines::Lines;
use super::{DEEPEST, Flaw, Kind, MOST_VALUES, NodeId, Scalar, Step, Tree, Value};

/// The most duplicate keys that are told at once.
const MOST_DUPLICATES: usize = 8;

/// The longest broken text, in bytes, of which the parser is asked for what can still be read: it
/// then keeps a complaint for each broken place.
const LARGEST_RECOVERED: usize = 1 << 16;

/// What stands in for the second of two equal keys while the first is looked for.
const STAND_IN: &str = "holdpoint-duplicate-key-";

/// Reads a document.
pub(crate) fn load(text: &str, lines: &Lines) -> Result<Tree, Vec<Flaw>> {
    let position = |byte: usize| lines.position(text, byte);
    if let Some(byte) = too_deep(text) {
        return Err(vec![Flaw::too_deep(position(byte))]);
    }
    match DeTable::parse(text) {
        Ok(table) => {
            let mut builder = Builder {
                text,
                lines,
                tree: Tree::new(),
            };
            builder.root(table.get_ref()).map_err(|flaw| vec![flaw])?;
            Ok(builder.tree)
        }
        Err(error) if error.message() == DUPLICATE => Err(Duplicates::all(text, lines)),
        Err(error) => {
            let at = error.span().map_or(0, |span| span.start);
            Err(vec![syntax(text, at, position(at), error.message())])
        }
    }
}

/// The parser's words for a key that is taken.
const DUPLICATE: &str = "duplicate key";

/// The byte at which nesting gets deeper than any file needs. The parser bounds brackets and
/// dotted keys one by one; both together could still build a value too deep for the stack.
fn too_deep(text: &str) -> Option<usize> {
    // for each open bracket, how many levels it and the dots of its key make
    let mut open: Vec<usize> = Vec::new();
    let mut depth = 0;
    let mut dots = 0;
    for token in toml_parser::Source::new(text).lex() {
        match token.kind() {
            TokenKind::Dot => dots += 1,
            TokenKind::Comma | TokenKind::Newline => dots = 0,
            TokenKind::LeftSquareBracket | TokenKind::LeftCurlyBracket => {
                open.push(dots + 1);
                depth += dots + 1;
                dots = 0;
            }
            TokenKind::RightSquareBracket | TokenKind::RightCurlyBracket => {
                depth -= open.pop().unwrap_or(0);
                dots = 0;
            }
            _ => {}
        }
        if depth + dots > DEEPEST {
            return Some(token.span().start());
        }
    }
    None
}

/// The parser's own complaint, with a way out where its words alone do not show one.
fn syntax(text: &str, byte: usize, position: usize, message: &str) -> Flaw {
    if message.starts_with("unexpected key or value")
        && let Some(flaw) = bare_text(text, byte, position)
    {
        return flaw;
    }
    let rest = text.get(byte..).unwrap_or_default();
    let (headline, next) = match message {
        m if m.starts_with("string values must be quoted") => {
            let line = rest.lines().next().unwrap_or_default();
            let word = line.split([',', ']', '}', '#']).next().unwrap_or_default();
            match word.trim() {
                "" => (
                    "a value is missing here".to_owned(),
                    "write a value behind the `=`, or take the key out".to_owned(),
                ),
                word => (
                    "text must stand in quotes".to_owned(),
                    format!("write \"{}\"", word.replace(['"', '\\'], "")),
                ),
            }
        }
        m if m.starts_with("key with no value") => (
            "a key without a value".to_owned(),
            "write `key = value`".to_owned(),
        ),
        m => (m.to_owned(), String::new()),
    };
    Flaw::new("syntax", position, headline).next(next)
}

/// Text without quotes that the parser gave up within: `title = Refunds, at once`.
fn bare_text(text: &str, byte: usize, position: usize) -> Option<Flaw> {
    let before = text.get(..byte)?;
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    let line = text.get(start..)?.lines().next()?;
    let (_, value) = line.split_once('=')?;
    let value = value.trim_start();
    let lead = before
        .get(start..)?
        .chars()
        .count()
        .checked_sub(line.chars().count() - value.chars().count())?;
    let value = value.trim_end();
    let plain = value
        .chars()
        .all(|c| !"\"'[]{}=#\\".contains(c) && !c.is_control());
    (plain && value.starts_with(char::is_alphabetic)).then(|| {
        Flaw::new("syntax", position - lead, "text must stand in quotes")
            .next(format!("write \"{value}\""))
    })
}

/// The search for both places of keys that stand twice. The parser names only the second one, and
/// only the first such pair. So each second key gets a name of its own until the document reads;
/// the first then stands next to it.
struct Duplicates {
    /// The document with the names put in.
    edited: String,
    /// The keys that got one, in the order of the file.
    renamed: Vec<Renamed>,
}

struct Renamed {
    /// The byte at which the key begins in the original.
    at: usize,
    /// How many bytes the name is longer than the key; negative when it is shorter.
    longer: isize,
    /// The key.
    key: String,
    /// The name.
    name: String,
    /// The byte at which the first such key begins in the original.
    first: Option<usize>,
}

impl Duplicates {
    fn all(text: &str, lines: &Lines) -> Vec<Flaw> {
        let mut search = Duplicates {
            edited: text.to_owned(),
            renamed: Vec::new(),
        };
        let position = |byte: usize| lines.position(text, byte);
        let mut flaws: Vec<Flaw> = search.run(text, position).into_iter().collect();
        flaws.extend(search.renamed.iter().map(|renamed| {
            Flaw::duplicate(
                &renamed.key,
                position(renamed.at),
                renamed.first.map(position),
            )
        }));
        flaws
    }

    /// Renames until the document reads, and gives what else is wrong with it.
    fn run(&mut self, text: &str, position: impl Fn(usize) -> usize) -> Option<Flaw> {
        while self.renamed.len() < MOST_DUPLICATES {
            let parsed = DeTable::parse(&self.edited)
                .map(|table| firsts(table.get_ref(), &self.renamed))
                .map_err(|e| (e.message().to_owned(), e.span().unwrap_or_default()));
            let (message, span) = match parsed {
                Ok(places) => {
                    self.found(places);
                    return None;
                }
                Err(error) => error,
            };
            let at = self.original(span.start);
            if message != DUPLICATE {
                if text.len() <= LARGEST_RECOVERED {
                    let (table, _) = DeTable::parse_recoverable(&self.edited);
                    let places = firsts(table.get_ref(), &self.renamed);
                    self.found(places);
                }
                return Some(syntax(text, at, position(at), &message));
            }
            let written = self.edited.get(span.clone()).unwrap_or_default();
            let key = decoded(written);
            if text.contains(STAND_IN) || key.contains(STAND_IN) {
                return Some(Flaw::duplicate(&key, position(at), None));
            }
            let name = format!("{STAND_IN}{}", self.renamed.len());
            let longer = name.len().cast_signed() - span.len().cast_signed();
            self.edited.replace_range(span, &name);
            let place = self.renamed.partition_point(|r| r.at < at);
            let renamed = Renamed {
                at,
                longer,
                key,
                name,
                first: None,
            };
            self.renamed.insert(place, renamed);
        }
        None
    }

    /// Takes down where the first of two keys stands, in the edited text.
    fn found(&mut self, places: Vec<(usize, usize)>) {
        for (n, byte) in places {
            let original = self.original(byte);
            self.renamed[n].first = Some(original);
        }
    }

    /// The byte of the original that a byte of the edited text stands for.
    fn original(&self, byte: usize) -> usize {
        let mut at = byte;
        for renamed in &self.renamed {
            if at > renamed.at {
                at = at.saturating_add_signed(-renamed.longer).max(renamed.at);
            }
        }
        at
    }
}

/// A key without its quotes.
fn decoded(written: &str) -> String {
    let line = format!("{written} = 1");
    let table = DeTable::parse(&line).ok();
    let key = table.and_then(|table| Some(table.get_ref().keys().next()?.get_ref().to_string()));
    key.unwrap_or_else(|| written.to_owned())
}

/// For each renamed key that is found: its number, and where the first such key begins.
fn firsts(table: &DeTable<'_>, renamed: &[Renamed]) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    firsts_within(table, renamed, &mut found);
    found
}

fn firsts_within(table: &DeTable<'_>, renamed: &[Renamed], found: &mut Vec<(usize, usize)>) {
    for (n, one) in renamed.iter().enumerate() {
        if table.contains_key(one.name.as_str())
            && let Some((first, _)) = table.get_key_value(one.key.as_str())
        {
            found.push((n, first.span().start));
        }
    }
    for value in table.values() {
        firsts_behind(value.get_ref(), renamed, found);
    }
}

fn firsts_behind(value: &DeValue<'_>, renamed: &[Renamed], found: &mut Vec<(usize, usize)>) {
    match value {
        DeValue::Table(table) => firsts_within(table, renamed, found),
        DeValue::Array(items) => {
            for item in items.iter() {
                firsts_behind(item.get_ref(), renamed, found);
            }
        }
        _ => {}
    }
}

/// Builds the tree; the depth of the recursion is bounded by [`DEEPEST`].
struct Builder<'t> {
    text: &'t str,
    lines: &'t Lines,
    tree: Tree,
}

impl Builder<'_> {
    fn root(&mut self, table: &DeTable<'_>) -> Result<(), Flaw> {
        self.tree.set_root(Value::Table(Vec::new()), 0);
        self.table(NodeId::ROOT, table, 1)
    }

    fn table(&mut self, id: NodeId, table: &DeTable<'_>, depth: usize) -> Result<(), Flaw> {
        // the parser sorts keys by name; people want them in the order of the file
        let mut entries: Vec<_> = table.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        for (key, value) in entries {
            let at = self.lines.position(self.text, key.span().start);
            let step = Step::Key(key.get_ref().as_ref().into(), at);
            self.value(id, step, value, depth)?;
        }
        Ok(())
    }

    fn value(
        &mut self,
        parent: NodeId,
        step: Step,
        value: &toml::Spanned<DeValue<'_>>,
        depth: usize,
    ) -> Result<(), Flaw> {
        let span = value.span();
        let at = self.lines.position(self.text, span.start);
        if depth > DEEPEST {
            return Err(Flaw::too_deep(at));
        }
        if self.tree.len() > MOST_VALUES {
            return Err(Flaw::too_many(at));
        }
        let written = self.text.get(span).unwrap_or_default();
        let (kind, text) = match value.get_ref() {
            DeValue::Table(table) => {
                let id = self.tree.add(parent, step, Value::Table(Vec::new()), at);
                return self.table(id, table, depth + 1);
            }
            DeValue::Array(items) => {
                let id = self.tree.add(parent, step, Value::List(Vec::new()), at);
                for (n, item) in items.iter().enumerate() {
                    self.value(id, Step::Item(n), item, depth + 1)?;
                }
                return Ok(());
            }
            DeValue::String(text) => (Kind::Text, text.as_ref()),
            DeValue::Boolean(yes) => (Kind::Bool(*yes), written),
            DeValue::Datetime(_) => (Kind::Date, written),
            DeValue::Integer(n) => {
                let number = i128::from_str_radix(n.as_str(), n.radix());
                (Kind::Whole(number.ok()), written)
            }
            DeValue::Float(f) => {
                let number = f.as_str().parse().unwrap_or(f64::NAN);
                (Kind::Fraction(number), written)
            }
        };
        let scalar = Scalar {
            kind,
            text: text.into(),
        };
        self.tree.add(parent, step, Value::Scalar(scalar), at);
        Ok(())
    }
}
