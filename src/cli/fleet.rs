//! `holdpoint __fleet …`: the demo's fleet. Hidden; the demo and tests call it.
//!
//! Real processes that serve HTTP, and the operator's commands that start, stop and question them,
//! written as an operator would write them: holdpoint drives them through `room.toml` like any
//! other programs and knows nothing else of them. Everything stands in files below a root:
//!
//! | file | says |
//! |---|---|
//! | `alive` | touched while the demo runs; instances end ten minutes after the last time |
//! | `profiles.json` | how each version behaves |
//! | `SERVICE/INSTANCE.port` | where the instance answers, for good |
//! | `SERVICE/INSTANCE.json` | which process serves which version now |
//! | `SERVICE/INSTANCE.drained` | it gets no traffic |
//! | `SERVICE/INSTANCE.lock` | held while a command changes it |

mod metrics;
mod operate;
pub mod place;
pub mod profile;
mod serve;
mod traffic;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};

pub use traffic::Traffic;

/// What can be asked of the demo's fleet.
#[derive(Clone, Debug, Subcommand)]
pub enum FleetCommand {
    /// Be one instance until asked to end
    Serve(ServeArgs),
    /// Bring HOLDPOINT_VERSION to HOLDPOINT_INSTANCE
    Deploy(ServiceArgs),
    /// Bring HOLDPOINT_VERSION back to HOLDPOINT_INSTANCE
    Rollback(ServiceArgs),
    /// Print one JSON object for each instance
    Status(ServiceArgs),
    /// Take HOLDPOINT_INSTANCE out of traffic
    Drain(ServiceArgs),
    /// Put HOLDPOINT_INSTANCE back into traffic
    Undrain(ServiceArgs),
    /// End every process of a fleet
    StopAll(RootArgs),
}

/// Which instance to be.
#[derive(Clone, Debug, Args)]
pub struct ServeArgs {
    /// Where the fleet keeps its files
    #[arg(long)]
    pub root: PathBuf,
    /// The service
    #[arg(long)]
    pub service: String,
    /// The instance
    #[arg(long)]
    pub instance: String,
    /// The version to be
    #[arg(long)]
    pub version: String,
    /// Its digest
    #[arg(long, default_value = "")]
    pub digest: String,
    /// End this many seconds after the fleet was left alone
    #[arg(long, default_value_t = 600)]
    pub linger: u64,
}

/// Which service to operate.
#[derive(Clone, Debug, Args)]
pub struct ServiceArgs {
    /// Where the fleet keeps its files
    #[arg(long)]
    pub root: PathBuf,
    /// The service
    #[arg(long)]
    pub service: String,
}

/// Which fleet.
#[derive(Clone, Debug, Args)]
pub struct RootArgs {
    /// Where the fleet keeps its files
    #[arg(long)]
    pub root: PathBuf,
}

/// Does what was asked. What goes wrong is printed to standard error, as a tool would.
pub fn run(command: FleetCommand) -> ExitCode {
    if let FleetCommand::Serve(_) = command {
        // before the runtime starts threads: an instance outlives the command that starts it
        let _ = rustix::process::setsid();
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(run_async(command)),
        Err(error) => Err(error.to_string()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

async fn run_async(command: FleetCommand) -> Result<(), String> {
    match command {
        FleetCommand::Serve(args) => serve::serve(args).await,
        FleetCommand::Deploy(args) => operate::bring(&args, operate::Way::Forward).await,
        FleetCommand::Rollback(args) => operate::bring(&args, operate::Way::Back).await,
        FleetCommand::Status(args) => operate::status(&args).await,
        FleetCommand::Drain(args) => operate::drain(&args).await,
        FleetCommand::Undrain(args) => operate::undrain(&args).await,
        FleetCommand::StopAll(args) => stop_all(&args.root).await,
    }
}

/// Ends every process of the fleet below `root`: instances, and commands that would start some.
///
/// # Errors
/// A sentence, when some are left.
pub async fn stop_all(root: &std::path::Path) -> Result<(), String> {
    operate::stop_all(root).await
}
