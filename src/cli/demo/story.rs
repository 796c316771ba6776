//! What happens in the demo: which service runs where, and what kind of releases it gets.
//!
//! Everything follows from the seed and from what the ledger says, never from what a running demo
//! remembers: so a demo that was killed goes on where it was.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::cli::fleet::profile::{Health, Profile};
use crate::domain::{Plan, Span};

/// A kind of release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Story {
    /// Rolls through its batches inside its window and closes.
    Healthy,
    /// Answers slowly and with errors: its trigger takes it back.
    Regresses,
    /// Waits a while for the last vote, which the person at the terminal can give.
    NeedsVote,
    /// Stops before the second batch until somebody promotes.
    NeedsPromotion,
    /// Moves fast and is watched for long.
    Observed,
    /// A fix that cannot wait: one vote, no window.
    Emergency,
    /// Its window opens in some minutes.
    Later,
}

/// A service in an environment, and the releases it gets one after another.
#[derive(Clone, Copy, Debug)]
pub struct Slot {
    /// The service.
    pub service: &'static str,
    /// The environment.
    pub environment: &'static str,
    /// How many processes.
    pub instances: usize,
    /// The version that runs at the beginning: major and minor; the patch counts releases.
    pub version: (u32, u32),
    /// The stories in their order, again and again; without any it is left to the visitors.
    pub stories: &'static [Story],
    /// How long after the beginning, or after a release was closed, the next one comes, in seconds.
    pub pause: u64,
}

/// The whole cast.
pub const SLOTS: [Slot; 8] = [
    Slot {
        service: "payments",
        environment: "prod-eu",
        instances: 4,
        version: (4, 11),
        stories: &[Story::NeedsPromotion, Story::Healthy],
        pause: 2,
    },
    Slot {
        service: "checkout",
        environment: "prod-us",
        instances: 4,
        version: (7, 7),
        stories: &[Story::Regresses, Story::Healthy],
        pause: 6,
    },
    Slot {
        service: "search",
        environment: "prod-eu",
        instances: 4,
        version: (9, 0),
        stories: &[Story::Healthy, Story::Healthy, Story::Regresses],
        pause: 0,
    },
    Slot {
        service: "catalog",
        environment: "prod-eu",
        instances: 3,
        version: (3, 2),
        stories: &[Story::Observed],
        pause: 0,
    },
    Slot {
        service: "ledger-api",
        environment: "prod-eu",
        instances: 3,
        version: (2, 3),
        stories: &[Story::NeedsVote, Story::Healthy],
        pause: 1,
    },
    Slot {
        service: "mailer",
        environment: "prod-us",
        instances: 3,
        version: (1, 9),
        stories: &[Story::Emergency, Story::Observed],
        pause: 10,
    },
    Slot {
        service: "billing",
        environment: "prod-us",
        instances: 3,
        version: (5, 0),
        stories: &[Story::Later, Story::Healthy],
        pause: 1,
    },
    Slot {
        service: "web",
        environment: "prod-eu",
        instances: 3,
        version: (2, 0),
        stories: &[],
        pause: 0,
    },
];

impl Slot {
    /// The target's name, which is also what the fleet calls the service.
    pub fn target(&self) -> String {
        format!("{}-{}", self.service, self.environment)
    }

    /// The names of its instances.
    pub fn names(&self) -> impl Iterator<Item = String> + use<> {
        let short = self.service.get(..3).unwrap_or(self.service).to_owned();
        (1..=self.instances).map(move |n| format!("{short}-{n:02}"))
    }

    /// The version of its `n`th release; 0 is what runs at the beginning.
    pub fn version(&self, n: u32) -> String {
        format!("{}.{}.{n}", self.version.0, self.version.1)
    }

    /// The number of a version of this slot.
    pub fn number(&self, version: &str) -> Option<u32> {
        let (head, patch) = version.rsplit_once('.')?;
        (head == format!("{}.{}", self.version.0, self.version.1)).then(|| patch.parse().ok())?
    }

    /// The story of its `n`th release, from 1.
    pub fn story(&self, n: u32) -> Option<Story> {
        let at = (n as usize).saturating_sub(1);
        let at = at.checked_rem(self.stories.len())?;
        self.stories.get(at).copied()
    }

    /// How the `n`th version behaves.
    pub fn profile(&self, n: u32) -> Profile {
        let bad = n > 0 && self.story(n) == Some(Story::Regresses);
        Profile {
            error_rate: if bad { 0.14 } else { 0.002 },
            latency_ms: if bad { 190.0 } else { 38.0 },
            spread: 0.4,
            health: Health::Ok,
            start_ms: if n == 0 { 50 } else { 900 },
        }
    }
}

/// The behaviour of every version the demo will ever bring, for some thousand releases.
pub fn profiles() -> BTreeMap<String, Profile> {
    SLOTS
        .iter()
        .flat_map(|slot| (0..1000).map(move |n| (slot.version(n), slot.profile(n))))
        .collect()
}

/// A number between 0 and `below`, fixed by the seed and what it is for.
pub fn chance(seed: u64, what: &str, below: u64) -> u64 {
    let hash = Sha256::digest(format!("{seed}\0{what}"));
    let bytes = hash
        .iter()
        .take(8)
        .fold(0u64, |n, b| n << 8 | u64::from(*b));
    bytes % below.max(1)
}

/// The digest of a version's artifact; made up, and the same wherever it is asked for.
pub fn artifact_digest(slot: &Slot, version: &str) -> String {
    let hash = Sha256::digest(format!("{} {version}", slot.service));
    let hex: String = hash.iter().map(|b| format!("{b:02x}")).collect();
    format!("sha256:{hex}")
}

