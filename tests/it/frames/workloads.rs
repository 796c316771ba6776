//! Targets that are moved by shares: what stands of them on the rollout screen, in the dialogs and on the
//! other sides of a release.

use std::sync::Arc;

use holdpoint::domain::charter::{Charter, Target};
use holdpoint::domain::live::Live;
use holdpoint::domain::workload::{Owner, Parts, Stage, StageAt, Stuck, Workload};
use holdpoint::domain::{Artifact, Ask, Control, Health, ReleaseId, Span, Verb};
use holdpoint::tui::{Caps, Depth};
use serde_json::json;

use super::seat::Seat;
use super::shop;
use super::shots::{NARROW, WIDE, shot};
use crate::room::{Room, old};

/// Its version.
const NEW: &str = "4.12.0";

fn artifact() -> Artifact {
    Artifact {
        version: NEW.into(),
        digest: format!("sha256:{}", "b".repeat(64)).into(),
    }
}

/// The shop with payments as workloads in Kubernetes: these targets.
fn charter(targets: &[&str]) -> Charter {
    let mut charter = shop::charter();
    let was = charter.targets.remove(&"payments-eu".into()).unwrap();
    for name in targets {
        let image = "image=registry.example/shop/payments:{version}@{digest}";
        let call = |what: &str| {
            ["PATCH", "deployments/payments", "-n", "shop", what]
                .map(Into::into)
                .to_vec()
        };
        let target = Target {
            platform: "kubernetes".into(),
            instances: vec!["payments".into()],
            by_share: true,
            parallel: 1,
            calls: [
                (Verb::Deploy, call(image)),
                (Verb::Rollback, call("template=what ran before the release")),
            ]
            .into(),
            ..was.clone()
        };
        charter.targets.insert((*name).into(), target);
    }
    charter
}

/// A release of payments in 20 %, 50 % and full, started, with its first share moved.
fn moved(targets: &[&str]) -> (Room, ReleaseId) {
    let mut room = shop::empty();
    room.fleet
        .retain(|(target, _), _| target.as_str() != "payments-eu");
    for target in targets {
        let key = ((*target).into(), "payments".into());
        room.fleet.insert(key, (old(), Health::Running));
    }
    room.engine(Ask::Adopt(Arc::new(charter(targets))));
    let batches = json!([
        {"exposure": "20%"},
        {"exposure": "50%", "before": [{"manual": {"ask": "half of it"}}], "after": [{"bake": "5m"}]},
        {"exposure": "full"},
    ]);
    let more = json!({"batches": batches, "triggers": []});
    let id = shop::started(&mut room, shop::plan("payments", NEW, more));
    room.work();
    room.pass(Span::secs(41));
    (room, id)
}

/// The same on its way to 50 %.
fn on_its_way(targets: &[&str]) -> (Room, ReleaseId) {
    let (mut room, id) = moved(targets);
    let promote = Control::Promote { seen: None };
    room.control("ada", id, promote).unwrap();
    room.see();
    room.begin();
    room.pass(Span::secs(18));
    (room, id)
}

fn parts(there: u32, ready: u32, available: u32) -> Parts {
    Parts {
        there,
        ready,
        available,
    }
}

/// Four of twenty pods are new.
fn calm(place: &str) -> Workload {
    Workload {
        kind: "Deployment".into(),
        place: place.into(),
        wanted: 20,
        new: parts(4, 4, 4),
        old: parts(16, 16, 16),
        new_hash: Some("5c9f6d".into()),
        old_hash: Some("7d41cb".into()),
        arriving: Some(artifact()),
        ..Workload::default()
    }
}

/// On the way to half of it, two pods crash and one does not find a node.
fn stuck() -> Workload {
    Workload {
        new: parts(10, 7, 6),
        old: parts(12, 12, 12),
        leaving: 2,
        bound: Some(10),
        says: "Progressing: ReplicaSetUpdated, ReplicaSet \"payments-5c9f6d\" is progressing"
            .into(),
        stuck: vec![
            Stuck {
                count: 2,
                reason: "crash-loop",
                words: "payments ends with exit 137 (OOMKilled), 4 times, last 12 s ago".into(),
                way_out: Some("roll back, or give it more memory than 128 Mi".into()),
            },
            Stuck {
                count: 1,
                reason: "unschedulable",
                words: "0/6 nodes are available: 6 Insufficient cpu".into(),
                way_out: None,
            },
        ],
        owners: vec![
            Owner {
                who: "HorizontalPodAutoscaler payments".into(),
                words: "decides how many pods there are; shares are reckoned from what it says"
                    .into(),
                forbids: false,
            },
            Owner {
                who: "Argo CD".into(),
                words: "keeps it as Git says (application shop): what holdpoint changes there, it \
                        would take back"
                    .into(),
                forbids: true,
            },
        ],
        ..calm("shop/payments in scratch")
    }
}

/// A Rollout of Argo at one of its pauses.
fn argo() -> Workload {
    let stage = |name: &str, at| Stage {
        name: name.into(),
        at,
    };
    Workload {
        kind: "Rollout".into(),
        weight: Some(20),
        says: "Paused: CanaryPauseStep".into(),
        stages: vec![
            stage("20 %", StageAt::Done),
            stage("pause", StageAt::Here),
            stage("analysis error-rate", StageAt::ToCome),
            stage("50 %", StageAt::ToCome),
            stage("pause 10 m", StageAt::ToCome),
            stage("100 %", StageAt::ToCome),
        ],
        ..calm("shop/payments in scratch")
    }
}

