//! What runs in a cluster: the workloads that somebody releases, without what belongs to others.

use std::collections::BTreeMap;
use std::path::Path;

use futures_util::future::join_all;
use kube::api::{Api, DynamicObject, ListParams};
use kube::config::Kubeconfig;
use serde_json::Value;

use super::cluster::{CallError, Cluster, resource, sorted};
use super::config::Kind;
use crate::domain::text::printable;

/// Namespaces in which the cluster itself runs.
const SYSTEM: [&str; 3] = ["kube-system", "kube-public", "kube-node-lease"];

/// Labels that say which app a workload is of, the better ones first.
const APP: [&str; 3] = ["app.kubernetes.io/name", "app", "k8s-app"];

/// Labels that say whose it is.
const OWNER: [&str; 4] = [
    "team",
    "owner",
    "app.kubernetes.io/part-of",
    "app.kubernetes.io/managed-by",
];

/// The container that is meant where a pod has several.
const DEFAULT_CONTAINER: &str = "kubectl.kubernetes.io/default-container";

/// A workload that could be released.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Where.
    pub namespace: String,
    /// What.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// Which app it is of, as its labels say, else its name.
    pub app: String,
    /// Whose it is, as its labels say.
    pub owner: Option<String>,
    /// The containers of its pods; the first one is the one that is meant.
    pub containers: Vec<String>,
    /// The image that the first of them runs, as written.
    pub image: String,
    /// How many pods it should have; nothing where that is not said.
    pub replicas: Option<u32>,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Discovery {
    /// The workloads, by namespace and name.
    pub found: Vec<Found>,
    /// The only namespace that was looked at; nothing where all were.
    pub only: Option<String>,
    /// What somebody should know of how it was found.
    pub notes: Vec<String>,
}

/// The repository of an image: without its tag and its digest.
pub fn repository(image: &str) -> &str {
    let name = image.split_once('@').map_or(image, |(name, _)| name);
    let last = name.rfind('/').map_or(0, |slash| slash + 1);
    match name[last..].find(':') {
        Some(colon) => &name[..last + colon],
        None => name,
    }
}

/// The tag of an image; empty without one.
pub fn tag(image: &str) -> &str {
    let name = image.split_once('@').map_or(image, |(name, _)| name);
    let rest = &name[repository(image).len()..];
    rest.strip_prefix(':').unwrap_or_default()
}

/// The digest of an image; empty without one.
pub fn digest(image: &str) -> &str {
    image.split_once('@').map_or("", |(_, digest)| digest)
}

/// Finds what runs: in one namespace, or in all that are not the cluster's own. Where listing all is
/// not permitted, in the namespace of the context.
///
/// # Errors
/// When the cluster does not answer, or nothing may be listed.
pub async fn discover(cluster: &Cluster, only: Option<&str>) -> Result<Discovery, CallError> {
    let client = cluster.clients().await?.reading;
    let mut notes = Vec::new();
    let mut only = only.map(str::to_owned);
    let mut all = listed(cluster, only.as_deref()).await?;
    if only.is_none()
        && matches!(
            all.get(&Kind::Deployment),
            Some(Err(CallError::Forbidden(_)))
        )
    {
        let home = client.default_namespace().to_owned();
        notes.push(format!(
            "not permitted to list all namespaces: only {home} was looked at; --namespace names another"
        ));
        all = listed(cluster, Some(&home)).await?;
        only = Some(home);
    }
    let mut objects: Vec<(Kind, DynamicObject)> = Vec::new();
    for (kind, answer) in all {
        match answer {
            Ok(items) => objects.extend(items.into_iter().map(|item| (kind, item))),
            // the cluster knows no such kind
            Err(CallError::NotFound(_)) => {}
            Err(CallError::Forbidden(why)) if kind != Kind::Deployment => {
                notes.push(format!("{} were not listed: {why}", kind.plural()));
            }
            Err(error) => return Err(error),
        }
    }
    if only.is_none() {
        objects.retain(|(_, object)| !SYSTEM.contains(&namespace(object)));
    }
    Ok(Discovery {
        found: sorted_out(&objects),
        only,
        notes,
    })
}

