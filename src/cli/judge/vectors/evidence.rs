//! Sections about evidence: single looks, tangents, streams of looks.

use serde::Deserialize;

use super::compare::{Checked, Fault, all_near, malformed, near, same};
use super::{Outcome, Section};
use crate::cli::judge::json::{Num, plain};
use crate::domain::Notice;
use crate::judge::count::{self, Direction};
use crate::judge::counts::{Counts, LOWEST_CENTRE, Line, Tolerance};
use crate::judge::evidence::{CountEvidence, MOST_STRATA, Regression, Settings, VoteEvidence};
use crate::judge::mixture::Stakes;
use crate::judge::{odds, vote};

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Engine {
    Vote,
    Count,
    Regression,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Single {
    #[serde(rename = "note", default)]
    _note: Option<String>,
    #[serde(rename = "name", default)]
    _name: Option<String>,
    engine: Engine,
    n1: Num,
    k1: Num,
    n0: Num,
    k0: Num,
    rho: Num,
    delta: Num,
    #[serde(rename = "R")]
    r: Num,
    up: Option<bool>,
    c0: Option<Num>,
    phi: Option<Num>,
    log_e: Num,
}

/// Refuses counts that cannot be.
fn sound(look: Counts) -> Result<Counts, Fault> {
    match look.flaw() {
        Some(flaw) => malformed(flaw),
        None => Ok(look),
    }
}

/// Refuses a tolerance that cannot be.
pub fn line(rho: f64, delta: f64) -> Result<Line, Fault> {
    if !rho.is_finite() || rho < 0.0 || !(0.0..1.0).contains(&delta) {
        return malformed(format!("rho {rho} and delta {delta} are no tolerance"));
    }
    Ok(Line { rho, delta })
}

pub fn single_look(section: &Section<'_>) -> Result<Vec<Outcome>, Notice> {
    let tolerance = section.tolerance("tolerance_abs", 1e-9)?;
    section.each(|case: &Single| {
        let look = sound(Counts {
            n1: case.n1.0,
            k1: case.k1.0,
            n0: case.n0.0,
            k0: case.k0.0,
        })?;
        let line = line(case.rho.0, case.delta.0)?;
        let r = case.r.0;
        let up = case.up.unwrap_or(r > 1.0);
        if !r.is_finite() || r <= 0.0 || r == 1.0 || (up != (r > 1.0)) {
            return malformed(format!("R = {r} is no effect in that direction"));
        }
        let is = match case.engine {
            Engine::Vote if line.rho > 0.0 && up => vote::ln_factor(&[look], line, r),
            Engine::Vote => return malformed("the vote engine needs rho above 0 and R above 1"),
            Engine::Count => {
                let c0 = case.c0.map_or(0.0, |c0| c0.0);
                let phi = phi(case.phi)?;
                let direction = direction(up);
                count::ln_factor(&[look], line, c0, direction, phi, r)
            }
            Engine::Regression => return malformed("a single look has no regression engine"),
        };
        near("log_e", is, case.log_e.0, tolerance)
    })
}

fn direction(up: bool) -> Direction {
    if up { Direction::Up } else { Direction::Down }
}

fn phi(given: Option<Num>) -> Result<f64, Fault> {
    let phi = given.map_or(1.0, |phi| phi.0);
    if phi >= 1.0 && phi.is_finite() {
        return Ok(phi);
    }
    malformed(format!("phi {phi} is below 1"))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Tangent {
    #[serde(rename = "name", default)]
    _name: Option<String>,
    #[serde(rename = "note", default)]
    _note: Option<String>,
    odds: Num,
    c0: Num,
    slope: Num,
    intercept: Num,
}

pub fn odds_tangent(section: &Section<'_>) -> Result<Vec<Outcome>, Notice> {
    let tolerance = section.tolerance("tolerance_abs", 1e-12)?;
    section.each(|case: &Tangent| {
        let line = odds::tangent(case.odds.0, case.c0.0);
        near("slope", line.rho, case.slope.0, tolerance)?;
        near("intercept", line.delta, case.intercept.0, tolerance)
    })
}

/// What an engine is set to.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    restart_mass: Option<Num>,
    horizon: Option<u32>,
    c0_min: Option<Num>,
    rho: Option<Num>,
    delta: Option<Num>,
    odds: Option<Num>,
    warm: Option<[Num; 2]>,
    phi: Option<Num>,
    up: Option<bool>,
}

impl Config {
    pub fn settings(&self) -> Result<Settings, Fault> {
        let mass = self.restart_mass.map_or(0.5, |mass| mass.0);
        if !(0.0..=1.0).contains(&mass) {
            return malformed(format!("restart_mass {mass} is no share"));
        }
        let horizon = self.horizon.unwrap_or(240);
        if horizon == 0 {
            return malformed("horizon 0 has no look");
        }
        let tolerance = match self.odds {
            Some(Num(odds)) if odds.is_finite() && odds > 0.0 => Tolerance::Odds(odds),
            Some(Num(odds)) => return malformed(format!("odds {odds} are no ratio")),
            None => Tolerance::Line(line(
                self.rho.map_or(1.25, |rho| rho.0),
                self.delta.map_or(0.0002, |delta| delta.0),
            )?),
        };
        let warm = self.warm.map_or((0.0, 0.0), |[bad, all]| (bad.0, all.0));
        sound(Counts {
            n0: warm.1,
            k0: warm.0,
            ..Counts::default()
        })?;
        Ok(Settings {
            tolerance,
            stakes: Stakes::new(horizon, mass),
            lowest_centre: self.c0_min.map_or(LOWEST_CENTRE, |lowest| lowest.0),
            warm,
        })
    }
}

/// A look: of one piece, or in strata.
#[derive(Deserialize)]
#[serde(untagged)]
enum Look {
    Whole([Num; 4]),
    Strata(Vec<[Num; 4]>),
}

impl Look {
    fn strata(&self) -> Result<Vec<Counts>, Fault> {
        let counts = |numbers: &[Num; 4]| {
            let [n1, k1, n0, k0] = numbers.map(|number| number.0);
            sound(Counts { n1, k1, n0, k0 })
        };
        match self {
            Look::Whole(numbers) => Ok(vec![counts(numbers)?]),
            Look::Strata(strata) if strata.len() > MOST_STRATA => malformed(format!(
                "{} strata, at most {MOST_STRATA} may be",
                strata.len()
            )),
            Look::Strata(strata) => strata.iter().map(counts).collect(),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stream {
    #[serde(rename = "note", default)]
    _note: Option<String>,
    #[serde(rename = "name", default)]
    _name: Option<String>,
    engine: Engine,
    config: Config,
    looks: Vec<Option<Look>>,
    log_e: Vec<Num>,
    first_look_e20: Option<usize>,
    first_look_e100: Option<usize>,
}

/// One of the engines, running.
enum Running {
    Vote(VoteEvidence),
    Count(CountEvidence, f64),
    Regression(Regression),
}

impl Running {
    fn new(engine: Engine, config: &Config) -> Result<Running, Fault> {
        let settings = config.settings()?;
        if !matches!(engine, Engine::Count) && settings.tolerance.at(0.0).rho <= 0.0 {
            return malformed("only the count engine can do without a baseline (rho 0)");
        }
        Ok(match engine {
            Engine::Vote => Running::Vote(VoteEvidence::new(settings)),
            Engine::Regression => Running::Regression(Regression::new(settings)),
            Engine::Count => {
                let direction = direction(config.up.unwrap_or(true));
                Running::Count(CountEvidence::new(settings, direction), phi(config.phi)?)
            }
        })
    }

    fn feed(&mut self, strata: &[Counts]) {
        match self {
            Running::Vote(engine) => engine.feed(strata),
            Running::Count(engine, phi) => engine.feed(strata, *phi, f64::INFINITY),
            Running::Regression(engine) => engine.feed(strata),
        }
    }

    fn ln_e(&self) -> f64 {
        match self {
            Running::Vote(engine) => engine.ln_e(),
            Running::Count(engine, _) => engine.ln_e(),
            Running::Regression(engine) => engine.ln_e(),
        }
    }
}

pub fn streams(section: &Section<'_>) -> Result<Vec<Outcome>, Notice> {
    let tolerance = section.tolerance("tolerance_abs", 1e-8)?;
    section.each(|case: &Stream| stream(case, tolerance))
}

fn stream(case: &Stream, tolerance: f64) -> Checked {
    let mut engine = Running::new(case.engine, &case.config)?;
    let mut is = Vec::with_capacity(case.looks.len());
    for look in &case.looks {
        if let Some(look) = look {
            engine.feed(&look.strata()?);
        }
        is.push(engine.ln_e());
    }
    all_near("log_e", &is, &plain(&case.log_e), tolerance)?;
    let first = |e: f64| is.iter().position(|ln_e| *ln_e >= e.ln()).map(|at| at + 1);
    same("first_look_e20", &first(20.0), &case.first_look_e20)?;
    same("first_look_e100", &first(100.0), &case.first_look_e100)
}
