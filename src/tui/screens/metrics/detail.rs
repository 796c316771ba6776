//! One metric in full: its values over the looks, within what the new version lies and what is
//! tolerated, and what the judge says of it.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::domain::live::{Chart as Looks, Point};
use crate::domain::{Span, Timestamp};

use super::super::super::desk::Desk;
use super::super::super::glyph::Glyph;
use super::super::super::judged;
use super::super::super::rich::{self, Line};
use super::super::super::say;
use super::super::super::theme::Role;
use super::super::super::widgets::{Band, Chart, Level, Series, multiples, width};
use super::super::super::world::{FRESH, World};

/// Looks further apart than this are not joined by a line.
const JOIN: f64 = 90.0;
/// Below so many lines a chart says nothing.
const LEAST: u16 = 3;
/// From so many lines of chart on, some are spent on the interval alone.
const ROOMY: u16 = 13;

/// A metric to be shown.
pub(super) struct Shown<'a> {
    desk: &'a Desk,
    world: World<'a>,
    look: &'a Looks,
    name: String,
}

/// The newest value that was read, and when.
fn newest(look: &Looks, of: impl Fn(&Point) -> Option<f64>) -> Option<(f64, Timestamp)> {
    look.points
        .iter()
        .rev()
        .find_map(|point| of(point).filter(|v| v.is_finite()).map(|v| (v, point.at)))
}

