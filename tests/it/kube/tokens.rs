//! Tokens that expire while a release is on its way, and are renewed as kubeconfigs have it: by a file that
//! somebody writes anew, or by a command that is asked.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::LONG;
use super::client::Client;
use super::cluster::Namespace;
use super::deployments::{START, held, shop, tidy};
use super::room::Room;
use super::waiting::ready_with;

/// Somebody whose tokens can be taken back.
struct Worker<'a> {
    ns: &'a Namespace,
    file: PathBuf,
    tokens: u32,
}

impl Worker<'_> {
    #[track_caller]
    fn new(ns: &Namespace) -> Worker<'_> {
        let all = json!([{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]);
        ns.identity("worker", &all);
        let file = ns.file("token");
        let mut worker = Worker {
            ns,
            file,
            tokens: 0,
        };
        worker.renew();
        worker
    }

    /// Writes a new token; it is good as long as a Secret of its own is there.
    #[track_caller]
    fn renew(&mut self) {
        self.tokens += 1;
        let name = format!("bound-{}", self.tokens);
        let secret = self
            .ns
            .create("secret", &json!({"metadata": {"name": name}}));
        let bound = json!({"apiVersion": "v1", "kind": "Secret", "name": name,
            "uid": secret["metadata"]["uid"]});
        let path = format!("{}/token", self.ns.path("account", "worker"));
        let asked = json!({"spec": {"expirationSeconds": 3600, "boundObjectRef": bound}});
        let made = self.ns.cluster.create(&path, &asked);
        fs::write(&self.file, made["status"]["token"].as_str().unwrap()).unwrap();
    }

    /// The server knows the newest token no more.
    #[track_caller]
    fn expire(&self, kubeconfig: &Path) {
        self.ns.delete("secret", &format!("bound-{}", self.tokens));
        let mut config: Value = read(kubeconfig);
        config["users"][0]["user"] = json!({"token": fs::read_to_string(&self.file).unwrap()});
        let file = self.ns.file("expired.conf");
        fs::write(&file, config.to_string()).unwrap();
        let client = Client::of(&file);
        let path = self.ns.path("deployment", "web");
        let asked = |_: &Namespace| client.ask(reqwest::Method::GET, &path, None).unwrap().code;
        self.ns.until("its end", LONG, asked, |code| *code == 401);
    }

    /// The kubeconfig of the worker, with this user.
    fn kubeconfig(&self, user: &Value) -> PathBuf {
        let mut config = read(&self.ns.cluster.file);
        config["users"][0]["user"] = user.clone();
        let file = self.ns.file("renewed.conf");
        fs::write(&file, config.to_string()).unwrap();
        file
    }
}

fn read(file: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap()
}

/// A release goes its way over the end of a token, and shows meanwhile that it does not see.
#[track_caller]
fn outlives(ns: &Namespace, worker: &mut Worker<'_>, kubeconfig: &Path) {
    let mut room = Room::new(kubeconfig);
    room.target("web", &ns.name, "deployment/web", "deadline = \"5m\"");
    let _engine = room.serve();
    let id = room.submit(&room.plan("web", "2", 2, &[&held("50%"), "full"], START));
    // in the middle of its batch
    let begun = |pods: &Vec<Value>| ready_with(pods, "shop/web:2") >= 1;
    ns.until("its first pod", LONG, |ns| ns.pods("web"), begun);
    worker.expire(kubeconfig);
    let blind = |seen: &Value| {
        let work = &seen["workloads"][0];
        let why = work["failing"].as_str().unwrap_or_default();
        why.contains("does not know who calls") && work["read"].is_string()
    };
    let seen = ns.until("blindness", LONG, |_| room.show(&id), blind);
    assert_eq!(seen["phase"], "rolling", "{seen:#}");
    worker.renew();
    room.stands(ns, &id, 50);
    let sees = |seen: &Value| seen["workloads"][0]["failing"].is_null();
    ns.until("its sight", LONG, |_| room.show(&id), sees);
    // once more, while nothing is on its way: only watches are open
    worker.expire(kubeconfig);
    ns.until("blindness", LONG, |_| room.show(&id), blind);
    worker.renew();
    room.promote(&id);
    room.ends(ns, &id, "succeeded");
    tidy(ns, "deployment", "web");
}

/// A kubeconfig whose user logs in by a script.
fn login(ns: &Namespace, name: &str, script: &str) -> PathBuf {
    let file = ns.file(name);
    fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o700)).unwrap();
    let mut config = read(&ns.cluster.file);
    let user = json!({"apiVersion": "client.authentication.k8s.io/v1", "command": file,
        "interactiveMode": "Never"});
    config["users"][0]["user"] = json!({"exec": user});
    let kubeconfig = ns.file(&format!("{name}.conf"));
    fs::write(&kubeconfig, config.to_string()).unwrap();
    kubeconfig
}

#[test]
#[ignore = "needs a Kubernetes: tests/run kube"]
fn logins_that_hang_or_fail_stall_only_their_own_targets() {
    let ns = shop("logins", 6);
    let mut room = Room::new(&ns.cluster.file);
    room.target("web", &ns.name, "deployment/web", "");
    // more of them than a machine has processors
    let (hangs, fails) = (ns.file("hangs"), ns.file("fails"));
    for n in 0..4 {
        let name = format!("hung-{n}");
        let script = format!("echo {n} >>{}\nexec sleep 180", hangs.display());
        room.cluster(&name, &login(&ns, &name, &script));
        room.target_in(&name, &name, &ns.name, "deployment/web", "");
    }
    let script = format!(
        "echo no >>{}\necho 'the session is over' >&2\nexit 1",
        fails.display()
    );
    room.cluster("fails", &login(&ns, "fails", &script));
    room.target_in("fails", "fails", &ns.name, "deployment/web", "");
    let mut engine = room.serve();
    let id = room.submit(&room.plan("web", "2", 2, &[&held("50%"), "full"], START));
    room.stands(&ns, &id, 50);
    room.promote(&id);
    room.ends(&ns, &id, "succeeded");
    let lines = |file: &Path| fs::read_to_string(file).unwrap_or_default().lines().count();
    ns.until(
        "a second attempt",
        LONG,
        |_| lines(&fails),
        |tried| *tried >= 2,
    );
    assert_eq!(
        lines(&hangs),
        4,
        "one that hangs is not begun again beside itself"
    );
    let ended = engine.signal(rustix::process::Signal::TERM);
    assert!(ended.success(), "{ended:?}");
}

#[test]
#[ignore = "needs a Kubernetes: tests/run kube"]
fn a_token_that_a_command_renews_may_expire() {
    let ns = shop("exec", 6);
    let mut worker = Worker::new(&ns);
    let kind = "\"apiVersion\":\"client.authentication.k8s.io/v1\",\"kind\":\"ExecCredential\"";
    let script = format!(
        "printf '{{{kind},\"status\":{{\"token\":\"%s\"}}}}' \"$(cat {})\"",
        worker.file.display()
    );
    let kubeconfig = login(&ns, "login", &script);
    outlives(&ns, &mut worker, &kubeconfig);
}

#[test]
#[ignore = "needs a Kubernetes: tests/run kube"]
fn a_token_in_a_file_may_expire() {
    let ns = shop("file", 6);
    let mut worker = Worker::new(&ns);
    let kubeconfig = worker.kubeconfig(&json!({"tokenFile": worker.file}));
    outlives(&ns, &mut worker, &kubeconfig);
}
