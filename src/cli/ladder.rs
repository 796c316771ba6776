//! A release top to bottom in the order it walks: holds and batches in one column.

mod share;

use std::fmt::Write as _;

use chrono::DateTime;
use chrono_tz::Tz;

use super::evidence;
use super::judged;
use super::release::sentence;
use super::update;
use crate::domain::emergency;
use crate::domain::hold::{Hold, HoldKind, HoldState};
use crate::domain::ladder::{Mark, Station, rungs};
use crate::domain::live::Live;
use crate::domain::needs::standing;
use crate::domain::press;
use crate::domain::refusal::short;
use crate::domain::release::{Batch, Move, Paused, Release, StepStatus, Summary};
use crate::domain::waiting::{self, Waiting};
use crate::domain::{Health, Phase, Span, State, Timestamp};
use crate::tui::Glyph;

/// How many of the newest lines of the log are shown.
const LOG: usize = 12;

/// A release that is not closed, for people.
pub fn show(state: &State, live: &Live, release: &Release, now: Timestamp) -> String {
    let page = Page {
        state,
        live,
        release,
        now,
        zone: zone(state, release),
        waits: waiting::of(state, release, now),
    };
    let mut text = String::new();
    // writing to a string cannot fail
    let _ = page.write(&mut text);
    text
}

/// A closed release, for people.
pub fn show_closed(summary: &Summary, now: Timestamp) -> String {
    format!(
        "{} {} → {}   {}\n  {}\n  submitted {} ago, closed {} ago: {}\n  `holdpoint ledger show --release {}` tells the whole story\n",
        summary.id,
        summary.subject(),
        summary.environment,
        summary.ending.words(),
        summary.title,
        now.since(summary.submitted),
        now.since(summary.closed),
        summary.why,
        summary.id,
    )
}

/// The zone of the release's environment.
fn zone(state: &State, release: &Release) -> Tz {
    let environment = state.charter.environments.get(&release.plan.environment);
    environment
        .and_then(|environment| environment.zone.parse().ok())
        .unwrap_or(Tz::UTC)
}

struct Page<'a> {
    state: &'a State,
    live: &'a Live,
    release: &'a Release,
    now: Timestamp,
    zone: Tz,
    waits: Waiting,
}

