//! The one evaluator: may this move at this moment, what bars it, and when does that change?
//!
//! It answers when a plan is looked at, when a release is started, before every batch and whenever a
//! rule may have changed its mind; `release why` and `release when` ask the same.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::book::{Book, Exemption};
use super::rules::{Calendar, Freeze, Running, Window};
use super::series::Occurrence;
use crate::domain::charter::Charter;
use crate::domain::compile::span_of;
use crate::domain::ids::{EnvName, ReleaseId, ServiceName, Span, Timestamp};
use crate::domain::plan::{Kind, Plan};
use crate::domain::release::Release;
use crate::domain::state::State;

/// How far ahead the calendar is asked for the next moment that it allows.
pub const HORIZON: Span = Span::mins(90 * 24 * 60);

/// What the calendar says of a release at a moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// What bars it; empty when it may move.
    pub bars: Vec<Bar>,
    /// When the answer may change at the earliest, as far as the rules tell.
    pub again: Option<Timestamp>,
}

/// A rule that bars a release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bar {
    /// What kind of rule it is.
    pub rule: Rule,
    /// Its name, or its number.
    pub name: Arc<str>,
    /// Who answers for it.
    pub owner: Arc<str>,
    /// Why it is there; may be empty.
    pub reason: Arc<str>,
    /// Since when it bars, where that is known.
    pub since: Option<Timestamp>,
    /// Until when, where that is known.
    pub until: Option<Timestamp>,
    /// What becomes of a rollout under way.
    pub then: Running,
}

/// The kinds of rule that can bar a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// Nothing in its scope goes forward.
    Lockdown,
    /// A freeze holds.
    Freeze,
    /// No window is open.
    Window,
    /// The window of the plan is not open.
    PlanWindow,
}

impl Rule {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Rule::Lockdown => "lockdown",
            Rule::Freeze => "freeze",
            Rule::Window => "window",
            Rule::PlanWindow => "plan's window",
        }
    }
}

impl Answer {
    /// All bars in a sentence without its subject.
    pub fn words(&self, now: Timestamp) -> String {
        let bars: Vec<String> = self.bars.iter().map(|bar| bar.words_at(now)).collect();
        bars.join("; ")
    }
}

impl Bar {
    /// In words with the time that is left.
    pub fn words_at(&self, now: Timestamp) -> String {
        let words = self.words();
        match (self.until, self.rule) {
            (Some(until), Rule::Freeze) => format!("{words}, for {} more", until.since(now)),
            (Some(until), _) => format!("{words}, opens in {}", until.since(now)),
            (None, _) => words,
        }
    }

    /// In words without a time: `freeze year-end of operations: the books are closed`.
    pub fn words(&self) -> String {
        let why = match self.reason.is_empty() {
            true => String::new(),
            false => format!(": {}", self.reason),
        };
        match self.rule {
            Rule::PlanWindow => "the plan's window is closed".to_owned(),
            Rule::Window => format!("outside of window {} of {}", self.name, self.owner),
            Rule::Freeze => format!("freeze {} of {}{why}", self.name, self.owner),
            Rule::Lockdown => format!("LOCKDOWN {} by {}{why}", self.name, self.owner),
        }
    }
}

/// A span in which the calendar allows something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// From when.
    pub from: Timestamp,
    /// Until when; open where no rule ends it within the [`HORIZON`].
    pub until: Option<Timestamp>,
}

/// What the calendar is asked about.
#[derive(Clone, Debug)]
pub struct Subject<'a> {
    release: Option<ReleaseId>,
    environment: &'a EnvName,
    kind: Kind,
    /// Each service with its team.
    services: Vec<(&'a ServiceName, &'a str)>,
    own: Option<Occurrence>,
    own_end: Running,
    /// What the plan says of the end of any window.
    at_end: Option<Running>,
    began: Option<Timestamp>,
}

impl<'a> Subject<'a> {
    /// A plan that is not submitted.
    pub fn plan(plan: &'a Plan, charter: &'a Charter) -> Subject<'a> {
        let services = plan.services.iter().map(|change| {
            let team = charter.services.get(&change.service);
            (&change.service, team.map_or("", |s| &*s.owner))
        });
        let own = plan.window.as_ref().map(|window| {
            let (start, end) = span_of(window, plan, charter);
            Occurrence { start, end }
        });
        Subject {
            release: None,
            environment: &plan.environment,
            kind: plan.kind,
            services: services.collect(),
            own,
            own_end: plan
                .window
                .as_ref()
                .map_or_else(Running::default, |w| w.at_end.running()),
            at_end: plan.at_window_end,
            began: None,
        }
    }

    /// Services on their way to an environment, without a plan.
    pub fn services(
        environment: &'a EnvName,
        kind: Kind,
        services: impl Iterator<Item = &'a ServiceName>,
        charter: &'a Charter,
    ) -> Subject<'a> {
        let services = services.map(|name| {
            let team = charter.services.get(name);
            (name, team.map_or("", |s| &*s.owner))
        });
        Subject {
            release: None,
            environment,
            kind,
            services: services.collect(),
            own: None,
            own_end: Running::default(),
            at_end: None,
            began: None,
        }
    }

    /// A release.
    pub fn release(release: &'a Release, charter: &'a Charter) -> Subject<'a> {
        Subject {
            release: Some(release.id),
            began: release.batches.first().and_then(|b| b.began),
            ..Subject::plan(&release.plan, charter)
        }
    }
}

