//! Workloads as their owners write them: few lines, defaults for the rest. A workload's pods have its name in
//! the label `app` and one container, which has its name too.

use serde_json::{Value, json};

use super::LONG;
use super::cluster::Namespace;

/// A pod template for a workload.
pub fn template(app: &str, image: &str) -> Value {
    json!({
        "metadata": {"labels": {"app": app}},
        "spec": {"containers": [{"name": app, "image": image}]},
    })
}

/// A digest that nothing has, for pinning: `shop/web:2@sha256:...`.
pub fn pinned(image: &str, number: u32) -> String {
    format!("{image}@{}", crate::shop::digest(number))
}

/// The image that a workload's template asks for.
pub fn image_of(workload: &Value) -> &str {
    let image = &workload["spec"]["template"]["spec"]["containers"][0]["image"];
    image.as_str().unwrap_or_default()
}

fn workload(group: &str, kind: &str, app: &str, image: &str, more: &Value) -> Value {
    let mut object = json!({
        "apiVersion": group,
        "kind": kind,
        "metadata": {"name": app, "labels": {"app": app}},
        "spec": {"selector": {"matchLabels": {"app": app}}, "template": template(app, image)},
    });
    let more = more.as_object().unwrap().clone();
    object["spec"].as_object_mut().unwrap().extend(more);
    object
}

impl Namespace {
    #[track_caller]
    pub fn deployment(&self, app: &str, image: &str, replicas: u32) -> Value {
        let more = json!({"replicas": replicas});
        self.create(
            "deployment",
            &workload("apps/v1", "Deployment", app, image, &more),
        )
    }

    /// With the headless service that it wants.
    #[track_caller]
    pub fn statefulset(&self, app: &str, image: &str, replicas: u32) -> Value {
        self.service(app, app);
        let more = json!({"replicas": replicas, "serviceName": app});
        self.create(
            "statefulset",
            &workload("apps/v1", "StatefulSet", app, image, &more),
        )
    }

    /// One pod on every node.
    #[track_caller]
    pub fn daemonset(&self, app: &str, image: &str) -> Value {
        self.create(
            "daemonset",
            &workload("apps/v1", "DaemonSet", app, image, &json!({})),
        )
    }

    /// A service with a name, in front of the pods of an app.
    #[track_caller]
    pub fn service(&self, name: &str, app: &str) -> Value {
        let spec = json!({"selector": {"app": app}, "ports": [{"name": "http", "port": 80}]});
        self.create(
            "service",
            &json!({"metadata": {"name": name}, "spec": spec}),
        )
    }

    /// A Rollout of Argo with a canary's steps, such as `[{"setWeight": 25}, {"pause": {}}]`.
    #[track_caller]
    pub fn rollout(&self, app: &str, image: &str, replicas: u32, steps: &Value) -> Value {
        let strategy = json!({"canary": {"maxSurge": 1, "maxUnavailable": 0, "steps": steps}});
        let more = json!({"replicas": replicas, "strategy": strategy});
        let object = workload("argoproj.io/v1alpha1", "Rollout", app, image, &more);
        self.create("rollout", &object)
    }

    /// A Rollout of Argo that takes its template from a Deployment and waits at 50 %; until its first version
    /// is there.
    #[track_caller]
    pub fn rollout_of(&self, app: &str, deployment: &str, replicas: u32) -> Value {
        let steps = json!([{"setWeight": 50}, {"pause": {}}]);
        let object = json!({
            "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout",
            "metadata": {"name": app},
            "spec": {
                "replicas": replicas, "selector": {"matchLabels": {"app": deployment}},
                "workloadRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": deployment},
                "strategy": {"canary": {"steps": steps}},
            },
        });
        self.create("rollout", &object);
        let done = |seen: &Value| seen["status"]["phase"] == "Healthy";
        self.until("its first version", LONG, |ns| ns.get("rollout", app), done)
    }

    /// A Rollout of Argo in blue and green, with the services `APP-active` and `APP-preview`, which waits to be
    /// promoted.
    #[track_caller]
    pub fn blue_green(&self, app: &str, image: &str, replicas: u32) -> Value {
        let [active, preview] = ["active", "preview"].map(|role| format!("{app}-{role}"));
        self.service(&active, app);
        self.service(&preview, app);
        let strategy = json!({"blueGreen": {
            "activeService": active, "previewService": preview, "autoPromotionEnabled": false,
        }});
        let more = json!({"replicas": replicas, "strategy": strategy});
        let object = workload("argoproj.io/v1alpha1", "Rollout", app, image, &more);
        self.create("rollout", &object)
    }

    /// A Canary of Flagger over a Deployment that is there already. `analysis` is its part of that name;
    /// without metrics, which simulated pods do not have, and with `iterations`, each of ten seconds:
    /// `{"iterations": 2, "threshold": 1, "webhooks": [...]}`.
    #[track_caller]
    pub fn canary(&self, app: &str, analysis: &Value) -> Value {
        let mut object = json!({
            "apiVersion": "flagger.app/v1beta1",
            "kind": "Canary",
            "metadata": {"name": app},
            "spec": {
                "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": app},
                "progressDeadlineSeconds": 60,
                "service": {"port": 80},
                "analysis": {"interval": "10s"},
            },
        });
        let more = analysis.as_object().unwrap().clone();
        object["spec"]["analysis"]
            .as_object_mut()
            .unwrap()
            .extend(more);
        self.create("canary", &object)
    }

    /// Another image for a workload's container, as somebody beside us would set it.
    #[track_caller]
    pub fn set_image(&self, kind: &str, app: &str, image: &str) -> Value {
        self.cluster.json_patch(
            &self.path(kind, app),
            &json!([{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": image}]),
        )
    }
}
