//! What a target needs of its cluster, and what is missing: asked of the cluster itself, without
//! changing anything.

use futures_util::future::join_all;
use kube::api::{Api, DynamicObject, PostParams};
use kube::core::{ApiResource, TypeMeta};
use serde_json::{Value, json};

use super::cluster::{CallError, Cluster, resource, resource_of, sorted};
use super::config::{Kind, KubeConfig};
use super::decode::{self, Scaler};
use super::rights::{self, Needs, Right, Subject};
use super::{lean, owners};
use crate::domain::text::printable;
use crate::domain::words::{listing, nearest};
use crate::platform::doctor::Check;

/// A cluster that answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Greeting {
    /// Its version: `v1.36.3`; nothing where it does not say.
    pub version: Option<String>,
    /// Who it takes the caller for; nothing where it does not say.
    pub user: Option<String>,
}

/// Whether a cluster answers, what it is, and who it takes the caller for.
///
/// # Errors
/// Why it does not answer.
pub async fn greet(cluster: &Cluster) -> Result<Greeting, CallError> {
    let client = cluster.clients().await?.reading;
    let version = match client.apiserver_version().await {
        Ok(info) => Some(printable(&info.git_version, 60)),
        // that it may not be asked is an answer as well
        Err(error) => match sorted(&error) {
            CallError::Forbidden(_) | CallError::NotFound(_) => None,
            other => return Err(other),
        },
    };
    // since Kubernetes 1.28
    let kind = resource_of(
        "authentication.k8s.io",
        "v1",
        "SelfSubjectReview",
        "selfsubjectreviews",
    );
    let user = match review(cluster, &kind, json!({})).await {
        Ok(answer) => {
            let name = answer["status"]["userInfo"]["username"].as_str();
            name.map(|name| printable(name, 200))
        }
        Err(error @ (CallError::NotReached(_) | CallError::Stranger(_))) => return Err(error),
        Err(_) => None,
    };
    Ok(Greeting { version, user })
}

/// Asks a question of which nothing stays behind.
async fn review(cluster: &Cluster, kind: &ApiResource, body: Value) -> Result<Value, CallError> {
    let client = cluster.clients().await?.reading;
    let object = DynamicObject {
        types: Some(TypeMeta {
            api_version: kind.api_version.clone(),
            kind: kind.kind.clone(),
        }),
        metadata: Default::default(),
        data: body,
    };
    let api: Api<DynamicObject> = Api::all_with(client, kind);
    let answer = api.create(&PostParams::default(), &object).await;
    answer.map(|it| it.data).map_err(|error| sorted(&error))
}

/// Everything that a target needs of its cluster, and the rights that it takes.
pub async fn target(cluster: &Cluster, config: &KubeConfig) -> (Vec<Check>, Vec<Right>) {
    let kind = resource(config.kind);
    let hpa = "HorizontalPodAutoscaler";
    let scalers = resource_of("autoscaling", "v2", hpa, "horizontalpodautoscalers");
    let (found, exists, scalers) = futures_util::join!(
        cluster.get(&kind, &config.namespace, &config.name),
        served(cluster, config.kind),
        cluster.list(&scalers, &config.namespace, ""),
    );
    let mut checks = Vec::new();
    match exists {
        Ok(false) => {
            let (group, _) = config.kind.group();
            let what = format!("the cluster knows no {group}: {} is not installed", {
                match config.kind {
                    Kind::Canary => "Flagger",
                    _ => "Argo Rollouts",
                }
            });
            let next = "install it with its CRDs, or name another kind of workload";
            checks.push(Check::missing("crd", what, next));
            return (checks, rights::of(config, None));
        }
        Ok(true) => {}
        Err(error) => {
            let what = format!("what the cluster knows was not told: {error}");
            checks.push(Check::doubt("crd", what, ""));
        }
    }
    match &found {
        Ok(object) => {
            checks.extend(shape(config, &object.data, &object.metadata.generation));
            // without the right to list them, only who marks the workload itself is known
            checks.extend(owned(config, object, &scalers.unwrap_or_default()));
        }
        Err(CallError::NotFound(_)) => checks.push(absent(cluster, config).await),
        // the missing right says more
        Err(CallError::Forbidden(_)) => {}
        Err(error) => {
            let what = format!("it was not read: {error}");
            checks.push(Check::missing("workload", what, ""));
        }
    }
    let moves = found.as_ref().ok().and_then(|object| moved(&object.data));
    let rights = rights::of(config, moves);
    checks.extend(permissions(cluster, config, &rights).await);
    checks.extend(switched(cluster, config).await);
    (checks, rights)
}

