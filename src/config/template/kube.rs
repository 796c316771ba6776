//! A room for what runs in a cluster: the files that differ from those of any new room.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use crate::config::room::is_plain;
use crate::domain::text::printable;
use crate::platform::kube::config::Kind;
use crate::platform::kube::discover::{Discovery, Found, digest, repository, tag};

/// How the cluster was reached, so that the room reaches it the same way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reached<'a> {
    /// The kubeconfig, where it is one file.
    pub kubeconfig: Option<&'a Path>,
    /// The context in it; nothing in a pod of the cluster itself.
    pub context: Option<&'a str>,
}

/// A target of the room that is written, by its names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named<'a> {
    /// What it stands for.
    pub found: &'a Found,
    /// Its name.
    pub target: String,
    /// Its service.
    pub service: String,
    /// Its environment.
    pub environment: String,
}

/// An environment that was guessed.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Guess {
    name: String,
    production: bool,
    why: String,
}

/// Names for everything that was found: plain, unique, and of one service only what runs one image.
pub fn named<'a>(discovery: &'a Discovery, reached: &Reached<'_>) -> Vec<Named<'a>> {
    let services = services(&discovery.found);
    let mut taken: BTreeSet<String> = BTreeSet::new();
    let each = discovery.found.iter().zip(services);
    each.map(|(found, service)| {
        let environment = guess(&found.namespace, reached.context).name;
        let candidates = [
            format!("{service}-{environment}"),
            format!("{service}-{}-{environment}", found.name),
            format!(
                "{service}-{}-{}-{environment}",
                found.name,
                found.kind.word()
            ),
        ];
        let target = unique(&candidates, &taken);
        taken.insert(target.clone());
        Named {
            found,
            target,
            service,
            environment,
        }
    })
    .collect()
}

/// The service of each workload. Those of one app are one service as long as they run one image: a
/// release brings one version to all of it.
fn services(found: &[Found]) -> Vec<String> {
    let levels = |it: &Found| {
        [
            plain(&it.app),
            plain(&it.name),
            plain(&format!("{}-{}", it.namespace, it.name)),
            plain(&format!("{}-{}-{}", it.namespace, it.name, it.kind.word())),
        ]
    };
    let mut level = vec![0usize; found.len()];
    loop {
        let names: Vec<String> = found
            .iter()
            .zip(&level)
            .map(|(it, level)| levels(it)[*level].clone())
            .collect();
        let mut images: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (it, name) in found.iter().zip(&names) {
            images
                .entry(name)
                .or_default()
                .insert(repository(&it.image));
        }
        let mut raised = false;
        for (name, level) in names.iter().zip(&mut level) {
            if images[name.as_str()].len() > 1 && *level < 3 {
                *level += 1;
                raised = true;
            }
        }
        if !raised {
            return names;
        }
    }
}

/// The first candidate that is not taken; else the last one with a number.
fn unique(candidates: &[String], taken: &BTreeSet<String>) -> String {
    let short: Vec<String> = candidates.iter().map(|it| plain(it)).collect();
    if let Some(free) = short.iter().find(|it| !taken.contains(*it)) {
        return free.clone();
    }
    let last = short.last().map_or("target", String::as_str);
    let last: String = last.chars().take(58).collect();
    let mut numbers = 2..;
    loop {
        let name = format!("{last}-{}", numbers.next().unwrap_or(2));
        if !taken.contains(&name) {
            return name;
        }
    }
}

/// A text as a plain name: letters, digits, `.`, `-` and `_`, at most 64.
fn plain(text: &str) -> String {
    let kept = |c: char| {
        let good = c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        if good { c } else { '-' }
    };
    let name: String = text.chars().map(kept).collect();
    let name: String = name
        .trim_start_matches(['.', '-'])
        .chars()
        .take(64)
        .collect();
    if is_plain(&name) {
        name
    } else {
        "workload".to_owned()
    }
}

