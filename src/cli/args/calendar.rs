//! `calendar`: what can be typed.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum, ValueHint};

use crate::domain::calendar::Scope;
use crate::domain::{EnvName, ServiceName};

/// What to do with the calendar.
#[derive(Clone, Debug, Subcommand)]
pub enum CalendarVerb {
    /// What comes: windows, freezes, lockdowns, exemptions, releases.
    #[command(
        visible_alias = "agenda",
        after_help = "\
Examples:
  holdpoint calendar show
  holdpoint calendar show --days 60 --environment prod-eu"
    )]
    Show {
        /// How many days ahead.
        #[arg(long, value_name = "N", default_value_t = 14, value_parser = clap::value_parser!(u16).range(1..=400))]
        days: u16,
        /// Only this environment.
        #[arg(long, value_name = "NAME")]
        environment: Option<String>,
    },
    /// Windows that never open, are always open, or lie in a freeze.
    Lint,
    /// Releases that get into each other's way.
    Conflicts,
    /// Print everything as an iCalendar file.
    #[command(after_help = "\
Example:
  holdpoint calendar export > room.ics")]
    Export,
    /// Turn an iCalendar file into lines for calendar.toml, and print them.
    #[command(after_help = "\
Example:
  holdpoint calendar import blackout.ics --kind freeze --owner operations --environment prod-eu

Nothing is changed. To follow a file that somebody else keeps, name it in an [[import]] of
calendar.toml instead: the engine reads it whenever it changes.")]
    Import {
        /// The file; `-` reads it from stdin.
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
        /// What its events become.
        #[arg(long, value_enum, default_value_t = ImportAs::Freeze)]
        kind: ImportAs,
        /// The group or person who answers for them.
        #[arg(long, value_name = "NAME")]
        owner: String,
        /// The zone of all-day events and of times without one.
        #[arg(long, value_name = "ZONE", default_value = "UTC")]
        zone: String,
        /// For what.
        #[command(flatten)]
        scope: ScopeArgs,
    },
    /// Ask for an exemption from a window or a freeze; somebody else has to approve it.
    #[command(after_help = "\
Example:
  holdpoint calendar exempt year-end --release R-7 --environment prod-eu \\
      --reason \"fix for double charges\" --ticket INC-4711 --until 2026-12-23T06:00

Prints the exemption's number. From a lockdown nothing is exempt.")]
    Exempt {
        /// The window or freeze.
        rule: String,
        /// For what.
        #[command(flatten)]
        scope: ScopeArgs,
        /// Only this release.
        #[arg(long, value_name = "ID")]
        release: Option<String>,
        /// Why.
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// The record that asks for it.
        #[arg(long, value_name = "TEXT")]
        ticket: String,
        /// When it is over: 4h, 2d, 2026-12-23T06:00 (in the environment's zone), or with an offset.
        #[arg(long, value_name = "TIME")]
        until: String,
    },
    /// Approve an exemption that somebody else has asked for.
    Approve {
        /// Its number: X-3.
        exemption: String,
    },
    /// End an exemption, or drop a request.
    Revoke {
        /// Its number: X-3.
        exemption: String,
        /// Why.
        #[arg(long, value_name = "TEXT")]
        why: Option<String>,
    },
    /// Let nothing go forward, at once; rolling back still works.
    #[command(after_help = "\
Examples:
  holdpoint calendar lockdown --environment prod-eu --reason \"database failover\"
  holdpoint calendar lockdown --everything --reason \"suspected break-in\"

It stands until somebody else lifts it.")]
    Lockdown {
        /// For what.
        #[command(flatten)]
        scope: ScopeArgs,
        /// Everything in the room.
        #[arg(long, conflicts_with_all = ["environment", "service", "team"])]
        everything: bool,
        /// Why.
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Lift a lockdown that somebody else has ordered: what it held goes on.
    Lift {
        /// Its number: L-2.
        lockdown: String,
        /// Why.
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
}

/// What something is about. Several of a kind may be named.
#[derive(Clone, Debug, Default, Args)]
pub struct ScopeArgs {
    /// In this environment.
    #[arg(long, value_name = "NAME")]
    pub environment: Vec<String>,
    /// For this service.
    #[arg(long, value_name = "NAME")]
    pub service: Vec<String>,
    /// For the services of this team.
    #[arg(long, value_name = "NAME")]
    pub team: Vec<String>,
}

impl ScopeArgs {
    /// Whether nothing was named.
    pub fn is_empty(&self) -> bool {
        self.environment.is_empty() && self.service.is_empty() && self.team.is_empty()
    }

    /// The scope.
    pub fn scope(&self) -> Scope {
        Scope {
            environments: self
                .environment
                .iter()
                .map(|e| EnvName::from(&**e))
                .collect(),
            services: self
                .service
                .iter()
                .map(|s| ServiceName::from(&**s))
                .collect(),
            teams: self.team.iter().map(|t| t.as_str().into()).collect(),
        }
    }
}

/// What the events of a calendar become.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ImportAs {
    /// Freezes.
    Freeze,
    /// Windows.
    Window,
}

impl ImportAs {
    /// The name of the list in calendar.toml.
    pub const fn word(self) -> &'static str {
        match self {
            ImportAs::Freeze => "freeze",
            ImportAs::Window => "window",
        }
    }
}