const CHANGES: [&str; 10] = [
    "Round interest half-even",
    "Index postings by month",
    "Retries with jitter, three at most",
    "Read the dead letter queue every minute",
    "Drop the unused column of 2024",
    "Cache exchange rates for a minute",
    "Upgrade the TLS library",
    "Shorten the checkout by one page",
    "Log the tenant with every request",
    "Ask the new recommendation model",
];

/// The plan of a slot's `n`th release, which tells a story, submitted at a moment.
///
/// # Errors
/// Never for the plans here; the reader's words otherwise.
pub fn plan(
    slot: &Slot,
    story: Story,
    n: u32,
    seed: u64,
    now: chrono::DateTime<chrono::Utc>,
) -> Result<Plan, serde_json::Error> {
    let version = slot.version(n);
    let name = format!("{}-{version}", slot.service);
    // three that differ: steps of 3 through a list of 10 meet none twice
    let from = chance(seed, &format!("{name} changes"), CHANGES.len() as u64);
    let pick = |n: u64| {
        let at = usize::try_from(from + 3 * n).unwrap_or(0);
        CHANGES[at % CHANGES.len()]
    };
    let title = match story {
        Story::Emergency => format!("Fix: {}", pick(0)),
        _ => pick(0).to_owned(),
    };
    let ticket = 1000 + chance(seed, &format!("{name} ticket"), 9000);
    let mut plan = json!({
        "name": name,
        "title": title,
        "kind": if story == Story::Emergency { "emergency" } else { "normal" },
        "environment": slot.environment,
        "services": [{
            "service": slot.service,
            "version": version,
            "digest": artifact_digest(slot, &version),
        }],
        "changes": [pick(0), pick(1), pick(2)],
        "tickets": [format!("OPS-{ticket}")],
        "runbook": format!("https://wiki.shop.example/{}/release", slot.service),
        "start": if story == Story::NeedsVote { "manual" } else { "auto" },
        "on_failure": "roll-back",
        "batches": batches(story),
        "triggers": [
            { "metric": "errors", "looks": 2, "action": "roll-back" },
            { "metric": "p99", "looks": 3, "action": "roll-back" },
            { "instances_down": "30s", "action": "roll-back" },
        ],
        "observe": { "for": text(observed(story)), "handover": story == Story::Observed },
        "rollback": { "note": "what ran before comes back; no data is touched" },
    });
    if let Some(window) = window(story, now)
        && let Value::Object(map) = &mut plan
    {
        map.insert("window".to_owned(), window);
    }
    if story == Story::Emergency
        && let Value::Object(map) = &mut plan
    {
        let grounds = json!({
            "incident": format!("INC-{}", ticket % 100),
            "reason": "customers see errors since this morning",
            "lasts": "1h",
        });
        map.insert("emergency".to_owned(), grounds);
    }
    serde_json::from_value(plan)
}

fn text(span: Span) -> String {
    span.into()
}

fn observed(story: Story) -> Span {
    match story {
        Story::Observed => Span::mins(4),
        Story::Emergency => Span::mins(2),
        _ => Span::secs(75),
    }
}

fn batches(story: Story) -> Value {
    let health =
        json!({ "health": { "http": [{ "url": "{url}/healthz" }], "passes": 2, "every": "2s" } });
    let analysis = json!({ "analysis": { "metrics": ["errors", "p99"], "passes": 3 } });
    match story {
        Story::Observed | Story::Emergency => json!([
            { "name": "canary", "exposure": "30%", "after": [health] },
            { "name": "all", "exposure": "full" },
        ]),
        Story::NeedsPromotion => json!([
            { "name": "canary", "exposure": "25%", "after": [health, { "bake": "15s" }, analysis] },
            {
                "name": "half", "exposure": "50%",
                "before": [{ "manual": {}, "deadline": "10m", "warn": "5m" }],
                "after": [{ "bake": "20s" }, analysis],
            },
            { "name": "all", "exposure": "full" },
        ]),
        _ => json!([
            { "name": "canary", "exposure": "25%", "after": [health, { "bake": "20s" }, analysis] },
            { "name": "half", "exposure": "50%", "after": [{ "bake": "20s" }, analysis] },
            { "name": "all", "exposure": "full", "after": [{ "bake": "10s" }] },
        ]),
    }
}

/// An agreed window around or after a moment, in UTC, as the demo lives at any hour of any day.
fn window(story: Story, now: chrono::DateTime<chrono::Utc>) -> Option<Value> {
    let (from, to) = match story {
        Story::Healthy | Story::Regresses | Story::NeedsPromotion => (-20, 100),
        Story::Later => (6, 96),
        _ => return None,
    };
    let at = |minutes: i64| {
        let time = now + chrono::TimeDelta::minutes(minutes);
        time.format("%Y-%m-%dT%H:%M").to_string()
    };
    Some(json!({ "opens": at(from), "closes": at(to), "zone": "UTC" }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_story_makes_a_plan() {
        for slot in &SLOTS {
            for (n, story) in (1..=3).filter_map(|n| Some((n, slot.story(n)?))) {
                let now = chrono::DateTime::from_timestamp(1_795_222_800, 0).unwrap();
                let made = plan(slot, story, n, 7, now).unwrap();
                let again = plan(slot, story, n, 7, now).unwrap();
                assert_eq!(made, again, "the seed fixes it");
                assert_eq!(slot.number(&made.services[0].version), Some(n));
            }
        }
    }

    #[test]
    fn versions_of_all_slots_differ() {
        let all: usize = SLOTS.len() * 1000;
        assert_eq!(profiles().len(), all);
    }
}
