//! What can be typed: the commands, their options, their help.
//!
//! The same words are read on both sides of a socket: the client reads them to find mistakes and
//! files at once, the engine's side reads them again to carry them out.

mod calendar;
mod doctor;
mod holds;
mod policy;
mod report;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};

use super::judge_args::JudgeArgs;
use crate::domain::charter::Right;
use crate::domain::{Choice, Span};

pub use calendar::{CalendarVerb, ImportAs, ScopeArgs};
pub use doctor::{DoctorArgs, InitArgs};
pub use holds::{EvidenceArgs, EvidenceKind, WaiveArgs};
pub use policy::PolicyVerb;
pub use report::ReportVerb;

use holds::{EVIDENCE, WAIVE};

/// The control room for releases, in a terminal.
///
/// Without a command, this opens the room: the engine of the room must run (`holdpoint serve`).
#[derive(Clone, Debug, Parser)]
#[command(
    name = "holdpoint",
    version,
    max_term_width = 100,
    after_help = EXAMPLES,
    after_long_help = EXAMPLES_LONG,
    disable_help_subcommand = true
)]
pub struct Cli {
    /// What every command takes.
    #[command(flatten)]
    pub common: Common,
    /// The command; the room without one.
    #[command(subcommand)]
    pub verb: Option<Verb>,
}

const EXAMPLES: &str = "\
Examples:
  holdpoint demo                          a room over a small fleet on this machine
  holdpoint init my-room                  write a room of your own, with comments
  holdpoint --room my-room check          say what is wrong with its files
  holdpoint --room my-room serve          run its engine
  holdpoint --room my-room                open it

Exit codes: 0 done, 1 refused, 2 bad input, 3 unreachable, 4 waited in vain.";

const EXAMPLES_LONG: &str = "\
Examples:
  holdpoint demo                          a room over a small fleet on this machine
  holdpoint init my-room                  write a room of your own, with comments
  holdpoint --room my-room check          say what is wrong with its files
  holdpoint --room my-room serve          run its engine
  holdpoint --room my-room                open it

  export HOLDPOINT_ROOM=my-room
  holdpoint release submit plan.yaml      take a plan in
  holdpoint vote R-1 approve --as kim     vote as kim, with the token in keys/kim.token
  holdpoint release start R-1
  holdpoint release wait R-1 --until succeeded --timeout 2h

Exit codes:
  0  done: what was asked is durable (not: finished)
  1  refused, or a wait that ended another way
  2  bad input or usage
  3  no engine can be reached
  4  waited in vain";

/// What every command takes.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Everywhere")]
pub struct Common {
    /// The room's directory; else HOLDPOINT_ROOM, else this user's standard directory.
    #[arg(long, global = true, value_name = "DIR", env = "HOLDPOINT_ROOM", hide_env = true, value_hint = ValueHint::DirPath)]
    pub room: Option<PathBuf>,
    /// Act as this person, with the token in keys/NAME.token or HOLDPOINT_TOKEN.
    #[arg(long = "as", global = true, value_name = "NAME")]
    pub as_name: Option<String>,
    /// Print JSON: one object, or one per line; errors go to stderr as JSON too.
    #[arg(long, global = true)]
    pub json: bool,
}

