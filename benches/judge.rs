//! What the judge costs, and what it promises: `cargo bench --bench judge` measures, scipy beside it;
//! with `-- A`, `-- B` or `-- D` (or several) it repeats those tables of the specification by
//! simulation, each figure with the one that the specification gives, three standard errors, and
//! whether the two agree. `-- proof` prints one page: 500 rollouts without a regression, with bursts,
//! and regressions of 1.5, 2 and 5 times at several traffic levels, a threshold rule beside them.
//! `--runs N` sets how many rollouts each row simulates: `-- A B D proof --runs 1000` takes a minute or so.

#![allow(clippy::unwrap_used, reason = "a benchmark stops where it fails")]

mod scipy;
mod simulation;

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use holdpoint::judge::counts::{Counts, Tolerance};
use holdpoint::judge::evidence::{Regression, Settings};
use holdpoint::judge::kayenta::classify::{Config, mann_whitney};
use holdpoint::judge::kayenta::rank::Ranked;
use holdpoint::judge::kayenta::stats::Measure;
use holdpoint::judge::promote::MARGIN;
use holdpoint::judge::rollout::{Asked, Kind, Metric, Read};
use holdpoint::judge::verdict::Rank;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use scipy::Scipy;

/// Counts what is allocated, to show that a look allocates nothing and what a metric takes.
struct Counting;

static CALLS: AtomicUsize = AtomicUsize::new(0);
static HELD: AtomicUsize = AtomicUsize::new(0);

#[allow(unsafe_code, reason = "an allocator has no safe form")]
// SAFETY: every call goes on to the system's allocator as it came
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        CALLS.fetch_add(1, Ordering::Relaxed);
        HELD.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: as the caller promises
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as the caller promises
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Metrics of one look.
const METRICS: usize = 10_000;
/// Looks of a rollout.
const LOOKS: usize = 240;

/// How often each thing is measured.
const ROUNDS: usize = 21;

