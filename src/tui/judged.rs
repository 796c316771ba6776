//! What the judge says of a release and of its metrics, in words: the same on every screen, in
//! dialogs and on the command line.

use crate::domain::judge_rule::{
    JudgeRule, OnInconclusive, OnPause, OnPromote, OnRollback, OnStepEnd,
};
use crate::domain::live::{Chart, Decides, Judged, Live};
use crate::domain::metric::Action;
use crate::domain::release::Release;
use crate::domain::verdict::unnamed;
use crate::domain::{Call, Decision, Judgement, MetricName, Span};
use crate::judge::words::{significant, strength};

use super::glyph::{Glyph, Status};
use super::say;
use super::widgets::chart::times;

/// Evidence above this is no number any more that anybody takes in.
const MOST: f64 = 1e6;

/// Evidence as a number to one: `340 to 1`, never more than it is.
pub fn to_one(e: f64) -> String {
    match e {
        e if e.is_nan() || e < 0.0 => "unknown".to_owned(),
        e if e > 0.0 && e < 0.01 => "under 0.01 to 1".to_owned(),
        e if e < 10.0 => format!("{} to 1", significant(floored(e, 2), 2)),
        e if e < 1000.0 => format!("{} to 1", e.floor()),
        e if e < MOST => format!("{} to 1", say::grouped(whole(floored(e, 2)))),
        _ => "over a million to 1".to_owned(),
    }
}

/// The same in at most ten cells: `340 to 1`, `54k to 1`, `>1M to 1`.
pub fn to_one_short(e: f64) -> String {
    match e {
        e if (1000.0..MOST).contains(&e) => format!("{}k to 1", (e / 1000.0).floor()),
        e if e >= MOST => ">1M to 1".to_owned(),
        e if e > 0.0 && e < 0.01 => "<.01 to 1".to_owned(),
        e => to_one(e),
    }
}

/// Cut to so many significant digits.
fn floored(value: f64, digits: i32) -> f64 {
    if value <= 0.0 || !value.is_finite() {
        return value;
    }
    let places = digits - 1 - crate::judge::words::magnitude(value);
    // a power of ten below one is not exact, its inverse is
    if places >= 0 {
        let unit = 10f64.powi(places);
        (value * unit).floor() / unit
    } else {
        let unit = 10f64.powi(-places);
        (value / unit).floor() * unit
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "between a thousand and a million"
)]
fn whole(value: f64) -> u64 {
    value as u64
}

/// How strong evidence is, in a word for a column: `none`, `very strong`.
pub fn strength_word(e: f64) -> &'static str {
    match strength(e) {
        "no" => "none",
        word => word,
    }
}

/// The evidence against the new version: `very strong evidence, 340 to 1`; where it was stronger
/// before, that as well.
pub fn evidence(judged: &Judged) -> String {
    let now = strength(judged.evidence);
    let mut words = format!("{now} evidence, {}", to_one(judged.evidence));
    if judged.most >= 3.0 && strength(judged.most) != now {
        words.push_str(&format!("; {} at its height", to_one(judged.most)));
    }
    words
}

/// When it will be decided: `decides in about 12 m at present traffic`.
pub fn decides(decides: Decides) -> Option<String> {
    Some(match decides {
        Decides::Unknown => return None,
        Decides::Now => "decided".to_owned(),
        Decides::In(span) => format!("decides in about {} at present traffic", about(span)),
        Decides::Never => "cannot be seen with this traffic".to_owned(),
    })
}

/// A length of time of which nobody knows more than its size: `40 s`, `12 m`, `3 h`, `2 d`.
fn about(span: Span) -> String {
    let seconds = span.0.div_ceil(1000);
    let rounded = |unit: u64| (seconds + unit / 2) / unit;
    match seconds {
        s if s < 90 => format!("{s} s"),
        s if s < 90 * 60 => format!("{} m", rounded(60)),
        s if s < 36 * 3600 => format!("{} h", rounded(3600)),
        _ => format!("{} d", rounded(24 * 3600)),
    }
}

/// What a verdict on a metric may lead to.
pub const fn may(judged: &Judged) -> &'static str {
    match (judged.shadow, judged.action) {
        (true, _) => "shadow: acts on nothing",
        (false, Action::RollBack) => "may roll back",
        (false, Action::Hold) => "may hold",
        (false, Action::Inform) => "only informs",
    }
}

