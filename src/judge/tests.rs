//! What must hold of the evidence whatever is fed: validity by counting all outcomes, and that neither
//! the cut into scrapes nor a restart changes it.

use proptest::prelude::*;

use super::count::{self, Direction};
use super::counts::{Counts, Line, Tolerance};
use super::deltas::Deltas;
use super::evidence::{Regression, Settings};
use super::gauge::Allowed;
use super::mixture::{DOWN, Stakes, UP, VOTE};
use super::promote::{MARGIN, Promotion};
use super::rollout::{Around, Asked, Kind, Read, Rollout};
use super::verdict::{Rank, Rules};
use super::vote;

/// The chances of `0..=n` bad ones.
fn binomial(n: u32, p: f64) -> Vec<f64> {
    let mut chances = vec![1.0];
    for _ in 0..n {
        let mut next = vec![0.0; chances.len() + 1];
        for (k, chance) in chances.iter().enumerate() {
            next[k] += chance * (1.0 - p);
            next[k + 1] += chance * p;
        }
        chances = next;
    }
    chances
}

/// The expected factor of one look when the bad fractions are `p1` and `p0`, over all outcomes.
fn expected(n1: u32, p1: f64, n0: u32, p0: f64, ln_f: impl Fn(Counts) -> f64) -> f64 {
    let (canary, baseline) = (binomial(n1, p1), binomial(n0, p0));
    let mut sum = 0.0;
    for (k1, chance1) in canary.iter().enumerate() {
        for (k0, chance0) in baseline.iter().enumerate() {
            let look = Counts {
                n1: f64::from(n1),
                k1: k1 as f64,
                n0: f64::from(n0),
                k0: k0 as f64,
            };
            sum += chance1 * chance0 * ln_f(look).exp();
        }
    }
    sum
}

const SIZES: [(u32, u32); 4] = [(1, 1), (3, 12), (10, 10), (7, 2)];
const FRACTIONS: [f64; 7] = [0.0, 0.01, 0.1, 0.3, 0.5, 0.8, 1.0];

/// The canary's fraction at the edge of an odds ratio.
fn at_odds(rho: f64, p: f64) -> f64 {
    rho * p / (1.0 - p + rho * p)
}

#[test]
fn the_expected_vote_is_at_most_1_at_the_edge() {
    for (n1, n0) in SIZES {
        for p0 in FRACTIONS {
            for rho in [1.0, 1.25, 3.0] {
                for r in VOTE {
                    let line = Line { rho, delta: 0.0 };
                    let edge = at_odds(rho, p0);
                    let e = expected(n1, edge, n0, p0, |look| vote::ln_factor(&[look], line, r));
                    assert!(e <= 1.0 + 1e-12, "{n1} {n0} {p0} {rho} {r}: {e}");
                }
            }
        }
    }
}

#[test]
fn the_expected_vote_with_tangents_is_at_most_1() {
    for (n1, n0) in SIZES {
        for p0 in [0.1, 0.3, 0.5, 0.8] {
            for c0 in [0.05, 0.3, 0.6] {
                for r in VOTE {
                    let line = Tolerance::Odds(1.25).at(c0);
                    let edge = at_odds(1.25, p0);
                    let e = expected(n1, edge, n0, p0, |look| vote::ln_factor(&[look], line, r));
                    assert!(e <= 1.0 + 1e-9, "{n1} {n0} {p0} {c0} {r}: {e}");
                }
            }
        }
    }
}

#[test]
fn the_expected_vote_with_a_delta_is_at_most_1() {
    // up to 40 % bad; beyond, the specification states an excess below 2e-4
    for (n1, n0) in SIZES {
        for p0 in [0.0, 0.01, 0.1, 0.3, 0.4] {
            for (rho, delta) in [(1.0, 0.01), (1.25, 0.0002), (1.25, 0.1), (3.0, 0.02)] {
                for r in VOTE {
                    let line = Line { rho, delta };
                    let edge = at_odds(rho, p0) + delta;
                    let e = expected(n1, edge, n0, p0, |look| vote::ln_factor(&[look], line, r));
                    assert!(e <= 1.0 + 1e-12, "{n1} {n0} {p0} {rho} {delta} {r}: {e}");
                }
            }
        }
    }
}

