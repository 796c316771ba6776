//! Leading a controller that goes by steps of its own to where a call wants it: look, decide, change
//! one thing, look again.
//!
//! Every change is conditional on the version of the object that was looked at, and nothing is
//! decided but from what is there. So a change whose answer got lost is settled by the next look,
//! and one that was made twice at the same moment is made once: the later one is a conflict, and
//! who made it looks again.

use std::sync::Arc;
use std::time::Duration;

use kube::api::DynamicObject;
use kube::core::ApiResource;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::super::helm::{Helm, Steer};
use super::cluster::{CallError, Cluster};
use super::config::Kind;
use super::decode::{self, Work};
use super::deployments::{owners_of, stuck_of};
use super::journal::Journal;
use super::pods;
use crate::domain::workload::{Owner, Stuck};
use crate::domain::{Failure, Outcome, Span};

/// The pause between two looks.
const LOOK: Duration = Duration::from_millis(500);

/// The longest pause between two looks at a cluster that does not answer.
const LOOK_MAX: Duration = Duration::from_secs(10);

/// How long something bad has to last until it is believed: a controller writes down what it made
/// of a change in several steps.
const BELIEVE: Duration = Duration::from_secs(6);

/// One change.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// What kind of object.
    pub kind: ApiResource,
    /// Its name.
    pub name: String,
    /// Its part: `status`.
    pub part: Option<&'static str>,
    /// The merge patch, with the version that it is made for.
    pub body: Value,
}

/// What to do after a look.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    /// Change this, then look again.
    Change(Box<Change>),
    /// Change this, and then it is there.
    Last(Box<Change>),
    /// Wait for others; when that takes too long without any news, it has failed for this reason.
    Wait(Arc<str>),
    /// Wait, however long it takes: for a person, a time that was set, an analysis.
    Patience(Arc<str>),
    /// It is there.
    Done,
    /// It has failed, if the next looks say so too.
    Bad(Arc<str>),
    /// It has failed.
    Failed(Arc<str>),
    /// It cannot be done, and nothing has been changed.
    Never(Arc<str>),
}

impl Next {
    /// What it is, in a few words.
    fn words(&self) -> Option<String> {
        Some(match self {
            Next::Change(change) | Next::Last(change) => change.words(),
            Next::Wait(words) | Next::Patience(words) => format!("waits: {words}"),
            Next::Bad(words) | Next::Failed(words) | Next::Never(words) => words.to_string(),
            Next::Done => return None,
        })
    }
}

impl Change {
    /// The call: `PATCH rollouts/web/status {"pauseConditions":null}`; of annotations alone, which
    /// ones.
    fn words(&self) -> String {
        let part = self.part.map(|part| format!("/{part}")).unwrap_or_default();
        let (kind, name) = (&self.kind.plural, &self.name);
        let what = ["status", "spec"].into_iter().map(|key| &self.body[key]);
        let what = what.into_iter().find(|value| !value.is_null());
        let what = what.unwrap_or(&self.body["metadata"]["annotations"]);
        format!("PATCH {kind}/{name}{part} {what}")
    }
}

/// What a call looks at and how it decides.
pub trait Driven: Sync {
    /// What one look brings.
    type Seen: Send + Sync;

    /// Looks.
    fn look(&self) -> impl Future<Output = Result<Self::Seen, CallError>> + Send;

    /// What to do, given what was seen and what the helm says.
    fn next(&self, seen: &Self::Seen, steer: Steer) -> Next;

    /// Whatever changes while things go on: as long as it changes, nobody waits in vain.
    fn sign(&self, seen: &Self::Seen) -> String;

    /// Details for the record of a failure, printable lines.
    fn details(&self, seen: &Self::Seen) -> String;
}

/// Leads until it is there, has failed, or is given up.
pub async fn lead<D: Driven>(
    driven: &D,
    cluster: &Cluster,
    namespace: &str,
    deadline: Span,
    journal: Journal,
    mut helm: Helm,
) -> Outcome {
    let begun = Instant::now();
    let mut patience = Patience::new();
    let mut pause = LOOK;
    loop {
        let steer = helm.now();
        if steer == Steer::GiveUp {
            return given_up();
        }
        let seen = match driven.look().await {
            Ok(seen) => seen,
            Err(error) => match fatal(&error) {
                Some(why) => return failed(Failure::Refused(why), String::new()),
                None => {
                    journal.say(&format!("waits for the cluster: {error}"));
                    // time in which the cluster cannot be asked is nobody's fault
                    patience.renew();
                    pause = (pause * 2).min(LOOK_MAX);
                    wait(&mut helm, steer, asked_to(&error).unwrap_or(pause)).await;
                    continue;
                }
            },
        };
        pause = LOOK;
        patience.news(driven.sign(&seen));
        let fail = |why| failed(why, driven.details(&seen));
        let next = driven.next(&seen, steer);
        if let Some(words) = next.words() {
            journal.say(&words);
        }
        match next {
            Next::Done => return done(begun),
            Next::Never(why) => return fail(Failure::NotStarted(why)),
            Next::Failed(why) => return fail(Failure::Refused(why)),
            Next::Bad(why) => {
                if patience.believes() {
                    return fail(Failure::Refused(why));
                }
                wait(&mut helm, steer, LOOK).await;
            }
            Next::Patience(_) => {
                patience.renew();
                wait(&mut helm, steer, LOOK).await;
            }
            Next::Wait(why) => {
                patience.good();
                if patience.over(deadline) {
                    let words = format!("nothing new for {deadline}: {why}");
                    return fail(Failure::Refused(words.into()));
                }
                wait(&mut helm, steer, LOOK).await;
            }
            Next::Change(change) => match send(cluster, namespace, &change).await {
                Sent::Made => patience.renew(),
                Sent::Open(_, why) if patience.over(deadline) => {
                    return fail(Failure::Refused(why));
                }
                Sent::Open(pause, _) => wait(&mut helm, steer, pause).await,
                Sent::Fatal(why) => return fail(Failure::Refused(why)),
            },
            Next::Last(change) => match send(cluster, namespace, &change).await {
                Sent::Made => return done(begun),
                Sent::Open(_, why) if patience.over(deadline) => {
                    return fail(Failure::Refused(why));
                }
                Sent::Open(pause, _) => wait(&mut helm, steer, pause).await,
                Sent::Fatal(why) => return fail(Failure::Refused(why)),
            },
        }
    }
}

