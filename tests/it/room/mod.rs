//! A made-up room for tests of the domain: a charter, a plan, and a platform that does as it is told.

use std::collections::BTreeMap;
use std::sync::Arc;

use holdpoint::domain::charter::{
    ApprovalRule, Charter, Confirm, Environment, Group, Metric, Person, Reading, Right, Service,
    Target,
};
use holdpoint::domain::plan::Exposure;
use holdpoint::domain::wanted::wanted;
use holdpoint::domain::{
    Actor, Artifact, Ask, Choice, Command, Control, Door, Draft, Effect, Failure, Health,
    InstanceName, Outcome, Plan, Refusal, ReleaseId, Sight, Span, State, TargetName, Timestamp,
    Verb, What,
};
use holdpoint::policy::turn::carry_out;

/// A Saturday in November, 02:00 in Berlin.
pub const START: Timestamp = Timestamp(1_795_222_800_000);

/// What runs everywhere before a release.
pub fn old() -> Artifact {
    Artifact {
        version: "4.11.3".into(),
        digest: format!("sha256:{}", "a".repeat(64)).into(),
    }
}

/// A charter with ada and bo (operations, may control), kim (security), eva (both), a pipeline, and
/// six instances of payments in prod-eu.
pub fn charter() -> Charter {
    let person = |groups: &[&str]| Person {
        full_name: "".into(),
        groups: groups.iter().map(|g| (*g).into()).collect(),
        sample: false,
    };
    let group = |may: &[Right]| Group {
        may: may.iter().copied().collect(),
        environments: Default::default(),
    };
    let metric = Metric {
        reading: Reading::Ratio {
            bad: "http_requests_total{code=~\"5..\"}".into(),
            total: "http_requests_total".into(),
        },
        source: None,
        fail_above: Some(50_000),

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
    Charter {
        room: "test".into(),
        people: [
            ("ada", person(&["operations"])),
            ("bo", person(&["operations"])),
            ("kim", person(&["security"])),
            ("eva", person(&["security", "operations"])),
            ("pipeline", person(&["pipelines"])),
            ("guest", person(&[])),
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
        services: [(
            "payments".into(),
            Service {
                owner: "pay".into(),
                tier: 0,
                depends_on: Default::default(),
                metrics: [("errors".into(), metric)].into(),
                shadow: false,
            },
        )]
        .into(),
        environments: [(
            "prod-eu".into(),
            Environment {
                production: true,
                zone: "Europe/Berlin".into(),
                confirm: Confirm::Typed,
            },
        )]
        .into(),
        targets: [(
            "payments-eu".into(),
            Target {
                service: "payments".into(),
                environment: "prod-eu".into(),
                platform: "command".into(),
                instances: (1..=6).map(|n| format!("i-{n}").into()).collect(),
                by_share: false,
                parallel: 2,
                retries: 0,
                backoff: Span::secs(5),
                calls: [
                    (Verb::Deploy, vec!["deploy".into()]),
                    (Verb::Rollback, vec!["rollback".into()]),
                ]
                .into(),
            },
        )]
        .into(),
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

/// A plan of three batches with a manual hold, a bake, a health check and an analysis.
pub fn plan() -> Plan {
    serde_json::from_value(serde_json::json!({
        "name": "payments-4.12",
        "title": "Payments 4.12.0",
        "environment": "prod-eu",
        "services": [{"service": "payments", "version": "4.12.0", "digest": format!("sha256:{}", "b".repeat(64))}],
        "batches": [
            {"exposure": "10%", "after": [{"bake": "5m"}, {"analysis": {"passes": 3}}]},
            {"exposure": "50%", "before": [{"manual": {}}], "after": [{"health": {"http": [{"url": "{url}/healthz"}]}}]},
            {"exposure": "full"}
        ],
        "triggers": [
            {"metric": "errors", "action": "roll-back"},
            {"instances_down": "30s", "action": "roll-back"}
        ],
        "observe": {"for": "30m"}
    }))
    .unwrap()
}

/// A room without an engine: commands are decided one by one, and a pretended platform carries out
/// at once what is begun.
pub struct Room {
    pub draft: Draft,
    pub now: Timestamp,
    /// What runs where, and how it is.
    pub fleet: BTreeMap<(TargetName, InstanceName), (Artifact, Health)>,
    /// What runs on a part of those that are moved by shares.
    pub divided: BTreeMap<(TargetName, InstanceName), Artifact>,
    /// Calls that were begun and have not been answered; emptied by [`Room::work`].
    pub begun: Vec<Effect>,
    /// Instances whose next forward call fails.
    pub fails: Vec<InstanceName>,
}

impl Room {
    /// The room, with everything on the old version.
    pub fn new() -> Room {
        Room::of(charter())
    }

    /// A room under a charter, with everything on the old version.
    pub fn of(charter: Charter) -> Room {
        let mut fleet = BTreeMap::new();
        for (name, target) in &charter.targets {
            for instance in &target.instances {
                fleet.insert((name.clone(), instance.clone()), (old(), Health::Running));
            }
        }
        let mut room = Room {
            draft: Draft::new(State::default()),
            now: START,
            fleet,
            divided: BTreeMap::new(),
            begun: Vec::new(),
            fails: Vec::new(),
        };
        room.engine(Ask::Adopt(Arc::new(charter)));
        room
    }

    pub fn state(&self) -> &State {
        &self.draft.state
    }

    pub fn ask(&mut self, who: Actor, door: Door, ask: Ask) -> Result<(), Refusal> {
        let command = Command {
            at: self.now,
            who,
            door,
            ask,
        };
        carry_out(&mut self.draft, &command)
    }

    pub fn engine(&mut self, ask: Ask) {
        self.ask(Actor::Engine, Door::Engine, ask).unwrap();
    }

    pub fn person(&mut self, who: &str, ask: Ask) -> Result<(), Refusal> {
        self.ask(Actor::Person(who.into()), Door::Socket { uid: 1000 }, ask)
    }

    pub fn submit(&mut self, who: &str, plan: Plan) -> Result<ReleaseId, Refusal> {
        self.person(
            who,
            Ask::Submit {
                plan: Arc::new(plan),
            },
        )?;
        Ok(ReleaseId(self.state().last_id))
    }

    pub fn vote(&mut self, who: &str, release: ReleaseId, choice: Choice) -> Result<(), Refusal> {
        let ask = Ask::Vote {
            release,
            choice,
            comment: "".into(),
            digest: None,
        };
        self.person(who, ask)
    }

    pub fn control(
        &mut self,
        who: &str,
        release: ReleaseId,
        control: Control,
    ) -> Result<(), Refusal> {
        self.person(who, Ask::Control { release, control })
    }

    /// Tells the engine what is seen everywhere.
    pub fn see(&mut self) {
        let mut by_target: BTreeMap<TargetName, Vec<Sight>> = BTreeMap::new();
        for ((target, instance), (artifact, health)) in &self.fleet {
            by_target.entry(target.clone()).or_default().push(Sight {
                instance: instance.clone(),
                health: *health,
                artifact: Some(artifact.clone()),
                arriving: self
                    .divided
                    .get(&(target.clone(), instance.clone()))
                    .cloned(),
                detail: "".into(),
            });
        }
        for (target, sights) in by_target {
            self.engine(Ask::Seen { target, sights });
        }
    }

    /// Begins what is wanted; returns whether there was anything.
    pub fn begin(&mut self) -> bool {
        let ids: Vec<ReleaseId> = self.state().live.keys().copied().collect();
        let effects: Vec<Effect> = ids
            .iter()
            .flat_map(|id| wanted(self.state(), *id))
            .collect();
        let any = !effects.is_empty();
        let before = self.draft.events.len();
        self.engine(Ask::Begin(effects.iter().map(|e| e.id.clone()).collect()));
        for event in &self.draft.events[before..] {
            if let What::EffectBegun { effect } = &event.what {
                self.begun.push(effect.clone());
            }
        }
        any
    }

    /// Carries out one begun call.
    pub fn finish(&mut self, effect: Effect) {
        let fails = self.fails.iter().position(|i| *i == effect.instance);
        let outcome = match fails {
            Some(n) if effect.verb == Verb::Deploy => {
                self.fails.remove(n);
                Outcome::Failed {
                    why: Failure::Exit(1),
                    output: "no space left".into(),
                }
            }
            _ => {
                let key = (effect.target.clone(), effect.instance.clone());
                if effect.exposure.is_some_and(|share| share < Exposure::FULL) {
                    self.divided.insert(key, effect.artifact.clone());
                } else {
                    self.divided.remove(&key);
                    self.fleet
                        .insert(key, (effect.artifact.clone(), Health::Running));
                }
                Outcome::Done {
                    took: Span::secs(1),
                }
            }
        };
        self.engine(Ask::Ended {
            effect: effect.id,
            release: effect.release,
            outcome,
        });
    }

    /// Begins, carries out and sees until nothing more is wanted.
    pub fn work(&mut self) {
        self.see();
        for _ in 0..1000 {
            if !self.begin() {
                return;
            }
            for effect in std::mem::take(&mut self.begun) {
                self.finish(effect);
            }
            self.see();
        }
        panic!("the work never ends: {:#?}", self.draft.events.last());
    }

    /// Lets time pass, waking the engine whenever it wants to be woken.
    pub fn pass(&mut self, span: Span) {
        let end = self.now.plus(span);
        let mut spins = 0;
        // what was due and led to nothing waits for an event, as in the engine
        let mut woken = None;
        loop {
            let next = match woken {
                Some((seq, at)) if seq == self.state().seq => self.state().next_wake_after(at),
                _ => self.state().next_wake(),
            };
            let Some(at) = next.filter(|at| *at <= end) else {
                break;
            };
            if at > self.now {
                self.now = at;
                spins = 0;
            }
            woken = Some((self.state().seq, self.now));
            spins += 1;
            assert!(
                spins < 100,
                "waking spins at {at:?}: {:#?}",
                self.state().wakes
            );
            self.engine(Ask::Wake);
        }
        self.now = end;
    }

    /// How many instances run a version.
    pub fn running(&self, version: &str) -> usize {
        self.fleet
            .values()
            .filter(|(a, _)| &*a.version == version)
            .count()
    }

    /// What a release waits for: word and sentence.
    pub fn waiting(&self, release: ReleaseId) -> String {
        match self.state().live.get(&release) {
            Some(r) => {
                let w = holdpoint::domain::waiting::of(self.state(), r, self.now);
                format!("{}: {}", w.word, w.what)
            }
            None => match self.state().closed.get(&release) {
                Some(s) => format!("closed: {}", s.ending.words()),
                None => "unknown".to_owned(),
            },
        }
    }
}
