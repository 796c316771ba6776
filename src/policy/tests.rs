//! What a release manager relies on: scores stay in their range, rise with weights, follow from the
//! facts alone; the first rule that fits counts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;

use super::facts::{Facts, History};
use super::risk::risk;
use super::ruling::rule;
use crate::domain::charter::{ApprovalRule, Charter};
use crate::domain::plan::Kind;
use crate::domain::risk::{FactorName, RiskLevel, RiskPolicy, SchemaChange};
use crate::domain::ruling::Ruling;
use crate::domain::{ServiceName, Span, Timestamp};

/// Friday, 20 November 2026, 12:00 in Berlin.
const NOON: Timestamp = Timestamp(1_795_172_400_000);

fn quiet() -> Facts {
    Facts {
        environment: "staging".into(),
        production: false,
        zone: "Europe/Berlin".into(),
        kind: Kind::Normal,
        services: ["web".into()].into(),
        most_critical: Some(("web".into(), 3)),
        dependents: BTreeSet::new(),
        schema_change: SchemaChange::None,
        lines_changed: Some(0),
        deletes: Vec::new(),
        rollback_tested: true,
        history: Some(History {
            service: Some("web".into()),
            of: 5,
            rolled_back: 0,
        }),
        moves_at: NOON,
        freeze_in: None,
        asks: BTreeMap::new(),
    }
}

fn worst() -> Facts {
    Facts {
        production: true,
        services: (0..9).map(|n| ServiceName::from(format!("s{n}"))).collect(),
        most_critical: Some(("s0".into(), 0)),
        dependents: (0..9).map(|n| ServiceName::from(format!("d{n}"))).collect(),
        schema_change: SchemaChange::Breaking,
        lines_changed: Some(100_000),
        deletes: vec!["db/a".into(), "db/b".into()],
        rollback_tested: false,
        history: Some(History {
            service: None,
            of: 4,
            rolled_back: 4,
        }),
        moves_at: NOON.plus(Span::mins(12 * 60)),
        freeze_in: Some(Span::mins(60)),
        ..quiet()
    }
}

fn points(facts: &Facts, name: FactorName) -> u32 {
    let risk = risk(&RiskPolicy::default(), facts);
    let found = risk.factors.iter().find(|f| f.name == name);
    found.map_or(0, |factor| factor.points)
}

#[test]
fn nothing_to_fear_scores_nothing_and_everything_at_once_the_most() {
    let policy = RiskPolicy::default();
    let calm = risk(&policy, &quiet());
    assert_eq!((calm.score, calm.level), (0, RiskLevel::Low), "{calm:?}");
    let wild = risk(&policy, &worst());
    assert_eq!((wild.score, wild.level), (100, RiskLevel::Critical));
    for factor in &wild.factors {
        assert_eq!(factor.points, factor.weight, "{factor:?}");
    }
    assert_eq!(wild.factors.len(), policy.weights.len());
}

#[test]
fn what_is_not_known_counts_half() {
    let facts = Facts {
        lines_changed: None,
        history: None,
        ..quiet()
    };
    assert_eq!(points(&facts, FactorName::ChangeSize), 5);
    assert_eq!(points(&facts, FactorName::History), 8);
}

#[test]
fn hours_are_those_of_the_environment() {
    let at = |moves_at, zone: &str| Facts {
        moves_at,
        zone: zone.into(),
        ..quiet()
    };
    let off = FactorName::OffHours;
    assert_eq!(points(&at(NOON, "Europe/Berlin"), off), 0);
    // 06:00 in New York
    assert_eq!(points(&at(NOON, "America/New_York"), off), 10);
    let saturday = NOON.plus(Span::mins(24 * 60));
    assert_eq!(points(&at(saturday, "Europe/Berlin"), off), 10);
}

#[test]
fn a_freeze_counts_only_when_it_is_near() {
    let before = |span| Facts {
        freeze_in: Some(span),
        ..quiet()
    };
    let near = FactorName::FreezeNear;
    assert_eq!(points(&before(Span::mins(60)), near), 10);
    assert_eq!(points(&before(Span::mins(4 * 24 * 60)), near), 0);
}

