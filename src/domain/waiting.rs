//! The one question: what is this release waiting for, since when, on whom, until when, and what
//! happens then?

mod others;

use super::approval::{Terms, helps, tally};
use super::authority;
use super::calendar::{self, Rule};
use super::charter::Right;
use super::effect::{Health, Sight};
use super::hold::{Hold, HoldKind, HoldState};
use super::ids::{GroupName, InstanceName, PersonName, ReleaseId, Span, TargetName, Timestamp};
use super::plan::Kind;
use super::readiness;
use super::release::{Move, Phase, Release, StepStatus};
use super::ruling;
use super::share;
use super::state::State;
use super::verdict::Call;

/// What a release waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// One word: `approval`, `bake`, `manual`, `paused`, `rolls back` …
    pub word: &'static str,
    /// In a sentence without its subject.
    pub what: String,
    /// On whom.
    pub on: Whom,
    /// Since when.
    pub since: Timestamp,
    /// When the clock alone lets it pass.
    pub due: Option<Timestamp>,
    /// Its deadline, where one is running.
    pub until: Option<Timestamp>,
    /// What happens at the deadline: `holds on`.
    pub then: &'static str,
    /// Whether something is wrong: a failed call, an instance in trouble, a deadline that is over.
    pub trouble: bool,
}

/// On whom a release waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whom {
    /// Members of these groups: a vote.
    Voters(Vec<GroupName>),
    /// Members of these groups: evidence.
    Groups(Vec<GroupName>),
    /// These very people: they object, or have to change the plan.
    People(Vec<PersonName>),
    /// Whoever may control it.
    Control,
    /// Only time.
    Clock,
    /// The engine: calls, checks, looks.
    Engine,
    /// Another release.
    Release(ReleaseId),
    /// An instance that does not run as it should.
    Instance(InstanceName),
}

impl Whom {
    /// The words for a list.
    pub fn words(&self) -> String {
        match self {
            Whom::Voters(groups) | Whom::Groups(groups) => {
                let names: Vec<&str> = groups.iter().map(GroupName::as_str).collect();
                names.join(", ")
            }
            Whom::People(people) => {
                let names: Vec<&str> = people.iter().map(PersonName::as_str).collect();
                names.join(", ")
            }
            Whom::Control => "control".to_owned(),
            Whom::Clock => "clock".to_owned(),
            Whom::Engine => "engine".to_owned(),
            Whom::Release(id) => id.to_string(),
            Whom::Instance(name) => name.to_string(),
        }
    }
}

/// What a release waits for at a moment.
pub fn of(state: &State, release: &Release, now: Timestamp) -> Waiting {
    let mut waiting = match release.hold() {
        Some(hold) => at_hold(state, release, hold, now),
        None => plain("engine", "the next step", Whom::Engine, release.since),
    };
    if let Some(paused) = &release.paused {
        let why = if paused.why.is_empty() {
            String::new()
        } else {
            format!(": {}", paused.why)
        };
        let calls = in_flight(state, release);
        let back = if release.phase == Phase::RollingBack {
            "the way back is "
        } else {
            ""
        };
        waiting.word = "paused";
        waiting.what = format!("{back}paused by {}{why}{calls}", paused.by);
        waiting.on = Whom::Control;
        waiting.since = paused.since;
        waiting.due = None;
    }
    waiting
}

/// What becomes of the calls on their way while it is paused: what is moved by shares stands still in the
/// middle of it, anything else goes on to its end.
fn in_flight(state: &State, release: &Release) -> String {
    let all = release.in_flight();
    let (waits, runs): (Vec<_>, Vec<_>) =
        all.partition(|(target, _)| share::divided(state, target));
    let runs = match runs.len() {
        0 => String::new(),
        1 => ", 1 call still runs".to_owned(),
        n => format!(", {n} calls still run"),
    };
    match waits.len() {
        0 => runs,
        1 => format!("{runs}, 1 call waits with it"),
        n => format!("{runs}, {n} calls wait with it"),
    }
}

fn plain(word: &'static str, what: &str, on: Whom, since: Timestamp) -> Waiting {
    Waiting {
        word,
        what: what.to_owned(),
        on,
        since,
        due: None,
        until: None,
        then: "",
        trouble: false,
    }
}

