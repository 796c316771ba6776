//! What the API server refuses: pods over a quota, what a policy denies, and everything while a webhook that has
//! to agree does not answer.

use reqwest::Method;
use serde_json::{Value, json};

use super::LONG;
use super::cluster::{Cluster, Namespace};
use super::deployments::{START, held, shop, tidy};
use super::proxy::{Asked, Proxy};
use super::room::Room;
use super::said::{stuck, told};
use super::waiting::ready_with;
use super::witness::Witness;
use super::workloads::image_of;

#[track_caller]
fn quota(ns: &Namespace, pods: u32) {
    let spec = json!({"hard": {"pods": pods.to_string()}});
    if ns.find("quota", "small").is_some() {
        ns.patch("quota", "small", &json!({"spec": spec}));
    } else {
        let object = json!({"metadata": {"name": "small"}, "spec": spec});
        ns.create("quota", &object);
    }
    let counted = |found: &Value| {
        let hard = &found["status"]["hard"]["pods"];
        hard == &pods.to_string() && found["status"]["used"]["pods"].is_string()
    };
    ns.until("its count", LONG, |ns| ns.get("quota", "small"), counted);
}

#[test]
#[ignore = "needs a Kubernetes: tests/run kube"]
fn a_quota_is_named_and_its_end_waited_for() {
    let ns = shop("quota", 10);
    quota(&ns, 20);
    let mut room = Room::new(&ns.cluster.file);
    room.target("web", &ns.name, "deployment/web", "deadline = \"5m\"");
    let _engine = room.serve();
    let witness = Witness::of(&ns, "deployment", "web");
    let id = room.submit(&room.plan("web", "2", 2, &[&held("50%"), "full"], START));
    // in the middle of its batch
    let two = |pods: &Vec<Value>| ready_with(pods, "shop/web:2") >= 2;
    ns.until("two new pods", LONG, |ns| ns.pods("web"), two);
    quota(&ns, 10);
    let found = told(&ns, &room, &id, "exceeded quota: small");
    assert!(
        found.contains("quota: pods cannot be made: pods \"web-"),
        "{found}"
    );
    let seen = room.show(&id);
    assert_ne!(seen["exposure"], 50, "{seen:#}");
    quota(&ns, 20);
    room.stands(&ns, &id, 50);
    assert_eq!(stuck(&room.show(&id)), [""; 0]);
    assert_eq!(witness.most("shop/web:2"), 5, "{:?}", witness.moments());
    assert!(witness.fewest_ready() >= 10, "{:?}", witness.moments());
    room.promote(&id);
    room.ends(&ns, &id, "succeeded");
    tidy(&ns, "deployment", "web");
}

#[test]
#[ignore = "needs a Kubernetes: tests/run kube"]
fn a_quota_that_only_events_tell_of_is_named_as_well() {
    let ns = Cluster::given().namespace("events");
    ns.statefulset("store", "shop/store:1", 4);
    ns.ready("statefulset", "store", 4);
    let mut room = Room::new(&ns.cluster.file);
    room.target("store", &ns.name, "statefulset/store", "deadline = \"5m\"");
    let _engine = room.serve();
    quota(&ns, 3);
    let id = room.submit(&room.plan("store", "2", 2, &[&held("50%"), "full"], START));
    let found = told(&ns, &room, &id, "exceeded quota: small");
    let wanted = "1 quota: pods cannot be made: pods \"store-3\" is forbidden: exceeded quota";
    assert!(found.starts_with(wanted), "{found}");
    quota(&ns, 8);
    room.stands(&ns, &id, 50);
    assert_eq!(stuck(&room.show(&id)), [""; 0], "it was overcome");
    assert_eq!(ready_with(&ns.pods("store"), "shop/store:2"), 2);
    room.promote(&id);
    room.ends(&ns, &id, "succeeded");
}

/// Something of the cluster's that is about one namespace only; gone when this is dropped.
struct Rule<'a> {
    ns: &'a Namespace,
    paths: Vec<String>,
}

impl Drop for Rule<'_> {
    fn drop(&mut self) {
        for path in &self.paths {
            let _ = self.ns.cluster.ask(Method::DELETE, path, None);
        }
    }
}

const ADMISSION: &str = "/apis/admissionregistration.k8s.io/v1";

