//! A made-up shop in all the situations that a room can be in, reached by real commands.

use std::collections::BTreeMap;
use std::sync::Arc;

use holdpoint::domain::charter::{
    ApprovalRule, Charter, Confirm, Environment, Group, Metric, Person, Reading, Right, Service,
    Target,
};
use holdpoint::domain::live::{Chart, Judged, LedgerLive, Live, Point, TargetLive, Unit};
use holdpoint::domain::{
    Artifact, Ask, Call, Choice, Control, Health, MetricVerdict, Plan, ReleaseId, Sight, Span, Verb,
};
use serde_json::{Value, json};

use crate::room::{Room, old};

/// The services of the shop, where each runs, on how many instances.
const SERVICES: [(&str, &str, u64); 9] = [
    ("payments", "prod-eu", 20),
    ("ledger-api", "prod-eu", 4),
    ("checkout", "prod-us", 6),
    ("search", "prod-eu", 4),
    ("mailer", "prod-eu", 3),
    ("catalog", "prod-eu", 4),
    ("billing", "prod-eu", 6),
    ("web", "prod-us", 8),
    ("auth", "prod-us", 4),
];

fn service(name: &str) -> Service {
    let metric = |reading, fail_above| Metric {
        reading,
        source: None,
        fail_above,
        min_count: 50,
        tolerance: None,
        margin: None,
        weight: 1_000_000,
        action: None,
        critical: None,
        required: None,
        horizon: None,
        shadow: false,
    };
    Service {
        owner: format!("team {name}").into(),
        tier: u8::from(name != "payments"),
        depends_on: match name {
            "checkout" => ["payments".into(), "catalog".into()].into(),
            "billing" => ["payments".into()].into(),
            _ => Default::default(),
        },
        metrics: [
            (
                "errors".into(),
                metric(
                    Reading::Ratio {
                        bad: "http_requests_total{code=~\"5..\"}".into(),
                        total: "http_requests_total".into(),
                    },
                    Some(50_000),
                ),
            ),
            (
                "p99".into(),
                metric(
                    Reading::Quantile {
                        histogram: "http_request_duration_seconds".into(),
                        at: 990_000,
                    },
                    None,
                ),
            ),
            (
                "memory".into(),
                metric(
                    Reading::Gauge {
                        series: "process_resident_memory_bytes".into(),
                    },
                    None,
                ),
            ),
        ]
        .into(),
        shadow: false,
    }
}

fn target(name: &str, environment: &str, count: u64) -> Target {
    let argv = |words: &[&str]| words.iter().map(|w| (*w).into()).collect();
    Target {
        service: name.into(),
        environment: environment.into(),
        platform: "command".into(),
        instances: (1..=count)
            .map(|n| format!("{}-{n:02}", &name[..2]).into())
            .collect(),
        by_share: false,
        parallel: 2,
        retries: 0,
        backoff: Span::secs(5),
        calls: [
            (
                Verb::Deploy,
                argv(&["deploy", name, "{version}", "--on", "{instance}"]),
            ),
            (
                Verb::Rollback,
                argv(&["rollback", name, "--to", "{version}", "--on", "{instance}"]),
            ),
        ]
        .into(),
    }
}

pub fn charter() -> Charter {
    let person = |groups: &[&str], sample| Person {
        full_name: "".into(),
        groups: groups.iter().map(|g| (*g).into()).collect(),
        sample,
    };
    let group = |may: &[Right]| Group {
        may: may.iter().copied().collect(),
        environments: Default::default(),
    };
    let environment = |zone: &str| Environment {
        production: true,
        zone: zone.into(),
        confirm: Confirm::Typed,
    };
    Charter {
        room: "shop-emea".into(),
        people: [
            ("ada", person(&["operations"], false)),
            ("bo", person(&["operations"], true)),
            ("kim", person(&["security"], true)),
            ("eva", person(&["security", "operations"], false)),
            ("ci", person(&["pipelines"], true)),
            ("guest", person(&[], false)),
        ]
        .map(|(name, person)| (name.into(), person))
        .into(),
        groups: [
            ("operations", group(&[Right::Submit, Right::Control])),
            ("security", group(&[])),
            ("pipelines", group(&[Right::Submit])),
        ]
        .map(|(name, group)| (name.into(), group))
        .into(),
        services: SERVICES
            .iter()
            .map(|(name, ..)| ((*name).into(), service(name)))
            .collect(),
        environments: [
            ("prod-eu".into(), environment("Europe/Berlin")),
            ("prod-us".into(), environment("America/New_York")),
        ]
        .into(),
        targets: SERVICES
            .iter()
            .map(|(name, env, count)| {
                let region = &env[5..];
                (
                    format!("{name}-{region}").as_str().into(),
                    target(name, env, *count),
                )
            })
            .collect(),
        approvals: vec![ApprovalRule {
            name: "security and operations".into(),
            environments: Default::default(),
            kinds: Default::default(),
            needs: [("security".into(), 1), ("operations".into(), 1)].into(),
            distinct_people: true,
            excludes: Default::default(),
            vote_lasts: None,
            window_binds: false,
            expires: Span::mins(120),
            ..ApprovalRule::default()
        }],
        ..Charter::default()
    }
}

