//! Refusals: the domain's answer when something may not be done now, each with its words.

use std::sync::Arc;

use super::approval;
use super::authority;
use super::command::{Actor, Choice};
use super::ids::{EnvName, GroupName, PersonName, ReleaseId};
use super::needs;
use super::notice::Notice;
use super::pir;
use super::problems::Problem;
use super::readiness;
use super::waiver;

/// Why something may not be done now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such release.
    UnknownRelease(ReleaseId),
    /// The release is over.
    Closed(ReleaseId, &'static str),
    /// No door could say who asks.
    NoIdentity,
    /// The person may not do this here.
    NoRight {
        /// Who asked.
        who: PersonName,
        /// What, as a verb.
        what: &'static str,
        /// Where.
        environment: EnvName,
        /// The groups that may.
        groups: Vec<GroupName>,
    },
    /// The plan is wrong.
    BadPlan(Vec<Problem>),
    /// Another open release has this name.
    NameTaken(Arc<str>, ReleaseId),
    /// Something about an approval.
    Approval(approval::Denied),
    /// Something about authority that is given for a while.
    Authority(authority::Denied),
    /// Something about a review.
    Pir(pir::Denied),
    /// The voter is in none of the groups that are asked.
    NotAsked {
        /// Who.
        who: PersonName,
        /// The groups that are asked.
        groups: Vec<GroupName>,
    },
    /// The vote names another plan than the one that runs.
    OtherPlan {
        /// What the voter saw.
        seen: Arc<str>,
        /// What the plan's digest is.
        is: Arc<str>,
    },
    /// Policy has not been asked about this plan yet.
    NoRuling(ReleaseId),
    /// A ruling on another plan, or under another policy.
    OtherGrounds(ReleaseId),
    /// Nothing is asked any more, or nothing ever was.
    NoVoteNow(Choice, &'static str),
    /// Votes are missing.
    NotApproved(String),
    /// Checks of the checklist are open.
    NotReady(String),
    /// Releases would wait for each other for ever.
    Circle(Vec<ReleaseId>),
    /// Evidence may not be handed in.
    Readiness(readiness::Refusal),
    /// A hold may not be waived.
    Waiver(waiver::Refusal),
    /// The release has been started.
    AlreadyStarted,
    /// Nothing waits for a promotion.
    NothingToPromote(String),
    /// All of it was promoted before.
    PromotedAlready(PersonName),
    /// Promoting all of it without saying why.
    PromotedForNothing,
    /// The release stands elsewhere than the asker saw.
    MovedOn {
        /// Where it stands, in words.
        now: String,
    },
    /// It stands still already.
    AlreadyPaused(Actor),
    /// It does not stand still.
    NotPaused,
    /// No call has failed.
    NothingToRetry,
    /// It is on its way back already.
    AlreadyGoingBack,
    /// Nothing was moved, so nothing can go back.
    NothingMoved,
    /// Something was moved, so it cannot just be dropped.
    SomethingMoved,
    /// The release is not being observed.
    NotObserved,
    /// A note without words.
    EmptyNote,
    /// Something about the calendar.
    Calendar(super::calendar::NotNow),
    /// Only the engine may ask this.
    EngineOnly,
}

impl From<approval::Denied> for Refusal {
    fn from(denied: approval::Denied) -> Refusal {
        Refusal::Approval(denied)
    }
}

impl From<authority::Denied> for Refusal {
    fn from(denied: authority::Denied) -> Refusal {
        Refusal::Authority(denied)
    }
}

impl From<pir::Denied> for Refusal {
    fn from(denied: pir::Denied) -> Refusal {
        Refusal::Pir(denied)
    }
}

impl Refusal {
    /// The stable code of the refusal.
    pub const fn code(&self) -> &'static str {
        match self {
            Refusal::UnknownRelease(_) => "unknown-release",
            Refusal::Closed(..) => "release-closed",
            Refusal::NoIdentity => "no-identity",
            Refusal::NoRight { .. } => "no-right",
            Refusal::BadPlan(_) => "bad-plan",
            Refusal::NameTaken(..) => "name-taken",
            Refusal::Approval(denied) => denied.code(),
            Refusal::Authority(denied) => denied.code(),
            Refusal::Pir(denied) => denied.code(),
            Refusal::NotAsked { .. } => "not-asked",
            Refusal::OtherPlan { .. } => "other-plan",
            Refusal::NoRuling(_) => "no-ruling",
            Refusal::OtherGrounds(_) => "other-grounds",
            Refusal::NoVoteNow(..) => "no-vote-now",
            Refusal::NotApproved(_) => "not-approved",
            Refusal::NotReady(_) => "not-ready",
            Refusal::Circle(_) => "circle-of-releases",
            Refusal::Readiness(why) => why.code(),
            Refusal::Waiver(why) => why.code(),
            Refusal::AlreadyStarted => "already-started",
            Refusal::NothingToPromote(_) => "nothing-to-promote",
            Refusal::PromotedAlready(_) => "already-promoted",
            Refusal::PromotedForNothing => "no-reason",
            Refusal::MovedOn { .. } => "moved-on",
            Refusal::AlreadyPaused(_) => "already-paused",
            Refusal::NotPaused => "not-paused",
            Refusal::NothingToRetry => "nothing-to-retry",
            Refusal::AlreadyGoingBack => "already-going-back",
            Refusal::NothingMoved => "nothing-moved",
            Refusal::SomethingMoved => "something-moved",
            Refusal::NotObserved => "not-observed",
            Refusal::EmptyNote => "empty-note",
            Refusal::Calendar(not_now) => not_now.code(),
            Refusal::EngineOnly => "engine-only",
        }
    }

    /// The words of the refusal: headline and next step.
    #[expect(clippy::too_many_lines, reason = "one short arm for each refusal")]
    fn words(&self) -> (String, String) {
        let pair = |a: String, b: &str| (a, b.to_owned());
        match self {
            Refusal::UnknownRelease(id) => pair(
                format!("there is no release {id}"),
                "`holdpoint release list` shows what there is",
            ),
            Refusal::Closed(id, how) => {
                pair(format!("{id} is closed: {how}"), "submit a new release")
            }
            Refusal::NoIdentity => pair(
                "nobody knows who you are here".into(),
                "ask for a line with your uid in people.toml, or present a token with --as NAME",
            ),
            Refusal::NoRight {
                who,
                what,
                environment,
                groups,
            } => (
                format!("{who} may not {what} in {environment}"),
                if groups.is_empty() {
                    format!("give a group that right in people.toml: no group may {what} there")
                } else {
                    format!("ask somebody of {}", list(groups))
                },
            ),
            Refusal::BadPlan(problems) => (
                match problems.as_slice() {
                    [one] => format!("the plan is wrong at {}: {}", one.path, one.headline),
                    many => format!("the plan has {} mistakes", many.len()),
                },
                problems
                    .first()
                    .map(|p| p.next_step.clone())
                    .unwrap_or_default(),
            ),
            Refusal::NameTaken(name, id) => pair(
                format!("{id} is already called {name}"),
                "give the plan another name, or cancel that release",
            ),
            Refusal::Approval(denied) => denied.words(),
            Refusal::Authority(denied) => denied.words(),
            Refusal::Pir(denied) => denied.words(),
            Refusal::NotAsked { who, groups } => (
                format!("{who} is in none of the groups that are asked"),
                format!("asked are {}", list(groups)),
            ),
            Refusal::OtherPlan { seen, is } => (
                format!(
                    "you voted on plan {}, but the plan is {}",
                    short(seen),
                    short(is)
                ),
                "read the release again, then vote".into(),
            ),
            Refusal::NoRuling(id) => pair(
                format!("policy has not ruled on {id} yet: nobody knows who is asked"),
                "try again in a moment; the engine rules by itself",
            ),
            Refusal::OtherGrounds(id) => pair(
                format!("the ruling on {id} was made for another plan or under another policy"),
                "rule again on the plan and the policy as they are",
            ),
            Refusal::NoVoteNow(choice, why) => pair(
                format!("no vote to {} counts now: {why}", choice.word()),
                "`release show` says what it waits for",
            ),
            Refusal::NotApproved(missing) => pair(
                format!("not approved: {missing}"),
                "`release show` says who can vote",
            ),
            Refusal::NotReady(open) => pair(
                format!("not ready: {open}"),
                "`release checks` says what each of them asks for",
            ),
            Refusal::Circle(circle) => pair(
                format!(
                    "these releases would wait for each other for ever: {}",
                    needs::circle_spelled(circle)
                ),
                "take one of these needs out of its plan, or make one release of them",
            ),
            Refusal::Readiness(why) => why.words(),
            Refusal::Waiver(why) => why.words(),
            Refusal::AlreadyStarted => pair(
                "the release has been started".into(),
                "`release show` says what it waits for",
            ),
            Refusal::NothingToPromote(waiting) => pair(
                format!("no hold waits for a promotion; the release waits for {waiting}"),
                "promote when it asks for it",
            ),
            Refusal::PromotedAlready(by) => pair(
                format!("{by} has promoted all of it already"),
                "`release show` says what it waits for",
            ),
            Refusal::PromotedForNothing => pair(
                "promoting all of it skips what was planned, and needs a reason".into(),
                "say with --why what makes it right",
            ),
            Refusal::MovedOn { now } => pair(
                format!("the release has moved on: it waits for {now}"),
                "look again, then decide",
            ),
            Refusal::AlreadyPaused(by) => pair(
                format!("{by} has paused it already"),
                "resume lets it go on",
            ),
            Refusal::NotPaused => pair("the release is not paused".into(), "pause stops it"),
            Refusal::NothingToRetry => {
                pair("no call has failed".into(), "retry repeats a failed call")
            }
            Refusal::AlreadyGoingBack => pair(
                "the release is on its way back already".into(),
                "`release show` says how far it is",
            ),
            Refusal::NothingMoved => pair(
                "nothing was moved, so nothing can go back".into(),
                "cancel drops the release",
            ),
            Refusal::SomethingMoved => pair(
                "instances run the new version, so the release cannot just be dropped".into(),
                "roll back brings back what ran before",
            ),
            Refusal::NotObserved => pair(
                "the release is not being observed".into(),
                "a handover note belongs to the observation period",
            ),
            Refusal::EmptyNote => pair(
                "the note is empty".into(),
                "say in a sentence what the next shift must know",
            ),
            Refusal::Calendar(not_now) => not_now.words(),
            Refusal::EngineOnly => pair("only the engine itself may ask this".into(), ""),
        }
    }

    /// What a person reads.
    pub fn notice(&self) -> Notice {
        let (headline, next) = self.words();
        let mut notice = Notice::error(self.code(), headline).next(next);
        if let Refusal::BadPlan(problems) = self
            && problems.len() > 1
        {
            let lines: Vec<String> = problems
                .iter()
                .map(|p| format!("{}: {}", p.path, p.headline))
                .collect();
            notice = notice.detail(lines.join("; "));
        }
        notice
    }
}

fn list(groups: &[GroupName]) -> String {
    let names: Vec<&str> = groups.iter().map(GroupName::as_str).collect();
    names.join(", ")
}

/// The first digits of a digest, enough for people.
pub fn short(digest: &str) -> &str {
    let hex = digest.strip_prefix("sha256:").unwrap_or(digest);
    hex.get(..8).unwrap_or(hex)
}
