//! The judge end to end: a real Prometheus scrapes the demo's fleet, and the real engine releases many
//! services side by side, with a look every second.
//!
//! These tests take minutes and are run by `tests/run proof`. What the customers do is fixed by seeds,
//! and so is which request of an instance fails; when they come depends on the machine. How often a
//! right judge fails here was reckoned with simulated rollouts of 80 looks (12 requests a second to
//! each instance, looks of one second, independent requests, the boundary at 50 ms):
//!
//! - A service of which both versions are the same was stopped (paused or rolled back) in 0, 0 and 4 of
//!   200,000 rollouts with 1, 2 and 5 % of errors: about one run of 20 services in 7,000.
//! - All of 20,000 of each regression were found: half of them by look 7 to 21, the slowest at look 61.
//!
//! The machine is worse than that: busy ones make looks of two seconds, of uneven size, and add to
//! latencies, so that latencies were found some looks later than in any simulated rollout.

mod followed;
mod scene;
mod table;

use std::time::{Duration, Instant};

use holdpoint::judge::Sample;
use serde_json::Value;

use crate::shop::{Said, events, holdpoint, ledger};
use crate::until::{until_async, until_within};
use followed::{Followed, Pair};
use scene::{Scene, Service};
use table::{Line, Seen, Wrong, failing, slower, table};

/// Only a failing test waits this long.
const LONG: Duration = Duration::from_secs(600);

/// How long the first step of a rollout takes, in seconds: warming up, and some eighty looks.
const STEP: f64 = 84.0;

/// How many services are released of which nothing is wrong.
const EQUAL: usize = 20;

/// The services of which something is wrong, and what.
fn worse() -> Vec<(Service, Wrong)> {
    let fails = |name: &str, instances: usize, words, old: f64, new: f64| {
        let mut service = Service::same(name, instances, old);
        service.new.error_rate = new;
        (service, failing(words, old, new))
    };
    let slow = |name: &str, instances: usize, words, times: f64, boundary: f64| {
        let mut service = Service::same(name, instances, 0.02);
        service.new.latency_ms *= times;
        let wrong = slower(words, &service, boundary);
        (service, wrong)
    };
    vec![
        fails("bad-3x", 4, "errors: 10 % become 30 %", 0.1, 0.3),
        fails("bad-5x", 4, "errors: 5 % become 25 %", 0.05, 0.25),
        fails("bad-10x", 2, "errors: 3 % become 30 %", 0.03, 0.3),
        fails("bad-half", 2, "errors: 5 % become 50 %", 0.05, 0.5),
        fails("outage", 4, "errors: 2 % become 80 %", 0.02, 0.8),
        slow("slow-2x", 4, "latency: twice as slow", 2.0, 0.05),
        slow("slow-3x", 2, "latency: three times as slow", 3.0, 0.05),
        fails("small", 2, "errors: 2 % become 3 %", 0.02, 0.03),
    ]
}

/// The events of a kind that are about this release.
fn of<'a>(entries: &'a [Value], kind: &str, id: &str) -> Vec<&'a Value> {
    let number: u64 = id.strip_prefix("R-").unwrap().parse().unwrap();
    let mut all = events(entries, kind);
    all.retain(|event| event["release"] == number);
    all
}

