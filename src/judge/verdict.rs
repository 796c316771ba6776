//! From evidence to a verdict, one look after the other.
//!
//! In this order; a rollback stays, everything else is asked anew at every look: a hard limit fails;
//! critical evidence of `1/alpha_rollback` on `confirm` looks in a row, and not below what any old
//! instance reached; evidence that pauses; a required metric missing for long, or traffic that does
//! not come; proof that the margin is held; time over without proof. (The holdpoint judge, section 6.)

use serde::{Deserialize, Serialize};

use super::combine::{average, closed};

/// What a look leads to, if the plan says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Nothing yet.
    Continue,
    /// Worrying, not proven: stand still.
    Pause,
    /// Proven bad: go back.
    Rollback,
    /// It cannot be said: never a pass.
    Inconclusive,
    /// Proven good enough: go on before the time.
    Promote,
}

impl Verdict {
    /// The word for people and for JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Verdict::Continue => "continue",
            Verdict::Pause => "pause",
            Verdict::Rollback => "rollback",
            Verdict::Inconclusive => "inconclusive",
            Verdict::Promote => "promote",
        }
    }
}

/// The thresholds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rules {
    /// How often a rollout at the edge of what is allowed may be rolled back.
    pub alpha_rollback: f64,
    /// How often it may be paused.
    pub alpha_pause: f64,
    /// How often one at the margin may be promoted early.
    pub alpha_promote: f64,
    /// On how many looks in a row the evidence must hold before a rollback.
    pub confirm: u32,
    /// After how many looks without data a required metric is missing.
    pub missing_limit: u32,
    /// Evidence of a regression from which nothing is promoted early.
    pub smell: f64,
}

impl Default for Rules {
    fn default() -> Rules {
        Rules {
            alpha_rollback: 0.01,
            alpha_pause: 0.05,
            alpha_promote: 0.05,
            confirm: 2,
            missing_limit: 8,
            smell: 3.0,
        }
    }
}

/// What a metric counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rank {
    /// Its name.
    pub name: String,
    /// Its weight in the average.
    pub weight: f64,
    /// Whether it can roll back.
    pub critical: bool,
    /// Whether promotion needs proof of it, and its data.
    pub required: bool,
}

/// A metric at one look.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Standing {
    /// The evidence of a regression now.
    pub e: f64,
    /// The evidence that it is within the margin.
    pub e_ni: f64,
    /// For how many looks it has given nothing.
    pub missing: u32,
}

impl Default for Standing {
    fn default() -> Standing {
        Standing {
            e: 1.0,
            e_ni: 1.0,
            missing: 0,
        }
    }
}

/// Everything a verdict looks at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scene<'a> {
    /// One for each metric, in the order of the ranks.
    pub metrics: &'a [Standing],
    /// A hard limit that fails, in words.
    pub hard_limit: Option<&'a str>,
    /// Whether the step has had its least time.
    pub elapsed: bool,
    /// Whether the step's time is over.
    pub step_over: bool,
    /// The largest evidence that an old instance ever reached, where peers are checked.
    pub peer_most: Option<f64>,
    /// Whether the canary gets far less traffic than it should.
    pub starved: bool,
}

/// A verdict with its grounds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ruling {
    /// What follows.
    pub verdict: Verdict,
    /// Why, in a few words.
    pub reason: String,
    /// The metrics to blame, by name; a hard limit by its words.
    pub culprits: Vec<String>,
}

/// The verdicts of one rollout.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bench {
    rules: Rules,
    ranks: Vec<Rank>,
    streak: u32,
    latched: Option<Ruling>,
}

impl Bench {
    /// No look yet.
    pub fn new(rules: Rules, ranks: Vec<Rank>) -> Bench {
        Bench {
            rules,
            ranks,
            streak: 0,
            latched: None,
        }
    }

    /// The weighted averages of all metrics and of the critical ones.
    pub fn averages(&self, metrics: &[Standing]) -> (f64, f64) {
        let of = |critical_only: bool| {
            let (e, weights): (Vec<f64>, Vec<f64>) = self
                .ranks
                .iter()
                .zip(metrics)
                .filter(|(rank, _)| rank.critical || !critical_only)
                .map(|(rank, now)| (now.e, rank.weight))
                .unzip();
            average(&e, &weights)
        };
        (of(false), of(true))
    }

