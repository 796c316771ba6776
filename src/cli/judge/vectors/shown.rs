//! Sections about histograms, gauges, intervals and plans.

use serde::Deserialize;

use super::compare::{Checked, all_near, malformed, near, relative, same};
use super::evidence::{Config, line};
use super::{Outcome, Section};
use crate::cli::judge::json::{Num, plain};
use crate::domain::Notice;
use crate::judge::count::Direction;
use crate::judge::counts::{Counts, Tolerance};
use crate::judge::dispersion::Dispersion;
use crate::judge::gauge;
use crate::judge::histogram::{Histogram, thresholds};
use crate::judge::interval::{Interval, by_counts, by_votes};
use crate::judge::planning::Expected;
use crate::judge::quantile::quantile;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Buckets {
    #[serde(rename = "note", default)]
    _note: Option<String>,
    #[serde(rename = "name", default)]
    _name: Option<String>,
    le: Vec<Num>,
    warm_baseline_cum: Vec<Num>,
    config: Config,
    thresholds: Vec<usize>,
    looks: Vec<Option<Both>>,
    log_e: Vec<Num>,
    canary_total_cum: Vec<Num>,
    baseline_total_cum: Vec<Num>,
    #[serde(default)]
    quantiles: Vec<Quantiles>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Both {
    canary: Vec<Num>,
    baseline: Vec<Num>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Quantiles {
    q: Num,
    alpha: Num,
    canary_bucket: [i64; 2],
    baseline_bucket: [i64; 2],
    canary_point: Num,
    baseline_point: Num,
}

pub fn histograms(section: &Section<'_>) -> Result<Vec<Outcome>, Notice> {
    let tolerance = section.tolerance("tolerance_abs", 1e-8)?;
    section.each(|case: &Buckets| buckets(case, tolerance))
}

fn buckets(case: &Buckets, tolerance: f64) -> Checked {
    let bounds = plain(&case.le);
    let rising = bounds.windows(2).all(|pair| pair[0] < pair[1]);
    if !rising || bounds.last() != Some(&f64::INFINITY) {
        return malformed("`le` must rise and end with \"inf\"");
    }
    let cumulative = |counts: &[Num]| {
        let counts = plain(counts);
        let rising = counts.windows(2).all(|pair| pair[0] <= pair[1]);
        let sound = counts
            .iter()
            .all(|count| count.is_finite() && *count >= 0.0);
        if counts.len() != bounds.len() || !rising || !sound {
            return malformed("counts must rise and be as many as `le`");
        }
        Ok(counts)
    };
    let warm = cumulative(&case.warm_baseline_cum)?;
    let chosen = thresholds(&warm);
    same("thresholds", &chosen, &case.thresholds)?;
    let mut histogram = Histogram::new(&chosen, case.config.settings()?, Some(&warm));
    let mut is = Vec::with_capacity(case.looks.len());
    for look in &case.looks {
        if let Some(look) = look {
            histogram.feed(&cumulative(&look.canary)?, &cumulative(&look.baseline)?);
        }
        is.push(histogram.ln_e());
    }
    all_near("log_e", &is, &plain(&case.log_e), tolerance)?;
    let canary = cumulative(&case.canary_total_cum)?;
    let baseline = cumulative(&case.baseline_total_cum)?;
    for wanted in &case.quantiles {
        let (q, alpha) = (wanted.q.0, wanted.alpha.0);
        for (arm, totals, bucket, point) in [
            ("canary", &canary, wanted.canary_bucket, wanted.canary_point),
            (
                "baseline",
                &baseline,
                wanted.baseline_bucket,
                wanted.baseline_point,
            ),
        ] {
            let found = quantile(q, alpha, &bounds, totals);
            let index = |index: usize| i64::try_from(index).unwrap_or(i64::MAX);
            let is = [found.above.map_or(-1, index), index(found.upto)];
            same(&format!("{arm}_bucket of q {q}"), &is, &bucket)?;
            near(
                &format!("{arm}_point of q {q}"),
                found.point,
                point.0,
                tolerance,
            )?;
        }
    }
    Ok(())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Blocks {
    #[serde(rename = "name", default)]
    _name: Option<String>,
    #[serde(rename = "note", default)]
    _note: Option<String>,
    blocks: Vec<Num>,
    v_inst: Num,
    r2: Num,
    long_run_var: Num,
    log_e: Num,
    alpha: Num,
    lower: Num,
    upper: Num,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Instances {
    means: Vec<Num>,
    value: Option<Num>,
}

pub fn gauges(section: &Section<'_>) -> Result<Vec<Outcome>, Notice> {
    let tolerance = section.tolerance("tolerance_abs", 1e-9)?;
    let mut outcomes = section.each(|case: &Blocks| {
        let found = gauge::read(&plain(&case.blocks), case.v_inst.0, case.r2.0, case.alpha.0);
        near(
            "long_run_var",
            found.long_run_variance,
            case.long_run_var.0,
            tolerance,
        )?;
        near("log_e", found.ln_e, case.log_e.0, tolerance)?;
        near("lower", found.lower, case.lower.0, tolerance)?;
        near("upper", found.upper, case.upper.0, tolerance)
    })?;
    let beside: Option<Vec<Instances>> = section.field("instance_var")?;
    // no cases, so they count only where they differ
    for (index, case) in beside.unwrap_or_default().iter().enumerate() {
        let found = gauge::instance_variance(&plain(&case.means));
        let agrees = match (found, case.value) {
            (None, None) => true,
            (Some(is), Some(should)) => (is - should.0).abs() <= tolerance,
            _ => false,
        };
        if !agrees {
            let should = case.value.map(|value| value.0);
            outcomes.push(Outcome {
                section: "gauges.instance_var".to_owned(),
                index,
                differs: Some(format!("value is {found:?}, should be {should:?}")),
            });
        }
    }
    Ok(outcomes)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ratio {
    #[serde(rename = "name", default)]
    _name: Option<String>,
    #[serde(rename = "note", default)]
    _note: Option<String>,
    n1: Vec<Num>,
    k1: Vec<Num>,
    n0: Vec<Num>,
    k0: Vec<Num>,
    alpha: Num,
    vote: [Num; 2],
    count: [Num; 2],
    count_phi3: [Num; 2],
    dispersion: Vec<Num>,
}

pub fn ratio_intervals(section: &Section<'_>) -> Result<Vec<Outcome>, Notice> {
    let tolerance = section.tolerance("tolerance_rel", 1e-6)?;
    section.each(|case: &Ratio| ratio(case, tolerance))
}

fn ratio(case: &Ratio, tolerance: f64) -> Checked {
    let length = case.n1.len();
    if [&case.k1, &case.n0, &case.k0]
        .iter()
        .any(|list| list.len() != length)
    {
        return malformed("`n1`, `k1`, `n0` and `k0` must be of one length");
    }
    let look = |index: usize| Counts {
        n1: case.n1[index].0,
        k1: case.k1[index].0,
        n0: case.n0[index].0,
        k0: case.k0[index].0,
    };
    let looks: Vec<Counts> = (0..length).map(look).collect();
    if let Some(flaw) = looks.iter().find_map(Counts::flaw) {
        return malformed(flaw);
    }
    let alpha = case.alpha.0;
    let ends = |what: &str, found: Interval, should: [Num; 2]| {
        relative(
            &format!("the lower end by {what}"),
            found.lower,
            should[0].0,
            tolerance,
        )?;
        relative(
            &format!("the upper end by {what}"),
            found.upper,
            should[1].0,
            tolerance,
        )
    };
    ends("vote", by_votes(&looks, alpha), case.vote)?;
    ends("count", by_counts(&looks, alpha, 1.0), case.count)?;
    ends("count_phi3", by_counts(&looks, alpha, 3.0), case.count_phi3)?;
    let mut clusters = Dispersion::default();
    let mut measured = Vec::with_capacity(length);
    for look in looks {
        measured.push(clusters.phi());
        clusters.take(look);
    }
    super::compare::all_relative("dispersion", &measured, &plain(&case.dispersion), tolerance)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Plan {
    #[serde(rename = "name", default)]
    _name: Option<String>,
    #[serde(rename = "note", default)]
    _note: Option<String>,
    n1: Num,
    n0: Num,
    p1: Num,
    p0: Num,
    rho: Num,
    delta: Num,
    alpha: Num,
    up: bool,
    phi: Option<Num>,
    looks: Num,
}

pub fn planning(section: &Section<'_>) -> Result<Vec<Outcome>, Notice> {
    let tolerance = section.tolerance("tolerance_rel", 1e-9)?;
    section.each(|case: &Plan| {
        let expected = Expected {
            n1: case.n1.0,
            n0: case.n0.0,
            p0: case.p0.0,
            tolerance: Tolerance::Line(line(case.rho.0, case.delta.0)?),
            alpha: case.alpha.0,
            phi: case.phi.map_or(1.0, |phi| phi.0),
        };
        let direction = if case.up {
            Direction::Up
        } else {
            Direction::Down
        };
        let looks = expected.looks(case.p1.0, direction);
        relative("looks", looks, case.looks.0, tolerance)
    })
}
