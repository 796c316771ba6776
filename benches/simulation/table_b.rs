//! B: stress: bursts, waves, late scrapes, and what lies outside the assumptions.

use holdpoint::judge::counts::{Counts, Tolerance};
use holdpoint::judge::evidence::Settings;

use super::{Chance, LOOKS, beside, peaks, runs, settings};

const RUNS: u64 = 4000;
const OTHERS: f64 = 6000.0;
const REQUESTS: f64 = 3000.0;

/// How bad requests come.
#[derive(Clone, Copy)]
enum Bursts {
    /// One to four together.
    Few,
    /// Geometric, 2.5 on average.
    Geometric,
    /// One in a hundred is a burst of 50.
    Fifty,
    /// One in a hundred is a burst of 500: three in the canary in a whole run.
    Rare,
}

impl Bursts {
    fn mean(self) -> f64 {
        match self {
            Bursts::Few | Bursts::Geometric => 2.5,
            Bursts::Fifty => 0.99 + 0.5,
            Bursts::Rare => 0.99 + 5.0,
        }
    }

    fn size(self, chance: &mut Chance) -> u64 {
        match self {
            Bursts::Few => 1 + (chance.even() * 4.0) as u64,
            Bursts::Geometric => chance.geometric(2.5),
            Bursts::Fifty if chance.even() < 0.01 => 50,
            Bursts::Rare if chance.even() < 0.01 => 500,
            Bursts::Fifty | Bursts::Rare => 1,
        }
    }

    /// Bad requests among `n`, whole bursts, no more than there are.
    fn bad(self, chance: &mut Chance, n: f64, p: f64) -> f64 {
        let count = chance.poisson(n * p / self.mean());
        let sum: u64 = (0..count).map(|_| self.size(chance)).sum();
        (sum as f64).min(n)
    }
}

/// The specification's figures: default 5 % and 1 %, count 5 % and 1 %, z-test; NaN for none.
type Should = [f64; 5];
const NONE: f64 = f64::NAN;

pub fn run() {
    println!("B. stress, {RUNS} runs; percent, here / in the specification");
    println!("default 5 % | 1 % | count 5 % | 1 % | z-test 5 %");
    let wave = |chance: &mut Chance, line: (f64, f64)| waves(chance, line.0, line.1);
    show(
        "waves, 40x incident, steps",
        settings(1.0, 0.0),
        [1.85, 0.30, 1.55, 0.20, 100.0],
        |chance| wave(chance, (1.0, 0.0)),
    );
    show(
        "the same at the boundary",
        settings(1.25, 0.0002),
        [1.07, 0.08, 1.25, 0.33, NONE],
        |chance| wave(chance, (1.25, 0.0002)),
    );
    for (p0, should) in [
        (0.5, [0.0, 0.0, 0.45, 0.10, NONE]),
        (0.1, [0.58, 0.02, 1.18, 0.17, NONE]),
    ] {
        let odds = Settings {
            tolerance: Tolerance::Odds(1.25),
            ..settings(1.25, 0.0)
        };
        let p1 = 1.25 * p0 / (1.0 - p0 + 1.25 * p0);
        show(
            &format!("latency fraction {p0} at odds 1.25"),
            odds,
            should,
            move |chance| (0..LOOKS).map(|_| flat(chance, 0.05, p1, p0)).collect(),
        );
    }
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
            "rare bursts of 500",
            Bursts::Rare,
            [1.52, 0.32, 94.8, 94.8, 76.4],
            [2.12, 0.40, 94.8, 94.8, 76.1],
        ),
    ] {
        for (share, should) in [(0.05, at_5), (0.5, at_50)] {
            let name = format!("{name}, {:.0}%", share * 100.0);
            show(&name, settings(1.0, 0.0), should, |chance| {
                burst(chance, bursts, share)
            });
        }
    }
    for (memory, rho, should) in [
        (0.0, 1.0, [5.30, 1.28, 3.72, 0.93, 44.2]),
        (0.0, 1.25, [0.33, 0.05, 0.55, 0.20, NONE]),
        (0.9, 1.0, [33.8, 20.1, 35.1, 22.1, 58.8]),
        (0.9, 1.25, [9.23, 3.95, 10.3, 5.25, NONE]),
    ] {
        let name = format!("OUTSIDE: whole-arm noise 30 %, AR {memory}, rho {rho}");
        show(&name, settings(rho, 0.0), should, |chance| {
            noise(chance, memory)
        });
    }
}

