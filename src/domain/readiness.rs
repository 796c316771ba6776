//! Readiness: a checklist of named checks before a release begins, each cleared by evidence.
//!
//! Which checks there are follows from policy ([`Rule`]). Some are decided from the plan, some by a
//! command that the engine runs, the others by what people and pipelines hand in: a file or an
//! address with its SHA-256, the digest of what was tested, a statement under their name. Evidence
//! counts for exactly the artifacts it was given for, and where policy says so only for a while: a
//! check whose evidence has expired is open again as long as nothing has moved.

mod refusal;

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use refusal::Refusal;

use super::authority;
use super::charter::Charter;
use super::command::Actor;
use super::hold::HoldKind;
use super::ids::{CheckName, EnvName, GroupName, HoldId, PersonName, ReleaseId, Span, Timestamp};
use super::plan::{Kind, Plan};
use super::refusal::short;
use super::release::Release;
use super::state::State;

/// A check, and which releases need it. Empty conditions fit everything; of several rules with one
/// name the first that fits counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// What people call it: `scan-clean`.
    pub check: CheckName,
    /// The environments it is about.
    pub environments: BTreeSet<EnvName>,
    /// The kinds of release it is about.
    pub kinds: BTreeSet<Kind>,
    /// What clears it.
    pub clearing: Clearing,
    /// How long evidence counts; without one, as long as the release waits.
    pub expires: Option<Span>,
}

/// What clears a check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Clearing {
    /// The plan itself.
    Plan(FromPlan),
    /// A command that ends with 0: argv, no shell, run by the engine.
    Command {
        /// The program and its arguments.
        argv: Vec<Arc<str>>,
        /// How long it may run.
        timeout: Span,
        /// The pause before it is run again after it failed.
        every: Span,
    },
    /// Something handed in.
    Evidence {
        /// What is accepted.
        accepts: BTreeSet<Accepts>,
        /// Who may hand it in; empty stands for everybody who may submit or control there.
        groups: BTreeSet<GroupName>,
        /// Whether it must be somebody else than those who brought the release: the submitter, and
        /// whoever started the pipeline.
        not_submitter: bool,
    },
}

/// What of a plan clears a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FromPlan {
    /// It links at least one ticket.
    Ticket,
    /// It says where its runbook is.
    Runbook,
    /// It says what going back means.
    RollbackNote,
}

impl FromPlan {
    /// Whether a plan has it.
    fn stands_in(self, plan: &Plan) -> bool {
        let said = |text: &Option<Arc<str>>| text.as_ref().is_some_and(|t| !t.trim().is_empty());
        match self {
            FromPlan::Ticket => plan.tickets.iter().any(|t| !t.trim().is_empty()),
            FromPlan::Runbook => said(&plan.runbook),
            FromPlan::RollbackNote => said(&plan.rollback.note),
        }
    }

    /// What it is, with its article.
    pub const fn words(self) -> &'static str {
        match self {
            FromPlan::Ticket => "a ticket",
            FromPlan::Runbook => "a runbook",
            FromPlan::RollbackNote => "a rollback note",
        }
    }
}

/// A kind of evidence that people hand in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Accepts {
    /// A file with its SHA-256.
    File,
    /// An address with the SHA-256 of what was there.
    Url,
    /// The digests of what was tested, which must be those of the plan.
    Digest,
    /// A person's words.
    Statement,
}

impl Accepts {
    /// The word in files and options.
    pub const fn word(self) -> &'static str {
        match self {
            Accepts::File => "file",
            Accepts::Url => "url",
            Accepts::Digest => "digest",
            Accepts::Statement => "statement",
        }
    }
}

/// What was handed in or found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Evidence {
    /// A file.
    File {
        /// Its name.
        name: Arc<str>,
        /// `sha256:` and 64 hexadecimal digits of its content.
        sha256: Arc<str>,
    },
    /// What stands at an address.
    Url {
        /// The address.
        url: Arc<str>,
        /// `sha256:` and 64 hexadecimal digits of what was read there.
        sha256: Arc<str>,
    },
    /// What was tested.
    Digests(Vec<Arc<str>>),
    /// Somebody's word.
    Statement(Arc<str>),
    /// A command's end.
    Ran {
        /// Whether it ended with 0.
        pass: bool,
        /// How it ended, in a few words.
        words: Arc<str>,
    },
    /// What was handed in before counts no more.
    Revoked(Arc<str>),
}

impl Evidence {
    /// Which kind of evidence it is, where people hand it in.
    pub const fn kind(&self) -> Option<Accepts> {
        match self {
            Evidence::File { .. } => Some(Accepts::File),
            Evidence::Url { .. } => Some(Accepts::Url),
            Evidence::Digests(_) => Some(Accepts::Digest),
            Evidence::Statement(_) => Some(Accepts::Statement),
            Evidence::Ran { .. } | Evidence::Revoked(_) => None,
        }
    }

