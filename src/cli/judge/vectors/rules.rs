//! Sections about combination, conditions, counters and verdicts.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::compare::{all_relative, malformed, relative, same};
use super::{Outcome, Section};
use crate::cli::judge::json::{Num, Ordered, plain};
use crate::domain::Notice;
use crate::judge::argo::{self, Limits, Phase, worst};
use crate::judge::combine::{average, closed, e_bh};
use crate::judge::deltas::Deltas;
use crate::judge::flagger::{Action, Checks, Range};
use crate::judge::verdict::{Bench, Rank, Rules, Scene, Standing};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Combined {
    #[serde(rename = "name", default)]
    _name: Option<String>,
    #[serde(rename = "note", default)]
    _note: Option<String>,
    e: Vec<Num>,
    w: Vec<Num>,
    average: Num,
    closed: Vec<Num>,
    e_bh_10pct: Vec<usize>,
}

pub fn combination(section: &Section<'_>) -> Result<Vec<Outcome>, Notice> {
    let tolerance = section.tolerance("tolerance_rel", 1e-9)?;
    section.each(|case: &Combined| {
        let (e, w) = (plain(&case.e), plain(&case.w));
        let bad = |value: &f64| value.is_nan() || *value < 0.0;
        if e.len() != w.len() || e.iter().chain(&w).any(bad) {
            return malformed("`e` and `w` must be of one length, none of them below 0");
        }
        relative("average", average(&e, &w), case.average.0, tolerance)?;
        all_relative("closed", &closed(&e, &w), &plain(&case.closed), tolerance)?;
        same("e_bh_10pct", &e_bh(&e, 0.1), &case.e_bh_10pct)
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ArgoConfig {
    failure_limit: i64,
    inconclusive_limit: i64,
    consecutive_error_limit: i64,
    consecutive_success_limit: i64,
    count: Option<i64>,
    interval: bool,
}

impl Default for ArgoConfig {
    fn default() -> ArgoConfig {
        let limits = Limits::default();
        ArgoConfig {
            failure_limit: limits.failure,
            inconclusive_limit: limits.inconclusive,
            consecutive_error_limit: limits.consecutive_error,
            consecutive_success_limit: limits.consecutive_success,
            count: limits.count,
            interval: limits.interval,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Argo {
    #[serde(rename = "note", default)]
    _note: Option<String>,
    #[serde(rename = "name", default)]
    _name: Option<String>,
    config: ArgoConfig,
    measurements: Vec<Phase>,
    phases: Vec<Phase>,
}

pub fn argo(section: &Section<'_>) -> Result<Vec<Outcome>, Notice> {
    section.each(|case: &Argo| {
        let config = &case.config;
        let mut metric = argo::Metric::new(Limits {
            failure: config.failure_limit,
            inconclusive: config.inconclusive_limit,
            consecutive_error: config.consecutive_error_limit,
            consecutive_success: config.consecutive_success_limit,
            count: config.count,
            interval: config.interval,
        });
        let measured = case.measurements.iter();
        let phases: Vec<Phase> = measured.map(|phase| metric.take(*phase)).collect();
        same("phases", &phases, &case.phases)
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Worst {
    #[serde(rename = "name", default)]
    _name: Option<String>,
    #[serde(rename = "note", default)]
    _note: Option<String>,
    phases: Vec<Phase>,
    worst: Phase,
}

pub fn argo_worst(section: &Section<'_>) -> Result<Vec<Outcome>, Notice> {
    section.each(|case: &Worst| {
        let found = worst(case.phases.iter().copied());
        same("worst", &found, &case.worst)
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Flagger {
    #[serde(rename = "note", default)]
    _note: Option<String>,
    #[serde(rename = "name", default)]
    _name: Option<String>,
    threshold: i64,
    ranges: Vec<[Option<Num>; 2]>,
    ticks: Vec<Vec<Option<Num>>>,
    actions: Vec<Action>,
}

pub fn flagger(section: &Section<'_>) -> Result<Vec<Outcome>, Notice> {
    section.each(|case: &Flagger| {
        let number = |given: &Option<Num>| given.map(|number| number.0);
        let range = |ends: &[Option<Num>; 2]| Range {
            min: number(&ends[0]),
            max: number(&ends[1]),
        };
        let ranges: Vec<Range> = case.ranges.iter().map(range).collect();
        let mut checks = Checks::new(u64::try_from(case.threshold).unwrap_or(0));
        let tick = |values: &Vec<Option<Num>>| {
            let values: Vec<Option<f64>> = values.iter().map(number).collect();
            checks.tick(&ranges, &values)
        };
        let actions: Vec<Action> = case.ticks.iter().map(tick).collect();
        same("actions", &actions, &case.actions)
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Counters {
    #[serde(rename = "name", default)]
    _name: Option<String>,
    #[serde(rename = "note", default)]
    _note: Option<String>,
    samples: Ordered<Num>,
    #[serde(default)]
    born: BTreeSet<String>,
    increment: Option<Num>,
    resets_so_far: u64,
}

/// One counter after the other: a case goes on from the one before.
pub fn counter_deltas(section: &Section<'_>) -> Result<Vec<Outcome>, Notice> {
    let mut deltas = Deltas::default();
    section.each(|case: &Counters| {
        if case.samples.0.iter().any(|(_, value)| value.0 < 0.0) {
            return malformed("a counter is negative");
        }
        let samples = case.samples.0.iter();
        let samples = samples.map(|(name, value)| (name.as_str(), value.0));
        let increment = deltas.step(samples, |name| case.born.contains(name));
        let should = case.increment.map(|number| number.0);
        same("increment", &increment, &should)?;
        same("resets_so_far", &deltas.resets(), &case.resets_so_far)
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MetricRank {
    #[serde(default = "one")]
    weight: Num,
    #[serde(default)]
    critical: bool,
    #[serde(default)]
    required: bool,
}

fn one() -> Num {
    Num(1.0)
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RulesConfig {
    alpha_rollback: Option<Num>,
    alpha_pause: Option<Num>,
    alpha_promote: Option<Num>,
    confirm: Option<u32>,
    missing_limit: Option<u32>,
    smell: Option<Num>,
}

impl RulesConfig {
    fn rules(&self) -> Rules {
        let usual = Rules::default();
        let number = |given: Option<Num>, usual: f64| given.map_or(usual, |given| given.0);
        Rules {
            alpha_rollback: number(self.alpha_rollback, usual.alpha_rollback),
            alpha_pause: number(self.alpha_pause, usual.alpha_pause),
            alpha_promote: number(self.alpha_promote, usual.alpha_promote),
            confirm: self.confirm.unwrap_or(usual.confirm),
            missing_limit: self.missing_limit.unwrap_or(usual.missing_limit),
            smell: number(self.smell, usual.smell),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Composed {
    #[serde(rename = "note", default)]
    _note: Option<String>,
    #[serde(rename = "name", default)]
    _name: Option<String>,
    looks: Vec<SceneCase>,
    verdicts: Vec<RulingCase>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SceneCase {
    metrics: Ordered<StandingCase>,
    hard_limit: Option<String>,
    #[serde(default = "yes")]
    elapsed_ok: bool,
    #[serde(default)]
    step_over: bool,
    peer_max: Option<Num>,
}

fn yes() -> bool {
    true
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StandingCase {
    #[serde(default = "one")]
    e: Num,
    #[serde(default = "one")]
    e_ni: Num,
    #[serde(default)]
    missing: u32,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct RulingCase {
    verdict: String,
    reason: String,
    culprits: Vec<String>,
}

pub fn composition(section: &Section<'_>) -> Result<Vec<Outcome>, Notice> {
    let metrics: Ordered<MetricRank> = section.field("metrics")?.unwrap_or_default();
    let config: RulesConfig = section.field("config")?.unwrap_or_default();
    let rank = |(name, given): &(String, MetricRank)| Rank {
        name: name.clone(),
        weight: given.weight.0,
        critical: given.critical,
        required: given.required,
    };
    let ranks: Vec<Rank> = metrics.0.iter().map(rank).collect();
    section.each(|case: &Composed| {
        let mut bench = Bench::new(config.rules(), ranks.clone());
        same(
            "the number of looks",
            &case.looks.len(),
            &case.verdicts.len(),
        )?;
        for (index, (look, should)) in case.looks.iter().zip(&case.verdicts).enumerate() {
            let known = |name: &String| ranks.iter().any(|rank| rank.name == *name);
            if let Some((name, _)) = look.metrics.0.iter().find(|(name, _)| !known(name)) {
                return malformed(format!("look {index}: unknown metric `{name}`"));
            }
            let standing = |rank: &Rank| {
                let given = look.metrics.get(&rank.name);
                given.map_or_else(Standing::default, |given| Standing {
                    e: given.e.0,
                    e_ni: given.e_ni.0,
                    missing: given.missing,
                })
            };
            let standings: Vec<Standing> = ranks.iter().map(standing).collect();
            if standings
                .iter()
                .any(|now| now.e.is_nan() || now.e_ni.is_nan())
            {
                return malformed(format!("look {index}: evidence is not a number"));
            }
            let ruling = bench.look(&Scene {
                metrics: &standings,
                hard_limit: look.hard_limit.as_deref(),
                elapsed: look.elapsed_ok,
                step_over: look.step_over,
                peer_most: look.peer_max.map(|most| most.0),
                starved: false,
            });
            let is = RulingCase {
                verdict: ruling.verdict.word().to_owned(),
                reason: ruling.reason,
                culprits: ruling.culprits,
            };
            same(&format!("look {index}"), &is, should)?;
        }
        Ok(())
    })
}
