//! What a release rests on and waits for, piece by piece: risk, checks, needs, calendar, conflicts,
//! its place in the queue. Cards, ladders and the page that says why are made of them.

use crate::domain::calendar::{Answer, Bar, Evaluator, Rule, Slot, conflicts, next_slot};
use crate::domain::limits;
use crate::domain::needs;
use crate::domain::readiness::{Standing, checks, standing};
use crate::domain::release::Release;
use crate::domain::risk::{Risk, RiskLevel};
use crate::domain::{ReleaseId, Timestamp};

use super::super::desk::Desk;
use super::super::dialog::effect::window;
use super::super::glyph::Glyph;
use super::super::judged;
use super::super::rich::Line;
use super::super::say;
use super::super::theme::Role;
use super::super::world::World;

/// What the calendar says of a release now, and when it allows it next.
pub(super) struct When {
    /// What it says now.
    pub answer: Answer,
    /// The next span in which it may move and meets no conflict; none within the horizon.
    pub slot: Option<Slot>,
    /// Whether no rule is about it.
    pub free: bool,
}

impl When {
    /// Asks the calendar.
    pub fn of(world: World<'_>, release: &Release) -> When {
        let rules = Evaluator::of(world.state, release, world.now);
        When {
            answer: rules.answer(world.now),
            slot: next_slot(world.state, release, world.now),
            free: rules.is_free(),
        }
    }

    /// What bars it besides the window of its plan, which is told by its times.
    pub fn others(&self) -> Vec<&Bar> {
        let bars = self.answer.bars.iter();
        bars.filter(|bar| bar.rule != Rule::PlanWindow).collect()
    }
}

/// How risky, as it is painted: the word stands beside the colour everywhere.
pub(super) const fn risk_role(level: RiskLevel) -> Role {
    match level {
        RiskLevel::Low => Role::Text,
        RiskLevel::Medium => Role::StatusPerson,
        RiskLevel::High | RiskLevel::Critical => Role::StatusBad,
    }
}

/// The risk in a column of eight cells: `high 61`.
pub(super) fn risk_short(risk: &Risk) -> String {
    let word = match risk.level {
        RiskLevel::Low => "low",
        RiskLevel::Medium => "med",
        RiskLevel::High => "high",
        RiskLevel::Critical => "crit",
    };
    format!("{word} {}", risk.score)
}

/// Every factor that gives points with its sentence, the heaviest first; `indent` blanks before.
pub(super) fn factors(risk: &Risk, indent: u16, cols: u16) -> Vec<Line> {
    let mut lines = Vec::new();
    for factor in risk.counting() {
        let room = cols.saturating_sub(indent + 5);
        let mut wrapped = Line::wrapped(Role::Text, &factor.words, 0, room).into_iter();
        let first = wrapped.next().map(|l| l.words()).unwrap_or_default();
        lines.push(
            Line::new()
                .gap(indent)
                .right(Role::Strong, format!("+{}", factor.points), 3)
                .gap(1)
                .text(Role::Text, first),
        );
        lines.extend(wrapped.map(|l| Line::new().gap(indent + 4).text(Role::Text, l.words())));
    }
    lines
}

/// The names of the heaviest factors, for one line.
pub(super) fn factors_short(risk: &Risk, cells: u16) -> String {
    const MORE: usize = "  and 10 more".len();
    let mut text = String::new();
    let mut left = risk.counting().count();
    for factor in risk.counting() {
        let next = format!("+{} {}", factor.points, factor.name.word());
        let gap = if text.is_empty() { 0 } else { 2 };
        let after = if left > 1 { MORE } else { 0 };
        if text.len() + gap + next.len() + after > usize::from(cells) {
            text.push_str(&format!("{}and {left} more", " ".repeat(gap)));
            break;
        }
        text.push_str(&" ".repeat(gap));
        text.push_str(&next);
        left -= 1;
    }
    text
}

/// How a check stands: its role and its sign.
const fn check_sign(standing: &Standing) -> (Role, Glyph) {
    match standing {
        Standing::Cleared(..) => (Role::StatusGood, Glyph::Done),
        Standing::Waived(_) => (Role::StatusPerson, Glyph::NotReached),
        Standing::Missing(_) => (Role::StatusPerson, Glyph::Waits),
        Standing::Failed(_) | Standing::Expired(..) => (Role::StatusBad, Glyph::Failed),
    }
}

fn until_words(standing: &Standing, now: Timestamp, zone: chrono_tz::Tz) -> String {
    match standing {
        Standing::Cleared(_, Some(until)) => format!(", until {}", say::when(*until, now, zone)),
        Standing::Expired(_, until) => format!(", since {}", say::when(*until, now, zone)),
        _ => String::new(),
    }
}