/// The shop with nothing going on.
pub fn empty() -> Room {
    let mut room = Room::new();
    let charter = charter();
    room.fleet.clear();
    for (name, target) in &charter.targets {
        for instance in &target.instances {
            let key = (name.clone(), instance.clone());
            room.fleet.insert(key, (old(), Health::Running));
        }
    }
    room.engine(Ask::Adopt(Arc::new(charter)));
    room
}

/// A plan for a service; `more` is laid over it.
pub fn plan(service: &str, version: &str, more: Value) -> Plan {
    let environment = SERVICES.iter().find(|(n, ..)| *n == service).unwrap().1;
    let mut plan = json!({
        "title": format!("{service} {version}: round half-even, index postings by month"),
        "environment": environment,
        "services": [{
            "service": service,
            "version": version,
            "digest": format!("sha256:{}", "b".repeat(64)),
        }],
        "changes": [
            "Round interest half-even (dana)",
            "Index postings by month (fritz)",
        ],
        "tickets": ["OPS-4411", "CHG0031871"],
        "runbook": format!("https://wiki.shop.example/{service}/release"),
        "batches": [
            {"exposure": "10%", "after": [{"bake": "5m"}, {"analysis": {"metrics": ["errors", "p99"], "passes": 3}}]},
            {"exposure": "40%"},
            {"exposure": "70%", "before": [{"manual": {"ask": "promote 40 → 70 %"}}], "after": [{"bake": "10m"}]},
            {"exposure": "full"},
        ],
        "triggers": [
            {"metric": "errors", "action": "roll-back"},
            {"metric": "p99", "action": "roll-back"},
            {"instances_down": "10m", "action": "roll-back"},
        ],
        "observe": {"for": "2h"},
        "rollback": {"note": "back to what ran before: the migration is additive, 4 m 30 s, measured"},
    });
    for (key, value) in more.as_object().unwrap() {
        plan[key] = value.clone();
    }
    serde_json::from_value(plan).unwrap()
}

/// The usual window: it opened at two, Berlin time.
fn window() -> Value {
    json!({"opens": "2026-11-21T01:30", "closes": "2026-11-21T04:00", "zone": "Europe/Berlin"})
}

/// Submits a plan in the pipeline's name.
pub fn submit(room: &mut Room, plan: Plan) -> ReleaseId {
    room.see();
    let id = room.submit("ci", plan).unwrap();
    room.see();
    id
}

/// Both votes.
pub fn approve(room: &mut Room, id: ReleaseId) {
    room.vote("kim", id, Choice::Approve).unwrap();
    room.vote("bo", id, Choice::Approve).unwrap();
}

/// Submitted, approved and started.
pub fn started(room: &mut Room, plan: Plan) -> ReleaseId {
    let id = submit(room, plan);
    approve(room, id);
    room.control("ada", id, Control::Start).unwrap();
    room.see();
    id
}

/// Begins the next calls and carries out the first `done` of them.
pub fn some(room: &mut Room, done: usize) {
    room.see();
    room.begin();
    let begun = std::mem::take(&mut room.begun);
    for (n, effect) in begun.into_iter().enumerate() {
        if n < done {
            room.finish(effect);
        }
    }
    room.see();
}

/// Three looks in a row with this answer.
pub fn looked(room: &mut Room, id: ReleaseId, call: Call, words: &str) {
    let release = room.state().live.get(&id).unwrap();
    let batch = release.batch().map_or(release.batches.len(), |(n, _)| n);
    let verdict = |metric: &str, call, words: &str| MetricVerdict {
        metric: metric.into(),
        call,
        streak: 3,
        words: words.into(),
        inputs: format!("sha256:{}", "c".repeat(64)).into(),
        shadow: false,
    };
    let verdicts = vec![
        verdict("errors", Call::Pass, "new 0.31 %, old 0.33 %"),
        verdict("p99", call, words),
    ];
    room.engine(Ask::Looked {
        release: id,
        batch,
        verdicts,
        judgements: Vec::new(),
    });
}

