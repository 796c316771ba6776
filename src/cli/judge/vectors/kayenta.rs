//! Sections about the Kayenta-compatible judge, in this project's own format.

use serde::Deserialize;

use super::compare::{Checked, all_near, malformed, near, relative, same};
use super::{Outcome, Section};
use crate::cli::judge::json::{Num, Ordered, Point, points};
use crate::domain::Notice;
use crate::judge::kayenta::classify::{Class, Config, Side, mann_whitney as classify};
use crate::judge::kayenta::rank::Ranked;
use crate::judge::kayenta::score::{Grade, Score, Scored, score as scored};
use crate::judge::kayenta::stats::{Detector, Measure, Nan, without_nan, without_outliers};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    #[serde(rename = "note", default)]
    _note: Option<String>,
    #[serde(rename = "name", default)]
    _name: Option<String>,
    control: Vec<Point>,
    experiment: Vec<Point>,
    preprocess: Preprocess,
    config: Configured,
    expected: Expected,
    control_used: Option<Vec<Point>>,
    experiment_used: Option<Vec<Point>>,
    scipy: Option<Scipy>,
    cles: Option<Num>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Preprocess {
    nan: Nan,
    outliers: Outliers,
    factor: Num,
}

#[derive(Clone, Copy, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Outliers {
    Keep,
    Remove,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Configured {
    direction: Side,
    nan: Nan,
    critical: bool,
    must_have_data: bool,
    tolerance: Num,
    conf: Num,
    allowed: [Num; 2],
    crit: [Num; 2],
    measure: Measure,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    classification: Class,
    critical: bool,
    ratio: Option<Num>,
    lower: Option<Num>,
    upper: Option<Num>,
    estimate: Option<Num>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scipy {
    #[serde(rename = "U_experiment")]
    u: Num,
    p_two_sided: Num,
}

/// Both shapes of this section: that of this project, and that of Kayenta's own cases.
pub fn mann_whitney(section: &Section<'_>) -> Result<Vec<Outcome>, Notice> {
    // this project's cases have a configuration, the others have none
    let own = section.cases.first().is_none_or(|first| {
        let fields: Result<Ordered<&serde_json::value::RawValue>, _> =
            serde_json::from_str(first.get());
        fields.is_ok_and(|fields| fields.get("config").is_some())
    });
    if !own {
        return super::suite::mann_whitney(section);
    }
    let tolerance = section.tolerance("tolerance_abs", 1e-6)?;
    let of_p = section.tolerance("tolerance_p_rel", 1e-9)?;
    section.each(|case: &Case| one(case, tolerance, of_p))
}

fn one(case: &Case, tolerance: f64, of_p: f64) -> Checked {
    let before = &case.preprocess;
    let used = |series: &[Point]| {
        let series = without_nan(&points(series), before.nan);
        match before.outliers {
            Outliers::Keep => series,
            Outliers::Remove => without_outliers(
                &series,
                Detector::Iqr {
                    factor: before.factor.0,
                    reduce_sensitivity: true,
                },
            ),
        }
    };
    let (control, experiment) = (used(&case.control), used(&case.experiment));
    if control
        .iter()
        .chain(&experiment)
        .any(|value| value.is_infinite())
    {
        return malformed("a value is infinite");
    }
    for (what, is, should) in [
        ("control_used", &control, &case.control_used),
        ("experiment_used", &experiment, &case.experiment_used),
    ] {
        if let Some(should) = should {
            all_near(what, is, &points(should), 0.0)?;
        }
    }
    let given = &case.config;
    let pair = |ends: [Num; 2]| (ends[0].0, ends[1].0);
    let found = classify(
        &experiment,
        &control,
        &Config {
            direction: given.direction,
            nan: given.nan,
            critical: given.critical,
            must_have_data: given.must_have_data,
            tolerance: given.tolerance.0,
            confidence: given.conf.0,
            measure: given.measure,
            allowed: pair(given.allowed),
            critical_at: pair(given.crit),
        },
    );
    let expected = &case.expected;
    same("classification", &found.class, &expected.classification)?;
    same("critical", &found.critical, &expected.critical)?;
    if let Some(ratio) = expected.ratio {
        near("ratio", found.ratio, ratio.0, tolerance)?;
    }
    for (what, is, should) in [
        (
            "lower",
            found.shift.map(|shift| shift.lower),
            expected.lower,
        ),
        (
            "upper",
            found.shift.map(|shift| shift.upper),
            expected.upper,
        ),
        (
            "estimate",
            found.shift.map(|shift| shift.estimate),
            expected.estimate,
        ),
    ] {
        match (is, should) {
            (Some(is), Some(should)) => near(what, is, should.0, tolerance)?,
            (is, should) => same(what, &is.is_some(), &should.is_some())?,
        }
    }
    let ranked = Ranked::new(&experiment, &control);
    if let Some(scipy) = &case.scipy {
        near("U", ranked.u(), scipy.u.0, tolerance)?;
        relative("p", ranked.p_two_sided(), scipy.p_two_sided.0, of_p)?;
    }
    match case.cles {
        Some(cles) => near("cles", ranked.cles(), cles.0, tolerance),
        None => Ok(()),
    }
}

/// A metric of a score.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Judged {
    #[serde(rename = "name", default)]
    _name: Option<String>,
    classification: Class,
    #[serde(default)]
    groups: Vec<String>,
    #[serde(default)]
    critical: bool,
    #[serde(default)]
    muted: bool,
}

/// Scores the metrics of a case.
pub fn score_of(results: &[Judged], weights: &Ordered<Num>) -> Score {
    let one = |result: &Judged| Scored {
        class: result.classification,
        groups: result.groups.clone(),
        critical: result.critical,
        muted: result.muted,
    };
    let results: Vec<Scored> = results.iter().map(one).collect();
    let weights = weights.0.iter();
    let weights: Vec<_> = weights
        .map(|(name, weight)| (name.clone(), weight.0))
        .collect();
    scored(&results, &weights)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ScoreCase {
    #[serde(rename = "note", default)]
    _note: Option<String>,
    #[serde(rename = "name", default)]
    _name: Option<String>,
    results: Vec<Judged>,
    #[serde(default)]
    group_weights: Ordered<Num>,
    pass_threshold: Num,
    marginal_threshold: Num,
    score: Num,
    verdict: Grade,
    reason: String,
    group_scores: Ordered<Num>,
}

pub fn score(section: &Section<'_>) -> Result<Vec<Outcome>, Notice> {
    let tolerance = section.tolerance("tolerance_abs", 0.005)?;
    section.each(|case: &ScoreCase| {
        let found = score_of(&case.results, &case.group_weights);
        near("score", found.score, case.score.0, tolerance)?;
        let grade = found.grade(case.pass_threshold.0, case.marginal_threshold.0);
        same("verdict", &grade, &case.verdict)?;
        same("reason", &found.reason, &case.reason.as_str())?;
        let groups = &case.group_scores;
        same("the number of groups", &found.groups.len(), &groups.0.len())?;
        for (name, is) in &found.groups {
            let should = groups.get(name).map_or(f64::NAN, |score| score.0);
            near(
                &format!("the score of group {name}"),
                *is,
                should,
                tolerance,
            )?;
        }
        Ok(())
    })
}
