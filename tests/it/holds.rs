//! What a release waits for in others, and what it has to prove: the domain alone, with time wound
//! by hand.

mod limits;
mod needs;
mod ready;
mod shell;

use holdpoint::domain::charter::{
    Charter, Confirm, Environment, Group, Person, Right, Service, Target,
};
use holdpoint::domain::limits::{Limit, Per};
use holdpoint::domain::{Ask, Event, Phase, Plan, ReleaseId, Span, State, Verb, What};
use serde_json::{Value, json};

use crate::room::Room;

/// Three services of two teams in two environments, two instances each; nobody has to approve.
/// `chief` may waive, `ada` may control, `ci` may submit.
fn charter() -> Charter {
    let person = |group: &str| Person {
        full_name: "".into(),
        groups: [group.into()].into(),
        sample: false,
    };
    let group = |may: &[Right]| Group {
        may: may.iter().copied().collect(),
        environments: Default::default(),
    };
    let service = |owner: &str| Service {
        owner: owner.into(),
        tier: 1,
        depends_on: Default::default(),
        metrics: Default::default(),
        shadow: false,
    };
    let environment = |production| Environment {
        production,
        zone: "UTC".into(),
        confirm: Confirm::None,
    };
    let services = [("payments", "pay"), ("ledger", "pay"), ("web", "front")];
    let mut charter = Charter {
        room: "holds".into(),
        people: [
            ("chief", person("chiefs")),
            ("ada", person("operations")),
            ("bo", person("operations")),
            ("ci", person("pipelines")),
            ("guest", person("guests")),
        ]
        .map(|(name, person)| (name.into(), person))
        .into(),
        groups: [
            ("chiefs", group(&[Right::Waive, Right::Submit])),
            ("operations", group(&[Right::Submit, Right::Control])),
            ("pipelines", group(&[Right::Submit])),
            ("guests", group(&[])),
        ]
        .map(|(name, group)| (name.into(), group))
        .into(),
        services: services
            .map(|(name, owner)| (name.into(), service(owner)))
            .into(),
        environments: [
            ("staging".into(), environment(false)),
            ("prod".into(), environment(true)),
        ]
        .into(),
        ..Charter::default()
    };
    for (name, _) in services {
        for place in ["staging", "prod"] {
            let target = Target {
                service: name.into(),
                environment: place.into(),
                platform: "command".into(),
                instances: vec!["i-1".into(), "i-2".into()],
                by_share: false,
                parallel: 2,
                retries: 0,
                backoff: Span::secs(5),
                calls: [(Verb::Deploy, vec!["deploy".into()])].into(),
            };
            charter
                .targets
                .insert(format!("{name}-{place}").into(), target);
        }
    }
    charter
}

/// A plan that starts by itself and is over a minute after it runs everywhere; `more` is laid over
/// it.
fn plan(service: &str, version: &str, place: &str, more: Value) -> Plan {
    let mut plan = json!({
        "title": format!("{service} {version}"),
        "environment": place,
        "services": [{"service": service, "version": version, "digest": digest(service, version)}],
        "start": "auto",
        "batches": [{"exposure": "full"}],
        "observe": {"for": "1m"},
    });
    for (key, value) in more.as_object().unwrap() {
        plan[key] = value.clone();
    }
    if plan["kind"] == "emergency" {
        // nobody votes here, so that somebody else than the submitter has to start it
        plan["emergency"] = json!({"incident": "INC-1", "reason": "it is down", "lasts": "2h"});
    }
    serde_json::from_value(plan).unwrap()
}

/// Made-up, and another one for each artifact.
fn digest(service: &str, version: &str) -> String {
    let sum: u64 = format!("{service} {version}").bytes().fold(7, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(byte.into())
    });
    format!("sha256:{sum:064x}")
}

fn limit(name: &str, at_most: u32) -> Limit {
    Limit {
        name: name.into(),
        environments: Default::default(),
        teams: Default::default(),
        services: Default::default(),
        per: None,
        at_most,
        observing: false,
    }
}

fn per(name: &str, at_most: u32, per: Per) -> Limit {
    Limit {
        per: Some(per),
        ..limit(name, at_most)
    }
}

fn phase(room: &Room, id: ReleaseId) -> Option<Phase> {
    room.state().live.get(&id).map(|r| r.phase)
}

/// Folding the bytes of all events again gives the same state, and a snapshot keeps it.
#[track_caller]
fn folds_again(room: &Room) {
    let mut again = State::default();
    for event in &room.draft.events {
        let bytes = event.to_bytes();
        holdpoint::domain::apply::apply(&mut again, &Event::from_bytes(&bytes).unwrap());
    }
    assert_eq!(again, *room.state());
    let snapshot = serde_json::to_vec(&again).unwrap();
    assert_eq!(serde_json::from_slice::<State>(&snapshot).unwrap(), again);
}

fn waive(release: ReleaseId, hold: &str, reason: &str) -> Ask {
    Ask::Waive {
        release,
        hold: hold.into(),
        reason: reason.into(),
    }
}

/// The releases in the order in which they began.
fn began(room: &Room) -> Vec<ReleaseId> {
    room.draft
        .events
        .iter()
        .filter_map(|event| match event.what {
            What::Started { release, .. } => Some(release),
            _ => None,
        })
        .collect()
}
