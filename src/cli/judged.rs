//! What the judge says of a release and of its metrics, for people.

use std::fmt::Write as _;

use crate::domain::live::Live;
use crate::domain::release::Release;
use crate::tui::judged::{self as words, charts};
use crate::tui::say;
use crate::tui::widgets::wrap;

/// How wide sentences are.
const COLS: usize = 90;

/// The judgement on the release, and how each metric stands with the sentence of the judge; nothing
/// of a release that nobody looks at.
pub fn section(live: &Live, release: &Release) -> String {
    let mut f = String::new();
    let charts = charts(live, release);
    let said = words::judgement(live, release);
    if charts.is_empty() && said.is_none() {
        return f;
    }
    let said = said.map_or_else(
        || "nothing yet".to_owned(),
        |judgement| {
            let (_, glyph) = words::decision(judgement.decision);
            let words = words::judgement_words(&release.plan.judge, judgement);
            format!("{} {words}", glyph.text(true))
        },
    );
    // writing to a string cannot fail
    let _ = writeln!(f, "\nJudge      {said}");
    for chart in charts {
        let (_, glyph) = say::verdict(chart.call);
        let name = words::name(chart, charts);
        let _ = writeln!(f, "  {} {name:<13} {}", glyph.text(true), chart.call.word());
        let stands = words::standing_words(chart);
        let seen = wrap(words::seen(chart), COLS);
        for line in wrap(&stands, COLS).into_iter().chain(seen) {
            let _ = writeln!(f, "      {line}");
        }
    }
    f
}

/// What the judge says and waits for, in a few lines; nothing of a release that nobody looks at.
pub fn why(live: &Live, release: &Release) -> String {
    let mut f = String::new();
    if let Some(judgement) = words::judgement(live, release) {
        let words = words::judgement_words(&release.plan.judge, judgement);
        let _ = writeln!(f, "  the judge: {words}");
    }
    for words in undecided(live, release) {
        for (n, line) in wrap(&words, COLS).into_iter().enumerate() {
            let indent = if n == 0 { "    " } else { "      " };
            let _ = writeln!(f, "{indent}{line}");
        }
    }
    f
}

/// What the judge waits for, a sentence for each metric that is not decided.
pub fn undecided(live: &Live, release: &Release) -> Vec<String> {
    let waits = words::waits(charts(live, release));
    waits.into_iter().map(|(_, words)| words).collect()
}
