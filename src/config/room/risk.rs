//! `[risk]` of `policy.toml`: how risk is reckoned.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};

use super::Checker;
use crate::domain::Span;
use crate::domain::risk::{FactorName, Hours, MOST, RiskPolicy};
use crate::domain::spelled::{self, Spelled};

/// The most releases of a service that are looked at.
const LONGEST_HISTORY: u32 = 50;

/// The table as written; what is left out is as shipped.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RiskEntry {
    medium: Option<u32>,
    high: Option<u32>,
    critical: Option<u32>,
    history: Option<u32>,
    near_freeze: Option<Span>,
    large: Option<u32>,
    #[serde(default)]
    weights: BTreeMap<FactorName, u32>,
    hours: Option<HoursEntry>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct HoursEntry {
    from: TimeOfDay,
    until: TimeOfDay,
    #[serde(default)]
    weekends: bool,
}

/// A time of day in minutes: `08:30`, up to `24:00`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct TimeOfDay(u32);

impl Spelled for TimeOfDay {
    const EXPECTED: &'static str = "a time of day like 08:30";

    fn read(text: &str) -> Result<Self, String> {
        let two = |part: &str| {
            let digits = part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
            digits.then(|| part.parse::<u32>().ok()).flatten()
        };
        text.split_once(':')
            .and_then(|(hours, minutes)| Some((two(hours)?, two(minutes)?)))
            .filter(|(hours, minutes)| *minutes < 60 && hours * 60 + minutes <= 24 * 60)
            .map(|(hours, minutes)| TimeOfDay(hours * 60 + minutes))
            .ok_or_else(|| format!("`{text}` is no time of day; write 08:30"))
    }
}

impl<'de> Deserialize<'de> for TimeOfDay {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        spelled::deserialize(from)
    }
}

impl RiskEntry {
    /// What it says, over what is shipped.
    pub fn policy(&self, check: &mut Checker<'_>) -> RiskPolicy {
        let shipped = RiskPolicy::default();
        let mut policy = RiskPolicy {
            medium: self.medium.unwrap_or(shipped.medium),
            high: self.high.unwrap_or(shipped.high),
            critical: self.critical.unwrap_or(shipped.critical),
            history: self.history.unwrap_or(shipped.history),
            near_freeze: self.near_freeze.unwrap_or(shipped.near_freeze),
            large: self.large.unwrap_or(shipped.large),
            hours: self.hours.as_ref().map_or(shipped.hours, |hours| Hours {
                from: hours.from.0,
                until: hours.until.0,
                weekends: hours.weekends,
            }),
            weights: shipped.weights,
        };
        policy.weights.extend(&self.weights);
        self.thresholds(&policy, check);
        self.limits(check);
        policy
    }

    fn thresholds(&self, policy: &RiskPolicy, check: &mut Checker<'_>) {
        let levels = [
            ("medium", self.medium, policy.medium),
            ("high", self.high, policy.high),
            ("critical", self.critical, policy.critical),
        ];
        let mut below: Option<(&str, u32)> = None;
        for (name, written, value) in levels {
            let path = match written {
                Some(_) => format!("risk.{name}"),
                None => "risk".to_owned(),
            };
            if value == 0 || value > MOST {
                check.add(
                    &path,
                    "bad-threshold",
                    format!("{value} is no threshold: scores lie between 0 and {MOST}"),
                    format!("write 1 to {MOST}"),
                );
            } else if let Some((lower, least)) = below.filter(|(_, least)| value <= *least) {
                check.add(
                    &path,
                    "bad-threshold",
                    format!("{name} begins at {value}, which is not above {lower} at {least}"),
                    "let medium, high and critical rise",
                );
            }
            below = Some((name, value));
        }
    }

    fn limits(&self, check: &mut Checker<'_>) {
        for (name, weight) in self.weights.iter().filter(|(_, weight)| **weight > MOST) {
            check.add(
                &format!("risk.weights.{}", name.word()),
                "bad-weight",
                format!("{weight} points are more than a score can have"),
                format!("write 0 to {MOST}"),
            );
        }
        if let Some(history) = self.history.filter(|n| !(1..=LONGEST_HISTORY).contains(n)) {
            check.add(
                "risk.history",
                "bad-history",
                format!("{history} releases are no history that is looked at"),
                format!("write 1 to {LONGEST_HISTORY}, or give the factor `history` a weight of 0"),
            );
        }
        if self.large == Some(0) {
            check.add(
                "risk.large",
                "bad-size",
                "with 0 lines every change would be large",
                "write a number of lines, such as 1000",
            );
        }
        if let Some(hours) = &self.hours
            && hours.from == hours.until
        {
            check.add(
                "risk.hours",
                "no-hours",
                "these hours are none",
                "write two times of day, such as 08:00 and 18:00",
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_day_are_exact() {
        assert_eq!(TimeOfDay::read("08:30"), Ok(TimeOfDay(510)));
        assert_eq!(TimeOfDay::read("24:00"), Ok(TimeOfDay(1440)));
        for bad in [
            "24:01",
            "8:30",
            "08:60",
            "0830",
            "",
            "+8:30",
            "99999999999:00",
        ] {
            assert!(TimeOfDay::read(bad).is_err(), "{bad}");
        }
    }
}
