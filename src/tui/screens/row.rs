//! A release in one line of the list, or in two where the screen is narrow.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::domain::ladder::{Mark, Station, rungs};
use crate::domain::plan::Kind;
use crate::domain::release::{Phase, Release, Summary};
use crate::domain::waiting::{Group, Waiting, Whom};
use crate::domain::{Call, ReleaseId, Span};

use super::super::desk::Desk;
use super::super::glyph::Glyph;
use super::super::order::Moved;
use super::super::say;
use super::super::theme::Role;
use super::super::widgets::{Pen, width};
use super::super::world::World;

/// Most signs of a short ladder.
const SIGNS: usize = 9;

/// What the columns of a list have for room.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Columns {
    id: usize,
    service: usize,
    version: usize,
    environment: usize,
    ladder: usize,
    /// Whether any has something to show at the end: looks and a verdict, or that it is an emergency.
    ends: bool,
}

impl Columns {
    /// The columns that fit these releases.
    pub fn of<'a, I>(world: World<'a>, releases: impl Fn() -> I, cols: u16) -> Columns
    where
        I: Iterator<Item = &'a Release>,
    {
        let ends = |release: &Release| {
            release.plan.kind == Kind::Emergency || pulse(world, release).is_some()
        };
        let mut columns = Columns {
            ends: releases().any(ends),
            id: 4,
            service: 8,
            version: 5,
            environment: 7,
            ladder: 4,
        };
        for release in releases() {
            let (service, version) = subject(release);
            columns.id = columns.id.max(2 + digits(release.id));
            columns.service = columns.service.max(width(service));
            columns.version = columns.version.max(width(&version));
            columns.environment = columns
                .environment
                .max(width(release.plan.environment.as_str()));
            columns.ladder = columns.ladder.max((release.batches.len() + 1).min(SIGNS));
        }
        let (service, version, environment) = match cols {
            0..100 => (11, 8, 9),
            100..140 => (14, 10, 10),
            _ => (20, 14, 14),
        };
        columns.service = columns.service.min(service);
        columns.version = columns.version.min(version);
        columns.environment = columns.environment.min(environment);
        columns
    }
}

fn digits(id: ReleaseId) -> usize {
    id.0.checked_ilog10().map_or(1, |n| n as usize + 1)
}

/// The first service and its version, with how many more there are.
fn subject(release: &Release) -> (&str, String) {
    let services = &release.plan.services;
    let Some(first) = services.first() else {
        return ("", String::new());
    };
    let version = match services.len() {
        1 => first.version.to_string(),
        n => format!("{} +{}", first.version, n - 1),
    };
    (first.service.as_str(), version)
}

/// How a release is painted, by who has to act and whether anything is wrong.
pub(super) fn status(release: &Release, waiting: &Waiting) -> Role {
    let person = matches!(
        waiting.on,
        Whom::Voters(_) | Whom::People(_) | Whom::Groups(_) | Whom::Control
    );
    let broken = matches!(waiting.word, "failed" | "lockdown") || waiting.trouble && !person;
    if release.phase == Phase::RollingBack || broken {
        Role::StatusBad
    } else if person {
        Role::StatusPerson
    } else if release.phase == Phase::Waiting {
        Role::Text
    } else {
        Role::StatusMoving
    }
}

