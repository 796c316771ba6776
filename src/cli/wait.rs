//! `release wait`: until a release has come somewhere, or cannot come there any more.

use std::time::Duration;

use tokio::time::Instant;

use super::args::Until;
use super::exec::Errand;
use super::exit::{Exit, Stop, Went};
use super::keeper::{Keeper, no_engine};
use super::release::{self, find, now};
use super::view::{WaitView, phase};
use crate::domain::release::{Ending, Release, Summary};
use crate::domain::{Phase, ReleaseId, Span, State, waiting};

/// How often progress is shown anew.
const BEAT: Duration = Duration::from_secs(1);

/// How a release stands to what is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stand {
    /// It is there, or has been.
    Reached,
    /// It may come there yet.
    Open,
    /// It cannot come there any more.
    Missed,
}

/// Waits.
pub async fn run<R: Keeper>(
    word: &str,
    until: Until,
    timeout: Option<Span>,
    errand: &Errand<'_, R>,
) -> Went {
    let mut published = errand.room.state();
    let mut state = published.borrow_and_update().clone();
    let id = find(&state, word)?;
    let began = Instant::now();
    let end = timeout.and_then(|span| began.checked_add(span.std()));
    loop {
        let stand = stand(&state, id, until);
        if stand != Stand::Open {
            return told(&state, id, until, stand, began, false, errand).await;
        }
        if !errand.room.runs() {
            return Err(Stop::unreachable(no_engine("this room")));
        }
        progress(&state, id, until, end, errand).await?;
        tokio::select! {
            changed = published.changed() => {
                if changed.is_err() {
                    return Err(Stop::unreachable(crate::engine::explain::gone()));
                }
                state = published.borrow_and_update().clone();
            }
            () = tokio::time::sleep(BEAT) => {}
            () = at(end) => {
                return told(&state, id, until, Stand::Open, began, true, errand).await;
            }
        }
    }
}

/// The moment when time is up; never, if there is no limit.
async fn at(end: Option<Instant>) {
    match end {
        Some(end) => tokio::time::sleep_until(end).await,
        None => std::future::pending().await,
    }
}

fn stand(state: &State, id: ReleaseId, until: Until) -> Stand {
    match (state.live.get(&id), state.closed.get(&id)) {
        (Some(release), _) => stand_live(release, until),
        (None, Some(summary)) => stand_closed(summary, until),
        (None, None) => Stand::Missed,
    }
}

fn stand_live(release: &Release, until: Until) -> Stand {
    let back = release.phase == Phase::RollingBack;
    let reached = match until {
        Until::Approved => {
            release.phase != Phase::Waiting || release.approval().is_none_or(|h| h.cleared())
        }
        Until::Started => release.phase != Phase::Waiting,
        Until::Paused => release.paused.is_some(),
        Until::Observing => release.phase == Phase::Observing,
        Until::RollingBack => back,
        Until::Closed | Until::Succeeded | Until::RolledBack => false,
    };
    let lost = back && matches!(until, Until::Observing | Until::Succeeded);
    match (reached, lost) {
        (true, _) => Stand::Reached,
        (false, true) => Stand::Missed,
        (false, false) => Stand::Open,
    }
}

fn stand_closed(summary: &Summary, until: Until) -> Stand {
    // a superseded release was being observed; a rolled back one had begun
    let observed = matches!(summary.ending, Ending::Succeeded | Ending::Superseded);
    let reached = match until {
        Until::Approved | Until::Started => observed || summary.ending == Ending::RolledBack,
        Until::Paused => false,
        Until::Observing => observed,
        Until::RollingBack | Until::RolledBack => summary.ending == Ending::RolledBack,
        Until::Closed => true,
        Until::Succeeded => summary.ending == Ending::Succeeded,
    };
    match reached {
        true => Stand::Reached,
        false => Stand::Missed,
    }
}

/// What is so, in a sentence.
fn sentence(state: &State, id: ReleaseId) -> String {
    match (state.live.get(&id), state.closed.get(&id)) {
        (Some(release), _) => {
            let waits = waiting::of(state, release, now());
            match &release.back {
                Some(back) => format!("{id} goes back: {}; {}", back.why, waits.what),
                None => format!("{id} waits for {}", release::sentence(&waits)),
            }
        }
        (None, Some(summary)) => {
            format!(
                "{id} is closed, {}: {}",
                summary.ending.words(),
                summary.why
            )
        }
        (None, None) => format!("there is no {id}"),
    }
}

async fn progress<R: Keeper>(
    state: &State,
    id: ReleaseId,
    until: Until,
    end: Option<Instant>,
    errand: &Errand<'_, R>,
) -> Result<(), Stop> {
    let out = errand.out;
    if !out.look.tty || out.look.json {
        return Ok(());
    }
    let left = match end {
        Some(end) => {
            let left = end.saturating_duration_since(Instant::now()).as_secs();
            format!(" · {} left", Span::secs(left))
        }
        None => String::new(),
    };
    let line = format!("until {}{left} · {}", until.word(), sentence(state, id));
    let room = out.look.width().saturating_sub(1);
    let line: String = line.chars().take(room).collect();
    out.tell(format!("\r{line}\x1b[K")).await?;
    Ok(())
}

async fn told<R: Keeper>(
    state: &State,
    id: ReleaseId,
    until: Until,
    stand: Stand,
    began: Instant,
    timed_out: bool,
    errand: &Errand<'_, R>,
) -> Went {
    let out = errand.out;
    let words = sentence(state, id);
    let exit = match stand {
        Stand::Reached => Exit::Done,
        Stand::Missed => Exit::Refused,
        Stand::Open => Exit::InVain,
    };
    if out.look.json {
        let closed = state.closed.get(&id);
        let live = state.live.get(&id);
        let view = WaitView {
            schema: "holdpoint.wait/1",
            release: id.to_string(),
            until: until.word().to_owned(),
            reached: stand == Stand::Reached,
            timed_out,
            phase: live
                .map_or("closed", |release| phase(release.phase))
                .to_owned(),
            ending: closed.map(|summary| summary.ending.words().replace(' ', "-")),
            words,
            seconds: began.elapsed().as_millis() as f64 / 1000.0,
        };
        out.object(&view).await?;
        return Ok(exit);
    }
    if out.look.tty {
        out.tell("\r\x1b[K").await?;
    }
    let word = until.word();
    let text = match stand {
        Stand::Reached => format!("{word}: {words}\n"),
        Stand::Missed => format!("not {word}: {words}\n"),
        Stand::Open => format!(
            "not {word} after {}: {words}\n",
            Span(u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX))
        ),
    };
    out.say(text).await?;
    Ok(exit)
}