/// The environment of a namespace, by the words in its name and in that of the context.
fn guess(namespace: &str, context: Option<&str>) -> Guess {
    const KNOWN: [(&str, &str, bool); 15] = [
        ("prod", "prod", true),
        ("production", "prod", true),
        ("prd", "prod", true),
        ("live", "prod", true),
        ("preprod", "staging", false),
        ("staging", "staging", false),
        ("stage", "staging", false),
        ("stg", "staging", false),
        ("uat", "staging", false),
        ("test", "test", false),
        ("qa", "test", false),
        ("dev", "dev", false),
        ("development", "dev", false),
        ("develop", "dev", false),
        ("sandbox", "sandbox", false),
    ];
    let word = |text: &str| {
        let lower = text.to_lowercase();
        let words: Vec<&str> = lower.split(|c: char| !c.is_ascii_alphanumeric()).collect();
        let known = KNOWN.iter().find(|(word, ..)| words.contains(word));
        known.map(|(word, name, production)| (*word, *name, *production))
    };
    let context = context.unwrap_or("the cluster");
    for (place, text) in [("namespace", namespace), ("context", context)] {
        if let Some((found, name, production)) = word(text) {
            // `prod-eu` says which of several it is
            let whole = text.starts_with(found) && text.len() > found.len() && place == "namespace";
            return Guess {
                name: if whole { plain(text) } else { name.to_owned() },
                production,
                why: format!("guessed from `{found}` in the {place} {text}"),
            };
        }
    }
    Guess {
        name: plain(context),
        production: true,
        why: "no name says what it is: taken for production, which asks for more votes".to_owned(),
    }
}

/// A text between double quotes in TOML, without what could end them.
fn text(value: &str) -> String {
    let value = printable(value, 300).replace(['"', '\\'], "'");
    format!("\"{value}\"")
}