/// Who else changes it.
fn owned(config: &KubeConfig, object: &DynamicObject, scalers: &[DynamicObject]) -> Vec<Check> {
    let work = lean::outside(object);
    let scalers: Vec<Scaler> = scalers
        .iter()
        .filter_map(|scaler| decode::read(scaler).ok())
        .collect();
    let owners = owners::of(&work, config.kind.kind(), scalers.iter());
    let checks = owners.iter().map(|owner| {
        let what = format!("{} {}", owner.who, owner.words);
        if owner.forbids {
            let next = "release it there, or take the workload out of its hands first";
            Check::missing("owner", what, next)
        } else {
            Check::doubt("owner", what, "")
        }
    });
    checks.collect()
}

/// The workload that a Canary is over, or that describes the pods of a Rollout.
fn moved(data: &Value) -> Option<(Kind, &str)> {
    let found = ["targetRef", "workloadRef"].map(|key| &data["spec"][key]);
    let found = found.into_iter().find(|reference| reference.is_object())?;
    let kind = match found["kind"].as_str() {
        Some("DaemonSet") => Kind::DaemonSet,
        _ => Kind::Deployment,
    };
    Some((kind, found["name"].as_str()?))
}

/// Whether the cluster knows the API of a kind.
async fn served(cluster: &Cluster, kind: Kind) -> Result<bool, CallError> {
    let (group, version) = kind.group();
    if group == "apps" {
        return Ok(true);
    }
    let client = cluster.clients().await?.reading;
    let name = format!("{group}/{version}");
    match client.list_api_group_resources(&name).await {
        Ok(known) => Ok(known.resources.iter().any(|it| it.kind == kind.kind())),
        Err(error) => match sorted(&error) {
            CallError::NotFound(_) => Ok(false),
            other => Err(other),
        },
    }
}

/// That there is no such workload, with the nearest that there is.
async fn absent(cluster: &Cluster, config: &KubeConfig) -> Check {
    let kind = config.kind.kind();
    let what = format!(
        "there is no {kind} {}/{}",
        printable(&config.namespace, 80),
        printable(&config.name, 80)
    );
    let listed = resource(config.kind);
    let listed = cluster.list(&listed, &config.namespace, "").await;
    let names: Vec<String> = match listed {
        Ok(all) => all.into_iter().filter_map(|it| it.metadata.name).collect(),
        Err(_) => Vec::new(),
    };
    let known = || names.iter().map(String::as_str);
    let next = match nearest(&config.name, known()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if names.is_empty() => format!("there is no {kind} at all in this namespace"),
        None => format!("there are {}", listing(known(), 5)),
    };
    Check::missing("workload", what, next)
}