impl Page<'_> {
    fn write(&self, f: &mut String) -> std::fmt::Result {
        self.head(f)?;
        self.grounds(f)?;
        writeln!(f)?;
        let mut indent = "";
        for rung in rungs(self.release) {
            match rung.station {
                Station::Batch(n, batch) => {
                    self.batch(f, n, batch, rung.mark)?;
                    indent = "  ";
                }
                Station::Hold(hold) => {
                    // what comes after a batch belongs to it
                    let after = |b: &Batch| b.after.iter().any(|h| h.id == hold.id);
                    if !self.release.batches.iter().any(after) {
                        indent = "";
                    }
                    self.rung(f, indent, hold, rung.mark)?;
                }
            }
        }
        self.back(f)?;
        self.waits(f)?;
        f.push_str(&judged::section(self.live, self.release));
        self.done(f)?;
        self.next(f)
    }

    fn head(&self, f: &mut String) -> std::fmt::Result {
        let release = self.release;
        let phase = match (&release.paused, release.phase) {
            (Some(_), _) => "PAUSED",
            (None, Phase::Waiting) => "waiting",
            (None, Phase::Rolling) => "rolling",
            (None, Phase::Observing) => "observed",
            (None, Phase::RollingBack) => "ROLLING BACK",
        };
        let mut facts = vec![phase.to_owned()];
        if let Some(exposed) = release.exposed() {
            facts.push(format!("{exposed} % exposed"));
        }
        if let Some(con) = &release.con {
            facts.push(format!("con: {con}"));
        }
        facts.push(format!("since {}", self.now.since(release.since)));
        let (id, environment) = (release.id, &release.plan.environment);
        let subject = release.subject();
        writeln!(f, "{id} {subject} → {environment}   {}", facts.join(" · "))?;
        writeln!(f, "  {}", release.plan.title)?;
        let mut facts = vec![
            format!("plan {}", short(&release.digest)),
            release.plan.kind.word().to_owned(),
            format!(
                "submitted by {} {} ago",
                release.submitter,
                self.now.since(release.submitted)
            ),
        ];
        facts.extend(release.plan.name.iter().map(ToString::to_string));
        facts.extend(release.plan.tickets.iter().map(ToString::to_string));
        writeln!(f, "  {}", facts.join(" · "))?;
        match &release.ruling {
            Some(ruling) => writeln!(
                f,
                "  risk {} · {}: {}",
                ruling.risk.words(),
                ruling.rule_words(),
                ruling.asks()
            ),
            None => Ok(()),
        }
    }

    /// What an emergency rests on, how the plan was changed, and what the votes say.
    fn grounds(&self, f: &mut String) -> std::fmt::Result {
        let release = self.release;
        if let Some(grounds) = &release.plan.emergency {
            let end = match emergency::box_end(release) {
                Some(end) => format!("ends in {}", end.since(self.now)),
                None => format!("{} from its first call", grounds.lasts),
            };
            writeln!(
                f,
                "  {}: {} · time box {end}",
                grounds.incident, grounds.reason
            )?;
        }
        if let Some(changed) = release.changed.last() {
            let ago = self.now.since(changed.at);
            writeln!(
                f,
                "  plan changed by {} {ago} ago, from {}:",
                changed.by,
                short(&changed.was)
            )?;
            f.push_str(&update::shown(&changed.changes));
        }
        for (who, vote) in &release.votes {
            let what = match &vote.overruled {
                Some(over) => format!(
                    "{}, overruled by {}: {}",
                    vote.choice.word(),
                    over.by,
                    over.why
                ),
                None => vote.choice.word().to_owned(),
            };
            let comment = match &*vote.comment {
                "" => String::new(),
                text => format!(": {text}"),
            };
            writeln!(f, "  vote of {who}: {what}{comment}")?;
        }
        Ok(())
    }

    fn batch(&self, f: &mut String, n: usize, batch: &Batch, mark: Mark) -> std::fmt::Result {
        let reached = batch.began.is_some();
        let count: usize = batch.moves.iter().map(|m| m.steps.len()).sum();
        let size = match (self.shares(batch), reached) {
            (Some(words), _) => words,
            (None, false) => plural(count, "instance"),
            (None, true) => {
                let done = batch.moves.iter().flat_map(|m| &m.steps);
                let done = done.filter(|s| s.status == StepStatus::Done).count();
                format!("{done} of {count} moved")
            }
        };
        let size = match *batch.name == *batch.exposure.to_string() {
            true => size,
            false => format!("{} · {size}", batch.exposure),
        };
        let at = batch.began.map(|at| self.clock(at)).unwrap_or_default();
        let row = columns(&batch.name, &size, &at, 0);
        writeln!(f, "{:>2} {} {row}", n + 1, sign(mark))?;
        if reached && !self.overtaken(batch) {
            self.moves(f, &batch.moves)?;
        }
        Ok(())
    }

    fn moves(&self, f: &mut String, moves: &[Move]) -> std::fmt::Result {
        for m in moves {
            writeln!(f, "       {} → {}", m.target, m.artifact.version)?;
            for step in &m.steps {
                let verb = step.verb(&m.sequence).map_or("call", |verb| verb.word());
                let how = match &step.status {
                    StepStatus::ToDo if step.touched() => "between two calls".to_owned(),
                    StepStatus::ToDo => "to do".to_owned(),
                    StepStatus::Running => format!("{verb} runs {}", self.now.since(step.since)),
                    StepStatus::Done => "done".to_owned(),
                    StepStatus::Failed { why, again } => match again {
                        Some(at) => format!("failed: {why}; again in {}", at.since(self.now)),
                        None => format!("failed: {why}"),
                    },
                    StepStatus::Unknown { why } => format!("unknown: {why}"),
                };
                let (sign, seen) = match self.state.seen(&m.target, &step.instance) {
                    Some(seen) => (sign_of(seen.sight.health), share::runs(&seen.sight)),
                    None => ("?", "not read yet".to_owned()),
                };
                writeln!(f, "         {sign} {:<14} {seen:<12} {how}", step.instance)?;
            }
            self.workload(f, m)?;
        }
        Ok(())
    }

    fn rung(&self, f: &mut String, indent: &str, hold: &Hold, mark: Mark) -> std::fmt::Result {
        let word = match &hold.kind {
            HoldKind::Manual { .. } if hold.id.as_str() == "start" => "start",
            kind => kind.word(),
        };
        let here = self.release.hold().is_some_and(|open| open.id == hold.id);
        let (words, at) = match &hold.state {
            HoldState::Cleared { at, by } => (by.to_string(), self.clock(*at)),
            HoldState::Open { since, .. } if here => (self.waits.what.clone(), self.clock(*since)),
            HoldState::Open { since, .. } => (self.asks(hold), self.clock(*since)),
            HoldState::ToCome => (self.asks(hold), String::new()),
        };
        let row = columns(word, &words, &at, indent.len());
        writeln!(f, "{indent}   {} {row}", sign(mark))?;
        self.below(f, hold)
    }

    /// What belongs to a hold that is not behind the release: its checks, or its several needs.
    fn below(&self, f: &mut String, hold: &Hold) -> std::fmt::Result {
        match &hold.kind {
            HoldKind::Readiness { .. } if !hold.cleared() => {
                for line in evidence::lines(self.release, self.now) {
                    writeln!(f, "       {line}")?;
                }
            }
            HoldKind::Dependency { needs } if !hold.cleared() && needs.len() > 1 => {
                for need in needs {
                    let (mark, words) = match standing(self.state, self.release, need) {
                        Some(unmet) => (Mark::ToCome, unmet.words),
                        None => (Mark::Done, need.words()),
                    };
                    writeln!(f, "       {} {words}", sign(mark))?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// What a hold asks for.
    fn asks(&self, hold: &Hold) -> String {
        match &hold.kind {
            HoldKind::Approval(terms) => terms.words(),
            HoldKind::Manual { ask } => ask.to_string(),
            HoldKind::Readiness { checks } => crate::domain::readiness::list(checks),
            HoldKind::Queue => "a place under the limits".to_owned(),
            HoldKind::Dependency { needs } if !needs.is_empty() => {
                crate::domain::needs::list(needs)
            }
            HoldKind::Dependency { .. } => "no other release moves its targets".to_owned(),
            HoldKind::Window { opens, closes } => self.window(*opens, *closes),
            HoldKind::Calendar => "every rule of the calendar allows it".to_owned(),
            HoldKind::Moved => "every instance runs it".to_owned(),
            HoldKind::Health {
                http,
                command,
                passes,
                ..
            } => {
                let checks = http.len() + command.len();
                let pass = if checks == 1 { "passes" } else { "pass" };
                format!(
                    "{} {pass} {}",
                    plural(checks, "check"),
                    plural_u32(*passes, "round")
                )
            }
            HoldKind::Bake { span } => span.to_string(),
            HoldKind::Analysis { metrics, passes } => {
                let names: Vec<&str> = metrics.iter().map(|m| m.as_str()).collect();
                format!(
                    "{}: {} in a row",
                    names.join(", "),
                    plural_u32(*passes, "look")
                )
            }
            HoldKind::Observe { span, handover } => match handover {
                true => format!("{span}, and a handover note"),
                false => span.to_string(),
            },
        }
    }

    fn back(&self, f: &mut String) -> std::fmt::Result {
        let Some(back) = &self.release.back else {
            return Ok(());
        };
        let row = columns("back", &back.why, &self.clock(back.since), 0);
        writeln!(f, "   {} {row}", Glyph::Back.text(true))?;
        self.moves(f, &back.moves)
    }

    fn waits(&self, f: &mut String) -> std::fmt::Result {
        let waits = &self.waits;
        write!(
            f,
            "\nwaits for  {}, on {}, for {}",
            sentence(waits),
            waits.on.words(),
            self.now.since(waits.since)
        )?;
        let next = press::next(self.state, self.release, waits, self.now);
        if !next.is_empty() {
            write!(f, "\n           {next}")?;
        }
        match waits.until {
            Some(until) => writeln!(
                f,
                "\n           at {} (in {}) it {}",
                self.clock(until),
                until.since(self.now),
                waits.then
            ),
            None => writeln!(f),
        }?;
        if let Some(promoted) = &self.release.promoted {
            writeln!(f, "           {}", promoted.words())?;
        }
        if let Some(Paused { by, since, .. }) = &self.release.paused {
            writeln!(
                f,
                "           paused by {by} {} ago; `holdpoint release resume {}` lets it go on",
                self.now.since(*since),
                self.release.id
            )?;
        }
        Ok(())
    }

    fn done(&self, f: &mut String) -> std::fmt::Result {
        writeln!(f, "\nDone")?;
        let log = &self.release.log;
        let left_out = log.len().saturating_sub(LOG);
        if left_out > 0 {
            let id = self.release.id;
            writeln!(
                f,
                "  {left_out} more: `holdpoint ledger show --release {id}`"
            )?;
        }
        for line in log.iter().skip(left_out) {
            let at = self.exact(line.at);
            writeln!(f, "  {at}  {:<12} {}", line.who.to_string(), line.text)?;
        }
        Ok(())
    }

    fn next(&self, f: &mut String) -> std::fmt::Result {
        writeln!(f, "\nNext")?;
        for (words, at) in waiting::ahead(self.state, self.release, self.now) {
            match at.filter(|at| *at > self.now) {
                Some(at) => writeln!(f, "  {words}, in {}", at.since(self.now))?,
                None => writeln!(f, "  {words}")?,
            }
        }
        Ok(())
    }

    fn window(&self, opens: Timestamp, closes: Timestamp) -> String {
        // the year only where it is another one
        let year = self.local(opens, "%Y") != self.local(self.now, "%Y");
        let day = if year {
            "%a %d %b %Y %H:%M"
        } else {
            "%a %d %b %H:%M"
        };
        let same = self.local(opens, "%F") == self.local(closes, "%F");
        let start = self.local(opens, day);
        let end = self.local(closes, if same { "%H:%M" } else { day });
        format!("{start}–{end} {}", self.zone.name())
    }

    /// The time of day, with the day where it is another one.
    fn clock(&self, at: Timestamp) -> String {
        let today = self.local(at, "%F") == self.local(self.now, "%F");
        self.local(at, if today { "%H:%M" } else { "%a %d %b %H:%M" })
    }

    fn exact(&self, at: Timestamp) -> String {
        let today = self.local(at, "%F") == self.local(self.now, "%F");
        self.local(at, if today { "%H:%M:%S" } else { "%F %H:%M:%S" })
    }

    fn local(&self, at: Timestamp, format: &str) -> String {
        let utc = DateTime::from_timestamp_millis(at.0).unwrap_or_default();
        utc.with_timezone(&self.zone).format(format).to_string()
    }
}

/// A rung's columns: what, the words, when. The last one stands where it does without an indent.
fn columns(what: &str, words: &str, at: &str, indent: usize) -> String {
    let most = 55 - indent;
    let line = format!("{what:<13} {words:<most$} {at}");
    line.trim_end().to_owned()
}

const fn sign(mark: Mark) -> &'static str {
    let glyph = match mark {
        Mark::Done => Glyph::Done,
        Mark::Here => Glyph::Here,
        Mark::Failed => Glyph::Failed,
        Mark::Back => Glyph::Back,
        Mark::NotReached => Glyph::NotReached,
        Mark::ToCome => Glyph::ToCome,
    };
    glyph.text(true)
}

const fn sign_of(health: Health) -> &'static str {
    let glyph = match health {
        Health::Running => Glyph::Up,
        Health::Changing => Glyph::Moving,
        Health::Down => Glyph::Failed,
        Health::Unknown => Glyph::Unknown,
    };
    glyph.text(true)
}

fn plural(n: usize, word: &str) -> String {
    match n {
        1 => format!("1 {word}"),
        n => format!("{n} {word}s"),
    }
}

fn plural_u32(n: u32, word: &str) -> String {
    plural(n as usize, word)
}

/// How long ago, for lists: one unit is enough.
pub fn ago(span: Span) -> String {
    let s = span.0 / 1000;
    match s {
        0..60 => format!("{s} s"),
        60..3600 => format!("{} m", s / 60),
        3600..86_400 => format!("{} h", s / 3600),
        _ => format!("{} d", s / 86_400),
    }
}
