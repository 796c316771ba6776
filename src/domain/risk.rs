//! Risk: a score from 0 to 100, the factors it is made of, and what the room's policy says of them.
//!
//! Each factor has a weight: the most points that it can give. How much of it a release gets is a
//! share that only facts decide (see `policy::risk`), so that every number can be followed back.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::ids::Span;

/// The highest score.
pub const MOST: u32 = 100;

/// The weight of every factor of which `policy.toml` says nothing.
const SHIPPED: [(FactorName, u32); 11] = [
    (FactorName::ServiceTier, 20),
    (FactorName::Production, 10),
    (FactorName::Services, 10),
    (FactorName::Dependents, 10),
    (FactorName::SchemaChange, 20),
    (FactorName::ChangeSize, 10),
    (FactorName::History, 15),
    (FactorName::OffHours, 10),
    (FactorName::FreezeNear, 10),
    (FactorName::RollbackUntested, 10),
    (FactorName::Deletions, 15),
];

/// What a score is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FactorName {
    /// How critical the most critical service is.
    ServiceTier,
    /// Whether customers depend on the environment.
    Production,
    /// How many services change together.
    Services,
    /// How many other services need those that change.
    Dependents,
    /// Whether stored data changes its form.
    SchemaChange,
    /// How many lines change.
    ChangeSize,
    /// How the services' last releases there went.
    History,
    /// Whether it moves when few people are at work.
    OffHours,
    /// Whether a freeze begins soon after.
    FreezeNear,
    /// Whether the way back was never tried.
    RollbackUntested,
    /// Whether infrastructure is deleted.
    Deletions,
}

impl FactorName {
    /// The word for it in files and on screens.
    pub const fn word(self) -> &'static str {
        match self {
            FactorName::ServiceTier => "service-tier",
            FactorName::Production => "production",
            FactorName::Services => "services",
            FactorName::Dependents => "dependents",
            FactorName::SchemaChange => "schema-change",
            FactorName::ChangeSize => "change-size",
            FactorName::History => "history",
            FactorName::OffHours => "off-hours",
            FactorName::FreezeNear => "freeze-near",
            FactorName::RollbackUntested => "rollback-untested",
            FactorName::Deletions => "deletions",
        }
    }
}

/// How risky, in a word.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum RiskLevel {
    /// Below every threshold.
    #[default]
    Low,
    /// From the first threshold on.
    Medium,
    /// From the second.
    High,
    /// From the third.
    Critical,
}

impl RiskLevel {
    /// All of them, the lowest first.
    pub const ALL: [RiskLevel; 4] = [
        RiskLevel::Low,
        RiskLevel::Medium,
        RiskLevel::High,
        RiskLevel::Critical,
    ];

    /// The word for it in files and on screens.
    pub const fn word(self) -> &'static str {
        match self {
            RiskLevel::Low => "low",
            RiskLevel::Medium => "medium",
            RiskLevel::High => "high",
            RiskLevel::Critical => "critical",
        }
    }
}

/// What a factor gives to a score.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Factor {
    /// Which factor.
    pub name: FactorName,
    /// Its points.
    pub points: u32,
    /// The most it could give.
    pub weight: u32,
    /// Why, in a sentence.
    pub words: Arc<str>,
}

/// How risky a release is, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Risk {
    /// From 0 to [`MOST`].
    pub score: u32,
    /// What the score means in this room.
    pub level: RiskLevel,
    /// Every factor, the heaviest first; those without points as well.
    pub factors: Vec<Factor>,
}

impl Risk {
    /// `high, 61 of 100`.
    pub fn words(&self) -> String {
        format!("{}, {} of {MOST}", self.level.word(), self.score)
    }

    /// The factors that give points.
    pub fn counting(&self) -> impl Iterator<Item = &Factor> {
        self.factors.iter().filter(|factor| factor.points > 0)
    }
}

/// What the room's policy says of risk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RiskPolicy {
    /// The most points that each factor gives; none for a factor that is missing here.
    pub weights: BTreeMap<FactorName, u32>,
    /// From which score on the risk is medium.
    pub medium: u32,
    /// From which score on it is high.
    pub high: u32,
    /// From which score on it is critical.
    pub critical: u32,
    /// How many of a service's last releases count.
    pub history: u32,
    /// How long before a freeze a release is near it.
    pub near_freeze: Span,
    /// From how many changed lines on a change is as large as can be.
    pub large: u32,
    /// When people are at work.
    pub hours: Hours,
}

/// When people are at work, in the zone of the environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hours {
    /// From which minute of the day on.
    pub from: u32,
    /// Up to which minute of the day.
    pub until: u32,
    /// Whether Saturdays and Sundays count as well.
    pub weekends: bool,
}

impl Default for RiskPolicy {
    fn default() -> Self {
        RiskPolicy {
            weights: SHIPPED.into_iter().collect(),
            medium: 30,
            high: 55,
            critical: 80,
            history: 5,
            near_freeze: Span::mins(3 * 24 * 60),
            large: 1000,
            hours: Hours {
                from: 8 * 60,
                until: 18 * 60,
                weekends: false,
            },
        }
    }
}

impl RiskPolicy {
    /// Whether nothing differs from what is shipped.
    pub fn is_shipped(&self) -> bool {
        *self == RiskPolicy::default()
    }

    /// The most that a factor gives.
    pub fn weight(&self, name: FactorName) -> u32 {
        self.weights.get(&name).copied().unwrap_or(0)
    }

    /// What a score means.
    pub fn level(&self, score: u32) -> RiskLevel {
        let from = [
            (self.critical, RiskLevel::Critical),
            (self.high, RiskLevel::High),
            (self.medium, RiskLevel::Medium),
        ];
        from.into_iter()
            .find(|(threshold, _)| score >= *threshold)
            .map_or(RiskLevel::Low, |(_, level)| level)
    }
}

/// Whether a release changes the form of stored data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SchemaChange {
    /// It does not.
    #[default]
    None,
    /// It does, and the version before can live with it.
    Compatible,
    /// It does, and the version before cannot.
    Breaking,
}

impl SchemaChange {
    /// Whether it is not worth a word in a plan.
    pub fn is_none(&self) -> bool {
        *self == SchemaChange::None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_begin_at_their_thresholds() {
        let policy = RiskPolicy::default();
        let level = |score| policy.level(score);
        assert_eq!(level(0), RiskLevel::Low);
        assert_eq!(level(29), RiskLevel::Low);
        assert_eq!(level(30), RiskLevel::Medium);
        assert_eq!(level(55), RiskLevel::High);
        assert_eq!(level(79), RiskLevel::High);
        assert_eq!(level(100), RiskLevel::Critical);
    }

    #[test]
    fn words_are_those_of_the_files() {
        for (name, _) in SHIPPED {
            let word = format!("\"{}\"", name.word());
            assert_eq!(serde_json::from_str::<FactorName>(&word).ok(), Some(name));
        }
        for level in RiskLevel::ALL {
            let word = format!("\"{}\"", level.word());
            assert_eq!(serde_json::from_str::<RiskLevel>(&word).ok(), Some(level));
        }
    }
}
