//! The hands: carry out calls, and find out after a crash what became of them.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::EngineHandle;
use super::start::Targets;
use crate::domain::{Actor, Ask, Door, Effect, Health, Outcome, ReleaseId, Span, TargetName, Verb};
use crate::platform::helm::Helm;
use crate::platform::{Checked, Platform};

/// The longest pause between two attempts to report an outcome that could not be written down.
const REPORT_PAUSE_MAX: Duration = Duration::from_secs(10);

/// Carries out calls, each in a task of its own: a platform that hangs stalls only itself.
#[derive(Clone)]
pub(super) struct Hands {
    engine: EngineHandle,
    targets: Targets,
    /// Counts ended calls per target, so that the eyes look at once.
    ended: Arc<watch::Sender<Option<TargetName>>>,
}

impl Hands {
    pub fn new(engine: EngineHandle, targets: Targets) -> Hands {
        Hands {
            engine,
            targets,
            ended: Arc::new(watch::channel(None).0),
        }
    }

    /// Tells of the newest target on which a call has ended.
    pub fn ended(&self) -> watch::Receiver<Option<TargetName>> {
        self.ended.subscribe()
    }

    /// Carries out a call that has just been written down as begun.
    pub fn carry(&self, effect: Effect) {
        let hands = self.clone();
        tokio::spawn(async move {
            let outcome = match hands.platform(&effect.target) {
                Some(platform) => platform.perform(&effect, hands.helm(&effect)).await,
                None => no_target(&effect),
            };
            hands.ended_with(effect, outcome).await;
        });
    }

    /// Finds out what became of a call that an earlier engine began.
    pub fn recover(&self, effect: Effect) {
        let hands = self.clone();
        tokio::spawn(async move {
            let outcome = match hands.platform(&effect.target) {
                Some(platform) => recovered(platform, &effect, hands.helm(&effect)).await,
                None => no_target(&effect),
            };
            hands.ended_with(effect, outcome).await;
        });
    }

    async fn ended_with(&self, effect: Effect, outcome: Outcome) {
        let moved = matches!(outcome, Outcome::Done { .. }) && effect.verb != Verb::Rollback;
        let (target, release) = (effect.target.clone(), effect.release);
        self.report(effect, outcome).await;
        if moved {
            self.tidy(target, release);
        }
    }

    /// Has a target cleared up after a release that has moved it, once that is closed.
    pub fn tidy(&self, target: TargetName, release: ReleaseId) {
        let hands = self.clone();
        tokio::spawn(async move {
            if let Some(platform) = hands.platform(&target) {
                let helm = Helm::new(hands.engine.state(), release, true);
                platform.tidy(release, helm).await;
            }
        });
    }

    fn helm(&self, effect: &Effect) -> Helm {
        let forward = effect.verb != Verb::Rollback;
        Helm::new(self.engine.state(), effect.release, forward)
    }

    fn platform(&self, target: &TargetName) -> Option<&Platform> {
        self.targets.get(target).map(|part| &part.platform)
    }

    /// Reports until the engine has it durably: an outcome must not get lost.
    async fn report(&self, effect: Effect, outcome: Outcome) {
        let mut pause = Duration::from_millis(200);
        loop {
            let ask = Ask::Ended {
                effect: effect.id.clone(),
                release: effect.release,
                outcome: outcome.clone(),
            };
            match self.engine.ask(Actor::Engine, Door::Engine, ask).await {
                Ok(_) => break,
                Err(notice) if notice.code == "engine-gone" => return,
                Err(_) => {
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(REPORT_PAUSE_MAX);
                }
            }
        }
        self.ended.send_replace(Some(effect.target));
    }
}

async fn recovered(platform: &Platform, effect: &Effect, helm: Helm) -> Outcome {
    match platform.check(effect).await {
        Checked::Ended(outcome) => outcome,
        Checked::Running => platform.wait(effect, helm).await,
        // the effect is still wanted, it was written down, and it certainly never began
        Checked::NeverStarted => platform.perform(effect, helm).await,
        Checked::Unknown { why } => by_sight(platform, effect, why).await,
    }
}

/// When the call itself left no trace of its end, the instance may show it: if it runs exactly what
/// the call was to bring, the call was carried out. Anything else is for a person.
async fn by_sight(platform: &Platform, effect: &Effect, why: Arc<str>) -> Outcome {
    let sights = platform
        .observe()
        .await
        .map_or(Vec::new(), |seen| seen.sights);
    let there = sights.iter().any(|sight| {
        sight.instance == effect.instance
            && sight.health == Health::Running
            && sight.artifact.as_ref() == Some(&effect.artifact)
            && sight.arriving.is_none()
    });
    if there {
        Outcome::Done { took: Span(0) }
    } else {
        Outcome::Unknown { why }
    }
}

fn no_target(effect: &Effect) -> Outcome {
    Outcome::Unknown {
        why: format!("{} is not in room.toml any more", effect.target).into(),
    }
}