/// Every check of the checklist with its state and what was handed in, a line each.
pub(super) fn all_checks(desk: &Desk, world: World<'_>, release: &Release, cols: u16) -> Vec<Line> {
    let mut lines = Vec::new();
    for rule in checks(release) {
        let how = standing(release, rule, world.now);
        let (role, glyph) = check_sign(&how);
        let until = until_words(&how, world.now, desk.zone);
        let text = format!("{} {}{until}: {}", rule.check, how.word(), how.words());
        lines.extend(signed(role, glyph, &text, cols));
    }
    lines
}

/// The checks for those who vote: what bars the way a line each, what is cleared in as few lines
/// as it takes.
pub(super) fn checks_short(
    desk: &Desk,
    world: World<'_>,
    release: &Release,
    cols: u16,
) -> Vec<Line> {
    let (clear, open): (Vec<_>, Vec<_>) = checks(release)
        .iter()
        .map(|rule| (rule, standing(release, rule, world.now)))
        .partition(|(_, how)| matches!(how, Standing::Cleared(..)));
    let mut lines = Vec::new();
    for (rule, how) in open {
        let (role, glyph) = check_sign(&how);
        let until = until_words(&how, world.now, desk.zone);
        let text = format!("{} {}{until}: {}", rule.check, how.word(), how.words());
        lines.extend(signed(role, glyph, &text, cols));
    }
    let mut line = Line::new();
    let mut used = 0;
    for (rule, how) in clear {
        let (role, glyph) = check_sign(&how);
        let text = format!("{}{}", rule.check, until_words(&how, world.now, desk.zone));
        let cells = 2 + super::super::widgets::width(&text);
        if used > 0 && used + 3 + cells > usize::from(cols) {
            lines.push(std::mem::take(&mut line));
            used = 0;
        }
        if used > 0 {
            line = line.gap(3);
            used += 3;
        }
        line = line.sign(role, glyph).gap(1).text(Role::Text, text);
        used += cells;
    }
    if used > 0 {
        lines.push(line);
    }
    lines
}

/// What a release needs of others, a line each.
pub(super) fn needs(world: World<'_>, release: &Release, cols: u16) -> Vec<Line> {
    let mut lines = Vec::new();
    for need in needs::needs(release) {
        lines.extend(match needs::standing(world.state, release, need) {
            None => signed(Role::StatusGood, Glyph::Done, &need.words(), cols),
            Some(unmet) => {
                let role = if unmet.stuck {
                    Role::StatusBad
                } else {
                    Role::StatusPerson
                };
                signed(role, Glyph::Waits, &unmet.words, cols)
            }
        });
    }
    lines
}

/// Every rule of the calendar that bars a release now: whose it is, since when, until when.
pub(super) fn bars(desk: &Desk, world: World<'_>, bars: &[&Bar], cols: u16) -> Vec<Line> {
    let mut lines = Vec::new();
    for bar in bars {
        lines.extend(signed(Role::StatusBad, Glyph::Failed, &bar.words(), cols));
        lines.extend(times(desk, world, bar, 2, cols));
    }
    lines
}

/// Since when and until when a rule bars, and what it does to a rollout under way.
pub(super) fn times(desk: &Desk, world: World<'_>, bar: &Bar, indent: u16, cols: u16) -> Vec<Line> {
    let now = world.now;
    let mut known = Vec::new();
    if let Some(since) = bar.since {
        known.push(format!("since {}", say::when(since, now, desk.zone)));
    }
    known.push(match bar.until {
        Some(until) => format!(
            "until {}, {} more",
            say::when(until, now, desk.zone),
            until.since(now)
        ),
        None if bar.rule == Rule::Lockdown => "until somebody else lifts it".to_owned(),
        None => "nobody knows until when".to_owned(),
    });
    known.push(format!("a rollout under way {}", bar.then.words()));
    Line::wrapped(Role::Dim, &known.join(", "), indent, cols)
}

/// When the calendar allows a release, in a sentence with its role.
pub(super) fn slot_words(desk: &Desk, world: World<'_>, when: &When) -> (Role, String) {
    let now = world.now;
    match when.slot {
        None => (
            Role::StatusBad,
            "the calendar has no moment for it within 90 days".to_owned(),
        ),
        Some(Slot { from, until }) if from <= now => {
            let text = match until {
                Some(until) => format!(
                    "the calendar allows it now, until {}, {} more",
                    say::when(until, now, desk.zone),
                    until.since(now)
                ),
                None => "the calendar allows it at any time".to_owned(),
            };
            (Role::Text, text)
        }
        Some(Slot { from, until }) => {
            let span = match until {
                Some(until) => say::window(from, until, now, desk.zone),
                None => format!("from {} on", say::when(from, now, desk.zone)),
            };
            let text = format!("next free slot: {span}, in {}", from.since(now));
            (Role::Text, text)
        }
    }
}

