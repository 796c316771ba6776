//! Policy and rulings as JSON.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::time;
use crate::domain::charter::{ApprovalRule, Charter};
use crate::domain::ids::{GroupName, Span, Timestamp};
use crate::domain::risk::RiskPolicy;
use crate::domain::ruling::Ruling;

/// The policy in force.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "holdpoint.policy/1")]
pub struct PolicyView {
    /// `holdpoint.policy/1`.
    pub schema: &'static str,
    /// The digest of the charter that holds it.
    pub digest: String,
    /// The approval rules; the first one that fits counts.
    pub rules: Vec<RuleView>,
    /// How risk is reckoned.
    pub risk: RiskView,
}

/// An approval rule. What is empty fits everything.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct RuleView {
    /// What people call it.
    pub name: String,
    /// The environments it is about.
    pub environments: Vec<String>,
    /// The kinds of release: `standard`, `normal`, `emergency`.
    pub kinds: Vec<String>,
    /// The tiers of the most critical service.
    pub tiers: Vec<u8>,
    /// The levels of risk: `low`, `medium`, `high`, `critical`.
    pub levels: Vec<String>,
    /// What it asks for.
    pub terms: TermsView,
}

/// What an approval asks for.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct TermsView {
    /// How many votes of which groups; without any, policy alone approves.
    pub needs: BTreeMap<String, u32>,
    /// Whether each vote must come from another person.
    pub distinct_people: bool,
    /// Who may not vote besides the submitter: `authors`, `starter`.
    pub excludes: Vec<String>,
    /// For how many seconds a vote counts; as long as the release waits without it.
    pub vote_lasts: Option<f64>,
    /// Whether a change of the window alone voids the votes.
    pub window_binds: bool,
    /// For how many seconds the question stays open.
    pub expires: f64,
}

/// How risk is reckoned.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct RiskView {
    /// The most points that each factor gives.
    pub weights: BTreeMap<String, u32>,
    /// From which score on the risk is medium.
    pub medium: u32,
    /// From which score on it is high.
    pub high: u32,
    /// From which score on it is critical.
    pub critical: u32,
    /// How many of a service's last releases count.
    pub history: u32,
    /// How many seconds before a freeze a release is near it.
    pub near_freeze: f64,
    /// From how many changed lines on a change is as large as can be.
    pub large: u32,
    /// When people are at work: `08:00`.
    pub work_from: String,
    /// Until when they are.
    pub work_until: String,
    /// Whether they are at weekends.
    pub work_weekends: bool,
}

/// What policy says of a plan.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "holdpoint.ruling/1")]
pub struct RulingView {
    /// `holdpoint.ruling/1`.
    pub schema: &'static str,
    /// The release; nothing in a case that is tried.
    pub release: Option<String>,
    /// The rule that counts; nothing where none fits.
    pub rule: Option<String>,
    /// Whether policy alone approves.
    pub by_policy: bool,
    /// What the approval asks for.
    pub terms: TermsView,
    /// From 0 to 100.
    pub score: u32,
    /// `low`, `medium`, `high` or `critical`.
    pub level: String,
    /// What the score is made of, the heaviest first.
    pub factors: Vec<FactorView>,
    /// Why this rule and these terms, a sentence each.
    pub reasons: Vec<String>,
    /// The digest of the plan it was made on.
    pub plan: String,
    /// The digest of the charter it was made under.
    pub policy: String,
    /// The digest of the facts.
    pub inputs: String,
}

/// What a factor gives to a score.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct FactorView {
    /// `service-tier`, `schema-change` …
    pub name: String,
    /// Its points.
    pub points: u32,
    /// The most it could give.
    pub weight: u32,
    /// Why, in a sentence.
    pub words: String,
}

/// The open releases that another policy would treat differently.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "holdpoint.policy-diff/1")]
pub struct PolicyDiffView {
    /// `holdpoint.policy-diff/1`.
    pub schema: &'static str,
    /// How many open releases were looked at: those whose approval is not over.
    pub open: usize,
    /// Those that would be treated differently.
    pub releases: Vec<DifferenceView>,
}

/// A release that another policy would treat differently.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct DifferenceView {
    /// `R-7`.
    pub release: String,
    /// What changes, a sentence each.
    pub words: Vec<String>,
    /// What the policy in force says of it now.
    pub before: RulingView,
    /// What the other one would say.
    pub after: RulingView,
}

