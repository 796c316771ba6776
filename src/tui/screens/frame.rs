//! The three lines round every screen, and the newest notice.

use std::ops::Range;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::domain::{Level, Notice, Span, Timestamp};

use super::super::action::Action;
use super::super::desk::{Desk, Screen};
use super::super::dialog::effect::{window, window_words};
use super::super::glyph::Glyph;
use super::super::layout::{self, WIDE};
use super::super::say;
use super::super::theme::Role;
use super::super::widgets::text::{fill, wrap};
use super::super::widgets::{Pen, width};
use super::super::world::World;

/// The name of a screen in the first line, and where it stands.
pub(crate) struct Tab {
    /// What shows it.
    pub action: Action,
    /// The screen.
    screen: Screen,
    /// Its key.
    key: String,
    /// Its name, empty where there is no room.
    name: &'static str,
    /// How many things wait there.
    count: usize,
    /// Its columns.
    pub cells: Range<u16>,
}

const SCREENS: [(Action, Screen, &str); 5] = [
    (Action::ShowReleases, Screen::Releases, "Releases"),
    (Action::ShowRollout, Screen::Rollout, "Rollout"),
    (Action::ShowMetrics, Screen::Metrics, "Metrics"),
    (Action::ShowApprovals, Screen::Approvals, "Approvals"),
    (Action::ShowCalendar, Screen::Calendar, "Calendar"),
];

/// The names of the screens along the first line.
pub(crate) fn tabs(desk: &Desk, world: World<'_>, area: Rect) -> Vec<Tab> {
    let short = area.width < WIDE;
    let brand = brand(world, area.width);
    let mut x = area
        .x
        .saturating_add(u16::try_from(width(&brand)).unwrap_or(0) + 3);
    if !short {
        x = x.max(area.x + 26);
    }
    let mut tabs = Vec::new();
    for (action, screen, name) in SCREENS {
        let active = desk.place.screen == screen;
        let named = !short || active;
        let name = if named { name } else { "" };
        let key = desk
            .keymap
            .key(desk.screen_contexts(), action)
            .map_or_else(String::new, ToString::to_string);
        let count = if screen == Screen::Approvals {
            desk.queued.len()
        } else {
            0
        };
        let mut cells = width(&key) + usize::from(named) + width(name);
        if count > 0 {
            cells += width(&counted(count, named));
        }
        let cells = u16::try_from(cells).unwrap_or(0);
        tabs.push(Tab {
            action,
            screen,
            key,
            name,
            count,
            cells: x..x.saturating_add(cells),
        });
        x = x.saturating_add(cells + if short { 1 } else { 2 });
    }
    tabs
}

/// How many things wait on a screen, behind its name or its key.
fn counted(count: usize, named: bool) -> String {
    if named {
        format!(" {count}")
    } else {
        format!("({count})")
    }
}

fn brand(world: World<'_>, cols: u16) -> String {
    let room = &*world.state.charter.room;
    if cols < 60 {
        room.to_owned()
    } else {
        format!("holdpoint {room}")
    }
}

/// Where you are.
pub(super) fn title(desk: &Desk, world: World<'_>, area: Rect, buffer: &mut Buffer) {
    let theme = desk.theme();
    let mut pen = Pen::new(buffer, theme, area);
    pen.skip(1);
    let brand = brand(world, area.width);
    match brand.split_once(' ') {
        Some((product, room)) if area.width >= 60 => {
            pen.text(Role::Brand, product);
            pen.text(Role::Dim, " ").text(Role::Dim, room);
        }
        _ => {
            pen.text(Role::Brand, &brand);
        }
    }
    let you = match desk.who() {
        Some(who) => format!("you: {} ", world.person(who)),
        None => "you may only look ".to_owned(),
    };
    let tabs = tabs(desk, world, area);
    let end = tabs.last().map_or(area.x, |tab| tab.cells.end);
    if usize::from(area.right().saturating_sub(end)) > width(&you) + 2 {
        pen.at_end(Role::Dim, &you);
    }
    for tab in tabs {
        let active = tab.screen == desk.place.screen;
        pen.to(tab.cells.start).text(Role::Key, &tab.key);
        if !tab.name.is_empty() {
            let role = if active { Role::TabActive } else { Role::Tab };
            pen.skip(1).text(role, tab.name);
        }
        if tab.count > 0 {
            let count = counted(tab.count, !tab.name.is_empty());
            pen.text(Role::StatusPerson, &count);
        }
    }
}

/// A fact of the second line: its words, and how much it matters.
struct Fact {
    words: Vec<(Role, String)>,
    matters: u8,
}

impl Fact {
    fn new(matters: u8, role: Role, text: impl Into<String>) -> Fact {
        Fact {
            words: vec![(role, text.into())],
            matters,
        }
    }

    fn width(&self) -> usize {
        self.words.iter().map(|(_, text)| width(text)).sum()
    }
}

