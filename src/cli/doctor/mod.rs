//! `doctor`: whether everything is there that the room's targets need, and the rights that they take.
//!
//! All is asked at the same time, and each cluster, target and store has its own limit: what hangs
//! costs its own lines and nothing else. Nothing is changed anywhere.

mod page;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::args::DoctorArgs;
use super::exit::{Exit, Stop, Went};
use super::local::say;
use super::out::Look;
use super::view::{ClusterView, DoctorView, RoleView, StoreView, TargetView, line};
use crate::config::home;
use crate::config::room::{Operate, RoomFiles, TargetConfig};
use crate::domain::charter::Charter;
use crate::domain::text::printable;
use crate::domain::{Notice, SourceName, TargetName};
use crate::platform::command::{CommandConfig, CommandTarget};

use crate::platform::doctor::{Check, State, programs};
use crate::platform::http::{Http, Redirects};
use crate::platform::kube::cluster::Cluster;
use crate::platform::kube::config::{ClusterConfig, KubeConfig};
use crate::platform::kube::doctor::{self as kube, Greeting};
use crate::platform::kube::rights::{self, Right, Subject};
use crate::platform::prometheus::client::{Config, answers};
use crate::platform::runner::Runner;

/// How long a cluster may take to greet, and again for all questions about one target.
const LIMIT: Duration = Duration::from_secs(10);

/// How long a whole cluster may take: longer than the limits within it, which say more.
const ALL: Duration = Duration::from_secs(25);

/// The most that is read of an instance's metrics, in bytes: enough to see that there are some.
const MOST: usize = 4 * 1024 * 1024;

/// What was found at a target.
struct Looked {
    name: TargetName,
    place: String,
    platform: &'static str,
    checks: Vec<Check>,
    /// The cluster and the namespace where it needs rights, and which.
    rights: Option<(String, String, Vec<Right>)>,
}

/// What was found at a cluster.
struct Met {
    config: ClusterConfig,
    greeting: Result<Greeting, String>,
    targets: Vec<Looked>,
}

/// Looks at everything and says what was found.
///
/// # Errors
/// Mistakes in the room's files, or in the subject.
pub async fn run(args: &DoctorArgs, room: Option<&PathBuf>, look: Look) -> Went {
    let subject = match &args.subject {
        Some(text) => Some(Subject::read(text).map_err(|right| {
            let shown = printable(text, 80);
            let notice = Notice::error("bad-subject", format!("`{shown}` is no subject"));
            Stop::input(notice.next(right))
        })?),
        None => None,
    };
    let dir = home::room(room).map_err(Stop::input)?;
    let files = RoomFiles::load(&dir).map_err(Stop::bad)?;
    let view = examine(&dir, files, subject.as_ref()).await?;
    let well = view.well;
    if args.rbac {
        say(&page::rbac(&view));
    } else if look.json {
        say(&line(&view));
    } else {
        say(&page::text(&view, look));
    }
    Ok(if well { Exit::Done } else { Exit::Refused })
}

async fn examine(
    dir: &Path,
    files: RoomFiles,
    subject: Option<&Subject>,
) -> Result<DoctorView, Stop> {
    let mut clusters: BTreeMap<String, Cared> = BTreeMap::new();
    let mut others = Vec::new();
    let runner = Runner::new(dir.join("effects")).map_err(|error| {
        let what = format!("this very program is not found: {error}");
        Stop::from(Notice::error("no-program", what))
    })?;
    let charter = Arc::new(files.charter);
    for (name, config) in files.targets {
        let scraped = instances(&charter, &name, &config);
        match config.operate {
            Operate::Kubernetes(cluster, workload) => {
                let known = clusters.entry(cluster.name.clone());
                let cared = known.or_insert_with(|| (cluster, Vec::new()));
                cared.1.push((name, workload));
            }
            Operate::Command(command) => {
                others.push(tokio::spawn(commanded(
                    name,
                    command,
                    runner.clone(),
                    scraped,
                )));
            }
        }
    }
    let sources: Vec<(SourceName, JoinHandle<Check>)> = files
        .sources
        .into_iter()
        .map(|(name, config)| (name, tokio::spawn(store(config))))
        .collect();
    let clusters: Vec<(Cared, JoinHandle<Met>)> = clusters
        .into_values()
        .map(|cared| (cared.clone(), apart(cared)))
        .collect();
    let met = join_all(
        clusters
            .into_iter()
            .map(|(cared, task)| within(cared, task)),
    )
    .await;
    let mut looked: Vec<Looked> = join_all(others).await.into_iter().flatten().collect();
    let mut stores = Vec::new();
    for (name, task) in sources {
        let check = task.await.unwrap_or_else(|error| gone(&error));
        stores.push((name, check));
    }
    let roles = roles(&met, subject);
    let greeted: Vec<ClusterView> = met.iter().map(ClusterView::from).collect();
    looked.extend(met.into_iter().flat_map(|met| met.targets));
    looked.sort_by(|a, b| a.name.cmp(&b.name));
    let missing = |check: &Check| check.state == State::Missing;
    let well = !looked.iter().flat_map(|it| &it.checks).any(missing)
        && !stores.iter().any(|(_, check)| missing(check))
        && greeted.iter().all(|cluster| cluster.problem.is_none());
    Ok(DoctorView {
        schema: "holdpoint.doctor/1",
        room: dir.display().to_string(),
        well,
        clusters: greeted,
        targets: looked.iter().map(TargetView::from).collect(),
        sources: stores
            .iter()
            .map(|(name, check)| StoreView {
                name: name.to_string(),
                check: check.into(),
            })
            .collect(),
        rbac: roles,
    })
}

