//! From a room's settings to the judge's.

use crate::domain::metric::{Judging, MILLION, Metric, Reading};

use super::counts::{Line, Tolerance};
use super::evidence::Settings;
use super::gauge::Allowed;
use super::mixture::Stakes;
use super::promote::MARGIN;
use super::rollout::{Asked, Kind};
use super::verdict::{Rank, Rules};

/// The part of the stake that is kept for regressions that begin later.
const KEPT: f64 = 0.5;

/// Parts per million as a plain number.
pub fn millionths(value: u64) -> f64 {
    value as f64 / MILLION as f64
}

/// What a ratio or a quantile allows.
pub fn tolerance(metric: &Metric) -> Tolerance {
    let allowed = metric.allowed();
    let (rho, delta) = (millionths(allowed.times), millionths(allowed.plus));
    match metric.reading {
        Reading::Quantile { .. } => Tolerance::Odds(rho),
        Reading::Ratio { .. } | Reading::Gauge { .. } => Tolerance::Line(Line { rho, delta }),
    }
}

/// How the judge weighs a metric under a name, with regressions that may begin until look `horizon`.
pub fn asked(metric: &Metric, name: &str, horizon: u32) -> Asked {
    let allowed = metric.allowed();
    let (kind, margin) = match metric.reading {
        // hard limits are watched over several looks, elsewhere
        Reading::Ratio { .. } => {
            let margin = metric.margin.map_or(MARGIN, |margin| Line {
                rho: millionths(margin.times),
                delta: millionths(margin.plus),
            });
            (Kind::Ratio { fail_above: None }, Tolerance::Line(margin))
        }
        Reading::Quantile { .. } => {
            let kind = Kind::Histogram {
                bounds: Vec::new(),
                warm: None,
            };
            let odds = metric.margin.map(|margin| millionths(margin.times));
            (kind, Tolerance::Odds(odds.unwrap_or(MARGIN.rho)))
        }
        Reading::Gauge { .. } => {
            let gauge = Allowed {
                tau: millionths(allowed.times) - 1.0,
                delta: millionths(allowed.plus),
                low_is_bad: false,
            };
            (Kind::Gauge(gauge), Tolerance::Line(MARGIN))
        }
    };
    Asked {
        rank: Rank {
            name: name.to_owned(),
            weight: millionths(metric.weight),
            critical: metric.is_critical(),
            required: metric.is_required(),
        },
        kind,
        settings: Settings {
            tolerance: tolerance(metric),
            stakes: Stakes::new(horizon, KEPT),
            ..Settings::default()
        },
        margin,
    }
}

/// The thresholds of a room.
pub fn rules(judging: &Judging) -> Rules {
    Rules {
        confirm: judging.confirm,
        missing_limit: judging.missing,
        ..Rules::default()
    }
}
