//! What an instance counts, and how it prints it: the Prometheus text format 0.0.4.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;

use rustix::time::{ClockId, clock_gettime};

/// The upper bounds of the latency histogram, in seconds: those that client libraries begin with.
const BOUNDS: [f64; 11] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// What an instance counted since it began.
#[derive(Debug, Default)]
pub(super) struct Metrics {
    by_code: BTreeMap<u16, u64>,
    buckets: [u64; BOUNDS.len() + 1],
    seconds: f64,
    in_flight: u64,
    born: f64,
}

impl Metrics {
    /// Of a process that began then; seconds since 1970.
    pub fn new(born: f64) -> Metrics {
        Metrics {
            born,
            ..Metrics::default()
        }
    }

    /// A request came in.
    pub fn begin(&mut self) {
        self.in_flight += 1;
    }

    /// Its caller went away before it was answered.
    pub fn give_up(&mut self) {
        self.in_flight -= 1;
    }

    /// It was answered.
    pub fn end(&mut self, code: u16, seconds: f64) {
        self.in_flight -= 1;
        *self.by_code.entry(code).or_default() += 1;
        let bucket = BOUNDS.iter().position(|bound| seconds <= *bound);
        self.buckets[bucket.unwrap_or(BOUNDS.len())] += 1;
        self.seconds += seconds;
    }

    /// All of it as text.
    pub fn text(&self) -> String {
        let mut out = String::with_capacity(2048);
        // writing to a string cannot fail
        let _ = self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        head(
            out,
            "http_requests_total",
            "counter",
            "Requests by status code.",
        )?;
        for (code, n) in &self.by_code {
            writeln!(
                out,
                "http_requests_total{{code=\"{code}\",method=\"GET\"}} {n}"
            )?;
        }
        let name = "http_request_duration_seconds";
        head(out, name, "histogram", "How long requests took.")?;
        let mut below = 0;
        for (bound, n) in BOUNDS.iter().zip(&self.buckets) {
            below += n;
            writeln!(out, "{name}_bucket{{le=\"{bound}\"}} {below}")?;
        }
        let all = below + self.buckets[BOUNDS.len()];
        writeln!(out, "{name}_bucket{{le=\"+Inf\"}} {all}")?;
        writeln!(out, "{name}_sum {}", self.seconds)?;
        writeln!(out, "{name}_count {all}")?;
        gauge(
            out,
            "http_requests_in_flight",
            "Requests now.",
            self.in_flight as f64,
        )?;
        let memory = resident_bytes();
        gauge(
            out,
            "process_resident_memory_bytes",
            "Memory in use.",
            memory,
        )?;
        let start = "process_start_time_seconds";
        gauge(out, start, "When the process began, since 1970.", self.born)?;
        let cpu = "process_cpu_seconds_total";
        head(out, cpu, "counter", "Processor time used.")?;
        let used = clock_gettime(ClockId::ProcessCPUTime);
        writeln!(out, "{cpu} {}.{:09}", used.tv_sec, used.tv_nsec)
    }
}

fn head(out: &mut String, name: &str, kind: &str, help: &str) -> std::fmt::Result {
    writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}")
}

fn gauge(out: &mut String, name: &str, help: &str, value: f64) -> std::fmt::Result {
    head(out, name, "gauge", help)?;
    writeln!(out, "{name} {value}")
}

/// The line `VmRSS` of `/proc/self/status`, proc(5); not a number where there is none.
fn resident_bytes() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok());
    kilobytes.map_or(f64::NAN, |kilobytes| kilobytes * 1024.0)
}
