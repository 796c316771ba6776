//! All releases, sorted by who has to act.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::ladder::ago;
use crate::domain::release::{Release, Summary};
use crate::domain::waiting::{self, Group};
use crate::domain::{PersonName, ReleaseId, State, Timestamp};

/// A group of releases under its heading, the worst first.
pub struct Section<'a> {
    /// The heading.
    pub title: &'static str,
    /// The releases.
    pub releases: Vec<&'a Release>,
}

/// The releases that are not closed, in groups, as `who` sees them.
pub fn sections<'a>(
    state: &'a State,
    who: Option<&PersonName>,
    now: Timestamp,
) -> Vec<Section<'a>> {
    let titles = [
        (Group::NeedsYou, "NEEDS YOU"),
        (Group::Moving, "MOVING"),
        (Group::Observed, "OBSERVED"),
        (Group::Waiting, "WAITING"),
    ];
    let mut rows: Vec<(Group, bool, Timestamp, ReleaseId, &Release)> = state
        .live
        .values()
        .map(|release| {
            let waits = waiting::of(state, release, now);
            let group = waiting::group(state, release, &waits, who);
            (group, !waits.trouble, waits.since, release.id, &**release)
        })
        .collect();
    rows.sort_by_key(|(group, calm, since, id, _)| (*group, *calm, *since, *id));
    let of = |wanted: Group| {
        rows.iter()
            .filter(move |(group, ..)| *group == wanted)
            .map(|(.., release)| *release)
    };
    titles
        .into_iter()
        .map(|(group, title)| Section {
            title,
            releases: of(group).collect(),
        })
        .filter(|section| !section.releases.is_empty())
        .collect()
}

/// The list for people. `closed` adds those that are over, the newest first.
pub fn text(
    state: &State,
    who: Option<&PersonName>,
    closed: bool,
    now: Timestamp,
    width: usize,
) -> String {
    let mut rows: Vec<Row> = Vec::new();
    for section in sections(state, who, now) {
        rows.push(Row::Title(section.title, section.releases.len()));
        let cells = section.releases.into_iter();
        rows.extend(cells.map(|release| Row::Cells(cells_of(state, release, now))));
    }
    if closed && !state.closed.is_empty() {
        rows.push(Row::Title("CLOSED", state.closed.len()));
        let cells = state.closed.values().rev();
        rows.extend(cells.map(|summary| Row::Cells(closed_cells(summary, now))));
    }
    if rows.is_empty() {
        return match state.closed.len() {
            0 => "no releases yet; `holdpoint release submit PLAN` takes one in\n".to_owned(),
            n => format!("nothing is open; {n} closed, `--all` shows them\n"),
        };
    }
    lay_out(&rows, width)
}

enum Row {
    Title(&'static str, usize),
    Cells([String; 7]),
}

fn cells_of(state: &State, release: &Release, now: Timestamp) -> [String; 7] {
    let waits = waiting::of(state, release, now);
    [
        release.id.to_string(),
        format!("{} → {}", release.subject(), release.plan.environment),
        release
            .exposed()
            .map_or("–".to_owned(), |n| format!("{n} %")),
        match waits.trouble {
            true => format!("! {}", waits.word),
            false => waits.word.to_owned(),
        },
        waits.what.clone(),
        waits.on.words(),
        ago(now.since(waits.since)),
    ]
}

fn closed_cells(summary: &Summary, now: Timestamp) -> [String; 7] {
    [
        summary.id.to_string(),
        format!("{} → {}", summary.subject(), summary.environment),
        String::new(),
        summary.ending.words().to_owned(),
        summary.why.to_string(),
        String::new(),
        ago(now.since(summary.closed)),
    ]
}

/// Columns as wide as their widest cell; the sentence gives way when the line is too long.
fn lay_out(rows: &[Row], width: usize) -> String {
    const SENTENCE: usize = 4;
    const READABLE: usize = 30;
    let mut widths = [0; 7];
    for row in rows {
        if let Row::Cells(cells) = row {
            for (most, cell) in widths.iter_mut().zip(cells) {
                *most = (*most).max(cell.width());
            }
        }
    }
    let all = |widths: &[usize; 7]| widths.iter().sum::<usize>() + 2 * widths.len() + 1;
    let too_wide = all(&widths).saturating_sub(width);
    if widths[SENTENCE].saturating_sub(too_wide) < READABLE {
        // on whom, the sentence says as well
        widths[SENTENCE + 1] = 0;
    }
    let too_wide = all(&widths).saturating_sub(width);
    widths[SENTENCE] = widths[SENTENCE].saturating_sub(too_wide).max(10);
    let mut text = String::new();
    for row in rows {
        let line = match row {
            Row::Title(title, count) => format!("{title} {count}"),
            Row::Cells(cells) => {
                let mut line = String::from(" ");
                for (n, (cell, most)) in cells.iter().zip(widths).enumerate() {
                    if most == 0 {
                        continue;
                    }
                    // figures stand to the right
                    line.push_str(&fit(cell, most, n == 2));
                    line.push_str("  ");
                }
                line.trim_end().to_owned()
            }
        };
        text.push_str(&line);
        text.push('\n');
    }
    text
}

/// A cell in exactly so many columns.
fn fit(text: &str, width: usize, right: bool) -> String {
    let mut cell = String::new();
    let mut used = 0;
    if text.width() <= width {
        cell.push_str(text);
        used = text.width();
    } else {
        for c in text.chars() {
            let wide = c.width().unwrap_or(0);
            if used + wide >= width {
                break;
            }
            cell.push(c);
            used += wide;
        }
        cell.push('…');
        used += 1;
    }
    let fill = " ".repeat(width.saturating_sub(used));
    match right {
        true => fill + &cell,
        false => cell + &fill,
    }
}