/// A release that waits for ada's vote.
pub fn voting(room: &mut Room) -> ReleaseId {
    let id = submit(
        room,
        plan("ledger-api", "2.3.1", json!({"window": window()})),
    );
    room.pass(Span::mins(3));
    room.person(
        "kim",
        Ask::Vote {
            release: id,
            choice: Choice::Approve,
            comment: "pen-test ok".into(),
            digest: None,
        },
    )
    .unwrap();
    id
}

/// Payments at 40 %, waiting for somebody who promotes.
pub fn manual(room: &mut Room) -> ReleaseId {
    let id = started(
        room,
        plan(
            "payments",
            "4.12.0",
            json!({"name": "payments-4.12", "window": window()}),
        ),
    );
    room.pass(Span::secs(20));
    room.work();
    room.pass(Span::mins(5));
    looked(
        room,
        id,
        Call::Pass,
        "new 184 ms, old 176 ms, 1.0x of 2.5x allowed",
    );
    room.pass(Span::secs(30));
    room.work();
    room.pass(Span::mins(4));
    id
}

/// Checkout goes back: its trigger on p99 fired.
pub fn rolling_back(room: &mut Room) -> ReleaseId {
    let id = started(
        room,
        plan(
            "checkout",
            "7.7.2",
            json!({"batches": [
                {"name": "staged", "exposure": "10%"},
                {"exposure": "50%", "after": [{"bake": "10m"}, {"analysis": {"metrics": ["p99"], "passes": 3}}]},
                {"exposure": "full", "before": [{"manual": {}}]},
            ]}),
        ),
    );
    room.work();
    room.pass(Span::mins(3));
    looked(
        room,
        id,
        Call::Fail,
        "new 412 ms, old 196 ms, 2.1x of 2.0x allowed",
    );
    some(room, 1);
    room.pass(Span::secs(18));
    id
}

/// Search bakes at its second batch.
pub fn baking(room: &mut Room) -> ReleaseId {
    let id = started(
        room,
        plan(
            "search",
            "9.0.4",
            json!({"batches": [
                {"exposure": "25%"},
                {"exposure": "50%", "after": [{"bake": "10m"}, {"analysis": {"metrics": ["errors"], "passes": 3}}]},
                {"exposure": "full"},
            ]}),
        ),
    );
    room.work();
    room.pass(Span::mins(2));
    id
}

/// The second of mailer's calls has failed.
pub fn failed(room: &mut Room) -> ReleaseId {
    let id = started(
        room,
        plan(
            "mailer",
            "1.9.0",
            json!({"batches": [{"exposure": "60%"}, {"exposure": "full"}]}),
        ),
    );
    room.fails.push("ma-02".into());
    room.work();
    room.pass(Span::secs(48));
    id
}

/// Catalog is observed.
pub fn observed(room: &mut Room) -> ReleaseId {
    let more = json!({
        "batches": [{"exposure": "50%"}, {"exposure": "full"}],
        "observe": {"for": "2h", "handover": true},
    });
    let id = started(room, plan("catalog", "3.3.0", more));
    room.work();
    room.pass(Span::mins(48));
    id
}

/// Auth is closed as succeeded.
pub fn closed(room: &mut Room) -> ReleaseId {
    let more = json!({"batches": [{"exposure": "full"}], "observe": {"for": "1m"}});
    let id = started(room, plan("auth", "6.2.0", more));
    room.work();
    room.pass(Span::mins(2));
    id
}

/// Everything at once: the situation of the sketches.
pub fn busy() -> Room {
    let mut room = empty();
    room.see();
    closed(&mut room);
    observed(&mut room);
    let window_later = json!({
        "window": {"opens": "2026-11-22T02:00", "closes": "2026-11-22T04:00"},
        "start": "auto",
    });
    let billing = submit(&mut room, plan("billing", "5.0.0", window_later));
    approve(&mut room, billing);
    let emergency = json!({
        "kind": "emergency", "start": "auto",
        "emergency": {"incident": "INC-90", "reason": "checkout fails for everybody", "lasts": "4h"},
    });
    submit(&mut room, plan("web", "88.1.0", emergency));
    manual(&mut room);
    let second = submit(
        &mut room,
        plan("payments", "4.12.1", json!({"start": "auto"})),
    );
    approve(&mut room, second);
    voting(&mut room);
    baking(&mut room);
    failed(&mut room);
    rolling_back(&mut room);
    room.see();
    room
}

