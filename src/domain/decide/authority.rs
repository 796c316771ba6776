//! Giving authority for a while, and taking it back.

use super::Draft;
use super::people::known;
use crate::domain::authority::{Ask, Denied, Gift, Grant, GrantId, LONGEST, Scope, Told};
use crate::domain::charter::Right;
use crate::domain::command::Actor;
use crate::domain::event::What;
use crate::domain::ids::{EnvName, PersonName, Span};
use crate::domain::refusal::Refusal;
use crate::domain::words::nearest;

impl Draft {
    pub(super) fn authority(&mut self, who: &Actor, ask: &Ask) -> Result<(), Refusal> {
        let person = known(who, &self.state.charter.people)?;
        match ask {
            Ask::Grant {
                to,
                gift,
                scope,
                lasts,
                why,
            } => {
                let now = self.now();
                let id = self.state.grants.get_max().map_or(0, |(id, _)| id.0) + 1;
                self.gives(&person, scope)?;
                self.grantable(&person, to, gift, *lasts)?;
                if why.trim().is_empty() {
                    return Err(Denied::NoReason.into());
                }
                self.push(What::Authority(Told::Granted(Grant {
                    id: GrantId(id),
                    to: to.clone(),
                    gift: gift.clone(),
                    scope: scope.clone(),
                    from: now,
                    until: now.plus(*lasts),
                    by: person,
                    why: why.clone(),
                    revoked: None,
                })));
            }
            Ask::Revoke { grant } => {
                let now = self.now();
                let held = self.state.grants.get(grant).filter(|g| g.holds(now));
                let Some(held) = held.cloned() else {
                    return Err(Denied::NoGrant(*grant).into());
                };
                // taking it back is never harder than giving it: giver and holder may as well
                if held.by != person && held.to != person {
                    self.gives(&person, &held.scope)?;
                }
                self.push(What::Authority(Told::Revoked { grant: *grant }));
            }
        }
        Ok(())
    }

    /// Whether a person may give authority over all of a scope, by the files alone: what was given
    /// for a while is not handed on.
    fn gives(&self, person: &PersonName, scope: &Scope) -> Result<(), Refusal> {
        let charter = &self.state.charter;
        let environments: Vec<EnvName> = match scope {
            Scope::Environment(name) => {
                let known = charter.environments.keys().map(EnvName::as_str);
                exists("environment", name.as_str(), known)?;
                vec![name.clone()]
            }
            Scope::Service(name) => {
                let known = charter.services.keys().map(|s| s.as_str());
                exists("service", name.as_str(), known)?;
                let of = charter.targets.values().filter(|t| t.service == *name);
                of.map(|t| t.environment.clone()).collect()
            }
            Scope::Release(id) => vec![self.release(*id)?.plan.environment.clone()],
        };
        let lacks = |env: &&EnvName| !charter.may(person, Right::Grant, env);
        // a service that runs nowhere yet is for those who may give authority everywhere
        let everywhere = environments.is_empty().then_some(&charter.environments);
        let all = environments
            .iter()
            .chain(everywhere.into_iter().flat_map(|all| all.keys()));
        match all.into_iter().find(lacks) {
            None => Ok(()),
            Some(environment) => Err(Refusal::NoRight {
                who: person.clone(),
                what: "give authority",
                environment: environment.clone(),
                groups: charter.groups_with(Right::Grant, environment),
            }),
        }
    }

    fn grantable(
        &self,
        person: &PersonName,
        to: &PersonName,
        gift: &Gift,
        lasts: Span,
    ) -> Result<(), Refusal> {
        let charter = &self.state.charter;
        exists(
            "person",
            to.as_str(),
            charter.people.keys().map(PersonName::as_str),
        )?;
        if to == person {
            return Err(Denied::ToOneself(person.clone()).into());
        }
        match gift {
            Gift::Right(Right::Grant) => return Err(Denied::NotGrantable.into()),
            Gift::Right(_) => {}
            Gift::Group(group) => {
                let known = charter.groups.keys().map(|g| g.as_str());
                exists("group", group.as_str(), known)?;
            }
        }
        if lasts == Span(0) || lasts > LONGEST {
            return Err(Denied::BadTime(lasts).into());
        }
        Ok(())
    }
}

fn exists<'a>(
    what: &'static str,
    name: &str,
    mut known: impl Iterator<Item = &'a str> + Clone,
) -> Result<(), Refusal> {
    let near = nearest(name, known.clone()).map(str::to_owned);
    if known.any(|k| k == name) {
        return Ok(());
    }
    let name = crate::domain::text::printable(name, 60);
    Err(Denied::Unknown { what, name, near }.into())
}
