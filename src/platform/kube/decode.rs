//! What is kept of the cluster's objects: small structs, read tolerantly.
//!
//! A field that is missing or null takes its default, one that is not known is skipped while it is
//! read. Twenty thousand pods fit into a few megabytes that way.

use std::collections::BTreeMap;
use std::sync::Arc;

use kube::Resource;
use kube::core::{ApiResource, DynamicResourceScope};
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::owners::Managers;
use super::pods::{self, Trouble};
use super::record;
use crate::domain::text::printable;

mod raw;

pub use raw::Raw;
use raw::or_default;

/// An object of which a part is kept.
pub trait Kept: Send + Sync + 'static {
    /// How it comes.
    type Raw: Resource<DynamicType = ApiResource, Scope = DynamicResourceScope>
        + Clone
        + std::fmt::Debug
        + for<'de> Deserialize<'de>
        + Send
        + 'static;

    /// What is kept of it.
    fn keep(raw: Self::Raw) -> Self;

    /// Its name.
    fn name(&self) -> &Arc<str>;

    /// The uid of what controls it; empty without one.
    fn owner(&self) -> &str;
}

/// The images of a pod's containers, by their names.
pub type Images = Box<[(Arc<str>, Arc<str>)]>;

/// The image of a container, or of the only one.
pub fn image_in<'a>(images: &'a Images, container: Option<&str>) -> Option<&'a Arc<str>> {
    match container {
        Some(wanted) => images.iter().find(|(name, _)| **name == *wanted),
        None => images.first(),
    }
    .map(|(_, image)| image)
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Container {
    name: String,
    image: String,
}

fn images_of(containers: Vec<Container>) -> Images {
    let pair = |c: Container| (Arc::from(c.name), Arc::from(c.image));
    containers.into_iter().map(pair).collect()
}

/// A fingerprint of a pod template: equal templates have equal ones, whatever the order of their
/// fields, and the label that a controller adds to its copy counts for nothing.
pub fn fingerprint(template: &Value) -> u64 {
    let mut hash = Sha256::new();
    feed(&mut hash, &bare(template));
    let bytes: [u8; 32] = hash.finalize().into();
    u64::from_be_bytes(std::array::from_fn(|n| bytes[n]))
}

/// A template without what controllers add to their copies of it.
pub fn bare(template: &Value) -> Value {
    let mut template = template.clone();
    if let Some(labels) = template.pointer_mut("/metadata/labels")
        && let Some(labels) = labels.as_object_mut()
    {
        labels.remove("pod-template-hash");
        labels.remove("controller-revision-hash");
    }
    if let Some(map) = template.as_object_mut() {
        map.remove("$patch");
    }
    template
}

/// Feeds a value into a hash, in an order that does not depend on how it was written; what is null
/// or empty is the same as what is not there.
fn feed(hash: &mut Sha256, value: &Value) {
    match value {
        Value::Object(map) => {
            let mut keys: Vec<&String> = map.keys().filter(|key| !blank(&map[*key])).collect();
            keys.sort();
            hash.update(b"{");
            for key in keys {
                hash.update(key.as_bytes());
                hash.update(b":");
                feed(hash, &map[key]);
            }
            hash.update(b"}");
        }
        Value::Array(items) => {
            hash.update(b"[");
            for item in items {
                feed(hash, item);
                hash.update(b",");
            }
            hash.update(b"]");
        }
        other => hash.update(other.to_string().as_bytes()),
    }
}

fn blank(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(map) => map.values().all(blank),
        _ => false,
    }
}

/// A condition of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Condition {
    /// Which one.
    #[serde(rename = "type")]
    pub kind: String,
    /// `True`, `False`, `Unknown`.
    pub status: String,
    /// A word.
    #[serde(deserialize_with = "or_default")]
    pub reason: String,
    /// A sentence, not printable yet.
    #[serde(deserialize_with = "or_default")]
    pub message: String,
    /// Since when it is so, as the cluster writes times.
    #[serde(deserialize_with = "or_default")]
    pub last_transition_time: String,
}

