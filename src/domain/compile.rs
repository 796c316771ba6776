//! From a plan and a charter to batches of moves and holds.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::approval::Terms;
use super::calendar::HORIZON;
use super::charter::{Charter, Target};
use super::effect::Verb;
use super::hold::{Deadline, Hold, HoldKind, HoldState};
use super::ids::{HoldId, InstanceName, MetricName, ServiceName, Span, TargetName, Timestamp};
use super::limits;
use super::needs;
use super::plan::{AtDeadline, Exposure, HoldPlan, Plan, ServiceChange, Start, Window};
use super::readiness;
use super::release::{Batch, Move, Step, StepStatus};

/// The metrics of a plan's services of which the judge can prove that they are good enough, and that
/// count when it does.
pub fn provable<'a>(plan: &'a Plan, charter: &'a Charter) -> impl Iterator<Item = &'a MetricName> {
    plan.services
        .iter()
        .filter_map(|s| charter.services.get(&s.service))
        .filter(|_| !charter.judging.shadow)
        .flat_map(|s| {
            s.metrics
                .iter()
                .map(move |(name, metric)| (s, name, metric))
        })
        .filter(|(s, _, metric)| metric.is_required() && !metric.is_gauge() && !s.in_shadow(metric))
        .map(|(_, name, _)| name)
}

/// The metrics of a plan's services.
pub fn metrics<'a>(plan: &'a Plan, charter: &'a Charter) -> impl Iterator<Item = &'a MetricName> {
    plan.services
        .iter()
        .filter_map(|s| charter.services.get(&s.service))
        .flat_map(|s| s.metrics.keys())
}

pub(super) fn targets<'a>(
    plan: &'a Plan,
    charter: &'a Charter,
    named: &'a [TargetName],
) -> Vec<&'a TargetName> {
    charter
        .targets
        .iter()
        .filter(|(name, t)| {
            t.environment == plan.environment
                && plan.services.iter().any(|s| s.service == t.service)
                && (named.is_empty() || named.contains(name))
        })
        .map(|(name, _)| name)
        .collect()
}

/// When a plan's window opens and closes.
pub fn span_of(window: &Window, plan: &Plan, charter: &Charter) -> (Timestamp, Timestamp) {
    let zone = window
        .zone
        .as_deref()
        .or_else(|| {
            charter
                .environments
                .get(&plan.environment)
                .map(|e| &*e.zone)
        })
        .and_then(|name| name.parse().ok())
        .unwrap_or(chrono_tz::UTC);
    (
        window.opens.in_zone(zone, false),
        window.closes.in_zone(zone, true),
    )
}

/// The batches of a plan, with nothing begun.
pub fn batches(plan: &Plan, charter: &Charter) -> Vec<Batch> {
    let mut reached: BTreeMap<&TargetName, usize> = BTreeMap::new();
    let mut batches = Vec::new();
    for (n, batch) in plan.batches.iter().enumerate() {
        let mut moves = Vec::new();
        for name in targets(plan, charter, &batch.targets) {
            let (Some(target), Some(change)) =
                (charter.targets.get(name), change_for(plan, charter, name))
            else {
                continue;
            };
            let steps = if target.by_share {
                by_share(target, batch.exposure, &mut reached, name)
            } else {
                let until = batch.exposure.of(target.instances.len());
                let from = reached.insert(name, until).unwrap_or(0);
                let moved = &target.instances[from..until.max(from)];
                moved.iter().cloned().map(Step::new).collect()
            };
            moves.push(to_move(name, target, change, steps));
        }
        let mut before = Vec::new();
        if n == 0 {
            before.extend(opening(plan, charter));
        }
        before.extend(window_hold(n, plan, charter));
        before.extend(holds(n, "before", &batch.before, plan, charter));
        if n == 0 && !limits::places(plan, charter).is_empty() {
            // last of all, so that nobody keeps a place while it waits for something else
            before.push(hold(
                "queue".to_owned(),
                HoldKind::Queue,
                Span::mins(24 * 60),
                AtDeadline::HoldOn,
            ));
        }
        let mut after = vec![hold(
            format!("b{}.moved", n + 1),
            HoldKind::Moved,
            Span::mins(15),
            AtDeadline::HoldOn,
        )];
        after.extend(holds(n, "after", &batch.after, plan, charter));
        batches.push(Batch {
            name: batch
                .name
                .clone()
                .unwrap_or_else(|| batch.exposure.to_string().into()),
            exposure: batch.exposure,
            before,
            moves,
            after,
            began: None,
            done: None,
        });
    }
    batches
}

