//! The line that an event leaves in its release's log.

use super::command::{Choice, Door};
use super::effect::{Outcome, Verb};
use super::event::{Event, What};
use super::readiness::{Evidence, Told};
use super::refusal::short;
use super::release::{LogLine, Release, Tone};
use super::verdict::{Call, Decision};

/// The line of an event, where it is worth one.
pub fn line(release: &Release, event: &Event) -> Option<LogLine> {
    let (tone, text) = words(release, event)?;
    Some(LogLine {
        at: event.at,
        who: event.who.clone(),
        text: text.into(),
        tone,
    })
}

#[expect(clippy::too_many_lines, reason = "one short arm for each event")]
fn words(release: &Release, event: &Event) -> Option<(Tone, String)> {
    let sample = if event.door == Door::Sample {
        " (sample)"
    } else {
        ""
    };
    Some(match &event.what {
        What::Submitted { digest, .. } => (
            Tone::Plain,
            format!("submitted, plan {}{sample}", short(digest)),
        ),
        What::Voted {
            choice,
            comment,
            groups,
            ..
        } => {
            let tone = match choice {
                Choice::Approve => Tone::Good,
                Choice::Reject | Choice::Object | Choice::RequestChanges => Tone::Bad,
                Choice::Abstain => Tone::Plain,
            };
            let group = groups
                .first()
                .map(|g| format!(" for {g}"))
                .unwrap_or_default();
            let comment = if comment.is_empty() {
                String::new()
            } else {
                format!(": {comment}")
            };
            (
                tone,
                format!("votes to {}{group}{sample}{comment}", choice.word()),
            )
        }
        What::Ruled { ruling, .. } => (
            Tone::Plain,
            format!(
                "risk {}; {}: {}",
                ruling.risk.words(),
                ruling.rule_words(),
                ruling.asks()
            ),
        ),
        What::Approval(told) => super::approval::line(told, event.at),
        What::HoldOpened { hold, .. } => {
            let hold = release.holds().find(|h| h.id == *hold)?;
            match hold.kind {
                super::hold::HoldKind::Manual { ref ask } => (Tone::Ask, format!("asks: {ask}")),
                _ => return None,
            }
        }
        What::HoldCleared { hold, by, .. } => {
            let kind = release.holds().find(|h| h.id == *hold)?.kind.word();
            let name = if hold.as_str() == "start" {
                "start"
            } else {
                kind
            };
            (Tone::Good, format!("{name} cleared: {by}"))
        }
        What::HoldReopened { hold, why, .. } => {
            let kind = release.holds().find(|h| h.id == *hold)?.kind.word();
            (Tone::Ask, format!("{kind} is open again: {why}"))
        }
        What::Waived { hold, reason, .. } => (Tone::Ask, format!("waives {hold}: {reason}")),
        What::Readiness(Told::Evidence {
            check, evidence, ..
        }) => {
            let tone = match evidence {
                Evidence::Ran { pass: false, .. } => Tone::Bad,
                Evidence::Revoked(_) => Tone::Ask,
                _ => Tone::Good,
            };
            (tone, format!("{check}: {}", evidence.words()))
        }
        What::HoldWarned { hold, .. } => {
            let hold = release.holds().find(|h| h.id == *hold)?;
            (
                Tone::Ask,
                format!("deadline of {} comes near", hold.kind.word()),
            )
        }
        What::DeadlinePassed { hold, then, .. } => {
            let hold = release.holds().find(|h| h.id == *hold)?;
            (
                Tone::Bad,
                format!("deadline of {} is over: {}", hold.kind.word(), then.words()),
            )
        }
        What::Started { .. } => (Tone::Plain, "begins".to_owned()),
        What::BatchBegan { batch, .. } => (
            Tone::Plain,
            format!(
                "batch {} begins: {}",
                batch + 1,
                release.batches.get(*batch)?.exposure
            ),
        ),
        What::BatchDone { batch, .. } => (Tone::Good, format!("batch {} is done", batch + 1)),
        What::EffectBegun { effect } => {
            let share = effect.exposure.map(|share| format!("{share} of "));
            let text = format!(
                "{}{} → {} {}",
                share.unwrap_or_default(),
                effect.instance,
                effect.artifact.version,
                verb(effect.verb)
            );
            (Tone::Plain, text)
        }
        What::EffectEnded {
            effect,
            outcome,
            again,
            ..
        } => {
            let name = instance_of(effect.as_str());
            let later = again.map(|_| ", tries again by itself").unwrap_or_default();
            match outcome {
                Outcome::Done { took } => (Tone::Good, format!("{name} done in {took}")),
                Outcome::Failed { why, output } => {
                    let output = if output.is_empty() {
                        String::new()
                    } else {
                        format!(": {output}")
                    };
                    (Tone::Bad, format!("{name} failed, {why}{later}{output}"))
                }
                Outcome::Unknown { why } => (Tone::Bad, format!("{name}: {why}")),
            }
        }
        What::StepRetried { instance, .. } => (Tone::Plain, format!("{instance} is tried again")),
        What::Paused { why, .. } => (Tone::Ask, reason("paused", why)),
        What::PromotedAll { why, .. } => (Tone::Ask, reason("promotes all of it", why)),
        What::Resumed { .. } => (Tone::Plain, "goes on".to_owned()),
        What::TriggerFired { trigger, words, .. } => {
            let trigger = release.plan.triggers.get(*trigger)?;
            (
                Tone::Bad,
                format!(
                    "trigger {}: {}: {words}",
                    trigger.name(),
                    trigger.action.words()
                ),
            )
        }
        What::RollbackBegan { why, .. } => (Tone::Bad, reason("goes back", why)),
        What::Judged { verdict, .. } => {
            let tone = match verdict.call {
                Call::Pass => Tone::Good,
                Call::Fail => Tone::Bad,
                Call::Hold => Tone::Ask,
                Call::Undecided | Call::NoData => Tone::Plain,
            };
            (
                tone,
                format!(
                    "{} {}: {}",
                    verdict.metric,
                    verdict.call.word(),
                    verdict.seen()
                ),
            )
        }
        What::Weighed { judgement, .. } => {
            let tone = match judgement.decision {
                Decision::Promote => Tone::Good,
                Decision::RollBack => Tone::Bad,
                Decision::Pause | Decision::Inconclusive => Tone::Ask,
                Decision::Continue => Tone::Plain,
            };
            let judge = if judgement.shadow {
                "judge (shadow)"
            } else {
                "judge"
            };
            (tone, format!("{judge}: {}", judgement.words()))
        }
        What::StepUnproven { hold, .. } => (Tone::Ask, format!("{hold} is over without proof")),
        What::Found { finding, .. } => (
            if finding.pass { Tone::Good } else { Tone::Bad },
            finding.words.to_string(),
        ),
        What::ObservationBegan { .. } => (
            Tone::Good,
            format!("fully exposed, observed for {}", release.plan.observe.span),
        ),
        What::Calendar(_) => {
            let answer = release.calendar.as_ref().filter(|a| !a.bars.is_empty())?;
            let text = format!("calendar: {}", answer.words(event.at));
            let said = release.log.last().is_some_and(|line| *line.text == *text);
            (!said).then_some((Tone::Ask, text))?
        }
        What::HandedOver { note, .. } => (Tone::Plain, format!("handover: {note}")),
        What::Pir(super::pir::Told::Opened(pir)) => (
            Tone::Ask,
            format!("its review is opened, for {}", pir.owner),
        ),
        What::Pir(super::pir::Told::Closed { findings, .. }) => {
            (Tone::Good, format!("its review is closed: {findings}"))
        }
        What::CharterAdopted { .. }
        | What::Authority(_)
        | What::WritingResumed { .. }
        | What::InstanceSeen { .. }
        | What::Closed { .. } => {
            return None;
        }
    })
}

fn verb(verb: Verb) -> &'static str {
    match verb {
        Verb::Deploy => "",
        Verb::Rollback => "back",
        Verb::Drain => "drain",
        Verb::Undrain => "undrain",
    }
}

fn reason(what: &str, why: &str) -> String {
    if why.is_empty() {
        what.to_owned()
    } else {
        format!("{what}: {why}")
    }
}

/// What people call an effect: `payments-eu.i-03 deploy`, from `R-3.b1.payments-eu.i-03.deploy.1`.
pub fn instance_of(effect: &str) -> String {
    let mut parts: Vec<&str> = effect.split('.').skip(2).collect();
    let attempt = parts.pop().unwrap_or_default();
    let verb = parts.pop().unwrap_or_default();
    let name = parts.join(".");
    if attempt == "1" || attempt.is_empty() {
        format!("{name} {verb}")
    } else {
        format!("{name} {verb}, attempt {attempt},")
    }
}
