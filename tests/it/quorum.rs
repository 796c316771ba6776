//! The first invariant, against an oracle of its own: whatever people do in whatever order, nothing
//! begins without a quorum of distinct people who may vote, on exactly the plan that runs, with
//! votes that still hold, and with nobody's objection standing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use holdpoint::domain::approval::{Ask as Approval, Exclusion, Told};
use holdpoint::domain::authority::{Ask as Authority, Gift, Scope};
use holdpoint::domain::charter::{Charter, Right};
use holdpoint::domain::{
    Ask, Choice, Control, Event, GroupName, PersonName, Plan, ReleaseId, Span, Timestamp, What,
};
use serde_json::json;

use crate::room::{Room, charter, plan};
use crate::shop::Dice;

const LASTS: Span = Span::mins(30);
const PEOPLE: [&str; 8] = [
    "ada", "bo", "kim", "eva", "lee", "dana", "guest", "pipeline",
];
const CHOICES: [Choice; 5] = [
    Choice::Approve,
    Choice::Approve,
    Choice::Approve,
    Choice::Object,
    Choice::RequestChanges,
];

fn rules() -> Charter {
    let mut charter = charter();
    let mut add = |name: &str, groups: &[&str]| {
        let mut person = charter.people[&"guest".into()].clone();
        person.groups = groups.iter().map(|g| (*g).into()).collect();
        charter.people.insert(name.into(), person);
    };
    add("lee", &["security"]);
    add("dana", &["duty", "operations"]);
    let mut duty = charter.groups[&"security".into()].clone();
    duty.may = [Right::Grant, Right::Overrule].into();
    charter.groups.insert("duty".into(), duty);
    let rule = &mut charter.approvals[0];
    rule.excludes = [Exclusion::Authors, Exclusion::Starter].into();
    rule.vote_lasts = Some(LASTS);
    charter
}

/// A plan out of a few: other titles, other windows, or none.
fn variant(dice: &mut Dice) -> Arc<Plan> {
    let mut value = serde_json::to_value(plan()).unwrap();
    let fields = value.as_object_mut().unwrap();
    fields.insert("title".into(), json!(format!("Payments {}", dice.roll(2))));
    fields.insert("authors".into(), json!(["lee"]));
    fields.insert("started_by".into(), json!("bo"));
    fields.insert(
        "start".into(),
        json!(["manual", "auto"][dice.roll(2) as usize]),
    );
    if dice.roll(2) == 0 {
        let closes = format!("2036-11-21T0{}:00", 4 + dice.roll(2));
        fields.insert(
            "window".into(),
            json!({"opens": "2026-11-21T01:00", "closes": closes}),
        );
    }
    Arc::new(serde_json::from_value(value).unwrap())
}

fn step(room: &mut Room, id: ReleaseId, dice: &mut Dice) {
    let who = PEOPLE[dice.roll(8) as usize];
    let other = PEOPLE[dice.roll(8) as usize];
    let ask = match dice.roll(16) {
        0..8 => Ask::Vote {
            release: id,
            choice: CHOICES[dice.roll(5) as usize],
            comment: "because".into(),
            digest: None,
        },
        8 => Ask::Approval(Approval::Withdraw { release: id }),
        9 => Ask::Approval(Approval::Update {
            release: id,
            plan: variant(dice),
        }),
        10 => Ask::Approval(Approval::Overrule {
            release: id,
            whose: other.into(),
            why: "tested".into(),
        }),
        11 => Ask::Authority(Authority::Grant {
            to: other.into(),
            gift: Gift::Group(["security", "operations"][dice.roll(2) as usize].into()),
            scope: Scope::Release(id),
            lasts: Span::mins(20),
            why: "ill".into(),
        }),
        12 | 13 => Ask::Control {
            release: id,
            control: Control::Start,
        },
        // the clock is heard late now and then
        14 => {
            room.now = room.now.plus(Span::mins(1 + dice.roll(20)));
            return;
        }
        _ => {
            room.pass(Span::mins(1 + dice.roll(12)));
            return;
        }
    };
    // what is refused is refused: the oracle looks at what happened
    let _ = room.person(who, ask);
}

/// What an auditor would gather from the events.
#[derive(Default)]
struct Oracle {
    digest: String,
    plan: Option<Arc<Plan>>,
    votes: BTreeMap<PersonName, (Choice, Timestamp, Vec<GroupName>)>,
    overruled: BTreeSet<PersonName>,
    own: BTreeSet<PersonName>,
    started: u32,
}

