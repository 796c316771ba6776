//! A release whose looks are followed one by one, by what the engine keeps to go on after a restart;
//! and the same judged once more, without engine, gaps or restarts.

use std::time::{Duration, Instant};

use holdpoint::domain::canonical;
use holdpoint::judge::counts::Counts;
use holdpoint::judge::rollout::{Metric, Read};
use holdpoint::judge::{Sample, limit};
use holdpoint::ledger::telemetry::{Limits, Telemetry};
use serde_json::Value;

use super::LONG;
use super::scene::Scene;

/// More than any test keeps.
pub const ALL: Limits = Limits {
    per_release: 1_000_000,
    overall: 1_000_000,
};

/// How often is looked for news: several times within the looks that a metric's memory holds.
const OFTEN: Duration = Duration::from_millis(200);

/// Both sides of a look, canary first.
pub type Pair = [Sample; 2];

/// What was followed of one metric.
#[derive(Debug, Default)]
struct Chain {
    /// The digest over all looks so far.
    inputs: String,
    looks: Vec<Pair>,
}

/// A release that is followed.
pub struct Followed {
    telemetry: Telemetry,
    release: u64,
    chains: Vec<Chain>,
    /// What the engine kept last.
    latest: Value,
}

impl Followed {
    /// From its first look on.
    pub async fn new(scene: &Scene, id: &str) -> Followed {
        let file = scene.path().join("telemetry.db");
        let begun = Instant::now();
        while !file.exists() {
            assert!(begun.elapsed() < LONG, "nobody looks: {:#}", scene.show(id));
            tokio::time::sleep(OFTEN).await;
        }
        let mut followed = Followed {
            telemetry: Telemetry::open(&file, ALL).await.unwrap(),
            release: id.strip_prefix("R-").unwrap().parse().unwrap(),
            chains: Vec::new(),
            latest: Value::Null,
        };
        let seen = |it: &Followed| !it.latest.is_null();
        followed.until("a look", seen).await;
        followed
    }

    /// Follows until that is so.
    pub async fn until(&mut self, what: &str, done: impl Fn(&Followed) -> bool) {
        let begun = Instant::now();
        loop {
            self.follow().await;
            if done(self) {
                return;
            }
            let seen = || (self.judged(), self.judgement(), self.newest());
            assert!(
                begun.elapsed() < LONG,
                "{what}: did not come; seen last: {:?}",
                seen()
            );
            tokio::time::sleep(OFTEN).await;
        }
    }

    /// Takes in the looks that are new. Which these are is proved by their digest, in which all looks
    /// before them are: none is left out and none is taken twice.
    async fn follow(&mut self) {
        let Some(bytes) = self.telemetry.latest(self.release).await.unwrap() else {
            return;
        };
        let latest: Value = serde_json::from_slice(&bytes).unwrap();
        let memories = latest["metrics"].as_array().unwrap();
        self.chains.resize_with(memories.len(), Chain::default);
        for (chain, memory) in self.chains.iter_mut().zip(memories) {
            chain.follow(memory);
        }
        self.latest = latest;
    }

    /// The metrics under judgement, as the engine keeps them.
    fn metrics(&self) -> &[Value] {
        let groups = self.latest["weighing"]["groups"].as_array().unwrap();
        assert_eq!(groups.len(), 1, "all of them act together");
        groups[0]["rollout"]["metrics"].as_array().unwrap()
    }

    /// How many looks were judged, of the metric with the fewest.
    pub fn judged(&self) -> u64 {
        let looks = self.metrics().iter().map(|m| m["looks"].as_u64().unwrap());
        looks.min().unwrap()
    }

    /// For how many looks nothing came.
    pub fn missing(&self) -> u64 {
        let looks = self
            .metrics()
            .iter()
            .map(|m| m["missing"].as_u64().unwrap());
        looks.min().unwrap()
    }

    /// What the judge says.
    pub fn judgement(&self) -> &Value {
        &self.latest["judgements"][0]
    }

    /// All evidence, without the count of looks that brought nothing.
    pub fn evidence(&self) -> Vec<Value> {
        let mut metrics = self.metrics().to_vec();
        for metric in &mut metrics {
            metric["missing"] = Value::Null;
        }
        metrics
    }

    /// All looks of a metric, those that brought nothing included.
    pub fn looks(&self, metric: usize) -> &[Pair] {
        &self.chains[metric].looks
    }

    fn newest(&self) -> Vec<Option<&Pair>> {
        let chains = self.chains.iter();
        chains.map(|chain| chain.looks.last()).collect()
    }

    /// Errors and requests of the canary over all looks.
    pub fn canary_errors(&self) -> [u64; 2] {
        let mut sum = [0, 0];
        for [canary, _] in self.looks(0) {
            if let Sample::Ratio { bad, total } = canary {
                sum[0] += bad;
                sum[1] += total;
            }
        }
        sum
    }