/// Between what the new version lies: `1.7x to 2.6x of the old`.
pub fn interval((lower, upper): (f64, f64)) -> String {
    match (lower > 0.0, upper.is_finite()) {
        (true, true) => format!("{} to {} of the old", times(lower), times(upper)),
        (true, false) => format!("at least {} of the old", times(lower)),
        (false, true) => format!("at most {} of the old", times(upper)),
        (false, false) => "nothing is ruled out yet".to_owned(),
    }
}

/// How a metric stands, piece by piece, the most important first.
pub fn standing(chart: &Chart) -> Vec<(Option<Status>, String)> {
    let judged = &chart.judged;
    let (status, _) = say::verdict(chart.call);
    let mut pieces = Vec::with_capacity(5);
    if judged.blamed {
        let status = if judged.shadow { None } else { Some(status) };
        pieces.push((status, "to blame".to_owned()));
    }
    pieces.push((None, evidence(judged)));
    pieces.extend(decides(judged.decides).map(|words| (None, words)));
    pieces.push((None, may(judged).to_owned()));
    pieces
}

/// How a metric stands, in a line: `to blame · very strong evidence, 340 to 1 · 1.7x to 2.6x of the old …`.
pub fn standing_words(chart: &Chart) -> String {
    let pieces = standing(chart).into_iter().map(|(_, words)| words);
    let between = chart.judged.interval.map(interval);
    let pieces: Vec<String> = pieces.chain(between).collect();
    pieces.join(" · ")
}

/// The sentence of a metric without its name in front.
pub fn seen(chart: &Chart) -> &str {
    unnamed(&chart.metric, &chart.words)
}

/// What a metric is called among others: with its service where two have the same name.
pub fn name(chart: &Chart, all: &[Chart]) -> String {
    let twins = all.iter().filter(|other| other.metric == chart.metric);
    match twins.count() {
        0 | 1 => chart.metric.to_string(),
        _ => format!("{} of {}", chart.metric, chart.service),
    }
}

/// How a decision is shown: its meaning and its sign.
pub const fn decision(decision: Decision) -> (Status, Glyph) {
    match decision {
        Decision::Continue => (Status::Moving, Glyph::Here),
        Decision::Pause => (Status::Person, Glyph::Alert),
        Decision::RollBack => (Status::Bad, Glyph::Failed),
        Decision::Inconclusive => (Status::Unknown, Glyph::Unknown),
        Decision::Promote => (Status::Good, Glyph::Done),
    }
}

/// What the plan makes of a judgement.
pub fn follows(rule: &JudgeRule, judgement: &Judgement) -> &'static str {
    const STANDS: &str = "its plan: stand still until somebody decides";
    const INFORMS: &str = "its plan: tell people, no more";
    if judgement.shadow {
        return "in shadow: nothing follows";
    }
    match judgement.decision {
        Decision::Continue if rule.step_end == OnStepEnd::Pause => {
            "its plan: stand still where a bake ends without proof"
        }
        Decision::Continue => "nothing follows yet",
        Decision::Pause => match rule.pause {
            OnPause::Pause => STANDS,
            OnPause::Inform => INFORMS,
        },
        Decision::RollBack => match rule.rollback {
            OnRollback::RollBack => "its plan: go back",
            OnRollback::Pause => STANDS,
            OnRollback::Inform => INFORMS,
        },
        Decision::Inconclusive => match rule.inconclusive {
            OnInconclusive::Hold => "its plan: no time lets it pass meanwhile",
            OnInconclusive::Pause => STANDS,
            OnInconclusive::Inform => INFORMS,
        },
        Decision::Promote => match rule.promote {
            OnPromote::GoOn => "its plan: go on before its time",
            OnPromote::Inform => INFORMS,
        },
    }
}

/// What the judge says of a release: as last seen, else as last written down.
pub fn judgement<'a>(live: &'a Live, release: &'a Release) -> Option<&'a Judgement> {
    let seen = live.judgements.get(&release.id).map(|seen| &**seen);
    seen.or(release.judgement.as_ref())
        .or(release.shadow.as_ref())
}

/// A judgement with its grounds and what the plan makes of it, in a sentence.
pub fn judgement_words(rule: &JudgeRule, judgement: &Judgement) -> String {
    let blamed: Vec<&str> = judgement.blamed.iter().map(MetricName::as_str).collect();
    let missing = |name: &&&str| !judgement.reason.contains(**name);
    let blamed: Vec<&str> = blamed.iter().filter(missing).copied().collect();
    let of = match blamed.as_slice() {
        [] => String::new(),
        names => format!(" ({})", names.join(", ")),
    };
    format!("{}{of}; {}", judgement.words(), follows(rule, judgement))
}