    /// The verdict of the next look.
    pub fn look(&mut self, scene: &Scene<'_>) -> Ruling {
        if let Some(ruling) = &self.latched {
            return ruling.clone();
        }
        let ruling = self.rule(scene);
        if ruling.verdict == Verdict::Rollback {
            self.latched = Some(ruling.clone());
        }
        ruling
    }

    fn rule(&mut self, scene: &Scene<'_>) -> Ruling {
        let (all, critical) = self.averages(scene.metrics);
        let rules = self.rules;
        let proven = critical >= 1.0 / rules.alpha_rollback;
        self.streak = if proven {
            self.streak.saturating_add(1)
        } else {
            0
        };
        if let Some(limit) = scene.hard_limit {
            let reason = format!("hard limit: {limit}");
            return ruling(Verdict::Rollback, reason, vec![limit.to_owned()]);
        }
        let above_peers = scene.peer_most.is_none_or(|most| critical >= most);
        if proven && self.streak >= rules.confirm && above_peers {
            let reason = format!("evidence {critical:.0}:1 on critical metrics");
            let blamed = self.blamed(scene.metrics, true, rules.alpha_rollback);
            return ruling(Verdict::Rollback, reason, blamed);
        }
        if all >= 1.0 / rules.alpha_pause || proven {
            let reason = format!("evidence {all:.0}:1");
            let blamed = self.blamed(scene.metrics, false, rules.alpha_pause);
            return ruling(Verdict::Pause, reason, blamed);
        }
        self.promotion(scene, all.max(critical))
    }

    /// What is left when nothing speaks against the canary.
    fn promotion(&self, scene: &Scene<'_>, most: f64) -> Ruling {
        let rules = &self.rules;
        let gone = self.required(scene.metrics, |now| now.missing >= rules.missing_limit);
        if !gone.is_empty() {
            return ruling(Verdict::Inconclusive, "no data".to_owned(), gone);
        }
        if scene.starved {
            let reason = "the new version gets too little traffic".to_owned();
            return ruling(Verdict::Inconclusive, reason, Vec::new());
        }
        let unproven = self.required(scene.metrics, |now| now.e_ni < 1.0 / rules.alpha_promote);
        // where nothing is required nothing can be proven
        let asked = self.ranks.iter().any(|rank| rank.required);
        if scene.elapsed && asked && unproven.is_empty() && most < rules.smell {
            let reason = "all required metrics proven within margin".to_owned();
            return ruling(Verdict::Promote, reason, Vec::new());
        }
        if scene.step_over {
            let reason = "not enough evidence".to_owned();
            return ruling(Verdict::Inconclusive, reason, unproven);
        }
        ruling(Verdict::Continue, String::new(), Vec::new())
    }

    /// The metrics that closed testing finds at `1/alpha`, among all or the critical ones.
    fn blamed(&self, metrics: &[Standing], critical_only: bool, alpha: f64) -> Vec<String> {
        let judged = self.ranks.iter().zip(metrics);
        let judged: Vec<_> = judged
            .filter(|(rank, _)| rank.critical || !critical_only)
            .collect();
        let e: Vec<f64> = judged.iter().map(|(_, now)| now.e).collect();
        let weights: Vec<f64> = judged.iter().map(|(rank, _)| rank.weight).collect();
        let found = judged.iter().zip(closed(&e, &weights));
        found
            .filter(|(_, e)| *e >= 1.0 / alpha)
            .map(|((rank, _), _)| rank.name.clone())
            .collect()
    }

    fn required(&self, metrics: &[Standing], which: impl Fn(&Standing) -> bool) -> Vec<String> {
        let judged = self.ranks.iter().zip(metrics);
        judged
            .filter(|(rank, now)| rank.required && which(now))
            .map(|(rank, _)| rank.name.clone())
            .collect()
    }
}

fn ruling(verdict: Verdict, reason: String, culprits: Vec<String>) -> Ruling {
    Ruling {
        verdict,
        reason,
        culprits,
    }
}
