//! From what was typed to what is done.

use std::ffi::{OsStr, OsString};
use std::future::Future;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use super::args::{Cli, Verb};
use super::exit::{Exit, Stop, Went};
use super::out::Look;
use super::{client, demo, doctor, fleet, init, local, runner, serve, usage};
use crate::domain::Notice;

/// Commands that the engine and the demo give to this very program; nobody types them.
#[derive(Parser)]
struct Hidden {
    #[command(subcommand)]
    verb: HiddenVerb,
}

#[derive(Subcommand)]
enum HiddenVerb {
    /// Carry out one effect.
    #[command(name = "__runner")]
    Runner { folder: PathBuf },
    /// The demo's fleet.
    #[command(name = "__fleet", subcommand)]
    Fleet(fleet::FleetCommand),
}

/// Carries out what was typed, the program's name first.
pub fn run(words: Vec<OsString>) -> ExitCode {
    if words.get(1).is_some_and(|word| hidden(word)) {
        return match Hidden::parse_from(words).verb {
            HiddenVerb::Runner { folder } => runner::run(&folder),
            HiddenVerb::Fleet(command) => fleet::run(command),
        };
    }
    let look = local::look(words.iter().any(|word| word == "--json"));
    let mut cli = match Cli::try_parse_from(&words) {
        Ok(cli) => cli,
        Err(error) => {
            let said = usage::of(&error, look.json, look.colour);
            match said.exit {
                Exit::Done => {
                    local::say(&said.text);
                }
                _ => local::tell(&said.text),
            }
            return said.exit.into();
        }
    };
    if let Some(exit) = local::run(&cli, look) {
        return exit.into();
    }
    let argv = words.iter().skip(1);
    let argv: Vec<String> = argv.map(|w| w.to_string_lossy().into_owned()).collect();
    if let Some(Verb::Demo(_)) = &cli.verb
        && let Err(stop) = stage(&mut cli, &argv)
    {
        return local::finish(Err(stop), look).into();
    }
    let went = on_runtime(&cli, dispatch(&cli, &argv, look));
    local::finish(went, look).into()
}

fn hidden(word: &OsStr) -> bool {
    word.to_str().is_some_and(|word| word.starts_with("__"))
}

/// Where a demo may play: never in a room that is somebody's, whose people its made-up colleagues
/// could be taken for.
fn stage(cli: &mut Cli, argv: &[String]) -> Result<(), Stop> {
    let typed = |word: &String| word == "--room" || word.starts_with("--room=");
    if !argv.iter().any(typed) {
        // HOLDPOINT_ROOM names the room that one works in
        cli.common.room = None;
    }
    let Some(dir) = &cli.common.room else {
        return Ok(());
    };
    if dir.join("room.toml").exists() && !dir.join("fleet").exists() {
        let shown = dir.display();
        return Err(Stop::input(
            Notice::error("not-a-demo", format!("{shown} is a room of its own"))
                .detail("made-up colleagues have no business in it")
                .next("name a directory that does not exist yet, or the room of another demo"),
        ));
    }
    Ok(())
}

async fn dispatch(cli: &Cli, argv: &[String], look: Look) -> Went {
    let room = cli.common.room.as_ref();
    match &cli.verb {
        Some(Verb::Serve) => serve::serve(room, look).await,
        Some(Verb::Demo(args)) => demo::run(args, room, look).await,
        Some(Verb::Init(args)) => init::from_kube(args, room, look).await,
        Some(Verb::Doctor(args)) => doctor::run(args, room, look).await,
        Some(_) => client::run(cli, argv, look).await,
        None => client::open(cli).await,
    }
}

/// Runs to the end: with several threads where an engine runs, with one where only a client does.
fn on_runtime(cli: &Cli, work: impl Future<Output = Went>) -> Went {
    let mut builder = match cli.verb {
        Some(Verb::Serve | Verb::Demo(_) | Verb::Doctor(_)) => {
            tokio::runtime::Builder::new_multi_thread()
        }
        _ => tokio::runtime::Builder::new_current_thread(),
    };
    let runtime = builder.enable_all().build().map_err(|error| {
        Stop::from(Notice::error(
            "no-runtime",
            format!("the program cannot start: {error}"),
        ))
    })?;
    let went = runtime.block_on(work);
    // a thread that waits for the keyboard must not keep the program
    runtime.shutdown_background();
    went
}
