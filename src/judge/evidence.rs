//! Evidence over a rollout: the engines with their state, fed one look at a time.
//!
//! The default regression evidence is `E = 0.9 E_vote + 0.1 E_fast`. `E_fast` is the count engine with
//! `phi_t = max(50, n1_t/10)` and each look's factor cut at 4: a fast lane for outages that a single
//! giant burst cannot trigger. (The holdpoint judge, sections 0 and 1.)
//!
//! A look that is missing is not fed. One without traffic is: it has the factor 1 and takes its time.

use serde::{Deserialize, Serialize};

use super::count::{Direction, Odds};
use super::counts::{Centre, Counts, LOWEST_CENTRE, Line, Tolerance, total};
use super::mixture::{DOWN, Mixture, Stakes, UP, VOTE};
use super::numeric::log_add_exp;
use super::vote::Vote;

/// How many strata a look may have.
pub const MOST_STRATA: usize = 8;
/// The weight of the fast lane.
const FAST: f64 = 0.1;
/// The largest factor of one look in the fast lane.
const FAST_FACTOR: f64 = 4.0;
/// The smallest cluster that the fast lane reckons with.
const FAST_PHI: f64 = 50.0;

/// What an engine is set to; fixed before the first look.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// What is allowed.
    pub tolerance: Tolerance,
    /// When how much of the stake is put in.
    pub stakes: Stakes,
    /// The centre is 0 below this fraction.
    pub lowest_centre: f64,
    /// What the baseline did before the rollout, its bad requests and all.
    pub warm: (f64, f64),
}

impl Default for Settings {
    /// 1.25 x + 0.02 points, over 240 looks, half of it kept for late regressions.
    fn default() -> Settings {
        Settings {
            tolerance: Tolerance::default(),
            stakes: Stakes::new(240, 0.5),
            lowest_centre: LOWEST_CENTRE,
            warm: (0.0, 0.0),
        }
    }
}

/// Settings and what they need of the past.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Base {
    settings: Settings,
    centre: Centre,
}

impl Base {
    fn new(settings: Settings) -> Base {
        Base {
            settings,
            centre: Centre::new(settings.warm.0, settings.warm.1),
        }
    }

    /// The centre and the line for the look to come.
    fn now(&self) -> (f64, Line) {
        let c0 = self.centre.fraction(self.settings.lowest_centre);
        (c0, self.settings.tolerance.at(c0))
    }
}

/// The votes of a look, worked out once for all points of the grid.
struct Votes([Option<Vote>; MOST_STRATA]);

impl Votes {
    fn of(strata: &[Counts], line: Line) -> Votes {
        let mut held = [None; MOST_STRATA];
        for (place, look) in held.iter_mut().zip(strata) {
            *place = Vote::of(look, line);
        }
        Votes(held)
    }

    fn ln_factor(&self, r: f64) -> f64 {
        let votes = self.0.iter().flatten();
        votes.map(|vote| vote.ln_factor(r)).sum()
    }
}

/// The same for the count engine.
struct AllOdds([Option<Odds>; MOST_STRATA]);

impl AllOdds {
    fn of(strata: &[Counts], line: Line, c0: f64) -> AllOdds {
        let mut held = [None; MOST_STRATA];
        for (place, look) in held.iter_mut().zip(strata) {
            *place = Odds::of(look, line, c0);
        }
        AllOdds(held)
    }

    fn ln_factor(&self, direction: Direction, r: f64) -> f64 {
        let odds = self.0.iter().flatten();
        odds.map(|odds| odds.ln_factor(direction, r)).sum()
    }
}

/// The vote engine over a rollout.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct VoteEvidence {
    base: Base,
    mixture: Mixture,
}

impl VoteEvidence {
    /// No look yet. The tolerance needs a `rho` above 0.
    pub fn new(settings: Settings) -> VoteEvidence {
        VoteEvidence {
            base: Base::new(settings),
            mixture: Mixture::default(),
        }
    }

