//! One rollout judged: its metrics, fed look by look, and the verdicts.
//!
//! The whole of it can be written down after any look and goes on from there to the last digit.

use serde::{Deserialize, Serialize};

use super::combine::closed;
use super::count::Direction;
use super::counts::{Counts, Tolerance, total};
use super::evidence::{Regression, Settings};
use super::gauge::{Allowed, Gauge};
use super::histogram::{Histogram, slower, thresholds};
use super::interval::{Interval, by_votes};
use super::numeric::exact;
use super::planning::Expected;
use super::promote::Promotion;
use super::quantile;
use super::verdict::{Bench, Rank, Rules, Ruling, Scene, Standing};
use super::words::{evidence, latency_sentence, percent, ratio_sentence, significant};

/// Looks in a row with less than half of the traffic that the canary should get, after which it is
/// taken for ejected.
const STARVED: u32 = 4;
/// The largest `ln E` that averages are made of: enough for any threshold, and far from overflow.
const LARGEST: f64 = 650.0;
/// How many looks are kept one by one for intervals.
const HISTORY: usize = 240;
/// The least cluster size that is reckoned with when a proof is planned.
const LEAST_PHI: f64 = 3.0;
/// The level of intervals for display.
const DISPLAY: f64 = 0.05;

/// What a metric is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Bad ones among requests.
    Ratio {
        /// A share of bad requests in one look that fails at once, and from how many requests.
        fail_above: Option<(f64, f64)>,
    },
    /// Latencies in buckets.
    Histogram {
        /// The upper bounds of the buckets, the last infinite.
        #[serde(with = "exact::list")]
        bounds: Vec<f64>,
        /// What the baseline's requests before the rollout took, cumulative; without it, the first
        /// look chooses the boundaries and is not judged.
        #[serde(default, with = "exact::list::maybe")]
        warm: Option<Vec<f64>>,
    },
    /// A level of every instance.
    Gauge(Allowed),
}

/// What a metric is set to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    /// What it counts.
    pub rank: Rank,
    /// What it is.
    pub kind: Kind,
    /// The evidence's settings.
    pub settings: Settings,
    /// The margin for promotion.
    pub margin: Tolerance,
}

/// What a look brought of a metric.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Read<'a> {
    /// Nothing that can be judged: never zero, never fine.
    Missing,
    /// No look was taken: nobody has anything newer. Neither seen nor missing.
    Same,
    /// There is something, but it is not judged: instances warm up, or nothing old is left to
    /// compare with.
    Passed,
    /// Counts, one for each stratum.
    Counts(&'a [Counts]),
    /// Cumulative counts of both arms, of this look alone.
    Buckets(&'a [f64], &'a [f64]),
    /// One value per instance of both arms, NaN for one that gave none.
    Levels(&'a [f64], &'a [f64]),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(
    clippy::large_enum_variant,
    reason = "most metrics are ratios, and these are looked at without another step"
)]
enum Process {
    Ratio(Regression, Promotion),
    Unchosen,
    Histogram(Histogram, Vec<(usize, Promotion)>),
    Gauge(Gauge),
}

/// A metric over a rollout.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metric {
    asked: Asked,
    process: Process,
    missing: u32,
    #[serde(with = "exact")]
    ln_e: f64,
    #[serde(with = "exact")]
    ln_most: f64,
    /// How many looks were judged.
    looks: u32,
    /// The counts of the looks; where there are many, of two or more together.
    history: Vec<Counts>,
    /// Of histograms, all looks together: cumulative counts of both arms.
    buckets: (Vec<f64>, Vec<f64>),
}

impl Metric {
    /// No look yet.
    pub fn new(asked: Asked) -> Metric {
        let process = match &asked.kind {
            Kind::Ratio { .. } => Process::Ratio(
                Regression::new(asked.settings),
                Promotion::new(asked.margin),
            ),
            Kind::Histogram {
                warm: Some(warm), ..
            } => chosen(&asked, warm, true),
            Kind::Histogram { warm: None, .. } => Process::Unchosen,
            Kind::Gauge(allowed) => Process::Gauge(Gauge::new(*allowed)),
        };
        Metric {
            asked,
            process,
            missing: 0,
            ln_e: 0.0,
            ln_most: 0.0,
            looks: 0,
            history: Vec::new(),
            buckets: (Vec::new(), Vec::new()),
        }
    }