impl<'a> Shown<'a> {
    /// A metric under the name that it has among the others.
    pub fn new(desk: &'a Desk, world: World<'a>, look: &'a Looks, name: String) -> Shown<'a> {
        Shown {
            desk,
            world,
            look,
            name,
        }
    }

    /// Paints it: how it stands, the chart, the sentence.
    pub fn paint(&self, area: Rect, buffer: &mut Buffer) {
        let theme = self.desk.theme();
        let cols = area.width.saturating_sub(1);
        let mut above = vec![self.head()];
        above.extend(self.standing(cols));
        let below = self.sentences(cols);
        rich::paint(&above, buffer, area, theme);
        let count = |lines: &[Line]| u16::try_from(lines.len()).unwrap_or(u16::MAX);
        let top = count(&above).min(area.height);
        let left = area.height - top;
        let plot = left.saturating_sub(count(&below));
        let plot = if plot < LEAST { 0 } else { plot };
        let at = |y: u16, height: u16| Rect {
            x: area.x + 1,
            y: area.y + y,
            width: cols.saturating_sub(1),
            height,
        };
        let mut chart = plot;
        if let (true, Some(between)) = (plot >= ROOMY, self.interval()) {
            // with air before and behind
            chart -= 4;
            self.multiples(between, at(top + chart + 1, 2), buffer);
        }
        if chart > 0 {
            self.chart(at(top, chart), buffer);
        }
        let rest = Rect {
            y: area.y + top + plot,
            height: left - plot,
            ..area
        };
        rich::paint(&below, buffer, rest, theme);
    }

    /// Its name, the answer, the newest values and how old they are.
    fn head(&self) -> Line {
        let look = self.look;
        let (status, glyph) = say::verdict(look.call);
        let role = match look.judged.shadow {
            true => Role::Dim,
            false => status.role(),
        };
        let mut line = Line::new()
            .gap(1)
            .text(Role::Strong, self.name.clone())
            .gap(3)
            .sign(role, glyph)
            .gap(1)
            .text(role, look.call.word());
        for (role, name, sign, found) in [
            (Role::New, "new", "* ", newest(look, |p| p.canary)),
            (Role::Old, "old", "o ", newest(look, |p| p.baseline)),
        ] {
            let words = match found {
                None => format!("{name}: nothing read"),
                Some((value, at)) => {
                    let age = self.world.now.since(at);
                    let old = if age > FRESH.max(Span::secs(45)) {
                        format!(", {} old", say::short(age))
                    } else {
                        String::new()
                    };
                    format!("{name} {}{old}", say::value(look.unit, value))
                }
            };
            let sign = if self.desk.theme().unicode() {
                ""
            } else {
                sign
            };
            line = line.gap(3).text(role, sign).text(role, words);
        }
        let span = Span::secs(self.span().0 / 1000);
        line.end(Role::Dim, format!("last {span} "))
    }

    /// Blame, evidence, time to decide, what it may lead to: as many on a line as fit.
    fn standing(&self, cols: u16) -> Vec<Line> {
        let mut lines = Vec::new();
        let mut line = Line::new().gap(1);
        let mut used = 1;
        for (status, words) in judged::standing(self.look) {
            let cells = width(&words);
            if used > 1 && used + 3 + cells > usize::from(cols) {
                lines.push(std::mem::replace(&mut line, Line::new().gap(1)));
                used = 1;
            }
            if used > 1 {
                line = line.gap(1).sign(Role::Dim, Glyph::Dot).gap(1);
                used += 3;
            }
            let role = status.map_or(Role::Text, |status| status.role());
            line = line.text(role, words);
            used += cells;
        }
        lines.push(line);
        lines
    }

    /// What was seen, whole, and what else is to be known.
    fn sentences(&self, cols: u16) -> Vec<Line> {
        let look = self.look;
        let mut lines = Line::wrapped(Role::Text, judged::seen(look), 1, cols);
        let newest = look.points.iter().rev();
        let missing = newest.take_while(|p| p.canary.is_none()).count();
        if missing > 0 && !look.points.is_empty() {
            let text = format!(
                "nothing was read of the new version in the last {}; a gap is drawn, not a zero",
                say::count(missing, "look")
            );
            lines.extend(Line::wrapped(Role::StatusUnknown, &text, 1, cols));
        }
        // most sentences say it themselves
        if !look.allowed.is_empty() && !look.words.contains("llowed") {
            let text = format!("allowed: {}", look.allowed);
            lines.extend(Line::wrapped(Role::Dim, &text, 1, cols));
        }
        lines
    }

    /// How much time the chart shows: as much as was chosen, but not much more than there are looks.
    fn span(&self) -> Span {
        let now = self.world.now;
        let first = self.look.points.first().map_or(now, |p| p.at);
        let seen = now.since(first);
        self.desk
            .span
            .min(Span(seen.0 * 21 / 20).max(Span::mins(1)))
    }

    /// A moment in seconds from now.
    fn seconds(&self, at: Timestamp) -> f64 {
        #[expect(
            clippy::cast_precision_loss,
            reason = "milliseconds of an hour are exact"
        )]
        let ms = at.0.saturating_sub(self.world.now.0) as f64;
        ms / 1000.0
    }

    fn chart(&self, area: Rect, buffer: &mut Buffer) {
        let look = self.look;
        let side = |of: &dyn Fn(&Point) -> Option<f64>| -> Vec<(f64, Option<f64>)> {
            let points = look.points.iter();
            points.map(|p| (self.seconds(p.at), of(p))).collect()
        };
        let (old, new) = (side(&|p| p.baseline), side(&|p| p.canary));
        #[expect(clippy::cast_precision_loss, reason = "spans of hours are exact")]
        let span = self.span().0 as f64 / 1000.0;
        let series = |points, role, sign, name| Series {
            points,
            role,
            sign,
            name,
        };
        let series = [
            series(&old[..], Role::Old, "o", "old"),
            series(&new[..], Role::New, "*", "new"),
        ];
        let levels: Vec<Level<'_>> = self.levels().into_iter().flatten().collect();
        // where nothing was read of the new version nothing is said of it
        let beside = |p: &Point| p.canary.and(p.baseline);
        let between = self.interval();
        let along = between.map(|_| side(&beside)).unwrap_or_default();
        let band = between.map(|times| Band { of: &along, times });
        let release = self.desk.subject.and_then(|id| self.world.release(id));
        let batches = release.map_or(&[][..], |release| &release.batches);
        let began = batches.iter().filter_map(|batch| batch.began);
        let began: Vec<f64> = began.map(|at| self.seconds(at)).collect();
        Chart {
            series: &series,
            span: (-span, 0.0),
            join: JOIN,
            top: None,
            levels: &levels,
            band,
            markers: &began,
            value: &|v| say::scale(look.unit, v),
            moment: &|x| self.moment(x, span),
        }
        .paint(buffer, area, self.desk.theme());
    }

    /// Between what the new version lies, where that rules anything out.
    fn interval(&self) -> Option<(f64, f64)> {
        let open = |(lower, upper): &(f64, f64)| *lower <= 0.0 && !upper.is_finite();
        self.look.judged.interval.filter(|between| !open(between))
    }

    /// What is tolerated, and what must never be.
    fn levels(&self) -> [Option<Level<'a>>; 2] {
        let known = |at: Option<f64>| at.filter(|at| at.is_finite() && *at >= 0.0);
        let tolerated = known(self.look.judged.tolerated).map(|at| Level {
            at,
            name: "allowed",
            role: Role::Tolerated,
            glyph: Glyph::Dotted,
        });
        let limit = known(self.look.limit).map(|at| Level {
            at,
            name: "limit",
            role: Role::Limit,
            glyph: Glyph::HardLine,
        });
        [tolerated, limit]
    }

    fn moment(&self, x: f64, span: f64) -> String {
        if x > -1.0 {
            return "now".to_owned();
        }
        #[expect(clippy::cast_possible_truncation, reason = "within the span")]
        let at = Timestamp(self.world.now.0 + (x * 1000.0) as i64);
        if span < 600.0 {
            say::clock(at, self.desk.zone)
        } else {
            say::minute(at, self.desk.zone)
        }
    }

    /// The interval alone, on an axis of multiples, with what is tolerated at present.
    fn multiples(&self, between: (f64, f64), area: Rect, buffer: &mut Buffer) {
        let old = newest(self.look, |p| p.baseline).map(|(old, _)| old);
        let tolerated = self.look.judged.tolerated.zip(old.filter(|old| *old > 0.0));
        let mark = tolerated.map(|(tolerated, old)| tolerated / old);
        let words = format!("allowed: {}", self.look.allowed);
        multiples(buffer, area, self.desk.theme(), between, mark, &words);
    }
}
