//! `init --from-kube`: a new room for what runs in a cluster.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::{owner, typed, written};
use crate::cli::args::InitArgs;
use crate::cli::exit::{Exit, Stop, Went};
use crate::cli::local::{say, tell};
use crate::cli::out::Look;
use crate::config::home;
use crate::config::template::kube::{Named, Reached, catalog, named, plan, room as room_of};
use crate::config::template::{self, Owner};
use crate::domain::Notice;
use crate::domain::text::printable;
use crate::platform::kube::cluster::{CallError, Cluster};
use crate::platform::kube::config::ClusterConfig;
use crate::platform::kube::discover::{Discovery, current, discover};

/// Most workloads that are named on the terminal.
const NAMED: usize = 12;

/// Writes a room for what runs, and says what comes next.
///
/// # Errors
/// When there is a room already, no cluster answers, nothing may be listed, or nothing runs.
pub async fn from_kube(args: &InitArgs, room: Option<&PathBuf>, look: Look) -> Went {
    let dir = home::room(args.dir.as_ref().or(room)).map_err(Stop::input)?;
    template::vacant(&dir).map_err(Stop::from)?;
    let file = match &args.kubeconfig {
        Some(path) => Some(std::path::absolute(path).unwrap_or_else(|_| path.clone())),
        None => std::env::var_os("KUBECONFIG")
            .map(PathBuf::from)
            // of a list of files the room could name only one
            .filter(|path| path.is_file())
            .map(|path| std::path::absolute(&path).unwrap_or(path)),
    };
    let context = match &args.context {
        Some(name) => Some(name.clone()),
        None => current(file.as_deref()).map_err(|error| unreachable(&error))?,
    };
    let cluster = Cluster::new(ClusterConfig {
        name: "cluster".to_owned(),
        kubeconfig: file.clone(),
        context: context.clone(),
    });
    let namespace = args.namespace.as_deref();
    let discovery = discover(&cluster, namespace).await;
    let discovery = discovery.map_err(|error| unreachable(&error))?;
    let reached = Reached {
        kubeconfig: file.as_deref(),
        context: context.as_deref(),
    };
    let all = named(&discovery, &reached);
    let Some(first) = all
        .iter()
        .find(|it| it.found.replicas != Some(0))
        .or(all.first())
    else {
        return Err(Stop::from(nothing(&discovery)));
    };
    let made = [
        (
            "room.toml",
            room_of(&all, &reached, discovery.only.as_deref()),
        ),
        ("catalog.toml", catalog(&all, &reached)),
        ("plan.yaml", plan(first)),
    ];
    let owner: Owner = owner();
    let files = template::write_with(&dir, &owner, &made.into()).map_err(Stop::from)?;
    for note in &discovery.notes {
        tell(&format!("{}\n", printable(note, 300)));
    }
    if look.json {
        let targets = all.iter().map(|it| it.target.clone()).collect();
        say(&written(&dir, &files, targets, discovery.notes.clone()));
    } else {
        say(&told(&dir, &all, first));
    }
    Ok(Exit::Done)
}

fn told(dir: &Path, all: &[Named<'_>], first: &Named<'_>) -> String {
    let shown = dir.display();
    let count = match all.len() {
        1 => "1 workload".to_owned(),
        n => format!("{n} workloads"),
    };
    let mut text = format!("wrote a room for {count} to {shown}, for you alone to read\n\n");
    let width = all
        .iter()
        .map(|it| it.target.len())
        .max()
        .unwrap_or(0)
        .min(40);
    for named in all.iter().take(NAMED) {
        let found = named.found;
        // writing to a string cannot fail
        let _ = writeln!(
            text,
            "  {:width$}  {} {}/{} in {}",
            named.target,
            found.kind.word(),
            printable(&found.namespace, 80),
            printable(&found.name, 80),
            named.environment
        );
    }
    if all.len() > NAMED {
        let _ = writeln!(text, "  and {} more", all.len() - NAMED);
    }
    let word = typed(dir);
    let _ = write!(
        text,
        "
edit     {shown}/catalog.toml   who owns what; which environments are production: guessed from names
         {shown}/people.toml    your colleagues, at least two who may vote
         {shown}/plan.yaml      a first release of {}: its version and digest
then     holdpoint --room {word} check
         holdpoint --room {word} doctor
         holdpoint --room {word} serve
         holdpoint --room {word} release submit --dry-run {word}/plan.yaml
",
        first.target
    );
    text
}

fn unreachable(error: &CallError) -> Stop {
    let (code, next) = match error {
        CallError::Forbidden(_) => (
            "not-permitted",
            "name a namespace in which you may list deployments: --namespace NAME",
        ),
        _ => (
            "no-cluster",
            "name a kubeconfig with --kubeconfig FILE or KUBECONFIG, another context with --context NAME; \
             `kubectl cluster-info` tries the same",
        ),
    };
    let notice = Notice::error(code, printable(&error.to_string(), 300))
        .detail("nothing was written")
        .next(next);
    match error {
        CallError::Forbidden(_) => Stop::from(notice),
        _ => Stop::unreachable(notice),
    }
}

fn nothing(discovery: &Discovery) -> Notice {
    let place = match &discovery.only {
        Some(namespace) => format!("in the namespace {}", printable(namespace, 80)),
        None => "outside the cluster's own namespaces".to_owned(),
    };
    let mut detail = "nothing was written".to_owned();
    for note in &discovery.notes {
        detail = format!("{detail}; {}", printable(note, 300));
    }
    Notice::error("nothing-found", format!("no workload was found {place}"))
        .detail(detail)
        .next(
            "name another namespace with --namespace NAME, or another cluster with --context NAME",
        )
}
