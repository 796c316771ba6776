//! Hard limits: the new version's value against a fixed number, and values as people read them.
//!
//! A limit has no error control: on small counts it cries wolf. `min_count` keeps it silent until
//! there is something to count.

use crate::domain::metric::{Metric, Reading};

use super::quantile;
use super::sample::Sample;
use super::setup::{millionths, tolerance};
use super::words;

/// A value and how much it rests on: requests, or instances.
pub type Value = (f64, u64);

/// A sample as one number in the metric's unit; `None` where there is nothing to say.
pub fn value(metric: &Metric, sample: &Sample) -> Option<Value> {
    match (&metric.reading, sample) {
        (Reading::Ratio { .. }, Sample::Ratio { bad, total }) if *total > 0 => {
            Some((*bad as f64 / *total as f64, *total))
        }
        (Reading::Quantile { at, .. }, Sample::Histogram { .. }) => {
            quantile_of(millionths(*at), sample)
        }
        (Reading::Gauge { .. }, Sample::Gauge { mean, n }) if mean.is_finite() && *n > 0 => {
            Some((*mean, u64::from(*n)))
        }
        _ => None,
    }
}

/// A quantile of a histogram by linear interpolation within its bucket, as Prometheus'
/// `histogram_quantile` does it: the lowest bucket begins at 0, and a quantile in the last,
/// unbounded bucket is the bound below it. With the number of values.
pub fn quantile_of(q: f64, sample: &Sample) -> Option<Value> {
    let (bounds, cumulated) = cumulated(sample)?;
    let total = *cumulated.last()?;
    let point = quantile::point(q, &bounds, &cumulated);
    (total > 0.0).then_some((point, total as u64))
}

/// The bounds of a histogram, the last infinite, and how many lie at or below each; `None` where
/// it is none.
pub fn cumulated(sample: &Sample) -> Option<(Vec<f64>, Vec<f64>)> {
    let Sample::Histogram { bounds, counts } = sample else {
        return None;
    };
    if bounds.len() + 1 != counts.len() {
        return None;
    }
    let mut bounds = bounds.clone();
    bounds.push(f64::INFINITY);
    let mut below = 0.0;
    let add = |count: &u64| {
        below += *count as f64;
        below
    };
    Some((bounds, counts.iter().map(add).collect()))
}

/// The hard limit that the newest looks at the new version break, in words. `newest` begins with the
/// last look; as many are taken together as it needs for `min_count`.
pub fn broken<'a>(metric: &Metric, newest: impl IntoIterator<Item = &'a Sample>) -> Option<String> {
    let limit = millionths(metric.fail_above?);
    let mut sum: Option<Sample> = None;
    for sample in newest {
        match &mut sum {
            None => sum = Some(sample.clone()),
            Some(sum) => plus(sum, sample)?,
        }
        let Some((value, count)) = sum.as_ref().and_then(|sum| value(metric, sum)) else {
            continue;
        };
        if count >= metric.min_count {
            let words = || {
                format!(
                    "{}, above the hard limit of {}",
                    shown(metric, value),
                    shown(metric, limit)
                )
            };
            return (value > limit).then(words);
        }
    }
    None
}

/// Adds another look's counts; `None` where they cannot be added: levels, or other buckets.
pub fn plus(sum: &mut Sample, other: &Sample) -> Option<()> {
    match (sum, other) {
        (Sample::Ratio { bad, total }, Sample::Ratio { bad: b, total: t }) => {
            *bad = bad.saturating_add(*b);
            *total = total.saturating_add(*t);
            Some(())
        }
        (
            Sample::Histogram { bounds, counts },
            Sample::Histogram {
                bounds: others,
                counts: more,
            },
        ) if bounds == others && counts.len() == more.len() => {
            for (count, n) in counts.iter_mut().zip(more) {
                *count = count.saturating_add(*n);
            }
            Some(())
        }
        _ => None,
    }
}

/// What a metric allows, in a few words: `1.25x + 0.02 points, never above 5.00 %`.
pub fn allowed(metric: &Metric) -> String {
    let tolerated = match metric.reading {
        Reading::Gauge { .. } => words::percent(millionths(metric.allowed().times) - 1.0),
        _ => words::allowed(tolerance(metric)),
    };
    match metric.fail_above {
        Some(limit) => format!(
            "{tolerated}, never above {}",
            shown(metric, millionths(limit))
        ),
        None => tolerated,
    }
}

