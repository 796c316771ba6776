//! Rust files as words: what is code, on which line, in which module, and whether only tests see it.
//!
//! Comments are no words and a text in quotes is one word, so a rule never stumbles over prose.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};

/// One token.
#[derive(Clone, Debug)]
pub struct Word {
    pub text: String,
    pub line: usize,
    /// How many modules in braces lie around it.
    pub depth: usize,
    /// Whether it stands under `#[cfg(test)]`.
    pub test: bool,
}

/// One Rust file.
#[derive(Debug)]
pub struct Source {
    /// From the repository's root, with `/`.
    pub path: String,
    /// The modules from the crate's root to this file: `domain`, `plan`.
    pub module: Vec<String>,
    /// How many lines it has.
    pub lines: usize,
    pub words: Vec<Word>,
    /// The modules it declares in other files, and whether only tests see them.
    pub declares: Vec<(String, bool)>,
}

impl Source {
    /// Reads a text as the file at `path`.
    pub fn parse(path: &str, text: &str) -> Source {
        let tokens: TokenStream = text
            .parse()
            .unwrap_or_else(|error| panic!("{path} cannot be read as Rust: {error}"));
        let mut source = Source {
            path: path.to_owned(),
            module: module_of(path),
            lines: text.lines().count(),
            words: Vec::new(),
            declares: Vec::new(),
        };
        source.take(tokens, 0, false);
        source
    }

    fn take(&mut self, tokens: TokenStream, depth: usize, in_test: bool) {
        // whether the item that begins here is for tests only
        let mut test = in_test;
        let mut tokens = tokens.into_iter().peekable();
        while let Some(token) = tokens.next() {
            let line = token.span().start().line;
            match token {
                TokenTree::Group(group) => {
                    let braces = group.delimiter() == Delimiter::Brace;
                    let module = braces && self.nth_last(2).is_some_and(|w| w == "mod");
                    let attribute = group.delimiter() == Delimiter::Bracket
                        && (self.nth_last(1).is_some_and(|w| w == "#"));
                    let begun = self.words.len();
                    let (open, close) = signs(group.delimiter());
                    self.push(open, line, depth, test);
                    self.take(group.stream(), depth + usize::from(module), test);
                    let end = group.span_close().start().line;
                    self.push(close, end, depth, test);
                    if attribute && is_cfg_test(&self.words[begun..]) {
                        test = true;
                    } else if braces {
                        test = in_test;
                    }
                }
                TokenTree::Punct(sign) if sign.as_char() == ':' => {
                    let joint = sign.spacing() == Spacing::Joint
                        && matches!(tokens.peek(), Some(TokenTree::Punct(p)) if p.as_char() == ':');
                    if joint {
                        tokens.next();
                    }
                    self.push(if joint { "::" } else { ":" }, line, depth, test);
                }
                TokenTree::Punct(sign) => {
                    let sign = sign.as_char();
                    if sign == ';' {
                        self.declaration(test);
                    }
                    self.push(&sign.to_string(), line, depth, test);
                    if sign == ';' {
                        test = in_test;
                    }
                }
                TokenTree::Ident(name) => self.push(&name.to_string(), line, depth, test),
                TokenTree::Literal(text) => self.push(&text.to_string(), line, depth, test),
            }
        }
    }

    fn declaration(&mut self, test: bool) {
        if let [.., before, name] = self.words.as_slice()
            && before.text == "mod"
        {
            self.declares.push((name.text.clone(), test));
        }
    }

    fn push(&mut self, text: &str, line: usize, depth: usize, test: bool) {
        self.words.push(Word {
            text: text.to_owned(),
            line,
            depth,
            test,
        });
    }

    fn nth_last(&self, n: usize) -> Option<&str> {
        let at = self.words.len().checked_sub(n)?;
        self.words.get(at).map(|w| w.text.as_str())
    }

    /// Where these words stand one after the other.
    pub fn find<'a>(&'a self, wanted: &'a [&str]) -> impl Iterator<Item = usize> + 'a {
        let fits = move |words: &[Word]| words.iter().zip(wanted).all(|(w, t)| w.text == *t);
        let windows = self.words.windows(wanted.len()).enumerate();
        windows.filter_map(move |(at, words)| fits(words).then_some(at))
    }