/// What is seen right now of the shop: fresh, with metrics of everything that moves.
pub fn live(room: &Room) -> Live {
    let now = room.now;
    let mut targets: BTreeMap<_, TargetLive> = BTreeMap::new();
    for ((target, instance), (artifact, health)) in &room.fleet {
        let entry = targets.entry(target.clone()).or_default();
        entry.read_at = Some(now.minus(Span(400)));
        let sight = Sight {
            instance: instance.clone(),
            health: *health,
            artifact: Some(artifact.clone()),
            arriving: None,
            detail: "".into(),
        };
        let seen = (sight, now.minus(Span(400)));
        entry.instances.insert(instance.clone(), seen);
    }
    let mut live = Live {
        targets: targets.into_iter().map(|(k, v)| (k, Arc::new(v))).collect(),
        ledger: LedgerLive {
            seq: room.state().seq,
            head: "9f31c2d4".into(),
            broken: None,
        },
        here: vec!["ada".into(), "bo".into(), "eva".into()],
        ..Live::default()
    };
    for release in room.state().live.values() {
        if release.touched().next().is_none() {
            continue;
        }
        let bad = release.verdicts.values().any(|v| v.call == Call::Fail);
        let service = &release.plan.services[0].service;
        let charts = charts(room, service.as_str(), bad);
        live.charts.insert(release.id, Arc::new(charts));
        let last = if bad { Call::Fail } else { Call::Pass };
        let pulse = (0..10).map(|n| match n {
            0..2 => Call::Undecided,
            2..7 => Call::Pass,
            _ => last,
        });
        live.pulse.insert(release.id, pulse.collect());
    }
    live
}

fn charts(room: &Room, service: &str, bad: bool) -> Vec<Chart> {
    let wave = |n: u32| f64::from((n * 7919) % 13) / 13.0;
    let points = |canary: &dyn Fn(u32) -> Option<f64>, baseline: &dyn Fn(u32) -> f64| {
        (0..60)
            .map(|n| Point {
                at: room.now.minus(Span::secs(u64::from(60 - n) * 10)),
                canary: canary(n),
                baseline: Some(baseline(n)),
            })
            .collect::<Vec<_>>()
    };
    let from = |n: u32, value: f64| (n >= 20).then_some(value);
    let rise = move |n: u32| {
        if bad && n > 35 {
            f64::from(n - 35) * 0.009
        } else {
            0.0
        }
    };
    vec![
        Chart {
            service: service.into(),
            metric: "errors".into(),
            unit: Unit::Share,
            points: points(&|n| from(n, 0.0031 + wave(n) * 0.001), &|n| {
                0.0033 + wave(n + 5) * 0.001
            }),
            call: Call::Pass,
            words: "new 0.31 %, old 0.33 %".into(),
            allowed: "up to 5.00 %".into(),
            limit: Some(0.05),
            judged: Judged::default(),
        },
        Chart {
            service: service.into(),
            metric: "memory".into(),
            unit: Unit::Plain,
            points: points(&|n| (20..48).contains(&n).then_some(28_401_664.0), &|_| {
                27_300_000.0
            }),
            call: Call::NoData,
            words: "the new version gave nothing: connection refused".into(),
            allowed: "up to 4x".into(),
            limit: None,
            judged: Judged::default(),
        },
        Chart {
            service: service.into(),
            metric: "p99".into(),
            unit: Unit::Seconds,
            points: points(&|n| from(n, 0.18 + wave(n) * 0.02 + rise(n)), &|n| {
                0.176 + wave(n + 3) * 0.03
            }),
            call: if bad { Call::Fail } else { Call::Pass },
            words: if bad {
                "new 412 ms, old 196 ms, 2.1x of 2.0x allowed".into()
            } else {
                "new 184 ms, old 176 ms, 1.0x of 2.5x allowed".into()
            },
            allowed: "up to 2.0x".into(),
            limit: None,
            judged: Judged::default(),
        },
    ]
}

/// An instance is seen otherwise from now on.
pub fn seen(room: &mut Room, target: &str, instance: &str, health: Health, version: Option<&str>) {
    let key = (target.into(), instance.into());
    let (artifact, was) = room.fleet.get_mut(&key).unwrap();
    *was = health;
    if let Some(version) = version {
        *artifact = Artifact {
            version: version.into(),
            digest: "".into(),
        };
    }
    room.see();
}