    /// What it says, in a few words.
    pub fn words(&self) -> String {
        match self {
            Evidence::File { name, sha256 } => format!("{name} ({})", short(sha256)),
            Evidence::Url { url, sha256 } => format!("{url} ({})", short(sha256)),
            Evidence::Digests(tested) => {
                let tested: Vec<&str> = tested.iter().map(|d| short(d)).collect();
                format!("tested {}", tested.join(", "))
            }
            Evidence::Statement(words) => words.to_string(),
            Evidence::Ran { words, .. } => words.to_string(),
            Evidence::Revoked(why) => format!("taken back: {why}"),
        }
    }

    /// Whether it speaks for the check.
    const fn good(&self) -> bool {
        !matches!(
            self,
            Evidence::Ran { pass: false, .. } | Evidence::Revoked(_)
        )
    }
}

/// Evidence as a release keeps it: the newest of each check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// What it is.
    pub evidence: Evidence,
    /// Who gave it; the engine for what a command found.
    pub by: Actor,
    /// When.
    pub at: Timestamp,
    /// The digests of the artifacts it was given for.
    pub artifacts: Vec<Arc<str>>,
}

/// What people and the engine say of checks.
#[derive(Clone, Debug)]
pub enum Ask {
    /// Somebody hands in evidence, or takes it back.
    Evidence {
        /// For which release.
        release: ReleaseId,
        /// For which check.
        check: CheckName,
        /// What.
        evidence: Evidence,
    },
    /// A check's command has ended.
    Ran {
        /// For which release.
        release: ReleaseId,
        /// Which check.
        check: CheckName,
        /// The digest of the plan it was run for.
        digest: Arc<str>,
        /// Whether it ended with 0.
        pass: bool,
        /// How it ended, in a few words.
        words: Arc<str>,
    },
}

/// What was said of a check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Told {
    /// Evidence was handed in, found, or taken back.
    Evidence {
        /// For which release.
        release: ReleaseId,
        /// For which plan.
        digest: Arc<str>,
        /// For which check.
        check: CheckName,
        /// What.
        evidence: Evidence,
    },
}

impl Told {
    /// The release it is about.
    pub const fn release(&self) -> ReleaseId {
        match self {
            Told::Evidence { release, .. } => *release,
        }
    }
}

/// How a check stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is cleared: by what, and until when that counts.
    Cleared(String, Option<Timestamp>),
    /// Somebody with the authority has waived it.
    Waived(String),
    /// Nothing was handed in yet.
    Missing(String),
    /// What was found or said speaks against it.
    Failed(String),
    /// What was handed in counted until then.
    Expired(String, Timestamp),
}

impl Standing {
    /// Whether it bars the way no more.
    pub const fn clear(&self) -> bool {
        matches!(self, Standing::Cleared(..) | Standing::Waived(_))
    }

    /// The word for it: `cleared`, `waived`, `missing`, `failed`, `expired`.
    pub const fn word(&self) -> &'static str {
        match self {
            Standing::Cleared(..) => "cleared",
            Standing::Waived(_) => "waived",
            Standing::Missing(_) => "missing",
            Standing::Failed(_) => "failed",
            Standing::Expired(..) => "expired",
        }
    }

    /// What there is to say of it.
    pub fn words(&self) -> &str {
        match self {
            Standing::Cleared(words, _)
            | Standing::Waived(words)
            | Standing::Missing(words)
            | Standing::Failed(words)
            | Standing::Expired(words, _) => words,
        }
    }
}

/// The hold of a release's checklist.
pub const HOLD: &str = "readiness";

/// The name under which one check is waived: `readiness.scan-clean`.
pub fn hold_of(check: &CheckName) -> HoldId {
    HoldId::from(format!("{HOLD}.{check}"))
}

/// The checks of a plan, in the order of the file.
pub fn of(plan: &Plan, charter: &Charter) -> Vec<Rule> {
    let mut found: Vec<Rule> = Vec::new();
    for rule in &charter.readiness {
        let fits = (rule.environments.is_empty() || rule.environments.contains(&plan.environment))
            && (rule.kinds.is_empty() || rule.kinds.contains(&plan.kind));
        if fits && !found.iter().any(|known| known.check == rule.check) {
            found.push(rule.clone());
        }
    }
    found
}

/// The checks of a release.
pub fn checks(release: &Release) -> &[Rule] {
    release
        .holds()
        .find_map(|hold| match &hold.kind {
            HoldKind::Readiness { checks } => Some(checks.as_slice()),
            _ => None,
        })
        .unwrap_or_default()
}

/// The digests of a plan's artifacts.
pub fn artifacts(plan: &Plan) -> Vec<Arc<str>> {
    plan.services.iter().map(|s| s.digest.clone()).collect()
}