fn show(
    name: &str,
    settings: Settings,
    should: Should,
    looks: impl Fn(&mut Chance) -> Vec<Counts> + Sync,
) {
    let seed = name.bytes().fold(7u64, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(u64::from(byte))
    });
    let found = runs(RUNS, seed, |chance| {
        peaks(settings, looks(chance).into_iter())
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
        .zip(should)
        .filter(|(_, should)| !should.is_nan());
    let cells: Vec<String> = cells
        .map(|(hits, should)| beside(*hits, found.len(), should, OTHERS))
        .collect();
    println!("{name}: {}", cells.join(" | "));
}

fn flat(chance: &mut Chance, share: f64, p1: f64, p0: f64) -> Counts {
    let n1 = (REQUESTS * share).round() as u64;
    let n0 = REQUESTS as u64 - n1;
    Counts::new(n1, chance.binomial(n1, p1), n0, chance.binomial(n0, p0))
}

/// A daily wave in traffic and rate, an incident of 40x in both arms, traffic steps of 1, 5, 25, 50 %.
fn waves(chance: &mut Chance, rho: f64, delta: f64) -> Vec<Counts> {
    let phase = chance.even() * std::f64::consts::TAU;
    let incident = 60 + (chance.even() * 120.0) as usize;
    let look = |t: usize| {
        let share = [0.01, 0.05, 0.25, 0.5][t * 4 / LOOKS];
        let wave = (phase + t as f64 / LOOKS as f64 * std::f64::consts::TAU).sin();
        let all = REQUESTS * (1.0 + 0.5 * wave);
        let storm = if (incident..incident + 20).contains(&t) {
            40.0
        } else {
            1.0
        };
        let p0 = 0.002 * (1.0 - 0.5 * wave) * storm;
        let n1 = (all * share).round();
        let n0 = (all - n1).round();
        // at the odds ratio where rates are large
        let p1 = rho * p0 / (1.0 - p0 + rho * p0) + delta;
        let (k1, k0) = (
            chance.binomial(n1 as u64, p1),
            chance.binomial(n0 as u64, p0),
        );
        Counts::new(n1 as u64, k1, n0 as u64, k0)
    };
    (0..LOOKS).map(look).collect()
}

fn burst(chance: &mut Chance, bursts: Bursts, share: f64) -> Vec<Counts> {
    // a burst of 500 needs the room of its 30 000 requests
    let all = match bursts {
        Bursts::Rare => 1500.0 / share,
        _ => REQUESTS,
    };
    let (n1, n0) = (all * share, all * (1.0 - share));
    let look = |_| Counts {
        n1,
        k1: bursts.bad(chance, n1, 0.005),
        n0,
        k0: bursts.bad(chance, n0, 0.005),
    };
    (0..LOOKS).map(look).collect()
}

/// The canary's rate wanders by itself, by 30 % of it. How the specification's noise is made is not
/// stated in full: its figures lie between this and noise of that size in both arms.
fn noise(chance: &mut Chance, memory: f64) -> Vec<Counts> {
    let sd = 0.3f64;
    let mut level = chance.normal();
    let look = |_| {
        level = memory * level + (1.0 - memory * memory).sqrt() * chance.normal();
        let rate = 0.005 * (sd * level - sd * sd / 2.0).exp();
        flat(chance, 0.05, rate, 0.005)
    };
    (0..LOOKS).map(look).collect()
}
