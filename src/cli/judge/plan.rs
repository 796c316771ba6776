//! `judge --plan`: what a rollout of given traffic, share and time can see.

use schemars::JsonSchema;
use serde::Serialize;

use crate::cli::exit::Stop;
use crate::cli::judge_args::PlanArgs;
use crate::cli::view::line;
use crate::domain::Notice;
use crate::judge::count::Direction;
use crate::judge::counts::{Line, Tolerance};
use crate::judge::planning::Expected;
use crate::judge::promote::MARGIN;
use crate::judge::words::{allowed, percent, significant, stretch};

/// Ratios that the table shows.
const RATIOS: [f64; 6] = [1.5, 2.0, 3.0, 5.0, 10.0, 40.0];

/// What a rollout can see.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "holdpoint.judge-plan/1")]
pub struct PlanView {
    /// `holdpoint.judge-plan/1`.
    pub schema: &'static str,
    /// How many looks the rollout has.
    pub looks: f64,
    /// The least ratio of bad fractions that it shows, as strong as a rollback needs; `null` for none.
    pub least_ratio: Option<f64>,
    /// Looks until a regression of that ratio is shown; `null` for never.
    pub regressions: Vec<RatioView>,
    /// Looks until an equal version is proven within the margin; `null` for never.
    pub promotion_looks: Option<f64>,
}

/// A regression and when it is seen.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct RatioView {
    /// The canary's bad fraction by the baseline's.
    pub ratio: f64,
    /// Looks until then; `null` for never.
    pub looks: Option<f64>,
}

/// Answers for these numbers.
///
/// # Errors
/// When a number makes no sense.
pub fn plan(args: &PlanArgs, json: bool) -> Result<String, Stop> {
    let line_allowed = Line {
        rho: args.rho,
        delta: args.delta,
    };
    check(args)?;
    let requests = args.rps * args.look;
    let expected = |tolerance, alpha, phi| Expected {
        n1: requests * args.share / 100.0,
        n0: requests * (1.0 - args.share / 100.0),
        p0: args.bad / 100.0,
        tolerance,
        alpha,
        phi,
    };
    let regression = expected(Tolerance::Line(line_allowed), 0.01, 1.0);
    let promotion = expected(Tolerance::Line(MARGIN), 0.05, 3.0);
    let looks = (args.minutes * 60.0 / args.look).floor();
    let finite = |looks: f64| looks.is_finite().then_some(looks);
    let regressions = RATIOS.iter().filter(|ratio| **ratio * args.bad <= 100.0);
    let view = PlanView {
        schema: "holdpoint.judge-plan/1",
        looks,
        least_ratio: regression.least_ratio(looks),
        regressions: regressions
            .map(|ratio| RatioView {
                ratio: *ratio,
                looks: finite(regression.looks_by_vote(ratio * args.bad / 100.0)),
            })
            .collect(),
        promotion_looks: finite(promotion.looks(args.bad / 100.0, Direction::Down)),
    };
    Ok(if json {
        line(&view)
    } else {
        words(&view, args, line_allowed)
    })
}

fn check(args: &PlanArgs) -> Result<(), Stop> {
    let ranges = [
        ("--rps", args.rps, f64::MIN_POSITIVE, 1e12),
        ("--share", args.share, f64::MIN_POSITIVE, 99.99),
        ("--minutes", args.minutes, f64::MIN_POSITIVE, 1e7),
        ("--bad", args.bad, f64::MIN_POSITIVE, 99.99),
        ("--look", args.look, f64::MIN_POSITIVE, 1e6),
        ("--rho", args.rho, f64::MIN_POSITIVE, 1e6),
        ("--delta", args.delta, 0.0, 0.9999),
    ];
    for (name, value, least, most) in ranges {
        if !(least..=most).contains(&value) {
            let from = if least > 0.0 { "above 0" } else { "0" };
            let headline = format!("{name} {value} makes no plan");
            let next = format!("give a number from {from} to {most}");
            return Err(Stop::input(
                Notice::error("bad-plan-numbers", headline).next(next),
            ));
        }
    }
    Ok(())
}

fn words(view: &PlanView, args: &PlanArgs, line: Line) -> String {
    let mut text = format!(
        "{} requests/s, {}% of them to the new version, {} minutes in looks of {} s; {} of the old \
         version's are bad, allowed is {}.\n\n",
        args.rps,
        args.share,
        args.minutes,
        args.look,
        percent(args.bad / 100.0),
        allowed(Tolerance::Line(line))
    );
    match view.least_ratio {
        Some(ratio) => text.push_str(&format!(
            "It can only reveal regressions of {}x and more.\n",
            significant((ratio * 100.0).ceil() / 100.0, 3)
        )),
        None => text.push_str("It cannot reveal any regression, not even an outage.\n"),
    }
    for one in &view.regressions {
        let looks = one.looks.unwrap_or(f64::INFINITY);
        let within = if looks <= view.looks {
            ""
        } else {
            "  (too late)"
        };
        let after = stretch(looks.ceil(), args.look);
        text.push_str(&format!("  {:>4}x  {after}{within}\n", one.ratio));
    }
    text.push_str(&match view.promotion_looks {
        Some(looks) if looks <= view.looks => format!(
            "An equal version is proven within {} after {}.\n",
            allowed(Tolerance::Line(MARGIN)),
            stretch(looks.ceil(), args.look)
        ),
        Some(looks) => format!(
            "Proof that an equal version is within {} takes longer than this rollout: {}.\n",
            allowed(Tolerance::Line(MARGIN)),
            stretch(looks.ceil(), args.look)
        ),
        None => "An equal version cannot be proven good.\n".to_owned(),
    });
    text
}
