//! Carrying out a command on a room: the same for the local command line, the socket and SSH.

use std::collections::BTreeMap;

use clap::Parser;

use super::args::{Cli, Verb};
use super::exit::{Exit, Stop, Went};
use super::keeper::Keeper;
use super::out::{Look, Out};
use super::{authority, calendar, ledger, pir, policy, release, report, usage, vote};
use crate::config::mistakes::Mistakes;
use crate::domain::{Door, Notice, PersonName};
use crate::session::Identity;

/// A command on its way to a room.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Order {
    /// What was typed, without the program's name.
    pub argv: Vec<String>,
    /// The content of the files that it names.
    pub files: BTreeMap<String, Vec<u8>>,
}

/// What every command of a room needs.
#[derive(Debug)]
pub struct Errand<'a, R> {
    /// The room.
    pub room: &'a R,
    /// Who asks.
    pub caller: &'a Identity,
    /// The content of the files that were named.
    pub files: &'a BTreeMap<String, Vec<u8>>,
    /// Where to write.
    pub out: &'a Out,
}

impl<R> Errand<'_, R> {
    /// The person who asks, if a door proved one.
    pub fn person(&self) -> Option<&PersonName> {
        self.caller.who.person()
    }

    /// Whether the engine may write files for them: the engine's own user, or root, at this
    /// machine.
    pub fn operator(&self) -> bool {
        match self.caller.door {
            Door::Socket { uid } | Door::Token { uid } => {
                uid == 0 || uid == rustix::process::geteuid().as_raw()
            }
            Door::Engine | Door::Sample => false,
        }
    }
}

/// Carries out a command, whoever typed it wherever. What it has to say goes to `out`, what the
/// far end can show stands there; whether it wants JSON, the command says.
pub async fn exec(caller: &Identity, room: &impl Keeper, order: &Order, out: &Out) -> Exit {
    let words = std::iter::once("holdpoint").chain(order.argv.iter().map(String::as_str));
    let cli = match Cli::try_parse_from(words) {
        Ok(cli) => cli,
        Err(error) => {
            let json = order.argv.iter().any(|word| word == "--json");
            let usage = usage::of(&error, json, out.look.colour);
            // where nobody reads there is nobody to tell
            let _ = match usage.exit {
                Exit::Done => out.say(usage.text).await,
                _ => out.tell(usage.text).await,
            };
            return usage.exit;
        }
    };
    let mut out = out.clone();
    out.look = Look {
        json: cli.common.json,
        ..out.look
    };
    let errand = Errand {
        room,
        caller,
        files: &order.files,
        out: &out,
    };
    let went = tokio::select! {
        went = run(&cli, &errand) => went,
        () = out.gone() => Err(Stop::Gone),
    };
    finish(went, &out).await
}

/// Says what went wrong, if anything did.
async fn finish(went: Went, out: &Out) -> Exit {
    match went {
        Ok(exit) => exit,
        // the command was carried out or not: who asked can look
        Err(Stop::Gone) => Exit::Unreachable,
        Err(Stop::Failed(exit, mistakes)) => {
            let _ = out.wrong(&mistakes).await;
            exit
        }
    }
}

async fn run<R: Keeper>(cli: &Cli, errand: &Errand<'_, R>) -> Went {
    same_person(cli, errand.caller)?;
    match &cli.verb {
        Some(Verb::Release { verb }) => release::run(verb, errand).await,
        Some(Verb::Vote {
            release,
            choice,
            comment,
            digest,
        }) => {
            let ballot = vote::Ballot {
                release,
                choice: choice.choice(),
                comment: comment.as_deref(),
                digest: digest.as_deref(),
            };
            vote::run(&ballot, errand).await
        }
        Some(Verb::Calendar { verb }) => calendar::run(verb, errand).await,
        Some(Verb::Authority { verb }) => authority::run(verb, errand).await,
        Some(Verb::Pir { verb }) => pir::run(verb, errand).await,
        Some(Verb::Policy { verb }) => policy::run(verb, errand).await,
        Some(Verb::Report { verb }) => report::run(verb, errand).await,
        Some(Verb::Ledger { verb }) => ledger::run(verb, errand).await,
        _ => Err(Stop::bad(Mistakes::one(
            Notice::error("not-here", "this command runs only on your own machine")
                .next("over this door: release, vote, authority, pir, policy, calendar, report and ledger"),
        ))),
    }
}

/// `--as NAME` is a promise about the token that came along: it must be NAME's.
fn same_person(cli: &Cli, caller: &Identity) -> Result<(), Stop> {
    let Some(name) = &cli.common.as_name else {
        return Ok(());
    };
    match caller.who.person() {
        Some(person) if person.as_str() == name => Ok(()),
        other => {
            let whose = match other {
                Some(person) => format!("this token is {person}'s, not {name}'s"),
                None => format!("this room does not know this token of {name}"),
            };
            Err(Stop::from(Notice::error("wrong-token", whose).next(
                "`holdpoint token NAME` makes one; its hash belongs into people.toml",
            )))
        }
    }
}

/// Words that somebody typed for people, safe to keep and to show.
pub fn words(text: Option<&str>) -> std::sync::Arc<str> {
    crate::domain::text::printable(text.unwrap_or_default().trim(), 500).into()
}
