//! What the looks have brought, kept beside the ledger in a file of its own: after a restart the
//! charts are there again, and counts that are added up over several looks go on.
//!
//! It is no record of anything: what was decided, and on which numbers by digest, is in the ledger.
//! Whatever is wrong with the file costs the charts their past and nothing else.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::domain::live::CHART_POINTS;
use crate::domain::text::printable;
use crate::domain::{MetricVerdict, ReleaseId, ServiceName, Span, Timestamp};
use crate::engine::board::Board;
use crate::engine::explain;
use crate::judge::Sample;
use crate::ledger::telemetry::{Limits, Sample as Row, Telemetry, TelemetryError};

/// What is kept: of a release three times what its charts show, and of all of them as much as fits
/// a hundred megabytes at a kilobyte a look.
const LIMITS: Limits = Limits {
    per_release: 3 * CHART_POINTS as u64,
    overall: 100_000,
};

/// The most that one look takes up, in bytes. Above that its charts are kept and its counts are
/// not: somebody's histogram has very many buckets.
const LARGEST: usize = 16 * 1024;

/// The most letters of a sentence that is read back.
const WORDS: usize = 300;

/// How long people are told that a damaged file was moved aside.
const TOLD: Span = Span::mins(60);

/// One look at one release.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Record {
    /// In which batch its numbers were gathered.
    pub batch: usize,
    /// What was seen, in the order of the charts.
    pub metrics: Vec<Kept>,
}

/// One metric of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Kept {
    pub service: ServiceName,
    pub verdict: MetricVerdict,
    /// The chart's point: canary and baseline.
    pub point: (Option<f64>, Option<f64>),
    /// What this look alone brought; `None` where it was too much to keep.
    #[serde(with = "exact")]
    pub brought: Option<(Sample, Sample)>,
}

/// Samples with their floats to the last bit: histograms are added up only where their bounds are
/// the same, and JSON may be read back a bit beside what was written.
mod exact {
    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::judge::Sample;

    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    enum Bits {
        Ratio { bad: u64, total: u64 },
        Histogram { bounds: Vec<u64>, counts: Vec<u64> },
        Gauge { mean: u64, n: u32 },
        Missing { why: Arc<str> },
    }

    fn to(sample: &Sample) -> Bits {
        match sample.clone() {
            Sample::Ratio { bad, total } => Bits::Ratio { bad, total },
            Sample::Histogram { bounds, counts } => Bits::Histogram {
                bounds: bounds.into_iter().map(f64::to_bits).collect(),
                counts,
            },
            Sample::Gauge { mean, n } => Bits::Gauge {
                mean: mean.to_bits(),
                n,
            },
            Sample::Missing { why } => Bits::Missing { why },
        }
    }

    fn from(bits: Bits) -> Sample {
        match bits {
            Bits::Ratio { bad, total } => Sample::Ratio { bad, total },
            Bits::Histogram { bounds, counts } => Sample::Histogram {
                bounds: bounds.into_iter().map(f64::from_bits).collect(),
                counts,
            },
            Bits::Gauge { mean, n } => Sample::Gauge {
                mean: f64::from_bits(mean),
                n,
            },
            Bits::Missing { why } => Sample::Missing { why },
        }
    }

    pub fn serialize<S: Serializer>(
        it: &Option<(Sample, Sample)>,
        s: S,
    ) -> Result<S::Ok, S::Error> {
        it.as_ref().map(|(a, b)| (to(a), to(b))).serialize(s)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(
        d: D,
    ) -> Result<Option<(Sample, Sample)>, D::Error> {
        let bits = Option::<(Bits, Bits)>::deserialize(d)?;
        Ok(bits.map(|(a, b)| (from(a), from(b))))
    }
}

/// The file.
pub(super) struct Past {
    /// `None`: nothing is kept.
    path: Option<PathBuf>,
    open: Option<Telemetry>,
    board: Board,
    moved: Option<Timestamp>,
}

impl Past {
    /// Nothing is opened yet.
    pub fn new(path: Option<PathBuf>, board: Board) -> Past {
        Past {
            path,
            open: None,
            board,
            moved: None,
        }
    }

    /// The looks at a release of which charts are made, oldest first.
    pub async fn of(&mut self, release: ReleaseId, now: Timestamp) -> Vec<(Timestamp, Record)> {
        // where there is no file, none is made for being read
        if !self.path.as_ref().is_some_and(|path| path.exists()) {
            return Vec::new();
        }
        let rows = match self.opened().await {
            Ok(Some(open)) => open.load(release.0, CHART_POINTS as u64).await,
            Ok(None) => Ok(Vec::new()),
            Err(error) => Err(error),
        };
        let rows = self.tell(rows, now).unwrap_or_default();
        let read = |(at, bytes): (i64, Vec<u8>)| {
            // another version's, or damaged: as if it had not been kept
            let record: Record = serde_json::from_slice(&bytes).ok()?;
            Some((Timestamp(at), record.cleaned()))
        };
        rows.into_iter().filter_map(read).collect()
    }