/// Those who brought a release, and whose word may not count for it.
pub fn brought(release: &Release, who: &PersonName) -> bool {
    release.submitter == *who || release.plan.started_by.as_ref() == Some(who)
}

/// How a check of a release stands.
pub fn standing(release: &Release, rule: &Rule, now: Timestamp) -> Standing {
    if let Some(waived) = release.waived.get(&hold_of(&rule.check)) {
        return Standing::Waived(waived.words());
    }
    if let Clearing::Plan(what) = rule.clearing {
        return match what.stands_in(&release.plan) {
            true => Standing::Cleared(format!("the plan has {}", what.words()), None),
            false => Standing::Missing(format!("the plan has no {}", bare(what.words()))),
        };
    }
    let Some(proof) = release.evidence.get(&rule.check) else {
        return Standing::Missing(asked(rule));
    };
    let said = format!("{}: {}", proof.by, proof.evidence.words());
    if proof.artifacts != artifacts(&release.plan) {
        return Standing::Missing(format!("{said}, which was said of other artifacts"));
    }
    if !proof.evidence.good() {
        return Standing::Failed(said);
    }
    match rule.expires.map(|span| proof.at.plus(span)) {
        Some(until) if until <= now => Standing::Expired(said, until),
        until => Standing::Cleared(said, until),
    }
}

fn bare(words: &str) -> &str {
    words.strip_prefix("a ").unwrap_or(words)
}

/// What a check asks for, in a few words.
pub fn asked(rule: &Rule) -> String {
    match &rule.clearing {
        Clearing::Plan(what) => format!("{} in the plan", what.words()),
        Clearing::Command { argv, .. } => {
            let program = argv.first().map_or("", |word| word);
            format!("`{program}` ends with 0")
        }
        Clearing::Evidence {
            accepts, groups, ..
        } => {
            let kinds: Vec<&str> = accepts.iter().map(|a| a.word()).collect();
            let by = match groups.is_empty() {
                true => String::new(),
                false => {
                    let names: Vec<&str> = groups.iter().map(GroupName::as_str).collect();
                    format!(" of {}", names.join(" or "))
                }
            };
            format!("{}{by}", kinds.join(" or "))
        }
    }
}

/// The names of checks, for a line.
pub fn list(checks: &[Rule]) -> String {
    let names: Vec<&str> = checks.iter().map(|rule| rule.check.as_str()).collect();
    names.join(", ")
}

/// The checks of a release that bar its way.
pub fn open(release: &Release, now: Timestamp) -> Vec<(&Rule, Standing)> {
    checks(release)
        .iter()
        .map(|rule| (rule, standing(release, rule, now)))
        .filter(|(_, standing)| !standing.clear())
        .collect()
}

/// When the first of a release's evidence stops to count.
pub fn expires(release: &Release, now: Timestamp) -> Option<Timestamp> {
    let ends = |rule| match standing(release, rule, now) {
        Standing::Cleared(_, until) => until,
        _ => None,
    };
    checks(release).iter().filter_map(ends).min()
}

/// Whether a person belongs to one of the groups that are asked, for good or for a while; a
/// membership that those gave who brought the release does not count for it.
pub fn asked_of(
    state: &State,
    release: &Release,
    groups: &BTreeSet<GroupName>,
    who: &PersonName,
    now: Timestamp,
) -> bool {
    authority::groups(state, who, release, now)
        .filter(|(_, by)| by.is_none_or(|by| !brought(release, by)))
        .any(|(name, _)| groups.contains(name))
}

/// Whether a person belongs to those whom an open check of a release waits on.
pub fn asks(state: &State, release: &Release, who: &PersonName) -> bool {
    open(release, state.now)
        .iter()
        .any(|(rule, _)| match &rule.clearing {
            Clearing::Evidence {
                groups,
                not_submitter,
                ..
            } => {
                let mut theirs = state.charter.groups_of(who);
                theirs.any(|(name, _)| groups.contains(name))
                    && !(*not_submitter && brought(release, who))
            }
            _ => false,
        })
}

/// `2 of 7 checks open: scan-clean (exit 3), go-no-go`.
pub fn open_words(release: &Release, now: Timestamp) -> String {
    const SHOWN: usize = 3;
    let open = open(release, now);
    let names: Vec<String> = open
        .iter()
        .take(SHOWN)
        .map(|(rule, standing)| match standing {
            Standing::Failed(_) | Standing::Expired(..) => {
                format!("{} {}", rule.check, standing.word())
            }
            _ => rule.check.to_string(),
        })
        .collect();
    let more = match open.len().saturating_sub(SHOWN) {
        0 => String::new(),
        n => format!(" and {n} more"),
    };
    let all = checks(release).len();
    let checks = if all == 1 { "check" } else { "checks" };
    format!(
        "{} of {all} {checks} open: {}{more}",
        open.len(),
        names.join(", ")
    )
}
