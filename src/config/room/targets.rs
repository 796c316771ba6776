//! `room.toml`: the room's name, its targets, how often it looks, what it calls.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;

use super::Checker;
use super::gates::GatesEntry;
use super::kube::{self, ClusterEntry, SwitchEntry};
use super::sources::{self, SourceEntry};
use crate::domain::charter::{Environment, Metric, Service, Target};
use crate::domain::text::printable;
use crate::domain::{EnvName, InstanceName, ServiceName, SourceName, Span, TargetName, Verb};
use crate::platform::command::{CommandConfig, InstanceConfig, Timeouts};
use crate::platform::kube::config::{ClusterConfig, KubeConfig};
use crate::platform::prometheus::client::Config;
use crate::web::gates;

/// How often platforms are read and metrics looked at where nothing is said.
const LOOK: Span = Span::secs(5);

/// How many `status` commands of a target run at the same time, at least.
const STATUS_AT_ONCE: usize = 8;

/// The file as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoomFile {
    name: String,
    look: Option<Span>,
    hook: Option<Vec<String>>,
    gates: Option<GatesEntry>,
    #[serde(default)]
    sources: BTreeMap<SourceName, SourceEntry>,
    #[serde(default)]
    clusters: BTreeMap<String, ClusterEntry>,
    #[serde(default)]
    target: Vec<TargetEntry>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TargetEntry {
    name: TargetName,
    service: ServiceName,
    environment: EnvName,
    pub(super) namespace: Option<String>,
    platform: PlatformKind,
    pub(super) cluster: Option<String>,
    pub(super) workload: Option<String>,
    pub(super) container: Option<String>,
    pub(super) image: Option<String>,
    pub(super) deadline: Option<Span>,
    pub(super) switch: Option<SwitchEntry>,
    #[serde(default)]
    instances: Vec<InstanceConfig>,
    #[serde(default)]
    deploy: Vec<String>,
    #[serde(default)]
    rollback: Vec<String>,
    #[serde(default)]
    status: Vec<String>,
    drain: Option<Vec<String>>,
    undrain: Option<Vec<String>>,
    via: Option<Vec<String>>,
    dir: Option<PathBuf>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    #[serde(default)]
    timeouts: Timeouts,
    #[serde(default = "one")]
    parallel: u32,
    #[serde(default)]
    retries: u32,
    #[serde(default = "ten_seconds")]
    backoff: Span,
    #[serde(default = "metrics")]
    scrape: String,
}

/// The platforms that targets can be on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum PlatformKind {
    Command,
    Kubernetes,
}

fn one() -> u32 {
    1
}

fn ten_seconds() -> Span {
    Span::secs(10)
}

fn metrics() -> String {
    "/metrics".to_owned()
}

/// What the engine needs to operate a target, besides what the charter says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetConfig {
    /// How it is operated.
    pub operate: Operate,
    /// Where its instances answer, for health checks and metrics.
    pub urls: BTreeMap<InstanceName, String>,
    /// Where under that address their metrics are: `/metrics`.
    pub metrics_path: String,
    /// The namespace that metrics stores know it by.
    pub namespace: Option<String>,
    /// The age from which the last reading of an instance says nothing any more.
    pub stale: Span,
}

/// How a target is operated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operate {
    /// By programs.
    Command(CommandConfig),
    /// As a workload of a cluster.
    Kubernetes(ClusterConfig, KubeConfig),
}

/// What a room is set to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How often platforms are read and metrics looked at.
    pub look: Span,
    /// The command that is told of warnings, passed deadlines and triggers: program and arguments.
    pub hook: Option<Vec<String>>,
    /// How the gates that Flagger asks at are kept; none are without.
    pub gates: Option<gates::Config>,
}

impl RoomFile {
    /// The room's name.
    pub fn name(&self, check: &mut Checker<'_>) -> Arc<str> {
        let name = printable(self.name.trim(), 40);
        if name.is_empty() {
            check.add("name", "empty-name", "the room has no name", "give it one");
        }
        name.into()
    }

    /// What the room in this directory is set to.
    pub fn settings(&self, check: &mut Checker<'_>, room: &Path) -> Settings {
        let look = self.look.unwrap_or(LOOK);
        if look < Span(100) || look > Span::mins(10) {
            check.add(
                "look",
                "bad-look",
                format!("every {look} is not between 100 ms and 10 m"),
                "write 5s",
            );
        }
        let mut hook = self.hook.clone();
        if let Some(argv) = &mut hook {
            check.argv("hook", argv);
            if let Some(program) = argv.first_mut()
                && program.contains('/')
            {
                // found from here, wherever the engine stands; an absolute path stays what it is
                *program = room.join(&*program).to_string_lossy().into_owned();
            }
        }
        let gates = self.gates.as_ref();
        let gates = gates.and_then(|entry| entry.config(check, room));
        Settings { look, hook, gates }
    }

