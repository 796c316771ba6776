//! What is known of a plan when policy is asked.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Serialize;

use crate::domain::calendar::{Evaluator, Subject};
use crate::domain::charter::Charter;
use crate::domain::compile::span_of;
use crate::domain::plan::{Kind, Plan};
use crate::domain::release::{Ending, Summary};
use crate::domain::risk::SchemaChange;
use crate::domain::{EnvName, GroupName, ServiceName, Span, State, Timestamp};

/// How many of the newest closed releases are looked through for a service's history.
const LOOKED_THROUGH: usize = 1000;

/// What a plan says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Where it goes.
    pub environment: EnvName,
    /// Which path of approval it takes.
    pub kind: Kind,
    /// What changes.
    pub services: BTreeSet<ServiceName>,
    /// Whether stored data changes its form.
    pub schema_change: SchemaChange,
    /// How many lines change.
    pub lines_changed: Option<u32>,
    /// The infrastructure that is deleted.
    pub deletes: Vec<Arc<str>>,
    /// Whether the way back was tried.
    pub rollback_tested: bool,
    /// Votes that it asks for besides those of the rule.
    pub asks: BTreeMap<GroupName, u32>,
    /// When its window opens; it may move at once without one.
    pub opens: Option<Timestamp>,
}

impl Change {
    /// What a plan says.
    pub fn of(plan: &Plan, charter: &Charter) -> Change {
        let window = plan.window.as_ref();
        Change {
            environment: plan.environment.clone(),
            kind: plan.kind,
            services: plan.services.iter().map(|s| s.service.clone()).collect(),
            schema_change: plan.schema_change,
            lines_changed: plan.lines_changed,
            deletes: plan.deletes.clone(),
            rollback_tested: plan.rollback.tested,
            asks: plan.approval.clone(),
            opens: window.map(|window| span_of(window, plan, charter).0),
        }
    }
}

/// Everything that a ruling depends on besides the policy itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Facts {
    /// Where it goes.
    pub environment: EnvName,
    /// Whether customers depend on it there.
    pub production: bool,
    /// The zone of the environment.
    pub zone: Arc<str>,
    /// Which path of approval it takes.
    pub kind: Kind,
    /// What changes.
    pub services: BTreeSet<ServiceName>,
    /// The most critical of them and its tier.
    pub most_critical: Option<(ServiceName, u8)>,
    /// The services that need those that change, and do not change with them.
    pub dependents: BTreeSet<ServiceName>,
    /// Whether stored data changes its form.
    pub schema_change: SchemaChange,
    /// How many lines change; `None` where the plan does not say.
    pub lines_changed: Option<u32>,
    /// The infrastructure that is deleted.
    pub deletes: Vec<Arc<str>>,
    /// Whether the way back was tried.
    pub rollback_tested: bool,
    /// How the last releases went, of the service with the worst record; `None` where none of
    /// them has a record.
    pub history: Option<History>,
    /// When it may move: when its window opens, or when policy was asked.
    pub moves_at: Timestamp,
    /// How long after that the next freeze begins that it would fall under.
    pub freeze_in: Option<Span>,
    /// Votes that the plan asks for besides those of the rule.
    pub asks: BTreeMap<GroupName, u32>,
}

/// How a service's last releases to an environment went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct History {
    /// The service; `None` where a case speaks of them all.
    pub service: Option<ServiceName>,
    /// How many count.
    pub of: u32,
    /// How many of them were rolled back.
    pub rolled_back: u32,
}

/// The tier of a release: of several services the most critical one counts.
pub const UNKNOWN_TIER: u8 = u8::MAX;

impl Facts {
    /// What is known of a plan in a room at a moment, where this charter counts.
    pub fn of(plan: &Plan, state: &State, charter: &Charter, at: Timestamp) -> Facts {
        let change = Change::of(plan, charter);
        let mut facts = Facts::new(&change, charter, at);
        facts.history = history(&change, state, charter.risk.history);
        let moves_at = facts.moves_at;
        let subject = Subject::plan(plan, charter);
        let rules = Evaluator::new(&charter.calendar, &state.calendar, subject, moves_at);
        let freeze = rules.next_freeze(moves_at);
        facts.freeze_in = freeze.map(|begins| begins.since(moves_at));
        facts
    }

    /// What is known without a record of earlier releases.
    pub fn new(change: &Change, charter: &Charter, at: Timestamp) -> Facts {
        let environment = charter.environments.get(&change.environment);
        let tiers = change.services.iter().filter_map(|name| {
            let service = charter.services.get(name)?;
            Some((service.tier, name.clone()))
        });
        Facts {
            environment: change.environment.clone(),
            production: environment.is_some_and(|e| e.production),
            zone: environment.map_or_else(|| "UTC".into(), |e| e.zone.clone()),
            kind: change.kind,
            services: change.services.clone(),
            most_critical: tiers.min().map(|(tier, name)| (name, tier)),
            dependents: charter.dependents(&change.services),
            schema_change: change.schema_change,
            lines_changed: change.lines_changed,
            deletes: change.deletes.clone(),
            rollback_tested: change.rollback_tested,
            history: None,
            moves_at: change.opens.map_or(at, |opens| opens.max(at)),
            freeze_in: None,
            asks: change.asks.clone(),
        }
    }

    /// The tier that rules speak of.
    pub fn tier(&self) -> u8 {
        self.most_critical
            .as_ref()
            .map_or(UNKNOWN_TIER, |(_, tier)| *tier)
    }
}

/// The worst record among the services that change. Only releases that moved count: one that was
/// rejected, expired or taken back says nothing about how rollouts go.
fn history(change: &Change, state: &State, most: u32) -> Option<History> {
    let mut records: BTreeMap<&ServiceName, History> = BTreeMap::new();
    let newest = state.closed.values().rev().take(LOOKED_THROUGH);
    for summary in newest.filter(|s| s.environment == change.environment && moved(s)) {
        for (name, _) in &summary.services {
            let Some(name) = change.services.get(name) else {
                continue;
            };
            let record = records.entry(name).or_insert_with(|| History {
                service: Some(name.clone()),
                of: 0,
                rolled_back: 0,
            });
            if record.of < most {
                record.of += 1;
                record.rolled_back += u32::from(summary.ending == Ending::RolledBack);
            }
        }
    }
    let records = records.into_values().filter(|record| record.of > 0);
    // the first of equals, so that the same state always names the same service
    records.reduce(|worst, one| {
        if one.share() > worst.share() {
            one
        } else {
            worst
        }
    })
}

fn moved(summary: &Summary) -> bool {
    matches!(summary.ending, Ending::Succeeded | Ending::RolledBack)
}

impl History {
    /// The share that was rolled back, in percent.
    pub fn share(&self) -> u32 {
        match self.of {
            0 => 0,
            of => self.rolled_back.min(of).saturating_mul(100) / of,
        }
    }
}