/// What everybody in a window needs to know. Where there is no room for all, what matters least
/// is left out.
pub(super) fn facts(desk: &Desk, world: World<'_>, area: Rect, buffer: &mut Buffer) {
    let mut facts = all_facts(desk, world, area.width);
    let room = usize::from(area.width.saturating_sub(2));
    while facts.iter().map(|f| f.width() + 3).sum::<usize>() > room + 3 && facts.len() > 1 {
        let least = facts.iter().map(|f| f.matters).min().unwrap_or(0);
        if let Some(at) = facts.iter().rposition(|f| f.matters == least) {
            facts.remove(at);
        }
    }
    let theme = desk.theme();
    let mut pen = Pen::new(buffer, theme, area);
    pen.skip(1);
    for (n, fact) in facts.iter().enumerate() {
        if n > 0 {
            pen.skip(1).glyph(Role::Dim, Glyph::Dot).skip(1);
        }
        for (role, text) in &fact.words {
            pen.text(*role, text);
        }
    }
}

fn all_facts(desk: &Desk, world: World<'_>, cols: u16) -> Vec<Fact> {
    let theme = desk.theme();
    let mut facts = Vec::new();
    let clock = say::clock(world.now, desk.zone);
    let mut time = Vec::new();
    if cols >= WIDE {
        time.push((Role::Text, format!("{} ", say::day(world.now, desk.zone))));
    }
    time.push((Role::Strong, clock));
    time.push((Role::Text, format!(" {}", say::zone(desk.zone))));
    facts.push(Fact {
        words: time,
        matters: 9,
    });
    if let Some(zone) = other_zone(desk, world) {
        let text = format!("{} {}", say::minute(world.now, zone), say::zone(zone));
        facts.push(Fact::new(2, Role::Dim, text));
    }
    if let Some((name, opens, closes)) = nearest_window(desk, world) {
        let (role, words) = window_words(opens, closes, world.now);
        facts.push(Fact {
            words: vec![
                (Role::Text, format!("{name} ")),
                (
                    if role == Role::Text {
                        Role::Strong
                    } else {
                        role
                    },
                    words,
                ),
            ],
            matters: 6,
        });
    }
    facts.extend(lockdown(desk, world));
    facts.push(ledger(desk, world));
    if let Some(fact) = here(world) {
        facts.push(fact);
    }
    let alerts = world.live.alerts.len();
    if alerts > 0 {
        let worst = world.live.alerts.iter().map(|a| a.level).max();
        let role = if worst == Some(Level::Error) {
            Role::NoticeError
        } else {
            Role::NoticeWarning
        };
        let sign = theme.glyph(Glyph::Alert);
        let text = format!("{sign} {}", say::count(alerts, "alert"));
        facts.push(Fact::new(8, role, text));
    }
    facts
}

/// A lockdown stands on every screen as long as it is in force, whatever else is told.
fn lockdown(desk: &Desk, world: World<'_>) -> Option<Fact> {
    let all = &world.state.calendar.lockdowns;
    let (id, first) = all.iter().next()?;
    let sign = desk.theme().glyph(Glyph::Alert);
    let text = match all.len() {
        1 => format!("{sign} LOCKDOWN {id}: {}", first.scope.words()),
        n => format!("{sign} {n} LOCKDOWNS"),
    };
    Some(Fact::new(10, Role::NoticeError, text))
}

fn ledger(desk: &Desk, world: World<'_>) -> Fact {
    let theme = desk.theme();
    match &world.live.ledger.broken {
        Some(why) => {
            let sign = theme.glyph(Glyph::Failed);
            let text = format!("{sign} LEDGER CANNOT BE WRITTEN: {why}");
            Fact::new(10, Role::NoticeError, text)
        }
        None => Fact {
            words: vec![
                (Role::StatusGood, theme.glyph(Glyph::Done).to_owned()),
                (
                    Role::Text,
                    format!(" sealed {}", say::grouped(world.state.seq)),
                ),
            ],
            matters: 5,
        },
    }
}

fn here(world: World<'_>) -> Option<Fact> {
    let here = &world.live.here;
    if here.is_empty() {
        return None;
    }
    let names: Vec<&str> = here.iter().take(5).map(|p| p.as_str()).collect();
    let more = if here.len() > 5 {
        format!(" and {} more", here.len() - 5)
    } else {
        String::new()
    };
    Some(Fact {
        words: vec![
            (Role::Dim, "here: ".to_owned()),
            (Role::Text, format!("{}{more}", names.join(" "))),
        ],
        matters: 3,
    })
}

/// The zone of the environment under the cursor, where its clocks differ from the person's.
fn other_zone(desk: &Desk, world: World<'_>) -> Option<chrono_tz::Tz> {
    let release = world.release(desk.subject?)?;
    let environment = world
        .state
        .charter
        .environments
        .get(&release.plan.environment)?;
    let zone: chrono_tz::Tz = environment.zone.parse().ok()?;
    (say::minute(world.now, zone) != say::minute(world.now, desk.zone)).then_some(zone)
}