/// The commands.
#[derive(Clone, Debug, Subcommand)]
pub enum Verb {
    /// Open a room over a real small fleet of processes on this machine.
    #[command(after_help = "\
Examples:
  holdpoint demo
  holdpoint demo --headless --room /tmp/room     the same without a terminal; prints where the room is

Without --room it plays in a directory of its own and takes it away afterwards.")]
    Demo(DemoArgs),
    /// Write a new room with comments, ready to be edited.
    #[command(after_help = "\
Examples:
  holdpoint init my-room
  holdpoint init                          into the standard directory
  holdpoint init my-room --from-kube      with what runs in the cluster of your kubeconfig
  holdpoint init my-room --from-kube --namespace shop --context prod-eu

Nothing is ever overwritten, and nothing in a cluster is changed.")]
    Init(InitArgs),
    /// Say what is wrong with a room, a plan, a keymap or a theme.
    #[command(after_help = "\
Examples:
  holdpoint check                         the room
  holdpoint check my-room                 another one
  holdpoint check plan.yaml               a plan, against the room's people and catalog
  holdpoint check keymap.toml theme.toml")]
    Check {
        /// Room directories and files; without any, the room.
        #[arg(value_hint = ValueHint::AnyPath)]
        paths: Vec<PathBuf>,
        /// What the files are, where their content does not tell.
        #[arg(long, value_enum)]
        kind: Option<FileKind>,
    },
    /// Say what the room's targets need of the world outside, and what is missing.
    #[command(after_help = "\
Examples:
  holdpoint doctor
  holdpoint doctor --rbac --subject serviceaccount:ops/holdpoint | kubectl apply -f -

It asks every cluster, program and store, changes nothing, and needs no engine. Exit code 0: nothing is
missing. 1: something is.")]
    Doctor(DoctorArgs),
    /// Run the room's engine, without a terminal.
    #[command(after_help = "\
Examples:
  holdpoint --room my-room serve
  holdpoint --room my-room serve &        then open the room with `holdpoint --room my-room`

It runs until it gets SIGINT or SIGTERM; what it has begun outside goes on and is taken up again.")]
    Serve,
    /// Submit, watch and control releases.
    #[command(visible_alias = "releases")]
    Release {
        /// What to do.
        #[command(subcommand)]
        verb: ReleaseVerb,
    },
    /// Vote on a release.
    #[command(after_help = "\
Examples:
  holdpoint vote R-7 approve
  holdpoint vote R-7 object --comment \"the migration has no way back\"
  holdpoint vote R-7 approve --digest 9f31c2aa     only if that is the plan

approve          one of the votes that are needed
reject           closes the release
object           blocks it until you withdraw it, or somebody with `overrule` overrules it
request-changes  blocks it until its plan is changed (`release update`); needs a --comment
abstain          says that you have looked
withdraw         takes your vote back

A vote can be changed until the release is started, and counts on exactly the plan that you voted
on. Who submitted it, or changed its plan, never votes; nor do the authors of its commits and who
started its pipeline, where policy says so.")]
    Vote {
        /// An id or a unique name.
        release: String,
        /// What you say.
        #[arg(value_enum)]
        choice: ChoiceArg,
        /// Why.
        #[arg(long, value_name = "TEXT")]
        comment: Option<String>,
        /// The digest of the plan you have read, or its first eight digits; refused if it is another.
        #[arg(long, value_name = "DIGEST")]
        digest: Option<String>,
    },
    /// Give somebody authority for a while, or take it back.
    Authority {
        /// What to do.
        #[command(subcommand)]
        verb: AuthorityVerb,
    },
    /// Reviews after emergencies.
    Pir {
        /// What to do.
        #[command(subcommand)]
        verb: PirVerb,
    },
    /// Who must approve what, how risky a release is, and why.
    Policy {
        /// What to do.
        #[command(subcommand)]
        verb: PolicyVerb,
    },
    /// Windows, freezes, exemptions, lockdowns.
    Calendar {
        /// What to do.
        #[command(subcommand)]
        verb: CalendarVerb,
    },
    /// What the ledger says about how well things work.
    Report {
        /// What to report.
        #[command(subcommand)]
        verb: ReportVerb,
    },
    /// Read the ledger, and back it up.
    Ledger {
        /// What to do.
        #[command(subcommand)]
        verb: LedgerVerb,
    },
    /// Judge recorded samples, say what a rollout can see, or check the judge itself.
    #[command(after_help = super::judge_args::EXAMPLES, after_long_help = super::judge_args::FORMATS)]
    Judge(JudgeArgs),
    /// Make a token for somebody, for --as and for pipelines.
    #[command(after_help = "\
Example:
  holdpoint --room my-room token ci       writes keys/ci.token, prints the line for people.toml")]
    Token {
        /// Whose: the name in people.toml.
        name: String,
    },
    /// Print the keys of the room.
    #[command(after_help = "\
Your own keymap.toml (in the configuration directory, ~/.config/holdpoint) is layered over the
built-in one; `holdpoint check keymap.toml` says what is wrong with it.")]
    Keys {
        /// As a table in Markdown.
        #[arg(long)]
        markdown: bool,
    },
    /// Print a completion script.
    #[command(after_help = "\
Examples:
  holdpoint completions bash > ~/.local/share/bash-completion/completions/holdpoint
  holdpoint completions zsh > \"${fpath[1]}/_holdpoint\"
  holdpoint completions fish > ~/.config/fish/completions/holdpoint.fish")]
    Completions {
        /// For which shell.
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
    /// Print the JSON schema of what --json prints.
    #[command(after_help = "\
Examples:
  holdpoint schema                        the names
  holdpoint schema release")]
    Schema {
        /// Which; without one, all names.
        name: Option<String>,
    },
}

/// Options of the demo.
#[derive(Clone, Debug, Default, Args)]
pub struct DemoArgs {
    /// Without a terminal: print where the room is and run until SIGINT or SIGTERM.
    #[arg(long)]
    pub headless: bool,
    /// Fixes plans, traffic and votes.
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
}

/// What to do with releases.
#[derive(Clone, Debug, Subcommand)]
pub enum ReleaseVerb {
    /// Take a plan in.
    #[command(after_help = "\
Examples:
  holdpoint release submit plan.yaml
  holdpoint release submit - < plan.toml
  holdpoint release submit plan.yaml --dry-run     say what would happen, submit nothing

Prints the release's id. A plan with mistakes is not submitted; every mistake is shown.")]
    Submit {
        /// The plan, YAML or TOML; `-` reads it from stdin.
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
        /// Say what would happen, and submit nothing.
        #[arg(long)]
        dry_run: bool,
    },
    /// Put a changed plan in the place of a release's plan, before it is started.
    #[command(after_help = "\
Examples:
  holdpoint release update R-7 plan.yaml --dry-run     the difference, field by field; changes nothing
  holdpoint release update R-7 plan.yaml

The release keeps its id, its log and its evidence. Votes were given to the plan before and are void;
where nothing but the times of the window is different, policy says whether they stand. Whoever
changes a plan has no vote on it.")]
    Update {
        /// An id or a unique name.
        release: String,
        /// The changed plan, YAML or TOML; `-` reads it from stdin.
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
        /// Show the difference, and change nothing.
        #[arg(long)]
        dry_run: bool,
    },
    /// Let somebody's objection no longer block; needs the right `overrule`.
    #[command(after_help = "\
Example:
  holdpoint release overrule R-7 --objector bo --why \"the way back was tested on Tuesday, see OPS-9\"")]
    Overrule {
        /// An id or a unique name.
        release: String,
        /// Whose objection, or request for changes.
        #[arg(long, value_name = "NAME")]
        objector: String,
        /// Why it does not count.
        #[arg(long, value_name = "TEXT")]
        why: String,
    },
    /// All releases: what each waits for, and on whom.
    #[command(visible_alias = "ls")]
    List {
        /// Closed ones as well.
        #[arg(long, short)]
        all: bool,
    },
    /// One release: its ladder, what it waits for, what comes next.
    Show {
        /// An id or a unique name.
        release: String,
    },
    /// Why it waits: every hold of the calendar with its owner, and when it may move.
    Why {
        /// An id or a unique name.
        release: String,
    },
    /// When the calendar allows it next, within 90 days.
    When {
        /// An id or a unique name.
        release: String,
    },
    /// Its checklist: what clears each check, and how it stands.
    Checks {
        /// An id or a unique name.
        release: String,
    },
    /// Hand in evidence for a check of its checklist.
    #[command(after_help = EVIDENCE)]
    Evidence(EvidenceArgs),
    /// Let it pass a hold, with a reason; needs the right `waive`.
    #[command(after_help = WAIVE)]
    Waive(WaiveArgs),
    /// Start it, once it is approved.
    Start {
        /// An id or a unique name.
        release: String,
    },
    /// Hold it where it is, at once.
    #[command(visible_alias = "hold")]
    Pause {
        /// An id or a unique name.
        release: String,
        /// Why.
        #[arg(long, value_name = "TEXT")]
        why: Option<String>,
    },
    /// Let it go on after a pause.
    Resume {
        /// An id or a unique name.
        release: String,
    },
    /// Clear the manual hold it stands at.
    Promote {
        /// An id or a unique name.
        release: String,
        /// The hold you have seen (`b1.after.2`); refused if it stands elsewhere by now.
        #[arg(long, value_name = "HOLD", conflicts_with = "all")]
        hold: Option<String>,
        /// All that is left of it: skips manual holds, bakes and analyses between its batches, and
        /// the platform's own.
        #[arg(long, requires = "why")]
        all: bool,
        /// Why; needed with `--all`.
        #[arg(long, value_name = "TEXT", requires = "all")]
        why: Option<String>,
    },
    /// Repeat failed calls.
    Retry {
        /// An id or a unique name.
        release: String,
        /// Only on this instance.
        #[arg(long, value_name = "NAME")]
        instance: Option<String>,
    },
    /// Bring back what ran before, at once.
    #[command(visible_alias = "roll-back")]
    Rollback {
        /// An id or a unique name.
        release: String,
        /// Why.
        #[arg(long, value_name = "TEXT")]
        why: Option<String>,
    },
    /// Take it back before anything moved: withdrawn by who submitted it, else cancelled.
    #[command(visible_alias = "withdraw")]
    Cancel {
        /// An id or a unique name.
        release: String,
        /// Why.
        #[arg(long, value_name = "TEXT")]
        why: Option<String>,
    },
    /// Leave the handover note of its observation period.
    #[command(after_help = "\
