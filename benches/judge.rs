//! What the judge costs, and what it promises: `cargo bench --bench judge` measures; with `-- A`, `-- B`
//! or `-- D` (or several) it repeats those tables of the specification by simulation, each figure with
//! the one that the specification gives and whether it is within three standard errors.

#![allow(clippy::unwrap_used, reason = "a benchmark stops where it fails")]

mod simulation;

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use holdpoint::judge::counts::{Counts, Tolerance};
use holdpoint::judge::evidence::{Regression, Settings};
use holdpoint::judge::kayenta::rank::Ranked;
use holdpoint::judge::promote::MARGIN;
use holdpoint::judge::rollout::{Asked, Kind, Metric, Read};
use holdpoint::judge::verdict::Rank;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

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

fn main() {
    let tables: Vec<String> = std::env::args().skip(1).collect();
    let tables: Vec<&str> = tables
        .iter()
        .map(String::as_str)
        .filter(|word| !word.starts_with("--"))
        .collect();
    if tables.is_empty() {
        a_look();
        a_metric();
        ranks();
    } else {
        simulation::run(&tables);
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

/// Mann-Whitney with its interval for 60 against 60 points, beside ranks found by comparing all pairs.
fn ranks() {
    let mut rng = StdRng::seed_from_u64(3);
    let mut sample = |shift: f64| -> Vec<f64> {
        (0..60)
            .map(|_| shift + rng.random_range(0.0..10.0f64))
            .collect()
    };
    let (x, y) = (sample(0.7), sample(0.0));
    let time = |work: &dyn Fn() -> f64, times: u32| {
        let each = (0..21).map(|_| {
            let begun = Instant::now();
            for _ in 0..times {
                black_box(work());
            }
            begun.elapsed() / times
        });
        median(each.collect())
    };
    let test = time(&|| Ranked::new(black_box(&x), &y).p_two_sided(), 1000);
    let whole = time(
        &|| Ranked::new(black_box(&x), &y).shift(0.98).unwrap().estimate,
        200,
    );
    let naive = time(&|| naive_u(black_box(&x), &y), 200);
    println!("Mann-Whitney, 60 against 60 points");
    println!("  U and p                      {test:?}");
    println!("  with interval and estimate   {whole:?}");
    println!("  U by comparing all pairs     {naive:?}");
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
