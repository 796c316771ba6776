//! All releases at a glance: what each waits for and on whom, sorted by who has to act.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::domain::ReleaseId;
use crate::domain::ladder::{Mark, Rung, Station, back_to, rungs};
use crate::domain::plan::Kind;
use crate::domain::release::{Phase, Release};
use crate::domain::waiting::{Group, Waiting};

use super::super::desk::Desk;
use super::super::dialog::effect::{window, window_words};
use super::super::dialog::palette::matches;
use super::super::glyph::Glyph;
use super::super::layout::{self, TIGHT, WIDE};
use super::super::order::{Row, Spot};
use super::super::rich::{self, Line};
use super::super::say;
use super::super::theme::Role;
use super::super::widgets::text::{fill, rule};
use super::super::widgets::{Pen, width};
use super::super::world::World;
use super::row::{Columns, Shown, status};
use super::{closed, rollout};

/// Releases whose words the columns are measured by.
const MEASURED: usize = 400;

const fn title(group: Group) -> &'static str {
    match group {
        Group::NeedsYou => "NEEDS YOU",
        Group::Moving => "MOVING",
        Group::Observed => "OBSERVED",
        Group::Waiting => "WAITING",
    }
}

impl Desk {
    /// The lines of the releases screen.
    pub(in crate::tui) fn rows(&self, world: World<'_>, cols: u16) -> Vec<Row> {
        let filter = self.filters.get(&super::super::desk::Screen::Releases);
        let filter = filter.map_or("", |f| f.trim());
        let two = cols < TIGHT;
        let places: Vec<(ReleaseId, Group)> = self
            .order
            .places()
            .iter()
            .copied()
            .filter(|(id, _)| filter.is_empty() || matches(&words(world, *id), filter))
            .collect();
        let mut rows = Vec::with_capacity(places.len() + 6);
        let mut before = None;
        for (id, group) in &places {
            if before != Some(*group) {
                let count = places.iter().filter(|(_, g)| g == group).count();
                rows.push(Row::Head(*group, count));
                before = Some(*group);
            }
            rows.push(Row::Release(*id));
            if two && world.release(*id).is_some() {
                rows.push(Row::Second(*id));
            }
        }
        // what is closed but keeps its place until the pause is not shown twice
        let closed: Vec<ReleaseId> = self
            .order
            .closed()
            .iter()
            .copied()
            .filter(|id| !places.iter().any(|(place, _)| place == id))
            .filter(|id| filter.is_empty() || matches(&words(world, *id), filter))
            .collect();
        if !closed.is_empty() {
            rows.push(Row::ClosedHead(closed.len()));
            if self.closed_shown || !filter.is_empty() {
                rows.extend(closed.into_iter().map(Row::Closed));
            }
        }
        rows
    }
}

/// What a filter looks into.
fn words(world: World<'_>, id: ReleaseId) -> String {
    if let Some(release) = world.release(id) {
        let waiting = world.waiting(release);
        return format!(
            "{id} {} {} {} {} {} {} {} {}",
            release.subject(),
            release.plan.environment,
            release.plan.title,
            release.plan.kind.word(),
            waiting.word,
            waiting.what,
            waiting.on.words(),
            release.submitter
        );
    }
    world.closed(id).map_or_else(String::new, |s| {
        format!(
            "{id} {} {} {} {}",
            s.subject(),
            s.environment,
            s.title,
            s.ending.words()
        )
    })
}

pub(super) fn paint(desk: &Desk, world: World<'_>, body: Rect, buffer: &mut Buffer) {
    let rows = desk.rows(world, body.width);
    let parts = layout::releases(body, rows.len());
    if rows.is_empty() {
        empty(desk, world, body, buffer);
        return;
    }
    list(desk, world, &rows, parts.list, buffer);
    rule(buffer, parts.rule, desk.theme());
    let area = Rect {
        // a column of air at the right
        width: parts.detail.width.saturating_sub(1),
        ..parts.detail
    };
    let lines = match desk.spot {
        Some(Spot::Release(id)) => detail(desk, world, id, area),
        Some(Spot::ClosedHead) | None => Vec::new(),
    };
    rich::paint(&lines, buffer, area, desk.theme());
}

