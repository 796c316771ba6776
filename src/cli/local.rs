//! Commands that need no engine, and the terminal at which all of them were typed.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::AsyncWrite;
use tokio::sync::Notify;

use super::args::{CalendarVerb, Cli, LedgerVerb, PolicyVerb, ReleaseVerb, Verb};
use super::exec::Order;
use super::exit::{Exit, Stop};
use super::out::{Look, all_shown};
use super::view::{TokenView, line};
use super::{check, init, judge, keys, policy, schema};
use crate::config::mistakes::Mistakes;
use crate::config::{home, tokens};
use crate::domain::Notice;
use crate::tui::Caps;

/// The most that is read from a file that a command names, in bytes: more is no plan.
const LARGEST: u64 = 1024 * 1024 + 1;

/// How this terminal can show things.
pub fn look(json: bool) -> Look {
    let stdout = std::io::stdout();
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
        || std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    let cols = rustix::termios::tcgetwinsize(&stdout).map_or(0, |size| size.ws_col);
    Look {
        tty: std::io::stderr().is_terminal(),
        cols,
        ascii: !unicode(),
        colour: stdout.is_terminal() && std::io::stderr().is_terminal() && !plain,
        json,
    }
}

/// Whether this environment speaks Unicode, as its terminals are asked.
fn unicode() -> bool {
    let caps = |name: &str| std::env::var(name).ok();
    let held: BTreeMap<&str, String> = Caps::VARIABLES
        .into_iter()
        .filter_map(|name| Some((name, caps(name)?)))
        .collect();
    Caps::from_env(|name| held.get(name).map(String::as_str)).unicode
}

/// Writes to stdout; whether somebody still reads it. That nobody does is no error of ours.
pub fn say(text: &str) -> bool {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .is_ok()
}

/// Writes to stderr.
pub fn tell(text: &str) {
    let mut err = std::io::stderr().lock();
    let _ = err.write_all(text.as_bytes()).and_then(|()| err.flush());
}

/// Stdout or stderr for what comes over a socket. Writing blocks: a client has nothing else to do.
#[derive(Debug)]
pub struct Printed<W> {
    to: W,
    broken: Arc<Notify>,
}

impl Printed<std::io::Stdout> {
    /// Stdout; `broken` hears when nobody reads it any more.
    pub fn stdout(broken: &Arc<Notify>) -> Self {
        Printed {
            to: std::io::stdout(),
            broken: broken.clone(),
        }
    }
}

impl Printed<std::io::Stderr> {
    /// Stderr; `broken` hears when nobody reads it any more.
    pub fn stderr(broken: &Arc<Notify>) -> Self {
        Printed {
            to: std::io::stderr(),
            broken: broken.clone(),
        }
    }
}

impl<W: Write + Unpin> AsyncWrite for Printed<W> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        let written = self.to.write(bytes);
        if written.is_err() {
            self.broken.notify_one();
        }
        Poll::Ready(written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        let flushed = self.to.flush();
        if flushed.is_err() {
            self.broken.notify_one();
        }
        Poll::Ready(flushed)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        self.poll_flush(context)
    }
}

/// Ends a command: says what went wrong, if anything did.
pub fn finish(went: Result<Exit, Stop>, look: Look) -> Exit {
    match went {
        Ok(exit) => exit,
        Err(Stop::Gone) => Exit::Unreachable,
        Err(Stop::Failed(exit, mistakes)) => {
            complain(&mistakes, look);
            exit
        }
    }
}

/// Shows what is wrong, without ending.
pub fn complain(mistakes: &Mistakes, look: Look) {
    tell(&all_shown(mistakes, look));
}

