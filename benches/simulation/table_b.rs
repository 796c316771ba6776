//! B: stress: bursts, waves, late scrapes, and what lies outside the assumptions.

use holdpoint::judge::counts::{Counts, Tolerance};
use holdpoint::judge::evidence::Settings;

use super::{Chance, LOOKS, Tally, peaks, runs, settings};

/// Runs of each row as a rule; the specification had 6000.
const RUNS: u64 = 4000;
const OTHERS: f64 = 6000.0;
const REQUESTS: f64 = 3000.0;

/// How bad requests come.
#[derive(Clone, Copy)]
pub enum Bursts {
    /// Each for itself.
    Single,
    /// One to four together.
    Few,
    /// Geometric, 2.5 on average.
    Geometric,
    /// One event in a hundred is a burst of 50.
    Fifty,
    /// Each for itself, and on top of them bursts of 500: one in 120 000 requests, so three in the
    /// canary in a whole run. The specification says neither how rare these bursts are nor whether the
    /// 0.5 % of the other rows are the single ones alone. Three in a run follow from its 94.8 % (its
    /// count engine is alarmed by the first one in the canary: 1 - e^-3 = 95 %). As single ones, 0.5 %
    /// reproduce all ten of its figures; 0.1 % or 0.2 % of them give the default engine 3.6 % or 2.9 % at
    /// equal shares instead of its 2.12 %. Bursts and single ones of 0.5 % together, one event in a
    /// hundred a burst, are 0.12 % of single ones and do not reproduce it either.
    Rare,
}

impl Bursts {
    fn mean(self) -> f64 {
        match self {
            Bursts::Single | Bursts::Rare => 1.0,
            Bursts::Few | Bursts::Geometric => 2.5,
            Bursts::Fifty => 0.99 + 0.5,
        }
    }

    fn size(self, chance: &mut Chance) -> u64 {
        match self {
            Bursts::Few => 1 + (chance.even() * 4.0) as u64,
            Bursts::Geometric => chance.geometric(2.5),
            Bursts::Fifty if chance.even() < 0.01 => 50,
            Bursts::Single | Bursts::Fifty | Bursts::Rare => 1,
        }
    }

    /// Bad requests among `n`, whole bursts, no more than there are.
    pub fn bad(self, chance: &mut Chance, n: f64, p: f64) -> f64 {
        let count = chance.poisson(n * p / self.mean());
        let mut sum: u64 = (0..count).map(|_| self.size(chance)).sum();
        if matches!(self, Bursts::Rare) {
            sum += 500 * chance.poisson(n / 120_000.0);
        }
        (sum as f64).min(n)
    }
}

/// The specification's figures: default 5 % and 1 %, count 5 % and 1 %, z-test; NaN for none.
type Should = [f64; 5];
const NONE: f64 = f64::NAN;

/// Draws the looks of one run.
type Draw<'a> = dyn Fn(&mut Chance) -> Vec<Counts> + Sync + 'a;

/// A row: its name, what it is judged against, the specification's figures, and its looks.
struct Row<'a> {
    name: String,
    settings: Settings,
    should: Should,
    looks: Box<Draw<'a>>,
}

impl<'a> Row<'a> {
    fn new(
        name: impl Into<String>,
        settings: Settings,
        should: Should,
        looks: impl Fn(&mut Chance) -> Vec<Counts> + Sync + 'a,
    ) -> Row<'a> {
        Row {
            name: name.into(),
            settings,
            should,
            looks: Box::new(looks),
        }
    }
}

pub fn run(count: Option<u64>, tally: &mut Tally) {
    let count = count.unwrap_or(RUNS);
    println!(
        "B. stress, {count} runs; percent here (in the specification ± three standard errors)"
    );
    println!("default 5 % | 1 % | count 5 % | 1 % | z-test 5 %");
    for row in incidents().into_iter().chain(bursts()).chain(outside()) {
        show(&row, count, tally);
    }
}