/// The workload of a target is seen like that; its instance with that health.
fn seen(live: &mut Live, target: &str, workload: Workload, health: Health) {
    let slot = live.targets.get_mut(&target.into()).unwrap();
    let mut read = (**slot).clone();
    for (sight, _) in read.instances.values_mut() {
        sight.health = health;
        sight.arriving = workload.arriving.clone();
    }
    read.workload = Some(Arc::new(workload));
    *slot = Arc::new(read);
}

/// ada's desk, with the workloads of these targets seen like that.
fn seat(
    (room, _): (Room, ReleaseId),
    all: &[(&str, Workload, Health)],
    size: (u16, u16),
    theme: &str,
    caps: Caps,
) -> Seat {
    let mut seat = Seat::with(room, "ada", size, theme, caps);
    for (target, workload, health) in all {
        seen(&mut seat.live, target, workload.clone(), *health);
    }
    seat.settle();
    seat
}

fn colours() -> Caps {
    Caps {
        depth: Depth::True,
        ..Caps::default()
    }
}

const EU: &str = "payments-k8s";

/// What there is to be seen: name, room, what is seen of it, keys.
type Scene = (
    &'static str,
    (Room, ReleaseId),
    Vec<(&'static str, Workload, Health)>,
    &'static str,
);

fn scenes() -> Vec<Scene> {
    let one = |workload, health| vec![(EU, workload, health)];
    let several = || {
        let mut west = stuck();
        west.place = "shop/payments in west".into();
        west.owners.clear();
        vec![
            (
                "payments-east",
                calm("shop/payments in east"),
                Health::Changing,
            ),
            ("payments-west", west, Health::Down),
        ]
    };
    let mut back = stuck();
    (back.new, back.old, back.bound) = (parts(3, 1, 1), parts(17, 17, 17), None);
    back.owners.truncate(1);
    vec![
        (
            "share-stuck",
            on_its_way(&[EU]),
            one(stuck(), Health::Down),
            "2",
        ),
        (
            "share-argo",
            moved(&[EU]),
            one(argo(), Health::Running),
            "2",
        ),
        (
            "share-promote",
            moved(&[EU]),
            one(argo(), Health::Running),
            "P",
        ),
        (
            "share-forbidden",
            on_its_way(&[EU]),
            one(stuck(), Health::Down),
            "B",
        ),
        (
            "share-why",
            on_its_way(&[EU]),
            one(stuck(), Health::Down),
            "w",
        ),
        (
            "share-calls",
            on_its_way(&[EU]),
            one(stuck(), Health::Down),
            "@",
        ),
        (
            "share-several",
            on_its_way(&["payments-east", "payments-west"]),
            several(),
            "2",
        ),
        ("share-back", going_back(), one(back, Health::Changing), "2"),
        ("share-unread", on_its_way(&[EU]), Vec::new(), "2"),
    ]
}

fn going_back() -> (Room, ReleaseId) {
    let (mut room, id) = on_its_way(&[EU]);
    for effect in std::mem::take(&mut room.begun) {
        room.finish(effect);
    }
    let why = "customers call".into();
    room.control("ada", id, Control::RollBack { why }).unwrap();
    room.see();
    room.begin();
    room.pass(Span::secs(7));
    (room, id)
}

#[test]
fn workloads_on_the_screen() {
    for size in [WIDE, NARROW, (160, 48)] {
        for (name, room, all, keys) in scenes() {
            if size.0 == 160 && !matches!(name, "share-stuck" | "share-argo") {
                continue;
            }
            let mut seat = seat(room, &all, size, "roles", colours());
            seat.keys(keys);
            shot(name, &seat);
        }
    }
}

#[test]
fn pods_are_told_without_colours_and_without_unicode() {
    let ascii = Caps {
        unicode: false,
        depth: Depth::None,
        ..Caps::default()
    };
    let all = [(EU, stuck(), Health::Down)];
    for size in [WIDE, NARROW, (160, 48), (60, 20)] {
        let mut seat = seat(on_its_way(&[EU]), &all, size, "dark", ascii);
        seat.keys("2");
        let text = seat.text();
        assert!(text.is_ascii(), "{text}");
        // new, coming, stuck, old: each has its own shape
        let bar = |line: &str| "#=x_".chars().all(|c| line.contains(c));
        assert!(text.lines().any(bar), "{text}");
        assert!(text.contains("6 of 10 new available"), "{text}");
    }
}

#[test]
fn a_share_is_never_told_as_instances() {
    let all = [(EU, argo(), Health::Running)];
    for keys in ["", "2", "P", "w", "d", "@", "l", "t", "B"] {
        let mut seat = seat(moved(&[EU]), &all, (160, 48), "dark", colours());
        seat.keys(keys);
        let text = seat.text();
        assert!(!text.contains("1 instance"), "{keys}: {text}");
        assert!(!text.contains("of 1 "), "{keys}: {text}");
    }
    let mut seat = seat(moved(&[EU]), &all, WIDE, "dark", colours());
    seat.keys("P");
    let text = seat.text();
    let step = "20 % → 50 % of shop/payments in scratch (4 → 10 of 20 pods)";
    assert!(text.contains(step), "{text}");
    // the very call, with nothing left open
    assert!(
        text.contains("PATCH deployments/payments -n shop"),
        "{text}"
    );
    assert!(!text.contains("{version}"), "{text}");
}

/// The scenes for [`super::pictures`].
pub fn painted(size: (u16, u16), theme: &str, caps: Caps) -> Vec<(&'static str, Seat)> {
    let all = scenes().into_iter();
    all.map(|(name, room, all, keys)| {
        let mut seat = seat(room, &all, size, theme, caps);
        seat.keys(keys);
        (name, seat)
    })
    .collect()
}