fn list(desk: &Desk, world: World<'_>, rows: &[Row], area: Rect, buffer: &mut Buffer) {
    // a column of air at the right, which the cursor's ground fills
    let ground = area;
    let area = Rect {
        width: area.width.saturating_sub(1),
        ..area
    };
    let theme = desk.theme();
    let view = desk.rows.view(rows.len(), usize::from(area.height));
    let measured = || {
        let places = desk.order.places().iter().take(MEASURED);
        places.filter_map(|(id, _)| world.release(*id))
    };
    let columns = Columns::of(world, measured, area.width);
    let mut group = Group::Waiting;
    for row in &rows[..view.start] {
        if let Row::Head(head, _) = row {
            group = *head;
        }
    }
    for (y, row) in (area.y..area.bottom()).zip(&rows[view]) {
        let line = Rect {
            y,
            height: 1,
            ..area
        };
        let on_it = match row {
            Row::Second(id) => desk.spot == Some(Spot::Release(*id)),
            other => other.spot().is_some() && other.spot() == desk.spot,
        };
        if on_it {
            fill(
                buffer,
                Rect {
                    width: ground.width,
                    ..line
                },
                theme,
                Role::RowCursor,
            );
        }
        let shown = Shown {
            desk,
            world,
            cursor: on_it,
            columns,
        };
        match row {
            Row::Head(head, count) => {
                group = *head;
                let mut pen = Pen::new(buffer, theme, line);
                pen.skip(1).text(Role::Heading, title(*head));
                pen.skip(1).text(Role::Dim, &count.to_string());
            }
            Row::ClosedHead(count) => {
                let mut pen = Pen::new(buffer, theme, line);
                if on_it {
                    pen.glyph(Role::Strong, Glyph::Cursor);
                } else {
                    pen.skip(1);
                }
                pen.text(Role::Heading, "CLOSED TODAY").skip(1);
                pen.text(Role::Dim, &count.to_string()).skip(2);
                let words = if desk.closed_shown {
                    "enter hides them"
                } else {
                    "enter shows them"
                };
                pen.text(Role::Dim, words);
            }
            Row::Release(id) | Row::Second(id) | Row::Closed(id) => {
                release(shown, *row, *id, group, buffer, line);
            }
        }
    }
}

fn release(
    shown: Shown<'_>,
    row: Row,
    id: ReleaseId,
    group: Group,
    buffer: &mut Buffer,
    line: Rect,
) {
    let world = shown.world;
    match (world.release(id), world.closed(id)) {
        (Some(release), _) => match row {
            Row::Second(_) => shown.second(release, buffer, line),
            _ if line.width + 1 >= WIDE => shown.wide(release, group, buffer, line),
            _ if line.width + 1 >= TIGHT => shown.narrow(release, buffer, line),
            _ => shown.first(release, buffer, line),
        },
        (None, Some(summary)) if row != Row::Second(id) => shown.closed(summary, buffer, line),
        _ => {}
    }
}

/// What a new room shows, or one without anything to do.
fn empty(desk: &Desk, world: World<'_>, body: Rect, buffer: &mut Buffer) {
    let filter = desk.filter().trim();
    let lines = if filter.is_empty() {
        let room = &world.state.charter.room;
        vec![
            Line::of(Role::Strong, format!("No release is open in {room}.")),
            Line::new(),
            Line::of(
                Role::Text,
                "A pipeline or a person submits a plan, and it shows here at once:",
            ),
            Line::new(),
            Line::of(Role::Key, "  holdpoint release submit plan.yaml"),
            Line::new(),
            Line::of(
                Role::Dim,
                "`holdpoint check plan.yaml` tells beforehand what is wrong with a plan,",
            ),
            Line::of(
                Role::Dim,
                "`holdpoint release submit --dry-run plan.yaml` what would become of it.",
            ),
        ]
    } else {
        vec![Line::of(
            Role::Dim,
            format!("Nothing matches `{filter}`: esc shows all."),
        )]
    };
    let wide = lines.iter().map(Line::width).max().unwrap_or(0);
    let wide = u16::try_from(wide).unwrap_or(u16::MAX).min(body.width);
    let high = u16::try_from(lines.len())
        .unwrap_or(u16::MAX)
        .min(body.height);
    let area = Rect {
        x: body.x + (body.width - wide) / 2,
        y: body.y + (body.height - high) / 3,
        width: wide,
        height: high,
    };
    rich::paint(&lines, buffer, area, desk.theme());
}

