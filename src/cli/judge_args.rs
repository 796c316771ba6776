//! The options of `judge`, and the formats that it reads.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

/// What to judge.
#[derive(Clone, Debug, Args)]
pub struct JudgeArgs {
    /// Recorded samples, JSON or CSV; `-` reads them from stdin.
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with_all = ["vectors", "plan"])]
    pub file: Option<PathBuf>,
    /// Judge as another tool does, by its configuration.
    #[arg(long, value_enum, value_name = "TOOL", requires = "file")]
    pub compat: Option<Compat>,
    /// That configuration.
    #[arg(long, value_name = "CONFIG", value_hint = ValueHint::FilePath, requires = "compat")]
    pub config: Option<PathBuf>,
    /// Check the judge against numbers that others computed.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "plan")]
    pub vectors: Option<PathBuf>,
    /// Say what a rollout of this traffic, share and time can see.
    #[arg(long)]
    pub plan: bool,
    /// The rollout.
    #[command(flatten)]
    pub numbers: PlanArgs,
}

/// Whose judge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Compat {
    /// Kayenta's, by a canary config.
    Kayenta,
    /// That of Argo Rollouts, by an AnalysisTemplate.
    Argo,
}

/// A rollout in numbers.
#[derive(Clone, Copy, Debug, Args)]
#[command(next_help_heading = "With --plan")]
pub struct PlanArgs {
    /// Requests per second to both versions together.
    #[arg(long, value_name = "N", default_value_t = 100.0, requires = "plan")]
    pub rps: f64,
    /// The new version's share of them, in percent.
    #[arg(long, value_name = "PERCENT", default_value_t = 5.0, requires = "plan")]
    pub share: f64,
    /// How long it stays at that share.
    #[arg(
        long,
        value_name = "MINUTES",
        default_value_t = 60.0,
        requires = "plan"
    )]
    pub minutes: f64,
    /// How many requests of the old version are bad, in percent.
    #[arg(long, value_name = "PERCENT", default_value_t = 1.0, requires = "plan")]
    pub bad: f64,
    /// How long a look is, in seconds.
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 15.0,
        requires = "plan"
    )]
    pub look: f64,
    /// The allowed ratio of bad requests.
    #[arg(long, value_name = "RATIO", default_value_t = 1.25, requires = "plan")]
    pub rho: f64,
    /// What is allowed on top, as a fraction of requests.
    #[arg(
        long,
        value_name = "FRACTION",
        default_value_t = 0.0002,
        requires = "plan"
    )]
    pub delta: f64,
}

/// How it is used.
pub const EXAMPLES: &str = "\
Examples:
  holdpoint judge samples.json            verdict and evidence of every look
  holdpoint judge samples.csv --json
  holdpoint judge --plan --rps 200 --share 5 --minutes 30 --bad 0.5
  holdpoint judge series.json --compat kayenta --config canary.json
  holdpoint judge measured.json --compat argo --config analysis.yaml
  holdpoint judge --vectors vectors.json   exit code 1 if a number differs

--help shows the formats.";

/// The same with the formats.
pub const FORMATS: &str = r#"Examples:
  holdpoint judge samples.json            verdict and evidence of every look
  holdpoint judge samples.csv --json
  holdpoint judge --plan --rps 200 --share 5 --minutes 30 --bad 0.5
  holdpoint judge series.json --compat kayenta --config canary.json
  holdpoint judge measured.json --compat argo --config analysis.yaml
  holdpoint judge --vectors vectors.json   exit code 1 if a number differs

Samples in CSV are error ratios, a line for each metric of a look; both arms over the same time,
requests and bad ones; an empty cell is a look without data. CSV holds nothing else: histograms, gauges,
raw counters, strata, instances, weights and tolerances need JSON:
  at,metric,n1,k1,n0,k0
  1718000000,errors,150,1,2850,12

Samples in JSON:
  {"seconds_per_look": 15, "share": 0.05,
   "metrics": {
     "errors":  {"kind": "ratio", "rho": 1.25, "delta": 0.0002, "weight": 3,
                 "critical": true, "required": true, "fail_above": 0.2, "min_count": 100},
     "http":    {"kind": "counters", "critical": true},
     "latency": {"kind": "histogram", "le": [0.1, 0.25, "inf"], "odds": 1.25,
                 "before": [1500, 2800, 3000]},
     "cpu":     {"kind": "gauge", "tau": 0.1, "low_is_bad": false}},
   "looks": [
     {"at": 1718000000, "metrics": {
       "errors":  [150, 1, 2850, 12],
       "http":    {"canary": {"pod-a": [9120, 13]}, "baseline": {"pod-b": [88012, 97]},
                   "born": ["pod-a"]},
       "latency": {"canary": [70, 138, 150], "baseline": [1430, 2660, 2850]},
       "cpu":     {"canary": [0.4, 0.5, 0.4], "baseline": [0.4, 0.4, 0.5]}}}]}

A ratio is [new requests, new bad, old requests, old bad], or a list of up to 8 of those for strata.
Counters are raw: all requests and bad ones of every series. A histogram is cumulative over `le`, of
that look alone. A gauge has a value for every instance, null for one that gave none. A metric that
is null or not named has no data in that look. A look may carry hard_limit, share, elapsed, step_over.
At most 100000 looks, 10000 metrics, and 4000000 readings of metrics in all.

A ratio may be given by instance, null for one that gave nothing. With "peers": true, here and for
counters, up to 19 old instances are judged too, each against the others: a rollback needs more
evidence than there ever was against one of them.
  "metrics": {"errors": {"kind": "ratio", "critical": true, "peers": true}}
  "errors": {"canary": {"pod-a": [150, 1]}, "baseline": {"pod-x": [1425, 7], "pod-y": [1425, 5]}}

Series for --compat kayenta: {"metrics": {"NAME": {"control": [...], "experiment": [...]}}}, null for
a missing point, or Kayenta's own list of metric set pairs. The config is a canary config.

Measurements for --compat argo: {"metrics": {"NAME": [VALUE, ...]}}, each value what `result` is in
the conditions, or {"error": "why"}. The config is an AnalysisTemplate, YAML or JSON."#;
