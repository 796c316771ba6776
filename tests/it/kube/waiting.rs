//! Waiting for what controllers do, and saying what the namespace looked like when they did not.

use std::fmt::Debug;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::LONG;
use super::cluster::{Namespace, name_of};
use super::workloads::image_of;

impl Namespace {
    /// Looks until `done` says yes to what `see` sees, and returns it.
    ///
    /// # Panics
    /// After the deadline, with what was seen last, the pods and the last events.
    #[track_caller]
    pub fn until<T: Debug>(
        &self,
        what: &str,
        deadline: Duration,
        mut see: impl FnMut(&Namespace) -> T,
        done: impl Fn(&T) -> bool,
    ) -> T {
        let begun = Instant::now();
        loop {
            let seen = see(self);
            if done(&seen) {
                return seen;
            }
            if begun.elapsed() > deadline {
                let here = self.describe();
                panic!("{what}: did not come; seen last: {seen:?}\n{here}");
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Waits until so many pods of a Deployment, StatefulSet, DaemonSet or Rollout are ready, all of them from
    /// the template that it has now.
    #[track_caller]
    pub fn ready(&self, kind: &str, app: &str, pods: u64) -> Value {
        let what = format!("{pods} ready pods of {kind}/{app}");
        let done = |seen: &Value| {
            let status = &seen["status"];
            let [ready, updated, all] = match kind {
                "daemonset" => [
                    "numberReady",
                    "updatedNumberScheduled",
                    "desiredNumberScheduled",
                ],
                _ => ["readyReplicas", "updatedReplicas", "replicas"],
            }
            .map(|field| status[field].as_u64().unwrap_or_default());
            observed(seen) && [ready, updated, all] == [pods; 3]
        };
        self.until(&what, LONG, |ns| ns.get(kind, app), done)
    }

    /// The pods and the last events, a line each.
    pub fn describe(&self) -> String {
        let mut lines = vec![format!("in {}:", self.name)];
        for pod in self.list("pod") {
            let status = &pod["status"];
            let image = &pod["spec"]["containers"][0]["image"];
            let state = &status["containerStatuses"][0]["state"];
            let phase = &status["phase"];
            lines.push(format!("  pod {} {image} {phase} {state}", name_of(&pod)));
        }
        let events = self.list("event");
        for event in events.iter().rev().take(20) {
            let of = &event["involvedObject"]["name"];
            lines.push(format!("  {of} {}: {}", event["reason"], event["message"]));
        }
        lines.join("\n")
    }
}

/// Whether its controller has seen the newest version of an object. Argo writes the number as a text.
pub fn observed(object: &Value) -> bool {
    let generation = object["metadata"]["generation"].as_i64();
    let seen = &object["status"]["observedGeneration"];
    let seen = seen.as_i64().or_else(|| seen.as_str()?.parse().ok());
    generation.is_some() && seen >= generation
}

/// The pods that run an image and are ready; the image may be named by a part of it.
pub fn ready_with(pods: &[Value], image: &str) -> usize {
    let runs = |pod: &&Value| {
        let spec = &pod["spec"]["containers"][0]["image"];
        spec.as_str().is_some_and(|spec| spec.contains(image)) && is_ready(pod)
    };
    pods.iter().filter(runs).count()
}

pub fn is_ready(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array();
    let ready = |c: &&Value| c["type"] == "Ready" && c["status"] == "True";
    let leaving = pod["metadata"]["deletionTimestamp"].is_string();
    !leaving && conditions.is_some_and(|all| all.iter().any(|c| ready(&c)))
}

/// Why the container of a pod waits: `CrashLoopBackOff`.
pub fn waits_for(pod: &Value) -> &str {
    let waiting = &pod["status"]["containerStatuses"][0]["state"]["waiting"]["reason"];
    waiting.as_str().unwrap_or_default()
}

/// Whether a workload's template asks for an image.
pub fn asks_for(workload: &Value, image: &str) -> bool {
    image_of(workload).contains(image)
}
