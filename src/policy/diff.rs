//! Which open releases another policy would treat differently, and how.

use super::facts::Facts;
use super::ruling::rule;
use crate::domain::approval::tally;
use crate::domain::charter::Charter;
use crate::domain::ruling::Ruling;
use crate::domain::{ReleaseId, State, Timestamp};

/// A release that another policy would treat differently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The release.
    pub release: ReleaseId,
    /// What the policy in force says of it now.
    pub before: Ruling,
    /// What the other one would say.
    pub after: Ruling,
    /// What changes, a sentence each.
    pub words: Vec<String>,
}

/// The open releases whose approval is not over, and how another charter would treat those that it
/// treats differently. Both are asked at the same moment, so that only the policy differs.
pub fn diff(state: &State, other: &Charter, at: Timestamp) -> Vec<Difference> {
    let open = state.live.values().filter(|release| !release.started());
    let differences = open.filter_map(|release| {
        let asked = |charter: &Charter| {
            let facts = Facts::of(&release.plan, state, charter, at);
            let digest = state.charter_digest.clone();
            rule(charter, &facts, release.digest.clone(), digest)
        };
        let (before, after) = (asked(&state.charter), asked(other));
        let mut words = sentences(&before, &after);
        if before.terms != after.terms {
            let tally = tally(release, &after.terms, at);
            let approved = release.approval().is_some_and(|hold| hold.cleared());
            words.extend(match (approved, tally.complete()) {
                (true, false) => Some(format!(
                    "its approval would be asked for again: {}",
                    tally.missing_words()
                )),
                (false, true) => Some("it would be approved at once".to_owned()),
                _ => None,
            });
        }
        (!words.is_empty()).then(|| Difference {
            release: release.id,
            before,
            after,
            words,
        })
    });
    differences.collect()
}

fn sentences(before: &Ruling, after: &Ruling) -> Vec<String> {
    let mut words = Vec::new();
    let mut changed = |what: &str, old: String, new: String| {
        if old != new {
            words.push(format!("{what}: {old}, would be {new}"));
        }
    };
    changed("risk", before.risk.words(), after.risk.words());
    changed("rule", before.rule_words(), after.rule_words());
    changed("asks", before.asks(), after.asks());
    let (old, new) = (&before.terms, &after.terms);
    let yes = |it: bool| if it { "yes" } else { "no" }.to_owned();
    changed(
        "distinct people",
        yes(old.distinct_people),
        yes(new.distinct_people),
    );
    let barred = |terms: &crate::domain::approval::Terms| {
        let names: Vec<&str> = terms.excludes.iter().map(|e| e.word()).collect();
        match names.is_empty() {
            true => "the submitter".to_owned(),
            false => format!("the submitter, {}", names.join(", ")),
        }
    };
    changed("excluded", barred(old), barred(new));
    let lasts = |span: Option<crate::domain::Span>| {
        span.map_or("as long as it waits".to_owned(), |span| span.to_string())
    };
    changed(
        "a vote counts for",
        lasts(old.vote_lasts),
        lasts(new.vote_lasts),
    );
    changed("window binds", yes(old.window_binds), yes(new.window_binds));
    changed(
        "stays open for",
        old.expires.to_string(),
        new.expires.to_string(),
    );
    words
}