/// The charts of a release that is looked at.
pub fn charts<'a>(live: &'a Live, release: &Release) -> &'a [Chart] {
    let charts = live.charts.get(&release.id);
    charts.map_or(&[], |charts| charts.as_slice())
}

/// What the judge waits for: of each metric that something may follow from and that is not decided,
/// what it lacks.
pub fn waits(charts: &[Chart]) -> Vec<(Call, String)> {
    let open = charts.iter().filter(|chart| {
        !chart.judged.shadow
            && chart.judged.action != Action::Inform
            && !matches!(chart.call, Call::Pass | Call::Fail)
    });
    open.map(|chart| {
        let why = match (chart.call, chart.judged.decides) {
            (Call::NoData, _) => seen(chart).to_owned(),
            (_, Decides::Unknown) => format!("{}; {}", evidence(&chart.judged), seen(chart)),
            (_, when) => {
                let when = decides(when).unwrap_or_default();
                format!("{}; {when}", evidence(&chart.judged))
            }
        };
        let words = format!("{} {}: {why}", name(chart, charts), chart.call.word());
        (chart.call, words)
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidence_is_never_more_than_it_is() {
        for (e, long, short) in [
            (0.0, "0 to 1", "0 to 1"),
            (0.839, "0.83 to 1", "0.83 to 1"),
            (2.99, "2.9 to 1", "2.9 to 1"),
            (340.7, "340 to 1", "340 to 1"),
            (999.9, "999 to 1", "999 to 1"),
            (54_321.0, "54 000 to 1", "54k to 1"),
            (999_999.0, "990 000 to 1", "999k to 1"),
            (1e30, "over a million to 1", ">1M to 1"),
            (f64::INFINITY, "over a million to 1", ">1M to 1"),
            (f64::NAN, "unknown", "unknown"),
        ] {
            assert_eq!(
                (to_one(e).as_str(), to_one_short(e).as_str()),
                (long, short)
            );
        }
    }

    #[test]
    fn what_was_stronger_before_is_told() {
        let judged = Judged {
            evidence: 12.0,
            most: 340.0,
            ..Judged::default()
        };
        assert_eq!(
            evidence(&judged),
            "moderate evidence, 12 to 1; 340 to 1 at its height"
        );
        assert_eq!(evidence(&Judged::default()), "no evidence, 1 to 1");
    }

    #[test]
    fn times_to_decide() {
        let shown = |s: u64| decides(Decides::In(Span::secs(s))).unwrap();
        for (s, words) in [
            (45, "45 s"),
            (700, "12 m"),
            (5399, "90 m"),
            (7100, "2 h"),
            (200_000, "2 d"),
        ] {
            assert_eq!(
                shown(s),
                format!("decides in about {words} at present traffic")
            );
        }
        assert_eq!(decides(Decides::Unknown), None);
        assert_eq!(
            decides(Decides::Never).as_deref(),
            Some("cannot be seen with this traffic")
        );
    }

    #[test]
    fn intervals_that_are_open_say_so() {
        for (between, words) in [
            ((1.7, 2.6), "1.7x to 2.6x of the old"),
            ((0.0, 2.6), "at most 2.6x of the old"),
            ((1.7, f64::INFINITY), "at least 1.7x of the old"),
            ((0.0, f64::INFINITY), "nothing is ruled out yet"),
            ((1.7, 40_000.0), "1.7x to over 999x of the old"),
        ] {
            assert_eq!(interval(between), words);
        }
    }

    #[test]
    fn a_judgement_says_what_the_plan_makes_of_it() {
        let mut judgement = Judgement {
            decision: Decision::RollBack,
            reason: "evidence 340:1 on critical metrics".into(),
            blamed: vec!["p99".into()],
            ..Judgement::default()
        };
        let mut rule = JudgeRule::default();
        assert_eq!(
            judgement_words(&rule, &judgement),
            "roll back: evidence 340:1 on critical metrics (p99); its plan: go back"
        );
        rule.rollback = OnRollback::Inform;
        assert!(judgement_words(&rule, &judgement).ends_with("its plan: tell people, no more"));
        judgement.shadow = true;
        assert!(judgement_words(&rule, &judgement).ends_with("in shadow: nothing follows"));
    }
}