/// What the workload itself says: its container, its image, its strategy, its history.
fn shape(config: &KubeConfig, data: &Value, generation: &Option<i64>) -> Vec<Check> {
    let spec = &data["spec"];
    let mut checks = Vec::new();
    // a Rollout may have its pods described by a Deployment, a Canary always has
    let containers = &spec["template"]["spec"]["containers"];
    match containers.as_array() {
        Some(containers) => checks.extend(container(config, containers)),
        None => {
            let what = format!("there is the {}", config.kind.kind());
            checks.push(Check::good("workload", what));
        }
    }
    if spec["replicas"].as_i64() == Some(0) {
        let what = "it is scaled to no pods: there is nothing that could be moved";
        checks.push(Check::doubt("replicas", what, "scale it up first"));
    }
    if spec["paused"].as_bool() == Some(true) {
        let what = "somebody has paused it";
        let next = "a release on it goes on from there; who paused it may wait for something";
        checks.push(Check::doubt("paused", what, next));
    }
    if spec["revisionHistoryLimit"].as_i64() == Some(0) {
        let what = "revisionHistoryLimit is 0: the cluster keeps no template to go back to";
        let next = "leave it out (10), or set it to 2 or more";
        checks.push(Check {
            promote: false,
            ..Check::missing("history", what, next)
        });
    }
    let strategy = spec["strategy"]["type"].as_str();
    let update = spec["updateStrategy"]["type"].as_str();
    if config.kind == Kind::Deployment && strategy == Some("Recreate") {
        let what = "its strategy is Recreate: all pods go down before the first new one comes";
        let next = "use RollingUpdate where shares are to be moved";
        checks.push(Check::doubt("strategy", what, next));
    }
    if update == Some("OnDelete") {
        let what = "its update strategy is OnDelete: pods change only when somebody deletes them";
        let next = "use RollingUpdate where shares are to be moved";
        checks.push(Check::doubt("strategy", what, next));
    }
    // Argo writes it as a string
    let seen = &data["status"]["observedGeneration"];
    let seen = seen
        .as_i64()
        .or_else(|| seen.as_str().and_then(|text| text.parse().ok()));
    if let (Some(seen), Some(now)) = (seen, generation)
        && seen < *now
    {
        let what = format!("its controller has seen generation {seen} of {now}");
        let next = "look whether its controller runs";
        checks.push(Check::doubt("controller", what, next));
    }
    checks
}

/// Whether it has the container that is to be changed, and that runs what the room says.
fn container(config: &KubeConfig, containers: &[Value]) -> Vec<Check> {
    let names = || containers.iter().filter_map(|it| it["name"].as_str());
    let found = match &config.container {
        Some(wanted) => containers
            .iter()
            .find(|it| it["name"].as_str() == Some(wanted.as_str())),
        None if containers.len() == 1 => containers.first(),
        None => None,
    };
    let Some(found) = found else {
        let what = match &config.container {
            Some(wanted) => format!("its pods have no container `{}`", printable(wanted, 80)),
            None => format!("its pods have {} containers", containers.len()),
        };
        let next = match &config.container {
            Some(wanted) => nearest(wanted, names()).map(|near| format!("did you mean `{near}`?")),
            None => None,
        };
        let listed = format!("name one with `container`: {}", listing(names(), 6));
        return vec![Check::missing("container", what, next.unwrap_or(listed))];
    };
    let name = printable(found["name"].as_str().unwrap_or("?"), 80);
    let image = printable(found["image"].as_str().unwrap_or("?"), 200);
    let repository = super::discover::repository(&image);
    if repository == config.image {
        let what = format!("container {name} runs {image}");
        return vec![Check::good("container", what)];
    }
    let what = format!(
        "container {name} runs {image}, room.toml brings {}",
        printable(&config.image, 200)
    );
    let next = format!("write `image = \"{repository}\"` if that is what is meant");
    vec![Check::doubt("image", what, next)]
}