#[ignore = "takes minutes: tests/run proof"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn equal_versions_pass_and_regressions_are_found_as_promised() {
    let bad = |n: usize| [0.01, 0.02, 0.05][n % 3];
    let mut services: Vec<Service> = (1..=EQUAL)
        .map(|n| Service::same(format!("same-{n:02}"), 2, bad(n)))
        .collect();
    let worse = worse();
    services.extend(worse.iter().map(|(service, _)| service.clone()));
    let Some(scene) = Scene::new(services).await else {
        return;
    };
    let engine = scene.serve();
    let bake = format!("{{ bake: {STEP}s }}");
    let ids: Vec<String> = scene
        .services()
        .iter()
        .map(|s| scene.submit(s, &bake))
        .collect();

    // Who stands still is over too: nobody is here to decide. One that looks bad stands still before it
    // is proven and goes back; it has had its time for that when those of which nothing is wrong are over.
    let see = async || holdpoint(scene.path(), &["release", "list", "--all", "--json"]);
    let over = |said: &Said| {
        let done = |line: &Value| line["phase"] == "closed" || line["waiting"]["word"] == "paused";
        let lines = said.lines();
        lines.len() == ids.len() && lines.iter().all(done)
    };
    until_within(LONG, "the end of all releases", see, over).await;
    let entries = ledger(scene.path());
    let mut stopped = Vec::new();
    for (service, id) in scene.services().iter().zip(&ids).take(EQUAL) {
        let seen = Seen::of(&scene, id, STEP).await;
        println!(
            "{}: {} looks of {:.1} s",
            service.name, seen.looks, seen.length
        );
        for words in &seen.words {
            println!("  {}", words.split(". Allowed").next().unwrap());
        }
        let went = of(&entries, "rollback-began", id).len() + of(&entries, "paused", id).len();
        let ending = scene.show(id)["ending"].clone();
        if went > 0 || ending != "succeeded" {
            let weighed = of(&entries, "weighed", id);
            stopped.push(format!("{}: {ending}, {weighed:?}", service.name));
        }
    }
    let mut lines = Vec::new();
    for ((service, wrong), id) in worse.iter().zip(&ids[EQUAL..]) {
        let seen = Seen::of(&scene, id, STEP).await;
        let shown = scene.show(id);
        lines.push(Line {
            service: service.name.clone(),
            wrong: *wrong,
            promised: seen.promised(scene.path(), *wrong),
            found: !of(&entries, "rollback-began", id).is_empty(),
            became: match shown["ending"].as_str() {
                Some(ending) => format!("{ending}: {}", shown["why"].as_str().unwrap_or_default()),
                None => format!("stands still: {}", shown["paused"]["why"]),
            },
            seen,
        });
    }
    println!("{}", table(&lines));
    drop(engine);
    assert!(stopped.is_empty(), "stopped without a reason: {stopped:#?}");
    let promised = lines.iter().filter(|line| line.promised.is_some());
    let lost: Vec<&Line> = promised.clone().filter(|line| !line.found).collect();
    assert!(lost.is_empty(), "promised and not found: {lost:#?}");
    assert!(
        promised.count() >= 4,
        "this traffic promises nothing: {lines:#?}"
    );
}

/// Both sides of a look, if both brought requests: how many together.
fn requests(pair: &Pair) -> Option<u64> {
    let of = |sample: &Sample| match sample {
        Sample::Ratio { total, .. } => Some(*total),
        _ => None,
    };
    Some(of(&pair[0])? + of(&pair[1])?)
}

/// Without customers everything that was counted comes to be seen: no request is lost, and none is
/// counted twice.
async fn settled(scene: &mut Scene, seen: &mut Followed, id: &str) {
    scene.quiet().await;
    let service = scene.services()[0].clone();
    let see = async || {
        let once = scene.truth(&service, id).await;
        (once, scene.truth(&service, id).await)
    };
    // a request that was under way may still end
    let truth = until_async("rest", see, |(a, b)| a == b).await.0;
    let all = |it: &Followed| it.canary_errors() == truth.canary;
    seen.until("all that the canary has counted", all).await;
    println!(
        "the canary's {:?} bad and all requests were seen",
        truth.canary
    );
}