/// The ladder in a few signs, a sign for each batch, and one for where the release stands.
pub(super) fn signs(release: &Release) -> Vec<(Role, Glyph)> {
    let back = release.phase == Phase::RollingBack;
    let mut signs = Vec::new();
    let here = release.batch().map(|(n, _)| n);
    for rung in rungs(release) {
        let Station::Batch(n, batch) = rung.station else {
            continue;
        };
        let present = here == Some(n) && !back && release.phase != Phase::Waiting;
        if present && batch.began.is_none() {
            signs.push((Role::StatusPerson, Glyph::Here));
        }
        signs.push(match rung.mark {
            Mark::Done if release.phase == Phase::Observing => (Role::StatusGood, Glyph::BatchDone),
            Mark::Done => (Role::StatusMoving, Glyph::BatchDone),
            Mark::Here => (Role::StatusMoving, Glyph::Here),
            Mark::Failed => (Role::StatusBad, Glyph::Failed),
            Mark::Back => (Role::StatusBad, Glyph::Back),
            Mark::NotReached => (Role::StatusHistory, Glyph::ToCome),
            Mark::ToCome => (Role::Dim, Glyph::BatchToCome),
        });
        // moved, and standing at a hold behind it
        if present && batch.began.is_some() && rung.mark == Mark::Done {
            signs.push((Role::StatusMoving, Glyph::Here));
        }
    }
    if signs.len() > SIGNS {
        // the end of a long ladder is folded, where the release stands stays in sight
        let at = signs
            .iter()
            .position(|(_, g)| *g == Glyph::Here)
            .unwrap_or(0);
        let first = at.saturating_sub(SIGNS - 2).min(signs.len() - SIGNS);
        signs = signs[first..first + SIGNS].to_vec();
        if first > 0 {
            signs[0] = (Role::Dim, Glyph::More);
        }
        if let Some(last) = signs.last_mut()
            && at + 1 < first + SIGNS
        {
            *last = (Role::Dim, Glyph::More);
        }
    }
    signs
}

/// The looks of a release in short, and the word for what they say together.
fn pulse(world: World<'_>, release: &Release) -> Option<(Vec<(Role, &'static str)>, Call)> {
    const LOOKS: usize = 6;
    let calls = world.live.pulse.get(&release.id)?;
    let last = &calls[calls.len().saturating_sub(LOOKS)..];
    let now = *last.last()?;
    let bars = last
        .iter()
        .map(|call| {
            let (status, _) = say::verdict(*call);
            let level = match call {
                Call::Pass => "▂",
                Call::Undecided => "·",
                Call::Hold => "▅",
                Call::Fail => "█",
                Call::NoData => "?",
            };
            (status.role(), level)
        })
        .collect();
    Some((bars, now))
}

const fn ascii(level: &str) -> &'static str {
    match level.as_bytes() {
        b"\xe2\x96\x82" => "_",
        b"\xc2\xb7" => ".",
        b"\xe2\x96\x85" => "=",
        b"\xe2\x96\x88" => "#",
        _ => "?",
    }
}

/// A row and how it is to be painted.
pub(super) struct Shown<'a> {
    /// The desk.
    pub desk: &'a Desk,
    /// The world.
    pub world: World<'a>,
    /// Whether the cursor is on it.
    pub cursor: bool,
    /// The columns.
    pub columns: Columns,
}

