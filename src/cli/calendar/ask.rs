//! What changes the calendar: exemptions and lockdowns.

use super::times::until;
use crate::cli::args::CalendarVerb;
use crate::cli::exec::{Errand, words};
use crate::cli::exit::{Exit, Stop, Went};
use crate::cli::keeper::Keeper;
use crate::cli::release::{ask_for, find, now};
use crate::cli::view::CalendarDoneView;
use crate::domain::calendar::{self, ExemptionId, LockdownId, Wish};
use crate::domain::text::printable;
use crate::domain::{Ask, Notice, State};

/// Asks for it, and says what became of it.
pub async fn run<R: Keeper>(verb: &CalendarVerb, errand: &Errand<'_, R>) -> Went {
    let state = errand.room.state().borrow().clone();
    let (did, named, ask) = asked(verb, &state)?;
    let settled = ask_for(Ask::Calendar(ask), errand).await?;
    let mut published = errand.room.state();
    let after = match published.wait_for(|state| state.seq >= settled.seq).await {
        Ok(state) => state.clone(),
        Err(_) => errand.room.state().borrow().clone(),
    };
    // a new one has the newest number
    let id = named.unwrap_or_else(|| match did {
        "locked-down" => LockdownId(after.calendar.last_lockdown).to_string(),
        _ => ExemptionId(after.calendar.last_exemption).to_string(),
    });
    let out = errand.out;
    if out.look.json {
        let view = CalendarDoneView {
            schema: "holdpoint.calendar-done/1",
            did,
            id,
            seq: settled.seq,
        };
        out.object(&view).await?;
        return Ok(Exit::Done);
    }
    match did {
        "requested" => {
            // the number alone on stdout, so that a script can take it
            out.say(format!("{id}\n")).await?;
            let next =
                format!("somebody else has to approve it: `holdpoint calendar approve {id}`\n");
            out.tell(next).await?;
        }
        "locked-down" => {
            out.say(format!("{id}\n")).await?;
            let next = format!(
                "LOCKDOWN: nothing in its scope goes forward until somebody else lifts it: \
                 `holdpoint calendar lift {id} --reason TEXT`\n"
            );
            out.tell(next).await?;
        }
        did => out.say(format!("{id} {did}\n")).await?,
    }
    Ok(Exit::Done)
}

/// What a verb asks: what it does in a word, to what that is there already, and the command.
fn asked(
    verb: &CalendarVerb,
    state: &State,
) -> Result<(&'static str, Option<String>, calendar::Ask), Stop> {
    Ok(match verb {
        CalendarVerb::Exempt {
            rule,
            scope,
            release,
            reason,
            ticket,
            until: end,
        } => {
            let release = release
                .as_deref()
                .map(|word| find(state, word))
                .transpose()?;
            let mut scope = scope.scope();
            // of a release, the environment says itself
            if let Some(found) = release.and_then(|id| state.live.get(&id))
                && scope.environments.is_empty()
            {
                scope.environments.insert(found.plan.environment.clone());
            }
            let until = until(end, &scope, state, now()).map_err(Stop::input)?;
            let wish = Wish {
                rule: printable(rule, 64).into(),
                scope,
                release,
                reason: words(Some(reason)),
                ticket: words(Some(ticket)),
                until,
            };
            ("requested", None, calendar::Ask::Request(wish))
        }
        CalendarVerb::Approve { exemption } => {
            let id = number::<ExemptionId>(exemption, "exemption", "X-3")?;
            ("approved", Some(id.to_string()), calendar::Ask::Approve(id))
        }
        CalendarVerb::Revoke { exemption, why } => {
            let id = number::<ExemptionId>(exemption, "exemption", "X-3")?;
            let ask = calendar::Ask::Revoke(id, words(why.as_deref()));
            ("revoked", Some(id.to_string()), ask)
        }
        CalendarVerb::Lockdown {
            scope,
            everything,
            reason,
        } => {
            if scope.is_empty() && !everything {
                return Err(Stop::input(
                    Notice::error("no-scope", "a lockdown of what?")
                        .next("name --environment, --service or --team, or say --everything"),
                ));
            }
            let ask = calendar::Ask::LockDown {
                scope: scope.scope(),
                reason: words(Some(reason)),
            };
            ("locked-down", None, ask)
        }
        CalendarVerb::Lift { lockdown, reason } => {
            let id = number::<LockdownId>(lockdown, "lockdown", "L-2")?;
            let ask = calendar::Ask::Lift(id, words(Some(reason)));
            ("lifted", Some(id.to_string()), ask)
        }
        CalendarVerb::Show { .. }
        | CalendarVerb::Lint
        | CalendarVerb::Conflicts
        | CalendarVerb::Export
        | CalendarVerb::Import { .. } => {
            return Err(Stop::from(Notice::error(
                "internal",
                "this command changes nothing",
            )));
        }
    })
}

fn number<T: std::str::FromStr>(text: &str, what: &str, like: &str) -> Result<T, Stop> {
    text.parse().map_err(|_| {
        let shown = printable(text, 40);
        Stop::input(
            Notice::error("bad-number", format!("`{shown}` is no {what}")).next(format!(
                "write its number, such as {like}; `holdpoint calendar show` lists them"
            )),
        )
    })
}