/// The current context of a kubeconfig, or of that of the environment; nothing where there is none, as
/// in a pod.
///
/// # Errors
/// When a file that was named cannot be read.
pub fn current(file: Option<&Path>) -> Result<Option<String>, CallError> {
    match file {
        Some(path) => Kubeconfig::read_from(path)
            .map(|config| config.current_context)
            .map_err(|error| CallError::NotReached(printable(&error.to_string(), 300).into())),
        None => Ok(Kubeconfig::read().ok().and_then(|it| it.current_context)),
    }
}

type Listed = BTreeMap<Kind, Result<Vec<DynamicObject>, CallError>>;

async fn listed(cluster: &Cluster, only: Option<&str>) -> Result<Listed, CallError> {
    let client = cluster.clients().await?.reading;
    let each = Kind::ALL.map(|kind| {
        let resource = resource(kind);
        let api: Api<DynamicObject> = match only {
            Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
            None => Api::all_with(client.clone(), &resource),
        };
        async move {
            let answer = api.list(&ListParams::default()).await;
            let answer = answer.map(|list| list.items);
            (kind, answer.map_err(|error| sorted(&error)))
        }
    });
    Ok(join_all(each).await.into_iter().collect())
}

fn namespace(object: &DynamicObject) -> &str {
    object.metadata.namespace.as_deref().unwrap_or_default()
}

fn name(object: &DynamicObject) -> &str {
    object.metadata.name.as_deref().unwrap_or_default()
}

/// What somebody releases: not what a Canary or a Rollout stands for, nor what a controller made.
fn sorted_out(objects: &[(Kind, DynamicObject)]) -> Vec<Found> {
    let mut taken: Vec<(&str, Kind, String)> = Vec::new();
    for (kind, object) in objects {
        let spec = &object.data["spec"];
        let of = |reference: &Value| {
            let kind = reference["kind"].as_str()?;
            let kind = Kind::ALL.into_iter().find(|known| known.kind() == kind)?;
            Some((kind, reference["name"].as_str()?.to_owned()))
        };
        let at = namespace(object);
        match kind {
            Kind::Canary => {
                if let Some((kind, name)) = of(&spec["targetRef"]) {
                    taken.push((at, kind, format!("{name}-primary")));
                    taken.push((at, kind, name));
                }
            }
            Kind::Rollout => {
                let reference = of(&spec["workloadRef"]);
                taken.extend(reference.map(|(kind, name)| (at, kind, name)));
            }
            _ => {}
        }
    }
    let mut found: Vec<Found> = objects
        .iter()
        .filter(|(kind, object)| {
            let is = |(at, of, called): &(&str, Kind, String)| {
                *at == namespace(object) && of == kind && called == name(object)
            };
            let owners = object.metadata.owner_references.as_deref();
            let owned = owners
                .unwrap_or_default()
                .iter()
                .any(|owner| owner.controller == Some(true));
            !owned && !taken.iter().any(is)
        })
        .filter_map(|(kind, object)| workload(*kind, object, objects))
        .collect();
    found.sort_by(|a, b| (&a.namespace, &a.name, a.kind).cmp(&(&b.namespace, &b.name, b.kind)));
    found
}

