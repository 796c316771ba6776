//! Readiness: as long as a checklist is open, the commands of its checks are run, and again after
//! a pause until they end with 0.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::EngineHandle;
use crate::domain::hold::HoldKind;
use crate::domain::readiness::{self, Clearing, Rule};
use crate::domain::release::Release;
use crate::domain::text::printable;
use crate::domain::{Actor, Ask, CheckName, Door, ReleaseId, Span};
use crate::platform::evidence::{Subject, run};
use crate::platform::health::Probe;

/// How many commands run at the same time; the rest wait.
const AT_ONCE: usize = 4;

/// The most characters of what a command says that are kept.
const WORDS: usize = 300;

/// Runs the commands of all open checklists until it is dropped.
pub(super) async fn check_on(engine: EngineHandle) {
    let mut state = engine.state();
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut running: BTreeSet<(ReleaseId, CheckName)> = BTreeSet::new();
    let mut tasks: JoinSet<(ReleaseId, CheckName)> = JoinSet::new();
    loop {
        let now = state.borrow_and_update().clone();
        for release in now.live.values() {
            for rule in due(&engine, release) {
                let key = (release.id, rule.check.clone());
                if running.insert(key.clone()) {
                    let (engine, places) = (engine.clone(), places.clone());
                    tasks.spawn(until_clear(engine, places, key));
                }
            }
        }
        tokio::select! {
            changed = state.changed() => if changed.is_err() { return },
            Some(done) = tasks.join_next() => if let Ok(key) = done { running.remove(&key); },
        }
    }
}

/// The checks of a release whose commands have to be run now.
fn due<'a>(engine: &EngineHandle, release: &'a Release) -> Vec<&'a Rule> {
    let open = release.hold().is_some_and(|hold| {
        matches!(hold.kind, HoldKind::Readiness { .. }) && hold.open().is_some()
    });
    if !open || release.paused.is_some() {
        return Vec::new();
    }
    readiness::open(release, engine.clock().now())
        .into_iter()
        .map(|(rule, _)| rule)
        .filter(|rule| matches!(rule.clearing, Clearing::Command { .. }))
        .collect()
}

/// Runs one check's command again and again until the check is cleared or nobody asks any more.
async fn until_clear(
    engine: EngineHandle,
    places: Arc<Semaphore>,
    key: (ReleaseId, CheckName),
) -> (ReleaseId, CheckName) {
    loop {
        let state = engine.state.borrow().clone();
        let release = state.live.get(&key.0).cloned();
        let rule = release.as_ref().and_then(|release| {
            let mut rules = due(&engine, release).into_iter();
            rules.find(|rule| rule.check == key.1).cloned()
        });
        let (Some(release), Some(rule)) = (release, rule) else {
            return key;
        };
        let Clearing::Command {
            argv,
            timeout,
            every,
        } = &rule.clearing
        else {
            return key;
        };
        let argv: Vec<String> = argv.iter().map(ToString::to_string).collect();
        let (pass, words) = {
            let _place = places.acquire().await;
            each_service(&release, &argv, *timeout).await
        };
        let ask = Ask::Readiness(readiness::Ask::Ran {
            release: key.0,
            check: key.1.clone(),
            digest: release.digest.clone(),
            pass,
            words: printable(&words, WORDS).into(),
        });
        // an answer that could not be written down is asked for again
        let told = engine.ask(Actor::Engine, Door::Engine, ask).await;
        if !(pass && told.is_ok()) {
            tokio::time::sleep(every.std()).await;
        }
    }
}

/// Runs a command for each service of a release, one after the other, until one fails.
async fn each_service(release: &Release, argv: &[String], limit: Span) -> (bool, String) {
    let services = &release.plan.services;
    for change in services {
        let subject = Subject {
            release: release.id,
            environment: release.plan.environment.clone(),
            service: change.service.clone(),
            artifact: change.artifact(),
        };
        if let Probe::Fail { why } | Probe::Unknown { why } = run(argv, limit, &subject).await {
            return (false, format!("{}: {why}", change.service));
        }
    }
    match services.as_slice() {
        [_] => (true, "exit 0".to_owned()),
        many => (true, format!("exit 0 for {} services", many.len())),
    }
}