/// A cluster with the targets on it.
type Cared = (ClusterConfig, Vec<(TargetName, KubeConfig)>);

/// Looks at a cluster on a thread of its own: a kubeconfig may name a program that brings the
/// credentials, and while that runs the thread stands still.
fn apart(cared: Cared) -> JoinHandle<Met> {
    let here = tokio::runtime::Handle::current();
    tokio::task::spawn_blocking(move || here.block_on(meet(cared)))
}

/// What a cluster says, unless it takes too long.
async fn within(cared: Cared, task: JoinHandle<Met>) -> Met {
    match timeout(ALL, task).await {
        Ok(Ok(met)) => met,
        Ok(Err(error)) => unmet(cared, format!("it could not be asked: {error}")),
        Err(_) => {
            let why = format!("no answer in {} s", ALL.as_secs());
            unmet(cared, why)
        }
    }
}

async fn meet((config, targets): Cared) -> Met {
    let cluster = Cluster::new(config.clone());
    let greeting = match timeout(LIMIT, kube::greet(&cluster)).await {
        Ok(Ok(greeting)) => greeting,
        Ok(Err(error)) => return unmet((config, targets), error.to_string()),
        Err(_) => {
            let why = format!("no answer in {} s", LIMIT.as_secs());
            return unmet((config, targets), why);
        }
    };
    let each = targets.into_iter().map(|(name, workload)| {
        let cluster = &cluster;
        async move {
            let asked = timeout(LIMIT, kube::target(cluster, &workload)).await;
            let (checks, rights) = asked.unwrap_or_else(|_| {
                let what = format!("not all was answered in {} s", LIMIT.as_secs());
                let slow = Check::missing("connection", what, "look how the cluster is");
                (vec![slow], rights::of(&workload, None))
            });
            of_kube(name, &workload, checks, rights)
        }
    });
    Met {
        targets: join_all(each).await,
        greeting: Ok(greeting),
        config,
    }
}

fn of_kube(
    name: TargetName,
    workload: &KubeConfig,
    checks: Vec<Check>,
    rights: Vec<Right>,
) -> Looked {
    Looked {
        name,
        place: format!("{} {}", workload.kind.word(), workload.place()),
        platform: "kubernetes",
        checks,
        rights: Some((workload.cluster.clone(), workload.namespace.clone(), rights)),
    }
}

/// A cluster that was not reached: each of its targets lacks it.
fn unmet((config, targets): Cared, why: String) -> Met {
    let why = match why.contains("not reached") {
        true => why,
        false => format!("the cluster is not reached: {why}"),
    };
    let each = targets.into_iter().map(|(name, workload)| {
        let check = kube::unreached(&why, &config);
        let rights = rights::of(&workload, None);
        of_kube(name, &workload, vec![check], rights)
    });
    Met {
        targets: each.collect(),
        greeting: Err(why),
        config,
    }
}

