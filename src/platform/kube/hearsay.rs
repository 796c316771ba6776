//! What a cluster's parts have said of an object: its Events, asked for only where something is stuck.
//!
//! Events are many and most are about nothing, so they are not watched: those of single objects are
//! listed when somebody wants to know, a few each second at most, and kept for a short time. What
//! somebody wants to know is told at once, as far as it is known; the rest comes later. Where events
//! may not be read, less is told and nothing else is missing.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use kube::api::ListParams;
use serde::{Deserialize, Deserializer};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::cluster::{CallError, resource_of};
use super::link::Link;
use crate::domain::text::printable;

/// How many events of an object are read at most. Kubelets and controllers write one event for what
/// repeats itself, and 25 of an object before they slow down to twelve an hour.
const MOST: u32 = 200;

/// How many objects are asked about at a time.
const OBJECTS: usize = 256;

/// For how long what was said is not asked for again.
const FRESH: Duration = Duration::from_secs(20);

/// For how long what was said may be told while nothing newer comes.
const OLD: Duration = Duration::from_secs(120);

/// For how long an object is asked about after somebody wanted to know.
const WANTED: Duration = Duration::from_secs(30);

/// The pause between two questions.
const PACE: Duration = Duration::from_millis(250);

/// For how long nothing is asked after it was not permitted.
const DENIED: Duration = Duration::from_secs(300);

/// How old something that was said may be to still mean something, in seconds: who repeats it slows
/// down to once in five minutes.
const RECENT: i64 = 600;

/// How old a failure to make pods may be, in seconds: a controller tries again after a thousand at
/// most.
const RETRIED: i64 = 1_200;

/// The longest sentence.
const LONGEST: usize = 240;

/// What something that was said is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// A readiness probe.
    Readiness,
    /// A liveness or startup probe: who fails it is killed.
    Life,
    /// A volume of a pod.
    Volume,
    /// What a pod is made in, its network above all.
    Sandbox,
    /// A place for a pod.
    Place,
    /// That a pod could not be made.
    NotMade,
    /// That a pod was made.
    Made,
}

/// Something that was said of an object, once or again and again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// What it is about.
    pub about: About,
    /// It, printable; of [`About::NotMade`] what the server answered.
    pub words: Arc<str>,
    /// The container that it is about; empty where it is about all of the object.
    pub container: Arc<str>,
    /// How often it was said.
    pub times: Times,
}

/// How often something was said, and when, in Unix seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// How often.
    pub count: u32,
    /// The first time.
    pub first: i64,
    /// The last time.
    pub last: i64,
}

impl Times {
    /// Both.
    pub fn and(self, other: Times) -> Times {
        Times {
            count: self.count.saturating_add(other.count),
            first: self.first.min(other.first),
            last: self.last.max(other.last),
        }
    }

    /// ` (12 times in 4 m)`, with its age where it is not of now.
    pub fn words(self, now: i64) -> String {
        let span = |seconds: i64| {
            let seconds = u64::try_from(seconds).unwrap_or(0);
            // nobody counts the seconds of minutes
            let rounded = if seconds < 120 {
                seconds
            } else {
                seconds / 60 * 60
            };
            crate::domain::Span::secs(rounded)
        };
        let age = now - self.last;
        let aged = (age >= 120).then(|| format!("{} ago", span(age)));
        let often = (self.count > 1).then(|| match self.last - self.first {
            ..1 => format!("{} times", self.count),
            during => format!("{} times in {}", self.count, span(during)),
        });
        match (often, aged) {
            (Some(often), Some(aged)) => format!(" ({often}, last {aged})"),
            (Some(words), None) | (None, Some(words)) => format!(" ({words})"),
            (None, None) => String::new(),
        }
    }
}

/// Tells what was said of the object with a uid; nothing where that is not known, or not yet.
pub type Hearing<'a> = dyn Fn(&str) -> Option<Arc<[Said]>> + Sync + 'a;

/// The newest of what was said that fits, not too old.
pub fn newest(said: &[Said], now: i64, fits: impl Fn(About) -> bool) -> Option<&Said> {
    let recent = |s: &&Said| fits(s.about) && now - s.times.last <= RECENT;
    said.iter().filter(recent).max_by_key(|s| s.times.last)
}

/// Why pods of an object cannot be made: what the server answered at the last attempt, if that was
/// no success.
pub fn not_made(said: &[Said], now: i64) -> Option<&Said> {
    let of = |about| said.iter().filter(move |s| s.about == about);
    let failure = of(About::NotMade).max_by_key(|s| s.times.last)?;
    let made = of(About::Made).map(|s| s.times.last).max();
    // some of those that are made at the same moment succeed, as many as a quota allows
    let since = made.is_none_or(|made| made <= failure.times.last);
    (since && now - failure.times.last <= RETRIED).then_some(failure)
}

