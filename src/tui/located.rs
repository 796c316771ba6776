//! Configuration text with places: every complaint names file, line and column.

use std::collections::BTreeSet;
use std::ops::Range;

use toml::de::{DeTable, DeValue};

use crate::domain::Notice;
use crate::domain::text::printable;

/// A configuration file that somebody has read already.
#[derive(Clone, Copy, Debug)]
pub struct SourceFile<'a> {
    /// Its name as notices say it.
    pub name: &'a str,
    /// What it holds.
    pub text: &'a str,
}

/// One `key = value` line of a table.
pub(super) struct Line<'a> {
    pub key: &'a str,
    pub key_span: Range<usize>,
    pub value: &'a DeValue<'a>,
    pub value_span: Range<usize>,
}

impl<'a> SourceFile<'a> {
    /// The place of a byte range as `file:line:column`, counted from one, columns in characters.
    pub(super) fn place(&self, span: &Range<usize>) -> String {
        let start = (0..=span.start.min(self.text.len()))
            .rev()
            .find(|n| self.text.is_char_boundary(*n))
            .unwrap_or(0);
        let before = &self.text[..start];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        format!("{}:{line}:{column}", self.name)
    }

    /// The number of the line at a byte, counted from one.
    fn line(&self, at: usize) -> usize {
        let before = self.text.as_bytes().iter().take(at);
        before.filter(|b| **b == b'\n').count() + 1
    }

    /// Reads the file as far as it can be read; what cannot is told and skipped.
    pub(super) fn parse(self, code: &str) -> Parsed<'a> {
        let (table, errors) = DeTable::parse_recoverable(self.text);
        let mut broken = BTreeSet::new();
        let mut notices = Vec::new();
        for error in errors {
            let span = error.span().unwrap_or(0..0);
            // one slip often makes several errors on its line: the first says it best
            if broken.insert(self.line(span.start)) {
                notices.push(
                    Notice::error(code, printable(error.message(), 200))
                        .detail("the line is skipped, the rest of the file holds")
                        .at(self.place(&span)),
                );
            }
        }
        Parsed {
            file: self,
            table: table.into_inner(),
            broken,
            notices,
        }
    }
}

/// A file as far as it could be read.
pub(super) struct Parsed<'a> {
    pub file: SourceFile<'a>,
    table: DeTable<'a>,
    /// Lines that were told already; what was read of them is a guess.
    broken: BTreeSet<usize>,
    /// What could not be read.
    pub notices: Vec<Notice>,
}

impl<'a> Parsed<'a> {
    /// The lines outside any table, and the tables, in the order of the file.
    pub(super) fn top(&'a self) -> Vec<Line<'a>> {
        self.lines(&self.table)
    }

    /// The sound lines of a table in the order of the file.
    pub(super) fn lines(&self, table: &'a DeTable<'a>) -> Vec<Line<'a>> {
        let mut all: Vec<Line<'a>> = table
            .iter()
            .map(|(key, value)| Line {
                key: key.get_ref(),
                key_span: key.span(),
                value: value.get_ref(),
                value_span: value.span(),
            })
            .filter(|line| {
                line.value.is_table() || !self.broken.contains(&self.file.line(line.key_span.start))
            })
            .collect();
        all.sort_by_key(|line| line.key_span.start);
        all
    }
}

/// `nearest: x`, or what else helps when nothing is near.
pub(super) fn hint(near: Option<&str>, otherwise: &str) -> String {
    near.map_or_else(|| otherwise.to_owned(), |word| format!("write `{word}`"))
}