/// A Deployment, StatefulSet or DaemonSet.
#[derive(Clone, Debug, Default)]
pub struct Work {
    /// Its name.
    pub name: Arc<str>,
    /// Its uid: another one is another object.
    pub uid: Arc<str>,
    /// Its version.
    pub version: Arc<str>,
    /// How often what is wished of it was changed.
    pub generation: i64,
    /// Up to which of these changes its controller has looked.
    pub observed: i64,
    /// Its labels and annotations that mean something here.
    pub marks: BTreeMap<Arc<str>, Arc<str>>,
    /// Whether it has any annotations: a JSON patch has to know.
    pub annotated: bool,
    /// Who manages it.
    pub managers: Managers,
    /// How many pods there should be; of a DaemonSet, what it counts itself.
    pub wanted: u32,
    /// Whether it stands still.
    pub paused: bool,
    /// The fingerprint of its template.
    pub template: u64,
    /// The images of its template.
    pub images: Images,
    /// The labels of its template.
    pub pod_labels: BTreeMap<String, String>,
    /// The name of its strategy.
    pub strategy: Arc<str>,
    /// For how many seconds a pod has to answer until it counts as available, of a Deployment.
    pub min_ready: u32,
    /// From which ordinal on a StatefulSet is updated.
    pub partition: u32,
    /// How many pods there are.
    pub there: u32,
    /// How many of them run the present template.
    pub updated: u32,
    /// How many of them answer.
    pub ready: u32,
    /// How many of them have answered long enough.
    pub available: u32,
    /// On how many nodes a DaemonSet has a pod that it should not have: nodes that are lost, mostly.
    pub misplaced: u32,
    /// The revision that a StatefulSet comes from.
    pub current_revision: Arc<str>,
    /// The revision that it goes to.
    pub update_revision: Arc<str>,
    /// What its controller says.
    pub conditions: Vec<Condition>,
    /// Whether it is being deleted.
    pub leaving: bool,
}

/// How a workload's spec comes.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct WorkSpec {
    replicas: Option<u32>,
    #[serde(deserialize_with = "or_default")]
    paused: bool,
    min_ready_seconds: Option<u32>,
    #[serde(deserialize_with = "or_default")]
    template: Value,
    #[serde(deserialize_with = "or_default")]
    strategy: Strategy,
    #[serde(deserialize_with = "or_default")]
    update_strategy: Strategy,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Strategy {
    #[serde(rename = "type", deserialize_with = "or_default")]
    kind: String,
    #[serde(deserialize_with = "or_default")]
    rolling_update: Rolling,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Rolling {
    partition: Option<u32>,
}

/// How a workload's status comes: of a DaemonSet under other names.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct WorkStatus {
    observed_generation: Option<i64>,
    replicas: Option<u32>,
    updated_replicas: Option<u32>,
    ready_replicas: Option<u32>,
    available_replicas: Option<u32>,
    current_revision: Option<String>,
    update_revision: Option<String>,
    desired_number_scheduled: Option<u32>,
    current_number_scheduled: Option<u32>,
    updated_number_scheduled: Option<u32>,
    number_ready: Option<u32>,
    number_available: Option<u32>,
    number_misscheduled: Option<u32>,
    #[serde(deserialize_with = "or_default")]
    conditions: Vec<Condition>,
}

impl Kept for Work {
    type Raw = Raw<WorkSpec, WorkStatus>;

    fn keep(raw: Self::Raw) -> Work {
        let (meta, spec, status) = (raw.metadata, raw.spec, raw.status);
        let daemons = status.desired_number_scheduled;
        let count = |of: Option<u32>, daemons: Option<u32>| of.or(daemons).unwrap_or(0);
        let kept = meta.meta.annotations.iter().chain(&meta.meta.labels);
        let kept = kept.flatten().filter(|(key, _)| telling(key));
        let strategy = if spec.strategy.kind.is_empty() {
            spec.update_strategy
        } else {
            spec.strategy
        };
        Work {
            name: meta.name(),
            uid: meta.uid(),
            version: meta.version(),
            generation: meta.meta.generation.unwrap_or(0),
            observed: status.observed_generation.unwrap_or(0),
            marks: kept
                .map(|(key, value)| (key.as_str().into(), value.as_str().into()))
                .collect(),
            annotated: meta.meta.annotations.is_some(),
            managers: meta.extra.managers,
            // what nobody has written is one; of a DaemonSet the nodes decide
            wanted: daemons.or(spec.replicas).unwrap_or(1),
            paused: spec.paused,
            template: fingerprint(&spec.template),
            images: images_in(&spec.template),
            pod_labels: pod_labels(&spec.template),
            strategy: strategy.kind.into(),
            min_ready: spec.min_ready_seconds.unwrap_or(0),
            partition: strategy.rolling_update.partition.unwrap_or(0),
            there: count(status.replicas, status.current_number_scheduled),
            updated: count(status.updated_replicas, status.updated_number_scheduled),
            ready: count(status.ready_replicas, status.number_ready),
            available: count(status.available_replicas, status.number_available),
            misplaced: status.number_misscheduled.unwrap_or(0),
            current_revision: status.current_revision.unwrap_or_default().into(),
            update_revision: status.update_revision.unwrap_or_default().into(),
            conditions: status.conditions,
            leaving: meta.extra.leaving,
        }
    }

