//! Somebody who looks on: every pod of a workload that comes and goes, and every version of its object, from a
//! watch that misses nothing, while a test lets others act.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::Method;
use serde_json::Value;
use tokio::task::JoinHandle;

use super::client::Client;
use super::cluster::{Cluster, Namespace, name_of};
use super::waiting::is_ready;
use crate::until::until;

/// The pods of an app at one moment, by image: how many there are, and how many of them ready.
pub type Moment = BTreeMap<String, (usize, usize)>;

#[derive(Debug, Default)]
struct Seen {
    /// Everything that is there now, by path and uid.
    now: BTreeMap<(&'static str, String), Value>,
    moments: Vec<Moment>,
    generations: Vec<i64>,
    /// Which lists have been read.
    begun: Vec<&'static str>,
}

impl Seen {
    fn take(&mut self, what: &'static str, kind: &str, object: &Value) {
        let uid = object["metadata"]["uid"].as_str().unwrap_or_default();
        let key = (what, uid.to_owned());
        match kind {
            "DELETED" => drop(self.now.remove(&key)),
            _ => drop(self.now.insert(key, object.clone())),
        }
        if what == OBJECT {
            let generation = object["metadata"]["generation"].as_i64();
            if generation.is_some() && self.generations.last() != generation.as_ref() {
                self.generations.extend(generation);
            }
        } else {
            self.count();
        }
    }