/// A workload, with the pods that it describes itself or through another one.
fn workload(kind: Kind, object: &DynamicObject, all: &[(Kind, DynamicObject)]) -> Option<Found> {
    let spec = &object.data["spec"];
    let reference = match kind {
        Kind::Canary => spec["targetRef"]["name"].as_str(),
        Kind::Rollout => spec["workloadRef"]["name"].as_str(),
        _ => None,
    };
    let described = match reference {
        Some(called) => all.iter().find_map(|(kind, other)| {
            let deployment = *kind == Kind::Deployment && name(other) == called;
            (deployment && namespace(other) == namespace(object)).then_some(&other.data["spec"])
        })?,
        None => spec,
    };
    let template = &described["template"];
    let containers = template["spec"]["containers"].as_array()?;
    let label = |keys: &[&str]| {
        let labels = object.metadata.labels.as_ref();
        keys.iter().find_map(|key| {
            let own = labels
                .and_then(|labels| labels.get(*key))
                .map(String::as_str);
            own.or_else(|| template["metadata"]["labels"][*key].as_str())
        })
    };
    let app = label(&APP).unwrap_or(name(object)).to_owned();
    let meant = template["metadata"]["annotations"][DEFAULT_CONTAINER].as_str();
    let meant = [meant, Some(name(object)), Some(&app)];
    let called = |it: &Value| it["name"].as_str().map(str::to_owned);
    let first = meant
        .into_iter()
        .flatten()
        .find_map(|wanted| containers.iter().position(|it| it["name"] == *wanted))
        .unwrap_or(0);
    let mut names: Vec<String> = containers.iter().filter_map(called).collect();
    if first < names.len() {
        let name = names.remove(first);
        names.insert(0, name);
    }
    Some(Found {
        namespace: namespace(object).to_owned(),
        kind,
        name: name(object).to_owned(),
        app,
        owner: label(&OWNER).map(str::to_owned),
        containers: names,
        image: containers.get(first)?["image"].as_str()?.to_owned(),
        replicas: described["replicas"]
            .as_u64()
            .and_then(|n| u32::try_from(n).ok()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(kind: Kind, name: &str, spec: Value) -> (Kind, DynamicObject) {
        let object = json!({
            "apiVersion": "x/v1", "kind": kind.kind(),
            "metadata": {"name": name, "namespace": "shop", "labels": {"app": name}},
            "spec": spec,
        });
        (kind, serde_json::from_value(object).unwrap())
    }

    fn pods(image: &str) -> Value {
        json!({"replicas": 3, "template": {"spec": {"containers": [
            {"name": "proxy", "image": "proxy:1"}, {"name": "web", "image": image},
        ]}}})
    }

    #[test]
    fn images_come_apart() {
        for (image, parts) in [
            ("web", ("web", "", "")),
            ("web:1.2", ("web", "1.2", "")),
            ("host:5000/shop/web", ("host:5000/shop/web", "", "")),
            (
                "host:5000/shop/web:1@sha256:ab",
                ("host:5000/shop/web", "1", "sha256:ab"),
            ),
            ("shop/web@sha256:ab", ("shop/web", "", "sha256:ab")),
        ] {
            assert_eq!((repository(image), tag(image), digest(image)), parts);
        }
    }

    #[test]
    fn what_others_stand_for_is_left_out() {
        let mut made = object(Kind::Deployment, "made", pods("shop/made:1"));
        made.1.metadata.owner_references = Some(
            serde_json::from_value(json!([{
                "apiVersion": "x/v1", "kind": "Operator", "name": "op", "uid": "1", "controller": true,
            }]))
            .unwrap(),
        );
        let reference = |name: &str| json!({"kind": "Deployment", "name": name});
        let objects = [
            object(Kind::Deployment, "web", pods("shop/web:1.4")),
            object(Kind::Deployment, "pay", pods("shop/pay:2")),
            object(Kind::Deployment, "pay-primary", pods("shop/pay:2")),
            object(Kind::Deployment, "cart", pods("shop/cart:3")),
            object(
                Kind::Canary,
                "payments",
                json!({"targetRef": reference("pay")}),
            ),
            object(
                Kind::Rollout,
                "carts",
                json!({"workloadRef": reference("cart")}),
            ),
            object(
                Kind::Canary,
                "lost",
                json!({"targetRef": reference("nothing")}),
            ),
            made,
        ];
        let found = sorted_out(&objects);
        let told: Vec<(&str, &str, &str)> = found
            .iter()
            .map(|it| (it.kind.word(), it.name.as_str(), it.image.as_str()))
            .collect();
        assert_eq!(
            told,
            [
                ("rollout", "carts", "proxy:1"),
                ("canary", "payments", "proxy:1"),
                ("deployment", "web", "shop/web:1.4"),
            ]
        );
        assert_eq!(found[2].containers, ["web", "proxy"]);
        assert_eq!(found[2].replicas, Some(3));
    }
}