Example:
  holdpoint release handover R-7 --note \"quiet; the p99 alert at 02:40 was the backup job\"")]
    Handover {
        /// An id or a unique name.
        release: String,
        /// What the next shift must know.
        #[arg(long, value_name = "TEXT")]
        note: String,
    },
    /// Wait until it has come somewhere.
    #[command(after_help = "\
Examples:
  holdpoint release wait R-7 --until approved --timeout 8h
  holdpoint release wait R-7 --until succeeded --timeout 7200

Exit code 0: it is there, or has been. 1: it cannot come there any more. 4: time is up.")]
    Wait {
        /// An id or a unique name.
        release: String,
        /// Where.
        #[arg(long, value_enum, value_name = "PHASE")]
        until: Until,
        /// How long at most: seconds, or 90s, 5m, 2h; without one, as long as it takes.
        #[arg(long, value_name = "TIME", value_parser = timeout)]
        timeout: Option<Span>,
    },
}

/// What to do with authority that is given for a while.
#[derive(Clone, Debug, Subcommand)]
pub enum AuthorityVerb {
    /// Give it; needs the right `grant` by people.toml, and is never for oneself.
    #[command(after_help = "\
Examples:
  holdpoint authority grant bo --right control --environment prod --for 4h --why \"covers for ada\"
  holdpoint authority grant kim --group security --release R-7 --for 1h --why \"lee cannot be reached\"
  holdpoint authority grant dev --right control --service web --for 30m --why INC-90

It ends by itself, after a week at the latest. A group gives its votes, not its rights. The right
`grant` cannot be given, and what was given cannot be handed on. A vote that somebody has only by
your word does not count on your own releases.")]
    Grant {
        /// To whom: the name in people.toml.
        person: String,
        /// A right: submit, control, overrule or waive.
        #[arg(
            long,
            value_enum,
            value_name = "RIGHT",
            required_unless_present = "group",
            conflicts_with = "group"
        )]
        right: Option<RightArg>,
        /// The votes of a group.
        #[arg(long, value_name = "GROUP")]
        group: Option<String>,
        /// For what.
        #[command(flatten)]
        scope: GrantScope,
        /// How long: 30m, 4h, 1d.
        #[arg(long = "for", value_name = "TIME", value_parser = timeout)]
        lasts: Span,
        /// Why.
        #[arg(long, value_name = "TEXT")]
        why: String,
    },
    /// Take it back before its end.
    Revoke {
        /// The grant's id (G-3).
        grant: String,
    },
    /// What holds now: who may what, where, until when, by whom and why.
    List {
        /// What has ended as well.
        #[arg(long, short)]
        all: bool,
    },
}

