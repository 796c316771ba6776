//! What was gathered of one metric: counts added up over a window of looks, and points for a chart.

use std::collections::VecDeque;

use super::past::Kept;
use crate::domain::canonical;
use crate::domain::charter::{Metric, Reading};
use crate::domain::live::{CHART_POINTS, Chart, Point, Unit};
use crate::domain::{Call, MetricName, MetricVerdict, ServiceName, Timestamp};
use crate::judge::threshold::{allowed, millionths};
use crate::judge::{Judged, Sample, judge};

/// Over how many looks counts are added up before they are compared.
pub(super) const WINDOW: usize = 6;

/// What was gathered of one metric.
pub(super) struct Gathered {
    metric: Metric,
    canary: VecDeque<Sample>,
    baseline: VecDeque<Sample>,
    last: Option<Call>,
    streak: u32,
    /// The last look since the numbers began anew.
    kept: Option<Kept>,
    points: VecDeque<Point>,
}

impl Gathered {
    pub fn new(metric: Metric) -> Gathered {
        Gathered {
            metric,
            canary: VecDeque::new(),
            baseline: VecDeque::new(),
            last: None,
            streak: 0,
            kept: None,
            points: VecDeque::new(),
        }
    }

    /// Begins to add up anew; the points stay.
    pub fn forget(&mut self) {
        self.canary.clear();
        self.baseline.clear();
        self.last = None;
        self.streak = 0;
        self.kept = None;
    }

    /// The look before once more, where its source has nothing newer: no look was taken, so nothing
    /// grows by it, and a verdict does not come about by looking often.
    pub fn again(&self) -> Option<Kept> {
        let nothing = || Sample::missing("nothing newer");
        Some(Kept {
            brought: Some((nothing(), nothing())),
            ..self.kept.clone()?
        })
    }

    /// Takes in what a look brought, canary and baseline, and judges it together with the looks
    /// before.
    pub fn take(
        &mut self,
        service: &ServiceName,
        name: MetricName,
        brought: (Sample, Sample),
        at: Timestamp,
    ) -> Kept {
        let new = add(&mut self.canary, brought.0.clone());
        let old = add(&mut self.baseline, brought.1.clone());
        let Judged {
            call,
            canary,
            baseline,
            words,
        } = judge(&self.metric, &new, &old);
        self.streak = if self.last == Some(call) {
            self.streak.saturating_add(1)
        } else {
            1
        };
        self.last = Some(call);
        self.point(at, canary, baseline);
        let kept = Kept {
            service: service.clone(),
            verdict: MetricVerdict {
                metric: name,
                call,
                streak: self.streak,
                words: words.into(),
                inputs: canonical::digest(&(&new, &old)).into(),
            },
            point: (canary, baseline),
            brought: Some(brought),
        };
        self.kept = Some(kept.clone());
        kept
    }

    /// Takes over a look of an engine before this one: its point, and, while it is fresh enough to
    /// speak about now, what it counted.
    pub fn remember(&mut self, at: Timestamp, kept: &Kept, fresh: bool) {
        self.point(at, kept.point.0, kept.point.1);
        match &kept.brought {
            Some((canary, baseline)) if fresh => {
                add(&mut self.canary, canary.clone());
                add(&mut self.baseline, baseline.clone());
                self.last = Some(kept.verdict.call);
                self.streak = kept.verdict.streak;
                self.kept = Some(kept.clone());
            }
            _ => self.forget(),
        }
    }

    fn point(&mut self, at: Timestamp, canary: Option<f64>, baseline: Option<f64>) {
        if self.points.len() == CHART_POINTS {
            self.points.pop_front();
        }
        self.points.push_back(Point {
            at,
            canary,
            baseline,
        });
    }