#[test]
fn the_history_says_how_many_came_back() {
    let policy = RiskPolicy::default();
    let facts = Facts {
        history: Some(History {
            service: Some("web".into()),
            of: 5,
            rolled_back: 1,
        }),
        ..quiet()
    };
    let risk = risk(&policy, &facts);
    let first = risk.factors.first().unwrap();
    assert_eq!((first.name, first.points), (FactorName::History, 6));
    assert_eq!(
        &*first.words,
        "of the last 5 releases of web to staging, 1 was rolled back"
    );
}

fn named(name: &str, levels: &[RiskLevel], needs: &[(&str, u32)]) -> ApprovalRule {
    ApprovalRule {
        name: name.into(),
        levels: levels.iter().copied().collect(),
        needs: needs.iter().map(|(g, n)| ((*g).into(), *n)).collect(),
        distinct_people: true,
        expires: Span::mins(60),
        ..ApprovalRule::default()
    }
}

fn charter() -> Charter {
    Charter {
        approvals: vec![
            named("low", &[RiskLevel::Low], &[]),
            ApprovalRule {
                kinds: [Kind::Emergency].into(),
                ..named("emergency", &[], &[("operations", 1)])
            },
            ApprovalRule {
                tiers: [0].into(),
                ..named("heart", &[], &[("operations", 2), ("security", 1)])
            },
            named("rest", &[], &[("operations", 1)]),
        ],
        ..Charter::default()
    }
}

fn ruled(facts: &Facts) -> Ruling {
    rule(&charter(), facts, "plan".into(), "policy".into())
}

#[test]
fn the_first_rule_that_fits_counts_and_is_named() {
    let calm = ruled(&quiet());
    assert_eq!(calm.rule.as_deref(), Some("low"));
    assert!(calm.by_policy);
    let wild = ruled(&worst());
    assert_eq!(wild.rule.as_deref(), Some("heart"));
    assert!(!wild.by_policy);
    assert_eq!(wild.asks(), "2 of operations, 1 of security");
    let said: Vec<&str> = wild.reasons.iter().map(|r| &**r).collect();
    assert_eq!(
        said,
        [
            "rule \"low\" is passed over: it is about low risk",
            "rule \"emergency\" is passed over: it is about emergency releases",
            "rule \"heart\" is the first that fits: normal release to staging, tier 0, risk critical",
            "it asks for 2 of operations and 1 of security, from 3 people",
            "the submitter may not vote",
            "the question stays open for 1 h",
        ]
    );
    let hotfix = Facts {
        kind: Kind::Emergency,
        ..worst()
    };
    assert_eq!(ruled(&hotfix).rule.as_deref(), Some("emergency"));
}

#[test]
fn a_plan_may_ask_for_more_than_its_rule_and_never_for_less() {
    let facts = Facts {
        asks: [("dba".into(), 1), ("operations".into(), 1)].into(),
        ..worst()
    };
    assert_eq!(
        ruled(&facts).asks(),
        "1 of dba, 2 of operations, 1 of security"
    );
    let calm = Facts {
        asks: [("dba".into(), 1)].into(),
        ..quiet()
    };
    assert!(!ruled(&calm).by_policy, "the plan wants a vote");
}

#[test]
fn without_a_rule_that_fits_nobody_is_asked_and_the_ruling_says_so() {
    let mut charter = charter();
    charter.approvals.truncate(1);
    let ruling = rule(&charter, &worst(), "plan".into(), "policy".into());
    assert_eq!(ruling.rule, None);
    assert!(ruling.by_policy);
    let last = ruling.reasons.last().unwrap();
    assert_eq!(&**last, "it asks for no vote: policy alone approves");
}

