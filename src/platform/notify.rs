//! Telling a program something: it is started with what it is told in its environment, and only
//! whether it took it counts.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;

use super::process::{self, NoAnswer};
use crate::domain::Span;

/// The most that a program may print before it is ended, in bytes.
const MOST_BYTES: usize = 1024 * 1024;

/// Starts a program and waits for its end, at most `limit`: then it is ended with its children.
///
/// # Errors
/// Why it did not take what it was told, in printable words, with the end of what it said.
pub async fn notify(
    argv: &[String],
    env: &BTreeMap<String, String>,
    limit: Span,
) -> Result<(), String> {
    let answer = match process::ask(argv, env, None, limit.std(), MOST_BYTES).await {
        Ok(answer) => answer,
        Err(NoAnswer::NotStarted(why)) => return Err(why),
        Err(NoAnswer::TimedOut) => return Err(format!("no end after {limit}")),
        Err(NoAnswer::TooLong) => return Err("it printed more than 1 MiB".to_owned()),
    };
    if answer.status.success() {
        return Ok(());
    }
    let how = match (answer.status.code(), answer.status.signal()) {
        (None, Some(number)) => format!("ended by signal {number}"),
        (code, _) => format!("exit {}", code.unwrap_or(-1)),
    };
    Err(match answer.stderr.as_str() {
        "" => how,
        said => format!("{how}: {said}"),
    })
}