    /// Takes in a look of up to [`MOST_STRATA`] strata.
    pub fn feed(&mut self, strata: &[Counts]) {
        let (_, line) = self.base.now();
        let votes = Votes::of(strata, line);
        let stakes = self.base.settings.stakes;
        self.mixture.step(&stakes, |j| votes.ln_factor(VOTE[j]));
        self.base.centre.take(total(strata));
    }

    /// `ln E`.
    pub fn ln_e(&self) -> f64 {
        self.mixture.ln_e(&self.base.settings.stakes)
    }
}

/// The count engine over a rollout.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CountEvidence {
    base: Base,
    mixture: Mixture,
    direction: Direction,
}

impl CountEvidence {
    /// No look yet.
    pub fn new(settings: Settings, direction: Direction) -> CountEvidence {
        CountEvidence {
            base: Base::new(settings),
            mixture: Mixture::default(),
            direction,
        }
    }

    /// Takes in a look of up to [`MOST_STRATA`] strata with clusters of `phi`, which must be known
    /// before the look. `most` cuts the look's factor, in logarithms.
    pub fn feed(&mut self, strata: &[Counts], phi: f64, most: f64) {
        let (c0, line) = self.base.now();
        let odds = AllOdds::of(strata, line, c0);
        let direction = self.direction;
        let grid = match direction {
            Direction::Up => &UP,
            Direction::Down => &DOWN,
        };
        let stakes = self.base.settings.stakes;
        self.mixture.step(&stakes, |j| {
            (odds.ln_factor(direction, grid[j]) / phi).min(most)
        });
        self.base.centre.take(total(strata));
    }

    /// `ln E`.
    pub fn ln_e(&self) -> f64 {
        self.mixture.ln_e(&self.base.settings.stakes)
    }

    /// How many looks were taken in.
    pub fn looks(&self) -> u32 {
        self.mixture.looks()
    }
}

/// The default evidence for a regression.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Regression {
    vote: VoteEvidence,
    fast: CountEvidence,
}

impl Regression {
    /// No look yet. The tolerance needs a `rho` above 0.
    pub fn new(settings: Settings) -> Regression {
        Regression {
            vote: VoteEvidence::new(settings),
            fast: CountEvidence::new(settings, Direction::Up),
        }
    }

    /// Takes in a look of up to [`MOST_STRATA`] strata.
    pub fn feed(&mut self, strata: &[Counts]) {
        self.vote.feed(strata);
        let n1: f64 = strata.iter().map(|look| look.n1).sum();
        let phi = (n1 / 10.0).max(FAST_PHI);
        self.fast.feed(strata, phi, FAST_FACTOR.ln());
    }

    /// `ln E`.
    pub fn ln_e(&self) -> f64 {
        log_add_exp(
            (1.0 - FAST).ln() + self.vote.ln_e(),
            FAST.ln() + self.fast.ln_e(),
        )
    }

    /// How many looks were taken in.
    pub fn looks(&self) -> u32 {
        self.fast.looks()
    }
}

/// Evidence that the canary is worse or better than the line allows: half on each side, the second
/// with the arms swapped.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TwoSided {
    higher: Regression,
    lower: Regression,
}

impl TwoSided {
    /// No look yet.
    pub fn new(settings: Settings) -> TwoSided {
        // what is known of the baseline's past says nothing of the canary's
        let lower = Settings {
            warm: (0.0, 0.0),
            ..settings
        };
        TwoSided {
            higher: Regression::new(settings),
            lower: Regression::new(lower),
        }
    }

    /// Takes in a look.
    pub fn feed(&mut self, look: Counts) {
        self.higher.feed(&[look]);
        self.lower.feed(&[look.swapped()]);
    }

    /// `ln E = ln (E_up + E_swapped)/2`.
    pub fn ln_e(&self) -> f64 {
        log_add_exp(self.higher.ln_e(), self.lower.ln_e()) - std::f64::consts::LN_2
    }

    /// `ln E` of the canary being lower than allowed.
    pub fn ln_e_lower(&self) -> f64 {
        self.lower.ln_e()
    }
}
