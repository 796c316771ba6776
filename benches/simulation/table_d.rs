//! D: looks until `E >= 100`.

use holdpoint::judge::count::Direction;
use holdpoint::judge::counts::Counts;
use holdpoint::judge::evidence::{CountEvidence, Regression, Settings};

use super::table_a::{first_argo, ranks};
use super::{Chance, LOOKS, Tally, percent, runs, settings};

/// Runs of each regression as a rule.
const RUNS: u64 = 1000;
/// Of how many runs the specification's medians are: it does not say, so as many.
const OTHERS: f64 = 1000.0;
const REGRESSIONS: [f64; 4] = [1.25, 1.5, 2.0, 5.0];

/// Median looks and the share that was found, in percent; 0 looks where less than half was found.
type Cell = (f64, f64);
/// A row and what the specification says of it, for each of the regressions.
struct Row {
    /// Requests of a look.
    requests: u64,
    rate: f64,
    share: f64,
    /// The count engine, the default at rho 1, the default at (1.25, 0.0002), Argo's rule of 2x.
    looks: [[Cell; 4]; 4],
    /// What Mann-Whitney finds, asked once at the end, in percent.
    ranks: [f64; 4],
    /// How often that rule is wrong in A/A, in percent.
    alarms: f64,
}

const ALL: f64 = 100.0;
const NEVER: Cell = (0.0, 0.0);

/// Everything was found, at this look.
const fn at(looks: f64) -> Cell {
    (looks, ALL)
}

const ROWS: [Row; 6] = [
    Row {
        requests: 3000,
        rate: 0.01,
        share: 0.05,
        looks: [
            [(152.0, 83.0), at(42.0), at(13.0), at(2.0)],
            [(162.0, 79.0), at(45.0), at(16.0), at(5.0)],
            [NEVER, (230.0, 53.0), at(28.0), at(6.0)],
            [(0.0, 26.0), (124.0, 94.0), at(36.0), at(16.0)],
        ],
        ranks: [30.0, ALL, ALL, ALL],
        alarms: 0.1,
    },
    Row {
        requests: 3000,
        rate: 0.01,
        share: 0.50,
        looks: [
            [at(32.0), at(10.0), at(3.0), at(1.0)],
            [at(66.0), at(36.0), at(23.0), at(13.0)],
            [NEVER, at(99.0), at(37.0), at(16.0)],
            [NEVER, NEVER, at(32.0), at(16.0)],
        ],
        ranks: [ALL; 4],
        alarms: 0.0,
    },
    Row {
        requests: 3000,
        rate: 0.001,
        share: 0.05,
        looks: [
            [(0.0, 4.0), (0.0, 28.0), (112.0, 92.0), at(12.0)],
            [(0.0, 2.0), (0.0, 18.0), (148.0, 82.0), at(15.0)],
            [NEVER, NEVER, (0.0, 6.0), at(25.0)],
            [at(84.0), at(64.0), at(44.0), at(20.0)],
        ],
        ranks: [0.0, 0.0, 0.0, 14.0],
        alarms: 94.0,
    },
    Row {
        requests: 30_000,
        rate: 0.001,
        share: 0.05,
        looks: [
            [(149.0, 82.0), at(43.0), at(13.0), at(2.0)],
            [(160.0, 78.0), at(44.0), at(16.0), at(5.0)],
            [NEVER, (0.0, 1.0), at(52.0), at(7.0)],
            [(0.0, 25.0), (120.0, 95.0), at(36.0), at(16.0)],
        ],
        ranks: [24.0, ALL, ALL, ALL],
        alarms: 0.1,
    },
    Row {
        requests: 30_000,
        rate: 0.0001,
        share: 0.05,
        looks: [
            [(0.0, 3.0), (0.0, 28.0), (109.0, 93.0), at(12.0)],
            [(0.0, 3.0), (0.0, 18.0), (148.0, 83.0), at(15.0)],
            [NEVER, NEVER, NEVER, (177.0, 72.0)],
            [at(84.0), at(64.0), at(44.0), at(20.0)],
        ],
        ranks: [0.0, 0.0, 0.0, 15.0],
        alarms: 94.0,
    },
    Row {
        requests: 30_000,
        rate: 0.001,
        share: 0.01,
        looks: [
            [(0.0, 12.0), (183.0, 66.0), at(58.0), at(6.0)],
            [(0.0, 9.0), (198.0, 61.0), at(64.0), at(8.0)],
            [NEVER, NEVER, (0.0, 49.0), at(11.0)],
            [at(76.0), at(56.0), at(36.0), at(16.0)],
        ],
        ranks: [0.0, 0.0, 0.0, ALL],
        alarms: 94.0,
    },
];

const COLUMNS: [&str; 4] = [
    "count rho 1",
    "default rho 1",
    "default (1.25, 0.0002)",
    "2x rule",
];

