//! Clusters and the workloads in them, as room.toml writes them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;

use super::Checker;
use super::targets::TargetEntry;
use crate::domain::charter::Target;
use crate::domain::text::printable;
use crate::domain::words::nearest;
use crate::domain::{InstanceName, Span, Verb};
use crate::platform::kube::config::{ClusterConfig, Kind, KubeConfig, Switch};

/// For how long a move may stand without progress where nothing is said: what Kubernetes itself
/// gives a Deployment.
const DEADLINE: Span = Span::mins(10);

/// `[clusters.NAME]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClusterEntry {
    kubeconfig: Option<PathBuf>,
    context: Option<String>,
}

/// `switch = { service = "web", to = "deployment/web-green" }`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SwitchEntry {
    service: String,
    to: String,
}

impl TargetEntry {
    /// The workload that the target is, checked; `None` where too little is written.
    pub fn kubernetes(
        &self,
        check: &mut Checker<'_>,
        at: &str,
        clusters: &BTreeMap<String, ClusterEntry>,
        room: &Path,
    ) -> Option<(ClusterConfig, KubeConfig)> {
        let cluster = self.cluster_of(check, at, clusters, room);
        let namespace = named(check, at, "namespace", self.namespace.as_deref(), "default");
        let workload = named(
            check,
            at,
            "workload",
            self.workload.as_deref(),
            "deployment/web",
        );
        let image = named(
            check,
            at,
            "image",
            self.image.as_deref(),
            "registry.example/shop/web",
        );
        let (kind, name) = workload_of(check, &format!("{at}.workload"), workload?)?;
        let image = image?;
        let last = image.rsplit('/').next().unwrap_or(image);
        if last.contains(':') || image.contains('@') {
            check.add(
                &format!("{at}.image"),
                "bad-image",
                format!(
                    "`{}` names a version; that is the plan's part",
                    printable(image, 100)
                ),
                "write the repository alone: `registry.example/shop/web`",
            );
        }
        let switch = match &self.switch {
            Some(written) => Some(switch_of(check, at, kind, written)?),
            None => None,
        };
        let config = KubeConfig {
            cluster: cluster.as_ref()?.name.clone(),
            namespace: namespace?.to_owned(),
            kind,
            name: name.to_owned(),
            container: self.container.clone(),
            image: image.to_owned(),
            deadline: self.deadline.unwrap_or(DEADLINE),
            switch,
        };
        Some((cluster?, config))
    }

    fn cluster_of(
        &self,
        check: &mut Checker<'_>,
        at: &str,
        clusters: &BTreeMap<String, ClusterEntry>,
        room: &Path,
    ) -> Option<ClusterConfig> {
        let name = named(check, at, "cluster", self.cluster.as_deref(), "main")?;
        let Some(entry) = clusters.get(name) else {
            check.unknown(
                &format!("{at}.cluster"),
                "cluster",
                name,
                clusters.keys().map(String::as_str),
                &format!("add `[clusters.{}]`, or write another", printable(name, 60)),
            );
            return None;
        };
        Some(ClusterConfig {
            name: name.to_owned(),
            kubeconfig: entry.kubeconfig.as_ref().map(|path| room.join(path)),
            context: entry.context.clone(),
        })
    }
}

/// A key that a workload needs.
fn named<'a>(
    check: &mut Checker<'_>,
    at: &str,
    key: &str,
    written: Option<&'a str>,
    example: &str,
) -> Option<&'a str> {
    let written = written.filter(|text| !text.trim().is_empty());
    if written.is_none() {
        check.add(
            at,
            "missing-key",
            format!("a target on Kubernetes needs `{key}`"),
            format!("write `{key} = \"{example}\"`"),
        );
    }
    written
}

fn workload_of<'a>(
    check: &mut Checker<'_>,
    path: &str,
    written: &'a str,
) -> Option<(Kind, &'a str)> {
    let Some((word, name)) = written.split_once('/').filter(|(_, name)| !name.is_empty()) else {
        check.add(
            path,
            "bad-workload",
            format!("`{}` is no workload", printable(written, 80)),
            "write its kind and its name: `deployment/web`",
        );
        return None;
    };
    let kind = Kind::ALL.into_iter().find(|kind| kind.word() == word);
    if kind.is_none() {
        let known = Kind::ALL.map(Kind::word);
        let next = match nearest(word, known) {
            Some(near) => format!("did you mean `{near}/{}`?", printable(name, 60)),
            None => format!("the kinds are {}", known.join(", ")),
        };
        let word = printable(word, 60);
        check.add(
            path,
            "bad-workload",
            format!("`{word}` is no kind of workload"),
            next,
        );
    }
    Some((kind?, name))
}

fn switch_of(
    check: &mut Checker<'_>,
    at: &str,
    kind: Kind,
    written: &SwitchEntry,
) -> Option<Switch> {
    let path = format!("{at}.switch");
    let (other, name) = workload_of(check, &format!("{path}.to"), &written.to)?;
    if kind != Kind::Deployment || other != Kind::Deployment {
        check.add(
            &path,
            "bad-switch",
            "a Service can be switched between two Deployments only",
            "write deployments, or let Argo do it: `rollout/...`",
        );
        return None;
    }
    Some(Switch {
        service: written.service.clone(),
        other: name.to_owned(),
    })
}

/// The workload as the charter knows it: one instance, moved by shares.
pub fn target(target: Target, config: &KubeConfig) -> Target {
    let call = |verb: &str, what: &str| -> Vec<Arc<str>> {
        let path = format!("{}/{}", config.kind.plural(), config.name);
        let words = [verb, &path, "-n", &config.namespace, what];
        words
            .into_iter()
            .map(|word| Arc::from(printable(word, 300)))
            .collect()
    };
    let image = config.image_of("{version}", "{digest}");
    Target {
        platform: "kubernetes".into(),
        instances: vec![InstanceName::from(config.name.as_str())],
        by_share: true,
        parallel: 1,
        calls: BTreeMap::from([
            (Verb::Deploy, call("PATCH", &format!("image={image}"))),
            (
                Verb::Rollback,
                call("PATCH", "template=what ran before the release"),
            ),
        ]),
        ..target
    }
}
