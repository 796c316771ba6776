//! Health checks: as long as a health hold is open, its checks run round after round.

use std::collections::BTreeSet;

use tokio::task::JoinSet;

use super::EngineHandle;
use super::start::Targets;
use crate::domain::hold::HoldKind;
use crate::domain::release::{Finding, Release, StepStatus};
use crate::domain::{Ask, HoldId, ReleaseId, Span};
use crate::platform::health::{Check, CommandCheck, HttpCheck, Probe, Subject};
use crate::platform::http::Http;

/// How long an HTTP check may take.
const HTTP_LIMIT: Span = Span::secs(5);

/// How long a command check may take where the plan says nothing.
const COMMAND_LIMIT: Span = Span::secs(30);

/// Runs the checks of all open health holds until it is dropped.
pub(super) async fn check_on(engine: EngineHandle, targets: Targets) {
    let http = match Http::new() {
        Ok(http) => http,
        Err(why) => {
            tracing::error!(why, "health checks cannot be made");
            return;
        }
    };
    let mut state = engine.state();
    let mut running: BTreeSet<(ReleaseId, HoldId)> = BTreeSet::new();
    let mut tasks: JoinSet<(ReleaseId, HoldId)> = JoinSet::new();
    loop {
        let now = state.borrow_and_update().clone();
        for release in now.live.values() {
            let Some(key) = open(release) else { continue };
            if running.insert(key.clone()) {
                let round = Rounds {
                    engine: engine.clone(),
                    targets: targets.clone(),
                    http: http.clone(),
                    key,
                };
                tasks.spawn(round.run());
            }
        }
        tokio::select! {
            changed = state.changed() => if changed.is_err() { return },
            Some(done) = tasks.join_next() => if let Ok(key) = done { running.remove(&key); },
        }
    }
}

/// The health hold at which a release stands.
fn open(release: &Release) -> Option<(ReleaseId, HoldId)> {
    let hold = release.hold()?;
    let health = matches!(hold.kind, HoldKind::Health { .. });
    (health && hold.open().is_some()).then(|| (release.id, hold.id.clone()))
}

struct Rounds {
    engine: EngineHandle,
    targets: Targets,
    http: Http,
    key: (ReleaseId, HoldId),
}

impl Rounds {
    /// Rounds until the hold is behind the release.
    async fn run(self) -> (ReleaseId, HoldId) {
        let mut last: Option<Finding> = None;
        loop {
            let state = self.engine.state.borrow().clone();
            let release = state.live.get(&self.key.0).cloned();
            let Some(release) = release.filter(|r| open(r).as_ref() == Some(&self.key)) else {
                return self.key;
            };
            let Some(HoldKind::Health {
                http,
                command,
                every,
                ..
            }) = release.hold().map(|h| h.kind.clone())
            else {
                return self.key;
            };
            let mut checks: Vec<Check> = http
                .iter()
                .map(|c| {
                    Check::Http(HttpCheck {
                        url: c.url.to_string(),
                        expect: c.status.into_iter().collect(),
                        contains: c.contains.as_ref().map(ToString::to_string),
                        timeout: HTTP_LIMIT,
                    })
                })
                .collect();
            checks.extend(command.iter().map(|c| {
                Check::Command(CommandCheck {
                    argv: c.argv.iter().map(ToString::to_string).collect(),
                    dir: None,
                    env: Default::default(),
                    timeout: c.timeout.unwrap_or(COMMAND_LIMIT),
                })
            }));
            let (pass, words) = self.round(&release, &checks).await;
            let rounds = match &last {
                Some(f) if f.pass == pass => f.rounds.saturating_add(1),
                _ => 1,
            };
            let finding = Finding {
                pass,
                rounds,
                words: words.into(),
            };
            last = Some(finding.clone());
            let (release, hold) = self.key.clone();
            self.engine
                .tell(Ask::Found {
                    release,
                    hold,
                    finding,
                })
                .await;
            tokio::time::sleep(every.std()).await;
        }
    }

    /// One round: every check against every instance that runs the new version.
    async fn round(&self, release: &Release, checks: &[Check]) -> (bool, String) {
        let subjects = self.subjects(release);
        let mut asked = JoinSet::new();
        for check in checks {
            let each = each_instance(check);
            for subject in subjects.iter().take(if each { usize::MAX } else { 1 }) {
                let (http, check, subject) = (self.http.clone(), check.clone(), subject.clone());
                asked.spawn(async move {
                    let probe = check.probe(&http, &subject).await;
                    (subject.instance, probe)
                });
            }
        }
        let (mut passed, mut all, mut bad) = (0, 0, Vec::new());
        while let Some(one) = asked.join_next().await {
            all += 1;
            match one {
                Ok((_, Probe::Pass)) => passed += 1,
                Ok((instance, Probe::Fail { why } | Probe::Unknown { why })) => {
                    bad.push(format!("{instance}: {why}"));
                }
                Err(error) => bad.push(error.to_string()),
            }
        }
        bad.sort();
        let words = match bad.first() {
            _ if all == 0 => "nothing to check".to_owned(),
            None => format!("{passed} of {all} checks pass"),
            Some(first) => format!("{passed} of {all} checks pass, {first}"),
        };
        (bad.is_empty() && all > 0, words)
    }

    fn subjects(&self, release: &Release) -> Vec<Subject> {
        release
            .touched()
            .filter(|(_, step, _)| step.status == StepStatus::Done)
            .map(|(target, step, artifact)| Subject {
                instance: step.instance.clone(),
                url: self
                    .targets
                    .get(target)
                    .and_then(|part| part.urls.get(&step.instance).cloned()),
                host: None,
                artifact: artifact.clone(),
            })
            .collect()
    }
}

/// Whether a check speaks of single instances; a command that does not runs once.
fn each_instance(check: &Check) -> bool {
    match check {
        Check::Http(_) => true,
        Check::Command(command) => command
            .argv
            .iter()
            .any(|word| word.contains("{instance}") || word.contains("{url}")),
    }
}
