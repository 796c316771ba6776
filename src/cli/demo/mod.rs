//! `holdpoint demo`: a whole room over a real fleet of small processes on this machine.
//!
//! Everything on the screens is real: the fleet serves HTTP, its operator's commands are run by the
//! command platform, its metrics are scraped, its traffic is sent. Made up are the colleagues (see
//! [`colleagues`]) and what is released (see [`story`]); [`stage`] sets it all up.

mod colleagues;
mod stage;
mod story;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::args::DemoArgs;
use super::exit::{Exit, Stop, Went};
use super::fleet::{self, Traffic};
use super::local::{say, tell};
use super::out::Look;
use super::serve::{Ending, Open, stop};
use super::view::{DemoView, line};
use crate::domain::{Actor, Door, Notice, PersonName};
use crate::session::Identity;
use crate::session::local::{AttachError, attach};
use crate::session::socket::Client;

/// Requests a second to each instance.
const TRAFFIC: f64 = 12.0;

/// Runs the demo until the room is left or a signal comes.
///
/// # Errors
/// When the room cannot be written or opened, or the fleet does not start.
pub async fn run(args: &DemoArgs, room: Option<&PathBuf>, look: Look) -> Went {
    let (dir, ours) =
        directory(room).map_err(|e| failed("the demo's room cannot be written", &e))?;
    let went = play(args, &dir, look).await;
    let root = stage::fleet_root(&dir);
    if root.exists()
        && let Err(why) = fleet::stop_all(&root).await
    {
        tell(&format!("some processes of the demo are left: {why}\n"));
    }
    if ours {
        // a room that nobody named is nobody's afterwards
        let _ = std::fs::remove_dir_all(&dir);
    }
    went
}

/// Where the demo plays: where it was told to, or in a new directory of its own.
fn directory(room: Option<&PathBuf>) -> io::Result<(PathBuf, bool)> {
    match room {
        Some(dir) => Ok((std::path::absolute(dir)?, false)),
        None => {
            let base = std::env::temp_dir();
            let mut n = std::process::id();
            loop {
                let dir = base.join(format!("holdpoint-demo-{n}"));
                match std::os::unix::fs::DirBuilderExt::mode(&mut std::fs::DirBuilder::new(), 0o700)
                    .create(&dir)
                {
                    Ok(()) => return Ok((dir, true)),
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                        n = n.wrapping_add(1)
                    }
                    Err(error) => return Err(error),
                }
            }
        }
    }
}

async fn play(args: &DemoArgs, dir: &Path, look: Look) -> Went {
    let seed = args.seed.unwrap_or_else(rand::random);
    let program =
        std::env::current_exe().map_err(|e| failed("the program cannot find itself", &e))?;
    let mut ending = Ending::listen();
    let open = tokio::select! {
        open = set_up(args, dir, &program) => open?,
        () = ending.came() => return Ok(Exit::Done),
    };
    let traffic = Traffic {
        root: stage::fleet_root(dir),
        per_second: TRAFFIC,
        seed,
    };
    let traffic = tokio::spawn(traffic.run());
    let began = open.engine().clock().now();
    let colleagues = tokio::spawn(colleagues::play(open.engine().clone(), seed, began));
    let went = if args.headless {
        say(&greeting(dir, seed, look));
        ending.came().await;
        Ok(Exit::Done)
    } else {
        sit_down(&open).await
    };
    colleagues.abort();
    traffic.abort();
    open.close().await;
    went
}

/// Writes the room, starts the fleet and opens the doors.
async fn set_up(args: &DemoArgs, dir: &Path, program: &Path) -> Result<Open, Stop> {
    if !args.headless {
        tell("starting a small fleet on this machine …\n");
    }
    stage::build(dir, program).map_err(|e| failed("the demo's room cannot be written", &e))?;
    stage::raise(dir, program).await.map_err(|why| {
        Stop::from(
            Notice::error("fleet-failed", why).next("look whether another demo runs in this room"),
        )
    })?;
    Open::room(dir, true).await.map_err(stop)
}

/// The person at this terminal takes a seat in the room.
async fn sit_down(open: &Open) -> Went {
    let you = Identity {
        who: Actor::Person(PersonName::from("you")),
        door: Door::Socket {
            uid: rustix::process::geteuid().as_raw(),
        },
    };
    let client = Client::near(Arc::clone(&open.house), you).env(|name| std::env::var(name).ok());
    let term = std::env::var("TERM").ok();
    match attach(client, term.as_deref(), false).await {
        Ok(left) => Ok(Exit::Other(left.code())),
        Err(AttachError::Terminal(notice)) => Err(Stop::input(
            notice.next("without a terminal: `holdpoint demo --headless`"),
        )),
        Err(error) => Err(Stop::unreachable(error.notice())),
    }
}

fn greeting(dir: &Path, seed: u64, look: Look) -> String {
    let room = dir.display();
    if look.json {
        return line(&DemoView {
            schema: "holdpoint.demo/1",
            room: room.to_string(),
            seed,
        });
    }
    format!(
        "room  {room}\nseed  {seed}\n\nbeside it:\n  \
         export HOLDPOINT_ROOM={room}\n  \
         holdpoint                              open the room\n  \
         holdpoint release list\n  \
         holdpoint vote R-1 approve --as kim    kim, lee, ada, bo, dana and ci are made up\n\n\
         ctrl-c ends the demo and all its processes\n"
    )
}

fn failed(what: &str, error: &io::Error) -> Stop {
    Stop::from(Notice::error("demo-failed", format!("{what}: {error}")))
}
