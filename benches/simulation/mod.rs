//! The specification's tables A, B and D, repeated, and its claims on one page.

mod chance;
mod proof;
mod table_a;
mod table_b;
mod table_d;

use holdpoint::judge::count::Direction;
use holdpoint::judge::counts::{Counts, Line, Tolerance};
use holdpoint::judge::evidence::{CountEvidence, Regression, Settings};
use holdpoint::judge::mixture::Stakes;

pub use chance::Chance;

/// Looks of a run: an hour at 15 seconds.
pub const LOOKS: usize = 240;

/// Repeats the tables of these names, on all cores; `runs` rollouts for each row, or as many as each
/// table usually takes.
pub fn run(tables: &[String], runs: Option<u64>) {
    let mut tally = Tally::default();
    for table in tables {
        match table.as_str() {
            "A" => table_a::run(runs, &mut tally),
            "B" => table_b::run(runs, &mut tally),
            "D" => table_d::run(runs, &mut tally),
            "proof" => proof::run(runs),
            other => println!("there is no table {other}; there are A, B, D and proof"),
        }
    }
    if tally.compared > 0 {
        let Tally { compared, differ } = tally;
        println!(
            "{compared} figures compared, {differ} differ by more than three standard errors of both (by \
             chance about {:.1} would)",
            0.0027 * compared as f64
        );
    }
}

/// How many figures were compared with the specification's, and how many of them differ.
#[derive(Debug, Default)]
pub struct Tally {
    compared: usize,
    differ: usize,
}

impl Tally {
    /// Counts a comparison; the word for it.
    pub fn word(&mut self, agrees: bool) -> &'static str {
        self.compared += 1;
        self.differ += usize::from(!agrees);
        if agrees { "ok" } else { "DIFFERS" }
    }

    /// A share in percent beside the one of the specification, which came from `others` runs, and
    /// whether the two are within three standard errors of each other.
    pub fn beside(&mut self, hits: usize, of: usize, should: f64, others: f64) -> String {
        let is = percent(hits, of);
        // half a hit keeps the error of a share of 0 from being 0
        let pooled = (hits as f64 + should / 100.0 * others + 0.5) / (of as f64 + others + 1.0);
        let error = (pooled * (1.0 - pooled) * (1.0 / of as f64 + 1.0 / others)).sqrt();
        let bar = 300.0 * error;
        let word = self.word((is - should).abs() <= bar);
        format!("{is:.2} ({should} ±{bar:.2} {word})")
    }
}

/// So many of so many, in percent.
pub fn percent(hits: usize, of: usize) -> f64 {
    100.0 * hits as f64 / of as f64
}

/// Settings against `rho` and `delta` over an hour.
pub fn settings(rho: f64, delta: f64) -> Settings {
    Settings {
        tolerance: Tolerance::Line(Line { rho, delta }),
        stakes: Stakes::new(u32::try_from(LOOKS).unwrap(), 0.5),
        ..Settings::default()
    }
}

/// The largest values that evidence reached in one run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Peaks {
    /// ln of the default evidence.
    pub usual: f64,
    /// ln of the count engine's.
    pub count: f64,
    /// Whether the z-test ever was beyond 5 %, one-sided.
    pub z: bool,
}

/// Feeds a run of looks and notes the peaks, with the z-test on all looks so far beside it.
pub fn peaks(settings: Settings, looks: impl Iterator<Item = Counts>) -> Peaks {
    let mut usual = Regression::new(settings);
    let mut count = CountEvidence::new(settings, Direction::Up);
    let mut peaks = Peaks::default();
    let mut sum = Counts::default();
    for look in looks {
        usual.feed(&[look]);
        count.feed(&[look], 1.0, f64::INFINITY);
        peaks.usual = peaks.usual.max(usual.ln_e());
        peaks.count = peaks.count.max(count.ln_e());
        sum = sum.plus(look);
        peaks.z |= z(sum) > 1.644_853_626_951_472_2;
    }
    peaks
}

/// The pooled z statistic of two fractions; 0 where it cannot be computed.
pub fn z(sum: Counts) -> f64 {
    let pooled = (sum.k1 + sum.k0) / (sum.n1 + sum.n0);
    let spread = (pooled * (1.0 - pooled) * (1.0 / sum.n1 + 1.0 / sum.n0)).sqrt();
    let far = (sum.k1 / sum.n1 - sum.k0 / sum.n0) / spread;
    if far.is_finite() { far } else { 0.0 }
}

/// Runs so many, split over the cores, each with chance of its own; in the order of their numbers.
pub fn runs<T: Send>(count: u64, seed: u64, one: impl Fn(&mut Chance) -> T + Sync) -> Vec<T> {
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
    let one = &one;
    std::thread::scope(|scope| {
        let parts = (0..cores).map(|core| {
            scope.spawn(move || {
                let own = (0..count).filter(move |run| run % cores == core);
                own.map(|run| one(&mut Chance::new(seed, run)))
                    .collect::<Vec<T>>()
            })
        });
        let parts: Vec<_> = parts.collect();
        parts
            .into_iter()
            .flat_map(|part| part.join().unwrap())
            .collect()
    })
}
