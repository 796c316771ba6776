//! The calendar in words: the agenda, why a release waits, when it may move.

use std::fmt::Write as _;

use chrono_tz::Tz;

use super::times::{moment, span};
use crate::cli::exec::Errand;
use crate::cli::exit::{Exit, Stop, Went};
use crate::cli::judged;
use crate::cli::keeper::Keeper;
use crate::cli::release::{find, now, sentence};
use crate::cli::view::{
    BarView, JudgementView, SlotView, WhenView, WhyView, WorkloadView, calendar_kind, time,
};
use crate::domain::calendar::{Bar, Evaluator, Lane, Slot};
use crate::domain::live::Live;
use crate::domain::release::Release;
use crate::domain::waiting;
use crate::domain::{Notice, ReleaseId, State, Timestamp};

/// The zone of a release's environment.
pub fn zone_of(state: &State, release: Option<&ReleaseId>) -> Tz {
    release
        .and_then(|id| state.live.get(id))
        .and_then(|r| state.charter.environments.get(&r.plan.environment))
        .and_then(|environment| environment.zone.parse().ok())
        .unwrap_or(Tz::UTC)
}

/// What comes, lane by lane; in front, what is loud.
pub fn agenda(state: &State, lanes: &[Lane], all: bool, now: Timestamp, to: Timestamp) -> String {
    let mut text = String::new();
    let mut line = |words: String| {
        text.push_str(&words);
        text.push('\n');
    };
    for (id, down) in &state.calendar.lockdowns {
        line(format!(
            "LOCKDOWN {id}: nothing moves forward in {}: {} ({}, {} ago)",
            down.scope.words(),
            down.reason,
            down.by,
            now.since(down.since)
        ));
    }
    for lane in lanes {
        let zone: Tz = lane
            .zone
            .as_deref()
            .and_then(|z| z.parse().ok())
            .unwrap_or(Tz::UTC);
        line(format!("{}   {}", lane.name, zone.name()));
        let mut items: Vec<_> = lane.items.iter().collect();
        items.sort_by_key(|item| (item.start.unwrap_or(now).max(now), item.kind));
        for item in &items {
            line(format!(
                "  {:<9}  {}   {}{}",
                calendar_kind(item.kind),
                span(item.start, item.end, zone),
                match item.release {
                    Some(id) => format!("{id} "),
                    None => String::new(),
                },
                item.label
            ));
        }
        if items.is_empty() {
            line(format!("  nothing until {}", moment(to, zone)));
        }
    }
    if all {
        for (id, exemption) in &state.calendar.exemptions {
            if exemption.open(now) {
                let wish = &exemption.wish;
                let only = wish
                    .release
                    .map(|r| format!(", only {r}"))
                    .unwrap_or_default();
                line(format!(
                    "exemption {id} from {} for {}{only}, {} more: {} ({}), asked for by {}, {}",
                    wish.rule,
                    wish.scope.words(),
                    wish.until.since(now),
                    wish.reason,
                    wish.ticket,
                    exemption.by,
                    exemption.words(now)
                ));
            }
        }
    }
    text
}

/// Why a release waits.
pub async fn why<R: Keeper>(word: &str, errand: &Errand<'_, R>) -> Went {
    let state = errand.room.state().borrow().clone();
    let live = errand.room.live_now();
    let (now, out) = (now(), errand.out);
    let release = open(&state, word)?;
    let waits = waiting::of(&state, release, now);
    let rules = Evaluator::of(&state, release, now);
    let answer = rules.answer(now);
    let next = rules.next(now);
    if out.look.json {
        let view = WhyView {
            schema: "holdpoint.why/1",
            release: release.id.to_string(),
            waiting: sentence(&waits),
            on: waits.on.words(),
            since: time(waits.since),
            judgement: JudgementView::of(&live, release),
            undecided: judged::undecided(&live, release),
            calendar: answer.bars.iter().map(BarView::of).collect(),
            next: next.map(SlotView::of),
            workloads: WorkloadView::all(&live, release.targets()),
        };
        out.object(&view).await?;
        return Ok(Exit::Done);
    }
    let zone = zone_of(&state, Some(&release.id));
    let mut text = format!(
        "{} waits for {}\n  on {}, for {}\n",
        release.id,
        sentence(&waits),
        waits.on.words(),
        now.since(waits.since)
    );
    text.push_str(&stuck(&live, release));
    for bar in &answer.bars {
        let _ = writeln!(text, "{}", bar_line(bar, now, zone));
    }
    if answer.bars.is_empty() {
        text.push_str("the calendar has nothing against it\n");
    } else {
        text.push_str(&next_words(next, now, zone));
    }
    text.push_str(&judged::why(&live, release));
    out.say(text).await?;
    Ok(Exit::Done)
}

