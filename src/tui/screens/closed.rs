//! A release that is over.

use crate::domain::release::{Ending, Summary};

use super::super::desk::Desk;
use super::super::glyph::Glyph;
use super::super::rich::Line;
use super::super::say;
use super::super::theme::Role;

/// The sign of an ending, and how it is painted.
pub(super) const fn look(ending: Ending) -> (Role, Glyph) {
    match ending {
        Ending::Succeeded => (Role::StatusGood, Glyph::Done),
        Ending::RolledBack => (Role::StatusBad, Glyph::Back),
        Ending::Rejected => (Role::StatusBad, Glyph::Failed),
        Ending::Expired | Ending::Cancelled | Ending::Superseded | Ending::Withdrawn => {
            (Role::StatusHistory, Glyph::NotReached)
        }
    }
}

/// What is left of a closed release to read.
pub(super) fn lines(desk: &Desk, summary: &Summary, cols: u16) -> Vec<Line> {
    let (role, glyph) = look(summary.ending);
    let arrow = desk.theme().glyph(Glyph::Arrow);
    let took = summary.closed.since(summary.submitted);
    let mut lines = vec![
        Line::new()
            .gap(1)
            .text(
                Role::Strong,
                format!(
                    "{} {} {arrow} {}",
                    summary.id,
                    summary.subject(),
                    summary.environment
                ),
            )
            .gap(3)
            .sign(role, glyph)
            .gap(1)
            .text(role, summary.ending.words()),
    ];
    lines.extend(Line::wrapped(Role::Text, &summary.why, 2, cols));
    let times = format!(
        "submitted {}, closed {}, after {took}",
        say::full(summary.submitted, desk.zone),
        say::full(summary.closed, desk.zone)
    );
    lines.extend(Line::wrapped(Role::Dim, &times, 2, cols));
    lines.push(
        Line::new()
            .gap(2)
            .text(Role::Dim, format!("title: {}", summary.title)),
    );
    if summary.services.len() > 1 {
        let all: Vec<String> = summary
            .services
            .iter()
            .map(|(service, version)| format!("{service} {version}"))
            .collect();
        lines.extend(Line::wrapped(Role::Dim, &all.join(", "), 2, cols));
    }
    lines.push(Line::new().gap(2).text(
        Role::Dim,
        format!(
            "the ledger has the rest: holdpoint ledger show {}",
            summary.id
        ),
    ));
    lines
}