/// How a change went.
enum Sent {
    /// It was made.
    Made,
    /// Somebody was faster, or nobody knows: the next look tells, after this pause. What was said.
    Open(Duration, Arc<str>),
    /// It will never be made.
    Fatal(Arc<str>),
}

async fn send(cluster: &Cluster, namespace: &str, change: &Change) -> Sent {
    let Change {
        kind,
        name,
        part,
        body,
    } = change;
    match cluster.merge(kind, namespace, name, *part, body).await {
        Ok(_) => Sent::Made,
        Err(error @ CallError::Conflict(_)) => Sent::Open(Duration::ZERO, error.to_string().into()),
        Err(error) => match fatal(&error) {
            Some(why) => Sent::Fatal(why),
            None => Sent::Open(asked_to(&error).unwrap_or(LOOK), error.to_string().into()),
        },
    }
}

fn done(begun: Instant) -> Outcome {
    let took = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    Outcome::Done { took: Span(took) }
}

/// What is stuck among the pods of a workload that has ReplicaSets, as far as watches tell.
pub async fn stuck(cluster: &Cluster, namespace: &str, uid: &str) -> Vec<Stuck> {
    let watches = cluster.watches();
    let (sets, pods) = (watches.sets(namespace), watches.pods(namespace));
    tokio::join!(sets.first(), pods.first());
    let sets = sets.read(|items| items.of(uid).cloned().collect::<Vec<_>>());
    let sets = sets.unwrap_or_default();
    let found = pods.read(|items| {
        let all = sets.iter().flat_map(|set| items.of(&set.uid));
        all.cloned().collect::<Vec<_>>()
    });
    let hear = |uid: &str| cluster.hearsay().of(namespace, uid);
    let found = found.unwrap_or_default();
    stuck_of(sets.iter().map(|set| &**set), &found, &hear)
}

/// Who else changes an object.
pub async fn owners(
    cluster: &Cluster,
    namespace: &str,
    object: &DynamicObject,
    kind: Kind,
) -> Vec<Owner> {
    cluster.watches().scalers(namespace).first().await;
    // what is asked stands in the metadata; the rest has another shape in every kind
    let mut bare = object.clone();
    bare.data = json!({});
    let work = decode::read::<Work>(&bare);
    work.map_or_else(
        |_| Vec::new(),
        |work| owners_of(cluster, namespace, &work, kind).to_vec(),
    )
}

/// Why nothing may be changed over somebody's head; `None` where it may.
pub fn forbidden(owners: &[Owner]) -> Option<String> {
    let owner = owners.iter().find(|owner| owner.forbids)?;
    Some(format!("{} {}", owner.who, owner.words))
}

/// Why waiting for pods will not help, in a sentence; `None` while it may.
pub fn hopeless(stuck: &[Stuck]) -> Option<Arc<str>> {
    let lost: Vec<_> = stuck
        .iter()
        .filter(|one| pods::hopeless(one.reason))
        .cloned()
        .collect();
    pods::sentence(&lost).map(Arc::from)
}

/// Waits, but not over a change of the helm.
async fn wait(helm: &mut Helm, steer: Steer, pause: Duration) {
    tokio::select! {
        () = tokio::time::sleep(pause) => {}
        _ = helm.changed(steer) => {}
    }
}

/// Why it makes no sense to go on after an error; `None` where it passes.
fn fatal(error: &CallError) -> Option<Arc<str>> {
    match error {
        CallError::NotFound(_) | CallError::Forbidden(_) | CallError::Refused(_) => {
            Some(error.to_string().into())
        }
        CallError::NotReached(_)
        | CallError::Conflict(_)
        | CallError::Expired(_)
        | CallError::Busy(_)
        | CallError::Hindered(_)
        | CallError::Stranger(_)
        | CallError::Unknown(_) => None,
    }
}

fn asked_to(error: &CallError) -> Option<Duration> {
    match error {
        CallError::Busy(seconds) => Some(Duration::from_secs(u64::from(*seconds)).min(LOOK_MAX)),
        _ => None,
    }
}

fn failed(why: Failure, output: String) -> Outcome {
    Outcome::Failed {
        why,
        output: output.into(),
    }
}

fn given_up() -> Outcome {
    failed(Failure::GivenUp, String::new())
}

/// Since when nothing is new, and since when it looks bad.
struct Patience {
    sign: String,
    since: Instant,
    bad: Option<Instant>,
}

impl Patience {
    fn new() -> Patience {
        Patience {
            sign: String::new(),
            since: Instant::now(),
            bad: None,
        }
    }

    fn news(&mut self, sign: String) {
        if sign != self.sign {
            self.sign = sign;
            self.since = Instant::now();
        }
    }

    fn renew(&mut self) {
        self.since = Instant::now();
        self.bad = None;
    }

    fn good(&mut self) {
        self.bad = None;
    }

    fn believes(&mut self) -> bool {
        self.bad.get_or_insert_with(Instant::now).elapsed() >= BELIEVE
    }

    fn over(&self, deadline: Span) -> bool {
        self.since.elapsed() >= deadline.std()
    }
}
