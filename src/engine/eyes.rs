//! The eyes: read every target again and again, each in a task of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::start::Targets;
use super::{EngineHandle, TargetPart, explain};
use crate::domain::live::TargetLive;
use crate::domain::{Ask, Health, InstanceName, Sight, Span, TargetName, Timestamp};
use crate::platform::Picture;

/// How often a target on which no release is open is read, for the screens.
const IDLE: Span = Span::secs(15);

/// How soon is looked again when an instance that ran gave no answer.
const AGAIN: Span = Span(500);

/// Watches all targets until it is dropped.
pub(super) async fn watch_all(
    engine: EngineHandle,
    targets: Targets,
    ended: watch::Receiver<Option<TargetName>>,
) {
    let mut tasks = JoinSet::new();
    for (name, part) in targets.iter() {
        let eye = Eye {
            engine: engine.clone(),
            name: name.clone(),
            part: part.clone(),
            last: BTreeMap::new(),
            silent: BTreeSet::new(),
            failing: false,
        };
        tasks.spawn(eye.watch(ended.clone()));
    }
    while tasks.join_next().await.is_some() {}
}

struct Eye {
    engine: EngineHandle,
    name: TargetName,
    part: TargetPart,
    /// The newest good sight of each instance.
    last: BTreeMap<InstanceName, (Sight, Timestamp)>,
    /// Instances of which a reading of the target did not tell how they are, the last time.
    silent: BTreeSet<InstanceName>,
    failing: bool,
}

impl Eye {
    async fn watch(mut self, mut ended: watch::Receiver<Option<TargetName>>) {
        let mut state = self.engine.state();
        loop {
            let doubtful = self.look().await;
            let busy = state.borrow_and_update().watches(&self.name);
            let pause = match busy {
                true if doubtful => AGAIN.min(self.part.every),
                true => self.part.every,
                false => IDLE.max(self.part.every),
            };
            let next = tokio::time::Instant::now() + pause.std();
            loop {
                tokio::select! {
                    () = tokio::time::sleep_until(next) => break,
                    // a call has ended here: what it brought can be seen now
                    news = ended.changed() => {
                        if news.is_err() {
                            return;
                        }
                        if ended.borrow_and_update().as_ref() == Some(&self.name) {
                            break;
                        }
                    }
                    // a release comes to an idle target
                    news = state.changed(), if !busy => {
                        if news.is_err() {
                            return;
                        }
                        if state.borrow_and_update().watches(&self.name) {
                            break;
                        }
                    }
                }
            }
        }
    }

    /// Reads the target once, puts up what was seen, and tells the engine what is news. Whether a
    /// second look is needed to know how an instance is.
    async fn look(&mut self) -> bool {
        let read = self.part.platform.observe().await;
        let now = self.engine.clock().now();
        let failing: Option<Arc<str>> = match &read {
            Ok(_) => None,
            Err(error) => Some(error.to_string().into()),
        };
        self.complain(failing.as_deref());
        let (seen_at, sights, silent, workload) = match read {
            Ok(Picture {
                age,
                sights,
                workload,
            }) => {
                let silent = sights.iter().filter(|s| s.health == Health::Unknown);
                let silent = silent.map(|s| s.instance.clone()).collect();
                (now.minus(age), sights, silent, workload)
            }
            Err(error) => (
                now,
                self.part.platform.unseen(&error),
                BTreeSet::new(),
                None,
            ),
        };
        let before = std::mem::replace(&mut self.silent, silent);
        let doubtful = !self.silent.is_subset(&before);
        let sights: Vec<Sight> = sights
            .into_iter()
            .map(|s| {
                let twice = self.silent.contains(&s.instance) && before.contains(&s.instance);
                self.settle(s, twice, now, seen_at)
            })
            .collect();
        let last = self.last.clone();
        let name = self.name.clone();
        self.engine.board().change(|live| {
            let slot = live.targets.entry(name).or_default();
            let read_at = if failing.is_none() {
                Some(seen_at)
            } else {
                slot.read_at
            };
            let instances = sights
                .iter()
                .map(|s| {
                    let at = last.get(&s.instance).map_or(now, |(_, at)| *at);
                    (s.instance.clone(), (s.clone(), at))
                })
                .collect();
            // an old picture is better than none: its age stands beside it
            let workload = workload.or_else(|| slot.workload.clone());
            *slot = Arc::new(TargetLive {
                read_at,
                failing,
                instances,
                workload,
            });
        });
        self.tell(sights).await;
        doubtful
    }

    /// A sight that says nothing is replaced by the last good one until that is too old: one
    /// answer that got lost is no news. Where the target was read twice and the instance gave no
    /// answer `twice`, nothing got lost: it is the instance, and nothing may go on over it.
    fn settle(&mut self, sight: Sight, twice: bool, now: Timestamp, seen_at: Timestamp) -> Sight {
        if sight.health != Health::Unknown {
            self.last
                .insert(sight.instance.clone(), (sight.clone(), seen_at));
            return sight;
        }
        match self.last.get(&sight.instance) {
            Some((good, at)) if !twice && now.since(*at) < self.part.stale => good.clone(),
            // what ran there is remembered, but nobody may rely on it
            Some((good, _)) => Sight {
                artifact: good.artifact.clone(),
                arriving: good.arriving.clone(),
                ..sight
            },
            None => sight,
        }
    }

    async fn tell(&self, sights: Vec<Sight>) {
        let state = self.engine.state.borrow().clone();
        if !state.watches(&self.name) {
            return;
        }
        let news: Vec<Sight> = sights
            .into_iter()
            .filter(|s| {
                state.seen(&self.name, &s.instance).is_none_or(|seen| {
                    seen.sight.health != s.health
                        || seen.sight.artifact != s.artifact
                        || seen.sight.arriving != s.arriving
                })
            })
            .collect();
        if !news.is_empty() {
            let target = self.name.clone();
            self.engine
                .tell(Ask::Seen {
                    target,
                    sights: news,
                })
                .await;
        }
    }

    fn complain(&mut self, failing: Option<&str>) {
        let board = self.engine.board();
        match failing {
            Some(why) => board.alert(explain::target_blind(self.name.as_str(), why)),
            None if self.failing => board.calm("target-blind", Some(self.name.as_str())),
            None => {}
        }
        self.failing = failing.is_some();
    }
}