impl Oracle {
    fn hear(&mut self, event: &Event) {
        let who = event.who.person().cloned();
        match &event.what {
            What::Submitted { plan, digest, .. } => {
                self.digest = digest.to_string();
                self.plan = Some(plan.clone());
                self.own.extend(who);
            }
            What::Voted {
                digest,
                choice,
                groups,
                ..
            } => {
                assert_eq!(**digest, *self.digest, "a vote on another plan");
                let who = who.unwrap();
                self.overruled.remove(&who);
                self.votes.insert(who, (*choice, event.at, groups.clone()));
            }
            What::Approval(Told::VoteWithdrawn { .. }) => {
                self.votes.remove(&who.unwrap());
            }
            What::Approval(Told::Overruled { whose, .. }) => {
                assert_ne!(Some(whose), who.as_ref());
                self.overruled.insert(whose.clone());
            }
            What::Approval(Told::PlanChanged {
                plan,
                digest,
                voids,
                ..
            }) => {
                let bare = |plan: &Plan| Plan {
                    window: None,
                    ..plan.clone()
                };
                let old = self.plan.replace(plan.clone()).unwrap();
                let alone = bare(&old) == bare(plan) && plan.window.is_some();
                assert_eq!(*voids, !alone, "{old:?} {plan:?}");
                if *voids {
                    self.votes.clear();
                    self.overruled.clear();
                }
                self.digest = digest.to_string();
                self.own.extend(who);
            }
            What::Started { .. } => self.covered(event.at),
            _ => {}
        }
    }

    fn covered(&mut self, now: Timestamp) {
        self.started += 1;
        let plan = self.plan.as_ref().unwrap();
        let mut own = self.own.clone();
        own.extend(plan.authors.iter().chain(&plan.started_by).cloned());
        let good = |group: &str| -> Vec<&PersonName> {
            let yes = self.votes.iter().filter(|(who, (choice, at, groups))| {
                *choice == Choice::Approve
                    && now < at.plus(LASTS)
                    && !own.contains(*who)
                    && groups.contains(&group.into())
            });
            yes.map(|(who, _)| who).collect()
        };
        let (security, operations) = (good("security"), good("operations"));
        let two = security.iter().any(|a| operations.iter().any(|b| a != b));
        assert!(two, "no quorum at {now:?}: {:?}, own {own:?}", self.votes);
        for (who, (choice, ..)) in &self.votes {
            let blocks = matches!(choice, Choice::Object | Choice::RequestChanges);
            assert!(!blocks || self.overruled.contains(who), "{who} objects");
        }
    }
}

/// The machine may have slept: nobody has to wake the engine for a vote to have lapsed.
#[test]
fn a_vote_that_has_lapsed_starts_nothing_before_the_clock_is_heard() {
    for pressed in [false, true] {
        let mut room = Room::new();
        room.engine(Ask::Adopt(Arc::new(rules())));
        let id = room.submit("pipeline", plan()).unwrap();
        room.vote("kim", id, Choice::Approve).unwrap();
        room.vote("ada", id, Choice::Approve).unwrap();
        if pressed {
            // it stands before its targets, which nobody has read yet
            room.control("ada", id, Control::Start).unwrap();
        }
        room.now = room.now.plus(LASTS);
        if pressed {
            room.see();
        }
        let began = |e: &Event| matches!(e.what, What::Started { .. });
        assert!(room.control("ada", id, Control::Start).is_err());
        assert!(!room.draft.events.iter().any(began), "{}", room.waiting(id));
        room.engine(Ask::Wake);
        assert!(
            room.waiting(id).starts_with("approval: 1 vote"),
            "{}",
            room.waiting(id)
        );
    }
}

#[test]
fn nothing_begins_without_a_quorum_whatever_people_do() {
    let mut started = 0;
    for seed in 0..400 {
        let mut dice = Dice(seed);
        let mut room = Room::new();
        room.engine(Ask::Adopt(Arc::new(rules())));
        let first = variant(&mut dice);
        room.person("pipeline", Ask::Submit { plan: first })
            .unwrap();
        let id = ReleaseId(room.state().last_id);
        room.see();
        for _ in 0..40 {
            step(&mut room, id, &mut dice);
            room.see();
        }
        let mut oracle = Oracle::default();
        for event in &room.draft.events {
            oracle.hear(event);
        }
        if let Some(release) = room.state().live.get(&id) {
            assert_eq!(*release.digest, *oracle.digest, "seed {seed}");
        }
        started += oracle.started;
    }
    assert!(
        started > 40,
        "only {started} releases began: too few to tell"
    );
}