impl Shown<'_> {
    /// The first two cells: cursor, and mark or the way that the row has just gone.
    fn edge(&self, pen: &mut Pen<'_>, id: ReleaseId) {
        if self.cursor {
            pen.glyph(Role::Strong, Glyph::Cursor);
        } else {
            pen.skip(1);
        }
        if self.desk.marks.contains(&id) {
            pen.glyph(Role::RowMarked, Glyph::Mark);
        } else {
            match self.desk.order.moved(id, self.world.now) {
                Some(Moved::Up) => pen.glyph(Role::StatusPerson, Glyph::Above),
                Some(Moved::Down) => pen.glyph(Role::Dim, Glyph::Below),
                None => pen.skip(1),
            };
        }
    }

    fn ladder(&self, pen: &mut Pen<'_>, release: &Release) {
        let signs = signs(release);
        let rest = self.columns.ladder.saturating_sub(signs.len());
        for (role, glyph) in signs {
            pen.glyph(role, glyph);
        }
        pen.skip(rest);
    }

    /// The line of a wide list.
    pub fn wide(&self, release: &Release, group: Group, buffer: &mut Buffer, area: Rect) {
        let theme = self.desk.theme();
        let waiting = self.world.waiting(release);
        let role = status(release, &waiting);
        let columns = self.columns;
        let (service, version) = subject(release);
        let mut pen = Pen::new(buffer, theme, area);
        self.edge(&mut pen, release.id);
        pen.left(Role::Strong, &release.id.to_string(), columns.id)
            .skip(1)
            .left(Role::Text, service, columns.service)
            .skip(1)
            .left(Role::Text, &version, columns.version)
            .skip(1)
            .glyph(Role::Dim, Glyph::Arrow)
            .skip(1)
            .left(
                Role::Text,
                release.plan.environment.as_str(),
                columns.environment,
            )
            .skip(1);
        self.ladder(&mut pen, release);
        pen.right(Role::Text, &exposure(release), 6).skip(2);
        pen.left(role, waiting.word, 10).skip(1);
        // the end of the line is written first, so that the sentence gets what is left
        let end = self.end(release, area.width);
        let until = until(&waiting, self.world, self.desk);
        let until_width = if area.width >= UNTIL { 21 } else { 0 };
        let on_width = match area.width {
            0..110 => 0,
            110..UNTIL => 11,
            _ => 14,
        };
        let tail = end.width + 1 + 6 + on_width + until_width;
        let sentence = pen.room().saturating_sub(tail);
        let what = if role == Role::StatusBad {
            role
        } else {
            Role::Text
        };
        pen.left(what, &waiting.what, sentence).skip(1);
        if on_width > 0 {
            let (on_role, on) = on(group, &waiting);
            pen.left(on_role, &on, on_width - 2).skip(1);
        }
        let since = say::short(self.world.now.since(waiting.since));
        pen.right(Role::Dim, &since, 5).skip(1);
        if until_width > 0 {
            pen.skip(1).left(until.0, &until.1, until_width - 2).skip(1);
        }
        for (role, text) in end.pieces {
            pen.text(role, &text);
        }
    }

    /// The last columns: the looks in short, the verdict, or the kind of a release that has not
    /// begun.
    fn end(&self, release: &Release, cols: u16) -> End {
        const VERDICT: usize = 9;
        let theme = self.desk.theme();
        let looks = if cols >= 110 { 7 } else { 0 };
        let mut end = End {
            pieces: Vec::new(),
            width: if self.columns.ends {
                looks + VERDICT
            } else {
                0
            },
        };
        if let Some((bars, call)) = pulse(self.world, release) {
            if looks > 0 {
                let blank = looks - 1 - bars.len();
                end.pieces.push((Role::Text, " ".repeat(blank)));
                for (role, level) in bars {
                    let level = if theme.unicode() { level } else { ascii(level) };
                    end.pieces.push((role, level.to_owned()));
                }
                end.pieces.push((Role::Text, " ".to_owned()));
            }
            let (status, glyph) = say::verdict(call);
            let sign = theme.glyph(glyph);
            let word = match call {
                Call::Undecided => "wait",
                other => other.word(),
            };
            end.pieces.push((status.role(), format!("{sign} {word}")));
        } else if release.plan.kind == Kind::Emergency {
            end.pieces.push((Role::Text, " ".repeat(looks)));
            end.pieces
                .push((Role::StatusBad, Kind::Emergency.word().to_owned()));
        }
        end
    }

    /// The line of a narrow list: the same facts in the same order, shorter.
    pub fn narrow(&self, release: &Release, buffer: &mut Buffer, area: Rect) {
        let waiting = self.world.waiting(release);
        let role = status(release, &waiting);
        let columns = self.columns;
        let (service, version) = subject(release);
        let mut pen = Pen::new(buffer, self.desk.theme(), area);
        self.edge(&mut pen, release.id);
        pen.left(Role::Strong, &release.id.to_string(), columns.id)
            .skip(1);
        let name = format!("{service} {version}");
        let named = columns.service + 1 + columns.version;
        pen.left(Role::Text, &name, named.min(18)).skip(1);
        pen.left(
            Role::Text,
            release.plan.environment.as_str(),
            columns.environment,
        )
        .skip(1);
        self.ladder(&mut pen, release);
        pen.right(Role::Text, &exposure(release), 6).skip(1);
        let since = say::short(self.world.now.since(waiting.since));
        let room = pen.room().saturating_sub(6);
        self.sentence(&mut pen, role, &waiting, room);
        pen.skip(1).right(Role::Dim, &since, 5);
    }

    fn sentence(&self, pen: &mut Pen<'_>, role: Role, waiting: &Waiting, cells: usize) {
        let word = cells.min(width(waiting.word) + 1);
        let what = if role == Role::StatusBad {
            role
        } else {
            Role::Text
        };
        pen.left(role, waiting.word, word);
        pen.left(what, &waiting.what, cells - word);
    }

    /// The first line of a row that takes two.
    pub fn first(&self, release: &Release, buffer: &mut Buffer, area: Rect) {
        let waiting = self.world.waiting(release);
        let (service, version) = subject(release);
        let mut pen = Pen::new(buffer, self.desk.theme(), area);
        self.edge(&mut pen, release.id);
        let since = say::short(self.world.now.since(waiting.since));
        let tail = self.columns.ladder + 6 + 6;
        let name = format!("{service} {version} ");
        let room = pen.room().saturating_sub(tail + self.columns.id + 1);
        pen.left(Role::Strong, &release.id.to_string(), self.columns.id)
            .skip(1);
        let env = release.plan.environment.as_str();
        if width(&name) + 3 + width(env) <= room {
            pen.text(Role::Text, &name)
                .glyph(Role::Dim, Glyph::Arrow)
                .skip(1)
                .left(Role::Text, env, room - width(&name) - 2);
        } else {
            pen.left(Role::Text, &name, room);
        }
        self.ladder(&mut pen, release);
        pen.right(Role::Text, &exposure(release), 6);
        pen.right(Role::Dim, &since, 6);
    }

    /// The second line of a row that takes two.
    pub fn second(&self, release: &Release, buffer: &mut Buffer, area: Rect) {
        let waiting = self.world.waiting(release);
        let role = status(release, &waiting);
        let mut pen = Pen::new(buffer, self.desk.theme(), area);
        if self.cursor {
            pen.glyph(Role::Strong, Glyph::Cursor);
        } else {
            pen.skip(1);
        }
        pen.skip(2 + self.columns.id);
        let room = pen.room();
        self.sentence(&mut pen, role, &waiting, room);
    }

    /// A release that is closed.
    pub fn closed(&self, summary: &Summary, buffer: &mut Buffer, area: Rect) {
        let theme = self.desk.theme();
        let mut pen = Pen::new(buffer, theme, area);
        self.edge(&mut pen, summary.id);
        let (role, glyph) = super::closed::look(summary.ending);
        let columns = self.columns;
        pen.left(Role::Dim, &summary.id.to_string(), columns.id)
            .skip(1)
            .left(
                Role::Dim,
                &summary.subject(),
                columns.service + 1 + columns.version,
            )
            .skip(1);
        if area.width + 1 >= super::super::layout::TIGHT {
            pen.glyph(Role::Dim, Glyph::Arrow).skip(1).left(
                Role::Dim,
                summary.environment.as_str(),
                columns.environment,
            );
            pen.skip(1);
        }
        pen.glyph(role, glyph)
            .skip(1)
            .left(role, summary.ending.words(), 11)
            .skip(1);
        let at = say::minute(summary.closed, self.desk.zone);
        let room = pen.room().saturating_sub(7);
        pen.left(Role::Dim, &summary.why, room)
            .skip(1)
            .text(Role::Dim, &at);
    }
}