    /// The chart, with the newest answer.
    pub fn chart(&self, verdict: &MetricVerdict) -> Chart {
        Chart {
            metric: verdict.metric.clone(),
            unit: match self.metric.reading {
                Reading::Ratio { .. } => Unit::Share,
                Reading::Quantile { .. } => Unit::Seconds,
                Reading::Gauge { .. } => Unit::Plain,
            },
            points: self.points.iter().copied().collect(),
            call: verdict.call,
            words: verdict.words.clone(),
            allowed: allowed(&self.metric).into(),
            limit: self.metric.fail_above.map(millionths),
        }
    }
}

/// Adds a sample to the window and sums the window up. What is missing now is missing: older looks
/// do not speak for it.
fn add(window: &mut VecDeque<Sample>, sample: Sample) -> Sample {
    if matches!(sample, Sample::Missing { .. } | Sample::Gauge { .. }) {
        return sample;
    }
    if window.len() == WINDOW {
        window.pop_front();
    }
    window.push_back(sample.clone());
    let mut sum = sample;
    for older in window.iter().rev().skip(1) {
        match (&mut sum, older) {
            (Sample::Ratio { bad, total }, Sample::Ratio { bad: b, total: t }) => {
                *bad += b;
                *total += t;
            }
            (
                Sample::Histogram { bounds, counts },
                Sample::Histogram {
                    bounds: others,
                    counts: more,
                },
            ) if bounds == others => {
                for (count, n) in counts.iter_mut().zip(more) {
                    *count += n;
                }
            }
            // a histogram with other buckets cannot be added up
            _ => break,
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metric() -> Metric {
        Metric {
            reading: Reading::Ratio {
                bad: "bad".into(),
                total: "total".into(),
            },
            source: None,
            fail_above: Some(50_000),
            fail_ratio: None,
            min_count: 10,
        }
    }

    fn look(gathered: &mut Gathered, at: i64, total: u64) -> Kept {
        let brought = (
            Sample::Ratio { bad: 0, total },
            Sample::Ratio { bad: 0, total },
        );
        gathered.take(&"web".into(), "errors".into(), brought, Timestamp(at))
    }

    #[test]
    fn who_remembers_goes_on_as_if_never_gone() {
        let mut whole = Gathered::new(metric());
        let kept: Vec<Kept> = (0..10).map(|n| look(&mut whole, n, 3 + n as u64)).collect();
        let mut again = Gathered::new(metric());
        for (at, kept) in kept.iter().enumerate() {
            again.remember(Timestamp(at as i64), kept, true);
        }
        let (one, other) = (look(&mut whole, 10, 5), look(&mut again, 10, 5));
        assert_eq!(one, other);
        assert_eq!(one.verdict.streak, 9, "{one:?}");
        let charts = [&whole, &again].map(|g| g.chart(&one.verdict).points);
        assert_eq!(charts[0], charts[1]);
    }

    #[test]
    fn looking_again_at_the_same_is_no_look() {
        let mut gathered = Gathered::new(metric());
        assert_eq!(gathered.again(), None);
        let first = look(&mut gathered, 0, 100);
        for _ in 0..10 {
            let again = gathered.again().unwrap();
            assert_eq!(again.verdict, first.verdict);
            assert_eq!(again.point, first.point);
        }
        let mut other = Gathered::new(metric());
        other.remember(Timestamp(0), &first, true);
        other.remember(Timestamp(1), &gathered.again().unwrap(), true);
        let next = look(&mut gathered, 2, 7);
        assert_eq!(next.verdict.streak, 2);
        assert_eq!(look(&mut other, 2, 7), next, "kept looks say the same");
        gathered.forget();
        assert_eq!(gathered.again(), None);
    }

    #[test]
    fn what_is_too_old_is_only_drawn() {
        let mut before = Gathered::new(metric());
        let kept = look(&mut before, 0, 1000);
        let mut after = Gathered::new(metric());
        after.remember(Timestamp(0), &kept, false);
        let now = look(&mut after, 1, 2);
        assert_eq!(now.verdict.call, Call::Undecided, "{now:?}");
        assert_eq!(now.verdict.streak, 1);
        assert_eq!(after.chart(&now.verdict).points.len(), 2);
    }
}
