//! Recorded error ratios in CSV: `at,metric,n1,k1,n0,k0`, a line for each metric of a look.

use std::collections::HashMap;

use super::json::File;
use super::recorded::{Look, MOST_LOOKS, MOST_METRICS, MOST_READS, Owned, Recorded, too_much};
use crate::domain::Notice;
use crate::domain::text::printable;
use crate::judge::counts::{Counts, Tolerance};
use crate::judge::evidence::Settings;
use crate::judge::mixture::Stakes;
use crate::judge::promote::MARGIN;
use crate::judge::rollout::{Asked, Kind};
use crate::judge::verdict::{Rank, Rules};

/// The first line.
pub const HEADER: &str = "at,metric,n1,k1,n0,k0";
/// What it cannot hold, and where it belongs.
const ONLY_RATIOS: &str = "CSV holds error ratios and nothing else: histograms, gauges, raw counters, \
                           strata, instances, weights and tolerances need JSON (`holdpoint judge --help`)";

/// Reads recorded samples in CSV: all metrics are critical error ratios that promotion needs, of the
/// default tolerance and the same weight.
///
/// # Errors
/// The first mistake, with its line.
pub fn csv(file: &File<'_>) -> Result<Recorded, Notice> {
    let mut lines = file.text.lines();
    let header = lines.next().unwrap_or("");
    let plain: String = header.chars().filter(|c| !c.is_whitespace()).collect();
    if plain.trim_start_matches('\u{feff}') != HEADER {
        let read = printable(header, 100);
        return Err(file
            .at(0, format!("the first line is `{read}`"))
            .detail(ONLY_RATIOS)
            .next(format!("begin with `{HEADER}`")));
    }
    let mut names: Vec<String> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut looks: Vec<Look> = Vec::new();
    for line in lines {
        if line.trim().is_empty() {
            continue;
        }
        let row = row(file, line)?;
        let metric = match places.get(&row.name) {
            Some(metric) => *metric,
            None => {
                places.insert(row.name.clone(), names.len());
                names.push(row.name.clone());
                names.len() - 1
            }
        };
        let last = looks.last().and_then(|look| look.at);
        match last {
            Some(last) if row.at < last => {
                return Err(file
                    .about(line, "time goes back")
                    .next("sort the lines by `at`"));
            }
            Some(last) if row.at <= last => {}
            _ => looks.push(Look {
                at: Some(row.at),
                elapsed: true,
                ..Look::default()
            }),
        }
        if looks.len() > MOST_LOOKS || names.len() > MOST_METRICS {
            return Err(too_much(file, line, looks.len(), names.len()));
        }
        let Some(look) = looks.last_mut() else {
            continue;
        };
        if look.reads.len() <= metric {
            look.reads.resize(metric + 1, Owned::Missing);
        }
        if look.reads[metric] != Owned::Missing {
            let shown = printable(&row.name, 60);
            return Err(file.about(line, format!("`{shown}` stands twice in this look")));
        }
        look.reads[metric] = row.read;
    }
    if looks.is_empty() {
        return Err(file.at(0, "there is no look to judge"));
    }
    if looks.len() * names.len() > MOST_READS {
        return Err(too_much(file, file.text, looks.len(), names.len()));
    }
    for look in &mut looks {
        look.reads.resize(names.len(), Owned::Missing);
    }
    for (index, name) in names.iter().enumerate() {
        if looks.iter().all(|look| look.reads[index] == Owned::Missing) {
            let shown = printable(name, 60);
            return Err(file
                .at(0, format!("no look has both arms of `{shown}`"))
                .next("look at the selectors of canary and baseline"));
        }
    }
    Ok(recorded(names, looks))
}

struct Row {
    at: f64,
    name: String,
    read: Owned,
}

fn row(file: &File<'_>, line: &str) -> Result<Row, Notice> {
    let cells: Vec<&str> = line.split(',').collect();
    let [at, name, n1, k1, n0, k0] = cells[..] else {
        let headline = format!("{} cells, 6 are needed", cells.len());
        return Err(file
            .about(line, headline)
            .detail(ONLY_RATIOS)
            .next(format!("columns: {HEADER}")));
    };
    if name.trim().is_empty() {
        return Err(file.about(line, "`metric` is missing"));
    }
    let number = |cell: &str| {
        let read = cell.trim();
        match read.parse::<f64>() {
            _ if read.is_empty() => Ok(None),
            Ok(number) if number.is_finite() && number >= 0.0 => Ok(Some(number)),
            _ => Err(file
                .about(cell, format!("`{}` is no count", printable(read, 40)))
                .next("write a number from 0 up; nothing where nothing was read")),
        }
    };
    let Some(time) = number(at)? else {
        return Err(file.about(line, "`at` is missing"));
    };
    let read = match (number(n1)?, number(k1)?, number(n0)?, number(k0)?) {
        (Some(n1), Some(k1), Some(n0), Some(k0)) => {
            let look = Counts { n1, k1, n0, k0 };
            if let Some(flaw) = look.flaw() {
                return Err(file.about(line, flaw));
            }
            Owned::Counts(vec![look])
        }
        _ => Owned::Missing,
    };
    Ok(Row {
        at: time,
        name: printable(name.trim(), 200),
        read,
    })
}

fn recorded(names: Vec<String>, looks: Vec<Look>) -> Recorded {
    let horizon = u32::try_from(looks.len()).unwrap_or(u32::MAX);
    let asked = |name: String| Asked {
        rank: Rank {
            name,
            weight: 1.0,
            critical: true,
            required: true,
        },
        kind: Kind::Ratio { fail_above: None },
        settings: Settings {
            stakes: Stakes::new(horizon, 0.5),
            ..Settings::default()
        },
        margin: Tolerance::Line(MARGIN),
    };
    let times: Vec<f64> = looks.iter().filter_map(|look| look.at).collect();
    let steps = times.windows(2).map(|pair| pair[1] - pair[0]);
    let shortest = steps.fold(f64::INFINITY, f64::min);
    Recorded {
        rules: Rules::default(),
        metrics: names.into_iter().map(asked).collect(),
        seconds: if shortest.is_finite() { shortest } else { 15.0 },
        looks,
        peers: Vec::new(),
    }
}