    /// What it is set to.
    pub fn asked(&self) -> &Asked {
        &self.asked
    }

    /// Takes in a look. What does not fit the metric's kind counts as missing.
    pub fn feed(&mut self, read: Read<'_>) {
        if read == Read::Same {
            return;
        }
        let fits = match (&mut self.process, read) {
            (_, Read::Passed) => {
                self.missing = 0;
                return;
            }
            (Process::Ratio(regression, promotion), Read::Counts(strata)) => {
                regression.feed(strata);
                promotion.feed(strata);
                self.ln_e = regression.ln_e();
                remember(&mut self.history, total(strata));
                true
            }
            (Process::Histogram(histogram, promotions), Read::Buckets(canary, baseline)) => {
                histogram.feed(canary, baseline);
                for (index, promotion) in promotions {
                    promotion.feed(&[slower(canary, baseline, *index)]);
                }
                self.ln_e = histogram.ln_e();
                add(&mut self.buckets.0, canary);
                add(&mut self.buckets.1, baseline);
                true
            }
            (Process::Unchosen, Read::Buckets(_, baseline)) => {
                // a look without requests chooses nothing
                if baseline.last().is_some_and(|all| *all > 0.0) {
                    self.process = chosen(&self.asked, baseline, false);
                }
                true
            }
            (Process::Gauge(gauge), Read::Levels(canary, baseline)) => {
                gauge.feed(canary, baseline);
                self.ln_e = gauge.read(DISPLAY).map_or(0.0, |reading| reading.ln_e);
                true
            }
            _ => false,
        };
        self.looks = self.looks.saturating_add(u32::from(fits));
        self.missing = if fits {
            0
        } else {
            self.missing.saturating_add(1)
        };
        self.ln_most = self.ln_most.max(self.ln_e);
    }

    /// Chooses the boundaries of a histogram by what the baseline did before the first look that is
    /// judged, cumulative over `bounds` and one more for what is larger. Once chosen they stay.
    pub fn choose(&mut self, bounds: &[f64], warm: &[f64]) {
        if self.process == Process::Unchosen {
            self.asked.kind = Kind::Histogram {
                bounds: bounds.to_vec(),
                warm: None,
            };
            self.process = chosen(&self.asked, warm, true);
        }
    }

    /// Begins the proof for promotion anew, at another share of traffic.
    pub fn next_step(&mut self) {
        match &mut self.process {
            Process::Ratio(_, promotion) => promotion.next_step(),
            Process::Histogram(_, promotions) => {
                for (_, promotion) in promotions {
                    promotion.next_step();
                }
            }
            Process::Unchosen | Process::Gauge(_) => {}
        }
    }

    /// How it stands now.
    pub fn standing(&self) -> Standing {
        Standing {
            e: self.ln_e.min(LARGEST).exp(),
            e_ni: self.ln_e_ni().min(LARGEST).exp(),
            missing: self.missing,
        }
    }

    /// `ln E` of a regression.
    pub fn ln_e(&self) -> f64 {
        self.ln_e
    }

    /// The largest `ln E` so far.
    pub fn ln_most(&self) -> f64 {
        self.ln_most
    }

    /// `ln E` that it is within the margin: of a histogram that of its worst boundary, of a gauge none.
    pub fn ln_e_ni(&self) -> f64 {
        match &self.process {
            Process::Ratio(_, promotion) => promotion.ln_e(),
            Process::Histogram(_, promotions) if !promotions.is_empty() => promotions
                .iter()
                .map(|(_, promotion)| promotion.ln_e())
                .fold(f64::INFINITY, f64::min),
            _ => 0.0,
        }
    }

    /// What was counted so far.
    pub fn seen(&self) -> Counts {
        total(&self.history)
    }

