//! scipy's Mann-Whitney beside ours: the same inputs, in turns, in one run.
//!
//! The interpreter is `$PYTHON`, `python3` or `/usr/bin/python3`, the first that has scipy. It reads the
//! inputs once, turns them into arrays, and then measures so many calls for every line it is sent; what
//! starting it and sending takes is not in its figures.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

/// Reads pairs of samples as its first line; for each further line, a number, calls the test so many
/// times on every pair and answers with nanoseconds per call.
const SCRIPT: &str = r#"
import json, sys, time
import numpy, scipy
from scipy.stats import mannwhitneyu
pairs = [(numpy.array(x), numpy.array(y)) for x, y in json.loads(sys.stdin.readline())]
def answer(value):
    print(json.dumps(value), flush=True)
found = [mannwhitneyu(x, y) for x, y in pairs]
answer({"version": scipy.__version__, "results": [[float(r.statistic), float(r.pvalue)] for r in found]})
for line in sys.stdin:
    times = int(line)
    begun = time.perf_counter_ns()
    for _ in range(times):
        for x, y in pairs:
            mannwhitneyu(x, y)
    answer((time.perf_counter_ns() - begun) / (times * len(pairs)))
"#;

/// scipy, ready to be measured.
pub struct Scipy {
    /// Its version.
    pub version: String,
    /// Its `U` and `p` of every pair.
    pub results: Vec<(f64, f64)>,
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Scipy {
    /// Starts it on these inputs; `None` where no interpreter has scipy.
    pub fn start(pairs: &[(Vec<f64>, Vec<f64>)]) -> Option<Scipy> {
        let program = interpreter()?;
        let mut child = Command::new(program)
            .args(["-c", SCRIPT])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut to = child.stdin.take().unwrap();
        let mut from = BufReader::new(child.stdout.take().unwrap());
        writeln!(to, "{}", serde_json::to_string(pairs).unwrap()).unwrap();
        let mut line = String::new();
        from.read_line(&mut line).unwrap();
        let said: serde_json::Value = serde_json::from_str(&line).unwrap();
        Some(Scipy {
            version: said["version"].as_str().unwrap().to_owned(),
            results: serde_json::from_value(said["results"].clone()).unwrap(),
            child,
            to,
            from,
        })
    }

    /// What a call takes, over so many rounds through all pairs.
    pub fn time(&mut self, rounds: u32) -> Duration {
        writeln!(self.to, "{rounds}").unwrap();
        let mut line = String::new();
        self.from.read_line(&mut line).unwrap();
        let nanos: f64 = serde_json::from_str(&line).unwrap();
        Duration::from_nanos(nanos as u64)
    }
}

impl Drop for Scipy {
    fn drop(&mut self) {
        // it may be gone already
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The first interpreter that has scipy.
fn interpreter() -> Option<String> {
    let named = std::env::var("PYTHON").ok();
    let usual = ["python3", "/usr/bin/python3"].map(str::to_owned);
    named.into_iter().chain(usual).find(|program| {
        let has = Command::new(program)
            .args(["-c", "import scipy.stats"])
            .stderr(Stdio::null())
            .status();
        has.is_ok_and(|status| status.success())
    })
}