/// What a release waits for, or would wait for, at one of its holds.
pub fn at(state: &State, release: &Release, hold: &Hold, now: Timestamp) -> Waiting {
    at_hold(state, release, hold, now)
}

fn at_hold(state: &State, release: &Release, hold: &Hold, now: Timestamp) -> Waiting {
    let (since, until, overdue) = match hold.state {
        HoldState::Open {
            since,
            until,
            overdue,
            ..
        } => (since, Some(until), overdue),
        _ => (release.since, None, false),
    };
    let mut waiting = Waiting {
        until: until.filter(|_| !overdue),
        due: hold.due(),
        then: hold.deadline.then.words(),
        trouble: overdue,
        ..plain(hold.kind.word(), "", Whom::Engine, since)
    };
    let left = |due: Timestamp| due.since(now);
    match &hold.kind {
        HoldKind::Approval(_) if ruling::missing(state, release, hold) => {
            waiting.what = "the ruling: policy has not been asked about this plan yet".to_owned();
        }
        HoldKind::Approval(terms) => approval(release, terms, now, &mut waiting),
        HoldKind::Manual { ask } => {
            waiting.word = if hold.id.as_str() == "start" {
                "start"
            } else {
                "manual"
            };
            waiting.what = ask.to_string();
            waiting.on = Whom::Control;
        }
        HoldKind::Readiness { .. } => others::ready(release, now, &mut waiting),
        HoldKind::Dependency { .. } => others::dependency(state, release, &mut waiting),
        HoldKind::Queue => others::in_queue(state, release, &mut waiting),
        HoldKind::Window { opens, closes } => {
            waiting.on = Whom::Clock;
            waiting.what = if now < *opens {
                format!("opens in {}", left(*opens))
            } else {
                format!("closed {} ago", now.since(*closes))
            };
            waiting.trouble |= now >= *closes;
        }
        HoldKind::Calendar => barred(release, now, &mut waiting),
        HoldKind::Moved => moved(state, release, now, &mut waiting),
        HoldKind::Bake { span } => {
            waiting.on = Whom::Clock;
            waiting.what = clock_words(waiting.due, now, *span);
            judged(release, hold, &mut waiting);
            trouble(state, release, &mut waiting);
        }
        HoldKind::Observe { span, handover } => {
            waiting.on = Whom::Clock;
            waiting.what = clock_words(waiting.due, now, *span);
            if *handover && release.handover.is_none() {
                waiting.what.push_str(", handover note missing");
                if waiting.due.is_some_and(|due| due <= now) {
                    waiting.on = Whom::Control;
                }
            } else if !release.plan.triggers.is_empty() {
                waiting
                    .what
                    .push_str(&format!(", {} triggers", release.plan.triggers.len()));
            }
            judged(release, hold, &mut waiting);
            trouble(state, release, &mut waiting);
        }
        HoldKind::Health { passes, .. } => {
            waiting.what = match &release.finding {
                Some(found) => {
                    waiting.trouble |= !found.pass;
                    format!(
                        "{}, {} of {passes} rounds",
                        found.words,
                        if found.pass {
                            found.rounds.min(*passes)
                        } else {
                            0
                        }
                    )
                }
                None => "first round of checks".to_owned(),
            };
            trouble(state, release, &mut waiting);
        }
        HoldKind::Analysis { metrics, passes } => {
            let bad = metrics
                .iter()
                .filter_map(|m| release.verdicts.get(m))
                .find(|v| v.call != Call::Pass);
            waiting.what = match bad {
                Some(v) => format!("{} {}: {}", v.metric, v.call.word(), v.seen()),
                None => format!("{passes} looks in a row that pass"),
            };
            waiting.trouble |= bad.is_some_and(|v| matches!(v.call, Call::Fail | Call::NoData));
            judged(release, hold, &mut waiting);
            trouble(state, release, &mut waiting);
        }
    }
    waiting
}

/// What the judge has to say to a hold that time or proof clears.
fn judged(release: &Release, hold: &Hold, waiting: &mut Waiting) {
    if release.judge_bars() {
        let judgement = release.judgement.as_ref();
        let why = judgement.map_or("", |judgement| &judgement.reason);
        let blamed = judgement.map(|judgement| judgement.blamed.as_slice());
        let of: Vec<&str> = blamed
            .unwrap_or_default()
            .iter()
            .map(|m| m.as_str())
            .collect();
        let of = match of.as_slice() {
            [] => String::new(),
            of => format!(" of {}", of.join(", ")),
        };
        waiting.what = format!("the judge cannot say: {why}{of}");
        waiting.trouble = true;
    } else if release.lacks_proof(hold) {
        waiting.what.push_str(", wants proof");
    }
}