/// Common incidents, and large fractions.
fn incidents() -> Vec<Row<'static>> {
    let mut rows = vec![
        Row::new(
            "waves, 40x incident, steps",
            settings(1.0, 0.0),
            [1.85, 0.30, 1.55, 0.20, 100.0],
            |chance| Wave::new(chance).looks(chance, 1.0, 0.0),
        ),
        Row::new(
            "the same at the boundary of (1.25, 0.0002)",
            settings(1.25, 0.0002),
            [1.07, 0.08, 1.25, 0.33, NONE],
            |chance| Wave::new(chance).looks(chance, 1.25, 0.0002),
        ),
        Row::new(
            "the same rates, 5%, canary scraped half a look late",
            settings(1.0, 0.0),
            [2.80, 0.62, 17.0, 10.4, 38.8],
            |chance| Wave::new(chance).scraped_late(chance),
        ),
    ];
    for (p0, should) in [
        (0.5, [0.0, 0.0, 0.45, 0.10, NONE]),
        (0.1, [0.58, 0.02, 1.18, 0.17, NONE]),
    ] {
        let odds = Settings {
            tolerance: Tolerance::Odds(1.25),
            ..settings(1.25, 0.0)
        };
        let p1 = 1.25 * p0 / (1.0 - p0 + 1.25 * p0);
        let name = format!("latency fraction {p0} at odds 1.25");
        rows.push(Row::new(name, odds, should, move |chance| {
            (0..LOOKS).map(|_| flat(chance, 0.05, p1, p0)).collect()
        }));
    }
    rows
}

/// Bad requests that come together.
fn bursts() -> Vec<Row<'static>> {
    let mut rows = Vec::new();
    for (name, bursts, at_5, at_50) in [
        (
            "bursts 1-4",
            Bursts::Few,
            [1.72, 0.37, 86.3, 69.8, 66.8],
            [2.28, 0.45, 93.3, 80.6, 71.5],
        ),
        (
            "bursts geometric 2.5",
            Bursts::Geometric,
            [1.65, 0.22, 97.9, 94.6, 69.2],
            [2.05, 0.45, 99.4, 96.1, 76.6],
        ),
        (
            "1 % bursts of 50",
            Bursts::Fifty,
            [1.67, 0.25, 70.3, 70.2, 62.4],
            [1.93, 0.37, 100.0, 100.0, 81.2],
        ),
        (
            "rare bursts of 500, canary 1500/look",
            Bursts::Rare,
            [1.52, 0.32, 94.8, 94.8, 76.4],
            [2.12, 0.40, 94.8, 94.8, 76.1],
        ),
    ] {
        for (share, should) in [(0.05, at_5), (0.5, at_50)] {
            let name = format!("{name}, {:.0}%", share * 100.0);
            rows.push(Row::new(name, settings(1.0, 0.0), should, move |chance| {
                // three bursts of 500 in a run need a canary of 1500 requests a look
                let all = match bursts {
                    Bursts::Rare => 1500.0 / share,
                    _ => REQUESTS,
                };
                let look = |_| burst(chance, bursts, all, share, 0.005, 0.005);
                (0..LOOKS).map(look).collect()
            }));
        }
    }
    rows
}

/// What the guarantee does not cover: arms that wander on their own.
fn outside() -> Vec<Row<'static>> {
    let rows = [
        (0.0, 1.0, [5.30, 1.28, 3.72, 0.93, 44.2]),
        (0.0, 1.25, [0.33, 0.05, 0.55, 0.20, NONE]),
        (0.9, 1.0, [33.8, 20.1, 35.1, 22.1, 58.8]),
        (0.9, 1.25, [9.23, 3.95, 10.3, 5.25, NONE]),
    ];
    let row = |(memory, rho, should): (f64, f64, Should)| {
        let name = format!("OUTSIDE: whole-arm noise sd 30 %, AR {memory}, rho {rho}");
        Row::new(name, settings(rho, 0.0), should, move |chance| {
            noise(chance, memory)
        })
    };
    rows.into_iter().map(row).collect()
}

fn show(row: &Row<'_>, count: u64, tally: &mut Tally) {
    let seed = row.name.bytes().fold(7u64, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(u64::from(byte))
    });
    let found = runs(count, seed, |chance| {
        peaks(row.settings, (row.looks)(chance).into_iter())
    });
    let (five, one) = (20f64.ln(), 100f64.ln());
    let hits = [
        found.iter().filter(|run| run.usual >= five).count(),
        found.iter().filter(|run| run.usual >= one).count(),
        found.iter().filter(|run| run.count >= five).count(),
        found.iter().filter(|run| run.count >= one).count(),
        found.iter().filter(|run| run.z).count(),
    ];
    let cells = hits
        .iter()
        .zip(row.should)
        .filter(|(_, should)| !should.is_nan());
    let cells: Vec<String> = cells
        .map(|(hits, should)| tally.beside(*hits, found.len(), should, OTHERS))
        .collect();
    println!("{}: {}", row.name, cells.join(" | "));
}

fn flat(chance: &mut Chance, share: f64, p1: f64, p0: f64) -> Counts {
    let n1 = (REQUESTS * share).round() as u64;
    let n0 = REQUESTS as u64 - n1;
    Counts::new(n1, chance.binomial(n1, p1), n0, chance.binomial(n0, p0))
}

