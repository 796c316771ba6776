//! Authority for a while: a right or a membership that somebody gives to a person, for one scope and
//! a limited time.
//!
//! Who may give it holds the right `grant` by `people.toml`: what was given for a while is never
//! handed on. It ends by itself; nothing needs to happen for that.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::approval::Terms;
use super::charter::Right;
use super::ids::{EnvName, GroupName, PersonName, ReleaseId, ServiceName, Span, Timestamp};
use super::plan::Plan;
use super::release::Release;
use super::state::State;

/// The longest time for which authority can be given: what is needed longer belongs into
/// `people.toml`, where others see it coming.
pub const LONGEST: Span = Span::mins(7 * 24 * 60);

/// A grant, printed as `G-3`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GrantId(pub u64);

impl fmt::Display for GrantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("G-{}", self.0))
    }
}

impl std::str::FromStr for GrantId {
    type Err = ();

    /// Reads `G-3` or `g-3`.
    fn from_str(text: &str) -> Result<Self, ()> {
        let digits = text.strip_prefix("G-").or_else(|| text.strip_prefix("g-"));
        digits
            .and_then(|digits| digits.parse().ok())
            .map(GrantId)
            .ok_or(())
    }
}

/// What is given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Gift {
    /// A right.
    Right(Right),
    /// Membership of a group, for votes: not the rights of that group.
    Group(GroupName),
}

impl fmt::Display for Gift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Gift::Right(right) => write!(f, "the right {}", right.word()),
            Gift::Group(group) => write!(f, "a vote of {group}"),
        }
    }
}

/// For what it holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// Every release to an environment.
    Environment(EnvName),
    /// Every release that changes this service and nothing else.
    Service(ServiceName),
    /// One release.
    Release(ReleaseId),
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scope::Environment(name) => name.fmt(f),
            Scope::Service(name) => write!(f, "releases of {name}"),
            Scope::Release(id) => id.fmt(f),
        }
    }
}

impl Scope {
    /// Whether a plan, and the release that it belongs to, lies within.
    fn covers(&self, plan: &Plan, release: Option<ReleaseId>) -> bool {
        match self {
            Scope::Environment(name) => plan.environment == *name,
            Scope::Service(name) => plan.services.iter().all(|s| s.service == *name),
            Scope::Release(id) => release == Some(*id),
        }
    }
}

/// Authority that was given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Its number.
    pub id: GrantId,
    /// To whom.
    pub to: PersonName,
    /// What.
    pub gift: Gift,
    /// For what.
    pub scope: Scope,
    /// Since when.
    pub from: Timestamp,
    /// Until when; at that moment it holds no longer.
    pub until: Timestamp,
    /// By whom.
    pub by: PersonName,
    /// Why.
    pub why: Arc<str>,
    /// Who took it back before its end, and when.
    pub revoked: Option<(PersonName, Timestamp)>,
}

impl Grant {
    /// Whether it holds at a moment.
    pub fn holds(&self, now: Timestamp) -> bool {
        self.revoked.is_none() && self.from <= now && now < self.until
    }
}

/// What is asked.
#[derive(Clone, Debug)]
pub enum Ask {
    /// Give authority for a while.
    Grant {
        /// To whom.
        to: PersonName,
        /// What.
        gift: Gift,
        /// For what.
        scope: Scope,
        /// How long.
        lasts: Span,
        /// Why.
        why: Arc<str>,
    },
    /// Take it back before its end.
    Revoke {
        /// Which grant.
        grant: GrantId,
    },
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Told {
    /// Authority was given.
    Granted(Grant),
    /// It was taken back before its end.
    Revoked {
        /// Which grant.
        grant: GrantId,
    },
}

/// Why authority may not be given or taken now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denied {
    /// Nobody gives authority to themselves.
    ToOneself(PersonName),
    /// The right to give authority is not given this way.
    NotGrantable,
    /// No time at all, or too long.
    BadTime(Span),
    /// Nobody said why.
    NoReason,
    /// Something is named that the room does not know.
    Unknown {
        /// What kind of thing.
        what: &'static str,
        /// The name.
        name: String,
        /// The nearest that there is.
        near: Option<String>,
    },
    /// There is no such grant, or it has ended.
    NoGrant(GrantId),
}