fn approval(release: &Release, terms: &Terms, now: Timestamp, waiting: &mut Waiting) {
    let tally = tally(release, terms, now);
    waiting.what = tally.missing_words();
    waiting.trouble |= tally.blocked();
    waiting.on = if !tally.wants_changes.is_empty() {
        Whom::People(vec![release.submitter.clone()])
    } else if !tally.objections.is_empty() {
        Whom::People(tally.objections)
    } else {
        Whom::Voters(tally.missing().map(|(g, _)| g.clone()).collect())
    };
}

/// How far the calls are; where nothing fails and the calendar stops them, what it says.
fn moved(state: &State, release: &Release, now: Timestamp, waiting: &mut Waiting) {
    moving(state, release, waiting);
    let stopped = release.calendar.as_ref().is_some_and(calendar::stops_calls);
    if stopped && release.phase == Phase::Rolling && waiting.word == "moving" {
        barred(release, now, waiting);
    }
}

/// What the calendar said last.
fn barred(release: &Release, now: Timestamp, waiting: &mut Waiting) {
    let Some(answer) = &release.calendar else {
        return;
    };
    let locked = answer.bars.iter().any(|bar| bar.rule == Rule::Lockdown);
    waiting.word = if locked { "lockdown" } else { "calendar" };
    waiting.what = answer.words(now);
    waiting.on = if locked { Whom::Control } else { Whom::Clock };
    waiting.trouble |= locked;
    let since = answer.bars.iter().filter_map(|bar| bar.since).max();
    waiting.since = waiting.since.max(since.unwrap_or(waiting.since));
    // the next turn need not be the one that lets it pass: only the last of known ends may be
    let ends: Option<Vec<Timestamp>> = answer.bars.iter().map(|bar| bar.until).collect();
    waiting.due = ends.and_then(|ends| ends.into_iter().max());
}

fn clock_words(due: Option<Timestamp>, now: Timestamp, span: Span) -> String {
    match due {
        Some(due) if due > now => format!("{} of {span} left", due.since(now)),
        _ => format!("{span} are over"),
    }
}

/// Instances in trouble come before everything else that a hold could say.
fn trouble(state: &State, release: &Release, waiting: &mut Waiting) {
    let mut troubled = state.troubled(release);
    if let Some((target, instance, seen)) = troubled.next() {
        let more = match troubled.count() {
            0 => String::new(),
            n => format!(" and {n} more"),
        };
        waiting.what = match seen {
            Some(seen) if share::divided(state, target) => {
                format!("{}{more}", divided_words(target, &seen.sight))
            }
            Some(seen) => {
                let how = health_words(seen.sight.health);
                format!("{target} {instance} {how}{more}")
            }
            None => format!("{target} {instance} has not been read{more}"),
        };
        waiting.on = Whom::Instance(instance.clone());
        waiting.trouble = true;
    }
}

/// A workload in trouble, with its platform's own words where it has any.
fn divided_words(target: &TargetName, sight: &Sight) -> String {
    let how = match sight.health {
        Health::Running => "runs another version or another share",
        Health::Down => "is stuck",
        other => health_words(other),
    };
    match &*sight.detail {
        "" => format!("{target} {how}"),
        detail => format!("{target} {how}: {detail}"),
    }
}

/// How far workloads are that are moved by shares; `None` where other instances move as well.
fn shares(state: &State, moves: &[Move], back: bool, there: usize) -> Option<String> {
    if !moves.iter().all(|m| share::divided(state, &m.target)) {
        return None;
    }
    let mut steps = moves
        .iter()
        .flat_map(|m| m.steps.iter().map(move |s| (m, s)));
    let (m, step) = steps.next()?;
    let share = step.exposure.unwrap_or(super::plan::Exposure::FULL);
    let (target, version) = (&m.target, &m.artifact_of(step).version);
    let more = steps.count();
    Some(match (more, back, there) {
        (0, true, 0) => format!("{target} goes back to {version}"),
        (0, true, _) => format!("{target} is back on {version}"),
        (0, false, 0) => format!("{share} of {target} is going to {version}"),
        (0, false, _) => format!("{share} of {target} runs {version}"),
        (_, true, _) => format!("{there} of {} workloads back", more + 1),
        (_, false, _) => format!("{there} of {} workloads at {share}", more + 1),
    })
}

