//! What is read of a cluster without a release, and what is shown when watches say nothing any more.

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::cluster::Cluster;
use super::deployments::halfway;
use super::proxy::{Asked, Fault, On, Proxy};
use super::room::Room;
use super::{LONG, ROUNDS};

/// For how long an idle room is looked on: every target is read in that time.
const IDLE: Duration = Duration::from_secs(20);

#[test]
#[ignore = "needs a Kubernetes: tests/run kube"]
fn an_idle_room_reads_nothing_of_what_it_watches() {
    let ns = Cluster::given().namespace("idle");
    ns.deployment("base", "shop/ref:1", 0);
    ns.rollout_of("ref", "base", 1);
    ns.blue_green("web", "shop/web:1", 1);
    ns.ready("rollout", "web", 1);
    ns.deployment("cart", "shop/cart:1", 1);
    ns.canary("cart", &json!({"iterations": 1, "threshold": 1}));
    let ready = |canary: &Value| canary["status"]["phase"] == "Initialized";
    ns.until("Flagger", ROUNDS, |ns| ns.get("canary", "cart"), ready);
    let proxy = Proxy::before(&ns.cluster);
    let mut room = Room::new(&proxy.kubeconfig(&ns.cluster.file));
    for (name, workload) in [
        ("ref", "rollout/ref"),
        ("web", "rollout/web"),
        ("cart", "canary/cart"),
    ] {
        room.target(name, &ns.name, workload, "");
    }
    let _engine = room.serve();
    let watched = |asked: &Vec<Asked>| {
        ["/rollouts?", "/canaries?", "/deployments?", "/pods?"]
            .iter()
            .all(|kind| {
                asked
                    .iter()
                    .any(|it| it.watches() && it.path.contains(kind))
            })
    };
    ns.until("its watches", LONG, |_| proxy.asked(), watched);
    let before = proxy.asked().len();
    let begun = Instant::now();
    ns.until("a quiet while", LONG, |_| begun.elapsed(), |it| *it > IDLE);
    let asked = proxy.asked().split_off(before);
    let reads: Vec<&Asked> = asked
        .iter()
        .filter(|it| !it.watches() && it.path != "/version")
        .collect();
    assert!(reads.is_empty(), "{reads:#?}");
    // and each watch was taken up again once at most, with what it shares between all targets
    let watches = asked.iter().filter(|it| it.watches()).count();
    assert!(watches <= 10, "{watches}: {asked:#?}");
}

/// No picture of a workload claims to have been read after that time.
#[track_caller]
fn none_is_newer(shown: &[Value], at: DateTime<Utc>) {
    for web in shown {
        let read = web["read"].as_str().unwrap();
        let read = DateTime::parse_from_rfc3339(read).unwrap();
        // the two clocks are one, but it is told and taken a moment apart
        assert!(read.to_utc() - at < TimeDelta::seconds(1), "{read} {at}");
    }
}

#[test]
#[ignore = "needs a Kubernetes: tests/run kube"]
fn what_a_silent_watch_keeps_back_is_listed_and_no_picture_is_older_than_it_says() {
    let (ns, proxy, room, _engine, id) = halfway("stalled");
    proxy.freeze_watches();
    ns.patch("deployment", "web", &json!({"spec": {"replicas": 4}}));
    let changed = Utc::now();
    let mut shown = Vec::new();
    let see = |_: &_| {
        let web = room.show(&id)["workloads"][0].clone();
        shown.push(web.clone());
        web
    };
    ns.until("the new number", LONG, see, |web| web["wanted"] == 4);
    // nothing that was shown meanwhile claims to have been read after the number had changed
    shown.retain(|web| web["wanted"] == 2);
    none_is_newer(&shown, changed);
    proxy.heal();
    room.promote(&id);
    room.ends(&ns, &id, "succeeded");
}

#[test]
#[ignore = "needs a Kubernetes: tests/run kube"]
fn what_neither_watches_nor_lists_bring_shows_its_age_and_is_unknown_in_the_end() {
    let (ns, proxy, room, _engine, id) = halfway("blinded");
    // a watch that breaks is begun anew with a list: that does not come either
    proxy.fault(On::Reads("limit=500"), Fault::Hang, usize::MAX);
    proxy.freeze_watches();
    let frozen = Utc::now();
    let see = |_: &_| room.show(&id)["workloads"][0].clone();
    let mut shown = Vec::new();
    let note = |_: &_| {
        let web = see(&ns);
        shown.push(web.clone());
        web
    };
    let blind = |web: &Value| web["failing"].is_string();
    let web = ns.until("its blindness", LONG, note, blind);
    assert!(web["failing"].to_string().contains("watching"), "{web:#}");
    // nothing that was shown meanwhile claims to have been read after the watch said its last word
    none_is_newer(&shown, frozen);
    let unknown = |seen: &Value| seen.to_string().contains("\"unknown\"");
    ns.until("that it is unknown", LONG, |_| room.show(&id), unknown);
    proxy.heal();
    let fresh = |web: &Value| web["failing"].is_null();
    ns.until("sight", LONG, see, fresh);
    room.stands(&ns, &id, 50);
    room.promote(&id);
    room.ends(&ns, &id, "succeeded");
}
