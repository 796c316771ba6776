//! From facts to a score: each factor gets a share of its weight, and says why.
//!
//! The share depends on the facts and on the policy's limits, never on a weight, so that a score
//! never falls when a weight rises. What is not known counts half.

use chrono::{DateTime, Datelike, Timelike, Weekday};

use super::facts::Facts;
use crate::domain::ServiceName;
use crate::domain::risk::{Factor, FactorName, Hours, MOST, Risk, RiskPolicy, SchemaChange};

/// How much of a factor's weight a release gets where the facts are not known, in percent.
const UNKNOWN: u32 = 50;

/// How risky a release is.
pub fn risk(policy: &RiskPolicy, facts: &Facts) -> Risk {
    let mut factors: Vec<Factor> = shares(policy, facts)
        .into_iter()
        .map(|(name, share, words)| {
            let weight = policy.weight(name);
            Factor {
                name,
                points: points(weight, share),
                weight,
                words: words.into(),
            }
        })
        .collect();
    factors.sort_by_key(|factor| (std::cmp::Reverse(factor.points), factor.name));
    let sum = factors
        .iter()
        .fold(0u32, |sum, f| sum.saturating_add(f.points));
    let score = sum.min(MOST);
    Risk {
        score,
        level: policy.level(score),
        factors,
    }
}

/// A share of a weight in whole points, rounded half up.
fn points(weight: u32, share: u32) -> u32 {
    let hundredths = u64::from(weight) * u64::from(share.min(100)) + 50;
    u32::try_from(hundredths / 100).unwrap_or(u32::MAX)
}

type Share = (FactorName, u32, String);

fn shares(policy: &RiskPolicy, facts: &Facts) -> [Share; 11] {
    [
        tier(facts),
        production(facts),
        services(facts),
        dependents(facts),
        schema(facts),
        size(policy, facts),
        history(facts),
        hours(policy.hours, facts),
        freeze(policy, facts),
        rollback(facts),
        deletions(facts),
    ]
}

fn tier(facts: &Facts) -> Share {
    let (share, words) = match &facts.most_critical {
        Some((name, tier)) => {
            let share = match tier {
                0 => 100,
                1 => 60,
                2 => 25,
                _ => 0,
            };
            (share, format!("{name} is a service of tier {tier}"))
        }
        None => (UNKNOWN, "the catalog does not know its services".to_owned()),
    };
    (FactorName::ServiceTier, share, words)
}

fn production(facts: &Facts) -> Share {
    let environment = &facts.environment;
    let (share, words) = match facts.production {
        true => (100, format!("customers depend on {environment}")),
        false => (0, format!("no customer depends on {environment}")),
    };
    (FactorName::Production, share, words)
}

fn services(facts: &Facts) -> Share {
    let count = facts.services.len();
    let words = match count {
        1 => "one service changes".to_owned(),
        n => format!("{n} services change together"),
    };
    (
        FactorName::Services,
        steps(count.saturating_sub(1), 4),
        words,
    )
}

fn dependents(facts: &Facts) -> Share {
    let count = facts.dependents.len();
    let words = match count {
        0 => "no other service needs what changes".to_owned(),
        1 => format!("{} needs what changes", few(&facts.dependents)),
        n => format!("{n} services need what changes: {}", few(&facts.dependents)),
    };
    (FactorName::Dependents, steps(count, 5), words)
}

fn schema(facts: &Facts) -> Share {
    let (share, words) = match facts.schema_change {
        SchemaChange::None => (0, "stored data keeps its form"),
        SchemaChange::Compatible => (
            50,
            "stored data changes its form, and the version before can live with it",
        ),
        SchemaChange::Breaking => (
            100,
            "stored data changes its form, and the version before cannot live with it",
        ),
    };
    (FactorName::SchemaChange, share, words.to_owned())
}

fn size(policy: &RiskPolicy, facts: &Facts) -> Share {
    let (share, words) = match facts.lines_changed {
        Some(lines) => {
            let large = u64::from(policy.large.max(1));
            let share = u64::from(lines).saturating_mul(100) / large;
            let share = u32::try_from(share.min(100)).unwrap_or(100);
            let lines = plural(lines, "line");
            (
                share,
                format!("{lines} change; from {large} on it is large"),
            )
        }
        None => (
            UNKNOWN,
            "the plan does not say how many lines change".to_owned(),
        ),
    };
    (FactorName::ChangeSize, share, words)
}