/// What is under the cursor, in as many lines as there are.
fn detail(desk: &Desk, world: World<'_>, id: ReleaseId, area: Rect) -> Vec<Line> {
    if area.height == 0 {
        return Vec::new();
    }
    let Some(release) = world.release(id) else {
        return world
            .closed(id)
            .map(|summary| closed::lines(desk, world, summary, area.width))
            .unwrap_or_default();
    };
    let waiting = world.waiting(release);
    let mut lines = Vec::new();
    let height = usize::from(area.height);
    if height >= 6 {
        lines.push(head(desk, world, release, area.width));
    }
    if height >= 3 {
        let rows = match height {
            0..6 => 1,
            6..15 => height - 4,
            _ => 6,
        };
        let role = status(release, &waiting);
        lines.extend(folded(desk, release, role, area.width, rows));
    }
    if height >= 9 {
        lines.push(Line::new());
    }
    let told = sentence(desk, world, release, &waiting, area.width);
    let room = height.saturating_sub(lines.len());
    lines.extend(shortened(told, room));
    let left = height.saturating_sub(lines.len() + 1);
    if left >= 4 {
        lines.push(Line::new());
        lines.extend(rollout::trail(desk, world, release, area.width, left));
    }
    lines.truncate(height);
    lines
}

/// A sentence in so many lines; its end, who has to act and until when, is always there.
fn shortened(mut told: Vec<Line>, room: usize) -> Vec<Line> {
    if told.len() <= room || room < 2 {
        told.truncate(room);
        return told;
    }
    let end = told.pop();
    told.truncate(room - 1);
    if let Some(cut) = told.pop() {
        told.push(cut.text(Role::Strong, " …"));
    }
    told.extend(end);
    told
}

/// `R-214 payments 4.12.0 → prod-eu`, and what goes with it.
pub(super) fn head(desk: &Desk, world: World<'_>, release: &Release, cols: u16) -> Line {
    let arrow = desk.theme().glyph(Glyph::Arrow);
    let mut line = Line::new().gap(1).text(
        Role::Strong,
        format!(
            "{} {} {arrow} {}",
            release.id,
            release.subject(),
            release.plan.environment
        ),
    );
    let mut facts: Vec<(Role, String)> = Vec::new();
    if let [one] = back_to(release).as_slice() {
        facts.push((Role::Old, format!("was {one}")));
    }
    if release.phase == Phase::RollingBack {
        facts.push((Role::StatusBad, "ROLLING BACK".to_owned()));
    }
    if release.paused.is_some() {
        facts.push((Role::StatusPerson, "PAUSED".to_owned()));
    }
    if release.plan.kind != Kind::Normal {
        let role = if release.plan.kind == Kind::Emergency {
            Role::StatusBad
        } else {
            Role::Dim
        };
        facts.push((role, release.plan.kind.word().to_owned()));
    }
    if let Some(con) = &release.con {
        facts.push((Role::Text, format!("con: {}", world.person(con))));
    }
    if release.phase != Phase::Waiting
        && let Some((opens, closes)) = window(release)
    {
        let (role, words) = window_words(opens, closes, world.now);
        facts.push((role, format!("window {words}")));
    }
    let age = say::age(world.now.since(release.submitted));
    let by = world.person(&release.submitter);
    facts.push((Role::Dim, format!("submitted by {by} {age} ago")));
    let mut used = line.width();
    for (role, text) in facts {
        used += 3 + width(&text);
        if used > usize::from(cols) {
            break;
        }
        line = line.gap(3).text(role, text);
    }
    line
}

/// The sign of a mark on the ladder, and how it is painted.
pub(super) const fn sign(mark: Mark) -> (Role, Glyph) {
    match mark {
        Mark::Done => (Role::StatusGood, Glyph::Done),
        Mark::Here => (Role::StatusMoving, Glyph::Here),
        Mark::Failed => (Role::StatusBad, Glyph::Failed),
        Mark::Back => (Role::StatusBad, Glyph::Back),
        Mark::NotReached => (Role::StatusHistory, Glyph::NotReached),
        Mark::ToCome => (Role::Dim, Glyph::ToCome),
    }
}

