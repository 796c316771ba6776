//! `release`: submit, list, show, and the commands of those who control one.

use std::sync::Arc;

use super::args::ReleaseVerb;
use super::exec::{Errand, words};
use super::exit::{Exit, Stop, Went};
use super::keeper::{Keeper, Settled};
use super::view::{DoneView, DryRunView, ReleaseLine, ReleaseView, phase};
use super::{calendar, evidence, ladder, list, update, wait};
use crate::config::plan::PlanFile;
use crate::domain::refusal::short;
use crate::domain::words::nearest;
use crate::domain::{
    Ask, Command, Control, Draft, HoldId, InstanceName, Notice, Plan, ReleaseId, State, Timestamp,
    press,
    waiting::{self, Waiting},
};
use crate::policy::turn::carry_out;

/// Carries out one of them.
pub async fn run<R: Keeper>(verb: &ReleaseVerb, errand: &Errand<'_, R>) -> Went {
    match verb {
        ReleaseVerb::Submit { file, dry_run } => {
            let name = file.to_string_lossy();
            submit(&name, *dry_run, errand).await
        }
        ReleaseVerb::Update {
            release,
            file,
            dry_run,
        } => update::run(release, &file.to_string_lossy(), *dry_run, errand).await,
        ReleaseVerb::Overrule {
            release,
            objector,
            why,
        } => update::overrule(release, objector, why, errand).await,
        ReleaseVerb::List { all } => list(*all, errand).await,
        ReleaseVerb::Show { release } => show(release, errand).await,
        ReleaseVerb::Wait {
            release,
            until,
            timeout,
        } => wait::run(release, *until, *timeout, errand).await,
        ReleaseVerb::Why { release } => calendar::why(release, errand).await,
        ReleaseVerb::When { release } => calendar::when(release, errand).await,
        ReleaseVerb::Checks { release } => evidence::list(release, errand).await,
        ReleaseVerb::Evidence(args) => evidence::run(args, errand).await,
        ReleaseVerb::Waive(args) => evidence::waive(args, errand).await,
        ReleaseVerb::Start { release } => control(release, Control::Start, "started", errand).await,
        ReleaseVerb::Pause { release, why } => {
            let why = words(why.as_deref());
            control(release, Control::Pause { why }, "paused", errand).await
        }
        ReleaseVerb::Resume { release } => {
            control(release, Control::Resume, "resumed", errand).await
        }
        ReleaseVerb::Promote {
            release,
            all: true,
            why,
            ..
        } => {
            let why = words(why.as_deref());
            control(release, Control::PromoteAll { why }, "promoted", errand).await
        }
        ReleaseVerb::Promote { release, hold, .. } => {
            let seen = hold.as_deref().map(HoldId::from);
            control(release, Control::Promote { seen }, "promoted", errand).await
        }
        ReleaseVerb::Retry { release, instance } => {
            let instance = instance.as_deref().map(InstanceName::from);
            control(release, Control::Retry { instance }, "retried", errand).await
        }
        ReleaseVerb::Rollback { release, why } => {
            let why = words(why.as_deref());
            control(release, Control::RollBack { why }, "rolling back", errand).await
        }
        ReleaseVerb::Cancel { release, why } => {
            let why = words(why.as_deref());
            control(release, Control::Cancel { why }, "cancelled", errand).await
        }
        ReleaseVerb::Handover { release, note } => {
            let note = words(Some(note));
            control(release, Control::HandOver { note }, "handed over", errand).await
        }
    }
}

/// The time by this machine's clock.
pub fn now() -> Timestamp {
    Timestamp(chrono::Utc::now().timestamp_millis())
}

/// The release that an id or a name means.
///
/// # Errors
/// When there is none, with the nearest that there is.
pub fn find(state: &State, word: &str) -> Result<ReleaseId, Notice> {
    if let Some(id) = state.find(word) {
        return Ok(id);
    }
    let ids = state.live.keys().map(ToString::to_string);
    let names = state.live.values().filter_map(|r| r.plan.name.as_deref());
    let known: Vec<String> = ids.chain(names.map(str::to_owned)).collect();
    let next = match nearest(word, known.iter().map(String::as_str)) {
        // ids are near to each other by nature, which means nothing
        Some(near) if !near.starts_with("R-") => format!("did you mean `{near}`?"),
        _ => "`holdpoint release list --all` shows what there is".to_owned(),
    };
    let shown = crate::domain::text::printable(word, 60);
    Err(Notice::error("unknown-release", format!("there is no release `{shown}`")).next(next))
}