/// A wave in traffic and rate, and an incident of 40x in both arms. How the specification's look is
/// not stated; the rate is the one at which a canary scraped late is as wrong as it says (how much the
/// ends of the incident weigh).
struct Wave {
    phase: f64,
    incident: usize,
}

impl Wave {
    fn new(chance: &mut Chance) -> Wave {
        Wave {
            phase: chance.even() * std::f64::consts::TAU,
            incident: 60 + (chance.even() * 120.0) as usize,
        }
    }

    /// Requests to both arms, and the baseline's bad fraction.
    fn at(&self, look: usize) -> (f64, f64) {
        let wave = (self.phase + look as f64 / LOOKS as f64 * std::f64::consts::TAU).sin();
        let storm = match (self.incident..self.incident + 20).contains(&look) {
            true => 40.0,
            false => 1.0,
        };
        (
            REQUESTS * (1.0 + 0.5 * wave),
            0.0013 * (1.0 - 0.5 * wave) * storm,
        )
    }

    /// Traffic steps of 1, 5, 25 and 50 %.
    fn looks(&self, chance: &mut Chance, rho: f64, delta: f64) -> Vec<Counts> {
        let look = |t: usize| {
            let (all, p0) = self.at(t);
            let n1 = (all * [0.01, 0.05, 0.25, 0.5][t * 4 / LOOKS]).round();
            let n0 = (all - n1).round();
            // at the odds ratio where rates are large
            let p1 = rho * p0 / (1.0 - p0 + rho * p0) + delta;
            let k1 = chance.binomial(n1 as u64, p1);
            Counts::new(n1 as u64, k1, n0 as u64, chance.binomial(n0 as u64, p0))
        };
        (0..LOOKS).map(look).collect()
    }

    /// 5 %, and what counts as the canary's look is from half a look before the baseline's.
    fn scraped_late(&self, chance: &mut Chance) -> Vec<Counts> {
        let look = |t: usize| {
            let (all, p0) = self.at(t);
            let n0 = (all * 0.95).round() as u64;
            let (mut n1, mut k1) = (0, 0);
            for half in [t.saturating_sub(1), t] {
                let (all, p1) = self.at(half);
                let n = (all * 0.025).round() as u64;
                n1 += n;
                k1 += chance.binomial(n, p1);
            }
            Counts::new(n1, k1, n0, chance.binomial(n0, p0))
        };
        (0..LOOKS).map(look).collect()
    }
}

/// A look whose bad requests come in bursts, with these fractions in the canary and the baseline.
pub fn burst(
    chance: &mut Chance,
    bursts: Bursts,
    all: f64,
    share: f64,
    p1: f64,
    p0: f64,
) -> Counts {
    let n1 = (all * share).round();
    let n0 = (all - n1).round();
    Counts {
        n1,
        k1: bursts.bad(chance, n1, p1),
        n0,
        k0: bursts.bad(chance, n0, p0),
    }
}

/// Both arms' rates wander, each for itself: `0.005 * exp(sd g - sd^2/2)` with sd 0.3, so log-normal
/// with the mean 0.005, and `g` a stationary AR(1) of variance 1, `g_t = a g_{t-1} + sqrt(1-a^2) z_t`.
///
/// The specification says only "whole-arm noise sd 30 %, AR a". Of the readings that were tried, this
/// one reproduces all 18 figures: with 20 000 runs the largest distance is 1.5 standard errors, the sum
/// of their squares 9.8. A walk begun at `g = 0` (sum 39), and a spread of 30 % of the rate itself
/// (sd 0.2936, sum 37), are a little below at AR 0.9. Far off are noise in the canary alone (14.5 %
/// instead of 33.8 % at AR 0.9) and a normal cut at 0 or at a fifth in both arms (8 % instead of 5.30 %
/// at AR 0, 14 to 16 % instead of 9.23 % at AR 0.9 and rho 1.25).
fn noise(chance: &mut Chance, memory: f64) -> Vec<Counts> {
    let sd = 0.3f64;
    let mut levels = [chance.normal(), chance.normal()];
    let look = |_| {
        let rates = levels.each_mut().map(|level| {
            *level = memory * *level + (1.0 - memory * memory).sqrt() * chance.normal();
            0.005 * (sd * *level - sd * sd / 2.0).exp()
        });
        flat(chance, 0.05, rates[0], rates[1])
    };
    (0..LOOKS).map(look).collect()
}
