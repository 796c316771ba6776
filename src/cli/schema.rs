//! `schema` and `completions`: what describes the command line itself.

use clap::CommandFactory;

use super::args::Cli;
use super::exit::Stop;
use super::view::schemas;
use crate::domain::Notice;
use crate::domain::text::printable;
use crate::domain::words::nearest;

/// The schema of that name, or all names.
///
/// # Errors
/// When there is none of that name.
pub fn schema(name: Option<&str>) -> Result<String, Stop> {
    let all = schemas();
    let Some(name) = name else {
        let names: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
        return Ok(names.join("\n") + "\n");
    };
    // `holdpoint.release/1` is how JSON names it
    let bare = name.strip_prefix("holdpoint.").unwrap_or(name);
    let bare = bare.split('/').next().unwrap_or(bare);
    match all.iter().find(|(known, _)| *known == bare) {
        Some((_, schema)) => Ok(pretty(schema)),
        None => {
            let next = match nearest(bare, all.iter().map(|(name, _)| *name)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "`holdpoint schema` prints the names".to_owned(),
            };
            let shown = printable(name, 60);
            Err(Stop::input(
                Notice::error("unknown-schema", format!("there is no schema `{shown}`")).next(next),
            ))
        }
    }
}

/// A schema as it is kept under `fixtures/schema/`.
pub fn pretty(schema: &schemars::Schema) -> String {
    let mut text = serde_json::to_string_pretty(schema).unwrap_or_default();
    text.push('\n');
    text
}

/// A completion script.
pub fn completions(shell: clap_complete::Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "holdpoint", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}