#[test]
fn within_what_is_allowed_less_is_expected() {
    for (n1, n0) in SIZES {
        for p0 in [0.01, 0.1, 0.3, 0.5] {
            let line = Line {
                rho: 1.25,
                delta: 0.01,
            };
            let edge = at_odds(1.25, p0) + 0.01;
            let mut last = [f64::INFINITY; 2];
            for part in [1.0, 0.8, 0.4, 0.0] {
                let p1 = part * edge;
                let vote = |look| vote::ln_factor(&[look], line, VOTE[4]);
                let count = |look| count::ln_factor(&[look], line, 0.06, Direction::Up, 1.0, UP[4]);
                let now = [
                    expected(n1, p1, n0, p0, vote),
                    expected(n1, p1, n0, p0, count),
                ];
                for (now, last) in now.iter().zip(last) {
                    assert!(*now <= last, "{n1} {n0} {p0} {part}: {now} after {last}");
                }
                last = now;
            }
            assert!(last[0] < 1.0 && last[1] < 1.0, "{last:?}");
        }
    }
}

#[test]
fn the_expected_count_with_tangents_is_at_most_1() {
    for (n1, n0) in SIZES {
        for p0 in FRACTIONS {
            for odds in [1.25, 1.5, 3.0] {
                for c0 in [0.0, 0.05, 0.3, 0.6] {
                    for r in UP {
                        let line = Tolerance::Odds(odds).at(c0);
                        let edge = at_odds(odds, p0);
                        let e = expected(n1, edge, n0, p0, |look| {
                            count::ln_factor(&[look], line, c0, Direction::Up, 1.0, r)
                        });
                        assert!(e <= 1.0 + 1e-12, "{n1} {n0} {p0} {odds} {c0} {r}: {e}");
                    }
                }
            }
        }
    }
}

#[test]
fn the_expected_factor_of_strata_is_at_most_1() {
    // two strata of a look, each with traffic and bad fractions of its own
    let (one, two) = ((2u32, 3u32, 0.1), (3u32, 2u32, 0.4));
    let line = Line {
        rho: 1.25,
        delta: 0.0,
    };
    for r in VOTE {
        let e = expected(one.0, at_odds(1.25, one.2), one.1, one.2, |first| {
            expected(two.0, at_odds(1.25, two.2), two.1, two.2, |second| {
                vote::ln_factor(&[first, second], line, r)
            })
            .ln()
        });
        assert!(e <= 1.0 + 1e-12, "{r}: {e}");
    }
}