    /// Pods on their way out, and those that have ended, do not count.
    fn count(&mut self) {
        let mut moment = Moment::new();
        for ((what, _), pod) in &self.now {
            let over = matches!(
                pod["status"]["phase"].as_str(),
                Some("Failed" | "Succeeded")
            );
            if *what == OBJECT || over || pod["metadata"]["deletionTimestamp"].is_string() {
                continue;
            }
            let image = pod["spec"]["containers"][0]["image"].as_str().unwrap();
            let (all, ready) = moment.entry(image.to_owned()).or_default();
            *all += 1;
            *ready += usize::from(is_ready(pod));
        }
        if self.moments.last() != Some(&moment) {
            self.moments.push(moment);
        }
    }
}

const PODS: &str = "pods";
const OBJECT: &str = "object";

/// Looks on until it is dropped.
#[derive(Debug)]
pub struct Witness {
    seen: Arc<Mutex<Seen>>,
    client: Client,
    paths: [(&'static str, String); 2],
    tasks: [JoinHandle<()>; 2],
}

impl Witness {
    /// Looks at an object and at the pods with its name in the label `app`, from now on.
    #[track_caller]
    pub fn of(ns: &Namespace, kind: &str, app: &str) -> Witness {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let (pods, object) = (ns.path("pod", ""), Cluster::path(kind, &ns.name, ""));
        let paths = [
            (PODS, format!("{pods}?labelSelector=app%3D{app}")),
            (
                OBJECT,
                format!("{object}?fieldSelector=metadata.name%3D{app}"),
            ),
        ];
        // a connection of its own: nothing else of the test is in its way
        let client = Client::of(&ns.cluster.file);
        let tasks = paths.clone().map(|(what, path)| {
            let (client, seen) = (client.clone(), seen.clone());
            ns.cluster.turns.spawn(look_on(client, what, path, seen))
        });
        let witness = Witness {
            seen,
            client,
            paths,
            tasks,
        };
        let begun = || witness.seen.lock().unwrap().begun.len();
        until("the witness's first look", begun, |begun| *begun == 2);
        witness
    }

    /// The largest number of pods that ran an image at one time, ready or not; the image may be named by a part
    /// of it.
    #[track_caller]
    pub fn most(&self, image: &str) -> usize {
        let counts = self
            .moments()
            .into_iter()
            .map(|moment| all_of(&moment, image));
        counts.max().unwrap_or_default()
    }

    /// The largest number of pods at one time.
    #[track_caller]
    pub fn most_in_all(&self) -> usize {
        self.most("")
    }

    /// The smallest number of ready pods at one time, whatever they ran.
    #[track_caller]
    pub fn fewest_ready(&self) -> usize {
        let ready = |moment: Moment| moment.values().map(|(_, ready)| ready).sum();
        self.moments()
            .into_iter()
            .map(ready)
            .min()
            .unwrap_or_default()
    }

    /// Every change of the pods, in order.
    #[track_caller]
    pub fn moments(&self) -> Vec<Moment> {
        self.catch_up();
        self.seen.lock().unwrap().moments.clone()
    }

    /// Every generation that the object has had, the one at the beginning included.
    #[track_caller]
    pub fn generations(&self) -> Vec<i64> {
        self.catch_up();
        self.seen.lock().unwrap().generations.clone()
    }

    /// Waits until it has seen everything that is there now.
    #[track_caller]
    fn catch_up(&self) {
        let versions = |objects: Vec<&Value>| {
            let version = |o: &Value| o["metadata"]["resourceVersion"].to_string();
            objects
                .into_iter()
                .map(|o| (name_of(o), version(o)))
                .collect::<BTreeMap<_, _>>()
        };
        let look = || {
            self.paths.each_ref().map(|(what, path)| {
                let there = self.client.list(path);
                let seen = self.seen.lock().unwrap();
                let here = seen.now.iter().filter(|((of, _), _)| of == what);
                (
                    versions(here.map(|(_, o)| o).collect()),
                    versions(there.iter().collect()),
                )
            })
        };
        until("the witness's catching up", look, |both| {
            both.iter().all(|(a, b)| a == b)
        });
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// The pods of a moment that run an image, named by a part of it.
pub fn all_of(moment: &Moment, image: &str) -> usize {
    let of = moment.iter().filter(|(name, _)| name.contains(image));
    of.map(|(_, (all, _))| all).sum()
}

/// Lists, watches, and goes on where it was when the server was away.
async fn look_on(client: Client, what: &'static str, path: String, seen: Arc<Mutex<Seen>>) {
    let mut version = None;
    loop {
        version = match version {
            None => list(&client, what, &path, &seen).await,
            Some(version) => watch(&client, what, &path, version, &seen).await,
        };
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn list(
    client: &Client,
    what: &'static str,
    path: &str,
    seen: &Mutex<Seen>,
) -> Option<String> {
    let answer = client.request(Method::GET, path).send().await.ok()?;
    let list: Value = serde_json::from_slice(&answer.bytes().await.ok()?).ok()?;
    let version = list["metadata"]["resourceVersion"].as_str()?.to_owned();
    let mut seen = seen.lock().unwrap();
    seen.now.retain(|(of, _), _| *of != what);
    for object in list["items"].as_array()? {
        let uid = object["metadata"]["uid"].as_str().unwrap_or_default();
        seen.now.insert((what, uid.to_owned()), object.clone());
        if what == OBJECT {
            seen.take(what, "ADDED", object);
        }
    }
    if what == PODS {
        seen.count();
    }
    if !seen.begun.contains(&what) {
        seen.begun.push(what);
    }
    Some(version)
}

/// The version from which to go on; none when that is too old.
async fn watch(
    client: &Client,
    what: &'static str,
    path: &str,
    mut version: String,
    seen: &Mutex<Seen>,
) -> Option<String> {
    let path = format!("{path}&watch=true&allowWatchBookmarks=true&resourceVersion={version}");
    let Ok(mut answer) = client.request(Method::GET, &path).send().await else {
        return Some(version);
    };
    match answer.status().as_u16() {
        200 => {}
        410 => return None,
        _ => return Some(version),
    }
    let mut held = Vec::new();
    while let Ok(Some(chunk)) = answer.chunk().await {
        held.extend_from_slice(&chunk);
        while let Some(end) = held.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = held.drain(..=end).collect();
            let event: Value = serde_json::from_slice(&line).ok()?;
            let (kind, object) = (event["type"].as_str()?, &event["object"]);
            if kind == "ERROR" {
                return None;
            }
            version = object["metadata"]["resourceVersion"].as_str()?.to_owned();
            if kind != "BOOKMARK" {
                seen.lock().unwrap().take(what, kind, object);
            }
        }
    }
    Some(version)
}