    /// Between what the ratio of bad fractions lies; for ratios that have seen something.
    pub fn interval(&self) -> Option<Interval> {
        let seen = self.seen();
        (seen.k1 > 0.0 && seen.k0 > 0.0).then(|| by_votes(&self.history, DISPLAY))
    }

    /// A hard limit that this look's counts break, in words.
    fn broken(&self, read: Read<'_>) -> Option<String> {
        let Kind::Ratio {
            fail_above: Some((limit, least)),
        } = self.asked.kind
        else {
            return None;
        };
        let Read::Counts(strata) = read else {
            return None;
        };
        let look = total(strata);
        let over = look.n1 >= least && look.n1 > 0.0 && look.k1 > limit * look.n1;
        over.then(|| format!("{} above {}", self.asked.rank.name, percent(limit)))
    }

    /// What is counted of a metric: of a histogram at the boundary with the strongest evidence
    /// against it, with that boundary's index.
    fn at_worst(&self) -> Option<(usize, Counts)> {
        let Process::Histogram(histogram, _) = &self.process else {
            return None;
        };
        let each = histogram.each();
        let (index, _) = each.max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)))?;
        let (canary, baseline) = (&self.buckets.0, &self.buckets.1);
        Some((index, slower(canary, baseline, index)))
    }

    /// What is counted so far: requests and bad ones, or slow ones where that shows most.
    fn counted(&self) -> Counts {
        self.at_worst()
            .map_or_else(|| self.seen(), |(_, counts)| counts)
    }

    /// Between what the new version's value lies as a multiple of the old one's; nothing where that
    /// cannot be said.
    ///
    /// Of a ratio its anytime-valid interval; of a histogram the quantile `q` of both arms, on the
    /// boundaries `bounds` without the infinite one; of a gauge the interval of its means.
    pub fn multiple(&self, q: f64, bounds: &[f64], old_mean: Option<f64>) -> Option<Interval> {
        match &self.process {
            Process::Ratio(..) => self.interval(),
            Process::Unchosen => None,
            Process::Histogram(..) => {
                let mut all = bounds.to_vec();
                all.push(f64::INFINITY);
                let (canary, baseline) = (&self.buckets.0, &self.buckets.1);
                if canary.len() != all.len() || baseline.len() != all.len() {
                    return None;
                }
                let of = |counts: &[f64]| quantile::quantile(q, DISPLAY, &all, counts);
                let (new, old) = (of(canary), of(baseline));
                let low = |at: Option<usize>| at.map_or(0.0, |index| all[index]);
                let over = |a: f64, b: f64| if b > 0.0 { a / b } else { f64::INFINITY };
                let upper = match all[new.upto] {
                    new if new.is_finite() => over(new, low(old.above)),
                    _ => f64::INFINITY,
                };
                let lower = match all[old.upto] {
                    old if old.is_finite() => over(low(new.above), old),
                    _ => 0.0,
                };
                Some(Interval { lower, upper })
            }
            Process::Gauge(gauge) => {
                let Kind::Gauge(allowed) = self.asked.kind else {
                    return None;
                };
                let old = old_mean.filter(|old| *old > 0.0)?;
                let reading = gauge.read(DISPLAY).filter(|r| r.upper.is_finite())?;
                let base = (1.0 + allowed.tau) * old + allowed.delta;
                Some(Interval {
                    lower: ((base + reading.lower) / old).max(0.0),
                    upper: (base + reading.upper) / old,
                })
            }
        }
    }

    /// Whether it is proven within what it allows: the margin's proof, of a gauge an interval that
    /// lies below.
    pub fn holds_margin(&self, rules: &Rules) -> bool {
        let proven = match &self.process {
            Process::Gauge(gauge) => gauge.read(DISPLAY).is_some_and(|r| r.upper < 0.0),
            _ => self.ln_e_ni() >= (1.0 / rules.alpha_promote).ln(),
        };
        proven && self.ln_e < rules.smell.ln()
    }

    /// In how many looks like those so far it will be decided: bad where it looks bad, good enough
    /// otherwise. Infinity where there is too little traffic, `None` where nothing can be said.
    pub fn looks_left(&self, rules: &Rules) -> Option<f64> {
        if let Process::Gauge(gauge) = &self.process {
            return gauge.looks_left().map(f64::from);
        }
        let looks = f64::from(self.looks);
        let seen = self.counted();
        if looks <= 0.0 || seen.n1 <= 0.0 || seen.n0 <= 0.0 {
            return None;
        }
        let p0 = seen.k0 / seen.n0;
        let p1 = seen.k1 / seen.n1;
        let tolerance = self.asked.settings.tolerance;
        let line = tolerance.at(p0);
        let looks_bad = p1 > line.rho * p0 + line.delta;
        let expected = Expected {
            n1: seen.n1 / looks,
            n0: seen.n0 / looks,
            p0,
            tolerance: if looks_bad {
                tolerance
            } else {
                self.asked.margin
            },
            alpha: if looks_bad {
                rules.alpha_rollback
            } else {
                rules.alpha_promote
            },
            phi: if looks_bad { 1.0 } else { LEAST_PHI },
        };
        let (all, have) = if looks_bad {
            (expected.looks_by_vote(p1), self.ln_e)
        } else {
            (expected.looks(p1, Direction::Down), self.ln_e_ni())
        };
        let got = (have / (1.0 / expected.alpha).ln()).clamp(0.0, 1.0);
        Some(if all.is_finite() {
            all * (1.0 - got)
        } else {
            all
        })
    }

    /// What was seen, in words.
    pub fn sentence(&self) -> String {
        self.sentence_with(self.interval())
    }

    /// The same, where the interval of the ratio is known already.
    pub fn sentence_with(&self, interval: Option<Interval>) -> String {
        let name = &self.asked.rank.name;
        let most = self.ln_most.exp();
        match &self.process {
            Process::Ratio(..) => ratio_sentence(
                name,
                self.seen(),
                interval,
                self.asked.settings.tolerance,
                most,
            ),
            Process::Unchosen => format!("{name}: no requests yet."),
            Process::Histogram(..) => {
                let bounds = match &self.asked.kind {
                    Kind::Histogram { bounds, .. } => bounds.as_slice(),
                    _ => &[],
                };
                let worst = self.at_worst().map(|(index, seen)| {
                    (bounds.get(index).copied().unwrap_or(f64::INFINITY), seen)
                });
                latency_sentence(name, worst, self.asked.settings.tolerance, most)
            }
            Process::Gauge(gauge) => match gauge.read(DISPLAY) {
                None => format!("{name}: fewer than three instances in an arm, not tested."),
                Some(reading) if reading.upper.is_infinite() => {
                    format!("{name}: still warming up.")
                }
                Some(reading) => format!(
                    "{name}: {} {} what is allowed (between {} and {}). {}",
                    significant(reading.mean.abs(), 3),
                    if reading.mean > 0.0 { "above" } else { "below" },
                    significant(reading.lower, 3),
                    significant(reading.upper, 3),
                    evidence(most)
                ),
            },
        }
    }
}

