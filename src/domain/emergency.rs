//! The emergency path: what it asks for, and how it ends by itself.
//!
//! An emergency is approved by fewer people, so it is a loan: its plan names the incident, the reason
//! and a time box. The box begins with the first call. What is not finished when it ends, which
//! means moved everywhere, observed for its whole observation period, and closed, goes back by
//! itself, whether it moves, is watched or is paused: nobody with the usual quorum ever agreed to
//! it, and it has not proven itself in the time that was asked for. What has proven itself inside
//! the box stays, because taking a working fix away at night would bring the incident back; whether
//! it was right is for the review, which is opened the moment the release begins.

use super::ids::{Span, Timestamp};
use super::plan::{BatchPlan, Kind, Plan};
use super::problems::Problem;
use super::release::{Phase, Release};

/// The longest time box.
pub const LONGEST: Span = Span::mins(72 * 60);

/// How long before the end of a time box people are told at most; a fifth of a short one.
const WARN: Span = Span::mins(30);

/// When the time box of a release ends, while it is open.
pub fn box_end(release: &Release) -> Option<Timestamp> {
    let box_ = release.plan.emergency.as_ref()?;
    let running = matches!(release.phase, Phase::Rolling | Phase::Observing);
    let began = release.batches.first()?.began.filter(|_| running)?;
    Some(began.plus(box_.lasts))
}

/// When people are told that the time box ends, unless they were told.
pub fn warns(release: &Release) -> Option<Timestamp> {
    let end = box_end(release).filter(|_| !release.box_warned)?;
    let lasts = release.plan.emergency.as_ref()?.lasts;
    Some(end.minus(Span(lasts.0 / 5).min(WARN)))
}

/// What is wrong with a plan's emergency path.
pub(super) fn problems(plan: &Plan) -> Vec<Problem> {
    let problem = |path: &str, code, headline: &str, next: &str| Problem {
        path: path.to_owned(),
        code,
        headline: headline.to_owned(),
        next_step: next.to_owned(),
    };
    let Some(grounds) = &plan.emergency else {
        return match plan.kind {
            Kind::Emergency => vec![problem(
                "kind",
                "emergency-without-grounds",
                "an emergency names its incident, its reason and its time box",
                "add `emergency: { incident: INC-90, reason: receipts are sent twice, lasts: 2h }`",
            )],
            Kind::Standard | Kind::Normal => Vec::new(),
        };
    };
    let mut found = Vec::new();
    if plan.kind != Kind::Emergency {
        found.push(problem(
            "emergency",
            "no-emergency",
            &format!("a {} release has no time box", plan.kind.word()),
            "write `kind: emergency`, or leave the section out",
        ));
    }
    for (path, text) in [
        ("emergency.incident", &grounds.incident),
        ("emergency.reason", &grounds.reason),
    ] {
        if text.trim().is_empty() {
            found.push(problem(
                path,
                "empty-grounds",
                "an emergency without grounds is none",
                "name the incident, and say in a sentence why this cannot wait",
            ));
        }
    }
    let least = least(plan);
    if grounds.lasts <= least {
        found.push(problem(
            "emergency.lasts",
            "box-too-short",
            &format!(
                "the time box of {} ends before the release can: its bakes and its observation alone take {least}",
                grounds.lasts
            ),
            "give it more time, or observe it for less",
        ));
    } else if grounds.lasts > LONGEST {
        found.push(problem(
            "emergency.lasts",
            "box-too-long",
            &format!("a time box lasts {LONGEST} at most, not {}", grounds.lasts),
            "what may take longer can go the normal path",
        ));
    }
    found
}

/// The time that a plan takes even if every call is done at once.
fn least(plan: &Plan) -> Span {
    let holds = |b: &BatchPlan| {
        let all = b.before.iter().chain(&b.after);
        all.filter_map(|h| h.bake).map(|span| span.0).sum::<u64>()
    };
    let bakes: u64 = plan.batches.iter().map(holds).fold(0, u64::saturating_add);
    Span(plan.observe.span.0.saturating_add(bakes))
}
