//! `judge`: the judge on recorded samples, before it is trusted with a release.

mod json;
mod vectors;

use std::io::Read;
use std::path::Path;

use super::args::JudgeArgs;
use super::exit::{Exit, Stop};
use super::out::Look;
use crate::domain::Notice;
use crate::domain::text::printable;
use json::File;

/// The most that is read from a file, in bytes.
const LARGEST: u64 = 256 * 1024 * 1024;

/// What a command says on stdout, and how it ends.
#[derive(Debug)]
pub struct Said {
    /// For stdout.
    pub text: String,
    /// How it ends.
    pub exit: Exit,
}

/// Carries out the command.
///
/// # Errors
/// What is wrong with what was named.
pub fn run(args: &JudgeArgs, look: Look) -> Result<Said, Stop> {
    let _ = look;
    if let Some(path) = &args.vectors {
        let text = read(path)?;
        let name = path.to_string_lossy();
        let file = File {
            name: &name,
            text: &text,
            code: "bad-vectors",
        };
        let report = vectors::check(&file).map_err(|wrong| Stop::bad(file.mistakes(wrong)))?;
        let exit = if report.passed {
            Exit::Done
        } else {
            Exit::Refused
        };
        return Ok(Said {
            text: report.text,
            exit,
        });
    }
    Err(Stop::input(Notice::error("usage", "name a file")))
}

/// Reads a text, `-` for stdin.
fn read(path: &Path) -> Result<String, Stop> {
    let shown = printable(&path.to_string_lossy(), 200);
    let wrong = |why: String, next: &str| {
        let notice = Notice::error("cannot-read", format!("`{shown}` cannot be read: {why}"));
        Stop::input(notice.next(next).at(shown.clone()))
    };
    let next = "name a file that can be read, or `-` for stdin";
    let unreadable = |error: std::io::Error| wrong(error.to_string(), next);
    let mut bytes = Vec::new();
    if path == Path::new("-") {
        let stdin = std::io::stdin().lock();
        stdin
            .take(LARGEST + 1)
            .read_to_end(&mut bytes)
            .map_err(unreadable)?;
    } else {
        let open = std::fs::File::open(path).map_err(unreadable)?;
        open.take(LARGEST + 1)
            .read_to_end(&mut bytes)
            .map_err(unreadable)?;
    }
    if bytes.len() as u64 > LARGEST {
        let most = LARGEST / (1024 * 1024);
        return Err(wrong(format!("more than {most} MiB"), "judge it in parts"));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        wrong(format!("byte {at} is no UTF-8"), "save it as UTF-8")
    })
}
