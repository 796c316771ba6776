//! What can be typed after `policy`.

use std::path::PathBuf;

use clap::{Subcommand, ValueHint};

/// What to ask of policy.
#[derive(Clone, Debug, Subcommand)]
pub enum PolicyVerb {
    /// The rules in force, in their order, and how risk is reckoned.
    Show,
    /// What policy says of a release: its risk factor by factor, its rule, and why.
    Explain {
        /// An id or a unique name.
        release: String,
    },
    /// Try the room's policy on dated cases, before the night it matters.
    #[command(after_help = "\
Examples:
  holdpoint --room my-room policy test cases.toml
  holdpoint --room my-room policy test cases.toml --policy new-policy.toml

A case says what is released when, and what is expected:

  [[case]]
  name = \"payments on a Saturday night\"
  at = \"2026-11-21T02:00\"             # in the zone of the environment
  plan = \"payments.yaml\"              # beside this file; or environment, services, kind,
                                       # schema_change, lines_changed, deletes, rollback_tested
  history = { of = 5, rolled_back = 1 }
  freeze_in = \"2d\"
  expect = { rule = \"production\", groups = { security = 1, operations = 1 }, level = \"high\" }

It needs no engine. Exit code 1: a case came out otherwise; 2: the file has mistakes.")]
    Test {
        /// The cases, TOML.
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
        /// Another policy than the room's.
        #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
        policy: Option<PathBuf>,
    },
    /// Which open releases another policy would treat differently, and how.
    #[command(after_help = "\
Example:
  holdpoint --room my-room policy diff new-policy.toml")]
    Diff {
        /// The other policy; `-` reads it from stdin.
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
    },
}