/// The hold of the observation period.
pub fn observe(plan: &Plan) -> Hold {
    hold(
        "observe".to_owned(),
        HoldKind::Observe {
            span: plan.observe.span,
            handover: plan.observe.handover,
        },
        Span::mins(24 * 60),
        AtDeadline::HoldOn,
    )
}

/// The hold before a batch that the calendar does not allow yet. It cannot be overlooked for longer
/// than the calendar looks ahead.
pub fn calendar_hold(batch: usize) -> Hold {
    let id = calendar_hold_id(batch).0.to_string();
    hold(id, HoldKind::Calendar, HORIZON, AtDeadline::HoldOn)
}

/// The name of that hold.
pub fn calendar_hold_id(batch: usize) -> HoldId {
    HoldId::from(format!("b{}.calendar", batch + 1))
}

/// The hold at the end of a way back.
pub fn back_hold() -> Hold {
    hold(
        "back".to_owned(),
        HoldKind::Moved,
        Span::mins(15),
        AtDeadline::HoldOn,
    )
}

fn change_for<'a>(
    plan: &'a Plan,
    charter: &Charter,
    target: &TargetName,
) -> Option<&'a ServiceChange> {
    let service: &ServiceName = &charter.targets.get(target)?.service;
    plan.services.iter().find(|s| s.service == *service)
}

fn to_move(name: &TargetName, target: &Target, change: &ServiceChange, steps: Vec<Step>) -> Move {
    Move {
        target: name.clone(),
        artifact: change.artifact(),
        parallel: target.parallel.max(1),
        sequence: target.sequence(Verb::Deploy),
        steps,
    }
}

/// All instances, each to the same share, where that is more than they have reached (in percent).
fn by_share<'a>(
    target: &Target,
    exposure: Exposure,
    reached: &mut BTreeMap<&'a TargetName, usize>,
    name: &'a TargetName,
) -> Vec<Step> {
    let until = usize::from(exposure.percent());
    let from = reached.get(name).copied().unwrap_or(0);
    if until <= from {
        return Vec::new();
    }
    reached.insert(name, until);
    let steps = target.instances.iter().cloned().map(|instance| Step {
        exposure: Some(exposure),
        ..Step::new(instance)
    });
    steps.collect()
}

impl Step {
    /// A step of which nothing has begun.
    pub fn new(instance: InstanceName) -> Step {
        Step {
            instance,
            to: None,
            exposure: None,
            call: 0,
            attempt: 1,
            status: StepStatus::ToDo,
            since: Timestamp(0),
        }
    }
}

/// What stands before the first batch of every release. What the approval asks for is said by the
/// ruling, without which it lets nothing pass.
fn opening(plan: &Plan, charter: &Charter) -> Vec<Hold> {
    let terms = Terms::of(None, plan);
    let open = terms.expires;
    let kind = HoldKind::Approval(terms);
    let mut found = vec![hold("approval".to_owned(), kind, open, AtDeadline::Expire)];
    let checks = readiness::of(plan, charter);
    if !checks.is_empty() {
        found.push(hold(
            readiness::HOLD.to_owned(),
            HoldKind::Readiness { checks },
            Span::mins(7 * 24 * 60),
            AtDeadline::Expire,
        ));
    }
    if plan.start == Start::Manual {
        found.push(start_hold(plan));
    }
    found.push(hold(
        "targets".to_owned(),
        HoldKind::Dependency {
            needs: needs::of(plan, charter),
        },
        Span::mins(24 * 60),
        AtDeadline::HoldOn,
    ));
    found
}