/// A plan that came along with a command, checked against the room.
///
/// # Errors
/// When it did not come along, or holds mistakes.
pub fn plan_of<R>(name: &str, state: &State, errand: &Errand<'_, R>) -> Result<Arc<Plan>, Stop> {
    let Some(bytes) = errand.files.get(name) else {
        let shown = crate::domain::text::printable(name, 200);
        return Err(Stop::input(
            Notice::error(
                "cannot-read",
                "the plan did not come along with the command",
            )
            .next("name a file that can be read, or `-` for stdin")
            .at(shown),
        ));
    };
    let shown = if name == "-" { "stdin" } else { name };
    let file = PlanFile::read(shown, bytes).map_err(Stop::bad)?;
    file.check(&state.charter).map_err(Stop::bad)?;
    Ok(Arc::new(file.plan))
}

async fn submit<R: Keeper>(name: &str, dry_run: bool, errand: &Errand<'_, R>) -> Went {
    let state = errand.room.state().borrow().clone();
    let plan = plan_of(name, &state, errand)?;
    let ask = Ask::Submit { plan };
    if dry_run {
        return rehearse(&state, ask, errand).await;
    }
    let settled = ask_for(ask, errand).await?;
    let Some(id) = settled.release else {
        return Err(Stop::from(Notice::error(
            "internal",
            "the engine took the plan and gave it no number",
        )));
    };
    done(id, settled, "submitted", errand).await
}

/// What a question would lead to, without an engine hearing of it.
///
/// # Errors
/// The refusal.
pub fn rehearsed<R>(state: &State, ask: Ask, errand: &Errand<'_, R>) -> Result<Draft, Stop> {
    let mut draft = Draft::new(state.clone());
    let command = Command {
        at: now(),
        who: errand.caller.who.clone(),
        door: errand.caller.door.clone(),
        ask,
    };
    let run = carry_out(&mut draft, &command);
    run.map_err(|refusal| Stop::from(refusal.notice()))?;
    Ok(draft)
}

async fn rehearse<R: Keeper>(state: &State, ask: Ask, errand: &Errand<'_, R>) -> Went {
    let (now, live) = (now(), errand.room.live_now());
    let draft = rehearsed(state, ask, errand)?;
    let Some(release) = draft.state.live.get(&ReleaseId(draft.state.last_id)) else {
        return Ok(Exit::Done);
    };
    if errand.out.look.json {
        let view = DryRunView {
            schema: "holdpoint.dry-run/1",
            release: ReleaseView::live(&draft.state, &live, release, now),
        };
        errand.out.object(&view).await?;
    } else {
        let page = ladder::show(&draft.state, &live, release, now);
        errand.out.say(page).await?;
        errand
            .out
            .tell(calendar::greeting(&draft.state, release.id))
            .await?;
        let note = "\nThis was a rehearsal: nothing was submitted.\n";
        errand.out.tell(note).await?;
    }
    Ok(Exit::Done)
}

async fn list<R: Keeper>(all: bool, errand: &Errand<'_, R>) -> Went {
    let state = errand.room.state().borrow().clone();
    let (who, now, out) = (errand.person(), now(), errand.out);
    if !out.look.json {
        let text = list::text(&state, who, all, now, out.look.width());
        out.say(text).await?;
        return Ok(Exit::Done);
    }
    for section in list::sections(&state, who, now) {
        for release in section.releases {
            let line = ReleaseLine::live(&state, release, who, now);
            out.object(&line).await?;
        }
    }
    if all {
        for summary in state.closed.values().rev() {
            out.object(&ReleaseLine::closed(summary)).await?;
        }
    }
    Ok(Exit::Done)
}

