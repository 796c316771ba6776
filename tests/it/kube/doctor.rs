//! The doctor against a real cluster, and a room for what runs there.

use std::net::TcpListener;
use std::path::Path;

use holdpoint::config::located::{Doc, Format};
use serde_json::{Value, json};

use super::LONG;
use super::cluster::{Cluster, Namespace};
use super::room::Room;
use crate::shop::{Said, holdpoint};

/// What the doctor says, in JSON.
#[track_caller]
pub fn doctor(room: &Path) -> (i32, Value) {
    let said = holdpoint(room, &["doctor", "--json"]);
    let found = said.json();
    assert_eq!(found["schema"], "holdpoint.doctor/1", "{said:?}");
    (said.code.unwrap(), found)
}

/// Writes a room for what runs in the cluster of a kubeconfig.
fn init(dir: &Path, kubeconfig: &Path, more: &[&str]) -> Said {
    let (room, file) = (dir.to_str().unwrap(), kubeconfig.to_str().unwrap());
    let words = ["init", room, "--from-kube", "--kubeconfig", file];
    holdpoint(dir.parent().unwrap(), &[&words, more].concat())
}

/// Waits until the cluster has taken in what a Role gives, all of it.
#[track_caller]
pub fn granted(ns: &Namespace, room: &Room) {
    let see = |_: &_| doctor(room.path());
    ns.until("what the Role gives", LONG, see, |(code, _)| *code == 0);
}

/// The words of the checks of a target that are not well.
fn lacks(found: &Value, target: &str) -> Vec<String> {
    let all = found["targets"].as_array().unwrap();
    let target = all.iter().find(|it| it["target"] == target).unwrap();
    let checks = target["checks"].as_array().unwrap().iter();
    let bad = checks.filter(|check| check["state"] == "missing");
    bad.map(|check| check["words"].as_str().unwrap().to_owned())
        .collect()
}

/// The identity files that `kube-up` writes beside the admin's.
fn beside(cluster: &Cluster, name: &str) -> std::path::PathBuf {
    cluster.file.with_file_name(name)
}

/// The rules of the first Role in YAML as the doctor prints it.
pub fn rules(yaml: &str) -> Value {
    let role = yaml.split("---\n").find(|doc| doc.contains("kind: Role\n"));
    let role = Doc::parse("role.yaml", role.unwrap(), Format::Yaml).unwrap();
    role.read::<Value>().unwrap()["rules"].clone()
}

#[test]
#[ignore = "needs a Kubernetes: tests/run kube"]
fn the_admin_lacks_nothing_and_others_what_they_may_not() {
    let ns = Cluster::given().namespace("doctor");
    ns.deployment("web", "shop/web:1", 2);
    ns.statefulset("store", "shop/store:1", 1);
    ns.rollout(
        "api",
        "shop/api:1",
        1,
        &json!([{"setWeight": 50}, {"pause": {}}]),
    );
    let room_as = |file: &Path| {
        let mut room = Room::new(file);
        room.target("web", &ns.name, "deployment/web", "");
        room.target("store", &ns.name, "statefulset/store", "");
        room.target("api", &ns.name, "rollout/api", "");
        room
    };
    let admin = room_as(&ns.cluster.file);
    let (code, found) = doctor(admin.path());
    assert_eq!((code, &found["well"]), (0, &json!(true)), "{found:#}");
    assert!(
        found["clusters"][0]["version"]
            .as_str()
            .unwrap()
            .starts_with("v1.")
    );
    for target in found["targets"].as_array().unwrap() {
        let codes: Vec<&str> = target["checks"]
            .as_array()
            .unwrap()
            .iter()
            .map(|check| check["code"].as_str().unwrap())
            // this client has set the image last
            .filter(|code| *code != "owner")
            .collect();
        assert_eq!(codes, ["container", "permission"], "{target:#}");
    }

    let reader = room_as(&beside(&ns.cluster, "reader.conf"));
    let (code, found) = doctor(reader.path());
    assert_eq!(code, 1, "{found:#}");
    let web = lacks(&found, "web-prod");
    let wanted = format!(
        "may not patch deployments.apps web in {}: it has to change it",
        ns.name
    );
    assert_eq!(web, [wanted], "{found:#}");
    let store = lacks(&found, "store-prod").join("\n");
    assert!(store.contains("may not delete pods in"), "{store}");
    let api = lacks(&found, "api-prod").join("\n");
    assert!(
        api.contains("patch rollouts.argoproj.io/status api"),
        "{api}"
    );

    let nobody = room_as(&beside(&ns.cluster, "nobody.conf"));
    let (code, found) = doctor(nobody.path());
    assert_eq!(code, 1, "{found:#}");
    let web = lacks(&found, "web-prod").join("\n");
    for word in [
        "get, list, watch deployments.apps",
        "pods",
        "replicasets.apps",
        "patch",
    ] {
        assert!(web.contains(word), "{word}: {web}");
    }
}

