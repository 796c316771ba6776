use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use holdpoint::cli::{fleet, runner};

#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Hidden,
}

#[derive(Subcommand)]
enum Hidden {
    #[command(name = "__runner", hide = true)]
    Runner { folder: PathBuf },
    #[command(name = "__fleet", hide = true, subcommand)]
    Fleet(fleet::FleetCommand),
}

fn main() -> ExitCode {
    match Arguments::parse().command {
        Hidden::Runner { folder } => runner::run(&folder),
        Hidden::Fleet(command) => fleet::run(command),
    }
}