/// What was said in a cluster; asks when somebody wants to know.
pub struct Hearsay {
    link: Arc<Link>,
    book: Arc<Book>,
    task: OnceLock<JoinHandle<()>>,
}

#[derive(Default)]
struct Book {
    pages: Mutex<Pages>,
    wake: Notify,
}

#[derive(Default)]
struct Pages {
    by_uid: HashMap<Arc<str>, Page>,
    /// Namespaces whose events may not be read, and when that was said.
    denied: BTreeMap<Arc<str>, Instant>,
}

/// What is known of an object.
struct Page {
    ns: Arc<str>,
    wanted: Instant,
    tried: Option<Instant>,
    said: Option<(Instant, Arc<[Said]>)>,
}

impl Drop for Hearsay {
    fn drop(&mut self) {
        if let Some(task) = self.task.get() {
            task.abort();
        }
    }
}

impl Hearsay {
    /// Nothing was asked yet.
    pub fn new(link: Arc<Link>) -> Hearsay {
        Hearsay {
            link,
            book: Arc::default(),
            task: OnceLock::new(),
        }
    }

    /// What was said of the object with a uid, as far as it is known now; it is asked for if it is
    /// not, or not lately.
    pub fn of(&self, ns: &str, uid: &str) -> Option<Arc<[Said]>> {
        if uid.is_empty() {
            return None;
        }
        let begin = || tokio::spawn(ask(self.link.clone(), self.book.clone()));
        self.task.get_or_init(begin);
        let told = self.book.pages().want(ns, uid, Instant::now());
        self.book.wake.notify_one();
        told
    }
}

impl Book {
    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pages {
    fn want(&mut self, ns: &str, uid: &str, now: Instant) -> Option<Arc<[Said]>> {
        if let Some(page) = self.by_uid.get_mut(uid) {
            page.wanted = now;
            let said = page.said.as_ref();
            return said
                .filter(|(at, _)| now.duration_since(*at) < OLD)
                .map(|(_, said)| said.clone());
        }
        if self.by_uid.len() >= OBJECTS {
            self.by_uid
                .retain(|_, page| now.duration_since(page.wanted) < WANTED);
        }
        if self.by_uid.len() < OBJECTS && !self.denied_in(ns, now) {
            let page = Page {
                ns: ns.into(),
                wanted: now,
                tried: None,
                said: None,
            };
            self.by_uid.insert(uid.into(), page);
        }
        None
    }

    fn denied_in(&self, ns: &str, now: Instant) -> bool {
        let since = self.denied.get(ns);
        since.is_some_and(|since| now.duration_since(*since) < DENIED)
    }

    /// The next object to ask about: the one that has waited longest, those first that were never
    /// asked about. Else when there will be one, if anybody still wants to know.
    fn next(&mut self, now: Instant) -> Result<(Arc<str>, Arc<str>), Option<Instant>> {
        self.by_uid
            .retain(|_, page| now.duration_since(page.wanted) < OLD);
        let asked = self.by_uid.iter();
        let asked = asked.filter(|(_, page)| now.duration_since(page.wanted) < WANTED);
        let Some((uid, page)) = asked.min_by_key(|(_, page)| page.tried) else {
            return Err(None);
        };
        match page.tried.map(|at| at + FRESH) {
            Some(due) if due > now => Err(Some(due)),
            _ => Ok((page.ns.clone(), uid.clone())),
        }
    }

    fn heard(&mut self, ns: &Arc<str>, uid: &str, answer: Result<Vec<Said>, CallError>) {
        let now = Instant::now();
        if let Err(CallError::Forbidden(_)) = answer {
            self.denied.insert(ns.clone(), now);
            self.by_uid.retain(|_, page| page.ns != *ns);
            return;
        }
        if let Some(page) = self.by_uid.get_mut(uid) {
            page.tried = Some(now);
            if let Ok(said) = answer {
                page.said = Some((now, said.into()));
            }
        }
    }
}

async fn ask(link: Arc<Link>, book: Arc<Book>) {
    loop {
        let next = book.pages().next(Instant::now());
        match next {
            Ok((ns, uid)) => {
                let answer = list(&link, &ns, &uid).await;
                book.pages().heard(&ns, &uid, answer);
                tokio::time::sleep(PACE).await;
            }
            Err(Some(due)) => {
                tokio::select! {
                    () = tokio::time::sleep_until(due) => {}
                    () = book.wake.notified() => tokio::time::sleep(PACE).await,
                }
            }
            Err(None) => book.wake.notified().await,
        }
    }
}

async fn list(link: &Link, ns: &str, uid: &str) -> Result<Vec<Said>, CallError> {
    let kind = resource_of("", "v1", "Event", "events");
    let fields = format!("involvedObject.uid={uid}");
    let asked = ListParams::default().fields(&fields).limit(MOST);
    let found = link.list(&kind, ns, &asked).await?;
    let read = |data| serde_json::from_value::<Event>(data).ok();
    let events = found.into_iter().filter_map(|event| read(event.data));
    Ok(events.filter_map(|event| event.said()).collect())
}

/// How an event comes. Those of the newer API, `events.k8s.io`, have a `series` and an `eventTime`, and null
/// where the older ones have their times. Kubernetes API reference, "Event v1 core".
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Event {
    #[serde(deserialize_with = "or_default")]
    reason: String,
    #[serde(deserialize_with = "or_default")]
    message: String,
    count: Option<u32>,
    first_timestamp: Option<String>,
    last_timestamp: Option<String>,
    event_time: Option<String>,
    series: Option<Series>,
    #[serde(deserialize_with = "or_default")]
    involved_object: Involved,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Series {
    count: Option<u32>,
    last_observed_time: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Involved {
    field_path: Option<String>,
}

fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    from: D,
) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(from)?.unwrap_or_default())
}

