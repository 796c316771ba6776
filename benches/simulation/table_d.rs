//! D: looks until `E >= 100`.

use holdpoint::judge::count::Direction;
use holdpoint::judge::counts::Counts;
use holdpoint::judge::evidence::{CountEvidence, Regression, Settings};

use super::table_a::first_argo;
use super::{Chance, LOOKS, runs, settings};

const RUNS: u64 = 1000;
const REGRESSIONS: [f64; 4] = [1.25, 1.5, 2.0, 5.0];
/// The share of runs of which the specification's medians are: unknown, taken as ours.
const OTHERS: f64 = 1000.0;

/// Median looks and, where given, the share that was found; 0 looks for none.
type Cell = (f64, f64);
/// Requests of a look, rate, canary's share, then the default at rho 1 and at (1.25, 0.0002).
type Row = (u64, f64, f64, [Cell; 4], [Cell; 4]);
const ALL: f64 = 100.0;
const ROWS: [Row; 6] = [
    (
        3000,
        0.01,
        0.05,
        [(162.0, 79.0), (45.0, ALL), (16.0, ALL), (5.0, ALL)],
        [(0.0, 0.0), (230.0, 53.0), (28.0, ALL), (6.0, ALL)],
    ),
    (
        3000,
        0.01,
        0.50,
        [(66.0, ALL), (36.0, ALL), (23.0, ALL), (13.0, ALL)],
        [(0.0, 0.0), (99.0, ALL), (37.0, ALL), (16.0, ALL)],
    ),
    (
        3000,
        0.001,
        0.05,
        [(0.0, 2.0), (0.0, 18.0), (148.0, 82.0), (15.0, ALL)],
        [(0.0, 0.0), (0.0, 0.0), (0.0, 6.0), (25.0, ALL)],
    ),
    (
        30_000,
        0.001,
        0.05,
        [(160.0, 78.0), (44.0, ALL), (16.0, ALL), (5.0, ALL)],
        [(0.0, 0.0), (0.0, 1.0), (52.0, ALL), (7.0, ALL)],
    ),
    (
        30_000,
        0.0001,
        0.05,
        [(0.0, 3.0), (0.0, 18.0), (148.0, 83.0), (15.0, ALL)],
        [(0.0, 0.0), (0.0, 0.0), (0.0, 0.0), (177.0, 72.0)],
    ),
    (
        30_000,
        0.001,
        0.01,
        [(0.0, 9.0), (198.0, 61.0), (64.0, ALL), (8.0, ALL)],
        [(0.0, 0.0), (0.0, 0.0), (0.0, 49.0), (11.0, ALL)],
    ),
];

pub fn run() {
    println!(
        "D. median looks until E >= 100 (percent found in the hour), here / in the specification, {RUNS} runs"
    );
    for (number, (requests, rate, share, equal, allowed)) in ROWS.into_iter().enumerate() {
        println!("{} rps, {rate}, {:.0}%", requests / 15, share * 100.0);
        for (index, regression) in REGRESSIONS.into_iter().enumerate() {
            let seed = (number * 10 + index + 100) as u64;
            let found = runs(RUNS, seed, |chance| {
                one(chance, requests, rate, share, regression)
            });
            let column = |which: usize| -> Vec<Option<usize>> {
                found.iter().map(|run| run[which]).collect()
            };
            println!(
                "  {regression}x: default rho 1 {} | default {} | count {} | 2x rule {}",
                cell(&column(0), Some(equal[index])),
                cell(&column(1), Some(allowed[index])),
                cell(&column(2), None),
                cell(&column(3), None),
            );
        }
    }
}

fn one(
    chance: &mut Chance,
    requests: u64,
    rate: f64,
    share: f64,
    times: f64,
) -> [Option<usize>; 4] {
    let n1 = (requests as f64 * share).round() as u64;
    let n0 = requests - n1;
    let looks: Vec<Counts> = (0..LOOKS)
        .map(|_| {
            let k1 = chance.binomial(n1, times * rate);
            Counts::new(n1, k1, n0, chance.binomial(n0, rate))
        })
        .collect();
    let mut count = CountEvidence::new(settings(1.0, 0.0), Direction::Up);
    let counted = looks.iter().position(|look| {
        count.feed(&[*look], 1.0, f64::INFINITY);
        count.ln_e() >= 100f64.ln()
    });
    [
        first(settings(1.0, 0.0), &looks),
        first(settings(1.25, 0.0002), &looks),
        counted.map(|at| at + 1),
        first_argo(&looks, rate),
    ]
}

fn first(settings: Settings, looks: &[Counts]) -> Option<usize> {
    let mut evidence = Regression::new(settings);
    let at = looks.iter().position(|look| {
        evidence.feed(&[*look]);
        evidence.ln_e() >= 100f64.ln()
    });
    at.map(|at| at + 1)
}

/// The median over all runs, those that found nothing last, and the share that found something.
fn cell(found: &[Option<usize>], should: Option<Cell>) -> String {
    let mut sorted: Vec<usize> = found.iter().map(|at| at.unwrap_or(usize::MAX)).collect();
    sorted.sort_unstable();
    let count = found.iter().flatten().count();
    let share = 100.0 * count as f64 / found.len() as f64;
    let median = sorted[sorted.len() / 2];
    let is = match median {
        usize::MAX => format!("- ({share:.0}%)"),
        looks if share < 99.0 => format!("{looks} ({share:.0}%)"),
        looks => looks.to_string(),
    };
    let Some((looks, percent)) = should else {
        return is;
    };
    // three standard errors of a median: its ranks there and back, as looks of this sample
    let n = sorted.len() as f64;
    let off = (3.0 * (0.25 * n).sqrt() * (1.0 + n / OTHERS).sqrt()).ceil() as usize;
    let rank = |at: usize| sorted[at.min(sorted.len() - 1)];
    let (low, high) = (
        rank((sorted.len() / 2).saturating_sub(off)),
        rank(sorted.len() / 2 + off),
    );
    let near = if looks == 0.0 {
        high == usize::MAX
    } else {
        low as f64 <= looks + 1.0 && high as f64 >= looks - 1.0
    };
    let p = (percent / 100.0).clamp(0.5 / n, 1.0 - 0.5 / n);
    let error = 100.0 * (p * (1.0 - p) * (1.0 / n + 1.0 / OTHERS)).sqrt();
    // figures above 99 are given as all
    let shared = (share - percent).abs() <= 3.0 * error + 1.0;
    let mark = if near && shared { "" } else { " (!)" };
    let stated = match (looks == 0.0, percent < 99.0) {
        (true, _) => format!("- ({percent}%)"),
        (false, true) => format!("{looks} ({percent}%)"),
        (false, false) => format!("{looks}"),
    };
    format!("{is} / {stated}{mark}")
}
