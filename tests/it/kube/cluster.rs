//! The cluster that is given, clusters of a test's own, namespaces, and people with few rights.

use std::fs;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::client::{Client, Kind};

const KUBECONFIG: &str = "HOLDPOINT_TEST_KUBECONFIG";
const KUBE_DIR: &str = "HOLDPOINT_TEST_KUBE_DIR";
const KUBE_UP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/kube/kube-up");

/// A cluster, and its admin as a client.
#[derive(Clone, Debug)]
pub struct Cluster {
    client: Client,
    /// The state of the cluster, if `kube-up` runs it.
    dir: Option<PathBuf>,
    /// Ends it, if it is a test's own.
    _own: Option<Arc<Own>>,
}

#[derive(Debug)]
struct Own(PathBuf);

impl Drop for Own {
    fn drop(&mut self) {
        kube_up(&self.0, &["stop"]);
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Cluster {
    /// The one that all tests share: its parts and its nodes are to be left as they are.
    ///
    /// # Panics
    /// Without one, and when it is a cluster in which anything but tests could run.
    pub fn given() -> Cluster {
        let file = std::env::var_os(KUBECONFIG).unwrap_or_else(|| {
            panic!(
                "{KUBECONFIG} names no kubeconfig; `tests/run kube` starts a Kubernetes and sets it"
            )
        });
        let dir = std::env::var_os(KUBE_DIR).map(PathBuf::from);
        let cluster = Cluster {
            client: Client::of(Path::new(&file)),
            dir,
            _own: None,
        };
        for node in cluster.list("/api/v1/nodes") {
            let fake = &node["metadata"]["annotations"]["kwok.x-k8s.io/node"];
            let server = &cluster.access.server;
            assert!(
                fake.is_string(),
                "{server} is no scratch cluster: {} is not simulated by kwok",
                node["metadata"]["name"]
            );
        }
        cluster
    }

    /// One that this test may break: it has its own processes, nodes and ports, with these extras (`argo`,
    /// `flagger`), and ends with the last copy of this. Takes some five seconds. None where the given cluster
    /// is not run by `kube-up`; `tests/run kube` then says that such tests were left out.
    pub fn own(extras: &[&str]) -> Option<Cluster> {
        let beside = std::env::var_os(KUBE_DIR)?;
        let parent = Path::new(&beside).parent()?;
        let dir = tempfile::Builder::new()
            .prefix("own-")
            .tempdir_in(parent)
            .unwrap()
            .keep();
        let own = Own(dir.clone());
        let file = kube_up(&dir, &[&["start"], extras].concat());
        Some(Cluster {
            client: Client::of(Path::new(file.trim())),
            dir: Some(dir),
            _own: Some(Arc::new(own)),
        })
    }

    /// `kube-up WORDS` on this cluster: `kill api`, `restart api`, `pause controllers`, `resume controllers`,
    /// `nodes 20`. Only on a test's own.
    #[track_caller]
    pub fn kube_up(&self, words: &[&str]) -> String {
        assert!(
            self._own.is_some(),
            "{words:?} would be felt by all tests: use Cluster::own"
        );
        kube_up(self.dir.as_deref().unwrap(), words)
    }

    /// Has a node fail or come back, and with it the pods that are there now: their kubelet, which would say so,
    /// is simulated. Only on a test's own.
    #[track_caller]
    pub fn node(&self, name: &str, up: bool) {
        let (word, ready) = if up {
            ("up", "True")
        } else {
            ("down", "False")
        };
        self.kube_up(&["node", name, word]);
        for pod in self.list(&format!(
            "/api/v1/pods?fieldSelector=spec.nodeName%3D{name}"
        )) {
            let space = pod["metadata"]["namespace"].as_str().unwrap();
            let path = format!("{}/status", Cluster::path("pod", space, &name_of(&pod)));
            let mut conditions = pod["status"]["conditions"].clone();
            for condition in conditions.as_array_mut().into_iter().flatten() {
                if condition["type"] == "Ready" {
                    condition["status"] = ready.into();
                }
            }
            self.patch(&path, &json!({"status": {"conditions": conditions}}));
        }
    }

    /// A fresh namespace, deleted when this is dropped, without waiting.
    #[track_caller]
    pub fn namespace(&self, name: &str) -> Namespace {
        let object = json!({"metadata": {"generateName": format!("{name}-")}});
        let made = self.create("/api/v1/namespaces", &object);
        Namespace {
            cluster: self.clone(),
            name: name_of(&made),
            files: tempfile::tempdir().unwrap(),
        }
    }

    /// The path of objects of a kind, or of one, in a namespace.
    pub fn path(kind: &str, namespace: &str, name: &str) -> String {
        let (group, plural) = match kind {
            "deployment" => ("apis/apps/v1", "deployments"),
            "statefulset" => ("apis/apps/v1", "statefulsets"),
            "daemonset" => ("apis/apps/v1", "daemonsets"),
            "replicaset" => ("apis/apps/v1", "replicasets"),
            "controllerrevision" => ("apis/apps/v1", "controllerrevisions"),
            "rollout" => ("apis/argoproj.io/v1alpha1", "rollouts"),
            "analysisrun" => ("apis/argoproj.io/v1alpha1", "analysisruns"),
            "analysistemplate" => ("apis/argoproj.io/v1alpha1", "analysistemplates"),
            "canary" => ("apis/flagger.app/v1beta1", "canaries"),
            "hpa" => ("apis/autoscaling/v2", "horizontalpodautoscalers"),
            "budget" => ("apis/policy/v1", "poddisruptionbudgets"),
            "role" => ("apis/rbac.authorization.k8s.io/v1", "roles"),
            "rolebinding" => ("apis/rbac.authorization.k8s.io/v1", "rolebindings"),
            "account" => ("api/v1", "serviceaccounts"),
            "quota" => ("api/v1", "resourcequotas"),
            "pod" => ("api/v1", "pods"),
            "service" => ("api/v1", "services"),
            "event" => ("api/v1", "events"),
            "configmap" => ("api/v1", "configmaps"),
            "secret" => ("api/v1", "secrets"),
            other => panic!("no path is known for `{other}`"),
        };
        let path = format!("/{group}/namespaces/{namespace}/{plural}");
        match name {
            "" => path,
            name => format!("{path}/{name}"),
        }
    }
}

impl Deref for Cluster {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

#[track_caller]
fn kube_up(dir: &Path, words: &[&str]) -> String {
    let mut command = Command::new(KUBE_UP);
    command
        .arg("--dir")
        .arg(dir)
        .args(words)
        .stdin(Stdio::null());
    let out = command.output().unwrap();
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(
        out.status.success(),
        "kube-up {words:?}: {}\n{said}",
        out.status
    );
    String::from_utf8_lossy(&out.stdout).into_owned()
}

/// The name of an object.
pub fn name_of(object: &Value) -> String {
    object["metadata"]["name"].as_str().unwrap().to_owned()
}

/// A namespace of one test, and the files that go with it.
#[derive(Debug)]
pub struct Namespace {
    pub cluster: Cluster,
    pub name: String,
    files: TempDir,
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let path = format!("/api/v1/namespaces/{}", self.name);
        let _ = self.cluster.ask(Method::DELETE, &path, None);
    }
}

impl Namespace {
    pub fn path(&self, kind: &str, name: &str) -> String {
        Cluster::path(kind, &self.name, name)
    }

    #[track_caller]
    pub fn get(&self, kind: &str, name: &str) -> Value {
        self.cluster.get(&self.path(kind, name))
    }

    #[track_caller]
    pub fn find(&self, kind: &str, name: &str) -> Option<Value> {
        self.cluster.find(&self.path(kind, name))
    }

    #[track_caller]
    pub fn list(&self, kind: &str) -> Vec<Value> {
        self.cluster.list(&self.path(kind, ""))
    }

    /// The pods with the label `app`, those too that are on their way out.
    #[track_caller]
    pub fn pods(&self, app: &str) -> Vec<Value> {
        let path = self.path("pod", "");
        self.cluster
            .list(&format!("{path}?labelSelector=app%3D{app}"))
    }

    #[track_caller]
    pub fn create(&self, kind: &str, object: &Value) -> Value {
        self.cluster.create(&self.path(kind, ""), object)
    }

    /// A merge patch.
    #[track_caller]
    pub fn patch(&self, kind: &str, name: &str, body: &Value) -> Value {
        self.cluster.patch(&self.path(kind, name), body)
    }

    #[track_caller]
    pub fn delete(&self, kind: &str, name: &str) {
        self.cluster.delete(&self.path(kind, name));
    }

    /// The kubeconfig of somebody who may do here what the rules say:
    /// `json!([{"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "patch"]}])`.
    #[track_caller]
    pub fn identity(&self, who: &str, rules: &Value) -> PathBuf {
        let named = json!({"name": who});
        self.create("account", &json!({"metadata": named}));
        self.create("role", &json!({"metadata": named, "rules": rules}));
        self.create(
            "rolebinding",
            &json!({
                "metadata": named,
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": who},
                "subjects": [{"kind": "ServiceAccount", "name": who, "namespace": self.name}],
            }),
        );
        let path = format!("{}/token", self.path("account", who));
        let token = self
            .cluster
            .create(&path, &json!({"spec": {"expirationSeconds": 7200}}));
        let file = self.file(&format!("{who}.conf"));
        let config = with_user(&self.cluster.file, &token["status"]["token"]);
        fs::write(&file, config.to_string()).unwrap();
        file
    }

    /// What somebody may do from now on.
    #[track_caller]
    pub fn now_may(&self, who: &str, rules: &Value) {
        self.patch("role", who, &json!({"rules": rules}));
    }

    /// A file that goes with the namespace.
    pub fn file(&self, name: &str) -> PathBuf {
        self.files.path().join(name)
    }

    /// Whether somebody may: asks as the one whose kubeconfig it is.
    #[track_caller]
    pub fn may(&self, file: &Path, verb: &str, group: &str, resource: &str) -> bool {
        let review = json!({"spec": {"resourceAttributes": {
            "namespace": self.name, "verb": verb, "group": group, "resource": resource,
        }}});
        let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
        let answer = Client::of(file).ask(Method::POST, path, Some((Kind::Json, &review)));
        answer.unwrap().body["status"]["allowed"] == true
    }
}

/// A kubeconfig for another user.
fn with_user(file: &Path, token: &Value) -> Value {
    let text = fs::read_to_string(file).unwrap();
    let mut config: Value = serde_json::from_str(&text).unwrap();
    config["users"][0]["user"] = json!({"token": token});
    config
}
