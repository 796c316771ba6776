//! A command at this terminal that is about a room: it goes through the room's socket, or reads the
//! ledger of a room without an engine.

use std::io::IsTerminal;
use std::path::Path;
use std::sync::Arc;

use tokio::sync::Notify;

use super::args::{AuthorityVerb, CalendarVerb, Cli, LedgerVerb, PirVerb, ReleaseVerb, Verb};
use super::closed::Closed;
use super::evidence::prepared;
use super::exec::{Order, exec};
use super::exit::{Exit, Stop, Went};
use super::house::identify;
use super::keeper::no_engine;
use super::local::{Printed, order, say, tell};
use super::out::{Chunk, Look, Out};
use crate::config::room::RoomFiles;
use crate::config::{home, tokens};
use crate::domain::Notice;
use crate::session::local::{AttachError, attach};
use crate::session::socket::{Client, Command, SocketError};

/// Carries the command out wherever the room is.
pub async fn run(cli: &Cli, argv: &[String], look: Look) -> Went {
    let room = home::room(cli.common.room.as_ref()).map_err(Stop::input)?;
    let token = match &cli.common.as_name {
        Some(name) => Some(tokens::token_of(&room, name).map_err(Stop::from)?),
        None => None,
    };
    let argv = prepared(cli, argv).await.map_err(Stop::input)?;
    let order = order(cli, &argv).map_err(Stop::input)?;
    match connect(&room).await? {
        Some(client) => far(client.token(token), order, look).await,
        None if reads(cli) => near(&room, token.as_deref(), &order, look).await,
        None => Err(Stop::unreachable(absent(&room))),
    }
}

/// Opens the room on this terminal.
pub async fn open(cli: &Cli) -> Went {
    let room = home::room(cli.common.room.as_ref()).map_err(Stop::input)?;
    let token = match &cli.common.as_name {
        Some(name) => Some(tokens::token_of(&room, name).map_err(Stop::from)?),
        None => None,
    };
    let Some(client) = connect(&room).await? else {
        return Err(Stop::unreachable(absent(&room)));
    };
    let client = client.token(token).env(|name| std::env::var(name).ok());
    let term = std::env::var("TERM").ok();
    match attach(client, term.as_deref(), true).await {
        Ok(left) => Ok(Exit::Other(left.code())),
        Err(AttachError::Terminal(notice)) => Err(Stop::input(notice)),
        Err(AttachError::Engine(error)) => Err(stop(&error)),
        Err(error) => Err(Stop::unreachable(error.notice())),
    }
}

/// Connects to a room's engine; `None` where none answers.
async fn connect(room: &Path) -> Result<Option<Client>, Stop> {
    match Client::connect(&room.join("sock")).await {
        Ok(client) => Ok(Some(client)),
        Err(SocketError::Unreachable { why, .. })
            if why.kind() != std::io::ErrorKind::PermissionDenied =>
        {
            Ok(None)
        }
        Err(error) => Err(stop(&error)),
    }
}

fn stop(error: &SocketError) -> Stop {
    match error.code() {
        1 => Stop::from(error.notice()),
        _ => Stop::unreachable(error.notice()),
    }
}

/// Why a room without an engine cannot do it.
fn absent(room: &Path) -> Notice {
    let shown = room.display().to_string();
    if room.join("room.toml").is_file() {
        no_engine(&shown)
    } else {
        Notice::error("no-room", format!("there is no room in {shown}"))
            .next("`holdpoint init DIR` writes one, `holdpoint demo` shows one; --room or HOLDPOINT_ROOM names another")
    }
}

/// Whether a command only reads what the ledger knows.
fn reads(cli: &Cli) -> bool {
    match &cli.verb {
        Some(Verb::Ledger { verb }) => match verb {
            LedgerVerb::Show { follow, .. } => !follow,
            LedgerVerb::Backup { .. } => true,
        },
        Some(Verb::Authority { verb }) => matches!(verb, AuthorityVerb::List { .. }),
        Some(Verb::Policy { .. }) => true,
        Some(Verb::Pir { verb }) => matches!(verb, PirVerb::List { .. }),
        Some(Verb::Calendar { verb }) => matches!(
            verb,
            CalendarVerb::Show { .. }
                | CalendarVerb::Lint
                | CalendarVerb::Conflicts
                | CalendarVerb::Export
                | CalendarVerb::Import { .. }
        ),
        Some(Verb::Release { verb }) => match verb {
            ReleaseVerb::List { .. }
            | ReleaseVerb::Show { .. }
            | ReleaseVerb::Checks { .. }
            | ReleaseVerb::Why { .. }
            | ReleaseVerb::When { .. } => true,
            ReleaseVerb::Submit { dry_run, .. } | ReleaseVerb::Update { dry_run, .. } => *dry_run,
            // it may be there already; else it says that nothing will come
            ReleaseVerb::Wait { .. } => true,
            _ => false,
        },
        _ => false,
    }
}

/// Over the socket.
async fn far(client: Client, order: Order, look: Look) -> Went {
    let command = Command {
        argv: order.argv,
        files: order.files.into_iter().collect(),
        tty: look.tty && std::io::stdout().is_terminal(),
        cols: u32::from(look.cols),
    };
    let client = client.env(|name| std::env::var(name).ok());
    let broken = Arc::new(Notify::new());
    let (mut out, mut err) = (Printed::stdout(&broken), Printed::stderr(&broken));
    // without this, what follows a ledger would go on for ever behind a reader that has left
    let enough = async {
        tokio::select! {
            () = interrupted() => {}
            () = broken.notified() => {}
        }
    };
    let ran = client.exec(command, &mut out, &mut err, enough).await;
    match ran {
        Ok(code) => Ok(Exit::Other(code)),
        Err(error) => Err(stop(&error)),
    }
}

/// Waits for ctrl-c.
async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// From the ledger, by this process.
async fn near(room: &Path, token: Option<&str>, order: &Order, look: Look) -> Went {
    let Some(closed) = Closed::open(room).await.map_err(Stop::from)? else {
        return Err(Stop::unreachable(absent(room)));
    };
    // who asks matters only for whose turn it is; files with mistakes name nobody
    let identities = RoomFiles::load(room)
        .map(|files| files.identities)
        .unwrap_or_default();
    let uid = rustix::process::geteuid().as_raw();
    let who = identify(&identities, uid, token).map_err(Stop::from)?;
    let (out, mut chunks) = Out::new(look);
    let run = async move { exec(&who, &closed, order, &out).await };
    let print = async {
        while let Some(chunk) = chunks.recv().await {
            match chunk {
                Chunk::Out(text) if !say(&text) => break,
                Chunk::Out(_) => {}
                Chunk::Err(text) => tell(&text),
            }
        }
        // closing it ends the command, if nobody reads what it says
        drop(chunks);
    };
    let (exit, ()) = tokio::join!(run, print);
    Ok(exit)
}
