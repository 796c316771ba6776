//! The metrics of one release: the new version against the old one, look by look.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::domain::live::Chart as Looks;
use crate::domain::release::Release;
use crate::domain::{Call, MetricName, Span, Timestamp};

use super::super::desk::Desk;
use super::super::glyph::Glyph;
use super::super::layout::{self, WIDE};
use super::super::rich::Line;
use super::super::say;
use super::super::theme::Role;
use super::super::widgets::text::{fill, rule, wrap};
use super::super::widgets::{Chart, Pen, Series, spark};
use super::super::world::World;
use super::releases;

/// Cells that a sentence needs to be worth showing.
const SENTENCE: usize = 24;
/// Looks further apart than this are not joined by a line.
const JOIN: f64 = 90.0;

/// The metrics that are looked at.
pub(in crate::tui) fn names(desk: &Desk, world: World<'_>) -> Vec<MetricName> {
    looks(desk, world)
        .iter()
        .map(|look| look.metric.clone())
        .collect()
}

/// The metric that looks worst, if one does.
pub(in crate::tui) fn worst(desk: &Desk, world: World<'_>) -> Option<usize> {
    let rank = |call| match call {
        Call::Fail => 0,
        Call::NoData => 1,
        Call::Hold => 2,
        Call::Undecided => 3,
        Call::Pass => 4,
    };
    let looks = looks(desk, world);
    (0..looks.len()).min_by_key(|n| rank(looks[*n].call))
}

fn looks<'a>(desk: &Desk, world: World<'a>) -> &'a [Looks] {
    desk.subject
        .and_then(|id| world.live.charts.get(&id))
        .map_or(&[], |charts| charts.as_slice())
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
    let parts = layout::metrics(body, looks.len());
    releases::head(desk, world, release, body.width).paint(buffer, parts.list, theme);
    if looks.is_empty() {
        nothing(desk, world, release, body, buffer);
        return;
    }
    columns(desk, parts.list, buffer);
    let at = looks
        .iter()
        .position(|look| Some(&look.metric) == desk.metric.as_ref())
        .unwrap_or(0);
    let lines = usize::from(parts.list.height.saturating_sub(2));
    let first = (at + 1).saturating_sub(lines);
    for (n, (y, look)) in (parts.list.y + 2..parts.list.bottom())
        .zip(&looks[first..])
        .enumerate()
    {
        let line = Rect {
            y,
            height: 1,
            ..parts.list
        };
        row(desk, look, first + n == at, line, buffer);
    }
    rule(buffer, parts.rule, theme);
    let others: Vec<&Looks> = (1..looks.len())
        .map(|n| &looks[(at + n) % looks.len()])
        .collect();
    let (large, small) = beside(parts.detail, others.len());
    detail(desk, world, &looks[at], large, buffer);
    for (look, area) in others.into_iter().zip(small) {
        detail(desk, world, look, area, buffer);
    }
}

/// Where the chart of the metric under the cursor goes, and those of the others beside it, where
/// there is room.
fn beside(area: Rect, others: usize) -> (Rect, Vec<Rect>) {
    const LEAST: u16 = 9;
    if area.width < 130 || others == 0 || area.height < LEAST {
        return (area, Vec::new());
    }
    let width = area.width * 3 / 5;
    let large = Rect { width, ..area };
    let count = u16::try_from(others)
        .unwrap_or(u16::MAX)
        .min(area.height / LEAST);
    let height = (area.height / count.max(1)).min(14);
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

fn nothing(desk: &Desk, world: World<'_>, release: &Release, body: Rect, buffer: &mut Buffer) {
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
        y: body.y.saturating_add(2),
        height: body.height.saturating_sub(2).min(1),
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
        (22, 11, 24)
    } else if cols >= 76 {
        (16, 9, 10)
    } else {
        (12, 9, 0)
    }
}

fn columns(desk: &Desk, area: Rect, buffer: &mut Buffer) {
    if area.height < 2 {
        return;
    }
    let line = Rect {
        y: area.y + 1,
        height: 1,
        ..area
    };
    let (name, value, looks) = widths(area.width);
    let mut pen = Pen::new(buffer, desk.theme(), line);
    pen.skip(2)
        .left(Role::Dim, "metric", name)
        .skip(1)
        .left(Role::Dim, "verdict", 11)
        .right(Role::New, "new", value)
        .right(Role::Old, "old", value)
        .right(Role::Dim, "times", 7)
        .skip(2);
    if looks > 0 {
        pen.left(Role::Dim, "looks", looks).skip(2);
        if pen.room() >= SENTENCE {
            pen.text(Role::Dim, "what was seen");
        }
    }
}