impl Event {
    /// What it says, if that is anything that keeps a pod from coming up.
    fn said(&self) -> Option<Said> {
        // who says too many similar things says one for all
        let message = self.message.trim();
        let message = message
            .strip_prefix("(combined from similar events):")
            .map_or(message, str::trim_start);
        let (about, words) = match self.reason.as_str() {
            "Unhealthy" => probe(message),
            "FailedMount" | "FailedAttachVolume" | "FailedMapVolume" => (
                About::Volume,
                format!("its volumes are not there: {message}"),
            ),
            "FailedCreatePodSandBox" | "NetworkNotReady" => {
                let cause = message.strip_prefix("Failed to create pod sandbox:");
                let cause = cause.unwrap_or(message).trim_start();
                (About::Sandbox, format!("it cannot be set up: {cause}"))
            }
            "FailedScheduling" => (About::Place, format!("no node takes it: {message}")),
            "FailedCreate" => (About::NotMade, answer(message).to_owned()),
            "SuccessfulCreate" => (About::Made, String::new()),
            _ => return None,
        };
        let path = self.involved_object.field_path.as_deref();
        let container = path.and_then(|path| path.split_once('{')?.1.strip_suffix('}'));
        Some(Said {
            about,
            words: printable(&words, LONGEST).into(),
            container: printable(container.unwrap_or_default(), 63).into(),
            times: self.times()?,
        })
    }

    fn times(&self) -> Option<Times> {
        let at = |text: &Option<String>| {
            let at = chrono::DateTime::parse_from_rfc3339(text.as_deref()?).ok()?;
            Some(at.timestamp())
        };
        let series = self.series.as_ref();
        let count = series.and_then(|s| s.count).or(self.count).unwrap_or(1);
        let first = at(&self.first_timestamp).or_else(|| at(&self.event_time));
        let last = series
            .and_then(|s| at(&s.last_observed_time))
            .or_else(|| at(&self.last_timestamp))
            .or(first)?;
        Some(Times {
            count: count.max(1),
            first: first.unwrap_or(last).min(last),
            last,
        })
    }
}

/// `Readiness probe failed: HTTP probe failed with statuscode: 503`, as a kubelet says it.
fn probe(message: &str) -> (About, String) {
    let Some((which, how)) = message.split_once(" probe ") else {
        return (About::Readiness, format!("a probe fails: {message}"));
    };
    let about = match which {
        "Liveness" | "Startup" => About::Life,
        _ => About::Readiness,
    };
    let how = how.strip_prefix("failed:").unwrap_or(how).trim();
    let which = which.to_lowercase();
    (about, format!("{which} probe fails: {how}"))
}

/// What the server answered to a controller that wanted to make a pod, without what the controllers
/// put before it: `Error creating: `, `create Pod store-0 in StatefulSet store failed error: `.
fn answer(message: &str) -> &str {
    let before = ["Error creating: ", " failed error: "];
    let mut found = before.iter().filter_map(|b| message.split_once(b));
    found.next().map_or(message, |(_, answer)| answer)
}

#[cfg(test)]
mod tests;
