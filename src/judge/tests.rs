//! What must hold of the evidence whatever is fed: validity by counting all outcomes, and that neither
//! the cut into scrapes nor a restart changes it.

use proptest::prelude::*;

use super::count::{self, Direction};
use super::counts::{Counts, Line, Tolerance};
use super::evidence::{Regression, Settings};
use super::mixture::{DOWN, Stakes, UP, VOTE};
use super::promote::{MARGIN, Promotion};
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

#[test]
fn the_expected_evidence_of_a_short_rollout_is_at_most_1() {
    // every outcome of three looks, restarts and the fast lane included
    let (n1, n0, p) = (2u32, 3u32, 0.3);
    let settings = Settings {
        tolerance: Tolerance::Line(Line {
            rho: 1.0,
            delta: 0.0,
        }),
        stakes: Stakes::new(3, 0.5),
        ..Settings::default()
    };
    fn walk(process: Regression, left: u32, shape: (u32, u32, f64)) -> f64 {
        if left == 0 {
            return process.ln_e().exp();
        }
        expected(shape.0, shape.2, shape.1, shape.2, |look| {
            let mut next = process;
            next.feed(&[look]);
            walk(next, left - 1, shape).ln()
        })
    }
    let e = walk(Regression::new(settings), 3, (n1, n0, p));
    assert!(e <= 1.0 + 1e-12, "{e}");
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

    /// A look is the sum of its scrapes, however it was cut into them.
    #[test]
    fn scrapes_may_be_cut_anyhow(looks in looks(), cut in 0.0f64..1.0) {
        let mut whole = Regression::new(Settings::default());
        let mut pieces = whole;
        for look in looks {
            let part = |n: f64, k: f64| {
                let few = (n * cut).floor();
                (few, k.min(few))
            };
            let ((n1, k1), (n0, k0)) = (part(look.n1, look.k1), part(look.n0, look.k0));
            let first = Counts { n1, k1, n0, k0 };
            let second = Counts {
                n1: look.n1 - n1,
                k1: look.k1 - k1,
                n0: look.n0 - n0,
                k0: look.k0 - k0,
            };
            whole.feed(&[look]);
            pieces.feed(&[first.plus(second)]);
            prop_assert_eq!(whole.ln_e().to_bits(), pieces.ln_e().to_bits());
        }
    }

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