    /// Every path that begins at the word `at` and goes on behind `::`, with the place of each
    /// second name: `std::{fs, io::Read}` gives `fs` and `io`.
    pub fn second_names(&self, at: usize) -> Vec<usize> {
        let text = |n: usize| self.words.get(n).map_or("", |w| w.text.as_str());
        if text(at + 1) != "::" {
            return Vec::new();
        }
        if text(at + 2) != "{" {
            return vec![at + 2];
        }
        let (mut found, mut depth, mut fresh) = (Vec::new(), 1, true);
        let mut n = at + 3;
        while depth > 0 && n < self.words.len() {
            match text(n) {
                "{" => depth += 1,
                "}" => depth -= 1,
                "," if depth == 1 => fresh = true,
                _ if depth == 1 && fresh => {
                    found.push(n);
                    fresh = false;
                }
                _ => {}
            }
            n += 1;
        }
        found
    }

    /// The places of the names that follow the crate's root in paths: of `crate::domain::Plan`, of
    /// `super::super::domain` where that leads to the root, of `holdpoint::domain`.
    pub fn root_names(&self) -> Vec<usize> {
        let mut found = Vec::new();
        for (at, word) in self.words.iter().enumerate() {
            let begins = at == 0 || self.words[at - 1].text != "::";
            match word.text.as_str() {
                "crate" | "holdpoint" => found.extend(self.second_names(at)),
                "super" if begins => {
                    let mut last = at;
                    let mut ups = 1;
                    while self.second_names(last) == [last + 2]
                        && self.words[last + 2].text == "super"
                    {
                        last += 2;
                        ups += 1;
                    }
                    if ups == self.module.len() + word.depth {
                        found.extend(self.second_names(last));
                    }
                }
                _ => {}
            }
        }
        found
    }
}

fn signs(delimiter: Delimiter) -> (&'static str, &'static str) {
    match delimiter {
        Delimiter::Parenthesis => ("(", ")"),
        Delimiter::Brace => ("{", "}"),
        Delimiter::Bracket => ("[", "]"),
        Delimiter::None => ("", ""),
    }
}

/// `[cfg(test)]`, and `[cfg(all(test, unix))]`.
fn is_cfg_test(attribute: &[Word]) -> bool {
    let is = |n: usize, text: &str| attribute.get(n).is_some_and(|w| w.text == text);
    is(1, "cfg") && (is(3, "test") || is(3, "all")) && attribute.iter().any(|w| w.text == "test")
}

/// `src/domain/decide/mod.rs` is the module `domain::decide`.
fn module_of(path: &str) -> Vec<String> {
    let inner = path
        .strip_prefix("src/")
        .or_else(|| path.strip_prefix("tests/it/"))
        .unwrap_or(path)
        .trim_end_matches(".rs");
    let mut names: Vec<String> = inner.split('/').map(String::from).collect();
    if names.last().is_some_and(|name| name == "mod") {
        names.pop();
    }
    if let ["lib" | "main"] = names.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        names.clear();
    }
    names
}

/// All Rust files of the repository.
pub fn all() -> Vec<Source> {
    let mut sources: Vec<Source> = ["src", "tests", "benches"]
        .iter()
        .flat_map(|folder| files(&root().join(folder)))
        .filter(|path| path.extension().is_some_and(|ending| ending == "rs"))
        .map(|path| Source::parse(&shown(&path), &fs::read_to_string(&path).unwrap()))
        .collect();
    mark_tests(&mut sources);
    sources
}

/// What lies in a file that is declared under `#[cfg(test)]` is for tests only, and so is what it declares.
fn mark_tests(sources: &mut [Source]) {
    let mut tests: Vec<Vec<String>> = Vec::new();
    for source in sources.iter().filter(|s| s.path.starts_with("src/")) {
        for (name, test) in &source.declares {
            if *test {
                tests.push([&source.module[..], std::slice::from_ref(name)].concat());
            }
        }
    }
    for source in sources {
        let inside = tests.iter().any(|test| source.module.starts_with(test));
        if inside || !source.path.starts_with("src/") {
            source.words.iter_mut().for_each(|word| word.test = true);
        }
    }
}

/// The repository's root: the one that cargo runs in, as a shared target directory may hold a
/// binary that was built in another.
pub fn root() -> &'static Path {
    static ROOT: LazyLock<PathBuf> = LazyLock::new(|| {
        let named = std::env::var_os("CARGO_MANIFEST_DIR");
        named.map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from)
    });
    &ROOT
}

/// A path as findings show it.
pub fn shown(path: &Path) -> String {
    let inner = path.strip_prefix(root()).unwrap_or(path);
    inner.to_string_lossy().replace('\\', "/")
}

/// All files below a folder, in their order; not what builds leave behind, not the history.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let mut found = Vec::new();
    for path in paths {
        if [root().join("target"), root().join(".git")].contains(&path) {
            continue;
        }
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push(path),
        }
    }
    found
}
