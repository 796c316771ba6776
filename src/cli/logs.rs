//! Logs go to `log/` in the room, one file a day, and never to a screen.

use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use tracing_appender::non_blocking::WorkerGuard;
use tracing_appender::rolling::{RollingFileAppender, Rotation};
use tracing_subscriber::EnvFilter;

use crate::domain::Notice;

/// The variable that says what is logged: `debug`, `holdpoint::engine=trace`.
const VARIABLE: &str = "HOLDPOINT_LOG";

/// How many days are kept.
const DAYS: usize = 14;

/// Writes what is traced from now on to the room's `log/`. What is not written yet when the guard
/// is dropped is written then.
///
/// # Errors
/// When the folder cannot be written.
pub fn start(room: &Path) -> Result<WorkerGuard, Notice> {
    let folder = room.join("log");
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&folder)
        .map_err(|error| unwritable(&folder, &error))?;
    let appender = RollingFileAppender::builder()
        .rotation(Rotation::DAILY)
        .filename_prefix("holdpoint")
        .filename_suffix("log")
        .max_log_files(DAYS)
        .build(&folder)
        .map_err(|error| unwritable(&folder, &error))?;
    let (writer, guard) = tracing_appender::non_blocking(appender);
    let filter = EnvFilter::try_from_env(VARIABLE).unwrap_or_else(|_| EnvFilter::new("info"));
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer)
        .with_ansi(false)
        .finish();
    // a second engine in one process (tests) goes on with the first one's log
    let _ = tracing::subscriber::set_global_default(subscriber);
    Ok(guard)
}

fn unwritable(folder: &Path, error: &dyn std::error::Error) -> Notice {
    Notice::error("cannot-write", format!("logs cannot be written: {error}"))
        .next("look at the room's directory: does it exist, may you write there?")
        .at(folder.display().to_string())
}
