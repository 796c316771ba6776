//! What can be done to a release now, in words of its effect. Whether it may be done is `decide`
//! run dry: a key is grey exactly where the engine would refuse.

use std::sync::Arc;

use crate::domain::approval;
use crate::domain::charter::Confirm as Policy;
use crate::domain::hold::HoldKind;
use crate::domain::ladder::{back_to, next_batch};
use crate::domain::plan::Exposure;
use crate::domain::release::{Phase, Release, StepStatus};
use crate::domain::{
    Actor, Ask, Choice, Command, Control, Door, Event, Notice, Refusal, ReleaseId, decide,
};

use super::action::{Action, Confirm};
use super::say;
use super::world::World;

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asker {
    /// Who.
    pub who: Actor,
    /// Through which door.
    pub door: Door,
}

/// Something that a key does to a release.
#[derive(Clone, Debug)]
pub struct Offer {
    /// What the key runs.
    pub action: Action,
    /// Its effect: `promote 40 → 70 %`.
    pub label: String,
    /// Why it may not be done now.
    pub refused: Option<Notice>,
}

/// The actions on a release, in the order in which hints show them.
pub const CONTROLS: [Action; 9] = [
    Action::Start,
    Action::Promote,
    Action::PromoteAll,
    Action::Resume,
    Action::Retry,
    Action::HandOver,
    Action::Hold,
    Action::RollBack,
    Action::Cancel,
];

/// The votes, and taking one back.
pub const VOTES: [Action; 6] = [
    Action::Approve,
    Action::Reject,
    Action::Object,
    Action::RequestChanges,
    Action::Abstain,
    Action::TakeBack,
];

/// What a vote's action says.
pub const fn choice(action: Action) -> Option<Choice> {
    match action {
        Action::Approve => Some(Choice::Approve),
        Action::Reject => Some(Choice::Reject),
        Action::Object => Some(Choice::Object),
        Action::RequestChanges => Some(Choice::RequestChanges),
        Action::Abstain => Some(Choice::Abstain),
        _ => None,
    }
}

/// The command that an action on a release stands for, with the words that go with it; `None`
/// when the action is none on a release.
pub fn ask(action: Action, release: &Release, text: &str) -> Option<Ask> {
    let id = release.id;
    let text: Arc<str> = text.trim().into();
    if let Some(choice) = choice(action) {
        return Some(Ask::Vote {
            release: id,
            choice,
            comment: text,
            digest: Some(release.digest.clone()),
        });
    }
    if action == Action::TakeBack {
        return Some(Ask::Approval(approval::Ask::Withdraw { release: id }));
    }
    let control = match action {
        Action::Start => Control::Start,
        Action::Hold => Control::Pause { why: text },
        Action::Resume => Control::Resume,
        Action::Promote => Control::Promote {
            seen: release.hold().map(|h| h.id.clone()),
        },
        Action::PromoteAll => Control::PromoteAll { why: text },
        Action::Retry => Control::Retry { instance: None },
        Action::RollBack => Control::RollBack { why: text },
        Action::Cancel => Control::Cancel { why: text },
        Action::HandOver => Control::HandOver { note: text },
        _ => return None,
    };
    Some(Ask::Control {
        release: id,
        control,
    })
}

/// The same before any words are written: those that are still to come are not what it is refused for.
pub fn ask_now(action: Action, release: &Release) -> Option<Ask> {
    ask(
        action,
        release,
        if text_wanted(action) { "words" } else { "" },
    )
}

/// What a command would lead to now.
///
/// # Errors
/// The refusal, when the engine would refuse it.
pub fn dry_run(world: World<'_>, asker: &Asker, ask: Ask) -> Result<Vec<Event>, Refusal> {
    let command = Command {
        at: world.now,
        who: asker.who.clone(),
        door: asker.door.clone(),
        ask,
    };
    decide(world.state, &command)
}

/// Why an action may not be done to a release now.
pub fn refusal(world: World<'_>, asker: &Asker, id: ReleaseId, action: Action) -> Option<Notice> {
    let Some(release) = world.release(id) else {
        let refusal = match world.closed(id) {
            Some(summary) => Refusal::Closed(id, summary.ending.words()),
            None => Refusal::UnknownRelease(id),
        };
        return Some(refusal.notice());
    };
    let ask = ask_now(action, release)?;
    dry_run(world, asker, ask).err().map(|r| r.notice())
}

