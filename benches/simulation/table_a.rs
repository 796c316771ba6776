//! A: false alarms under continuous peeking.

use holdpoint::judge::count::Direction;
use holdpoint::judge::counts::{Counts, Tolerance};
use holdpoint::judge::evidence::{CountEvidence, Settings};
use holdpoint::judge::kayenta::rank::Ranked;
use holdpoint::judge::mixture::Stakes;
use holdpoint::judge::promote::MARGIN;

use super::{Chance, LOOKS, Tally, peaks, runs, settings};

/// Runs of each row as a rule; the specification had 10 000.
const RUNS: u64 = 4000;
const OTHERS: f64 = 10_000.0;
/// So many of them are judged by Mann-Whitney too; as many as the specification had.
const RANKED: u64 = 300;
/// Requests of a look.
const REQUESTS: u64 = 3000;

/// A row: rate, canary's share, and the specification's figures: default at rho 1 (5 %, 1 %), default
/// at the edge (5 %), count (5 %), promotion at its edge (5 %), z-test, Argo's rule of 2x; then
/// Mann-Whitney at every fourth look: increase at 98 %, either way at 98 % and at 95 %.
type Row = (f64, f64, [f64; 7], [f64; 3]);
const ROWS: [Row; 12] = [
    (
        0.0001,
        0.50,
        [1.83, 0.42, 0.00, 1.78, 2.71, 28.9, 94.6],
        [0.33, 0.67, 0.00],
    ),
    (
        0.0001,
        0.05,
        [1.23, 0.14, 0.13, 1.03, 3.15, 32.4, 45.8],
        [0.00, 0.33, 1.00],
    ),
    (
        0.0001,
        0.01,
        [0.83, 0.15, 0.11, 0.70, 2.16, 25.5, 0.63],
        [0.00, 0.33, 0.33],
    ),
    (
        0.001,
        0.50,
        [2.56, 0.52, 0.49, 2.07, 2.18, 36.6, 0.17],
        [0.33, 0.67, 1.33],
    ),
    (
        0.001,
        0.05,
        [1.63, 0.36, 1.01, 1.54, 3.56, 40.0, 94.5],
        [0.00, 100.0, 100.0],
    ),
    (
        0.001,
        0.01,
        [1.05, 0.13, 0.69, 1.29, 3.00, 37.0, 92.3],
        [0.00, 100.0, 100.0],
    ),
    (
        0.01,
        0.50,
        [1.12, 0.09, 0.32, 1.38, 1.33, 36.0, 0.00],
        [1.33, 2.00, 9.33],
    ),
    (
        0.01,
        0.05,
        [1.54, 0.26, 1.80, 1.25, 2.93, 37.4, 0.12],
        [1.00, 49.0, 72.7],
    ),
    (
        0.01,
        0.01,
        [1.41, 0.17, 1.16, 1.20, 3.36, 38.6, 93.5],
        [0.00, 100.0, 100.0],
    ),
    (
        0.1,
        0.50,
        [0.00, 0.00, 0.00, 0.88, 0.60, 35.8, 0.00],
        [1.00, 1.67, 10.3],
    ),
    (
        0.1,
        0.05,
        [0.73, 0.09, 0.00, 0.98, 1.25, 36.9, 0.00],
        [1.67, 6.00, 18.7],
    ),
    (
        0.1,
        0.01,
        [0.90, 0.16, 0.33, 1.29, 2.53, 36.7, 0.00],
        [0.33, 6.67, 20.0],
    ),
];

struct Run {
    equal: super::Peaks,
    edge: f64,
    promoted: bool,
    argo: bool,
}

pub fn run(count: Option<u64>, tally: &mut Tally) {
    let count = count.unwrap_or(RUNS);
    println!(
        "A. false alarms in A/A, {count} runs of {LOOKS} looks; percent here (in the specification ± three \
         standard errors)"
    );
    println!(
        "rate canary: default 5 % | 1 % | at the edge 5 % | count 5 % | promotion at its margin 5 % | \
         z-test 5 % | 2x rule, limit 3 | Mann-Whitney 98 increase | 98 either | 95 either"
    );
    for (number, (rate, share, should, ranked)) in ROWS.into_iter().enumerate() {
        let seed = number as u64 + 1;
        let found = runs(count, seed, |chance| one(chance, rate, share));
        let by_ranks = runs(count.min(RANKED), seed + 50, |chance| {
            let looks: Vec<Counts> = (0..LOOKS)
                .map(|_| arms(chance, share, rate, rate))
                .collect();
            peeked_ranks(&looks)
        });
        let hits: [&dyn Fn(&Run) -> bool; 7] = [
            &|run| run.equal.usual >= 20f64.ln(),
            &|run| run.equal.usual >= 100f64.ln(),
            &|run| run.edge >= 20f64.ln(),
            &|run| run.equal.count >= 20f64.ln(),
            &|run| run.promoted,
            &|run| run.equal.z,
            &|run| run.argo,
        ];
        let mut cells: Vec<String> = Vec::new();
        for (hit, should) in hits.iter().zip(should) {
            let hits = found.iter().filter(|run| hit(run)).count();
            cells.push(tally.beside(hits, found.len(), should, OTHERS));
        }
        for (which, should) in ranked.into_iter().enumerate() {
            let hits = by_ranks.iter().filter(|run| run[which]).count();
            cells.push(tally.beside(hits, by_ranks.len(), should, RANKED as f64));
        }
        println!("{rate} {:.0}%: {}", share * 100.0, cells.join(" | "));
    }
}

