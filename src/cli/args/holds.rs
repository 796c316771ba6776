//! What can be typed about evidence and waivers.

use std::path::PathBuf;

use clap::{Args, ValueHint};

/// Help of `release evidence`.
pub(super) const EVIDENCE: &str = "\
Examples:
  holdpoint release evidence R-7 scan-report --file report.html
  holdpoint release evidence R-7 rollback-tested --url https://ci.example.com/runs/991
  holdpoint release evidence R-7 digest-tested --digest sha256:3f2a...
  holdpoint release evidence R-7 go-no-go --statement \"go: staff is there, graphs are flat\"
  holdpoint release evidence R-7 go-no-go --revoke \"the database is slow\"

A file or page stays where it is; its SHA-256 is kept. Evidence may expire, and it counts for
exactly the artifacts of the plan it was handed in for.";

/// Help of `release waive`.
pub(super) const WAIVE: &str = "\
Examples:
  holdpoint release waive R-7 readiness.scan-clean --reason \"the scanner is down, scanned by hand\"
  holdpoint release waive R-7 dependency --reason \"R-4 was withdrawn, this one works without it\"

Votes, windows and freezes cannot be waived, nor what keeps instances safe.";

/// Evidence for a check.
#[derive(Clone, Debug, Args)]
pub struct EvidenceArgs {
    /// An id or a unique name.
    pub release: String,
    /// The check, as `release checks` names it.
    pub check: String,
    /// What is handed in.
    #[command(flatten)]
    pub what: EvidenceKind,
    /// The SHA-256 of the file or page (`sha256:...`), to make sure that it is the one you mean.
    #[arg(long, value_name = "SHA256")]
    pub sha256: Option<String>,
}

/// What is handed in: one of these.
#[derive(Clone, Debug, Args)]
#[group(required = true, multiple = false)]
pub struct EvidenceKind {
    /// A file.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: Option<PathBuf>,
    /// An address that can be read from here.
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url)]
    pub url: Option<String>,
    /// The digest of an artifact that was tested; may be given several times.
    #[arg(long, value_name = "DIGEST")]
    pub digest: Vec<String>,
    /// Your word.
    #[arg(long, value_name = "TEXT")]
    pub statement: Option<String>,
    /// Take back what was handed in, and why.
    #[arg(long, value_name = "TEXT")]
    pub revoke: Option<String>,
}

/// What is waived.
#[derive(Clone, Debug, Args)]
pub struct WaiveArgs {
    /// An id or a unique name.
    pub release: String,
    /// The hold: its id, its kind, or one check (`readiness.scan-clean`).
    pub hold: String,
    /// Why it is right to go on.
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
}
