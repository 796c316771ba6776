//! `judge FILE`: verdict and evidence of every recorded look.

use schemars::JsonSchema;
use serde::Serialize;

use super::recorded::{Look, Owned, Recorded};
use crate::cli::view::line;
use crate::judge::peers::{MOST, Peers};
use crate::judge::rollout::{Around, Metric, Read, Rollout};
use crate::judge::verdict::Verdict;
use crate::judge::words::{strength, stretch, to_one};

/// One look judged; one line each.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "holdpoint.judged-look/1")]
pub struct LookView {
    /// `holdpoint.judged-look/1`.
    pub schema: &'static str,
    /// The look, from 1.
    pub look: usize,
    /// When it ended, as it was recorded.
    pub at: Option<f64>,
    /// `continue`, `pause`, `rollback`, `inconclusive` or `promote`.
    pub verdict: &'static str,
    /// Why, in a few words.
    pub reason: String,
    /// The metrics to blame.
    pub culprits: Vec<String>,
    /// ln of the weighted average of all metrics' evidence.
    pub ln_e_all: f64,
    /// ln of that of the critical ones.
    pub ln_e_critical: f64,
    /// The metrics.
    pub metrics: Vec<EvidenceView>,
}

/// A metric at one look.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct EvidenceView {
    /// Its name.
    pub name: String,
    /// ln of the evidence of a regression.
    pub ln_e: f64,
    /// ln of the evidence that it is within the margin.
    pub ln_e_within: f64,
    /// For how many looks it has given nothing.
    pub missing: u32,
}

/// A recorded rollout judged; the last line.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "holdpoint.judged/1")]
pub struct JudgedView {
    /// `holdpoint.judged/1`.
    pub schema: &'static str,
    /// How many looks were judged.
    pub looks: usize,
    /// The verdict of the last look.
    pub verdict: &'static str,
    /// The first look with each verdict that came up, besides `continue`.
    pub first: Vec<FirstView>,
    /// What was seen of each metric, a sentence each.
    pub sentences: Vec<String>,
    /// Metrics of which an old instance looks as bad as a regression would: the release may not be
    /// to blame. Only metrics with `peers` are checked.
    pub instances_disagree: Vec<String>,
}

/// When a verdict came first.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct FirstView {
    /// The verdict.
    pub verdict: &'static str,
    /// The look, from 1.
    pub look: usize,
}

/// The old instances of one metric, judged each against the others.
struct Checked<'a> {
    metric: usize,
    names: &'a [String],
    peers: Peers,
}

impl Checked<'_> {
    /// Takes in what a look brought of them.
    fn feed(&mut self, look: &Look) {
        let found = look
            .instances
            .iter()
            .find(|(metric, _)| *metric == self.metric);
        let Some((_, each)) = found else {
            return;
        };
        let of = |name: &String| each.iter().find(|(other, _)| other == name);
        let counts = |name| of(name).map(|(_, counts)| *counts);
        let all: Vec<Option<(f64, f64)>> = self.names.iter().map(counts).collect();
        self.peers.feed(&all);
    }
}

/// Judges all looks; the text for stdout.
pub fn judge(recorded: &Recorded, json: bool) -> String {
    let mut rollout = Rollout::new(recorded.rules, recorded.metrics.clone());
    let mut text = String::new();
    let mut first: Vec<FirstView> = Vec::new();
    let mut verdict = Verdict::Continue;
    let checked = recorded.peers.iter().map(|(metric, names)| Checked {
        metric: *metric,
        names,
        peers: Peers::new(names.len(), recorded.metrics[*metric].settings),
    });
    let mut checked: Vec<Checked<'_>> = checked.collect();
    for (index, look) in recorded.looks.iter().enumerate() {
        checked.iter_mut().for_each(|one| one.feed(look));
        let most = checked.iter().filter_map(|one| one.peers.most());
        let reads: Vec<Read<'_>> = look.reads.iter().map(read).collect();
        let ruling = rollout.look(
            &reads,
            &Around {
                hard_limit: look.hard_limit.as_deref(),
                share: look.share,
                elapsed: look.elapsed,
                step_over: look.step_over,
                peer_most: most.reduce(f64::max),
            },
        );
        let known = first.iter().any(|one| one.verdict == ruling.verdict.word());
        if ruling.verdict != Verdict::Continue && !known {
            first.push(FirstView {
                verdict: ruling.verdict.word(),
                look: index + 1,
            });
        }
        verdict = ruling.verdict;
        let (all, critical) = rollout.averages();
        let view = LookView {
            schema: "holdpoint.judged-look/1",
            look: index + 1,
            at: look.at,
            verdict: verdict.word(),
            reason: ruling.reason,
            culprits: ruling.culprits,
            ln_e_all: all.ln(),
            ln_e_critical: critical.ln(),
            metrics: rollout.metrics().iter().map(evidence).collect(),
        };
        text.push_str(&if json { line(&view) } else { words(&view, all) });
    }
    let view = JudgedView {
        schema: "holdpoint.judged/1",
        looks: recorded.looks.len(),
        verdict: verdict.word(),
        first,
        sentences: rollout.metrics().iter().map(Metric::sentence).collect(),
        instances_disagree: checked
            .iter()
            .filter(|one| one.peers.disagree())
            .map(|one| recorded.metrics[one.metric].rank.name.clone())
            .collect(),
    };
    text.push_str(&if json {
        line(&view)
    } else {
        summary(&view, recorded.seconds)
    });
    text
}

fn read(owned: &Owned) -> Read<'_> {
    match owned {
        Owned::Missing => Read::Missing,
        Owned::Counts(strata) => Read::Counts(strata),
        Owned::Buckets(canary, baseline) => Read::Buckets(canary, baseline),
        Owned::Levels(canary, baseline) => Read::Levels(canary, baseline),
    }
}

fn evidence(metric: &Metric) -> EvidenceView {
    EvidenceView {
        name: metric.asked().rank.name.clone(),
        ln_e: metric.ln_e(),
        ln_e_within: metric.ln_e_ni(),
        missing: metric.standing().missing,
    }
}

/// A look in one line.
fn words(view: &LookView, all: f64) -> String {
    let mut text = format!("look {:>4}  {:<12}", view.look, view.verdict);
    text.push_str(&format!("  {:>8}:1 {:<11}", to_one(all), strength(all)));
    for metric in &view.metrics {
        let name = &metric.name;
        text.push_str(&match metric.missing {
            0 => format!("  {name} {}:1", to_one(metric.ln_e.exp())),
            missing => format!("  {name} no data for {missing}"),
        });
    }
    if !view.reason.is_empty() {
        text.push_str(&format!("  ({}", view.reason));
        if !view.culprits.is_empty() {
            text.push_str(&format!("; {}", view.culprits.join(", ")));
        }
        text.push(')');
    }
    text.push('\n');
    text
}

fn summary(view: &JudgedView, seconds: f64) -> String {
    let mut text = String::from("\n");
    for sentence in &view.sentences {
        text.push_str(&format!("{sentence}\n"));
    }
    for name in &view.instances_disagree {
        text.push_str(&format!(
            "{name}: the old instances disagree; one of the first {MOST} looks as bad as a regression would.\n"
        ));
    }
    if view.first.is_empty() {
        text.push_str(&format!("{} looks: nothing to act on.\n", view.looks));
    }
    for first in &view.first {
        let after = stretch(first.look as f64, seconds);
        text.push_str(&format!(
            "First {} at look {}, after {after}.\n",
            first.verdict, first.look
        ));
    }
    text
}