fn arms(chance: &mut Chance, share: f64, p1: f64, p0: f64) -> Counts {
    let n1 = (REQUESTS as f64 * share).round() as u64;
    let n0 = REQUESTS - n1;
    Counts::new(n1, chance.binomial(n1, p1), n0, chance.binomial(n0, p0))
}

fn one(chance: &mut Chance, rate: f64, share: f64) -> Run {
    let equal: Vec<Counts> = (0..LOOKS)
        .map(|_| arms(chance, share, rate, rate))
        .collect();
    // at the odds ratio, which is less than the ratio where the rate is large
    let beyond = |odds: f64, extra: f64| odds * rate / (1.0 - rate + odds * rate) + extra;
    let edge = (0..LOOKS).map(|_| arms(chance, share, beyond(1.25, 0.0002), rate));
    let edge: Vec<Counts> = edge.collect();
    // for requests on their own, as the specification's column has it; clusters of 3 show none
    let at_once = Settings {
        tolerance: Tolerance::Line(MARGIN),
        stakes: Stakes::at_once(),
        ..Settings::default()
    };
    let mut proof = CountEvidence::new(at_once, Direction::Down);
    let mut promoted = false;
    for _ in 0..LOOKS {
        let look = arms(chance, share, MARGIN.rho * rate + MARGIN.delta, rate);
        proof.feed(&[look], 1.0, f64::INFINITY);
        promoted |= proof.ln_e() >= 20f64.ln();
    }
    Run {
        argo: first_argo(&equal, rate).is_some(),
        equal: peaks(settings(1.0, 0.0), equal.into_iter()),
        edge: peaks(settings(1.25, 0.0002), edge.into_iter()).usual,
        promoted,
    }
}

/// The look at which this rule fails, if it does: "the canary's rate of the last minute is above twice
/// the usual one", measured every minute, may hold three times.
pub fn first_argo(looks: &[Counts], rate: f64) -> Option<usize> {
    let mut failed = 0;
    for (minute, four) in looks.chunks(4).enumerate() {
        let sum = four
            .iter()
            .fold(Counts::default(), |sum, look| sum.plus(*look));
        if sum.k1 / sum.n1 > 2.0 * rate {
            failed += 1;
        }
        if failed > 3 {
            return Some((minute + 1) * 4);
        }
    }
    None
}

/// Whether Mann-Whitney on error percentages is beyond its bound at any fourth look: an increase at
/// 98 %, either way at 98 % and at 95 %. In the rows 0.0001 at 5 % and 1 % and 0.001
/// at 50 %, where most values are 0, these are not the figures of the specification; which detail of it
/// differs is not known.
fn peeked_ranks(looks: &[Counts]) -> [bool; 3] {
    let peeks = (4..=looks.len()).step_by(4);
    let each = peeks.map(|end| ranks(&looks[..end]));
    each.fold([false; 3], |seen, now| {
        [0, 1, 2].map(|which| seen[which] || now[which])
    })
}

/// The same, once at the end.
pub fn ranks(looks: &[Counts]) -> [bool; 3] {
    let percent = |k: f64, n: f64| 100.0 * k / n;
    let x: Vec<f64> = looks.iter().map(|look| percent(look.k1, look.n1)).collect();
    let y: Vec<f64> = looks.iter().map(|look| percent(look.k0, look.n0)).collect();
    let ranked = Ranked::new(&x, &y);
    let beyond = |confidence: f64| {
        let shift = ranked.shift(confidence);
        shift.map_or((false, false), |shift| {
            let bound = 0.25 * shift.estimate.abs();
            (shift.lower > bound, shift.upper < -bound)
        })
    };
    let ((high, low), (high_95, low_95)) = (beyond(0.98), beyond(0.95));
    [high, high || low, high_95 || low_95]
}
