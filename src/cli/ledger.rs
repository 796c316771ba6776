//! `ledger`: show and backup.

use std::path::Path;

use serde_json::value::RawValue;

use super::args::LedgerVerb;
use super::exec::Errand;
use super::exit::{Exit, Stop, Went};
use super::keeper::{Keeper, Line};
use super::release::find;
use super::view::{BackupView, EntryView, time};
use crate::domain::{Event, Notice, ReleaseId, State};

/// How many entries are read at a time.
const PAGE: usize = 500;

/// Carries out one of them.
pub async fn run<R: Keeper>(verb: &LedgerVerb, errand: &Errand<'_, R>) -> Went {
    match verb {
        LedgerVerb::Show {
            from,
            release,
            follow,
        } => {
            let state = errand.room.state().borrow().clone();
            let only = match release {
                Some(word) => Some(find(&state, word)?),
                None => None,
            };
            show(*from, only, *follow, &state, errand).await
        }
        LedgerVerb::Backup { file } => backup(file, errand).await,
    }
}

async fn show<R: Keeper>(
    from: u64,
    only: Option<ReleaseId>,
    follow: bool,
    state: &State,
    errand: &Errand<'_, R>,
) -> Went {
    let mut published = errand.room.state();
    let mut next = from.max(1);
    if !follow && next > state.seq + 1 {
        return Err(Stop::input(
            Notice::error("no-such-entry", format!("the ledger ends at {}", state.seq))
                .next("begin with an earlier entry"),
        ));
    }
    loop {
        published.borrow_and_update();
        loop {
            let page = errand.room.entries(next, PAGE).await?;
            let Some(last) = page.last() else { break };
            next = last.seq + 1;
            for line in &page {
                entry(line, only, errand).await?;
            }
        }
        if !follow {
            return Ok(Exit::Done);
        }
        if !errand.room.runs() || published.changed().await.is_err() {
            return Ok(Exit::Done);
        }
    }
}

async fn entry<R: Keeper>(
    line: &Line,
    only: Option<ReleaseId>,
    errand: &Errand<'_, R>,
) -> Result<(), Stop> {
    let event = Event::from_bytes(&line.bytes);
    let about = event.as_ref().ok().and_then(|event| event.what.release());
    if only.is_some() && about != only {
        return Ok(());
    }
    let out = errand.out;
    if out.look.json {
        let raw: &RawValue = serde_json::from_slice(&line.bytes).map_err(|_| broken(line.seq))?;
        let view = EntryView {
            schema: "holdpoint.entry/1",
            seq: line.seq,
            hash: &line.hash,
            event: raw,
        };
        out.object(&view).await?;
        return Ok(());
    }
    let hash = line.hash.get(..8).unwrap_or(&line.hash);
    let text = match event {
        Ok(event) => {
            let release = about.map(|id| id.to_string()).unwrap_or_default();
            let (who, words) = (
                event.who.to_string(),
                super::story::words(&event.what, event.at),
            );
            format!(
                "{:>7} {hash} {} {release:<6} {who:<10} {words}\n",
                line.seq,
                time(event.at)
            )
        }
        Err(_) => format!(
            "{:>7} {hash} an event that this version of holdpoint does not know\n",
            line.seq
        ),
    };
    out.say(text).await?;
    Ok(())
}

fn broken(seq: u64) -> Notice {
    Notice::error("broken-entry", format!("entry {seq} is no JSON"))
        .next("the ledger was changed from outside: keep it, and restore a backup beside it")
}

async fn backup<R: Keeper>(file: &Path, errand: &Errand<'_, R>) -> Went {
    if !errand.operator() {
        return Err(Stop::from(
            Notice::error("not-operator", "the engine writes no files for you")
                .detail("a backup is written by the engine, with the engine's rights")
                .next("run this as the user that runs the engine"),
        ));
    }
    if !file.is_absolute() {
        return Err(Stop::input(
            Notice::error("relative-path", "a backup needs an absolute path here")
                .at(file.display().to_string()),
        ));
    }
    let (seq, head) = errand.room.backup(file.to_owned()).await?;
    let (out, file) = (errand.out, file.display().to_string());
    if out.look.json {
        let view = BackupView {
            schema: "holdpoint.backup/1",
            file,
            seq,
            head,
        };
        out.object(&view).await?;
    } else {
        let words = format!("{file}: {seq} entries, head {head}\n");
        out.say(words).await?;
    }
    Ok(Exit::Done)
}