    fn name(&self) -> &Arc<str> {
        &self.name
    }

    fn owner(&self) -> &str {
        ""
    }
}

/// Whether a label or an annotation says something here: what holdpoint wrote itself, and who else
/// manages the object.
fn telling(key: &str) -> bool {
    key.starts_with(record::PREFIX)
        || key.starts_with("argocd.argoproj.io/")
        || key.starts_with("meta.helm.sh/")
        || key.contains("toolkit.fluxcd.io/")
        || key.starts_with("app.kubernetes.io/")
}

/// The labels that a template gives its pods.
pub fn pod_labels(template: &Value) -> BTreeMap<String, String> {
    let found = template.pointer("/metadata/labels").cloned();
    found
        .and_then(|l| serde_json::from_value(l).ok())
        .unwrap_or_default()
}

/// The images of a template.
pub fn images_in(template: &Value) -> Images {
    let containers = template.pointer("/spec/containers").cloned();
    let containers: Vec<Container> = containers
        .and_then(|found| serde_json::from_value(found).ok())
        .unwrap_or_default();
    images_of(containers)
}

/// The labels by which ReplicaSets are told apart: those of Deployments, and those of Rollouts.
const TEMPLATES: [&str; 2] = ["pod-template-hash", "rollouts-pod-template-hash"];

/// A ReplicaSet.
#[derive(Clone, Debug, Default)]
pub struct Set {
    /// Its name.
    pub name: Arc<str>,
    /// The uid of its Deployment.
    pub owner: Arc<str>,
    /// The hash by which it and its pods are called.
    pub hash: Arc<str>,
    /// Its own uid, which its pods name.
    pub uid: Arc<str>,
    /// The fingerprint of its template.
    pub template: u64,
    /// The images of its template.
    pub images: Images,
    /// When it was made, as the cluster writes times: they sort.
    pub created: Arc<str>,
    /// How many pods it should have.
    pub wanted: u32,
    /// How many it has.
    pub there: u32,
    /// How many of them answer.
    pub ready: u32,
    /// How many of them have answered long enough.
    pub available: u32,
    /// For how many seconds a pod has to answer until it counts as available.
    pub min_ready: u32,
    /// The generation of its spec.
    pub generation: i64,
    /// The one that its controller has seen.
    pub observed: i64,
    /// Why it cannot make its pods, printable.
    pub failure: Option<Arc<str>>,
}

impl Kept for Set {
    type Raw = Raw<WorkSpec, WorkStatus>;

    fn keep(raw: Self::Raw) -> Set {
        let (meta, spec, status) = (raw.metadata, raw.spec, raw.status);
        Set {
            name: meta.name(),
            owner: meta.extra.owner.as_str().into(),
            hash: TEMPLATES
                .iter()
                .find_map(|label| meta.label(label))
                .unwrap_or_default()
                .into(),
            uid: meta.uid(),
            template: fingerprint(&spec.template),
            images: images_in(&spec.template),
            created: meta.extra.created.as_str().into(),
            wanted: spec.replicas.unwrap_or(1),
            there: status.replicas.unwrap_or(0),
            ready: status.ready_replicas.unwrap_or(0),
            available: status.available_replicas.unwrap_or(0),
            min_ready: spec.min_ready_seconds.unwrap_or(0),
            generation: meta.meta.generation.unwrap_or(0),
            observed: status.observed_generation.unwrap_or(0),
            failure: failure(&status.conditions),
        }
    }

    fn name(&self) -> &Arc<str> {
        &self.name
    }

    fn owner(&self) -> &str {
        &self.owner
    }
}

/// Why pods cannot be made, as a controller's conditions say.
pub fn failure(conditions: &[Condition]) -> Option<Arc<str>> {
    let found = conditions.iter().find(|c| {
        c.kind == "ReplicaFailure" && c.status == "True" || c.reason == "ReplicaSetCreateError"
    })?;
    Some(printable(&found.message, 300).into())
}