async fn show<R: Keeper>(word: &str, errand: &Errand<'_, R>) -> Went {
    let state = errand.room.state().borrow().clone();
    let live = errand.room.live_now();
    let (id, now, out) = (find(&state, word)?, now(), errand.out);
    match (state.live.get(&id), state.closed.get(&id)) {
        (Some(release), _) if out.look.json => {
            let view = ReleaseView::live(&state, &live, release, now);
            out.object(&view).await?;
        }
        (Some(release), _) => out.say(ladder::show(&state, &live, release, now)).await?,
        (None, Some(summary)) if out.look.json => {
            out.object(&ReleaseView::closed(summary)).await?;
        }
        (None, Some(summary)) => out.say(ladder::show_closed(summary, now)).await?,
        (None, None) => {}
    }
    Ok(Exit::Done)
}

async fn control<R: Keeper>(
    word: &str,
    control: Control,
    did: &str,
    errand: &Errand<'_, R>,
) -> Went {
    let state = errand.room.state().borrow().clone();
    let release = find(&state, word)?;
    let settled = ask_for(Ask::Control { release, control }, errand).await?;
    done(release, settled, did, errand).await
}

/// What a release waits for, in a sentence without its subject.
pub fn sentence(waits: &Waiting) -> String {
    // `start: start Payments 5` would say it twice
    match waits.word {
        "start" | "paused" | "moving" | "rolls back" => waits.what.clone(),
        // a place is no explanation
        "queued" => format!("queued, {}", waits.what),
        word => format!("{word}: {}", waits.what),
    }
}

/// Asks in the caller's name.
///
/// # Errors
/// The refusal, or why nobody can be asked.
pub async fn ask_for<R: Keeper>(ask: Ask, errand: &Errand<'_, R>) -> Result<Settled, Stop> {
    let caller = errand.caller;
    let asked = errand.room.ask(&caller.who, &caller.door, ask).await;
    asked.map_err(Stop::from)
}

/// Says that something is durable, and where the release is now.
///
/// # Errors
/// When nobody reads any more.
pub async fn done<R: Keeper>(
    id: ReleaseId,
    settled: Settled,
    did: &str,
    errand: &Errand<'_, R>,
) -> Went {
    let mut published = errand.room.state();
    // the answer may come before the state is published; if the engine ends in between, what was
    // published last is still true
    let state = match published.wait_for(|state| state.seq >= settled.seq).await {
        Ok(state) => state.clone(),
        Err(_) => errand.room.state().borrow().clone(),
    };
    let mut next = String::new();
    let (digest, at, waits) = match (state.live.get(&id), state.closed.get(&id)) {
        (Some(release), _) => {
            let now = now();
            let waits = waiting::of(&state, release, now);
            next = press::next(&state, release, &waits, now);
            let words = sentence(&waits);
            (
                Some(release.digest.to_string()),
                phase(release.phase),
                words,
            )
        }
        _ => (None, "closed", String::new()),
    };
    let out = errand.out;
    if out.look.json {
        let view = DoneView {
            schema: "holdpoint.done/1",
            did: did.replace(' ', "-"),
            release: id.to_string(),
            digest,
            seq: settled.seq,
            phase: at.to_owned(),
            waiting: waits,
            next,
        };
        out.object(&view).await?;
        return Ok(Exit::Done);
    }
    let now_what = match waits.is_empty() {
        true => String::new(),
        false => format!("; it waits for {waits}"),
    };
    if did == "submitted" {
        // the id alone on stdout, so that a script can take it
        out.say(format!("{id}\n")).await?;
        let digest = digest.as_deref().map(short).unwrap_or_default();
        out.tell(format!("submitted, plan {digest}{now_what}\n"))
            .await?;
        out.tell(calendar::greeting(&state, id)).await?;
    } else {
        // one vote is not the quorum, and who takes back their own release does not cancel it
        let told = match (did, state.closed.get(&id)) {
            ("approved", _) => "has your approval",
            ("cancelled", Some(summary)) => summary.ending.words(),
            _ => did,
        };
        out.say(format!("{id} {told}{now_what}\n")).await?;
    }
    if !next.is_empty() {
        out.tell(format!("next: {next}\n")).await?;
    }
    Ok(Exit::Done)
}
