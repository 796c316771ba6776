//! `authority`: rights and votes that are given for a while.

use super::args::{AuthorityVerb, ScopeArgs};
use super::exec::{Errand, words};
use super::exit::{Exit, Stop, Went};
use super::keeper::{Keeper, Settled};
use super::release::{ask_for, find, now};
use super::view::AuthorityView;
use crate::domain::authority::{Ask, Gift, Grant, GrantId, Scope};
use crate::domain::text::printable;
use crate::domain::{EnvName, GroupName, Notice, PersonName, ServiceName, State, Timestamp};

/// Carries out one of them.
pub async fn run<R: Keeper>(verb: &AuthorityVerb, errand: &Errand<'_, R>) -> Went {
    let state = errand.room.state().borrow().clone();
    match verb {
        AuthorityVerb::Grant {
            person,
            right,
            group,
            scope,
            lasts,
            why,
        } => {
            let gift = match (right, group) {
                (Some(right), _) => Gift::Right((*right).into()),
                (None, group) => Gift::Group(GroupName::from(group.as_deref().unwrap_or_default())),
            };
            let ask = Ask::Grant {
                to: PersonName::from(person.as_str()),
                gift,
                scope: scope_of(&state, scope)?,
                lasts: *lasts,
                why: words(Some(why)),
            };
            let settled = ask_for(crate::domain::Ask::Authority(ask), errand).await?;
            // several may come in at once: it is the newest of this very gift
            let to = PersonName::from(person.as_str());
            told(settled, errand, |g| {
                g.to == to && Some(&g.by) == errand.person()
            })
            .await
        }
        AuthorityVerb::Revoke { grant } => {
            let id: GrantId = grant.parse().map_err(|()| {
                let shown = printable(grant, 60);
                Stop::input(
                    Notice::error("bad-id", format!("`{shown}` is no grant"))
                        .next("`authority list` shows their ids, such as G-3"),
                )
            })?;
            let ask = crate::domain::Ask::Authority(Ask::Revoke { grant: id });
            let settled = ask_for(ask, errand).await?;
            told(settled, errand, |g| g.id == id).await
        }
        AuthorityVerb::List { all } => list(&state, *all, errand).await,
    }
}

fn scope_of(state: &State, scope: &ScopeArgs) -> Result<Scope, Stop> {
    Ok(match (&scope.environment, &scope.service, &scope.release) {
        (Some(name), _, _) => Scope::Environment(EnvName::from(name.as_str())),
        (None, Some(name), _) => Scope::Service(ServiceName::from(name.as_str())),
        (None, None, word) => Scope::Release(find(state, word.as_deref().unwrap_or_default())?),
    })
}

/// Says what is durable.
async fn told<R: Keeper>(
    settled: Settled,
    errand: &Errand<'_, R>,
    is: impl Fn(&Grant) -> bool,
) -> Went {
    let mut published = errand.room.state();
    let state = match published.wait_for(|state| state.seq >= settled.seq).await {
        Ok(state) => state.clone(),
        Err(_) => errand.room.state().borrow().clone(),
    };
    let (out, now) = (errand.out, now());
    let mut newest = state.grants.values().rev();
    if let Some(grant) = newest.find(|grant| is(grant)) {
        if out.look.json {
            out.object(&AuthorityView::of(grant, now)).await?;
        } else {
            out.say(line(grant, now)).await?;
        }
    }
    Ok(Exit::Done)
}

async fn list<R: Keeper>(state: &State, all: bool, errand: &Errand<'_, R>) -> Went {
    let (out, now) = (errand.out, now());
    let mut none = true;
    for grant in state.grants.values().filter(|g| all || g.holds(now)) {
        none = false;
        if out.look.json {
            out.object(&AuthorityView::of(grant, now)).await?;
        } else {
            out.say(line(grant, now)).await?;
        }
    }
    if none && !out.look.json {
        out.say("nobody holds authority for a while\n").await?;
    }
    Ok(Exit::Done)
}

/// A grant in a line.
fn line(grant: &Grant, now: Timestamp) -> String {
    let until = match &grant.revoked {
        Some((who, at)) => format!("taken back by {who} {} ago", now.since(*at)),
        None if grant.holds(now) => format!("for {} more", grant.until.since(now)),
        None => format!("ended {} ago", now.since(grant.until)),
    };
    format!(
        "{}  {} has {} for {}, {until}; given by {}: {}\n",
        grant.id, grant.to, grant.gift, grant.scope, grant.by, grant.why
    )
}