/// The newest value that was read, and when.
fn newest(
    look: &Looks,
    of: impl Fn(&crate::domain::live::Point) -> Option<f64>,
) -> Option<(f64, Timestamp)> {
    look.points
        .iter()
        .rev()
        .find_map(|point| of(point).filter(|v| v.is_finite()).map(|v| (v, point.at)))
}

fn row(desk: &Desk, look: &Looks, on_it: bool, line: Rect, buffer: &mut Buffer) {
    let theme = desk.theme();
    if on_it {
        fill(buffer, line, theme, Role::RowCursor);
    }
    let (name, value, looks) = widths(line.width);
    let (status, glyph) = say::verdict(look.call);
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
    pen.skip(1)
        .left(Role::Strong, look.metric.as_str(), name)
        .skip(1)
        .glyph(status.role(), glyph)
        .skip(1)
        .left(status.role(), look.call.word(), 9)
        .right(Role::New, &told(now_new), value)
        .right(Role::Old, &told(now_old), value);
    let times = match (now_new, now_old) {
        (Some(new), Some(old)) if old > 0.0 && new.is_finite() => times(new / old),
        _ => String::new(),
    };
    pen.right(Role::Text, &times, 7).skip(2);
    if looks > 0 {
        let values: Vec<Option<f64>> = look.points.iter().map(|p| p.canary).collect();
        let shown = &values[values.len().saturating_sub(looks)..];
        let most = shown.iter().flatten().copied().fold(0.0, f64::max);
        // from zero, with air above: what is steady is a low line, what rises is seen to rise
        let top = look
            .limit
            .filter(|l| *l < most * 4.0)
            .unwrap_or(0.0)
            .max(most * 2.0);
        let short = spark(&values, looks, Some(top), theme);
        pen.left(status.role(), &short, looks).skip(2);
        if pen.room() >= SENTENCE {
            pen.text(Role::Text, &look.words);
        }
    }
}

/// `2.1x`.
fn times(ratio: f64) -> String {
    if ratio >= 100.0 {
        ">99x".to_owned()
    } else {
        format!("{ratio:.2}x")
    }
}

/// How much time a chart shows: as much as was chosen, but not much more than there are looks.
fn shown_span(desk: &Desk, world: World<'_>, look: &Looks) -> Span {
    let first = look.points.first().map_or(world.now, |p| p.at);
    let seen = world.now.since(first);
    desk.span.min(Span(seen.0 * 21 / 20).max(Span::mins(1)))
}

/// The chart of the metric under the cursor, and what it says.
fn detail(desk: &Desk, world: World<'_>, look: &Looks, area: Rect, buffer: &mut Buffer) {
    let theme = desk.theme();
    let head = Rect {
        height: area.height.min(1),
        ..area
    };
    let (status, glyph) = say::verdict(look.call);
    let mut line = Line::new()
        .gap(1)
        .text(Role::Strong, look.metric.to_string())
        .gap(3)
        .sign(status.role(), glyph)
        .gap(1)
        .text(status.role(), look.call.word());
    for (role, name, found) in [
        (Role::New, "new", newest(look, |p| p.canary)),
        (Role::Old, "old", newest(look, |p| p.baseline)),
    ] {
        let words = match found {
            None => format!("{name}: nothing read"),
            Some((value, at)) => {
                let age = world.now.since(at);
                let old = if age > super::super::world::FRESH.max(Span::secs(45)) {
                    format!(", {} old", say::short(age))
                } else {
                    String::new()
                };
                format!("{name} {}{old}", say::value(look.unit, value))
            }
        };
        line = line.gap(3).text(role, words);
    }
    let span = Span::secs(shown_span(desk, world, look).0 / 1000);
    line = line.end(Role::Dim, format!("last {span} "));
    line.paint(buffer, head, theme);
    let words = sentences(look);
    let cols = usize::from(area.width.saturating_sub(2)).max(1);
    let told: Vec<(Role, &str)> = words
        .iter()
        .flat_map(|(role, text)| wrap(text, cols).into_iter().map(|l| (*role, l)))
        .collect();
    let foot = u16::try_from(told.len())
        .unwrap_or(0)
        .min(area.height.saturating_sub(1));
    let plot = Rect {
        x: area.x + 1,
        y: area.y + 1,
        width: area.width.saturating_sub(2),
        height: area.height.saturating_sub(1 + foot),
    };
    chart(desk, world, look, plot, buffer);
    for ((role, text), y) in told.iter().zip(plot.bottom()..area.bottom()) {
        let line = Rect {
            y,
            height: 1,
            ..area
        };
        Pen::new(buffer, theme, line).skip(1).text(*role, text);
    }
}