/// For what authority is given.
#[derive(Clone, Debug, Default, Args)]
#[group(required = true, multiple = false)]
pub struct GrantScope {
    /// For every release to this environment.
    #[arg(long, value_name = "NAME")]
    pub environment: Option<String>,
    /// For every release that changes this service and nothing else.
    #[arg(long, value_name = "NAME")]
    pub service: Option<String>,
    /// For one release: an id or a unique name.
    #[arg(long, value_name = "ID")]
    pub release: Option<String>,
}

/// A right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RightArg {
    /// Hand plans in and change them.
    Submit,
    /// Start, pause, promote, roll back ...
    Control,
    /// Overrule objections.
    Overrule,
    /// Let releases pass holds.
    Waive,
    /// Give authority; refused, people.toml alone gives it.
    Grant,
}

impl From<RightArg> for Right {
    fn from(right: RightArg) -> Right {
        match right {
            RightArg::Submit => Right::Submit,
            RightArg::Control => Right::Control,
            RightArg::Overrule => Right::Overrule,
            RightArg::Waive => Right::Waive,
            RightArg::Grant => Right::Grant,
        }
    }
}

/// What to do with reviews.
#[derive(Clone, Debug, Subcommand)]
pub enum PirVerb {
    /// Those that are open: of which release, whose, due when.
    List {
        /// Closed ones as well, with what was found.
        #[arg(long, short)]
        all: bool,
    },
    /// Close one with what was found.
    #[command(after_help = "\
Example:
  holdpoint pir close R-9 --findings \"the receipt job had no lock; OPS-77 adds one and a test\"")]
    Close {
        /// Of which release: an id or a unique name.
        release: String,
        /// What was found, and what follows.
        #[arg(long, value_name = "TEXT")]
        findings: String,
    },
}