pub fn run(count: Option<u64>, tally: &mut Tally) {
    let count = count.unwrap_or(RUNS);
    println!(
        "D. median looks until E >= 100 (percent found in the hour), {count} runs; here (in the \
         specification, within three standard errors)"
    );
    for (number, row) in ROWS.into_iter().enumerate() {
        let Row {
            requests,
            rate,
            share,
            ..
        } = row;
        println!("{} rps, {rate}, {:.0}%", requests / 15, share * 100.0);
        let seed = number as u64 * 10 + 100;
        for (index, times) in REGRESSIONS.into_iter().enumerate() {
            let found = runs(count, seed + index as u64, |chance| {
                one(chance, &row, times)
            });
            let mut cells = Vec::new();
            for (which, name) in COLUMNS.into_iter().enumerate() {
                let column: Vec<Option<usize>> = found.iter().map(|run| run.looks[which]).collect();
                let cell = beside(&column, row.looks[which][index], tally);
                cells.push(format!("{name} {cell}"));
            }
            let hits = found.iter().filter(|run| run.ranks).count();
            let ranks = tally.beside(hits, found.len(), row.ranks[index], OTHERS);
            println!("  {times}x: {} | Mann-Whitney {ranks}", cells.join(" | "));
        }
        let equal = runs(count, seed + 9, |chance| one(chance, &row, 1.0).looks[3]);
        let hits = equal.iter().flatten().count();
        let alarms = tally.beside(hits, equal.len(), row.alarms, OTHERS);
        println!("  1x: 2x rule alarms {alarms}");
    }
}

/// What was found in one run, by column, and by Mann-Whitney at the end.
struct Run {
    looks: [Option<usize>; 4],
    ranks: bool,
}

fn one(chance: &mut Chance, row: &Row, times: f64) -> Run {
    let n1 = (row.requests as f64 * row.share).round() as u64;
    let n0 = row.requests - n1;
    let looks: Vec<Counts> = (0..LOOKS)
        .map(|_| {
            let k1 = chance.binomial(n1, times * row.rate);
            Counts::new(n1, k1, n0, chance.binomial(n0, row.rate))
        })
        .collect();
    let mut count = CountEvidence::new(settings(1.0, 0.0), Direction::Up);
    let counted = looks.iter().position(|look| {
        count.feed(&[*look], 1.0, f64::INFINITY);
        count.ln_e() >= 100f64.ln()
    });
    Run {
        looks: [
            counted.map(|at| at + 1),
            first(settings(1.0, 0.0), &looks, 100.0),
            first(settings(1.25, 0.0002), &looks, 100.0),
            first_argo(&looks, row.rate),
        ],
        ranks: ranks(&looks)[0],
    }
}

/// The first look with evidence of at least so much.
pub fn first(settings: Settings, looks: &[Counts], e: f64) -> Option<usize> {
    let mut evidence = Regression::new(settings);
    let at = looks.iter().position(|look| {
        evidence.feed(&[*look]);
        evidence.ln_e() >= e.ln()
    });
    at.map(|at| at + 1)
}

/// Looks in order, those that found nothing last, and the share that found something.
fn sorted(found: &[Option<usize>]) -> (Vec<usize>, f64) {
    let mut sorted: Vec<usize> = found.iter().map(|at| at.unwrap_or(usize::MAX)).collect();
    sorted.sort_unstable();
    (sorted, percent(found.iter().flatten().count(), found.len()))
}

fn shown(looks: f64, share: f64) -> String {
    match looks {
        0.0 => format!("- ({share:.0}%)"),
        looks if share < 99.0 => format!("{looks} ({share:.0}%)"),
        looks => looks.to_string(),
    }
}

/// The median over all runs and the share that found something.
pub fn cell(found: &[Option<usize>]) -> String {
    let (sorted, share) = sorted(found);
    let median = sorted[sorted.len() / 2];
    let looks = if median == usize::MAX {
        0.0
    } else {
        median as f64
    };
    shown(looks, share)
}

/// The same beside the specification's.
fn beside(found: &[Option<usize>], should: Cell, tally: &mut Tally) -> String {
    let (looks, percent) = should;
    let (sorted, share) = sorted(found);
    // three standard errors of a median: its ranks there and back, as looks of this sample
    let n = sorted.len() as f64;
    let off = (3.0 * (0.25 * n).sqrt() * (1.0 + n / OTHERS).sqrt()).ceil() as usize;
    let rank = |at: usize| sorted[at.min(sorted.len() - 1)];
    let (low, high) = (
        rank((sorted.len() / 2).saturating_sub(off)),
        rank(sorted.len() / 2 + off),
    );
    let near = match looks {
        0.0 => high == usize::MAX,
        looks => low as f64 <= looks + 1.0 && high as f64 >= looks - 1.0,
    };
    let p = (percent / 100.0).clamp(0.5 / n, 1.0 - 0.5 / n);
    let error = 100.0 * (p * (1.0 - p) * (1.0 / n + 1.0 / OTHERS)).sqrt();
    // shares are given in whole percent, and those above 99 as all
    let bar = 3.0 * error + 1.0;
    let word = tally.word(near && (share - percent).abs() <= bar);
    let end = |at: usize| match at {
        usize::MAX => "-".to_owned(),
        at => at.to_string(),
    };
    let stated = shown(looks, percent);
    let range = match (end(low), end(high)) {
        (low, high) if low == "-" && high == "-" => format!("±{bar:.0}%"),
        (low, high) => format!("{low}..{high} ±{bar:.0}%"),
    };
    format!("{} [{stated}, {range} {word}]", cell(found))
}