/// Adds the counts of a look to the looks; where they are many, two become one, which is one long
/// look.
fn remember(history: &mut Vec<Counts>, look: Counts) {
    if history.len() >= HISTORY {
        let pairs = history.chunks(2).map(total).collect();
        *history = pairs;
    }
    history.push(look);
}

fn add(sums: &mut Vec<f64>, counts: &[f64]) {
    sums.resize(sums.len().max(counts.len()), 0.0);
    for (sum, count) in sums.iter_mut().zip(counts) {
        *sum += count;
    }
}

/// The processes of a histogram whose boundaries are chosen by `baseline`.
fn chosen(asked: &Asked, baseline: &[f64], warm: bool) -> Process {
    let indices = thresholds(baseline);
    let histogram = Histogram::new(&indices, asked.settings, warm.then_some(baseline));
    let promotion = |index: usize| (index, Promotion::new(asked.margin));
    Process::Histogram(histogram, indices.into_iter().map(promotion).collect())
}

/// What else a verdict looks at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Around<'a> {
    /// A hard limit that fails elsewhere, in words.
    pub hard_limit: Option<&'a str>,
    /// The share of traffic that the canary should get, 0 to 1, where it is known.
    pub share: Option<f64>,
    /// Whether the step has had its least time.
    pub elapsed: bool,
    /// Whether the step's time is over.
    pub step_over: bool,
    /// The largest evidence that an old instance ever reached.
    pub peer_most: Option<f64>,
}