/// Carries out a command that needs no engine; `None` when it does need one.
pub fn run(cli: &Cli, look: Look) -> Option<Exit> {
    let room = cli.common.room.as_ref();
    let said = match cli.verb.as_ref()? {
        Verb::Judge(args) => {
            let went = judge::run(args, look).map(|said| {
                say(&said.text);
                said.exit
            });
            return Some(finish(went, look));
        }
        Verb::Init(args) if args.from_kube => return None,
        Verb::Init(args) => init_at(args.dir.as_ref().or(room), look),
        Verb::Token { name } => token(name, room, look),
        Verb::Schema { name } => schema::schema(name.as_deref()),
        Verb::Completions { shell } => Ok(schema::completions(*shell)),
        Verb::Keys { markdown } => keys::run(*markdown).map(|(text, mistakes)| {
            complain(&mistakes, look);
            text
        }),
        Verb::Check { paths, kind } => check::run(paths, *kind, room, look).map(|good| {
            tell(&good.err);
            good.out
        }),
        Verb::Policy {
            verb: PolicyVerb::Test { file, policy },
        } => policy::test(file, policy.as_ref(), room, look),
        Verb::Demo(_)
        | Verb::Doctor(_)
        | Verb::Serve
        | Verb::Release { .. }
        | Verb::Vote { .. }
        | Verb::Authority { .. }
        | Verb::Pir { .. }
        | Verb::Policy { .. }
        | Verb::Calendar { .. }
        | Verb::Report { .. }
        | Verb::Ledger { .. } => return None,
    };
    let went = said.map(|text| {
        say(&text);
        Exit::Done
    });
    Some(finish(went, look))
}

fn init_at(dir: Option<&PathBuf>, look: Look) -> Result<String, Stop> {
    let dir = home::room(dir).map_err(Stop::input)?;
    init::run(&dir, look.json)
}

fn token(name: &str, room: Option<&PathBuf>, look: Look) -> Result<String, Stop> {
    let room = home::room(room).map_err(Stop::input)?;
    let (file, hash) = tokens::make_token(&room, name).map_err(Stop::from)?;
    let (file, hash) = (file.display().to_string(), hash.to_string());
    if look.json {
        return Ok(line(&TokenView {
            schema: "holdpoint.token/1",
            file,
            hash,
        }));
    }
    tell(&format!(
        "{file} holds the token; this line belongs to {name} in people.toml:\n"
    ));
    Ok(format!("token = \"{hash}\"\n"))
}

/// A command as it is sent to where the room is: with the files that it names, and with paths that
/// mean the same there.
///
/// # Errors
/// When a file cannot be read.
pub fn order(cli: &Cli, argv: &[String]) -> Result<Order, Notice> {
    let mut order = Order {
        argv: argv.to_vec(),
        files: BTreeMap::new(),
    };
    match &cli.verb {
        Some(Verb::Release {
            verb: ReleaseVerb::Submit { file, .. } | ReleaseVerb::Update { file, .. },
        }) => {
            let bytes = content(file)?;
            order
                .files
                .insert(file.to_string_lossy().into_owned(), bytes);
        }
        Some(Verb::Policy {
            verb: PolicyVerb::Diff { file },
        }) => {
            let bytes = content(file)?;
            order
                .files
                .insert(file.to_string_lossy().into_owned(), bytes);
        }
        Some(Verb::Calendar {
            verb: CalendarVerb::Import { file, .. },
        }) => {
            let bytes = content(file)?;
            let name = file.to_string_lossy().into_owned();
            order.files.insert(name, bytes);
        }
        Some(Verb::Ledger {
            verb: LedgerVerb::Backup { file },
        }) => {
            let absolute = std::path::absolute(file).unwrap_or_else(|_| file.clone());
            let typed = file.to_string_lossy();
            for word in &mut order.argv {
                if **word == *typed {
                    *word = absolute.to_string_lossy().into_owned();
                }
            }
        }
        _ => {}
    }
    Ok(order)
}

fn content(file: &Path) -> Result<Vec<u8>, Notice> {
    let failed = |error: std::io::Error| {
        Notice::error(
            "cannot-read",
            format!("the file cannot be read: {}", reason(&error)),
        )
        .next("name a file that can be read, or `-` for stdin")
        .at(file.display().to_string())
    };
    let mut bytes = Vec::new();
    if file == Path::new("-") {
        let stdin = std::io::stdin().lock();
        stdin
            .take(LARGEST)
            .read_to_end(&mut bytes)
            .map_err(failed)?;
    } else {
        let open = std::fs::File::open(file).map_err(failed)?;
        open.take(LARGEST).read_to_end(&mut bytes).map_err(failed)?;
    }
    Ok(bytes)
}

/// An error of the system in its own words, without its number.
fn reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error") {
        Some((words, _)) => words.to_lowercase(),
        None => text,
    }
}
