//! What no file says wrongly and yet is worth a look: windows that never open, are always open, or
//! lie wholly in a freeze.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::rules::Scope;
use super::series::{Occurrence, Series};
use crate::domain::charter::Charter;
use crate::domain::ids::{EnvName, ServiceName, Span, Timestamp};

/// How far ahead is looked: more than a year, so that every yearly rule is seen.
const AHEAD: Span = Span::mins(400 * 24 * 60);

/// Something worth a look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lint {
    /// Stable, kebab-case.
    pub code: &'static str,
    /// Which list of the file: `window` or `freeze`.
    pub list: &'static str,
    /// The place in that list, from 0.
    pub place: usize,
    /// The rule's name.
    pub name: Arc<str>,
    /// What is so, in a sentence.
    pub words: String,
    /// What to do.
    pub next: &'static str,
}

/// Everything about a calendar that is worth a look at a moment.
pub fn lints(charter: &Charter, now: Timestamp) -> Vec<Lint> {
    let to = now.plus(AHEAD);
    let mut found = Vec::new();
    let calendar = &charter.calendar;
    let frozen: Vec<(&Scope, Vec<Occurrence>)> = calendar
        .freezes
        .iter()
        .map(|f| (&f.scope, f.when.between(now, to)))
        .collect();
    for (place, window) in calendar.windows.iter().enumerate() {
        let lint = |code, words: String, next| Lint {
            code,
            list: "window",
            place,
            name: window.name.clone(),
            words,
            next,
        };
        let name = &window.name;
        let covered = covered(charter, &window.scope);
        if covered.is_empty() {
            let words = format!("the window `{name}` covers no service that runs anywhere");
            found.push(lint("covers-nothing", words, "look at its scope"));
        }
        let times = window.when.between(now, to);
        if times.is_empty() {
            let words = format!("the window `{name}` never opens any more");
            let next = "give it a time that comes, or take it out: what it covers stands still";
            found.push(lint("never-opens", words, next));
        } else if fills(&times, now, to) {
            let words = format!("the window `{name}` is always open");
            found.push(lint("always-open", words, "take it out, or let it close"));
        } else if let Some(freezes) = blocked(&times, &covered, &frozen, charter) {
            let words = format!("the window `{name}` opens only while {freezes} holds");
            let next = "move one of them, or release with exemptions";
            found.push(lint("blocked-window", words, next));
        }
    }
    for (place, freeze) in calendar.freezes.iter().enumerate() {
        let lint = |code, words: String, next| Lint {
            code,
            list: "freeze",
            place,
            name: freeze.name.clone(),
            words,
            next,
        };
        let name = &freeze.name;
        let times = freeze.when.between(now, to);
        if covered(charter, &freeze.scope).is_empty() {
            let words = format!("the freeze `{name}` covers no service that runs anywhere");
            found.push(lint("covers-nothing", words, "look at its scope"));
        }
        if times.is_empty() {
            let words = format!("the freeze `{name}` is over for good");
            found.push(lint("never-freezes", words, "take it out"));
        } else if fills(&times, now, to) {
            let words = format!("the freeze `{name}` never ends");
            found.push(lint("always-frozen", words, "give it an end"));
        }
    }
    found
}

type Place<'a> = (&'a EnvName, &'a ServiceName, &'a str);

/// What runs somewhere and belongs to a scope.
fn covered<'a>(charter: &'a Charter, scope: &Scope) -> BTreeSet<Place<'a>> {
    charter
        .targets
        .values()
        .filter_map(|target| {
            let team = &*charter.services.get(&target.service)?.owner;
            Some((&target.environment, &target.service, team))
        })
        .filter(|(environment, service, team)| scope.covers(environment, service, team))
        .collect()
}

/// Whether no moment lies outside of all of these, which are in order.
fn fills(times: &[Occurrence], from: Timestamp, to: Timestamp) -> bool {
    let mut reached = from;
    for time in times {
        if time.start > reached {
            return false;
        }
        reached = reached.max(time.end);
    }
    reached >= to
}

/// The freezes that together hold whenever these times come, for everything that is covered.
fn blocked(
    times: &[Occurrence],
    covered: &BTreeSet<Place<'_>>,
    frozen: &[(&Scope, Vec<Occurrence>)],
    charter: &Charter,
) -> Option<String> {
    let mut named = BTreeSet::new();
    for (environment, service, team) in covered {
        for time in times {
            let mut holds: Vec<Occurrence> = Vec::new();
            for (n, (_, when)) in frozen
                .iter()
                .enumerate()
                .filter(|(_, (scope, _))| scope.covers(environment, service, team))
            {
                let meeting: Vec<Occurrence> =
                    when.iter().filter(|o| o.meets(time)).copied().collect();
                if !meeting.is_empty() {
                    named.insert(n);
                }
                holds.extend(meeting);
            }
            holds.sort();
            if !fills(&holds, time.start, time.end) {
                return None;
            }
        }
    }
    let names: Vec<String> = named
        .into_iter()
        .filter_map(|n| charter.calendar.freezes.get(n))
        .map(|f| format!("the freeze `{}`", f.name))
        .collect();
    (!names.is_empty()).then(|| names.join(" or "))
}

impl Series {
    /// The occurrences that are not over, the next ones first, within somewhat more than a year.
    pub fn ahead(&self, now: Timestamp, most: usize) -> Vec<Occurrence> {
        let mut found = self.between(now, now.plus(AHEAD));
        found.truncate(most);
        found
    }
}