/// A rollout under judgement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rollout {
    metrics: Vec<Metric>,
    bench: Bench,
    share: Option<u64>,
    starved: u32,
}

impl Rollout {
    /// No look yet.
    pub fn new(rules: Rules, metrics: Vec<Asked>) -> Rollout {
        let ranks = metrics.iter().map(|asked| asked.rank.clone()).collect();
        Rollout {
            metrics: metrics.into_iter().map(Metric::new).collect(),
            bench: Bench::new(rules, ranks),
            share: None,
            starved: 0,
        }
    }

    /// Its metrics, in the order in which they were given.
    pub fn metrics(&self) -> &[Metric] {
        &self.metrics
    }

    /// The weighted averages of all metrics' evidence and of the critical ones'.
    pub fn averages(&self) -> (f64, f64) {
        let standings: Vec<Standing> = self.metrics.iter().map(Metric::standing).collect();
        self.bench.averages(&standings)
    }

    /// A metric, to choose its boundaries.
    pub fn metric_mut(&mut self, index: usize) -> Option<&mut Metric> {
        self.metrics.get_mut(index)
    }

    /// Begins the proof for promotion anew, at another step of the rollout. Evidence of a regression
    /// goes on: how much traffic the canary gets is part of every look.
    pub fn next_step(&mut self) {
        for metric in &mut self.metrics {
            metric.next_step();
        }
    }

    /// Per metric the evidence against it that is left when any others may be to blame.
    pub fn closed(&self) -> Vec<f64> {
        let standings = self.metrics.iter().map(Metric::standing);
        let e: Vec<f64> = standings.map(|now| now.e).collect();
        let ranks = self.metrics.iter().map(|metric| &metric.asked.rank);
        let weights: Vec<f64> = ranks.map(|rank| rank.weight).collect();
        closed(&e, &weights)
    }

    /// Takes in a look, one reading for each metric; those beyond the readings are missing.
    pub fn look(&mut self, reads: &[Read<'_>], around: &Around<'_>) -> Ruling {
        let share = around.share.map(f64::to_bits);
        if share != self.share {
            self.share = share;
            self.next_step();
        }
        let mut broken = around.hard_limit.map(str::to_owned);
        for (index, metric) in self.metrics.iter_mut().enumerate() {
            let read = reads.get(index).copied().unwrap_or(Read::Missing);
            broken = broken.or_else(|| metric.broken(read));
            metric.feed(read);
        }
        self.watch_traffic(reads, around.share);
        let standings: Vec<Standing> = self.metrics.iter().map(Metric::standing).collect();
        self.bench.look(&Scene {
            metrics: &standings,
            hard_limit: broken.as_deref(),
            elapsed: around.elapsed,
            step_over: around.step_over,
            peer_most: around.peer_most,
            starved: self.starved >= STARVED,
        })
    }

    /// Counts the looks in which the canary gets less than half of what it should: instances that
    /// crash are taken out of the traffic and look healthy.
    fn watch_traffic(&mut self, reads: &[Read<'_>], share: Option<f64>) {
        let counts = reads.iter().filter_map(|read| match read {
            Read::Counts(strata) => Some(total(strata)),
            _ => None,
        });
        let busiest = counts.max_by(|a, b| (a.n1 + a.n0).total_cmp(&(b.n1 + b.n0)));
        if let (Some(look), Some(share)) = (busiest, share)
            && look.n1 + look.n0 > 0.0
        {
            let little = look.n1 < share / 2.0 * (look.n1 + look.n0);
            self.starved = if little {
                self.starved.saturating_add(1)
            } else {
                0
            };
        }
    }
}
