//! The metrics of one release: the new version against the old one, look by look, and what the judge
//! says of them.

mod detail;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::domain::live::Chart as Looks;
use crate::domain::release::Release;
use crate::domain::{Call, MetricName, ServiceName};

use super::super::desk::Desk;
use super::super::glyph::Glyph;
use super::super::judged;
use super::super::layout::{self, Split, WIDE};
use super::super::rich::{self, Line};
use super::super::say;
use super::super::theme::{Role, Theme};
use super::super::widgets::text::{fill, rule};
use super::super::widgets::{Pen, spark};
use super::super::world::World;
use super::{grounds, releases};

/// Cells that a sentence needs to be worth showing.
const SENTENCE: usize = 24;
/// From this many lines on, the judge's line may take two.
const ROOMY: u16 = 24;

/// The metrics that are looked at.
pub(in crate::tui) fn names(desk: &Desk, world: World<'_>) -> Vec<(ServiceName, MetricName)> {
    looks(desk, world).iter().map(key).collect()
}

fn key(look: &Looks) -> (ServiceName, MetricName) {
    (look.service.clone(), look.metric.clone())
}

/// The metric that looks worst, the first one where none looks bad: what is in shadow last. That there is no
/// data yet, or no certainty, is how each of them begins.
pub(in crate::tui) fn worst(desk: &Desk, world: World<'_>) -> Option<usize> {
    let rank = |call| match call {
        Call::Fail => 0,
        Call::Hold => 1,
        Call::NoData | Call::Undecided | Call::Pass => 2,
    };
    let looks = looks(desk, world);
    (0..looks.len()).min_by_key(|n| {
        let look = &looks[*n];
        (look.judged.shadow, !look.judged.blamed, rank(look.call))
    })
}

fn looks<'a>(desk: &Desk, world: World<'a>) -> &'a [Looks] {
    desk.subject
        .and_then(|id| world.live.charts.get(&id))
        .map_or(&[], |charts| charts.as_slice())
}

/// Which of the metrics the cursor is on.
fn at(desk: &Desk, looks: &[Looks]) -> usize {
    let on_it = |look: &Looks| {
        let chosen = desk.metric.as_ref();
        chosen.is_some_and(|(service, metric)| look.service == *service && look.metric == *metric)
    };
    looks.iter().position(on_it).unwrap_or(0)
}

/// The parts of the screen, and what the judge says above the list.
fn parts(desk: &Desk, world: World<'_>, body: Rect) -> (Split, Vec<Line>) {
    let release = desk.subject.and_then(|id| world.release(id));
    let most = match body.height {
        0..12 => 0,
        12..ROOMY => 1,
        _ => 2,
    };
    // where it has one line, it is cut
    let cols = match most {
        1 => u16::MAX,
        _ => body.width.saturating_sub(2),
    };
    let mut said =
        release.map_or_else(Vec::new, |release| grounds::judge(world, release, "", cols));
    said.truncate(most);
    let above = 2 + u16::try_from(said.len()).unwrap_or(0);
    (layout::metrics(body, looks(desk, world).len(), above), said)
}

/// Where the rows of the list stand.
pub(in crate::tui) fn rows(desk: &Desk, world: World<'_>, body: Rect) -> Rect {
    let (parts, said) = parts(desk, world, body);
    rows_in(parts.list, said.len())
}

/// The rows beneath the head, so many lines of the judge, and the titles of the columns.
fn rows_in(list: Rect, said: usize) -> Rect {
    let above = u16::try_from(said).unwrap_or(u16::MAX).saturating_add(2);
    let above = above.min(list.height);
    Rect {
        y: list.y + above,
        height: list.height - above,
        ..list
    }
}

/// Which metric stands in the first of these rows.
pub(in crate::tui) fn first(desk: &Desk, world: World<'_>, rows: Rect) -> usize {
    let at = at(desk, looks(desk, world));
    (at + 1).saturating_sub(usize::from(rows.height))
}