fn main() {
    let mut tables = Vec::new();
    let mut runs = None;
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        if word == "--runs" {
            let count = words.next().and_then(|count| count.parse().ok());
            runs = Some(count.expect("--runs needs a number of rollouts"));
        } else if !word.starts_with("--") {
            tables.push(word);
        }
    }
    if tables.is_empty() {
        a_look();
        a_metric();
        ranks();
    } else {
        simulation::run(&tables, runs);
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn traffic(rng: &mut StdRng) -> Counts {
    let (k1, k0) = (rng.random_range(0..6), rng.random_range(15..45));
    Counts::new(150, k1, 2850, k0)
}

/// All metrics of one look: regression evidence with both engines, and proof for promotion.
fn a_look() {
    let mut rng = StdRng::seed_from_u64(1);
    let looks: Vec<Counts> = (0..METRICS).map(|_| traffic(&mut rng)).collect();
    let mut evidence = vec![Regression::new(Settings::default()); METRICS];
    let mut promotion =
        vec![holdpoint::judge::promote::Promotion::new(Tolerance::Line(MARGIN)); METRICS];
    let (mut alone, mut both) = (Vec::new(), Vec::new());
    let mut calls = 0;
    for _ in 0..21 {
        let before = CALLS.load(Ordering::Relaxed);
        let begun = Instant::now();
        let mut sum = 0.0;
        for (process, look) in evidence.iter_mut().zip(&looks) {
            process.feed(std::slice::from_ref(look));
            sum += process.ln_e();
        }
        alone.push(begun.elapsed());
        for (process, look) in promotion.iter_mut().zip(&looks) {
            process.feed(std::slice::from_ref(look));
            sum += process.ln_e();
        }
        both.push(begun.elapsed());
        calls = CALLS.load(Ordering::Relaxed) - before;
        black_box(sum);
    }
    println!("{METRICS} metrics, one look, one core");
    println!("  evidence of a regression     {:?}", median(alone));
    println!("  and proof for promotion      {:?}", median(both));
    println!("  allocations in the look      {calls}");
}

/// What a metric takes in memory after a whole rollout, its counts for the interval included.
fn a_metric() {
    let mut rng = StdRng::seed_from_u64(2);
    let asked = Asked {
        rank: Rank {
            name: "errors".to_owned(),
            weight: 1.0,
            critical: true,
            required: true,
        },
        kind: Kind::Ratio { fail_above: None },
        settings: Settings::default(),
        margin: Tolerance::Line(MARGIN),
    };
    let before = HELD.load(Ordering::Relaxed);
    let mut metric = Metric::new(asked);
    for _ in 0..LOOKS {
        metric.feed(Read::Counts(&[traffic(&mut rng)]));
    }
    let held = HELD.load(Ordering::Relaxed) - before + size_of::<Metric>();
    println!("a metric after {LOOKS} looks: {held} bytes");
    println!("  its evidence alone: {} bytes", size_of::<Regression>());
    let begun = Instant::now();
    black_box(metric.interval());
    println!(
        "  its interval, worked out when it is shown: {:?}",
        begun.elapsed()
    );
}

/// Mann-Whitney for 60 against 60 points: the test, with its interval, and the whole class of the
/// Kayenta-compatible judge; beside ranks found by comparing all pairs, and beside scipy.
fn ranks() {
    let pairs = pairs();
    let config = Config::new(Measure::MeanRatio);
    type Work<'a> = (&'a str, u32, &'a dyn Fn(&[f64], &[f64]) -> f64);
    let works: [Work<'_>; 4] = [
        ("U and p", 200, &|x, y| Ranked::new(x, y).p_two_sided()),
        ("with interval and estimate", 20, &|x, y| {
            Ranked::new(x, y).shift(0.98).unwrap().estimate
        }),
        ("class, as Kayenta judges", 20, &|x, y| {
            mann_whitney(x, y, &config).ratio
        }),
        ("U by comparing all pairs", 50, &|x, y| naive_u(x, y)),
    ];
    let mut scipy = Scipy::start(&pairs);
    if let Some(scipy) = &scipy {
        for ((x, y), (u, p)) in pairs.iter().zip(&scipy.results) {
            let ours = Ranked::new(x, y);
            let same = ours.u() == *u && (ours.p_two_sided() - p).abs() < 1e-12;
            assert!(
                same,
                "scipy: {u} {p}, here: {} {}",
                ours.u(),
                ours.p_two_sided()
            );
        }
    }
    // in turns, so that what else the machine does slows both
    let mut times = [const { Vec::new() }; 4];
    let mut theirs = Vec::new();
    for _ in 0..ROUNDS {
        for ((_, rounds, work), times) in works.iter().zip(&mut times) {
            let begun = Instant::now();
            for _ in 0..*rounds {
                for (x, y) in &pairs {
                    black_box(work(black_box(x), black_box(y)));
                }
            }
            times.push(begun.elapsed() / (*rounds * pairs.len() as u32));
        }
        theirs.extend(scipy.as_mut().map(|scipy| scipy.time(2)));
    }
    println!(
        "Mann-Whitney, 60 against 60 points, {} pairs of samples, median of {ROUNDS} rounds in turns",
        pairs.len()
    );
    let of_scipy = scipy.map(|scipy| (scipy.version.clone(), median(theirs)));
    for ((name, ..), times) in works.iter().zip(times) {
        let ours = median(times);
        let beside = of_scipy.as_ref().map(|(_, theirs)| {
            let times = theirs.as_secs_f64() / ours.as_secs_f64();
            format!("scipy takes {times:.1} times as long")
        });
        let ours = format!("{ours:?}");
        println!("  {name:<28} {ours:<12} {}", beside.unwrap_or_default());
    }
    match of_scipy {
        Some((version, theirs)) => println!(
            "  scipy {version}, mannwhitneyu  {theirs:?}: U and p, the same as here to 1e-12"
        ),
        None => println!(
            "  scipy is left out: no python3 here has it. `apt-get install python3-scipy`, or name an\n  \
             interpreter that has it: PYTHON=/path/to/python3 cargo bench --bench judge"
        ),
    }
}

/// Pairs of 60 and 60 values; half of them rounded, so that there are ties.
fn pairs() -> Vec<(Vec<f64>, Vec<f64>)> {
    let mut rng = StdRng::seed_from_u64(3);
    let mut sample = |shift: f64, grain: f64| -> Vec<f64> {
        let value = |_| shift + rng.random_range(0.0..10.0f64);
        let values = (0..60).map(value);
        values
            .map(|value| match grain {
                0.0 => value,
                grain => (value / grain).round() * grain,
            })
            .collect()
    };
    let grains = [0.0, 0.25].into_iter().cycle().take(50);
    grains
        .map(|grain| (sample(0.7, grain), sample(0.0, grain)))
        .collect()
}

/// The canary's `U` and the tie correction, each value compared with each.
fn naive_u(x: &[f64], y: &[f64]) -> f64 {
    let all: Vec<f64> = x.iter().chain(y).copied().collect();
    let rank = |value: &f64| {
        let below = all.iter().filter(|other| *other < value).count() as f64;
        let equal = all.iter().filter(|other| *other == value).count() as f64;
        (below + (equal + 1.0) / 2.0, equal * equal - 1.0)
    };
    let sum: f64 = x.iter().map(|value| rank(value).0).sum();
    let ties: f64 = all.iter().map(|value| rank(value).1).sum();
    let m = x.len() as f64;
    sum - m * (m + 1.0) / 2.0 + 0.0 * ties
}