#[test]
#[ignore = "needs a Kubernetes: tests/run kube"]
fn the_printed_role_is_exactly_enough_and_its_loss_is_named() {
    let ns = Cluster::given().namespace("rbac");
    ns.deployment("web", "shop/web:1", 2);
    ns.statefulset("store", "shop/store:1", 1);
    let file = ns.identity("worker", &json!([]));
    let mut room = Room::new(&file);
    room.target("web", &ns.name, "deployment/web", "");
    room.target("store", &ns.name, "statefulset/store", "");
    let (code, found) = doctor(room.path());
    assert_eq!(code, 1, "{found:#}");
    assert!(!lacks(&found, "web-prod").is_empty());

    // the Role is printed for who the cluster takes the caller for
    let said = holdpoint(room.path(), &["doctor", "--rbac"]);
    let account = format!(
        "kind: ServiceAccount\n    name: \"worker\"\n    namespace: \"{}\"",
        ns.name
    );
    assert!(said.out.contains(&account), "{said:?}");
    let rules = rules(&said.out);
    ns.now_may("worker", &rules);
    granted(&ns, &room);

    // every rule of it is needed: without any one of them something is missing or less is told
    let all = rules.as_array().unwrap();
    for left_out in 0..all.len() {
        let mut fewer = all.clone();
        let lost = fewer.remove(left_out);
        ns.now_may("worker", &json!(fewer));
        let names_it = |(code, found): &(i32, Value)| {
            let resource = lost["resources"][0].as_str().unwrap();
            *code == 1 && found.to_string().contains(resource)
        };
        ns.until(
            &format!("the loss of {lost}"),
            LONG,
            |_| doctor(room.path()),
            names_it,
        );
    }

    // `patch` is taken away
    let fewer: Vec<&Value> = all
        .iter()
        .filter(|rule| rule["verbs"] != json!(["patch"]))
        .collect();
    ns.now_may("worker", &json!(fewer));
    let (_, found) = ns.until(
        "the loss of patch",
        LONG,
        |_| doctor(room.path()),
        |(_, found)| found.to_string().contains("may not patch"),
    );
    let web = lacks(&found, "web-prod");
    assert_eq!(web.len(), 1, "{web:?}");
    assert!(
        web[0].starts_with("may not patch deployments.apps web"),
        "{web:?}"
    );
    let said = holdpoint(room.path(), &["doctor"]);
    assert!(
        said.out.contains("to promote: 1 thing is missing"),
        "{}",
        said.out
    );
}