fn facts() -> impl Strategy<Value = Facts> {
    let sizes = (0usize..8, 0usize..8, 0usize..4, 0u8..6);
    let change = (
        prop::sample::select(vec![
            SchemaChange::None,
            SchemaChange::Compatible,
            SchemaChange::Breaking,
        ]),
        prop::option::of(any::<u32>()),
        any::<bool>(),
        any::<bool>(),
    );
    let when = (
        0i64..4_000_000_000_000,
        prop::option::of(any::<u64>().prop_map(Span)),
        prop::option::of((0u32..20, 0u32..20)),
    );
    (sizes, change, when).prop_map(|(sizes, change, when)| {
        let names = |letter: &str, n| (0..n).map(|i| format!("{letter}{i}").into()).collect();
        let deletes = (0..sizes.2).map(|n| Arc::from(format!("db/{n}")));
        Facts {
            services: names("s", sizes.0),
            most_critical: (sizes.0 > 0).then(|| ("s0".into(), sizes.3)),
            dependents: names("d", sizes.1),
            deletes: deletes.collect(),
            schema_change: change.0,
            lines_changed: change.1,
            rollback_tested: change.2,
            production: change.3,
            moves_at: Timestamp(when.0),
            freeze_in: when.1,
            history: when.2.map(|(of, rolled_back)| History {
                service: None,
                of,
                rolled_back,
            }),
            ..quiet()
        }
    })
}

fn weights() -> impl Strategy<Value = BTreeMap<FactorName, u32>> {
    let names: Vec<FactorName> = RiskPolicy::default().weights.into_keys().collect();
    let count = names.len();
    prop::collection::vec(0u32..=100, count)
        .prop_map(move |points| names.iter().copied().zip(points).collect())
}

proptest! {
    #[test]
    fn scores_stay_between_0_and_100(facts in facts(), weights in weights()) {
        let policy = RiskPolicy { weights, ..RiskPolicy::default() };
        let risk = risk(&policy, &facts);
        prop_assert!(risk.score <= 100);
        prop_assert_eq!(risk.level, policy.level(risk.score));
        let sum: u32 = risk.factors.iter().map(|f| f.points).sum();
        prop_assert_eq!(risk.score, sum.min(100));
        for factor in &risk.factors {
            prop_assert!(factor.points <= factor.weight, "{:?}", factor);
            prop_assert!(!factor.words.is_empty());
        }
    }

    #[test]
    fn a_score_never_falls_when_a_weight_rises(
        facts in facts(),
        weights in weights(),
        which in any::<prop::sample::Index>(),
        more in 1u32..=100,
    ) {
        let policy = RiskPolicy { weights, ..RiskPolicy::default() };
        let mut heavier = policy.clone();
        let names: Vec<FactorName> = policy.weights.keys().copied().collect();
        let name = names[which.index(names.len())];
        *heavier.weights.entry(name).or_default() += more;
        let (before, after) = (risk(&policy, &facts), risk(&heavier, &facts));
        prop_assert!(after.score >= before.score);
        prop_assert!(after.level >= before.level);
    }

    #[test]
    fn a_ruling_is_a_function_of_its_inputs(facts in facts(), weights in weights()) {
        let charter = Charter {
            risk: RiskPolicy { weights, ..RiskPolicy::default() },
            ..charter()
        };
        let once = rule(&charter, &facts, "plan".into(), "policy".into());
        let again = rule(&charter.clone(), &facts.clone(), "plan".into(), "policy".into());
        prop_assert_eq!(&once, &again);
        // what it was made from says which inputs these were
        let other = Facts { production: !facts.production, ..facts.clone() };
        let ruling = rule(&charter, &other, "plan".into(), "policy".into());
        prop_assert_ne!(ruling.digests.inputs, once.digests.inputs);
        // exactly the first rule that fits
        let fitting = charter.approvals.iter().find(|rule| {
            rule.fits(&facts.environment, facts.kind, facts.tier(), once.risk.level)
        });
        prop_assert_eq!(once.rule.as_deref(), fitting.map(|rule| &*rule.name));
    }
}
