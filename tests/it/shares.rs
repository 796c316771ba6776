//! Targets that are moved by shares: one workload, a part of it in each batch.

use holdpoint::domain::charter::Charter;
use holdpoint::domain::release::{Phase, StepStatus};
use holdpoint::domain::{Choice, Control, Effect, Health, Outcome, ReleaseId, Span, Verb};

use crate::room::{Room, charter, plan};

/// The room of the other tests, with its target as one workload.
fn workload() -> Charter {
    let mut charter = charter();
    let target = charter.targets.get_mut(&"payments-eu".into()).unwrap();
    target.instances = vec!["payments".into()];
    target.by_share = true;
    charter
}

/// Approved and started, in a plan of 10 %, 50 % and full with nothing but a manual hold before the second.
fn started() -> (Room, ReleaseId) {
    let mut room = Room::of(workload());
    let mut plan = plan();
    plan.triggers.retain(|t| t.metric.is_none());
    for batch in &mut plan.batches {
        batch.after.clear();
    }
    let id = room.submit("pipeline", plan).unwrap();
    for who in ["kim", "bo"] {
        room.vote(who, id, Choice::Approve).unwrap();
    }
    room.control("ada", id, Control::Start).unwrap();
    room.see();
    (room, id)
}

fn percent(effect: &Effect) -> Option<u8> {
    effect.exposure.map(|share| share.percent())
}

#[test]
fn every_batch_moves_a_share_and_the_way_back_is_one_call() {
    let (mut room, id) = started();
    let was = room.fleet.values().next().unwrap().0.clone();
    assert!(room.begin());
    let first = room.begun.remove(0);
    assert_eq!(percent(&first), Some(10));
    assert_eq!(first.verb, Verb::Deploy);
    room.finish(first);
    room.see();
    // it stands at the hold, divided, and that is no trouble
    assert!(!room.begin());
    let release = &room.state().live[&id];
    assert_eq!(release.exposed(), Some(10));
    assert_eq!(room.state().troubled(release).count(), 0);
    room.control("ada", id, Control::Promote { seen: None })
        .unwrap();
    assert!(room.begin());
    let second = room.begun.remove(0);
    assert_eq!(percent(&second), Some(50));
    // while it is on its way the first share is not missed
    let release = &room.state().live[&id];
    assert_eq!(release.exposed(), Some(10));
    assert_eq!(room.state().troubled(release).count(), 0);
    room.finish(second);
    room.see();
    assert_eq!(room.state().live[&id].exposed(), Some(50));
    room.control("ada", id, Control::RollBack { why: "no".into() })
        .unwrap();
    room.begun.clear();
    assert!(room.begin());
    assert_eq!(room.begun.len(), 1, "{:?}", room.begun);
    let back = room.begun.remove(0);
    assert_eq!((back.verb, percent(&back)), (Verb::Rollback, None));
    assert_eq!(back.artifact, was);
    room.finish(back);
    room.see();
    assert!(room.state().closed.contains_key(&id));
}

#[test]
fn full_exposure_needs_all_of_it() {
    let (mut room, id) = started();
    room.work();
    room.control("ada", id, Control::Promote { seen: None })
        .unwrap();
    room.see();
    for _ in 0..2 {
        assert!(room.begin());
        for effect in std::mem::take(&mut room.begun) {
            let share = percent(&effect);
            room.finish(effect);
            if share == Some(100) {
                // the platform says that it is done, and a part still runs what ran before
                let key = ("payments-eu".into(), "payments".into());
                let all = room.fleet[&key].0.clone();
                room.fleet
                    .insert(key.clone(), (crate::room::old(), Health::Running));
                room.divided.insert(key, all);
            }
        }
        room.see();
    }
    let release = &room.state().live[&id];
    assert_eq!(release.phase, Phase::Rolling, "{:?}", release.hold());
    assert_eq!(room.state().troubled(release).count(), 1);
}

#[test]
fn a_call_that_is_given_up_lets_the_way_back_begin() {
    let (mut room, id) = started();
    assert!(room.begin());
    let first = room.begun.remove(0);
    room.control("ada", id, Control::RollBack { why: "no".into() })
        .unwrap();
    assert!(!room.begin(), "the forward call has not ended");
    room.engine(holdpoint::domain::Ask::Ended {
        effect: first.id,
        release: id,
        outcome: Outcome::Failed {
            why: holdpoint::domain::Failure::GivenUp,
            output: "".into(),
        },
    });
    assert!(room.begin());
    let release = &room.state().live[&id];
    let step = &release.batches[0].moves[0].steps[0];
    assert!(
        matches!(&step.status, StepStatus::Failed { again: None, .. }),
        "{step:?}"
    );
    room.pass(Span::secs(1));
}
