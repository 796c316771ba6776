//! Why pods do not come up, in words.

use std::sync::Arc;

use serde::Deserialize;
use serde::de::Deserializer;

use super::change::Next;
use super::decode::Condition;
use crate::domain::text::printable;
use crate::domain::workload::Stuck;

/// The longest sentence.
const LONGEST: usize = 300;

/// What keeps a pod from coming up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// The stable word; see [`Stuck::reason`].
    pub reason: &'static str,
    /// The sentence, printable.
    pub words: Arc<str>,
    /// Since when it is on its way, in Unix seconds, of a pod that may simply need its time.
    pub since: Option<i64>,
    /// Whether nothing of it is worth a word unless somebody has said what is wrong.
    pub quiet: bool,
}

/// For how long a pod may be on its way until that is worth a word, in seconds.
const PATIENCE: i64 = 30;

impl Trouble {
    /// Whether it lasts too long at this time, in Unix seconds.
    pub fn counts(&self, now: i64) -> bool {
        self.since.is_none_or(|since| now - since >= PATIENCE)
    }
}

/// Whether waiting will not help: a crash loop, an image that is not there, a refusal. A quota is
/// raised or given back, and a webhook that does not answer comes back: these have until the deadline.
pub fn in_vain(reason: &str) -> bool {
    matches!(reason, "crash-loop" | "image" | "config" | "admission")
}

/// How a pod's status comes.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Status {
    phase: Option<String>,
    reason: Option<String>,
    message: Option<String>,
    start_time: Option<String>,
    #[serde(deserialize_with = "or_empty")]
    conditions: Vec<Condition>,
    #[serde(deserialize_with = "or_empty")]
    container_statuses: Vec<ContainerStatus>,
    #[serde(deserialize_with = "or_empty")]
    init_container_statuses: Vec<ContainerStatus>,
}

