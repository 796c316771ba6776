//! From facts to a ruling: the first rule that fits counts, and the ruling says why.

use std::sync::Arc;

use super::facts::{Facts, UNKNOWN_TIER};
use super::risk::risk;
use crate::domain::approval::{Exclusion, Terms};
use crate::domain::canonical;
use crate::domain::charter::{ApprovalRule, Charter};
use crate::domain::plan::Kind;
use crate::domain::risk::RiskLevel;
use crate::domain::ruling::{Digests, Ruling};
use crate::domain::{EnvName, Release, State, Timestamp};

/// What the room's policy says of a release now.
pub fn of(state: &State, release: &Release, at: Timestamp) -> Ruling {
    let facts = Facts::of(&release.plan, state, &state.charter, at);
    rule(
        &state.charter,
        &facts,
        release.digest.clone(),
        state.charter_digest.clone(),
    )
}

/// What a charter says of these facts. `plan` and `policy` are the digests of what was read.
pub fn rule(charter: &Charter, facts: &Facts, plan: Arc<str>, policy: Arc<str>) -> Ruling {
    let risk = risk(&charter.risk, facts);
    let fits =
        |rule: &ApprovalRule| rule.fits(&facts.environment, facts.kind, facts.tier(), risk.level);
    let place = charter.approvals.iter().position(fits);
    let found = place.and_then(|n| charter.approvals.get(n));
    let mut terms = Terms::asked(found, &facts.asks);
    if terms.needs.is_empty() {
        // nobody votes: nothing about votes can differ
        terms.distinct_people = true;
    }
    let by_policy = terms.needs.is_empty();
    let passed = charter.approvals.iter().take(place.unwrap_or(usize::MAX));
    let mut reasons: Vec<String> = passed
        .map(|rule| {
            let why = misfit(rule, facts, risk.level);
            format!("rule \"{}\" is passed over: it is about {why}", rule.name)
        })
        .collect();
    reasons.push(match found {
        Some(rule) => format!(
            "rule \"{}\" is the first that fits: {}",
            rule.name,
            about(facts, risk.level)
        ),
        None => format!("no rule fits: {}", about(facts, risk.level)),
    });
    reasons.extend(asked(&terms, facts));
    Ruling {
        rule: found.map(|rule| rule.name.clone()),
        terms,
        by_policy,
        risk,
        reasons: reasons.into_iter().map(Arc::from).collect(),
        digests: Digests {
            plan,
            policy,
            inputs: canonical::digest(facts).into(),
        },
    }
}

/// What rules look at: `a normal release to prod-eu, tier 0, risk high`.
fn about(facts: &Facts, level: RiskLevel) -> String {
    let tier = match facts.tier() {
        UNKNOWN_TIER => "no known tier".to_owned(),
        tier => format!("tier {tier}"),
    };
    format!(
        "{} release to {}, {tier}, risk {}",
        facts.kind.word(),
        facts.environment,
        level.word()
    )
}

/// The first thing by which a rule is about something else.
fn misfit(rule: &ApprovalRule, facts: &Facts, level: RiskLevel) -> String {
    let environments = &rule.environments;
    if !environments.is_empty() && !environments.contains(&facts.environment) {
        return list(environments.iter().map(EnvName::as_str));
    }
    if !rule.kinds.is_empty() && !rule.kinds.contains(&facts.kind) {
        let kinds = rule.kinds.iter().map(|kind| Kind::word(*kind));
        return format!("{} releases", list(kinds));
    }
    if !rule.tiers.is_empty() && !rule.tiers.contains(&facts.tier()) {
        let tiers: Vec<String> = rule.tiers.iter().map(ToString::to_string).collect();
        return format!("tier {}", list(tiers.iter().map(String::as_str)));
    }
    debug_assert!(
        !rule.levels.contains(&level),
        "a rule without a misfit would have been taken"
    );
    let levels = rule.levels.iter().map(|level| level.word());
    format!("{} risk", list(levels))
}

/// What is asked of whom, a sentence each.
fn asked(terms: &Terms, facts: &Facts) -> Vec<String> {
    if terms.needs.is_empty() {
        return vec!["it asks for no vote: policy alone approves".to_owned()];
    }
    let votes: u32 = terms.needs.values().sum();
    let needs: Vec<String> = terms
        .needs
        .iter()
        .map(|(group, n)| format!("{n} of {group}"))
        .collect();
    let people = match (votes, terms.distinct_people) {
        (1, _) => String::new(),
        (n, true) => format!(", from {n} people"),
        (_, false) => ", and one person may count for several groups".to_owned(),
    };
    let mut said = vec![format!(
        "it asks for {}{people}",
        list(needs.iter().map(String::as_str))
    )];
    if !facts.asks.is_empty() {
        let besides: Vec<String> = facts
            .asks
            .iter()
            .map(|(group, n)| format!("{n} of {group}"))
            .collect();
        said.push(format!(
            "the plan itself asks for {}",
            list(besides.iter().map(String::as_str))
        ));
    }
    let mut barred = vec!["the submitter"];
    if terms.excludes.contains(&Exclusion::Authors) {
        barred.push("commit authors");
    }
    if terms.excludes.contains(&Exclusion::Starter) {
        barred.push("whoever started the pipeline");
    }
    said.push(format!("{} may not vote", list(barred.into_iter())));
    if let Some(span) = terms.vote_lasts {
        said.push(format!("a vote counts for {span}"));
    }
    if terms.window_binds {
        said.push("a change of the window alone voids the votes".to_owned());
    }
    said.push(format!("the question stays open for {}", terms.expires));
    said
}

/// `a`, `a and b`, `a, b and c`.
fn list<'a>(words: impl Iterator<Item = &'a str>) -> String {
    let words: Vec<&str> = words.collect();
    match words.as_slice() {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}
