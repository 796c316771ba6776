//! What can be typed after `report`.

use clap::Subcommand;

use crate::domain::Span;

/// What to report.
#[derive(Clone, Debug, Subcommand)]
pub enum ReportVerb {
    /// How often triggers, metrics and the judge spoke, and how often they were right.
    #[command(after_help = "\
Examples:
  holdpoint report triggers
  holdpoint report triggers --since 30d --json

Right is who spoke before a person paused the release or rolled it back; wrong is who spoke of a release
that succeeded without any of that. What an automatism rolled back is shown apart: nobody has said
whether it was right. Verdicts in shadow are scored like all others.")]
    Triggers {
        /// Only releases that were closed within this time, such as 30d.
        #[arg(long, value_name = "SPAN", value_parser = span)]
        since: Option<Span>,
    },
}

fn span(text: &str) -> Result<Span, String> {
    Span::parse(text).map_err(|_| format!("`{text}` is no time; write 12h, 7d or 30d"))
}
