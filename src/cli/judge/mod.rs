//! `judge`: the judge on recorded samples, before it is trusted with a release.

mod argo;
mod csv;
mod json;
mod judged;
mod kayenta;
mod looks;
mod plan;
mod recorded;
mod rules;
#[cfg(test)]
mod tests;
mod vectors;

use std::io::Read;
use std::path::Path;

use super::exit::{Exit, Stop};
use super::judge_args::{Compat, JudgeArgs};
use super::out::Look;
use crate::domain::Notice;
use crate::domain::text::printable;
pub use argo::ArgoView;
use json::File;
pub use judged::{JudgedView, LookView};
pub use kayenta::KayentaView;
pub use plan::PlanView;

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
    if let Some(path) = &args.vectors {
        return checked(path);
    }
    let text = if args.plan {
        plan::plan(&args.numbers, look.json)?
    } else {
        let Some(path) = &args.file else {
            return Err(Stop::input(
                Notice::error("usage", "there is nothing to judge")
                    .next("holdpoint judge FILE; `holdpoint judge --help` shows the formats"),
            ));
        };
        match args.compat {
            None => recorded(path, look)?,
            Some(compat) => compatible(compat, path, args.config.as_deref(), look)?,
        }
    };
    Ok(Said {
        text,
        exit: Exit::Done,
    })
}

/// The judge against numbers that others computed.
fn checked(path: &Path) -> Result<Said, Stop> {
    let text = read(path)?;
    let name = path.to_string_lossy();
    let file = file(&name, &text, "bad-vectors");
    let report = vectors::check(&file).map_err(|wrong| Stop::bad(file.mistakes(wrong)))?;
    let exit = if report.passed {
        Exit::Done
    } else {
        Exit::Refused
    };
    Ok(Said {
        text: report.text,
        exit,
    })
}

/// Recorded samples, look by look.
fn recorded(path: &Path, look: Look) -> Result<String, Stop> {
    let text = read(path)?;
    let name = path.to_string_lossy();
    let file = file(&name, &text, "bad-samples");
    let begins = text.trim_start_matches('\u{feff}').trim_start();
    let samples = if begins.starts_with('{') {
        recorded::json(&file)
    } else {
        csv::csv(&file)
    };
    let samples = samples.map_err(|wrong| Stop::bad(file.mistakes(vec![wrong])))?;
    Ok(judged::judge(&samples, look.json))
}

/// What another tool's judge says.
fn compatible(
    compat: Compat,
    path: &Path,
    config: Option<&Path>,
    look: Look,
) -> Result<String, Stop> {
    let Some(config) = config else {
        let word = match compat {
            Compat::Kayenta => "kayenta",
            Compat::Argo => "argo",
        };
        return Err(Stop::input(
            Notice::error("usage", format!("--compat {word} needs a configuration")).next(format!(
                "holdpoint judge FILE --compat {word} --config CONFIG"
            )),
        ));
    };
    let (samples, settings) = (read(path)?, read(config)?);
    let (samples_name, settings_name) = (path.to_string_lossy(), config.to_string_lossy());
    let samples = file(&samples_name, &samples, "bad-samples");
    let settings = file(&settings_name, &settings, "bad-config");
    let said = match compat {
        Compat::Kayenta => {
            kayenta::judge(&settings, &samples, look.json).map_err(|wrong| vec![wrong])
        }
        Compat::Argo => argo::judge(&settings, &samples, look.json),
    };
    said.map_err(|wrong| {
        let both = settings.mistakes(wrong).with(samples.mistakes(Vec::new()));
        Stop::bad(both)
    })
}

fn file<'a>(name: &'a str, text: &'a str, code: &'a str) -> File<'a> {
    File { name, text, code }
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