/// What a health means in a sentence about an instance.
pub const fn health_words(health: Health) -> &'static str {
    match health {
        Health::Running => "runs another version",
        Health::Changing => "is changing",
        Health::Down => "is down",
        Health::Unknown => "does not answer",
    }
}

/// The releases that must be done before this one may move: those that move the same targets, and
/// those that are observed there, unless this one is an emergency.
pub fn blockers(state: &State, release: &Release) -> Vec<ReleaseId> {
    let mut found: Vec<ReleaseId> = release
        .targets()
        .into_iter()
        .filter_map(|t| state.on.get(t))
        .flatten()
        .copied()
        .filter(|id| *id != release.id)
        .filter(|id| match state.live.get(id).map(|r| r.phase) {
            Some(Phase::Rolling | Phase::RollingBack) => true,
            Some(Phase::Observing) => release.plan.kind != Kind::Emergency,
            Some(Phase::Waiting) | None => false,
        })
        .collect();
    found.sort();
    found.dedup();
    found
}

/// An instance of which it is not known what runs there; without that nobody could go back.
pub fn unread<'a>(
    state: &State,
    release: &'a Release,
) -> Option<(&'a TargetName, &'a InstanceName)> {
    release
        .batches
        .iter()
        .flat_map(|b| &b.moves)
        .flat_map(|m| m.steps.iter().map(move |s| (&m.target, &s.instance)))
        .find(|(target, instance)| {
            state
                .seen(target, instance)
                .is_none_or(|seen| seen.sight.artifact.is_none())
        })
}

fn moving(state: &State, release: &Release, waiting: &mut Waiting) {
    let back = release.back.is_some();
    let moves: &[Move] = match (&release.back, release.batch()) {
        (Some(back), _) => &back.moves,
        (None, Some((_, batch))) => &batch.moves,
        (None, None) => &[],
    };
    let steps = || {
        moves
            .iter()
            .flat_map(|m| m.steps.iter().map(move |s| (m, s)))
    };
    let there = steps()
        .filter(|(m, s)| s.status == StepStatus::Done && state.runs(&m.target, s, m.artifact_of(s)))
        .count();
    if back {
        waiting.word = "rolls back";
    } else {
        waiting.word = "moving";
    }
    waiting.what = match shares(state, moves, back, there) {
        Some(words) => words,
        None => {
            let verb = if back { "back" } else { "there" };
            format!("{there} of {} instances {verb}", steps().count())
        }
    };
    let failed = steps().find_map(|(m, s)| match &s.status {
        StepStatus::Failed { why, again } => Some((m, s, why, *again)),
        StepStatus::Unknown { why } => Some((m, s, why, None)),
        _ => None,
    });
    if let Some((m, s, why, again)) = failed {
        let later = if again.is_some() {
            ", tries again by itself"
        } else {
            waiting.on = Whom::Control;
            ""
        };
        let verb = s.verb(&m.sequence).map_or("call", |v| v.word());
        waiting.word = "failed";
        waiting.what = match s.exposure {
            Some(share) => format!("{share} of {}: {why}{later}", m.target),
            None => format!("{} {verb}: {why}{later}", s.instance),
        };
        waiting.trouble = true;
    } else if !back {
        let mut down = state.troubled(release).filter(|(_, _, seen)| {
            seen.is_some_and(|s| matches!(s.sight.health, Health::Down | Health::Unknown))
        });
        if let Some((target, instance, Some(seen))) = down.next() {
            waiting.word = "health";
            waiting.what = match share::divided(state, target) {
                true => divided_words(target, &seen.sight),
                false => format!("{instance} {}", health_words(seen.sight.health)),
            };
            waiting.on = Whom::Instance(instance.clone());
            waiting.trouble = true;
        }
    }
}

/// Who has to act, which is how releases are sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// The person who looks.
    NeedsYou,
    /// Nobody: it moves.
    Moving,
    /// On-call, if anything happens.
    Observed,
    /// Somebody else, or the clock.
    Waiting,
}