/// The window of the release under the cursor, else the open one that closes next, else the one
/// that opens next.
fn nearest_window(desk: &Desk, world: World<'_>) -> Option<(String, Timestamp, Timestamp)> {
    let own = desk
        .subject
        .and_then(|id| world.release(id))
        .and_then(|r| window(r).map(|(o, c)| (format!("{}: window", r.id), o, c)));
    if own.is_some() {
        return own;
    }
    let all = || {
        world
            .state
            .live
            .values()
            .filter_map(|r| window(r).map(|(o, c)| (r.id, o, c)))
    };
    let open = all()
        .filter(|(_, o, c)| *o <= world.now && world.now < *c)
        .min_by_key(|(_, _, c)| *c);
    let next = || {
        all()
            .filter(|(_, o, _)| *o > world.now)
            .min_by_key(|(_, o, _)| *o)
    };
    let (id, opens, closes) = open.or_else(next)?;
    Some((format!("{id}: window"), opens, closes))
}

/// The newest notice, over the lines above the hints as far as it needs them.
pub(super) fn notice(desk: &Desk, world: World<'_>, parts: layout::Frame, buffer: &mut Buffer) {
    if parts.notice.is_empty() {
        return;
    }
    let theme = desk.theme();
    let Some((role, glyph, text)) = newest(desk, world) else {
        return;
    };
    let cols = usize::from(parts.notice.width.saturating_sub(4));
    // what stands until it is mended must not hide what it is about
    let standing = desk.news(world.now).is_none();
    let most = if standing { 2 } else { 4 };
    let most = usize::from((parts.body.height / 2).clamp(1, most));
    let mut lines: Vec<String> = wrap(&text, cols.max(1))
        .into_iter()
        .map(str::to_owned)
        .collect();
    if lines.len() > most {
        lines.truncate(most);
        cut(lines.last_mut(), cols);
    }
    let rows = u16::try_from(lines.len()).unwrap_or(1);
    let area = Rect {
        y: parts.notice.bottom().saturating_sub(rows),
        height: rows,
        ..parts.notice
    };
    fill(buffer, area, theme, Role::Text);
    for (n, (y, line)) in (area.y..).zip(lines).enumerate() {
        let mut pen = Pen::new(
            buffer,
            theme,
            Rect {
                y,
                height: 1,
                ..area
            },
        );
        pen.skip(1);
        if n == 0 {
            pen.glyph(role, glyph).skip(1);
        } else {
            pen.skip(2);
        }
        pen.text(role, &line);
    }
}

/// A line behind which more was to come: it ends where its last word ends that leaves room to say so.
fn cut(line: Option<&mut String>, cols: usize) {
    let Some(line) = line else { return };
    while width(line) + 2 > cols {
        match line.rfind(' ') {
            Some(at) => line.truncate(at),
            None => break,
        }
    }
    line.push_str(" …");
}

/// How long an answer may take before the wait is told.
const PATIENCE: Span = Span::secs(1);

fn newest(desk: &Desk, world: World<'_>) -> Option<(Role, Glyph, String)> {
    let late = desk
        .sent
        .values()
        .filter(|sent| world.now.since(sent.at) >= PATIENCE)
        .min_by_key(|sent| sent.at);
    if let Some(sent) = late {
        let text = format!(
            "{}: asked {} ago, not written down yet",
            sent.what,
            world.now.since(sent.at)
        );
        return Some((Role::NoticeWarning, Glyph::Moving, text));
    }
    if let Some(told) = desk.news(world.now) {
        return Some(worded(&told.notice));
    }
    let alerts = &world.live.alerts;
    let alert = alerts.iter().rev().max_by_key(|a| a.level)?;
    let (role, glyph, text) = worded(alert);
    let alike = alerts
        .iter()
        .filter(|other| other.code == alert.code)
        .count()
        - 1;
    // one cluster that is away silences many targets: they are told once
    let told = match alert.place.as_deref().filter(|_| alike > 0) {
        Some(place) if text.starts_with(place) => {
            let rest = text.get(place.len()..).unwrap_or_default();
            format!("{place} and {alike} more{rest}")
        }
        _ => text,
    };
    Some((role, glyph, told))
}

/// A notice on a line: its role, its sign, its words.
pub(super) fn worded(notice: &Notice) -> (Role, Glyph, String) {
    let (role, glyph) = match notice.level {
        _ if notice.code == "asks-you" => (Role::NoticeWarning, Glyph::Waits),
        Level::Error => (Role::NoticeError, Glyph::Failed),
        Level::Warning => (Role::NoticeWarning, Glyph::Alert),
        Level::Info => (Role::NoticeInfo, Glyph::Done),
    };
    let mut text = String::new();
    if let Some(place) = &notice.place
        && !notice.headline.starts_with(place.as_str())
    {
        text = format!("{place}: ");
    }
    text.push_str(&notice.headline);
    for more in [&notice.detail, &notice.next_step] {
        if !more.is_empty() {
            text.push_str("; ");
            text.push_str(more);
        }
    }
    (role, glyph, text)
}