    /// The names of the stores that metrics can be read from.
    pub fn source_names(&self) -> Vec<&str> {
        self.sources.keys().map(SourceName::as_str).collect()
    }

    /// The stores that metrics can be read from, checked.
    pub fn sources(
        &self,
        check: &mut Checker<'_>,
        room: &Path,
    ) -> BTreeMap<SourceName, Arc<Config>> {
        sources::sources(&self.sources, check, room)
    }

    /// The targets, as the charter knows them and as the platform operates them.
    pub fn targets(
        &self,
        check: &mut Checker<'_>,
        room: &Path,
        services: &BTreeMap<ServiceName, Service>,
        environments: &BTreeMap<EnvName, Environment>,
    ) -> (
        BTreeMap<TargetName, Target>,
        BTreeMap<TargetName, TargetConfig>,
    ) {
        let mut targets = BTreeMap::new();
        let mut configs = BTreeMap::new();
        for (n, entry) in self.target.iter().enumerate() {
            let at = |key: &str| format!("target[{n}].{key}");
            check.plain_name(&at("name"), "target", entry.name.as_str());
            if targets.contains_key(&entry.name) {
                check.twice(&at("name"), "target", entry.name.as_str());
            }
            if !services.contains_key(&entry.service) {
                check.unknown(
                    &at("service"),
                    "service",
                    entry.service.as_str(),
                    services.keys().map(ServiceName::as_str),
                    "add it to catalog.toml, or write another",
                );
            }
            if !environments.contains_key(&entry.environment) {
                check.unknown(
                    &at("environment"),
                    "environment",
                    entry.environment.as_str(),
                    environments.keys().map(EnvName::as_str),
                    "add it to catalog.toml, or write another",
                );
            }
            entry.foreign_keys(check, n);
            let operate = match entry.platform {
                PlatformKind::Command => entry.operated(check, n, room),
                PlatformKind::Kubernetes => {
                    match entry.kubernetes(check, &format!("target[{n}]"), &self.clusters, room) {
                        Some((cluster, config)) => Operate::Kubernetes(cluster, config),
                        None => continue,
                    }
                }
            };
            if entry.parallel == 0 {
                check.add(
                    &at("parallel"),
                    "bad-target",
                    "with 0 at once nothing would ever change",
                    "write 1 or more",
                );
            }
            if !entry.scrape.starts_with('/') {
                check.add(
                    &at("scrape"),
                    "bad-scrape",
                    format!(
                        "`{}` is no path under an instance's url",
                        printable(&entry.scrape, 60)
                    ),
                    "write \"/metrics\"",
                );
            }
            targets.insert(entry.name.clone(), entry.target(&operate));
            let config = TargetConfig {
                urls: entry.urls(),
                metrics_path: entry.scrape.clone(),
                namespace: entry.namespace.clone(),
                stale: self.stale(&operate),
                operate,
            };
            configs.insert(entry.name.clone(), config);
        }
        (targets, configs)
    }

    /// Three readings may fail, the slowest of them by taking all the time it has.
    fn stale(&self, operate: &Operate) -> Span {
        let look = self.look.unwrap_or(LOOK).0.saturating_mul(3);
        let slowest = match operate {
            Operate::Command(command) => command.timeouts.status,
            Operate::Kubernetes(..) => Timeouts::default().status,
        };
        Span(look.saturating_add(slowest.0))
    }

    /// What is no mistake and yet worth a look.
    pub fn doubts(
        &self,
        check: &mut Checker<'_>,
        services: &BTreeMap<ServiceName, Service>,
        sources: &BTreeMap<SourceName, Arc<Config>>,
    ) {
        if self.target.is_empty() {
            check.warn(
                "",
                "no-targets",
                "there is no target, so nothing can be released",
                "add a [[target]] to room.toml",
            );
        }
        for (n, entry) in self.target.iter().enumerate() {
            let metrics = services.get(&entry.service).map(|service| &service.metrics);
            let stores = |metric: &Metric| Some(sources.get(metric.source.as_ref()?));
            let mut all = metrics.into_iter().flat_map(BTreeMap::values).map(stores);
            let measured = all.clone().any(|store| match store {
                None => true,
                Some(store) => store.is_some_and(|it| it.canary.has("instances")),
            });
            let no_namespace = entry.namespace.is_none()
                && all.any(|store| {
                    let named =
                        |it: &Config| it.canary.has("namespace") || it.baseline.has("namespace");
                    store.flatten().is_some_and(|it| named(it))
                });
            if no_namespace {
                check.warn(
                    &format!("target[{n}].namespace"),
                    "no-namespace",
                    format!(
                        "a source of {}'s metrics asks for a {{namespace}}",
                        entry.service
                    ),
                    "say which: without it, every look at these metrics is without data",
                );
            }
            let canary = entry.workload.as_deref();
            let canary = canary.is_some_and(|it| it.starts_with("canary/"));
            if canary && self.gates.is_none() {
                check.warn(
                    &format!("target[{n}].workload"),
                    "no-gates",
                    "Flagger waits for holdpoint at gates, and this room keeps none",
                    "add [gates] with listen = \"127.0.0.1:7345\" and token = \"file:keys/gates\": \
                     without them no release of a Canary begins",
                );
            }
            let deaf = entry.instances.iter().position(|i| i.url.is_none());
            if let Some(i) = deaf.filter(|_| measured) {
                check.warn(
                    &format!("target[{n}].instances[{i}]"),
                    "no-url",
                    format!(
                        "{} has metrics, and this instance no url to read them at",
                        entry.service
                    ),
                    "give it a url: without one, every look at its metrics is without data",
                );
            }
        }
    }
}

