//! Where things stand: used by painting, by moving and by mouse hits alike.

use ratatui::layout::Rect;

/// From this many columns on, a screen has its wide form.
pub const WIDE: u16 = 100;
/// Below this many columns, a row of a list takes two lines.
pub const TIGHT: u16 = 76;
/// From this many lines on, there is room to breathe.
pub const TALL: u16 = 30;

/// The frame round every screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Where you are.
    pub title: Rect,
    /// What everybody needs to know.
    pub facts: Rect,
    /// Under them, where there is room.
    pub rule: Rect,
    /// The screen itself.
    pub body: Rect,
    /// The newest notice, or nothing.
    pub notice: Rect,
    /// What your keys do.
    pub hints: Rect,
}

fn row(area: Rect, y: u16, height: u16) -> Rect {
    let area_of = Rect {
        y: area.y.saturating_add(y),
        height,
        ..area
    };
    area_of.intersection(area)
}

/// The frame of a screen.
pub fn frame(area: Rect) -> Frame {
    let ruled = u16::from(area.height >= TALL);
    let top = if area.height >= 6 { 2 + ruled } else { 1 };
    let bottom = match area.height {
        0..=1 => 0,
        2..=5 => 1,
        _ => 2,
    };
    let body = area.height.saturating_sub(top + bottom);
    Frame {
        title: row(area, 0, 1),
        facts: row(area, 1, u16::from(top >= 2)),
        rule: row(area, 2, if top >= 2 { ruled } else { 0 }),
        body: row(area, top, body),
        notice: row(area, top + body, u16::from(bottom == 2)),
        hints: row(area, area.height.saturating_sub(1), u16::from(bottom > 0)),
    }
}

/// A list above, what is under its cursor below, a rule between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Split {
    /// The list.
    pub list: Rect,
    /// The rule.
    pub rule: Rect,
    /// What is under the cursor.
    pub detail: Rect,
}

/// The parts of a body with so many lines of detail; a small body has none.
pub fn split(body: Rect, detail: u16) -> Split {
    let detail = if body.height < detail + 5 { 0 } else { detail };
    let rule = u16::from(detail > 0);
    let list = body.height - detail - rule;
    Split {
        list: row(body, 0, list),
        rule: row(body, list, rule),
        detail: row(body, list + rule, detail),
    }
}

/// The parts of the releases screen with so many lines in its list. Where the list leaves half of
/// the screen free, the detail takes it.
pub fn releases(body: Rect, rows: usize) -> Split {
    let least = match (body.height, body.width) {
        (0..14, _) => 0,
        (14..18, _) | (_, 0..TIGHT) => 2,
        (18..26, _) => 3,
        (26..36, _) => 6,
        _ => 9,
    };
    let half = body.height / 2;
    let roomy = least >= 6 && rows + 1 < usize::from(body.height - half);
    split(body, if roomy { half } else { least })
}

/// Two parts side by side, or one above the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The list.
    pub first: Rect,
    /// Between them.
    pub rule: Rect,
    /// What is under its cursor.
    pub second: Rect,
    /// Whether they stand side by side.
    pub beside: bool,
}

/// The parts of the approvals screen with so many rows in its queue.
pub fn approvals(body: Rect, rows: usize) -> Pair {
    if body.width >= WIDE {
        let first = (body.width * 2 / 5).clamp(44, 60);
        return Pair {
            first: Rect {
                width: first,
                ..body
            },
            rule: Rect {
                x: body.x + first,
                width: 1,
                ..body
            },
            second: Rect {
                x: body.x + first + 1,
                width: body.width - first - 1,
                ..body
            },
            beside: true,
        };
    }
    let rows = u16::try_from(rows).unwrap_or(u16::MAX);
    // a heading, and a third of the body at most
    let first = rows
        .saturating_add(1)
        .min((body.height / 3).max(2))
        .min(body.height);
    let rule = u16::from(body.height > first + 2);
    Pair {
        first: row(body, 0, first),
        rule: row(body, first, rule),
        second: row(body, first + rule, body.height - first - rule),
        beside: false,
    }
}

/// The parts of the calendar screen: a heading and the days, and what is under the cursor.
pub fn calendar(body: Rect) -> Split {
    let detail = match body.height {
        0..12 => 0,
        12..20 => 4,
        20..32 => 6,
        _ => 9,
    };
    split(body, detail)
}

/// The parts of the metrics screen: so many lines of heading, the list, and a chart.
pub fn metrics(body: Rect, rows: usize, above: u16) -> Split {
    let rows = u16::try_from(rows).unwrap_or(u16::MAX);
    let list = rows
        .saturating_add(above)
        .min((body.height / 2).max(3))
        .min(body.height);
    let rule = u16::from(body.height > list + 3);
    Split {
        list: row(body, 0, list),
        rule: row(body, list, rule),
        detail: row(body, list + rule, body.height - list - rule),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_never_leave_the_screen_nor_overlap() {
        for width in 0..170 {
            for height in 0..60 {
                let area = Rect::new(0, 0, width, height);
                let f = frame(area);
                let parts = [f.title, f.facts, f.rule, f.body, f.notice, f.hints];
                assert!(
                    parts.iter().map(|r| u32::from(r.height)).sum::<u32>()
                        == u32::from(height).max(u32::from(f.title.height)),
                    "{area:?} {f:?}"
                );
                for (n, a) in parts.iter().enumerate() {
                    assert_eq!(a.intersection(area), *a);
                    for b in &parts[n + 1..] {
                        assert!(a.intersection(*b).is_empty(), "{area:?} {f:?}");
                    }
                }
                let s = releases(f.body, usize::from(width) / 4);
                assert_eq!(
                    s.list.height + s.rule.height + s.detail.height,
                    f.body.height
                );
                let p = approvals(f.body, 7);
                assert!(p.first.intersection(p.second).is_empty());
                let m = metrics(f.body, 3, 4);
                assert_eq!(
                    m.list.height + m.rule.height + m.detail.height,
                    f.body.height
                );
            }
        }
    }
}
