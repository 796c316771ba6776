//! Reads arguments, runs the command, sets the exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    holdpoint::cli::run(std::env::args_os().collect())
}
