//! `release update` and `release overrule`.

use std::fmt::Write as _;

use super::exec::{Errand, words};
use super::exit::{Exit, Went};
use super::keeper::Keeper;
use super::release::{ask_for, done, find, plan_of, rehearsed};
use super::view::PlanDiffView;
use crate::domain::diff::Change;
use crate::domain::refusal::short;
use crate::domain::{Ask, PersonName, approval};

/// Puts another plan in the place of a release's plan, or shows what that would change.
pub async fn run<R: Keeper>(word: &str, name: &str, dry_run: bool, errand: &Errand<'_, R>) -> Went {
    let state = errand.room.state().borrow().clone();
    let id = find(&state, word)?;
    let plan = plan_of(name, &state, errand)?;
    let ask = Ask::Approval(approval::Ask::Update { release: id, plan });
    // the dry run says what is different; the engine decides anew what becomes of it
    let draft = rehearsed(&state, ask.clone(), errand)?;
    let after = draft.state.live.get(&id);
    let Some((after, changed)) = after.and_then(|r| Some((r, r.changed.last()?))) else {
        return Ok(Exit::Done);
    };
    let out = errand.out;
    let voids = state
        .live
        .get(&id)
        .is_some_and(|before| !before.votes.is_empty())
        && after.votes.is_empty();
    let mut page = format!("plan {} → {}\n", short(&changed.was), short(&after.digest));
    page += &shown(&changed.changes);
    let voided: Vec<String> = changed.voided.iter().map(ToString::to_string).collect();
    let votes = match (voids, dry_run) {
        (false, _) => String::new(),
        (true, true) => format!("the votes of {} would be void\n", voided.join(", ")),
        (true, false) => format!("the votes of {} are void\n", voided.join(", ")),
    };
    page += &votes;
    if !dry_run {
        let settled = ask_for(ask, errand).await?;
        if !out.look.json {
            out.tell(page).await?;
        }
        return done(id, settled, "updated", errand).await;
    }
    if out.look.json {
        let view = PlanDiffView {
            schema: "holdpoint.plan-diff/1",
            release: id.to_string(),
            from: changed.was.to_string(),
            to: after.digest.to_string(),
            changes: changed.changes.iter().map(Into::into).collect(),
            voids,
            voided,
        };
        out.object(&view).await?;
    } else {
        out.say(page).await?;
        let note = "\nThis was a rehearsal: nothing was changed.\n";
        out.tell(note).await?;
    }
    Ok(Exit::Done)
}

/// The difference, a line each.
pub fn shown(changes: &[Change]) -> String {
    let mut page = String::new();
    for change in changes {
        // writing to a string cannot fail
        let _ = writeln!(page, "  {}", change.words());
    }
    page
}

/// Lets an objection no longer block.
pub async fn overrule<R: Keeper>(
    word: &str,
    objector: &str,
    why: &str,
    errand: &Errand<'_, R>,
) -> Went {
    let state = errand.room.state().borrow().clone();
    let release = find(&state, word)?;
    let ask = approval::Ask::Overrule {
        release,
        whose: PersonName::from(objector),
        why: words(Some(why)),
    };
    let settled = ask_for(Ask::Approval(ask), errand).await?;
    done(release, settled, "overruled", errand).await
}