impl TargetEntry {
    /// What stands there of a platform that this target is not on.
    fn foreign_keys(&self, check: &mut Checker<'_>, n: usize) {
        let kubernetes = [
            ("cluster", self.cluster.is_some()),
            ("workload", self.workload.is_some()),
            ("container", self.container.is_some()),
            ("image", self.image.is_some()),
            ("deadline", self.deadline.is_some()),
            ("switch", self.switch.is_some()),
        ];
        let command = [
            ("instances", !self.instances.is_empty()),
            ("deploy", !self.deploy.is_empty()),
            ("rollback", !self.rollback.is_empty()),
            ("status", !self.status.is_empty()),
            ("drain", self.drain.is_some()),
            ("undrain", self.undrain.is_some()),
            ("via", self.via.is_some()),
            ("dir", self.dir.is_some()),
            ("env", !self.env.is_empty()),
            ("timeouts", self.timeouts != Timeouts::default()),
        ];
        let (word, foreign) = match self.platform {
            PlatformKind::Command => ("command", &kubernetes[..]),
            PlatformKind::Kubernetes => ("kubernetes", &command[..]),
        };
        for (key, _) in foreign.iter().filter(|(_, stands)| *stands) {
            check.add(
                &format!("target[{n}].{key}"),
                "foreign-key",
                format!("`{key}` means nothing to the platform `{word}`"),
                "leave it out, or write the other platform",
            );
        }
    }

    /// How a target of programs is operated, checked.
    fn operated(&self, check: &mut Checker<'_>, n: usize, room: &Path) -> Operate {
        let command = self.command(room);
        for problem in command.problems() {
            let path = format!("target[{n}].{}", problem.key);
            check.add(&path, "bad-target", problem.what, String::new());
        }
        Operate::Command(command)
    }

    fn target(&self, operate: &Operate) -> Target {
        let target = Target {
            service: self.service.clone(),
            environment: self.environment.clone(),
            platform: "command".into(),
            instances: Vec::new(),
            by_share: false,
            parallel: self.parallel,
            retries: self.retries,
            backoff: self.backoff,
            calls: BTreeMap::new(),
        };
        match operate {
            Operate::Command(_) => self.of_programs(target),
            Operate::Kubernetes(_, config) => kube::target(target, config),
        }
    }

    fn of_programs(&self, target: Target) -> Target {
        let mut calls = BTreeMap::new();
        for (verb, argv) in [
            (Verb::Deploy, Some(&self.deploy)),
            (Verb::Rollback, Some(&self.rollback)),
            (Verb::Drain, self.drain.as_ref()),
            (Verb::Undrain, self.undrain.as_ref()),
        ] {
            let Some(argv) = argv else { continue };
            let words = self.via.iter().flatten().chain(argv);
            let words = words.map(|word| Arc::from(printable(word, 500)));
            calls.insert(verb, words.collect());
        }
        let instances = self.instances.iter();
        Target {
            instances: instances
                .map(|instance| InstanceName::from(instance.name.as_str()))
                .collect(),
            calls,
            ..target
        }
    }

    /// How the target is operated. Without a directory of its own, commands on this machine run in
    /// the room's.
    fn command(&self, room: &Path) -> CommandConfig {
        let dir = match (&self.dir, &self.via) {
            (dir, Some(_)) => dir.clone(),
            (Some(dir), None) => Some(room.join(dir)),
            (None, None) => Some(room.to_owned()),
        };
        CommandConfig {
            instances: self.instances.clone(),
            deploy: self.deploy.clone(),
            rollback: self.rollback.clone(),
            status: self.status.clone(),
            drain: self.drain.clone(),
            undrain: self.undrain.clone(),
            via: self.via.clone(),
            dir,
            env: self.env.clone(),
            timeouts: self.timeouts,
            parallel: STATUS_AT_ONCE.max(self.parallel as usize).min(1000),
        }
    }

    fn urls(&self) -> BTreeMap<InstanceName, String> {
        let known = self.instances.iter().filter_map(|instance| {
            let url = instance.url.as_deref()?.trim_end_matches('/');
            Some((InstanceName::from(instance.name.as_str()), url.to_owned()))
        });
        known.collect()
    }
}