/// The schedule of a release with the calendar's answer, for those who vote.
pub(super) fn schedule(desk: &Desk, world: World<'_>, release: &Release, cols: u16) -> Vec<Line> {
    let now = world.now;
    let when = When::of(world, release);
    let mut lines = Vec::new();
    let own = window(release);
    if let Some((opens, closes)) = own {
        let mut text = say::window(opens, closes, now, desk.zone);
        if opens > now {
            text.push_str(&format!(", opens in {}", opens.since(now)));
        }
        let slot = when.slot.map(|slot| (slot.from.max(opens), slot.until));
        if opens > now && slot == Some((opens, Some(closes))) {
            text.push_str("; no rule bars it then");
        }
        lines.extend(Line::wrapped(Role::Text, &text, 0, cols));
    }
    lines.extend(bars(desk, world, &when.others(), cols));
    let told = own.is_some_and(|(opens, closes)| {
        when.slot.is_some_and(|slot| {
            slot.until == Some(closes) && (slot.from == opens || slot.from <= now)
        })
    });
    if when.free && own.is_none() {
        lines.push(Line::of(Role::Text, "at any time once approved"));
    } else if !told {
        let (role, text) = slot_words(desk, world, &when);
        lines.extend(Line::wrapped(role, &text, 0, cols));
    }
    lines
}

/// The conflicts of a release with others, each in its sentence.
pub(super) fn clashes(desk: &Desk, world: World<'_>, release: &Release, cols: u16) -> Vec<Line> {
    let all = conflicts(world.state, world.now);
    let mine = all.iter().filter(|c| c.releases.contains(&release.id));
    let mut lines = Vec::new();
    for conflict in mine {
        let mut text = conflict.words.clone();
        if let Some(when) = conflict.when {
            let span = say::window(when.start, when.end, world.now, desk.zone);
            text.push_str(&format!(": {span}"));
        }
        lines.extend(signed(Role::StatusPerson, Glyph::Alert, &text, cols));
    }
    lines
}

/// For each limit under which a release waits: who has the places, and who is next in which order.
pub(super) fn queue(world: World<'_>, release: &Release) -> Vec<String> {
    if !limits::queued(release) {
        return Vec::new();
    }
    let names = |ids: Vec<ReleaseId>| {
        let names: Vec<String> = ids.iter().map(ToString::to_string).collect();
        names.join(", ")
    };
    let charter = &world.state.charter;
    let places = limits::places(&release.plan, charter);
    let told = places.iter().map(|place| {
        let shares = |other: &&Release| limits::places(&other.plan, charter).contains(place);
        let line = limits::queue(world.state).into_iter().filter(shares);
        let line = names(line.map(|other| other.id).collect());
        let held = match names(limits::holders(world.state, place)) {
            none if none.is_empty() => "every place is free".to_owned(),
            held => format!("moving now: {held}"),
        };
        format!("{}; {held}; next in this order: {line}", place.words())
    });
    told.collect()
}

/// What the judge says of a release, on what grounds, and what the plan makes of that, after `lead`;
/// nothing as long as it has said nothing.
pub(super) fn judge(
    world: World<'_>,
    release: &Release,
    lead: &'static str,
    cols: u16,
) -> Vec<Line> {
    let Some(judgement) = judged::judgement(world.live, release) else {
        return Vec::new();
    };
    let (status, glyph) = judged::decision(judgement.decision);
    let role = match judgement.shadow {
        true => Role::Dim,
        false => status.role(),
    };
    let words = judged::judgement_words(&release.plan.judge, judgement);
    signed(role, glyph, &format!("{lead}{words}"), cols)
}

/// A sign, and a text beside it that may take several lines.
pub(super) fn signed(role: Role, glyph: Glyph, text: &str, cols: u16) -> Vec<Line> {
    let mut wrapped = Line::wrapped(role, text, 0, cols.saturating_sub(2)).into_iter();
    let first = wrapped.next().map(|l| l.words()).unwrap_or_default();
    let mut lines = vec![Line::new().sign(role, glyph).gap(1).text(role, first)];
    lines.extend(wrapped.map(|l| Line::new().gap(2).text(role, l.words())));
    lines
}
