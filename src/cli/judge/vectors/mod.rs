//! `judge --vectors FILE`: the judge against numbers that others computed.
//!
//! A case is one element of a section's `cases`, or of the section where it is itself a list. All of
//! the file is read before anything is said.

mod compare;
mod evidence;
mod kayenta;
mod rules;
mod shown;
mod suite;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::json::{File, Num, Ordered, sign};
use crate::domain::Notice;
use crate::domain::text::printable;
use crate::domain::words::nearest;
use compare::{Checked, Fault};

/// What stands in a file beside its sections.
const NO_SECTIONS: [&str; 6] = [
    "seed",
    "about",
    "source",
    "grids",
    "sentence_example",
    "judge_defaults_as_facts",
];

/// The sections that are known.
const SECTIONS: [&str; 20] = [
    "single_look",
    "odds_tangent",
    "streams",
    "histograms",
    "gauges",
    "ratio_intervals",
    "combination",
    "planning",
    "mann_whitney",
    "kayenta_score",
    "argo",
    "argo_worst",
    "flagger",
    "counter_deltas",
    "composition",
    "classifier",
    "statistics",
    "detectors",
    "transforms",
    "scorer",
];

/// How a case went.
struct Outcome {
    section: String,
    index: usize,
    differs: Option<String>,
}

/// What all cases say, and whether all of them agree.
#[derive(Debug)]
pub struct Report {
    /// A line for each case, and the closing one.
    pub text: String,
    /// Whether none differs.
    pub passed: bool,
}

/// Checks every case of a file.
///
/// # Errors
/// What is wrong with the file, if anything is: the first mistake of every section.
pub fn check(file: &File<'_>) -> Result<Report, Vec<Notice>> {
    let all: Ordered<&RawValue> = file.read(file.text, "").map_err(|one| vec![one])?;
    let mut outcomes = Vec::new();
    let mut wrong = Vec::new();
    for (name, raw) in &all.0 {
        if NO_SECTIONS.contains(&name.as_str()) {
            continue;
        }
        match section(file, name, raw) {
            Ok(more) => outcomes.extend(more),
            Err(notice) => wrong.push(notice),
        }
    }
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let mut text = String::new();
    let mut failed = 0;
    for outcome in &outcomes {
        let Outcome { section, index, .. } = outcome;
        match &outcome.differs {
            None => text.push_str(&format!("{section} {index} ok\n")),
            Some(what) => {
                failed += 1;
                let what = printable(what, 400);
                text.push_str(&format!("{section} {index} differs: {what}\n"));
            }
        }
    }
    let passed = outcomes.len() - failed;
    text.push_str(&format!("{passed} passed, {failed} failed\n"));
    Ok(Report {
        text,
        passed: failed == 0,
    })
}

/// A section: what stands beside its cases, and its cases.
struct Section<'a> {
    file: &'a File<'a>,
    name: &'a str,
    beside: Ordered<&'a RawValue>,
    cases: Vec<&'a RawValue>,
}

fn section<'a>(
    file: &'a File<'a>,
    name: &'a str,
    raw: &'a RawValue,
) -> Result<Vec<Outcome>, Notice> {
    if !SECTIONS.contains(&name) {
        let shown = printable(name, 60);
        let notice = file.about(raw.get(), format!("unknown section `{shown}`"));
        return Err(match nearest(name, SECTIONS) {
            Some(near) => notice.next(format!("did you mean `{near}`?")),
            None => notice.next(format!("known sections: {}", SECTIONS.join(", "))),
        });
    }
    let section = Section::read(file, name, raw)?;
    match name {
        "single_look" => evidence::single_look(&section),
        "odds_tangent" => evidence::odds_tangent(&section),
        "streams" => evidence::streams(&section),
        "histograms" => shown::histograms(&section),
        "gauges" => shown::gauges(&section),
        "ratio_intervals" => shown::ratio_intervals(&section),
        "combination" => rules::combination(&section),
        "planning" => shown::planning(&section),
        "mann_whitney" => kayenta::mann_whitney(&section),
        "kayenta_score" => kayenta::score(&section),
        "argo" => rules::argo(&section),
        "argo_worst" => rules::argo_worst(&section),
        "flagger" => rules::flagger(&section),
        "counter_deltas" => rules::counter_deltas(&section),
        "composition" => rules::composition(&section),
        "classifier" => suite::classifier(&section),
        "statistics" => suite::statistics(&section),
        "detectors" => suite::detectors(&section),
        "transforms" => suite::transforms(&section),
        _ => suite::scorer(&section),
    }
}

impl<'a> Section<'a> {
    fn read(file: &'a File<'a>, name: &'a str, raw: &'a RawValue) -> Result<Section<'a>, Notice> {
        let section = |beside, cases| Section {
            file,
            name,
            beside,
            cases,
        };
        match sign(raw) {
            b'[' => Ok(section(Ordered::default(), file.read(raw.get(), name)?)),
            b'{' => {
                let beside: Ordered<&'a RawValue> = file.read(raw.get(), name)?;
                let Some(cases) = beside.get("cases") else {
                    return Err(file.about(raw.get(), format!("{name}: `cases` is missing")));
                };
                let cases = file.read(cases.get(), name)?;
                Ok(section(beside, cases))
            }
            _ => Err(file.about(raw.get(), format!("{name}: neither a list nor an object"))),
        }
    }

    /// What stands beside the cases, if it does.
    fn field<T: Deserialize<'a>>(&self, key: &str) -> Result<Option<T>, Notice> {
        let read = |raw: &&'a RawValue| {
            self.file
                .read(raw.get(), &format!("{}, `{key}`", self.name))
        };
        self.beside.get(key).map(read).transpose()
    }

    /// The tolerance of that name, or this one.
    fn tolerance(&self, key: &str, otherwise: f64) -> Result<f64, Notice> {
        let given: Option<Num> = self.field(key)?;
        let tolerance = given.map_or(otherwise, |number| number.0);
        if tolerance.is_finite() && tolerance >= 0.0 {
            return Ok(tolerance);
        }
        let raw = self.beside.get(key).map_or("", |raw| raw.get());
        let headline = format!("{}: `{key}` is no tolerance", self.name);
        Err(self.file.about(raw, headline))
    }

    /// Reads all cases, then checks each.
    fn each<T: Deserialize<'a>>(
        &self,
        mut check: impl FnMut(&T) -> Checked,
    ) -> Result<Vec<Outcome>, Notice> {
        let what = |index: usize| format!("{}, case {index}", self.name);
        let read =
            |(index, raw): (usize, &&'a RawValue)| self.file.read::<T>(raw.get(), &what(index));
        let cases = self.cases.iter().enumerate().map(read);
        let cases = cases.collect::<Result<Vec<T>, Notice>>()?;
        let mut outcomes = Vec::with_capacity(cases.len());
        for (index, case) in cases.iter().enumerate() {
            let differs = match check(case) {
                Ok(()) => None,
                Err(Fault::Differs(how)) => Some(how),
                Err(Fault::Malformed(why)) => {
                    let headline = format!("{}: {why}", what(index));
                    return Err(self.file.about(self.cases[index].get(), headline));
                }
            };
            outcomes.push(Outcome {
                section: self.name.to_owned(),
                index,
                differs,
            });
        }
        Ok(outcomes)
    }
}