    /// Keeps what a round of looks has brought.
    pub async fn keep(&mut self, looks: Vec<(ReleaseId, Timestamp, Record)>, now: Timestamp) {
        if self.moved.is_some_and(|at| now.since(at) > TOLD) {
            self.moved = None;
            self.board.calm(explain::TELEMETRY_MOVED, None);
        }
        // the last of a full disk belongs to the ledger
        if looks.is_empty() || self.board.now().ledger.broken.is_some() {
            return;
        }
        let row = |(release, at, record): (ReleaseId, Timestamp, Record)| Row {
            release: release.0,
            at_ms: at.0,
            bytes: record.bytes(),
        };
        let rows: Vec<Row> = looks.into_iter().map(row).collect();
        let put = match self.opened().await {
            Ok(Some(open)) => open.put(&rows).await,
            Ok(None) => Ok(()),
            Err(error) => Err(error),
        };
        self.tell(put, now);
    }

    async fn opened(&mut self) -> Result<Option<&mut Telemetry>, TelemetryError> {
        let Some(path) = &self.path else {
            return Ok(None);
        };
        let open = match self.open.take() {
            Some(open) => open,
            None => Telemetry::open(path, LIMITS).await?,
        };
        Ok(Some(self.open.insert(open)))
    }

    /// Tells people what went wrong, and when it works again.
    fn tell<T>(&mut self, went: Result<T, TelemetryError>, now: Timestamp) -> Option<T> {
        let moved = self.open.as_mut().map(Telemetry::take_moved_aside);
        if let Some(last) = moved.unwrap_or_default().last() {
            self.moved = Some(now);
            self.board.alert(explain::telemetry_moved(last));
        }
        match went {
            Ok(it) => {
                self.board.calm(explain::TELEMETRY_FAILED, None);
                Some(it)
            }
            Err(error) => {
                self.board.alert(explain::telemetry_failed(&error));
                None
            }
        }
    }
}

impl Record {
    fn bytes(mut self) -> Vec<u8> {
        let bytes = serde_json::to_vec(&self).unwrap_or_default();
        if bytes.len() <= LARGEST {
            return bytes;
        }
        for kept in &mut self.metrics {
            kept.brought = None;
        }
        serde_json::to_vec(&self).unwrap_or_default()
    }

    /// The file may be anybody's: no more of it is believed than a look could have brought.
    fn cleaned(mut self) -> Record {
        for kept in &mut self.metrics {
            kept.verdict.words = printable(&kept.verdict.words, WORDS).into();
            let sane = |(canary, baseline): &(Sample, Sample)| sane(canary) && sane(baseline);
            kept.brought = kept.brought.take().filter(sane);
        }
        self
    }
}

/// Whether a sample is one that a look can bring; sums over many of them cannot overflow.
fn sane(sample: &Sample) -> bool {
    const MOST: u64 = 1 << 53;
    match sample {
        Sample::Ratio { bad, total } => bad <= total && *total <= MOST,
        Sample::Histogram { bounds, counts } => {
            counts.len() == bounds.len() + 1
                && bounds.is_sorted_by(|a, b| a < b)
                && counts.iter().all(|n| *n <= MOST)
        }
        Sample::Gauge { mean, .. } => mean.is_finite(),
        Sample::Missing { .. } => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Call;

    fn record(brought: (Sample, Sample), words: &str) -> Record {
        Record {
            batch: 1,
            metrics: vec![Kept {
                service: "payments".into(),
                verdict: MetricVerdict {
                    metric: "errors".into(),
                    call: Call::Pass,
                    streak: 2,
                    words: words.into(),
                    inputs: "".into(),
                    shadow: false,
                },
                point: (Some(0.1), None),
                brought: Some(brought),
            }],
        }
    }

    fn ratio(bad: u64, total: u64) -> Sample {
        Sample::Ratio { bad, total }
    }

    #[test]
    fn a_look_is_read_back_as_it_was_kept() {
        let bounds = (1..40).map(|n| 1.1_f64.powi(n)).collect::<Vec<f64>>();
        let histogram = Sample::Histogram {
            counts: vec![7; bounds.len() + 1],
            bounds,
        };
        for sample in [
            ratio(1, 10),
            histogram,
            Sample::Gauge {
                mean: 0.1 + 0.2,
                n: 3,
            },
        ] {
            let kept = record((sample, Sample::missing("first look")), "10 % of 10");
            let read: Record = serde_json::from_slice(&kept.clone().bytes()).unwrap();
            assert_eq!(read.cleaned(), kept);
        }
    }

    #[test]
    fn a_look_that_is_too_large_keeps_its_charts() {
        let many = Sample::Histogram {
            bounds: (0..20_000).map(f64::from).collect(),
            counts: vec![1; 20_001],
        };
        let bytes = record((many.clone(), many), "fine").bytes();
        assert!(bytes.len() <= LARGEST, "{} bytes", bytes.len());
        let read: Record = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(read.metrics[0].brought, None);
        assert_eq!(read.metrics[0].point, (Some(0.1), None));
    }

    #[test]
    fn what_no_look_brings_is_not_believed() {
        let impossible = [
            ratio(2, 1),
            ratio(0, u64::MAX),
            Sample::Histogram {
                bounds: vec![1.0, 1.0],
                counts: vec![0; 3],
            },
            Sample::Histogram {
                bounds: vec![1.0],
                counts: vec![0; 3],
            },
            Sample::Gauge {
                mean: f64::NAN,
                n: 1,
            },
        ];
        for sample in impossible {
            let read = record((ratio(0, 1), sample.clone()), "\u{1b}[2Jfine").cleaned();
            assert_eq!(read.metrics[0].brought, None, "{sample:?}");
            assert!(!read.metrics[0].verdict.words.contains('\u{1b}'));
        }
    }
}
