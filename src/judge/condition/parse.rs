//! Text to tree, by descent.

use super::Fault;

/// How deep a condition may be nested, and how long it may be.
const DEEPEST: usize = 60;
const LONGEST: usize = 10_000;

/// A part of a condition.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    Number(f64),
    Text(String),
    Bool(bool),
    Nil,
    Name(String),
    Element,
    List(Vec<Node>),
    Index(Box<Node>, Box<Node>),
    Call(String, Vec<Node>),
    Not(Box<Node>),
    Minus(Box<Node>),
    Two(Two, Box<Node>, Box<Node>),
}

/// What joins two parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Two {
    Or,
    And,
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    More,
    MoreOrEqual,
    In,
    Plus,
    Minus,
    Times,
    By,
    Rest,
}

/// Signs and words by how strongly they bind, weakest first; longer signs before their beginnings.
const LEVELS: [&[(&str, Two)]; 5] = [
    &[("||", Two::Or), ("or", Two::Or)],
    &[("&&", Two::And), ("and", Two::And)],
    &[
        ("==", Two::Equal),
        ("!=", Two::Unequal),
        ("<=", Two::LessOrEqual),
        (">=", Two::MoreOrEqual),
        ("<", Two::Less),
        (">", Two::More),
        ("in", Two::In),
    ],
    &[("+", Two::Plus), ("-", Two::Minus)],
    &[("*", Two::Times), ("/", Two::By), ("%", Two::Rest)],
];

pub fn parse(text: &str) -> Result<Node, Fault> {
    let mut parser = Parser {
        text,
        at: 0,
        depth: 0,
    };
    if text.len() > LONGEST {
        return parser.wrong("the condition is too long");
    }
    let node = parser.level(0)?;
    parser.space();
    if parser.at < text.len() {
        return parser.wrong("something else was expected here");
    }
    Ok(node)
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn wrong<T>(&self, why: &str) -> Result<T, Fault> {
        let at = self.text[..self.at].chars().count() + 1;
        let why = why.to_owned();
        Err(Fault::Text { at, why })
    }

    fn space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    /// Takes a sign or a whole word.
    fn take(&mut self, token: &str) -> bool {
        self.space();
        let Some(after) = self.rest().strip_prefix(token) else {
            return false;
        };
        let word = token.starts_with(|c: char| c.is_ascii_alphabetic());
        if word && after.starts_with(|c: char| c.is_alphanumeric() || c == '_') {
            return false;
        }
        self.at += token.len();
        true
    }

    fn deeper(&mut self) -> Result<(), Fault> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return self.wrong("the condition is nested too deep");
        }
        Ok(())
    }

    fn level(&mut self, level: usize) -> Result<Node, Fault> {
        let Some(tokens) = LEVELS.get(level) else {
            return self.unary();
        };
        let mut left = self.level(level + 1)?;
        let outer = self.depth;
        while let Some((_, two)) = tokens.iter().find(|(token, _)| self.take(token)) {
            // a long chain is a deep tree
            self.deeper()?;
            let right = self.level(level + 1)?;
            left = Node::Two(*two, Box::new(left), Box::new(right));
        }
        self.depth = outer;
        Ok(left)
    }

    fn unary(&mut self) -> Result<Node, Fault> {
        self.deeper()?;
        self.space();
        let node = if self.take("not") || (!self.rest().starts_with("!=") && self.take("!")) {
            Node::Not(Box::new(self.unary()?))
        } else if self.take("-") {
            Node::Minus(Box::new(self.unary()?))
        } else {
            self.postfix()?
        };
        self.depth -= 1;
        Ok(node)
    }

    fn postfix(&mut self) -> Result<Node, Fault> {
        let mut node = self.primary()?;
        let outer = self.depth;
        loop {
            if self.take("[") {
                self.deeper()?;
                let index = self.level(0)?;
                self.close("]")?;
                node = Node::Index(Box::new(node), Box::new(index));
            } else if self.take(".") {
                self.deeper()?;
                let Some(name) = self.name() else {
                    return self.wrong("a name was expected after the dot");
                };
                node = Node::Index(Box::new(node), Box::new(Node::Text(name)));
            } else {
                self.depth = outer;
                return Ok(node);
            }
        }
    }

    fn close(&mut self, token: &str) -> Result<(), Fault> {
        if self.take(token) {
            return Ok(());
        }
        self.wrong(&format!("`{token}` was expected here"))
    }

    fn name(&mut self) -> Option<String> {
        self.space();
        let rest = self.rest();
        let end = rest
            .find(|c: char| !(c.is_alphanumeric() || c == '_'))
            .unwrap_or(rest.len());
        let name = &rest[..end];
        if !name.starts_with(|c: char| c.is_alphabetic() || c == '_') {
            return None;
        }
        self.at += end;
        Some(name.to_owned())
    }

    fn primary(&mut self) -> Result<Node, Fault> {
        self.space();
        let rest = self.rest();
        match rest.chars().next() {
            Some('(') => {
                self.at += 1;
                let node = self.level(0)?;
                self.close(")")?;
                Ok(node)
            }
            Some('[') => {
                self.at += 1;
                Ok(Node::List(self.items("]")?))
            }
            Some('#') => {
                self.at += 1;
                Ok(Node::Element)
            }
            Some(quote @ ('"' | '\'')) => self.quoted(quote),
            Some(c) if c.is_ascii_digit() || c == '.' => self.number(),
            _ => match self.name() {
                Some(name) => self.named(name),
                None if rest.is_empty() => self.wrong("the condition ends too early"),
                None => self.wrong("this sign means nothing here"),
            },
        }
    }

    fn named(&mut self, name: String) -> Result<Node, Fault> {
        Ok(match name.as_str() {
            "true" => Node::Bool(true),
            "false" => Node::Bool(false),
            "nil" | "null" => Node::Nil,
            _ if self.take("(") => Node::Call(name, self.items(")")?),
            _ => Node::Name(name),
        })
    }

    /// Items up to a closing sign; braces around one are no matter.
    fn items(&mut self, close: &str) -> Result<Vec<Node>, Fault> {
        let mut items = Vec::new();
        if self.take(close) {
            return Ok(items);
        }
        loop {
            if self.take("{") {
                items.push(self.level(0)?);
                self.close("}")?;
            } else {
                items.push(self.level(0)?);
            }
            if self.take(",") {
                continue;
            }
            self.close(close)?;
            return Ok(items);
        }
    }

    fn quoted(&mut self, quote: char) -> Result<Node, Fault> {
        let inside = &self.rest()[1..];
        let Some(end) = inside.find(quote) else {
            return self.wrong("the text does not end");
        };
        self.at += end + 2;
        Ok(Node::Text(inside[..end].to_owned()))
    }

    fn number(&mut self) -> Result<Node, Fault> {
        let rest = self.rest();
        let bytes = rest.as_bytes();
        let mut end = 0;
        while end < bytes.len() {
            let exponent = end > 0 && matches!(bytes[end - 1], b'e' | b'E');
            match bytes[end] {
                b'0'..=b'9' | b'.' | b'_' | b'e' | b'E' => end += 1,
                b'+' | b'-' if exponent => end += 1,
                _ => break,
            }
        }
        match rest[..end].replace('_', "").parse() {
            Ok(number) => {
                self.at += end;
                Ok(Node::Number(number))
            }
            Err(_) => self.wrong("this is no number"),
        }
    }
}
