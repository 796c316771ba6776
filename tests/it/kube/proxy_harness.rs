//! The proxy passes everything on when nothing is wrong, and each of its faults is what it says.

use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::LONG;
use super::client::{Answer, Client, Kind};
use super::cluster::{Cluster, Namespace};
use super::proxy::{Fault, On, Proxy};
use super::waiting::observed;
use super::witness::Witness;

/// A Deployment without pods, a proxy, and a client that knows only the proxy.
struct Scene {
    ns: Namespace,
    proxy: Proxy,
    client: Client,
    path: String,
}

impl Scene {
    fn new(name: &str) -> Scene {
        let cluster = Cluster::given();
        let ns = cluster.namespace(name);
        ns.deployment("web", "shop/web:1", 0);
        ns.until(
            "it is seen",
            LONG,
            |ns| ns.get("deployment", "web"),
            observed,
        );
        let proxy = Proxy::before(&cluster);
        let mut client = Client::of(&proxy.kubeconfig(&cluster.file));
        client.limit = Duration::from_secs(10);
        let path = ns.path("deployment", "web");
        Scene {
            ns,
            proxy,
            client,
            path,
        }
    }

    /// Sets another deadline, which raises the generation.
    fn patch(&self, seconds: u32) -> Result<Answer, String> {
        self.patch_as(&self.client, seconds)
    }

    fn patch_as(&self, client: &Client, seconds: u32) -> Result<Answer, String> {
        let body = json!({"spec": {"progressDeadlineSeconds": seconds}});
        client.ask(Method::PATCH, &self.path, Some((Kind::MergePatch, &body)))
    }

    fn read(&self) -> Result<Answer, String> {
        self.client.ask(Method::GET, &self.path, None)
    }

    /// What a watch of the namespace's Deployments brings, through the proxy.
    fn watch(&self) -> Receiver<Result<Value, String>> {
        let path = format!("{}?watch=true", self.ns.path("deployment", ""));
        let request = self.client.request(Method::GET, &path);
        let (say, hear) = channel();
        self.client.turns.spawn(async move {
            let mut answer = match request.send().await {
                Ok(answer) if answer.status() == 200 => answer,
                other => return say.send(Err(format!("{other:?}"))).unwrap_or_default(),
            };
            let mut held = Vec::new();
            loop {
                match answer.chunk().await {
                    Ok(Some(chunk)) => held.extend_from_slice(&chunk),
                    Ok(None) => return,
                    Err(error) => return say.send(Err(format!("{error:?}"))).unwrap_or_default(),
                }
                while let Some(end) = held.iter().position(|byte| *byte == b'\n') {
                    let line: Vec<u8> = held.drain(..=end).collect();
                    let event = serde_json::from_slice(&line).map_err(|error| error.to_string());
                    if say.send(event).is_err() {
                        return;
                    }
                }
            }
        });
        hear
    }
}

/// The next event, with what it is; nothing when the watch has ended.
fn next(watch: &Receiver<Result<Value, String>>) -> Option<(String, Value)> {
    let mut event = watch.recv_timeout(LONG).ok()?.unwrap();
    let kind = event["type"].as_str().unwrap().to_owned();
    Some((kind, event["object"].take()))
}

#[test]
#[ignore = "needs a Kubernetes: tests/run kube"]
fn nothing_is_lost_on_the_way() {
    let scene = Scene::new("way");
    let watch = scene.watch();
    assert_eq!(next(&watch).unwrap().0, "ADDED");
    let patched = scene.patch(50).unwrap();
    assert_eq!(patched.code, 200);
    let (kind, seen) = next(&watch).unwrap();
    assert_eq!(
        (kind.as_str(), &seen["spec"]),
        ("MODIFIED", &patched.body["spec"])
    );
    let listed = scene.client.list(&scene.ns.path("deployment", ""));
    assert_eq!(listed[0]["spec"], patched.body["spec"]);
    let missing = scene.ns.path("deployment", "none");
    assert!(scene.client.find(&missing).is_none());
    let writes = scene.proxy.writes();
    assert_eq!(writes.len(), 1, "{writes:?}");
    assert_eq!(
        (writes[0].method.as_str(), &writes[0].path),
        ("PATCH", &scene.path)
    );
    assert_eq!(writes[0].media_type, "application/merge-patch+json");
    assert_eq!(writes[0].body["spec"]["progressDeadlineSeconds"], 50);
    let asked = scene.proxy.asked();
    assert_eq!(
        asked.iter().filter(|one| !one.writes()).count(),
        3,
        "{asked:?}"
    );
}