/// What is stuck in the workloads that it moves and what helps, and who forbids to change them.
fn stuck(live: &Live, release: &Release) -> String {
    let mut text = String::new();
    for target in release.targets() {
        let read = live.targets.get(target);
        let Some(workload) = read.and_then(|read| read.workload.as_deref()) else {
            continue;
        };
        let place = &workload.place;
        for stuck in &workload.stuck {
            let _ = writeln!(text, "  {place}: {}", stuck.told());
            if let Some(way) = &stuck.way_out {
                let _ = writeln!(text, "    what helps: {way}");
            }
        }
        if let Some(owner) = workload.forbidden() {
            let _ = writeln!(text, "  {place}: {}, {}", owner.who, owner.words);
        }
    }
    text
}

fn bar_line(bar: &Bar, now: Timestamp, zone: Tz) -> String {
    let since = match bar.since {
        Some(since) => format!("since {} ({})", moment(since, zone), now.since(since)),
        None => "from the beginning".to_owned(),
    };
    let until = match bar.until {
        Some(until) => format!("until {}", moment(until, zone)),
        None => "until somebody ends it".to_owned(),
    };
    format!(
        "calendar: {}\n  {since}, {until}; owner {}; a rollout under way {}",
        bar.words(),
        bar.owner,
        bar.then.words()
    )
}

/// When the calendar allows a release next.
pub async fn when<R: Keeper>(word: &str, errand: &Errand<'_, R>) -> Went {
    let state = errand.room.state().borrow().clone();
    let (now, out) = (now(), errand.out);
    let release = open(&state, word)?;
    let rules = Evaluator::of(&state, release, now);
    let next = rules.next(now);
    if out.look.json {
        let view = WhenView {
            schema: "holdpoint.when/1",
            release: release.id.to_string(),
            next: next.map(SlotView::of),
        };
        out.object(&view).await?;
    } else {
        let zone = zone_of(&state, Some(&release.id));
        let mut text = next_words(next, now, zone);
        if next.is_none() {
            // without an end in sight, what counts is who can end it
            for bar in &rules.answer(now).bars {
                let _ = writeln!(text, "{}", bar_line(bar, now, zone));
            }
        }
        out.say(text).await?;
    }
    Ok(Exit::Done)
}

/// The next moment in words.
pub fn next_words(next: Option<Slot>, now: Timestamp, zone: Tz) -> String {
    let Some(slot) = next else {
        return "the calendar does not allow it within 90 days\n".to_owned();
    };
    let until = match slot.until {
        Some(until) => format!(", until {}", moment(until, zone)),
        None => String::new(),
    };
    if slot.from <= now {
        return format!("the calendar allows it now{until} ({zone})\n");
    }
    format!(
        "the calendar allows it from {}, in {}{until} ({zone})\n",
        moment(slot.from, zone),
        slot.from.since(now)
    )
}

fn open<'s>(state: &'s State, word: &str) -> Result<&'s Release, Stop> {
    let id = find(state, word)?;
    let closed = || {
        Stop::from(
            Notice::error(
                "release-closed",
                format!("{id} is closed: it waits for nothing"),
            )
            .next("`holdpoint release show` says how it ended"),
        )
    };
    state.live.get(&id).map(|r| &**r).ok_or_else(closed)
}