/// The ladder folded into a few lines. Where there is no room for all, what is done goes first.
/// `role` is how it is painted where it stands.
fn folded(desk: &Desk, release: &Release, role: Role, cols: u16, rows: usize) -> Vec<Line> {
    let all = rungs(release);
    let mut skip = 0;
    loop {
        let lines = chips(desk, &all, role, skip, cols);
        if lines.len() <= rows || skip >= all.len() {
            return lines.into_iter().take(rows).collect();
        }
        let done = all.get(skip).is_some_and(|r| r.mark == Mark::Done);
        if !done {
            // nothing more can be left out at the front: the end is cut
            return lines.into_iter().take(rows).collect();
        }
        skip += 1;
    }
}

fn chips(desk: &Desk, all: &[Rung<'_>], here: Role, skip: usize, cols: u16) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut line = Line::new().gap(2);
    let mut used = 2;
    let room = usize::from(cols.saturating_sub(1));
    if skip > 0 {
        let text = format!("{} {skip} behind   ", desk.theme().glyph(Glyph::Done));
        used += width(&text);
        line = line.text(Role::StatusGood, text);
    }
    for rung in &all[skip.min(all.len())..] {
        let (role, glyph) = match sign(rung.mark) {
            (_, glyph) if rung.mark == Mark::Here => (here, glyph),
            other => other,
        };
        let name = match rung.station {
            Station::Hold(hold) => match &hold.kind {
                crate::domain::HoldKind::Bake { span } => format!("bake {span}"),
                crate::domain::HoldKind::Observe { span, .. } => format!("observe {span}"),
                _ => say::hold_name(hold).to_owned(),
            },
            Station::Batch(n, batch) => format!("{} {}", n + 1, batch.name),
        };
        let text_role = match rung.mark {
            Mark::Done => Role::Text,
            Mark::Here | Mark::Failed | Mark::Back => role,
            Mark::NotReached | Mark::ToCome => Role::Dim,
        };
        let cells = 2 + width(&name) + 3;
        if used + cells > room + 3 && used > 2 {
            lines.push(std::mem::take(&mut line).gap(0));
            line = Line::new().gap(2);
            used = 2;
        }
        line = line.sign(role, glyph).gap(1).text(text_role, name).gap(3);
        used += cells;
    }
    lines.push(line);
    lines
}

/// What it waits for, on whom, since when, until when, and what happens then.
pub(super) fn sentence(
    desk: &Desk,
    world: World<'_>,
    release: &Release,
    waiting: &Waiting,
    cols: u16,
) -> Vec<Line> {
    let role = status(release, waiting);
    let glyph = match role {
        Role::StatusBad => Glyph::Failed,
        Role::StatusPerson => Glyph::Waits,
        _ => Glyph::Here,
    };
    let lead = Line::new()
        .gap(2)
        .sign(role, glyph)
        .gap(1)
        .text(role, waiting.word)
        .text(role, ": ");
    let indent = u16::try_from(lead.width()).unwrap_or(4);
    let room = cols.saturating_sub(indent);
    let mut wrapped = Line::wrapped(Role::Strong, &waiting.what, 0, room).into_iter();
    let first = wrapped.next().map(|line| line.words()).unwrap_or_default();
    let mut lines = vec![lead.text(Role::Strong, first)];
    lines.extend(wrapped.map(|line| Line::new().gap(indent).text(Role::Strong, line.words())));
    let now = world.now;
    let since = say::when(waiting.since, now, desk.zone);
    let mut words = if cols >= TIGHT {
        let on = super::trails::on_words(world, &waiting.on);
        format!(
            "waits on {on} since {since} ({})",
            say::age(now.since(waiting.since))
        )
    } else {
        format!("on {} since {since}", waiting.on.words())
    };
    if let Some(until) = waiting.until {
        words.push_str(&format!(
            "; at {} it {}",
            say::when(until, now, desk.zone),
            waiting.then
        ));
    } else if waiting.trouble && release.hold().is_some_and(|h| h.open().is_some()) {
        words.push_str("; its deadline is over, it holds on");
    }
    lines.push(Line::new().gap(4).text(Role::Dim, words));
    lines
}