impl Rule<'_> {
    #[track_caller]
    fn make<'a>(ns: &'a Namespace, objects: &[(&str, Value)]) -> Rule<'a> {
        let made = objects.iter().map(|(kind, object)| {
            let path = format!("{ADMISSION}/{kind}");
            ns.cluster.create(&path, object);
            format!("{path}/{}", ns.name)
        });
        let paths = made.collect();
        Rule { ns, paths }
    }

    /// A policy: objects of a resource must fulfil a CEL expression, else they are denied.
    #[track_caller]
    fn policy<'a>(ns: &'a Namespace, group: &str, resource: &str, must: &str) -> Rule<'a> {
        let here = json!({"matchLabels": {"kubernetes.io/metadata.name": ns.name}});
        let policy = json!({"metadata": {"name": ns.name}, "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {"resourceRules": [{"apiGroups": [group], "apiVersions": ["v1"],
                "operations": ["CREATE", "UPDATE"], "resources": [resource]}]},
            "validations": [{"expression": must, "message": "version 2 is not cleared for the shop"}],
        }});
        let binding = json!({"metadata": {"name": ns.name}, "spec": {
            "policyName": ns.name, "validationActions": ["Deny"],
            "matchResources": {"namespaceSelector": here},
        }});
        let objects = [
            ("validatingadmissionpolicies", policy),
            ("validatingadmissionpolicybindings", binding),
        ];
        Rule::make(ns, &objects)
    }

    /// A webhook that has to agree to changes of Deployments and is not there.
    #[track_caller]
    fn webhook(ns: &Namespace) -> Rule<'_> {
        let here = json!({"matchLabels": {"kubernetes.io/metadata.name": ns.name}});
        let hook = json!({"metadata": {"name": ns.name}, "webhooks": [{
            "name": "gate.shop.example", "failurePolicy": "Fail", "sideEffects": "None", "timeoutSeconds": 1,
            "admissionReviewVersions": ["v1"], "clientConfig": {"url": "https://127.0.0.1:1/gate"},
            "namespaceSelector": here,
            "rules": [{"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["UPDATE"],
                "resources": ["deployments"]}],
        }]});
        Rule::make(ns, &[("validatingwebhookconfigurations", hook)])
    }

    /// Waits until the server keeps it, asked by a change that is only tried.
    #[track_caller]
    fn kept(self, kind: &str, app: &str) -> Self {
        let path = format!("{}?dryRun=All", self.ns.path(kind, app));
        let image = json!([{"op": "replace", "path": "/spec/template/spec/containers/0/image",
            "value": "shop/web:2-try"}]);
        let tried = |ns: &Namespace| {
            let body = Some((super::client::Kind::JsonPatch, &image));
            ns.cluster.ask(Method::PATCH, &path, body).unwrap().code
        };
        self.ns
            .until("its refusal", LONG, tried, |code| *code >= 400);
        self
    }
}

/// The changes of an app that were asked for, and whether it was read before each of them but the first.
fn changes(proxy: &Proxy, app: &str) -> (usize, bool) {
    let path = |one: &Asked| one.path.split('?').next().unwrap_or_default().to_owned();
    let asked = proxy.asked();
    let about: Vec<bool> = asked
        .iter()
        .filter(|one| path(one).ends_with(&format!("/{app}")))
        .map(Asked::writes)
        .collect();
    let read_between = !about.windows(2).any(|two| two == [true, true]);
    (about.iter().filter(|write| **write).count(), read_between)
}

#[test]
#[ignore = "needs a Kubernetes: tests/run kube"]
fn what_a_policy_denies_is_not_begun_and_not_tried_again() {
    let ns = shop("denied", 4);
    let must = "!object.spec.template.spec.containers.exists(c, c.image.contains(':2'))";
    let _policy = Rule::policy(&ns, "apps", "deployments", must).kept("deployment", "web");
    let proxy = Proxy::before(&ns.cluster);
    let mut room = Room::new(&proxy.kubeconfig(&ns.cluster.file));
    room.target("web", &ns.name, "deployment/web", "");
    let _engine = room.serve();
    let id = room.submit(&room.plan("web", "2", 2, &[&held("50%"), "full"], START));
    let why = room.fails(&ns, &id);
    assert!(
        why.contains("not started") && why.contains("refused"),
        "{why}"
    );
    assert!(
        why.contains("version 2 is not cleared for the shop"),
        "{why}"
    );
    assert_eq!(changes(&proxy, "web").0, 1, "{:?}", proxy.writes());
    tidy(&ns, "deployment", "web");
}

/// A policy takes a moment until it holds: tries, without making anything, until it does.
#[track_caller]
fn until_refused(ns: &Namespace, kind: &str, spec: Value) {
    let object = json!({"metadata": {"name": "try"}, "spec": spec});
    let path = format!("{}?dryRun=All", ns.path(kind, ""));
    let tried = |ns: &Namespace| {
        let body = Some((super::client::Kind::Json, &object));
        ns.cluster.ask(Method::POST, &path, body).unwrap().code
    };
    ns.until("its refusal", LONG, tried, |code| *code >= 400);
}

