//! Where a command writes: two streams of text, which end at a terminal, in a pipe, or at the far
//! end of a socket.

use serde::Serialize;
use tokio::sync::mpsc;

use super::view::{ErrorView, line};
use crate::config::mistakes::Mistakes;
use crate::domain::Notice;
use crate::tui::Glyph;

/// How the far end can show things.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// Whether somebody watches: then waiting shows progress, and lists are cut to the width.
    pub tty: bool,
    /// How wide it is, in cells; 0 where nobody knows.
    pub cols: u16,
    /// Whether it shows colours.
    pub colour: bool,
    /// Whether it shows nothing but ASCII.
    pub ascii: bool,
    /// Whether JSON is asked for.
    pub json: bool,
}

impl Look {
    /// The width to which lists are cut.
    pub fn width(&self) -> usize {
        match self.cols {
            0 => usize::MAX,
            cols => usize::from(cols.max(40)),
        }
    }
}

/// A piece of what a command says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chunk {
    /// For stdout.
    Out(String),
    /// For stderr.
    Err(String),
}

/// The far end is gone: nobody reads any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone;

/// Where a command writes. Writing waits until the reader keeps up.
#[derive(Clone, Debug)]
pub struct Out {
    to: mpsc::Sender<Chunk>,
    /// How the far end can show things.
    pub look: Look,
}

impl Out {
    /// A place to write to, and where to read what is written.
    pub fn new(look: Look) -> (Out, mpsc::Receiver<Chunk>) {
        let (to, from) = mpsc::channel(64);
        (Out { to, look }, from)
    }

    /// Text for stdout.
    ///
    /// # Errors
    /// When the far end is gone.
    pub async fn say(&self, text: impl Into<String>) -> Result<(), Gone> {
        self.send(Chunk::Out(text.into())).await
    }

    /// Text for stderr.
    ///
    /// # Errors
    /// When the far end is gone.
    pub async fn tell(&self, text: impl Into<String>) -> Result<(), Gone> {
        self.send(Chunk::Err(text.into())).await
    }

    /// One line of JSON for stdout.
    ///
    /// # Errors
    /// When the far end is gone.
    pub async fn object(&self, value: &impl Serialize) -> Result<(), Gone> {
        self.say(line(value)).await
    }

    /// What went wrong, for stderr: in words with the lines it is about, or as one JSON object each.
    ///
    /// # Errors
    /// When the far end is gone.
    pub async fn wrong(&self, mistakes: &Mistakes) -> Result<(), Gone> {
        self.tell(all_shown(mistakes, self.look)).await
    }

    async fn send(&self, chunk: Chunk) -> Result<(), Gone> {
        let chunk = match (self.look.ascii, chunk) {
            (false, chunk) => chunk,
            (true, Chunk::Out(text)) => Chunk::Out(plain(&text)),
            (true, Chunk::Err(text)) => Chunk::Err(plain(&text)),
        };
        self.to.send(chunk).await.map_err(|_| Gone)
    }

    /// Waits until the far end is gone.
    pub async fn gone(&self) {
        self.to.closed().await;
    }
}

/// The same for terminals that show nothing but ASCII.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            c if c.is_ascii() => out.push(c),
            '→' => out.push_str("->"),
            '…' => out.push_str("..."),
            '–' => out.push('-'),
            c => {
                let mut sign = [0; 4];
                let sign: &str = c.encode_utf8(&mut sign);
                let known = Glyph::ALL.iter().find(|glyph| glyph.text(true) == sign);
                out.push_str(known.map_or("?", |glyph| glyph.text(false)));
            }
        }
    }
    out
}

/// All notices as they are written to stderr: an empty line parts them, or each is a line of JSON.
pub fn all_shown(mistakes: &Mistakes, look: Look) -> String {
    let each = mistakes.notices.iter();
    let each: Vec<String> = each.map(|notice| shown(mistakes, notice, look)).collect();
    each.join(if look.json { "" } else { "\n" })
}

/// A notice as it is written to stderr, line end included.
fn shown(mistakes: &Mistakes, notice: &Notice, look: Look) -> String {
    if look.json {
        return line(&ErrorView::from(notice));
    }
    let mut text = mistakes.show(notice, look.colour, look.width().min(100));
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ascii_terminals_get_ascii() {
        assert_eq!(
            plain("✓ payments → prod · 3 …"),
            "v payments -> prod . 3 ..."
        );
        assert_eq!(plain("Köln"), "K?ln");
    }
}