struct End {
    pieces: Vec<(Role, String)>,
    width: usize,
}

/// From this many columns on, a row says until when it waits, and what happens then.
const UNTIL: u16 = 140;

/// `03:10 holds on`.
fn until(waiting: &Waiting, world: World<'_>, desk: &Desk) -> (Role, String) {
    match waiting.until {
        Some(at) => {
            let role = if at.since(world.now) < Span::mins(5) {
                Role::StatusPerson
            } else {
                Role::Dim
            };
            let at = say::when(at, world.now, desk.zone);
            (role, format!("{at} {}", waiting.then))
        }
        None if waiting.trouble && !waiting.then.is_empty() => {
            (Role::StatusBad, "overdue".to_owned())
        }
        None => (Role::Dim, String::new()),
    }
}

/// On whom a release waits, for a list.
fn on(group: Group, waiting: &Waiting) -> (Role, String) {
    if group == Group::NeedsYou {
        return (Role::StatusPerson, "you".to_owned());
    }
    let role = match waiting.on {
        Whom::Voters(_) | Whom::People(_) | Whom::Groups(_) | Whom::Control => Role::StatusPerson,
        Whom::Instance(_) => Role::StatusBad,
        _ => Role::Dim,
    };
    (role, waiting.on.words())
}

/// The share that runs the new version; a dash before anything moved.
fn exposure(release: &Release) -> String {
    release
        .exposed()
        .map_or_else(|| "–".to_owned(), |percent| format!("{percent} %"))
}