#[test]
#[ignore = "needs a Kubernetes: tests/run kube"]
fn pods_that_a_policy_denies_stop_the_batch_with_its_words() {
    let ns = shop("policy", 4);
    let must = "!object.spec.containers.exists(c, c.image.contains(':2'))";
    let policy = Rule::policy(&ns, "", "pods", must);
    let spec = json!({"containers": [{"name": "x", "image": "shop/web:2"}]});
    until_refused(&ns, "pod", spec);
    let mut room = Room::new(&ns.cluster.file);
    room.target("web", &ns.name, "deployment/web", "");
    let _engine = room.serve();
    let id = room.submit(&room.plan("web", "2", 2, &[&held("50%"), "full"], START));
    let found = told(&ns, &room, &id, "version 2 is not cleared for the shop");
    assert!(
        found.starts_with("1 admission: pods cannot be made: "),
        "{found}"
    );
    let why = room.fails(&ns, &id);
    assert!(
        why.contains("version 2 is not cleared for the shop"),
        "{why}"
    );
    let web = ns.get("deployment", "web");
    assert_eq!(web["spec"]["paused"], true, "nobody goes on trying");
    // as the policy is, it can go back; and once the policy agrees, go on
    drop(policy);
    room.roll_back(&id, "test");
    room.ends(&ns, &id, "rolled-back");
    assert_eq!(image_of(&tidy(&ns, "deployment", "web")), "shop/web:1");
}

#[test]
#[ignore = "needs a Kubernetes: tests/run kube"]
fn a_replicaset_that_a_policy_denies_stops_the_batch_with_its_words() {
    let ns = shop("sets", 4);
    let must = "!object.spec.template.spec.containers.exists(c, c.image.contains(':2'))";
    let _policy = Rule::policy(&ns, "apps", "replicasets", must);
    let set = ns.list("replicaset").remove(0);
    let mut spec = set["spec"].clone();
    spec["template"]["spec"]["containers"] = json!([{"name": "x", "image": "shop/web:2"}]);
    until_refused(&ns, "replicaset", spec);
    let mut room = Room::new(&ns.cluster.file);
    room.target("web", &ns.name, "deployment/web", "");
    let _engine = room.serve();
    let id = room.submit(&room.plan("web", "2", 2, &[&held("50%"), "full"], START));
    let found = told(&ns, &room, &id, "version 2 is not cleared for the shop");
    assert!(found.contains("admission: "), "{found}");
    let why = room.fails(&ns, &id);
    assert!(
        why.contains("version 2 is not cleared for the shop"),
        "{why}"
    );
    room.roll_back(&id, "test");
    room.ends(&ns, &id, "rolled-back");
    assert_eq!(image_of(&tidy(&ns, "deployment", "web")), "shop/web:1");
}

#[test]
#[ignore = "needs a Kubernetes: tests/run kube"]
fn a_webhook_that_does_not_answer_is_named_and_waited_for() {
    let ns = shop("webhook", 4);
    let proxy = Proxy::before(&ns.cluster);
    let mut room = Room::new(&proxy.kubeconfig(&ns.cluster.file));
    room.target("web", &ns.name, "deployment/web", "deadline = \"90s\"");
    let _engine = room.serve();
    let hook = Rule::webhook(&ns).kept("deployment", "web");
    let id = room.submit(&room.plan("web", "2", 2, &[&held("50%"), "full"], START));
    let why = room.fails(&ns, &id);
    let named = why.contains("not started") && why.contains("failed calling webhook");
    assert!(named && why.contains("gate.shop.example"), "{why}");
    let (tried, read_between) = changes(&proxy, "web");
    assert!(read_between, "{:?}", proxy.asked());
    assert!((2..20).contains(&tried), "{tried}");
    assert_eq!(image_of(&ns.get("deployment", "web")), "shop/web:1");
    drop(hook);

    // one that comes back in time costs nothing but that
    room.done(&["release", "retry", &id, "--as", "ada"]);
    room.stands(&ns, &id, 50);
    let hook = Rule::webhook(&ns).kept("deployment", "web");
    let refused = proxy.asked().len();
    room.promote(&id);
    let tried = |_: &Namespace| {
        let asked = proxy.asked();
        asked[refused..].iter().filter(|one| one.writes()).count()
    };
    ns.until("its attempts", LONG, tried, |tried| *tried >= 3);
    drop(hook);
    room.ends(&ns, &id, "succeeded");
    tidy(&ns, "deployment", "web");
}