/// The value that the tolerance allows while the old version has `old`.
pub fn tolerated(metric: &Metric, old: &Sample) -> Option<f64> {
    let allowed = metric.allowed();
    let (times, plus) = (millionths(allowed.times), millionths(allowed.plus));
    match &metric.reading {
        Reading::Ratio { .. } => {
            let (p, _) = value(metric, old)?;
            Some((times * p / (1.0 - p + times * p) + plus).min(1.0))
        }
        Reading::Quantile { at, .. } => {
            // the boundary that as many of the old version's may exceed as bring the new one's to 1 - q
            let p = 1.0 - millionths(*at);
            let before = p / (times * (1.0 - p) + p);
            quantile_of(1.0 - before, old).map(|(value, _)| value)
        }
        Reading::Gauge { .. } => value(metric, old).map(|(mean, _)| times * mean + plus),
    }
}

/// A value as people read it.
pub fn shown(metric: &Metric, value: f64) -> String {
    match metric.reading {
        Reading::Ratio { .. } => format!("{:.2} %", value * 100.0),
        Reading::Quantile { .. } if value < 1.0 => format!("{:.0} ms", value * 1000.0),
        Reading::Quantile { .. } => format!("{value:.2} s"),
        Reading::Gauge { .. } if value.abs() >= 1e6 => format!("{:.1} M", value / 1e6),
        Reading::Gauge { .. } => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metric(text: &str) -> Metric {
        serde_json::from_str(text).unwrap()
    }

    fn errors() -> Metric {
        metric(
            r#"{"reading": {"ratio": {"bad": "b", "total": "t"}}, "fail_above": 50000, "min_count": 100}"#,
        )
    }

    fn of(bad: u64, total: u64) -> Sample {
        Sample::Ratio { bad, total }
    }

    #[test]
    fn a_limit_waits_for_enough_and_takes_the_newest() {
        let metric = errors();
        assert_eq!(broken(&metric, &[of(0, 0)]), None);
        assert_eq!(broken(&metric, &[of(99, 99)]), None, "too few");
        let said = broken(&metric, &[of(6, 60), of(6, 60)]).unwrap();
        assert_eq!(said, "10.00 %, above the hard limit of 5.00 %");
        assert_eq!(broken(&metric, &[of(0, 200), of(200, 200)]), None);
        assert_eq!(broken(&metric, &[of(5, 100)]), None, "at the limit");
        assert_eq!(broken(&metric, &[Sample::missing("hangs")]), None);
    }

    #[test]
    fn quantiles_and_their_limits() {
        let metric = metric(
            r#"{"reading": {"quantile": {"histogram": "h", "at": 990000}}, "fail_above": 150000, "min_count": 10}"#,
        );
        let sample = |counts: &[u64]| Sample::Histogram {
            bounds: vec![0.1, 0.2],
            counts: counts.to_vec(),
        };
        assert_eq!(quantile_of(0.5, &sample(&[10, 10, 0])), Some((0.1, 20)));
        assert_eq!(quantile_of(0.99, &sample(&[0, 0, 0])), None);
        let said = broken(&metric, &[sample(&[0, 10, 5])]).unwrap();
        assert!(said.starts_with("200 ms"), "{said}");
        assert_eq!(broken(&metric, &[sample(&[1000, 1, 0])]), None);
        // 0.8 % of the old version's may be slower where 1 % of the new one's may
        let old = sample(&[9920, 80, 0]);
        let most = tolerated(&metric, &old).unwrap();
        assert!((0.0999..0.101).contains(&most), "{most}");
    }

    #[test]
    fn what_is_allowed_in_words_and_as_a_value() {
        let metric = errors();
        assert_eq!(allowed(&metric), "1.25x + 0.02 points, never above 5.00 %");
        let most = tolerated(&metric, &of(1, 1000)).unwrap();
        assert!((most - 0.00145).abs() < 1e-6, "{most}");
        assert_eq!(tolerated(&metric, &of(0, 0)), None);
    }
}