pub(super) fn paint(desk: &Desk, world: World<'_>, body: Rect, buffer: &mut Buffer) {
    let theme = desk.theme();
    let Some(release) = desk.subject.and_then(|id| world.release(id)) else {
        let words = match desk.subject.and_then(|id| world.closed(id)) {
            Some(summary) => format!(
                "{} is closed: nothing looks at its metrics any more.",
                summary.id
            ),
            None => "No release is chosen: choose one on the releases screen.".to_owned(),
        };
        Line::new()
            .gap(1)
            .text(Role::Dim, words)
            .paint(buffer, body, theme);
        return;
    };
    let looks = looks(desk, world);
    let (parts, said) = parts(desk, world, body);
    releases::head(desk, world, release, body.width).paint(buffer, parts.list, theme);
    let under = Rect {
        x: body.x + 1,
        y: body.y + 1,
        width: body.width.saturating_sub(1),
        height: body.height.saturating_sub(1),
    };
    rich::paint(&said, buffer, under, theme);
    if looks.is_empty() {
        let above = u16::try_from(said.len()).unwrap_or(0);
        nothing(desk, world, release, body, 2 + above, buffer);
        return;
    }
    let rows = rows_in(parts.list, said.len());
    columns(desk, rows, buffer);
    let at = at(desk, looks);
    let first = first(desk, world, rows);
    for (n, (y, look)) in (rows.y..rows.bottom()).zip(&looks[first..]).enumerate() {
        let line = Rect {
            y,
            height: 1,
            ..rows
        };
        let name = judged::name(look, looks);
        row(desk, look, &name, first + n == at, line, buffer);
    }
    rule(buffer, parts.rule, theme);
    let others: Vec<&Looks> = (1..looks.len())
        .map(|n| &looks[(at + n) % looks.len()])
        .collect();
    let (large, small) = beside(parts.detail, others.len());
    let shown = |look| detail::Shown::new(desk, world, look, judged::name(look, looks));
    shown(&looks[at]).paint(large, buffer);
    for (look, area) in others.into_iter().zip(small) {
        shown(look).paint(area, buffer);
    }
}

/// Where the chart of the metric under the cursor goes, and those of the others beside it, where
/// there is room.
fn beside(area: Rect, others: usize) -> (Rect, Vec<Rect>) {
    const LEAST: u16 = 12;
    if area.width < 130 || others == 0 || area.height < LEAST {
        return (area, Vec::new());
    }
    let width = area.width * 3 / 5;
    let large = Rect { width, ..area };
    let count = u16::try_from(others)
        .unwrap_or(u16::MAX)
        .min(area.height / LEAST);
    let height = (area.height / count.max(1)).min(18);
    let small = (0..count)
        .map(|n| Rect {
            x: area.x + width + 2,
            width: area.width - width - 2,
            y: area.y + n * height,
            height: height - u16::from(count > 1),
        })
        .collect();
    (large, small)
}

/// Why there is nothing to be seen, so many lines below the top.
fn nothing(
    desk: &Desk,
    world: World<'_>,
    release: &Release,
    body: Rect,
    above: u16,
    buffer: &mut Buffer,
) {
    let waits = release.touched().next().is_none();
    let words = if waits {
        "No look was taken yet: they begin with the first call."
    } else if release.plan.services.iter().all(|s| {
        world
            .state
            .charter
            .services
            .get(&s.service)
            .is_none_or(|c| c.metrics.is_empty())
    }) {
        "The services of this release have no metrics: catalog.toml can name some."
    } else {
        "No look was taken yet."
    };
    let line = Rect {
        y: body.y.saturating_add(above),
        height: body.height.saturating_sub(above).min(1),
        ..body
    };
    Line::new()
        .gap(1)
        .text(Role::Dim, words)
        .paint(buffer, line, desk.theme());
}

/// The widths of the columns: name, value, the looks in short.
const fn widths(cols: u16) -> (usize, usize, usize) {
    if cols >= WIDE {
        (23, 11, 16)
    } else if cols >= 76 {
        (16, 9, 7)
    } else {
        (12, 9, 0)
    }
}

/// The cells of a column for evidence, with the blanks before it.
const EVIDENCE: usize = 12;