/// A pod.
#[derive(Clone, Debug, Default)]
pub struct Pod {
    /// Its name.
    pub name: Arc<str>,
    /// Its uid.
    pub uid: Arc<str>,
    /// Its version.
    pub version: Arc<str>,
    /// The uid of what made it.
    pub owner: Arc<str>,
    /// The revision that it runs, as its labels say.
    pub hash: Arc<str>,
    /// What its containers run.
    pub images: Images,
    /// When it was made, in Unix seconds.
    pub made: Option<i64>,
    /// Where it runs; empty before it has a place.
    pub node: Arc<str>,
    /// Whether it answers.
    pub ready: bool,
    /// Since when it does, or does not, in Unix seconds of its cluster.
    pub since: Option<i64>,
    /// Whether it is on its way out.
    pub leaving: bool,
    /// What keeps it from coming up.
    pub trouble: Option<Box<Trouble>>,
}

/// How a pod's spec comes.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct PodSpec {
    #[serde(deserialize_with = "or_default")]
    containers: Vec<Container>,
    #[serde(deserialize_with = "or_default")]
    node_name: String,
}

impl Kept for Pod {
    type Raw = Raw<PodSpec, pods::Status>;

    fn keep(raw: Self::Raw) -> Pod {
        let (meta, spec, status) = (raw.metadata, raw.spec, raw.status);
        let revision = meta.label("controller-revision-hash");
        let hash = revision.or_else(|| meta.label("pod-template-hash"));
        Pod {
            name: meta.name(),
            uid: meta.uid(),
            version: meta.version(),
            owner: meta.extra.owner.as_str().into(),
            hash: hash.unwrap_or_default().into(),
            made: pods::seconds(&meta.extra.created),
            node: spec.node_name.as_str().into(),
            images: images_of(spec.containers),
            ready: status.ready(),
            since: status.since(),
            leaving: meta.extra.leaving,
            trouble: status.trouble(&meta.extra.created).map(Box::new),
        }
    }

    fn name(&self) -> &Arc<str> {
        &self.name
    }

    fn owner(&self) -> &str {
        &self.owner
    }
}

/// A HorizontalPodAutoscaler.
#[derive(Clone, Debug, Default)]
pub struct Scaler {
    /// Its name.
    pub name: Arc<str>,
    /// The kind of what it scales.
    pub kind: Arc<str>,
    /// The name of what it scales.
    pub of: Arc<str>,
}

/// How its spec comes.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ScalerSpec {
    #[serde(deserialize_with = "or_default")]
    scale_target_ref: ScaleTarget,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct ScaleTarget {
    kind: String,
    name: String,
}

impl Kept for Scaler {
    type Raw = Raw<ScalerSpec, serde::de::IgnoredAny>;

    fn keep(raw: Self::Raw) -> Scaler {
        Scaler {
            name: raw.metadata.name(),
            kind: raw.spec.scale_target_ref.kind.into(),
            of: raw.spec.scale_target_ref.name.into(),
        }
    }

    fn name(&self) -> &Arc<str> {
        &self.name
    }

    fn owner(&self) -> &str {
        ""
    }
}

/// A node.
#[derive(Clone, Debug, Default)]
pub struct Node {
    /// Its name.
    pub name: Arc<str>,
    /// Whether its kubelet answers.
    pub ready: bool,
}

/// How its status comes.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct NodeStatus {
    #[serde(deserialize_with = "or_default")]
    conditions: Vec<Condition>,
}

impl Kept for Node {
    type Raw = Raw<serde::de::IgnoredAny, NodeStatus>;

    fn keep(raw: Self::Raw) -> Node {
        let mut conditions = raw.status.conditions.iter();
        Node {
            name: raw.metadata.name(),
            // one that has never said how it is does not answer either
            ready: conditions.any(|c| c.kind == "Ready" && c.status == "True"),
        }
    }

    fn name(&self) -> &Arc<str> {
        &self.name
    }

    fn owner(&self) -> &str {
        ""
    }
}

/// Reads an object that was asked for by itself, as those are read that are watched.
///
/// # Errors
/// When it has not the shape of its kind.
pub fn read<T: Kept>(object: &kube::api::DynamicObject) -> Result<T, serde_json::Error> {
    let value = serde_json::to_value(object)?;
    Ok(T::keep(serde_json::from_value(value)?))
}
