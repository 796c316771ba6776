//! How Argo Rollouts counts measurements of an AnalysisRun, as hard limits here: cheap,
//! deterministic, without error control. (Read at Argo Rollouts `9f8d111d`; the holdpoint judge, section 5.)

use serde::{Deserialize, Serialize};

/// Where a measurement, a metric or a run is; worse ones are greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Phase {
    /// It went well.
    Successful,
    /// It goes on.
    Running,
    /// It has not begun.
    Pending,
    /// Neither condition held.
    Inconclusive,
    /// It could not be read.
    Error,
    /// The failure condition held.
    Failed,
}

impl Phase {
    /// Argo's word.
    pub const fn word(self) -> &'static str {
        match self {
            Phase::Successful => "Successful",
            Phase::Running => "Running",
            Phase::Pending => "Pending",
            Phase::Inconclusive => "Inconclusive",
            Phase::Error => "Error",
            Phase::Failed => "Failed",
        }
    }

    /// Whether nothing changes it any more.
    pub const fn is_final(self) -> bool {
        !matches!(self, Phase::Running | Phase::Pending)
    }
}

/// The limits of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Failed measurements beyond this fail it; negative for never.
    pub failure: i64,
    /// Inconclusive ones beyond this make it inconclusive.
    pub inconclusive: i64,
    /// Errors in a row beyond this make it an error.
    pub consecutive_error: i64,
    /// Successes in a row that end it well; 0 for no such rule.
    pub consecutive_success: i64,
    /// Measurements to take, errors not counted.
    pub count: Option<i64>,
    /// Whether measurements are repeated.
    pub interval: bool,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            failure: 0,
            inconclusive: 0,
            consecutive_error: 4,
            consecutive_success: 0,
            count: None,
            interval: true,
        }
    }
}

/// A metric and its measurements so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metric {
    limits: Limits,
    phase: Phase,
    successful: i64,
    failed: i64,
    inconclusive: i64,
    successes_in_a_row: i64,
    errors_in_a_row: i64,
}

impl Metric {
    /// No measurement yet.
    pub fn new(limits: Limits) -> Metric {
        Metric {
            limits,
            phase: Phase::Running,
            successful: 0,
            failed: 0,
            inconclusive: 0,
            successes_in_a_row: 0,
            errors_in_a_row: 0,
        }
    }

    /// Where it is.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Takes in a measurement; a final phase stays.
    pub fn take(&mut self, measured: Phase) -> Phase {
        if self.phase.is_final() {
            return self.phase;
        }
        match measured {
            Phase::Successful => {
                self.successful += 1;
                self.successes_in_a_row += 1;
                self.errors_in_a_row = 0;
            }
            Phase::Failed => {
                self.failed += 1;
                self.successes_in_a_row = 0;
                self.errors_in_a_row = 0;
            }
            Phase::Inconclusive => {
                self.inconclusive += 1;
                self.successes_in_a_row = 0;
                self.errors_in_a_row = 0;
            }
            Phase::Error => {
                self.errors_in_a_row += 1;
                self.successes_in_a_row = 0;
            }
            Phase::Running | Phase::Pending => return self.phase,
        }
        self.phase = self.assess();
        self.phase
    }

    fn assess(&self) -> Phase {
        let limits = &self.limits;
        if self.errors_in_a_row > limits.consecutive_error {
            return Phase::Error;
        }
        if self.inconclusive > limits.inconclusive {
            return Phase::Inconclusive;
        }
        if limits.failure >= 0 && self.failed > limits.failure {
            return Phase::Failed;
        }
        let row = limits.consecutive_success;
        if row > 0 && self.successes_in_a_row >= row {
            return Phase::Successful;
        }
        let once = (!limits.interval).then_some(1);
        let taken = self.successful + self.failed + self.inconclusive;
        match limits.count.or(once) {
            Some(count) if count > 0 && taken >= count => match (row > 0, limits.failure >= 0) {
                (false, _) => Phase::Successful,
                (true, true) => Phase::Inconclusive,
                (true, false) => Phase::Failed,
            },
            _ => Phase::Running,
        }
    }
}

/// The phase of a run: the worst of its metrics', dry runs left out by the caller.
pub fn worst(phases: impl IntoIterator<Item = Phase>) -> Phase {
    phases.into_iter().max().unwrap_or(Phase::Successful)
}

/// What two conditions make of a value; `None` where a condition is not given.
pub fn measurement(success: Option<bool>, failure: Option<bool>) -> Phase {
    match (success, failure) {
        (None, None) => Phase::Successful,
        (Some(good), None) if good => Phase::Successful,
        (Some(_), None) => Phase::Failed,
        (None, Some(bad)) if bad => Phase::Failed,
        (None, Some(_)) => Phase::Successful,
        (_, Some(true)) => Phase::Failed,
        (Some(true), _) => Phase::Successful,
        (Some(false), Some(false)) => Phase::Inconclusive,
    }
}
