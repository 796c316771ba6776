//! The claims on one page: what alarms without a regression, and how soon regressions are found, with
//! bursts and at several traffic levels; a threshold rule as people write it beside the judge.

use holdpoint::judge::counts::Counts;

use super::table_a::first_argo;
use super::table_b::{Bursts, burst};
use super::table_d::{cell, first};
use super::{Chance, LOOKS, peaks, percent, runs, settings};

/// Rollouts of each row as a rule.
const RUNS: u64 = 500;
/// The canary's share.
const SHARE: f64 = 0.05;

const BURSTS: [(&str, Bursts); 5] = [
    ("single", Bursts::Single),
    ("bursts of 1 to 4", Bursts::Few),
    ("geometric, 2.5 on average", Bursts::Geometric),
    ("1 % bursts of 50", Bursts::Fifty),
    ("rare bursts of 500", Bursts::Rare),
];

/// Requests of a look, and how many of the baseline's are bad.
const TRAFFIC: [(f64, f64); 5] = [
    (300.0, 0.01),
    (3000.0, 0.001),
    (3000.0, 0.01),
    (30_000.0, 0.0001),
    (30_000.0, 0.001),
];

pub fn run(count: Option<u64>) {
    let count = count.unwrap_or(RUNS);
    println!(
        "Proof, {count} rollouts of {LOOKS} looks each, {:.0}% canary; the threshold rule is \"canary above twice \
         the usual rate in a minute, four times\"",
        SHARE * 100.0
    );
    println!("A/A, 200 rps, 0.5 % bad: share with an alarm, in percent");
    for (number, (name, bursts)) in BURSTS.into_iter().enumerate() {
        let found = runs(count, 900 + number as u64, |chance| {
            let looks = looks(chance, bursts, 3000.0, 0.005, 1.0);
            let strict = peaks(settings(1.0, 0.0), looks.iter().copied());
            let usual = peaks(settings(1.25, 0.0002), looks.iter().copied());
            (strict, usual, first_argo(&looks, 0.005).is_some())
        });
        let share = |hit: &dyn Fn(&(super::Peaks, super::Peaks, bool)) -> bool| {
            percent(found.iter().filter(|run| hit(run)).count(), found.len())
        };
        println!(
            "  {name}: judge as it comes: pause {:.1}, roll back {:.1} | allowing nothing: pause {:.1}, roll \
             back {:.1} | requests taken for independent {:.1} | z-test {:.1} | threshold rule {:.1}",
            share(&|run| run.1.usual >= 20f64.ln()),
            share(&|run| run.1.usual >= 100f64.ln()),
            share(&|run| run.0.usual >= 20f64.ln()),
            share(&|run| run.0.usual >= 100f64.ln()),
            share(&|run| run.0.count >= 20f64.ln()),
            share(&|run| run.0.z),
            share(&|run| run.2),
        );
    }
    println!("Regressions, bursts of 1 to 4: median looks to a rollback (share found in the hour)");
    for (number, (requests, rate)) in TRAFFIC.into_iter().enumerate() {
        println!("  {} rps, {rate}", requests / 15.0);
        for (index, times) in [1.0, 1.5, 2.0, 5.0].into_iter().enumerate() {
            let seed = 1000 + 10 * number as u64 + index as u64;
            let found = runs(count, seed, |chance| {
                let looks = looks(chance, Bursts::Few, requests, rate, times);
                [
                    first(settings(1.25, 0.0002), &looks, 100.0),
                    first(settings(1.0, 0.0), &looks, 100.0),
                    first_argo(&looks, rate),
                ]
            });
            let column = |which: usize| {
                let column: Vec<Option<usize>> = found.iter().map(|run| run[which]).collect();
                cell(&column)
            };
            println!(
                "    {times}x: judge as it comes {} | allowing nothing {} | threshold rule {}",
                column(0),
                column(1),
                column(2)
            );
        }
    }
}

fn looks(chance: &mut Chance, bursts: Bursts, requests: f64, rate: f64, times: f64) -> Vec<Counts> {
    let look = |_| burst(chance, bursts, requests, SHARE, times * rate, rate);
    (0..LOOKS).map(look).collect()
}
