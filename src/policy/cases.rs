//! Trying a policy on a case, before the night it matters.

use std::collections::BTreeMap;

use crate::domain::GroupName;
use crate::domain::calendar::Answer;
use crate::domain::risk::RiskLevel;
use crate::domain::ruling::Ruling;

/// What somebody expects policy to say; what is left out is not looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// The rule that counts.
    pub rule: Option<String>,
    /// Exactly these groups, and how many of each.
    pub groups: Option<BTreeMap<GroupName, u32>>,
    /// The level of risk.
    pub level: Option<RiskLevel>,
    /// The score.
    pub score: Option<u32>,
    /// Whether policy alone approves.
    pub by_policy: Option<bool>,
    /// Whether the calendar lets it move at the moment of the case.
    pub allowed: Option<bool>,
}

/// Something that policy says otherwise than was expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Which expectation, as its key in the file.
    pub key: &'static str,
    /// What was expected and what is said, in a sentence.
    pub words: String,
}

/// Compares what policy and the calendar say with what was expected.
pub fn judge(ruling: &Ruling, calendar: &Answer, expected: &Expected) -> Vec<Failure> {
    let mut failures = Vec::new();
    let mut compare = |key, wanted: Option<String>, said: String| {
        if let Some(wanted) = wanted.filter(|wanted| *wanted != said) {
            failures.push(Failure {
                key,
                words: format!("expected {wanted}, policy says {said}"),
            });
        }
    };
    let quoted = |name: &str| format!("rule \"{name}\"");
    compare(
        "rule",
        expected.rule.as_deref().map(quoted),
        ruling.rule_words(),
    );
    compare(
        "groups",
        expected.groups.as_ref().map(needs),
        needs(&ruling.terms.needs),
    );
    let level = |level: RiskLevel| format!("{} risk", level.word());
    compare("level", expected.level.map(level), level(ruling.risk.level));
    let score = |score: u32| format!("a score of {score}");
    compare("score", expected.score.map(score), score(ruling.risk.score));
    let alone = |alone: bool| match alone {
        true => "approval by policy alone".to_owned(),
        false => "approval by people".to_owned(),
    };
    compare(
        "by_policy",
        expected.by_policy.map(alone),
        alone(ruling.by_policy),
    );
    let free = calendar.bars.is_empty();
    if expected.allowed.is_some_and(|allowed| allowed != free) {
        let words = match free {
            true => "expected the calendar to bar it, it allows it".to_owned(),
            false => {
                let bars: Vec<String> = calendar.bars.iter().map(|bar| bar.words()).collect();
                format!(
                    "expected to be allowed, the calendar says: {}",
                    bars.join("; ")
                )
            }
        };
        let key = "allowed";
        failures.push(Failure { key, words });
    }
    failures
}

fn needs(needs: &BTreeMap<GroupName, u32>) -> String {
    let words: Vec<String> = needs.iter().map(|(g, n)| format!("{n} of {g}")).collect();
    match words.is_empty() {
        true => "no votes".to_owned(),
        false => words.join(", "),
    }
}