/// What to do with the ledger.
#[derive(Clone, Debug, Subcommand)]
pub enum LedgerVerb {
    /// Print its entries, oldest first.
    #[command(after_help = "\
Examples:
  holdpoint ledger show --release R-7
  holdpoint ledger show --from 12000 --follow
  holdpoint ledger show --json | jq .event")]
    Show {
        /// The first entry, by its number.
        #[arg(long, value_name = "N", default_value_t = 1)]
        from: u64,
        /// Only entries about this release.
        #[arg(long, value_name = "ID")]
        release: Option<String>,
        /// Go on with new entries as they come.
        #[arg(long, short)]
        follow: bool,
    },
    /// Write a copy of it, while the engine runs.
    #[command(after_help = "\
Example:
  holdpoint ledger backup /backup/ledger-$(date +%F).db

The copy is a ledger of its own that can be opened and verified. Nothing is overwritten.")]
    Backup {
        /// The new file.
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
    },
}

/// A vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ChoiceArg {
    /// Yes.
    Approve,
    /// No: closes the release.
    Reject,
    /// Not like this: blocks it.
    Object,
    /// No opinion.
    Abstain,
    /// Not this plan: blocks it until the plan is changed.
    RequestChanges,
    /// Take the vote back.
    Withdraw,
}

impl ChoiceArg {
    /// The vote that it is; nothing where one is taken back.
    pub const fn choice(self) -> Option<Choice> {
        match self {
            ChoiceArg::Approve => Some(Choice::Approve),
            ChoiceArg::Reject => Some(Choice::Reject),
            ChoiceArg::Object => Some(Choice::Object),
            ChoiceArg::Abstain => Some(Choice::Abstain),
            ChoiceArg::RequestChanges => Some(Choice::RequestChanges),
            ChoiceArg::Withdraw => None,
        }
    }
}

/// Where to wait for a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Until {
    /// Its votes are complete.
    Approved,
    /// It has begun to move; what `--json` calls `rolling`.
    #[value(alias = "rolling")]
    Started,
    /// It stands still because somebody or a trigger said so.
    Paused,
    /// It is fully exposed and watched.
    Observing,
    /// It is on its way back.
    RollingBack,
    /// It is over, in whatever way.
    Closed,
    /// It is over, and the new version runs.
    Succeeded,
    /// It is over, and what ran before runs again.
    RolledBack,
}

impl Until {
    /// The word as it is typed.
    pub const fn word(self) -> &'static str {
        match self {
            Until::Approved => "approved",
            Until::Started => "started",
            Until::Paused => "paused",
            Until::Observing => "observing",
            Until::RollingBack => "rolling-back",
            Until::Closed => "closed",
            Until::Succeeded => "succeeded",
            Until::RolledBack => "rolled-back",
        }
    }
}

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FileKind {
    /// A plan.
    Plan,
    /// A keymap.
    Keymap,
    /// A theme.
    Theme,
}

/// Seconds, or a span with units.
fn timeout(text: &str) -> Result<Span, String> {
    if let Ok(seconds) = text.parse::<u32>() {
        return Ok(Span::secs(u64::from(seconds)));
    }
    Span::parse(text).map_err(|_| format!("`{text}` is no time; write 90, 90s, 5m or 2h"))
}

#[cfg(test)]
mod tests;