impl Denied {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Denied::ToOneself(_) => "to-oneself",
            Denied::NotGrantable => "not-grantable",
            Denied::BadTime(_) => "bad-time",
            Denied::NoReason => "no-reason",
            Denied::Unknown { .. } => "unknown-name",
            Denied::NoGrant(_) => "no-grant",
        }
    }

    /// The sentence and the next step.
    pub fn words(&self) -> (String, String) {
        let pair = |a: String, b: &str| (a, b.to_owned());
        match self {
            Denied::ToOneself(who) => pair(
                format!("{who} may not give authority to {who}"),
                "ask somebody else who holds the right `grant`",
            ),
            Denied::NotGrantable => pair(
                "the right to give authority is not given for a while".into(),
                "people.toml gives it, where others see it coming",
            ),
            Denied::BadTime(span) => (
                format!("authority cannot be given for {span}"),
                format!("at most {LONGEST}; what is needed longer belongs into people.toml"),
            ),
            Denied::NoReason => pair(
                "authority is given for a reason, and none was said".into(),
                "say why in a sentence, with --why",
            ),
            Denied::Unknown { what, name, near } => (
                format!("there is no {what} `{name}` in this room"),
                match near {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("name a {what} that the room's files name"),
                },
            ),
            Denied::NoGrant(id) => pair(
                format!("{id} does not hold now"),
                "`authority list` shows what does",
            ),
        }
    }
}

/// Folds what happened into the state.
pub fn apply(state: &mut State, told: &Told, who: Option<&PersonName>, at: Timestamp) {
    match told {
        Told::Granted(grant) => {
            state.grants.insert(grant.id, Arc::new(grant.clone()));
        }
        Told::Revoked { grant } => {
            if let (Some(slot), Some(who)) = (state.grants.get_mut(grant), who) {
                Arc::make_mut(slot).revoked = Some((who.clone(), at));
            }
        }
    }
}

/// Whether a person holds a right on a plan, and on its release where there is one: by the files, or
/// given for a while.
pub fn may(
    state: &State,
    who: &PersonName,
    right: Right,
    plan: &Plan,
    release: Option<ReleaseId>,
    now: Timestamp,
) -> bool {
    state.charter.may(who, right, &plan.environment)
        || held(state, who, now)
            .any(|g| g.gift == Gift::Right(right) && g.scope.covers(plan, release))
}

/// The groups for which a person may vote on a release, each with who gave the membership where
/// that is for a while.
pub fn groups<'a>(
    state: &'a State,
    who: &'a PersonName,
    release: &'a Release,
    now: Timestamp,
) -> impl Iterator<Item = (&'a GroupName, Option<&'a PersonName>)> {
    let lasting = state.charter.groups_of(who).map(|(name, _)| (name, None));
    let given = held(state, who, now).filter_map(|grant| match &grant.gift {
        Gift::Group(group) if grant.scope.covers(&release.plan, Some(release.id)) => {
            Some((group, Some(&grant.by)))
        }
        _ => None,
    });
    lasting.chain(given)
}

/// The groups that are asked for which a person may vote on a release; none for who is barred, and
/// none by a membership that its own people gave.
pub fn voting<'a>(
    state: &'a State,
    who: &'a PersonName,
    release: &'a Release,
    terms: &Terms,
    now: Timestamp,
) -> Vec<&'a GroupName> {
    if terms.bars(release, who).is_some() {
        return Vec::new();
    }
    let mut found: Vec<&GroupName> = groups(state, who, release, now)
        .filter(|(name, by)| {
            terms.needs.contains_key(*name) && by.is_none_or(|by| terms.bars(release, by).is_none())
        })
        .map(|(name, _)| name)
        .collect();
    found.sort();
    found.dedup();
    found
}

fn held<'a>(
    state: &'a State,
    who: &'a PersonName,
    now: Timestamp,
) -> impl Iterator<Item = &'a Grant> {
    let all = state.grants.values().map(|grant| &**grant);
    all.filter(move |grant| grant.to == *who && grant.holds(now))
}