/// The rules about one subject, laid out over a span of time.
#[derive(Debug)]
pub struct Evaluator<'a> {
    subject: Subject<'a>,
    book: &'a Book,
    windows: Vec<(&'a Window, Vec<Occurrence>)>,
    freezes: Vec<(&'a Freeze, Vec<Occurrence>)>,
    horizon: Timestamp,
}

impl<'a> Evaluator<'a> {
    /// Lays out the rules from `from` on for [`HORIZON`], and as far back, to know since when.
    pub fn new(
        calendar: &'a Calendar,
        book: &'a Book,
        subject: Subject<'a>,
        from: Timestamp,
    ) -> Evaluator<'a> {
        let horizon = from.plus(HORIZON);
        let back = from.minus(HORIZON);
        let about = |kinds: &std::collections::BTreeSet<Kind>, scope: &super::rules::Scope| {
            (kinds.is_empty() || kinds.contains(&subject.kind))
                && subject
                    .services
                    .iter()
                    .any(|(service, team)| scope.covers(subject.environment, service, team))
        };
        let windows = calendar
            .windows
            .iter()
            .filter(|w| about(&w.kinds, &w.scope));
        let freezes = calendar
            .freezes
            .iter()
            .filter(|f| about(&f.kinds, &f.scope));
        Evaluator {
            windows: windows
                .map(|w| (w, w.when.between(back, horizon)))
                .collect(),
            freezes: freezes
                .map(|f| (f, f.when.between(back, horizon)))
                .collect(),
            subject,
            book,
            horizon,
        }
    }

    /// The evaluator for a release.
    pub fn of(state: &'a State, release: &'a Release, from: Timestamp) -> Evaluator<'a> {
        let subject = Subject::release(release, &state.charter);
        Evaluator::new(&state.charter.calendar, &state.calendar, subject, from)
    }

    /// Whether no rule is about the subject, now or in the time that was laid out.
    pub fn is_free(&self) -> bool {
        self.windows.is_empty()
            && self.freezes.is_empty()
            && self.subject.own.is_none()
            && self.lockdowns().next().is_none()
    }

    /// What the rules say at a moment.
    pub fn answer(&self, at: Timestamp) -> Answer {
        let mut bars: Vec<Bar> = self.lockdowns().collect();
        bars.extend(self.frozen(at));
        bars.extend(self.outside(at));
        bars.extend(self.own(at));
        Answer {
            bars,
            again: self.next_turn(at),
        }
    }

    /// The next span in which all rules allow it, not before `from` and within the [`HORIZON`].
    pub fn next(&self, from: Timestamp) -> Option<Slot> {
        let mut at = from;
        // every turn lies behind the one before, and there are as many as occurrences have ends
        while at < self.horizon {
            let answer = self.answer(at);
            if answer.bars.is_empty() {
                return Some(Slot {
                    from: at,
                    until: self.end_of(at),
                });
            }
            at = answer.again?;
        }
        None
    }

    /// When the next freeze about the subject begins, after `from` and within the [`HORIZON`];
    /// whether it will be exempt from it does not count.
    pub fn next_freeze(&self, from: Timestamp) -> Option<Timestamp> {
        let starts = self.freezes.iter().flat_map(|(_, o)| o).map(|o| o.start);
        starts.filter(|start| *start > from).min()
    }

    fn end_of(&self, from: Timestamp) -> Option<Timestamp> {
        let mut at = from;
        loop {
            at = self.next_turn(at).filter(|at| *at < self.horizon)?;
            if !self.answer(at).bars.is_empty() {
                return Some(at);
            }
        }
    }

    /// When any rule about the subject begins or ends next.
    fn next_turn(&self, at: Timestamp) -> Option<Timestamp> {
        let occurrences = self.windows.iter().flat_map(|(_, o)| o);
        let occurrences = occurrences.chain(self.freezes.iter().flat_map(|(_, o)| o));
        let occurrences = occurrences.chain(self.subject.own.iter());
        let turns = occurrences.flat_map(|o| [o.start, o.end]);
        let exemptions = self.book.exemptions.values();
        let exemptions = exemptions.filter(|e| e.approved.is_some() && e.revoked.is_none());
        turns
            .chain(exemptions.map(|e| e.wish.until))
            .filter(|turn| *turn > at)
            .min()
    }

    fn lockdowns(&self) -> impl Iterator<Item = Bar> {
        let subject = &self.subject;
        let down = self.book.lockdowns.iter().filter(|(_, down)| {
            subject
                .services
                .iter()
                .any(|(s, team)| down.scope.covers(subject.environment, s, team))
        });
        down.map(|(id, down)| Bar {
            rule: Rule::Lockdown,
            name: id.to_string().into(),
            owner: down.by.0.clone(),
            reason: down.reason.clone(),
            since: Some(down.since),
            until: None,
            then: Running::HoldOn,
        })
    }

    fn exempt(&self, rule: &str, service: &ServiceName, team: &str, at: Timestamp) -> bool {
        let subject = &self.subject;
        let frees = |e: &Exemption| {
            e.holds(at) && e.frees(rule, subject.release, subject.environment, service, team)
        };
        self.book.exemptions.values().any(frees)
    }

    fn frozen(&self, at: Timestamp) -> impl Iterator<Item = Bar> {
        self.freezes.iter().filter_map(move |(freeze, when)| {
            // of two that overlap, the one that lasts longer says until when
            let holds = when.iter().filter(|o| o.holds(at)).max_by_key(|o| o.end)?;
            let goes_on = freeze.running == Running::Finish
                && self.subject.began.is_some_and(|began| began < holds.start);
            let barred = self.subject.services.iter().any(|(service, team)| {
                freeze.scope.covers(self.subject.environment, service, team)
                    && !self.exempt(&freeze.name, service, team, at)
            });
            (barred && !goes_on).then(|| Bar {
                rule: Rule::Freeze,
                name: freeze.name.clone(),
                owner: freeze.owner.clone(),
                reason: freeze.reason.clone(),
                since: Some(holds.start),
                until: Some(holds.end),
                then: match freeze.running {
                    // what has not begun before the freeze has nothing to finish
                    Running::Finish => Running::FinishBatch,
                    other => other,
                },
            })
        })
    }

    /// The windows that cover a service of which none is open.
    fn outside(&self, at: Timestamp) -> Option<Bar> {
        let environment = self.subject.environment;
        self.subject.services.iter().find_map(|(service, team)| {
            let covering: Vec<&(&Window, Vec<Occurrence>)> = self
                .windows
                .iter()
                .filter(|(w, _)| w.scope.covers(environment, service, team))
                .collect();
            let (first, _) = covering.first()?;
            let free = covering.iter().any(|(window, when)| {
                when.iter().any(|o| o.holds(at)) || self.exempt(&window.name, service, team, at)
            });
            if free {
                return None;
            }
            let ends = covering.iter().flat_map(|(_, when)| when);
            let since = ends.clone().map(|o| o.end).filter(|end| *end <= at).max();
            // a rollout that was let in by a window that finishes is not stopped by its end
            let began = self.subject.began;
            let finishes = began.is_some_and(|began| {
                covering.iter().any(|(window, when)| {
                    self.end_rule(window) == Running::Finish && when.iter().any(|o| o.holds(began))
                })
            });
            let closed = covering
                .iter()
                .filter(|(_, when)| when.iter().any(|o| Some(o.end) == since))
                .map(|(w, _)| *w);
            let then = closed
                .map(|w| self.end_rule(w))
                .max()
                .unwrap_or_else(|| self.end_rule(first));
            let names: Vec<&str> = covering.iter().map(|(w, _)| &*w.name).collect();
            (!finishes).then(|| Bar {
                rule: Rule::Window,
                name: names.join(" or ").into(),
                owner: first.owner.clone(),
                reason: Arc::from(""),
                since,
                until: ends.map(|o| o.start).filter(|start| *start > at).min(),
                then: match then {
                    Running::Finish => Running::FinishBatch,
                    other => other,
                },
            })
        })
    }

    fn end_rule(&self, window: &Window) -> Running {
        self.subject.at_end.unwrap_or(window.running)
    }

    fn own(&self, at: Timestamp) -> Option<Bar> {
        let own = self.subject.own.filter(|own| !own.holds(at))?;
        let then = self.subject.at_end.unwrap_or(self.subject.own_end);
        let finishes = then == Running::Finish
            && self.subject.began.is_some_and(|began| own.holds(began))
            && at >= own.end;
        (!finishes).then(|| Bar {
            rule: Rule::PlanWindow,
            name: Arc::from("plan"),
            owner: Arc::from("the plan"),
            reason: Arc::from(""),
            since: (at >= own.end).then_some(own.end),
            until: (at < own.start).then_some(own.start),
            then,
        })
    }
}

/// Whether no further instance may begin in the batch that has begun.
pub fn stops_calls(answer: &Answer) -> bool {
    answer
        .bars
        .iter()
        .any(|bar| matches!(bar.then, Running::HoldOn | Running::RollBack))
}
