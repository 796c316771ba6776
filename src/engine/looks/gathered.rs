//! What was gathered of one metric: counts added up over a window of looks, and points for a chart.

use std::collections::VecDeque;

use super::past::Kept;
use crate::domain::canonical;
use crate::domain::charter::{Metric, Reading};
use crate::domain::live::{CHART_POINTS, Chart, Judged, Point, Unit};
use crate::domain::{Call, MetricName, MetricVerdict, ServiceName, Timestamp};
use crate::judge::threshold::Judged as Thresholded;
use crate::judge::threshold::{allowed, millionths};
use crate::judge::{Sample, judge};

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
        let Thresholded {
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
                shadow: false,
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
            judged: Judged::default(),
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