#[test]
#[ignore = "needs a Kubernetes: tests/run kube"]
fn what_is_not_there_is_named_with_what_is() {
    let ns = Cluster::given().namespace("absent");
    ns.deployment("web", "shop/web:1", 1);
    let limit = json!({"spec": {"revisionHistoryLimit": 0}});
    ns.patch("deployment", "web", &limit);
    let mut room = Room::new(&ns.cluster.file);
    room.target("wbe", &ns.name, "deployment/wbe", "");
    room.target("web", &ns.name, "deployment/web", "container = \"wep\"");
    room.target("other", &ns.name, "deployment/web", "");
    let (code, found) = doctor(room.path());
    assert_eq!(code, 1);
    let said = holdpoint(room.path(), &["doctor"]).out;
    assert!(said.contains("did you mean `web`?"), "{said}");
    assert_eq!(
        lacks(&found, "web-prod")[0],
        "its pods have no container `wep`"
    );
    let history = &lacks(&found, "other-prod")[0];
    assert!(history.contains("revisionHistoryLimit is 0"), "{history}");
    let other = found["targets"][0].clone();
    assert_eq!(other["promote"], json!([]), "{other:#}");
    assert_eq!(other["roll_back"].as_array().unwrap().len(), 1, "{other:#}");
    // another image than the room brings is worth a look
    assert!(
        said.contains("runs shop/web:1, room.toml brings shop/other"),
        "{said}"
    );
}

#[test]
#[ignore = "needs a Kubernetes: tests/run kube"]
fn who_else_changes_it_is_told() {
    let ns = Cluster::given().namespace("owners");
    ns.deployment("web", "shop/web:1", 1);
    let mut room = Room::new(&ns.cluster.file);
    room.target("web", &ns.name, "deployment/web", "");
    let id = json!({"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:x/web"});
    ns.patch(
        "deployment",
        "web",
        &json!({"metadata": {"annotations": id}}),
    );
    let (code, found) = doctor(room.path());
    let lacks = lacks(&found, "web-prod").join("\n");
    assert_eq!(code, 1, "{found:#}");
    assert!(lacks.starts_with("Argo CD keeps it as Git says"), "{lacks}");
}

/// A cluster that takes connections and says nothing costs its own lines only.
#[test]
#[ignore = "needs a Kubernetes: tests/run kube"]
fn a_cluster_that_hangs_costs_its_own_lines() {
    let ns = Cluster::given().namespace("hangs");
    ns.deployment("web", "shop/web:1", 1);
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let mut held = Vec::new();
        for stream in silent.incoming().flatten() {
            let _ = stream.set_nonblocking(true);
            held.push(stream);
        }
    });
    let mut room = Room::new(&ns.cluster.file);
    let file = |name: &str, config: Value| {
        room.write(name, &config.to_string());
        room.path().join(name)
    };
    let config = |user: Value| {
        json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "x",
            "clusters": [{"name": "x", "cluster": {"server": format!("http://127.0.0.1:{port}")}}],
            "users": [{"name": "x", "user": user}],
            "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
        })
    };
    let deaf = file("deaf.conf", config(json!({"token": "t"})));
    // the program that should bring the credentials hangs
    let exec = json!({"exec": {
        "apiVersion": "client.authentication.k8s.io/v1", "command": "sleep", "args": ["60"],
        "interactiveMode": "Never",
    }});
    let stuck = file("stuck.conf", config(exec));
    room.cluster("deaf", &deaf);
    room.cluster("stuck", &stuck);
    room.target("web", &ns.name, "deployment/web", "");
    room.target_in("deaf", "far", "shop", "deployment/far", "");
    room.target_in("stuck", "locked", "shop", "deployment/locked", "");
    let (code, found) = doctor(room.path());
    assert_eq!(code, 1);
    assert_eq!(lacks(&found, "web-prod"), [""; 0]);
    for target in ["far-prod", "locked-prod"] {
        let lacks = lacks(&found, target);
        assert!(lacks[0].contains("not reached"), "{lacks:?}");
    }
}