/// The Role of each namespace in each cluster.
fn roles(met: &[Met], subject: Option<&Subject>) -> Vec<RoleView> {
    let mut needed: BTreeMap<(&str, &str), (Subject, BTreeSet<Right>)> = BTreeMap::new();
    for met in met {
        let who = kube::subject(subject, met.greeting.as_ref().ok());
        for (cluster, namespace, rights) in met.targets.iter().filter_map(|it| it.rights.as_ref()) {
            let place = needed.entry((cluster, namespace));
            let (_, all) = place.or_insert_with(|| (who.clone(), BTreeSet::new()));
            all.extend(rights.iter().cloned());
        }
    }
    needed
        .into_iter()
        .map(|((cluster, namespace), (subject, rights))| RoleView {
            cluster: cluster.to_owned(),
            namespace: namespace.to_owned(),
            yaml: rights::role(namespace, &rights, &subject),
        })
        .collect()
}

/// A target of programs, and the metrics that its instances give.
async fn commanded(
    name: TargetName,
    config: CommandConfig,
    runner: Runner,
    scraped: Vec<String>,
) -> Looked {
    let path = std::env::var_os("PATH");
    let place = match &config.via {
        Some(via) => format!("programs via {}", via.first().map_or("", String::as_str)),
        None => "programs on this machine".to_owned(),
    };
    let mut checks = match CommandTarget::new(name.clone(), config, runner) {
        Ok(target) => programs(&target, path.as_deref()).await,
        Err(problems) => problems
            .iter()
            .map(|problem| Check::missing("target", problem.to_string(), ""))
            .collect(),
    };
    checks.extend(metrics(&scraped).await);
    Looked {
        name,
        place: printable(&place, 120),
        platform: "command",
        checks,
        rights: None,
    }
}

/// Where a target's metrics are read from its instances themselves.
fn instances(charter: &Charter, name: &TargetName, config: &TargetConfig) -> Vec<String> {
    let target = charter.targets.get(name);
    let service = target.and_then(|target| charter.services.get(&target.service));
    let scraped = service.is_some_and(|it| it.metrics.values().any(|m| m.source.is_none()));
    let urls = config.urls.values().filter(|_| scraped);
    urls.map(|url| format!("{url}{}", config.metrics_path))
        .collect()
}

/// Whether instances give metrics.
async fn metrics(urls: &[String]) -> Option<Check> {
    let http = match Http::new() {
        _ if urls.is_empty() => return None,
        Ok(http) => http,
        Err(why) => return Some(Check::doubt("metrics", why, "")),
    };
    let http = &http;
    let each = urls.iter().map(|url| async move {
        let got = http.get(url, LIMIT, MOST, Redirects::SameHost).await;
        match got {
            Ok(got) if got.status == 200 => None,
            Ok(got) => Some(format!("{url} answers {}", got.status)),
            Err(error) => Some(format!("{url}: {error}")),
        }
    });
    let silent: Vec<String> = join_all(each).await.into_iter().flatten().collect();
    Some(match silent.first() {
        None => Check::good("metrics", format!("{} instances give metrics", urls.len())),
        Some(first) => {
            let what = format!(
                "{} of {} instances give no metrics: {}",
                silent.len(),
                urls.len(),
                printable(first, 200)
            );
            Check::doubt(
                "metrics",
                what,
                "without them, an analysis stays without data",
            )
        }
    })
}

async fn store(config: Arc<Config>) -> Check {
    match answers(&config).await {
        Ok(()) => Check::good("source", "answers queries"),
        Err(why) => {
            let next = "without it, an analysis stays without data";
            Check::missing("source", printable(&why, 300), next)
        }
    }
}

fn gone(error: &tokio::task::JoinError) -> Check {
    Check::missing("source", format!("it could not be asked: {error}"), "")
}

impl From<&Met> for ClusterView {
    fn from(met: &Met) -> ClusterView {
        let greeting = met.greeting.as_ref().ok();
        ClusterView {
            name: printable(&met.config.name, 80),
            version: greeting.and_then(|it| it.version.clone()),
            user: greeting.and_then(|it| it.user.clone()),
            problem: met.greeting.as_ref().err().cloned(),
        }
    }
}

impl From<&Looked> for TargetView {
    fn from(looked: &Looked) -> TargetView {
        let lacks = |blocks: fn(&Check) -> bool| {
            let missing = looked.checks.iter().filter(|it| it.state == State::Missing);
            let words = missing.filter(|it| blocks(it)).map(|it| it.words.clone());
            words.collect::<Vec<String>>()
        };
        TargetView {
            target: looked.name.to_string(),
            platform: looked.platform.to_owned(),
            place: looked.place.clone(),
            checks: looked.checks.iter().map(Into::into).collect(),
            promote: lacks(|it| it.promote),
            roll_back: lacks(|it| it.back),
        }
    }
}