/// A policy tried on cases.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "holdpoint.policy-test/1")]
pub struct PolicyTestView {
    /// `holdpoint.policy-test/1`.
    pub schema: &'static str,
    /// How many cases are as expected.
    pub passed: usize,
    /// How many are not.
    pub failed: usize,
    /// The cases.
    pub cases: Vec<CaseView>,
}

/// A case.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct CaseView {
    /// Its name.
    pub name: String,
    /// The moment it is about.
    pub at: String,
    /// Whether all is as expected.
    pub passed: bool,
    /// What is not, a sentence each.
    pub failures: Vec<String>,
    /// What policy says.
    pub ruling: RulingView,
}

impl PolicyView {
    /// The policy of a charter.
    pub fn of(charter: &Charter, digest: &str) -> PolicyView {
        PolicyView {
            schema: "holdpoint.policy/1",
            digest: digest.to_owned(),
            rules: charter.approvals.iter().map(RuleView::of).collect(),
            risk: RiskView::of(&charter.risk),
        }
    }
}

impl RuleView {
    fn of(rule: &ApprovalRule) -> RuleView {
        let terms = crate::domain::approval::Terms::asked(Some(rule), &BTreeMap::new());
        RuleView {
            name: rule.name.to_string(),
            environments: rule.environments.iter().map(ToString::to_string).collect(),
            kinds: rule.kinds.iter().map(|k| k.word().to_owned()).collect(),
            tiers: rule.tiers.iter().copied().collect(),
            levels: rule.levels.iter().map(|l| l.word().to_owned()).collect(),
            terms: TermsView::of(&terms),
        }
    }
}

impl TermsView {
    fn of(terms: &crate::domain::approval::Terms) -> TermsView {
        let needs = terms.needs.iter();
        TermsView {
            needs: needs
                .map(|(g, n): (&GroupName, &u32)| (g.to_string(), *n))
                .collect(),
            distinct_people: terms.distinct_people,
            excludes: terms.excludes.iter().map(|e| e.word().to_owned()).collect(),
            vote_lasts: terms.vote_lasts.map(seconds),
            window_binds: terms.window_binds,
            expires: seconds(terms.expires),
        }
    }
}

impl RiskView {
    fn of(policy: &RiskPolicy) -> RiskView {
        let weights = policy.weights.iter();
        RiskView {
            weights: weights.map(|(f, n)| (f.word().to_owned(), *n)).collect(),
            medium: policy.medium,
            high: policy.high,
            critical: policy.critical,
            history: policy.history,
            near_freeze: seconds(policy.near_freeze),
            large: policy.large,
            work_from: clock(policy.hours.from),
            work_until: clock(policy.hours.until),
            work_weekends: policy.hours.weekends,
        }
    }
}

impl RulingView {
    /// A ruling, on a release or on a case.
    pub fn of(release: Option<String>, ruling: &Ruling) -> RulingView {
        let factors = ruling.risk.factors.iter();
        RulingView {
            schema: "holdpoint.ruling/1",
            release,
            rule: ruling.rule.as_deref().map(str::to_owned),
            by_policy: ruling.by_policy,
            terms: TermsView::of(&ruling.terms),
            score: ruling.risk.score,
            level: ruling.risk.level.word().to_owned(),
            factors: factors
                .map(|factor| FactorView {
                    name: factor.name.word().to_owned(),
                    points: factor.points,
                    weight: factor.weight,
                    words: factor.words.to_string(),
                })
                .collect(),
            reasons: ruling.reasons.iter().map(ToString::to_string).collect(),
            plan: ruling.digests.plan.to_string(),
            policy: ruling.digests.policy.to_string(),
            inputs: ruling.digests.inputs.to_string(),
        }
    }
}

impl CaseView {
    /// A case and what came of it.
    pub fn of(name: &str, at: Timestamp, failures: Vec<String>, ruling: &Ruling) -> CaseView {
        CaseView {
            name: name.to_owned(),
            at: time(at),
            passed: failures.is_empty(),
            failures,
            ruling: RulingView::of(None, ruling),
        }
    }
}

/// A minute of the day as people write it.
pub fn clock(minute: u32) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

#[expect(clippy::cast_precision_loss, reason = "spans are far below 2^53 ms")]
fn seconds(span: Span) -> f64 {
    span.0 as f64 / 1000.0
}
