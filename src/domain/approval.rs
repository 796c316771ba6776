//! Approvals: the terms, and counting votes.

mod denied;
mod fold;
mod terms;
mod told;

use super::command::Choice;
use super::ids::{GroupName, PersonName, Timestamp};
use super::release::{Phase, Release};
use super::state::State;

pub use denied::Denied;
pub use terms::{Barred, Exclusion, Terms};
pub use told::{Ask, Changed, Overruled, Told};

pub use fold::line;
pub(super) use fold::{apply, replan};

/// What an approval hold has and lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    /// Each group that was asked: how many votes it must give, and whose count for it.
    pub groups: Vec<(GroupName, u32, Vec<PersonName>)>,
    /// Who objects.
    pub objections: Vec<PersonName>,
    /// Who asks for a changed plan.
    pub wants_changes: Vec<PersonName>,
}

impl Tally {
    /// Whether nothing is missing and nobody objects.
    pub fn complete(&self) -> bool {
        !self.blocked() && self.missing().next().is_none()
    }

    /// Whether somebody's word blocks it, however many votes there are.
    pub fn blocked(&self) -> bool {
        !self.objections.is_empty() || !self.wants_changes.is_empty()
    }

    /// The groups that owe votes, and how many.
    pub fn missing(&self) -> impl Iterator<Item = (&GroupName, u32)> {
        self.groups.iter().filter_map(|(group, needs, have)| {
            let have = u32::try_from(have.len()).unwrap_or(u32::MAX);
            (have < *needs).then(|| (group, needs - have))
        })
    }

    /// `1 vote of operations missing`, or `ada objects`.
    pub fn missing_words(&self) -> String {
        let mut parts: Vec<String> = self
            .objections
            .iter()
            .map(|who| format!("{who} objects"))
            .collect();
        let wants = self.wants_changes.iter();
        parts.extend(wants.map(|who| format!("{who} asks for changes")));
        parts.extend(self.missing().map(|(group, n)| {
            let votes = if n == 1 { "vote" } else { "votes" };
            format!("{n} {votes} of {group} missing")
        }));
        parts.join(", ")
    }

    /// `security kim, operations bo`.
    pub fn given_words(&self) -> String {
        let given: Vec<String> = self
            .groups
            .iter()
            .filter(|(_, _, have)| !have.is_empty())
            .map(|(group, _, have)| {
                let names: Vec<&str> = have.iter().map(PersonName::as_str).collect();
                format!("{group} {}", names.join(" "))
            })
            .collect();
        given.join(", ")
    }
}

/// Counts a release's votes against what its approval hold needs.
///
/// A vote counts as long as the terms let it last, and while its voter is not excluded. Where the
/// terms ask for distinct people, each approving person counts for one group only, and people are
/// assigned so that as many votes as possible count (maximum bipartite matching by augmenting
/// paths).
pub fn tally(release: &Release, terms: &Terms, now: Timestamp) -> Tally {
    let who_says = |choice: Choice| {
        let says = release.votes.iter();
        says.filter(|(_, v)| v.choice == choice && v.overruled.is_none())
            .map(|(who, _)| who.clone())
            .collect()
    };
    // a no never lapses: nothing ages into a pass
    Tally {
        groups: counted(&voters(release, terms, now), terms),
        objections: who_says(Choice::Object),
        wants_changes: who_says(Choice::RequestChanges),
    }
}

/// Whether one more vote would count, by a person for these groups.
pub fn helps(
    release: &Release,
    terms: &Terms,
    now: Timestamp,
    who: &PersonName,
    groups: &[GroupName],
) -> bool {
    let count = |voters: &[Voter<'_>]| -> usize {
        let groups = counted(voters, terms);
        groups.iter().map(|(_, _, have)| have.len()).sum()
    };
    let mut voters = voters(release, terms, now);
    if groups.is_empty() || voters.iter().any(|(voter, _)| *voter == who) {
        return false;
    }
    let before = count(&voters);
    voters.push((who, groups));
    count(&voters) > before
}

/// Somebody who approves, and for which groups.
type Voter<'a> = (&'a PersonName, &'a [GroupName]);

fn voters<'a>(release: &'a Release, terms: &Terms, now: Timestamp) -> Vec<Voter<'a>> {
    let votes = release.votes.iter();
    votes
        .filter(|(who, v)| {
            v.choice == Choice::Approve
                && terms.bars(release, who).is_none()
                && terms.lapses(v).is_none_or(|at| now < at)
        })
        .map(|(who, v)| (who, &*v.groups))
        .collect()
}

/// Each group that was asked: how many votes it must give, and whose count for it.
fn counted(voters: &[Voter<'_>], terms: &Terms) -> Vec<(GroupName, u32, Vec<PersonName>)> {
    let needs = &terms.needs;
    // one seat per vote that is needed
    let seats: Vec<&GroupName> = needs
        .iter()
        .flat_map(|(g, n)| std::iter::repeat_n(g, *n as usize))
        .collect();
    let mut taken: Vec<Option<usize>> = vec![None; seats.len()];
    if terms.distinct_people {
        for voter in 0..voters.len() {
            let mut tried = vec![false; seats.len()];
            seat(voter, voters, &seats, &mut taken, &mut tried);
        }
    } else {
        for (n, group) in seats.iter().enumerate() {
            taken[n] = (0..voters.len()).find(|v| {
                voters[*v].1.contains(group)
                    && !(0..n).any(|m| seats[m] == *group && taken[m] == Some(*v))
            });
        }
    }
    needs
        .iter()
        .map(|(group, n)| {
            let have = (0..seats.len())
                .filter(|s| seats[*s] == group)
                .filter_map(|s| taken[s].map(|v| voters[v].0.clone()))
                .collect();
            (group.clone(), *n, have)
        })
        .collect()
}

/// When the next vote lapses that holds an approval up, before the release moves.
pub(super) fn lapses(state: &State, release: &Release) -> Option<Timestamp> {
    let terms = release
        .terms()
        .filter(|_| release.phase == Phase::Waiting)?;
    let votes = release.votes.values();
    votes
        .filter(|v| v.choice == Choice::Approve)
        .filter_map(|v| terms.lapses(v))
        .filter(|at| *at > state.now)
        .min()
}

/// Finds a seat for a voter, moving others if that helps.
fn seat(
    voter: usize,
    voters: &[Voter<'_>],
    seats: &[&GroupName],
    taken: &mut [Option<usize>],
    tried: &mut [bool],
) -> bool {
    for s in 0..seats.len() {
        if tried[s] || !voters[voter].1.contains(seats[s]) {
            continue;
        }
        tried[s] = true;
        let free = match taken[s] {
            None => true,
            Some(other) => seat(other, voters, seats, taken, tried),
        };
        if free {
            taken[s] = Some(voter);
            return true;
        }
    }
    false
}