#[test]
#[ignore = "needs a Kubernetes: tests/run kube"]
fn what_is_done_and_what_is_answered_are_two_things() {
    let scene = Scene::new("answers");
    let witness = Witness::of(&scene.ns, "deployment", "web");
    let mut hasty = scene.client.clone();
    hasty.limit = Duration::from_secs(1);
    // what the client hears, and whether it is done
    let cases = [
        (Fault::Answer(409), Some(409), false),
        (Fault::Answer(401), Some(401), false),
        (Fault::Busy(7), Some(429), false),
        (Fault::Cut, None, false),
        (Fault::Hang, None, false),
        (Fault::DoneAnswer(504), Some(504), true),
        (Fault::DoneCut, None, true),
        (Fault::DoneHang, None, true),
    ];
    let mut generation = 1;
    for (number, (fault, code, done)) in cases.into_iter().enumerate() {
        scene.proxy.fault(On::Writes("deployments/web"), fault, 1);
        let passed = scene.proxy.writes().len();
        let heard = scene.patch_as(&hasty, 100 + number as u32);
        assert_eq!(
            heard.as_ref().ok().map(|answer| answer.code),
            code,
            "{fault:?}: {heard:?}"
        );
        if let Ok(answer) = heard {
            assert_eq!(answer.body["kind"], "Status", "{fault:?}");
            let wait = answer.body["details"]["retryAfterSeconds"].as_u64();
            assert_eq!(
                wait,
                matches!(fault, Fault::Busy(_)).then_some(7),
                "{fault:?}"
            );
        }
        generation += i64::from(done);
        let done = usize::from(done);
        assert_eq!(scene.proxy.writes().len(), passed + done, "{fault:?}");
        let seen = |_: &Namespace| *witness.generations().last().unwrap();
        scene
            .ns
            .until("what is done", LONG, seen, |seen| *seen == generation);
    }
    assert_eq!(witness.generations(), [1, 2, 3, 4]);
    assert_eq!(scene.proxy.faults_left(), 0);
    assert_eq!(scene.patch(200).unwrap().code, 200);
}

#[test]
#[ignore = "needs a Kubernetes: tests/run kube"]
fn faults_meet_whom_they_are_for_and_as_often() {
    let scene = Scene::new("faults");
    scene
        .proxy
        .fault(On::Writes("deployments"), Fault::Answer(409), 2);
    scene
        .proxy
        .fault(On::Reads("deployments"), Fault::Answer(503), 1);
    let codes = || (scene.read().unwrap().code, scene.patch(70).unwrap().code);
    assert_eq!(
        [codes(), codes(), codes()],
        [(503, 409), (200, 409), (200, 200)]
    );
    scene
        .proxy
        .fault(On::Everything, Fault::Answer(401), usize::MAX);
    assert_eq!([codes(), codes()], [(401, 401); 2]);
    scene.proxy.heal();
    assert_eq!(codes(), (200, 200));
}

#[test]
#[ignore = "needs a Kubernetes: tests/run kube"]
fn watches_expire_break_and_lie() {
    let scene = Scene::new("watches");
    scene
        .proxy
        .fault(On::Watches("deployments"), Fault::Answer(410), 1);
    let refused = scene.watch().recv_timeout(LONG).unwrap().unwrap_err();
    assert!(refused.contains("410"), "{refused}");
    scene
        .proxy
        .fault(On::Watches("deployments"), Fault::ErrorEvent(410), 1);
    let watch = scene.watch();
    let (kind, status) = next(&watch).unwrap();
    assert_eq!(
        (kind.as_str(), &status["code"], &status["reason"]),
        ("ERROR", &json!(410), &json!("Expired"))
    );
    assert!(next(&watch).is_none());

    let watch = scene.watch();
    assert_eq!(next(&watch).unwrap().0, "ADDED");
    scene.proxy.error_in_watches(410);
    assert_eq!(next(&watch).unwrap().0, "ERROR");
    assert!(next(&watch).is_none());

    let watch = scene.watch();
    assert_eq!(next(&watch).unwrap().0, "ADDED");
    scene.proxy.cut_watches();
    assert!(watch.recv_timeout(LONG).unwrap().is_err());

    scene.proxy.lie(|kind, object| {
        if kind == "Deployment" {
            object["status"]["observedGeneration"] = 0.into();
        }
    });
    let watch = scene.watch();
    let lied = |object: &Value| object["status"]["observedGeneration"] == 0;
    assert!(lied(&next(&watch).unwrap().1));
    assert!(lied(&scene.read().unwrap().body));
    assert!(lied(
        &scene.client.list(&scene.ns.path("deployment", ""))[0]
    ));
    scene.proxy.heal();
    assert!(!lied(&scene.read().unwrap().body));
}

#[test]
#[ignore = "needs a Kubernetes: tests/run kube"]
fn a_network_freezes_and_a_server_is_away() {
    let mut scene = Scene::new("network");
    let watch = scene.watch();
    assert_eq!(next(&watch).unwrap().0, "ADDED");
    scene.client.limit = Duration::from_secs(1);
    scene.proxy.freeze();
    assert!(scene.read().is_err());
    let ns = &scene.ns;
    ns.patch(
        "deployment",
        "web",
        &json!({"spec": {"progressDeadlineSeconds": 60}}),
    );
    assert!(watch.recv_timeout(Duration::from_secs(1)).is_err());
    scene.proxy.heal();
    assert_eq!(
        next(&watch).unwrap().1["spec"]["progressDeadlineSeconds"],
        60
    );

    scene.client.limit = Duration::from_secs(10);
    scene.proxy.refuse();
    ns.until(
        "nobody there",
        LONG,
        |_| scene.read().is_err(),
        |away| *away,
    );
    while let Ok(seen) = watch.recv_timeout(LONG) {
        drop(seen);
    }
    scene.proxy.heal();
    ns.until("its return", LONG, |_| scene.read().is_ok(), |back| *back);
}
