//! What the looks have seen outlives the engine, and is never worth a stopped one.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use holdpoint::domain::live::{Chart, Point};
use holdpoint::domain::{Control, Plan, ReleaseId, Span, Timestamp};
use holdpoint::ledger::telemetry::{Limits, Sample, Telemetry};
use serde_json::Value;
use tokio::task::JoinHandle;

use crate::engine::{Stage, short_plan};
use crate::server::Server;
use crate::shop::{Keeper, Shop};
use crate::until::{until, until_async};

/// More than any test keeps.
const ALL: Limits = Limits {
    per_release: 100_000,
    overall: 100_000,
};

/// Servers whose counters grow.
pub struct Busy {
    servers: Arc<Vec<Server>>,
    task: JoinHandle<()>,
}

impl Busy {
    async fn new(many: usize) -> Busy {
        Busy::showing(vec![(10, 1); many]).await
    }

    /// Servers that each count so many good and bad requests in a tick.
    async fn showing(each: Vec<(u64, u64)>) -> Busy {
        let mut servers = Vec::new();
        for _ in &each {
            servers.push(Server::shows("").await);
        }
        let servers = Arc::new(servers);
        let shown = servers.clone();
        let task = tokio::spawn(async move {
            for n in 1_u64.. {
                for (server, (good, bad)) in shown.iter().zip(&each) {
                    let (good, bad) = (n * good, n * bad);
                    server.now_shows(&format!(
                        "# TYPE http_requests_total counter\nhttp_requests_total{{code=\"200\"}} {good}\n\
                         http_requests_total{{code=\"500\"}} {bad}\n"
                    ));
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
        Busy { servers, task }
    }

    pub fn url(&self, n: usize) -> String {
        self.servers[n].url.clone()
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Half, then a person's word, then the rest.
fn halfway() -> Plan {
    let mut plan = short_plan();
    plan.batches[1].before = std::mem::take(&mut plan.batches[0].before);
    plan
}

/// A stage with busy instances.
pub async fn stage() -> (Stage, Busy) {
    stage_of(Busy::new(6).await).await
}

/// A stage with these instances; every eleventh request may be bad without any limit being broken, and
/// nobody has to warm up.
pub async fn stage_of(busy: Busy) -> (Stage, Busy) {
    let mut stage = Stage::new().await;
    stage.charter.judging.warm_up = Span(0);
    let services = stage.charter.services.values_mut();
    for metric in services.flat_map(|service| service.metrics.values_mut()) {
        metric.fail_above = Some(500_000);
    }
    stage.urls = (1..=6)
        .map(|n| (format!("i-{n}").as_str().into(), busy.url(n - 1)))
        .collect();
    stage.look = Span(100);
    stage.stop().await;
    (stage, busy)
}

/// A release that waits for a person's word after half of its instances.
pub async fn released(stage: &Stage) -> ReleaseId {
    let id = stage.approved(halfway()).await;
    stage.control(id, Control::Start).await.unwrap();
    stage.until(id, "manual").await;
    id
}

pub fn charts(stage: &Stage, id: ReleaseId) -> Vec<Chart> {
    let live = stage.engine().live().borrow().clone();
    live.charts.get(&id).map_or_else(Vec::new, |c| c.to_vec())
}

/// Waits until so many points of the release's one chart have a value for the new version.
async fn drawn(stage: &Stage, id: ReleaseId, many: usize) -> Vec<(Timestamp, [Option<i64>; 2])> {
    let see = async || charts(stage, id);
    let enough = |charts: &Vec<Chart>| {
        let points = charts.iter().flat_map(|c| &c.points);
        points.filter(|p| p.canary.is_some()).count() >= many
    };
    let seen = until_async("points of the chart", see, enough).await;
    assert_eq!(seen.len(), 1, "{seen:?}");
    seen[0].points.iter().map(shown).collect()
}

/// A point as a chart can show it: when, canary and baseline in millionths.
fn shown(point: &Point) -> (Timestamp, [Option<i64>; 2]) {
    let millionths = |value: f64| (value * 1e6).round() as i64;
    let sides = [point.canary, point.baseline];
    (point.at, sides.map(|side| side.map(millionths)))
}

/// Waits until people are told of something.
async fn told(stage: &Stage, code: &str) -> String {
    let see = async || stage.engine().live().borrow().alerts.clone();
    let alerts = until_async(code, see, |all| all.iter().any(|n| n.code == code)).await;
    alerts.iter().find(|n| n.code == code).unwrap().to_string()
}

/// The looks in a file.
async fn rows(file: &Path, release: u64) -> Vec<(i64, Value)> {
    let mut telemetry = Telemetry::open(file, ALL).await.unwrap();
    let rows = telemetry.load(release, 100_000).await.unwrap();
    telemetry.close().await;
    let read = |(at, bytes): (i64, Vec<u8>)| (at, serde_json::from_slice(&bytes).unwrap());
    rows.into_iter().map(read).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn charts_are_there_again_after_a_restart_and_go_on() {
    let (mut stage, busy) = stage().await;
    stage.start().await;
    let id = released(&stage).await;
    let mut before = drawn(&stage, id, 6).await;
    stage.stop().await;
    // the newest look may have been drawn and not yet been written when the engine was stopped
    before.pop();

    // without its instances an engine can show only what it knew
    let urls = std::mem::take(&mut stage.urls);
    stage.start().await;
    let again = drawn(&stage, id, 5).await;
    assert_eq!(again[..before.len()], before[..], "the chart begins anew");
    let pulse = stage.engine().live().borrow().pulse[&id].len();
    assert!(pulse >= 5, "the pulse begins anew: {pulse}");
    stage.stop().await;

    stage.urls = urls;
    stage.start().await;
    let more = drawn(&stage, id, again.len() + 3).await;
    assert_eq!(more[..before.len()], before[..], "the chart begins anew");
    drop(busy);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_file_does_not_grow_without_end() {
    let (mut stage, _busy) = stage().await;
    stage.start().await;
    let id = released(&stage).await;
    drawn(&stage, id, 1).await;
    stage.stop().await;
    let file = stage.file("telemetry.db");
    let mut telemetry = Telemetry::open(&file, ALL).await.unwrap();
    let old = |at_ms| Sample {
        release: id.0,
        at_ms,
        bytes: b"{}".to_vec(),
    };
    let many: Vec<Sample> = (0..3000).map(old).collect();
    telemetry.put(&many).await.unwrap();
    telemetry.close().await;
    stage.start().await;
    let see = async || rows(&file, id.0).await.len();
    until_async("old looks go", see, |n| *n <= 720).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_file_is_moved_aside_and_told_and_the_release_goes_on() {
    let (mut stage, _busy) = stage().await;
    let file = stage.file("telemetry.db");
    let garbage = "no database at all\n".repeat(500);
    fs::write(&file, &garbage).unwrap();
    stage.start().await;
    let id = released(&stage).await;
    let words = told(&stage, "telemetry-moved").await;
    let aside = stage.file("telemetry.db.bad-1");
    assert!(words.contains(aside.to_str().unwrap()), "{words}");
    assert_eq!(fs::read_to_string(&aside).unwrap(), garbage);
    drawn(&stage, id, 1).await;
    stage
        .control(id, Control::Promote { seen: None })
        .await
        .unwrap();
    stage.until(id, "closed: succeeded").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_cannot_be_opened_is_told_and_the_release_goes_on() {
    let (mut stage, _busy) = stage().await;
    fs::create_dir(stage.file("telemetry.db")).unwrap();
    stage.start().await;
    let id = released(&stage).await;
    told(&stage, "telemetry-failed").await;
    drawn(&stage, id, 1).await;
    stage
        .control(id, Control::Promote { seen: None })
        .await
        .unwrap();
    stage.until(id, "closed: succeeded").await;
}

/// The shop, with metrics for one of its services.
fn shop(room: &Path, busy: &Busy) -> Shop {
    let shop = Shop::new(room);
    let file = room.join("room.toml");
    let mut text = fs::read_to_string(&file).unwrap();
    for n in 1..=4 {
        let url = busy.url(n - 1);
        text = text.replace(
            &format!("{{ name = \"web-{n}\" }}"),
            &format!("{{ name = \"web-{n}\", url = \"{url}\" }}"),
        );
    }
    fs::write(&file, text).unwrap();
    let file = room.join("catalog.toml");
    let catalog = fs::read_to_string(&file).unwrap()
        + "\n[service.web.metric.errors]\nratio = { bad = 'http_requests_total{code=\"500\"}', \
           total = \"http_requests_total\" }\nfail_above = \"50%\"\nmin_count = 1\n";
    fs::write(&file, catalog).unwrap();
    shop
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn looks_survive_a_kill_and_are_no_part_of_the_ledger() {
    let room = tempfile::tempdir().unwrap();
    let busy = Busy::new(4).await;
    let shop = shop(room.path(), &busy);
    let file = room.path().join("telemetry.db");
    let engine = shop.serve();
    let id = shop.approved(
        "web",
        1,
        "batches: [{ exposure: 50% }, { exposure: full, before: [{ manual: {} }] }]\n",
    );
    let manual = |seen: &Value| seen["waiting"]["word"] == "manual";
    until("half of it", || shop.show(&id), manual);
    let see = async || rows(&file, 1).await;
    let counted = |rows: &Vec<(i64, Value)>| {
        let brought = rows.last().map(|(_, row)| &row["metrics"][0]["point"][0]);
        brought.is_some_and(Value::is_number)
    };
    until_async("a look", see, counted).await;
    engine.kill();
    let before = rows(&file, 1).await;

    let engine: Keeper = shop.serve();
    let more = |rows: &Vec<(i64, Value)>| rows.len() >= before.len() + 3 && counted(rows);
    let after = until_async("more looks", see, more).await;
    assert_eq!(after[..before.len()], before[..]);
    shop.done(&["release", "promote", &id]);
    assert_eq!(shop.ending(&id), "succeeded");
    engine.kill();

    // the ledger is whole without the file
    fs::remove_file(&file).unwrap();
    let _engine = shop.serve();
    assert_eq!(shop.show(&id)["ending"], "succeeded");
}

/// What the file knows of the evidence of a release's one metric.
async fn evidence(file: &Path, release: u64) -> Option<Value> {
    let mut telemetry = Telemetry::open(file, ALL).await.unwrap();
    let bytes = telemetry.latest(release).await.unwrap();
    telemetry.close().await;
    let latest: Value = serde_json::from_slice(&bytes?).unwrap();
    Some(latest["weighing"]["groups"][0]["rollout"]["metrics"][0].clone())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn evidence_goes_on_after_a_restart_and_no_look_is_lost() {
    let (mut stage, busy) = stage().await;
    let file = stage.file("telemetry.db");
    stage.start().await;
    let id = released(&stage).await;
    drawn(&stage, id, 5).await;
    stage.stop().await;
    let looks = rows(&file, id.0).await.len();
    let before = evidence(&file, id.0).await.unwrap();
    let history = |metric: &Value| metric["history"].as_array().unwrap().clone();
    assert!(history(&before).len() >= 4, "{before}");

    stage.start().await;
    let see = async || evidence(&file, id.0).await.unwrap();
    let more = |metric: &Value| history(metric).len() >= history(&before).len() + 3;
    let after = until_async("more evidence", see, more).await;
    assert_eq!(
        history(&after)[..history(&before).len()],
        history(&before)[..]
    );
    let calls = rows(&file, id.0).await;
    let calls = calls[looks..]
        .iter()
        .map(|(_, row)| row["metrics"][0]["verdict"]["call"].clone());
    let calls: Vec<Value> = calls.collect();
    assert!(!calls.contains(&Value::from("no-data")), "{calls:?}");
    drop(busy);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worse_version_is_found_and_goes_back_by_itself() {
    // of the new version twice as many are bad, far below the hard limit
    let mut each = vec![(9, 2); 3];
    each.extend([(10, 1); 3]);
    let (mut stage, _busy) = stage_of(Busy::showing(each).await).await;
    stage.start().await;
    let id = stage.approved(halfway()).await;
    stage.control(id, Control::Start).await.unwrap();
    stage.until(id, "closed: rolled back").await;
    let state = stage.state();
    let why = state
        .closed
        .values()
        .next_back()
        .map(|summary| summary.why.to_string());
    let why = why.unwrap_or_default();
    assert!(why.contains("the judge") && why.contains("errors"), "{why}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_equal_version_is_proven_and_goes_on() {
    let (mut stage, _busy) = stage().await;
    stage.start().await;
    let mut plan = halfway();
    let text = r#"[{"analysis": {"metrics": ["errors"], "passes": 2}}]"#;
    plan.batches[0].after = serde_json::from_str(text).unwrap();
    let id = stage.approved(plan).await;
    stage.control(id, Control::Start).await.unwrap();
    stage.until(id, "manual").await;
    let verdict = stage.state().live[&id]
        .verdicts
        .values()
        .next()
        .cloned()
        .unwrap();
    assert_eq!(verdict.call, holdpoint::domain::Call::Pass, "{verdict:?}");
    assert!(
        verdict.words.contains("Allowed: 1.25x + 0.02 points"),
        "{}",
        verdict.words
    );
}
