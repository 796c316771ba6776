//! What the looks have brought, kept beside the ledger in a file of its own: after a restart the
//! charts are there again, and the evidence goes on where it was, to the last digit.
//!
//! It is no record of anything: what was decided, and on which numbers by digest, is in the ledger.
//! Whatever is wrong with the file costs the charts their past and the evidence what it was so far.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::gathered::Memory;
use super::weighing::Weighing;
use crate::domain::live::CHART_POINTS;
use crate::domain::text::printable;
use crate::domain::{
    Judgement, MetricVerdict, ReleaseId, ServiceName, SourceName, Span, Timestamp,
};
use crate::engine::board::Board;
use crate::engine::explain;
use crate::ledger::telemetry::{Limits, Sample as Row, Telemetry, TelemetryError};

/// What is kept: of a release three times what its charts show, and of all of them as much as fits
/// a hundred megabytes at a kilobyte a look.
const LIMITS: Limits = Limits {
    per_release: 3 * CHART_POINTS as u64,
    overall: 100_000,
};

/// The most that has to be known of a release to go on, in bytes. Above that it is not kept, and after
/// a restart its evidence begins anew: somebody has very many series.
const LARGEST: usize = 16 * 1024 * 1024;

/// The most letters of a sentence that is read back.
const WORDS: usize = 600;

/// How long people are told that a damaged file was moved aside.
const TOLD: Span = Span::mins(60);

/// One look at one release, for its charts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Record {
    /// In which batch it was taken.
    pub batch: usize,
    /// What was seen, in the order of the charts.
    pub metrics: Vec<Kept>,
}

/// One metric of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Kept {
    pub service: ServiceName,
    pub verdict: MetricVerdict,
    /// The chart's point, canary and baseline; `None` where no look was taken.
    pub point: Option<(Option<f64>, Option<f64>)>,
}

/// What has to be known of a release to go on where it was, to the last digit.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Latest {
    /// When the last look was taken.
    pub at: Timestamp,
    /// In which batch.
    pub batch: usize,
    /// The evidence.
    pub weighing: Weighing,
    /// What was gathered of each metric.
    pub metrics: Vec<Memory>,
    /// What the sources remember, by service.
    pub sources: Vec<(ServiceName, Option<SourceName>, Box<RawValue>)>,
    /// What the judge said last.
    pub judgements: Vec<Judgement>,
}

/// What a round of looks has brought of one release.
#[derive(Debug)]
pub(super) struct Brought {
    pub release: ReleaseId,
    pub at: Timestamp,
    pub record: Record,
    /// What has to be known to go on, written down.
    pub latest: Vec<u8>,
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

    /// What has to be known of a release to go on where it was; nothing where it is not known, or
    /// was written by another version.
    pub async fn latest(&mut self, release: ReleaseId, now: Timestamp) -> Option<Latest> {
        if !self.path.as_ref().is_some_and(|path| path.exists()) {
            return None;
        }
        let bytes = match self.opened().await {
            Ok(Some(open)) => open.latest(release.0).await,
            Ok(None) => Ok(None),
            Err(error) => Err(error),
        };
        let bytes = self.tell(bytes, now).flatten()?;
        serde_json::from_slice(&bytes).ok()
    }

    /// Drops what is known of all releases but those that are looked at.
    pub async fn forget_others(&mut self, watched: &[u64], now: Timestamp) {
        // where there is no file, none is made for that
        if self.open.is_none() {
            return;
        }
        let gone = match self.opened().await {
            Ok(Some(open)) => open.keep_latest(watched).await,
            Ok(None) => Ok(()),
            Err(error) => Err(error),
        };
        self.tell(gone, now);
    }

    /// Keeps what a round of looks has brought.
    pub async fn keep(&mut self, looks: Vec<Brought>, now: Timestamp) {
        if self.moved.is_some_and(|at| now.since(at) > TOLD) {
            self.moved = None;
            self.board.calm(explain::TELEMETRY_MOVED, None);
        }
        // the last of a full disk belongs to the ledger
        if looks.is_empty() || self.board.now().ledger.broken.is_some() {
            return;
        }
        let (mut rows, mut latest) = (Vec::new(), Vec::new());
        for look in looks {
            rows.push(Row {
                release: look.release.0,
                at_ms: look.at.0,
                bytes: serde_json::to_vec(&look.record).unwrap_or_default(),
            });
            if look.latest.len() <= LARGEST {
                latest.push((look.release.0, look.latest));
            }
        }
        let put = match self.opened().await {
            Ok(Some(open)) => open.put_with(&rows, &latest).await,
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
    /// The file may be anybody's: no more of it is believed than a look could have brought.
    fn cleaned(mut self) -> Record {
        for kept in &mut self.metrics {
            kept.verdict.words = printable(&kept.verdict.words, WORDS).into();
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Call;

    #[test]
    fn a_look_is_read_back_as_it_was_kept() {
        let record = Record {
            batch: 1,
            metrics: vec![Kept {
                service: "payments".into(),
                verdict: MetricVerdict {
                    metric: "errors".into(),
                    call: Call::Pass,
                    streak: 2,
                    words: "\u{1b}[2Jfine".into(),
                    inputs: "".into(),
                    shadow: false,
                },
                point: Some((Some(0.1), None)),
            }],
        };
        let bytes = serde_json::to_vec(&record).unwrap();
        let read: Record = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(read, record);
        let cleaned = read.cleaned();
        assert!(!cleaned.metrics[0].verdict.words.contains('\u{1b}'));
    }

    #[test]
    fn looks_from_before_the_judge_are_drawn() {
        let old = r#"{"batch": 1, "metrics": [{"service": "web", "point": [0.1, 0.2], "verdict":
            {"metric": "errors", "call": "pass", "streak": 3, "words": "fine", "inputs": ""},
            "brought": [{"ratio": {"bad": 1, "total": 2}}, {"missing": {"why": "x"}}]}]}"#;
        let read: Record = serde_json::from_str(old).unwrap();
        assert_eq!(read.metrics[0].point, Some((Some(0.1), Some(0.2))));
    }
}