/// `room.toml`, with every workload as a target.
pub fn room(all: &[Named<'_>], reached: &Reached<'_>, only: Option<&str>) -> String {
    let cluster = plain(reached.context.unwrap_or("here"));
    let looked = match only {
        Some(namespace) => format!("the namespace {namespace}"),
        None => "all namespaces but the cluster's own".to_owned(),
    };
    let mut out = format!(
        "# The room: its name, what it operates, how often it looks.\n\
         # `holdpoint check` says what is wrong with this directory, with line and column; `holdpoint doctor`\n\
         # asks the cluster what is missing, and prints the rights that all this takes.\n\
         # Spans of time are written 250ms, 90s, 5m, 2h, 1d or 1h30m.\n\n\
         name = \"@ROOM@\"\n\n\
         # How often platforms are read and metrics are looked at.\n\
         look = \"5s\"\n\n\
         # The cluster, as it was reached. The context is named so that nobody who switches it sends a\n\
         # release elsewhere.\n\
         [clusters.{}]\n",
        segment(&cluster)
    );
    // writing to a string cannot fail
    let _ = clustered(&mut out, reached);
    let _ = writeln!(
        out,
        "\n# What was found in {}.\n\
         # A target is one workload: each batch of a plan brings the new version to a share of its pods.\n\
         # EDIT: take out what you do not release.",
        printable(&looked, 120)
    );
    for named in all {
        let _ = target(&mut out, named, &cluster);
    }
    if all.iter().any(|it| it.found.kind == Kind::Canary) {
        out += GATES;
    }
    out
}

/// What a room with Canaries needs besides, for somebody to complete.
const GATES: &str = "
# Flagger asks here before it goes on, so that its Canaries wait on holds. EDIT: put a secret of your
# own into the file. Whoever releases a Canary that does not ask yet is shown the webhooks that it needs.
# [gates]
# listen = \"127.0.0.1:7345\"
# token = \"file:keys/gates\"
"
;

fn clustered(out: &mut String, reached: &Reached<'_>) -> std::fmt::Result {
    match reached.kubeconfig {
        Some(path) => writeln!(out, "kubeconfig = {}", text(&path.display().to_string()))?,
        None if reached.context.is_some() => writeln!(
            out,
            "# kubeconfig = \"/etc/holdpoint/kubeconfig\"    # without it, that of the engine's environment"
        )?,
        None => writeln!(
            out,
            "# the service account of the pod that the engine runs in"
        )?,
    }
    match reached.context {
        Some(context) => writeln!(out, "context = {}", text(context)),
        None => Ok(()),
    }
}

fn target(out: &mut String, named: &Named<'_>, cluster: &str) -> std::fmt::Result {
    let found = named.found;
    let pods = match found.replicas {
        Some(1) => ", 1 pod".to_owned(),
        Some(n) => format!(", {n} pods"),
        None => String::new(),
    };
    writeln!(
        out,
        "\n# {}{pods}, runs {}",
        found.kind.kind(),
        printable(&found.image, 200)
    )?;
    writeln!(out, "[[target]]")?;
    writeln!(out, "name = {}", text(&named.target))?;
    writeln!(out, "service = {}", text(&named.service))?;
    writeln!(out, "environment = {}", text(&named.environment))?;
    writeln!(out, "platform = \"kubernetes\"")?;
    writeln!(out, "cluster = {}", text(cluster))?;
    writeln!(out, "namespace = {}", text(&found.namespace))?;
    let workload = format!("{}/{}", found.kind.word(), found.name);
    writeln!(out, "workload = {}", text(&workload))?;
    if let [first, others @ ..] = found.containers.as_slice()
        && !others.is_empty()
    {
        let others: Vec<String> = others.iter().map(|it| printable(it, 60)).collect();
        let others = others.join(", ");
        writeln!(out, "container = {}    # besides: {others}", text(first))?;
    }
    writeln!(out, "image = {}", text(repository(&found.image)))
}

/// `catalog.toml`, with every service and every environment.
pub fn catalog(all: &[Named<'_>], reached: &Reached<'_>) -> String {
    let mut out = String::from(
        "# What can be released, and where to.\n\n\
         # EDIT: owner and tier; 0 is the most critical. `depends_on` names services that it needs.\n\
         # Metrics by which a new version is compared with the old one are read from a Prometheus:\n\
         # [sources.NAME] in room.toml, and here for instance\n\
         #\n\
         # [service.web.metric.errors]\n\
         # source = \"prom\"\n\
         # ratio = { bad = 'http_requests_total{code=~\"5..\"}', total = \"http_requests_total\" }\n\
         # fail_above = \"5%\"\n\
         # min_count = 50\n",
    );
    let mut services: BTreeMap<&str, Option<&str>> = BTreeMap::new();
    let mut environments: BTreeMap<String, Guess> = BTreeMap::new();
    for named in all {
        let owner = services.entry(&named.service).or_default();
        *owner = owner.or(named.found.owner.as_deref());
        let guess = guess(&named.found.namespace, reached.context);
        environments.entry(guess.name.clone()).or_insert(guess);
    }
    for (name, owner) in services {
        let owner = text(owner.unwrap_or("nobody named yet"));
        let _ = write!(
            out,
            "\n[service.{}]\nowner = {owner}\ntier = 2\n",
            segment(name)
        );
    }
    out.push_str(
        "\n# EDIT: your environments. `production` decides about approvals; `zone` is the one in which windows\n\
         # are spoken of; `confirm` is how much a key asks before it acts: none, dialog or typed.\n",
    );
    for (name, guess) in environments {
        let confirm = if guess.production { "typed" } else { "dialog" };
        let _ = write!(
            out,
            "\n# {}\n[environment.{}]\nproduction = {}\nzone = \"@ZONE@\"\nconfirm = \"{confirm}\"\n",
            printable(&guess.why, 200),
            segment(&name),
            guess.production
        );
    }
    out
}

/// `plan.yaml`: a first release of the first workload.
pub fn plan(first: &Named<'_>) -> String {
    let found = first.found;
    let tag = tag(&found.image);
    let runs = printable(
        if tag.is_empty() {
            "an image without a tag"
        } else {
            tag
        },
        80,
    );
    let version = printable(if tag.is_empty() { "1.0.0" } else { tag }, 80);
    let digest = match digest(&found.image) {
        "" => format!("sha256:{}", "0".repeat(64)),
        digest => printable(digest, 80),
    };
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let service = quoted(&first.service);
    let title = quoted(&format!("{} {version}", first.service));
    let (environment, version, digest) = (
        quoted(&first.environment),
        quoted(&version),
        quoted(&digest),
    );
    format!(
        "# A plan: one intended change. See first what it would lead to:\n\
         #   holdpoint release submit plan.yaml --dry-run\n\n\
         title: {title}\n\
         environment: {environment}\n\
         services:\n  - service: {service}\n    version: {version}    # EDIT: what is to come; now it runs {runs}\n    \
         digest: {digest}    # EDIT: of its image\n\n\
         changes:\n  - EDIT what is new in it, for those who vote\n\n\
         start: manual                      # or auto: as soon as it is approved\n\
         on_failure: roll-back              # or hold-on: wait for somebody\n\n\
         # Each batch brings it to a share of the pods and holds there.\n\
         batches:\n  - exposure: 25%\n    after:\n      - bake: 5m\n  - exposure: 50%\n    before:\n      \
         - manual: {{ ask: go on to half of it }}\n  - exposure: full\n\n\
         # Armed from the first call until the release is closed.\n\
         triggers:\n  - {{ instances_down: 5m, action: roll-back }}\n\n\
         observe: {{ for: 30m }}\n"
    )
}

/// A name as a part of a path in TOML.
fn segment(name: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if !name.is_empty() && name.chars().all(bare) {
        name.to_owned()
    } else {
        text(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::plan::PlanFile;
    use crate::config::room::RoomFiles;
    use crate::config::template::{Owner, write_with};

    fn found(namespace: &str, kind: Kind, name: &str, app: &str, image: &str) -> Found {
        Found {
            namespace: namespace.into(),
            kind,
            name: name.into(),
            app: app.into(),
            owner: None,
            containers: vec![name.into()],
            image: image.into(),
            replicas: Some(3),
        }
    }

    fn discovery() -> Discovery {
        let deployment = Kind::Deployment;
        let mut web = found(
            "shop-prod",
            deployment,
            "web",
            "web",
            "r/shop/web:1.4@sha256:ab",
        );
        web.containers.push("proxy".into());
        web.owner = Some("team \"web\"".into());
        Discovery {
            found: vec![
                web,
                found("shop-staging", deployment, "web", "web", "r/shop/web:1.5"),
                found("shop-prod", deployment, "api", "shop", "r/shop/api:2"),
                found("shop-prod", Kind::StatefulSet, "store", "shop", "r/store:7"),
                found("prod-eu", deployment, "blue.x", "söm€thing/odd", "odd"),
                found("tools", deployment, "web", "web", "r/other/web:1"),
                found("tools", Kind::DaemonSet, "web", "web", "r/other/web:1"),
                found("tools", Kind::Canary, "cart", "cart", "r/cart:1"),
            ],
            ..Discovery::default()
        }
    }

    const REACHED: Reached<'static> = Reached {
        kubeconfig: None,
        context: Some("admin@big cluster"),
    };

    #[test]
    fn names_are_plain_unique_and_of_one_image_each() {
        let discovery = discovery();
        let all = named(&discovery, &REACHED);
        let told: Vec<(&str, &str, &str)> = all
            .iter()
            .map(|it| {
                (
                    it.target.as_str(),
                    it.service.as_str(),
                    it.environment.as_str(),
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                ("shop-prod-web-prod", "shop-prod-web", "prod"),
                ("shop-staging-web-staging", "shop-staging-web", "staging"),
                ("api-prod", "api", "prod"),
                ("store-prod", "store", "prod"),
                ("s-m-thing-odd-prod-eu", "s-m-thing-odd", "prod-eu"),
                (
                    "tools-web-admin-big-cluster",
                    "tools-web",
                    "admin-big-cluster"
                ),
                (
                    "tools-web-web-admin-big-cluster",
                    "tools-web",
                    "admin-big-cluster"
                ),
                ("cart-admin-big-cluster", "cart", "admin-big-cluster"),
            ]
        );
        let targets: BTreeSet<&str> = all.iter().map(|it| it.target.as_str()).collect();
        assert_eq!(targets.len(), all.len());
    }

    #[test]
    fn a_room_of_them_is_accepted() {
        let discovery = discovery();
        let all = named(&discovery, &REACHED);
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("room");
        let owner = Owner {
            name: "me".into(),
            full_name: "Me".into(),
            uid: 1000,
            zone: "Europe/Berlin".into(),
        };
        let made = [
            ("room.toml", room(&all, &REACHED, None)),
            ("catalog.toml", catalog(&all, &REACHED)),
            ("plan.yaml", plan(&all[2])),
        ];
        write_with(&dir, &owner, &made.into()).unwrap();
        let files = RoomFiles::load(&dir).unwrap_or_else(|mistakes| {
            panic!("{:#?}", mistakes.notices);
        });
        assert_eq!(files.targets.len(), all.len());
        let doubts = files.doubts.notices.iter();
        let doubts: Vec<&str> = doubts.map(|it| &*it.code).collect();
        assert!(doubts.contains(&"no-gates"), "{doubts:?}");
        let staging = &files.charter.environments[&"staging".into()];
        assert!(!staging.production);
        assert!(files.charter.environments[&"admin-big-cluster".into()].production);
        let bytes = std::fs::read(dir.join("plan.yaml")).unwrap();
        let plan = PlanFile::read("plan.yaml", &bytes).unwrap();
        plan.check(&files.charter).unwrap();
    }

    #[test]
    fn environments_are_guessed_from_words_and_not_from_letters() {
        let of = |namespace: &str, context: &str| {
            let guess = guess(namespace, Some(context));
            (guess.name, guess.production)
        };
        assert_eq!(of("shop-prod", "x"), ("prod".into(), true));
        assert_eq!(of("products", "dev-1"), ("dev".into(), false));
        assert_eq!(of("prod-eu", "x"), ("prod-eu".into(), true));
        assert_eq!(of("shop", "scratch"), ("scratch".into(), true));
    }
}