/// The titles of the columns, in the line above the rows.
fn columns(desk: &Desk, rows: Rect, buffer: &mut Buffer) {
    if rows.y == 0 {
        return;
    }
    let line = Rect {
        y: rows.y - 1,
        height: 1,
        ..rows
    };
    let (name, value, looks) = widths(rows.width);
    let mut pen = Pen::new(buffer, desk.theme(), line);
    pen.skip(3)
        .left(Role::Dim, "metric", name)
        .skip(1)
        .left(Role::Dim, "verdict", 11)
        .right(Role::New, "new", value)
        .right(Role::Old, "old", value)
        .right(Role::Dim, "times", 7);
    if looks > 0 {
        pen.right(Role::Dim, "evidence", EVIDENCE).skip(2);
        pen.left(Role::Dim, "looks", looks).skip(2);
        if pen.room() >= SENTENCE {
            pen.text(Role::Dim, "what was seen");
        }
    }
}

fn row(desk: &Desk, look: &Looks, called: &str, on_it: bool, line: Rect, buffer: &mut Buffer) {
    let theme = desk.theme();
    if on_it {
        fill(buffer, line, theme, Role::RowCursor);
    }
    let (name, value, looks) = widths(line.width);
    let (status, glyph) = say::verdict(look.call);
    // what acts on nothing is not painted as if it did
    let role = match look.judged.shadow {
        true => Role::Dim,
        false => status.role(),
    };
    let last = look.points.last();
    let now_new = last.and_then(|p| p.canary);
    let now_old = last.and_then(|p| p.baseline);
    let told = |v: Option<f64>| v.map_or_else(|| "–".to_owned(), |v| say::value(look.unit, v));
    let mut pen = Pen::new(buffer, theme, line);
    if on_it {
        pen.glyph(Role::Strong, Glyph::Cursor);
    } else {
        pen.skip(1);
    }
    match (look.judged.shadow, look.judged.blamed) {
        (true, _) => pen.glyph(Role::Dim, Glyph::Shadow),
        (false, true) => pen.glyph(role, Glyph::Blamed),
        (false, false) => pen.skip(1),
    };
    pen.skip(1)
        .left(Role::Strong, called, name)
        .skip(1)
        .glyph(role, glyph)
        .skip(1)
        .left(role, look.call.word(), 9)
        .right(Role::New, &told(now_new), value)
        .right(Role::Old, &told(now_old), value);
    let times = match (now_new, now_old) {
        (Some(new), Some(old)) if old > 0.0 && new.is_finite() => times(new / old),
        _ => String::new(),
    };
    pen.right(Role::Text, &times, 7);
    if looks == 0 {
        return;
    }
    let evidence = judged::to_one_short(look.judged.evidence);
    let strong = look.judged.evidence >= 3.0 && !look.judged.shadow;
    let evidence_role = if strong { role } else { Role::Dim };
    pen.right(evidence_role, &evidence, EVIDENCE).skip(2);
    pen.left(role, &in_short(look, looks, theme), looks).skip(2);
    if pen.room() >= SENTENCE {
        if look.judged.shadow {
            pen.text(Role::Dim, judged::may(&look.judged)).skip(2);
        } else if look.judged.blamed {
            pen.text(role, "to blame").skip(2);
        }
        pen.text(Role::Text, judged::seen(look));
    }
}

/// The last looks at the new version as tiny bars.
fn in_short(look: &Looks, looks: usize, theme: &Theme) -> String {
    let last = &look.points[look.points.len().saturating_sub(looks)..];
    let shown: Vec<Option<f64>> = last.iter().map(|p| p.canary).collect();
    let most = shown.iter().flatten().copied().fold(0.0, f64::max);
    // from zero, with air above: what is steady is a low line, what rises is seen to rise
    let top = look
        .limit
        .filter(|l| *l < most * 4.0)
        .unwrap_or(0.0)
        .max(most * 2.0);
    spark(&shown, looks, Some(top), theme)
}

/// `2.1x`.
fn times(ratio: f64) -> String {
    if ratio >= 100.0 {
        ">99x".to_owned()
    } else {
        format!("{ratio:.2}x")
    }
}