#[test]
#[ignore = "needs a Kubernetes: tests/run kube"]
fn a_room_is_written_for_what_runs() {
    let ns = Cluster::given().namespace("prod-init");
    ns.deployment("web", "shop/web:1.4", 3);
    ns.statefulset("store", "shop/store:7", 2);
    ns.daemonset("agent", "shop/agent:1");
    ns.rollout("api", "shop/api:2", 2, &json!([{"setWeight": 50}]));
    ns.deployment("cart", "shop/cart:3", 1);
    ns.canary("cart", &json!({"iterations": 1, "threshold": 1}));
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("room");
    let init = |dir: &Path, more: &[&str]| init(dir, &ns.cluster.file, more);
    let said = init(&dir, &["--namespace", &ns.name]);
    assert_eq!(said.code, Some(0), "{said:?}");
    let text = std::fs::read_to_string(dir.join("room.toml")).unwrap();
    for workload in [
        "deployment/web",
        "statefulset/store",
        "daemonset/agent",
        "rollout/api",
        "canary/cart",
    ] {
        assert!(
            text.contains(&format!("workload = {workload:?}")),
            "{workload}: {text}"
        );
    }
    assert!(!text.contains("deployment/cart"), "{text}");
    let said = holdpoint(&dir, &["check"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    let said = holdpoint(&dir, &["check", dir.join("plan.yaml").to_str().unwrap()]);
    assert_eq!(said.code, Some(0), "{said:?}");
    let (code, found) = doctor(&dir);
    assert_eq!(code, 0, "{found:#}");
    // nothing is overwritten
    let said = init(&dir, &["--namespace", &ns.name]);
    assert_eq!(said.code, Some(1), "{said:?}");
    // all namespaces: ours is among them, the cluster's own is not
    let all = folder.path().join("all");
    let said = init(&all, &[]);
    assert_eq!(said.code, Some(0), "{said:?}");
    let text = std::fs::read_to_string(all.join("room.toml")).unwrap();
    assert!(
        text.contains(&format!("namespace = {:?}", ns.name)),
        "{text}"
    );
    assert!(!text.contains("kube-system"), "{text}");
    // an empty namespace, and one that may not be read
    let empty = Cluster::given().namespace("empty");
    let said = init(
        &folder.path().join("none"),
        &["--namespace", &empty.name, "--json"],
    );
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.err.contains("nothing-found"), "{said:?}");
    assert!(!folder.path().join("none").exists());
}

#[test]
#[ignore = "needs a Kubernetes: tests/run kube"]
fn who_may_not_list_everything_gets_a_room_for_their_namespace() {
    let ns = Cluster::given().namespace("narrow");
    ns.deployment("web", "shop/web:1", 1);
    let read = json!([{"apiGroups": ["apps"], "resources": ["*"], "verbs": ["get", "list"]}]);
    let file = ns.identity("worker", &read);
    let mut config: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    config["contexts"][0]["context"]["namespace"] = json!(ns.name);
    std::fs::write(&file, config.to_string()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("room");
    let said = ns.until(
        "the right to list",
        LONG,
        |_| init(&dir, &file, &[]),
        |said| said.code == Some(0) || said.err.contains("room-exists"),
    );
    assert!(
        said.err.contains("not permitted to list all namespaces"),
        "{said:?}"
    );
    assert!(said.err.contains("rollouts were not listed"), "{said:?}");
    // nobody may list anything
    let nobody = beside(&ns.cluster, "nobody.conf");
    let none = folder.path().join("none");
    let said = init(&none, &nobody, &["--json"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.err.contains("not-permitted"), "{said:?}");
}

/// Without a kubeconfig nothing hangs, and it is said what to do.
#[test]
fn without_a_cluster_no_room_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("room");
    let said = init(&dir, Path::new("/nowhere/config"), &["--json"]);
    assert_eq!(said.code, Some(3), "{said:?}");
    let error: Value = serde_json::from_str(said.err.lines().next().unwrap()).unwrap();
    assert_eq!(error["code"], "no-cluster", "{said:?}");
    assert!(
        error["next_step"]
            .as_str()
            .unwrap()
            .contains("--kubeconfig"),
        "{said:?}"
    );
    assert!(!dir.exists());
}