#[ignore = "takes minutes: tests/run proof"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_dies_holds_the_release_and_its_gap_leaves_no_trace() {
    let service = Service::same("gap", 4, 0.05);
    let Some(mut scene) = Scene::new(vec![service.clone()]).await else {
        return;
    };
    let _engine = scene.serve();
    let bake = Duration::from_secs(90);
    let id = scene.submit(&service, "{ bake: 90s }, { manual: {} }");
    let mut seen = Followed::new(&scene, &id).await;
    let began = Instant::now();
    seen.until("40 judged looks", |it| it.judged() >= 40).await;
    scene.store.kill();
    let killed = began.elapsed();
    assert!(
        killed < bake - Duration::from_secs(15),
        "this machine is too slow: 40 looks took {killed:?}"
    );
    seen.until("a look without data", |it| it.missing() > 0)
        .await;
    let (judged, evidence) = (seen.judged(), seen.evidence());
    assert!(judged >= 40, "{judged}");

    // the time of the bake passes, the release does not
    let over = |it: &Followed| {
        assert_eq!(it.evidence(), evidence, "evidence from nothing");
        let bars = it.judgement()["decision"] == "inconclusive";
        bars && began.elapsed() > bake + Duration::from_secs(4)
    };
    seen.until("the end of the bake without data", over).await;
    let shown = scene.show(&id);
    println!(
        "killed after {judged} looks; without data for {} looks: {}, waits for {}: {}",
        seen.missing(),
        seen.judgement(),
        shown["waiting"]["word"],
        shown["waiting"]["what"],
    );
    assert!(seen.missing() >= 8, "{}", seen.missing());
    assert_eq!(
        (
            &shown["phase"],
            &shown["exposure"],
            &shown["waiting"]["word"]
        ),
        (&"rolling".into(), &25.into(), &"bake".into()),
        "{shown:#}"
    );
    let gap = seen.looks(0).len();

    scene.store.again();
    seen.until("looks after the gap", |it| it.judged() >= judged + 15)
        .await;
    let shown = scene.show(&id);
    assert_eq!(
        shown["waiting"]["word"], "manual",
        "the bake is over: {shown:#}"
    );
    // the gap itself is one long look, or two where instances are scraped again one after the other
    let long = seen.looks(0)[gap..]
        .iter()
        .filter_map(requests)
        .max()
        .unwrap();
    let usual = seen.looks(0)[..gap]
        .iter()
        .filter_map(requests)
        .max()
        .unwrap();
    println!("{long} requests in the look over the gap, at most {usual} in those before");
    assert!(long > 3 * usual, "{long} is not what came in the gap");
    seen.prove();
    settled(&mut scene, &mut seen, &id).await;
    seen.prove();
    scene.done(&["release", "promote", &id]);
    let see = async || scene.show(&id);
    until_within(LONG, "its end", see, |seen| seen["ending"] == "succeeded").await;
}

#[ignore = "takes minutes: tests/run proof"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_that_is_killed_goes_on_to_the_last_digit() {
    let service = Service::same("kill", 4, 0.05);
    let Some(mut scene) = Scene::new(vec![service.clone()]).await else {
        return;
    };
    let mut engine = scene.serve();
    let id = scene.submit(&service, "{ manual: {} }");
    let mut seen = Followed::new(&scene, &id).await;
    for looks in [12, 24, 36] {
        seen.until("looks", |it| it.judged() >= looks).await;
        let evidence = seen.evidence();
        engine.kill();
        let counted = scene.truth(&service, &id).await.canary[1];
        let see = async || scene.truth(&service, &id).await.canary[1];
        until_async("a while without an engine", see, |now| *now > counted + 40).await;
        engine = scene.serve();
        seen.until("a look after the restart", |it| it.evidence() != evidence)
            .await;
        println!("killed at look {looks}, now {}", seen.judged());
        assert!(seen.judged() > looks, "it began anew");
        seen.prove();
    }
    settled(&mut scene, &mut seen, &id).await;
    seen.prove();
    scene.done(&["release", "promote", &id]);
    let see = async || scene.show(&id);
    until_within(LONG, "its end", see, |seen| seen["ending"] == "succeeded").await;
}