/// Where a person presses start.
pub(super) fn start_hold(plan: &Plan) -> Hold {
    let ask = Arc::from(format!("start {}", plan.title));
    hold(
        "start".to_owned(),
        HoldKind::Manual { ask },
        // an emergency that nobody starts within its time box was none
        plan.emergency
            .as_ref()
            .map_or(Span::mins(7 * 24 * 60), |e| e.lasts),
        AtDeadline::Expire,
    )
}

fn window_hold(n: usize, plan: &Plan, charter: &Charter) -> Option<Hold> {
    let window = plan.window.as_ref()?;
    let (opens, closes) = span_of(window, plan, charter);
    let mut found = hold(
        format!("b{}.window", n + 1),
        HoldKind::Window { opens, closes },
        Span(0),
        window.at_end.deadline(),
    );
    found.deadline.warn = Span::mins(15);
    Some(found)
}

fn holds<'a>(
    n: usize,
    side: &'a str,
    plans: &'a [HoldPlan],
    plan: &'a Plan,
    charter: &'a Charter,
) -> impl Iterator<Item = Hold> + 'a {
    plans.iter().enumerate().filter_map(move |(h, written)| {
        // what a person lets through before a batch is that batch, after it the next one
        let next = if side == "before" { n } else { n + 1 };
        let (kind, after) = kind_of(written, next, plan, charter)?;
        let mut found = hold(
            format!("b{}.{side}.{}", n + 1, h + 1),
            kind,
            written.deadline.unwrap_or(after),
            written.at_deadline.unwrap_or_default(),
        );
        if let Some(warn) = written.warn {
            found.deadline.warn = warn;
        }
        Some(found)
    })
}

/// What a written hold asks for, and how long it may stay open where nothing is said.
fn kind_of(
    written: &HoldPlan,
    next: usize,
    plan: &Plan,
    charter: &Charter,
) -> Option<(HoldKind, Span)> {
    if let Some(span) = written.bake {
        Some((HoldKind::Bake { span }, Span::mins(10)))
    } else if let Some(health) = &written.health {
        let kind = HoldKind::Health {
            http: health.http.clone(),
            command: health.command.clone(),
            passes: health.passes,
            every: health.every,
        };
        Some((kind, Span::mins(10)))
    } else if let Some(analysis) = &written.analysis {
        let mut named = analysis.metrics.clone();
        if named.is_empty() {
            named = provable(plan, charter).cloned().collect();
            named.sort();
            named.dedup();
        }
        let kind = HoldKind::Analysis {
            metrics: named,
            passes: analysis.passes,
        };
        Some((kind, Span::mins(30)))
    } else {
        let manual = written.manual.as_ref()?;
        let next = plan
            .batches
            .get(next)
            .map_or("close".to_owned(), |b| format!("go on to {}", b.exposure));
        let ask = manual.ask.clone().unwrap_or_else(|| next.into());
        Some((HoldKind::Manual { ask }, Span::mins(24 * 60)))
    }
}

fn hold(id: String, kind: HoldKind, after: Span, then: AtDeadline) -> Hold {
    Hold {
        id: HoldId::from(id),
        kind,
        deadline: deadline(after, then),
        state: HoldState::ToCome,
    }
}

/// A deadline of which people are warned when a fifth of it is left, at most an hour before.
pub(super) fn deadline(after: Span, then: AtDeadline) -> Deadline {
    Deadline {
        after,
        then,
        warn: Span(after.0 / 5).min(Span::mins(60)),
    }
}