/// The group of a release for a person.
pub fn group(
    state: &State,
    release: &Release,
    waiting: &Waiting,
    who: Option<&PersonName>,
) -> Group {
    if who.is_some_and(|who| needs(state, release, waiting, who)) {
        return Group::NeedsYou;
    }
    match release.phase {
        Phase::Rolling | Phase::RollingBack => Group::Moving,
        Phase::Observing => Group::Observed,
        Phase::Waiting => Group::Waiting,
    }
}

/// Whether a release waits on this very person among others.
fn needs(state: &State, release: &Release, waiting: &Waiting, who: &PersonName) -> bool {
    match &waiting.on {
        Whom::Voters(_) => {
            let asks = |terms: &Terms| {
                let groups = authority::voting(state, who, release, terms, state.now);
                let groups: Vec<GroupName> = groups.into_iter().cloned().collect();
                helps(release, terms, state.now, who, &groups)
            };
            !release.votes.contains_key(who) && release.terms().is_some_and(asks)
        }
        Whom::Groups(_) => readiness::asks(state, release, who),
        Whom::People(people) => people.contains(who),
        Whom::Control => control(state, release, who),
        // an overdue hold waits on somebody, whatever it waited on before
        _ => waiting.trouble && waiting.until.is_none() && control(state, release, who),
    }
}

fn control(state: &State, release: &Release, who: &PersonName) -> bool {
    let (plan, id) = (&release.plan, Some(release.id));
    authority::may(state, who, Right::Control, plan, id, state.now)
}

/// What the engine will do by itself, and when, in the order in which it will come.
pub fn ahead(state: &State, release: &Release, now: Timestamp) -> Vec<(String, Option<Timestamp>)> {
    let mut lines = Vec::new();
    let waiting = of(state, release, now);
    if release.paused.is_none()
        && let Some((_, moves)) = release.moving()
    {
        for m in moves {
            for s in m.steps.iter().filter(|s| s.status != StepStatus::Done) {
                let (again, stands) = match s.status {
                    StepStatus::Failed { again, .. } => (again, again.is_none()),
                    StepStatus::Unknown { .. } => (None, true),
                    _ => (None, false),
                };
                let version = &m.artifact_of(s).version;
                let words = match s.exposure {
                    Some(share) => format!("{share} of {} → {version}", m.target),
                    None => format!("{} → {version}", s.instance),
                };
                let words = match stands {
                    true => format!("{words}, once retried"),
                    false => words,
                };
                lines.push((words, again));
            }
        }
        let more = lines.len().saturating_sub(4);
        lines.truncate(4);
        if more > 0 {
            lines.push((format!("and {more} more instances"), None));
        }
    }
    if let Some(due) = waiting.due.filter(|due| *due > now) {
        lines.push((format!("{} is over", waiting.word), Some(due)));
    }
    lines.extend(
        to_come(release)
            .into_iter()
            .take(4)
            .map(|words| (words, None)),
    );
    if let Some(end) = super::emergency::box_end(release) {
        lines.push((
            "its time box ends: what is not closed goes back".to_owned(),
            Some(end),
        ));
    }
    if let Some(until) = waiting.until {
        lines.push((format!("at its deadline it {}", waiting.then), Some(until)));
    }
    lines
}

/// The next stations after the present hold.
fn to_come(release: &Release) -> Vec<String> {
    if release.phase == Phase::RollingBack {
        return vec!["closes as rolled back".to_owned()];
    }
    let mut words = Vec::new();
    for (n, batch) in release
        .batches
        .iter()
        .enumerate()
        .filter(|(_, b)| b.done.is_none())
    {
        let later = |h: &&Hold| h.state == HoldState::ToCome;
        if batch.began.is_none() {
            words.extend(
                batch
                    .before
                    .iter()
                    .filter(later)
                    .map(|h| h.kind.word().to_owned()),
            );
            words.push(format!("batch {}: {}", n + 1, batch.exposure));
        }
        let after = batch
            .after
            .iter()
            .filter(later)
            .filter(|h| h.kind != HoldKind::Moved);
        words.extend(after.map(|h| match &h.kind {
            HoldKind::Bake { span } => format!("bake {span}"),
            kind => kind.word().to_owned(),
        }));
    }
    if release.observe.state == HoldState::ToCome {
        words.push(format!("observed for {}", release.plan.observe.span));
    }
    words.push("closes as succeeded".to_owned());
    words
}