/// Which rights are missing, each named.
async fn permissions(cluster: &Cluster, config: &KubeConfig, rights: &[Right]) -> Vec<Check> {
    let questions = rights.iter().flat_map(|right| {
        let each = right.verbs.iter().map(move |verb| (right, *verb));
        each.map(|(right, verb)| async move {
            (right, verb, allowed(cluster, config, right, verb).await)
        })
    });
    let mut checks = Vec::new();
    let mut lacking: Vec<(&Right, Vec<&str>)> = Vec::new();
    let mut untold: Option<CallError> = None;
    for (right, verb, answer) in join_all(questions).await {
        match answer {
            Ok(true) => {}
            Ok(false) => match lacking.iter_mut().find(|(known, _)| *known == right) {
                Some((_, verbs)) => verbs.push(verb),
                None => lacking.push((right, vec![verb])),
            },
            Err(error) => untold = Some(error),
        }
    }
    for (right, verbs) in &lacking {
        let name = right.name.as_deref().map(|name| format!(" {name}"));
        let what = format!(
            "may not {} {}{} in {}: it has to {}",
            verbs.join(", "),
            dotted(right),
            printable(&name.unwrap_or_default(), 80),
            printable(&config.namespace, 80),
            right.why
        );
        let next = "the Role of `holdpoint doctor --rbac` gives it";
        checks.push(match right.needs {
            Needs::Both => Check::missing("permission", what, next),
            Needs::Words => Check {
                promote: false,
                back: false,
                ..Check::missing("permission", what, next)
            },
        });
    }
    if let Some(error) = untold {
        let what = format!("the cluster does not say what may be done: {error}");
        checks.push(Check::doubt("permission", what, ""));
    } else if lacking.is_empty() {
        let what = "may do all that it takes";
        checks.push(Check::good("permission", what));
    }
    checks
}

/// `deployments.apps`, `rollouts.argoproj.io/status`.
fn dotted(right: &Right) -> String {
    let mut text = right.resource.to_owned();
    if !right.group.is_empty() {
        text = format!("{text}.{}", right.group);
    }
    match right.part {
        Some(part) => format!("{text}/{part}"),
        None => text,
    }
}

async fn allowed(
    cluster: &Cluster,
    config: &KubeConfig,
    right: &Right,
    verb: &str,
) -> Result<bool, CallError> {
    let kind = resource_of(
        "authorization.k8s.io",
        "v1",
        "SelfSubjectAccessReview",
        "selfsubjectaccessreviews",
    );
    let body = json!({"spec": {"resourceAttributes": {
        "namespace": config.namespace,
        "verb": verb,
        "group": right.group,
        "resource": right.resource,
        "subresource": right.part.unwrap_or_default(),
        "name": right.name.as_deref().unwrap_or_default(),
    }}});
    let answer = review(cluster, &kind, body).await?;
    Ok(answer["status"]["allowed"].as_bool() == Some(true))
}

/// The Service and the other Deployment of a workload that is exchanged blue for green.
async fn switched(cluster: &Cluster, config: &KubeConfig) -> Vec<Check> {
    let Some(switch) = &config.switch else {
        return Vec::new();
    };
    let mut checks = Vec::new();
    for (kind, name) in [
        (
            resource_of("", "v1", "Service", "services"),
            &switch.service,
        ),
        (resource(Kind::Deployment), &switch.other),
    ] {
        let shown = printable(name, 80);
        match cluster.get(&kind, &config.namespace, name).await {
            Ok(_) => checks.push(Check::good(
                "switch",
                format!("there is the {} {shown}", kind.kind),
            )),
            Err(CallError::NotFound(_)) => {
                let what = format!("there is no {} {}/{shown}", kind.kind, config.namespace);
                let next = "name another one in `switch`";
                checks.push(Check::missing("switch", what, next));
            }
            Err(_) => {}
        }
    }
    checks
}

/// Who a Role is for: whoever was named, or who the cluster takes the caller for.
pub fn subject(named: Option<&Subject>, greeting: Option<&Greeting>) -> Subject {
    let found = greeting.and_then(|greeting| greeting.user.as_deref());
    match (named, found) {
        (Some(named), _) => named.clone(),
        (None, Some(user)) => Subject::of(user),
        (None, None) => Subject::User("EDIT-who-holdpoint-is-here".to_owned()),
    }
}

/// The error of a cluster that was not reached, as a check.
pub fn unreached(error: &str, config: &super::config::ClusterConfig) -> Check {
    let file = match &config.kubeconfig {
        Some(path) => path.display().to_string(),
        None => "the kubeconfig of the environment".to_owned(),
    };
    let context = config
        .context
        .as_deref()
        .map(|name| format!(", context {name}"));
    let next = format!(
        "try `kubectl version` with {}{}",
        printable(&file, 200),
        printable(&context.unwrap_or_default(), 100)
    );
    Check::missing("connection", error, next)
}
