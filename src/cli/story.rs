//! An event in a line of words, for the ledger.

use super::view::time;
use crate::domain::approval;
use crate::domain::authority::Told as Authority;
use crate::domain::calendar::Told as Calendar;
use crate::domain::event::What;
use crate::domain::log::instance_of;
use crate::domain::pir::Told as Pir;
use crate::domain::readiness::Told;
use crate::domain::refusal::short;
use crate::domain::waiting::health_words;
use crate::domain::{Choice, EffectId, GroupName, Health, Outcome, Sight, TargetName, Timestamp};

/// What happened, in a line.
pub fn words(what: &What, at: Timestamp) -> String {
    match what {
        What::CharterAdopted { charter, digest } => format!(
            "the room's files are in force: {} people, {} targets, {}",
            charter.people.len(),
            charter.targets.len(),
            short(digest)
        ),
        What::Submitted { plan, digest, .. } => {
            format!("submits \"{}\", plan {}", plan.title, short(digest))
        }
        What::Voted {
            digest,
            choice,
            groups,
            comment,
            ..
        } => voted(digest, *choice, groups, comment),
        What::Approval(told) => approval::line(told, at).1,
        What::Authority(told) => authority(told),
        What::Pir(Pir::Opened(pir)) => {
            format!("opens the review of {}, for {}", pir.incident, pir.owner)
        }
        What::Pir(Pir::Closed { findings, .. }) => format!("closes the review: {findings}"),
        What::Ruled { ruling, .. } => format!(
            "rules: risk {}; {}: {}",
            ruling.risk.words(),
            ruling.rule_words(),
            ruling.asks()
        ),
        What::HoldOpened { hold, .. } => format!("stands at {hold}"),
        What::HoldCleared { hold, by, .. } => format!("{hold} cleared: {by}"),
        What::HoldReopened { hold, why, .. } => format!("{hold} is open again: {why}"),
        What::Waived { hold, reason, .. } => format!("waives {hold}: {reason}"),
        What::Readiness(Told::Evidence {
            digest,
            check,
            evidence,
            ..
        }) => format!("{check} of plan {}: {}", short(digest), evidence.words()),
        What::HoldWarned { hold, .. } => format!("the deadline of {hold} comes near"),
        What::DeadlinePassed { hold, then, .. } => {
            format!("the deadline of {hold} is over: {}", then.words())
        }
        What::Started { was, .. } => format!("begins; {} instances noted", was.len()),
        What::BatchBegan { batch, .. } => format!("batch {} begins", batch + 1),
        What::BatchDone { batch, .. } => format!("batch {} is done", batch + 1),
        What::EffectBegun { effect } => format!("begins {}", effect.id),
        What::EffectEnded {
            effect,
            outcome,
            again,
            ..
        } => ended(effect, outcome, again.is_some()),
        What::StepRetried {
            target, instance, ..
        } => format!("{target} {instance} is tried again"),
        What::Paused { why, .. } => because("pauses", why),
        What::Calendar(told) => calendar(told),
        What::PromotedAll { why, .. } => because("promotes all of it", why),
        What::Resumed { .. } => "resumes".to_owned(),
        What::TriggerFired { trigger, words, .. } => {
            format!("trigger {} fires: {words}", trigger + 1)
        }
        What::RollbackBegan { why, .. } => because("goes back", why),
        What::Judged { verdict, .. } => format!(
            "{} {}: {}",
            verdict.metric,
            verdict.call.word(),
            verdict.seen()
        ),
        What::Weighed { judgement, .. } => match judgement.shadow {
            true => format!("the judge, in shadow, says {}", judgement.words()),
            false => format!("the judge says {}", judgement.words()),
        },
        What::StepUnproven { hold, .. } => {
            format!("pauses: {hold} is over without proof")
        }
        What::Found { hold, finding, .. } => format!("{hold}: {}", finding.words),
        What::WritingResumed { since } => {
            format!(
                "the ledger can be written again; it could not since {}",
                time(*since)
            )
        }
        What::InstanceSeen { target, sight } => seen(target, sight),
        What::ObservationBegan { .. } => "is fully exposed and observed".to_owned(),
        What::HandedOver { note, .. } => format!("hands over: {note}"),
        What::Closed { ending, why, .. } => because(ending.words(), why),
    }
}

fn authority(told: &Authority) -> String {
    match told {
        Authority::Granted(grant) => format!(
            "gives {} {} for {} until {} ({}): {}",
            grant.to,
            grant.gift,
            grant.scope,
            time(grant.until),
            grant.id,
            grant.why
        ),
        Authority::Revoked { grant } => format!("takes {grant} back"),
    }
}

fn calendar(told: &Calendar) -> String {
    match told {
        Calendar::Looked { answer, .. } if answer.bars.is_empty() => {
            "the calendar allows it".to_owned()
        }
        Calendar::Looked { answer, .. } => {
            let bars: Vec<String> = answer.bars.iter().map(|bar| bar.words()).collect();
            format!("the calendar holds it: {}", bars.join("; "))
        }
        Calendar::Requested { exemption, wish } => format!(
            "asks for exemption {exemption} from {} for {} until {}, {}: {}",
            wish.rule,
            wish.scope.words(),
            time(wish.until),
            wish.ticket,
            wish.reason
        ),
        Calendar::Approved { exemption } => format!("approves exemption {exemption}"),
        Calendar::Revoked { exemption, why } => {
            because(&format!("revokes exemption {exemption}"), why)
        }
        Calendar::LockedDown {
            lockdown,
            scope,
            reason,
        } => format!("LOCKDOWN {lockdown} of {}: {reason}", scope.words()),
        Calendar::Lifted { lockdown, why } => because(&format!("lifts lockdown {lockdown}"), why),
    }
}

fn voted(digest: &str, choice: Choice, groups: &[GroupName], comment: &str) -> String {
    let groups: Vec<&str> = groups.iter().map(GroupName::as_str).collect();
    let what = format!(
        "votes to {} plan {} for {}",
        choice.word(),
        short(digest),
        groups.join(", ")
    );
    because(&what, comment)
}

fn ended(effect: &EffectId, outcome: &Outcome, again: bool) -> String {
    let later = if again { ", tries again by itself" } else { "" };
    let name = instance_of(effect.as_str());
    match outcome {
        Outcome::Done { took } => format!("{name} done in {took}"),
        Outcome::Failed { why, output } => because(&format!("{name} failed, {why}{later}"), output),
        Outcome::Unknown { why } => format!("{name} unknown: {why}"),
    }
}

fn seen(target: &TargetName, sight: &Sight) -> String {
    let runs = match (&sight.artifact, sight.health) {
        (Some(artifact), Health::Running) => format!("runs {}", artifact.version),
        (Some(artifact), health) => format!("{} with {}", health_words(health), artifact.version),
        (None, Health::Running) => "runs, nobody knows what".to_owned(),
        (None, health) => health_words(health).to_owned(),
    };
    format!("{target} {} {runs}", sight.instance)
}

fn because(what: &str, why: &str) -> String {
    match why.is_empty() {
        true => what.to_owned(),
        false => format!("{what}: {why}"),
    }
}