#[test]
fn the_expected_count_is_at_most_1_at_the_edge() {
    let lines = [(1.0, 0.0), (1.25, 0.0002), (1.5, 0.02), (0.0, 0.1)];
    for (n1, n0) in SIZES {
        for p0 in FRACTIONS {
            for (rho, delta) in lines {
                let line = Line { rho, delta };
                let edge: f64 = rho * p0 + delta;
                if edge > 1.0 {
                    continue;
                }
                for c0 in [0.0, 0.06, 0.4] {
                    for (up, down) in UP.into_iter().zip(DOWN) {
                        for (direction, r) in [(Direction::Up, up), (Direction::Down, down)] {
                            for phi in [1.0, 3.0] {
                                let e = expected(n1, edge, n0, p0, |look| {
                                    count::ln_factor(&[look], line, c0, direction, phi, r)
                                });
                                assert!(
                                    e <= 1.0 + 1e-12,
                                    "{n1} {n0} {p0} {rho} {delta} {c0} {r}: {e}"
                                );
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The expected evidence after three looks of this shape, over all of their outcomes.
fn walked<P: Copy>(
    process: P,
    left: u32,
    shape: (u32, f64, u32, f64),
    step: fn(&mut P, Counts),
    ln_e: fn(&P) -> f64,
) -> f64 {
    if left == 0 {
        return ln_e(&process).exp();
    }
    let (n1, p1, n0, p0) = shape;
    expected(n1, p1, n0, p0, |look| {
        let mut next = process;
        step(&mut next, look);
        walked(next, left - 1, shape, step, ln_e).ln()
    })
}

#[test]
fn the_expected_evidence_of_a_short_rollout_is_at_most_1() {
    // restarts, the predictable centre and the fast lane included
    for (tolerance, p0, edge) in [
        (line(1.0, 0.0), 0.3, 0.3),
        (line(1.25, 0.02), 0.2, at_odds(1.25, 0.2) + 0.02),
        (Tolerance::Odds(1.25), 0.4, at_odds(1.25, 0.4)),
    ] {
        let settings = Settings {
            tolerance,
            stakes: Stakes::new(3, 0.5),
            ..Settings::default()
        };
        let process = Regression::new(settings);
        let step = |process: &mut Regression, look| process.feed(&[look]);
        let e = walked(process, 3, (2, edge, 3, p0), step, Regression::ln_e);
        assert!(e <= 1.0 + 1e-12, "{tolerance:?}: {e}");
    }
}

#[test]
fn the_expected_proof_for_promotion_is_at_most_1() {
    // bursts are measured on the way
    for (tolerance, p0, edge) in [
        (
            Tolerance::Line(MARGIN),
            0.3,
            MARGIN.rho * 0.3 + MARGIN.delta,
        ),
        (Tolerance::Odds(1.5), 0.4, at_odds(1.5, 0.4)),
    ] {
        let process = Promotion::new(tolerance);
        let step = |process: &mut Promotion, look| process.feed(&[look]);
        let e = walked(process, 3, (3, edge, 2, p0), step, Promotion::ln_e);
        assert!(e <= 1.0 + 1e-12, "{tolerance:?}: {e}");
    }
}

fn line(rho: f64, delta: f64) -> Tolerance {
    Tolerance::Line(Line { rho, delta })
}

fn looks() -> impl Strategy<Value = Vec<Counts>> {
    let arm = |most: u64| (0..most).prop_flat_map(|n| (Just(n), 0..=n));
    let look = (arm(300), arm(3000)).prop_map(|((n1, k1), (n0, k0))| Counts::new(n1, k1, n0, k0));
    proptest::collection::vec(look, 1..40)
}

proptest! {
    #[test]
    fn a_restart_in_the_middle_changes_no_digit(looks in looks(), cut in 0usize..40) {
        let mut whole = Regression::new(Settings::default());
        let mut proof = Promotion::new(Tolerance::Line(MARGIN));
        let (mut restarted, mut restarted_proof) = (whole, proof);
        for (index, look) in looks.iter().enumerate() {
            if index == cut {
                let text = serde_json::to_string(&(restarted, restarted_proof)).unwrap();
                (restarted, restarted_proof) = serde_json::from_str(&text).unwrap();
            }
            whole.feed(&[*look]);
            proof.feed(&[*look]);
            restarted.feed(&[*look]);
            restarted_proof.feed(&[*look]);
            prop_assert_eq!(whole.ln_e().to_bits(), restarted.ln_e().to_bits());
            prop_assert_eq!(proof.ln_e().to_bits(), restarted_proof.ln_e().to_bits());
        }
    }

    /// Counters that are scraped more often give, summed up over a look, the same counts and so the
    /// same evidence, whatever instances there are and whenever they are scraped.
    #[test]
    fn scrapes_may_be_cut_anyhow(
        looks in proptest::collection::vec(
            proptest::collection::vec((0u64..200, 0u64..40, 0u64..900, 0u64..90), 1..5), 1..20),
    ) {
        let mut raw = Raw::default();
        let (mut long, mut short) = (Sides::default(), Sides::default());
        let (mut whole, mut pieces) = (
            Regression::new(Settings::default()),
            Regression::new(Settings::default()),
        );
        long.scrape(&raw);
        short.scrape(&raw);
        for scrapes in looks {
            let mut summed = Counts::default();
            for added in scrapes {
                raw.add(added);
                summed = summed.plus(short.scrape(&raw));
            }
            let once = long.scrape(&raw);
            prop_assert_eq!(once, summed);
            whole.feed(&[once]);
            pieces.feed(&[summed]);
            prop_assert_eq!(whole.ln_e().to_bits(), pieces.ln_e().to_bits());
        }
    }

}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    /// The whole rollout, written down and read again at every look, says the same.
    #[test]
    fn a_rollout_restarted_at_every_look_says_the_same(looks in recorded()) {
        let mut whole = Rollout::new(Rules::default(), metrics());
        let mut restarted = whole.clone();
        for look in &looks {
            let around = Around {
                hard_limit: look.limit.then_some("disk full"),
                share: Some(if look.wide { 0.25 } else { 0.05 }),
                elapsed: true,
                step_over: look.over,
                peer_most: look.wide.then_some(40.0),
            };
            let reads = look.reads();
            let text = serde_json::to_string(&restarted).unwrap();
            restarted = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(whole.look(&reads, &around), restarted.look(&reads, &around));
            let written = |rollout: &Rollout| serde_json::to_string(rollout).unwrap();
            prop_assert_eq!(written(&whole), written(&restarted));
            for (one, other) in whole.metrics().iter().zip(restarted.metrics()) {
                prop_assert_eq!(one.ln_e().to_bits(), other.ln_e().to_bits());
                prop_assert_eq!(one.ln_most().to_bits(), other.ln_most().to_bits());
                prop_assert_eq!(one.ln_e_ni().to_bits(), other.ln_e_ni().to_bits());
            }
        }
        for (one, other) in whole.metrics().iter().zip(restarted.metrics()) {
            prop_assert_eq!(one.sentence(), other.sentence());
        }
    }
}

proptest! {

    /// Evidence is a number whatever is fed.
    #[test]
    fn evidence_is_always_a_number(looks in looks()) {
        let mut process = Regression::new(Settings::default());
        let mut proof = Promotion::new(Tolerance::Odds(1.5));
        for look in looks {
            process.feed(&[look, look.swapped()]);
            proof.feed(&[look]);
            prop_assert!(process.ln_e().is_finite());
            prop_assert!(proof.ln_e().is_finite());
        }
    }
}

/// Raw counters of two instances on each side: all requests and bad ones.
#[derive(Default)]
struct Raw([[u64; 4]; 2]);

impl Raw {
    fn add(&mut self, (good1, bad1, good0, bad0): (u64, u64, u64, u64)) {
        // what comes to a side is shared among its instances
        for (instance, [all1, sum1, all0, sum0]) in self.0.iter_mut().enumerate() {
            let share = |n: u64| if instance == 0 { n / 3 } else { n - n / 3 };
            *all1 += share(good1) + share(bad1);
            *sum1 += share(bad1);
            *all0 += share(good0) + share(bad0);
            *sum0 += share(bad0);
        }
    }
}

/// The differences of all requests and bad ones, of the canary and the baseline.
#[derive(Default)]
struct Sides([Deltas; 4]);

impl Sides {
    fn scrape(&mut self, raw: &Raw) -> Counts {
        let mut which = 0;
        let [n1, k1, n0, k0] = self.0.each_mut().map(|deltas| {
            let samples = ["a", "b"].into_iter().zip(raw.0);
            let samples = samples.map(|(name, values)| (name, values[which] as f64));
            let added = deltas.step(samples, |_| false);
            which += 1;
            added.unwrap_or(0.0)
        });
        Counts { n1, k1, n0, k0 }
    }
}

/// A metric of each kind.
fn metrics() -> Vec<Asked> {
    let kinds = [
        Kind::Ratio {
            fail_above: Some((0.9, 100.0)),
        },
        Kind::Histogram {
            bounds: vec![0.1, 1.0, f64::INFINITY],
            warm: None,
        },
        Kind::Histogram {
            bounds: vec![0.1, 1.0, f64::INFINITY],
            warm: Some(vec![500.0, 950.0, 1000.0]),
        },
        Kind::Gauge(Allowed {
            tau: 0.1,
            delta: 0.0,
            low_is_bad: false,
        }),
    ];
    let asked = |(index, kind): (usize, Kind)| Asked {
        rank: Rank {
            name: format!("metric {index}"),
            weight: 1.0 + index as f64 / 3.0,
            critical: index < 2,
            required: index < 3,
        },
        settings: Settings {
            tolerance: match kind {
                Kind::Histogram { .. } => Tolerance::Odds(1.25),
                _ => Tolerance::default(),
            },
            ..Settings::default()
        },
        kind,
        margin: Tolerance::Line(MARGIN),
    };
    kinds.into_iter().enumerate().map(asked).collect()
}

/// A look at all of them; what is `None` is missing.
#[derive(Clone, Debug)]
struct Recorded {
    counts: Option<[Counts; 1]>,
    buckets: Option<(Vec<f64>, Vec<f64>)>,
    levels: Option<(Vec<f64>, Vec<f64>)>,
    limit: bool,
    wide: bool,
    over: bool,
}

impl Recorded {
    fn reads(&self) -> [Read<'_>; 4] {
        let buckets = match &self.buckets {
            Some((canary, baseline)) => Read::Buckets(canary, baseline),
            None => Read::Missing,
        };
        let levels = match &self.levels {
            Some((canary, baseline)) => Read::Levels(canary, baseline),
            None => Read::Missing,
        };
        let counts = self.counts.as_ref();
        let counts = counts.map_or(Read::Missing, |counts| Read::Counts(counts));
        [counts, buckets, buckets, levels]
    }
}

fn recorded() -> impl Strategy<Value = Vec<Recorded>> {
    let arm = |most: u64| (0..most).prop_flat_map(|n| (Just(n), 0..=n));
    let counts =
        (arm(200), arm(2000)).prop_map(|((n1, k1), (n0, k0))| [Counts::new(n1, k1, n0, k0)]);
    let cumulated = || {
        (0u32..300, 0u32..200, 0u32..30).prop_map(|(fast, slow, slowest)| {
            let sums = [fast, fast + slow, fast + slow + slowest];
            sums.map(f64::from).to_vec()
        })
    };
    let values = || {
        let value = prop_oneof![9 => 0.3f64..0.9, 1 => Just(f64::NAN)];
        proptest::collection::vec(value, 4)
    };
    let look = (
        proptest::option::weighted(0.9, counts),
        proptest::option::weighted(0.9, (cumulated(), cumulated())),
        proptest::option::weighted(0.95, (values(), values())),
        proptest::bool::weighted(0.02),
        proptest::bool::weighted(0.1),
        proptest::bool::weighted(0.1),
    );
    let look = look.prop_map(|(counts, buckets, levels, limit, wide, over)| Recorded {
        counts,
        buckets,
        levels,
        limit,
        wide,
        over,
    });
    proptest::collection::vec(look, 1..60)
}

#[test]
fn a_rollout_written_with_plain_bounds_is_still_read() {
    let plain = r#"{"histogram":{"bounds":[0.1,1.0,null],"warm":[500.0,null]}}"#;
    let read: Kind = serde_json::from_str(plain).unwrap();
    let kind = Kind::Histogram {
        bounds: vec![0.1, 1.0, f64::INFINITY],
        warm: Some(vec![500.0, f64::INFINITY]),
    };
    assert_eq!(read, kind);
    let text = serde_json::to_string(&kind).unwrap();
    assert_eq!(serde_json::from_str::<Kind>(&text).unwrap(), kind);
    for (none, warm) in [("", None), (r#","warm":null"#, None)] {
        let text = format!(r#"{{"histogram":{{"bounds":[]{none}}}}}"#);
        let bounds = Vec::new();
        let read: Kind = serde_json::from_str(&text).unwrap();
        assert_eq!(read, Kind::Histogram { bounds, warm });
    }
}