fn history(facts: &Facts) -> Share {
    let environment = &facts.environment;
    let (share, words) = match &facts.history {
        Some(record) if record.of > 0 => {
            let whose = match &record.service {
                Some(service) => format!(" of {service}"),
                None => String::new(),
            };
            let releases = match record.of {
                1 => format!("the last release{whose} to {environment}"),
                n => format!("of the last {n} releases{whose} to {environment},"),
            };
            let words = match (record.of, record.rolled_back) {
                (1, 0) => format!("{releases} stayed"),
                (1, _) => format!("{releases} was rolled back"),
                (_, 0) => format!("{releases} all stayed"),
                (_, 1) => format!("{releases} 1 was rolled back"),
                (_, n) => format!("{releases} {n} were rolled back"),
            };
            // every second one is as bad as it can be
            (record.share().saturating_mul(2), words)
        }
        _ => (
            UNKNOWN,
            format!("no earlier release to {environment} is on record"),
        ),
    };
    (FactorName::History, share.min(100), words)
}

fn hours(hours: Hours, facts: &Facts) -> Share {
    let zone: chrono_tz::Tz = facts.zone.parse().unwrap_or(chrono_tz::UTC);
    let utc = DateTime::from_timestamp_millis(facts.moves_at.0).unwrap_or_default();
    let local = utc.with_timezone(&zone);
    let minute = local.hour() * 60 + local.minute();
    let weekend = matches!(local.weekday(), Weekday::Sat | Weekday::Sun);
    let within = if hours.from <= hours.until {
        (hours.from..hours.until).contains(&minute)
    } else {
        // people who work through midnight
        minute >= hours.from || minute < hours.until
    };
    let at = local.format("%a %H:%M");
    let zone = &facts.zone;
    let (share, words) = match (within, weekend && !hours.weekends) {
        (true, false) => (
            0,
            format!("it moves on {at} {zone}, when people are at work"),
        ),
        (_, true) => (100, format!("it moves on {at} {zone}, at a weekend")),
        (false, false) => (
            100,
            format!(
                "it moves on {at} {zone}, outside {} to {}",
                clock(hours.from),
                clock(hours.until)
            ),
        ),
    };
    (FactorName::OffHours, share, words)
}

fn freeze(policy: &RiskPolicy, facts: &Facts) -> Share {
    let (share, words) = match facts.freeze_in {
        Some(span) if span < policy.near_freeze => (
            100,
            format!("a freeze begins {span} later, and fixes would fall under it"),
        ),
        Some(span) => (0, format!("the next freeze begins {span} later")),
        None => (0, "no freeze is near".to_owned()),
    };
    (FactorName::FreezeNear, share, words)
}

fn rollback(facts: &Facts) -> Share {
    let (share, words) = match facts.rollback_tested {
        true => (0, "the way back was tried"),
        false => (100, "nobody says that the way back was tried"),
    };
    (FactorName::RollbackUntested, share, words.to_owned())
}

fn deletions(facts: &Facts) -> Share {
    let words = match facts.deletes.as_slice() {
        [] => "no infrastructure is deleted".to_owned(),
        [one] => format!("{one} is deleted"),
        [one, rest @ ..] => format!("{one} and {} more are deleted", rest.len()),
    };
    (FactorName::Deletions, steps(facts.deletes.len(), 2), words)
}

/// A share that grows with a count, and is whole at `full`.
fn steps(count: usize, full: usize) -> u32 {
    u32::try_from(count.min(full) * 100 / full).unwrap_or(100)
}

fn clock(minute: u32) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

fn plural(n: u32, word: &str) -> String {
    match n {
        1 => format!("1 {word}"),
        n => format!("{n} {word}s"),
    }
}

/// The first names of a set.
fn few(names: &std::collections::BTreeSet<ServiceName>) -> String {
    let shown: Vec<&str> = names.iter().take(3).map(ServiceName::as_str).collect();
    match names.len().saturating_sub(shown.len()) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