/// Whether an action is nothing without words.
pub const fn text_wanted(action: Action) -> bool {
    matches!(
        action,
        Action::HandOver | Action::RequestChanges | Action::PromoteAll
    )
}

/// What keys can do to a release now: what fits where it stands first, each with its effect.
pub fn offers(world: World<'_>, asker: &Asker, release: &Release) -> Vec<Offer> {
    CONTROLS
        .into_iter()
        .filter(|action| fits(*action, release))
        .map(|action| Offer {
            action,
            label: label(action, release),
            refused: refusal(world, asker, release.id, action),
        })
        .collect()
}

/// Whether an action is worth a hint where the release stands.
fn fits(action: Action, release: &Release) -> bool {
    let hold = release.hold();
    let manual = hold.filter(|h| matches!(h.kind, HoldKind::Manual { .. }) && h.open().is_some());
    let moved = release.touched().next().is_some();
    match action {
        Action::Start => manual.is_some_and(|h| h.id.as_str() == "start"),
        Action::Promote => manual.is_some_and(|h| h.id.as_str() != "start"),
        // skipping what was planned is looked for, never suggested
        Action::PromoteAll => false,
        Action::Resume => release.paused.is_some(),
        Action::Hold => release.paused.is_none(),
        Action::Retry => failed(release).next().is_some(),
        Action::RollBack => moved && release.phase != Phase::RollingBack,
        Action::Cancel => !moved,
        Action::HandOver => {
            matches!(
                release.observe.kind,
                HoldKind::Observe { handover: true, .. }
            ) && release.phase == Phase::Observing
                && release.handover.is_none()
        }
        _ => false,
    }
}

/// The failed calls: instance and verb.
pub fn failed(release: &Release) -> impl Iterator<Item = (&str, &'static str)> {
    release
        .moving()
        .into_iter()
        .flat_map(|(_, moves)| moves)
        .flat_map(|m| m.steps.iter().map(move |s| (m, s)))
        .filter(|(_, s)| {
            matches!(
                s.status,
                StepStatus::Failed { .. } | StepStatus::Unknown { .. }
            )
        })
        .map(|(m, s)| {
            let name = match s.exposure {
                Some(_) => m.target.as_str(),
                None => s.instance.as_str(),
            };
            (name, s.verb(&m.sequence).map_or("call", |v| v.word()))
        })
}

/// What an action does to a release, by its effect.
pub fn label(action: Action, release: &Release) -> String {
    let back = release.phase == Phase::RollingBack;
    match action {
        Action::Start => match next_batch(release) {
            Some((_, batch)) => format!("start: 0 → {}", batch.exposure),
            None => "start".to_owned(),
        },
        Action::Promote => match next_batch(release) {
            Some((_, batch)) => {
                format!(
                    "promote {} → {}",
                    release.exposed().unwrap_or(0),
                    batch.exposure
                )
            }
            None => "promote: on to the observation".to_owned(),
        },
        Action::PromoteAll => format!(
            "promote all {} → {}, skips {}",
            release.exposed().unwrap_or(0),
            release
                .batches
                .last()
                .map_or(Exposure::FULL, |b| b.exposure),
            say::count(release.skippable().count(), "hold")
        ),
        Action::Resume if back => "go on with the way back".to_owned(),
        Action::Resume => "go on".to_owned(),
        Action::Hold if back => "hold the rollback".to_owned(),
        Action::Hold => "hold".to_owned(),
        Action::Retry => {
            let mut all = failed(release);
            match (all.next(), all.count()) {
                (Some((instance, verb)), 0) => format!("retry {verb} of {instance}"),
                (_, more) => format!("retry {} failed calls", more + 1),
            }
        }
        Action::RollBack => match back_to(release).as_slice() {
            [one] => format!("roll back to {one}"),
            _ => "roll back".to_owned(),
        },
        other => other.info().label.to_owned(),
    }
}

/// How much is asked before an action acts on a release, by the action and the environment.
pub fn level(world: World<'_>, release: &Release, action: Action) -> Confirm {
    let policy = world
        .state
        .charter
        .environments
        .get(&release.plan.environment)
        .map_or(Policy::Typed, |e| e.confirm);
    let own = action.info().confirm;
    let asked = match policy {
        Policy::None => own.min(Confirm::AtOnce),
        Policy::Dialog => own.min(Confirm::Ask),
        Policy::Typed => own,
    };
    match text_wanted(action) {
        // a note has to be written somewhere
        true => asked.max(Confirm::Ask),
        false => asked,
    }
}