    /// Judges the looks once more, in a rollout that sees them one after the other and nothing else:
    /// what comes out has to be what the engine has, in every bit of its state.
    pub fn prove(&self) {
        let kept = self
            .metrics()
            .iter()
            .zip(self.latest["metrics"].as_array().unwrap());
        for ((metric, memory), chain) in kept.zip(&self.chains) {
            let theirs: Metric = serde_json::from_value(metric.clone()).unwrap();
            let mut ours = Metric::new(theirs.asked().clone());
            if memory["chosen"] == true {
                ours.choose(&bits(&memory["bounds"]), &floats(&memory["before"]));
            }
            let whole = whole(&chain.looks);
            let judged = usize::try_from(metric["looks"].as_u64().unwrap()).unwrap();
            for pair in &whole[whole.len() - judged..] {
                feed(&mut ours, pair);
            }
            for _ in 0..metric["missing"].as_u64().unwrap() {
                ours.feed(Read::Missing);
            }
            let name = &theirs.asked().rank.name;
            assert_eq!(
                ours.ln_e().to_bits(),
                theirs.ln_e().to_bits(),
                "{name}: {} is not {}",
                ours.ln_e(),
                theirs.ln_e()
            );
            // all of its state, floats as bits; what it only works with is no part of that
            assert_eq!(serde_json::to_value(&ours).unwrap(), *metric, "{name}");
            println!(
                "{name}: {judged} looks judged of {}, ln E = {:?} in both",
                chain.looks.len(),
                theirs.ln_e()
            );
        }
    }
}

impl Chain {
    fn follow(&mut self, memory: &Value) {
        let inputs = memory["inputs"].as_str().unwrap();
        if inputs == self.inputs {
            return;
        }
        let sides = ["canary", "baseline"].map(|side| memory[side].as_array().unwrap());
        let window: Vec<Pair> = sides[0]
            .iter()
            .zip(sides[1])
            .map(|(canary, baseline)| [sample(canary), sample(baseline)])
            .collect();
        let after = |new: &[Pair]| {
            new.iter()
                .fold(self.inputs.clone(), |inputs, [canary, baseline]| {
                    canonical::digest(&(inputs, canary, baseline))
                })
        };
        let news = (1..=window.len()).map(|many| &window[window.len() - many..]);
        let new = news.into_iter().find(|new| after(new) == inputs);
        let new = new.unwrap_or_else(|| {
            panic!("what was seen before is not what the engine goes on from: {memory:#}")
        });
        self.looks.extend_from_slice(new);
        self.inputs = inputs.to_owned();
    }
}

/// The looks that both sides brought something to. What one side brought while the other brought
/// nothing belongs to the next of them.
fn whole(looks: &[Pair]) -> Vec<Pair> {
    let mut whole = Vec::new();
    let mut carried: [Option<Sample>; 2] = [None, None];
    for pair in looks {
        let gone = pair.each_ref().map(|s| matches!(s, Sample::Missing { .. }));
        let lost = pair.iter().any(Sample::is_first_look);
        match gone {
            [true, true] => continue,
            [true, false] | [false, true] if lost => {
                carried = [None, None];
                continue;
            }
            _ => {}
        }
        let sums = [0, 1].map(|side| {
            let before = carried[side].take();
            if gone[side] {
                return before;
            }
            let mut sum = pair[side].clone();
            if let Some(before) = before {
                limit::plus(&mut sum, &before).unwrap();
            }
            Some(sum)
        });
        match (gone, sums) {
            ([false, false], [Some(canary), Some(baseline)]) => whole.push([canary, baseline]),
            (_, sums) => carried = sums,
        }
    }
    whole
}

fn feed(metric: &mut Metric, pair: &Pair) {
    match pair {
        [
            Sample::Ratio { bad: k1, total: n1 },
            Sample::Ratio { bad: k0, total: n0 },
        ] => metric.feed(Read::Counts(&[Counts::new(*n1, *k1, *n0, *k0)])),
        [canary, baseline] => {
            let of = |sample| limit::cumulated(sample).unwrap().1;
            metric.feed(Read::Buckets(&of(canary), &of(baseline)));
        }
    }
}

/// A sample as it is kept: bounds as bits, so that they are the same when they are read.
fn sample(kept: &Value) -> Sample {
    let mut kept = kept.clone();
    if let Some(histogram) = kept.get_mut("histogram") {
        histogram["bounds"] = bits(&histogram["bounds"]).into();
    }
    serde_json::from_value(kept).unwrap()
}

fn bits(kept: &Value) -> Vec<f64> {
    let bits = kept.as_array().unwrap().iter();
    bits.map(|bits| f64::from_bits(bits.as_u64().unwrap()))
        .collect()
}

fn floats(kept: &Value) -> Vec<f64> {
    let all = kept.as_array().unwrap().iter();
    all.map(|number| number.as_f64().unwrap()).collect()
}