fn or_empty<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Vec<T>, D::Error> {
    Ok(Option::<Vec<T>>::deserialize(from)?.unwrap_or_default())
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ContainerStatus {
    name: String,
    ready: bool,
    restart_count: u32,
    state: State,
    last_state: State,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct State {
    waiting: Option<Waiting>,
    running: Option<Running>,
    terminated: Option<Terminated>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Running {
    started_at: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Waiting {
    reason: Option<String>,
    message: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Terminated {
    exit_code: i32,
    signal: Option<i32>,
    reason: Option<String>,
    message: Option<String>,
}

impl Terminated {
    /// `exit 1`, `exit 137 (OOMKilled)`, with its last words.
    fn words(&self) -> String {
        let mut words = match self.signal {
            Some(signal) if signal != 0 => format!("signal {signal}"),
            _ => format!("exit {}", self.exit_code),
        };
        // "Error" says nothing that the code does not
        if let Some(reason) = self.reason.as_deref().filter(|r| *r != "Error") {
            words = format!("{words} ({reason})");
        }
        match self.message.as_deref().map(str::trim) {
            Some(last) if !last.is_empty() => format!("{words}: {last}"),
            _ => words,
        }
    }
}

impl Status {
    /// Whether the pod answers.
    pub fn ready(&self) -> bool {
        self.is("Ready", "True")
    }

    /// Since when it answers, or does not, in Unix seconds.
    pub fn since(&self) -> Option<i64> {
        let ready = self.conditions.iter().find(|c| c.kind == "Ready")?;
        seconds(&ready.last_transition_time)
    }

    fn is(&self, kind: &str, status: &str) -> bool {
        let mut conditions = self.conditions.iter();
        conditions.any(|c| c.kind == kind && c.status == status)
    }

    /// What keeps it from coming up, of a pod that was made at this time; `None` of one that is up.
    pub fn trouble(&self, created: &str) -> Option<Trouble> {
        if self.ready() || self.phase.as_deref() == Some("Succeeded") {
            return None;
        }
        let containers = self
            .init_container_statuses
            .iter()
            .chain(&self.container_statuses);
        let found = containers
            .clone()
            .find_map(ContainerStatus::trouble)
            .or_else(|| self.unscheduled())
            .or_else(|| self.lost());
        let unready = || containers.clone().find_map(ContainerStatus::unready);
        let found = found.map(|(reason, words)| (reason, words, None));
        let Some((reason, words, since)) = found.or_else(unready) else {
            let begun = self.start_time.as_deref().unwrap_or(created);
            return Some(Trouble {
                reason: "blocked",
                words: "".into(),
                since: seconds(begun),
                quiet: true,
            });
        };
        Some(Trouble {
            reason,
            words: printable(&words, LONGEST).into(),
            since,
            quiet: false,
        })
    }

    fn unscheduled(&self) -> Option<(&'static str, String)> {
        let no_place = self
            .conditions
            .iter()
            .find(|c| c.kind == "PodScheduled" && c.status == "False")?;
        Some((
            "unschedulable",
            format!("no node takes it: {}", no_place.message),
        ))
    }

    /// A pod whose node has gone, or that its node has thrown out.
    fn lost(&self) -> Option<(&'static str, String)> {
        let reason = self.reason.as_deref()?;
        let message = self.message.as_deref().unwrap_or_default();
        match (reason, self.phase.as_deref()) {
            ("NodeLost", _) => Some(("node", "its node does not answer".to_owned())),
            (_, Some("Failed")) => Some(("node", format!("{reason}: {message}"))),
            _ => None,
        }
    }
}

impl ContainerStatus {
    fn trouble(&self) -> Option<(&'static str, String)> {
        let name = &self.name;
        let waiting = self.state.waiting.as_ref();
        let reason = waiting
            .and_then(|w| w.reason.as_deref())
            .unwrap_or_default();
        let message = waiting
            .and_then(|w| w.message.as_deref())
            .unwrap_or_default();
        match reason {
            "ImagePullBackOff"
            | "ErrImagePull"
            | "InvalidImageName"
            | "ErrImageNeverPull"
            | "RegistryUnavailable"
            | "SignatureValidationFailed"
            | "ImageInspectError" => {
                return Some(("image", format!("{name}: {reason}: {message}")));
            }
            "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError" => {
                return Some(("config", format!("{name}: {reason}: {message}")));
            }
            _ => {}
        }
        let ended = self.state.terminated.as_ref();
        let last = ended.or(self.last_state.terminated.as_ref());
        let crashed = last.is_some_and(|t| t.exit_code != 0 || t.signal.is_some_and(|s| s != 0));
        // between two crashes it runs for a moment: two of them make a loop
        let again = self.restart_count >= 2 && crashed && !self.ready;
        if reason == "CrashLoopBackOff" || again {
            let how = last.map_or("for a reason unknown".to_owned(), Terminated::words);
            let times = match self.restart_count {
                0 | 1 => String::new(),
                n => format!(", {n} restarts"),
            };
            return Some((
                "crash-loop",
                format!("{name} crashes again and again: {how}{times}"),
            ));
        }
        None
    }

    /// One that runs and does not pass its probe.
    fn unready(&self) -> Option<(&'static str, String, Option<i64>)> {
        let running = self.state.running.as_ref().filter(|_| !self.ready)?;
        let since = running.started_at.as_deref().and_then(seconds);
        let words = format!("{} runs and is not ready", self.name);
        Some(("probe", words, since))
    }
}

/// A time as Kubernetes writes it, in Unix seconds.
pub fn seconds(at: &str) -> Option<i64> {
    let at = chrono::DateTime::parse_from_rfc3339(at).ok()?;
    Some(at.timestamp())
}

/// What the server says where one of its admission plugins, or a webhook of somebody, says no.
const DENIALS: [&str; 4] = [
    "denied the request",
    "denied request",
    "violates PodSecurity",
    "ValidatingAdmissionPolicy",
];

/// Whether an answer is that of a webhook that could not be asked. Kubernetes, `apiserver/pkg/admission`.
pub fn unasked(message: &str) -> bool {
    message.contains("failed calling webhook")
}

/// Whether an answer is a denial by an admission plugin or a webhook, rather than a missing right.
pub fn denied(message: &str) -> bool {
    DENIALS.iter().any(|words| message.contains(words))
}

/// What a refusal to make pods is about: a quota, a denial, a webhook, or something else.
pub fn refusal(message: &str) -> Trouble {
    let reason = if message.contains("exceeded quota") {
        "quota"
    } else if unasked(message) {
        "webhook"
    } else if denied(message) {
        "admission"
    } else {
        "blocked"
    };
    Trouble {
        reason,
        words: printable(&format!("pods cannot be made: {message}"), LONGEST).into(),
        since: None,
        quiet: false,
    }
}

/// The first of them in a sentence: `3 pods: web crashes again and again: exit 1`.
pub fn sentence(stuck: &[Stuck]) -> Option<String> {
    let first = stuck.first()?;
    let pods = if first.count == 1 { "pod" } else { "pods" };
    let more = match stuck.len() {
        1 => String::new(),
        n => format!(" (and {} other reasons)", n - 1),
    };
    Some(format!("{} {pods}: {}{more}", first.count, first.words))
}

/// Why waiting for pods will not help, in a sentence; `None` while it may.
pub fn hopeless(stuck: &[Stuck]) -> Option<Arc<str>> {
    let lost = stuck.iter().filter(|one| in_vain(one.reason));
    let lost: Vec<Stuck> = lost.cloned().collect();
    sentence(&lost).map(Arc::from)
}

/// A wait for pods, given what is stuck among them: what will never come is bad.
pub fn judged(next: Next, stuck: &[Stuck]) -> Next {
    let Next::Wait(words) = next else {
        return next;
    };
    match (hopeless(stuck), sentence(stuck)) {
        (Some(why), _) => Next::Bad(why),
        (None, Some(more)) => Next::Wait(format!("{words}; {more}").into()),
        (None, None) => Next::Wait(words),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn trouble(status: Value) -> Option<(&'static str, String)> {
        let status: Status = serde_json::from_value(status).expect("status");
        let found = status.trouble("").filter(|t| !t.quiet);
        found.map(|t| (t.reason, t.words.to_string()))
    }

    #[test]
    fn a_pod_that_only_needs_time_is_not_stuck() {
        assert_eq!(trouble(json!({})), None);
        assert_eq!(
            trouble(
                json!({"phase": "Pending", "conditions": null, "containerStatuses": [{"name": "web",
                "state": {"waiting": {"reason": "ContainerCreating"}}}]})
            ),
            None
        );
        assert_eq!(
            trouble(
                json!({"conditions": [{"type": "Ready", "status": "True"}], "containerStatuses":
                [{"name": "web", "ready": true, "restartCount": 9,
                "lastState": {"terminated": {"exitCode": 1}}}]})
            ),
            None,
            "what answers is not stuck, whatever its past"
        );
    }

    #[test]
    fn crash_loops_tell_their_last_exit() {
        let crashing = json!({"containerStatuses": [{"name": "web", "ready": false, "restartCount": 4,
            "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}},
            "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 1m20s"}}}]});
        assert_eq!(
            trouble(crashing),
            Some((
                "crash-loop",
                "web crashes again and again: exit 137 (OOMKilled), 4 restarts".to_owned()
            ))
        );
        let between = json!({"containerStatuses": [{"name": "web", "ready": false, "restartCount": 3,
            "lastState": {"terminated": {"exitCode": 2, "reason": "Error", "message": "no \u{1b}[31mdb"}},
            "state": {"running": {"startedAt": "now"}}}]});
        assert_eq!(
            trouble(between),
            Some((
                "crash-loop",
                "web crashes again and again: exit 2: no \u{fffd}[31mdb, 3 restarts".to_owned()
            )),
            "between two crashes it is one as well, and its words are printable"
        );
    }

    #[test]
    fn images_places_and_probes_have_words() {
        let missing = json!({"containerStatuses": [{"name": "web",
            "state": {"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image \"x\""}}}]});
        assert_eq!(trouble(missing).map(|t| t.0), Some("image"));
        let homeless = json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False",
            "reason": "Unschedulable", "message": "0/3 nodes are available: 3 Insufficient cpu."}]});
        assert_eq!(
            trouble(homeless),
            Some((
                "unschedulable",
                "no node takes it: 0/3 nodes are available: 3 Insufficient cpu.".to_owned()
            ))
        );
        let slow = json!({"phase": "Running", "containerStatuses": [{"name": "web", "ready": false,
            "state": {"running": {}}}]});
        assert_eq!(
            trouble(slow),
            Some(("probe", "web runs and is not ready".to_owned()))
        );
        let young = json!({"containerStatuses": [{"name": "web", "ready": false,
            "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}}]});
        let young: Status = serde_json::from_value(young).expect("status");
        let young = young.trouble("").expect("trouble");
        let begun = young.since.expect("a time");
        assert!(!young.counts(begun + 10), "it may need its time");
        assert!(young.counts(begun + 60));
        let lost = json!({"reason": "NodeLost"});
        assert_eq!(trouble(lost).map(|t| t.0), Some("node"));
    }

    #[test]
    fn init_containers_are_named_first() {
        let stuck = json!({"initContainerStatuses": [{"name": "migrate", "restartCount": 2,
            "state": {"terminated": {"exitCode": 3}}}], "containerStatuses": [{"name": "web",
            "state": {"waiting": {"reason": "PodInitializing"}}}]});
        assert_eq!(
            trouble(stuck).map(|t| t.1),
            Some("migrate crashes again and again: exit 3, 2 restarts".to_owned())
        );
    }

    #[test]
    fn what_is_on_its_way_has_its_time_before_anybody_is_asked() {
        let made = "2026-01-01T00:00:00Z";
        let pending = json!({"phase": "Pending", "startTime": "2026-01-01T00:01:00Z", "containerStatuses":
            [{"name": "web", "state": {"waiting": {"reason": "ContainerCreating"}}}]});
        let pending: Status = serde_json::from_value(pending).expect("status");
        let pending = pending.trouble(made).expect("trouble");
        let begun = seconds(made).expect("a time") + 60;
        assert!(pending.quiet && !pending.counts(begun + 10) && pending.counts(begun + 40));
        let nothing = Status::default().trouble(made).expect("trouble");
        assert_eq!(nothing.since, Some(begun - 60), "nobody has taken it yet");
        let over: Status = serde_json::from_value(json!({"phase": "Succeeded"})).expect("status");
        assert_eq!(over.trouble(made), None);
    }

    #[test]
    fn refusals_are_told_apart() {
        let cases = [
            (
                "pods \"web-1\" is forbidden: exceeded quota: small, requested: pods=1",
                "quota",
                false,
            ),
            (
                "admission webhook \"a.b\" denied the request: no",
                "admission",
                true,
            ),
            (
                "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no",
                "admission",
                true,
            ),
            (
                "pods \"x\" is forbidden: violates PodSecurity \"restricted:latest\"",
                "admission",
                true,
            ),
            (
                "Internal error occurred: failed calling webhook \"a.b\": connection refused",
                "webhook",
                false,
            ),
            (
                "pods \"x\" is forbidden: error looking up service account",
                "blocked",
                false,
            ),
        ];
        for (message, reason, lost) in cases {
            let found = refusal(message);
            assert_eq!(
                (found.reason, in_vain(found.reason)),
                (reason, lost),
                "{message}"
            );
        }
    }
}
