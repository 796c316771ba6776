//! Many metrics: group scores, the summary score, its class. (The holdpoint judge, section 4.7.)

use serde::{Deserialize, Serialize};

use super::classify::Class;

/// From this share of metrics without data the score is 0.
const MOST_NODATA: f64 = 0.5;

/// A metric as the score takes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Scored {
    /// What it was found to be.
    pub class: Class,
    /// The groups it counts in.
    pub groups: Vec<String>,
    /// Whether it fails the whole canary alone.
    pub critical: bool,
    /// Whether it is left out.
    pub muted: bool,
}

/// What the score says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Grade {
    /// Good enough.
    Pass,
    /// Somebody should look.
    Marginal,
    /// Not good enough.
    Fail,
}

impl Grade {
    /// Kayenta's word.
    pub const fn word(self) -> &'static str {
        match self {
            Grade::Pass => "Pass",
            Grade::Marginal => "Marginal",
            Grade::Fail => "Fail",
        }
    }
}

/// The score of a canary.
#[derive(Clone, Debug, PartialEq)]
pub struct Score {
    /// 0 to 100, to two decimals.
    pub score: f64,
    /// Why it is 0 whatever the groups say; else empty.
    pub reason: &'static str,
    /// The groups in the order in which they first appear, 0 for one without data.
    pub groups: Vec<(String, f64)>,
}

impl Score {
    /// What it says at these thresholds.
    pub fn grade(&self, pass: f64, marginal: f64) -> Grade {
        if self.score >= pass {
            Grade::Pass
        } else if self.score >= marginal {
            Grade::Marginal
        } else {
            Grade::Fail
        }
    }
}

/// Scores metrics; `weights` are in percent.
pub fn score(results: &[Scored], weights: &[(String, f64)]) -> Score {
    let counted: Vec<&Scored> = results.iter().filter(|one| !one.muted).collect();
    let groups = group_scores(&counted);
    let shown = |(name, score): &(String, Option<f64>)| (name.clone(), score.unwrap_or(0.0));
    let zero = |reason| Score {
        score: 0.0,
        reason,
        groups: groups.iter().map(shown).collect(),
    };
    if counted
        .iter()
        .any(|one| one.critical && one.class != Class::Pass)
    {
        return zero("critical metric failed");
    }
    let nodata = counted
        .iter()
        .filter(|one| one.class == Class::Nodata)
        .count();
    if counted.is_empty() || nodata as f64 >= MOST_NODATA * counted.len() as f64 {
        return zero("50% or more metrics returned NODATA");
    }
    let known = |name: &str| {
        let found = weights.iter().find(|(other, _)| other == name);
        found.map(|(_, weight)| *weight)
    };
    let unknown = groups
        .iter()
        .filter(|(name, _)| known(name).is_none())
        .count();
    let given: f64 = weights.iter().map(|(_, weight)| weight).sum();
    let share = (100.0 - given) / unknown.max(1) as f64;
    let sum: f64 = groups
        .iter()
        .map(|(name, score)| score.unwrap_or(100.0) * (known(name).unwrap_or(share) / 100.0))
        .sum();
    Score {
        score: half_up(sum),
        reason: "",
        groups: groups.iter().map(shown).collect(),
    }
}

/// Per group the share of passes in percent; `None` where no metric of it says anything.
fn group_scores(results: &[&Scored]) -> Vec<(String, Option<f64>)> {
    let mut counts: Vec<(String, usize, usize)> = Vec::new();
    for result in results {
        for name in &result.groups {
            let known = counts.iter().position(|(other, ..)| other == name);
            let index = known.unwrap_or_else(|| {
                counts.push((name.clone(), 0, 0));
                counts.len() - 1
            });
            let (_, passed, all) = &mut counts[index];
            match result.class {
                Class::Pass => (*passed, *all) = (*passed + 1, *all + 1),
                Class::High | Class::Low | Class::NodataFailMetric => *all += 1,
                Class::Nodata | Class::Error => {}
            }
        }
    }
    let score = |(name, passed, all): (String, usize, usize)| {
        (name, (all > 0).then(|| passed as f64 / all as f64 * 100.0))
    };
    counts.into_iter().map(score).collect()
}

/// Two decimals of the number as it is written, halves away from 0.
fn half_up(value: f64) -> f64 {
    // the shortest digits that stand for it: 2.675 is meant as 2.675, not as 2.67499999…
    let text = format!("{}", value.abs());
    let (whole, beyond) = text.split_once('.').unwrap_or((&text, ""));
    let digit = |n: usize| beyond.as_bytes().get(n).map_or(0, |d| u32::from(d - b'0'));
    let Ok(whole) = whole.parse::<f64>() else {
        return value;
    };
    let up = u32::from(digit(2) >= 5);
    let hundredths = whole * 100.0 + f64::from(digit(0) * 10 + digit(1) + up);
    (hundredths / 100.0).copysign(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_go_up() {
        for (value, rounded) in [
            (33.333_333, 33.33),
            (66.666_666, 66.67),
            (2.675, 2.68),
            (0.005, 0.01),
            (85.0, 85.0),
            (0.29, 0.29),
            (99.995, 100.0),
            (-0.125, -0.13),
            (100.0, 100.0),
        ] {
            assert_eq!(half_up(value), rounded, "{value}");
        }
    }

    #[test]
    fn nothing_to_score_is_no_pass() {
        assert_eq!(score(&[], &[]).grade(95.0, 75.0), Grade::Fail);
    }
}