fn sentences(look: &Looks) -> Vec<(Role, String)> {
    let (status, _) = say::verdict(look.call);
    let missing = look
        .points
        .iter()
        .rev()
        .take_while(|p| p.canary.is_none())
        .count();
    let mut words = vec![(status.role(), look.words.to_string())];
    if missing > 0 && !look.points.is_empty() {
        let text = format!(
            "nothing was read of the new version in the last {}; a gap is drawn, not a zero",
            say::count(missing, "look")
        );
        words.push((Role::StatusUnknown, text));
    }
    if !look.allowed.is_empty() {
        words.push((Role::Dim, format!("allowed: {}", look.allowed)));
    }
    words
}

/// Whether what is allowed lies so far above what was measured that a chart with both would show
/// nothing but a flat line.
fn far_limit(look: &Looks, now: Timestamp, seconds: f64) -> bool {
    let shown = look.points.iter().filter(|p| {
        #[expect(clippy::cast_precision_loss, reason = "spans of hours are exact")]
        let age = now.since(p.at).0 as f64 / 1000.0;
        age <= seconds
    });
    let most = shown
        .flat_map(|p| [p.canary, p.baseline])
        .flatten()
        .filter(|v| v.is_finite())
        .fold(0.0, f64::max);
    look.limit
        .is_some_and(|limit| limit > most * 4.0 && most > 0.0)
}

fn chart(desk: &Desk, world: World<'_>, look: &Looks, area: Rect, buffer: &mut Buffer) {
    let seconds = |at: Timestamp| {
        #[expect(
            clippy::cast_precision_loss,
            reason = "milliseconds of an hour are exact"
        )]
        let ms = at.0.saturating_sub(world.now.0) as f64;
        ms / 1000.0
    };
    let points =
        |of: &dyn Fn(&crate::domain::live::Point) -> Option<f64>| -> Vec<(f64, Option<f64>)> {
            look.points.iter().map(|p| (seconds(p.at), of(p))).collect()
        };
    let (old, new) = (points(&|p| p.baseline), points(&|p| p.canary));
    #[expect(clippy::cast_precision_loss, reason = "spans of hours are exact")]
    let span = shown_span(desk, world, look).0 as f64 / 1000.0;
    let series = [
        Series {
            points: &old,
            role: Role::Old,
            sign: ".",
        },
        Series {
            points: &new,
            role: Role::New,
            sign: "*",
        },
    ];
    let far = far_limit(look, world.now, span);
    let unit = look.unit;
    let moment = |x: f64| {
        if x > -1.0 {
            return "now".to_owned();
        }
        #[expect(clippy::cast_possible_truncation, reason = "within the span")]
        let at = Timestamp(world.now.0 + (x * 1000.0) as i64);
        if span < 600.0 {
            say::clock(at, desk.zone)
        } else {
            say::minute(at, desk.zone)
        }
    };
    let began = desk
        .subject
        .and_then(|id| world.release(id))
        .map(|r| {
            r.batches
                .iter()
                .filter_map(|b| b.began)
                .map(seconds)
                .collect::<Vec<f64>>()
        })
        .unwrap_or_default();
    Chart {
        series: &series,
        span: (-span, 0.0),
        join: JOIN,
        top: None,
        limit: look.limit.filter(|_| !far),
        markers: &began,
        value: &|v| say::scale(unit, v),
        moment: &moment,
    }
    .paint(buffer, area, desk.theme());
}
